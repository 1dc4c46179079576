//! What is written about each code: the pages of `docs/codes`, which are part of the program. It finds them and reads
//! their first lines; what a code is found by, it never knows.

use include_dir::{Dir, include_dir};
use serde::Serialize;

use super::{BOLD, DIM};
use crate::stack::Finding;

static PAGES: Dir = include_dir!("$CARGO_MANIFEST_DIR/docs/codes");

/// What is written about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Page {
    pub code: &'static str,
    /// In a few words, as a person would say it.
    pub title: &'static str,
    /// The gravest that a finding of this code can be; none of a refusal, which is no finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<&'static str>,
    /// All of it, as Markdown.
    #[serde(rename = "page")]
    pub text: &'static str,
}

/// Codes of one subject, in the order of the index.
#[derive(Debug)]
pub struct Group {
    /// As in `FI2xx: residency`.
    pub title: &'static str,
    pub pages: Vec<Page>,
}

fn file(name: &str) -> Option<&'static str> {
    PAGES.get_file(name)?.contents_utf8()
}

/// A code as it is written in full: `203` and `fi203` are `FI203`.
fn in_full(word: &str) -> String {
    let word = word.trim().to_uppercase();
    format!("FI{}", word.strip_prefix("FI").unwrap_or(&word))
}

/// The page of a code, in upper or lower case, with or without `FI`.
#[must_use]
pub fn page(word: &str) -> Option<Page> {
    let text = file(&format!("{}.md", in_full(word)))?;
    let (code, title) = text.lines().next()?.strip_prefix("# ")?.split_once(": ")?;
    let severity = text.lines().find_map(|line| line.strip_prefix("Severity: "))?;
    let severity = severity.split(';').next().filter(|severity| *severity != "refusal");
    Some(Page { code, title, severity, text })
}

/// All codes by subject, as `docs/codes/README.md` lists them.
#[must_use]
pub fn groups() -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for line in file("README.md").unwrap_or_default().lines() {
        if let Some(title) = line.strip_prefix("## ") {
            groups.push(Group { title, pages: vec![] });
        } else if let (Some(last), Some((code, _))) =
            (groups.last_mut(), line.strip_prefix("- [").and_then(|rest| rest.split_once(']')))
        {
            last.pages.extend(page(code));
        }
    }
    groups
}

/// The code that was probably meant: one slip away, and of the same subject where several are.
#[must_use]
pub fn near(word: &str) -> Option<Page> {
    let word = in_full(word);
    // Nothing that is one slip away is longer.
    if word.chars().count() > 6 {
        return None;
    }
    let pages = groups().into_iter().flat_map(|group| group.pages);
    pages
        .filter(|page| strsim::damerau_levenshtein(page.code, &word) <= 1)
        .min_by_key(|page| (page.code.get(..3) != word.get(..3), page.code))
}

/// The index of all pages, as Markdown.
#[must_use]
pub fn index() -> &'static str {
    file("README.md").unwrap_or_default()
}

/// All codes with their titles, for a person.
#[must_use]
pub fn list() -> String {
    let groups = groups().into_iter().map(|Group { title, pages }| {
        let lines = pages.iter().map(|Page { code, title, .. }| format!("  {code}  {title}\n"));
        format!("{BOLD}{title}{BOLD:#}\n{}", lines.collect::<String>())
    });
    let groups = groups.collect::<Vec<_>>().join("\n");
    format!("{groups}\n{DIM}fruitsinfra explain FI203 tells what is behind one.{DIM:#}")
}

/// How many codes are named below findings.
const MOST_NAMED: usize = 3;

/// A line that ends a block of findings: how to read more about the first of their codes; none where nothing was found.
#[must_use]
pub fn more(findings: &[Finding]) -> Option<String> {
    let mut codes: Vec<&str> = Vec::new();
    for finding in findings {
        if codes.len() < MOST_NAMED && !codes.contains(&finding.code) {
            codes.push(finding.code);
        }
    }
    let (first, others) = codes.split_first()?;
    let also = if others.is_empty() { String::new() } else { format!(" (also {})", others.join(", ")) };
    Some(format!("{DIM}more:{DIM:#} fruitsinfra explain {first}{also}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::stack::load_text;

    #[test]
    fn a_code_is_found_however_it_is_written() {
        let written = page("FI203").expect("has a page");
        for word in ["fi203", "203", " Fi203 "] {
            assert_eq!(page(word), Some(written), "{word:?}");
        }
        assert_eq!((written.code, written.severity), ("FI203", Some("error")));
        assert_eq!(page("FI302").and_then(|page| page.severity), Some("error"), "the gravest it can be");
        assert_eq!(page("FI910").and_then(|page| page.severity), None);
        for word in ["", "FI", "README", "../README", "FI20", "2O3", "FI203.md"] {
            assert_eq!(page(word), None, "{word:?}");
        }
    }

    #[test]
    fn a_slip_is_recognised_and_nothing_else() {
        let meant = |word: &str| near(word).map(|page| page.code);
        assert_eq!(meant("FI230"), Some("FI203"));
        assert_eq!(meant("f203"), Some("FI203"));
        assert_eq!(meant("FI999"), None);
        assert_eq!(meant("demo"), None);
        assert_eq!(meant(&"2".repeat(1_000_000)), None);
        assert_eq!(meant("é"), None);
    }

    #[test]
    fn findings_lead_to_their_pages() {
        let more = |text: &str| {
            let broken = load_text("own.yaml", text.to_owned(), Path::new("")).expect_err("has errors");
            more(&broken.findings).map(|line| anstream::adapter::strip_str(&line).to_string())
        };
        let head = "region: eu-west-3\nowner: a\n";
        assert_eq!(more(&format!("stack: A\n{head}")).as_deref(), Some("more: fruitsinfra explain FI120"));
        let many = "stack: A\nregion: eu-west-3\nowner: ''\naccount: '1'\nbuckets: {A: {}, B: {}}\n";
        assert_eq!(more(many).as_deref(), Some("more: fruitsinfra explain FI120 (also FI122, FI121)"));
        assert_eq!(super::more(&[]), None);
    }
}
