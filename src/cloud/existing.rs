//! Somebody else's things that a stack refers to: looked at, so that a plan does not rest on what is not there
//! or lies outside; never changed.

use aws_sdk_s3::error::SdkError;

use crate::cloud::Cloud;
use crate::cloud::error::{Class, CloudError, call};

impl Cloud {
    /// A bucket of this account in this region; elsewhere it is refused: data would leave the stack's region.
    pub async fn check_bucket(&self, name: &str) -> Result<(), CloudError> {
        let here = self.region.as_str();
        let outside = |region: &str| {
            CloudError::refused(format!("the existing bucket {name} lies in {region}, and the stack in {here}"))
        };
        let owner = self.account().await?;
        match self.s3.head_bucket().bucket(name).expected_bucket_owner(owner).send().await {
            Ok(head) => match head.bucket_region.as_deref() {
                Some(region) if region != here => Err(outside(region)),
                _ => Ok(()),
            },
            Err(error) => {
                // S3 answers a call to the wrong region with where the bucket is.
                let raw = match &error {
                    SdkError::ServiceError(service) => Some(service.raw()),
                    SdkError::ResponseError(response) => Some(response.raw()),
                    _ => None,
                };
                if let Some(region) =
                    raw.and_then(|raw| raw.headers().get("x-amz-bucket-region")).filter(|region| *region != here)
                {
                    return Err(outside(region));
                }
                let mut error = CloudError::from_sdk("s3 HeadBucket", &error);
                if error.class == Class::Denied {
                    // The answer to a HEAD has no body that would say it.
                    error.message = "another account's, or these credentials lack s3:ListBucket on it".into();
                }
                Err(named(error, &format!("the existing bucket {name}")))
            }
        }
    }

    pub async fn check_role(&self, name: &str) -> Result<(), CloudError> {
        let found = call("iam GetRole", self.iam.get_role().role_name(name).send()).await;
        found.map(drop).map_err(|error| named(error, &format!("the existing role {name}")))
    }

    pub async fn check_instance_profile(&self, name: &str) -> Result<(), CloudError> {
        let found =
            call("iam GetInstanceProfile", self.iam.get_instance_profile().instance_profile_name(name).send()).await;
        found.map(drop).map_err(|error| named(error, &format!("the existing instance profile {name}")))
    }

    pub async fn check_security_group(&self, id: &str) -> Result<(), CloudError> {
        let found = call("ec2 DescribeSecurityGroups", self.ec2.describe_security_groups().group_ids(id).send()).await;
        found.map(drop).map_err(|error| named(error, &format!("the existing security group {id}")))
    }
}

fn named(error: CloudError, what: &str) -> CloudError {
    let why = match error.class {
        Class::Absent => "does not exist in this account and region".to_owned(),
        Class::Denied => format!("cannot be looked at: {}", error.message),
        _ => error.message.clone(),
    };
    CloudError { message: format!("{what} {why}"), ..error }
}
