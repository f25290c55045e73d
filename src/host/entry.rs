//! How a program gets into a container: by an intermediate process that enters it, becomes the container's user with no right but what
//! programs there can have, forks the program as a child of whoever wants it started, and ends.
//!
//! The intermediate process is never a member of the container's PID namespace, and what it forks begins with the rights of a program there. So
//! nobody in a container sees a process with more rights than it may have itself, whose memory, descriptors or program file it could
//! reach for. (runc has had holes of that kind: CVE-2016-9962, CVE-2019-5736.)
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, dup2_stderr, fork, pipe2};

use super::container::Interior;
use super::error::SpawnError;
use super::spawn::{self, Beginning, Begun, Failure, Launch};
use super::{namespace, reaper};

/// Starts a program in a container, as a child of this process; its number. With `reaper` the child is a [`reaper`] at this end of a
/// socket, and the program a child of that. `end`: until when the program must have been executed; without it that may take any time,
/// since a container that is paused stops whoever enters it.
///
/// # Errors
/// What kept it from being executed. Then no child is left, unless it was for the time: those end as soon as they go on.
pub(super) fn launch(
    interior: &Interior,
    root: bool,
    launch: &Launch<'_>,
    reaper: Option<OwnedFd>,
    end: Option<Instant>,
) -> Result<Pid, SpawnError> {
    let Begun { report, beginning } = spawn::begin(launch)?;
    let (number, told) = pipe2(OFlag::O_CLOEXEC).map_err(|e| spawn::prepare_error("make a pipe", e))?;
    // SAFETY: this process has one thread, so the child may go on in ordinary code.
    match unsafe { fork() }.map_err(|e| spawn::prepare_error("fork", e))? {
        ForkResult::Child => {
            drop((report, number));
            enter_and_fork(interior, root, launch, reaper.as_ref().map(AsFd::as_fd), beginning, told)
        }
        ForkResult::Parent { child: intermediate } => {
            drop((beginning, told, reaper));
            let child = match spawn::read_within(number, end) {
                Ok(number) => <[u8; 4]>::try_from(number).ok().map(|number| Pid::from_raw(i32::from_ne_bytes(number))),
                Err(late) => {
                    // it dies as soon as its control group lets it
                    let _ = kill(intermediate, Signal::SIGKILL);
                    return Err(late);
                }
            };
            let _ = waitpid(intermediate, None);
            if let Some(child) = child.filter(|_| launch.own_group) {
                let _ = nix::unistd::setpgid(child, child);
            }
            match (spawn::hear(launch, report, end), child) {
                (Ok(()), Some(child)) => Ok(child),
                (Ok(()), None) => Err(spawn::prepare_error("enter the container", Errno::ECHILD)),
                (Err(error), Some(child)) => {
                    // where it was for the time, nobody waits: it dies as the intermediate process above
                    let is_late = matches!(error, SpawnError::Hosts(_));
                    let _ = if is_late { kill(child, Signal::SIGKILL) } else { waitpid(child, None).map(|_| ()) };
                    Err(error)
                }
                (Err(error), None) => Err(error),
            }
        }
    }
}

/// The life of the intermediate process.
fn enter_and_fork(
    interior: &Interior,
    root: bool,
    launch: &Launch<'_>,
    reaper: Option<BorrowedFd<'_>>,
    beginning: Beginning<'_>,
    told: OwnedFd,
) -> ! {
    let forked = interior.become_one(root).and_then(|()| {
        if launch.stdio.is_some() {
            // The program has streams of its own; those of whoever wants it started are not a reaper's.
            dup2_stderr(std::io::stdin()).map_err(|e| ("set standard error", e))?;
        }
        // What else this process has open is nobody's in there.
        let streams = launch.stdio.iter().flatten().copied();
        let own = [beginning.report.as_fd(), told.as_fd()];
        spawn::close_all_but(&streams.chain(own).chain(reaper).collect::<Vec<_>>());
        // SAFETY: a fork of a process with one thread has one too.
        unsafe { namespace::fork_into(CloneFlags::CLONE_PARENT, None) }.map_err(|e| ("fork", e))
    });
    match forked {
        Ok(Some(child)) => {
            let _ = File::from(told).write_all(&child.as_raw().to_ne_bytes());
            // SAFETY: _exit takes no pointers and does not return.
            unsafe { libc::_exit(0) }
        }
        Ok(None) => {
            drop(told);
            match reaper.map_or(Ok(()), reaper::stand_above) {
                Ok(()) => beginning.child(),
                Err(step) => spawn::fail(beginning.report, &Failure::prepare(step)),
            }
        }
        Err(step) => spawn::fail(beginning.report, &Failure::prepare(step)),
    }
}
