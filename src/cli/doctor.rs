//! `doctor`: what `up` would stumble over, before money is spent. It changes nothing.

use super::session::{Session, examine};
use super::{DONE, Ended, FAILED, Global};
use crate::doctor;
use crate::stack;
use crate::ui::doctor::{json, passes, text};

/// Look for what `up` would stumble over: credentials, quotas, names, offers, routes
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends 1 if something has to be mended, or may not be asked.")]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// Only what can be told without credentials: no calls
    #[arg(long)]
    offline: bool,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    let (stack, findings) = examine(ui, &args.stack)?;
    let prices = super::prices::table(ui);
    let mut lines = doctor::alone(&stack, findings, stack::today(), &prices);
    if !args.offline {
        let session = Session::of(global, &args.stack, stack.clone()).await?;
        let asked = doctor::asked(&session.cx, &stack, &prices, session.local);
        lines.extend(session.unless_stopped(async { Ok(asked.await) }).await?);
    }
    if ui.json() {
        ui.data(&json(&stack.title(), stack.region.as_str(), &lines));
    } else {
        let title = format!("{} in {} ({})", stack.title(), stack.region, stack.region.place());
        ui.tell(text(&title, &lines));
    }
    Ok(if passes(&lines) { DONE } else { FAILED })
}
