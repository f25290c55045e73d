//! A run in phases: what each direction counted from one mark of the timeline to the next.

use std::borrow::Cow;
use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::json::{Count, by_cause};
use crate::engine::{Amount, DirectionId, Dropped, Engine};
use crate::measured::{Part, Times};
use crate::stats::histogram::{THREE_DIGITS, rounded};
use crate::units::Instant;

/// From t = 0 or a mark to the next mark or the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its beginning, from t = 0.
    pub from_ns: u64,
    /// Its end.
    pub to_ns: u64,
    /// The marks that it begins with: none for the first phase, unless there is one at t = 0.
    pub marks: Vec<String>,
    /// Directions in which anything happened, in file order.
    pub directions: Vec<PhaseDirection>,
    /// What workloads measured in it, by name; those that did nothing then are left out.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub workloads: IndexMap<String, PhaseWorkload>,
}

/// What a workload measured in a phase. What was not measured is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhaseWorkload {
    /// Requests or datagrams that were sent in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<u64>,
    /// Those of them that were not answered in time, or never arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Round trips of requests sent in it, or one-way delays of datagrams that arrived in it: `p50`, `p95`, `p99`, `max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<Times>,
    /// Bits of payload per second that arrived, in whole intervals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodput_bps: Option<u64>,
    /// The longest silence within it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_ns: Option<u64>,
}

/// What a direction counted in a phase. What was under way at its beginning is delivered or dropped in it, and was offered before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseDirection {
    /// The link's name.
    pub link: String,
    /// Where frames come from.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// What the near end sent into it.
    pub offered: Count,
    /// What arrived at the far end.
    pub delivered: Count,
    /// Dropped frames by cause, those that happened.
    pub dropped: IndexMap<Cow<'static, str>, u64>,
    /// The mean delay of what arrived, from offered to delivered in model time; `None` where nothing did.
    pub delay_mean_ns: Option<u64>,
    /// `p50`, `p95` and `p99` of the same, to three digits: of links that the timeline changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<Times>,
}

/// What a direction had counted.
#[derive(Clone, Debug, Default, PartialEq)]
struct Totals {
    offered: Amount,
    delivered: Amount,
    dropped: Dropped,
    /// The delays of all delivered frames together, in ns.
    delay: u128,
    /// How often each was met, where that is kept: the shortest first.
    lengths: Option<Lengths>,
}

/// Delays in ns, and how often each was met: the shortest first.
type Lengths = Vec<(u64, u64)>;

/// What percentiles are kept.
const PARTS: [Part; 3] = [Part::P50, Part::P95, Part::P99];

/// Distributions of so many directions are kept at most: it is done while frames wait.
const WATCHED: usize = 32;

impl Totals {
    fn of(engine: &Engine, direction: DirectionId, watched: &[DirectionId]) -> Totals {
        let counters = engine.counters(direction);
        // those of a bin change their place as the extremes do
        let bin = |(ns, times): (u64, u64)| (rounded(ns, THREE_DIGITS), times);
        let lengths = || counters.delay.lengths().into_iter().map(bin).collect();
        Totals {
            offered: counters.offered,
            delivered: counters.delivered,
            dropped: counters.dropped.clone(),
            delay: counters.delay.sum_ns(),
            lengths: watched.contains(&direction).then(lengths),
        }
    }

    fn since(&self, before: &Totals) -> Totals {
        let lengths = self.lengths.as_ref().zip(before.lengths.as_ref()).map(|(now, before)| {
            let earlier: BTreeMap<u64, u64> = before.iter().copied().collect();
            let more = |(ns, times): &(u64, u64)| {
                let more = times.saturating_sub(earlier.get(ns).copied().unwrap_or(0));
                (more > 0).then_some((*ns, more))
            };
            now.iter().filter_map(more).collect()
        });
        Totals {
            offered: self.offered.since(before.offered),
            delivered: self.delivered.since(before.delivered),
            dropped: self.dropped.since(&before.dropped),
            delay: self.delay - before.delay,
            lengths,
        }
    }
}

/// A phase, before directions have their names.
#[derive(Clone, Debug)]
pub struct RecordedPhase {
    from: Instant,
    to: Instant,
    marks: Vec<String>,
    directions: Vec<(DirectionId, Totals)>,
}

/// Looks at an engine's counters at each mark.
#[derive(Debug)]
pub struct PhaseRecorder {
    from: Instant,
    marks: Vec<String>,
    /// Directions whose delays are kept one by one.
    watched: Vec<DirectionId>,
    last: Vec<Totals>,
    over: Vec<RecordedPhase>,
}

impl PhaseRecorder {
    /// Begins at `begin`, which is now in model time. Of directions in `watched`, the first 32, distributions of delays are kept.
    pub fn new(engine: &Engine, begin: Instant, mut watched: Vec<DirectionId>) -> PhaseRecorder {
        watched.truncate(WATCHED);
        let last = engine.directions().map(|direction| Totals::of(engine, direction, &watched)).collect();
        PhaseRecorder { from: begin, marks: Vec::new(), watched, last, over: Vec::new() }
    }

    /// A phase begins. The engine must have come to `at`, and not have been told what changes then.
    pub fn mark(&mut self, engine: &Engine, at: Instant, marks: impl IntoIterator<Item = String>) {
        if at > self.from {
            self.end_phase(engine, at);
        }
        self.marks.extend(marks);
    }

    fn end_phase(&mut self, engine: &Engine, at: Instant) {
        let mut directions = Vec::new();
        for (direction, before) in engine.directions().zip(&mut self.last) {
            let now = Totals::of(engine, direction, &self.watched);
            if now != *before {
                let mut change = now.since(before);
                let delay = &engine.counters(direction).delay;
                let [min, max] = [delay.min(), delay.max()].map(|end| end.map_or(0, |end| end.as_nanos()));
                change.lengths.iter_mut().flatten().for_each(|(ns, _)| *ns = (*ns).clamp(min, max));
                directions.push((direction, change));
                *before = now;
            }
        }
        let marks = std::mem::take(&mut self.marks);
        self.over.push(RecordedPhase { from: self.from, to: at, marks, directions });
        self.from = at;
    }

    /// Ends at `now`, to which the engine has come. None where there was no mark.
    pub fn finish(mut self, engine: &Engine, now: Instant) -> Vec<RecordedPhase> {
        if now > self.from || !self.marks.is_empty() {
            self.end_phase(engine, now);
        }
        self.over
    }
}

impl Phase {
    /// Gives what was recorded its names, by direction: link, from and to.
    pub fn new(recorded: RecordedPhase, zero: Instant, names: &[[String; 3]]) -> Phase {
        let direction = |(id, counted): (DirectionId, Totals)| {
            let [link, from, to] = names[id.0 as usize].clone();
            let frames = counted.delivered.frames;
            PhaseDirection {
                link,
                from,
                to,
                offered: counted.offered.into(),
                delivered: counted.delivered.into(),
                dropped: by_cause(&counted.dropped),
                delay_mean_ns: (frames > 0).then(|| (counted.delay / u128::from(frames)) as u64),
                delay_ns: counted
                    .lengths
                    .filter(|lengths| !lengths.is_empty())
                    .map(|lengths| PARTS.iter().filter_map(|part| Some((*part, part.of(&lengths)? as u64))).collect()),
            }
        };
        Phase {
            from_ns: recorded.from.saturating_since(zero).as_nanos(),
            to_ns: recorded.to.saturating_since(zero).as_nanos(),
            marks: recorded.marks,
            directions: recorded.directions.into_iter().map(direction).collect(),
            workloads: IndexMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Command, DirectionSpec, FrameSink, LinkId, LinkPlan, NodeId, NodeKind, NodePlan, Plan};
    use crate::frame::FrameView;
    use crate::model::DelaySpec;
    use crate::units::Duration;

    struct Nowhere;

    impl FrameSink for Nowhere {
        fn deliver(&mut self, _: NodeId, _: FrameView<'_>, _: Instant) {}
    }

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn engine() -> Engine {
        let port = |name: &str| NodePlan { name: name.into(), kind: NodeKind::Port };
        let direction =
            DirectionSpec { delay: DelaySpec::constant(Duration::from_millis(5)), ..DirectionSpec::default() };
        Engine::new(&Plan {
            seed: 1,
            coalesce: Duration::ZERO,
            convergence: Duration::ZERO,
            nodes: vec![port("a"), port("b")],
            links: vec![LinkPlan { name: "l".into(), ends: [0, 1], directions: [direction.clone(), direction] }],
        })
    }

    fn send(engine: &mut Engine, ms: u64) {
        let frame = engine.pool().store(&[0; 60]).unwrap();
        engine.advance(at(ms), &mut Nowhere);
        engine.inject(at(ms), NodeId(0), frame);
        engine.advance(at(ms), &mut Nowhere);
    }

    fn named(recorded: Vec<RecordedPhase>) -> Vec<Phase> {
        let names = [["l", "a", "b"], ["l", "b", "a"]].map(|names| names.map(str::to_owned));
        recorded.into_iter().map(|phase| Phase::new(phase, at(100), &names)).collect()
    }

    #[test]
    fn each_count_is_in_the_phase_in_which_it_happened() {
        let mut engine = engine();
        send(&mut engine, 10);
        engine.advance(at(100), &mut Nowhere);
        let mut recorder = PhaseRecorder::new(&engine, at(100), vec![DirectionId(0)]);
        send(&mut engine, 110);
        send(&mut engine, 119);
        engine.advance(at(120), &mut Nowhere);
        recorder.mark(&engine, at(120), ["cut".to_owned()]);
        recorder.mark(&engine, at(120), ["also".to_owned()]);
        engine.apply(at(120), Command::Down(LinkId(0))).unwrap();
        send(&mut engine, 130);
        engine.advance(at(140), &mut Nowhere);
        let phases = named(recorder.finish(&engine, at(140)));
        let told: Vec<_> = phases
            .iter()
            .map(|phase| {
                let [d] = &phase.directions[..] else { panic!("{phase:?}") };
                (
                    phase.from_ns / 1_000_000,
                    phase.to_ns / 1_000_000,
                    d.offered.frames,
                    d.delivered.frames,
                    d.delay_mean_ns,
                )
            })
            .collect();
        // what was before the beginning is in none; what was under way at the mark arrives after it
        assert_eq!(told, [(0, 20, 2, 1, Some(5_000_000)), (20, 40, 1, 1, Some(5_000_000))]);
        assert_eq!(phases[1].marks, ["cut", "also"]);
        assert_eq!(phases[1].directions[0].dropped["link_down"], 1);
        // the link was watched: all of its frames took as long as each other
        let p99 = phases[0].directions[0].delay_ns.as_ref().and_then(|delay| delay.get(Part::P99));
        assert!(p99 == Some(5_000_000), "{p99:?}");
    }

    #[test]
    fn without_marks_there_is_one_phase() {
        let mut engine = engine();
        let recorder = PhaseRecorder::new(&engine, at(100), Vec::new());
        send(&mut engine, 110);
        engine.advance(at(140), &mut Nowhere);
        let phases = named(recorder.finish(&engine, at(140)));
        assert_eq!(phases.len(), 1);
        assert_eq!(phases[0].directions[0].delay_ns, None, "nobody asked for it");
    }
}
