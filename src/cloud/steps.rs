//! Steps of a cluster as the rooms above use them: list, look, add. Adding is never retried here: EMR takes
//! no token, and a lost reply would become a second step.

use std::collections::BTreeSet;

use aws_sdk_emr::config::retry::RetryConfig;
use aws_sdk_emr::primitives::DateTime;
use aws_sdk_emr::types::{ActionOnFailure, HadoopJarStepConfig, StepConfig, StepState, StepStatus, StepTimeline};
use jiff::Timestamp;

use crate::cloud::Cloud;
use crate::cloud::clock::moment_of;
use crate::cloud::error::{Class, CloudError, call};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub id: String,
    pub name: String,
    /// EMR's word: `PENDING`, `RUNNING`, `COMPLETED` ...
    pub state: String,
    /// What EMR says of a failure.
    pub reason: Option<String>,
    pub created: Option<Timestamp>,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

fn step(id: Option<String>, name: Option<String>, status: Option<&StepStatus>) -> Step {
    let details = status.and_then(|s| s.failure_details.as_ref());
    let reason = details.and_then(|d| d.message.clone().or_else(|| d.reason.clone()));
    let at = |moment: fn(&StepTimeline) -> Option<DateTime>| {
        status.and_then(|s| s.timeline.as_ref()).and_then(moment).as_ref().and_then(moment_of)
    };
    let change = || status.and_then(|s| s.state_change_reason.as_ref()).and_then(|r| r.message.clone());
    Step {
        id: id.unwrap_or_default(),
        name: name.unwrap_or_default(),
        reason: reason.or_else(change),
        state: status.and_then(|s| s.state.as_ref()).map(|s| s.as_str().to_owned()).unwrap_or_default(),
        created: at(|timeline| timeline.creation_date_time),
        started: at(|timeline| timeline.start_date_time),
        ended: at(|timeline| timeline.end_date_time),
    }
}

/// How a job's step is named: the nonce, sixteen hex digits, makes each findable.
pub fn named(job: &str, nonce: &str) -> String {
    format!("{job} {nonce}")
}

impl Step {
    /// The job behind its name, if it is named as ours are.
    pub fn job(&self) -> Option<&str> {
        let (job, nonce) = self.name.rsplit_once(' ')?;
        (nonce.len() == 16 && nonce.bytes().all(|b| b.is_ascii_hexdigit())).then_some(job)
    }

    pub fn is_open(&self) -> bool {
        OPEN.iter().any(|open| open.as_str() == self.state)
    }
}

/// States of a step that has not ended.
const OPEN: [StepState; 3] = [StepState::Pending, StepState::Running, StepState::CancelPending];

impl Cloud {
    /// The steps of a cluster, newest first.
    pub async fn steps(&self, cluster: &str) -> Result<Vec<Step>, CloudError> {
        let (mut found, mut marker) = (Vec::new(), None);
        loop {
            let page = self.emr.list_steps().cluster_id(cluster).set_marker(marker).send();
            let page = call("emr ListSteps", page).await?;
            found.extend(page.steps.unwrap_or_default().into_iter().map(|s| step(s.id, s.name, s.status.as_ref())));
            marker = page.marker;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// The newest steps of a cluster, and all that have not ended, however old: one call, or two where there are many.
    pub async fn recent_steps(&self, cluster: &str) -> Result<Vec<Step>, CloudError> {
        let page = call("emr ListSteps", self.emr.list_steps().cluster_id(cluster).send()).await?;
        let (mut found, mut further) = (page.steps.unwrap_or_default(), page.marker.is_some());
        let mut marker = None;
        while further {
            let page = self.emr.list_steps().cluster_id(cluster).set_step_states(Some(OPEN.into())).set_marker(marker);
            let page = call("emr ListSteps", page.send()).await?;
            let known: BTreeSet<Option<String>> = found.iter().map(|step| step.id.clone()).collect();
            found.extend(page.steps.unwrap_or_default().into_iter().filter(|step| !known.contains(&step.id)));
            (further, marker) = (page.marker.is_some(), page.marker);
        }
        Ok(found.into_iter().map(|s| step(s.id, s.name, s.status.as_ref())).collect())
    }

    pub async fn step(&self, cluster: &str, id: &str) -> Result<Step, CloudError> {
        let answer = self.emr.describe_step().cluster_id(cluster).step_id(id).send();
        let found = call("emr DescribeStep", answer).await?.step;
        let found = found.ok_or_else(|| CloudError::failed(format!("EMR describes step {id} as nothing")))?;
        Ok(step(found.id, found.name, found.status.as_ref()))
    }

    /// Adds a step that runs `args` through command-runner.jar, and returns its id.
    pub async fn add_step(
        &self,
        cluster: &str,
        name: &str,
        args: &[String],
        on_failure: &str,
    ) -> Result<String, CloudError> {
        let jar = HadoopJarStepConfig::builder().jar("command-runner.jar").set_args(Some(args.to_vec())).build();
        let config =
            StepConfig::builder().name(name).action_on_failure(ActionOnFailure::from(on_failure)).hadoop_jar_step(jar);
        let once = aws_sdk_emr::config::Builder::new().retry_config(RetryConfig::disabled());
        let add = self.emr.add_job_flow_steps().job_flow_id(cluster).steps(config.build());
        let added = call("emr AddJobFlowSteps", add.customize().config_override(once).send()).await?;
        let id = added.step_ids.unwrap_or_default().pop();
        id.ok_or_else(|| CloudError::new(Class::Unknown, "EMR answered without a step id"))
    }
}
