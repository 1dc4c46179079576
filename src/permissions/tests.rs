//! What the written policies grant, held against documents of whole stacks.

use std::path::Path;

use super::*;
use crate::stack;

/// Every stack of the repository, which between them say all that can be said.
fn stacks() -> Vec<(String, Stack)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["stacks", "tests/cases"].iter().flat_map(|folder| root.join(folder).read_dir().expect("a folder"));
    let paths = files.map(|file| file.expect("is readable").path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let all = yaml.map(|path| (path.display().to_string(), stack::load(&path).expect("a stack").stack));
    all.collect()
}

fn around(stack: &Stack) -> Surroundings {
    Surroundings::offline(stack.region, Some("000000000000"), None)
}

fn statements_of<'a>(documents: &'a [Value], effect: &str) -> Vec<&'a Value> {
    let all = documents.iter().flat_map(|document| document["Statement"].as_array().expect("statements"));
    all.filter(|statement| statement["Effect"] == effect).collect()
}

fn words(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .map_or_else(|| vec![value], |list| list.iter().collect())
        .into_iter()
        .filter_map(Value::as_str)
        .collect()
}

fn stack(name: &str) -> Stack {
    stacks().into_iter().find(|(path, _)| path.ends_with(name)).expect(name).1
}

#[test]
fn iam_takes_every_document_and_none_leads_out_of_the_eu() {
    let all = stacks();
    assert!(all.len() >= 6, "{all:?}");
    for (path, stack) in all {
        for command in Command::ALL {
            let documents = documents(&stack, &around(&stack), command);
            for document in &documents {
                let size = document.to_string().len();
                assert!(size <= MOST_CHARACTERS, "{path}, {command:?}: {size} characters");
                let sids: Vec<&str> = document["Statement"]
                    .as_array()
                    .expect("statements")
                    .iter()
                    .filter_map(|s| s["Sid"].as_str())
                    .collect();
                assert!(sids.iter().all(|sid| sid.bytes().all(|b| b.is_ascii_alphanumeric())), "{sids:?}");
                assert_eq!(sids.iter().collect::<BTreeSet<_>>().len(), sids.len(), "{sids:?}");
            }
            let denied = statements_of(&documents, "Deny");
            assert_eq!(denied.len(), documents.len());
            let regions = &denied[0]["Condition"]["StringNotEquals"]["aws:RequestedRegion"];
            assert!(
                words(regions).contains(&stack.region.as_str()) && !words(regions).contains(&"eu-west-2"),
                "{regions}"
            );
        }
    }
}

/// Nothing is lost where a document is cut in two.
#[test]
fn documents_hold_every_statement_once() {
    for (path, stack) in stacks() {
        for command in Command::ALL {
            let (around, documents) = (around(&stack), documents(&stack, &around(&stack), command));
            let cut: Vec<Value> = statements_of(&documents, "Allow").into_iter().cloned().collect();
            assert_eq!(cut, statements(&stack, &around, command), "{path}, {command:?}");
        }
    }
    let everything = stack("everything.yaml");
    assert_eq!(documents(&everything, &around(&everything), Command::Up).len(), 2, "one that has to be cut");
}

/// What can be named is named: everything is said of all resources only where AWS knows no other way.
#[test]
fn all_resources_are_meant_only_where_nothing_else_can_be_written() {
    let unnamable = [
        "cloudwatch:GetMetricData",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRegions",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcEndpoints",
        "elasticmapreduce:DescribeReleaseLabel",
        "elasticmapreduce:ListClusters",
        "elasticmapreduce:RunJobFlow",
        "s3:ListAllMyBuckets",
        "scheduler:ListSchedules",
        "servicequotas:GetServiceQuota",
    ];
    for (path, stack) in stacks() {
        for command in Command::ALL {
            let documents = documents(&stack, &around(&stack), command);
            for statement in statements_of(&documents, "Allow") {
                let actions = words(&statement["Action"]);
                assert!(actions.iter().all(|action| !action.contains('*')), "{path}: {actions:?}");
                if words(&statement["Resource"]).contains(&"*") {
                    assert!(actions.iter().all(|action| unnamable.contains(action)), "{path}: {actions:?}");
                    let global = actions.iter().all(|action| action.starts_with("iam:"));
                    assert!(global || statement.get("Condition").is_some(), "{path}: {statement}");
                }
            }
        }
    }
}

#[test]
fn exactly_three_roles_are_handed_on_each_to_one_service() {
    let demo = stack("demo.yaml");
    let documents = documents(&demo, &around(&demo), Command::Up);
    let passed: Vec<(Vec<&str>, &Value)> = statements_of(&documents, "Allow")
        .into_iter()
        .filter(|statement| words(&statement["Action"]).contains(&"iam:PassRole"))
        .map(|statement| {
            (words(&statement["Resource"]), &statement["Condition"]["StringEquals"]["iam:PassedToService"])
        })
        .collect();
    let role = |key: &str| format!("arn:aws:iam::000000000000:role/fruitsinfra/fruits-demo/fruits-demo-{key}");
    assert_eq!(
        passed,
        [
            (vec![role("nodes").as_str()], &json!("ec2.amazonaws.com")),
            (vec![role("service").as_str()], &json!("elasticmapreduce.amazonaws.com")),
            (vec![role("end").as_str()], &json!("scheduler.amazonaws.com")),
        ]
    );
}

#[test]
fn somebody_elses_roles_are_found_whatever_their_path() {
    let (third, everything) = (stack("03.yaml"), stack("everything.yaml"));
    let service = resources(On::ServiceRole, &third, &around(&third));
    assert_eq!(service, ["arn:aws:iam::000000000000:role/EMR_DefaultRole"], "as its ARN is written");
    let role = |path: &str| format!("arn:aws:iam::000000000000:role/{path}EMR_AutoScaling_DefaultRole");
    assert_eq!(resources(On::ScalingRole, &everything, &around(&everything)), [role(""), role("*/")]);
}

#[test]
fn keys_are_used_by_way_of_s3_and_only_where_the_stack_has_any() {
    let (everything, demo) = (stack("everything.yaml"), stack("demo.yaml"));
    let kms = |stack: &Stack, command| {
        let documents = documents(stack, &around(stack), command);
        let all = statements_of(&documents, "Allow").into_iter();
        let kms = all.filter(|statement| words(&statement["Action"])[0].starts_with("kms:")).cloned();
        kms.collect::<Vec<Value>>()
    };
    for command in Command::ALL {
        assert_eq!(kms(&demo, command), Vec::<Value>::new());
        for statement in kms(&everything, command) {
            assert_eq!(statement["Condition"]["StringEquals"]["kms:ViaService"], "s3.eu-south-1.amazonaws.com");
        }
    }
    // Home's own, and that of the bucket which has another.
    assert_eq!(kms(&everything, Command::Up).len(), 2);
    assert_eq!(kms(&everything, Command::Destroy).len(), 1);
}

#[test]
fn a_stack_without_a_cluster_makes_no_roles_and_hands_on_none() {
    let mut storage = stack("demo.yaml");
    storage.cluster = None;
    let documents = documents(&storage, &around(&storage), Command::Up);
    let text = json!(documents).to_string();
    for action in ["iam:PassRole", "iam:CreateRole", "elasticmapreduce:RunJobFlow", "ec2:CreateSecurityGroup"] {
        assert!(!text.contains(action), "{action}");
    }
    assert!(text.contains("iam:DeleteRole") && text.contains("elasticmapreduce:TerminateJobFlows"), "leftovers go");
}
