//! Clients at a router's DHCP server: exchanges as they are in RFC 2131, and what is none.

use super::super::testing::*;
use super::*;
use crate::wire::ethernet::HEADER_LEN;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const LEASE: Duration = Duration::from_secs(3600);

fn options() -> DhcpOptions {
    DhcpOptions { name: None, domain: Some("lab".into()), dns: vec![[10, 0, 0, 53].into()], lease: LEASE, mtu: 1400 }
}

/// Port 1 leases out of 10.0.1.0/29, where .1 is the router's, .2 the machine 2's and .6 somebody's.
fn plan(foreign: bool, open: bool) -> DhcpPlan {
    let own = DhcpOptions { name: Some("vm".into()), ..options() };
    DhcpPlan {
        port: 1,
        interface: "eth1".into(),
        server: SERVER,
        net: "10.0.1.0/29".parse().unwrap(),
        taken: [1, 2, 6].map(|n| [10, 0, 1, n].into()).to_vec(),
        reserved: vec![DhcpReservation { mac: host_mac(2), address: [10, 0, 1, 2].into(), options: own }],
        silent: Vec::new(),
        open: open.then(options),
        foreign,
    }
}

fn bench(foreign: bool, open: bool) -> Bench {
    let mut all = Bench::plan();
    all.interfaces[1].addresses[0] = "10.0.1.1/29".parse().unwrap();
    all.dhcp = vec![plan(foreign, open)];
    Bench::with(&all)
}

/// A client's message. Options follow the kind.
#[derive(Clone, Copy)]
struct Ask<'a> {
    kind: u8,
    host: u8,
    broadcast: bool,
    client: [u8; 4],
    options: &'a [u8],
}

const DISCOVER: Ask<'_> = Ask { kind: 1, host: 2, broadcast: false, client: [0; 4], options: &[] };

fn payload(ask: Ask<'_>) -> Vec<u8> {
    let mut bytes = vec![0; 236];
    bytes[..8].copy_from_slice(&[1, 1, 6, 0, 1, 2, 3, ask.host]);
    bytes[10] = if ask.broadcast { 0x80 } else { 0 };
    bytes[12..16].copy_from_slice(&ask.client);
    bytes[28..34].copy_from_slice(&host_mac(ask.host).0);
    bytes.extend([99, 130, 83, 99, 53, 1, ask.kind]);
    bytes.extend(ask.options);
    bytes.push(255);
    bytes
}

/// A datagram to all, or from `src` to the server.
fn datagram(src: [u8; 4], dst_port: u16, host: u8, payload: &[u8]) -> Vec<u8> {
    let all = src == [0; 4];
    let (src, dst) = (Ipv4Addr::from(src), if all { Ipv4Addr::BROADCAST } else { SERVER });
    let src_port = if dst_port == 67 { 68u16 } else { 67 };
    let [ports, len] = [[src_port, dst_port], [(8 + payload.len()) as u16, 0]];
    let header: Vec<u8> = ports.into_iter().chain(len).flat_map(u16::to_be_bytes).collect();
    let mut frame = ip_summed(&src.to_string(), &dst.to_string(), 17, &[&header[..], payload].concat(), 6);
    frame[..6].copy_from_slice(&if all { MacAddr::BROADCAST } else { router_mac(1) }.0);
    frame[6..12].copy_from_slice(&host_mac(host).0);
    frame
}

fn ask(bench: &mut Bench, ask: Ask<'_>) -> Vec<Out> {
    bench.receive(1, &datagram(ask.client, 67, ask.host, &payload(ask)))
}

/// An answer: its kind, `yiaddr`, and where it went.
#[derive(Debug, PartialEq)]
struct Answered {
    kind: Kind,
    yours: [u8; 4],
    mac: MacAddr,
    dst: Ipv4Addr,
    frame: Vec<u8>,
}

fn answered(out: &[Out]) -> Answered {
    let (port, frame) = the_frame(out);
    assert_eq!((port, transport_sum(&frame)), (1, 0xffff));
    let udp = &frame[HEADER_LEN + 20..];
    assert_eq!(udp[..4], [0, 67, 0, 68]);
    let message = Message::read(&udp[8..]).unwrap();
    assert_eq!((message.reply, message.server), (true, Some(SERVER)));
    Answered {
        kind: message.kind.unwrap(),
        yours: udp[24..28].try_into().unwrap(),
        mac: MacAddr(frame[..6].try_into().unwrap()),
        dst: <[u8; 4]>::try_from(&frame[30..34]).unwrap().into(),
        frame,
    }
}

fn brief(out: &[Out]) -> (Kind, [u8; 4]) {
    let Answered { kind, yours, .. } = answered(out);
    (kind, yours)
}

fn counters(bench: &Bench) -> DhcpCounters {
    bench.router.dhcp(bench.now).next().unwrap().1
}

#[test]
fn a_machine_gets_the_address_that_is_its_own() {
    let mut bench = bench(false, true);
    let offer = answered(&ask(&mut bench, DISCOVER));
    assert_eq!(
        (offer.kind, offer.yours, offer.mac, offer.dst),
        (Kind::Offer, [10, 0, 1, 2], host_mac(2), [10, 0, 1, 2].into())
    );
    let request = Ask { kind: 3, options: &[50, 4, 10, 0, 1, 2, 54, 4, 10, 0, 1, 1], ..DISCOVER };
    let ack = answered(&ask(&mut bench, request));
    assert_eq!((ack.kind, ack.yours), (Kind::Ack, [10, 0, 1, 2]));
    let expected = [
        &[53, 1, 5, 54, 4, 10, 0, 1, 1, 51, 4, 0, 0, 0x0e, 0x10, 58, 4, 0, 0, 7, 8, 59, 4, 0, 0, 0x0c, 0x4e][..],
        &[1, 4, 255, 255, 255, 248, 3, 4, 10, 0, 1, 1, 28, 4, 10, 0, 1, 7, 26, 2, 5, 0x78],
        &[6, 4, 10, 0, 0, 53, 12, 2, b'v', b'm', 15, 3, b'l', b'a', b'b', 255],
    ]
    .concat();
    assert_eq!(ack.frame[HEADER_LEN + 28 + 240..][..expected.len()], expected);
    assert_eq!(bench.consumed(), 1);
    let DhcpCounters { leases, offers, acks, naks, .. } = counters(&bench);
    assert_eq!((leases, offers, acks, naks), (1, 1, 1, 0));
    // half an hour later it renews, straight from its address to the server
    bench.now += Duration::from_secs(1800);
    let renewal = Ask { kind: 3, client: [10, 0, 1, 2], ..DISCOVER };
    let ack = answered(&ask(&mut bench, renewal));
    assert_eq!((ack.kind, ack.yours, ack.dst), (Kind::Ack, [10, 0, 1, 2], [10, 0, 1, 2].into()));
    // a smaller link tells a smaller MTU
    bench.router.set_mtu(1, Some(1300));
    let ack = answered(&ask(&mut bench, request));
    assert!(ack.frame.windows(4).any(|option| option == [26, 2, 5, 0x14]));
    // after a reboot it asks for what it had, and gives it back at last
    let reboot = Ask { kind: 3, options: &[50, 4, 10, 0, 1, 2], ..DISCOVER };
    assert_eq!(brief(&ask(&mut bench, reboot)), (Kind::Ack, [10, 0, 1, 2]));
    let release = Ask { kind: 7, client: [10, 0, 1, 2], options: &[54, 4, 10, 0, 1, 1], ..DISCOVER };
    assert_eq!((ask(&mut bench, release), bench.consumed()), (vec![], 1));
    assert_eq!(counters(&bench).leases, 0);
}

#[test]
fn others_get_what_is_free_until_nothing_is() {
    let mut bench = bench(false, true);
    for (host, last) in [(7, 3), (8, 4), (9, 5)] {
        let broadcast = Ask { host, broadcast: true, ..DISCOVER };
        let offer = answered(&ask(&mut bench, broadcast));
        assert_eq!((offer.yours, offer.mac, offer.dst), ([10, 0, 1, last], MacAddr::BROADCAST, Ipv4Addr::BROADCAST));
        let options = [50, 4, 10, 0, 1, last, 54, 4, 10, 0, 1, 1];
        assert_eq!(brief(&ask(&mut bench, Ask { kind: 3, host, options: &options, ..DISCOVER })).0, Kind::Ack);
    }
    assert_eq!((ask(&mut bench, Ask { host: 10, ..DISCOVER }), bench.consumed()), (vec![], 1));
    assert_eq!((counters(&bench).exhausted, counters(&bench).leases), (1, 3));
    // the machine that has one to itself gets it
    assert_eq!(brief(&ask(&mut bench, DISCOVER)), (Kind::Offer, [10, 0, 1, 2]));
    // where only known machines are served others hear nothing
    let mut closed = self::bench(false, false);
    assert_eq!(ask(&mut closed, Ask { host: 7, ..DISCOVER }), []);
    assert_eq!(brief(&ask(&mut closed, DISCOVER)), (Kind::Offer, [10, 0, 1, 2]));
}

#[test]
fn what_a_machine_may_not_have_is_refused_to_all() {
    let mut bench = bench(false, true);
    for wanted in [[192, 168, 0, 7], [10, 0, 1, 2], [10, 0, 1, 7]] {
        let options = [&[50, 4][..], &wanted].concat();
        let nak = answered(&ask(&mut bench, Ask { kind: 3, host: 7, options: &options, ..DISCOVER }));
        assert_eq!(
            (nak.kind, nak.yours, nak.mac, nak.dst),
            (Kind::Nak, [0; 4], MacAddr::BROADCAST, Ipv4Addr::BROADCAST)
        );
        assert_eq!(nak.frame[HEADER_LEN + 28 + 240..][..10], [53, 1, 6, 54, 4, 10, 0, 1, 1, 255], "{wanted:?}");
    }
    assert_eq!(counters(&bench).naks, 3);
}

#[test]
fn an_address_in_use_is_declined_and_another_is_offered() {
    let mut bench = bench(false, true);
    let options = [50, 4, 10, 0, 1, 3, 54, 4, 10, 0, 1, 1];
    let request = Ask { kind: 3, host: 7, options: &options, ..DISCOVER };
    assert_eq!(brief(&ask(&mut bench, request)), (Kind::Ack, [10, 0, 1, 3]));
    assert_eq!(ask(&mut bench, Ask { kind: 4, ..request }), []);
    assert_eq!(brief(&ask(&mut bench, Ask { host: 7, ..DISCOVER })), (Kind::Offer, [10, 0, 1, 4]));
    assert_eq!(brief(&ask(&mut bench, request)).0, Kind::Nak);
}

#[test]
fn who_has_an_address_is_told_the_rest() {
    let mut bench = bench(false, true);
    let inform = Ask { kind: 8, host: 7, client: [10, 0, 1, 5], ..DISCOVER };
    let ack = answered(&ask(&mut bench, inform));
    assert_eq!((ack.kind, ack.yours, ack.mac, ack.dst), (Kind::Ack, [0; 4], host_mac(7), [10, 0, 1, 5].into()));
    let options = &ack.frame[HEADER_LEN + 28 + 240..];
    assert_eq!(options[9..15], [1, 4, 255, 255, 255, 248], "a mask, and no lease before it");
    assert_eq!(counters(&bench).leases, 0);
}

#[test]
fn before_the_first_offer_to_a_foreign_network_it_looks_for_another_server() {
    let mut bench = bench(true, true);
    let (port, question) = the_frame(&ask(&mut bench, Ask { host: 7, ..DISCOVER }));
    assert_eq!((port, &question[..6], &question[26..34]), (1, &[0xff; 6][..], &[0, 0, 0, 0, 255, 255, 255, 255][..]));
    let message = Message::read(&question[HEADER_LEN + 28..]).unwrap();
    assert_eq!((message.kind, message.mac, message.broadcast), (Some(Kind::Discover), router_mac(1), true));
    assert_eq!(transport_sum(&question), 0xffff);
    // meanwhile nobody is served; it asks once more, and then serves
    assert_eq!(ask(&mut bench, Ask { host: 7, ..DISCOVER }), []);
    let asked = bench.now;
    assert_eq!(the_frame(&bench.wake()).1[HEADER_LEN + 20..], question[HEADER_LEN + 20..]);
    assert_eq!((bench.wake(), bench.now), (vec![], asked + Duration::from_secs(2)));
    assert_eq!(bench.router.deadline(), None);
    assert_eq!(brief(&ask(&mut bench, Ask { host: 7, ..DISCOVER })), (Kind::Offer, [10, 0, 1, 3]));
}

#[test]
fn who_is_to_get_no_answer_gets_none() {
    let mut all = Bench::plan();
    all.interfaces[1].addresses[0] = "10.0.1.1/29".parse().unwrap();
    all.dhcp = vec![DhcpPlan { silent: vec![host_mac(7)], ..plan(false, true) }];
    let mut bench = Bench::with(&all);
    assert!(ask(&mut bench, Ask { host: 7, ..DISCOVER }).is_empty());
    assert!(!ask(&mut bench, Ask { host: 8, ..DISCOVER }).is_empty());
}

#[test]
fn it_stands_back_for_another_server() {
    let other = Ipv4Addr::new(10, 0, 1, 254);
    let offer = |server: Ipv4Addr| {
        let mut bytes = payload(Ask { kind: 2, options: &[&[54, 4][..], &server.octets()].concat(), ..DISCOVER });
        bytes[0] = 2;
        let mut frame = datagram([0; 4], 68, 99, &bytes);
        frame[26..30].copy_from_slice(&[10, 0, 1, 5]);
        refill(&mut frame);
        // a datagram without a checksum
        frame[40..42].fill(0);
        frame
    };
    // while it looks, and while it serves
    for foreign in [true, false] {
        let mut bench = bench(foreign, true);
        let _ = ask(&mut bench, DISCOVER);
        assert_eq!((bench.receive(1, &offer(other)), bench.consumed()), (vec![], 1));
        assert_eq!((ask(&mut bench, DISCOVER), counters(&bench).other_server), (vec![], Some(other)));
        assert_eq!(bench.router.deadline(), None);
    }
    // its own offers, as a switch may send them back, are no other's
    let mut bench = bench(false, true);
    let _ = bench.receive(1, &offer(SERVER));
    assert_eq!(brief(&ask(&mut bench, DISCOVER)).0, Kind::Offer);
    // a machine that takes another server's offer has had one
    let chosen = Ask { kind: 3, options: &[50, 4, 10, 0, 1, 9, 54, 4, 10, 0, 1, 254], ..DISCOVER };
    assert_eq!(ask(&mut bench, chosen), []);
    assert_eq!((ask(&mut bench, DISCOVER), counters(&bench).other_server), (vec![], Some(other)));
}

#[test]
fn what_is_no_message_of_a_client_ends_with_its_cause() {
    let mut bench = bench(false, true);
    let with = |at: usize, to: u8| {
        let mut bytes = payload(DISCOVER);
        bytes[at] = to;
        datagram([0; 4], 67, 2, &bytes)
    };
    for (what, frame, cause) in [
        ("a server's message", with(0, 2), DropCause::Malformed),
        ("no cookie", with(236, 98), DropCause::Malformed),
        ("an offer of a client", with(242, 2), DropCause::Malformed),
        ("an option without an end", with(241, 9), DropCause::Malformed),
        ("BOOTP", with(240, 255), DropCause::Unsupported),
        ("from a relay", with(24, 10), DropCause::Unsupported),
        ("to a client", datagram([0; 4], 68, 2, &payload(DISCOVER)), DropCause::Malformed),
        ("too short", datagram([0; 4], 67, 2, &payload(DISCOVER)[..200]), DropCause::Malformed),
        ("to another port", datagram([0; 4], 69, 2, &payload(DISCOVER)), DropCause::Unsupported),
    ] {
        assert_eq!(bench.receive(1, &frame), [Out::Dropped(cause)], "{what}");
    }
    let mut wrong = datagram([0; 4], 67, 2, &payload(DISCOVER));
    wrong[41] ^= 1;
    assert_eq!(bench.receive(1, &wrong), [Out::Dropped(DropCause::Malformed)], "checksum");
    // nobody serves at another port, and a datagram to the server's address there is refused as any
    assert_eq!(bench.receive(0, &datagram([0; 4], 67, 2, &payload(DISCOVER))), [Out::Dropped(DropCause::Unsupported)]);
    assert_eq!(bench.receive(0, &udp("10.0.0.9", "10.0.0.1", 67, &payload(DISCOVER)))[0].code(), (3, 3));
}

proptest::proptest! {
    /// Every frame is accounted for, whatever comes (the bench looks after each turn), and nothing panics.
    #[test]
    fn any_bytes_are_dropped_or_consumed(
        frames in proptest::collection::vec((1u8..9, 2u8..6, 0usize..260, proptest::num::u8::ANY, proptest::bool::ANY), 1..60),
        foreign: bool,
    ) {
        let mut bench = bench(foreign, true);
        for (kind, host, at, to, renews) in frames {
            let options = [50, 4, 10, 0, 1, to % 8, 54, 4, 10, 0, 1, 1];
            let client = if renews { [10, 0, 1, host] } else { [0; 4] };
            let mut bytes = payload(Ask { kind, host, client, options: &options, broadcast: renews });
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            let out = bench.receive(1, &datagram(client, 67, host, &bytes));
            let sent = out.iter().filter(|out| matches!(out, Out::Sent(..))).count();
            proptest::prop_assert!(out.len() <= 1 && sent as u64 <= bench.consumed());
            bench.now += Duration::from_secs(7);
            if bench.router.deadline().is_some() {
                let _ = bench.wake();
            }
        }
    }
}
