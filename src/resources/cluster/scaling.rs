//! Managed scaling: bounds within which EMR itself resizes the core and task groups. It resizes nothing here.

use std::fmt;

use aws_sdk_emr::types::{ComputeLimits, ComputeLimitsUnitType as Unit, ManagedScalingPolicy};
use serde_json::Value;

use super::Cluster;
use crate::cloud::error::{CloudError, call};
use crate::resource::{Cx, Id};

/// What bounds count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalingUnit {
    Instances,
    Vcpu,
    /// Of the capacity of fleets.
    Units,
}

impl ScalingUnit {
    const fn word(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::Vcpu => "vCPU",
            Self::Units => "units",
        }
    }
}

/// The bounds, in instances, virtual processors or units. A bound of a part that is that of the whole is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaling {
    pub unit: ScalingUnit,
    pub minimum: i32,
    pub maximum: i32,
    pub maximum_core: Option<i32>,
    pub maximum_on_demand: Option<i32>,
}

impl fmt::Display for Scaling {
    /// `2 to 10 instances, 4 of them core at most`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, minimum, maximum, .. } = self;
        write!(f, "{minimum} to {maximum} {}", unit.word())?;
        for (part, what) in [(self.part(self.maximum_core), "core"), (self.part(self.maximum_on_demand), "on demand")] {
            if let Some(part) = part {
                write!(f, ", {part} of them {what} at most")?;
            }
        }
        Ok(())
    }
}

impl From<&Scaling> for Value {
    fn from(scaling: &Scaling) -> Self {
        Self::String(scaling.to_string())
    }
}

impl Scaling {
    fn part(&self, part: Option<i32>) -> Option<i32> {
        part.filter(|part| *part != self.maximum)
    }

    pub(super) fn policy(&self) -> ManagedScalingPolicy {
        let limits = ComputeLimits::builder()
            .unit_type(match self.unit {
                ScalingUnit::Instances => Unit::Instances,
                ScalingUnit::Vcpu => Unit::Vcpu,
                ScalingUnit::Units => Unit::InstanceFleetUnits,
            })
            .minimum_capacity_units(self.minimum)
            .maximum_capacity_units(self.maximum)
            .set_maximum_core_capacity_units(self.part(self.maximum_core))
            .set_maximum_on_demand_capacity_units(self.part(self.maximum_on_demand))
            .build();
        ManagedScalingPolicy::builder().compute_limits(limits).build()
    }

    fn read(policy: &ManagedScalingPolicy) -> Option<Self> {
        let limits = policy.compute_limits()?;
        Some(Self {
            unit: match limits.unit_type() {
                Some(Unit::Vcpu) => ScalingUnit::Vcpu,
                Some(Unit::InstanceFleetUnits) => ScalingUnit::Units,
                _ => ScalingUnit::Instances,
            },
            minimum: limits.minimum_capacity_units()?,
            maximum: limits.maximum_capacity_units()?,
            maximum_core: limits.maximum_core_capacity_units(),
            maximum_on_demand: limits.maximum_on_demand_capacity_units(),
        })
    }
}

/// What EMR keeps of it: DescribeCluster does not tell.
pub(super) async fn attached(cx: &Cx, id: &Id) -> Result<Option<Scaling>, CloudError> {
    let get = cx.cloud.emr.get_managed_scaling_policy().cluster_id(&id.0).send();
    let policy = call("emr GetManagedScalingPolicy", get).await?.managed_scaling_policy;
    Ok(policy.as_ref().and_then(Scaling::read))
}

impl Cluster {
    pub(super) async fn put_scaling(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        if let Some(scaling) = &self.changeable.managed_scaling {
            let put = cx.cloud.emr.put_managed_scaling_policy().cluster_id(&id.0);
            let put = put.managed_scaling_policy(scaling.policy());
            return call("emr PutManagedScalingPolicy", put.send()).await.map(drop);
        }
        let remove = cx.cloud.emr.remove_managed_scaling_policy().cluster_id(&id.0);
        call("emr RemoveManagedScalingPolicy", remove.send()).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_of_the_whole_is_told_once() {
        let unit = ScalingUnit::Instances;
        let all = Scaling { unit, minimum: 2, maximum: 10, maximum_core: Some(4), maximum_on_demand: Some(10) };
        assert_eq!(all.to_string(), "2 to 10 instances, 4 of them core at most");
        let read = Scaling::read(&all.policy()).expect("limits");
        assert_eq!(read, Scaling { maximum_on_demand: None, ..all });
    }
}
