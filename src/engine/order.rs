//! Which operation of a plan waits for which: needs before dependents, and the reverse on the way down. Pure: it
//! starts nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::Verb;
use crate::plan::{Action, Plan, Step};
use crate::resource::{Live, Phase, Resource};

/// One thing to do to one step's resource, after the operations at these indices.
pub(super) struct Operation<'a> {
    pub(super) verb: Verb,
    pub(super) step: &'a Step<Live>,
    pub(super) after: BTreeSet<usize>,
}

/// Everything a plan asks for, each knowing what it waits for.
pub(super) fn operations(plan: &Plan<Live>) -> Vec<Operation<'_>> {
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
    spare_what_works(&mut operations);
    operations
}

/// What is replaced goes only once all that is new to its successor is there, where that can be: a name that turns
/// out to be taken then costs nothing that works.
fn spare_what_works(operations: &mut [Operation]) {
    let replaced = |operation: &Operation| operation.verb == Verb::Delete && operation.step.desired.is_some();
    for old in (0..operations.len()).filter(|i| replaced(&operations[*i])).collect::<Vec<_>>() {
        let needs = operations[old].step.desired.as_ref().map(|desired| desired.needs()).unwrap_or_default();
        let is_new = |operation: &Operation| {
            operation.step.action == Action::Create && needs.iter().any(|need| need.address == operation.step.address)
        };
        for new in (0..operations.len()).filter(|i| is_new(&operations[*i])).collect::<Vec<_>>() {
            if !waits_for(operations, new, old) {
                operations[old].after.insert(new);
            }
        }
    }
}

/// Whether an operation may start only when another is done, over however many.
fn waits_for(operations: &[Operation], later: usize, earlier: usize) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![later]);
    while let Some(next) = open.pop() {
        open.extend(operations[next].after.iter().copied().filter(|i| seen.insert(*i)));
    }
    seen.contains(&earlier)
}

/// Whether one operation may start only when another is done.
fn follows(later: &Operation, earlier: &Operation) -> bool {
    let needs =
        |resource: &dyn Resource, step: &Step<Live>| resource.needs().iter().any(|need| need.address == step.address);
    match (later.verb, earlier.verb) {
        // What I need outlives me, and whoever lets go of it by an update does so first. Whoever keeps needing
        // it waits, on the contrary, for the new one.
        (Verb::Delete, Verb::Delete | Verb::Update) => {
            let keeps = |desired: &Arc<dyn Resource>| earlier.verb == Verb::Update && needs(&**desired, later.step);
            later.step.address != earlier.step.address
                && earlier.step.existing.as_ref().is_some_and(|live| needs(&*live.resource, later.step))
                && !earlier.step.desired.as_ref().is_some_and(keeps)
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
