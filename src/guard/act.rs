//! A verdict carried out: a warning as a tag, an end with all that is told of it. Whatever is not the end itself may
//! fail, and is told: a ledger that cannot be written keeps no cluster alive.

use std::time::Duration;

use super::decide::{Verdict, Word};
use super::facts::{Facts, WARNED, since};
use super::sweep::{Judged, Sweep, Trouble};
use crate::cloud::Cloud;
use crate::cloud::error::CloudError;
use crate::ledger::{self, Deed, Entry};
use crate::text::about;

/// What was done about a cluster.
#[derive(Debug, Default)]
pub struct Done {
    /// In words, in order; empty if nothing was done.
    pub deeds: Vec<String>,
    /// Whether its end was asked for.
    pub ended: bool,
    /// How it was judged by the last look before its end.
    pub judged: Option<Judged>,
    pub errors: Vec<Trouble>,
}

/// Carries a verdict out.
pub async fn act(sweep: &Sweep<'_>, cloud: &Cloud, judged: &Judged) -> Done {
    let Judged { facts, verdict } = judged;
    match (verdict.word, verdict.warning) {
        (Word::Keep, _) | (Word::Warn, None) => Done::default(),
        (Word::Warn, Some(warning)) => {
            let mut done = Done::default();
            match cloud.tag_cluster(&facts.id, WARNED, &warning.told()).await {
                Ok(()) => done.deeds.push("warned".into()),
                Err(error) => {
                    done.errors.push(Trouble::of(facts.region, Some(&facts.id), "it cannot be warned", &error));
                }
            }
            done
        }
        (Word::Kill, _) => kill(sweep, cloud, facts).await,
    }
}

/// Ends a cluster, if it is to be ended still.
async fn kill(sweep: &Sweep<'_>, cloud: &Cloud, before: &Facts) -> Done {
    let mut done = Done::default();
    let trouble = |what: &str, error: &CloudError| Trouble::of(before.region, Some(&before.id), what, error);
    // What is begun from here on is told to its end: only the look before it has a deadline.
    let judged = match tokio::time::timeout_at(sweep.deadline, sweep.again(cloud, before)).await {
        Ok(Ok(judged)) => judged,
        Err(_) => {
            done.errors.push(Trouble::late(before.region, Some(&before.id), "it was not looked at once more"));
            return done;
        }
        Ok(Err(error)) => {
            done.errors.push(trouble("it cannot be looked at once more, so it is not ended", &error));
            return done;
        }
    };
    let Judged { facts, verdict } = &judged;
    if verdict.word == Word::Kill {
        let mut lifted = false;
        let end = async {
            if facts.protected == Some(true) {
                cloud.protect(&facts.id, false).await?;
                lifted = true;
            }
            cloud.terminate(&facts.id).await
        };
        let ended = end.await;
        done.deeds.extend(lifted.then(|| "protection lifted".into()));
        match ended {
            Ok(()) => {
                done.ended = true;
                done.deeds.push("terminated".into());
                if let Err(error) = enter(sweep, cloud, facts, verdict).await {
                    done.errors.push(trouble("the ledger does not tell of its end", &error));
                }
            }
            Err(error) => {
                done.errors.push(trouble("it cannot be ended", &error));
                // What lives on is as it was.
                if lifted && let Err(error) = cloud.protect(&facts.id, true).await {
                    done.errors.push(trouble("its protection cannot be put back", &error));
                }
            }
        }
    }
    done.judged = Some(judged);
    done
}

/// Tells the ledger, where its stack has one.
async fn enter(sweep: &Sweep<'_>, cloud: &Cloud, facts: &Facts, verdict: &Verdict) -> Result<(), CloudError> {
    let Some(promise) = facts.whose.promise() else { return Ok(()) };
    let now = sweep.clock.now();
    let entry = Entry {
        at: now,
        deed: Deed::Kill { reasons: verdict.reasons.clone() },
        cluster: Some(facts.id.clone()),
        hourly: facts.cost(sweep.prices, now).hourly.total,
        lived: Some(since(facts.billed, now).as_secs_f64()),
        by: "guard".into(),
        hosts: cloud.contacts.hosts().into_keys().collect(),
    };
    ledger::append(cloud, &promise.home, &entry).await
}

/// What somebody who is told reads, of one cluster.
pub fn told(judged: &Judged, deeds: &[String], age: Duration) -> String {
    let Facts { id, name, region, .. } = &judged.facts;
    let what = match judged.verdict.word {
        _ if !deeds.is_empty() => deeds.join(", "),
        Word::Kill => "to be ended".into(),
        Word::Warn => "a warning".into(),
        Word::Keep => "kept".into(),
    };
    format!("{name} ({id}, {region}, {} old): {what}. {}.", about(age), judged.verdict.reasons.join("; "))
}
