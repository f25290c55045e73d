//! What comes back with an interface that was down.
//!
//! When an interface goes down, the kernel removes its routes, its permanent neighbours and its link-local address, and
//! does not bring them back (`ip link set eth0 down; ip link set eth0 up`). What the scenario gave is restored here. A
//! route that a program removed or replaced while the interface was up stays as the program wants it.
//!
//! An interface that was deleted, or moved to another namespace, is told here, and is set up by [`Restorer::attach`] once it is
//! there again.
//!
//! Order of the kernel's messages: an interface's new state is told before the routes that go with it are
//! (`__dev_notify_flags` in Linux net/core/dev.c). So a route that goes while its interface is up was removed by a program.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_route::link::LinkFlags;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::configure::{self, Family};
use super::error::HostError;
use super::netlink::{Monitor, Netlink, Told};
use crate::addressing::network::{HostPlan, InterfacePlan, RoutePlan};
use crate::port::tap::{Framing, TapPort};

/// Changes of interfaces, and of routes in both families: RTMGRP_LINK, RTMGRP_IPV4_ROUTE and RTMGRP_IPV6_ROUTE of
/// linux/rtnetlink.h.
const GROUPS: u32 = 0x1 | 0x40 | 0x400;
/// Neighbours, those among them that the kernel asks for: RTMGRP_NEIGH.
const NEIGHBOURS: u32 = 0x4;

/// Watches a host's interfaces.
pub(crate) struct Restorer {
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
    /// It was deleted, or moved away.
    gone: bool,
    /// Nobody has been told so yet.
    untold: bool,
    /// Neighbours that its kernel asked for since then.
    asked: BTreeSet<IpAddr>,
}

impl Restorer {
    /// Watches the interfaces of a host, which are up, in the network namespace that this thread is in.
    pub(crate) fn new(plan: &HostPlan, indices: &[u32], ipv6: bool) -> Result<Restorer, HostError> {
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
                gone: false,
                untold: false,
                asked: BTreeSet::new(),
            }
        });
        let on_demand = plan.interfaces.iter().any(|interface| interface.neighbours.is_on_demand());
        let groups = if on_demand { GROUPS | NEIGHBOURS } else { GROUPS };
        Ok(Restorer { monitor: Monitor::open(groups)?, kept: kept.collect(), ipv6 })
    }

    /// Takes in what was told, and gives interfaces that have come up again what they had.
    pub(crate) fn keep(&mut self, netlink: &mut Netlink) {
        let kept = &mut self.kept;
        if !self.monitor.read(|told| hear(kept, &told)) {
            // What got lost may be that one has come up, or is gone.
            for interface in kept.iter_mut() {
                match configure::settings(netlink, interface.index) {
                    Ok(now) => interface.becomes(now.up),
                    Err(_) => interface.goes(),
                }
            }
        }
        for interface in kept.iter_mut().filter(|interface| !interface.asked.is_empty()) {
            let asked = std::mem::take(&mut interface.asked);
            configure::answer(netlink, &interface.plan, interface.index, asked.into_iter());
        }
        for interface in kept.iter_mut().filter(|interface| interface.returned) {
            interface.returned = false;
            let routes = interface.routes.as_deref().unwrap_or_default();
            configure::restore(netlink, &interface.plan, routes, interface.index, self.ipv6);
        }
    }

    /// Positions of interfaces that have been deleted or moved away since the last call.
    pub(crate) fn take_gone(&mut self) -> Vec<usize> {
        let kept = self.kept.iter_mut().enumerate();
        kept.filter_map(|(at, kept)| std::mem::take(&mut kept.untold).then_some(at)).collect()
    }

    /// Sets an interface up that is there again, in the network namespace that this thread is in: the one that had moved away, or a
    /// TAP that was made in its place. `None` where there is none; its index, and a TAP where it is another one.
    pub(crate) fn attach(
        &mut self,
        netlink: &mut Netlink,
        at: usize,
        framing: Framing,
    ) -> Result<Option<(u32, Option<TapPort>)>, HostError> {
        let Some(kept) = self.kept.get_mut(at) else { return Ok(None) };
        let name = &kept.plan.name;
        if configure::interface_index(name)?.is_none() {
            return Ok(None);
        }
        let opened = TapPort::open(name, framing);
        // Asked after it was opened: as long as the TAP lives, the name is its own.
        let Some(index) = configure::interface_index(name)? else { return Ok(None) };
        let tap = match opened {
            // It was deleted meanwhile, and what was opened is one that nobody has made.
            Ok(tap) if !tap.is_persistent() => return Ok(None),
            Ok(tap) => Some(tap),
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && kept.is_it(netlink, index)? => None,
            Err(error) => return Err(HostError::tap(name, error)),
        };
        let routes = kept.routes.as_deref().unwrap_or_default();
        let family = Family { ipv6: self.ipv6, own: true };
        // Best effort, as for one that comes up: programs may have seen to some of it.
        let _ = configure::interface(netlink, &kept.plan, routes, index, family);
        (kept.index, kept.gone, kept.up, kept.returned) = (index, false, true, false);
        Ok(Some((index, tap)))
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
        self.returned |= up && !self.up && !self.gone;
        self.up = up;
    }

    /// Whether an interface is the one that was there before, which the run itself holds. One that moves away and back keeps its index
    /// where it can, and its MAC address unless a program changes it; one that is made has neither.
    fn is_it(&self, netlink: &mut Netlink, index: u32) -> Result<bool, HostError> {
        Ok(index == self.index || configure::mac(netlink, index)?.is_some_and(|mac| mac == self.plan.mac))
    }

    fn goes(&mut self) {
        self.untold |= !self.gone;
        (self.gone, self.up, self.returned) = (true, false, false);
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
        // A bridge tells so of a port that leaves it.
        RouteNetlinkMessage::DelLink(link) if link.header.interface_family == AddressFamily::Unspec => {
            kept.iter_mut().filter(|kept| kept.index == link.header.index).for_each(Kept::goes);
        }
        RouteNetlinkMessage::GetNeighbour(message) => {
            let Some((index, address)) = configure::asked_neighbour(message) else { return };
            kept.iter_mut().filter(|kept| kept.index == index).for_each(|kept| kept.asked.extend([address]));
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

impl AsFd for Restorer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}
