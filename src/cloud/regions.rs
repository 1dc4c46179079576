//! Which regions an account has: those of the EU that answer, those that are off, and those elsewhere, which are named
//! and never called.

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;

use crate::cloud::Cloud;
use crate::cloud::error::{CloudError, call};
use crate::residency::EuRegion;

/// An account's regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// In the EU, and on.
    pub on: Vec<EuRegion>,
    /// In the EU, and not enabled by this account: a call would only be refused.
    pub off: Vec<EuRegion>,
    /// Enabled, and outside the EU.
    pub abroad: Vec<String>,
}

/// The region of the caller's environment or profile, where it is one of the EU: it tells the partition.
pub async fn home() -> Option<EuRegion> {
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
    let region = chain.or_else(ProfileFileRegionProvider::new()).region().await?;
    region.as_ref().parse().ok()
}

impl Cloud {
    /// The account's regions, asked of this one.
    pub async fn regions(&self) -> Result<Regions, CloudError> {
        let answer = call("ec2 DescribeRegions", self.ec2.describe_regions().all_regions(true).send()).await?;
        let mut regions = Regions::default();
        for region in answer.regions.unwrap_or_default() {
            let name = region.region_name.unwrap_or_default();
            let on = region.opt_in_status.as_deref() != Some("not-opted-in");
            match (name.parse::<EuRegion>(), on) {
                (Ok(region), true) => regions.on.push(region),
                (Ok(region), false) => regions.off.push(region),
                (Err(_), true) => regions.abroad.push(name),
                (Err(_), false) => {}
            }
        }
        regions.on.sort();
        regions.off.sort();
        regions.abroad.sort();
        Ok(regions)
    }
}
