//! The timeline of a run. What changes inside the network is handed to the engine's thread at t = 0, all of it, and happens
//! there at its model time; what changes in the hosts happens here, by the clock, as near to its time as this thread wakes.

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::agenda::Scheduled;
use super::disk::Disk;
use super::happened::Happened;
use crate::diag::Diagnostics;
use crate::host::{HostError, Init};
use crate::record::report::{EventKind, NotReached};
use crate::scenario::network::NetworkPlan;
use crate::scenario::set::LiveLinks;
use crate::scenario::timeline::{Action, RouteMove, Step};
use crate::units::Instant;

/// A run's timeline, and how far it has come.
pub(super) struct Timeline<'a> {
    steps: &'a [Step],
    network: &'a NetworkPlan,
    zero: Option<Instant>,
    /// Steps whose changes inside the network have taken effect.
    inside: usize,
    /// Steps whose changes in hosts have been made.
    outside: usize,
    tell: Sender<Instant>,
    told: Receiver<Instant>,
    /// What could not be done: one sentence each.
    pub(super) failures: Vec<String>,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(steps: &'a [Step], network: &'a NetworkPlan) -> Timeline<'a> {
        let (tell, told) = unbounded();
        Timeline { steps, network, zero: None, inside: 0, outside: 0, tell, told, failures: Vec::new() }
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
        self.inside
    }

    /// What the engine is to be told from here on, given how the links stand now.
    ///
    /// # Errors
    /// A step that is not possible any more, as people may read it.
    pub(super) fn schedule(&self, links: &LiveLinks) -> Result<Vec<Scheduled>, String> {
        let mut links = links.clone();
        let step = |step: &Step| {
            let inside = step.actions.iter().filter(|action| action.is_inside());
            let words = inside.flat_map(Action::words).collect();
            match step.commands(&mut links, &Disk) {
                Ok(commands) => Ok(Scheduled { at: step.at, commands, words }),
                Err(wrong) => Err(format!("the timeline's step at {} is not possible then: {}", step.at, told(&wrong))),
            }
        };
        self.steps[self.inside..].iter().map(step).collect()
    }

    /// Takes in what has taken effect inside the network: `links` stand as the engine has them then.
    pub(super) fn take_in(&mut self, links: &mut LiveLinks, events: &mut Vec<Happened>) {
        while let Ok(at) = self.told.try_recv() {
            let (step, zero) = (&self.steps[self.inside], self.zero.unwrap_or_default());
            self.inside += 1;
            // it was checked against the same links when it was scheduled
            let _ = step.commands(links, &Disk);
            for action in step.actions.iter().filter(|action| action.is_inside()) {
                let mark = if let Action::Mark(label) = action { Some(label.clone()) } else { None };
                let planned = Some(zero + step.at);
                let event = |what| Happened { at, planned, kind: EventKind::Timeline, what, mark: mark.clone() };
                events.extend(action.words().into_iter().map(event));
            }
        }
    }

    /// When something is to be changed in a host next.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        let step = self.steps[self.outside..].iter().find(|step| !step.actions.iter().all(Action::is_inside))?;
        Some(self.zero? + step.at)
    }

    /// Makes the changes in hosts that are due; what has been done.
    pub(super) fn act(&mut self, now: impl Fn() -> Instant, init: &mut Init) -> Vec<Happened> {
        let mut done = Vec::new();
        let Some(zero) = self.zero else { return done };
        while let Some(step) = self.steps.get(self.outside).filter(|step| zero + step.at <= now()) {
            self.outside += 1;
            for action in &step.actions {
                let Action::Route(to) = action else { continue };
                let result = move_route(init, self.network, to);
                let mut what = to.words.clone();
                if let Err(error) = result {
                    self.failures.push(format!("timeline: at {}, {what}: {error}", step.at));
                    what.push_str(" failed");
                }
                let planned = Some(zero + step.at);
                done.push(Happened { at: now(), planned, kind: EventKind::Timeline, what, mark: None });
            }
        }
        done
    }

    /// What the run ended too early for.
    pub(super) fn not_reached(&self) -> Vec<NotReached> {
        let mut left = Vec::new();
        for (n, step) in self.steps.iter().enumerate() {
            let is_left = |action: &&Action| n >= if action.is_inside() { self.inside } else { self.outside };
            let words = step.actions.iter().filter(is_left).flat_map(Action::words);
            left.extend(words.map(|what| NotReached { planned_ns: step.at.as_nanos(), what }));
        }
        left
    }
}

/// Moves a host's default routes.
pub(super) fn move_route(init: &mut Init, network: &NetworkPlan, to: &RouteMove) -> Result<(), HostError> {
    init.route(&network.hosts[to.host].name, to.interface, &to.gateways)
}

fn told(wrong: &Diagnostics) -> String {
    wrong.iter().map(|diagnostic| diagnostic.message.clone()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Command, LinkId};
    use crate::scenario::{MemoryFiles, Overrides, Resolved, load};
    use crate::units::Duration;
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
        let mut timeline = Timeline::new(&resolved.timeline, &resolved.network);
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
        assert_eq!((left.len(), left[0].planned_ns, left[0].what.as_str()), (1, 2_000_000_000, "l=up"));
    }

    #[test]
    fn what_is_still_to_come_goes_over_what_was_changed_meanwhile() {
        let resolved = resolved();
        let timeline = Timeline::new(&resolved.timeline, &resolved.network);
        let mut links = LiveLinks::new(&resolved);
        links.set("l.delay.jitter=3ms", &MemoryFiles::default()).unwrap();
        let schedule = timeline.schedule(&links).unwrap();
        let Command::Set(_, change) = &schedule[1].commands[0] else { panic!("{schedule:?}") };
        let delay = change.delay.as_ref().unwrap();
        assert_eq!((delay.mean, delay.jitter), (Duration::from_millis(9), Duration::from_millis(3)));
    }
}
