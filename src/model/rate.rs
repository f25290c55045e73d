//! The rate of a wire, and what a frame costs on it.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::data::NamedFile;
use super::form::{Short, short_or_long};
use crate::units::{ByteSize, Rate};

/// How fast the wire serializes frames. Short forms: a rate, as in `rate: 20Mbit`, or `none` for a wire that takes no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateSpec {
    /// Frames take no time on the wire, and never queue.
    #[default]
    Unlimited,
    /// So many bits per second, always.
    Constant(Rate),
}

/// The map form, as it stands in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Long {
    /// So many bits per second, always.
    Constant(Rate),
}

impl From<Long> for RateSpec {
    fn from(long: Long) -> RateSpec {
        match long {
            Long::Constant(rate) => RateSpec::Constant(rate),
        }
    }
}

impl Short for RateSpec {
    type Long = Long;
    const EXPECTED: &'static str = "a rate, as in `20Mbit`, or a map with `constant`, or `none`";
    fn from_text(text: &str) -> Result<RateSpec, String> {
        if text == "none" {
            return Ok(RateSpec::Unlimited);
        }
        text.parse().map(RateSpec::Constant).map_err(|e: crate::units::ParseError| e.to_string())
    }
}

impl<'de> Deserialize<'de> for RateSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RateSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl Serialize for RateSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RateSpec::Unlimited => serializer.serialize_str("none"),
            RateSpec::Constant(rate) => rate.serialize(serializer),
        }
    }
}

impl JsonSchema for RateSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RateOfWire".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({
            "description": "Rate of the wire: `20Mbit`, a map, or `none` for a wire that takes no time.",
            "anyOf": [generator.subschema_for::<Rate>(), { "const": "none" }, long],
        })
    }
}

impl RateSpec {
    /// Visits every file that it takes a table from.
    pub fn files(&mut self, _visit: &mut dyn FnMut(&mut dyn NamedFile)) {}
}

/// What a frame costs on the wire beyond its own bytes. Words: `none`, `ethernet`; or a number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// The Ethernet frame without its FCS: what a capture shows.
    #[default]
    None,
    /// IEEE 802.3 on the wire: 24 more bytes (preamble 8, FCS 4, interpacket gap 12).
    Ethernet,
    /// So many more bytes a frame.
    Overhead(ByteSize),
}

/// Preamble and SFD 8, FCS 4, interpacket gap 12 bytes (IEEE 802.3 §3.1.1, §4.4.2).
const ETHERNET_OVERHEAD: u64 = 24;

impl Framing {
    /// The bytes that a frame of `bytes` occupies on the wire.
    #[inline]
    pub fn on_wire(self, bytes: u64) -> u64 {
        bytes
            + match self {
                Framing::None => 0,
                Framing::Ethernet => ETHERNET_OVERHEAD,
                Framing::Overhead(more) => more.as_bytes(),
            }
    }
}

impl Serialize for Framing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Framing::None => serializer.serialize_str("none"),
            Framing::Ethernet => serializer.serialize_str("ethernet"),
            Framing::Overhead(more) => more.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Framing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Framing, D::Error> {
        struct WordOrBytes;
        impl Visitor<'_> for WordOrBytes {
            type Value = Framing;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`none`, `ethernet` (24 bytes a frame), or the overhead of a frame in bytes")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Framing, E> {
                match text {
                    "none" => Ok(Framing::None),
                    "ethernet" => Ok(Framing::Ethernet),
                    _ => match text.parse::<ByteSize>() {
                        Ok(more) => overhead(more.as_bytes()),
                        Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                    },
                }
            }
            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Framing, E> {
                overhead(bytes)
            }
        }
        fn overhead<E: de::Error>(bytes: u64) -> Result<Framing, E> {
            if bytes > MAX_OVERHEAD {
                return Err(E::custom(format!(
                    "an overhead of {bytes} bytes a frame is too large: at most {MAX_OVERHEAD}"
                )));
            }
            Ok(Framing::Overhead(ByteSize::from_bytes(bytes)))
        }
        deserializer.deserialize_any(WordOrBytes)
    }
}

/// More than any encapsulation adds, and small enough that sums stay exact.
const MAX_OVERHEAD: u64 = 65_535;

impl JsonSchema for Framing {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Framing".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "What a frame costs on the wire beyond its own bytes: `none`, `ethernet` (24 bytes), or a number of bytes.",
            "anyOf": [
                { "enum": ["none", "ethernet"] },
                { "type": "integer", "minimum": 0, "maximum": MAX_OVERHEAD },
                generator.subschema_for::<ByteSize>(),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn framing_counts_what_the_wire_carries() {
        assert_eq!(Framing::None.on_wire(1514), 1514);
        assert_eq!(Framing::Ethernet.on_wire(1514), 1538); // the 12.3 µs of a full frame on a gigabit wire
        assert_eq!(Framing::Overhead(ByteSize::from_bytes(0)).on_wire(60), 60);
    }

    #[test]
    fn scenario_forms() {
        let rate = RateSpec::Constant("20Mbit".parse().unwrap());
        assert_eq!(from_json(json!("20Mbit")), Ok(rate));
        assert_eq!(from_json(json!({"constant": "20Mbit"})), Ok(rate));
        assert_eq!(from_json(json!("none")), Ok(RateSpec::Unlimited));
        assert!(from_json::<RateSpec>(json!(20)).unwrap_err().contains("write `20Mbit`"));
        assert_eq!(from_json(json!("ethernet")), Ok(Framing::Ethernet));
        assert_eq!(from_json(json!(42)), Ok(Framing::Overhead(ByteSize::from_bytes(42))));
        assert_eq!(from_json(json!("42B")), Ok(Framing::Overhead(ByteSize::from_bytes(42))));
        assert!(from_json::<Framing>(json!(70_000)).unwrap_err().contains("too large"));
        assert!(from_json::<Framing>(json!("etherent")).is_err());
        for framing in [Framing::None, Framing::Ethernet, Framing::Overhead(ByteSize::from_bytes(9))] {
            assert_eq!(from_json(serde_json::to_value(framing).unwrap()), Ok(framing));
        }
    }
}
