//! `logs`: logs of steps and of bootstrap actions, out of S3.

use super::session::Session;
use super::{DONE, Ended, Failure, Global};
use crate::cloud::logs::split;
use crate::job::{self, logs};
use crate::ui::{BOLD, DIM};

/// Print the logs of a job's last step, or list and print those of bootstrap and steps
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// The job whose last step is meant; without it, all that is there
    job: Option<String>,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, None).await?;
    let (cx, ui) = (&session.cx, session.ui);
    let world = session.observe().await?;
    let cluster = world.any_cluster();
    let cluster = cluster.ok_or_else(|| {
        Failure::failed(format!("stack `{}` has had no cluster in the last week", session.stack.name))
    })?;
    let facts = cluster.resource.facts();
    let log_uri = facts["logs"].as_str();
    let log_uri = log_uri.ok_or_else(|| {
        Failure::failed(format!("{} writes no logs", cluster.id))
            .hint("declare a bucket `logs`, and EMR writes them there")
    })?;
    let below = match &args.job {
        None => String::new(),
        Some(name) => {
            super::run::find_job(&session.stack, name)?;
            let step = job::steps(cx, &cluster.id, name).await?.into_iter().next();
            let step =
                step.ok_or_else(|| Failure::failed(format!("{} has run no step of job `{name}`", cluster.id)))?;
            format!("steps/{}/", step.id)
        }
    };
    let found = logs::list(cx, log_uri, &cluster.id, &below).await?;
    let wanted: Vec<_> =
        found.iter().filter(|log| log.key.contains("/steps/") || log.key.contains("/bootstrap-actions/")).collect();
    if wanted.is_empty() {
        return Err(Failure::failed(format!("no log has reached {log_uri}{}/{below} yet", cluster.id))
            .hint("EMR writes them every few minutes, and some only after the end"));
    }
    let bucket = split(log_uri).map(|(bucket, _)| bucket).unwrap_or_default();
    for listed in wanted {
        if let Some(log) = logs::read(cx, bucket, &listed.key).await? {
            ui.out(format!("{BOLD}{}{BOLD:#}", log.url));
            ui.out(if log.text.trim().is_empty() {
                format!("{DIM}(empty){DIM:#}")
            } else {
                log.text.trim_end().to_owned()
            });
            ui.out("");
        }
    }
    Ok(DONE)
}
