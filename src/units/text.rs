//! How quantities stand in scenario files, in reports and in the JSON Schema: as their text.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::Deserializer;
use serde::de::{Error, Visitor};

use super::grammar::{Dimension, ParseError};

/// Serde and the JSON Schema of a quantity.
macro_rules! quantity_in_files {
    ($type:ident, $dimension:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                $crate::units::text::read(deserializer, $dimension)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::units::text::schema($dimension)
            }
        }
    };
}
pub(super) use quantity_in_files;

pub(super) fn read<'de, T: FromStr<Err = ParseError>, D: Deserializer<'de>>(
    deserializer: D,
    dimension: Dimension,
) -> Result<T, D::Error> {
    struct Text<T>(Dimension, PhantomData<T>);
    impl<T: FromStr<Err = ParseError>> Visitor<'_> for Text<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a {}, as in `{}`", self.0.what(), self.0.example("5"))
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
        fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
            Err(E::custom(self.0.without_unit(&number.to_string())))
        }
        fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
            Err(E::custom(format!("`{number}` is not a {}: it is negative, and has no unit", self.0.what())))
        }
        fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
            Err(E::custom(self.0.without_unit(&number.to_string())))
        }
    }
    deserializer.deserialize_any(Text(dimension, PhantomData))
}

pub(super) fn schema(dimension: Dimension) -> schemars::Schema {
    let names = dimension.names();
    let per_second = if dimension == Dimension::Rate { "(/s)?" } else { "" };
    schemars::json_schema!({
        "type": "string",
        "description": format!("A {}, as in `{}`; units: {names}", dimension.what(), dimension.example("5")),
        "pattern": format!(r"^[0-9.]+ ?({}){per_second}$|^\$[A-Za-z_]", names.replace(' ', "|")),
    })
}
