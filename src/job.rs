//! A job on a cluster: submitted once as an EMR step, followed to its end, its logs and results read out of
//! S3. It holds no lease while it follows, and its end is the step's end.

pub mod logs;
pub mod results;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::blueprint;
use crate::cloud::error::CloudError;
use crate::cloud::steps::Step;
use crate::resource::{Address, Cx, Id};
use crate::resources::once::Once;
use crate::resources::wait;
use crate::stack::{Job, JobWork, OnFailure, Stack};
use crate::weights;

/// How long a step is followed: longer than any cluster of ours lives.
const FOLLOW: Duration = Duration::from_hours(24);
const POLL: Duration = Duration::from_secs(5);

/// A step to be submitted to a cluster.
#[derive(Debug)]
pub struct Submission {
    pub job: String,
    pub cluster: Id,
    pub args: Vec<String>,
    pub on_failure: OnFailure,
}

/// EMR's step arguments for a job: `spark-submit`, its options, the script and what it is told.
pub fn arguments(stack: &Stack, job: &Job, script: &str, weights_url: Option<&str>, account: &str) -> Vec<String> {
    let mut args = vec!["spark-submit".to_owned(), "--deploy-mode".into(), "client".into()];
    args.extend(job.conf.iter().flat_map(|(key, value)| ["--conf".to_owned(), format!("{key}={value}")]));
    args.push(script.into());
    match &job.work {
        JobWork::Script { args: own, .. } => args.extend(own.iter().cloned()),
        JobWork::Template(features) => {
            let url = |place| blueprint::url(stack, place, account);
            args.extend(["--input".into(), url(&features.input), "--output".into(), url(&features.output)]);
            if let Some(weights_url) = weights_url {
                args.extend(["--weights".into(), weights_url.into()]);
            }
            args.extend(["--weights-source".into(), weights::source(&features.model.weights).into()]);
        }
    }
    args
}

/// The address of a job, for progress.
pub fn address(job: &str) -> Address {
    Address::new("job", job)
}

/// How a job's steps are named: the nonce makes each findable.
fn step_name(job: &str, nonce: &str) -> String {
    format!("{job} {nonce}")
}

fn is_step_of(step: &Step, job: &str) -> bool {
    step.name.rsplit_once(' ').is_some_and(|(name, nonce)| name == job && nonce.len() == 16)
}

/// The steps of a job on a cluster, newest first.
pub async fn steps(cx: &Cx, cluster: &Id, job: &str) -> Result<Vec<Step>, CloudError> {
    Ok(cx.cloud.steps(&cluster.0).await?.into_iter().filter(|step| is_step_of(step, job)).collect())
}

/// A step of this job that has not ended: an interrupted `run` is followed on, not repeated.
pub async fn underway(cx: &Cx, cluster: &Id, job: &str) -> Result<Option<Id>, CloudError> {
    let steps = steps(cx, cluster, job).await?;
    let open = steps.into_iter().find(|s| ["PENDING", "RUNNING", "CANCEL_PENDING"].contains(&s.state.as_str()));
    Ok(open.map(|step| Id(step.id)))
}

#[async_trait]
impl Once for Submission {
    fn about(&self) -> Address {
        address(&self.job)
    }

    fn intent(&self) -> String {
        format!("job-{}", self.job)
    }

    async fn look(&self, cx: &Cx, nonce: &str, _asked: Timestamp) -> Result<Option<Id>, CloudError> {
        let wanted = step_name(&self.job, nonce);
        let steps = steps(cx, &self.cluster, &self.job).await?;
        Ok(steps.into_iter().find(|step| step.name == wanted).map(|step| Id(step.id)))
    }

    async fn ask(&self, cx: &Cx, nonce: &str) -> Result<Id, CloudError> {
        let on_failure = match self.on_failure {
            OnFailure::Continue => "CONTINUE",
            OnFailure::CancelAndWait => "CANCEL_AND_WAIT",
            OnFailure::TerminateCluster => "TERMINATE_CLUSTER",
        };
        cx.cloud.add_step(&self.cluster.0, &step_name(&self.job, nonce), &self.args, on_failure).await.map(Id)
    }
}

/// How a step ended.
#[derive(Debug)]
pub enum End {
    Completed,
    Failed(String),
    Cancelled(String),
}

/// Follows a step to its end, telling its state and what the job says of its own progress.
pub async fn follow(
    cx: &Cx,
    cluster: &Id,
    step: &Id,
    job: &str,
    progress: Option<(&str, &str)>,
) -> Result<End, CloudError> {
    let begun = cx.clock.now();
    loop {
        let now = cx.cloud.step(&cluster.0, &step.0).await?;
        let why = now.reason.unwrap_or_else(|| "EMR gives no reason".into());
        match now.state.as_str() {
            "COMPLETED" => return Ok(End::Completed),
            "FAILED" => return Ok(End::Failed(why)),
            "CANCELLED" | "INTERRUPTED" => return Ok(End::Cancelled(why)),
            state => {
                let own = match progress {
                    Some((bucket, key)) if state == "RUNNING" => results::progress(cx, bucket, key).await?,
                    _ => None,
                };
                cx.say(&address(job), own.map_or(state.to_owned(), |own| format!("{state}: {own}")));
            }
        }
        if cx.clock.since(begun) >= FOLLOW {
            return Err(CloudError::timed_out(format!("step {step} did not end within a day")));
        }
        wait(cx, POLL).await?;
    }
}
