//! A map that forgets: entries end after some silence, and there are never more than a limit.
//!
//! An entry belongs to a class, and all of a class are kept equally long. So each class is a list in the order in which its
//! entries were last heard, whose oldest is also the first to end: nothing is ever searched or walked, and no timer runs.
//! What has ended is taken out when something new comes in.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash};

use xxhash_rust::xxh3::Xxh3Default;

use crate::units::{Duration, Instant};

/// No slot.
const NONE: u32 = u32::MAX;

/// How long entries of a class live, and what becomes of them in need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// An entry that was not heard for so long has ended: it is there up to, but not at, this time after.
    pub(crate) timeout: Duration,
    /// Whether its oldest entry makes room for a new one when the map is full.
    pub(crate) gives_way: bool,
}

/// An entry, until the next one is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

/// A bounded map of entries that end.
#[derive(Debug)]
pub(crate) struct Expiring<K, V> {
    /// Looked up only, never walked: its order is not defined.
    places: HashMap<K, u32, BuildHasherDefault<Xxh3Default>>,
    slots: Vec<Slot<K, V>>,
    free: Vec<u32>,
    lists: Vec<List>,
    limit: usize,
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    heard: Instant,
    class: usize,
    older: u32,
    newer: u32,
}

/// The entries of a class, from the one that was heard longest ago.
#[derive(Debug)]
struct List {
    class: Class,
    oldest: u32,
    newest: u32,
}

impl<K: Copy + Eq + Hash, V> Expiring<K, V> {
    /// An empty map of at most `limit` entries. Those of the first class give way first, if they do.
    pub(crate) fn new(limit: usize, classes: &[Class]) -> Expiring<K, V> {
        let lists = classes.iter().map(|class| List { class: *class, oldest: NONE, newest: NONE }).collect();
        Expiring { places: HashMap::default(), slots: Vec::new(), free: Vec::new(), lists, limit }
    }

    /// Entries, those included that have ended and are still to be taken out.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The entry of a key, unless it has ended.
    pub(crate) fn find(&self, now: Instant, key: &K) -> Option<Place> {
        let place = *self.places.get(key)?;
        (!self.has_ended(now, place)).then_some(Place(place))
    }

    /// What an entry holds.
    pub(crate) fn value(&self, place: Place) -> &V {
        &self.slots[place.0 as usize].value
    }

    /// An entry is heard: it holds another value, and lives on in a class.
    pub(crate) fn refresh(&mut self, now: Instant, place: Place, class: usize, value: V) {
        self.unlink(place.0);
        self.slots[place.0 as usize].value = value;
        self.link(now, place.0, class);
    }

    /// Whether there is room for another entry.
    pub(crate) fn has_room(&self, now: Instant) -> bool {
        let makes_room =
            |list: &List| list.oldest != NONE && (list.class.gives_way || self.has_ended(now, list.oldest));
        self.places.len() < self.limit || self.lists.iter().any(makes_room)
    }

    /// Puts an entry in, in place of one of the same key. Says whether there was room.
    pub(crate) fn insert(&mut self, now: Instant, key: K, class: usize, value: V) -> bool {
        for list in 0..self.lists.len() {
            let oldest = self.lists[list].oldest;
            if oldest != NONE && self.has_ended(now, oldest) {
                self.remove(oldest);
            }
        }
        if let Some(place) = self.places.get(&key).copied() {
            self.refresh(now, Place(place), class, value);
            return true;
        }
        if self.places.len() >= self.limit {
            let yields = self.lists.iter().find(|list| list.class.gives_way && list.oldest != NONE);
            let Some(oldest) = yields.map(|list| list.oldest) else { return false };
            self.remove(oldest);
        }
        let slot = Slot { key, value, heard: now, class, older: NONE, newer: NONE };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).expect("limits are far below 2^32")
            }
        };
        self.places.insert(key, place);
        self.link(now, place, class);
        true
    }

    fn has_ended(&self, now: Instant, place: u32) -> bool {
        let slot = &self.slots[place as usize];
        now.saturating_since(slot.heard) >= self.lists[slot.class].class.timeout
    }

    fn remove(&mut self, place: u32) {
        self.unlink(place);
        self.places.remove(&self.slots[place as usize].key);
        self.free.push(place);
    }

    fn unlink(&mut self, place: u32) {
        let Slot { class, older, newer, .. } = self.slots[place as usize];
        match older {
            NONE => self.lists[class].oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.lists[class].newest = older,
            newer => self.slots[newer as usize].older = older,
        }
    }

    fn link(&mut self, now: Instant, place: u32, class: usize) {
        let older = std::mem::replace(&mut self.lists[class].newest, place);
        match older {
            NONE => self.lists[class].oldest = place,
            older => self.slots[older as usize].newer = place,
        }
        let slot = &mut self.slots[place as usize];
        (slot.heard, slot.class, slot.older, slot.newer) = (now, class, older, NONE);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const SHORT: usize = 0;
    const LONG: usize = 1;

    fn map(limit: usize) -> Expiring<u8, u32> {
        let class = |ns, gives_way| Class { timeout: Duration::from_nanos(ns), gives_way };
        Expiring::new(limit, &[class(10, true), class(100, false)])
    }

    fn at(ns: u64) -> Instant {
        Instant::from_nanos(ns)
    }

    fn value(map: &Expiring<u8, u32>, now: u64, key: u8) -> Option<u32> {
        map.find(at(now), &key).map(|place| *map.value(place))
    }

    #[test]
    fn an_entry_is_there_until_its_timeout() {
        let mut map = map(4);
        assert!(map.insert(at(5), 1, SHORT, 7));
        assert_eq!((value(&map, 14, 1), value(&map, 15, 1), value(&map, 5, 2)), (Some(7), None, None));
    }

    #[test]
    fn being_heard_keeps_it_and_a_class_says_how_long() {
        let mut map = map(4);
        map.insert(at(0), 1, SHORT, 7);
        let place = map.find(at(9), &1).unwrap();
        map.refresh(at(9), place, SHORT, 8);
        assert_eq!((value(&map, 18, 1), value(&map, 19, 1)), (Some(8), None));
        let place = map.find(at(18), &1).unwrap();
        map.refresh(at(18), place, LONG, 9);
        assert_eq!((value(&map, 117, 1), value(&map, 118, 1)), (Some(9), None));
    }

    #[test]
    fn of_a_full_map_the_oldest_that_gives_way_goes() {
        let mut map = map(3);
        map.insert(at(0), 1, LONG, 0);
        map.insert(at(1), 2, SHORT, 0);
        map.insert(at(2), 3, SHORT, 0);
        assert!(map.has_room(at(3)) && map.insert(at(3), 4, LONG, 0));
        assert_eq!([1, 2, 3, 4].map(|key| value(&map, 3, key).is_some()), [true, false, true, true]);
        assert!(map.insert(at(4), 5, LONG, 0));
        assert!(!map.has_room(at(5)) && !map.insert(at(5), 6, SHORT, 0), "the others do not give way");
        assert_eq!((value(&map, 5, 6), map.len()), (None, 3));
        assert!(map.has_room(at(100)) && map.insert(at(100), 6, SHORT, 0), "the first has ended");
    }

    #[test]
    fn the_same_key_takes_its_own_place() {
        let mut map = map(1);
        map.insert(at(0), 1, LONG, 7);
        assert!(map.insert(at(1), 1, SHORT, 8));
        assert_eq!((value(&map, 10, 1), value(&map, 11, 1), map.len()), (Some(8), None, 1));
    }

    proptest! {
        /// Against a plain map that keeps what was heard when.
        #[test]
        fn it_is_a_map_that_forgets(steps in proptest::collection::vec((0u8..12, 0usize..2, 0u64..8), 0..300)) {
            let mut map = map(12);
            let mut plain: BTreeMap<u8, (u64, usize, u32)> = BTreeMap::new();
            let mut now = 0;
            for (n, (key, class, later)) in steps.into_iter().enumerate() {
                now += later;
                for other in 0..12 {
                    let expected = plain.get(&other).filter(|(heard, class, _)| now - heard < [10, 100][*class]);
                    prop_assert_eq!(value(&map, now, other), expected.map(|(.., value)| *value));
                }
                match map.find(at(now), &key) {
                    Some(place) => map.refresh(at(now), place, class, n as u32),
                    None => prop_assert!(map.insert(at(now), key, class, n as u32)),
                }
                plain.insert(key, (now, class, n as u32));
                prop_assert!(map.len() <= 12 && map.slots.len() <= 12);
            }
        }
    }
}
