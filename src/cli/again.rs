//! Attempts of a run, each in a process of its own, and ending with whoever asked for a run.
//!
//! A run gives up its rights and cannot begin another one, so with `--retry-invalid` this process only waits, and passes signals on.

use std::time::Instant;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill, raise};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid, setpgid};

use super::{Exit, exit_code, paint};
use crate::host;
use crate::host::signals::Requests;

/// What an attempt ends with that is to be repeated; no run does (`EX_TEMPFAIL` of sysexits.h).
const AGAIN: i32 = 75;

/// From now on this process is ended, cleanly, when its parent dies. `false` if `parent` is gone already.
pub(super) fn end_with(parent: i32) -> bool {
    // a kernel that refuses leaves a run that ends by itself, a little later
    let _ = prctl::set_pdeathsig(Signal::SIGTERM);
    // it may have died before we asked (prctl(2))
    getppid().as_raw() == parent
}

/// A process that waits for attempts.
pub(super) struct Attempts {
    /// What it hears of instead of being ended by it, and what was let through before.
    signals: SignalFd,
    before: SigSet,
}

impl Attempts {
    /// Begins to take signals. This process must have one thread.
    ///
    /// # Errors
    /// Those of signalfd(2).
    pub(super) fn begin() -> Result<Attempts, Errno> {
        let mut mask = SigSet::empty();
        mask.extend([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD]);
        let before = SigSet::thread_get_mask()?;
        mask.thread_block()?;
        Ok(Attempts { signals: SignalFd::new(&mask)?, before })
    }

    /// Makes one, in a process of its own, which dies with this one. Its exit code; `None` where it is to be repeated.
    pub(super) fn make(&mut self, run: impl FnOnce() -> Option<Exit>) -> Option<i32> {
        let (parent, mut mask) = (getpid(), self.before);
        // a group in the background may write to its terminal all the same
        mask.add(Signal::SIGTTOU);
        let forked = host::fork_child("start an attempt", || {
            // With a group of its own each signal comes once: from this process.
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            let _ = prctl::set_pdeathsig(Signal::SIGKILL);
            let _ = mask.thread_set_mask();
            if getppid() != parent {
                return Exit::Interrupted as i32;
            }
            run().map_or(AGAIN, |exit| exit_code(exit as i32))
        });
        match forked {
            Ok(child) => Some(self.follow(child)).filter(|code| *code != AGAIN),
            Err(error) => {
                paint::complain(&error.to_string());
                Some(Exit::Machine as i32)
            }
        }
    }

    /// Passes signals on until the attempt has ended; its exit code.
    fn follow(&mut self, child: Pid) -> i32 {
        let (mut requests, mut interrupted) = (Requests::default(), false);
        loop {
            match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
                // it ended as it was told to
                Ok(WaitStatus::Exited(_, AGAIN)) if interrupted => return Exit::Interrupted as i32,
                Ok(WaitStatus::Exited(_, code)) => return code,
                Ok(WaitStatus::Signaled(_, signal, _)) => return self.die_of(signal),
                Err(Errno::ECHILD) => return Exit::Machine as i32,
                _ => {}
            }
            let Ok(Some(heard)) = self.signals.read_signal() else { continue };
            match Signal::try_from(heard.ssi_signo as i32) {
                Ok(Signal::SIGCHLD) | Err(_) => {}
                Ok(signal) => {
                    interrupted = true;
                    if requests.counts(heard.ssi_signo, Instant::now()) {
                        // it has not been waited for, so the number is its own
                        let _ = kill(child, signal);
                    }
                }
            }
        }
    }

    /// As the attempt did, so that whoever waits for this process sees why.
    fn die_of(&self, signal: Signal) -> i32 {
        let _ = self.before.thread_set_mask();
        let _ = raise(signal);
        128 + signal as i32
    }
}
