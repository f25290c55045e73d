//! `uplink:` as it stands in a file: a way out of the simulated network into the one that the machine itself has.
//!
//! What becomes of it: `expand/uplink.rs`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::external::ExternalSpec;
use super::node::NodeSpec;
use crate::language::address_text::Network;

/// A way out, by user-space NAT. What is private to the machine or to its network is not to be reached, unless `allow` says so.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UplinkSpec {
    /// Networks that may be reached although they are the machine's own, private or otherwise special.
    pub allow: Vec<Network>,
}

/// The router's interface toward the machine.
pub(crate) const INTERFACE: &str = "uplink";

/// The prefix of the segment between the router and the machine, which no packet leaves: of IPv4 the one that RFC 7335 sets aside for
/// such segments, of IPv6 a unique local one (RFC 4193).
pub(crate) const PREFIXES: [u8; 2] = [29, 64];

/// An address on that segment.
const fn at(host: u8) -> [IpAddr; 2] {
    [
        IpAddr::V4(Ipv4Addr::new(192, 0, 0, host)),
        IpAddr::V6(Ipv6Addr::new(0xfd6c, 0x6f6e, 0x6777, 0, 0, 0, 0, host as u16)),
    ]
}

/// The machine's end.
pub(crate) const GATEWAY: [IpAddr; 2] = at(1);
/// The router's end. All that leaves has this IPv4 address.
pub(crate) const GUEST: [IpAddr; 2] = at(2);
/// Where questions for names are taken, which go to the machine's own resolver.
pub(crate) const RESOLVER: IpAddr = at(3)[0];

/// What the names of its firewall's rules begin with: they are made for every uplink, whether or not anything matches them.
pub(crate) const RULE: &str = "uplink: ";
/// The name of the rule that denies the machine itself, behind that. Its own addresses are known when a run begins, and are added then.
pub(crate) const MACHINE: &str = "the machine itself";

/// Kinds of addresses that are denied, by name. A network's IPv4 address can also be written in IPv6, by the prefix of NAT64.
pub(crate) const DENIED: [(&str, &[&str]); 5] = [
    ("loopback", &["127.0.0.0/8", "::1/128"]),
    // 169.254.169.254, where clouds tell a machine its secrets, is one
    ("link-local", &["169.254.0.0/16", "fe80::/10"]),
    // the one that Azure has besides
    ("cloud metadata", &["168.63.129.16/32"]),
    // RFC 1918, RFC 6598, RFC 4193 and the site-local ones before it
    ("private", &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"]),
    // RFC 6890: nobody's, benchmarks, multicast, reserved; IPv4 in IPv6 in ways that reach what is denied (RFC 4291, RFC 3056, RFC 4380)
    (
        "special",
        &[
            "0.0.0.0/8",
            "192.0.0.0/24",
            "198.18.0.0/15",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/96",
            "::ffff:0:0/96",
            "64:ff9b:1::/48",
            "2001::/32",
            "2002::/16",
            "ff00::/8",
        ],
    ),
];

/// Where an IPv4 network is in the IPv6 of a network with NAT64 (RFC 6052 §2.1).
pub(crate) fn by_nat64(net: IpNet) -> Option<IpNet> {
    let IpNet::V4(net) = net else { return None };
    let address = Ipv6Addr::from(0x0064_ff9b_u128 << 96 | u128::from(u32::from(net.addr())));
    IpNet::new(address.into(), 96 + net.prefix_len()).ok()
}

/// Whether a node is what stands for the machine at an uplink.
pub(crate) fn is_machine(spec: &NodeSpec) -> bool {
    matches!(spec, NodeSpec::External(external) if matches!(external.value, ExternalSpec { passt: Some(_), .. }))
}
