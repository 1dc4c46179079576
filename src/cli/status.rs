//! `status`: what is there, since when, until when.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::end::local_words;
use super::session::{Session, moment};
use super::{DONE, Ended, Global};
use crate::resource::{Live, Phase};
use crate::text::lasting;
use crate::ui::table::table;
use crate::ui::{BOLD, DIM};
use crate::{price, ui};

/// Show what is there of the stack
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, None).await?;
    let world = session.observe().await?;
    let there: Vec<&Live> =
        world.live.iter().filter(|live| !matches!(live.resource.phase(), Phase::Ended(_))).collect();
    let cluster = world.any_cluster();
    // Without a cluster, nothing costs by the hour.
    let cost =
        world.cluster().map(|live| price::estimate(&session.stack, session.prices(), session.life(Some(live), None)));
    let ui = session.ui;
    if ui.json() {
        let resources: Vec<Value> = there
            .iter()
            .map(|live| json!({"address": live.resource.address(), "id": live.id, "name": live.resource.name()}))
            .collect();
        ui.data(&json!({
            "stack": session.stack.name,
            "region": session.stack.region,
            "resources": resources,
            "cluster": world.cluster().map(|live| live.resource.facts()),
            "history": cluster.filter(|_| world.cluster().is_none()).map(|live| live.resource.facts()),
            "cost": cost,
            "contacts": session.contacts(),
        }));
        return Ok(DONE);
    }
    let region = session.stack.region;
    ui.tell(format!(
        "{BOLD}{}{BOLD:#} in {region} ({}), account {}\n",
        session.stack.name,
        region.place(),
        world.around.account
    ));
    if there.is_empty() {
        ui.tell("Nothing is there.");
    } else {
        ui.tell(table(
            &["address", "id"],
            there.iter().map(|live| vec![live.resource.address().to_string(), live.id.to_string()]),
        ));
    }
    if let Some(live) = cluster {
        ui.tell(format!("\n{}", about(&session, live)));
    }
    if let Some(cost) = &cost {
        ui.tell(ui::cost::lines(cost));
    }
    if ui.verbose {
        ui.say(format!("{DIM}hosts called: {}{DIM:#}", session.contacts().join(", ")));
    }
    Ok(DONE)
}

/// One line about the cluster's life.
fn about(session: &Session, live: &Live) -> String {
    if let Phase::Ended(how) = live.resource.phase() {
        return format!("The last cluster, {}, ended {how}; `up` makes a new one.", live.id);
    }
    let facts = live.resource.facts();
    let text = |key: &str| facts[key].as_str().unwrap_or_default().to_owned();
    let since = moment(live, "since").map(|at| lasting(session.cx.clock.since(at)));
    let age = since.map_or_else(String::new, |age| format!(", asked for {age} ago"));
    let primary = facts["primary"].as_str().map_or_else(String::new, |dns| format!("\nprimary: {dns}"));
    let idle = format!("\nEMR ends it after {} without work.", session.stack.idle());
    let end = moment(live, "expires").map_or_else(String::new, |at| countdown(session, at));
    format!("Cluster {} is {}{age}.{end}{idle}{primary}", live.id, text("state"))
}

/// How long it still has.
fn countdown(session: &Session, at: Timestamp) -> String {
    let (now, when) = (session.cx.clock.now(), local_words(at, &TimeZone::system()));
    match Duration::try_from(at.duration_since(now)) {
        Ok(left) if !left.is_zero() => format!("\nIt ends in {}, on {when}.", lasting(left)),
        _ => format!("\nIt was to end on {when}: `{}` ends it.", session.command("down")),
    }
}
