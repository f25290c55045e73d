//! Which address each interface gets. Explicit ones win; where a family is not named, addresses are given out: from the
//! subnet that others on the segment name, else from the pool, one subnet a segment.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use schemars::JsonSchema;
use serde::Deserialize;

use super::realm::Realms;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::language::address_text::{Address, Pool};
use crate::language::spanned::Spanned;
use crate::topology::mac;

/// `addressing:`, the pools that addresses are given out of.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AddressingSpec {
    /// IPv4 pool, or `none`. Each segment gets a /24 of it, or more if it has more hosts; a link between two routers a /31.
    pub ipv4: Spanned<Pool>,
    /// IPv6 pool, or `none`. Each segment gets a /64 of it; a link between two routers a /127.
    pub ipv6: Spanned<Pool>,
}

impl Default for AddressingSpec {
    /// 10.0.0.0/8 (RFC 1918) and fd00::/48 (RFC 4193, with a global ID that is easy to read instead of a random one).
    fn default() -> AddressingSpec {
        let pool = |net| Spanned { value: Pool::Net(net), span: Span::default() };
        AddressingSpec {
            ipv4: pool(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8))),
            ipv6: pool(IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0), 48))),
        }
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub(crate) fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    const fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }

    /// The longest prefix of a segment's subnet, unless the pool itself has a longer one.
    const fn usual_prefix(self) -> u8 {
        match self {
            Family::V4 => 24,
            Family::V6 => 64,
        }
    }

    fn address(self, number: u128) -> IpAddr {
        match self {
            Family::V4 => IpAddr::V4(Ipv4Addr::from(number as u32)),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

/// One interface, as far as addresses go.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    /// Its name, for messages: `alice.eth0`.
    pub name: String,
    /// Its segment.
    pub segment: usize,
    /// What the scenario says.
    pub explicit: Vec<Spanned<Address>>,
    /// Whether it gets addresses that the scenario does not name: IPv4, IPv6.
    pub automatic: [bool; 2],
    /// The MAC address that it makes its IPv6 address from, in a network of 64 bits (RFC 4862); `None` if it is given one.
    pub station: Option<[u8; 6]>,
}

/// The explicit addresses, with their realms: where they stand and whose they are.
type Taken<'a> = BTreeMap<(usize, IpAddr), (Span, &'a str)>;

/// The realm in which an address may stand once only. Of IPv6 there is one.
fn realm(realms: &Realms, segment: usize, address: IpAddr) -> usize {
    if address.is_ipv4() { realms.realms[segment] } else { 0 }
}

/// The addresses of each interface, IPv4 first. Of a segment, interfaces get theirs in their order here. `lines` says which
/// segments are a link between two routers.
pub(crate) fn assign(
    interfaces: &[Interface],
    realms: &Realms,
    lines: &[bool],
    pools: &AddressingSpec,
    diagnostics: &mut Diagnostics,
) -> Vec<Vec<IpNet>> {
    let mut taken: Taken<'_> = BTreeMap::new();
    for interface in interfaces {
        for explicit in &interface.explicit {
            check_one(explicit, diagnostics);
            let key = (realm(realms, interface.segment, explicit.0.addr()), explicit.0.addr());
            if let Some((first, owner)) = taken.insert(key, (explicit.span, &interface.name)) {
                let message = format!("{} is also the address of `{owner}`", explicit.0.addr());
                diagnostics.error(explicit.span, message).related(first, "the first");
            }
        }
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); lines.len()];
    for (at, interface) in interfaces.iter().enumerate() {
        members[interface.segment].push(at);
    }
    let mut result: Vec<Vec<IpNet>> = vec![Vec::new(); interfaces.len()];
    for (family, pool, areas) in [(Family::V4, &pools.ipv4, &realms.areas_v4), (Family::V6, &pools.ipv6, &realms.areas)]
    {
        let mut supply = supply(family, pool, interfaces, diagnostics);
        let mut subnets = Vec::new();
        for (segment, members) in members.iter().enumerate() {
            let Some(first) = members.first() else { continue };
            let family_realm = realm(realms, segment, family.address(0));
            let free = |address: &IpAddr| !taken.contains_key(&(family_realm, *address));
            let named = subnet(family, members, interfaces, diagnostics);
            let line = lines[segment];
            give(family, members, interfaces, (named, line), free, supply.as_mut(), &mut result, diagnostics);
            subnets.extend(named.map(|net| (areas[segment], net, interfaces[*first].name.as_str())));
        }
        forbid_overlaps(subnets, diagnostics);
    }
    result
}

/// Subnets of segments that routers join must be apart: a host sends to its own subnet without a router.
fn forbid_overlaps(mut subnets: Vec<(usize, Spanned<IpNet>, &str)>, diagnostics: &mut Diagnostics) {
    subnets.sort_by_key(|(area, net, _)| (*area, number(net.network()), net.prefix_len()));
    let mut widest: Option<(usize, Spanned<IpNet>, &str)> = None;
    for (area, net, name) in subnets {
        match &widest {
            Some((there, wide, of)) if *there == area && number(wide.broadcast()) >= number(net.network()) => {
                let (first, second) = if wide.span.line <= net.span.line { (wide, &net) } else { (&net, wide) };
                let message = format!(
                    "the segment of `{}` is in {}, which overlaps with {} of another that routers join to it",
                    if second.span == net.span { name } else { of },
                    second.value,
                    first.value
                );
                diagnostics
                    .error(second.span, message)
                    .related(first.span, "the other")
                    .help("give each segment a subnet of its own");
            }
            _ => widest = Some((area, net, name)),
        }
    }
}

fn check_one(explicit: &Spanned<Address>, diagnostics: &mut Diagnostics) {
    let net = explicit.0;
    let address = net.addr();
    let (wide, reason) = match net {
        IpNet::V4(net) => (
            net.prefix_len() <= 30,
            if address == net.network() {
                Some("the address of the network itself")
            } else if address == net.broadcast() {
                Some("the network's broadcast address")
            } else {
                None
            },
        ),
        IpNet::V6(net) => {
            let anycast = address == net.network();
            (
                net.prefix_len() <= 126,
                anycast.then_some("the anycast address of the network's routers (RFC 4291 §2.6.1)"),
            )
        }
    };
    let special = if address.is_unspecified() {
        Some("the unspecified address")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if address.is_loopback() {
        Some("a loopback address")
    } else {
        reason.filter(|_| wide)
    };
    if let Some(what) = special {
        diagnostics
            .error(explicit.span, format!("{address} is {what}"))
            .help(format!("give the host another address in {}", net.trunc()));
    }
}

/// The subnets that a pool still has.
struct Supply {
    family: Family,
    pool: IpNet,
    span: Span,
    next: u128,
    /// What is left of a subnet that links between routers share: from this number to before that.
    line: (u128, u128),
    avoid: Vec<IpNet>,
}

fn supply(
    family: Family,
    pool: &Spanned<Pool>,
    interfaces: &[Interface],
    diagnostics: &mut Diagnostics,
) -> Option<Supply> {
    let Pool::Net(net) = pool.value else { return None };
    if Family::of(net.addr()) != family {
        diagnostics.error(pool.span, format!("`{net}` is not an {family} network"));
        return None;
    }
    let avoid = interfaces.iter().flat_map(|i| &i.explicit).map(|e| e.0.trunc()).collect();
    Some(Supply { family, pool: net, span: pool.span, next: number(net.network()), line: (0, 0), avoid })
}

impl Supply {
    /// The next two addresses for a link between two routers (RFC 3021, RFC 6164). They come out of a subnet that such links
    /// share, so that thousands of links do not use up the pool.
    fn take_line(&mut self) -> Result<IpNet, String> {
        if self.line.0 >= self.line.1 {
            let shared = self.take(0)?;
            self.line = (number(shared.network()), number(shared.broadcast()).saturating_add(1));
        }
        let at = self.line.0;
        self.line.0 += 2;
        Ok(IpNet::new(self.family.address(at), self.family.bits() - 1).expect("the prefix is less than the family's"))
    }

    /// The next subnet with room for `hosts`.
    fn take(&mut self, hosts: usize) -> Result<IpNet, String> {
        // besides the hosts, the network's own address and broadcast
        let needed = (hosts as u128 + 2).next_power_of_two().trailing_zeros() as u8;
        let bits = self.family.bits();
        let prefix = self.family.usual_prefix().min(bits.saturating_sub(needed)).max(self.pool.prefix_len());
        let size_bits = u32::from(bits - prefix);
        if u32::from(needed) > size_bits {
            return Err(format!("{} is too small for a segment of {hosts} hosts", self.pool));
        }
        let last = number(self.pool.broadcast());
        let size = 1u128 << size_bits.min(127);
        let mut at = self.next.next_multiple_of(size);
        loop {
            if at > last || last - at < size - 1 {
                return Err(format!("{} has no subnet left", self.pool));
            }
            let end = at + (size - 1);
            let over = self.avoid.iter().find(|net| {
                Family::of(net.addr()) == self.family && number(net.network()) <= end && number(net.broadcast()) >= at
            });
            match over {
                None => break,
                Some(net) => {
                    match number(net.broadcast()).max(end).checked_add(1).and_then(|n| n.checked_next_multiple_of(size))
                    {
                        Some(next) => at = next,
                        None => return Err(format!("{} has no subnet left", self.pool)),
                    }
                }
            }
        }
        self.next = at.saturating_add(size);
        Ok(IpNet::new(self.family.address(at), prefix).expect("the prefix is at most the family's"))
    }
}

/// The subnet that the members of a segment name, if they do; all must name the same.
fn subnet(
    family: Family,
    members: &[usize],
    interfaces: &[Interface],
    diagnostics: &mut Diagnostics,
) -> Option<Spanned<IpNet>> {
    let shared = |e: &&Spanned<Address>| !is_link_local(e.0.addr());
    let mut subnet: Option<Spanned<IpNet>> = None;
    for &i in members {
        let Some(first) = named(family, &interfaces[i]).find(shared) else { continue };
        let net = first.0.trunc();
        match &subnet {
            None => subnet = Some(Spanned { value: net, span: first.span }),
            Some(there) if there.value != net => diagnostics.push(
                Diagnostic::error(
                    first.span,
                    format!("`{}` is in {net}, others on its segment in {}", interfaces[i].name, there.value),
                )
                .related(there.span, "the first on this segment")
                .help("what links and switches join needs one subnet, with one prefix length"),
            ),
            Some(_) => {}
        }
    }
    subnet
}

/// The addresses of a family that the file names for an interface.
fn named(family: Family, interface: &Interface) -> impl Iterator<Item = &Spanned<Address>> {
    interface.explicit.iter().filter(move |e| Family::of(e.0.addr()) == family)
}

/// Gives one segment's members their addresses of one family: out of the subnet that it has, or of the next that is left.
#[expect(clippy::too_many_arguments, reason = "a step of `assign`, which has all of it at hand")]
fn give(
    family: Family,
    members: &[usize],
    interfaces: &[Interface],
    (subnet, line): (Option<Spanned<IpNet>>, bool),
    is_free: impl Fn(&IpAddr) -> bool,
    supply: Option<&mut Supply>,
    result: &mut [Vec<IpNet>],
    diagnostics: &mut Diagnostics,
) {
    for &i in members {
        result[i].extend(named(family, &interfaces[i]).map(|e| e.0));
    }
    let lacks =
        |i: &usize| interfaces[*i].automatic[family as usize] && named(family, &interfaces[*i]).next().is_none();
    let without: Vec<usize> = members.iter().copied().filter(lacks).collect();
    let Some(supply) = supply.filter(|_| !without.is_empty()) else { return };
    let (net, span) = match &subnet {
        Some(subnet) => (subnet.value, subnet.span),
        None => match if line { supply.take_line() } else { supply.take(without.len()) } {
            Ok(net) => (net, supply.span),
            Err(reason) => {
                let help = "name a larger pool under `addressing`, or give the hosts addresses";
                diagnostics.error(place(supply.span), reason).help(help);
                return;
            }
        },
    };
    let mut free = host_numbers(net).map(|n| family.address(n)).filter(is_free);
    for i in without {
        let address = match interfaces[i].station.filter(|_| family == Family::V6) {
            Some(_) if net.prefix_len() != 64 => continue,
            Some(mac) => {
                Some(family.address(number(net.network()) | u128::from(mac::link_local(mac)) & u128::from(u64::MAX)))
            }
            None => free.next(),
        };
        let Some(address) = address else {
            let message = format!("{net} has no address left for `{}`", interfaces[i].name);
            diagnostics.error(place(span), message).help("write a shorter prefix length");
            return;
        };
        result[i].push(IpNet::new(address, net.prefix_len()).expect("the prefix is the subnet's"));
    }
}

fn place(span: Span) -> Option<Span> {
    (span.line > 0).then_some(span)
}

/// Whether an address is good on its own segment only (fe80::/10, 169.254.0.0/16), so that it says nothing of a subnet.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}

/// The numbers of the addresses that hosts may have in a network.
fn host_numbers(net: IpNet) -> impl Iterator<Item = u128> {
    let (first, last) = (number(net.network()), number(net.broadcast()));
    let wide = last - first > 1; // RFC 3021, RFC 6164: of two addresses, both are hosts'
    let v4 = net.addr().is_ipv4();
    (first + u128::from(wide))..=(last - u128::from(wide && v4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addressing::realm::realms;
    use proptest::prelude::*;

    fn interface(segment: usize, explicit: &[&str]) -> Interface {
        let explicit = explicit.iter().enumerate().map(|(i, text)| Spanned {
            value: Address(text.parse().unwrap()),
            span: Span { line: 1 + segment as u32, column: 1 + i as u32, ..Span::default() },
        });
        Interface {
            name: format!("h.{segment}"),
            segment,
            explicit: explicit.collect(),
            automatic: [true; 2],
            station: None,
        }
    }

    fn pools(v4: &str, v6: &str) -> AddressingSpec {
        let pool = |text: &str| Spanned {
            value: if text == "none" { Pool::None } else { Pool::Net(text.parse().unwrap()) },
            span: Span::default(),
        };
        AddressingSpec { ipv4: pool(v4), ipv6: pool(v6) }
    }

    fn run(interfaces: &[Interface], pools: AddressingSpec) -> (Vec<String>, Vec<String>) {
        let mut diagnostics = Diagnostics::default();
        let segments = interfaces.iter().map(|i| i.segment + 1).max().unwrap_or(0);
        let all = assign(interfaces, &realms(segments, &[]), &vec![false; segments], &pools, &mut diagnostics);
        let text = |nets: &Vec<IpNet>| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        (all.iter().map(text).collect(), diagnostics.iter().map(|d| d.message.clone()).collect())
    }

    #[test]
    fn each_segment_gets_a_subnet_of_each_family() {
        let (all, told) = run(&[interface(0, &[]), interface(1, &[]), interface(0, &[])], AddressingSpec::default());
        assert_eq!(told, [""; 0]);
        assert_eq!(all, ["10.0.0.1/24 fd00::1/64", "10.0.1.1/24 fd00:0:0:1::1/64", "10.0.0.2/24 fd00::2/64"]);
    }

    #[test]
    fn explicit_addresses_name_the_subnet_and_are_not_given_twice() {
        let (all, told) = run(
            &[
                interface(0, &[]),
                interface(0, &["192.168.7.1/28"]),
                interface(1, &["fd00::9/64", "10.0.0.7/16"]),
                interface(2, &[]),
                interface(0, &["fe80::5/64"]),
            ],
            AddressingSpec::default(),
        );
        assert_eq!(told, [""; 0]);
        assert_eq!(
            all,
            [
                "192.168.7.2/28 fd00:0:0:1::1/64",
                "192.168.7.1/28 fd00:0:0:1::2/64",
                "10.0.0.7/16 fd00::9/64",
                "10.1.0.1/24 fd00:0:0:2::1/64",
                "192.168.7.3/28 fe80::5/64",
            ]
        );
    }

    #[test]
    fn a_family_can_be_turned_off() {
        let (all, told) = run(&[interface(0, &[]), interface(0, &["10.9.0.1/24"])], pools("10.0.0.0/8", "none"));
        assert_eq!(told, [""; 0]);
        assert_eq!(all, ["10.9.0.2/24", "10.9.0.1/24"]);
    }

    #[test]
    fn a_large_segment_gets_a_larger_subnet() {
        let many = |n: usize| vec![interface(0, &[]); n];
        let (all, told) = run(&many(254), AddressingSpec::default());
        assert_eq!((told.len(), all[253].as_str()), (0, "10.0.0.254/24 fd00::fe/64"));
        let (all, told) = run(&many(255), AddressingSpec::default());
        assert_eq!((told.len(), all[254].as_str()), (0, "10.0.0.255/23 fd00::ff/64"));
        let (_, told) = run(&many(7), pools("10.0.0.0/29", "none"));
        assert_eq!(told, ["10.0.0.0/29 is too small for a segment of 7 hosts"]);
        let (_, told) = run(&[interface(0, &[]), interface(1, &[])], pools("10.0.0.0/24", "fd00::/64"));
        assert_eq!(told, ["10.0.0.0/24 has no subnet left", "fd00::/64 has no subnet left"]);
    }

    #[test]
    fn impossible_addresses_are_errors() {
        let told = |explicit: &[&str]| run(&[interface(0, explicit)], AddressingSpec::default()).1;
        assert_eq!(told(&["10.0.0.0/24"]), ["10.0.0.0 is the address of the network itself"]);
        assert_eq!(told(&["10.0.0.255/24"]), ["10.0.0.255 is the network's broadcast address"]);
        assert_eq!(told(&["10.0.0.0/31"]), [""; 0]);
        assert_eq!(told(&["10.0.0.255/32"]), [""; 0]);
        assert_eq!(told(&["fd00::/64"]).len(), 1);
        assert_eq!(told(&["224.0.0.1/4"]), ["224.0.0.1 is a multicast address"]);
        assert_eq!(told(&["10.0.0.1/24", "10.0.0.1/24"]), ["10.0.0.1 is also the address of `h.0`"]);
        let (_, told) =
            run(&[interface(0, &["10.0.0.1/24"]), interface(0, &["10.0.1.1/24"])], AddressingSpec::default());
        assert_eq!(told, ["`h.0` is in 10.0.1.0/24, others on its segment in 10.0.0.0/24"]);
        let (_, told) =
            run(&[interface(0, &["10.0.0.1/24"]), interface(0, &["10.0.0.2/16"])], AddressingSpec::default());
        assert_eq!(told.len(), 1);
        let (_, told) =
            run(&[interface(0, &["10.0.0.1/31"]), interface(0, &[]), interface(0, &[])], AddressingSpec::default());
        assert_eq!(told, ["10.0.0.0/31 has no address left for `h.0`"]);
    }

    #[test]
    fn a_wide_explicit_network_is_passed_at_once() {
        let (all, told) = run(&[interface(0, &["fd00::1/20"]), interface(1, &[])], pools("none", "fd00::/8"));
        assert_eq!(told, [""; 0]);
        assert_eq!(all[1], "fd00:1000::1/64");
        let (_, told) = run(&[interface(0, &["e000::1/3"]), interface(1, &[])], pools("none", "f000::/4"));
        assert_eq!(told, ["f000::/4 has no subnet left"]);
        let (all, _) = run(&[interface(0, &[])], pools("0.0.0.0/0", "::/0"));
        assert_eq!(all[0], "0.0.0.1/24 ::1/64");
    }

    proptest! {
        #[test]
        fn no_two_interfaces_share_an_address(segments in prop::collection::vec(0usize..5, 1..80), fixed in prop::collection::vec(1u8..254, 0..5)) {
            let mut interfaces: Vec<_> = segments.iter().map(|s| interface(*s, &[])).collect();
            for (i, last) in fixed.iter().enumerate().take(1) {
                interfaces[i] = interface(segments[i], &[&format!("10.0.0.{last}/24")]);
            }
            let (all, told) = run(&interfaces, AddressingSpec::default());
            prop_assert!(told.is_empty());
            let mut flat: Vec<_> = all.iter().flat_map(|a| a.split(' ')).collect();
            prop_assert_eq!(flat.len(), 2 * interfaces.len());
            flat.sort_unstable();
            flat.dedup();
            prop_assert_eq!(flat.len(), 2 * interfaces.len());
        }
    }
}
