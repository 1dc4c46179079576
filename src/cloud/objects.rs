//! Objects in S3 as the rooms above use them: get, put, put-if, delete-if, list. Every call names the
//! bucket's expected owner.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::config::Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Object;
use jiff::Timestamp;

use crate::cloud::Cloud;
use crate::cloud::error::{CloudError, Outcome, call};

/// How long an upload may wait for its answer once it is sent, and bytes in a second below which it is given up.
const ANSWER: Duration = Duration::from_secs(30);
const SLOW: usize = 128 << 10;

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub key: String,
    pub size: u64,
    pub etag: String,
    pub modified: Option<Timestamp>,
}

/// A condition on a put or a delete.
#[derive(Clone, Copy, Debug)]
pub enum If<'a> {
    Always,
    /// Nothing is there.
    Absent,
    /// What is there has this ETag.
    Same(&'a str),
}

impl Cloud {
    /// The whole object and its ETag; `None` if there is none.
    pub async fn get_object(&self, bucket: &str, key: &str) -> Result<Option<(Vec<u8>, String)>, CloudError> {
        let owner = self.account().await?;
        let sending = self.s3.get_object().bucket(bucket).key(key).expected_bucket_owner(owner).send();
        let Some(object) = call("s3 GetObject", sending).await.or_absent()? else { return Ok(None) };
        let etag = object.e_tag.unwrap_or_default();
        let body = object.body.collect().await;
        let body = body.map_err(|e| {
            CloudError::new(crate::cloud::error::Class::Unknown, format!("s3://{bucket}/{key} broke off: {e}"))
        })?;
        Ok(Some((body.to_vec(), etag)))
    }

    /// Puts an object and returns its ETag. S3 checks the body against a checksum sent with it.
    pub async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: Vec<u8>,
        condition: If<'_>,
        tags: &BTreeMap<String, String>,
    ) -> Result<String, CloudError> {
        let owner = self.account().await?;
        let patience = patience(body.len());
        let mut put =
            self.s3.put_object().bucket(bucket).key(key).body(ByteStream::from(body)).expected_bucket_owner(owner);
        if !tags.is_empty() {
            put = put.tagging(
                tags.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect::<Vec<_>>().join("&"),
            );
        }
        put = match condition {
            If::Always => put,
            If::Absent => put.if_none_match("*"),
            If::Same(etag) => put.if_match(etag),
        };
        let sending = put.customize().config_override(Config::builder().timeout_config(patience)).send();
        Ok(call("s3 PutObject", sending).await?.e_tag.unwrap_or_default())
    }

    /// Deletes an object; one that is gone is fine.
    pub async fn delete_object(&self, bucket: &str, key: &str, condition: If<'_>) -> Result<(), CloudError> {
        let owner = self.account().await?;
        let mut delete = self.s3.delete_object().bucket(bucket).key(key).expected_bucket_owner(owner);
        if let If::Same(etag) = condition {
            delete = delete.if_match(etag);
        }
        call("s3 DeleteObject", delete.send()).await.or_absent()?;
        Ok(())
    }

    /// Everything below a prefix, in the order of keys; `None` if there is no such bucket.
    pub async fn list_objects(&self, bucket: &str, prefix: &str) -> Result<Option<Vec<Listed>>, CloudError> {
        let owner = self.account().await?;
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .s3
                .list_objects_v2()
                .bucket(bucket)
                .prefix(prefix)
                .expected_bucket_owner(owner)
                .set_continuation_token(token)
                .send();
            let Some(page) = call("s3 ListObjectsV2", page).await.or_absent()? else { return Ok(None) };
            found.extend(page.contents.unwrap_or_default().into_iter().map(listed));
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(Some(found));
            }
        }
    }
}

/// Time for a body of this many bytes over a slow line, besides what every call has.
fn patience(size: usize) -> TimeoutConfig {
    let long = ANSWER + Duration::from_secs((size / SLOW) as u64);
    TimeoutConfig::builder().operation_attempt_timeout(long).operation_timeout(4 * long).build()
}

fn listed(object: Object) -> Listed {
    Listed {
        key: object.key.unwrap_or_default(),
        size: object.size.unwrap_or_default().try_into().unwrap_or_default(),
        etag: object.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
        modified: object.last_modified.and_then(|at| Timestamp::new(at.secs(), 0).ok()),
    }
}

/// Percent-encodes what a query string cannot hold.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
