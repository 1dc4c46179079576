//! What belongs to others: a name that is taken is said to be, and nothing of theirs is touched; another owner's
//! mark and another region are refused.

use serde_json::Value;

use super::journey::same;
use crate::support::Aws;

const REGION: &str = "eu-west-3";

#[test]
fn taken_names_are_told_and_nothing_of_others_is_touched() {
    taken(&Aws::start());
}

/// Also told on another model of AWS.
pub(super) fn taken(aws: &Aws) {
    let oracle = aws.oracle(REGION);
    oracle.bucket("fruits-demo-data-000000000000", &[("team", "another")]);
    oracle.put("fruits-demo-data-000000000000", "theirs.txt", "precious");
    oracle.role("fruits-demo-nodes", "/", "ec2");
    oracle.group("fruits-demo-core");
    let theirs = oracle.inventory();

    let up = aws.run(&["up", "demo", "--yes", "--weights", aws.weights, "--output", "json"]).expect(1);
    insta::allow_duplicates! {
        insta::assert_snapshot!(failures(&up.lines()), @"
        failed bucket/data: bucket fruits-demo-data-000000000000 already exists and is not this stack's
        it bears no mark, so it is left alone; if it is this stack's, put its tags back: aws s3api put-bucket-tagging --bucket fruits-demo-data-000000000000 --tagging 'TagSet=[{Key=fruitsinfra:address,Value=bucket/data},{Key=fruitsinfra:owner,Value=data@fruits.example},{Key=fruitsinfra:stack,Value=fruits-demo}]'
        failed role/nodes: role fruits-demo-nodes already exists and is not this stack's
        failed security_group/core: security group fruits-demo-core already exists and is not this stack's
        skipped cluster/main
        skipped instance_profile/nodes
        skipped schedule/end
        ");
    }
    assert!(oracle.clusters("fruits-demo-").is_empty(), "what depends on a taken name is not begun");
    aws.destroy("demo").expect(0);
    same(&theirs, &oracle.inventory());
}

#[test]
fn a_bucket_of_another_account_is_taken_too() {
    let aws = Aws::start();
    aws.account("111111111111", REGION).bucket("fruits-demo-logs-000000000000", &[]);
    let up = aws.run(&["up", "demo", "--yes", "--weights", aws.weights, "--output", "json"]).expect(1);
    insta::assert_snapshot!(failures(&up.lines()), @"
    failed bucket/logs: bucket fruits-demo-logs-000000000000 already exists and belongs to somebody else
    skipped cluster/main
    skipped schedule/end
    ");
    aws.destroy("demo").expect(0);
}

#[test]
fn a_home_that_is_not_ours_ends_an_up_before_anything_is_made() {
    let aws = Aws::start();
    let oracle = aws.oracle(REGION);
    oracle.bucket("fruits-demo-home-000000000000", &[]);
    let theirs = oracle.inventory();
    let up = aws.up("demo").expect(1);
    // What is told while it waits may come or not.
    let told = up.err.lines().filter(|line| !line.starts_with("     ...")).collect::<Vec<_>>();
    insta::assert_snapshot!(told.join("\n"), @"
    error: bucket fruits-demo-home-000000000000 already exists and is not this stack's
    it bears no mark, so it is left alone; if it is this stack's, put its tags back: aws s3api put-bucket-tagging --bucket fruits-demo-home-000000000000 --tagging 'TagSet=[{Key=fruitsinfra:address,Value=bucket/home},{Key=fruitsinfra:owner,Value=data@fruits.example},{Key=fruitsinfra:stack,Value=fruits-demo}]'
    help: rename it in the stack, or refer to it with `existing:`
    ");
    same(&theirs, &oracle.inventory());
}

#[test]
fn another_owner_and_another_region_are_refused() {
    let aws = Aws::start();
    let oracle = aws.oracle("eu-west-1");
    aws.up("minimal").expect(0);
    let before = oracle.inventory();
    let file = "stacks/minimal.yaml";

    aws.edit(file, "owner: data@fruits.example", "owner: somebody@else.example");
    let plan = aws.run(&["plan", file, "--weights", aws.weights]).expect(3);
    insta::assert_snapshot!(plan.out, @"
    fruits-minimal in eu-west-1 (Ireland), account 000000000000

    refused FI901: `bucket/home` (fruits-minimal-home-000000000000) bears the mark of another owner, data@fruits.example: this stack is theirs, choose another name for yours

    Cost: [amount] USD an hour (EC2 0.428, EMR's fee 0.096, EBS 0.019, public IPv4 0.010)
    Life: [amount] USD until its end, [amount] USD if forgotten for a night, [amount] USD for a weekend (estimates, prices of 2025-03)
    Nothing to do: 14 resources as declared.
    ");
    aws.edit(file, "core: {type: m5.xlarge}", "core: {type: m5.xlarge, count: 2}");
    for command in [aws.up(file), aws.down(file), aws.destroy(file)] {
        assert!(command.expect(3).err.contains("bears the mark of another owner, data@fruits.example"));
    }
    aws.edit(file, "owner: somebody@else.example", "owner: data@fruits.example");

    aws.edit(file, "region: eu-west-1", "region: eu-central-1");
    let plan = aws.run(&["plan", file, "--weights", aws.weights]).expect(3);
    insta::assert_snapshot!(plan.err, @"error: stack `fruits-minimal` lives in eu-west-1 (its home is fruits-minimal-home-000000000000) and the file says eu-central-1: write `region: eu-west-1` again, or destroy it there first");
    for command in [aws.up(file), aws.down(file), aws.destroy(file)] {
        assert!(command.expect(3).err.contains("lives in eu-west-1"));
    }
    same(&before, &oracle.inventory());
    assert!(aws.oracle("eu-central-1").clusters("").is_empty());
}

#[test]
fn what_is_the_stacks_own_is_not_removed_by_calling_it_somebody_elses() {
    let aws = Aws::start();
    aws.edit("stacks/minimal.yaml", "  data: {}", "  data: {}\n  old: {}");
    aws.up("minimal").expect(0);
    let oracle = aws.oracle("eu-west-1");
    let there = oracle.inventory();
    aws.edit("stacks/minimal.yaml", "  old: {}", "  old: {existing: fruits-minimal-old-000000000000}");
    let up = aws.up("minimal").expect(3);
    insta::assert_snapshot!(up.err, @"error: `bucket/old` (fruits-minimal-old-000000000000) bears this stack's own mark and would be removed, but the stack calls it somebody else's (`existing`): declare it as the stack's own again, or hand it over by removing its `fruitsinfra:` tags");
    let plan = aws.run(&["plan", "minimal", "--output", "json"]).expect(3).json();
    assert_eq!(plan["refusals"][0]["code"], "FI903", "{plan}");
    aws.destroy("minimal").expect(3);
    same(&there, &oracle.inventory());
    aws.down("minimal").expect(0);
}

/// Failures of resources, and what was skipped for one of them, in the order of addresses.
fn failures(events: &[Value]) -> String {
    let told = events.iter().filter_map(|event| {
        let (address, error) = (event["address"].as_str()?, &event["error"]);
        match event["event"].as_str()? {
            "failed" => Some(format!("failed {address}: {}", error.as_str()?)),
            "skipped" => Some(format!("skipped {address}")),
            _ => None,
        }
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told.join("\n")
}

#[test]
fn the_account_that_a_stack_names_is_proven_without_a_question_where_its_home_is() {
    let aws = Aws::start();
    aws.edit("stacks/demo.yaml", "stack: fruits-demo\n", "stack: fruits-demo\naccount: \"000000000000\"\n");
    aws.up("demo").expect(0);
    aws.forget_calls();
    aws.plan("demo").expect(0);
    assert_eq!(aws.count("GetCallerIdentity"), 0);

    // Another's name is not proven by anything, and nothing is planned or made in a wrong account.
    aws.edit("stacks/demo.yaml", "account: \"000000000000\"", "account: \"222222222222\"");
    for args in
        [&["plan", "demo"][..], &["up", "demo", "--yes", "--weights", aws.weights], &["destroy", "demo", "--yes"]]
    {
        aws.forget_calls();
        let refused = aws.run(args).expect(3);
        assert!(
            refused.err.contains("these credentials are of account 000000000000, and the stack says 222222222222"),
            "{refused:?}"
        );
        assert_eq!(aws.mutations(), Vec::<String>::new(), "{args:?}");
    }
    aws.edit("stacks/demo.yaml", "account: \"222222222222\"", "account: \"000000000000\"");
    aws.destroy("demo").expect(0);
}
