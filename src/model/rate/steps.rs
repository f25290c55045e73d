//! The steps of a schedule, as they stand in a scenario or in a table.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::data::{BadLine, Table};
use crate::units::{Duration, Rate};

/// One step: a rate, and how long it holds or from when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RateStep")]
pub struct Step {
    /// From when on, after the start of the schedule. All steps have it, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Duration>,
    /// For how long. The last may do without: then it holds for ever.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    length: Option<Duration>,
    /// How fast the wire is; 0 holds it still.
    rate: StepRate,
}

impl Step {
    /// A step that lasts so long, `None` for ever, at so many bits per second.
    pub fn lasting(length: Option<Duration>, bps: u64) -> Step {
        Step { at: None, length, rate: StepRate(bps) }
    }
}

/// A rate that may be 0, in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StepRate(u64);

impl StepRate {
    fn parse(text: &str) -> Result<StepRate, String> {
        // `0` and `0Mbit` are the same stall
        let number = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '/' || c == ' ');
        if number.parse() == Ok(0.0) {
            return Ok(StepRate(0));
        }
        text.parse::<Rate>().map(|rate| StepRate(rate.as_bps())).map_err(|e| e.to_string())
    }
}

impl<'de> Deserialize<'de> for StepRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StepRate, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = StepRate;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate, as in `5Mbit`, or `0`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<StepRate, E> {
                StepRate::parse(text).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<StepRate, E> {
                StepRate::parse(&number.to_string()).map_err(E::custom)
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<StepRate, E> {
                StepRate::parse(&number.to_string()).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl Serialize for StepRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Rate::from_bps(self.0) {
            Some(rate) => Serialize::serialize(&rate, serializer),
            None => serializer.serialize_u64(0),
        }
    }
}

impl JsonSchema for StepRate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StepRate".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A rate, or 0.",
            "anyOf": [generator.subschema_for::<Rate>(), { "const": 0 }],
        })
    }
}

/// Whether a schedule begins again. `true`: when its last step is over. A duration: when that has passed since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// The last rate holds for ever.
    #[default]
    Never,
    /// When the last step is over.
    AtEnd,
    /// So long after it began.
    Every(Duration),
}

impl Repeat {
    /// Whether the last rate holds for ever.
    pub fn is_never(&self) -> bool {
        *self == Repeat::Never
    }
}

impl<'de> Deserialize<'de> for Repeat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Repeat, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Repeat;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, `false`, or when the schedule begins again, as in `20s`")
            }
            fn visit_bool<E: de::Error>(self, repeat: bool) -> Result<Repeat, E> {
                Ok(if repeat { Repeat::AtEnd } else { Repeat::Never })
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Repeat, E> {
                match text {
                    "true" => Ok(Repeat::AtEnd),
                    "false" => Ok(Repeat::Never),
                    _ => text.parse().map(Repeat::Every).map_err(E::custom),
                }
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Repeat, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl Serialize for Repeat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Repeat::Never => serializer.serialize_bool(false),
            Repeat::AtEnd => serializer.serialize_bool(true),
            Repeat::Every(length) => length.serialize(serializer),
        }
    }
}

impl JsonSchema for Repeat {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Repeat".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Whether a schedule begins again when it is over; or when it does.",
            "anyOf": [{ "type": "boolean" }, generator.subschema_for::<Duration>()],
        })
    }
}

/// Checked steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Start in ns, bits per second. The first starts at 0, each later than the one before.
    parts: Vec<(u64, u64)>,
    /// When the last is over, if it says.
    end: Option<u64>,
    /// Written with `at`.
    at: bool,
}

impl Steps {
    /// Checks steps.
    ///
    /// # Errors
    /// Why they are no schedule, and what to write instead.
    pub fn new(steps: &[Step]) -> Result<Steps, String> {
        let at = steps.iter().any(|step| step.at.is_some());
        let mut parts: Vec<(u64, u64)> = Vec::with_capacity(steps.len());
        let mut end = Some(0u64);
        for (n, step) in steps.iter().enumerate() {
            let nth = n + 1;
            if at {
                let Some(start) = step.at else {
                    return Err(format!(
                        "step {nth} does not say `at`, as others do: give all of them `at`, or all `for`"
                    ));
                };
                if step.length.is_some() {
                    return Err(format!("step {nth} says `at` and `for`: it lasts until the next, so keep one"));
                }
                starts_after(parts.last(), start).map_err(|why| format!("step {nth} {why}"))?;
                parts.push((start.as_nanos(), step.rate.0));
                end = None;
                continue;
            }
            let Some(start) = end else {
                return Err(format!("step {n} does not say for how long: give it `for`, as in `for: 5s`"));
            };
            parts.push((start, step.rate.0));
            end = match step.length {
                None => None,
                Some(Duration::ZERO) => return Err(format!("step {nth} lasts 0 s: make it longer, or take it away")),
                Some(length) => Some(
                    start.checked_add(length.as_nanos()).ok_or("the steps last longer than 584 years: shorten them")?,
                ),
            };
        }
        if parts.is_empty() {
            return Err("a schedule needs a step, as in `[{ for: 5s, rate: 8Mbit }, { rate: 1Mbit }]`".into());
        }
        Ok(Steps { parts, end, at })
    }

    /// Start in ns, bits per second.
    pub(super) fn parts(&self) -> &[(u64, u64)] {
        &self.parts
    }

    /// When a round is over, in ns; `None` where the last rate holds for ever.
    pub(super) fn end(&self, repeat: Repeat) -> Result<Option<u64>, String> {
        let last = self.parts.last().map_or(0, |(start, _)| *start);
        match (repeat, self.end) {
            (Repeat::Never, end) => Ok(end),
            (Repeat::AtEnd, Some(end)) => Ok(Some(end)),
            (Repeat::AtEnd, None) => Err("`repeat: true` needs to know how long the last step lasts: give it `for`, \
                                          or say when the schedule begins again, as in `repeat: 20s`"
                .into()),
            (Repeat::Every(length), Some(end)) if length.as_nanos() != end => Err(format!(
                "`repeat: {length}` contradicts the steps, which last {}: write `repeat: true`",
                Duration::from_nanos(end)
            )),
            (Repeat::Every(length), _) if length.as_nanos() <= last => Err(format!(
                "`repeat: {length}` is not after the last step, which starts at {}",
                Duration::from_nanos(last)
            )),
            (Repeat::Every(length), _) => Ok(Some(length.as_nanos())),
        }
    }

    /// The steps as they were written.
    pub(super) fn written(&self) -> Vec<Step> {
        let starts = self.parts.iter().skip(1).map(|(start, _)| Some(*start)).chain([self.end]);
        let step = |((start, bps), next): (&(u64, u64), Option<u64>)| Step {
            at: self.at.then_some(Duration::from_nanos(*start)),
            length: next.filter(|_| !self.at).map(|next| Duration::from_nanos(next - start)),
            rate: StepRate(*bps),
        };
        self.parts.iter().zip(starts).map(step).collect()
    }
}

fn starts_after(before: Option<&(u64, u64)>, start: Duration) -> Result<(), String> {
    match before {
        None if start > Duration::ZERO => Err(format!("starts at {start}, but the first starts at 0s: write `at: 0s`")),
        Some((last, _)) if *last >= start.as_nanos() => {
            Err(format!("starts at {start}, not after the one before, at {}", Duration::from_nanos(*last)))
        }
        _ => Ok(()),
    }
}

/// `AT,RATE` lines with units (`1.5s,8Mbit`), or without them under a first line that names both (`s,Mbit`). Empty lines and
/// those that begin with `#` say nothing.
impl Table for Steps {
    fn parse(text: &str) -> Result<Steps, BadLine> {
        let mut units: Option<(&str, &str)> = None;
        let mut parts: Vec<(u64, u64)> = Vec::new();
        for (n, line) in text.lines().map(str::trim).enumerate() {
            let bad = |message: String| BadLine::at(n + 1, message);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((at, rate)) = line.split_once(',').map(|(at, rate)| (at.trim(), rate.trim())) else {
                return Err(bad(format!("`{line}` is no step: write `AT,RATE`, as in `1.5s,8Mbit`")));
            };
            if parts.is_empty() && units.is_none() && format!("1{at}").parse::<Duration>().is_ok() && is_unit(at) {
                format!("1{rate}").parse::<Rate>().map_err(|e| bad(e.to_string()))?;
                units = Some((at, rate));
                continue;
            }
            let (at_unit, rate_unit) = units.unwrap_or_default();
            let start: Duration = with_unit(at, at_unit).parse().map_err(|e| bad(format!("{e}")))?;
            let StepRate(bps) = StepRate::parse(&with_unit(rate, rate_unit)).map_err(bad)?;
            starts_after(parts.last(), start).map_err(|why| bad(format!("the step {why}")))?;
            parts.push((start.as_nanos(), bps));
        }
        if parts.is_empty() {
            return Err(BadLine::whole("it has no steps: write one a line, `AT,RATE`, as in `0s,8Mbit`"));
        }
        Ok(Steps { parts, end: None, at: true })
    }
}

fn is_unit(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

fn with_unit(number: &str, unit: &str) -> String {
    if number.ends_with(|c: char| c.is_ascii_digit() || c == '.') { format!("{number}{unit}") } else { number.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    fn steps(form: serde_json::Value) -> Result<Steps, String> {
        Steps::new(&from_json::<Vec<Step>>(form)?)
    }

    #[test]
    fn both_ways_to_write_them_say_the_same() {
        let lasting = steps(json!([{ "for": "1s", "rate": "8Mbit" }, { "for": "2s", "rate": 0 }, { "rate": "1bit" }]));
        let from = steps(
            json!([{ "at": "0s", "rate": "8Mbit" }, { "at": "1s", "rate": "0Mbit" }, { "at": "3s", "rate": "1bit" }]),
        );
        let parts = [(0, 8_000_000), (1_000_000_000, 0), (3_000_000_000, 1)];
        assert_eq!((lasting.unwrap().parts(), from.unwrap().parts()), (&parts[..], &parts[..]));
    }

    #[test]
    fn a_table_is_the_same_with_and_without_units() {
        let parts = [(0, 8_000_000), (1_500_000_000, 0), (3_000_000_000, 500_000)];
        for text in [
            "0s,8Mbit\n1.5s,0\n3000ms,500kbit\n",
            "# a drive\ns,Mbit\n\n0,8\r\n1.5, 0\n 3,0.5",
            "ms,kbit\n0,8000\n1500,0\n3s,500",
        ] {
            assert_eq!(Steps::parse(text).unwrap().parts(), parts, "{text}");
        }
    }

    #[test]
    fn mistakes_name_their_step_or_line() {
        for (form, words) in [
            (json!([{ "rate": "8Mbit" }, { "rate": "1Mbit" }]), "step 1 does not say for how long"),
            (json!([{ "at": "0s", "rate": 0 }, { "for": "1s", "rate": 0 }]), "step 2 does not say `at`"),
            (json!([{ "at": "0s", "for": "1s", "rate": 0 }]), "keep one"),
            (json!([{ "at": "1s", "rate": 0 }]), "write `at: 0s`"),
            (json!([{ "at": "0s", "rate": 0 }, { "at": "0s", "rate": 0 }]), "step 2 starts at 0ms, not after"),
            (json!([{ "for": "0s", "rate": 0 }]), "lasts 0 s"),
            (json!([{ "for": "584y", "rate": 0 }]), "not a unit"),
            (json!([{ "for": "5000000h", "rate": 0 }, { "for": "500000h", "rate": 0 }]), "584 years"),
            (json!([{ "for": "1s", "rate": 8 }]), "write `8Mbit`"),
            (json!([{ "for": "1s" }]), "missing field `rate`"),
            (json!([{ "for": "1s", "rat": 8 }]), "unknown field `rat`"),
        ] {
            let error = steps(form.clone()).unwrap_err();
            assert!(error.contains(words), "{form}: {error}");
        }
        for (text, words) in [
            ("0s,8Mbit\n1s;1Mbit\n", "line 2: `1s;1Mbit` is no step"),
            ("0,8\n", "line 1: `0` has no unit"),
            ("s,Mbps\n0,8\n", "line 1: `Mbps` is not a unit"),
            ("0s,8Mbit\n2s,1Mbit\n1s,1Mbit\n", "line 3: the step starts at 1s, not after the one before, at 2s"),
            ("5s,8Mbit\n", "line 1: the step starts at 5s, but the first"),
            ("# nothing\n", "it has no steps"),
            ("0s,fast\n", "line 1: `fast` is not a rate"),
        ] {
            let error = Steps::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_round_ends_behind_its_last_step() {
        let lasting = steps(json!([{ "for": "1s", "rate": 1_000 }, { "for": "2s", "rate": 0 }])).err();
        assert!(lasting.unwrap().contains("has no unit"));
        let lasting = steps(json!([{ "for": "1s", "rate": "1kbit" }, { "for": "2s", "rate": 0 }])).unwrap();
        let every = |s: &str| Repeat::Every(s.parse().unwrap());
        assert_eq!(lasting.end(Repeat::Never), Ok(Some(3_000_000_000)));
        assert_eq!(lasting.end(Repeat::AtEnd), Ok(Some(3_000_000_000)));
        assert_eq!(lasting.end(every("3s")), Ok(Some(3_000_000_000)));
        assert!(lasting.end(every("4s")).unwrap_err().contains("contradicts"));
        let open = steps(json!([{ "at": "0s", "rate": "1kbit" }, { "at": "2s", "rate": 0 }])).unwrap();
        assert_eq!(open.end(Repeat::Never), Ok(None));
        assert!(open.end(Repeat::AtEnd).unwrap_err().contains("`repeat: 20s`"));
        assert!(open.end(every("2s")).unwrap_err().contains("not after the last step"));
        assert_eq!(open.end(every("2.000000001s")), Ok(Some(2_000_000_001)));
        for (form, repeat) in [(json!(true), Repeat::AtEnd), (json!(false), Repeat::Never), (json!("5s"), every("5s"))]
        {
            assert_eq!(from_json(form), Ok(repeat));
            assert_eq!(from_json(serde_json::to_value(repeat).unwrap()), Ok(repeat));
        }
        assert!(from_json::<Repeat>(json!(5)).unwrap_err().contains("write `5ms`"));
    }
}
