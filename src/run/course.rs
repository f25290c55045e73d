//! What was asked of each direction from when on: the changes that a timeline and live calls made.

use indexmap::IndexMap;

use super::work::since;
use crate::engine::{Command, DirectionId, DirectionSpec};
use crate::record::report::Changed;
use crate::scenario::set::LiveLinks;
use crate::units::Instant;

/// So many changes of a direction are kept.
const MOST: usize = 1_000;

/// By direction: what it was asked to do from when on.
#[derive(Default)]
pub(super) struct Course(IndexMap<DirectionId, Asked>);

#[derive(Default)]
struct Asked {
    changes: Vec<(Instant, DirectionSpec)>,
    omitted: u64,
}

impl Course {
    /// Commands took effect: `links` stand as they do since then.
    pub(super) fn note(&mut self, at: Instant, commands: &[Command], links: &LiveLinks) {
        for command in commands {
            let Command::Set(direction, _) = command else { continue };
            let Some(spec) = links.direction(*direction) else { continue };
            let asked = self.0.entry(*direction).or_default();
            let kept = asked.changes.len();
            match asked.changes.last_mut() {
                // several commands of one instant are one change
                Some((last, before)) if *last == at => *before = spec.clone(),
                Some((_, before)) if before == spec => {}
                _ if kept == MOST => asked.omitted += 1,
                _ => asked.changes.push((at, spec.clone())),
            }
        }
    }

    /// The changes of a direction, for the report, and how many are left out. `first`: what it was asked at first.
    pub(super) fn of(&self, direction: DirectionId, first: &DirectionSpec, zero: Instant) -> (Vec<Changed>, u64) {
        let Some(asked) = self.0.get(&direction) else { return (Vec::new(), 0) };
        let same = asked.changes.iter().take_while(|(_, spec)| spec == first).count();
        let changes = asked.changes[same..].iter().map(|(at, spec)| Changed::new(since(*at, zero), spec));
        (changes.collect(), asked.omitted)
    }
}
