//! The fields of instance fleets, each with its default and another value. One that is said makes fleets of all groups of its
//! stack, so that none can stand beside the fields of groups.

use serde_json::{Value, json};

use super::fields::{Case, case};

/// The places of a group's fleet, and the group's market.
struct Places {
    fleet: &'static str,
    or: &'static str,
    weights: &'static str,
    spot: &'static str,
    allocation: &'static str,
    on_demand_allocation: &'static str,
    wait: &'static str,
    then: &'static str,
    market: &'static str,
}

macro_rules! places {
    ($group:literal) => {
        Places {
            fleet: concat!($group, ".fleet"),
            or: concat!($group, ".fleet.or"),
            weights: concat!($group, ".fleet.weights"),
            spot: concat!($group, ".fleet.spot"),
            allocation: concat!($group, ".fleet.allocation"),
            on_demand_allocation: concat!($group, ".fleet.on_demand_allocation"),
            wait: concat!($group, ".fleet.wait"),
            then: concat!($group, ".fleet.then"),
            market: concat!($group, ".market"),
        }
    };
}

const GROUPS: [Places; 3] = [places!("cluster.primary"), places!("cluster.core"), places!("cluster.task.extra")];

/// Settings of single groups, which fleets have not.
const SETTINGS: [&str; 3] =
    ["cluster.primary.configurations", "cluster.core.configurations", "cluster.task.extra.configurations"];

fn of_fleets(case: Case) -> Case {
    SETTINGS.into_iter().fold(case.apart(), |case, place| case.with(place, json!([])))
}

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for group in GROUPS {
        let within = |case: Case| of_fleets(case.with(group.fleet, json!({"or": ["m5.2xlarge"]})));
        let on_spot = |case: Case| within(case).with(group.market, json!("spot"));
        all.extend([
            of_fleets(case(group.fleet, Value::Null, json!({"or": ["m5.2xlarge"]}))),
            within(case(group.or, json!([]), json!(["m5.2xlarge", "r5.2xlarge"]))),
            within(case(group.weights, json!({}), json!({"m5.2xlarge": 2}))),
            within(case(group.on_demand_allocation, Value::Null, json!("prioritized"))),
            on_spot(case(group.allocation, Value::Null, json!("price-capacity-optimized"))),
            on_spot(case(group.wait, json!("20m"), json!("30m"))),
            on_spot(case(group.then, json!("on-demand"), json!("end"))),
        ]);
        if group.spot != "cluster.primary.fleet.spot" {
            all.push(within(case(group.spot, json!(0), json!(2))));
        }
    }
    all
}
