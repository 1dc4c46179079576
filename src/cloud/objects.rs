//! Objects in S3 as the rooms above use them: get, put, put-if, delete-if, list. Every call names the
//! bucket's expected owner.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::config::Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, Object, ObjectIdentifier};
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

/// What an object is made of.
#[derive(Debug)]
pub enum Content<'a> {
    Bytes(Vec<u8>),
    /// A file of this many bytes, read while it is sent.
    File(&'a Path, u64),
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
        let size = body.len();
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
        sent(put, size).await
    }

    /// Puts an object and returns its ETag. S3 refuses it if it does not hash to this.
    pub async fn send_object(
        &self,
        bucket: &str,
        key: &str,
        content: Content<'_>,
        sha256: &[u8; 32],
    ) -> Result<String, CloudError> {
        let owner = self.account().await?;
        let (body, size) = match content {
            Content::Bytes(bytes) => {
                let size = bytes.len();
                (ByteStream::from(bytes), size)
            }
            Content::File(path, size) => {
                let body = ByteStream::from_path(path).await;
                let cannot = |error| CloudError::failed(format!("{} cannot be read: {error}", path.display()));
                (body.map_err(cannot)?, usize::try_from(size).unwrap_or(usize::MAX))
            }
        };
        let checksum = aws_smithy_types::base64::encode(sha256);
        let put = self.s3.put_object().bucket(bucket).key(key).body(body).expected_bucket_owner(owner);
        Ok(sent(put.checksum_sha256(checksum), size).await?.trim_matches('"').to_owned())
    }

    /// Deletes objects by key and version; those that are gone are fine.
    pub async fn delete_objects(
        &self,
        bucket: &str,
        objects: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<(), CloudError> {
        let owner = self.account().await?;
        let built = |error: BuildError| CloudError::bug(error.to_string());
        let named =
            |(key, version)| ObjectIdentifier::builder().key(key).set_version_id(version).build().map_err(built);
        let objects = objects.into_iter().map(named).collect::<Result<Vec<_>, _>>()?;
        // So many a request takes.
        for thousand in objects.chunks(1000) {
            let delete = Delete::builder().set_objects(Some(thousand.to_vec())).quiet(true).build().map_err(built)?;
            let sending = self.s3.delete_objects().bucket(bucket).delete(delete).expected_bucket_owner(owner).send();
            let Some(answer) = call("s3 DeleteObjects", sending).await.or_absent()? else { return Ok(()) };
            if let Some(error) = answer.errors.unwrap_or_default().into_iter().next() {
                let why = error.message.or(error.code).unwrap_or_default();
                let key = error.key.unwrap_or_default();
                return Err(CloudError::failed(format!("s3://{bucket}/{key} cannot be deleted: {why}")));
            }
        }
        Ok(())
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

/// Sends a body of this many bytes, and returns the object's ETag.
async fn sent(put: PutObjectFluentBuilder, size: usize) -> Result<String, CloudError> {
    let sending = put.customize().config_override(Config::builder().timeout_config(patience(size))).send();
    Ok(call("s3 PutObject", sending).await?.e_tag.unwrap_or_default())
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
