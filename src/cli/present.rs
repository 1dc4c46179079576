//! `present`: the runbook of a demonstration, for the person who gives it. Written from the stack alone, without a
//! connection; it starts nothing.

use jiff::civil::Time;

use super::run::find_job;
use super::session::{folder, load};
use super::{DONE, Ended, Failure, Global};
use crate::python;
use crate::script::told::Lang;
use crate::stack::{Job, Stack};
use crate::talk::runbook::{Asked, runbook};
use crate::ui::{self, Output, markdown, width};

/// Write the runbook of a twenty-minute demonstration: what to type, show and say, and when
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fruitsinfra present demo                                   by minutes: T-40, T+0, ...
  fruitsinfra present demo --at 14:00                        by the clock, too
  fruitsinfra present demo --lang fr --output markdown       in French, to be printed")]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// The job that is shown; the first one made from a template, unless said
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// When the talk begins, in local time (14:00)
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// What it is written in
    #[arg(long, value_enum, default_value_t)]
    lang: Lang,
}

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    let begins = args.at.as_deref().map(time).transpose()?;
    let stack = load(ui, &args.stack)?;
    if stack.cluster.is_none() {
        let message = format!("stack `{}` has no cluster: there is nothing to run before a jury", stack.name);
        return Err(Failure::usage(message).hint("declare one under `cluster:`"));
    }
    let (key, job) = shown(&stack, args.job.as_deref())?;
    let name = shell_words::quote(&args.stack);
    let asked = Asked { name: &name, job: key, lang: args.lang, begins, local: global.local };
    let (folder, prices) = (folder(&args.stack), super::prices::table(ui));
    let book = runbook(&stack, job, folder.as_path().into(), &python::cache(), &prices, asked)
        .map_err(|error| Failure::usage(error.to_string()))?;
    match ui.output {
        Output::Json => ui.data(&book),
        Output::Markdown => ui.out(ui::talk::runbook(&book).trim_end()),
        _ => ui.out(markdown::render(&ui::talk::runbook(&book), width())),
    }
    Ok(DONE)
}

/// The job that is shown: the one that was named, else one whose script explains itself.
fn shown<'a>(stack: &'a Stack, wanted: Option<&str>) -> Result<(&'a str, &'a Job), Failure> {
    let key = match wanted {
        Some(key) => {
            find_job(stack, key)?;
            Some(key)
        }
        None => None,
    };
    let named = stack.jobs.iter().find(|(known, _)| Some(known.as_str()) == key);
    let first = || stack.jobs.iter().find(|(_, job)| job.features().is_some()).or_else(|| stack.jobs.iter().next());
    let found = named.or_else(first).map(|(key, job)| (key.as_str(), job));
    found.ok_or_else(|| {
        Failure::usage(format!("stack `{}` has no job to show", stack.name)).hint("declare one under `jobs:`")
    })
}

fn time(said: &str) -> Result<Time, Failure> {
    let time = said.parse().ok().filter(|_| said.len() <= 5);
    time.ok_or_else(|| {
        Failure::usage(format!("`{said}` is no time of day")).hint("write it as in 14:00, in local time")
    })
}
