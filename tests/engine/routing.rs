//! Routes through whole networks, from a scenario to frames: which way they take, what a link that goes down costs, and that
//! none goes in a circle, whatever goes down and comes up meanwhile.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::net::IpAddr;
use std::path::Path;

use longwire::engine::{Command, Engine, Fate, FateKind, FrameSink, LinkId, NodeId, Place};
use longwire::frame::{DropCause, FrameView};
use longwire::language::files::MemoryFiles;
use longwire::node::routing::Hop;
use longwire::scenario::{Overrides, load};
use longwire::tasks::resolved::Resolved;
use longwire::units::Instant;
use proptest::prelude::*;

const MS: u64 = 1_000_000;

fn scenario(text: &str) -> Resolved {
    let files = MemoryFiles::one("test.yaml", text);
    load(Path::new("test.yaml"), &files, &Overrides::default())
        .unwrap_or_else(|(told, _)| panic!("{:#?}\n{text}", told.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// Frames that came out at ports, with when; and what was dropped, where.
#[derive(Default)]
struct Out {
    delivered: Vec<(u32, u64)>,
    dropped: Vec<(Place, DropCause)>,
}

impl FrameSink for Out {
    fn deliver(&mut self, port: NodeId, _: FrameView<'_>, at: Instant) {
        self.delivered.push((port.0, at.as_nanos()));
    }
    fn fate(&mut self, fate: Fate<'_>) {
        if let FateKind::Dropped(cause) = fate.kind {
            self.dropped.extend((0..fate.frames).map(|_| (fate.place, cause)));
        }
    }
}

/// A network at work, and what it was made of.
struct Lab {
    resolved: Resolved,
    engine: Engine,
    out: Out,
}

impl Lab {
    fn new(text: &str) -> Lab {
        let resolved = scenario(text);
        let engine = Engine::new(&resolved.plan);
        Lab { resolved, engine, out: Out::default() }
    }

    fn node(&self, name: &str) -> NodeId {
        NodeId(self.resolved.plan.nodes.iter().position(|node| node.name == name).expect(name) as u32)
    }

    fn link(&self, name: &str) -> LinkId {
        LinkId(self.resolved.plan.links.iter().position(|link| link.name == name).expect(name) as u32)
    }

    fn host(&self, name: &str) -> &longwire::addressing::network::InterfacePlan {
        &self.resolved.network.hosts.iter().find(|host| host.name == name).expect(name).interfaces[0]
    }

    /// A UDP datagram as the kernel of `from` sends it: to its gateway's MAC address.
    fn send(&mut self, at: u64, from: &str, to: &str) {
        let (own, other) = (self.host(from), self.host(to));
        let gateway = own.gateways.iter().find(|via| via.is_ipv4()).expect("a gateway");
        let (_, mac) = own.neighbours.iter().find(|(address, _)| address == gateway).expect("it is a neighbour");
        let v4 = |addresses: &[ipnet::IpNet]| match addresses[0].addr() {
            IpAddr::V4(address) => address.octets(),
            IpAddr::V6(address) => panic!("{address}"),
        };
        let mut frame = [&mac[..], &own.mac, &[0x08, 0x00]].concat();
        let mut header = vec![0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 17, 0, 0];
        header.extend(v4(&own.addresses));
        header.extend(v4(&other.addresses));
        let mut sum: u32 = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        header[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        frame.extend(header);
        frame.extend([0x13, 0x88, 0x13, 0x88, 0, 12, 0, 0, 1, 2, 3, 4]);
        let port = self.node(&format!("{from}.{}", self.host(from).name));
        let frame = self.engine.pool().store(&frame).unwrap();
        self.engine.inject(Instant::from_nanos(at), port, frame);
    }

    fn apply(&mut self, at: u64, command: Command) {
        self.engine.apply(Instant::from_nanos(at), command).expect("such a link");
    }

    /// To the end of everything.
    fn run(&mut self) {
        self.engine.advance(Instant::from_nanos(u64::MAX - 1), &mut self.out);
        assert_eq!(self.engine.pool().live(), 0, "every frame left by a door");
    }

    fn dropped(&self, link: LinkId, cause: DropCause) -> usize {
        let ours = |place: &Place| matches!(place, Place::Direction(direction) if direction.link() == link);
        self.out.dropped.iter().filter(|(place, why)| ours(place) && *why == cause).count()
    }
}

/// A short way and a long one between two hosts.
const TWO_WAYS: &str = "\
longwire: 1
convergence: 500ms
nodes: { a: host, west: router, south: router, east: router, b: host }
links:
  office-a: { ends: [a, west] }
  short:    { ends: [west, east], delay: 5ms }
  long-1:   { ends: [west, south], delay: 10ms }
  long-2:   { ends: [south, east], delay: 10ms }
  office-b: { ends: [east, b] }
";

#[test]
fn traffic_moves_to_the_long_way_when_the_network_has_converged() {
    let mut lab = Lab::new(TWO_WAYS);
    let (short, b) = (lab.link("short"), lab.node("b.eth0").0);
    // every 10 ms; the link is down from 1 s to 2 s
    let sent: Vec<u64> = (0..300).map(|n| n * 10 * MS).collect();
    for at in &sent {
        lab.send(*at, "a", "b");
        match at / MS {
            1000 => lab.apply(at + 1, Command::Down(short)),
            2000 => lab.apply(at + 1, Command::Up(short)),
            _ => {}
        }
    }
    lab.run();
    // known half a second later: at that very nanosecond, not before it
    let way = |at: u64| match at / MS {
        0..=1000 => Some(5),
        1001..=1500 => None,
        1501..=2500 => Some(20),
        _ => Some(5),
    };
    let mut expected: Vec<_> = sent.iter().filter_map(|at| Some((b, at + way(*at)? * MS))).collect();
    expected.sort_by_key(|(_, at)| *at);
    assert_eq!(lab.out.delivered, expected);
    let lost = sent.iter().filter(|at| way(**at).is_none()).count();
    assert_eq!((lab.out.dropped.len(), lab.dropped(short, DropCause::LinkDown)), (lost, lost));
}

#[test]
fn a_frame_meets_the_old_routes_up_to_the_instant_and_the_new_ones_behind_it() {
    let at = 1500 * MS;
    for (sent, way) in [(at - 1, None), (at, None), (at + 1, Some(20))] {
        let mut lab = Lab::new(TWO_WAYS);
        let short = lab.link("short");
        lab.apply(1000 * MS + 1, Command::Down(short));
        lab.send(sent, "a", "b");
        lab.run();
        let arrived: Vec<_> = lab.out.delivered.iter().map(|(_, at)| at - sent).collect();
        assert_eq!(arrived, way.map(|ms| ms * MS).into_iter().collect::<Vec<_>>(), "sent at {sent}");
    }
}

#[test]
fn without_any_way_routers_say_so() {
    let mut lab = Lab::new(TWO_WAYS);
    for link in ["short", "long-2"] {
        let link = lab.link(link);
        lab.apply(0, Command::Down(link));
    }
    lab.send(1000 * MS, "a", "b");
    lab.run();
    let west = Place::Node(lab.node("west"));
    assert_eq!(lab.out.dropped, [(west, DropCause::NoRoute)]);
    // the ICMP error comes back to the sender at once
    assert_eq!(lab.out.delivered, [(lab.node("a.eth0").0, 1000 * MS)]);
}

#[test]
fn a_changed_delay_leaves_routes_as_they_are() {
    let mut lab = Lab::new(TWO_WAYS);
    let delay = longwire::model::DelaySpec { mean: longwire::units::Duration::from_millis(90), ..Default::default() };
    for direction in lab.link("short").directions() {
        let change = longwire::engine::Change { delay: Some(delay.clone()), ..Default::default() };
        lab.apply(0, Command::Set(direction, change));
    }
    lab.send(2000 * MS, "a", "b");
    lab.run();
    assert_eq!(lab.out.delivered, [(lab.node("b.eth0").0, 2090 * MS)]);
}

/// A ring of routers with chords, and two hosts at opposite sides.
fn ring(routers: usize, chords: &[(usize, usize, u64)], convergence: u64) -> String {
    let mut text = format!("longwire: 1\nconvergence: {convergence}ms\nnodes:\n  a: host\n  b: host\n");
    (0..routers).for_each(|n| text += &format!("  r{n}: router\n"));
    text += &format!("links:\n  a-r0: {{ ends: [a, r0] }}\n  b-r: {{ ends: [b, r{}] }}\n", routers / 2);
    for n in 0..routers {
        text += &format!("  ring{n}: {{ ends: [r{n}, r{}], delay: {}ms }}\n", (n + 1) % routers, n % 3 + 1);
    }
    for (at, (from, to, delay)) in chords.iter().enumerate().filter(|(_, (from, to, _))| from % routers != to % routers)
    {
        text += &format!("  chord{at}: {{ ends: [r{}, r{}], delay: {delay}ms }}\n", from % routers, to % routers);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Packets under way while routes change end as all others do: where they should, or at a link that is down, or at a
    /// router without a route. None goes in a circle until its TTL ends it.
    #[test]
    fn nothing_goes_in_a_circle_while_links_go_down_and_come_up(
        routers in 3usize..9,
        chords in prop::collection::vec((0usize..9, 0usize..9, 0u64..4), 0..6),
        changes in prop::collection::vec((0u64..100, any::<prop::sample::Index>(), any::<bool>()), 1..12),
        convergence in 0u64..20,
    ) {
        let mut lab = Lab::new(&ring(routers, &chords, convergence));
        let links = lab.resolved.plan.links.len() as u32;
        let mut inputs: Vec<(u64, Option<Command>)> = (0..200).map(|n| (n * MS / 2, None)).collect();
        for (at, link, up) in &changes {
            // the hosts' own links stay up
            let link = LinkId(link.index(links as usize - 2) as u32 + 2);
            inputs.push((at * MS + 1, Some(if *up { Command::Up(link) } else { Command::Down(link) })));
        }
        inputs.sort_by_key(|(at, _)| *at);
        for (at, command) in inputs {
            match command {
                Some(command) => lab.apply(at, command),
                None => {
                    lab.send(at, "a", "b");
                    lab.send(at, "b", "a");
                }
            }
        }
        lab.run();
        let allowed = [DropCause::LinkDown, DropCause::NoRoute];
        prop_assert!(lab.out.dropped.iter().all(|(_, cause)| allowed.contains(cause)), "{:?}", lab.out.dropped);
        prop_assert!(lab.out.delivered.len() + lab.out.dropped.len() >= 400);
    }
}

/// A thousand routers in a ring, and four thousand chords: what is stored grows with what is asked, and every router finds every
/// segment.
#[test]
fn a_thousand_routers_and_five_thousand_links() {
    const ROUTERS: usize = 1000;
    let chords: Vec<_> =
        (0..4000).map(|n| (n % ROUTERS, (n * 7 + n / ROUTERS * 131 + 3) % ROUTERS, n as u64 % 20)).collect();
    let text = ring(ROUTERS, &chords, 1000);
    let resolved = scenario(&text);
    let mut routes = longwire::engine::routes(&resolved.plan);
    assert!(resolved.plan.links.len() > 4900);
    let routers: Vec<u32> = (0..resolved.plan.nodes.len() as u32)
        .filter(|node| resolved.plan.nodes[*node as usize].router().is_some())
        .collect();
    let b = resolved.network.hosts[1].interfaces[0].addresses.iter().map(ipnet::IpNet::addr);
    for (address, from) in b.flat_map(|address| routers.iter().map(move |router| (address, *router))) {
        let hop: Option<(u8, Hop)> = routes.lookup(from, address);
        assert!(hop.is_some(), "router {from} knows no way to {address}");
    }
}
