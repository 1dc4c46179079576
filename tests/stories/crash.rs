//! The crash matrix: `kill -9` at calls evenly spread over `up`, `down` and `destroy`, each before and after AWS
//! has done what was asked. One plain re-run is the whole recovery: one cluster at most, ever, and an empty plan.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Aws;
use crate::support::control::until;
use crate::support::oracle::Oracle;

const REGION: &str = "eu-west-3";

/// Kills of one `up`, besides those at the call that makes the cluster.
const KILLS: usize = 20;

#[test]
fn an_up_killed_anywhere_is_completed_by_running_it_again() {
    let aws = fast();
    let oracle = aws.oracle(REGION);
    let whole = stack(&aws, "crash-whole");
    aws.forget_calls();
    aws.up(&whole).expect(0);
    let calls = aws.calls().len();

    let spread = (0..KILLS).map(|i| at(1 + i * (calls - 1) / (KILLS - 1), i % 2 == 0));
    let birth = [true, false].map(|before| json!({"operation": "RunJobFlow", "nth": 1, "when": when(before)}));
    let mut killed = 0;
    for (i, point) in spread.chain(birth).enumerate() {
        let name = format!("crash-{i:02}");
        let file = stack(&aws, &name);
        killed += usize::from(kill(&aws, &["up", &file, "--yes", "--weights", aws.weights], &point));
        aws.up(&file).expect(0);
        let clusters = oracle.clusters(&format!("{name}-"));
        assert_eq!(clusters.len(), 1, "killed at {point}: {clusters:?}");
        assert!(clusters[0].alive(), "killed at {point}: {clusters:?}");
        aws.plan(&file).expect(0);
    }
    assert!(killed >= KILLS, "only {killed} were killed, the others had ended before");
}

#[test]
fn a_down_killed_anywhere_is_completed_by_running_it_again() {
    removal("down", 5, |_, oracle, name| {
        assert!(oracle.clusters(name).iter().all(|cluster| !cluster.alive()));
        let kept = named(oracle, name);
        assert!(kept.iter().all(|thing| !thing.starts_with("group ")) && !kept.is_empty(), "{kept:?}");
    });
}

#[test]
fn a_destroy_killed_anywhere_is_completed_by_running_it_again() {
    removal("destroy", 7, |_, oracle, name| assert_eq!(named(oracle, name), Vec::<String>::new()));
}

/// Kills a removal at so many calls; after the re-run, `gone` says whether what had to go did.
fn removal(command: &str, kills: usize, gone: impl Fn(&Aws, &Oracle, &str)) {
    let aws = fast();
    let oracle = aws.oracle(REGION);
    let whole = stack(&aws, "crash-whole");
    aws.up(&whole).expect(0);
    aws.forget_calls();
    aws.run(&[command, &whole, "--yes"]).expect(0);
    let calls = aws.calls().len();
    gone(&aws, &oracle, "crash-whole-");
    for i in 0..kills {
        let name = format!("crash-{i:02}");
        let file = stack(&aws, &name);
        aws.up(&file).expect(0);
        kill(&aws, &[command, &file, "--yes"], &at(1 + i * (calls - 1) / (kills - 1), i % 2 == 0));
        aws.run(&[command, &file, "--yes"]).expect(0);
        gone(&aws, &oracle, &format!("{name}-"));
        assert_eq!(oracle.clusters(&format!("{name}-")).len(), 1);
    }
}

/// An AWS whose clusters are there in a second, and idle for days.
fn fast() -> Aws {
    let aws = Aws::with(&["--rate", "300"]);
    aws.edit("stacks/demo.yaml", "lifetime: 3h, idle: 45m", "lifetime: 48h, idle: 24h");
    aws
}

/// The demonstration stack under another name.
fn stack(aws: &Aws, name: &str) -> String {
    let file = format!("stacks/{name}.yaml");
    std::fs::copy(aws.folder().join("stacks/demo.yaml"), aws.folder().join(&file)).expect("copied");
    aws.edit(&file, "stack: fruits-demo", &format!("stack: {name}"));
    file
}

fn at(nth: usize, before: bool) -> Value {
    json!({"nth": nth, "when": when(before)})
}

fn when(before: bool) -> &'static str {
    if before { "before" } else { "after" }
}

/// Lets one call hang, and kills the command while it waits. A walk is concurrent, so a run may make fewer
/// calls than another: then it ended before the call came, and this is false.
fn kill(aws: &Aws, command: &[&str], point: &Value) -> bool {
    let mut rule = point.clone();
    rule["kind"] = "hang".into();
    aws.fault(&rule);
    let mut child = aws.spawn(command);
    let over = until(Duration::from_mins(1), || aws.struck() || child.try_wait().is_ok_and(|ended| ended.is_some()));
    assert!(over, "{command:?} neither came to {point} nor to its end");
    let struck = aws.struck();
    child.kill().expect("killed");
    child.wait().expect("gone");
    aws.heal();
    struck
}

/// Everything in the account whose name begins like this, ended clusters aside.
fn named(oracle: &Oracle, prefix: &str) -> Vec<String> {
    let all = oracle.inventory().into_keys();
    all.filter(|thing| thing.split_once(' ').is_some_and(|(_, name)| name.starts_with(prefix))).collect()
}
