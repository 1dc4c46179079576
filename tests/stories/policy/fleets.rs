//! The life of a cluster of instance fleets, by callers with exactly the policies that are rendered for its stack.

use std::collections::BTreeMap;
use std::fs;

use fruitsinfra::cloud::promise::EXPIRES;
use fruitsinfra::permissions::Command::{self, Destroy, Down, Guard, Plan, Up};
use serde_json::json;

use super::callers::{Caller, rendered};
use crate::support::oracle::ACCOUNT;
use crate::support::{Aws, repository};

const FILE: &str = "stacks/fleets.yaml";
const UP: &[&str] = &["up", FILE, "--yes"];
const CHANGED: &[&str] = &["plan", FILE, "--detailed-exitcode"];

#[test]
fn a_cluster_of_fleets_comes_grows_is_made_anew_and_goes() {
    let aws = Aws::start();
    let root = aws.account(ACCOUNT, "eu-west-3");
    let stack = fs::read_to_string(repository().join("tests/cases/fleets.yaml")).expect("a stack");
    let write = |text: &str| fs::write(aws.folder().join(FILE), text).expect("written");
    write(&stack);
    let callers: BTreeMap<Command, Caller> = rendered(&aws, FILE, ACCOUNT)
        .into_iter()
        .map(|(command, policy)| {
            let caller = Caller::new(&aws, &root, command.name());
            caller.attach(&aws, &root, policy.documents());
            (command, caller)
        })
        .collect();
    let run = |by: Command, args: &[&str], code: i32| callers[&by].run(&aws, args).expect(code);
    let cluster = || {
        let alive = root.clusters("fleets-").into_iter().filter(crate::support::oracle::Seen::alive);
        alive.map(|cluster| cluster.id).collect::<Vec<_>>()
    };
    run(Up, UP, 0);
    run(Plan, CHANGED, 0);
    let first = cluster();
    assert_eq!(first.len(), 1);
    let told = aws.wait(root.emr.list_instance_fleets().cluster_id(&first[0]).send()).expect("fleets");
    let mut sizes: Vec<_> = told
        .instance_fleets()
        .iter()
        .map(|of| (of.name().unwrap_or_default(), of.target_on_demand_capacity, of.target_spot_capacity))
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [("core", Some(2), Some(0)), ("more", Some(2), Some(8)), ("primary", Some(1), Some(0))]);

    // Fleets grow where they are, in either market.
    let grown = stack.replace("spot: 8", "spot: 10").replace("count: 2\n    fleet", "count: 3\n    fleet");
    write(&grown);
    let plan = run(Plan, CHANGED, 2).out;
    assert!(plan.contains("core_count: 2 -> 3") && plan.contains("2 on demand and 10 on spot of"), "{plan}");
    run(Up, UP, 0);
    run(Plan, CHANGED, 0);
    assert_eq!(cluster(), first);

    // Other types, or other terms, are another cluster.
    write(&grown.replace("wait: 15m", "wait: 30m"));
    let plan = run(Plan, &["plan", FILE, "--output", "json"], 0).json();
    let steps = plan["steps"].as_array().expect("steps");
    let of_cluster = steps.iter().find(|step| step["kind"] == "cluster").expect("a cluster");
    assert_eq!(of_cluster["action"], json!("replace"), "{of_cluster:#}");
    run(Up, UP, 0);
    let second = cluster();
    assert!(second.len() == 1 && second != first, "{second:?}");

    // Somebody else may read what it is, and says the same of it.
    let imported =
        aws.run(&["import", "--cluster", &second[0], "--region", "eu-west-3", "--owner", "a@fruits.example"]);
    let imported = imported.expect(0).out;
    for said in ["or: [m5a.xlarge, m6i.xlarge]", "weights: {r5.2xlarge: 2}", "spot: 10", "wait: 30m"] {
        assert!(imported.contains(said), "{said} in\n{imported}");
    }
    // Its end has come: the guard ends it, and a `down` finds nothing left to end.
    root.tag(&second[0], EXPIRES, "2026-01-01T00:00:00Z");
    run(Guard, &["guard", "--kill", "--hard"], 0);
    assert_eq!(cluster(), Vec::<String>::new());
    run(Down, &["down", FILE, "--yes"], 0);
    run(Destroy, &["destroy", FILE, "--yes"], 0);
}
