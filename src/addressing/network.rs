//! The hosts' side of a plan: what longwire sets up in the kernel. Plain data, computed from the scenario alone.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::neighbour_table::NeighbourTable;
use crate::topology::site::Encapsulation;
use crate::wire::ethernet::MacAddr;

/// Everything that is set up outside the engine, host by host in file order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// Hosts in file order.
    pub hosts: Vec<HostPlan>,
}

/// One host: where it is, its interfaces, and what its kernel is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPlan {
    /// The node's name.
    pub name: String,
    /// Whether longwire makes it, or it exists.
    pub place: Place,
    /// Whether its TAPs take super-frames and unfinished checksums, where the kernel can give them.
    pub offloads: bool,
    /// Interfaces in the order of their links in the file.
    pub interfaces: Vec<InterfacePlan>,
    /// Routes beyond those that the addresses imply.
    pub routes: Vec<RoutePlan>,
    /// Source rules of hosts with several interfaces, `from ADDRESS lookup TABLE`, so that a program that binds to an
    /// interface's address leaves by that interface.
    pub rules: Vec<(IpAddr, u32)>,
    /// Whether routes that the kernel removes with an interface that goes down come back with it.
    pub restores_routes: bool,
    /// This host's /etc/hosts.
    pub hosts_file: HostsFile,
    /// Machines behind an external one, with their addresses, which are among those of its interface.
    #[serde(default)]
    pub names: Vec<(String, Vec<IpAddr>)>,
    /// The name servers in its /etc/resolv.conf.
    pub dns: Vec<IpAddr>,
    /// Folders that it has to itself, beside those that every host has: absolute paths.
    pub private: Vec<String>,
    /// Whether its programs keep their rights in the machine's own user namespace.
    #[serde(default)]
    pub privileged: bool,
    /// What its programs may use together at most.
    #[serde(default)]
    pub limits: Limits,
    /// Kernel settings beyond longwire's own: paths below /proc/sys, and values.
    pub sysctl: Vec<(String, String)>,
}

/// What the programs of a host may use at most; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processes and threads, of all of them together.
    pub processes: Option<u32>,
    /// Memory in bytes, of all of them together.
    pub memory: Option<u64>,
    /// Open files, of each process.
    pub open_files: Option<u32>,
}

impl HostPlan {
    /// The gateways behind an interface, at most one a family: its own, and those of its default routes, in whatever table.
    pub fn gateways(&self, interface: usize) -> Vec<IpAddr> {
        let interface = &self.interfaces[interface];
        let is_ours =
            |route: &&RoutePlan| route.to.prefix_len() == 0 && route.interface.as_ref() == Some(&interface.name);
        let defaults = self.routes.iter().filter(is_ours).filter_map(|route| route.via);
        let mut gateways: Vec<IpAddr> = Vec::new();
        for via in interface.gateways.iter().copied().chain(defaults) {
            if !gateways.iter().any(|other| other.is_ipv4() == via.is_ipv4()) {
                gateways.push(via);
            }
        }
        gateways
    }
}

/// Where a host is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A network namespace made for this run.
    #[default]
    Namespace,
    /// A TAP in the caller's own namespace, made or taken: bridged, or given to a VM. Nothing else of the host is set up.
    ExternalTap {
        /// The TAP's name.
        tap: String,
    },
    /// A network interface of the machine, in the caller's own namespace. What is behind it is set up by nobody here.
    ExternalInterface {
        /// The interface's name.
        interface: String,
    },
    /// A Unix socket on which longwire waits for a virtual machine, by QEMU's `-netdev stream`. Nothing of the machine is set up.
    ExternalQemu {
        /// The socket's path.
        path: PathBuf,
        /// By `-netdev dgram` instead.
        dgram: bool,
    },
    /// Another site, over UDP. Nothing there is set up.
    ExternalUdp {
        /// Where this machine receives.
        listen: SocketAddr,
        /// Where the other site is, of the same family.
        peer: SocketAddr,
        /// The network's identifier, of 24 bits.
        vni: u32,
        /// What stands before each frame.
        encapsulation: Encapsulation,
    },
    /// This machine, at the other side of a user-space NAT: passt, which connects for the simulated network.
    Uplink,
    /// An interface in a container, which its engine (Docker, Podman) knows by name.
    ExternalContainer {
        /// Its name, or its id.
        container: String,
        /// Whether the other containers' addresses in their engine's networks are out of its reach.
        closed: bool,
    },
    /// An interface in a network namespace that exists.
    ExternalNetns {
        /// A name as in `ip netns`, a path (`/run/netns/x`, `/proc/PID/ns/net`) or a process id as text.
        netns: String,
    },
}

impl Place {
    /// In a few words, for listings.
    pub fn words(&self) -> String {
        match self {
            Place::Namespace => "host".to_owned(),
            Place::ExternalTap { tap } => format!("external TAP {tap}"),
            Place::ExternalInterface { interface } => format!("external interface {interface}"),
            Place::ExternalQemu { path, .. } => format!("external, a virtual machine at {}", path.display()),
            Place::ExternalUdp { peer, vni, encapsulation: Encapsulation::Vxlan, .. } => {
                format!("external, VXLAN {vni} to {peer}")
            }
            Place::ExternalUdp { peer, vni, .. } => format!("external, longwire, network {vni} to {peer}"),
            Place::ExternalContainer { container, .. } => format!("container {container}"),
            Place::Uplink => "this machine, by passt".to_owned(),
            Place::ExternalNetns { netns } => format!("external namespace {netns}"),
        }
    }

    /// What QEMU is told on its command line to join by this interface; `None` where the place is no virtual machine.
    pub fn qemu_options(&self, interface: &InterfacePlan) -> Option<String> {
        let Place::ExternalQemu { path, dgram } = self else { return None };
        let link = &interface.link;
        // a comma is written twice in QEMU's options
        let escaped = |path: &Path| path.display().to_string().replace(',', ",,");
        let (own, ours) = (escaped(&machines_socket(path)), escaped(path));
        let netdev = match dgram {
            true => format!("dgram,id={link},local.type=unix,local.path={own},remote.type=unix,remote.path={ours}"),
            false => format!("stream,id={link},server=off,addr.type=unix,addr.path={ours}"),
        };
        Some(format!("-netdev {netdev} -device virtio-net-pci,netdev={link},mac={}", MacAddr(interface.mac)))
    }

    /// Whether it is a machine of somebody else in which longwire makes the interface, and sets it up.
    pub fn is_entered(&self) -> bool {
        matches!(self, Place::ExternalNetns { .. } | Place::ExternalContainer { .. })
    }

    /// Whether longwire starts programs there: in hosts that it makes, and in containers.
    pub fn runs_programs(&self) -> bool {
        matches!(self, Place::Namespace | Place::ExternalContainer { .. })
    }

    /// Whether only a wire leads there: addresses, routes and neighbours are the machine's own affair.
    pub fn is_beyond_a_wire(&self) -> bool {
        match self {
            Place::ExternalTap { .. }
            | Place::ExternalInterface { .. }
            | Place::ExternalQemu { .. }
            | Place::ExternalUdp { .. } => true,
            Place::Namespace | Place::Uplink | Place::ExternalNetns { .. } | Place::ExternalContainer { .. } => false,
        }
    }
}

/// The socket of a virtual machine that joins by datagrams, beside that of longwire at `path`.
pub fn machines_socket(path: &Path) -> PathBuf {
    let mut own = path.as_os_str().to_owned();
    own.push(".vm");
    own.into()
}

/// Where a network namespace is: a number is a process, a word a name as in `ip netns`, all else a path. What leads to the same
/// file by the usual symbolic link is the same.
pub fn netns_path(netns: &str) -> String {
    // NETNS_RUN_DIR of iproute2 (ip-netns(8)), and what it is on machines where /var/run leads to /run
    const NAMED: &str = "/run/netns/";
    if netns.bytes().all(|b| b.is_ascii_digit()) {
        format!("/proc/{netns}/ns/net")
    } else if !netns.contains('/') {
        format!("{NAMED}{netns}")
    } else if let Some(name) = netns.strip_prefix("/var/run/netns/") {
        format!("{NAMED}{name}")
    } else {
        netns.to_owned()
    }
}

/// One interface of a host, at one end of one link: one TAP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfacePlan {
    /// The interface's name inside the host, at most 15 bytes.
    pub name: String,
    /// The link whose end this is.
    pub link: String,
    /// MAC address, from the seed and the names, so that it repeats.
    pub mac: [u8; 6],
    /// MTU in L3 bytes, as `ip link` shows it.
    pub mtu: u32,
    /// Addresses with their prefix lengths. Empty for external hosts that did not ask for any.
    pub addresses: Vec<IpNet>,
    /// Where packets for other networks go from here: one gateway a family at most, as the host's routes or the routers
    /// on the segment say. Which interface's gateways the host uses, its default routes say.
    pub gateways: Vec<IpAddr>,
    /// Permanent neighbour entries: (address, MAC) of the others on this segment, link-local ones included.
    /// Empty with `neighbours: dynamic`.
    pub neighbours: NeighbourTable,
}

/// A host's /etc/hosts, in two parts: most of it is the same for all hosts, and is there once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostsFile {
    /// The host itself, and neighbours with several interfaces, by the addresses that are near. A resolver takes the first
    /// line that has a name, so they come first. A host without an address has its name here too.
    pub near: Arc<str>,
    /// Every name.
    pub all: Arc<str>,
    /// IPv6 networks that only a way around a NAT leads to: names there resolve to IPv4 first.
    #[serde(default)]
    pub around: Arc<[IpNet]>,
}

impl HostsFile {
    /// The whole text.
    pub fn text(&self) -> String {
        format!("{}{}", self.near, self.all)
    }

    /// The network's names alone, without those of the host itself (`localhost`).
    pub fn names(&self) -> String {
        let is_own = |line: &str| {
            let address = line.split_whitespace().next().and_then(|address| address.parse().ok());
            address.is_some_and(|address: IpAddr| address.is_loopback())
        };
        self.text().lines().filter(|line| !is_own(line)).fold(String::new(), |all, line| all + line + "\n")
    }

    /// The whole text without the IPv6 addresses of those networks, where a name has an IPv4 address too.
    pub fn text_by_ipv4(&self) -> String {
        let text = self.text();
        let parts = |line: &str| -> Option<(IpAddr, String)> {
            let mut words = line.split_whitespace();
            Some((words.next()?.parse().ok()?, words.next()?.to_owned()))
        };
        let is_around = |address: &IpAddr| self.around.iter().any(|net| net.contains(address));
        let by_ipv4: BTreeSet<String> =
            text.lines().filter_map(parts).filter(|(address, _)| address.is_ipv4()).map(|(_, name)| name).collect();
        let stays =
            |line: &&str| parts(line).is_none_or(|(address, name)| !is_around(&address) || !by_ipv4.contains(&name));
        text.lines().filter(stays).fold(String::new(), |all, line| all + line + "\n")
    }

    /// What glibc's getaddrinfo is told (gai.conf(5)), so that names with addresses of both families resolve to IPv4 first where
    /// IPv6 would go around a NAT; all else as ever. `None` where there is no such name.
    ///
    /// glibc prefers IPv6, the unique local addresses of RFC 4193 too, which RFC 6724 puts behind IPv4; musl and Go go by that.
    pub fn address_selection(&self) -> Option<String> {
        if self.around.is_empty() {
            return None;
        }
        // a first line of this kind replaces the whole table that is built in
        let built_in = ["::1/128 50", "::/0 40", "2002::/16 30", "::/96 20", "::ffff:0:0/96 10"];
        let mut text = String::from("# longwire: IPv4 comes first where IPv6 would go around a NAT\n");
        let around = self.around.iter().map(|net| format!("{net} 5"));
        for row in built_in.into_iter().map(str::to_owned).chain(around) {
            text += &format!("precedence {row}\n");
        }
        Some(text)
    }
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutePlan {
    /// The destination; `0.0.0.0/0` and `::/0` are default routes.
    pub to: IpNet,
    /// The gateway; `None` for a route straight onto the interface.
    pub via: Option<IpAddr>,
    /// The interface it leaves by; `None` where the gateway's address says it.
    pub interface: Option<String>,
    /// Routing table: 254 is main. Hosts with several interfaces get one table each, from 101.
    pub table: u32,
}

/// The engine's side and the kernel's side of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PortPlan {
    /// Position in `Plan::nodes`.
    pub node: usize,
    /// Position in `NetworkPlan::hosts`.
    pub host: usize,
    /// Position in `HostPlan::interfaces`.
    pub interface: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_process_a_name_or_a_path() {
        for (netns, path) in [
            ("4711", "/proc/4711/ns/net"),
            ("box", "/run/netns/box"),
            ("box1", "/run/netns/box1"),
            ("./box", "./box"),
            ("/var/run/netns/box", "/run/netns/box"),
            ("/var/run/docker/netns/1", "/var/run/docker/netns/1"),
        ] {
            assert_eq!(netns_path(netns), path);
        }
    }
}
