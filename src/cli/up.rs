//! `up`: creates, changes, uploads, and waits until it can be used.

use jiff::tz::TimeZone;

use super::change::{Aim, Allow, Consent, Request, change};
use super::end::End;
use super::session::Session;
use super::{Ended, Global};
use crate::stack::Weights;

/// Create or change what the stack declares, and upload its files
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    #[command(flatten)]
    end: End,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    allow: Allow,
    /// Weights for the jobs instead of the stack's: a .h5 file, imagenet, registry or untrained
    #[arg(long, value_name = "FILE")]
    weights: Option<Weights>,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let allowed = args.allow.allowance()?;
    let mut session = Session::open(global, &args.stack, args.weights.as_ref()).await?;
    session.stack.until = args.end.at(session.cx.clock.now(), &TimeZone::system())?;
    let request = Request { allowed: allowed.as_ref(), ..Request::new(Aim::Up, &args.consent) };
    change(session, request).await
}
