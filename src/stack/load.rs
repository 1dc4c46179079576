//! From a file to a [`Stack`], with everything found on the way. Reads that one file, of the disk or of other [`Files`];
//! looks whether the scripts it names are there; never asks the network. A stack with an error is never returned,
//! and of a text that holds a secret nothing is told but that.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{DISK, Files, Kind};
use super::finding::{Finding, Lines, Problem, Severity, nearest};
use super::node::Node;
use super::secrets::{self, Language};
use super::{BootstrapWork, JobWork, Stack, Weights, lint, profile, read, waiver};
use crate::text::counted;

/// No stack is longer.
const LONGEST_STACK: u64 = 1 << 20;

/// No script or template is longer: EMR and Spark would take it, but nobody wrote it.
const LONGEST_SCRIPT: u64 = 8 << 20;

/// More findings than these are not told.
const MOST_FINDINGS: usize = 100;

/// A file that findings are about: a stack, or what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As the user named it.
    pub file: String,
    /// What it holds, secrets masked.
    pub text: String,
}

/// A stack that can be worked with.
#[derive(Debug)]
pub struct Loaded {
    pub stack: Stack,
    pub source: Source,
    /// Warnings and remarks, and errors that are waived, in the order of the file.
    pub findings: Vec<Finding>,
    /// Where everything stands.
    pub(crate) root: Node,
    /// What each of its profiles says otherwise, by name.
    pub(crate) profiles: BTreeMap<String, Node>,
}

/// A stack that cannot: at least one finding is an error.
#[derive(Debug)]
pub struct Broken {
    /// What the findings are about, as far as it could be read as text.
    pub sources: Vec<Source>,
    /// Everything found, in the order of the file.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.findings.first().map_or("stack", |finding| finding.file.as_str());
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        write!(f, "{file}: {}", counted(errors, "error"))
    }
}

impl std::error::Error for Broken {}

/// Reads a stack from a file of the disk.
pub fn load(path: &Path) -> Result<Loaded, Broken> {
    load_from(&DISK, path)
}

/// Reads a stack from a file, wherever that is kept; of `demo.yaml@smoke` the profile `smoke`.
pub fn load_from(files: &dyn Files, path: &Path) -> Result<Loaded, Broken> {
    let (path, profile) = profile::split(files, path);
    Draft::of_file(files, &path)?.read(profile.as_deref())
}

/// Reads a stack from a file of the disk, and each of its profiles, by name; of `demo.yaml@smoke` that profile alone.
/// Without the stack, or as one of them already, it has none.
pub fn load_with_profiles(path: &Path) -> (Result<Loaded, Broken>, BTreeMap<String, Result<Loaded, Broken>>) {
    let (path, profile) = profile::split(&DISK, path);
    let draft = match Draft::of_file(&DISK, &path) {
        Ok(draft) => draft,
        Err(broken) => return (Err(broken), BTreeMap::new()),
    };
    let stack = draft.read(profile.as_deref());
    let names = stack.iter().filter(|_| profile.is_none()).flat_map(|loaded| &loaded.stack.profiles);
    let profiles = names.map(|name| (name.clone(), draft.read(Some(name)))).collect();
    (stack, profiles)
}

/// The text of a script or a template that a stack names, unless there is a secret in it.
pub fn load_script(files: &dyn Files, path: &Path) -> Result<String, Broken> {
    let file = path.display().to_string();
    let text = text_of(files, path, LONGEST_SCRIPT, "the script");
    let text = text.map_err(|problem| {
        let problem = Problem { code: "FI702", ..problem };
        Broken { sources: vec![], findings: vec![problem.found_in(&file, &Lines::of(""))] }
    })?;
    check_script(&file, text)
}

/// Gives a script's or a template's text back, unless there is a secret in it.
pub fn check_script(file: &str, text: String) -> Result<String, Broken> {
    match exposed(file, &text, Language::of(file)) {
        Some(broken) => Err(broken),
        None => Ok(text),
    }
}

/// The secrets of a text as findings, and the text without them.
fn exposed(file: &str, text: &str, language: Language) -> Option<Broken> {
    let found = secrets::find(text, language);
    if found.is_empty() {
        return None;
    }
    let source = Source { file: file.to_owned(), text: secrets::masked(text, &found) };
    let lines = Lines::of(&source.text);
    let findings = found.into_iter().map(|secret| secret.into_problem().found_in(file, &lines)).collect();
    Some(Broken { findings, sources: vec![source] })
}

/// Reads a stack from text. Paths in it are relative to `folder`, on the disk.
pub fn load_text(file: &str, text: String, folder: &Path) -> Result<Loaded, Broken> {
    Draft::of_text(&DISK, Source { file: file.to_owned(), text }, folder)?.read(None)
}

/// A text that is YAML and holds no secret: what a stack is read from, and each of its profiles.
struct Draft<'a> {
    files: &'a dyn Files,
    source: Source,
    /// What the paths in it are relative to.
    folder: &'a Path,
    root: Node,
}

impl<'a> Draft<'a> {
    fn of_file(files: &'a dyn Files, path: &'a Path) -> Result<Self, Broken> {
        let file = path.display().to_string();
        match text_of(files, path, LONGEST_STACK, "the stack") {
            Ok(text) => Self::of_text(files, Source { file, text }, path.parent().unwrap_or(Path::new(""))),
            Err(problem) => Err(Broken { sources: vec![], findings: vec![problem.found_in(&file, &Lines::of(""))] }),
        }
    }

    fn of_text(files: &'a dyn Files, source: Source, folder: &'a Path) -> Result<Self, Broken> {
        if let Some(broken) = exposed(&source.file, &source.text, Language::Yaml) {
            return Err(broken);
        }
        match Node::parse(&source.text) {
            Ok(root) => Ok(Self { files, source, folder, root }),
            Err(problem) => {
                let findings = vec![problem.found_in(&source.file, &Lines::of(&source.text))];
                Err(Broken { sources: vec![source], findings })
            }
        }
    }

    /// Form first: rules are only asked about what could be read whole.
    fn read(&self, profile: Option<&str>) -> Result<Loaded, Broken> {
        let (stack, problems) = match self.tree_and_stack(profile) {
            Ok((root, profiles, stack)) => {
                let problems = lint::all(&stack, &root, self.files);
                (Some((stack, root, profiles)), problems)
            }
            Err(problems) => (None, problems),
        };
        let source = self.source.clone();
        let lines = Lines::of(&source.text);
        let mut findings: Vec<Finding> =
            problems.into_iter().map(|problem| problem.found_in(&source.file, &lines)).collect();
        // Errors stay where there are too many to tell.
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.span.start, finding.code));
        findings.truncate(MOST_FINDINGS);
        findings.sort_by_key(|finding| (finding.span.start, finding.code));
        let errors = || findings.iter().filter(|finding| finding.severity == Severity::Error);
        let today = waiver::today();
        match stack.filter(|(stack, ..)| errors().all(|error| waiver::is_waived(error, &stack.waivers, today))) {
            Some((stack, root, profiles)) => Ok(Loaded { stack, source, findings, root, profiles }),
            None => Err(Broken { sources: vec![source], findings }),
        }
    }

    fn tree_and_stack(&self, profile: Option<&str>) -> Result<(Node, BTreeMap<String, Node>, Stack), Vec<Problem>> {
        let (root, profiles) = profile::chosen(self.root.clone(), profile)?;
        let mut stack: Stack = read::read(&root)?;
        stack.profile = profile.map(str::to_owned);
        Ok((root, profiles, with_paths_in(stack, self.folder)))
    }
}

/// The text of a file, or what is wrong with it before its first character is looked at.
fn text_of(files: &dyn Files, path: &Path, longest: u64, what: &str) -> Result<String, Problem> {
    let wrong = |message: String, hint: &str| Problem::new("FI101", 0..0, message).hint(hint);
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            let known = "give the path of a stack, or the name of one in `stacks/`".to_owned();
            let hint = near(files, path).map_or(known, |near| format!("did you mean `{}`?", near.display()));
            wrong("there is no such file".to_owned(), &hint)
        }
        _ => wrong(format!("the file cannot be read: {error}"), "check the path and its permissions"),
    };
    // Asked before it is opened: opening a pipe waits for whoever writes, and a device may have no end.
    match files.kind(path).map_err(unreadable)? {
        Kind::File => {}
        Kind::Folder => return Err(wrong("this is a folder, not a file".to_owned(), "name one of the files in it")),
        Kind::Other => {
            return Err(wrong("this is a device or a pipe, not a file".to_owned(), "write it into a file first"));
        }
    }
    let bytes = files.read(path, longest + 1).map_err(unreadable)?;
    if bytes.len() as u64 > longest {
        let message = format!("the file is longer than {} MiB", longest >> 20);
        return Err(wrong(message, &format!("name {what}'s own file")));
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(wrong("the file begins with a byte order mark".to_owned(), "save it as UTF-8 without BOM"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        wrong(format!("the file is not UTF-8 text: byte {valid} belongs to no character"), "save it as UTF-8")
    })
}

/// The stack that was probably meant by a path where there is none: one of nearly that name beside it, or above it, for a bare
/// name was looked for in `stacks/`.
fn near(files: &dyn Files, path: &Path) -> Option<PathBuf> {
    let name = |path: &Path| {
        let is_stack = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        path.file_stem().filter(|_| is_stack)?.to_str().map(str::to_owned)
    };
    let folders = path.ancestors().skip(1).take(2);
    let there =
        folders.flat_map(|folder| files.names(folder).unwrap_or_default().into_iter().map(|file| folder.join(file)));
    let stacks: Vec<(String, PathBuf)> = there.filter_map(|path| Some((name(&path)?, path))).collect();
    let near = nearest(&name(path)?, stacks.iter().map(|(name, _)| name.as_str()))?;
    stacks.iter().find(|(name, _)| name == near).map(|(_, path)| path.clone())
}

/// Makes the paths that a stack names relative to where the program runs, instead of to the stack.
fn with_paths_in(mut stack: Stack, folder: &Path) -> Stack {
    let settle = |path: &mut PathBuf| *path = folder.join(&*path);
    for upload in &mut stack.uploads {
        settle(&mut upload.from);
    }
    for action in &mut stack.bootstrap {
        if let BootstrapWork::Script(script) = &mut action.work {
            settle(script);
        }
    }
    for job in stack.jobs.values_mut() {
        match &mut job.work {
            JobWork::Script { script, .. } => settle(script),
            JobWork::Template(features) => {
                if let Weights::File(file) = &mut features.model.weights {
                    settle(file);
                }
            }
        }
    }
    stack
}

#[cfg(test)]
mod tests;
