//! Findings as SARIF 2.1.0, which code scanning takes. Gives back a value and prints nothing.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};

use crate::check::Checked;
use crate::stack::finding::Lines;
use crate::stack::{Finding, Severity, Source};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run over all that was checked.
pub fn log(checked: &[Checked]) -> Value {
    let mut rules: BTreeMap<&str, Value> = BTreeMap::new();
    let mut results = Vec::new();
    for Checked { sources, findings, waived, .. } in checked {
        let plain = findings.iter().map(|finding| (finding, None));
        let waived = waived.iter().map(|waived| (&waived.finding, Some(waived.because.as_str())));
        for (finding, because) in plain.chain(waived) {
            rules.entry(finding.code).or_insert_with(|| rule(finding.code));
            results.push(result(finding, because, sources));
        }
    }
    let rules: Vec<Value> = rules.into_values().collect();
    let driver = json!({
        "name": "fruitsinfra",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let run = json!({"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results});
    json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
}

fn rule(code: &str) -> Value {
    json!({"id": code, "help": {"text": format!("fruitsinfra explain {code}")}})
}

fn result(finding: &Finding, because: Option<&str>, sources: &[Source]) -> Value {
    let source = sources.iter().find(|source| source.file == finding.file);
    let lines = source.map(|source| Lines::of(&source.text));
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let hint = finding.hint.as_ref().map(|hint| format!("\nhelp: {hint}")).unwrap_or_default();
    let artifact = json!({"uri": uri(&finding.file)});
    let place = match &lines {
        Some(lines) => region(lines, &finding.span),
        None => json!({"startLine": finding.line, "startColumn": finding.column}),
    };
    let mut result = json!({
        "ruleId": finding.code,
        "level": level,
        "message": {"text": format!("{}{hint}", finding.message)},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": place}}],
    });
    if let Some(because) = because {
        result["suppressions"] = json!([{"kind": "inSource", "justification": because}]);
    }
    if let (Some(fix), Some(lines)) = (&finding.fix, &lines) {
        let replacement = json!({
            "deletedRegion": region(lines, &fix.span),
            "insertedContent": {"text": fix.text},
        });
        let change = json!({"artifactLocation": artifact, "replacements": [replacement]});
        result["fixes"] = json!([{"description": {"text": "as `validate --fix` does"}, "artifactChanges": [change]}]);
    }
    result
}

/// Lines and columns of some bytes, from 1, the end exclusive.
fn region(lines: &Lines<'_>, span: &Range<usize>) -> Value {
    let ((start_line, start_column), (end_line, end_column)) = (lines.position(span.start), lines.position(span.end));
    json!({"startLine": start_line, "startColumn": start_column, "endLine": end_line, "endColumn": end_column})
}

/// A path as a relative reference: percent-encoded, its slashes kept.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.trim_start_matches("./").bytes().map(encode).collect()
}
