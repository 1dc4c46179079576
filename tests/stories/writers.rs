//! Two writers, nobody at the terminal, and Ctrl-C: a stack has one writer at a time, does nothing unasked, and
//! ends in order when it is told to.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fruitsinfra::lease::Holder;
use serde_json::json;

use crate::support::control::{Call, until};
use crate::support::oracle::Oracle;
use crate::support::{Aws, Ran, ended};

const REGION: &str = "eu-west-3";
const STACK: &str = "stacks/demo.yaml";
const HOME: &str = "fruits-demo-home-000000000000";
const LEASE: &str = "fruitsinfra/lease.json";

#[test]
fn a_living_writer_is_respected_and_a_dead_one_replaced() {
    let aws = Aws::start();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    aws.edit(STACK, "count: 2}", "count: 3}");

    // This process lives, and says that it is at work.
    let mut holder = Holder::me("colleague@fruits.example", "up fruits-demo", jiff::Timestamp::UNIX_EPOCH);
    holder.host = "their-machine".into();
    leave(&oracle, &holder);
    aws.forget_calls();
    let up = aws.up(STACK).expect(4);
    insta::assert_snapshot!(up.err, @"
    error: the stack is being changed: colleague@fruits.example runs `up fruits-demo` on [host] (process [pid]) since [time]
    help: wait for it with `--wait 5m`
    ");
    assert_eq!(aws.mutations(), ["s3 PutObject"], "the lease is asked for, and nothing else");
    assert_eq!(aws.plan(STACK).code, Some(2), "a plan asks for no lease");

    let mut process = Command::new("true").spawn().expect("a process");
    process.wait().expect("its end");
    holder.pid = process.id();
    leave(&oracle, &holder);
    let up = aws.up(STACK).expect(0);
    insta::assert_snapshot!(up.err.lines().next().unwrap_or_default(), @"taking over: colleague@fruits.example runs `up fruits-demo` on [host] (process [pid]) since [time], and that process is dead");
    aws.plan(STACK).expect(0);
}

#[test]
fn a_writer_elsewhere_shows_by_its_heartbeat_that_it_lives_and_is_waited_out_when_it_does_not() {
    let aws = Aws::start();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    aws.edit(STACK, "count: 2}", "count: 3}");
    let mut holder = elsewhere();
    leave(&oracle, &holder);
    let mut up = aws.spawn(&["up", STACK, "--yes", "--weights", aws.weights]);
    let heard = until(Duration::from_secs(40), || {
        // Its heartbeat.
        std::thread::sleep(Duration::from_millis(500));
        holder.beat += 1;
        leave(&oracle, &holder);
        up.try_wait().is_ok_and(|ended| ended.is_some())
    });
    assert!(heard, "a living holder is told at its next heartbeat");
    let up = ended(up.wait_with_output().expect("its end")).expect(4);
    assert!(up.err.contains("another-machine"), "{}", up.err);

    let begun = Instant::now();
    let up = aws.up(STACK).expect(0);
    let took = begun.elapsed();
    assert!((Duration::from_secs(45)..Duration::from_secs(75)).contains(&took), "{took:?}");
    assert!(up.err.contains("waiting for a sign of life") && up.err.contains("taking over"), "{}", up.err);
    aws.plan(STACK).expect(0);
}

#[test]
fn who_is_told_to_wait_begins_when_the_other_is_done() {
    queue(&Aws::start());
}

#[test]
fn who_waited_looks_again_before_it_acts() {
    let aws = Aws::with(&["--rate", "120"]);
    aws.fault(&json!({"operation": "RunJobFlow", "kind": "hang"}));
    let mut first = aws.spawn(&["up", STACK, "--yes", "--weights", aws.weights]);
    assert!(until(Duration::from_mins(1), || aws.hanging() > 0));
    let mut second = aws.command(&["up", STACK, "--yes", "--weights", aws.weights, "--wait", "3m"]);
    second.env("AWS_EXECUTION_ENV", "second").stdout(Stdio::piped()).stderr(Stdio::piped());
    let second = second.spawn().expect("the binary starts");
    let asks = |call: &Call| call.environment.as_deref() == Some("second") && call.path.ends_with(LEASE);
    assert!(until(Duration::from_mins(1), || aws.calls().iter().any(asks)), "it has planned, and waits");
    aws.heal();
    assert!(first.wait().is_ok_and(|ended| ended.success()));
    let second = ended(second.wait_with_output().expect("its end")).expect(0);
    assert!(second.err.contains("the world changed meanwhile"), "{}", second.err);
    assert_eq!(aws.oracle(REGION).clusters("fruits-demo-").len(), 1);
}

#[test]
fn writers_respect_one_another_on_moto_too() {
    let aws = Aws::with(&["--model", "moto"]);
    queue(&aws);
    let oracle = aws.oracle(REGION);
    let mut holder = Holder::me("colleague@fruits.example", "up fruits-demo", jiff::Timestamp::UNIX_EPOCH);
    aws.edit(STACK, "count: 3}", "count: 2}");
    leave(&oracle, &holder);
    aws.up(STACK).expect(4);
    let mut process = Command::new("true").spawn().expect("a process");
    process.wait().expect("its end");
    holder.pid = process.id();
    leave(&oracle, &holder);
    let up = aws.up(STACK).expect(0);
    assert!(up.err.contains("that process is dead"), "{}", up.err);
    assert!(lease(&oracle).is_none(), "it was given back");
}

/// A holder lives, `up --wait` waits for it, and begins when it has given the lease back.
fn queue(aws: &Aws) {
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    aws.edit(STACK, "count: 2}", "count: 3}");
    leave(&oracle, &Holder::me("colleague@fruits.example", "up fruits-demo", jiff::Timestamp::UNIX_EPOCH));
    aws.forget_calls();
    let up = aws.spawn(&["up", STACK, "--yes", "--weights", aws.weights, "--wait", "2m"]);
    let asked =
        || aws.calls().iter().filter(|call| call.operation == "PutObject" && call.path.ends_with(LEASE)).count();
    assert!(until(Duration::from_mins(1), || asked() > 1), "it asks again");
    let gone = oracle.s3.delete_object().bucket(HOME).key(LEASE).send();
    aws.wait(gone).expect("given back");
    let up = ended(up.wait_with_output().expect("its end")).expect(0);
    assert!(up.err.contains("waiting: colleague@fruits.example"), "{}", up.err);
    aws.plan(STACK).expect(0);
    assert!(lease(&oracle).is_none(), "it was given back");
}

fn elsewhere() -> Holder {
    let me = Holder::me("colleague@fruits.example", "up fruits-demo", jiff::Timestamp::UNIX_EPOCH);
    Holder { host: "another-machine".into(), boot: "another boot".into(), ..me }
}

fn lease(oracle: &Oracle) -> Option<usize> {
    oracle.objects(HOME, LEASE).remove(LEASE)
}

fn leave(oracle: &Oracle, holder: &Holder) {
    let lease = serde_json::to_string(holder).expect("a lease");
    oracle.put(HOME, LEASE, &lease);
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_done() {
    let aws = Aws::start();
    for command in ["up", "destroy"] {
        let up = aws.run(&[command, "minimal"]);
        if command == "up" {
            insta::assert_snapshot!(up.expect(2).err, @"
            error: this changes things and nobody is there to ask
            help: read the plan above, then add `--yes`
            ");
        } else {
            up.expect(0);
        }
    }
    assert_eq!(aws.mutations(), Vec::<String>::new());
    aws.up("minimal").expect(0);
    aws.forget_calls();
    for command in ["down", "destroy"] {
        aws.run(&[command, "minimal"]).expect(2);
    }
    assert_eq!(aws.mutations(), Vec::<String>::new());
}

#[test]
fn ctrl_c_ends_an_up_within_seconds_and_running_it_again_completes_it() {
    let aws = Aws::with(&["--rate", "10"]);
    let oracle = aws.oracle(REGION);
    let up = aws.spawn(&["up", STACK, "--yes", "--weights", aws.weights]);
    assert!(until(Duration::from_mins(1), || aws.count("RunJobFlow") == 1));
    let (up, took) = interrupted(up);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let up = up.expect(5);
    assert!(up.err.contains("run the same command again"), "{}", up.err);

    aws.set_rate(120.0);
    aws.up(STACK).expect(0);
    aws.plan(STACK).expect(0);
    assert_eq!(oracle.clusters("fruits-demo-").len(), 1);
}

#[test]
fn after_ctrl_c_a_call_in_flight_ends_and_nothing_new_starts() {
    let aws = Aws::start();
    aws.fault(&json!({"operation": "RunJobFlow", "kind": "hang"}));
    let up = aws.spawn(&["up", STACK, "--yes", "--weights", aws.weights]);
    assert!(until(Duration::from_mins(1), || aws.struck()));
    signal(&up);
    std::thread::sleep(Duration::from_millis(500));
    aws.heal();
    ended(up.wait_with_output().expect("its end")).expect(5);
    assert_eq!((aws.count("RunJobFlow"), aws.oracle(REGION).clusters("fruits-demo-").len()), (1, 0));
    aws.up(STACK).expect(0);
}

#[test]
fn a_second_ctrl_c_waits_for_nothing() {
    let aws = Aws::start();
    aws.fault(&json!({"operation": "CreateRole", "kind": "hang"}));
    let up = aws.spawn(&["up", STACK, "--yes", "--weights", aws.weights]);
    assert!(until(Duration::from_mins(1), || aws.struck()));
    signal(&up);
    std::thread::sleep(Duration::from_millis(500));
    let (up, took) = interrupted(up);
    assert!(took < Duration::from_secs(2), "{took:?}");
    up.expect(5);
    aws.heal();
    aws.up(STACK).expect(0);
}

fn signal(process: &Child) {
    let sent = Command::new("kill").args(["-INT", &process.id().to_string()]).status();
    assert!(sent.is_ok_and(|sent| sent.success()));
}

fn interrupted(process: Child) -> (Ran, Duration) {
    let begun = Instant::now();
    signal(&process);
    (ended(process.wait_with_output().expect("its end")), begun.elapsed())
}
