//! Secrets by the name they are given to: what is written out after `password =` and its like. References and
//! stand-ins are none; what is a literal depends on the language.

use std::ops::Range;

use super::{Kind, Language, Secret, end_of, is_literal, runs};

/// What a name ends in that is given a secret, without its separators.
const TELLING: [&str; 18] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "motdepasse",
    "mdp",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "accountkey",
    "encryptionkey",
    "signingkey",
    "sharedkey",
    "kagglekey",
    "authkey",
];

/// Calls that take a name and then its value, as Spark's do.
const SETTERS: [&str; 6] = ["set(", "config(", "option(", "setdefault(", "putenv(", "setProperty("];

/// Names longer than this name nothing.
const LONGEST_NAME: usize = 128;

/// `name = value`, `name: value`, `--name value`, where the name tells and the value is written out.
pub(super) fn find(text: &str, language: Language, found: &mut Vec<Secret>) {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let (mut read, mut plain) = (0, String::new());
    for (start, name) in runs(text, part).filter(|(_, name)| name.len() <= LONGEST_NAME) {
        if start < read {
            continue;
        }
        plain.clear();
        plain.extend(name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
        let before = &text[text.floor_char_boundary(start.saturating_sub(200))..start];
        let kaggle = plain == "key" && before.contains("\"username\"");
        if !kaggle && !TELLING.iter().any(|telling| plain.ends_with(telling)) {
            continue;
        }
        let from = start + name.len();
        let Some((span, quoted)) = value_of(&text[from..], before, name, language) else { continue };
        let span = from + span.start..from + span.end;
        let value = &text[span.clone()];
        let path = plain.ends_with("pwd") && value.starts_with(['/', '.', '~']);
        let hex = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        // Tokens are random: `token="Marker"` names one.
        let word = plain.ends_with("token") && value.len() < 20 && !value.bytes().any(|byte| byte.is_ascii_digit());
        let literal = is_literal(value, quoted) && !path && !word && (!kaggle || hex);
        // What is quoted may hold assignments of its own.
        if literal || !quoted {
            read = span.end;
        }
        if literal {
            found.push(Secret { span, kind: Kind::Assigned });
        }
    }
}

/// Where, after a name, the text is that it is given, and whether in quotes; nothing where none is written out.
fn value_of(after: &str, before: &str, name: &str, language: Language) -> Option<(Range<usize>, bool)> {
    let quotes = ['"', '\''];
    let quoted_name = before.ends_with(quotes) && after.starts_with(quotes);
    let called = before.strip_suffix(quotes).is_some_and(|before| SETTERS.iter().any(|call| before.ends_with(call)));
    let flag = name.starts_with("--") || before.ends_with("configure set ");
    let mut rest = after;
    if quoted_name {
        rest = rest[1..].strip_prefix(']').unwrap_or(&rest[1..]);
    }
    let spaced = rest.starts_with([' ', '\t']);
    rest = rest.trim_start_matches([' ', '\t']);
    let operator = [":=", "=>", "=", ":", ","].into_iter().find(|operator| rest.starts_with(operator)).unwrap_or("");
    rest = &rest[operator.len()..];
    if operator == "=" && rest.starts_with(['=', '~']) {
        return None;
    }
    let parted = rest.starts_with([' ', '\t']);
    rest = rest.trim_start_matches([' ', '\t']);
    let mut typed = false;
    if language == Language::Python && operator == ":" {
        // A type between name and value: `token: str = "..."`.
        let near = &rest[..rest.floor_char_boundary(rest.len().min(40))];
        if let Some(equals) = near.find('=').filter(|equals| is_type(&near[..*equals])) {
            (typed, rest) = (true, rest[equals + 1..].trim_start_matches(' '));
        }
    }
    if language == Language::Python && rest.starts_with(['b', 'r', 'u']) && rest[1..].starts_with(quotes) {
        rest = &rest[1..];
    }
    let at = after.len() - rest.len();
    if let Some(quote) = rest.chars().next().filter(|c| quotes.contains(c)) {
        let applies = match operator {
            ":" => quoted_name || typed || language == Language::Yaml,
            "," => (flag || called) && !rest[1..].starts_with('-'),
            "" => flag && spaced && !rest[1..].starts_with('-'),
            _ => true,
        };
        let end = end_of(rest, 1, |c| c == quote || c == '\n');
        return (applies && rest[end..].starts_with(quote)).then_some((at + 1..at + end, true));
    }
    let bare = match (operator, language) {
        (_, Language::Python) => false,
        ("=", _) => !spaced && !parted,
        (":", Language::Yaml) => parted,
        (",", _) => flag,
        ("", _) => flag && spaced,
        _ => false,
    };
    if !bare {
        return None;
    }
    let end = end_of(rest, 0, |c| c.is_whitespace() || "\"'`,;|&()[]{}<>".contains(c));
    (operator != ":" || ends_here(&rest[end..])).then_some((at..at + end, false))
}

/// Whether nothing but a remark or the end of what holds it comes after a value: more words are prose.
fn ends_here(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t']);
    rest.is_empty() || rest.starts_with(['\n', '\r', ',', '}', ']', '#'])
}

fn is_type(text: &str) -> bool {
    text.trim().chars().all(|c| c.is_ascii_alphanumeric() || "[]|. _".contains(c))
}
