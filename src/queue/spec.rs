//! `queue:` as it stands in a scenario.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{CodelSpec, FifoSpec, FqCodelSpec, PieSpec, RedSpec};
use crate::model::form::forms;

/// The queue in front of a wire. Externally tagged: `queue: { fifo: { packets: 100 } }`. Short forms: `codel`, `fq_codel`,
/// `pie`, each with its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueSpec {
    /// First in, first out; what does not fit is dropped.
    Fifo(FifoSpec),
    /// First in, first out; what does not fit pushes out the oldest.
    DropHead(FifoSpec),
    /// Random early detection.
    Red(RedSpec),
    /// Controlled delay.
    Codel(CodelSpec),
    /// A CoDel for each flow.
    FqCodel(FqCodelSpec),
    /// Proportional integral controller, enhanced.
    Pie(PieSpec),
}

impl QueueSpec {
    /// What stands in front of a wire whose scenario names a rate and no queue: 200 ms of it, and at least 10 frames.
    pub const DEFAULT: QueueSpec = QueueSpec::Fifo(FifoSpec::DEFAULT);
}

/// A spec whose values were held against each other and their ranges.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Sound<T>(T);

/// What has ranges, or values that can conflict.
pub(super) trait Checked {
    /// Why these values cannot stand, and what to write instead.
    fn check(&self) -> Result<(), String>;
}

impl<'de, T: Deserialize<'de> + Checked> Deserialize<'de> for Sound<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sound<T>, D::Error> {
        let spec = T::deserialize(deserializer)?;
        spec.check().map_err(serde::de::Error::custom)?;
        Ok(Sound(spec))
    }
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Long {
    /// First in, first out; what does not fit is dropped.
    Fifo(FifoSpec),
    /// First in, first out; what does not fit pushes out the oldest.
    DropHead(FifoSpec),
    /// Random early detection (Floyd and Jacobson 1993).
    Red(Sound<RedSpec>),
    /// Controlled delay (RFC 8289).
    Codel(Sound<CodelSpec>),
    /// A CoDel for each flow, served in turns (RFC 8290).
    FqCodel(Sound<FqCodelSpec>),
    /// Proportional integral controller, enhanced (RFC 8033).
    Pie(Sound<PieSpec>),
}

impl From<Long> for QueueSpec {
    fn from(long: Long) -> QueueSpec {
        match long {
            Long::Fifo(spec) => QueueSpec::Fifo(spec),
            Long::DropHead(spec) => QueueSpec::DropHead(spec),
            Long::Red(Sound(spec)) => QueueSpec::Red(spec),
            Long::Codel(Sound(spec)) => QueueSpec::Codel(spec),
            Long::FqCodel(Sound(spec)) => QueueSpec::FqCodel(spec),
            Long::Pie(Sound(spec)) => QueueSpec::Pie(spec),
        }
    }
}

forms! {
    QueueSpec, "Queue": "The queue in front of the wire: a map, or a word for one with its defaults.",
    "a queue, as in `{ fifo: { packets: 100 } }`, or one of `codel`, `fq_codel` and `pie`";
    words {
        "codel" => QueueSpec::Codel(CodelSpec::default()),
        "fq_codel" => QueueSpec::FqCodel(FqCodelSpec::default()),
        "pie" => QueueSpec::Pie(PieSpec::default()),
    }
    not text => |text| match text {
        "fifo" | "drop_head" => format!(
            "a {text} needs a limit: write `{{ {text}: {{ packets: 100 }} }}`, or `bytes` or `time`, or `{{ {text}: unlimited }}`"
        ),
        "red" => "a red needs a limit: write `{ red: { limit: 400kB } }`".into(),
        _ => format!(
            "`{text}` is not a queue: write `{{ fifo: {{ packets: 100 }} }}`, or `bytes` or `time`, or one of `codel`, `fq_codel` and `pie`; there are `drop_head` and `red` too"
        ),
    };
    map Long => |long| Ok(QueueSpec::from(long));
}

/// A word as a number from 0 to below 1, all of whose 53 bits are drawn: exact on every machine.
pub(super) fn uniform(word: u64) -> f64 {
    const SCALE: f64 = 1.0 / (1u64 << 53) as f64;
    (word >> 11) as f64 * SCALE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::units::{ByteSize, Duration};
    use serde_json::json;

    fn refused(value: serde_json::Value, words: &str) {
        let told = from_json::<QueueSpec>(value.clone()).expect_err(&value.to_string());
        assert!(told.contains(words), "{value}: {told}");
    }

    #[test]
    fn words_stand_for_the_defaults_of_the_rfcs() {
        let ms = Duration::from_millis;
        let codel = CodelSpec { target: ms(5), interval: ms(100), limit: 1000, ecn: false };
        assert_eq!(from_json(json!("codel")), Ok(QueueSpec::Codel(codel)));
        assert_eq!(from_json(json!({"codel": {}})), Ok(QueueSpec::Codel(codel)));
        let Ok(QueueSpec::FqCodel(fq)) = from_json(json!("fq_codel")) else { panic!() };
        assert_eq!((fq.flows, fq.quantum, fq.limit), (1024, ByteSize::from_bytes(1514), 10_240));
        assert_eq!((fq.target, fq.interval, fq.ecn), (ms(5), ms(100), true));
        let Ok(QueueSpec::Pie(pie)) = from_json(json!("pie")) else { panic!() };
        assert_eq!((pie.target, pie.tupdate, pie.burst, pie.limit), (ms(15), ms(15), ms(150), 1000));
        let gains = serde_json::to_value((pie.alpha, pie.beta)).unwrap();
        assert_eq!(gains, json!([0.125, 1.25]));
    }

    #[test]
    fn every_form_reads_back_as_it_was() {
        for value in [
            json!({"fifo": {"packets": 3}}),
            json!({"drop_head": {"time": "50ms"}}),
            json!({"drop_head": "unlimited"}),
            json!({"red": {"limit": "400kB"}}),
            json!({"red": {"limit": "1MB", "min": "30kB", "max": "90kB", "probability": "10%", "avpkt": "1500B",
                "weight": "0.4%", "adaptive": true, "ecn": true}}),
            json!({"codel": {"target": "10ms", "interval": "200ms", "limit": 50, "ecn": true}}),
            json!({"fq_codel": {"flows": 1, "quantum": "300B", "memory": "1MiB", "ecn": false}}),
            json!({"pie": {"alpha": 2, "beta": 0, "derandomize": false, "ecn": true, "ecn_threshold": "20%"}}),
        ] {
            let spec: QueueSpec = from_json(value.clone()).unwrap();
            assert_eq!(from_json(serde_json::to_value(spec).unwrap()), Ok(spec), "{value}");
        }
    }

    #[test]
    fn what_is_out_of_range_or_in_conflict_is_told_with_its_cure() {
        refused(json!("fifo"), "write `{ fifo: { packets: 100 } }`");
        refused(json!("drop_head"), "write `{ drop_head: { packets: 100 } }`");
        refused(json!("red"), "write `{ red: { limit: 400kB } }`");
        refused(json!("cake"), "is not a queue");
        refused(json!({"codel": {"target": "100ms"}}), "not below the `interval`");
        refused(json!({"codel": {"target": "0ms"}}), "5ms suits");
        refused(json!({"codel": {"tarhet": "5ms"}}), "unknown field");
        refused(json!({"codel": {"target": 5}}), "write `5ms`");
        refused(json!({"fq_codel": {"flows": 0}}), "1 to 65536");
        refused(json!({"fq_codel": {"flows": 65537}}), "1 to 65536");
        refused(json!({"fq_codel": {"quantum": "255B"}}), "256B to 1MB");
        refused(json!({"fq_codel": {"interval": "5ms"}}), "not below the `interval`");
        refused(json!({"pie": {"tupdate": "999us"}}), "1ms to 10s");
        refused(json!({"pie": {"target": "0ms"}}), "15ms suits");
        refused(json!({"pie": {"alpha": 0}}), "0.125 suits");
        refused(json!({"pie": {"alpha": 32.1}}), "0 to 32");
        refused(json!({"pie": {"beta": -1}}), "0 to 32");
        refused(json!({"pie": {"beta": 0.12345678}}), "finer");
        refused(json!({"red": {}}), "missing field `limit`");
        refused(json!({"red": {"limit": "100kB", "max": "200kB"}}), "not below the `limit`");
        refused(json!({"red": {"limit": "100kB", "min": "20kB", "max": "20kB"}}), "not below `max`");
        refused(json!({"red": {"limit": "100kB", "probability": "0%"}}), "`probability`");
        refused(json!({"red": {"limit": "100kB", "weight": "0%"}}), "`weight`");
        refused(json!({"red": {"limit": "100kB", "avpkt": "0B"}}), "`avpkt`");
    }

    #[test]
    fn a_word_is_a_number_below_one() {
        assert_eq!((uniform(0), uniform(1 << 63)), (0.0, 0.5));
        assert!(uniform(u64::MAX) < 1.0);
    }
}
