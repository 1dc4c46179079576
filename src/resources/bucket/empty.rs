//! The end of a bucket: what it holds, and how all of it goes: versions, delete markers, unfinished uploads.

use std::time::Duration;

use serde_json::json;

use super::Bucket;
use crate::cloud::error::{Class, CloudError, Outcome, call};
use crate::cloud::objects::If;
use crate::residency::EuRegion;
use crate::resource::{Cx, Resource};
use crate::resources::{HOME, LEASE, wait};
use crate::text::{bytes, counted};

/// Late writers (EMR's logs) may refill it a few times; more than that is somebody at work.
const ROUNDS: usize = 10;

/// What S3 still knows of one object: a version or a delete marker.
struct Version {
    key: String,
    id: Option<String>,
    /// None of a marker, which says that the object is deleted.
    etag: Option<String>,
    latest: bool,
    size: u64,
}

/// One page of versions, and where the next one starts.
struct Page {
    versions: Vec<Version>,
    next: Option<(String, Option<String>)>,
}

async fn page(cx: &Cx, name: &str, from: Option<(String, Option<String>)>) -> Result<Option<Page>, CloudError> {
    let owner = cx.cloud.account().await?;
    let (key, version) = from.unzip();
    let list = cx.cloud.s3.list_object_versions().bucket(name).expected_bucket_owner(owner).max_keys(1000);
    let list = list.set_key_marker(key).set_version_id_marker(version.flatten()).send();
    let Some(answer) = call("s3 ListObjectVersions", list).await.or_absent()? else { return Ok(None) };
    let versions = answer.versions.unwrap_or_default().into_iter().map(|v| Version {
        key: v.key.unwrap_or_default(),
        id: v.version_id,
        etag: v.e_tag,
        latest: v.is_latest.unwrap_or(true),
        size: v.size.unwrap_or_default().try_into().unwrap_or_default(),
    });
    let markers = answer.delete_markers.unwrap_or_default().into_iter().map(|m| Version {
        key: m.key.unwrap_or_default(),
        id: m.version_id,
        etag: None,
        latest: m.is_latest.unwrap_or(true),
        size: 0,
    });
    let next = answer
        .next_key_marker
        .filter(|_| answer.is_truncated == Some(true))
        .map(|k| (k, answer.next_version_id_marker));
    Ok(Some(Page { versions: versions.chain(markers).collect(), next }))
}

/// What would be lost: `200 objects, 1.2 MB`; `None` if nothing.
pub(super) async fn holds(cx: &Cx, name: &str) -> Result<Option<String>, CloudError> {
    let (mut objects, mut size, mut from) = (0_usize, 0_u64, None);
    while let Some(page) = page(cx, name, from).await? {
        objects += page.versions.len();
        size += page.versions.iter().map(|v| v.size).sum::<u64>();
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    Ok((objects > 0).then(|| format!("{}, {}", counted(objects, "object"), bytes(size))))
}

/// Empties and deletes; a bucket that is gone is fine. Of home the lease goes last, and only once: another's
/// lease means that somebody has begun to work there.
pub(super) async fn delete(cx: &Cx, bucket: &Bucket) -> Result<(), CloudError> {
    let (address, name, owner) = (bucket.address(), &bucket.name, cx.cloud.account().await?);
    let mut closing = Closing { home: bucket.key == HOME, closed: false, lease_gone: false };
    let mut last = None;
    for round in 0..ROUNDS {
        if round > 0 {
            wait(cx, Duration::from_secs(5)).await?;
        }
        if !closing.empty(cx, bucket).await? {
            return Ok(());
        }
        let delete = cx.cloud.s3.delete_bucket().bucket(name).expected_bucket_owner(owner).send();
        match call("s3 DeleteBucket", delete).await.or_absent() {
            Ok(_) => return Ok(()),
            Err(error) if matches!(error.class, Class::InUse | Class::NotYet) => {
                cx.say(&address, format!("waiting: {}", error.message));
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| CloudError::timed_out(format!("{name} was refilled as fast as it was emptied"))))
}

/// How far the end of a bucket is.
struct Closing {
    home: bool,
    /// Nobody can write into it any more. Home stays open: the lease is kept there.
    closed: bool,
    lease_gone: bool,
}

impl Closing {
    /// Deletes everything in it; false if there is no such bucket.
    async fn empty(&mut self, cx: &Cx, bucket: &Bucket) -> Result<bool, CloudError> {
        let (name, mut gone) = (&bucket.name, 0);
        loop {
            let Some(page) = page(cx, name, None).await? else { return Ok(false) };
            // What it was before, where somebody has versioned home, goes with the rest.
            let is_lease = |version: &Version| self.home && version.key == LEASE && version.latest;
            let (lease, versions): (Vec<_>, Vec<_>) = page.versions.into_iter().partition(is_lease);
            if versions.is_empty() {
                self.end_lease(cx, name, lease).await?;
                break;
            }
            if !self.closed && !self.home {
                close(cx, name, bucket.region).await?;
                self.closed = true;
            }
            gone += versions.len();
            // Also "null", by name: without it, a bucket that once was versioned answers with one more marker.
            cx.cloud.delete_objects(name, versions.into_iter().map(|version| (version.key, version.id))).await?;
            cx.say(&bucket.address(), format!("emptied of {}", counted(gone, "object")));
            if cx.cancel.requested() {
                return Err(CloudError::interrupted());
            }
        }
        abort_uploads(cx, name).await?;
        Ok(true)
    }

    /// Deletes the lease that stands, which is our own; one that comes after it is not. Of a versioned home it is a marker then, which
    /// goes by its version.
    async fn end_lease(&mut self, cx: &Cx, name: &str, found: Vec<Version>) -> Result<(), CloudError> {
        let Some(lease) = found.into_iter().next() else { return Ok(()) };
        let Some(etag) = lease.etag else {
            return cx.cloud.delete_objects(name, [(lease.key, lease.id)]).await;
        };
        if self.lease_gone {
            return Err(CloudError::new(
                Class::InUse,
                format!("somebody has begun to work on this stack: {name} stays"),
            ));
        }
        cx.cloud.delete_object(name, LEASE, If::Same(&etag)).await?;
        self.lease_gone = true;
        Ok(())
    }
}

/// Refuses further writes, so that log writers do not refill what is being emptied.
async fn close(cx: &Cx, name: &str, region: EuRegion) -> Result<(), CloudError> {
    let owner = cx.cloud.account().await?;
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "BeingEmptied",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": region.arn("s3", false, "", &format!("{name}/*")),
        }],
    });
    let put = cx.cloud.s3.put_bucket_policy().bucket(name).policy(policy.to_string()).expected_bucket_owner(owner);
    call("s3 PutBucketPolicy", put.send()).await.or_absent()?;
    Ok(())
}

async fn abort_uploads(cx: &Cx, name: &str) -> Result<(), CloudError> {
    let owner = cx.cloud.account().await?;
    loop {
        let list = cx.cloud.s3.list_multipart_uploads().bucket(name).expected_bucket_owner(owner).send();
        let uploads =
            call("s3 ListMultipartUploads", list).await.or_absent()?.and_then(|a| a.uploads).unwrap_or_default();
        if uploads.is_empty() {
            return Ok(());
        }
        if cx.cancel.requested() {
            return Err(CloudError::interrupted());
        }
        for upload in uploads {
            let abort = cx.cloud.s3.abort_multipart_upload().bucket(name).expected_bucket_owner(owner);
            let abort = abort.set_key(upload.key).set_upload_id(upload.upload_id).send();
            call("s3 AbortMultipartUpload", abort).await.or_absent()?;
        }
    }
}
