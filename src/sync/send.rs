//! Sending what a batch lacks, many files at a time, each read once and checked by S3 against its SHA-256; and taking
//! away what is asked to go. Whatever ends it, what was sent is known to the next.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::local::{At, Local, modified};
use super::manifest::Sent;
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
    let large = Arc::new(Semaphore::new(1));
    loop {
        while flying.len() < AT_ONCE && broken.is_none() && !cx.cancel.requested() {
            let Some(local) = waiting.next() else { break };
            flying.spawn(put(cx.cloud.clone(), bucket.clone(), local, large.clone()));
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
    // What is taken away was no longer sent: whoever asks for what was, as `results` does, must not be told of it.
    if delete {
        manifest.forget(&extra);
    }
    manifest.fold(cx).await?;
    if delete && !extra.is_empty() {
        let objects = extra.len();
        cx.cloud.delete_objects(&bucket, extra.into_iter().map(|key| (key, None))).await?;
        let _ = events.send(Event::Removed { from: to, objects });
    }
    Ok(())
}

async fn put(cloud: Cloud, bucket: String, local: Local, large: Arc<Semaphore>) -> Result<(String, Sent), CloudError> {
    // The large of a zip take turns: they cannot be read twice, and so many at once would not fit.
    let _turn = match &local.at {
        At::Zip(..) if local.size > IN_MEMORY => large.acquire_owned().await.ok(),
        _ => None,
    };
    let read = tokio::task::spawn_blocking(move || Contents::of(&local).map(|contents| (local, contents))).await;
    let (local, contents) = read.map_err(|error| CloudError::bug(error.to_string()))??;
    let Contents { body, size, sha256, of: before } = contents;
    let content = body.map_or_else(|| Content::File(local.file(), size), Content::Bytes);
    let etag = cloud.send_object(&bucket, &local.key, content, &sha256).await?;
    let after = tokio::fs::metadata(local.file()).await.map_err(|error| local.unreadable(&error))?;
    if (after.len(), modified(&after)) != before {
        return Err(local.cannot("changed while it was being sent"));
    }
    let (packed, modified) = (local.packed(), before.1);
    Ok((local.key, Sent { size, sha256: hex::encode(sha256), etag, modified, packed }))
}

/// A file as it is now.
struct Contents {
    /// `None` of one that is read again when it is sent.
    body: Option<Vec<u8>>,
    size: u64,
    sha256: [u8; 32],
    /// Size and time of the file of the disk that it is, or is in.
    of: (u64, Option<u64>),
}

impl Contents {
    fn of(local: &Local) -> Result<Self, CloudError> {
        let unreadable = |error: io::Error| local.unreadable(&error);
        match &local.at {
            At::Disk(path) => Self::of_file(path).map_err(unreadable),
            At::Zip(zip, _) => {
                // Nothing larger is chosen, whatever is in it: reading ends where the size ends that was told.
                let body = read(local.open()?, local.size).map_err(unreadable)?;
                Ok(Self::whole(body, (zip.size, zip.modified)))
            }
        }
    }

    fn of_file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let told = file.metadata()?;
        let of = (told.len(), modified(&told));
        if told.len() > IN_MEMORY {
            return Ok(Self { body: None, size: told.len(), sha256: hash::<Sha256>(file)?.into(), of });
        }
        Ok(Self::whole(read(file, told.len())?, of))
    }

    fn whole(body: Vec<u8>, of: (u64, Option<u64>)) -> Self {
        let (size, sha256) = (body.len() as u64, Sha256::digest(&body).into());
        Self { body: Some(body), size, sha256, of }
    }
}

fn read(mut from: impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    from.read_to_end(&mut body)?;
    Ok(body)
}
