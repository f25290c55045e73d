//! The port of another site, with a peer on loopback.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use proptest::prelude::*;

use super::*;
use crate::port::frames::{Abilities, Sent};
use crate::topology::site::{PathDelay, PathSpec};
use crate::wire::site::Echo;

const VNI: u32 = 42;

/// A port at 127.0.0.1 whose peer is at 127.0.0.2, the peer's socket, and where the port listens.
fn pair() -> (SitePort, UdpSocket, SocketAddr) {
    let peer = UdpSocket::bind("127.0.0.2:0").unwrap();
    let port = opened(&peer, Encapsulation::Vxlan);
    let at = address_of(&port);
    peer.connect(at).unwrap();
    (port, peer, at)
}

fn opened(peer: &UdpSocket, encapsulation: Encapsulation) -> SitePort {
    SitePort::open("127.0.0.1:0".parse().unwrap(), peer.local_addr().unwrap(), VNI, encapsulation).unwrap()
}

fn address_of(port: &SitePort) -> SocketAddr {
    UdpSocket::from(port.socket.try_clone().unwrap()).local_addr().unwrap()
}

/// The same by longwire's own encapsulation.
fn measuring_pair() -> (SitePort, UdpSocket) {
    let peer = UdpSocket::bind("127.0.0.2:0").unwrap();
    let included = PathSpec { path_delay: PathDelay::Included, clock_error: None };
    let port = opened(&peer, Encapsulation::Longwire(included));
    peer.connect(address_of(&port)).unwrap();
    (port, peer)
}

fn frame(len: usize) -> Vec<u8> {
    (0..len).map(|n| n as u8).collect()
}

fn datagram(frame: &[u8]) -> Vec<u8> {
    [&vxlan::header(VNI)[..], frame].concat()
}

/// What a port reads next: the bytes of a frame.
fn next(port: &mut SitePort, pool: &mut FramePool) -> io::Result<Result<Vec<u8>, Received>> {
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

fn send(port: &mut SitePort, pool: &mut FramePool, bytes: &[u8]) -> Sent {
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
    let woken = |port: &SitePort| {
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

/// What the port sends next.
fn heard(peer: &UdpSocket) -> (Header, Vec<u8>) {
    let mut buffer = vec![0; 1 << 16];
    let n = peer.recv(&mut buffer).unwrap();
    (Header::decode(&buffer[..n]).unwrap(), buffer[site::HEADER_LEN..n].to_vec())
}

#[test]
fn frames_that_carry_stamps_say_how_long_they_were_on_the_path() {
    const AHEAD: u64 = 3 * NANOS_PER_SEC;
    const PATH: u64 = 5_000_000;
    let (mut port, peer) = measuring_pair();
    let mut pool = FramePool::default();
    assert!(port.is_measuring() && port.includes_path());
    assert_eq!(send(&mut port, &mut pool, &frame(60)), Sent { taken: 1, refused: 0 });
    let (first, bytes) = heard(&peer);
    assert!(bytes == frame(60) && (first.vni, first.sequence, first.echo) == (VNI, 0, None), "{first:?}");
    // it took no time there, and this one says that it took 10 ms back: 5 ms each
    let sent = now() + AHEAD - 2 * PATH;
    let echo = Some(Echo { sent: first.sent, received: first.sent + AHEAD });
    let answer = Header { vni: VNI, session: 1, sequence: 0, sent, echo };
    peer.send(&[&answer.encode()[..], &frame(60)].concat()).unwrap();
    let Ok(Received::Frame(received)) = port.receive(&mut pool) else { panic!("it is a frame") };
    let path = pool.path(&received).as_nanos();
    pool.release(received);
    // and a little more, for as long as this test took
    assert!((PATH..PATH + NANOS_PER_SEC).contains(&path), "{path}");
    let measured = port.measured().unwrap();
    assert!(measured.clock.unwrap().error >= PATH && measured.frames == 1, "{measured:?}");
    send(&mut port, &mut pool, &frame(14));
    let (second, _) = heard(&peer);
    assert_eq!((second.sequence, second.echo.map(|echo| echo.sent)), (1, Some(sent)));
}

#[test]
fn probes_are_no_frames_and_what_is_of_another_kind_goes_no_further() {
    let (mut port, peer) = measuring_pair();
    let mut pool = FramePool::default();
    port.tick();
    port.tick();
    assert!(heard(&peer).1.is_empty(), "a probe");
    let header = Header { vni: VNI, session: 1, sequence: 0, sent: 1, echo: None };
    peer.send(&header.encode()).unwrap();
    assert!(matches!(next(&mut port, &mut pool), Ok(Err(Received::Foreign))));
    peer.send(&[&Header { vni: VNI + 1, ..header }.encode()[..], &frame(60)].concat()).unwrap();
    assert!(matches!(next(&mut port, &mut pool), Ok(Err(Received::Foreign))));
    let mut other_version = header.encode();
    other_version[4] += 1;
    for bytes in [&datagram(&frame(60))[..], &header.encode()[..39], &other_version, b"", &[0; 100]] {
        peer.send(bytes).unwrap();
        assert!(matches!(next(&mut port, &mut pool), Ok(Err(Received::Malformed))), "{bytes:?}");
    }
    peer.send(&[&header.encode()[..], &frame(13)].concat()).unwrap();
    assert!(matches!(next(&mut port, &mut pool), Ok(Err(Received::Malformed))));
    let counted = Counted { wrong_vni: 1, ..Counted::default() };
    assert_eq!((port.counted(), pool.live(), port.measured().unwrap().frames), (&counted, 0, 0));
}

#[test]
fn probes_that_nobody_takes_are_not_counted_and_frames_are() {
    let (mut port, peer) = measuring_pair();
    let mut pool = FramePool::default();
    drop(peer);
    port.tick();
    assert!(next(&mut port, &mut pool).is_err());
    assert_eq!(port.counted(), &Counted::default());
    send(&mut port, &mut pool, &frame(60));
    assert!(next(&mut port, &mut pool).is_err());
    assert_eq!(port.counted().unreachable, 1);
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
