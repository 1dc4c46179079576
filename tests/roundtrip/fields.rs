//! Every optional field of the language with its default and another value. The list is held against the schema, so
//! that a new field without a case fails. Plain data: nothing here asks anybody.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// What a person sees of a field in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A plan shows it when it appears and when it goes.
    Shown,
    /// Shown when it appears; without it AWS chooses, and what is there is a possible choice.
    Chosen,
    /// Nothing in AWS depends on it.
    Ours,
}

/// One optional field at one place of the rich stack.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) path: &'static str,
    /// What it means to leave it out, written out; `None` where that cannot be written.
    pub(crate) default: Option<Value>,
    pub(crate) set: Value,
    /// What else has to be said for it to be allowed.
    pub(crate) with: Vec<(&'static str, Value)>,
    pub(crate) effect: Effect,
    /// Whether it can stand beside all others in one stack.
    pub(crate) together: bool,
}

impl Case {
    pub(crate) fn quiet(self) -> Self {
        Self { effect: Effect::Ours, ..self }
    }

    fn chosen(self) -> Self {
        Self { effect: Effect::Chosen, ..self }
    }

    pub(crate) fn apart(self) -> Self {
        Self { together: false, ..self }
    }

    pub(crate) fn with(mut self, path: &'static str, value: Value) -> Self {
        self.with.push((path, value));
        self
    }
}

pub(crate) fn case(path: &'static str, default: Value, set: Value) -> Case {
    let default = Some(default).filter(|value| !value.is_null());
    Case { path, default, set, with: vec![], effect: Effect::Shown, together: true }
}

/// The least of a stack that is allowed and lives long enough.
pub(crate) fn least(name: &str) -> Value {
    json!({"stack": name, "region": super::life::REGION, "owner": super::life::OWNER, "limits": {"idle": "7d", "lifetime": "7d"}})
}

/// A stack with every part of the language and nothing optional in any: each field can be set on its own.
pub(crate) fn rich(name: &str) -> Value {
    let group = |count: u32| {
        json!({"type": "m5.xlarge", "count": count, "volumes": [{"size": 50}],
            "configurations": [{"classification": "yarn-site"}]})
    };
    let mut stack = least(name);
    for (key, value) in [
        ("buckets", json!({"data": {}, "logs": {}})),
        ("uploads", json!([{"from": "out/images", "to": "data/images/"}])),
        ("roles", json!({"nodes": {}})),
        (
            "bootstrap",
            json!([{"name": "own", "script": "own.sh"}, {"name": "python", "template": "bootstrap/python_packages.sh.j2",
                "packages": {"pandas": "2.3.3"}}]),
        ),
        (
            "cluster",
            json!({"release": "emr-7.12.0", "primary": group(1), "core": group(1), "task": {"extra": group(1)},
                "configurations": [{"classification": "hive-site"}], "root_volume": {"size": 40}}),
        ),
        (
            "jobs",
            json!({"own": {"script": "job.py"},
                "fruits": {"template": "jobs/fruit_features.py.j2", "input": "data/images/", "output": "data/out/",
                    "model": {}, "pca": {}},
                "again": {"template": "jobs/fruit_features.py.j2", "input": "data/more/", "output": "data/again/"}}),
        ),
    ] {
        stack[key] = value;
    }
    stack
}

/// Everything that the embedded AWS has of somebody else's, by the field that names it.
pub(crate) struct Theirs {
    pub(crate) primary: String,
    pub(crate) core: String,
    pub(crate) service: String,
    /// A subnet that nobody would choose first.
    pub(crate) subnet: String,
}

pub(crate) fn key(which: u8) -> String {
    format!("arn:aws:kms:{}:000000000000:key/{which:08x}-2222-3333-4444-555555555555", super::life::REGION)
}

/// Every optional field but those that begin a part of the language: see [`PARTS`].
pub(crate) fn cases(theirs: &Theirs) -> Vec<Case> {
    let existing = |name: &str| json!({"existing": name});
    let groups = json!({"primary": existing(&theirs.primary), "core": existing(&theirs.core)});
    let nested = json!([{"classification": "export", "properties": {"A": "1"}}]);
    let mut all = vec![
        case("account", Value::Null, json!("000000000000")).quiet(),
        case("tags", json!({}), json!({"project": "p8", "Name": "all of it", "cost:centre": "42"})),
        case("limits.hourly", Value::Null, json!("50 USD")).quiet(),
        case("limits.demo", Value::Null, json!("5000 USD")).quiet(),
        case("limits.idle", json!("45m"), json!("6d")),
        case("limits.lifetime", json!("3h"), json!("6d")).quiet(),
        case("limits.lift_protection", json!(false), json!(true)),
        case("eur_per_usd", Value::Null, json!(0.92)).quiet(),
        case("kms_key", Value::Null, json!(key(1))),
        case("buckets.data.name", Value::Null, json!("{stack}-data-of-ours")),
        case("buckets.data.versioning", json!(false), json!(true)),
        case("buckets.data.expire", json!({}), json!({"features/": "30d", "pca/": "60d"})),
        case("buckets.logs.expire", json!({}), json!("14d")),
        case("buckets.data.kms_key", Value::Null, json!(key(2))),
        case("buckets.data.existing", Value::Null, json!("bucket-of-somebody-else")).apart(),
        case("roles.nodes.read", Value::Null, json!(["data/images/", "logs/emr/"])),
        case("roles.nodes.write", Value::Null, json!(["data/"])).with("roles.nodes.read", json!(["data/images/"])),
        case("roles.nodes.existing", Value::Null, json!("their-nodes")).apart(),
        case("roles.service", Value::Null, existing("their-service")).apart(),
        case("roles.end", Value::Null, existing("their-end")).apart(),
        case("instance_profile", Value::Null, existing("their-nodes")).apart(),
        case("security_groups", Value::Null, groups.clone()).apart(),
        case("security_groups.service", Value::Null, existing(&theirs.service)).with("security_groups", groups).apart(),
        case("bootstrap.0.args", json!([]), json!(["a b", "say \"hi\"", "é 🍎", ""])),
        case("bootstrap.0.template", Value::Null, json!("bootstrap/python_packages.sh.j2")).apart(),
        case("bootstrap.0.script", Value::Null, json!("other.sh")),
        case("bootstrap.1.packages", Value::Null, json!({"pandas": "2.3.3", "pillow": "11.3.0"})),
        case("cluster.name", Value::Null, json!("Tout à la fois")),
        case("cluster.os_release", Value::Null, json!("2023.9.20250929.0")).chosen(),
        case("cluster.applications", json!(["Spark"]), json!(["Spark", "Hive"])),
        case("cluster.logs", json!("logs/emr/"), json!("data/logs/")),
        case("cluster.idle", json!("7d"), json!("5d")),
        // A cluster that is not kept alive ends as soon as it is there: it has no step.
        case("cluster.keep_alive", json!(true), json!(false)).apart(),
        case("cluster.termination_protection", json!(false), json!(true)),
        case("cluster.step_concurrency", json!(1), json!(7)),
        case("cluster.scale_down", json!("at-task-completion"), json!("at-instance-hour")),
        case("cluster.auto_scaling_role", Value::Null, existing("EMR_AutoScaling_DefaultRole")),
        case("cluster.managed_scaling", Value::Null, json!({"minimum": 1, "maximum": 3})).apart(),
        case("cluster.managed_scaling.maximum_core", Value::Null, json!(2))
            .with("cluster.managed_scaling", scaled())
            .apart(),
        case("cluster.managed_scaling.maximum_on_demand", Value::Null, json!(0))
            .with("cluster.managed_scaling", scaled())
            .apart(),
        case("cluster.managed_scaling.unit", json!("instances"), json!("vcpu"))
            .with("cluster.managed_scaling", scaled())
            .apart(),
        case("cluster.security_configuration", Value::Null, existing("theirs")),
        case("cluster.custom_ami", Value::Null, json!("ami-0123456789abcdef0")),
        case("cluster.subnet", Value::Null, json!(theirs.subnet)).chosen(),
        case("cluster.key_pair", Value::Null, json!("placeholder")),
        case(
            "cluster.access",
            json!([]),
            json!([{"from": "203.0.113.7/32", "port": 9443}, {"from": "2001:db8::/48", "port": 18080}]),
        ),
        case("cluster.root_volume.type", Value::Null, json!("gp3")),
        case("cluster.root_volume.iops", Value::Null, json!(4000)),
        case("cluster.root_volume.throughput", Value::Null, json!(250)),
        case("cluster.tags", json!({}), json!({"team": "data"})),
        case(
            "cluster.configurations.0.properties",
            json!({}),
            json!({"hive.exec.parallel": "true", "javax.jdo.option.ConnectionPassword": "<password>"}),
        ),
        case("cluster.configurations.0.configurations", json!([]), nested.clone()),
        case("jobs.own.args", json!([]), json!(["--input", "s3://somewhere/"])).quiet(),
        case("jobs.own.script", Value::Null, json!("own.sh")).apart(),
        case("jobs.own.conf", json!({}), json!({"spark.executor.memory": "6g"})).quiet(),
        case("jobs.own.on_failure", json!("continue"), json!("cancel-and-wait")).quiet(),
        case("jobs.fruits.template", Value::Null, json!("jobs/fruit_features.py.j2")).quiet(),
        case("jobs.fruits.input", Value::Null, json!("data/pictures/")),
        case("jobs.fruits.output", Value::Null, json!("data/elsewhere/")),
        case("jobs.fruits.partitions", Value::Null, json!(48)),
        case("jobs.fruits.batch", json!(64), json!(128)),
        case("jobs.fruits.model.name", json!("MobileNetV2"), json!("MobileNetV2")).quiet(),
        case("jobs.fruits.model.weights", json!("imagenet"), json!("weights.h5")),
        case("jobs.again.fitted", Value::Null, json!("fruits")).apart(),
        case("jobs.fruits.pca.variance", json!(0.9), json!(0.95)),
        case("jobs.fruits.pca.standardise", json!(true), json!(false)),
        case("jobs.fruits.pca.max_components", Value::Null, json!(200)),
    ];
    all.extend(of_groups());
    all.extend(super::fleets::cases());
    all.extend(super::uploads::cases());
    all
}

/// Bounds that say nothing optional.
fn scaled() -> Value {
    json!({"minimum": 1, "maximum": 4})
}

/// What all groups have, and what each counts.
fn of_groups() -> Vec<Case> {
    let nested = json!([{"classification": "export", "properties": {"A": "1"}}]);
    let mut all = Vec::new();
    for group in GROUPS {
        let [name, market, bid, volumes, configurations] = group.own;
        all.extend([
            case(name, json!(group.called), json!(format!("Unité {}", group.called))),
            case(market, json!("on-demand"), json!("spot")),
            case(bid, Value::Null, json!("0.12 USD")).with(market, json!("spot")),
            case(volumes, Value::Null, json!([{"size": 64}, {"size": 80, "type": "gp2"}])),
            case(configurations, json!([]), json!([{"classification": "core-site", "properties": {"A": "b"}}])),
        ]);
        let [kind, iops, throughput, per_instance] = group.volume;
        all.extend([
            case(kind, json!("gp3"), json!("gp2")).apart(),
            case(iops, Value::Null, json!(4000)),
            case(throughput, Value::Null, json!(250)),
            case(per_instance, json!(1), json!(3)),
        ]);
        let [properties, inner] = group.configuration;
        all.extend([
            case(
                properties,
                json!({}),
                json!({"yarn.nodemanager.vmem-check-enabled": "false", "Some.Secret": "<secret>"}),
            ),
            case(inner, json!([]), nested.clone()),
        ]);
    }
    all.extend([
        case("cluster.primary.count", json!(1), json!(3)),
        case("cluster.core.count", json!(1), json!(2)),
        case("cluster.task.extra.count", json!(1), json!(2)),
    ]);
    all
}

/// The places of what all groups have.
struct Places {
    called: &'static str,
    own: [&'static str; 5],
    volume: [&'static str; 4],
    configuration: [&'static str; 2],
}

macro_rules! places {
    ($group:literal, $called:literal) => {
        Places {
            called: $called,
            own: [
                concat!($group, ".name"),
                concat!($group, ".market"),
                concat!($group, ".bid"),
                concat!($group, ".volumes"),
                concat!($group, ".configurations"),
            ],
            volume: [
                concat!($group, ".volumes.0.type"),
                concat!($group, ".volumes.0.iops"),
                concat!($group, ".volumes.0.throughput"),
                concat!($group, ".volumes.0.per_instance"),
            ],
            configuration: [
                concat!($group, ".configurations.0.properties"),
                concat!($group, ".configurations.0.configurations"),
            ],
        }
    };
}

const GROUPS: [Places; 3] =
    [places!("cluster.primary", "primary"), places!("cluster.core", "core"), places!("cluster.task.extra", "extra")];

/// Fields that begin a part of the language: the rich stack has them, the least has not, and a stack goes from one
/// to the other and back.
pub(crate) const PARTS: [&str; 12] = [
    "bootstrap",
    "buckets",
    "cluster",
    "cluster.configurations",
    "cluster.core",
    "cluster.root_volume",
    "cluster.task",
    "jobs",
    "limits",
    "roles",
    "roles.nodes",
    "uploads",
];

/// Fields of the rich stack that are what a job or an action is made from.
pub(crate) const WITHIN: [&str; 2] = ["jobs.*.model", "jobs.*.pca"];

/// Proven elsewhere: packages where an index is at hand, `tests/wheels.rs`; waivers, which mean nothing to AWS, in
/// `tests/validate.rs`; profiles, which are other stacks. A primary fleet is one node, and buys none beside it.
pub(crate) const ELSEWHERE: [&str; 5] =
    ["bootstrap.#.packages_from", "waivers", "waivers.#.file", "profiles", "cluster.primary.fleet.spot"];

/// `buckets.data.expire` as the schema knows it: `buckets.*.expire`.
pub(crate) fn pattern(path: &str) -> String {
    let mut keyed = false;
    let part = |part: &str| {
        let shown = if keyed {
            "*"
        } else if part.parse::<usize>().is_ok() {
            "#"
        } else {
            part
        };
        let shown = shown.to_owned();
        keyed = ["buckets", "task", "jobs"].contains(&part);
        shown
    };
    path.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// Every optional field that the schema knows.
pub(crate) fn optional() -> BTreeSet<String> {
    let schema = fruitsinfra::stack::schema();
    let mut found = BTreeSet::new();
    walk(&schema, &schema, &mut vec![], &mut vec![], &mut found);
    // What a profile may say is what a stack may.
    found.retain(|path| !path.starts_with("profiles."));
    found
}

fn walk<'a>(
    root: &'a Value,
    part: &'a Value,
    path: &mut Vec<String>,
    above: &mut Vec<&'a Value>,
    found: &mut BTreeSet<String>,
) {
    if let Some(reference) = part["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("leads somewhere");
        return walk(root, target, path, above, found);
    }
    for alternative in part["anyOf"].as_array().into_iter().flatten() {
        walk(root, alternative, path, above, found);
    }
    // Configurations hold configurations.
    if above.iter().any(|seen| std::ptr::eq(*seen, part)) {
        return;
    }
    above.push(part);
    let required: Vec<&str> = part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in part["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        if !required.contains(&name.as_str()) {
            found.insert(path.join("."));
        }
        walk(root, field, path, above, found);
        path.pop();
    }
    for (name, inner) in [("*", &part["additionalProperties"]), ("#", &part["items"])] {
        if inner.is_object() {
            path.push(name.into());
            walk(root, inner, path, above, found);
            path.pop();
        }
    }
    above.pop();
}

/// Puts a value at a place, or takes away what is there.
pub(crate) fn put(stack: &mut Value, path: &str, value: Option<Value>) {
    let (above, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut at = stack;
    for part in above.split('.').filter(|part| !part.is_empty()) {
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part],
        };
    }
    match value {
        Some(value) => at[last] = value,
        None => drop(at.as_object_mut().expect("a mapping").remove(last)),
    }
}

/// Whether a stack has what a place is in.
pub(crate) fn place(stack: &Value, path: &str) -> Option<()> {
    let (above, _) = path.rsplit_once('.').unwrap_or(("", path));
    let pointer = format!("/{}", above.replace('.', "/"));
    let above = if above.is_empty() { stack } else { stack.pointer(&pointer)? };
    above.is_object().then_some(())
}
