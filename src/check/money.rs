//! `FI131` and `FI910`: clusters that nobody ends, and what costs more than the stack's own limits. Worst cases are
//! told in money, where prices are known.

use crate::policy;
use crate::price::{Table, estimate};
use crate::stack::finding::Problem;
use crate::stack::{Loaded, Period};

/// A life beyond a day, or hours without work, are forgotten clusters.
const LONG_LIFE: Period = Period::hours(24);
const LONG_IDLE: Period = Period::hours(4);

pub(super) fn problems(loaded: &Loaded, prices: &Table) -> Vec<Problem> {
    let stack = &loaded.stack;
    let Some(cluster) = &stack.cluster else { return Vec::new() };
    let cost = estimate(stack, prices, stack.limits.lifetime.into());
    let mut problems = Vec::new();
    let usd = |amount: Option<f64>| amount.map_or("an unknown amount".to_owned(), |usd| format!("{usd:.2} USD"));
    let forgotten = format!(
        "forgotten for a night it costs {}, for a weekend {}",
        usd(cost.lives.forgotten_night),
        usd(cost.lives.forgotten_weekend)
    );
    if stack.limits.lifetime > LONG_LIFE {
        let span = loaded.root.span_of(&["limits", "lifetime"]);
        let message = format!("a cluster may live for {} here: {forgotten}", stack.limits.lifetime);
        problems
            .push(Problem::new("FI131", span, message).warning().hint("write hours, as in 3h; `extend` moves an end"));
    }
    let idle = stack.idle();
    if idle > LONG_IDLE {
        let path: &[&str] = if cluster.idle.is_some() { &["cluster", "idle"] } else { &["limits", "idle"] };
        let message = format!("a cluster may do nothing for {idle} here: {forgotten}");
        problems.push(
            Problem::new("FI131", loaded.root.span_of(path), message).warning().hint("write 45m, or an hour or two"),
        );
    }
    for (field, message) in policy::exceeded(&stack.limits, &cost) {
        let span = loaded.root.span_of(&["limits", field]);
        problems.push(Problem::new(policy::MONEY, span, message).warning());
    }
    problems
}
