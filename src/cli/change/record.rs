//! What a change tells the ledger, and what the ledger tells before it goes. A ledger that cannot be written is said
//! aloud and stops nothing.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use super::Request;
use crate::cli::Failure;
use crate::cli::session::{Session, World, moment};
use crate::ledger::{self, Deed, Entry};
use crate::plan::{Action, Plan, Step};
use crate::policy::Approved;
use crate::resource::{Live, Phase, Ref};
use crate::resources::cluster::Cluster;
use crate::resources::end;
use crate::{price, ui};

/// Writes down what was done.
pub(super) async fn tell(session: &Session, home: &str, entries: Vec<Entry>) {
    for entry in entries {
        if let Err(error) = ledger::append(&session.cx.cloud, home, &entry).await {
            session.ui.warn(format!("the ledger was not written: {error}"));
        }
    }
}

/// The limit that this plan passes, as it was shown.
pub(super) fn passed(session: &Session, request: Request<'_>, world: &World, approved: &Approved) -> Option<Entry> {
    let allowed = request.allowed.filter(|_| !approved.allowed().is_empty())?;
    let deed = Deed::Override { code: allowed.code.into(), because: allowed.because.clone() };
    Some(entry(session, request, deed, world.cluster().map(|live| live.id.0.clone())))
}

fn entry(session: &Session, request: Request<'_>, deed: Deed, cluster: Option<String>) -> Entry {
    let lasting = session.stack.limits.lifetime.into();
    let hourly = price::estimate(&session.stack, session.prices(), lasting).hourly.total;
    let by = format!("{} by {}", request.aim.word(), session.stack.owner);
    Entry { at: session.cx.clock.now(), deed, cluster, hourly, lived: None, by, hosts: session.contacts() }
}

/// What was done to the cluster and its end. What did not end well tells of a cluster that was asked for all the same.
pub(super) fn deeds(session: &Session, request: Request<'_>, plan: &Plan<Live>, complete: bool) -> Vec<Entry> {
    let (now, mut found) = (session.cx.clock.now(), Vec::new());
    let entry = |deed, cluster| entry(session, request, deed, cluster);
    let current = session.cx.id_of(&Ref::Ours(Cluster::at("main"))).ok();
    for Step { action, existing, .. } in plan.steps.iter().filter(|step| step.address == Cluster::at("main")) {
        if let (Action::Delete | Action::Replace(_), Some(live), true) = (action, existing, complete) {
            let lived = moment(live, "since").map(|since| session.cx.clock.since(since).as_secs_f64());
            found.push(Entry { lived, ..entry(Deed::Down, Some(live.id.0.clone())) });
        }
        let starting = existing.as_ref().is_some_and(|live| live.resource.phase() == Phase::Starting);
        let asked_for = matches!(action, Action::Create | Action::Replace(_)) || starting && !request.aim.ends();
        if asked_for && current.is_some() {
            let until = session.stack.until.unwrap_or(now + Duration::from(session.stack.limits.lifetime));
            found.push(entry(Deed::Up { until }, current.clone()));
        }
    }
    let moved = plan.steps.iter().filter(|step| step.address == end::address() && complete);
    let moved = moved.flat_map(|step| step.action.changes()).find(|change| change.field == "at");
    if let Some(until) = moved.and_then(|change| change.to.as_str()?.parse().ok()) {
        found.push(entry(Deed::Extend { until }, current));
    }
    found
}

/// Tells what the ledger holds before it goes with home, and keeps a copy where one is wanted.
pub(super) async fn part(session: &Session, home: &str, copy: Option<&Path>) -> Result<(), Failure> {
    let entries = ledger::read(&session.cx.cloud, home).await?;
    if let Some(path) = copy {
        let lines = entries.iter().map(|entry| serde_json::to_string(entry).map(|line| line + "\n"));
        let text: String = lines.collect::<Result<_, _>>().map_err(|e| Failure::failed(e.to_string()))?;
        let new = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
        new.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    }
    if !entries.is_empty() && !session.ui.json() {
        match ledger::lives(&session.cx.cloud, &entries, session.cx.clock.now()).await {
            Ok(lives) => session.ui.say(ui::ledger::sum(&lives)),
            Err(error) => session.ui.warn(format!("what the clusters cost cannot be told: {error}")),
        }
        if copy.is_none() {
            session.ui.say("the ledger goes with the stack; `--ledger FILE` keeps a copy");
        }
    }
    Ok(())
}
