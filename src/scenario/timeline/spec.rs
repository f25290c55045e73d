//! `timeline:` as it stands in a file: a list of steps.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::at::At;
use crate::model::{CorruptSpec, DelaySpec, DuplicateSpec, Framing, LossSpec, RateSpec, ReorderSpec};
use crate::queue::QueueSpec;
use crate::scenario::link::{Fields, Mtu};
use crate::scenario::spanned::Spanned;
use crate::units::Duration;

/// One step: what happens at one instant.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepSpec {
    /// So long after t = 0 (`10s`), or after an earlier mark (`worse + 2s`).
    pub at: Spanned<At>,
    /// What changes in links, by link: fields as under `links`. What is not mentioned stays.
    #[serde(rename = "set")]
    #[schemars(with = "Option<IndexMap<String, LinkChange>>")]
    pub _set: Option<IgnoredAny>,
    /// A link that goes down, or several: what waits or is on the wire is dropped, what propagates arrives.
    pub down: Option<Spanned<Names>>,
    /// A link that comes up again, or several.
    pub up: Option<Spanned<Names>>,
    /// Where the default routes of hosts go from here on: an interface with a gateway, by host.
    pub route: Option<IndexMap<Spanned<String>, Spanned<String>>>,
    /// A router whose address translation forgets its mappings, or several: each flow gets another outside endpoint.
    pub rebind: Option<Spanned<Names>>,
    /// A name for this instant: a letter first, then letters, digits, `-` and `_`.
    pub mark: Option<Spanned<String>>,
}

/// What changes in a link.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "its shape is all that is used")]
struct LinkChange {
    /// Propagation delay there and back; half goes to each direction.
    rtt: Option<Duration>,
    /// Propagation delay, one way.
    delay: Option<DelaySpec>,
    /// Loss on the wire.
    loss: Option<LossSpec>,
    /// Bits that flip on the wire.
    corrupt: Option<CorruptSpec>,
    /// Frames that arrive twice.
    duplicate: Option<DuplicateSpec>,
    /// Frames that run ahead of the delay.
    reorder: Option<ReorderSpec>,
    /// How fast the wire serializes.
    rate: Option<RateSpec>,
    /// What a frame costs on the wire beyond its own bytes.
    framing: Option<Framing>,
    /// What holds frames while the wire is busy. It goes with `rate`.
    queue: Option<QueueSpec>,
    /// Largest L3 packet that passes, in bytes. Hosts keep their own MTU.
    mtu: Option<Mtu>,
    /// What changes for frames that go toward an end.
    toward: Option<IndexMap<String, Fields>>,
}

/// A name, or a list of names. The place of a lone one is that of the whole.
#[derive(Debug)]
pub(crate) struct Names(pub Vec<Spanned<String>>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Names, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Names;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a list of names,")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Names, E> {
                Ok(Names(vec![Spanned { value: text.to_owned(), span: Default::default() }]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Names, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Names)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Names {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Names".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A name, or a list of names.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        })
    }
}
