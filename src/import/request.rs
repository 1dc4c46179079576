//! A request, whoever wrote it, as a stack: each field is taken and said, or told as what cannot be said. What is
//! somebody's is named and never adopted.

mod sizes;

use std::ops::Range;

use super::notes::{Notes, Sort};
use super::places::{self, Bucket};
use super::text::Part;
use super::tree::{self, Fields};
use super::{Wanted, Wishes};
use crate::residency::EuRegion;
use crate::stack::Period;
use crate::stack::facts::releases;
use crate::stack::finding::Problem;
use crate::stack::node::Node;

/// Who answers for a stack until somebody does.
const OWNER: &str = "change-me@fruits.example";

/// What is known while a request is read.
pub(super) struct Reading<'a> {
    pub(super) notes: Notes,
    pub(super) wishes: &'a Wishes,
    pub(super) scripts: &'a dyn Fn(&Wanted<'_>) -> Option<String>,
    pub(super) stack: String,
    pub(super) region: EuRegion,
    /// The region that the source names, where the stack lies elsewhere.
    pub(super) moved: Option<String>,
    /// Name in the source, key, and what is declared.
    pub(super) buckets: Vec<(String, String, Bucket)>,
}

/// Why a request becomes no stack.
pub(super) enum Hindered {
    /// Its form.
    Broken(Vec<Problem>),
    /// Where it lies.
    Refused(Problem),
}

/// The entries of the stack, and what is to be told.
pub(super) struct Read {
    pub(super) entries: Vec<(String, Part)>,
    pub(super) notes: Notes,
    pub(super) name: String,
}

/// Reads a request in RunJobFlow's shape.
pub(super) fn read(
    root: &Node,
    notes: Notes,
    wishes: &Wishes,
    scripts: &dyn Fn(&Wanted<'_>) -> Option<String>,
) -> Result<Read, Hindered> {
    let mut notes = notes;
    let (region, moved) = whereabouts(root, wishes, &mut notes)?;
    let mut reading = Reading { notes, wishes, scripts, stack: String::new(), region, moved, buckets: vec![] };
    let Some(mut fields) = reading.notes.fields(root, "") else {
        return Err(Hindered::Broken(reading.notes.hindrance().unwrap_or_default()));
    };
    let _ = fields.take("Region");
    let display = reading.called(&mut fields);
    let entries = reading.entries(fields, display);
    match reading.notes.hindrance() {
        Some(problems) => Err(Hindered::Broken(problems)),
        None => Ok(Read { entries, notes: reading.notes, name: reading.stack }),
    }
}

/// The stack's region, and the source's where it is another.
fn whereabouts(root: &Node, wishes: &Wishes, notes: &mut Notes) -> Result<(EuRegion, Option<String>), Hindered> {
    let named = places::region(root).filter(|(name, _)| !name.is_empty());
    match (wishes.region, named) {
        (Some(wished), Some((name, span))) if name != wished.as_str() && tree::placeholder(&name).is_none() => {
            let message = format!("the source lies in {name}, the stack in {wished} ({})", wished.place());
            notes.add(Sort::Changed, &span, message, "move the data as well: buckets of elsewhere are not used");
            Ok((wished, Some(name)))
        }
        (Some(wished), _) => Ok((wished, None)),
        (None, Some((name, span))) if tree::placeholder(&name).is_none() => match name.parse::<EuRegion>() {
            Ok(region) => Ok((region, None)),
            Err(why) => {
                let (message, hint) = places::refused(&why);
                Err(Hindered::Refused(Problem::new("FI201", span, message).hint(hint)))
            }
        },
        (None, named) => {
            let region = EuRegion::EuWest3;
            let message = format!("the source names no region: {region} ({}) was taken", region.place());
            let span = named.map_or(0..0, |(_, span)| span);
            notes.add(Sort::Fill, &span, message, "import with --region, or write another region of the EU");
            Ok((region, None))
        }
    }
}

impl Reading<'_> {
    /// Settles the stack's name, and gives what else its cluster is called.
    fn called(&mut self, fields: &mut Fields<'_>) -> Option<String> {
        let node = fields.take("Name");
        let said = node.and_then(|node| self.notes.text(node, "Name")).map(tree::shown).unwrap_or_default();
        let span = node.map_or(0..0, |node| node.span.clone());
        let ours =
            places::ours(&said).filter(|(stack, _)| self.wishes.stack.as_deref().is_none_or(|wish| wish == *stack));
        if let Some((stack, rest)) = ours {
            self.stack = stack.to_owned();
            return rest.map(str::to_owned);
        }
        self.stack = self.wishes.stack.clone().unwrap_or_else(|| places::slug(&said, places::STACK));
        let display = (said != self.stack && !said.is_empty()).then(|| said.clone());
        let shown = display
            .as_ref()
            .map_or_else(|| format!("{}-main", self.stack), |name| format!("{}-main {name}", self.stack));
        let message = format!("the stack is called `{}`, and its cluster `{shown}` in AWS", self.stack);
        self.notes.add(
            Sort::Chosen,
            &span,
            message,
            "names of ours begin with the stack's; --stack NAME gives another",
        );
        display
    }

    fn entries(&mut self, mut fields: Fields<'_>, display: Option<String>) -> Vec<(String, Part)> {
        let mut stack: Vec<(&str, Part)> =
            vec![("stack", Part::text(&self.stack)), ("region", Part::text(self.region.as_str()))];
        if let Some(account) = &self.wishes.account {
            stack.push(("account", Part::quoted(account)));
        }
        stack.push(("owner", self.owner()));
        let idle = self.idle(&mut fields);
        stack.push(("limits", self.limits(idle)));

        let nodes = self.role(&mut fields, "JobFlowRole", "instance_profile");
        let service = self.role(&mut fields, "ServiceRole", "service");
        let has_steps = fields.entry("Steps").inspect(|(key, node)| self.steps(key.span.clone(), node)).is_some();
        let instances = self.instances(fields.take("Instances"), has_steps);
        let bootstrap = fields.take("BootstrapActions").and_then(|node| self.actions(node));
        let ingress = fields.take("Ingress");
        let access = ingress.and_then(|node| self.ingress(node, instances.security_groups.is_some()));
        let cluster = self.cluster(
            &mut fields,
            display,
            instances.entries,
            [("primary", instances.primary), ("core", instances.core)],
            instances.task,
            access,
            idle,
        );
        if let Some(visible) = fields.take("VisibleToAllUsers").filter(|node| tree::scalar(node) != Some("true")) {
            self.notes.unsayable(
                "VisibleToAllUsers",
                &visible.span,
                "false",
                "who may see a cluster is for IAM policies to say",
            );
        }
        self.notes.leave(fields);

        if !self.buckets.is_empty() {
            stack.push(("buckets", self.declared()));
        }
        stack.extend(service.map(|service| ("roles", Part::map([("service", service)]))));
        stack.extend(nodes.map(|profile| ("instance_profile", profile)));
        stack.extend(instances.security_groups.map(|groups| ("security_groups", groups)));
        stack.extend(bootstrap.map(|actions| ("bootstrap", actions)));
        stack.push(("cluster", cluster));
        stack.into_iter().map(|(key, part)| (key.to_owned(), part)).collect()
    }

    fn owner(&mut self) -> Part {
        let Some(owner) = &self.wishes.owner else {
            let message = format!("nobody is named who answers for it: `owner: {OWNER}` stands for them");
            self.notes.add(
                Sort::Fill,
                &(0..0),
                message,
                "write an address that others can write to, or import with --owner",
            );
            return Part::text(OWNER).remark("CHANGE THIS: who answers for the cluster and its costs");
        };
        Part::text(owner)
    }

    /// The source's own idle policy.
    fn idle(&mut self, fields: &mut Fields<'_>) -> Option<Period> {
        let mut policy =
            fields.take("AutoTerminationPolicy").and_then(|node| self.notes.fields(node, "AutoTerminationPolicy"))?;
        let seconds = policy.take("IdleTimeout").and_then(|node| self.notes.number(node, "IdleTimeout"));
        self.notes.leave(policy);
        seconds.filter(|seconds| *seconds > 0).map(|seconds| Period::seconds(u64::from(seconds)))
    }

    /// Bounds of the stack, which no source has.
    fn limits(&mut self, idle: Option<Period>) -> Part {
        let least = Period::minutes(45);
        let most_idle = idle.filter(|idle| *idle > least).unwrap_or(least);
        let lifetime = if most_idle > Period::hours(3) { most_idle } else { Period::hours(3) };
        if idle.is_none() {
            let message =
                format!("the source ends no cluster that idles: the stack's ends after {most_idle} without work");
            self.notes.add(Sort::Changed, &(0..0), message, "write `limits: {idle: 2h}` for another time, 7d at most");
        }
        let message = format!("no cluster lives longer than {lifetime}, which AWS itself sees to");
        self.notes.add(Sort::Chosen, &(0..0), message, "write another `limits.lifetime`, or `up --for 5h` within it");
        Part::map([("lifetime", Part::word(lifetime)), ("idle", Part::word(most_idle))])
            .remark("The longest a cluster lives, and idles; `hourly: 2 USD` would bound its costs")
    }

    /// A role or a profile of somebody's.
    fn role(&mut self, fields: &mut Fields<'_>, name: &str, word: &str) -> Option<Part> {
        let Some(node) = fields.take(name) else {
            let message = format!("no `{name}` is said: the stack makes a role of its own, with the least it needs");
            let hint = format!("name one of the account's as `{word}: {{existing: NAME}}`");
            self.notes.add(Sort::Chosen, &(0..0), message, hint);
            return None;
        };
        self.named(node, name, word)
    }

    fn steps(&mut self, span: Range<usize>, node: &Node) {
        let steps = super::notes::brief(node);
        self.notes.unsayable(
            "Steps",
            &span,
            &steps,
            "declare them under `jobs:` with their scripts; `fruitsinfra run` submits them",
        );
    }

    #[expect(clippy::too_many_arguments, reason = "what the sections of a request have become, each once")]
    fn cluster(
        &mut self,
        fields: &mut Fields<'_>,
        display: Option<String>,
        mut from_instances: std::collections::BTreeMap<&'static str, Part>,
        groups: [(&'static str, Option<Part>); 2],
        task: Vec<(String, Part)>,
        access: Option<Part>,
        idle: Option<Period>,
    ) -> Part {
        let mut said: Vec<(&'static str, Part)> = display.map(|name| ("name", Part::text(&name))).into_iter().collect();
        said.push(("release", self.release(fields)));
        let os = fields.take("OSReleaseLabel").and_then(|node| self.plain_text(node, "os_release"));
        said.extend(os.map(|release| ("os_release", release)));
        said.push((
            "applications",
            match fields.take("Applications") {
                Some(node) => self.applications(node),
                None => {
                    Part::list(vec![Part::text("Hadoop")]).remark("EMR installs Hadoop alone where nothing is said")
                }
            },
        ));
        said.extend(groups.into_iter().filter_map(|(part, group)| Some((part, group?))));
        if !task.is_empty() {
            said.push(("task", Part::map(task)));
        }
        said.extend(
            fields.take("ManagedScalingPolicy").and_then(|node| self.scaling(node)).map(|of| ("managed_scaling", of)),
        );
        let configurations = fields.take("Configurations").and_then(|node| self.configurations(node, "Configurations"));
        said.extend(configurations.map(|of| ("configurations", of)));
        said.push(self.logs(fields));
        said.extend(idle.map(|idle| ("idle", Part::word(idle))));
        for word in ["keep_alive", "termination_protection"] {
            said.extend(from_instances.remove(word).map(|part| (word, part)));
        }
        let steps =
            fields.take("StepConcurrencyLevel").and_then(|node| self.notes.number(node, "StepConcurrencyLevel"));
        said.extend(steps.filter(|steps| *steps != 1).map(|steps| ("step_concurrency", Part::word(steps))));
        if let Some(node) = fields.take("ScaleDownBehavior") {
            match tree::scalar(node).unwrap_or_default() {
                "TERMINATE_AT_TASK_COMPLETION" => {}
                "TERMINATE_AT_INSTANCE_HOUR" => said.push(("scale_down", Part::word("at-instance-hour"))),
                _ => self.notes.wrong(
                    node,
                    "ScaleDownBehavior",
                    "TERMINATE_AT_TASK_COMPLETION or TERMINATE_AT_INSTANCE_HOUR",
                ),
            }
        }
        for (name, word) in
            [("AutoScalingRole", "auto_scaling_role"), ("SecurityConfiguration", "security_configuration")]
        {
            let named = fields.take(name).and_then(|node| self.named(node, name, word));
            said.extend(named.map(|named| (word, named)));
        }
        let image = fields.take("CustomAmiId").and_then(|node| self.plain_text(node, "custom_ami"));
        said.extend(image.map(|image| ("custom_ami", image)));
        for word in ["subnet", "key_pair"] {
            said.extend(from_instances.remove(word).map(|part| (word, part)));
        }
        said.extend(access.map(|access| ("access", access)));
        said.extend(self.root_volume(fields).map(|root| ("root_volume", root)));
        said.extend(fields.take("Tags").and_then(|node| self.tags(node)).map(|tags| ("tags", tags)));
        Part::map(said)
    }

    /// A text that stands as it is, or waits for what it stands for.
    fn plain_text(&mut self, node: &Node, word: &'static str) -> Option<Part> {
        let text = self.notes.text(node, word).filter(|text| !text.is_empty())?;
        let part = Part::text(&tree::shown(text));
        if tree::placeholder(text).is_none() {
            return Some(part);
        }
        let message = format!("`cluster.{word}` is given as `{}`", tree::shown(text));
        self.notes.add(Sort::Fill, &node.span, message, "write it and remove the #");
        Some(part.off())
    }

    fn release(&mut self, fields: &mut Fields<'_>) -> Part {
        let node = fields.take("ReleaseLabel");
        let said = node.and_then(|node| self.notes.text(node, "ReleaseLabel")).unwrap_or_default();
        let label =
            if said.starts_with(|c: char| c.is_ascii_digit()) { format!("emr-{said}") } else { said.to_owned() };
        match label.parse::<crate::stack::Release>() {
            Ok(release) => Part::text(&release.to_string()),
            Err(_) if node.is_none() || tree::placeholder(said).is_some() => {
                let newest = releases().next().unwrap_or_default();
                let shown = if node.is_none() {
                    "no release is said".to_owned()
                } else {
                    format!("the release is given as `{}`", tree::shown(said))
                };
                let span = node.map_or(0..0, |node| node.span.clone());
                self.notes.add(
                    Sort::Fill,
                    &span,
                    format!("{shown}: {newest} was taken"),
                    "write the one that is wanted",
                );
                Part::text(newest)
            }
            Err(_) => {
                if let Some(node) = node {
                    self.notes.wrong(node, "ReleaseLabel", "a release, as in emr-7.12.0");
                }
                Part::text(said)
            }
        }
    }

    fn logs(&mut self, fields: &mut Fields<'_>) -> (&'static str, Part) {
        let none = || {
            Part::text("logs/emr/")
                .off()
                .remark("Without a place for logs a failed start leaves no trace: declare a bucket `logs`")
        };
        let Some(node) = fields.take("LogUri") else { return ("logs", none()) };
        let Some(url) = self.notes.text(node, "LogUri").filter(|url| !url.is_empty()) else { return ("logs", none()) };
        // A whole address that is a placeholder stands for a bucket.
        let url = if url.contains("://") { url.to_owned() } else { format!("s3://{url}") };
        match self.place(&url, &node.span) {
            Some(place) => ("logs", Part::text(&place)),
            None => {
                self.notes.wrong(node, "LogUri", "an address in S3, as in s3://bucket/logs/");
                ("logs", none())
            }
        }
    }
}
