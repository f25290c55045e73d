//! How the engine's thread and the main thread agree on interfaces that go away and come back. The engine's thread finds a
//! TAP deleted; everything else about an interface is known to the main thread.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::port::tap::TapPort;
use crate::units::Instant;

/// A TAP that was deleted while the engine's thread read it.
pub(super) struct Lost {
    /// The port, by its position.
    pub(super) position: usize,
    /// How many TAPs the port had had after the first.
    pub(super) replaced: u32,
    /// From when on the port is down, in model time.
    pub(super) at: Instant,
    /// The TAP. To close it takes time that the engine's thread does not have.
    pub(super) tap: TapPort,
}

/// The engine thread's end.
pub(super) struct Plugs {
    told: Sender<Lost>,
    wake: Arc<EventFd>,
}

/// The main thread's end.
pub(super) struct Heard {
    told: Receiver<Lost>,
    wake: Arc<EventFd>,
    /// How much more has been taken than the counter of `wake` has been read for.
    ahead: Cell<u64>,
}

/// Both ends.
///
/// # Errors
/// Those of eventfd(2).
pub(super) fn pair() -> io::Result<(Plugs, Heard)> {
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
    let (sender, receiver) = unbounded();
    Ok((Plugs { told: sender, wake: Arc::clone(&wake) }, Heard { told: receiver, wake, ahead: Cell::new(0) }))
}

impl Plugs {
    pub(super) fn tell(&self, lost: Lost) {
        // The main thread outlives this one.
        let _ = self.told.send(lost);
        let _ = self.wake.write(1);
    }
}

impl Heard {
    /// TAPs that have been found deleted since the last call. Where there is nothing to hear, this is no system call.
    pub(super) fn take(&self) -> Vec<Lost> {
        let lost: Vec<Lost> = self.told.try_iter().collect();
        let ahead = self.ahead.get() + lost.len() as u64;
        if ahead > 0 {
            self.ahead.set(ahead.saturating_sub(self.wake.read().unwrap_or(0)));
        }
        lost
    }
}

impl AsFd for Heard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
