//! `nodes:` as it stands in a file.

use core::net::IpAddr;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cloud::CloudSpec;
use super::external::ExternalSpec;
use super::router::RouterSpec;
use super::switch::SwitchNode;
use super::sysctl;
use super::uplink::UplinkSpec;
use crate::language::address_text::{Address, RouteTo};
use crate::language::spanned::Spanned;
use crate::model::form::forms;
use crate::model::mtu::Mtu;
use crate::units::ByteSize;

/// A node. A kind's name alone stands for the kind with nothing said: `alice: host`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a file has few, and each is read once")]
pub(crate) enum NodeSpec {
    /// A network namespace that longwire makes for the run.
    Host(HostSpec),
    /// An Ethernet switch.
    Switch(SwitchNode),
    /// A repeater: what comes in at a port goes out at all others.
    Hub(HubSpec),
    /// The Internet between regions: delays, jitter and loss from each region to each other.
    Cloud(CloudSpec),
    /// An IP router: it joins segments.
    Router(RouterSpec),
    /// A machine that longwire does not make.
    External(Spanned<ExternalSpec>),
    /// A way out, into the network that the machine has: the Internet.
    Uplink(#[expect(dead_code, reason = "it is read when it is spelled out as a router")] UplinkSpec),
}

/// A repeater. It has nothing to set.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HubSpec {}

/// A network namespace that longwire makes for the run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HostSpec {
    /// Its addresses: a list, or a map from interface to list. Of families that it does not name, addresses are given out.
    pub addresses: Option<Spanned<Addresses>>,
    /// Routes beyond those that the addresses imply, or `manual`: the programs see to them.
    pub routes: Routes,
    /// The interface that it uses for networks without another route, or `none`. By default the first that has a gateway.
    #[schemars(with = "Option<String>")]
    pub default_route: Option<Spanned<String>>,
    /// The interface for IPv4 multicast and for broadcasts to 255.255.255.255, or `none`. By default its only one.
    #[schemars(with = "Option<String>")]
    pub multicast: Option<Spanned<String>>,
    /// Its name servers, in its /etc/resolv.conf: addresses, or names of hosts and routers. None by default.
    #[schemars(with = "Vec<String>")]
    pub dns: Vec<Spanned<String>>,
    /// Folders that it has to itself, empty at the start, beside those that every host has.
    #[schemars(with = "Vec<String>")]
    pub private: Vec<Spanned<String>>,
    /// Whether its programs keep the rights on the machine that root has: for eBPF and tests of devices. It takes root.
    #[schemars(with = "bool")]
    pub privileged: Spanned<bool>,
    /// What its programs may use at most. Nothing is limited by default.
    pub limits: Box<LimitsSpec>,
    /// Kernel settings of its network namespace: names below `net.` and their values.
    #[schemars(with = "IndexMap<String, sysctl::Value>")]
    pub sysctl: IndexMap<Spanned<String>, sysctl::Value>,
    /// Whether its neighbours' addresses are known from the start, or asked for (ARP, ND).
    pub neighbours: Neighbours,
    /// MTU of all its interfaces; otherwise each has that of its link.
    pub mtu: Option<Spanned<Mtu>>,
    /// Whether its kernel may hand over super-frames and leave checksums to be finished (TSO, USO), as with most hardware.
    /// `off` makes it cut and sum every frame itself, and receive only such frames.
    pub offloads: Offloads,
}

/// What the programs of a host may use at most.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSpec {
    /// Processes and threads, of all its programs together: 1 to 4194304.
    pub processes: Option<Spanned<u64>>,
    /// Memory, swap included, of all its programs together: 1MiB or more.
    pub memory: Option<Spanned<ByteSize>>,
    /// Open files, of each process: 16 to 1048576.
    pub open_files: Option<Spanned<u64>>,
}

/// Whether a host's interfaces have offloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Offloads {
    /// As many as the kernel can give.
    #[default]
    On,
    /// None.
    Off,
}

/// Whether the neighbours that the plan knows are in the kernel's table from the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Neighbours {
    /// They are, for good: no run waits for a lost ARP.
    #[default]
    Permanent,
    /// The host asks for them, over the impaired network.
    Dynamic,
}

/// One route.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteSpec {
    /// Destination, or `default`.
    pub to: Spanned<RouteTo>,
    /// The gateway: an address in one of the host's own networks.
    #[schemars(with = "String")]
    pub via: Spanned<IpAddr>,
}

/// Routes of a host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    /// Those that the file gives.
    pub list: Vec<RouteSpec>,
    /// Its programs see to its routes: none comes back with an interface that was down.
    pub manual: bool,
}

forms! {
    Routes, "Routes", "a list of routes, as in `[{ to: default, via: 10.0.0.1 }]`, or `manual`";
    words { "manual" => Routes { list: Vec::new(), manual: true } }
    list Vec<RouteSpec> => |list| Ok(Routes { list, manual: false });
}

/// Addresses of a host.
#[derive(Clone, Debug)]
pub(crate) enum Addresses {
    /// Of its only interface.
    List(Vec<Spanned<Address>>),
    /// Of each interface.
    PerInterface(IndexMap<Spanned<String>, Vec<Spanned<Address>>>),
}

forms! {
    Addresses, "Addresses", "a list of addresses, as in `[10.0.0.2/24]`, or a map from interface to list";
    not text => |text| format!("addresses are a list: write `[{text}]`");
    list Vec<Spanned<Address>> => |list| Ok(Addresses::List(list));
    map IndexMap<Spanned<String>, Vec<Spanned<Address>>> => |map| Ok(Addresses::PerInterface(map));
}

impl NodeSpec {
    /// Whether its links' ends are interfaces with names and addresses that longwire gives out.
    pub(crate) fn has_interfaces(&self) -> bool {
        matches!(self, NodeSpec::Host(_) | NodeSpec::Router(_))
    }

    /// Whether it joins its links into one segment (IEEE 802.1D: a bridge, or a repeater).
    pub(crate) fn is_bridge(&self) -> bool {
        matches!(self, NodeSpec::Switch(_) | NodeSpec::Hub(_) | NodeSpec::Cloud(_))
    }

    /// Whether it passes frames on by all of its ports, whatever the spanning tree: it could not break a loop.
    pub(crate) fn cannot_break_loops(&self) -> bool {
        match self {
            NodeSpec::Hub(_) => true,
            NodeSpec::Switch(switch) => !switch.spans(),
            _ => false,
        }
    }

    /// What it is, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            NodeSpec::Host(_) => "a host",
            NodeSpec::Switch(_) => "a switch",
            NodeSpec::Hub(_) => "a hub",
            NodeSpec::Cloud(_) => "a cloud",
            NodeSpec::Router(_) => "a router",
            NodeSpec::External(_) => "an external machine",
            NodeSpec::Uplink(_) => "an uplink",
        }
    }
}
