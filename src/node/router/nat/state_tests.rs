//! Timeouts, refreshes, connections, limits, fragments and rebinding.

use super::testing::*;
use super::*;

const A: Endpoint = Endpoint { address: Ipv4Addr::new(10, 0, 0, 2), port: 5000 };
const NANOSECOND: Duration = Duration::from_nanos(1);
const SYN: u8 = 2;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const FIN: u8 = 0x11;
const RST: u8 = 4;

#[test]
fn a_mapping_of_udp_lasts_for_its_timeout_and_no_longer() {
    let timeout = Timeouts::default().udp;
    for (wait, alive) in [(timeout, true), (timeout + NANOSECOND, false)] {
        let mut home = Home::new(|_| {});
        let outside = home.udp_out(A, server(1, 80));
        home.wait(wait);
        assert_eq!(home.nat.counters(home.now).live, u64::from(alive));
        let expected = if alive { Ok(A) } else { Err(DropCause::NatNoMapping) };
        assert_eq!(home.udp_in(server(1, 80), outside), expected);
        assert_eq!(home.nat.counters(home.now).expired, u64::from(!alive));
    }
}

#[test]
fn packets_from_inside_refresh_and_those_from_outside_only_if_asked_to() {
    for inbound_refresh in [false, true] {
        let mut home = Home::new(|spec| spec.inbound_refresh = inbound_refresh);
        let outside = home.udp_out(A, server(1, 80));
        home.wait(Duration::from_secs(100));
        assert_eq!(home.udp_out(A, server(1, 80)), outside);
        home.wait(Duration::from_secs(100));
        assert_eq!(home.udp_in(server(1, 80), outside), Ok(A), "outbound refresh");
        home.wait(Duration::from_secs(100));
        assert_eq!(home.udp_in(server(1, 80), outside).is_ok(), inbound_refresh);
    }
}

#[test]
fn strangers_do_not_keep_a_full_cone_open() {
    let mut home = Home::of(NatType::FullCone);
    let outside = home.udp_out(A, server(1, 80));
    for n in 0..4 {
        home.wait(Duration::from_secs(29));
        assert_eq!(home.udp_in(server(2, n), outside), Ok(A));
    }
    home.wait(Duration::from_secs(4) + NANOSECOND);
    assert_eq!(home.udp_in(server(2, 9), outside), Err(DropCause::NatNoMapping));
    assert_eq!(home.nat.sizes(), (0, 0));
}

/// A home with a connection that has gone so far.
fn connected(segments: &[(bool, u8)]) -> (Home, Endpoint) {
    let mut home = Home::new(|_| {});
    let mut outside = A;
    for (outward, flags) in segments {
        if *outward {
            outside = ends(&home.out(tcp(A, server(1, 80), *flags)).expect("it passes")).0;
        } else {
            home.back(tcp(server(1, 80), outside, *flags)).expect("it passes");
        }
    }
    (home, outside)
}

#[test]
fn tcp_lasts_as_long_as_its_state_says() {
    let open = [(true, SYN), (false, SYN_ACK), (true, ACK)];
    let with = |more: &[(bool, u8)]| [&open, more].concat();
    let Timeouts { tcp_established, tcp_transitory, .. } = Timeouts::default();
    for (segments, timeout) in [
        (open[..1].to_vec(), tcp_transitory),
        (open[..2].to_vec(), tcp_transitory),
        (with(&[]), tcp_established),
        (with(&[(true, FIN)]), tcp_established),
        (with(&[(true, FIN), (false, FIN), (true, ACK)]), tcp_transitory),
        (with(&[(false, RST)]), tcp_transitory),
        // a connection from before, picked up in the middle
        (vec![(true, ACK), (false, ACK)], tcp_established),
    ] {
        for (wait, alive) in [(timeout, true), (timeout + NANOSECOND, false)] {
            let (mut home, outside) = connected(&segments);
            home.wait(wait);
            let passes = home.back(tcp(server(1, 80), outside, ACK)).is_ok();
            assert_eq!(passes, alive, "{segments:?} after {wait}");
        }
    }
}

#[test]
fn an_unsolicited_syn_is_dropped_in_silence_and_a_simultaneous_open_passes() {
    let mut home = Home::of(NatType::FullCone);
    let nobody = Endpoint { address: WAN[0], port: 5000 };
    assert_eq!(home.back(tcp(server(1, 80), nobody, SYN)), Err(DropCause::NatNoMapping));
    let outside = ends(&home.out(tcp(A, server(1, 80), SYN)).unwrap()).0;
    assert_eq!(ends(&home.back(tcp(server(1, 80), outside, SYN)).unwrap()).1, A, "both open at once");
    assert_eq!(ends(&home.back(tcp(server(2, 81), outside, SYN)).unwrap()).1, A, "a full cone lets others open");
    assert_eq!(home.back(tcp(server(3, 81), outside, RST)), Err(DropCause::NatFiltered), "a reset opens nothing");
    assert_eq!(home.out(tcp(inside(7, 1), server(1, 80), RST)), Err(DropCause::NatNoMapping));
}

#[test]
fn the_limit_of_sessions_holds_and_frees() {
    let mut home = Home::new(|spec| spec.limit = 3);
    for n in 0..3 {
        assert!(home.out(udp(inside(2, 5000), server(n, 80))).is_ok());
    }
    assert_eq!(home.out(udp(inside(2, 5000), server(9, 80))), Err(DropCause::NatFull));
    assert!(home.out(udp(inside(2, 5000), server(1, 80))).is_ok(), "what is there goes on");
    let counters = home.nat.counters(home.now);
    assert_eq!((counters.made, counters.live, counters.peak), (1, 1, 1));
    home.wait(Duration::from_secs(121));
    assert!(home.out(udp(inside(2, 5000), server(9, 80))).is_ok());
    assert_eq!(home.nat.sizes(), (1, 1));
}

#[test]
fn later_fragments_follow_the_first_both_ways() {
    let mut home = Home::new(|_| {});
    let later =
        |src: Endpoint, dst: Endpoint, id| fragment(ip(17, src.address, dst.address, &[7; 24]), id, 1480, false);
    assert_eq!(home.out(later(A, server(1, 80), 1)), Err(DropCause::NatFragment), "before the first");
    let first = home.out(fragment(udp(A, server(1, 80)), 1, 0, true)).unwrap();
    let (outside, _) = ends(&first);
    let second = home.out(later(A, server(1, 80), 1)).unwrap();
    assert_eq!((ends(&second).0.address, sums(&second).0), (outside.address, 0xffff));
    assert_eq!(second[L3 + 20..], later(A, server(1, 80), 1)[L3 + 20..], "its payload is no header");
    assert_eq!(home.out(later(A, server(1, 80), 2)), Err(DropCause::NatFragment), "another packet");
    home.back(fragment(udp(server(1, 80), outside), 9, 0, true)).unwrap();
    assert_eq!(ends(&home.back(later(server(1, 80), outside, 9)).unwrap()).1.address, A.address);
    // and around
    let b = inside(3, 6000);
    let b_out = home.udp_out(b, outside);
    home.around(fragment(udp(A, b_out), 4, 0, true)).unwrap();
    let around = ends(&home.around(later(A, b_out, 4)).unwrap());
    assert_eq!((around.0.address, around.1.address), (outside.address, b.address));
}

#[test]
fn a_rebind_gives_every_flow_another_outside_endpoint() {
    for assignment in [PortAssignment::Preserve, PortAssignment::Sequential, PortAssignment::Random] {
        let mut home = Home::new(|spec| {
            (spec.port_assignment, spec.ports, spec.parity) = (assignment, "7000-7009".parse().unwrap(), false);
        });
        for _ in 0..20 {
            let flows = [5000, 7003, 7004].map(|port| inside(2, port));
            let before = flows.map(|flow| home.udp_out(flow, server(1, 80)));
            home.nat.rebind();
            assert_eq!(home.udp_in(server(1, 80), before[0]), Err(DropCause::NatNoMapping), "it has forgotten");
            // nothing is sent between two rebinds
            home.nat.rebind();
            for (flow, before) in flows.into_iter().zip(before) {
                let after = home.udp_out(flow, server(1, 80));
                assert_ne!(after, before, "{assignment:?}");
                assert_eq!(home.udp_in(server(1, 80), after), Ok(flow));
            }
        }
        assert_eq!(home.nat.counters(home.now).rebinds, 40);
    }
}

#[test]
fn a_rebind_moves_to_the_next_address_and_forwards_stay() {
    let forward = Forward { port: 80, to: "10.0.0.2:5000".parse().unwrap(), protocol: ForwardProtocol::Udp };
    let mut home = Home::with(&WAN, |spec| spec.forward = vec![forward]);
    let out = |home: &mut Home| [home.udp_out(inside(3, 4000), server(1, 80)), home.udp_out(A, server(1, 80))];
    assert_eq!(out(&mut home), [end([203, 0, 113, 1], 4000), end([203, 0, 113, 1], 80)]);
    home.nat.rebind();
    assert_eq!(out(&mut home), [end([203, 0, 113, 2], 4000), end([203, 0, 113, 2], 80)]);
    assert_eq!(home.udp_in(server(8, 8), end([203, 0, 113, 1], 80)), Ok(A), "at every address");
}

#[test]
fn an_open_connection_goes_on_from_another_port_after_a_rebind() {
    let (mut home, before) = connected(&[(true, SYN), (false, SYN_ACK), (true, ACK)]);
    home.nat.rebind();
    assert_eq!(home.back(tcp(server(1, 80), before, ACK)), Err(DropCause::NatNoMapping));
    let after = ends(&home.out(tcp(A, server(1, 80), ACK)).unwrap()).0;
    assert_ne!(after, before);
    assert_eq!(ends(&home.back(tcp(server(1, 80), after, RST)).unwrap()).1, A, "the server does not know it");
}

#[test]
fn without_an_outside_address_nothing_gets_out() {
    let mut home = Home::with(&[], |_| {});
    assert_eq!(home.out(udp(A, server(1, 80))), Err(DropCause::NatFull));
    home.nat.rebind();
}
