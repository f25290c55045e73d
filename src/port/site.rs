//! A UDP socket that carries frames to another site and back, by VXLAN (RFC 7348) or by longwire's own encapsulation.
//!
//! A datagram is one frame. The kernel and Open vSwitch send each flow from a port of its own, a hash of the frame (RFC 7348 §5), so any
//! port of the peer is taken, and the socket is not connected; what another address sends is dropped here, and counted. This side
//! sends from the port that it listens on: to the path all frames are one flow, which it keeps in order.
//!
//! Time stamps of longwire's encapsulation are readings of `CLOCK_MONOTONIC_RAW`, which nobody sets or slews. They are taken in this
//! process: of the kernel's own (`SO_TIMESTAMPNS`) the clock may be set, and what a late reading adds, the least delay has not.
//!
//! What the network says of a datagram comes back by the socket's error queue (`IP_RECVERR`, ip(7)). It never ends the port: UDP has no
//! connection that could end, and a peer that is not there yet may come.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, recvmsg, sendmsg, socket,
};
use nix::time::{ClockId, clock_gettime};

use super::frames::{self, LONGEST_PREFIX, Output, Received};
use super::options::{get, set, set_buffer};
use super::path::{Measured, Path};
use crate::frame::FramePool;
use crate::topology::site::Encapsulation;
use crate::units::{Duration, NANOS_PER_SEC};
use crate::wire::site::Header;
use crate::wire::vnet::VnetHeader;
use crate::wire::{ethernet, site, vxlan};

/// What waits unread at most, where the machine allows that much.
const RECEIVE_BUFFER: libc::c_int = 64 << 20;
/// What waits in the kernel to be sent at most: a queue there would be a delay that no link has.
const SEND_BUFFER: libc::c_int = 1 << 20;
/// Messages of the network that are read at a time.
const MESSAGES: usize = 64;
/// `UDP_NO_CHECK6_RX` of linux/udp.h.
const UDP_NO_CHECK6_RX: libc::c_int = 102;
/// `SK_MEMINFO_DROPS` of linux/sock_diag.h, and how many numbers there are.
const DROPS: usize = 8;

/// An open socket to another site: non-blocking, close-on-exec, closed on drop.
#[derive(Debug)]
pub struct SitePort {
    socket: OwnedFd,
    peer: SocketAddr,
    to: SockaddrStorage,
    vni: u32,
    /// That of longwire's own encapsulation; `None` by VXLAN.
    path: Option<Box<Path>>,
    counted: Counted,
    /// Datagrams that found no room, as far as they have been told.
    dropped: u32,
    /// A datagram has been read since nothing was left to read.
    read: bool,
}

/// What a port to another site has counted beside frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Datagrams that another address than the peer's sent.
    pub wrong_peer: u64,
    /// Datagrams of the peer for another network.
    pub wrong_vni: u64,
    /// Frames that are too long for the path with what stands before them: not sent, or dropped by a router that said so.
    pub too_long: u64,
    /// Frames that were not sent for another reason than a lack of room, and those of which the network said that they did not arrive.
    pub unreachable: u64,
    /// The last of these reasons.
    pub reason: Option<&'static str>,
}

/// A way to a peer.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The longest IP packet that it carries, in bytes, as far as this machine knows: by its interface, and by what routers have said.
    pub mtu: u32,
    /// The address that this machine has on it.
    pub from: IpAddr,
}

/// The way that this machine's packets take from `listen` to `peer`. Nothing is sent.
///
/// # Errors
/// `ENETUNREACH` or `EHOSTUNREACH` without a route; `EADDRNOTAVAIL` where `listen` is no address of this machine.
pub fn way(listen: IpAddr, peer: SocketAddr) -> io::Result<Way> {
    let probe = UdpSocket::bind((listen, 0))?;
    probe.connect(peer)?;
    let (level, option) = if peer.is_ipv4() { (libc::SOL_IP, libc::IP_MTU) } else { (libc::SOL_IPV6, libc::IPV6_MTU) };
    let [mtu] = get(&probe, level, option)?;
    Ok(Way { mtu, from: probe.local_addr()?.ip() })
}

impl SitePort {
    /// Opens one in the calling thread's network namespace. `listen` and `peer` are of one family.
    ///
    /// # Errors
    /// `EADDRINUSE` where a socket has the port, `EADDRNOTAVAIL` where `listen` is no address of this machine, `EACCES` of a port below
    /// 1024 without CAP_NET_BIND_SERVICE.
    pub fn open(listen: SocketAddr, peer: SocketAddr, vni: u32, encapsulation: Encapsulation) -> io::Result<SitePort> {
        let family = if peer.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(family, SockType::Datagram, flags, None)?;
        let on: libc::c_int = 1;
        if peer.is_ipv4() {
            set(&socket, libc::SOL_IP, libc::IP_MTU_DISCOVER, &libc::IP_PMTUDISC_DO)?;
            set(&socket, libc::SOL_IP, libc::IP_RECVERR, &on)?;
        } else {
            set(&socket, libc::SOL_IPV6, libc::IPV6_V6ONLY, &on)?;
            set(&socket, libc::SOL_IPV6, libc::IPV6_MTU_DISCOVER, &libc::IPV6_PMTUDISC_DO)?;
            set(&socket, libc::SOL_IPV6, libc::IPV6_RECVERR, &on)?;
            // RFC 7348 §4.1: a datagram without a checksum must be taken; RFC 6935 allows that over IPv6
            set(&socket, libc::SOL_UDP, UDP_NO_CHECK6_RX, &on)?;
        }
        set_buffer(&socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
        set_buffer(&socket, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_BUFFER)?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(listen))?;
        let (to, counted) = (peer.into(), Counted::default());
        let path = match encapsulation {
            Encapsulation::Vxlan => None,
            Encapsulation::Longwire(spec) => Some(Box::new(Path::new(spec, vni, now()))),
        };
        Ok(SitePort { socket, peer, to, vni, path, counted, dropped: 0, read: false })
    }

    /// Where the other site is.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What it has counted so far.
    pub fn counted(&self) -> &Counted {
        &self.counted
    }

    /// What it has measured of the path so far; `None` by VXLAN.
    pub fn measured(&self) -> Option<Measured> {
        self.path.as_ref().map(|path| path.measured())
    }

    /// Whether it measures the path, and [`SitePort::tick`] has to be called.
    pub fn is_measuring(&self) -> bool {
        self.path.is_some()
    }

    /// Whether links include the path in their delay.
    pub fn includes_path(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.is_included())
    }

    /// Sends a probe if it is time for one. To be called every few milliseconds.
    pub fn tick(&mut self) {
        if let Some(header) = self.path.as_mut().and_then(|path| path.probe(now())) {
            // what keeps frames from going out will be told of them
            let _ = self.write(&[IoSlice::new(&header)]);
        }
    }

    fn header_len(&self) -> usize {
        if self.is_measuring() { site::HEADER_LEN } else { vxlan::HEADER_LEN }
    }

    /// Reads the frame of one datagram into the pool.
    ///
    /// # Errors
    /// `WouldBlock` where none waits.
    pub fn receive(&mut self, pool: &mut FramePool) -> io::Result<Received> {
        let mut header = [0; LONGEST_PREFIX];
        let header_len = self.header_len();
        let mut datagram = Datagram::default();
        let socket = self.socket.as_raw_fd();
        let frame = frames::read(pool, &mut header[..header_len], |parts| {
            let got = recvmsg::<SockaddrStorage>(socket, parts, None, MsgFlags::empty())?;
            datagram = Datagram {
                from: got.address.and_then(address),
                len: got.bytes,
                cut: got.flags.contains(MsgFlags::MSG_TRUNC),
            };
            Ok::<_, Errno>(got.bytes)
        });
        let frame = match frame {
            Ok(frame) => frame,
            Err(Errno::EINTR) => return Err(Errno::EINTR.into()),
            Err(errno) => {
                // The socket stays ready until messages are read; they may have been what woke the reader.
                if errno != Errno::EAGAIN || !self.read {
                    self.take_messages();
                }
                self.read = false;
                return Err(Errno::EAGAIN.into());
            }
        };
        self.read = true;
        if datagram.from != Some(self.peer.ip()) {
            pool.release(frame);
            self.counted.wrong_peer += 1;
            return Ok(Received::Foreign);
        }
        let carries = match datagram.len.saturating_sub(header_len) {
            0 => Carries::Nothing,
            len if len >= ethernet::HEADER_LEN && !datagram.cut => Carries::Frame,
            _ => Carries::Junk,
        };
        let received = match self.take(&header[..datagram.len.min(header_len)], carries) {
            Taken::Frame(path) => {
                pool.set_path(&frame, path);
                return Ok(Received::Frame(frame));
            }
            Taken::Foreign => Received::Foreign,
            Taken::Malformed => Received::Malformed,
        };
        pool.release(frame);
        Ok(received)
    }

    /// Reads the header of a datagram of the peer.
    fn take(&mut self, header: &[u8], carries: Carries) -> Taken {
        let mut of_this_network = |vni| {
            self.counted.wrong_vni += u64::from(vni != self.vni);
            vni == self.vni
        };
        match &mut self.path {
            None => match (vxlan::vni(header), carries) {
                (Err(_), _) => Taken::Malformed,
                (Ok(vni), _) if !of_this_network(vni) => Taken::Foreign,
                (Ok(_), Carries::Frame) => Taken::Frame(Duration::ZERO),
                (Ok(_), Carries::Nothing | Carries::Junk) => Taken::Malformed,
            },
            Some(path) => match (Header::decode(header), carries) {
                (Err(_), _) => Taken::Malformed,
                (Ok(header), _) if !of_this_network(header.vni) => Taken::Foreign,
                (Ok(header), Carries::Frame) => Taken::Frame(path.frame(&header, now())),
                (Ok(header), Carries::Nothing) => {
                    path.heard(&header, now());
                    Taken::Foreign
                }
                (Ok(_), Carries::Junk) => Taken::Malformed,
            },
        }
    }

    /// Datagrams that found no room in the socket since this was last asked (`SO_MEMINFO`).
    pub fn take_dropped(&mut self) -> u64 {
        let numbers = get::<{ DROPS + 1 }>(&self.socket, libc::SOL_SOCKET, libc::SO_MEMINFO);
        let before = self.dropped;
        self.dropped = numbers.map_or(before, |numbers| numbers[DROPS]);
        u64::from(self.dropped.wrapping_sub(before))
    }

    /// Reads what the network says of datagrams that were sent.
    fn take_messages(&mut self) {
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        for _ in 0..MESSAGES {
            let socket = self.socket.as_raw_fd();
            let Ok(got) = recvmsg::<()>(socket, &mut [], Some(&mut control), MsgFlags::MSG_ERRQUEUE) else { return };
            for message in got.cmsgs().into_iter().flatten() {
                if let ControlMessageOwned::Ipv4RecvErr(said, _) | ControlMessageOwned::Ipv6RecvErr(said, _) = message
                    // what this machine says itself, sendmsg has returned already
                    && said.ee_origin != libc::SO_EE_ORIGIN_LOCAL
                {
                    self.note(Errno::from_raw(said.ee_errno as i32));
                }
            }
        }
    }

    fn note(&mut self, errno: Errno) {
        match errno {
            Errno::EMSGSIZE => self.counted.too_long += 1,
            Errno::EAGAIN | Errno::ENOBUFS => {}
            // probes go out whether somebody is there or not
            _ if self.path.as_ref().is_some_and(|path| path.has_probed()) => {}
            other => {
                self.counted.unreachable += 1;
                self.counted.reason = Some(other.desc());
            }
        }
    }
}

/// `CLOCK_MONOTONIC_RAW` in ns.
fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC_RAW).expect("Linux has this clock since 2.6.28");
    now.tv_sec() as u64 * NANOS_PER_SEC + now.tv_nsec() as u64
}

/// What stands behind the header of a datagram.
#[derive(Clone, Copy)]
enum Carries {
    Nothing,
    Frame,
    /// Less than a frame, or more than there is room for.
    Junk,
}

/// What a datagram of the peer is.
enum Taken {
    /// A frame, which was so long on the path.
    Frame(Duration),
    /// Nothing that goes further, and counted.
    Foreign,
    Malformed,
}

/// What recvmsg(2) told of a datagram.
#[derive(Default)]
struct Datagram {
    from: Option<IpAddr>,
    len: usize,
    /// It was longer than the buffers.
    cut: bool,
}

fn address(from: SockaddrStorage) -> Option<IpAddr> {
    let v4 = from.as_sockaddr_in().map(|from| IpAddr::V4(from.ip()));
    v4.or_else(|| from.as_sockaddr_in6().map(|from| IpAddr::V6(from.ip())))
}

impl Output for SitePort {
    fn prefix(&mut self, _: VnetHeader, _: usize, prefix: &mut [u8; LONGEST_PREFIX]) -> usize {
        match &mut self.path {
            None => prefix[..vxlan::HEADER_LEN].copy_from_slice(&vxlan::header(self.vni)),
            Some(path) => prefix[..site::HEADER_LEN].copy_from_slice(&path.header(now())),
        }
        self.header_len()
    }

    /// `EMSGSIZE` of a frame that the path does not carry; `ENETUNREACH` and the like; `EAGAIN`, `ENOBUFS` where the interface does not send as
    /// fast.
    fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let send =
            |port: &SitePort| sendmsg(port.socket.as_raw_fd(), parts, &[], MsgFlags::empty(), Some(&port.to)).map(drop);
        let sent = send(self).or_else(|errno| match errno {
            Errno::EAGAIN | Errno::ENOBUFS => Err(errno),
            // It may be about an earlier datagram, and this one was not sent.
            _ => {
                self.take_messages();
                send(self)
            }
        });
        sent.map_err(|errno| {
            self.note(errno);
            errno.into()
        })
    }
}

impl AsFd for SitePort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests;
