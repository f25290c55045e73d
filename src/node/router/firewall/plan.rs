//! What a firewall is built from.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::matching::Match;
use crate::diag::suggestion;
use crate::model::only::value::{Many, Term, Written};
use crate::units::Duration;

/// A firewall: rules in order, of which the first that matches decides.
#[derive(Clone, Debug, PartialEq)]
pub struct FirewallPlan {
    /// What becomes of packets that no rule matches, and that answer nothing which was let through.
    pub default: Policy,
    /// The rules, in their order.
    pub rules: Vec<RulePlan>,
    /// For how long connections are remembered.
    pub timeouts: Timeouts,
    /// How many connections are remembered at once.
    pub limit: u32,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RulePlan {
    /// Its name, or the rule as it is written.
    pub name: String,
    /// What becomes of packets that match.
    pub action: Policy,
    /// Which packets match.
    pub matches: Match,
}

/// The name of the rule that a firewall gets at a router with NAT.
pub const UNSOLICITED_IPV6: &str = "unsolicited IPv6";

impl RulePlan {
    /// Drops IPv6 that comes in at the port `outside` of so many, goes to another, and was asked for by nobody (RFC 6092).
    pub fn unsolicited_ipv6(outside: u32, ports: u32) -> RulePlan {
        let outward = (0..ports).filter(|port| *port != outside).collect();
        let state = Many::of([State::New, State::Invalid]);
        let matches = Match { inward: vec![outside], outward, version: Some(6), state, ..Match::default() };
        RulePlan { name: UNSOLICITED_IPV6.into(), action: Policy::Drop, matches }
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It passes.
    #[default]
    Allow,
    /// It ends here, and nobody is told.
    Drop,
    /// It ends here, and its sender is told: by a reset of TCP, else by an ICMP error.
    Reject,
}

impl Policy {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Policy::Allow => "allow",
            Policy::Drop => "drop",
            Policy::Reject => "reject",
        }
    }
}

/// What a packet is to the connections that have been let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It opens a connection, or belongs to one that was not answered yet.
    New,
    /// It belongs to a connection of which both ends have sent something.
    Established,
    /// An ICMP error about a packet of a known connection.
    Related,
    /// None of these: the middle of a connection that is not known, an answer that nobody asked for.
    Invalid,
}

impl State {
    const NAMES: [(&'static str, State); 4] = [
        ("new", State::New),
        ("established", State::Established),
        ("related", State::Related),
        ("invalid", State::Invalid),
    ];

    pub(crate) fn named(name: &str) -> Option<State> {
        State::NAMES.iter().find(|(known, _)| *known == name).map(|(_, state)| *state)
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
        State::NAMES.iter().map(|(name, _)| *name)
    }
}

impl Term for State {
    const EXPECTED: &'static str = "a state: `new`, `established`, `related` or `invalid`";
    fn from_text(text: &str) -> Result<State, String> {
        let help = || format!("`{text}` is no state of a connection: {}", suggestion(text, State::names()));
        State::named(text).ok_or_else(help)
    }
    fn from_number(number: u64) -> Result<State, String> {
        State::from_text(&number.to_string())
    }
    fn written(&self) -> Written {
        let name = State::NAMES.iter().find(|(_, state)| state == self).map_or("", |(name, _)| *name);
        Written::Text(Cow::Borrowed(name))
    }
    fn schema() -> Schema {
        json_schema!({ "enum": State::names().collect::<Vec<_>>() })
    }
}

/// After how much silence a connection is forgotten. Defaults are those of Linux (nf_conntrack-sysctl).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FirewallTimeouts")]
pub struct Timeouts {
    /// Of TCP connections that are opening or closing: 2 min, `tcp_timeout_syn_sent` and `tcp_timeout_fin_wait`.
    #[serde(deserialize_with = "positive")]
    pub tcp_transitory: Duration,
    /// Of established TCP connections: 5 days, `tcp_timeout_established`. RFC 5382 REQ-5 asks for 2 h 4 min at least.
    #[serde(deserialize_with = "positive")]
    pub tcp_established: Duration,
    /// Of UDP that was not answered: 30 s, `udp_timeout`.
    #[serde(deserialize_with = "positive")]
    pub udp: Duration,
    /// Of UDP that was answered: 2 min, `udp_timeout_stream`, which is the least that RFC 4787 REQ-5 allows.
    #[serde(deserialize_with = "positive")]
    pub udp_replied: Duration,
    /// Of ICMP queries: 30 s, `icmp_timeout`. RFC 5508 REQ-2 asks for 60 s at least.
    #[serde(deserialize_with = "positive")]
    pub icmp: Duration,
    /// Of other protocols: 10 min, `generic_timeout`.
    #[serde(deserialize_with = "positive")]
    pub other: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            tcp_transitory: Duration::from_secs(120),
            tcp_established: Duration::from_secs(432_000),
            udp: Duration::from_secs(30),
            udp_replied: Duration::from_secs(120),
            icmp: Duration::from_secs(30),
            other: Duration::from_secs(600),
        }
    }
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match Duration::deserialize(deserializer)? {
        Duration::ZERO => {
            Err(serde::de::Error::custom("a timeout of 0 forgets what it has just seen: write `1ms` or more"))
        }
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::form::from_json;
    use crate::model::only::value::Many;

    #[test]
    fn timeouts_are_linuxs_unless_said_otherwise() {
        let timeouts: Timeouts = from_json(json!({ "udp": "10s" })).unwrap();
        assert_eq!(timeouts, Timeouts { udp: Duration::from_secs(10), ..Timeouts::default() });
        assert!(from_json::<Timeouts>(json!({ "icmp": "0s" })).unwrap_err().contains("write `1ms` or more"));
        assert!(from_json::<Timeouts>(json!({ "tcp": "1s" })).unwrap_err().contains("unknown field"));
    }

    #[test]
    fn states_have_names() {
        let states: Many<State> = from_json(json!(["new", "established", "related", "invalid"])).unwrap();
        assert_eq!(
            serde_json::to_value(states.written()).unwrap(),
            json!(["new", "established", "related", "invalid"])
        );
        assert!(from_json::<Many<State>>(json!("establshed")).unwrap_err().contains("did you mean `established`?"));
        assert!(from_json::<Many<State>>(json!(1)).unwrap_err().contains("no state"));
    }
}
