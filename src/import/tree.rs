//! Trees in the shape of a request, whatever they were read from: how they are made, and how their fields are taken
//! one by one, so that what nobody took can be told.

use std::ops::Range;

use crate::stack::node::{Key, Node, Value};

type Span = Range<usize>;

/// Around a name that stands for something a source does not say: `$BUCKET` of a command, `var.bucket` of Terraform.
const REFERENCE: [char; 2] = ['\u{e000}', '\u{e001}'];

pub(super) fn key(text: &str, span: &Span) -> Key {
    Key { text: text.to_owned(), span: span.clone() }
}

pub(super) fn text(text: &str, span: &Span) -> Node {
    Node { span: span.clone(), value: Value::Scalar { text: text.to_owned(), plain: false } }
}

/// A number or a boolean.
pub(super) fn plain(text: &str, span: &Span) -> Node {
    Node { span: span.clone(), value: Value::Scalar { text: text.to_owned(), plain: true } }
}

pub(super) fn list(items: Vec<Node>, span: &Span) -> Node {
    Node { span: span.clone(), value: Value::List(items) }
}

pub(super) fn map(entries: Vec<(Key, Node)>, span: &Span) -> Node {
    Node { span: span.clone(), value: Value::Map(entries) }
}

/// The text of what is no list and no mapping.
pub(super) fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// Whether two say the same, wherever they stand.
pub(super) fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Nothing, Value::Nothing) => true,
        (Value::Scalar { text: a, .. }, Value::Scalar { text: b, .. }) => a == b,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k.text == l.text && same(a, b))
        }
        _ => false,
    }
}

/// Everything of it stands where that is.
pub(super) fn at(node: &mut Node, span: &Span) {
    node.span = span.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| at(item, span)),
        Value::Map(entries) => {
            for (key, node) in entries {
                key.span = span.clone();
                at(node, span);
            }
        }
        Value::Scalar { .. } | Value::Nothing => {}
    }
}

pub(super) fn renamed(fields: &[(Key, Node)], from: &str, to: &str) -> Vec<(Key, Node)> {
    let name = |key: &Key| if key.text == from { self::key(to, &key.span) } else { key.clone() };
    fields.iter().map(|(key, node)| (name(key), node.clone())).collect()
}

pub(super) fn without(fields: &[(Key, Node)], names: &[&str]) -> Vec<(Key, Node)> {
    fields.iter().filter(|(key, _)| !names.contains(&key.text.as_str())).cloned().collect()
}

/// Whether it says nothing: `null`, `[]`, `{}`.
pub(super) fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Nothing => true,
        Value::Scalar { .. } => false,
        Value::List(items) => items.iter().all(is_empty),
        Value::Map(entries) => entries.is_empty(),
    }
}

/// A name that stands for what is not said here.
pub(super) fn reference(name: &str) -> String {
    let [open, close] = REFERENCE;
    format!("{open}{name}{close}")
}

/// A text as a person wrote it: references as `${name}`.
pub(super) fn shown(text: &str) -> String {
    let [open, close] = REFERENCE;
    if text.contains(REFERENCE) { text.replace(open, "${").replace(close, "}") } else { text.to_owned() }
}

/// The first thing in a text that stands for another: `<bucket>`, a reference, what EMR masks.
pub(super) fn placeholder(text: &str) -> Option<&str> {
    let [open, close] = REFERENCE;
    if text == "********" {
        return Some(text);
    }
    let mut from = 0;
    while let Some(found) = text[from..].find(['<', open]) {
        let start = from + found;
        let opening = text[start..].chars().next().unwrap_or_default();
        let inner = start + opening.len_utf8();
        let end = if opening == '<' { '>' } else { close };
        if let Some(length) = text[inner..].find(end) {
            let name = &text[inner..inner + length];
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
            let plain = |c: char| c.is_alphanumeric() || " _-./".contains(c);
            if opening == open || (begins && name.len() <= 60 && name.chars().all(plain)) {
                return Some(&text[start..inner + length + end.len_utf8()]);
            }
        }
        from = inner;
    }
    None
}

/// The fields of a mapping that nobody has taken yet.
pub(super) struct Fields<'n> {
    /// `Instances.InstanceGroups`, as findings name it.
    pub(super) path: String,
    left: Vec<&'n (Key, Node)>,
}

impl<'n> Fields<'n> {
    /// `None` of what is no mapping.
    pub(super) fn of(node: &'n Node, path: &str) -> Option<Self> {
        let Value::Map(entries) = &node.value else { return None };
        Some(Self { path: path.to_owned(), left: entries.iter().collect() })
    }

    /// Takes a field, however its name is cased; one that says nothing is taken and not given.
    pub(super) fn take(&mut self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The same with its key.
    pub(super) fn entry(&mut self, name: &str) -> Option<(&'n Key, &'n Node)> {
        let found = self.left.iter().position(|(key, _)| key.text.eq_ignore_ascii_case(name))?;
        let (key, node) = self.left.remove(found);
        (!is_empty(node)).then_some((key, node))
    }

    /// What is left and says something.
    pub(super) fn rest(self) -> impl Iterator<Item = (String, &'n Key, &'n Node)> {
        let Self { path, left, .. } = self;
        let told = left.into_iter().filter(|(_, node)| !is_empty(node));
        told.map(move |(key, node)| {
            let at = if path.is_empty() { key.text.clone() } else { format!("{path}.{}", key.text) };
            (at, key, node)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_values() {
        for (text, found) in [
            ("<key>", Some("<key>")),
            ("s3://<your bucket>/logs/", Some("<your bucket>")),
            ("arn:aws:iam::<account>:role/x", Some("<account>")),
            ("<security_group/primary>", Some("<security_group/primary>")),
            ("********", Some("********")),
            ("a < b > c", None),
            ("${yarn.log.dir}", None),
            ("<-", None),
            ("<", None),
            ("<1>", None),
        ] {
            assert_eq!(placeholder(text), found, "{text}");
        }
        let variable = format!("s3://{}/logs", reference("BUCKET"));
        assert_eq!(placeholder(&variable).map(shown).as_deref(), Some("${BUCKET}"));
    }
}
