//! ICMP errors about packets: what may be reported, and how (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3.2; RFC 4443 §2.4, §3).

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{Malformed, icmp, ipv4, ipv6, udp};

/// The longest IPv4 packet with an error (RFC 1812 §4.3.2.3).
pub const MAX_V4: usize = 576;
/// The longest IPv6 packet with an error: every link carries so much (RFC 4443 §2.4 c).
pub const MAX_V6: usize = 1280;
/// Protocol number of ICMP for IPv4.
pub const PROTOCOL_V4: u8 = 1;
/// Protocol number of ICMP for IPv6.
pub const PROTOCOL_V6: u8 = 58;

/// An error: its type, its code, and the four bytes behind the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The next MTU, a pointer, or 0.
    pub rest: u32,
}

/// Whether an address can be that of one IPv4 host which wants to know: no group, not 0/8, loopback or 240/4 (RFC 1122 §3.2.2).
pub const fn is_host_v4(address: Ipv4Addr) -> bool {
    !matches!(address.octets(), [0 | 127 | 224.., ..])
}

/// Whether an address can be that of one IPv6 host which wants to know: no group, not unspecified, loopback or IPv4-mapped.
pub fn is_host_v6(address: Ipv6Addr) -> bool {
    !(address.is_multicast() || address.is_unspecified() || address.is_loopback()) && address.to_ipv4_mapped().is_none()
}

/// Whether an IPv4 packet (what is there of it from its header on) may be reported: it is no error itself, the first fragment or
/// whole, from one host to one host (RFC 1122 §3.2.2). Broadcasts of a subnet, and of the link layer, are for the caller to
/// know.
pub fn may_report_v4(packet: &[u8]) -> bool {
    let Ok(ip) = ipv4::Packet::new_checked(packet) else { return false };
    let is_error = ip.protocol() == PROTOCOL_V4
        && match ip.payload() {
            [kind, ..] => icmp::is_error_v4(*kind),
            // it may be one
            [] => true,
        };
    ip.fragment_offset() == 0 && !is_error && is_host_v4(ip.src()) && is_host_v4(ip.dst())
}

/// Whether an IPv6 packet (what is there of it from its header on) may be reported with `error`: it is neither an error nor a redirect,
/// and it comes from one host. To a group it may be only where it is too big, or has an option that asks for it (RFC 4443 §2.4 e).
pub fn may_report_v6(packet: &[u8], error: IcmpError) -> bool {
    let Ok(ip) = ipv6::Packet::new_checked(packet) else { return false };
    let transport = ip.transport();
    let is_error = transport.protocol == PROTOCOL_V6
        && transport.fragment.is_none_or(|fragment| fragment.offset == 0)
        && match ip.payload().get(transport.offset) {
            Some(kind) => icmp::is_error_v6(*kind) || *kind == icmp::v6::REDIRECT,
            None => true,
        };
    let too_big = error.kind == icmp::v6::PACKET_TOO_BIG;
    let option = error.kind == icmp::v6::PARAMETER_PROBLEM && error.code == icmp::v6::CODE_OPTION;
    !is_error && is_host_v6(ip.src()) && (too_big || option || !ip.dst().is_multicast())
}

/// Appends an IPv4 packet from `src` to `dst` with an error about `packet`, of which it quotes as much as fits in 576 bytes. `id`
/// is the new packet's own. Its precedence is that of control traffic, its DSCP's lower bits are the packet's (RFC 1812 §4.3.2.5).
pub fn write_v4(
    out: &mut Vec<u8>,
    (src, dst): (Ipv4Addr, Ipv4Addr),
    id: u16,
    error: IcmpError,
    packet: &[u8],
) -> Result<(), Malformed> {
    let ip = ipv4::Packet::new_checked(packet)?;
    let room = MAX_V4 - ipv4::MIN_HEADER_LEN - icmp::HEADER_LEN;
    let quote = &packet[..packet.len().min(usize::from(ip.total_len())).min(room)];
    let header = V4 { src, dst, tos: 0xc0 | ip.tos() & 0x1c, id, protocol: PROTOCOL_V4 };
    let at = header.write(out, icmp::HEADER_LEN + quote.len())?;
    out.resize(at + icmp::HEADER_LEN, 0);
    out.extend_from_slice(quote);
    let mut message = icmp::Packet::new_checked(&mut out[at..])?;
    message.set_kind(error.kind, error.code);
    message.set_rest(error.rest);
    message.fill_checksum_v4();
    Ok(())
}

/// Appends an IPv6 packet from `src` to `dst` with an error about `packet`, of which it quotes as much as fits in 1,280 bytes.
pub fn write_v6(
    out: &mut Vec<u8>,
    (src, dst): (Ipv6Addr, Ipv6Addr),
    error: IcmpError,
    packet: &[u8],
) -> Result<(), Malformed> {
    let ip = ipv6::Packet::new_checked(packet)?;
    let room = MAX_V6 - ipv6::HEADER_LEN - icmp::HEADER_LEN;
    let whole = ipv6::HEADER_LEN + usize::from(ip.payload_len());
    let quote = &packet[..packet.len().min(whole).min(room)];
    let header = V6 { src, dst, hop_limit: 64, traffic_class: 0, protocol: PROTOCOL_V6 };
    let at = header.write(out, icmp::HEADER_LEN + quote.len())?;
    out.resize(at + icmp::HEADER_LEN, 0);
    out.extend_from_slice(quote);
    let mut message = icmp::Packet::new_checked(&mut out[at..])?;
    message.set_kind(error.kind, error.code);
    message.set_rest(error.rest);
    message.fill_checksum_v6(src, dst);
    Ok(())
}

/// What a node puts into an IPv4 header of its own: TTL 64, no options, may be fragmented.
#[derive(Clone, Copy, Debug)]
pub struct V4 {
    /// Who sends it.
    pub src: Ipv4Addr,
    /// Who it is for.
    pub dst: Ipv4Addr,
    /// DSCP and ECN.
    pub tos: u8,
    /// The number that its fragments would share.
    pub id: u16,
    /// What follows.
    pub protocol: u8,
}

impl V4 {
    /// Appends the header of a packet with so much payload; returns where that has to begin. Fails above 65,535 bytes.
    pub fn write(&self, out: &mut Vec<u8>, payload: usize) -> Result<usize, Malformed> {
        let start = out.len();
        out.resize(start + ipv4::MIN_HEADER_LEN, 0);
        let mut ip = ipv4::Packet::init(&mut out[start..])?;
        let total = ipv4::MIN_HEADER_LEN + payload;
        ip.set_total_len(u16::try_from(total).map_err(|_| too_long("IPv4", "total length", total))?);
        ip.set_tos(self.tos);
        ip.set_id(self.id);
        ip.set_protocol(self.protocol);
        ip.set_src(self.src);
        ip.set_dst(self.dst);
        ip.fill_checksum();
        Ok(start + ipv4::MIN_HEADER_LEN)
    }
}

/// What a node puts into an IPv6 header of its own.
#[derive(Clone, Copy, Debug)]
pub struct V6 {
    /// Who sends it.
    pub src: Ipv6Addr,
    /// Who it is for.
    pub dst: Ipv6Addr,
    /// Routers that it may pass.
    pub hop_limit: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// What follows.
    pub protocol: u8,
}

impl V6 {
    /// Appends the header of a packet with so much payload; returns where that has to begin. Fails above 65,535 bytes.
    pub fn write(&self, out: &mut Vec<u8>, payload: usize) -> Result<usize, Malformed> {
        let start = out.len();
        out.resize(start + ipv6::HEADER_LEN, 0);
        let mut ip = ipv6::Packet::init(&mut out[start..])?;
        ip.set_payload_len(u16::try_from(payload).map_err(|_| too_long("IPv6", "payload length", payload))?);
        ip.set_traffic_class(self.traffic_class);
        ip.set_next_header(self.protocol);
        ip.set_hop_limit(self.hop_limit);
        ip.set_src(self.src);
        ip.set_dst(self.dst);
        Ok(start + ipv6::HEADER_LEN)
    }
}

fn too_long(header: &'static str, field: &'static str, value: usize) -> Malformed {
    Malformed::Field { header, field, value: u32::try_from(value).unwrap_or(u32::MAX) }
}

/// Whether the checksum of a UDP datagram over IPv4 or IPv6 is right, given the sum of its pseudo header. None at all is right over
/// IPv4 alone (RFC 768, RFC 8200 §8.1).
pub fn udp_checksum_ok(datagram: &[u8], pseudo: super::checksum::Sum, may_be_absent: bool) -> bool {
    match udp::Packet::new_checked(datagram) {
        Ok(udp) if udp.checksum() == 0 => may_be_absent,
        Ok(_) => (pseudo + super::checksum::Sum::of(datagram)).checksum() == 0,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::checksum::{Sum, pseudo_v4, pseudo_v6};
    use super::super::testing::{naive_sum, real_frames};
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        V4 { src: A, dst: B, tos: 0xb9, id: 5, protocol }.write(&mut out, payload.len()).unwrap();
        out.extend(payload);
        out
    }

    fn v6(src: &str, dst: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
        let mut out = Vec::new();
        V6 { src, dst, hop_limit: 9, traffic_class: 0, protocol }.write(&mut out, payload.len()).unwrap();
        out.extend(payload);
        out
    }

    const EXCEEDED: IcmpError = IcmpError { kind: 11, code: 0, rest: 0 };
    const TOO_BIG: IcmpError = IcmpError { kind: 2, code: 0, rest: 1400 };

    #[test]
    fn an_error_for_ipv4_quotes_what_fits_into_576_bytes() {
        for (len, expected) in [(8, 28 + 28), (527, 575), (528, 576), (529, 576), (1400, 576)] {
            let packet = v4(17, &vec![7; len]);
            let mut out = vec![9; 3];
            write_v4(&mut out, (B, A), 77, EXCEEDED, &[&packet[..], &[0; 30]].concat()).unwrap();
            let out = &out[3..];
            let ip = ipv4::Packet::new_checked(out).unwrap();
            assert_eq!((out.len(), usize::from(ip.total_len())), (expected, expected));
            assert_eq!((ip.src(), ip.dst(), ip.ttl(), ip.id(), ip.tos()), (B, A, 64, 77, 0xd8));
            assert!(ip.checksum_ok());
            assert_eq!(naive_sum(&out[20..]), 0xffff);
            assert_eq!((&out[20..22], &out[28..]), (&[11, 0][..], &packet[..expected - 28]));
        }
    }

    #[test]
    fn an_error_for_ipv6_quotes_what_fits_into_1280_bytes() {
        let (a, b): (Ipv6Addr, Ipv6Addr) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        for (len, expected) in [(8, 48 + 48), (1192, 1280), (1400, 1280)] {
            let packet = v6("fd00::1", "fd01::9", 17, &vec![7; len]);
            let mut out = Vec::new();
            write_v6(&mut out, (b, a), TOO_BIG, &packet).unwrap();
            assert_eq!(out.len(), expected);
            let all =
                [&b.octets()[..], &a.octets(), &((expected - 40) as u32).to_be_bytes(), &[0, 0, 0, 58], &out[40..]];
            assert_eq!(naive_sum(&all.concat()), 0xffff);
            assert_eq!((&out[40..48][..2], &out[44..48], out[7]), (&[2, 0][..], &1400u32.to_be_bytes()[..], 64));
            assert_eq!(&out[48..], &packet[..expected - 48]);
        }
    }

    #[test]
    fn errors_groups_and_later_fragments_are_not_reported() {
        assert!(may_report_v4(&v4(17, &[0; 8])) && may_report_v4(&v4(1, &[8, 0])));
        for kind in [3, 4, 5, 11, 12] {
            assert!(!may_report_v4(&v4(1, &[kind, 0])), "type {kind}");
        }
        assert!(!may_report_v4(&v4(1, &[])), "it may be an error");
        let with = |at: usize, to: u8| {
            let mut packet = v4(17, &[0; 8]);
            packet[at] = to;
            may_report_v4(&packet)
        };
        assert!(with(6, 0x20), "a first fragment is reported");
        assert!(!with(7, 1), "a later one is not");
        for (at, to) in [(12, 0), (12, 127), (12, 224), (12, 240), (16, 224), (16, 255)] {
            assert!(!with(at, to), "byte {at} is {to}");
        }
    }

    #[test]
    fn only_what_is_too_big_is_reported_about_groups_of_ipv6() {
        let to_one = v6("fd00::1", "fd00::2", 17, &[0; 8]);
        let to_all = v6("fd00::1", "ff02::1", 17, &[0; 8]);
        let exceeded = IcmpError { kind: 3, code: 0, rest: 0 };
        let option = IcmpError { kind: 4, code: 2, rest: 40 };
        assert!(may_report_v6(&to_one, exceeded) && !may_report_v6(&to_all, exceeded));
        assert!(may_report_v6(&to_all, TOO_BIG) && may_report_v6(&to_all, option));
        for src in ["::", "::1", "ff02::1", "::ffff:10.0.0.1"] {
            assert!(!may_report_v6(&v6(src, "fd00::2", 17, &[0; 8]), TOO_BIG), "{src}");
        }
        for (kind, reported) in [(1, false), (3, false), (127, false), (128, true), (135, true), (137, false)] {
            assert_eq!(may_report_v6(&v6("fd00::1", "fd00::2", 58, &[kind, 0]), TOO_BIG), reported, "type {kind}");
        }
        assert!(!may_report_v6(&v6("fd00::1", "fd00::2", 58, &[]), TOO_BIG));
    }

    #[test]
    fn checksums_of_udp_are_verified() {
        let frame = &real_frames()[3];
        let mut udp = frame[34..].to_vec();
        let pseudo = pseudo_v4(A, B, 17, udp.len() as u32);
        assert!(udp_checksum_ok(&udp, pseudo, true), "0 is none");
        assert!(!udp_checksum_ok(&udp, pseudo, false));
        let sum = (pseudo + Sum::of(&udp)).checksum();
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
        assert!(udp_checksum_ok(&udp, pseudo, false));
        assert!(!udp_checksum_ok(&udp, pseudo_v6("::1".parse().unwrap(), "::2".parse().unwrap(), 17, 11), false));
        udp[9] ^= 1;
        assert!(!udp_checksum_ok(&udp, pseudo, true));
    }
}
