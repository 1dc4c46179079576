//! What was done and what it cost, as a person reads it.

use std::time::Duration;

use super::table::table;
use super::{BOLD, DIM, cost};
use crate::ledger::Life;
use crate::text::{counted, lasting};

fn usd(amount: Option<f64>) -> String {
    cost::usd(amount, None, None)
}

fn length(seconds: Option<f64>) -> String {
    let length = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    length.map_or_else(|| "unknown".into(), lasting)
}

/// One line about all of it. What is not known of one is not known of all.
pub fn sum(lives: &[Life]) -> String {
    let spent: Option<f64> = lives.iter().map(|life| life.spent).sum();
    let killed = lives.iter().filter(|life| !life.killed.is_empty());
    let saved: Option<f64> = killed.clone().map(|life| life.saved).sum();
    let guard = match killed.count() {
        0 => String::new(),
        n => format!("; the guard ended {n}, {} before their ends", usd(saved)),
    };
    format!(
        "{BOLD}Ledger:{BOLD:#} {}, {}, {}{guard}",
        counted(lives.len(), "cluster"),
        length(lives.iter().map(|life| life.lived).sum()),
        usd(spent)
    )
}

/// A line a cluster, and the sum.
pub fn text(lives: &[Life]) -> String {
    if lives.is_empty() {
        return "The ledger names no cluster.".into();
    }
    let rows = lives.iter().map(|life| {
        let began = life.began.map_or_else(|| "unknown".into(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
        let how = match (life.alive, life.killed.as_slice()) {
            (true, _) => "runs".to_owned(),
            (false, []) => "ended".to_owned(),
            (false, reasons) => format!("by the guard: {}", reasons.join("; ")),
        };
        vec![life.cluster.clone(), began, length(life.lived), usd(life.hourly), usd(life.spent), how]
    });
    let head = ["cluster", "asked for", "lived", "an hour", "cost", "end"];
    let note = format!("{DIM}Lengths by EMR, prices as estimated at the start; the bill has the last word.{DIM:#}");
    format!("{}\n\n{}\n{note}", table(&head, rows), sum(lives))
}
