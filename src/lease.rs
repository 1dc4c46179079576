//! One writer a stack: an object in home that names who is at work. Taken by a conditional put, kept by a
//! heartbeat, taken over when its holder is dead. There is no unlock command, because none is needed.
//!
//! It counts real time, sleep included, not the clock of the embedded AWS: it is about processes of real
//! machines. It never ends what costs: that needs no lease, and asks its holder to stop.

mod holder;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

pub use holder::Holder;

use crate::cloud::clock::since_boot;
use crate::cloud::error::{Class, CloudError};
use crate::cloud::objects::If;
use crate::cloud::permit::Permit;
use crate::cloud::{ATTEMPT, Cancel, Cloud, Stop};
use crate::resources::LEASE;

/// Where a holder is asked to stop.
const CALL: &str = "fruitsinfra/stop.json";

const HEARTBEAT: Duration = Duration::from_secs(5);
/// A heartbeat that takes longer is tried again.
const BEAT: Duration = Duration::from_secs(5);
/// A lease whose heartbeat has stopped for this long, as seen by the taker, is free.
const TERM: Duration = Duration::from_secs(50);
/// For this long after a heartbeat was sent, a call may start: it ends before the term does.
const SURE: Duration = TERM.saturating_sub(ATTEMPT).saturating_sub(Duration::from_secs(2));
/// How often a taker looks who is at work.
const LOOK: Duration = Duration::from_secs(2);
/// A holder that was asked to stop hears it with its next heartbeat, and ends its calls.
const HEED: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("{0}")]
    Held(Box<Holder>),
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

/// Why a holder had to stop before its end.
#[derive(Clone, Debug)]
pub enum Ended {
    /// This one ends the stack's cluster.
    Asked(Box<Holder>),
    /// Another took it over, or its heartbeat did not come through.
    Lost(Option<Box<Holder>>),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Asked(by) => write!(f, "stopped: {by}"),
            Self::Lost(Some(to)) => write!(f, "the lease was taken over: {to}"),
            Self::Lost(None) => write!(f, "the lease could not be kept: its heartbeat found no answer"),
        }
    }
}

/// How a lease is taken.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long a living holder is waited for.
    pub patience: Duration,
    /// Whether it stops for whoever ends the stack's cluster.
    pub heeds: bool,
}

impl Terms {
    /// How long one that was asked to stop is waited for.
    #[must_use]
    pub fn after_call(self) -> Self {
        Self { patience: self.patience.max(HEED), ..self }
    }
}

/// Held while it lives; [`Lease::release`] gives it back.
#[derive(Debug)]
pub struct Lease {
    held: Arc<Held>,
    heart: JoinHandle<()>,
}

#[derive(Debug)]
struct Held {
    cloud: Cloud,
    bucket: String,
    me: Holder,
    permit: Permit,
    /// ETag of the lease as it was put last.
    etag: tokio::sync::Mutex<String>,
    /// The call to stop that was there before.
    stale: Option<String>,
    heeds: bool,
    ended: Mutex<Option<Ended>>,
}

/// What a taker has seen of somebody else's lease.
struct Seen {
    etag: String,
    at: Duration,
    beats: usize,
}

impl Lease {
    /// Takes the lease in this bucket. `stop` is asked should it be lost, or should its holder be asked to.
    pub async fn take(
        cloud: &Cloud,
        bucket: &str,
        me: Holder,
        terms: Terms,
        (stop, cancel): (Stop, &Cancel),
        say: impl Fn(String),
    ) -> Result<Self, LeaseError> {
        let begun = since_boot();
        let (mut seen, mut told) = (None::<Seen>, String::new());
        let mut tell = |words: String| {
            if told != words {
                say(words.clone());
                told = words;
            }
        };
        let (etag, from) = loop {
            let now = since_boot();
            if let Some(etag) = put(cloud, bucket, &me, If::Absent).await? {
                break (etag, now);
            }
            // None: it was given back in between.
            if let Some((holder, etag)) = current(cloud, bucket).await? {
                if holder.nonce == me.nonce {
                    // Our own put, whose reply was lost.
                    break (etag, now);
                }
                let this = match seen.take() {
                    Some(before) if before.etag == etag => before,
                    before => Seen { etag: etag.clone(), at: now, beats: before.map_or(0, |before| before.beats + 1) },
                };
                let silent = now.saturating_sub(this.at);
                if let Some(why) = is_gone(&holder, silent) {
                    say(format!("taking over: {holder}, and {why}"));
                    if let Some(etag) = put(cloud, bucket, &me, If::Same(&etag)).await? {
                        break (etag, now);
                    }
                } else if holder.is_alive() || this.beats > 0 {
                    // One elsewhere shows by its heartbeat that it lives.
                    if now.saturating_sub(begun) >= terms.patience {
                        return Err(LeaseError::Held(Box::new(holder)));
                    }
                    tell(format!("waiting: {holder}"));
                } else {
                    tell(format!("waiting for a sign of life, {} s at most: {holder}", TERM.as_secs()));
                }
                seen = Some(this);
            }
            tokio::select! {
                () = tokio::time::sleep(if seen.is_some() { LOOK } else { LOOK / 10 }) => {}
                () = cancel.wait() => return Err(CloudError::interrupted().into()),
            }
        };
        let stale = cloud.get_object(bucket, CALL).await?.map(|(_, etag)| etag);
        let (permit, etag, ended) = (cloud.permit.clone(), tokio::sync::Mutex::new(etag), Mutex::new(None));
        permit.set(Some(from + SURE));
        let (cloud, bucket, heeds) = (cloud.clone(), bucket.to_owned(), terms.heeds);
        let held = Arc::new(Held { cloud, bucket, me, permit, etag, stale, heeds, ended });
        let heart = tokio::spawn(beat(held.clone(), from, stop));
        Ok(Self { held, heart })
    }

    /// Why its holder had to stop, if it had to; asks once more, since a heartbeat may be about to hear of it.
    pub async fn ended(&self) -> Option<Ended> {
        let known = || self.held.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known().is_none() && self.held.heeds {
            // What cannot be asked now is told by what failed.
            if let Ok(Ok(Some(holder))) = tokio::time::timeout(BEAT, self.held.called()).await {
                return Some(Ended::Asked(Box::new(holder)));
            }
        }
        known()
    }

    /// Stops its heart, lest it brings back what is being removed: from now on it lasts for its term at most.
    pub fn rest(&self) {
        self.heart.abort();
    }

    /// Gives it back; one that was taken over is not ours to give.
    pub async fn release(self) -> Result<(), CloudError> {
        // Never between a put and the note of its ETag.
        let etag = self.held.etag.lock().await;
        self.heart.abort();
        let gone = self.held.cloud.delete_object(&self.held.bucket, LEASE, If::Same(&etag)).await;
        self.held.permit.set(None);
        match gone {
            Err(error) if error.class == Class::Precondition => Ok(()),
            other => other,
        }
    }
}

impl Held {
    /// Who asks the holder to stop, if anybody does.
    async fn called(&self) -> Result<Option<Holder>, CloudError> {
        let call = self.cloud.get_object(&self.bucket, CALL).await?;
        let call = call.filter(|(_, etag)| Some(etag) != self.stale.as_ref());
        Ok(call.map(|(body, _)| Holder::read(&body)))
    }

    fn end(&self, why: Ended, stop: &Stop) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        stop.ask();
    }

    /// Puts the lease again; false if it is another's.
    async fn renew(&self, me: &Holder) -> Result<Result<(), Option<Holder>>, CloudError> {
        let mut etag = self.etag.lock().await;
        if let Some(new) = put(&self.cloud, &self.bucket, me, If::Same(&etag)).await? {
            *etag = new;
            return Ok(Ok(()));
        }
        // Our own put twice, or somebody else's.
        match current(&self.cloud, &self.bucket).await? {
            Some((holder, new)) if holder.nonce == me.nonce => {
                *etag = new;
                Ok(Ok(()))
            }
            other => Ok(Err(other.map(|(holder, _)| holder))),
        }
    }
}

/// Why a lease is free though it was not given back, if it is.
fn is_gone(holder: &Holder, silent: Duration) -> Option<String> {
    if holder.is_dead() {
        return Some("that process is dead".into());
    }
    (silent >= TERM).then(|| format!("gave no sign of life for {} s", TERM.as_secs()))
}

/// Keeps the lease, and hears who asks to stop.
async fn beat(held: Arc<Held>, mut heard: Duration, stop: Stop) {
    let mut me = held.me.clone();
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        me.beat += 1;
        let sent = since_boot();
        match tokio::time::timeout(BEAT, held.renew(&me)).await {
            Ok(Ok(Ok(()))) => {
                heard = sent;
                held.permit.set(Some(sent + SURE));
            }
            Ok(Ok(Err(other))) => return held.end(Ended::Lost(other.map(Box::new)), &stop),
            // No answer: the permit lapses before the lease does, and then nothing can be done any more.
            _ if sent.saturating_sub(heard) >= TERM => return held.end(Ended::Lost(None), &stop),
            _ => {}
        }
        if held.heeds
            && let Ok(Ok(Some(by))) = tokio::time::timeout(BEAT, held.called()).await
        {
            held.end(Ended::Asked(Box::new(by)), &stop);
        }
    }
}

/// Who is at work, as far as is known.
pub async fn holder(cloud: &Cloud, bucket: &str) -> Result<Option<Holder>, CloudError> {
    let found = current(cloud, bucket).await?;
    Ok(found.map(|(holder, _)| holder).filter(|holder| !holder.is_dead()))
}

/// Asks whoever holds the lease to stop; false if nobody does.
pub async fn call_to_stop(cloud: &Cloud, bucket: &str, me: &Holder) -> Result<bool, CloudError> {
    let held = holder(cloud, bucket).await?.is_some();
    if held {
        let body = serde_json::to_vec(me).map_err(|e| CloudError::bug(e.to_string()))?;
        cloud.put_object(bucket, CALL, body, If::Always, &BTreeMap::new()).await?;
    }
    Ok(held)
}

/// Takes the call back.
pub async fn end_call(cloud: &Cloud, bucket: &str) -> Result<(), CloudError> {
    cloud.delete_object(bucket, CALL, If::Always).await
}

/// Puts the lease; `None` if the condition did not hold.
async fn put(cloud: &Cloud, bucket: &str, holder: &Holder, condition: If<'_>) -> Result<Option<String>, CloudError> {
    let body = serde_json::to_vec(holder).map_err(|e| CloudError::bug(e.to_string()))?;
    match cloud.put_object(bucket, LEASE, body, condition, &BTreeMap::new()).await {
        Ok(etag) => Ok(Some(etag)),
        Err(error) if error.class == Class::Precondition => Ok(None),
        // A put-if-same of what is gone; without its bucket there is nothing to wait for.
        Err(error) if error.code.as_deref() == Some("NoSuchKey") => Ok(None),
        Err(error) => Err(error),
    }
}

async fn current(cloud: &Cloud, bucket: &str) -> Result<Option<(Holder, String)>, CloudError> {
    let found = cloud.get_object(bucket, LEASE).await?;
    Ok(found.map(|(body, etag)| (Holder::read(&body), etag)))
}
