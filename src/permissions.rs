//! What the caller of each command must be allowed, as policies of IAM: the least that a stack's calls need, built
//! from one [`table`]. Pure. It grants nothing that no call asks for, and knows no account but by its number.
//!
//! Resources are named by ARN wherever an action knows them; where only `*` can be written, tags or the region
//! narrow it. Names follow the stack's (`<stack>-...`, `/fruitsinfra/<stack>/`), not its present content: `up` also
//! changes and removes what the file no longer says.

pub mod table;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::blueprint::home_name;
use crate::blueprint::policies::{keys, regions, s3};
use crate::cloud::surroundings::Surroundings;
use crate::resources::{HOME, end, role_path};
use crate::stack::{Bucket, Cluster, Existing, NodesRole, Place, Stack};

use table::TABLE;
use terms::{Given, On, Only};

/// IAM's limit for a managed policy, white space not counted.
pub const MOST_CHARACTERS: usize = 6144;

/// Commands that need the same. `doctor`, `status`, `logs` and `results` need what `plan` needs; `run` what `up` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    Plan,
    Up,
    Down,
    Destroy,
    /// Of all stacks of the account, whichever the policy is printed for.
    Guard,
}

impl Command {
    pub const ALL: [Self; 5] = [Self::Plan, Self::Up, Self::Down, Self::Destroy, Self::Guard];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Up => "up",
            Self::Down => "down",
            Self::Destroy => "destroy",
            Self::Guard => "guard",
        }
    }
}

/// The calls that a command may make, as `s3 PutBucketPolicy`.
pub fn calls(command: Command) -> BTreeSet<&'static str> {
    TABLE.iter().filter(|row| row.by.contains(&command)).map(|row| row.call).collect()
}

/// The policies that a command's caller needs: one, unless it outgrows what IAM takes.
pub fn documents(stack: &Stack, around: &Surroundings, command: Command) -> Vec<Value> {
    let outside = outside_eu(around);
    let mut documents = vec![vec![]];
    for statement in statements(stack, around, command) {
        let last = documents.last().map_or(&[][..], Vec::as_slice);
        let grown = document(last.iter().cloned().chain([statement.clone(), outside.clone()]));
        if grown.to_string().len() > MOST_CHARACTERS {
            documents.push(vec![]);
        }
        if let Some(last) = documents.last_mut() {
            last.push(statement);
        }
    }
    documents.into_iter().map(|statements| document(statements.into_iter().chain([outside.clone()]))).collect()
}

fn document(statements: impl Iterator<Item = Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>()})
}

/// One statement for all actions that share resources and condition.
fn statements(stack: &Stack, around: &Surroundings, command: Command) -> Vec<Value> {
    let mut grouped: BTreeMap<(On, Given), BTreeSet<&str>> = BTreeMap::new();
    for row in TABLE.iter().filter(|row| row.by.contains(&command)) {
        let made = match row.only {
            Only::Ever => true,
            Only::WithCluster => stack.cluster.is_some(),
            Only::WithFleets => stack.cluster.as_ref().is_some_and(Cluster::has_fleets),
        };
        if !made {
            continue;
        }
        for need in row.needs {
            grouped.entry((need.on, need.given)).or_default().insert(need.action);
        }
    }
    let statement = |((on, given), actions): ((On, Given), BTreeSet<&str>)| {
        let resources = resources(on, stack, around);
        (!resources.is_empty()).then(|| {
            let mut statement = Map::new();
            statement.insert("Sid".into(), json!(format!("{on:?}{}", given.words())));
            statement.insert("Effect".into(), json!("Allow"));
            statement.insert("Action".into(), one_or_all(actions.into_iter().map(str::to_owned).collect()));
            statement.insert("Resource".into(), one_or_all(resources));
            if let Some(condition) = condition(given, stack, around) {
                statement.insert("Condition".into(), condition);
            }
            Value::Object(statement)
        })
    };
    grouped.into_iter().filter_map(statement).collect()
}

fn one_or_all(mut values: Vec<String>) -> Value {
    if values.len() == 1 { json!(values.remove(0)) } else { json!(values) }
}

/// Another policy of the same caller cannot lead out of the EU. IAM's one endpoint stands in us-east-1.
fn outside_eu(around: &Surroundings) -> Value {
    json!({
        "Sid": "NothingOutsideTheEu",
        "Effect": "Deny",
        "NotAction": "iam:*",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": regions(around.region)}},
    })
}

/// The ARNs behind a word of the table; none where the stack has no such thing.
fn resources(on: On, stack: &Stack, around: &Surroundings) -> Vec<String> {
    let region = around.region;
    let iam = |resource: String| region.arn("iam", false, &around.account, &resource);
    let ec2 = |resource: &str| vec![region.arn("ec2", true, &around.account, resource)];
    // All regions: the condition of every document leaves those of the EU.
    let everywhere =
        |service: &str, resource: &str| format!("arn:{}:{service}:*:{}:{resource}", region.partition(), around.account);
    let path = role_path(&stack.name);
    let below = |places: Vec<Place>| {
        let name = |place: &Place| stack.bucket_name(&place.bucket, &around.account);
        let arns = places.iter().filter_map(|place| Some(s3(region, &name(place)?, &format!("{}*", place.prefix))));
        sorted(arns.collect())
    };
    match on {
        On::Everything => vec!["*".into()],
        On::Buckets => vec![s3(region, &format!("{}-*", stack.name), "")],
        On::BucketsOfOthers => {
            let theirs = stack.buckets.values().filter_map(Bucket::existing);
            sorted(theirs.map(|bucket| s3(region, bucket.name(), "")).collect())
        }
        On::Objects => vec![s3(region, &format!("{}-*", stack.name), "*")],
        On::Home => vec![s3(region, &home_name(stack, &around.account), "fruitsinfra/*")],
        On::Logs => below(stack.logs().into_iter().collect()),
        On::Results => {
            // The model that another job has fitted is among that one's.
            below(stack.touched().write.into_iter().collect())
        }
        On::Uploads => below(stack.uploads.iter().map(|upload| upload.to.clone()).collect()),
        On::KeyOfHome => keys(stack, |key| key == HOME),
        On::KeysBeside => {
            let of_home = keys(stack, |key| key == HOME);
            keys(stack, |key| key != HOME).into_iter().filter(|key| !of_home.contains(key)).collect()
        }
        On::Roles => vec![iam(format!("role{path}*"))],
        On::RolesByName => vec![iam(format!("role{path}*")), iam(format!("role/{}-*", stack.name))],
        On::RolesOfOthers => {
            let nodes = stack.roles.nodes.existing();
            nodes
                .into_iter()
                .chain(&stack.roles.service)
                .chain(&stack.roles.end)
                .flat_map(|role| theirs("role", role, around))
                .collect()
        }
        On::Profiles => vec![iam(format!("instance-profile{path}*"))],
        On::ProfilesByName => {
            vec![iam(format!("instance-profile{path}*")), iam(format!("instance-profile/{}-*", stack.name))]
        }
        On::ProfileOfOthers => {
            stack.instance_profile.iter().flat_map(|profile| theirs("instance-profile", profile, around)).collect()
        }
        On::NodesRole => match &stack.roles.nodes {
            NodesRole::Existing(existing) => theirs("role", existing, around),
            NodesRole::Ours(_) => vec![iam(format!("role{path}{}-nodes", stack.name))],
        },
        On::ServiceRole => match &stack.roles.service {
            Some(existing) => theirs("role", existing, around),
            None => vec![iam(format!("role{path}{}-service", stack.name))],
        },
        On::EndRole => match &stack.roles.end {
            Some(existing) => theirs("role", existing, around),
            None => vec![iam(format!("role{path}{}-end", stack.name))],
        },
        On::ScalingRole => {
            let role = stack.cluster.as_ref().and_then(|cluster| cluster.auto_scaling_role.as_ref());
            role.into_iter().flat_map(|role| theirs("role", role, around)).collect()
        }
        On::CleanupRole => {
            let service = region.service_principal("elasticmapreduce");
            vec![iam(format!("role/aws-service-role/{service}/AWSServiceRoleForEMRCleanup*"))]
        }
        On::LinkedRoles => {
            let named = [("elasticmapreduce", "AWSServiceRoleForEMRCleanup"), ("spot", "AWSServiceRoleForEC2Spot")];
            // One that is not there yet has no path.
            let linked = named.iter().flat_map(|(service, name)| {
                let path = format!("aws-service-role/{}/", region.service_principal(service));
                [path, String::new()].map(|path| iam(format!("role/{path}{name}")))
            });
            linked.collect()
        }
        // Its id is not known without a look, and the tags of what is made in it are asked for anyway.
        On::Networks => ec2("vpc/*"),
        On::Groups => ec2("security-group/*"),
        On::Homes => vec![s3(region, &format!("*-{HOME}-{}", around.account), "")],
        On::InHomes => vec![s3(region, &format!("*-{HOME}-{}", around.account), "fruitsinfra/*")],
        On::GroupsOfAll => vec![everywhere("ec2", "security-group/*")],
        On::ClustersOfAll => vec![everywhere("elasticmapreduce", "cluster/*")],
        On::SchedulesOfAll => vec![everywhere("scheduler", "schedule/default/*-end")],
        On::Topics => vec![everywhere("sns", "*")],
        On::Clusters => vec![region.arn("elasticmapreduce", true, &around.account, "cluster/*")],
        On::Schedule => {
            let name = format!("schedule/default/{}", end::name(&stack.name));
            vec![region.arn("scheduler", true, &around.account, &name)]
        }
    }
}

fn sorted(mut arns: Vec<String>) -> Vec<String> {
    arns.sort();
    arns.dedup();
    arns
}

/// Somebody else's role or profile: as its ARN says, or by its name, whatever its path.
fn theirs(kind: &str, existing: &Existing, around: &Surroundings) -> Vec<String> {
    if existing.existing.starts_with("arn:") {
        return vec![existing.existing.clone()];
    }
    let arn =
        |path: &str| around.region.arn("iam", false, &around.account, &format!("{kind}/{path}{}", existing.name()));
    vec![arn(""), arn("*/")]
}

fn condition(given: Given, stack: &Stack, around: &Surroundings) -> Option<Value> {
    let region = around.region;
    let (key, value) = match given {
        Given::Always => return None,
        Given::InItsRegion => ("aws:RequestedRegion", region.to_string()),
        Given::InTheEu => return Some(json!({"StringEquals": {"aws:RequestedRegion": regions(region)}})),
        Given::Marked => return Some(json!({"Null": {"aws:ResourceTag/fruitsinfra:stack": "false"}})),
        Given::OfThisStack => ("aws:ResourceTag/fruitsinfra:stack", stack.name.clone()),
        Given::BornMarked => ("aws:RequestTag/fruitsinfra:stack", stack.name.clone()),
        Given::AtCreationOf(action) => ("ec2:CreateAction", action.into()),
        Given::PassedTo(service) => ("iam:PassedToService", region.service_principal(service)),
        Given::LinkedTo(service) => ("iam:AWSServiceName", region.service_principal(service)),
        Given::ByWayOfS3 => ("kms:ViaService", format!("s3.{region}.{}", region.dns_suffix())),
    };
    Some(json!({"StringEquals": {key: value}}))
}

#[cfg(test)]
mod tests {
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
}
