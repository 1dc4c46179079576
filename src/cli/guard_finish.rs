//! What `down` does after a cluster's end, for stacks that the guard knows by their tags alone: the wait for that end,
//! the lease, security groups and the schedule. It touches no stack that has a cluster, or that somebody is at work on.

use futures::future::try_join_all;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::session;
use crate::cloud::clock::Clock;
use crate::cloud::error::{Class, CloudError};
use crate::cloud::{Cancel, Cloud, Stop};
use crate::engine;
use crate::event::{Event, Verb};
use crate::guard::report::Finished;
use crate::lease::{Holder, Lease, LeaseError, Terms};
use crate::plan::{self, Plan};
use crate::policy;
use crate::resource::{Cx, Live, OnDown, Phase};
use crate::resources::{self, KINDS, cluster, on_down};

/// A stack without a cluster, or with one that ends.
pub(super) struct Ended {
    pub(super) stack: String,
    pub(super) owner: String,
    pub(super) home: String,
    /// Clusters of its that were ended just now.
    pub(super) clusters: Vec<String>,
}

/// Why it was not finished.
pub(super) enum Unfinished {
    /// Nothing is wrong: the next sweep goes on.
    Later(String),
    Failed(String),
}

impl From<CloudError> for Unfinished {
    fn from(error: CloudError) -> Self {
        match error.class {
            Class::Interrupted => Self::Later("its end takes longer than this sweep may".into()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Finishes the end of a stack, on a cloud of its own: a lease is for all calls of one.
pub(super) async fn finish(
    cloud: Cloud,
    ended: &Ended,
    clock: &Clock,
    deadline: Instant,
    outer: Cancel,
) -> (Finished, Option<String>) {
    let (stop, cancel) = Cancel::pair();
    let alarm = tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => {}
                () = outer.wait() => {}
            }
            stop.ask();
        }
    });
    let cx = Cx::new(cloud, &ended.stack, &ended.owner, clock.clone(), cancel, unbounded_channel().0);
    let mut finished = Finished { stack: ended.stack.clone(), ..Finished::default() };
    let walked = walk(&cx, ended, stop, &mut finished.removed).await;
    alarm.abort();
    match walked {
        Ok(()) => (finished, None),
        Err(Unfinished::Later(why)) => (Finished { left: Some(why), ..finished }, None),
        Err(Unfinished::Failed(why)) => (finished, Some(why)),
    }
}

async fn walk(cx: &Cx, ended: &Ended, stop: Stop, removed: &mut Vec<String>) -> Result<(), Unfinished> {
    let live = cx.cancel.in_time(look(cx, ended)).await?;
    // The end of a cluster is waited for without the lease, as `down` does.
    apply(cx, plan::removal(&live, |address| on_down(address.kind) != OnDown::GoesAtOnce), removed).await?;
    let left = |live: &[Live]| live.iter().any(|live| on_down(live.resource.address().kind) == OnDown::Goes);
    if !left(&live) {
        return Ok(());
    }
    let me = Holder::me(&ended.owner, &format!("guard {}", ended.stack), cx.clock.now());
    let terms = Terms { patience: std::time::Duration::ZERO, heeds: true };
    let lease = match Lease::take(&cx.cloud, &ended.home, me, terms, (stop, &cx.cancel), |_| ()).await {
        Ok(lease) => Some(lease),
        Err(LeaseError::Held(holder)) => return Err(Unfinished::Later(format!("somebody is at work on it: {holder}"))),
        // Without a home there is no lease, and nobody who could hold it.
        Err(LeaseError::Cloud(error)) if error.class == Class::Absent => None,
        Err(LeaseError::Cloud(error)) => return Err(error.into()),
    };
    let work = async {
        if lease.is_some() {
            cluster::surfaced(cx).await?;
        }
        // What was there before the lease was held may be another's by now.
        let live = look(cx, ended).await?;
        apply(cx, plan::removal(&live, |address| on_down(address.kind) == OnDown::Stays), removed).await
    };
    let done = cx.cancel.in_time(work).await;
    if let Some(lease) = lease {
        // One that was asked to stop is waited for no longer than a call takes.
        let given = tokio::time::timeout(crate::cloud::ATTEMPT, lease.release()).await;
        if let Ok(Err(error)) = given {
            return done.and(Err(error.into()));
        }
    }
    done
}

/// Everything of the stack that `down` removes; refused if a cluster of it lives on.
async fn look(cx: &Cx, ended: &Ended) -> Result<Vec<Live>, Unfinished> {
    let kinds = KINDS.iter().filter(|kind| kind.on_down != OnDown::Stays);
    let lists = try_join_all(kinds.map(|kind| (kind.list)(cx))).await?;
    let live = resources::resolve(lists.into_iter().flatten().collect());
    let lives = |live: &&Live| {
        on_down(live.resource.address().kind) == OnDown::GoesAtOnce
            && matches!(live.resource.phase(), Phase::Starting | Phase::Standing)
            && !ended.clusters.contains(&live.id.0)
    };
    match live.iter().find(lives) {
        Some(live) => Err(Unfinished::Later(format!("{} ({}) lives", live.resource.address(), live.id))),
        None => Ok(live),
    }
}

async fn apply(cx: &Cx, plan: Plan<Live>, removed: &mut Vec<String>) -> Result<(), Unfinished> {
    let approved = policy::check(plan, cx.owner.as_str());
    let approved = approved.map_err(|refusals| Unfinished::Failed(session::refused(&refusals)))?;
    let (events, mut heard) = unbounded_channel();
    let outcome = engine::apply(&approved, cx, &events).await;
    while let Ok(event) = heard.try_recv() {
        if let Event::Finished { address, verb: Verb::Delete, .. } = event {
            removed.push(address.to_string());
        }
    }
    match (outcome.failed.is_empty(), outcome.interrupted) {
        (false, _) => Err(Unfinished::Failed(outcome.failed.join("; "))),
        (true, true) => Err(CloudError::interrupted().into()),
        (true, false) => Ok(()),
    }
}
