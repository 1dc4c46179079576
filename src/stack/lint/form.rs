//! `FI12x`: names, keys, tags and amounts that AWS or this program would refuse later.

use std::collections::{BTreeMap, BTreeSet};

use super::Cx;
use crate::stack::finding::meant;
use crate::stack::{FeatureJob, Job, Period};

/// So that `<stack>-<key>-<account>` and the names of roles keep within AWS's lengths.
const LONGEST_STACK: usize = 32;
const LONGEST_KEY: usize = 24;

/// What no name of ours may begin with: S3 keeps two for itself, and EC2 would read a group's name as an id.
const KEPT: [(&str, &str); 3] =
    [("sthree-", "buckets of S3's own"), ("amzn-s3-demo-", "buckets of S3's own"), ("sg-", "ids of security groups")];

/// Keys that have a meaning of their own in addresses.
const RESERVED: [(&str, &str, &str); 3] = [
    ("buckets", "home", "the bucket that the stack makes for itself"),
    ("task", "primary", "the primary group"),
    ("task", "core", "the core group"),
];

pub(super) fn check(cx: &mut Cx<'_>) {
    identity(cx);
    keys(cx);
    tags(cx);
    limits(cx);
    jobs(cx);
}

fn identity(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    if !is_key(&stack.name) || stack.name.len() > LONGEST_STACK {
        let hint = format!(
            "begin with a letter; lower-case letters, digits and single hyphens; {LONGEST_STACK} characters at most"
        );
        cx.error("FI120", &["stack"], format!("`{}` cannot begin the names of buckets", stack.name), hint);
    } else if let Some((kept, whose)) = KEPT.iter().find(|(kept, _)| format!("{}-", stack.name).starts_with(kept)) {
        let message = format!("`{}` begins as the {whose} do: AWS refuses names in `{kept}`", stack.name);
        cx.error("FI120", &["stack"], message, "choose another name for the stack");
    }
    if let Some(account) = &stack.account
        && !(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
    {
        cx.error(
            "FI121",
            &["account"],
            format!("`{account}` is not the number of an AWS account"),
            "write its 12 digits",
        );
    }
    if let Some(wrong) = wrong_tag(&stack.owner).filter(|_| !stack.owner.is_empty()) {
        cx.error(
            "FI122",
            &["owner"],
            format!("`{}` {wrong}", stack.owner),
            "the owner is a tag in AWS: write an address",
        );
    } else if stack.owner.trim().is_empty() {
        cx.error("FI122", &["owner"], "the owner is empty", "write an address that others can write to");
    }
}

fn keys(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    let task = stack.cluster.iter().flat_map(|cluster| cluster.task.keys());
    let buckets = stack.buckets.keys().map(|key| (vec!["buckets"], key));
    let jobs = stack.jobs.keys().map(|key| (vec!["jobs"], key));
    for (above, key) in buckets.chain(jobs).chain(task.map(|key| (vec!["cluster", "task"], key))) {
        let path = [&above[..], &[key]].concat();
        if !is_key(key) || key.len() > LONGEST_KEY {
            let hint = format!(
                "begin with a letter; lower-case letters, digits and single hyphens; {LONGEST_KEY} characters at most"
            );
            cx.error("FI123", &path, format!("`{key}` cannot be a key"), hint);
        }
        for (list, reserved, meaning) in RESERVED {
            if above.ends_with(&[list]) && key == reserved {
                cx.error("FI123", &path, format!("`{key}` is {meaning}"), "choose another key");
            }
        }
    }
}

/// A key is part of an address, a file name and a bucket's name.
fn is_key(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(legal)
        && !text.ends_with('-')
        && !text.contains("--")
}

fn tags(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    tag_map(cx, &["tags"], &stack.tags);
    if let Some(cluster) = &stack.cluster {
        tag_map(cx, &["cluster", "tags"], &cluster.tags);
        // The cluster bears both.
        let all = stack.tags.keys().chain(cluster.tags.keys()).collect::<BTreeSet<_>>().len();
        if all > MOST_TAGS && stack.tags.len() <= MOST_TAGS && cluster.tags.len() <= MOST_TAGS {
            let message = format!("with the stack's own the cluster would have {all} tags, which are too many");
            cx.error("FI124", &["cluster", "tags"], message, format!("keep {MOST_TAGS} in all"));
        }
    }
}

/// AWS takes 50 tags; ours and EMR's need room among them.
const MOST_TAGS: usize = 35;

fn tag_map(cx: &mut Cx<'_>, above: &[&str], tags: &BTreeMap<String, String>) {
    if tags.len() > MOST_TAGS {
        cx.error(
            "FI124",
            above,
            format!("{} tags are too many", tags.len()),
            format!("keep {MOST_TAGS}: AWS takes 50, with ours and EMR's"),
        );
    }
    let mut plain: BTreeMap<String, &str> = BTreeMap::new();
    for (key, value) in tags {
        let path = [above, &[key]].concat();
        let prefix = key.split(':').next().unwrap_or_default().to_lowercase();
        if key.contains(':') && ["aws", "fruitsinfra"].contains(&prefix.as_str()) {
            cx.error("FI124", &path, format!("`{prefix}:` is kept for {prefix}'s own tags"), "choose another prefix");
        } else if key.is_empty() || key.chars().count() > 128 {
            cx.error("FI124", &path, "the name of a tag has 1 to 128 characters", "shorten it");
        } else if let Some(wrong) = wrong_tag(key).or_else(|| wrong_tag(value)) {
            cx.error("FI124", &path, format!("the tag {wrong}"), "use letters, digits, spaces and _ . : / = + - @");
        } else if let Some(other) = plain.insert(key.to_lowercase(), key) {
            let message = format!("`{key}` and `{other}` differ in case alone: IAM takes them for one tag");
            cx.error("FI124", &path, message, "keep one of the two");
        }
    }
}

/// What AWS's services agree on refusing in a tag.
fn wrong_tag(text: &str) -> Option<&'static str> {
    let legal = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    if text.chars().count() > 256 {
        Some("is longer than 256 characters")
    } else if text.chars().all(legal) {
        None
    } else {
        Some("has a character that AWS does not take in tags")
    }
}

fn limits(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    if stack.limits.lifetime > Period::hours(366 * 24) {
        let message = format!("a life of {} is no limit", stack.limits.lifetime);
        cx.error("FI125", &["limits", "lifetime"], message, "write a year at most, and hours for a demo");
    }
    let Some(cluster) = &stack.cluster else { return };
    let (idle, path) = match cluster.idle {
        Some(idle) => (idle, ["cluster", "idle"]),
        None => (stack.limits.idle, ["limits", "idle"]),
    };
    if !(Period::minutes(1)..=Period::hours(7 * 24)).contains(&idle) {
        cx.error("FI125", &path, format!("EMR cannot end a cluster after {idle} of idling"), "write between 1m and 7d");
    } else if idle > stack.limits.idle {
        let message = format!("idling for {idle} exceeds the limit of {}", stack.limits.idle);
        cx.error("FI126", &path, message, "shorten it, or raise `limits.idle`");
    }
    if stack.eur_per_usd.is_some_and(|rate| !(0.1..=10.0).contains(&rate)) {
        let message = "this is no rate of euros for a dollar";
        cx.error("FI130", &["eur_per_usd"], message, "write what a dollar costs in euros, as in 0.92");
    }
    if stack.limits.lifetime < Period::minutes(15) {
        let message = format!("a life of {} ends before the cluster has started", stack.limits.lifetime);
        cx.error("FI125", &["limits", "lifetime"], message, "a start alone takes 5 to 15 minutes: write 1h or more");
    }
    if cluster.termination_protection {
        let message = "a protected cluster is not ended by idling or at its end";
        cx.warning(
            "FI127",
            &["cluster", "termination_protection"],
            message,
            "leave it unprotected: data belongs in buckets",
        );
    }
    if !cluster.keep_alive {
        let message = "the cluster ends as soon as it has no step, which is before `run` can send one";
        cx.warning("FI127", &["cluster", "keep_alive"], message, "leave it out: the idle policy ends the cluster");
    }
}

/// Components of another job are those of a fit, and of the same network.
fn fitted(cx: &mut Cx<'_>, key: &str, job: &FeatureJob) {
    let (stack, path) = (cx.stack, ["jobs", key, "fitted"]);
    let Some(named) = &job.fitted else { return };
    let fits = |job: &Job| job.features().is_some_and(|features| features.fitted.is_none());
    match job.fit_of(stack) {
        Some(fit) if fit.fitted.is_none() => {
            if fit.model != job.model {
                let message = format!("`{named}` looks at its images with another network or other weights");
                cx.error("FI129", &path, message, format!("give both jobs the same `model`: {}", fit.model.weights));
            }
        }
        _ => {
            let others = stack.jobs.iter().filter(|(other, job)| *other != key && fits(job)).map(|(other, _)| other);
            let hint = meant(
                named,
                others.map(String::as_str).collect::<Vec<_>>(),
                "name a job of the template that fits its own",
            );
            cx.error("FI129", &path, format!("there is no job `{named}` that fits components"), hint);
        }
    }
}

fn jobs(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    if let (Some(key), None) = (stack.jobs.keys().next(), &stack.cluster) {
        cx.error("FI128", &["jobs", key], "there is no cluster to run this job", "add `cluster`");
    }
    for (key, job) in &stack.jobs {
        let Some(features) = job.features() else { continue };
        if features.model.name != "MobileNetV2" {
            let message = format!("the template does not know the model `{}`", features.model.name);
            cx.error(
                "FI129",
                &["jobs", key, "model", "name"],
                message,
                "write MobileNetV2, or use a script of your own",
            );
        }
        fitted(cx, key, features);
        if !(features.pca.variance > 0.0 && features.pca.variance <= 1.0) {
            let message = format!("{} is not a share of the variance", features.pca.variance);
            cx.error(
                "FI129",
                &["jobs", key, "pca", "variance"],
                message,
                "write a number above 0 and up to 1, as in 0.90",
            );
        }
        let amounts = [
            (vec!["pca", "max_components"], features.pca.max_components, 1280),
            (vec!["partitions"], features.partitions, 100_000),
            (vec!["batch"], Some(features.batch), 1024),
        ];
        for (field, amount, most) in amounts {
            if let Some(amount) = amount.filter(|amount| !(1..=most).contains(amount)) {
                let path = [&["jobs", key.as_str()], &field[..]].concat();
                cx.error("FI129", &path, format!("{amount} is out of bounds"), format!("write between 1 and {most}"));
            }
        }
    }
}
