//! What `up` would stumble over is seen before it costs: each fault in its line, with its mend, and no fault hides another.

use serde_json::{Value, json};

use crate::support::oracle::ACCOUNT;
use crate::support::{Aws, clean, ended};

const REGION: &str = "eu-west-3";

fn doctor(aws: &Aws, stack: &str, exit: i32) -> Value {
    let told = aws.run(&["doctor", stack, "--output", "json"]).expect(exit).json();
    assert_eq!(told["ok"], exit == 0, "{told}");
    told
}

/// The message and the hint of each check that has this status.
fn of(told: &Value, status: &str) -> Vec<(String, String, String)> {
    let checks = told["checks"].as_array().expect("checks").iter().filter(|check| check["status"] == status);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    checks.map(|check| (text(&check["check"]), text(&check["message"]), text(&check["hint"]))).collect()
}

#[test]
fn a_plain_account_has_all_that_the_demo_needs() {
    let aws = Aws::start();
    let told = aws.run(&["doctor", "demo"]).expect(0);
    assert_eq!(aws.mutations(), Vec::<String>::new());
    insta::assert_snapshot!(told.out);

    // With the stack there, its names are its own, and nothing more is to be started.
    aws.up("demo").expect(0);
    let up = doctor(&aws, "demo", 0);
    let ok = of(&up, "ok");
    let line = |check: &str| ok.iter().find(|(name, ..)| name == check).map(|(_, message, _)| message.clone());
    assert_eq!(line("names"), Some("all that the stack gives are its own already".into()));
    assert_eq!(line("quota"), Some("the cluster is there: nothing more is to be started".into()));
    aws.destroy("demo").expect(0);
}

#[test]
fn each_fault_is_told_with_its_mend_and_hides_no_other() {
    let aws = Aws::start();
    let oracle = aws.oracle(REGION);
    oracle.bucket(&format!("fruits-demo-data-{ACCOUNT}"), &[("team", "another")]);
    aws.account("111111111111", REGION).bucket(&format!("fruits-demo-logs-{ACCOUNT}"), &[]);
    oracle.role("fruits-demo-nodes", "/", "ec2");
    aws.world(&json!({"quotas": {"L-1216C47A": 5}}));
    aws.edit("stacks/demo.yaml", "hourly: 2 USD", "hourly: 0.20 USD");
    aws.forget_calls();
    let told = doctor(&aws, "demo", 1);
    assert_eq!(aws.mutations(), Vec::<String>::new());
    let mends = of(&told, "mend");
    let of = |check: &str| mends.iter().find(|(name, ..)| name == check).unwrap_or_else(|| panic!("{check}: {told}"));
    assert_eq!(mends.len(), 3, "{mends:?}");
    let (_, price, _) = of("price");
    assert!(price.contains("`limits.hourly` allows 0.2 USD"), "{price}");
    let (_, quota, hint) = of("quota");
    assert_eq!(quota, "12 vCPUs are needed on demand; EC2 lets 5 run at once here, of which 0 do");
    assert!(hint.contains("--quota-code L-1216C47A --desired-value 12"), "{hint}");
    let (_, names, hint) = of("names");
    for words in [
        format!("bucket fruits-demo-data-{ACCOUNT} is there, without this stack's mark"),
        format!("bucket fruits-demo-logs-{ACCOUNT} is another account's"),
        "role fruits-demo-nodes is there, without this stack's mark".to_owned(),
    ] {
        assert!(names.contains(&words), "{words}: {names}");
    }
    assert!(hint.contains("existing:"), "{hint}");
}

#[test]
fn a_region_that_is_off_and_spot_without_its_role_are_told() {
    let aws = Aws::start();
    aws.edit("stacks/demo.yaml", "region: eu-west-3", "region: eu-south-2");
    aws.world(&json!({"regions_off": ["eu-south-2"]}));
    let off = doctor(&aws, "demo", 1);
    let [(check, _, hint)] = &of(&off, "mend")[..] else { panic!("{off}") };
    assert_eq!(check, "credentials");
    assert!(hint.contains("aws account enable-region --region-name eu-south-2"), "{hint}");

    let spot = doctor(&aws, "spot-graviton", 1);
    let [(check, _, hint)] = &of(&spot, "mend")[..] else { panic!("{spot}") };
    assert_eq!(check, "spot role");
    assert_eq!(hint, "`aws iam create-service-linked-role --aws-service-name spot.amazonaws.com`");
    assert!(of(&spot, "ok").iter().any(|(check, ..)| check == "spot quota"), "{spot}");
}

#[test]
fn without_credentials_the_offline_part_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| ended(clean(folder.path()).args(args).output().expect("runs"));
    run(&["init", "first"]).expect(0);
    let offline = run(&["doctor", "first.yaml", "--offline"]).expect(0);
    insta::assert_snapshot!(offline.out);
    let told = run(&["doctor", "first.yaml", "--output", "json"]).expect(1).json();
    let [(check, _, hint)] = &of(&told, "mend")[..] else { panic!("{told}") };
    assert_eq!(check, "credentials");
    assert!(hint.contains("aws sso login") && hint.contains("--local"), "{hint}");
    assert_eq!(told["checks"].as_array().map(Vec::len), Some(4), "{told}");
}
