//! What was asked of each direction from when on: the changes that a timeline and live calls made.

use indexmap::IndexMap;

use super::workload::since;
use crate::engine::{Command, DirectionId, DirectionSpec};
use crate::report::json::Changed;
use crate::tasks::set::LiveLinks;
use crate::units::Instant;

/// So many changes of a direction are kept.
const MOST: usize = 1_000;

/// By direction: what it was asked to do from when on.
#[derive(Default)]
pub(super) struct Course(IndexMap<DirectionId, Asked>);

#[derive(Default)]
struct Asked {
    /// From when on, and which of `specs`.
    changes: Vec<(Instant, u32)>,
    /// Each once: what changes again and again mostly goes to and fro between a few.
    specs: Vec<DirectionSpec>,
    /// The latest, kept or not.
    latest: Option<(Instant, DirectionSpec)>,
    omitted: u64,
}

impl Asked {
    fn note(&mut self, at: Instant, spec: &DirectionSpec) {
        let before = self.latest.replace((at, spec.clone()));
        if self.changes.last().is_some_and(|(last, _)| *last == at) {
            // several commands of one instant are one change
            self.changes.pop();
        } else if before.is_some_and(|(last, before)| before == *spec || last == at && self.omitted > 0) {
            return;
        }
        if self.changes.len() == MOST {
            self.omitted += 1;
            return;
        }
        let known = self.specs.iter().position(|known| known == spec).unwrap_or_else(|| {
            self.specs.push(spec.clone());
            self.specs.len() - 1
        });
        self.changes.push((at, known as u32));
    }

    fn changes(&self) -> impl Iterator<Item = (Instant, &DirectionSpec)> {
        self.changes.iter().map(|(at, spec)| (*at, &self.specs[*spec as usize]))
    }
}

impl Course {
    /// Commands took effect: `links` stand as they do since then.
    pub(super) fn note(&mut self, at: Instant, commands: &[Command], links: &LiveLinks) {
        for command in commands {
            let Command::Set(direction, _) = command else { continue };
            let Some(spec) = links.direction(*direction) else { continue };
            self.0.entry(*direction).or_default().note(at, spec);
        }
    }

    /// The changes of a direction, for the report, and how many are left out. `first`: what it was asked at first.
    pub(super) fn of(&self, direction: DirectionId, first: &DirectionSpec, zero: Instant) -> (Vec<Changed>, u64) {
        let Some(asked) = self.0.get(&direction) else { return (Vec::new(), 0) };
        let changes = asked.changes().skip_while(|(_, spec)| *spec == first);
        (changes.map(|(at, spec)| Changed::new(since(at, zero), spec)).collect(), asked.omitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Duration;

    fn mtu(mtu: u32) -> DirectionSpec {
        DirectionSpec { mtu: Some(mtu), ..DirectionSpec::default() }
    }

    #[test]
    fn what_goes_to_and_fro_is_kept_once() {
        let (mut asked, mut now) = (Asked::default(), Instant::ZERO);
        for n in 0..3_000 {
            asked.note(now, &mtu(1_000 + n % 2));
            now += Duration::from_secs(1);
        }
        assert_eq!((asked.specs.len(), asked.changes().count(), asked.omitted), (2, MOST, 2_000));
        assert_eq!(asked.changes().map(|(_, spec)| spec.mtu).nth(501), Some(Some(1_001)));
    }

    #[test]
    fn what_changes_nothing_is_no_change_and_an_instant_has_one() {
        let mut asked = Asked::default();
        let at = |ns| Instant::from_nanos(ns);
        [(1, 1_000), (2, 1_000), (3, 1_100), (3, 1_200), (4, 1_200)]
            .iter()
            .for_each(|(ns, size)| asked.note(at(*ns), &mtu(*size)));
        let kept: Vec<_> = asked.changes().map(|(at, spec)| (at.as_nanos(), spec.mtu)).collect();
        assert_eq!(kept, [(1, Some(1_000)), (3, Some(1_200))]);
    }
}
