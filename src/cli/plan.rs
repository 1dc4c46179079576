//! `plan`: desired against live. It changes nothing and takes no lease.

use std::sync::Arc;

use super::change::surveys;
use super::session::{self, Session, load, with_weights};
use super::{DONE, Ended, FAILED, Global, REFUSED, USAGE};
use crate::blueprint::blueprint;
use crate::cloud::surroundings::Surroundings;
use crate::plan::{Plan, plan};
use crate::policy::{self, Terms};
use crate::price;
use crate::resource::{Progress, Resource};
use crate::stack::Weights;
use crate::sync::Batch;
use crate::ui::Ui;
use crate::ui::plan::{Shown, json, text};

/// Show what `up` would do
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// End with 2 if there is anything to do, 1 on errors
    #[arg(long)]
    detailed_exitcode: bool,
    /// Compare with nothing: no credentials, no calls
    #[arg(long)]
    offline: bool,
    /// The account number to show in an offline plan
    #[arg(long, requires = "offline")]
    account: Option<String>,
    /// Weights for the jobs instead of the stack's: a .h5 file, imagenet, registry or untrained
    #[arg(long, value_name = "FILE")]
    weights: Option<Weights>,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let ended = if args.offline { offline(global, args).await } else { online(global, args).await };
    // With detailed exit codes, 2 says "there are changes" and nothing else.
    ended.map_err(|mut failure| {
        if args.detailed_exitcode && failure.exit == USAGE {
            failure.exit = FAILED;
        }
        failure
    })
}

async fn online(global: &Global, args: &Args) -> Ended {
    let mut session = Session::open(global, &args.stack, args.weights.as_ref()).await?;
    let world = session.observe().await?;
    while let Ok(Progress { address, message }) = session.progress.try_recv() {
        session.ui.warn(format!("{address}: {message}"));
    }
    let plan = plan(&session.desired(&world).await?, &world.live)?;
    let uploads = surveys(&session, &world).await?;
    let sending: usize = uploads.iter().map(|batch| batch.send).sum();
    let cost = price::estimate(&session.stack, session.prices(), session.stack.limits.lifetime.into());
    let cost = cost.with_uploads(sending as u64, session.prices(), session.stack.region);
    let refusals = policy::refusals(&plan, Terms::of(&session.stack, Some(&cost)));
    let end = super::end::words(&plan, &session.stack, None);
    let shown = Shown {
        end: end.as_deref(),
        uploads: &uploads,
        refusals: &refusals,
        cost: Some(&cost),
        contacts: session.contacts(),
        ..Shown::of(&session.stack, &world.around.account)
    };
    show(session.ui, &plan, &shown);
    let changes = !plan.is_empty() || uploads.iter().any(Batch::moves);
    Ok(code(args, changes, !refusals.is_empty()))
}

async fn offline(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    let mut stack = load(ui, &args.stack)?;
    with_weights(&mut stack, args.weights.as_ref());
    let account = args.account.as_deref().or(stack.account.as_deref());
    let subnet = stack.cluster.as_ref().and_then(|cluster| cluster.subnet.as_deref());
    let around = Surroundings::offline(stack.region, account, subnet);
    let materials = session::offline(ui, &args.stack, &stack, &around.account).await?;
    let plan = plan::<Arc<dyn Resource>>(&blueprint(&stack, &materials, &around), &[])?;
    let cost = price::estimate(&stack, &super::prices::table(ui), stack.limits.lifetime.into());
    let end = super::end::words(&plan, &stack, None);
    let shown = Shown { cost: Some(&cost), end: end.as_deref(), ..Shown::of(&stack, &around.account) };
    show(ui, &plan, &shown);
    Ok(code(args, !plan.is_empty(), false))
}

fn show<E: AsRef<dyn Resource>>(ui: Ui, plan: &Plan<E>, shown: &Shown) {
    if ui.json() {
        ui.data(&json(plan, shown));
    } else {
        ui.tell(text(plan, shown));
        if ui.verbose {
            ui.say(format!("hosts called: {}", shown.contacts.join(", ")));
        }
    }
}

fn code(args: &Args, changes: bool, refused: bool) -> u8 {
    match (refused, args.detailed_exitcode, changes) {
        (true, false, _) => REFUSED,
        (true, true, _) => FAILED,
        (false, true, true) => USAGE,
        _ => DONE,
    }
}
