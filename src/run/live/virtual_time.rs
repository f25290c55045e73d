//! The loop in virtual time.

use std::io;

use nix::sys::epoll::EpollEvent;

use super::{Loop, Wake, scheduling, wait};
use crate::tasks::timing::{Priority, TimingSpec};

impl Loop {
    /// In virtual time no time passes while this thread works: one reading of the clock does for all, after the last frame was read,
    /// since a frame must not get a time before it was sent. Each system call costs as much as a hundred do live.
    ///
    /// Others spend time when they read clocks, so this thread goes before them as soon as it is woken.
    pub(super) fn run_virtual(&mut self) -> io::Result<()> {
        self.refused = scheduling::prepare(&TimingSpec { priority: Some(Priority::LOWEST), ..TimingSpec::default() });
        let started = self.clock.now();
        let mut now = started;
        let mut ready = [EpollEvent::empty(); 64];
        loop {
            let n = wait(&self.epoll, &mut ready, self.due() - now)?;
            let mut asked = false;
            for event in &ready[..n] {
                match event.data() {
                    Wake::REQUEST => asked = true,
                    port => self.taps.read_sparingly(port as usize, &mut self.engine),
                }
            }
            now = self.clock.now();
            self.release(now);
            self.taps.inject(now, &mut self.engine);
            if asked && let Some(reply) = self.answer(now) {
                self.taps.tick();
                // whoever asked may be gone; the run ends all the same
                let _ = reply.send(self.outcome(started, None));
                return Ok(());
            }
            self.engine.advance(now, &mut self.taps);
            self.taps.tick();
        }
    }
}
