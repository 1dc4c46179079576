//! What bears a mark and no cluster uses, found without a stack's file: security groups, schedules, homes. It is facts;
//! whether anything of it is left over, others decide.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, SecurityGroup};
use jiff::Timestamp;

use crate::cloud::Cloud;
use crate::cloud::clock::moment_of;
use crate::cloud::error::{CloudError, Outcome, call};
use crate::cloud::mark::{MARKED, Mark};

/// A bucket that is called as a stack's home is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    pub bucket: String,
    /// By its name; its mark tells whether that is so.
    pub stack: String,
    pub created: Option<Timestamp>,
}

impl Cloud {
    /// Every security group that bears a whole mark, as its id.
    pub async fn marked_groups(&self) -> Result<Vec<(String, Mark)>, CloudError> {
        let marked = Filter::builder().name("tag-key").values(MARKED).build();
        let mut pages = self.ec2.describe_security_groups().filters(marked).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = call("ec2 DescribeSecurityGroups", std::future::ready(page)).await?;
            let groups = page.security_groups.unwrap_or_default().into_iter();
            found.extend(groups.filter_map(|group| Some((group.group_id.clone()?, mark(&group)?))));
        }
        Ok(found)
    }

    /// Every schedule of this name's ending, in the group that all accounts have: the names alone.
    pub async fn schedules(&self, ending: &str) -> Result<Vec<String>, CloudError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = self.scheduler.list_schedules().group_name("default").max_results(100).set_next_token(token);
            let Some(page) = call("scheduler ListSchedules", page.send()).await.or_absent()? else { return Ok(found) };
            let names = page.schedules.into_iter().filter_map(|schedule| schedule.name);
            found.extend(names.filter(|name| name.ends_with(ending)));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Every bucket of this region that is called as a home is; `ending` is what the names of homes end in.
    pub async fn homes(&self, ending: &str) -> Result<Vec<Home>, CloudError> {
        let (mut found, mut token) = (Vec::new(), None);
        let here = self.region.as_str();
        loop {
            let page = self.s3.list_buckets().bucket_region(here).max_buckets(1000).set_continuation_token(token);
            let page = call("s3 ListBuckets", page.send()).await?;
            for bucket in page.buckets.unwrap_or_default() {
                let near = bucket.bucket_region.as_deref().is_none_or(|region| region == here);
                let name = bucket.name.unwrap_or_default();
                if let Some(stack) = name.strip_suffix(ending).filter(|_| near) {
                    let created = bucket.creation_date.as_ref().and_then(moment_of);
                    found.push(Home { stack: stack.to_owned(), created, bucket: name.clone() });
                }
            }
            token = page.continuation_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The mark of a bucket, if it bears a whole one.
    pub async fn mark_of_bucket(&self, bucket: &str) -> Result<Option<Mark>, CloudError> {
        Ok(Mark::read_any(&self.bucket_tags(bucket).await?))
    }

    /// The tags of a bucket; none where there is no bucket.
    pub async fn bucket_tags(&self, bucket: &str) -> Result<BTreeMap<String, String>, CloudError> {
        let owner = self.account().await?;
        let get = self.s3.get_bucket_tagging().bucket(bucket).expected_bucket_owner(owner).send();
        let answer = call("s3 GetBucketTagging", get).await.or_absent()?;
        let tags = answer.map(|answer| answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect());
        Ok(tags.unwrap_or_default())
    }
}

fn mark(group: &SecurityGroup) -> Option<Mark> {
    let tags = group.tags().iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect();
    Mark::read_any(&tags)
}
