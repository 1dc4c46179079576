//! Findings as text for a person: the line of the stack or the script, what is wrong under it, what to
//! do. Gives back a text and prints nothing; it shows of a line what its source holds, and no secret.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::stack::{Finding, Severity, Source};
use crate::text::counted;

/// How the text may look.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub colour: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, width: 100 }
    }
}

/// More than these are only counted.
const MOST_SHOWN: usize = 50;

/// The findings, one block each. Without its source (the file could not be read) one has no line.
#[must_use]
pub fn render(findings: &[Finding], sources: &[Source], style: Style) -> String {
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(style.width).decor_style(DecorStyle::Ascii);
    let shown = findings.iter().take(MOST_SHOWN).map(|finding| renderer.render(&report(finding, sources)));
    let mut blocks: Vec<String> = shown.map(|block| format!("{}\n", block.trim_end())).collect();
    if findings.len() > MOST_SHOWN {
        blocks.push(format!("... and {} more\n", findings.len() - MOST_SHOWN));
    }
    blocks.join("\n")
}

/// How many errors and warnings there are, in one line.
#[must_use]
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))
}

fn report<'a>(finding: &'a Finding, sources: &'a [Source]) -> Vec<Group<'a>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = level.primary_title(finding.message.as_str()).id(finding.code);
    let mut group = match sources.iter().find(|source| source.file == finding.file) {
        Some(source) => title.element(
            Snippet::source(source.text.as_str())
                .path(finding.file.as_str())
                .annotation(AnnotationKind::Primary.span(finding.span.clone())),
        ),
        None => title.element(Origin::path(finding.file.as_str())),
    };
    if let Some(hint) = &finding.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    vec![group]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::load_text;
    use std::path::Path;

    fn shown(text: &str) -> String {
        let broken = load_text("own.yaml", text.to_owned(), Path::new("")).expect_err("has errors");
        render(&broken.findings, &broken.sources, Style::default())
    }

    #[test]
    fn a_finding_shows_its_line_and_what_to_do() {
        insta::assert_snapshot!(shown("stack: fruits\nregoin: eu-west-3\nowner: é@fruits.example\n"), @r"
        error[FI110]: unknown field `regoin`
         --> own.yaml:2:1
          |
        2 | regoin: eu-west-3
          | ^^^^^^
          |
          = help: did you mean `region`?
        ");
    }

    #[test]
    fn a_secret_is_masked_where_it_stands() {
        insta::assert_snapshot!(shown("stack: fruits\nargs: [--user, me, --password, hunter2, --quiet]\n"), @r"
        error[FI701]: a secret stands here in clear text
         --> own.yaml:2:32
          |
        2 | args: [--user, me, --password, *******, --quiet]
          |                                ^^^^^^^
          |
          = help: remove and revoke it; keep it in AWS Secrets Manager of the stack's region, and let the script fetch it by name
        ");
    }

    #[test]
    fn a_file_that_cannot_be_read_has_no_lines() {
        let broken = crate::stack::load(Path::new("absent.yaml")).expect_err("is absent");
        insta::assert_snapshot!(render(&broken.findings, &[], Style::default()), @r"
        error[FI101]: there is no such file
        --> absent.yaml
         = help: give the path of a stack, or the name of one in `stacks/`
        ");
        assert_eq!(summary(&broken.findings), "1 error, 0 warnings");
    }
}
