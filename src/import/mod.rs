//! What others wrote of a cluster (RunJobFlow's JSON, a command, Terraform, mrjob's configuration), as the text of a
//! stack; and a stack's request as a command. Each format is read into one shape, RunJobFlow's, which is read in one
//! place. Pure: text in, text out. It adopts nothing, and what it cannot say it tells.

mod command;
mod fleets;
mod groups;
mod json;
mod mrjob;
mod notes;
mod places;
mod request;
mod settings;
mod shorthand;
mod terraform;
mod text;
mod tree;
mod written;

use std::fmt;

use crate::residency::EuRegion;
use crate::stack::finding::{Finding, Lines, Problem};
use crate::stack::node::{Node, Value};
use crate::stack::{self, Broken, Source};

use notes::{Notes, Sort, Wrong};
use request::Hindered;
pub use written::as_command;

/// What a source is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RunJobFlow's request, the console's export, or what `describe-cluster` tells.
    Json,
    /// `aws emr create-cluster ...`
    Cli,
    /// A file with an `aws_emr_cluster`.
    Terraform,
    /// `runners: {emr: ...}`
    Mrjob,
}

impl Format {
    /// What a text is written in, by what it holds.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let start = text.trim_start_matches('\u{feff}').trim_start();
        if start.starts_with(['{', '[']) {
            return Some(Self::Json);
        }
        [("aws_emr_cluster", Self::Terraform), ("create-cluster", Self::Cli), ("runners:", Self::Mrjob)]
            .into_iter()
            .find_map(|(word, format)| text.contains(word).then_some(format))
    }

    /// How a file of this format ends: the secrets of a text are known by its language.
    fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Cli => "sh",
            Self::Terraform => "tf",
            Self::Mrjob => "yaml",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON of a cluster",
            Self::Cli => "a command of the AWS CLI",
            Self::Terraform => "Terraform",
            Self::Mrjob => "a configuration of mrjob",
        })
    }
}

/// What the source does not say, or is to be said otherwise.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    pub stack: Option<String>,
    pub owner: Option<String>,
    pub region: Option<EuRegion>,
    /// 12 digits.
    pub account: Option<String>,
}

/// The script of a bootstrap action.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The action's name.
    pub name: &'a str,
    /// The name of the script's file.
    pub base: &'a str,
}

/// What is at hand beside the source.
pub struct Beside<'a> {
    /// The path by which the stack names a script.
    pub script: &'a dyn Fn(&Wanted<'_>) -> Option<String>,
    /// The text of a file that a command names (`file://`), by its path.
    pub file: &'a dyn Fn(&str) -> Option<String>,
}

/// A stack's text, and all that is to be told of it.
#[derive(Debug)]
pub struct Imported {
    /// The stack's name.
    pub name: String,
    pub text: String,
    pub format: Format,
    /// In the order in which the text lists them.
    pub findings: Vec<Finding>,
    pub source: Source,
}

/// Why there is none.
#[derive(Debug)]
pub enum Refused {
    /// The source cannot be read, or is nothing that could become a stack.
    Broken(Broken),
    /// It leads where nothing of ours goes: outside the EU, to another service.
    Policy(Broken),
}

/// No description of a cluster is longer.
const LONGEST: usize = 1 << 20;

/// Reads a source and writes a stack.
pub fn import(
    file: &str,
    text: &str,
    format: Option<Format>,
    wishes: &Wishes,
    beside: &Beside<'_>,
) -> Result<Imported, Refused> {
    let source = |text: &str| Source { file: file.to_owned(), text: text.to_owned() };
    let broken = |problems: Vec<Problem>| {
        let lines = Lines::of(text);
        let findings = problems.into_iter().map(|problem| problem.found_in(file, &lines)).collect();
        Broken { sources: vec![source(text)], findings }
    };
    let hinders = |wrong: Wrong| Refused::Broken(broken(vec![wrong.into_problem()]));
    if text.len() > LONGEST {
        return Err(hinders(Wrong::new(
            0..0,
            format!("the source is longer than {} MiB", LONGEST >> 20),
            "give the description of one cluster",
        )));
    }
    let Some(format) = format.or_else(|| Format::of(text)) else {
        let hint = "give RunJobFlow's JSON, `aws emr create-cluster ...`, Terraform's aws_emr_cluster or mrjob's `runners: emr:`, or say which with --from";
        return Err(hinders(Wrong::new(0..0, "this is no description of a cluster that is known here", hint)));
    };
    // By the language of the format, whatever the file is called.
    if let Err(mut secret) = stack::check_script(&format!("source.{}", format.ending()), text.to_owned()) {
        secret.findings.iter_mut().for_each(|finding| file.clone_into(&mut finding.file));
        secret.sources.iter_mut().for_each(|source| file.clone_into(&mut source.file));
        return Err(Refused::Broken(secret));
    }
    let mut notes = Notes::default();
    let root = match format {
        Format::Json => json::parse(text).map(json::as_request),
        Format::Cli => command::read(text, beside.file, &mut notes),
        Format::Terraform => terraform::read(text, &mut notes),
        Format::Mrjob => mrjob::read(text, &mut notes),
    };
    let root = root.map_err(hinders)?;
    if let Some(problem) = elsewhere(&root) {
        return Err(Refused::Policy(broken(vec![problem])));
    }
    if let Some(wrong) = no_cluster(&root) {
        return Err(hinders(wrong));
    }
    let read = request::read(&root, notes, wishes, beside.script).map_err(|hindered| match hindered {
        Hindered::Broken(problems) => Refused::Broken(broken(problems)),
        Hindered::Refused(problem) => Refused::Policy(broken(vec![problem])),
    })?;
    let told = read.notes.findings(file, text);
    let written = text::document(&header(file, format, &told), read.entries);
    let findings = told.into_iter().map(|(_, finding)| finding).collect();
    Ok(Imported { name: read.name, text: written, format, findings, source: source(text) })
}

/// EMR Serverless is another service, which has no cluster.
fn elsewhere(root: &Node) -> Option<Problem> {
    let Value::Map(entries) = &root.value else { return None };
    let find = |names: &[&str]| {
        entries.iter().map(|(key, _)| key).find(|key| names.iter().any(|name| key.text.eq_ignore_ascii_case(name)))
    };
    if find(&["Instances", "InstanceGroups"]).is_some() {
        return None;
    }
    let only_there = [
        "initialCapacity",
        "maximumCapacity",
        "autoStopConfiguration",
        "autoStartConfiguration",
        "applicationId",
        "autoStop",
        "interactiveConfiguration",
    ];
    let key = find(&only_there)?;
    let hint = "a stack is EMR on EC2, where the same script runs: begin with `fruitsinfra init`, take core nodes of the \
        executors' size (8 vCPU and 24 GB fit m5.2xlarge), and put what autoStop says into `limits: {idle: 15m}`";
    let message =
        format!("`{}` is of EMR Serverless, which has applications and no cluster: it becomes no stack", key.text);
    Some(Problem::new("FI330", key.span.clone(), message).hint(hint))
}

/// A tree that holds nothing of a cluster.
fn no_cluster(root: &Node) -> Option<Wrong> {
    const KNOWN: [&str; 6] =
        ["Name", "ReleaseLabel", "Instances", "Applications", "Configurations", "BootstrapActions"];
    let Value::Map(entries) = &root.value else {
        let hint = "give the whole request; settings alone go under `cluster.configurations` of a stack";
        return Some(Wrong::new(root.span.clone(), "this describes no cluster", hint));
    };
    let known = |name: &str| KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name));
    let found = entries.iter().filter(|(key, _)| known(&key.text)).count();
    let telling = entries
        .iter()
        .any(|(key, _)| key.text.eq_ignore_ascii_case("Instances") || key.text.eq_ignore_ascii_case("ReleaseLabel"));
    (!telling && found < 2).then(|| {
        let hint =
            "a cluster has a ReleaseLabel and Instances; give RunJobFlow's request, or name the format with --from";
        Wrong::new(root.span.start..root.span.start, "this describes no cluster", hint)
    })
}

/// What stands above the stack: where it comes from, and everything that is to be known of it.
fn header(file: &str, format: Format, told: &[(Sort, Finding)]) -> Vec<String> {
    let opening = format!(
        "Imported from {file} ({format}) by `fruitsinfra import`. Nothing was adopted or changed: what is `existing` is read and checked, and never changed or deleted."
    );
    let mut lines = text::comment(&opening, " ", " ");
    for sort in Sort::ALL {
        let of: Vec<&Finding> = told.iter().filter(|(of, _)| *of == sort).map(|(_, finding)| finding).collect();
        if of.is_empty() {
            continue;
        }
        lines.push("#".to_owned());
        lines.push(format!("# {}", sort.title()));
        for finding in of {
            let place = if finding.span.is_empty() { String::new() } else { format!(" (line {})", finding.line) };
            let hint = finding.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
            lines.extend(text::comment(&format!("{}{place}{hint}", finding.message), " - ", "   "));
        }
    }
    lines
}
