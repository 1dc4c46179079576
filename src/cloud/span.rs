//! How long a cluster lived, as EMR remembers it: for two months after its end. It judges nothing.

use jiff::Timestamp;

use super::Cloud;
use super::clock::moment_of;
use super::error::{CloudError, Outcome, call};

/// From when to when a cluster was paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub began: Timestamp,
    /// Absent while it lives.
    pub ended: Option<Timestamp>,
}

impl Cloud {
    /// The life of a cluster; `None` where EMR does not know it any more.
    pub async fn cluster_span(&self, id: &str) -> Result<Option<Span>, CloudError> {
        let answer = call("emr DescribeCluster", self.emr.describe_cluster().cluster_id(id).send()).await;
        let answer = match answer {
            // EMR's way to say that it knows no such cluster.
            Err(error) if error.code.as_deref() == Some("InvalidRequestException") => return Ok(None),
            other => other.or_absent()?,
        };
        let status = answer.and_then(|answer| answer.cluster).and_then(|cluster| cluster.status);
        let Some(timeline) = status.and_then(|status| status.timeline) else { return Ok(None) };
        let began = timeline.creation_date_time.as_ref().and_then(moment_of);
        Ok(began.map(|began| Span { began, ended: timeline.end_date_time.as_ref().and_then(moment_of) }))
    }
}
