//! DHCP for IPv4: the messages of clients and servers (RFC 2131 §2), and the options that tell a host its place in a
//! network (RFC 2132).

use core::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::ethernet::MacAddr;
use super::{Malformed, be16, be32, need, octets, put};

/// The UDP port of servers.
pub const SERVER_PORT: u16 = 67;
/// The UDP port of clients.
pub const CLIENT_PORT: u16 = 68;

/// Bytes in front of the options: the header of BOOTP (RFC 951 §3), and the cookie that says that options follow.
const OPTIONS: usize = 240;
/// A message is at least so long (RFC 1542 §2.1): some clients take no shorter one.
const MIN_LEN: usize = 300;
/// What says that DHCP options follow (RFC 2131 §3).
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// The client asks for broadcasts: it takes no packet for an address that it does not have yet.
const BROADCAST: u16 = 0x8000;

/// The code of an option (RFC 2132).
mod code {
    pub(super) const PAD: u8 = 0;
    pub(super) const MASK: u8 = 1;
    pub(super) const ROUTERS: u8 = 3;
    pub(super) const DNS: u8 = 6;
    pub(super) const HOST_NAME: u8 = 12;
    pub(super) const DOMAIN: u8 = 15;
    pub(super) const MTU: u8 = 26;
    pub(super) const BROADCAST: u8 = 28;
    pub(super) const REQUESTED: u8 = 50;
    pub(super) const LEASE: u8 = 51;
    pub(super) const KIND: u8 = 53;
    pub(super) const SERVER: u8 = 54;
    pub(super) const RENEW: u8 = 58;
    pub(super) const REBIND: u8 = 59;
    pub(super) const END: u8 = 255;
}

/// What a message says (RFC 2131 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A client looks for servers.
    Discover = 1,
    /// A server has an address.
    Offer = 2,
    /// A client wants an address, or goes on with it.
    Request = 3,
    /// Somebody else uses the address.
    Decline = 4,
    /// A server has given it.
    Ack = 5,
    /// A server does not give it.
    Nak = 6,
    /// A client gives it back.
    Release = 7,
    /// A client has an address, and wants to know the rest.
    Inform = 8,
}

impl Kind {
    const ALL: [Kind; 8] =
        [Kind::Discover, Kind::Offer, Kind::Request, Kind::Decline, Kind::Ack, Kind::Nak, Kind::Release, Kind::Inform];
}

/// A message that was received, as far as a server reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says; `None` for BOOTP without DHCP.
    pub kind: Option<Kind>,
    /// A server sent it, not a client.
    pub reply: bool,
    /// What a client's question and its answers have in common.
    pub xid: u32,
    /// The client asks for a broadcast.
    pub broadcast: bool,
    /// The address that the client has and answers for (`ciaddr`), or 0.0.0.0.
    pub client: Ipv4Addr,
    /// The relay that has passed it on (`giaddr`), or 0.0.0.0.
    pub relay: Ipv4Addr,
    /// The client's MAC address (`chaddr`).
    pub mac: MacAddr,
    /// The address that the client asks for.
    pub requested: Option<Ipv4Addr>,
    /// The server that the message is for, or from.
    pub server: Option<Ipv4Addr>,
}

impl Message {
    /// Reads the payload of a datagram. Options that a server of addresses does not need are passed over; one that reaches
    /// beyond the end, or has a length that it cannot have, spoils the message.
    pub fn read(bytes: &[u8]) -> Result<Message, Malformed> {
        need("DHCP", OPTIONS, bytes.len())?;
        let field = |field, value| Err(Malformed::Field { header: "DHCP", field, value });
        let mac = MacAddr(octets(bytes, 28));
        match bytes {
            [1 | 2, 1, 6, ..] if mac.is_unicast() => {}
            [1 | 2, 1, 6, ..] => return field("client address", u32::from(mac.0[0])),
            [1 | 2, kind, ..] => return field("hardware type", (*kind).into()),
            _ => return field("operation", bytes[0].into()),
        }
        if bytes[OPTIONS - 4..OPTIONS] != COOKIE {
            return field("cookie", be32(bytes, OPTIONS - 4));
        }
        let mut message = Message {
            kind: None,
            reply: bytes[0] == 2,
            xid: be32(bytes, 4),
            broadcast: be16(bytes, 10) & BROADCAST != 0,
            client: octets(bytes, 12).into(),
            relay: octets(bytes, 24).into(),
            mac,
            requested: None,
            server: None,
        };
        message.read_options(&bytes[OPTIONS..])?;
        Ok(message)
    }

    fn read_options(&mut self, mut options: &[u8]) -> Result<(), Malformed> {
        let length = |len: usize| Malformed::Field { header: "DHCP", field: "option length", value: len as u32 };
        while let [code, rest @ ..] = options {
            options = rest;
            if *code == code::END {
                break;
            } else if *code == code::PAD {
                continue;
            }
            let [len, rest @ ..] = rest else { return Err(length(0)) };
            let len = usize::from(*len);
            need("DHCP option", len, rest.len())?;
            let (value, rest) = rest.split_at(len);
            options = rest;
            let address = || <[u8; 4]>::try_from(value).map(Ipv4Addr::from).map_err(|_| length(len));
            match *code {
                code::REQUESTED => self.requested = Some(address()?),
                code::SERVER => self.server = Some(address()?),
                code::KIND => {
                    let [value] = value else { return Err(length(len)) };
                    let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == *value);
                    self.kind = Some(kind.ok_or(Malformed::Field {
                        header: "DHCP",
                        field: "message type",
                        value: (*value).into(),
                    })?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a message tells a host beside its address. All of it takes at most 308 bytes, so that the message is one that every client
/// accepts (RFC 2131 §2), if there are at most [`MAX_DNS`] name servers and names are at most [`MAX_NAME`] long.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Its network.
    pub net: Ipv4Net,
    /// The router.
    pub router: Ipv4Addr,
    /// Name servers.
    pub dns: &'a [Ipv4Addr],
    /// Its name.
    pub name: Option<&'a str>,
    /// The domain that its name is in.
    pub domain: Option<&'a str>,
    /// Largest packet of the link, at least 68 bytes.
    pub mtu: u16,
    /// For how many seconds it may keep the address; `None` in an answer to [`Kind::Inform`].
    pub lease: Option<u32>,
}

/// Name servers that a message can tell.
pub const MAX_DNS: usize = 8;
/// Bytes of the longest name of a host or a domain that a message can tell.
pub const MAX_NAME: usize = 80;

/// A message that is sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// What it says. Of a client there is only [`Kind::Discover`].
    pub kind: Kind,
    /// As in the question.
    pub xid: u32,
    /// The client asks for a broadcast.
    pub broadcast: bool,
    /// As in the question (`ciaddr`).
    pub client: Ipv4Addr,
    /// The address that the client gets (`yiaddr`), or 0.0.0.0.
    pub yours: Ipv4Addr,
    /// The client's MAC address.
    pub mac: MacAddr,
    /// The server; `None` in a client's message.
    pub server: Option<Ipv4Addr>,
    /// The client's place in the network.
    pub settings: Option<Settings<'a>>,
}

impl Outgoing<'_> {
    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + OPTIONS, 0);
        let head = &mut out[start..];
        put(head, 0, [if self.server.is_some() { 2 } else { 1 }, 1, 6, 0]);
        put(head, 4, self.xid.to_be_bytes());
        put(head, 10, (if self.broadcast { BROADCAST } else { 0 }).to_be_bytes());
        put(head, 12, self.client.octets());
        put(head, 16, self.yours.octets());
        put(head, 28, self.mac.0);
        put(head, OPTIONS - 4, COOKIE);
        option(out, code::KIND, &[self.kind as u8]);
        if let Some(server) = self.server {
            option(out, code::SERVER, &server.octets());
        }
        if let Some(settings) = &self.settings {
            settings.write(out);
        }
        out.push(code::END);
        out.resize(out.len().max(start + MIN_LEN), code::PAD);
    }
}

impl Settings<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        if let Some(lease) = self.lease {
            // RFC 2131 §4.4.5: it is renewed after a half, and asked of any server after seven eighths
            let times = [(code::LEASE, lease), (code::RENEW, lease / 2), (code::REBIND, lease - lease / 8)];
            times.into_iter().for_each(|(code, seconds)| option(out, code, &seconds.to_be_bytes()));
        }
        // RFC 2132 §3.3: the mask comes before the router
        option(out, code::MASK, &self.net.netmask().octets());
        option(out, code::ROUTERS, &self.router.octets());
        if self.net.prefix_len() <= 30 {
            option(out, code::BROADCAST, &self.net.broadcast().octets());
        }
        option(out, code::MTU, &self.mtu.max(68).to_be_bytes());
        let mut servers = [0; 4 * MAX_DNS];
        let count = self.dns.len().min(MAX_DNS);
        servers.chunks_exact_mut(4).zip(self.dns).for_each(|(to, server)| to.copy_from_slice(&server.octets()));
        if count > 0 {
            option(out, code::DNS, &servers[..4 * count]);
        }
        for (code, name) in [(code::HOST_NAME, self.name), (code::DOMAIN, self.domain)] {
            if let Some(name) = name.filter(|name| (1..=MAX_NAME).contains(&name.len())) {
                option(out, code, name.as_bytes());
            }
        }
    }
}

/// Appends an option of at most 255 bytes.
fn option(out: &mut Vec<u8>, code: u8, value: &[u8]) {
    out.extend([code, value.len() as u8]);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 2, 7]);

    /// What busybox's udhcpc 1.35 sends first, without its padding.
    fn discover() -> Vec<u8> {
        let mut bytes = vec![0; OPTIONS];
        bytes[..8].copy_from_slice(&[1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78]);
        bytes[28..34].copy_from_slice(&MAC.0);
        bytes[236..240].copy_from_slice(&COOKIE);
        bytes.extend([53, 1, 1, 61, 7, 1, 2, 0, 0, 0, 2, 7, 57, 2, 2, 64, 55, 7, 1, 3, 6, 12, 15, 28, 42]);
        bytes.extend([60, 12]);
        bytes.extend(b"udhcp 1.35.0");
        bytes.push(255);
        bytes
    }

    const FULL: Settings<'_> = Settings {
        net: Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 1, 0), 24),
        router: Ipv4Addr::new(10, 0, 1, 1),
        dns: &[Ipv4Addr::new(10, 0, 0, 53), Ipv4Addr::new(192, 0, 2, 53)],
        name: Some("vm"),
        domain: Some("lab.example"),
        mtu: 1400,
        lease: Some(3600),
    };

    fn offer(settings: Option<Settings<'_>>) -> Vec<u8> {
        let mut out = vec![7; 3];
        let server = Some(Ipv4Addr::new(10, 0, 1, 1));
        let (client, yours) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 0, 1, 2));
        Outgoing { kind: Kind::Offer, xid: 9, broadcast: true, client, yours, mac: MAC, server, settings }
            .write(&mut out);
        assert_eq!(out[..3], [7; 3]);
        out.split_off(3)
    }

    #[test]
    fn a_clients_message_is_read() {
        let message = Message::read(&discover()).unwrap();
        assert_eq!(
            message,
            Message {
                kind: Some(Kind::Discover),
                reply: false,
                xid: 0x1234_5678,
                broadcast: false,
                client: Ipv4Addr::UNSPECIFIED,
                relay: Ipv4Addr::UNSPECIFIED,
                mac: MAC,
                requested: None,
                server: None,
            }
        );
        let mut request = discover();
        request[10] = 0x80;
        request[242] = 3;
        request.splice(243..243, [50, 4, 10, 0, 1, 2, 0, 0, 54, 4, 10, 0, 1, 1]);
        let message = Message::read(&request).unwrap();
        assert_eq!((message.kind, message.broadcast), (Some(Kind::Request), true));
        assert_eq!((message.requested, message.server), (Some([10, 0, 1, 2].into()), Some([10, 0, 1, 1].into())));
        // nothing behind the end counts, and BOOTP says nothing
        let mut bootp = discover();
        bootp[240] = 255;
        assert_eq!(Message::read(&bootp).unwrap().kind, None);
    }

    #[test]
    fn an_offer_has_its_options_in_order() {
        let bytes = offer(Some(FULL));
        let mut expected = vec![53, 1, 2, 54, 4, 10, 0, 1, 1];
        expected.extend([51, 4, 0, 0, 0x0e, 0x10, 58, 4, 0, 0, 7, 8, 59, 4, 0, 0, 0x0c, 0x4e]);
        expected.extend([1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 1, 1, 28, 4, 10, 0, 1, 255, 26, 2, 5, 0x78]);
        expected.extend([6, 8, 10, 0, 0, 53, 192, 0, 2, 53, 12, 2, b'v', b'm', 15, 11]);
        expected.extend(b"lab.example");
        expected.push(255);
        assert_eq!(bytes[240..], expected);
        assert_eq!((&bytes[..12], &bytes[16..20]), (&[2, 1, 6, 0, 0, 0, 0, 9, 0, 0, 0x80, 0][..], &[10, 0, 1, 2][..]));
        let read = Message::read(&bytes).unwrap();
        assert_eq!((read.reply, read.kind, read.server), (true, Some(Kind::Offer), Some([10, 0, 1, 1].into())));
        assert_eq!(offer(None).len(), MIN_LEN, "short ones are padded");
    }

    #[test]
    fn the_longest_message_is_one_that_every_client_accepts() {
        let (name, dns) = ("x".repeat(MAX_NAME), [Ipv4Addr::BROADCAST; MAX_DNS + 1]);
        let settings = Settings { dns: &dns, name: Some(&name), domain: Some(&name), ..FULL };
        // RFC 2131 §2: an IP packet of 576 bytes
        assert!(offer(Some(settings)).len() <= 576 - 28);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_field() {
        let refused = |at: usize, to: u8| {
            let mut bad = discover();
            bad[at] = to;
            match Message::read(&bad) {
                Err(Malformed::Field { field, .. }) => field,
                Err(Malformed::Truncated { .. }) => "truncated",
                Ok(_) => "good",
            }
        };
        for (at, to, field) in [
            (0, 3, "operation"),
            (1, 6, "hardware type"),
            (2, 16, "hardware type"),
            (28, 1, "client address"),
            (239, 98, "cookie"),
            (241, 2, "option length"),
            (242, 0, "message type"),
            (242, 9, "message type"),
            (244, 200, "truncated"),
        ] {
            assert_eq!(refused(at, to), field, "byte {at} is {to}");
        }
        assert!(Message::read(&discover()[..239]).is_err());
        assert!(Message::read(&discover()[..241]).is_err(), "an option without a length");
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_read_was_there(cut in 0usize..300, at in 0usize..300, to: u8) {
            let mut bytes = discover();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            bytes.truncate(cut);
            let _ = Message::read(&bytes);
        }
    }
}
