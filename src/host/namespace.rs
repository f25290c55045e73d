//! Namespaces: making them, entering them, and the process that starts in new ones.
//!
//! Sources: namespaces(7), user_namespaces(7), pid_namespaces(7), clone(2), setns(2).
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::error::HostError;

/// Capabilities over its own user namespace without which a process needs a user namespace of its own to make hosts:
/// CAP_NET_ADMIN, CAP_SYS_CHROOT (for joining mount namespaces) and CAP_SYS_ADMIN (capabilities(7)).
const NEEDED_CAPABILITIES: u64 = 1 << 12 | 1 << 18 | 1 << 21;

/// Whether this process can make network and mount namespaces without a user namespace of its own.
pub(crate) fn is_privileged() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| has_capabilities(&status))
}

fn has_capabilities(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or(0);
    bits & NEEDED_CAPABILITIES == NEEDED_CAPABILITIES
}

/// How many threads this process has.
pub(crate) fn thread_count() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

/// Forks this process into new namespaces; `None` in the child. Its end sends `signal` to this process; without one,
/// waiting for children passes over it (`__WCLONE` in waitpid(2)).
///
/// # Safety
/// The process must have one thread: the child goes on in ordinary code, and a lock that another thread held would never
/// be released in it.
pub(crate) unsafe fn fork_into(flags: CloneFlags, signal: Option<Signal>) -> nix::Result<Option<Pid>> {
    let flags = libc::c_long::from(flags.bits() | signal.map_or(0, |signal| signal as libc::c_int));
    // clone and not clone3, which some containers' filters refuse; without a stack of its own the child goes on here as
    // after fork. The four other arguments are zero, so their order, which differs between architectures, is no matter.
    // SAFETY: no memory is shared (no CLONE_VM), and one thread is the caller's promise.
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) } {
        0 => Ok(None),
        -1 => Err(Errno::last()),
        pid => Ok(Some(Pid::from_raw(pid as libc::pid_t))),
    }
}

/// Maps one user and one group of the parent user namespace into the one that this process has just entered.
///
/// # Errors
/// Those of writing /proc/self/{setgroups,uid_map,gid_map}.
pub(crate) fn map_identity(inside: (u32, u32), outside: (u32, u32)) -> io::Result<()> {
    match fs::write("/proc/self/setgroups", "deny") {
        // Linux before 3.19 has no such file, and needs none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => other?,
    }
    fs::write("/proc/self/uid_map", format!("{} {} 1\n", inside.0, outside.0))?;
    fs::write("/proc/self/gid_map", format!("{} {} 1\n", inside.1, outside.1))
}

/// Handles on the namespaces that each host has to itself.
pub(crate) struct Own {
    /// Network.
    pub(crate) network: OwnedFd,
    /// Mounts.
    pub(crate) mounts: OwnedFd,
    /// The host's name (UTS).
    pub(crate) name: OwnedFd,
    /// System V IPC and POSIX message queues.
    pub(crate) ipc: OwnedFd,
}

impl Own {
    /// Moves this process into all of them; its root and working directory become those of the mount namespace.
    ///
    /// # Errors
    /// What could not be done, to complete "cannot …".
    pub(crate) fn enter(&self) -> Result<(), (&'static str, Errno)> {
        enter_network(self.network.as_fd()).map_err(|e| ("enter the network namespace", e))?;
        setns(&self.name, CloneFlags::CLONE_NEWUTS).map_err(|e| ("enter the UTS namespace", e))?;
        setns(&self.ipc, CloneFlags::CLONE_NEWIPC).map_err(|e| ("enter the IPC namespace", e))?;
        enter_mounts(self.mounts.as_fd()).map_err(|e| ("enter the mount namespace", e))
    }

    /// In the order in which they travel between processes.
    pub(crate) fn as_fds(&self) -> [BorrowedFd<'_>; 4] {
        [self.network.as_fd(), self.mounts.as_fd(), self.name.as_fd(), self.ipc.as_fd()]
    }
}

/// A handle on one of this process's own namespaces (`net`, `mnt`, `uts`, `ipc`, `pid`, `user`).
pub(crate) fn own(kind: &str) -> io::Result<OwnedFd> {
    Ok(File::open(format!("/proc/self/ns/{kind}"))?.into())
}

/// Leaves the network namespace for a new, empty one and returns a handle on it.
pub(crate) fn new_network() -> Result<OwnedFd, HostError> {
    make("network", "net", CloneFlags::CLONE_NEWNET)
}

/// Leaves the mount namespace for a copy of it and returns a handle on the copy.
pub(crate) fn new_mounts() -> Result<OwnedFd, HostError> {
    make("mount", "mnt", CloneFlags::CLONE_NEWNS)
}

/// Leaves the UTS namespace for a copy of it, names the copy and returns a handle on it. Without a name it stays as it was.
pub(crate) fn new_name(name: Option<&str>) -> Result<OwnedFd, HostError> {
    let made = make("UTS", "uts", CloneFlags::CLONE_NEWUTS)?;
    if let Some(name) = name {
        nix::unistd::sethostname(name).map_err(|e| HostError::os("set a host's name", e))?;
    }
    Ok(made)
}

/// Leaves the IPC namespace for a new, empty one and returns a handle on it.
pub(crate) fn new_ipc() -> Result<OwnedFd, HostError> {
    make("IPC", "ipc", CloneFlags::CLONE_NEWIPC)
}

fn make(name: &str, kind: &str, flag: CloneFlags) -> Result<OwnedFd, HostError> {
    let doing = format!("make a {name} namespace");
    match unshare(flag) {
        Ok(()) => own(kind).map_err(|e| HostError::os(doing, e)),
        // AppArmor lets the user namespace be made and takes its capabilities away: it shows here first.
        Err(error @ (Errno::EPERM | Errno::EACCES)) => Err(HostError::user_namespace(doing, error)),
        Err(error) => Err(HostError::os(doing, error)),
    }
}

/// Moves this thread into a network namespace.
pub(crate) fn enter_network(fd: BorrowedFd<'_>) -> nix::Result<()> {
    setns(fd, CloneFlags::CLONE_NEWNET)
}

/// Moves this process into a mount namespace; its root and working directory become that namespace's root.
pub(crate) fn enter_mounts(fd: BorrowedFd<'_>) -> nix::Result<()> {
    setns(fd, CloneFlags::CLONE_NEWNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_needed_capabilities_are_needed() {
        assert!(has_capabilities("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        assert!(has_capabilities(&format!("CapEff:\t{NEEDED_CAPABILITIES:016x}\n")));
        for missing in [12, 18, 21] {
            let bits = 0x1ff_ffff_ffff_u64 & !(1 << missing);
            assert!(!has_capabilities(&format!("CapEff:\t{bits:016x}\n")), "bit {missing}");
        }
        assert!(!has_capabilities("Name:\tx\n"));
    }
}
