//! What `longwire compare` finds between runs of the engine: five seeds a side, twenty times, without a word of what was asked
//! of the links.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::path::Path;

use longwire::Report;
use longwire::compare::{Comparison, Group, LEVEL, compare};
use longwire::engine::{Command, Engine, FrameSink, NodeId, TimeStatistics};
use longwire::frame::FrameView;
use longwire::language::files::MemoryFiles;
use longwire::measured::Times;
use longwire::report::json::Direction;
use longwire::scenario::{Overrides, load};
use longwire::tasks::resolved::Resolved;
use longwire::units::{Duration, Instant};
use serde_json::{Value, json};

const SKELETON: &str = include_str!("../fixtures/report/report.json");
/// A call sends a datagram each 2 ms, a ping a request each 20 ms, for 4 s.
const END_MS: u64 = 4_000;
const CALL: u8 = 1;
const REQUEST: u8 = 2;
const REPLY: u8 = 3;

fn scenario(loss: &str) -> Resolved {
    let text = format!(
        "longwire: 1
nodes: {{ a: host, s: switch, b: host }}
links:
  wifi: {{ ends: [a, s], delay: {{ mean: 20ms, jitter: 5ms, distribution: normal }}, loss: {loss}, rate: 10Mbit }}
  dsl: {{ ends: [s, b], delay: {{ mean: 8ms, jitter: 2ms }}, loss: 0.2%, rate: 20Mbit }}
"
    );
    load(Path::new("t.yaml"), &MemoryFiles::one("t.yaml", &text), &Overrides::default())
        .unwrap_or_else(|(told, _)| panic!("{:?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// What arrived: at which port, what it was, its number, and when.
#[derive(Default)]
struct Arrived(Vec<(NodeId, u8, u16, Instant)>);

impl FrameSink for Arrived {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant) {
        let head = frame.head;
        self.0.push((port, head[15], u16::from_be_bytes([head[18], head[19]]), at));
    }
    fn applied(&mut self, _: &Command, _: Instant) {}
}

/// A run of 4 s as a report: directions as the engine counted them, and two workloads.
fn run(resolved: &Resolved, seed: u64) -> Report {
    let plan = longwire::engine::Plan { seed, ..resolved.plan.clone() };
    let mut engine = Engine::new(&plan);
    let ports: Vec<NodeId> = resolved.ports.iter().map(|port| NodeId(port.node as u32)).collect();
    let macs: Vec<[u8; 6]> = resolved.network.hosts.iter().map(|host| host.interfaces[0].mac).collect();
    let frame = |from: usize, what: u8, number: u16, bytes: usize| {
        let mut frame = [&macs[1 - from][..], &macs[from][..], &[8, 0, 0x45, what, 0, 0]].concat();
        frame.extend(number.to_be_bytes());
        frame.resize(bytes, 0);
        frame
    };
    let mut sends: Vec<(Instant, usize, Vec<u8>)> = Vec::new();
    for ms in (0..END_MS).step_by(2) {
        let at = Instant::ZERO + Duration::from_millis(ms);
        sends.push((at, 0, frame(0, CALL, (ms / 2) as u16, 1_000)));
        if ms % 20 == 0 {
            sends.push((at + Duration::from_millis(1), 0, frame(0, REQUEST, (ms / 20) as u16, 98)));
        }
    }
    let sent: BTreeMap<(u8, u16), Instant> =
        sends.iter().map(|(at, _, frame)| ((frame[15], u16::from_be_bytes([frame[18], frame[19]])), *at)).collect();
    let (mut one_way, mut calls, mut samples) = (TimeStatistics::default(), 0u64, BTreeMap::new());
    let mut round_trips = TimeStatistics::default();
    let mut sends = sends.into_iter().peekable();
    let mut arrived = Arrived::default();
    loop {
        let next = [sends.peek().map(|(at, ..)| *at), engine.next_deadline()].into_iter().flatten().min();
        // what a switch forgets is due much later
        let Some(now) = next.filter(|now| *now < Instant::ZERO + Duration::from_secs(10)) else { break };
        while let Some((_, from, frame)) = sends.next_if(|(at, ..)| *at <= now) {
            let stored = engine.pool().store(&frame).unwrap();
            engine.inject(now, ports[from], stored);
        }
        engine.advance(now, &mut arrived);
        for (port, what, number, at) in arrived.0.drain(..).collect::<Vec<_>>() {
            match what {
                REQUEST => {
                    let stored = engine.pool().store(&frame(1, REPLY, number, 98)).unwrap();
                    engine.inject(at, ports[1], stored);
                }
                REPLY => {
                    let took = at - sent[&(REQUEST, number)];
                    round_trips.record(took, 1);
                    samples.insert(number, took.as_nanos());
                }
                _ => {
                    assert_eq!(port, ports[1]);
                    one_way.record(at - sent[&(CALL, number)], 1);
                    calls += 1;
                }
            }
        }
    }
    report(
        seed,
        &engine,
        resolved,
        [(&one_way, END_MS / 2 - calls), (&round_trips, END_MS / 20 - samples.len() as u64)],
    )
}

fn report(seed: u64, engine: &Engine, resolved: &Resolved, [call, rtt]: [(&TimeStatistics, u64); 2]) -> Report {
    let mut report: Value = serde_json::from_str(SKELETON).unwrap();
    let directions = engine.directions().map(|direction| {
        let (link, way) = (&resolved.plan.links[direction.0 as usize / 2], direction.0 as usize % 2);
        let ends = link.ends.map(|end| resolved.plan.nodes[end].name.clone());
        let names = [link.name.clone(), ends[way].clone(), ends[1 - way].clone()];
        let counted = engine.counters(direction);
        let made = Direction::new(names, counted, engine.inside(direction), engine.spec(direction));
        let mut made = serde_json::to_value(made).unwrap();
        // nothing of what was asked may help
        (made["requested"], made["parameters"]) = (Value::Null, Value::Null);
        made
    });
    report["directions"] = directions.collect();
    report["seed"] = seed.into();
    for list in ["nodes", "ports", "expectations", "events", "not_reached"] {
        report[list] = json!([]);
    }
    (report["services"], report["runs"], report["series"], report["params"]) =
        (json!({}), json!({}), Value::Null, json!({}));
    report["verdict"] = "none".into();
    let work = |kind: &str, measured: Value| {
        let mut work =
            json!({ "kind": kind, "place": "a → b", "ok": true, "started_ns": 0, "ended_ns": END_MS * 1_000_000 });
        work.as_object_mut().unwrap().extend(measured.as_object().unwrap().clone());
        work
    };
    let (sent, requests) = (END_MS / 2, END_MS / 20);
    report["workloads"] = json!({
        "call": work("udp", json!({
            "sender": { "sent": sent },
            "receiver": { "unique": sent - call.1, "lost": call.1, "delay_ns": Times::of(call.0) },
        })),
        "rtt": work("ping", json!({
            "sent": requests, "received": requests - rtt.1, "lost": rtt.1, "rtt_ns": Times::of(rtt.0), "began_ns": 0,
        })),
    });
    serde_json::from_value(report).unwrap()
}

fn group(resolved: &Resolved, first_seed: u64) -> Group {
    let seeds = first_seed..first_seed + 5;
    Group {
        files: seeds.clone().map(|seed| format!("{seed}.json")).collect(),
        reports: seeds.map(|seed| run(resolved, seed)).collect(),
    }
}

fn found(comparison: &Comparison) -> Vec<&str> {
    comparison.measurements.iter().filter(|one| one.beyond_chance).map(|one| one.name.as_str()).collect()
}

#[test]
fn five_seeds_a_side_find_two_points_of_loss_and_hardly_ever_anything_else() {
    let (one, three) = (scenario("1%"), scenario("3%"));
    let (mut alarms, mut hits, mut tested) = (Vec::new(), 0, 0);
    for round in 0..20 {
        let seed = 1 + round * 15;
        let [a, b, c] = [(&one, seed), (&one, seed + 5), (&three, seed + 10)].map(|(plan, seed)| group(plan, seed));
        let equal = compare(&a, &b, LEVEL).unwrap();
        let worse = compare(&a, &c, LEVEL).unwrap();
        assert!(equal.plans.is_empty() && worse.plans.is_empty(), "nothing of what was asked is known");
        if equal.differs {
            alarms.push((round, found(&equal).join(", ")));
        }
        hits += usize::from(found(&worse).contains(&"wifi.toward.s.loss"));
        tested += equal.measurements.iter().filter(|one| one.untested.is_none()).count();
    }
    // losses and four numbers of the delays of four directions and two workloads, at least
    assert!(tested >= 20 * 20, "{tested}");
    assert!(alarms.len() <= 1, "equal plans: {alarms:?}");
    assert!(hits >= 19, "two points more loss: found in {hits} of 20");
}
