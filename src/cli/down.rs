//! `down`: removes what costs by the hour, and waits for its end.

use super::change::{Aim, Consent, Request, change};
use super::session::Session;
use super::{Ended, Global};

/// Remove the cluster and its security groups; keep buckets, data and roles
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, None).await?;
    change(session, Request::new(Aim::Down, &args.consent)).await
}
