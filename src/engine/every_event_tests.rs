//! A wire that becomes free unseen is no event. Here that is held against the plain form, in which it always is one: the
//! outside must see the same, in the same order, and so must whoever reads the counters in between.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::frame::{Cut, FrameView};
use crate::model::delay::TraceFile;
use crate::model::table::NamedFile as _;
use crate::model::{DelaySpec, Framing, LossSpec, Order, RateSpec};
use crate::node::SwitchSpec;
use crate::queue::{CodelSpec, FifoSpec, FqCodelSpec, Gain, PieSpec, QueueSpec, RedSpec};
use crate::units::{ByteSize, Probability};

/// All that can be seen, in order.
#[derive(Default)]
struct Log(Vec<String>);

impl FrameSink for Log {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant) {
        self.0.push(format!("{at:?} {port:?} {} {}", frame.first, frame.count));
    }
    fn fate(&mut self, fate: Fate<'_>) {
        let Fate { at, place, number, frames, kind, .. } = fate;
        self.0.push(format!("{at:?} {place:?} {number} {frames} {kind:?}"));
    }
    fn applied(&mut self, command: &Command, at: Instant) {
        self.0.push(format!("{at:?} {command:?}"));
    }
}

/// Whole multiples of 100 µs everywhere (a byte takes a microsecond), so that many things happen at the same instant.
fn tenths(max: u64) -> impl Strategy<Value = Duration> {
    (0..max).prop_map(|n| Duration::from_micros(n * 100))
}

fn delay() -> impl Strategy<Value = DelaySpec> {
    let jitter = prop_oneof![3 => Just(Duration::ZERO), 1 => tenths(10)];
    let distribution = prop::sample::select(vec!["uniform", "normal", "exponential", "gamma", "netem-pareto"]);
    // none of the frames of these tests, those of some sizes, all
    let only = [r#""arp""#, r#"{"source_port": [1, 2, 3]}"#, r#""ip""#];
    let only = prop_oneof![3 => Just(None), 1 => prop::sample::select(only.to_vec()).prop_map(Some)];
    (tenths(20), jitter, distribution, prop::bool::weighted(0.2), any::<bool>(), any::<bool>(), only).prop_map(
        |(mean, jitter, distribution, traced, correlated, free, only)| DelaySpec {
            mean,
            jitter,
            distribution: serde_json::from_value(distribution.into()).unwrap(),
            trace: traced.then(trace),
            correlation: if correlated { "-60%".parse().unwrap() } else { Default::default() },
            order: if free { Order::Free } else { Order::Keep },
            only: only.map(|text| serde_json::from_str(text).unwrap()),
            ..DelaySpec::default()
        },
    )
}

/// A delay that goes up and down within a few frames.
fn trace() -> TraceFile {
    let mut trace: TraceFile = serde_json::from_value(json!({ "file": "trace.csv", "repeat": "3000us" })).unwrap();
    trace.load("time_us,delay_us\n0,300\n700,2000\n1500,0\n2500,1000\n").unwrap();
    trace
}

fn loss() -> impl Strategy<Value = LossSpec> {
    prop_oneof![
        Just(LossSpec::default()),
        (0..=1_000_000_000_000u64).prop_map(|p| LossSpec::random(Probability::from_parts(p).unwrap())),
        prop::sample::select(vec![
            r#"{"burst": {"rate": "30%", "mean_length": 3}}"#,
            r#"[{"outage": {"up": "1ms", "down": "300us"}}, {"frames": [2, "7-9"], "only": "arp"}]"#,
            r#"{"outage": {"up": "1ms", "down": "1ms", "distribution": "exponential"}}"#,
            r#"[{"gilbert_elliott": {"p": "20%", "r": "30%", "bad_loss": "70%"}}, {"bit_error_rate": "1e-4"}]"#,
        ])
        .prop_map(|text| serde_json::from_str(text).unwrap())
    ]
}

fn rate() -> impl Strategy<Value = RateSpec> {
    let kinds = [
        json!("none"),
        json!("8Mbit"),
        json!("16Mbit"),
        json!("7Mbit"),
        json!({ "token_bucket": { "rate": "8Mbit", "burst": "1000B" } }),
        json!({ "token_bucket": { "rate": "8Mbit", "burst": "1500B", "peak": "16Mbit" } }),
        json!({ "trace": "trace" }),
        json!({ "schedule": [{ "for": "2ms", "rate": "8Mbit" }, { "for": "500us", "rate": 0 }, { "rate": "16Mbit" }] }),
        json!({ "slots": { "min": "300us", "packets": 2 } }),
        json!({ "slots": { "min": "100us", "max": "400us", "rate": "8Mbit", "bytes": "1000B" } }),
    ];
    prop::sample::select(kinds.to_vec()).prop_map(|form| {
        let mut rate: RateSpec = serde_json::from_value(form).unwrap();
        rate.files(&mut |file| file.load("0\n1\n1\n3\n4\n").unwrap());
        rate
    })
}

fn limits() -> impl Strategy<Value = FifoSpec> {
    (prop::option::of(0u32..5), prop::option::of(0u64..4000), prop::option::of(tenths(30))).prop_map(
        |(packets, bytes, time)| FifoSpec { packets, bytes: bytes.map(ByteSize::from_bytes), time, min_packets: 0 },
    )
}

/// Every discipline, with times and limits so small that its law is felt.
fn queue() -> impl Strategy<Value = QueueSpec> {
    let times = (1u64..10, 2u64..20, 1u32..20, any::<bool>());
    prop_oneof![
        4 => limits().prop_map(QueueSpec::Fifo),
        2 => limits().prop_map(QueueSpec::DropHead),
        1 => (4u64..8000, any::<bool>(), any::<bool>()).prop_map(|(limit, adaptive, ecn)| {
            let weight = Probability::from_parts(500_000_000_000).unwrap();
            QueueSpec::Red(RedSpec { adaptive, ecn, weight, ..RedSpec::within(ByteSize::from_bytes(limit)) })
        }),
        1 => times.clone().prop_map(|(target, more, limit, ecn)| {
            let (target, interval) = (Duration::from_micros(target * 100), Duration::from_micros((target + more) * 100));
            QueueSpec::Codel(CodelSpec { target, interval, limit, ecn })
        }),
        1 => times.prop_map(|(target, more, limit, ecn)| {
            let (target, interval) = (Duration::from_micros(target * 100), Duration::from_micros((target + more) * 100));
            let quantum = ByteSize::from_bytes(300);
            QueueSpec::FqCodel(FqCodelSpec { target, interval, limit, ecn, quantum, ..FqCodelSpec::default() })
        }),
        1 => (1u64..10, 0u64..20, 1u32..20, any::<bool>()).prop_map(|(target, burst, limit, ecn)| {
            QueueSpec::Pie(PieSpec {
                target: Duration::from_micros(target * 100),
                tupdate: Duration::from_millis(1),
                burst: Duration::from_micros(burst * 100),
                alpha: Gain::from_millionths(32_000_000).unwrap(),
                limit,
                ecn,
                ..PieSpec::default()
            })
        }),
    ]
}

fn spec() -> impl Strategy<Value = DirectionSpec> {
    (queue(), rate(), loss(), delay(), prop::bool::weighted(0.15)).prop_map(
        |(queue, rate, loss, delay, half_duplex)| DirectionSpec {
            mtu: None,
            queue: (rate != RateSpec::Unlimited).then_some(queue),
            half_duplex,
            rate,
            framing: Framing::None,
            loss,
            delay,
            ..DirectionSpec::default()
        },
    )
}

/// Three ports around a switch, each behind one link, in either order of ranks.
fn plan() -> impl Strategy<Value = Plan> {
    let directions = prop::collection::vec([spec(), spec()], 3);
    (directions, Just(vec![0usize, 1, 2]).prop_shuffle(), any::<u64>(), prop::sample::select(vec![0u64, 500_000]))
        .prop_map(|(directions, order, seed, coalesce)| Plan {
            seed,
            coalesce: Duration::from_nanos(coalesce),
            convergence: Duration::ZERO,
            nodes: (0..4)
                .map(|n| NodePlan {
                    name: format!("n{n}"),
                    kind: if n < 3 { NodeKind::Port } else { NodeKind::Switch(SwitchSpec::default()) },
                })
                .collect(),
            links: order
                .into_iter()
                .zip(directions)
                .map(|(n, directions)| LinkPlan { name: format!("l{n}"), ends: [n, 3], directions })
                .collect(),
        })
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a case has a few dozen of them")]
enum Step {
    /// From a port to another, wire frames of a number of hundreds of bytes.
    Frames {
        from: u32,
        to: u8,
        hundreds: usize,
        frames: usize,
    },
    Command(Command),
    /// Nothing but a look at the counters.
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    let change =
        (prop::option::of(delay()), prop::option::of(loss()), prop::option::of(rate()), prop::option::of(queue()))
            .prop_map(|(delay, loss, rate, queue)| Change { delay, loss, rate, queue, ..Change::default() });
    prop_oneof![
        8 => (0u32..3, 0u8..4, 1usize..10, prop_oneof![2 => Just(1), 1 => 2usize..6])
            .prop_map(|(from, to, hundreds, frames)| Step::Frames { from, to, hundreds, frames }),
        2 => Just(Step::Look),
        1 => (0u32..6, change).prop_map(|(d, change)| Step::Command(Command::Set(DirectionId(d), change))),
        1 => (0u32..3, any::<bool>()).prop_map(|(l, up)| {
            Step::Command(if up { Command::Up(LinkId(l)) } else { Command::Down(LinkId(l)) })
        }),
    ]
}

fn run(plan: &Plan, steps: &[(u64, Step)], every_event: bool) -> Log {
    let mut engine = Engine::new(plan);
    for direction in &mut engine.directions {
        direction.every_event = every_event;
    }
    let mut log = Log::default();
    let look = |engine: &Engine, log: &mut Log| {
        for id in engine.directions() {
            let (inside, waiting) = (engine.inside(id), engine.waiting(id));
            log.0.push(format!("{inside} {waiting} {:?}", engine.counters(id)));
        }
    };
    for (at, step) in steps {
        let at = Instant::from_nanos(at * 100_000);
        match step {
            Step::Frames { from, to, hundreds, frames } => {
                let mut bytes = vec![0; 50 + frames * (hundreds * 100 - 50)];
                (bytes[5], bytes[11]) = (*to, *from as u8 + 1);
                // IPv4 and UDP, ECN-capable where there are several
                bytes[12..16].copy_from_slice(&[0x08, 0x00, 0x45, if *frames > 1 { 2 } else { 0 }]);
                bytes[17..24].copy_from_slice(&[28, 0, 0, 0, 0, 64, 17]);
                bytes[35] = *hundreds as u8;
                let cut = Cut { header: 50, segment: (hundreds * 100 - 50) as u16 };
                let frame = engine.pool().store_train(&bytes, cut).unwrap();
                engine.inject(at, NodeId(*from), frame);
            }
            Step::Command(command) => engine.apply(at, command.clone()).unwrap(),
            Step::Look => {
                engine.advance(at, &mut log);
                look(&engine, &mut log);
            }
        }
    }
    engine.advance(Instant::from_nanos(u64::MAX - 1), &mut log);
    look(&engine, &mut log);
    assert_eq!(engine.pool().live(), 0);
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_outside_sees_what_it_sees_with_every_event(
        plan in plan(),
        mut steps in prop::collection::vec((0u64..60, step()), 1..60),
    ) {
        steps.sort_by_key(|(at, _)| *at);
        prop_assert_eq!(run(&plan, &steps, false).0, run(&plan, &steps, true).0);
    }
}
