//! `extend`: moves the end of the cluster that runs, within the limit.

use super::change::{Aim, Allow, Consent, Request, change};
use super::session::Session;
use super::{Ended, Global};
use crate::stack::Period;

/// Move the end of the cluster, within `limits.lifetime`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// How much later it ends (1h)
    by: Period,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    allow: Allow,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let allowed = args.allow.allowance()?;
    let session = Session::open(global, &args.stack, None).await?;
    let request = Request { allowed: allowed.as_ref(), ..Request::new(Aim::Extend(args.by), &args.consent) };
    change(session, request).await
}
