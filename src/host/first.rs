//! A host's process 1. The host's namespaces are made with it, and its programs are members of its PID namespace.
//!
//! It takes in the host's orphans and does nothing else. No signal from within the host ends or stops it, those to everybody
//! (`kill -9 -1`) included, and no program there may look into it. With it the kernel kills what is left in the host, and only
//! that (pid_namespaces(7)).
#![allow(unsafe_code)]

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::error::HostError;
use super::namespace::{self, NamespaceFds, own};
use super::{guard, helper, message, mount, private, spawn};
use crate::addressing::network::HostPlan;

const DOING: &str = "start a host's process 1";
/// Of waitpid(2): any child.
const ANYBODY: Option<Pid> = None;

/// Init's handle on the process from which those of all hosts are forked. It is forked from init before there are hosts, so
/// that each of them has little memory: a fork keeps all that its parent has at that moment, and init knows more with each host.
pub(crate) struct Forker {
    socket: OwnedFd,
}

/// What it is asked for: a host's process 1, which gets the socket beside it.
#[derive(Serialize, Deserialize)]
struct Order {
    name: String,
    privileged: bool,
}

/// Init's handle on a host's process 1. It lives until init ends, or until it is told to go.
///
/// [`AsFd`] gives the descriptor that is readable once it is gone.
pub(crate) struct First {
    socket: OwnedFd,
    told: bool,
}

/// The namespaces that begin with it: all but that of the mounts.
pub(crate) struct Begun {
    pub(crate) network: OwnedFd,
    pub(crate) name: OwnedFd,
    pub(crate) ipc: OwnedFd,
    pub(crate) processes: OwnedFd,
    /// `None` for a privileged host.
    pub(crate) users: Option<OwnedFd>,
}

impl Begun {
    pub(crate) fn with_mounts(self, mounts: OwnedFd) -> NamespaceFds {
        let Begun { network, name, ipc, processes, users } = self;
        NamespaceFds { network, mounts, name, ipc, processes, users }
    }
}

/// The first word of a host's process 1. Its namespaces come beside it.
#[derive(Serialize, Deserialize)]
struct Here {
    /// Its number, as init's /proc names it.
    number: u32,
}

impl Forker {
    /// Forks it. Init has one thread, so it may go on in ordinary code.
    ///
    /// # Errors
    /// No process can be made.
    pub(crate) fn start() -> Result<Forker, HostError> {
        let (ours, theirs) = message::pair().map_err(|e| HostError::os(DOING, e))?;
        // Without a signal at its end: waiting for programs passes over it.
        // SAFETY: init has one thread for life.
        match unsafe { namespace::fork_into(CloneFlags::empty(), None) }.map_err(|e| HostError::os(DOING, e))? {
            None => {
                spawn::close_all_but(&[theirs.as_fd()]);
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fork_all(&theirs)));
                // SAFETY: _exit takes no pointers and does not return.
                unsafe { libc::_exit(0) }
            }
            Some(_) => Ok(Forker { socket: ours }),
        }
    }

    /// Has a host's process 1 forked, and with it most of the host's namespaces made.
    ///
    /// # Errors
    /// Namespaces cannot be made here, or user ids not be mapped.
    pub(crate) fn fork(&self, plan: &HostPlan) -> Result<(First, Begun), HostError> {
        let failed = |error: std::io::Error| HostError::os(DOING, error);
        let (ours, theirs) = message::pair().map_err(failed)?;
        let order = Order { name: plan.name.clone(), privileged: plan.privileged };
        message::send(&self.socket, &order, &[theirs.as_fd()]).map_err(failed)?;
        let answer = message::receive::<Result<(), i32>>(&self.socket).map_err(failed)?;
        match answer {
            Some((Ok(()), _)) => {}
            Some((Err(errno), _)) => {
                return Err(HostError::user_namespace("make a host's namespaces", Errno::from_raw(errno)));
            }
            None => return Err(HostError::lacking(DOING, "the process that forks it has ended")),
        }
        drop(theirs);
        let heard = message::receive::<Result<Here, HostError>>(&ours).map_err(|e| HostError::os(DOING, e))?;
        let (here, fds) = heard.ok_or_else(|| HostError::lacking(DOING, "it ended without a word"))?;
        let Here { number } = here?;
        let mut fds = fds.into_iter();
        let mut next = || fds.next().ok_or_else(|| HostError::os(DOING, Errno::EMFILE));
        let begun = Begun {
            network: next()?,
            name: next()?,
            ipc: next()?,
            processes: next()?,
            users: if plan.privileged { None } else { Some(next()?) },
        };
        if !plan.privileged {
            namespace::map_all(number)
                .map_err(|e| HostError::user_namespace("map the users of the machine into a host", e))?;
        }
        message::send(&ours, &(), &[]).map_err(|e| HostError::os(DOING, e))?;
        Ok((First { socket: ours, told: false }, begun))
    }
}

impl First {
    /// Tells it to go as soon as the host has no orphan left; whether it is there still.
    pub(crate) fn dismiss(&mut self) -> bool {
        if !std::mem::replace(&mut self.told, true) {
            let _ = message::send(&self.socket, &(), &[]);
        }
        !self.has_ended()
    }

    /// Whether it is gone.
    pub(crate) fn has_ended(&self) -> bool {
        message::is_closed(&self.socket)
    }
}

impl AsFd for First {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The life of the process that forks the others.
fn fork_all(socket: &OwnedFd) {
    // Only SIGKILL ends it, which init's end sends.
    let _ = SigSet::all().thread_block();
    while let Ok(Some((order, fds))) = message::receive::<Order>(socket) {
        let mut flags =
            CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
        if !order.privileged {
            flags |= CloneFlags::CLONE_NEWUSER;
        }
        // SAFETY: it is a fork of init, and has one thread too.
        let answer = match unsafe { namespace::fork_into(flags, None) } {
            Ok(None) => live(&fds, &order),
            Ok(Some(_)) => Ok(()),
            Err(errno) => Err(errno as i32),
        };
        drop(fds);
        // Those that have ended: init is told by their sockets.
        while matches!(waitpid(ANYBODY, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive)
        {
        }
        if message::send(socket, &answer, &[]).is_err() {
            return;
        }
    }
}

/// The life of a host's process 1.
fn live(sockets: &[OwnedFd], order: &Order) -> ! {
    spawn::close_all_but(&sockets.iter().map(AsFd::as_fd).collect::<Vec<_>>());
    let Some(socket) = sockets.first() else {
        // SAFETY: _exit takes no pointers and does not return.
        unsafe { libc::_exit(1) }
    };
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if introduce(socket, begin(order)).is_err() {
            return;
        }
        // Until its users are mapped: nobody else may write the maps of a process that is not dumpable.
        if !matches!(message::receive::<()>(socket), Ok(Some(_))) {
            return;
        }
        let _ = nix::sys::prctl::set_dumpable(false);
        // SAFETY: SIG_IGN is no code of ours. The kernel takes in the children of a process that ignores their ends.
        let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) };
        if matches!(message::receive::<()>(socket), Ok(Some(_))) {
            // With SIGCHLD ignored, this waits until no child is left (wait(2)).
            while waitpid(ANYBODY, None) != Err(Errno::ECHILD) {}
        }
    }));
    // SAFETY: _exit takes no pointers and does not return.
    unsafe { libc::_exit(0) }
}

fn introduce(socket: &OwnedFd, begun: Result<(Here, Vec<OwnedFd>), HostError>) -> std::io::Result<()> {
    match begun {
        Ok((here, fds)) => {
            let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            message::send(socket, &Ok::<_, HostError>(here), &fds)
        }
        Err(error) => message::send(socket, &Err::<Here, _>(error), &[]),
    }
}

fn begin(order: &Order) -> Result<(Here, Vec<OwnedFd>), HostError> {
    nix::unistd::sethostname(&order.name).map_err(|e| HostError::user_namespace("set a host's name", e))?;
    let _ = nix::sys::prctl::set_name(c"longwire-host");
    let number = fs::read_link("/proc/self").ok().and_then(|link| link.to_str()?.parse().ok());
    let number = number.ok_or_else(|| HostError::lacking(DOING, "/proc does not show it").cure("mount /proc"))?;
    let kinds = ["net", "uts", "ipc", "pid"].into_iter().chain((!order.privileged).then_some("user"));
    let fds: std::io::Result<Vec<OwnedFd>> = kinds.map(own).collect();
    let fds = fds.map_err(|e| HostError::os("open a host's namespaces", e))?;
    Ok((Here { number }, fds))
}

/// Makes a host's mount namespace, in a child that shows the host's own processes in /proc: it must be a member of the host's
/// PID namespace, which children of this process are by now.
pub(crate) fn furnish(plan: &HostPlan, begun: &Begun, guarded: bool) -> Result<OwnedFd, HostError> {
    let doing = "make a host's mount namespace";
    let failed = |e: Errno| HostError::user_namespace(doing, e);
    let ((), fds) = helper::in_child(doing, || {
        let prepared = namespace::new_mounts()?;
        mount::fresh_proc();
        namespace::enter_network(begun.network.as_fd()).map_err(failed)?;
        mount::fresh_sys();
        private::make(plan)?;
        let Some(users) = &begun.users else { return Ok(((), vec![prepared])) };
        if guarded {
            guard::set_up()?;
        }
        // In a copy that belongs to the host, what stands here cannot be taken away (mount_namespaces(7)).
        namespace::enter_users(users.as_fd()).map_err(failed)?;
        Ok(((), vec![namespace::new_mounts()?]))
    })?;
    fds.into_iter().next().ok_or_else(|| HostError::os(doing, Errno::EMFILE))
}
