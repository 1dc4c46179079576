//! Keep, warn or kill: a pure function of facts, terms and the time. Each verdict has its reasons, in words and with
//! figures. It never ends a cluster whose work advances, but past its end and after a warning.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::activity::{self, Activity};
use super::facts::{Facts, Stage, Warned, Whose, since};
use crate::text::about;

/// A cluster is let be for so long once it can be used: metrics come late, and so does the first step.
pub const GRACE: Duration = Duration::from_mins(15);

/// A start takes 5 to 10 minutes.
const START: Duration = Duration::from_mins(45);

/// So long before its end a cluster is warned of it.
const NOTICE: Duration = Duration::from_mins(15);

/// So long a cluster may report nothing before that is told.
const SILENT: Duration = Duration::from_hours(1);

/// Bounds of a cluster that was promised nothing.
const IDLE: Duration = Duration::from_hours(1);
const OLD: Duration = Duration::from_hours(24);

/// An instance tells its cluster's tags within this.
const TAGGED: Duration = Duration::from_mins(10);

/// What whoever starts a sweep lets it do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// End at once what was to be warned of first.
    pub hard: bool,
    /// Judge clusters without our mark too.
    pub all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    Keep,
    Warn,
    Kill,
}

/// What is to be done about a cluster, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub word: Word,
    /// Never empty.
    pub reasons: Vec<String>,
    /// What is to be warned of, where that was not done yet.
    pub warning: Option<Warned>,
    /// How long it is known to idle.
    pub idle: Option<Duration>,
}

/// Whether a closer look could change anything: at tags, protection, steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    No,
    /// It could only spare a warning: there may be hundreds of these, and some a sweep are enough.
    Some,
    Great,
}

/// How much a closer look is needed.
pub fn doubt(facts: &Facts, terms: Terms, now: Timestamp) -> Doubt {
    match facts.whose {
        // One that ends has no instances any more to tell of.
        Whose::Unknown if facts.age(now) > TAGGED || facts.stage == Stage::Terminating => return Doubt::Great,
        // These are only told of.
        Whose::Unknown | Whose::Half(_) => return Doubt::No,
        Whose::Nobodys if !terms.all => return Doubt::No,
        _ => {}
    }
    let verdict = decide(facts, terms, now);
    let near = facts.whose.promise().is_some_and(|promise| since(now, promise.expires) <= NOTICE);
    match (verdict.word, activity::of(facts, now)) {
        (Word::Keep, _) => Doubt::No,
        (Word::Warn, Activity::Stalled { what, .. }) if !what.sure() && !near => Doubt::Some,
        (Word::Warn, Activity::Unknown { .. }) if !near => Doubt::No,
        _ => Doubt::Great,
    }
}

/// Judges a cluster.
pub fn decide(facts: &Facts, terms: Terms, now: Timestamp) -> Verdict {
    let activity = activity::of(facts, now);
    let idle = match activity {
        Activity::Quiet { long, .. } => Some(long),
        Activity::Advancing(_) => Some(Duration::ZERO),
        Activity::Unknown { .. } | Activity::Stalled { .. } => None,
    };
    let case = Case { facts, terms, now, activity };
    let (word, reasons, warning) = case.judge();
    let verdict = Verdict { word, reasons, warning, idle };
    if verdict.word == Word::Kill { protected(facts, verdict) } else { verdict }
}

/// Termination protection is lifted only where the stack promised that it may be.
fn protected(facts: &Facts, mut verdict: Verdict) -> Verdict {
    let liftable = facts.whose.promise().is_some_and(|promise| promise.liftable);
    match (facts.protected, liftable) {
        (Some(true), true) => {
            verdict.reasons.push("its termination protection is lifted, as its stack declares".into());
        }
        (Some(true), false) => {
            verdict.word = Word::Warn;
            verdict.warning = None;
            verdict.reasons.push("it is termination protected, and its stack lets nobody lift that".into());
        }
        _ => {}
    }
    verdict
}

type Judged = (Word, Vec<String>, Option<Warned>);

fn keep(reason: impl Into<String>) -> Judged {
    (Word::Keep, vec![reason.into()], None)
}

struct Case<'a> {
    facts: &'a Facts,
    terms: Terms,
    now: Timestamp,
    activity: Activity,
}

impl Case<'_> {
    fn judge(&self) -> Judged {
        let Self { facts, terms, now, .. } = self;
        match &facts.whose {
            _ if facts.stage == Stage::Terminating => keep("it is ending"),
            Whose::Unknown => keep("its tags are not known yet"),
            Whose::Half(stack) => {
                let reason = format!("marked as of stack {stack} and without a whole promise: it cannot be judged");
                (Word::Warn, [vec![reason], self.words(None)].concat(), None)
            }
            Whose::Nobodys => self.of_nobody(),
            Whose::Ours { promise, .. } => {
                self.about_its_end(promise.expires, promise.idle, terms.hard).unwrap_or_else(|| {
                    let (word, mut reasons, warning) = self.about_its_work(promise.idle, terms.hard);
                    let left = since(*now, promise.expires);
                    if left > NOTICE {
                        return (word, reasons, warning);
                    }
                    reasons.insert(0, format!("its end is {}, in {}", self.clock(promise.expires), about(left)));
                    let of_end = Warned::End(promise.expires);
                    let told = facts.warned == Some(of_end);
                    // A second warning would overwrite the first: its end comes first, and ends both.
                    let warning = if word == Word::Kill { None } else { (!told).then_some(of_end) };
                    (word.max(Word::Warn), reasons, warning)
                })
            }
        }
    }

    /// What lacks our mark is told, and judged by its idleness where that was asked for.
    fn of_nobody(&self) -> Judged {
        let Self { facts, terms, now, .. } = self;
        let age = facts.age(*now);
        if matches!(facts.stage, Stage::Starting | Stage::Bootstrapping) || self.in_grace() {
            return self.about_its_work(IDLE, terms.hard);
        }
        let (word, mut reasons, _) = self.about_its_work(IDLE, terms.hard);
        reasons.insert(0, format!("{} old, without a mark of ours", about(age)));
        let quiet = matches!(self.activity, Activity::Quiet { .. });
        match word {
            // Nobody would read a warning's tag: only what is known to be idle goes.
            Word::Kill if terms.all && quiet => (Word::Kill, reasons, None),
            Word::Keep if age <= OLD => (Word::Keep, reasons, None),
            _ => (Word::Warn, reasons, None),
        }
    }

    /// What follows from its end, if it has come.
    fn about_its_end(&self, expires: Timestamp, idle: Duration, hard: bool) -> Option<Judged> {
        let Self { facts, now, activity, .. } = self;
        if *now < expires {
            return None;
        }
        let past = format!("past its end of {} by {}", self.clock(expires), about(since(expires, *now)));
        let warned = facts.warned.is_some_and(|warned| warned.told() == Warned::End(expires).told());
        let starting = matches!(facts.stage, Stage::Starting | Stage::Bootstrapping);
        let at_work = !starting && matches!(activity, Activity::Advancing(_) | Activity::Unknown { .. });
        let mut reasons = vec![past];
        if starting {
            reasons.push(format!("{} for {}", facts.stage.word(), about(facts.age(*now))));
        } else {
            reasons.extend(self.words(Some(idle)));
        }
        let (word, warning) = match (at_work, warned, hard) {
            (true, true, _) => {
                reasons.push("it was warned".into());
                (Word::Kill, None)
            }
            (true, false, false) => {
                reasons.push("it is warned, and ended by the next sweep that finds it".into());
                (Word::Warn, Some(Warned::End(expires)))
            }
            _ => (Word::Kill, None),
        };
        Some((word, reasons, warning))
    }

    fn in_grace(&self) -> bool {
        self.facts.ready.is_none_or(|ready| since(ready, self.now) < GRACE)
    }

    /// What follows from what it does, within its life.
    fn about_its_work(&self, bound: Duration, hard: bool) -> Judged {
        let Self { facts, now, activity, .. } = self;
        let age = facts.age(*now);
        if matches!(facts.stage, Stage::Starting | Stage::Bootstrapping) {
            let reason = format!("{} for {}, usually 5 to 10 min", facts.stage.word(), about(age));
            return (if age > START { Word::Warn } else { Word::Keep }, vec![reason], None);
        }
        if self.in_grace() {
            let ready = facts.ready.map_or_else(String::new, |ready| format!(" for {}", about(since(ready, *now))));
            return keep(format!("usable{ready}, within the grace of {}", about(GRACE)));
        }
        let reasons = self.words(Some(bound));
        match activity {
            Activity::Advancing(_) => (Word::Keep, reasons, None),
            Activity::Unknown { since: last } => {
                let silent = since(last.or(facts.ready).unwrap_or(facts.created), *now);
                (if silent > SILENT { Word::Warn } else { Word::Keep }, reasons, None)
            }
            Activity::Quiet { long, .. } => (if *long >= bound { Word::Kill } else { Word::Keep }, reasons, None),
            Activity::Stalled { long, .. } if *long < bound => (Word::Keep, reasons, None),
            Activity::Stalled { what, since: from, .. } => {
                let warned = matches!(facts.warned, Some(Warned::Stall(at)) if at >= *from && at < *now);
                let mut reasons = reasons;
                match (what.sure(), warned, hard) {
                    (true, true, _) => {
                        reasons.push("it was warned, and nothing changed".into());
                        (Word::Kill, reasons, None)
                    }
                    (true, false, true) => (Word::Kill, reasons, None),
                    (_, true, _) => (Word::Warn, reasons, None),
                    (_, false, _) => (Word::Warn, reasons, Some(Warned::Stall(*now))),
                }
            }
        }
    }

    /// How its work stands, in words.
    fn words(&self, bound: Option<Duration>) -> Vec<String> {
        let of = |long: Duration| {
            let bound = bound.map_or_else(String::new, |bound| format!(" of {}", about(bound)));
            format!("{}{bound}", about(long))
        };
        let mut words = match &self.activity {
            Activity::Advancing(words) => return vec![words.clone()],
            Activity::Unknown { since: Some(last) } => {
                vec![format!("no metrics since {}: unknown, so not idle", self.clock(*last))]
            }
            Activity::Unknown { since: None } => vec!["no metrics yet: unknown, so not idle".into()],
            Activity::Quiet { long, .. } => vec![format!("idle {}", of(*long))],
            Activity::Stalled { words, long, .. } => vec![words.clone(), format!("nothing changed for {}", of(*long))],
        };
        let running = |step: &crate::cloud::steps::Step| step.ended.is_none();
        match self.facts.steps.as_deref() {
            Some([]) => words.push("no step yet".into()),
            Some(steps) if !steps.iter().any(running) => {
                let last = steps.iter().filter_map(|step| step.ended).max();
                words.extend(last.map(|last| format!("no step since {}", self.clock(last))));
            }
            _ => {}
        }
        words
    }

    /// `14:02 UTC`, with its date where it is far from now.
    fn clock(&self, at: Timestamp) -> String {
        let far = since(at, self.now).max(since(self.now, at)) > Duration::from_hours(20);
        at.strftime(if far { "%Y-%m-%d %H:%M UTC" } else { "%H:%M UTC" }).to_string()
    }
}

#[cfg(test)]
mod tests;
