//! Kind `security_group`: the walls around the primary and the core nodes. Only rules that we wrote are
//! compared: EMR adds its own to every group it is given, and needs them while a cluster lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, ResourceType, SecurityGroup as Found, Tag, TagSpecification,
    UserIdGroupPair,
};
use futures::future::BoxFuture;
use serde_json::json;

use crate::cloud::error::{Class, CloudError, Outcome, call};
use crate::cloud::mark::{Mark, own_tags};
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Live, OnDown, Resource};
use crate::resources::patiently;

const NAME: &str = "security_group";

pub const KIND: Kind =
    Kind { name: NAME, on_down: OnDown::Goes, list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(list(cx)) } };

/// Network interfaces of ended nodes hold on to their groups for a while.
const LET_GO: Duration = Duration::from_mins(10);

/// What was just made is listed within this.
const LISTED: Duration = Duration::from_mins(2);

/// What our own rules are described by, to be told from EMR's.
const OURS: &str = "fruitsinfra: access written in the stack";

#[derive(Clone, Debug, PartialEq)]
pub struct SecurityGroup {
    pub key: String,
    pub name: String,
    pub vpc: String,
    /// TCP ports open to addresses: `22 from 203.0.113.7/32`.
    pub access: BTreeSet<(u16, String)>,
    pub tags: BTreeMap<String, String>,
}

impl SecurityGroup {
    pub fn at(key: &str) -> Address {
        Address::new(NAME, key)
    }
}

#[async_trait]
impl Resource for SecurityGroup {
    fn address(&self) -> Address {
        Self::at(&self.key)
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<Field> {
        let Self { key: _, name, vpc, access, tags } = self;
        let access: Vec<String> = access.iter().map(|(port, from)| format!("{port} from {from}")).collect();
        vec![
            Field::replaces("name", name.as_str()),
            Field::replaces("vpc", vpc.as_str()),
            Field::updates("access", access),
            Field::updates("tags", json!(tags)),
        ]
    }

    async fn create(&self, cx: &Cx) -> Result<Id, CloudError> {
        let tags =
            TagSpecification::builder().resource_type(ResourceType::SecurityGroup).set_tags(Some(self.tag_list(cx)));
        let create = cx.cloud.ec2.create_security_group().group_name(&self.name).vpc_id(&self.vpc);
        let create = create.description(format!("{} of stack {}", self.key, cx.stack)).tag_specifications(tags.build());
        let id = match call("ec2 CreateSecurityGroup", create.send()).await {
            Ok(made) => made.group_id.ok_or_else(|| CloudError::failed("AWS made a security group without an id"))?,
            Err(error) if error.class == Class::Taken => self.claim(cx).await?,
            Err(error) => return Err(error),
        };
        let id = Id(id);
        self.allow(cx, &id, self.access.iter()).await?;
        Ok(id)
    }

    async fn update(&self, cx: &Cx, id: &Id, changes: &[Change]) -> Result<(), CloudError> {
        for change in changes {
            match change.field {
                "access" => {
                    let live = by_id(cx, id).await?.iter().flat_map(access).collect::<BTreeSet<_>>();
                    self.refuse(cx, id, live.difference(&self.access)).await?;
                    self.allow(cx, id, self.access.difference(&live)).await?;
                }
                "tags" => {
                    let dropped = change
                        .from
                        .as_object()
                        .into_iter()
                        .flatten()
                        .map(|(k, _)| k)
                        .filter(|k| !self.tags.contains_key(*k));
                    let dropped: Vec<Tag> = dropped.map(|k| Tag::builder().key(k).build()).collect();
                    let create = cx.cloud.ec2.create_tags().resources(&id.0).set_tags(Some(self.tag_list(cx)));
                    call("ec2 CreateTags", create.send()).await?;
                    if !dropped.is_empty() {
                        call(
                            "ec2 DeleteTags",
                            cx.cloud.ec2.delete_tags().resources(&id.0).set_tags(Some(dropped)).send(),
                        )
                        .await?;
                    }
                }
                other => return Err(CloudError::bug(format!("a security group has no field {other}"))),
            }
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        // EMR's rules in primary and core name one another: neither could go first.
        for group in by_id(cx, id).await? {
            let permissions = group.ip_permissions.unwrap_or_default();
            if !permissions.is_empty() {
                let revoke =
                    cx.cloud.ec2.revoke_security_group_ingress().group_id(&id.0).set_ip_permissions(Some(permissions));
                call("ec2 RevokeSecurityGroupIngress", revoke.send()).await.or_absent()?;
            }
        }
        patiently(cx, &self.address(), LET_GO, || {
            call("ec2 DeleteSecurityGroup", cx.cloud.ec2.delete_security_group().group_id(&id.0).send())
        })
        .await
        .or_absent()?;
        Ok(())
    }
}

impl SecurityGroup {
    fn tag_list(&self, cx: &Cx) -> Vec<Tag> {
        let all = self
            .tags
            .clone()
            .into_iter()
            .chain(cx.mark(&self.address()).tags())
            .chain([("Name".to_owned(), self.name.clone())]);
        all.map(|(k, v)| Tag::builder().key(k).value(v).build()).collect()
    }

    /// The id of the group that has this name already, if it is this one.
    async fn claim(&self, cx: &Cx) -> Result<String, CloudError> {
        // A name is taken at once, and listed a moment later: not listed is not another's.
        let address = self.address();
        let found = patiently(cx, &address, LISTED, || async {
            let found = find(cx, "group-name", &self.name).await?;
            let here = found.into_iter().find(|group| group.vpc_id.as_deref() == Some(&self.vpc));
            here.ok_or_else(|| CloudError::new(Class::NotYet, format!("{} exists and is not listed yet", self.name)))
        });
        let found = found.await?;
        let same = mark(&found, &cx.stack).is_some_and(|mark| mark.address == address.to_string());
        found.group_id.filter(|_| same).ok_or_else(|| {
            CloudError::taken(format!("security group {} already exists and is not this stack's", self.name))
        })
    }

    async fn allow(&self, cx: &Cx, id: &Id, rules: impl Iterator<Item = &(u16, String)>) -> Result<(), CloudError> {
        for rule in rules {
            let allow =
                cx.cloud.ec2.authorize_security_group_ingress().group_id(&id.0).ip_permissions(permission(rule));
            match call("ec2 AuthorizeSecurityGroupIngress", allow.send()).await {
                Err(error) if error.code.as_deref() != Some("InvalidPermission.Duplicate") => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn refuse(&self, cx: &Cx, id: &Id, rules: impl Iterator<Item = &(u16, String)>) -> Result<(), CloudError> {
        for rule in rules {
            let revoke = cx.cloud.ec2.revoke_security_group_ingress().group_id(&id.0).ip_permissions(permission(rule));
            match call("ec2 RevokeSecurityGroupIngress", revoke.send()).await {
                Err(error) if error.code.as_deref() != Some("InvalidPermission.NotFound") => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn permission((port, from): &(u16, String)) -> IpPermission {
    let permission = IpPermission::builder().ip_protocol("tcp").from_port((*port).into()).to_port((*port).into());
    if from.contains(':') {
        permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(from).description(OURS).build()).build()
    } else {
        permission.ip_ranges(IpRange::builder().cidr_ip(from).description(OURS).build()).build()
    }
}

/// The rules in a group that open it to addresses, whoever wrote them: one opened by hand is drift. EMR's
/// own name groups, never addresses.
fn access(group: &Found) -> Vec<(u16, String)> {
    let groups_only = |pairs: &[UserIdGroupPair]| !pairs.is_empty();
    let rules = group.ip_permissions().iter().filter(|p| !groups_only(p.user_id_group_pairs()));
    rules
        .flat_map(|p| {
            let port = p.from_port.and_then(|port| port.try_into().ok()).unwrap_or(0);
            let v4 = p.ip_ranges().iter().filter_map(|r| r.cidr_ip.clone());
            let v6 = p.ipv6_ranges().iter().filter_map(|r| r.cidr_ipv6.clone());
            v4.chain(v6).map(move |from| (port, from)).collect::<Vec<_>>()
        })
        .collect()
}

fn tags(group: &Found) -> BTreeMap<String, String> {
    group.tags().iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect()
}

fn mark(group: &Found, stack: &str) -> Option<Mark> {
    Mark::read(&tags(group), stack)
}

/// The group of this id, told at once where a listing would lag.
async fn by_id(cx: &Cx, id: &Id) -> Result<Vec<Found>, CloudError> {
    let asked = cx.cloud.ec2.describe_security_groups().group_ids(&id.0).send();
    let answer = call("ec2 DescribeSecurityGroups", asked).await.or_absent()?;
    Ok(answer.and_then(|answer| answer.security_groups).unwrap_or_default())
}

async fn find(cx: &Cx, filter: &str, value: &str) -> Result<Vec<Found>, CloudError> {
    let mut pages = cx
        .cloud
        .ec2
        .describe_security_groups()
        .filters(Filter::builder().name(filter).values(value).build())
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(
            call("ec2 DescribeSecurityGroups", std::future::ready(page)).await?.security_groups.unwrap_or_default(),
        );
    }
    Ok(found)
}

async fn list(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    let found = find(cx, "tag:fruitsinfra:stack", &cx.stack).await?;
    let live = found.iter().filter_map(|found| {
        let mark = mark(found, &cx.stack)?;
        let mut own = own_tags(&tags(found));
        own.remove("Name");
        let group = SecurityGroup {
            key: mark.key(NAME)?.to_owned(),
            name: found.group_name.clone()?,
            vpc: found.vpc_id.clone()?,
            access: access(found).into_iter().collect(),
            tags: own,
        };
        Some(Live { id: Id(found.group_id.clone()?), resource: Arc::new(group), mark })
    });
    Ok(live.collect())
}
