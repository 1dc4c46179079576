//! One stack through its flows, what must be true after each, and what an independent client finds instead. It
//! asks the binary for nothing but plans.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::flow::{Flow, Stand};
use super::point::Chart;
use crate::support::Aws;
use crate::support::oracle::{Oracle, Seen};

pub(super) const REGION: &str = "eu-west-3";

/// Small files that each upload adds.
const FILES: usize = 24;
/// Those that a stack begins with.
const FIRST: usize = 3;

/// What went wrong with one flow, by what it is called in the figures.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong {
    /// The plan that should be empty, the cluster that should be alive, the file that should be there.
    pub(super) unfinished: Vec<String>,
    /// What bears the stack's name and no run undisturbed leaves.
    pub(super) orphans: Vec<String>,
    /// Clusters and steps beyond those asked for.
    pub(super) doubles: usize,
    /// What is somebody else's, and is not as it was.
    pub(super) touched: Vec<String>,
}

impl Wrong {
    pub(super) fn nothing(&self) -> bool {
        self.unfinished.is_empty() && self.orphans.is_empty() && self.doubles == 0 && self.touched.is_empty()
    }
}

/// What others have in the same account, and how it was.
pub(super) struct Strangers(BTreeMap<String, String>);

impl Strangers {
    /// A bucket, a role, a group and a cluster of nobody we know.
    pub(super) fn settle(oracle: &Oracle) -> Self {
        oracle.bucket("crash-theirs", &[("fruitsinfra:stack", "another")]);
        oracle.put("crash-theirs", "theirs.txt", "precious");
        oracle.role("crash-theirs", "/", "ec2");
        oracle.group("crash-theirs");
        oracle.cluster("crash-theirs");
        Self(oracle.inventory())
    }

    fn touched(&self, now: &BTreeMap<String, String>) -> Vec<String> {
        self.0.iter().filter(|(name, was)| now.get(*name) != Some(*was)).map(|(name, _)| name.clone()).collect()
    }
}

/// What the cluster of a life is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Groups,
    Fleets,
    /// Groups that EMR scales, until a change takes that away.
    Scaled,
}

/// A stack of its own name, and what was asked for so far.
pub(super) struct Life<'a> {
    aws: &'a Aws,
    oracle: &'a Oracle<'a>,
    pub(super) name: String,
    shape: Shape,
    pub(super) stand: Stand,
    changed: bool,
    newer: bool,
    files: usize,
    births: usize,
    /// Steps asked for on the cluster that lives.
    steps: usize,
    /// When the cluster was to end before its end was moved, in seconds since 1970.
    end: i64,
    /// Steps that may have been asked for besides: their like had been told to be over.
    perhaps: usize,
}

impl<'a> Life<'a> {
    pub(super) fn new(aws: &'a Aws, oracle: &'a Oracle<'a>, name: String, shape: Shape) -> Self {
        let stand = Stand::Nothing;
        let life = Self {
            aws,
            oracle,
            name,
            shape,
            stand,
            changed: false,
            newer: false,
            files: FIRST,
            births: 0,
            steps: 0,
            end: 0,
            perhaps: 0,
        };
        life.write();
        life
    }

    pub(super) fn file(&self) -> String {
        format!("stacks/{}.yaml", self.name)
    }

    /// Edits the stack as the flow needs it, and notes what is to be expected of it.
    pub(super) fn prepare(&mut self, flow: Flow) {
        assert_eq!(self.stand, flow.from(), "{flow:?}");
        match flow {
            Flow::UpWithChanges => self.changed = !self.changed,
            Flow::UpWithReplacement => self.newer = !self.newer,
            Flow::Uploads => self.files += FILES,
            Flow::Sync => {
                self.files += FILES;
                self.oracle.put(&self.data(), "images/gone.jpg", "no file any more");
            }
            Flow::Run => self.steps += 1,
            Flow::Extend => self.end = self.ends().0,
            Flow::Guard => self.expire(),
            // A long soak is not about ever more files.
            Flow::UpFromNothing => {
                self.files = FIRST;
                fs::remove_dir_all(self.images_folder()).expect("images that were sent");
            }
            Flow::UpAgain | Flow::Down | Flow::Destroy => {}
        }
        if flow.gives_birth() {
            self.births += 1;
            (self.steps, self.perhaps) = (0, 0);
        }
        self.write();
        self.stand = flow.to();
    }

    /// When the schedule ends the cluster, and when the cluster's tag says so.
    fn ends(&self) -> (i64, i64) {
        let seconds = |text: &str| text.parse::<jiff::Timestamp>().expect(text).as_second();
        let schedule = self.oracle.schedule(&format!("{}-end", self.name)).expect("a schedule");
        let clusters = self.oracle.clusters(&format!("{}-", self.name));
        let alive = clusters.iter().find(|cluster| cluster.alive()).expect("a cluster");
        let tags = self.oracle.tags(&alive.id);
        (seconds(&schedule), seconds(&tags[fruitsinfra::cloud::promise::EXPIRES]))
    }

    /// The killed command had told how the step ended: run again, it may tell so once more, or run once more.
    pub(super) fn step_was_told(&mut self) {
        self.perhaps += 1;
    }

    /// Lets the end of the cluster have come: its tag says so, and no time passes for anything else.
    fn expire(&self) {
        let clusters = self.oracle.clusters(&format!("{}-", self.name));
        for cluster in clusters.iter().filter(|cluster| cluster.alive()) {
            self.oracle.tag(&cluster.id, fruitsinfra::cloud::promise::EXPIRES, "2026-01-01T00:00:00Z");
        }
    }

    fn write(&self) {
        let Self { name, shape, changed, newer, .. } = self;
        let pick = |old: &'static str, new: &'static str| if *changed { new } else { old };
        let text = format!(
            "stack: {name}
region: {REGION}
owner: data@fruits.example
tags: {{project: {project}}}
limits: {{hourly: 5 USD, lifetime: 160h, idle: 150h}}
buckets:
  data: {{versioning: true, expire: {{features/: {expire}}}}}
  logs: {{expire: 14d}}
uploads: [{{from: ../out/{name}, to: data/images/}}]
roles:
  nodes: {{read: [{read}], write: [data/features/, logs]}}
bootstrap:
  - {{name: python, template: bootstrap/python_packages.sh.j2, packages: {{tensorflow-cpu: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}}}}
cluster:
  release: {release}
  applications: [Spark]
  primary: {{type: m5.xlarge}}
  core: {{type: m5.xlarge, count: {count}{fleet}}}
{scaling}  idle: {idle}
  tags: {{team: {team}}}
  access: [{access}]
jobs:
  own: {{script: {name}.py}}
",
            project = pick("p8", "p9"),
            expire = pick("30d", "60d"),
            read = pick("data", "data, logs"),
            release = if *newer { "emr-7.11.0" } else { "emr-7.12.0" },
            // What EMR scaled stays as it is: only the first change would resize it.
            count = if *shape == Shape::Scaled { "2" } else { pick("2", "3") },
            fleet = if *shape == Shape::Fleets { ", fleet: {or: [m5a.xlarge], spot: 1}" } else { "" },
            scaling = match (shape, changed) {
                (Shape::Scaled, false) => "  managed_scaling: {minimum: 1, maximum: 3}\n",
                _ => "",
            },
            idle = pick("150h", "140h"),
            team = pick("data", "jury"),
            access = pick("", "{from: 203.0.113.7/32, port: 9443}"),
        );
        let folder = self.aws.folder();
        fs::write(folder.join(self.file()), text).expect("a stack");
        let job = format!("import time\n\ntime.sleep(2)\nprint('{} done')\n", pick("this", "that"));
        fs::write(folder.join(format!("stacks/{name}.py")), job).expect("a job");
        let images = self.images_folder();
        fs::create_dir_all(&images).expect("a folder");
        for (key, body) in self.images() {
            fs::write(images.join(key), body).expect("an image");
        }
    }

    fn data(&self) -> String {
        format!("{}-data-{}", self.name, crate::support::oracle::ACCOUNT)
    }

    fn images_folder(&self) -> PathBuf {
        self.aws.folder().join("out").join(&self.name)
    }

    fn images(&self) -> impl Iterator<Item = (String, String)> {
        (0..self.files).map(|i| (format!("{i:03}.jpg"), format!("image {i}")))
    }

    /// What bears the stack's name, clusters aside, by names without it.
    pub(super) fn left(&self) -> BTreeSet<String> {
        self.ours(&self.oracle.inventory())
    }

    fn ours(&self, inventory: &BTreeMap<String, String>) -> BTreeSet<String> {
        let own = format!("{}-", self.name);
        let named = inventory.keys().filter_map(|thing| {
            let (kind, name) = thing.split_once(' ')?;
            Some(format!("{kind} {}", name.strip_prefix(&own)?))
        });
        named.collect()
    }

    /// Holds the account against what the flow should have led to.
    pub(super) fn check(&mut self, flow: Flow, chart: &Chart, strangers: &Strangers) -> Wrong {
        let inventory = self.oracle.inventory();
        let (mut wrong, ours) = (Wrong::default(), self.ours(&inventory));
        wrong.touched = strangers.touched(&inventory);
        wrong.orphans = ours.difference(&chart.left[&flow]).cloned().collect();
        wrong.unfinished = chart.left[&flow].difference(&ours).map(|name| format!("{name} is missing")).collect();

        let clusters = self.oracle.clusters(&format!("{}-", self.name));
        let alive: Vec<&Seen> = clusters.iter().filter(|cluster| cluster.alive()).collect();
        wrong.doubles += clusters.len().saturating_sub(self.births);
        if clusters.len() < self.births {
            wrong.unfinished.push(format!("{} clusters of {}", clusters.len(), self.births));
        }
        if alive.len() != usize::from(self.stand == Stand::Standing) {
            wrong.unfinished.push(format!("alive: {alive:?}"));
        }
        if let ([cluster], Stand::Standing) = (alive.as_slice(), self.stand) {
            self.check_end(flow, &mut wrong);
            let steps = self.oracle.steps(&cluster.id);
            wrong.doubles += steps.len().saturating_sub(self.steps + std::mem::take(&mut self.perhaps));
            self.steps = self.steps.max(steps.len());
            if steps.len() < self.steps || steps.iter().any(|state| state != "COMPLETED") {
                wrong.unfinished.push(format!("steps {steps:?} of {}", self.steps));
            }
            self.check_files(&mut wrong);
            let plan = self.aws.run(&["plan", &self.file(), "--detailed-exitcode"]);
            if plan.code != Some(0) {
                wrong.unfinished.push(format!("the plan is not empty: {}{}", plan.out, plan.err));
            }
        }
        wrong
    }

    /// What ends the cluster and what tells of it say the same; moved, it moved by what was asked for, and by as
    /// much again for each command that had done it and was killed before it told so.
    fn check_end(&self, flow: Flow, wrong: &mut Wrong) {
        let (at, told) = self.ends();
        if at != told {
            wrong.unfinished.push(format!("it ends at {at}, and is told to end at {told}"));
        }
        if flow == Flow::Extend && ![600, 1200, 1800].contains(&(at - self.end)) {
            wrong.unfinished.push(format!("its end moved by {} s", at - self.end));
        }
    }

    fn check_files(&self, wrong: &mut Wrong) {
        let found = self.oracle.objects(&self.data(), "images/");
        let wanted: BTreeMap<String, usize> =
            self.images().map(|(key, body)| (format!("images/{key}"), body.len())).collect();
        if found != wanted {
            let mut told = format!("{} of {} files", found.len(), wanted.len());
            for key in wanted.keys().filter(|key| !found.contains_key(*key)) {
                let _ = write!(told, " {key}");
            }
            wrong.unfinished.push(told);
        }
    }
}
