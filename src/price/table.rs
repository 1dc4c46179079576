//! What things cost, and since when that is known: a dated table that the program carries, and over it what
//! `prices update` has read since. An amount that is not known is absent, never 0.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::residency::EuRegion;

const EC2: &str = include_str!("ec2.csv");
const OTHER: &str = include_str!("other.csv");

/// When the table was read.
pub const AS_OF: &str = "2025-03";

/// What has a price.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    /// A node of a type, on demand, by the hour.
    Ec2(String),
    /// EMR's fee of such a node.
    Fee(String),
    /// Something else, by its name in `other.csv`.
    Other(String),
}

/// Prices in USD, by what is paid for and where. `None` is everywhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    prices: BTreeMap<(Item, Option<EuRegion>), f64>,
    updated: BTreeMap<EuRegion, String>,
}

/// What a region's prices were found to be, on a day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// `2026-01-31`.
    pub as_of: String,
    /// By instance type, an hour.
    pub ec2: BTreeMap<String, f64>,
    /// EMR's fee by instance type, an hour.
    pub emr: BTreeMap<String, f64>,
    /// A GB of gp3 for a month.
    pub ebs_gp3: Option<f64>,
}

static BUILT_IN: LazyLock<Table> = LazyLock::new(built_in);

impl Table {
    /// The one that the program carries.
    pub fn built_in() -> Self {
        BUILT_IN.clone()
    }

    /// Lets what was read since come before it.
    pub fn update(&mut self, region: EuRegion, update: &Update) {
        let Update { as_of, ec2, emr, ebs_gp3 } = update;
        let priced = ec2.iter().map(|(name, usd)| (Item::Ec2(name.clone()), *usd));
        let priced = priced.chain(emr.iter().map(|(name, usd)| (Item::Fee(name.clone()), *usd)));
        let priced = priced.chain(ebs_gp3.map(|usd| (Item::Other("ebs_gp3".into()), usd)));
        // What is no price is no price here either.
        let sound = priced.filter(|(_, usd)| usd.is_finite() && *usd > 0.0);
        self.prices.extend(sound.map(|(item, usd)| ((item, Some(region)), usd)));
        self.updated.insert(region, as_of.clone());
    }

    /// Since when the prices of a region are known.
    pub fn as_of(&self, region: EuRegion) -> &str {
        self.updated.get(&region).map_or(AS_OF, String::as_str)
    }

    pub fn ec2(&self, instance_type: &str, region: EuRegion) -> Option<f64> {
        self.find(Item::Ec2(instance_type.into()), region)
    }

    /// EMR's fee, which the carried table knows for all regions alike.
    pub fn fee(&self, instance_type: &str, region: EuRegion) -> Option<f64> {
        self.find(Item::Fee(instance_type.into()), region)
    }

    /// The price of something that is no node, in its unit.
    pub fn other(&self, item: &str, region: EuRegion) -> Option<f64> {
        self.find(Item::Other(item.into()), region)
    }

    fn find(&self, item: Item, region: EuRegion) -> Option<f64> {
        let here = (item, Some(region));
        // What is said of all regions is said of those of the partition whose lists were read.
        let everywhere = (region.partition() == "aws").then(|| (here.0.clone(), None));
        self.prices.get(&here).or_else(|| self.prices.get(&everywhere?)).copied()
    }
}

fn built_in() -> Table {
    let mut prices = BTreeMap::new();
    let mut lines = EC2.lines();
    let regions: Vec<Option<EuRegion>> =
        lines.next().unwrap_or_default().split(',').map(|name| EuRegion::from_str(name).ok()).collect();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let Some((name, fee)) = cells.first().zip(cells.last()) else { continue };
        for (region, cell) in regions.iter().zip(&cells) {
            if let (Some(region), Ok(usd)) = (region, cell.parse()) {
                prices.insert((Item::Ec2((*name).into()), Some(*region)), usd);
            }
        }
        if let Ok(usd) = fee.parse() {
            prices.insert((Item::Fee((*name).into()), None), usd);
        }
    }
    for line in OTHER.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [item, _unit, usd, region, ..] = cells[..] else { continue };
        if let Ok(usd) = usd.parse() {
            prices.insert((Item::Other(item.into()), EuRegion::from_str(region).ok()), usd);
        }
    }
    Table { prices, updated: BTreeMap::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_of_the_carried_table_is_understood_and_an_empty_one_is_unknown() {
        let cells = |text: &str, skip: usize| {
            let rows = text.lines().skip(1).map(|line| line.split(',').skip(skip).filter(|c| c.parse::<f64>().is_ok()));
            rows.map(Iterator::count).sum::<usize>()
        };
        // The first column of prices is that of us-east-1, from which the fees are estimated.
        assert_eq!(BUILT_IN.prices.len(), cells(EC2, 2) + OTHER.lines().count() - 1);
        assert_eq!(BUILT_IN.ec2("m4.large", EuRegion::EuWest3), None);
        assert_eq!(BUILT_IN.ec2("m5.xlarge", EuRegion::EuWest3), Some(0.224));
        assert_eq!(BUILT_IN.other("public_ipv4", EuRegion::EuNorth1), Some(0.005));
    }

    #[test]
    fn what_was_read_since_comes_first_and_only_where_it_was_read() {
        let mut table = Table::built_in();
        let ec2 = [("m5.xlarge".to_owned(), 0.25), ("m9.xlarge".to_owned(), 0.0)].into();
        table.update(EuRegion::EuWest3, &Update { as_of: "2026-01-31".into(), ec2, ..Update::default() });
        assert_eq!(table.ec2("m5.xlarge", EuRegion::EuWest3), Some(0.25));
        assert_eq!(table.ec2("m9.xlarge", EuRegion::EuWest3), None, "nothing is free");
        assert_eq!(table.ec2("m5.xlarge", EuRegion::EuWest1), Some(0.214));
        assert_eq!((table.as_of(EuRegion::EuWest3), table.as_of(EuRegion::EuWest1)), ("2026-01-31", AS_OF));
    }
}
