//! What is known of the neighbours on each segment: addresses, link-local ones included, and their MAC addresses.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use ipnet::IpNet;

use super::neighbour_table::{Neighbour, NeighbourTable};
use super::network::{HostPlan, Place};
use crate::diag::Diagnostics;
use crate::node::RouterPlan;
use crate::topology::mac;
use crate::topology::members::Attached;
use crate::topology::node::{Neighbours, NodeSpec};

/// The most entries of all routers together: they hold their own tables.
const MOST_OF_ROUTERS: usize = 10_000_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Host(usize),
    Router(usize),
}

/// The entries of each segment: routers' first, all in file order, so that those of one owner stand together.
#[derive(Default)]
struct Directory {
    entries: BTreeMap<usize, Vec<Neighbour>>,
    own: BTreeMap<(usize, Owner), Range<usize>>,
}

/// Gives hosts and routers the permanent entries of their neighbours.
pub(crate) fn fill(
    hosts: &mut [HostPlan],
    of_hosts: &[Attached<'_>],
    routers: &mut [RouterPlan],
    of_routers: &[Attached<'_>],
    diagnostics: &mut Diagnostics,
) {
    let mut directory = Directory::of(hosts, of_hosts, routers, of_routers);
    let tables: BTreeMap<usize, Arc<[Neighbour]>> = std::mem::take(&mut directory.entries)
        .into_iter()
        .map(|(segment, entries)| (segment, entries.into()))
        .collect();
    let table = |owner: Owner, segment: usize, nets: &[IpNet]| {
        let all = tables.get(&segment).cloned().unwrap_or_default();
        let own = directory.own.get(&(segment, owner)).cloned().unwrap_or_default();
        let has = |v4: bool| nets.iter().any(|net| net.addr().is_ipv4() == v4);
        NeighbourTable::new(segment, all, own, [has(true), has(false)])
    };
    for (own, (plan, host)) in hosts.iter_mut().zip(of_hosts).enumerate() {
        if !matches!(host.spec, NodeSpec::Host(spec) if spec.neighbours == Neighbours::Permanent) {
            continue;
        }
        for (interface, attachment) in plan.interfaces.iter_mut().zip(&host.attachments) {
            interface.neighbours = table(Owner::Host(own), attachment.segment, &interface.addresses);
        }
    }
    let knows = |router: &Attached<'_>| matches!(router.spec, NodeSpec::Router(spec) if spec.neighbours == Neighbours::Permanent);
    let attachments = of_routers.iter().filter(|router| knows(router)).flat_map(|router| &router.attachments);
    let sum: usize = attachments.filter_map(|attachment| tables.get(&attachment.segment)).map(|all| all.len()).sum();
    if sum > MOST_OF_ROUTERS {
        let message =
            format!("{} routers would know {sum} addresses of neighbours, which is too many", of_routers.len());
        let help = format!("at most {MOST_OF_ROUTERS}: put fewer of them on one segment, or say `neighbours: dynamic`");
        let place = of_routers.first().map(|router| router.span);
        diagnostics.error(place, message).help(help);
        return;
    }
    for (own, (plan, router)) in routers.iter_mut().zip(of_routers).enumerate().filter(|(_, (_, router))| knows(router))
    {
        for (interface, attachment) in plan.interfaces.iter_mut().zip(&router.attachments) {
            let others = table(Owner::Router(own), attachment.segment, &interface.addresses);
            interface.neighbours = others.iter().map(|(address, mac)| (address, mac.into())).collect();
        }
    }
}

impl Directory {
    fn of(
        hosts: &[HostPlan],
        of_hosts: &[Attached<'_>],
        routers: &[RouterPlan],
        of_routers: &[Attached<'_>],
    ) -> Directory {
        let mut all = Directory::default();
        for (at, (plan, router)) in routers.iter().zip(of_routers).enumerate() {
            for (interface, attachment) in plan.interfaces.iter().zip(&router.attachments) {
                all.add(Owner::Router(at), attachment.segment, &interface.addresses, interface.mac.octets(), true);
            }
        }
        for (at, (plan, host)) in hosts.iter().zip(of_hosts).enumerate() {
            // The MAC of a machine behind a wire is its own affair.
            if plan.place.is_beyond_a_wire() {
                continue;
            }
            let made = plan.place == Place::Namespace;
            for (interface, attachment) in plan.interfaces.iter().zip(&host.attachments) {
                all.add(Owner::Host(at), attachment.segment, &interface.addresses, interface.mac, made);
            }
        }
        all
    }

    /// `made`: longwire makes the machine, so that it has the link-local address of its MAC address.
    fn add(&mut self, owner: Owner, segment: usize, nets: &[IpNet], mac: [u8; 6], made: bool) {
        let mut addresses: Vec<IpAddr> = nets.iter().map(IpNet::addr).collect();
        if addresses.is_empty() {
            return;
        }
        let own = IpAddr::V6(mac::link_local(mac));
        if made && addresses.iter().any(IpAddr::is_ipv6) && !addresses.contains(&own) {
            addresses.push(own);
        }
        let entries = self.entries.entry(segment).or_default();
        let range = self.own.entry((segment, owner)).or_insert(entries.len()..entries.len());
        entries.extend(addresses.into_iter().map(|address| (address, mac)));
        range.end = entries.len();
    }
}
