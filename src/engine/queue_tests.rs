//! Queues with a law of their own inside a direction: order and numbers, marks in trains, live changes.

use super::*;
use crate::frame::FrameView;
use crate::frame::{Cut, DropCause};
use crate::model::{Chance, DelaySpec, Distribution, Impairments, LossSpec, Order, RateSpec, ReorderSpec};
use crate::queue::testing::udp;
use crate::queue::{CodelSpec, FifoSpec, FqCodelSpec, PieSpec, QueueSpec, RedSpec};
use crate::units::{ByteSize, Probability};
use crate::wire::ecn;
use crate::wire::ipv4::{Ecn, Packet};

/// What came out: by direction's number, when; and the codepoints of what was delivered.
#[derive(Default)]
struct Out {
    delivered: Vec<(u64, u64, u64)>,
    lost: Vec<u64>,
    marked: Vec<u64>,
    seen: Vec<(u16, Ecn)>,
}

impl FrameSink for Out {
    fn deliver(&mut self, _: NodeId, frame: FrameView<'_>, _: Instant) {
        self.seen.push((frame.count, ecn::codepoint(frame.head)));
        let mut bytes = Vec::new();
        frame.write_wire_frame(&mut bytes);
        assert!(Packet::new_checked(&bytes[14..]).unwrap().checksum_ok());
    }
    fn fate(&mut self, fate: Fate<'_>) {
        let numbers = fate.number..fate.number + fate.frames;
        match fate.kind {
            FateKind::Delivered { .. } => self.delivered.push((fate.number, fate.frames, fate.at.as_nanos())),
            FateKind::Dropped(DropCause::Loss) => self.lost.extend(numbers),
            FateKind::Marked => {
                assert_eq!((fate.frames, ecn::codepoint(fate.view().head)), (1, Ecn::Ce));
                self.marked.extend(numbers);
            }
            _ => {}
        }
    }
}

fn engine(forward: DirectionSpec) -> Engine {
    let nodes = ["a", "b"].map(|name| NodePlan { name: name.into(), kind: NodeKind::Port }).to_vec();
    let links = vec![LinkPlan { name: "link".into(), ends: [0, 1], directions: [forward, DirectionSpec::default()] }];
    Engine::new(&Plan { seed: 1, coalesce: Duration::from_millis(100), convergence: Duration::ZERO, nodes, links })
}

fn with(queue: QueueSpec) -> DirectionSpec {
    DirectionSpec { rate: RateSpec::Constant("8Mbit".parse().unwrap()), queue: Some(queue), ..Default::default() }
}

const THERE: DirectionId = DirectionId(0);

fn ms(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

/// Frames of 1,000 bytes.
fn inject(engine: &mut Engine, at: Instant, flow: u16, codepoint: u8) {
    let frame = engine.pool().store(&udp(flow, codepoint, 1000)).unwrap();
    engine.inject(at, NodeId(0), frame);
}

fn run(engine: &mut Engine) -> Out {
    let mut out = Out::default();
    engine.advance(Instant::from_nanos(u64::MAX - 1), &mut out);
    let c = engine.counters(THERE);
    assert_eq!(c.offered.frames + c.duplicated, c.delivered.frames + c.dropped.frames());
    assert_eq!(c.marked, out.marked.len() as u64);
    assert_eq!(engine.pool().live(), 0);
    out
}

/// A bulk flow's burst of 60, and four frames of other flows behind it.
fn mixed(spec: DirectionSpec) -> (Engine, Out) {
    let mut engine = engine(spec);
    for n in 0..64 {
        inject(&mut engine, ms(0), if n < 60 { 1 } else { n + 10 }, 0);
    }
    let out = run(&mut engine);
    (engine, out)
}

#[test]
fn flows_served_in_turns_are_not_reordered_and_draw_as_they_would_have() {
    let lossy = |queue| DirectionSpec { loss: LossSpec::random("20%".parse().unwrap()), ..with(queue) };
    let fifo = QueueSpec::Fifo(FifoSpec::UNLIMITED);
    let fq = QueueSpec::FqCodel(FqCodelSpec::default());
    let (in_order, first) = mixed(lossy(fifo));
    let (in_turns, second) = mixed(lossy(fq));
    let sorted = |mut numbers: Vec<u64>| {
        numbers.sort_unstable();
        numbers
    };
    assert!(second.delivered.iter().position(|d| d.0 >= 60) < Some(8), "a sparse flow does not wait for the bulk");
    assert!(!first.lost.is_empty());
    assert_eq!(sorted(first.lost), sorted(second.lost), "a frame's number decides, not its turn");
    assert_eq!((in_order.counters(THERE).reordered, in_turns.counters(THERE).reordered), (0, 0));
    // what overtakes on the way is counted all the same
    let reorder = ReorderSpec::independent(Chance("30%".parse().unwrap()), 1);
    let impairments = Impairments { reorder, ..Impairments::default() };
    let delay = DelaySpec::constant(Duration::from_millis(20));
    let (engine, _) = mixed(DirectionSpec { impairments, delay, ..with(fq) });
    let reordered = engine.counters(THERE).reordered;
    assert!((20..64).contains(&reordered), "{reordered}: about 70 % are overtaken, but for the last");
}

#[test]
fn reordering_is_counted_by_places_on_the_wire_as_by_numbers_where_they_agree() {
    let delay = DelaySpec {
        jitter: Duration::from_millis(8),
        distribution: Distribution::Uniform,
        order: Order::Free,
        ..DelaySpec::constant(Duration::from_millis(10))
    };
    let (engine, out) = mixed(DirectionSpec { delay, ..with(QueueSpec::Fifo(FifoSpec::UNLIMITED)) });
    let (mut highest, mut overtaken) = (0, 0);
    for (number, frames, _) in out.delivered {
        overtaken += if number + frames <= highest { frames } else { 0 };
        highest = highest.max(number + frames);
    }
    assert!(overtaken > 5);
    assert_eq!(engine.counters(THERE).reordered, overtaken);
}

#[test]
fn a_marked_frame_of_a_train_leaves_alone() {
    // every frame is told once the queue is not empty: the weight is 100 %, `max` 2 bytes
    let bytes = |n| Some(ByteSize::from_bytes(n));
    let always = RedSpec {
        min: bytes(1),
        max: bytes(2),
        ecn: true,
        weight: Probability::ALWAYS,
        ..RedSpec::within(ByteSize::from_bytes(100_000))
    };
    let mut engine = engine(with(QueueSpec::Red(always)));
    let train = |engine: &mut Engine| {
        let frame = engine.pool().store_train(&udp(1, 2, 42 + 6 * 958), Cut { header: 42, segment: 958 }).unwrap();
        engine.inject(ms(0), NodeId(0), frame);
    };
    train(&mut engine);
    let out = run(&mut engine);
    // the first is on the wire at once, the second finds nothing waiting, the others are marked
    assert_eq!(out.marked, [2, 3, 4, 5]);
    let marked = (1, Ecn::Ce);
    assert_eq!(out.seen, [(2, Ecn::Ect0), marked, marked, marked, marked]);
    assert_eq!(out.delivered.iter().map(|d| d.0).collect::<Vec<_>>(), [0, 2, 3, 4, 5]);
    assert_eq!(engine.counters(THERE).dropped.frames(), 0);
}

#[test]
fn codel_in_front_of_a_wire_sends_as_much_as_the_wire_takes() {
    for ecn in [false, true] {
        let spec = CodelSpec { ecn, ..CodelSpec::default() };
        let mut engine = engine(with(QueueSpec::Codel(spec)));
        // 10 % more than the wire takes, for two seconds
        for n in 0..2200 {
            inject(&mut engine, Instant::from_nanos(n * 1_000_000 * 10 / 11), 1, 2);
        }
        let mut out = Out::default();
        engine.advance(ms(2000), &mut out);
        assert!(out.delivered.len() >= 1999, "the wire is never idle: {}", out.delivered.len());
        let (aqm, marked) = (engine.counters(THERE).dropped.by(DropCause::Aqm).frames, engine.counters(THERE).marked);
        assert_eq!((aqm > 5, marked > 5), (!ecn, ecn), "{aqm} dropped, {marked} marked");
        engine.advance(Instant::from_nanos(u64::MAX - 1), &mut out);
        assert_eq!(engine.pool().live(), 0);
    }
}

#[test]
fn a_discipline_changes_while_frames_wait_and_down_clears_it() {
    let mut engine = engine(with(QueueSpec::Fifo(FifoSpec::UNLIMITED)));
    for n in 0..30 {
        inject(&mut engine, ms(0), n, 0);
    }
    let to = |queue| Command::Set(THERE, Change { queue: Some(queue), ..Change::default() });
    let fq = QueueSpec::FqCodel(FqCodelSpec { limit: 20, ..FqCodelSpec::default() });
    let pie = QueueSpec::Pie(PieSpec::default());
    engine.apply(ms(5), to(fq)).unwrap();
    engine.apply(ms(10), to(pie)).unwrap();
    engine.apply(ms(12), Command::Down(LinkId(0))).unwrap();
    let mut out = Out::default();
    engine.advance(ms(11), &mut out);
    assert_eq!(engine.spec(THERE).queue, Some(pie));
    // one on the wire and 24 waiting at 5 ms: four do not fit
    let resized = engine.counters(THERE).dropped.by(DropCause::QueueResized).frames;
    assert_eq!((resized, engine.waiting(THERE)), (4, 30 - 4 - 11 - 1));
    let _ = run(&mut engine);
    assert_eq!(engine.counters(THERE).dropped.by(DropCause::LinkDown).frames, 14);
}
