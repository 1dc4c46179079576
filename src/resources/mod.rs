//! The kinds. A new one is a file here and two lines below; above this room a kind's type is named by the blueprint, and by
//! the few that fill or find our objects. Kinds never import one another.

mod acting;
pub mod bucket;
pub mod cluster;
pub mod end;
mod endpoint;
pub mod instance_profile;
pub mod object;
pub mod once;
pub mod role;
pub mod schedule;
pub mod security_group;

use std::time::Duration;

use futures::future::join_all;

use crate::cloud::error::{Class, CloudError};
use crate::resource::{Address, Cx, Kind, Known, Live, OnDown};

/// Every kind there is, in the order a person expects to read them.
pub const KINDS: &[Kind] = &[
    bucket::KIND,
    object::KIND,
    role::KIND,
    instance_profile::KIND,
    security_group::KIND,
    cluster::KIND,
    schedule::KIND,
];

/// The key of the bucket that every stack has for its own things: lease, intents, our files.
pub const HOME: &str = "home";

/// The lease in home: who is at work.
pub const LEASE: &str = "fruitsinfra/lease.json";

/// Made first and deleted last, whatever else a stack holds.
pub fn home() -> Address {
    Address::new("bucket", HOME)
}

/// Everything that bears the stack's mark, all kinds at once, references resolved.
pub async fn list_all(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    let lists = join_all(KINDS.iter().map(|kind| (kind.list)(cx))).await;
    // A refusal is the cause of whatever else failed: a home in another region answers no other listing.
    if let Some(refused) = lists.iter().find_map(|list| list.as_ref().err().filter(|e| e.class == Class::Refused)) {
        return Err(refused.clone());
    }
    let lists: Vec<_> = lists.into_iter().collect::<Result<_, _>>()?;
    let mut live: Vec<Live> = lists.into_iter().flatten().collect();
    // What is ours by its place in home is ours while home is.
    if !live.iter().any(|live| live.resource.address() == home()) {
        live.retain(|live| !KINDS.iter().any(|kind| kind.in_home && kind.name == live.resource.address().kind));
    }
    Ok(resolve(live))
}

/// Turns ids of ours into addresses. Pure.
pub fn resolve(live: Vec<Live>) -> Vec<Live> {
    let known = Known::of(&live);
    live.into_iter()
        .map(|live| match live.resource.resolved(&known) {
            Some(resource) => Live { resource, ..live },
            None => live,
        })
        .collect()
}

/// The name of a stack's home.
pub fn home_name(stack: &str, account: &str) -> String {
    format!("{stack}-{HOME}-{account}")
}

/// The path that IAM's listings are narrowed by: a stack is found without reading the account.
pub fn role_path(stack: &str) -> String {
    format!("/fruitsinfra/{stack}/")
}

/// What `down` does with resources of this kind.
pub fn on_down(kind: &str) -> OnDown {
    KINDS.iter().find(|k| k.name == kind).map_or(OnDown::Stays, |k| k.on_down)
}

/// Times a call is made at least before one gives up waiting for AWS.
const LEAST: u32 = 10;

/// Repeats a call while AWS catches up with itself or something still holds on: bounded, visible, and
/// interruptible. Any other failure ends it at once.
pub(crate) async fn patiently<T, F>(
    cx: &Cx,
    address: &Address,
    at_most: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, CloudError>
where
    F: Future<Output = Result<T, CloudError>>,
{
    let begun = cx.clock.now();
    let mut pause = Duration::from_millis(500);
    for asked in 1.. {
        match attempt().await {
            Err(error) if matches!(error.class, Class::NotYet | Class::InUse) => {
                // A machine that stood still has waited for nothing: it asks a few times all the same.
                if asked >= LEAST && cx.clock.since(begun) >= at_most {
                    return Err(error);
                }
                cx.say(address, format!("waiting: {}", error.message));
                wait(cx, pause).await?;
                pause = (pause * 2).min(Duration::from_secs(8));
            }
            other => return other,
        }
    }
    Err(CloudError::bug("an endless loop ended"))
}

/// Sleeps, unless a person interrupts.
pub(crate) async fn wait(cx: &Cx, long: Duration) -> Result<(), CloudError> {
    tokio::select! {
        () = cx.clock.sleep(long) => Ok(()),
        () = cx.cancel.wait() => Err(CloudError::interrupted()),
    }
}
