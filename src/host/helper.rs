//! A short-lived child that does one thing in other namespaces and hands back what came of it.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::HostError;
use super::{message, namespace};

/// Refuses to go on in a process that has several threads: after a fork in one of them, a lock that another held would
/// never be released.
pub(crate) fn require_one_thread(doing: &str) -> Result<(), HostError> {
    match namespace::thread_count() {
        Ok(1) => Ok(()),
        Ok(n) => Err(HostError::lacking(doing, format!("it must happen before threads start, and there are {n}"))),
        Err(error) => Err(HostError::os(doing, error).cure("mount /proc")),
    }
}

/// Forks a child that does `work` and exits with its result; whoever calls this waits for it. Must be called while this process has
/// one thread.
///
/// # Errors
/// This process has several threads, or can make no other.
pub fn fork_child(doing: &str, work: impl FnOnce() -> i32) -> Result<Pid, HostError> {
    require_one_thread(doing)?;
    // SAFETY: this process has one thread, which was just checked.
    match unsafe { fork() }.map_err(|e| HostError::os(doing, e))? {
        ForkResult::Child => {
            let code = catch_unwind(AssertUnwindSafe(work)).unwrap_or(101);
            // SAFETY: _exit takes no pointers and does not return; no destructor or exit handler of the parent's runs.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => Ok(child),
    }
}

/// Runs `work` in a forked child, which may enter namespaces as it likes, and returns its result and descriptors. This
/// process must have one thread.
pub(crate) fn in_child<T: Serialize + DeserializeOwned>(
    doing: &str,
    work: impl FnOnce() -> Result<(T, Vec<OwnedFd>), HostError>,
) -> Result<(T, Vec<OwnedFd>), HostError> {
    require_one_thread(doing)?;
    let failed = |error: std::io::Error| HostError::os(doing, error);
    let (ours, theirs) = message::pair().map_err(failed)?;
    // SAFETY: this process has one thread, which was just checked.
    match unsafe { fork() }.map_err(|e| failed(e.into()))? {
        ForkResult::Child => {
            drop(ours);
            let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
            // The parent may have died before that: its end of the socket then reads as closed.
            if !message::is_closed(&theirs) {
                let result = catch_unwind(AssertUnwindSafe(work))
                    .unwrap_or_else(|_| Err(HostError::lacking(doing, "a helper process panicked")));
                let (result, fds) = match result {
                    Ok((value, fds)) => (Ok(value), fds),
                    Err(error) => (Err(error), Vec::new()),
                };
                let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
                let _ = message::send(&theirs, &result, &borrowed);
            }
            // SAFETY: _exit takes no pointers and does not return; no destructor or exit handler of the parent's runs.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            let answer = message::receive::<Result<T, HostError>>(&ours);
            let _ = waitpid(child, None);
            match answer.map_err(failed)? {
                Some((result, fds)) => result.map(|value| (value, fds)),
                None => Err(HostError::lacking(doing, "a helper process ended without a word")),
            }
        }
    }
}
