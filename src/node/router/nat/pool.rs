//! Outside addresses and their ports: who gets which (RFC 4787 §4.1 REQ-2, §4.2).

use core::net::Ipv4Addr;
use std::collections::HashMap;

use rand_xoshiro::rand_core::Rng;

use super::Hashing;
use super::ports::{Ports, Wanted};
use super::spec::{NatSpec, Pooling, PortAssignment};
use super::table::Key;
use crate::rng::StreamKey;
use crate::units::Instant;
use crate::wire::rewrite::Endpoint;

/// Protocols with ports, by number: TCP, UDP, ICMP with its identifiers, DCCP, UDP-Lite.
const PROTOCOLS: [u8; 5] = [6, 17, 1, 33, 136];
const ICMP: u8 = 1;

/// The outside addresses of a translator, and what of them is taken.
#[derive(Debug)]
pub(super) struct Pool {
    addresses: Vec<Ipv4Addr>,
    /// The address at which turns begin.
    base: usize,
    /// Taken ports, by address and protocol; made when first needed.
    taken: Vec<Option<Ports>>,
    /// The port given out last, by address and protocol.
    last: Vec<Option<u16>>,
    /// Inside hosts with a mapping.
    hosts: HashMap<Ipv4Addr, Host, Hashing>,
    /// Inside hosts that got an address so far: its turn.
    turns: usize,
    /// Mappings made so far: the numbers of random draws.
    made: u64,
    random: StreamKey,
    /// What flows had before a rebind: none of them gets the same again at once.
    before: HashMap<Key, Endpoint, Hashing>,
    /// When that no longer matters; from the first packet behind the rebind.
    before_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Host {
    mappings: u32,
    /// Which address it has, with paired pooling.
    address: usize,
}

/// Who asks for an outside endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    pub key: Key,
    pub protocol: u8,
    pub inside: Endpoint,
}

impl Pool {
    pub(super) fn new(addresses: &[Ipv4Addr], random: StreamKey) -> Pool {
        let places = addresses.len() * PROTOCOLS.len();
        Pool {
            addresses: addresses.to_vec(),
            base: 0,
            taken: (0..places).map(|_| None).collect(),
            last: vec![None; places],
            hosts: HashMap::default(),
            turns: 0,
            made: 0,
            random,
            before: HashMap::default(),
            before_until: None,
        }
    }

    pub(super) fn addresses(&self) -> &[Ipv4Addr] {
        &self.addresses
    }

    /// The address that has the first turn.
    pub(super) fn base(&self) -> usize {
        self.base
    }

    /// Mappings made so far.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Gives an inside endpoint an outside one. `is_free` says whether an address is free for a protocol without ports.
    /// `None` when there is none, or the host has as many mappings as it may.
    pub(super) fn assign(
        &mut self,
        now: Instant,
        spec: &NatSpec,
        asking: Asking,
        is_free: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<Endpoint> {
        let count = self.addresses.len();
        let host = self.hosts.get(&asking.inside.address).copied();
        let mappings = host.map_or(0, |host| host.mappings);
        if count == 0 || spec.host_limit.is_some_and(|limit| mappings >= limit) {
            return None;
        }
        self.forget_before(now, spec);
        let (first, tries) = match (spec.pooling, host) {
            (Pooling::Paired, Some(host)) => (host.address, 1),
            (Pooling::Paired, None) => ((self.base + self.turns) % count, 1),
            (Pooling::Arbitrary, _) => ((self.base + (self.made % count as u64) as usize) % count, count),
        };
        let (address, port) = (first..first + tries).map(|n| n % count).find_map(|address| {
            match PROTOCOLS.iter().position(|protocol| *protocol == asking.protocol) {
                Some(protocol) => self.port(spec, address, protocol, asking).map(|port| (address, port)),
                None => is_free(self.addresses[address]).then_some((address, 0)),
            }
        })?;
        if host.is_none() {
            self.turns += 1;
        }
        self.hosts.insert(asking.inside.address, Host { mappings: mappings + 1, address });
        self.made += 1;
        self.before.remove(&asking.key);
        Some(Endpoint { address: self.addresses[address], port })
    }

    fn port(&mut self, spec: &NatSpec, address: usize, protocol: usize, asking: Asking) -> Option<u16> {
        // identifiers are no ports: RFC 5508 knows no range of them
        let range = if asking.protocol == ICMP { (0, u16::MAX) } else { (spec.ports.first, spec.ports.last) };
        let before = self.before.get(&asking.key).filter(|before| before.address == self.addresses[address]);
        let place = address * PROTOCOLS.len() + protocol;
        let start = match spec.port_assignment {
            PortAssignment::Preserve => asking.inside.port,
            PortAssignment::Sequential => match self.last[place] {
                Some(last) if last < range.1 => last + 1,
                _ => range.0,
            },
            PortAssignment::Random => {
                let size = u128::from(range.1 - range.0) + 1;
                let draw = self.random.frame(self.made, 0).next_u64();
                range.0 + ((u128::from(draw) * size) >> 64) as u16
            }
        };
        // RFC 4787 §4.2.2 is about RTP, which is UDP
        let parity = (spec.parity && matches!(asking.protocol, 17 | 136)).then_some(asking.inside.port);
        let wanted = Wanted { range, start, avoid: before.map(|before| before.port) };
        let port = self.taken[place].get_or_insert_with(Ports::new).take_next(wanted, parity)?;
        self.last[place] = Some(port);
        Some(port)
    }

    /// Takes an endpoint out of what is given out: a static forward has it.
    pub(super) fn reserve(&mut self, protocol: u8, outside: Endpoint) {
        if let Some(place) = self.place(protocol, outside.address) {
            self.taken[place].get_or_insert_with(Ports::new).take(outside.port);
        }
    }

    /// A mapping has ended.
    pub(super) fn release(&mut self, protocol: u8, inside: Ipv4Addr, outside: Endpoint) {
        if let Some(taken) = self.place(protocol, outside.address).and_then(|place| self.taken[place].as_mut()) {
            taken.free(outside.port);
        }
        if let Some(host) = self.hosts.get_mut(&inside) {
            host.mappings -= 1;
            if host.mappings == 0 {
                self.hosts.remove(&inside);
            }
        }
    }

    fn place(&self, protocol: u8, address: Ipv4Addr) -> Option<usize> {
        let protocol = PROTOCOLS.iter().position(|known| *known == protocol)?;
        let address = self.addresses.iter().position(|known| *known == address)?;
        Some(address * PROTOCOLS.len() + protocol)
    }

    /// All mappings are gone, which were these; turns begin at the next address. `most` bounds what is remembered.
    pub(super) fn rebind(&mut self, had: impl Iterator<Item = (Key, Endpoint)>, most: usize) {
        self.base = (self.base + 1) % self.addresses.len().max(1);
        self.turns = 0;
        self.taken.iter_mut().for_each(|taken| *taken = None);
        self.hosts.clear();
        if self.before.len() > most {
            self.before.clear();
        }
        self.before.extend(had);
        self.before_until = None;
    }

    /// Nobody remembers what a flow had before the rebind once its mapping would have ended of itself.
    fn forget_before(&mut self, now: Instant, spec: &NatSpec) {
        if self.before.is_empty() {
            return;
        }
        let until = *self.before_until.get_or_insert(now + spec.timeouts.longest());
        if now > until {
            self.before.clear();
        }
    }
}
