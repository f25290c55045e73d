//! One direction of a link by itself, in an engine of its own: frames offered at a steady pace, or as fast as the wire
//! takes them.

use crate::engine::{
    DirectionCounters, DirectionId, Engine, Fate, FateKind, FrameSink, LinkId, LinkPlan, NodeId, NodeKind, NodePlan,
    Plan,
};
use crate::frame::{DropCause, FrameView};
use crate::rng::Way;
use crate::units::{Duration, Instant};

/// Frames that a greedy sender keeps waiting, where the queue holds so many: more than any wire takes at one instant.
const BACKLOG: u64 = 1_000;
/// How long a greedy sender waits where nothing is going on in the network that it could wait for.
const PATIENCE: Duration = Duration::from_millis(1);
/// The network is taken for stuck when so many events let no frame out.
const STUCK: u64 = 1_000_000;

/// A network of one link, of which one direction carries frames.
pub(super) struct Lone {
    engine: Engine,
    direction: DirectionId,
    port: NodeId,
    bytes: Vec<u8>,
    seen: Seen,
    now: Instant,
}

/// What became of single frames.
#[derive(Default)]
pub(super) struct Seen {
    /// When each arrived, and its delay, in ns, in order of arrival.
    pub(super) arrived: Vec<(u64, u64)>,
    /// Frames that did not arrive, by number, and why.
    pub(super) dropped: Vec<(u64, DropCause)>,
}

impl FrameSink for Seen {
    fn deliver(&mut self, _: NodeId, _: FrameView<'_>, _: Instant) {}

    fn fate(&mut self, fate: Fate<'_>) {
        for n in 0..fate.frames {
            match fate.kind {
                FateKind::Delivered { offered, .. } => {
                    self.arrived.push((fate.at.as_nanos(), (fate.at - offered).as_nanos()));
                }
                FateKind::Dropped(cause) => self.dropped.push((fate.number + n, cause)),
                _ => {}
            }
        }
    }
}

/// How a direction fared.
pub(super) struct Outcome {
    pub(super) seen: Seen,
    pub(super) counters: DirectionCounters,
    /// Still inside when nothing went on any more.
    pub(super) inside: u64,
    /// When the last frame was offered, or could have been.
    pub(super) end: Instant,
}

impl Outcome {
    /// Frames that arrived while frames were offered.
    pub(super) fn arrived_by_end(&self) -> u64 {
        self.seen.arrived.iter().filter(|(at, _)| *at <= self.end.as_nanos()).count() as u64
    }
}

impl Lone {
    /// `link` is the link as the scenario has it, apart from its ends: random draws are those of a run, since they are
    /// named after seed, link, way and number. Every frame offered consists of `bytes`.
    pub(super) fn new(seed: u64, mut link: LinkPlan, way: Way, bytes: Vec<u8>) -> Lone {
        link.ends = [0, 1];
        let port = |name: &str| NodePlan { name: name.into(), kind: NodeKind::Port };
        let nodes = vec![port("a"), port("b")];
        let engine = Engine::new(&Plan {
            seed,
            coalesce: Duration::ZERO,
            convergence: Duration::ZERO,
            nodes,
            links: vec![link],
        });
        let near_end = match way {
            Way::Forward => NodeId(0),
            Way::Backward => NodeId(1),
        };
        Lone {
            engine,
            direction: DirectionId::of(LinkId(0), way),
            port: near_end,
            bytes,
            seen: Seen::default(),
            now: Instant::ZERO,
        }
    }

    fn offer(&mut self) {
        let frame = self.engine.pool().store(&self.bytes).expect("the size was checked against what a frame can be");
        self.engine.inject(self.now, self.port, frame);
        self.engine.advance(self.now, &mut self.seen);
    }

    fn advance(&mut self, to: Instant) {
        self.now = to;
        self.engine.advance(to, &mut self.seen);
    }

    /// Offers so many frames, one each time, and waits for the last of them.
    pub(super) fn steadily(mut self, frames: u64, every: Duration) -> Outcome {
        for n in 0..frames {
            self.advance(Instant::ZERO + every * n);
            self.offer();
        }
        let end = Instant::ZERO + every * frames;
        self.drain();
        self.outcome(end)
    }

    /// Keeps frames waiting for the wire, until `frames` have passed it and `span` is over, or `most` were offered.
    pub(super) fn greedily(mut self, frames: u64, span: Duration, most: u64) -> Outcome {
        let (mut offered, mut refused) = (0, 0);
        loop {
            while offered < most && self.engine.waiting(self.direction) < BACKLOG {
                let dropped = self.seen.dropped.len();
                self.offer();
                offered += 1;
                if self.seen.dropped.len() > dropped {
                    refused += 1;
                    break; // what the queue refuses now it would refuse again
                }
            }
            let copies = self.engine.counters(self.direction).duplicated;
            let passed = offered + copies - refused - self.engine.inside(self.direction);
            if offered >= most || (passed >= frames && self.now >= Instant::ZERO + span) {
                break;
            }
            let next = self.engine.next_deadline().unwrap_or(self.now + PATIENCE);
            if next == Instant::MAX {
                break;
            }
            self.advance(next);
        }
        let end = self.now;
        self.drain();
        self.outcome(end)
    }

    /// Lets what is inside come out. A wire may never send again, and disciplines may have timers of their own.
    fn drain(&mut self) {
        let (mut inside, mut patience) = (self.engine.inside(self.direction), STUCK);
        while inside > 0 && patience > 0 {
            let Some(next) = self.engine.next_deadline() else { return };
            self.advance(next);
            let left = self.engine.inside(self.direction);
            patience = if left < inside { STUCK } else { patience - 1 };
            inside = left;
        }
    }

    fn outcome(self, end: Instant) -> Outcome {
        let counters = self.engine.counters(self.direction).clone();
        Outcome { counters, inside: self.engine.inside(self.direction), seen: self.seen, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::DirectionSpec;
    use crate::model::{DelaySpec, LossSpec, RateSpec};
    use crate::queue::{FifoSpec, QueueSpec};

    fn lone(spec: DirectionSpec, way: Way) -> Lone {
        let mut directions = [DirectionSpec::default(), DirectionSpec::default()];
        directions[way as usize] = spec;
        Lone::new(1, LinkPlan { name: "link".into(), ends: [7, 9], directions }, way, vec![0; 1_000])
    }

    fn slow() -> DirectionSpec {
        DirectionSpec {
            rate: RateSpec::Constant("8Mbit".parse().unwrap()),
            queue: Some(QueueSpec::DEFAULT),
            ..DirectionSpec::default()
        }
    }

    #[test]
    fn frames_are_offered_one_each_time_and_all_are_waited_for() {
        for way in [Way::Forward, Way::Backward] {
            let spec = DirectionSpec { delay: DelaySpec::constant(Duration::from_secs(9)), ..DirectionSpec::default() };
            let outcome = lone(spec, way).steadily(10, Duration::from_millis(3));
            let expected: Vec<_> = (0..10u64).map(|n| (9_000_000_000 + n * 3_000_000, 9_000_000_000)).collect();
            assert_eq!((outcome.seen.arrived, outcome.inside), (expected, 0));
            assert_eq!(outcome.end, Instant::from_nanos(30_000_000));
        }
    }

    #[test]
    fn a_greedy_sender_gets_all_of_the_wire_whatever_the_queue() {
        let one = QueueSpec::Fifo(FifoSpec { packets: Some(1), ..FifoSpec::UNLIMITED });
        for queue in [one, QueueSpec::Fifo(FifoSpec::UNLIMITED), QueueSpec::DEFAULT] {
            let spec = DirectionSpec { queue: Some(queue), ..slow() };
            let outcome = lone(spec, Way::Backward).greedily(1_000, Duration::ZERO, 5_000);
            // 1,000 bytes take 1 ms
            assert_eq!(outcome.end, Instant::from_nanos(1_000_000_000));
            assert_eq!(outcome.arrived_by_end(), 1_000);
            assert_eq!(outcome.inside, 0);
        }
    }

    #[test]
    fn a_greedy_sender_goes_on_for_the_whole_span_but_not_for_ever() {
        let end = |span, most| lone(slow(), Way::Forward).greedily(10, Duration::from_secs(span), most).end;
        assert_eq!(end(2, 1_000_000), Instant::from_nanos(2_000_000_000));
        assert!(end(1_000_000, 5_000) < Instant::from_nanos(5_000_000_000));
    }

    #[test]
    fn where_nothing_gets_through_both_come_to_an_end() {
        let nothing = DirectionSpec { mtu: Some(68), ..slow() };
        let outcome = lone(nothing.clone(), Way::Forward).greedily(100, Duration::ZERO, 500);
        assert_eq!(
            (outcome.counters.dropped.by(DropCause::Mtu).frames, outcome.inside),
            (outcome.counters.offered.frames, 0)
        );
        let outcome = lone(nothing, Way::Forward).steadily(100, Duration::from_millis(1));
        assert_eq!(outcome.seen.dropped.len(), 100);
        assert!(outcome.seen.dropped.iter().enumerate().all(|(n, (number, _))| n as u64 == *number));
        let for_ever = DirectionSpec { delay: DelaySpec::constant(Duration::MAX), ..slow() };
        lone(for_ever.clone(), Way::Forward).steadily(10, Duration::from_millis(1));
        lone(for_ever, Way::Forward).greedily(10, Duration::from_secs(1), 50);
        let lost = DirectionSpec { loss: LossSpec::random("100%".parse().unwrap()), ..slow() };
        let outcome = lone(lost, Way::Forward).greedily(100, Duration::ZERO, 500);
        assert_eq!(outcome.counters.delivered.frames, 0);
    }
}
