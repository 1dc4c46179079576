//! Whether a cluster's work advances, read out of its steps and metrics. Pure. What is not known is never taken for
//! idleness: a gap in the metrics is not counted, and a long one begins the count anew.

use std::time::Duration;

use jiff::Timestamp;

use super::facts::{Facts, Sample, since};
use crate::cloud::clusters::PERIOD;
use crate::cloud::steps::Step;
use crate::text::about;

/// Metrics are minutes late; a last one that is older tells nothing of now.
const FRESH: Duration = Duration::from_mins(30);

/// Two samples further apart than this do not belong to one stretch: two may be missing in between.
const BRIDGE: Duration = Duration::from_mins(15);

/// A step of a job that ended before may take this many times its longest, but no more than `MORE` beyond it, and
/// never less than `LEAST`.
const TIMES: u32 = 3;
const MORE: Duration = Duration::from_hours(4);
const LEAST: Duration = Duration::from_mins(30);

/// What a step may take of which nothing is known.
const UNKNOWN_STEP: Duration = Duration::from_hours(4);

/// A step that waits for no other is begun within this.
const BEGUN: Duration = Duration::from_mins(30);

/// What stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// A step that runs far beyond what it may take.
    Step,
    /// Applications that YARN accepted and gives no container.
    Accepted,
    /// Applications that hold nothing but their masters: an open shell, an open notebook.
    Shell,
    /// Applications whose containers do not change: a forgotten shell, or a long job that nobody told of.
    Held,
    /// Neither idle, nor any application.
    Nothing,
}

impl Stall {
    /// Whether nobody's work is lost with it. Work that only looks still is told, and left to its end.
    pub fn sure(self) -> bool {
        matches!(self, Self::Step | Self::Accepted | Self::Shell)
    }
}

/// How a cluster's work stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Activity {
    Advancing(String),
    /// `since`: when something was last known.
    Unknown {
        since: Option<Timestamp>,
    },
    /// Known to be idle for so long, gaps not counted.
    Quiet {
        long: Duration,
        since: Timestamp,
    },
    /// Busy, and known not to have changed for so long.
    Stalled {
        what: Stall,
        long: Duration,
        since: Timestamp,
        words: String,
    },
}

/// How the cluster's work stands now.
pub fn of(facts: &Facts, now: Timestamp) -> Activity {
    let steps = facts.steps.as_deref().unwrap_or_default();
    let running: Vec<Running<'_>> = steps.iter().filter_map(|step| Running::of(step, steps, now)).collect();
    let measured = measured(facts, now);
    let accepted = matches!(measured, Activity::Stalled { what: Stall::Accepted, .. });
    // A step that waits for its first container does nothing, unless it is known to have taken as long before.
    if let Some(step) = running.iter().find(|step| step.within() && (step.usual.is_some() || !accepted)) {
        return Activity::Advancing(step.words());
    }
    if running.is_empty() {
        return pending(steps, now).map_or(measured, Activity::Advancing);
    }
    match measured {
        // While it was within its time, it advanced.
        Activity::Quiet { long, since: from } | Activity::Stalled { long, since: from, .. } if !accepted => {
            let due = running.iter().map(Running::due).max().unwrap_or(from);
            let held = matches!(measured, Activity::Stalled { what: Stall::Held, .. });
            // Containers that a step holds may be work, however long its job took before: it may have more to do today.
            let what = if held { Stall::Held } else { Stall::Step };
            let words = running.iter().map(Running::words).collect::<Vec<_>>().join("; ");
            Activity::Stalled { what, long: long.min(since(due, now)), since: from.max(due), words }
        }
        other => other,
    }
}

/// A step at work.
struct Running<'a> {
    step: &'a Step,
    began: Timestamp,
    age: Duration,
    /// The longest of its job that completed.
    usual: Option<Duration>,
}

impl<'a> Running<'a> {
    fn of(step: &'a Step, all: &[Step], now: Timestamp) -> Option<Self> {
        if !["RUNNING", "CANCEL_PENDING"].contains(&step.state.as_str()) {
            return None;
        }
        let began = step.started.or(step.created)?;
        let alike = all.iter().filter(|other| other.state == "COMPLETED" && job(other) == job(step));
        let usual = alike.filter_map(|other| Some(since(other.started?, other.ended?))).max();
        Some(Self { step, began, age: since(began, now), usual })
    }

    fn allowed(&self) -> Duration {
        self.usual.map_or(UNKNOWN_STEP, |usual| (usual * TIMES).min(usual + MORE).max(LEAST))
    }

    fn within(&self) -> bool {
        self.age <= self.allowed()
    }

    fn due(&self) -> Timestamp {
        self.began.checked_add(self.allowed()).unwrap_or(Timestamp::MAX)
    }

    fn words(&self) -> String {
        let usual = match self.usual {
            Some(usual) => format!("; it took {} at most before", about(usual)),
            None => String::new(),
        };
        let allowed = about(self.allowed());
        format!("step `{}` RUNNING for {} of {allowed}{usual}", job(self.step), about(self.age))
    }
}

/// The job behind a step, or its whole name where it is none of ours.
fn job(step: &Step) -> &str {
    step.job().unwrap_or(&step.name)
}

/// A step that is about to begin.
fn pending(steps: &[Step], now: Timestamp) -> Option<String> {
    let waiting = steps.iter().filter(|step| step.state == "PENDING");
    let newest = waiting.filter_map(|step| Some((since(step.created?, now), step))).min_by_key(|(age, _)| *age);
    let (age, step) = newest.filter(|(age, _)| *age <= BEGUN)?;
    Some(format!("step `{}` PENDING for {}", job(step), about(age)))
}

/// What one sample says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Idle,
    Busy {
        running: f64,
        pending: f64,
        containers: f64,
        memory: Option<f64>,
    },
    /// Too little.
    Nothing,
}

impl Says {
    fn of(sample: &Sample) -> Self {
        let Sample { idle, running, pending, containers, memory, hdfs: _ } = *sample;
        let none = |value: Option<f64>| value.is_none_or(|value| value <= 0.0);
        let quiet = none(running) && none(pending) && none(containers);
        match (idle, running, pending, containers) {
            (Some(idle), ..) if idle >= 1.0 && quiet => Self::Idle,
            (None, Some(_), Some(_), Some(_)) if quiet => Self::Idle,
            (_, Some(running), Some(pending), Some(containers)) => Self::Busy { running, pending, containers, memory },
            _ => Self::Nothing,
        }
    }

    /// Whether nothing changed between the two.
    fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Idle, Self::Idle) => true,
            (
                Self::Busy { running, pending, containers, memory },
                Self::Busy { running: r, pending: p, containers: c, memory: m },
            ) => {
                let near = |a: f64, b: f64, by: f64| (a - b).abs() < by;
                let memory = memory.zip(m).is_none_or(|(a, b)| near(a, b, 0.5));
                near(running, r, 0.5) && near(pending, p, 0.5) && near(containers, c, 0.5) && memory
            }
            _ => false,
        }
    }
}

/// How the work stands by the metrics alone; steps only tell when something last happened.
fn measured(facts: &Facts, now: Timestamp) -> Activity {
    // What was measured before it could be used tells nothing.
    let begun = facts.ready.unwrap_or(facts.created);
    let told = facts.samples.range(begun..).rev().map(|(at, sample)| (*at, Says::of(sample)));
    let mut known = told.filter(|(_, says)| *says != Says::Nothing);
    let Some((last, says)) = known.next() else { return Activity::Unknown { since: None } };
    if since(last, now) > FRESH {
        return Activity::Unknown { since: Some(last) };
    }
    let moved = facts.steps.iter().flatten().filter_map(|step| step.ended.or(step.started)).max();
    let (mut from, mut long, mut changed) = (last, Duration::ZERO, false);
    for (at, before) in known {
        let gap = since(at, from);
        if gap > BRIDGE || moved.is_some_and(|moved| moved >= from) {
            break;
        }
        if !before.same(says) {
            changed = true;
            break;
        }
        let counted = moved.map_or(gap, |moved| gap.min(since(moved, from)));
        long += counted.min(PERIOD);
        from = moved.map_or(at, |moved| moved.max(at));
    }
    match says {
        Says::Busy { running, pending, containers, .. } => {
            let figures = format!("AppsRunning {running}, AppsPending {pending}, ContainerAllocated {containers}");
            if long < PERIOD * 2 {
                let how = if changed { "changing" } else { "not known to stand still" };
                return Activity::Advancing(format!("{figures}, {how}"));
            }
            let (what, words) = match (running < 0.5, pending < 0.5) {
                (true, false) if containers < 0.5 => {
                    (Stall::Accepted, format!("AppsPending {pending} for {}: stuck in ACCEPTED", about(long)))
                }
                (true, true) if containers < 0.5 => (Stall::Nothing, format!("not idle, and nothing runs: {figures}")),
                _ if containers <= running => {
                    (Stall::Shell, format!("{figures}, the same for {}: an open shell, and nothing in it", about(long)))
                }
                _ => {
                    (Stall::Held, format!("{figures}, the same for {}: it only looks busy, or a long job", about(long)))
                }
            };
            Activity::Stalled { what, long, since: from, words }
        }
        _ => Activity::Quiet { long, since: from },
    }
}
