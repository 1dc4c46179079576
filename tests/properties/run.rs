//! One walk of the engine over a drawn world, as a command makes it, and what may befall it: faults, a person who
//! stops it, a kill. It must never mend anything itself.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use fruitsinfra::cloud::clock::Clock;
use fruitsinfra::cloud::{Cancel, Cloud, Endpoint};
use fruitsinfra::engine::{self, Outcome};
use fruitsinfra::event::Event;
use fruitsinfra::plan::{Action, Plan, plan};
use fruitsinfra::policy;
use fruitsinfra::resource::{Address, Cx, Live, Phase, Resource};
use proptest::prelude::*;
use tokio::sync::mpsc::unbounded_channel;

use super::draws::Trouble;
use super::world::{Interruption, OWNER, STACK, Shared, list, locked};

pub(super) type Desired = [Arc<dyn Resource>];

/// Clients that nobody calls, built once.
fn cloud() -> Cloud {
    static CLOUD: OnceLock<Cloud> = OnceLock::new();
    let connect = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let region = "eu-west-3".parse().expect("is in the EU");
        runtime.block_on(Cloud::connect(region, &Endpoint::Local("http://127.0.0.1:9".into())))
    };
    CLOUD.get_or_init(connect).clone()
}

/// One `apply`, as a command makes it.
pub(super) struct Run {
    pub(super) plan: Plan<Live>,
    pub(super) outcome: Outcome,
    pub(super) events: Vec<Event>,
}

pub(super) fn planned(world: &Shared, desired: &Desired) -> Plan<Live> {
    plan(desired, &list(world)).expect("a plan")
}

/// Lists, plans and applies; a person may stop it at a turn.
pub(super) fn run(world: &Shared, desired: &Desired, stop: Option<usize>) -> Run {
    apply(world, planned(world, desired), stop)
}

/// A run that something befalls. False if it had no chance to tell its end.
pub(super) fn troubled(world: &Shared, plan: Plan<Live>, trouble: &Trouble) -> Result<bool, TestCaseError> {
    match trouble {
        Trouble::Faults(faults) => locked(world).break_calls(faults.clone()),
        Trouble::Stop(_) | Trouble::Kill(_) => {}
    }
    let told = match trouble {
        Trouble::Kill(at) => kill(world, &plan, *at),
        Trouble::Stop(at) => Some(apply(world, plan, Some(*at))),
        Trouble::Faults(_) => Some(apply(world, plan, None)),
    };
    locked(world).break_calls(vec![]);
    unbreached(world)?;
    told.as_ref().map_or(Ok(()), Run::is_told_in_full)?;
    Ok(told.is_some())
}

thread_local! {
    /// The engine's patience after a stop is real time; nothing here waits for its end.
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// Drops the walk at a turn, as `kill -9` does: the world keeps what was done. `None` if it struck.
fn kill(world: &Shared, plan: &Plan<Live>, at: usize) -> Option<Run> {
    let ((events, mut heard), (_ask, cancel)) = (unbounded_channel(), Cancel::pair());
    {
        let mut world = locked(world);
        world.expect(plan);
        world.begin();
        world.death = Some(at);
    }
    let cx = Cx::new(cloud(), STACK, OWNER, Clock::System, cancel, unbounded_channel().0);
    let approved = policy::check(plan.clone(), OWNER).expect("is our own");
    let outcome = {
        let mut walk = pin!(engine::apply(&approved, &cx, &events));
        futures::executor::block_on(std::future::poll_fn(|task| {
            let outcome = walk.as_mut().poll(task).map(Some);
            if outcome.is_pending() && locked(world).killed() { Poll::Ready(None) } else { outcome }
        }))
    };
    locked(world).death = None;
    let told = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    outcome.map(|outcome| Run { plan: plan.clone(), outcome, events: told })
}

pub(super) fn apply(world: &Shared, plan: Plan<Live>, stop: Option<usize>) -> Run {
    let ((events, mut heard), (ask, cancel)) = (unbounded_channel(), Cancel::pair());
    {
        let mut world = locked(world);
        world.expect(&plan);
        world.begin();
        world.interruption = stop.map(|at| Interruption { at, ask: ask.clone(), events: events.clone() });
    }
    let cx = Cx::new(cloud(), STACK, OWNER, Clock::System, cancel, unbounded_channel().0);
    let approved = policy::check(plan.clone(), OWNER).expect("is our own");
    let outcome = RUNTIME.with(|runtime| runtime.block_on(engine::apply(&approved, &cx, &events)));
    locked(world).interruption = None;
    let told = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    Run { plan, outcome, events: told }
}

/// What a property comes to; no panic, so that a failing case shrinks in silence.
pub(super) type Holds = Result<(), TestCaseError>;

impl Run {
    /// Every operation of the plan is told, each start with its end, and the outcome is what was told.
    pub(super) fn is_told_in_full(&self) -> Holds {
        let starting = |live: &Live| live.resource.phase() == Phase::Starting;
        let operations = self.plan.steps.iter().map(|step| match &step.action {
            Action::Keep => usize::from(step.existing.as_ref().is_some_and(starting)),
            Action::Update(_) => 1 + usize::from(step.existing.as_ref().is_some_and(starting)),
            Action::Replace(_) => 2,
            Action::Create | Action::Delete => 1,
        });
        let (mut begun, mut ended, mut failed, mut skipped, mut interrupted) = (vec![], vec![], 0, 0, false);
        for event in &self.events {
            match event {
                Event::Started { address, verb } => begun.push((address, verb)),
                Event::Finished { address, verb, .. } => ended.push((address, verb)),
                Event::Failed { address, verb, .. } => {
                    ended.push((address, verb));
                    failed += 1;
                }
                Event::Skipped { because, .. } => {
                    skipped += 1;
                    interrupted |= because == "interrupted";
                }
                _ => {}
            }
        }
        begun.sort();
        ended.sort();
        prop_assert_eq!(&begun, &ended, "begun, and ended");
        prop_assert_eq!(begun.len() + skipped, operations.sum::<usize>(), "{:?}", &self.events);
        prop_assert!(self.outcome.failed.len() >= failed, "every root cause is told");
        prop_assert_eq!(self.outcome.interrupted, interrupted);
        let clean = failed == 0 && skipped == 0;
        prop_assert_eq!(self.outcome.complete(), clean, "{:?}", &self.outcome);
        Ok(())
    }

    /// The addresses of what failed.
    pub(super) fn failed(&self) -> BTreeSet<&Address> {
        let failed = self.events.iter().filter_map(|event| match event {
            Event::Failed { address, .. } => Some(address),
            _ => None,
        });
        failed.collect()
    }
}

/// Nothing happened that AWS would have let pass and is wrong.
pub(super) fn unbreached(world: &Shared) -> Holds {
    prop_assert_eq!(&locked(world).breaches, &Vec::<String>::new());
    Ok(())
}
