//! Lines for a window: folded between words, and after the slashes of a path, below the column where they began. Styles take
//! no room. It must never change anything but where lines end.

use textwrap::core::{Word, display_width};
use textwrap::wrap_algorithms::wrap_first_fit;

/// Every line in at most so many columns, as far as its words allow.
pub fn folded(text: &str, width: usize) -> String {
    let fold = |line: &str| match display_width(line) {
        wide if wide > width => wrapped(line, width, column(line, width)),
        _ => line.to_owned(),
    };
    text.split('\n').map(fold).collect::<Vec<_>>().join("\n")
}

/// One line in as many as it needs, of which all but the first begin at a column.
pub(super) fn wrapped(line: &str, width: usize, column: usize) -> String {
    let room = width.saturating_sub(column);
    let words: Vec<Word> = words(line).flat_map(|word| parts(word, room)).map(Word::from).collect();
    #[expect(clippy::cast_precision_loss, reason = "columns of a window")]
    let lines = wrap_first_fit(&words, &[width as f64, room as f64]);
    let lines = lines.into_iter().map(|words| {
        let told: String = words.iter().flat_map(|word| [word.word, word.whitespace]).collect();
        told.trim_end_matches(' ').to_owned()
    });
    lines.collect::<Vec<_>>().join(&format!("\n{}", " ".repeat(column)))
}

/// Where the last column of a row begins, if that is within its first half; else where its text does.
fn column(line: &str, width: usize) -> usize {
    let bare: Vec<char> = anstream::adapter::strip_str(line).to_string().chars().collect();
    let begins = |at: &usize| *at >= 2 && bare[at - 2] == ' ' && bare[at - 1] == ' ' && bare[*at] != ' ';
    (0..bare.len().min(width / 2)).rev().find(begins).unwrap_or(2)
}

/// Words with the space behind them.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let ends = line.match_indices(' ').map(|(at, _)| at + 1).filter(|at| !line[*at..].starts_with(' '));
    pieces(line, ends.collect())
}

/// A word that has no room, in parts that end with a slash.
fn parts(word: &str, room: usize) -> impl Iterator<Item = &str> {
    let fits = display_width(word.trim_end()) <= room;
    let ends = word.match_indices('/').map(|(at, _)| at + 1).filter(|_| !fits);
    // Not within `s3://`.
    let ends = ends.filter(|at| !word[*at..].starts_with(['/', ' ']) && !word[..*at].ends_with("//"));
    pieces(word, ends.collect())
}

/// A text in pieces that end there.
fn pieces(text: &str, ends: Vec<usize>) -> impl Iterator<Item = &str> {
    let mut begins = 0;
    let cut = ends.into_iter().chain([text.len()]).map(move |end| &text[std::mem::replace(&mut begins, end)..end]);
    cut.filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{BOLD, GREEN};
    use super::*;

    #[test]
    fn rows_go_on_below_their_last_column() {
        let text = format!(
            "{GREEN}  + object/job-features{GREEN:#}    s3://fruits-demo-home-000000000000/fruitsinfra/objects/job-features.py\n\
             {BOLD}Cost:{BOLD:#} 0.86 USD an hour (EC2 0.672, EMR's fee 0.144, EBS 0.030, public IPv4 0.015)\n\
             short  enough\n\n    sent 40 files, 111.1 kB -> s3://fruits-demo-data-000000000000/images/"
        );
        insta::assert_snapshot!(anstream::adapter::strip_str(&folded(&text, 60)).to_string(), @r"
          + object/job-features
                                   s3://fruits-demo-home-000000000000/
                                   fruitsinfra/objects/
                                   job-features.py
        Cost: 0.86 USD an hour (EC2 0.672, EMR's fee 0.144, EBS
          0.030, public IPv4 0.015)
        short  enough

            sent 40 files, 111.1 kB ->
            s3://fruits-demo-data-000000000000/images/
        ");
    }

    #[test]
    fn a_word_that_is_too_long_is_left_whole() {
        assert_eq!(folded("one verylongwordindeed two", 10), "one\n  verylongwordindeed\n  two");
        assert_eq!(folded("s3://bucket/one/two", 8), "s3://bucket/\n  one/\n  two");
    }

    proptest! {
        #[test]
        fn nothing_changes_but_where_lines_end(text in "[ a-zé/:.\u{a0}\n]{0,200}", width in 1_usize..80) {
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(&folded(&text, width)), bare(&text));
        }
    }
}
