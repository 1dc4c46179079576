//! Kind `bucket`: a place for data in the stack's region, closed to the public, encrypted, TLS only. It
//! never looks into a bucket of another region, and never deletes what it was not told to.

mod empty;
mod read;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::cloud::error::{Class, CloudError, call};
use crate::cloud::mark::{Lost, Mark, marked};
use crate::residency::EuRegion;
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Need, OnDown, Resource};
use crate::resources::{HOME, home, patiently};

const NAME: &str = "bucket";

pub const KIND: Kind = Kind {
    name: NAME,
    on_down: OnDown::Stays,
    in_home: false,
    list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(read::list(cx)) },
};

/// S3 takes its time after a delete of the same name.
const CATCH_UP: Duration = Duration::from_mins(2);

#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    pub key: String,
    pub name: String,
    pub region: EuRegion,
    pub settings: Settings,
}

/// What can be changed in place, which is everything but the name and the region.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// All four switches of the public access block.
    pub public_access_blocked: bool,
    /// `BucketOwnerEnforced`: no ACLs.
    pub ownership: String,
    /// `AES256`, or a KMS key's ARN.
    pub encryption: String,
    pub versioning: bool,
    /// Days until objects below a prefix expire.
    pub expire: BTreeMap<String, i32>,
    pub policy: Value,
    pub tags: BTreeMap<String, String>,
}

impl Bucket {
    pub fn at(key: &str) -> Address {
        Address::new(NAME, key)
    }

    /// The policy that refuses plain HTTP to everybody.
    pub fn tls_only(region: EuRegion, name: &str) -> Value {
        let arn = region.arn("s3", false, "", name);
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, format!("{arn}/*")],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }],
        })
    }
}

#[async_trait]
impl Resource for Bucket {
    fn address(&self) -> Address {
        Self::at(&self.key)
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Need> {
        // Home is made first and deleted last: it holds the lease.
        if self.key == HOME { vec![] } else { vec![Need::orders(home())] }
    }

    fn fields(&self) -> Vec<Field> {
        let Self { key, name, region, settings } = self;
        let Settings { public_access_blocked, ownership, encryption, versioning, expire, policy, tags } = settings;
        let tls_only = *policy == Self::tls_only(*region, name);
        let mut fields = vec![
            Field::replaces("name", name.as_str()),
            Field::replaces("region", region.as_str()),
            Field::updates("public_access", if *public_access_blocked { "blocked" } else { "open" }),
            Field::updates("encryption", encryption.as_str()),
            Field::updates("policy", if tls_only { json!("TLS only") } else { policy.clone() }),
            Field::updates("tags", json!(tags)),
        ];
        // Home is written by this program alone, and reading these would cost every plan three calls.
        if key != HOME {
            fields.push(Field::updates("ownership", ownership.as_str()));
            fields.push(Field::updates("versioning", *versioning));
            fields.push(Field::updates("expire", json!(expire)));
        }
        fields
    }

    async fn create(&self, cx: &Cx) -> Result<Id, CloudError> {
        let tags: Vec<Tag> = all_tags(&self.settings.tags, &cx.mark(&self.address()))?;
        let location = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(self.region.as_str()))
            .set_tags(Some(tags))
            .build();
        let made = patiently(cx, &self.address(), CATCH_UP, || {
            let create = cx.cloud.s3.create_bucket().bucket(&self.name).create_bucket_configuration(location.clone());
            call("s3 CreateBucket", create.object_ownership(ObjectOwnership::BucketOwnerEnforced).send())
        })
        .await;
        match made {
            Ok(_) => {}
            // Also said of a bucket of this account that is not this stack's, or lies elsewhere.
            Err(error) if error.class == Class::Taken => self.claim(cx).await?,
            Err(error) => return Err(error),
        }
        // Tags and ownership went with the create call; what is off or empty is so at birth.
        let at_birth = [json!(false), json!({})];
        let rest = self.fields().into_iter().filter(|f| !f.replaces && !["tags", "ownership"].contains(&f.name));
        for field in rest.filter(|f| !at_birth.contains(&f.value)) {
            self.put(cx, field.name).await?;
        }
        Ok(Id(self.name.clone()))
    }

    async fn update(&self, cx: &Cx, _id: &Id, changes: &[Change]) -> Result<(), CloudError> {
        for change in changes {
            self.put(cx, change.field).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, _id: &Id) -> Result<(), CloudError> {
        empty::delete(cx, self).await
    }

    async fn holds(&self, cx: &Cx) -> Result<Option<String>, CloudError> {
        empty::holds(cx, &self.name).await
    }
}

impl Bucket {
    /// Says whether the bucket that is already there is this one.
    async fn claim(&self, cx: &Cx) -> Result<(), CloudError> {
        let owner = cx.cloud.account().await?;
        let taken = |why: &str| CloudError::taken(format!("bucket {} already exists and {why}", self.name));
        let head = cx.cloud.s3.head_bucket().bucket(&self.name).expected_bucket_owner(owner).send();
        let head = match call("s3 HeadBucket", head).await {
            Ok(head) => head,
            Err(error) if error.class == Class::Unknown => return Err(error),
            Err(error) if error.code.as_deref() == Some("PermanentRedirect") => {
                return Err(taken("lies in another region"));
            }
            Err(_) => return Err(taken("belongs to somebody else")),
        };
        if head.bucket_region.as_deref().is_some_and(|region| region != self.region.as_str()) {
            return Err(taken(&format!("lies in {}", head.bucket_region.unwrap_or_default())));
        }
        let (tags, mine) = (cx.cloud.bucket_tags(&self.name).await?, cx.mark(&self.address()));
        match Mark::read(&tags, &cx.stack) {
            Some(mark) if mark.address == mine.address => Ok(()),
            _ if marked(&tags) => Err(taken("is not this stack's")),
            _ => Err(taken("is not this stack's").with_detail(mine.lost(&Lost::Bucket(&self.name)))),
        }
    }

    /// Sets one field.
    async fn put(&self, cx: &Cx, field: &str) -> Result<(), CloudError> {
        patiently(cx, &self.address(), CATCH_UP, || self.put_once(cx, field)).await
    }

    async fn put_once(&self, cx: &Cx, field: &str) -> Result<(), CloudError> {
        let (s3, bucket, owner) = (&cx.cloud.s3, &self.name, cx.cloud.account().await?);
        let settings = &self.settings;
        match field {
            "public_access" => {
                let on = settings.public_access_blocked;
                let block = PublicAccessBlockConfiguration::builder()
                    .block_public_acls(on)
                    .ignore_public_acls(on)
                    .block_public_policy(on)
                    .restrict_public_buckets(on)
                    .build();
                let put = s3.put_public_access_block().bucket(bucket).public_access_block_configuration(block);
                call("s3 PutPublicAccessBlock", put.expected_bucket_owner(owner).send()).await.map(drop)
            }
            "ownership" => {
                let rule = OwnershipControlsRule::builder()
                    .object_ownership(ObjectOwnership::BucketOwnerEnforced)
                    .build()
                    .map_err(|e| built(&e))?;
                let controls = OwnershipControls::builder().rules(rule).build().map_err(|e| built(&e))?;
                let put = s3.put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls);
                call("s3 PutBucketOwnershipControls", put.expected_bucket_owner(owner).send()).await.map(drop)
            }
            "encryption" => {
                let put = s3
                    .put_bucket_encryption()
                    .bucket(bucket)
                    .server_side_encryption_configuration(encryption(&settings.encryption)?);
                call("s3 PutBucketEncryption", put.expected_bucket_owner(owner).send()).await.map(drop)
            }
            "versioning" => {
                let status = if settings.versioning {
                    BucketVersioningStatus::Enabled
                } else {
                    BucketVersioningStatus::Suspended
                };
                let put = s3
                    .put_bucket_versioning()
                    .bucket(bucket)
                    .versioning_configuration(VersioningConfiguration::builder().status(status).build());
                call("s3 PutBucketVersioning", put.expected_bucket_owner(owner).send()).await.map(drop)
            }
            "expire" if settings.expire.is_empty() => {
                let delete = s3.delete_bucket_lifecycle().bucket(bucket).expected_bucket_owner(owner);
                call("s3 DeleteBucketLifecycle", delete.send()).await.map(drop)
            }
            "expire" => {
                let put = s3
                    .put_bucket_lifecycle_configuration()
                    .bucket(bucket)
                    .lifecycle_configuration(lifecycle(&settings.expire)?);
                call("s3 PutBucketLifecycleConfiguration", put.expected_bucket_owner(owner).send()).await.map(drop)
            }
            "policy" => {
                let put = s3.put_bucket_policy().bucket(bucket).policy(settings.policy.to_string());
                call("s3 PutBucketPolicy", put.expected_bucket_owner(owner).send()).await.map(drop)
            }
            "tags" => {
                let tagging = Tagging::builder()
                    .set_tag_set(Some(all_tags(&settings.tags, &cx.mark(&self.address()))?))
                    .build()
                    .map_err(|e| built(&e))?;
                let put = s3.put_bucket_tagging().bucket(bucket).tagging(tagging);
                call("s3 PutBucketTagging", put.expected_bucket_owner(owner).send()).await.map(drop)
            }
            other => Err(CloudError::bug(format!("a bucket has no field {other}"))),
        }
    }
}

/// A request that the SDK's own builders refuse.
fn built(error: &aws_smithy_types::error::operation::BuildError) -> CloudError {
    CloudError::bug(error.to_string())
}

fn all_tags(own: &BTreeMap<String, String>, mark: &Mark) -> Result<Vec<Tag>, CloudError> {
    own.clone()
        .into_iter()
        .chain(mark.tags())
        .map(|(k, v)| Tag::builder().key(k).value(v).build().map_err(|e| built(&e)))
        .collect()
}

fn encryption(wanted: &str) -> Result<ServerSideEncryptionConfiguration, CloudError> {
    let default = if wanted == "AES256" {
        ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256)
    } else {
        ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms).kms_master_key_id(wanted)
    };
    // With a bucket key, KMS is asked once in a while and not once an object.
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default.build().map_err(|e| built(&e))?)
        .bucket_key_enabled(wanted != "AES256")
        .build();
    ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(|e| built(&e))
}

fn lifecycle(expire: &BTreeMap<String, i32>) -> Result<BucketLifecycleConfiguration, CloudError> {
    let rule = |(prefix, days): (&String, &i32)| {
        LifecycleRule::builder()
            .id(if prefix.is_empty() { "expire everything".to_owned() } else { format!("expire {prefix}") })
            .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
            .expiration(LifecycleExpiration::builder().days(*days).build())
            .status(ExpirationStatus::Enabled)
            .build()
            .map_err(|e| built(&e))
    };
    let rules = expire.iter().map(rule).collect::<Result<_, _>>()?;
    BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map_err(|e| built(&e))
}
