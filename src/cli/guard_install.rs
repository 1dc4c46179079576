//! `guard install`: the files by which a machine, or a forge, sweeps on its own. It prints or writes them; it
//! enables nothing and calls nobody.

use std::path::PathBuf;

use super::{Ended, Failure, Global, render};
use crate::guard::install::{Form, InstallError, Sweep, files};
use crate::stack::Period;

/// Print or write the files that start a sweep at intervals
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags, as a person gives them")]
#[command(group = clap::ArgGroup::new("form").required(true))]
pub(super) struct Args {
    /// A oneshot service and its timer
    #[arg(long, group = "form")]
    systemd: bool,
    /// A line of a crontab
    #[arg(long, group = "form")]
    cron: bool,
    /// A scheduled workflow of GitHub, with a role by OIDC
    #[arg(long, group = "form")]
    github: bool,
    /// A job for a scheduled pipeline of GitLab, with a role by OIDC
    #[arg(long, group = "form")]
    gitlab: bool,
    /// A folder to write into; without it, stdout
    #[arg(long)]
    out: Option<PathBuf>,
    /// The time from one sweep to the next
    #[arg(long, default_value = "5m", value_name = "PERIOD")]
    every: Period,
    /// What a sweep may take; unsaid, four fifths of the interval, at most 4m
    #[arg(long, value_name = "PERIOD")]
    deadline: Option<Period>,
    /// End what the guard condemns; without it a sweep only tells
    #[arg(long)]
    kill: bool,
    /// End what is past its end without a sweep that warns first
    #[arg(long, requires = "kill")]
    hard: bool,
    /// A topic that is told
    #[arg(long, value_name = "ARN")]
    notify_topic: Option<String>,
    /// The profile whose credentials are used
    #[arg(long, conflicts_with_all = ["github", "gitlab"])]
    profile: Option<String>,
    /// Whose service it is; unsaid, a user of its own that systemd makes up
    #[arg(long, conflicts_with_all = ["cron", "github", "gitlab"])]
    user: Option<String>,
    /// A file of NAME=value lines: credentials, FRUITSINFRA_WEBHOOK
    #[arg(long, default_value = "/etc/fruitsinfra/guard.env", value_name = "FILE")]
    env_file: PathBuf,
    /// Where the program is on the machine that sweeps; unsaid, this one
    #[arg(long, conflicts_with_all = ["github", "gitlab"], value_name = "FILE")]
    binary: Option<PathBuf>,
}

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    let form = match args {
        Args { systemd: true, .. } => Form::Systemd,
        Args { cron: true, .. } => Form::Cron,
        Args { github: true, .. } => Form::Github,
        _ => Form::Gitlab,
    };
    let here = || std::env::current_exe().map_err(|e| Failure::failed(format!("where this program is: {e}")));
    let sweep = Sweep {
        binary: args.binary.clone().map_or_else(here, Ok)?,
        every: args.every,
        within: args.deadline,
        kill: args.kill,
        hard: args.hard,
        sns: args.notify_topic.clone(),
        profile: args.profile.clone(),
        user: args.user.clone(),
        environment: args.env_file.clone(),
    };
    render::deliver(global.ui(), args.out.as_deref(), &files(form, &sweep)?)
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        Self { hint: error.hint().map(Into::into), ..Self::usage(error.to_string()) }
    }
}
