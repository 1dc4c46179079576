//! Templates and values to text: bootstrap actions and jobs. Undefined values are errors. Pure but for reading
//! the templates and scripts that lie beside the stack: a template is one file of `templates/`, it includes no
//! other and leads nowhere else.

pub mod told;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use include_dir::{Dir, File, include_dir};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};

use crate::stack::finding::{Lines, Problem};
use crate::stack::{
    Bootstrap, BootstrapWork, Broken, FeatureJob, Folder, Job, JobWork, Loaded, Source, Stack, is_tensorflow,
    load_script, normal_package,
};

static TEMPLATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates");

#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("there is no template `{name}`: known ones are {known}")]
    NoTemplate { name: String, known: String },
    #[error("template `{name}` is no template's name: it leads out of `templates/`")]
    Outside { name: String },
    #[error("template `{name}` cannot be rendered: line {line}: {cause}")]
    Render { name: String, line: usize, cause: String },
    /// Something about the file itself, which the findings say.
    #[error("{0}")]
    Refused(Broken),
}

/// What a script is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Shell,
    Python,
}

/// A script as it would run.
#[derive(Debug)]
pub struct Text {
    /// Its own file; of what was rendered the template's name.
    pub file: String,
    pub text: String,
    pub language: Language,
    /// Where it comes from.
    pub origin: Origin,
}

/// Whose text a script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file of the stack's author.
    File,
    /// Rendered from a template that lies beside the stack.
    Template,
    /// Rendered from one of ours.
    Ours,
}

/// The scripts of people's own that a stack would run, and what is wrong with those that there cannot be.
#[derive(Debug)]
pub struct Texts {
    pub texts: Vec<Text>,
    pub broken: Broken,
}

/// Every script that a stack names, rendered where it is a template, but for what our own templates become.
pub fn texts<'a>(loaded: &Loaded, folder: impl Into<Folder<'a>>) -> Texts {
    let folder = folder.into();
    let Loaded { stack, source, .. } = loaded;
    let actions = stack.bootstrap.iter().map(|action| {
        let (name, template) = match &action.work {
            BootstrapWork::Script(path) => (path.display().to_string(), None),
            BootstrapWork::Template { template, .. } => (rendered(template, &action.name), Some(template)),
        };
        let text = unless_ours(folder, template, || of_action(stack, action, folder, None));
        (name, Language::Shell, text)
    });
    let jobs = stack.jobs.iter().map(|(key, work)| {
        let (name, template) = match &work.work {
            JobWork::Script { script, .. } => (script.display().to_string(), None),
            JobWork::Template(features) => (rendered(&features.template, key), Some(&features.template)),
        };
        let text = unless_ours(folder, template, || of_job(stack, key, work, folder));
        (name, Language::Python, text)
    });
    let mut all = Texts { texts: vec![], broken: Broken { sources: vec![], findings: vec![] } };
    for (file, language, text) in actions.chain(jobs) {
        match text {
            Ok(Some((text, origin))) => all.texts.push(Text { file, text, language, origin }),
            Ok(None) => {}
            Err(error) => all.broken.add(error, source),
        }
    }
    all
}

/// A script, unless it comes of a template of ours.
fn unless_ours(
    folder: Folder,
    template: Option<&String>,
    text: impl FnOnce() -> Result<(String, Origin), ScriptError>,
) -> Result<Option<(String, Origin)>, ScriptError> {
    match template {
        Some(name) if beside(folder, name)?.is_none() => ours(name).map(|_| None),
        _ => text().map(Some),
    }
}

/// Whether a line of a script is one that sets its sections apart: `# -----`.
pub fn is_rule(line: &str) -> bool {
    let rule = line.strip_prefix("# ").map(str::trim_end);
    rule.is_some_and(|rule| rule.len() > 3 && rule.bytes().all(|b| b == b'-' || b == b'='))
}

fn rendered(template: &str, of: &str) -> String {
    format!("{template} (rendered for {of})")
}

impl Broken {
    fn add(&mut self, error: ScriptError, source: &Source) {
        let message = error.to_string();
        let told = |name: &str, hint: &str| {
            let at = source.text.find(name).map_or(0..0, |at| at..at + name.len());
            Problem::new("FI703", at, message).hint(hint).found_in(&source.file, &Lines::of(&source.text))
        };
        let finding = match &error {
            ScriptError::Refused(_) => None,
            ScriptError::NoTemplate { name, .. } => Some(told(name, "name one of them, or put your own there")),
            ScriptError::Outside { name } => Some(told(name, "put the template there, or use a `script`")),
            ScriptError::Render { name, .. } => {
                Some(told(name, "mend the template: a value that it names must be one it is given"))
            }
        };
        // Two actions may run one script.
        if let ScriptError::Refused(broken) = error
            && !broken.findings.iter().any(|finding| self.findings.contains(finding))
        {
            self.sources.extend(broken.sources);
            self.findings.extend(broken.findings);
        }
        self.findings.extend(finding);
    }
}

/// What rendering may take, in steps of the engine: far more than any of our templates, and under a second.
const STEPS: u64 = 5_000_000;

/// More components than this no target variance has needed; fitting them costs one factorisation.
const COMPONENTS: u32 = 300;

/// Wheels that were staged in home, for a bootstrap that calls no index.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Staged {
    /// Where home is: a client that is told no region asks a US endpoint first.
    pub region: String,
    /// `s3://.../` that holds the wheels.
    pub prefix: String,
    /// A pip requirements file with hashes.
    pub requirements: String,
}

/// The text of a bootstrap action.
pub fn bootstrap<'a>(
    stack: &Stack,
    action: &Bootstrap,
    folder: impl Into<Folder<'a>>,
    staged: Option<&Staged>,
) -> Result<String, ScriptError> {
    of_action(stack, action, folder.into(), staged).map(|(text, _)| text)
}

/// With whose text it is.
fn of_action(
    stack: &Stack,
    action: &Bootstrap,
    folder: Folder,
    staged: Option<&Staged>,
) -> Result<(String, Origin), ScriptError> {
    match &action.work {
        BootstrapWork::Script(path) => own(folder, path),
        BootstrapWork::Template { template, packages, from: _ } => {
            let packages: Vec<Value> =
                installed(stack, packages).map(|(name, version)| json!({"name": name, "version": version})).collect();
            let values = json!({"bootstrap": {"name": action.name}, "python": stack.python(), "packages": packages, "staged": staged});
            render(folder, template, &values)
        }
    }
}

/// What pip installs: TensorFlow comes from the application or from pip, never from both.
pub fn installed<'a>(
    stack: &'a Stack,
    packages: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (&'a String, &'a String)> {
    packages.iter().filter(|(name, _)| !(stack.tensorflow_application() && is_tensorflow(&normal_package(name))))
}

/// The text of a job's script.
pub fn job<'a>(stack: &Stack, key: &str, job: &Job, folder: impl Into<Folder<'a>>) -> Result<String, ScriptError> {
    of_job(stack, key, job, folder.into()).map(|(text, _)| text)
}

/// With whose text it is.
fn of_job(stack: &Stack, key: &str, job: &Job, folder: Folder) -> Result<(String, Origin), ScriptError> {
    match &job.work {
        JobWork::Script { script, .. } => own(folder, script),
        JobWork::Template(features) => render(folder, &features.template, &values(stack, key, features)),
    }
}

/// A script of the stack's author.
fn own(folder: Folder, path: &Path) -> Result<(String, Origin), ScriptError> {
    Ok((load_script(folder.files, path).map_err(ScriptError::Refused)?, Origin::File))
}

/// What the template of a job is filled with.
pub fn values(stack: &Stack, key: &str, job: &FeatureJob) -> Value {
    json!({"stack": {"name": stack.name, "region": stack.region.as_str()}, "job": job_values(stack, key, job)})
}

/// A template as it is written, and whose it is: one beside the stack before ours.
pub fn template<'a>(folder: impl Into<Folder<'a>>, name: &str) -> Result<(String, Origin), ScriptError> {
    let folder = folder.into();
    match beside(folder, name)? {
        Some(path) => Ok((load_script(folder.files, &path).map_err(ScriptError::Refused)?, Origin::Template)),
        None => Ok((ours(name)?.to_owned(), Origin::Ours)),
    }
}

fn job_values(stack: &Stack, key: &str, job: &FeatureJob) -> Value {
    let FeatureJob { template: _, input: _, output: _, pca: _, fitted, model, partitions, batch } = job;
    // Components of another job are as that one fits them.
    let pca = &job.fit_of(stack).unwrap_or(job).pca;
    json!({
        "name": key,
        "model": {"name": model.name},
        "pca": {
            "variance": pca.variance,
            "standardise": pca.standardise,
            "max_components": pca.max_components.unwrap_or(COMPONENTS),
        },
        "fitted": fitted,
        "partitions": partitions,
        "batch": batch,
    })
}

/// The file of a template that lies beside the stack, links followed; none where there is none.
fn beside(folder: Folder, name: &str) -> Result<Option<PathBuf>, ScriptError> {
    let outside = || ScriptError::Outside { name: name.into() };
    let plain = !name.is_empty() && !name.contains('\\') && !name.contains('\0');
    if !plain || !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(outside());
    }
    let templates = folder.path.join("templates");
    let path = templates.join(name);
    let Ok(target) = folder.files.settled(&path) else { return Ok(None) };
    let within = [folder.path, &templates].into_iter().filter_map(|root| folder.files.settled(root).ok());
    if within.into_iter().any(|root| target.starts_with(root)) { Ok(Some(path)) } else { Err(outside()) }
}

/// Renders a template: one beside the stack (`templates/`) before ours.
fn render(folder: Folder, name: &str, values: &Value) -> Result<(String, Origin), ScriptError> {
    let Some(beside) = beside(folder, name)? else { return Ok((embedded(name, values)?, Origin::Ours)) };
    let text = load_script(folder.files, &beside).map_err(ScriptError::Refused)?;
    let mut environment = strict();
    environment.set_fuel(Some(STEPS));
    environment.add_template(name, &text).map_err(|error| failed(name, &error))?;
    Ok((fill(&environment, name, values)?, Origin::Template))
}

/// Renders a template of ours, whatever lies beside a stack.
pub fn embedded(name: &str, values: &Value) -> Result<String, ScriptError> {
    if OURS.get_template(name).is_err() {
        // Which tells the names that there are.
        ours(name)?;
    }
    fill(&OURS, name, values)
}

/// Our own templates, parsed once. They end, so that nothing counts their steps. One that cannot be parsed is not among
/// them, and whoever asks for it is told so: tests render each.
static OURS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = strict();
    for file in files(&TEMPLATES) {
        if let Some((name, text)) = file.path().to_str().zip(file.contents_utf8()) {
            let _ = environment.add_template(name, text);
        }
    }
    environment
});

fn files(dir: &'static Dir<'static>) -> Vec<&'static File<'static>> {
    dir.files().chain(dir.dirs().flat_map(files)).collect()
}

fn strict<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

fn ours(name: &str) -> Result<&'static str, ScriptError> {
    let ours = TEMPLATES.get_file(name).and_then(|file| file.contents_utf8());
    let known = || files(&TEMPLATES).into_iter().map(|file| file.path().display().to_string()).collect::<Vec<_>>();
    ours.ok_or_else(|| ScriptError::NoTemplate { name: name.into(), known: known().join(", ") })
}

fn failed(name: &str, error: &minijinja::Error) -> ScriptError {
    ScriptError::Render { name: name.into(), line: error.line().unwrap_or(1), cause: error.to_string() }
}

fn fill(environment: &Environment, name: &str, values: &Value) -> Result<String, ScriptError> {
    let rendered = environment.get_template(name).and_then(|of| of.render(minijinja::value::Serde(values)));
    rendered.map(|text| text + "\n").map_err(|error| failed(name, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(folder: &Path, name: &str) -> Result<String, ScriptError> {
        render(folder.into(), name, &json!({"name": "x"})).map(|(text, _)| text)
    }

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("has a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    #[test]
    fn a_template_that_does_not_end_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        write(&folder.path().join("templates/loops.j2"), loops);
        let error = rendered(folder.path(), "loops.j2").expect_err("has no end").to_string();
        assert!(error.contains("out of fuel"), "{error}");
    }

    #[test]
    fn a_template_beside_the_stack_comes_first_and_reads_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let (stack, elsewhere) = (folder.path().join("stack"), folder.path().join("elsewhere.j2"));
        write(&elsewhere, "elsewhere");
        write(&stack.join("own.j2"), "the stack's");
        write(&stack.join("templates/a/own.j2"), "hello {{ name }}");
        assert_eq!(rendered(&stack, "a/own.j2").expect("is there"), "hello x\n");
        assert_eq!(
            rendered(&stack, "bootstrap/none.sh.j2").expect_err("is not there").to_string().split(':').next(),
            Some("there is no template `bootstrap/none.sh.j2`")
        );

        // By its name.
        let absolute = elsewhere.display().to_string();
        for name in ["../own.j2", "../../elsewhere.j2", "a/../../own.j2", &absolute, "", "..", "a\\own.j2", "a\0"] {
            assert!(matches!(rendered(&stack, name), Err(ScriptError::Outside { .. })), "{name:?}");
        }
        // By a link: within the stack's folder it may lead.
        let link = |target: &Path, name: &str| {
            std::os::unix::fs::symlink(target, stack.join("templates").join(name)).expect("linked");
        };
        link(&stack.join("own.j2"), "within.j2");
        assert_eq!(rendered(&stack, "within.j2").expect("is within"), "the stack's\n");
        link(&elsewhere, "out.j2");
        link(folder.path(), "up");
        for name in ["out.j2", "up/elsewhere.j2"] {
            assert!(matches!(rendered(&stack, name), Err(ScriptError::Outside { .. })), "{name}");
        }
        link(Path::new("circle.j2"), "circle.j2");
        assert!(matches!(rendered(&stack, "circle.j2"), Err(ScriptError::NoTemplate { .. })));
        // By its text.
        for text in [
            "{% include '../own.j2' %}",
            "{% include 'a/own.j2' %}",
            "{% import '/etc/hostname' as x %}",
            "{% from 'a/own.j2' import y %}",
            "{% extends 'within.j2' %}",
        ] {
            write(&stack.join("templates/b.j2"), text);
            let error = rendered(&stack, "b.j2").expect_err("reads another").to_string();
            assert!(error.contains("line 1") && error.contains("not"), "{error}");
        }
    }
}
