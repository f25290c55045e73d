//! From a step's keys to what it does.

use super::check::Check;
use super::spec::{DownSpec, StepSpec};
use super::{Action, Target, apart, profile, rebind, route, run};
use crate::diag::Span;
use crate::engine::LinkId;
use crate::language::spanned::{Names, Spanned};
use crate::language::tree::{Node, Value};
use route::Name;

/// Something that goes down or comes up, its name and where that stands.
pub(super) type Named = (String, Target, Span);

impl Check<'_, '_, '_> {
    /// All that a step does, but for its mark, its ramps and its flapping. What undoes comes first.
    pub(super) fn actions(&mut self, spec: &StepSpec, node: &Node, clean: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        for (name, target, span) in self.targets(spec.reset.as_ref(), true) {
            match target {
                Target::Links(links) => actions.push(Action::Reset { links, name }),
                Target::Nodes(_) => self.error(span, format!("`{name}` is a node"), "reset its links"),
            }
        }
        for (links, fields, words) in self.changes_of(node.get("set"), "set") {
            let found = profile::find(
                &fields,
                &links,
                &self.around.links,
                (&mut self.around.presets, self.around.sources),
                self.diagnostics,
            );
            if let Ok(profile) = found {
                let profile = profile.map(Box::new);
                actions.push(Action::Set { links, fields, profile, words });
            }
        }
        let down = match &spec.down {
            Some(Spanned { value: DownSpec { names, .. }, span }) => self.named(names, *span, false),
            None => Vec::new(),
        };
        let up = self.targets(spec.up.as_ref(), false);
        for (name, target, span) in &up {
            if let Some((_, _, first)) = down.iter().find(|(_, other, _)| other.overlaps(target)) {
                self.diagnostics
                    .error(*span, format!("`{name}` goes down and comes up at the same instant"))
                    .related(*first, "down, here")
                    .help("make two steps of it");
            }
        }
        let carrier = spec.down.as_ref().is_none_or(|down| down.value.carrier.0);
        actions.extend(self.down_and_up(down, carrier).0);
        actions.extend(self.down_and_up(up, true).1);
        if let Some(heal) = &spec.heal {
            match heal.value.as_str() {
                "all" => actions.push(Action::Heal),
                other => self.error(heal.span, format!("`{other}` is not what `heal` takes"), "write `heal: all`"),
            }
        }
        actions.extend(self.partition(spec));
        let of_arrows = [(&spec.unblock, true), (&spec.block, false)];
        for (names, is_unblock) in of_arrows {
            for (pairs, arrow) in self.arrows(names.as_ref()) {
                actions.push(match is_unblock {
                    true => Action::Unblock { pairs, arrow },
                    false => Action::Block { pairs, arrow },
                });
            }
        }
        actions.extend(self.rebinds(spec.rebind.as_ref()));
        for (host, interface) in spec.route.iter().flatten() {
            actions.extend(self.route(host, interface).map(Action::Route));
        }
        if let Some(run) = &spec.run {
            actions.extend(run::read(run, clean, self.around.hosts, self.diagnostics));
        }
        actions
    }

    /// The actions that take these down, and those that bring them up again.
    pub(super) fn down_and_up(&self, those: Vec<Named>, carrier: bool) -> (Vec<Action>, Vec<Action>) {
        let directory = self.directory();
        let both = those.into_iter().map(|(name, target, _)| {
            let ports = directory.ports_at(&target);
            let dark = if carrier { Vec::new() } else { ports.clone() };
            let down = Action::Down { target: target.clone(), name: name.clone(), dark };
            (down, Action::Up { target, name, ports })
        });
        both.unzip()
    }

    /// What names stand for; nothing where they stand for nothing, which is told, unless it could not be read.
    pub(super) fn targets(&mut self, names: Option<&Spanned<Names>>, only_links: bool) -> Vec<Named> {
        names.map_or_else(Vec::new, |names| self.named(&names.value, names.span, only_links))
    }

    fn named(&mut self, names: &Names, whole: Span, only_links: bool) -> Vec<Named> {
        let mut found: Vec<Named> = Vec::new();
        for Spanned { value: name, span } in names.each(whole) {
            let target = match only_links {
                true => match self.links_of(name, span) {
                    Some(links) => Target::Links(links),
                    None => continue,
                },
                false => match self.directory().target(name) {
                    Ok(target) => target,
                    Err(_) if self.is_silent(name) => continue,
                    Err((message, help)) => {
                        self.error(span, message, help);
                        continue;
                    }
                },
            };
            if let Some((.., first)) = found.iter().find(|(_, other, _)| other.overlaps(&target)) {
                self.diagnostics
                    .error(span, format!("`{name}` stands here twice"))
                    .related(*first, "the first")
                    .help("take one away");
                continue;
            }
            found.push((name.to_owned(), target, span));
        }
        found
    }

    fn links_of(&mut self, name: &str, span: Span) -> Option<Vec<LinkId>> {
        let links = self.around.links.links_of(name);
        if links.is_none() && !self.is_silent(name) {
            let known: Vec<String> = self.around.links.known().map(str::to_owned).collect();
            let help = crate::diag::suggestion(name, known.iter().map(String::as_str));
            self.error(span, format!("unknown link `{name}`"), help);
        }
        links
    }

    fn partition(&mut self, spec: &StepSpec) -> Option<Action> {
        let partition = spec.partition.as_ref()?;
        let names = |side: &Spanned<Names>| side.value.0.iter().map(|name| name.value.clone()).collect::<Vec<_>>();
        let sides: Vec<Vec<String>> = partition.value.iter().map(names).collect();
        let sides: Vec<Vec<&str>> = sides.iter().map(|side| side.iter().map(String::as_str).collect()).collect();
        match apart::sides(&self.directory(), &sides) {
            Ok((sides, words)) => Some(Action::Partition { sides, words }),
            Err((place, (message, help))) => {
                let span = place.and_then(|(side, at)| {
                    let side = partition.value.get(side)?;
                    Some(side.value.0.get(at)?.span).filter(|span| span.line > 0).or(Some(side.span))
                });
                let named = place.and_then(|(side, at)| sides.get(side)?.get(at).copied());
                if !named.is_some_and(|name| self.is_silent(name)) {
                    self.error(span.unwrap_or(partition.span), message, help);
                }
                None
            }
        }
    }

    fn arrows(
        &mut self,
        names: Option<&Spanned<Names>>,
    ) -> Vec<(Vec<(crate::engine::NodeId, crate::engine::NodeId)>, String)> {
        let Some(names) = names else { return Vec::new() };
        let mut found = Vec::new();
        for Spanned { value: text, span } in names.each() {
            match apart::arrow(&self.directory(), text) {
                Ok(arrow) => found.push(arrow),
                Err(_) if self.is_silent(text) => {}
                Err((message, help)) => self.error(span, message, help),
            }
        }
        found
    }

    fn rebinds(&mut self, names: Option<&Spanned<Names>>) -> Vec<Action> {
        let Some(names) = names else { return Vec::new() };
        let mut found = Vec::new();
        for Spanned { value: name, span } in names.each() {
            match rebind::find(self.around.plan, name) {
                Ok(node) => found.push(Action::Rebind { node, name: name.to_owned() }),
                Err(_) if self.is_silent(name) => {}
                Err((message, help)) => self.error(span, message, help),
            }
        }
        found
    }

    /// The links of a map from link to fields, with these and the words for them.
    pub(super) fn changes_of(&mut self, map: Option<&Node>, key: &str) -> Vec<(Vec<LinkId>, Node, Vec<String>)> {
        let Some(map) = map.filter(|map| !map.pruned && map.value != Value::Null) else { return Vec::new() };
        let Some(entries) = map.entries() else {
            let message = format!("expected a map from link to fields, found {}", map.describe());
            self.error(map.span, message, format!("as in `{key}: {{ wifi: {{ loss: 10% }} }}`"));
            return Vec::new();
        };
        let mut changes = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.value.pruned) {
            let Some(links) = self.links_of(&entry.key, entry.key_span) else { continue };
            let Some(fields) = entry.value.entries().filter(|fields| !fields.is_empty()) else {
                let message = format!("expected fields of a link, found {}", entry.value.describe());
                self.error(entry.value.span, message, "as in `{ loss: 10% }`");
                continue;
            };
            let mut words = Vec::new();
            for field in fields {
                let ends = field.value.entries().filter(|_| field.key == "toward").unwrap_or_default();
                for end in ends {
                    let inner = end.value.entries().unwrap_or_default().iter();
                    words.extend(
                        inner.map(|f| format!("{}.toward.{}.{}={}", entry.key, end.key, f.key, f.value.inline())),
                    );
                }
                if !["toward", "user"].contains(&field.key.as_str()) {
                    words.push(format!("{}.{}={}", entry.key, field.key, field.value.inline()));
                }
            }
            changes.push((links, entry.value.clone(), words));
        }
        changes
    }

    fn route(&mut self, host: &Spanned<String>, interface: &Spanned<String>) -> Option<route::RouteMove> {
        match route::find(self.around.network, host, interface) {
            Ok(to) => {
                for family in route::left_behind(self.around.network, &to) {
                    let message = format!(
                        "`{}` has no {family} gateway on `{}`: its {family} default route stays where it is",
                        host.value, interface.value
                    );
                    self.diagnostics.warning(interface.span, message);
                }
                Some(to)
            }
            Err(_) if self.is_silent(host) => None,
            Err((name, message, help)) => {
                let span = if name == Name::Host { host.span } else { interface.span };
                self.error(span, message, help);
                None
            }
        }
    }
}
