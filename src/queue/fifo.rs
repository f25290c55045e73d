//! First in, first out, limited by packets, bytes or time; what does not fit is dropped from the tail.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::form::{Short, short_or_long};
use crate::units::{ByteSize, Duration};

/// The limits of a fifo, at least one of them; all that are given hold. They count waiting frames, not the one on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FifoSpec {
    /// At most so many wire frames wait.
    pub packets: Option<u32>,
    /// At most so many bytes wait (Ethernet frames without FCS).
    pub bytes: Option<ByteSize>,
    /// At most so much time on the wire waits, at the present rate, framing included.
    pub time: Option<Duration>,
    /// With `time`: so many frames may wait in any case. A slow wire would hold none otherwise.
    pub min_packets: u32,
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// At most so many wire frames wait.
    packets: Option<u32>,
    /// At most so many bytes wait.
    bytes: Option<ByteSize>,
    /// At most so much time on the wire waits.
    time: Option<Duration>,
    /// With `time`: so many frames may wait in any case.
    #[serde(default)]
    min_packets: u32,
}

impl From<Long> for FifoSpec {
    fn from(Long { packets, bytes, time, min_packets }: Long) -> FifoSpec {
        FifoSpec { packets, bytes, time, min_packets }
    }
}

impl FifoSpec {
    /// 200 ms, and at least 10 frames.
    pub const DEFAULT: FifoSpec =
        FifoSpec { packets: None, bytes: None, time: Some(Duration::from_millis(200)), min_packets: 10 };
    /// No limit; spelled `fifo: unlimited`.
    pub const UNLIMITED: FifoSpec = FifoSpec { packets: None, bytes: None, time: None, min_packets: 0 };

    /// Why these limits cannot stand together, if so.
    fn check(&self) -> Result<(), String> {
        if self.min_packets > 0 && self.time.is_none() {
            return Err("`min_packets` goes with `time`: it lets some frames wait however slow the wire".into());
        }
        Ok(())
    }
}

impl Short for FifoSpec {
    type Long = Limits;
    const EXPECTED: &'static str =
        "the limits of a fifo, as in `{ packets: 100 }`, `{ bytes: 64kB }` or `{ time: 50ms }`, or `unlimited`";
    fn from_text(text: &str) -> Result<FifoSpec, String> {
        match text {
            "unlimited" => Ok(FifoSpec::UNLIMITED),
            _ => Err(format!(
                "`{text}` is not a limit: write `{{ packets: 100 }}`, `{{ bytes: 64kB }}` or `{{ time: 50ms }}`, or `unlimited`"
            )),
        }
    }
}

/// A map that names at least one limit.
#[derive(Deserialize)]
#[serde(try_from = "Long")]
pub struct Limits(FifoSpec);

impl TryFrom<Long> for Limits {
    type Error = String;
    fn try_from(long: Long) -> Result<Limits, String> {
        let spec = FifoSpec::from(long);
        if spec == FifoSpec::UNLIMITED {
            return Err("a fifo needs a limit: `packets`, `bytes` or `time`, or write `fifo: unlimited`".into());
        }
        spec.check()?;
        Ok(Limits(spec))
    }
}

impl From<Limits> for FifoSpec {
    fn from(limits: Limits) -> FifoSpec {
        limits.0
    }
}

impl<'de> Deserialize<'de> for FifoSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FifoSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl Serialize for FifoSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == FifoSpec::UNLIMITED {
            return serializer.serialize_str("unlimited");
        }
        #[derive(Serialize)]
        struct Given {
            #[serde(skip_serializing_if = "Option::is_none")]
            packets: Option<u32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            bytes: Option<ByteSize>,
            #[serde(skip_serializing_if = "Option::is_none")]
            time: Option<Duration>,
            #[serde(skip_serializing_if = "Option::is_none")]
            min_packets: Option<u32>,
        }
        let FifoSpec { packets, bytes, time, min_packets } = *self;
        Given { packets, bytes, time, min_packets: (min_packets > 0).then_some(min_packets) }.serialize(serializer)
    }
}

impl JsonSchema for FifoSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fifo".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({ "anyOf": [long, { "const": "unlimited" }] })
    }
}
