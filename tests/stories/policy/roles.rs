//! The roles that a stack makes, under enforcement: with the nodes' credentials one reaches the granted places in the
//! EU and nothing else; EMR's own role does what EMR does for this stack and nothing else.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType as Decision};
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use serde_json::json;

use super::callers::Caller;
use crate::support::Aws;
use crate::support::oracle::{ACCOUNT, Oracle};

const REGION: &str = "eu-west-3";
const DATA: &str = "fruits-demo-data-000000000000";
const HOME: &str = "fruits-demo-home-000000000000";

/// Credentials of a role, as its instances get them: its trust is widened by root, its policy is as it was made.
fn assumed(aws: &Aws, root: &Oracle, role: &str) -> Credentials {
    let caller = Caller::new(aws, root, &format!("as-{role}"));
    let may = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]});
    caller.attach(aws, root, &[may]);
    let found = aws.wait(root.iam.get_role().role_name(role).send()).expect("a role").role.expect("a role");
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/as-{role}")}}]});
    let trusted = root.iam.update_assume_role_policy().role_name(role).policy_document(trust.to_string());
    aws.wait(trusted.send()).expect("trusted");
    let keys = Credentials::new(&caller.key, &caller.secret, None, None, "a story");
    let asked = aws.signed(&keys, REGION).sts.assume_role().role_arn(found.arn).role_session_name("story").send();
    let got = aws.wait(asked).expect("credentials").credentials.expect("credentials");
    Credentials::new(got.access_key_id, got.secret_access_key, Some(got.session_token), None, "a story")
}

/// How a call ended: `ok`, or the words of the refusal.
fn outcome<T, E: ProvideErrorMetadata, R>(ended: Result<T, SdkError<E, R>>) -> String {
    match ended {
        Ok(_) => "ok".into(),
        Err(SdkError::ServiceError(error)) => {
            let words = error.err().message().unwrap_or_default();
            let code = error.err().code().unwrap_or_default();
            format!("{code}: {}", words.rsplit_once(" is not authorized to perform: ").map_or(words, |(_, rest)| rest))
        }
        Err(_) => "no answer".into(),
    }
}

#[test]
fn the_nodes_reach_their_places_in_the_eu_and_nothing_else() {
    let aws = Aws::start();
    let root = aws.oracle(REGION);
    root.bucket("fruits-demo-not-ours", &[]);
    root.put("fruits-demo-not-ours", "theirs.txt", "precious");
    aws.up("demo").expect(0);
    let script =
        aws.wait(root.s3.list_objects_v2().bucket(HOME).prefix("fruitsinfra/objects/").send()).expect("objects");
    let script = script.contents()[0].key().expect("a key").to_owned();
    root.put(HOME, "fruitsinfra/lease.json", "{}");
    let keys = assumed(&aws, &root, "fruits-demo-nodes");

    let here = aws.signed(&keys, REGION);
    let get =
        |from: &Oracle, bucket: &str, key: &str| outcome(aws.wait(from.s3.get_object().bucket(bucket).key(key).send()));
    let put = |from: &Oracle, bucket: &str, key: &str| {
        outcome(aws.wait(from.s3.put_object().bucket(bucket).key(key).body(vec![1].into()).send()))
    };
    // Its work.
    assert_eq!(get(&here, DATA, "images/1.jpg"), "ok");
    assert_eq!(get(&here, HOME, &script), "ok");
    for place in ["features", "pca", "model", "report"] {
        assert_eq!(put(&here, DATA, &format!("{place}/part-0")), "ok");
        let deleted = here.s3.delete_object().bucket(DATA).key(format!("{place}/part-0")).send();
        assert_eq!(outcome(aws.wait(deleted)), "ok");
    }
    assert_eq!(put(&here, "fruits-demo-logs-000000000000", "emr/j-1/x.gz"), "ok");
    assert_eq!(outcome(aws.wait(here.s3.list_objects_v2().bucket(DATA).send())), "ok");

    // Not its work.
    let missing = |action: &str| format!("because no identity-based policy allows the {action} action");
    for (what, ended, action) in [
        ("another bucket", get(&here, "fruits-demo-not-ours", "theirs.txt"), "s3:GetObject"),
        ("into another bucket", put(&here, "fruits-demo-not-ours", "mine.txt"), "s3:PutObject"),
        ("beside its prefixes", put(&here, DATA, "elsewhere/part-0"), "s3:PutObject"),
        ("over the images", put(&here, DATA, "images/1.jpg"), "s3:PutObject"),
        ("over the scripts", put(&here, HOME, &script), "s3:PutObject"),
        ("the lease", get(&here, HOME, "fruitsinfra/lease.json"), "s3:GetObject"),
        (
            "a listing of another bucket",
            outcome(aws.wait(here.s3.list_objects_v2().bucket("fruits-demo-not-ours").send())),
            "s3:ListBucket",
        ),
        (
            "a listing of leases",
            outcome(aws.wait(here.s3.list_objects_v2().bucket(HOME).prefix("fruitsinfra/").send())),
            "s3:ListBucket",
        ),
        ("all buckets", outcome(aws.wait(here.s3.list_buckets().send())), "s3:ListAllMyBuckets"),
        (
            "an image's end",
            outcome(aws.wait(here.s3.delete_object().bucket(DATA).key("images/1.jpg").send())),
            "s3:DeleteObject",
        ),
        ("clusters", outcome(aws.wait(here.emr.list_clusters().send())), "elasticmapreduce:ListClusters"),
        ("instances", outcome(aws.wait(here.ec2.describe_instances().send())), "ec2:DescribeInstances"),
    ] {
        assert!(ended.ends_with(&missing(action)), "{what}: {ended}");
    }

    // Outside the EU even its work is refused, and in the whole of it by name.
    let denied = "with an explicit deny in an identity-based policy";
    for region in ["us-east-1", "eu-west-2", "eu-central-2"] {
        let there = aws.signed(&keys, region);
        for ended in [get(&there, DATA, "images/1.jpg"), put(&there, DATA, "features/part-0")] {
            assert!(ended.ends_with(denied), "{region}: {ended}");
        }
        assert!(outcome(aws.wait(there.emr.list_clusters().send())).ends_with(denied), "{region}");
    }
    let iam = outcome(aws.wait(here.iam.list_roles().send()));
    assert!(iam.ends_with(denied), "IAM's endpoint stands outside: {iam}");
}

#[test]
fn the_service_role_does_what_emr_does_for_this_stack_and_nothing_else() {
    let aws = Aws::start();
    aws.up("demo").expect(0);
    let root = aws.oracle(REGION);
    let role =
        aws.wait(root.iam.get_role().role_name("fruits-demo-service").send()).expect("a role").role.expect("a role");
    let subnets = aws.wait(root.ec2.describe_subnets().send()).expect("subnets");
    let cluster = aws.status("demo")["cluster"]["id"].as_str().expect("a cluster").to_owned();
    let cluster = aws.wait(root.emr.describe_cluster().cluster_id(cluster).send()).expect("a cluster").cluster;
    let ec2 = cluster.expect("a cluster").ec2_instance_attributes.expect("its network");
    let chosen = ec2.ec2_subnet_id().expect("a subnet").to_owned();
    let other =
        subnets.subnets().iter().filter_map(|subnet| subnet.subnet_id()).find(|id| *id != chosen).expect("another");
    let arn = |resource: &str| format!("arn:aws:ec2:{REGION}:{ACCOUNT}:{resource}");
    let iam = |resource: &str| format!("arn:aws:iam::{ACCOUNT}:{resource}");
    let nodes = iam("role/fruitsinfra/fruits-demo/fruits-demo-nodes");
    let mark = |stack: &str| vec![("aws:ResourceTag/fruitsinfra:stack", stack.to_owned())];
    let to = |service: &str| vec![("iam:PassedToService", format!("{service}.amazonaws.com"))];
    let logs = "arn:aws:s3:::fruits-demo-logs-000000000000/emr/j-1/x.gz".to_owned();

    let simulated = |action: &str, resource: &str, keys: Vec<(&str, String)>| {
        let entry = |(key, value): (&str, String)| {
            let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
            entry.context_key_type(ContextKeyTypeEnum::String).build()
        };
        let asked = root.iam.simulate_principal_policy().policy_source_arn(&role.arn).action_names(action);
        let asked = asked.resource_arns(resource).set_context_entries(Some(keys.into_iter().map(entry).collect()));
        let answer = aws.wait(asked.send()).expect("simulated");
        answer.evaluation_results()[0].eval_decision == Decision::Allowed
    };
    for (action, resource, keys, allowed) in [
        ("ec2:RunInstances", arn(&format!("subnet/{chosen}")), vec![], true),
        ("ec2:RunInstances", arn(&format!("subnet/{other}")), vec![], false),
        ("ec2:TerminateInstances", arn("instance/i-1"), mark("fruits-demo"), true),
        ("ec2:TerminateInstances", arn("instance/i-1"), mark("another"), false),
        ("ec2:TerminateInstances", arn("instance/i-1"), vec![], false),
        ("ec2:AuthorizeSecurityGroupIngress", arn("security-group/sg-1"), mark("fruits-demo"), true),
        ("ec2:AuthorizeSecurityGroupIngress", arn("security-group/sg-1"), vec![], false),
        ("ec2:CreateSecurityGroup", arn("vpc/vpc-1"), vec![], false),
        ("ec2:CreateTags", arn("instance/i-1"), vec![("ec2:CreateAction", "RunInstances".into())], true),
        ("ec2:CreateTags", arn("instance/i-1"), vec![], false),
        ("iam:PassRole", nodes.clone(), to("ec2"), true),
        ("iam:PassRole", nodes, to("lambda"), false),
        ("iam:PassRole", iam("role/fruitsinfra/fruits-demo/fruits-demo-service"), to("ec2"), false),
        ("iam:PassRole", iam("role/admin"), to("ec2"), false),
        (
            "iam:CreateServiceLinkedRole",
            iam("role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"),
            vec![],
            false,
        ),
        ("iam:CreateRole", iam("role/mine"), vec![], false),
        ("s3:PutObject", logs.clone(), vec![], true),
        ("s3:GetObject", logs, vec![], false),
        ("s3:PutObject", format!("arn:aws:s3:::{DATA}/features/x"), vec![], false),
        ("s3:ListBucket", format!("arn:aws:s3:::{DATA}"), vec![], false),
        (
            "elasticmapreduce:TerminateJobFlows",
            format!("arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/j-1"),
            vec![],
            false,
        ),
    ] {
        assert_eq!(simulated(action, &resource, keys.clone()), allowed, "{action} on {resource} with {keys:?}");
    }
}
