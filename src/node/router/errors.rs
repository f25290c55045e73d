//! ICMP errors that a router sends (RFC 792, RFC 1812 §4.3, RFC 4443).
//!
//! They come from the address of the interface that the packet came in at, as Linux and most routers do and as readers of a
//! traceroute expect, though RFC 1812 §4.3.2.4 asks for that of the interface which the error leaves by.

use core::net::IpAddr;

use super::{Router, Work};
use crate::frame::Frame;
use crate::units::{Duration, Instant};
use crate::wire::ethernet::{self, EtherType, HEADER_LEN};
use crate::wire::icmp::{v4, v6};
use crate::wire::icmp_error::{IcmpError, may_report_v4, may_report_v6, write_v4, write_v6};
use crate::wire::{ipv4, ipv6};

/// Errors that a router sends at once after a rest, and one more for each of these (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f).
/// Generous, so that many traceroutes at a time lose nothing; still less than what a flood of packets without a route would make.
const BURST: u64 = 1000;
const EVERY: Duration = Duration::from_millis(1);

/// A token bucket of errors.
#[derive(Debug, Default)]
pub(super) struct Limit {
    /// When the bucket would be full if none were taken any more.
    full: Instant,
}

impl Limit {
    fn take(&mut self, now: Instant) -> bool {
        let full = self.full.max(now) + EVERY;
        let room = full.saturating_since(now).as_nanos() <= BURST * EVERY.as_nanos();
        if room {
            self.full = full;
        }
        room
    }
}

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It has passed as many routers as it may.
    TtlExceeded,
    /// There is no route to its destination.
    NoRoute,
    /// The next hop does not say its MAC address.
    NoNeighbour,
    /// It is larger than the next link's MTU.
    TooLarge(u32),
    /// Its source address means nothing where its destination is (IPv6).
    BeyondScope,
    /// A firewall rejects it.
    Prohibited,
    /// It is for a port of the router's.
    NoPort,
    /// It is for a protocol that the router does not know; in IPv6 the field that names it is so far into the packet.
    NoProtocol(u32),
    /// A field of it cannot be, so far into the packet (IPv6).
    BadField(u32),
}

impl Problem {
    /// The error for IPv4; `None` where there is none.
    fn v4(self) -> Option<IcmpError> {
        let (kind, code, rest) = match self {
            Problem::TtlExceeded => (v4::TIME_EXCEEDED, 0, 0),
            Problem::NoRoute => (v4::UNREACHABLE, v4::CODE_NET, 0),
            Problem::NoNeighbour => (v4::UNREACHABLE, v4::CODE_HOST, 0),
            // RFC 1191 §4: 16 bits
            Problem::TooLarge(mtu) => (v4::UNREACHABLE, v4::CODE_FRAGMENTATION_NEEDED, mtu.min(0xffff)),
            Problem::Prohibited => (v4::UNREACHABLE, v4::CODE_PROHIBITED, 0),
            Problem::NoPort => (v4::UNREACHABLE, v4::CODE_PORT, 0),
            Problem::NoProtocol(_) => (v4::UNREACHABLE, v4::CODE_PROTOCOL, 0),
            Problem::BeyondScope | Problem::BadField(_) => return None,
        };
        Some(IcmpError { kind, code, rest })
    }

    /// The error for IPv6.
    fn v6(self) -> IcmpError {
        let (kind, code, rest) = match self {
            Problem::TtlExceeded => (v6::TIME_EXCEEDED, 0, 0),
            Problem::NoRoute => (v6::UNREACHABLE, v6::CODE_NO_ROUTE, 0),
            Problem::NoNeighbour => (v6::UNREACHABLE, v6::CODE_ADDRESS, 0),
            Problem::TooLarge(mtu) => (v6::PACKET_TOO_BIG, 0, mtu),
            Problem::BeyondScope => (v6::UNREACHABLE, v6::CODE_BEYOND_SCOPE, 0),
            Problem::Prohibited => (v6::UNREACHABLE, v6::CODE_PROHIBITED, 0),
            Problem::NoPort => (v6::UNREACHABLE, v6::CODE_PORT, 0),
            Problem::NoProtocol(at) => (v6::PARAMETER_PROBLEM, v6::CODE_NEXT_HEADER, at),
            Problem::BadField(at) => (v6::PARAMETER_PROBLEM, v6::CODE_FIELD, at),
        };
        IcmpError { kind, code, rest }
    }
}

impl Router {
    /// Tells the sender of a packet that came in at `port` what is wrong with it, where that is allowed. Of a train it is the first
    /// packet. What becomes of the packet is the caller's business.
    #[cold]
    pub(super) fn report(&mut self, work: &mut Work<'_>, port: u32, frame: &Frame, problem: Problem) {
        let mut read = std::mem::take(&mut self.read);
        read.clear();
        work.pool.view(frame).write_wire_frame(&mut read);
        self.report_bytes(work, port, &read, problem);
        self.read = read;
    }

    /// The same about the bytes of a wire frame.
    pub(super) fn report_bytes(&mut self, work: &mut Work<'_>, port: u32, bytes: &[u8], problem: Problem) {
        let Ok(header) = ethernet::Frame::new_checked(bytes) else { return };
        let mut made = std::mem::take(&mut self.made);
        match header.ethertype() {
            // no error about what all of a link were sent (RFC 1122 §3.2.2)
            EtherType::IPV4 if !header.dst().is_multicast() => {
                self.report_v4(work, port, &bytes[HEADER_LEN..], problem, &mut made);
            }
            EtherType::IPV6 => self.report_v6(work, port, &bytes[HEADER_LEN..], problem, &mut made),
            _ => {}
        }
        self.made = made;
    }

    fn report_v4(&mut self, work: &mut Work<'_>, port: u32, packet: &[u8], problem: Problem, made: &mut Vec<u8>) {
        let (Some(error), Ok(ip)) = (problem.v4(), ipv4::Packet::new_checked(packet)) else { return };
        let to = ip.src();
        let Some(own) = self.source(port, to.into()) else { return };
        if !may_report_v4(packet) || self.roles.of(to.into()).is_some() || !self.limit.take(work.now) {
            return;
        }
        start(made, EtherType::IPV4);
        let id = self.next_id();
        if let IpAddr::V4(own) = own
            && write_v4(made, (own, to), id, error, packet).is_ok()
        {
            self.send_own_v4(work, made, to);
        }
    }

    fn report_v6(&mut self, work: &mut Work<'_>, port: u32, packet: &[u8], problem: Problem, made: &mut Vec<u8>) {
        let (error, Ok(ip)) = (problem.v6(), ipv6::Packet::new_checked(packet)) else { return };
        let to = ip.src();
        let Some(own) = self.source(port, to.into()) else { return };
        if !may_report_v6(packet, error) || self.roles.of(to.into()).is_some() || !self.limit.take(work.now) {
            return;
        }
        start(made, EtherType::IPV6);
        if let IpAddr::V6(own) = own
            && write_v6(made, (own, to), error, packet).is_ok()
        {
            self.send_own_v6(work, port, made, to);
        }
    }

    /// The address to tell a host something from that came in at a port: one of that port's, else of the first port that has one
    /// of the family, so that an interface without a global address can still be heard of (RFC 4443 §2.2).
    pub(super) fn source(&self, port: u32, to: IpAddr) -> Option<IpAddr> {
        let incoming = self.interfaces.get(port as usize).into_iter();
        let mut all = incoming.chain(&self.interfaces);
        match to {
            IpAddr::V4(to) => all.find_map(|interface| interface.source_v4(to)).map(IpAddr::V4),
            IpAddr::V6(to) => all.find_map(|interface| interface.source_v6(to)).map(IpAddr::V6),
        }
    }
}

/// Begins a frame: an Ethernet header that has its type alone.
pub(super) fn start(made: &mut Vec<u8>, ethertype: EtherType) {
    made.clear();
    made.resize(HEADER_LEN - 2, 0);
    made.extend(ethertype.0.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_limited_to_a_burst_and_a_rate() {
        let mut limit = Limit::default();
        let second = Instant::from_nanos(1_000_000_000);
        let taken = |limit: &mut Limit, now: Instant| (0..2 * BURST).filter(|_| limit.take(now)).count() as u64;
        assert_eq!(taken(&mut limit, second), BURST);
        assert_eq!(taken(&mut limit, second + Duration::from_nanos(999_999)), 0);
        assert_eq!(taken(&mut limit, second + Duration::from_millis(1)), 1);
        assert_eq!(taken(&mut limit, second + Duration::from_millis(501)), 500);
        assert_eq!(taken(&mut limit, second + Duration::from_secs(100)), BURST);
    }
}
