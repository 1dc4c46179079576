//! Logs of a cluster out of S3, found and read. They arrive minutes late, also after the end; it waits for none.

use crate::cloud::error::CloudError;
use crate::cloud::logs::{split, unpack};
use crate::cloud::objects::Listed;
use crate::resource::{Cx, Id};

/// One log, unpacked.
#[derive(Clone, Debug)]
pub struct Log {
    pub url: String,
    pub text: String,
}

/// What there is of a cluster's logs, by key.
pub async fn list(cx: &Cx, logs: &str, cluster: &Id, below: &str) -> Result<Vec<Listed>, CloudError> {
    let Some((bucket, prefix)) = split(logs) else { return Ok(vec![]) };
    Ok(cx.cloud.list_objects(bucket, &format!("{prefix}{cluster}/{below}")).await?.unwrap_or_default())
}

/// One log, unpacked; `None` if it is not there.
pub async fn read(cx: &Cx, bucket: &str, key: &str) -> Result<Option<Log>, CloudError> {
    let Some((body, _)) = cx.cloud.get_object(bucket, key).await? else { return Ok(None) };
    Ok(Some(Log { url: format!("s3://{bucket}/{key}"), text: unpack(key, body) }))
}
