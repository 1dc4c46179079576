//! `FI4xx`: who may come in, what the nodes may touch, and names of what is somebody else's. The world is
//! never let in.

use std::collections::BTreeSet;

use super::Cx;
use crate::stack::{Existing, NodesRole, Place};

pub(super) fn check(cx: &mut Cx<'_>) {
    openings(cx);
    network(cx);
    grants(cx);
    existing(cx);
    key_pair(cx);
}

/// Roles and profiles are named as IAM names them, or by an ARN of their own kind.
fn existing(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    let nodes = stack.roles.nodes.existing();
    let scaling = stack.cluster.as_ref().and_then(|cluster| cluster.auto_scaling_role.as_ref());
    let named: [(&[&str], _, _, _); 5] = [
        (&["roles", "nodes"], nodes, "role", 64),
        (&["roles", "service"], stack.roles.service.as_ref(), "role", 64),
        (&["roles", "end"], stack.roles.end.as_ref(), "role", 64),
        (&["instance_profile"], stack.instance_profile.as_ref(), "instance-profile", 128),
        (&["cluster", "auto_scaling_role"], scaling, "role", 64),
    ];
    for (path, existing, kind, most) in named {
        let Some(existing) = existing else { continue };
        let path = [path, &["existing"]].concat();
        let what = kind.replace('-', " ");
        let of_kind = match existing.existing.splitn(6, ':').collect::<Vec<_>>()[..] {
            ["arn", _, "iam", "", _, resource] => resource.starts_with(&format!("{kind}/")),
            // Other ARNs are told of as such.
            ["arn", ..] if existing.existing.split(':').count() < 6 => continue,
            ["arn", ..] => false,
            _ => true,
        };
        let name = existing.name();
        let legal = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !of_kind {
            let message = format!("`{}` is the ARN of something else than a {what}", existing.existing);
            cx.error("FI409", &path, message, format!("write its name, or arn:...:iam::<account>:{kind}/<name>"));
        } else if name.is_empty() && existing.existing.is_empty() {
            // What is empty is told of as such.
        } else if name.is_empty() || name.len() > most || !name.chars().all(legal) {
            let hint = format!("1 to {most} letters, digits and _ + = , . @ -");
            cx.error("FI409", &path, format!("`{name}` cannot be the name of a {what} in IAM"), hint);
        }
    }
}

fn key_pair(cx: &mut Cx<'_>) {
    let name = cx.stack.cluster.as_ref().and_then(|cluster| cluster.key_pair.as_deref());
    if let Some(name) = name
        && !(1..=255).contains(&name.len()) | !name.chars().all(|c| c.is_ascii_graphic() || c == ' ')
    {
        let message = format!("`{name}` cannot be the name of a key pair in EC2");
        cx.error("FI409", &["cluster", "key_pair"], message, "write its name of 1 to 255 ASCII characters");
    }
}

fn openings(cx: &mut Cx<'_>) {
    let Some(cluster) = &cx.stack.cluster else { return };
    for (index, access) in cluster.access.iter().enumerate() {
        let index = index.to_string();
        let from = ["cluster", "access", &index, "from"];
        if access.from.is_world() {
            let message = format!("port {} would be open to the whole world", access.port);
            cx.error("FI401", &from, message, "let in your own address alone, as in 203.0.113.7/32");
        } else if access.from.is_wide() {
            let message = format!("{} lets in a large part of the internet", access.from);
            cx.warning("FI402", &from, message, "name your own address, or your office's range");
        }
        if access.port == 0 {
            cx.error("FI403", &["cluster", "access", &index, "port"], "0 is no port", "write 22, 9443 or 18080");
        }
        if access.port == 22 && cluster.key_pair.is_none() {
            let port = ["cluster", "access", &index, "port"];
            cx.warning("FI404", &port, "without a key pair nobody can log in by SSH", "add `key_pair` to the cluster");
        }
    }
    if !cluster.access.is_empty() && cx.stack.security_groups.is_some() {
        let message = "an existing security group is never changed, so it cannot be opened";
        cx.error("FI405", &["cluster", "access"], message, "remove `access`, or `security_groups`");
    }
}

/// Ids begin as AWS's do: a name where an id belongs fails late and cryptically.
fn network(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    if let Some(subnet) = stack.cluster.as_ref().and_then(|cluster| cluster.subnet.as_deref())
        && !is_id(subnet, "subnet-")
    {
        cx.error(
            "FI406",
            &["cluster", "subnet"],
            format!("`{subnet}` is not the id of a subnet"),
            "write it as in subnet-0123456789abcdef0",
        );
    }
    if let Some(image) = stack.cluster.as_ref().and_then(|cluster| cluster.custom_ami.as_deref())
        && !is_id(image, "ami-")
    {
        let message = format!("`{image}` is not the id of a machine image");
        cx.error("FI406", &["cluster", "custom_ami"], message, "write it as in ami-0123456789abcdef0");
    }
    let Some(groups) = &stack.security_groups else { return };
    let named =
        [("primary", Some(&groups.primary)), ("core", Some(&groups.core)), ("service", groups.service.as_ref())];
    for (part, group) in named {
        if let Some(Existing { existing }) = group.filter(|group| !is_id(&group.existing, "sg-")) {
            let path = ["security_groups", part, "existing"];
            cx.error(
                "FI406",
                &path,
                format!("`{existing}` is not the id of a security group"),
                "write it as in sg-0123456789abcdef0",
            );
        }
    }
}

/// An id as EC2 gives it: `sg-0123456789abcdef0`.
pub(crate) fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 8 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What the stack says the nodes may touch covers what its jobs touch.
fn grants(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    let NodesRole::Ours(Some(said)) = &stack.roles.nodes else { return };
    if stack.instance_profile.is_some() {
        let message = "the existing instance profile brings its own role, so these grants go to nobody";
        cx.warning("FI407", &["roles", "nodes"], message, "remove `roles.nodes`, or `instance_profile`");
    }
    let within = |granted: &BTreeSet<Place>, place: &Place| granted.iter().any(|wide| wide.holds(place));
    for (key, job) in &stack.jobs {
        let Some(features) = job.features() else { continue };
        for (field, input) in ["input", "fitted"].into_iter().zip(features.inputs(stack)) {
            if !within(&said.read, &input) && !within(&said.write, &input) {
                let message = format!("the nodes may not read {input}");
                cx.error("FI408", &["jobs", key, field], message, "add it to `roles.nodes.read`");
            }
        }
        for output in features.outputs() {
            if !within(&said.write, &output) {
                let message = format!("the nodes may not write {output}");
                cx.error("FI408", &["jobs", key, "output"], message, format!("add {output} to `roles.nodes.write`"));
            }
        }
    }
}
