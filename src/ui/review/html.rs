//! The review of a change as one HTML page: no script, nothing from elsewhere, readable by keyboard and by ear. The page
//! is a template of ours, which escapes every value; here is only what it is filled with.

use serde_json::{Value, json};

use super::lines::{Changed, Line, May, Money, amounts, data, harmless, headline, lines, of_permissions, place};
use crate::review::{Report, Review, Said, Script};
use crate::script::{self, ScriptError};

/// Lines of a script, and of permissions, beyond which a page is no longer read.
const MOST: usize = 2_000;

pub fn html(report: &Report) -> Result<String, ScriptError> {
    let told = report.worth_a_word();
    let stacks: Vec<Value> = told.iter().enumerate().map(|(n, review)| stack(n + 1, review)).collect();
    let same: Vec<&str> =
        report.stacks.iter().filter(|review| !review.worth_a_word()).map(|review| review.stack.as_str()).collect();
    script::embedded(
        "review/page.html.j2",
        &json!({
            "headline": headline(report),
            "from": report.from,
            "from_commit": report.from_commit.as_deref().map(|id| &id[..id.len().min(12)]),
            "to": report.to,
            "to_commit": report.to_commit.as_deref().map(|id| &id[..id.len().min(12)]),
            "stacks": stacks,
            "same": same,
        }),
    )
}

fn stack(n: usize, review: &Review) -> Value {
    let counts = review.plan.counts();
    let amounts: Vec<Value> = amounts(review)
        .into_iter()
        .map(|Money { what, from, to, more }| json!({"what": what, "from": from, "to": to, "more": more}))
        .collect();
    json!({
        "id": n,
        "stack": review.stack,
        "file": review.file,
        "was": review.was,
        "status": review.status,
        "notes": review.notes,
        "broken": review.broken(),
        "errors": review.errors,
        "create": counts.create,
        "update": counts.update,
        "replace": counts.replace,
        "delete": counts.delete,
        "steps": lines(review).into_iter().map(step).collect::<Vec<_>>(),
        "declared": review.declared.iter().map(said).collect::<Vec<_>>(),
        "running": review.running,
        "lost": review.lost,
        "amounts": amounts,
        "residency": review.residency,
        "moved": review.residency.moved(),
        "data": data(review),
        "place": place(review),
        "permissions": permissions(review),
        "widened": review.permissions.widened.len(),
        "scripts": review.scripts.iter().map(text).collect::<Vec<_>>(),
        "findings": review.findings,
        "mended": review.mended,
        "risk": review.risk,
    })
}

fn step(Line { sign, address, name, note, changes }: Line) -> Value {
    let word = match sign {
        "+" => "create",
        "-" => "delete",
        "~" => "change",
        _ => "replace",
    };
    let change = |Changed { field, from, to, forces }: Changed| json!({"field": field, "from": from, "to": to, "forces": forces});
    let changes: Vec<Value> = changes.into_iter().map(change).collect();
    json!({"word": word, "address": address, "name": name, "note": note, "changes": changes})
}

fn said(Said { field, from, to }: &Said) -> Value {
    let word = |value: &Option<String>| value.as_deref().map_or_else(|| "none".into(), harmless);
    json!({"field": harmless(field), "from": word(from), "to": word(to)})
}

fn permissions(review: &Review) -> Value {
    let told = of_permissions(review);
    let cut = told.len().saturating_sub(MOST);
    let line =
        |May { sign, text, widened }: May| json!({"added": sign == '+', "text": harmless(&text), "widened": widened});
    json!({"lines": told.into_iter().take(MOST).map(line).collect::<Vec<_>>(), "cut": cut})
}

fn text(Script { name, added, removed, diff }: &Script) -> Value {
    let kind = |line: &str| match line.chars().next() {
        Some('+') => "add",
        Some('-') => "del",
        Some('@') => "at",
        _ => "",
    };
    let lines: Vec<Value> =
        diff.lines().take(MOST).map(|line| json!({"kind": kind(line), "text": harmless(line)})).collect();
    let cut = diff.lines().count().saturating_sub(MOST);
    json!({"name": name, "added": added, "removed": removed, "lines": lines, "cut": cut})
}
