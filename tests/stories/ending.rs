//! Ends that do not wait for one another: `down` stops an `up` in progress, a writer that lost its lease stops
//! by itself, and Ctrl-C ends within seconds even while AWS does not answer.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use fruitsinfra::lease::Holder;
use serde_json::json;

use crate::support::control::until;
use crate::support::{Aws, Ran, ended};

const REGION: &str = "eu-west-3";
const STACK: &str = "stacks/demo.yaml";
const HOME: &str = "fruits-demo-home-000000000000";

/// A process is asked to stop and its calls get their time to end.
const SOON: Duration = Duration::from_secs(5);

fn up(aws: &Aws) -> Child {
    aws.spawn(&["up", STACK, "--yes", "--weights", aws.weights])
}

fn finished(process: Child) -> Ran {
    ended(process.wait_with_output().expect("its end"))
}

/// The lines that say why.
fn last_words(ran: &Ran) -> String {
    let said = |line: &&str| ["error", "help"].iter().any(|word| line.starts_with(word));
    ran.err.lines().filter(said).collect::<Vec<_>>().join("\n")
}

#[test]
fn down_ends_a_cluster_that_somebody_is_still_starting() {
    let aws = Aws::with(&["--rate", "10"]);
    let oracle = aws.oracle(REGION);
    let starting = up(&aws);
    assert!(until(Duration::from_mins(1), || aws.count("RunJobFlow") == 1));
    let down = aws.down(STACK).expect(0);
    assert!(down.err.contains("at work, and will be told to stop"), "{}", down.err);
    insta::assert_snapshot!(last_words(&finished(starting).expect(4)), @"
    error: stopped: data@fruits.example runs `down fruits-demo` on [host] (process [pid]) since [time]
    help: run the same command again: it continues where this one ended
    ");
    assert!(oracle.clusters("fruits-demo-").iter().all(|cluster| !cluster.alive()));
    assert!(!oracle.inventory().keys().any(|thing| thing.starts_with("group fruits-demo-")));

    aws.set_rate(300.0);
    aws.up(STACK).expect(0);
    aws.plan(STACK).expect(0);
}

#[test]
fn down_stops_an_up_that_has_no_cluster_yet() {
    let aws = Aws::start();
    aws.fault(&json!({"operation": "CreateInstanceProfile", "kind": "hang"}));
    let starting = up(&aws);
    assert!(until(Duration::from_mins(1), || aws.struck()));
    let down = aws.down(STACK).expect(0);
    assert!(down.out.contains("Nothing is left"), "{}", down.out);
    finished(starting).expect(4);
    aws.heal();
    assert_eq!(aws.oracle(REGION).clusters("fruits-demo-").len(), 0);
    aws.up(STACK).expect(0);
    aws.plan(STACK).expect(0);
}

#[test]
fn a_writer_whose_lease_was_taken_over_stops_by_itself() {
    let aws = Aws::with(&["--rate", "10"]);
    let starting = up(&aws);
    assert!(until(Duration::from_mins(1), || aws.count("RunJobFlow") == 1));
    let mut other = Holder::me("colleague@fruits.example", "up fruits-demo", jiff::Timestamp::UNIX_EPOCH);
    "another-machine".clone_into(&mut other.host);
    other.boot = "another boot".into();
    aws.oracle(REGION).put(HOME, "fruitsinfra/lease.json", &serde_json::to_string(&other).expect("a lease"));
    insta::assert_snapshot!(last_words(&finished(starting).expect(4)), @"
    error: the lease was taken over: colleague@fruits.example runs `up fruits-demo` on [host] (process [pid]) since [time]
    help: run the same command again: it continues where this one ended; `fruitsinfra --local down stacks/demo.yaml` ends what costs by the hour
    ");
}

#[test]
fn ctrl_c_and_sigterm_end_within_seconds_though_aws_does_not_answer() {
    for (signal, operation) in [("-INT", "CreateRole"), ("-TERM", "RunJobFlow"), ("-INT", "PutObject")] {
        let aws = Aws::start();
        aws.fault(&json!({"operation": operation, "kind": "hang", "nth": 0}));
        let hanging = up(&aws);
        assert!(until(Duration::from_mins(1), || aws.struck()), "{operation}");
        let begun = Instant::now();
        let sent = Command::new("kill").args([signal, &hanging.id().to_string()]).status();
        assert!(sent.is_ok_and(|sent| sent.success()));
        let ran = finished(hanging).expect(5);
        assert!(begun.elapsed() < SOON, "{operation}: {:?}", begun.elapsed());
        assert!(ran.err.contains("run the same command again"), "{operation}: {}", ran.err);
        if operation == "CreateRole" {
            // What else was done by then, the machine decides.
            let told: Vec<&str> = ran.out.lines().skip_while(|line| !line.starts_with("Interrupted")).collect();
            let [of, unknown, there] = told.as_slice() else { panic!("{}", ran.out) };
            assert_eq!(
                *unknown,
                "No answer yet, so perhaps done: role/end (creating), role/nodes (creating), role/service (creating)."
            );
            let there = there.strip_prefix("There now: ").and_then(|list| list.strip_suffix('.')).expect("a list");
            let there: Vec<&str> = there.split(", ").collect();
            let spared = "bucket/data, bucket/home, bucket/logs, object/bootstrap-python, object/job-features, \
                          object/weights-given, security_group/core, security_group/primary";
            assert!(there.iter().all(|thing| spared.split(", ").any(|spared| spared == *thing)), "{there:?}");
            // Home was made before the walk began.
            assert_eq!(of, &format!("Interrupted: {} of 13 done.", there.len() - 1));
            assert!(there.contains(&"bucket/home"), "{there:?}");
        }
        aws.heal();
        aws.up(STACK).expect(0);
        aws.plan(STACK).expect(0);
    }
}

#[test]
fn an_end_before_anything_began_is_an_end_too() {
    let aws = Aws::start();
    aws.fault(&json!({"operation": "ListClusters", "kind": "hang"}));
    let looking = up(&aws);
    assert!(until(Duration::from_mins(1), || aws.struck()));
    let sent = Command::new("kill").args(["-INT", &looking.id().to_string()]).status();
    assert!(sent.is_ok_and(|sent| sent.success()));
    finished(looking).expect(5);
    aws.heal();
    assert_eq!(aws.mutations(), Vec::<String>::new());
}
