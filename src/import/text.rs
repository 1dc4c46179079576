//! The text of a stack: what is said, what is only remarked, what waits as a comment. It knows YAML, and no cluster.

/// A value of the stack.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// As it stands in the text, quotes included.
    Scalar(String),
    List(Vec<Part>),
    Map(Vec<(String, Part)>),
}

/// A value with what is remarked above it; what is off is written as a comment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) said: Said,
    pub(super) off: bool,
    pub(super) remark: Option<String>,
}

/// Columns of a line.
const WIDTH: usize = 110;

impl Part {
    fn new(said: Said) -> Self {
        Self { said, off: false, remark: None }
    }

    /// Any text, in quotes where it could be taken for something else.
    pub(super) fn text(text: &str) -> Self {
        Self::new(Said::Scalar(scalar(text)))
    }

    /// In quotes whatever it is, as values of properties are.
    pub(super) fn quoted(text: &str) -> Self {
        Self::new(Said::Scalar(quoted(text)))
    }

    /// A number, a word of the language.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and words")]
    pub(super) fn word(word: impl ToString) -> Self {
        Self::new(Said::Scalar(word.to_string()))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::new(Said::List(items))
    }

    pub(super) fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::new(Said::Map(entries.into_iter().map(|(key, part)| (key.into(), part)).collect()))
    }

    pub(super) fn existing(name: &str) -> Self {
        Self::map([("existing", Self::text(name))])
    }

    pub(super) fn off(self) -> Self {
        Self { off: true, ..self }
    }

    pub(super) fn remark(self, remark: impl Into<String>) -> Self {
        Self { remark: Some(remark.into()), ..self }
    }

    /// A collection all of whose parts are off is off itself.
    fn settled(mut self) -> Self {
        let off = |parts: Vec<&mut Self>| {
            let all = !parts.is_empty() && parts.iter().all(|part| part.off);
            if all {
                for part in parts {
                    part.off = false;
                }
            }
            all
        };
        match &mut self.said {
            Said::Scalar(_) => {}
            Said::List(items) => {
                *items = std::mem::take(items).into_iter().map(Self::settled).collect();
                self.off |= off(items.iter_mut().collect());
            }
            Said::Map(entries) => {
                *entries = std::mem::take(entries).into_iter().map(|(key, part)| (key, part.settled())).collect();
                self.off |= off(entries.iter_mut().map(|(_, part)| part).collect());
            }
        }
        self
    }

    /// In one line, where nothing in it is off or remarked.
    fn flow(&self) -> Option<String> {
        let inner = |part: &Self| (!part.off && part.remark.is_none()).then(|| part.flow()).flatten();
        match &self.said {
            Said::Scalar(text) => Some(text.clone()),
            Said::List(items) => {
                let items: Option<Vec<String>> = items.iter().map(inner).collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            Said::Map(entries) => {
                let entry = |(key, part): &(String, Self)| Some(format!("{}: {}", scalar(key), inner(part)?));
                let entries: Option<Vec<String>> = entries.iter().map(entry).collect();
                Some(format!("{{{}}}", entries?.join(", ")))
            }
        }
    }

    /// The lines of what stands after `key:` or `-`, whose own line begins with `head`.
    fn lines(&self, head: &str, indent: usize) -> Vec<String> {
        let pad = " ".repeat(indent);
        let mut lines: Vec<String> = self.remark.iter().map(|remark| format!("{pad}# {remark}")).collect();
        let mut own = match self.flow().filter(|flow| indent + head.len() + flow.len() <= WIDTH) {
            Some(flow) => vec![format!("{pad}{head} {flow}")],
            None => self.block(head, indent),
        };
        if self.off {
            for line in &mut own {
                *line = format!("{pad}# {}", &line[indent..]);
            }
        }
        lines.append(&mut own);
        lines
    }

    fn block(&self, head: &str, indent: usize) -> Vec<String> {
        let pad = " ".repeat(indent);
        match &self.said {
            Said::Scalar(text) => vec![format!("{pad}{head} {text}")],
            Said::List(items) => {
                let items = items.iter().flat_map(|item| item.lines("-", indent + 2));
                std::iter::once(format!("{pad}{head}")).chain(items).collect()
            }
            Said::Map(entries) => {
                let mut lines: Vec<String> = entries
                    .iter()
                    .flat_map(|(key, part)| part.lines(&format!("{}:", scalar(key)), indent + 2))
                    .collect();
                match lines.first_mut() {
                    // `- name: a` in one line.
                    Some(first) if head == "-" && !first.trim_start().starts_with('#') => {
                        *first = format!("{pad}- {}", first.trim_start());
                    }
                    _ => lines.insert(0, format!("{pad}{head}")),
                }
                lines
            }
        }
    }
}

/// The whole text, a line apart where a section begins.
pub(super) fn document(header: &[String], entries: Vec<(String, Part)>) -> String {
    let mut text: String = header.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    for (key, part) in entries {
        if ["buckets", "roles", "bootstrap", "cluster"].contains(&key.as_str()) {
            text.push('\n');
        }
        for line in part.settled().lines(&format!("{}:", scalar(&key)), 0) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// Comment lines of a text, broken between words.
pub(super) fn comment(text: &str, first: &str, then: &str) -> Vec<String> {
    let mut lines = vec![format!("#{first}")];
    let mut length = first.chars().count();
    let printable = |c: char| if matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c };
    for (n, word) in text.split_whitespace().enumerate() {
        let word: String = word.chars().map(printable).collect();
        let wide = word.chars().count();
        if n > 0 && length + wide + 1 > WIDTH {
            lines.push(format!("#{then}"));
            length = then.chars().count();
        }
        if let Some(line) = lines.last_mut() {
            if n > 0 && length > then.chars().count() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        length += wide + 1;
    }
    lines
}

/// Words that YAML, or somebody's YAML, takes for something else than text.
const TAKEN: [&str; 12] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan", "~"];

fn scalar(text: &str) -> String {
    let begins = text.starts_with(|c: char| c.is_alphabetic() || c == '/');
    let inside = |c: char| c.is_alphanumeric() || " _./@+=-".contains(c);
    let plain = begins
        && text.chars().all(inside)
        && !text.ends_with(' ')
        && text.len() <= 80
        && !TAKEN.contains(&text.to_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}') => {
                out.extend(["\\u".to_owned(), format!("{:04x}", u32::from(c))]);
            }
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_a_comment_and_what_is_long_is_broken() {
        let long = Part::map([
            ("classification", Part::text("spark-env")),
            ("properties", Part::map([("A", Part::quoted(&"a".repeat(100))), ("B", Part::quoted("it's \"b\"\n"))])),
        ]);
        let waiting = Part::map([("classification", Part::text("hive-site"))]).off();
        let text = document(
            &["# Header".to_owned()],
            vec![
                ("stack".to_owned(), Part::text("a")),
                ("account".to_owned(), Part::quoted("000000000000")),
                ("bootstrap".to_owned(), Part::list(vec![Part::text("x").off().remark("why")])),
                (
                    "cluster".to_owned(),
                    Part::map([
                        ("name", Part::text("Unité: 1")),
                        ("key_pair", Part::text("<key>").off()),
                        ("configurations", Part::list(vec![long, waiting])),
                    ]),
                ),
            ],
        );
        insta::assert_snapshot!(text, @r#"
        # Header
        stack: a
        account: "000000000000"

        # bootstrap:
        #   # why
        #   - x

        cluster:
          name: "Unité: 1"
          # key_pair: "<key>"
          configurations:
            - classification: spark-env
              properties:
                A: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                B: "it's \"b\"\n"
            # - {classification: hive-site}
        "#);
        let words = comment(&"word ".repeat(40), " - ", "   ");
        assert!(words.len() == 2 && words[1].starts_with("#   word"), "{words:?}");
    }
}
