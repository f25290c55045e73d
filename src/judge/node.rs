//! What is asked of switches, hubs, routers and regions of clouds.

use super::Readings;
use super::reading::Reading;
use crate::measured::catalogue::{Node as Of, Source};
use crate::report::json::Report;
use crate::tasks::expect::Measure;

/// A count of a node.
pub(super) fn node(measure: &Measure, name: &str, report: &Report) -> Readings {
    let Some(node) = report.nodes.iter().find(|node| node.name == name) else {
        return Err("the report has nothing of it".into());
    };
    let count = match measure.source {
        Source::Nat(get, _) => get(&node.nat.ok_or("it translates no addresses")?),
        Source::Node(of) => match of {
            Of::Received => node.received,
            Of::Originated => node.originated,
            Of::Replicated => node.replicated,
            Of::Sent => node.sent,
            Of::Consumed => node.consumed,
            Of::Held => node.held,
            Of::Dropped | Of::DroppedBy if node.received == 0 => return Err("nothing came to it".into()),
            Of::Dropped => node.dropped.values().sum(),
            Of::DroppedBy => measure.cause().and_then(|cause| node.dropped.get(cause.name())).copied().unwrap_or(0),
            Of::Rule | Of::RuleBytes => {
                let rule = node.firewall.iter().find(|rule| rule.rule == measure.name());
                let decided = rule.ok_or_else(|| "the report has nothing of this rule".to_owned())?.decided;
                if of == Of::Rule { decided.frames } else { decided.bytes }
            }
        },
        _ => return Err("a node has no such measure".into()),
    };
    Ok(vec![Reading::of(count as f64)])
}
