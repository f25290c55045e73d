//! Whether a network namespace that longwire did not make is still there, and still the same; also the socket of a virtual machine.
//!
//! A descriptor keeps a namespace alive, and so a machine that has ended would go on to answer from the kernel. So its
//! process is watched where a process names it (pidfd_open(2)), and its path where a path does: it vanishes, or leads to
//! another namespace.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::statfs::{FsType, statfs};

use crate::addressing::network::netns_path;

/// What namespaces are files of (linux/magic.h).
const NSFS_MAGIC: FsType = FsType(0x6e73_6673);

/// Watches one namespace.
#[derive(Debug)]
pub struct Presence {
    path: PathBuf,
    /// The process that names it; `None` where a path does, and where the kernel has no pidfd_open (before Linux 5.3).
    process: Option<OwnedFd>,
    /// The namespace that was there; `None` while there is none.
    seen: Option<Seen>,
    /// It was a process, which does not come back: its number may be given to a stranger.
    ended: bool,
    kind: Kind,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Namespace,
    /// Its engine is asked for its next process.
    Container,
    /// The socket of a virtual machine.
    Socket,
}

/// What tells what is at a path from what comes after it: of a namespace, device and inode.
pub type Seen = (u64, u64);

/// What has become of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It is as it was when it was last looked at: there, or not.
    Unchanged,
    /// It is gone.
    Gone,
    /// Another one is in its place.
    Another,
    /// It is there, after it was not.
    Back,
}

impl Presence {
    /// Begins to watch the namespace that `netns` names, in the words of [`crate::addressing::network::Place::ExternalNetns`].
    pub fn of(netns: &str) -> Presence {
        let path = PathBuf::from(netns_path(netns));
        let process = process_of(&path).and_then(|pid| open_process(pid).ok());
        let seen = namespace_at(&path);
        Presence { path, process, seen, ended: false, kind: Kind::Namespace }
    }

    /// Begins to watch a container, by its first process.
    pub fn of_container(process: OwnedFd) -> Presence {
        Presence { path: PathBuf::new(), process: Some(process), seen: None, ended: false, kind: Kind::Container }
    }

    /// Begins to watch for a virtual machine that has a socket at this path.
    pub fn of_socket(path: PathBuf) -> Presence {
        Presence { path, process: None, seen: None, ended: false, kind: Kind::Socket }
    }

    /// Becomes readable when the process has ended, where there is one.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.process.as_ref().filter(|_| !self.ended).map(AsFd::as_fd)
    }

    /// Whether it may be there: the namespace was when it was last looked at, or only its engine can tell.
    pub fn may_be_there(&self) -> bool {
        self.kind == Kind::Container || !self.ended && (self.process.is_some() || self.seen.is_some())
    }

    /// Whether the namespace can come back: a process that has ended cannot, unless it was a container's.
    pub fn can_return(&self) -> bool {
        self.kind == Kind::Container || !self.ended
    }

    /// Why a port that leads there is down, in words.
    pub fn words(&self) -> String {
        match (self.kind, &self.process) {
            (Kind::Container, _) => "the container has ended".into(),
            (Kind::Socket, _) => "the virtual machine has closed its socket".into(),
            (Kind::Namespace, Some(_)) => "its process has ended".into(),
            (Kind::Namespace, None) => format!("its network namespace {} is gone", self.path.display()),
        }
    }

    /// Whether something has changed since the last call. `see` looks which namespace is at the path, where that has to be looked at;
    /// `None` where it cannot.
    pub fn look(&mut self, see: impl FnOnce() -> Option<Option<Seen>>) -> Sight {
        if let Some(process) = &self.process {
            if !self.ended && has_ended(process) {
                self.ended = true;
                return Sight::Gone;
            }
            return Sight::Unchanged;
        }
        let Some(now) = see().filter(|now| *now != self.seen) else { return Sight::Unchanged };
        let before = std::mem::replace(&mut self.seen, now);
        match (before, now) {
            (_, None) => Sight::Gone,
            (Some(_), Some(_)) => Sight::Another,
            (None, Some(_)) => Sight::Back,
        }
    }
}

/// The process that a path is about: `/proc/PID/ns/net`.
fn process_of(path: &Path) -> Option<i32> {
    path.to_str()?.strip_prefix("/proc/")?.strip_suffix("/ns/net")?.parse().ok()
}

/// A descriptor that is readable once a process has ended, whether or not anybody has asked for its status: pidfd_open(2).
pub(crate) fn open_process(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain integer arguments.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just made this descriptor for this process, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether a process has ended, by such a descriptor.
pub(crate) fn has_ended(process: &OwnedFd) -> bool {
    matches!(poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO), Ok(1..))
}

/// The namespace at a path. A file of `ip netns` that no namespace is mounted on yet is none.
pub(crate) fn namespace_at(path: &Path) -> Option<Seen> {
    let is_namespace = statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC);
    let found = std::fs::metadata(path).ok().filter(|_| is_namespace)?;
    Some((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn look(presence: &mut Presence) -> Sight {
        let path = presence.path.clone();
        presence.look(|| Some(namespace_at(&path)))
    }

    #[test]
    fn a_process_that_ended_is_gone_once_and_for_all() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let mut presence = Presence::of(&child.id().to_string());
        assert_eq!((look(&mut presence), presence.can_return()), (Sight::Unchanged, true));
        child.kill().unwrap();
        // not waited for yet: a zombie has ended
        let mut polled = [PollFd::new(presence.fd().unwrap(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut polled, PollTimeout::from(10_000_u16)), Ok(1));
        assert_eq!(look(&mut presence), Sight::Gone);
        assert_eq!((look(&mut presence), presence.can_return()), (Sight::Unchanged, false));
        assert!(presence.fd().is_none());
        child.wait().unwrap();
    }

    #[test]
    fn a_path_is_watched_for_the_namespace_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("box");
        let lead_to = |target: &str| {
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(target, &link).unwrap();
        };
        lead_to("/proc/self/ns/net");
        let mut presence = Presence::of(link.to_str().unwrap());
        assert_eq!(look(&mut presence), Sight::Unchanged);
        lead_to("/proc/self/ns/uts");
        assert_eq!(look(&mut presence), Sight::Another);
        std::fs::remove_file(&link).unwrap();
        assert_eq!(look(&mut presence), Sight::Gone);
        // what `ip netns add` makes first: a file that nothing is mounted on
        std::fs::write(&link, "").unwrap();
        assert_eq!(look(&mut presence), Sight::Unchanged);
        lead_to("/proc/self/ns/net");
        assert_eq!(look(&mut presence), Sight::Back);
        assert!(presence.can_return() && presence.fd().is_none());
    }
}
