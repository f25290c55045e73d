//! How the directions of links stand: what they do now, and what they have counted, without what takes long to copy.

use indexmap::IndexMap;
use std::borrow::Cow;

use crate::engine::{DirectionId, DirectionSpec, Engine};
use crate::report::asked;
use crate::report::json::{Count, by_cause};
use crate::report::status::Direction;

/// One direction, at one instant.
#[derive(Debug)]
pub(super) struct Standing {
    spec: DirectionSpec,
    up: bool,
    blocked: bool,
    waiting: u64,
    inside: u64,
    offered: Count,
    delivered: Count,
    originated: u64,
    duplicated: u64,
    corrupted: u64,
    marked: u64,
    reordered: u64,
    dropped: IndexMap<Cow<'static, str>, u64>,
}

impl Standing {
    /// How a direction stands.
    pub(super) fn of(engine: &Engine, direction: DirectionId) -> Standing {
        let counters = engine.counters(direction);
        Standing {
            spec: engine.spec(direction),
            up: engine.is_up(direction.link()),
            blocked: engine.is_blocked(direction),
            waiting: engine.waiting(direction),
            inside: engine.inside(direction),
            offered: counters.offered.into(),
            delivered: counters.delivered.into(),
            originated: counters.originated,
            duplicated: counters.duplicated,
            corrupted: counters.corrupted,
            marked: counters.marked,
            reordered: counters.reordered,
            dropped: by_cause(&counters.dropped),
        }
    }

    /// For the status of a run. `names`: link, from, to.
    pub(super) fn direction(self, names: [String; 3]) -> Direction {
        let [link, from, to] = names;
        let now = self.spec.into();
        Direction {
            link,
            from,
            to,
            up: self.up,
            blocked: self.blocked,
            words: asked::requested(&now),
            now,
            waiting: self.waiting,
            inside: self.inside,
            offered: self.offered,
            delivered: self.delivered,
            originated: self.originated,
            duplicated: self.duplicated,
            corrupted: self.corrupted,
            marked: self.marked,
            reordered: self.reordered,
            dropped: self.dropped,
        }
    }
}
