//! How much EC2 lets an account run at once in a region, and what runs of it: the quotas of virtual processors, which a
//! young account meets first of all.

use aws_sdk_ec2::types::{Filter, InstanceLifecycleType};

use crate::cloud::Cloud;
use crate::cloud::error::{CloudError, call};

/// The code by which Service Quotas names EC2's quota of virtual processors of the standard families (A, C, D, H, I, M, R, T, Z).
pub fn quota_code(spot: bool) -> &'static str {
    if spot { "L-34B43A08" } else { "L-1216C47A" }
}

/// An instance that runs or starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    pub instance_type: String,
    pub spot: bool,
}

impl Cloud {
    /// The most virtual processors of the standard families that may run at once.
    pub async fn quota(&self, spot: bool) -> Result<f64, CloudError> {
        let asked = self.quotas.get_service_quota().service_code("ec2").quota_code(quota_code(spot));
        let told = call("servicequotas GetServiceQuota", asked.send()).await?;
        let value = told.quota.and_then(|quota| quota.value);
        value.ok_or_else(|| CloudError::failed("Service Quotas names no value"))
    }

    /// Everything that counts against those quotas.
    pub async fn running(&self) -> Result<Vec<Running>, CloudError> {
        let filter = Filter::builder().name("instance-state-name").values("pending").values("running").build();
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = self.ec2.describe_instances().filters(filter.clone()).max_results(1000).set_next_token(token);
            let page = call("ec2 DescribeInstances", page.send()).await?;
            let instances =
                page.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
            found.extend(instances.map(|instance| Running {
                instance_type: instance.instance_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
                spot: instance.instance_lifecycle == Some(InstanceLifecycleType::Spot),
            }));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}
