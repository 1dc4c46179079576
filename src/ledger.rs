//! What was done to a stack, when, why and at what cost: one object an entry in home, appended and never changed.
//! It is for people and for `cost --actual`; no plan and no decision reads it.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;
use crate::cloud::error::{Class, CloudError};
use crate::cloud::objects::If;

/// Where entries lie in home.
pub const LEDGER: &str = "fruitsinfra/ledger/";

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum Deed {
    /// A cluster was asked for.
    Up { until: Timestamp },
    /// A cluster was ended by `down`, `destroy` or a replacement.
    Down,
    /// A cluster was ended by the guard.
    Kill { reasons: Vec<String> },
    /// A cluster's end was moved.
    Extend { until: Timestamp },
    /// A refusal was passed by hand.
    Override { code: String, because: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub deed: Deed,
    /// The cluster it was about.
    pub cluster: Option<String>,
    /// What the cluster costs by the hour, in USD, estimated; absent where no price is known.
    pub hourly: Option<f64>,
    /// How long the cluster had lived by then, in seconds.
    pub lived: Option<f64>,
    /// Who did it: a person at a machine, or a job that says so.
    pub by: String,
}

impl Entry {
    /// Named by what was done and to what: told twice, by two sweeps or after a lost reply, it is one entry.
    fn key(&self) -> String {
        let about = self.cluster.as_deref().unwrap_or("stack");
        let deed = match &self.deed {
            Deed::Up { .. } => "up".to_owned(),
            Deed::Down => "down".to_owned(),
            Deed::Kill { .. } => "kill".to_owned(),
            Deed::Extend { until } => format!("extend-{}", name_of(*until)),
            Deed::Override { code, .. } => format!("override-{code}-{}", name_of(self.at)),
        };
        format!("{LEDGER}{about}-{deed}.json")
    }
}

/// A moment as it can stand in a key.
fn name_of(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H-%M-%SZ").to_string()
}

/// Appends an entry to the ledger in this home.
pub async fn append(cloud: &Cloud, home: &str, entry: &Entry) -> Result<(), CloudError> {
    let body = serde_json::to_vec(entry).map_err(|e| CloudError::bug(e.to_string()))?;
    match cloud.put_object(home, &entry.key(), body, If::Absent, &BTreeMap::new()).await {
        // Told already.
        Err(error) if error.class == Class::Precondition => Ok(()),
        other => other.map(drop),
    }
}

/// All entries, oldest first. One that cannot be read is an error: nothing else writes there.
pub async fn read(cloud: &Cloud, home: &str) -> Result<Vec<Entry>, CloudError> {
    let listed = cloud.list_objects(home, LEDGER).await?.unwrap_or_default();
    let entry = async |key: String| {
        let Some((body, _)) = cloud.get_object(home, &key).await? else { return Ok(None) };
        let entry = serde_json::from_slice(&body);
        entry.map(Some).map_err(|e| CloudError::failed(format!("s3://{home}/{key} is no entry of the ledger: {e}")))
    };
    let found = try_join_all(listed.into_iter().map(|object| entry(object.key))).await?;
    let mut entries: Vec<Entry> = found.into_iter().flatten().collect();
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}
