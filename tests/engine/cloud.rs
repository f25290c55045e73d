//! A cloud in virtual time: what each pair of regions meets, that every frame ends once, and that nothing goes round.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::path::Path;

use longwire::engine::{DirectionId, Engine, Fate, FateKind, FrameSink, LinkId, NodeId, NodeKind};
use longwire::frame::FrameView;
use longwire::language::files::{FileKind, Files, MemoryFiles};
use longwire::scenario::{Overrides, load};
use longwire::tasks::resolved::Resolved;
use longwire::units::{Duration, Instant};

/// Delivered frames: at which port, when, and the number in their payload.
#[derive(Default)]
struct Seen {
    delivered: Vec<(u32, Instant, u8)>,
    dropped: usize,
}

impl FrameSink for Seen {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant) {
        self.delivered.push((port.0, at, frame.head[14]));
    }
    fn fate(&mut self, fate: Fate<'_>) {
        self.dropped += usize::from(matches!(fate.kind, FateKind::Dropped(_)));
    }
}

struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, _: FileKind) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }
}

/// A frame of 60 bytes to a port's address, or to all, with a number.
fn frame(from: u32, to: Option<u32>, number: u8) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    bytes[..6].fill(255);
    if let Some(to) = to {
        bytes[..6].copy_from_slice(&[2, 0, 0, 0, 0, to as u8]);
    }
    bytes[6..12].copy_from_slice(&[2, 0, 0, 0, 0, from as u8]);
    bytes[14] = number;
    bytes
}

fn send(engine: &mut Engine, at: Instant, from: u32, to: Option<u32>, number: u8) {
    let frame = engine.pool().store(&frame(from, to, number)).unwrap();
    engine.inject(at, NodeId(from), frame);
}

fn ports(resolved: &Resolved) -> Vec<u32> {
    let nodes = resolved.plan.nodes.iter().enumerate();
    nodes.filter(|(_, node)| node.kind == NodeKind::Port).map(|(n, _)| n as u32).collect()
}

/// Both conservation equations, with nothing under way.
fn assert_conserved(engine: &Engine) {
    for node in engine.nodes() {
        let c = engine.node_counters(node);
        assert_eq!(
            c.received + c.originated + c.replicated,
            c.sent + c.consumed + c.dropped.frames(),
            "{node:?}: {c:?}"
        );
    }
    for direction in engine.directions() {
        let c = engine.counters(direction);
        assert_eq!(engine.inside(direction), 0);
        assert_eq!(
            c.offered.frames + c.originated + c.duplicated,
            c.delivered.frames + c.dropped.frames(),
            "{direction:?}: {c:?}"
        );
    }
}

/// Every ordered pair of ports, each frame at its own time: how long it took.
fn delays(resolved: &Resolved) -> Vec<(u32, u32, Duration)> {
    let ports = ports(resolved);
    let mut engine = Engine::new(&resolved.plan);
    let mut seen = Seen::default();
    let mut at = Instant::ZERO;
    // all addresses become known
    for from in &ports {
        send(&mut engine, at, *from, None, 0);
        at += Duration::from_secs(1);
        engine.advance(at, &mut seen);
    }
    assert_eq!(seen.delivered.len(), ports.len() * (ports.len() - 1), "a broadcast reaches every other port once");
    let mut found = Vec::new();
    for from in &ports {
        for to in ports.iter().filter(|to| *to != from) {
            seen.delivered.clear();
            send(&mut engine, at, *from, Some(*to), 1);
            let sent = at;
            at += Duration::from_secs(1);
            engine.advance(at, &mut seen);
            let [(port, arrived, 1)] = seen.delivered[..] else { panic!("{from} → {to}: {:?}", seen.delivered) };
            assert_eq!(port, *to);
            found.push((*from, *to, arrived - sent));
        }
    }
    assert_eq!(seen.dropped, 0);
    assert_conserved(&engine);
    found
}

fn read(cloud: &str, links: &str, hosts: usize) -> Resolved {
    let hosts: String = (0..hosts).map(|n| format!("  h{n}: host\n")).collect();
    let text = format!("longwire: 1\nnodes:\n{hosts}  net: {{ cloud: {{ {cloud} }} }}\nlinks:\n{links}");
    let resolved = load(Path::new("t.yaml"), &MemoryFiles::one("t.yaml", &text), &Overrides::default());
    resolved.unwrap_or_else(|(told, _)| panic!("{:#?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

#[test]
fn each_pair_meets_the_delay_of_the_matrix() {
    let resolved = read(
        "regions: [a, b, c], delay: { a: { b: 10ms, c: 20ms }, b: { a: 11ms, c: 40ms } }",
        "  l0: { ends: [h0, net.a], delay: 1ms }\n  l1: { ends: [net.b, h1] }\n  l2: { ends: [h2, net.c], delay: 2ms }\n  \
         l3: { ends: [h3, net.a], delay: 3ms }\n",
        4,
    );
    let access = [1, 0, 2, 3];
    let region = [0, 1, 2, 0];
    let matrix = [[0, 10, 20], [11, 0, 40], [20, 40, 0]];
    for (from, to, delay) in delays(&resolved) {
        let (f, t) = (from as usize, to as usize);
        let expected = access[f] + matrix[region[f]][region[t]] + access[t];
        assert_eq!(delay, Duration::from_millis(expected), "{from} → {to}");
    }
}

#[test]
fn twelve_regions_are_a_full_mesh_without_a_loop() {
    let regions: Vec<String> = (0..12).map(|n| format!("r{n}")).collect();
    let rows: Vec<String> = (0..12)
        .map(|a| {
            let cells: Vec<String> =
                (0..12).filter(|b| *b != a).map(|b| format!("r{b}: {}ms", a * 12 + b + 1)).collect();
            format!("r{a}: {{ {} }}", cells.join(", "))
        })
        .collect();
    let links: String = (0..12).map(|n| format!("  l{n}: {{ ends: [h{n}, net.r{n}] }}\n")).collect();
    let cloud = format!("regions: [{}], delay: {{ {} }}", regions.join(", "), rows.join(", "));
    let resolved = read(&cloud, &links, 12);
    assert_eq!(resolved.plan.links.len(), 12 + 66);
    for (from, to, delay) in delays(&resolved) {
        assert_eq!(delay, Duration::from_millis(u64::from(from * 12 + to + 1)), "{from} → {to}");
    }
}

#[test]
fn what_is_lost_between_two_regions_is_lost_there_alone() {
    let links = "  l0: { ends: [h0, net.a] }\n  l1: { ends: [h1, net.b] }\n  l2: { ends: [h2, net.c] }\n";
    let cloud = "regions: [a, b, c], delay: 5ms, loss: { a: { b: 100% }, b: { a: none } }";
    let resolved = read(cloud, links, 3);
    let mut engine = Engine::new(&resolved.plan);
    let mut seen = Seen::default();
    for n in 0..100u8 {
        send(&mut engine, Instant::from_nanos(u64::from(n) * 1_000_000), 0, None, n);
        send(&mut engine, Instant::from_nanos(u64::from(n) * 1_000_000), 1, Some(0), n);
    }
    engine.advance(Instant::ZERO + Duration::from_secs(9), &mut seen);
    let at = |port: u32| seen.delivered.iter().filter(|(p, ..)| *p == port).count();
    assert_eq!([at(0), at(1), at(2)], [100, 0, 100], "what goes to a known address floods nowhere");
    let path = resolved.plan.links.iter().position(|link| link.name == "net-a-b").unwrap();
    let [forward, backward] = LinkId(path as u32).directions().map(|d: DirectionId| engine.counters(d));
    assert_eq!((forward.dropped.frames(), backward.dropped.frames()), (100, 0));
    assert_conserved(&engine);
}

#[test]
fn the_scenario_of_regions_has_the_delays_of_its_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/regions.yaml");
    let mut resolved = load(&path, &Disk, &Overrides::default()).map_err(|_| "it has mistakes").unwrap();
    for direction in resolved.plan.links.iter_mut().flat_map(|link| &mut link.directions) {
        direction.delay.jitter = Duration::ZERO;
        direction.loss = Default::default();
    }
    let table = [[0, 44, 112, 98], [44, 0, 76, 57], [112, 76, 0, 128], [98, 57, 135, 0]];
    for (from, to, delay) in delays(&resolved) {
        let expected = Duration::from_millis(table[from as usize][to as usize] + 2);
        // and two times 74 bytes or fewer at 200 Mbit/s or more
        assert!((expected..expected + Duration::from_micros(6)).contains(&delay), "{from} → {to}: {delay}");
    }
}
