//! The timeline of a run. What changes inside the network is handed to the engine's thread at t = 0, all of it, and happens
//! there at its model time; what changes in the hosts happens here, by the clock, as near to its time as this thread wakes.
//!
//! Steps that come after something that happens to a workload are handed over when it does.

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::agenda::Scheduled;
use super::course::Course;
use super::happened::Happened;
use super::process::Processes;
use super::programs::Surroundings;
use super::workload::RunningWorkload;
use crate::addressing::network::NetworkPlan;
use crate::diag::Diagnostics;
use crate::host::{DefaultRoute, HostError, Init, RouteBefore};
use crate::language::files::Files;
use crate::report::json::{EventKind, NotReached};
use crate::tasks::set::LiveLinks;
use crate::tasks::timeline::{Action, Happening, Phase, RouteMove, Step};
use crate::units::{Duration, Instant};

/// A run's timeline, and how far it has come.
pub(super) struct Timeline<'a> {
    steps: &'a [Step],
    network: &'a NetworkPlan,
    /// The tables that steps name, as they were before the run.
    files: &'a dyn Files,
    zero: Option<Instant>,
    /// When each step is, from t = 0, as far as that is known.
    times: Vec<Option<Duration>>,
    /// Steps that have not taken effect inside the network, as far as is known here, in the order in which they will.
    inside: VecDeque<usize>,
    /// How many have.
    done: usize,
    /// Steps with changes in hosts that have not been made, in the order of their times.
    outside: VecDeque<usize>,
    /// What steps wait for that has not happened yet.
    awaited: Vec<Happening>,
    tell: Sender<Instant>,
    told: Receiver<Instant>,
    /// What could not be done: one sentence each.
    pub(super) failures: Vec<String>,
    /// What was asked of links from when on.
    pub(super) course: Course,
}

/// A step that is not possible any more, because of what was changed before it.
#[derive(Debug)]
pub(super) struct Impossible {
    step: usize,
    /// Why, as people may read it.
    pub(super) reason: String,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(steps: &'a [Step], network: &'a NetworkPlan, files: &'a dyn Files) -> Timeline<'a> {
        let (tell, told) = unbounded();
        let mut awaited: Vec<Happening> = steps.iter().filter_map(|step| step.after.clone()).collect();
        awaited.sort();
        awaited.dedup();
        let mut timeline = Timeline {
            steps,
            network,
            files,
            zero: None,
            times: vec![None; steps.len()],
            inside: VecDeque::new(),
            done: 0,
            outside: VecDeque::new(),
            awaited,
            tell,
            told,
            failures: Vec::new(),
            course: Course::default(),
        };
        timeline.place(None, Duration::ZERO);
        timeline
    }

    /// Gives the steps that come after something their times: it happened `base` after t = 0.
    fn place(&mut self, after: Option<&Happening>, base: Duration) {
        for (at, step) in self.steps.iter().enumerate().filter(|(_, step)| step.after.as_ref() == after) {
            let Some(ns) = base.as_nanos().checked_add(step.at.as_nanos()) else { continue };
            self.times[at] = Some(Duration::from_nanos(ns));
            self.inside.push_back(at);
            if !step.actions.iter().all(Action::is_inside) {
                self.outside.push_back(at);
            }
        }
        for steps in [&mut self.inside, &mut self.outside] {
            // those of one time stay in their order
            steps.make_contiguous().sort_by_key(|step| (self.times[*step], *step));
        }
    }

    /// Looks at what has happened to workloads. Whether there is more to come of the timeline now.
    pub(super) fn hear(&mut self, work: &[RunningWorkload]) -> bool {
        let Some(zero) = self.zero else { return false };
        let when = |happening: &Happening| {
            let work = work.iter().find(|work| work.name == happening.workload)?;
            match happening.phase {
                Phase::Started => work.started,
                Phase::Ended => work.started.and(work.ended).filter(|_| work.is_done()),
            }
        };
        let (now, later): (Vec<_>, Vec<_>) = self.awaited.drain(..).partition(|happening| when(happening).is_some());
        self.awaited = later;
        for happening in &now {
            let base = when(happening).map_or(Duration::ZERO, |at| at.saturating_since(zero));
            self.place(Some(happening), base);
        }
        !now.is_empty()
    }

    /// Whether it gives a name to any instant.
    pub(super) fn has_marks(&self) -> bool {
        self.steps.iter().any(|step| !marks(step).is_empty())
    }

    /// Where the engine's thread says what has taken effect.
    pub(super) fn listener(&self) -> Sender<Instant> {
        self.tell.clone()
    }

    /// t = 0 was at this instant.
    pub(super) fn begin(&mut self, zero: Instant) {
        self.zero = Some(zero);
    }

    /// How many steps have taken effect inside the network, as far as is known here.
    pub(super) fn inside(&self) -> usize {
        self.done
    }

    /// What the engine is to be told from here on, given how the links stand now.
    ///
    /// # Errors
    /// The first step that is not possible any more.
    pub(super) fn schedule(&self, links: &LiveLinks) -> Result<Vec<Scheduled>, Impossible> {
        let mut links = links.clone();
        let scheduled = |at: &usize| {
            let step = &self.steps[*at];
            let inside = step.actions.iter().filter(|action| action.is_inside());
            let words = inside.flat_map(Action::words).collect();
            let time = self.times[*at].unwrap_or_default();
            match step.commands(&mut links, self.files) {
                Ok(commands) => Ok(Scheduled { at: time, commands, words, marks: marks(step) }),
                Err(wrong) => {
                    let reason =
                        format!("the timeline's step at {} is not possible then: {}", step.when(), told(&wrong));
                    Err(Impossible { step: *at, reason })
                }
            }
        };
        self.inside.iter().map(scheduled).collect()
    }

    /// A step that came to be known, and turns out to be impossible, is left out: the run has failed.
    pub(super) fn leave_out(&mut self, impossible: Impossible) {
        self.inside.retain(|step| *step != impossible.step);
        self.outside.retain(|step| *step != impossible.step);
        self.failures.push(impossible.reason);
    }

    /// Takes in what has taken effect inside the network: `links` stand as the engine has them then.
    pub(super) fn take_in(&mut self, links: &mut LiveLinks, events: &mut Vec<Happened>) {
        while let Ok(at) = self.told.try_recv() {
            let Some(number) = self.inside.pop_front() else { return };
            let (step, zero) = (&self.steps[number], self.zero.unwrap_or_default());
            self.done += 1;
            // it was checked against the same links when it was scheduled
            let commands = step.commands(links, self.files).unwrap_or_default();
            // of a ramp its end stands for all of it
            if step.actions.iter().any(|action| !action.words().is_empty()) {
                self.course.note(at, &commands, links);
            }
            let planned = self.times[number].map(|time| zero + time);
            for action in step.actions.iter().filter(|action| action.is_inside()) {
                let mark = if let Action::Mark(label) = action { Some(label.clone()) } else { None };
                let event = |what| Happened { at, planned, kind: EventKind::Timeline, what, mark: mark.clone() };
                events.extend(action.words().into_iter().map(event));
            }
        }
    }

    /// When something is to be changed in a host next.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        Some(self.zero? + self.times[*self.outside.front()?]?)
    }

    /// Makes the changes in hosts that are due; what has been done. `runs` are the programs that the timeline starts.
    pub(super) fn act(
        &mut self,
        now: impl Fn() -> Instant,
        processes: &mut Processes,
        runs: &mut [&mut RunningWorkload],
        around: &Surroundings<'_>,
    ) -> Vec<Happened> {
        let mut done = Vec::new();
        while self.next_timer().is_some_and(|at| at <= now())
            && let Some(number) = self.outside.pop_front()
        {
            let step = &self.steps[number];
            let planned = self.zero.zip(self.times[number]).map(|(zero, time)| zero + time);
            for action in &step.actions {
                let what = match action {
                    Action::Route(to) => match move_routes(&mut processes.init, self.network, [to]) {
                        Ok(_) => to.words.clone(),
                        Err(error) => {
                            self.failures.push(format!("timeline: at {}, {}: {error}", step.when(), to.words));
                            format!("{} failed", to.words)
                        }
                    },
                    Action::Run(run) => {
                        if let Some(work) = runs.get_mut(run.number) {
                            work.start(now(), processes, around);
                        }
                        run.words.clone()
                    }
                    _ => continue,
                };
                done.push(Happened { at: now(), planned, kind: EventKind::Timeline, what, mark: None });
            }
        }
        done
    }

    /// What the run ended too early for.
    pub(super) fn not_reached(&self) -> Vec<NotReached> {
        let mut left = Vec::new();
        let (mut inside, mut outside) = (vec![false; self.steps.len()], vec![false; self.steps.len()]);
        self.inside.iter().for_each(|step| inside[*step] = true);
        self.outside.iter().for_each(|step| outside[*step] = true);
        for (number, step) in self.steps.iter().enumerate() {
            let time = self.times[number];
            let is_left = |action: &&Action| {
                let waiting = if action.is_inside() { &inside } else { &outside };
                waiting[number] || time.is_none()
            };
            let words = step.actions.iter().filter(is_left).flat_map(Action::words);
            left.extend(words.map(|what| NotReached {
                planned_ns: time.map(Duration::as_nanos),
                after: time.is_none().then(|| step.when()),
                what,
            }));
        }
        left.sort_by_key(|left| left.planned_ns.unwrap_or(u64::MAX));
        left
    }
}

/// The names that a step gives to its instant.
fn marks(step: &Step) -> Vec<String> {
    let mark = |action: &Action| if let Action::Mark(name) = action { Some(name.clone()) } else { None };
    step.actions.iter().filter_map(mark).collect()
}

/// The programs that a timeline starts, each waiting for its step.
pub(super) fn runs(steps: &[Step]) -> Vec<(String, RunningWorkload)> {
    let runs = steps.iter().flat_map(|step| &step.actions).filter_map(|action| match action {
        Action::Run(run) => Some(run),
        _ => None,
    });
    // no workload has a point in its name, nor has its output's file
    runs.map(|run| (run.name.clone(), RunningWorkload::new(&format!("timeline.{}", run.name), &run.workload, 0)))
        .collect()
}

/// Moves default routes of hosts: all, or none. What puts them back.
pub(super) fn move_routes<'m>(
    init: &mut Init,
    network: &NetworkPlan,
    moves: impl IntoIterator<Item = &'m RouteMove>,
) -> Result<Vec<RouteBefore>, HostError> {
    let route = |to: &RouteMove| {
        let host = network.hosts[to.host].name.clone();
        DefaultRoute { host, interface: to.interface, gateways: to.gateways.clone() }
    };
    init.route(moves.into_iter().map(route).collect())
}

fn told(wrong: &Diagnostics) -> String {
    wrong.iter().map(|diagnostic| diagnostic.message.clone()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Command, LinkId};
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    use crate::tasks::resolved::Resolved;
    use std::path::Path;

    fn resolved() -> Resolved {
        let text = "longwire: 1\nduration: 9s\nnodes: { a: host, b: host }\n\
                    links: { l: { ends: [a, b], loss: 1%, delay: { mean: 5ms, jitter: 1ms } } }\n\
                    timeline:\n\
                    - { at: 2s, set: { l: { delay: 9ms } }, mark: slow }\n\
                    - { at: 1s, down: l }\n\
                    - { at: slow, up: l }\n";
        load(Path::new("t"), &MemoryFiles::one("t", text), &Overrides::default()).unwrap()
    }

    #[test]
    fn steps_are_told_when_they_took_effect_and_the_rest_was_not_reached() {
        let resolved = resolved();
        let mut links = LiveLinks::new(&resolved);
        let mut timeline = Timeline::new(&resolved.timeline, &resolved.network, &resolved.files);
        let schedule = timeline.schedule(&links).unwrap();
        assert_eq!(schedule.iter().map(|s| s.at.as_nanos() / 1_000_000_000).collect::<Vec<_>>(), [1, 2, 2]);
        assert_eq!(schedule[0].commands, [Command::Down(LinkId(0))]);
        assert_eq!(schedule[1].words, ["l.delay=9ms", "mark slow"]);
        let zero = Instant::from_nanos(7);
        timeline.begin(zero);
        assert_eq!(timeline.next_timer(), None, "nothing of it is done in hosts");
        let at = [1, 2].map(|s| zero + Duration::from_secs(s));
        at.iter().for_each(|at| timeline.listener().send(*at).unwrap());
        let mut events = Vec::new();
        timeline.take_in(&mut links, &mut events);
        let told: Vec<_> = events.iter().map(|e| (e.at, e.planned, e.what.as_str(), e.mark.as_deref())).collect();
        assert_eq!(
            told,
            [
                (at[0], Some(at[0]), "l=down", None),
                (at[1], Some(at[1]), "l.delay=9ms", None),
                (at[1], Some(at[1]), "mark slow", Some("slow")),
            ]
        );
        let now = links.direction(crate::engine::DirectionId(0)).unwrap();
        assert_eq!(now.delay.mean, Duration::from_millis(9));
        let left = timeline.not_reached();
        assert_eq!((left.len(), left[0].planned_ns, left[0].what.as_str()), (1, Some(2_000_000_000), "l=up"));
    }

    #[test]
    fn tables_of_later_steps_are_those_from_before_the_run() {
        let text = "longwire: 1\nduration: 9s\nnodes: { a: host, b: host }\nlinks: { l: { ends: [a, b] } }\n\
                    timeline: [{ at: 2s, set: { l: { delay: { trace: t.csv } } } }]\n";
        let disk = MemoryFiles::one("t", text).with("t.csv", "time,delay\n0s,5ms\n");
        let resolved = load(Path::new("t"), &disk, &Overrides::default()).unwrap();
        let gone = MemoryFiles::default();
        let files = crate::language::files::Once::after(resolved.files.clone(), &gone);
        let mut links = LiveLinks::new(&resolved);
        let mut timeline = Timeline::new(&resolved.timeline, &resolved.network, &files);
        // a change by hand has the rest of the timeline read anew
        links.set("l.loss=1%", &files).unwrap();
        let steps = timeline.schedule(&links).unwrap();
        let Command::Set(_, change) = &steps[0].commands[0] else { panic!("{steps:?}") };
        let delay = change.delay.clone().unwrap();
        timeline.begin(Instant::from_nanos(7));
        timeline.listener().send(Instant::from_nanos(9)).unwrap();
        timeline.take_in(&mut links, &mut Vec::new());
        let stands = links.direction(crate::engine::DirectionId(0)).unwrap();
        assert_eq!((stands.delay.average(), delay.average()), (Duration::from_millis(5), Duration::from_millis(5)));
    }

    #[test]
    fn what_is_still_to_come_goes_over_what_was_changed_meanwhile() {
        let resolved = resolved();
        let timeline = Timeline::new(&resolved.timeline, &resolved.network, &resolved.files);
        let mut links = LiveLinks::new(&resolved);
        links.set("l.delay.jitter=3ms", &MemoryFiles::default()).unwrap();
        let schedule = timeline.schedule(&links).unwrap();
        let Command::Set(_, change) = &schedule[1].commands[0] else { panic!("{schedule:?}") };
        let delay = change.delay.as_ref().unwrap();
        assert_eq!((delay.mean, delay.jitter), (Duration::from_millis(9), Duration::from_millis(3)));
    }

    #[test]
    fn what_comes_after_a_workload_has_a_time_when_that_has_happened() {
        let text = "longwire: 1\nduration: 9s\nnodes: { a: host, b: host }\nlinks: { l: { ends: [a, b] } }\n\
                    workloads: { w: { in: a, shell: x }, v: { in: a, shell: x } }\ntimeline:\n\
                    - { at: w.started + 1s, down: l, mark: gone }\n- { at: gone + 2s, up: l }\n\
                    - { at: 2s, set: { l: { delay: 1ms } } }\n- { at: v.ended, run: { in: a, shell: y } }\n";
        let resolved = load(Path::new("t"), &MemoryFiles::one("t", text), &Overrides::default()).unwrap();
        let links = LiveLinks::new(&resolved);
        let mut timeline = Timeline::new(&resolved.timeline, &resolved.network, &resolved.files);
        let times = |timeline: &Timeline<'_>| {
            let scheduled = timeline.schedule(&links).unwrap();
            scheduled.iter().map(|s| (s.at.as_nanos() / 1_000_000, s.words.join(","))).collect::<Vec<_>>()
        };
        assert_eq!(times(&timeline), [(2_000, "l.delay=1ms".to_owned())]);
        let zero = Instant::from_nanos(5);
        timeline.begin(zero);
        let spec = |name: &str| &resolved.scenario.workloads[name];
        let mut work = vec![RunningWorkload::new("w", spec("w"), 1), RunningWorkload::new("v", spec("v"), 2)];
        assert!(!timeline.hear(&work));
        work[0].started = Some(zero + Duration::from_millis(300));
        assert!(timeline.hear(&work));
        assert!(!timeline.hear(&work), "once is enough");
        let told = [(1_300, "l=down,mark gone"), (2_000, "l.delay=1ms"), (3_300, "l=up")];
        assert_eq!(times(&timeline), told.map(|(ms, what)| (ms, what.to_owned())));
        let left: Vec<_> = timeline.not_reached().into_iter().map(|l| (l.planned_ns, l.after, l.what)).collect();
        assert_eq!(left.len(), 5);
        assert_eq!(left[4], (None, Some("v.ended".into()), "run program in a".into()));
        assert_eq!(timeline.next_timer(), None, "it waits for `v`");
    }
}
