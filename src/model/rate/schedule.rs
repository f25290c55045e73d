//! A schedule: a rate that changes at known times, in the file or in a table, once or again and again. A rate of 0 holds
//! the wire still.
//!
//! What has passed by t is the integral of the rate from 0 to t, in integers, so a frame that meets several rates takes
//! exactly its time.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::constant::Work;
use super::steps::{Repeat, Step, Steps};
use crate::model::data::{BadLine, FileOf, NamedFile};
use crate::units::{Instant, Rate};

/// A rate over time.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleSpec {
    steps: Source,
    repeat: Repeat,
    /// What they come to; `None` before a file is read.
    plan: Option<Arc<Schedule>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    Inline(Arc<Steps>),
    File(FileOf<Steps>),
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    /// The rates, one after the other.
    steps: Option<Vec<Step>>,
    /// A file with a line for each step: `AT,RATE`. Instead of `steps`.
    file: Option<FileOf<Steps>>,
    /// Whether it begins again when it is over; or when it does.
    #[serde(default)]
    repeat: Repeat,
}

impl ScheduleSpec {
    /// A schedule of steps.
    ///
    /// # Errors
    /// Why they are none, and what to write instead.
    pub fn new(steps: Vec<Step>, repeat: Repeat) -> Result<ScheduleSpec, String> {
        let steps = Steps::new(&steps)?;
        let plan = Some(Arc::new(Schedule::new(&steps, repeat)?));
        Ok(ScheduleSpec { steps: Source::Inline(Arc::new(steps)), repeat, plan })
    }

    /// A schedule in a file, which is still to be read.
    pub fn file(path: impl Into<String>, repeat: Repeat) -> ScheduleSpec {
        ScheduleSpec { steps: Source::File(FileOf::new(path)), repeat, plan: None }
    }

    /// What it comes to; `None` before its file is read.
    pub fn plan(&self) -> Option<&Arc<Schedule>> {
        self.plan.as_ref()
    }

    /// How many steps it has; 0 before its file is read.
    pub fn len(&self) -> usize {
        self.plan.as_ref().map_or(0, |plan| plan.parts.len())
    }

    /// Whether it is still to be read.
    pub fn is_empty(&self) -> bool {
        self.plan.is_none()
    }

    /// Whether it begins again when it is over; or when it does.
    pub fn repeat(&self) -> Repeat {
        self.repeat
    }

    /// The file that it is from.
    pub fn source(&self) -> Option<&str> {
        match &self.steps {
            Source::File(file) => Some(file.path()),
            Source::Inline(_) => None,
        }
    }

    /// Visits the file that it names, if it does.
    pub fn files(&mut self, visit: &mut dyn FnMut(&mut dyn NamedFile)) {
        if let Source::File(_) = self.steps {
            visit(self);
        }
    }
}

impl NamedFile for ScheduleSpec {
    fn path(&self) -> &str {
        match &self.steps {
            Source::File(file) => file.path(),
            Source::Inline(_) => "",
        }
    }

    fn load(&mut self, text: &str) -> Result<(), BadLine> {
        let Source::File(file) = &mut self.steps else { return Ok(()) };
        file.load(text)?;
        if let Some(steps) = file.table() {
            self.plan = Some(Arc::new(Schedule::new(steps, self.repeat).map_err(BadLine::whole)?));
        }
        Ok(())
    }
}

impl TryFrom<Long> for ScheduleSpec {
    type Error = String;
    fn try_from(Long { steps, file, repeat }: Long) -> Result<ScheduleSpec, String> {
        match (steps, file) {
            (Some(steps), None) => ScheduleSpec::new(steps, repeat),
            (None, Some(file)) => Ok(ScheduleSpec { steps: Source::File(file), repeat, plan: None }),
            (None, None) => Err("a schedule needs `steps`, or a `file` with them".into()),
            (Some(_), Some(_)) => Err("`steps` and `file` both say the rates: keep one".into()),
        }
    }
}

impl<'de> Deserialize<'de> for ScheduleSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ScheduleSpec, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = ScheduleSpec;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of steps, as in `[{ for: 5s, rate: 8Mbit }, …]`, a file, or a map with `steps`")
            }
            fn visit_str<E: de::Error>(self, path: &str) -> Result<ScheduleSpec, E> {
                Ok(ScheduleSpec::file(path, Repeat::Never))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, steps: A) -> Result<ScheduleSpec, A::Error> {
                let steps = Vec::deserialize(SeqAccessDeserializer::new(steps))?;
                ScheduleSpec::new(steps, Repeat::Never).map_err(de::Error::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScheduleSpec, A::Error> {
                let long = Long::deserialize(MapAccessDeserializer::new(map))?;
                ScheduleSpec::try_from(long).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl Serialize for ScheduleSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            steps: Option<Vec<Step>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            file: Option<&'a FileOf<Steps>>,
            #[serde(skip_serializing_if = "Repeat::is_never")]
            repeat: Repeat,
        }
        let (steps, file) = match &self.steps {
            Source::Inline(steps) => (Some(steps.written()), None),
            Source::File(file) => (None, Some(file)),
        };
        Form { steps, file, repeat: self.repeat }.serialize(serializer)
    }
}

impl JsonSchema for ScheduleSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Schedule".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({
            "description": "A rate over time: a list of steps, a file, or a map.",
            "anyOf": [generator.subschema_for::<Vec<Step>>(), { "type": "string", "minLength": 1 }, long],
        })
    }
}

/// Rates over all time.
#[derive(Debug, PartialEq, Eq)]
pub struct Schedule {
    parts: Vec<Part>,
    /// How long a round is, and what passes in it.
    round: Option<(u64, Work)>,
    mean: Rate,
}

/// A stretch of one rate.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// In ns from the start of the round.
    start: u64,
    bps: u64,
    /// What has passed in the round before it.
    before: Work,
}

impl Schedule {
    fn new(steps: &Steps, repeat: Repeat) -> Result<Schedule, String> {
        let end = steps.end(repeat)?;
        let mut parts = Vec::with_capacity(steps.parts().len());
        let mut before = 0;
        for (n, (start, bps)) in steps.parts().iter().enumerate() {
            parts.push(Part { start: *start, bps: *bps, before });
            let next = steps.parts().get(n + 1).map(|(start, _)| *start).or(end);
            before += Work::from(next.unwrap_or(*start) - *start) * Work::from(*bps);
        }
        let last = parts.last().ok_or("a schedule needs a step")?;
        let round = if repeat == Repeat::Never { None } else { end.map(|end| (end, before)) };
        match round {
            Some((_, 0)) => return Err("nothing ever passes: give one step a rate above 0".into()),
            None if last.bps == 0 => {
                return Err("the last rate, 0, would hold for ever: add a step, or `repeat`; \
                            or take the link `down` instead"
                    .into());
            }
            _ => {}
        }
        let mean = match end.unwrap_or(last.start) {
            0 => last.bps,
            end => u64::try_from(before / Work::from(end)).unwrap_or(u64::MAX),
        };
        let mean = Rate::from_bps(mean.max(1)).ok_or("a mean is above 0")?;
        Ok(Schedule { parts, round, mean })
    }

    /// The mean over a round, or without rounds over the steps whose length is known.
    pub fn mean(&self) -> Rate {
        self.mean
    }

    /// What could have passed from 0 to an instant.
    fn passed(&self, at: Instant) -> Work {
        let (rounds, within) = match self.round {
            Some((length, work)) => (Work::from(at.as_nanos() / length) * work, at.as_nanos() % length),
            None => (0, at.as_nanos()),
        };
        let part = &self.parts[self.parts.partition_point(|part| part.start <= within) - 1];
        rounds + part.before + Work::from(within - part.start) * Work::from(part.bps)
    }

    /// The instant, rounded down to a nanosecond, at which so much has passed for the first time.
    fn reached(&self, work: Work) -> Instant {
        let (rounds, length, within) = match self.round {
            // the end of a round, not the start of the next: a rate of 0 may be between
            Some((length, each)) => ((work - 1) / each, length, (work - 1) % each + 1),
            None => (0, 0, work),
        };
        // the last part that begins before is the one in which it is reached: those of rate 0 end as they begin
        let part = &self.parts[self.parts.partition_point(|part| part.before < within) - 1];
        let ns = rounds * Work::from(length) + Work::from(part.start) + (within - part.before) / Work::from(part.bps);
        Instant::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

/// A schedule at work. Its time is the model's: it begins at 0.
#[derive(Clone, Debug)]
pub struct ScheduleServer {
    plan: Arc<Schedule>,
    /// What will have passed by the schedule when the present frame is sent, counted from 0.
    target: Work,
}

impl ScheduleServer {
    /// The wire of a schedule.
    pub fn new(plan: Arc<Schedule>) -> ScheduleServer {
        ScheduleServer { plan, target: 0 }
    }

    /// When so much is sent that starts at `start`.
    pub fn serve(&mut self, work: Work, start: Instant) -> Instant {
        // behind a backlog the target is ahead of what has passed by less than a nanosecond
        self.target = self.target.max(self.plan.passed(start)) + work;
        if work == 0 { start } else { self.plan.reached(self.target).max(start) }
    }

    /// Takes what is being sent off the wire: how much of it is left at `now`.
    pub fn interrupt(&mut self, now: Instant) -> Work {
        std::mem::take(&mut self.target).saturating_sub(self.plan.passed(now))
    }

    /// Nothing more is to be sent: the next frame starts on a whole nanosecond.
    pub fn rest(&mut self) {
        self.target = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::constant::work;
    use super::*;
    use crate::model::form::from_json;
    use crate::units::Duration;
    use proptest::prelude::*;
    use serde_json::json;

    fn server(form: serde_json::Value) -> ScheduleServer {
        ScheduleServer::new(from_json::<ScheduleSpec>(form).unwrap().plan().unwrap().clone())
    }

    /// When each frame of a backlog is sent, in µs.
    fn backlog(mut server: ScheduleServer, start: u64, bytes: &[u64]) -> Vec<u64> {
        let mut at = Instant::from_nanos(start * 1000);
        let send = |bytes: &u64| {
            at = server.serve(work(bytes * 8), at);
            at.as_nanos() / 1000
        };
        bytes.iter().map(send).collect()
    }

    #[test]
    fn a_frame_may_meet_several_rates_and_stalls() {
        let steps = json!([
            { "for": "1ms", "rate": "8Mbit" },
            { "for": "2ms", "rate": 0 },
            { "for": "1ms", "rate": "16Mbit" },
            { "rate": "8Mbit" },
        ]);
        // 500 in half a millisecond; then 500 before the stall, exactly; then 2,000 at 16 Mbit/s; then 8 Mbit/s for ever
        assert_eq!(backlog(server(steps.clone()), 0, &[500, 500, 1, 2000, 1000]), [500, 1000, 3000, 4001, 5001]);
        assert_eq!(backlog(server(steps.clone()), 500, &[501]), [3000]);
        assert_eq!(backlog(server(steps.clone()), 2000, &[1000]), [3500]);
        assert_eq!(backlog(server(steps), 90_000, &[1000]), [91_000]);
    }

    #[test]
    fn rounds_repeat_and_a_stall_at_the_end_is_part_of_them() {
        let form = json!({ "steps": [{ "at": "0s", "rate": "8Mbit" }, { "at": "1ms", "rate": 0 }], "repeat": "4ms" });
        assert_eq!(backlog(server(form.clone()), 0, &[1000, 1000, 500]), [1000, 5000, 8500]);
        assert_eq!(backlog(server(form.clone()), 1000, &[1]), [4001]);
        // a thousand rounds by one frame
        assert_eq!(backlog(server(form), 0, &[1_000_000]), [999 * 4000 + 1000]);
    }

    #[test]
    fn one_step_is_a_constant_rate() {
        let rate: Rate = "7Mbit".parse().unwrap();
        let mut server = server(json!([{ "rate": "7Mbit" }]));
        let (mut at, mut expected, mut carry) = (Instant::ZERO, Instant::ZERO, 0);
        for bytes in [1514u64, 60, 1, 999, 1514] {
            at = server.serve(work(bytes * 8), at);
            expected += rate.serialize(bytes * 8, &mut carry);
            assert_eq!(at, expected);
        }
    }

    proptest! {
        /// Against the integral, nanosecond by nanosecond.
        #[test]
        fn a_backlog_is_sent_when_the_integral_says(
            steps in prop::collection::vec((1u64..40, prop_oneof![1 => Just(0u64), 3 => 1u64..2_000_000_000]), 1..8),
            repeat in any::<bool>(), start in 0u64..200, frames in prop::collection::vec(1u64..40, 1..12),
        ) {
            let total: u64 = steps.iter().map(|(ns, _)| ns).sum();
            let any = steps.iter().any(|(_, bps)| *bps > 0);
            prop_assume!(if repeat { any } else { steps.last().unwrap().1 > 0 });
            let list = steps.iter().map(|(ns, bps)| Step::lasting(Some(Duration::from_nanos(*ns)), *bps)).collect();
            let spec = ScheduleSpec::new(list, if repeat { Repeat::AtEnd } else { Repeat::Never }).unwrap();
            let rate_at = |ns: u64| {
                let mut within = if repeat { ns % total } else { ns };
                let part = steps.iter().find(|(length, _)| within.checked_sub(*length).map(|less| within = less).is_none());
                u128::from(part.unwrap_or(steps.last().unwrap()).1)
            };
            let mut server = ScheduleServer::new(spec.plan().unwrap().clone());
            let (mut at, mut clock, mut passed, mut target) = (Instant::from_nanos(start), start, 0, 0);
            for bits in frames {
                at = server.serve(work(bits), at);
                target += work(bits);
                while passed < target && passed + rate_at(clock) <= target {
                    passed += rate_at(clock);
                    clock += 1;
                }
                prop_assert_eq!(at.as_nanos(), clock);
            }
        }

        #[test]
        fn interrupting_and_going_on_is_no_change(bits in 1u64..100_000, share in 0u64..1000) {
            let form = json!([{ "for": "100us", "rate": "80Mbit" }, { "for": "50us", "rate": 0 }, { "rate": "7Mbit" }]);
            let mut whole = server(form.clone());
            let mut parts = server(form);
            let done = whole.serve(work(bits), Instant::ZERO);
            parts.serve(work(bits), Instant::ZERO);
            let now = Instant::from_nanos(done.as_nanos() * share / 1000);
            let left = parts.interrupt(now);
            prop_assert_eq!(parts.serve(left, now), done);
        }
    }

    #[test]
    fn the_mean_is_that_of_a_round() {
        let mean = |form| from_json::<ScheduleSpec>(form).unwrap().plan().unwrap().mean().to_string();
        let steps = json!([{ "for": "1s", "rate": "8Mbit" }, { "for": "3s", "rate": "4Mbit" }]);
        assert_eq!(mean(json!({ "steps": steps, "repeat": true })), "5Mbit");
        assert_eq!(mean(steps), "5Mbit");
        // where the last has no length, that of those before it
        assert_eq!(mean(json!([{ "for": "1s", "rate": "8Mbit" }, { "rate": "1Mbit" }])), "8Mbit");
        assert_eq!(mean(json!([{ "rate": "3Mbit" }])), "3Mbit");
    }

    #[test]
    fn a_file_is_checked_together_with_what_the_scenario_says() {
        let mut spec = from_json::<ScheduleSpec>(json!({ "file": "rates.csv", "repeat": "2s" })).unwrap();
        let mut names = Vec::new();
        spec.files(&mut |file| {
            names.push(file.path().to_owned());
            assert!(file.load("0s,8Mbit\n2s,1Mbit\n").unwrap_err().message.contains("not after the last step"));
            file.load("0s,8Mbit\n1s,0\n").unwrap();
        });
        assert_eq!(
            (names.as_slice(), spec.plan().unwrap().mean().as_bps()),
            (&["rates.csv".to_owned()][..], 4_000_000)
        );
        let mut short = from_json::<ScheduleSpec>(json!("rates.csv")).unwrap();
        assert!(short.load("0s,8Mbit\n1s,0\n").unwrap_err().message.contains("would hold for ever"));
    }

    #[test]
    fn scenario_forms() {
        let steps = json!([{ "for": "1s", "rate": "8Mbit" }, { "for": "3s", "rate": 0 }]);
        for form in [
            json!({ "steps": steps, "repeat": true }),
            json!({ "steps": [{ "at": "0s", "rate": "8Mbit" }, { "at": "3s", "rate": "1Mbit" }], "repeat": "5s" }),
            json!([{ "for": "1s", "rate": "8Mbit" }, { "rate": "1Mbit" }]),
            json!({ "file": "rates.csv", "repeat": true }),
            json!("rates.csv"),
        ] {
            let spec = from_json::<ScheduleSpec>(form.clone()).unwrap();
            assert_eq!(from_json::<ScheduleSpec>(serde_json::to_value(&spec).unwrap()), Ok(spec), "{form}");
        }
        for (wrong, words) in [
            (json!({ "repeat": true }), "needs `steps`"),
            (json!({ "steps": steps, "file": "a.csv" }), "keep one"),
            (json!([]), "needs a step"),
            (steps, "would hold for ever"),
            (json!({ "steps": [{ "for": "1s", "rate": 0 }], "repeat": true }), "nothing ever passes"),
            (json!(5), "a list of steps"),
        ] {
            let error = from_json::<ScheduleSpec>(wrong.clone()).unwrap_err();
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }
}
