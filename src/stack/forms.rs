//! Shapes in which a person may write one thing in two ways: a duration or a map, a template or a
//! script, ours or existing. Each form is read whole and turned into the one type that the rest of
//! the program sees; no form leaves this file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{
    Bootstrap, BootstrapWork, Bucket, Existing, FeatureJob, Grants, Job, JobWork, Model, NodesRole, OnFailure,
    OurBucket, PackagesFrom, Pca, Period,
};

/// Reads a type from the text it is written as. An error's second line, if any, is its hint.
macro_rules! from_text {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use from_text;

/// A bucket by its key and a prefix in it: `data/images/`. The empty prefix is the whole bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", description = "The key of a bucket of this stack and a prefix in it, as in data/images/.")]
pub struct Place {
    pub bucket: String,
    pub prefix: String,
}

impl Place {
    #[must_use]
    pub fn new(bucket: &str, prefix: &str) -> Self {
        Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() }
    }

    /// The place below this one.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self { bucket: self.bucket.clone(), prefix: format!("{}{name}", self.prefix) }
    }

    /// Whether the other place is this one or lies below it.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        self.bucket == other.bucket && other.prefix.starts_with(&self.prefix)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
        if bucket.is_empty() || text.contains("://") {
            return Err(format!(
                "`{text}` is not a place in a bucket of this stack\nwrite the bucket's key and a prefix, as in data/images/"
            ));
        }
        Ok(Self::new(bucket, prefix))
    }
}

from_text!(Place);

/// When objects expire: all of a bucket's (`14d`), or those below prefixes (`{features/: 30d}`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expire(pub BTreeMap<String, Period>);

impl<'de> Deserialize<'de> for Expire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherForm;

        impl<'de> Visitor<'de> for EitherForm {
            type Value = Expire;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time, or prefixes with theirs")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Expire, E> {
                let period = text.parse().map_err(E::custom)?;
                Ok(Expire(BTreeMap::from([(String::new(), period)])))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Expire, A::Error> {
                Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Expire)
            }
        }

        deserializer.deserialize_any(EitherForm)
    }
}

impl JsonSchema for Expire {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expire".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let period = generator.subschema_for::<Period>();
        json_schema!({
            "description": "A length of time, or prefixes with theirs.",
            "anyOf": [period, {"type": "object", "additionalProperties": period}],
        })
    }
}

/// A bucket: of the stack, or `{existing: NAME}`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BucketForm {
    /// Name of somebody else's bucket: read and checked, never changed or deleted. Stands alone.
    existing: Option<String>,
    /// Name in AWS, beginning with `<stack>-`; `<stack>-<key>-<account>` unless said.
    name: Option<String>,
    /// Keeps the old versions of objects.
    versioning: Option<bool>,
    /// When objects are deleted: `14d`, or prefixes with theirs.
    expire: Option<Expire>,
    /// ARN of a KMS key for this bucket; the stack's unless said.
    kms_key: Option<String>,
}

impl TryFrom<BucketForm> for Bucket {
    type Error = String;

    fn try_from(form: BucketForm) -> Result<Self, String> {
        match form {
            BucketForm { existing: Some(existing), name: None, versioning: None, expire: None, kms_key: None } => {
                Ok(Self::Existing(Existing { existing }))
            }
            BucketForm { existing: Some(_), .. } => Err(alone("an existing bucket")),
            BucketForm { existing: None, name, versioning, expire, kms_key } => Ok(Self::Ours(OurBucket {
                name,
                versioning: versioning.unwrap_or(false),
                expire: expire.unwrap_or_default().0,
                kms_key,
            })),
        }
    }
}

/// The nodes' role: `{read: [...], write: [...]}`, or `{existing: NAME}`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NodesRoleForm {
    /// Name or ARN of somebody else's role. Stands alone.
    existing: Option<String>,
    /// Places that the nodes may read.
    read: Option<BTreeSet<Place>>,
    /// Places that the nodes may read, write and delete in.
    write: Option<BTreeSet<Place>>,
}

impl TryFrom<NodesRoleForm> for NodesRole {
    type Error = String;

    fn try_from(form: NodesRoleForm) -> Result<Self, String> {
        match form {
            NodesRoleForm { existing: Some(existing), read: None, write: None } => {
                Ok(Self::Existing(Existing { existing }))
            }
            NodesRoleForm { existing: Some(_), .. } => Err(alone("an existing role")),
            NodesRoleForm { existing: None, read: None, write: None } => Ok(Self::Ours(None)),
            NodesRoleForm { existing: None, read, write } => {
                Ok(Self::Ours(Some(Grants { read: read.unwrap_or_default(), write: write.unwrap_or_default() })))
            }
        }
    }
}

/// A bootstrap action: a `template` with `packages`, or a `script`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BootstrapForm {
    /// What EMR calls it.
    name: String,
    /// A template, as in `bootstrap/python_packages.sh.j2`.
    template: Option<String>,
    /// Python packages for the template, each with its version.
    packages: Option<BTreeMap<String, String>>,
    /// Where nodes get the packages from: the package `index`, unless said, or `s3`, wheels that `up` puts into
    /// the stack's home beforehand.
    packages_from: Option<PackagesFrom>,
    /// A script of one's own, relative to the stack's file.
    script: Option<PathBuf>,
    /// Arguments, which arrive exactly as written.
    #[serde(default)]
    args: Vec<String>,
}

impl TryFrom<BootstrapForm> for Bootstrap {
    type Error = String;

    fn try_from(form: BootstrapForm) -> Result<Self, String> {
        let BootstrapForm { name, template, packages, packages_from, script, args } = form;
        let work = match (template, script) {
            (Some(template), None) => BootstrapWork::Template {
                template,
                packages: packages.unwrap_or_default(),
                from: packages_from.unwrap_or_default(),
            },
            (None, Some(script)) if packages.is_none() && packages_from.is_none() => BootstrapWork::Script(script),
            (None, Some(_)) => return Err("`packages` belong to a template, not to a script of one's own\nuse a template, or install them in the script".to_owned()),
            _ => return Err(one_of("template", "script")),
        };
        Ok(Self { name, work, args })
    }
}

/// A job: a `template` with its parameters, or a `script` with arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JobForm {
    /// A template, as in `jobs/fruit_features.py.j2`.
    template: Option<String>,
    /// Where the template reads images.
    input: Option<Place>,
    /// Where the template writes `features/`, `pca/`, `model/` and `report/`.
    output: Option<Place>,
    model: Option<Model>,
    pca: Option<Pca>,
    /// Another job of the template, whose components these images get: nothing is fitted anew.
    fitted: Option<String>,
    /// Partitions of the images; chosen by the script unless said.
    partitions: Option<u32>,
    /// Images a prediction; 64 unless said.
    batch: Option<u32>,
    /// A `PySpark` script of one's own, relative to the stack's file.
    script: Option<PathBuf>,
    /// Arguments of one's own script, which arrive exactly as written.
    args: Option<Vec<String>>,
    /// Spark properties of this job alone.
    #[serde(default)]
    conf: BTreeMap<String, String>,
    /// What EMR does with the cluster when the job fails.
    #[serde(default)]
    on_failure: OnFailure,
}

impl TryFrom<JobForm> for Job {
    type Error = String;

    fn try_from(form: JobForm) -> Result<Self, String> {
        let JobForm { template, input, output, model, pca, fitted, partitions, batch, script, args, conf, on_failure } =
            form;
        let work = match (template, script) {
            (Some(_), None) if args.is_some() => {
                return Err("`args` belong to a script of one's own, not to a template\nremove them: the template's own fields become its arguments".to_owned());
            }
            (Some(_), None) if pca.is_some() && fitted.is_some() => {
                return Err("`pca` says how components are fitted, and `fitted` takes those of another job\nkeep one of the two".to_owned());
            }
            (Some(template), None) => JobWork::Template(FeatureJob {
                template,
                input: input.ok_or("`input` is missing\nsay where the images are, as in data/images/")?,
                output: output.ok_or("`output` is missing\nsay where results go, as in data/")?,
                model: model.unwrap_or_default(),
                pca: pca.unwrap_or_default(),
                fitted,
                partitions,
                batch: batch.unwrap_or(64),
            }),
            (None, Some(script)) => {
                let foreign = [
                    ("input", input.is_some()),
                    ("output", output.is_some()),
                    ("model", model.is_some()),
                    ("pca", pca.is_some()),
                    ("fitted", fitted.is_some()),
                    ("partitions", partitions.is_some()),
                    ("batch", batch.is_some()),
                ];
                if let Some((field, _)) = foreign.into_iter().find(|(_, said)| *said) {
                    return Err(format!(
                        "`{field}` belongs to a template, not to a script of one's own\ngive it to the script in `args`"
                    ));
                }
                JobWork::Script { script, args: args.unwrap_or_default() }
            }
            _ => return Err(one_of("template", "script")),
        };
        Ok(Self { work, conf, on_failure })
    }
}

fn alone(what: &str) -> String {
    format!("{what} is only named\nremove the other fields: what is somebody else's is never changed")
}

fn one_of(first: &str, second: &str) -> String {
    format!("exactly one of `{first}` and `{second}` is wanted\nsay which of the two it is")
}
