//! Forms that several parts of a scenario share: a short scalar for a longer map, and sizes that people write without a
//! unit because the field does (`mtu: 1500`).

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

/// A type that a scenario may write as a word or quantity instead of as a map.
pub trait Short: Sized {
    /// The long form.
    type Long: for<'de> Deserialize<'de> + TryInto<Self, Error: fmt::Display>;
    /// What to write, for error messages: `a delay (`5ms`) or a map with `mean`, `jitter`, …`.
    const EXPECTED: &'static str;
    /// Reads the short form.
    fn from_text(text: &str) -> Result<Self, String>;
    /// What a bare number should have been; the default refuses it with [`Short::from_text`]'s words.
    fn from_number(number: u64) -> Result<Self, String> {
        Self::from_text(&number.to_string())
    }
}

/// Reads `T` from its short form or its long one.
pub fn short_or_long<'de, T: Short, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Either<T>(PhantomData<T>);
    impl<'de, T: Short> Visitor<'de> for Either<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(T::EXPECTED)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            T::from_text(text).map_err(E::custom)
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
            T::from_number(number).map_err(E::custom)
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            T::from_text(&number.to_string()).map_err(E::custom)
        }
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
            T::from_text(&number.to_string()).map_err(E::custom)
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::Long::deserialize(MapAccessDeserializer::new(map))?.try_into().map_err(de::Error::custom)
        }
    }
    deserializer.deserialize_any(Either(PhantomData))
}

#[cfg(test)]
pub(crate) fn from_json<T: for<'de> Deserialize<'de>>(value: serde_json::Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}
