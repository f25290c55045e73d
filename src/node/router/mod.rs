//! An IP router (RFC 1812 for IPv4, RFC 8200 for IPv6).
//!
//! The way of a packet: Ethernet (is it for us?) → ARP, or IP header checks → NAT inbound (outside interface) → our own
//! address? answer → TTL → route (given and connected ones, then the network's: [`super::routing::Routes`]; the longest prefix
//! wins, given ones at a tie) → firewall → NAT outbound → MTU (ICMP error or fragments) → neighbour → a new Ethernet header.

pub mod firewall;
mod plan;

pub use plan::{RouterInterface, RouterPlan, RouterRoute};

use super::{NodeCommand, Work};
use crate::frame::{DropCause, Frame};
use crate::units::Instant;

/// A router at work.
#[derive(Debug)]
pub struct Router {
    plan: RouterPlan,
    /// Largest L3 packet that each interface's link carries away.
    mtus: Vec<Option<u32>>,
}

impl Router {
    /// A router that has heard nothing yet; `node` is its place among the network's nodes, under which it looks up routes.
    pub fn new(node: u32, plan: &RouterPlan) -> Router {
        let _ = node;
        Router { plan: plan.clone(), mtus: vec![None; plan.interfaces.len()] }
    }

    /// A frame came in at a port.
    pub fn receive(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        let _ = port;
        work.drop(frame, DropCause::Unsupported);
    }

    /// When the router next wants [`Router::wake`]: an answer that was not given in time.
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has come.
    pub fn wake(&mut self, work: &mut Work<'_>) {
        let _ = work;
    }

    /// The link at a port carries packets of so many bytes away; `None` has no limit.
    pub fn set_mtu(&mut self, port: u32, mtu: Option<u32>) {
        self.mtus[port as usize] = mtu;
    }

    /// Wire frames that wait for a neighbour's MAC address.
    pub fn held(&self) -> u64 {
        0
    }

    /// Whether a command makes sense here: it depends on the plan alone.
    pub fn takes(&self, command: NodeCommand) -> bool {
        match command {
            NodeCommand::Rebind => false,
        }
    }

    /// A live change.
    pub fn command(&mut self, command: NodeCommand) {
        match command {
            NodeCommand::Rebind => {}
        }
    }
}
