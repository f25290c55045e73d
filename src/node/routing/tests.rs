//! Routes of random networks against Floyd and Warshall, and of small ones by hand.

use proptest::prelude::*;

use super::network::{Site, Wire};
use super::*;
use crate::node::router::{RouterInterface, RouterPlan, RouterRoute};

/// A network under construction: what its routers are built from, and what joins them.
#[derive(Clone, Debug, Default)]
struct Made {
    routers: Vec<RouterPlan>,
    bridges: usize,
    wires: Vec<([usize; 2], [u64; 2])>,
}

/// Routers are nodes 0, 1, …; bridges follow, and then a host for each router's stub.
impl Made {
    fn routers(count: usize) -> Made {
        let mut made = Made { routers: vec![RouterPlan::default(); count], ..Made::default() };
        (0..count).for_each(|router| made.interface(router, &format!("10.9.{router}.1/24")));
        made
    }

    /// One interface more; its port is the next.
    fn interface(&mut self, router: usize, net: &str) {
        let nets = if net.is_empty() { Vec::new() } else { vec![net.parse().unwrap()] };
        self.interface_with(router, nets);
    }

    fn interface_with(&mut self, router: usize, addresses: Vec<IpNet>) {
        let port = self.routers[router].interfaces.len();
        let mac = [2, 0, 0, 0, router as u8, port as u8].into();
        let name = format!("eth{port}");
        self.routers[router].interfaces.push(RouterInterface { name, mac, addresses, neighbours: Vec::new() });
    }

    /// A link between two sites; routers get an address for it.
    fn wire(&mut self, a: usize, b: usize, costs: [u64; 2]) {
        let n = self.wires.len();
        for (site, last) in [(a, 0), (b, 1)] {
            if site < self.routers.len() {
                // on a bridge's segment, whichever wires it has, all have one subnet
                let bridge = [a, b].into_iter().find(|site| *site >= self.routers.len());
                let net = match bridge {
                    Some(_) => format!("10.200.{n}.{}/9", site + 1),
                    None => format!("10.1.{n}.{last}/31"),
                };
                self.interface(site, &net);
            }
        }
        self.wires.push(([a, b], costs));
    }

    fn network(&self) -> Network<'_> {
        let routers = self.routers.iter().enumerate().map(|(at, plan)| Site::Router { node: at as u32, plan });
        let sites: Vec<_> = routers
            .chain((0..self.bridges).map(|_| Site::Bridge))
            .chain((0..self.routers.len()).map(|_| Site::Host))
            .collect();
        let mut ports = vec![0; sites.len()];
        let mut port = |site: usize| {
            ports[site] += 1;
            (site as u32, ports[site] - 1)
        };
        // the stubs come first: they are port 0 of their routers
        let stubs = (0..self.routers.len()).map(|at| ([at, self.routers.len() + self.bridges + at], [1, 1]));
        let wires: Vec<Wire> = stubs
            .chain(self.wires.iter().copied())
            .enumerate()
            .map(|(link, (ends, costs))| Wire { link: link as u32, ends: ends.map(&mut port), costs })
            .collect();
        let links = wires.len();
        Network { sites, wires, links }
    }

    /// The link of the n-th wire.
    fn link(&self, wire: usize) -> u32 {
        (self.routers.len() + wire) as u32
    }

    fn owner(&self, via: IpAddr) -> usize {
        let has = |plan: &RouterPlan| plan.interfaces.iter().any(|i| i.addresses.iter().any(|net| net.addr() == via));
        self.routers.iter().position(has).expect("a gateway is a router")
    }

    /// The shortest ways between all sites; through routers too, or through bridges only.
    fn distances(&self, up: &[bool], through_routers: bool) -> Vec<Vec<Option<u64>>> {
        let count = self.routers.len() + self.bridges;
        let mut all = vec![vec![None; count]; count];
        (0..count).for_each(|at| all[at][at] = Some(0));
        for ((ends, costs), _) in self.wires.iter().zip(up).filter(|(_, up)| **up) {
            for (from, to, cost) in [(ends[0], ends[1], costs[0]), (ends[1], ends[0], costs[1])] {
                all[from][to] = Some(all[from][to].map_or(cost, |old: u64| old.min(cost)));
            }
        }
        for k in if through_routers { 0 } else { self.routers.len() }..count {
            for i in 0..count {
                for j in 0..count {
                    if let (Some(a), Some(b)) = (all[i][k], all[k][j]) {
                        all[i][j] = Some(all[i][j].map_or(a + b, |old| old.min(a + b)));
                    }
                }
            }
        }
        all
    }
}

fn stub(router: usize) -> IpAddr {
    IpAddr::V4([10, 9, router as u8, 77].into())
}

fn via(hop: Option<(u8, Hop)>) -> String {
    match hop {
        None => "none".into(),
        Some((length, Hop { port, via: None })) => format!("/{length} on {port}"),
        Some((length, Hop { port, via: Some(via) })) => format!("/{length} by {via} on {port}"),
    }
}

fn made() -> impl Strategy<Value = Made> {
    (2usize..9, 0usize..3).prop_flat_map(|(routers, bridges)| {
        let sites = routers + bridges;
        // few different costs, so that many ways are equal
        let wire = (0..sites, 0..sites, 1u64..5, 1u64..5);
        prop::collection::vec(wire, 0..20).prop_map(move |wires| {
            let mut made = Made::routers(routers);
            made.bridges = bridges;
            for (a, b, there, back) in wires.into_iter().filter(|(a, b, ..)| a != b) {
                made.wire(a, b, [there, back]);
            }
            made
        })
    })
}

proptest! {
    /// Whatever goes up and down, and whoever is asked first: the hops from any router to any segment are a shortest way, and
    /// end; where there is none, there is no hop.
    #[test]
    fn hops_are_shortest_ways_whatever_happens(
        made in made(),
        changes in prop::collection::vec(prop::collection::vec((0usize..20, any::<bool>()), 0..4), 1..5),
        ask_first in any::<u32>(),
    ) {
        let mut routes = Routes::new(&made.network());
        let mut up = vec![true; made.wires.len()];
        let count = made.routers.len();
        for changes in changes {
            let changes: Vec<_> = changes.into_iter().filter(|(wire, _)| *wire < up.len()).collect();
            changes.iter().for_each(|(wire, now)| up[*wire] = *now);
            routes.converge(changes.iter().map(|(wire, now)| (made.link(*wire), *now)));
            let (whole, segment) = (made.distances(&up, true), made.distances(&up, false));
            for turn in 0..count * count {
                let turn = (turn + ask_first as usize) % (count * count);
                let (from, to) = (turn / count, turn % count);
                let mut at = from;
                for _ in 0..=count {
                    match routes.lookup(at as u32, stub(to)) {
                        None => {
                            prop_assert_eq!(whole[at][to], None, "no way from {} to {}", at, to);
                            break;
                        }
                        Some((length, Hop { port, via: None })) => {
                            prop_assert_eq!((at, length, port), (to, 24, 0));
                            break;
                        }
                        Some((length, Hop { via: Some(via), .. })) => {
                            prop_assert_eq!(length, 24);
                            let next = made.owner(via);
                            let rest = whole[next][to].expect("the next router has a way");
                            prop_assert_eq!(whole[at][to], segment[at][next].map(|step| step + rest));
                            prop_assert!(Some(rest) < whole[at][to]);
                            at = next;
                        }
                    }
                }
                prop_assert!(at == to || whole[from][to].is_none(), "the way from {} to {} does not end", from, to);
            }
        }
    }

    /// What is known does not depend on when it was first asked for.
    #[test]
    fn the_order_of_questions_changes_nothing(made in made(), wire in 0usize..20) {
        let [mut early, mut late] = [0, 1].map(|_| Routes::new(&made.network()));
        let all: Vec<_> = (0..made.routers.len()).flat_map(|r| (0..made.routers.len()).map(move |s| (r as u32, stub(s)))).collect();
        let _: Vec<_> = all.iter().map(|(router, to)| early.lookup(*router, *to)).collect();
        if wire < made.wires.len() {
            early.converge([(made.link(wire), false)]);
            late.converge([(made.link(wire), false)]);
        }
        for (router, to) in all.iter().rev() {
            let _ = late.lookup(*router, *to);
        }
        for (router, to) in &all {
            prop_assert_eq!(early.lookup(*router, *to), late.lookup(*router, *to));
        }
    }
}

#[test]
fn the_short_way_is_taken_until_it_is_down() {
    // 0 — 1 — 2, and 0 — 2 straight but slower
    let mut made = Made::routers(3);
    made.wire(0, 1, [2, 2]);
    made.wire(1, 2, [2, 2]);
    made.wire(0, 2, [9, 3]);
    let mut routes = Routes::new(&made.network());
    assert_eq!(via(routes.lookup(0, stub(2))), "/24 by 10.1.0.1 on 1");
    // back it is the straight one: costs are of a direction
    assert_eq!(via(routes.lookup(2, stub(0))), "/24 by 10.1.2.0 on 2");
    assert_eq!(via(routes.lookup(0, stub(0))), "/24 on 0");
    routes.converge([(made.link(1), false)]);
    assert_eq!(via(routes.lookup(0, stub(2))), "/24 by 10.1.2.1 on 2");
    assert!(!routes.carries(1, 2) && routes.carries(1, 1) && routes.carries(99, 0));
    // a segment that no router reaches any more
    assert_eq!(via(routes.lookup(0, "10.1.1.1".parse().unwrap())), "none");
    routes.converge([(made.link(1), true), (made.link(2), false)]);
    assert_eq!(via(routes.lookup(0, stub(2))), "/24 by 10.1.0.1 on 1");
    // a stub whose own link is down is not reached
    routes.converge([(2, false)]);
    assert_eq!(via(routes.lookup(0, stub(2))), "none");
}

#[test]
fn of_equal_ways_fewer_links_and_then_the_earlier_link() {
    let mut made = Made::routers(4);
    let ms = crate::units::Duration::from_millis;
    made.wire(0, 1, [network::cost(ms(1)); 2]);
    made.wire(1, 3, [network::cost(ms(1)); 2]);
    made.wire(0, 2, [network::cost(ms(1)); 2]);
    made.wire(2, 3, [network::cost(ms(1)); 2]);
    let mut routes = Routes::new(&made.network());
    assert_eq!(via(routes.lookup(0, stub(3))), "/24 by 10.1.0.1 on 1");
    assert_eq!(via(routes.lookup(3, stub(0))), "/24 by 10.1.1.0 on 1");
    made.wire(0, 3, [network::cost(ms(2)); 2]);
    let mut routes = Routes::new(&made.network());
    assert_eq!(via(routes.lookup(0, stub(3))), "/24 by 10.1.4.1 on 3");
    assert_eq!(network::cost(crate::units::Duration::MAX), network::cost(ms(5_000_000)));
}

#[test]
fn unknown_destinations_go_to_the_nearest_router_with_a_given_way_out() {
    let given =
        |to: &str, via: &str, port| RouterRoute { to: to.parse().unwrap(), via: Some(via.parse().unwrap()), port };
    // 0 — 1 — 2 — 3
    let mut made = Made::routers(4);
    (0..3).for_each(|at| made.wire(at, at + 1, [1, 1]));
    made.routers[3].routes = vec![given("0.0.0.0/0", "10.9.3.200", 0), given("172.16.0.0/12", "10.9.3.201", 0)];
    // its way leads to another router: it is no way out
    made.routers[1].routes = vec![given("0.0.0.0/0", "10.1.1.1", 2)];
    let (unknown, lab) = ("192.0.2.1".parse().unwrap(), "172.20.0.1".parse().unwrap());
    let mut routes = Routes::new(&made.network());
    assert_eq!(via(routes.lookup(0, unknown)), "/0 by 10.1.0.1 on 1");
    assert_eq!(via(routes.lookup(2, lab)), "/12 by 10.1.2.1 on 2");
    // its own given routes are its own affair
    assert_eq!(via(routes.lookup(3, unknown)), "none");
    assert_eq!(via(routes.lookup(3, lab)), "none");
    // a nearer way out
    made.routers[0].routes = vec![given("0.0.0.0/0", "10.9.0.200", 0)];
    let mut routes = Routes::new(&made.network());
    assert_eq!(via(routes.lookup(1, unknown)), "/0 by 10.1.0.0 on 1");
    assert_eq!(via(routes.lookup(2, unknown)), "/0 by 10.1.2.1 on 2");
    // its link is down
    routes.converge([(0, false)]);
    assert_eq!(via(routes.lookup(1, unknown)), "/0 by 10.1.1.1 on 2");
}

#[test]
fn behind_a_router_that_translates_addresses_is_a_network_of_its_own() {
    // two homes with the same addresses: 0 and 1 are borders, 2 is the Internet
    let mut made = Made { routers: vec![RouterPlan::default(); 3], ..Made::default() };
    let both = |v4: &str, v6: &str| vec![v4.parse().unwrap(), v6.parse().unwrap()];
    made.interface_with(0, both("192.168.1.1/24", "fd00:1::1/64"));
    made.interface_with(1, both("192.168.1.1/24", "fd00:2::1/64"));
    made.interface_with(2, both("203.0.113.1/24", "fd00:3::1/64"));
    for home in 0..2 {
        made.interface_with(home, both(&format!("10.0.{home}.0/31"), &format!("fd00:f:{home}::/127")));
        made.interface_with(2, both(&format!("10.0.{home}.1/31"), &format!("fd00:f:{home}::1/127")));
        made.routers[home].border = Some(1);
        made.wires.push(([home, 2], [1, 1]));
    }
    let mut routes = Routes::new(&made.network());
    let mut to = |router, address: &str| via(routes.lookup(router, address.parse().unwrap()));
    // what lies inside is known inside only
    assert_eq!(to(0, "192.168.1.5"), "/24 on 0");
    assert_eq!(to(1, "192.168.1.5"), "/24 on 0");
    assert_eq!(to(2, "192.168.1.5"), "none");
    // what lies outside is known to the border
    assert_eq!(to(0, "203.0.113.5"), "/24 by 10.0.0.1 on 1");
    assert_eq!(to(0, "10.0.1.0"), "/31 by 10.0.0.1 on 1");
    assert_eq!(to(0, "192.0.2.1"), "none");
    // IPv6 is one network
    assert_eq!(to(2, "fd00:1::5"), "/64 by fd00:f:: on 1");
    assert_eq!(to(0, "fd00:2::5"), "/64 by fd00:f::1 on 1");
}

#[test]
fn inside_the_border_is_where_unknown_destinations_go() {
    // 0 — 1 inside, 1 the border, 1 — 2 outside, and 2 has a way out
    let mut made = Made::routers(3);
    made.wire(0, 1, [1, 1]);
    made.wire(1, 2, [1, 1]);
    made.routers[1].border = Some(2);
    let out = RouterRoute { to: "0.0.0.0/0".parse().unwrap(), via: Some("10.9.2.200".parse().unwrap()), port: 0 };
    made.routers[2].routes = vec![out];
    let mut routes = Routes::new(&made.network());
    assert_eq!(via(routes.lookup(0, stub(2))), "/0 by 10.1.0.1 on 1");
    assert_eq!(via(routes.lookup(1, stub(2))), "/24 by 10.1.1.1 on 2");
    assert_eq!(via(routes.lookup(1, "192.0.2.1".parse().unwrap())), "/0 by 10.1.1.1 on 2");
    assert_eq!(via(routes.lookup(2, stub(0))), "none");
    let known: Vec<_> = routes.of(1).iter().map(|(net, hop)| format!("{net} {}", via(Some((0, *hop))))).collect();
    assert!(known.contains(&"10.9.0.0/24 /0 by 10.1.0.0 on 1".to_owned()), "{known:?}");
    assert!(known.contains(&"0.0.0.0/0 /0 by 10.1.1.1 on 2".to_owned()), "{known:?}");
}

#[test]
fn a_way_leads_through_switches_by_the_cheapest_links() {
    // 0 and 1 on two switches that are joined, and on a third one that is slow
    let mut made = Made::routers(2);
    made.bridges = 3;
    made.wire(0, 2, [1, 1]);
    made.wire(2, 3, [1, 1]);
    made.wire(3, 1, [1, 1]);
    made.wire(0, 4, [5, 1]);
    made.wire(4, 1, [1, 1]);
    let mut routes = Routes::new(&made.network());
    assert_eq!(via(routes.lookup(0, stub(1))), "/24 by 10.200.2.2 on 1");
    assert_eq!(via(routes.lookup(1, stub(0))), "/24 by 10.200.3.1 on 2");
    routes.converge([(made.link(1), false)]);
    assert_eq!(via(routes.lookup(0, stub(1))), "/24 by 10.200.4.2 on 2");
}

#[test]
fn a_segment_is_reached_by_whichever_router_still_has_its_link() {
    // 0 — 1 — 2, and 0 and 2 are both on the segment 10.50.0.0/24
    let mut made = Made::routers(3);
    made.wire(0, 1, [1, 1]);
    made.wire(1, 2, [3, 3]);
    made.bridges = 1;
    for (router, net) in [(0, "10.50.0.1/24"), (2, "10.50.0.2/24")] {
        made.interface(router, net);
        made.wires.push(([router, 3], [1, 1]));
    }
    let host: IpAddr = "10.50.0.9".parse().unwrap();
    let mut routes = Routes::new(&made.network());
    assert_eq!(via(routes.lookup(0, host)), "/24 on 2");
    assert_eq!(via(routes.lookup(1, host)), "/24 by 10.1.0.0 on 1");
    routes.converge([(made.link(2), false)]);
    assert_eq!(via(routes.lookup(0, host)), "/24 by 10.1.0.1 on 1");
    assert_eq!(via(routes.lookup(1, host)), "/24 by 10.1.1.1 on 2");
    routes.converge([(made.link(3), false)]);
    assert_eq!(via(routes.lookup(1, host)), "none");
}

#[test]
fn a_network_without_routers_has_no_routes() {
    let mut routes = Routes::default();
    assert_eq!(routes.lookup(0, stub(0)), None);
    assert!(routes.of(0).is_empty() && routes.carries(0, 0));
    routes.converge([(0, false)]);
}
