//! What a person writes: the types of a stack, which are also the reference of its language (the
//! JSON Schema is derived from them). Plain values, no positions, no I/O; what is left unsaid is
//! answered by the methods of [`Stack`], in one place. Nothing here knows how AWS is asked for it.

mod cluster;
pub mod facts;
mod files;
pub mod finding;
pub mod fix;
mod fleet;
mod forms;
mod job;
mod lint;
mod load;
pub(crate) mod node;
pub(crate) mod packages;
pub(crate) mod profile;
mod quantity;
mod read;
mod release;
mod schema;
mod secrets;
mod upload;
mod waiver;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::residency::EuRegion;

pub use cluster::{
    Access, Cidr, Cluster, Configuration, Group, ManagedScaling, Market, RootVolume, ScaleDown, ScalingUnit, Volume,
    VolumeKind,
};
pub use files::{Disk, Files, Folder, Kind};
pub use finding::{Finding, Severity};
pub(crate) use finding::{meant, nearest};
pub use fleet::{AfterWait, Fleet, OnDemandAllocation, SPOT_WAIT, SpotAllocation};
pub use forms::{Expire, Place};
pub use job::{Bootstrap, BootstrapWork, FeatureJob, Job, JobWork, Model, OnFailure, PackagesFrom, Pca, Weights};
pub(crate) use job::{is_tensorflow, normal_package};
pub(crate) use lint::is_id;
pub use load::{Broken, Loaded, Source, check_script, load, load_from, load_script, load_text, load_with_profiles};
pub use quantity::{Money, Period};
pub use release::Release;
pub use schema::schema;
pub use upload::{Links, Sample, Split, Upload};
pub(crate) use waiver::waive;
pub use waiver::{Waived, Waiver, today};

/// Everything one environment consists of.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A fruitsinfra stack")]
pub struct Stack {
    /// Name of the stack: the beginning of every name in AWS. Lower-case letters, digits, hyphens.
    #[serde(rename = "stack")]
    pub name: String,
    /// Where all of it lives. The EU only.
    pub region: EuRegion,
    /// Number of the AWS account, 12 digits. Fills the number in offline commands; online, another
    /// account than this one is refused.
    pub account: Option<String>,
    /// Who answers for it: an address that others can write to.
    pub owner: String,
    /// Tags on everything that can bear them.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Bounds on money and time.
    #[serde(default)]
    pub limits: Limits,
    /// ARN of a KMS key of the stack's region, with which its buckets are encrypted.
    pub kms_key: Option<String>,
    /// Buckets by key. A bucket is called `<stack>-<key>-<account>` unless it has a name.
    #[serde(default)]
    pub buckets: BTreeMap<String, Bucket>,
    /// Files of this machine that belong in the buckets: folders, and zips as Kaggle serves them.
    #[serde(default)]
    pub uploads: Vec<Upload>,
    #[serde(default)]
    pub roles: Roles,
    /// An instance profile of somebody else's; without it the stack makes its own.
    pub instance_profile: Option<Existing>,
    /// Security groups of somebody else's; without them the stack makes its own.
    pub security_groups: Option<SecurityGroups>,
    /// What every node runs before Spark starts, in this order.
    #[serde(default)]
    pub bootstrap: Vec<Bootstrap>,
    /// The EMR cluster. A stack without one is storage only.
    pub cluster: Option<Cluster>,
    /// Work for the cluster, by key.
    #[serde(default)]
    pub jobs: BTreeMap<String, Job>,
    /// Findings that are known and accepted, for a time.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
    /// Euros for a US dollar, to tell costs in both.
    pub eur_per_usd: Option<f64>,
    /// Variants of it by name, asked for as in `demo@smoke`. What they say is laid over the rest before it is read.
    #[serde(default, deserialize_with = "profile::names")]
    #[schemars(with = "BTreeMap<String, profile::Otherwise>")]
    pub profiles: BTreeSet<String>,
    /// The one of them that this is.
    #[serde(skip)]
    pub profile: Option<String>,
    /// When the cluster ends: never written in a file, said when it is started or its end is moved.
    #[serde(skip)]
    pub until: Option<Timestamp>,
}

/// Bounds: what exceeds them is refused before anything is made.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The most an hour may cost.
    pub hourly: Option<Money>,
    /// The most one life of the cluster may cost, from `up` to its end.
    pub demo: Option<Money>,
    /// The longest a cluster may live. 3h unless said.
    pub lifetime: Period,
    /// The longest a cluster may idle. 45m unless said.
    pub idle: Period,
    /// Whether the guard may lift termination protection to end a cluster at its end. No unless said.
    pub lift_protection: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { hourly: None, demo: None, lifetime: Period::hours(3), idle: Period::minutes(45), lift_protection: false }
    }
}

/// Somebody else's resource: read and checked, never changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Existing {
    /// Its name, id or ARN in AWS.
    pub existing: String,
}

impl Existing {
    /// The bare name: the last part of an ARN, or what was written.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.existing.starts_with("arn:") {
            self.existing.rsplit(['/', ':']).next().unwrap_or(&self.existing)
        } else {
            &self.existing
        }
    }
}

/// What a stack may name as somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theirs {
    Bucket,
    Role,
    InstanceProfile,
    SecurityGroup,
}

impl Theirs {
    /// The kind of the same thing where it is the stack's own.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Role => "role",
            Self::InstanceProfile => "instance_profile",
            Self::SecurityGroup => "security_group",
        }
    }
}

/// A place for objects. Public access is always blocked, on ours.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "forms::BucketForm")]
#[schemars(with = "forms::BucketForm")]
pub enum Bucket {
    Ours(OurBucket),
    Existing(Existing),
}

/// A bucket that the stack makes, and removes with `destroy`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OurBucket {
    /// Its name in AWS, beginning with `<stack>-`; None means `<stack>-<key>-<account>`.
    pub name: Option<String>,
    pub versioning: bool,
    /// Ages at which objects are deleted, by prefix; the empty prefix is the whole bucket.
    pub expire: BTreeMap<String, Period>,
    /// None means the stack's `kms_key`, else keys that S3 manages.
    pub kms_key: Option<String>,
}

impl Bucket {
    /// The one of somebody else.
    #[must_use]
    pub fn existing(&self) -> Option<&Existing> {
        match self {
            Self::Existing(existing) => Some(existing),
            Self::Ours(_) => None,
        }
    }
}

/// Who the cluster acts as.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// The role of the nodes. Unsaid: one of our own that may read and write what the jobs name.
    pub nodes: NodesRole,
    /// The role of EMR itself. Unsaid: one of our own with the least EMR needs.
    pub service: Option<Existing>,
    /// The role that ends the cluster when its time has come. Unsaid: one of our own that may do no more.
    pub end: Option<Existing>,
}

/// The role that the nodes, and so the jobs, act as.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "forms::NodesRoleForm")]
#[schemars(with = "forms::NodesRoleForm")]
pub enum NodesRole {
    /// Made by the stack; None means the grants that the jobs need.
    Ours(Option<Grants>),
    Existing(Existing),
}

impl NodesRole {
    /// The one of somebody else.
    #[must_use]
    pub fn existing(&self) -> Option<&Existing> {
        match self {
            Self::Existing(existing) => Some(existing),
            Self::Ours(_) => None,
        }
    }
}

impl Default for NodesRole {
    fn default() -> Self {
        Self::Ours(None)
    }
}

/// Places that the nodes may read, and places they may also write and delete in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    pub read: BTreeSet<Place>,
    pub write: BTreeSet<Place>,
}

/// Somebody else's security groups, by what they are for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityGroups {
    pub primary: Existing,
    pub core: Existing,
    /// The service-access group, in a private subnet.
    pub service: Option<Existing>,
}

/// How a bucket's objects are encrypted at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption<'a> {
    /// With keys that S3 manages.
    S3,
    /// With the KMS key of this ARN.
    Kms(&'a str),
}

impl Stack {
    /// Its name, and the profile's: `fruits-demo@smoke`.
    #[must_use]
    pub fn title(&self) -> String {
        self.profile.as_ref().map_or_else(|| self.name.clone(), |profile| format!("{}@{profile}", self.name))
    }

    /// The name of a bucket in AWS; None for a key that is not declared.
    #[must_use]
    pub fn bucket_name(&self, key: &str, account: &str) -> Option<String> {
        Some(match self.buckets.get(key)? {
            Bucket::Ours(OurBucket { name: Some(name), .. }) => name.clone(),
            Bucket::Ours(_) => self.default_bucket_name(key, account),
            Bucket::Existing(existing) => existing.name().to_owned(),
        })
    }

    /// `<stack>-<key>-<account>`, the name of a bucket that was given none; also that of `home`.
    #[must_use]
    pub fn default_bucket_name(&self, key: &str, account: &str) -> String {
        format!("{}-{key}-{account}", self.name)
    }

    /// How objects in a bucket of ours are encrypted: its own key, else the stack's, else S3's.
    #[must_use]
    pub fn encryption<'a>(&'a self, bucket: &'a OurBucket) -> Encryption<'a> {
        match bucket.kms_key.as_deref().or(self.kms_key.as_deref()) {
            Some(arn) => Encryption::Kms(arn),
            None => Encryption::S3,
        }
    }

    /// How long the cluster may do nothing before EMR ends it: what it says, else the limit.
    #[must_use]
    pub fn idle(&self) -> Period {
        self.cluster.as_ref().and_then(|cluster| cluster.idle).unwrap_or(self.limits.idle)
    }

    /// Where EMR puts the cluster's logs: what it says, else `logs/emr/` if there is a bucket
    /// called `logs`. None: nowhere, and a failed bootstrap leaves no trace.
    #[must_use]
    pub fn logs(&self) -> Option<Place> {
        let said = self.cluster.as_ref().and_then(|cluster| cluster.logs.clone());
        said.or_else(|| self.buckets.contains_key("logs").then(|| Place::new("logs", "emr/")))
    }

    /// What the nodes' own role may touch: what the stack says, else the jobs' inputs and outputs.
    /// The log place can always be written. None where the role is somebody else's.
    #[must_use]
    pub fn grants(&self) -> Option<Grants> {
        let NodesRole::Ours(said) = &self.roles.nodes else { return None };
        let mut grants = said.clone().unwrap_or_else(|| self.touched());
        grants.write.extend(self.logs());
        Some(grants)
    }

    /// Everything that it names as somebody else's and refers to, by name or id.
    #[must_use]
    pub fn others(&self) -> Vec<(Theirs, &str)> {
        let buckets = self.buckets.values().filter_map(Bucket::existing).map(|bucket| (Theirs::Bucket, bucket));
        let roles = self.roles.nodes.existing().into_iter().chain(&self.roles.service).chain(&self.roles.end);
        let roles = roles.map(|role| (Theirs::Role, role));
        let profile = self.instance_profile.iter().map(|profile| (Theirs::InstanceProfile, profile));
        let groups = self.security_groups.iter();
        let groups = groups.flat_map(|of| [&of.primary, &of.core].into_iter().chain(&of.service));
        let groups = groups.map(|group| (Theirs::SecurityGroup, group));
        buckets.chain(roles).chain(profile).chain(groups).map(|(what, existing)| (what, existing.name())).collect()
    }

    /// The Python that Spark runs, and so the one that packages are installed for: what
    /// `PYSPARK_PYTHON` says, else the release's default. None where neither is known.
    #[must_use]
    pub fn python(&self) -> Option<String> {
        let cluster = self.cluster.as_ref()?;
        let said = cluster.property(&["spark-env", "export"], "PYSPARK_PYTHON");
        match said.and_then(|path| path.rsplit_once("python")) {
            Some((_, version)) if version.starts_with("3.") => Some(version.to_owned()),
            _ => cluster.release.default_python().map(str::to_owned),
        }
    }

    /// Nodes of arm64, where there are any, as in `m6g.xlarge of group core`.
    #[must_use]
    pub fn arm_nodes(&self) -> Option<String> {
        let mut groups = self.cluster.iter().flat_map(Cluster::groups);
        let is_arm = |kind: &str| facts::instance_type(kind).is_some_and(|facts| facts.arch == "arm64");
        let (part, group) = groups.find(|(_, group)| group.types().any(|(kind, _)| is_arm(kind)))?;
        Some(format!("{} of group {part}", group.instance_type))
    }

    /// Whether TensorFlow comes with the release, so that no package may bring a second one.
    #[must_use]
    pub fn tensorflow_application(&self) -> bool {
        let cluster = self.cluster.as_ref();
        cluster.is_some_and(|cluster| cluster.has_application("TensorFlow"))
    }
}

#[cfg(test)]
mod tests;
