//! `diff`: the review of a change to stacks, between files, folders or git revisions. Offline: it asks neither AWS nor an
//! index, and changes nothing, the work tree least of all.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::session::find;
use super::{DONE, Ended, FAILED, Failure, Global, REFUSED, USAGE, render};
use crate::review::install::{Forge, files};
use crate::review::{Alarm, At, Nowhere, Report, Repository, RevisionError, Side, Terms, choose};
use crate::stack::{self, Disk, profile};
use crate::ui::{self, Output, Ui};

/// Review a change: two stacks, two folders of them, or two git revisions
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fruitsinfra diff                                 HEAD against the work tree
  fruitsinfra diff main...HEAD                     what this branch changes
  fruitsinfra diff HEAD~1 -- stacks/demo.yaml      one stack, against the work tree
  fruitsinfra diff --staged                        HEAD against the index
  fruitsinfra diff old.yaml new.yaml               two files
  fruitsinfra --output markdown diff main...HEAD   a comment for a pull request")]
pub(super) struct Args {
    /// A file, a folder or a revision; one alone is compared with the work tree
    #[arg(value_name = "OLD NEW", num_args = 0..=2)]
    sides: Vec<String>,
    /// Compare with the index instead of the work tree
    #[arg(long, visible_alias = "cached")]
    staged: bool,
    /// Stacks, or folders of them, that are compared; without, all in stacks/
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The account number to write where the stacks say none
    #[arg(long)]
    account: Option<String>,
    /// End with 2 if anything changes, 1 on errors
    #[arg(long)]
    detailed_exitcode: bool,
    /// End with 3 if the report holds any of these, parted by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    fail_on: Vec<Alarm>,
    /// Instead, print the workflow by which a forge reviews each request
    #[arg(long, value_enum, value_name = "FORGE", conflicts_with_all = ["sides", "staged", "paths", "fail_on"])]
    install: Option<Forge>,
    /// With --install, a folder to write into; without it, stdout
    #[arg(long, requires = "install", value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    if let Some(forge) = args.install {
        if ui.output != Output::Text {
            return Err(Failure::usage("a workflow has no other form than text"));
        }
        let files = files(forge).map_err(|error| Failure::failed(error.to_string()))?;
        return render::deliver(ui, args.out.as_deref(), &files);
    }
    let compared = sides(args).map(|(from, to)| {
        let prices = super::prices::table(ui);
        Report::of(&from, &to, Terms { prices: &prices, today: stack::today(), account: args.account.as_deref() })
    });
    let detailed = |mut failure: Failure| {
        // With detailed exit codes, 2 says "there are changes" and nothing else.
        if args.detailed_exitcode && failure.exit == USAGE {
            failure.exit = FAILED;
        }
        failure
    };
    let report = compared.map_err(detailed)?;
    show(ui, &report)?;
    let code = code(ui, args, &report);
    // Hundreds of stacks are given back by all cores, as they were read.
    report.stacks.into_par_iter().for_each(drop);
    Ok(code)
}

fn show(ui: Ui, report: &Report) -> Result<(), Failure> {
    match ui.output {
        Output::Json => ui.data(&ui::review::json::json(report)),
        Output::Markdown => ui.out(ui::review::markdown::markdown(report).trim_end()),
        Output::Html => {
            let page = ui::review::html::html(report).map_err(|error| Failure::failed(error.to_string()))?;
            ui.out(page.trim_end());
        }
        _ => ui.out(ui::review::text(report, ui::width())),
    }
    Ok(())
}

fn code(ui: Ui, args: &Args, report: &Report) -> u8 {
    if report.stacks.iter().any(|review| review.broken() || review.errors > 0) {
        return if args.detailed_exitcode { FAILED } else { USAGE };
    }
    let mut held: Vec<&str> = Vec::new();
    for alarm in &args.fail_on {
        if report.stacks.iter().any(|review| review.alarms().contains(alarm)) {
            held.push(alarm.word());
        }
    }
    if !held.is_empty() {
        ui.say(format!("stopped by --fail-on: {}", held.join(", ")));
        return REFUSED;
    }
    if args.detailed_exitcode && report.changes() { USAGE } else { DONE }
}

/// What is compared with what.
fn sides(args: &Args) -> Result<(Side, Side), Failure> {
    let words: Vec<&str> = args.sides.iter().map(String::as_str).collect();
    let paths_alone = args.paths.is_empty() && !args.staged;
    match words[..] {
        [old, new] if paths_alone => match (on_disk(old), on_disk(new)) {
            (Some(old), Some(new)) => on_disk_both(&old, &new),
            // As `git diff HEAD path`.
            (None, Some(path)) => revisions(&[old], args, &[path]),
            (Some(path), None) if looks_like_a_path(old) => {
                let message = format!("`{}` is there, and `{new}` is no file and no folder", path.display());
                Err(Failure::usage(message).hint("a file is compared between revisions by `diff OLD NEW -- PATH`"))
            }
            _ => revisions(&[old, new], args, &[]),
        },
        [one] if paths_alone => match on_disk(one) {
            Some(path) => revisions(&[], args, &[path]),
            None => revisions(&[one], args, &[]),
        },
        _ => revisions(&words, args, &[]),
    }
}

fn missing(word: &str) -> Failure {
    Failure::usage(format!("`{word}` is no file, no folder and no revision"))
}

fn looks_like_a_path(word: &str) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
        || word.ends_with('/')
}

/// The path behind a word, if there is something; also that of a bare name in `stacks/`. A bare repository holds a file
/// called HEAD, which nobody means.
fn on_disk(word: &str) -> Option<PathBuf> {
    let path = find(word);
    let (file, _) = profile::split(&Disk::default(), &path);
    (!word.is_empty() && word != "HEAD" && file.exists()).then_some(path)
}

fn on_disk_both(old: &Path, new: &Path) -> Result<(Side, Side), Failure> {
    let side = |path: &Path| {
        let side = Side::new(&path.display().to_string(), None, Box::new(Disk::default()));
        if path.is_dir() { side.with_folder(path) } else { side.with_stack(path) }
    };
    if old.is_dir() != new.is_dir() {
        let (folder, file) = if old.is_dir() { (old, new) } else { (new, old) };
        let message = format!("`{}` is a folder and `{}` is a file", folder.display(), file.display());
        return Err(Failure::usage(message).hint("compare two files, or two folders"));
    }
    let (from, to) = (side(old), side(new));
    if from.stacks.is_empty() && to.stacks.is_empty() {
        return Err(Failure::usage(format!("there is no stack in `{}` or `{}`", old.display(), new.display()))
            .hint("a folder's stacks are the .yaml and .yml files directly in it"));
    }
    Ok((from, to))
}

fn revisions(words: &[&str], args: &Args, more: &[PathBuf]) -> Result<(Side, Side), Failure> {
    let repository = Repository::around(Path::new(".")).map_err(|error| match words {
        // Whoever typed a file's name is not thinking of git.
        [.., word] if matches!(error, RevisionError::NoRepository(_)) => {
            let word = words.iter().find(|word| on_disk(word).is_none()).unwrap_or(word);
            missing(word).hint("this folder is in no git repository: name two files or two folders")
        }
        _ => error.into(),
    })?;
    let new = if args.staged { At::Index } else { At::WorkTree };
    let commit = |word: &str| match repository.commit(word) {
        Err(RevisionError::Unknown { .. }) if looks_like_a_path(word) => Err(missing(word).hint("check the path")),
        found => Ok(found?),
    };
    let (from, to) = match words {
        [] => (repository.commit("HEAD")?, new),
        [range] if !args.staged && is_range(range) => repository.range(range)?,
        [one] => (commit(one)?, new),
        [old, new] if !args.staged => (commit(old)?, commit(new)?),
        _ => return Err(Failure::usage("`--staged` compares one revision with the index").hint("leave NEW out")),
    };
    let side = |at: &At| Ok::<_, Failure>(Side::new(at.label(), at.commit(), repository.files(at)?));
    let (mut from, mut to) = (side(&from)?, side(&to)?);
    let paths: Vec<PathBuf> = args.paths.iter().chain(more).map(|path| repository.inside(path)).collect();
    choose(&mut from, &mut to, repository.here(), &paths)?;
    if from.stacks.is_empty() && to.stacks.is_empty() {
        return Err(Failure::usage(format!("there is no stack in {} or in {}", from.label, to.label))
            .hint("stacks are looked for in `stacks/`, else at the root: name others after `--`"));
    }
    Ok((from, to))
}

fn is_range(word: &str) -> bool {
    word.contains("..") && !word.starts_with("../")
}

impl From<RevisionError> for Failure {
    fn from(error: RevisionError) -> Self {
        Self { hint: error.hint(), ..Self::usage(error.to_string()) }
    }
}

impl From<Nowhere> for Failure {
    fn from(error: Nowhere) -> Self {
        Self::usage(error.to_string()).hint("paths after `--` are files or folders of this repository")
    }
}
