//! What firewalls decided about, as people read it on a terminal: a line for each rule that matched something, and the names
//! of those that matched nothing.

use super::json::{Node, Rule};
use super::terminal::grouped;
use super::warnings::is_made;
use crate::diag::printable::{FAINT, Page, TITLE, putln};
use crate::node::router::firewall::Policy;

/// A table for each firewall.
pub(crate) fn write(out: &mut Page, nodes: &[Node]) -> std::fmt::Result {
    for node in nodes.iter().filter(|node| !node.firewall.is_empty()) {
        out.blank();
        putln!(out, "{TITLE}firewall {}{TITLE:#}", node.name)?;
        write_rules(out, &node.firewall)?;
    }
    Ok(())
}

fn write_rules(out: &mut Page, rules: &[Rule]) -> std::fmt::Result {
    let matched = || rules.iter().filter(|rule| rule.decided.frames > 0);
    let width = matched().map(|rule| rule.rule.chars().count()).max().unwrap_or(0);
    for Rule { rule, action, decided } in matched() {
        let (frames, bytes) = (grouped(decided.frames), grouped(decided.bytes));
        putln!(out, "{:6} {rule:width$}  {FAINT}{frames} frames, {bytes} bytes{FAINT:#}", action.word())?;
    }
    // that nothing was left for replies and the default is nobody's mistake
    let own = rules.len().saturating_sub(2);
    for rule in rules[..own].iter().filter(|rule| rule.decided.frames == 0 && !is_made(&rule.rule)) {
        putln!(out, "  no packet matched {} {}", rule.action.word(), rule.rule)?;
    }
    match rules.last() {
        Some(last) if last.decided.frames == 0 && last.action != Policy::Allow => {
            putln!(out, "  no packet was left for the default: {}", last.action.word())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::NodeCounters;
    use crate::report::json::Count;

    fn rule(rule: &str, action: Policy, frames: u64) -> Rule {
        Rule { rule: rule.into(), action, decided: Count { frames, bytes: frames * 100 } }
    }

    fn written(firewall: Vec<Rule>) -> String {
        let node = Node { firewall, ..Node::new("gw".into(), &NodeCounters::default(), 0) };
        let mut out = Page::new();
        write(&mut out, &[Node::new("sw".into(), &NodeCounters::default(), 0), node]).unwrap();
        out.finish().plain()
    }

    #[test]
    fn rules_that_matched_are_counted_and_those_that_did_not_are_named() {
        let rules = vec![
            rule("web", Policy::Allow, 12_345),
            rule("{ tcp: 22 }", Policy::Reject, 0),
            rule("replies", Policy::Allow, 7),
            rule("default", Policy::Drop, 0),
        ];
        assert_eq!(
            written(rules),
            "\nfirewall gw\nallow  web      12,345 frames, 1,234,500 bytes\nallow  replies  7 frames, 700 bytes\n  \
             no packet matched reject { tcp: 22 }\n  no packet was left for the default: drop\n"
        );
    }

    #[test]
    fn without_firewalls_there_is_nothing_to_say() {
        assert_eq!(written(vec![]), "");
    }
}
