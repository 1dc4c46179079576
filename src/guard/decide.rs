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
mod tests {
    use super::super::facts::{Sample, Samples};
    use super::*;
    use crate::cloud::mark::Mark;
    use crate::cloud::promise::Promise;
    use crate::cloud::steps::Step;
    use crate::residency::EuRegion;

    fn at(minute: i64) -> Timestamp {
        let noon: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a moment");
        noon.checked_add(jiff::SignedDuration::from_mins(minute)).expect("a moment")
    }

    const QUIET: Sample = Sample {
        idle: Some(1.0),
        running: Some(0.0),
        pending: Some(0.0),
        containers: Some(0.0),
        memory: Some(100.0),
        hdfs: Some(0.1),
    };

    fn busy(running: f64, pending: f64, containers: f64) -> Sample {
        Sample {
            idle: Some(0.0),
            running: Some(running),
            pending: Some(pending),
            containers: Some(containers),
            ..QUIET
        }
    }

    /// One of ours that could be used from noon on, whose end is at 18:00 and who may idle for 45 minutes.
    fn facts(samples: impl IntoIterator<Item = (i64, Sample)>) -> Facts {
        let mark = Mark { stack: "demo".into(), address: "cluster/main".into(), owner: "o".into() };
        let promise = Promise {
            home: "demo-home-000000000000".into(),
            expires: at(360),
            idle: Duration::from_mins(45),
            liftable: false,
        };
        Facts {
            region: EuRegion::EuWest3,
            id: "j-1".into(),
            name: "demo-main".into(),
            stage: Stage::Waiting,
            created: at(-8),
            ready: Some(at(0)),
            whose: Whose::Ours { mark, promise },
            warned: None,
            protected: Some(false),
            nodes: vec![],
            billed: at(-8),
            steps: Some(vec![]),
            samples: samples.into_iter().map(|(minute, sample)| (at(minute), sample)).collect::<Samples>(),
        }
    }

    /// The same every five minutes, first and last included.
    fn same(from: i64, to: i64, sample: Sample) -> impl Iterator<Item = (i64, Sample)> {
        (from..=to).step_by(5).map(move |minute| (minute, sample))
    }

    fn step(name: &str, state: &str, started: i64, ended: Option<i64>) -> Step {
        Step {
            id: "s-1".into(),
            name: name.into(),
            state: state.into(),
            reason: None,
            created: Some(at(started)),
            started: Some(at(started)),
            ended: ended.map(at),
        }
    }

    fn judged(facts: &Facts, minute: i64) -> (Word, String) {
        let verdict = decide(facts, Terms::default(), at(minute));
        (verdict.word, verdict.reasons.join("; "))
    }

    fn told(word: Word, reasons: &str) -> (Word, String) {
        (word, reasons.to_owned())
    }

    #[test]
    fn idle_beyond_its_bound_is_ended_and_not_sooner() {
        let idle = facts(same(5, 55, QUIET));
        assert_eq!(judged(&idle, 57), told(Word::Kill, "idle 50 min of 45 min; no step yet"));
        let idle = facts(same(5, 45, QUIET));
        assert_eq!(judged(&idle, 47), told(Word::Keep, "idle 40 min of 45 min; no step yet"));
        // A step that ended meanwhile was work, whatever the samples missed.
        let mut worked = facts(same(5, 65, QUIET));
        worked.steps = Some(vec![step("features 0123456789abcdef", "COMPLETED", 28, Some(31))]);
        assert_eq!(judged(&worked, 66), told(Word::Keep, "idle 34 min of 45 min; no step since 12:31 UTC"));
    }

    #[test]
    fn what_is_missing_is_not_counted_and_never_idle() {
        let with = |gap: [i64; 2]| facts(same(5, 60, QUIET).filter(move |(m, _)| !(gap[0]..=gap[1]).contains(m)));
        assert_eq!(judged(&with([30, 30]), 62).1, "idle 50 min of 45 min; no step yet");
        assert_eq!(judged(&with([30, 35]), 62).1, "idle 45 min of 45 min; no step yet");
        assert_eq!(judged(&with([30, 40]), 62).1, "idle 15 min of 45 min; no step yet");
        assert_eq!(judged(&with([5, 60]), 62), told(Word::Warn, "no metrics yet: unknown, so not idle; no step yet"));
        let late = facts(same(5, 55, QUIET));
        assert_eq!(judged(&late, 86).1, "no metrics since 12:55 UTC: unknown, so not idle; no step yet");
        // Idle by one metric, at work by another.
        let torn =
            facts(same(5, 60, Sample { idle: None, ..QUIET }).chain([(60, Sample { running: Some(1.0), ..QUIET })]));
        assert_eq!(judged(&torn, 62).0, Word::Keep);
    }

    #[test]
    fn the_grace_after_the_start_and_a_start_that_takes_long() {
        let fresh = facts([]);
        assert_eq!(judged(&fresh, 4), told(Word::Keep, "usable for 4 min, within the grace of 15 min"));
        let starting = Facts { stage: Stage::Bootstrapping, ready: None, ..facts([]) };
        assert_eq!(judged(&starting, 10), told(Word::Keep, "BOOTSTRAPPING for 18 min, usually 5 to 10 min"));
        assert_eq!(judged(&starting, 40).0, Word::Warn);
        let why = "past its end of 18:00 UTC by 1 min; BOOTSTRAPPING for 6 h 9 min";
        assert_eq!(judged(&starting, 361), told(Word::Kill, why));
    }

    #[test]
    fn work_that_advances_is_kept_until_a_warning_of_its_end() {
        let containers = [3.0, 7.0, 2.0].into_iter().cycle();
        let changing = (5..=400).step_by(5).zip(containers).map(|(minute, of)| (minute, busy(1.0, 0.0, of)));
        let mut facts = facts(changing.collect::<Vec<_>>());
        let until = |facts: &Facts, minute| Facts {
            samples: facts.samples.range(..at(minute)).map(|(at, sample)| (*at, *sample)).collect(),
            ..facts.clone()
        };
        assert_eq!(judged(&until(&facts, 200), 200).0, Word::Keep);
        let near = decide(&until(&facts, 350), Terms::default(), at(350));
        assert_eq!((near.word, near.warning), (Word::Warn, Some(Warned::End(at(360)))));
        assert!(near.reasons[0].starts_with("its end is 18:00 UTC, in 10 min"), "{near:?}");
        let past = decide(&until(&facts, 362), Terms::default(), at(362));
        assert_eq!((past.word, past.warning), (Word::Warn, Some(Warned::End(at(360)))));
        let hard = decide(&until(&facts, 362), Terms { hard: true, all: false }, at(362));
        assert_eq!(hard.word, Word::Kill);
        facts.warned = Some(Warned::End(at(360)));
        assert_eq!(judged(&until(&facts, 362), 362).0, Word::Kill);
        // An extension voids the warning.
        facts.warned = Some(Warned::End(at(300)));
        assert_eq!(judged(&until(&facts, 362), 362).0, Word::Warn);
    }

    #[test]
    fn what_stands_still_is_warned_of_and_then_ended() {
        let accepted = facts(same(5, 185, busy(0.0, 1.0, 0.0)));
        let verdict = decide(&accepted, Terms::default(), at(187));
        let words = "AppsPending 1 for 3 h: stuck in ACCEPTED; nothing changed for 3 h of 45 min; no step yet";
        assert_eq!((verdict.word, verdict.reasons.join("; ").as_str()), (Word::Warn, words));
        assert_eq!(verdict.warning, Some(Warned::Stall(at(187))));
        let warned = Facts { warned: Some(Warned::Stall(at(187))), ..accepted };
        assert_eq!(judged(&warned, 192).0, Word::Kill);
        // Something happened after the warning.
        let moved = facts(same(5, 190, busy(0.0, 1.0, 0.0)).chain(same(195, 250, busy(0.0, 2.0, 0.0))));
        assert_eq!(judged(&Facts { warned: Some(Warned::Stall(at(187))), ..moved }, 252).0, Word::Warn);
        let shell = facts(same(5, 60, busy(1.0, 0.0, 1.0)));
        assert!(judged(&shell, 62).1.contains("an open shell, and nothing in it"));
        // Containers that a job may use are never taken from it.
        let held = Facts { warned: Some(Warned::Stall(at(62))), ..facts(same(5, 120, busy(1.0, 0.0, 9.0))) };
        assert_eq!(judged(&held, 122).0, Word::Warn);
    }

    #[test]
    fn a_step_may_take_what_its_job_took_and_somewhat_more() {
        let with = |state: &str, minutes: i64| {
            let mut facts = facts(same(5, 170, busy(1.0, 0.0, 9.0)));
            facts.steps = Some(vec![
                step("features 0123456789abcdef", "RUNNING", 30, None),
                step("features fedcba9876543210", state, 30 - minutes, Some(30)),
            ]);
            facts
        };
        assert_eq!(judged(&with("COMPLETED", 20), 60).0, Word::Keep);
        let words = "step `features` RUNNING for 2 h 22 min of 1 h; it took 20 min at most before; nothing changed for 1 h 22 min of 45 min";
        assert_eq!(judged(&with("COMPLETED", 20), 172), told(Word::Warn, words));
        // Of a job that never ended well nothing is known.
        assert_eq!(judged(&with("FAILED", 20), 172).0, Word::Keep);
    }

    #[test]
    fn protection_is_lifted_only_where_that_was_promised() {
        let protected = Facts { protected: Some(true), ..facts(same(5, 60, QUIET)) };
        let (word, reasons) = judged(&protected, 62);
        assert_eq!(word, Word::Warn);
        assert!(reasons.ends_with("it is termination protected, and its stack lets nobody lift that"), "{reasons}");
        let mut liftable = protected;
        if let Whose::Ours { promise, .. } = &mut liftable.whose {
            promise.liftable = true;
        }
        assert_eq!(judged(&liftable, 62).0, Word::Kill);
    }

    #[test]
    fn what_is_not_wholly_ours_is_told_and_not_ended() {
        let half = Facts { whose: Whose::Half("demo".into()), ..facts(same(5, 60, QUIET)) };
        let why = "marked as of stack demo and without a whole promise: it cannot be judged; idle 55 min; no step yet";
        assert_eq!(judged(&half, 62), told(Word::Warn, why));
        let young = Facts { whose: Whose::Nobodys, ..facts(same(5, 30, QUIET)) };
        assert_eq!(judged(&young, 32).0, Word::Keep);
        let nobodys = Facts { whose: Whose::Nobodys, ..facts(same(5, 120, QUIET)) };
        assert_eq!(judged(&nobodys, 122).0, Word::Warn);
        let all = decide(&nobodys, Terms { all: true, hard: false }, at(122));
        assert_eq!(all.word, Word::Kill);
        assert_eq!(all.reasons[0], "2 h 10 min old, without a mark of ours");
        let ending = Facts { stage: Stage::Terminating, ..nobodys };
        assert_eq!(judged(&ending, 122), told(Word::Keep, "it is ending"));
    }
}
