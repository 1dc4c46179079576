//! The cluster a stack means: what is said, what every cluster of ours has besides (S3A and STS held to the
//! stack's region), and the words by which AWS's rewriting is seen through.

use std::collections::BTreeMap;

use crate::cloud::mark::fingerprint;
use crate::cloud::surroundings::Surroundings;
use crate::resource::{Address, Id, Ref};
use crate::resources::cluster::{self as kind, Action, Birth, Changeable, Digests, Fixed, NodeGroup, Scaling};
use crate::resources::end;
use crate::resources::instance_profile::InstanceProfile;
use crate::resources::object::Object;
use crate::resources::role::Role;
use crate::resources::schedule::Schedule;
use crate::resources::security_group::SecurityGroup;
use crate::stack::{
    AfterWait, Bucket, Cluster, Configuration, Group, ManagedScaling, Market, OnDemandAllocation, RootVolume,
    SPOT_WAIT, ScaleDown, ScalingUnit, SpotAllocation, Stack,
};

use super::bootstrap_key;

/// EMR's tags hold 256 characters.
const TAG: usize = 256;

pub(super) fn cluster(stack: &Stack, objects: &[Object], around: &Surroundings) -> Option<kind::Cluster> {
    let cluster = stack.cluster.as_ref()?;
    let configurations = configurations(stack, cluster);
    let bootstrap = actions(stack, objects);
    let fleets = cluster.has_fleets();
    let node_group = |key: &str, group: &Group| node_group(key, group, fleets);
    let primary = node_group("primary", &cluster.primary);
    let core = cluster.core.as_ref().map(|group| node_group("core", group));
    let task: Vec<NodeGroup> = cluster.task.iter().map(|(key, group)| node_group(key, group)).collect();
    let task_parts = task.iter().map(|group| (group.name.as_str(), group));
    let core_part = core.iter().map(|group| ("core", group));
    let groups: Vec<(&str, &NodeGroup)> =
        [("primary", &primary)].into_iter().chain(core_part).chain(task_parts).collect();
    let staying: Vec<(&str, &NodeGroup)> =
        groups.iter().map(|(part, group)| (*part, *group)).take(groups.len() - task.len()).collect();
    let existing = |id: &crate::stack::Existing| Ref::Theirs(Id(id.name().to_owned()));
    let security = stack.security_groups.as_ref();
    let managed_scaling = cluster.managed_scaling.as_ref().map(|bounds| scaling(bounds, fleets));
    let there = |words: &dyn Fn(&NodeGroup) -> String| -> BTreeMap<String, String> {
        task.iter().filter(|group| group.count > 0).map(|group| (group.name.clone(), words(group))).collect()
    };
    let fixed = Fixed {
        release: cluster.release.to_string(),
        os_release: cluster.os_release.clone(),
        logs: stack.logs().map(|place| super::url(stack, &place, &around.account)),
        subnet: around.network.as_ref()?.subnet.clone(),
        key_pair: cluster.key_pair.clone(),
        service_role: stack.roles.service.as_ref().map_or_else(|| Ref::Ours(Role::at("service")), existing),
        instance_profile: stack
            .instance_profile
            .as_ref()
            .map_or_else(|| Ref::Ours(InstanceProfile::at("nodes")), existing),
        primary_group: security
            .map_or_else(|| Ref::Ours(SecurityGroup::at("primary")), |groups| existing(&groups.primary)),
        core_group: security.map_or_else(|| Ref::Ours(SecurityGroup::at("core")), |groups| existing(&groups.core)),
        service_group: security.and_then(|groups| groups.service.as_ref()).map(existing),
        primary: kind::kind_of(&primary, "primary"),
        primary_count: primary.count,
        core: core.as_ref().map(|group| kind::kind_of(group, "core")),
        auto_scaling_role: cluster.auto_scaling_role.as_ref().map(|role| role.name().to_owned()),
        scale_down: match cluster.scale_down {
            ScaleDown::AtTaskCompletion => "TERMINATE_AT_TASK_COMPLETION",
            ScaleDown::AtInstanceHour => "TERMINATE_AT_INSTANCE_HOUR",
        }
        .into(),
        security_configuration: cluster.security_configuration.as_ref().map(|named| named.existing.clone()),
        custom_ami: cluster.custom_ami.clone(),
        task_groups: (fleets || managed_scaling.is_some()).then(|| there(&kind::unsized_words_of)),
        digests: Digests {
            applications: within(&cluster.applications.join(" ")),
            bootstrap: within(
                &bootstrap.iter().map(|a| digest(&a.name, &(&a.path, &a.args))).collect::<Vec<_>>().join(" "),
            ),
            configurations: within(
                &configurations.iter().map(|c| digest(&c.classification, c)).collect::<Vec<_>>().join(" "),
            ),
            volumes: within(&volumes(cluster, &staying)),
            bids: within(&bids(&staying)),
            service_group: security.and_then(|s| s.service.as_ref()).map_or_else(String::new, |id| id.name().into()),
        },
    };
    let own: BTreeMap<String, String> =
        stack.tags.iter().chain(&cluster.tags).map(|(k, v)| (k.clone(), v.clone())).collect();
    let changeable = Changeable {
        core_count: managed_scaling.is_none().then(|| core.as_ref().map_or(0, NodeGroup::counted)),
        core_spot: (fleets && managed_scaling.is_none()).then(|| core.as_ref().map_or(0, |core| core.capacity()[1])),
        task: managed_scaling.is_none().then(|| there(&kind::words_of)),
        managed_scaling,
        group_configurations: groups
            .iter()
            .filter(|(_, group)| !group.configurations.is_empty() && group.count > 0)
            .map(|(part, group)| ((*part).to_owned(), kind::canonical(&group.configurations)))
            .collect(),
        idle: Some(i64::try_from(stack.idle().as_secs()).unwrap_or(i64::MAX)),
        keep_alive: cluster.keep_alive,
        termination_protection: cluster.termination_protection,
        step_concurrency: i32::try_from(cluster.step_concurrency).unwrap_or(1),
        lift_protection: stack.limits.lift_protection,
        expires: stack.until,
        tags: own,
    };
    let birth = Birth {
        lifetime: stack.limits.lifetime.into(),
        end_role: end_role(stack),
        applications: cluster.applications.clone(),
        primary,
        core,
        task: task.into_iter().filter(|group| group.count > 0).collect(),
        configurations,
        bootstrap,
        root_volume: cluster.root_volume.as_ref().map(root_volume),
        after: before_it(stack, objects),
    };
    let name = cluster
        .name
        .as_ref()
        .map_or_else(|| format!("{}-main", stack.name), |name| format!("{}-main {name}", stack.name));
    Some(kind::Cluster { key: "main".into(), name, fixed, changeable, birth: Some(birth), life: None })
}

fn root_volume(root: &RootVolume) -> kind::Volume {
    kind::Volume {
        kind: root.kind.map(|kind| kind.as_str().to_owned()),
        size: number(root.size),
        iops: root.iops.map(number),
        throughput: root.throughput.map(number),
        per_instance: 1,
    }
}

/// What has to be there before it: scripts, the bucket of its logs, and who ends it.
fn before_it(stack: &Stack, objects: &[Object]) -> Vec<Address> {
    let scripts = objects.iter().map(|object| Object::at(&object.key));
    let logs = stack.logs().filter(|place| matches!(stack.buckets.get(&place.bucket), Some(Bucket::Ours(_))));
    let logs = logs.map(|place| Address::new("bucket", place.bucket));
    scripts.chain(logs).chain(end_role(stack).address().cloned()).collect()
}

/// The end of that cluster, as AWS keeps it.
pub(super) fn end(stack: &Stack) -> Schedule {
    Schedule {
        name: end::name(&stack.name),
        cluster: Ref::Ours(kind::Cluster::at("main")),
        role: end_role(stack),
        at: stack.until,
        lifetime: stack.limits.lifetime.into(),
        live: false,
    }
}

/// Who ends it.
fn end_role(stack: &Stack) -> Ref {
    let theirs = |role: &crate::stack::Existing| Ref::Theirs(Id(role.name().to_owned()));
    stack.roles.end.as_ref().map_or_else(|| Ref::Ours(Role::at("end")), theirs)
}

fn scaling(bounds: &ManagedScaling, fleets: bool) -> Scaling {
    let ManagedScaling { minimum, maximum, maximum_core, maximum_on_demand, unit } = bounds;
    Scaling {
        unit: match unit {
            ScalingUnit::Instances if fleets => kind::ScalingUnit::Units,
            ScalingUnit::Instances => kind::ScalingUnit::Instances,
            ScalingUnit::Vcpu => kind::ScalingUnit::Vcpu,
        },
        minimum: number(*minimum),
        maximum: number(*maximum),
        maximum_core: maximum_core.map(number),
        maximum_on_demand: maximum_on_demand.map(number),
    }
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// `name@3f2a91c0aabb`: readable in a diff, and different whenever the content is.
fn digest(name: &str, content: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(content).unwrap_or_default();
    format!("{}@{}", name.replace(' ', "_"), fingerprint(text))
}

/// A tag's value: what is too long, or holds what EMR's tags cannot, ends in a fingerprint of all of it.
fn within(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    if text.len() <= TAG && text.chars().all(allowed) {
        return text.to_owned();
    }
    let plain: String = text.chars().filter(|c| c.is_ascii() && allowed(*c)).take(TAG - 20).collect();
    format!("{plain} @{}", fingerprint(text))
}

fn actions(stack: &Stack, objects: &[Object]) -> Vec<Action> {
    let action = |action: &crate::stack::Bootstrap| {
        let key = bootstrap_key(&action.name);
        let path = objects.iter().find(|object| object.key == key).and_then(Object::url)?;
        Some(Action { name: action.name.clone(), path, args: action.args.clone() })
    };
    stack.bootstrap.iter().filter_map(action).collect()
}

/// A fleet as EMR gets it; every group is one in a cluster that has any.
fn fleet(group: &Group) -> kind::Fleet {
    let said = group.fleet.clone().unwrap_or_default();
    kind::Fleet {
        types: group.types().map(|(name, weight)| (name.to_owned(), number(weight))).collect(),
        more: number(said.spot),
        allocation: said.allocation.map(SpotAllocation::as_str),
        on_demand_allocation: said.on_demand_allocation.map(OnDemandAllocation::as_str),
        wait: i32::try_from(said.wait.map_or(SPOT_WAIT.into(), |wait| wait.as_secs() / 60)).unwrap_or(i32::MAX),
        end: said.then == AfterWait::End,
    }
}

fn node_group(key: &str, group: &Group, fleets: bool) -> NodeGroup {
    NodeGroup {
        name: group.name.clone().unwrap_or_else(|| key.to_owned()),
        instance_type: group.instance_type.clone(),
        count: number(group.count),
        spot: group.market == Market::Spot,
        bid: group.bid.map(|bid| bid.usd().to_string()),
        volumes: group
            .volumes
            .iter()
            .map(|volume| kind::Volume {
                kind: Some(volume.kind.as_str().to_owned()),
                size: number(volume.size),
                iops: volume.iops.map(number),
                throughput: volume.throughput.map(number),
                per_instance: number(volume.per_instance),
            })
            .collect(),
        configurations: translated(&group.configurations),
        fleet: fleets.then(|| fleet(group)),
    }
}

/// `core=2x32gp2 root=40`: only what is said; EMR's own default is nobody's business. Task groups come and go, and
/// bring theirs along.
fn volumes(cluster: &Cluster, staying: &[(&str, &NodeGroup)]) -> String {
    let said = staying.iter().filter(|(_, group)| !group.volumes.is_empty());
    let said = said.map(|(part, group)| format!("{part}={}", kind::volumes_of(&group.volumes)));
    let root = cluster.root_volume.as_ref().map(|root| {
        let size = format!("root={}{}", root.size, root.kind.map_or("", crate::stack::VolumeKind::as_str));
        let more = [root.iops, root.throughput].into_iter().flatten().map(|n| n.to_string());
        std::iter::once(size).chain(more).collect::<Vec<_>>().join(":")
    });
    said.chain(root).collect::<Vec<_>>().join(" ")
}

fn bids(staying: &[(&str, &NodeGroup)]) -> String {
    let said = staying.iter().flat_map(|(part, group)| {
        let said = [group.bid.clone(), group.terms()];
        said.into_iter().flatten().map(move |said| format!("{part}={said}"))
    });
    said.collect::<Vec<_>>().join(" ")
}

fn translated(configurations: &[Configuration]) -> Vec<kind::Configuration> {
    let one = |c: &Configuration| kind::Configuration {
        classification: c.classification.clone(),
        properties: c.properties.clone(),
        configurations: translated(&c.configurations),
    };
    configurations.iter().map(one).collect()
}

/// What the stack says, and beside it what keeps the data in the EU; the stack's own word wins.
fn configurations(stack: &Stack, cluster: &Cluster) -> Vec<kind::Configuration> {
    let mut all = translated(&cluster.configurations);
    let region = stack.region.as_str();
    // With no region set, S3A falls back to a US endpoint (HADOOP-19286).
    let s3a = [("fs.s3a.endpoint.region", region), ("fs.s3a.cross.region.access.enabled", "false")];
    merge(&mut all, &["core-site"], &s3a);
    let environment = [("AWS_REGION", region), ("AWS_STS_REGIONAL_ENDPOINTS", "regional")];
    merge(&mut all, &["spark-env", "export"], &environment);
    let executors =
        [("spark.executorEnv.AWS_REGION", region), ("spark.executorEnv.AWS_STS_REGIONAL_ENDPOINTS", "regional")];
    merge(&mut all, &["spark-defaults"], &executors);
    all
}

/// Adds properties below a path of classifications, keeping those that are there.
fn merge(all: &mut Vec<kind::Configuration>, path: &[&str], properties: &[(&str, &str)]) {
    let Some((first, rest)) = path.split_first() else { return };
    let at = all.iter().position(|c| c.classification == *first).unwrap_or_else(|| {
        all.push(kind::Configuration {
            classification: (*first).to_owned(),
            properties: BTreeMap::new(),
            configurations: vec![],
        });
        all.len() - 1
    });
    if !rest.is_empty() {
        return merge(&mut all[at].configurations, rest, properties);
    }
    for (name, value) in properties {
        all[at].properties.entry((*name).to_owned()).or_insert_with(|| (*value).to_owned());
    }
}
