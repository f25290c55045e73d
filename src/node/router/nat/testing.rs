//! Packets and a small network for the tests of address translation. Frames are put together byte by byte and their
//! checksums summed whole, with nothing from the code under test.

use core::net::Ipv4Addr;

use super::*;
use crate::rng;
use crate::wire::testing::naive_sum;

/// Offset of the IP header in these frames.
pub(super) const L3: usize = 14;

/// The outside addresses of the home's translator.
pub(super) const WAN: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];

pub(super) fn end(address: [u8; 4], port: u16) -> Endpoint {
    Endpoint { address: address.into(), port }
}

/// An inside endpoint.
pub(super) fn inside(host: u8, port: u16) -> Endpoint {
    end([10, 0, 0, host], port)
}

/// An outside one.
pub(super) fn server(host: u8, port: u16) -> Endpoint {
    end([198, 51, 100, host], port)
}

/// A frame with this IPv4 packet, its checksums right.
pub(super) fn ip(protocol: u8, src: Ipv4Addr, dst: Ipv4Addr, transport: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend((20 + transport.len() as u16).to_be_bytes());
    frame.extend([0x12, 0x34, 0, 0, 64, protocol, 0, 0]);
    frame.extend(src.octets());
    frame.extend(dst.octets());
    frame.extend(transport);
    finish(&mut frame);
    frame
}

/// Where the transport checksum stands in its header.
fn checksum_at(protocol: u8) -> Option<usize> {
    match protocol {
        6 => Some(16),
        17 | 136 => Some(6),
        1 => Some(2),
        _ => None,
    }
}

/// Sums over IPv4 header and transport, which are 0xffff where they are right; the second also where there is none.
pub(super) fn sums(frame: &[u8]) -> (u16, u16) {
    let transport = &frame[L3 + 20..];
    let covered = match frame[L3 + 9] {
        1 => transport.to_vec(),
        6 | 17 | 136 => {
            let length = (transport.len() as u16).to_be_bytes();
            [&frame[L3 + 12..L3 + 20], &[0, frame[L3 + 9]], &length, transport].concat()
        }
        _ => vec![0xff, 0xff],
    };
    (naive_sum(&frame[L3..L3 + 20]), naive_sum(&covered))
}

fn finish(frame: &mut [u8]) {
    let header = !sums(frame).0;
    frame[L3 + 10..L3 + 12].copy_from_slice(&header.to_be_bytes());
    if let Some(at) = checksum_at(frame[L3 + 9]).map(|at| L3 + 20 + at).filter(|at| at + 2 <= frame.len()) {
        frame[at..at + 2].fill(0);
        let sum = !sums(frame).1;
        frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

pub(super) fn udp(src: Endpoint, dst: Endpoint) -> Vec<u8> {
    let mut transport = [src.port.to_be_bytes(), dst.port.to_be_bytes(), [0, 13], [0, 0]].concat();
    transport.extend(b"hello");
    ip(17, src.address, dst.address, &transport)
}

pub(super) fn tcp(src: Endpoint, dst: Endpoint, flags: u8) -> Vec<u8> {
    let mut transport = [src.port.to_be_bytes(), dst.port.to_be_bytes()].concat();
    transport.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    ip(6, src.address, dst.address, &transport)
}

/// An echo request or reply.
pub(super) fn echo(kind: u8, src: Ipv4Addr, dst: Ipv4Addr, id: u16) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(id.to_be_bytes());
    message.extend([0, 1, b'p', b'i', b'n', b'g']);
    ip(1, src, dst, &message)
}

/// An ICMP error from `src` to the sender of `about`, which quotes `bytes` of that packet.
pub(super) fn error(src: Ipv4Addr, about: &[u8], bytes: usize) -> Vec<u8> {
    let dst = Ipv4Addr::new(about[L3 + 12], about[L3 + 13], about[L3 + 14], about[L3 + 15]);
    let mut message = vec![3, 3, 0, 0, 0, 0, 0, 0];
    message.extend(&about[L3..about.len().min(L3 + bytes)]);
    ip(1, src, dst, &message)
}

/// Makes a fragment of a frame: an offset in bytes, and whether more follow.
pub(super) fn fragment(mut frame: Vec<u8>, id: u16, offset: u16, more: bool) -> Vec<u8> {
    frame[L3 + 4..L3 + 6].copy_from_slice(&id.to_be_bytes());
    frame[L3 + 6..L3 + 8].copy_from_slice(&((u16::from(more) << 13) | (offset / 8)).to_be_bytes());
    frame[L3 + 10..L3 + 12].fill(0);
    let header = !sums(&frame).0;
    frame[L3 + 10..L3 + 12].copy_from_slice(&header.to_be_bytes());
    frame
}

/// Who a frame is from and for.
pub(super) fn ends(frame: &[u8]) -> (Endpoint, Endpoint) {
    let flow = Packet::in_frame(frame, L3, None).expect("IPv4").flow;
    (flow.src, flow.dst)
}

/// A translator and a clock. What passes it keeps its checksums right.
pub(super) struct Home {
    pub(super) nat: Nat,
    pub(super) now: Instant,
}

impl Home {
    /// With one outside address.
    pub(super) fn new(change: impl FnOnce(&mut NatSpec)) -> Home {
        Home::with(&WAN[..1], change)
    }

    pub(super) fn with(addresses: &[Ipv4Addr], change: impl FnOnce(&mut NatSpec)) -> Home {
        let mut spec = NatSpec::new("wan");
        change(&mut spec);
        let random = StreamKey::new(1, "home", rng::Way::Forward, "nat");
        Home { nat: Nat::new(&spec, addresses, random), now: Instant::ZERO }
    }

    pub(super) fn of(kind: NatType) -> Home {
        Home::new(|spec| (spec.mapping, spec.filtering) = kind.behaviour())
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// What leaves of a frame that goes out.
    pub(super) fn out(&mut self, mut frame: Vec<u8>) -> Result<Vec<u8>, DropCause> {
        let done = self.nat.outbound(self.now, &mut frame, L3, None);
        pass(done, frame)
    }

    /// What arrives inside of a frame that comes in.
    pub(super) fn back(&mut self, mut frame: Vec<u8>) -> Result<Vec<u8>, DropCause> {
        let done = self.nat.inbound(self.now, &mut frame, L3, None);
        pass(done, frame)
    }

    /// What arrives inside of a frame from inside for an outside address.
    pub(super) fn around(&mut self, mut frame: Vec<u8>) -> Result<Vec<u8>, DropCause> {
        let done = self.nat.hairpin(self.now, &mut frame, L3, None);
        pass(done, frame)
    }

    /// The outside endpoint of a datagram.
    pub(super) fn udp_out(&mut self, src: Endpoint, dst: Endpoint) -> Endpoint {
        ends(&self.out(udp(src, dst)).expect("it passes")).0
    }

    /// Whether a datagram from outside gets in.
    pub(super) fn udp_in(&mut self, src: Endpoint, dst: Endpoint) -> Result<Endpoint, DropCause> {
        self.back(udp(src, dst)).map(|frame| ends(&frame).1)
    }
}

fn pass(done: Result<Translation, DropCause>, frame: Vec<u8>) -> Result<Vec<u8>, DropCause> {
    done.map(|_| {
        if frame[L3 + 6] & 0x3f == 0 && frame[L3 + 7] == 0 {
            assert_eq!(sums(&frame), (0xffff, 0xffff), "checksums of {frame:02x?}");
        }
        frame
    })
}
