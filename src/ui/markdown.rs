//! Markdown as a person reads it on a terminal: headings bold, code indented, paragraphs as wide as the window.
//! Knows what the pages of this program use, and nothing else of Markdown.

use std::fmt::Write;

use super::BOLD;
use super::fold::wrapped;

/// Lines longer than this tire the eye, however wide the window is.
const WIDEST: usize = 100;

/// The text in at most so many columns; where no terminal is, its printer leaves the styles out.
#[must_use]
pub fn render(text: &str, width: usize) -> String {
    let mut shown = Shown { width: width.min(WIDEST), paragraph: vec![], strong: false, text: String::new() };
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            shown.end_paragraph();
            fenced = !fenced;
        } else if fenced {
            shown.line(&if line.is_empty() { String::new() } else { format!("    {line}") });
        } else if let Some(heading) = ["# ", "## ", "### "].iter().find_map(|mark| line.strip_prefix(mark)) {
            shown.end_paragraph();
            shown.line(&format!("{BOLD}{heading}{BOLD:#}"));
        } else if line.is_empty() {
            shown.end_paragraph();
            shown.line("");
        } else {
            if line.starts_with("- ") {
                shown.end_paragraph();
            }
            // A space that must not break is a part of its word.
            shown.paragraph.extend(line.split_ascii_whitespace());
        }
    }
    shown.end_paragraph();
    shown.text.trim_end().to_owned()
}

struct Shown<'a> {
    width: usize,
    /// Words of the paragraph, or of the item of a list, that is being read.
    paragraph: Vec<&'a str>,
    /// Whether what comes now stands between double asterisks.
    strong: bool,
    text: String,
}

impl Shown<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Words in as many lines as they need; an item's further lines stand below its first word.
    fn end_paragraph(&mut self) {
        let words = std::mem::take(&mut self.paragraph);
        let hang = if words.first() == Some(&"-") { 2 } else { 0 };
        let words: Vec<String> = words.into_iter().map(|word| self.marked(word)).collect();
        if !words.is_empty() {
            self.line(&wrapped(&words.join(" "), self.width, hang));
        }
    }

    /// A word with its double asterisks as a style.
    fn marked(&mut self, word: &str) -> String {
        let mut parts = word.split("**");
        let mut shown = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            self.strong = !self.strong;
            let _ = if self.strong { write!(shown, "{BOLD}{part}") } else { write!(shown, "{BOLD:#}{part}") };
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_as_wide_as_the_window_and_code_stays_as_it_is() {
        let text = "# FI000: A title\n\nSome words in a paragraph,\nbroken where its author broke it.\n\n## Wrong\n\n\
                    ```yaml stack\na: {b: a rather long line of code}\n\n  c: d\n```\n\n- an item of several words\n- another\n";
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(text, 24)).to_string(), @r"
        FI000: A title

        Some words in a
        paragraph, broken where
        its author broke it.

        Wrong

            a: {b: a rather long line of code}

              c: d

        - an item of several
          words
        - another
        ");
        assert!(render(text, 24).starts_with(&format!("{BOLD}FI000: A title{BOLD:#}\n")));
        assert_eq!(render("a **b c** d", 5), format!("a {BOLD}b c{BOLD:#}\nd"));
    }

    #[test]
    fn a_word_wider_than_the_window_has_its_own_line() {
        assert_eq!(render("a verylongword b", 4), "a\nverylongword\nb");
        assert_eq!(render("pourquoi\u{a0}: ainsi", 10), "pourquoi\u{a0}:\nainsi");
    }
}
