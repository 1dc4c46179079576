//! One sweep over the EU regions of an account, side by side: every active cluster, with all that is to be known of it,
//! in as few calls as can be. It changes nothing, calls no region outside the EU, and ends within its deadline: what
//! was not looked at by then is an error that says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::decide::{Doubt, GRACE, Terms, Verdict, Word, decide, doubt};
use super::facts::{Facts, Group, Samples, Stage, Warned, Whose, samples};
use super::remains::{self, Found};
use crate::cloud::Cloud;
use crate::cloud::clock::Clock;
use crate::cloud::clusters::{Fleet, Listed};
use crate::cloud::error::CloudError;
use crate::cloud::mark::fingerprint;
use crate::price::Table;
use crate::residency::EuRegion;

/// Closer looks at once, a region: EMR throttles early.
const AT_ONCE: usize = 6;

/// Closer looks a sweep and region that could only spare a warning; the others are drawn by the next sweeps.
const IN_TURN: usize = 20;

/// Metrics are looked back at for this much longer than a cluster may idle, at least and at most.
const BACK: [Duration; 2] = [Duration::from_hours(6), Duration::from_hours(8 * 24)];

/// What a GetMetricData asks for costs this much, in USD a metric.
const PRICE: f64 = 0.01 / 1000.0;

/// Something that could not be done or looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trouble {
    pub region: Option<EuRegion>,
    /// A cluster, where it is about one.
    pub id: Option<String>,
    pub message: String,
    pub hint: Option<String>,
}

impl Trouble {
    pub fn new(region: EuRegion, id: Option<&str>, message: impl Into<String>) -> Self {
        Self { region: Some(region), id: id.map(Into::into), message: message.into(), hint: None }
    }

    pub fn of(region: EuRegion, id: Option<&str>, what: &str, error: &CloudError) -> Self {
        Self { hint: error.hint(), ..Self::new(region, id, format!("{what}: {error}")) }
    }

    pub fn late(region: EuRegion, id: Option<&str>, what: &str) -> Self {
        Self::new(region, id, format!("{what} within the deadline"))
    }
}

/// A cluster and what is to be done about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub facts: Facts,
    pub verdict: Verdict,
}

/// What was found in one region.
#[derive(Debug, Default)]
pub struct Swept {
    pub clusters: Vec<Judged>,
    pub found: Found,
    pub errors: Vec<Trouble>,
    /// Metrics asked for: each costs.
    pub metrics: usize,
}

/// What a sweep's metrics cost, in USD.
pub fn cost(metrics: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "thousands of metrics")]
    let usd = metrics as f64 * PRICE;
    (usd * 100_000.0).round() / 100_000.0
}

/// How a sweep is done.
#[derive(Clone, Copy, Debug)]
pub struct Sweep<'a> {
    pub terms: Terms,
    pub prices: &'a Table,
    pub clock: &'a Clock,
    pub deadline: Instant,
}

impl Sweep<'_> {
    /// Looks at a region. Whatever fails is told, and the rest goes on without it.
    pub async fn region(&self, cloud: &Cloud) -> Swept {
        let region = cloud.region;
        let mut swept = Swept::default();
        let looked = tokio::time::timeout_at(self.deadline, self.listing(cloud)).await;
        let (listed, found) = match looked {
            Ok((Ok(listed), found)) => (listed, found),
            // Without its clusters nothing is known to be left over.
            Ok((Err(error), _)) => {
                swept.errors.push(Trouble::of(region, None, "its clusters cannot be listed", &error));
                return swept;
            }
            Err(_) => {
                swept.errors.push(Trouble::late(region, None, "it was not looked at"));
                return swept;
            }
        };
        let active: BTreeSet<String> = listed.iter().map(|cluster| cluster.id.clone()).collect();
        match found {
            Ok(found) => swept.found = found,
            Err(error) => {
                swept.errors.push(Trouble::of(region, None, "what ended stacks left cannot be listed", &error));
            }
        }
        if listed.is_empty() {
            return swept;
        }
        let gathered = tokio::time::timeout_at(self.deadline, self.gather(cloud, &listed, &mut swept)).await;
        let Ok(facts) = gathered else {
            let what = format!("its {} clusters were not looked at", active.len());
            swept.errors.push(Trouble::late(region, None, &what));
            swept.found = Found::default();
            return swept;
        };
        let turn = self.turn(&facts);
        let looks = facts.into_iter().map(|facts| {
            let doubt = self.doubt(&facts);
            let looked_at = doubt == Doubt::Great || turn.contains(&facts.id);
            self.judge(cloud, facts, doubt, looked_at)
        });
        let judged: Vec<_> = futures::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        for (judged, trouble) in judged {
            swept.clusters.push(judged);
            swept.errors.extend(trouble);
        }
        swept.clusters.sort_by(|a, b| (&a.facts.name, &a.facts.id).cmp(&(&b.facts.name, &b.facts.id)));
        swept
    }

    async fn listing(&self, cloud: &Cloud) -> (Result<Vec<Listed>, CloudError>, Result<Found, CloudError>) {
        futures::join!(cloud.active_clusters(), remains::find(cloud, self.clock.now()))
    }

    /// What is known of all clusters together.
    async fn gather(&self, cloud: &Cloud, listed: &[Listed], swept: &mut Swept) -> Vec<Facts> {
        let (region, now) = (cloud.region, self.clock.now());
        let fleets = match cloud.fleets().await {
            Ok(fleets) => fleets,
            Err(error) => {
                swept.errors.push(Trouble::of(region, None, "tags and types cannot be read", &error));
                BTreeMap::new()
            }
        };
        let mut facts: Vec<Facts> = listed.iter().filter_map(|cluster| first(region, cluster, &fleets, now)).collect();
        let measured: Vec<_> =
            facts.iter().filter_map(|facts| Some((facts.id.clone(), look_back(facts, now)?))).collect();
        if measured.is_empty() {
            return facts;
        }
        match cloud.metrics(&measured, now).await {
            Ok((mut found, asked)) => {
                swept.metrics += asked;
                for facts in &mut facts {
                    facts.samples = found.remove(&facts.id).map(|series| samples(&series)).unwrap_or_default();
                }
            }
            Err(error) => swept.errors.push(Trouble::of(region, None, "metrics cannot be read", &error)),
        }
        facts
    }

    fn doubt(&self, facts: &Facts) -> Doubt {
        doubt(facts, self.terms, self.clock.now())
    }

    /// Whose turn it is to be looked at more closely, where not all are: each sweep draws anew.
    fn turn(&self, facts: &[Facts]) -> BTreeSet<String> {
        let some = facts.iter().filter(|facts| self.doubt(facts) == Doubt::Some);
        let mut ids: Vec<String> = some.map(|facts| facts.id.clone()).collect();
        // Another order with every sweep, however far apart they are.
        let sweep = self.clock.now().as_second();
        ids.sort_by_cached_key(|id| fingerprint(format!("{id} {sweep}")));
        ids.into_iter().take(IN_TURN).collect()
    }

    /// Judges a cluster, after a closer look where that could change anything.
    async fn judge(&self, cloud: &Cloud, facts: Facts, doubt: Doubt, looked_at: bool) -> (Judged, Option<Trouble>) {
        let (terms, now) = (self.terms, self.clock.now());
        if !looked_at {
            let mut verdict = decide(&facts, terms, now);
            if doubt == Doubt::Some {
                verdict.word = Word::Keep;
                verdict.warning = None;
                verdict.reasons.push("its steps are looked at by a later sweep".into());
            }
            return (Judged { facts, verdict }, None);
        }
        let looked = tokio::time::timeout_at(self.deadline, closer(cloud, &facts)).await;
        let (region, id) = (facts.region, facts.id.clone());
        let trouble = match looked {
            Ok(Ok(facts)) => {
                let verdict = decide(&facts, terms, self.clock.now());
                return (Judged { facts, verdict }, None);
            }
            Ok(Err(error)) => Trouble::of(region, Some(&id), "it cannot be looked at more closely", &error),
            Err(_) => Trouble::late(region, Some(&id), "it was not looked at more closely"),
        };
        // What is not known well enough is not ended.
        let mut verdict = decide(&facts, terms, now);
        verdict.word = verdict.word.min(Word::Warn);
        verdict.warning = None;
        verdict.reasons.push("not looked at more closely, so not judged".into());
        (Judged { facts, verdict }, Some(trouble))
    }

    /// Looks once more at a cluster that is to be ended, its newest metrics too.
    pub async fn again(&self, cloud: &Cloud, before: &Facts) -> Result<Judged, CloudError> {
        let now = self.clock.now();
        let wanted: Vec<_> = look_back(before, now).map(|since| (before.id.clone(), since)).into_iter().collect();
        let measure =
            async { if wanted.is_empty() { Ok((BTreeMap::new(), 0)) } else { cloud.metrics(&wanted, now).await } };
        let (facts, measured) = futures::join!(closer(cloud, before), measure);
        let (mut facts, mut measured) = (facts?, measured?.0);
        facts.samples = measured.remove(&facts.id).map(|series| samples(&series)).unwrap_or_default();
        let verdict = decide(&facts, self.terms, self.clock.now());
        Ok(Judged { facts, verdict })
    }
}

/// Sweeps several regions at once.
pub async fn regions(sweep: &Sweep<'_>, clouds: &[Cloud]) -> Vec<Swept> {
    join_all(clouds.iter().map(|cloud| sweep.region(cloud))).await
}

/// A cluster as the listing and its instances tell it.
fn first(region: EuRegion, listed: &Listed, fleets: &BTreeMap<String, Fleet>, now: Timestamp) -> Option<Facts> {
    let fleet = fleets.get(&listed.id);
    let created = listed.created.unwrap_or(now);
    let launched = fleet.iter().flat_map(|fleet| &fleet.nodes).filter_map(|(.., since)| *since).min();
    Some(Facts {
        region,
        id: listed.id.clone(),
        name: listed.name.clone(),
        stage: Stage::read(&listed.state)?,
        created,
        ready: listed.ready,
        whose: fleet.map_or(Whose::Unknown, |fleet| Whose::read(&fleet.tags)),
        warned: fleet.and_then(|fleet| Warned::read(&fleet.tags)),
        protected: None,
        nodes: fleet.map(groups).unwrap_or_default(),
        billed: launched.unwrap_or(created),
        steps: None,
        samples: Samples::new(),
    })
}

fn groups(fleet: &Fleet) -> Vec<Group> {
    let mut counts: BTreeMap<(String, bool), u32> = BTreeMap::new();
    for (kind, spot, _) in &fleet.nodes {
        *counts.entry((kind.clone(), *spot)).or_default() += 1;
    }
    counts.into_iter().map(|((instance_type, spot), count)| Group { instance_type, spot, count }).collect()
}

/// Since when a cluster's metrics are worth their price; `None` while it starts, ends, or has just begun.
fn look_back(facts: &Facts, now: Timestamp) -> Option<Timestamp> {
    let ready = facts.ready.filter(|_| matches!(facts.stage, Stage::Running | Stage::Waiting))?;
    if super::facts::since(ready, now) < GRACE {
        return None;
    }
    let [least, most] = BACK;
    let idle = facts.whose.promise().map_or(Duration::ZERO, |promise| promise.idle);
    let back = now.checked_sub(idle.saturating_add(Duration::from_hours(1)).clamp(least, most)).ok()?;
    // A period begins at its point: whole ones are asked for.
    let since = back.max(ready).as_second().div_euclid(300) * 300;
    Timestamp::new(since, 0).ok()
}

/// Describes a cluster and lists its steps.
async fn closer(cloud: &Cloud, before: &Facts) -> Result<Facts, CloudError> {
    let (described, steps) = futures::join!(cloud.describe(&before.id), cloud.recent_steps(&before.id));
    let (described, steps) = (described?, steps?);
    let stage = Stage::read(&described.listed.state);
    Ok(Facts {
        // One that has ended meanwhile is as good as ending.
        stage: stage.unwrap_or(Stage::Terminating),
        ready: described.listed.ready.or(before.ready),
        whose: Whose::read(&described.tags),
        warned: Warned::read(&described.tags),
        protected: Some(described.protected),
        steps: Some(steps),
        ..before.clone()
    })
}
