//! The cluster of a proof: as EMR describes it now, or the last one, with its steps. Nothing of its own is kept or assumed.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::facts::World;
use crate::blueprint::home_name;
use crate::cloud::error::CloudError;
use crate::cloud::steps::Step;

#[derive(Debug, Serialize)]
pub struct Cluster {
    pub id: String,
    pub state: String,
    pub release: String,
    /// `eu-west-3a`.
    pub zone: String,
    /// Whether that is a zone of the stack's region.
    pub here: bool,
    pub began: Option<String>,
    pub ended: Option<String>,
    /// Names and versions, as EMR tells them.
    pub applications: Vec<String>,
    /// `CORE: 2 x m5.xlarge, ON_DEMAND`.
    pub nodes: Vec<String>,
    pub bootstrap: Vec<String>,
    pub logs: Option<String>,
    /// Whether the logs lie in a bucket of this stack.
    pub logs_here: bool,
    /// After how many seconds without work EMR ends it.
    pub idle_seconds: Option<u64>,
    /// When AWS itself ends it.
    pub expires: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct StepRecord {
    pub id: String,
    pub name: String,
    pub state: String,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub seconds: Option<f64>,
}

/// The cluster as EMR describes it, with its steps.
pub(super) async fn cluster(world: World<'_>) -> Result<(Option<Cluster>, Vec<StepRecord>), CloudError> {
    let Some(live) = world.cluster else { return Ok((None, vec![])) };
    let cloud = &world.cx.cloud;
    let (described, steps) = futures::try_join!(cloud.described(&live.id.0), cloud.steps(&live.id.0))?;
    let facts = live.resource.facts();
    Ok((Some(of_cluster(world, &described["Cluster"], &facts)), steps.into_iter().map(record).collect()))
}

fn of_cluster(World { stack, account, .. }: World<'_>, described: &Value, facts: &Value) -> Cluster {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let word = |value: &Value| text(value).unwrap_or_default();
    let zone = word(&described["Ec2InstanceAttributes"]["Ec2AvailabilityZone"]);
    let each = |key: &str| described[key].as_array().into_iter().flatten();
    let logs = text(&facts["logs"]);
    let own = |uri: &String| {
        let bucket = uri.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        bucket == home_name(stack, account)
            || stack.buckets.keys().any(|key| stack.bucket_name(key, account).as_deref() == Some(bucket))
    };
    Cluster {
        id: word(&facts["id"]),
        state: word(&facts["state"]),
        release: word(&described["ReleaseLabel"]),
        here: zone.starts_with(stack.region.as_str()),
        zone,
        began: text(&facts["since"]),
        ended: text(&facts["ended"]),
        applications: each("Applications")
            .map(|of| format!("{} {}", word(&of["Name"]), word(&of["Version"])))
            .collect(),
        nodes: each("InstanceGroups").map(group).chain(each("InstanceFleets").map(fleet)).collect(),
        bootstrap: each("BootstrapActions").map(|of| word(&of["Name"])).collect(),
        logs_here: logs.as_ref().is_some_and(own),
        logs,
        idle_seconds: described["AutoTerminationPolicy"]["IdleTimeout"].as_u64(),
        expires: text(&facts["expires"]),
    }
}

fn group(of: &Value) -> String {
    let word = |key: &str| of[key].as_str().unwrap_or_default().to_owned();
    let count = of["RequestedInstanceCount"].as_i64().unwrap_or_default();
    format!("{}: {count} x {}, {}", word("InstanceGroupType"), word("InstanceType"), word("Market"))
}

fn fleet(of: &Value) -> String {
    let types = of["InstanceTypeSpecifications"].as_array().into_iter().flatten();
    let types: Vec<&str> = types.filter_map(|of| of["InstanceType"].as_str()).collect();
    let capacity = |key: &str| of[key].as_i64().unwrap_or_default();
    let (demand, spot) = (capacity("TargetOnDemandCapacity"), capacity("TargetSpotCapacity"));
    let part = of["InstanceFleetType"].as_str().unwrap_or_default();
    format!("{part}: {demand} ON_DEMAND, {spot} SPOT of {}", types.join(", "))
}

fn record(Step { id, name, state, started, ended, .. }: Step) -> StepRecord {
    let seconds = started.zip(ended).map(|(started, ended)| ended.duration_since(started).as_secs_f64());
    StepRecord { id, name, state, started, ended, seconds }
}
