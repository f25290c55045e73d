//! What comes back with an interface that was down.
//!
//! When an interface goes down, the kernel removes its routes, its permanent neighbours and its link-local address, and
//! does not bring them back (`ip link set eth0 down; ip link set eth0 up`). What the scenario gave is restored here. A
//! route that a program removed or replaced while the interface was up stays as the program wants it.
//!
//! Order of the kernel's messages: an interface's new state is told before the routes that go with it are
//! (`__dev_notify_flags` in Linux net/core/dev.c). So a route that goes while its interface is up was removed by a program.

use core::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkFlags;

use super::configure;
use super::error::HostError;
use super::netlink::{Monitor, Netlink, Told};
use crate::scenario::network::{HostPlan, InterfacePlan, RoutePlan};

/// Changes of interfaces, and of routes in both families: RTMGRP_LINK, RTMGRP_IPV4_ROUTE and RTMGRP_IPV6_ROUTE of
/// linux/rtnetlink.h.
const GROUPS: u32 = 0x1 | 0x40 | 0x400;

/// Watches a host's interfaces.
pub(crate) struct Keeper {
    monitor: Monitor,
    kept: Vec<Kept>,
    ipv6: bool,
}

/// One interface, with what is to come back with it.
struct Kept {
    index: u32,
    plan: InterfacePlan,
    /// `None` where the host's programs see to its routes.
    routes: Option<Vec<RoutePlan>>,
    up: bool,
    /// It has come up since it was last looked after.
    returned: bool,
}

impl Keeper {
    /// Watches the interfaces of a host, which are up, in the network namespace that this thread is in.
    pub(crate) fn new(plan: &HostPlan, indices: &[u32], ipv6: bool) -> Result<Keeper, HostError> {
        let kept = plan.interfaces.iter().zip(indices).map(|(interface, index)| {
            let is_its = |route: &&RoutePlan| match (&route.interface, route.via) {
                (Some(name), _) => *name == interface.name,
                (None, Some(via)) => interface.addresses.iter().any(|net| net.contains(&via)),
                (None, None) => false,
            };
            let routes = plan.routes.iter().filter(is_its).cloned().collect();
            Kept {
                index: *index,
                plan: interface.clone(),
                routes: plan.restores_routes.then_some(routes),
                up: true,
                returned: false,
            }
        });
        Ok(Keeper { monitor: Monitor::open(GROUPS)?, kept: kept.collect(), ipv6 })
    }

    /// Takes in what was told, and gives interfaces that have come up again what they had.
    pub(crate) fn keep(&mut self, netlink: &mut Netlink) {
        let kept = &mut self.kept;
        if !self.monitor.read(|told| hear(kept, &told)) {
            // What got lost may be that one has come up.
            for interface in kept.iter_mut() {
                let up = configure::settings(netlink, interface.index).is_ok_and(|now| now.up);
                interface.becomes(up);
            }
        }
        for interface in kept.iter_mut().filter(|interface| interface.returned) {
            interface.returned = false;
            let routes = interface.routes.as_deref().unwrap_or_default();
            configure::restore(netlink, &interface.plan, routes, interface.index, self.ipv6);
        }
    }

    /// The default route of the main table that comes back with its interface, in the family of this gateway: the
    /// interface's position, and the gateway.
    pub(crate) fn default_route(&mut self, netlink: &mut Netlink, family: IpAddr) -> Option<(usize, IpAddr)> {
        self.keep(netlink);
        let wanted = configure::default_route(family);
        let is_it = |route: &&RoutePlan| (route.to, route.table) == (wanted.to, wanted.table);
        let routes = |kept: &Kept| kept.routes.as_deref().unwrap_or_default().iter().find(is_it)?.via;
        self.kept.iter().enumerate().find_map(|(at, kept)| Some((at, routes(kept)?)))
    }

    /// Init itself has moved the default route of the main table, in this gateway's family, to an interface.
    pub(crate) fn moved(&mut self, netlink: &mut Netlink, interface: usize, via: IpAddr) {
        // Heard later, what the kernel tells of this move would undo the next.
        self.keep(netlink);
        let new = configure::default_route(via);
        for (at, kept) in self.kept.iter_mut().enumerate() {
            if let Some(routes) = &mut kept.routes {
                routes.retain(|route| (route.to, route.table) != (new.to, new.table));
                routes.extend((at == interface).then(|| new.clone()));
            }
        }
    }
}

impl Kept {
    fn becomes(&mut self, up: bool) {
        self.returned |= up && !self.up;
        self.up = up;
    }

    /// A program has seen to a route to the same destination.
    fn forget(&mut self, gone: impl Fn(&RoutePlan) -> bool) {
        if let (true, Some(routes)) = (self.up, &mut self.routes) {
            routes.retain(|route| !gone(route));
        }
    }
}

fn hear(kept: &mut [Kept], told: &Told) {
    let same_place = |a: &RoutePlan, b: &RoutePlan| (a.to.trunc(), a.table) == (b.to.trunc(), b.table);
    match &told.message {
        RouteNetlinkMessage::NewLink(link) => {
            let up = link.header.flags.contains(LinkFlags::Up);
            kept.iter_mut().filter(|kept| kept.index == link.header.index).for_each(|kept| kept.becomes(up));
        }
        RouteNetlinkMessage::DelRoute(message) => {
            let Some((gone, index)) = configure::told_route(message) else { return };
            for kept in kept.iter_mut().filter(|kept| kept.index == index) {
                kept.forget(|route| same_place(route, &gone) && route.via == gone.via);
            }
        }
        RouteNetlinkMessage::NewRoute(message) if told.replaces => {
            let Some((new, index)) = configure::told_route(message) else { return };
            for kept in kept {
                let index_differs = kept.index != index;
                kept.forget(|route| same_place(route, &new) && (index_differs || route.via != new.via));
            }
        }
        _ => {}
    }
}

impl AsFd for Keeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}
