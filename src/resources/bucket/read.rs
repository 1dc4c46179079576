//! Reading buckets: one listing by the stack's prefix, then the settings of each that is the stack's. It never
//! reads one of another region, and takes a bucket that is closed to us for somebody else's.

use std::sync::Arc;

use aws_sdk_s3::types::{BucketVersioningStatus, ExpirationStatus, LifecycleRule};
use futures::future::try_join_all;

use super::{Bucket, NAME, Settings};
use crate::cloud::error::{Class, CloudError, Outcome, call};
use crate::cloud::mark::{Lost, Mark, marked, own_tags};
use crate::cloud::proof::{default_encryption, is_closed};
use crate::resource::{Address, Cx, Id, Live};
use crate::resources::home_name;

/// Every bucket that bears the stack's mark, with its settings.
pub(super) async fn list(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    let mut found = Vec::new();
    let mut token = None;
    let prefix = format!("{}-", cx.stack);
    loop {
        let page = cx.cloud.s3.list_buckets().prefix(&prefix).max_buckets(1000).set_continuation_token(token).send();
        let page = call("s3 ListBuckets", page).await?;
        for bucket in page.buckets.unwrap_or_default() {
            found.push((bucket.name.unwrap_or_default(), bucket.bucket_region));
        }
        token = page.continuation_token;
        if token.is_none() {
            break;
        }
    }
    let here = cx.cloud.region.as_str();
    if let Some((name, region)) = elsewhere(&found, here, &cx.stack, cx.cloud.account().await?) {
        return Err(CloudError::refused(format!(
            "stack `{}` lives in {region} (its home is {name}) and the file says {here}: write `region: {region}` again, or destroy it there first",
            cx.stack
        )));
    }
    let near = found.into_iter().filter(|(_, region)| region.as_deref().is_none_or(|r| r == here));
    let found = try_join_all(near.map(|(name, _)| async move { read(cx, &name).await })).await?;
    Ok(found.into_iter().flatten().collect())
}

/// The stack's home in another region: a stack whose `region:` was edited would start a second life.
fn elsewhere<'a>(
    found: &'a [(String, Option<String>)],
    here: &str,
    stack: &str,
    account: &str,
) -> Option<(&'a str, &'a str)> {
    let home = home_name(stack, account);
    found.iter().find_map(|(name, region)| {
        region.as_deref().filter(|r| *r != here && *name == home).map(|r| (name.as_str(), r))
    })
}

/// One bucket with all its settings; `None` if it does not bear the stack's mark. The mark is asked for first: another stack's
/// name may begin like this one's, and its settings are nobody's business here. Clusters take as many steps to be read.
async fn read(cx: &Cx, name: &str) -> Result<Option<Live>, CloudError> {
    let (s3, owner) = (&cx.cloud.s3, cx.cloud.account().await?);
    let tags = match cx.cloud.bucket_tags(name).await {
        // Closed to us: then it is not ours. But where our own policy lacks the permission, nothing is known.
        Err(error) if error.class == Class::Denied && !error.message.contains("identity-based policy") => {
            return Ok(None);
        }
        tags => tags?,
    };
    let Some(mark) = Mark::read(&tags, &cx.stack) else {
        let key = name.strip_prefix(&format!("{}-", cx.stack)).and_then(|rest| rest.strip_suffix(&format!("-{owner}")));
        if let Some(key) = key.filter(|_| !marked(&tags)) {
            cx.say(&Address::new(NAME, name), cx.mark(&Bucket::at(key)).lost(&Lost::Bucket(name)));
        }
        return Ok(None);
    };
    let Some(key) = mark.key(NAME).map(str::to_owned) else { return Ok(None) };
    let home = name == home_name(&cx.stack, owner);
    let versioning = async {
        if home {
            return Ok(None);
        }
        let get = s3.get_bucket_versioning().bucket(name).expected_bucket_owner(owner).send();
        call("s3 GetBucketVersioning", get).await.or_absent()
    };
    let lifecycle = async {
        if home {
            return Ok(None);
        }
        let get = s3.get_bucket_lifecycle_configuration().bucket(name).expected_bucket_owner(owner).send();
        call("s3 GetBucketLifecycleConfiguration", get).await.or_absent()
    };
    let ownership = async {
        if home {
            return Ok(None);
        }
        let get = s3.get_bucket_ownership_controls().bucket(name).expected_bucket_owner(owner).send();
        call("s3 GetBucketOwnershipControls", get).await.or_absent()
    };
    let (block, encryption, versioning, lifecycle, ownership, policy) = futures::join!(
        call("s3 GetPublicAccessBlock", s3.get_public_access_block().bucket(name).expected_bucket_owner(owner).send()),
        call("s3 GetBucketEncryption", s3.get_bucket_encryption().bucket(name).expected_bucket_owner(owner).send()),
        versioning,
        lifecycle,
        ownership,
        call("s3 GetBucketPolicy", s3.get_bucket_policy().bucket(name).expected_bucket_owner(owner).send()),
    );
    let block = block.or_absent()?.and_then(|b| b.public_access_block_configuration);
    let encryption = encryption.or_absent()?.and_then(|e| e.server_side_encryption_configuration);
    let expire = lifecycle?.and_then(|l| l.rules).unwrap_or_default();
    let controls = ownership?.and_then(|o| o.ownership_controls).map(|c| c.rules).unwrap_or_default();
    let policy = policy.or_absent()?.and_then(|p| p.policy);
    let settings = Settings {
        public_access_blocked: is_closed(block.as_ref()),
        ownership: controls.first().map(|rule| rule.object_ownership.as_str().to_owned()).unwrap_or_default(),
        encryption: default_encryption(encryption).unwrap_or_default(),
        versioning: versioning?.and_then(|v| v.status) == Some(BucketVersioningStatus::Enabled),
        expire: expire.into_iter().filter_map(expiring).collect(),
        policy: policy.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        tags: own_tags(&tags),
    };
    let bucket = Bucket { key, name: name.to_owned(), region: cx.cloud.region, settings };
    Ok(Some(Live { id: Id(name.to_owned()), resource: Arc::new(bucket), mark }))
}

/// An expiry as the stack writes them: a prefix and days. What else a rule does was not asked for by the stack: it
/// is told under the rule's name, with 0 days, and goes when the rules are written anew.
fn expiring(rule: LifecycleRule) -> Option<(String, i32)> {
    if rule.status != ExpirationStatus::Enabled {
        return None;
    }
    let days = rule.expiration.as_ref().and_then(|e| e.days);
    let filter = rule.filter.as_ref();
    let narrower = filter.is_some_and(|f| {
        f.tag.is_some() || f.and.is_some() || f.object_size_less_than.is_some() || f.object_size_greater_than.is_some()
    });
    let more = !rule.transitions().is_empty()
        || !rule.noncurrent_version_transitions().is_empty()
        || rule.noncurrent_version_expiration.is_some()
        || rule.abort_incomplete_multipart_upload.is_some();
    #[expect(deprecated, reason = "rules of old tools still say it")]
    let prefix = filter.and_then(|f| f.prefix.clone()).or(rule.prefix).unwrap_or_default();
    match days {
        Some(days) if !narrower && !more => Some((prefix, days)),
        _ => Some((format!("rule {}", rule.id.unwrap_or_default()), 0)),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{LifecycleExpiration, LifecycleRuleFilter, Tag};

    use super::*;

    fn read(filter: LifecycleRuleFilter) -> Option<(String, i32)> {
        let rule = LifecycleRule::builder().id("x").filter(filter).status(ExpirationStatus::Enabled);
        let rule = rule.expiration(LifecycleExpiration::builder().days(1).build());
        expiring(rule.build().expect("a rule"))
    }

    #[test]
    fn an_expiry_that_the_stack_cannot_say_is_none_that_it_says() {
        assert_eq!(read(LifecycleRuleFilter::builder().prefix("a/").build()), Some(("a/".into(), 1)));
        let tag = Tag::builder().key("k").value("v").build().expect("a tag");
        assert_eq!(read(LifecycleRuleFilter::builder().tag(tag).build()), Some(("rule x".into(), 0)));
    }
}
