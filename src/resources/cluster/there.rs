//! Groups and fleets as EMR tells them, in one form: a fleet is a group of several types. It changes nothing.

use aws_sdk_emr::types::{
    Cluster as Described, Configuration as EmrConfiguration, InstanceCollectionType, InstanceFleet, InstanceFleetState,
    InstanceFleetType, InstanceGroup, InstanceGroupState, InstanceGroupType, InstanceTypeSpecification, MarketType,
};

use super::groups;
use crate::cloud::error::{CloudError, call};
use crate::resource::{Cx, Id};

/// A group or a fleet.
#[derive(Clone, Debug)]
pub(super) struct There {
    pub(super) id: Option<String>,
    name: String,
    pub(super) part: Part,
    /// `m5.xlarge`; of a fleet, all of its types.
    what: String,
    /// Whether a group is bought on the spot market.
    spot: bool,
    pub(super) fleet: bool,
    /// Nodes, or units of a fleet, that are to be on demand and on spot.
    pub(super) capacity: [i32; 2],
    pub(super) configurations: Vec<EmrConfiguration>,
    /// EMR is still at work on it.
    pub(super) changing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Primary,
    Core,
    Task,
}

impl There {
    /// What it is called in plans: its part, or the name of one that comes and goes.
    pub(super) fn called(&self) -> &str {
        match self.part {
            Part::Primary => "primary",
            Part::Core => "core",
            Part::Task => &self.name,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn count(&self) -> i32 {
        self.capacity.iter().sum()
    }

    /// What it is made of, without how many.
    pub(super) fn kind(&self) -> String {
        groups::kind(&self.what, self.spot, self.fleet)
    }
}

/// Whether a cluster has fleets instead of groups.
pub(super) fn has_fleets(cluster: &Described) -> bool {
    cluster.instance_collection_type == Some(InstanceCollectionType::InstanceFleet)
}

/// All groups of a cluster, or all fleets.
pub(super) async fn list(cx: &Cx, id: &Id, fleets: bool) -> Result<Vec<There>, CloudError> {
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        if fleets {
            let page = cx.cloud.emr.list_instance_fleets().cluster_id(&id.0).set_marker(marker).send();
            let page = call("emr ListInstanceFleets", page).await?;
            found.extend(page.instance_fleets.unwrap_or_default().into_iter().map(There::from));
            marker = page.marker;
        } else {
            let page = cx.cloud.emr.list_instance_groups().cluster_id(&id.0).set_marker(marker).send();
            let page = call("emr ListInstanceGroups", page).await?;
            found.extend(page.instance_groups.unwrap_or_default().into_iter().map(There::from));
            marker = page.marker;
        }
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// Types with what an instance of each counts for, as a plan shows them: `m5.xlarge or m5.2xlarge=2`. EMR keeps no order.
pub(super) fn types(all: impl IntoIterator<Item = (String, i32)>) -> String {
    let one = |(name, weight)| if weight == 1 { name } else { format!("{name}={weight}") };
    let mut all: Vec<String> = all.into_iter().map(one).collect();
    all.sort();
    all.join(" or ")
}

impl From<InstanceGroup> for There {
    fn from(group: InstanceGroup) -> Self {
        let state = group.status.as_ref().and_then(|status| status.state.clone());
        let changing = [
            InstanceGroupState::Provisioning,
            InstanceGroupState::Bootstrapping,
            InstanceGroupState::Resizing,
            InstanceGroupState::Reconfiguring,
        ];
        let (spot, count) =
            (group.market == Some(MarketType::Spot), group.requested_instance_count.unwrap_or_default());
        Self {
            part: match group.instance_group_type {
                Some(InstanceGroupType::Master) => Part::Primary,
                Some(InstanceGroupType::Core) => Part::Core,
                _ => Part::Task,
            },
            id: group.id,
            name: group.name.unwrap_or_default(),
            what: group.instance_type.unwrap_or_default(),
            spot,
            fleet: false,
            capacity: if spot { [0, count] } else { [count, 0] },
            configurations: group.configurations.unwrap_or_default(),
            changing: state.is_some_and(|state| changing.contains(&state)),
        }
    }
}

impl From<InstanceFleet> for There {
    fn from(fleet: InstanceFleet) -> Self {
        let state = fleet.status.as_ref().and_then(|status| status.state.clone());
        let changing =
            [InstanceFleetState::Provisioning, InstanceFleetState::Bootstrapping, InstanceFleetState::Resizing];
        let capacity = [fleet.target_on_demand_capacity, fleet.target_spot_capacity].map(Option::unwrap_or_default);
        let type_of =
            |of: InstanceTypeSpecification| (of.instance_type.unwrap_or_default(), of.weighted_capacity.unwrap_or(1));
        Self {
            part: match fleet.instance_fleet_type {
                Some(InstanceFleetType::Master) => Part::Primary,
                Some(InstanceFleetType::Core) => Part::Core,
                _ => Part::Task,
            },
            id: fleet.id,
            name: fleet.name.unwrap_or_default(),
            what: types(fleet.instance_type_specifications.unwrap_or_default().into_iter().map(type_of)),
            spot: false,
            fleet: true,
            capacity,
            configurations: Vec::new(),
            changing: state.is_some_and(|state| changing.contains(&state)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_stays_is_told_by_its_part_and_one_that_goes_by_its_name() {
        let group = |kind: InstanceGroupType| {
            There::from(InstanceGroup::builder().name("Unité").instance_group_type(kind).build())
        };
        assert_eq!(group(InstanceGroupType::Master).called(), "primary");
        assert_eq!(group(InstanceGroupType::Core).called(), "core");
        assert_eq!(group(InstanceGroupType::Task).called(), "Unité");
    }

    #[test]
    fn a_fleet_is_a_group_of_several_types() {
        let of = |name: &str, weight| {
            InstanceTypeSpecification::builder().instance_type(name).weighted_capacity(weight).build()
        };
        let fleet = InstanceFleet::builder()
            .instance_fleet_type(InstanceFleetType::Core)
            .instance_type_specifications(of("m5.xlarge", 1))
            .instance_type_specifications(of("m5.2xlarge", 2))
            .target_on_demand_capacity(2)
            .target_spot_capacity(4);
        let there = There::from(fleet.build());
        assert_eq!(there.kind(), "m5.2xlarge=2 or m5.xlarge");
        assert_eq!(there.capacity, [2, 4]);
    }
}
