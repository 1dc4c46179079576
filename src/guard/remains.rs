//! What stacks without a cluster left behind: security groups, a schedule, a home that is past its term. Found each
//! sweep by marks and names; what somebody is at work on is no leftover.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use serde::Serialize;

use super::facts::since;
use crate::cloud::Cloud;
use crate::cloud::error::{Class, CloudError};
use crate::cloud::mark::Mark;
use crate::lease;
use crate::residency::EuRegion;
use crate::resources::{end, home_name};
use crate::text::about;

/// A home that was made so long ago, of a stack without a cluster, may be forgotten: its buckets cost by the month.
const TERM: Duration = Duration::from_hours(30 * 24);

const AT_ONCE: usize = 6;

/// What bears a mark in a region, whatever its stack does.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Security groups by their id.
    pub groups: Vec<(String, Mark)>,
    /// Stacks that have a schedule, by its name.
    pub schedules: BTreeSet<String>,
    /// Homes past their term, with their stack, by their name.
    pub homes: Vec<(String, String, Duration)>,
}

/// Something of a stack that has no cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Leftover {
    pub region: EuRegion,
    pub stack: String,
    /// `security_group/core`, `schedule/end`, `bucket/home`.
    pub address: String,
    pub id: String,
    /// What a person can do, or why it is told.
    pub why: String,
    /// Whether a sweep that acts removes it.
    pub goes: bool,
    pub removed: bool,
    #[serde(skip)]
    pub owner: String,
    #[serde(skip)]
    pub home: String,
}

/// Reads everything marked in a region.
pub async fn find(cloud: &Cloud, now: Timestamp) -> Result<Found, CloudError> {
    let account = cloud.account().await?;
    let ending = home_name("", account);
    let of_schedules = end::name("");
    let (groups, schedules, homes) =
        futures::join!(cloud.marked_groups(), cloud.schedules(&of_schedules), cloud.homes(&ending));
    let stack = |name: String| name.strip_suffix(&of_schedules).map(str::to_owned);
    let old = homes?.into_iter().filter_map(|home| {
        let age = since(home.created?, now);
        (age > TERM).then_some((home.bucket, home.stack, age))
    });
    Ok(Found { groups: groups?, schedules: schedules?.into_iter().filter_map(stack).collect(), homes: old.collect() })
}

/// What of it is left over: its stack has no cluster among the `active`, and nobody is at work on it.
pub async fn left(cloud: &Cloud, found: &Found, active: &BTreeSet<String>) -> Result<Vec<Leftover>, CloudError> {
    let account = cloud.account().await?.to_owned();
    let ended = |stack: &str| !active.contains(stack);
    let leftover = |stack: &str, owner: &str, address: String, id: &str, why: &str, goes: bool| Leftover {
        region: cloud.region,
        home: home_name(stack, &account),
        why: why.to_owned(),
        removed: false,
        address,
        goes,
        stack: stack.into(),
        id: id.into(),
        owner: owner.into(),
    };
    let why = "its stack has no cluster";
    let mut all = Vec::new();
    for (id, mark) in found.groups.iter().filter(|(_, mark)| ended(&mark.stack)) {
        all.push(leftover(&mark.stack, &mark.owner, mark.address.clone(), id, why, true));
    }
    for stack in found.schedules.iter().filter(|stack| ended(stack)) {
        // One of that name without our mark is somebody else's.
        match end::read(cloud, stack).await {
            Ok(Some(found)) => {
                all.push(leftover(stack, &found.mark.owner, end::address().to_string(), &end::name(stack), why, true));
            }
            Err(error) if error.class != Class::Taken => return Err(error),
            _ => {}
        }
    }
    for (bucket, stack, age) in found.homes.iter().filter(|(_, stack, _)| ended(stack)) {
        if let Some(mark) = cloud.mark_of_bucket(bucket).await?.filter(|mark| mark.stack == *stack) {
            let why =
                format!("made {} ago, and {why}: `destroy` removes it with its data if nobody needs it", about(*age));
            all.push(leftover(stack, &mark.owner, mark.address, bucket, &why, false));
        }
    }
    let at_work = at_work(cloud, &all).await?;
    all.retain(|left| !at_work.get(&left.stack).copied().unwrap_or_default());
    all.sort();
    Ok(all)
}

/// The stacks that somebody is at work on: an `up` makes groups before its cluster.
async fn at_work(cloud: &Cloud, all: &[Leftover]) -> Result<BTreeMap<String, bool>, CloudError> {
    let homes: BTreeMap<&str, &str> =
        all.iter().filter(|left| left.goes).map(|left| (left.stack.as_str(), left.home.as_str())).collect();
    let ask = async |(stack, home): (&str, &str)| Ok((stack.to_owned(), lease::holder(cloud, home).await?.is_some()));
    let asked: Vec<Result<_, CloudError>> =
        futures::stream::iter(homes.into_iter().map(ask)).buffer_unordered(AT_ONCE).collect().await;
    asked.into_iter().collect()
}
