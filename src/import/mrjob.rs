//! mrjob's configuration: `runners: {emr: {...}}`. Its words for the cluster are read; what mrjob does by itself beside
//! the cluster is told. It runs no job.

use super::notes::{Notes, Sort, Wrong, brief};
use super::tree::{self, Fields};
use crate::stack::node::{Key, Node, Value};

const REQUEST: [(&str, &str); 15] = [
    ("region", "Region"),
    ("aws_region", "Region"),
    ("release_label", "ReleaseLabel"),
    ("applications", "Applications"),
    ("emr_configurations", "Configurations"),
    ("iam_instance_profile", "JobFlowRole"),
    ("iam_service_role", "ServiceRole"),
    ("cloud_log_dir", "LogUri"),
    ("s3_log_uri", "LogUri"),
    ("tags", "Tags"),
    ("image_id", "CustomAmiId"),
    ("ebs_root_volume_gb", "EbsRootVolumeSize"),
    ("max_concurrent_steps", "StepConcurrencyLevel"),
    ("label", "Name"),
    ("name", "Name"),
];

const INSTANCES: [(&str, &str); 4] = [
    ("ec2_key_pair", "Ec2KeyName"),
    ("instance_groups", "InstanceGroups"),
    ("instance_fleets", "InstanceFleets"),
    ("master_security_group", "EmrManagedMasterSecurityGroup"),
];

/// The type that mrjob takes where none is said.
const TYPE: &str = "m5.xlarge";

pub(super) fn read(text: &str, notes: &mut Notes) -> Result<Node, Wrong> {
    let root = Node::parse(text).map_err(|problem| {
        Wrong::new(problem.span, problem.message, problem.hint.unwrap_or_else(|| "mend the YAML".to_owned()))
    })?;
    let none =
        || Wrong::new(0..0, "there is no `runners: emr:` here", "give mrjob's configuration with its emr runner");
    let mut runners = Fields::of(&root, "")
        .and_then(|mut root| root.take("runners"))
        .and_then(|node| Fields::of(node, "runners"))
        .ok_or_else(none)?;
    let (key, emr) = runners.entry("emr").ok_or_else(none)?;
    let mut fields = Fields::of(emr, "runners.emr").ok_or_else(none)?;
    let span = key.span.clone();
    let mut request: Vec<(Key, Node)> = Vec::new();
    let mut instances: Vec<(Key, Node)> =
        vec![(tree::key("KeepJobFlowAliveWhenNoSteps", &span), tree::plain("true", &span))];
    for (word, name) in REQUEST {
        if let Some((key, node)) = fields.entry(word)
            && !request.iter().any(|(earlier, _)| earlier.text == name)
        {
            request.push((tree::key(name, &key.span), node.clone()));
        }
    }
    if !request.iter().any(|(key, _)| key.text == "Name") {
        request.push((tree::key("Name", &span), tree::text("mrjob", &span)));
    }
    for (word, name) in INSTANCES {
        let entry = fields.entry(word);
        instances.extend(entry.map(|(key, node)| (tree::key(name, &key.span), node.clone())));
    }
    if let Some((key, node)) = fields.entry("subnet") {
        let name = if matches!(node.value, Value::List(_)) { "Ec2SubnetIds" } else { "Ec2SubnetId" };
        instances.push((tree::key(name, &key.span), node.clone()));
    }
    if let Some((key, node)) = fields.entry("zone") {
        let zone = tree::map(vec![(tree::key("AvailabilityZone", &key.span), node.clone())], &key.span);
        instances.push((tree::key("Placement", &key.span), zone));
    }
    if let Some((key, node)) = fields.entry("max_mins_idle") {
        let minutes =
            tree::scalar(node).and_then(|text| text.parse::<f64>().ok()).filter(|minutes| (0.0..1e7).contains(minutes));
        match minutes {
            Some(minutes) => {
                let seconds = tree::plain(&(minutes * 60.0).round().to_string(), &node.span);
                let policy = tree::map(vec![(tree::key("IdleTimeout", &key.span), seconds)], &node.span);
                request.push((tree::key("AutoTerminationPolicy", &key.span), policy));
            }
            None => notes.wrong(node, "max_mins_idle", "a number of minutes"),
        }
    }
    let groups = groups(&mut fields, &span);
    if !instances.iter().any(|(key, _)| ["InstanceGroups", "InstanceFleets"].contains(&key.text.as_str())) {
        instances.push((tree::key("InstanceGroups", &span), tree::list(groups, &span)));
    }
    if let Some((key, node)) = fields.entry("bootstrap_actions") {
        let actions = notes.items(node, "bootstrap_actions").iter().filter_map(|item| action(item, notes)).collect();
        request.push((tree::key("BootstrapActions", &key.span), tree::list(actions, &key.span)));
    }
    for word in ["bootstrap", "bootstrap_cmds", "bootstrap_scripts"] {
        if let Some((key, node)) = fields.entry(word) {
            let message = format!("`{word}` holds commands that mrjob makes a script of: {}", brief(node));
            let hint = "write them into a script of your own that begins with `set -e`, and name it: `bootstrap: [{name: setup, script: setup.sh}]`";
            notes.add(Sort::Script, &key.span, message, hint);
        }
    }
    notes.leave(fields);
    request.push((tree::key("Instances", &span), tree::map(instances, &span)));
    Ok(tree::map(request, &root.span))
}

/// Groups by mrjob's words for single types, counts and bids.
fn groups(fields: &mut Fields<'_>, span: &std::ops::Range<usize>) -> Vec<Node> {
    let mut take = |name: &str| fields.take(name).cloned();
    let shared = take("instance_type");
    let (master_type, core_type, task_type) =
        (take("master_instance_type"), take("core_instance_type"), take("task_instance_type"));
    let (core, task) = (take("num_core_instances"), take("num_task_instances"));
    let bids = [take("master_instance_bid_price"), take("core_instance_bid_price"), take("task_instance_bid_price")];
    let some = |count: &Option<Node>| count.as_ref().and_then(tree::scalar).is_some_and(|count| count != "0");
    let usual = || tree::text(TYPE, span);
    // One node alone is of the type that is said for all.
    let alone = !some(&core) && !some(&task);
    let master = master_type.or_else(|| shared.clone().filter(|_| alone)).unwrap_or_else(usual);
    let core_type = core_type.or(shared).unwrap_or_else(usual);
    let task_type = task_type.unwrap_or_else(|| core_type.clone());
    let one = tree::plain("1", span);
    let core = if some(&core) { core } else { some(&task).then(|| one.clone()) };
    let task = task.filter(|count| tree::scalar(count) != Some("0"));
    let [master_bid, core_bid, task_bid] = bids;
    let all = [
        ("MASTER", Some(one), master, master_bid),
        ("CORE", core, core_type, core_bid),
        ("TASK", task, task_type, task_bid),
    ];
    let group = |(role, count, kind, bid): (&str, Option<Node>, Node, Option<Node>)| {
        let mut entries =
            vec![("InstanceRole", tree::text(role, span)), ("InstanceType", kind), ("InstanceCount", count?)];
        entries.extend(bid.map(|bid| ("BidPrice", bid)));
        Some(tree::map(entries.into_iter().map(|(key, node)| (tree::key(key, &node.span), node)).collect(), span))
    };
    all.into_iter().filter_map(group).collect()
}

/// `s3://bucket/script.sh argument argument`.
fn action(item: &Node, notes: &mut Notes) -> Option<Node> {
    let text = notes.text(item, "bootstrap_actions")?;
    let Ok(words) = shell_words::split(text) else {
        notes.wrong(item, "bootstrap_actions", "an address and arguments");
        return None;
    };
    let mut words = words.iter().map(|word| tree::text(word, &item.span));
    let path = words.next()?;
    let entries = [("Path", path), ("Args", tree::list(words.collect(), &item.span))];
    Some(tree::map(entries.map(|(key, node)| (tree::key(key, &item.span), node)).into(), &item.span))
}
