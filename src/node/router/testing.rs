//! A router on a bench: frames in, frames and drops out, and every frame accounted for after each turn.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Router, RouterInterface, RouterPlan};
use crate::frame::{DropCause, Frame, FramePool};
use crate::node::routing::Routes;
use crate::node::{Deed, Tally, Work};
use crate::units::Instant;
use crate::wire::ethernet::{EtherType, MacAddr};
use crate::wire::icmp_error::{V4, V6};
use crate::wire::testing::{Train, naive_sum};
use crate::wire::vnet::{Endian, VnetHeader};

/// The router's MAC address at a port.
pub(super) const fn router_mac(port: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 1, port])
}

/// A host's MAC address.
pub(super) const fn host_mac(n: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 2, n])
}

/// What came out, wire frame by wire frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Out {
    Sent(u32, Vec<u8>),
    Dropped(DropCause),
}

impl Out {
    /// Type and code of an ICMP message that was sent.
    pub(super) fn code(&self) -> (u8, u8) {
        match self {
            Out::Sent(_, frame) if frame[12] == 0x08 => (frame[34], frame[35]),
            Out::Sent(_, frame) => (frame[54], frame[55]),
            Out::Dropped(cause) => panic!("dropped: {cause:?}"),
        }
    }
}

pub(super) struct Bench {
    pub(super) router: Router,
    pub(super) pool: FramePool,
    pub(super) now: Instant,
    routes: Routes,
    consumed: u64,
}

impl Bench {
    /// Ports 0 to 2 at 10.0.0.1/24, 10.0.1.1/24, 10.0.2.1/24 and fd00::1/64, fd00:0:0:1::1/64, fd00:0:0:2::1/64. The hosts `.9` of the
    /// first two are known for good, as 9 and 19; nobody at the third is.
    pub(super) fn new() -> Bench {
        Bench::with(&Bench::plan())
    }

    pub(super) fn plan() -> RouterPlan {
        let interfaces = (0..3)
            .map(|port: u8| {
                let (v4, v6) = (Ipv4Addr::new(10, 0, port, 9), Ipv6Addr::new(0xfd00, 0, 0, port.into(), 0, 0, 0, 9));
                let known = host_mac(9 + port * 10);
                RouterInterface {
                    name: format!("eth{port}"),
                    mac: router_mac(port),
                    addresses: vec![
                        format!("10.0.{port}.1/24").parse().unwrap(),
                        format!("fd00:0:0:{port}::1/64").parse().unwrap(),
                    ],
                    neighbours: if port < 2 { vec![(v4.into(), known), (v6.into(), known)] } else { vec![] },
                }
            })
            .collect();
        RouterPlan { interfaces, ..RouterPlan::default() }
    }

    pub(super) fn with(plan: &RouterPlan) -> Bench {
        let (pool, routes) = (FramePool::default(), Routes::default());
        Bench { router: Router::new(0, plan), pool, routes, now: Instant::from_nanos(5_000_000_000), consumed: 0 }
    }

    /// A plain frame comes in.
    pub(super) fn receive(&mut self, port: u32, bytes: &[u8]) -> Vec<Out> {
        let frame = self.pool.store(bytes).unwrap();
        self.receive_frame(port, frame)
    }

    /// A super-frame comes in, as from a TAP.
    pub(super) fn receive_train(&mut self, port: u32, train: &Train) -> Vec<Out> {
        let header = VnetHeader::new(Some(train.gso), train.partial, train.header).encode(Endian::Native);
        let header = VnetHeader::decode(&header, Endian::Native).unwrap();
        let offload = header.check(&train.frame, train.frame.len()).unwrap();
        let mut frame = self.pool.store(&train.frame).unwrap();
        self.pool.set_offload(&mut frame, offload);
        self.receive_frame(port, frame)
    }

    pub(super) fn receive_frame(&mut self, port: u32, frame: Frame) -> Vec<Out> {
        let count = frame.count();
        self.turn(count, |router, work| router.receive(work, port, frame))
    }

    /// The router's deadline comes.
    pub(super) fn wake(&mut self) -> Vec<Out> {
        self.now = self.router.deadline().expect("it waits for something");
        self.turn(0, Router::wake)
    }

    fn turn(&mut self, received: u64, does: impl FnOnce(&mut Router, &mut Work<'_>)) -> Vec<Out> {
        let held = self.router.held();
        let mut deeds = Vec::new();
        let (pool, routes) = (&mut self.pool, &mut self.routes);
        let mut work = Work { now: self.now, pool, routes, deeds: &mut deeds, tally: Tally::default() };
        does(&mut self.router, &mut work);
        let Tally { originated, replicated, consumed } = work.tally;
        let mut out = Vec::new();
        for deed in deeds {
            let (mut frame, door) = match deed {
                Deed::Send(port, frame) => (frame, Ok(port)),
                Deed::Drop(cause, frame) => (frame, Err(cause)),
                Deed::Flood(port, _) => panic!("routers do not flood, from port {port}"),
            };
            loop {
                let one = if frame.count() > 1 { Some(self.pool.split_front(&mut frame, 1)) } else { None };
                let mut bytes = Vec::new();
                self.pool.view(one.as_ref().unwrap_or(&frame)).write_wire_frame(&mut bytes);
                out.push(match door {
                    Ok(port) => Out::Sent(port, bytes),
                    Err(cause) => Out::Dropped(cause),
                });
                match one {
                    Some(one) => self.pool.release(one),
                    None => break,
                }
            }
            self.pool.release(frame);
        }
        self.consumed = consumed;
        let ended = out.len() as u64 + consumed + self.router.held();
        assert_eq!(received + originated + replicated + held, ended, "frames that came and went");
        assert!(self.pool.live() <= self.router.held(), "stretches that nobody holds");
        out
    }

    /// Wire frames that were consumed in the last turn.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }
}

/// An Ethernet frame from a host to the router, or to whom `to` says.
pub(super) fn ethernet(to: MacAddr, from: MacAddr, ethertype: EtherType, packet: &[u8]) -> Vec<u8> {
    [&to.0[..], &from.0, &ethertype.0.to_be_bytes(), packet].concat()
}

/// A frame with an IP packet of TTL 64, from host 9 at port 0 to the router.
pub(super) fn ip(src: &str, dst: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let ethertype = match (src.parse().unwrap(), dst.parse().unwrap()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            V4 { src, dst, tos: 0, id: 0x4242, protocol }.write(&mut packet, payload.len()).unwrap();
            EtherType::IPV4
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let header = V6 { src, dst, hop_limit: 64, traffic_class: 0, protocol };
            header.write(&mut packet, payload.len()).unwrap();
            EtherType::IPV6
        }
        _ => panic!("two addresses of one family"),
    };
    packet.extend_from_slice(payload);
    ethernet(router_mac(0), host_mac(9), ethertype, &packet)
}

/// The same with the transport's checksum filled in, at `field` of it.
pub(super) fn ip_summed(src: &str, dst: &str, protocol: u8, payload: &[u8], field: usize) -> Vec<u8> {
    let mut frame = ip(src, dst, protocol, payload);
    let l4 = frame.len() - payload.len();
    let sum = !transport_sum(&frame);
    frame[l4 + field..l4 + field + 2].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// A datagram from port 4000 to `port`.
pub(super) fn udp(src: &str, dst: &str, port: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    let [[a, b], [c, d]] = [port.to_be_bytes(), len.to_be_bytes()];
    let datagram = [&[0x0f, 0xa0, a, b, c, d, 0, 0], payload].concat();
    ip_summed(src, dst, 17, &datagram, 6)
}

/// An echo request with an identifier of 0x1234 and sequence number 1.
pub(super) fn ping(src: &str, dst: &str, data: &[u8]) -> Vec<u8> {
    let v4 = src.parse::<IpAddr>().unwrap().is_ipv4();
    let message = [&[if v4 { 8 } else { 128 }, 0, 0, 0, 0x12, 0x34, 0, 1], data].concat();
    ip_summed(src, dst, if v4 { 1 } else { 58 }, &message, 2)
}

/// The sum over a frame's transport, with its pseudo header unless it is ICMP for IPv4: 0xffff where its checksum is right.
/// There are no extension headers.
pub(super) fn transport_sum(frame: &[u8]) -> u16 {
    if frame[12] == 0x08 {
        let header = 14 + usize::from(frame[14] & 15) * 4;
        let payload = &frame[header..14 + usize::from(frame[16]) * 256 + usize::from(frame[17])];
        let pseudo = [&frame[26..34], &[0, frame[23]], &(payload.len() as u16).to_be_bytes()].concat();
        return if frame[23] == 1 { naive_sum(payload) } else { naive_sum(&[&pseudo[..], payload].concat()) };
    }
    let payload = &frame[54..54 + usize::from(frame[18]) * 256 + usize::from(frame[19])];
    naive_sum(&[&frame[22..54], &(payload.len() as u32).to_be_bytes(), &[0, 0, 0, frame[20]], payload].concat())
}

/// Sets the TTL or hop limit.
pub(super) fn with_ttl(mut frame: Vec<u8>, ttl: u8) -> Vec<u8> {
    if frame[12] == 0x08 {
        frame[22] = ttl;
        refill(&mut frame);
    } else {
        frame[21] = ttl;
    }
    frame
}

/// Sets flags and fragment offset of an IPv4 frame.
pub(super) fn with_flags(mut frame: Vec<u8>, flags: u16) -> Vec<u8> {
    frame[20..22].copy_from_slice(&flags.to_be_bytes());
    refill(&mut frame);
    frame
}

/// Computes the IPv4 header checksum anew.
pub(super) fn refill(frame: &mut [u8]) {
    let end = 14 + usize::from(frame[14] & 15) * 4;
    frame[24..26].fill(0);
    let sum = !naive_sum(&frame[14..end]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

/// The one frame that was sent, and its port, whose checksums are right.
pub(super) fn the_frame(out: &[Out]) -> (u32, Vec<u8>) {
    let sent: Vec<_> =
        out.iter().filter_map(|out| if let Out::Sent(port, f) = out { Some((*port, f)) } else { None }).collect();
    let [(port, frame)] = sent[..] else { panic!("one frame, not {sent:02x?}") };
    if frame[12..14] == [0x08, 0x00] {
        assert_eq!(naive_sum(&frame[14..14 + usize::from(frame[14] & 15) * 4]), 0xffff, "header checksum");
    }
    (port, frame.clone())
}

/// The one ICMP message that was sent, from `src` to `dst` with TTL 64 and a checksum that is right: type, code, rest, and quote.
pub(super) fn the_error(out: &[Out], src: &str, dst: &str) -> (u8, u8, u32, Vec<u8>) {
    let (_, frame) = the_frame(out);
    assert_eq!(transport_sum(&frame), 0xffff, "ICMP checksum");
    let (l4, ttl, protocol) = if frame[12] == 0x08 { (34, frame[22], frame[23]) } else { (54, frame[21], frame[20]) };
    assert_eq!((ttl, protocol), (64, if l4 == 34 { 1 } else { 58 }));
    let of = |at: usize| -> IpAddr {
        let bytes = &frame[at..];
        if l4 == 34 {
            IpAddr::V4(<[u8; 4]>::try_from(&bytes[..4]).unwrap().into())
        } else {
            IpAddr::V6(<[u8; 16]>::try_from(&bytes[..16]).unwrap().into())
        }
    };
    let (from, to) = if l4 == 34 { (of(26), of(30)) } else { (of(22), of(38)) };
    assert_eq!((from.to_string(), to.to_string()), (src.into(), dst.into()));
    let rest = u32::from_be_bytes(frame[l4 + 4..l4 + 8].try_into().unwrap());
    (frame[l4], frame[l4 + 1], rest, frame[l4 + 8..].to_vec())
}
