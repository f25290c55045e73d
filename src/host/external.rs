//! Machines that longwire does not make: a TAP in the caller's namespace, an interface in a container.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

use netlink_sys::Socket;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

use super::configure::InterfaceStatistics;
use super::error::{Cause, HostError};
use super::netlink::Netlink;
use super::{configure, helper, namespace, peer, sysctl};
use crate::port::tap::{Framing, TapInfo, TapPort};
use crate::scenario::network::{InterfacePlan, RoutePlan};

/// An interface of an external machine: its TAP, and what reads its counters.
pub(crate) struct External {
    pub(crate) port: TapPort,
    pub(crate) counters: Counters,
}

/// What reads an interface's counters.
pub(crate) struct Counters {
    netlink: Netlink,
    index: u32,
    /// What it had counted before this run.
    before: InterfaceStatistics,
}

impl Counters {
    /// From here on. The TAP must be open: what its host sent before that was nobody's.
    fn new(mut netlink: Netlink, index: u32) -> Result<Counters, HostError> {
        let before = configure::statistics(&mut netlink, index)?;
        Ok(Counters { netlink, index, before })
    }

    /// What has been counted since.
    pub(crate) fn read(&mut self) -> Result<InterfaceStatistics, HostError> {
        Ok(configure::statistics(&mut self.netlink, self.index)?.since(self.before))
    }
}

/// Makes the TAP `tap` in this process's own network namespace, or takes it where it exists; sets its MTU and brings it up.
pub(crate) fn tap(tap: &str, plan: &InterfacePlan, framing: Framing) -> Result<External, HostError> {
    let port = TapPort::open(tap, framing).map_err(|error| {
        let error = HostError::tap(tap, error);
        if error.errno == Some(libc::EPERM) {
            error.cure(by_hand(tap, plan.mtu))
        } else if error.errno == Some(libc::EINVAL) {
            HostError { cause: Cause::Input, ..error }
        } else {
            error
        }
    })?;
    let mut netlink = Netlink::open()?;
    let index = configure::interface_index(tap)
        .ok_or_else(|| HostError::lacking(format!("find TAP `{tap}`"), "it vanished as soon as opened"))?;
    let permitted = |error: HostError| {
        if error.errno == Some(libc::EPERM) { error.cure(by_hand(tap, plan.mtu)) } else { error }
    };
    let (mtu, up) = configure::mtu_and_up(&mut netlink, index)?;
    if mtu != Some(plan.mtu) {
        configure::set_mtu(&mut netlink, index, tap, plan.mtu).map_err(permitted)?;
    }
    // A TAP that somebody else made keeps the ring that its owner gave it, where that is no business of this user.
    match configure::size_ring(&mut netlink, index, tap) {
        Err(error) if error.errno != Some(libc::EPERM) => return Err(error),
        _ => {}
    }
    if !up {
        configure::bring_up(&mut netlink, index, tap).map_err(permitted)?;
    }
    Ok(External { port, counters: Counters::new(netlink, index)? })
}

fn by_hand(tap: &str, mtu: u32) -> String {
    format!(
        "make it once as root: `sudo ip tuntap add {tap} mode tap user $USER; sudo ip link set {tap} mtu {mtu} up`, or run \
         with sudo"
    )
}

/// Makes the interface `plan` as a TAP in a network namespace that exists, with routes over it. All of it vanishes with its
/// only descriptor.
///
/// A child enters the namespace, so this process stays where it is; it must have one thread.
pub(crate) fn interface(
    netns: &str,
    plan: &InterfacePlan,
    routes: &[RoutePlan],
    framing: Framing,
) -> Result<External, HostError> {
    let doing = format!("make `{}` in the network namespace {netns}", plan.name);
    let path =
        if netns.bytes().all(|b| b.is_ascii_digit()) { format!("/proc/{netns}/ns/net") } else { netns.to_owned() };
    let target = File::open(&path).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let error = HostError::os(format!("open the network namespace {path}"), error);
        if missing {
            HostError { cause: Cause::Input, ..error }
                .cure("name one that exists: a path, or the id of a running process")
        } else {
            error.cure("run with sudo, or name a namespace of your own")
        }
    })?;
    let ((info, index), fds) = helper::in_child(&doing, || {
        enter(&OwnedFd::from(target)).map_err(|error| {
            let error = HostError::os(format!("enter the network namespace {path}"), error);
            match error.errno {
                Some(libc::EINVAL) => HostError { cause: Cause::Input, ..error }.cure("name a network namespace"),
                _ => error.cure("it belongs to somebody else: run with sudo"),
            }
        })?;
        if configure::interface_index(&plan.name).is_some() {
            return Err(HostError::input(&*doing, "an interface of that name exists there")
                .cure("give it another name with `interface:`"));
        }
        let port = TapPort::open(&plan.name, framing).map_err(|e| HostError::tap(&plan.name, e))?;
        let mut netlink = Netlink::open()?;
        let index = configure::interface_index(&plan.name)
            .ok_or_else(|| HostError::lacking(&*doing, "it vanished as soon as made"))?;
        configure::foreign_interface(&mut netlink, plan, routes, index, sysctl::has_ipv6())?;
        let (fd, info) = port.into_parts();
        // SAFETY: the socket gives its descriptor up here, and nothing else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(netlink.into_socket().into_raw_fd()) };
        Ok(((info, index), vec![fd, socket]))
    })?;
    let [fd, socket] = <[OwnedFd; 2]>::try_from(fds)
        .map_err(|_| HostError::lacking(&*doing, "the TAP got lost on its way from the namespace"))?;
    // SAFETY: `socket` gives its descriptor up here, and nothing else owns it.
    let netlink = Netlink::from_socket(unsafe { Socket::from_raw_fd(socket.into_raw_fd()) });
    let info: TapInfo = info;
    Ok(External { port: TapPort::from_parts(fd, info), counters: Counters::new(netlink, index)? })
}

/// Enters a network namespace, through the user namespace that owns it where this user may not enter directly.
fn enter(target: &OwnedFd) -> nix::Result<()> {
    use std::os::fd::AsFd;
    match namespace::enter_network(target.as_fd()) {
        Err(Errno::EPERM) => {}
        other => return other,
    }
    let owner = peer::users_of(target.as_fd())?;
    setns(&owner, CloneFlags::CLONE_NEWUSER).map_err(|_| Errno::EPERM)?;
    namespace::enter_network(target.as_fd())
}
