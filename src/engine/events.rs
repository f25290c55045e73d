//! The order of events: by time, then by rank. Each direction stands in it at most once, with its next event.
//!
//! A tournament: directions are the leaves of a tree in which each inner node knows the earliest time below it. The next
//! event of a direction changes with almost every frame, and then only the nodes above it are played again, in a few
//! steps whose reads do not depend on each other and whose choices do not branch. A tie goes to the left, where the lower
//! rank stands.

use crate::units::Instant;

/// Children of a node: eight times fill a cache line.
const ARITY: usize = 8;

/// No event.
const NEVER: u64 = u64::MAX;

/// The next event of each direction, earliest first.
#[derive(Debug)]
pub(crate) struct EventQueue {
    /// From the leaves up: the times of each rank, then of each group of eight, until a single group is left.
    rounds: Vec<Vec<[u64; ARITY]>>,
    /// The earliest of all.
    first: (u64, u32),
}

impl EventQueue {
    /// A queue for ranks 0…`ranks` − 1, none of which has an event yet.
    pub(crate) fn new(ranks: usize) -> EventQueue {
        assert!(u32::try_from(ranks).is_ok(), "fewer than 2^32 directions");
        let mut rounds = Vec::new();
        let mut groups = ranks.div_ceil(ARITY).max(1);
        loop {
            rounds.push(vec![[NEVER; ARITY]; groups]);
            if groups == 1 {
                return EventQueue { rounds, first: (NEVER, 0) };
            }
            groups = groups.div_ceil(ARITY);
        }
    }

    /// The earliest event: its time and rank.
    #[inline]
    pub(crate) fn first(&self) -> Option<(Instant, u32)> {
        (self.first.0 != NEVER).then_some((Instant::from_nanos(self.first.0), self.first.1))
    }

    /// The time of the earliest event, [`Instant::MAX`] where there is none, and its rank.
    #[inline]
    pub(crate) fn earliest(&self) -> (Instant, u32) {
        (Instant::from_nanos(self.first.0), self.first.1)
    }

    /// Sets or clears the next event of a rank. [`Instant::MAX`], which no event reaches, clears it too.
    #[inline]
    pub(crate) fn set(&mut self, rank: u32, at: Option<Instant>) {
        let own = at.map_or(NEVER, Instant::as_nanos);
        if let [leaves] = &mut self.rounds[..]
            && let [group] = &mut leaves[..]
        {
            let old = std::mem::replace(&mut group[rank as usize % ARITY], own);
            if old != own {
                self.first = first_of(group);
            }
            return;
        }
        let (mut at, mut place) = (own, rank as usize);
        for (n, round) in self.rounds.iter_mut().enumerate() {
            let group = &mut round[place / ARITY];
            if group[place % ARITY] == at {
                // nothing changes further up, but for the rank of the first where several are due at once
                if n == 0 || at > self.first.0 {
                    return;
                }
                break;
            }
            group[place % ARITY] = at;
            at = earliest(group);
            place /= ARITY;
        }
        self.first = (at, if own < self.first.0 { rank } else { self.winner(at) });
    }

    /// The rank whose event is at `at`, the earliest of all: from the top down, always to the first group that has it.
    #[inline]
    fn winner(&self, at: u64) -> u32 {
        self.rounds.iter().rev().fold(0, |place, round| place * ARITY + position(&round[place], at)) as u32
    }
}

/// The least of a group and where it stands first: all of a queue of a few ranks.
#[inline]
fn first_of(group: &[u64; ARITY]) -> (u64, u32) {
    (1..ARITY).fold((group[0], 0), |first, i| if group[i] < first.0 { (group[i], i as u32) } else { first })
}

/// The least of a group, without branches: which one it is cannot be predicted.
#[inline]
fn earliest(group: &[u64; ARITY]) -> u64 {
    let [a, b, c, d, e, f, g, h] = *group;
    a.min(b).min(c.min(d)).min(e.min(f).min(g.min(h)))
}

/// Where `at` stands first in a group that has it, without branches.
#[inline]
fn position(group: &[u64; ARITY], at: u64) -> usize {
    let found = group.iter().enumerate().fold(0u32, |found, (i, time)| found | u32::from(*time == at) << i);
    found.trailing_zeros() as usize % ARITY
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_sorted_list(
            ranks in prop::sample::select(vec![1usize, 2, 7, 8, 9, 64, 65, 600]),
            steps in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(0u64..50)), 1..300),
        ) {
            let mut queue = EventQueue::new(ranks);
            let mut list: Vec<Option<u64>> = vec![None; ranks];
            for (rank, at) in steps {
                let rank = rank.index(ranks);
                queue.set(rank as u32, at.map(Instant::from_nanos));
                list[rank] = at;
                let first = list.iter().enumerate().filter_map(|(r, at)| at.map(|at| (at, r as u32))).min();
                prop_assert_eq!(queue.first().map(|(at, rank)| (at.as_nanos(), rank)), first);
            }
            // emptied in order
            let mut before = None;
            while let Some(first) = queue.first() {
                prop_assert!(before < Some(first));
                before = Some(first);
                queue.set(first.1, None);
            }
            prop_assert!(list.iter().flatten().count() == 0 || before.is_some());
        }
    }
}
