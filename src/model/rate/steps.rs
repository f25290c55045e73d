//! The steps of a schedule, as they stand in a scenario or in a table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::model::form::forms;
use crate::model::table::{Repeat, Series};
use crate::units::{Dimension, Duration, Rate};

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

forms! {
    StepRate, "StepRate": "A rate, or 0.", "a rate, as in `5Mbit`, or `0`";
    // `0` and `0Mbit` are the same stall
    text { "anyOf": [{ "$ref": "#/$defs/Rate" }, { "const": 0 }] } => |text| match text.trim().parse() {
        Ok(0.0) => Ok(StepRate(0)),
        _ => Dimension::Rate.exact(text).map(StepRate).map_err(String::from),
    };
}

impl Serialize for StepRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Rate::from_bps(self.0) {
            Some(rate) => Serialize::serialize(&rate, serializer),
            None => serializer.serialize_u64(0),
        }
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
        Ok(repeat.round(last, self.end)?.or(self.end))
    }

    /// The steps that a file has.
    pub(super) fn of(Series { rows: parts, end }: Series) -> Result<Steps, String> {
        let first = Duration::from_nanos(parts.first().map_or(0, |(start, _)| *start));
        starts_after(None, first).map_err(|why| format!("the first row {why}"))?;
        Ok(Steps { parts, end, at: true })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::table::{TableSpec, Wanted};
    use serde_json::json;

    fn steps(form: serde_json::Value) -> Result<Steps, String> {
        Steps::new(&from_json::<Vec<Step>>(form)?)
    }

    fn read(text: &str) -> Result<Steps, String> {
        Steps::of(TableSpec::default().series(text, Wanted::Rate).map_err(|e| e.to_string())?)
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
            assert_eq!(read(text).unwrap().parts(), parts, "{text}");
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
            ("0s,8Mbit\n1s;1Mbit\n", "line 2, column 1: expected one duration"),
            ("0s,8Mbit\n1s\n", "line 2, column 2: a value is missing"),
            ("0,8\n", "line 1, column 2: `8` has no unit"),
            ("s,Mbps\n0,8\n", "line 1: no column is called `time`"),
            ("0s,8Mbit\n2s,1Mbit\n1s,1Mbit\n", "line 3, column 1: the table goes back in time, from 2s to 1s"),
            ("5s,8Mbit\n", "the first row starts at 5s, but the first"),
            ("# nothing\n", "the file has no rows"),
            ("0s,fast\n", "line 1, column 2: `fast` is not a rate"),
        ] {
            let error = read(text).unwrap_err();
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
        assert!(open.end(every("2s")).unwrap_err().contains("is not after the last one"));
        assert_eq!(open.end(every("2.000000001s")), Ok(Some(2_000_000_001)));
        for (form, repeat) in [(json!(true), Repeat::AtEnd), (json!(false), Repeat::Never), (json!("5s"), every("5s"))]
        {
            assert_eq!(from_json(form), Ok(repeat));
            assert_eq!(from_json(serde_json::to_value(repeat).unwrap()), Ok(repeat));
        }
        assert!(from_json::<Repeat>(json!(5)).unwrap_err().contains("write `5ms`"));
    }
}
