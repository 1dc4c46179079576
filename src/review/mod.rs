//! The review of a change to stacks: two sides in, a report out, by the same blueprint and the same planner as `plan`. It
//! reads files and git's store alone: no credentials, no network, nothing written, nothing printed.

mod compare;
mod declared;
mod effects;
pub mod install;
mod permissions;
mod revisions;
mod sides;

use std::sync::Arc;

use jiff::civil::Date;
use rayon::prelude::*;
use serde::Serialize;

pub use compare::compare;
pub use declared::Said;
pub use effects::{Level, Loss, Risk, Running, START};
pub use permissions::{Group, Permission, Permissions, grouped};
pub use revisions::{At, Repository, RevisionError};
pub use sides::{Nowhere, Pair, Read, Side, choose, pairs};

use crate::plan::Plan;
use crate::policy::Refusal;
use crate::price::{Cost, Table};
use crate::residency::EuRegion;
use crate::resource::Resource;
use crate::stack::{Finding, Source};

/// What both sides are seen with.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub prices: &'a Table,
    /// The day that it is.
    pub today: Date,
    /// The account's number, where a stack does not say it.
    pub account: Option<&'a str>,
}

/// All of it.
#[derive(Debug)]
pub struct Report {
    pub from: String,
    pub from_commit: Option<String>,
    pub to: String,
    pub to_commit: Option<String>,
    pub stacks: Vec<Review>,
}

/// What became of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Unchanged,
    Changed,
    Added,
    Removed,
    /// The new side cannot be worked with.
    Broken,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Broken => "broken",
        }
    }
}

/// One stack, before and after.
#[derive(Debug)]
pub struct Review {
    /// Its name; of one that cannot be read, its file's.
    pub stack: String,
    pub file: String,
    /// Its file before, if that was called otherwise.
    pub was: Option<String>,
    pub status: Status,
    /// What one has to know to read the rest.
    pub notes: Vec<String>,
    pub plan: Plan<Arc<dyn Resource>>,
    /// Why all of it is made anew, if it is: another region, account or name.
    pub anew: Option<String>,
    /// Whether the old side is there and cannot be read: what is replaced or lost is not known then.
    pub blind: bool,
    /// What the hashes in the plan stand for.
    pub details: Vec<Said>,
    /// What differs without any resource that differs.
    pub declared: Vec<Said>,
    pub running: Running,
    pub lost: Vec<Loss>,
    pub cost_from: Option<Cost>,
    pub cost_to: Option<Cost>,
    pub residency: Residency,
    pub permissions: Permissions,
    pub scripts: Vec<Script>,
    /// How many errors the new side has.
    pub errors: usize,
    /// Those that were not there before; all of them, where one is an error.
    pub findings: Vec<Finding>,
    /// Those that are there no more.
    pub mended: Vec<Finding>,
    /// The texts that findings point into.
    pub sources: Vec<Source>,
    /// Limits of the stack that it exceeds now, by which `up` refuses.
    pub refusals: Vec<Refusal>,
    pub risk: Risk,
}

/// Whether data stays where it may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Residency {
    /// Whether it stays in the EU.
    pub ok: bool,
    pub from: Option<EuRegion>,
    pub to: Option<EuRegion>,
    /// In one sentence.
    pub text: String,
}

impl Residency {
    /// Whether it goes to another region.
    pub fn moved(&self) -> bool {
        self.from.is_some() && self.to.is_some() && self.from != self.to
    }
}

/// A text that nodes run, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Script {
    /// `bootstrap-python.sh`.
    pub name: String,
    pub added: usize,
    pub removed: usize,
    /// As `diff -u` shows it.
    pub diff: String,
}

/// What a pipeline may stop at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Alarm {
    /// A new warning or error
    Warning,
    /// Something is made anew
    Replace,
    /// Data goes and does not come back
    DataLoss,
    /// An hour costs more than before, or more than the stack's limits allow
    Cost,
    /// A role may do more than before, or a port is open to more
    Permissions,
    /// Data would leave the EU, or its region
    Residency,
}

impl Alarm {
    pub fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Replace => "replace",
            Self::DataLoss => "data-loss",
            Self::Cost => "cost",
            Self::Permissions => "permissions",
            Self::Residency => "residency",
        }
    }
}

impl Review {
    /// Whether the two sides mean something different.
    pub fn changes(&self) -> bool {
        self.status != Status::Unchanged
    }

    pub fn alarms(&self) -> Vec<Alarm> {
        effects::alarms(self)
    }

    /// Whether there is anything to say.
    pub fn worth_a_word(&self) -> bool {
        self.changes() || self.errors > 0
    }

    /// Whether nothing can be planned.
    pub fn broken(&self) -> bool {
        self.status == Status::Broken
    }
}

impl Report {
    /// Compares everything on both sides.
    pub fn of(from: &Side, to: &Side, terms: Terms) -> Self {
        let pairs = pairs(from, to);
        // What was read of a pair goes with it, on the core that compared it.
        let stacks = pairs.into_par_iter().map(|pair| compare(&pair, from, to, terms)).collect();
        Self {
            from: from.label.clone(),
            from_commit: from.commit.clone(),
            to: to.label.clone(),
            to_commit: to.commit.clone(),
            stacks,
        }
    }

    pub fn changes(&self) -> bool {
        self.stacks.iter().any(Review::changes)
    }

    /// The stacks there is something to say of, gravest first.
    pub fn worth_a_word(&self) -> Vec<&Review> {
        let mut told: Vec<&Review> = self.stacks.iter().filter(|review| review.worth_a_word()).collect();
        told.sort_by_key(|review| std::cmp::Reverse(review.risk.level));
        told
    }
}
