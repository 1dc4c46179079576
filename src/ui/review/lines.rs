//! What every form of a review says alike: one line a step, amounts before and after, permissions told together, and the
//! headline. Plain text, escaped by nobody yet.

use std::sync::Arc;

use super::super::plan::{parts, shown};
use crate::plan::{Action, Step};
use crate::price::{Cost, Lives};
use crate::resource::Resource;
use crate::review::{Report, Review, Said, Status, grouped};
use crate::text::counted;

/// A step that does something.
pub(super) struct Line {
    /// `+`, `-`, `~`, `-/+`.
    pub(super) sign: &'static str,
    pub(super) address: String,
    pub(super) name: String,
    pub(super) note: Option<String>,
    pub(super) changes: Vec<Changed>,
}

/// A field of it.
pub(super) struct Changed {
    pub(super) field: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) forces: bool,
}

/// The steps that do something. Where a field is only a hash, what is behind it is told instead.
pub(super) fn lines(review: &Review) -> Vec<Line> {
    let steps = review.plan.steps.iter().filter(|step| step.action != Action::Keep);
    steps.map(|step| line(step, &review.details)).collect()
}

fn line(step: &Step<Arc<dyn Resource>>, details: &[Said]) -> Line {
    let sign = match step.action {
        Action::Keep => " ",
        Action::Create => "+",
        Action::Update(_) => "~",
        Action::Replace(_) => "-/+",
        Action::Delete => "-",
    };
    let mut changes = Vec::new();
    for change in step.action.changes() {
        // Policies are told by permission.
        if step.address.kind == "role" && ["policy", "trust"].contains(&change.field) {
            continue;
        }
        let behind = if step.address.kind == "cluster" { behind(change.field, details) } else { vec![] };
        if !behind.is_empty() {
            let word =
                |value: &Option<String>| value.as_ref().map_or_else(|| "none".into(), |value| format!("\"{value}\""));
            changes.extend(behind.into_iter().map(|said| Changed {
                field: said.field.clone(),
                from: word(&said.from),
                to: word(&said.to),
                forces: change.replaces,
            }));
            continue;
        }
        changes.extend(parts(change.field, &change.from, &change.to).into_iter().map(|(field, from, to)| Changed {
            field,
            from: shown(&from),
            to: shown(&to),
            forces: change.replaces,
        }));
    }
    let policy = step.address.kind == "role" && changes.is_empty() && step.note.is_none();
    let note = step.note.clone().or_else(|| {
        (policy && matches!(step.action, Action::Update(_))).then(|| "what it may do: see its permissions".into())
    });
    for changed in &mut changes {
        for text in [&mut changed.field, &mut changed.from, &mut changed.to] {
            *text = harmless(text);
        }
    }
    Line { sign, address: step.address.to_string(), name: harmless(&step.name()), note, changes }
}

/// What a cluster's hashed field stands for.
fn behind<'a>(field: &str, details: &'a [Said]) -> Vec<&'a Said> {
    let of = |said: &&Said| match field {
        "bootstrap" => said.field == "bootstrap" || said.field.starts_with("bootstrap."),
        "configurations" => said.field.starts_with("configurations."),
        "applications" => said.field == "applications",
        "group_configurations" => said.field.contains(".configurations.") && !said.field.starts_with("bootstrap."),
        _ => false,
    };
    details.iter().filter(of).collect()
}

/// An amount before and after.
pub(super) struct Money {
    pub(super) what: &'static str,
    pub(super) from: String,
    pub(super) to: String,
    /// `+0.57 USD`, where both are known and differ.
    pub(super) more: String,
}

/// What it costs: an hour, its life, and at worst. Nothing of a stack that cannot be read.
pub(super) fn amounts(review: &Review) -> Vec<Money> {
    let (from, to) = (review.cost_from.as_ref(), review.cost_to.as_ref());
    if from.or(to).is_none() || review.broken() {
        return vec![];
    }
    let life = |pick: fn(&Lives) -> Option<f64>| move |cost: &Cost| pick(&cost.lives);
    let mut all = vec![amount("Cost an hour", from, to, |cost| cost.hourly.total)];
    all.push(amount("Until its end", from, to, life(|lives| lives.until_end)));
    all.push(amount("Forgotten for a night", from, to, life(|lives| lives.forgotten_night)));
    all.push(amount("Forgotten for a weekend", from, to, life(|lives| lives.forgotten_weekend)));
    all
}

fn amount(what: &'static str, from: Option<&Cost>, to: Option<&Cost>, pick: impl Fn(&Cost) -> Option<f64>) -> Money {
    let (old, new) = (from.map(&pick), to.map(&pick));
    let word = |amount: Option<Option<f64>>| match amount {
        None => "none".to_owned(),
        Some(None) => "unknown".to_owned(),
        Some(Some(usd)) => format!("{usd:.2} USD"),
    };
    // What is not there costs nothing.
    let known = |amount: Option<Option<f64>>| amount.unwrap_or(Some(0.0));
    let more = known(old).zip(known(new)).map(|(old, new)| crate::price::cents(new - old)).filter(|more| *more != 0.0);
    Money { what, from: word(old), to: word(new), more: more.map_or_else(String::new, |usd| format!("{usd:+.2} USD")) }
}

/// Permissions that came or went, told by what they are on.
pub(super) struct May {
    pub(super) sign: char,
    pub(super) text: String,
    pub(super) widened: bool,
}

pub(super) fn of_permissions(review: &Review) -> Vec<May> {
    let permissions = &review.permissions;
    let mut told = Vec::new();
    for (sign, of) in [('+', &permissions.added), ('-', &permissions.removed)] {
        for group in grouped(of, &permissions.widened) {
            let deny = if group.effect == "Deny" { "never " } else { "" };
            let condition = group.condition.map_or_else(String::new, |condition| format!(" where {condition}"));
            let actions = group.actions.join(", ");
            let text = format!("{}: {deny}{actions} on {}{condition}", group.role, group.resource);
            told.push(May { sign, text, widened: group.widened });
        }
    }
    told.sort_by_key(|may| !may.widened);
    told
}

/// `stacks/demo.yaml (was stacks/old.yaml), added`.
pub(super) fn title(review: &Review) -> String {
    let was = review.was.as_ref().map_or_else(String::new, |was| format!(" (was {was})"));
    format!("{}{was}, {}", harmless(&review.file), review.status.word())
}

/// All of it in one line.
pub(super) fn headline(report: &Report) -> String {
    let told = report.worth_a_word();
    let all = report.stacks.len();
    if told.is_empty() {
        return format!("Nothing changes: {} mean the same.", counted(all, "stack"));
    }
    let mut said = Vec::new();
    let count = |status| told.iter().filter(|review| review.status == status).count();
    for (status, word) in [
        (Status::Broken, "broken"),
        (Status::Removed, "removed"),
        (Status::Added, "added"),
        (Status::Changed, "changed"),
    ] {
        if count(status) > 0 {
            said.push(format!("{} {word}", count(status)));
        }
    }
    let mut line = format!("{} of {}: {}", told.len(), counted(all, "stack"), said.join(", "));
    let replaced = told.iter().filter(|review| review.running.effect == "replaced").count();
    let ended = told.iter().filter(|review| review.running.effect == "ended").count();
    let lost = told.iter().filter(|review| !review.lost.is_empty()).count();
    let widened: usize = told.iter().map(|review| review.permissions.widened.len()).sum();
    let mut push = |text: String| {
        line.push_str("; ");
        line.push_str(&text);
    };
    if replaced > 0 {
        push(format!("{} replaced", counted(replaced, "cluster")));
    }
    if ended > 0 {
        push(format!("{} ended", counted(ended, "cluster")));
    }
    push(if lost > 0 { format!("DATA IS LOST in {}", counted(lost, "stack")) } else { "no data lost".into() });
    if widened > 0 {
        push(format!("{} widened", counted(widened, "permission")));
    }
    push(dearer(&told));
    let abroad = told.iter().any(|review| !review.residency.ok);
    let moved = told.iter().any(|review| review.residency.moved());
    push(match (abroad, moved) {
        (true, _) => "IT WOULD LEAVE THE EU".into(),
        (_, true) => "another region of the EU".into(),
        _ => "stays in the EU".into(),
    });
    line
}

/// What an hour of all of them costs more or less.
fn dearer(told: &[&Review]) -> String {
    let hour = |cost: &Option<Cost>| cost.as_ref().map_or(Some(0.0), |cost| cost.hourly.total);
    let more: Option<f64> =
        told.iter().filter(|review| !review.broken()).map(|r| Some(hour(&r.cost_to)? - hour(&r.cost_from)?)).sum();
    match more.map(crate::price::cents) {
        None => "an hour's cost is not known".into(),
        Some(0.0) => "same cost".into(),
        Some(usd) => format!("{usd:+.2} USD an hour"),
    }
}

/// A line without what a terminal would obey.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}
