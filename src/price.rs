//! What a stack costs: an hour, until its end, if it is forgotten. Pure: stack and a dated table in, amounts
//! out. An amount that is not known is `None`, never 0, and so is every sum that holds it.

mod alternatives;
mod scaling;
pub mod table;

use std::time::Duration;

use serde::Serialize;

use self::alternatives::fitting;
pub use self::alternatives::{Alternative, alternatives};
pub use self::table::Table;
use crate::residency::EuRegion;
use crate::stack::facts::instance_type;
use crate::stack::{Cluster, Group, Limits, Market, Stack, Volume, VolumeKind};

/// Hours in a month, as AWS turns prices a month into prices an hour.
const MONTH: f64 = 730.0;

/// From an evening to the next morning, and from a Friday's to a Monday's.
const NIGHT: f64 = 12.0;
const WEEKEND: f64 = 62.0;

/// What is left of an on-demand price at Spot's best: AWS says that it saves up to 90 %.
const SPOT_AT_LEAST: f64 = 0.1;

/// An hour of some nodes, by what it is paid for, in USD.
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
    pub prices_as_of: String,
    pub hourly: Hourly,
    #[serde(flatten)]
    pub lives: Lives,
    /// What no price is known of.
    pub unknown: Vec<String>,
    /// Where Spot may make it cheaper, the least it may cost: then the other amounts are the most.
    pub least: Option<Least>,
    /// What the requests of the uploads cost, once.
    pub uploads: Option<Requests>,
    /// The same in euros, where the stack declares a rate.
    pub eur: Option<Euros>,
    /// What would fit the stack's limits, where this does not.
    pub fits: Option<String>,
    /// What is known of an hour and of the life to its end: the least that they cost.
    #[serde(skip)]
    pub known: [f64; 2],
}

/// What a cluster costs by how long it lives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Lives {
    /// To its end, the start included: it is billed from provisioning on.
    pub until_end: Option<f64>,
    pub forgotten_night: Option<f64>,
    pub forgotten_weekend: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Least {
    pub hourly: Hourly,
    #[serde(flatten)]
    pub lives: Lives,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Requests {
    pub puts: u64,
    pub usd: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Euros {
    /// Euros for a dollar.
    pub rate: f64,
    pub hourly: Option<f64>,
    #[serde(flatten)]
    pub lives: Lives,
}

/// The price of a stack's cluster that lives so long; a stack without one costs nothing by the hour.
pub fn estimate(stack: &Stack, table: &Table, lasting: Duration) -> Cost {
    let cost = of(stack, table, lasting);
    let fits = if cost.within(&stack.limits) { None } else { fitting(stack, table, lasting) };
    Cost { fits, ..cost }
}

fn of(stack: &Stack, table: &Table, lasting: Duration) -> Cost {
    let mut unknown = Vec::new();
    let groups: Vec<Nodes<'_>> =
        stack.cluster.as_ref().map(|cluster| nodes(cluster, table, stack.region)).unwrap_or_default();
    let hourly = of_nodes(table, stack.region, &groups, &mut unknown);
    unknown.sort();
    unknown.dedup();
    let least = groups.iter().any(|nodes| nodes.spot).then(|| {
        let hourly = of_nodes_at(table, stack.region, &groups, SPOT_AT_LEAST, &mut Vec::new());
        Least { hourly: hourly.rounded(), lives: lives(hourly.total, lasting) }
    });
    let usd = lives(hourly.total, lasting);
    let eur = stack.eur_per_usd.map(|rate| {
        let euros = |amount: Option<f64>| amount.map(|amount| cents(amount * rate));
        let Lives { until_end, forgotten_night, forgotten_weekend } = usd;
        let lives = Lives {
            until_end: euros(until_end),
            forgotten_night: euros(forgotten_night),
            forgotten_weekend: euros(forgotten_weekend),
        };
        Euros { rate, hourly: euros(hourly.total), lives }
    });
    let Hourly { ec2, emr, ebs, ipv4, .. } = hourly;
    let known: f64 = [ec2, emr, ebs, ipv4].into_iter().flatten().sum();
    let prices_as_of = table.as_of(stack.region).to_owned();
    Cost {
        currency: "USD",
        prices_as_of,
        hourly: hourly.rounded(),
        lives: usd,
        unknown,
        least,
        uploads: None,
        eur,
        fits: None,
        known: [cents(known), cents(known * lasting.as_secs_f64() / 3600.0)],
    }
}

impl Cost {
    /// Whether no bound is exceeded by what is known.
    fn within(&self, limits: &Limits) -> bool {
        let [hour, life] = self.known;
        [(hour, limits.hourly), (life, limits.demo)]
            .into_iter()
            .all(|(amount, bound)| bound.is_none_or(|bound| amount <= bound.usd()))
    }

    /// With what it costs to send so many files.
    #[must_use]
    pub fn with_uploads(self, puts: u64, table: &Table, region: EuRegion) -> Self {
        Self { uploads: requests(puts, table, region), ..self }
    }
}

/// What it costs to send so many files; `None` of none.
pub fn requests(puts: u64, table: &Table, region: EuRegion) -> Option<Requests> {
    #[expect(clippy::cast_precision_loss, reason = "files of an upload")]
    let usd = table.other("s3_put", region).map(|price| ten_thousandths(price * puts as f64 / 1000.0));
    (puts > 0).then_some(Requests { puts, usd })
}

fn lives(hour: Option<f64>, lasting: Duration) -> Lives {
    let of = |hours: f64| hour.map(|hour| cents(hour * hours));
    Lives { until_end: of(lasting.as_secs_f64() / 3600.0), forgotten_night: of(NIGHT), forgotten_weekend: of(WEEKEND) }
}

impl Hourly {
    /// As it is told: in hundredths of a cent.
    #[must_use]
    pub fn rounded(self) -> Self {
        let Self { ec2, emr, ebs, ipv4, total } = self;
        let [ec2, emr, ebs, ipv4, total] = [ec2, emr, ebs, ipv4, total].map(|amount| amount.map(ten_thousandths));
        Self { ec2, emr, ebs, ipv4, total }
    }
}

/// Nodes of one type.
#[derive(Clone, Copy, Debug)]
pub struct Nodes<'a> {
    pub instance_type: &'a str,
    pub count: u32,
    pub spot: bool,
    /// GB of EBS on each; `None` where it is not known what they cost.
    pub disks: Option<f64>,
}

/// The nodes of a cluster at its largest, each group in the dearest of its types.
pub fn nodes<'a>(cluster: &'a Cluster, table: &Table, region: EuRegion) -> Vec<Nodes<'a>> {
    let of = |group: &'a Group| {
        let spot = group.market == Market::Spot;
        dearest(group, spot, group.count, |name| disks(cluster, group, name), table, region)
    };
    let mut nodes: Vec<Nodes<'_>> = cluster.groups().map(|(_, group)| of(group)).collect();
    if let Some(bounds) = &cluster.managed_scaling {
        scaling::at_most(&mut nodes, bounds, cluster.core.is_some(), table, region);
        return nodes;
    }
    let more = cluster.groups().filter_map(|(_, group)| Some((group, group.fleet.as_ref()?.spot)));
    let more = more.filter(|(_, count)| *count > 0);
    nodes.extend(
        more.map(|(group, count)| dearest(group, true, count, |name| disks(cluster, group, name), table, region)),
    );
    nodes
}

/// So many units of a group in those of its types that would cost most. A type without a price counts as the dearest: what
/// it may cost is not known then.
fn dearest<'a>(
    group: &'a Group,
    spot: bool,
    units: u32,
    disks: impl Fn(&str) -> Option<f64>,
    table: &Table,
    region: EuRegion,
) -> Nodes<'a> {
    let of = |(name, weight): (&'a str, u32)| Nodes {
        instance_type: name,
        count: units.div_ceil(weight.max(1)),
        spot,
        disks: disks(name),
    };
    let hour = |nodes: &Nodes<'_>| of_nodes(table, region, &[*nodes], &mut vec![]).total.unwrap_or(f64::INFINITY);
    let first = of((&group.instance_type, 1));
    group.types().map(of).max_by(|a, b| hour(a).total_cmp(&hour(b))).unwrap_or(first)
}

/// An hour of these nodes in a region, Spot priced as on-demand. What no price is known of is named in `unknown`.
pub fn of_nodes(table: &Table, region: EuRegion, nodes: &[Nodes<'_>], unknown: &mut Vec<String>) -> Hourly {
    of_nodes_at(table, region, nodes, 1.0, unknown)
}

/// `spot` is what Spot costs of the on-demand price; EMR's fee is the same.
fn of_nodes_at(table: &Table, region: EuRegion, nodes: &[Nodes<'_>], spot: f64, unknown: &mut Vec<String>) -> Hourly {
    let mut known = |what: String, price: Option<f64>| {
        if price.is_none() {
            unknown.push(what);
        }
        price
    };
    let (mut ec2, mut emr, mut ebs, mut count) = (vec![], vec![], vec![], 0.0);
    for Nodes { instance_type: name, count: of, spot: on_spot, disks } in nodes {
        let of = f64::from(*of);
        let price = known(format!("{name} in {region}"), table.ec2(name, region));
        ec2.push(price.map(|price| price * of * if *on_spot { spot } else { 1.0 }));
        let fee = known(format!("EMR's fee of {name}"), table.fee(name, region));
        emr.push(fee.map(|fee| fee * of));
        let disks = known(format!("the disks of {name}"), *disks);
        let price = known(format!("EBS in {region}"), table.other("ebs_gp3", region));
        ebs.push(disks.zip(price).map(|(disks, price)| disks * price / MONTH * of));
        count += of;
    }
    let ipv4 = known("public IPv4".into(), table.other("public_ipv4", region)).map(|price| price * count);
    // One that is not known makes the sum unknown; all are named all the same.
    let sum = |amounts: Vec<Option<f64>>| amounts.into_iter().sum::<Option<f64>>();
    let (ec2, emr, ebs) = (sum(ec2), sum(emr), sum(ebs));
    Hourly { ec2, emr, ebs, ipv4, total: sum(vec![ec2, emr, ebs, ipv4]) }
}

/// GB of EBS a node of this group and type: what is said, else what EMR attaches.
fn disks(cluster: &Cluster, group: &Group, instance_type: &str) -> Option<f64> {
    // Other kinds cost otherwise, and so does more speed than gp3 brings along: no price of that is known here.
    let beyond = |volume: &Volume| {
        let faster = volume.iops.is_some_and(|iops| iops > 3000) || volume.throughput.is_some_and(|mib| mib > 125);
        volume.kind != VolumeKind::Gp3 || faster
    };
    if group.volumes.iter().any(beyond) {
        return None;
    }
    let root = cluster
        .root_volume
        .as_ref()
        .map_or_else(|| if cluster.release.at_least(6, 10) { ROOT } else { 10.0 }, |root| f64::from(root.size));
    let said: f64 = group.volumes.iter().map(|volume| f64::from(volume.size) * f64::from(volume.per_instance)).sum();
    if group.volumes.is_empty() { Some(root + attached(instance_type)?) } else { Some(root + said) }
}

/// GB of the root disk from release 6.10 on (EMR's management guide, "Customizing the Amazon EBS root device volume").
const ROOT: f64 = 15.0;

/// GB of EBS a node of this type where nothing is said of its volumes.
pub fn usual_disks(instance_type: &str) -> Option<f64> {
    Some(ROOT + attached(instance_type)?)
}

/// What EMR attaches to a node (its management guide, "Instance storage"): 16 GiB a vCPU where the type has no disks of
/// its own.
fn attached(name: &str) -> Option<f64> {
    let family = name.split('.').next().unwrap_or_default();
    if ["m5d", "i3", "g4dn"].contains(&family) {
        return Some(0.0);
    }
    instance_type(name).map(|of| 16.0 * f64::from(of.vcpu))
}

/// An amount in whole cents. Adding nothing makes a sum of nothing 0, and not -0.
pub fn cents(usd: f64) -> f64 {
    (usd * 100.0).round() / 100.0 + 0.0
}

fn ten_thousandths(usd: f64) -> f64 {
    (usd * 10_000.0).round() / 10_000.0 + 0.0
}

#[cfg(test)]
mod tests;
