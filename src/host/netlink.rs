//! A routing netlink socket: many requests in a row, then their answers.
//!
//! The socket belongs to the network namespace that its thread was in when it was opened, wherever the thread goes later:
//! so one kept socket a host reads counters without entering the host again.
//!
//! Sources: netlink(7), rtnetlink(7), Linux `Documentation/userspace-api/netlink/intro.rst`.

use core::net::IpAddr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno;

use super::error::HostError;

/// Requests on their way at once. Their answers must fit into the socket's receive buffer (212,992 bytes by default, of
/// which an answer takes up to 768 with its bookkeeping).
const WINDOW: usize = 128;

/// Room for what one receive call returns; the kernel's answers to one request are at most 32 KiB.
const RECEIVE_BYTES: usize = 64 << 10;

/// Room for one message of a monitor: one about an interface is about 1.5 KiB long.
const MONITOR_BYTES: usize = 8 << 10;

/// Requests to be sent together, each with words for what it does, which complete "cannot …".
#[derive(Default)]
pub(crate) struct Batch {
    requests: Vec<(RouteNetlinkMessage, u16, String)>,
}

impl Batch {
    /// Adds a request; `flags` beside REQUEST and ACK.
    pub(crate) fn push(&mut self, message: RouteNetlinkMessage, flags: u16, doing: impl Into<String>) {
        self.requests.push((message, flags, doing.into()));
    }
}

/// A routing netlink socket in one network namespace.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens one in the network namespace that this thread is in.
    pub(crate) fn open() -> Result<Netlink, HostError> {
        let open = || -> io::Result<Socket> {
            let socket = Socket::new(NETLINK_ROUTE)?;
            // Answers need not repeat the request, and say in words what was wrong with it.
            socket.set_cap_ack(true)?;
            socket.set_ext_ack(true)?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(socket)
        };
        open().map(Netlink::from_socket).map_err(|e| HostError::os("open a netlink socket", e))
    }

    /// Goes on with a socket that another process opened.
    pub(crate) fn from_socket(socket: Socket) -> Netlink {
        Netlink { socket, sequence: 0, buffer: vec![0; RECEIVE_BYTES] }
    }

    /// Sends all requests and waits for all answers; the first refusal is the error, and what followed in its window has
    /// been tried as well.
    pub(crate) fn execute(&mut self, batch: Batch) -> Result<(), HostError> {
        let mut requests = batch.requests.into_iter();
        loop {
            let window: Vec<_> = requests.by_ref().take(WINDOW).collect();
            if window.is_empty() {
                return Ok(());
            }
            self.exchange(window)?;
        }
    }

    fn exchange(&mut self, window: Vec<(RouteNetlinkMessage, u16, String)>) -> Result<(), HostError> {
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        let mut labels = Vec::with_capacity(window.len());
        for (message, flags, doing) in window {
            self.append(&mut bytes, message, flags | NLM_F_ACK);
            labels.push(doing);
        }
        let broken = |e: io::Error| HostError::os("exchange netlink messages", e);
        self.socket.send(&bytes, 0).map_err(broken)?;
        let mut outstanding = labels.len();
        let mut refused: Option<HostError> = None;
        while outstanding > 0 {
            let length = self.receive().map_err(broken)?;
            for answer in Answers::new(&self.buffer[..length]) {
                let at = answer.sequence.wrapping_sub(first) as usize;
                let Some(doing) = labels.get(at).filter(|_| answer.kind == NLMSG_ERROR) else { continue };
                outstanding -= 1;
                if let Some(errno) = answer.errno().filter(|_| refused.is_none()) {
                    refused = Some(refusal(doing, errno, answer.words()));
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// One link by its index.
    pub(crate) fn link(&mut self, index: u32) -> Result<LinkMessage, HostError> {
        let mut request = LinkMessage::default();
        request.header.index = index;
        self.one_link(request)
    }

    /// Whether there is a link of this name.
    pub(crate) fn has_link(&mut self, name: &str) -> bool {
        let mut request = LinkMessage::default();
        request.attributes = vec![LinkAttribute::IfName(name.to_owned())];
        self.one_link(request).is_ok()
    }

    fn one_link(&mut self, request: LinkMessage) -> Result<LinkMessage, HostError> {
        let doing = "read an interface's counters";
        let mut bytes = Vec::new();
        let sequence = self.append(&mut bytes, RouteNetlinkMessage::GetLink(request), 0);
        self.socket.send(&bytes, 0).map_err(|e| HostError::os(doing, e))?;
        loop {
            let length = self.receive().map_err(|e| HostError::os(doing, e))?;
            for answer in Answers::new(&self.buffer[..length]).filter(|a| a.sequence == sequence) {
                if let Some(errno) = answer.errno() {
                    return Err(HostError::os(doing, errno));
                }
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(answer.bytes);
                if let Ok(NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link))) = message.map(|m| m.payload)
                {
                    return Ok(link);
                }
            }
        }
    }

    /// All routes of a family, of all tables.
    pub(crate) fn routes(&mut self, family: AddressFamily) -> Result<Vec<RouteMessage>, HostError> {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        self.list(RouteNetlinkMessage::GetRoute(request), "read the routes", |message| match message {
            RouteNetlinkMessage::NewRoute(route) => Some(route),
            _ => None,
        })
    }

    /// Whether a neighbour has answered of late: its entry is `REACHABLE` (arp(7)).
    pub(crate) fn is_reachable(&mut self, address: IpAddr) -> Result<bool, HostError> {
        let mut request = NeighbourMessage::default();
        request.header.family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let wanted = NeighbourAttribute::Destination(address.into());
        let found =
            self.list(RouteNetlinkMessage::GetNeighbour(request), "read the neighbours", |message| match message {
                RouteNetlinkMessage::NewNeighbour(entry) => Some(entry),
                _ => None,
            })?;
        Ok(found
            .iter()
            .any(|entry| entry.header.state == NeighbourState::Reachable && entry.attributes.contains(&wanted)))
    }

    /// All entries of one of the kernel's lists.
    fn list<T>(
        &mut self,
        request: RouteNetlinkMessage,
        doing: &str,
        pick: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, HostError> {
        let mut bytes = Vec::new();
        let sequence = self.append(&mut bytes, request, NLM_F_DUMP);
        self.socket.send(&bytes, 0).map_err(|e| HostError::os(doing, e))?;
        let mut entries = Vec::new();
        loop {
            let length = self.receive().map_err(|e| HostError::os(doing, e))?;
            for answer in Answers::new(&self.buffer[..length]).filter(|a| a.sequence == sequence) {
                if let Some(errno) = answer.errno() {
                    return Err(HostError::os(doing, errno));
                }
                if answer.kind == NLMSG_DONE {
                    return Ok(entries);
                }
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(answer.bytes);
                if let Ok(NetlinkPayload::InnerMessage(message)) = message.map(|m| m.payload) {
                    entries.extend(pick(message));
                }
            }
        }
    }

    /// A request to be sent later, by [`Netlink::repeat`].
    pub(crate) fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append(&mut bytes, message, flags);
        bytes
    }

    /// Sends such a request.
    pub(crate) fn repeat(&mut self, request: &[u8], doing: String) -> Result<(), HostError> {
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(request);
        match message.map(|message| (message.header.flags, message.payload)) {
            Ok((flags, NetlinkPayload::InnerMessage(message))) => {
                let mut batch = Batch::default();
                batch.push(message, flags & !NLM_F_REQUEST, doing);
                self.execute(batch)
            }
            _ => Err(HostError::lacking(doing, "the request cannot be read")),
        }
    }

    fn append(&mut self, bytes: &mut Vec<u8>, message: RouteNetlinkMessage, flags: u16) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..start + message.buffer_len()]);
        self.sequence
    }

    fn receive(&mut self) -> io::Result<usize> {
        loop {
            let mut room: &mut [u8] = &mut self.buffer;
            match self.socket.recv(&mut room, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Type of the answer that ends a list.
const NLMSG_DONE: u16 = 3;
/// Type of an answer (an error, or with number 0 an acknowledgement).
const NLMSG_ERROR: u16 = 2;
/// Bytes of a netlink header.
const HEADER: usize = 16;
/// Flag of an answer that carries attributes.
const NLM_F_ACK_TLVS: u16 = 0x200;
/// Attribute with the kernel's own words.
const NLMSGERR_ATTR_MSG: u16 = 1;

/// A routing netlink socket that hears what the kernel tells everybody, in the network namespace where it was opened.
pub(crate) struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
}

/// A message that the kernel told everybody.
pub(crate) struct Told {
    /// What it says.
    pub(crate) message: RouteNetlinkMessage,
    /// Whether it says that something takes the place of what was there.
    pub(crate) replaces: bool,
}

impl Monitor {
    /// Opens one for some groups (`RTNLGRP_*` as bits, `RTMGRP_*`).
    pub(crate) fn open(groups: u32) -> Result<Monitor, HostError> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.set_non_blocking(true)?;
            socket.bind(&SocketAddr::new(0, groups))?;
            Ok(socket)
        };
        let socket = open().map_err(|e| HostError::os("watch a host's interfaces", e))?;
        Ok(Monitor { socket, buffer: vec![0; MONITOR_BYTES] })
    }

    /// Hands over all that has been told since the last call; `false` where something was told and got lost.
    pub(crate) fn read(&mut self, mut hear: impl FnMut(Told)) -> bool {
        let mut complete = true;
        loop {
            let mut room: &mut [u8] = &mut self.buffer;
            let length = match self.socket.recv(&mut room, 0) {
                Ok(length) => length,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    complete = false;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return complete,
            };
            for answer in Answers::new(&self.buffer[..length]) {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(answer.bytes).map(|m| m.payload);
                if let Ok(NetlinkPayload::InnerMessage(message)) = message {
                    hear(Told { message, replaces: answer.flags & NLM_F_REPLACE != 0 });
                }
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// One message of the kernel.
struct Answer<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    bytes: &'a [u8],
}

impl Answer<'_> {
    /// The refusal's number; `None` for an acknowledgement or data.
    fn errno(&self) -> Option<Errno> {
        let code = self.bytes.get(HEADER..HEADER + 4).filter(|_| self.kind == NLMSG_ERROR)?;
        let code = i32::from_ne_bytes(code.try_into().ok()?);
        (code != 0).then(|| Errno::from_raw(-code))
    }

    /// The refusal in the kernel's words.
    fn words(&self) -> Option<&str> {
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        // With NETLINK_CAP_ACK only the header of the request is repeated.
        let mut rest = self.bytes.get(HEADER + 4 + HEADER..)?;
        while rest.len() >= 4 {
            let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
            let kind = u16::from_ne_bytes([rest[2], rest[3]]);
            let value = rest.get(4..length)?;
            if kind == NLMSGERR_ATTR_MSG {
                return std::str::from_utf8(value).ok().map(|text| text.trim_end_matches('\0'));
            }
            rest = rest.get(length.next_multiple_of(4)..)?;
        }
        None
    }
}

/// The messages in what one receive call returned.
struct Answers<'a>(&'a [u8]);

impl<'a> Answers<'a> {
    fn new(bytes: &'a [u8]) -> Answers<'a> {
        Answers(bytes)
    }
}

impl<'a> Iterator for Answers<'a> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        let header: [u8; HEADER] = self.0.get(..HEADER)?.try_into().ok()?;
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let bytes = self.0.get(..length).filter(|_| length >= HEADER)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Answer {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            flags: u16::from_ne_bytes([header[6], header[7]]),
            sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
            bytes,
        })
    }
}

fn refusal(doing: &str, errno: Errno, words: Option<&str>) -> HostError {
    let mut error = HostError::os(doing, errno);
    if let Some(words) = words {
        error.reason = format!("{} ({words})", error.reason);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};

    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(u32::try_from(HEADER + payload.len()).expect("short").to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn acknowledgements_and_refusals_are_told_apart() {
        let mut refused = (-libc::EEXIST).to_ne_bytes().to_vec();
        refused.extend([0; HEADER]);
        let text = b"Address already assigned\0";
        refused.extend(u16::try_from(4 + text.len()).expect("short").to_ne_bytes());
        refused.extend(NLMSGERR_ATTR_MSG.to_ne_bytes());
        refused.extend(text);
        let mut bytes = message(NLMSG_ERROR, 0, 7, &[0; 20]);
        bytes.extend(message(NLMSG_ERROR, NLM_F_ACK_TLVS, 8, &refused));
        let answers: Vec<_> = Answers::new(&bytes).collect();
        assert_eq!(answers.iter().map(|a| a.sequence).collect::<Vec<_>>(), [7, 8]);
        assert_eq!((answers[0].errno(), answers[0].words()), (None, None));
        assert_eq!((answers[1].errno(), answers[1].words()), (Some(Errno::EEXIST), Some("Address already assigned")));
        assert!(refusal("add it", Errno::EEXIST, answers[1].words()).to_string().contains("(Address already"));
    }

    #[test]
    fn torn_messages_end_the_list_and_do_not_panic() {
        let whole = message(NLMSG_ERROR, NLM_F_ACK_TLVS, 1, &[1; 30]);
        for length in 0..whole.len() {
            for answer in Answers::new(&whole[..length]) {
                let _ = (answer.errno(), answer.words());
            }
        }
        assert_eq!(Answers::new(&whole[..HEADER - 1]).count(), 0);
        assert_eq!(Answers::new(&[0; 64]).count(), 0, "a length below a header's ends the list");
    }

    #[test]
    fn the_first_refused_request_of_several_windows_is_the_one_that_is_named() {
        // What number a process's network namespace has: short answers, and reading needs no privilege.
        let mut batch = Batch::default();
        for n in 0..3 * WINDOW {
            let pid = if n < WINDOW + 5 { std::process::id() } else { i32::MAX as u32 };
            let mut request = NsidMessage::default();
            request.attributes = vec![NsidAttribute::Pid(pid)];
            batch.push(RouteNetlinkMessage::GetNsId(request), 0, format!("look at process {n}"));
        }
        let mut netlink = Netlink::open().expect("a netlink socket");
        let error = netlink.execute(batch).expect_err("refused");
        assert_eq!((error.doing, error.errno), (format!("look at process {}", WINDOW + 5), Some(libc::ESRCH)));
        // The socket is in step for what comes next.
        assert_eq!(netlink.link(u32::MAX >> 1).expect_err("no such interface").errno, Some(libc::ENODEV));
        assert_eq!(netlink.link(1).expect("lo").header.index, 1);
    }
}
