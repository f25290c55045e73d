//! What happened during a run, as the report tells it.

use super::workload::since;
use crate::report::json::{Event, EventKind};
use crate::units::Instant;

/// Something that happened.
pub(super) struct Happened {
    /// When: inside the network in model time, everywhere else by the clock.
    pub(super) at: Instant,
    /// When the timeline wanted it.
    pub(super) planned: Option<Instant>,
    pub(super) kind: EventKind,
    /// What, in words.
    pub(super) what: String,
    /// The name that the timeline gave to this instant.
    pub(super) mark: Option<String>,
}

impl Happened {
    /// Something that nobody planned.
    pub(super) fn new(at: Instant, kind: EventKind, what: impl Into<String>) -> Happened {
        Happened { at, planned: None, kind, what: what.into(), mark: None }
    }

    /// For the report, with times from t = 0.
    pub(super) fn event(self, zero: Instant) -> Event {
        Event {
            at_ns: since(self.at, zero),
            planned_ns: self.planned.map(|planned| since(planned, zero)),
            kind: self.kind,
            what: self.what,
            mark: self.mark,
        }
    }
}
