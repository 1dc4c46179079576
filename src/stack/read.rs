//! From the tree to the types: a serde `Deserializer` over [`Node`]s, whose errors say in our words
//! what was expected and where. Strict: `yes` is no boolean, `3.0` no whole number. Where reading
//! fails, the part at fault is set aside and reading goes on, so that one run tells all.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::finding::{Problem, meant, nearest};
use super::node::{Key, Node, Span, Value};

/// More mistakes than this are not read further.
const MOST: usize = 50;

/// Reads a type from a tree, or tells everything that hinders it.
pub(super) fn read<T: DeserializeOwned>(root: &Node) -> Result<T, Vec<Problem>> {
    let mut rest = root.clone();
    let mut problems = Vec::new();
    let mut set_aside: Vec<Vec<String>> = Vec::new();
    loop {
        let error = match T::deserialize(Reader(&rest)) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => return Err(problems),
            Err(error) => error,
        };
        let path: Vec<String> = error.path.iter().rev().cloned().collect();
        // What is missing because it was set aside, or misspelt, has been told already.
        let told = matches!(error.about, About::Missing(field) if {
            let mut here = set_aside.iter().filter_map(|aside| aside.strip_prefix(path.as_slice()));
            here.any(|below| matches!(below, [only] if nearest(only, [field]).is_some()))
        });
        if !told {
            problems.push(error.into_problem(&path));
        }
        if problems.len() >= MOST || !rest.remove(&path) {
            return Err(problems);
        }
        set_aside.push(path);
    }
}

/// An error on its way out of the tree; gathers place and path as it passes.
#[derive(Debug)]
struct ReadError {
    message: String,
    hint: Option<String>,
    span: Option<Span>,
    /// Keys and indices, innermost first.
    path: Vec<String>,
    about: About,
}

/// What kind of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// A field is missing.
    Missing(&'static str),
    /// A word that is none, where one alone is near.
    Instead(&'static str),
    Else,
}

impl ReadError {
    fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { message: message.into(), hint, span: None, path: Vec::new(), about: About::Else }
    }

    fn at(mut self, span: &Span) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }

    fn below(mut self, part: impl Into<String>) -> Self {
        self.path.push(part.into());
        self
    }

    fn into_problem(self, path: &[String]) -> Problem {
        let code = if path == ["region"] { "FI201" } else { "FI110" };
        let mut problem = Problem::new(code, self.span.unwrap_or(0..0), self.message);
        problem.hint = self.hint;
        match self.about {
            About::Instead(instead) => problem.becomes(instead),
            _ => problem,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    /// A second line is the hint.
    fn custom<T: fmt::Display>(message: T) -> Self {
        let text = message.to_string();
        match text.split_once('\n') {
            Some((message, hint)) => Self::new(message, Some(hint.to_owned())),
            None => Self::new(text, None),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = meant(field, expected.iter().copied(), "there are none here");
        let about = nearest(field, expected.iter().copied()).map_or(About::Else, About::Instead);
        Self { about, ..Self::new(format!("unknown field `{field}`"), Some(hint)) }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = meant(variant, expected.iter().copied(), "there are none");
        let about = nearest(variant, expected.iter().copied()).map_or(About::Else, About::Instead);
        Self { about, ..Self::new(format!("`{variant}` is not among the choices"), Some(hint)) }
    }

    fn missing_field(field: &'static str) -> Self {
        let error = Self::new(format!("`{field}` is missing"), Some(format!("add `{field}: ...` here")));
        Self { about: About::Missing(field), ..error }
    }
}

struct Reader<'a>(&'a Node);

impl Reader<'_> {
    fn wrong(&self, expected: &str) -> ReadError {
        let (found, hint) = match &self.0.value {
            Value::Nothing => ("nothing".to_owned(), Some("write a value, or remove the key".to_owned())),
            Value::Scalar { text, .. } => (format!("`{text}`"), None),
            Value::List(_) => ("a list".to_owned(), None),
            Value::Map(_) => ("a mapping".to_owned(), None),
        };
        ReadError::new(format!("expected {expected}, found {found}"), hint).at(&self.0.head())
    }

    fn scalar(&self, expected: &str) -> Result<&str, ReadError> {
        match &self.0.value {
            Value::Scalar { text, .. } => Ok(text),
            _ => Err(self.wrong(expected)),
        }
    }

    fn plain(&self, expected: &str) -> Result<&str, ReadError> {
        match &self.0.value {
            Value::Scalar { text, plain: true } => Ok(text),
            Value::Scalar { text, plain: false } => {
                let error = ReadError::new(format!("expected {expected}, found the text `{text}`"), None);
                Err(error.at(&self.0.span))
            }
            _ => Err(self.wrong(expected)),
        }
    }

    fn whole_number(&self) -> Result<u64, ReadError> {
        let text = self.plain("a whole number")?;
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.ok_or_else(|| self.wrong("a whole number"))
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            let number = <$type>::try_from(self.whole_number()?).map_err(|_| {
                self.wrong(&format!("a whole number up to {}", <$type>::MAX))
            })?;
            visitor.$visit(number)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    whole_numbers! {
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let head = self.0.head();
        match &self.0.value {
            Value::Nothing => Err(self.wrong("a value")),
            Value::Scalar { text, .. } => visitor.visit_str(text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
        .map_err(|error| error.at(&head))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let quoted = matches!(self.0.value, Value::Scalar { plain: false, .. });
        let (found, hint) = match self.scalar("true or false")? {
            "true" if !quoted => return visitor.visit_bool(true),
            "false" if !quoted => return visitor.visit_bool(false),
            other @ ("true" | "false") => (other, Some("write it without quotes")),
            other => match other.to_lowercase().as_str() {
                "yes" | "y" | "on" | "true" => (other, Some("write true")),
                "no" | "n" | "off" | "false" => (other, Some("write false")),
                _ => (other, None),
            },
        };
        let error = ReadError::new(format!("expected true or false, found `{found}`"), hint.map(str::to_owned));
        Err(error.at(&self.0.span))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let number = self.plain("a number")?.parse().ok().filter(|number: &f64| number.is_finite());
        visitor.visit_f64(number.ok_or_else(|| self.wrong("a number"))?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let text = self.scalar("a text")?;
        visitor.visit_str(text).map_err(|error: ReadError| error.at(&self.0.span))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.value {
            Value::Nothing => Err(self.wrong("a value")),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let text = self.scalar("a word")?;
        let variant: StrDeserializer<'_, ReadError> = text.into_deserializer();
        visitor.visit_enum(variant).map_err(|error| error.at(&self.0.span))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::List(items) = &self.0.value else { return Err(self.wrong("a list")) };
        let items = items.iter().enumerate();
        visitor.visit_seq(Items { items }).map_err(|error| error.at(&self.0.head()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::Map(entries) = &self.0.value else { return Err(self.wrong("a mapping")) };
        visitor.visit_map(Entries { entries: entries.iter(), value: None }).map_err(|error| error.at(&self.0.head()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if !matches!(self.0.value, Value::Map(_)) {
            let fields = fields.join(", ");
            let hint = match self.0.value {
                Value::Nothing => format!("write {{}} to take the defaults, or some of: {fields}"),
                _ => format!("its fields are: {fields}"),
            };
            return Err(ReadError { hint: Some(hint), ..self.wrong("fields with their values") });
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i8 i16 i32 i64 i128 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier }
}

struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        seed.deserialize(Reader(node)).map(Some).map_err(|error| error.at(&node.head()).below(index.to_string()))
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, (Key, Node)>,
    value: Option<&'a (Key, Node)>,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry);
        let (key, _) = entry;
        let text: StrDeserializer<'_, ReadError> = key.text.as_str().into_deserializer();
        seed.deserialize(text).map(Some).map_err(|error| error.at(&key.span).below(&key.text))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some((key, node)) = self.value else {
            return Err(ReadError::new("a value was asked for before its key", None));
        };
        let span = if matches!(node.value, Value::Scalar { .. }) { &node.span } else { &key.span };
        seed.deserialize(Reader(node)).map_err(|error| error.at(span).below(&key.text))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        flag: bool,
        count: Option<u8>,
        share: Option<f64>,
        text: Option<String>,
    }

    fn told(text: &str) -> Vec<(String, String)> {
        let root = Node::parse(text).expect("is YAML");
        let problems = read::<Sample>(&root).expect_err("is not a sample");
        problems.into_iter().map(|problem| (problem.message, problem.hint.unwrap_or_default())).collect()
    }

    #[test]
    fn scalars_are_read_strictly() {
        let root = Node::parse("{flag: true, count: 255, share: 0.90, text: 1.10}").expect("is YAML");
        let sample = Sample { flag: true, count: Some(255), share: Some(0.9), text: Some("1.10".to_owned()) };
        assert_eq!(read::<Sample>(&root), Ok(sample));
        for (wrong, message) in [
            ("flag: yes", "expected true or false, found `yes`"),
            ("flag: True", "expected true or false, found `True`"),
            ("flag: 'true'", "expected true or false, found `true`"),
            ("flag: 1", "expected true or false, found `1`"),
            ("count: 256", "expected a whole number up to 255, found `256`"),
            ("count: 0x10", "expected a whole number, found `0x10`"),
            ("count: 3.0", "expected a whole number, found `3.0`"),
            ("count: -1", "expected a whole number, found `-1`"),
            ("count: '3'", "expected a whole number, found the text `3`"),
            ("share: .inf", "expected a number, found `.inf`"),
            ("text: [a]", "expected a text, found a list"),
            ("text:", "expected a value, found nothing"),
        ] {
            assert_eq!(told(wrong)[0].0, message, "{wrong}");
        }
    }

    #[test]
    fn reading_goes_on_after_a_mistake_but_not_for_ever() {
        let three = told("{flag: on, cuont: 3, text: {}}");
        assert_eq!(three.len(), 3, "{three:?}");
        assert_eq!(three[1], ("unknown field `cuont`".to_owned(), "did you mean `count`?".to_owned()));
        let many: Vec<String> = (0..200).map(|number| format!("f{number}: x")).collect();
        assert_eq!(told(&many.join("\n")).len(), MOST);
    }
}
