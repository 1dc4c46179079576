//! Texts of a picture: how wide they are, where they break, and how they stand between tags. Fonts differ, so a text is
//! taken for wider than it is, never for narrower.

/// A text in lines that are no wider than asked, broken after what people break at, else anywhere; cut after so many.
pub(super) fn fit(text: &str, width: f64, size: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    let mut rest: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    while !rest.is_empty() && lines.len() < most {
        let mut end = rest.len();
        while end > 1 && wide(&rest[..end].iter().collect::<String>(), size) > width {
            end -= 1;
        }
        if end < rest.len() {
            let breaks = |c: &char| " -/,.:@".contains(*c);
            end = rest[..end].iter().rposition(breaks).filter(|at| *at > end / 3).map_or(end, |at| at + 1);
        }
        let line: String = rest.drain(..end).collect();
        lines.push(line.trim().to_owned());
    }
    if let (false, Some(last)) = (rest.is_empty(), lines.last_mut()) {
        while wide(last, size) + size > width && last.pop().is_some() {}
        last.push('\u{2026}');
    }
    lines
}

/// How wide a text is at most, in pixels: fonts differ, and none of the usual ones is wider.
pub(super) fn wide(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'l' | 'j' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.36,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' | ' ' | 'I' | '`' => 0.46,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1.02,
        c if c.is_ascii_uppercase() || "&~<>=+#_".contains(c) => 0.84,
        c if c.is_ascii() => 0.67,
        c if u32::from(c) < 0x250 => 0.8,
        _ => 1.5,
    };
    text.chars().map(of).sum::<f64>() * size
}

/// A text between tags.
pub(super) fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            c if c.is_control() || ['\u{fffe}', '\u{ffff}'].contains(&c) => written.push(' '),
            c => written.push(c),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_break_where_people_would() {
        let name = "fruits-demo-data-000000000000-with-a-name-that-goes-on-and-on-and-on";
        let lines = fit(name, 160.0, 11.0, 5);
        assert_eq!(lines.concat(), name);
        assert!(lines.len() > 2 && lines.iter().all(|line| wide(line, 11.0) <= 160.0), "{lines:?}");
        assert!(lines[..lines.len() - 1].iter().all(|line| line.ends_with('-')), "{lines:?}");
        let cut = fit(&"x".repeat(900), 160.0, 12.0, 2);
        assert!(cut.len() == 2 && cut[1].ends_with('\u{2026}') && wide(&cut[1], 12.0) <= 172.0, "{cut:?}");
        assert_eq!(fit("", 100.0, 12.0, 2), Vec::<String>::new());
        assert_eq!(fit("日本", 1.0, 12.0, 9), ["日", "本"]);
    }

    #[test]
    fn texts_are_no_tags() {
        assert_eq!(escaped("<a b=\"c\">&\u{1b}\n"), "&lt;a b=&quot;c&quot;&gt;&amp;  ");
    }
}
