//! From a file to a [`Stack`], with everything found on the way. Reads that one file, of the disk or of other [`Files`];
//! looks whether the scripts it names are there; never asks the network. A stack with an error is never returned,
//! and of a text that holds a secret nothing is told but that.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{DISK, Files, Kind};
use super::finding::{Finding, Lines, Problem, Severity};
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
            wrong("there is no such file".to_owned(), "give the path of a stack, or the name of one in `stacks/`")
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
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    const DEMO: &str = include_str!("../../stacks/demo.yaml");

    /// Code, line, column and message of all that is found.
    fn found(text: &str) -> Vec<(&'static str, usize, usize, String)> {
        let started = Instant::now();
        let findings = match load_text("own.yaml", text.to_owned(), Path::new("")) {
            Ok(loaded) => loaded.findings,
            Err(broken) => broken.findings,
        };
        assert!(started.elapsed() < Duration::from_secs(1), "took {:?}", started.elapsed());
        findings.into_iter().map(|finding| (finding.code, finding.line, finding.column, finding.message)).collect()
    }

    fn only(text: &str) -> (&'static str, usize, usize, String) {
        let mut found = found(text);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn what_is_not_a_stack_is_told_clearly() {
        let nested = format!("stack: {}{}", "[".repeat(10_000), "]".repeat(10_000));
        let block = (0..1_000).map(|depth| format!("{}a:", " ".repeat(depth))).collect::<Vec<_>>().join("\n");
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb = format!("{bomb}a{level}: &a{level} [{aliases}]\n");
        }
        let cases = [
            ("", "FI101", 1, "the file is empty"),
            ("# a remark\n", "FI101", 1, "the file is empty"),
            ("stack: a\n\tregion: b\n", "FI102", 2, "a tab indents this line"),
            ("stack: a\nbuckets:\n\tdata: {}\n", "FI102", 3, "a tab indents this line"),
            ("stack: a\nstack: b\n", "FI103", 2, "`stack` is said twice"),
            ("buckets:\n  data: {}\n  data: {}\n", "FI103", 3, "`data` is said twice"),
            ("stack: a\n---\nstack: b\n", "FI104", 3, "a second document begins here"),
            (&nested, "FI105", 1, "nested too deep"),
            (&block, "FI105", 33, "nested too deep"),
            (&bomb, "FI105", 1, "aliases (`*name`) unfold to more than a stack can hold"),
            ("stack: *nothing\n", "FI100", 1, "not YAML: alias references unknown anchor"),
            ("stack: [a\nregion: b\n", "FI100", 2, "not YAML: illegal placement of ':' indicator"),
            ("words\n", "FI110", 1, "expected fields with their values, found `words`"),
        ];
        for (text, code, line, message) in cases {
            let (found_code, found_line, _, found_message) = only(text);
            let start: String = text.chars().take(40).collect();
            assert_eq!((found_code, found_line, found_message.as_str()), (code, line, message), "{start}");
        }
    }

    #[test]
    fn files_that_are_no_text_are_told_clearly() {
        let folder = tempfile::tempdir().expect("a folder");
        let message = |bytes: &[u8]| {
            let path = folder.path().join("own.yaml");
            std::fs::write(&path, bytes).expect("is written");
            load(&path).expect_err("is no stack").findings.remove(0).message
        };
        assert_eq!(message(b"\xEF\xBB\xBFstack: a\n"), "the file begins with a byte order mark");
        assert_eq!(message(b"stack: caf\xE9\n"), "the file is not UTF-8 text: byte 10 belongs to no character");
        assert_eq!(message(&vec![b'a'; 2 << 20]), "the file is longer than 1 MiB");
        let folder = load(folder.path()).expect_err("is a folder").findings.remove(0);
        assert_eq!((folder.message.as_str(), folder.code), ("this is a folder, not a file", "FI101"));
        let absent = load(Path::new("absent.yaml")).expect_err("is absent");
        assert_eq!(absent.to_string(), "absent.yaml: 1 error");
    }

    #[test]
    fn one_run_tells_every_mistake_with_its_place() {
        let text = "\
stack: fruits
regoin: eu-west-3
owner: a@fruits.example
buckets:
  data: {expire: 3 days, versionning: true}
  logs: {versioning: yes}
  old: {existing: other, versioning: true}
cluster:
  release: '7.12'
  primary: {type: m5.xlarge, count: two}
  core: m5.xlarge
  access: [{from: everywhere, port: 99999}]
  scale_down: at-task-complete
bootstrap:
  - {name: both, script: a.sh, template: b.j2}
  - {name: none}
limits: {hourly: 2 EUR}
jobs:
  mixed: {script: a.py, input: data/images/}
account:
";
        let found = found(text);
        let places: Vec<_> =
            found.iter().map(|(_, line, column, message)| format!("{line}:{column} {message}")).collect();
        insta::assert_snapshot!(places.join("\n"), @"
        2:1 unknown field `regoin`
        5:18 `3 days` is not a length of time
        5:26 unknown field `versionning`
        6:22 expected true or false, found `yes`
        7:3 an existing bucket is only named
        9:12 `7.12` is not a release label
        10:37 expected a whole number, found the text `two`
        11:9 expected fields with their values, found `m5.xlarge`
        12:19 `everywhere` is not a range of addresses
        12:37 expected a whole number up to 65535, found `99999`
        13:15 `at-task-complete` is not among the choices
        15:6 exactly one of `template` and `script` is wanted
        16:6 exactly one of `template` and `script` is wanted
        17:18 `2 EUR` is not an amount of money
        19:3 `input` belongs to a template, not to a script of one's own
        20:8 expected a value, found nothing
        ");
    }

    #[test]
    fn regions_outside_the_union_are_refused_at_their_place() {
        let refused = |region: &str| only(&DEMO.replace("eu-west-3", region));
        let (code, line, column, message) = refused("eu-west-2");
        assert_eq!((code, line, column), ("FI201", 4, 9));
        assert!(message.contains("London"), "{message}");
        assert!(refused("eu-central-2").3.contains("Zurich"));
        assert!(refused("eu-isoe-west-1").3.contains("isolated cloud"));
        assert!(refused("eu-west-9").3.contains("no such region"));
    }

    #[test]
    fn numbers_that_are_versions_keep_their_digits() {
        let text = DEMO.replace("pyarrow: 21.0.0", "pyarrow: 21.10");
        let stack = load_text("own.yaml", text, Path::new("")).expect("is a stack").stack;
        let BootstrapWork::Template { packages, .. } = &stack.bootstrap[0].work else { panic!("is a template") };
        assert_eq!(packages["pyarrow"], "21.10");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            found(&text);
        }

        #[test]
        fn no_spoilt_stack_makes_it_panic(at in 0..DEMO.len(), length in 0..40_usize, patch in "[ \\t\\n:\\[\\]{}&*!|>'\"%@`a-z0-9é-]{0,6}") {
            let start = DEMO.floor_char_boundary(at);
            let end = DEMO.floor_char_boundary((start + length).min(DEMO.len()));
            let text = format!("{}{patch}{}", &DEMO[..start], &DEMO[end..]);
            let lines = text.lines().count().max(1);
            for (_, line, column, _) in found(&text) {
                prop_assert!((1..=lines + 1).contains(&line) && column >= 1);
            }
        }
    }
}
