//! What a proof rests on: read now, from AWS and from the stack's home, at once. A part that may not be read is told as
//! that; nothing is assumed in its place, and nothing is changed.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::cluster::{Cluster, StepRecord, cluster};
use super::weighed::{Weighed, weighed};
use crate::blueprint::{self, home_name};
use crate::cloud::error::CloudError;
use crate::cloud::http::whereabouts;
use crate::cloud::objects::Listed;
use crate::cloud::proof::Proof;
use crate::job::written::{Checks, Written};
use crate::ledger::{self, Life};
use crate::price::{self, Cost, Table};
use crate::resource::{Cx, Live};
use crate::resources::HOME;
use crate::script::told::Lang;
use crate::stack::{self, BootstrapWork, FeatureJob, Job, PackagesFrom, Stack};
use crate::sync;
use crate::talk::facts as told;

/// What there is to read from.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub cx: &'a Cx,
    pub stack: &'a Stack,
    pub account: &'a str,
    pub live: &'a [Live],
    /// The cluster, or the last one.
    pub cluster: Option<&'a Live>,
    pub prices: &'a Table,
    /// Whether it is the embedded AWS that answers.
    pub embedded: bool,
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Facts {
    pub stack: String,
    pub region: String,
    /// Of the region, for people.
    pub place: &'static str,
    pub read_at: Timestamp,
    pub embedded: bool,
    pub tool: &'static str,
    pub buckets: Vec<Bucket>,
    pub cluster: Option<Cluster>,
    /// Of that cluster, the newest first.
    pub steps: Vec<StepRecord>,
    pub roles: Vec<Role>,
    pub jobs: Vec<JobFacts>,
    pub hosts: Vec<Host>,
    pub downloads: Vec<Download>,
    pub costs: Costs,
    pub weighed: Weighed,
}

#[derive(Debug, Serialize)]
pub struct Bucket {
    pub key: String,
    pub name: String,
    /// Whether it is this stack's own.
    pub ours: bool,
    /// Whether it lies in the stack's region.
    pub here: bool,
    #[serde(flatten)]
    pub proof: Proof,
}

/// What a role may do, statement by statement.
#[derive(Debug, Serialize)]
pub struct Role {
    pub name: String,
    pub grants: Vec<Value>,
    /// Managed policies: none is attached to a role of ours.
    pub attached: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct JobFacts {
    pub key: String,
    /// A script of the project's template, or one of the user's own.
    pub template: bool,
    /// Objects of home that the step runs and reads: the script, the weights.
    pub files: Vec<String>,
    pub input: Option<String>,
    pub output: Option<String>,
    /// As the job wrote it; none where it has written nothing yet.
    pub report: Option<Value>,
    pub report_sha256: Option<String>,
    pub checks: Option<Value>,
    pub outputs: Vec<Output>,
    pub bytes: u64,
    /// What every executor is sent once, and how the work is spread.
    pub broadcast: Option<told::Broadcast>,
    pub spread: Option<told::Spread>,
}

#[derive(Debug, Serialize)]
pub struct Output {
    pub key: String,
    pub size: u64,
    /// As S3 tells it: of an object in one piece that no KMS key encrypts, its MD5.
    pub etag: String,
}

#[derive(Debug, Serialize)]
pub struct Host {
    pub name: String,
    /// `region`, `account`, `sign-in`, `machine` or `elsewhere`.
    pub whereabouts: &'static str,
    /// Whether it was called just now, or is known from the ledger alone.
    pub now: bool,
}

/// What nodes fetch from outside.
#[derive(Debug, Serialize)]
pub struct Download {
    pub action: String,
    /// `s3`, `index` or `script`: from home, from a package index, or whatever a script of one's own fetches.
    pub from: &'static str,
}

#[derive(Debug, Serialize)]
pub struct Costs {
    pub planned: Cost,
    pub lives: Vec<Life>,
    /// In USD; none where a part of it is not known.
    pub actual: Option<f64>,
}

/// Reads everything.
pub async fn read(world: World<'_>, lang: Lang) -> Result<Facts, CloudError> {
    let World { cx, stack, live, prices, embedded, .. } = world;
    let (buckets, (cluster, steps), jobs, (entries, lives)) =
        futures::try_join!(buckets(world), cluster(world), jobs(world, lang), past(world))?;
    let planned = price::estimate(stack, prices, stack.limits.lifetime.into());
    let actual = lives.iter().map(|life| life.spent).sum();
    let report = jobs.iter().find_map(|job| job.report.as_ref());
    Ok(Facts {
        stack: stack.title(),
        region: stack.region.to_string(),
        place: told::region(stack.region, lang),
        read_at: to_the_second(cx.clock.now()),
        embedded,
        tool: env!("CARGO_PKG_VERSION"),
        weighed: weighed(stack, prices, report),
        buckets,
        cluster,
        steps,
        roles: live.iter().filter(|live| live.resource.address().kind == "role").map(role).collect(),
        jobs,
        hosts: hosts(world, &entries),
        downloads: stack.bootstrap.iter().map(download).collect(),
        costs: Costs { planned, lives, actual },
    })
}

/// Every bucket that the stack names, and home, by S3's own word.
async fn buckets(World { cx, stack, account, live, .. }: World<'_>) -> Result<Vec<Bucket>, CloudError> {
    let named = stack.buckets.iter().filter_map(|(key, declared)| {
        let ours = matches!(declared, stack::Bucket::Ours(_));
        Some((key.clone(), stack.bucket_name(key, account)?, ours))
    });
    let home = (HOME.to_owned(), home_name(stack, account), true);
    // One that is not made yet cannot be asked.
    let there = |name: &str| live.iter().any(|live| live.id.0 == name);
    let asked = std::iter::once(home).chain(named).filter(|(_, name, ours)| !ours || there(name));
    try_join_all(asked.map(async |(key, name, ours)| {
        let proof = cx.cloud.bucket_proof(&name).await?;
        let here = proof.region.as_deref() == Some(stack.region.as_str());
        Ok(Bucket { key, name, ours, here, proof })
    }))
    .await
}

fn role(live: &Live) -> Role {
    let fields = live.resource.fields();
    let field = |name: &str| fields.iter().find(|field| field.name == name).map(|field| field.value.clone());
    // Beside its version, a role's policy has each statement by its name.
    let policy = field("policy").unwrap_or_default();
    let statements = policy.as_object().into_iter().flat_map(|parts| parts.values()).filter(|part| part.is_object());
    let grants = statements.map(|statement| {
        json!({"effect": statement["Effect"], "actions": statement["Action"], "resources": statement["Resource"],
            "condition": statement["Condition"]})
    });
    let attached = field("attached").unwrap_or_default();
    let attached = attached.as_array().into_iter().flatten().filter_map(|arn| arn.as_str().map(str::to_owned));
    Role { name: live.resource.name(), grants: grants.collect(), attached: attached.collect() }
}

async fn jobs(world: World<'_>, lang: Lang) -> Result<Vec<JobFacts>, CloudError> {
    let named = world.stack.jobs.iter();
    try_join_all(named.map(async |(key, job)| match job.features() {
        Some(features) => written(world, (key, job, features), lang).await,
        None => Ok(JobFacts {
            key: key.clone(),
            template: false,
            files: files(world, key, false),
            input: None,
            output: None,
            report: None,
            report_sha256: None,
            checks: None,
            outputs: vec![],
            bytes: 0,
            broadcast: None,
            spread: None,
        }),
    }))
    .await
}

/// What a job of a template has written, read back.
async fn written(
    world: World<'_>,
    (key, job, features): (&str, &Job, &FeatureJob),
    lang: Lang,
) -> Result<JobFacts, CloudError> {
    let World { cx, stack, account, .. } = world;
    let written = Written::of(cx, stack, account, features)?;
    let (report, objects) = futures::try_join!(written.report(), written.objects())?;
    let checks = match &report {
        Some((report, _)) => {
            let images = sync::images(cx, stack, account, &features.input).await?;
            written.checks(report, &images, false).await?
        }
        None => None,
    };
    let known = told::Facts::of(stack, job, features, lang, &crate::python::cache());
    Ok(JobFacts {
        key: key.to_owned(),
        template: true,
        files: files(world, key, true),
        input: Some(blueprint::url(stack, &features.input, account)),
        output: Some(blueprint::url(stack, &features.output, account)),
        report_sha256: report.as_ref().map(|(_, whole)| super::seal::sha256(whole)),
        report: report.map(|(_, whole)| with_all(whole)),
        checks: checks.map(|Checks { images, problems }| json!({"images": images, "problems": problems})),
        bytes: objects.iter().map(|object| object.size).sum(),
        outputs: objects.into_iter().map(|Listed { key, size, etag, .. }| Output { key, size, etag }).collect(),
        broadcast: Some(known.broadcast),
        spread: Some(known.spread),
    })
}

/// What the form asks of a report; a report of an older script does not tell all of it.
const TOLD: [&str; 13] = [
    "started",
    "ended",
    "rows",
    "failed",
    "feature_length",
    "components",
    "variance",
    "variance_target",
    "weights_sha256",
    "workers",
    "partitions",
    "paths",
    "versions",
];

fn with_all(mut report: Value) -> Value {
    for name in TOLD {
        if report.get(name).is_none() {
            report[name] = Value::Null;
        }
    }
    report
}

/// What of a job lies in home; its name holds the hash of its content.
fn files(World { live, .. }: World<'_>, key: &str, with_weights: bool) -> Vec<String> {
    let script = format!("job-{key}");
    let ours = live.iter().filter(|live| {
        let address = live.resource.address();
        address.kind == "object" && (address.key == script || with_weights && address.key.starts_with("weights-"))
    });
    ours.map(|live| live.id.0.clone()).collect()
}

/// What was done before, and what it cost.
async fn past(
    World { cx, stack, account, live, .. }: World<'_>,
) -> Result<(Vec<ledger::Entry>, Vec<Life>), CloudError> {
    let home = home_name(stack, account);
    if !live.iter().any(|live| live.id.0 == home) {
        return Ok((vec![], vec![]));
    }
    let entries = ledger::read(&cx.cloud, &home).await?;
    let lives = ledger::lives(&cx.cloud, &entries, cx.clock.now()).await?;
    Ok((entries, lives))
}

fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn hosts(World { cx, stack, .. }: World<'_>, entries: &[ledger::Entry]) -> Vec<Host> {
    let now: BTreeSet<String> = cx.cloud.contacts.hosts().into_keys().collect();
    let before: BTreeSet<String> = entries.iter().flat_map(|entry| entry.hosts.clone()).collect();
    let all = now.union(&before);
    all.map(|host| Host { whereabouts: whereabouts(host, stack.region), now: now.contains(host), name: host.clone() })
        .collect()
}

fn download(action: &stack::Bootstrap) -> Download {
    let from = match &action.work {
        BootstrapWork::Template { from: PackagesFrom::S3, .. } => "s3",
        BootstrapWork::Template { .. } => "index",
        BootstrapWork::Script(_) => "script",
    };
    Download { action: action.name.clone(), from }
}
