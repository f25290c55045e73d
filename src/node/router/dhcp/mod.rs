//! A router's DHCP server (RFC 2131), one for each interface that serves: machines that longwire does not make get their
//! addresses by it.
//!
//! It is the only server of its segment, so it answers for every address of the subnet: what it does not know it refuses. If
//! another server is heard it serves nobody any more. Where a network may lie that longwire did not make it looks for one
//! before it makes its first offer. There are no relays.

mod leases;

use core::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::errors::start;
use super::{Router, Work};
use crate::frame::DropCause;
use crate::units::{Duration, Instant};
use crate::wire::checksum::{Sum, pseudo_v4};
use crate::wire::dhcp::{CLIENT_PORT, Kind, Message, Outgoing, SERVER_PORT, Settings};
use crate::wire::ethernet::{EtherType, MacAddr};
use crate::wire::icmp_error::{V4, is_host_v4};
use crate::wire::{ipv4, udp};
use leases::{Client, Leases};

/// Between two questions for other servers.
const RETRY: Duration = Duration::from_secs(1);
/// Questions before there is none.
const QUESTIONS: u8 = 2;

/// What a router leases behind one of its interfaces.
#[derive(Clone, Debug, PartialEq)]
pub struct DhcpPlan {
    /// The port: a position in [`super::RouterPlan::interfaces`].
    pub port: u32,
    /// The interface's name, for the report.
    pub interface: String,
    /// Its address there: that of the server, and the machines' gateway.
    pub server: Ipv4Addr,
    /// Out of which addresses are leased.
    pub net: Ipv4Net,
    /// Addresses that belong to somebody, those in `reserved` included, in order.
    pub taken: Vec<Ipv4Addr>,
    /// Machines whose MAC addresses are known.
    pub reserved: Vec<DhcpReservation>,
    /// Machines that are to get no answer.
    pub silent: Vec<MacAddr>,
    /// What any other machine is told; `None` if none gets an address.
    pub open: Option<DhcpOptions>,
    /// A network that longwire did not make may lie there: another server is looked for before the first offer.
    pub foreign: bool,
}

/// A machine that has its address for itself.
#[derive(Clone, Debug, PartialEq)]
pub struct DhcpReservation {
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its address.
    pub address: Ipv4Addr,
    /// What it is told.
    pub options: DhcpOptions,
}

/// What a machine is told beside its address.
#[derive(Clone, Debug, PartialEq)]
pub struct DhcpOptions {
    /// Its name.
    pub name: Option<String>,
    /// The domain of that.
    pub domain: Option<String>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// How long it keeps its address without asking again, in whole seconds.
    pub lease: Duration,
    /// Largest packet of its link.
    pub mtu: u32,
}

impl DhcpPlan {
    /// How many addresses whoever asks may have.
    pub fn free(&self) -> usize {
        let hosts = if self.net.prefix_len() <= 30 { 2 } else { 0 };
        let all = (1u64 << (32 - self.net.prefix_len())) - hosts;
        (all as usize).saturating_sub(self.taken.len()).min(leases::MOST)
    }
}

/// What a server has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DhcpCounters {
    /// Leases in force.
    pub leases: u64,
    /// Offers made.
    pub offers: u64,
    /// Leases given or renewed.
    pub acks: u64,
    /// Requests refused.
    pub naks: u64,
    /// Machines that asked when no address was free.
    pub exhausted: u64,
    /// The other server for which this one stands back.
    pub other_server: Option<Ipv4Addr>,
}

/// One server at work.
#[derive(Debug)]
pub(super) struct Server {
    plan: DhcpPlan,
    leases: Leases,
    standing: Standing,
    counters: DhcpCounters,
}

/// Whether it may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It does.
    Serves,
    /// It has to look for another server first.
    Idle,
    /// It has asked so often, and waits until then.
    Looks(u8, Instant),
    /// There is another.
    Yields,
}

/// What a server says.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// To a client: the kind, and the address that it gets.
    To(Kind, Ipv4Addr),
    /// To all other servers.
    Question,
}

impl Server {
    pub(super) fn new(plan: &DhcpPlan) -> Server {
        let standing = if plan.foreign { Standing::Idle } else { Standing::Serves };
        let leases = Leases::new(plan.net, plan.taken.clone());
        Server { plan: plan.clone(), leases, standing, counters: DhcpCounters::default() }
    }

    pub(super) fn port(&self) -> u32 {
        self.plan.port
    }

    pub(super) fn interface(&self) -> &str {
        &self.plan.interface
    }

    pub(super) fn counters(&self, now: Instant) -> DhcpCounters {
        DhcpCounters { leases: self.leases.live(now), ..self.counters }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        if let Standing::Looks(_, until) = self.standing { Some(until) } else { None }
    }

    /// The deadline has come: it asks once more, or serves. Whether it asks.
    fn wake(&mut self, now: Instant) -> bool {
        match self.standing {
            Standing::Looks(times, until) if until <= now && times < QUESTIONS => {
                self.standing = Standing::Looks(times + 1, now + RETRY);
                true
            }
            Standing::Looks(_, until) if until <= now => {
                self.standing = Standing::Serves;
                false
            }
            _ => false,
        }
    }

    fn hears_of(&mut self, other: Option<Ipv4Addr>) {
        if let Some(other) = other.filter(|other| *other != self.plan.server) {
            self.standing = Standing::Yields;
            self.counters.other_server.get_or_insert(other);
        }
    }

    /// A message came in. `Ok(None)` where nothing is to be said.
    fn receive(&mut self, now: Instant, message: &Message) -> Result<Option<Answer>, DropCause> {
        let Some(kind) = message.kind.filter(|_| message.relay.is_unspecified()) else {
            return Err(DropCause::Unsupported);
        };
        let of_server = matches!(kind, Kind::Offer | Kind::Ack | Kind::Nak);
        if of_server != message.reply {
            return Err(DropCause::Malformed);
        } else if of_server {
            self.hears_of(message.server);
            return Ok(None);
        }
        if self.plan.silent.contains(&message.mac) {
            return Ok(None);
        }
        let reserved = self.plan.reserved.iter().find(|known| known.mac == message.mac);
        let (reserved, known) = (reserved.map(|known| known.address), reserved.map(|known| &known.options));
        let open = self.plan.open.is_some();
        let Some(lease) = known.or(self.plan.open.as_ref()).map(|options| options.lease) else { return Ok(None) };
        if self.standing == Standing::Idle && matches!(kind, Kind::Discover | Kind::Request) {
            self.standing = Standing::Looks(1, now + RETRY);
            return Ok(Some(Answer::Question));
        }
        if kind == Kind::Request {
            // the client has had an offer of that server
            self.hears_of(message.server);
        }
        let client = Client { mac: message.mac, reserved, open };
        if self.standing != Standing::Serves {
            self.leases.withdraw(now, client.mac);
            return Ok(None);
        }
        self.serve(now, client, kind, message, lease)
    }

    /// RFC 2131 §4.3.
    fn serve(
        &mut self,
        now: Instant,
        client: Client,
        kind: Kind,
        message: &Message,
        lease: Duration,
    ) -> Result<Option<Answer>, DropCause> {
        let address = message.requested.unwrap_or(message.client);
        Ok(match kind {
            Kind::Discover => match self.leases.offer(now, client, message.requested) {
                Some(address) => {
                    self.counters.offers += 1;
                    Some(Answer::To(Kind::Offer, address))
                }
                None => {
                    self.counters.exhausted += 1;
                    None
                }
            },
            Kind::Request if self.leases.give(now, client, address, lease) => {
                self.counters.acks += 1;
                Some(Answer::To(Kind::Ack, address))
            }
            Kind::Request => {
                self.counters.naks += 1;
                Some(Answer::To(Kind::Nak, Ipv4Addr::UNSPECIFIED))
            }
            Kind::Decline => {
                self.leases.decline(now, client.mac, address);
                None
            }
            Kind::Release => {
                self.leases.release(now, client.mac, message.client);
                None
            }
            Kind::Inform if is_host_v4(message.client) && self.plan.net.contains(&message.client) => {
                Some(Answer::To(Kind::Ack, Ipv4Addr::UNSPECIFIED))
            }
            // an INFORM of a machine that is not of this network
            _ => return Err(DropCause::Unsupported),
        })
    }

    /// Writes an answer: about `mac`, over a link with this MTU.
    fn write(&self, out: &mut Vec<u8>, answer: Answer, xid: u32, mac: MacAddr, client: &Message, mtu: u32) {
        let outgoing = match answer {
            Answer::Question => Outgoing {
                kind: Kind::Discover,
                xid,
                broadcast: true,
                client: Ipv4Addr::UNSPECIFIED,
                yours: Ipv4Addr::UNSPECIFIED,
                mac,
                server: None,
                settings: None,
            },
            Answer::To(kind, yours) => {
                let known = self.plan.reserved.iter().find(|known| known.mac == mac).map(|known| &known.options);
                let options = known.or(self.plan.open.as_ref()).filter(|_| kind != Kind::Nak);
                let settings = options.map(|options| Settings {
                    net: self.plan.net,
                    router: self.plan.server,
                    dns: &options.dns,
                    name: options.name.as_deref(),
                    domain: options.domain.as_deref(),
                    mtu: options.mtu.min(mtu).min(u16::MAX.into()) as u16,
                    lease: (!yours.is_unspecified()).then(|| (options.lease.as_nanos() / 1_000_000_000) as u32),
                });
                let (broadcast, server) = (client.broadcast, Some(self.plan.server));
                let client = if kind == Kind::Ack { client.client } else { Ipv4Addr::UNSPECIFIED };
                Outgoing { kind, xid, broadcast, client, yours, mac, server, settings }
            }
        };
        outgoing.write(out);
    }
}

impl Router {
    /// A datagram for the router, whose checksum is right. `None` where it is for no server here.
    pub(super) fn receive_dhcp(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        ip: &ipv4::Packet<&[u8]>,
    ) -> Option<Result<(), DropCause>> {
        let datagram = udp::Packet::new_checked(ip.payload()).ok()?;
        let reply = match datagram.dst_port() {
            SERVER_PORT => false,
            CLIENT_PORT => true,
            _ => return None,
        };
        let at = self.serving.server_at(port)?;
        let message = match Message::read(datagram.payload()) {
            Ok(message) if message.reply == reply => message,
            _ => return Some(Err(DropCause::Malformed)),
        };
        let outcome = self.serving.servers[at].receive(work.now, &message);
        self.serving.settle();
        Some(outcome.map(|answer| {
            if let Some(answer) = answer {
                self.send_dhcp(work, at, answer, &message);
            }
        }))
    }

    /// Servers that wait for others' offers.
    pub(super) fn wake_dhcp(&mut self, work: &mut Work<'_>) {
        for at in 0..self.serving.servers.len() {
            if self.serving.servers[at].wake(work.now) {
                self.ask_for_servers(work, at);
            }
        }
    }

    fn ask_for_servers(&mut self, work: &mut Work<'_>, at: usize) {
        let nobody = Message {
            kind: None,
            reply: false,
            xid: 0,
            broadcast: true,
            client: Ipv4Addr::UNSPECIFIED,
            relay: Ipv4Addr::UNSPECIFIED,
            mac: MacAddr::ZERO,
            requested: None,
            server: None,
        };
        self.send_dhcp(work, at, Answer::Question, &nobody);
    }

    /// To whom an answer goes: RFC 2131 §4.1.
    fn send_dhcp(&mut self, work: &mut Work<'_>, at: usize, answer: Answer, client: &Message) {
        let id = self.next_id();
        let server = &self.serving.servers[at];
        let interface = &self.interfaces[server.plan.port as usize];
        let everybody = (MacAddr::BROADCAST, Ipv4Addr::BROADCAST);
        let (mac, dst) = match answer {
            Answer::Question | Answer::To(Kind::Nak, _) => everybody,
            Answer::To(Kind::Ack, _) if !client.client.is_unspecified() => (client.mac, client.client),
            Answer::To(..) if client.broadcast => everybody,
            Answer::To(_, yours) => (client.mac, yours),
        };
        let (src, ports, xid, whose) = match answer {
            // any number that is the router's own
            Answer::Question => {
                let [.., a, b, c, d] = interface.mac.0;
                let xid = u32::from_be_bytes([a, b, c, d]);
                (Ipv4Addr::UNSPECIFIED, (CLIENT_PORT, SERVER_PORT), xid, interface.mac)
            }
            Answer::To(..) => (server.plan.server, (SERVER_PORT, CLIENT_PORT), client.xid, client.mac),
        };
        let mut message = std::mem::take(&mut self.message);
        message.clear();
        server.write(&mut message, answer, xid, whose, client, interface.mtu.unwrap_or(u32::MAX));
        let port = server.plan.port;
        let mut made = std::mem::take(&mut self.made);
        start(&mut made, EtherType::IPV4);
        let header = V4 { src, dst, tos: 0, id, protocol: udp::PROTOCOL };
        if let Ok(at) = header.write(&mut made, udp::HEADER_LEN + message.len()) {
            made.resize(at + udp::HEADER_LEN, 0);
            made.extend_from_slice(&message);
            let pseudo = pseudo_v4(src, dst, udp::PROTOCOL, (made.len() - at) as u32);
            if udp::Packet::init(&mut made[at..], ports.0, ports.1).is_ok() {
                let sum = (pseudo + Sum::of(&made[at..])).checksum();
                // RFC 768: 0 says that there is none
                let sum = if sum == 0 { 0xffff } else { sum };
                crate::wire::put(&mut made[at..], udp::CHECKSUM_OFFSET, sum.to_be_bytes());
            }
            if let Some(frame) = work.originate(&made) {
                self.send_to(work, port, mac, frame);
            }
        }
        (self.made, self.message) = (made, message);
    }
}

#[cfg(test)]
mod tests;
