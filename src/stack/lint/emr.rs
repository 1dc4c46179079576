//! `FI30x`: the release and what it brings: whether it exists, knows the instance types, has the
//! applications and the Python that the stack counts on. Facts come from `stack::facts`; where they
//! are unsure a finding is a warning, never an error.

use super::Cx;
use crate::residency::EuRegion;
use crate::stack::facts::{InstanceType, instance_type, instance_types, release_in, releases};
use crate::stack::finding::{Severity, meant, nearest};
use crate::stack::{Cluster, Configuration, Group, Job, JobWork, Release, Stack};

/// What EMR installs by name, over all releases.
const APPLICATIONS: [&str; 24] = [
    "AmazonCloudWatchAgent",
    "Delta",
    "Flink",
    "Ganglia",
    "HBase",
    "HCatalog",
    "Hadoop",
    "Hive",
    "Hudi",
    "Hue",
    "Iceberg",
    "JupyterEnterpriseGateway",
    "JupyterHub",
    "Livy",
    "MXNet",
    "Oozie",
    "Phoenix",
    "Pig",
    "Presto",
    "Spark",
    "Sqoop",
    "TensorFlow",
    "Tez",
    "Trino",
];
const MORE_APPLICATIONS: [&str; 2] = ["Zeppelin", "ZooKeeper"];

/// EMR reads at most this of a step's arguments, in all.
const STEP_ARGUMENTS: usize = 10_240;

/// EMR's longest text, and its longest name.
const TEXT: usize = 10_280;
const NAME: usize = 256;

pub(super) fn check(cx: &mut Cx<'_>) {
    let Some(cluster) = &cx.stack.cluster else { return };
    release(cx, cluster.release);
    for (part, group) in cluster.groups() {
        offered(cx, cluster.release, part, group);
    }
    architectures(cx, cluster);
    applications(cx, cluster);
    python(cx, cluster);
    settings(cx, cluster);
    arguments(cx);
    texts(cx, cluster);
}

/// Every text that EMR is sent is one it takes: XML has no control characters, and fields have their lengths.
fn texts(cx: &mut Cx<'_>, cluster: &Cluster) {
    let stack = cx.stack;
    let mut texts: Vec<(Vec<String>, String, usize)> = Vec::new();
    let path = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    if let Some(name) = &cluster.name {
        // The name in AWS begins with the stack's, so that a listing finds it.
        texts.push((
            path(&["cluster", "name"]),
            name.clone(),
            NAME - "-main ".len() - stack.name.chars().count().min(64),
        ));
    }
    if let Some(named) = &cluster.security_configuration {
        texts.push((path(&["cluster", "security_configuration", "existing"]), named.existing.clone(), TEXT));
    }
    for (part, group) in cluster.groups() {
        texts.extend(group.name.iter().map(|name| (path(&Cx::in_group(part, "name")), name.clone(), NAME)));
        configured(&path(&Cx::in_group(part, "configurations")), &group.configurations, &mut texts);
    }
    configured(&path(&["cluster", "configurations"]), &cluster.configurations, &mut texts);
    for (index, action) in stack.bootstrap.iter().enumerate() {
        let here = path(&["bootstrap", &index.to_string()]);
        texts.push(([&here[..], &["name".to_owned()]].concat(), action.name.clone(), NAME));
        for (argument, text) in action.args.iter().enumerate() {
            texts.push(([&here[..], &["args".to_owned(), argument.to_string()]].concat(), text.clone(), TEXT));
        }
    }
    for (key, job) in &stack.jobs {
        if let JobWork::Script { args, .. } = &job.work {
            let args = args.iter().enumerate();
            texts.extend(
                args.map(|(index, text)| (path(&["jobs", key, "args", &index.to_string()]), text.clone(), TEXT)),
            );
        }
        texts.extend(
            job.conf.iter().map(|(name, value)| (path(&["jobs", key, "conf", name]), format!("{name}={value}"), TEXT)),
        );
    }
    for (path, text, most) in texts {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        // EMR would take line breaks in names; scripts and listings would not.
        let breaks = if most <= NAME { "" } else { "\t\n\r" };
        let unfit = |c: char| c.is_control() && !breaks.contains(c) || matches!(c, '\u{fffe}' | '\u{ffff}');
        if text.contains(unfit) {
            cx.error("FI315", &path, "a control character stands here, which EMR does not take", "remove it");
        } else if text.chars().count() > most {
            let message = format!("{} characters are too many for EMR", text.chars().count());
            cx.error("FI315", &path, message, format!("write {most} at most"));
        }
    }
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(release) = cluster.os_release.as_deref().filter(|release| !release.split('.').all(number)) {
        let message = format!("`{release}` is not a release of Amazon Linux");
        cx.error("FI315", &["cluster", "os_release"], message, "write it as AWS does, as in 2023.9.20250929.0");
    }
}

/// The texts of settings, each with its place and the most that EMR takes.
fn configured(above: &[String], list: &[Configuration], texts: &mut Vec<(Vec<String>, String, usize)>) {
    for (index, configuration) in list.iter().enumerate() {
        let here = [above, &[index.to_string()]].concat();
        let at = |parts: &[&str]| here.iter().cloned().chain(parts.iter().map(|part| (*part).to_owned())).collect();
        texts.push((at(&["classification"]), configuration.classification.clone(), TEXT));
        for (name, value) in &configuration.properties {
            let longer = if name.chars().count() > value.chars().count() { name } else { value };
            texts.push((at(&["properties", name]), longer.clone(), TEXT));
        }
        let within: Vec<String> = at(&["configurations"]);
        configured(&within, &configuration.configurations, texts);
    }
}

fn release(cx: &mut Cx<'_>, release: Release) {
    let path = ["cluster", "release"];
    let region = cx.stack.region;
    let label = release.to_string();
    if !releases().any(|known| known == label) {
        let newest = releases().next().unwrap_or_default();
        let hint = match nearest(&label, releases()) {
            Some(near) => format!("did you mean {near}? The newest known here is {newest}"),
            None => format!("the newest known here is {newest}"),
        };
        cx.warning("FI301", &path, format!("{label} is not among the releases known here"), hint);
    } else if region == EuRegion::EuscDeEast1 {
        let message = format!("what {region} offers is not known here: {label} and the instance types stay unchecked");
        cx.warning("FI303", &path, message, "`plan` asks AWS itself");
    } else if release_in(release, region) == Some(false) {
        let message = format!("{region} is not known to have {label}");
        cx.add(severity(release), "FI302", &path, message, "choose a release of 6.7 or later".to_owned());
    }
    if region == EuRegion::EuSouth2 && !release.spark_line && !release.at_least(6, 14) {
        cx.warning("FI304", &path, format!("{region} has the idle policy from 6.14 on only"), "choose a later release");
    }
}

/// Lists of old releases have gaps; from 7.9 on what they lack is lacking.
fn severity(release: Release) -> Severity {
    if release.spark_line || release.at_least(7, 9) { Severity::Error } else { Severity::Warning }
}

fn offered(cx: &mut Cx<'_>, release: Release, part: &str, group: &Group) {
    for (n, (name, _)) in group.types().enumerate() {
        match n.checked_sub(1).map(|n| n.to_string()) {
            None => is_offered(cx, release, name, &Cx::in_group(part, "type")),
            Some(n) => is_offered(cx, release, name, &[&Cx::in_group(part, "fleet")[..], &["or", &n]].concat()),
        }
    }
}

fn is_offered(cx: &mut Cx<'_>, release: Release, name: &str, path: &[&str]) {
    let region = cx.stack.region;
    let (message, hint) = match instance_type(name) {
        None => (format!("no release of EMR takes `{name}`"), near_type(name)),
        Some(facts) if facts.in_release(release) == Some(false) => (
            format!("{release} does not take {name}"),
            "choose a type of an older generation, or a later release".to_owned(),
        ),
        Some(facts) if facts.in_region(region) == Some(false) => {
            (format!("{region} does not offer {name}"), offered_instead(facts, name, region))
        }
        Some(_) => return,
    };
    cx.add(severity(release), "FI305", path, message, hint);
}

fn near_type(name: &str) -> String {
    let larger = name.strip_suffix(".large").map(|family| format!("{family}.xlarge"));
    let near =
        larger.as_deref().filter(|larger| instance_type(larger).is_some()).or_else(|| nearest(name, instance_types()));
    match near {
        Some(near) => format!("did you mean {near}?"),
        None => "m5.xlarge is the usual choice, m6g.xlarge its arm64 one".to_owned(),
    }
}

/// A type of the same size, architecture and memory that the region does offer.
fn offered_instead(facts: &InstanceType, name: &str, region: EuRegion) -> String {
    let family = name.chars().next();
    let alike = |other: &InstanceType| {
        other.arch == facts.arch && other.vcpu == facts.vcpu && other.in_region(region) == Some(true)
    };
    let same_family = |other: &&str| other.chars().next() == family && instance_type(other).is_some_and(alike);
    match instance_types().find(same_family) {
        Some(other) => format!("{other} is of the same size and offered there"),
        None => "choose another type".to_owned(),
    }
}

fn architectures(cx: &mut Cx<'_>, cluster: &Cluster) {
    let archs = |group: &'_ Group| -> Vec<&'static str> {
        group.types().filter_map(|(name, _)| Some(instance_type(name)?.arch)).collect()
    };
    let first = archs(&cluster.primary).first().copied();
    let other =
        cluster.groups().find(|(_, group)| archs(group).iter().any(|arch| first.is_some_and(|first| *arch != first)));
    if let Some((part, _)) = other {
        let message = "the groups mix x86_64 and arm64: what one builds, the other cannot load";
        cx.warning("FI306", &Cx::in_group(part, "type"), message, "use one architecture for the whole cluster");
    }
}

fn applications(cx: &mut Cx<'_>, cluster: &Cluster) {
    let known = || APPLICATIONS.into_iter().chain(MORE_APPLICATIONS);
    for (index, application) in cluster.applications.iter().enumerate() {
        let path = ["cluster", "applications", &index.to_string()].map(str::to_owned);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if !known().any(|name| name.eq_ignore_ascii_case(application)) {
            let message = format!("EMR is not known to have an application `{application}`");
            let severity = if nearest(application, known()).is_some() { Severity::Error } else { Severity::Warning };
            cx.add(severity, "FI307", &path, message, meant(application, known(), "remove it"));
        }
        if cluster.applications[..index].iter().any(|earlier| earlier.eq_ignore_ascii_case(application)) {
            cx.error("FI307", &path, format!("`{application}` is said twice"), "keep one of the two");
        }
        if application.eq_ignore_ascii_case("TensorFlow") && !cluster.release.has_tensorflow() {
            let message = format!("{} has no TensorFlow application", cluster.release);
            cx.error("FI308", &path, message, "install the package in `bootstrap` instead");
        }
    }
    if !cx.stack.jobs.is_empty() && !cluster.has_application("Spark") {
        cx.error("FI309", &["cluster", "applications"], "jobs need Spark", "add Spark to the applications");
    }
}

fn python(cx: &mut Cx<'_>, cluster: &Cluster) {
    let (Some(wanted), Some(newest)) = (cx.stack.python(), cluster.release.newest_python()) else { return };
    let minor = |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    if let (Some(asked), Some(has)) = (minor(&wanted), minor(newest))
        && asked > has
    {
        let message = format!("{} has Python {newest} at most, not {wanted}", cluster.release);
        let hint = format!("write /usr/bin/python{newest}, or install {wanted} in a bootstrap script of your own");
        cx.warning("FI310", &["cluster", "configurations"], message, hint);
    }
}

/// Settings known to be written wrong often.
fn settings(cx: &mut Cx<'_>, cluster: &Cluster) {
    for (index, configuration) in cluster.configurations.iter().enumerate() {
        let index = index.to_string();
        let here = ["cluster", "configurations", &index];
        let bucket = configuration.properties.get("s3.persistence.bucket");
        if let Some(value) = bucket.filter(|value| value.contains('/')) {
            let path = [&here[..], &["properties", "s3.persistence.bucket"]].concat();
            cx.error(
                "FI311",
                &path,
                format!("JupyterHub wants the bare name of a bucket, not `{value}`"),
                "write the name alone",
            );
            let bare = value.trim_start_matches("s3://").trim_end_matches('/');
            if !bare.contains('/') {
                cx.becomes(&path, bare);
            }
        }
        if configuration.properties.is_empty() && configuration.configurations.is_empty() {
            let message = format!("`{}` sets nothing", configuration.classification);
            cx.warning("FI312", &[&here[..], &["classification"]].concat(), message, "add `properties`, or remove it");
        }
        let earlier = cluster.configurations.iter().take_while(|earlier| !std::ptr::eq(*earlier, configuration));
        if earlier.into_iter().any(|earlier| earlier.classification == configuration.classification) {
            let message = format!("`{}` is said twice: EMR takes one of the two", configuration.classification);
            cx.error("FI312", &[&here[..], &["classification"]].concat(), message, "merge them");
        }
    }
    if !(1..=256).contains(&cluster.step_concurrency) {
        let message = format!("{} steps at once are out of bounds", cluster.step_concurrency);
        cx.error("FI313", &["cluster", "step_concurrency"], message, "write between 1 and 256");
    }
    if cx.stack.bootstrap.len() > 16 {
        let message = format!("{} bootstrap actions are too many", cx.stack.bootstrap.len());
        cx.error("FI313", &["bootstrap"], message, "EMR runs 16 at most: join some");
    }
}

fn arguments(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    for (key, job) in &stack.jobs {
        let length = step(stack, key, job);
        if length > STEP_ARGUMENTS {
            let message = format!("the job's arguments have {length} characters; EMR takes {STEP_ARGUMENTS}");
            cx.error("FI314", &["jobs", key], message, "put them into a file in a bucket, and give its place");
        }
    }
}

/// How long the arguments of a job's step are at most: ours, which name the script and its places, and the stack's.
fn step(stack: &Stack, key: &str, job: &Job) -> usize {
    const OURS: &str = "spark-submit --deploy-mode client s3:// /fruitsinfra/objects/job-.0123456789ab.py";
    const TEMPLATE: &str = "--input s3:// --output s3:// --weights s3:// /fruitsinfra/objects/weights-untrained.0123456789ab.weights.h5 \
        --weights-source untrained --conf spark.executor.cores=000 --conf spark.executor.memory=00000000m \
        --conf spark.executor.memoryOverhead=00000000m";
    const BUCKET: usize = 63;
    let places = job.features().map_or(0, |features| {
        TEMPLATE.len() + 3 * BUCKET + features.input.prefix.chars().count() + features.output.prefix.chars().count()
    });
    let home = stack.default_bucket_name("home", "000000000000").len();
    let said: usize = job.arguments().map(|text| text.chars().count()).sum();
    OURS.len() + home + key.len() + places + said + job.conf.len() * "--conf=".len()
}
