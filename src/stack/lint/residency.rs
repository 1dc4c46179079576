//! `FI2xx`: nothing leads outside the European Union: no key, no role, no endpoint in a setting. That
//! the region itself lies there is guaranteed by its type.

use super::Cx;
use crate::residency::region_abroad;
use crate::stack::{Bucket, Configuration, Existing, JobWork};

pub(super) fn check(cx: &mut Cx<'_>) {
    keys(cx);
    existing(cx);
    settings(cx);
    arguments(cx);
}

/// KMS keys lie in the stack's region, and have no replica elsewhere.
fn keys(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    if let Some(arn) = &stack.kms_key {
        key(cx, &["kms_key"], arn);
    }
    for (name, bucket) in &stack.buckets {
        if let Bucket::Ours(bucket) = bucket
            && let Some(arn) = &bucket.kms_key
        {
            key(cx, &["buckets", name, "kms_key"], arn);
        }
    }
}

fn key(cx: &mut Cx<'_>, path: &[&str], arn: &str) {
    let region = cx.stack.region;
    let (partition, own) = (region.partition(), region.as_str());
    match arn.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", _, "kms", elsewhere, _, _] if elsewhere != own => {
            let message = format!("the key lies in {elsewhere}, the stack in {own}");
            cx.error("FI202", path, message, format!("use a key of {own}"));
        }
        ["arn", found, "kms", _, _, resource] if found == partition && resource.starts_with("key/") => {
            if resource.starts_with("key/mrk-") {
                let message = "a multi-Region key may have replicas outside the EU";
                cx.warning(
                    "FI206",
                    path,
                    message,
                    "use a single-Region key, or check that its replicas stay in the EU",
                );
            }
        }
        _ => {
            let message = format!("`{arn}` is not the ARN of a key of {own}");
            cx.error("FI203", path, message, format!("write it as arn:{partition}:kms:{own}:<account>:key/<id>"));
        }
    }
}

/// ARNs of what is somebody else's belong to the stack's partition and account.
fn existing(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    let mut named: Vec<(Vec<&str>, &Existing)> = Vec::new();
    for (key, bucket) in &stack.buckets {
        named.extend(bucket.existing().map(|bucket| (vec!["buckets", key, "existing"], bucket)));
    }
    named.extend(stack.roles.nodes.existing().map(|role| (vec!["roles", "nodes", "existing"], role)));
    named.extend(stack.roles.service.iter().map(|role| (vec!["roles", "service", "existing"], role)));
    named.extend(stack.roles.end.iter().map(|role| (vec!["roles", "end", "existing"], role)));
    named.extend(stack.instance_profile.iter().map(|profile| (vec!["instance_profile", "existing"], profile)));
    let scaling = stack.cluster.iter().filter_map(|cluster| cluster.auto_scaling_role.as_ref());
    named.extend(scaling.map(|role| (vec!["cluster", "auto_scaling_role", "existing"], role)));

    for (path, existing) in named {
        let arn = existing.existing.as_str();
        let [_, partition, _, region, account, _] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
            if arn.starts_with("arn:") || arn.is_empty() {
                cx.error(
                    "FI203",
                    &path,
                    format!("`{arn}` is neither a name nor an ARN"),
                    "write the name as AWS shows it",
                );
            }
            continue;
        };
        let own = stack.region.partition();
        if partition != own {
            let message = format!("the ARN is of partition {partition}, the stack's region of {own}");
            cx.error(
                "FI204",
                &path,
                message,
                format!("name one of {own}: accounts and roles do not reach across partitions"),
            );
        } else if let Some((abroad, place)) = region_abroad(region) {
            cx.error(
                "FI204",
                &path,
                format!("{abroad} is refused: it lies in {place}"),
                "name one of the stack's region",
            );
        } else if let Some(declared) =
            stack.account.as_deref().filter(|declared| !account.is_empty() && account != *declared)
        {
            let message = format!("the ARN is of account {account}, the stack of {declared}");
            cx.error("FI205", &path, message, "name one of the stack's own account");
        }
    }
}

/// Settings of the software name no endpoint or region abroad.
fn settings(cx: &mut Cx<'_>) {
    let Some(cluster) = &cx.stack.cluster else { return };
    configurations(cx, &["cluster"], &cluster.configurations);
    for (part, group) in cluster.groups() {
        match part {
            "primary" | "core" => configurations(cx, &["cluster", part], &group.configurations),
            key => configurations(cx, &["cluster", "task", key], &group.configurations),
        }
    }
    for (key, job) in &cx.stack.jobs {
        for (name, value) in &job.conf {
            setting(cx, &["jobs", key, "conf", name], value);
        }
    }
}

fn configurations(cx: &mut Cx<'_>, above: &[&str], list: &[Configuration]) {
    for (index, configuration) in list.iter().enumerate() {
        let index = index.to_string();
        let here = [above, &["configurations", &index]].concat();
        for (name, value) in &configuration.properties {
            setting(cx, &[&here[..], &["properties", name]].concat(), value);
        }
        configurations(cx, &here, &configuration.configurations);
    }
}

fn setting(cx: &mut Cx<'_>, path: &[&str], value: &str) {
    let own = cx.stack.region;
    if let Some((abroad, place)) = region_abroad(value) {
        let message = format!("`{value}` leads to {abroad}: it lies in {place}");
        cx.error("FI207", path, message, format!("name {own}, or leave it out"));
    } else if matches!(value.trim_start_matches("https://"), "s3.amazonaws.com" | "sts.amazonaws.com") {
        let message = format!("`{value}` is the address of us-east-1");
        cx.error("FI207", path, message, format!("write the regional one, as in s3.{own}.{}", own.dns_suffix()));
    }
}

/// Arguments are the script's own affair, so a region abroad in them is only pointed out.
fn arguments(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    for (index, action) in stack.bootstrap.iter().enumerate() {
        abroad_in(cx, &["bootstrap", &index.to_string()], &action.args);
    }
    for (key, job) in &stack.jobs {
        if let JobWork::Script { args, .. } = &job.work {
            abroad_in(cx, &["jobs", key], args);
        }
    }
}

fn abroad_in(cx: &mut Cx<'_>, above: &[&str], args: &[String]) {
    for (index, arg) in args.iter().enumerate() {
        if let Some((abroad, place)) = region_abroad(arg) {
            let index = index.to_string();
            let path = [above, &["args", &index]].concat();
            let message = format!("the argument names {abroad}, which lies in {place}");
            cx.warning("FI208", &path, message, "check that the script sends nothing there");
        }
    }
}
