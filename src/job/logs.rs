//! Logs of a cluster out of S3: steps, bootstrap actions, nodes. They arrive minutes late, also after the
//! end; what is not there yet is said, not invented.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::cloud::error::CloudError;
use crate::cloud::objects::Listed;
use crate::resource::{Cx, Id};

/// A log may be cut at its start beyond this.
const MOST: u64 = 8_000_000;

/// One log, unpacked.
#[derive(Clone, Debug)]
pub struct Log {
    pub url: String,
    pub text: String,
}

/// Splits `s3://bucket/prefix/`.
pub fn split(url: &str) -> Option<(&str, &str)> {
    url.split_once("://")?.1.split_once('/')
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

/// The text of a log as it lies in S3 under this key.
pub fn unpack(key: &str, body: Vec<u8>) -> String {
    let mut bytes = Vec::new();
    if std::path::Path::new(key).extension().is_some_and(|e| e == "gz") {
        // One cut short (a node that died) is still worth its beginning.
        let _ = MultiGzDecoder::new(&body[..]).take(MOST).read_to_end(&mut bytes);
    } else {
        bytes = body;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last lines of a text that say something.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
