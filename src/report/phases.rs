//! A run in phases: what each direction counted from one mark of the timeline to the next.

use std::borrow::Cow;
use std::fmt::Write;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::json::{Count, by_cause};
use super::terminal::{causes, four_digits, grouped, time};
use crate::diag::printable::{FAINT, Page, TITLE, putln};
use crate::engine::{Amount, DirectionId, Dropped, Engine};
use crate::units::Instant;

/// So many lines are shown at most.
const LINES: usize = 100;

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
}

/// What a direction had counted.
#[derive(Clone, Debug, Default, PartialEq)]
struct Totals {
    offered: Amount,
    delivered: Amount,
    dropped: Dropped,
    /// The delays of all delivered frames together, in ns.
    delay: u128,
}

impl Totals {
    fn of(engine: &Engine, direction: DirectionId) -> Totals {
        let counters = engine.counters(direction);
        Totals {
            offered: counters.offered,
            delivered: counters.delivered,
            dropped: counters.dropped.clone(),
            delay: counters.delay.sum_ns(),
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
    last: Vec<Totals>,
    over: Vec<RecordedPhase>,
}

impl PhaseRecorder {
    /// Begins at `begin`, which is now in model time.
    pub fn new(engine: &Engine, begin: Instant) -> PhaseRecorder {
        let last = engine.directions().map(|direction| Totals::of(engine, direction)).collect();
        PhaseRecorder { from: begin, marks: Vec::new(), last, over: Vec::new() }
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
            let now = Totals::of(engine, direction);
            let before = std::mem::replace(before, now.clone());
            if now != before {
                let change = Totals {
                    offered: now.offered.since(before.offered),
                    delivered: now.delivered.since(before.delivered),
                    dropped: now.dropped.since(&before.dropped),
                    delay: now.delay - before.delay,
                };
                directions.push((direction, change));
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
            }
        };
        Phase {
            from_ns: recorded.from.saturating_since(zero).as_nanos(),
            to_ns: recorded.to.saturating_since(zero).as_nanos(),
            marks: recorded.marks,
            directions: recorded.directions.into_iter().map(direction).collect(),
        }
    }

    /// `1 … 4 s  worse`.
    fn title(&self) -> String {
        let seconds = |ns: u64| four_digits(ns as f64 / 1e9);
        let marks = self.marks.iter().map(|mark| format!("  {mark}")).collect::<String>();
        format!("{} … {} s{marks}", seconds(self.from_ns), seconds(self.to_ns))
    }
}

/// A line for each direction of each phase; nothing where nothing was marked.
pub(crate) fn write(out: &mut Page, phases: &[Phase]) -> std::fmt::Result {
    if phases.len() < 2 {
        return Ok(());
    }
    out.blank();
    putln!(out, "{TITLE}phases{TITLE:#}")?;
    let name = |d: &PhaseDirection| format!("{} {} → {}", d.link, d.from, d.to);
    let all: Vec<(String, &PhaseDirection)> =
        phases.iter().flat_map(|phase| phase.directions.iter().map(|d| (phase.title(), d))).collect();
    let shown = &all[..all.len().min(LINES)];
    let longest = |of: &dyn Fn(&(String, &PhaseDirection)) -> usize| shown.iter().map(of).max().unwrap_or(0);
    let (first, second) = (longest(&|line| line.0.chars().count()), longest(&|line| name(line.1).chars().count()));
    let mut before = "";
    for (title, direction) in shown {
        let title = if before == title { "" } else { title.as_str() };
        before = if title.is_empty() { before } else { title };
        putln!(out, "{title:first$}   {:second$}   {}", name(direction), counted(direction))?;
    }
    match all.len() - shown.len() {
        0 => Ok(()),
        more => putln!(out, "{FAINT}and {more} lines more, which are in the JSON report{FAINT:#}"),
    }
}

fn counted(direction: &PhaseDirection) -> String {
    let PhaseDirection { offered, delivered, dropped, delay_mean_ns, .. } = direction;
    let mut words = format!("{} of {} frames", grouped(delivered.frames), grouped(offered.frames));
    if let Some(delay) = delay_mean_ns {
        let _ = write!(words, ", mean delay {}", time(*delay));
    }
    causes(dropped, offered.frames).fold(words, |words, cause| words + ", " + &cause)
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
        let mut recorder = PhaseRecorder::new(&engine, at(100));
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
        let mut text = Page::new();
        write(&mut text, &phases).unwrap();
        insta::assert_snapshot!(text.finish().plain().trim_start(), @r"
        phases
        0 … 0.02 s                 l a → b   1 of 2 frames, mean delay 5 ms
        0.02 … 0.04 s  cut  also   l a → b   1 of 1 frames, mean delay 5 ms, link_down 1 (100 %)
        ");
    }

    #[test]
    fn without_marks_there_is_one_phase_and_nothing_to_say() {
        let mut engine = engine();
        let recorder = PhaseRecorder::new(&engine, at(100));
        send(&mut engine, 110);
        engine.advance(at(140), &mut Nowhere);
        let phases = named(recorder.finish(&engine, at(140)));
        assert_eq!(phases.len(), 1);
        let mut text = Page::new();
        write(&mut text, &phases).unwrap();
        assert!(text.is_empty());
    }
}
