//! Which flow a packet is of: its addresses, protocol and ports, the same for both ways.

use core::net::IpAddr;

use crate::wire::icmp::{is_error_v4, is_error_v6, v4, v6};
use crate::wire::summary::{Addresses, Detail, FrameSummary, ICMP, ICMPV6};
use crate::wire::tcp::{self, Flags};
use crate::wire::{icmp, ipv4, ipv6};

/// Queries of ICMP, each with its answer; all carry an identifier (RFC 792, RFC 950 appendix I, RFC 4443 §4; RFC 5508
/// §3.1 tracks them by it).
const QUERIES_V4: [(u8, u8); 4] = [(v4::ECHO_REQUEST, v4::ECHO_REPLY), (13, 14), (15, 16), (17, 18)];
const QUERIES_V6: [(u8, u8); 1] = [(v6::ECHO_REQUEST, v6::ECHO_REPLY)];

/// A flow, whichever way it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    ends: Addresses,
    /// Of ICMP queries, the identifier at the first end and the type of the request at the second. 0 without ports.
    ports: (u16, u16),
    pub(super) protocol: u8,
}

/// A packet of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    pub(super) flow: Flow,
    /// Whether it goes from the flow's first end to its second.
    pub(super) forward: bool,
    /// What it says about the connection.
    pub(super) kind: Kind,
}

/// What a packet says about its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A segment of TCP.
    Tcp(Flags),
    /// A datagram of UDP or UDP-Lite.
    Udp,
    /// A query of ICMP.
    Query,
    /// The answer to a query of ICMP.
    Answer,
    /// A packet of another protocol.
    Other,
}

/// What connection tracking makes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It is of this flow.
    Passage(Passage),
    /// An ICMP error about a packet of this flow.
    About(Flow),
    /// It is of no flow that could be followed.
    Unknown,
}

impl Reading {
    /// Reads a packet; of TCP with these flags. `head` begins with the Ethernet header that `packet` was made of.
    pub(super) fn of(packet: &FrameSummary, head: &[u8], flags: Flags) -> Reading {
        let (Some(protocol), Some(ends)) = (packet.protocol, packet.addresses) else { return Reading::Unknown };
        match (protocol, packet.detail) {
            (tcp::PROTOCOL, Detail::Tcp { src_port, dst_port, .. }) => {
                passage(ends, (src_port, dst_port), protocol, Kind::Tcp(flags))
            }
            (17 | 136, Detail::Ports { src_port, dst_port }) => {
                passage(ends, (src_port, dst_port), protocol, Kind::Udp)
            }
            (33 | 132, Detail::Ports { src_port, dst_port }) => {
                passage(ends, (src_port, dst_port), protocol, Kind::Other)
            }
            (ICMP | ICMPV6, Detail::Icmp { kind, rest, .. }) => {
                if let Some(reading) = query(ends, protocol, kind, (rest >> 16) as u16) {
                    return reading;
                }
                let is_error = if protocol == ICMP { is_error_v4(kind) } else { is_error_v6(kind) };
                let quoted = packet.l4_offset.and_then(|at| head.get(usize::from(at) + icmp::HEADER_LEN..));
                let about = quoted.filter(|_| is_error).and_then(|quoted| about(ends, quoted));
                about.map_or(Reading::Unknown, Reading::About)
            }
            // a transport header that is not there: cut off, or in another fragment
            (tcp::PROTOCOL | 17 | 33 | 132 | 136 | ICMP | ICMPV6, _) => Reading::Unknown,
            _ if packet.fragment => Reading::Unknown,
            _ => passage(ends, (0, 0), protocol, Kind::Other),
        }
    }
}

fn passage(ends: Addresses, ports: (u16, u16), protocol: u8, kind: Kind) -> Reading {
    let forward = match ends {
        Addresses::V4(src, dst) => (src, ports.0) <= (dst, ports.1),
        Addresses::V6(src, dst) => (src, ports.0) <= (dst, ports.1),
    };
    let flow = match forward {
        true => Flow { ends, ports, protocol },
        false => Flow { ends: turned(ends), ports: (ports.1, ports.0), protocol },
    };
    Reading::Passage(Passage { flow, forward, kind })
}

/// The first end of a query's flow is who asked.
fn query(ends: Addresses, protocol: u8, kind: u8, id: u16) -> Option<Reading> {
    let queries: &[(u8, u8)] = if protocol == ICMP { &QUERIES_V4 } else { &QUERIES_V6 };
    let (request, _) = *queries.iter().find(|(request, reply)| kind == *request || kind == *reply)?;
    let asks = kind == request;
    let flow = Flow { ends: if asks { ends } else { turned(ends) }, ports: (id, request.into()), protocol };
    let kind = if asks { Kind::Query } else { Kind::Answer };
    Some(Reading::Passage(Passage { flow, forward: asks, kind }))
}

fn turned(ends: Addresses) -> Addresses {
    match ends {
        Addresses::V4(src, dst) => Addresses::V4(dst, src),
        Addresses::V6(src, dst) => Addresses::V6(dst, src),
    }
}

/// The flow of the packet that an ICMP error quotes. The error goes to who sent that packet, or it is a lie.
fn about(outer: Addresses, quoted: &[u8]) -> Option<Flow> {
    let (ends, protocol, transport) = match outer {
        Addresses::V4(..) => {
            let ip = ipv4::Packet::new_checked(quoted).ok()?;
            if ip.fragment_offset() > 0 {
                return None;
            }
            (Addresses::V4(ip.src(), ip.dst()), ip.protocol(), quoted.get(ip.header_len()..)?)
        }
        Addresses::V6(..) => {
            let ip = ipv6::Packet::new_checked(quoted).ok()?;
            let transport = ip.transport();
            if transport.cut || transport.fragment.is_some_and(|fragment| fragment.offset > 0) {
                return None;
            }
            let at = ipv6::HEADER_LEN + transport.offset;
            (Addresses::V6(ip.src(), ip.dst()), transport.protocol, quoted.get(at..)?)
        }
    };
    let word = |at: usize| Some(u16::from_be_bytes([*transport.get(at)?, *transport.get(at + 1)?]));
    let reading = match protocol {
        _ if sides(outer).1 != sides(ends).0 => return None,
        tcp::PROTOCOL | 17 | 33 | 132 | 136 => passage(ends, (word(0)?, word(2)?), protocol, Kind::Other),
        ICMP | ICMPV6 => query(ends, protocol, *transport.first()?, word(4)?)?,
        _ => passage(ends, (0, 0), protocol, Kind::Other),
    };
    match reading {
        Reading::Passage(passage) => Some(passage.flow),
        Reading::About(_) | Reading::Unknown => None,
    }
}

fn sides(ends: Addresses) -> (IpAddr, IpAddr) {
    match ends {
        Addresses::V4(src, dst) => (src.into(), dst.into()),
        Addresses::V6(src, dst) => (src.into(), dst.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error, icmp_v4, packet, tcp, udp};
    use super::*;
    use crate::wire::testing::real_frames;

    fn read(frame: &[u8]) -> Reading {
        let packet = FrameSummary::new(frame, frame.len());
        let flags = if let Detail::Tcp { flags, .. } = packet.detail { flags } else { Flags::default() };
        Reading::of(&packet, frame, flags)
    }

    fn flow(frame: &[u8]) -> Passage {
        match read(frame) {
            Reading::Passage(passage) => passage,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_ways_are_one_flow() {
        for (there, back) in [
            (
                tcp([10, 0, 0, 1], 4000, [10, 0, 1, 1], 80, Flags::SYN),
                tcp([10, 0, 1, 1], 80, [10, 0, 0, 1], 4000, Flags::ACK),
            ),
            (udp([10, 0, 1, 1], 4000, [10, 0, 0, 1], 53), udp([10, 0, 0, 1], 53, [10, 0, 1, 1], 4000)),
            (udp([10, 0, 0, 1], 9, [10, 0, 0, 1], 8), udp([10, 0, 0, 1], 8, [10, 0, 0, 1], 9)),
            (icmp_v4([10, 0, 0, 9], [10, 0, 0, 1], 8, 77), icmp_v4([10, 0, 0, 1], [10, 0, 0, 9], 0, 77)),
            (packet([10, 0, 0, 9], [10, 0, 0, 1], 47, &[0; 8]), packet([10, 0, 0, 1], [10, 0, 0, 9], 47, &[])),
        ] {
            let (there, back) = (flow(&there), flow(&back));
            assert_eq!(there.flow, back.flow);
            assert_ne!(there.forward, back.forward);
        }
    }

    #[test]
    fn other_ports_protocols_and_identifiers_are_other_flows() {
        let one = flow(&udp([10, 0, 0, 1], 1, [10, 0, 0, 2], 2)).flow;
        for other in [
            udp([10, 0, 0, 1], 2, [10, 0, 0, 2], 1),
            udp([10, 0, 0, 1], 1, [10, 0, 0, 2], 3),
            udp([10, 0, 0, 1], 1, [10, 0, 0, 3], 2),
            tcp([10, 0, 0, 1], 1, [10, 0, 0, 2], 2, Flags::SYN),
        ] {
            assert_ne!(flow(&other).flow, one);
        }
        let ping = |src, dst, kind, id| flow(&icmp_v4(src, dst, kind, id)).flow;
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        assert_ne!(ping(a, b, 8, 1), ping(a, b, 8, 2));
        assert_ne!(ping(a, b, 8, 1), ping(b, a, 8, 1), "each asks the other");
        assert_ne!(ping(a, b, 8, 1), ping(a, b, 13, 1), "another question");
    }

    #[test]
    fn an_error_is_about_the_flow_that_it_quotes_and_goes_to_its_sender() {
        let (a, b, router) = ([10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 9, 9]);
        for quoted in [udp(a, 1, b, 2), tcp(a, 1, b, 2, Flags::SYN), icmp_v4(a, b, 8, 5)] {
            assert_eq!(read(&error(router, a, 3, 3, &quoted)), Reading::About(flow(&quoted).flow));
            assert_eq!(read(&error(router, b, 3, 3, &quoted)), Reading::Unknown, "to somebody else");
            let cut = error(router, a, 3, 3, &quoted[..37]);
            assert_eq!(read(&cut), Reading::Unknown, "quotes too little");
        }
        assert_eq!(read(&icmp_v4(a, b, 3, 0)), Reading::Unknown, "quotes nothing");
        assert_eq!(read(&icmp_v4(a, b, 9, 0)), Reading::Unknown, "a router advertisement is no query");
    }

    #[test]
    fn frames_of_hosts_are_followed_where_they_have_ends() {
        let known: Vec<bool> = real_frames().iter().map(|frame| matches!(read(frame), Reading::Passage(_))).collect();
        //                 ARP           TCP   DNS   ping  ND     ping6 DNS6  frag.  LLDP   802.3
        assert_eq!(known, [false, false, true, true, true, false, true, true, false, false, false]);
    }
}
