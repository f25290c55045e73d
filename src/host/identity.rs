//! Who the programs run as: the person who started longwire, not root.
//!
//! Sources: credentials(7), user_namespaces(7), sudo(8) for `SUDO_UID` and `SUDO_GID`.
#![allow(unsafe_code)]

use std::io;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, User, getegid, geteuid, getgid, getgrouplist, getgroups, getuid};
use serde::{Deserialize, Serialize};

use super::error::HostError;
use super::{capabilities, namespace};

/// Who programs run as, and how that is reached from the run's own root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// User id, as the machine counts.
    pub uid: u32,
    /// Group id, as the machine counts.
    pub gid: u32,
    /// Supplementary groups. A normal user's run cannot change them, and keeps those it has.
    pub groups: Vec<u32>,
    /// Whether the run lives in a user namespace of its own, in which this user is root.
    pub nested: bool,
}

impl Identity {
    /// The person behind this process: through sudo the one who called it, otherwise the real user.
    ///
    /// # Errors
    /// `SUDO_UID` or `SUDO_GID` is no id: nobody can tell who called sudo, and programs must not run as root instead.
    pub fn caller(nested: bool) -> Result<Identity, HostError> {
        let through_sudo = match getuid().is_root() && !nested {
            true => id("SUDO_UID")?.zip(id("SUDO_GID")?),
            false => None,
        };
        Ok(match through_sudo {
            Some((uid, gid)) => Identity { uid, gid, groups: groups_of(uid, gid), nested },
            None => {
                let groups = getgroups().unwrap_or_default().into_iter().map(Gid::as_raw).collect();
                Identity { uid: getuid().as_raw(), gid: getgid().as_raw(), groups, nested }
            }
        })
    }

    /// Turns this process, which is the run's root, into the caller, or leaves it the run's root; either way without the
    /// capabilities that no host needs, unless it is privileged.
    ///
    /// Must be called after joining the run's other namespaces: the caller may not.
    ///
    /// # Errors
    /// What could not be done, to complete "cannot …", with the system's error.
    pub(crate) fn assume(&self, root: bool, privileged: bool) -> Result<(), (&'static str, Errno)> {
        if !privileged {
            capabilities::drop_denied()?;
        }
        match (self.nested, root) {
            (_, true) => become_user(0, 0, None),
            // Root without the rights of root (in a container) is the run's root anyway.
            (true, false) if self.uid == 0 => become_user(0, 0, None),
            (true, false) => {
                // Somebody who joined from outside (the machine's root, say) is nobody here until now.
                become_user(0, 0, None)?;
                unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| ("make a program's user namespace", e))?;
                // The maps are files that only a dumpable process owns; changing ids has cleared that.
                nix::sys::prctl::set_dumpable(true).map_err(|e| ("write a program's user map", e))?;
                namespace::map_identity((self.uid, self.gid), (0, 0)).map_err(|e| {
                    ("write a program's user map", e.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw))
                })?;
                // A new user namespace begins with all of them.
                capabilities::drop_denied()
            }
            (false, false) => become_user(self.uid, self.gid, Some(&self.groups)),
        }
    }
}

impl Identity {
    /// Turns this process, which is root, into the caller for good: the real root stays root.
    ///
    /// # Errors
    /// What could not be done, to complete "cannot …", with the system's error.
    pub fn become_caller(&self) -> Result<(), (&'static str, Errno)> {
        become_user(self.uid, self.gid, Some(&self.groups))
    }
}

/// The id in a variable that sudo sets; `None` where it is not set.
fn id(variable: &str) -> Result<Option<u32>, HostError> {
    let Some(value) = std::env::var_os(variable) else { return Ok(None) };
    parse_id(&value.to_string_lossy()).map(Some).ok_or_else(|| {
        let found = format!("expected an id from 0 to {MOST_ID} in {variable}, found `{}`", value.to_string_lossy());
        HostError::input("tell who called sudo", found)
            .cure("take SUDO_UID and SUDO_GID out of the environment to run programs as root")
    })
}

/// The greatest id: 2³² − 1 stands for "unchanged" (setresuid(2)).
const MOST_ID: u32 = u32::MAX - 1;

fn parse_id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id <= MOST_ID)
}

/// The groups that a login would give the user; only the main one for a user without an account.
fn groups_of(uid: u32, gid: u32) -> Vec<u32> {
    let name =
        User::from_uid(Uid::from_raw(uid)).ok().flatten().and_then(|user| std::ffi::CString::new(user.name).ok());
    let groups = name.and_then(|name| getgrouplist(&name, Gid::from_raw(gid)).ok());
    groups.map_or_else(|| vec![gid], |groups| groups.into_iter().map(Gid::as_raw).collect())
}

pub(crate) fn become_user(uid: u32, gid: u32, groups: Option<&[u32]>) -> Result<(), (&'static str, Errno)> {
    if uid != 0 {
        // Ambient capabilities would survive the change of user (capabilities(7)).
        // SAFETY: prctl with plain integer arguments.
        let cleared = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
        Errno::result(cleared).map_err(|e| ("drop capabilities", e))?;
    }
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    if let Some(groups) = groups.filter(|_| geteuid() != user || uid != 0) {
        let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
        nix::unistd::setgroups(&groups).map_err(|e| ("set the groups", e))?;
    }
    if getegid() != group || getgid() != group {
        nix::unistd::setresgid(group, group, group).map_err(|e| ("change the group", e))?;
    }
    if geteuid() != user || getuid() != user {
        nix::unistd::setresuid(user, user, user).map_err(|e| ("change the user", e))?;
    }
    Ok(())
}

/// The name of a user, or the number of one without an account.
pub fn user_name(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

/// This process's effective user and group.
pub(crate) fn effective() -> (u32, u32) {
    (geteuid().as_raw(), getegid().as_raw())
}

/// Maps this process's user and group, as they were outside, to root of the user namespace that it has just entered.
pub(crate) fn map_to_root(outside: (u32, u32)) -> io::Result<()> {
    namespace::map_identity((0, 0), outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_none_can_have_is_none() {
        assert_eq!([parse_id("0"), parse_id("1000"), parse_id("4294967294")], [Some(0), Some(1000), Some(MOST_ID)]);
        for text in ["4294967295", "99999999999", "-1", "abc", "", " 1"] {
            assert_eq!(parse_id(text), None, "{text}");
        }
    }

    #[test]
    fn a_user_without_an_account_has_one_group() {
        assert_eq!(groups_of(4_000_000_000, 77), [77]);
        assert!(groups_of(0, 0).contains(&0));
    }

    #[test]
    fn the_caller_of_a_nested_run_is_the_real_user() {
        let identity = Identity::caller(true).expect("the real user");
        assert_eq!((identity.uid, identity.gid), (getuid().as_raw(), getgid().as_raw()));
        assert!(identity.nested);
    }
}
