//! A plan as Terraform's users know it: `+ ~ - -/+`, old and new, what forces a replacement, one summary line.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};

use super::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::plan::{Action, Plan, Step};
use crate::policy::Refusal;
use crate::price::{Cost, Requests};
use crate::resource::{Change, Resource};
use crate::stack::Stack;
use crate::sync::Batch;
use crate::text::{bytes, counted};

/// What a plan is shown with.
#[derive(Debug, Default)]
pub struct Shown<'a> {
    pub stack: &'a str,
    pub region: &'a str,
    pub place: &'a str,
    pub account: &'a str,
    pub uploads: &'a [Batch],
    pub refusals: &'a [Refusal],
    /// What would be refused, were it not allowed this time.
    pub allowed: &'a [Refusal],
    /// When the cluster ends, in words.
    pub end: Option<&'a str>,
    pub cost: Option<&'a Cost>,
    /// What is sent costs, where nothing else is told of costs.
    pub requests: Option<Requests>,
    /// What would be lost, by address.
    pub losses: Vec<(String, String)>,
    /// Hosts that were called.
    pub contacts: Vec<String>,
}

impl<'a> Shown<'a> {
    /// Nothing yet but whose plan it is.
    pub fn of(stack: &'a Stack, account: &'a str) -> Self {
        let region = stack.region;
        Self { stack: &stack.name, region: region.as_str(), place: region.place(), account, ..Self::default() }
    }
}

/// Every step as data; `loses` tells what goes with one.
pub(super) fn steps<E: AsRef<dyn Resource>>(plan: &Plan<E>, loses: impl Fn(&Step<E>) -> Option<String>) -> Vec<Value> {
    let step = |step: &Step<E>| {
        json!({
            "address": step.address,
            "kind": step.address.kind,
            "name": step.name(),
            "action": step.action.word(),
            "changes": step.action.changes(),
            "note": step.note,
            "loses": loses(step),
        })
    };
    plan.steps.iter().map(step).collect()
}

pub fn json<E: AsRef<dyn Resource>>(plan: &Plan<E>, shown: &Shown) -> Value {
    let steps = steps(plan, |step| loss(shown, step));
    json!({
        "stack": shown.stack,
        "region": shown.region,
        "account": shown.account,
        "steps": steps,
        "summary": plan.counts(),
        "uploads": shown.uploads,
        "cost": shown.cost,
        "refusals": shown.refusals,
        "allowed": shown.allowed,
        "end": shown.end,
        "contacts": shown.contacts,
    })
}

fn loss<E>(shown: &Shown, step: &Step<E>) -> Option<String> {
    let address = step.address.to_string();
    shown.losses.iter().find(|(at, _)| *at == address).map(|(_, what)| what.clone())
}

pub fn text<E: AsRef<dyn Resource>>(plan: &Plan<E>, shown: &Shown) -> String {
    let mut out = String::new();
    let Shown { stack, region, place, account, .. } = shown;
    let _ = writeln!(out, "{BOLD}{stack}{BOLD:#} in {region} ({place}), account {account}\n");
    let width = plan.steps.iter().map(|step| step.address.to_string().len()).max().unwrap_or(0);
    for step in plan.steps.iter().filter(|step| step.action != Action::Keep) {
        line(&mut out, step, width, loss(shown, step));
    }
    for batch in shown.uploads {
        upload(&mut out, batch, width);
    }
    for Refusal { code, message } in shown.refusals {
        let _ = writeln!(out, "{RED}refused{RED:#} {code}: {message}");
    }
    for Refusal { code, message } in shown.allowed {
        let _ = writeln!(out, "{YELLOW}allowed{YELLOW:#} {code}: {message}");
    }
    if let Some(cost) = shown.cost {
        let apart = if out.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(out, "{apart}{}", super::cost::lines(cost));
    }
    if let Some(line) = shown.requests.and_then(super::cost::uploads) {
        let _ = writeln!(out, "\n{line}");
    }
    if let Some(end) = shown.end {
        let _ = writeln!(out, "{BOLD}End:{BOLD:#} {end}");
    }
    let kept = plan.counts().keep;
    let (send, goes) = shown.uploads.iter().fold((0, 0), |(send, goes), b| (send + b.send, goes + b.goes()));
    if plan.is_empty() && send + goes == 0 {
        let _ = writeln!(out, "Nothing to do: {} as declared.", counted(kept, "resource"));
    } else if plan.is_empty() {
        let goes = if goes > 0 { format!(", {} to delete", counted(goes, "object")) } else { String::new() };
        let _ = writeln!(out, "\n{BOLD}Plan:{BOLD:#} {} to send{goes}, {kept} kept.", counted(send, "file"));
    } else {
        let counts = plan.counts();
        let replaced = if counts.replace > 0 { format!(", {} to replace", counts.replace) } else { String::new() };
        let _ = writeln!(
            out,
            "\n{BOLD}Plan:{BOLD:#} {} to create, {} to change{replaced}, {} to delete, {kept} kept.",
            counts.create, counts.update, counts.delete
        );
    }
    out.trim_end().to_owned()
}

fn line<E: AsRef<dyn Resource>>(out: &mut String, step: &Step<E>, width: usize, loss: Option<String>) {
    let (sign, style) = match step.action {
        Action::Keep => ("   ", DIM),
        Action::Create => ("  +", GREEN),
        Action::Update(_) => ("  ~", YELLOW),
        Action::Replace(_) => ("-/+", RED),
        Action::Delete => ("  -", RED),
    };
    let address = format!("{:width$}", step.address.to_string());
    let note = step.note.as_ref().map_or_else(String::new, |note| format!("  {DIM}({note}){DIM:#}"));
    let loss = loss.map_or_else(String::new, |what| format!("  {RED}with {what}{RED:#}"));
    let _ = writeln!(out, "{style}{sign} {address}{style:#}  {}{note}{loss}", step.name());
    for change in step.action.changes() {
        let Change { field, from, to, replaces } = change;
        let forces = if *replaces { format!("  {RED}# forces replacement{RED:#}") } else { String::new() };
        for (name, from, to) in parts(field, from, to) {
            let _ = writeln!(out, "      {style}~{style:#} {name}: {} -> {}{forces}", shown(&from), shown(&to));
        }
    }
}

/// A change of a map, told by its entries, and of a list, by what it loses and gains; any other change as it is.
pub(super) fn parts(field: &str, from: &Value, to: &Value) -> Vec<(String, Value, Value)> {
    match (from, to) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let differing = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
            let get = |map: &serde_json::Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or_default();
            differing.flat_map(|key| parts(&format!("{field}.{key}"), &get(old, key), &get(new, key))).collect()
        }
        // In another order, a list loses and gains nothing: then it is shown whole.
        (Value::Array(old), Value::Array(new)) if old.len() != new.len() || old.iter().any(|v| !new.contains(v)) => {
            let without = |list: &[Value], others: &[Value]| {
                list.iter().filter(|value| !others.contains(value)).cloned().collect::<Value>()
            };
            vec![(field.to_owned(), without(old, new), without(new, old))]
        }
        _ => vec![(field.to_owned(), from.clone(), to.clone())],
    }
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => format!("\"{text}\""),
        other => {
            let text = other.to_string();
            if text.chars().count() > 160 { format!("{}...", text.chars().take(157).collect::<String>()) } else { text }
        }
    }
}

fn upload(out: &mut String, batch: &Batch, width: usize) {
    let Batch { from, to, files, bytes: size, send, extra, delete, data_set, notes, chosen, warning, .. } = batch;
    if let Some(warning) = warning {
        let _ = writeln!(out, "{YELLOW}  !{YELLOW:#} {:width$}  {warning}", "upload");
        return;
    }
    let what = format!("{}, {}", counted(*files, "file"), bytes(*size));
    let sending = match *send {
        0 => None,
        n if n == *files => Some("all to send".to_owned()),
        n => Some(format!("{n} to send")),
    };
    if let Some(sending) = sending {
        let _ = writeln!(
            out,
            "{GREEN}  >{GREEN:#} {:width$}  {} -> {to}  {DIM}({what}, {sending}){DIM:#}",
            "upload",
            from.display()
        );
    }
    for line in data_set.iter().map(ToString::to_string).chain(notes.iter().cloned()) {
        let _ = writeln!(out, "{DIM}    {:width$}  {line}{DIM:#}", "upload");
    }
    if let Some(first) = extra.first() {
        let name = if extra.len() > 1 { format!("{first}, ...") } else { first.clone() };
        let from = from.display();
        let which = if *chosen { format!("not chosen of {from}") } else { format!("that {from} lacks") };
        let more = format!("{} of {to} {which} ({name})", counted(extra.len(), "object"));
        let _ = match delete {
            true => writeln!(out, "{RED}  -{RED:#} {:width$}  {more}", "upload"),
            false => writeln!(out, "{DIM}    {:width$}  {more}: stays; `sync --delete` takes it away{DIM:#}", "upload"),
        };
    }
}
