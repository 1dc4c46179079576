//! A job as notebooks, one for JupyterHub on the cluster and one for a kernel of one's own machine, cut out of the script
//! that runs as a step. It holds no code of the job: what the script says is said once, in its template.

mod cut;

use serde_json::{Map, Value, json};

use super::{Unfit, Written};
use crate::blueprint::{self, Materials};
use crate::cloud::surroundings::Surroundings;
use crate::job;
use crate::script::{self, ScriptError};
use crate::stack::{BootstrapWork, Cluster, FeatureJob, Stack};
use crate::weights;

use cut::Script;

/// JupyterHub's port on EMR.
const PORT: u16 = 9443;

/// What a notebook on the cluster stands on.
const APPLICATIONS: [&str; 2] = ["JupyterHub", "Livy"];

/// Two notebooks for each job that is made from a template.
pub fn notebooks(stack: &Stack, materials: &Materials, account: Option<&str>) -> Result<Written, Unfit> {
    let cluster = stack.cluster.as_ref().ok_or(Unfit::Nothing("this stack has no cluster, and so no job"))?;
    let around = Surroundings::offline(stack.region, account, None);
    let mut files = vec![];
    for (key, work) in &stack.jobs {
        let (Some(features), Some(text)) = (work.features(), materials.jobs.get(key)) else { continue };
        let script = cut::cut(text).map_err(|why| Unfit::Uncut { job: key.clone(), why })?;
        let args = job::arguments(stack, work, "", Some(""), &around.account);
        let of = Of {
            stack,
            cluster,
            key,
            features,
            script: &script,
            conf: conf(cluster, &args),
            materials,
            around: &around,
        };
        files.push((format!("notebook-{key}.ipynb"), of.on_the_cluster()?));
        files.push((format!("notebook-{key}-local.ipynb"), of.here()?));
    }
    if files.is_empty() {
        return Err(Unfit::Nothing(
            "this stack has no job that is made from a template, and no other becomes a notebook",
        ));
    }
    Ok(Written { files, remarks: vec![] })
}

/// What the session is told, as the step's `spark-submit` is.
fn conf(cluster: &Cluster, args: &[String]) -> Map<String, Value> {
    let pairs = args.windows(2).filter(|pair| pair[0] == "--conf").filter_map(|pair| pair[1].split_once('='));
    let mut conf: Map<String, Value> = pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect();
    // Livy's driver runs on a node of its own and sees nothing of the primary node's environment.
    if let Some(python) = cluster.property(&["spark-env", "export"], "PYSPARK_PYTHON") {
        conf.insert("spark.pyspark.python".into(), json!(python));
        conf.insert("spark.yarn.appMasterEnv.PYSPARK_PYTHON".into(), json!(python));
    }
    conf
}

/// One job, and what its notebooks are made of.
struct Of<'a> {
    stack: &'a Stack,
    cluster: &'a Cluster,
    key: &'a str,
    features: &'a FeatureJob,
    script: &'a Script<'a>,
    conf: Map<String, Value>,
    materials: &'a Materials,
    around: &'a Surroundings,
}

impl Of<'_> {
    fn on_the_cluster(&self) -> Result<String, ScriptError> {
        let mut cells = vec![markdown("title", &self.title(false)?)];
        if !self.conf.is_empty() {
            let told = serde_json::to_string_pretty(&json!({"conf": self.conf})).unwrap_or_default();
            cells.push(code("configure", &format!("%%configure -f\n{told}")));
        }
        cells.push(parameters(&self.paths(false)?));
        cells.extend(self.script_cells());
        cells.extend(self.run_cells("%matplot plt")?);
        let language = json!({"name": "pyspark", "mimetype": "text/x-python", "pygments_lexer": "python3",
            "codemirror_mode": {"name": "python", "version": 3}});
        Ok(written(
            &json!({"name": "pysparkkernel", "display_name": "PySpark", "language": "python"}),
            &language,
            &cells,
        ))
    }

    fn here(&self) -> Result<String, ScriptError> {
        let name = format!("{}/{}", self.stack.name, self.key);
        let mut cells = vec![
            markdown("title", &self.title(true)?),
            parameters(&self.paths(true)?),
            code("session", &script::embedded("notebook/session.py.j2", &json!({"name": name}))?),
        ];
        cells.extend(self.script_cells());
        cells.extend(self.run_cells("plt.show()")?);
        let language = json!({"name": "python", "mimetype": "text/x-python", "pygments_lexer": "ipython3",
            "file_extension": ".py", "codemirror_mode": {"name": "ipython", "version": 3}});
        Ok(written(&json!({"name": "python3", "display_name": "Python 3", "language": "python"}), &language, &cells))
    }

    fn title(&self, local: bool) -> Result<String, ScriptError> {
        let Self { stack, cluster, .. } = self;
        let missing: Vec<&str> = APPLICATIONS.into_iter().filter(|name| !cluster.has_application(name)).collect();
        let installs = |action: &crate::stack::Bootstrap| match &action.work {
            BootstrapWork::Template { packages, .. } => packages.contains_key("matplotlib"),
            // What a script of one's own installs is not known here.
            BootstrapWork::Script(_) => false,
        };
        let kept = |name: &str| cluster.property(&["jupyter-s3-conf"], name);
        let persistent = kept("s3.persistence.bucket").filter(|_| kept("s3.persistence.enabled") == Some("true"));
        let from = |port: u16| {
            cluster.access.iter().filter(move |access| access.port == port).map(|access| access.from.to_string())
        };
        let values = json!({
            "title": stack.title(), "job": self.key, "local": local, "missing": missing.join(" and "),
            "matplotlib": stack.bootstrap.iter().any(installs), "persistent": persistent,
            "from": from(PORT).collect::<Vec<_>>(), "key": cluster.key_pair.is_some() && from(22).next().is_some(),
            "open": self.around.account == crate::cloud::surroundings::NO_ACCOUNT,
        });
        script::embedded("notebook/title.md.j2", &values)
    }

    fn paths(&self, local: bool) -> Result<String, ScriptError> {
        let url = |place| blueprint::url(self.stack, place, &self.around.account);
        let wanted = &self.features.model.weights;
        let key = blueprint::weights_key(wanted);
        let home = blueprint::home_name(self.stack, &self.around.account);
        // While the file is not on this machine, its hash is not known; what matches is the one that `up` puts there.
        let staged = blueprint::object_url(self.stack, self.materials, self.around, &key);
        let weights = staged.unwrap_or_else(|| format!("s3://{home}/fruitsinfra/objects/{key}.*"));
        let values = json!({
            "local": local, "input": url(&self.features.input), "output": url(&self.features.output), "weights": weights,
            "source": weights::source(wanted),
        });
        script::embedded("notebook/paths.py.j2", &values)
    }

    /// The script: what it begins with, then each section under its heading.
    fn script_cells(&self) -> Vec<Value> {
        let mut cells = vec![code("opening", &self.script.opening)];
        for (n, section) in self.script.sections.iter().enumerate() {
            let n = n + 1;
            let (title, more) = section.title.split_once(": ").unwrap_or((section.title, ""));
            let mut heading = format!("## {n}. {title}");
            if !more.is_empty() {
                let first: String = more.chars().take(1).flat_map(char::to_uppercase).collect();
                heading.extend(["\n\n", &first, more.get(first.len()..).unwrap_or_default()]);
            }
            cells.push(markdown(&format!("section-{n}"), &heading));
            cells.push(code(&format!("code-{n}"), &section.code));
        }
        cells
    }

    fn run_cells(&self, show: &str) -> Result<[Value; 6], ScriptError> {
        let run = script::embedded("notebook/run.py.j2", &json!({"job": self.key, "block": self.script.block}))?;
        let plot = |name: &str| script::embedded(&format!("notebook/{name}.py.j2"), &json!({"show": show}));
        Ok([
            markdown("run-heading", "## The run"),
            code("run", &run),
            markdown("variance-heading", "## How many components it takes"),
            code("variance", &plot("variance")?),
            markdown("projection-heading", "## The images on two components"),
            code("projection", &plot("projection")?),
        ])
    }
}

/// A text as notebooks keep it: lines with their ends.
fn lines(text: &str) -> Vec<&str> {
    text.trim_matches('\n').split_inclusive('\n').collect()
}

fn markdown(id: &str, text: &str) -> Value {
    json!({"cell_type": "markdown", "id": id, "metadata": {}, "source": lines(text)})
}

fn code(id: &str, text: &str) -> Value {
    json!({"cell_type": "code", "id": id, "metadata": {}, "source": lines(text), "execution_count": null, "outputs": []})
}

/// The cell that those replace who run notebooks with other values.
fn parameters(text: &str) -> Value {
    let mut cell = code("paths", text);
    cell["metadata"] = json!({"tags": ["parameters"]});
    cell
}

fn written(kernel: &Value, language: &Value, cells: &[Value]) -> String {
    let metadata = json!({"kernelspec": kernel, "language_info": language});
    let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells});
    serde_json::to_string_pretty(&notebook).unwrap_or_default() + "\n"
}
