//! Everything that can be found about a stack without a connection: its own findings, those of the scripts that it
//! would run, of their settings beside the nodes, and of money; less what is waived. It renders and reads, and
//! never runs anything.

mod bootstrap;
mod money;
mod notebook;
mod pip;
mod python;
mod shell;
mod spark;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::Date;

use crate::price::Table;
use crate::residency::EuRegion;
use crate::script::{self, Language, Origin, Text};
use crate::stack::finding::{Lines, Problem};
use crate::stack::{self, BootstrapWork, Broken, Finding, Folder, Loaded, Source, Stack, Waived, normal_package};

use self::shell::Script;

/// What was found.
#[derive(Debug)]
pub struct Checked {
    /// None where it cannot be worked with.
    pub stack: Option<Stack>,
    /// What the findings are about, as far as it could be read.
    pub sources: Vec<Source>,
    /// By file, in the order of each.
    pub findings: Vec<Finding>,
    /// What is accepted for now.
    pub waived: Vec<Waived>,
}

/// What rules about scripts ask of the nodes that run them.
#[derive(Debug)]
struct Nodes {
    region: EuRegion,
    /// The Python that Spark runs, as in `3.11`.
    python: Option<String>,
    /// A type and group of arm64, where there is one.
    arm: Option<String>,
    tensorflow_application: bool,
    /// Packages by their normal names; none where a script installs what cannot be told.
    installed: Option<BTreeSet<String>>,
}

/// Reads a stack's file of the disk and all that it names, and tells everything that is found on that day. Prices are for
/// what it costs; without them nothing is said of that.
pub fn file(path: &Path, today: Date, prices: Option<&Table>) -> Checked {
    read(stack::load(path), path, today, prices)
}

/// The same, and of each of its profiles, by name.
pub fn file_with_profiles(path: &Path, today: Date, prices: Option<&Table>) -> (Checked, BTreeMap<String, Checked>) {
    let (stack, profiles) = stack::load_with_profiles(path);
    let profiles = profiles.into_iter().map(|(name, told)| (name, read(told, path, today, prices)));
    (read(stack, path, today, prices), profiles.collect())
}

fn read(told: Result<Loaded, Broken>, path: &Path, today: Date, prices: Option<&Table>) -> Checked {
    match told {
        Ok(loaded) => examine(&loaded, path.parent().unwrap_or(Path::new("")), today, prices),
        Err(broken) => Checked { stack: None, sources: broken.sources, findings: broken.findings, waived: Vec::new() },
    }
}

/// The same of a stack that was read already, out of this folder.
pub fn examine<'a>(loaded: &Loaded, folder: impl Into<Folder<'a>>, today: Date, prices: Option<&Table>) -> Checked {
    let folder = folder.into();
    let scripts = script::texts(loaded, folder);
    let texts: Vec<Parsed> = scripts.texts.into_iter().map(Parsed::of).collect();
    let nodes = Nodes::of(&loaded.stack, &texts);
    let mut found = Found { sources: scripts.broken.sources, findings: scripts.broken.findings };
    let mut of_stack = spark::problems(loaded);
    of_stack.extend(support::problem(loaded, today));
    of_stack.extend(policies(&loaded.source.text));
    of_stack.extend(addresses(loaded));
    if let Some(prices) = prices {
        of_stack.extend(money::problems(loaded, prices));
    }
    let mut sources = vec![loaded.source.clone()];
    let mut findings = loaded.findings.clone();
    let lines = Lines::of(&loaded.source.text);
    findings.extend(of_stack.into_iter().map(|problem| problem.found_in(&loaded.source.file, &lines)));
    findings.sort_by_key(|finding| (finding.span.start, finding.code));
    for parsed in texts {
        found.in_text(parsed, &nodes);
    }
    let (notebooks, of_notebooks) = notebook::check(loaded, folder.files);
    sources.extend(found.sources.into_iter().chain(notebooks));
    findings.extend(found.findings.into_iter().chain(of_notebooks));
    let place = |index: usize| loaded.root.span_of(&["waivers", &index.to_string(), "code"]);
    let whole = (loaded.source.file.as_str(), loaded.source.text.as_str());
    let (findings, waived) = stack::waive(findings, &loaded.stack.waivers, today, whole, place);
    Checked { stack: Some(loaded.stack.clone()), sources, findings, waived }
}

#[derive(Default)]
struct Found {
    sources: Vec<Source>,
    findings: Vec<Finding>,
}

impl Found {
    fn in_text(&mut self, parsed: Parsed, nodes: &Nodes) {
        // One script may be named by many.
        if self.sources.iter().any(|source| source.file == parsed.text.file) {
            return;
        }
        self.findings.extend(in_text(&parsed, nodes));
        self.sources.push(Source { file: parsed.text.file, text: parsed.text.text });
    }
}

/// Everything that is found in a script by itself, run by the nodes of a stack.
pub fn script(text: Text, stack: &Stack) -> Vec<Finding> {
    let parsed = [Parsed::of(text)];
    in_text(&parsed[0], &Nodes::of(stack, &parsed))
}

/// A script with the commands in it, if it is the shell's.
struct Parsed {
    text: Text,
    commands: Option<Script>,
}

impl Parsed {
    fn of(text: Text) -> Self {
        let commands = (text.language == Language::Shell).then(|| shell::read(&text.text)).flatten();
        Self { text, commands }
    }
}

fn in_text(Parsed { text, commands }: &Parsed, nodes: &Nodes) -> Vec<Finding> {
    let mut problems = match text.language {
        Language::Shell => commands.iter().flat_map(|script| bootstrap::problems(&text.text, script, nodes)).collect(),
        Language::Python => python::problems(&text.text, nodes),
    };
    problems.extend(policies(&text.text));
    problems.sort_by_key(|problem| (problem.span.start, problem.code));
    if text.origin != Origin::File {
        // Its template is another text: a mend of this one would be lost.
        for problem in &mut problems {
            problem.fix = None;
        }
    }
    let lines = Lines::of(&text.text);
    problems.into_iter().map(|problem| problem.found_in(&text.file, &lines)).collect()
}

impl Nodes {
    fn of(stack: &Stack, scripts: &[Parsed]) -> Self {
        let mut packages = BTreeSet::new();
        let mut all_told = true;
        for action in &stack.bootstrap {
            if let BootstrapWork::Template { packages: asked, .. } = &action.work {
                packages.extend(asked.keys().map(|name| normal_package(name)));
            }
        }
        // A template's packages are those that the stack asks of it.
        let own = scripts.iter().filter(|parsed| parsed.text.origin == Origin::File);
        for command in own.filter_map(|parsed| parsed.commands.as_ref()).flat_map(|script| &script.commands) {
            let Some(install) = pip::install(command) else {
                all_told &= !["conda", "mamba", "uv", "poetry"].contains(&command.program.as_str());
                continue;
            };
            packages.extend(install.requirements.iter().map(|requirement| normal_package(&requirement.name)));
            // Files of requirements and words that are expanded may hold anything.
            all_told &= !command.says(&["-r", "--requirement"]) && command.args.iter().all(|arg| arg.text.is_some());
        }
        Self {
            region: stack.region,
            python: stack.python(),
            arm: stack.arm_nodes(),
            tensorflow_application: stack.tensorflow_application(),
            installed: (all_told && stack.cluster.is_some()).then_some(packages),
        }
    }
}

/// Managed policies that give everything: what a bucket's own policy gives is enough.
fn policies(text: &str) -> Vec<Problem> {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let mut problems = Vec::new();
    for wide in ["FullAccess", "AdministratorAccess", "PowerUserAccess"] {
        for (at, _) in text.match_indices(wide) {
            let start = text[..at].rfind(|c: char| !word(c)).map_or(0, |before| before + 1);
            let end = at + wide.len();
            let comment = text[..at].rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('#'));
            if comment || text[end..].starts_with(word) || (wide == "FullAccess" && start == at) {
                continue;
            }
            let message = format!("`{}` reaches every bucket and more of the account", &text[start..end]);
            let hint = "let the stack make its role: `render STACK policy` shows it, scoped to its buckets";
            problems.push(Problem::new("FI410", start..end, message).warning().hint(hint));
        }
    }
    problems
}

/// `s3://` addresses in the stack's own texts.
fn addresses(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    loaded.root.scalars(&mut |text, span| {
        if has_empty_part(text) {
            let message = format!("`{text}` has an empty part: `//` makes another key than `/`");
            problems.push(Problem::new("FI642", span.clone(), message).hint("write one slash between parts"));
        }
    });
    problems
}

/// Whether a text is the address of something in S3 with an empty part.
fn has_empty_part(text: &str) -> bool {
    let rest = ["s3://", "s3a://", "s3n://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| rest.contains("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So that they need not be looked at whenever a stack is checked.
    #[test]
    fn nothing_is_found_in_what_our_templates_become() {
        let mut seen = 0;
        for name in ["demo", "jupyter", "minimal", "spot-graviton"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("stacks/{name}.yaml"));
            let loaded = stack::load(&path).expect("is a stack");
            let (stack, folder) = (&loaded.stack, path.parent().expect("has a folder"));
            let actions =
                stack.bootstrap.iter().map(|action| (Language::Shell, script::bootstrap(stack, action, folder, None)));
            let jobs = stack.jobs.iter().map(|(key, job)| (Language::Python, script::job(stack, key, job, folder)));
            for (language, text) in actions.chain(jobs) {
                let text = text.expect("renders");
                let text = Text { file: name.into(), text, language, origin: Origin::Ours };
                assert_eq!(in_text(&Parsed::of(text), &Nodes::of(stack, &[])), [], "{name}");
                seen += 1;
            }
        }
        assert!(seen > 4);
    }
}
