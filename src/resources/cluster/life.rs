//! A cluster's life as it is waited for: until it can be used, until it is gone. Every wait has an end, and
//! a failed start tells the end of the log that explains it.

use std::time::Duration;

use aws_sdk_emr::types::{Cluster as Described, ClusterState, ClusterStateChangeReasonCode as Code};

use crate::cloud::error::{Class, CloudError, call};
use crate::cloud::logs;
use crate::resource::{Address, Cx, Id, Phase};
use crate::resources::wait;
use crate::text::lasting;

const POLL: Duration = Duration::from_secs(10);

/// A start takes 5 to 10 minutes; capacity that is not there shows within half an hour.
const START: Duration = Duration::from_mins(45);

/// TerminateJobFlows takes 1 to 5 minutes, with the upload of logs.
const END: Duration = Duration::from_mins(20);

/// Why a cluster did not come up.
#[derive(Debug)]
pub(super) enum Failure {
    /// EMR could not use a role that IAM had just made: works the next time.
    FreshRole(String),
    Other(CloudError),
}

impl Failure {
    pub(super) fn into_error(self) -> CloudError {
        match self {
            Self::FreshRole(why) => CloudError::failed(why),
            Self::Other(error) => error,
        }
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        Self::Other(error)
    }
}

/// Waits until the cluster can be used.
pub(super) async fn settle(cx: &Cx, address: &Address, id: &Id) -> Result<(), Failure> {
    let begun = cx.clock.now();
    loop {
        let cluster = describe(cx, id).await?;
        let status = cluster.status.clone().unwrap_or_else(|| aws_sdk_emr::types::ClusterStatus::builder().build());
        let waited = cx.clock.since(begun);
        match &status.state {
            Some(ClusterState::Waiting | ClusterState::Running) => return Ok(()),
            Some(ClusterState::Terminating | ClusterState::Terminated | ClusterState::TerminatedWithErrors) => {
                return Err(explain(cx, address, id, &cluster).await?);
            }
            state => {
                let state = state.as_ref().map_or("unknown", ClusterState::as_str);
                cx.say(address, format!("{id} is {state} for {} (usually 5 to 10 min)", lasting(waited)));
            }
        }
        if waited >= START {
            let why = format!("{id} did not become usable within {}; `down` ends it", lasting(START));
            return Err(CloudError::timed_out(why).into());
        }
        wait(cx, POLL).await?;
    }
}

/// Terminates the cluster and waits for its end; one that is gone is fine.
pub(super) async fn end(cx: &Cx, address: &Address, id: &Id, phase: &Phase) -> Result<(), CloudError> {
    let begun = cx.clock.now();
    if *phase != Phase::Ending {
        let terminate = cx.cloud.emr.terminate_job_flows().job_flow_ids(&id.0).send();
        match call("emr TerminateJobFlows", terminate).await {
            Err(error) if error.message.contains("termination protected") => {
                return Err(CloudError { class: Class::Refused, ..error });
            }
            other => other.map(drop)?,
        }
    }
    loop {
        let cluster = describe(cx, id).await?;
        match cluster.status.and_then(|status| status.state) {
            Some(ClusterState::Terminated | ClusterState::TerminatedWithErrors) => return Ok(()),
            state => {
                let state = state.as_ref().map_or("unknown", ClusterState::as_str);
                cx.say(address, format!("{id} is {state} for {}", lasting(cx.clock.since(begun))));
            }
        }
        if cx.clock.since(begun) >= END {
            return Err(CloudError::timed_out(format!("{id} did not end within {}", lasting(END))));
        }
        wait(cx, POLL).await?;
    }
}

pub(super) async fn describe(cx: &Cx, id: &Id) -> Result<Described, CloudError> {
    let answer = call("emr DescribeCluster", cx.cloud.emr.describe_cluster().cluster_id(&id.0).send()).await?;
    answer.cluster.ok_or_else(|| CloudError::failed(format!("EMR describes {id} as nothing")))
}

/// EMR's reason, and the log behind it.
async fn explain(cx: &Cx, address: &Address, id: &Id, cluster: &Described) -> Result<Failure, CloudError> {
    let reason = cluster.status.as_ref().and_then(|status| status.state_change_reason.as_ref());
    let code = reason.and_then(|reason| reason.code.clone());
    let message = reason.and_then(|reason| reason.message.clone()).unwrap_or_else(|| "EMR gives no reason".into());
    let name = code.as_ref().map_or("no code", Code::as_str);
    let why = format!("{id} ended before it could be used: {message} ({name})");
    if code == Some(Code::ValidationError) && message.contains("role") && message.contains("is invalid") {
        return Ok(Failure::FreshRole(why));
    }
    let error = CloudError::failed(why);
    if code != Some(Code::BootstrapFailure) {
        return Ok(error.into());
    }
    let tail = bootstrap_log(cx, address, id, cluster.log_uri.as_deref()).await?;
    Ok(error.with_detail(tail.unwrap_or_else(|| "EMR wrote no log of the bootstrap action".into())).into())
}

/// The end of the failed bootstrap action's stderr, waited for.
async fn bootstrap_log(
    cx: &Cx,
    address: &Address,
    id: &Id,
    log_uri: Option<&str>,
) -> Result<Option<String>, CloudError> {
    let Some((bucket, prefix)) = log_uri.and_then(logs::split) else { return Ok(None) };
    let begun = cx.clock.now();
    loop {
        let listed = cx.cloud.list_objects(bucket, &format!("{prefix}{id}/node/")).await?.unwrap_or_default();
        let mut found: Vec<_> =
            listed.iter().filter(|l| l.key.contains("/bootstrap-actions/") && l.key.ends_with("/stderr.gz")).collect();
        found.sort_by_key(|l| std::cmp::Reverse(l.key.clone()));
        for log in found {
            if let Some((body, _)) = cx.cloud.get_object(bucket, &log.key).await? {
                let text = logs::tail(&logs::unpack(&log.key, body), 15);
                if !text.is_empty() {
                    return Ok(Some(format!("s3://{bucket}/{} ends:\n{text}", log.key)));
                }
            }
        }
        if cx.clock.since(begun) >= logs::LATE {
            return Ok(None);
        }
        cx.say(address, format!("waiting for the bootstrap's log ({})", logs::waited(cx.clock.since(begun))));
        wait(cx, POLL).await?;
    }
}
