//! A stack's life in process: text to stack, stack to plan, plan to world, through the library's own rooms and
//! without a process a command, so that hundreds of them cost seconds. It decides nothing of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fruitsinfra::blueprint::{self, Materials};
use fruitsinfra::cloud::clock::Clock;
use fruitsinfra::cloud::http::{Contacts, Http};
use fruitsinfra::cloud::surroundings::{self, Surroundings};
use fruitsinfra::cloud::{Cancel, Cloud, Endpoint};
use fruitsinfra::plan::{Action, Plan, plan, removal};
use fruitsinfra::resource::{Cx, Live};
use fruitsinfra::stack::{Broken, Severity, Stack, load_text};
use fruitsinfra::{engine, policy, resources};
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::Aws;
use crate::support::oracle::ACCOUNT;

pub(super) const REGION: &str = "eu-west-3";
pub(super) const OWNER: &str = "data@fruits.example";

/// What all lives of one account share.
pub(super) struct Account {
    cloud: Cloud,
    clock: Clock,
    folder: PathBuf,
}

/// What is there of a stack, and where.
pub(super) struct World {
    pub(super) around: Surroundings,
    pub(super) live: Vec<Live>,
}

impl Account {
    pub(super) async fn of(aws: &Aws) -> Self {
        let region = REGION.parse().expect("is in the EU");
        let cloud = Cloud::connect(region, &Endpoint::Local(aws.endpoint.clone())).await;
        let http = Http::new(&Contacts::default(), Duration::from_secs(20));
        let clock = Clock::served(http, format!("{}/_local/clock", aws.endpoint)).await.expect("a clock");
        let folder = aws.folder().to_owned();
        for (name, text) in [("own.sh", "#!/bin/bash\nset -e\n"), ("other.sh", "#!/bin/bash\nset -eu\n")] {
            std::fs::write(folder.join(name), text).expect("a script");
        }
        std::fs::write(folder.join("job.py"), "print(1)\n").expect("a script");
        // Published weights, as if they had been fetched before.
        std::fs::create_dir_all(folder.join("cache/weights")).expect("a cache");
        std::fs::write(folder.join("cache/weights/mobilenet_v2-imagenet.h5"), "published").expect("weights");
        Self { cloud, clock, folder }
    }

    /// Where its scripts lie.
    pub(super) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// A stack from its text, as a person would have written it.
    pub(super) fn stack(&self, document: &Value) -> Result<Stack, String> {
        let text = text_of(document);
        let loaded = load_text("drawn.yaml", text.clone(), &self.folder);
        let errors = |broken: Broken| {
            let errors = broken.findings.into_iter().filter(|finding| finding.severity == Severity::Error);
            let errors: Vec<String> = errors.map(|finding| format!("{}: {}", finding.code, finding.message)).collect();
            format!("{}\n{text}", errors.join("\n"))
        };
        loaded.map(|loaded| loaded.stack).map_err(errors)
    }

    fn cx(&self, stack: &Stack) -> Cx {
        let (said, _) = unbounded_channel();
        Cx::new(self.cloud.clone(), &stack.name, &stack.owner, self.clock.clone(), Cancel::pair().1, said)
    }

    pub(super) async fn look(&self, stack: &Stack) -> Result<World, String> {
        let live = resources::list_all(&self.cx(stack)).await.map_err(|error| format!("a listing: {error}"))?;
        let network = match blueprint::wish(stack, &live) {
            Some(wish) => Some(surroundings::network(&self.cloud, &wish).await.map_err(|error| error.to_string())?),
            None => None,
        };
        let region = REGION.parse().expect("is in the EU");
        Ok(World { around: Surroundings { region, account: ACCOUNT.into(), network }, live })
    }

    /// What `plan` would show; pure but for the stack's own files.
    pub(super) fn plan(&self, stack: &Stack, world: &World) -> Plan<Live> {
        let home = blueprint::home_name(stack, ACCOUNT);

        let materials = Materials::gather(stack, &self.folder, &self.folder.join("cache"), &home, BTreeMap::new())
            .expect("materials");
        let mut around = world.around.clone();
        let subnet = stack.cluster.as_ref().and_then(|cluster| cluster.subnet.clone());
        if let (Some(network), Some(subnet)) = (&mut around.network, subnet) {
            network.subnet = subnet;
        }
        plan(&blueprint::blueprint(stack, &materials, &around), &world.live).expect("a plan")
    }

    /// Looks, plans and does it; returns what was planned.
    pub(super) async fn up(&self, stack: &Stack) -> Result<Plan<Live>, String> {
        let plan = self.plan(stack, &self.look(stack).await?);
        self.apply(stack, plan.clone()).await?;
        Ok(plan)
    }

    pub(super) async fn destroy(&self, stack: &Stack) -> Result<(), String> {
        let world = self.look(stack).await?;
        self.apply(stack, removal(&world.live, |_| false)).await
    }

    async fn apply(&self, stack: &Stack, plan: Plan<Live>) -> Result<(), String> {
        let shown = outline(&plan);
        let approved = policy::check(plan, stack.owner.as_str()).map_err(|refused| format!("{refused:?}"))?;
        let (events, _heard) = unbounded_channel();
        let outcome = engine::apply(&approved, &self.cx(stack), &events).await;
        if outcome.complete() { Ok(()) } else { Err(format!("{outcome:?} of {shown:#?}")) }
    }

    /// There is nothing left to do; if there is, it is told by field.
    pub(super) async fn settled(&self, stack: &Stack) -> Result<World, String> {
        let world = self.look(stack).await?;
        match outline(&self.plan(stack, &world)) {
            rest if rest.is_empty() => Ok(world),
            rest => Err(format!("still to do: {rest:#?}")),
        }
    }
}

/// A document as text: a line a key at the top, the rest in flow style, which is YAML as well.
pub(super) fn text_of(document: &Value) -> String {
    let lines = document.as_object().expect("a mapping").iter();
    lines.flat_map(|(key, value)| [key.clone(), ": ".into(), value.to_string(), "\n".into()]).collect()
}

/// Steps that do something, with their changes.
pub(super) fn outline(plan: &Plan<Live>) -> Vec<String> {
    let steps = plan.steps.iter().filter(|step| step.action != Action::Keep);
    let shown = steps.map(|step| {
        let changes = step.action.changes().iter();
        let changes: Vec<String> = changes.map(|c| format!("; {}: {} -> {}", c.field, c.from, c.to)).collect();
        let note = step.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
        format!("{} {}{note}{changes}", step.action.word(), step.address, changes = changes.concat())
    });
    shown.collect()
}
