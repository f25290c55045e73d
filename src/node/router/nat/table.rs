//! The state of a translator: mappings, the sessions that keep them alive, and when those end.
//!
//! A **mapping** ties an inside endpoint to an outside one. A **session** is a pair of an inside and a remote endpoint that
//! uses it (RFC 2663 §2.3, RFC 4787 §2); it is what filters let in. A mapping ends with its last session.

use core::net::Ipv4Addr;
use std::collections::{BTreeSet, HashMap};

use super::Hashing;
use super::slab::Slab;
use crate::node::router::connection::Connection;
use crate::units::Instant;
use crate::wire::rewrite::Endpoint;

/// No endpoint: where something does not depend on one.
pub(super) const ANY: Endpoint = Endpoint { address: Ipv4Addr::UNSPECIFIED, port: 0 };

/// Protocol and two endpoints in one number, which hashes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u128);

impl Key {
    pub(super) fn new(protocol: u8, near: Endpoint, far: Endpoint) -> Key {
        let bits = |end: Endpoint| u128::from(u32::from(end.address)) << 16 | u128::from(end.port);
        Key(u128::from(protocol) << 96 | bits(near) << 48 | bits(far))
    }
}

/// An inside endpoint and its outside one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapping {
    pub protocol: u8,
    pub inside: Endpoint,
    pub outside: Endpoint,
    /// Under which packets from inside find it.
    pub key: Key,
    /// Under which packets from outside find it.
    pub outside_key: Key,
    /// A static forward: it never ends.
    pub fixed: bool,
    /// The latest end of its sessions, as far as packets from inside set it.
    pub expires: Instant,
    sessions: u32,
}

impl Mapping {
    pub(super) fn new(protocol: u8, inside: Endpoint, outside: Endpoint, key: Key, outside_key: Key) -> Mapping {
        Mapping { protocol, inside, outside, key, outside_key, fixed: false, expires: Instant::ZERO, sessions: 0 }
    }
}

/// An inside and a remote endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    key: Key,
    pub mapping: u32,
    remote: Ipv4Addr,
    pub connection: Connection,
    /// The last instant at which it is there.
    expires: Instant,
    /// Under which instant it stands among the deadlines: not after its end.
    queued: Instant,
}

/// Mappings and sessions.
#[derive(Debug)]
pub(super) struct Table {
    mappings: Slab<Mapping>,
    sessions: Slab<Session>,
    by_inside: HashMap<Key, u32, Hashing>,
    by_outside: HashMap<Key, u32, Hashing>,
    by_flow: HashMap<Key, u32, Hashing>,
    /// How many sessions a mapping has with an address: what address-dependent filters ask for.
    peers: HashMap<(u32, Ipv4Addr), u32, Hashing>,
    /// When to look at which session. Packets only move its end; it is put back if it has moved by then.
    deadlines: BTreeSet<(Instant, u32)>,
    fixed: usize,
}

impl Table {
    pub(super) fn new() -> Table {
        Table {
            mappings: Slab::new(),
            sessions: Slab::new(),
            by_inside: HashMap::default(),
            by_outside: HashMap::default(),
            by_flow: HashMap::default(),
            peers: HashMap::default(),
            deadlines: BTreeSet::new(),
            fixed: 0,
        }
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Mappings that are not static forwards, those included that have ended since the last [`Table::settle`].
    pub(super) fn dynamic(&self) -> usize {
        self.mappings.len() - self.fixed
    }

    /// How many of them have not ended at `now`.
    pub(super) fn live(&self, now: Instant) -> usize {
        let mut seen: Vec<u32> =
            self.sessions.each().filter(|session| session.expires >= now).map(|session| session.mapping).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.into_iter().filter(|id| self.mappings.get(*id).is_some_and(|mapping| !mapping.fixed)).count()
    }

    pub(super) fn mapping(&self, id: u32) -> Option<&Mapping> {
        self.mappings.get(id)
    }

    pub(super) fn session(&self, id: u32) -> Option<&Session> {
        self.sessions.get(id)
    }

    pub(super) fn find_inside(&self, key: Key) -> Option<u32> {
        self.by_inside.get(&key).copied()
    }

    pub(super) fn find_outside(&self, key: Key) -> Option<u32> {
        self.by_outside.get(&key).copied()
    }

    pub(super) fn find_flow(&self, key: Key) -> Option<u32> {
        self.by_flow.get(&key).copied()
    }

    pub(super) fn has_peer(&self, mapping: u32, remote: Ipv4Addr) -> bool {
        self.peers.contains_key(&(mapping, remote))
    }

    /// Mappings and their outside endpoints, but for static forwards.
    pub(super) fn outside_endpoints(&self) -> impl Iterator<Item = (Key, Endpoint)> {
        self.mappings.each().filter(|mapping| !mapping.fixed).map(|mapping| (mapping.key, mapping.outside))
    }

    /// Adds a mapping, which is to get a session at once, or is fixed and found from outside alone.
    pub(super) fn map(&mut self, mapping: Mapping) -> u32 {
        let id = self.mappings.insert(mapping);
        self.by_outside.insert(mapping.outside_key, id);
        if mapping.fixed {
            self.fixed += 1;
        } else {
            self.by_inside.insert(mapping.key, id);
        }
        id
    }

    /// Adds a session of a mapping, with its last instant.
    pub(super) fn open(&mut self, key: Key, mapping: u32, remote: Ipv4Addr, expires: Instant) -> u32 {
        let session = Session { key, mapping, remote, connection: Connection::default(), expires, queued: expires };
        let id = self.sessions.insert(session);
        self.by_flow.insert(key, id);
        *self.peers.entry((mapping, remote)).or_insert(0) += 1;
        if let Some(mapping) = self.mappings.get_mut(mapping) {
            mapping.sessions += 1;
        }
        self.deadlines.insert((expires, id));
        id
    }

    /// The connection of a session, to show it a segment.
    pub(super) fn connection(&mut self, id: u32) -> Option<&mut Connection> {
        self.sessions.get_mut(id).map(|session| &mut session.connection)
    }

    /// Sets a session's last instant, to one that is not before now; with `mapping` its mapping lasts as long.
    pub(super) fn last_until(&mut self, id: u32, expires: Instant, mapping: bool) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.expires = expires;
        if expires < session.queued {
            // earlier than it would be looked at: a connection has closed
            self.deadlines.remove(&(session.queued, id));
            session.queued = expires;
            self.deadlines.insert((expires, id));
        }
        if let Some(mapping) = self.mappings.get_mut(session.mapping).filter(|_| mapping) {
            mapping.expires = mapping.expires.max(expires);
        }
    }

    /// Ends what has ended before `now`. `ended` learns of each mapping that ends with it.
    pub(super) fn settle(&mut self, now: Instant, mut ended: impl FnMut(Mapping)) {
        while let Some((at, id)) = self.deadlines.first().copied().filter(|(at, _)| *at < now) {
            self.deadlines.remove(&(at, id));
            match self.sessions.get_mut(id) {
                Some(session) if session.expires >= now => {
                    session.queued = session.expires;
                    self.deadlines.insert((session.expires, id));
                }
                _ => self.close(id, &mut ended),
            }
        }
    }

    fn close(&mut self, id: u32, ended: &mut impl FnMut(Mapping)) {
        let Some(session) = self.sessions.remove(id) else { return };
        self.by_flow.remove(&session.key);
        let peer = (session.mapping, session.remote);
        if let Some(count) = self.peers.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                self.peers.remove(&peer);
            }
        }
        let Some(mapping) = self.mappings.get_mut(session.mapping) else { return };
        mapping.sessions -= 1;
        if mapping.sessions == 0 && !mapping.fixed {
            let mapping = *mapping;
            self.mappings.remove(session.mapping);
            self.by_inside.remove(&mapping.key);
            self.by_outside.remove(&mapping.outside_key);
            ended(mapping);
        }
    }

    #[cfg(test)]
    pub(super) fn deadlines(&self) -> usize {
        self.deadlines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Duration;

    fn end(last: u8, port: u16) -> Endpoint {
        Endpoint { address: Ipv4Addr::new(10, 0, 0, last), port }
    }

    #[test]
    fn a_mapping_ends_with_its_last_session_one_nanosecond_behind_its_last_instant() {
        let mut table = Table::new();
        let (key, outside_key) = (Key::new(17, end(1, 1), ANY), Key::new(17, end(9, 9), ANY));
        let mapping = table.map(Mapping::new(17, end(1, 1), end(9, 9), key, outside_key));
        let at = |ns| Instant::ZERO + Duration::from_nanos(ns);
        table.open(Key::new(17, end(1, 1), end(2, 2)), mapping, end(2, 2).address, at(100));
        let second = table.open(Key::new(17, end(1, 1), end(3, 3)), mapping, end(3, 3).address, at(100));
        table.last_until(second, at(200), true);
        let mut ended = 0;
        table.settle(at(100), |_| ended += 1);
        assert_eq!((ended, table.sessions(), table.live(at(100))), (0, 2, 1));
        table.settle(at(101), |_| ended += 1);
        assert_eq!((ended, table.sessions(), table.has_peer(mapping, end(2, 2).address)), (0, 1, false));
        assert_eq!((table.live(at(200)), table.live(at(201))), (1, 0));
        table.settle(at(200), |_| ended += 1);
        assert_eq!((ended, table.find_inside(key), table.find_outside(outside_key)), (0, Some(mapping), Some(mapping)));
        table.settle(at(201), |_| ended += 1);
        assert_eq!((ended, table.find_inside(key), table.find_outside(outside_key)), (1, None, None));
        assert_eq!((table.dynamic(), table.deadlines()), (0, 0));
    }

    #[test]
    fn an_earlier_end_counts_at_once() {
        let mut table = Table::new();
        let mapping =
            table.map(Mapping::new(6, end(1, 1), end(9, 9), Key::new(6, end(1, 1), ANY), Key::new(6, end(9, 9), ANY)));
        let at = |ns| Instant::ZERO + Duration::from_nanos(ns);
        let session = table.open(Key::new(6, end(1, 1), end(2, 2)), mapping, end(2, 2).address, at(1000));
        table.last_until(session, at(50), true);
        assert_eq!(table.deadlines(), 1);
        table.settle(at(51), |_| {});
        assert_eq!((table.dynamic(), table.deadlines()), (0, 0));
    }

    #[test]
    fn keys_are_told_apart_by_every_part() {
        let keys = [
            Key::new(6, end(1, 1), end(2, 2)),
            Key::new(17, end(1, 1), end(2, 2)),
            Key::new(6, end(3, 1), end(2, 2)),
            Key::new(6, end(1, 3), end(2, 2)),
            Key::new(6, end(1, 1), end(3, 2)),
            Key::new(6, end(1, 1), end(2, 3)),
        ];
        assert!((0..keys.len()).all(|a| (0..a).all(|b| keys[a] != keys[b])));
    }
}
