//! A picture as a Mermaid flowchart. Whatever a text holds, it stays a text: names and labels are quoted, and what
//! Mermaid would read as its own is written by its number.

use std::fmt::Write;

use super::picture::{Card, Fate, Link, Picture, Sort};

/// The flowchart, from left to right.
pub(super) fn write(picture: &Picture) -> String {
    let mut text = format!(
        "---\ntitle: {}\n---\n%% {}\nflowchart LR\n  accTitle: {}\n  accDescr: {}\n",
        serde_json::Value::from(plain(&picture.title)),
        picture.region.replace(char::is_control, " "),
        plain(&picture.title),
        plain(&picture.says),
    );
    let cards: Vec<&Card> = picture.columns.iter().flatten().flat_map(|section| &section.cards).collect();
    let id = |card: &str| format!("n{}", cards.iter().position(|of| of.id == card).unwrap_or_default());
    for (n, column) in picture.columns.iter().enumerate() {
        if n == 1 {
            let _ = writeln!(text, "  subgraph region[{}]", label([picture.region.as_str()]));
        }
        for (m, section) in column.iter().enumerate() {
            let _ = writeln!(text, "    subgraph s{n}x{m}[{}]", label([section.heading.as_str()]));
            for card in &section.cards {
                let rows = card.rows.iter().map(|row| row.text.as_str());
                let lines =
                    [card.title.as_str(), card.name.as_str()].into_iter().chain(rows).filter(|line| !line.is_empty());
                let _ = writeln!(text, "      {}[{}]:::{}", id(&card.id), label(lines), card.fate.class());
            }
            text.push_str("    end\n");
        }
    }
    if picture.columns.len() > 1 {
        text.push_str("  end\n");
    }
    for Link { from, to, sort, says } in &picture.links {
        let arrow = if *sort == Sort::Acts { "-.->" } else { "-->" };
        let _ = writeln!(text, "  {} {arrow}|{}| {}", id(&from.card), label([says.as_str()]), id(&to.card));
    }
    // How a box looks says what becomes of it; the colours hold on light and on dark ground.
    for fate in Fate::ALL {
        let style = match fate {
            Fate::Stays => "stroke-width:2px",
            Fate::Goes => "stroke-width:2px,stroke-dasharray:6 4",
            Fate::Theirs => "stroke-width:2px,stroke-dasharray:1 4",
            Fate::Ours => "stroke-width:1px",
        };
        let _ = writeln!(text, "  classDef {} {style}", fate.class());
    }
    text
}

/// A quoted text of some lines.
fn label<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    format!("\"{}\"", lines.into_iter().map(escaped).collect::<Vec<_>>().join("<br>"))
}

/// What has a meaning in labels, by its number.
fn escaped(text: &str) -> String {
    let one = |c: char| {
        let word = c.is_alphanumeric() || " .,:/@=+-_()'".contains(c);
        if word {
            c.to_string()
        } else if c.is_control() {
            " ".to_owned()
        } else {
            format!("#{};", u32::from(c))
        }
    };
    text.chars().map(one).collect()
}

/// A line of its own without what would end it or open a block.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || "{};#%".contains(c) { ' ' } else { c }).collect()
}
