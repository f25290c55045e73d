//! Which addresses of a subnet are whose, and until when.
//!
//! A MAC address has at most one address, and blocks at most one more that it declined, so no single machine uses up the
//! subnet. One that was given back, or whose time is over, stays reserved by memory alone: its machine gets it again unless
//! another needed it.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;

use crate::units::{Duration, Instant};
use crate::wire::ethernet::MacAddr;

/// How long an offer holds its address.
const OFFER: Duration = Duration::from_secs(30);
/// How long an address is left alone that somebody found in use.
const DECLINED: Duration = Duration::from_secs(600);
/// Addresses that are remembered at most, however large the subnet.
pub(super) const MOST: usize = 4096;

/// Addresses that are leased out of a subnet.
#[derive(Debug)]
pub(super) struct Leases {
    net: Ipv4Net,
    /// Addresses that are not to be leased to whoever asks, in order.
    taken: Vec<Ipv4Addr>,
    /// No address below was never leased.
    fresh: u32,
    by_address: BTreeMap<Ipv4Addr, Lease>,
    by_mac: BTreeMap<MacAddr, Own>,
    /// When each address is free again, but for those that belong to one machine.
    ends: BTreeSet<(Instant, Ipv4Addr)>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    mac: MacAddr,
    until: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Offered,
    Given,
    Declined,
}

/// The addresses of one MAC address.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    lease: Option<Ipv4Addr>,
    declined: Option<Ipv4Addr>,
}

/// Who asks, and which address is nobody else's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) mac: MacAddr,
    /// The address that belongs to it.
    pub(super) reserved: Option<Ipv4Addr>,
    /// Whether it may have one that belongs to nobody.
    pub(super) open: bool,
}

impl Leases {
    /// `taken`: addresses that belong to somebody, in order.
    pub(super) fn new(net: Ipv4Net, taken: Vec<Ipv4Addr>) -> Leases {
        let fresh = u32::from(net.network());
        Leases { net, taken, fresh, by_address: BTreeMap::new(), by_mac: BTreeMap::new(), ends: BTreeSet::new() }
    }

    /// An address for a client, which is held for it for a while: its own, the one that it had, the one that it wants, one that
    /// nobody had, the one that is free for longest.
    pub(super) fn offer(&mut self, now: Instant, client: Client, wanted: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let had = self.by_mac.get(&client.mac).and_then(|own| own.lease);
        let known = [client.reserved, had, wanted].into_iter().flatten();
        let address = known.into_iter().find(|address| self.may_have(now, client, *address));
        let address = match address {
            Some(address) => address,
            None if client.open => self.any(now)?,
            None => return None,
        };
        let has_it = |lease: &Lease| lease.mac == client.mac && lease.until > now && lease.state == State::Given;
        if !self.by_address.get(&address).is_some_and(has_it) {
            let lease = Lease { mac: client.mac, until: now + OFFER, state: State::Offered };
            self.take(now, client.mac, address, lease);
        }
        Some(address)
    }

    /// A client gets an address, or goes on with it. False if that is not its to have.
    pub(super) fn give(&mut self, now: Instant, client: Client, address: Ipv4Addr, lease: Duration) -> bool {
        let mac = client.mac;
        let own = client.reserved.filter(|own| self.may_have(now, client, *own));
        if own.is_some_and(|own| own != address) || !self.may_have(now, client, address) {
            return false;
        }
        self.take(now, mac, address, Lease { mac, until: now + lease, state: State::Given });
        true
    }

    /// A client says that somebody else uses the address that it was given.
    pub(super) fn decline(&mut self, now: Instant, mac: MacAddr, address: Ipv4Addr) {
        if self.holder(now, address) != Some(mac) {
            return;
        }
        self.set_end(address, now + DECLINED, State::Declined);
        let own = self.by_mac.entry(mac).or_default();
        own.lease = None;
        if let Some(before) = own.declined.replace(address).filter(|before| *before != address) {
            self.set_end(before, now, State::Declined);
        }
    }

    /// A client gives its address back.
    pub(super) fn release(&mut self, now: Instant, mac: MacAddr, address: Ipv4Addr) {
        if self.holder(now, address) == Some(mac) {
            self.set_end(address, now, State::Given);
        }
    }

    /// A client has chosen another server's offer.
    pub(super) fn withdraw(&mut self, now: Instant, mac: MacAddr) {
        let Some(address) = self.by_mac.get(&mac).and_then(|own| own.lease) else { return };
        if self.by_address.get(&address).is_some_and(|lease| lease.state == State::Offered) {
            self.set_end(address, now, State::Offered);
        }
    }

    /// How many addresses are given now.
    pub(super) fn live(&self, now: Instant) -> u64 {
        let live = self.by_address.values().filter(|lease| lease.state == State::Given && lease.until > now);
        live.count() as u64
    }

    /// Who has an address now.
    fn holder(&self, now: Instant, address: Ipv4Addr) -> Option<MacAddr> {
        let lease = self.by_address.get(&address)?;
        (lease.until > now && lease.state != State::Declined).then_some(lease.mac)
    }

    fn may_have(&self, now: Instant, client: Client, address: Ipv4Addr) -> bool {
        let free = match self.by_address.get(&address) {
            None => client.reserved == Some(address) || self.by_address.len() < MOST,
            Some(lease) => lease.until <= now || lease.mac == client.mac && lease.state != State::Declined,
        };
        free && (client.reserved == Some(address) || client.open && self.is_open(address))
    }

    /// Whether an address is for whoever asks.
    fn is_open(&self, address: Ipv4Addr) -> bool {
        let net = self.net;
        // RFC 3021: of two addresses, both are hosts'
        let edge = net.prefix_len() <= 30 && (address == net.network() || address == net.broadcast());
        net.contains(&address) && !edge && self.taken.binary_search(&address).is_err()
    }

    /// One that nobody had, else the one that is free for longest.
    fn any(&mut self, now: Instant) -> Option<Ipv4Addr> {
        while self.by_address.len() < MOST && self.fresh <= u32::from(self.net.broadcast()) {
            let address = Ipv4Addr::from(self.fresh);
            if self.is_open(address) && !self.by_address.contains_key(&address) {
                return Some(address);
            }
            let Some(next) = self.fresh.checked_add(1) else { break };
            self.fresh = next;
        }
        self.ends.first().filter(|(end, _)| *end <= now).map(|(_, address)| *address)
    }

    /// An address gets another holder. One MAC address has one: what it had before is free.
    fn take(&mut self, now: Instant, mac: MacAddr, address: Ipv4Addr, lease: Lease) {
        if let Some(before) = self.by_address.insert(address, lease) {
            self.ends.remove(&(before.until, address));
            self.unlink(before.mac, address);
        }
        if self.is_open(address) {
            self.ends.insert((lease.until, address));
        }
        let before = self.by_mac.entry(mac).or_default().lease.replace(address);
        if let Some(before) = before.filter(|before| *before != address) {
            self.set_end(before, now, State::Given);
        }
    }

    fn set_end(&mut self, address: Ipv4Addr, until: Instant, state: State) {
        let Some(lease) = self.by_address.get_mut(&address) else { return };
        let before = std::mem::replace(&mut lease.until, until);
        lease.state = state;
        if self.ends.remove(&(before, address)) {
            self.ends.insert((until, address));
        }
    }

    /// An address is no longer a MAC address's.
    fn unlink(&mut self, mac: MacAddr, address: Ipv4Addr) {
        let Some(own) = self.by_mac.get_mut(&mac) else { return };
        own.lease = own.lease.filter(|lease| *lease != address);
        own.declined = own.declined.filter(|declined| *declined != address);
        if own.lease.is_none() && own.declined.is_none() {
            self.by_mac.remove(&mac);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn mac(n: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, n])
    }

    fn any(n: u8) -> Client {
        Client { mac: mac(n), reserved: None, open: true }
    }

    fn address(n: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, n)
    }

    /// 10.0.0.0/29: .1 and .2 belong to somebody, .3 to .6 are free.
    fn leases() -> Leases {
        Leases::new("10.0.0.0/29".parse().unwrap(), vec![address(1), address(2)])
    }

    fn given(leases: &mut Leases, seconds: u64, n: u8) -> Option<Ipv4Addr> {
        let address = leases.offer(at(seconds), any(n), None)?;
        leases.give(at(seconds), any(n), address, HOUR).then_some(address)
    }

    #[test]
    fn each_machine_gets_an_address_of_its_own_and_keeps_it() {
        let mut leases = leases();
        for n in [3, 4, 5, 6] {
            assert_eq!(given(&mut leases, 0, n), Some(address(n)));
            assert_eq!(given(&mut leases, 1, n), Some(address(n)), "again the same");
        }
        assert_eq!((given(&mut leases, 2, 7), leases.live(at(2))), (None, 4), "there are no more");
        // an hour later those are free that were not renewed, and the one that is free for longest is given first
        assert!(leases.give(at(1000), any(3), address(3), HOUR));
        assert_eq!(given(&mut leases, 3602, 7), Some(address(4)));
        assert_eq!(given(&mut leases, 3602, 4), Some(address(5)), "its own was given away");
        assert_eq!(given(&mut leases, 3602, 6), Some(address(6)), "its own is free still");
    }

    #[test]
    fn what_it_wants_it_gets_if_it_is_free() {
        let mut leases = leases();
        assert_eq!(leases.offer(at(0), any(9), Some(address(5))), Some(address(5)));
        assert_eq!(leases.offer(at(0), any(8), Some(address(5))), Some(address(3)), "it is held for another");
        assert_eq!(leases.offer(at(0), any(7), Some(address(1))), Some(address(4)), "it belongs to somebody");
        assert_eq!(leases.offer(at(0), any(6), Some(address(7))), Some(address(6)), "that is the broadcast address");
        for wrong in [address(0), address(1), address(7), address(8), address(3)] {
            assert!(!leases.give(at(0), any(9), wrong, HOUR), "{wrong}");
        }
        // an offer that nobody takes is forgotten
        assert_eq!(leases.offer(at(29), any(5), None), None);
        assert!(leases.offer(at(30), any(5), None).is_some());
    }

    #[test]
    fn an_address_that_belongs_to_a_machine_is_for_it_alone() {
        let mut leases = leases();
        let owner = Client { mac: mac(2), reserved: Some(address(2)), open: true };
        assert!(!leases.give(at(0), any(7), address(2), HOUR));
        assert_eq!(leases.offer(at(0), owner, Some(address(5))), Some(address(2)));
        assert!(!leases.give(at(0), owner, address(5), HOUR) && leases.give(at(0), owner, address(2), HOUR));
        assert!(!leases.give(at(9999), any(7), address(2), HOUR), "also after its time");
        // somebody else uses it: until that is over it gets another
        assert!(leases.give(at(9999), owner, address(2), HOUR));
        leases.decline(at(9999), mac(2), address(2));
        assert_eq!(leases.offer(at(10_000), owner, None), Some(address(3)));
        assert_eq!(leases.offer(at(11_000), owner, None), Some(address(2)));
        // and nothing else where others get nothing
        let closed = Client { open: false, ..owner };
        assert!(leases.give(at(11_000), closed, address(2), HOUR));
        leases.decline(at(11_000), mac(2), address(2));
        assert_eq!(leases.offer(at(11_000), closed, Some(address(4))), None);
    }

    #[test]
    fn one_machine_blocks_two_addresses_at_most() {
        let mut leases = leases();
        for round in 0..50 {
            let Some(address) = given(&mut leases, round, 7) else { continue };
            leases.decline(at(round), mac(7), address);
        }
        assert!(leases.offer(at(50), any(7), None).is_some());
        let others = [8, 9].map(|n| given(&mut leases, 51, n));
        assert!(others.iter().all(Option::is_some), "{others:?}");
    }

    #[test]
    fn what_is_given_back_is_free_and_remembered() {
        let mut leases = leases();
        let first = given(&mut leases, 0, 9).unwrap();
        leases.release(at(1), mac(8), first);
        assert_eq!(leases.live(at(1)), 1, "only its holder gives it back");
        leases.release(at(1), mac(9), first);
        assert_eq!((leases.live(at(1)), given(&mut leases, 2, 9)), (0, Some(first)));
        // who chose another server's offer holds none here
        let offered = leases.offer(at(3), any(4), None).unwrap();
        leases.withdraw(at(3), mac(4));
        assert_eq!(leases.offer(at(3), any(5), Some(offered)), Some(offered));
    }

    #[test]
    fn a_large_subnet_does_not_grow_without_end() {
        let mut leases = Leases::new("10.0.0.0/8".parse().unwrap(), vec![]);
        for n in 0..2 * MOST as u32 {
            let [a, b, c, d] = n.to_be_bytes();
            let client = Client { mac: MacAddr([2, 9, a, b, c, d]), reserved: None, open: true };
            assert_eq!(leases.offer(at(0), client, None).is_some(), (n as usize) < MOST, "{n}");
        }
        assert_eq!((leases.by_address.len(), leases.by_mac.len(), leases.ends.len()), (MOST, MOST, MOST));
    }

    proptest! {
        #[test]
        fn no_address_is_ever_two_machines(steps in proptest::collection::vec((0u8..6, 0u8..5, 0u8..9, 0u64..700), 1..200)) {
            let mut leases = leases();
            let mut now = 0;
            // when each address that was given is free again, and whose it is
            let mut held: BTreeMap<Ipv4Addr, (u8, u64)> = BTreeMap::new();
            for (n, deed, last, wait) in steps {
                now += wait;
                let wanted = address(last);
                match deed {
                    0 | 1 => { let _ = leases.offer(at(now), any(n), Some(wanted)); }
                    2 => if leases.give(at(now), any(n), wanted, HOUR) {
                        prop_assert!((3..=6).contains(&last));
                        let other = held.insert(wanted, (n, now + 3600));
                        prop_assert!(other.is_none_or(|(whose, until)| whose == n || until <= now));
                        held.retain(|at, (whose, _)| *at == wanted || *whose != n);
                    },
                    3 => { leases.release(at(now), mac(n), wanted); held.retain(|at, (whose, _)| *at != wanted || *whose != n); }
                    _ => { leases.decline(at(now), mac(n), wanted); held.retain(|at, (whose, _)| *at != wanted || *whose != n); }
                }
                prop_assert!(leases.by_address.len() <= 4 && leases.ends.len() == leases.by_address.len());
                prop_assert!(leases.by_mac.len() <= 8);
                let live = held.values().filter(|(_, until)| *until > now).count() as u64;
                prop_assert_eq!(leases.live(at(now)), live);
            }
        }
    }
}
