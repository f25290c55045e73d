//! Programs that this process has forked: their numbers, their process groups, how they ended.

use std::collections::BTreeMap;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::error::HostError;
use super::protocol::{Event, ExitStatus, ProgramId};

/// All of them.
pub(super) struct Programs {
    running: BTreeMap<Pid, ProgramId>,
    /// The process group of each program ever started; `None` once its number has been given out again.
    groups: BTreeMap<ProgramId, Option<Pid>>,
    /// /proc shows the processes of this namespace.
    proc: bool,
}

/// A child that has ended.
pub(super) enum Dead {
    /// This one: how, and how long its main thread was ready and waited for a processor, in ns.
    One(Pid, ExitStatus, Option<u64>),
    /// None of them.
    NoneYet,
    /// There are none.
    NobodyLeft,
}

impl Programs {
    pub(super) fn new(proc: bool) -> Programs {
        Programs { running: BTreeMap::new(), groups: BTreeMap::new(), proc }
    }

    /// One runs, as the leader of a process group.
    pub(super) fn started(&mut self, id: ProgramId, pid: Pid) {
        self.running.insert(pid, id);
        // A number that comes again belongs to nobody else any more.
        self.groups.values_mut().filter(|group| **group == Some(pid)).for_each(|group| *group = None);
        self.groups.insert(id, Some(pid));
    }

    /// Whether none runs.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Sends a signal to a program's process group; whether there was anybody to hear it.
    ///
    /// # Errors
    /// It was never started, or there is no such signal.
    pub(super) fn signal(&self, id: ProgramId, signal: i32) -> Result<bool, HostError> {
        let doing = || format!("send signal {signal}");
        let group =
            self.groups.get(&id).ok_or_else(|| HostError::lacking(doing(), format!("no program {id} was started")))?;
        let signal = Signal::try_from(signal).map_err(|e| HostError::os(doing(), e))?;
        let Some(group) = *group else { return Ok(false) };
        // The number of a group is not given out again while one of its processes lives.
        match killpg(group, signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(HostError::os(doing(), error)),
        }
    }

    /// Sends a signal to the process groups of all that run.
    pub(super) fn signal_all(&self, signal: Signal) {
        for pid in self.running.keys() {
            let _ = killpg(*pid, signal);
        }
    }

    /// Takes in the dead and tells of programs among them; whether any child is left.
    pub(super) fn reap<E>(&mut self, mut tell: impl FnMut(Event) -> Result<(), E>) -> Result<bool, E> {
        loop {
            match next_dead(self.proc) {
                // The others are orphans that some program left behind.
                Dead::One(pid, status, waited_ns) => {
                    if let Some(id) = self.running.remove(&pid) {
                        tell(Event::Exited { id, status, waited_ns })?;
                    }
                }
                Dead::NoneYet => return Ok(true),
                Dead::NobodyLeft => return Ok(false),
            }
        }
    }
}

/// Takes in a child of this process that has ended. `proc`: /proc shows the processes of this namespace.
pub(super) fn next_dead(proc: bool) -> Dead {
    loop {
        // looked at before it is gone
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        let dead = waitid(Id::All, flags).ok().and_then(|status| status.pid());
        let waited_ns = dead.filter(|_| proc).and_then(waited);
        return match waitpid(dead, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => Dead::One(pid, ExitStatus::Code(code), waited_ns),
            Ok(WaitStatus::Signaled(pid, signal, _)) => Dead::One(pid, ExitStatus::Signal(signal as i32), waited_ns),
            Err(Errno::ECHILD) => Dead::NobodyLeft,
            Err(Errno::EINTR) => continue,
            _ => Dead::NoneYet,
        };
    }
}

/// The children of a process, by its number; none where the kernel does not tell (CONFIG_PROC_CHILDREN).
pub(super) fn children(pid: Pid) -> Vec<Pid> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok().map(Pid::from_raw)).collect()
}

/// How long a process's main thread has been ready and waited for a processor, in ns: the second number of schedstat
/// (Documentation/scheduler/sched-stats.rst).
fn waited(pid: Pid) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}
