//! A YAML document as a tree that remembers where everything stands. Scalars stay text (a version
//! `1.10` must not become 1.1) and the tree knows nothing of stacks. Bounds keep hostile input from
//! taking time or memory: depth, nodes, aliases.

use std::ops::Range;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::{DuplicateKeyPolicy, Error, MergeKeyPolicy, NonFiniteFloatPolicy, Spanned};

use super::finding::Problem;

/// Bytes of the source.
pub(crate) type Span = Range<usize>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Nothing,
    /// `plain` is without quotes, so that `true` and `3` mean a boolean and a number.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order written. Keys are unique.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// No stack that a person writes comes near these.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 10_000;
const MAX_ALIASES: usize = 500;

impl Node {
    /// Reads one document.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let options = serde_yaml::options! {
            strict_booleans: true,
            duplicate_keys: DuplicateKeyPolicy::Error,
            merge_keys: MergeKeyPolicy::Merge,
            reject_unsupported_tags: true,
            non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
            budget: serde_yaml::budget! {
                max_depth: MAX_DEPTH,
                max_nodes: MAX_NODES,
                max_aliases: MAX_ALIASES,
                flow_nesting_limit: MAX_DEPTH,
                max_documents: 2,
            },
            alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: MAX_NODES },
        };
        let mut root: Self = serde_yaml::from_str_with_options(text, options).map_err(|error| explain(&error, text))?;
        root.keep_plain_text(text);
        if root.value == Value::Nothing {
            return Err(
                Problem::new("FI101", 0..0, "the file is empty").hint("begin with `stack:`, `region:` and `owner:`")
            );
        }
        Ok(root)
    }

    /// The node at a path of keys and indices.
    pub(crate) fn find(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, part| node.child(part))
    }

    /// Where to point for a path: the value of a scalar, the key of anything larger. What was left
    /// unsaid is pointed at by the nearest thing around it.
    pub(crate) fn span_of(&self, path: &[&str]) -> Span {
        let mut node = self;
        let mut span = self.head();
        for part in path {
            let key = match &node.value {
                Value::Map(entries) => entries.iter().map(|(key, _)| key).find(|key| key.text == *part),
                _ => None,
            };
            let Some(child) = node.child(part) else { break };
            node = child;
            span = match (&node.value, key) {
                (Value::Scalar { .. }, _) | (_, None) => node.head(),
                (_, Some(key)) => key.span.clone(),
            };
        }
        span
    }

    /// Every text in it, with its place.
    pub(crate) fn scalars(&self, told: &mut impl FnMut(&str, &Span)) {
        match &self.value {
            Value::Scalar { text, .. } => told(text, &self.span),
            Value::Map(entries) => entries.iter().for_each(|(_, node)| node.scalars(told)),
            Value::List(items) => items.iter().for_each(|node| node.scalars(told)),
            Value::Nothing => {}
        }
    }

    /// Takes the node at a path away; false where there is none.
    pub(crate) fn remove(&mut self, path: &[String]) -> bool {
        let Some((last, outer)) = path.split_last() else { return false };
        let mut node = self;
        for part in outer {
            let Some(child) = node.child_mut(part) else { return false };
            node = child;
        }
        match &mut node.value {
            Value::Map(entries) => {
                let before = entries.len();
                entries.retain(|(key, _)| key.text != *last);
                entries.len() < before
            }
            Value::List(items) => match last.parse::<usize>() {
                Ok(index) if index < items.len() => {
                    items.remove(index);
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// The first key, or the first item, where a whole mapping or list would be too much to show.
    pub(crate) fn head(&self) -> Span {
        match &self.value {
            Value::Map(entries) => entries.first().map_or(self.span.clone(), |(key, _)| key.span.clone()),
            Value::List(items) => items.first().map_or(self.span.clone(), Self::head),
            _ => self.span.clone(),
        }
    }

    fn child(&self, part: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(key, _)| key.text == part).map(|(_, node)| node),
            Value::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        }
    }

    pub(super) fn child_mut(&mut self, part: &str) -> Option<&mut Self> {
        match &mut self.value {
            Value::Map(entries) => entries.iter_mut().find(|(key, _)| key.text == part).map(|(_, node)| node),
            Value::List(items) => items.get_mut(part.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The parser hands plain numbers over as numbers: takes their text from the source instead.
    fn keep_plain_text(&mut self, source: &str) {
        match &mut self.value {
            Value::Scalar { text, plain: true } => {
                source.get(self.span.clone()).unwrap_or_default().trim_end().clone_into(text);
            }
            Value::List(items) => items.iter_mut().for_each(|item| item.keep_plain_text(source)),
            Value::Map(entries) => entries.iter_mut().for_each(|(_, node)| node.keep_plain_text(source)),
            Value::Scalar { .. } | Value::Nothing => {}
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, defined, .. } = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { span: span_at(defined), value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a scalar, a list or a mapping")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Scalar { text: text.to_owned(), plain: false })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(PLAIN)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(PLAIN)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(PLAIN)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Value, E> {
        Ok(PLAIN)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value, E> {
        Ok(PLAIN)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(PLAIN)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let span = span_at(key.defined);
            entries.push((Key { text: key.value, span }, map.next_value()?));
        }
        Ok(Value::Map(entries))
    }
}

/// A plain scalar whose text is filled in afterwards, by [`Node::keep_plain_text`].
const PLAIN: Value = Value::Scalar { text: String::new(), plain: true };

fn span_at(location: serde_yaml::Location) -> Span {
    let span = location.span();
    let offset = |bytes: Option<u64>| bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    let start = offset(span.byte_offset());
    start..start + offset(span.byte_len())
}

/// As [`span_at`], also where the parser tells line and column alone.
fn span_in(text: &str, location: serde_yaml::Location) -> Span {
    if location.span().byte_offset().is_some_and(|offset| offset > 0) {
        return span_at(location);
    }
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let before = text.split_inclusive('\n').take(number(location.line())).map(str::len).sum::<usize>();
    let line = text[before..].lines().next().unwrap_or_default();
    let within = line.chars().take(number(location.column())).map(char::len_utf8).sum::<usize>();
    before + within..before + within
}

/// Says in our words what the parser could not read.
fn explain(error: &Error, text: &str) -> Problem {
    let error = error.without_snippet();
    let at = error.location().map_or(0..0, |location| span_in(text, location));
    let message = error.to_string();
    let message = message.lines().next().unwrap_or_default();
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let too_much = |what: &str| {
        let hint = format!("a stack is nested {MAX_DEPTH} levels deep at most and holds {MAX_NODES} values");
        Problem::new("FI105", at.clone(), what).hint(hint)
    };
    match error {
        Error::AliasError { error, .. } => explain(error, text),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("this key");
            Problem::new("FI103", at, format!("`{key}` is said twice")).hint("keep one of the two")
        }
        Error::MultipleDocuments { .. } => Problem::new("FI104", at, "a second document begins here")
            .hint("write one stack a file, without `---` inside"),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_much("nested too deep"),
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => too_much("more documents than one"),
        Error::Budget { .. } => too_much("more than a stack can hold"),
        // The scanner, which stops before the budget is asked, has no variant of its own for it.
        Error::ExternalMessage { .. } if message.starts_with("recursion limit") => too_much("nested too deep"),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => {
            too_much("aliases (`*name`) unfold to more than a stack can hold")
        }
        Error::Eof { .. } => {
            Problem::new("FI101", at, "the file is empty").hint("begin with `stack:`, `region:` and `owner:`")
        }
        _ => match tabs_near(text, at.start) {
            Some(tabs) => Problem::new("FI102", tabs, "a tab indents this line")
                .hint("YAML is indented with spaces: use two for each level"),
            None => Problem::new("FI100", at, format!("not YAML: {message}"))
                .hint("check indentation, quotes and brackets around this place"),
        },
    }
}

/// The indentation with a tab in it, of the line at a place or of the next: the scanner stops at
/// either, by what stands before.
fn tabs_near(text: &str, at: usize) -> Option<Span> {
    let at = text.floor_char_boundary(at);
    let mut start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    for line in text[start..].split_inclusive('\n').take(2) {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if line[..indent].contains('\t') {
            return Some(start..start + indent);
        }
        start += line.len();
    }
    None
}
