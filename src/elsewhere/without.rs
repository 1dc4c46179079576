//! What Databricks has no counterpart for, and what it says otherwise: one list for the bundle's README and for whoever
//! renders it. It says what is not there, and never how to get round a rule.

use super::databricks::{self, RUNTIME_IN_WORDS};
use super::{Remark, name_of};
use crate::stack::{BootstrapWork, Cluster, OnFailure, PackagesFrom, Stack};
use crate::text::about;

/// Applications that jobs of a bundle do without: Spark and what it stands on.
const NEEDED_BY_NOBODY: [&str; 3] = ["Spark", "Hadoop", "TensorFlow"];

/// Everything of a stack that a bundle loses or says otherwise, in the order in which a stack is written.
pub(super) fn counterpart(stack: &Stack, cluster: &Cluster) -> Vec<Remark> {
    let mut told = bounds(stack, cluster);
    told.extend(access(stack, cluster));
    told.extend(software(stack, cluster));
    told.extend(nodes(cluster));
    told.extend(settings(stack, cluster));
    told.extend(references(stack));
    told
}

fn bounds(stack: &Stack, cluster: &Cluster) -> Vec<Remark> {
    let lifetime = about(stack.limits.lifetime.into());
    let mut told = vec![
        Remark::otherwise(
            format!("an end after {lifetime}"),
            "`timeout_seconds` of the job: a run that takes longer is cancelled",
        ),
        Remark::lost(
            format!("EMR's idle policy ({})", about(stack.idle().into())),
            "needs none: a job cluster ends with its run, and takes no `autotermination_minutes`",
        ),
        Remark::lost(
            "the schedule that ends the cluster, and the guard",
            "Databricks ends what it starts; neither sees its clusters",
        ),
    ];
    if stack.limits.hourly.is_some() || stack.limits.demo.is_some() {
        told.push(Remark::lost(
            "limits on what it may cost",
            "set a budget in the workspace: its DBUs are not in our prices",
        ));
    }
    if cluster.step_concurrency > 1 {
        told.push(Remark::lost(
            format!("{} steps at once", cluster.step_concurrency),
            "each run has a cluster of its own",
        ));
    }
    if !cluster.keep_alive {
        told.push(Remark::otherwise("a cluster that ends with its last step", "every job cluster does"));
    }
    if cluster.termination_protection {
        told.push(Remark::lost("termination protection", "a job cluster ends with its run"));
    }
    for (key, job) in stack.jobs.iter().filter(|(_, job)| job.on_failure != OnFailure::Continue) {
        let word = if job.on_failure == OnFailure::CancelAndWait { "cancel-and-wait" } else { "terminate-cluster" };
        told.push(Remark::lost(format!("`on_failure: {word}` of job {key}"), "the run fails, and its cluster ends"));
    }
    told
}

fn access(stack: &Stack, cluster: &Cluster) -> Vec<Remark> {
    let mut told = vec![
        Remark::otherwise(
            "the roles of the nodes, of EMR and of the end",
            "an instance profile that the workspace has registered",
        ),
        Remark::lost(
            "the residency of the region, held before a call is made",
            "the region is the workspace's; `check_region.py` fails outside the EU before anything is read",
        ),
        Remark::lost(
            "S3 and STS held to the stack's region by settings of EMR's clients",
            "the clients are Databricks's own",
        ),
    ];
    let network = [
        (!cluster.access.is_empty(), "addresses that may come in"),
        (stack.security_groups.is_some(), "security groups"),
        (cluster.subnet.is_some(), "the subnet"),
        (cluster.key_pair.is_some(), "the key pair"),
    ];
    let network: Vec<&str> = network.into_iter().filter(|(said, _)| *said).map(|(_, what)| what).collect();
    if !network.is_empty() {
        told.push(Remark::lost(network.join(", "), "the network is the workspace's"));
    }
    if let Some(named) = &cluster.security_configuration {
        told.push(Remark::lost(
            format!("the security configuration `{}`", named.existing),
            "set encryption and authentication in the workspace",
        ));
    }
    if cluster.auto_scaling_role.is_some() {
        told.push(Remark::lost("the role of automatic scaling", "Databricks scales by itself"));
    }
    if stack.tags.contains_key("Name") || cluster.tags.contains_key("Name") {
        told.push(Remark::lost(
            "the tag `Name`",
            "Databricks gives it a value of its own, by which it finds its clusters",
        ));
    }
    told
}

fn software(stack: &Stack, cluster: &Cluster) -> Vec<Remark> {
    let spark = cluster.release.spark().map_or_else(String::new, |spark| format!(" (Spark {spark})"));
    let mut told = vec![Remark::otherwise(format!("{}{spark}", cluster.release), RUNTIME_IN_WORDS)];
    if let Some(python) = stack.python().filter(|python| python != "3.11") {
        told.push(Remark::otherwise(format!("Python {python}"), "the runtime's own, 3.11"));
    }
    let others =
        cluster.applications.iter().filter(|said| !NEEDED_BY_NOBODY.iter().any(|name| name.eq_ignore_ascii_case(said)));
    let others: Vec<&str> = others.map(String::as_str).collect();
    if !others.is_empty() {
        told.push(Remark::lost(
            others.join(", "),
            "the workspace has notebooks of its own; the others have no counterpart",
        ));
    }
    let kept: Vec<String> = databricks::packages(stack)
        .filter(|(name, _)| databricks::in_runtime(name))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    if !kept.is_empty() {
        told.push(Remark::otherwise(
            kept.join(", "),
            "the runtime's own versions of these, as Databricks ships them together",
        ));
    }
    for action in &stack.bootstrap {
        let what = format!("bootstrap action `{}`", action.name);
        match &action.work {
            BootstrapWork::Script(path) => told.push(Remark::lost(
                format!("{what} ({})", name_of(path)),
                "written for EMR's nodes; what is needed there goes into an init script of the workspace",
            )),
            BootstrapWork::Template { from: PackagesFrom::S3, .. } => {
                told.push(Remark::otherwise(
                    format!("{what}, whose packages lie in S3"),
                    "libraries come from the Python index",
                ));
            }
            BootstrapWork::Template { .. } => {}
        }
    }
    if cluster.os_release.is_some() || cluster.custom_ami.is_some() {
        told.push(Remark::lost(
            "the release of the operating system, or an image of one's own",
            "the image is the runtime's",
        ));
    }
    told
}

fn nodes(cluster: &Cluster) -> Vec<Remark> {
    let mut told = vec![];
    if cluster.primary.count > 1 {
        told.push(Remark::lost(format!("{} primary nodes", cluster.primary.count), "one driver"));
    }
    let worker = &databricks::worker(cluster).instance_type;
    for (key, group) in cluster.task.iter().filter(|(_, group)| group.instance_type != *worker) {
        let what = format!("task group {key} ({} of {})", group.count, group.instance_type);
        told.push(Remark::lost(what, format!("a cluster has workers of one type, {worker}")));
    }
    for (key, _) in cluster.task.iter().filter(|(_, group)| group.instance_type == *worker) {
        told.push(Remark::otherwise(format!("task group {key}"), "more workers"));
    }
    for (part, _) in cluster.groups().filter(|(_, group)| group.fleet.is_some()) {
        told.push(Remark::lost(
            format!("the fleet of {part}: other types, weights, allocation"),
            "one node type; a unit is one node",
        ));
    }
    for (part, group) in cluster.groups() {
        if group.bid.is_some() {
            told.push(Remark::lost(format!("the bid of {part}"), "spot instances at up to the price on demand"));
        }
        if !group.configurations.is_empty() {
            told.push(Remark::lost(format!("settings of {part} alone"), "settings are the whole cluster's"));
        }
    }
    let volumes = cluster.groups().any(|(_, group)| !group.volumes.is_empty());
    if volumes || cluster.root_volume.is_some() {
        told.push(Remark::otherwise(
            "volumes and the root volume",
            "general purpose volumes of 100 GiB at least, on workers and driver alike",
        ));
    }
    if let Some(bounds) = cluster.managed_scaling.as_ref().filter(|_| cluster.core.is_some()) {
        let scaled = databricks::autoscale(bounds, cluster);
        let instead = format!(
            "`autoscale` from {} to {} workers, by Databricks's own rules",
            scaled["minimum"], scaled["maximum"]
        );
        told.push(Remark::otherwise("managed scaling", instead));
    }
    told
}

fn settings(stack: &Stack, cluster: &Cluster) -> Vec<Remark> {
    let mut lost: Vec<String> = vec![];
    for of in &cluster.configurations {
        match of.classification.as_str() {
            "spark-defaults" => {}
            "spark-env" => {
                let exported = of.configurations.iter().filter(|inner| inner.classification == "export");
                let python =
                    exported.flat_map(|inner| inner.properties.keys()).filter(|name| databricks::names_python(name));
                lost.extend(python.cloned());
            }
            other => lost.push(other.to_owned()),
        }
    }
    for job in stack.jobs.values() {
        let sizes = databricks::spark_conf(cluster, job).filter(|(name, _)| !databricks::is_there(name));
        lost.extend(sizes.map(|(name, _)| name.to_owned()));
    }
    lost.sort();
    lost.dedup();
    let mut told = vec![];
    if !lost.is_empty() {
        told.push(Remark::lost(
            format!("settings: {}", lost.join(", ")),
            "Databricks chooses executors by the node type and has no YARN; the others are EMR's",
        ));
    }
    if stack.jobs.values().any(|job| job.features().is_some()) {
        told.push(Remark::lost(
            "memory beside the heap for TensorFlow, as `run` asks YARN for it",
            "one executor a node, as Databricks sizes it: if Python workers run out of memory, take larger nodes",
        ));
        told.push(Remark::otherwise(
            "`spark.stop()` at the end of the script",
            "it ends the Spark of the run's own cluster: no task may come after it there",
        ));
    }
    if let Some(place) = stack.logs() {
        told.push(Remark::otherwise(
            format!("logs in {place}"),
            format!("`cluster_log_conf`, to {}", place.join("databricks")),
        ));
    }
    told
}

/// Databricks takes `${...}` in any text of a bundle for a reference.
fn references(stack: &Stack) -> Vec<Remark> {
    let cluster = stack.cluster.iter().flat_map(|cluster| {
        let settings = cluster.configurations.iter().flat_map(|of| of.configurations.iter().chain([of]));
        settings.flat_map(|of| of.properties.values()).chain(cluster.tags.values())
    });
    let jobs = stack.jobs.values().flat_map(crate::stack::Job::arguments);
    let texts = cluster.chain(stack.tags.values()).map(String::as_str).chain(jobs);
    let found: Vec<&str> = texts.filter(|text| text.contains("${")).collect();
    let Some(first) = found.first() else { return vec![] };
    vec![Remark::lost(
        format!("`${{` in a text, as in `{first}`"),
        "a bundle takes it for a reference: write the value itself",
    )]
}
