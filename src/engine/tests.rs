//! The engine in virtual time: known answers for each effect. Properties over random networks are in `tests/engine/properties.rs`.

use super::*;
use crate::frame::{Cut, DropCause, FrameView};
use crate::model::{
    Chance, CorruptSpec, DelaySpec, DuplicateSpec, Framing, ImpairmentChanges, Impairments, LossSpec, Order, RateSpec,
    ReorderSpec,
};
use crate::node::SwitchSpec;
use crate::queue::{FifoSpec, QueueSpec};
use crate::units::{Duration, Probability};

/// What came out: (port, when in ns, first wire frame of its train, wire frames).
#[derive(Default)]
struct Out {
    delivered: Vec<(u32, u64, u16, u16)>,
    dropped: Vec<(DropCause, u64)>,
}

impl FrameSink for Out {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant) {
        self.delivered.push((port.0, at.as_nanos(), frame.first, frame.count));
    }
    fn fate(&mut self, fate: Fate<'_>) {
        if let FateKind::Dropped(cause) = fate.kind {
            self.dropped.extend((fate.number..fate.number + fate.frames).map(|n| (cause, n)));
        }
    }
}

fn us(us: u64) -> Instant {
    Instant::from_nanos(us * 1_000)
}

fn port(name: &str) -> NodePlan {
    NodePlan { name: name.into(), kind: NodeKind::Port }
}

/// Two ports and a link with this in its forward direction.
fn pair(forward: DirectionSpec) -> Plan {
    Plan {
        seed: 1,
        coalesce: Duration::ZERO,
        convergence: Duration::ZERO,
        nodes: vec![port("a"), port("b")],
        links: vec![LinkPlan { name: "link".into(), ends: [0, 1], directions: [forward, DirectionSpec::default()] }],
    }
}

const THERE: DirectionId = DirectionId(0);
const LINK: LinkId = LinkId(0);

fn inject(engine: &mut Engine, at: Instant, bytes: usize) {
    let frame = engine.pool().store(&vec![0; bytes]).unwrap();
    engine.inject(at, NodeId(0), frame);
}

fn inject_train(engine: &mut Engine, at: Instant, frames: usize) {
    // wire frames of 1,000 bytes each
    let frame = engine.pool().store_train(&vec![0; 50 + frames * 950], Cut { header: 50, segment: 950 }).unwrap();
    engine.inject(at, NodeId(0), frame);
}

fn run(engine: &mut Engine) -> Out {
    let mut out = Out::default();
    engine.advance(Instant::from_nanos(u64::MAX - 1), &mut out);
    assert_conserved(engine);
    assert_eq!(engine.pool().live(), 0, "every frame left by a door");
    out
}

fn assert_conserved(engine: &Engine) {
    for id in engine.directions() {
        let c = engine.counters(id);
        let out = c.delivered.frames + c.dropped.frames() + engine.inside(id);
        assert_eq!(c.offered.frames + c.originated + c.duplicated, out, "direction {id:?}");
    }
}

fn rate(text: &str) -> RateSpec {
    RateSpec::Constant(text.parse().unwrap())
}

fn delay(us: u64) -> DelaySpec {
    DelaySpec::constant(Duration::from_micros(us))
}

fn fifo(packets: u32) -> Option<QueueSpec> {
    Some(QueueSpec::Fifo(FifoSpec { packets: Some(packets), ..FifoSpec::UNLIMITED }))
}

#[test]
fn a_delay_is_exact_and_costs_no_throughput() {
    let mut engine = Engine::new(&pair(DirectionSpec { delay: delay(10_000), ..Default::default() }));
    for n in 0..5 {
        inject(&mut engine, us(n), 1514);
    }
    let out = run(&mut engine);
    let expected: Vec<_> = (0..5).map(|n| (1, 10_000_000 + n * 1_000, 0, 1)).collect();
    assert_eq!(out.delivered, expected);
    assert_eq!(engine.counters(THERE).delay.min(), Some(Duration::from_millis(10)));
    assert_eq!(engine.counters(THERE).delay.max(), Some(Duration::from_millis(10)));
}

#[test]
fn nothing_leaves_a_nanosecond_early() {
    let mut engine = Engine::new(&pair(DirectionSpec { delay: delay(10_000), ..Default::default() }));
    inject(&mut engine, Instant::ZERO, 60);
    let mut out = Out::default();
    engine.advance(Instant::from_nanos(9_999_999), &mut out);
    assert_eq!((out.delivered.len(), engine.next_deadline()), (0, Some(us(10_000))));
    engine.advance(us(10_000), &mut out);
    assert_eq!((out.delivered.len(), engine.next_deadline()), (1, None));
}

#[test]
fn the_wire_serializes_back_to_back_and_rests_when_idle() {
    let spec = DirectionSpec { rate: rate("8Mbit"), queue: fifo(100), delay: delay(5), ..Default::default() };
    let mut engine = Engine::new(&pair(spec));
    for bytes in [1000, 500, 100] {
        inject(&mut engine, us(0), bytes);
    }
    inject(&mut engine, us(5000), 1000);
    let out = run(&mut engine);
    let at: Vec<_> = out.delivered.iter().map(|d| d.1 / 1000).collect();
    assert_eq!(at, [1005, 1505, 1605, 6005]);
}

#[test]
fn a_backlogged_wire_delivers_its_rate_to_the_frame() {
    // 20 Mbit/s offered to 10 Mbit/s of frames with Ethernet framing for a second
    let spec =
        DirectionSpec { rate: rate("10Mbit"), framing: Framing::Ethernet, queue: fifo(50), ..Default::default() };
    let mut engine = Engine::new(&pair(spec));
    let gap = 1538 * 8 * 1000 / 20; // ns at 20 Mbit/s
    let frames = 1_000_000_000 / gap;
    for n in 0..frames {
        inject(&mut engine, Instant::from_nanos(n * gap), 1514);
    }
    let mut out = Out::default();
    engine.advance(Instant::from_nanos(1_000_000_000), &mut out);
    // the wire is never idle, so it carries ⌊10 Mbit / 1538 B⌋ frames
    assert_eq!(out.delivered.len(), 10_000_000 / (1538 * 8));
    let full = engine.counters(THERE).dropped.by(DropCause::QueueFull).frames;
    assert_eq!(full, frames - out.delivered.len() as u64 - engine.inside(THERE));
    assert!(full > 0);
    let _ = run(&mut engine);
}

#[test]
fn the_limit_counts_waiting_frames_only() {
    let spec = DirectionSpec { rate: rate("8Mbit"), queue: fifo(3), delay: delay(100_000), ..Default::default() };
    let mut engine = Engine::new(&pair(spec));
    for _ in 0..10 {
        inject(&mut engine, us(0), 1000);
    }
    let out = run(&mut engine);
    // one on the wire, three waiting
    assert_eq!(out.delivered.len(), 4);
    assert_eq!(out.dropped, (4..10).map(|n| (DropCause::QueueFull, n)).collect::<Vec<_>>());
}

#[test]
fn lost_frames_have_used_the_wire() {
    let lossy = LossSpec::random(Probability::ALWAYS);
    let spec = DirectionSpec { rate: rate("8Mbit"), queue: fifo(10), loss: lossy, ..Default::default() };
    let mut engine = Engine::new(&pair(spec));
    for _ in 0..3 {
        inject(&mut engine, us(0), 1000);
    }
    let cure = Change { loss: Some(LossSpec::default()), ..Default::default() };
    engine.apply(us(2500), Command::Set(THERE, cure)).unwrap();
    inject(&mut engine, us(2500), 1000);
    let out = run(&mut engine);
    assert_eq!(out.dropped.len(), 3, "the third was on the wire already when the loss ended");
    assert_eq!(out.delivered, [(1, 4_000_000, 0, 1)]);
}

#[test]
fn jitter_keeps_the_order_unless_it_is_free() {
    let jitter = |order| DelaySpec {
        mean: Duration::from_millis(10),
        jitter: Duration::from_millis(8),
        order,
        ..DelaySpec::default()
    };
    let arrivals = |order| {
        let mut engine = Engine::new(&pair(DirectionSpec { delay: jitter(order), ..Default::default() }));
        for n in 0..1000 {
            inject(&mut engine, us(n * 100), 60 + (n % 100) as usize);
        }
        let mut order_seen = Vec::new();
        struct Numbers<'a>(&'a mut Vec<u64>);
        impl FrameSink for Numbers<'_> {
            fn deliver(&mut self, _: NodeId, _: FrameView<'_>, _: Instant) {}
            fn fate(&mut self, fate: Fate<'_>) {
                self.0.push(fate.number);
            }
        }
        engine.advance(Instant::from_nanos(u64::MAX - 1), &mut Numbers(&mut order_seen));
        (order_seen, engine.counters(THERE).clone())
    };
    let (kept, counters) = arrivals(Order::Keep);
    assert!(kept.is_sorted());
    assert_eq!(counters.reordered, 0);
    let (free, counters) = arrivals(Order::Free);
    assert!(!free.is_sorted());
    let late = (0..free.len()).filter(|i| free[..*i].iter().any(|earlier| *earlier > free[*i])).count();
    assert_eq!(counters.reordered, late as u64);
    assert!(counters.delay.min().unwrap() >= Duration::from_millis(2));
    assert!(counters.delay.max().unwrap() <= Duration::from_millis(18));
}

#[test]
fn mtu_counts_what_is_behind_ethernet_and_tags() {
    let mut engine = Engine::new(&pair(DirectionSpec { mtu: Some(1500), ..Default::default() }));
    inject(&mut engine, us(0), 1514);
    inject(&mut engine, us(0), 1515);
    let mut tagged = vec![0; 1518];
    tagged[12..14].copy_from_slice(&[0x81, 0x00]);
    let frame = engine.pool().store(&tagged).unwrap();
    engine.inject(us(0), NodeId(0), frame);
    // of a train of large frames only the short last one passes
    let train = engine.pool().store_train(&vec![0; 50 + 3 * 1600 + 10], Cut { header: 50, segment: 1600 }).unwrap();
    engine.inject(us(0), NodeId(0), train);
    let out = run(&mut engine);
    assert_eq!(out.dropped, [1, 3, 4, 5].map(|n| (DropCause::Mtu, n)));
    assert_eq!(out.delivered.iter().map(|d| d.2).collect::<Vec<_>>(), [0, 0, 3]);
}

#[test]
fn a_port_takes_in_no_more_than_its_own_mtu_whatever_its_link_carries() {
    let mut engine = Engine::new(&pair(DirectionSpec { mtu: Some(9000), port_mtu: Some(1500), ..Default::default() }));
    let set = |mtu| Command::Set(THERE, Change { mtu: Some(mtu), ..Change::default() });
    inject(&mut engine, us(0), 1514);
    inject(&mut engine, us(0), 1515);
    engine.apply(us(1), set(1400)).unwrap();
    inject(&mut engine, us(2), 1415);
    engine.apply(us(3), set(9000)).unwrap();
    inject(&mut engine, us(4), 1515);
    inject(&mut engine, us(4), 1514);
    let out = run(&mut engine);
    assert_eq!(out.dropped, [1, 2, 3].map(|n| (DropCause::Mtu, n)));
    assert_eq!(engine.counters(THERE).delivered.frames, 2);
}

#[test]
fn an_unimpaired_train_leaves_whole() {
    let mut engine = Engine::new(&pair(DirectionSpec { delay: delay(7), ..Default::default() }));
    inject_train(&mut engine, us(0), 44);
    assert_eq!(run(&mut engine).delivered, [(1, 7_000, 0, 44)]);
    assert_eq!(engine.counters(THERE).delivered, Amount { frames: 44, bytes: 44_000 });
}

#[test]
fn a_train_that_loses_a_frame_leaves_as_two_runs() {
    let p: Probability = "3%".parse().unwrap();
    let mut engine = Engine::new(&pair(DirectionSpec { loss: LossSpec::random(p), ..Default::default() }));
    inject_train(&mut engine, us(0), 44);
    let out = run(&mut engine);
    let lost: Vec<u16> = out.dropped.iter().map(|(_, n)| *n as u16).collect();
    assert!(!lost.is_empty(), "the seed loses some");
    let mut runs = Vec::new();
    let mut start = 0;
    for end in lost.iter().copied().chain([44]) {
        if end > start {
            runs.push((1, 0, start, end - start));
        }
        start = end + 1;
    }
    assert_eq!(out.delivered, runs);
}

#[test]
fn on_a_slow_wire_a_train_leaves_frame_by_frame_and_on_a_fast_one_in_runs() {
    let spec = |rate_text: &str| DirectionSpec { rate: rate(rate_text), queue: fifo(100), ..Default::default() };
    let mut plan = pair(spec("8Mbit")); // 1 ms a frame
    plan.coalesce = Duration::from_micros(50);
    let mut engine = Engine::new(&plan);
    inject_train(&mut engine, us(0), 4);
    let expected: Vec<_> = (0..4).map(|n| (1, (n + 1) * 1_000_000, n as u16, 1)).collect();
    assert_eq!(run(&mut engine).delivered, expected);

    let mut plan = pair(spec("800Mbit")); // 10 µs a frame: six span 50 µs
    plan.coalesce = Duration::from_micros(50);
    let mut engine = Engine::new(&plan);
    inject_train(&mut engine, us(0), 14);
    assert_eq!(run(&mut engine).delivered, [(1, 60_000, 0, 6), (1, 120_000, 6, 6), (1, 140_000, 12, 2)]);
    assert_eq!(engine.counters(THERE).delay.max(), Some(Duration::from_micros(140)));
}

#[test]
fn a_run_ends_at_its_last_departure_when_the_next_frame_is_lost() {
    // departures at 10, 20, … µs; a run that a lost frame ends does not wait for it
    let p: Probability = "10%".parse().unwrap();
    let spec =
        DirectionSpec { rate: rate("800Mbit"), queue: fifo(100), loss: LossSpec::random(p), ..Default::default() };
    let mut plan = pair(spec);
    plan.coalesce = Duration::from_millis(1);
    let mut engine = Engine::new(&plan);
    inject_train(&mut engine, us(0), 40);
    let out = run(&mut engine);
    assert!(out.dropped.len() > 1);
    for (_, at, first, count) in out.delivered {
        assert_eq!(at, u64::from(first + count) * 10_000, "run {first}+{count}");
    }
}

#[test]
fn a_new_rate_applies_to_the_bits_not_yet_sent() {
    let spec = DirectionSpec { rate: rate("8Mbit"), queue: fifo(100), ..Default::default() };
    let set = |text: &str| {
        Command::Set(
            THERE,
            Change { rate: Some(if text == "none" { RateSpec::Unlimited } else { rate(text) }), ..Default::default() },
        )
    };
    let mut engine = Engine::new(&pair(spec));
    inject(&mut engine, us(0), 1000);
    inject(&mut engine, us(0), 1000);
    engine.apply(us(250), set("80Mbit")).unwrap(); // 750 of 1,000 bytes left: 75 µs
    engine.apply(us(375), set("4Mbit")).unwrap(); // the second is half sent: 500 bytes take 1,000 µs
    inject(&mut engine, us(1000), 1000);
    engine.apply(us(1200), set("none")).unwrap(); // all that is left goes at once
    let out = run(&mut engine);
    assert_eq!(out.delivered.iter().map(|d| d.1 / 1000).collect::<Vec<_>>(), [325, 1200, 1200]);
}

#[test]
fn down_drops_what_waits_and_what_is_on_the_wire_and_lets_arrive_what_is_on_its_way() {
    let spec = DirectionSpec { rate: rate("8Mbit"), queue: fifo(100), delay: delay(10_000), ..Default::default() };
    let mut engine = Engine::new(&pair(spec));
    for _ in 0..3 {
        inject(&mut engine, us(0), 1000);
    }
    engine.apply(us(1500), Command::Down(LINK)).unwrap();
    inject(&mut engine, us(2000), 1000);
    engine.apply(us(3000), Command::Up(LINK)).unwrap();
    inject(&mut engine, us(3000), 1000);
    let out = run(&mut engine);
    assert_eq!(out.delivered.iter().map(|d| d.1 / 1000).collect::<Vec<_>>(), [11_000, 14_000]);
    assert_eq!(out.dropped, [1, 2, 3].map(|n| (DropCause::LinkDown, n)));
    assert!(engine.is_up(LINK));
}

#[test]
fn a_run_that_waits_for_a_frame_that_never_comes_leaves_when_that_is_known() {
    let spec = DirectionSpec { rate: rate("8Mbit"), queue: fifo(100), ..Default::default() };
    let mut plan = pair(spec);
    plan.coalesce = Duration::from_millis(2);
    let mut engine = Engine::new(&plan);
    inject_train(&mut engine, us(0), 3);
    // the first is done at 1 ms and waits for the second, which would be at 2 ms
    engine.apply(us(1500), Command::Down(LINK)).unwrap();
    let out = run(&mut engine);
    assert_eq!((out.delivered, out.dropped.len()), (vec![(1, 1_500_000, 0, 1)], 2));
}

#[test]
fn a_rate_set_live_brings_the_default_queue() {
    let mut engine = Engine::new(&pair(DirectionSpec::default()));
    assert_eq!(engine.apply(us(0), Command::Down(LinkId(1))), Err(Rejected::NoSuchLink));
    let set = Change { rate: Some(rate("64kbit")), ..Default::default() };
    engine.apply(us(0), Command::Set(THERE, set)).unwrap();
    for _ in 0..20 {
        inject(&mut engine, us(1), 1000);
    }
    let out = run(&mut engine);
    assert_eq!(engine.spec(THERE).queue, Some(QueueSpec::DEFAULT));
    assert_eq!(out.delivered.len(), 11, "200 ms of 64 kbit/s hold one frame, but ten wait at least");
}

#[test]
fn a_switch_floods_learns_and_counts() {
    let direction = || [DirectionSpec::default(), DirectionSpec::default()];
    let plan = Plan {
        seed: 1,
        coalesce: Duration::ZERO,
        convergence: Duration::ZERO,
        nodes: vec![
            port("a"),
            port("b"),
            port("c"),
            NodePlan { name: "s".into(), kind: NodeKind::Switch(SwitchSpec::default()) },
        ],
        links: (0..3).map(|n| LinkPlan { name: format!("l{n}"), ends: [n, 3], directions: direction() }).collect(),
    };
    let mut engine = Engine::new(&plan);
    let send = |engine: &mut Engine, at: u64, from: u32, to: u8| {
        let mut bytes = vec![0; 60];
        (bytes[5], bytes[11]) = (to, from as u8 + 1);
        let frame = engine.pool().store(&bytes).unwrap();
        engine.inject(us(at), NodeId(from), frame);
    };
    send(&mut engine, 0, 0, 3);
    send(&mut engine, 1, 2, 1);
    send(&mut engine, 2, 0, 3);
    let out = run(&mut engine);
    assert_eq!(out.delivered.iter().map(|d| (d.1 / 1000, d.0)).collect::<Vec<_>>(), [(0, 1), (0, 2), (1, 0), (2, 2)]);
    let switch = engine.node_counters(NodeId(3));
    assert_eq!((switch.received, switch.replicated, switch.sent), (3, 1, 4));
}

#[test]
fn inputs_that_come_late_count_as_now() {
    let mut engine = Engine::new(&pair(DirectionSpec { delay: delay(10), ..Default::default() }));
    let mut out = Out::default();
    engine.advance(us(100), &mut out);
    inject(&mut engine, us(5), 60);
    engine.advance(us(200), &mut out);
    assert_eq!(out.delivered, [(1, 110_000, 0, 1)]);
}

fn chance(text: &str) -> Chance {
    Chance(text.parse().unwrap())
}

#[test]
fn a_duplicate_uses_no_wire_and_draws_its_own_jitter() {
    let jittered = DelaySpec { jitter: Duration::from_micros(500), ..delay(1000) };
    let spec = DirectionSpec {
        rate: rate("8Mbit"),
        queue: fifo(10),
        impairments: Impairments { duplicate: DuplicateSpec::independent(chance("100%")), ..Default::default() },
        delay: DelaySpec { order: Order::Free, ..jittered },
        ..Default::default()
    };
    let mut engine = Engine::new(&pair(spec));
    for n in 0..5 {
        inject(&mut engine, us(n * 1000), 1000);
    }
    let out = run(&mut engine);
    let counters = engine.counters(THERE);
    assert_eq!((out.delivered.len(), counters.duplicated, counters.delivered.frames), (10, 5, 10));
    // 1 ms on the wire each, so the last bit of frame n is sent at n + 1 ms; each arrives within half a millisecond of 1 ms
    let mut at: Vec<u64> = out.delivered.iter().map(|d| d.1).collect();
    at.sort_unstable();
    for (n, pair) in at.chunks(2).enumerate() {
        let sent = (n as u64 + 1) * 1_000_000;
        assert!(pair.iter().all(|at| (sent + 500_000..=sent + 1_500_000).contains(at)), "{n}: {pair:?}");
        assert_ne!(pair[0], pair[1]);
    }
}

#[test]
fn a_corrupted_frame_leaves_alone_and_the_rest_of_its_train_in_runs() {
    let impairments = Impairments { corrupt: CorruptSpec::independent(chance("20%"), 1), ..Default::default() };
    let spec = DirectionSpec { impairments, delay: delay(3), ..Default::default() };
    let mut engine = Engine::new(&pair(spec));
    inject_train(&mut engine, us(0), 44);
    let out = run(&mut engine);
    let corrupted = engine.counters(THERE).corrupted;
    assert!(corrupted > 0, "the seed corrupts some");
    assert_eq!(out.delivered.iter().map(|d| u64::from(d.3)).sum::<u64>(), 44);
    // a corrupted frame is a frame of its own: position 0 of a train of one
    let alone = out.delivered.iter().skip(1).filter(|d| (d.2, d.3) == (0, 1)).count() as u64;
    assert!(alone == corrupted || alone + 1 == corrupted, "{alone} of {corrupted}");
    assert!(out.delivered.len() as u64 <= 2 * corrupted + 1);
}

#[test]
fn picked_frames_run_ahead_of_the_delay_and_hold_nothing_back() {
    let impairments = Impairments { reorder: ReorderSpec::independent(chance("100%"), 5), ..Default::default() };
    let mut engine = Engine::new(&pair(DirectionSpec { delay: delay(10_000), impairments, ..Default::default() }));
    for n in 0..10 {
        inject(&mut engine, us(n), 60);
    }
    let out = run(&mut engine);
    let at: Vec<u64> = out.delivered.iter().map(|d| d.1 / 1000).collect();
    // every fifth leaves at once
    assert_eq!(at, [4, 9, 10_000, 10_001, 10_002, 10_003, 10_005, 10_006, 10_007, 10_008]);
    assert_eq!(engine.counters(THERE).reordered, 8);
}

#[test]
fn impairments_may_come_and_go_while_frames_are_in_flight() {
    let mut engine = Engine::new(&pair(DirectionSpec { delay: delay(100), ..Default::default() }));
    let duplicate = |text: &str| {
        let duplicate = Some(DuplicateSpec::independent(chance(text)));
        let impairments = ImpairmentChanges { duplicate, ..Default::default() };
        Command::Set(THERE, Change { impairments, ..Default::default() })
    };
    inject(&mut engine, us(0), 60);
    engine.apply(us(10), duplicate("100%")).unwrap();
    inject(&mut engine, us(20), 60);
    engine.apply(us(30), duplicate("0%")).unwrap();
    inject(&mut engine, us(40), 60);
    assert_eq!(run(&mut engine).delivered.iter().map(|d| d.1 / 1000).collect::<Vec<_>>(), [100, 120, 120, 140]);
}

fn loss(text: &str) -> LossSpec {
    serde_json::from_str(text).unwrap()
}

fn lost(out: &Out) -> Vec<u64> {
    let mut lost: Vec<u64> = out.dropped.iter().filter(|(cause, _)| *cause == DropCause::Loss).map(|d| d.1).collect();
    lost.sort_unstable();
    lost
}

#[test]
fn a_chain_steps_with_every_frame_whatever_the_queue_drops() {
    for text in [
        r#"{"burst": {"rate": "30%", "mean_length": 3}}"#,
        r#"{"gilbert_elliott": {"p": "20%", "r": "30%", "bad_loss": "70%", "good_loss": "5%"}}"#,
        r#"[{"markov4": {"p13": "10%", "p31": "30%", "p32": "10%", "p23": "50%", "p14": "1%"}}, {"every": 9}]"#,
    ] {
        let all = DirectionSpec { loss: loss(text), ..Default::default() };
        let narrow = DirectionSpec { rate: rate("8Mbit"), queue: fifo(3), ..all.clone() };
        let [free, full] = [all, narrow].map(|spec| {
            let mut engine = Engine::new(&pair(spec));
            for n in 0..200 {
                inject_train(&mut engine, us(n * 3_000), 6); // the narrow wire carries 3 of them
            }
            let out = run(&mut engine);
            engine.directions[0].assert_no_admission_is_left();
            out
        });
        let queue_full: Vec<u64> =
            full.dropped.iter().filter(|(cause, _)| *cause == DropCause::QueueFull).map(|d| d.1).collect();
        assert!(queue_full.len() > 100);
        let expected: Vec<u64> = lost(&free).into_iter().filter(|n| !queue_full.contains(n)).collect();
        assert!(expected.len() > 50);
        assert_eq!(lost(&full), expected, "{text}");
    }
}

#[test]
fn a_rule_counts_the_frames_that_it_applies_to_and_no_others() {
    let spec = DirectionSpec { loss: loss(r#"{"frames": [2, 3], "only": "arp"}"#), ..Default::default() };
    let mut engine = Engine::new(&pair(spec));
    for n in 0..20 {
        let mut bytes = vec![0; 60];
        // every third is ARP: 0, 3, 6, 9, …
        bytes[12..14].copy_from_slice(if n % 3 == 0 { &[8, 6] } else { &[0x88, 0xcc] });
        let frame = engine.pool().store(&bytes).unwrap();
        engine.inject(us(n), NodeId(0), frame);
    }
    assert_eq!(lost(&run(&mut engine)), [3, 6]);
    engine.directions[0].assert_no_admission_is_left();
}

#[test]
fn an_outage_is_met_when_a_frame_goes_onto_the_wire() {
    // 1 ms a frame; the wire is up in 0…2.5 ms, and down until 5 ms
    let spec = DirectionSpec {
        rate: rate("8Mbit"),
        queue: fifo(100),
        loss: loss(r#"{"outage": {"up": "2500us", "down": "2500us"}}"#),
        ..Default::default()
    };
    let mut engine = Engine::new(&pair(spec));
    inject_train(&mut engine, us(0), 8);
    // 0, 1 and 2 start while it is up; 3 and 4 do not; 5 starts at 5 ms
    assert_eq!(lost(&run(&mut engine)), [3, 4]);
}

#[test]
fn bit_errors_count_the_bits_of_the_frame_and_no_framing() {
    let one = |bytes: usize, framing| {
        let spec = DirectionSpec { framing, loss: loss(r#"{"bit_error_rate": "1e-4"}"#), ..Default::default() };
        let mut engine = Engine::new(&pair(spec));
        (0..2_000).for_each(|n| inject(&mut engine, us(n), bytes));
        lost(&run(&mut engine))
    };
    let short = one(100, Framing::None);
    assert_eq!(short, one(100, Framing::Ethernet));
    let long = one(1000, Framing::None);
    assert!(short.iter().all(|n| long.contains(n)));
    // 7.7 % and 55.1 %, ± 4 σ
    assert!((106..202).contains(&short.len()) && (1012..1192).contains(&long.len()), "{}", long.len());
}

#[test]
fn models_that_remember_may_be_changed_while_frames_are_inside() {
    let spec =
        |text: &str| DirectionSpec { rate: rate("8Mbit"), queue: fifo(50), loss: loss(text), ..Default::default() };
    let mut engine = Engine::new(&pair(spec(r#"{"burst": {"rate": "30%", "mean_length": 3}}"#)));
    let changes = [
        r#"{"burst": {"rate": "10%", "mean_length": 9}, "only": "arp"}"#,
        r#""none""#,
        r#"[{"every": 3, "only": "arp"}, {"gilbert_elliott": {"p": "2%", "r": "20%"}}]"#,
        r#"{"random": {"rate": "50%", "correlation": "50%"}}"#,
    ];
    for (n, text) in (0..).zip(changes) {
        inject_train(&mut engine, us(n * 10_000), 20);
        let change = Change { loss: Some(loss(text)), ..Default::default() };
        engine.apply(us(n * 10_000 + 5_500), Command::Set(THERE, change)).unwrap();
    }
    inject_train(&mut engine, us(50_000), 20);
    run(&mut engine);
    engine.directions[0].assert_no_admission_is_left();
    assert_eq!(engine.spec(THERE).loss, loss(changes[3]));
}

#[test]
fn a_delay_with_only_holds_its_frames_and_lets_the_others_past() {
    let delay: DelaySpec = serde_json::from_str(r#"{"mean": "10ms", "only": "lldp"}"#).unwrap();
    let mut engine = Engine::new(&pair(DirectionSpec { delay: delay.clone(), ..Default::default() }));
    let send = |engine: &mut Engine, at: u64, ethertype: [u8; 2]| {
        let mut bytes = [0; 60];
        bytes[12..14].copy_from_slice(&ethertype);
        let frame = engine.pool().store(&bytes).unwrap();
        engine.inject(us(at), NodeId(0), frame);
    };
    let unmatched: Vec<_> = engine.unmatched(THERE).map(|(model, only)| format!("{model} {only}")).collect();
    assert_eq!(unmatched, ["delay lldp"]);
    send(&mut engine, 0, [0x88, 0xcc]);
    send(&mut engine, 1000, [8, 6]);
    send(&mut engine, 2000, [0x88, 0xcc]);
    let out = run(&mut engine);
    let at: Vec<_> = out.delivered.iter().map(|(_, at, ..)| at / 1000).collect();
    assert_eq!(at, [1000, 10_000, 12_000]);
    assert_eq!(engine.counters(THERE).reordered, 1);
    assert_eq!(engine.unmatched(THERE).count(), 0);
    assert_eq!(engine.spec(THERE).delay, delay);
    engine.directions[0].assert_no_admission_is_left();
}

/// Frames enter every millisecond, each with the milliseconds that it was on the path to its port.
fn run_with_paths(engine: &mut Engine, paths: &[u64]) -> Vec<u64> {
    for (n, path) in paths.iter().enumerate() {
        let frame = engine.pool().store(&[0; 1_250]).unwrap();
        engine.pool().set_path(&frame, Duration::from_millis(*path));
        engine.inject(us(n as u64 * 1_000), NodeId(0), frame);
    }
    run(engine).delivered.iter().map(|(_, at, _, _)| at / 1_000).collect()
}

#[test]
fn a_delay_that_includes_the_path_to_its_port_is_what_is_left_of_it() {
    let plan = pair(DirectionSpec { delay: delay(20_000), ..Default::default() });
    let paths = [5, 5, 9, 0, 25, 20];
    let mut apart = Engine::new(&plan);
    assert_eq!(run_with_paths(&mut apart, &paths), [20_000, 21_000, 22_000, 23_000, 24_000, 25_000]);
    let mut engine = Engine::new(&plan);
    engine.include_path(NodeId(0));
    // the third was sent before the second and the fourth came without a path: order is kept
    assert_eq!(run_with_paths(&mut engine, &paths), [15_000, 16_000, 16_000, 23_000, 23_000, 23_000]);
    let counters = engine.counters(THERE);
    assert_eq!((counters.clamped, apart.counters(THERE).clamped), (1, 0));
    assert_eq!(counters.delay.min(), Some(Duration::from_millis(20)), "it counts from when the frame was sent");
    assert_eq!(counters.delay.max(), Some(Duration::from_millis(44)));
}

#[test]
fn a_path_takes_no_time_off_the_wire() {
    // 10 ms a frame at 1 Mbit/s
    let plan = pair(DirectionSpec { delay: delay(20_000), rate: rate("1Mbit"), ..Default::default() });
    let mut engine = Engine::new(&plan);
    engine.include_path(NodeId(0));
    assert_eq!(run_with_paths(&mut engine, &[5, 20, 30]), [25_000, 25_000, 30_000]);
    assert_eq!(engine.counters(THERE).clamped, 1);
}
