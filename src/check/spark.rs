//! `FI65x`: Spark's settings against the nodes that are to hold them: memory that no node has, partitions that leave
//! cores idle, results that the driver may not take.

use std::ops::Range;

use crate::stack::facts::{InstanceType, instance_type};
use crate::stack::finding::Problem;
use crate::stack::{Cluster, Group, Loaded};

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
        if let Some(partitions) = job.features().and_then(|features| features.partitions) {
            let hint = "leave it out, or write a multiple of the cores";
            let span = loaded.root.span_of(&["jobs", key, "partitions"]);
            problems.extend(idle_cores(cluster, partitions, span, hint));
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
    // Of a fleet, the type that has least.
    let memory = |group: &Group| {
        let types = group.types().filter_map(|(name, _)| instance_type(name));
        types.map(InstanceType::yarn_mib).reduce(f64::min)
    };
    for (heap, overhead, least) in [
        (
            "spark.executor.memory",
            "spark.executor.memoryOverhead",
            workers(cluster).filter_map(memory).reduce(f64::min),
        ),
        ("spark.driver.memory", "spark.driver.memoryOverhead", memory(&cluster.primary)),
    ] {
        let (Some(wanted), Some(has)) = (said(heap).and_then(|size| mebibytes(size, 1.0)), least) else { continue };
        let beside =
            said(overhead).and_then(|size| mebibytes(size, 1.0)).unwrap_or((wanted * OVERHEAD).max(OVERHEAD_AT_LEAST));
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
    let names = ["spark.sql.shuffle.partitions", "spark.default.parallelism"];
    if let Some((name, Ok(partitions))) = names.into_iter().find_map(|name| Some((name, said(name)?.parse::<u32>()))) {
        problems.extend(idle_cores(cluster, partitions, at(name), "write a multiple of the cores, or leave it out"));
    }
    let most = said("spark.driver.maxResultSize").and_then(|size| mebibytes(size, BYTE)).filter(|most| *most > 0.0);
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

/// Partitions that leave cores without work.
fn idle_cores(cluster: &Cluster, partitions: u32, span: Range<usize>, hint: &str) -> Option<Problem> {
    let cores = cores(cluster).filter(|cores| partitions < *cores)?;
    let message = format!("{partitions} partitions keep {partitions} of the cluster's {cores} cores busy");
    Some(Problem::new("FI651", span, message).warning().hint(hint))
}

/// The groups whose nodes run executors.
fn workers(cluster: &Cluster) -> impl Iterator<Item = &Group> {
    let all = cluster.groups().filter(|(part, _)| *part != "primary" || cluster.core.is_none());
    all.map(|(_, group)| group)
}

/// Cores of the nodes that run executors; none where a type is not known.
fn cores(cluster: &Cluster) -> Option<u32> {
    workers(cluster).map(|group| Some(instance_type(&group.instance_type)?.vcpu * group.count)).sum()
}

/// A byte, in MiB.
const BYTE: f64 = 1.0 / 1024.0 / 1024.0;

/// A size as Spark writes it, in MiB: `512m`, `4g`, `1gb`. What a number without a unit counts is the setting's own: MiB where
/// it is of memory, bytes where it is of a size.
fn mebibytes(text: &str, bare: f64) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "" => bare,
        "b" => BYTE,
        "k" | "kb" => 1.0 / 1024.0,
        "m" | "mb" => 1.0,
        "g" | "gb" => 1024.0,
        "t" | "tb" => 1024.0 * 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_spark_reads_them() {
        assert_eq!(mebibytes("4g", 1.0), Some(4096.0));
        assert_eq!(mebibytes("512M", 1.0), Some(512.0));
        assert_eq!(mebibytes("1024k", 1.0), Some(1.0));
        assert_eq!(mebibytes("2gb", 1.0), Some(2048.0));
        assert_eq!(mebibytes("much", 1.0), None);
        assert_eq!(mebibytes("1048576", BYTE), Some(1.0));
    }
}
