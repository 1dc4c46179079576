//! Whether names that a stack will give are still to be had, and whose account they are asked of. It takes none.

use aws_sdk_s3::error::SdkError;

use crate::cloud::Cloud;
use crate::cloud::error::{Class, CloudError, Outcome, call};

/// Who asks: whom the credentials are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    /// `arn:aws:iam::<account>:user/demo`.
    pub arn: String,
}

impl Caller {
    /// Whether it is the account's root user, who may do everything and whom no policy bounds.
    pub fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }
}

/// Whose a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Nobodys,
    ThisAccounts,
    Anothers,
}

impl Cloud {
    /// Whom the credentials are of. It also answers [`Cloud::account`].
    pub async fn caller(&self) -> Result<Caller, CloudError> {
        let caller = self.asked_caller().await?;
        self.is_of_account(&caller.account);
        Ok(caller)
    }

    pub(super) async fn asked_caller(&self) -> Result<Caller, CloudError> {
        let told = call("sts GetCallerIdentity", self.sts.get_caller_identity().send()).await?;
        let nobodys = || CloudError::failed("AWS does not say which account these credentials are of");
        Ok(Caller { account: told.account.ok_or_else(nobodys)?, arn: told.arn.unwrap_or_default() })
    }

    /// Whose a bucket's name is, of all accounts of the world.
    pub async fn whose_bucket(&self, name: &str) -> Result<Whose, CloudError> {
        let owner = self.account().await?;
        match self.s3.head_bucket().bucket(name).expected_bucket_owner(owner).send().await {
            Ok(_) => Ok(Whose::ThisAccounts),
            Err(error) => {
                // In another region it is somebody's too, and a redirection has no class of its own.
                let status = match &error {
                    SdkError::ServiceError(service) => service.raw().status().as_u16(),
                    _ => 0,
                };
                let error = CloudError::from_sdk("s3 HeadBucket", &error);
                match (error.class, status) {
                    (Class::Absent, _) => Ok(Whose::Nobodys),
                    (Class::Denied, 403) | (_, 301) => Ok(Whose::Anothers),
                    _ => Err(error),
                }
            }
        }
    }

    /// Whether the account has a role of this name, whatever its path.
    pub async fn has_role(&self, name: &str) -> Result<bool, CloudError> {
        let found = call("iam GetRole", self.iam.get_role().role_name(name).send()).await;
        Ok(found.or_absent()?.is_some())
    }

    /// Whether the account has an instance profile of this name.
    pub async fn has_instance_profile(&self, name: &str) -> Result<bool, CloudError> {
        let asked = self.iam.get_instance_profile().instance_profile_name(name).send();
        Ok(call("iam GetInstanceProfile", asked).await.or_absent()?.is_some())
    }

    /// The applications of a release in this region; `None` where it has no such release.
    pub async fn release(&self, label: &str) -> Result<Option<Vec<String>>, CloudError> {
        let asked = self.emr.describe_release_label().release_label(label).send();
        match call("emr DescribeReleaseLabel", asked).await {
            Ok(told) => {
                let told = told.applications.unwrap_or_default().into_iter();
                Ok(Some(told.filter_map(|application| application.name).collect()))
            }
            Err(error) if error.class == Class::Invalid || error.class == Class::Absent => Ok(None),
            Err(error) => Err(error),
        }
    }
}
