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
    steps.map(|step| line(step, review)).collect()
}

fn line(step: &Step<Arc<dyn Resource>>, review: &Review) -> Line {
    let sign = match step.action {
        Action::Keep => " ",
        Action::Create => "+",
        Action::Update(_) => "~",
        Action::Replace(_) => "-/+",
        Action::Delete => "-",
    };
    let mut changes = Vec::new();
    for change in step.action.changes() {
        // Policies are told by permission, and of an object one hash is enough.
        if [("role", "policy"), ("role", "trust"), ("object", "etag")].contains(&(step.address.kind, change.field)) {
            continue;
        }
        let behind = if step.address.kind == "cluster" { behind(change.field, &review.details) } else { vec![] };
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
    // Why all of it is made anew is told once.
    let note = step.note.clone().filter(|note| review.anew.as_ref() != Some(note)).or_else(|| {
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
    vec![
        amount("an hour", from, to, |cost| cost.hourly.total),
        amount("until its end", from, to, life(|lives| lives.until_end)),
        amount("if forgotten for a night", from, to, life(|lives| lives.forgotten_night)),
        amount("if forgotten for a weekend", from, to, life(|lives| lives.forgotten_weekend)),
    ]
}

/// All amounts in one line, where none of them differs.
pub(super) fn same_cost(amounts: &[Money]) -> Option<String> {
    let same = !amounts.is_empty() && amounts.iter().all(|money| money.from == money.to);
    let told = amounts.iter().map(|Money { what, to, .. }| format!("{to} {what}")).collect::<Vec<_>>();
    same.then(|| format!("{}, as before", told.join(", ")))
}

/// What becomes of the data, in a word.
pub(super) fn data(review: &Review) -> &'static str {
    if !review.lost.is_empty() {
        "lost"
    } else if review.broken() || review.blind {
        "not known"
    } else {
        "kept"
    }
}

/// Where it lives, in a word or two.
pub(super) fn place(review: &Review) -> String {
    let region = review.residency.to.or(review.residency.from.filter(|_| !review.broken()));
    let region = region.map_or("not known", crate::residency::EuRegion::as_str);
    match (review.residency.ok, review.residency.moved()) {
        (false, _) => "leaves the EU".to_owned(),
        (_, true) => format!("moves to {region}"),
        _ => region.to_owned(),
    }
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
            // A trust names who may take the role.
            let on = if group.actions.iter().all(|action| action.starts_with("sts:AssumeRole")) { "by" } else { "on" };
            let actions = group.actions.join(", ");
            let text = format!("{}: {deny}{actions} {on} {}{condition}", group.role, group.resource);
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
        let mean = if all == 1 { "means" } else { "mean" };
        return format!("Nothing changes: {} {mean} the same", counted(all, "stack"));
    }
    let mut said = vec![who(&told, all)];
    let effects = |effect: &str| told.iter().filter(|review| review.running.effect == effect).count();
    for (effect, word) in [("replaced", "replaced"), ("ended", "ended"), ("left", "left behind")] {
        let count = effects(effect);
        said.extend((count > 0).then(|| format!("{} {word}", counted(count, "cluster"))));
    }
    let sound: Vec<&Review> = told.iter().copied().filter(|review| !review.broken()).collect();
    let lost = told.iter().filter(|review| !review.lost.is_empty()).count();
    if lost > 0 {
        said.push(format!("DATA IS LOST in {}", counted(lost, "stack")));
    } else if told.iter().any(|review| review.blind) {
        said.push("what is lost is not known".into());
    } else if !sound.is_empty() {
        said.push("no data lost".into());
    }
    let widened: usize = told.iter().map(|review| review.permissions.widened.len()).sum();
    said.extend((widened > 0).then(|| format!("{} widened", counted(widened, "permission"))));
    if !sound.is_empty() {
        said.push(dearer(&sound));
    }
    if told.iter().any(|review| !review.residency.ok) {
        said.push("IT WOULD LEAVE THE EU".into());
    } else if told.iter().any(|review| review.residency.moved()) {
        said.push("another region of the EU".into());
    } else if !sound.is_empty() {
        said.push("stays in the EU".into());
    }
    said.join("; ")
}

/// `fruits-demo changed`, `3 of 40 stacks: 1 removed, 2 changed`.
fn who(told: &[&Review], all: usize) -> String {
    if let [one] = told {
        let of = if all > 1 { format!(" (1 of {all} stacks)") } else { String::new() };
        return format!("{} {}{of}", harmless(&one.stack), one.status.word());
    }
    let count = |status| told.iter().filter(|review| review.status == status).count();
    let order = [Status::Broken, Status::Removed, Status::Added, Status::Changed];
    let counts = order.into_iter().filter(|status| count(*status) > 0);
    let counts: Vec<String> = counts.map(|status| format!("{} {}", count(status), status.word())).collect();
    format!("{} of {}: {}", told.len(), counted(all, "stack"), counts.join(", "))
}

/// What an hour of all of them costs more or less.
fn dearer(told: &[&Review]) -> String {
    let hour = |cost: &Option<Cost>| cost.as_ref().map_or(Some(0.0), |cost| cost.hourly.total);
    let more: Option<f64> = told.iter().map(|review| Some(hour(&review.cost_to)? - hour(&review.cost_from)?)).sum();
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
