//! The crash matrix: the real binary killed with SIGKILL at calls of every flow, before their effect, before
//! their reply and after it. One plain run is the whole recovery: it ends 0, the plan is empty, there never was
//! a cluster or a step too many, nothing is left over, and what is somebody else's is as it was.
//!
//! The suite kills at every operation of every flow once; `scripts/soak` at every call.

mod flow;
mod life;
mod point;
mod trial;

use self::flow::Flow;
use self::trial::{Stage, Trial, Verdict};
use crate::support::Aws;

/// Another one each time would find more, and tell less: the soak draws its own.
const SEED: u64 = 20_261_125;

#[test]
fn an_up_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation(&[Flow::UpFromNothing, Flow::UpAgain]);
}

#[test]
fn a_change_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation(&[Flow::UpWithChanges, Flow::UpWithReplacement, Flow::Uploads]);
}

#[test]
fn a_removal_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation(&[Flow::Down, Flow::Destroy]);
}

#[test]
fn a_run_killed_at_any_operation_is_followed_on_and_not_repeated() {
    at_every_operation(&[Flow::Run]);
}

fn at_every_operation(flows: &[Flow]) {
    let aws = Aws::with(&["--rate", "300"]);
    let oracle = aws.oracle(life::REGION);
    let mut draw = fastrand::Rng::with_seed(SEED);
    let mut stage = Stage::set(&aws, &oracle, flows);
    let mut trials = Vec::new();
    for flow in flows {
        trials.extend(stage.chart.one_each(*flow, &mut draw).into_iter().map(|point| Trial::of(*flow, point)));
    }
    let (planned, mut kills, mut wrong) = (trials.len(), 0, Vec::new());
    stage.play(trials, &mut draw, |verdict| {
        kills += verdict.kills;
        wrong.extend((!verdict.well()).then(|| told(verdict)));
        true
    });
    println!("{kills} kills at {planned} operations of {flows:?}");
    assert!(wrong.is_empty(), "seed {SEED}, {} of {planned} went wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(kills, planned, "seed {SEED}: every operation is killed at");
}

fn told(verdict: &Verdict) -> String {
    serde_json::to_string_pretty(verdict).expect("JSON")
}
