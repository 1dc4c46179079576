//! Instance groups and fleets of a running cluster: their sizes, new task groups, configurations of one group. EMR
//! removes no group: one that is not wanted is sized to 0.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_emr::types::{InstanceFleetModifyConfig, InstanceGroupModifyConfig, InstanceRoleType};

use super::birth::{Birth, NodeGroup, Volume, configuration, instance_group};
use super::there::{self, Part, There};
use super::{Cluster, life, read};
use crate::cloud::error::{Class, CloudError, call};
use crate::cloud::mark::fingerprint;
use crate::resource::{Change, Cx, Id, Resource};
use crate::resources::patiently;

const BORN: &str = "fruitsinfra:task:";

/// A group that is being resized or reconfigured is done with it within this, capacity given.
const AT_REST: Duration = Duration::from_mins(15);

/// How a task group reads in a plan: `2 x m5.xlarge spot, bid 0.12`.
pub(super) fn words(size: &str, kind: &str, born: &str) -> String {
    format!("{size} {}", unsized_words(kind, born))
}

/// The same where EMR has the say over how many, or the whole of it is fixed: `m5.xlarge spot, bid 0.12`.
pub(super) fn unsized_words(kind: &str, born: &str) -> String {
    let comma = if born.is_empty() { "" } else { ", " };
    format!("{kind}{comma}{born}")
}

/// `m5.xlarge on-demand`; of a fleet its types alone: it is bought in both markets, as much of each as is asked for.
pub(super) fn kind(what: &str, spot: bool, fleet: bool) -> String {
    match (fleet, spot) {
        (true, _) => what.to_owned(),
        (false, true) => format!("{what} spot"),
        (false, false) => format!("{what} on-demand"),
    }
}

/// What is compared as a core group's size: of a fleet what it has on demand, beside which stands what it has on spot.
pub(super) fn counted([on_demand, spot]: [i32; 2], fleet: bool) -> i32 {
    if fleet { on_demand } else { on_demand + spot }
}

/// `2 x`; of a fleet `2 on demand and 4 on spot of`.
pub(super) fn size([on_demand, spot]: [i32; 2], fleet: bool) -> String {
    if fleet { format!("{on_demand} on demand and {spot} on spot of") } else { format!("{} x", on_demand + spot) }
}

/// A group that stays, with its name where that is not its part's.
pub(super) fn called(name: &str, part: &str, words: &str) -> String {
    if name == part { words.to_owned() } else { format!("{name}: {words}") }
}

/// `1x64gp3+1x80gp2:3000:125`: only what is said; EMR's own default is nobody's business.
pub(super) fn volumes(all: &[Volume]) -> String {
    let one = |volume: &Volume| {
        let kind = volume.kind.as_deref().unwrap_or_default();
        let size = format!("{}x{}{kind}", volume.per_instance, volume.size);
        let more = [volume.iops, volume.throughput].into_iter().flatten().map(|n| n.to_string());
        std::iter::once(size).chain(more).collect::<Vec<_>>().join(":")
    };
    all.iter().map(one).collect::<Vec<_>>().join("+")
}

/// What a task group is born with and EMR does not tell as it was said: `volumes 1x64gp3 bid 0.12`. It is kept in a
/// tag, whose value holds 256 characters: what is longer ends in a fingerprint of all of it.
pub(super) fn born_with(group: &NodeGroup) -> String {
    let volumes = (!group.volumes.is_empty()).then(|| format!("volumes {}", volumes(&group.volumes)));
    let bid = group.bid.as_ref().map(|bid| format!("bid {bid}"));
    let words = volumes.into_iter().chain(bid).chain(group.terms()).collect::<Vec<_>>().join(" ");
    if words.len() <= 200 {
        words
    } else {
        format!("{} @{}", &words[..words.floor_char_boundary(180)], fingerprint(&words))
    }
}

/// The tag in which a cluster keeps that of one task group: tags hold fewer characters than names.
pub(super) fn born_tag(name: &str) -> String {
    format!("{BORN}{}", fingerprint(name))
}

/// The tags of task groups that were born with anything.
pub(super) fn born_tags(groups: &[NodeGroup]) -> BTreeMap<String, String> {
    let said = groups.iter().map(|group| (born_tag(&group.name), born_with(group)));
    said.filter(|(_, words)| !words.is_empty()).collect()
}

/// Makes the changes that concern groups, if there are any.
pub(super) async fn update(cluster: &Cluster, cx: &Cx, id: &Id, changes: &[Change]) -> Result<(), CloudError> {
    let concerned = ["core_count", "core_spot", "task", "group_configurations"];
    let Some(birth) = cluster.birth.as_ref().filter(|_| changes.iter().any(|c| concerned.contains(&c.field))) else {
        return Ok(());
    };
    let described = life::describe(cx, id).await?;
    if there::has_fleets(&described) {
        return resize_fleets(cluster, birth, cx, id).await;
    }
    let live = there::list(cx, id, false).await?;
    let (mut resized, mut reconfigured) = (Vec::new(), Vec::new());
    let ours = cluster.changeable.managed_scaling.is_none();
    let mut modify = |group: &There, wanted: Option<&NodeGroup>| {
        resized.extend(resize(group, wanted.map_or(0, |wanted| wanted.count)).filter(|_| ours));
        reconfigured.extend(wanted.and_then(|wanted| reconfigure(group, wanted)));
    };
    let of = |part: Part| live.iter().find(move |group| group.part == part);
    if let (Some(group), Some(wanted)) = (of(Part::Core), &birth.core) {
        modify(group, Some(wanted));
    }
    if let Some(group) = of(Part::Primary) {
        // It cannot be resized.
        modify(group, Some(&NodeGroup { count: group.count(), ..birth.primary.clone() }));
    }
    let tags = read::tags(&described);
    let born = born_tags(&birth.task);
    let tasks = || live.iter().filter(|group| group.part == Part::Task);
    let same = |group: &There, wanted: &NodeGroup| {
        let tag = born_tag(&wanted.name);
        group.name() == wanted.name && group.kind() == wanted.kind() && born.get(&tag) == tags.get(&tag)
    };
    // Of several alike, all but the first shrink.
    let first = |wanted: &NodeGroup| tasks().find(|group| same(group, wanted)).and_then(|group| group.id.clone());
    for group in tasks() {
        match birth.task.iter().find(|wanted| first(wanted) == group.id) {
            Some(wanted) => modify(group, Some(wanted)),
            None => modify(group, None),
        }
    }
    for modified in [resized, reconfigured].iter().filter(|modified| !modified.is_empty()) {
        patiently(cx, &cluster.address(), AT_REST, || self::modify(cx, id, modified)).await?;
    }
    let new = birth.task.iter().filter(|wanted| first(wanted).is_none());
    let new = new.map(|wanted| instance_group(wanted, InstanceRoleType::Task)).collect::<Vec<_>>();
    if !new.is_empty() {
        let add = cx.cloud.emr.add_instance_groups().job_flow_id(&id.0).set_instance_groups(Some(new));
        call("emr AddInstanceGroups", add.send()).await?;
    }
    remember(cx, id, &tags, &born).await
}

/// Fleets stay as they were born, but for how much they hold.
async fn resize_fleets(cluster: &Cluster, birth: &Birth, cx: &Cx, id: &Id) -> Result<(), CloudError> {
    for fleet in there::list(cx, id, true).await? {
        let wanted = match fleet.part {
            Part::Primary => continue,
            Part::Core => birth.core.as_ref(),
            Part::Task => birth.task.iter().find(|wanted| wanted.name == fleet.name()),
        };
        let Some(wanted) = wanted else { continue };
        let [on_demand, spot] = wanted.capacity();
        if fleet.capacity != [on_demand, spot] {
            let modify = InstanceFleetModifyConfig::builder()
                .set_instance_fleet_id(fleet.id.clone())
                .target_on_demand_capacity(on_demand)
                .target_spot_capacity(spot)
                .build();
            patiently(cx, &cluster.address(), AT_REST, || modify_fleet(cx, id, &modify)).await?;
        }
    }
    Ok(())
}

/// After the groups are there: a tag that came first would speak of the old ones.
async fn remember(
    cx: &Cx,
    id: &Id,
    there: &BTreeMap<String, String>,
    born: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    let new: BTreeMap<String, String> =
        born.iter().filter(|(k, v)| there.get(*k) != Some(*v)).map(|(k, v)| (k.clone(), v.clone())).collect();
    if !new.is_empty() {
        let add = cx.cloud.emr.add_tags().resource_id(&id.0).set_tags(Some(super::emr_tags(new)));
        call("emr AddTags", add.send()).await?;
    }
    let old = there.keys().filter(|key| key.starts_with(BORN) && !born.contains_key(*key)).cloned();
    let old: Vec<String> = old.collect();
    if !old.is_empty() {
        let remove = cx.cloud.emr.remove_tags().resource_id(&id.0).set_tag_keys(Some(old));
        call("emr RemoveTags", remove.send()).await?;
    }
    Ok(())
}

async fn modify(cx: &Cx, id: &Id, groups: &[InstanceGroupModifyConfig]) -> Result<(), CloudError> {
    let ask = async || {
        let modify = cx.cloud.emr.modify_instance_groups().cluster_id(&id.0).set_instance_groups(Some(groups.to_vec()));
        call("emr ModifyInstanceGroups", modify.send()).await.map(drop)
    };
    match ask().await {
        Err(error) if error.class == Class::Invalid => {
            at_rest(cx, id, false, error).await?;
            ask().await
        }
        answer => answer,
    }
}

async fn modify_fleet(cx: &Cx, id: &Id, fleet: &InstanceFleetModifyConfig) -> Result<(), CloudError> {
    let ask = async || {
        let modify = cx.cloud.emr.modify_instance_fleet().cluster_id(&id.0).instance_fleet(fleet.clone());
        call("emr ModifyInstanceFleet", modify.send()).await.map(drop)
    };
    match ask().await {
        Err(error) if error.class == Class::Invalid => {
            at_rest(cx, id, true, error).await?;
            ask().await
        }
        answer => answer,
    }
}

/// EMR refuses to change a group or a fleet that is still changing, in words that vary: then it is a matter of time. One
/// that is at rest may have come to it since the refusal: a second one is meant.
async fn at_rest(cx: &Cx, id: &Id, fleets: bool, refused: CloudError) -> Result<(), CloudError> {
    let changing = there::list(cx, id, fleets).await?.iter().any(|there| there.changing);
    if changing { Err(CloudError { class: Class::NotYet, ..refused }) } else { Ok(()) }
}

fn resize(group: &There, count: i32) -> Option<InstanceGroupModifyConfig> {
    (group.count() != count).then(|| {
        InstanceGroupModifyConfig::builder().set_instance_group_id(group.id.clone()).instance_count(count).build()
    })
}

fn reconfigure(group: &There, wanted: &NodeGroup) -> Option<InstanceGroupModifyConfig> {
    let differs = read::configurations(&group.configurations) != read::wanted(&wanted.configurations);
    differs.then(|| {
        let configurations = wanted.configurations.iter().map(configuration).collect();
        let modify = InstanceGroupModifyConfig::builder().set_instance_group_id(group.id.clone());
        modify.set_configurations(Some(configurations)).build()
    })
}
