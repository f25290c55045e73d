//! Mapping, filtering, hairpinning, ports and pooling, as RFC 4787 names them.

use super::testing::*;
use super::*;
use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};

const A: Endpoint = Endpoint { address: Ipv4Addr::new(10, 0, 0, 2), port: 5000 };

#[test]
fn mapping_depends_on_as_much_of_the_destination_as_it_says() {
    for (mapping, other_port, other_address) in
        [(EndpointIndependent, true, true), (AddressDependent, true, false), (AddressAndPortDependent, false, false)]
    {
        let mut home = Home::new(|spec| spec.mapping = mapping);
        let first = home.udp_out(A, server(1, 80));
        assert_eq!(home.udp_out(A, server(1, 80)), first, "the same flow");
        assert_eq!(home.udp_out(A, server(1, 81)) == first, other_port, "{mapping:?}");
        assert_eq!(home.udp_out(A, server(2, 80)) == first, other_address, "{mapping:?}");
        assert_ne!(home.udp_out(inside(2, 5002), server(1, 80)), first, "another inside port");
        assert_ne!(home.udp_out(inside(3, 5000), server(1, 80)), first, "another inside host");
    }
}

#[test]
fn filtering_lets_in_whom_it_says() {
    for (filtering, same_address, anybody) in
        [(EndpointIndependent, true, true), (AddressDependent, true, false), (AddressAndPortDependent, false, false)]
    {
        let mut home = Home::new(|spec| spec.filtering = filtering);
        let outside = home.udp_out(A, server(1, 80));
        let passes = |yes: bool| if yes { Ok(A) } else { Err(DropCause::NatFiltered) };
        assert_eq!(home.udp_in(server(1, 80), outside), Ok(A), "who was sent to");
        assert_eq!(home.udp_in(server(1, 81), outside), passes(same_address), "{filtering:?}");
        assert_eq!(home.udp_in(server(9, 80), outside), passes(anybody), "{filtering:?}");
        assert_eq!(home.udp_in(server(1, 80), Endpoint { port: 6000, ..outside }), Err(DropCause::NatNoMapping));
    }
}

#[test]
fn a_symmetric_translator_gives_each_destination_a_port_that_it_alone_may_use() {
    let mut home = Home::of(NatType::Symmetric);
    let (one, two) = (home.udp_out(A, server(1, 80)), home.udp_out(A, server(2, 80)));
    assert_ne!(one, two);
    assert_eq!(home.udp_in(server(1, 80), one), Ok(A));
    assert_eq!(home.udp_in(server(2, 80), one), Err(DropCause::NatFiltered));
    assert_eq!(home.udp_in(server(2, 80), two), Ok(A));
}

#[test]
fn an_open_filter_lets_in_whom_another_mapping_was_made_for() {
    let mut home = Home::new(|spec| {
        (spec.mapping, spec.filtering) = (AddressAndPortDependent, EndpointIndependent);
        spec.forward = [80, 81]
            .map(|port| Forward { port, to: "10.0.0.9:80".parse().unwrap(), protocol: ForwardProtocol::Tcp })
            .to_vec();
    });
    let (one, two) = (home.udp_out(A, server(1, 80)), home.udp_out(A, server(2, 80)));
    assert_ne!(one, two);
    assert_eq!(home.udp_in(server(2, 80), one), Ok(A));
    assert_eq!(home.udp_out(A, server(2, 80)), two, "and its own mapping stays");
    // two connections of the same endpoints could not be told apart
    let at = |port| Endpoint { address: WAN[0], port };
    assert!(home.back(tcp(server(1, 80), at(80), 2)).is_ok());
    assert_eq!(home.back(tcp(server(1, 80), at(81), 2)), Err(DropCause::NatFull));
}

#[test]
fn hole_punching_works_between_cones_and_not_between_symmetric_translators() {
    for (kind, punched) in [(NatType::PortRestrictedCone, true), (NatType::Symmetric, false)] {
        let b = Endpoint { port: 6000, ..A };
        let (mut left, mut right) =
            (Home::of(kind), Home::with(&WAN[1..], |s| (s.mapping, s.filtering) = kind.behaviour()));
        // both learn the other's outside endpoint from a third
        let (a_seen, b_seen) = (left.udp_out(A, server(1, 3478)), right.udp_out(b, server(1, 3478)));
        let opening = left.udp_out(A, b_seen);
        assert_eq!(right.udp_in(opening, b_seen), Err(DropCause::NatFiltered), "too early");
        let answer = right.udp_out(b, a_seen);
        assert_eq!(left.udp_in(answer, a_seen).is_ok(), punched, "{kind:?}");
    }
}

#[test]
fn inside_hosts_meet_by_their_outside_endpoints_and_see_those() {
    let b = inside(3, 6000);
    for kind in [NatType::FullCone, NatType::PortRestrictedCone] {
        let mut home = Home::of(kind);
        let (a_out, b_out) = (home.udp_out(A, server(1, 80)), home.udp_out(b, server(1, 80)));
        let first = home.around(udp(A, b_out));
        match kind {
            NatType::FullCone => assert_eq!(first.map(|frame| ends(&frame)), Ok((a_out, b))),
            _ => assert_eq!(first, Err(DropCause::NatFiltered), "B has not sent to A's outside endpoint"),
        }
        // now that A has, B gets through, and then A too
        assert_eq!(home.around(udp(b, a_out)).map(|frame| ends(&frame)), Ok((b_out, A)));
        assert_eq!(home.around(udp(A, b_out)).map(|frame| ends(&frame)), Ok((a_out, b)));
    }
    let mut home = Home::new(|spec| (spec.filtering, spec.hairpinning) = (EndpointIndependent, Hairpinning::Off));
    let b_out = home.udp_out(b, server(1, 80));
    assert_eq!(home.around(udp(A, b_out)), Err(DropCause::NatFiltered));
}

#[test]
fn what_is_the_routers_own_is_left_alone() {
    let mut home = Home::of(NatType::FullCone);
    let untouched = |frame: Vec<u8>, done: Result<Vec<u8>, DropCause>| assert_eq!(done, Ok(frame));
    let ping = echo(8, server(1, 0).address, WAN[0], 7);
    untouched(ping.clone(), home.back(ping));
    let from_inside = udp(A, Endpoint { address: WAN[0], port: 53 });
    untouched(from_inside.clone(), home.around(from_inside));
    let own = udp(Endpoint { address: WAN[0], port: 1 }, server(1, 1));
    untouched(own.clone(), home.out(own));
    let multicast = udp(server(1, 1), end([224, 0, 0, 5], 1));
    untouched(multicast.clone(), home.back(multicast));
    assert_eq!(home.back(udp(server(1, 1), A)), Err(DropCause::NatNoMapping), "nothing outside knows the inside");
    assert_eq!(home.nat.counters(home.now), NatCounters::default());
}

#[test]
fn only_hosts_of_the_inside_networks_are_translated() {
    let mut home = Home::new(|spec| spec.inside = vec!["10.0.0.0/24".parse().unwrap()]);
    let public = udp(end([192, 0, 2, 7], 5000), server(1, 80));
    assert_eq!(home.out(public.clone()), Ok(public));
    let answer = udp(server(1, 80), end([192, 0, 2, 7], 5000));
    assert_eq!(home.back(answer.clone()), Ok(answer));
    assert_eq!(home.udp_out(A, server(1, 80)).address, WAN[0]);
}

#[test]
fn ports_are_preserved_until_two_want_the_same() {
    let mut home = Home::new(|_| {});
    assert_eq!(home.udp_out(inside(2, 5000), server(1, 80)).port, 5000);
    assert_eq!(home.udp_out(inside(3, 5000), server(1, 80)).port, 5002, "the next that is even too");
    assert_eq!(home.udp_out(inside(4, 5001), server(1, 80)).port, 5001);
    assert_eq!(home.udp_out(inside(2, 80), server(1, 80)).port, 1024, "80 is outside of the range");
    // another protocol has ports of its own
    assert_eq!(ends(&home.out(tcp(inside(9, 5000), server(1, 80), 2)).unwrap()).0.port, 5000);
    let mut home = Home::new(|spec| spec.parity = false);
    assert_eq!([2, 3].map(|host| home.udp_out(inside(host, 5000), server(1, 80)).port), [5000, 5001]);
}

#[test]
fn ports_are_given_out_in_sequence_or_at_random() {
    let ports = |assignment| {
        let mut home = Home::new(|spec| {
            (spec.port_assignment, spec.parity, spec.ports) = (assignment, false, "7000-7999".parse().unwrap());
        });
        [5000, 5001, 5002, 5003, 5004].map(|port| home.udp_out(inside(2, port), server(1, 80)).port)
    };
    assert_eq!(ports(PortAssignment::Sequential), [7000, 7001, 7002, 7003, 7004]);
    let random = ports(PortAssignment::Random);
    assert_eq!(random, ports(PortAssignment::Random), "the same seed");
    assert!(random.iter().all(|port| (7000..8000).contains(port)));
    assert!(random.windows(2).any(|two| two[1] != two[0] + 1));
}

#[test]
fn when_ports_run_out_new_flows_are_refused_and_old_ones_go_on() {
    let mut home = Home::new(|spec| (spec.ports, spec.parity) = ("7000-7002".parse().unwrap(), false));
    let given: Vec<_> = (0..3).map(|n| home.udp_out(inside(2, 5000 + n), server(1, 80)).port).collect();
    assert_eq!(given, [7000, 7001, 7002]);
    assert_eq!(home.out(udp(inside(3, 5000), server(1, 80))), Err(DropCause::NatFull));
    assert_eq!(home.udp_out(inside(2, 5001), server(2, 80)).port, 7001);
    home.wait(Duration::from_secs(120) + Duration::from_nanos(1));
    assert_eq!(home.udp_out(inside(3, 5000), server(1, 80)).port, 7000);
}

#[test]
fn a_host_may_have_as_many_mappings_as_the_limit_says() {
    let mut home = Home::new(|spec| spec.host_limit = Some(2));
    let mut open = |host, port| home.out(udp(inside(host, port), server(1, 80))).map(|_| ());
    assert_eq!([open(2, 1), open(2, 2), open(2, 3), open(3, 1)], [Ok(()), Ok(()), Err(DropCause::NatFull), Ok(())]);
    home.wait(Duration::from_secs(121));
    assert!(home.out(udp(inside(2, 3), server(1, 80))).is_ok());
}

#[test]
fn paired_pooling_keeps_a_host_at_one_address_and_arbitrary_does_not() {
    let addresses = |pooling| {
        let mut home = Home::with(&WAN, |spec| spec.pooling = pooling);
        [(2, 1), (2, 2), (3, 1), (3, 2)].map(|(host, port)| home.udp_out(inside(host, port), server(1, 80)).address)
    };
    assert_eq!(addresses(Pooling::Paired), [WAN[0], WAN[0], WAN[1], WAN[1]]);
    assert_eq!(addresses(Pooling::Arbitrary), [WAN[0], WAN[1], WAN[0], WAN[1]]);
}

#[test]
fn a_forward_leads_anybody_inside_and_answers_come_from_its_port() {
    let forward = |port: u16, to: &str, protocol| Forward { port, to: to.parse().unwrap(), protocol };
    let mut home = Home::new(|spec| {
        spec.forward = vec![
            forward(8080, "10.0.0.2:80", ForwardProtocol::Tcp),
            forward(8081, "10.0.0.2:80", ForwardProtocol::Tcp),
            forward(53, "10.0.0.3", ForwardProtocol::Udp),
        ];
    });
    for port in [8080, 8081] {
        let (client, outside) = (server(1, port), Endpoint { address: WAN[0], port });
        assert_eq!(ends(&home.back(tcp(client, outside, 2)).unwrap()), (client, inside(2, 80)));
        assert_eq!(ends(&home.out(tcp(inside(2, 80), client, 0x12)).unwrap()), (outside, client));
    }
    let dns = Endpoint { address: WAN[0], port: 53 };
    assert_eq!(home.udp_in(server(1, 9), dns), Ok(inside(3, 53)));
    assert_eq!(home.udp_out(inside(3, 53), server(7, 9)), dns, "and what it begins comes from there too");
    assert_eq!(home.udp_in(server(1, 9), Endpoint { port: 8080, ..dns }), Err(DropCause::NatNoMapping), "TCP alone");
    // from inside, by the outside address
    assert_eq!(ends(&home.around(tcp(inside(4, 999), Endpoint { port: 8080, ..dns }, 2)).unwrap()).1, inside(2, 80));
    // its port is nobody else's
    assert_ne!(ends(&home.out(tcp(inside(9, 8080), server(1, 80), 2)).unwrap()).0.port, 8080);
    assert_eq!(home.nat.counters(home.now).made, 2, "what went out from two inside clients");
}

#[test]
fn a_translator_behind_a_translator_is_a_carriers() {
    // client → home → carrier → server, and back
    let (mut home, mut carrier) =
        (Home::with(&[Ipv4Addr::new(100, 64, 0, 7)], |_| {}), Home::new(|s| s.host_limit = Some(100)));
    for exchange in 0..3 {
        let request = udp(A, server(1, 80));
        let middle = home.out(request).unwrap();
        assert_eq!(ends(&middle).0.address, Ipv4Addr::new(100, 64, 0, 7));
        let outer = carrier.out(middle).unwrap();
        let (seen, to) = ends(&outer);
        assert_eq!((seen.address, to), (WAN[0], server(1, 80)), "exchange {exchange}");
        let answer = carrier.back(udp(server(1, 80), seen)).unwrap();
        assert_eq!(ends(&home.back(answer).unwrap()), (server(1, 80), A));
    }
    let stranger = udp(server(9, 9), Endpoint { address: WAN[0], port: 5000 });
    assert_eq!(carrier.back(stranger), Err(DropCause::NatFiltered));
}

#[test]
fn protocols_without_ports_have_one_inside_host_for_each_remote_address() {
    let mut home = Home::new(|_| {});
    let gre = |src: Endpoint, dst: Endpoint| ip(47, src.address, dst.address, &[0, 0, 8, 0, 1, 2, 3, 4]);
    let wan = Endpoint { address: WAN[0], port: 0 };
    assert_eq!(ends(&home.out(gre(inside(2, 0), server(1, 0))).unwrap()).0, wan);
    assert_eq!(ends(&home.back(gre(server(1, 0), wan)).unwrap()).1, inside(2, 0));
    assert_eq!(home.out(gre(inside(3, 0), server(1, 0))), Err(DropCause::NatFull), "answers could be for either");
    assert!(home.out(gre(inside(3, 0), server(2, 0))).is_ok());
    assert_eq!(ends(&home.back(gre(server(2, 0), wan)).unwrap()).1, inside(3, 0));
    assert_eq!(home.back(gre(server(3, 0), wan)), Err(DropCause::NatNoMapping));
}
