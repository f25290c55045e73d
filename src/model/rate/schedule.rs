//! A schedule: a rate that changes at known times, in the file or in a table, once or again and again. A rate of 0 holds
//! the wire still.
//!
//! What has passed by t is the integral of the rate from 0 to t, in integers, so a frame that meets several rates takes
//! exactly its time.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::constant::Work;
use super::steps::{Step, Steps};
use crate::model::form::forms;
use crate::model::table::{BadTable, FileOf, Format, NamedFile as _, Place, Repeat, Speed, Table, TableSpec, Wanted};
use crate::units::{Duration, Instant, Rate, Unit};

/// A rate over time.
#[derive(Clone, Debug, PartialEq)]
pub enum ScheduleSpec {
    /// Steps that stand in the scenario.
    Steps(Arc<Steps>, Repeat, Arc<Schedule>),
    /// Those of a file.
    File(FileOf<Schedule>),
}

/// The map form, as it stands in a file.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
struct Long {
    /// The rates, one after the other.
    steps: Option<Vec<Step>>,
    /// A file with a column of times and one of rates. Instead of `steps`.
    file: Option<String>,
    /// A public kind of file, which says its columns and units itself.
    format: Option<Format>,
    /// Which columns of the file: that of times first, by number or name. By default those with the right names.
    columns: Vec<Place>,
    /// The units of these columns.
    units: Vec<Unit>,
    /// Where in the file's time to begin. By default 0.
    start: Duration,
    /// How fast the file's time passes. By default 1.
    speed: Speed,
    /// Whether it begins again when it is over; or when it does.
    repeat: Repeat,
}

forms! {
    ScheduleSpec, "Schedule": "A rate over time: a list of steps, a file, or a map.",
    "a list of steps, as in `[{ for: 5s, rate: 8Mbit }, …]`, a file, or a map with `steps`";
    word { "type": "string", "minLength": 1 } => |path| Ok(ScheduleSpec::File(FileOf::new(path)));
    list Vec<Step> => |steps| ScheduleSpec::new(&steps, Repeat::Never);
    map Long => ScheduleSpec::try_from;
}

impl TryFrom<Long> for ScheduleSpec {
    type Error = String;
    fn try_from(long: Long) -> Result<ScheduleSpec, String> {
        let Long { steps, file, format, columns, units, start, speed, repeat } = long;
        let (is_file, file) = (file.is_some(), file.unwrap_or_default());
        let table = TableSpec { file, format, columns, units, start, speed, repeat, ..TableSpec::default() };
        match (steps, is_file) {
            (Some(steps), false) if table == (TableSpec { repeat, ..TableSpec::default() }) => {
                ScheduleSpec::new(&steps, repeat)
            }
            (Some(_), false) => Err("only `repeat` goes with `steps`: the other keys are of a `file`".into()),
            (None, true) => table.try_into().map(ScheduleSpec::File),
            (None, false) => Err("a schedule needs `steps`, or a `file` with them".into()),
            (Some(_), true) => Err("`steps` and `file` both say the rates: keep one".into()),
        }
    }
}

impl ScheduleSpec {
    /// A schedule of steps.
    ///
    /// # Errors
    /// Why they are none, and what to write instead.
    pub fn new(steps: &[Step], repeat: Repeat) -> Result<ScheduleSpec, String> {
        let steps = Steps::new(steps)?;
        let plan = Schedule::new(&steps, repeat)?;
        Ok(ScheduleSpec::Steps(Arc::new(steps), repeat, Arc::new(plan)))
    }

    /// What it comes to; `None` before its file is read.
    pub fn plan(&self) -> Option<&Arc<Schedule>> {
        match self {
            ScheduleSpec::Steps(_, _, plan) => Some(plan),
            ScheduleSpec::File(file) => file.table(),
        }
    }

    /// How many steps it has; 0 before its file is read.
    pub fn count(&self) -> usize {
        self.plan().map_or(0, |plan| plan.parts.len())
    }

    /// Whether it begins again when it is over; or when it does.
    pub fn repeat(&self) -> Repeat {
        match self {
            ScheduleSpec::Steps(_, repeat, _) => *repeat,
            ScheduleSpec::File(file) => file.spec().repeat,
        }
    }

    /// The file that it is from.
    pub fn source(&self) -> Option<&str> {
        match self {
            ScheduleSpec::Steps(..) => None,
            ScheduleSpec::File(file) => Some(file.path()),
        }
    }
}

impl Serialize for ScheduleSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form {
            steps: Vec<Step>,
            #[serde(skip_serializing_if = "Repeat::is_never")]
            repeat: Repeat,
        }
        match self {
            ScheduleSpec::Steps(steps, repeat, _) => {
                Form { steps: steps.written(), repeat: *repeat }.serialize(serializer)
            }
            ScheduleSpec::File(file) => file.serialize(serializer),
        }
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

impl Table for Schedule {
    const KEYS: &'static [&'static str] = &["format", "columns", "units", "start", "speed", "repeat"];
    const SHORT: bool = false;

    fn parse(text: &str, spec: &TableSpec) -> Result<Schedule, BadTable> {
        let steps = Steps::of(spec.series(text, Wanted::Rate)?);
        steps.and_then(|steps| Schedule::new(&steps, spec.repeat)).map_err(BadTable::whole)
    }
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
            let list: Vec<Step> = steps.iter().map(|(ns, bps)| Step::lasting(Some(Duration::from_nanos(*ns)), *bps)).collect();
            let spec = ScheduleSpec::new(&list, if repeat { Repeat::AtEnd } else { Repeat::Never }).unwrap();
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

    fn load(spec: &mut ScheduleSpec, text: &str) -> Result<(), String> {
        let ScheduleSpec::File(file) = spec else { panic!("{spec:?} has no file") };
        file.load(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_checked_together_with_what_the_scenario_says() {
        let mut spec = from_json::<ScheduleSpec>(json!({ "file": "rates.csv", "repeat": "2s" })).unwrap();
        assert!(load(&mut spec, "0s,8Mbit\n2s,1Mbit\n").unwrap_err().contains("not after the last one"));
        assert_eq!(load(&mut spec, "0s,8Mbit\n1s,0\n"), Ok(()));
        assert_eq!((spec.source(), spec.plan().unwrap().mean().as_bps()), (Some("rates.csv"), 4_000_000));
        // a public kind of file says where it ends, so it can repeat there
        let mut public = json!({ "file": "bus", "format": "pensieve", "speed": 2, "repeat": true });
        let mut spec = from_json::<ScheduleSpec>(public.clone()).unwrap();
        load(&mut spec, "0 1\n2 8\n4 0\n").unwrap();
        let mut server = ScheduleServer::new(spec.plan().unwrap().clone());
        let seconds: Vec<u64> = (0..2)
            .scan(Instant::ZERO, |at, _| {
                *at = server.serve(work(8_000_000), *at);
                Some(at.as_nanos() / 1_000_000_000)
            })
            .collect();
        // a second at 8 Mbit/s, one that stands still, and again
        assert_eq!(seconds, [1, 3]);
        public["repeat"] = json!("5s");
        let mut spec = from_json::<ScheduleSpec>(public).unwrap();
        assert!(load(&mut spec, "0 1\n2 8\n4 0\n").unwrap_err().contains("contradicts the end, at 2s"));
        let mut short = from_json::<ScheduleSpec>(json!("rates.csv")).unwrap();
        assert!(load(&mut short, "0s,8Mbit\n1s,0\n").unwrap_err().contains("would hold for ever"));
    }

    #[test]
    fn scenario_forms() {
        let steps = json!([{ "for": "1s", "rate": "8Mbit" }, { "for": "3s", "rate": 0 }]);
        for form in [
            json!({ "steps": steps, "repeat": true }),
            json!({ "steps": [{ "at": "0s", "rate": "8Mbit" }, { "at": "3s", "rate": "1Mbit" }], "repeat": "5s" }),
            json!([{ "for": "1s", "rate": "8Mbit" }, { "rate": "1Mbit" }]),
            json!({ "file": "rates.csv", "repeat": true }),
            json!({ "file": "rates", "format": "pensieve", "start": "2s", "speed": 0.5, "repeat": true }),
            json!({ "file": "rates.csv", "columns": [1, 3], "units": ["s", "Mbit"] }),
            json!("rates.csv"),
        ] {
            let spec = from_json::<ScheduleSpec>(form.clone()).unwrap();
            assert_eq!(from_json::<ScheduleSpec>(serde_json::to_value(&spec).unwrap()), Ok(spec), "{form}");
        }
        for (wrong, words) in [
            (json!({ "repeat": true }), "needs `steps`"),
            (json!({ "steps": steps, "file": "a.csv" }), "keep one"),
            (json!({ "steps": steps, "speed": 2 }), "the other keys are of a `file`"),
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
