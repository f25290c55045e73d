//! A node with ports around it, frames as hosts send them to it, and what must hold whatever they are. The fuzz targets use
//! it, too.
#![allow(unreachable_pub, reason = "public for the fuzz targets, which are a crate")]

#[path = "conservation.rs"]
mod conservation;

pub use conservation::assert_conserved;
use longwire::engine::{DirectionSpec, FrameSink, LinkPlan, NodeId, NodeKind, NodePlan, Plan};
use longwire::frame::FrameView;
use longwire::language::files::MemoryFiles;
use longwire::model::DelaySpec;
use longwire::node::{AdvertPlan, DhcpOptions, DhcpPlan, RouterInterface, RouterPlan};
use longwire::rng::{StreamKey, Way};
use longwire::scenario::{Overrides, load};
use longwire::units::{Duration, Instant};
use longwire::wire::arp::{self, Party};
use longwire::wire::ethernet::MacAddr;
use longwire::wire::icmp_error::{V4, V6};
use longwire::wire::{icmp, nd};

/// Ports around the node.
pub const PORTS: u8 = 3;

/// Counts the wire frames that it takes.
#[derive(Default)]
pub struct Nowhere(pub u64);

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

/// A router with a network of its own at each port.
pub fn router() -> RouterPlan {
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

/// The same router with DHCP at port 0, where another server may be, and with advertisements.
pub fn serving_router() -> RouterPlan {
    let lease = Duration::from_secs(5);
    let options = DhcpOptions { name: None, domain: None, dns: vec![[10, 0, 0, 53].into()], lease, mtu: 1500 };
    let dhcp = DhcpPlan {
        port: 0,
        interface: "eth0".into(),
        server: [10, 0, 0, 1].into(),
        net: "10.0.0.0/29".parse().unwrap(),
        taken: vec![[10, 0, 0, 1].into()],
        reserved: Vec::new(),
        silent: Vec::new(),
        open: Some(options),
        foreign: true,
    };
    let advert = AdvertPlan {
        port: 0,
        prefixes: vec!["fd00::/64".parse().unwrap()],
        mtu: 1500,
        dns: vec!["fd00::53".parse().unwrap()],
        random: StreamKey::new(1, "r.eth0", Way::Forward, "ra"),
    };
    RouterPlan { dhcp: vec![dhcp], advertises: vec![advert], ..router() }
}

/// The same router with address translation and a firewall.
pub fn guarded_router() -> RouterPlan {
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
pub fn plan(kind: NodeKind) -> Plan {
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
pub fn real_frames() -> Vec<Vec<u8>> {
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
    let dhcp = |kind: u8| {
        let mut message = vec![0; 240];
        message[..4].copy_from_slice(&[1, 1, 6, 0]);
        message[28..34].copy_from_slice(&host_mac(0).0);
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        message.extend([53, 1, kind, 50, 4, 10, 0, 0, 2, 54, 4, 10, 0, 0, 1, 255]);
        let header = [&[0, 68, 0, 67][..], &((8 + message.len()) as u16).to_be_bytes(), &[0, 0]].concat();
        let mut all = v4([255; 4], 17, &[header, message].concat());
        all[..6].copy_from_slice(&MacAddr::BROADCAST.0);
        all
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
        v6("ff02::2", 255, 58, &[133, 0, 0, 0, 0, 0, 0, 0]),
        dhcp(1),
        dhcp(3),
        dhcp(4),
        v6("fd00::1", 64, 58, &[128, 0, 0, 0, 0, 1, 0, 1]),
        v6("fd00:0:0:1::2", 64, 17, &udp(900)),
        v6("fd00:0:0:2::99", 1, 17, &udp(30)),
        v6("fd00::1", 64, 43, &[17, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 8, 0, 0]),
        v6("fd00::1", 64, 0, &[60, 0, 1, 4, 0, 0, 0, 0, 132, 0, 1, 4, 0, 0, 0, 0]),
        frame(node_mac(0), [0x81, 0], &[0, 7, 8, 0]),
        frame(MacAddr([1, 0x80, 0xc2, 0, 0, 0]), [0, 38], &[0x42, 0x42, 3]),
    ]
}
