//! `destroy`: removes everything that bears the stack's mark, data included.

use super::change::{Aim, Consent, change};
use super::session::Session;
use super::{Ended, Global};

/// Remove everything of the stack, data included, and prove that nothing is left
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, None).await?;
    change(session, Aim::Destroy, &args.consent).await
}
