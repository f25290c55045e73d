//! Networks that reach to another site: MAC addresses that are others there, and addresses that may not be.

use ipnet::IpNet;

use super::address::{AddressingSpec, Interface};
use crate::diag::{Diagnostics, Span};
use crate::language::address_text::Pool;
use crate::topology::members::{Attached, Members};
use crate::topology::node::NodeSpec;
use crate::topology::site::SiteSpec;

fn site<'a>(host: &Attached<'a>) -> Option<(&'a SiteSpec, Span)> {
    let NodeSpec::External(external) = host.spec else { return None };
    external.udp.as_ref().map(|udp| (&udp.value, udp.span))
}

/// What tells the MAC addresses here from those of another site, where hosts may have the same names: its own name, else where its
/// other sites are, which is not where those of another are.
pub(crate) fn salt(name: Option<&str>, hosts: &[Attached<'_>]) -> String {
    let peers = || hosts.iter().filter_map(|host| Some(site(host)?.0.peer().to_string()));
    name.map_or_else(|| peers().collect::<Vec<_>>().join(" "), str::to_owned)
}

/// Warns where addresses were given out on a network that another site shares, which may give out the same: once for each site.
pub(crate) fn warn(
    members: &Members<'_>,
    interfaces: &[Interface],
    given: &[Vec<IpNet>],
    pools: &AddressingSpec,
    diagnostics: &mut Diagnostics,
) {
    for (host, (_, span)) in members.hosts.iter().filter_map(|host| Some((host, site(host)?))) {
        let here = |segment: usize| host.attachments.iter().any(|attachment| attachment.segment == segment);
        let shared = interfaces.iter().zip(given).filter(|(interface, _)| here(interface.segment));
        let mut doubtful = shared.flat_map(|(interface, given)| {
            let is_named = |net: &IpNet| interface.explicit.iter().any(|explicit| explicit.0 == *net);
            given
                .iter()
                .filter(move |net| !is_named(net) && !is_of_own_pool(pools, net))
                .map(move |net| (interface, net))
        });
        if let Some((interface, net)) = doubtful.next() {
            let (name, address, other) = (&interface.name, net.addr(), host.name);
            diagnostics
                .warning(span, format!("`{name}` was given {address}, which the site behind `{other}` may give out too"))
                .help("name all addresses on that network, or give each site pools of its own, as in `addressing: { ipv4: 10.1.0.0/16, ipv6: none }`");
        }
    }
}

/// Whether an address is out of a pool that the file names.
fn is_of_own_pool(pools: &AddressingSpec, net: &IpNet) -> bool {
    let pool = if net.addr().is_ipv4() { &pools.ipv4 } else { &pools.ipv6 };
    pool.span != Span::default() && matches!(pool.value, Pool::Net(pool) if pool.contains(&net.addr()))
}
