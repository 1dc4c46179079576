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
use crate::cloud::mark;
use crate::cloud::surroundings::Surroundings;
use crate::resources::{self, HOME, end, role_path};
use crate::stack::{Bucket, Cluster, Existing, NodesRole, Place, Stack};

use table::TABLE;
use terms::{Given, On, Only};

/// IAM's limit for a managed policy, white space not counted.
pub const MOST_CHARACTERS: usize = 6144;

/// Commands that need the same. `doctor`, `status`, `logs`, `results`, `evidence` and `import --cluster` need what `plan` needs;
/// `run`, `sync` and `extend` what `up` does.
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
        On::Homes => vec![s3(region, &resources::home_name("*", &around.account), "")],
        On::InHomes => vec![s3(region, &resources::home_name("*", &around.account), "fruitsinfra/*")],
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
        Given::Marked => return Some(json!({"Null": {mark::OF_RESOURCE: "false"}})),
        Given::OfThisStack => (mark::OF_RESOURCE, stack.name.clone()),
        Given::BornMarked => (mark::OF_REQUEST, stack.name.clone()),
        Given::AtCreationOf(action) => ("ec2:CreateAction", action.into()),
        Given::PassedTo(service) => ("iam:PassedToService", region.service_principal(service)),
        Given::LinkedTo(service) => ("iam:AWSServiceName", region.service_principal(service)),
        Given::ByWayOfS3 => ("kms:ViaService", format!("s3.{region}.{}", region.dns_suffix())),
    };
    Some(json!({"StringEquals": {key: value}}))
}

#[cfg(test)]
mod tests;
