//! `guard`: what is left running in the EU regions.

use super::{Ended, Global, guard_install};

/// Find clusters that nobody uses
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Install(guard_install::Args),
}

impl Args {
    /// Whether it writes files, and sweeps nothing.
    pub(super) fn installs(&self) -> bool {
        matches!(self.what, What::Install(_))
    }
}

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    match &args.what {
        What::Install(args) => guard_install::run(global, args),
    }
}
