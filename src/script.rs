//! Templates and values to text: bootstrap actions and jobs. Undefined values are errors. Pure but for reading
//! the templates and scripts that lie beside the stack.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};

use crate::stack::{Bootstrap, BootstrapWork, FeatureJob, Job, JobWork, Stack};

static TEMPLATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates");

#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("there is no template `{name}`: known ones are {known}")]
    NoTemplate { name: String, known: String },
    #[error("template `{name}` cannot be rendered: {cause}")]
    Render { name: String, cause: String },
    #[error("{path} cannot be read: {cause}")]
    Read { path: String, cause: std::io::Error },
}

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
pub fn bootstrap(
    stack: &Stack,
    action: &Bootstrap,
    folder: &Path,
    staged: Option<&Staged>,
) -> Result<String, ScriptError> {
    match &action.work {
        BootstrapWork::Script(path) => read(path),
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
    packages.iter().filter(|(name, _)| !(stack.tensorflow_application() && is_tensorflow(name)))
}

/// The text of a job's script.
pub fn job(stack: &Stack, key: &str, job: &Job, folder: &Path) -> Result<String, ScriptError> {
    match &job.work {
        JobWork::Script { script, .. } => read(script),
        JobWork::Template(features) => {
            let stack = json!({"name": stack.name, "region": stack.region.as_str()});
            render(folder, &features.template, &json!({"stack": stack, "job": job_values(key, features)}))
        }
    }
}

fn job_values(key: &str, job: &FeatureJob) -> Value {
    let FeatureJob { template: _, input: _, output: _, model, pca, partitions, batch } = job;
    json!({
        "name": key,
        "model": {"name": model.name},
        "pca": {
            "variance": pca.variance,
            "standardise": pca.standardise,
            "max_components": pca.max_components.unwrap_or(COMPONENTS),
        },
        "partitions": partitions,
        "batch": batch,
    })
}

fn is_tensorflow(package: &str) -> bool {
    ["tensorflow", "tensorflow-cpu", "tensorflow_cpu"].contains(&package)
}

fn read(path: &Path) -> Result<String, ScriptError> {
    std::fs::read_to_string(path).map_err(|cause| ScriptError::Read { path: path.display().to_string(), cause })
}

/// Renders a template: one beside the stack (`templates/`) before ours.
fn render(folder: &Path, name: &str, values: &Value) -> Result<String, ScriptError> {
    let beside = folder.join("templates").join(name);
    let text = if beside.is_file() {
        read(&beside)?
    } else {
        let ours = TEMPLATES.get_file(name).and_then(|file| file.contents_utf8());
        ours.ok_or_else(|| ScriptError::NoTemplate { name: name.into(), known: known(&TEMPLATES).join(", ") })?
            .to_owned()
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let failed = |error: minijinja::Error| ScriptError::Render {
        name: name.into(),
        cause: match error.line() {
            Some(line) => format!("line {line}: {error}"),
            None => error.to_string(),
        },
    };
    environment.add_template(name, &text).map_err(failed)?;
    environment
        .get_template(name)
        .and_then(|template| template.render(minijinja::value::Serde(values)))
        .map(|text| text + "\n")
        .map_err(failed)
}

fn known(dir: &Dir) -> Vec<String> {
    let here = dir.files().map(|file| file.path().display().to_string());
    here.chain(dir.dirs().flat_map(known)).collect()
}
