//! What a plan does to people: data that goes, a cluster that runs, how much there is to think about. Judged from the plan
//! and both stacks alone; whether anything runs at this moment it never knows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Alarm, Review, Status};
use crate::plan::{Action, Step};
use crate::price::{Cost, cents};
use crate::resources::HOME;
use crate::stack::Severity;
use crate::text::{about, counted};

/// Until another cluster can be used: the middle of the 5 to 10 minutes that EMR takes (`resources/cluster/life.rs`), and
/// what the clock of the embedded AWS takes for one.
pub const START: Duration = Duration::from_mins(8);

/// Something that goes and does not come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    pub address: String,
    pub name: String,
    pub what: String,
}

/// What a cluster sees of it that runs at the time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Running {
    /// `none`, `kept`, `changed`, `replaced`, `ended`; `left` where nothing ends it; `unknown`.
    pub effect: &'static str,
    /// Until its successor can be used.
    pub minutes: Option<u64>,
    /// What is paid for those minutes; unknown is `null`.
    pub usd: Option<f64>,
    /// In one sentence.
    pub text: String,
}

/// How much there is to think about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    #[default]
    None,
    Low,
    Medium,
    High,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The level, and what it comes from, gravest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Risk {
    pub level: Level,
    pub reasons: Vec<String>,
}

type Resources = std::sync::Arc<dyn crate::resource::Resource>;

/// What goes with the steps of a plan. `elsewhere` says where what is there stays, if all of it is made anew elsewhere.
pub(super) fn losses(steps: &[Step<Resources>], elsewhere: Option<&str>, removed: bool) -> Vec<Loss> {
    let mut all = Vec::new();
    for step in steps.iter().filter(|step| step.address.kind == "bucket") {
        let Some(existing) = &step.existing else { continue };
        let mut lose = |what: String| {
            all.push(Loss { address: step.address.to_string(), name: existing.name(), what });
        };
        let home = step.address.key == HOME;
        let held = if home { "the ledger of what was done, and staged files" } else { "everything in it" };
        match &step.action {
            Action::Delete | Action::Replace(_) if removed => lose(format!("{held}, when the stack is destroyed")),
            Action::Delete | Action::Replace(_) => match elsewhere {
                Some(place) => lose(format!("{held}: it stays with {place}, and nothing is copied")),
                None => lose(held.to_owned()),
            },
            Action::Update(changes) => {
                for change in changes {
                    match change.field {
                        "expire" => expiries(&change.from, &change.to).into_iter().for_each(&mut lose),
                        "versioning" if change.to == Value::Bool(false) => {
                            lose(
                                "older versions are kept no more: what is overwritten or deleted from now on is gone"
                                    .into(),
                            );
                        }
                        _ => {}
                    }
                }
            }
            Action::Keep | Action::Create => {}
        }
    }
    all
}

/// Prefixes whose objects are deleted sooner than before. Of several rules that match, S3 heeds the soonest.
fn expiries(old: &Value, new: &Value) -> Vec<String> {
    let read = |value: &Value| -> BTreeMap<String, u64> {
        let rules = value.as_object().into_iter().flatten();
        rules.filter_map(|(prefix, days)| Some((prefix.clone(), days.as_u64()?))).collect()
    };
    let (old, new) = (read(old), read(new));
    let sooner = |(prefix, days): (&String, &u64)| {
        let before = old.iter().filter(|(rule, _)| prefix.starts_with(rule.as_str())).map(|(_, days)| *days).min();
        let before = match before {
            Some(before) if before <= *days => return None,
            Some(before) => format!("after {}", days_of(before)),
            None => "kept".to_owned(),
        };
        let what = if prefix.is_empty() { "all objects".to_owned() } else { format!("objects below `{prefix}`") };
        Some(format!("{what}, {} after they are written (before: {before})", days_of(*days)))
    };
    new.iter().filter_map(sooner).collect()
}

fn days_of(days: u64) -> String {
    counted(usize::try_from(days).unwrap_or(usize::MAX), "day")
}

/// What a running cluster sees of a plan.
pub(super) fn running(review: &Review, cost: Option<&Cost>, protected: bool) -> Running {
    let step = review.plan.steps.iter().find(|step| step.address.kind == "cluster");
    let usd = cost.and_then(|cost| cost.hourly.total).map(|hour| cents(hour * START.as_secs_f64() / 3600.0));
    let paid = usd.map_or_else(|| "an amount that is not known".into(), |usd| format!("{usd:.2} USD"));
    let simple = |effect, text: &str| Running { effect, minutes: None, usd: None, text: text.to_owned() };
    if review.blind {
        return simple("unknown", "not known: what was before cannot be read");
    }
    let had = step.is_some_and(|step| step.existing.is_some());
    if had && (review.anew.is_some() || review.status == Status::Removed) {
        return simple("left", "a running cluster works on, and costs, until the old stack is destroyed");
    }
    let job = review.scripts.iter().any(|script| script.name.starts_with("job-"));
    match step.map(|step| &step.action) {
        Some(Action::Create) => simple("none", "there was no cluster before"),
        Some(Action::Keep) | None if job => {
            simple("kept", "a running cluster stays as it is; the next `run` takes the new script")
        }
        Some(Action::Keep) => simple("kept", "a running cluster stays as it is"),
        None => simple("none", "there is no cluster"),
        Some(Action::Update(changes)) => {
            let fields: Vec<&str> = changes.iter().map(|change| change.field).collect();
            simple("changed", &format!("a running cluster is changed in place ({}), and works on", fields.join(", ")))
        }
        Some(Action::Delete) => {
            simple("ended", "a running cluster would be ended, with its steps and its HDFS, and none takes its place")
        }
        Some(Action::Replace(_)) => {
            let instead = if protected {
                "it is termination protected, so `up` refuses that: end it first"
            } else {
                "instead: `run` the delta, or leave it to the next `up`"
            };
            let text = format!(
                "a running cluster would be replaced, with its steps and its HDFS: about {} and {paid}; {instead}",
                about(START)
            );
            Running { effect: "replaced", minutes: Some(START.as_secs() / 60), usd, text }
        }
    }
}

/// What there is to think about, and what a pipeline may stop at.
pub(super) fn risk(review: &Review) -> Risk {
    let mut reasons: Vec<(Level, String)> = Vec::new();
    let mut say = |level, reason: String| reasons.push((level, reason));
    if review.status == Status::Broken {
        say(Level::High, "the stack cannot be worked with".into());
    } else if review.errors > 0 {
        say(Level::High, counted(review.errors, "error"));
    }
    if review.blind {
        say(Level::Medium, "what was before cannot be read: what is replaced or lost is not known".into());
    }
    if !review.residency.ok {
        say(Level::High, review.residency.text.clone());
    }
    if let Some(anew) = &review.anew {
        say(Level::High, format!("{anew}: everything is made anew"));
    }
    if review.declared.iter().any(|said| said.field == "owner") {
        say(Level::High, "another owner: `up` refuses what bears the mark of the one before".into());
    }
    if !review.lost.is_empty() {
        let holders: std::collections::BTreeSet<&str> = review.lost.iter().map(|loss| loss.address.as_str()).collect();
        say(Level::High, format!("data is lost: {}", holders.into_iter().collect::<Vec<_>>().join(", ")));
    }
    if review.status == Status::Removed {
        say(Level::High, "what exists of it goes on, and costs, until it is destroyed".into());
    }
    if !review.permissions.widened.is_empty() {
        say(Level::High, format!("{} widened", counted(review.permissions.widened.len(), "permission")));
    }
    for opened in opened(review) {
        say(Level::High, opened);
    }
    for refusal in &review.refusals {
        say(Level::Medium, format!("{} {}", refusal.code, refusal.message));
    }
    if let "replaced" | "ended" = review.running.effect {
        say(Level::Medium, format!("a running cluster is {}", review.running.effect));
    }
    if let Some(dearer) = dearer(review) {
        say(Level::Medium, dearer);
    }
    let warnings = review.findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    if warnings > 0 && review.status != Status::Broken {
        say(Level::Medium, format!("{} that was not there before", counted(warnings, "warning")));
    }
    if reasons.is_empty() && review.changes() {
        return Risk { level: Level::Low, reasons: vec![] };
    }
    reasons.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    let level = reasons.first().map_or(Level::None, |(level, _)| *level);
    Risk { level, reasons: reasons.into_iter().map(|(_, reason)| reason).collect() }
}

/// Ports that more addresses reach.
fn opened(review: &Review) -> Vec<String> {
    let mut found = Vec::new();
    for step in review.plan.steps.iter().filter(|step| step.address.kind == "security_group") {
        for change in step.action.changes().iter().filter(|change| change.field == "access") {
            let there = |value: &Value| value.as_array().cloned().unwrap_or_default();
            let old = there(&change.from);
            let added = there(&change.to).into_iter().filter(|rule| !old.contains(rule));
            found.extend(added.filter_map(|rule| Some(format!("{} lets in {}", step.address, rule.as_str()?))));
        }
    }
    found
}

/// Why it costs more an hour than before, if it does.
fn dearer(review: &Review) -> Option<String> {
    let hour = |cost: &Option<Cost>| cost.as_ref().map(|cost| cost.hourly.total);
    match (hour(&review.cost_from), hour(&review.cost_to)) {
        (Some(Some(from)), Some(Some(to))) if to > from => Some(format!("an hour costs {:.2} USD more", to - from)),
        (Some(Some(_)), Some(None)) => Some("what an hour costs is no longer known".into()),
        _ => None,
    }
}

/// What the report holds that a pipeline may want to stop at.
pub(super) fn alarms(review: &Review) -> Vec<Alarm> {
    let replaces = review.plan.steps.iter().any(|step| matches!(step.action, Action::Replace(_)));
    let told = [
        (Alarm::Warning, review.findings.iter().any(|finding| finding.severity >= Severity::Warning)),
        (Alarm::Replace, replaces),
        (Alarm::DataLoss, !review.lost.is_empty()),
        (Alarm::Cost, dearer(review).is_some() || !review.refusals.is_empty()),
        (Alarm::Permissions, !review.permissions.widened.is_empty() || !opened(review).is_empty()),
        (Alarm::Residency, !review.residency.ok || review.residency.moved()),
    ];
    told.into_iter().filter(|(_, holds)| *holds).map(|(alarm, _)| alarm).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_goes_sooner_than_before_is_lost() {
        let told = |old: Value, new: Value| expiries(&old, &new);
        let after =
            |what: &str, days: &str, before: &str| format!("{what}, {days} after they are written (before: {before})");
        assert_eq!(told(json!({}), json!({"a/": 30})), [after("objects below `a/`", "30 days", "kept")]);
        assert_eq!(told(json!({"a/": 30}), json!({"a/": 1})), [after("objects below `a/`", "1 day", "after 30 days")]);
        assert_eq!(told(json!({"a/": 30}), json!({"": 7})), [after("all objects", "7 days", "kept")]);
        for (old, new) in [
            (json!({"a/": 30}), json!({"a/": 60})),
            (json!({"a/": 30}), json!({})),
            (json!({"": 7}), json!({"": 7, "a/": 30})),
        ] {
            assert_eq!(told(old, new), Vec::<String>::new());
        }
    }
}
