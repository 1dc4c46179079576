//! Clusters as EMR tells them, turned into the type the stack is turned into. ListClusters knows no tags, so
//! names narrow the search and the tags of the described cluster decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_emr::primitives::DateTime;
use aws_sdk_emr::types::{
    Cluster as Described, ClusterState, ClusterStateChangeReasonCode as Code, ClusterStatus, ClusterSummary,
    Configuration as EmrConfiguration,
};
use futures::future::try_join_all;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::there::{self, Part, There};
use super::{Changeable, Cluster, Configuration, Digests, Fixed, Life, NAME, Scaling, groups, life, scaling};
use crate::cloud::clusters::ACTIVE;
use crate::cloud::error::{CloudError, call};
use crate::cloud::mark::{Lost, Mark, marked, own_tags};
use crate::cloud::promise::{EXPIRES, LIFTABLE};
use crate::resource::{Address, Cx, Id, Live, Phase, Ref};

/// The tag that ties a cluster to the intent it was asked for with.
pub(super) const NONCE: &str = "fruitsinfra:nonce";

const ENDED: [ClusterState; 2] = [ClusterState::Terminated, ClusterState::TerminatedWithErrors];

/// What EMR tells instead of a secret.
const MASK: &str = "********";

/// How far back an ended cluster is worth telling.
const HISTORY_HOURS: i64 = 7 * 24;

/// Ours that are active; if none is, the newest that ended.
pub(super) async fn list(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    let prefix = format!("{}-", cx.stack);
    let active = summaries(cx, &ACTIVE, None, &prefix).await?;
    let found = try_join_all(active.iter().map(|summary| ours(cx, summary))).await?;
    let found: Vec<Ours> = found.into_iter().flatten().collect();
    if !found.is_empty() {
        let are_twins = found.len() > 1;
        return try_join_all(found.into_iter().map(|one| read(cx, one, are_twins))).await;
    }
    let since = cx.clock.now().saturating_sub(HISTORY_HOURS.hours()).ok();
    let mut ended = summaries(cx, &ENDED, since, &prefix).await?;
    ended.sort_by_key(|summary| std::cmp::Reverse(created(summary.status.as_ref())));
    for summary in &ended {
        if let Some(one) = ours(cx, summary).await? {
            return Ok(vec![read(cx, one, false).await?]);
        }
    }
    Ok(vec![])
}

/// The cluster born with this nonce, unless it has ended or is about to.
pub(super) async fn by_nonce(cx: &Cx, name: &str, nonce: &str, asked: Timestamp) -> Result<Option<Id>, CloudError> {
    let since = asked.saturating_sub(1.minute()).ok();
    let usable: Vec<_> = ACTIVE.into_iter().filter(|state| *state != ClusterState::Terminating).collect();
    for summary in summaries(cx, &usable, since, name).await? {
        let id = Id(summary.id.unwrap_or_default());
        let cluster = life::describe(cx, &id).await?;
        if tags(&cluster).get(NONCE).is_some_and(|found| found == nonce) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

async fn summaries(
    cx: &Cx,
    states: &[ClusterState],
    since: Option<Timestamp>,
    prefix: &str,
) -> Result<Vec<ClusterSummary>, CloudError> {
    let since = since.map(|at| DateTime::from_secs(at.as_second()));
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let page = cx.cloud.emr.list_clusters().set_cluster_states(Some(states.to_vec()));
        let page = call("emr ListClusters", page.set_created_after(since).set_marker(marker).send()).await?;
        found.extend(
            page.clusters.unwrap_or_default().into_iter().filter(|c| c.name().is_some_and(|n| n.starts_with(prefix))),
        );
        marker = page.marker;
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// A cluster that bears the stack's mark.
struct Ours {
    id: Id,
    described: Described,
    mark: Mark,
    key: String,
}

/// The cluster behind a name, if it is this stack's: another's may begin alike.
async fn ours(cx: &Cx, summary: &ClusterSummary) -> Result<Option<Ours>, CloudError> {
    let id = Id(summary.id.clone().unwrap_or_default());
    let described = life::describe(cx, &id).await?;
    let main = format!("{}-main", cx.stack);
    let Some(mark) = Mark::read(&tags(&described), &cx.stack) else {
        let state = described.status.as_ref().and_then(|status| status.state.clone());
        let named = described.name().is_some_and(|name| name == main || name.starts_with(&format!("{main} ")));
        if named && !marked(&tags(&described)) && state.is_some_and(|state| ACTIVE.contains(&state)) {
            let lost = cx.mark(&Cluster::at("main")).lost(&Lost::Cluster(&id.0));
            cx.say(&Address::new(NAME, &id.0), format!("it runs and costs by the hour; {lost}"));
        }
        return Ok(None);
    };
    let key = mark.key(NAME).map(str::to_owned);
    Ok(key.map(|key| Ours { id, described, mark, key }))
}

/// All that is compared of it.
async fn read(cx: &Cx, one: Ours, is_twin: bool) -> Result<Live, CloudError> {
    let Ours { id, described: cluster, mark, key } = one;
    let status = cluster.status.clone().unwrap_or_else(|| ClusterStatus::builder().build());
    let phase = phase(&status);
    let ended = matches!(phase, Phase::Ended(_));
    // An ended cluster is history: nobody compares it.
    let (policies, has_steps) = if ended {
        (Policies::default(), false)
    } else {
        let (groups, idle, scaling, steps) = futures::join!(
            there::list(cx, &id, there::has_fleets(&cluster)),
            idle(cx, &id),
            scaling::attached(cx, &id),
            has_steps(cx, &id, is_twin)
        );
        (Policies { groups: groups?, idle: idle?, scaling: scaling? }, steps?)
    };
    let life = Life {
        state: status.state.as_ref().map_or_else(String::new, |state| state.as_str().to_owned()),
        created: created(Some(&status)),
        log_bucket: cluster.log_uri().and_then(|uri| uri.split("://").nth(1)?.split('/').next()).map(Ref::id),
        facts: facts(&id, &cluster, &status),
        phase,
        has_steps,
    };
    let cluster = projected(key, &cluster, policies, life);
    Ok(Live { id, resource: Arc::new(cluster), mark })
}

/// What has calls of its own.
#[derive(Default)]
struct Policies {
    groups: Vec<There>,
    idle: Option<i64>,
    scaling: Option<Scaling>,
}

/// EMR's description as the fields that are compared.
fn projected(key: String, cluster: &Described, policies: Policies, life: Life) -> Cluster {
    let Policies { groups: found, idle, scaling: managed_scaling } = policies;
    let all_tags = tags(cluster);
    let ec2 = cluster.ec2_instance_attributes();
    let of = |part: Part| found.iter().find(move |there| there.part == part);
    let described = |there: &There| groups::called(there.name(), there.called(), &there.kind());
    let group_ref = |id: Option<&str>| Ref::id(id.unwrap_or_default());
    let name_of = |role: Option<&str>| role.and_then(|role| role.rsplit('/').next()).unwrap_or_default().to_owned();
    let digests = Digests::read(&all_tags);
    let tasks = || found.iter().filter(|there| there.part == Part::Task);
    let born = |task: &There| all_tags.get(&groups::born_tag(task.name())).map_or("", String::as_str);
    // One that is not wanted is sized to 0; under managed scaling EMR may have done that, and fills it again.
    let wanted = |group: &&There| managed_scaling.is_some() || group.count() > 0;
    let fixed = Fixed {
        release: cluster.release_label().unwrap_or_default().to_owned(),
        os_release: cluster.os_release_label.clone(),
        // EMR writes s3n:// where it was told s3://.
        logs: cluster.log_uri().map(|uri| uri.replacen("s3n://", "s3://", 1)),
        subnet: ec2.and_then(|e| e.ec2_subnet_id.clone()).unwrap_or_default(),
        key_pair: ec2.and_then(|e| e.ec2_key_name.clone()).filter(|name| !name.is_empty()),
        service_role: Ref::id(name_of(cluster.service_role())),
        instance_profile: Ref::id(name_of(ec2.and_then(|e| e.iam_instance_profile()))),
        primary_group: group_ref(ec2.and_then(|e| e.emr_managed_master_security_group())),
        core_group: group_ref(ec2.and_then(|e| e.emr_managed_slave_security_group())),
        // One that was not asked for is EMR's own choice.
        service_group: ec2
            .and_then(|e| e.service_access_security_group.clone())
            .filter(|id| !id.is_empty() && !digests.service_group.is_empty())
            .map(Ref::id),
        primary: of(Part::Primary).map(described).unwrap_or_default(),
        primary_count: of(Part::Primary).map_or(1, There::count),
        core: of(Part::Core).map(described),
        auto_scaling_role: cluster.auto_scaling_role().map(|role| name_of(Some(role))).filter(|name| !name.is_empty()),
        scale_down: cluster.scale_down_behavior.as_ref().map(|b| b.as_str().to_owned()).unwrap_or_default(),
        security_configuration: cluster.security_configuration.clone().filter(|name| !name.is_empty()),
        custom_ami: cluster.custom_ami_id.clone().filter(|id| !id.is_empty()),
        task_groups: Some(
            tasks().map(|task| (task.name().to_owned(), groups::unsized_words(&task.kind(), born(task)))).collect(),
        ),
        digests,
    };
    let words = |task: &There| groups::words(&groups::size(task.capacity, task.fleet), &task.kind(), born(task));
    let changeable = Changeable {
        core_count: Some(of(Part::Core).map_or(0, |core| groups::counted(core.capacity, core.fleet))),
        core_spot: Some(of(Part::Core).map_or(0, |core| core.capacity[1])),
        task: Some(tasks().filter(|task| task.count() > 0).map(|task| (task.name().to_owned(), words(task))).collect()),
        group_configurations: found
            .iter()
            .filter(|there| !there.configurations.is_empty())
            .filter(wanted)
            .map(|there| (there.called().to_owned(), configurations(&there.configurations)))
            .collect(),
        managed_scaling,
        idle,
        keep_alive: cluster.auto_terminate != Some(true),
        termination_protection: cluster.termination_protected == Some(true),
        lift_protection: all_tags.get(LIFTABLE).is_some_and(|said| said == "true"),
        step_concurrency: cluster.step_concurrency_level.unwrap_or(1),
        expires: all_tags.get(EXPIRES).and_then(|at| at.parse().ok()),
        tags: own_tags(&all_tags),
    };
    Cluster {
        key,
        name: cluster.name().unwrap_or_default().to_owned(),
        fixed,
        changeable,
        birth: None,
        life: Some(life),
    }
}

/// Configurations in one canonical form, however AWS cases and masks them.
pub(super) fn configurations(live: &[EmrConfiguration]) -> Value {
    let one = |c: &EmrConfiguration| {
        let properties = c.properties().into_iter().flatten().map(|(k, v)| told(k, v));
        canonical(c.classification().unwrap_or_default(), properties, &configurations(c.configurations()))
    };
    live.iter().map(one).collect()
}

/// The same form of what the stack says.
pub(super) fn wanted(configurations: &[Configuration]) -> Value {
    let one = |c: &Configuration| {
        let properties = c.properties.iter().map(|(k, v)| told(k, v));
        canonical(&c.classification, properties, &wanted(&c.configurations))
    };
    configurations.iter().map(one).collect()
}

fn canonical<'a>(classification: &str, properties: impl Iterator<Item = (&'a str, &'a str)>, inner: &Value) -> Value {
    json!([classification.to_lowercase(), properties.collect::<BTreeMap<_, _>>(), inner])
}

/// A property as EMR tells it: secrets are masked, so that only their presence can be compared.
fn told<'a>(name: &'a str, value: &'a str) -> (&'a str, &'a str) {
    let lower = name.to_lowercase();
    let secret = ["password", "secret"].iter().any(|word| lower.contains(word)) || value == MASK;
    (name, if secret { MASK } else { value })
}

pub(super) fn tags(cluster: &Described) -> BTreeMap<String, String> {
    let tags = cluster.tags.iter().flatten();
    tags.filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}

async fn idle(cx: &Cx, id: &Id) -> Result<Option<i64>, CloudError> {
    let get = cx.cloud.emr.get_auto_termination_policy().cluster_id(&id.0).send();
    Ok(call("emr GetAutoTerminationPolicy", get).await?.auto_termination_policy.and_then(|p| p.idle_timeout))
}

/// Only twins are asked: the one with work stays.
async fn has_steps(cx: &Cx, id: &Id, asked: bool) -> Result<bool, CloudError> {
    if !asked {
        return Ok(false);
    }
    let steps = call("emr ListSteps", cx.cloud.emr.list_steps().cluster_id(&id.0).send()).await?;
    Ok(!steps.steps().is_empty())
}

fn millis(at: Option<&DateTime>) -> Option<i64> {
    at.and_then(|at| at.to_millis().ok())
}

fn created(status: Option<&ClusterStatus>) -> i64 {
    let timeline = status.and_then(|status| status.timeline.as_ref());
    millis(timeline.and_then(|t| t.creation_date_time.as_ref())).unwrap_or_default()
}

fn phase(status: &ClusterStatus) -> Phase {
    match &status.state {
        Some(ClusterState::Starting | ClusterState::Bootstrapping) => Phase::Starting,
        Some(ClusterState::Terminating) => Phase::Ending,
        Some(ClusterState::Terminated | ClusterState::TerminatedWithErrors) => Phase::Ended(ending(status)),
        _ => Phase::Standing,
    }
}

/// `2026-11-23 02:14 by its idle policy`.
fn ending(status: &ClusterStatus) -> String {
    let end = status.timeline.as_ref().and_then(|t| millis(t.end_date_time.as_ref()));
    let end = end.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let when =
        end.map_or_else(|| "at a time EMR does not tell".into(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
    let reason = status.state_change_reason.as_ref();
    let message = reason.and_then(|r| r.message.as_deref()).unwrap_or_default();
    let how = match reason.and_then(|r| r.code.as_ref()) {
        Some(Code::UserRequest) => "on request".to_owned(),
        Some(Code::AllStepsCompleted) if message.to_lowercase().contains("auto-terminat") => {
            "by its idle policy".to_owned()
        }
        Some(Code::AllStepsCompleted) => "after its last step".to_owned(),
        Some(code) => format!("with {}: {message}", code.as_str()),
        None => message.to_owned(),
    };
    format!("{when} {how}")
}

fn facts(id: &Id, cluster: &Described, status: &ClusterStatus) -> Value {
    let at =
        |at: Option<&DateTime>| millis(at).and_then(|ms| Timestamp::from_millisecond(ms).ok()).map(|at| at.to_string());
    let timeline = status.timeline.as_ref();
    json!({
        "id": id.0,
        "state": status.state.as_ref().map(ClusterState::as_str),
        "since": at(timeline.and_then(|t| t.creation_date_time.as_ref())),
        "ready": at(timeline.and_then(|t| t.ready_date_time.as_ref())),
        "ended": at(timeline.and_then(|t| t.end_date_time.as_ref())),
        "reason": status.state_change_reason.as_ref().and_then(|r| r.message.clone()).filter(|m| !m.is_empty()),
        "expires": tags(cluster).get(EXPIRES),
        "primary": cluster.master_public_dns_name,
        "logs": cluster.log_uri().map(|uri| uri.replacen("s3n://", "s3://", 1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_compare_equal_however_emr_cases_and_masks_them() {
        let ours = Configuration {
            classification: "Spark-Env".into(),
            properties: [("DB_PASSWORD".into(), "hidden".into()), ("A".into(), "1".into())].into(),
            configurations: vec![],
        };
        let told = EmrConfiguration::builder().classification("spark-env");
        let told = told.properties("A", "1").properties("DB_PASSWORD", MASK).build();
        assert_eq!(configurations(&[told]), wanted(std::slice::from_ref(&ours)));
        let other = EmrConfiguration::builder().classification("spark-env").properties("A", "2").build();
        assert_ne!(configurations(&[other]), wanted(&[ours]));
    }
}
