//! `FI65x`: Spark's settings against the nodes that are to hold them: memory that no node has, partitions that leave
//! cores idle, results that the driver may not take.

use crate::stack::facts::instance_type;
use crate::stack::finding::Problem;
use crate::stack::{Cluster, Loaded};

/// What YARN has of a node's memory, in MiB: three quarters of up to 32 GiB, and of more all but 8, as EMR's task
/// configuration has it for the usual types.
fn yarn(memory_gib: f64) -> f64 {
    1024.0 * if memory_gib <= 32.0 { memory_gib * 0.75 } else { memory_gib - 8.0 }
}

/// What EMR adds to a heap where nothing is said: Spark's tenth, 384 MiB at least.
const OVERHEAD: f64 = 0.1;
const OVERHEAD_AT_LEAST: f64 = 384.0;

/// What the feature job brings to the driver at least, in MiB: the covariance of 1,280 features, in numbers of 8 bytes.
const COVARIANCE: f64 = 12.5;

pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let Some(cluster) = &loaded.stack.cluster else { return Vec::new() };
    let mut problems = Vec::new();
    let path = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    for (index, configuration) in cluster.configurations.iter().enumerate() {
        if configuration.classification == "spark-defaults" {
            let here = path(&["cluster", "configurations", &index.to_string(), "properties"]);
            let said = |name: &str| configuration.properties.get(name).map(String::as_str);
            settings(loaded, cluster, &here, &said, &mut problems);
        }
    }
    for (key, job) in &loaded.stack.jobs {
        let said = |name: &str| job.conf.get(name).map(String::as_str);
        settings(loaded, cluster, &path(&["jobs", key, "conf"]), &said, &mut problems);
        let Some(partitions) = job.features().and_then(|features| features.partitions) else { continue };
        let cores = cores(cluster);
        if cores.is_some_and(|cores| partitions < cores) {
            let span = loaded.root.span_of(&["jobs", key, "partitions"]);
            let message =
                format!("{partitions} partitions keep {partitions} of the cluster's {} cores busy", cores.unwrap_or(0));
            let hint = "leave it out, or write a multiple of the cores";
            problems.push(Problem::new("FI651", span, message).warning().hint(hint));
        }
    }
    problems
}

fn settings<'s>(
    loaded: &Loaded,
    cluster: &Cluster,
    above: &[String],
    said: &dyn Fn(&str) -> Option<&'s str>,
    problems: &mut Vec<Problem>,
) {
    let at = |name: &str| {
        let path: Vec<&str> = above.iter().map(String::as_str).chain([name]).collect();
        loaded.root.span_of(&path)
    };
    let workers = || cluster.groups().filter(|(part, _)| *part != "primary" || cluster.core.is_none());
    let memory = |group: &crate::stack::Group| instance_type(&group.instance_type).map(|facts| yarn(facts.memory_gib));
    for (heap, overhead, least) in [
        (
            "spark.executor.memory",
            "spark.executor.memoryOverhead",
            workers().filter_map(|(_, group)| memory(group)).reduce(f64::min),
        ),
        ("spark.driver.memory", "spark.driver.memoryOverhead", memory(&cluster.primary)),
    ] {
        let (Some(wanted), Some(has)) = (said(heap).and_then(mebibytes), least) else { continue };
        let beside = said(overhead).and_then(mebibytes).unwrap_or((wanted * OVERHEAD).max(OVERHEAD_AT_LEAST));
        if wanted + beside > has {
            let message = format!(
                "{:.1} GiB with its overhead do not fit: YARN has about {:.1} GiB of the smallest node",
                (wanted + beside) / 1024.0,
                has / 1024.0
            );
            let hint = "write less, or take a larger type; left out, the job's own template fits it to the nodes";
            problems.push(Problem::new("FI650", at(heap), message).warning().hint(hint));
        }
    }
    let partitions = said("spark.sql.shuffle.partitions").or_else(|| said("spark.default.parallelism"));
    let name = if said("spark.sql.shuffle.partitions").is_some() {
        "spark.sql.shuffle.partitions"
    } else {
        "spark.default.parallelism"
    };
    if let (Some(few), Some(cores)) = (partitions.and_then(|text| text.parse::<u32>().ok()), cores(cluster))
        && few < cores
    {
        let message = format!("{few} partitions keep {few} of the cluster's {cores} cores busy");
        problems.push(
            Problem::new("FI651", at(name), message).warning().hint("write a multiple of the cores, or leave it out"),
        );
    }
    let most = said("spark.driver.maxResultSize").and_then(mebibytes).filter(|most| *most > 0.0);
    if let Some(most) = most.filter(|most| *most < COVARIANCE) {
        let message = format!(
            "the driver may take {most:.0} MiB of results: a covariance of 1,280 features alone is {COVARIANCE}"
        );
        problems.push(
            Problem::new("FI652", at("spark.driver.maxResultSize"), message)
                .warning()
                .hint("leave it out: Spark's own is 1g"),
        );
    }
}

/// Cores of the nodes that run executors; none where a type is not known.
fn cores(cluster: &Cluster) -> Option<u32> {
    let workers = cluster.groups().filter(|(part, _)| *part != "primary" || cluster.core.is_none());
    workers.map(|(_, group)| Some(instance_type(&group.instance_type)?.vcpu * group.count)).sum()
}

/// A size as Spark writes it, in MiB: `512m`, `4g`, `4096` (bytes without a unit are MiB in Spark's own memory settings).
fn mebibytes(text: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "k" => 1.0 / 1024.0,
        "" | "m" => 1.0,
        "g" => 1024.0,
        "t" => 1024.0 * 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_spark_reads_them() {
        assert_eq!(mebibytes("4g"), Some(4096.0));
        assert_eq!(mebibytes("512M"), Some(512.0));
        assert_eq!(mebibytes("1024k"), Some(1.0));
        assert_eq!(mebibytes("2gb"), Some(2048.0));
        assert_eq!(mebibytes("much"), None);
    }
}
