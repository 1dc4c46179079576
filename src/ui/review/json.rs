//! The review of a change as data: the steps as `plan` tells them, the costs as everywhere, and all that people read.

use serde_json::{Value, json};

use super::super::plan::steps;
use super::lines::headline;
use crate::review::{Report, Review};

pub fn json(report: &Report) -> Value {
    json!({
        "from": report.from,
        "from_commit": report.from_commit,
        "to": report.to,
        "to_commit": report.to_commit,
        "headline": headline(report),
        "changes": report.changes(),
        "stacks": report.stacks.iter().map(stack).collect::<Vec<_>>(),
    })
}

fn stack(review: &Review) -> Value {
    let lost = |address: &str| {
        let lost = review.lost.iter().filter(|loss| loss.address == address).map(|loss| loss.what.as_str());
        let lost: Vec<&str> = lost.collect();
        (!lost.is_empty()).then(|| lost.join("; "))
    };
    json!({
        "stack": review.stack,
        "file": review.file,
        "renamed_from": review.was,
        "status": review.status,
        "notes": review.notes,
        "steps": steps(&review.plan, |step| lost(&step.address.to_string())),
        "summary": review.plan.counts(),
        "anew": review.anew,
        "details": review.details,
        "declared": review.declared,
        "running": review.running,
        "lost": review.lost,
        "cost": {"from": review.cost_from, "to": review.cost_to},
        "residency": review.residency,
        "permissions": review.permissions,
        "scripts": review.scripts,
        "errors": review.errors,
        "findings": review.findings,
        "mended": review.mended,
        "refusals": review.refusals,
        "alarms": review.alarms().into_iter().map(crate::review::Alarm::word).collect::<Vec<_>>(),
        "risk": review.risk,
    })
}
