//! What is asked of switches, hubs, routers and regions of clouds.

use super::Readings;
use super::reading::Reading;
use crate::report::json::Report;
use crate::tasks::expect::catalogue::{Node as Of, Source};

/// A count of a node.
pub(super) fn node(source: Source, part: &str, name: &str, report: &Report) -> Readings {
    let Some(node) = report.nodes.iter().find(|node| node.name == name) else {
        return Err("the report has nothing of it".into());
    };
    let count = match source {
        Source::Nat(of) => {
            let nat = node.nat.ok_or_else(|| "it translates no addresses".to_owned())?;
            match of {
                "made" => nat.made,
                "live" => nat.live,
                "peak" => nat.peak,
                "expired" => nat.expired,
                "rebinds" => nat.rebinds,
                "translated" => nat.translated,
                _ => nat.ipv6,
            }
        }
        Source::Node(of) => match of {
            Of::Received => node.received,
            Of::Originated => node.originated,
            Of::Replicated => node.replicated,
            Of::Sent => node.sent,
            Of::Consumed => node.consumed,
            Of::Held => node.held,
            Of::Dropped | Of::DroppedBy if node.received == 0 => return Err("nothing came to it".into()),
            Of::Dropped => node.dropped.values().sum(),
            Of::DroppedBy => node.dropped.get(part).copied().unwrap_or(0),
            Of::Rule | Of::RuleBytes => {
                let rule = node.firewall.iter().find(|rule| rule.rule == part);
                let decided = rule.ok_or_else(|| "the report has nothing of this rule".to_owned())?.decided;
                if of == Of::Rule { decided.frames } else { decided.bytes }
            }
        },
        _ => return Err("a node has no such measure".into()),
    };
    Ok(vec![Reading::of(count as f64)])
}
