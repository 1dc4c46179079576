//! The request that would start a cluster, as the SDK itself writes it: built as `up` builds it, and sent nowhere.

use aws_sdk_emr::config::retry::RetryConfig;
use aws_sdk_emr::config::{BehaviorVersion, Credentials, Region};
use serde_json::Value;

use super::birth::{self, Named};
use super::{Cluster, emr_tags};
use crate::cloud::error::CloudError;
use crate::cloud::http::Kept;
use crate::residency::EuRegion;
use crate::resource::Ref;
use crate::resources::role_path;

/// Where a cluster would be started, and of which stack it is.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    pub stack: &'a str,
    pub region: EuRegion,
    pub account: &'a str,
}

impl Cluster {
    /// RunJobFlow's request as JSON, without the tags by which a stack knows its own: whoever sends it starts a cluster
    /// that is no stack's. What AWS alone names (our security groups) stands as `<security_group/primary>`.
    pub async fn spelt(&self, at: At<'_>) -> Result<Value, CloudError> {
        let Some(birth) = &self.birth else { return Err(CloudError::bug("a cluster without what it is started with")) };
        let kept = Kept::default();
        let config = aws_sdk_emr::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static(at.region.as_str()))
            .credentials_provider(Credentials::new("none", "none", None, None, "nothing is sent"))
            .retry_config(RetryConfig::disabled())
            .http_client(kept.clone());
        let emr = aws_sdk_emr::Client::from_conf(config.build());
        let fixed = &self.fixed;
        let name = |of: &Ref| match of {
            Ref::Theirs(id) => id.0.clone(),
            Ref::Ours(address) => format!("{}-{}", at.stack, address.key),
        };
        let arn = |of: &Ref| match of {
            Ref::Theirs(id) => id.0.clone(),
            Ref::Ours(_) => {
                at.region.arn("iam", false, at.account, &format!("role{}{}", role_path(at.stack), name(of)))
            }
        };
        let group = |of: &Ref| match of {
            Ref::Theirs(id) => id.0.clone(),
            Ref::Ours(address) => format!("<{address}>"),
        };
        let named = Named {
            service_role: arn(&fixed.service_role),
            instance_profile: name(&fixed.instance_profile),
            primary_group: group(&fixed.primary_group),
            core_group: group(&fixed.core_group),
            service_group: fixed.service_group.as_ref().map(group),
        };
        let run = birth::request(&emr, self, birth, named);
        // It is answered by nobody: only what was to be sent counts.
        let _ = run.set_tags(Some(emr_tags(self.changeable.tags.clone()))).send().await;
        let body = kept.body().ok_or_else(|| CloudError::bug("the SDK wrote no request"))?;
        serde_json::from_slice(&body).map_err(|error| CloudError::bug(format!("the SDK wrote no JSON: {error}")))
    }
}
