//! The declared uploads: files of this machine that belong in a bucket, sent once. A manifest in home tells
//! path, size and SHA-256 of what was sent; a listing tells whether it is still there as sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use walkdir::WalkDir;

use crate::cloud::error::CloudError;
use crate::cloud::mark::{fingerprint, sha256_hex};
use crate::cloud::objects::If;
use crate::event::Event;
use crate::resource::{Address, Cx};
use crate::stack::Upload;

const AT_ONCE: usize = 16;

/// The manifest is written anew after so many files, so that a broken upload is resumed and not repeated.
const KEEP_EVERY: usize = 500;

/// What the manifest's last state may take after an interruption.
const LAST_WORD: Duration = Duration::from_secs(1);

/// One declared upload, held against what is there.
#[derive(Debug, Serialize)]
pub struct Batch {
    pub from: PathBuf,
    /// `s3://bucket/prefix`.
    pub to: String,
    /// Files of this machine, and their size in all.
    pub files: usize,
    pub bytes: u64,
    /// How many of them are not there as they are here.
    pub send: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    #[serde(skip)]
    missing: Vec<File>,
    #[serde(skip)]
    manifest: Manifest,
    /// The bucket as a resource, if it is one of ours.
    #[serde(skip)]
    pub bucket_address: Option<Address>,
    #[serde(skip)]
    bucket: String,
}

#[derive(Clone, Debug)]
struct File {
    path: PathBuf,
    key: String,
    size: u64,
    sha256: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sent {
    size: u64,
    sha256: String,
    etag: String,
}

type Manifest = BTreeMap<String, Sent>;

/// Where in home the manifest of a destination is.
fn manifest_key(to: &str) -> String {
    format!("fruitsinfra/uploads/{}.json", fingerprint(to))
}

/// The files below a path, in order, with the part of their path that becomes the key.
fn walk(from: &Path) -> Result<Vec<(PathBuf, String, u64)>, CloudError> {
    let failed = |error: walkdir::Error| CloudError::failed(format!("{} cannot be read: {error}", from.display()));
    let mut found = Vec::new();
    for entry in WalkDir::new(from).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(failed)?;
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.path();
        let relative = path
            .strip_prefix(from)
            .ok()
            .filter(|r| !r.as_os_str().is_empty())
            .map_or_else(|| path.file_name().map(Path::new), Some);
        let Some(key) = relative.and_then(Path::to_str) else {
            return Err(CloudError::failed(format!(
                "{} has a name that is not UTF-8, which S3 cannot hold",
                path.display()
            )));
        };
        let size = entry.metadata().map_err(failed)?.len();
        found.push((path.to_owned(), key.to_owned(), size));
    }
    Ok(found)
}

/// Counts and compares one declared upload. Reads files, sends nothing.
pub async fn survey(
    cx: &Cx,
    home: &str,
    bucket: &str,
    bucket_address: Option<Address>,
    upload: &Upload,
) -> Result<Batch, CloudError> {
    let to = format!("s3://{bucket}/{}", upload.to.prefix);
    if !upload.from.exists() {
        let warning = format!("{} does not exist: nothing will be sent to {to}", upload.from.display());
        return Ok(Batch {
            from: upload.from.clone(),
            to,
            files: 0,
            bytes: 0,
            send: 0,
            warning: Some(warning),
            missing: vec![],
            manifest: Manifest::new(),
            bucket_address,
            bucket: bucket.into(),
        });
    }
    let key = manifest_key(&to);
    let (there, manifest) =
        futures::try_join!(cx.cloud.list_objects(bucket, &upload.to.prefix), cx.cloud.get_object(home, &key))?;
    let there: BTreeMap<String, (u64, String)> =
        there.unwrap_or_default().into_iter().map(|l| (l.key, (l.size, l.etag))).collect();
    // A manifest that cannot be read costs time, not data: everything is sent again.
    let manifest: Manifest = manifest.and_then(|(body, _)| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let local = walk(&upload.from)?;
    let (files, bytes) = (local.len(), local.iter().map(|(_, _, size)| size).sum());
    let prefix = upload.to.prefix.clone();
    let known = manifest.clone();
    let missing = tokio::task::spawn_blocking(move || {
        let mut missing = Vec::new();
        for (path, relative, size) in local {
            let key = format!("{prefix}{relative}");
            let body = std::fs::read(&path)
                .map_err(|e| CloudError::failed(format!("{} cannot be read: {e}", path.display())))?;
            let sha256 = sha256_hex(body);
            let sent = known.get(&key).filter(|sent| sent.size == size && sent.sha256 == sha256);
            if sent.is_none_or(|sent| there.get(&key) != Some(&(sent.size, sent.etag.clone()))) {
                missing.push(File { path, key, size, sha256 });
            }
        }
        Ok::<_, CloudError>(missing)
    });
    let missing = missing.await.map_err(|e| CloudError::bug(e.to_string()))??;
    Ok(Batch {
        from: upload.from.clone(),
        to,
        files,
        bytes,
        send: missing.len(),
        warning: None,
        missing,
        manifest,
        bucket_address,
        bucket: bucket.into(),
    })
}

/// Sends what is missing. Interrupted, it keeps what was sent.
pub async fn send(cx: &Cx, home: &str, batch: Batch, events: &UnboundedSender<Event>) -> Result<(), CloudError> {
    let Batch { to, missing, mut manifest, bucket, .. } = batch;
    let (of, mut files, mut bytes) = (missing.len(), 0, 0);
    let mut sending = futures::stream::iter(missing)
        .map(|file| {
            let bucket = bucket.clone();
            async move {
                if cx.cancel.requested() {
                    return Err(CloudError::interrupted());
                }
                let body = tokio::fs::read(&file.path).await;
                let body =
                    body.map_err(|e| CloudError::failed(format!("{} cannot be read: {e}", file.path.display())))?;
                if sha256_hex(&body) != file.sha256 {
                    return Err(CloudError::failed(format!("{} changed while it was being sent", file.path.display())));
                }
                let etag = cx.cloud.put_object(&bucket, &file.key, body, If::Always, &BTreeMap::new()).await?;
                Ok((file, etag.trim_matches('"').to_owned()))
            }
        })
        .buffer_unordered(AT_ONCE);
    let mut broken = None;
    loop {
        let sent = tokio::select! {
            biased;
            sent = sending.next() => sent,
            () = cx.cancel.overdue() => Some(Err(CloudError::interrupted())),
        };
        let Some(sent) = sent else { break };
        match sent {
            Ok((file, etag)) => {
                files += 1;
                bytes += file.size;
                manifest.insert(file.key, Sent { size: file.size, sha256: file.sha256, etag });
                let _ = events.send(Event::Upload { to: to.clone(), files, of, bytes });
                if files % KEEP_EVERY == 0 {
                    keep(cx, home, &to, &manifest).await?;
                }
            }
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    drop(sending);
    if files > 0 {
        let last = keep(cx, home, &to, &manifest);
        if cx.cancel.requested() {
            // Without its line in the manifest a file is only sent again.
            let _ = tokio::time::timeout(LAST_WORD, last).await;
        } else {
            last.await?;
        }
    }
    broken.map_or(Ok(()), Err)
}

async fn keep(cx: &Cx, home: &str, to: &str, manifest: &Manifest) -> Result<(), CloudError> {
    let body = serde_json::to_vec(manifest).map_err(|e| CloudError::bug(e.to_string()))?;
    cx.cloud.put_object(home, &manifest_key(to), body, If::Always, &BTreeMap::new()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_counts_files_and_keeps_odd_names() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("Pomme Été")).expect("made");
        for name in ["Pomme Été/a+b%.jpg", "z.jpg"] {
            std::fs::write(folder.path().join(name), b"x").expect("written");
        }
        let keys: Vec<String> = walk(folder.path()).expect("walked").into_iter().map(|(_, key, _)| key).collect();
        assert_eq!(keys, ["Pomme Été/a+b%.jpg", "z.jpg"]);
        let one = walk(&folder.path().join("z.jpg")).expect("walked");
        assert_eq!(one[0].1, "z.jpg");
    }
}
