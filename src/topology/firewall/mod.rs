//! `firewall:` of a router as it stands in a file.

mod rule;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use rule::{MatchLong, MatchSpec, Names, RuleSpec, Version};

use crate::language::spanned::Spanned;
use crate::node::router::firewall::{Policy, Timeouts};

/// Connections that a firewall remembers at once, unless the scenario says: nf_conntrack's maximum on a machine of 2 GiB.
const CONNECTIONS: u32 = 65_536;
/// The most that it may be told to: nothing that frames claim may take more memory than a machine has.
const MOST_CONNECTIONS: u32 = 1 << 20;

/// A firewall: ordered rules, of which the first that matches decides. Replies to what was let through pass unless a rule
/// matches them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirewallSpec {
    /// What becomes of packets that no rule matches.
    pub default: Policy,
    /// Rules in their order.
    #[serde(default)]
    pub rules: Vec<Spanned<RuleSpec>>,
    /// After how much silence a connection is forgotten.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How many connections are remembered at once, from 1 to 1,048,576: 65,536 unless said otherwise. Of a full table those
    /// give way that were not answered yet; if there are none, what would be `new` is `invalid`.
    #[serde(default = "connections", deserialize_with = "limit")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub limit: u32,
}

fn connections() -> u32 {
    CONNECTIONS
}

fn limit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        limit @ 1..=MOST_CONNECTIONS => Ok(limit),
        limit => Err(serde::de::Error::custom(format!("`limit` is {limit}, and goes from 1 to 1,048,576 connections"))),
    }
}
