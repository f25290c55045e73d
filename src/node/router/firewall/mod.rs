//! A firewall on a router: ordered rules with connection state.
//!
//! It sees every packet that the router forwards, once it is known where it leaves: behind the translation of
//! destinations, before that of sources (the place of Linux' FORWARD hook); and every packet to the router itself (INPUT).
//! What the router itself sends is not asked about.
//!
//! The first rule that matches decides. What none matches passes if it answers what was let through (the replies of a
//! connection, ICMP errors about it); else the default decides. Later fragments have no ports: they fare as the first one
//! of their packet.

mod conntrack;
mod flow;
mod fragment;
pub(crate) mod matching;
mod networks;
pub mod plan;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod value;

pub use matching::Match;
pub use networks::Networks;
pub use plan::{FirewallPlan, Policy, RulePlan, State, Timeouts, UNSOLICITED_IPV6};

use self::conntrack::Conntrack;
use self::flow::Reading;
use self::fragment::{Fragments, Part};
use self::matching::Sight;
use crate::frame::FrameView;
use crate::units::Instant;
use crate::wire::icmp::{is_error_v4, is_error_v6, v6};
use crate::wire::ipv6;
use crate::wire::summary::{Detail, FrameSummary, ICMPV6};
use crate::wire::tcp::Flags;

/// What reports call what passes because it answers what was let through.
const REPLIES: &str = "replies";
/// What reports call what is left.
const DEFAULT: &str = "default";

/// A firewall at work.
#[derive(Debug)]
pub struct Firewall {
    plan: FirewallPlan,
    /// By rule; then of replies; then of the default.
    counted: Vec<Counted>,
    conntrack: Conntrack,
    fragments: Fragments,
}

/// A packet on its way through the router: of a train, several at once, which fare alike.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// What its head says.
    pub summary: &'a FrameSummary,
    /// Its bytes.
    pub view: &'a FrameView<'a>,
    /// Wire bytes of all of its wire frames.
    pub bytes: u64,
    /// The port that it came in at.
    pub from: u32,
    /// The port that it leaves by; `None` if it is for the router itself.
    pub to: Option<u32>,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Allow,
    /// It is dropped; its sender is not told.
    Drop,
    /// It is dropped; its sender gets a reset of TCP, as from a port where nobody listens (RFC 9293 §3.10.7.1).
    Reset,
    /// It is dropped; its sender gets an ICMP error: administratively prohibited, type 3 code 13 (RFC 1812 §5.2.7.1), of
    /// IPv6 type 1 code 1 (RFC 4443 §3.1). The rules for who gets no error hold as for any other.
    Prohibited,
}

/// What was counted of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Wire frames.
    pub frames: u64,
    /// Wire bytes.
    pub bytes: u64,
}

/// A rule with what it decided about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCount<'a> {
    /// The rule's name; `replies` and `default` for what no rule matched.
    pub rule: &'a str,
    /// What became of it.
    pub action: Policy,
    /// How much.
    pub counted: Counted,
}

impl Firewall {
    /// A firewall that has seen nothing yet.
    pub fn new(plan: &FirewallPlan) -> Firewall {
        Firewall {
            counted: vec![Counted::default(); plan.rules.len() + 2],
            conntrack: Conntrack::new(plan.limit, &plan.timeouts),
            fragments: Fragments::new(),
            plan: plan.clone(),
        }
    }

    /// Decides about a packet, counts it, and remembers its connection if it passes.
    pub fn check(&mut self, now: Instant, packet: &Packet<'_>) -> Action {
        if is_neighbour_discovery(packet) {
            return Action::Allow;
        }
        let flags = flags(packet);
        let part = Part::of(packet.summary, packet.view.head);
        let decided = match part {
            Part::Later(key) => self.fragments.of_first(now, &key),
            Part::Whole | Part::First(_) => None,
        };
        let decided = decided.unwrap_or_else(|| {
            let tracked = self.conntrack.look(now, Reading::of(packet.summary, packet.view.head, flags));
            let decided = self.decide(packet, flags, tracked.state);
            if self.policy(decided) == Policy::Allow {
                self.conntrack.pass(now, tracked);
            }
            decided
        });
        if let Part::First(key) = part {
            self.fragments.note(now, key, decided);
        }
        let counted = &mut self.counted[decided];
        counted.frames += u64::from(packet.view.count);
        counted.bytes += packet.bytes;
        match self.policy(decided) {
            Policy::Allow => Action::Allow,
            Policy::Drop => Action::Drop,
            Policy::Reject => rejection(packet, flags, matches!(part, Part::Later(_))),
        }
    }

    /// The rules in their order, then replies and the default, each with what it decided about.
    pub fn counts(&self) -> impl Iterator<Item = RuleCount<'_>> {
        let rules = self.plan.rules.iter().map(|rule| rule.name.as_str()).chain([REPLIES, DEFAULT]);
        let count = |(at, (rule, counted)): (usize, (_, &Counted))| RuleCount {
            rule,
            action: self.policy(at),
            counted: *counted,
        };
        rules.zip(&self.counted).enumerate().map(count)
    }

    /// The rule that decides, or what stands behind the last one.
    fn decide(&self, packet: &Packet<'_>, flags: Flags, state: State) -> usize {
        let sight = Sight { packet: packet.summary, flags, state, came_in: packet.from, leaves_by: packet.to };
        let rules = &self.plan.rules;
        rules.iter().position(|rule| rule.matches.holds(&sight)).unwrap_or(match state {
            State::Established | State::Related => rules.len(),
            State::New | State::Invalid => rules.len() + 1,
        })
    }

    fn policy(&self, decided: usize) -> Policy {
        match self.plan.rules.get(decided) {
            Some(rule) => rule.action,
            None if decided == self.plan.rules.len() => Policy::Allow,
            None => self.plan.default,
        }
    }
}

/// Neighbour discovery of the router's own links is no traffic that passes it; without it, IPv6 would end. A hop limit of
/// 255 says that it comes from the link itself (RFC 4861 §6.1, §7.1).
fn is_neighbour_discovery(packet: &Packet<'_>) -> bool {
    let Detail::Icmp { kind: v6::ROUTER_SOLICITATION..=v6::REDIRECT, .. } = packet.summary.detail else { return false };
    let ip = packet.view.head.get(usize::from(packet.summary.l3_offset)..).map(ipv6::Packet::new_checked);
    packet.to.is_none()
        && packet.summary.protocol == Some(ICMPV6)
        && ip.and_then(Result::ok).is_some_and(|ip| ip.hop_limit() == 255)
}

/// The flags of a TCP segment; of a train's wire frames, all that any has.
fn flags(packet: &Packet<'_>) -> Flags {
    let (Detail::Tcp { .. }, Some(l4)) = (packet.summary.detail, packet.summary.l4_offset) else {
        return Flags::default();
    };
    let flags = Flags(packet.view.head.get(usize::from(l4) + 13).copied().unwrap_or(0));
    match packet.view.offload.train {
        Some(layout) => {
            let first = u32::from(packet.view.first);
            layout.flags_of(first..first + u32::from(packet.view.count), flags)
        }
        None => flags,
    }
}

/// What the sender of a rejected packet gets. Nothing for resets and ICMP errors (RFC 1122 §3.2.2), nor for later
/// fragments, whose first one had the answer.
fn rejection(packet: &Packet<'_>, flags: Flags, later_fragment: bool) -> Action {
    match packet.summary.detail {
        _ if later_fragment => Action::Drop,
        Detail::Tcp { .. } => {
            if flags.contains(Flags::RST) {
                Action::Drop
            } else {
                Action::Reset
            }
        }
        Detail::Icmp { kind, .. } if packet.summary.ip_version() == Some(4) && is_error_v4(kind) => Action::Drop,
        Detail::Icmp { kind, .. } if packet.summary.ip_version() == Some(6) && is_error_v6(kind) => Action::Drop,
        _ => Action::Prohibited,
    }
}

#[cfg(test)]
mod tests;
