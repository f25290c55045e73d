//! Machines that longwire does not make, as they stand in a file.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::site::SiteSpec;
use crate::language::address_text::Address;
use crate::language::spanned::Spanned;
use crate::model::form::forms;
use crate::units::Duration;

/// What the interface in a container is called: its engine calls those that it makes eth0, eth1, ….
const CONTAINER_INTERFACE: &str = "lw0";

/// A machine that longwire does not make: `tap`, `qemu`, `udp`, `container`, `interface`, or `netns` and `interface`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExternalSpec {
    /// A TAP in the caller's own namespace, made or taken: bridge it, or give it to a VM.
    pub tap: Option<Spanned<String>>,
    /// A Unix socket that longwire makes, and on which it waits for a virtual machine: QEMU's `-netdev stream`, or `-netdev dgram`.
    pub qemu: Option<Spanned<Qemu>>,
    /// Another site, reached by VXLAN: another longwire, a kernel's `vxlan` interface or Open vSwitch.
    pub udp: Option<Spanned<SiteSpec>>,
    /// A running container of Docker or Podman: its name, or its id.
    pub container: Option<Spanned<String>>,
    /// Whether a container reaches everything else by the network too, and not by its own default route.
    pub default_route: Option<Spanned<bool>>,
    /// Whether a container reaches the scenario's other containers by its engine's own network too. `open` unless said.
    pub engine_network: Option<Spanned<EngineNetwork>>,
    /// A network namespace that exists: a name of `ip netns`, a path, or a process id.
    pub netns: Option<Spanned<String>>,
    /// The interface's name in that namespace, or in that container (`lw0` unless named). Alone: a network interface of this
    /// machine, which the run takes.
    pub interface: Option<Spanned<String>>,
    /// This machine itself, for the uplink of this name: no file says so.
    #[serde(default)]
    #[schemars(skip)]
    pub passt: Option<String>,
    /// Addresses that its interface gets; of a machine behind a TAP, those that it has. None unless named.
    #[serde(default)]
    pub addresses: Vec<Spanned<Address>>,
    /// Machines behind it beside itself, by name: their addresses. They can be pinged, and hosts find them by name.
    #[serde(default)]
    pub names: IndexMap<Spanned<String>, Vec<Spanned<Address>>>,
    /// Whether the router on its network gives it an IPv4 address by DHCP. `on` for a machine with `qemu`, else `off`.
    pub dhcp: Option<Spanned<Dhcp>>,
    /// Whether the router on its network advertises itself to it, for IPv6. `on` for a machine with `qemu`, else `off`.
    pub ra: Option<Spanned<Advertised>>,
    /// Name servers that DHCP and router advertisements tell it: addresses, or names of hosts and routers. None by default.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub dns: Vec<Spanned<String>>,
    /// What it has to answer before the run begins: `ping`, `arp`, or a TCP port. By default nothing is waited for.
    pub ready: Option<Spanned<Answers>>,
}

impl ExternalSpec {
    /// Whether it is a network interface of this machine.
    pub(crate) fn is_interface(&self) -> bool {
        self.interface.is_some() && self.netns.is_none() && self.container.is_none()
    }

    /// The container's name and its interface, if it is one.
    pub(crate) fn container(&self) -> Option<(&Spanned<String>, &str)> {
        let interface = self.interface.as_ref().map_or(CONTAINER_INTERFACE, |interface| &interface.value);
        self.container.as_ref().map(|container| (container, interface))
    }

    /// Whether the way around the simulated network, by the engine's own, is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.engine_network.as_ref().is_some_and(|network| network.value == EngineNetwork::Closed)
    }

    /// How it gets addresses by DHCP, if it does.
    pub(crate) fn dhcp(&self) -> Option<DhcpSpec> {
        match &self.dhcp {
            Some(Spanned { value: Dhcp::On(dhcp), .. }) => Some(dhcp.clone()),
            Some(Spanned { value: Dhcp::Off, .. }) => None,
            None => self.qemu.is_some().then(DhcpSpec::default),
        }
    }

    /// Whether it gets router advertisements.
    pub(crate) fn ra(&self) -> bool {
        self.ra.as_ref().map_or(self.qemu.is_some(), |ra| ra.value == Advertised::On)
    }
}

/// Where a virtual machine joins.
#[derive(Clone, Debug)]
pub(crate) struct Qemu {
    /// The socket that longwire makes.
    pub path: PathBuf,
    /// By datagrams, not by a connection.
    pub dgram: bool,
}

/// The same by another way than a connection.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "QemuSettings")]
#[serde(deny_unknown_fields)]
pub(crate) struct QemuSpec {
    /// By datagrams, QEMU's `-netdev dgram`: the socket that longwire makes. The machine's own is beside it, with `.vm` after its name.
    #[schemars(with = "String")]
    pub dgram: PathBuf,
}

forms! {
    Qemu, "Qemu", "the path of a socket, or a map with `dgram`";
    text { "type": "string" } => |path: &str| Ok(Qemu { path: path.into(), dgram: false });
    map QemuSpec => |spec: QemuSpec| Ok(Qemu { path: spec.dgram, dgram: true });
}

/// What a machine has to answer before the run begins.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "AnswersSettings")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AnswersSpec {
    /// It takes a connection to this TCP port. Without this and `arp` it answers ping.
    pub tcp: Option<Spanned<u16>>,
    /// It answers ARP, by IPv6 neighbour discovery: a host on its network asks.
    pub arp: bool,
    /// The host that asks. By default the first of the file that reaches it, for `arp` on its network.
    #[schemars(with = "Option<String>")]
    pub from: Option<Spanned<String>>,
    /// How long that may take. By default 2m: a machine may have to boot.
    pub within: Option<Duration>,
}

/// The same, or a word for it.
#[derive(Clone, Debug)]
pub(crate) struct Answers(pub AnswersSpec);

forms! {
    Answers, "Answers", "`ping`, `arp`, or a map with `tcp`, `arp`, `from` and `within`";
    words {
        "ping" => Answers(AnswersSpec::default()),
        "arp" => Answers(AnswersSpec { arp: true, ..AnswersSpec::default() }),
    }
    map AnswersSpec => |spec| Ok(Answers(spec));
}

/// Whether containers of a scenario reach each other by their engine's own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineNetwork {
    /// They do.
    Open,
    /// They do not; everything else there stays in reach.
    Closed,
}

forms! {
    EngineNetwork, "EngineNetwork", "`open` or `closed`";
    words { "open" => EngineNetwork::Open, "closed" => EngineNetwork::Closed }
}

/// Whether a machine gets its address by DHCP.
#[derive(Clone, Debug)]
pub(crate) enum Dhcp {
    /// It does not.
    Off,
    /// It does.
    On(DhcpSpec),
}

forms! {
    Dhcp, "Dhcp", "`on`, `off`, or a map with `lease` and `domain`";
    words { "on" => Dhcp::On(DhcpSpec::default()), "off" => Dhcp::Off }
    bool => |on| if on { Dhcp::On(DhcpSpec::default()) } else { Dhcp::Off };
    map DhcpSpec => |dhcp| Ok(Dhcp::On(dhcp));
}

/// What DHCP tells a machine beside its address.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "DhcpSettings")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DhcpSpec {
    /// How long it keeps its address without asking again: 1s to 8760h.
    pub lease: Spanned<Duration>,
    /// The domain of its name, as in `lab.example`. None by default.
    pub domain: Option<Spanned<String>>,
}

impl Default for DhcpSpec {
    fn default() -> DhcpSpec {
        let lease = Spanned { value: Duration::from_secs(3600), span: crate::diag::Span::default() };
        DhcpSpec { lease, domain: None }
    }
}

/// Whether a machine gets router advertisements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advertised {
    /// It does.
    On,
    /// It does not.
    Off,
}

forms! {
    Advertised, "Advertised", "`on` or `off`";
    words { "on" => Advertised::On, "off" => Advertised::Off }
    bool => |on| if on { Advertised::On } else { Advertised::Off };
}
