//! A job on a cluster: submitted once as an EMR step, followed to its end, its logs and results read out of
//! S3. It holds no lease while it follows, and its end is the step's end.

pub mod logs;
pub mod results;
pub mod tables;
pub mod trouble;
pub mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use crate::blueprint;
use crate::cloud::error::CloudError;
use crate::cloud::steps::{self, Step};
use crate::resource::{Address, Cx, Id};
use crate::resources::once::Once;
use crate::resources::wait;
use crate::stack::facts::instance_type;
use crate::stack::{Cluster, Job, JobWork, OnFailure, Stack};
use crate::text::lasting;
use crate::weights;

/// How long one `run` follows a step; the next one goes on.
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

/// Megabytes that TensorFlow takes in each Python worker, outside Spark's heap: 1.2 to 1.4 GB measured.
const WORKER_MB: u32 = 1536;

/// The one executor of a node, in MB: what Spark is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Executor {
    /// Cores, and so Python workers.
    pub cores: u32,
    #[serde(rename = "heap_mb")]
    pub heap: u32,
    #[serde(rename = "overhead_mb")]
    pub overhead: u32,
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, heap, overhead } = self;
        write!(
            f,
            "A worker node holds one executor of {cores} cores: {heap} MB of heap, {overhead} MB for {cores} Python"
        )?;
        write!(f, " workers with TensorFlow.")
    }
}

/// How many Python workers fit a node beside Spark, in what YARN has of its memory: a gigabyte is the heap's least, and two
/// are left for the application master.
///
/// Without it YARN ends executors whose Python outgrows the default overhead, and the job with them.
pub fn executor(cluster: &Cluster) -> Option<Executor> {
    let workers = cluster.core.iter().chain(cluster.task.values());
    let types = workers.flat_map(|group| group.types().map(|(name, _)| name));
    let nodes: Vec<_> = types.map(instance_type).collect::<Option<_>>()?;
    let smallest = nodes.into_iter().min_by(|a, b| a.memory_gib.total_cmp(&b.memory_gib))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "megabytes of a node")]
    let yarn = smallest.yarn_mib() as u32;
    let cores = (yarn.saturating_sub(3072) / WORKER_MB).clamp(1, smallest.vcpu);
    let overhead = cores * WORKER_MB;
    Some(Executor { cores, heap: yarn.saturating_sub(overhead + 2048).max(1024), overhead })
}

fn sizing(stack: &Stack) -> Option<[(&'static str, String); 3]> {
    let Executor { cores, heap, overhead } = executor(stack.cluster.as_ref()?)?;
    Some([
        ("spark.executor.cores", cores.to_string()),
        ("spark.executor.memory", format!("{heap}m")),
        ("spark.executor.memoryOverhead", format!("{overhead}m")),
    ])
}

/// EMR's step arguments for a job: `spark-submit`, its options, the script and what it is told.
pub fn arguments(stack: &Stack, job: &Job, script: &str, weights_url: Option<&str>, account: &str) -> Vec<String> {
    let mut args = vec!["spark-submit".to_owned(), "--deploy-mode".into(), "client".into()];
    let sizing = job.features().and_then(|_| sizing(stack)).into_iter().flatten();
    // The stack's own word comes last, and wins.
    let conf: BTreeMap<&str, String> =
        sizing.chain(job.conf.iter().map(|(key, value)| (key.as_str(), value.clone()))).collect();
    args.extend(conf.into_iter().flat_map(|(key, value)| ["--conf".to_owned(), format!("{key}={value}")]));
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
            if let Some(fit) = features.fit_of(stack) {
                args.extend(["--fitted".into(), url(&fit.model_of())]);
            }
        }
    }
    args
}

/// The address of a job, for progress.
pub fn address(job: &str) -> Address {
    Address::new("job", job)
}

/// The steps of a job on a cluster, newest first.
pub async fn steps(cx: &Cx, cluster: &Id, job: &str) -> Result<Vec<Step>, CloudError> {
    Ok(cx.cloud.steps(&cluster.0).await?.into_iter().filter(|step| step.job() == Some(job)).collect())
}

/// A step of this job that has not ended: an interrupted `run` is followed on, not repeated.
pub async fn underway(cx: &Cx, cluster: &Id, job: &str) -> Result<Option<Id>, CloudError> {
    let steps = steps(cx, cluster, job).await?;
    let open = steps.into_iter().find(Step::is_open);
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
        let wanted = steps::named(&self.job, nonce);
        let steps = steps(cx, &self.cluster, &self.job).await?;
        Ok(steps.into_iter().find(|step| step.name == wanted).map(|step| Id(step.id)))
    }

    async fn ask(&self, cx: &Cx, nonce: &str) -> Result<Id, CloudError> {
        let on_failure = match self.on_failure {
            OnFailure::Continue => "CONTINUE",
            OnFailure::CancelAndWait => "CANCEL_AND_WAIT",
            OnFailure::TerminateCluster => "TERMINATE_CLUSTER",
        };
        cx.cloud.add_step(&self.cluster.0, &steps::named(&self.job, nonce), &self.args, on_failure).await.map(Id)
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
                let since = if state == "RUNNING" { now.started } else { now.created };
                let lasts = lasting(cx.clock.since(since.unwrap_or(begun)));
                let own = own.map_or_else(String::new, |own| format!(": {own}"));
                cx.say(&address(job), format!("{state} for {lasts}{own}"));
            }
        }
        if cx.clock.since(begun) >= FOLLOW {
            return Err(CloudError::timed_out(format!("step {step} has not ended within a day, and goes on")));
        }
        wait(cx, POLL).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn told(cluster: &str, conf: &str) -> Vec<String> {
        let text = format!(
            "stack: s\nregion: eu-west-3\nowner: o@fruits.example\nbuckets: {{data: {{}}}}\ncluster: {{release: emr-7.12.0, {cluster}}}\n\
             bootstrap: [{{name: python, template: bootstrap/python_packages.sh.j2, packages: {{tensorflow: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}}}}]\n\
             jobs: {{features: {{template: jobs/fruit_features.py.j2, input: data/images/, output: data/{conf}}}}}\n"
        );
        let stack = crate::stack::load_text("s.yaml", text, Path::new("")).expect("a stack").stack;
        let args =
            arguments(&stack, &stack.jobs["features"], "s3://home/job.py", Some("s3://home/w.h5"), "000000000000");
        args.into_iter().filter(|arg| arg.starts_with("spark.executor")).collect()
    }

    #[test]
    fn executors_leave_tensorflow_its_memory() {
        let m5 = told("primary: {type: m5.xlarge}, core: {type: m5.xlarge}", "");
        assert_eq!(
            m5,
            ["spark.executor.cores=4", "spark.executor.memory=4096m", "spark.executor.memoryOverhead=6144m"]
        );
        // 8 GiB do not hold four workers.
        let c5 = told("primary: {type: m5.xlarge}, core: {type: c5.xlarge}", "");
        assert_eq!(
            c5,
            ["spark.executor.cores=2", "spark.executor.memory=1024m", "spark.executor.memoryOverhead=3072m"]
        );
    }

    #[test]
    fn the_stacks_own_word_wins() {
        let own = told("primary: {type: m5.xlarge}, core: {type: m5.xlarge}", ", conf: {spark.executor.cores: \"1\"}");
        assert_eq!(own[0], "spark.executor.cores=1");
    }
}
