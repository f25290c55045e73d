//! Which keys a struct reads: those of its serde implementation, so that they stand nowhere else.

use std::cell::Cell;

use serde::de::value::Error;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::tree::Node;
use crate::diag::{Diagnostics, suggestion};

/// The keys that a struct reads, in the order of its fields.
pub(crate) fn keys_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let keys = Cell::new(&[][..]);
    // the probe never gives a value
    let _ = T::deserialize(Probe(&keys));
    keys.get()
}

/// Notes the keys that a struct asks for.
struct Probe<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("it has no keys"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.set(keys);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Tells of each key of a map that is not known. `instead` may say what to write in place of one.
pub(crate) fn check_keys(
    map: &Node,
    known: &[&str],
    instead: impl Fn(&str) -> Option<&'static str>,
    diagnostics: &mut Diagnostics,
) {
    let entries = map.entries().unwrap_or_default().iter();
    for entry in entries.filter(|entry| !entry.value.pruned && !known.contains(&entry.key.as_str())) {
        let help = instead(&entry.key).map_or_else(|| suggestion(&entry.key, known.iter().copied()), str::to_owned);
        diagnostics.error(entry.key_span, format!("unknown field `{}`", entry.key)).help(help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IgnoredAny;

    #[test]
    fn keys_are_those_that_serde_reads() {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only its keys count")]
        struct Some {
            first: u8,
            #[serde(rename = "use")]
            second: Option<IgnoredAny>,
        }
        assert_eq!(keys_of::<Some>(), ["first", "use"]);
        assert_eq!(keys_of::<u8>(), [""; 0]);
    }
}
