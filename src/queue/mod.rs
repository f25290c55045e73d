//! Queue disciplines: one a file. A discipline holds frames while the wire is busy, and decides which it takes, keeps and
//! gives.

pub mod fifo;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::form::{Short, short_or_long};
pub use fifo::FifoSpec;

/// The queue in front of a wire. Externally tagged: `queue: { fifo: { packets: 100 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueSpec {
    /// First in, first out; what does not fit is dropped.
    Fifo(FifoSpec),
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Long {
    /// First in, first out; what does not fit is dropped.
    Fifo(FifoSpec),
}

impl From<Long> for QueueSpec {
    fn from(long: Long) -> QueueSpec {
        match long {
            Long::Fifo(spec) => QueueSpec::Fifo(spec),
        }
    }
}

impl Short for QueueSpec {
    type Long = Long;
    const EXPECTED: &'static str = "a queue, as in `{ fifo: { packets: 100 } }`";
    fn from_text(text: &str) -> Result<QueueSpec, String> {
        match text {
            "fifo" => Err("a fifo needs a limit: write `{ fifo: { packets: 100 } }`, or `bytes` or `time`, or `{ fifo: unlimited }`".into()),
            _ => Err(format!("`{text}` is not a queue: write `{{ fifo: {{ packets: 100 }} }}`, or `bytes` or `time`")),
        }
    }
}

impl<'de> Deserialize<'de> for QueueSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<QueueSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl JsonSchema for QueueSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Queue".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Long::json_schema(generator)
    }
}

impl QueueSpec {
    /// What stands in front of a wire whose scenario names a rate and no queue: 200 ms of it, and at least 10 frames.
    pub const DEFAULT: QueueSpec = QueueSpec::Fifo(FifoSpec::DEFAULT);
}
