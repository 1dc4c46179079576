//! What AWS changes in place is changed in place, one edit of the stack at a time: shown as `~`, done, and gone
//! from the next plan, on the same cluster. What it does not costs a new cluster, and says so.

use crate::support::Aws;
use crate::support::oracle::Seen;

const STACK: &str = "stacks/demo.yaml";

/// An edit of the stack: what changes, the passage, what stands there instead.
type Edit = (&'static str, &'static str, &'static str);

/// In an order that the next edit can build upon.
const OF_THE_CLUSTER: [Edit; 12] = [
    ("core count", "count: 2}", "count: 3}"),
    (
        "a task group",
        "  applications: [Spark]\n",
        "  applications: [Spark]\n  task: {burst: {type: m5.xlarge, count: 2}}\n",
    ),
    ("another size of it", "m5.xlarge, count: 2}}", "m5.xlarge, count: 1}}"),
    ("a task group to 0", "m5.xlarge, count: 1}}", "m5.xlarge, count: 0}}"),
    ("a task group back", "m5.xlarge, count: 0}}", "m5.xlarge, count: 2, market: spot}}"),
    ("no task group", "  task: {burst: {type: m5.xlarge, count: 2, market: spot}}\n", "  step_concurrency: 3\n"),
    (
        "configurations of a group",
        "count: 3}",
        "count: 3, configurations: [{classification: yarn-site, properties: {yarn.nodemanager.vmem-check-enabled: \"false\"}}]}",
    ),
    ("step concurrency", "step_concurrency: 3\n", "step_concurrency: 5\n  termination_protection: true\n"),
    ("keep-alive", "  termination_protection: true\n", "  termination_protection: true\n  keep_alive: false\n"),
    ("keep-alive again", "  keep_alive: false\n", "  idle: 40m\n"),
    ("protection", "  termination_protection: true\n", "  tags: {team: data}\n"),
    ("a tag of its own", "  tags: {team: data}\n", "  tags: {team: jury}\n"),
];

const OF_THE_REST: [Edit; 7] = [
    ("expiry", "features/: 30d", "features/: 60d, pca/: 7d"),
    ("versioning", "data: {expire", "data: {versioning: true, expire"),
    ("no versioning, no expiry", "data: {versioning: true, expire: {features/: 60d, pca/: 7d}}", "data: {}"),
    ("what nodes may do", "read: [data]", "read: [data, logs]"),
    (
        "access",
        "  applications: [Spark]\n",
        "  applications: [Spark]\n  access: [{from: 203.0.113.7/32, port: 9443}]\n",
    ),
    ("other access", "203.0.113.7/32, port: 9443", "203.0.113.8/32, port: 9443"),
    ("tags of everything", "tags: {project: p8}", "tags: {project: p9, jury: \"true\"}"),
];

#[test]
fn clusters_change_in_place() {
    let shown = in_place(&OF_THE_CLUSTER);
    insta::assert_snapshot!(shown, @r#"
    # core count
      ~ cluster/main             fruits-demo-main
          ~ core_count: 2 -> 3
    # a task group
      ~ cluster/main             fruits-demo-main
          ~ task.burst: none -> "2 x m5.xlarge on-demand"
    # another size of it
      ~ cluster/main             fruits-demo-main
          ~ task.burst: "2 x m5.xlarge on-demand" -> "1 x m5.xlarge on-demand"
    # a task group to 0
      ~ cluster/main             fruits-demo-main
          ~ task.burst: "1 x m5.xlarge on-demand" -> none
    # a task group back
      ~ role/service             fruits-demo-service
          ~ policy.BeTheFirstToUseSpot: none -> {"Action":"iam:CreateServiceLinkedRole","Condition":{"StringEquals":{"iam:AWSServiceName":"spot.amazonaws.com"}},"Effect":"Allow","Resource":"arn:aws:iam::00...
      ~ cluster/main             fruits-demo-main
          ~ task.burst: none -> "2 x m5.xlarge spot"
    # no task group
      ~ role/service             fruits-demo-service
          ~ policy.BeTheFirstToUseSpot: {"Action":"iam:CreateServiceLinkedRole","Condition":{"StringEquals":{"iam:AWSServiceName":"spot.amazonaws.com"}},"Effect":"Allow","Resource":"arn:aws:iam::00... -> none
      ~ cluster/main             fruits-demo-main
          ~ step_concurrency: 1 -> 3
          ~ task.burst: "2 x m5.xlarge spot" -> none
    # configurations of a group
      ~ cluster/main             fruits-demo-main
          ~ group_configurations.core: none -> [["yarn-site",{"yarn.nodemanager.vmem-check-enabled":"false"},[]]]
    # step concurrency
      ~ cluster/main             fruits-demo-main
          ~ termination_protection: false -> true
          ~ step_concurrency: 3 -> 5
    # keep-alive
      ~ cluster/main             fruits-demo-main
          ~ keep_alive: true -> false
    # keep-alive again
      ~ cluster/main             fruits-demo-main
          ~ idle_seconds: 86400 -> 2400
          ~ keep_alive: false -> true
    # protection
      ~ cluster/main             fruits-demo-main
          ~ termination_protection: true -> false
          ~ tags.team: none -> "data"
    # a tag of its own
      ~ cluster/main             fruits-demo-main
          ~ tags.team: "data" -> "jury"
    "#);
}

#[test]
fn buckets_roles_and_groups_change_in_place() {
    let shown = in_place(&OF_THE_REST);
    insta::assert_snapshot!(shown, @r#"
    # expiry
      ~ bucket/data              fruits-demo-data-000000000000
          ~ expire.features/: 30 -> 60
          ~ expire.pca/: none -> 7
    # versioning
      ~ bucket/data              fruits-demo-data-000000000000
          ~ versioning: false -> true
    # no versioning, no expiry
      ~ bucket/data              fruits-demo-data-000000000000
          ~ versioning: true -> false
          ~ expire.features/: 60 -> none
          ~ expire.pca/: 7 -> none
    # what nodes may do
      ~ role/nodes               fruits-demo-nodes
          ~ policy.Read.Resource: [] -> ["arn:aws:s3:::fruits-demo-logs-000000000000/*"]
    # access
      ~ security_group/primary   fruits-demo-primary
          ~ access: [] -> ["9443 from 203.0.113.7/32"]
    # other access
      ~ security_group/primary   fruits-demo-primary
          ~ access: ["9443 from 203.0.113.7/32"] -> ["9443 from 203.0.113.8/32"]
    # tags of everything
      ~ bucket/home              fruits-demo-home-000000000000
          ~ tags.jury: none -> "true"
          ~ tags.project: "p8" -> "p9"
      ~ role/end                 fruits-demo-end
          ~ tags.jury: none -> "true"
          ~ tags.project: "p8" -> "p9"
      ~ role/nodes               fruits-demo-nodes
          ~ tags.jury: none -> "true"
          ~ tags.project: "p8" -> "p9"
      ~ role/service             fruits-demo-service
          ~ tags.jury: none -> "true"
          ~ tags.project: "p8" -> "p9"
      ~ security_group/core      fruits-demo-core
          ~ tags.jury: none -> "true"
          ~ tags.project: "p8" -> "p9"
      ~ security_group/primary   fruits-demo-primary
          ~ tags.jury: none -> "true"
          ~ tags.project: "p8" -> "p9"
      ~ bucket/data              fruits-demo-data-000000000000
          ~ tags.jury: none -> "true"
          ~ tags.project: "p8" -> "p9"
      ~ bucket/logs              fruits-demo-logs-000000000000
          ~ tags.jury: none -> "true"
          ~ tags.project: "p8" -> "p9"
      ~ cluster/main             fruits-demo-main
          ~ tags.jury: none -> "true"
          ~ tags.project: "p8" -> "p9"
    "#);
}

/// Makes the edits one after another; returns what the plans showed.
fn in_place(edits: &[Edit]) -> String {
    let aws = Aws::start();
    aws.edit(STACK, "lifetime: 3h, idle: 45m", "lifetime: 48h, idle: 24h");
    aws.up(STACK).expect(0);
    let born = aws.status(STACK)["cluster"]["id"].clone();
    let mut shown = String::new();
    for (what, from, to) in edits {
        aws.edit(STACK, from, to);
        let plan = aws.plan(STACK).expect(2);
        let steps = plan.out.lines().filter(|line| line.starts_with("  ") || line.starts_with("-/+"));
        shown.extend(["# ", what, "\n"]);
        shown.extend(steps.flat_map(|line| [line, "\n"]));
        aws.up(STACK).expect(0);
        let again = aws.plan(STACK);
        assert_eq!(again.code, Some(0), "after {what}: {}{}", again.out, again.err);
    }
    assert_eq!(aws.status(STACK)["cluster"]["id"], born, "one cluster throughout");
    aws.destroy(STACK).expect(0);
    shown
}

#[test]
fn a_new_release_costs_a_new_cluster_and_says_so() {
    let aws = Aws::start();
    aws.up(STACK).expect(0);
    aws.edit(STACK, "release: emr-7.12.0", "release: emr-7.11.0");
    insta::assert_snapshot!(aws.plan(STACK).expect(2).out, @r#"
    fruits-demo in eu-west-3 (Paris), account 000000000000

    -/+ cluster/main             fruits-demo-main
          ~ release: "emr-7.12.0" -> "emr-7.11.0"  # forces replacement

    Cost: [amount] USD an hour (EC2 0.672, EMR's fee 0.144, EBS 0.030, public IPv4 0.015)
    Life: [amount] USD until its end, [amount] USD if forgotten for a night, [amount] USD for a weekend (estimates, prices of 2025-03)
    End: 3h after it is asked for, by AWS itself

    Plan: 0 to create, 0 to change, 1 to replace, 0 to delete, 13 kept.
    "#);
    aws.up(STACK).expect(0);
    aws.plan(STACK).expect(0);
    let oracle = aws.oracle("eu-west-3");
    let clusters = oracle.clusters("fruits-demo-");
    assert_eq!((clusters.len(), clusters.iter().filter(|c: &&Seen| c.alive()).count()), (2, 1));
}

#[test]
fn a_protected_cluster_is_not_taken_down_before_its_protection() {
    let aws = Aws::start();
    aws.edit(STACK, "  applications: [Spark]\n", "  applications: [Spark]\n  termination_protection: true\n");
    aws.up(STACK).expect(0);
    aws.forget_calls();
    let down = aws.down(STACK).expect(3);
    insta::assert_snapshot!(down.out, @"
    fruits-demo in eu-west-3 (Paris), account 000000000000

      - cluster/main             fruits-demo-main
      - schedule/end             fruits-demo-end
      - security_group/core      fruits-demo-core
      - security_group/primary   fruits-demo-primary
    refused FI902: `cluster/main` would be removed, but it is termination protected: write `termination_protection: false`, run `up`, then this again

    Plan: 0 to create, 0 to change, 4 to delete, 10 kept.
    ");
    assert!(down.err.contains("termination_protection: false"), "{}", down.err);
    aws.destroy(STACK).expect(3);
    aws.edit(STACK, "emr-7.12.0", "emr-7.11.0");
    aws.up(STACK).expect(3);
    assert_eq!(aws.mutations(), Vec::<String>::new(), "a refusal changes nothing");

    aws.edit(STACK, "emr-7.11.0", "emr-7.12.0");
    aws.edit(STACK, "  termination_protection: true\n", "  termination_protection: false\n");
    aws.up(STACK).expect(0);
    aws.down(STACK).expect(0);
}
