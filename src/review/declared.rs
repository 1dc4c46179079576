//! What a stack says that no resource shows, or that a resource shows only as a hash: told by field, as it was written.
//! It compares stacks as they are understood: comments, order and anchors are gone by then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::stack::{
    Bootstrap, BootstrapWork, Cluster, Configuration, Job, JobWork, Links, OnFailure, PackagesFrom, Stack, Upload,
    Weights,
};

/// A value that differs; `None` is unsaid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Said {
    pub field: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// Values by field.
type Values = BTreeMap<String, String>;

fn differences(old: &Values, new: &Values) -> Vec<Said> {
    let fields: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differing = fields.into_iter().filter(|field| old.get(*field) != new.get(*field));
    differing
        .map(|field| Said { field: field.clone(), from: old.get(field).cloned(), to: new.get(field).cloned() })
        .collect()
}

/// What differs without any resource that differs: limits, uploads, how jobs are called. A job that comes or goes has its
/// step.
pub(super) fn quiet(old: &Stack, new: &Stack) -> Vec<Said> {
    let values = |stack: &Stack, other: &Stack| {
        let mut all = Values::new();
        let mut say = |field: String, value: Option<String>| {
            if let Some(value) = value {
                all.insert(field, value);
            }
        };
        let Stack { account, owner, limits, uploads, jobs, eur_per_usd, .. } = stack;
        say("owner".into(), Some(owner.clone()));
        say("account".into(), account.clone());
        say("limits.hourly".into(), limits.hourly.map(text));
        say("limits.demo".into(), limits.demo.map(text));
        say("limits.lifetime".into(), Some(limits.lifetime.to_string()));
        say("limits.idle".into(), Some(limits.idle.to_string()));
        say("eur_per_usd".into(), eur_per_usd.map(text));
        let mut sent: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for upload in uploads {
            sent.entry(upload.to.to_string()).or_default().insert(of_upload(upload));
        }
        for (to, from) in sent {
            say(format!("uploads.{to}"), Some(from.into_iter().collect::<Vec<_>>().join(", ")));
        }
        for (key, job) in jobs.iter().filter(|(key, _)| other.jobs.contains_key(*key)) {
            of_job(key, job, &mut say);
        }
        all
    };
    differences(&values(old, new), &values(new, old))
}

/// `images.zip (Test, 10 classes x 50 images)`.
fn of_upload(upload: &Upload) -> String {
    let links = (upload.links == Links::Follow).then(|| "links followed".to_owned());
    let (split, sample) = (upload.split.map(text), upload.sample.map(text));
    let told: Vec<String> = [split, sample, links].into_iter().flatten().collect();
    let told = if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) };
    format!("{}{told}", upload.from.display())
}

fn of_job(key: &str, job: &Job, say: &mut impl FnMut(String, Option<String>)) {
    let at = |field: &str| format!("jobs.{key}.{field}");
    let on_failure = match job.on_failure {
        OnFailure::Continue => "continue",
        OnFailure::CancelAndWait => "cancel-and-wait",
        OnFailure::TerminateCluster => "terminate-cluster",
    };
    say(at("on_failure"), Some(on_failure.into()));
    for (name, value) in &job.conf {
        say(at(&format!("conf.{name}")), Some(value.clone()));
    }
    match &job.work {
        JobWork::Script { script, args } => {
            say(at("script"), Some(script.display().to_string()));
            say(at("args"), Some(list(args)));
        }
        JobWork::Template(features) => {
            say(at("template"), Some(features.template.clone()));
            say(at("input"), Some(features.input.to_string()));
            say(at("output"), Some(features.output.to_string()));
            say(at("model.name"), Some(features.model.name.clone()));
            say(at("model.weights"), Some(text(&features.model.weights)));
            say(at("pca.variance"), Some(text(features.pca.variance)));
            say(at("pca.standardise"), Some(text(features.pca.standardise)));
            say(at("pca.max_components"), features.pca.max_components.map(text));
            say(at("fitted"), features.fitted.clone());
            say(at("partitions"), features.partitions.map(text));
            say(at("batch"), Some(text(features.batch)));
        }
    }
}

/// What a cluster's words in a plan stand for: settings by classification, bootstrap actions by package and argument.
pub(super) fn hashed(old: &Stack, new: &Stack) -> Vec<Said> {
    let values = |stack: &Stack, cluster: &Cluster| {
        let mut all = Values::new();
        flatten("configurations", &cluster.configurations, &mut all);
        all.insert("applications".into(), cluster.applications.join(", "));
        for (part, group) in cluster.groups() {
            flatten(&format!("{part}.configurations"), &group.configurations, &mut all);
        }
        for action in &stack.bootstrap {
            of_action(action, &mut all);
        }
        let order: Vec<&str> = stack.bootstrap.iter().map(|action| action.name.as_str()).collect();
        if order.len() > 1 {
            all.insert("bootstrap".into(), order.join(", "));
        }
        all
    };
    let Some((was, is)) = old.cluster.as_ref().zip(new.cluster.as_ref()) else { return vec![] };
    differences(&values(old, was), &values(new, is))
}

fn of_action(action: &Bootstrap, all: &mut Values) {
    let at = |field: &str| format!("bootstrap.{}.{field}", action.name);
    if !action.args.is_empty() {
        all.insert(at("args"), list(&action.args));
    }
    match &action.work {
        BootstrapWork::Script(path) => drop(all.insert(at("script"), path.display().to_string())),
        BootstrapWork::Template { template, packages, from } => {
            all.insert(at("template"), template.clone());
            for (name, version) in packages {
                all.insert(at(&format!("packages.{name}")), version.clone());
            }
            if *from == PackagesFrom::S3 {
                all.insert(at("packages_from"), "s3".into());
            }
        }
    }
}

fn flatten(at: &str, configurations: &[Configuration], all: &mut Values) {
    for configuration in configurations {
        let at = format!("{at}.{}", configuration.classification);
        for (name, value) in &configuration.properties {
            all.insert(format!("{at}.{name}"), value.clone());
        }
        flatten(&at, &configuration.configurations, all);
    }
}

/// New keys by the old ones that they are called instead of: a part that went, and one that came and says the same.
pub(super) fn renamed(old: &Stack, new: &Stack) -> Vec<(Part, String, String)> {
    let mut found = Vec::new();
    let buckets = pairs(old.buckets.iter(), new.buckets.iter());
    found.extend(buckets.into_iter().map(|(from, to)| (Part::Bucket, from, to)));
    let jobs = pairs(old.jobs.iter(), new.jobs.iter());
    found.extend(jobs.into_iter().map(|(from, to)| (Part::Job, from, to)));
    let actions = |stack: &Stack| -> BTreeMap<String, (BootstrapWork, Vec<String>)> {
        stack.bootstrap.iter().map(|action| (action.name.clone(), (action.work.clone(), action.args.clone()))).collect()
    };
    let bootstrap = pairs(actions(old).iter(), actions(new).iter());
    found.extend(bootstrap.into_iter().map(|(from, to)| (Part::Bootstrap, from, to)));
    found
}

/// What has a key that a resource is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Bucket,
    Job,
    Bootstrap,
}

#[expect(clippy::needless_pass_by_value, reason = "iterators, which are copied")]
fn pairs<'a, T: PartialEq + 'a>(
    old: impl Iterator<Item = (&'a String, &'a T)> + Clone,
    new: impl Iterator<Item = (&'a String, &'a T)> + Clone,
) -> Vec<(String, String)> {
    let mut gone: Vec<(&String, &T)> =
        old.clone().filter(|(key, _)| !new.clone().any(|(other, _)| other == *key)).collect();
    let come = new.filter(|(key, _)| !old.clone().any(|(other, _)| other == *key));
    let mut found = Vec::new();
    for (key, value) in come {
        if let Some(at) = gone.iter().position(|(_, was)| *was == value) {
            found.push((gone.remove(at).0.clone(), key.clone()));
        }
    }
    found
}

fn text(value: impl Display) -> String {
    value.to_string()
}

/// `["a b", "c"]`.
fn list(words: &[String]) -> String {
    serde_json::to_string(words).unwrap_or_default()
}

/// The stack with its paths as they were written, so that two of them in different folders can be compared.
pub(super) fn as_written(stack: &Stack, folder: &Path) -> Stack {
    // What a profile says is compared as a stack of its own.
    let mut stack = Stack { profiles: BTreeSet::new(), ..stack.clone() };
    let bare = |path: &mut PathBuf| {
        if let Ok(below) = path.strip_prefix(folder) {
            *path = below.to_owned();
        }
    };
    stack.uploads.iter_mut().for_each(|upload| bare(&mut upload.from));
    for action in &mut stack.bootstrap {
        if let BootstrapWork::Script(script) = &mut action.work {
            bare(script);
        }
    }
    for job in stack.jobs.values_mut() {
        match &mut job.work {
            JobWork::Script { script, .. } => bare(script),
            JobWork::Template(features) => {
                if let Weights::File(file) = &mut features.model.weights {
                    bare(file);
                }
            }
        }
    }
    stack
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_of_an_upload_is_told_with_it() {
        let upload = |more: &str| {
            let text = format!(
                "stack: s\nregion: eu-west-3\nowner: o@fruits.example\nbuckets: {{data: {{}}}}\nuploads: [{{from: a.zip, to: data/a/{more}}}]\n"
            );
            crate::stack::load_text("s.yaml", text, Path::new("")).expect("a stack").stack
        };
        let told = quiet(&upload(""), &upload(", split: Test, sample: {classes: 10, images: 50}, links: follow"));
        let value = |text: &str| Some(text.to_owned());
        let to = value("a.zip (Test, 10 classes x 50 images, links followed)");
        assert_eq!(told, [Said { field: "uploads.data/a/".into(), from: value("a.zip"), to }]);
    }
}
