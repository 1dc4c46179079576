//! Every stack of the repository goes the whole way: up, up again, plan, status, down, up, destroy. What
//! belongs to others in the same account is as it was.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Aws;
use crate::support::oracle::Oracle;

#[test]
fn demo_goes_the_whole_way() {
    whole_way(&Aws::start(), "demo", "fruits-demo", "eu-west-3");
}

#[test]
fn jupyter_goes_the_whole_way() {
    whole_way(&Aws::start(), "jupyter", "fruits-lab", "eu-north-1");
}

#[test]
fn minimal_goes_the_whole_way() {
    whole_way(&Aws::start(), "minimal", "fruits-minimal", "eu-west-1");
}

#[test]
fn spot_graviton_goes_the_whole_way() {
    whole_way(&Aws::start(), "spot-graviton", "fruits-graviton", "eu-central-1");
}

#[test]
fn no_stack_of_the_repository_is_without_its_journey() {
    let stacks = std::fs::read_dir(crate::support::repository().join("stacks")).expect("stacks");
    let mut names: Vec<_> = stacks.map(|entry| entry.expect("an entry").file_name()).collect();
    names.retain(|name| name.to_string_lossy().ends_with(".yaml"));
    names.sort();
    assert_eq!(names, ["demo.yaml", "jupyter.yaml", "minimal.yaml", "spot-graviton.yaml"]);
}

pub(super) fn whole_way(aws: &Aws, file: &str, stack: &str, region: &str) {
    let oracle = aws.oracle(region);
    strangers(&oracle, stack);
    let before = oracle.inventory();

    let up = aws.run(&["up", file, "--yes", "--weights", aws.weights, "--output", "json"]).expect(0);
    let events = up.lines();
    let seq: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(seq.is_sorted() && seq.len() == events.len(), "{seq:?}");
    let last = events.last().expect("a last event");
    assert_eq!((&last["event"], &last["ok"]), (&"summary".into(), &true.into()), "{last}");
    untouched(&before, &oracle);
    let writes = aws.calls().into_iter().filter(|call| call.service == "s3" && call.mutating && call.caller == "test");
    for write in writes {
        assert!(write.path.starts_with(&format!("/{stack}-")), "{write:?}");
    }

    aws.forget_calls();
    let again = aws.up(file).expect(0);
    assert!(again.out.contains("Nothing to do"), "{}", again.out);
    assert_eq!(aws.mutations(), Vec::<String>::new(), "a second up changes nothing");
    aws.plan(file).expect(0);

    let status = aws.status(file);
    assert_eq!((&status["stack"], &status["region"]), (&stack.into(), &region.into()));
    assert_eq!(status["cluster"]["state"], "WAITING");
    assert_eq!(addresses(&status).len(), desired(&events).len(), "{status}");

    let down = aws.down(file).expect(0);
    assert!(down.out.contains("Nothing is left that costs by the hour"), "{}", down.out);
    let left = addresses(&aws.status(file));
    assert!(left.iter().all(|at| !at.starts_with("cluster/") && !at.starts_with("security_group/")), "{left:?}");
    aws.plan(file).expect(2);

    aws.up(file).expect(0);
    aws.plan(file).expect(0);
    assert_eq!(oracle.clusters(&format!("{stack}-")).iter().filter(|cluster| cluster.alive()).count(), 2);

    let destroy = aws.run(&["destroy", file, "--yes", "--output", "json"]).expect(0).lines();
    assert_eq!(destroy.last().map(|event| event["left"].clone()), Some(serde_json::json!([])));
    // A cluster writes logs until its end: what would empty their bucket before that would leave some behind.
    assert!(position(&destroy, "finished", "cluster/main") < position(&destroy, "started", "bucket/logs"));
    assert_eq!(addresses(&aws.status(file)), Vec::<String>::new());
    same(&before, &oracle.inventory());
    aws.destroy(file).expect(0);
}

/// Names that a listing by prefix or path meets, and a mark that is another stack's.
fn strangers(oracle: &Oracle, stack: &str) {
    let theirs = [("fruitsinfra:stack", "another"), ("fruitsinfra:address", "bucket/data"), ("fruitsinfra:owner", "x")];
    oracle.bucket(&format!("{stack}-foreign-data"), &[]);
    oracle.put(&format!("{stack}-foreign-data"), "theirs.txt", "precious");
    oracle.bucket(&format!("{stack}-foreign-marked"), &theirs);
    oracle.role(&format!("{stack}-foreign"), &format!("/fruitsinfra/{stack}/"), "ec2");
    oracle.group(&format!("{stack}-foreign"));
    oracle.cluster(&format!("{stack}-foreign"));
}

/// What was there is still there, as it was.
#[track_caller]
fn untouched(before: &BTreeMap<String, String>, oracle: &Oracle) {
    let now = oracle.inventory();
    let kept = now.into_iter().filter(|(name, _)| before.contains_key(name)).collect();
    same(before, &kept);
}

#[track_caller]
pub(crate) fn same(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    let names = |all: &BTreeMap<String, String>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after));
    for (name, was) in before {
        assert_eq!(was, &after[name], "{name}");
    }
}

fn addresses(status: &Value) -> Vec<String> {
    let resources = status["resources"].as_array().expect("resources");
    resources.iter().map(|resource| resource["address"].as_str().expect("an address").to_owned()).collect()
}

fn position(events: &[Value], event: &str, address: &str) -> usize {
    let found = events.iter().position(|told| told["event"] == event && told["address"] == address);
    found.unwrap_or_else(|| panic!("{address} was never {event}"))
}

/// The steps of the plan that `up` showed first.
fn desired(events: &[Value]) -> Vec<Value> {
    assert_eq!(events[0]["event"], "plan");
    events[0]["plan"]["steps"].as_array().expect("steps").clone()
}
