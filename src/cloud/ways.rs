//! Where traffic out of a subnet goes: to the internet, and to S3 without it. It reads route tables and opens none.

use aws_sdk_ec2::types::{Filter, Route, RouteState, RouteTable};

use crate::cloud::Cloud;
use crate::cloud::error::{CloudError, call};

/// The whole internet.
const ANYWHERE: &str = "0.0.0.0/0";

/// The ways out of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// The gateway that leads to the internet, by its id.
    pub internet: Option<String>,
    /// The endpoint by which S3 is reached within AWS, by its id.
    pub s3: Option<String>,
}

impl Cloud {
    /// The ways out of this subnet of this network.
    pub async fn ways(&self, vpc: &str, subnet: &str) -> Result<Ways, CloudError> {
        let of = Filter::builder().name("vpc-id").values(vpc).build();
        let tables = self.ec2.describe_route_tables().filters(of.clone()).send();
        let endpoints = self.ec2.describe_vpc_endpoints().filters(of).send();
        let (tables, endpoints) =
            futures::try_join!(call("ec2 DescribeRouteTables", tables), call("ec2 DescribeVpcEndpoints", endpoints))?;
        let tables = tables.route_tables.unwrap_or_default();
        let Some(table) = serving(&tables, subnet) else { return Ok(Ways::default()) };
        let id = table.route_table_id().unwrap_or_default();
        let s3 = format!(".{}.s3", self.region);
        let to_s3 = endpoints.vpc_endpoints.unwrap_or_default().into_iter().find(|endpoint| {
            let serves = endpoint.service_name().is_some_and(|name| name.ends_with(&s3));
            // A gateway serves tables, an interface the subnets that it is in.
            let here = endpoint.route_table_ids().iter().any(|table| table == id)
                || endpoint.subnet_ids().iter().any(|within| within == subnet);
            serves && here
        });
        Ok(Ways {
            internet: table.routes().iter().find_map(gateway),
            s3: to_s3.and_then(|endpoint| endpoint.vpc_endpoint_id),
        })
    }
}

/// The table that a subnet goes by: its own, else the network's main one.
fn serving<'a>(tables: &'a [RouteTable], subnet: &str) -> Option<&'a RouteTable> {
    let own = tables.iter().find(|table| table.associations().iter().any(|a| a.subnet_id() == Some(subnet)));
    own.or_else(|| tables.iter().find(|table| table.associations().iter().any(|a| a.main() == Some(true))))
}

/// What a route to the whole internet leads to, if it leads anywhere.
fn gateway(route: &Route) -> Option<String> {
    let leads = route.destination_cidr_block() == Some(ANYWHERE) && route.state() != Some(&RouteState::Blackhole);
    let targets =
        [route.gateway_id(), route.nat_gateway_id(), route.transit_gateway_id(), route.network_interface_id()];
    targets.into_iter().flatten().find(|_| leads).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::RouteTableAssociation;

    use super::*;

    #[test]
    fn a_subnet_goes_by_its_own_table_and_else_by_the_main_one() {
        let table = |id: &str, association: RouteTableAssociation| {
            RouteTable::builder().route_table_id(id).associations(association).build()
        };
        let tables = [
            table("main", RouteTableAssociation::builder().main(true).build()),
            table("own", RouteTableAssociation::builder().subnet_id("subnet-1").build()),
        ];
        let of = |subnet: &str| serving(&tables, subnet).and_then(RouteTable::route_table_id);
        assert_eq!((of("subnet-1"), of("subnet-2")), (Some("own"), Some("main")));
    }

    #[test]
    fn a_route_whose_gateway_is_gone_leads_nowhere() {
        let route = |state| Route::builder().destination_cidr_block(ANYWHERE).gateway_id("igw-1").state(state).build();
        assert_eq!(gateway(&route(RouteState::Active)), Some("igw-1".into()));
        assert_eq!(gateway(&route(RouteState::Blackhole)), None);
        let local = Route::builder().destination_cidr_block("10.0.0.0/16").gateway_id("local").build();
        assert_eq!(gateway(&local), None);
    }
}
