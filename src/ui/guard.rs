//! A sweep, as a line a cluster for a person and as one JSON value for a program.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::guard::decide::Word;
use crate::guard::report::{Line, Report};
use crate::guard::sweep;
use crate::price::Table;
use crate::text::{about, counted};

/// What is to be said to a person: nothing, where all is as it should be.
pub fn text(report: &Report, prices: &Table, now: Timestamp, all: bool) -> Vec<String> {
    let mut lines: Vec<String> =
        report.clusters.iter().filter(|line| all || line.worth()).map(|of| line(of, prices, now)).collect();
    for left in report.leftovers.iter().filter(|left| left.goes || all) {
        let what = if left.removed { format!("{GREEN}removed{GREEN:#}") } else { format!("{YELLOW}left{YELLOW:#}   ") };
        lines.push(format!("{what} {} of {} ({}, {}): {}", left.address, left.stack, left.id, left.region, left.why));
    }
    for finished in &report.finished {
        if let Some(why) = &finished.left {
            lines.push(format!("{DIM}later{DIM:#}   what is left of {}: {why}", finished.stack));
        }
    }
    lines
}

fn line(line: &Line, prices: &Table, now: Timestamp) -> String {
    let facts = &line.judged.facts;
    let (style, word) = match line.word() {
        Word::Keep => (DIM, "keep"),
        Word::Warn => (YELLOW, "warn"),
        Word::Kill => (RED, "kill"),
    };
    let cost = facts.cost(prices, now);
    let money = match (cost.hourly.total, cost.spent) {
        (Some(hour), Some(spent)) => {
            let most = if cost.at_most { "at most " } else { "" };
            format!("{most}{hour:.2} USD an hour, {spent:.2} USD so far")
        }
        _ => "its cost is unknown".into(),
    };
    let deeds = if line.deeds.is_empty() { String::new() } else { format!(" -> {}", line.deeds.join(", ")) };
    format!(
        "{style}{word}{style:#}    {BOLD}{}{BOLD:#} ({}, {}) {} for {}, {money}: {}{deeds}",
        facts.name,
        facts.id,
        facts.region,
        facts.stage.word(),
        about(facts.age(now)),
        line.judged.verdict.reasons.join("; "),
    )
}

/// One line about the sweep itself.
pub fn summary(report: &Report) -> String {
    let count = |word: Word| report.clusters.iter().filter(|line| line.word() == word).count();
    format!(
        "{} swept, {}: {} kept, {} warned of, {} to end; {}, {} USD of metrics",
        counted(report.swept.len(), "region"),
        counted(report.clusters.len(), "cluster"),
        count(Word::Keep),
        count(Word::Warn),
        count(Word::Kill),
        counted(report.calls, "call"),
        sweep::cost(report.metrics),
    )
}

/// All of it.
pub fn json(report: &Report, prices: &Table, now: Timestamp) -> Value {
    let clusters: Vec<Value> = report.clusters.iter().map(|line| cluster(line, prices, now)).collect();
    json!({
        "clusters": clusters,
        "errors": report.errors,
        "leftovers": report.leftovers,
        "finished": report.finished,
        "regions": report.swept,
        "skipped": report.off.iter().map(|region| json!({"region": region, "why": "not enabled"})).collect::<Vec<_>>(),
        "outside_eu": report.abroad,
        "calls": report.calls,
        "metrics": report.metrics,
        "own_cost": {"currency": "USD", "total": sweep::cost(report.metrics)},
        "contacts": report.contacts,
        "at": now.to_string(),
    })
}

fn cluster(line: &Line, prices: &Table, now: Timestamp) -> Value {
    let (facts, verdict) = (&line.judged.facts, &line.judged.verdict);
    let cost = facts.cost(prices, now);
    let last = facts.samples.last_key_value();
    let steps = facts.steps.as_ref().map(|steps| {
        let of = |state: &str| steps.iter().filter(|step| step.state == state).count();
        json!({"pending": of("PENDING"), "running": of("RUNNING")})
    });
    json!({
        "id": facts.id,
        "name": facts.name,
        "region": facts.region,
        "stack": facts.whose.stack(),
        "state": facts.stage.word(),
        "age_s": facts.age(now).as_secs(),
        "idle_s": verdict.idle.map(|idle| idle.as_secs()),
        "hourly": cost.hourly.total,
        "spent": cost.spent,
        "verdict": verdict.word,
        "reasons": verdict.reasons,
        "acted": !line.deeds.is_empty(),
        "deeds": line.deeds,
        "expires": facts.whose.promise().map(|promise| promise.expires.to_string()),
        "idle_bound_s": facts.whose.promise().map(|promise| promise.idle.as_secs()),
        "protected": facts.protected,
        "steps": steps,
        "metrics": last.map(|(at, sample)| json!({
            "at": at.to_string(),
            "IsIdle": sample.idle,
            "AppsRunning": sample.running,
            "AppsPending": sample.pending,
            "ContainerAllocated": sample.containers,
            "YARNMemoryAvailablePercentage": sample.memory,
            "HDFSUtilization": sample.hdfs,
        })),
        "cost": {
            "currency": "USD",
            "hourly": cost.hourly,
            "unknown": cost.unknown,
            "at_most": cost.at_most,
        },
    })
}
