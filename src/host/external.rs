//! Machines that longwire does not make: a TAP or an interface in the caller's namespace, an interface in a container.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd};
use std::path::Path;

use netlink_sys::Socket;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use serde::{Deserialize, Serialize};

use super::configure::{Family, InterfaceStatistics, Settings};
use super::error::{Cause, HostError};
use super::netlink::Netlink;
use super::nic::{self, Taken};
use super::open::{Expected, open};
use super::{configure, helper, namespace, peer, sysctl};
use crate::addressing::network::{InterfacePlan, RoutePlan, netns_path};
use crate::port::Port;
use crate::port::packet::PacketPort;
use crate::port::tap::{Framing, QUEUE_LENGTH, TapInfo, TapPort};

/// An interface of an external machine: its port, and what else the run does with it.
pub(crate) struct External {
    pub(crate) port: Port,
    pub(crate) outside: Outside,
    /// A container's first process, which is watched.
    pub(crate) process: Option<OwnedFd>,
    /// Set where somebody else made it.
    borrowed: Option<Borrowed>,
}

/// An interface in a network namespace that is not the run's own. To look at it takes no rights.
pub(crate) struct Outside {
    netlink: Netlink,
    index: u32,
    /// What it had counted before this run.
    before: InterfaceStatistics,
}

/// What goes between processes beside the descriptors of an [`External`]: its port's, and its netlink socket's.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Passed {
    kind: Kind,
    index: u32,
    before: InterfaceStatistics,
}

/// What kind of port a descriptor is.
#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    Tap(TapInfo),
    /// By its interface's name.
    Packet(String),
}

impl External {
    /// Takes it apart, to send it to another process; what was borrowed stays in this one.
    pub(crate) fn into_parts(self) -> Result<(Passed, Vec<OwnedFd>, Option<Borrowed>), HostError> {
        let External { port, outside: Outside { netlink, index, before }, process, borrowed } = self;
        let (fd, kind) = match port {
            Port::Tap(tap) => {
                let (fd, info) = tap.into_parts();
                (fd, Kind::Tap(info))
            }
            Port::Packet(packet) => {
                let (fd, name) = packet.into_parts();
                (fd, Kind::Packet(name))
            }
            Port::Stream(_) | Port::Datagram(_) | Port::Site(_) => {
                return Err(HostError::lacking("hand an interface on", "a socket is none"));
            }
        };
        let socket = netlink.as_fd().try_clone_to_owned();
        let socket = socket.map_err(|e| HostError::os("hand an interface on", e))?;
        let fds = [fd, socket].into_iter().chain(process).collect();
        Ok((Passed { kind, index, before }, fds, borrowed))
    }

    /// Puts together what another process took apart.
    pub(crate) fn from_parts(passed: Passed, fds: Vec<OwnedFd>) -> Result<External, HostError> {
        let Passed { kind, index, before } = passed;
        let mut fds = fds.into_iter();
        let (Some(fd), Some(socket), process, None) = (fds.next(), fds.next(), fds.next(), fds.next()) else {
            let reason = "its descriptors got lost between two processes";
            return Err(HostError::lacking("take over an interface", reason));
        };
        // SAFETY: `socket` gives its descriptor up here, and nothing else owns it.
        let netlink = Netlink::from_socket(unsafe { Socket::from_raw_fd(socket.into_raw_fd()) });
        let outside = Outside { netlink, index, before };
        let port = match kind {
            Kind::Tap(info) => Port::Tap(TapPort::from_parts(fd, info)),
            Kind::Packet(name) => Port::Packet(PacketPort::from_parts(fd, name)),
        };
        Ok(External { port, outside, process, borrowed: None })
    }
}

/// What somebody else's interface was set to. Dropped, it is set to that again, as far as it is still there.
#[expect(dead_code, reason = "they are there to be dropped")]
pub(crate) enum Borrowed {
    Tap(BorrowedTap),
    Interface(Taken),
}

/// What a TAP that somebody else made was set to.
pub(crate) struct BorrowedTap {
    netlink: Netlink,
    index: u32,
    name: String,
    before: Settings,
}

impl Outside {
    /// Counts from here on. The TAP must be open: what its host sent before that was nobody's.
    fn new(netlink: Netlink, index: u32) -> Result<Outside, HostError> {
        let mut outside = Outside { netlink, index, before: InterfaceStatistics::default() };
        outside.before = outside.counters()?;
        Ok(outside)
    }

    /// Whether an interface of this name is in the namespace.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        self.netlink.has_link(name)
    }

    /// What has been counted since.
    pub(crate) fn counters(&mut self) -> Result<InterfaceStatistics, HostError> {
        Ok(configure::statistics(&mut self.netlink, self.index)?.since(self.before))
    }
}

impl Drop for BorrowedTap {
    fn drop(&mut self) {
        let BorrowedTap { netlink, index, name, before } = self;
        // Best effort: its owner may have taken it away by now.
        if let Some(length) = before.queue_length {
            let _ = configure::size_ring(netlink, *index, name, length);
        }
        if !before.up {
            let _ = configure::take_down(netlink, *index, name);
        }
    }
}

/// Makes the TAP `tap` in this process's own network namespace, or takes it where it exists, and brings it up. Without `make` it
/// only takes one that is there.
///
/// This namespace's own kernel is no machine of the scenario, so a TAP that is made gets no address, and router
/// advertisements on it are ignored. One that existed is set up by its owner: only its ring grows, until the run ends.
pub(crate) fn tap(tap: &str, plan: &InterfacePlan, framing: Framing, make: bool) -> Result<External, HostError> {
    let existed = configure::interface_index(tap)?.is_some();
    let permitted = |error: HostError| {
        if error.errno == Some(libc::EPERM) { error.cure(by_hand(tap, plan.mtu)) } else { error }
    };
    let port = TapPort::open(tap, framing).map_err(|error| {
        let error = HostError::tap(tap, error);
        if error.errno == Some(libc::EINVAL) { HostError { cause: Cause::Input, ..error } } else { permitted(error) }
    })?;
    if !make && !port.is_persistent() {
        return Err(gone(tap));
    }
    let mut netlink = Netlink::open()?;
    let index = index_of(&port, tap)?;
    let before = configure::settings(&mut netlink, index)?;
    if !existed {
        configure::set_mtu(&mut netlink, index, tap, plan.mtu).map_err(permitted)?;
        if sysctl::has_ipv6() && plan.mtu >= configure::IPV6_MIN_MTU {
            configure::no_automatic_address(&mut netlink, index, tap)?;
            match sysctl::ignore_router_advertisements(tap) {
                // A container whose /proc/sys is read-only: nothing is asked for there, as there is no address to ask from.
                Err(error) if error.errno != Some(libc::EROFS) => return Err(error),
                _ => {}
            }
        }
    }
    // The ring that its owner gave it stays where that is no business of this user.
    match configure::size_ring(&mut netlink, index, tap, QUEUE_LENGTH) {
        Err(error) if error.errno != Some(libc::EPERM) => return Err(error),
        _ => {}
    }
    if !before.up {
        configure::bring_up(&mut netlink, index, tap).map_err(permitted)?;
    }
    let borrowed = match existed {
        true => Some(Borrowed::Tap(BorrowedTap { netlink: Netlink::open()?, index, name: tap.to_owned(), before })),
        false => None,
    };
    Ok(External { port: Port::Tap(port), outside: Outside::new(netlink, index)?, process: None, borrowed })
}

/// Takes the interface `name` of this process's own network namespace.
pub(crate) fn network_interface(name: &str) -> Result<External, HostError> {
    let (port, index, taken) = nic::take(name)?;
    let outside = Outside::new(Netlink::open()?, index)?;
    Ok(External { port: Port::Packet(port), outside, process: None, borrowed: Some(Borrowed::Interface(taken)) })
}

fn by_hand(tap: &str, mtu: u32) -> String {
    format!(
        "make it once as root: `sudo ip tuntap add {tap} mode tap user $USER; sudo ip link set {tap} mtu {mtu} \
         addrgenmode none up`, or run with sudo"
    )
}

/// Opens a network namespace that exists, in the words of a scenario.
pub(crate) fn open_namespace(netns: &str) -> Result<Entered, HostError> {
    let path = netns_path(netns);
    let target = open(Path::new(&path), Expected::Namespace).map_err(|error| {
        // a FIFO, a device or a file: more rights would not help
        if error.raw_os_error().is_none() {
            return HostError::input(format!("open the network namespace {path}"), error.to_string())
                .cure("name one of `ip netns list`, a path, or the id of a running process");
        }
        let missing = error.kind() == io::ErrorKind::NotFound;
        let error = HostError::os(format!("open the network namespace {path}"), error);
        if missing {
            HostError { cause: Cause::Input, ..error }
                .cure("name one that exists: one of `ip netns list`, a path, or the id of a running process")
        } else {
            error.cure("run with sudo, or name a namespace of your own")
        }
    })?;
    Ok(Entered { network: target.into(), name: format!("the network namespace {path}"), process: None })
}

/// A network namespace that exists, to make an interface in.
pub(crate) struct Entered {
    network: OwnedFd,
    /// What it is, in words.
    name: String,
    /// A container's first process: its engine leaves its addresses and the like to whoever makes the interface.
    process: Option<OwnedFd>,
}

impl Entered {
    /// That of a container.
    pub(crate) fn of_container(name: &str, network: OwnedFd, process: OwnedFd) -> Entered {
        Entered { network, name: format!("the container `{name}`"), process: Some(process) }
    }

    /// Makes the interface `plan` as a TAP, with routes over it; without `make` takes the TAP of that name which is there. What
    /// was made vanishes with its only descriptor.
    ///
    /// A child enters the namespace, so this process stays where it is; it must have one thread.
    pub(crate) fn interface(
        self,
        plan: &InterfacePlan,
        routes: &[RoutePlan],
        framing: Framing,
        make: bool,
    ) -> Result<External, HostError> {
        let doing = format!("make `{}` in {}", plan.name, self.name);
        let own = self.process.is_some() && make;
        let (passed, fds) = helper::in_child(&doing, || {
            self.enter()?;
            if make && configure::interface_index(&plan.name)?.is_some() {
                return Err(HostError::input(&*doing, "an interface of that name exists there")
                    .cure("give it another name with `interface:`"));
            }
            let port = TapPort::open(&plan.name, framing).map_err(|e| HostError::tap(&plan.name, e))?;
            if !make && !port.is_persistent() {
                return Err(gone(&plan.name));
            }
            if own {
                sysctl::apply_to(&plan.name)?;
            }
            let mut netlink = Netlink::open()?;
            let index = index_of(&port, &plan.name)?;
            configure::interface(&mut netlink, plan, routes, index, Family { ipv6: sysctl::has_ipv6(), own })?;
            let outside = Outside::new(netlink, index)?;
            let (passed, fds, _) =
                External { port: Port::Tap(port), outside, process: None, borrowed: None }.into_parts()?;
            Ok((passed, fds))
        })?;
        Ok(External { process: self.process, ..External::from_parts(passed, fds)? })
    }

    /// Sets routes over an interface that was made there, unless it is gone.
    ///
    /// A child enters the namespace, so this process stays where it is; it must have one thread.
    pub(crate) fn route(&self, interface: &str, routes: &[RoutePlan]) -> Result<(), HostError> {
        let doing = format!("set routes in {}", self.name);
        let set = || {
            self.enter()?;
            if let Some(index) = configure::interface_index(interface)? {
                configure::replace_routes(&mut Netlink::open()?, routes, index)?;
            }
            Ok(((), Vec::new()))
        };
        helper::in_child(&doing, set).map(|((), _)| ())
    }

    /// Moves this process there.
    fn enter(&self) -> Result<(), HostError> {
        enter(&self.network).map_err(|error| {
            let error = HostError::os(format!("enter {}", self.name), error);
            match error.errno {
                Some(libc::EINVAL) => HostError { cause: Cause::Input, ..error }.cure("name a network namespace"),
                _ => error.cure("it belongs to somebody else: run with sudo"),
            }
        })
    }
}

/// The index of a TAP that has just been opened, in the network namespace that this thread is in.
fn index_of(port: &TapPort, name: &str) -> Result<u32, HostError> {
    let index = configure::interface_index(name)?;
    // As long as the TAP lives, the name is its own.
    index.filter(|_| !port.is_deleted()).ok_or_else(|| gone(name))
}

fn gone(name: &str) -> HostError {
    HostError::lacking(format!("take the TAP `{name}`"), "it was deleted at that moment")
}

/// Enters a network namespace, through the user namespace that owns it where this user may not enter directly.
fn enter(target: &OwnedFd) -> nix::Result<()> {
    match namespace::enter_network(target.as_fd()) {
        Err(Errno::EPERM) => {}
        other => return other,
    }
    let owner = peer::users_of(target.as_fd())?;
    setns(&owner, CloneFlags::CLONE_NEWUSER).map_err(|_| Errno::EPERM)?;
    namespace::enter_network(target.as_fd())
}
