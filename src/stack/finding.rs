//! What is found about a stack: a code, a place in the file, what is wrong and what to do. Findings
//! are data; nothing here prints, and `ui::snippet` shows them.

use std::ops::Range;

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    /// It works, but probably not as meant.
    Warning,
    /// Nothing is done with such a stack.
    Error,
}

/// A mend that a program may make by itself: these bytes become this text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    pub span: Range<usize>,
    pub text: String,
}

/// One finding. Codes: `FI1xx` form, `FI2xx` residency, `FI3xx` EMR (`FI33x` what is imported), `FI4xx` access, `FI5xx`
/// storage, `FI6xx` scripts and packages, `FI7xx` secrets and files, `FI9xx` money. Each has a page, `explain FI203`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub code: &'static str,
    pub severity: Severity,
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Bytes of the source that it is about.
    #[serde(skip)]
    pub span: Range<usize>,
    pub message: String,
    pub hint: Option<String>,
    /// The mend, where there is one that is safe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

/// A finding that does not know its file yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) fix: Option<Box<Fix>>,
}

impl Problem {
    pub(crate) fn new(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, span, message: message.into(), hint: None, fix: None }
    }

    pub(crate) fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What it is about may become this text.
    pub(crate) fn becomes(self, text: impl Into<String>) -> Self {
        let span = self.span.clone();
        self.mended(span, text)
    }

    /// These bytes may become this text.
    pub(crate) fn mended(self, span: Range<usize>, text: impl Into<String>) -> Self {
        Self { fix: Some(Box::new(Fix { span, text: text.into() })), ..self }
    }

    /// The finding in its file, with line and column counted.
    pub(crate) fn found_in(self, file: &str, lines: &Lines<'_>) -> Finding {
        let text = lines.text;
        let start = text.floor_char_boundary(self.span.start.min(text.len()));
        let end = text.ceil_char_boundary(self.span.end.clamp(start, text.len()));
        let (line, column) = lines.position(start);
        Finding {
            code: self.code,
            severity: self.severity,
            file: file.to_owned(),
            line,
            column,
            span: start..end,
            message: shortened(self.message),
            hint: self.hint.map(shortened),
            fix: self.fix.map(|fix| *fix),
        }
    }
}

/// Longer messages hold a whole value, which nobody reads.
const LONGEST_MESSAGE: usize = 400;

/// A message with its middle left out where it is too long. A terminal would obey the control characters of a value.
fn shortened(message: String) -> String {
    let message = if message.contains(char::is_control) {
        message.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    } else {
        message
    };
    let length = message.chars().count();
    if length <= LONGEST_MESSAGE {
        return message;
    }
    let half = LONGEST_MESSAGE / 2;
    let (start, end): (String, String) =
        (message.chars().take(half).collect(), message.chars().skip(length - half).collect());
    format!("{start} ... {end}")
}

/// Where the lines of a text begin, counted once for all findings.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Self { text, starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// Line and column of a byte, both from 1; of the last one for what lies beyond.
    pub(crate) fn position(&self, at: usize) -> (usize, usize) {
        let at = self.text.floor_char_boundary(at.min(self.text.len()));
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        (line, self.text[start..at].chars().count() + 1)
    }
}

/// Names longer than this are near to nothing.
const LONGEST_NAME: usize = 100;

/// The name that was probably meant, if one is near enough to be worth saying.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    // Nothing known is as long, and the distance to it takes the product of both lengths.
    if length > LONGEST_NAME {
        return None;
    }
    let most = (length / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A hint for a name that is not among those known: the near one, else all of them.
pub(crate) fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone, none: &str) -> String {
    if let Some(near) = nearest(name, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() { none.to_owned() } else { format!("there are: {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let text = "a: é\nbé: c\n";
        let finding = Problem::new("FI100", 9..10, "x").found_in("f.yaml", &Lines::of(text));
        assert_eq!((finding.line, finding.column), (2, 3));
        let inside_a_character = Problem::new("FI100", 4..4, "x").found_in("f.yaml", &Lines::of(text));
        assert_eq!(inside_a_character.column, 4);
        let beyond = Problem::new("FI100", 900..901, "x").found_in("f.yaml", &Lines::of(text));
        assert_eq!((beyond.line, beyond.column), (3, 1));
    }

    #[test]
    fn messages_are_short_and_harmless() {
        let told = |message: &str| Problem::new("FI100", 0..0, message).found_in("f.yaml", &Lines::of("")).message;
        assert_eq!(told("`a\u{1b}[31m`"), "`a\u{fffd}[31m`");
        let long = told(&format!("`{}é` is wrong", "é".repeat(5_000)));
        assert!(long.chars().count() < 420 && long.starts_with("`éé") && long.ends_with("é` is wrong"), "{long}");
        assert_eq!(nearest(&"regoin".repeat(1_000_000), ["region"]), None);
    }

    #[test]
    fn near_names_are_near() {
        assert_eq!(nearest("regoin", ["region", "stack"]), Some("region"));
        assert_eq!(nearest("x", ["region", "stack"]), None);
        assert_eq!(nearest("spark", ["Spark"]), Some("Spark"));
    }
}
