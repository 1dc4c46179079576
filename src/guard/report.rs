//! What a sweep found and did, as it is told to people and to programs.

use super::act::Done;
use super::decide::Word;
use super::remains::Leftover;
use super::sweep::{Judged, Trouble};
use crate::cloud::clusters::METRICS;
use crate::residency::EuRegion;

/// A cluster, how it was judged last, and what was done about it.
#[derive(Debug)]
pub struct Line {
    pub judged: Judged,
    /// In words; empty if nothing was done.
    pub deeds: Vec<String>,
    /// Whether its end was asked for by this sweep.
    pub ended: bool,
    /// Metrics asked for by the last look before its end.
    pub metrics: usize,
}

/// A stack whose end was finished, or was to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Finished {
    pub stack: String,
    /// What was removed.
    pub removed: Vec<String>,
    /// Why the rest is left for the next sweep.
    pub left: Option<String>,
}

/// One sweep.
#[derive(Debug, Default)]
pub struct Report {
    pub swept: Vec<EuRegion>,
    /// In the EU, and off in this account.
    pub off: Vec<EuRegion>,
    /// On, outside the EU, and not called.
    pub abroad: Vec<String>,
    pub clusters: Vec<Line>,
    pub leftovers: Vec<Leftover>,
    pub finished: Vec<Finished>,
    pub errors: Vec<Trouble>,
    /// Requests sent, retries too.
    pub calls: usize,
    /// Metrics asked for.
    pub metrics: usize,
    /// Every host that was called.
    pub contacts: Vec<String>,
}

impl Line {
    pub fn new(judged: Judged, done: Done) -> (Self, Vec<Trouble>) {
        let Done { deeds, ended, judged: last, errors } = done;
        let metrics = if last.is_some() { METRICS.len() } else { 0 };
        (Self { judged: last.unwrap_or(judged), deeds, ended, metrics }, errors)
    }

    pub fn word(&self) -> Word {
        self.judged.verdict.word
    }

    /// Whether it is worth a word: all but what is kept and left alone.
    pub fn worth(&self) -> bool {
        self.word() != Word::Keep || !self.deeds.is_empty()
    }
}

impl Report {
    /// Whether there is nothing to say.
    pub fn quiet(&self) -> bool {
        // A home that may be forgotten costs by the month: no mail every five minutes for it.
        let left = self.leftovers.iter().any(|left| left.goes);
        !self.clusters.iter().any(Line::worth) && !left && self.errors.is_empty() && self.finished.is_empty()
    }
}
