//! Desired against existing: a plan. Pure: this room never awaits, knows no kind, and cannot reach AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::resource::{Address, Change, Field, Phase, Resource};

/// What is to happen to one address. Every address has a step: doing nothing is a decision too.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Keep,
    Create,
    Update(Vec<Change>),
    Replace(Vec<Change>),
    Delete,
}

impl Action {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Create => "create",
            Self::Update(_) => "update",
            Self::Replace(_) => "replace",
            Self::Delete => "delete",
        }
    }

    pub fn changes(&self) -> &[Change] {
        match self {
            Self::Update(changes) | Self::Replace(changes) => changes,
            Self::Keep | Self::Create | Self::Delete => &[],
        }
    }
}

#[derive(Clone, Debug)]
pub struct Step<E> {
    pub address: Address,
    pub action: Action,
    pub desired: Option<Arc<dyn Resource>>,
    pub existing: Option<E>,
    /// Why, where the changes do not say it: a need made anew, an end that came by itself, a surplus twin.
    pub note: Option<String>,
}

impl<E: AsRef<dyn Resource>> Step<E> {
    pub fn name(&self) -> String {
        match (&self.desired, &self.existing) {
            (Some(desired), _) => desired.name(),
            (None, Some(existing)) => existing.as_ref().name(),
            (None, None) => self.address.key.clone(),
        }
    }
}

/// Steps, needs before dependents.
#[derive(Clone, Debug)]
pub struct Plan<E> {
    pub steps: Vec<Step<E>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub create: usize,
    pub update: usize,
    pub replace: usize,
    pub delete: usize,
    pub keep: usize,
}

impl<E> Plan<E> {
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for step in &self.steps {
            match step.action {
                Action::Keep => counts.keep += 1,
                Action::Create => counts.create += 1,
                Action::Update(_) => counts.update += 1,
                Action::Replace(_) => counts.replace += 1,
                Action::Delete => counts.delete += 1,
            }
        }
        counts
    }

    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.action == Action::Keep)
    }

    /// What it does to these fields of what is there, and nothing else.
    #[must_use]
    pub fn only(self, fields: &[&str]) -> Self {
        let there = self.steps.into_iter().filter(|step| step.existing.is_some() && step.action != Action::Create);
        let narrowed = there.map(|step| {
            let changes = step.action.changes().iter().filter(|change| fields.contains(&change.field));
            let changes: Vec<Change> = changes.cloned().collect();
            let action = if changes.is_empty() { Action::Keep } else { Action::Update(changes) };
            Step { action, note: None, ..step }
        });
        Self { steps: narrowed.collect() }
    }

    /// What a person approved, for comparison with a later plan of the same stack.
    pub fn outline(&self) -> Vec<(Address, Action)> {
        self.steps.iter().map(|step| (step.address.clone(), step.action.clone())).collect()
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    #[error("`{0}` is declared twice")]
    Duplicate(Address),
    #[error("`{0}` needs `{1}`, which the stack does not declare")]
    Missing(Address, Address),
    #[error("these need each other in a circle: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Circle(Vec<Address>),
}

/// Compares what should be with what is. `E` is a live resource for the engine, a plain one for a review.
pub fn plan<E: AsRef<dyn Resource> + Clone>(
    desired: &[Arc<dyn Resource>],
    existing: &[E],
) -> Result<Plan<E>, PlanError> {
    let mut want = BTreeMap::new();
    for resource in desired {
        if want.insert(resource.address(), resource.clone()).is_some() {
            return Err(PlanError::Duplicate(resource.address()));
        }
    }
    let order = in_order(&want)?;
    let as_desired = |resource: &dyn Resource| {
        want.get(&resource.address()).is_some_and(|to| differences(&resource.fields(), &to.fields()).is_empty())
    };
    let (mut have, history, surplus) = settle_twins(existing, as_desired);

    let mut steps = Vec::new();
    let mut anew = BTreeSet::new();
    for address in order {
        let to = &want[&address];
        let from = have.remove(&address);
        let (action, note) = match &from {
            None => (Action::Create, history.get(&address).map(|how| format!("ended {how}"))),
            Some(from) => decide(from.as_ref(), &**to, &anew),
        };
        if matches!(action, Action::Create | Action::Replace(_)) {
            anew.insert(address.clone());
        }
        steps.push(Step { address, action, desired: Some(to.clone()), existing: from, note });
    }
    steps.extend(left_over(have, surplus, |_| false));
    Ok(Plan { steps })
}

/// Takes away what does not stay and keeps the rest as it is, however odd that is: what lacks a need of its own,
/// or is there twice, must not stand in the way.
pub fn removal<E: AsRef<dyn Resource> + Clone>(existing: &[E], stays: impl Fn(&Address) -> bool) -> Plan<E> {
    let (have, _, surplus) = settle_twins(existing, |_| false);
    Plan { steps: left_over(have, surplus, stays).collect() }
}

/// Steps for what nobody desires.
fn left_over<E>(
    have: BTreeMap<Address, E>,
    surplus: Vec<(Address, E)>,
    stays: impl Fn(&Address) -> bool,
) -> impl Iterator<Item = Step<E>> {
    let single = have.into_iter().map(|(address, live)| (address, live, None));
    let twins =
        surplus.into_iter().map(|(address, live)| (address, live, Some("a second one at this address".to_owned())));
    single.chain(twins).map(move |(address, live, note)| {
        let action = if stays(&address) { Action::Keep } else { Action::Delete };
        Step { address, action, desired: None, existing: Some(live), note }
    })
}

/// One existing resource an address, those that ended told apart, the rest surplus. Of twins the one that works stays,
/// then the one that is as desired: to make it out of its twin, and remove it as surplus, would leave neither.
#[expect(clippy::type_complexity, reason = "three lists that are taken apart at once")]
fn settle_twins<E: AsRef<dyn Resource> + Clone>(
    existing: &[E],
    as_desired: impl Fn(&dyn Resource) -> bool,
) -> (BTreeMap<Address, E>, BTreeMap<Address, String>, Vec<(Address, E)>) {
    let mut have: BTreeMap<Address, E> = BTreeMap::new();
    let mut history = BTreeMap::new();
    let mut surplus = Vec::new();
    for live in existing {
        let resource = live.as_ref();
        let address = resource.address();
        if let Phase::Ended(how) = resource.phase() {
            history.insert(address, how);
            continue;
        }
        let rank = |r: &dyn Resource| {
            let (works, age) = r.standing();
            (r.phase() != Phase::Ending, works, as_desired(r), age)
        };
        match have.remove(&address) {
            Some(other) if rank(other.as_ref()) >= rank(resource) => {
                surplus.push((address.clone(), live.clone()));
                have.insert(address, other);
            }
            Some(other) => {
                surplus.push((address.clone(), other));
                have.insert(address, live.clone());
            }
            None => {
                have.insert(address, live.clone());
            }
        }
    }
    // Listings come in any order, and two plans of one world are compared.
    surplus.sort_by(|(a, _), (b, _)| a.cmp(b));
    (have, history, surplus)
}

fn decide(from: &dyn Resource, to: &dyn Resource, anew: &BTreeSet<Address>) -> (Action, Option<String>) {
    let changes = differences(&from.fields(), &to.fields());
    let uprooted: Vec<String> = to
        .needs()
        .iter()
        .filter(|need| need.binds && anew.contains(&need.address))
        .map(|need| need.address.to_string())
        .collect();
    if from.phase() == Phase::Ending {
        return (Action::Replace(changes), Some("the present one is ending".into()));
    }
    if !uprooted.is_empty() {
        return (Action::Replace(changes), Some(format!("bound at birth to {}", uprooted.join(", "))));
    }
    if changes.iter().any(|change| change.replaces) {
        (Action::Replace(changes), None)
    } else if changes.is_empty() {
        (Action::Keep, None)
    } else {
        (Action::Update(changes), None)
    }
}

fn differences(from: &[Field], to: &[Field]) -> Vec<Change> {
    to.iter()
        .filter_map(|wanted| {
            let old = from.iter().find(|f| f.name == wanted.name).map_or(&Value::Null, |f| &f.value);
            (*old != wanted.value).then(|| Change {
                field: wanted.name,
                from: old.clone(),
                to: wanted.value.clone(),
                replaces: wanted.replaces,
            })
        })
        .collect()
}

/// Needs before dependents; ties by address, so that plans are stable.
fn in_order(want: &BTreeMap<Address, Arc<dyn Resource>>) -> Result<Vec<Address>, PlanError> {
    let mut waiting: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for (address, resource) in want {
        let needs: BTreeSet<Address> = resource.needs().into_iter().map(|need| need.address).collect();
        if let Some(missing) = needs.iter().find(|need| !want.contains_key(need)) {
            return Err(PlanError::Missing(address.clone(), missing.clone()));
        }
        waiting.insert(address.clone(), needs);
    }
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready: Vec<Address> =
            waiting.iter().filter(|(_, needs)| needs.is_empty()).map(|(a, _)| a.clone()).collect();
        if ready.is_empty() {
            return Err(PlanError::Circle(waiting.into_keys().collect()));
        }
        for address in ready {
            waiting.remove(&address);
            for needs in waiting.values_mut() {
                needs.remove(&address);
            }
            order.push(address);
        }
    }
    Ok(order)
}

#[cfg(test)]
pub(crate) mod tests;
