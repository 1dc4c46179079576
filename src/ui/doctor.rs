//! What `doctor` has seen, as a person and as a script read it.

use serde_json::{Value, json};

use super::{BOLD, CYAN, DIM, GREEN, RED, YELLOW};
use crate::doctor::{Line, Status};
use crate::text::counted;

/// A line a look, what to do below it, and what it comes to.
pub fn text(title: &str, lines: &[Line]) -> String {
    // `  warning  service-linked role  ` and what is said, in columns.
    let longest = |of: fn(&Line) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let statuses = longest(|line| word(line.status).len());
    let checks = longest(|line| line.check.len());
    let column = statuses + checks + 6;
    let rows = lines.iter().map(|line| {
        let Line { check, status, message, hint } = line;
        let (style, word) = (style(*status), word(*status));
        let gap = " ".repeat(statuses - word.len() + 2);
        let hint = hint.as_ref().map(|hint| format!("\n{:column$}{CYAN}{hint}{CYAN:#}", ""));
        format!("  {style}{word}{style:#}{gap}{check:checks$}  {message}{}", hint.unwrap_or_default())
    });
    let rows: Vec<String> = rows.collect();
    format!("{BOLD}{title}{BOLD:#}\n\n{}\n\n{}", rows.join("\n"), sum(lines))
}

fn sum(lines: &[Line]) -> String {
    let count = |status| lines.iter().filter(|line| line.status == status).count();
    let said = [(Status::Mend, "thing to mend", "things to mend"), (Status::Warning, "warning", "warnings")];
    let mut words: Vec<String> = said
        .into_iter()
        .filter(|(status, ..)| count(*status) > 0)
        .map(|(status, one, many)| match count(status) {
            1 => format!("1 {one}"),
            n => format!("{n} {many}"),
        })
        .collect();
    if count(Status::Unasked) > 0 {
        words.push(format!("{} not asked", counted(count(Status::Unasked), "thing")));
    }
    if passes(lines) {
        let but = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
        return format!("{GREEN}Nothing seen stands in the way of `up`.{GREEN:#}{DIM}{but}{DIM:#}");
    }
    format!("{RED}{}.{RED:#}", words.join(", "))
}

/// Whether nothing has to be mended, and nothing had to stay unasked.
pub fn passes(lines: &[Line]) -> bool {
    lines.iter().all(|line| matches!(line.status, Status::Ok | Status::Warning))
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Mend => "mend",
        Status::Unasked => "unasked",
    }
}

fn style(status: Status) -> anstyle::Style {
    match status {
        Status::Ok => GREEN,
        Status::Warning | Status::Unasked => YELLOW,
        Status::Mend => RED,
    }
}

pub fn json(stack: &str, region: &str, lines: &[Line]) -> Value {
    json!({"stack": stack, "region": region, "ok": passes(lines), "checks": lines})
}
