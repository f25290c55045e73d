//! How the engine's thread and the main thread agree on interfaces that go away and come back. The engine's thread finds a
//! TAP deleted or a connection closed; everything else about an interface is known to the main thread.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::port::Port;
use crate::units::Instant;

/// A port that ended while the engine's thread read it: a TAP that was deleted, a connection that was closed.
pub(super) struct Lost {
    /// The port, by its position.
    pub(super) position: usize,
    /// How many descriptors the port had had after the first.
    pub(super) replaced: u32,
    /// From when on the port is down, in model time.
    pub(super) at: Instant,
    /// What it was. To close it takes time that the engine's thread does not have.
    pub(super) device: Port,
}

/// The engine thread's end.
pub(super) struct Plugs<T = Lost> {
    told: Sender<T>,
    wake: Arc<EventFd>,
}

/// The main thread's end.
pub(super) struct Heard<T = Lost> {
    told: Receiver<T>,
    wake: Arc<EventFd>,
    /// How much more has been taken than the counter of `wake` has been read for.
    ahead: Cell<u64>,
}

/// Both ends.
///
/// # Errors
/// Those of eventfd(2).
pub(super) fn pair<T>() -> io::Result<(Plugs<T>, Heard<T>)> {
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
    let (sender, receiver) = unbounded();
    Ok((Plugs { told: sender, wake: Arc::clone(&wake) }, Heard { told: receiver, wake, ahead: Cell::new(0) }))
}

impl<T> Plugs<T> {
    pub(super) fn tell(&self, lost: T) {
        // The main thread outlives this one.
        let _ = self.told.send(lost);
        let _ = self.wake.write(1);
    }
}

impl<T> Heard<T> {
    /// Ports that have been found ended since the last call. Where there is nothing to hear, this is no system call.
    pub(super) fn take(&self) -> Vec<T> {
        self.take_while(|| {})
    }

    /// `meanwhile` happens between taking what was told and reading how much that was.
    fn take_while(&self, mut meanwhile: impl FnMut()) -> Vec<T> {
        let mut lost = Vec::new();
        loop {
            let before = lost.len();
            lost.extend(self.told.try_iter());
            let ahead = self.ahead.get() + (lost.len() - before) as u64;
            if ahead == 0 {
                return lost;
            }
            meanwhile();
            let counted = self.wake.read().unwrap_or(0);
            self.ahead.set(ahead.saturating_sub(counted));
            // What was told meanwhile is in the channel already, and its wake-up has just been read.
            lost.extend(self.told.iter().take(counted.saturating_sub(ahead) as usize));
            if counted <= ahead {
                return lost;
            }
        }
    }
}

impl<T> AsFd for Heard<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn wakes(heard: &Heard<u32>) -> bool {
        let mut polled = [PollFd::new(heard.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn what_is_told_while_others_are_taken_is_taken_too_or_wakes_the_reader() {
        let (plugs, heard) = pair().unwrap();
        assert!(heard.take().is_empty() && !wakes(&heard));
        plugs.tell(1);
        let mut more = vec![2, 3];
        let taken = heard.take_while(|| more.drain(..).for_each(|n| plugs.tell(n)));
        assert_eq!((taken, wakes(&heard)), (vec![1, 2, 3], false));
        // told, and not counted yet
        plugs.told.send(4).unwrap();
        assert_eq!((heard.take(), wakes(&heard)), (vec![4], false));
        plugs.wake.write(1).unwrap();
        assert!(wakes(&heard));
        assert_eq!((heard.take(), wakes(&heard)), (vec![], false));
    }
}
