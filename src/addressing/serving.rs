//! What routers give to machines that longwire does not make: addresses by DHCP, and router advertisements.
//!
//! The first router on a segment serves it, as it is the gateway of its hosts too.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::address::is_link_local;
use super::network::HostPlan;
use crate::diag::{Diagnostics, Span};
use crate::language::spanned::Spanned;
use crate::node::{AdvertPlan, DhcpOptions, DhcpPlan, DhcpReservation, RouterPlan};
use crate::rng::{StreamKey, Way};
use crate::topology::external::{DhcpSpec, ExternalSpec};
use crate::topology::members::{Attached, Members};
use crate::topology::node::NodeSpec;
use crate::units::Duration;
use crate::wire::dhcp::{MAX_DNS, MAX_NAME};

/// A year: a lease is told in seconds of 32 bits.
const LONGEST_LEASE: Duration = Duration::from_secs(365 * 24 * 3600);

/// The external machines of a segment: positions among the hosts, what the file says, and the segment.
fn externals<'a>(hosts: &'a [Attached<'a>]) -> impl Iterator<Item = (usize, &'a Spanned<ExternalSpec>, usize)> {
    hosts.iter().enumerate().filter_map(|(at, host)| match host.spec {
        // a container gets its addresses as a host does
        NodeSpec::External(external) if external.container.is_none() => {
            Some((at, external, host.attachments.first()?.segment))
        }
        _ => None,
    })
}

/// Which machines get addresses from a router.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// Hosts that get an IPv4 address by DHCP.
    dhcp: BTreeSet<usize>,
    /// Segments on which a router advertises itself.
    ra: BTreeSet<usize>,
}

impl Served {
    /// From what the file says, before addresses are given out.
    pub(crate) fn new(members: &Members<'_>, diagnostics: &mut Diagnostics) -> Served {
        let routed: BTreeSet<usize> = members.routers.iter().flat_map(Attached::segments).collect();
        let mut served = Served::default();
        // of each segment the first machine that gets no advertisements, and the first that does
        let mut mixed: BTreeMap<usize, [Option<(usize, &ExternalSpec)>; 2]> = BTreeMap::new();
        // the same of DHCP, among machines whose MAC addresses longwire does not know
        let mut strangers: BTreeMap<usize, [Option<(usize, &ExternalSpec)>; 2]> = BTreeMap::new();
        for (at, spec, segment) in externals(&members.hosts) {
            let name = members.hosts[at].name;
            if !routed.contains(&segment) {
                no_router(name, spec, diagnostics);
                continue;
            }
            if let Some(dhcp) = spec.dhcp() {
                check(&dhcp, spec.dhcp.as_ref().map(|dhcp| dhcp.span), diagnostics);
                served.dhcp.insert(at);
            }
            if spec.qemu.is_none() {
                strangers.entry(segment).or_default()[usize::from(spec.dhcp().is_some())].get_or_insert((at, spec));
            }
            mixed.entry(segment).or_default()[usize::from(spec.ra())].get_or_insert((at, spec));
            if let Some(ninth) = spec.dns.get(MAX_DNS) {
                diagnostics
                    .error(ninth.span, format!("`dns` has {} servers, and a machine is told {MAX_DNS}", spec.dns.len()))
                    .help("machines ask the first two or three anyway: name fewer");
            }
            if let Some(dns) = spec.dns.first().filter(|_| spec.dhcp().is_none() && !spec.ra()) {
                diagnostics
                    .error(dns.span, format!("nothing tells `{name}` its name servers"))
                    .help("write `dhcp: on` or `ra: on` beside them, or take them away");
            }
        }
        for [without, with] in strangers.into_values() {
            if let (Some((without, _)), Some((with, ExternalSpec { dhcp: Some(dhcp), .. }))) = (without, with) {
                let [without, with] = [without, with].map(|at| members.hosts[at].name);
                diagnostics
                    .error(dhcp.span, format!("`{without}` is on the network of `{with}`: it would get addresses too"))
                    .help(format!("say `dhcp: on` at `{without}` too, or take it away here"));
            }
        }
        for (segment, [without, with]) in mixed {
            match (without, with) {
                (None, Some(_)) => {
                    served.ra.insert(segment);
                }
                (Some((without, _)), Some((with, ExternalSpec { ra: Some(ra), .. }))) => {
                    let [without, with] = [without, with].map(|at| members.hosts[at].name);
                    diagnostics
                        .error(
                            ra.span,
                            format!("`{without}` is on the network of `{with}`: it would get its advertisements too"),
                        )
                        .help(format!("say `ra: on` at `{without}` too, or take it away here"));
                }
                _ => {}
            }
        }
        served
    }

    /// Whether a host gets an IPv4 address that is its own: longwire says which MAC address it has to have.
    pub(crate) fn leases_to(&self, host: usize, spec: &NodeSpec) -> bool {
        matches!(spec, NodeSpec::External(external) if external.qemu.is_some()) && self.dhcp.contains(&host)
    }

    /// Whether a host makes an IPv6 address from its MAC address, of which longwire says what it is.
    pub(crate) fn advertises_to(&self, host: &Attached<'_>) -> bool {
        matches!(host.spec, NodeSpec::External(external) if external.qemu.is_some())
            && host.attachments.iter().any(|attachment| self.ra.contains(&attachment.segment))
    }

    /// Gives routers their part. Hosts have their addresses and their name servers.
    pub(crate) fn fill(
        &self,
        seed: u64,
        members: &Members<'_>,
        hosts: &[HostPlan],
        routers: &mut [RouterPlan],
        diagnostics: &mut Diagnostics,
    ) {
        let mut on: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        externals(&members.hosts).for_each(|(at, _, segment)| on.entry(segment).or_default().push(at));
        for (segment, machines) in on {
            let leases = machines.iter().any(|at| self.dhcp.contains(at));
            match first(members, routers, segment, |net| matches!(net, IpNet::V4(_))) {
                Some((router, port, IpNet::V4(net))) if leases => {
                    let plan = self.dhcp_plan(members, hosts, routers, segment, &machines, (router, port, net));
                    routers[router].dhcp.push(plan);
                }
                None if leases => {
                    let asked =
                        |spec: &ExternalSpec| spec.dhcp.as_ref().filter(|_| spec.dhcp().is_some()).map(|at| at.span);
                    no_address("IPv4", "`dhcp`", members, &machines, asked, diagnostics);
                }
                _ => {}
            }
            let router = first(members, routers, segment, |net| matches!(net, IpNet::V6(_)));
            if let Some((router, port, _)) = router.filter(|_| self.ra.contains(&segment)) {
                let name = members.routers[router].name;
                let plan = advert_plan(seed, name, hosts, &routers[router], &machines, port);
                routers[router].advertises.push(plan);
            } else if self.ra.contains(&segment) {
                let asked = |spec: &ExternalSpec| spec.ra.as_ref().filter(|_| spec.ra()).map(|at| at.span);
                no_address("IPv6", "`ra`", members, &machines, asked, diagnostics);
            }
        }
    }

    fn dhcp_plan(
        &self,
        members: &Members<'_>,
        hosts: &[HostPlan],
        routers: &[RouterPlan],
        segment: usize,
        machines: &[usize],
        (router, port, net): (usize, usize, Ipv4Net),
    ) -> DhcpPlan {
        let spec = |at: usize| match members.hosts[at].spec {
            NodeSpec::External(external) => external,
            _ => unreachable!("only external machines are asked for"),
        };
        let is_known = |at: &usize| spec(*at).qemu.is_some();
        let options = |at: usize, named: bool| -> Option<DhcpOptions> {
            let DhcpSpec { lease, domain } = spec(at).dhcp()?;
            let (host, own) = (&hosts[at], named.then(|| hosts[at].name.clone()));
            let dns = host.dns.iter().filter_map(|server| if let IpAddr::V4(v4) = server { Some(*v4) } else { None });
            let mtu = host.interfaces.iter().map(|interface| interface.mtu).min().unwrap_or(u32::MAX);
            Some(DhcpOptions {
                name: own,
                domain: domain.map(|name| name.value),
                dns: dns.collect(),
                lease: *lease,
                mtu,
            })
        };
        let reserved = machines.iter().copied().filter(is_known).filter_map(|at| {
            let options = options(at, true)?;
            let interface = hosts[at].interfaces.first()?;
            let address = v4(&interface.addresses).find(|address| net.contains(address))?;
            Some(DhcpReservation { mac: interface.mac.into(), address, options })
        });
        let reserved: Vec<DhcpReservation> = reserved.collect();
        let off = machines.iter().copied().filter(|at| is_known(at) && spec(*at).dhcp().is_none());
        let silent = off.filter_map(|at| Some(hosts[at].interfaces.first()?.mac.into())).collect();
        let foreign = !machines.iter().all(is_known);
        // whoever asks is behind one of those that longwire knows nothing of; where there are none, any may be meant
        let asks = machines.iter().copied().filter(|at| !foreign || !is_known(at)).find_map(|at| options(at, false));
        let own = members.hosts.iter().zip(hosts).flat_map(|(host, plan)| {
            let here = host.attachments.iter().zip(&plan.interfaces);
            here.filter(|(attachment, _)| attachment.segment == segment)
                .flat_map(|(_, interface)| v4(&interface.addresses))
        });
        let of_routers = members.routers.iter().zip(routers).flat_map(|(member, plan)| {
            let here = member.attachments.iter().zip(&plan.interfaces);
            here.filter(|(attachment, _)| attachment.segment == segment)
                .flat_map(|(_, interface)| v4(&interface.addresses))
        });
        let taken: BTreeSet<Ipv4Addr> = own.chain(of_routers).filter(|address| net.contains(address)).collect();
        DhcpPlan {
            port: port as u32,
            interface: routers[router].interfaces[port].name.clone(),
            server: net.addr(),
            net: net.trunc(),
            taken: taken.into_iter().collect(),
            reserved,
            silent,
            open: asks,
            foreign,
        }
    }
}

fn advert_plan(
    seed: u64,
    name: &str,
    hosts: &[HostPlan],
    router: &RouterPlan,
    machines: &[usize],
    port: usize,
) -> AdvertPlan {
    let interface = &router.interfaces[port];
    let prefixes: BTreeSet<Ipv6Net> = interface
        .addresses
        .iter()
        .filter(|net| !is_link_local(net.addr()))
        .filter_map(|net| if let IpNet::V6(net) = net { Some(net.trunc()) } else { None })
        .collect();
    let servers = machines.iter().flat_map(|at| &hosts[*at].dns);
    let dns: BTreeSet<Ipv6Addr> =
        servers.filter_map(|server| if let IpAddr::V6(server) = server { Some(*server) } else { None }).collect();
    let mtus = machines.iter().flat_map(|at| &hosts[*at].interfaces).map(|interface| interface.mtu);
    AdvertPlan {
        port: port as u32,
        prefixes: prefixes.into_iter().collect(),
        mtu: mtus.min().unwrap_or(u32::MAX),
        dns: dns.into_iter().collect(),
        // nodes and links share one name space, so no other stream has this name
        random: StreamKey::new(seed, &format!("{name}.{}", interface.name), Way::Forward, "ra"),
    }
}

fn v4(nets: &[IpNet]) -> impl Iterator<Item = Ipv4Addr> {
    nets.iter().filter_map(|net| if let IpNet::V4(net) = net { Some(net.addr()) } else { None })
}

/// The first router on a segment that has an address there of this kind: its position, its port, and the address.
fn first(
    members: &Members<'_>,
    routers: &[RouterPlan],
    segment: usize,
    is: impl Fn(&IpNet) -> bool,
) -> Option<(usize, usize, IpNet)> {
    members.routers.iter().zip(routers).enumerate().find_map(|(at, (router, plan))| {
        let mut here = router.attachments.iter().zip(&plan.interfaces).enumerate();
        here.find_map(|(port, (attachment, interface))| {
            let mut nets = interface.addresses.iter().filter(|net| !is_link_local(net.addr()));
            let net = nets.find(|net| attachment.segment == segment && is(net))?;
            Some((at, port, *net))
        })
    })
}

/// What the file asks for where the routers have no address of that family to give others from.
fn no_address(
    family: &str,
    key: &str,
    members: &Members<'_>,
    machines: &[usize],
    asked: impl Fn(&ExternalSpec) -> Option<Span>,
    diagnostics: &mut Diagnostics,
) {
    for (at, spec, _) in externals(&members.hosts).filter(|(at, ..)| machines.contains(at)) {
        if let Some(span) = asked(spec) {
            let name = members.hosts[at].name;
            diagnostics
                .error(span, format!("no router on the network of `{name}` has an {family} address"))
                .help(format!("give it one, or take {key} away"));
        }
    }
}

/// What the file asks for where no router is.
fn no_router(name: &str, spec: &ExternalSpec, diagnostics: &mut Diagnostics) {
    let dhcp = spec.dhcp.as_ref().filter(|_| spec.dhcp().is_some()).map(|dhcp| dhcp.span);
    let ra = spec.ra.as_ref().filter(|_| spec.ra()).map(|ra| ra.span);
    let dns = spec.dns.first().map(|dns| dns.span);
    if let Some(span) = dhcp.or(ra).or(dns) {
        diagnostics
            .error(span, format!("no router is on the network of `{name}`, and only a router gives addresses"))
            .help("link it to a router, or to a switch that a router is linked to");
    }
}

fn check(dhcp: &DhcpSpec, span: Option<Span>, diagnostics: &mut Diagnostics) {
    let lease = &dhcp.lease;
    if !(Duration::from_secs(1)..=LONGEST_LEASE).contains(&lease.value) {
        let place = if lease.span == Span::default() { span } else { Some(lease.span) };
        diagnostics
            .error(place, format!("`lease` must be from 1s to 8760h, found {}", lease.value))
            .help("an hour is usual; a minute or less shows whether a machine renews its lease");
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if let Some(domain) = &dhcp.domain
        && !(domain.len() <= MAX_NAME && domain.split('.').all(is_label))
    {
        diagnostics
            .error(domain.span, format!("`{}` is no domain that can be told", domain.value))
            .help(format!("letters, digits, `-` and dots, at most {MAX_NAME} bytes, as in `lab.example`"));
    }
}
