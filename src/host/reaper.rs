//! A process in a container above each program of a run: the program's child subreaper (PR_SET_CHILD_SUBREAPER in prctl(2)). It reaps
//! the program's orphans, reports how the program ended, and kills all of them when the run ends, however that is.
//!
//! In a host, programs end with the host's process 1. A container's process 1 is not the run's, so another process in the container's
//! PID namespace has to adopt what a program leaves behind. It runs as the program's user, with the program's rights, and has no
//! descriptor but its socket. If it is killed, orphans of its program may outlive the run, and nothing else changes.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid};
use serde::{Deserialize, Serialize};

use super::programs::{self, Dead};
use super::protocol::ExitStatus;
use super::spawn;

/// Of waitpid(2): any child.
const ANYBODY: Option<Pid> = None;
/// The longest message.
const LONGEST: usize = 256;

/// How a program ended, in the words of [`super::protocol::Event::Exited`].
#[derive(Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) waited_ns: Option<u64>,
}

/// A reaper's socket. When it is closed, the reaper kills its program and all that came of it.
pub(super) struct Reaper(OwnedFd);

/// What a reaper has to say.
pub(super) enum Heard {
    /// Nothing more.
    Nothing,
    /// The program has ended.
    Ended(Ended),
    /// It is gone itself, and so is the program.
    Gone,
}

impl Reaper {
    /// Its socket, and the one that it is to be given.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub(super) fn pair() -> Result<(Reaper, OwnedFd), Errno> {
        // Whole messages: nobody waits for the rest of one.
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Reaper(ours), theirs))
    }

    /// Sends a signal to the program's process group.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = send(self.0.as_raw_fd(), &[signal as u8], MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT);
    }

    /// The next that it says, without waiting.
    pub(super) fn hear(&self) -> Heard {
        let mut text = [0; LONGEST];
        match recv(self.0.as_raw_fd(), &mut text, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EAGAIN | Errno::EINTR) => Heard::Nothing,
            Ok(length @ 1..) => serde_json::from_slice(&text[..length]).map_or(Heard::Gone, Heard::Ended),
            Ok(0) | Err(_) => Heard::Gone,
        }
    }
}

impl AsFd for Reaper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Makes this process a reaper, and goes on in a child of it, which is to become the program.
///
/// # Errors
/// No process can be made.
pub(super) fn stand_above(socket: BorrowedFd<'_>) -> Result<(), (&'static str, Errno)> {
    let own = getpid();
    // Before the fork, so that no end of a child is missed; the program undoes it.
    SigSet::all().thread_block().map_err(|e| ("block signals", e))?;
    prctl::set_child_subreaper(true).map_err(|e| ("take in a program's orphans", e))?;
    // SAFETY: it is a fork of a process with one thread, and has one too.
    match unsafe { fork() }.map_err(|e| ("fork", e))? {
        ForkResult::Child => spawn::end_with(own).map_err(|e| ("tie a program to its reaper", e)),
        ForkResult::Parent { child } => {
            spawn::close_all_but(&[socket]);
            watch(child, socket);
            // SAFETY: _exit takes no pointers and does not return.
            unsafe { libc::_exit(0) }
        }
    }
}

/// A reaper's life.
fn watch(program: Pid, socket: BorrowedFd<'_>) {
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    let Ok(deaths) = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK) else {
        return end_all(Some(program));
    };
    // its number is not given to another as long as it has not been waited for
    let mut running = Some(program);
    loop {
        while let Ok(Some(_)) = deaths.read_signal() {}
        loop {
            match programs::next_dead(true) {
                Dead::One(pid, status, waited_ns) if pid == program => {
                    running = None;
                    let text = serde_json::to_vec(&Ended { status, waited_ns }).unwrap_or_default();
                    let _ = send(socket.as_raw_fd(), &text, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT);
                }
                Dead::One(..) => {}
                Dead::NoneYet => break,
                // Nothing of the program is left.
                Dead::NobodyLeft => return,
            }
        }
        let mut polled = [PollFd::new(socket, PollFlags::POLLIN), PollFd::new(deaths.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut polled, PollTimeout::NONE);
        let mut signal = [0];
        match recv(socket.as_raw_fd(), &mut signal, MsgFlags::MSG_DONTWAIT) {
            Ok(1..) => {
                let signal = Signal::try_from(i32::from(signal[0])).ok();
                let _ = running.zip(signal).map(|(program, signal)| killpg(program, signal));
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Ok(0) | Err(_) => return end_all(running),
        }
    }
}

/// Kills the program, if it runs, and all that came of it: what loses its parent becomes a child of this process, and its turn comes.
fn end_all(running: Option<Pid>) {
    // itself too: it may not lead its group yet
    let _ = running.map(|program| (killpg(program, Signal::SIGKILL), kill(program, Signal::SIGKILL)));
    loop {
        for child in programs::children(getpid()) {
            let _ = kill(child, Signal::SIGKILL);
        }
        match waitpid(ANYBODY, None) {
            Err(Errno::ECHILD) => return,
            // those that have ended too, before it looks for their children
            _ => while matches!(waitpid(ANYBODY, Some(WaitPidFlag::WNOHANG)), Ok(status) if status.pid().is_some()) {},
        }
    }
}
