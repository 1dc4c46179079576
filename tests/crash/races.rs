//! Races: two `up` and one `down` started at once. At any time there is one cluster at most and one writer, told
//! by the call log; each ends 0 or 4, and a plain run of any of them reaches its goal.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Aws;
use crate::support::control::{Call, until};
use crate::support::oracle::{ACCOUNT, Oracle, Seen};

/// Races of the suite; the soak has more.
const RACES: usize = 8;

const WORKERS: usize = 2;

const REGION: &str = "eu-west-3";

#[test]
fn two_ups_and_a_down_at_once_are_one_writer_and_one_cluster_at_a_time() {
    let races = super::from_environment("FRUITSINFRA_RACES").unwrap_or(RACES);
    let seed = super::from_environment("FRUITSINFRA_SEED").unwrap_or(1) as u64;
    let deadline = super::deadline();
    let lines: Vec<Value> = std::thread::scope(|scope| {
        let worker = |turn: usize| {
            move || {
                let aws = Aws::with(&["--rate", "300"]);
                let mine = (turn..races).step_by(WORKERS);
                let mine = mine.take_while(|_| deadline.is_none_or(|at| Instant::now() < at));
                mine.map(|race| run(&aws, seed, race)).collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|turn| scope.spawn(worker(turn))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker ends")).collect()
    });
    for line in &lines {
        super::say(line);
    }
    let wrong: Vec<&Value> = lines.iter().filter(|line| line["wrong"] != json!([])).collect();
    assert!(wrong.is_empty(), "{}", serde_json::to_string_pretty(&wrong).expect("JSON"));
}

/// The first `up` of all, raced by another, and a change, on the other model of AWS.
#[test]
fn on_moto_too_there_is_one_writer_and_one_cluster_at_a_time() {
    let aws = Aws::with(&["--model", "moto"]);
    for race in [0, WORKERS] {
        let line = run(&aws, 1, race);
        assert_eq!(line["wrong"], json!([]), "{line:#}");
    }
}

/// One race, from nothing or from a cluster to be changed.
fn run(aws: &Aws, seed: u64, race: usize) -> Value {
    let mut draw = fastrand::Rng::with_seed(seed.wrapping_mul(1000) + race as u64);
    let (begun, oracle) = (Instant::now(), aws.oracle(REGION));
    let name = format!("race-{race}");
    let file = format!("stacks/{name}.yaml");
    std::fs::copy(aws.folder().join("stacks/demo.yaml"), aws.folder().join(&file)).expect("copied");
    aws.edit(&file, "stack: fruits-demo", &format!("stack: {name}"));
    aws.edit(&file, "lifetime: 3h, idle: 45m", "lifetime: 48h, idle: 24h");
    let from = ["nothing", "a change", "nothing to do", "what down leaves"][race / WORKERS % 4];
    if from != "nothing" {
        aws.up(&file).expect(0);
    }
    match from {
        "a change" => aws.edit(&file, "count: 2}", "count: 3}"),
        "what down leaves" => drop(aws.down(&file).expect(0)),
        _ => {}
    }
    aws.forget_calls();
    let up: &[&str] = &["up", &file, "--yes", "--weights", aws.weights];
    let down: &[&str] = &["down", &file, "--yes"];
    let mut racers = vec![("up-1", up), ("up-2", up), ("down", down)];
    draw.shuffle(&mut racers);
    let mut children: Vec<_> = racers
        .iter()
        .map(|(racer, command)| {
            std::thread::sleep(Duration::from_millis(draw.u64(..200)));
            let told = File::create(aws.folder().join(racer)).expect("a file");
            let mut command = aws.command(command);
            command.env("AWS_EXECUTION_ENV", racer).stdin(Stdio::null());
            command.stdout(told.try_clone().expect("a file")).stderr(told);
            (*racer, command.spawn().expect("the binary starts"))
        })
        .collect();
    let mut ends: BTreeMap<&str, Option<i32>> = BTreeMap::new();
    let over = until(Duration::from_mins(3), || {
        for (racer, child) in &mut children {
            if let Some(status) = child.try_wait().expect("a child of ours") {
                ends.insert(racer, status.code());
            }
        }
        ends.len() == children.len()
    });
    let mut wrong = Vec::new();
    if !over {
        wrong.push(format!("ended: {ends:?} only"));
        for (_, child) in &mut children {
            child.kill().expect("killed");
            child.wait().expect("gone");
        }
    }
    for (racer, code) in &ends {
        if !matches!(code, Some(0 | 4)) {
            let told = std::fs::read_to_string(aws.folder().join(racer)).expect("what it told");
            wrong.push(format!("{racer} ended with {code:?}: {told}"));
        }
    }
    wrong.extend(writers_at_once(&aws.calls(), &name));
    wrong.extend(clusters_at_once(aws, &oracle, &name));

    let mut again = [up, down];
    draw.shuffle(&mut again);
    for command in again {
        let ran = aws.run(command);
        if ran.code != Some(0) {
            wrong.push(format!("{command:?} again: {ran:?}"));
        }
        let alive = oracle.clusters(&format!("{name}-")).iter().filter(|cluster| cluster.alive()).count();
        let plan = aws.plan(&file).code;
        let goal = if command[0] == "up" { (1, Some(0)) } else { (0, Some(2)) };
        if (alive, plan) != goal {
            wrong.push(format!("{command:?} again: {alive} clusters, and a plan that ends with {plan:?}"));
        }
    }
    wrong.extend(clusters_at_once(aws, &oracle, &name));
    if wrong.is_empty() {
        aws.destroy(&file).expect(0);
    }
    json!({"part": "races", "race": race, "from": from, "order": racers.iter().map(|(racer, _)| racer).collect::<Vec<_>>(),
        "ends": ends, "wrong": wrong, "seconds": begun.elapsed().as_secs_f64()})
}

/// Calls that change something while their caller does not hold the lease. Home is made before there can be
/// one, and whoever ends a cluster needs none.
fn writers_at_once(calls: &[Call], stack: &str) -> Vec<String> {
    let home = format!("/{stack}-home-{ACCOUNT}");
    let (lease, stop) = (format!("{home}/fruitsinfra/lease.json"), format!("{home}/fruitsinfra/stop.json"));
    let start = |call: &Call| call.at - call.ms / 1000.0;
    // Who held it, from when to when.
    let mut held: Vec<(String, f64, f64)> = Vec::new();
    let mut open = false;
    for call in calls.iter().filter(|call| call.path == lease && (200..300).contains(&call.status)) {
        let Some(who) = &call.environment else { continue };
        match call.operation.as_str() {
            "PutObject" => {
                if open && held.last().is_some_and(|(holder, ..)| holder == who) {
                    continue;
                }
                if let (true, Some(last)) = (open, held.last_mut()) {
                    last.2 = call.at;
                }
                held.push((who.clone(), start(call), f64::INFINITY));
                open = true;
            }
            "DeleteObject" => {
                if let (true, Some(last)) = (open, held.last_mut()) {
                    last.2 = call.at;
                }
                open = false;
            }
            _ => {}
        }
    }
    let alone = |call: &&Call| {
        let holds = |(holder, from, to): &(String, f64, f64)| {
            Some(holder) == call.environment.as_ref() && *from <= start(call) && start(call) <= *to
        };
        held.iter().any(holds)
    };
    let free = |call: &&Call| {
        call.path == lease
            || call.path == stop
            || call.path.trim_end_matches('/') == home
            || call.operation == "TerminateJobFlows"
    };
    let writes = calls.iter().filter(|call| call.mutating && call.caller == "test" && call.environment.is_some());
    let unheld = writes.filter(|call| !free(call) && !alone(call));
    unheld.map(|call| format!("without the lease: {call:?}, which was held {held:?}")).collect()
}

/// Clusters of the stack that lived at the same time.
fn clusters_at_once(aws: &Aws, oracle: &Oracle, stack: &str) -> Vec<String> {
    let lives = oracle.clusters(&format!("{stack}-")).into_iter().map(|Seen { id, .. }| {
        let told = aws.wait(oracle.emr.describe_cluster().cluster_id(&id).send()).expect("a cluster");
        let timeline = told.cluster.and_then(|c| c.status).and_then(|s| s.timeline).expect("a timeline");
        let begin = timeline.creation_date_time.expect("a beginning").as_secs_f64();
        (begin, timeline.end_date_time.map_or(f64::INFINITY, |end| end.as_secs_f64()), id)
    });
    let mut lives: Vec<(f64, f64, String)> = lives.collect();
    lives.sort_by(|a, b| a.0.total_cmp(&b.0));
    let pairs = lives.windows(2).filter(|pair| pair[0].1 > pair[1].0);
    pairs.map(|pair| format!("at once: {pair:?}")).collect()
}
