//! `validate`: everything that is wrong with stacks and their scripts, without a connection; and mends of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;

use super::session::find;
use super::{DONE, Ended, Failure, Global, USAGE};
use crate::check::{self, Checked};
use crate::stack::{self, Finding, Severity, Source, fix};
use crate::ui::{DIM, GREEN, Output, Ui, codes, github, sarif, snippet, width};

/// Check stacks and their scripts: form, residency, releases and types, access, storage, packages, money
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Stacks' files, or bare names of those in stacks/
    #[arg(required = true)]
    stacks: Vec<String>,
    /// From which severity on the exit code is 2
    #[arg(long, value_enum, default_value = "error")]
    fail_on: FailOn,
    /// Make those mends that are safe, in the files
    #[arg(long)]
    fix: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Warning,
    Error,
}

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    let prices = super::prices::table(ui);
    let check = |path: &PathBuf| together(check::file_with_profiles(path, stack::today(), Some(&prices)));
    let paths: Vec<PathBuf> = args.stacks.iter().map(|name| find(name)).collect();
    if args.fix {
        for path in &paths {
            mend(ui, || check(path))?;
        }
    }
    let checked: Vec<Checked> = paths.par_iter().map(check).collect();
    match ui.output {
        Output::Text => paths.iter().zip(&checked).for_each(|(path, checked)| {
            ui.out(text(&path.display().to_string(), checked));
        }),
        Output::Github => checked.iter().flat_map(github::annotations).for_each(|line| ui.out(line)),
        Output::Sarif => ui.data(&sarif::log(&checked)),
        _ => ui.data(&json(&checked, args.fail_on)),
    }
    Ok(if passes(&checked, args.fail_on) { DONE } else { USAGE })
}

/// A stack with what is found in its profiles alone, which is said to be so. A waiver is of use where one of them needs it.
fn together((mut whole, profiles): (Checked, BTreeMap<String, Checked>)) -> Checked {
    if profiles.is_empty() {
        return whole;
    }
    let there =
        |one: &Finding, other: &Finding| (one.code, &one.file, &one.span) == (other.code, &other.file, &other.span);
    let same = |one: &Finding, other: &Finding| there(one, other) && one.message == other.message;
    let everywhere =
        |finding: &Finding| profiles.values().all(|of| of.findings.iter().any(|other| there(finding, other)));
    whole.findings.retain(|finding| finding.code != USELESS || everywhere(finding));
    let known = whole.findings.clone();
    for (name, alone) in profiles {
        let new = |finding: &Finding| finding.code != USELESS && !known.iter().any(|other| same(finding, other));
        whole.findings.extend(
            alone.findings.into_iter().filter(new).map(|finding| Finding {
                message: format!("{} (in the profile `{name}`)", finding.message),
                ..finding
            }),
        );
        for waived in alone.waived {
            if !whole.waived.contains(&waived) {
                whole.waived.push(waived);
            }
        }
        for source in alone.sources {
            if !whole.sources.contains(&source) {
                whole.sources.push(source);
            }
        }
    }
    whole
}

/// A waiver that hides nothing, or no longer.
const USELESS: &str = "FI140";

fn passes(checked: &[Checked], fail_on: FailOn) -> bool {
    let least = if fail_on == FailOn::Warning { Severity::Warning } else { Severity::Error };
    !checked.iter().flat_map(|checked| &checked.findings).any(|finding| finding.severity >= least)
}

fn json(checked: &[Checked], fail_on: FailOn) -> serde_json::Value {
    let findings: Vec<_> = checked.iter().flat_map(|checked| &checked.findings).collect();
    let waived: Vec<_> = checked.iter().flat_map(|checked| &checked.waived).collect();
    serde_json::json!({"ok": passes(checked, fail_on), "findings": findings, "waived": waived})
}

fn text(path: &str, checked: &Checked) -> String {
    let waived = match checked.waived.len() {
        0 => String::new(),
        count => format!("  {DIM}{count} waived{DIM:#}"),
    };
    if checked.findings.is_empty() {
        return format!("{GREEN}ok{GREEN:#}  {path}{waived}");
    }
    let style = snippet::Style { width: width(), ..snippet::Style::default() };
    let shown = snippet::render(&checked.findings, &checked.sources, style);
    let mends = checked.findings.iter().filter(|finding| finding.fix.is_some()).count();
    let mends = match mends {
        0 => String::new(),
        count => format!(", {count} that `validate --fix` mends"),
    };
    let more = codes::more(&checked.findings).map_or_else(String::new, |more| format!("\n{more}"));
    format!("{shown}\n{path}: {}{mends}{waived}{more}", snippet::summary(&checked.findings))
}

/// A mend may show what stood behind it: but not for ever.
const ROUNDS: usize = 5;

/// Makes all safe mends of a stack and its scripts, and tells each.
fn mend(ui: Ui, check: impl Fn() -> Checked) -> Result<(), Failure> {
    for _ in 0..ROUNDS {
        let Checked { sources, findings, .. } = check();
        let mut made = 0;
        for source in &sources {
            let (text, fixed) = fix::apply(source, &findings);
            if fixed.is_empty() {
                continue;
            }
            // What was shown may have been masked or rendered: only a file that holds the same is written.
            let on_disk = std::fs::read_to_string(&source.file);
            if on_disk.is_ok_and(|on_disk| on_disk == source.text) {
                write(source, &text)?;
                made += fixed.len();
                for finding in fixed {
                    let at = format!("{}:{}:{}", finding.file, finding.line, finding.column);
                    ui.say(format!("{GREEN}   mended{GREEN:#} {at}  {}  {}", finding.code, finding.message));
                }
            }
        }
        if made == 0 {
            break;
        }
    }
    Ok(())
}

/// Writes a file beside it and puts it in its place: a kill leaves the old or the new.
fn write(source: &Source, text: &str) -> Result<(), Failure> {
    let path = std::fs::canonicalize(&source.file);
    let written = path.and_then(|path| {
        let beside = path.with_extension("mended");
        std::fs::write(&beside, text)?;
        std::fs::set_permissions(&beside, std::fs::metadata(&path)?.permissions())?;
        std::fs::rename(&beside, &path)
    });
    written.map_err(|error| Failure::failed(format!("{} cannot be written: {error}", source.file)))
}
