//! Routers in virtual time: five in a row, held to the sums of their links, to path MTUs, and to account for every frame.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::conservation::assert_conserved;
use longwire::engine::{Command, DirectionSpec, Engine, FrameSink, LinkId, LinkPlan, NodeId, NodeKind, NodePlan, Plan};
use longwire::frame::{DropCause, FrameView};
use longwire::model::DelaySpec;
use longwire::node::{RouterInterface, RouterPlan, RouterRoute};
use longwire::units::{Duration, Instant};
use longwire::wire::checksum::{Sum, pseudo_v4, pseudo_v6};
use longwire::wire::ethernet::{EtherType, MacAddr};
use longwire::wire::icmp_error::{V4, V6};

/// Routers in the row.
const ROUTERS: usize = 5;
/// One-way delays of the links, in ms: all sums differ.
const DELAYS: [u64; ROUTERS + 1] = [1, 2, 3, 4, 5, 6];

/// The MAC address of node `n` (0 and 6 are hosts) toward its left or right.
fn mac(n: usize, right: bool) -> MacAddr {
    MacAddr([2, 0, 0, 0, n as u8, right.into()])
}

/// The address of node `n` on link `link`, which it is left or right of.
fn v4(n: usize, link: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, link as u8, if n == link { 1 } else { 2 })
}

fn v6(n: usize, link: usize) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, link as u16, 0, 0, 0, if n == link { 1 } else { 2 })
}

/// Host a, five routers, host b; link `n` joins nodes `n` and `n + 1` and has `mtus[n]`. Where neighbours are not `known`, routers ask.
fn chain(mtus: [Option<u32>; ROUTERS + 1], known: bool) -> Plan {
    let router = |n: usize| {
        let interface = |link: usize, right: bool| {
            let other = if right { n + 1 } else { n - 1 };
            let at = mac(other, !right);
            RouterInterface {
                name: format!("eth{}", u8::from(right)),
                mac: mac(n, right),
                addresses: vec![
                    format!("{}/24", v4(n, link)).parse().unwrap(),
                    format!("{}/64", v6(n, link)).parse().unwrap(),
                ],
                neighbours: if known {
                    vec![(v4(other, link).into(), at), (v6(other, link).into(), at)]
                } else {
                    Vec::new()
                },
            }
        };
        let route = |link: usize| {
            let right = link > n;
            let (other, by) = if right { (n + 1, n) } else { (n - 1, n - 1) };
            let nets: [(&str, IpAddr); 2] =
                [("10.0.L.0/24", v4(other, by).into()), ("fd00:0:0:L::/64", v6(other, by).into())];
            nets.map(|(net, via)| RouterRoute {
                to: net.replace('L', &link.to_string()).parse().unwrap(),
                via: Some(via),
                port: right.into(),
            })
        };
        let far = (0..=ROUTERS).filter(|link| *link != n && *link != n - 1);
        RouterPlan {
            interfaces: vec![interface(n - 1, false), interface(n, true)],
            routes: far.flat_map(route).collect(),
            ..RouterPlan::default()
        }
    };
    let node = |n: usize| match n {
        0 => NodePlan { name: "a".into(), kind: NodeKind::Port },
        n if n > ROUTERS => NodePlan { name: "b".into(), kind: NodeKind::Port },
        n => NodePlan { name: format!("r{n}"), kind: NodeKind::Router(router(n)) },
    };
    let links = (0..=ROUTERS).map(|n| {
        let delay = DelaySpec::constant(Duration::from_millis(DELAYS[n]));
        let direction = DirectionSpec { delay, mtu: mtus[n], ..DirectionSpec::default() };
        LinkPlan { name: format!("l{n}"), ends: [n, n + 1], directions: [direction.clone(), direction] }
    });
    Plan {
        seed: 1,
        coalesce: Duration::ZERO,
        convergence: Duration::ZERO,
        nodes: (0..ROUTERS + 2).map(node).collect(),
        links: links.collect(),
    }
}

/// What hosts got: who, when, and the frame.
#[derive(Default)]
struct Arrivals(Vec<(u32, Instant, Vec<u8>)>);

impl FrameSink for Arrivals {
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant) {
        self.0.push((port.0, at, frame.to_vec()));
    }
}

fn ms(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(ROUTERS as u32 + 1);

/// A datagram from a to `dst`, of `len` bytes of payload.
fn datagram(dst: IpAddr, ttl: u8, len: usize, dont_fragment: bool) -> Vec<u8> {
    let mut frame = [&mac(1, false).0[..], &mac(0, true).0].concat();
    let payload: Vec<u8> = (0..len).map(|i| (i * 7 + i / 256) as u8).collect();
    let length = (8 + len) as u16;
    let mut udp = [&[0x0f, 0xa0, 0x82, 0x9a][..], &length.to_be_bytes(), &[0, 0], &payload].concat();
    let pseudo = match dst {
        IpAddr::V4(dst) => pseudo_v4(v4(0, 0), dst, 17, length.into()),
        IpAddr::V6(dst) => pseudo_v6(v6(0, 0), dst, 17, length.into()),
    };
    let sum = (pseudo + Sum::of(&udp)).checksum();
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    match dst {
        IpAddr::V4(dst) => {
            frame.extend(EtherType::IPV4.0.to_be_bytes());
            V4 { src: v4(0, 0), dst, tos: 0, id: 77, protocol: 17 }.write(&mut frame, udp.len()).unwrap();
            let mut ip = longwire::wire::ipv4::Packet::new_checked(&mut frame[14..]).unwrap();
            ip.set_ttl(ttl);
            ip.set_fragment(dont_fragment, false, 0);
        }
        IpAddr::V6(dst) => {
            frame.extend(EtherType::IPV6.0.to_be_bytes());
            let header = V6 { src: v6(0, 0), dst, hop_limit: ttl, traffic_class: 0, protocol: 17 };
            header.write(&mut frame, udp.len()).unwrap();
        }
    }
    frame.extend(udp);
    frame
}

/// Sends at `at` and runs for eight seconds; what arrived at either host. Everything is accounted for on the way.
fn send(engine: &mut Engine, at: Instant, bytes: &[u8]) -> Vec<(u32, Instant, Vec<u8>)> {
    let frame = engine.pool().store(bytes).unwrap();
    engine.inject(at, A, frame);
    let mut arrivals = Arrivals::default();
    for step in 0..=400 {
        engine.advance(at + Duration::from_millis(step * 20), &mut arrivals);
        assert_conserved(engine);
    }
    assert_eq!((engine.pool().live(), engine.next_deadline()), (0, None), "all of it has ended");
    arrivals.0
}

/// Who sent an ICMP error, its type, code and the four bytes behind the checksum; the checksum is right.
fn error(frame: &[u8]) -> (IpAddr, u8, u8, u32) {
    let (src, l4): (IpAddr, usize) = if frame[12] == 0x08 {
        assert_eq!(Sum::of(&frame[34..]).checksum(), 0);
        (<[u8; 4]>::try_from(&frame[26..30]).unwrap().into(), 34)
    } else {
        let [src, dst] = [22, 38].map(|at| Ipv6Addr::from(<[u8; 16]>::try_from(&frame[at..at + 16]).unwrap()));
        let pseudo = pseudo_v6(src, dst, 58, (frame.len() - 54) as u32);
        assert_eq!((pseudo + Sum::of(&frame[54..])).checksum(), 0);
        (src.into(), 54)
    };
    (src, frame[l4], frame[l4 + 1], u32::from_be_bytes(frame[l4 + 4..l4 + 8].try_into().unwrap()))
}

#[test]
fn traceroute_lists_every_router_with_the_sum_of_its_links() {
    let mut engine = Engine::new(&chain([None; 6], true));
    for family in [4, 6] {
        let to: IpAddr = if family == 4 { v4(6, 5).into() } else { v6(6, 5).into() };
        for ttl in 1..=ROUTERS {
            let at = ms(100_000 * family + 10_000 * ttl as u64);
            let arrived = send(&mut engine, at, &datagram(to, ttl as u8, 32, true));
            let [(port, when, frame)] = &arrived[..] else { panic!("one answer: {arrived:?}") };
            let sum: u64 = DELAYS[..ttl].iter().sum();
            assert_eq!((*port, *when), (0, at + Duration::from_millis(2 * sum)), "hop {ttl}");
            let incoming: IpAddr = if family == 4 { v4(ttl, ttl - 1).into() } else { v6(ttl, ttl - 1).into() };
            assert_eq!(error(frame), (incoming, if family == 4 { 11 } else { 3 }, 0, 0), "hop {ttl}");
        }
        // one more reaches the host, another the router's own port
        let at = ms(100_000 * family + 90_000);
        let arrived = send(&mut engine, at, &datagram(to, ROUTERS as u8 + 1, 32, true));
        assert_eq!((arrived.len(), arrived[0].0, arrived[0].1), (1, B.0, at + Duration::from_millis(21)));
        let router: IpAddr = if family == 4 { v4(3, 3).into() } else { v6(3, 3).into() };
        let arrived = send(&mut engine, at + Duration::from_secs(9), &datagram(router, 64, 32, true));
        let (_, kind, code, _) = error(&arrived[0].2);
        assert_eq!((arrived.len(), kind, code), (1, if family == 4 { 3 } else { 1 }, if family == 4 { 3 } else { 4 }));
    }
}

#[test]
fn the_path_mtu_is_found_step_by_step() {
    let mtus = [Some(1500), Some(1500), Some(1400), Some(1280), Some(1500), Some(1500)];
    let mut engine = Engine::new(&chain(mtus, true));
    for (family, headers) in [(4u64, 28), (6, 48)] {
        let to: IpAddr = if family == 4 { v4(6, 5).into() } else { v6(6, 5).into() };
        let mut size = 1500;
        let mut told = Vec::new();
        for round in 0.. {
            let at = ms(100_000 * family + 10_000 * round);
            let arrived = send(&mut engine, at, &datagram(to, 64, size - headers, true));
            if arrived[0].0 == B.0 {
                assert_eq!(arrived[0].2.len(), 14 + size);
                break;
            }
            let (router, kind, code, mtu) = error(&arrived[0].2);
            assert_eq!((kind, code), if family == 4 { (3, 4) } else { (2, 0) });
            told.push((router, mtu));
            size = mtu as usize;
        }
        let by = |n: usize| -> IpAddr { if family == 4 { v4(n, n - 1).into() } else { v6(n, n - 1).into() } };
        assert_eq!(told, [(by(2), 1400), (by(3), 1280)]);
    }
    let dropped = |n: u32| engine.node_counters(NodeId(n)).dropped.by(DropCause::Mtu).frames;
    assert_eq!([1, 2, 3, 4, 5].map(dropped), [0, 2, 2, 0, 0]);
}

#[test]
fn fragments_of_fragments_make_the_datagram_again() {
    let mtus = [None, None, Some(1500), Some(1280), Some(576), Some(1500)];
    let mut engine = Engine::new(&chain(mtus, true));
    for (round, len) in [0usize, 548, 549, 1400, 4000, 9000].into_iter().enumerate() {
        let sent = datagram(v4(6, 5).into(), 64, len, false);
        let arrived = send(&mut engine, ms(10_000 * round as u64), &sent);
        let mut payload = vec![None; 8 + len];
        for (port, _, frame) in &arrived {
            let ip = longwire::wire::ipv4::Packet::new_checked(&frame[14..]).unwrap();
            assert!(*port == B.0 && ip.checksum_ok() && frame.len() <= 14 + 576);
            assert_eq!((ip.id(), ip.ttl()), (77, 59));
            let at = usize::from(ip.fragment_offset());
            for (i, byte) in ip.payload().iter().enumerate() {
                assert_eq!(payload[at + i].replace(*byte), None, "twice");
            }
        }
        let payload: Option<Vec<u8>> = payload.into_iter().collect();
        assert_eq!(payload.as_deref(), Some(&sent[34..]), "{len} bytes in {} pieces", arrived.len());
    }
}

#[test]
fn routers_find_each_other_and_tell_when_a_host_is_not_there() {
    let mut engine = Engine::new(&chain([None; 6], false));
    for (round, to) in [IpAddr::from(v4(6, 5)), v6(6, 5).into()].into_iter().enumerate() {
        let at = ms(100_000 * round as u64);
        let arrived = send(&mut engine, at, &datagram(to, 64, 100, true));
        // b does not answer: it was asked three times, a second apart. Routers on the way had to ask too, a round trip each.
        let asked: Vec<_> = arrived.iter().filter(|(port, ..)| *port == B.0).collect();
        let there: u64 = DELAYS.iter().sum::<u64>() + 2 * DELAYS[1..5].iter().sum::<u64>();
        let times: Vec<_> = asked.iter().map(|(_, when, _)| *when).collect();
        assert_eq!(times, [0, 1000, 2000].map(|late| at + Duration::from_millis(there + late)));
        // a does not answer either when the first router asks for it, so no error comes back to it
        let back: Vec<_> = arrived.iter().filter(|(port, ..)| *port == A.0).collect();
        assert!(!back.is_empty() && back.iter().all(|(_, _, frame)| frame[12..14] == [8, 6] || frame[54] == 135));
        let dropped = engine.node_counters(NodeId(5)).dropped.by(DropCause::Unreachable).frames;
        assert_eq!(dropped, round as u64 + 1);
        assert_eq!(engine.node_counters(NodeId(1)).dropped.by(DropCause::Unreachable).frames, round as u64 + 1);
    }
    // where the hosts' side is known the error comes back
    let mut plan = chain([None; 6], false);
    if let NodeKind::Router(router) = &mut plan.nodes[1].kind {
        router.interfaces[0].neighbours = vec![(v4(0, 0).into(), mac(0, true))];
    }
    let mut engine = Engine::new(&plan);
    let arrived = send(&mut engine, ms(0), &datagram(v4(6, 5).into(), 64, 100, true));
    let (_, when, frame) = arrived.iter().find(|(port, ..)| *port == A.0).unwrap();
    assert_eq!(error(frame), (v4(5, 4).into(), 3, 1, 0));
    // up to r5, three seconds there, and back, where every router is known by now
    assert_eq!(*when, ms(15 + 28 + 3000 + 15));
}

#[test]
fn the_only_way_is_taken_as_soon_as_it_is_there_again() {
    let plan = Plan { convergence: Duration::from_secs(1), ..chain([None; 6], true) };
    let mut engine = Engine::new(&plan);
    let packet = datagram(v4(6, 5).into(), 64, 100, true);
    let arrives = |engine: &mut Engine, at: u64| send(engine, ms(at), &packet).iter().any(|(port, ..)| *port != A.0);
    assert!(arrives(&mut engine, 0));
    engine.apply(ms(10_000), Command::Down(LinkId(3))).unwrap();
    assert!(!arrives(&mut engine, 10_001), "nobody knows yet");
    assert!(!arrives(&mut engine, 20_000), "known, and there is no other way");
    engine.apply(ms(30_000), Command::Up(LinkId(3))).unwrap();
    assert!(arrives(&mut engine, 30_001));
    // what was to be known of a short outage is of no use when it is over
    engine.apply(ms(40_000), Command::Down(LinkId(3))).unwrap();
    engine.apply(ms(40_300), Command::Up(LinkId(3))).unwrap();
    assert!(arrives(&mut engine, 40_999), "so nobody takes it for down a second after it was");
    engine.apply(ms(50_000), Command::Down(LinkId(3))).unwrap();
    engine.apply(ms(50_300), Command::Up(LinkId(3))).unwrap();
    assert!(arrives(&mut engine, 51_100));
}

#[test]
fn a_broken_link_is_seen_in_the_counters() {
    // before the routers know of it
    let plan = Plan { convergence: Duration::from_secs(1), ..chain([None; 6], true) };
    let mut engine = Engine::new(&plan);
    engine.apply(ms(0), Command::Down(LinkId(3))).unwrap();
    let arrived = send(&mut engine, ms(1), &datagram(v4(6, 5).into(), 64, 100, true));
    assert_eq!(arrived, []);
    let direction = LinkId(3).directions()[0];
    assert_eq!(engine.counters(direction).dropped.by(DropCause::LinkDown).frames, 1);
}
