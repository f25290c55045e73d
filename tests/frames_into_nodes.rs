//! Random bytes and mutated real frames into every kind of node: none panics, all are counted, nothing grows.
//!
//! `LONGWIRE_FRAMES=10000000` sends ten million into each; the default takes seconds.
#![expect(unsafe_code, reason = "a global allocator is made of unsafe functions")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use longwire::engine::{DirectionSpec, Engine, FrameSink, LinkPlan, NodeId, NodeKind, NodePlan, Plan};
use longwire::frame::{Cut, FrameView};
use longwire::model::DelaySpec;
use longwire::node::{EdgePlan, PortVlans, RouterInterface, RouterPlan, SwitchSpec, VlanId, VlanSet};
use longwire::scenario::{MemoryFiles, Overrides, load};
use longwire::units::{Duration, Instant};
use longwire::wire::arp::{self, Party};
use longwire::wire::ethernet::MacAddr;
use longwire::wire::icmp_error::{V4, V6};
use longwire::wire::{icmp, ipv4, nd};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

thread_local! {
    /// Bytes that this thread has allocated and not freed.
    static IN_USE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; counting changes nothing about it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.set(IN_USE.get() + layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.set(IN_USE.get() - layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Ports around the node.
const PORTS: u8 = 3;

#[derive(Default)]
struct Nowhere(u64);

impl FrameSink for Nowhere {
    fn deliver(&mut self, _: NodeId, frame: FrameView<'_>, _: Instant) {
        self.0 += u64::from(frame.count);
    }
}

fn node_mac(port: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 1, port])
}

fn host_mac(port: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 2, port])
}

fn router() -> RouterPlan {
    let interfaces = (0..PORTS).map(|port| RouterInterface {
        name: format!("eth{port}"),
        mac: node_mac(port),
        addresses: vec![
            format!("10.0.{port}.1/24").parse().unwrap(),
            format!("fd00:0:0:{port}::1/64").parse().unwrap(),
        ],
        neighbours: vec![(format!("10.0.{port}.2").parse().unwrap(), host_mac(port))],
    });
    RouterPlan { interfaces: interfaces.collect(), ..RouterPlan::default() }
}

/// The same router with address translation and a firewall.
fn guarded_router() -> RouterPlan {
    let text = "\
longwire: 1
nodes:
  a: host
  b: host
  c: host
  r:
    router:
      nat: eth2
      firewall: { default: drop, rules: [{ reject: { tcp: 443 } }, { allow: { in: eth0 } }, { allow: { protocol: icmp } }] }
links: { la: { ends: [a, r] }, lb: { ends: [b, r] }, lc: { ends: [c, r] } }
";
    let resolved = load("t.yaml".as_ref(), &MemoryFiles::one("t.yaml", text), &Overrides::default())
        .unwrap_or_else(|(told, _)| panic!("{:#?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()));
    let plan = resolved.plan.nodes.iter().find_map(NodePlan::router).expect("a router").clone();
    assert!(plan.nat.is_some() && plan.firewall.is_some());
    RouterPlan { interfaces: router().interfaces, ..plan }
}

/// The node in the middle, a port at each of its links. One link is small, so that routers refuse and fragment.
fn plan(kind: NodeKind) -> Plan {
    let mut nodes: Vec<NodePlan> =
        (0..PORTS).map(|n| NodePlan { name: format!("p{n}"), kind: NodeKind::Port }).collect();
    nodes.push(NodePlan { name: "middle".into(), kind });
    let links = (0..PORTS).map(|n| {
        let delay = DelaySpec::constant(Duration::from_micros(10));
        let direction = DirectionSpec { delay, mtu: (n == 1).then_some(600), ..DirectionSpec::default() };
        let outward = DirectionSpec { mtu: None, ..direction.clone() };
        LinkPlan { name: format!("l{n}"), ends: [n.into(), PORTS.into()], directions: [outward, direction] }
    });
    Plan { seed: 1, coalesce: Duration::ZERO, convergence: Duration::ZERO, nodes, links: links.collect() }
}

/// Frames as hosts send them to their router, from port 0 to port 1 and to the router itself.
fn real_frames() -> Vec<Vec<u8>> {
    let frame =
        |to: MacAddr, ethertype: [u8; 2], packet: &[u8]| [&to.0[..], &host_mac(0).0, &ethertype, packet].concat();
    let v4 = |dst: [u8; 4], protocol, payload: &[u8]| {
        let mut packet = Vec::new();
        let header = V4 { src: [10, 0, 0, 2].into(), dst: dst.into(), tos: 0, id: 7, protocol };
        header.write(&mut packet, payload.len()).unwrap();
        packet.extend(payload);
        frame(node_mac(0), [8, 0], &packet)
    };
    let v6 = |dst: &str, hop_limit, protocol, payload: &[u8]| {
        let mut packet = Vec::new();
        let (src, dst) = ("fd00::2".parse().unwrap(), dst.parse().unwrap());
        V6 { src, dst, hop_limit, traffic_class: 0, protocol }.write(&mut packet, payload.len()).unwrap();
        packet.extend(payload);
        if protocol == 58 {
            icmp::Packet::new_checked(&mut packet[40..]).unwrap().fill_checksum_v6(src, dst);
        }
        frame(node_mac(0), [0x86, 0xdd], &packet)
    };
    let udp =
        |len: usize| [&[0x0f, 0xa0, 0, 53][..], &((8 + len) as u16).to_be_bytes(), &[0, 0], &vec![7; len]].concat();
    let tcp =
        [&[0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x60, 2, 0xfa, 0xf0, 0, 0, 0, 0, 2, 4, 5, 0xb4][..]].concat();
    let mut echo = vec![8, 0, 0, 0, 0, 1, 0, 1, 9, 9];
    icmp::Packet::new_checked(&mut echo[..]).unwrap().fill_checksum_v4();
    let asks = |target: [u8; 4]| {
        let sender = Party { mac: host_mac(0), ip: [10, 0, 0, 2].into() };
        arp::packet(arp::REQUEST, sender, Party { mac: MacAddr::ZERO, ip: target.into() })
    };
    let solicitation = nd::solicitation("fd00::1".parse().unwrap(), host_mac(0));
    vec![
        frame(MacAddr::BROADCAST, [8, 6], &asks([10, 0, 0, 1])),
        frame(MacAddr::BROADCAST, [8, 6], &asks([10, 0, 0, 9])),
        v4([10, 0, 1, 2], 17, &udp(900)),
        v4([10, 0, 2, 99], 17, &udp(30)),
        v4([10, 0, 1, 2], 6, &tcp),
        v4([10, 0, 0, 1], 1, &echo),
        v4([10, 0, 0, 1], 17, &udp(4)),
        v4([10, 0, 0, 255], 17, &udp(4)),
        v4([224, 0, 0, 22], 2, &[0x22; 8]),
        v6("fd00::1", 255, 58, &solicitation),
        v6("ff02::1:ff00:1", 255, 58, &solicitation),
        v6("fd00::1", 64, 58, &[128, 0, 0, 0, 0, 1, 0, 1]),
        v6("fd00:0:0:1::2", 64, 17, &udp(900)),
        v6("fd00:0:0:2::99", 1, 17, &udp(30)),
        v6("fd00::1", 64, 43, &[17, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 8, 0, 0]),
        v6("fd00::1", 64, 0, &[60, 0, 1, 4, 0, 0, 0, 0, 132, 0, 1, 4, 0, 0, 0, 0]),
        frame(node_mac(0), [0x81, 0], &[0, 7, 8, 0]),
        frame(MacAddr([1, 0x80, 0xc2, 0, 0, 0]), [0, 38], &[0x42, 0x42, 3]),
    ]
}

/// Random bytes, or a real frame with some of it changed; half of those with its IPv4 checksum right again, so that they come further.
fn noise(random: &mut SmallRng, real: &[Vec<u8>], out: &mut Vec<u8>) {
    out.clear();
    if random.random_ratio(1, 8) {
        out.resize(random.random_range(0..1600), 0);
        random.fill_bytes(out);
        return;
    }
    out.extend(&real[random.random_range(0..real.len())]);
    for _ in 0..random.random_range(0..5) {
        // headers more often than payload
        let end = if random.random_ratio(3, 4) { out.len().min(70) } else { out.len() };
        let at = random.random_range(0..end);
        out[at] = if random.random() { random.random() } else { out[at] ^ 1 << random.random_range(0..8) };
    }
    match random.random_range(0..10) {
        0 => out.truncate(random.random_range(0..=out.len())),
        1 => out.resize(out.len() + random.random_range(0..200), 0xee),
        _ => {}
    }
    if random.random()
        && let Some(Ok(mut ip)) = out.get_mut(14..).map(ipv4::Packet::new_checked)
    {
        ip.fill_checksum();
    }
}

fn assert_conserved(engine: &Engine) {
    for id in engine.directions() {
        let c = engine.counters(id);
        let out = c.delivered.frames + c.dropped.frames() + engine.inside(id);
        assert_eq!(c.offered.frames + c.duplicated, out, "direction {id:?}");
    }
    for id in engine.nodes() {
        let c = engine.node_counters(id);
        let out = c.sent + c.consumed + c.dropped.frames() + engine.held(id);
        assert_eq!(c.received + c.originated + c.replicated, out, "node {id:?}");
    }
}

/// Sends `frames` into the node; what is then in use, and what was delivered, received and answered.
fn flood(kind: NodeKind, frames: u64) {
    let mut engine = Engine::new(&plan(kind));
    let (mut random, real) = (SmallRng::seed_from_u64(7), real_frames());
    let (mut bytes, mut sink, mut now) = (Vec::new(), Nowhere::default(), Instant::ZERO);
    let middle = NodeId(PORTS.into());
    let mut half = 0;
    for n in 0..frames {
        if n == frames / 2 {
            half = IN_USE.get();
        }
        noise(&mut random, &real, &mut bytes);
        // some as trains, whatever their headers say
        let frame = if bytes.len() > 60 && random.random_ratio(1, 16) {
            let cut = Cut { header: random.random_range(0..60), segment: random.random_range(1..200) };
            engine.pool().store_train(&bytes, cut).unwrap()
        } else {
            engine.pool().store(&bytes).unwrap()
        };
        engine.inject(now, NodeId(u32::from(random.random_range(0..PORTS))), frame);
        now += Duration::from_micros(random.random_range(0..400));
        engine.advance(now, &mut sink);
        if n % 1000 == 0 {
            assert_conserved(&engine);
        }
    }
    // whatever still waits is given up
    engine.advance(now + Duration::from_secs(100), &mut sink);
    assert_conserved(&engine);
    assert_eq!((engine.pool().live(), engine.held(middle)), (0, 0), "every frame left by a door");
    let counters = engine.node_counters(middle);
    assert!(counters.received > frames / 2 && sink.0 > frames / 100, "{counters:?}, {} delivered", sink.0);
    let growth = IN_USE.get() - half;
    assert!(growth < 1 << 20, "{growth} bytes more than at half the way");
}

fn frames() -> u64 {
    std::env::var("LONGWIRE_FRAMES").map_or(300_000, |text| text.parse().expect("LONGWIRE_FRAMES is a number"))
}

#[test]
fn a_switch_survives_any_frames() {
    flood(NodeKind::Switch(SwitchSpec::default()), frames());
}

#[test]
fn a_hub_survives_any_frames() {
    flood(NodeKind::Hub, frames());
}

#[test]
fn a_router_survives_any_frames() {
    flood(NodeKind::Router(router()), frames());
}

#[test]
fn a_switch_with_vlans_survives_any_frames() {
    let access = |id| PortVlans::Access(VlanId::new(id).unwrap());
    let trunk = PortVlans::Trunk { allowed: VlanSet::All, native: VlanId::new(7) };
    let spec = SwitchSpec { vlans: Some(vec![access(7), access(7), trunk]), ..SwitchSpec::default() };
    flood(NodeKind::Switch(spec), frames());
}

#[test]
fn a_region_of_a_cloud_survives_any_frames() {
    flood(NodeKind::Edge(EdgePlan { attachments: 2, cloud: 0 }), frames());
}

#[test]
fn a_router_with_translation_and_a_firewall_survives_any_frames() {
    flood(NodeKind::Router(guarded_router()), frames());
}
