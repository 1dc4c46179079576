//! The crash matrix: the real binary killed with SIGKILL at calls of every flow, before their effect, before
//! their reply and after it. One plain run is the whole recovery: it ends 0, the plan is empty, there never was
//! a cluster or a step too many, nothing is left over, and what is somebody else's is as it was.
//!
//! The suite kills at every operation of every flow once; `scripts/soak` at every call, by the tests that are
//! ignored here. Beside it, runs whose calls fail by seed, and races.

mod flow;
mod life;
mod point;
mod races;
mod seeds;
mod trial;

use std::process::Command;
use std::time::{Duration, Instant};

use fruitsinfra::python;
use serde_json::json;

use self::flow::Flow;
use self::life::Shape;
use self::point::Point;
use self::trial::{Stage, Trial, Verdict};
use crate::support::control::until;
use crate::support::{Aws, repository};

/// Another one each time would find more, and tell less: the soak draws its own.
const SEED: u64 = 20_261_125;

/// Made only where the deletes of two security groups that name one another meet: a group that is still held is asked
/// who holds it. It may be charted and then not come again; all other operations do.
const BY_CHANCE: &str = "DescribeNetworkInterfaces";

/// A soak's stages, each with an AWS of its own: more than cores, for they wait as much as they work.
const WORKERS: u64 = 4;

#[test]
fn an_up_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation(&[Flow::UpFromNothing, Flow::UpAgain]);
}

#[test]
fn a_change_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation(&[Flow::UpWithChanges, Flow::Uploads, Flow::Sync]);
}

#[test]
fn a_change_of_fleets_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation_of(&[Flow::UpWithChanges, Flow::UpWithReplacement], Shape::Fleets);
}

#[test]
fn a_change_of_scaling_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation_of(&[Flow::UpWithChanges], Shape::Scaled);
}

#[test]
fn a_replacement_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation(&[Flow::UpWithReplacement]);
}

#[test]
fn a_removal_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation(&[Flow::Down, Flow::Destroy]);
}

#[test]
fn a_run_killed_at_any_operation_is_followed_on_and_not_repeated() {
    at_every_operation(&[Flow::Run]);
}

#[test]
fn an_extension_killed_at_any_operation_is_completed_by_running_it_again() {
    at_every_operation(&[Flow::Extend]);
}

#[test]
fn a_sweep_killed_at_any_operation_is_completed_by_the_next_one() {
    at_every_operation(&[Flow::Guard]);
}

#[test]
fn what_listings_do_not_show_yet_is_not_made_twice() {
    suite(&[Flow::UpFromNothing, Flow::UpWithReplacement, Flow::Run, Flow::Destroy], |stage, draw| {
        let mut trials = Vec::new();
        for flow in [Flow::UpFromNothing, Flow::UpWithReplacement, Flow::Run, Flow::Destroy] {
            let points = stage.chart.one_each_that_changes(flow, draw);
            trials.extend(points.into_iter().map(|point| Trial::of(flow, point).lagging()));
        }
        trials
    });
}

#[test]
fn a_recovery_that_is_killed_too_is_completed_by_running_it_again() {
    suite(&[Flow::Run, Flow::Guard], |stage, draw| {
        let twice = |flow, draw: &mut fastrand::Rng| stage.twice(flow, draw);
        Flow::ALL.into_iter().flat_map(|flow| [twice(flow, draw), twice(flow, draw)]).collect()
    });
}

#[test]
fn a_job_on_spark_killed_twice_is_one_step_and_its_results_are_whole() {
    const STACK: &str = "stacks/minimal.yaml";
    let mut aws = Aws::start();
    aws.weights = "untrained";
    let spark = aws.wait(python::install("spark", &python::cache(), |_| {})).expect("Spark");
    let made = Command::new(&spark.python)
        .arg(repository().join("scripts/sample-images"))
        .arg(aws.folder().join("samples"))
        .args(["--classes", "2", "--per-class", "4"])
        .status();
    assert!(made.is_ok_and(|made| made.success()));
    aws.edit(STACK, "\nbootstrap:", "\nuploads: [{from: ../samples, to: data/images/}]\n\nbootstrap:");
    aws.up(STACK).expect(0);

    let run = ["run", STACK, "features", "--weights", "untrained"];
    let asked = json!({"operation": "AddJobFlowSteps", "kind": "hang", "when": "after"});
    let at_work = json!({"operation": "DescribeStep", "kind": "hang", "when": "replied", "nth": 3});
    for point in [asked, at_work] {
        aws.fault(&point);
        let mut child = aws.spawn(&run);
        assert!(until(Duration::from_mins(2), || aws.hanging() > 0), "{point}");
        child.kill().expect("killed");
        child.wait().expect("gone");
        aws.heal();
    }
    aws.run(&run).expect(0);
    let cluster = aws.status(STACK)["cluster"]["id"].as_str().expect("a cluster").to_owned();
    assert_eq!(aws.oracle("eu-west-1").steps(&cluster), ["COMPLETED"]);
    let results = aws.run(&["results", STACK, "features", "--output", "json"]).expect(0).json();
    assert_eq!((&results["rows"], &results["failed_rows"]), (&json!(8), &json!([])), "{results}");
}

fn at_every_operation(flows: &[Flow]) {
    at_every_operation_of(flows, Shape::Groups);
}

fn at_every_operation_of(flows: &[Flow], shape: Shape) {
    let missed = suite_of(flows, shape, |stage, draw| {
        let mut trials = Vec::new();
        for flow in flows {
            trials.extend(stage.chart.one_each(*flow, draw).into_iter().map(|point| Trial::of(*flow, point)));
        }
        trials
    });
    let missed: Vec<_> = missed.iter().filter(|point| point.operation != BY_CHANCE).map(Point::to_string).collect();
    assert!(missed.is_empty(), "seed {SEED}: never came to {}", missed.join(", "));
}

fn suite(flows: &[Flow], trials: impl FnOnce(&Stage, &mut fastrand::Rng) -> Vec<Trial>) -> Vec<Point> {
    suite_of(flows, Shape::Groups, trials)
}

/// Plays what is drawn, all of it, and tells the points at which nothing was killed.
fn suite_of(flows: &[Flow], shape: Shape, trials: impl FnOnce(&Stage, &mut fastrand::Rng) -> Vec<Trial>) -> Vec<Point> {
    let aws = Aws::with(&["--rate", "300"]);
    let oracle = aws.oracle(life::REGION);
    let mut draw = fastrand::Rng::with_seed(SEED);
    let mut stage = Stage::set(&aws, &oracle, flows, shape);
    let trials = trials(&stage, &mut draw);
    let (planned, mut killed, mut missed, mut wrong) = (trials.len(), 0, Vec::new(), Vec::new());
    stage.play(trials, &mut draw, |verdict| {
        killed += usize::from(verdict.kills > 0);
        missed.extend((verdict.kills == 0).then(|| verdict.trial.first.clone()));
        wrong.extend((!verdict.well()).then(|| serde_json::to_string_pretty(verdict).expect("JSON")));
        true
    });
    say(&format!("{killed} killed of {planned}"));
    assert!(wrong.is_empty(), "seed {SEED}, {} of {planned} went wrong:\n{}", wrong.len(), wrong.join("\n"));
    missed
}

#[test]
#[ignore = "scripts/soak runs it"]
fn soak_matrix() {
    soak("matrix", |stage, draw, turn| {
        let mut trials = Vec::new();
        for flow in Flow::ALL {
            for point in stage.chart.points(flow) {
                let trial = Trial::of(flow, point);
                trials.extend([trial.clone().lagging(), trial]);
            }
        }
        // The same order for all, of which each takes its own.
        trials.sort_by(|a, b| (a.flow, &a.first, a.lag).cmp(&(b.flow, &b.first, b.lag)));
        draw.shuffle(&mut trials);
        trials.into_iter().skip(turn).step_by(usize::try_from(WORKERS).expect("few")).collect()
    });
}

#[test]
#[ignore = "scripts/soak runs it"]
fn soak_doubles() {
    soak("doubles", |stage, draw, turn| {
        let mut draw = fastrand::Rng::with_seed(draw.u64(..) ^ turn as u64);
        (0..10_000).map(|i| stage.twice(Flow::ALL[i % Flow::ALL.len()], &mut draw)).collect()
    });
}

/// Plays until the time is up, and tells each verdict as a line of JSON.
fn soak(part: &str, trials: impl Fn(&Stage, &mut fastrand::Rng, usize) -> Vec<Trial> + Sync) {
    let seed = from_environment("FRUITSINFRA_SEED").map_or(SEED, |seed| seed as u64);
    let deadline = deadline().expect("scripts/soak says how long");
    let wrong: usize = std::thread::scope(|scope| {
        let trials = &trials;
        let worker = |turn: u64| {
            move || {
                let aws = Aws::with(&["--rate", "300"]);
                let oracle = aws.oracle(life::REGION);
                let mut draw = fastrand::Rng::with_seed(seed);
                let shape = match turn {
                    1 => Shape::Fleets,
                    3 => Shape::Scaled,
                    _ => Shape::Groups,
                };
                let mut stage = Stage::set(&aws, &oracle, &Flow::ALL, shape);
                let trials = trials(&stage, &mut draw, usize::try_from(turn).expect("few"));
                say(&json!({"part": part, "seed": seed, "points": trials.len()}));
                let mut wrong = 0;
                stage.play(trials, &mut draw, |verdict| {
                    say(&line(part, verdict));
                    wrong += usize::from(!verdict.well());
                    Instant::now() < deadline
                });
                wrong
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|turn| scope.spawn(worker(turn))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker ends")).sum()
    });
    assert_eq!(wrong, 0, "seed {seed}");
}

fn line(part: &str, verdict: &Verdict) -> serde_json::Value {
    json!({"part": part, "trial": verdict.trial, "kills": verdict.kills, "orphans": verdict.orphans.len(),
        "doubles": verdict.doubles, "touched": verdict.touched.len(), "human_acts": usize::from(verdict.human_act),
        "not_converged": usize::from(!verdict.unfinished.is_empty()), "seconds": verdict.seconds,
        "wrong": (!verdict.well()).then_some(verdict)})
}

#[expect(clippy::print_stdout, reason = "scripts/soak reads it")]
fn say(line: &dyn std::fmt::Display) {
    println!("{line}");
}

/// A number that `scripts/soak` gives.
fn from_environment(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

/// When a soak has had its time.
fn deadline() -> Option<Instant> {
    from_environment("FRUITSINFRA_SECONDS").map(|long| Instant::now() + Duration::from_secs(long as u64))
}
