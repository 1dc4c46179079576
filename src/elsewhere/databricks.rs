//! A stack as a Databricks Asset Bundle: a job each on a classic job cluster, the same script with the same arguments, and
//! before it a task that looks whether the workspace is in the European Union. It never claims a counterpart that there
//! is not: `without` lists what is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Remark, Unfit, Written, without};
use crate::blueprint::{self, Materials};
use crate::cloud::surroundings::Surroundings;
use crate::job;
use crate::residency::EuRegion;
use crate::script;
use crate::stack::facts::instance_type;
use crate::stack::{
    BootstrapWork, Cluster, Grants, Group, Job, ManagedScaling, Market, Place, ScalingUnit, Stack, Weights,
    is_tensorflow, normal_package,
};
use crate::weights;

/// The runtime with TensorFlow in it whose Spark is that of EMR 7 (3.5), on x86 and on Graviton; supported until
/// August 2027 (Databricks Runtime release notes).
const RUNTIME: &str = "15.4.x-cpu-ml-scala2.12";
pub(super) const RUNTIME_IN_WORDS: &str = "Databricks Runtime 15.4 LTS ML (Spark 3.5.0, Python 3.11)";

/// Of the packages that jobs of this kind import, those that the runtime brings.
const IN_RUNTIME: [&str; 10] =
    ["h5py", "keras", "matplotlib", "numpy", "pandas", "pillow", "pyarrow", "scikit-learn", "scipy", "seaborn"];

/// Settings of YARN and of executors' sizes, which Databricks chooses itself by the node type.
pub(super) const NOT_THERE: [&str; 13] = [
    "spark.yarn.",
    "spark.master",
    "spark.submit.",
    "spark.dynamicAllocation.",
    "spark.shuffle.service.",
    "spark.executor.instances",
    "spark.executor.cores",
    "spark.executor.memory",
    "spark.driver.memory",
    "spark.driver.cores",
    "spark.emr.",
    "spark.pyspark.",
    "spark.hadoop.fs.s3",
];

/// What stands for the account's number in a bundle that is not told it.
const ACCOUNT: &str = "${var.account}";

/// The same in texts for people: angle brackets would be a tag there.
const IN_WORDS: &str = "ACCOUNT";

/// Where the bundle's files lie among what is rendered.
const FOLDER: &str = "databricks";

/// The bundle of a stack.
pub fn bundle(stack: &Stack, materials: &Materials, account: Option<&str>) -> Result<Written, Unfit> {
    let cluster = stack.cluster.as_ref().ok_or(Unfit::Nothing("this stack has no cluster to run elsewhere"))?;
    if stack.jobs.is_empty() {
        return Err(Unfit::Nothing("this stack has no job to run elsewhere"));
    }
    let around = Surroundings::offline(stack.region, Some(account.unwrap_or(ACCOUNT)), None);
    let at = |source: &str, weights: &Weights| {
        let url = blueprint::object_url(stack, materials, &around, &blueprint::weights_key(weights));
        url.unwrap_or_else(|| format!("${{var.{}}}", weights_variable(source)))
    };
    let jobs: Vec<Value> = stack.jobs.iter().map(|(key, job)| job_of(stack, cluster, key, job, &around, &at)).collect();
    let weights = weight_variables(stack, materials, &around);
    let account_open = account.is_none() && Value::from(jobs.clone()).to_string().contains(ACCOUNT);
    let profile = profile(stack, &around);
    let remarks = without::counterpart(stack, cluster);
    let region = stack.region.as_str();
    let mut open: Vec<&str> = weights.iter().filter_map(|of| of["name"].as_str()).collect();
    open.extend(account_open.then_some("account"));
    open.extend(profile["arn"].is_null().then_some("instance_profile"));
    let given: Vec<String> = open.into_iter().rev().map(|name| format!(" --var '{name}=...'")).collect();
    let manifest = json!({
        "name": stack.name, "region": region, "runtime": RUNTIME, "profile": profile, "account_open": account_open,
        "weights": weights, "jobs": jobs,
    });
    let allowed: BTreeMap<&str, &str> =
        EuRegion::ALL.into_iter().map(|region| (region.as_str(), region.place())).collect();
    let told = json!({
        "title": cell(&stack.title()), "region": region, "place": stack.region.place(), "runtime": RUNTIME_IN_WORDS,
        "jobs": stack.jobs.keys().map(|key| json!({"key": key})).collect::<Vec<_>>(), "given": given.concat(),
        "first": first(stack, &around, &profile), "remarks": remarks.iter().map(row).collect::<Vec<_>>(),
    });
    let mut files = vec![
        file("databricks.yml", printable(&script::embedded("databricks/databricks.yml.j2", &manifest)?)),
        file("README.md", script::embedded("databricks/README.md.j2", &told)?),
        file(
            "check_region.py",
            script::embedded("databricks/check_region.py.j2", &json!({"region": region, "allowed": allowed}))?,
        ),
    ];
    files.extend(materials.jobs.iter().map(|(key, text)| file(&script_of(key), text.clone())));
    Ok(Written { files, remarks })
}

fn file(name: &str, text: String) -> (String, String) {
    (format!("{FOLDER}/{name}"), text)
}

fn script_of(key: &str) -> String {
    format!("job-{key}.py")
}

/// Characters that JSON leaves as they are and YAML does not take, or takes for the end of a line. They are in values
/// alone, and so between quotes, where YAML reads the escape.
fn printable(text: &str) -> String {
    let odd = |c: char| (c.is_control() && c != '\n') || ['\u{2028}', '\u{2029}', '\u{feff}'].contains(&c);
    let written = |c: char| if odd(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(written).collect()
}

/// A text that stays in its cell of a table, and in its line.
fn cell(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.replace('|', "\\|").replace('<', "&lt;")
}

fn row(remark: &Remark) -> Value {
    json!({"code": remark.code, "what": cell(&remark.what), "instead": cell(&remark.instead)})
}

fn job_of(
    stack: &Stack,
    cluster: &Cluster,
    key: &str,
    job: &Job,
    around: &Surroundings,
    weights: &dyn Fn(&str, &Weights) -> String,
) -> Value {
    let wanted = job.features().map(|features| &features.model.weights);
    let weights = wanted.map(|wanted| weights(weights::source(wanted), wanted));
    json!({
        "key": key,
        "name": format!("{}: {key}", stack.title()),
        "timeout": stack.limits.lifetime.as_secs(),
        "tags": tags(&stack.tags),
        "script": format!("./{}", script_of(key)),
        "parameters": parameters(stack, job, around, weights.as_deref()),
        "libraries": libraries(stack),
        "cluster": cluster_of(stack, cluster, job, around),
    })
}

/// Databricks gives `Name` a value of its own, by which it finds its clusters again.
fn tags(tags: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    tags.iter().filter(|(key, _)| *key != "Name").map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// What the script is told, as its step on EMR is: all that comes after the script.
fn parameters(stack: &Stack, job: &Job, around: &Surroundings, weights: Option<&str>) -> Vec<String> {
    let script = "the script";
    let step = job::arguments(stack, job, script, weights, &around.account);
    step.into_iter().skip_while(|arg| arg != script).skip(1).collect()
}

fn weights_variable(source: &str) -> String {
    format!("weights_{source}")
}

/// A variable for each object of weights whose address is not known: it holds a hash, and the file is not at hand.
fn weight_variables(stack: &Stack, materials: &Materials, around: &Surroundings) -> Vec<Value> {
    let wanted: BTreeMap<&str, _> = stack
        .jobs
        .values()
        .filter_map(Job::features)
        .map(|features| (weights::source(&features.model.weights), &features.model.weights))
        .collect();
    let home = blueprint::home_name(stack, &around.account);
    let variable = |(source, weights): (&str, &Weights)| {
        let key = blueprint::weights_key(weights);
        // A description is no place for references.
        let home = home.replace(ACCOUNT, IN_WORDS);
        let says =
            format!("The network's weights, which `fruitsinfra up` puts at s3://{home}/fruitsinfra/objects/{key}.*");
        let open = blueprint::object_url(stack, materials, around, &key).is_none();
        open.then(|| json!({"name": weights_variable(source), "says": says}))
    };
    wanted.into_iter().filter_map(variable).collect()
}

/// What pip installs there: the stack's pins, but for what the runtime brings.
fn libraries(stack: &Stack) -> Vec<String> {
    let pins = packages(stack).filter(|(name, _)| !in_runtime(name));
    pins.map(|(name, version)| format!("{name}=={version}")).collect()
}

/// Every package that a template of the stack installs.
pub(super) fn packages(stack: &Stack) -> impl Iterator<Item = (&String, &String)> {
    stack.bootstrap.iter().flat_map(|action| match &action.work {
        BootstrapWork::Template { packages, .. } => packages.iter().collect::<Vec<_>>(),
        BootstrapWork::Script(_) => vec![],
    })
}

pub(super) fn in_runtime(package: &str) -> bool {
    let name = normal_package(package);
    is_tensorflow(&name) || IN_RUNTIME.contains(&name.as_str())
}

fn cluster_of(stack: &Stack, cluster: &Cluster, job: &Job, around: &Surroundings) -> Value {
    let Size { workers, on_demand } = size(cluster);
    let mut conf: BTreeMap<&str, &str> = spark_conf(cluster, job).filter(|(name, _)| is_there(name)).collect();
    let mut own = tags(&cluster.tags);
    if cluster.core.is_none() {
        // One node that is driver and worker, as Databricks asks for it.
        conf.extend([("spark.databricks.cluster.profile", "singleNode"), ("spark.master", "local[*]")]);
        own.insert("ResourceClass", "SingleNode");
    }
    let bounds = cluster.managed_scaling.as_ref().filter(|_| cluster.core.is_some());
    let logs = stack.logs().map(|place| blueprint::url(stack, &place.join("databricks"), &around.account));
    json!({
        "node": worker(cluster).instance_type,
        "driver": cluster.primary.instance_type,
        "workers": workers,
        "autoscale": bounds.map(|bounds| autoscale(bounds, cluster)),
        "on_demand": on_demand,
        "volumes": volumes(worker(cluster)),
        "conf": conf,
        "environment": environment(cluster),
        "tags": own,
        "logs": logs,
    })
}

/// The group whose type the workers are of.
pub(super) fn worker(cluster: &Cluster) -> &Group {
    cluster.core.as_ref().unwrap_or(&cluster.primary)
}

struct Size {
    workers: u32,
    /// Nodes on demand, the driver among them, where others are bought on the spot market.
    on_demand: Option<u32>,
}

/// The core group, and the task groups that are of its type.
fn size(cluster: &Cluster) -> Size {
    let Some(core) = &cluster.core else { return Size { workers: 0, on_demand: None } };
    let units = |group: &Group| -> (u32, u32) {
        let spot = group.fleet.as_ref().map_or(0, |fleet| fleet.spot);
        if group.market == Market::Spot { (0, group.count + spot) } else { (group.count, spot) }
    };
    let others = cluster.task.values().filter(|group| group.instance_type == core.instance_type);
    let all: Vec<(u32, u32)> = std::iter::once(core).chain(others).map(units).collect();
    let (steady, spot) = all.iter().fold((0, 0), |(steady, spot), (s, t)| (steady + s, spot + t));
    Size { workers: steady + spot, on_demand: (spot > 0).then_some(1 + steady) }
}

/// Bounds of EMR's scaling as bounds on workers.
pub(super) fn autoscale(bounds: &ManagedScaling, cluster: &Cluster) -> Value {
    let each = match bounds.unit {
        ScalingUnit::Instances => 1,
        ScalingUnit::Vcpu => instance_type(&worker(cluster).instance_type).map_or(1, |facts| facts.vcpu),
    };
    let (least, most) = (bounds.minimum.div_ceil(each).max(1), (bounds.maximum / each).max(1));
    json!({"minimum": least.min(most), "maximum": most})
}

/// Types without disks of their own need at least one, of 100 to 4,096 GiB, or the cluster cannot be made.
fn volumes(group: &Group) -> Value {
    let count: u32 = group.volumes.iter().map(|volume| volume.per_instance).sum();
    let size = group.volumes.iter().map(|volume| volume.size).max().unwrap_or_default();
    json!({"count": count.clamp(1, 10), "size": size.clamp(100, 4096)})
}

/// What the stack tells Spark: of the whole cluster, then of the job.
pub(super) fn spark_conf<'a>(cluster: &'a Cluster, job: &'a Job) -> impl Iterator<Item = (&'a str, &'a str)> {
    let defaults = cluster.configurations.iter().filter(|of| of.classification == "spark-defaults");
    let defaults = defaults.flat_map(|of| &of.properties);
    defaults.chain(&job.conf).map(|(name, value)| (name.as_str(), value.as_str()))
}

pub(super) fn is_there(setting: &str) -> bool {
    !NOT_THERE.iter().any(|begins| setting.starts_with(begins))
}

/// Variables of the environment, but for those that say which Python: the runtime has one.
fn environment(cluster: &Cluster) -> Map<String, Value> {
    let env = cluster.configurations.iter().filter(|of| of.classification == "spark-env");
    let exported = env.flat_map(|of| &of.configurations).filter(|of| of.classification == "export");
    let variables = exported.flat_map(|of| &of.properties).filter(|(name, _)| !names_python(name));
    variables.map(|(name, value)| (name.clone(), json!(value))).collect()
}

pub(super) fn names_python(variable: &str) -> bool {
    ["PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"].contains(&variable)
}

/// The instance profile that the cluster acts as: the stack's own is EMR's, and one is known only by its ARN.
fn profile(stack: &Stack, around: &Surroundings) -> Value {
    let arn = stack.instance_profile.as_ref().map(|profile| &profile.existing).filter(|name| name.starts_with("arn:"));
    let Grants { read, mut write } = stack.touched();
    write.extend(stack.logs());
    let places = |of: &BTreeSet<Place>| -> String {
        let urls = of.iter().map(|place| blueprint::url(stack, place, &around.account).replace(ACCOUNT, IN_WORDS));
        urls.collect::<Vec<_>>().join(" ")
    };
    let says = format!(
        "ARN of an instance profile that the workspace has registered; it may read {} s3://{}/ and write {}",
        places(&read),
        blueprint::home_name(stack, &around.account).replace(ACCOUNT, IN_WORDS),
        places(&write),
    );
    json!({"says": says.trim_end(), "arn": arn})
}

/// What a run presupposes.
fn first(stack: &Stack, around: &Surroundings, profile: &Value) -> Vec<String> {
    let named = |key: &str| stack.bucket_name(key, &around.account).unwrap_or_default();
    let mut buckets: Vec<String> = stack.buckets.keys().map(|key| named(key)).collect();
    buckets.push(blueprint::home_name(stack, &around.account));
    let buckets = buckets.iter().map(|name| format!("`{}`", name.replace(ACCOUNT, IN_WORDS)));
    let buckets = buckets.collect::<Vec<_>>().join(", ");
    let mut first = vec![
        format!(
            "The buckets ({buckets}) with what lies in them: `fruitsinfra up` makes and fills them, and after `down` they stay."
        ),
        format!(
            "{}. The script lists and writes through Hadoop's own S3 client, which acts as that profile.",
            profile["says"].as_str().unwrap_or_default()
        ),
        "A workspace that offers the node types: they are AWS's own names, and each workspace lists those it takes."
            .into(),
    ];
    if !stack.uploads.is_empty() {
        first.push("The images that `uploads` of the stack name: a bundle sends none.".into());
    }
    first.iter().map(|sentence| cell(sentence)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn bundled(cluster: &str) -> Written {
        let text = format!(
            "stack: s\nregion: eu-west-3\nowner: o@fruits.example\nbuckets: {{data: {{}}, logs: {{}}}}\n\
             cluster: {{release: emr-7.12.0, applications: [Spark, JupyterHub], primary: {{type: m5.xlarge}}{cluster}}}\n\
             bootstrap: [{{name: python, template: bootstrap/python_packages.sh.j2, packages: {{tensorflow-cpu: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0, tqdm: 4.67.1}}}}]\n\
             jobs: {{features: {{template: jobs/fruit_features.py.j2, input: data/images/, output: data/, conf: {{spark.yarn.maxAppAttempts: \"1\", spark.task.maxFailures: \"8\"}}}}}}\n"
        );
        let stack = crate::stack::load_text("s.yaml", text, Path::new("")).expect("a stack").stack;
        let materials = Materials::scripts(&stack, Path::new("").into(), "home", BTreeMap::new()).expect("texts");
        bundle(&stack, &materials, Some("000000000000")).expect("a bundle")
    }

    #[test]
    fn what_a_bundle_cannot_say_is_told_and_the_rest_is_in_it() {
        let groups = ", core: {type: m5.xlarge, count: 2}, task: {more: {type: r5.xlarge, count: 3, market: spot}, \
                      same: {type: m5.xlarge, count: 1, market: spot}}, key_pair: mine";
        let Written { files, remarks } = bundled(groups);
        let told: Vec<String> = remarks.iter().map(|of| format!("{} {}", of.code, of.what)).collect();
        for expected in [
            "FI341 emr-7.12.0 (Spark 3.5)",
            "FI340 JupyterHub",
            "FI340 the key pair",
            "FI340 task group more (3 of r5.xlarge)",
            "FI341 task group same",
            "FI340 settings: spark.yarn.maxAppAttempts",
            "FI341 logs in logs/emr/",
        ] {
            assert!(told.iter().any(|of| of == expected), "{expected}: {told:#?}");
        }
        let (_, manifest) = files.first().expect("a manifest");
        for expected in [
            "num_workers: 3\n",
            "first_on_demand: 3\n",
            "\"spark.task.maxFailures\": \"8\"\n",
            "package: \"tqdm==4.67.1\"\n",
            "destination: \"s3://s-logs-000000000000/emr/databricks\"\n",
        ] {
            assert!(manifest.contains(expected), "{expected}{manifest}");
        }
        assert!(!manifest.contains("yarn") && !manifest.contains("tensorflow"), "{manifest}");
    }

    #[test]
    fn one_node_is_driver_and_worker() {
        let Written { files, .. } = bundled("");
        let (_, manifest) = files.first().expect("a manifest");
        assert!(
            manifest.contains("num_workers: 0\n") && manifest.contains("\"ResourceClass\": \"SingleNode\""),
            "{manifest}"
        );
    }

    #[test]
    fn what_yaml_would_stumble_over_is_escaped() {
        assert_eq!(printable("\"a\u{7f}\u{2028}é\"\n"), "\"a\\u007f\\u2028é\"\n");
    }
}
