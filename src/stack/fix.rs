//! Mends of findings, made in a text. Pure: it gives the new text back and writes nothing.

use super::finding::Finding;
use super::load::Source;

/// A text with the mends of its findings made, first come first served where two touch; and the findings whose
/// mends were made.
pub fn apply<'f>(source: &Source, findings: &'f [Finding]) -> (String, Vec<&'f Finding>) {
    let text = &source.text;
    let whole = |at: usize| at <= text.len() && text.is_char_boundary(at);
    let mut fixes: Vec<_> = findings
        .iter()
        .filter(|finding| finding.file == source.file)
        .filter_map(|finding| Some((finding.fix.as_ref()?, finding)))
        .filter(|(fix, _)| fix.span.start <= fix.span.end && whole(fix.span.start) && whole(fix.span.end))
        .collect();
    fixes.sort_by_key(|(fix, _)| (fix.span.start, fix.span.end));
    let (mut mended, mut made, mut from) = (String::new(), Vec::new(), 0);
    let mut last_insert = None;
    for (fix, finding) in fixes {
        // Two insertions at one place may exclude each other.
        if fix.span.start < from || (fix.span.is_empty() && last_insert == Some(fix.span.start)) {
            continue;
        }
        last_insert = fix.span.is_empty().then_some(fix.span.start);
        mended += &text[from..fix.span.start];
        mended += &fix.text;
        from = fix.span.end;
        made.push(finding);
    }
    mended += &text[from..];
    (mended, made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::finding::{Lines, Problem};

    #[test]
    fn mends_that_touch_are_made_one_after_the_other() {
        let source = Source { file: "a".into(), text: "one two three".into() };
        let lines = Lines::of(&source.text);
        let problem = |span, text: &str| Problem::new("FI100", span, "x").becomes(text).found_in("a", &lines);
        let findings = [problem(8..13, "3"), problem(0..3, "1"), problem(2..5, "-"), problem(4..7, "2")];
        let (text, made) = apply(&source, &findings);
        assert_eq!((text.as_str(), made.len()), ("1 2 3", 3));
        let elsewhere = Problem::new("FI100", 0..1, "x").becomes("y").found_in("b", &lines);
        assert_eq!(apply(&source, &[elsewhere]).0, source.text);
    }
}
