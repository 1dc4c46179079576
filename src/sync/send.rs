//! Sending what a batch lacks, many files at a time, each read once and checked by S3 against its SHA-256; and taking
//! away what is asked to go. Whatever ends it, what was sent is known to the next.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::manifest::Sent;
use super::walk::{Local, modified};
use super::{Batch, hash};
use crate::cloud::Cloud;
use crate::cloud::error::CloudError;
use crate::cloud::objects::Content;
use crate::event::Event;
use crate::resource::Cx;

const AT_ONCE: usize = 32;

/// What is new in the manifest goes home after so many files: no more is ever looked at again.
const KEEP_EVERY: usize = 1_000;

/// What the manifest's last words may take after an interruption.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A larger file is read twice, once for its hash: so many of them at once would not fit.
const IN_MEMORY: u64 = 1 << 20;

/// Progress is told no more often.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Sends what is missing, and takes away what is to go.
pub async fn send(cx: &Cx, batch: Batch, events: &UnboundedSender<Event>) -> Result<(), CloudError> {
    let Batch { to, bucket, missing, mut manifest, extra, delete, .. } = batch;
    let (begun, mut told) = (Instant::now(), None::<Instant>);
    let (of, mut files, mut bytes) = (missing.len(), 0, 0);
    let (mut waiting, mut flying, mut broken) = (missing.into_iter(), JoinSet::new(), None);
    loop {
        while flying.len() < AT_ONCE && broken.is_none() && !cx.cancel.requested() {
            let Some(local) = waiting.next() else { break };
            flying.spawn(put(cx.cloud.clone(), bucket.clone(), local));
        }
        let sent = tokio::select! {
            biased;
            sent = flying.join_next() => sent,
            () = cx.cancel.overdue() => break,
        };
        let Some(sent) = sent else { break };
        match sent.unwrap_or_else(|error| Err(CloudError::bug(error.to_string()))) {
            Ok((key, sent)) => {
                (files, bytes) = (files + 1, bytes + sent.size);
                manifest.insert(key, sent);
                if files == of || told.is_none_or(|last| last.elapsed() >= TELL_EVERY) {
                    told = Some(Instant::now());
                    let seconds = begun.elapsed().as_secs_f64();
                    let _ = events.send(Event::Upload { to: to.clone(), files, of, bytes, seconds });
                }
                if manifest.unkept() >= KEEP_EVERY {
                    manifest.keep(cx).await?;
                }
            }
            // Those that are under way come to their end first.
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    if cx.cancel.requested() {
        // Without its line in the manifest a file is only looked at again.
        let _ = tokio::time::timeout(LAST_WORD, manifest.keep(cx)).await;
        return Err(CloudError::interrupted());
    }
    if let Some(error) = broken {
        manifest.keep(cx).await?;
        return Err(error);
    }
    manifest.fold(cx).await?;
    if delete && !extra.is_empty() {
        let objects = extra.len();
        cx.cloud.delete_objects(&bucket, extra.into_iter().map(|key| (key, None))).await?;
        let _ = events.send(Event::Removed { from: to, objects });
    }
    Ok(())
}

async fn put(cloud: Cloud, bucket: String, local: Local) -> Result<(String, Sent), CloudError> {
    let path = local.path.clone();
    let cannot = |why: String| CloudError::failed(format!("{} {why}", local.path.display()));
    let read = tokio::task::spawn_blocking(move || Contents::of(&path)).await;
    let read = read.map_err(|error| CloudError::bug(error.to_string()))?;
    let Contents { body, size, sha256, modified: before } =
        read.map_err(|error| cannot(format!("cannot be read: {error}")))?;
    let content = body.map_or_else(|| Content::File(&local.path, size), Content::Bytes);
    let etag = cloud.send_object(&bucket, &local.key, content, &sha256).await?;
    let after = tokio::fs::metadata(&local.path).await.map_err(|error| cannot(format!("cannot be read: {error}")))?;
    if after.len() != size || modified(&after) != before {
        return Err(cannot("changed while it was being sent".into()));
    }
    Ok((local.key, Sent { size, sha256: hex::encode(sha256), etag, modified: before }))
}

/// A file as it is now.
struct Contents {
    /// `None` of one that is read again when it is sent.
    body: Option<Vec<u8>>,
    size: u64,
    sha256: [u8; 32],
    modified: Option<u64>,
}

impl Contents {
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let told = file.metadata()?;
        let (size, modified) = (told.len(), modified(&told));
        if size > IN_MEMORY {
            return Ok(Self { body: None, size, sha256: hash::<Sha256>(file)?.into(), modified });
        }
        let mut body = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        file.read_to_end(&mut body)?;
        let (size, sha256) = (body.len() as u64, Sha256::digest(&body).into());
        Ok(Self { body: Some(body), size, sha256, modified })
    }
}
