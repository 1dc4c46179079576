//! Instance groups of a running cluster: their sizes, new task groups, configurations of one group. EMR
//! removes no group: one that is not wanted is sized to 0.

use std::time::Duration;

use aws_sdk_emr::types::{
    InstanceGroup, InstanceGroupModifyConfig, InstanceGroupState as State, InstanceGroupType, InstanceRoleType,
    MarketType,
};

use super::birth::{NodeGroup, configuration, instance_group};
use super::{Cluster, read};
use crate::cloud::error::{Class, CloudError, call};
use crate::resource::{Change, Cx, Id, Resource};
use crate::resources::patiently;

/// A group that is being resized or reconfigured is done with it within this, capacity given.
const AT_REST: Duration = Duration::from_mins(15);

/// How a task group reads in a plan: `2 x m5.xlarge spot`.
pub(super) fn words(count: i32, instance_type: &str, spot: bool) -> String {
    format!("{count} x {}", kind(instance_type, spot))
}

/// `m5.xlarge on-demand`.
pub(super) fn kind(instance_type: &str, spot: bool) -> String {
    format!("{instance_type} {}", if spot { "spot" } else { "on-demand" })
}

pub(super) fn is_spot(group: &InstanceGroup) -> bool {
    group.market == Some(MarketType::Spot)
}

/// Makes the changes that concern groups, if there are any.
pub(super) async fn update(cluster: &Cluster, cx: &Cx, id: &Id, changes: &[Change]) -> Result<(), CloudError> {
    let concerned = ["core_count", "task", "group_configurations"];
    let Some(birth) = cluster.birth.as_ref().filter(|_| changes.iter().any(|c| concerned.contains(&c.field))) else {
        return Ok(());
    };
    let live = read::groups(cx, id).await?;
    let mut modified: Vec<InstanceGroupModifyConfig> = Vec::new();
    if let Some(core) = &birth.core {
        let found = live.iter().find(|g| g.instance_group_type == Some(InstanceGroupType::Core));
        modified.extend(found.and_then(|group| modification(group, core)));
    }
    modified.extend(live.iter().find(|g| g.instance_group_type == Some(InstanceGroupType::Master)).and_then(|group| {
        let same_size = NodeGroup { count: group.requested_instance_count.unwrap_or(1), ..birth.primary.clone() };
        modification(group, &same_size)
    }));
    let tasks = || live.iter().filter(|g| g.instance_group_type == Some(InstanceGroupType::Task));
    let same = |group: &InstanceGroup, wanted: &NodeGroup| {
        group.name.as_deref() == Some(&wanted.name)
            && group.instance_type.as_deref() == Some(&wanted.instance_type)
            && is_spot(group) == wanted.spot
    };
    for group in tasks() {
        let wanted = birth.task.iter().find(|wanted| same(group, wanted));
        modified.extend(match wanted {
            Some(wanted) => modification(group, wanted),
            None => resize(group, 0),
        });
    }
    if !modified.is_empty() {
        patiently(cx, &cluster.address(), AT_REST, || modify(cx, id, &modified)).await?;
    }
    let new = birth.task.iter().filter(|wanted| !tasks().any(|group| same(group, wanted)));
    let new = new.map(|wanted| instance_group(wanted, InstanceRoleType::Task)).collect::<Vec<_>>();
    if !new.is_empty() {
        let add = cx.cloud.emr.add_instance_groups().job_flow_id(&id.0).set_instance_groups(Some(new));
        call("emr AddInstanceGroups", add.send()).await?;
    }
    Ok(())
}

/// EMR refuses to change a group that is still changing, in words that vary: then it is a matter of time.
async fn modify(cx: &Cx, id: &Id, groups: &[InstanceGroupModifyConfig]) -> Result<(), CloudError> {
    let modify = cx.cloud.emr.modify_instance_groups().cluster_id(&id.0).set_instance_groups(Some(groups.to_vec()));
    let Err(error) = call("emr ModifyInstanceGroups", modify.send()).await else { return Ok(()) };
    let changing = |group: &InstanceGroup| {
        let state = group.status.as_ref().and_then(|status| status.state.as_ref());
        state.is_some_and(|state| {
            [State::Provisioning, State::Bootstrapping, State::Resizing, State::Reconfiguring].contains(state)
        })
    };
    let wait = error.class == Class::Invalid && read::groups(cx, id).await?.iter().any(changing);
    Err(if wait { CloudError { class: Class::NotYet, ..error } } else { error })
}

fn resize(group: &InstanceGroup, count: i32) -> Option<InstanceGroupModifyConfig> {
    let differs = group.requested_instance_count != Some(count);
    differs.then(|| {
        InstanceGroupModifyConfig::builder().set_instance_group_id(group.id.clone()).instance_count(count).build()
    })
}

fn modification(group: &InstanceGroup, wanted: &NodeGroup) -> Option<InstanceGroupModifyConfig> {
    let reconfigured = read::configurations(group.configurations()) != read::wanted(&wanted.configurations);
    if !reconfigured {
        return resize(group, wanted.count);
    }
    let configurations = wanted.configurations.iter().map(configuration).collect();
    let modify = InstanceGroupModifyConfig::builder().set_instance_group_id(group.id.clone());
    Some(modify.instance_count(wanted.count).set_configurations(Some(configurations)).build())
}
