//! Instance fleets: a group that takes several types, of which EMR gets what is to be had. Plain values, as a person says
//! them; what EMR makes of them is not known here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Period;

/// What a group takes beside its own type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fleet {
    /// Types that serve as well, the preferred ones first.
    pub or: Vec<String>,
    /// How many units of the group's `count` one instance of a type is; 1 unless said.
    pub weights: BTreeMap<String, u32>,
    /// Units on the spot market, beside a `count` that is bought on demand.
    pub spot: u32,
    /// How EMR chooses among types on the spot market; its own way unless said. With it a fleet takes 30 types, without 5.
    pub allocation: Option<SpotAllocation>,
    /// How EMR chooses among types on demand; its own way unless said.
    pub on_demand_allocation: Option<OnDemandAllocation>,
    /// How long EMR tries to get spot instances before the cluster starts, from 5m to 24h. 20m unless said.
    pub wait: Option<Period>,
    /// What becomes of the cluster if it gets none.
    pub then: AfterWait,
}

/// How EMR chooses among types on the spot market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SpotAllocation {
    /// Those that AWS has most of, and of them the cheapest.
    PriceCapacityOptimized,
    /// Those that AWS has most of.
    CapacityOptimized,
    /// The same, the preferred types first.
    CapacityOptimizedPrioritized,
    /// The cheapest.
    LowestPrice,
    /// Some of each.
    Diversified,
}

impl SpotAllocation {
    pub const ALL: [Self; 5] = [
        Self::PriceCapacityOptimized,
        Self::CapacityOptimized,
        Self::CapacityOptimizedPrioritized,
        Self::LowestPrice,
        Self::Diversified,
    ];

    /// The word AWS uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PriceCapacityOptimized => "price-capacity-optimized",
            Self::CapacityOptimized => "capacity-optimized",
            Self::CapacityOptimizedPrioritized => "capacity-optimized-prioritized",
            Self::LowestPrice => "lowest-price",
            Self::Diversified => "diversified",
        }
    }
}

/// How EMR chooses among types on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnDemandAllocation {
    LowestPrice,
    /// The preferred types first.
    Prioritized,
}

impl OnDemandAllocation {
    pub const ALL: [Self; 2] = [Self::LowestPrice, Self::Prioritized];

    /// The word AWS uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LowestPrice => "lowest-price",
            Self::Prioritized => "prioritized",
        }
    }
}

/// Minutes that EMR waits for spot instances where a stack does not say: what its console offers.
pub const SPOT_WAIT: u32 = 20;

/// What becomes of a cluster that waited for spot instances in vain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AfterWait {
    /// It starts with instances on demand.
    #[default]
    OnDemand,
    /// It ends.
    End,
}
