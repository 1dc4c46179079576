//! What a talk says of a stack, as values for its texts: nodes and executors, bytes that are broadcast, places. What the
//! stack leaves open is `null`, never a guess.

use std::path::Path;

use serde::Serialize;

use crate::blueprint;
use crate::cloud::surroundings::NO_ACCOUNT;
use crate::job::{self, Executor};
use crate::residency::EuRegion;
use crate::script::told::Lang;
use crate::stack::{Cluster, FeatureJob, Group, Job, ScalingUnit, Stack, Weights};
use crate::sync;
use crate::weights::{self, Known, Size};

/// The most that may be, and the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    pub least: u64,
    pub most: u64,
}

impl Range {
    fn times(self, n: u64) -> Self {
        Self { least: self.least * n, most: self.most * n }
    }
}

/// How a job's work is spread.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Nodes that run executors; none where the primary node does all, or where EMR counts them in processors.
    pub nodes: Option<Range>,
    pub alone: bool,
    /// The one executor of each of these nodes; none where the stack says another, or its type is not known.
    pub executor: Option<Executor>,
    /// What the stack itself says of executors, which wins.
    pub own: Vec<String>,
    /// Python processes that work at once.
    pub workers: Option<Range>,
}

/// What every executor is sent once.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Broadcast {
    /// As every output names where they come from.
    pub source: &'static str,
    pub bytes: u64,
    pub known: Known,
    /// To all executors together.
    pub sent: Option<Range>,
}

/// Where a job's things lie.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Places {
    /// Of the region, for people.
    pub region: &'static str,
    pub input: String,
    pub output: String,
    /// The bucket that holds the script and the weights.
    pub home: String,
    pub buckets: Vec<String>,
    /// The key that encrypts the stack's buckets, where it is not S3's own.
    pub kms: bool,
}

/// All of it, of one job.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    pub spread: Spread,
    pub broadcast: Broadcast,
    pub places: Places,
}

impl Facts {
    /// `cache` may hold the weights.
    pub fn of(stack: &Stack, job: &Job, features: &FeatureJob, lang: Lang, cache: &Path) -> Self {
        let spread = spread(stack.cluster.as_ref(), job);
        let broadcast = broadcast(&features.model.weights, cache, &spread);
        Self { broadcast, places: places(stack, features, lang), spread }
    }
}

/// How work is spread over the nodes of a cluster.
pub fn spread(cluster: Option<&Cluster>, job: &Job) -> Spread {
    let own = job.conf.iter().filter(|(key, _)| {
        ["spark.executor.", "spark.dynamicAllocation."].iter().any(|prefix| key.starts_with(prefix))
    });
    let own: Vec<String> = own.map(|(key, value)| format!("{key}={value}")).collect();
    let nodes = cluster.and_then(nodes);
    let executor = cluster.filter(|_| own.is_empty()).and_then(job::executor);
    let alone = cluster.is_some_and(|cluster| cluster.core.is_none() && cluster.task.is_empty());
    let workers = nodes.zip(executor).map(|(nodes, executor)| nodes.times(executor.cores.into()));
    Spread { nodes, alone, executor, own, workers }
}

/// Nodes that run executors.
fn nodes(cluster: &Cluster) -> Option<Range> {
    let groups: Vec<&Group> = cluster.core.iter().chain(cluster.task.values()).collect();
    match &cluster.managed_scaling {
        Some(scaling) if scaling.unit == ScalingUnit::Instances && !cluster.has_fleets() => {
            Some(Range { least: scaling.minimum.into(), most: scaling.maximum.into() })
        }
        Some(_) => None,
        None if groups.is_empty() => None,
        None => {
            let of = groups.into_iter().map(instances);
            Some(of.fold(Range { least: 0, most: 0 }, |sum, of| Range {
                least: sum.least + of.least,
                most: sum.most + of.most,
            }))
        }
    }
}

/// Instances of a group: of a fleet few that count for much, or many that count for little.
fn instances(group: &Group) -> Range {
    let units = [group.count, group.fleet.as_ref().map_or(0, |fleet| fleet.spot)];
    let if_each_counts = |weight: u32| units.into_iter().map(|units| u64::from(units.div_ceil(weight.max(1)))).sum();
    let weights = || group.types().map(|(_, weight)| weight);
    Range { least: if_each_counts(weights().max().unwrap_or(1)), most: if_each_counts(weights().min().unwrap_or(1)) }
}

fn broadcast(wanted: &Weights, cache: &Path, spread: &Spread) -> Broadcast {
    let Size { bytes, known } = weights::size(wanted, cache);
    let to = spread.nodes.filter(|_| spread.executor.is_some());
    Broadcast { source: weights::source(wanted), bytes, known, sent: to.map(|nodes| nodes.times(bytes)) }
}

fn places(stack: &Stack, features: &FeatureJob, lang: Lang) -> Places {
    let account = stack.account.as_deref().unwrap_or(NO_ACCOUNT);
    let url = |place| blueprint::url(stack, place, account);
    Places {
        region: region(stack.region, lang),
        input: url(&features.input),
        output: url(&features.output),
        home: blueprint::home_name(stack, account),
        buckets: stack.buckets.keys().filter_map(|key| stack.bucket_name(key, account)).collect(),
        kms: stack.kms_key.is_some(),
    }
}

/// Where a region stands, as people of that language call it.
pub fn region(region: EuRegion, lang: Lang) -> &'static str {
    match (lang, region) {
        (Lang::Fr, EuRegion::EuCentral1) => "Francfort",
        (Lang::Fr, EuRegion::EuSouth1) => "Milan",
        (Lang::Fr, EuRegion::EuSouth2) => "Espagne",
        (Lang::Fr, EuRegion::EuWest1) => "Irlande",
        (Lang::Fr, EuRegion::EuscDeEast1) => "Brandebourg, cloud souverain européen",
        (Lang::En, _) | (Lang::Fr, EuRegion::EuNorth1 | EuRegion::EuWest3) => region.place(),
    }
}

/// Images that a job would find, as far as declared uploads of this machine tell: files that end as images do.
pub fn images(stack: &Stack, features: &FeatureJob) -> Option<u64> {
    let uploads: Vec<_> = stack.uploads.iter().filter(|upload| features.input.holds(&upload.to)).collect();
    let looked = uploads.iter().map(|upload| sync::look(upload).ok().flatten());
    let counts = looked.map(|look| look.map(|look| look.images() as u64)).collect::<Option<Vec<_>>>()?;
    (!counts.is_empty()).then(|| counts.into_iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(cluster: &str, conf: &str) -> Stack {
        let text = format!(
            "stack: s\nregion: eu-central-1\nowner: o@fruits.example\nbuckets: {{data: {{}}}}\ncluster: {{release: emr-7.12.0, {cluster}}}\n\
             bootstrap: [{{name: python, template: bootstrap/python_packages.sh.j2, packages: {{tensorflow: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}}}}]\n\
             jobs: {{features: {{template: jobs/fruit_features.py.j2, input: data/images/, output: data/{conf}}}}}\n"
        );
        crate::stack::load_text("s.yaml", text, Path::new("")).expect("a stack").stack
    }

    fn facts(cluster: &str, conf: &str) -> Facts {
        let (stack, nowhere) = (stack(cluster, conf), Path::new("/nonexistent"));
        let job = &stack.jobs["features"];
        Facts::of(&stack, job, job.features().expect("of a template"), Lang::Fr, nowhere)
    }

    const TWO: &str = "primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}";

    #[test]
    fn bytes_times_executors_is_what_is_broadcast() {
        let Facts { spread, broadcast, places } = facts(TWO, "");
        assert_eq!(spread.nodes, Some(Range { least: 2, most: 2 }));
        assert_eq!(spread.executor, Some(Executor { cores: 4, heap: 4096, overhead: 6144 }));
        assert_eq!(spread.workers, Some(Range { least: 8, most: 8 }));
        let sent = Some(Range { least: 18_812_928, most: 18_812_928 });
        assert_eq!(broadcast, Broadcast { source: "imagenet", bytes: 9_406_464, known: Known::Published, sent });
        assert_eq!((places.region, places.input.as_str()), ("Francfort", "s3://s-data-<account>/images/"));
    }

    #[test]
    fn what_is_open_is_not_guessed() {
        let alone = facts("primary: {type: m5.xlarge}", "").spread;
        assert_eq!((alone.alone, alone.nodes, alone.executor), (true, None, None));
        let own = facts(TWO, ", conf: {spark.executor.cores: \"1\"}");
        assert_eq!((own.spread.executor, own.spread.own), (None, vec!["spark.executor.cores=1".to_owned()]));
        assert_eq!(own.broadcast.sent, None);
        let scaled = facts(&format!("{TWO}, managed_scaling: {{minimum: 2, maximum: 5}}"), "");
        assert_eq!(scaled.spread.nodes, Some(Range { least: 2, most: 5 }));
        let weights = facts(TWO, ", model: {weights: registry}").broadcast;
        assert_eq!((weights.bytes, weights.known), (9_031_936, Known::Counted), "the least that they can be");
    }

    #[test]
    fn a_fleet_has_as_many_nodes_as_its_weights_let_it_have() {
        let fleet = "primary: {type: m5.xlarge, fleet: {}}, core: {type: m5.xlarge, count: 4, fleet: {or: [m5.2xlarge], weights: {m5.2xlarge: 2}}}";
        assert_eq!(facts(fleet, "").spread.nodes, Some(Range { least: 2, most: 4 }));
    }
}
