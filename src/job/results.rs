//! What a job wrote of itself: its report, and its progress while it runs. Read as the job wrote it; nothing
//! is computed here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use std::collections::BTreeMap;

use crate::cloud::error::CloudError;
use crate::resource::Cx;

/// Where below its output a job reports.
pub const REPORT: &str = "report/report.json";
pub const PROGRESS: &str = "report/progress.json";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailedRow {
    pub path: String,
    pub error: String,
}

/// The part of a job's report that the tool reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub job: String,
    pub rows: u64,
    pub failed_rows: Vec<FailedRow>,
    pub labels: BTreeMap<String, u64>,
    pub feature_length: u64,
    pub components: u64,
    /// Share of the variance that the components explain.
    pub variance: f64,
    pub weights: String,
    pub paths: BTreeMap<String, String>,
}

/// What a fit keeps of its shares of the variance.
#[derive(Clone, Debug, Deserialize)]
pub struct Variance {
    pub components: usize,
    pub variance: f64,
    pub variance_target: f64,
    /// The share of every direction, the largest first.
    pub explained: Vec<f64>,
}

/// The shares of a fit, below its model; `None` if there is none that can be read.
pub async fn variance(cx: &Cx, bucket: &str, model: &str) -> Result<Option<Variance>, CloudError> {
    let body = cx.cloud.get_object(bucket, &format!("{model}variance.json")).await?;
    Ok(body.and_then(|(body, _)| serde_json::from_slice(&body).ok()))
}

/// The report below an output, read and whole; `None` if the job has not written one.
pub async fn report(cx: &Cx, bucket: &str, prefix: &str) -> Result<Option<(Report, Value)>, CloudError> {
    let key = format!("{prefix}{REPORT}");
    let Some((body, _)) = cx.cloud.get_object(bucket, &key).await? else { return Ok(None) };
    let wrong = |e: serde_json::Error| CloudError::failed(format!("s3://{bucket}/{key} is not a report of ours: {e}"));
    let whole: Value = serde_json::from_slice(&body).map_err(wrong)?;
    Ok(Some((Report::deserialize(&whole).map_err(wrong)?, whole)))
}

#[derive(Deserialize)]
struct Progress {
    stage: String,
    done: u64,
    of: u64,
}

/// One line of what the job says of itself.
pub(super) async fn progress(cx: &Cx, bucket: &str, key: &str) -> Result<Option<String>, CloudError> {
    let Some((body, _)) = cx.cloud.get_object(bucket, key).await? else { return Ok(None) };
    // Half-written or of another version: the state of the step says enough.
    let Ok(Progress { stage, done, of }) = serde_json::from_slice(&body) else { return Ok(None) };
    Ok(Some(if of > 0 { format!("{stage}, {done} of {of}") } else { stage }))
}
