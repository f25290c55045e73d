//! A firewall as it stands in a file → the node's plan: names become addresses and ports, and what can never be is told.

use super::Directory;
use crate::diag::{Diagnostics, Span, suggestion};
use crate::language::spanned::Spanned;
use crate::model::only::value::{Many, Protocol};
use crate::node::router::firewall::matching::Destination;
use crate::node::router::firewall::{FirewallPlan, Match, Networks, RulePlan};
use crate::topology::firewall::FirewallSpec;
use crate::topology::firewall::{MatchLong, MatchSpec, Names, RuleSpec, Version};

/// Names that the report gives to what no rule matched.
const TAKEN: [&str; 2] = ["replies", "default"];

/// A router and the names around it.
pub(super) struct Wall<'a> {
    /// The router's name.
    pub router: &'a str,
    /// By port: the interface's name, and its link's.
    pub interfaces: Vec<(&'a str, &'a str)>,
    /// What other names stand for.
    pub directory: &'a Directory<'a>,
}

/// Plans a firewall. Rules with mistakes are left out, which have been told.
pub(super) fn plan(spec: &FirewallSpec, wall: &Wall<'_>, diagnostics: &mut Diagnostics) -> FirewallPlan {
    let mut names: Vec<&Spanned<String>> = Vec::new();
    let mut rules: Vec<(RulePlan, Span)> = Vec::new();
    for Spanned { value: rule, .. } in &spec.rules {
        if let Some(name) = &rule.name {
            check_name(name, &names, diagnostics);
            names.push(name);
        }
        let Some(matches) = wall.resolve(&rule.of, diagnostics) else { continue };
        warn_of_covered(&matches, rule, &rules, diagnostics);
        let name = rule.name.as_ref().map_or_else(|| rule.of.to_string(), |name| name.value.clone());
        rules.push((RulePlan { name, action: rule.action, matches }, rule.of.span));
    }
    let rules = rules.into_iter().map(|(rule, _)| rule).collect();
    FirewallPlan { default: spec.default, rules, timeouts: spec.timeouts, limit: spec.limit }
}

fn check_name(name: &Spanned<String>, others: &[&Spanned<String>], diagnostics: &mut Diagnostics) {
    if TAKEN.contains(&name.as_str()) || name.trim().is_empty() {
        diagnostics
            .error(name.span, format!("`{}` cannot name a rule", name.value))
            .help("the report calls `replies` and `default` what no rule matched: choose another name");
    }
    if let Some(first) = others.iter().find(|other| other.value == name.value) {
        diagnostics
            .error(name.span, format!("`{}` is already the name of a rule", name.value))
            .related(first.span, "the first")
            .help("the report tells rules apart by their names");
    }
}

fn warn_of_covered(matches: &Match, rule: &RuleSpec, earlier: &[(RulePlan, Span)], diagnostics: &mut Diagnostics) {
    if diagnostics.has_errors() {
        return; // of a rule that could not be read whole, too little is known
    }
    if let Some((first, span)) = earlier.iter().find(|(first, _)| first.matches.covers(matches)) {
        let message = "no packet reaches this rule: all that it matches, an earlier one does";
        let help = "the first that matches decides: put the narrower rule first, or take this one away";
        let related = format!("`{} {}` comes first", first.action.word(), first.name);
        diagnostics.warning(rule.of.span, message).related(*span, related).help(help);
    }
}

impl Wall<'_> {
    /// `None` where something is wrong, which has been told.
    fn resolve(&self, of: &Spanned<MatchSpec>, diagnostics: &mut Diagnostics) -> Option<Match> {
        let spec = &of.value.0;
        let inward = self.ports(spec.inward.as_ref(), diagnostics);
        let outward = self.ports(spec.outward.as_ref(), diagnostics);
        let from = self.from(spec, diagnostics);
        let to = self.to(spec, diagnostics);
        let mut matches = Match {
            inward: inward?,
            outward: outward?,
            from: from?,
            to: to?,
            version: spec.family.map(Version::number),
            protocol: spec.protocol.clone(),
            port: spec.port.clone(),
            source_port: spec.source_port.clone(),
            icmp_type: spec.icmp_type.clone(),
            state: spec.state.clone(),
            tcp_flags: spec.tcp_flags.clone(),
            fragment: spec.fragment,
            dscp: spec.dscp.clone(),
        };
        for (short, protocol) in [(&spec.tcp, Protocol::TCP), (&spec.udp, Protocol::UDP)] {
            if short.is_given() {
                (matches.protocol, matches.port) = (Many::one(protocol), short.clone());
            }
        }
        let wrong = matches.conflict().or_else(|| no_family(&matches));
        if let Some(message) = wrong {
            diagnostics.error(of.span, message);
            return None;
        }
        Some(matches)
    }

    fn ports(&self, names: Option<&Spanned<Names>>, diagnostics: &mut Diagnostics) -> Option<Vec<u32>> {
        let Some(names) = names else { return Some(Vec::new()) };
        let one = |name: Spanned<&str>, diagnostics: &mut Diagnostics| {
            let found = self.interfaces.iter().position(|(interface, link)| [*interface, *link].contains(&name.value));
            if found.is_none() && !self.directory.silent.contains(&self.router) {
                let known: Vec<&str> =
                    self.interfaces.iter().flat_map(|(interface, link)| [*interface, *link]).collect();
                let message = format!("`{}` has no interface and no link `{}`", self.router, name.value);
                diagnostics.error(name.span, message).help(suggestion(name.value, known));
            }
            found.map(|port| port as u32)
        };
        names.each().map(|name| one(name, diagnostics)).collect::<Vec<_>>().into_iter().collect()
    }

    /// Whether a name means the router itself.
    fn is_self(&self, name: &str) -> bool {
        name == self.router || name == "router" && !self.directory.stations.contains_key(name)
    }

    fn from(&self, spec: &MatchLong, diagnostics: &mut Diagnostics) -> Option<Option<Networks>> {
        let Some(names) = &spec.from else { return Some(None) };
        let mut all = Some(Vec::new());
        for name in names.each() {
            let found = if self.is_self(name.value) {
                diagnostics
                    .error(name.span, "what the router itself sends is not asked about")
                    .help("name others, or its address if it is its NAT that you mean");
                None
            } else {
                self.directory.networks(name, diagnostics)
            };
            all = all.zip(found).map(|(all, found)| [all, found].concat());
        }
        all.map(|all| Some(all.into_iter().collect()))
    }

    fn to(&self, spec: &MatchLong, diagnostics: &mut Diagnostics) -> Option<Option<Destination>> {
        let Some(names) = &spec.to else { return Some(None) };
        let mut router = false;
        let mut all = Some(Vec::new());
        for name in names.each() {
            if self.is_self(name.value) {
                router = true;
                continue;
            }
            all = all.zip(self.directory.networks(name, diagnostics)).map(|(all, found)| [all, found].concat());
        }
        all.map(|all| Some(Destination { router, networks: all.into_iter().collect() }))
    }
}

/// What no packet has together, because of its addresses' families.
fn no_family(matches: &Match) -> Option<String> {
    let spoken = matches.families();
    let from = matches.from.as_ref().map_or([true; 2], Networks::families);
    let to = matches.to.as_ref().filter(|to| !to.router).map_or([true; 2], |to| to.networks.families());
    let both = |a: [bool; 2], b: [bool; 2]| a[0] && b[0] || a[1] && b[1];
    let word = |families: [bool; 2]| if families[0] { "IPv4" } else { "IPv6" };
    let clash = |a: (&str, [bool; 2]), b: (&str, [bool; 2])| {
        (!both(a.1, b.1)).then(|| {
            format!(
                "no packet matches: {} is of {} alone, {} of {}; take one of them away, or name addresses of the same family",
                a.0,
                word(a.1),
                b.0,
                word(b.1)
            )
        })
    };
    clash(("`from`", from), ("`to`", to))
        .or_else(|| clash(("`from`", from), ("the rest of the rule", spoken)))
        .or_else(|| clash(("`to`", to), ("the rest of the rule", spoken)))
}
