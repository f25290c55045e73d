//! The largest packet of a link or an interface, as a scenario writes it.

use core::fmt;

use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::units::ByteSize;

/// An MTU in L3 bytes, 68 (RFC 791) to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtu(pub u32);

impl<'de> Deserialize<'de> for Mtu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mtu, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Mtu;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an mtu in bytes, as in `1500`,")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Mtu, E> {
                match u32::try_from(number) {
                    Ok(mtu @ 68..=65_535) => Ok(Mtu(mtu)),
                    _ => Err(E::custom(format!("an mtu of {number} is out of range: 68 to 65535 bytes"))),
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Mtu, E> {
                match text.parse::<ByteSize>() {
                    Ok(size) => self.visit_u64(size.as_bytes()),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// Reads an MTU that may be left out, as a plain number.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<Mtu>::deserialize(deserializer)?.map(|Mtu(mtu)| mtu))
}

impl JsonSchema for Mtu {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mtu".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 68, "maximum": 65535 })
    }
}
