//! How a workload comes to its end once it has been told to: in stages, each with a deadline of its own.

use crate::units::{Duration, Instant};

/// How long a program may take to end after SIGTERM.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// How long a TCP connection may go on delivering what it has been given, when a transfer without an amount comes to its end.
pub(super) const DRAIN: Duration = Duration::from_millis(500);
/// How long a built-in workload may take to report after it was told to end at once. It needs milliseconds: only a
/// process that is stopped, or gets no processor, is killed.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why a workload was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// Its own `timeout`.
    Timeout,
    /// The scenario's duration is over.
    Over,
    /// The program that the run belongs to has had enough.
    Stopped,
    /// A service has failed.
    Service,
    /// Somebody ended the run.
    Interrupted,
}

impl EndReason {
    /// Completes "it had not ended when …".
    pub(super) fn words(self) -> &'static str {
        match self {
            EndReason::Timeout => "its time was up",
            EndReason::Over => "the scenario's duration was over",
            EndReason::Stopped => "the run was stopped",
            EndReason::Service => "a service failed",
            EndReason::Interrupted => "the run was interrupted",
        }
    }
}

/// How urgently a workload has been told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It stops sending, and waits for what is under way.
    Gently,
    /// It reports what it has, whatever the other side does.
    AtOnce,
    /// Its processes are killed.
    Killed,
}

/// A workload that was told to end. The deadlines are the clock's alone: nothing that either side does moves them.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) reason: EndReason,
    pub(super) stage: Stage,
    due: Option<Instant>,
    patience: Duration,
}

impl Ending {
    /// Told at `now`: gently for so long, if at all, then at once for `patience`.
    pub(super) fn new(now: Instant, reason: EndReason, gently: Option<Duration>, patience: Duration) -> Ending {
        let (stage, time) = gently.map_or((Stage::AtOnce, patience), |time| (Stage::Gently, time));
        Ending { reason, stage, due: Some(now + time), patience }
    }

    /// When the next stage begins.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The stage that begins by `now`, if one does.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Stage> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        (self.stage, self.due) = match self.stage {
            Stage::Gently => (Stage::AtOnce, Some(now + self.patience)),
            Stage::AtOnce | Stage::Killed => (Stage::Killed, None),
        };
        Some(self.stage)
    }

    /// There is no more time for gentleness.
    pub(super) fn hurry(&mut self, now: Instant) {
        if self.stage == Stage::Gently {
            self.due = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn each_stage_begins_at_its_own_time_whatever_happens() {
        let mut ending = Ending::new(at(0), EndReason::Over, Some(MS * 500), MS * 5000);
        assert_eq!((ending.stage, ending.due(), ending.advance(at(499))), (Stage::Gently, Some(at(500)), None));
        assert_eq!((ending.advance(at(500)), ending.due()), (Some(Stage::AtOnce), Some(at(5500))));
        assert_eq!((ending.advance(at(5499)), ending.advance(at(5500))), (None, Some(Stage::Killed)));
        assert_eq!((ending.due(), ending.advance(at(9999))), (None, None));
    }

    #[test]
    fn what_fails_is_told_at_once_and_what_is_interrupted_soon_is() {
        let mut failed = Ending::new(at(0), EndReason::Timeout, None, MS * 10);
        assert_eq!((failed.stage, failed.due()), (Stage::AtOnce, Some(at(10))));
        failed.hurry(at(1));
        assert_eq!(failed.due(), Some(at(10)), "told already");
        let mut gentle = Ending::new(at(0), EndReason::Over, Some(MS * 500), MS * 10);
        gentle.hurry(at(20));
        assert_eq!((gentle.advance(at(20)), gentle.due()), (Some(Stage::AtOnce), Some(at(30))));
    }
}
