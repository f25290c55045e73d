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

/// Maps every user and every group that this process knows to itself, in the user namespace of a child, as /proc names it.
/// Programs there have their users, files keep their owners, and no right reaches beyond that namespace.
///
/// # Errors
/// Those of reading this process's maps and of writing the child's.
pub(crate) fn map_all(child: u32) -> io::Result<()> {
    for map in ["uid_map", "gid_map"] {
        let known = fs::read_to_string(format!("/proc/self/{map}"))?;
        fs::write(format!("/proc/{child}/{map}"), to_themselves(&known))?;
    }
    Ok(())
}

/// A map in which every id that `known` has inside stands for itself. Its fields: inside, outside, count (user_namespaces(7)).
fn to_themselves(known: &str) -> String {
    let stretches = known.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        Some((fields.next()?, fields.nth(1)?))
    });
    stretches.fold(String::new(), |map, (inside, count)| format!("{map}{inside} {inside} {count}\n"))
}

/// Handles on all namespaces of a host. Whoever holds them keeps the namespaces, but no program and no TAP, alive.
#[derive(Debug)]
pub struct NamespaceFds {
    /// Network.
    pub network: OwnedFd,
    /// Mounts.
    pub mounts: OwnedFd,
    /// The host's name (UTS).
    pub name: OwnedFd,
    /// System V IPC and POSIX message queues.
    pub ipc: OwnedFd,
    /// Processes: what joins it dies with the host.
    pub processes: OwnedFd,
    /// Users: the owner of all the others. A privileged host has none of its own.
    pub users: Option<OwnedFd>,
}

impl NamespaceFds {
    /// The handles in the order in which they travel between processes.
    pub fn as_fds(&self) -> Vec<BorrowedFd<'_>> {
        let all = [&self.network, &self.mounts, &self.name, &self.ipc, &self.processes];
        all.into_iter().map(AsFd::as_fd).chain(self.users.as_ref().map(AsFd::as_fd)).collect()
    }

    /// From handles in the order of [`NamespaceFds::as_fds`].
    ///
    /// # Errors
    /// Not five or six of them.
    pub fn from_fds(mut fds: Vec<OwnedFd>) -> Result<NamespaceFds, HostError> {
        let users = if fds.len() == 6 { fds.pop() } else { None };
        match <[OwnedFd; 5]>::try_from(fds) {
            Ok([network, mounts, name, ipc, processes]) => {
                Ok(NamespaceFds { network, mounts, name, ipc, processes, users })
            }
            Err(_) => Err(HostError::lacking("receive a host's namespaces", "some of them got lost on the way")),
        }
    }

    /// Whether the host's programs have rights in the machine's own user namespace.
    pub(crate) fn are_privileged(&self) -> bool {
        self.users.is_none()
    }

    /// Moves this process into all of them; of the processes' own, only children that it has from now on are members. Its root
    /// and working directory become those of the mount namespace.
    ///
    /// # Errors
    /// Which one could not be entered, to complete "cannot …".
    pub(crate) fn enter(&self) -> Result<(), (&'static str, Errno)> {
        // Users first: the rights over the others come with it.
        if let Some(users) = &self.users {
            enter_users(users.as_fd()).map_err(|e| ("enter the user namespace", e))?;
        }
        enter_network(self.network.as_fd()).map_err(|e| ("enter the network namespace", e))?;
        setns(&self.name, CloneFlags::CLONE_NEWUTS).map_err(|e| ("enter the UTS namespace", e))?;
        setns(&self.ipc, CloneFlags::CLONE_NEWIPC).map_err(|e| ("enter the IPC namespace", e))?;
        bear_children_in(self.processes.as_fd()).map_err(|e| ("enter the PID namespace", e))?;
        enter_mounts(self.mounts.as_fd()).map_err(|e| ("enter the mount namespace", e))
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

/// Moves this process into a user namespace, in which it has all capabilities, and none outside.
pub(crate) fn enter_users(fd: BorrowedFd<'_>) -> nix::Result<()> {
    setns(fd, CloneFlags::CLONE_NEWUSER)
}

/// Lets the children that this process has from now on be members of a PID namespace; it stays in its own.
pub(crate) fn bear_children_in(fd: BorrowedFd<'_>) -> nix::Result<()> {
    setns(fd, CloneFlags::CLONE_NEWPID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_id_stands_for_itself() {
        assert_eq!(to_themselves("         0          0 4294967295\n"), "0 0 4294967295\n");
        assert_eq!(to_themselves("0 65534 1\n"), "0 0 1\n");
        assert_eq!(to_themselves("0 1000 1\n1 100000 65536\n"), "0 0 1\n1 1 65536\n");
    }

    #[test]
    fn handles_travel_in_one_order_and_their_number_is_checked() {
        let open = || own("net").expect("a namespace");
        let of = |count| NamespaceFds::from_fds((0..count).map(|_| open()).collect());
        let five = of(5).expect("five");
        assert!(five.are_privileged());
        assert_eq!(five.as_fds().len(), 5);
        assert_eq!(of(6).expect("six").as_fds().len(), 6);
        for wrong in [0, 3, 4, 7] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

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
