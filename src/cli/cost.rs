//! `cost`: what a stack costs, without a connection; with `--actual`, what its clusters have cost.

use super::session::{Session, load};
use super::{DONE, Ended, Failure, Global};
use crate::blueprint;
use crate::cloud::error::CloudError;
use crate::{ledger, price, ui};

/// Show what a stack costs: an hour, its lifetime, if it is forgotten
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// What its clusters have cost so far, by the ledger and EMR
    #[arg(long)]
    actual: bool,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    if args.actual {
        return actual(global, args).await;
    }
    let ui = global.ui();
    let cost = price::estimate(&load(ui, &args.stack)?.stack);
    if ui.json() {
        ui.data(&cost);
    } else {
        ui.out(ui::cost::text(&cost));
    }
    Ok(DONE)
}

async fn actual(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, None).await?;
    let cloud = &session.cx.cloud;
    let home = blueprint::home_name(&session.stack, cloud.account().await?);
    let read = async {
        let entries = ledger::read(cloud, &home).await?;
        let lives = ledger::lives(cloud, &entries, session.cx.clock.now()).await?;
        Ok::<_, CloudError>((entries, lives))
    };
    let (entries, lives) = session.unless_stopped(async { read.await.map_err(Failure::from) }).await?;
    if session.ui.json() {
        let sum: Option<f64> = lives.iter().map(|life| life.spent).sum();
        session.ui.data(&serde_json::json!({"currency": "USD", "total": sum, "clusters": lives, "entries": entries}));
    } else {
        session.ui.out(ui::ledger::text(&lives));
    }
    Ok(DONE)
}
