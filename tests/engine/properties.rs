//! What must always hold in the engine, over random networks, traffic and commands: both conservation equations,
//! independence of how time is sliced, repeatability, order, and that nothing shifts another link's draws.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use longwire::engine::{
    Change, Command, DirectionId, DirectionSpec, Engine, Fate, FateKind, FrameSink, LinkId, LinkPlan, NodeId, NodeKind,
    NodePlan, Place, Plan,
};
use longwire::frame::{Cut, FrameView};
use longwire::model::delay::TraceFile;
use longwire::model::rate::framing::{Encapsulation, Own};
use longwire::model::rate::slots::{Distance, SlotDistribution};
use longwire::model::rate::steps::Step;
use longwire::model::rate::{ScheduleSpec, SlotsSpec, TokenBucketSpec};
use longwire::model::table::{FileOf, NamedFile as _, Repeat};
use longwire::model::{
    Chance, Correlation, CorruptSpec, Delay, DelaySpec, Distribution, DuplicateSpec, Framing, Impairments, LossSpec,
    Order, RateSpec, ReorderSpec, ResetSpec,
};
use longwire::node::SwitchSpec;
use longwire::queue::{CodelSpec, FifoSpec, FqCodelSpec, Gain, PieLaw, PieSpec, QueueSpec, RedSpec};
use longwire::rng::{StreamKey, Way};
use longwire::units::{ByteSize, Duration, Instant, Probability, Rate};
use proptest::prelude::*;

/// Everything that can be seen from outside, in order.
#[derive(Debug, Default, PartialEq)]
struct Log(Vec<Seen>);

#[derive(Debug, PartialEq)]
enum Seen {
    Delivered { port: u32, at: u64, first: u16, count: u16, head: Vec<u8> },
    Fate { at: u64, place: Place, number: u64, frames: u64, kind: FateKind },
    Applied(String, u64),
}

impl FrameSink for Log {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant) {
        let head = frame.head[..20.min(frame.head.len())].to_vec();
        self.0.push(Seen::Delivered { port: port.0, at: at.as_nanos(), first: frame.first, count: frame.count, head });
    }
    fn fate(&mut self, fate: Fate<'_>) {
        let Fate { at, place, number, frames, kind, .. } = fate;
        self.0.push(Seen::Fate { at: at.as_nanos(), place, number, frames, kind });
    }
    fn applied(&mut self, command: &Command, at: Instant) {
        self.0.push(Seen::Applied(format!("{command:?}"), at.as_nanos()));
    }
}

impl Log {
    /// Fates in one direction: (number, delivered at or dropped).
    fn fates_of(&self, direction: DirectionId) -> Vec<(u64, u64, FateKind)> {
        self.0
            .iter()
            .filter_map(|seen| match seen {
                Seen::Fate { at, place, number, kind, .. } if *place == Place::Direction(direction) => {
                    Some((*number, *at, *kind))
                }
                _ => None,
            })
            .collect()
    }
}

#[derive(Clone, Debug)]
enum Input {
    Frame { port: usize, to: u8, bytes: usize },
    Train { port: usize, to: u8, frames: usize },
    Commands(Vec<Command>),
}

#[derive(Clone, Debug)]
struct Case {
    plan: Plan,
    ports: usize,
    inputs: Vec<(u64, Input)>,
}

fn duration(max_us: u64) -> impl Strategy<Value = Duration> {
    prop_oneof![Just(Duration::ZERO), (0..max_us * 1000).prop_map(Duration::from_nanos)]
}

fn delay() -> impl Strategy<Value = DelaySpec> {
    let distribution = prop::sample::select(vec!["uniform", "normal", "exponential", "gamma", "netem-pareto"]);
    (duration(5000), duration(2000), distribution, prop::bool::weighted(0.2), any::<bool>(), any::<bool>()).prop_map(
        |(mean, jitter, distribution, traced, correlated, free)| DelaySpec {
            mean,
            jitter,
            distribution: serde_json::from_value(distribution.into()).unwrap(),
            trace: traced.then(delay_trace),
            correlation: if correlated { "-60%".parse().unwrap() } else { Default::default() },
            order: if free { Order::Free } else { Order::Keep },
            ..DelaySpec::default()
        },
    )
}

/// A delay that goes up and down within a few frames.
fn delay_trace() -> TraceFile {
    let text = r#"{ "file": "trace.csv", "repeat": "3000us", "interpolate": "linear" }"#;
    let mut trace: TraceFile = serde_json::from_str(text).unwrap();
    trace.load("time_us,delay_us\n0,300\n700,2000\n1500,0\n2500,1000\n").unwrap();
    trace
}

fn loss() -> impl Strategy<Value = LossSpec> {
    prop_oneof![
        Just(LossSpec::default()),
        (0u64..=1_000_000_000_000).prop_map(|p| LossSpec::random(Probability::from_parts(p).unwrap())),
        prop::sample::select(vec![
            r#"{"random": {"rate": "20%", "correlation": "60%"}}"#,
            r#"{"burst": {"rate": "30%", "mean_length": 3}, "only": "ip"}"#,
            r#"[{"markov4": {"p13": "10%", "p31": "30%", "p32": "10%", "p23": "50%", "p14": "1%"}}, {"every": 7}]"#,
            r#"[{"outage": {"up": "2ms", "down": "1ms"}}, {"frames": [2, "7-9"], "only": "arp"}]"#,
            r#"{"outage": {"up": "1ms", "down": "1ms", "distribution": "exponential"}}"#,
            r#"[{"gilbert_elliott": {"p": "20%", "r": "30%", "bad_loss": "70%"}}, {"bit_error_rate": "1e-5"}]"#,
        ])
        .prop_map(|text| serde_json::from_str(text).unwrap()),
    ]
}

fn rate() -> impl Strategy<Value = RateSpec> {
    prop_oneof![
        2 => Just(RateSpec::Unlimited),
        3 => constant().prop_map(RateSpec::Constant),
        1 => token_bucket().prop_map(RateSpec::TokenBucket),
        1 => trace(),
        1 => schedule().prop_map(RateSpec::Schedule),
        1 => slots().prop_map(RateSpec::Slots),
    ]
}

fn constant() -> impl Strategy<Value = Rate> {
    (10_000u64..2_000_000_000).prop_map(|bps| Rate::from_bps(bps).unwrap())
}

fn token_bucket() -> impl Strategy<Value = TokenBucketSpec> {
    (constant(), 0u64..20_000, prop::option::of(2u64..20)).prop_map(|(rate, burst, times)| TokenBucketSpec {
        rate,
        burst: ByteSize::from_bytes(burst),
        peak: times.and_then(|times| Rate::from_bps(rate.as_bps() * times)),
    })
}

fn trace() -> impl Strategy<Value = RateSpec> {
    prop::collection::vec(0u64..30, 1..20).prop_map(|mut milliseconds| {
        milliseconds.sort_unstable();
        *milliseconds.last_mut().unwrap() += 1;
        let mut file = FileOf::new("trace");
        file.load(&milliseconds.iter().map(|ms| format!("{ms}\n")).collect::<String>()).unwrap();
        RateSpec::Trace(file)
    })
}

fn schedule() -> impl Strategy<Value = ScheduleSpec> {
    let step = (1u64..5_000_000, prop_oneof![1 => Just(0), 3 => 10_000u64..2_000_000_000]);
    (prop::collection::vec(step, 0..5), constant(), any::<bool>()).prop_map(|(steps, last, repeat)| {
        let steps = steps.into_iter().chain([(1_000_000, last.as_bps())]);
        let steps: Vec<Step> = steps.map(|(ns, bps)| Step::lasting(Some(Duration::from_nanos(ns)), bps)).collect();
        ScheduleSpec::new(&steps, if repeat { Repeat::AtEnd } else { Repeat::Never }).unwrap()
    })
}

fn slots() -> impl Strategy<Value = SlotsSpec> {
    let distance = (duration(2000), 1u64..2_000_000, 0u8..3).prop_map(|(least, more, kind)| {
        let more = Duration::from_nanos(more);
        match kind {
            0 => Distance::Between(least, least + more),
            1 => Distance::Around { mean: more, jitter: least, distribution: SlotDistribution::Uniform },
            _ => Distance::Around { mean: more, jitter: least, distribution: SlotDistribution::Normal },
        }
    });
    let limits = (prop::option::of(1u32..10), prop::option::of(1u64..5000), prop::option::of(constant()));
    (distance, limits).prop_map(|(distance, (packets, bytes, rate))| SlotsSpec {
        distance,
        packets,
        bytes: bytes.map(ByteSize::from_bytes),
        rate,
    })
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        Just(Framing::None),
        Just(Framing::Ethernet),
        (-100i32..50).prop_map(Framing::Overhead),
        Just(Framing::Atm(Encapsulation::PppoeLlc)),
        (-100i32..50, 0u16..100, 0u16..60, 0u16..10).prop_map(|(overhead, minimum, cell_size, cell_overhead)| {
            Framing::Own(Own { overhead, minimum, cell_size, cell_overhead })
        }),
    ]
}

fn limits() -> impl Strategy<Value = FifoSpec> {
    let limits =
        (prop::option::of(0u32..20), prop::option::of(0u64..20_000), prop::option::of(duration(20_000)), 0u32..4);
    limits.prop_map(|(packets, bytes, time, min)| {
        let min_packets = if time.is_some() { min } else { 0 };
        FifoSpec { packets, bytes: bytes.map(ByteSize::from_bytes), time, min_packets }
    })
}

/// Every discipline, with times and limits so small that its law is felt.
fn queue() -> impl Strategy<Value = QueueSpec> {
    let times = (1u64..2_000_000, 1u64..5_000_000, 0u32..60, any::<bool>());
    let codel = times.prop_map(|(target, more, limit, ecn)| {
        let (target, interval) = (Duration::from_nanos(target), Duration::from_nanos(target + more));
        CodelSpec { target, interval, limit, ecn }
    });
    let fq_codel = (codel.clone(), prop::sample::select(vec![1u32, 3, 1024]), 256u64..3000, 1000u64..200_000);
    let red = (4u64..60_000, 1u64..=1_000_000_000_000, 1u64..=1_000_000_000_000, any::<bool>(), any::<bool>());
    let pie = (1u64..5_000_000, 1u64..20, duration(5_000), (1u32..32_000_000, 0u32..32_000_000), 0u32..60);
    prop_oneof![
        6 => limits().prop_map(QueueSpec::Fifo),
        2 => limits().prop_map(QueueSpec::DropHead),
        2 => codel.prop_map(QueueSpec::Codel),
        2 => fq_codel.prop_map(|(CodelSpec { target, interval, limit, ecn }, flows, quantum, memory)| {
            let (quantum, memory) = (ByteSize::from_bytes(quantum), ByteSize::from_bytes(memory));
            QueueSpec::FqCodel(FqCodelSpec { flows, quantum, target, interval, limit, memory, ecn })
        }),
        2 => red.prop_map(|(limit, probability, weight, adaptive, ecn)| {
            let [probability, weight] = [probability, weight].map(|p| Probability::from_parts(p).unwrap());
            let defaults = RedSpec::within(ByteSize::from_bytes(limit));
            QueueSpec::Red(RedSpec { probability, weight, adaptive, ecn, ..defaults })
        }),
        2 => (pie, any::<[bool; 3]>()).prop_map(|((target, tupdate, burst, gains, limit), [derandomize, ecn, linux])| {
            QueueSpec::Pie(PieSpec {
                target: Duration::from_nanos(target),
                tupdate: Duration::from_millis(tupdate),
                burst,
                alpha: Gain::from_millionths(gains.0).unwrap(),
                beta: Gain::from_millionths(gains.1).unwrap(),
                limit,
                law: if linux { PieLaw::Linux } else { PieLaw::Rfc8033 },
                derandomize,
                ecn,
                ecn_threshold: Probability::from_parts(500_000_000_000).unwrap(),
            })
        }),
    ]
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        3 => Just(Chance::default()),
        1 => (0u64..=1_000_000_000_000).prop_map(|p| Chance(Probability::from_parts(p).unwrap())),
    ]
}

fn impairments() -> impl Strategy<Value = Impairments> {
    let remembered = prop::sample::select(vec![0u64, 0, 500_000_000_000]);
    (chance(), chance(), 1u8..4, chance(), chance(), 1u32..4, remembered).prop_map(
        |(reset, corrupt, bits, duplicate, reorder, gap, rho)| {
            let correlation = Correlation::new(Probability::from_parts(rho).unwrap()).unwrap();
            Impairments {
                reset: ResetSpec { correlation, ..ResetSpec::independent(reset) },
                corrupt: CorruptSpec { correlation, ..CorruptSpec::independent(corrupt, bits) },
                duplicate: DuplicateSpec { correlation, ..DuplicateSpec::independent(duplicate) },
                reorder: ReorderSpec { correlation, ..ReorderSpec::independent(reorder, gap) },
            }
        },
    )
}

fn direction() -> impl Strategy<Value = DirectionSpec> {
    let half_duplex = prop::bool::weighted(0.15);
    (prop::option::of(68u32..2000), queue(), (rate(), half_duplex), framing(), loss(), delay(), impairments()).prop_map(
        |(mtu, queue, (rate, half_duplex), framing, loss, delay, impairments)| DirectionSpec {
            mtu,
            port_mtu: None,
            queue: (rate != RateSpec::Unlimited).then_some(queue),
            half_duplex,
            rate,
            framing,
            loss,
            impairments,
            delay,
        },
    )
}

/// The link from port to port.
fn straight(plan: &Plan) -> usize {
    let is_port = |node: &usize| plan.nodes[*node].kind == NodeKind::Port;
    plan.links.iter().position(|link| link.ends.iter().all(is_port)).expect("there is one")
}

/// A tree of switches with ports on them, one link straight between two ports, and perhaps links that close loops.
fn plan() -> impl Strategy<Value = (Plan, usize)> {
    let (coalesce, convergence) = (vec![0u64, 50_000, 1_000_000], vec![0u64, 300_000]);
    let times = (prop::sample::select(coalesce), prop::sample::select(convergence));
    (1usize..4, 2usize..6, any::<u64>(), times, 0usize..3)
        .prop_flat_map(|(switches, ports, seed, times, loops)| {
            let links = switches - 1 + ports + 1 + loops;
            (
                Just((switches, ports, seed, times, loops)),
                prop::collection::vec([direction(), direction()], links),
                prop::collection::vec(any::<prop::sample::Index>(), links),
            )
        })
        .prop_map(|((switches, ports, seed, (coalesce, convergence), loops), directions, parents)| {
            // ports first, then two more ports for the straight link, then switches
            let all_ports = ports + 2;
            let mut nodes: Vec<_> =
                (0..all_ports).map(|n| NodePlan { name: format!("p{n}"), kind: NodeKind::Port }).collect();
            let ageing = Duration::from_millis(3);
            nodes.extend((0..switches).map(|n| NodePlan {
                name: format!("s{n}"),
                kind: NodeKind::Switch(SwitchSpec { ageing, ..SwitchSpec::default() }),
            }));
            let mut ends: Vec<[usize; 2]> =
                (1..switches).map(|n| [all_ports + parents[n].index(n), all_ports + n]).collect();
            ends.extend((0..ports).map(|p| [p, all_ports + parents[switches - 1 + p].index(switches)]));
            ends.push([ports, ports + 1]);
            let first = switches + ports;
            ends.extend((0..loops).map(|n| [all_ports + n % switches, all_ports + parents[first + n].index(switches)]));
            let links = ends
                .into_iter()
                .zip(directions)
                .enumerate()
                .map(|(n, (ends, directions))| LinkPlan { name: format!("l{n}"), ends, directions })
                .collect();
            (
                Plan {
                    seed,
                    coalesce: Duration::from_nanos(coalesce),
                    convergence: Duration::from_nanos(convergence),
                    nodes,
                    links,
                },
                all_ports,
            )
        })
}

fn command(links: usize, nodes: usize, ports: usize) -> impl Strategy<Value = Command> {
    let node = move || (0..nodes as u32).prop_map(NodeId);
    let port = move || (0..ports as u32).prop_map(NodeId);
    let sides = prop::collection::vec(prop::collection::vec(port(), 0..3), 0..4);
    let change = (
        prop::option::of(delay()),
        prop::option::of(loss()),
        prop::option::of(rate()),
        prop::option::of(framing()),
        prop::option::of(queue()),
        prop::option::of(0u32..2000),
        impairments(),
    )
        .prop_map(|(delay, loss, rate, framing, queue, mtu, impairments)| Change {
            delay,
            loss,
            impairments: Impairments::default().difference(&impairments),
            rate,
            framing,
            queue,
            mtu,
        });
    prop_oneof![
        3 => (0..links as u32 * 2, change).prop_map(|(d, change)| Command::Set(DirectionId(d), change)),
        1 => (0..links as u32).prop_map(|l| Command::Down(LinkId(l))),
        1 => (0..links as u32).prop_map(|l| Command::Up(LinkId(l))),
        1 => (node(), any::<bool>()).prop_map(|(n, up)| if up { Command::NodeUp(n) } else { Command::NodeDown(n) }),
        1 => sides.prop_map(Command::Partition),
        1 => (port(), any::<bool>()).prop_map(|(p, up)| if up { Command::PortUp(p) } else { Command::PortDown(p) }),
        1 => (port(), port()).prop_map(|(from, to)| Command::Block(from, to)),
        1 => prop_oneof![
            Just(Command::Heal),
            (port(), port()).prop_map(|(from, to)| Command::Unblock(from, to)),
            (port(), any::<bool>()).prop_map(|(port, up)| Command::Carrier(port, up)),
        ],
    ]
}

fn case() -> impl Strategy<Value = Case> {
    plan().prop_flat_map(|(plan, ports)| {
        let frame = (0..ports, 0u8..8, 0usize..1700).prop_map(|(port, to, bytes)| Input::Frame { port, to, bytes });
        let train = (0..ports, 0u8..8, 2usize..45).prop_map(|(port, to, frames)| Input::Train { port, to, frames });
        let commands =
            prop::collection::vec(command(plan.links.len(), plan.nodes.len(), ports), 1..3).prop_map(Input::Commands);
        let input = prop_oneof![6 => frame, 3 => train, 1 => commands];
        // many at the same microsecond, so that ties are met
        let inputs = prop::collection::vec((0u64..200, input), 1..120).prop_map(|mut inputs| {
            inputs.sort_by_key(|(at, _)| *at);
            inputs.into_iter().map(|(at, input)| (at * 50_000, input)).collect()
        });
        (Just(plan), Just(ports), inputs).prop_map(|(plan, ports, inputs)| Case { plan, ports, inputs })
    })
}

fn bytes(len: usize, from: usize, to: u8) -> Vec<u8> {
    let mut bytes = vec![0u8; len];
    if len >= 14 {
        // 7 is broadcast
        bytes[..6].copy_from_slice(&if to == 7 { [0xff; 6] } else { [2, 0, 0, 0, 0, to] });
        bytes[6..12].copy_from_slice(&[2, 0, 0, 0, 0, from as u8]);
    }
    if len >= 42 {
        // IPv4 and UDP; to some ports ECN-capable
        bytes[12..16].copy_from_slice(&[0x08, 0x00, 0x45, to % 3]);
        bytes[17..24].copy_from_slice(&[28, 0, 0, 0, 0, 64, 17]);
        bytes[35] = to;
    }
    if len >= 54 && to.is_multiple_of(2) {
        // a segment of TCP with an acknowledgement, which may be reset
        bytes[16..18].copy_from_slice(&((len - 14) as u16).to_be_bytes());
        bytes[23] = 6;
        bytes[46..48].copy_from_slice(&[0x50, 0x10]);
    }
    bytes
}

fn feed(engine: &mut Engine, at: u64, input: &Input) {
    let at = Instant::from_nanos(at);
    match input {
        Input::Frame { port, to, bytes: len } => {
            let frame = engine.pool().store(&bytes(*len, *port, *to)).unwrap();
            engine.inject(at, NodeId(*port as u32), frame);
        }
        Input::Train { port, to, frames } => {
            let cut = Cut { header: 54, segment: 946 };
            let frame = engine.pool().store_train(&bytes(54 + frames * 946 - 500, *port, *to), cut).unwrap();
            engine.inject(at, NodeId(*port as u32), frame);
        }
        Input::Commands(commands) => engine.apply_all(at, commands.clone()).unwrap(),
    }
}

/// Hours: whatever is inside at a rate of 10 kbit/s has left by then.
const END: Instant = Instant::from_nanos(100_000_000_000_000);

fn conserved(engine: &Engine, case: &Case) -> Result<(), TestCaseError> {
    for id in engine.directions() {
        let c = engine.counters(id);
        let out = c.delivered.frames + c.dropped.frames() + engine.inside(id);
        prop_assert_eq!(c.offered.frames + c.originated + c.duplicated, out, "direction {:?}", id);
        prop_assert_eq!(c.delay.count(), c.delivered.frames);
    }
    for n in 0..case.plan.nodes.len() as u32 {
        let c = engine.node_counters(NodeId(n));
        prop_assert_eq!(
            c.received + c.originated + c.replicated,
            c.sent + c.consumed + c.dropped.frames(),
            "node {}",
            n
        );
    }
    Ok(())
}

fn run_whole(case: &Case) -> (Log, Engine) {
    let mut engine = Engine::new(&case.plan);
    let mut log = Log::default();
    for (at, input) in &case.inputs {
        feed(&mut engine, *at, input);
    }
    engine.advance(END, &mut log);
    (log, engine)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn frames_are_conserved_and_slicing_changes_nothing(case in case(), slices in prop::collection::vec(0u64..20_000_000, 0..60)) {
        let (whole, mut reference) = run_whole(&case);
        conserved(&reference, &case)?;
        prop_assert_eq!(reference.pool().live(), 0, "every frame left by a door");
        prop_assert_eq!(reference.next_deadline(), None);
        let injected: u64 = case.inputs.iter().map(|(_, i)| match i {
            Input::Frame { .. } => 1,
            Input::Train { frames, .. } => *frames as u64,
            Input::Commands(_) => 0,
        }).sum();
        let originated: u64 = (0..case.ports as u32).map(|p| reference.node_counters(NodeId(p)).originated).sum();
        prop_assert_eq!(injected, originated);

        // the same inputs, with `advance` called at other instants in between, up to four times at the same one
        let mut engine = Engine::new(&case.plan);
        let mut log = Log::default();
        let mut slices = slices.clone();
        slices.sort_unstable();
        let mut slices = slices.into_iter().peekable();
        for (at, input) in &case.inputs {
            while let Some(slice) = slices.next_if(|s| *s <= *at) {
                engine.advance(Instant::from_nanos(slice), &mut log);
                conserved(&engine, &case)?;
            }
            if at % 150_000 == 0 {
                // exactly at the input's own instant
                engine.advance(Instant::from_nanos(*at), &mut log);
            }
            feed(&mut engine, *at, input);
        }
        while let Some(deadline) = engine.next_deadline() {
            // the finest slicing there is
            engine.advance(deadline, &mut log);
        }
        conserved(&engine, &case)?;
        prop_assert_eq!(&log, &whole);
        for id in engine.directions() {
            prop_assert_eq!(engine.counters(id), reference.counters(id));
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_log(case in case()) {
        prop_assert_eq!(run_whole(&case).0, run_whole(&case).0);
    }

    #[test]
    fn runs_leave_at_their_last_departure_and_span_at_most_coalesce(case in case()) {
        // Against coalesce 0, where each wire frame leaves at its own instant: never earlier, and at most `coalesce` later
        // over a single link.
        let single = |coalesce| {
            let mut case = case.clone();
            case.plan.coalesce = coalesce;
            // port-to-port link only
            let straight = straight(&case.plan);
            let near = case.plan.links[straight].ends[0];
            for (_, input) in &mut case.inputs {
                match input {
                    Input::Frame { port, .. } | Input::Train { port, .. } => *port = near,
                    // what comes late by up to `coalesce` may come to a door that was shut meanwhile
                    Input::Commands(commands) => {
                        commands.retain(|c| matches!(c, Command::Set(..) | Command::Down(_) | Command::Up(_)));
                    }
                }
            }
            let mut departures = std::collections::BTreeMap::new();
            let (log, _) = run_whole(&case);
            let direction = LinkId(straight as u32).directions()[0];
            for seen in log.0 {
                if let Seen::Fate { at, place, number, frames, kind: FateKind::Delivered { .. } } = seen
                    && place == Place::Direction(direction)
                {
                    departures.extend((number..number + frames).map(|n| (n, at)));
                }
            }
            departures
        };
        let coalesce = case.plan.coalesce;
        let (exact, joined) = (single(Duration::ZERO), single(coalesce));
        prop_assert_eq!(exact.keys().collect::<Vec<_>>(), joined.keys().collect::<Vec<_>>());
        for (n, at) in &exact {
            let late = joined[n].checked_sub(*at);
            prop_assert!(late.is_some_and(|late| late <= coalesce.as_nanos()), "frame {}: {} → {}", n, at, joined[n]);
        }
    }

    #[test]
    fn another_link_or_loss_rate_shifts_no_draw(case in case(), extra in [direction(), direction()]) {
        let straight = LinkId(straight(&case.plan) as u32).directions()[0];
        let (log, _) = run_whole(&case);

        // a link and two ports more, ahead of all others
        let mut more = case.clone();
        let n = more.plan.nodes.len();
        more.plan.nodes.extend(["x", "y"].map(|name| NodePlan { name: name.into(), kind: NodeKind::Port }));
        more.plan.links.insert(0, LinkPlan { name: "another".into(), ends: [n, n + 1], directions: extra });
        for (_, input) in &mut more.inputs {
            if let Input::Commands(commands) = input {
                for command in commands {
                    match command {
                        Command::Set(d, _) => d.0 += 2,
                        Command::Down(l) | Command::Up(l) => l.0 += 1,
                        _ => {} // nodes keep their numbers
                    }
                }
            }
        }
        let (with_more, _) = run_whole(&more);
        prop_assert_eq!(with_more.fates_of(DirectionId(straight.0 + 2)), log.fates_of(straight));
    }
}

/// Normal jitter that reorders.
fn jitter(correlation: &str) -> DelaySpec {
    DelaySpec {
        mean: Duration::from_millis(10),
        jitter: Duration::from_millis(5),
        distribution: Distribution::Normal,
        correlation: correlation.parse().unwrap(),
        order: Order::Free,
        ..DelaySpec::default()
    }
}

/// One direction with this delay, 2,000 frames, at this loss rate: the instant at which each arrives.
fn arrivals(delay: DelaySpec, loss: &str) -> Vec<Option<u64>> {
    let spec = DirectionSpec { delay, loss: LossSpec::random(loss.parse().unwrap()), ..DirectionSpec::default() };
    let nodes = ["a", "b"].map(|name| NodePlan { name: name.into(), kind: NodeKind::Port }).to_vec();
    let links = vec![LinkPlan { name: "wifi".into(), ends: [0, 1], directions: [spec, DirectionSpec::default()] }];
    let plan = Plan { seed: 7, coalesce: Duration::ZERO, convergence: Duration::ZERO, nodes, links };
    let mut engine = Engine::new(&plan);
    for n in 0..2000 {
        feed(&mut engine, n * 100_000, &Input::Frame { port: 0, to: 1, bytes: 100 });
    }
    let mut log = Log::default();
    engine.advance(END, &mut log);
    let mut at = vec![None; 2000];
    for (number, when, kind) in log.fates_of(DirectionId(0)) {
        if let FateKind::Delivered { .. } = kind {
            at[number as usize] = Some(when);
        }
    }
    at
}

#[test]
fn loss_turned_from_nothing_to_one_percent_leaves_every_delay_as_it_was() {
    for correlation in ["none", "70%"] {
        let (without, with) = (arrivals(jitter(correlation), "0%"), arrivals(jitter(correlation), "1%"));
        assert!(without.iter().all(Option::is_some));
        let lost = with.iter().filter(|at| at.is_none()).count();
        assert!((1..60).contains(&lost), "{lost} of 2,000");
        assert!(with.iter().zip(&without).all(|(with, without)| with.is_none() || with == without));
    }
}

#[test]
fn correlated_delays_follow_their_chain_whatever_is_lost() {
    let mut delay = Delay::new(jitter("70%"));
    let key = StreamKey::new(7, "wifi", Way::Forward, "delay");
    let arrived = arrivals(jitter("70%"), "20%");
    assert!(arrived.iter().filter(|at| at.is_none()).count() > 300, "every fifth is lost");
    for (number, at) in (0..).zip(arrived) {
        let z = delay.admit(|| key.frame(number, 0)).expect("delays are correlated");
        let sent = Instant::from_nanos(number * 100_000);
        let drawn = delay.draw_correlated(sent, z, 0, || panic!("z is all it needs"));
        assert!(at.is_none_or(|at| at == (sent + drawn.delay).as_nanos()), "frame {number}");
    }
}

#[test]
fn fates_are_the_same_in_every_release() {
    // the first frames that this seed loses at 5 %: a change here breaks every recorded scenario
    let lost: Vec<_> = arrivals(jitter("none"), "5%")
        .iter()
        .enumerate()
        .filter(|(_, at)| at.is_none())
        .map(|(n, _)| n)
        .take(6)
        .collect();
    assert_eq!(lost, KNOWN_LOST);
}

const KNOWN_LOST: [usize; 6] = [14, 64, 73, 106, 119, 146];
