//! Walks an approved plan concurrently and tells what happens as events. It decides nothing, knows no kind,
//! retries nothing and prints nothing.
//!
//! Each operation starts when its own predecessors are done. A failure skips what depends on it while the
//! rest goes on. Once interrupted, nothing new starts, and calls in flight finish.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedSender;

use crate::cloud::error::{Class, CloudError};
use crate::event::{Event, Verb};
use crate::plan::{Action, Plan, Step};
use crate::policy::Approved;
use crate::resource::{Cx, Id, Live, Phase, Resource};

/// More at once gains nothing: AWS throttles long before.
const AT_ONCE: usize = 16;

/// How a walk ended. Root causes only: what was skipped because of them is in the events.
#[derive(Debug, Default)]
pub struct Outcome {
    pub failed: Vec<String>,
    pub interrupted: bool,
}

impl Outcome {
    pub fn complete(&self) -> bool {
        self.failed.is_empty() && !self.interrupted
    }
}

/// One thing to do to one step's resource, after the operations at these indices.
struct Operation<'a> {
    verb: Verb,
    step: &'a Step<Live>,
    after: BTreeSet<usize>,
}

/// Carries out every step of an approved plan.
pub async fn apply(approved: &Approved, cx: &Cx, events: &UnboundedSender<Event>) -> Outcome {
    let plan = approved.plan();
    for step in &plan.steps {
        if let (Some(live), Some(_)) = (&step.existing, &step.desired) {
            cx.learn(step.address.clone(), live.id.clone());
        }
    }
    let operations = operations(plan);
    let mut waiting: BTreeSet<usize> = (0..operations.len()).collect();
    let (mut done, mut broken) = (BTreeSet::new(), BTreeMap::new());
    let mut running = FuturesUnordered::new();
    let mut outcome = Outcome::default();
    let tell = |event| {
        // Whoever listened may be gone (a closed pipe); the work goes on.
        let _ = events.send(event);
    };
    loop {
        skip_doomed(&operations, &mut waiting, &mut broken, &tell);
        if cx.cancel.requested() {
            outcome.interrupted |= !waiting.is_empty();
            for index in std::mem::take(&mut waiting) {
                let Operation { verb, step, .. } = &operations[index];
                tell(Event::Skipped { address: step.address.clone(), verb: *verb, because: "interrupted".into() });
            }
        }
        let ready: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|i| operations[*i].after.is_subset(&done))
            .take(AT_ONCE - running.len().min(AT_ONCE))
            .collect();
        for index in ready {
            waiting.remove(&index);
            let operation = &operations[index];
            tell(Event::Started { address: operation.step.address.clone(), verb: operation.verb });
            running.push(async move {
                let begun = cx.clock.now();
                let result = run(operation, cx).await;
                (index, result, cx.clock.since(begun))
            });
        }
        let Some((index, result, took)) = running.next().await else { break };
        let Operation { verb, step, .. } = &operations[index];
        match result {
            Ok(id) => {
                let id = id.map(|id| id.0);
                tell(Event::Finished { address: step.address.clone(), verb: *verb, id, seconds: seconds(took) });
                done.insert(index);
            }
            Err(error) => {
                outcome.interrupted |= error.class == Class::Interrupted;
                if error.class != Class::Interrupted {
                    outcome.failed.push(format!("{}: {error}", step.address));
                }
                let hint = error.hint();
                tell(Event::Failed { address: step.address.clone(), verb: *verb, error: error.to_string(), hint });
                broken.insert(index, step.address.to_string());
            }
        }
    }
    outcome
}

fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10.0).round() / 10.0
}

/// What waits for something broken will never start: told at once, with the root cause.
fn skip_doomed(
    operations: &[Operation],
    waiting: &mut BTreeSet<usize>,
    broken: &mut BTreeMap<usize, String>,
    tell: &impl Fn(Event),
) {
    while let Some((index, cause)) = waiting
        .iter()
        .find_map(|i| operations[*i].after.iter().find_map(|a| broken.get(a).map(|cause| (*i, cause.clone()))))
    {
        waiting.remove(&index);
        let Operation { verb, step, .. } = &operations[index];
        tell(Event::Skipped { address: step.address.clone(), verb: *verb, because: format!("{cause} failed") });
        broken.insert(index, cause);
    }
}

fn operations(plan: &Plan<Live>) -> Vec<Operation<'_>> {
    let mut operations: Vec<Operation> = Vec::new();
    for step in &plan.steps {
        let starting = step.existing.as_ref().is_some_and(|live| live.resource.phase() == Phase::Starting);
        let verbs: &[Verb] = match step.action {
            Action::Keep if starting => &[Verb::Settle],
            Action::Keep => &[],
            Action::Create => &[Verb::Create],
            Action::Update(_) if starting => &[Verb::Settle, Verb::Update],
            Action::Update(_) => &[Verb::Update],
            Action::Replace(_) => &[Verb::Delete, Verb::Create],
            Action::Delete => &[Verb::Delete],
        };
        // Within a step, in order.
        let mut before = None;
        for verb in verbs {
            operations.push(Operation { verb: *verb, step, after: before.into_iter().collect() });
            before = Some(operations.len() - 1);
        }
    }
    let edges: Vec<(usize, usize)> = (0..operations.len())
        .flat_map(|later| (0..operations.len()).map(move |earlier| (later, earlier)))
        .filter(|(later, earlier)| follows(&operations[*later], &operations[*earlier]))
        .collect();
    for (later, earlier) in edges {
        operations[later].after.insert(earlier);
    }
    operations
}

/// Whether one operation may start only when another is done.
fn follows(later: &Operation, earlier: &Operation) -> bool {
    let needs =
        |resource: &dyn Resource, step: &Step<Live>| resource.needs().iter().any(|need| need.address == step.address);
    match (later.verb, earlier.verb) {
        // What I need outlives me, and whoever lets go of it by an update does so first.
        (Verb::Delete, Verb::Delete | Verb::Update) => {
            later.step.address != earlier.step.address
                && earlier.step.existing.as_ref().is_some_and(|live| needs(&*live.resource, later.step))
        }
        (Verb::Delete, Verb::Create | Verb::Settle) => false,
        // What I need is there before me.
        (_, Verb::Create | Verb::Update | Verb::Settle) => {
            later.step.address != earlier.step.address
                && later.step.desired.as_ref().is_some_and(|desired| needs(&**desired, earlier.step))
        }
        // A name is free only when its last holder is gone: surplus twins too.
        (Verb::Create, Verb::Delete) => later.step.address == earlier.step.address,
        (_, Verb::Delete) => false,
    }
}

async fn run(operation: &Operation<'_>, cx: &Cx) -> Result<Option<Id>, CloudError> {
    let Step { address, action, desired, existing, .. } = operation.step;
    match (operation.verb, desired, existing) {
        (Verb::Create, Some(desired), _) => {
            let id = desired.create(cx).await?;
            cx.learn(address.clone(), id.clone());
            Ok(Some(id))
        }
        (Verb::Update, Some(desired), Some(live)) => {
            desired.update(cx, &live.id, action.changes()).await?;
            Ok(Some(live.id.clone()))
        }
        (Verb::Settle, _, Some(live)) => {
            live.resource.settle(cx, &live.id).await?;
            Ok(Some(live.id.clone()))
        }
        (Verb::Delete, _, Some(live)) => {
            live.resource.delete(cx, &live.id).await?;
            Ok(None)
        }
        (verb, _, _) => Err(CloudError::bug(format!("nothing to {verb:?} at `{address}`"))),
    }
}
