//! The review of a change as one comment of a pull request: a headline, a table, details that fold. Whatever a stack says
//! is escaped, and the comment is never longer than GitHub takes: what is cut is said.

use std::fmt::Write;

use super::lines::{
    Line, May, Money, amounts, data, harmless, headline, lines, of_permissions, place, same_cost, title,
};
use crate::review::{Level, Report, Review, Script, Status};
use crate::stack::{Finding, Severity};
use crate::text::counted;

/// By this a pipeline finds the comment that it wrote before.
pub const MARKER: &str = "<!-- fruitsinfra diff -->";

/// As long as GitHub lets a comment be.
pub const LONGEST: usize = 65_536;

/// How much is told: each is shorter than the one before, and the last has no part that grows with the stacks.
#[derive(Clone, Copy, Debug)]
struct Depth {
    /// Lines of a script.
    script: usize,
    /// Lines of steps, permissions and findings of a stack, each.
    details: usize,
    /// Stacks with details of their own, the gravest first.
    stacks: usize,
    /// Rows of the table.
    rows: usize,
    /// Lost things that are named.
    lost: usize,
}

const ALL: usize = usize::MAX;

const DEPTHS: [Depth; 9] = [
    Depth { script: ALL, details: ALL, stacks: ALL, rows: ALL, lost: ALL },
    Depth { script: 200, details: ALL, stacks: ALL, rows: ALL, lost: ALL },
    Depth { script: 40, details: ALL, stacks: ALL, rows: ALL, lost: ALL },
    Depth { script: 0, details: ALL, stacks: ALL, rows: ALL, lost: ALL },
    Depth { script: 0, details: 40, stacks: ALL, rows: ALL, lost: ALL },
    Depth { script: 0, details: 20, stacks: 40, rows: ALL, lost: ALL },
    Depth { script: 0, details: 10, stacks: 10, rows: 200, lost: 200 },
    Depth { script: 0, details: 5, stacks: 3, rows: 60, lost: 60 },
    Depth { script: 0, details: 0, stacks: 0, rows: 20, lost: 20 },
];

/// A value of a row or a list is not told beyond this, so that no single name fills a comment.
const VALUE: usize = 300;

pub fn markdown(report: &Report) -> String {
    let mut told = String::new();
    for depth in DEPTHS {
        told = at(report, depth);
        if told.chars().count() <= LONGEST {
            break;
        }
    }
    told
}

fn at(report: &Report, depth: Depth) -> String {
    let told = report.worth_a_word();
    let mut out = format!(
        "{MARKER}\n### fruitsinfra: {}\n\n{} → {}\n",
        plain(&headline(report)),
        code(&report.from),
        code(&report.to)
    );
    if told.is_empty() {
        return out;
    }
    table(&mut out, &told, depth);
    lost(&mut out, &told, depth);
    for review in told.iter().take(depth.stacks) {
        stack(&mut out, review, depth);
    }
    if told.len() > depth.stacks {
        let _ = writeln!(
            out,
            "\n_{} cut: `--output json` or `--output html` has them._",
            counted(told.len() - depth.stacks, "stack's detail")
        );
    }
    out
}

fn table(out: &mut String, told: &[&Review], depth: Depth) {
    out.push_str("\n| stack | what | an hour | running cluster | data | EU | risk |\n|---|---|---|---|---|---|---|\n");
    for review in told.iter().take(depth.rows) {
        let steps = review.plan.counts();
        let mut what: Vec<String> = vec![review.status.word().to_owned()];
        for (count, word) in [
            (steps.create, "to create"),
            (steps.update, "to change"),
            (steps.replace, "to replace"),
            (steps.delete, "to delete"),
        ] {
            what.extend((count > 0).then(|| format!("{count} {word}")));
        }
        let hour = amounts(review).into_iter().next();
        let hour = hour.map_or_else(String::new, |Money { from, to, more, .. }| {
            if from == to { to } else { format!("{from} → {to} {more}").trim_end().to_owned() }
        });
        let strong = |word: &str, loud: bool| if loud { format!("**{word}**") } else { word.to_owned() };
        let data = strong(data(review), !review.lost.is_empty());
        let eu = strong(&place(review), !review.residency.ok || review.residency.moved());
        let risk = match review.risk.level {
            Level::High => "**high**",
            level => level.word(),
        };
        let name = cell(&code(&review.stack));
        let _ = writeln!(
            out,
            "| {name} | {} | {hour} | {} | {data} | {eu} | {risk} |",
            what.join(", "),
            review.running.effect,
        );
    }
    if told.len() > depth.rows {
        let _ = writeln!(out, "\n_{} cut: `--output json` has them._", counted(told.len() - depth.rows, "row"));
    }
}

/// What goes and does not come back, where nobody has to unfold it.
fn lost(out: &mut String, told: &[&Review], depth: Depth) {
    let all: Vec<_> = told.iter().flat_map(|review| review.lost.iter().map(|loss| (&review.stack, loss))).collect();
    if all.is_empty() {
        return;
    }
    out.push_str("\n> [!CAUTION]\n> **Data is lost:**\n");
    for (stack, loss) in all.iter().take(depth.lost) {
        let _ =
            writeln!(out, "> - {} {} ({}): {}", code(stack), code(&loss.address), code(&loss.name), plain(&loss.what));
    }
    if all.len() > depth.lost {
        let _ = writeln!(out, "> - _and {} more_", all.len() - depth.lost);
    }
}

fn stack(out: &mut String, review: &Review, depth: Depth) {
    let _ = writeln!(out, "\n#### {}: {}\n", code(&review.stack), code(&title(review)));
    for note in &review.notes {
        let _ = writeln!(out, "- {}", code(note));
    }
    if !review.broken() {
        let _ = writeln!(out, "- Running: {}", plain(&review.running.text));
    }
    let _ = writeln!(
        out,
        "- EU: {}",
        if review.residency.ok { plain(&review.residency.text) } else { code(&review.residency.text) }
    );
    let costs = amounts(review);
    if let Some(same) = same_cost(&costs) {
        let _ = writeln!(out, "- Cost: {same}");
    } else {
        for Money { what, from, to, more } in costs {
            let _ = writeln!(out, "- Cost {what}: {}", format!("{from} → {to} {more}").trim_end());
        }
    }
    let mut reasons: Vec<String> = review.risk.reasons.iter().map(|reason| code(reason)).collect();
    reasons.truncate(12);
    let apart = if reasons.is_empty() { "" } else { ": " };
    let _ = writeln!(out, "- Risk: **{}**{apart}{}", review.risk.level.word(), reasons.join(", "));
    findings(out, review, depth);
    steps(out, review, depth);
    permissions(out, review, depth);
    for script in &review.scripts {
        of_script(out, script, depth);
    }
}

/// A part that folds, its body fenced as a diff so that its lines have colours.
fn folded(out: &mut String, summary: &str, open: bool, body: &[String], most: usize) {
    if body.is_empty() {
        return;
    }
    let shown = &body[..body.len().min(most)];
    if shown.is_empty() {
        let _ = writeln!(out, "\n_{summary}: cut, `--output json` has them._");
        return;
    }
    let fence = "`".repeat(shown.iter().map(|line| longest_run(line)).max().unwrap_or(0).max(2) + 1);
    let open = if open { " open" } else { "" };
    let _ = writeln!(out, "\n<details{open}><summary>{summary}</summary>\n\n{fence}diff");
    for line in shown {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "{fence}");
    if body.len() > shown.len() {
        let _ = writeln!(out, "\n_{} cut: `--output json` has them._", counted(body.len() - shown.len(), "line"));
    }
    out.push_str("\n</details>\n");
}

fn steps(out: &mut String, review: &Review, depth: Depth) {
    let mut body = Vec::new();
    for Line { sign, address, name, note, changes } in lines(review) {
        // Of a replacement, both colours.
        let signs: &[&str] = match sign {
            "-/+" => &["-", "+"],
            "~" => &["!"],
            other => &[other],
        };
        let note = note.map_or_else(String::new, |note| format!("  ({})", harmless(&note)));
        body.extend(signs.iter().map(|sign| format!("{sign} {address}  {name}{note}")));
        for change in changes {
            let forces = if change.forces { "  # forces replacement" } else { "" };
            let [field, from, to] = [&change.field, &change.from, &change.to].map(|text| short(text));
            body.push(format!("!     {field}: {from} -> {to}{forces}"));
        }
    }
    for said in &review.declared {
        let word = |value: &Option<String>| value.as_ref().map_or_else(|| "none".into(), |value| short(value));
        body.push(format!("! stack  {}: {} -> {}", short(&said.field), word(&said.from), word(&said.to)));
    }
    folded(out, "Steps", review.status == Status::Changed, &body, depth.details);
}

fn permissions(out: &mut String, review: &Review, depth: Depth) {
    let told = of_permissions(review);
    let body: Vec<String> = told
        .iter()
        .map(|May { sign, text, widened }| {
            let widened = if *widened { "  # wider" } else { "" };
            format!("{sign} {}{widened}", harmless(text))
        })
        .collect();
    let widened = review.permissions.widened.len();
    let mark = if widened > 0 { format!(", {widened} <b>widened</b>") } else { String::new() };
    let summary = format!(
        "Permissions: {} added, {} removed{mark}",
        review.permissions.added.len(),
        review.permissions.removed.len()
    );
    folded(out, &summary, widened > 0, &body, depth.details);
}

fn findings(out: &mut String, review: &Review, depth: Depth) {
    let word = |finding: &Finding| match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let mut rest = 0;
    for (n, finding) in review.findings.iter().enumerate() {
        // Errors are never cut before all else is.
        if n >= depth.details.max(10) {
            rest += 1;
            continue;
        }
        let place = format!("{}:{}:{}", finding.file, finding.line, finding.column);
        let hint = finding.hint.as_ref().map_or_else(String::new, |hint| format!(" ({})", code(hint)));
        let _ =
            writeln!(out, "- **{}** {} {} {}{hint}", word(finding), finding.code, code(&place), code(&finding.message));
    }
    if rest > 0 {
        let _ = writeln!(out, "- _{} cut: `--output json` has them._", counted(rest, "finding"));
    }
    let mended: Vec<String> =
        review.mended.iter().map(|finding| format!("+ {} {}", finding.code, harmless(&finding.message))).collect();
    folded(out, &format!("Mended: {}", counted(mended.len(), "finding")), false, &mended, depth.details);
}

fn of_script(out: &mut String, Script { name, added, removed, diff }: &Script, depth: Depth) {
    let body: Vec<String> = diff.lines().map(harmless).collect();
    let summary = format!("<code>{}</code>: {added} added, {removed} removed", html(name));
    folded(out, &summary, false, &body, depth.script);
}

/// A value as it was written: nothing in it is Markdown, HTML or a mention.
fn code(text: &str) -> String {
    let text = short(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let apart = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{apart}{text}{apart}{fence}")
}

/// In a table a pipe ends the cell, also within code.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Prose of ours, in which values may stand: every mark of Markdown and HTML is taken literally, and nobody is called.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in short(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A mention is read after all escapes: a joiner that nobody sees parts it from its sign.
            '@' | '#' => out.extend([c, '\u{2060}']),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '|' | '~' | '!' => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out
}

fn html(text: &str) -> String {
    short(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One line without control characters, and no longer than anybody reads.
fn short(text: &str) -> String {
    let text = harmless(text);
    if text.chars().count() <= VALUE {
        return text;
    }
    format!("{}...", text.chars().take(VALUE).collect::<String>())
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stack_says_is_never_markdown() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("`@all`"), "`` `@all` ``");
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code(""), "`  `");
        assert_eq!(code("a\nb"), "`a\u{fffd}b`");
        assert_eq!(cell(&code("a|b")), "`a\\|b`");
        assert_eq!(plain("<b>*@me* #1|"), "&lt;b&gt;\\*@\u{2060}me\\* #\u{2060}1\\|");
        assert_eq!(html("<a href=\"x\">"), "&lt;a href=&quot;x&quot;&gt;");
        assert_eq!(code(&"x".repeat(1_000)).chars().count(), VALUE + 5);
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        let mut out = String::new();
        folded(&mut out, "x", false, &["+ ````".to_owned(), "+ b".to_owned()], 1);
        assert!(out.contains("\n`````diff\n+ ````\n`````\n"), "{out}");
        assert!(out.contains("_1 line cut"), "{out}");
    }
}
