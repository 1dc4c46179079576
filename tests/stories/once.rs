//! RunJobFlow takes no token. However its call ends, there is one cluster, ever, and `up` ends well.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::control::until;
use crate::support::{Aws, ended};

const REGION: &str = "eu-west-3";

#[test]
fn however_the_call_for_a_cluster_ends_there_is_one() {
    let aws = Aws::with(&["--rate", "300"]);
    aws.edit("stacks/demo.yaml", "lifetime: 3h, idle: 45m", "lifetime: 48h, idle: 24h");
    let failure =
        json!({"kind": "error", "status": 500, "code": "InternalFailure", "message": "We encountered an error"});
    let cases: [(&str, Value, usize); 6] = [
        ("throttled", json!({}), 2),
        ("throttled-yet-done", json!({"when": "after"}), 1),
        ("reset-before", json!({"kind": "reset"}), 2),
        ("lost-reply", json!({"kind": "reset", "when": "after"}), 1),
        ("failed", failure.clone(), 2),
        ("failed-yet-done", with(failure, "when", "after"), 1),
    ];
    for (name, rule, calls) in cases {
        let file = stack(&aws, name);
        aws.forget_calls();
        aws.fault(&with(rule, "operation", "RunJobFlow"));
        aws.up(&file).expect(0);
        assert!(aws.struck(), "{name}");
        aws.heal();
        assert_eq!((aws.count("RunJobFlow"), clusters(&aws, name)), (calls, 1), "{name}");
        aws.plan(&file).expect(0);
    }
}

#[test]
fn a_call_that_hangs_and_was_done_is_found_again() {
    let aws = Aws::with(&["--rate", "120"]);
    let file = stack(&aws, "hanging");
    aws.fault(&json!({"operation": "RunJobFlow", "kind": "hang", "when": "after"}));
    let up = aws.spawn(&["up", &file, "--yes", "--weights", aws.weights]);
    assert!(until(Duration::from_mins(1), || aws.struck()));
    std::thread::sleep(Duration::from_secs(1));
    aws.heal();
    ended(up.wait_with_output().expect("its end")).expect(0);
    assert_eq!((aws.count("RunJobFlow"), clusters(&aws, "hanging")), (1, 1));
}

#[test]
fn what_aws_takes_its_time_with_is_waited_for() {
    let aws = Aws::start();
    let fresh = json!({"kind": "error", "status": 400, "code": "ValidationException", "message": "Invalid InstanceProfile: x.", "operation": "RunJobFlow", "count": 2});
    let busy = json!({"kind": "error", "status": 409, "code": "OperationAborted", "message": "A conflicting conditional operation is currently in progress", "operation": "CreateBucket", "count": 2});
    let held = json!({"kind": "error", "status": 400, "code": "DependencyViolation", "message": "has a dependent object", "operation": "DeleteSecurityGroup", "count": 3});
    let conflict = json!({"kind": "error", "status": 409, "code": "DeleteConflict", "message": "Cannot delete entity", "operation": "DeleteRole", "count": 2});
    let slow = json!({"kind": "error", "status": 503, "code": "SlowDown", "message": "Please reduce your request rate.", "service": "s3", "nth": 20, "count": 4});
    for rule in [&fresh, &busy, &slow] {
        aws.fault(rule);
    }
    aws.up("minimal").expect(0);
    aws.plan("minimal").expect(0);
    aws.heal();
    for rule in [&held, &conflict] {
        aws.fault(rule);
    }
    aws.destroy("minimal").expect(0);
    assert_eq!(aws.oracle("eu-west-1").clusters("fruits-minimal-").len(), 1);
}

fn stack(aws: &Aws, name: &str) -> String {
    let file = format!("stacks/{name}.yaml");
    std::fs::copy(aws.folder().join("stacks/demo.yaml"), aws.folder().join(&file)).expect("copied");
    aws.edit(&file, "stack: fruits-demo", &format!("stack: {name}"));
    file
}

fn clusters(aws: &Aws, name: &str) -> usize {
    aws.oracle(REGION).clusters(&format!("{name}-main")).len()
}

fn with(mut rule: Value, key: &str, value: &str) -> Value {
    rule[key] = value.into();
    rule
}
