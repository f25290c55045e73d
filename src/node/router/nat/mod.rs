//! Network address and port translation of IPv4 on a router's outside interface (NAPT, RFC 3022), with the behaviours that
//! RFC 4787 (UDP), RFC 5382 (TCP) and RFC 5508 (ICMP) tell apart. It knows bytes and time; the router calls it:
//!
//! - [`Nat::inbound`] on what came in at the outside interface, before the route is looked up
//! - [`Nat::hairpin`] on what came in elsewhere and is for an outside address, before the router takes it for its own
//! - [`Nat::outbound`] on what leaves by the outside interface, the router's own packets included, after the route
//!
//! All three get the head of a frame that nothing else shares, rewrite it in place with its checksums (RFC 1624, see
//! [`crate::wire::rewrite`]), or say why the frame has to be dropped. A train's head stands for all of its wire frames.
//!
//! | file | what |
//! |---|---|
//! | `spec` | what a scenario says |
//! | `table` | mappings, sessions and their ends |
//! | `pool` `ports` | outside addresses and ports, and who gets which |
//! | `fragments` | where later fragments go |
//!
//! What it does where RFCs leave room, or ask for more:
//!
//! - **IPv6 passes as it is**; so do ARP and what is not IP.
//! - **Ports are never shared** (no overloading, RFC 4787 REQ-3), not even toward different destinations, as Linux does.
//! - **Unsolicited packets are dropped in silence**, TCP's SYN included (RFC 5382 REQ-4 forbids an answer within 6 s; the ICMP error
//!   that should follow is left out, as firewalls do). Echo requests to an outside address are the router's own to answer.
//! - **Packets from outside for inside addresses are dropped**: outside there is no route to them.
//! - **ICMP errors** pass if the packet inside belongs to a mapping; they neither refresh nor end anything (RFC 5508 REQ-7, REQ-8).
//!   Their checksums are not verified, since the end may be elsewhere; a wrong one stays wrong, so the host drops it.
//! - **Protocols without ports** (GRE, ESP, and SCTP, whose checksum covers the ports) are translated by address: one inside host at a
//!   time for each outside and remote address; a second one finds it taken (`nat_full`).
//! - **A reset opens nothing**; any other TCP segment does, so that a connection goes on behind [`Nat::rebind`], from another port.
//! - **Later fragments that come before their first** are dropped (`nat_fragment`): nothing is held back (RFC 4787 REQ-14 asks for it).
//! - Payloads are not looked at: there are no application-level gateways (RFC 4787 REQ-10).

mod fragments;
mod pool;
mod ports;
mod slab;
mod spec;
mod table;

use core::net::Ipv4Addr;
use std::hash::BuildHasherDefault;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

pub use spec::{
    Dependence, Forward, ForwardProtocol, Hairpinning, InsideNet, Ipv6, NatSpec, NatType, Pooling, PortAssignment,
    PortRange, Target, Timeouts,
};

use crate::frame::DropCause;
use crate::rng::StreamKey;
use crate::units::{Duration, Instant};
use crate::wire::gso::PartialChecksum;
use crate::wire::rewrite::{Endpoint, Flow, Kind, Packet, Side};
use crate::wire::tcp::{self, Flags};
use fragments::Fragments;
use pool::{Asking, Pool};
use table::{ANY, Key, Mapping, Table};

/// Looked up only, never walked.
type Hashing = BuildHasherDefault<Xxh3Default>;

/// What became of a packet that was not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translation {
    /// It was rewritten.
    Done,
    /// It passes as it is: it is none of the translator's.
    NotMine,
}

/// What a translator has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatCounters {
    /// Mappings that were made. Static forwards are not counted, here and below.
    pub made: u64,
    /// Mappings that are there.
    pub live: u64,
    /// The most that there were at a time.
    pub peak: u64,
    /// Mappings that ended by a timeout.
    pub expired: u64,
    /// How often all were forgotten by a command.
    pub rebinds: u64,
    /// Frames that were translated, either way, those of static forwards among them.
    #[serde(default)]
    pub translated: u64,
    /// IPv6 frames that passed between inside and outside: they are not translated.
    #[serde(default)]
    pub ipv6: u64,
}

/// A translator at work.
#[derive(Debug)]
pub struct Nat {
    spec: NatSpec,
    pool: Pool,
    table: Table,
    /// Static forwards by protocol and inside endpoint: the mapping at the address whose turn it is.
    forwards: Vec<(Key, u32)>,
    fragments: Fragments,
    peak: u64,
    expired: u64,
    rebinds: u64,
}

/// A direction through the translator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Outward,
    Inward,
}

impl Nat {
    /// A translator without mappings. `addresses` are those of the outside interface; with none, nothing gets out. Random
    /// ports are drawn from `random`, by the mapping's number.
    pub fn new(spec: &NatSpec, addresses: &[Ipv4Addr], random: StreamKey) -> Nat {
        let mut nat = Nat {
            spec: spec.clone(),
            pool: Pool::new(addresses, random),
            table: Table::new(),
            forwards: Vec::new(),
            fragments: Fragments::default(),
            peak: 0,
            expired: 0,
            rebinds: 0,
        };
        nat.install_forwards();
        nat
    }

    fn install_forwards(&mut self) {
        self.forwards.clear();
        let addresses = self.pool.addresses().to_vec();
        for forward in &self.spec.forward {
            let protocol = forward.protocol.number();
            let (address, port) = forward.target();
            let inside = Endpoint { address, port };
            let key = Key::new(protocol, inside, ANY);
            for (position, address) in addresses.iter().enumerate() {
                let outside = Endpoint { address: *address, port: forward.port };
                self.pool.reserve(protocol, outside);
                let mut mapping = Mapping::new(protocol, inside, outside, key, Key::new(protocol, outside, ANY));
                (mapping.fixed, mapping.expires) = (true, Instant::MAX);
                let id = self.table.map(mapping);
                if position == self.pool.base() && self.forwards.iter().all(|(known, _)| *known != key) {
                    self.forwards.push((key, id));
                }
            }
        }
    }

    /// Whether an address is one of the outside addresses.
    pub fn is_outside(&self, address: Ipv4Addr) -> bool {
        self.pool.addresses().contains(&address)
    }

    fn is_inside(&self, address: Ipv4Addr) -> bool {
        self.spec.inside.is_empty() || self.spec.inside.iter().any(|net| net.0.contains(&address))
    }

    /// Translates a packet that leaves by the outside interface: its source gets an outside endpoint. `l3` is the offset of
    /// the IP header in `head`, `partial` the checksum that is left to be completed.
    ///
    /// # Errors
    /// Why the packet has to be dropped.
    pub fn outbound(
        &mut self,
        now: Instant,
        head: &mut [u8],
        l3: usize,
        partial: Option<PartialChecksum>,
    ) -> Result<Translation, DropCause> {
        self.settle(now);
        let Some(packet) = Packet::in_frame(head, l3, partial) else { return Ok(Translation::NotMine) };
        let own = self.is_outside(packet.flow.src.address);
        let flags = match packet.kind {
            Kind::Error => return self.error_outbound(head, &packet, own),
            _ if own || !self.is_inside(packet.flow.src.address) => return Ok(Translation::NotMine),
            Kind::LaterFragment => return self.later_fragment(now, head, &packet, Side::Source),
            Kind::Short => return Err(DropCause::Malformed),
            // there was no question that it could answer
            Kind::Reply | Kind::Icmp => return Err(DropCause::NatNoMapping),
            Kind::Tcp(flags) => Some(flags),
            Kind::Ports | Kind::Request | Kind::Other => None,
        };
        let session = self.session_outbound(now, &packet, flags)?;
        self.refresh(now, session, Way::Outward, packet.flow.protocol, flags);
        let mapping = self.table.session(session).and_then(|session| self.table.mapping(session.mapping));
        let outside = mapping.expect("a session has a mapping").outside;
        self.first_fragment(now, &packet, outside.address);
        packet.set(head, Side::Source, outside);
        Ok(Translation::Done)
    }

    /// Translates a packet that came in at the outside interface: its destination becomes the inside endpoint. One for
    /// the router itself is left alone.
    ///
    /// # Errors
    /// Why the packet has to be dropped.
    pub fn inbound(
        &mut self,
        now: Instant,
        head: &mut [u8],
        l3: usize,
        partial: Option<PartialChecksum>,
    ) -> Result<Translation, DropCause> {
        self.settle(now);
        let Some(packet) = Packet::in_frame(head, l3, partial) else { return Ok(Translation::NotMine) };
        let Flow { protocol, src: remote, dst: outside } = packet.flow;
        if !self.is_outside(outside.address) {
            let own = outside.address.is_multicast() || outside.address.is_broadcast();
            let hidden = !own && self.is_inside(outside.address);
            return if hidden { Err(DropCause::NatNoMapping) } else { Ok(Translation::NotMine) };
        }
        let flags = match packet.kind {
            Kind::Error => return self.error_inbound(head, &packet),
            Kind::LaterFragment => return self.later_fragment(now, head, &packet, Side::Destination),
            Kind::Short => return Err(DropCause::Malformed),
            Kind::Request | Kind::Icmp => return Ok(Translation::NotMine),
            Kind::Tcp(flags) => Some(flags),
            Kind::Ports | Kind::Reply | Kind::Other => None,
        };
        let id = self.table.find_outside(outside_key(packet.kind, protocol, outside, remote));
        let id = id.ok_or(DropCause::NatNoMapping)?;
        let inside = self.table.mapping(id).expect("it was found").inside;
        let flow = Flow { protocol, src: remote, dst: inside };
        if let Some(session) = self.session_inbound(now, id, flow, flags)? {
            self.refresh(now, session, Way::Inward, protocol, flags);
        }
        self.first_fragment(now, &packet, inside.address);
        packet.set(head, Side::Destination, inside);
        Ok(Translation::Done)
    }

    /// Translates a packet from inside that is for an outside address, at both ends, so that the receiver sees the sender's
    /// outside endpoint (RFC 4787 REQ-9 a). One that no mapping waits for is the router's own, and left alone.
    ///
    /// # Errors
    /// Why the packet has to be dropped.
    pub fn hairpin(
        &mut self,
        now: Instant,
        head: &mut [u8],
        l3: usize,
        partial: Option<PartialChecksum>,
    ) -> Result<Translation, DropCause> {
        self.settle(now);
        let Some(packet) = Packet::in_frame(head, l3, partial) else { return Ok(Translation::NotMine) };
        let Flow { protocol, src, dst } = packet.flow;
        if !self.is_outside(dst.address) || self.is_outside(src.address) {
            return Ok(Translation::NotMine);
        }
        let waits = match packet.kind {
            Kind::Tcp(_) | Kind::Ports => self.table.find_outside(Key::new(protocol, dst, ANY)).is_some(),
            Kind::Error | Kind::LaterFragment => true,
            Kind::Short | Kind::Request | Kind::Reply | Kind::Icmp | Kind::Other => false,
        };
        if !waits {
            return Ok(Translation::NotMine);
        }
        if self.spec.hairpinning == Hairpinning::Off {
            return Err(DropCause::NatFiltered);
        }
        self.outbound(now, head, l3, partial)?;
        self.inbound(now, head, l3, partial)
    }

    /// Forgets all mappings, as after a reboot or a new address: the next packet of each flow gets another outside endpoint
    /// than it had, from the next outside address if there are several. Static forwards stay. Protocols without
    /// ports get another only with another address.
    pub fn rebind(&mut self) {
        let table = std::mem::replace(&mut self.table, Table::new());
        self.pool.rebind(table.outside_endpoints(), self.spec.limit as usize);
        self.fragments = Fragments::default();
        self.rebinds += 1;
        self.install_forwards();
    }

    /// What was done so far.
    pub fn counters(&self, now: Instant) -> NatCounters {
        let live = self.table.live(now) as u64;
        let ended_since = self.table.dynamic() as u64 - live;
        NatCounters {
            made: self.pool.made(),
            live,
            peak: self.peak,
            expired: self.expired + ended_since,
            rebinds: self.rebinds,
            ..NatCounters::default()
        }
    }

    /// Ends what has ended by now.
    fn settle(&mut self, now: Instant) {
        let (pool, expired) = (&mut self.pool, &mut self.expired);
        self.table.settle(now, |mapping| {
            pool.release(mapping.protocol, mapping.inside.address, mapping.outside);
            *expired += 1;
        });
    }

    /// The session of a packet from inside, with its mapping: those that are there, or new ones.
    fn session_outbound(&mut self, now: Instant, packet: &Packet, flags: Option<Flags>) -> Result<u32, DropCause> {
        let Flow { protocol, src: inside, dst: remote } = packet.flow;
        let flow = Key::new(protocol, inside, remote);
        if let Some(session) = self.table.find_flow(flow) {
            return Ok(session);
        }
        if flags.is_some_and(|flags| flags.contains(Flags::RST)) {
            return Err(DropCause::NatNoMapping);
        }
        if self.table.sessions() >= self.spec.limit as usize {
            return Err(DropCause::NatFull);
        }
        let key = Key::new(protocol, inside, seen_by(self.mapping_of(packet.kind), remote));
        let mapping = match self.table.find_inside(key).or_else(|| self.forward_from(protocol, inside)) {
            Some(mapping) => mapping,
            None => self.map(now, packet, key)?,
        };
        Ok(self.table.open(flow, mapping, remote.address, now + self.timeout(protocol, false)))
    }

    /// The session of a packet from outside, if the mapping's filter lets it in: that which is there, or a new one. `None` if
    /// it passes beside the session that the two have by another mapping. `flow` leads to the inside endpoint.
    fn session_inbound(
        &mut self,
        now: Instant,
        mapping: u32,
        flow: Flow,
        flags: Option<Flags>,
    ) -> Result<Option<u32>, DropCause> {
        let Flow { protocol, src: remote, dst: inside } = flow;
        let key = Key::new(protocol, inside, remote);
        let session = self.table.find_flow(key);
        if session.and_then(|id| self.table.session(id)).is_some_and(|session| session.mapping == mapping) {
            return Ok(session);
        }
        let Mapping { fixed, expires, .. } = *self.table.mapping(mapping).expect("it was found");
        let passes = fixed
            || match self.spec.filtering {
                Dependence::EndpointIndependent => true,
                Dependence::AddressDependent => self.table.has_peer(mapping, remote.address),
                Dependence::AddressAndPortDependent => false,
            };
        if !passes || flags.is_some_and(|flags| flags.contains(Flags::RST)) {
            return Err(DropCause::NatFiltered);
        }
        if session.is_some() {
            // a second connection of the same two endpoints: there would be no telling the answers apart
            return if protocol == tcp::PROTOCOL { Err(DropCause::NatFull) } else { Ok(None) };
        }
        if self.table.sessions() >= self.spec.limit as usize {
            return Err(DropCause::NatFull);
        }
        let own = now + self.timeout(protocol, false);
        // what comes from outside alone does not make a mapping last
        let until = if self.refreshes(Way::Inward, protocol) { own } else { own.min(expires) };
        Ok(Some(self.table.open(key, mapping, remote.address, until)))
    }

    /// Makes a mapping.
    fn map(&mut self, now: Instant, packet: &Packet, key: Key) -> Result<u32, DropCause> {
        let Flow { protocol, src: inside, dst: remote } = packet.flow;
        let table = &self.table;
        let key_at = |outside| outside_key(packet.kind, protocol, outside, remote);
        let is_free = |address| table.find_outside(key_at(Endpoint { address, port: 0 })).is_none();
        let outside = self.pool.assign(now, &self.spec, Asking { key, protocol, inside }, is_free);
        let outside = outside.ok_or(DropCause::NatFull)?;
        let id = self.table.map(Mapping::new(protocol, inside, outside, key, key_at(outside)));
        self.peak = self.peak.max(self.table.dynamic() as u64);
        Ok(id)
    }

    fn forward_from(&self, protocol: u8, inside: Endpoint) -> Option<u32> {
        let key = Key::new(protocol, inside, ANY);
        self.forwards.iter().find(|(known, _)| *known == key).map(|(_, mapping)| *mapping)
    }

    /// What mappings depend on: without ports, the address is all that tells them apart.
    fn mapping_of(&self, kind: Kind) -> Dependence {
        if kind == Kind::Other { Dependence::AddressDependent } else { self.spec.mapping }
    }

    /// A packet of a session passes.
    fn refresh(&mut self, now: Instant, session: u32, way: Way, protocol: u8, flags: Option<Flags>) {
        let established = match (flags, self.table.connection(session)) {
            (Some(flags), Some(connection)) => {
                connection.see_or_begin_anew(way == Way::Outward, flags);
                connection.is_established()
            }
            _ => false,
        };
        if self.refreshes(way, protocol) {
            self.table.last_until(session, now + self.timeout(protocol, established), true);
        }
    }

    /// Whether packets this way keep a mapping alive (RFC 4787 REQ-6). TCP's sessions are idle only when neither end
    /// sends (RFC 5382 §5).
    fn refreshes(&self, way: Way, protocol: u8) -> bool {
        way == Way::Outward || self.spec.inbound_refresh || protocol == tcp::PROTOCOL
    }

    fn timeout(&self, protocol: u8, established: bool) -> Duration {
        let timeouts = &self.spec.timeouts;
        match protocol {
            tcp::PROTOCOL if established => timeouts.tcp_established,
            tcp::PROTOCOL => timeouts.tcp_transitory,
            1 => timeouts.icmp,
            _ => timeouts.udp,
        }
    }

    /// An ICMP error about a packet that came in, on its way out: from an inside host, or from the router itself, which is then
    /// its source already (RFC 5508 REQ-5).
    fn error_outbound(&mut self, head: &mut [u8], error: &Packet, own: bool) -> Result<Translation, DropCause> {
        let quoted = error.quoted(head).filter(is_told_by_ports);
        let mapping = quoted.and_then(|quoted| {
            let Flow { protocol, src: remote, dst: inside } = quoted.flow;
            let session = self.table.find_flow(Key::new(protocol, inside, remote))?;
            self.table.mapping(self.table.session(session)?.mapping)
        });
        match (quoted, mapping) {
            (Some(quoted), Some(mapping)) => {
                quoted.set(head, Side::Destination, mapping.outside);
                if !own {
                    error.set_address(head, Side::Source, mapping.outside.address);
                }
                Ok(Translation::Done)
            }
            _ if own || !self.is_inside(error.flow.src.address) => Ok(Translation::NotMine),
            _ => Err(DropCause::NatNoMapping),
        }
    }

    /// An ICMP error about a packet that went out (RFC 5508 REQ-4).
    fn error_inbound(&mut self, head: &mut [u8], error: &Packet) -> Result<Translation, DropCause> {
        let quoted = error.quoted(head).filter(is_told_by_ports).ok_or(DropCause::NatNoMapping)?;
        let Flow { protocol, src: outside, dst: remote } = quoted.flow;
        let id = self.table.find_outside(outside_key(quoted.kind, protocol, outside, remote));
        let mapping = id.and_then(|id| self.table.mapping(id)).ok_or(DropCause::NatNoMapping)?;
        quoted.set(head, Side::Source, mapping.inside);
        error.set_address(head, Side::Destination, mapping.inside.address);
        Ok(Translation::Done)
    }

    fn first_fragment(&mut self, now: Instant, packet: &Packet, address: Ipv4Addr) {
        if let Some(key) = fragment_key(packet) {
            self.fragments.first(now, key, address);
        }
    }

    fn later_fragment(
        &mut self,
        now: Instant,
        head: &mut [u8],
        packet: &Packet,
        side: Side,
    ) -> Result<Translation, DropCause> {
        let address = fragment_key(packet).and_then(|key| self.fragments.later(now, key));
        packet.set_address(head, side, address.ok_or(DropCause::NatFragment)?);
        Ok(Translation::Done)
    }

    #[cfg(test)]
    fn sizes(&self) -> (usize, usize) {
        (self.table.sessions(), self.table.deadlines())
    }
}

/// Whether a packet that an error quotes is told by its ports, or has none by its nature.
fn is_told_by_ports(quoted: &Packet) -> bool {
    matches!(quoted.kind, Kind::Tcp(_) | Kind::Ports | Kind::Request | Kind::Reply | Kind::Other)
}

/// As much of a remote endpoint as something depends on.
fn seen_by(dependence: Dependence, remote: Endpoint) -> Endpoint {
    match dependence {
        Dependence::EndpointIndependent => ANY,
        Dependence::AddressDependent => Endpoint { port: 0, ..remote },
        Dependence::AddressAndPortDependent => remote,
    }
}

/// Under what packets from outside find a mapping: without ports, the remote address has to tell.
fn outside_key(kind: Kind, protocol: u8, outside: Endpoint, remote: Endpoint) -> Key {
    Key::new(protocol, outside, if kind == Kind::Other { Endpoint { port: 0, ..remote } } else { ANY })
}

fn fragment_key(packet: &Packet) -> Option<fragments::Key> {
    let Flow { protocol, src, dst } = packet.flow;
    packet.fragment.map(|id| fragments::Key { src: src.address, dst: dst.address, protocol, id })
}

#[cfg(test)]
mod behaviour_tests;
#[cfg(test)]
mod icmp_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod testing;
