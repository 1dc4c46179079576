//! Every cluster of a region in as few calls as can be, as plain facts: a paged listing, the tags and types of all of
//! them from their instances, their metrics in batches. One alone is described only where that is asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, ScanBy};
use aws_sdk_ec2::types::{Filter, Instance, InstanceLifecycleType};
use aws_sdk_emr::types::{ClusterState, ClusterStatus, Tag};
use jiff::Timestamp;

use crate::cloud::Cloud;
use crate::cloud::clock::moment_of;
use crate::cloud::error::{CloudError, call};

/// The states of a cluster that has not ended.
pub const ACTIVE: [ClusterState; 5] = [
    ClusterState::Starting,
    ClusterState::Bootstrapping,
    ClusterState::Running,
    ClusterState::Waiting,
    ClusterState::Terminating,
];

/// The tag by which EMR's own instances are known.
const JOB_FLOW: &str = "aws:elasticmapreduce:job-flow-id";

/// EMR's points: one in five minutes, one a minute under managed scaling.
pub const PERIOD: Duration = Duration::from_mins(5);

/// What GetMetricData takes and gives at most: queries in a call, points in an answer.
const QUERIES: usize = 500;
const POINTS: usize = 100_000;

/// What is asked of each cluster, and how points of a minute become one of five: idle means idle throughout.
pub const METRICS: [(&str, &str); 6] = [
    ("IsIdle", "Minimum"),
    ("AppsRunning", "Maximum"),
    ("AppsPending", "Maximum"),
    ("ContainerAllocated", "Maximum"),
    ("YARNMemoryAvailablePercentage", "Average"),
    ("HDFSUtilization", "Average"),
];

/// A cluster as the listing tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: String,
    pub name: String,
    /// EMR's word.
    pub state: String,
    pub created: Option<Timestamp>,
    pub ready: Option<Timestamp>,
}

/// What its instances tell of it: EMR gives them its tags.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fleet {
    pub tags: BTreeMap<String, String>,
    /// Type, whether it is a spot instance, and since when, an instance each.
    pub nodes: Vec<(String, bool, Option<Timestamp>)>,
}

/// One as EMR describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    pub listed: Listed,
    pub tags: BTreeMap<String, String>,
    pub protected: bool,
}

/// One metric of one cluster, oldest point first; what is missing is not there.
pub type Series = BTreeMap<Timestamp, f64>;

fn listed(id: Option<String>, name: Option<String>, status: Option<&ClusterStatus>) -> Listed {
    let timeline = status.and_then(|status| status.timeline.as_ref());
    let at = |told: Option<&aws_sdk_emr::primitives::DateTime>| told.and_then(moment_of);
    Listed {
        id: id.unwrap_or_default(),
        name: name.unwrap_or_default(),
        state: status.and_then(|status| status.state.as_ref()).map_or_else(String::new, |s| s.as_str().to_owned()),
        created: at(timeline.and_then(|timeline| timeline.creation_date_time.as_ref())),
        ready: at(timeline.and_then(|timeline| timeline.ready_date_time.as_ref())),
    }
}

fn is_of_emr() -> [Filter; 2] {
    let filter = |name: &str, values: &[&str]| {
        Filter::builder().name(name).set_values(Some(values.iter().map(|v| (*v).to_owned()).collect())).build()
    };
    [filter("tag-key", &[JOB_FLOW]), filter("instance-state-name", &["pending", "running"])]
}

impl Cloud {
    /// Every cluster that has not ended.
    pub async fn active_clusters(&self) -> Result<Vec<Listed>, CloudError> {
        let (mut found, mut marker) = (Vec::new(), None);
        loop {
            let page = self.emr.list_clusters().set_cluster_states(Some(ACTIVE.into())).set_marker(marker).send();
            let page = call("emr ListClusters", page).await?;
            let clusters = page.clusters.unwrap_or_default().into_iter();
            found.extend(clusters.map(|cluster| listed(cluster.id, cluster.name, cluster.status.as_ref())));
            marker = page.marker;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// The instances of all clusters, by cluster.
    pub async fn fleets(&self) -> Result<BTreeMap<String, Fleet>, CloudError> {
        let (mut fleets, mut token) = (BTreeMap::<String, Fleet>::new(), None);
        loop {
            let page = self.ec2.describe_instances().set_filters(Some(is_of_emr().into())).max_results(1000);
            let page = call("ec2 DescribeInstances", page.set_next_token(token).send()).await?;
            let instances =
                page.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
            for instance in instances {
                let tags = tags_of(&instance);
                if let Some(cluster) = tags.get(JOB_FLOW) {
                    let fleet = fleets.entry(cluster.clone()).or_default();
                    let kind =
                        instance.instance_type.as_ref().map_or_else(String::new, |kind| kind.as_str().to_owned());
                    let spot = instance.instance_lifecycle == Some(InstanceLifecycleType::Spot);
                    fleet.nodes.push((kind, spot, instance.launch_time.as_ref().and_then(moment_of)));
                    fleet.tags.extend(tags);
                }
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(fleets);
            }
        }
    }

    /// The metrics of these clusters since then, by cluster and in the order of [`METRICS`], and how many were asked
    /// for: each of them costs. A cluster or a point without data is not there.
    pub async fn metrics(
        &self,
        clusters: &[(String, Timestamp)],
        until: Timestamp,
    ) -> Result<(BTreeMap<String, [Series; METRICS.len()]>, usize), CloudError> {
        let mut found: BTreeMap<String, [Series; METRICS.len()]> = BTreeMap::new();
        let mut asked = 0;
        // The longest look back decides how many go into one call, so like goes with like.
        let mut rest: Vec<&(String, Timestamp)> = clusters.iter().collect();
        rest.sort_by_key(|(_, since)| *since);
        while let Some((_, since)) = rest.first() {
            let points = usize::try_from(until.duration_since(*since).as_secs() / 300 + 1).unwrap_or(1).max(1);
            let most = (QUERIES.min(POINTS / points) / METRICS.len()).clamp(1, rest.len());
            let batch: Vec<_> = rest.drain(..most).collect();
            asked += batch.len() * METRICS.len();
            let queries: Vec<_> = (0..).zip(&batch).flat_map(|(n, of)| queries(n, &of.0)).collect();
            let mut token = None;
            loop {
                let get = self.cloudwatch.get_metric_data().set_metric_data_queries(Some(queries.clone()));
                let get = get.start_time(told(*since)).end_time(told(until)).scan_by(ScanBy::TimestampAscending);
                let page = call("cloudwatch GetMetricData", get.set_next_token(token).send()).await?;
                for result in page.metric_data_results.unwrap_or_default() {
                    let Some((cluster, metric)) = result.id.as_deref().and_then(place) else { continue };
                    let Some((id, _)) = batch.get(cluster).filter(|_| metric < METRICS.len()) else { continue };
                    let moments = result.timestamps.unwrap_or_default();
                    let points = moments.iter().zip(result.values.unwrap_or_default());
                    let points = points.filter_map(|(at, value)| Some((moment_of(at)?, value)));
                    found.entry(id.clone()).or_default()[metric].extend(points);
                }
                token = page.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    break;
                }
            }
        }
        Ok((found, asked))
    }

    /// One cluster as it is now, with its tags as EMR itself has them.
    pub async fn describe(&self, id: &str) -> Result<Described, CloudError> {
        let answer = call("emr DescribeCluster", self.emr.describe_cluster().cluster_id(id).send()).await?;
        let cluster = answer.cluster.ok_or_else(|| CloudError::failed(format!("EMR describes {id} as nothing")))?;
        let tags = cluster.tags.unwrap_or_default().into_iter();
        Ok(Described {
            tags: tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect(),
            protected: cluster.termination_protected.unwrap_or_default(),
            listed: listed(cluster.id, cluster.name, cluster.status.as_ref()),
        })
    }

    /// Puts one tag on a cluster.
    pub async fn tag_cluster(&self, id: &str, key: &str, value: &str) -> Result<(), CloudError> {
        let add = self.emr.add_tags().resource_id(id).tags(Tag::builder().key(key).value(value).build());
        call("emr AddTags", add.send()).await.map(drop)
    }

    /// Puts its termination protection, or lifts it.
    pub async fn protect(&self, id: &str, protected: bool) -> Result<(), CloudError> {
        let set = self.emr.set_termination_protection().job_flow_ids(id).termination_protected(protected);
        call("emr SetTerminationProtection", set.send()).await.map(drop)
    }

    /// Asks for the end of a cluster; it takes minutes.
    pub async fn terminate(&self, id: &str) -> Result<(), CloudError> {
        call("emr TerminateJobFlows", self.emr.terminate_job_flows().job_flow_ids(id).send()).await.map(drop)
    }
}

fn told(at: Timestamp) -> DateTime {
    DateTime::from_secs(at.as_second())
}

fn tags_of(instance: &Instance) -> BTreeMap<String, String> {
    instance.tags().iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect()
}

/// The queries of one cluster: `m3_1` is the second metric of the fourth.
fn queries(cluster: usize, id: &str) -> Vec<MetricDataQuery> {
    let query = |(n, (name, statistic)): (usize, &(&str, &str))| {
        let dimension = Dimension::builder().name("JobFlowId").value(id).build();
        let metric =
            Metric::builder().namespace("AWS/ElasticMapReduce").metric_name(*name).dimensions(dimension).build();
        let stat = MetricStat::builder().metric(metric).period(300).stat(*statistic).build();
        MetricDataQuery::builder().id(format!("m{cluster}_{n}")).metric_stat(stat).build()
    };
    METRICS.iter().enumerate().map(query).collect()
}

fn place(query: &str) -> Option<(usize, usize)> {
    let (cluster, metric) = query.strip_prefix('m')?.split_once('_')?;
    Some((cluster.parse().ok()?, metric.parse().ok()?))
}
