//! Where a command is killed: at one of its calls, before its effect, before its reply or after it. A chart of
//! one undisturbed run tells which calls there are. It draws points and kills nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::flow::Flow;
use crate::support::control::Call;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum When {
    /// The call has come, and nothing is done.
    Before,
    /// It is done, and its reply is not sent.
    After,
    /// Its reply was sent, and the next call has come.
    Replied,
}

impl When {
    pub(super) const ALL: [Self; 3] = [Self::Before, Self::After, Self::Replied];

    fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Replied => "replied",
        }
    }
}

/// One call of one flow, and the moment of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Point {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) nth: usize,
    pub(super) when: When,
}

impl Point {
    /// The nth call, whatever it is.
    fn any(nth: usize, when: When) -> Self {
        Self { service: "*".into(), operation: "*".into(), nth, when }
    }

    /// The same operation where it is sure to be met: at its first call, and not when the next one comes, for the
    /// last reply of a run has none after it.
    pub(super) fn surest(self) -> Self {
        let when = if self.when == When::Replied { When::After } else { self.when };
        Self { nth: 1, when, ..self }
    }

    /// The fault that lets the command come here and no further.
    pub(super) fn rule(&self) -> Value {
        let Self { service, operation, nth, when } = self;
        json!({"service": service, "operation": operation, "nth": nth, "when": when.word(), "kind": "hang"})
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} #{} {}", self.service, self.operation, self.nth, self.when.word())
    }
}

/// An operation as the call log names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Operation {
    service: String,
    name: String,
    mutating: bool,
}

impl Operation {
    fn point(&self, nth: usize, when: When) -> Point {
        Point { service: self.service.clone(), operation: self.name.clone(), nth, when }
    }
}

/// What one undisturbed run of each flow called, and what it left.
#[derive(Debug, Default)]
pub(super) struct Chart {
    calls: BTreeMap<Flow, BTreeMap<Operation, usize>>,
    /// What is there afterwards, by names without the stack's.
    pub(super) left: BTreeMap<Flow, BTreeSet<String>>,
}

impl Chart {
    pub(super) fn record(&mut self, flow: Flow, calls: &[Call], left: BTreeSet<String>) {
        let mut counts: BTreeMap<Operation, usize> = BTreeMap::new();
        for Call { service, operation, mutating, .. } in calls {
            let called = Operation { service: service.clone(), name: operation.clone(), mutating: *mutating };
            *counts.entry(called).or_default() += 1;
        }
        // A change is undone by other calls than those it was made by: the larger count of each.
        let all = self.calls.entry(flow).or_default();
        for (call, count) in counts {
            let most = all.entry(call).or_default();
            *most = count.max(*most);
        }
        self.left.insert(flow, left);
    }

    /// Every point of a flow.
    pub(super) fn points(&self, flow: Flow) -> Vec<Point> {
        let each = self.calls[&flow].iter().flat_map(|(operation, count)| {
            (1..=*count).flat_map(move |nth| When::ALL.map(|when| operation.point(nth, when)))
        });
        each.collect()
    }

    /// One point for each operation of a flow: which of its calls is drawn, the moments take turns. One that changes
    /// something is also killed between its effect and its reply, where what it made is nobody's if it bears no mark.
    pub(super) fn one_each(&self, flow: Flow, draw: &mut fastrand::Rng) -> Vec<Point> {
        let turn = draw.usize(..3);
        let each = self.calls[&flow].iter().enumerate();
        each.flat_map(|(i, (operation, count))| {
            let point = operation.point(draw.usize(1..=*count), When::ALL[(i + turn) % 3]);
            let done = Point { when: When::After, ..point.clone() };
            let done = (operation.mutating && done != point).then_some(done);
            std::iter::once(point).chain(done)
        })
        .collect()
    }

    /// One point for each operation that changes something, once that is done.
    pub(super) fn one_each_that_changes(&self, flow: Flow, draw: &mut fastrand::Rng) -> Vec<Point> {
        let each = self.calls[&flow].iter().filter(|(operation, _)| operation.mutating);
        each.map(|(operation, count)| {
            operation.point(draw.usize(1..=*count), if draw.bool() { When::After } else { When::Replied })
        })
        .collect()
    }

    /// A point of a flow, any, drawn.
    pub(super) fn any(&self, flow: Flow, draw: &mut fastrand::Rng) -> Point {
        let of = self.calls[&flow].values().sum();
        Point::any(draw.usize(1..=of), When::ALL[draw.usize(..3)])
    }
}
