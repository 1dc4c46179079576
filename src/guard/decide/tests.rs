//! Clusters at moments of their lives, and what each is judged to be.

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
    Sample { idle: Some(0.0), running: Some(running), pending: Some(pending), containers: Some(containers), ..QUIET }
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
    let torn = facts(same(5, 60, Sample { idle: None, ..QUIET }).chain([(60, Sample { running: Some(1.0), ..QUIET })]));
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
