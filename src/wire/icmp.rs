//! ICMP for IPv4 (RFC 792) and for IPv6 (RFC 4443) with neighbour discovery (RFC 4861). Both share the first 8 bytes:
//! type, code, checksum, and four that depend on the type.

use core::net::Ipv6Addr;

use super::{Malformed, be16, be32, checksum, need, octets, put};

/// Bytes of the header.
pub const HEADER_LEN: usize = 8;

/// Types and codes of ICMP for IPv4 (protocol 1).
pub mod v4 {
    /// The answer to an echo request.
    pub const ECHO_REPLY: u8 = 0;
    /// It did not arrive; the code says why.
    pub const UNREACHABLE: u8 = 3;
    /// Another router is nearer.
    pub const REDIRECT: u8 = 5;
    /// What ping sends.
    pub const ECHO_REQUEST: u8 = 8;
    /// TTL ran out (code 0), or reassembly took too long (code 1).
    pub const TIME_EXCEEDED: u8 = 11;
    /// The header does not make sense.
    pub const PARAMETER_PROBLEM: u8 = 12;

    /// Code of [`UNREACHABLE`]: no way to the network.
    pub const CODE_NET: u8 = 0;
    /// Code of [`UNREACHABLE`]: the host does not answer.
    pub const CODE_HOST: u8 = 1;
    /// Code of [`UNREACHABLE`]: the host does not know the protocol.
    pub const CODE_PROTOCOL: u8 = 2;
    /// Code of [`UNREACHABLE`]: nobody listens on the port.
    pub const CODE_PORT: u8 = 3;
    /// Code of [`UNREACHABLE`]: too large and not to be fragmented; the next MTU is in the header (RFC 1191).
    pub const CODE_FRAGMENTATION_NEEDED: u8 = 4;
    /// Code of [`UNREACHABLE`]: forbidden by a filter.
    pub const CODE_PROHIBITED: u8 = 13;
}

/// Types and codes of ICMP for IPv6 (protocol 58).
pub mod v6 {
    /// It did not arrive; the code says why.
    pub const UNREACHABLE: u8 = 1;
    /// Too large; the MTU is in the header.
    pub const PACKET_TOO_BIG: u8 = 2;
    /// The hop limit ran out (code 0), or reassembly took too long (code 1).
    pub const TIME_EXCEEDED: u8 = 3;
    /// The header does not make sense.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// What ping sends.
    pub const ECHO_REQUEST: u8 = 128;
    /// The answer to an echo request.
    pub const ECHO_REPLY: u8 = 129;
    /// Asks routers to show themselves.
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// A router shows itself.
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Who has the target address?
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    /// Whoever has the target address answers.
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    /// Another router is nearer.
    pub const REDIRECT: u8 = 137;
    /// What multicast listeners report (MLDv2, RFC 3810).
    pub const LISTENER_REPORT_V2: u8 = 143;

    /// Code of [`UNREACHABLE`]: no route.
    pub const CODE_NO_ROUTE: u8 = 0;
    /// Code of [`UNREACHABLE`]: forbidden by a filter.
    pub const CODE_PROHIBITED: u8 = 1;
    /// Code of [`UNREACHABLE`]: the source address is not valid where the destination is.
    pub const CODE_BEYOND_SCOPE: u8 = 2;
    /// Code of [`UNREACHABLE`]: the address does not answer.
    pub const CODE_ADDRESS: u8 = 3;
    /// Code of [`UNREACHABLE`]: nobody listens on the port.
    pub const CODE_PORT: u8 = 4;

    /// Code of [`PARAMETER_PROBLEM`]: a header field that cannot be.
    pub const CODE_FIELD: u8 = 0;
    /// Code of [`PARAMETER_PROBLEM`]: a next header that is not known.
    pub const CODE_NEXT_HEADER: u8 = 1;
    /// Code of [`PARAMETER_PROBLEM`]: an option that is not known and says to be reported.
    pub const CODE_OPTION: u8 = 2;
}

/// The words for a type of ICMP for IPv4.
pub const fn name_v4(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (v4::ECHO_REPLY, _) => "echo reply",
        (v4::UNREACHABLE, v4::CODE_NET) => "net unreachable",
        (v4::UNREACHABLE, v4::CODE_HOST) => "host unreachable",
        (v4::UNREACHABLE, v4::CODE_PORT) => "port unreachable",
        (v4::UNREACHABLE, v4::CODE_FRAGMENTATION_NEEDED) => "fragmentation needed",
        (v4::UNREACHABLE, v4::CODE_PROHIBITED) => "prohibited",
        (v4::UNREACHABLE, _) => "unreachable",
        (v4::REDIRECT, _) => "redirect",
        (v4::ECHO_REQUEST, _) => "echo request",
        (v4::TIME_EXCEEDED, _) => "time exceeded",
        (v4::PARAMETER_PROBLEM, _) => "parameter problem",
        _ => return None,
    })
}

/// The words for a type of ICMP for IPv6.
pub const fn name_v6(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (v6::UNREACHABLE, v6::CODE_NO_ROUTE) => "no route",
        (v6::UNREACHABLE, v6::CODE_PROHIBITED) => "prohibited",
        (v6::UNREACHABLE, v6::CODE_ADDRESS) => "address unreachable",
        (v6::UNREACHABLE, v6::CODE_PORT) => "port unreachable",
        (v6::UNREACHABLE, _) => "unreachable",
        (v6::PACKET_TOO_BIG, _) => "packet too big",
        (v6::TIME_EXCEEDED, _) => "time exceeded",
        (v6::PARAMETER_PROBLEM, _) => "parameter problem",
        (v6::ECHO_REQUEST, _) => "echo request",
        (v6::ECHO_REPLY, _) => "echo reply",
        (v6::ROUTER_SOLICITATION, _) => "router solicitation",
        (v6::ROUTER_ADVERTISEMENT, _) => "router advertisement",
        (v6::NEIGHBOR_SOLICITATION, _) => "neighbor solicitation",
        (v6::NEIGHBOR_ADVERTISEMENT, _) => "neighbor advertisement",
        (v6::REDIRECT, _) => "redirect",
        (v6::LISTENER_REPORT_V2, _) => "listener report",
        _ => return None,
    })
}

/// Whether a message of ICMP for IPv4 reports an error. No error is ever sent about an error (RFC 1122 §3.2.2).
pub const fn is_error_v4(kind: u8) -> bool {
    // 4 is the source quench of old (RFC 6633)
    matches!(kind, v4::UNREACHABLE | 4 | v4::REDIRECT | v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM)
}

/// Whether a message of ICMP for IPv6 reports an error: the upper bit tells (RFC 4443 §2.1).
pub const fn is_error_v6(kind: u8) -> bool {
    kind < 128
}

/// A message of either ICMP.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// A view of `bytes`, which must hold the 8-byte header.
    pub fn new_checked(bytes: T) -> Result<Packet<T>, Malformed> {
        need("ICMP", HEADER_LEN, bytes.as_ref().len())?;
        Ok(Packet(bytes))
    }

    fn b(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The type.
    pub fn kind(&self) -> u8 {
        self.b()[0]
    }

    /// The code.
    pub fn code(&self) -> u8 {
        self.b()[1]
    }

    /// The checksum as it stands.
    pub fn checksum(&self) -> u16 {
        be16(self.b(), 2)
    }

    /// The four bytes that depend on the type: the MTU of a packet too big, in 16 bits of fragmentation needed.
    pub fn rest(&self) -> u32 {
        be32(self.b(), 4)
    }

    /// The identifier of an echo.
    pub fn ident(&self) -> u16 {
        be16(self.b(), 4)
    }

    /// The sequence number of an echo.
    pub fn sequence(&self) -> u16 {
        be16(self.b(), 6)
    }

    /// The address that a neighbour solicitation or advertisement (IPv6) is about, where the slice holds it.
    pub fn neighbor_target(&self) -> Option<Ipv6Addr> {
        let about_one = matches!(self.kind(), v6::NEIGHBOR_SOLICITATION | v6::NEIGHBOR_ADVERTISEMENT);
        (about_one && self.b().len() >= 24).then(|| octets(self.b(), 8).into())
    }

    /// What follows the header: of an error, the packet it is about.
    pub fn payload(&self) -> &[u8] {
        &self.b()[HEADER_LEN..]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// Sets type and code.
    pub fn set_kind(&mut self, kind: u8, code: u8) {
        put(self.0.as_mut(), 0, [kind, code]);
    }

    /// Sets the four bytes that depend on the type.
    pub fn set_rest(&mut self, rest: u32) {
        put(self.0.as_mut(), 4, rest.to_be_bytes());
    }

    /// What follows the header.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.0.as_mut()[HEADER_LEN..]
    }

    /// Computes the checksum of ICMP for IPv4 over the whole slice, which must end with the message.
    pub fn fill_checksum_v4(&mut self) {
        put(self.0.as_mut(), 2, [0, 0]);
        let sum = checksum::checksum(self.b());
        put(self.0.as_mut(), 2, sum.to_be_bytes());
    }

    /// Computes the checksum of ICMP for IPv6 over the pseudo header and the whole slice, which must end with the message.
    pub fn fill_checksum_v6(&mut self, src: Ipv6Addr, dst: Ipv6Addr) {
        put(self.0.as_mut(), 2, [0, 0]);
        let pseudo = checksum::pseudo_v6(src, dst, 58, self.b().len() as u32);
        let sum = (pseudo + checksum::Sum::of(self.b())).checksum();
        put(self.0.as_mut(), 2, sum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::naive_sum;
    use super::*;

    #[test]
    fn an_echo_is_written_and_read() {
        let mut bytes = *b"........abcde";
        let mut p = Packet::new_checked(&mut bytes[..]).unwrap();
        p.set_kind(v4::ECHO_REQUEST, 0);
        p.set_rest(0x1234_0007);
        p.fill_checksum_v4();
        assert_eq!((p.kind(), p.code(), p.ident(), p.sequence(), p.payload()), (8, 0, 0x1234, 7, &b"abcde"[..]));
        assert_eq!(naive_sum(&bytes), 0xffff);
        assert!(Packet::new_checked(&bytes[..7]).is_err());
    }

    #[test]
    fn the_checksum_for_ipv6_covers_the_addresses() {
        let mut bytes = [0; 24];
        let (a, b): (Ipv6Addr, Ipv6Addr) = ("fe80::1".parse().unwrap(), "ff02::1:ff00:2".parse().unwrap());
        let mut p = Packet::new_checked(&mut bytes[..]).unwrap();
        p.set_kind(v6::NEIGHBOR_SOLICITATION, 0);
        p.payload_mut().copy_from_slice(&a.octets());
        p.fill_checksum_v6(a, b);
        assert_eq!(p.neighbor_target(), Some(a));
        let all = [&a.octets()[..], &b.octets(), &[0, 0, 0, 24, 0, 0, 0, 58], &bytes].concat();
        assert_eq!(naive_sum(&all), 0xffff);
        assert_eq!(Packet::new_checked(&bytes[..23]).unwrap().neighbor_target(), None);
    }

    #[test]
    fn errors_are_told_from_questions() {
        assert!(is_error_v4(v4::UNREACHABLE) && is_error_v4(v4::TIME_EXCEEDED));
        assert!(!is_error_v4(v4::ECHO_REQUEST) && !is_error_v4(v4::ECHO_REPLY));
        assert!(is_error_v6(v6::PACKET_TOO_BIG) && !is_error_v6(v6::NEIGHBOR_SOLICITATION));
        assert_eq!(name_v4(3, 4), Some("fragmentation needed"));
        assert_eq!(name_v6(128, 0), Some("echo request"));
        assert_eq!(name_v6(200, 0), None);
    }
}
