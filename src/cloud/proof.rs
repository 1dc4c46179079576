//! What S3 answers of a bucket when it is asked where it lies, who may see it and where copies of it go. It changes
//! nothing, and takes no answer for another: what may not be asked stays unanswered.

use aws_sdk_s3::types::{
    BucketLocationConstraint, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionConfiguration,
};
use serde::Serialize;

use crate::cloud::Cloud;
use crate::cloud::error::{Class, CloudError, Outcome, call};

/// A bucket by S3's own word; what is `None` could not be asked, and `unasked` says why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// `eu-west-3`.
    pub region: Option<String>,
    /// `AES256`, or a KMS key's ARN; `none` where nothing is encrypted by default.
    pub encryption: Option<String>,
    /// Whether all four switches of the public access block are on.
    pub public_access_blocked: Option<bool>,
    /// Buckets that copies go to, by ARN.
    pub replicas: Option<Vec<String>>,
    pub unasked: Vec<String>,
}

impl Cloud {
    /// Asks S3 of a bucket of this account. An answer that is refused is told; whatever else fails is an error.
    pub async fn bucket_proof(&self, bucket: &str) -> Result<Proof, CloudError> {
        let (s3, owner) = (&self.s3, self.account().await?);
        let (region, encryption, block, replication) = futures::join!(
            call("s3 GetBucketLocation", s3.get_bucket_location().bucket(bucket).expected_bucket_owner(owner).send()),
            call(
                "s3 GetBucketEncryption",
                s3.get_bucket_encryption().bucket(bucket).expected_bucket_owner(owner).send()
            ),
            call(
                "s3 GetPublicAccessBlock",
                s3.get_public_access_block().bucket(bucket).expected_bucket_owner(owner).send()
            ),
            call(
                "s3 GetBucketReplication",
                s3.get_bucket_replication().bucket(bucket).expected_bucket_owner(owner).send()
            ),
        );
        let mut proof = Proof::default();
        proof.region = proof.heard(region)?.map(|answer| located(answer.location_constraint.as_ref()));
        proof.encryption = proof.heard(encryption.or_absent())?.map(|answer| {
            let default = default_encryption(answer.and_then(|told| told.server_side_encryption_configuration));
            default.unwrap_or_else(|| "none".into())
        });
        proof.public_access_blocked = proof
            .heard(block.or_absent())?
            .map(|answer| is_closed(answer.and_then(|told| told.public_access_block_configuration).as_ref()));
        proof.replicas = proof.heard(replication.or_absent())?.map(|answer| {
            let rules = answer.and_then(|r| r.replication_configuration).map(|c| c.rules).unwrap_or_default();
            rules.into_iter().filter_map(|rule| Some(rule.destination?.bucket)).collect()
        });
        Ok(proof)
    }
}

impl Proof {
    fn heard<T>(&mut self, answer: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.class == Class::Denied => {
                self.unasked.push(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether all four switches of a public access block are on.
pub fn is_closed(block: Option<&PublicAccessBlockConfiguration>) -> bool {
    block.is_some_and(|b| {
        [b.block_public_acls, b.ignore_public_acls, b.block_public_policy, b.restrict_public_buckets] == [Some(true); 4]
    })
}

/// How a bucket encrypts what nobody says it of: `AES256`, or a KMS key's ARN; `None` where it does not.
pub fn default_encryption(told: Option<ServerSideEncryptionConfiguration>) -> Option<String> {
    let rules = told.map(|told| told.rules).unwrap_or_default();
    let default = rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default)?;
    Some(match default.kms_master_key_id {
        Some(key) if default.sse_algorithm == ServerSideEncryption::AwsKms => key,
        Some(key) => format!("{key} by {}", default.sse_algorithm.as_str()),
        None => default.sse_algorithm.as_str().to_owned(),
    })
}

/// The region behind S3's word for it: the oldest two have none, and an old one.
fn located(constraint: Option<&BucketLocationConstraint>) -> String {
    match constraint.map(BucketLocationConstraint::as_str) {
        None | Some("") => "us-east-1".into(),
        Some("EU") => "eu-west-1".into(),
        Some(region) => region.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3s_old_words_are_regions() {
        assert_eq!(located(None), "us-east-1");
        assert_eq!(located(Some(&BucketLocationConstraint::Eu)), "eu-west-1");
        assert_eq!(located(Some(&BucketLocationConstraint::EuWest3)), "eu-west-3");
    }
}
