//! Who holds on to a security group that should go: rules of other groups, network interfaces, endpoints. Told by
//! name with what a person can type; it never takes anything away, for none of it is ours.

use aws_sdk_ec2::types::{Filter, IpPermission, NetworkInterfaceType, SecurityGroup, VpcEndpoint};

use crate::cloud::error::{CloudError, call};
use crate::resource::{Cx, Id};
use crate::resources::endpoint;

/// In words; AWS's own word where nothing is found that holds it.
pub(super) async fn of(cx: &Cx, id: &Id, vpc: &str) -> Result<String, CloudError> {
    let (inward, outward, interfaces, endpoints) = futures::join!(
        naming(cx, "ip-permission.group-id", id, SecurityGroup::ip_permissions),
        naming(cx, "egress.ip-permission.group-id", id, SecurityGroup::ip_permissions_egress),
        interfaces(cx, id),
        endpoint::find(cx, "vpc-id", vpc)
    );
    let mut words: Vec<String> = Vec::new();
    for (way, groups) in [("ingress", inward?), ("egress", outward?)] {
        words.extend(groups.iter().filter(|group| group.group_id() != Some(&id.0)).map(|group| rule(group, way, id)));
    }
    words.extend(interfaces?);
    let wearing = |e: &&VpcEndpoint| e.groups().iter().any(|group| group.group_id() == Some(&id.0));
    words.extend(endpoints?.iter().filter(wearing).map(endpoint::words));
    Ok(if words.is_empty() { "something that AWS does not name".into() } else { words.join("; ") })
}

/// Groups whose rules of one direction name this one.
async fn naming(
    cx: &Cx,
    filter: &str,
    id: &Id,
    rules: fn(&SecurityGroup) -> &[IpPermission],
) -> Result<Vec<SecurityGroup>, CloudError> {
    let filter = Filter::builder().name(filter).values(&id.0).build();
    let mut pages = cx.cloud.ec2.describe_security_groups().filters(filter).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = call("ec2 DescribeSecurityGroups", std::future::ready(page)).await?;
        found.extend(page.security_groups.unwrap_or_default());
    }
    // Some models of EC2 know no such filter and answer with every group.
    found.retain(|group| {
        rules(group).iter().flat_map(IpPermission::user_id_group_pairs).any(|pair| pair.group_id() == Some(&id.0))
    });
    Ok(found)
}

/// `a rule of their-group (sg-2): aws ec2 ...` takes it away.
fn rule(group: &SecurityGroup, way: &str, id: &Id) -> String {
    let theirs = group.group_id().unwrap_or_default();
    let name = group.group_name().unwrap_or_default();
    let permissions = if way == "ingress" { group.ip_permissions() } else { group.ip_permissions_egress() };
    let named = permissions.iter().find(|p| p.user_id_group_pairs().iter().any(|pair| pair.group_id() == Some(&id.0)));
    let protocol = named.and_then(|p| p.ip_protocol()).unwrap_or("-1");
    let ports = named.and_then(|p| Some(format!(" --port {}-{}", p.from_port?, p.to_port?))).unwrap_or_default();
    let peer = if way == "ingress" {
        format!("--protocol {protocol}{ports} --source-group {id}")
    } else {
        let ports = named.and_then(|p| Some(format!(",FromPort={},ToPort={}", p.from_port?, p.to_port?)));
        format!(
            "--ip-permissions 'IpProtocol={protocol}{},UserIdGroupPairs=[{{GroupId={id}}}]'",
            ports.unwrap_or_default()
        )
    };
    format!("a rule of {name} ({theirs}): `aws ec2 revoke-security-group-{way} --group-id {theirs} {peer}` removes it")
}

/// Network interfaces that wear the group, with what they belong to.
async fn interfaces(cx: &Cx, id: &Id) -> Result<Vec<String>, CloudError> {
    let filter = Filter::builder().name("group-id").values(&id.0).build();
    let answer = cx.cloud.ec2.describe_network_interfaces().filters(filter).send();
    let found = call("ec2 DescribeNetworkInterfaces", answer).await?.network_interfaces.unwrap_or_default();
    let worn = found.iter().filter(|interface| interface.groups().iter().any(|group| group.group_id() == Some(&id.0)));
    // An endpoint's are told with it.
    let worn = worn.filter(|interface| interface.interface_type != Some(NetworkInterfaceType::VpcEndpoint));
    let words = worn.map(|interface| {
        let what = interface.description().filter(|text| !text.is_empty()).map(|text| format!(", {text}"));
        format!(
            "network interface {}{}",
            interface.network_interface_id().unwrap_or_default(),
            what.unwrap_or_default()
        )
    });
    Ok(words.collect())
}
