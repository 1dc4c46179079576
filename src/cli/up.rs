//! `up`: creates, changes, uploads, and waits until it can be used.

use super::change::{Aim, Consent, change};
use super::session::Session;
use super::{Ended, Global};
use crate::stack::Weights;

/// Create or change what the stack declares, and upload its files
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    #[command(flatten)]
    consent: Consent,
    /// Weights for the jobs instead of the stack's: a .h5 file, imagenet, registry or untrained
    #[arg(long, value_name = "FILE")]
    weights: Option<Weights>,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, args.weights.as_ref()).await?;
    change(session, Aim::Up, &args.consent).await
}
