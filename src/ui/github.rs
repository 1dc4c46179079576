//! Findings as GitHub Actions' workflow commands, which it shows beside the lines of a change. Gives back lines and
//! prints nothing.

use crate::check::Checked;
use crate::stack::{Finding, Severity};

/// One command a finding.
pub fn annotations(checked: &Checked) -> impl Iterator<Item = String> {
    checked.findings.iter().map(annotation)
}

fn annotation(finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let hint = finding.hint.as_ref().map(|hint| format!("\nhelp: {hint}")).unwrap_or_default();
    format!(
        "::{level} file={},line={},col={},title={}::{}",
        property(&finding.file),
        finding.line,
        finding.column,
        finding.code,
        data(&format!("{}{hint}", finding.message)),
    )
}

/// As the runner unescapes a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As it unescapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::load_text;

    #[test]
    fn a_message_cannot_begin_another_command() {
        let broken = load_text("a,b.yaml", "stack: fruits\n\"x%\\n::error::y\": 1\n".into(), std::path::Path::new(""));
        let lines: Vec<String> = broken.expect_err("has errors").findings.iter().map(annotation).collect();
        assert!(lines.iter().all(|line| line.starts_with("::error file=a%2Cb.yaml,line=")), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:#?}");
    }
}
