//! The EMR cluster of a stack: its release, groups, network and settings. Plain values; it must never
//! hold what AWS would answer (ids, states), only what a person can say.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::forms::from_text;
use super::{Existing, Fleet, Money, Period, Place, Release};

/// A cluster: one primary node or three, a core group, and any number of task groups.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its name in AWS; the stack's unless said. Any UTF-8.
    pub name: Option<String>,
    /// As in `emr-7.12.0`.
    pub release: Release,
    /// Release of Amazon Linux, as in `2.0.20230808.0`; the newest unless said.
    pub os_release: Option<String>,
    /// What EMR installs, as in `[Spark, JupyterHub]`.
    #[serde(default = "spark_alone")]
    pub applications: Vec<String>,
    /// Runs the drivers and YARN; one node, or three for availability.
    pub primary: Group,
    /// Keeps HDFS and runs executors. Without it the primary node does all the work.
    pub core: Option<Group>,
    /// Groups that only run executors, by key.
    #[serde(default)]
    pub task: BTreeMap<String, Group>,
    /// Settings by classification, applied to the whole cluster.
    #[serde(default)]
    pub configurations: Vec<Configuration>,
    /// Where logs go, as in `logs/emr/`; that, unless said, if a bucket called `logs` is declared.
    pub logs: Option<Place>,
    /// Ends the cluster after so long without work; `limits.idle` unless said.
    pub idle: Option<Period>,
    /// Stays when its last step is done, until it idles too long. True unless said.
    #[serde(default = "yes")]
    pub keep_alive: bool,
    /// Refuses to be terminated until this is lifted.
    #[serde(default)]
    pub termination_protection: bool,
    /// How many steps may run at once, 1 to 256.
    #[serde(default = "one")]
    pub step_concurrency: u32,
    /// What EMR waits for when a group shrinks.
    #[serde(default)]
    pub scale_down: ScaleDown,
    /// A role for EMR's automatic scaling rules.
    pub auto_scaling_role: Option<Existing>,
    /// Lets EMR itself choose the sizes of the core and task groups, within bounds. Their `count` is then what the
    /// cluster is born with.
    pub managed_scaling: Option<ManagedScaling>,
    /// EMR's security configuration of that name: encryption and authentication.
    pub security_configuration: Option<Existing>,
    /// Id of a machine image of one's own, as in `ami-0123456789abcdef0`; EMR's own unless said.
    pub custom_ami: Option<String>,
    /// Id of a subnet; one of the default VPC unless said.
    pub subnet: Option<String>,
    /// Name of an EC2 key pair of the region, to log in with.
    pub key_pair: Option<String>,
    /// Who may connect to the primary node. Nobody unless said; the whole world never.
    #[serde(default)]
    pub access: Vec<Access>,
    /// The disk of the operating system; EMR's default unless said.
    pub root_volume: Option<RootVolume>,
    /// Tags on the cluster and its instances, besides the stack's.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl Cluster {
    /// Whether EMR gets fleets instead of groups: then all of them are.
    #[must_use]
    pub fn has_fleets(&self) -> bool {
        self.groups().any(|(_, group)| group.fleet.is_some())
    }

    /// All groups by address part: `primary`, `core`, then the task groups by key.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Group)> {
        let core = self.core.iter().map(|group| ("core", group));
        let task = self.task.iter().map(|(key, group)| (key.as_str(), group));
        std::iter::once(("primary", &self.primary)).chain(core).chain(task)
    }

    /// Whether EMR installs an application; its names are not case-sensitive.
    #[must_use]
    pub fn has_application(&self, name: &str) -> bool {
        self.applications.iter().any(|said| said.eq_ignore_ascii_case(name))
    }

    /// The value of a property, searched in nested configurations too: `[spark-env, export]`.
    #[must_use]
    pub fn property(&self, classifications: &[&str], name: &str) -> Option<&str> {
        let (last, outer) = classifications.split_last()?;
        let mut level = &self.configurations;
        for wanted in outer {
            level = &level.iter().find(|found| found.classification == *wanted)?.configurations;
        }
        let found = level.iter().find(|found| found.classification == *last)?;
        found.properties.get(name).map(String::as_str)
    }
}

/// Bounds within which EMR resizes the core and task groups.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagedScaling {
    /// The least that the core and task groups have together.
    pub minimum: u32,
    /// The most; costs are told at it.
    pub maximum: u32,
    /// The most of it in the core group; the maximum unless said.
    pub maximum_core: Option<u32>,
    /// The most of it that is bought on demand; the maximum unless said.
    pub maximum_on_demand: Option<u32>,
    /// What is counted.
    #[serde(default)]
    pub unit: ScalingUnit,
}

/// What bounds of scaling count; of fleets, instances are units of their capacity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScalingUnit {
    #[default]
    Instances,
    /// Virtual processors.
    Vcpu,
}

/// Instances of one type with one part to play.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name in AWS, any UTF-8; its part (`primary`, `core`, the key of a task group) unless said.
    pub name: Option<String>,
    /// Instance type, as in `m5.xlarge`.
    #[serde(rename = "type")]
    pub instance_type: String,
    /// How many instances; of a fleet, units of capacity. A task group may have none.
    #[serde(default = "one")]
    pub count: u32,
    /// How instances are bought.
    #[serde(default)]
    pub market: Market,
    /// The most an instance-hour on the spot market may cost; the on-demand price unless said.
    pub bid: Option<Money>,
    /// EBS volumes of each instance; EMR's default for the type unless said.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// Settings for this group alone.
    #[serde(default)]
    pub configurations: Vec<Configuration>,
    /// Other types that serve as well, of which EMR takes what is to be had: an instance fleet.
    pub fleet: Option<Fleet>,
}

impl Group {
    /// Whether any of it is bought on the spot market.
    #[must_use]
    pub fn buys_spot(&self) -> bool {
        self.market == Market::Spot || self.fleet.as_ref().is_some_and(|fleet| fleet.spot > 0)
    }

    /// Its types with what an instance of each counts for, its own first.
    pub fn types(&self) -> impl Iterator<Item = (&str, u32)> {
        let fleet = self.fleet.as_ref();
        let others = fleet.into_iter().flat_map(|fleet| &fleet.or);
        std::iter::once(&self.instance_type).chain(others).map(move |name| {
            let weight = fleet.and_then(|fleet| fleet.weights.get(name));
            (name.as_str(), weight.copied().unwrap_or(1))
        })
    }
}

/// How instances are bought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Market {
    #[default]
    OnDemand,
    /// Cheaper, and taken away when AWS needs them.
    Spot,
}

/// EBS volumes of one kind, on every instance of a group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    #[serde(rename = "type", default)]
    pub kind: VolumeKind,
    /// Size of each in GiB.
    pub size: u32,
    /// Input and output operations a second, of kinds that let one choose.
    pub iops: Option<u32>,
    /// MiB a second, of gp3.
    pub throughput: Option<u32>,
    /// How many of them an instance gets.
    #[serde(default = "one")]
    pub per_instance: u32,
}

/// The disk of the operating system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RootVolume {
    /// Size in GiB, from 15 (from 10 before release 6.10).
    pub size: u32,
    /// The kind; gp3 from release 6.15 on and gp2 before, unless said.
    #[serde(rename = "type")]
    pub kind: Option<VolumeKind>,
    pub iops: Option<u32>,
    pub throughput: Option<u32>,
}

/// Kinds of EBS volumes that EMR takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VolumeKind {
    Gp2,
    #[default]
    Gp3,
    Io1,
    St1,
    Sc1,
    Standard,
}

impl VolumeKind {
    pub const ALL: [Self; 6] = [Self::Gp2, Self::Gp3, Self::Io1, Self::St1, Self::Sc1, Self::Standard];

    /// The word AWS uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gp2 => "gp2",
            Self::Gp3 => "gp3",
            Self::Io1 => "io1",
            Self::St1 => "st1",
            Self::Sc1 => "sc1",
            Self::Standard => "standard",
        }
    }
}

/// Settings of one part of the software; some hold further ones (`spark-env` holds `export`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    pub classification: String,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    #[serde(default)]
    pub configurations: Vec<Configuration>,
}

/// What EMR waits for when a group shrinks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScaleDown {
    /// Until the instance has no tasks left.
    #[default]
    AtTaskCompletion,
    /// Until the hour that is paid for ends; releases before 5.10.
    AtInstanceHour,
}

/// One opening in the primary node's security group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// An address or a range, as in `203.0.113.7/32`.
    pub from: Cidr,
    /// A TCP port, as in 22 (SSH), 9443 (`JupyterHub`) or 18080 (Spark history).
    pub port: u16,
}

/// A range of internet addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct Cidr {
    pub address: IpAddr,
    pub bits: u8,
}

impl Cidr {
    /// A range is too wide for a person's or an office's address: more than 65,536 addresses of
    /// version 4, or more than a provider's block of version 6.
    #[must_use]
    pub const fn is_wide(&self) -> bool {
        self.bits < if self.address.is_ipv4() { 16 } else { 32 }
    }

    /// The whole internet.
    #[must_use]
    pub const fn is_world(&self) -> bool {
        self.bits == 0
    }

    /// The range with all bits beyond its length cleared, as AWS stores it.
    #[must_use]
    pub fn network(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V4((u32::from(v4) & mask).into())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V6((u128::from(v6) & mask).into())
            }
        };
        Self { address, bits: self.bits }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Cidr {
    type Err = String;

    /// Reads `203.0.113.7/32`, or an address alone as the range that holds nothing else.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a range of addresses\nwrite one address as 203.0.113.7/32, an office as 203.0.113.0/24"
            )
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

from_text!(Cidr);

fn spark_alone() -> Vec<String> {
    vec!["Spark".to_owned()]
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}
