//! The order of events: by time, then by rank. Each direction stands in it at most once, with its next event.
//!
//! An indexed 4-ary heap: a direction's entry moves up or down when its next event changes, so that the heap never holds
//! more than one entry a direction, however many frames are on their way.

use crate::units::Instant;

const ARITY: usize = 4;
const ABSENT: u32 = u32::MAX;

/// The next event of each direction, earliest first.
#[derive(Debug)]
pub(crate) struct EventQueue {
    heap: Vec<(Instant, u32)>,
    /// Where each rank stands in the heap.
    position: Vec<u32>,
}

impl EventQueue {
    /// A queue for ranks 0…`ranks` − 1, none of which has an event yet.
    pub(crate) fn new(ranks: usize) -> EventQueue {
        assert!(ranks < ABSENT as usize, "fewer than 2^32 directions");
        EventQueue { heap: Vec::with_capacity(ranks), position: vec![ABSENT; ranks] }
    }

    /// The earliest event: its time and rank.
    pub(crate) fn first(&self) -> Option<(Instant, u32)> {
        self.heap.first().copied()
    }

    /// Sets or clears the next event of a rank.
    pub(crate) fn set(&mut self, rank: u32, at: Option<Instant>) {
        let position = self.position[rank as usize];
        match (position, at) {
            (ABSENT, None) => {}
            (ABSENT, Some(at)) => {
                self.heap.push((at, rank));
                self.rise(self.heap.len() - 1);
            }
            (position, Some(at)) => {
                let position = position as usize;
                let before = std::mem::replace(&mut self.heap[position].0, at);
                if at < before {
                    self.rise(position);
                } else if at > before {
                    self.sink(position);
                }
            }
            (position, None) => {
                let position = position as usize;
                self.position[rank as usize] = ABSENT;
                let last = self.heap.pop().expect("the heap holds this rank");
                if position < self.heap.len() {
                    self.heap[position] = last;
                    self.position[last.1 as usize] = position as u32;
                    self.rise(position);
                    self.sink(self.position[last.1 as usize] as usize);
                }
            }
        }
    }

    fn rise(&mut self, mut position: usize) {
        let entry = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(position, self.heap[parent]);
            position = parent;
        }
        self.put(position, entry);
    }

    fn sink(&mut self, mut position: usize) {
        let entry = self.heap[position];
        loop {
            let first = position * ARITY + 1;
            let children = first..(first + ARITY).min(self.heap.len());
            let Some(least) = children.min_by_key(|child| self.heap[*child]) else { break };
            if entry <= self.heap[least] {
                break;
            }
            self.put(position, self.heap[least]);
            position = least;
        }
        self.put(position, entry);
    }

    fn put(&mut self, position: usize, entry: (Instant, u32)) {
        self.heap[position] = entry;
        self.position[entry.1 as usize] = position as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_sorted_list(steps in prop::collection::vec((0u32..20, prop::option::of(0u64..50)), 1..300)) {
            let mut queue = EventQueue::new(20);
            let mut list: Vec<Option<u64>> = vec![None; 20];
            for (rank, at) in steps {
                queue.set(rank, at.map(Instant::from_nanos));
                list[rank as usize] = at;
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
        }
    }
}
