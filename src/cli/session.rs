//! What every online command begins with: the stack read, the cloud of its region connected, and the world
//! observed. It makes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{BoxFuture, try_join_all};
use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Failure, Global};
use crate::blueprint::{self, Materials};
use crate::check::{self, Checked};
use crate::cloud::clock::Clock;
use crate::cloud::error::CloudError;
use crate::cloud::http::{Contacts, Http, host_of, is_loopback};
use crate::cloud::surroundings::{self, Surroundings};
use crate::cloud::{Cancel, Cloud, Endpoint, Stop};
use crate::policy::Refusal;
use crate::price::Table;
use crate::residency::EuRegion;
use crate::resource::{Cx, Live, Phase, Progress, Resource};
use crate::stack::{self, JobWork, Severity, Stack, Theirs, Weights, profile};
use crate::text::counted;
use crate::ui::{RED, Ui, YELLOW, snippet};
use crate::{local, python, resources, wheels};

/// A stack, and the way to its cloud.
pub(super) struct Session {
    pub(super) ui: Ui,
    pub(super) stack: Stack,
    pub(super) cx: Cx,
    prices: OnceLock<Table>,
    pub(super) progress: UnboundedReceiver<Progress>,
    pub(super) stop: Stop,
    pub(super) local: bool,
    /// As it was typed.
    name: String,
    folder: PathBuf,
}

/// What is there.
pub(super) struct World {
    pub(super) around: Surroundings,
    pub(super) live: Vec<Live>,
}

impl World {
    /// The stack's home, if it exists.
    pub(super) fn home(&self) -> Option<&Live> {
        self.live.iter().find(|live| live.resource.address() == resources::home())
    }

    /// The stack's cluster that can be used, or will be in a moment.
    pub(super) fn cluster(&self) -> Option<&Live> {
        let clusters = self.live.iter().filter(|live| live.resource.address().kind == "cluster");
        let usable = clusters.filter(|live| matches!(live.resource.phase(), Phase::Starting | Phase::Standing));
        usable.max_by_key(|live| live.resource.standing())
    }

    /// The newest cluster, ended ones too.
    pub(super) fn any_cluster(&self) -> Option<&Live> {
        self.cluster().or_else(|| self.live.iter().find(|live| live.resource.address().kind == "cluster"))
    }
}

/// A moment among what is told of a thing.
pub(super) fn moment(live: &Live, fact: &str) -> Option<Timestamp> {
    live.resource.facts()[fact].as_str()?.parse().ok()
}

/// The file behind STACK: a path, or the bare name of one in `stacks/`. Both may name a profile: `demo@smoke`.
pub(super) fn find(name: &str) -> PathBuf {
    let path = Path::new(name);
    if path.exists() {
        return path.to_owned();
    }
    match name.rsplit_once('@') {
        Some((name, profile)) if !name.is_empty() => profile::joined(&find(name), profile),
        _ if name.contains('/') || path.extension().is_some() => path.to_owned(),
        _ => Path::new("stacks").join(format!("{name}.yaml")),
    }
}

/// The stack's own folder.
pub(super) fn folder(name: &str) -> PathBuf {
    find(name).parent().map(Path::to_owned).unwrap_or_default()
}

/// Reads a stack and its scripts; shows what is found; fails with 2 if it cannot be worked with.
pub(super) fn load(ui: Ui, name: &str) -> Result<Stack, Failure> {
    examine(ui, name).map(|(stack, _)| stack)
}

/// The same, and how many findings were shown.
pub(super) fn examine(ui: Ui, name: &str) -> Result<(Stack, usize), Failure> {
    let path = find(name);
    let Checked { stack, sources, findings, waived: _ } = check::file(&path, stack::today(), None);
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let told: Vec<_> = findings.into_iter().filter(|finding| finding.severity >= Severity::Warning).collect();
    if !told.is_empty() {
        let style = snippet::Style { colour: false, width: crate::ui::width() };
        ui.say(snippet::render(&told, &sources, style));
    }
    let broken = || Failure::usage(format!("{}: {}", path.display(), counted(errors, "error")));
    stack.filter(|_| errors == 0).map(|stack| (stack, told.len())).ok_or_else(broken)
}

/// Replaces the weights of every feature job by those of `--weights`.
pub(super) fn with_weights(stack: &mut Stack, weights: Option<&Weights>) {
    for job in stack.jobs.values_mut() {
        if let (JobWork::Template(features), Some(weights)) = (&mut job.work, weights) {
            features.model.weights = weights.clone();
        }
    }
}

impl Session {
    pub(super) async fn open(global: &Global, name: &str, weights: Option<&Weights>) -> Result<Self, Failure> {
        let mut stack = load(global.ui(), name)?;
        with_weights(&mut stack, weights);
        Self::of(global, name, stack).await
    }

    /// Of a stack that was read already.
    pub(super) async fn of(global: &Global, name: &str, stack: Stack) -> Result<Self, Failure> {
        let ui = global.ui();
        let folder = folder(name);
        let (cloud, clock) = connect(global, stack.region).await?;
        let (stop, cancel) = Cancel::pair();
        let (say, progress) = unbounded_channel();
        let cx = Cx::new(cloud, &stack.name, &stack.owner, clock, cancel, say);
        Ok(Self {
            ui,
            prices: OnceLock::new(),
            stack,
            cx,
            progress,
            stop,
            local: global.local,
            name: name.into(),
            folder,
        })
    }

    /// Reads everything there is of the stack.
    pub(super) async fn observe(&self) -> Result<World, Failure> {
        let cloud = &self.cx.cloud;
        let said = self.stack.account.as_deref();
        if let Some(account) = said {
            cloud.is_of_account(account);
        }
        let looked = async {
            futures::try_join!(cloud.account(), resources::list_all(&self.cx), check_existing(cloud, &self.stack))
        };
        let looked = looked.await;
        // A home that S3 lists among the caller's own, and gives to nobody but the account that is said, proves that they
        // are one. Without it AWS is asked.
        let at_home = |live: &[Live]| live.iter().any(|live| live.resource.address() == resources::home());
        if let Some(said) = said
            && !looked.as_ref().is_ok_and(|(_, live, ())| at_home(live))
        {
            let account = cloud.caller().await?.account;
            if account != said {
                return Err(Failure::refused(format!(
                    "these credentials are of account {account}, and the stack says {said}"
                )));
            }
        }
        let (account, live, ()) = looked?;
        let network = match blueprint::wish(&self.stack, &live) {
            Some(wish) => Some(surroundings::network(cloud, &wish).await?),
            None => None,
        };
        let around = Surroundings { region: self.stack.region, account: account.to_owned(), network };
        Ok(World { around, live })
    }

    /// Works out everything there should be.
    pub(super) async fn desired(&self, world: &World) -> Result<Vec<Arc<dyn Resource>>, Failure> {
        let (cache, home) = (python::cache(), blueprint::home_name(&self.stack, &world.around.account));
        let mut found = BTreeMap::new();
        for (action, request) in blueprint::requests(&self.stack)? {
            let wheels = wheels::find(&self.cx, &home, &world.live, &request, &cache, |line| self.ui.say(line));
            found.insert(action, self.unless_stopped(async { Ok(wheels.await?) }).await?);
        }
        let materials = Materials::gather(&self.stack, &self.folder, &cache, &home, found)?;
        Ok(blueprint::blueprint(&self.stack, &materials, &world.around))
    }

    /// What costs are told from, read when they are.
    pub(super) fn prices(&self) -> &Table {
        self.prices.get_or_init(|| super::prices::table(self.ui))
    }

    /// When the cluster was asked for; now, where none is.
    pub(super) fn born(&self, cluster: Option<&Live>) -> Timestamp {
        cluster.and_then(|live| moment(live, "since")).unwrap_or_else(|| self.cx.clock.now())
    }

    /// How long the cluster lives in all: to the end that is said, else to the one that it has, else to its limit.
    pub(super) fn life(&self, cluster: Option<&Live>, until: Option<Timestamp>) -> Duration {
        let until = until.or_else(|| moment(cluster?, "expires"));
        let life = until.and_then(|until| Duration::try_from(until.duration_since(self.born(cluster))).ok());
        life.unwrap_or(self.stack.limits.lifetime.into())
    }

    /// How this stack is named to another command: `fruitsinfra --local down demo`.
    pub(super) fn command(&self, command: &str) -> String {
        format!("fruitsinfra {}{command} {}", if self.local { "--local " } else { "" }, self.name)
    }

    /// Asks AWS something, unless a person stops it.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.cx.cancel.wait() => Err(CloudError::interrupted().into()),
            done = work => done,
        }
    }

    /// The hosts called so far.
    pub(super) fn contacts(&self) -> Vec<String> {
        self.cx.cloud.contacts.hosts().into_keys().collect()
    }
}

/// What a stack needs, as far as this machine can tell by itself.
pub(super) async fn offline(ui: Ui, name: &str, stack: &Stack, account: &str) -> Result<Materials, Failure> {
    let cache = python::cache();
    let mut chosen = BTreeMap::new();
    for (action, request) in blueprint::requests(stack)? {
        chosen.insert(action, wheels::choose(&request, &cache, |line| ui.say(line)).await?);
    }
    Ok(Materials::gather(stack, &folder(name), &cache, &blueprint::home_name(stack, account), chosen)?)
}

/// Looks at everything that the stack names as somebody else's.
async fn check_existing(cloud: &Cloud, stack: &Stack) -> Result<(), CloudError> {
    let check = |(what, name)| -> BoxFuture<'_, Result<(), CloudError>> {
        match what {
            Theirs::Bucket => Box::pin(cloud.check_bucket(name)),
            Theirs::Role => Box::pin(cloud.check_role(name)),
            Theirs::InstanceProfile => Box::pin(cloud.check_instance_profile(name)),
            Theirs::SecurityGroup => Box::pin(cloud.check_security_group(name)),
        }
    };
    try_join_all(stack.others().into_iter().map(check)).await.map(drop)
}

/// The cloud of a region, and the clock that it keeps.
pub(super) async fn connect(global: &Global, region: EuRegion) -> Result<(Cloud, Clock), Failure> {
    let endpoint = endpoint(global, global.ui()).await?;
    Ok((Cloud::connect(region, &endpoint).await, clock(&endpoint).await?))
}

/// The clock that a server of ours keeps, or this machine's.
pub(super) async fn clock(endpoint: &Endpoint) -> Result<Clock, Failure> {
    let served = |url: &str| {
        let http = Http::new(&Contacts::default(), Duration::from_secs(5));
        Clock::served(http, format!("{}/_local/clock", url.trim_end_matches('/')))
    };
    match endpoint {
        Endpoint::Local(url) => served(url).await.map_err(|e| Failure::failed(e.to_string())),
        // The embedded AWS owns time whichever way it is reached; any other server has no such clock.
        Endpoint::Named(url) if is_loopback(host_of(url)) => Ok(served(url).await.unwrap_or(Clock::System)),
        Endpoint::Named(_) | Endpoint::Aws => Ok(Clock::System),
    }
}

/// Where the calls go, said aloud if it is not AWS.
pub(super) async fn endpoint(global: &Global, ui: Ui) -> Result<Endpoint, Failure> {
    if global.local {
        let status = local::start(&local::Options::default(), |line| ui.say(line)).await?;
        return Ok(Endpoint::Local(status.endpoint));
    }
    match std::env::var("AWS_ENDPOINT_URL") {
        Ok(url) if !url.is_empty() => {
            ui.say(format!("{YELLOW}AWS_ENDPOINT_URL is set: every call goes to {url}, and nothing to AWS{YELLOW:#}"));
            Ok(Endpoint::Named(url))
        }
        _ => Ok(Endpoint::Aws),
    }
}

/// Why a plan was refused, in one line.
pub(super) fn refused(refusals: &[Refusal]) -> String {
    refusals.iter().map(|refusal| refusal.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// Stops on Ctrl-C and SIGTERM: the first asks, the second ends at once.
pub(super) fn heed_signals(ui: Ui, stop: Stop) {
    use tokio::signal::unix::{SignalKind, signal};
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        for time in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if time > 0 {
                std::process::exit(i32::from(super::INTERRUPTED));
            }
            stop.ask();
            ui.say(format!("{RED}stopping{RED:#}: calls in flight end, nothing new starts"));
        }
    });
}
