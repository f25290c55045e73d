//! A UDP socket that carries frames to another site and back, by VXLAN (RFC 7348).
//!
//! A datagram is one frame. The kernel and Open vSwitch send each flow from a port of its own, a hash of the frame (RFC 7348 §5), so any
//! port of the peer is taken, and the socket is not connected; what another address sends is dropped here, and counted. This side
//! sends from the port that it listens on: to the path all frames are one flow, which it keeps in order.
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

use super::frames::{self, Output, Received};
use super::options::{get, set, set_buffer};
use crate::frame::FramePool;
use crate::wire::vnet::{self, VnetHeader};
use crate::wire::{ethernet, vxlan};

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
pub struct VxlanPort {
    socket: OwnedFd,
    peer: SocketAddr,
    to: SockaddrStorage,
    vni: u32,
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

impl VxlanPort {
    /// Opens one in the calling thread's network namespace. `listen` and `peer` are of one family.
    ///
    /// # Errors
    /// `EADDRINUSE` where a socket has the port, `EADDRNOTAVAIL` where `listen` is no address of this machine, `EACCES` of a port below
    /// 1024 without CAP_NET_BIND_SERVICE.
    pub fn open(listen: SocketAddr, peer: SocketAddr, vni: u32) -> io::Result<VxlanPort> {
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
        Ok(VxlanPort { socket, peer, to, vni, counted, dropped: 0, read: false })
    }

    /// Where the other site is.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What it has counted so far.
    pub fn counted(&self) -> &Counted {
        &self.counted
    }

    /// Reads the frame of one datagram into the pool.
    ///
    /// # Errors
    /// `WouldBlock` where none waits.
    pub fn receive(&mut self, pool: &mut FramePool) -> io::Result<Received> {
        let mut header = [0; vxlan::HEADER_LEN];
        let mut datagram = Datagram::default();
        let socket = self.socket.as_raw_fd();
        let frame = frames::read(pool, &mut header, |parts| {
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
        let received = match vxlan::vni(&header[..datagram.len.min(vxlan::HEADER_LEN)]) {
            Ok(vni) if vni != self.vni => {
                self.counted.wrong_vni += 1;
                Received::Foreign
            }
            Ok(_) if !datagram.cut && datagram.len >= vxlan::HEADER_LEN + ethernet::HEADER_LEN => {
                return Ok(Received::Frame(frame));
            }
            _ => Received::Malformed,
        };
        pool.release(frame);
        Ok(received)
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
            other => {
                self.counted.unreachable += 1;
                self.counted.reason = Some(other.desc());
            }
        }
    }
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

impl Output for VxlanPort {
    fn prefix(&self, _: VnetHeader, _: usize, prefix: &mut [u8; vnet::HEADER_LEN]) -> usize {
        prefix[..vxlan::HEADER_LEN].copy_from_slice(&vxlan::header(self.vni));
        vxlan::HEADER_LEN
    }

    /// `EMSGSIZE` of a frame that the path does not carry; `ENETUNREACH` and the like; `EAGAIN`, `ENOBUFS` where the interface does not send as
    /// fast.
    fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let send = |port: &VxlanPort| {
            sendmsg(port.socket.as_raw_fd(), parts, &[], MsgFlags::empty(), Some(&port.to)).map(drop)
        };
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

impl AsFd for VxlanPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use proptest::prelude::*;

    use super::*;
    use crate::port::frames::{Abilities, Sent};

    const VNI: u32 = 42;

    /// A port at 127.0.0.1 whose peer is at 127.0.0.2, the peer's socket, and where the port listens.
    fn pair() -> (VxlanPort, UdpSocket, SocketAddr) {
        let peer = UdpSocket::bind("127.0.0.2:0").unwrap();
        let port = VxlanPort::open("127.0.0.1:0".parse().unwrap(), peer.local_addr().unwrap(), VNI).unwrap();
        let at = UdpSocket::from(port.socket.try_clone().unwrap()).local_addr().unwrap();
        peer.connect(at).unwrap();
        (port, peer, at)
    }

    fn frame(len: usize) -> Vec<u8> {
        (0..len).map(|n| n as u8).collect()
    }

    fn datagram(frame: &[u8]) -> Vec<u8> {
        [&vxlan::header(VNI)[..], frame].concat()
    }

    /// What a port reads next: the bytes of a frame.
    fn next(port: &mut VxlanPort, pool: &mut FramePool) -> io::Result<Result<Vec<u8>, Received>> {
        let frame = match port.receive(pool)? {
            Received::Frame(frame) => frame,
            other => return Ok(Err(other)),
        };
        let view = pool.view(&frame);
        let rest: Vec<&[u8]> = view.rest.slices(0..view.rest.len()).collect();
        let bytes = [view.head, &rest.concat()].concat();
        pool.release(frame);
        Ok(Ok(bytes))
    }

    fn send(port: &mut VxlanPort, pool: &mut FramePool, bytes: &[u8]) -> Sent {
        let frame = pool.store(bytes).unwrap();
        let sent = frames::send(port, Abilities::default(), pool.view(&frame));
        pool.release(frame);
        sent
    }

    #[test]
    fn frames_of_the_peer_come_in_whatever_port_it_sends_from() {
        let (mut port, peer, at) = pair();
        let mut pool = FramePool::default();
        let other_port = UdpSocket::bind("127.0.0.2:0").unwrap();
        for len in [14, 60, 192, 193, 1_514, 9_014, 65_000] {
            peer.send(&datagram(&frame(len))).unwrap();
            assert!(matches!(next(&mut port, &mut pool), Ok(Ok(bytes)) if bytes == frame(len)), "{len}");
            other_port.send_to(&datagram(&frame(len)), at).unwrap();
            assert!(matches!(next(&mut port, &mut pool), Ok(Ok(bytes)) if bytes == frame(len)), "{len}");
        }
        assert_eq!(next(&mut port, &mut pool).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!((port.counted(), pool.live()), (&Counted::default(), 0));
    }

    #[test]
    fn what_is_for_another_or_no_vxlan_goes_no_further_and_is_counted() {
        let (mut port, peer, at) = pair();
        let mut pool = FramePool::default();
        let stranger = UdpSocket::bind("127.0.0.3:0").unwrap();
        for bytes in [&datagram(&frame(60))[..], b"", b"noise"] {
            stranger.send_to(bytes, at).unwrap();
            assert!(matches!(next(&mut port, &mut pool), Ok(Err(Received::Foreign))));
        }
        peer.send(&[&vxlan::header(VNI + 1)[..], &frame(60)].concat()).unwrap();
        assert!(matches!(next(&mut port, &mut pool), Ok(Err(Received::Foreign))));
        let group_policy = [&[0x88, 0, 0, 7], &datagram(&frame(60))[4..]].concat();
        for bytes in [&b""[..], &vxlan::header(VNI)[..7], &datagram(&frame(13)), &[0; 68], &group_policy] {
            peer.send(bytes).unwrap();
            assert!(matches!(next(&mut port, &mut pool), Ok(Err(Received::Malformed))), "{bytes:?}");
        }
        peer.send(&datagram(&frame(60))).unwrap();
        assert!(matches!(next(&mut port, &mut pool), Ok(Ok(bytes)) if bytes == frame(60)));
        let counted = Counted { wrong_peer: 3, wrong_vni: 1, ..Counted::default() };
        assert_eq!((port.counted(), pool.live()), (&counted, 0));
    }

    #[test]
    fn frames_go_out_behind_the_header() {
        let (mut port, peer, _) = pair();
        let (mut pool, mut buffer) = (FramePool::default(), vec![0; 1 << 16]);
        for len in [14, 193, 1_514, 65_000] {
            assert_eq!(send(&mut port, &mut pool, &frame(len)), Sent { taken: 1, refused: 0 });
            let n = peer.recv(&mut buffer).unwrap();
            assert!(buffer[..n] == datagram(&frame(len)), "{len}");
        }
    }

    #[test]
    fn a_peer_that_is_not_there_is_noted_and_costs_no_later_frame() {
        let (mut port, peer, at) = pair();
        let (mut pool, there) = (FramePool::default(), peer.local_addr().unwrap());
        drop(peer);
        for _ in 0..3 {
            assert_eq!(send(&mut port, &mut pool, &frame(60)), Sent { taken: 1, refused: 0 });
        }
        assert_eq!(next(&mut port, &mut pool).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(port.counted().unreachable, 3);
        assert_eq!(port.counted().reason, Some("Connection refused"));
        assert_eq!(send(&mut port, &mut pool, &frame(60)).taken, 1);
        let peer = UdpSocket::bind(there).unwrap();
        peer.connect(at).unwrap();
        // what the network says of the last one does not come in place of this one
        assert_eq!(send(&mut port, &mut pool, &frame(61)).taken, 1);
        let mut buffer = [0; 100];
        assert_eq!(peer.recv(&mut buffer).unwrap(), 69);
    }

    #[test]
    fn a_frame_that_is_too_long_is_counted_and_wakes_nobody_for_ever() {
        let (mut port, _peer, _) = pair();
        let mut pool = FramePool::default();
        assert_eq!(send(&mut port, &mut pool, &frame(65_540)), Sent { taken: 0, refused: 1 });
        assert_eq!(port.counted().too_long, 1);
        let woken = |port: &VxlanPort| {
            let mut polled = [PollFd::new(port.as_fd(), PollFlags::POLLIN)];
            poll(&mut polled, PollTimeout::ZERO).unwrap()
        };
        for _ in 0..2 {
            assert_eq!(next(&mut port, &mut pool).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        assert_eq!(woken(&port), 0);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (mut port, peer, _) = pair();
        set(&port, libc::SOL_SOCKET, libc::SO_RCVBUF, &4_096_i32).unwrap();
        let mut pool = FramePool::default();
        for _ in 0..1_000 {
            peer.send(&datagram(&frame(1_000))).unwrap();
        }
        let mut read = 0;
        while next(&mut port, &mut pool).is_ok() {
            read += 1;
        }
        assert_eq!((read + port.take_dropped(), port.take_dropped()), (1_000, 0));
        assert!(read < 1_000);
    }

    #[test]
    fn a_way_has_an_mtu_and_an_address() {
        let way = way("0.0.0.0".parse().unwrap(), "127.0.0.2:4789".parse().unwrap()).unwrap();
        assert!(way.mtu >= 1_500 && way.from.is_loopback(), "{way:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn hostile_datagrams_are_frames_of_this_network_or_go_no_further(
            flags in prop_oneof![Just(0x08_u8), any::<u8>()],
            vni in prop_oneof![Just(VNI), 0..=vxlan::LARGEST_VNI],
            payload in proptest::collection::vec(any::<u8>(), 0..40),
            len in 0..48_usize,
        ) {
            let (mut port, peer, _) = pair();
            let mut pool = FramePool::default();
            let mut bytes = [&vxlan::header(vni)[..], &payload].concat();
            bytes[0] = flags;
            bytes.truncate(len);
            peer.send(&bytes).unwrap();
            let is_frame = flags == 0x08 && vni == VNI && bytes.len() >= 22;
            match next(&mut port, &mut pool).unwrap() {
                Ok(frame) => prop_assert!(is_frame && frame == bytes[8..]),
                Err(_) => prop_assert!(!is_frame),
            }
            prop_assert_eq!(pool.live(), 0);
        }
    }
}
