//! `FI32x`: groups of instances: how many, bought how, with which disks, under which names, scaled between which bounds.

use super::Cx;
use crate::stack::{Group, Market, ScalingUnit, Volume, VolumeKind};

pub(super) fn check(cx: &mut Cx<'_>) {
    let Some(cluster) = &cx.stack.cluster else { return };
    let mut names: Vec<&str> = Vec::new();
    for (part, group) in cluster.groups() {
        count(cx, part, group);
        market(cx, part, group);
        for (index, volume) in group.volumes.iter().enumerate() {
            let path = Cx::in_group(part, "volumes");
            disk(cx, &[&path[..], &[&index.to_string()]].concat(), volume);
        }
        let name = group.name.as_deref().unwrap_or(part);
        if names.contains(&name) {
            let message = format!("another group is called `{name}` too");
            cx.error("FI324", &Cx::in_group(part, "name"), message, "give each group its own name");
        } else if name.is_empty() || name.chars().count() > 256 {
            cx.error("FI324", &Cx::in_group(part, "name"), "the name of a group has 1 to 256 characters", "change it");
        }
        names.push(name);
    }
    root_volume(cx);
    actions(cx);
    scaling(cx);
}

/// Bounds that EMR takes, and groups that it may scale.
fn scaling(cx: &mut Cx<'_>) {
    let Some(cluster) = &cx.stack.cluster else { return };
    let Some(bounds) = &cluster.managed_scaling else { return };
    let at = |field| ["cluster", "managed_scaling", field];
    let most = if bounds.unit == ScalingUnit::Instances { 1_000 } else { 100_000 };
    if cluster.core.is_none() {
        let message = "there is no core group that EMR could resize";
        cx.error("FI326", &["cluster", "managed_scaling"], message, "add `core`, or remove this");
    }
    if bounds.minimum == 0 {
        cx.error("FI326", &at("minimum"), "EMR keeps one core node at least", "write 1 or more");
    } else if bounds.maximum < bounds.minimum {
        let message = format!("a maximum of {} is below the minimum of {}", bounds.maximum, bounds.minimum);
        cx.error("FI326", &at("maximum"), message, "write the minimum or more");
    } else if bounds.maximum > most {
        let message = format!("{} are more than any account may start", bounds.maximum);
        cx.error("FI326", &at("maximum"), message, "write what the job needs");
    }
    for (field, part) in [("maximum_core", bounds.maximum_core), ("maximum_on_demand", bounds.maximum_on_demand)] {
        if let Some(part) = part.filter(|part| *part > bounds.maximum) {
            let message = format!("{part} of {} in all cannot be", bounds.maximum);
            cx.error("FI326", &at(field), message, "write the maximum at most, or leave it out");
        }
    }
    if bounds.maximum_core == Some(0) {
        cx.error("FI326", &at("maximum_core"), "EMR keeps one core node at least", "write 1 or more");
    }
    if !cluster.release.at_least(5, 30) || cluster.release.to_string() == "emr-6.0.0" {
        let message = format!("{} has no managed scaling", cluster.release);
        cx.error("FI326", &["cluster", "managed_scaling"], message, "choose release 6.1 or later, or remove it");
    }
}

fn count(cx: &mut Cx<'_>, part: &str, group: &Group) {
    let (legal, hint) = match part {
        "primary" => (matches!(group.count, 1 | 3), "write 1, or 3 for availability"),
        "core" => (group.count >= 1, "write 1 or more, or leave the core group out"),
        _ => (true, ""),
    };
    if !legal {
        cx.error(
            "FI320",
            &Cx::in_group(part, "count"),
            format!("the {part} group cannot have {} instances", group.count),
            hint,
        );
    } else if group.count > 1_000 {
        let message = format!("{} instances are more than any account may start", group.count);
        cx.error("FI320", &Cx::in_group(part, "count"), message, "write what the job needs");
    }
}

fn market(cx: &mut Cx<'_>, part: &str, group: &Group) {
    let at = || match group.market {
        Market::Spot => Cx::in_group(part, "market"),
        Market::OnDemand => [&Cx::in_group(part, "fleet")[..], &["spot"]].concat(),
    };
    match (part, group.buys_spot()) {
        (_, false) if group.bid.is_some() => {
            cx.error(
                "FI321",
                &Cx::in_group(part, "bid"),
                "only spot instances are bid for",
                "add `market: spot`, or remove the bid",
            );
        }
        ("primary", true) => {
            let message = "when AWS takes the primary node back, the whole cluster ends";
            cx.warning("FI322", &at(), message, "buy the primary node on demand");
        }
        ("core", true) => {
            let message = "when AWS takes core nodes back, HDFS loses blocks and the running job starts over";
            cx.warning("FI322", &at(), message, "buy core on demand, and spot for task groups");
        }
        _ => {}
    }
}

fn disk(cx: &mut Cx<'_>, path: &[&str], volume: &Volume) {
    let (least, most) = match volume.kind {
        VolumeKind::Gp2 | VolumeKind::Gp3 => (1, 16_384),
        VolumeKind::Io1 => (4, 16_384),
        VolumeKind::St1 | VolumeKind::Sc1 => (125, 16_384),
        VolumeKind::Standard => (1, 1_024),
    };
    let kind = volume.kind.as_str();
    let at = |field| [path, &[field]].concat();
    if !(least..=most).contains(&volume.size) {
        let message = format!("a {kind} volume cannot have {} GiB", volume.size);
        cx.error("FI323", &at("size"), message, format!("write between {least} and {most}"));
    }
    if !(1..=25).contains(&volume.per_instance) {
        let message = format!("an instance cannot have {} of these volumes", volume.per_instance);
        cx.error("FI323", &at("per_instance"), message, "write between 1 and 25");
    }
    performance(cx, path, volume.kind, volume.iops, volume.throughput);
}

fn performance(cx: &mut Cx<'_>, path: &[&str], kind: VolumeKind, iops: Option<u32>, throughput: Option<u32>) {
    let name = kind.as_str();
    let at = |field| [path, &[field]].concat();
    match (kind, iops) {
        (VolumeKind::Io1, None) => cx.error("FI323", path, "an io1 volume needs `iops`", "add it, or use gp3"),
        (VolumeKind::Gp3, Some(iops)) if !(3_000..=16_000).contains(&iops) => {
            cx.error(
                "FI323",
                &at("iops"),
                format!("gp3 does not do {iops} operations a second"),
                "write between 3000 and 16000",
            );
        }
        (VolumeKind::Gp3 | VolumeKind::Io1, _) | (_, None) => {}
        (_, Some(_)) => {
            cx.error("FI323", &at("iops"), format!("`iops` cannot be chosen for {name}"), "remove it, or use gp3");
        }
    }
    match (kind, throughput) {
        (_, None) => {}
        (VolumeKind::Gp3, Some(rate)) if (125..=1_000).contains(&rate) => {}
        (VolumeKind::Gp3, Some(rate)) => {
            cx.error(
                "FI323",
                &at("throughput"),
                format!("gp3 does not do {rate} MiB a second"),
                "write between 125 and 1000",
            );
        }
        _ => cx.error(
            "FI323",
            &at("throughput"),
            format!("`throughput` cannot be chosen for {name}"),
            "remove it, or use gp3",
        ),
    }
}

fn root_volume(cx: &mut Cx<'_>) {
    let Some(cluster) = &cx.stack.cluster else { return };
    let Some(volume) = &cluster.root_volume else { return };
    let path = ["cluster", "root_volume"];
    let least = if cluster.release.at_least(6, 10) { 15 } else { 10 };
    if volume.size < least {
        let message = format!("the disk of the operating system needs {least} GiB in {}", cluster.release);
        cx.error("FI323", &["cluster", "root_volume", "size"], message, format!("write {least} or more"));
    }
    let chosen = volume.kind.is_some() || volume.iops.is_some() || volume.throughput.is_some();
    if chosen && !cluster.release.at_least(6, 15) {
        let message = format!("{} lets only the size of the root volume be chosen", cluster.release);
        cx.error("FI323", &path, message, "remove the rest, or use release 6.15 or later");
    }
    performance(cx, &path, volume.kind.unwrap_or_default(), volume.iops, volume.throughput);
}

/// Bootstrap actions are told apart by name, in logs and in the plan.
fn actions(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    for (index, action) in stack.bootstrap.iter().enumerate() {
        let position = index.to_string();
        let path = ["bootstrap", &position, "name"];
        if action.name.is_empty() || action.name.chars().count() > 256 {
            cx.error("FI325", &path, "the name of an action has 1 to 256 characters", "change it");
        } else if stack.bootstrap[..index].iter().any(|earlier| earlier.name == action.name) {
            cx.error(
                "FI325",
                &path,
                format!("another action is called `{}` too", action.name),
                "give each its own name",
            );
        }
    }
}
