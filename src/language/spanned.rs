//! Values that know their places.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::JsonSchema;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, SeqAccess, Visitor};

use super::de::Error;
use crate::diag::{SourceId, Span};
use crate::model::form::forms;

/// Under this name [`Spanned`] asks for its place.
pub(crate) const SPANNED: &str = "$longwire::Spanned";

/// A value with its place. Read by any other deserializer than the tree's, it has none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Spanned<T>) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T: Hash> Hash for Spanned<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<T>, D::Error> {
        struct Parts<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Spanned<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Spanned<T>, D::Error> {
                Ok(Spanned { value: T::deserialize(deserializer)?, span: Span::default() })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Spanned<T>, A::Error> {
                let mut next = || -> Result<u64, A::Error> { Ok(seq.next_element()?.unwrap_or(0)) };
                let (source, start, len, line, column) = (next()?, next()?, next()?, next()?, next()?);
                let span = Span {
                    source: SourceId(source as u16),
                    start: start as usize,
                    len: len as usize,
                    line: line as u32,
                    column: column as u32,
                };
                let value = seq.next_element()?.ok_or_else(|| de::Error::custom("a value is missing"))?;
                Ok(Spanned { value, span })
            }
        }
        deserializer.deserialize_newtype_struct(SPANNED, Parts(PhantomData))
    }
}

/// Hands over a place's numbers, then the value.
pub(crate) struct SpanThenValue<D> {
    numbers: std::array::IntoIter<u64, 5>,
    value: Option<D>,
}

impl<D> SpanThenValue<D> {
    pub(crate) fn new(span: Span, value: D) -> SpanThenValue<D> {
        let numbers = [
            u64::from(span.source.0),
            span.start as u64,
            span.len as u64,
            u64::from(span.line),
            u64::from(span.column),
        ];
        SpanThenValue { numbers: numbers.into_iter(), value: Some(value) }
    }
}

impl<'de, D: Deserializer<'de, Error = Error>> SeqAccess<'de> for SpanThenValue<D> {
    type Error = Error;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if let Some(number) = self.numbers.next() {
            return seed.deserialize(number.into_deserializer()).map(Some);
        }
        self.value.take().map(|value| seed.deserialize(value)).transpose()
    }
}

/// A name, or a list of names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(pub Vec<Spanned<String>>);

forms! {
    Names, "Names", "a name, or a list of names,";
    text { "type": "string" } => |text| Ok(Names::one(text));
    list Vec<Spanned<String>> => |list| Ok(Names(list));
}

impl Names {
    /// A lone name. Its place is that of the whole.
    pub(crate) fn one(text: &str) -> Names {
        Names(vec![Spanned { value: text.to_owned(), span: Span::default() }])
    }

    /// Each name with its place.
    pub(crate) fn each(&self, whole: Span) -> impl Iterator<Item = Spanned<&str>> {
        self.0.iter().map(move |name| {
            let span = if name.span.line == 0 { whole } else { name.span };
            Spanned { value: name.value.as_str(), span }
        })
    }
}

impl Spanned<Names> {
    /// Each name with its place.
    pub(crate) fn each(&self) -> impl Iterator<Item = Spanned<&str>> {
        self.value.each(self.span)
    }
}
