//! `cost`: what a stack costs, without a connection; with `--actual`, what its clusters have cost.

use super::session::{Session, load};
use super::{DONE, Ended, Failure, Global};
use crate::blueprint;
use crate::cloud::error::CloudError;
use crate::{job, ledger, price, ui};

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
    let stack = load(ui, &args.stack)?;
    let table = super::prices::table(ui);
    let cost = price::estimate(&stack, &table, stack.limits.lifetime.into());
    let alternatives = price::alternatives(&stack, &table);
    let fits = stack.cluster.as_ref().and_then(job::executor).map(|executor| executor.to_string());
    if ui.json() {
        let mut told = serde_json::to_value(&cost).map_err(|e| Failure::failed(e.to_string()))?;
        told["alternatives"] = serde_json::json!(alternatives);
        ui.data(&told);
    } else {
        ui.tell(ui::cost::text(&cost, fits.as_deref(), &alternatives));
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
        session.ui.tell(ui::ledger::text(&lives));
    }
    Ok(DONE)
}
