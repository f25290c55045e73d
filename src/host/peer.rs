//! Whom to believe: the user at the other end of a socket, and the user who owns a namespace.
//!
//! Sources: unix(7) for `SO_PEERCRED`, user_namespaces(7), ioctl_ns(2).
#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;

/// Who is at the other end of a Unix socket, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Effective user id, as this process's user namespace counts: of a listener at listen(2), of a client at connect(2).
    pub uid: u32,
    /// Process id in this process's PID namespace; 0 for a process outside it.
    pub pid: u32,
}

impl Credentials {
    /// Those of the other end.
    ///
    /// # Errors
    /// Not a connected Unix socket.
    pub fn of(socket: &impl AsFd) -> io::Result<Credentials> {
        let peer = getsockopt(socket, PeerCredentials)?;
        Ok(Credentials { uid: peer.uid(), pid: u32::try_from(peer.pid()).unwrap_or(0) })
    }

    /// Whether it is this process's own effective user, or root.
    pub fn are_trusted(self) -> bool {
        trusts(self.uid, geteuid().as_raw(), sees_all_users)
    }
}

/// In a user namespace that does not map all users, the others all show as the overflow user: then it is nobody in
/// particular, even where this process is that user.
fn trusts(peer: u32, own: u32, sees_all_users: impl Fn() -> bool) -> bool {
    let is_somebody = || peer != overflow_user() || sees_all_users();
    (peer == 0 || peer == own) && is_somebody()
}

/// Read once: a run that has given up its rights cannot.
fn overflow_user() -> u32 {
    static USER: OnceLock<u32> = OnceLock::new();
    *USER.get_or_init(|| {
        let text = fs::read_to_string("/proc/sys/kernel/overflowuid");
        text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(65_534)
    })
}

/// Reads what is needed to know users later, when no files can be opened any more.
pub(crate) fn learn() {
    overflow_user();
}

fn sees_all_users() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_all(&map))
}

/// Whether a uid_map maps every user id: all 32-bit numbers but the last, which is no user.
fn maps_all(map: &str) -> bool {
    let lengths = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    lengths.sum::<u64>() >= u64::from(u32::MAX)
}

/// The user who made a user namespace, as this process's user namespace counts.
pub(crate) fn owner_of_users(users: BorrowedFd<'_>) -> nix::Result<u32> {
    let mut uid: libc::uid_t = 0;
    // SAFETY: NS_GET_OWNER_UID writes one uid_t, which lives until the call returns.
    Errno::result(unsafe { libc::ioctl(users.as_raw_fd(), libc::NS_GET_OWNER_UID, &raw mut uid) })?;
    Ok(uid)
}

/// The user namespace that a namespace belongs to. `EPERM` where it is outside this process's own.
pub(crate) fn users_of(namespace: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    // SAFETY: NS_GET_USERNS takes no argument; the result is a new descriptor or -1.
    let users = Errno::result(unsafe { libc::ioctl(namespace.as_raw_fd(), libc::NS_GET_USERNS) })?;
    // SAFETY: the kernel has just made the descriptor for this process.
    Ok(unsafe { OwnedFd::from_raw_fd(users) })
}

/// Whether two handles are on one namespace (namespaces(7): device and inode say which).
pub(crate) fn is_same(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> nix::Result<bool> {
    let (a, b) = (nix::sys::stat::fstat(a)?, nix::sys::stat::fstat(b)?);
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{message, namespace};

    #[test]
    fn oneself_and_root_are_trusted_and_nobody_else() {
        assert!(trusts(0, 1000, || true) && trusts(1000, 1000, || true) && trusts(0, 0, || true));
        assert!(!trusts(1001, 1000, || true) && !trusts(1000, 0, || true));
        // whom the overflow user stands for
        let overflow = overflow_user();
        assert!(trusts(overflow, overflow, || true) && !trusts(overflow, overflow, || false));
    }

    #[test]
    fn a_map_of_all_users_is_told_from_others() {
        assert!(maps_all("         0          0 4294967295\n"));
        assert!(maps_all("0 1000 1\n1 100000 4294967294\n"));
        assert!(!maps_all("0 1000 1\n") && !maps_all("0 100000 65536\n") && !maps_all(""));
    }

    #[test]
    fn the_other_end_of_a_pair_is_this_process() {
        let (a, _b) = message::pair().expect("a socket pair");
        let peer = Credentials::of(&a).expect("connected");
        assert_eq!(peer, Credentials { uid: geteuid().as_raw(), pid: std::process::id() });
        assert!(peer.are_trusted());
        assert!(Credentials::of(&std::fs::File::open("/dev/null").expect("there")).is_err());
    }

    #[test]
    fn own_namespaces_belong_to_the_own_user_namespace() {
        let own = |kind| namespace::own(kind).expect("a namespace");
        let users = users_of(own("mnt").as_fd()).expect("of this process's own user namespace");
        assert_eq!(is_same(users.as_fd(), users.as_fd()), Ok(true));
        assert_eq!(is_same(users.as_fd(), own("mnt").as_fd()), Ok(false));
        assert!(owner_of_users(own("mnt").as_fd()).is_err(), "not a user namespace");
    }
}
