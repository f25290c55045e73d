//! A fat tree of 80 nodes and 128 hosts in virtual time: every host reaches every other.

use std::path::Path;

use longwire::engine::{Engine, FrameSink, NodeId};
use longwire::frame::FrameView;
use longwire::language::files::MemoryFiles;
use longwire::scenario::{Overrides, load};
use longwire::tasks::resolved::Resolved;
use longwire::units::Instant;
use longwire::wire::icmp_error::V4;

/// Counts what each host gets.
struct Arrived(Vec<u32>);

impl FrameSink for Arrived {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, _: Instant) {
        self.0[port.0 as usize] += u32::from(frame.count);
    }
}

fn fat_tree(nodes: &str) -> Resolved {
    let text =
        format!("longwire: 1\nlinks:\n  dc: {{ fat_tree: {{ k: 8, nodes: {nodes} }}, delay: 50us, rate: 10Gbit }}\n");
    let resolved = load(Path::new("t.yaml"), &MemoryFiles::one("t.yaml", &text), &Overrides::default());
    resolved.unwrap_or_else(|(told, _)| panic!("{:#?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// A datagram of one host to another, with the MAC address that its kernel would give it.
fn datagram(resolved: &Resolved, from: usize, to: usize) -> Vec<u8> {
    let interface = &resolved.network.hosts[from].interfaces[0];
    let v4 = |host: usize| {
        let addresses = &resolved.network.hosts[host].interfaces[0].addresses;
        addresses.iter().find(|net| net.addr().is_ipv4()).copied().expect("an IPv4 address")
    };
    let (own, there) = (v4(from), v4(to).addr());
    let gateway = || interface.gateways.iter().copied().find(|gateway| gateway.is_ipv4()).expect("a gateway");
    let next = if own.contains(&there) { there } else { gateway() };
    let (_, mac) = interface.neighbours.iter().find(|(address, _)| *address == next).expect("a neighbour");
    let mut frame = [&mac[..], &interface.mac, &[8, 0]].concat();
    let (std::net::IpAddr::V4(src), std::net::IpAddr::V4(dst)) = (own.addr(), there) else { unreachable!() };
    let payload = [&[0x10, 0, 0x10, 1, 0, 40, 0, 0][..], &[7; 32]].concat();
    V4 { src, dst, tos: 0, id: 1, protocol: 17 }.write(&mut frame, payload.len()).expect("it fits");
    frame.extend(payload);
    frame
}

fn everybody_reaches_everybody(nodes: &str) {
    let resolved = fat_tree(nodes);
    assert_eq!((resolved.plan.nodes.len(), resolved.network.hosts.len()), (80 + 128, 128));
    let mut engine = Engine::new(&resolved.plan);
    let mut arrived = Arrived(vec![0; resolved.plan.nodes.len()]);
    let mut now = Instant::ZERO;
    for from in 0..128 {
        let port = resolved.ports.iter().find(|port| port.host == from).expect("its port").node;
        for to in (0..128).filter(|to| *to != from) {
            let bytes = datagram(&resolved, from, to);
            let frame = engine.pool().store(&bytes).expect("a frame");
            engine.inject(now, NodeId(port as u32), frame);
        }
        now += longwire::units::Duration::from_millis(10);
        engine.advance(now, &mut arrived);
    }
    for port in &resolved.ports {
        // switches flood what they do not know yet, so that there hosts get frames of others too
        let got = arrived.0[port.node];
        assert!(if nodes == "router" { got == 127 } else { got >= 127 }, "{got} frames at host {}", port.host);
    }
    assert_eq!(engine.pool().live(), 0);
    for id in engine.nodes() {
        let c = engine.node_counters(id);
        let out = c.sent + c.consumed + c.dropped.frames() + engine.held(id);
        assert_eq!(c.received + c.originated + c.replicated, out, "node {id:?}");
    }
}

#[test]
fn a_fat_tree_of_routers_joins_all_of_its_hosts() {
    everybody_reaches_everybody("router");
}

#[test]
fn a_fat_tree_of_switches_joins_all_of_its_hosts_along_its_spanning_tree() {
    everybody_reaches_everybody("switch");
}
