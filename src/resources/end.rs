//! The end of a cluster as AWS itself keeps it: a one-off schedule that ends it, whether or not anybody of ours is
//! still at work. A schedule bears no tags: our mark is its description, sent in the create call, and what lacks it
//! is somebody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::acting::role_arn;
use super::patiently;
use crate::cloud::Cloud;
use crate::cloud::error::{Class, CloudError, Outcome, call};
use crate::cloud::mark::Mark;
use crate::cloud::promise::Promise;
use crate::resource::{Address, Cx, Ref};

/// The group that every account has.
const GROUP: &str = "default";

/// A fresh role reaches Scheduler within this.
const CATCH_UP: Duration = Duration::from_mins(2);

/// What a schedule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The cluster that it ends.
    pub cluster: String,
    /// When, to the second.
    pub at: Timestamp,
    /// The ARN of the role that it ends it as.
    pub role: String,
}

/// One that is there, of this stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub mark: Mark,
    /// `None` if what it says is not what we ever write, or it is switched off: it ends nothing of ours.
    pub end: Option<End>,
}

/// The kind that it is planned as.
pub const NAME: &str = "schedule";

/// Its address.
pub fn address() -> Address {
    Address::new(NAME, "end")
}

/// Its name: one a stack, so that one call finds it.
pub fn name(stack: &str) -> String {
    format!("{stack}-end")
}

/// The stack's schedule, if it has one; one of that name without our mark is refused as another's.
pub async fn read(cloud: &Cloud, stack: &str) -> Result<Option<Found>, CloudError> {
    let name = name(stack);
    let get = cloud.scheduler.get_schedule().group_name(GROUP).name(&name);
    let Some(there) = call("scheduler GetSchedule", get.send()).await.or_absent()? else { return Ok(None) };
    let Some(mark) = mark_of(there.description().unwrap_or_default(), stack) else {
        return Err(CloudError::taken(format!("schedule {name} already exists and is not this stack's")));
    };
    Ok(Some(Found { mark, end: said(&there, &target_arn(cloud)) }))
}

/// What a cluster's end is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub cluster: &'a str,
    pub role: &'a Ref,
    /// Moves it there; without, the end stays what it was, or is what the cluster was promised at birth.
    pub at: Option<Timestamp>,
    /// How long a cluster may live from now on that was promised nothing.
    pub lifetime: Duration,
}

/// Sees to it that the stack's schedule ends this cluster when it should: makes it, changes it, or finds that nothing
/// is to be done.
pub async fn put(cx: &Cx, wanted: &Wanted<'_>) -> Result<(), CloudError> {
    let found = read(&cx.cloud, &cx.stack).await?;
    let was = found.as_ref().and_then(|found| found.end.as_ref()).filter(|end| end.cluster == wanted.cluster);
    let at = match (wanted.at, was) {
        (Some(at), _) => at,
        (None, Some(end)) => end.at,
        (None, None) => {
            let promise = Promise::read(&cx.cloud.describe(wanted.cluster).await?.tags);
            promise.map_or_else(|| cx.clock.now() + wanted.lifetime, |promise| promise.expires)
        }
    };
    if wanted.at.is_none() && was.is_none() && at <= cx.clock.now() {
        let over = format!("the end of {} is over, and it lives: `extend` moves it, `down` ends it", wanted.cluster);
        return Err(CloudError::failed(over));
    }
    let end = End { cluster: wanted.cluster.into(), at, role: role_arn(cx, wanted.role).await? };
    let there = match found {
        Some(there) => there,
        None => match create(cx, &end).await {
            // A reply that was lost, or somebody else's since we looked: the mark tells.
            Err(error) if error.class == Class::Taken => read(&cx.cloud, &cx.stack).await?.ok_or(error)?,
            made => return made,
        },
    };
    if there.end.as_ref() == Some(&end) { Ok(()) } else { update(cx, &end).await }
}

/// Deletes the stack's schedule; one without our mark is refused, and none is well.
pub async fn delete(cloud: &Cloud, stack: &str) -> Result<(), CloudError> {
    if read(cloud, stack).await?.is_none() {
        return Ok(());
    }
    let delete = cloud.scheduler.delete_schedule().group_name(GROUP).name(name(stack));
    call("scheduler DeleteSchedule", delete.send()).await.or_absent().map(drop)
}

async fn create(cx: &Cx, end: &End) -> Result<(), CloudError> {
    let (window, target) = (window()?, target(&cx.cloud, end)?);
    let token = format!("{:032x}", fastrand::u128(..));
    patiently(cx, &address(), CATCH_UP, || {
        let create = cx.cloud.scheduler.create_schedule().group_name(GROUP).name(name(&cx.stack));
        let create = create.description(description(&cx.mark(&address()))).client_token(&token);
        let create = create.schedule_expression(expression(end.at)).schedule_expression_timezone("UTC");
        let create = create.flexible_time_window(window.clone()).target(target.clone());
        // One that has done its work is gone: nothing to tell apart, nothing to clear away.
        let create = create.action_after_completion(ActionAfterCompletion::Delete);
        call("scheduler CreateSchedule", create.send())
    })
    .await
    .map(drop)
}

/// Replaces all of it: what UpdateSchedule is not told goes back to its default.
async fn update(cx: &Cx, end: &End) -> Result<(), CloudError> {
    let (window, target) = (window()?, target(&cx.cloud, end)?);
    patiently(cx, &address(), CATCH_UP, || {
        let update = cx.cloud.scheduler.update_schedule().group_name(GROUP).name(name(&cx.stack));
        let update = update.description(description(&cx.mark(&address()))).state(ScheduleState::Enabled);
        let update = update.schedule_expression(expression(end.at)).schedule_expression_timezone("UTC");
        let update = update.flexible_time_window(window.clone()).target(target.clone());
        let update = update.action_after_completion(ActionAfterCompletion::Delete);
        call("scheduler UpdateSchedule", update.send())
    })
    .await
    .map(drop)
}

fn window() -> Result<FlexibleTimeWindow, CloudError> {
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build();
    window.map_err(|e| CloudError::bug(e.to_string()))
}

fn target(cloud: &Cloud, end: &End) -> Result<Target, CloudError> {
    let target = Target::builder().arn(target_arn(cloud)).role_arn(&end.role).input(input(&end.cluster)).build();
    target.map_err(|e| CloudError::bug(e.to_string()))
}

/// Scheduler's universal target that makes one call of EMR's.
fn target_arn(cloud: &Cloud) -> String {
    cloud.region.arn("scheduler", false, "", "aws-sdk:emr:terminateJobFlows")
}

fn input(cluster: &str) -> String {
    json!({ "JobFlowIds": [cluster] }).to_string()
}

fn cluster_of(input: &str) -> Option<String> {
    let input: Value = serde_json::from_str(input).ok()?;
    let [cluster] = input.get("JobFlowIds")?.as_array()?.as_slice() else { return None };
    cluster.as_str().map(Into::into)
}

/// `at(2026-01-31T18:00:00)`, in UTC.
fn expression(at: Timestamp) -> String {
    at.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string()
}

fn moment_of(expression: &str) -> Option<Timestamp> {
    let at: DateTime = expression.strip_prefix("at(")?.strip_suffix(')')?.parse().ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

fn description(mark: &Mark) -> String {
    json!(mark.tags()).to_string()
}

fn mark_of(description: &str, stack: &str) -> Option<Mark> {
    let tags: BTreeMap<String, String> = serde_json::from_str(description).ok()?;
    Mark::read(&tags, stack).filter(|mark| mark.address == address().to_string())
}

fn said(there: &GetScheduleOutput, arn: &str) -> Option<End> {
    let off = there.state().is_some_and(|state| *state != ScheduleState::Enabled);
    let elsewhere = there.schedule_expression_timezone().is_some_and(|zone| zone != "UTC");
    let target = there.target().filter(|target| !off && !elsewhere && target.arn() == arn)?;
    let at = moment_of(there.schedule_expression()?)?;
    Some(End { cluster: cluster_of(target.input()?)?, at, role: target.role_arn().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_schedule_is_told_reads_back_and_what_is_not_ours_does_not() {
        let at: Timestamp = "2026-01-31T18:00:00Z".parse().expect("a moment");
        assert_eq!(expression(at), "at(2026-01-31T18:00:00)");
        assert_eq!(moment_of(&expression(at)), Some(at));
        assert_eq!(moment_of("rate(1 hour)"), None);
        assert_eq!(cluster_of(&input("j-1")), Some("j-1".into()));
        assert_eq!(cluster_of(r#"{"JobFlowIds":["j-1","j-2"]}"#), None);
        let mark = Mark { stack: "demo".into(), address: "schedule/end".into(), owner: "ops".into() };
        assert_eq!(mark_of(&description(&mark), "demo"), Some(mark.clone()));
        assert_eq!(mark_of(&description(&mark), "other"), None);
        assert_eq!(mark_of("ends the nightly cluster", "demo"), None);
    }
}
