//! What a stack is put into: account, network. Read once, before the blueprint, as plain values; the choice
//! of a subnet is an input of the plan and not a resource.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, LocationType, Subnet};

use crate::cloud::Cloud;
use crate::cloud::error::{CloudError, call};
use crate::residency::EuRegion;

/// Stands for the account where none can be asked.
pub const NO_ACCOUNT: &str = "<account>";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    pub region: EuRegion,
    pub account: String,
    /// `None` for a stack without a cluster.
    pub network: Option<Network>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub vpc: String,
    pub subnet: String,
}

/// What a cluster asks of its network.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The subnet the stack names, or else that of a cluster that is there.
    pub subnet: Option<String>,
    /// The network that the stack's own groups are in.
    pub vpc: Option<String>,
    /// Instance types that its zone must offer.
    pub types: BTreeSet<String>,
}

impl Surroundings {
    /// Placeholders, for what is done without credentials.
    pub fn offline(region: EuRegion, account: Option<&str>, subnet: Option<&str>) -> Self {
        let network = Network { vpc: "<vpc>".into(), subnet: subnet.unwrap_or("<subnet>").into() };
        Self { region, account: account.unwrap_or(NO_ACCOUNT).into(), network: Some(network) }
    }
}

/// Finds the network a cluster would be in; makes no call where it is known already.
pub async fn network(cloud: &Cloud, wish: &Wish) -> Result<Network, CloudError> {
    if let (Some(subnet), Some(vpc)) = (&wish.subnet, &wish.vpc) {
        return Ok(Network { vpc: vpc.clone(), subnet: subnet.clone() });
    }
    let describe = cloud.ec2.describe_subnets();
    let describe = match &wish.subnet {
        Some(subnet) => describe.subnet_ids(subnet),
        None => describe.filters(Filter::builder().name("default-for-az").values("true").build()),
    };
    let (subnets, offers) = futures::join!(call("ec2 DescribeSubnets", describe.send()), offers(cloud, &wish.types));
    let (subnets, offers) = (subnets?.subnets.unwrap_or_default(), offers?);
    choose(&subnets, &offers, wish)
}

/// The types each zone offers.
async fn offers(cloud: &Cloud, types: &BTreeSet<String>) -> Result<BTreeMap<String, BTreeSet<String>>, CloudError> {
    let filter = Filter::builder().name("instance-type").set_values(Some(types.iter().cloned().collect())).build();
    let mut pages = cloud
        .ec2
        .describe_instance_type_offerings()
        .location_type(LocationType::AvailabilityZone)
        .filters(filter)
        .into_paginator()
        .send();
    let mut offers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = call("ec2 DescribeInstanceTypeOfferings", std::future::ready(page)).await?;
        for offer in page.instance_type_offerings.unwrap_or_default() {
            let kind = offer.instance_type.map(|t| t.as_str().to_owned()).unwrap_or_default();
            offers.entry(offer.location.unwrap_or_default()).or_default().insert(kind);
        }
    }
    Ok(offers)
}

/// The first subnet, by zone, whose zone offers every type. Pure.
fn choose(subnets: &[Subnet], offers: &BTreeMap<String, BTreeSet<String>>, wish: &Wish) -> Result<Network, CloudError> {
    let zone = |subnet: &Subnet| subnet.availability_zone.clone().unwrap_or_default();
    let mut sorted: Vec<&Subnet> = subnets.iter().collect();
    sorted.sort_by_key(|subnet| (zone(subnet), subnet.subnet_id.clone()));
    let fits = |subnet: &&Subnet| offers.get(&zone(subnet)).is_some_and(|offered| offered.is_superset(&wish.types));
    if let Some(subnet) = sorted.iter().copied().find(fits) {
        let id = |id: &Option<String>| id.clone().unwrap_or_default();
        return Ok(Network { vpc: id(&subnet.vpc_id), subnet: id(&subnet.subnet_id) });
    }
    if sorted.is_empty() {
        return Err(CloudError::absent(
            "the account has no default subnet in this region: name one with `cluster.subnet`",
        ));
    }
    let types = wish.types.iter().cloned().collect::<Vec<_>>().join(", ");
    let zones = sorted.iter().map(|subnet| zone(subnet)).collect::<Vec<_>>().join(", ");
    Err(CloudError::absent(format!("no zone offers {types} together; subnets were looked for in {zones}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(zone: &str) -> Subnet {
        Subnet::builder().availability_zone(zone).subnet_id(format!("subnet-{zone}")).vpc_id("vpc-1").build()
    }

    fn offers(list: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        list.iter().map(|(zone, types)| ((*zone).to_owned(), types.iter().map(|t| (*t).to_owned()).collect())).collect()
    }

    #[test]
    fn the_first_zone_that_offers_every_type_is_chosen() {
        let wish = Wish { types: ["m5.xlarge".into(), "m6g.xlarge".into()].into(), ..Wish::default() };
        let subnets = [subnet("c"), subnet("a"), subnet("b")];
        let offers =
            offers(&[("a", &["m5.xlarge"]), ("b", &["m5.xlarge", "m6g.xlarge"]), ("c", &["m5.xlarge", "m6g.xlarge"])]);
        assert_eq!(choose(&subnets, &offers, &wish).expect("b").subnet, "subnet-b");
    }

    #[test]
    fn no_zone_and_no_subnet_are_told_apart() {
        let wish = Wish { types: ["m5.xlarge".into()].into(), ..Wish::default() };
        assert!(choose(&[], &offers(&[]), &wish).expect_err("refused").message.contains("cluster.subnet"));
        assert!(
            choose(&[subnet("a")], &offers(&[]), &wish)
                .expect_err("refused")
                .message
                .contains("no zone offers m5.xlarge")
        );
    }
}
