//! The review of a change, for a terminal: what changes, what is lost, what a running cluster sees, what it costs. Scripts
//! come last, and as much of them as a person reads; `--output json` holds all of it.

pub mod html;
pub mod json;
mod lines;
pub mod markdown;

use std::fmt::Write;

use rayon::prelude::*;

use self::lines::{Line, Money, amounts, headline, lines, of_permissions, same_cost, title};
use super::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, snippet};
use crate::review::{Level, Report, Review, Said, Script};
use crate::stack::Finding;
use crate::text::counted;

/// Lines of a script, and of permissions, that are shown.
const MOST: usize = 40;

/// The whole report.
pub fn text(report: &Report, width: usize) -> String {
    let mut out = format!("{BOLD}{}{BOLD:#}\n", headline(report));
    let _ = writeln!(out, "{DIM}{} -> {}{DIM:#}", report.from, report.to);
    let told = report.stacks.par_iter().filter(|review| review.worth_a_word()).map(|review| {
        let mut out = String::from("\n");
        stack(&mut out, review, width);
        out
    });
    out.extend(told.collect::<Vec<String>>());
    out.trim_end().to_owned()
}

fn stack(out: &mut String, review: &Review, width: usize) {
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}  {}", review.stack, title(review));
    for note in &review.notes {
        let _ = writeln!(out, "{YELLOW}note{YELLOW:#}: {note}");
    }
    out.push('\n');
    let steps = lines(review);
    let longest = steps.iter().map(|line| line.address.len()).max().unwrap_or(0);
    for line in &steps {
        step(out, line, longest);
    }
    if !review.declared.is_empty() {
        let _ = writeln!(out, "    {DIM}in the stack alone{DIM:#}");
        for said in &review.declared {
            let Said { field, from, to } = said;
            let _ =
                writeln!(out, "      {YELLOW}~{YELLOW:#} {field}: {} -> {}", word(from.as_ref()), word(to.as_ref()));
        }
    }
    if !steps.is_empty() || !review.declared.is_empty() {
        out.push('\n');
    }
    for loss in &review.lost {
        let _ = writeln!(out, "{RED}{BOLD}Lost:{BOLD:#}{RED:#} {} ({}): {}", loss.address, loss.name, loss.what);
    }
    if !review.broken() {
        let _ = writeln!(out, "{BOLD}Running:{BOLD:#} {}", review.running.text);
    }
    cost(out, &amounts(review));
    let style = if review.residency.ok && !review.residency.moved() { GREEN } else { RED };
    let _ = writeln!(out, "{BOLD}EU:{BOLD:#} {style}{}{style:#}", review.residency.text);
    permissions(out, review);
    findings(out, review, width);
    for shown in &review.scripts {
        script(out, shown);
    }
    risk(out, review);
}

fn word(value: Option<&String>) -> String {
    value.map_or_else(|| "none".into(), |value| format!("\"{value}\""))
}

fn step(out: &mut String, line: &Line, width: usize) {
    let style = match line.sign {
        "+" => GREEN,
        "~" => YELLOW,
        _ => RED,
    };
    let note = line.note.as_ref().map_or_else(String::new, |note| format!("  {DIM}({note}){DIM:#}"));
    let _ = writeln!(out, "{style}{:>3} {:width$}{style:#}  {}{note}", line.sign, line.address, line.name);
    for change in &line.changes {
        let forces = if change.forces { format!("  {RED}# forces replacement{RED:#}") } else { String::new() };
        let _ = writeln!(out, "      {style}~{style:#} {}: {} -> {}{forces}", change.field, change.from, change.to);
    }
}

fn cost(out: &mut String, amounts: &[Money]) {
    if let Some(same) = same_cost(amounts) {
        let _ = writeln!(out, "{BOLD}Cost:{BOLD:#} {same}");
        return;
    }
    for (n, Money { what, from, to, more }) in amounts.iter().enumerate() {
        let name = if n == 0 { "Cost:" } else { "" };
        let more = if more.is_empty() { String::new() } else { format!("  {YELLOW}{more}{YELLOW:#}") };
        let _ = writeln!(out, "{BOLD}{name:5}{BOLD:#} {what:26} {from} -> {to}{more}");
    }
}

fn permissions(out: &mut String, review: &Review) {
    let told = of_permissions(review);
    if told.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{BOLD}Permissions{BOLD:#}");
    for line in told.iter().take(MOST) {
        let style = if line.sign == '+' { GREEN } else { RED };
        let widened = if line.widened { format!("  {RED}{BOLD}# wider{BOLD:#}{RED:#}") } else { String::new() };
        let _ = writeln!(out, "  {style}{}{style:#} {}{widened}", line.sign, line.text);
    }
    more(out, told.len(), "line");
}

fn more(out: &mut String, all: usize, noun: &str) {
    if all > MOST {
        let _ = writeln!(out, "  {DIM}... and {} more: `--output json` has them{DIM:#}", counted(all - MOST, noun));
    }
}

fn findings(out: &mut String, review: &Review, width: usize) {
    if !review.findings.is_empty() {
        let style = snippet::Style { width, ..snippet::Style::default() };
        let heading = if review.errors > 0 { "Findings" } else { "New findings" };
        let shown = snippet::render(&review.findings, &review.sources, style);
        let _ = writeln!(out, "\n{BOLD}{heading}{BOLD:#}\n{}", shown.trim_end());
    }
    if !review.mended.is_empty() {
        let _ = writeln!(out, "\n{BOLD}Mended{BOLD:#}");
        for Finding { code, message, .. } in review.mended.iter().take(MOST) {
            let _ = writeln!(out, "  {GREEN}{code}{GREEN:#} {message}");
        }
        more(out, review.mended.len(), "finding");
    }
}

fn script(out: &mut String, Script { name, added, removed, diff }: &Script) {
    let _ = writeln!(out, "\n{BOLD}{name}{BOLD:#}  {GREEN}+{added}{GREEN:#} {RED}-{removed}{RED:#}");
    let all = diff.lines().count();
    for line in diff.lines().take(MOST) {
        let line = lines::harmless(line);
        let _ = match line.chars().next() {
            Some('+') => writeln!(out, "  {GREEN}{line}{GREEN:#}"),
            Some('-') => writeln!(out, "  {RED}{line}{RED:#}"),
            Some('@') => writeln!(out, "  {CYAN}{line}{CYAN:#}"),
            _ => writeln!(out, "  {line}"),
        };
    }
    more(out, all, "line");
}

fn risk(out: &mut String, review: &Review) {
    let style = match review.risk.level {
        Level::None | Level::Low => GREEN,
        Level::Medium => YELLOW,
        Level::High => RED,
    };
    let reasons = review.risk.reasons.join("; ");
    let apart = if reasons.is_empty() { "" } else { ": " };
    let _ = writeln!(out, "\n{BOLD}Risk:{BOLD:#} {style}{}{style:#}{apart}{reasons}", review.risk.level.word());
}
