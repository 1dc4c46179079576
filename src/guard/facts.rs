//! What is known of a cluster when it is judged: plain data, gathered by the sweep. What is missing is unknown, and
//! nothing here fills it in.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::cloud::mark::{Mark, stack_of};
use crate::cloud::promise::{Promise, moment};
use crate::cloud::steps::Step;
use crate::price::{Hourly, Nodes, Table, cents, of_nodes, usual_disks};
use crate::residency::EuRegion;

/// The tag that tells what a sweep has warned of.
pub const WARNED: &str = "fruitsinfra:warned";

/// Where in its life a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Starting,
    Bootstrapping,
    Running,
    Waiting,
    Terminating,
}

impl Stage {
    /// EMR's word for it, back and forth.
    const WORDS: [(Self, &'static str); 5] = [
        (Self::Starting, "STARTING"),
        (Self::Bootstrapping, "BOOTSTRAPPING"),
        (Self::Running, "RUNNING"),
        (Self::Waiting, "WAITING"),
        (Self::Terminating, "TERMINATING"),
    ];

    /// `None` for one that has ended, or for a word that is not known.
    pub fn read(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(stage, _)| *stage)
    }

    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(stage, _)| *stage == self).map_or("", |(_, word)| word)
    }
}

/// Whose a cluster is, as its tags tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Whose {
    /// Its tags are not known yet.
    Unknown,
    /// It bears no mark of ours.
    Nobodys,
    /// Marked as of this stack, and a part of mark or promise is missing: it can be told, and not be judged.
    Half(String),
    Ours {
        mark: Mark,
        promise: Promise,
    },
}

impl Whose {
    pub fn read(tags: &BTreeMap<String, String>) -> Self {
        match (stack_of(tags), Mark::read_any(tags), Promise::read(tags)) {
            (None, ..) => Self::Nobodys,
            (_, Some(mark), Some(promise)) => Self::Ours { mark, promise },
            (Some(stack), ..) => Self::Half(stack.to_owned()),
        }
    }

    pub fn stack(&self) -> Option<&str> {
        match self {
            Self::Unknown | Self::Nobodys => None,
            Self::Half(stack) => Some(stack),
            Self::Ours { mark, .. } => Some(&mark.stack),
        }
    }

    pub fn promise(&self) -> Option<&Promise> {
        match self {
            Self::Ours { promise, .. } => Some(promise),
            _ => None,
        }
    }
}

/// What a warning was about, as the tag holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warned {
    /// Of this end: one that was moved since was not warned of.
    End(Timestamp),
    /// At this moment, of work that stands still: work that went on since was not warned of.
    Stall(Timestamp),
}

impl Warned {
    pub fn read(tags: &BTreeMap<String, String>) -> Option<Self> {
        let (what, at) = tags.get(WARNED)?.split_once(' ')?;
        let at = at.parse().ok()?;
        match what {
            "end" => Some(Self::End(at)),
            "stall" => Some(Self::Stall(at)),
            _ => None,
        }
    }

    /// The tag's value.
    pub fn told(self) -> String {
        match self {
            Self::End(at) => format!("end {}", moment(at)),
            Self::Stall(at) => format!("stall {}", moment(at)),
        }
    }
}

/// Every metric at one moment; what is missing is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// `IsIdle`: 1 if nothing runs.
    pub idle: Option<f64>,
    /// `AppsRunning`
    pub running: Option<f64>,
    /// `AppsPending`: submitted or accepted, and waiting.
    pub pending: Option<f64>,
    /// `ContainerAllocated`
    pub containers: Option<f64>,
    /// `YARNMemoryAvailablePercentage`
    pub memory: Option<f64>,
    /// `HDFSUtilization`, in per cent.
    pub hdfs: Option<f64>,
}

/// Samples by their moment.
pub type Samples = BTreeMap<Timestamp, Sample>;

/// Puts the series of single metrics, in the order of [`crate::cloud::clusters::METRICS`], side by side.
pub fn samples<'a>(series: impl IntoIterator<Item = &'a BTreeMap<Timestamp, f64>>) -> Samples {
    let mut samples = Samples::new();
    for (n, series) in series.into_iter().enumerate() {
        for (at, value) in series {
            let sample = samples.entry(*at).or_default();
            let place = match n {
                0 => &mut sample.idle,
                1 => &mut sample.running,
                2 => &mut sample.pending,
                3 => &mut sample.containers,
                4 => &mut sample.memory,
                _ => &mut sample.hdfs,
            };
            *place = Some(*value);
        }
    }
    samples
}

/// Nodes of one type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    pub instance_type: String,
    pub spot: bool,
    pub count: u32,
}

/// A cluster as it is known to one sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub region: EuRegion,
    pub id: String,
    pub name: String,
    pub stage: Stage,
    pub created: Timestamp,
    /// When it could first be used.
    pub ready: Option<Timestamp>,
    pub whose: Whose,
    pub warned: Option<Warned>,
    /// Whether it is termination protected; `None` where that was not asked.
    pub protected: Option<bool>,
    pub nodes: Vec<Group>,
    /// Since when it is paid for.
    pub billed: Timestamp,
    /// The newest steps and all open ones; `None` where they were not asked for.
    pub steps: Option<Vec<Step>>,
    pub samples: Samples,
}

/// What a cluster costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    pub hourly: Hourly,
    /// So far, in USD.
    pub spent: Option<f64>,
    /// What no price is known of.
    pub unknown: Vec<String>,
    /// Whether Spot may make it cheaper.
    pub at_most: bool,
}

impl Facts {
    /// How old it is; none if the clock was moved back.
    pub fn age(&self, now: Timestamp) -> Duration {
        since(self.created, now)
    }

    /// What it costs; unknown where its nodes are not known.
    pub fn cost(&self, prices: &Table, now: Timestamp) -> Cost {
        let mut unknown = Vec::new();
        let nodes: Vec<Nodes<'_>> = self.nodes.iter().map(priced).collect();
        let hourly = if nodes.is_empty() {
            unknown.push("its nodes".into());
            Hourly { ec2: None, emr: None, ebs: None, ipv4: None, total: None }
        } else {
            of_nodes(prices, self.region, &nodes, &mut unknown).rounded()
        };
        unknown.sort();
        unknown.dedup();
        let hours = since(self.billed, now).as_secs_f64() / 3600.0;
        let spent = hourly.total.map(|hour| cents(hour * hours));
        Cost { hourly, spent, unknown, at_most: self.nodes.iter().any(|group| group.spot) }
    }
}

/// Time from then to now; none if it is not over yet.
pub fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// Nodes with the disks that EMR attaches unless it is told otherwise: EC2 tells of instances' disks only their names.
fn priced(group: &Group) -> Nodes<'_> {
    let Group { instance_type, spot, count } = group;
    Nodes { instance_type, count: *count, spot: *spot, disks: usual_disks(instance_type) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn a_warning_reads_back_and_a_strange_one_does_not() {
        for warned in [Warned::End(at("2026-01-31T18:00:00Z")), Warned::Stall(at("2026-01-31T17:05:00Z"))] {
            let tags = BTreeMap::from([(WARNED.to_owned(), warned.told())]);
            assert_eq!(Warned::read(&tags), Some(warned));
        }
        for value in ["", "end", "end soon", "other 2026-01-31T18:00:00Z"] {
            assert_eq!(Warned::read(&BTreeMap::from([(WARNED.to_owned(), value.to_owned())])), None, "{value}");
        }
    }

    #[test]
    fn half_of_a_mark_or_promise_is_no_whole_one() {
        let mark = Mark { stack: "demo".into(), address: "cluster/main".into(), owner: "o".into() };
        let promise = Promise {
            home: "demo-home-000000000000".into(),
            expires: at("2026-01-31T18:00:00Z"),
            idle: Duration::from_mins(45),
            liftable: false,
        };
        let whole: BTreeMap<String, String> = mark.tags().into_iter().chain(promise.tags()).collect();
        assert_eq!(Whose::read(&whole), Whose::Ours { mark, promise });
        for key in whole.keys().filter(|key| *key != "fruitsinfra:stack") {
            let mut tags = whole.clone();
            tags.remove(key);
            assert_eq!(Whose::read(&tags), Whose::Half("demo".into()), "without {key}");
        }
        assert_eq!(Whose::read(&BTreeMap::from([("project".into(), "p8".into())])), Whose::Nobodys);
    }

    #[test]
    fn what_a_cluster_costs_is_unknown_where_its_nodes_are() {
        let moment = at("2026-01-31T18:00:00Z");
        let nodes = vec![Group { instance_type: "m5.xlarge".into(), spot: false, count: 3 }];
        let facts = Facts {
            region: EuRegion::EuWest3,
            id: "j-1".into(),
            name: "demo-main".into(),
            stage: Stage::Waiting,
            created: moment,
            ready: Some(moment),
            whose: Whose::Nobodys,
            warned: None,
            protected: None,
            nodes,
            billed: moment,
            steps: None,
            samples: Samples::new(),
        };
        let cost = facts.cost(&Table::built_in(), at("2026-01-31T21:00:00Z"));
        assert_eq!((cost.hourly.total, cost.spent), (Some(0.8611), Some(2.58)));
        let cost = Facts { nodes: vec![], ..facts }.cost(&Table::built_in(), moment);
        assert_eq!(
            (cost.hourly.total, cost.spent, cost.unknown.as_slice()),
            (None, None, &["its nodes".to_owned()][..])
        );
    }
}
