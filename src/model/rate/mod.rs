//! How fast the wire serializes: one kind a file. All reckon in whole bits · 10⁻⁹, so that nothing is lost between frames
//! or when the kind changes while a frame is being sent.

pub mod constant;
pub mod framing;
pub mod schedule;
mod server;
pub mod slots;
pub mod steps;
pub mod token_bucket;
pub mod trace;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::form::forms;
use super::table::{FileOf, NamedFile};
use crate::units::{ParseError, Rate};
pub use framing::Framing;
pub use schedule::ScheduleSpec;
pub use server::Server;
pub use slots::SlotsSpec;
pub use token_bucket::TokenBucketSpec;
pub use trace::Trace;

/// How fast the wire serializes frames. Short forms: a rate, as in `rate: 20Mbit`, or `none` for a wire that takes no time.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RateSpec {
    /// Frames take no time on the wire, and never queue.
    #[default]
    Unlimited,
    /// So many bits per second, always.
    Constant(Rate),
    /// A shaper in front of a wire: bursts pass faster.
    TokenBucket(TokenBucketSpec),
    /// A Mahimahi trace.
    Trace(FileOf<Trace>),
    /// A rate that changes at known times.
    Schedule(ScheduleSpec),
    /// What waits leaves when a slot opens.
    Slots(SlotsSpec),
}

/// The map form, as it stands in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Long {
    /// So many bits per second, always.
    Constant(Rate),
    /// Bits pass as long as there are tokens, which come at `rate` and heap up to `burst`; no faster than `peak`.
    TokenBucket(TokenBucketSpec),
    /// A Mahimahi trace: a file of milliseconds, each an opportunity to deliver 1,504 bytes.
    Trace(FileOf<Trace>),
    /// A rate that changes at known times.
    Schedule(ScheduleSpec),
    /// What waits leaves when a slot opens, as in netem.
    Slots(SlotsSpec),
}

impl From<Long> for RateSpec {
    fn from(long: Long) -> RateSpec {
        match long {
            Long::Constant(rate) => RateSpec::Constant(rate),
            Long::TokenBucket(spec) => RateSpec::TokenBucket(spec),
            Long::Trace(file) => RateSpec::Trace(file),
            Long::Schedule(spec) => RateSpec::Schedule(spec),
            Long::Slots(spec) => RateSpec::Slots(spec),
        }
    }
}

impl RateSpec {
    /// Visits every file that it names.
    pub fn files(&mut self, visit: &mut dyn FnMut(&mut dyn NamedFile)) {
        match self {
            RateSpec::Trace(file) => visit(file),
            RateSpec::Schedule(ScheduleSpec::File(file)) => visit(file),
            _ => {}
        }
    }

    /// The one number that stands for it where one is needed, as for a queue limited in time: of a token bucket the rate, of
    /// a trace, a schedule and slots the mean. `None` for a wire that takes no time, for slots that pass whatever waits, and
    /// before a file is read.
    pub fn nominal(&self) -> Option<Rate> {
        match self {
            RateSpec::Unlimited => None,
            RateSpec::Constant(rate) => Some(*rate),
            RateSpec::TokenBucket(spec) => Some(spec.rate),
            RateSpec::Trace(file) => file.table()?.mean(),
            RateSpec::Schedule(spec) => Some(spec.plan()?.mean()),
            RateSpec::Slots(spec) => spec.mean(),
        }
    }

    /// What a frame costs where nobody says: its own bytes; with a trace what Mahimahi counts.
    pub fn default_framing(&self) -> Framing {
        match self {
            RateSpec::Trace(_) => Framing::TUN,
            _ => Framing::None,
        }
    }

    /// In a few words, for reports.
    pub fn words(&self) -> String {
        match self {
            RateSpec::Unlimited => "none".into(),
            RateSpec::Constant(rate) => rate.to_string(),
            RateSpec::TokenBucket(TokenBucketSpec { rate, burst, peak: None }) => format!("{rate} burst {burst}"),
            RateSpec::TokenBucket(TokenBucketSpec { rate, burst, peak: Some(peak) }) => {
                format!("{rate} burst {burst} peak {peak}")
            }
            RateSpec::Trace(file) => format!("trace {}", file.path()),
            RateSpec::Schedule(spec) => {
                let steps = spec.source().map_or_else(|| format!("of {} steps", spec.count()), str::to_owned);
                format!("schedule {steps}{}", spec.repeat())
            }
            RateSpec::Slots(spec) => spec.words(),
        }
    }
}

forms! {
    RateSpec, "RateOfWire": "Rate of the wire: `20Mbit`, a map, or `none` for a wire that takes no time.",
    "a rate, as in `20Mbit`, or a map with `constant`, `token_bucket`, `trace`, `schedule` or `slots`, or `none`";
    words { "none" => RateSpec::Unlimited }
    text { "$ref": "#/$defs/Rate" } => |text| text.parse().map(RateSpec::Constant).map_err(ParseError::into);
    map Long => |long| Ok(RateSpec::from(long));
}

impl Serialize for RateSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let long = match self {
            RateSpec::Unlimited => return serializer.serialize_str("none"),
            RateSpec::Constant(rate) => return rate.serialize(serializer),
            RateSpec::TokenBucket(spec) => Long::TokenBucket(*spec),
            RateSpec::Trace(file) => Long::Trace(file.clone()),
            RateSpec::Schedule(spec) => Long::Schedule(spec.clone()),
            RateSpec::Slots(spec) => Long::Slots(*spec),
        };
        long.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn scenario_forms() {
        let rate = RateSpec::Constant("20Mbit".parse().unwrap());
        assert_eq!(from_json(json!("20Mbit")), Ok(rate.clone()));
        assert_eq!(from_json(json!({"constant": "20Mbit"})), Ok(rate));
        assert_eq!(from_json(json!("none")), Ok(RateSpec::Unlimited));
        assert!(from_json::<RateSpec>(json!(20)).unwrap_err().contains("write `20Mbit`"));
        assert!(from_json::<RateSpec>(json!({"tokenbucket": 1})).unwrap_err().contains("unknown variant"));
        for form in [
            json!("20Mbit"),
            json!({"token_bucket": {"rate": "8Mbit", "burst": "3kB"}}),
            json!({"trace": "cell.up"}),
            json!({"schedule": [{"for": "1s", "rate": "8Mbit"}, {"rate": "1Mbit"}]}),
            json!({"schedule": "rates.csv"}),
            json!({"slots": {"min": "1ms", "packets": 3}}),
        ] {
            let spec = from_json::<RateSpec>(form).unwrap();
            assert_eq!(from_json::<RateSpec>(serde_json::to_value(&spec).unwrap()), Ok(spec));
        }
    }

    #[test]
    fn each_has_words_and_a_nominal_rate_once_its_file_is_read() {
        for (form, words, nominal) in [
            (json!("none"), "none", None),
            (json!("20Mbit"), "20Mbit", Some(20_000_000)),
            (json!({"token_bucket": {"rate": "8Mbit", "burst": "3kB"}}), "8Mbit burst 3kB", Some(8_000_000)),
            (
                json!({"token_bucket": {"rate": "8Mbit", "burst": "3kB", "peak": "9Mbit"}}),
                "8Mbit burst 3kB peak 9Mbit",
                Some(8_000_000),
            ),
            (json!({"trace": "cell.up"}), "trace cell.up", Some(6_016_000)),
            (json!({"schedule": "rates.csv"}), "schedule rates.csv", Some(2)),
            (json!({"schedule": [{"rate": "1Mbit"}]}), "schedule of 1 steps", Some(1_000_000)),
            (json!({"slots": {"min": "1ms"}}), "slots 1ms", None),
        ] {
            let mut spec = from_json::<RateSpec>(form).unwrap();
            let mut files = 0;
            spec.files(&mut |file| {
                files += 1;
                let text = if file.path().ends_with("csv") { "0s,2bit\n1s,1bit\n" } else { "1\n2\n2\n4\n" };
                file.load(if file.path() == "cell.up" { "2\n" } else { text }).unwrap();
            });
            assert_eq!(files, usize::from(words.ends_with(".up") || words.ends_with(".csv")));
            assert_eq!((spec.words().as_str(), spec.nominal().map(Rate::as_bps)), (words, nominal));
        }
    }
}
