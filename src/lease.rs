//! One writer a stack: an object in home that names who is at work. Taken by a conditional put, kept by a
//! heartbeat, taken over when its holder is dead. There is no unlock command, because none is needed.
//!
//! It counts real time, not the clock of the embedded AWS: it is about processes of real machines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};

use crate::cloud::Cloud;
use crate::cloud::error::{Class, CloudError};
use crate::cloud::objects::If;

const KEY: &str = "fruitsinfra/lease.json";
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A lease whose heartbeat has stopped for this long, as seen by the taker, is free.
const TERM: Duration = Duration::from_secs(45);

/// Who is at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub owner: String,
    pub command: String,
    pub since: Timestamp,
    pub host: String,
    /// Identifies a run of the machine: a process id means nothing beyond it.
    pub boot: String,
    pub pid: u32,
    /// When the process started, in the kernel's ticks since boot: process ids are used again.
    pub started: u64,
    /// Tells two leases of one process apart.
    pub nonce: String,
    /// Counts up, so that every heartbeat has another ETag.
    pub beat: u64,
}

impl Holder {
    pub fn me(owner: &str, command: &str, since: Timestamp) -> Self {
        let pid = std::process::id();
        Self {
            owner: owner.into(),
            command: command.into(),
            since,
            host: read("/proc/sys/kernel/hostname"),
            boot: read("/proc/sys/kernel/random/boot_id"),
            pid,
            started: started(pid).unwrap_or_default(),
            nonce: format!("{:016x}", fastrand::u64(..)),
            beat: 0,
        }
    }

    /// Whether its process is known to be dead, which only its own machine knows.
    fn is_dead(&self) -> bool {
        !self.boot.is_empty()
            && self.boot == read("/proc/sys/kernel/random/boot_id")
            && started(self.pid) != Some(self.started)
    }

    /// Whether its process is known to live.
    fn is_alive(&self) -> bool {
        !self.boot.is_empty()
            && self.boot == read("/proc/sys/kernel/random/boot_id")
            && started(self.pid) == Some(self.started)
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { owner, command, since, host, pid, .. } = self;
        write!(
            f,
            "{owner} runs `{command}` on {host} (process {pid}) since {}",
            since.strftime("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Field 22 of `/proc/<pid>/stat`; the command before it may hold spaces and parentheses. A zombie is dead.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if *fields.first()? == "Z" { None } else { fields.get(19)?.parse().ok() }
}

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("{0}")]
    Held(Box<Holder>),
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

/// Held while it lives; [`Lease::release`] gives it back.
#[derive(Debug)]
pub struct Lease {
    cloud: Cloud,
    bucket: String,
    etag: Arc<Mutex<String>>,
    heart: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Takes the lease in this bucket, waiting at most `patience` for a live holder. `lost` is told should
    /// another take it over.
    pub async fn take(
        cloud: &Cloud,
        bucket: &str,
        me: Holder,
        patience: Duration,
        lost: watch::Sender<bool>,
        say: impl Fn(String),
    ) -> Result<Self, LeaseError> {
        let begun = Instant::now();
        let mut seen: Option<(String, Instant)> = None;
        let etag = loop {
            if let Some(etag) = put(cloud, bucket, &me, If::Absent).await? {
                break etag;
            }
            let Some((holder, etag)) = current(cloud, bucket).await? else { continue };
            if holder.nonce == me.nonce {
                // Our own put, whose reply was lost.
                break etag;
            }
            if holder.is_dead() {
                say(format!("taking over: {holder}, and that process is dead"));
                match put(cloud, bucket, &me, If::Same(&etag)).await? {
                    Some(etag) => break etag,
                    None => continue,
                }
            }
            let since = match &seen {
                Some((same, since)) if *same == etag => *since,
                _ => {
                    seen = Some((etag.clone(), Instant::now()));
                    Instant::now()
                }
            };
            if since.elapsed() >= TERM {
                say(format!("taking over: {holder}, and gave no sign of life for {} s", TERM.as_secs()));
                match put(cloud, bucket, &me, If::Same(&etag)).await? {
                    Some(etag) => break etag,
                    None => continue,
                }
            }
            // A holder elsewhere may be dead: its heartbeat tells within the term.
            let wait_for = if holder.is_alive() { patience } else { patience.max(TERM + HEARTBEAT) };
            if begun.elapsed() >= wait_for {
                return Err(LeaseError::Held(Box::new(holder)));
            }
            say(format!("waiting: {holder}"));
            tokio::time::sleep(Duration::from_secs(2)).await;
        };
        let etag = Arc::new(Mutex::new(etag));
        let heart = tokio::spawn(beat(cloud.clone(), bucket.to_owned(), me, etag.clone(), lost));
        Ok(Self { cloud: cloud.clone(), bucket: bucket.to_owned(), etag, heart })
    }

    /// Gives it back; one that was taken over is not ours to give.
    pub async fn release(self) -> Result<(), CloudError> {
        // Never between a put and the note of its ETag.
        let etag = self.etag.lock().await;
        self.heart.abort();
        match self.cloud.delete_object(&self.bucket, KEY, If::Same(&etag)).await {
            Err(error) if error.class == Class::Precondition => Ok(()),
            other => other,
        }
    }
}

/// Puts the lease; `None` if the condition did not hold.
async fn put(cloud: &Cloud, bucket: &str, holder: &Holder, condition: If<'_>) -> Result<Option<String>, CloudError> {
    let body = serde_json::to_vec(holder).map_err(|e| CloudError::bug(e.to_string()))?;
    match cloud.put_object(bucket, KEY, body, condition, &BTreeMap::new()).await {
        Ok(etag) => Ok(Some(etag)),
        Err(error) if matches!(error.class, Class::Precondition | Class::Absent) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn current(cloud: &Cloud, bucket: &str) -> Result<Option<(Holder, String)>, CloudError> {
    let Some((body, etag)) = cloud.get_object(bucket, KEY).await? else { return Ok(None) };
    let holder = serde_json::from_slice(&body);
    let holder = holder.map_err(|e| CloudError::failed(format!("s3://{bucket}/{KEY} is no lease: {e}")))?;
    Ok(Some((holder, etag)))
}

async fn beat(cloud: Cloud, bucket: String, mut me: Holder, etag: Arc<Mutex<String>>, lost: watch::Sender<bool>) {
    let mut heard = Instant::now();
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let mut etag = etag.lock().await;
        me.beat += 1;
        match put(&cloud, &bucket, &me, If::Same(&etag)).await {
            Ok(Some(new)) => {
                *etag = new;
                heard = Instant::now();
            }
            // Our own put twice, or somebody else's.
            Ok(None) => match current(&cloud, &bucket).await {
                Ok(Some((holder, new))) if holder.nonce == me.nonce => *etag = new,
                Err(_) if heard.elapsed() < TERM => {}
                _ => {
                    lost.send_replace(true);
                    return;
                }
            },
            Err(_) if heard.elapsed() < TERM => {}
            Err(_) => {
                lost.send_replace(true);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_knows_the_living_from_the_dead() {
        let me = Holder::me("o", "up", Timestamp::UNIX_EPOCH);
        assert!(me.is_alive() && !me.is_dead());
        let reused = Holder { started: me.started + 1, ..me.clone() };
        assert!(reused.is_dead() && !reused.is_alive());
        let elsewhere = Holder { boot: "another machine".into(), ..me };
        assert!(!elsewhere.is_dead() && !elsewhere.is_alive());
    }
}
