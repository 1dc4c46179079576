//! What was done to a stack, when, why and at what cost: one object an entry in home, appended and never changed.
//! It is for people and for `cost --actual`; no plan and no decision reads it.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;
use crate::cloud::error::{Class, CloudError};
use crate::cloud::objects::If;
use crate::cloud::span::Span;

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
    /// The hosts that were called for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
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

/// One cluster's life and what it cost, as far as ledger and EMR know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Life {
    pub cluster: String,
    /// When it was asked for, by EMR's word, else by the ledger's.
    pub began: Option<Timestamp>,
    /// How long it was paid for, in seconds; absent where neither knows.
    pub lived: Option<f64>,
    /// It lives still: it was paid for until now.
    pub alive: bool,
    /// An hour of it, in USD, estimated when it was started.
    pub hourly: Option<f64>,
    /// What it has cost, in USD; absent where a part of it is not known.
    pub spent: Option<f64>,
    /// Why the guard ended it, where it did.
    pub killed: Vec<String>,
    /// What it would have cost besides until its end, had the guard not ended it, in USD.
    pub saved: Option<f64>,
}

/// The lives of all clusters that the ledger names, oldest first. EMR is asked for each: it also knows those that ended by
/// themselves.
pub async fn lives(cloud: &Cloud, entries: &[Entry], now: Timestamp) -> Result<Vec<Life>, CloudError> {
    let mut by_cluster: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        if let Some(cluster) = entry.cluster.as_deref() {
            by_cluster.entry(cluster).or_default().push(entry);
        }
    }
    let told = by_cluster.into_iter().map(async |(cluster, entries)| {
        let span = cloud.cluster_span(cluster).await?;
        Ok::<_, CloudError>(life(cluster, &entries, span, now))
    });
    let mut lives = try_join_all(told).await?;
    lives.sort_by_key(|life| life.began);
    Ok(lives)
}

fn life(cluster: &str, entries: &[&Entry], span: Option<Span>, now: Timestamp) -> Life {
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64().max(0.0);
    let up = entries.iter().find(|entry| matches!(entry.deed, Deed::Up { .. }));
    let kill = entries.iter().find(|entry| matches!(entry.deed, Deed::Kill { .. }));
    let lived = match span {
        Some(Span { began, ended }) => Some(seconds(began, ended.unwrap_or(now))),
        None => entries.iter().find_map(|entry| entry.lived),
    };
    let hourly = entries.iter().find_map(|entry| entry.hourly);
    let cost = |seconds: f64| hourly.map(|hourly| hourly * seconds / 3600.0);
    let ends = entries.iter().filter_map(|entry| match entry.deed {
        Deed::Up { until } | Deed::Extend { until } => Some((entry.at, until)),
        Deed::Down | Deed::Kill { .. } | Deed::Override { .. } => None,
    });
    let until = ends.max_by_key(|(at, _)| *at).map(|(_, until)| until);
    Life {
        cluster: cluster.into(),
        began: span.map(|span| span.began).or(up.map(|entry| entry.at)),
        lived,
        alive: span.is_some_and(|span| span.ended.is_none()),
        hourly,
        spent: lived.and_then(cost),
        killed: kill.map(|entry| entry.deed.reasons().to_vec()).unwrap_or_default(),
        saved: kill.zip(until).and_then(|(kill, until)| cost(seconds(kill.at, until))),
    }
}

impl Deed {
    fn reasons(&self) -> &[String] {
        match self {
            Self::Kill { reasons } => reasons,
            Self::Up { .. } | Self::Down | Self::Extend { .. } | Self::Override { .. } => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-01-31T{text}:00Z").parse().expect("a moment")
    }

    fn entry(when: &str, deed: Deed, lived: Option<f64>) -> Entry {
        Entry {
            at: at(when),
            deed,
            cluster: Some("j-1".into()),
            hourly: Some(2.0),
            lived,
            by: "me".into(),
            hosts: vec![],
        }
    }

    #[test]
    fn a_deed_told_twice_is_one_entry_and_another_is_not() {
        let kill = |when| entry(when, Deed::Kill { reasons: vec!["idle".into()] }, None);
        assert_eq!(kill("10:00").key(), kill("10:05").key());
        let until = |hour| Deed::Extend { until: at(hour) };
        assert_ne!(entry("10:00", until("12:00"), None).key(), entry("10:00", until("13:00"), None).key());
    }

    #[test]
    fn what_a_cluster_cost_is_emrs_word_before_the_ledgers_and_unknown_is_not_nothing() {
        let up = entry("10:00", Deed::Up { until: at("13:00") }, None);
        let kill = entry("11:00", Deed::Kill { reasons: vec!["idle 50 min of 45".into()] }, Some(3600.0));
        let span = Span { began: at("10:00"), ended: Some(at("11:03")) };
        let told = life("j-1", &[&up, &kill], Some(span), at("20:00"));
        assert_eq!((told.lived, told.spent, told.saved), (Some(3780.0), Some(2.1), Some(4.0)));
        let forgotten = life("j-1", &[&up, &kill], None, at("20:00"));
        assert_eq!((forgotten.lived, forgotten.spent), (Some(3600.0), Some(2.0)));
        let unknown = life("j-1", &[&up], None, at("20:00"));
        assert_eq!((unknown.lived, unknown.spent, unknown.saved), (None, None, None));
        let alive = life("j-1", &[&up], Some(Span { began: at("10:00"), ended: None }), at("10:30"));
        assert!(alive.alive);
        assert_eq!(alive.spent, Some(1.0));
    }
}
