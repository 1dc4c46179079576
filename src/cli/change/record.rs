//! What a change tells the ledger, and what the ledger tells before it goes. A ledger that cannot be written is said
//! aloud and stops nothing.

use std::path::Path;

use jiff::Timestamp;

use super::{Aim, Request};
use crate::cli::Failure;
use crate::cli::session::{Session, World};
use crate::ledger::{self, Deed, Entry};
use crate::plan::{Action, Plan, Step};
use crate::policy;
use crate::resource::{Live, Ref};
use crate::resources::cluster::Cluster;
use crate::resources::end;
use crate::ui;

/// Writes down what was done.
pub(super) async fn tell(session: &Session, home: &str, request: Request<'_>, world: &World, plan: &Plan<Live>) {
    if request.aim == Aim::Destroy || request.aim.ends() && world.home().is_none() {
        return;
    }
    for entry in entries(session, request, world, plan) {
        if let Err(error) = ledger::append(&session.cx.cloud, home, &entry).await {
            session.ui.warn(format!("the ledger was not written: {error}"));
        }
    }
}

fn entries(session: &Session, request: Request<'_>, world: &World, plan: &Plan<Live>) -> Vec<Entry> {
    let (now, mut found) = (session.cx.clock.now(), Vec::new());
    let cost = request.aim.cost(session);
    let lasting = session.stack.limits.lifetime.into();
    let hourly = crate::price::estimate(&session.stack, &session.prices, lasting).hourly.total;
    let entry = |deed, cluster: Option<String>, lived| {
        let by = format!("{} by {}", request.aim.word(), session.stack.owner);
        Entry { at: now, deed, cluster, hourly, lived, by }
    };
    let current = session.cx.id_of(&Ref::Ours(Cluster::at("main"))).ok();
    let terms = request.aim.terms(session, world, cost.as_ref(), request.allowed);
    if let (Some(allowed), Ok(terms)) = (request.allowed, terms)
        && !policy::waived(plan, terms).is_empty()
    {
        let deed = Deed::Override { code: allowed.code.into(), because: allowed.because.clone() };
        found.push(entry(deed, current.clone(), None));
    }
    let clusters = plan.steps.iter().filter(|step| step.address == Cluster::at("main"));
    for Step { action, existing, .. } in clusters {
        if let (Action::Delete | Action::Replace(_), Some(live)) = (action, existing) {
            let since: Option<Timestamp> = live.resource.facts()["since"].as_str().and_then(|at| at.parse().ok());
            let lived = since.map(|since| session.cx.clock.since(since).as_secs_f64());
            found.push(entry(Deed::Down, Some(live.id.0.clone()), lived));
        }
        if matches!(action, Action::Create | Action::Replace(_)) {
            let until = session.stack.until.unwrap_or(now + std::time::Duration::from(session.stack.limits.lifetime));
            found.push(entry(Deed::Up { until }, current.clone(), None));
        }
    }
    let moved = plan.steps.iter().filter(|step| step.address == end::address());
    let moved = moved.flat_map(|step| step.action.changes()).find(|change| change.field == "at");
    if let Some(until) = moved.and_then(|change| change.to.as_str()?.parse().ok()) {
        found.push(entry(Deed::Extend { until }, current, None));
    }
    found
}

/// Tells what the ledger holds before it goes with home, and keeps a copy where one is wanted.
pub(super) async fn part(session: &Session, home: &str, copy: Option<&Path>) -> Result<(), Failure> {
    let entries = ledger::read(&session.cx.cloud, home).await?;
    if let Some(path) = copy {
        let lines = entries.iter().map(|entry| serde_json::to_string(entry).map(|line| line + "\n"));
        let text: String = lines.collect::<Result<_, _>>().map_err(|e| Failure::failed(e.to_string()))?;
        std::fs::write(path, text).map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
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
