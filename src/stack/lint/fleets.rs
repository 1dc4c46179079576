//! `FI327`: instance fleets as EMR takes them (its API reference, "InstanceFleetConfig" and "InstanceTypeConfig"; its management
//! guide, "Configure instance fleets"). Whether a type exists and is offered is asked where that of groups is.

use super::Cx;
use crate::stack::{AfterWait, Fleet, Group, Market};

const CODE: &str = "FI327";

/// Types that a fleet takes where its allocation is said, and where it is not.
const TYPES: [usize; 2] = [30, 5];

/// Minutes that EMR may be told to wait.
const WAIT: std::ops::RangeInclusive<u64> = 5..=24 * 60;

pub(super) fn check(cx: &mut Cx<'_>) {
    let Some(cluster) = cx.stack.cluster.as_ref().filter(|cluster| cluster.has_fleets()) else { return };
    if cluster.primary.count > 1 {
        let hint = "write `count: 1`, or groups without `fleet`";
        cx.error(CODE, &["cluster", "primary", "count"], "a fleet has one primary node", hint);
    }
    if let Some((second, _)) = cluster.task.iter().nth(1) {
        let hint = "join the types of the task groups in one `fleet`";
        cx.error(CODE, &["cluster", "task", second], "a cluster of fleets has one task fleet", hint);
    }
    if cluster.auto_scaling_role.is_some() {
        let hint = "use `managed_scaling`, or groups without `fleet`";
        cx.error(CODE, &["cluster", "auto_scaling_role"], "EMR's scaling rules are for groups, not for fleets", hint);
    }
    if cluster.managed_scaling.as_ref().is_some_and(|bounds| bounds.unit == crate::stack::ScalingUnit::Vcpu) {
        let path = ["cluster", "managed_scaling", "unit"];
        cx.error(CODE, &path, "fleets are scaled by units of their capacity", "write `instances`, or leave it out");
    }
    for (part, group) in cluster.groups() {
        if !group.configurations.is_empty() {
            let path = Cx::in_group(part, "configurations");
            cx.error(CODE, &path, "settings of one group are for groups", "write them in `cluster.configurations`");
        }
        if let Some(fleet) = &group.fleet {
            check_one(cx, part, group, fleet);
        }
    }
}

fn check_one(cx: &mut Cx<'_>, part: &str, group: &Group, fleet: &Fleet) {
    let inside = Cx::in_group(part, "fleet");
    let at = |field: &'static str| [&inside[..], &[field]].concat();
    let mut known = vec![group.instance_type.as_str()];
    for (n, name) in fleet.or.iter().enumerate() {
        if known.contains(&name.as_str()) {
            let n = n.to_string();
            let path = [&at("or")[..], &[&n]].concat();
            cx.error(CODE, &path, format!("`{name}` is said twice"), "name each type once");
        }
        known.push(name);
    }
    let allocated = fleet.allocation.is_some() || fleet.on_demand_allocation.is_some();
    let most = TYPES[usize::from(!allocated)];
    if known.len() > most {
        let message = format!("{} types: EMR takes {most} here", known.len());
        let hint = if allocated { "leave out the last ones" } else { "say an `allocation`: then EMR takes 30" };
        cx.error(CODE, &at("or"), message, hint);
    }
    for (name, weight) in &fleet.weights {
        let path = [&at("weights")[..], &[name]].concat();
        if !known.contains(&name.as_str()) {
            cx.error(CODE, &path, format!("`{name}` is none of the fleet's types"), "name one of its types");
        } else if !(1..=999).contains(weight) {
            cx.error(CODE, &path, format!("an instance cannot count for {weight} units"), "write 1 to 999");
        }
    }
    if fleet.spot > 0 && group.market == Market::Spot {
        let hint = "leave `spot` out of `fleet`, or leave out `market`";
        cx.error(CODE, &at("spot"), "all of `count` is bought on the spot market already", hint);
    } else if fleet.spot > 0 && part == "primary" {
        cx.error(CODE, &at("spot"), "a fleet has one primary node", "leave it out");
    }
    let waits = fleet.wait.is_some() || fleet.then == AfterWait::End || fleet.allocation.is_some();
    if waits && !group.buys_spot() {
        let field = if fleet.allocation.is_some() { "allocation" } else { "wait" };
        let hint = "say how many units are bought there: `spot: 2`, or `market: spot` for all of them";
        cx.error(CODE, &at(field), "this fleet buys nothing on the spot market", hint);
    }
    if let Some(minutes) = fleet.wait.map(|wait| wait.as_secs() / 60).filter(|minutes| !WAIT.contains(minutes)) {
        let message = format!("EMR waits for 5m to 24h, not for {minutes}m");
        cx.error(CODE, &at("wait"), message, "write 20m");
    }
}
