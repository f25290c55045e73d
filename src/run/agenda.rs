//! What the engine's thread does at given model times: steps of the timeline, and looks at the counters.
//!
//! The engine takes its inputs in order, so what is still to come waits here. Everything is done before the engine hears
//! of anything later, and so at its own model time, however late the thread woke up.

use std::collections::{BTreeSet, VecDeque};

use crossbeam_channel::Sender;

use crate::engine::{Command, DirectionId, Engine, FrameSink, LinkId};
use crate::report::phases::{PhaseRecorder, RecordedPhase};
use crate::report::series::{Recorded, Recorder};
use crate::units::{Duration, Instant};

/// What the engine is told at a time.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// When, from t = 0.
    pub at: Duration,
    /// All of it at one instant; may be nothing.
    pub commands: Vec<Command>,
    /// What it is, as people write it, for the event log.
    pub words: Vec<String>,
    /// The names that it gives to its instant.
    pub marks: Vec<String>,
}

/// What is kept of a run over time.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// How often every direction is looked at for the series; `None`: never.
    pub series: Option<Duration>,
    /// Whether counters are looked at at marks.
    pub phases: bool,
}

/// What was kept.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Every direction over time.
    pub series: Option<Recorded>,
    /// From mark to mark.
    pub phases: Vec<RecordedPhase>,
}

/// Steps still to come, and who keeps the series.
pub(super) struct Agenda {
    zero: Instant,
    steps: VecDeque<Scheduled>,
    /// How many steps have been carried out.
    done: usize,
    recorder: Option<Recorder>,
    phases: Option<PhaseRecorder>,
    /// The earliest of all that is to be done.
    due: Instant,
    /// Hears the model time of each step when it has been carried out.
    tell: Option<Sender<Instant>>,
}

impl Agenda {
    /// Nothing to do, ever.
    pub(super) fn empty() -> Agenda {
        Agenda {
            zero: Instant::ZERO,
            steps: VecDeque::new(),
            done: 0,
            recorder: None,
            phases: None,
            due: Instant::MAX,
            tell: None,
        }
    }

    /// From t = 0 = `zero` on, to which the engine has come.
    pub(super) fn begin(
        engine: &Engine,
        zero: Instant,
        steps: Vec<Scheduled>,
        keep: Keep,
        tell: Sender<Instant>,
    ) -> Agenda {
        let recorder = keep.series.map(|every| Recorder::new(engine, zero, every));
        let phases = keep.phases.then(|| PhaseRecorder::new(engine, zero, changed(&steps)));
        let (steps, tell) = (steps.into(), Some(tell));
        let mut agenda = Agenda { zero, steps, done: 0, recorder, phases, due: Instant::MAX, tell };
        agenda.set_due();
        agenda
    }

    /// How many steps have been carried out.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// The steps that are still to come are others now, at `now`, to which the engine has come: what should have been before
    /// is at once. After the end there are none.
    pub(super) fn replace(&mut self, mut steps: Vec<Scheduled>, now: Instant) {
        if self.tell.is_some() {
            let earliest = now.saturating_since(self.zero);
            steps.iter_mut().for_each(|step| step.at = step.at.max(earliest));
            self.steps = steps.into();
            self.set_due();
        }
    }

    /// When the next step is to be carried out. Nobody need wake for a look: it is of what was at its time, whenever.
    pub(super) fn next_step(&self) -> Option<Instant> {
        self.steps.front().map(|step| self.zero + step.at)
    }

    fn set_due(&mut self) {
        let look = self.recorder.as_ref().map(Recorder::next);
        self.due = self.next_step().into_iter().chain(look).min().unwrap_or(Instant::MAX);
    }

    /// Does all that is due up to and including `now`, each at its time. To be called before the engine is given anything of
    /// `now`. `log` takes what was done, in words.
    #[inline]
    pub(super) fn release<S: FrameSink>(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        out: &mut S,
        log: impl Fn(&mut S, Instant, String),
    ) {
        if self.due <= now {
            self.release_due(now, engine, out, log);
        }
    }

    #[cold]
    fn release_due<S: FrameSink>(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        out: &mut S,
        log: impl Fn(&mut S, Instant, String),
    ) {
        while self.due <= now {
            let at = self.due;
            engine.advance(at, out);
            // A look comes before a step of the same instant: it is of the time before.
            match self.recorder.as_mut().filter(|recorder| recorder.next() == at) {
                Some(recorder) => recorder.look(engine),
                None => {
                    let step = self.steps.pop_front().expect("it was due");
                    if let Some(phases) = self.phases.as_mut().filter(|_| !step.marks.is_empty()) {
                        phases.mark(engine, at, step.marks);
                    }
                    if !step.commands.is_empty() {
                        engine.apply_all(at, step.commands).expect("the timeline's links are the plan's");
                        engine.advance(at, out);
                    }
                    step.words.into_iter().for_each(|what| log(out, at, what));
                    self.done += 1;
                    if let Some(tell) = &self.tell {
                        // whoever does not listen any more does not need it
                        let _ = tell.send(at);
                    }
                }
            }
            self.set_due();
        }
    }

    /// Nothing more is done after `now`, to which the engine has come. What was kept.
    pub(super) fn end(&mut self, engine: &Engine, now: Instant) -> Kept {
        self.steps.clear();
        self.due = Instant::MAX;
        self.tell = None;
        Kept {
            series: self.recorder.take().map(|recorder| recorder.finish(engine, now)),
            phases: self.phases.take().map(|phases| phases.finish(engine, now)).unwrap_or_default(),
        }
    }
}

/// Both directions of links that steps name, in order. Of links of a node that goes down, and between hosts that are kept apart, no
/// distributions are kept.
fn changed(steps: &[Scheduled]) -> Vec<DirectionId> {
    let links: BTreeSet<LinkId> = steps
        .iter()
        .flat_map(|step| &step.commands)
        .filter_map(|command| match command {
            Command::Set(direction, _) => Some(direction.link()),
            Command::Down(link) | Command::Up(link) => Some(*link),
            _ => None,
        })
        .collect();
    links.into_iter().flat_map(LinkId::directions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{DirectionSpec, LinkPlan, NodeId, NodeKind, NodePlan, Plan};
    use crate::frame::FrameView;
    use crate::model::DelaySpec;
    use crossbeam_channel::unbounded;

    /// What happened at which model time.
    #[derive(Default)]
    struct Happened(Vec<(u64, String)>);

    impl FrameSink for Happened {
        fn deliver(&mut self, _: NodeId, _: FrameView<'_>, at: Instant) {
            self.0.push((at.as_nanos(), "delivered".into()));
        }
        fn applied(&mut self, command: &Command, at: Instant) {
            self.0.push((at.as_nanos(), format!("{command:?}")));
        }
    }

    fn engine() -> Engine {
        let port = |name: &str| NodePlan { name: name.into(), kind: NodeKind::Port };
        let delay = DelaySpec { mean: Duration::from_nanos(10), ..DelaySpec::default() };
        let direction = DirectionSpec { delay, ..DirectionSpec::default() };
        Engine::new(&Plan {
            seed: 1,
            coalesce: Duration::ZERO,
            convergence: Duration::ZERO,
            nodes: vec![port("a"), port("b")],
            links: vec![LinkPlan { name: "l".into(), ends: [0, 1], directions: [direction.clone(), direction] }],
        })
    }

    fn step(at: u64, commands: Vec<Command>, words: &str) -> Scheduled {
        Scheduled { at: Duration::from_nanos(at), commands, words: vec![words.into()], marks: vec![] }
    }

    fn ns(ns: u64) -> Instant {
        Instant::from_nanos(ns)
    }

    const KEEP: Keep = Keep { series: Some(Duration::from_nanos(100)), phases: false };
    const NOTHING: Keep = Keep { series: None, phases: false };
    const DOWN: Command = Command::Down(LinkId(0));
    const UP: Command = Command::Up(LinkId(0));

    /// A thread that comes at these times, and finds frames that came then.
    fn play(times: &[u64], frames: &[u64]) -> (Vec<(u64, String)>, Vec<u64>, Recorded) {
        let (mut engine, mut out) = (engine(), Happened::default());
        let (tell, told) = unbounded();
        let zero = ns(1_000);
        engine.advance(zero, &mut out);
        let steps = vec![step(0, vec![], "start"), step(500, vec![DOWN], "l=down"), step(700, vec![UP], "l=up")];
        let mut agenda = Agenda::begin(&engine, zero, steps, KEEP, tell);
        for now in times {
            agenda.release(ns(*now), &mut engine, &mut out, |out, at, what| out.0.push((at.as_nanos(), what)));
            for _ in frames.iter().filter(|at| *at == now) {
                let frame = engine.pool().store(&[0; 60]).unwrap();
                engine.inject(ns(*now), NodeId(0), frame);
            }
            engine.advance(ns(*now), &mut out);
        }
        let recorded = agenda.end(&engine, ns(2_000)).series.unwrap();
        (out.0, told.try_iter().map(Instant::as_nanos).collect(), recorded)
    }

    #[test]
    fn steps_happen_at_their_model_time_however_late_the_thread_comes() {
        let frames = [1_400, 1_600, 1_900];
        let fine: Vec<u64> = (1_000..=2_000).step_by(50).collect();
        let (happened, told, recorded) = play(&fine, &frames);
        assert_eq!(told, [1_000, 1_500, 1_700]);
        let down: Vec<_> = happened.iter().filter(|(at, _)| (1_500..1_700).contains(at)).collect();
        assert_eq!(down, [&(1_500, format!("{DOWN:?}")), &(1_500, "l=down".to_owned())], "lost while it was down");
        // The same inputs, and a thread that comes only when there is one of them: nothing differs.
        let (late, told_late, recorded_late) = play(&[1_400, 1_600, 1_900, 2_000], &frames);
        assert_eq!((late, told_late), (happened, told));
        assert_eq!(recorded_late.tracks, recorded.tracks);
        assert_eq!(recorded.tracks[0].1.delivered_frames, [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
        // what comes at the very instant of a look comes after it
        assert_eq!(recorded.tracks[0].1.dropped, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn a_frame_of_a_steps_own_instant_meets_what_it_changed() {
        let (happened, ..) = play(&[1_500, 1_699, 1_700, 2_000], &[1_500, 1_700]);
        let delivered: Vec<u64> = happened.iter().filter(|(_, what)| what == "delivered").map(|(at, _)| *at).collect();
        assert_eq!(delivered, [1_710]);
    }

    #[test]
    fn what_should_have_been_before_is_at_once() {
        let (mut engine, mut out) = (engine(), Happened::default());
        let (tell, told) = unbounded();
        let mut agenda = Agenda::begin(&engine, ns(100), vec![], NOTHING, tell);
        engine.advance(ns(150), &mut out);
        agenda.replace(vec![step(20, vec![DOWN], "late"), step(60, vec![UP], "in time")], ns(150));
        agenda.release(ns(200), &mut engine, &mut out, |out, at, what| out.0.push((at.as_nanos(), what)));
        let words: Vec<_> = out.0.iter().filter(|(_, what)| !what.contains('(')).cloned().collect();
        assert_eq!(words, [(150, "late".to_owned()), (160, "in time".to_owned())]);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [ns(150), ns(160)]);
    }

    #[test]
    fn what_is_still_to_come_can_be_replaced_and_ends() {
        let (mut engine, mut out) = (engine(), Happened::default());
        let (tell, told) = unbounded();
        let mut agenda =
            Agenda::begin(&engine, ns(0), vec![step(5, vec![], "a"), step(9, vec![DOWN], "b")], NOTHING, tell);
        let log = |out: &mut Happened, at: Instant, what| out.0.push((at.as_nanos(), what));
        agenda.release(ns(6), &mut engine, &mut out, log);
        assert_eq!((agenda.done(), agenda.next_step()), (1, Some(ns(9))));
        agenda.replace(vec![step(9, vec![], "c"), step(20, vec![], "d")], ns(6));
        agenda.release(ns(9), &mut engine, &mut out, log);
        assert!(agenda.end(&engine, ns(10)).series.is_none());
        agenda.replace(vec![step(21, vec![], "e")], ns(10));
        agenda.release(ns(30), &mut engine, &mut out, log);
        assert_eq!(out.0, [(5, "a".to_owned()), (9, "c".to_owned())]);
        assert_eq!(told.try_iter().count(), 2);
    }
}
