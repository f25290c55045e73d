//! CoDel: controlled delay (RFC 8289). It watches how long frames waited, and once even the shortest wait within an
//! interval is above the target, it drops a frame at the head, then the next after interval/√2, after interval/√3, … until
//! the wait falls below the target.
//!
//! State by state as the RFC's pseudocode (§5): time in integers of nanoseconds, interval/√count by IEEE division and
//! square root, which are rounded correctly and so equal on every machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Doors;
use super::backlog::Backlog;
use super::mark::mark;
use super::spec::Checked;
use crate::frame::{DropCause, Frame, FramePool};
use crate::units::{Duration, Instant};

/// CoDel: drops at the head once every frame of an interval has waited longer than the target (RFC 8289). Short form:
/// `queue: codel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Codel")]
pub struct CodelSpec {
    /// The wait that may stand. By default 5ms; 5 to 10 % of the interval.
    pub target: Duration,
    /// In which the wait must fall below the target once; about the longest round trip of what passes. By default 100ms.
    pub interval: Duration,
    /// At most so many wire frames wait; more are dropped from the tail (`queue_full`). By default 1000.
    pub limit: u32,
    /// ECN-capable packets are marked instead of dropped. By default false.
    pub ecn: bool,
}

impl Default for CodelSpec {
    /// RFC 8289 §4.2, §4.3; the limit of Linux.
    fn default() -> CodelSpec {
        CodelSpec { target: Duration::from_millis(5), interval: Duration::from_millis(100), limit: 1000, ecn: false }
    }
}

impl Checked for CodelSpec {
    fn check(&self) -> Result<(), String> {
        check_times(self.target, self.interval)
    }
}

/// What CoDel and FQ-CoDel ask of target and interval.
pub(super) fn check_times(target: Duration, interval: Duration) -> Result<(), String> {
    if target == Duration::ZERO {
        return Err("a `target` of 0 would drop without end: 5ms suits most links".into());
    }
    if target >= interval {
        return Err(format!(
            "a `target` of {target} is not below the `interval` of {interval}: 5 to 10 % of it suits (RFC 8289)"
        ));
    }
    Ok(())
}

/// The control law over one sequence of frames: the RFC's variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Control {
    /// When it will have been too slow for an interval; `None` while the wait is below the target.
    first_above: Option<Instant>,
    /// When the next frame is to be dropped, while dropping.
    drop_next: Instant,
    /// Frames dropped since dropping began.
    count: u32,
    /// `count` when dropping last began.
    last_count: u32,
    dropping: bool,
}

/// What the law is held to, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Law {
    pub(super) target: Duration,
    pub(super) interval: Duration,
    pub(super) ecn: bool,
    /// The longest frame seen: with no more bytes than that waiting there is no standing queue.
    pub(super) max_packet: u64,
    pub(super) now: Instant,
}

impl Law {
    /// `t` + interval/√count, rounded down to a nanosecond.
    fn next_drop(&self, t: Instant, count: u32) -> Instant {
        let step = self.interval.as_nanos() as f64 / f64::from(count.max(1)).sqrt();
        t + Duration::from_nanos(step as u64)
    }
}

impl Control {
    /// Frames of this sequence were dropped because a limit was exceeded: the law goes on as if it had dropped them
    /// (`fq_codel_drop` in Linux's sch_fq_codel.c).
    pub(super) fn dropped_at_limit(&mut self, frames: u64) {
        self.count = self.count.saturating_add(u32::try_from(frames).unwrap_or(u32::MAX));
    }

    /// Takes the next frame, and whether it may be dropped (RFC 8289 §5.6, `dodequeue`).
    fn pop(&mut self, law: &Law, backlog: &mut Backlog, pool: &mut FramePool) -> Option<(Frame, bool)> {
        let Some(frame) = backlog.pop(pool) else {
            self.first_above = None;
            return None;
        };
        if law.now - frame.offered < law.target || backlog.bytes() <= law.max_packet {
            // went below the target, and stays there for an interval at least
            self.first_above = None;
            return Some((frame, false));
        }
        match self.first_above {
            None => {
                self.first_above = Some(law.now + law.interval);
                Some((frame, false))
            }
            Some(at) => Some((frame, law.now >= at)),
        }
    }

    /// Gives the next frame that is not dropped (RFC 8289 §5.5, `deque`).
    pub(super) fn take(
        &mut self,
        law: &Law,
        backlog: &mut Backlog,
        pool: &mut FramePool,
        doors: &mut impl Doors,
    ) -> Option<Frame> {
        let Some((mut frame, may_drop)) = self.pop(law, backlog, pool) else {
            self.dropping = false;
            return None;
        };
        if self.dropping {
            if !may_drop {
                self.dropping = false;
            }
            while self.dropping && law.now >= self.drop_next {
                self.count = self.count.saturating_add(1);
                match told(frame, law, pool, doors) {
                    Some(marked) => {
                        // a mark takes the place of a drop: the frame leaves, and the next waits for its turn
                        self.drop_next = law.next_drop(self.drop_next, self.count);
                        return Some(marked);
                    }
                    None => match self.pop(law, backlog, pool) {
                        Some((next, true)) => {
                            frame = next;
                            self.drop_next = law.next_drop(self.drop_next, self.count);
                        }
                        Some((next, false)) => {
                            frame = next;
                            self.dropping = false;
                        }
                        None => {
                            self.dropping = false;
                            return None;
                        }
                    },
                }
            }
            return Some(frame);
        }
        if !may_drop {
            return Some(frame);
        }
        let given = match told(frame, law, pool, doors) {
            Some(marked) => Some(marked),
            None => self.pop(law, backlog, pool).map(|(next, _)| next),
        };
        self.dropping = true;
        // dropping began anew soon after it ended: the rate that controlled the queue last is where to go on
        let delta = self.count.wrapping_sub(self.last_count);
        let recent = law.now - self.drop_next < law.interval * 16;
        self.count = if delta > 1 && recent { delta } else { 1 };
        self.drop_next = law.next_drop(law.now, self.count);
        self.last_count = self.count;
        given
    }
}

/// Tells of congestion: gives the frame back marked, or drops it.
fn told(frame: Frame, law: &Law, pool: &mut FramePool, doors: &mut impl Doors) -> Option<Frame> {
    let frame = if law.ecn {
        match mark(frame, pool, doors) {
            Ok(marked) => return Some(marked),
            Err(frame) => frame,
        }
    } else {
        frame
    };
    doors.dropped(frame, DropCause::Aqm, pool);
    None
}

/// Frames in the order in which they came, under CoDel.
#[derive(Debug)]
pub struct Codel {
    spec: CodelSpec,
    backlog: Backlog,
    control: Control,
    max_packet: u64,
}

impl Codel {
    /// An empty queue.
    pub fn new(spec: CodelSpec) -> Codel {
        Codel { spec, backlog: Backlog::default(), control: Control::default(), max_packet: 0 }
    }

    /// Its parameters.
    pub fn spec(&self) -> CodelSpec {
        self.spec
    }

    /// Waiting wire frames.
    pub fn frames(&self) -> u64 {
        self.backlog.frames()
    }

    /// Takes what fits of a stretch of frames; the rest is dropped as [`DropCause::QueueFull`].
    pub fn offer(&mut self, frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) {
        self.admit(frame, DropCause::QueueFull, pool, doors);
    }

    pub(super) fn move_in(&mut self, frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) {
        self.admit(frame, DropCause::QueueResized, pool, doors);
    }

    fn admit(&mut self, mut frame: Frame, cause: DropCause, pool: &mut FramePool, doors: &mut impl Doors) {
        self.max_packet = self.max_packet.max(pool.wire_len(&frame, 0));
        let room = u64::from(self.spec.limit).saturating_sub(self.backlog.frames());
        if room == 0 {
            return doors.dropped(frame, cause, pool);
        }
        if frame.count() > room {
            let fits = pool.split_front(&mut frame, room);
            self.backlog.push(fits, pool);
            return doors.dropped(frame, cause, pool);
        }
        self.backlog.push(frame, pool);
    }

    /// Gives the next wire frame to the wire, which is free at `now`; the law may drop or mark some on the way.
    pub fn take(&mut self, now: Instant, pool: &mut FramePool, doors: &mut impl Doors) -> Option<Frame> {
        let CodelSpec { target, interval, ecn, .. } = self.spec;
        let law = Law { target, interval, ecn, max_packet: self.max_packet, now };
        self.control.take(&law, &mut self.backlog, pool, doors)
    }

    /// Changes the parameters; frames beyond a new limit drop from the tail as [`DropCause::QueueResized`].
    pub fn set(&mut self, spec: CodelSpec, pool: &mut FramePool, doors: &mut impl Doors) {
        self.spec = spec;
        while self.backlog.frames() > u64::from(spec.limit) {
            let Some(last) = self.backlog.pop_last(pool) else { return };
            doors.dropped(last, DropCause::QueueResized, pool);
        }
    }

    pub(super) fn pop_stretch(&mut self, pool: &FramePool) -> Option<Frame> {
        self.backlog.pop_stretch(pool)
    }

    /// Drops all that waits.
    pub fn clear(&mut self, cause: DropCause, pool: &mut FramePool, doors: &mut impl Doors) {
        self.backlog.clear(cause, pool, doors);
        self.control = Control::default();
    }
}

#[cfg(test)]
#[path = "codel_tests.rs"]
mod tests;
