//! Kind `security_group`: the walls around the primary and the core nodes. Only rules that name addresses are compared: EMR
//! adds its own, which name groups, to every group it is given, and needs them while a cluster lives.

mod holders;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, SecurityGroup as Found, Tag, TagSpecification,
};
use futures::future::BoxFuture;
use serde_json::json;

use crate::cloud::error::{Class, CloudError, Outcome, call};
use crate::cloud::mark::{Lost, MARKED, Mark, own_tags};
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Live, OnDown, Resource};
use crate::resources::patiently;

const NAME: &str = "security_group";

pub const KIND: Kind = Kind {
    name: NAME,
    on_down: OnDown::Goes,
    in_home: false,
    list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(list(cx)) },
};

/// Network interfaces of ended nodes hold on to their groups for a while.
const LET_GO: Duration = Duration::from_mins(10);

/// EC2's listings catch up with what was made within this.
const LISTED: Duration = Duration::from_mins(1);

/// What our own rules are described by, to be told from EMR's.
const OURS: &str = "fruitsinfra: access written in the stack";

#[derive(Clone, Debug, PartialEq)]
pub struct SecurityGroup {
    pub key: String,
    pub name: String,
    pub vpc: String,
    /// What is open to addresses.
    pub access: BTreeSet<Rule>,
    pub tags: BTreeMap<String, String>,
}

/// An opening to addresses: `22 from 203.0.113.7/32`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// `tcp`, `udp`, a protocol's number, or `-1` for all of them.
    protocol: String,
    /// First and last port; of ICMP, type and code.
    ports: Option<(i32, i32)>,
    /// A range of addresses, or the id of a list of ranges.
    from: String,
}

impl Rule {
    pub fn tcp(port: u16, from: impl Into<String>) -> Self {
        Self { protocol: "tcp".into(), ports: Some((port.into(), port.into())), from: from.into() }
    }

    fn permission(&self) -> IpPermission {
        let Self { protocol, ports, from } = self;
        let permission = IpPermission::builder().ip_protocol(protocol);
        let (first, last) = ports.unzip();
        let permission = permission.set_from_port(first).set_to_port(last);
        if from.starts_with("pl-") {
            permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(from).description(OURS).build()).build()
        } else if from.contains(':') {
            permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(from).description(OURS).build()).build()
        } else {
            permission.ip_ranges(IpRange::builder().cidr_ip(from).description(OURS).build()).build()
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, ports, from } = self;
        let ports = match ports {
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
            None => "all ports".into(),
        };
        match protocol.as_str() {
            "tcp" => write!(f, "{ports} from {from}"),
            "-1" => write!(f, "everything from {from}"),
            other => write!(f, "{other} {ports} from {from}"),
        }
    }
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
        let tags: BTreeMap<_, _> = tags.iter().filter(|(k, v)| *k != "Name" || *v != name).collect();
        let access: Vec<String> = access.iter().map(Rule::to_string).collect();
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
        let create = create.description(self.description(&cx.stack)).tag_specifications(tags.build());
        let id = match call("ec2 CreateSecurityGroup", create.send()).await {
            Ok(made) => made.group_id.ok_or_else(|| CloudError::failed("AWS made a security group without an id"))?,
            Err(error) if error.class == Class::Taken => {
                patiently(cx, &self.address(), LISTED, || self.claim(cx)).await?
            }
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
            let inward = group.ip_permissions.unwrap_or_default();
            if !inward.is_empty() {
                let revoke = cx.cloud.ec2.revoke_security_group_ingress().group_id(&id.0);
                let revoke = revoke.set_ip_permissions(Some(inward)).send();
                call("ec2 RevokeSecurityGroupIngress", revoke).await.or_absent()?;
            }
            let outward = group.ip_permissions_egress.unwrap_or_default().into_iter();
            let outward: Vec<_> = outward.filter(|p| !p.user_id_group_pairs().is_empty()).collect();
            if !outward.is_empty() {
                let revoke = cx.cloud.ec2.revoke_security_group_egress().group_id(&id.0);
                let revoke = revoke.set_ip_permissions(Some(outward)).send();
                call("ec2 RevokeSecurityGroupEgress", revoke).await.or_absent()?;
            }
        }
        patiently(cx, &self.address(), LET_GO, || async {
            let delete = cx.cloud.ec2.delete_security_group().group_id(&id.0).send();
            match call("ec2 DeleteSecurityGroup", delete).await {
                Err(error) if error.class == Class::InUse => {
                    let message = format!("{} ({id}) is held by {}", self.name, holders::of(cx, id, &self.vpc).await?);
                    Err(CloudError { message, ..error })
                }
                other => other.map(drop),
            }
        })
        .await
        .or_absent()?;
        Ok(())
    }
}

impl SecurityGroup {
    fn tag_list(&self, cx: &Cx) -> Vec<Tag> {
        let mut all: BTreeMap<String, String> = self.tags.clone().into_iter().collect();
        all.extend(cx.mark(&self.address()).tags());
        // What the console shows, unless the stack says another.
        all.entry("Name".into()).or_insert_with(|| self.name.clone());
        all.into_iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect()
    }

    /// The id of the group that has this name already, if it is this one.
    async fn claim(&self, cx: &Cx) -> Result<String, CloudError> {
        let found = find(cx, "group-name", &self.name).await?;
        let Some(same) = found.into_iter().find(|group| group.vpc_id.as_deref() == Some(&self.vpc)) else {
            return Err(CloudError::new(Class::NotYet, format!("security group {} is not listed yet", self.name)));
        };
        let id = same.group_id.clone().unwrap_or_default();
        if mark(&same, &cx.stack).is_some_and(|mark| mark.address == self.address().to_string()) {
            return Ok(id);
        }
        let taken = CloudError::taken(format!("security group {} already exists and is not this stack's", self.name));
        // A description cannot be changed: it still tells what the tags no longer do.
        let was_ours = same.description.as_deref() == Some(self.description(&cx.stack).as_str());
        Err(if was_ours { taken.with_detail(cx.mark(&self.address()).lost(&Lost::Ec2(&id))) } else { taken })
    }

    fn description(&self, stack: &str) -> String {
        format!("{} of stack {stack}", self.key)
    }

    async fn allow(&self, cx: &Cx, id: &Id, rules: impl Iterator<Item = &Rule>) -> Result<(), CloudError> {
        for rule in rules {
            let allow =
                cx.cloud.ec2.authorize_security_group_ingress().group_id(&id.0).ip_permissions(rule.permission());
            match call("ec2 AuthorizeSecurityGroupIngress", allow.send()).await {
                Err(error) if error.code.as_deref() != Some("InvalidPermission.Duplicate") => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn refuse(&self, cx: &Cx, id: &Id, rules: impl Iterator<Item = &Rule>) -> Result<(), CloudError> {
        for rule in rules {
            let revoke = cx.cloud.ec2.revoke_security_group_ingress().group_id(&id.0).ip_permissions(rule.permission());
            match call("ec2 RevokeSecurityGroupIngress", revoke.send()).await {
                Err(error) if error.code.as_deref() != Some("InvalidPermission.NotFound") => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The rules in a group that open it to addresses, whoever wrote them: one opened by hand is drift. EMR's own name
/// groups, never addresses; EC2 tells both together where protocol and ports are the same.
fn access(group: &Found) -> Vec<Rule> {
    let rules = group.ip_permissions().iter().flat_map(|p| {
        let v4 = p.ip_ranges().iter().filter_map(|range| range.cidr_ip.clone());
        let v6 = p.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6.clone());
        let lists = p.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id.clone());
        let protocol = p.ip_protocol.clone().unwrap_or_default();
        let ports = p.from_port.zip(p.to_port).filter(|_| protocol != "-1");
        v4.chain(v6).chain(lists).map(move |from| Rule { protocol: protocol.clone(), ports, from })
    });
    rules.collect()
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
    let narrowed = Filter::builder().name(filter).values(value).build();
    let mut pages = cx.cloud.ec2.describe_security_groups().filters(narrowed).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = call("ec2 DescribeSecurityGroups", std::future::ready(page)).await?;
        found.extend(page.security_groups.unwrap_or_default());
    }
    // A model of EC2 that does not know a filter answers with every group.
    found.retain(|group| filter != "group-name" || group.group_name() == Some(value));
    Ok(found)
}

async fn list(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    let found = find(cx, &format!("tag:{MARKED}"), &cx.stack).await?;
    let live = found.iter().filter_map(|found| {
        let mark = mark(found, &cx.stack)?;
        let name = found.group_name.clone()?;
        let mut own = own_tags(&tags(found));
        if own.get("Name") == Some(&name) {
            own.remove("Name");
        }
        let group = SecurityGroup {
            key: mark.key(NAME)?.to_owned(),
            name,
            vpc: found.vpc_id.clone()?,
            access: access(found).into_iter().collect(),
            tags: own,
        };
        Some(Live { id: Id(found.group_id.clone()?), resource: Arc::new(group), mark })
    });
    Ok(live.collect())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::UserIdGroupPair;

    use super::*;

    fn opened(permission: IpPermission) -> Vec<String> {
        access(&Found::builder().ip_permissions(permission).build()).iter().map(Rule::to_string).collect()
    }

    fn ranges() -> aws_sdk_ec2::types::builders::IpPermissionBuilder {
        IpPermission::builder().ip_ranges(IpRange::builder().cidr_ip("198.51.100.0/24").build())
    }

    #[test]
    fn an_opening_is_seen_whole() {
        let tcp = |first, last| ranges().ip_protocol("tcp").from_port(first).to_port(last).build();
        assert_eq!(opened(tcp(22, 22)), ["22 from 198.51.100.0/24"]);
        assert_eq!(opened(tcp(22, 9999)), ["22-9999 from 198.51.100.0/24"]);
        let udp = ranges().ip_protocol("udp").from_port(22).to_port(22).build();
        assert_eq!(opened(udp), ["udp 22 from 198.51.100.0/24"]);
        assert_eq!(opened(ranges().ip_protocol("-1").build()), ["everything from 198.51.100.0/24"]);
    }

    #[test]
    fn an_opening_is_seen_beside_a_rule_of_emrs_with_the_same_ports() {
        let emrs = UserIdGroupPair::builder().group_id("sg-1").build();
        let both = ranges().ip_protocol("tcp").from_port(0).to_port(65535).user_id_group_pairs(emrs.clone()).build();
        assert_eq!(opened(both), ["0-65535 from 198.51.100.0/24"]);
        assert_eq!(opened(IpPermission::builder().ip_protocol("tcp").user_id_group_pairs(emrs).build()), [""; 0]);
    }

    #[test]
    fn a_rule_is_revoked_as_it_was_told() {
        let told = ranges().ip_protocol("-1").build();
        let rule = access(&Found::builder().ip_permissions(told).build()).remove(0);
        let permission = rule.permission();
        assert_eq!((permission.ip_protocol(), permission.from_port(), permission.to_port()), (Some("-1"), None, None));
    }
}
