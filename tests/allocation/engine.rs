//! What the engine allocates: nothing for a frame once it is warm, and little for a link that rests.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use crate::counting::{allocations, in_use};
use longwire::capture::{Missing, Next, Tape, tape};
use longwire::engine::{
    DirectionId, DirectionSpec, Engine, Fate, FrameSink, LinkId, LinkPlan, NodeId, NodeKind, NodePlan, Plan,
};
use longwire::frame::{Cut, FrameView};
use longwire::model::{DelaySpec, LossSpec, RateSpec};
use longwire::node::{RouterInterface, RouterPlan, SwitchSpec};
use longwire::queue::{CodelSpec, FifoSpec, FqCodelSpec, PieSpec, QueueSpec, RedSpec};
use longwire::units::{ByteSize, Duration, Instant};

/// Counts what is delivered, and keeps nothing.
#[derive(Default)]
struct Delivered(u64);

impl FrameSink for Delivered {
    fn deliver(&mut self, _: NodeId, frame: FrameView<'_>, _: Instant) {
        self.0 += u64::from(frame.count);
    }
}

fn everything() -> DirectionSpec {
    DirectionSpec {
        delay: DelaySpec { jitter: Duration::from_micros(100), ..DelaySpec::constant(Duration::from_millis(1)) },
        loss: LossSpec::random("1%".parse().unwrap()),
        rate: RateSpec::Constant("1Gbit".parse().unwrap()),
        queue: Some(QueueSpec::Fifo(FifoSpec { packets: Some(100), ..FifoSpec::UNLIMITED })),
        ..DirectionSpec::default()
    }
}

fn port(n: usize) -> NodePlan {
    NodePlan { name: format!("p{n}"), kind: NodeKind::Port }
}

/// Offers `frames` wire frames, every tenth offer a train of ten, from both ports through the switch to the other.
fn offer(engine: &mut Engine, now: &mut Instant, frames: u64, sink: &mut impl FrameSink) {
    let mut bytes = [0u8; 50 + 10 * 950];
    let mut offered = 0;
    let mut turn = 0u32;
    while offered < frames {
        let from = (turn % 2) as u8;
        (bytes[5], bytes[11]) = (2 - from, from + 1);
        // IPv4 and UDP of one of seven flows, ECN-capable
        bytes[12..16].copy_from_slice(&[0x08, 0x00, 0x45, 2]);
        bytes[17..24].copy_from_slice(&[28, 0, 0, 0, 0, 64, 17]);
        bytes[35] = (turn % 7) as u8;
        let frame = if turn % 20 < 2 {
            engine.pool().store_train(&bytes, Cut { header: 50, segment: 950 }).unwrap()
        } else {
            engine.pool().store(&bytes[..1000]).unwrap()
        };
        offered += frame.count();
        engine.inject(*now, NodeId(u32::from(from)), frame);
        engine.advance(*now, sink);
        turn += 1;
        // a little more than the wires carry, so that the queues fill and overflow too
        *now += Duration::from_micros(7);
    }
}

#[test]
fn queues_with_a_control_law_allocate_nothing_for_a_frame() {
    let (target, interval, ecn) = (Duration::from_micros(20), Duration::from_micros(400), true);
    let pie = PieSpec::default();
    let ecn_threshold = longwire::units::Probability::ALWAYS;
    let alpha = longwire::queue::Gain::from_millionths(1_000_000).unwrap();
    for (queue, marks) in [
        (QueueSpec::DropHead(FifoSpec { packets: Some(40), ..FifoSpec::UNLIMITED }), false),
        (QueueSpec::Red(RedSpec { ecn, ..RedSpec::within(ByteSize::from_bytes(40_000)) }), true),
        (QueueSpec::Codel(CodelSpec { target, interval, limit: 50, ecn }), true),
        (QueueSpec::FqCodel(FqCodelSpec { target, interval, limit: 50, ecn, ..FqCodelSpec::default() }), true),
        // full now and then, which would start the sum of probabilities anew each time
        (QueueSpec::Pie(PieSpec { target, alpha, limit: 50, ecn, ecn_threshold, derandomize: false, ..pie }), true),
    ] {
        let direction = DirectionSpec { queue: Some(queue), ..everything() };
        let plan = Plan {
            seed: 1,
            coalesce: Duration::from_micros(50),
            convergence: Duration::ZERO,
            nodes: vec![port(0), port(1)],
            links: vec![LinkPlan { name: "l".into(), ends: [0, 1], directions: [direction.clone(), direction] }],
        };
        let mut engine = Engine::new(&plan);
        let (mut now, mut sink) = (Instant::ZERO, Delivered::default());
        // each flow's own queue grows to the most that it ever holds
        for _ in 0..10 {
            offer(&mut engine, &mut now, 100_000, &mut sink);
        }
        let before = (allocations(), sink.0, engine.counters(DirectionId(0)).marked);
        offer(&mut engine, &mut now, 100_000, &mut sink);
        let allocated = allocations() - before.0;
        assert!(sink.0 - before.1 > 40_000, "{queue:?}: {} of 100,000 arrived", sink.0 - before.1);
        let marked = engine.counters(DirectionId(0)).marked - before.2;
        assert_eq!(marked > 0, marks, "{queue:?}: {marked} marked");
        assert_eq!(allocated, 0, "allocations over 100,000 frames: {queue:?}");
    }
}

#[test]
fn routers_allocate_nothing_for_a_frame() {
    let mac = |n: u32, node: u8| longwire::wire::ethernet::MacAddr([2, 0, 0, 0, node, n as u8]);
    let interfaces = (0..2).map(|n| RouterInterface {
        name: format!("eth{n}"),
        mac: mac(n, 1),
        addresses: vec![format!("10.0.{n}.1/24").parse().unwrap(), format!("fd00:0:0:{n}::1/64").parse().unwrap()],
        neighbours: vec![
            (format!("10.0.{n}.2").parse().unwrap(), mac(n, 2)),
            (format!("fd00:0:0:{n}::2").parse().unwrap(), mac(n, 2)),
        ],
    });
    let router = RouterPlan { interfaces: interfaces.collect(), ..RouterPlan::default() };
    let links =
        (0..2).map(|n| LinkPlan { name: format!("l{n}"), ends: [n, 2], directions: [everything(), everything()] });
    let plan = Plan {
        seed: 1,
        coalesce: Duration::from_micros(50),
        convergence: Duration::ZERO,
        nodes: vec![port(0), port(1), NodePlan { name: "r".into(), kind: NodeKind::Router(router) }],
        links: links.collect(),
    };
    // an IPv4 and an IPv6 packet each way, plain and as a train; whose headers are as long as the first wire frame
    let packet = |from: u32, v4: bool, frames: usize| {
        let mut bytes = [&mac(from, 1).0[..], &mac(from, 2).0].concat();
        let len = frames * 950;
        let (src, dst) = if v4 {
            (format!("10.0.{from}.2"), format!("10.0.{}.2", 1 - from))
        } else {
            (format!("fd00:0:0:{from}::2"), format!("fd00:0:0:{}::2", 1 - from))
        };
        if v4 {
            bytes.extend([8, 0]);
            let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
            let header = longwire::wire::icmp_error::V4 { src, dst, tos: 0, id: 0, protocol: 17 };
            header.write(&mut bytes, len).unwrap();
        } else {
            bytes.extend([0x86, 0xdd]);
            let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
            let header = longwire::wire::icmp_error::V6 { src, dst, hop_limit: 64, traffic_class: 0, protocol: 17 };
            header.write(&mut bytes, len).unwrap();
        }
        bytes.resize(bytes.len() + len, 7);
        bytes
    };
    let offers: Vec<(u32, Vec<u8>, usize)> = [1, 1, 1, 1, 10]
        .into_iter()
        .flat_map(|frames| [(0, true), (1, false), (1, true), (0, false)].map(|(from, v4)| (from, v4, frames)))
        .map(|(from, v4, frames)| (from, packet(from, v4, frames), frames))
        .collect();
    let mut engine = Engine::new(&plan);
    let (mut now, mut sink) = (Instant::ZERO, Delivered::default());
    let run = |engine: &mut Engine, now: &mut Instant, sink: &mut Delivered| {
        for (from, bytes, frames) in offers.iter().cycle().take(40_000) {
            let frame = if *frames == 1 {
                engine.pool().store(bytes).unwrap()
            } else {
                let header = (bytes.len() - frames * 950) as u16;
                engine.pool().store_train(bytes, Cut { header, segment: 950 }).unwrap()
            };
            engine.inject(*now, NodeId(*from), frame);
            engine.advance(*now, sink);
            *now += Duration::from_micros(14);
        }
    };
    for _ in 0..4 {
        run(&mut engine, &mut now, &mut sink);
    }
    let (before, delivered) = (allocations(), sink.0);
    run(&mut engine, &mut now, &mut sink);
    let (allocated, delivered) = (allocations() - before, sink.0 - delivered);
    assert!(delivered > 70_000, "{delivered} of 112,000 arrived");
    assert_eq!(allocated, 0, "allocations over 112,000 frames");
}

#[test]
fn frames_allocate_nothing_and_idle_links_cost_little() {
    let plan = Plan {
        seed: 1,
        coalesce: Duration::from_micros(50),
        convergence: Duration::ZERO,
        nodes: vec![port(0), port(1), NodePlan { name: "s".into(), kind: NodeKind::Switch(SwitchSpec::default()) }],
        links: (0..2)
            .map(|n| LinkPlan { name: format!("l{n}"), ends: [n, 2], directions: [everything(), everything()] })
            .collect(),
    };
    let mut engine = Engine::new(&plan);
    let (mut now, mut sink) = (Instant::ZERO, Delivered::default());
    // every start of the pattern, and jitter and loss too, may bring more frames together than ever before
    for _ in 0..4 {
        offer(&mut engine, &mut now, 100_000, &mut sink);
    }
    let (before, delivered) = (allocations(), sink.0);
    offer(&mut engine, &mut now, 100_000, &mut sink);
    let allocated = allocations() - before;
    let delivered = sink.0 - delivered;
    assert!((50_000..100_000).contains(&delivered), "{delivered} of 100,000 arrived: some are lost, most are not");
    assert_eq!(allocated, 0, "allocations over 100,000 frames");

    const LINKS: usize = 10_000;
    let plan = Plan {
        seed: 1,
        coalesce: Duration::ZERO,
        convergence: Duration::ZERO,
        nodes: (0..LINKS * 2).map(port).collect(),
        links: (0..LINKS)
            .map(|n| LinkPlan {
                name: format!("l{n}"),
                ends: [n * 2, n * 2 + 1],
                directions: [everything(), everything()],
            })
            .collect(),
    };
    let before = in_use();
    let engine = Engine::new(&plan);
    let each = (in_use() - before) / LINKS as isize;
    println!("an idle link with its two ports takes {each} bytes");
    assert!(each <= 1040, "an idle link with its two ports takes {each} bytes");
    assert_eq!(engine.next_deadline(), None, "and no time");
}

/// Puts everything onto a tape.
struct Captured(Tape);

impl FrameSink for Captured {
    fn deliver(&mut self, _: NodeId, _: FrameView<'_>, _: Instant) {}

    fn fate(&mut self, fate: Fate<'_>) {
        self.0.fate(&fate);
    }

    fn watches(&self, direction: DirectionId) -> bool {
        self.0.watches(direction)
    }
}

#[test]
fn a_captured_link_allocates_nothing_for_a_frame_while_chunks_come_back() {
    let plan = Plan {
        seed: 1,
        coalesce: Duration::from_micros(50),
        convergence: Duration::ZERO,
        nodes: vec![port(0), port(1)],
        links: vec![LinkPlan { name: "l".into(), ends: [0, 1], directions: [everything(), everything()] }],
    };
    let mut engine = Engine::new(&plan);
    let (tape, reel) = tape(2, &[LinkId(0)]);
    let (mut now, mut sink, mut records) = (Instant::ZERO, Captured(tape), 0);
    let mut run = |rounds: u64| {
        for _ in 0..rounds {
            offer(&mut engine, &mut now, 1000, &mut sink);
            while let Next::Chunk(chunk) = reel.next(std::time::Duration::ZERO) {
                records += chunk.iter().count();
                reel.give_back(chunk);
            }
        }
        std::mem::take(&mut records)
    };
    run(1000);
    let before = allocations();
    let records = run(100);
    assert_eq!(allocations() - before, 0, "allocations over 100,000 frames");
    // offered, serialized, sent, delivered or dropped
    assert!(records > 200_000, "{records} records of 100,000 frames");
    assert_eq!(reel.missing(0), [Missing::default(); 2]);
}
