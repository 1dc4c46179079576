//! Interface endpoints that hold on to a stack's groups, and the one that EMR leaves behind: `emr-service-vpce` (since
//! release 7.5), which stays when its cluster ends and costs by the hour. None bears a mark, and one may serve every
//! cluster of its network: they are named, and never removed.
//!
//! EMR makes it only with a service role that may (AWS's AmazonEMRServicePolicy_v2 lets it, under this name and no tag
//! that tells a cluster); the role that a stack makes may not.

use aws_sdk_ec2::types::{Filter, VpcEndpoint};

use crate::cloud::error::{CloudError, call};
use crate::resource::Cx;

/// What AWS's managed policy makes EMR call it.
pub(crate) const LEFT_BY_EMR: &str = "emr-service-vpce";

/// USD an hour and zone, an estimate for EU regions.
const HOURLY: f64 = 0.011;

/// Endpoints by one of EC2's filters; a model of EC2 that does not know it answers with all.
pub(crate) async fn find(cx: &Cx, filter: &str, value: &str) -> Result<Vec<VpcEndpoint>, CloudError> {
    let filter = Filter::builder().name(filter).values(value).build();
    let mut pages = cx.cloud.ec2.describe_vpc_endpoints().filters(filter).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = call("ec2 DescribeVpcEndpoints", std::future::ready(page)).await?;
        found.extend(page.vpc_endpoints.unwrap_or_default());
    }
    Ok(found)
}

pub(crate) fn is_left_by_emr(endpoint: &VpcEndpoint) -> bool {
    endpoint.tags().iter().any(|tag| tag.key() == Some("Name") && tag.value() == Some(LEFT_BY_EMR))
}

/// What it is, what it costs, and what to type.
pub(crate) fn words(endpoint: &VpcEndpoint) -> String {
    let id = endpoint.vpc_endpoint_id().unwrap_or_default();
    let zones = u32::try_from(endpoint.subnet_ids().len().max(1)).unwrap_or(1);
    let what = if is_left_by_emr(endpoint) { LEFT_BY_EMR } else { "interface endpoint" };
    format!(
        "{what} {id}, which costs about {:.3} USD an hour, bears no mark and may serve other clusters of its network: \
         if none needs it, `aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {id}` removes it",
        HOURLY * f64::from(zones)
    )
}
