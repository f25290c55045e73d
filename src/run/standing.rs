//! How the directions of links stand: what they do now, and what they have counted, without what takes long to make.

use crate::engine::{DirectionId, Engine};
use crate::report::asked;
use crate::report::json::by_cause;
use crate::report::status::Direction;

/// One direction, at one instant. It lacks its names and words.
#[derive(Debug)]
pub(super) struct Standing(Direction);

impl Standing {
    /// How a direction stands.
    pub(super) fn of(engine: &Engine, direction: DirectionId) -> Standing {
        let counters = engine.counters(direction);
        Standing(Direction {
            link: String::new(),
            from: String::new(),
            to: String::new(),
            up: engine.is_up(direction.link()),
            blocked: engine.is_blocked(direction),
            now: engine.spec(direction).into(),
            words: String::new(),
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
        })
    }

    /// For the status of a run. `names`: link, from, to.
    pub(super) fn direction(self, names: [String; 3]) -> Direction {
        let [link, from, to] = names;
        Direction { link, from, to, words: asked::requested(&self.0.now), ..self.0 }
    }
}
