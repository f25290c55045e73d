//! Whether packets come to where they should, by the routes of hosts and routers, while all links are up.

use core::net::IpAddr;
use std::cell::RefCell;
use std::collections::BTreeMap;

use ipnet::IpNet;

use super::route::Passage;
use crate::engine::{self, Plan};
use crate::node::RouterPlan;
use crate::node::router::nat::Ipv6;
use crate::node::routing::{Hop, Routes};

/// A router of the plan.
pub(crate) struct RouterOf<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its plan.
    pub plan: &'a RouterPlan,
    /// The segment of each interface.
    pub segments: &'a [usize],
    /// Its place in [`Plan::nodes`].
    node: u32,
}

/// The routers of a plan at work, for questions.
pub(crate) struct Ways<'a> {
    /// In file order.
    pub routers: Vec<RouterOf<'a>>,
    /// The router that has an address on a segment.
    owners: BTreeMap<(usize, IpAddr), usize>,
    routes: RefCell<Routes>,
}

/// How far a packet comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrives {
    /// To the segment where it should; `translated`: its source address is another there.
    Yes {
        /// A router on the way translates addresses.
        translated: bool,
        /// A router on the way translates IPv4 addresses, and this packet is of IPv6.
        around: Option<usize>,
    },
    /// To this router, whose NAT lets no IPv6 in that nobody inside asked for.
    Guarded(usize),
    /// To this router, which has no route for it.
    NoRoute(usize),
    /// To this host, which is somebody's gateway and not the destination.
    AtHost(usize),
    /// Round and round, by way of this router: routes that the file gives contradict each other.
    Circle(usize),
}

impl Arrives {
    /// Straight to where it should.
    pub(crate) const STRAIGHT: Arrives = Arrives::Yes { translated: false, around: None };
}

impl<'a> Ways<'a> {
    /// `segments` has a row for each router of the plan.
    pub(crate) fn new(plan: &'a Plan, segments: &'a [Vec<usize>]) -> Ways<'a> {
        let nodes = plan.nodes.iter().enumerate();
        let plans = nodes.filter_map(|(node, plan)| Some((node as u32, plan.name.as_str(), plan.router()?)));
        let routers: Vec<_> =
            plans.zip(segments).map(|((node, name, plan), segments)| RouterOf { name, plan, segments, node }).collect();
        let mut owners = BTreeMap::new();
        for (at, router) in routers.iter().enumerate() {
            for (interface, segment) in router.plan.interfaces.iter().zip(router.segments) {
                let addresses = interface.addresses.iter().map(IpNet::addr);
                owners.extend(addresses.map(|address| ((*segment, address), at)));
                owners.insert((*segment, interface.mac.link_local().into()), at);
            }
        }
        Ways { routers, owners, routes: RefCell::new(engine::routes(plan)) }
    }

    /// Follows a packet from a gateway on a segment. The routers that it passes are added to `passages`.
    pub(crate) fn follow(
        &self,
        segment: usize,
        gateway: IpAddr,
        destination: IpAddr,
        passages: &mut Vec<Passage>,
    ) -> Arrives {
        // beyond machines that are no routers of the scenario nobody knows
        let Some(mut at) = self.owners.get(&(segment, gateway)).copied() else {
            return Arrives::STRAIGHT;
        };
        let (mut translated, mut around, mut came_by) = (false, None, segment);
        for _ in 0..=self.routers.len() {
            let router = &self.routers[at];
            let node = router.node as usize;
            if router.plan.interfaces.iter().any(|i| i.addresses.iter().any(|net| net.addr() == destination)) {
                passages.push(Passage { node, out: None, translated: false });
                return Arrives::Yes { translated, around };
            }
            let Some(hop) = self.hop(router, destination) else { return Arrives::NoRoute(at) };
            let came_in = router.segments.iter().position(|segment| *segment == came_by).map(|port| port as u32);
            if let (Some(nat), Some(came_in), true) = (&router.plan.nat, came_in, destination.is_ipv6())
                && (came_in == nat.port) != (hop.port == nat.port)
            {
                around = around.or(Some(at));
                // the rules of a firewall may let it in
                if came_in == nat.port && nat.spec.ipv6 == Ipv6::Filtered && router.plan.firewall.is_none() {
                    return Arrives::Guarded(at);
                }
            }
            let translates = destination.is_ipv4() && router.plan.border == Some(hop.port);
            passages.push(Passage { node, out: Some(hop.port), translated: translates });
            translated |= translates;
            let next = hop.via.and_then(|via| self.owners.get(&(router.segments[hop.port as usize], via)));
            match next {
                Some(next) => (at, came_by) = (*next, router.segments[hop.port as usize]),
                None => return Arrives::Yes { translated, around },
            }
        }
        Arrives::Circle(at)
    }

    fn hop(&self, router: &RouterOf<'_>, destination: IpAddr) -> Option<Hop> {
        let given = router.plan.routes.iter().filter(|route| route.to.contains(&destination));
        // of two of the same length the first one counts
        let given = given.rev().max_by_key(|route| route.to.prefix_len());
        let computed = self.routes.borrow_mut().lookup(router.node, destination);
        match (given, computed) {
            (Some(given), Some((length, hop))) if length > given.to.prefix_len() => Some(hop),
            (Some(given), _) => Some(Hop { port: given.port, via: given.via }),
            (None, computed) => computed.map(|(_, hop)| hop),
        }
    }
}
