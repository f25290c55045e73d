//! Timelines against the engine in virtual time: what changes at one instant changes together, a ramp serves what the line
//! says, frames on their way are treated as the reference says, and whatever happens no frame is lost count of.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::path::Path;

use longwire::engine::{Command, Engine, Fate, FateKind, FrameSink, NodeId};
use longwire::frame::{DropCause, FrameView};
use longwire::language::files::MemoryFiles;
use longwire::model::RateSpec;
use longwire::scenario::{Overrides, load};
use longwire::tasks::resolved::Resolved;
use longwire::tasks::set::LiveLinks;
use longwire::units::Instant;
use proptest::prelude::*;

const MS: u64 = 1_000_000;

/// What left the network or did not.
#[derive(Default)]
struct Seen {
    /// When, and the byte behind the MAC addresses, which says which frame it is.
    delivered: Vec<(u64, u8)>,
    dropped: Vec<(u64, DropCause, u8)>,
}

impl FrameSink for Seen {
    fn deliver(&mut self, _: NodeId, frame: FrameView<'_>, at: Instant) {
        self.delivered.push((at.as_nanos(), frame.head[12]));
    }
    fn fate(&mut self, fate: Fate<'_>) {
        if let FateKind::Dropped(cause) = fate.kind {
            self.dropped.push((fate.at.as_nanos(), cause, fate.view().head[12]));
        }
    }
}

fn scenario(text: &str) -> Resolved {
    load(Path::new("t.yaml"), &MemoryFiles::one("t.yaml", text), &Overrides::default())
        .unwrap_or_else(|(told, _)| panic!("{:#?}\n{text}", told.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// A frame: when it is sent, by which port, to which MAC address, its number, and how many bytes it has.
type Sent = (u64, NodeId, [u8; 6], u8, usize);

/// Plays frames and the timeline, steps before frames of their instant, and lets everything come to its end.
fn play(resolved: &Resolved, frames: &[Sent]) -> (Engine, Seen) {
    let mut engine = Engine::new(&resolved.plan);
    let (mut seen, mut links) = (Seen::default(), LiveLinks::new(resolved));
    let steps = resolved.timeline.iter().enumerate().map(|(n, step)| (step.at.as_nanos(), 0, n));
    let sent = frames.iter().enumerate().map(|(n, frame)| (frame.0, 1, n));
    let mut all: Vec<_> = steps.chain(sent).collect();
    all.sort_unstable();
    for (at, kind, n) in all {
        let now = Instant::from_nanos(at);
        engine.advance(now, &mut seen);
        if kind == 0 {
            let commands = resolved.timeline[n].commands(&mut links, &MemoryFiles::default()).unwrap();
            engine.apply_all(now, commands).unwrap();
        } else {
            let (_, port, to, number, len) = frames[n];
            let mut bytes = vec![0; len];
            bytes[..6].copy_from_slice(&to);
            bytes[6..12].copy_from_slice(&[2, 0, 0, 0, 0, port.0 as u8]);
            bytes[12] = number;
            let frame = engine.pool().store(&bytes).unwrap();
            engine.inject(now, port, frame);
        }
    }
    engine.advance(Instant::from_nanos(3_600_000 * MS), &mut seen);
    (engine, seen)
}

/// Two hosts and one link, with frames of 1000 bytes from the first to the second.
fn one_link(link: &str, timeline: &str, frames: &[(u64, u8)]) -> Seen {
    let resolved = scenario(&format!(
        "longwire: 1\nduration: 60s\nnodes: {{ a: host, b: host }}\nlinks: {{ l: {{ ends: [a, b], {link} }} }}\ntimeline:\n{timeline}"
    ));
    let frames: Vec<Sent> = frames.iter().map(|(at, number)| (*at, NodeId(0), [0xff; 6], *number, 1000)).collect();
    play(&resolved, &frames).1
}

#[test]
fn what_changes_at_one_instant_meets_the_same_frame() {
    let both = "- { at: 10ms, set: { l: { delay: 50ms } } }\n- { at: 10ms, set: { l: { rate: 8Mbit } } }\n";
    // 1000 bytes take 1 ms at 8 Mbit/s
    let seen = one_link("delay: 1ms", both, &[(10 * MS - 1, 1), (10 * MS, 2)]);
    assert_eq!(seen.delivered, [(11 * MS - 1, 1), (61 * MS, 2)], "neither of them, and both of them");
    let one = "- { at: 10ms, set: { l: { delay: 50ms, rate: 8Mbit } }, down: l }\n- { at: 10ms, up: l }\n";
    let seen = one_link("delay: 1ms", one, &[(10 * MS, 2)]);
    assert_eq!((seen.delivered, seen.dropped), (vec![(61 * MS, 2)], vec![]));
    // links of a group: no frame that crosses both meets one old and one new
    let resolved = scenario(
        "longwire: 1\nduration: 1s\nnodes: { a: host, s: switch, b: host }\nlinks:\n  \
         l: { ends: [a, s], delay: 1ms }\n  m: { ends: [s, b], delay: 1ms }\ntimeline:\n\
         - { at: 5ms, set: { l: { delay: 20ms }, m: { delay: 20ms } } }\n",
    );
    let port = |name: &str| {
        NodeId(resolved.plan.nodes.iter().position(|node| node.name.split('.').next() == Some(name)).unwrap() as u32)
    };
    let sent: Vec<Sent> = [2, 3, 4, 5].map(|ms| (ms * MS, port("a"), [0xff; 6], ms as u8, 60)).to_vec();
    let (_, seen) = play(&resolved, &sent);
    // at 4 ms a frame enters the second link at the instant of the change, and before it
    assert_eq!(seen.delivered, [(4 * MS, 2), (5 * MS, 3), (6 * MS, 4), (45 * MS, 5)]);
}

#[test]
fn frames_on_their_way_are_treated_as_the_reference_says() {
    // a rate: of the 8 ms at 1 Mbit/s half is left, which takes 1 ms at 4 Mbit/s
    let seen = one_link("rate: 1Mbit", "- { at: 4ms, set: { l: { rate: 4Mbit } } }\n", &[(0, 1)]);
    assert_eq!(seen.delivered, [(5 * MS, 1)]);
    // a delay: what propagates keeps its own
    let delay = "- { at: 4ms, set: { l: { delay: 1ms } } }\n";
    let seen = one_link("delay: { mean: 10ms, order: free }", delay, &[(0, 1), (4 * MS, 2)]);
    assert_eq!(seen.delivered, [(5 * MS, 2), (10 * MS, 1)]);
    // down: 1 propagates and arrives, 2 is on the wire, 3 waits
    let down = "- { at: 12ms, down: l }\n- { at: 20ms, up: l }\n";
    let seen = one_link("rate: 1Mbit, delay: 30ms", down, &[(0, 1), (1, 2), (2, 3), (15 * MS, 4), (20 * MS, 5)]);
    assert_eq!(seen.delivered, [(38 * MS, 1), (58 * MS, 5)]);
    let cause = DropCause::LinkDown;
    assert_eq!(seen.dropped, [(12 * MS, cause, 2), (12 * MS, cause, 3), (15 * MS, cause, 4)]);
    // a queue that shrinks: from its tail
    let queue = "- { at: 1ms, set: { l: { queue: { fifo: { packets: 1 } } } } }\n";
    let seen = one_link("rate: 1Mbit, queue: { fifo: { packets: 9 } }", queue, &[(0, 1), (1, 2), (2, 3), (3, 4)]);
    assert_eq!(seen.delivered, [(8 * MS, 1), (16 * MS, 2)]);
    let mut dropped = seen.dropped;
    dropped.sort_by_key(|(_, _, number)| *number);
    assert_eq!(dropped, [(MS, DropCause::QueueResized, 3), (MS, DropCause::QueueResized, 4)]);
}

#[test]
fn a_ramp_of_rate_serves_what_its_line_says_to_within_a_frame() {
    for (from, to, steps) in [("10Mbit", "1Mbit", 100u32), ("500kbit", "8Mbit", 37), ("3Mbit", "2Mbit", 1)] {
        let resolved = scenario(&format!(
            "longwire: 1\nduration: 9s\nnodes: {{ a: host, b: host }}\n\
             links: {{ l: {{ ends: [a, b], rate: {from}, queue: {{ fifo: {{ packets: 10000 }} }} }} }}\ntimeline:\n\
             - {{ from: 1s, to: 3s, ramp: {{ l: {{ rate: {to} }} }}, steps: {steps} }}\n"
        ));
        let bits = 8 * 1250;
        let frames: Vec<Sent> = (0..4000).map(|_| (0, NodeId(0), [0xff; 6], 1, 1250)).collect();
        let (_, seen) = play(&resolved, &frames);
        // the rate in force from each time on
        let bps = |text: &str| text.parse::<longwire::units::Rate>().unwrap().as_bps();
        let mut links = LiveLinks::new(&resolved);
        let mut rates = vec![(0, bps(from))];
        for step in &resolved.timeline {
            for command in step.commands(&mut links, &MemoryFiles::default()).unwrap() {
                if let Command::Set(direction, change) = command
                    && let (0, Some(RateSpec::Constant(rate))) = (direction.0, change.rate)
                {
                    rates.push((step.at.as_nanos(), rate.as_bps()));
                }
            }
        }
        assert_eq!((rates.len(), rates.last().unwrap()), (1 + steps as usize, &(3_000 * MS, bps(to))));
        // between steps it is off the line by one step at most
        let way = i128::from(bps(to)) - i128::from(bps(from));
        for (n, (at, rate)) in rates.iter().enumerate().skip(1) {
            let until = rates.get(n + 1).map_or(3_000 * MS, |(at, _)| *at);
            for t in [*at, until] {
                let line = i128::from(bps(from)) + way * i128::from(t - 1_000 * MS) / i128::from(2_000 * MS);
                let off = (line - i128::from(*rate)).abs();
                assert!(off <= way.abs() / i128::from(steps) + 1, "{from} → {to}: {off} bit/s off the line at {t}");
            }
        }
        // what was served, and the integral of the rate, in bits times 10^9
        let integral = |t: u64| -> u128 {
            let ends = rates.iter().skip(1).map(|(at, _)| *at).chain([u64::MAX]);
            rates
                .iter()
                .zip(ends)
                .map(|((at, rate), end)| u128::from(t.min(end).saturating_sub(*at)) * u128::from(*rate))
                .sum()
        };
        let busy: Vec<u64> = seen.delivered.iter().map(|(at, _)| *at).filter(|at| *at <= 4_000 * MS).collect();
        assert!(busy.len() > 100 && busy.len() < 4000, "backlogged all the time: {}", busy.len());
        for (n, at) in (1u128..).zip(&busy) {
            let (served, due) = (n * bits * 1_000_000_000, integral(*at));
            assert!(served.abs_diff(due) <= bits * 1_000_000_000, "{from} → {to}: frame {n} at {at}");
            // and far better than that: times are whole nanoseconds, once a frame and once a step
            assert!(served.abs_diff(due) <= (n + u128::from(steps)) * 10_000_000, "{from} → {to}: frame {n} at {at}");
        }
    }
}

const NETWORK: &str = "longwire: 1\nduration: 10s\nconvergence: 20ms\n\
    nodes: { a: host, b: host, c: host, s: switch, t: switch, r: router, d: host }\nlinks:\n  \
    la: { ends: [a, s], rate: 1Mbit, delay: { mean: 3ms, jitter: 1ms } }\n  lb: { ends: [b, s], loss: 10%, rate: 2Mbit }\n  \
    lc: { ends: [c, t], delay: 2ms, duplicate: 20% }\n  st: { ends: [s, t], rate: 3Mbit, half_duplex: true }\n  \
    tr: { ends: [t, r], delay: 1ms }\n  rd: { ends: [r, d], rate: 5Mbit }\n";

fn step() -> impl Strategy<Value = String> {
    let link = || prop::sample::select(vec!["la", "lb", "lc", "st", "tr", "rd"]);
    let limited = || prop::sample::select(vec!["la", "lb", "rd"]);
    let node = || prop::sample::select(vec!["a", "b", "c", "d", "s", "t", "r"]);
    let at = || (0u64..400).prop_map(|ms| format!("at: {ms}ms"));
    prop_oneof![
        (at(), link(), 0u32..100).prop_map(|(at, link, loss)| format!("{at}, set: {{ {link}: {{ loss: {loss}% }} }}")),
        (at(), limited(), 100u32..9000, 1u32..5).prop_map(|(at, link, rate, packets)| {
            format!("{at}, set: {{ {link}: {{ rate: {rate}kbit, queue: {{ fifo: {{ packets: {packets} }} }} }} }}")
        }),
        (at(), limited()).prop_map(|(at, link)| format!("{at}, set: {{ {link}: {{ profile: wifi-poor }} }}")),
        (at(), link()).prop_map(|(at, link)| format!("{at}, reset: {link}")),
        (at(), link(), any::<bool>())
            .prop_map(|(at, name, up)| format!("{at}, {}: {name}", if up { "up" } else { "down" })),
        (at(), node(), any::<bool>())
            .prop_map(|(at, name, up)| format!("{at}, {}: {name}", if up { "up" } else { "down" })),
        (at(), node()).prop_map(|(at, node)| format!("{at}, down: {{ nodes: {node}, carrier: off }}")),
        (at(), link())
            .prop_map(|(at, link)| format!("{at}, flap: {{ link: {link}, every: 30ms, for: 10ms, times: 4 }}")),
        (0u64..300, 1u64..200, link(), 0u32..100, 1u32..9).prop_map(|(from, takes, link, loss, steps)| {
            let to = from + takes;
            format!("from: {from}ms, to: {to}ms, steps: {steps}, ramp: {{ {link}: {{ loss: {loss}%, rtt: 9ms }} }}")
        }),
        at().prop_map(|at| format!("{at}, partition: [[a, c], [b], [d]]")),
        at().prop_map(|at| format!("{at}, heal: all")),
        at().prop_map(|at| format!("{at}, block: [a -> d, b -> a]")),
        at().prop_map(|at| format!("{at}, unblock: [a -> d]")),
        at().prop_map(|at| format!("every: 50ms, times: 3, {}, down: lc", at.replace("at", "from"))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_frame_is_lost_count_of(
        steps in prop::collection::vec(step(), 1..15),
        frames in prop::collection::vec((0u64..500_000, 0usize..4, 0usize..6, 60usize..1500), 1..150),
    ) {
        let resolved = scenario(&format!("{NETWORK}timeline:\n{}", steps.iter().map(|s| format!("- {{ {s} }}\n")).collect::<String>()));
        let ports: Vec<NodeId> = resolved.ports.iter().map(|port| NodeId(port.node as u32)).collect();
        let mac = |to: usize| match to {
            to @ 0..4 => [2, 0, 0, 0, 0, ports[to].0 as u8],
            _ => [0xff; 6],
        };
        let sent: Vec<Sent> = frames.iter().map(|(us, from, to, len)| (us * 1000, ports[*from], mac(*to), 0, *len)).collect();
        let (mut engine, seen) = play(&resolved, &sent);
        for id in engine.directions() {
            let c = engine.counters(id);
            let out = c.delivered.frames + c.dropped.frames() + engine.inside(id);
            prop_assert_eq!(c.offered.frames + c.originated + c.duplicated, out, "direction {:?}", id);
        }
        for id in engine.nodes() {
            let c = engine.node_counters(id);
            let out = c.sent + c.consumed + c.dropped.frames() + engine.held(id);
            prop_assert_eq!(c.received + c.originated + c.replicated, out, "node {:?}", id);
        }
        let held: u64 = engine.nodes().map(|id| engine.held(id)).sum();
        prop_assert_eq!(engine.pool().live(), held, "what is not in the network any more");
        let again = play(&resolved, &sent).1;
        prop_assert_eq!((again.delivered, again.dropped), (seen.delivered, seen.dropped));
    }
}
