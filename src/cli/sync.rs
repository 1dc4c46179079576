//! `sync`: the declared uploads alone, without a look at the rest.

use super::change::{Aim, Consent, Request, change};
use super::session::Session;
use super::{Ended, Failure, Global};

/// Send the files of the stack's uploads: what is there already is not sent again
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// Take away what lies there and is no file here, after naming it
    #[arg(long)]
    delete: bool,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, None).await?;
    if session.stack.uploads.is_empty() {
        let hint = "declare them: `uploads: [{from: ../images, to: data/images/}]`";
        return Err(Failure::usage("this stack has no uploads").hint(hint));
    }
    change(session, Request::new(Aim::Sync { delete: args.delete }, &args.consent)).await
}
