//! What a stack costs: an hour, until its end, if it is forgotten. Pure: stack and a dated table in, amounts
//! out. An amount that is not known is `None`, never 0, and so is every sum that holds it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Serialize;

use crate::residency::EuRegion;
use crate::stack::facts::instance_type;
use crate::stack::{Cluster, Group, Market, Stack, VolumeKind};

const EC2: &str = include_str!("price/ec2.csv");
const OTHER: &str = include_str!("price/other.csv");

/// When the table was read.
pub const AS_OF: &str = "2025-03";

/// Hours in a month, as AWS turns prices a month into prices an hour.
const MONTH: f64 = 730.0;

/// From an evening to the next morning, and from a Friday's to a Monday's.
const NIGHT: f64 = 12.0;
const WEEKEND: f64 = 62.0;

/// An hour of a stack's cluster, by what it is paid for, in USD.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Hourly {
    pub ec2: Option<f64>,
    pub emr: Option<f64>,
    pub ebs: Option<f64>,
    pub ipv4: Option<f64>,
    pub total: Option<f64>,
}

/// What a stack costs, in USD.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    pub currency: &'static str,
    pub prices_as_of: &'static str,
    pub hourly: Hourly,
    /// For `limits.lifetime`, the start included: it is billed from provisioning on.
    pub until_end: Option<f64>,
    pub forgotten_night: Option<f64>,
    pub forgotten_weekend: Option<f64>,
    /// What no price is known of.
    pub unknown: Vec<String>,
    /// Whether Spot may make it cheaper: then all amounts are the most.
    pub at_most: bool,
}

/// The price of a stack's cluster; nothing of it is free, so a stack without one costs nothing by the hour.
pub fn estimate(stack: &Stack) -> Cost {
    let mut unknown = Vec::new();
    let hourly = stack.cluster.as_ref().map_or_else(Hourly::nothing, |cluster| hourly(stack, cluster, &mut unknown));
    unknown.sort();
    unknown.dedup();
    #[expect(clippy::cast_precision_loss, reason = "hours of a cluster's life")]
    let hours = stack.limits.lifetime.as_secs() as f64 / 3600.0;
    let spot = |cluster: &Cluster| cluster.groups().any(|(_, group)| group.market == Market::Spot);
    Cost {
        currency: "USD",
        prices_as_of: AS_OF,
        hourly,
        until_end: hourly.total.map(|hour| cents(hour * hours)),
        forgotten_night: hourly.total.map(|hour| cents(hour * NIGHT)),
        forgotten_weekend: hourly.total.map(|hour| cents(hour * WEEKEND)),
        unknown,
        at_most: stack.cluster.as_ref().is_some_and(spot),
    }
}

impl Hourly {
    fn nothing() -> Self {
        Self { ec2: Some(0.0), emr: Some(0.0), ebs: Some(0.0), ipv4: Some(0.0), total: Some(0.0) }
    }
}

fn hourly(stack: &Stack, cluster: &Cluster, unknown: &mut Vec<String>) -> Hourly {
    let nodes = cluster.groups().map(|(_, group)| Nodes {
        instance_type: &group.instance_type,
        count: group.count,
        disks: disks(cluster, group),
    });
    of_nodes(stack.region, &nodes.collect::<Vec<_>>(), unknown)
}

/// Nodes of one type.
#[derive(Clone, Copy, Debug)]
pub struct Nodes<'a> {
    pub instance_type: &'a str,
    pub count: u32,
    /// GB of EBS on each; `None` where it is not known what they cost.
    pub disks: Option<f64>,
}

/// An hour of these nodes in a region. What no price is known of is named in `unknown`.
pub fn of_nodes(region: EuRegion, nodes: &[Nodes<'_>], unknown: &mut Vec<String>) -> Hourly {
    let region = region.as_str();
    let mut known = |what: String, price: Option<f64>| {
        if price.is_none() {
            unknown.push(what);
        }
        price
    };
    let sum = |amounts: Vec<Option<f64>>| amounts.into_iter().sum::<Option<f64>>().map(tenths_of_cents);
    let priced = |name: &str| TYPES.get(name);
    let ec2 = nodes.iter().map(|of| {
        let name = of.instance_type;
        let price = priced(name).and_then(|of| of.by_region.get(region).copied());
        known(format!("{name} in {region}"), price).map(|price| price * f64::from(of.count))
    });
    let ec2 = sum(ec2.collect());
    let emr = nodes.iter().map(|of| {
        let fee = priced(of.instance_type).map(|of| of.fee);
        known(format!("EMR's fee of {}", of.instance_type), fee).map(|fee| fee * f64::from(of.count))
    });
    let emr = sum(emr.collect());
    let ebs = nodes.iter().map(|of| {
        let gigabytes = of.disks?;
        let price = known(format!("EBS in {region}"), other("ebs_gp3", region))?;
        Some(gigabytes * price / MONTH * f64::from(of.count))
    });
    let ebs = sum(ebs.collect());
    let nodes: f64 = nodes.iter().map(|of| f64::from(of.count)).sum();
    let ipv4 = known("public IPv4".into(), other("public_ipv4", region)).map(|price| tenths_of_cents(price * nodes));
    let total = [ec2, emr, ebs, ipv4].into_iter().sum::<Option<f64>>().map(tenths_of_cents);
    Hourly { ec2, emr, ebs, ipv4, total }
}

/// GB of EBS a node of this group: what is said, else what EMR attaches (its management guide, "Instance
/// storage": 15 GiB of root from 6.10 on, and 16 GiB a vCPU where the type has no disks of its own).
fn disks(cluster: &Cluster, group: &Group) -> Option<f64> {
    let root = cluster
        .root_volume
        .as_ref()
        .map_or(if cluster.release.at_least(6, 10) { 15.0 } else { 10.0 }, |root| f64::from(root.size));
    // Other kinds cost otherwise, and no price of theirs is known here.
    if group.volumes.iter().any(|volume| !matches!(volume.kind, VolumeKind::Gp2 | VolumeKind::Gp3)) {
        return None;
    }
    let said: f64 = group.volumes.iter().map(|volume| f64::from(volume.size) * f64::from(volume.per_instance)).sum();
    let family = group.instance_type.split('.').next().unwrap_or_default();
    let own_disks = ["m5d", "i3", "g4dn"].contains(&family);
    let default =
        if own_disks { Some(0.0) } else { instance_type(&group.instance_type).map(|of| 16.0 * f64::from(of.vcpu)) };
    Some(root + if group.volumes.is_empty() { default? } else { said })
}

struct Priced {
    by_region: BTreeMap<&'static str, f64>,
    fee: f64,
}

static TYPES: LazyLock<BTreeMap<&'static str, Priced>> = LazyLock::new(|| {
    let mut lines = EC2.lines();
    let regions: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let priced = |line: &'static str| {
        let cells: Vec<&'static str> = line.split(',').collect();
        let by_region =
            regions.iter().zip(&cells).filter_map(|(region, cell)| Some((*region, cell.parse().ok()?))).collect();
        Some((*cells.first()?, Priced { by_region, fee: cells.last()?.parse().ok()? }))
    };
    lines.filter_map(priced).collect()
});

/// The price of something that is no instance: this region's, else the one of all.
fn other(item: &str, region: &str) -> Option<f64> {
    let rows = OTHER.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let mut rows =
        rows.filter(|cells| cells.first() == Some(&item) && cells.get(3).is_some_and(|r| [region, "all"].contains(r)));
    rows.next()?.get(2)?.parse().ok()
}

fn cents(usd: f64) -> f64 {
    (usd * 100.0).round() / 100.0
}

fn tenths_of_cents(usd: f64) -> f64 {
    (usd * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn stack(cluster: &str) -> Stack {
        let text = format!(
            "stack: s\nregion: eu-west-3\nowner: o@fruits.example\ncluster: {{release: emr-7.12.0, {cluster}}}\n"
        );
        crate::stack::load_text("s.yaml", text, Path::new("")).expect("a stack").stack
    }

    #[test]
    fn the_demos_cluster_costs_what_people_paid_for_it() {
        let cost = estimate(&stack("primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}"));
        // 3 x 0.224, 3 x 0.048, 3 x 79 GB at 0.0928 a month, 3 addresses at 0.005.
        let Hourly { ec2, emr, ebs, ipv4, total } = cost.hourly;
        assert_eq!([ec2, emr, ebs, ipv4, total], [0.672, 0.144, 0.03, 0.015, 0.861].map(Some));
        assert_eq!(cost.until_end, Some(2.58));
        assert_eq!((cost.forgotten_night, cost.forgotten_weekend), (Some(10.33), Some(53.38)));
        assert!(cost.unknown.is_empty() && !cost.at_most);
    }

    #[test]
    fn what_is_not_known_is_named_and_no_sum_hides_it() {
        let cost = estimate(&stack("primary: {type: m5.xlarge}, core: {type: r6i.32xlarge, count: 2}"));
        assert_eq!((cost.hourly.ec2, cost.hourly.total, cost.until_end), (None, None, None));
        assert_eq!(cost.unknown, ["EMR's fee of r6i.32xlarge", "r6i.32xlarge in eu-west-3"]);
        assert_eq!(cost.hourly.ipv4, Some(0.015));
    }

    #[test]
    fn spot_makes_every_amount_the_most() {
        let cost = estimate(&stack("primary: {type: m5.xlarge}, core: {type: m5.xlarge, market: spot}"));
        assert!(cost.at_most);
    }
}
