//! `cost`: what a stack costs, without a connection.

use super::session::load;
use super::{DONE, Ended, Global};
use crate::{price, ui};

/// Show what a stack costs: an hour, its lifetime, if it is forgotten
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    let cost = price::estimate(&load(ui, &args.stack)?.stack);
    if ui.json() {
        ui.data(&cost);
    } else {
        ui.out(ui::cost::text(&cost));
    }
    Ok(DONE)
}
