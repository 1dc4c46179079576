//! What would cost less: half the nodes, Graviton, what fits a bound. It compares prices, and judges no taste.

use std::time::Duration;

use serde::Serialize;

use super::{Table, of};
use crate::stack::facts::instance_type;
use crate::stack::{Cluster, Group, Stack};

/// Another sizing of the same stack, in words, and an hour of it in USD.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    pub what: String,
    pub hourly: f64,
}

/// What half the nodes and Graviton would cost, where that is known.
pub fn alternatives(stack: &Stack, table: &Table) -> Vec<Alternative> {
    let Some(cluster) = &stack.cluster else { return vec![] };
    let halved = cluster.core.as_ref().filter(|core| core.count > 1).map(|core| core.count / 2);
    let half = halved.and_then(|count| priced(stack, table, &with_core(cluster, count), || core_words(cluster, count)));
    let graviton = on_graviton(cluster, stack).and_then(|(other, what)| priced(stack, table, &other, || what));
    half.into_iter().chain(graviton).collect()
}

/// The most core nodes of this kind with which the stack stays within its limits.
pub(super) fn fitting(stack: &Stack, table: &Table, lasting: Duration) -> Option<String> {
    let cluster = stack.cluster.as_ref()?;
    let fits = |count: &u32| {
        let other = Stack { cluster: Some(with_core(cluster, *count)), ..stack.clone() };
        let cost = of(&other, table, lasting);
        cost.within(&stack.limits)
    };
    let count = (1..cluster.core.as_ref()?.count).rev().find(fits)?;
    Some(core_words(cluster, count))
}

fn with_core(cluster: &Cluster, count: u32) -> Cluster {
    Cluster { core: cluster.core.clone().map(|core| Group { count, ..core }), ..cluster.clone() }
}

fn core_words(cluster: &Cluster, count: u32) -> String {
    let kind = cluster.core.as_ref().map_or("", |core| core.instance_type.as_str());
    format!("core: {count} x {kind}")
}

fn priced(stack: &Stack, table: &Table, other: &Cluster, what: impl FnOnce() -> String) -> Option<Alternative> {
    let other = Stack { cluster: Some(other.clone()), ..stack.clone() };
    let hourly = of(&other, table, Duration::ZERO).hourly.total?;
    Some(Alternative { what: what(), hourly })
}

/// The same sizes of AWS's own processors, where the release and the region have them.
fn on_graviton(cluster: &Cluster, stack: &Stack) -> Option<(Cluster, String)> {
    let sibling = |group: &Group| {
        let (family, size) = group.instance_type.split_once('.')?;
        let name = format!("{}6g.{size}", family.chars().next()?);
        let of = instance_type(&name)?;
        let there = of.in_region(stack.region)? && of.in_release(cluster.release)?;
        (there && instance_type(&group.instance_type)?.arch != of.arch).then_some(name)
    };
    let on = |group: &Group| Some(Group { instance_type: sibling(group)?, ..group.clone() });
    let (primary, core) = (on(&cluster.primary)?, cluster.core.as_ref().map(on));
    if core.as_ref().is_some_and(Option::is_none) || !cluster.task.is_empty() {
        return None;
    }
    let what = format!("Graviton: {}", primary.instance_type);
    Some((Cluster { primary, core: core.flatten(), ..cluster.clone() }, what))
}
