//! The loop by the kernel's clock: how long it sleeps and spins, and what the machine kept it from.

use std::io;
use std::os::unix::fs::FileExt;

use nix::sys::epoll::EpollEvent;

use super::{Loop, Outcome, Wake, wait};
use crate::run::gaps::{self, Gaps, Turn};
use crate::run::scheduling::{self, Budget};
use crate::run::spin;
use crate::run::taps::BURST;
use crate::tasks::timing::TimingSpec;
use crate::units::{Duration, Instant};

/// The loop wakes at least this often, so that a stop of the process shows even when no frame comes, and even when one does.
const TICK: Duration = Duration::from_nanos(gaps::LEAST.as_nanos() / 2);

impl Loop {
    /// Until it is to end. Lateness is measured, and never fed into the model.
    pub(super) fn run_live(&mut self, timing: &TimingSpec) -> io::Result<()> {
        self.refused = scheduling::prepare(timing);
        let started = self.clock.now();
        let mut schedstat = Schedstat::open();
        let before = schedstat.read();
        let mut watch = Watch { at: started, used: before };
        let mut budget = Budget::new(timing, &self.refused);
        let mut drained = started;
        let mut gaps = Gaps::new(started);
        let mut ready = [EpollEvent::empty(); 64];
        let mut now = started;
        loop {
            let rests = self.taps.take_rests();
            let began = now;
            let mut n = if rests.is_empty() {
                self.wait(now, &mut ready)?
            } else {
                wait(&self.epoll, &mut ready, Duration::ZERO)?
            };
            now = self.clock.now();
            if now - began > gaps::LEAST {
                // A stop may have come after the ports were looked at and before the clock was.
                n = wait(&self.epoll, &mut ready, Duration::ZERO)?;
                now = self.clock.now();
            }
            let (woke, waited) = (now, gaps.waited(now));
            let mut did = Turn { unread: n == ready.len(), ..Turn::default() };
            self.stall = self.stall.max((now - drained).saturating_sub(TICK));
            drained = now;
            if now - watch.at >= spin::LOOK {
                self.look(now, &mut watch, &mut schedstat, &mut budget);
            }
            let woken = ready[..n].iter().map(EpollEvent::data);
            let asked = woken.clone().any(|data| data == Wake::REQUEST);
            let new = woken.filter(|data| *data != Wake::REQUEST).map(|port| port as usize);
            for port in rests.iter().copied().chain(new.filter(|port| !rests.contains(port))) {
                let took = self.taps.read(port, &mut self.engine, waited);
                did.read |= took.frames > 0;
                did.unread |= took.frames == BURST;
                did.cut |= took.cut;
                let now = self.clock.now();
                self.release(now);
                self.taps.inject(now, &mut self.engine);
            }
            now = self.clock.now();
            self.release(now);
            if asked && let Some(reply) = self.answer(now) {
                self.taps.tick();
                let delay = before.and_then(|before| Some(schedstat.read()?.waited.saturating_sub(before.waited)));
                let outcome = Outcome { gaps: gaps.found(), ..self.outcome(started, delay) };
                // whoever asked may be gone; the run ends all the same
                let _ = reply.send(outcome);
                return Ok(());
            }
            self.engine.advance(now, &mut self.taps);
            self.taps.tick();
            now = self.clock.now();
            did.late = self.taps.take_latest();
            gaps.turn(woke, now, did);
        }
    }

    /// Sleeps until something is ready or an event is due, and spins over the last of it: a frame that comes meanwhile ends
    /// the spin as it ends a sleep.
    fn wait(&mut self, now: Instant, ready: &mut [EpollEvent]) -> io::Result<usize> {
        let due = self.due();
        let margin = self.spin.margin();
        let spins = due < now + TICK;
        let until = if spins { due } else { now + TICK };
        let sleep = (until - now).saturating_sub(if spins { margin } else { Duration::ZERO });
        let n = wait(&self.epoll, ready, sleep)?;
        if n > 0 || !spins {
            return Ok(n);
        }
        let woken = self.clock.now();
        if sleep > Duration::ZERO {
            self.spin.slept(woken - (now + sleep));
        }
        while self.clock.now() < due {
            let n = wait(&self.epoll, ready, Duration::ZERO)?;
            if n > 0 {
                return Ok(n);
            }
            std::hint::spin_loop();
        }
        Ok(0)
    }

    /// Whether the thread waits for a processor so much that it should not spin, and runs so much that it may have no priority.
    fn look(&mut self, now: Instant, watch: &mut Watch, schedstat: &mut Schedstat, budget: &mut Budget) {
        let used = schedstat.read();
        if let (Some(before), Some(after)) = (watch.used, used) {
            let (length, waited) = (now - watch.at, after.waited.saturating_sub(before.waited));
            self.spin.looked(waited.as_nanos() as f64 / length.as_nanos() as f64);
            self.refused.extend(budget.ran(after.ran.saturating_sub(before.ran), length));
        }
        *watch = Watch { at: now, used };
    }
}

/// When the use of a processor was last looked at, and what it was.
struct Watch {
    at: Instant,
    used: Option<Used>,
}

/// How long this thread has run, and for how long it was ready to run and waited for a processor.
#[derive(Clone, Copy)]
struct Used {
    ran: Duration,
    waited: Duration,
}

/// The first two numbers of schedstat (Documentation/scheduler/sched-stats.rst), in ns.
struct Schedstat {
    file: Option<std::fs::File>,
}

impl Schedstat {
    /// That of the calling thread.
    fn open() -> Schedstat {
        Schedstat { file: std::fs::File::open("/proc/thread-self/schedstat").ok() }
    }

    /// `None` where the kernel does not tell.
    fn read(&mut self) -> Option<Used> {
        let mut text = [0; 96];
        let n = self.file.as_ref()?.read_at(&mut text, 0).ok()?;
        let mut numbers = std::str::from_utf8(&text[..n]).ok()?.split_whitespace();
        let mut next = || numbers.next()?.parse().ok().map(Duration::from_nanos);
        Some(Used { ran: next()?, waited: next()? })
    }
}
