//! `destroy`: removes everything that bears the stack's mark, data included.

use std::path::PathBuf;

use super::change::{Aim, Consent, Request, change};
use super::session::Session;
use super::{Ended, Global};

/// Remove everything of the stack, data included, and prove that nothing is left
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    #[command(flatten)]
    consent: Consent,
    /// Keep a copy of the ledger here: what was done, and what it cost
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, None).await?;
    let request = Request { ledger: args.ledger.as_deref(), ..Request::new(Aim::Destroy, &args.consent) };
    change(session, request).await
}
