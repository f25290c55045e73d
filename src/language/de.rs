//! A serde `Deserializer` over the tree. Whatever goes wrong carries the place of the innermost node, and the way to it,
//! so that the reader can tell it, pass over that node, and look for more mistakes.

use std::cell::Cell;
use std::fmt::{self, Display};

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::spanned::{SPANNED, SpanThenValue};
use super::tree::{Entry, Kind, Node, Origin, Scalar, Value};
use crate::diag::{Span, suggestion};

/// What was wrong with a node. Boxed, because it is rare and the way back up is long.
#[derive(Debug)]
pub(crate) struct Error(Box<Fault>);

/// What an [`Error`] knows.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where; set by the innermost node that saw the error pass.
    pub span: Option<Span>,
    /// Where a parameter's value is used, if the node is one.
    pub via: Option<Span>,
    /// The children that lead to the node, innermost first.
    pub path: Vec<usize>,
    /// What kind of mistake.
    pub kind: ErrorKind,
}

/// What kind of mistake; it decides what is told of those that follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// A value that does not fit.
    Value,
    /// A key that does not belong there: the entry is passed over.
    Key,
    /// A key that is missing, by name.
    Missing(&'static str),
}

impl Error {
    fn of(message: String, help: Option<String>, kind: ErrorKind) -> Error {
        Error(Box::new(Fault { message, help, span: None, via: None, path: Vec::new(), kind }))
    }

    /// All that it knows.
    pub(crate) fn into_fault(self) -> Fault {
        *self.0
    }

    /// Gives the error a place, unless a node further in has.
    fn at(mut self, node: &Node) -> Error {
        if self.0.span.is_none() {
            self.0.span = Some(node.span);
            self.0.via = node.via;
        }
        self
    }

    /// Remembers that the error came out of this child.
    fn within(mut self, child: usize) -> Error {
        self.0.path.push(child);
        self
    }

    fn at_key(mut self, entry: &Entry) -> Error {
        self.0.span = Some(entry.key_span);
        self.0.kind = ErrorKind::Key;
        self
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Error {
        Error::of(message.to_string(), None, ErrorKind::Value)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Error {
        let help = suggestion(field, expected.iter().copied());
        Error::of(format!("unknown field `{field}`"), Some(help), ErrorKind::Value)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Error {
        let help = suggestion(variant, expected.iter().copied());
        Error::of(format!("`{variant}` is not known here"), Some(help), ErrorKind::Value)
    }

    fn missing_field(field: &'static str) -> Error {
        Error::of(format!("`{field}` is missing"), None, ErrorKind::Missing(field))
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Error {
        Error::of(format!("expected {}, found {}", plain(expected), describe(unexpected)), None, ErrorKind::Value)
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Error {
        Error::of(format!("expected {}, found {}", plain(expected), describe(unexpected)), None, ErrorKind::Value)
    }
}

fn describe(unexpected: de::Unexpected<'_>) -> String {
    match unexpected {
        de::Unexpected::Bool(b) => format!("`{b}`"),
        de::Unexpected::Unsigned(n) => format!("`{n}`"),
        de::Unexpected::Signed(n) => format!("`{n}`"),
        de::Unexpected::Float(x) => format!("`{x}`"),
        de::Unexpected::Str(text) | de::Unexpected::Other(text) => format!("`{text}`"),
        de::Unexpected::Unit | de::Unexpected::Option => "nothing".into(),
        de::Unexpected::Seq | de::Unexpected::TupleVariant => "a list".into(),
        de::Unexpected::Map | de::Unexpected::StructVariant => "a map".into(),
        other => other.to_string(),
    }
}

/// serde's words for what it expected, in those of a user.
fn plain(expected: &dyn de::Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "a string" => "a text".into(),
        "a sequence" => "a list".into(),
        "a boolean" => "`true` or `false`".into(),
        "u8" => "a whole number from 0 to 255".into(),
        "u16" => "a whole number from 0 to 65535".into(),
        "u32" | "u64" | "usize" => "a whole number from 0".into(),
        "i32" | "i64" => "a whole number".into(),
        _ if words.starts_with("struct ") => "a map".into(),
        _ => words.trim_end_matches(',').to_owned(),
    }
}

/// Reads a node.
#[derive(Clone, Copy)]
pub(crate) struct NodeDe<'a>(pub &'a Node);

impl<'a> NodeDe<'a> {
    fn scalar<'de, V: Visitor<'de>>(self, scalar: &Scalar, visitor: V) -> Result<V::Value, Error> {
        match scalar.kind {
            Kind::Str => visitor.visit_str(&scalar.text),
            Kind::Bool(b) => visitor.visit_bool(b),
            Kind::Float(x) => visitor.visit_f64(x),
            Kind::Int(n) => match (u64::try_from(n), i64::try_from(n)) {
                (Ok(n), _) => visitor.visit_u64(n),
                (_, Ok(n)) => visitor.visit_i64(n),
                _ => visitor.visit_i128(n),
            },
        }
    }

    fn seq<'de, V: Visitor<'de>>(self, nodes: &'a [Node], visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Walk { nodes: nodes.iter().enumerate() })
    }

    fn map<'de, V: Visitor<'de>>(self, entries: &'a [Entry], visitor: V) -> Result<V::Value, Error> {
        let next = Cell::new(0);
        let value = visitor.visit_map(MapWalk { entries, next: &next })?;
        // A visitor that took one entry and stopped chose between alternatives: the others would be ignored in silence.
        match entries.iter().enumerate().skip(next.get()).find(|(_, entry)| !entry.value.pruned) {
            None => Ok(value),
            Some((at, entry)) => {
                let first = entries.iter().find(|entry| !entry.value.pruned).map_or("", |entry| &entry.key);
                let message = format!("`{}` cannot stand beside `{first}`", entry.key);
                Err(Error::of(message, Some("choose one of them".into()), ErrorKind::Key).at_key(entry).within(at))
            }
        }
    }
}

impl<'de> Deserializer<'de> for NodeDe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Scalar(scalar) => self.scalar(scalar, visitor),
            Value::Seq(nodes) => self.seq(nodes, visitor),
            Value::Map(entries) => self.map(entries, visitor),
        }
        .map_err(|error| error.at(self.0))
    }

    /// A text may be written without quotes even where YAML takes it for a number: `command: [sleep, 5]`.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Scalar(scalar) => visitor.visit_str(&scalar.text).map_err(|error: Error| error.at(self.0)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|error| error.at(self.0))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == SPANNED {
            return visitor.visit_seq(SpanThenValue::new(self.0.span, self)).map_err(|error| error.at(self.0));
        }
        visitor.visit_newtype_struct(self).map_err(|error| error.at(self.0))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let choose = || {
            let help = format!("choose one of {}", list(variants));
            Error::of(format!("{} names none of the choices here", self.0.describe()), Some(help), ErrorKind::Value)
        };
        match &self.0.value {
            Value::Scalar(scalar) => {
                let tag = KeyDe { text: &scalar.text, span: self.0.span };
                visitor.visit_enum(Tagged { tag, content: Content::Nothing(self.0) })
            }
            Value::Map(entries) => {
                let mut alive = entries.iter().enumerate().filter(|(_, entry)| !entry.value.pruned);
                let (at, entry) = alive.next().ok_or_else(|| choose().at(self.0))?;
                if let Some((also, second)) = alive.next() {
                    let message = format!("`{}` cannot stand beside `{}`", second.key, entry.key);
                    let error = Error::of(message, Some("choose one of them".into()), ErrorKind::Key);
                    return Err(error.at_key(second).within(also));
                }
                visitor.visit_enum(Tagged {
                    tag: KeyDe { text: &entry.key, span: entry.key_span },
                    content: Content::Entry(at, entry),
                })
            }
            _ => Err(choose()),
        }
        .map_err(|error| error.at(self.0))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

struct Walk<'a> {
    nodes: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'de> SeqAccess<'de> for Walk<'_> {
    type Error = Error;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.nodes.by_ref().find(|(_, node)| !node.pruned) {
            None => Ok(None),
            Some((at, node)) => seed.deserialize(NodeDe(node)).map(Some).map_err(|error| error.at(node).within(at)),
        }
    }
}

struct MapWalk<'a> {
    entries: &'a [Entry],
    next: &'a Cell<usize>,
}

impl<'de> MapAccess<'de> for MapWalk<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let rest = self.entries.iter().enumerate().skip(self.next.get());
        let Some((at, entry)) = rest.into_iter().find(|(_, entry)| !entry.value.pruned) else {
            self.next.set(self.entries.len());
            return Ok(None);
        };
        self.next.set(at);
        let key = KeyDe { text: &entry.key, span: entry.key_span };
        seed.deserialize(key).map(Some).map_err(|error| error.at_key(entry).within(at))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let at = self.next.get();
        self.next.set(at + 1);
        let entry = self.entries.get(at).ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(NodeDe(&entry.value)).map_err(|error| lacking(error, entry).within(at))
    }
}

/// Of a map that lacks something, the key that names it is underlined.
fn lacking(mut error: Error, entry: &Entry) -> Error {
    if error.0.path.is_empty() && matches!(error.0.kind, ErrorKind::Missing(_)) {
        error.0.span = Some(entry.key_span);
    }
    error.at(&entry.value)
}

/// Reads a key, or a tag.
#[derive(Clone, Copy)]
struct KeyDe<'a> {
    text: &'a str,
    span: Span,
}

impl<'de> Deserializer<'de> for KeyDe<'_> {
    type Error = Error;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == SPANNED {
            return visitor.visit_seq(SpanThenValue::new(self.span, self));
        }
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(de::value::StrDeserializer::new(self.text))
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

/// A choice: its tag, and what stands under it.
struct Tagged<'a> {
    tag: KeyDe<'a>,
    content: Content<'a>,
}

enum Content<'a> {
    /// The tag stands alone, as in `ap: switch`.
    Nothing(&'a Node),
    /// The position of the tag's entry, and the entry.
    Entry(usize, &'a Entry),
}

impl<'de, 'a> EnumAccess<'de> for Tagged<'a> {
    type Error = Error;
    type Variant = Content<'a>;
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'a>), Error> {
        let tag = seed.deserialize(self.tag).map_err(|error| match self.content {
            Content::Nothing(node) => error.at(node),
            Content::Entry(at, entry) => error.at_key(entry).within(at),
        })?;
        Ok((tag, self.content))
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self {
            Content::Nothing(_) => Ok(()),
            Content::Entry(_, entry) if matches!(entry.value.value, Value::Null) => Ok(()),
            Content::Entry(at, entry) => {
                let message = format!("`{}` takes nothing beside it: write the word alone", entry.key);
                Err(Error::of(message, None, ErrorKind::Value).at(&entry.value).within(at))
            }
        }
    }

    /// A tag alone stands for an empty map under it: `host` is `{ host: {} }`.
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        match self {
            Content::Nothing(node) => {
                seed.deserialize(NodeDe(&Node::empty_map(node.span, Origin::File))).map_err(|error| error.at(node))
            }
            Content::Entry(at, entry) => {
                let result = match &entry.value.value {
                    Value::Null => {
                        seed.deserialize(NodeDe(&Node::empty_map(entry.key_span, entry.value.origin.clone())))
                    }
                    _ => seed.deserialize(NodeDe(&entry.value)),
                };
                result.map_err(|error| lacking(error, entry).within(at))
            }
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.newtype_variant_seed(AnyOf(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.newtype_variant_seed(AnyOf(visitor))
    }
}

/// A visitor as a seed.
struct AnyOf<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for AnyOf<V> {
    type Value = V::Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_any(self.0)
    }
}
