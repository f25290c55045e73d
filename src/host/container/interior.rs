//! A container as another process enters it: its namespaces and control groups, and what its programs may be and do.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use caps::Capability;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use serde::{Deserialize, Serialize};

use super::super::error::HostError;
use super::super::identity::Identity;
use super::super::namespace::{NamespaceFds, own};
use super::super::open::{Descriptors, Expected, open};
use super::super::spawn::Program;
use super::super::{capabilities, confine, groups, identity, namespace, peer};
use super::{Config, Container, doing, user};

/// What a process that measures in a container's network may do there: send echo requests, and listen on any port.
pub(crate) const MEASURES: [Capability; 2] = [Capability::CAP_NET_RAW, Capability::CAP_NET_BIND_SERVICE];

/// What programs in a container are held to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Who they are: `user`, `user:group`, by name or number, in the container's own files; empty for root.
    pub user: String,
    /// Their environment.
    pub env: Vec<(String, String)>,
    /// Their working directory.
    pub cwd: String,
    /// The capabilities that they can have: a bit each.
    pub bounding: u64,
    /// Whether they gain nothing by what they execute.
    pub no_new_privs: bool,
    /// Whether it has a user namespace of its own.
    pub own_users: bool,
}

impl Facts {
    /// A program with what the container gives to it: the environment beneath its own, and the directory that its own begins at.
    #[must_use]
    pub fn complete(&self, program: &Program) -> Program {
        let given = self.env.iter().filter(|(name, _)| program.env.iter().all(|(own, _)| own != name));
        let cwd = Path::new(&self.cwd);
        let cwd = program.cwd.as_ref().map_or_else(|| cwd.to_owned(), |own| cwd.join(own));
        Program {
            env: given.chain(&program.env).cloned().collect(),
            cwd: Some(cwd.display().to_string()),
            ..program.clone()
        }
    }
}

/// A running container, for a process that enters it.
#[derive(Debug)]
pub struct Interior {
    /// What programs there are held to.
    pub facts: Facts,
    /// Its namespaces, those that it shares with the machine included.
    pub namespaces: NamespaceFds,
    /// Its view of control groups.
    groups: OwnedFd,
    /// Files through which a process joins its control groups.
    doors: Vec<OwnedFd>,
}

impl Interior {
    /// Of a running container.
    ///
    /// # Errors
    /// It has ended, or may not be looked into.
    pub(crate) fn of(name: &str, container: &Container) -> Result<Interior, HostError> {
        let pid = container.pid;
        let failed = |error| HostError::os(doing(name), error).cure("it belongs to somebody else: run with sudo");
        let namespace = |kind: &str| -> Result<OwnedFd, HostError> {
            let path = format!("/proc/{pid}/ns/{kind}");
            open(path.as_ref(), Expected::Namespace).map(Into::into).map_err(failed)
        };
        let users = namespace("user")?;
        let machine = own("user").map_err(failed)?;
        let own_users = !peer::is_same(users.as_fd(), machine.as_fd()).map_err(|e| failed(e.into()))?;
        let namespaces = NamespaceFds {
            network: namespace("net")?,
            mounts: namespace("mnt")?,
            name: namespace("uts")?,
            ipc: namespace("ipc")?,
            processes: namespace("pid")?,
            users: own_users.then_some(users),
        };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(failed)?;
        let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let bounding = field("CapBnd:").and_then(|bits| u64::from_str_radix(bits, 16).ok());
        let Config { user, env, working_dir } = &container.config;
        let pairs = env.iter().flatten().filter_map(|pair| pair.split_once('='));
        let facts = Facts {
            user: user.clone(),
            env: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            cwd: if working_dir.is_empty() { "/".into() } else { working_dir.clone() },
            bounding: bounding
                .ok_or_else(|| HostError::lacking(doing(name), "/proc does not tell its capabilities"))?,
            no_new_privs: field("NoNewPrivs:") == Some("1"),
            own_users,
        };
        let doors = groups::doors_of(pid).map_err(failed)?;
        // Held since before all of this was opened, and it lives: so it was not a stranger's.
        if super::has_ended(&container.process) {
            return Err(super::not_running(name, "it ended at that moment"));
        }
        Ok(Interior { facts, namespaces, groups: namespace("cgroup")?, doors })
    }

    /// The descriptors in the order in which they travel between processes.
    pub fn as_fds(&self) -> Vec<BorrowedFd<'_>> {
        let mut all = self.namespaces.as_fds();
        all.push(self.groups.as_fd());
        all.extend(self.doors.iter().map(AsFd::as_fd));
        all
    }

    /// From what another process sent.
    ///
    /// # Errors
    /// Descriptors are missing.
    pub fn from_fds(facts: Facts, mut fds: Vec<OwnedFd>) -> Result<Interior, HostError> {
        let count = if facts.own_users { 6 } else { 5 };
        let rest = if fds.len() > count { fds.split_off(count) } else { Vec::new() };
        let namespaces = NamespaceFds::from_fds(fds)?;
        let mut rest = rest.into_iter();
        let groups = rest.next().ok_or_else(|| HostError::lacking("enter a container", "its handles got lost"))?;
        Ok(Interior { facts, namespaces, groups, doors: rest.collect() })
    }

    /// Checks that who enters does not trust somebody else by it: in a user namespace of its own a program has no rights
    /// beyond; without one, only root's run and this user's own say what is run as whom.
    ///
    /// # Errors
    /// It is somebody else's.
    pub(crate) fn check_owner(&self, uid: u32) -> Result<(), HostError> {
        const DOING: &str = "enter the container";
        // No container has the machine's files: what is handed over with these is none, whatever else it says.
        let users = self.namespaces.users.as_ref().map(|users| ("user", users));
        for (kind, fd) in users.into_iter().chain([("mnt", &self.namespaces.mounts)]) {
            if !own(kind).is_ok_and(|own| peer::is_same(own.as_fd(), fd.as_fd()) == Ok(false)) {
                return Err(HostError::lacking(DOING, format!("its {kind} namespace is this machine's own")));
            }
        }
        if self.facts.own_users {
            return Ok(());
        }
        if uid != 0 && uid != identity::effective().0 {
            return Err(HostError::lacking(
                DOING,
                format!("the run belongs to user {uid}, who may not say what others run"),
            ));
        }
        self.namespaces.check_owner(uid)
    }

    /// Makes this process one of the container's user, or its root, with no right but what programs there can have. It is in all of
    /// the container but the PID namespace, of which only children that it has from now on are members: so nobody in there ever sees
    /// a process that has more rights.
    ///
    /// # Errors
    /// What could not be done, to complete "cannot …".
    pub(crate) fn become_one(&self, root: bool) -> Result<(), (&'static str, Errno)> {
        // Neither its memory nor its file is anybody's in there (ptrace(2)).
        let hide = || prctl::set_dumpable(false).map_err(|e| ("hide a process from the container", e));
        hide()?;
        let descriptors = Descriptors::open().map_err(|e| ("open its own descriptors", errno_of(&e)))?;
        self.enter()?;
        self.join_groups()?;
        self.assume(root, &descriptors)?;
        leave_keyring()?;
        // the change of user may have undone it (proc_sys_fs(5), suid_dumpable)
        hide()
    }

    /// Moves this process into its network namespace alone, as somebody who may send and listen there and nothing else: the caller, or
    /// root of the container's own user namespace.
    ///
    /// # Errors
    /// What could not be done, to complete "cannot …".
    pub(crate) fn measure(&self, caller: &Identity) -> Result<(), (&'static str, Errno)> {
        if let Some(users) = &self.namespaces.users {
            namespace::enter_users(users.as_fd()).map_err(|e| ("enter the user namespace of the container", e))?;
        }
        namespace::enter_network(self.namespaces.network.as_fd())
            .map_err(|e| ("enter the network namespace of the container", e))?;
        prctl::set_keepcaps(true).map_err(|e| ("keep capabilities", e))?;
        if self.facts.own_users {
            identity::become_user(0, 0, Some(&[]))?;
        } else {
            caller.become_caller()?;
        }
        confine::keep_only(&MEASURES).map_err(|e| ("drop capabilities", errno_of(&e)))
    }

    /// Moves this process into its namespaces; of the processes' own, children are members.
    fn enter(&self) -> Result<(), (&'static str, Errno)> {
        let NamespaceFds { network, mounts, name, ipc, processes, users } = &self.namespaces;
        let all = [
            (users.as_ref(), "user", CloneFlags::CLONE_NEWUSER),
            (Some(network), "net", CloneFlags::CLONE_NEWNET),
            (Some(name), "uts", CloneFlags::CLONE_NEWUTS),
            (Some(ipc), "ipc", CloneFlags::CLONE_NEWIPC),
            (Some(processes), "pid", CloneFlags::CLONE_NEWPID),
            // last, since /proc is another one then
            (Some(mounts), "mnt", CloneFlags::CLONE_NEWNS),
        ];
        for (fd, kind, flag) in all.into_iter().filter_map(|(fd, kind, flag)| Some((fd?, kind, flag))) {
            // one that it shares with the machine may belong to a user namespace in which this process has no rights any more
            let shared = own(kind).is_ok_and(|own| peer::is_same(own.as_fd(), fd.as_fd()) == Ok(true));
            if !shared {
                setns(fd, flag).map_err(|errno| ("enter a namespace of the container", errno))?;
            }
        }
        Ok(())
    }

    /// What its engine adds to an environment in which `HOME` is not: where its user, or its root, is at home. This process must be in
    /// the container.
    pub(crate) fn home(&self, root: bool) -> Option<CString> {
        let home = user::home(if root { "" } else { &self.facts.user });
        CString::new(format!("HOME={home}")).ok()
    }

    /// Joins the control groups.
    fn join_groups(&self) -> Result<(), (&'static str, Errno)> {
        let join = |door: &OwnedFd| match nix::unistd::write(door, b"0") {
            // a normal user may not move processes between all groups
            Err(Errno::EACCES | Errno::EPERM) if self.facts.own_users => Ok(()),
            other => other.map(drop),
        };
        self.doors.iter().try_for_each(join).map_err(|e| ("join a control group of the container", e))?;
        match setns(&self.groups, CloneFlags::CLONE_NEWCGROUP) {
            // the machine's own, seen from a user namespace
            Err(Errno::EPERM) if self.facts.own_users => Ok(()),
            other => other.map_err(|e| ("enter the cgroup namespace of the container", e)),
        }
    }

    /// Turns this process into the container's user, or its root, with the capabilities that it can have there. It must be in the
    /// container.
    fn assume(&self, root: bool, descriptors: &Descriptors) -> Result<(), (&'static str, Errno)> {
        let (uid, gid, groups) = match root {
            true => (0, 0, Vec::new()),
            false => {
                let found = user::find(&self.facts.user, descriptors);
                found.map_err(|errno| ("find the container's user in its /etc/passwd", errno))?
            }
        };
        capabilities::keep_within(self.facts.bounding)?;
        identity::become_user(uid, gid, Some(&groups))?;
        // root's own go with that too, and not only those of what it executes
        capabilities::hold_within(self.facts.bounding)?;
        if self.facts.no_new_privs {
            prctl::set_no_new_privs().map_err(|e| ("give up new privileges", e))?;
        }
        Ok(())
    }
}

/// Leaves the session keyring of whoever runs longwire: its keys would be the program's too (session-keyring(7)).
fn leave_keyring() -> Result<(), (&'static str, Errno)> {
    // SAFETY: without a name the call takes no memory; it makes a keyring of no name.
    let left = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_JOIN_SESSION_KEYRING as libc::c_ulong,
            std::ptr::null::<libc::c_char>(),
        )
    };
    match Errno::result(left) {
        // A kernel without keys, or a filter of system calls that keeps them from programs as well.
        Ok(_) | Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        Err(errno) => Err(("leave the session keyring", errno)),
    }
}

fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EPERM, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_brings_goes_before_what_its_container_gives() {
        let pairs = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let facts = Facts {
            user: String::new(),
            env: pairs(&[("PATH", "/bin"), ("FLAVOUR", "vanilla")]),
            cwd: "/srv".into(),
            bounding: 0,
            no_new_privs: true,
            own_users: false,
        };
        let of = |env: &[(&str, &str)], cwd: Option<&str>| {
            let program = Program { argv: vec!["x".into()], env: pairs(env), cwd: cwd.map(Into::into), root: false };
            facts.complete(&program)
        };
        let given = of(&[("FLAVOUR", "mint"), ("OWN", "1")], None);
        assert_eq!(given.env, pairs(&[("PATH", "/bin"), ("FLAVOUR", "mint"), ("OWN", "1")]));
        let directories = [None, Some("a/b"), Some("/tmp")].map(|cwd| of(&[], cwd).cwd.unwrap());
        assert_eq!(directories, ["/srv", "/srv/a/b", "/tmp"]);
    }
}
