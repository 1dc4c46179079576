//! Doing a thing once whose call takes no token (RunJobFlow, AddJobFlowSteps): an intent with a nonce is in
//! home before the call, and the nonce in what the call makes. After an unknown outcome, or the death of
//! whoever asked, we look; only when it would have to be there and is not do we ask again.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{home_name, wait};
use crate::cloud::error::{Class, CloudError};
use crate::cloud::objects::If;
use crate::resource::{Address, Cx, Id};

const INTENTS: &str = "fruitsinfra/intents/";

/// EMR lists what was asked for within seconds; this long we look before we believe that it is not there.
const LOOK: Duration = Duration::from_mins(2);

/// IAM's fresh roles and profiles reach EMR within this.
const PROPAGATION: Duration = Duration::from_mins(2);

/// Times it is asked for again after an unknown outcome that left nothing behind.
const TRIES: usize = 3;

#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    nonce: String,
    at: Timestamp,
}

/// A thing that must be made at most once, by a call that cannot be told so.
#[async_trait]
pub trait Once: Send + Sync {
    /// What progress is told about.
    fn about(&self) -> Address;

    /// Names the intent; one at a time.
    fn intent(&self) -> String;

    /// Finds what was made with this nonce, unless it has ended.
    async fn look(&self, cx: &Cx, nonce: &str, asked: Timestamp) -> Result<Option<Id>, CloudError>;

    /// Makes the call, which must not be retried below.
    async fn ask(&self, cx: &Cx, nonce: &str) -> Result<Id, CloudError>;
}

/// What was made, and the intent that it was made with.
#[derive(Debug)]
pub struct Asked {
    pub id: Id,
    /// An interrupted call had made it already.
    pub before: bool,
    home: String,
    key: String,
    etag: String,
}

impl Asked {
    /// Forgets the intent: what was made is known for good. Another's intent since then is left alone.
    pub async fn forget(self, cx: &Cx) -> Result<(), CloudError> {
        match cx.cloud.delete_object(&self.home, &self.key, If::Same(&self.etag)).await {
            Err(error) if error.class == Class::Precondition => Ok(()),
            other => other,
        }
    }
}

/// Makes it, or takes over what an interrupted call made. Its intent stays until it is forgotten: a listing
/// may lag behind.
pub async fn once(cx: &Cx, thing: &dyn Once) -> Result<Asked, CloudError> {
    if let Some(asked) = left(cx, thing).await? {
        return Ok(asked);
    }
    let (home, key) = place(cx, thing).await?;
    let begun = cx.clock.now();
    let mut tries = 0;
    loop {
        // A call that hung may have outlived a person's patience: nothing new starts.
        if cx.cancel.requested() {
            return Err(CloudError::interrupted());
        }
        let intent = Intent { nonce: format!("{:016x}", fastrand::u64(..)), at: cx.clock.now() };
        let body = serde_json::to_vec(&intent).map_err(|e| CloudError::bug(e.to_string()))?;
        let etag = cx.cloud.put_object(&home, &key, body, If::Always, &BTreeMap::new()).await?;
        let asked = |id| Asked { id, before: false, home: home.clone(), key: key.clone(), etag: etag.clone() };
        let error = match thing.ask(cx, &intent.nonce).await {
            Ok(id) => return Ok(asked(id)),
            Err(error) => error,
        };
        match error.class {
            Class::NotYet if cx.clock.since(begun) < PROPAGATION => {
                cx.say(&thing.about(), format!("waiting for IAM: {}", error.message));
                wait(cx, Duration::from_secs(5)).await?;
            }
            // Even a throttled call has been seen to do its work (aws-sdk-ruby#825).
            Class::Unknown | Class::Throttled => {
                cx.say(&thing.about(), format!("{}; looking whether it was done", error.message));
                if let Some(id) = search(cx, thing, &intent).await? {
                    return Ok(asked(id));
                }
                tries += 1;
                if tries == TRIES {
                    return Err(error);
                }
            }
            _ => {
                cx.cloud.delete_object(&home, &key, If::Always).await?;
                return Err(error);
            }
        }
    }
}

/// What an interrupted call made, if one did.
pub async fn left(cx: &Cx, thing: &dyn Once) -> Result<Option<Asked>, CloudError> {
    let (home, key) = place(cx, thing).await?;
    let Some((body, etag)) = cx.cloud.get_object(&home, &key).await? else { return Ok(None) };
    // One that cannot be read is nobody's: ours are put whole.
    let Ok(intent) = serde_json::from_slice::<Intent>(&body) else { return Ok(None) };
    let found = search(cx, thing, &intent).await?;
    Ok(found.map(|id| Asked { id, before: true, home, key, etag }))
}

/// Waits until whatever the intents of this kind asked for could be seen, lest a removal overlooks it.
pub(super) async fn surfaced(
    cx: &Cx,
    kind: &str,
    look: impl AsyncFn(&str, Timestamp) -> Result<Option<Id>, CloudError>,
) -> Result<(), CloudError> {
    let home = home_of(cx).await?;
    for listed in cx.cloud.list_objects(&home, &format!("{INTENTS}{kind}-")).await?.unwrap_or_default() {
        let Some((body, _)) = cx.cloud.get_object(&home, &listed.key).await? else { continue };
        let Ok(intent) = serde_json::from_slice::<Intent>(&body) else { continue };
        while cx.clock.since(intent.at) < LOOK && look(&intent.nonce, intent.at).await?.is_none() {
            cx.say(&super::home(), "waiting for what an interrupted call may have asked for");
            wait(cx, Duration::from_secs(5)).await?;
        }
    }
    Ok(())
}

pub(super) async fn home_of(cx: &Cx) -> Result<String, CloudError> {
    Ok(home_name(&cx.stack, cx.cloud.account().await?))
}

/// Home, and the intent's key in it.
async fn place(cx: &Cx, thing: &dyn Once) -> Result<(String, String), CloudError> {
    Ok((home_of(cx).await?, format!("{INTENTS}{}.json", thing.intent())))
}

/// Looks for what an intent asked for until it would have to be listed.
async fn search(cx: &Cx, thing: &dyn Once, intent: &Intent) -> Result<Option<Id>, CloudError> {
    loop {
        if let Some(id) = thing.look(cx, &intent.nonce, intent.at).await? {
            return Ok(Some(id));
        }
        if cx.clock.since(intent.at) >= LOOK {
            return Ok(None);
        }
        cx.say(&thing.about(), "looking for what an interrupted call may have made");
        wait(cx, Duration::from_secs(5)).await?;
    }
}
