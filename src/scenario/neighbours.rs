//! What is known of the neighbours on each segment: addresses, link-local ones included, and their MAC addresses.

use core::net::IpAddr;
use std::collections::BTreeMap;

use ipnet::IpNet;

use super::hosts::Attached;
use super::mac;
use super::network::{HostPlan, Place};
use super::node::{Neighbours, NodeSpec};
use crate::node::RouterPlan;

/// One interface, as its segment knows it: whose it is, its addresses and its MAC address.
struct Known {
    owner: Owner,
    addresses: Vec<IpAddr>,
    mac: [u8; 6],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Host(usize),
    Router(usize),
}

/// Interfaces with addresses, by segment; routers' first, all in file order.
struct Directory(BTreeMap<usize, Vec<Known>>);

/// Gives hosts and routers the permanent entries of their neighbours.
pub(super) fn fill(
    hosts: &mut [HostPlan],
    of_hosts: &[Attached<'_>],
    routers: &mut [RouterPlan],
    of_routers: &[Attached<'_>],
) {
    let directory = Directory::of(hosts, of_hosts, routers, of_routers);
    for (own, (plan, host)) in hosts.iter_mut().zip(of_hosts).enumerate() {
        if !matches!(host.spec, NodeSpec::Host(spec) if spec.neighbours == Neighbours::Permanent) {
            continue;
        }
        for (interface, attachment) in plan.interfaces.iter_mut().zip(&host.attachments) {
            let others = directory.others(Owner::Host(own), attachment.segment, &interface.addresses);
            interface.neighbours = others.collect();
        }
    }
    for (own, (plan, router)) in routers.iter_mut().zip(of_routers).enumerate() {
        if !matches!(router.spec, NodeSpec::Router(spec) if spec.neighbours == Neighbours::Permanent) {
            continue;
        }
        for (interface, attachment) in plan.interfaces.iter_mut().zip(&router.attachments) {
            let others = directory.others(Owner::Router(own), attachment.segment, &interface.addresses);
            interface.neighbours = others.map(|(address, mac)| (address, mac.into())).collect();
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
        let mut all = Directory(BTreeMap::new());
        for (at, (plan, router)) in routers.iter().zip(of_routers).enumerate() {
            for (interface, attachment) in plan.interfaces.iter().zip(&router.attachments) {
                all.add(Owner::Router(at), attachment.segment, &interface.addresses, interface.mac.octets(), true);
            }
        }
        for (at, (plan, host)) in hosts.iter().zip(of_hosts).enumerate() {
            // The MAC of a machine behind a TAP is its own affair.
            if matches!(plan.place, Place::ExternalTap { .. }) {
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
        self.0.entry(segment).or_default().push(Known { owner, addresses, mac });
    }

    /// All others on a segment, in the families that an interface itself has.
    fn others(&self, own: Owner, segment: usize, nets: &[IpNet]) -> impl Iterator<Item = (IpAddr, [u8; 6])> {
        let has = |v4: bool| nets.iter().any(|net| net.addr().is_ipv4() == v4);
        let (v4, v6) = (has(true), has(false));
        let known = self.0.get(&segment).into_iter().flatten().filter(move |known| known.owner != own);
        known
            .flat_map(|known| known.addresses.iter().map(|address| (*address, known.mac)))
            .filter(move |(address, _)| if address.is_ipv4() { v4 } else { v6 })
    }
}
