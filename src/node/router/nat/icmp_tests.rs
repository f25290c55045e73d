//! ICMP: queries by their identifiers, and errors with the packets inside them (RFC 5508).

use super::testing::*;
use super::*;

const A: Endpoint = Endpoint { address: Ipv4Addr::new(10, 0, 0, 2), port: 5000 };

#[test]
fn queries_are_told_apart_by_their_identifiers() {
    let mut home = Home::new(|_| {});
    let to = server(1, 0).address;
    let first = home.out(echo(8, A.address, to, 7)).unwrap();
    assert_eq!(ends(&first).0, Endpoint { address: WAN[0], port: 7 });
    let second = ends(&home.out(echo(8, inside(3, 0).address, to, 7)).unwrap()).0;
    assert_ne!(second.port, 7);
    assert_eq!(home.back(echo(0, to, WAN[0], second.port)).unwrap(), echo(0, to, inside(3, 0).address, 7));
    assert_eq!(home.back(echo(0, to, WAN[0], 7)).unwrap(), echo(0, to, A.address, 7));
    assert_eq!(home.back(echo(0, to, WAN[0], 9999)), Err(DropCause::NatNoMapping));
    assert_eq!(home.back(echo(0, server(2, 0).address, WAN[0], 7)), Err(DropCause::NatFiltered));
    assert_eq!(home.out(echo(0, A.address, to, 7)), Err(DropCause::NatNoMapping), "an answer to nothing");
}

#[test]
fn queries_last_for_their_own_timeout() {
    let timeout = Timeouts::default().icmp;
    for (wait, alive) in [(timeout, true), (timeout + Duration::from_nanos(1), false)] {
        let mut home = Home::new(|_| {});
        home.out(echo(8, A.address, server(1, 0).address, 7)).unwrap();
        home.wait(wait);
        assert_eq!(home.back(echo(0, server(1, 0).address, WAN[0], 7)).is_ok(), alive);
    }
}

#[test]
fn an_error_from_outside_reaches_the_host_as_if_it_were_about_its_own_packet() {
    let router = server(99, 0).address;
    for sent in [udp(A, server(1, 80)), tcp(A, server(1, 80), 2), echo(8, A.address, server(1, 0).address, 5000)] {
        for quoted in [28, 200] {
            let mut home = Home::new(|_| {});
            // another one has the port already
            let other = inside(9, 5000);
            home.out(udp(other, server(1, 80))).unwrap();
            home.out(tcp(other, server(1, 80), 2)).unwrap();
            home.out(echo(8, other.address, server(1, 0).address, 5000)).unwrap();
            let wire = home.out(sent.clone()).unwrap();
            assert_ne!(ends(&wire).0.port, 5000);
            assert_eq!(home.back(error(router, &wire, quoted)), Ok(error(router, &sent, quoted)));
        }
    }
}

#[test]
fn an_error_from_inside_names_the_outside_endpoint() {
    let mut home = Home::new(|_| {});
    let request = home.out(udp(A, server(1, 80))).unwrap();
    let answer = udp(server(1, 80), ends(&request).0);
    let inner = home.back(answer.clone()).unwrap();
    // from the host, from a router between, and from the translating router itself
    for from in [A.address, Ipv4Addr::new(10, 9, 9, 9), WAN[0]] {
        assert_eq!(home.out(error(from, &inner, 28)), Ok(error(WAN[0], &answer, 28)), "{from}");
    }
    let unknown = error(A.address, &udp(server(2, 2), A), 28);
    assert_eq!(home.out(unknown), Err(DropCause::NatNoMapping));
}

#[test]
fn an_error_about_a_hairpinned_packet_finds_its_way_back() {
    let b = inside(3, 6000);
    let mut home = Home::of(NatType::FullCone);
    let b_out = home.udp_out(b, server(1, 80));
    let sent = udp(A, b_out);
    let received = home.around(sent.clone()).unwrap();
    assert_eq!(home.around(error(b.address, &received, 28)), Ok(error(WAN[0], &sent, 28)));
}

#[test]
fn errors_about_what_is_not_known_are_dropped_and_end_or_refresh_nothing() {
    let mut home = Home::new(|_| {});
    let router = server(99, 0).address;
    let wire = home.out(udp(A, server(1, 80))).unwrap();
    let mut other = udp(Endpoint { address: WAN[0], port: 4444 }, server(1, 80));
    assert_eq!(home.back(error(router, &other, 28)), Err(DropCause::NatNoMapping));
    other.truncate(L3 + 20);
    assert_eq!(home.back(error(router, &other, 28)), Err(DropCause::NatNoMapping), "no ports are quoted");
    home.wait(Timeouts::default().udp);
    assert!(home.back(error(router, &wire, 28)).is_ok());
    assert_eq!(home.udp_in(server(1, 80), ends(&wire).0), Ok(A), "it is still there");
    home.wait(Duration::from_nanos(1));
    assert_eq!(home.back(error(router, &wire, 28)), Err(DropCause::NatNoMapping), "and was not refreshed");
}

#[test]
fn a_wrong_checksum_stays_wrong() {
    let mut home = Home::new(|_| {});
    let mut bad = echo(8, A.address, server(1, 0).address, 7);
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let right = sums(&bad).1;
    assert_ne!(right, 0xffff);
    home.nat.outbound(home.now, &mut bad, L3, None).unwrap();
    assert_eq!(sums(&bad).1, right);
}
