//! `timeline:`: what changes at which time. Read and checked here, carried out by a run.
//!
//! A new kind of step is one more [`Action`], with a file of its own where it has substance.

mod at;
mod rebind;
mod route;
mod spec;

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::files::Files;
use super::network::NetworkPlan;
use super::read::read;
use super::set::LiveLinks;
use super::spanned::Spanned;
use super::tree::{Node, Value};
use crate::diag::{Diagnostic, Diagnostics, Span, suggestion};
use crate::engine::{Command, LinkId, NodeId, Plan};
use crate::node::NodeCommand;
use crate::units::Duration;
use at::At;
use route::Name;
use spec::Names;
pub(super) use spec::StepSpec;

pub use rebind::find as find_translator;
pub use route::{RouteMove, parse as parse_route};

/// What happens at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When, from t = 0.
    pub at: Duration,
    /// What. Changes of links take effect together: no frame meets one without the others.
    pub actions: Vec<Action>,
}

/// One thing that a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Fields of links change, on top of what each link does then.
    Set {
        /// The links: one, or those of a group.
        links: Vec<LinkId>,
        /// The fields, `toward` and `rtt` among them, as the file has them.
        fields: Node,
        /// As people write it, field by field: `wifi.loss=10%`.
        words: Vec<String>,
    },
    /// Links go down.
    Down {
        /// The links: one, or those of a group.
        links: Vec<LinkId>,
        /// The name of the link, or of the group.
        name: String,
    },
    /// Links come up.
    Up {
        /// The links: one, or those of a group.
        links: Vec<LinkId>,
        /// The name of the link, or of the group.
        name: String,
    },
    /// A router's address translation forgets its mappings.
    Rebind {
        /// The router.
        node: NodeId,
        /// Its name.
        name: String,
    },
    /// A host's default routes move.
    Route(RouteMove),
    /// The instant gets a name.
    Mark(String),
}

impl Action {
    /// What it does, as people write it; one text a change.
    pub fn words(&self) -> Vec<String> {
        match self {
            Action::Set { words, .. } => words.clone(),
            Action::Down { name, .. } => vec![format!("{name}=down")],
            Action::Up { name, .. } => vec![format!("{name}=up")],
            Action::Rebind { name, .. } => vec![format!("{name}.nat=rebind")],
            Action::Route(to) => vec![to.words.clone()],
            Action::Mark(label) => vec![format!("mark {label}")],
        }
    }

    /// Whether it is a matter of the simulated network alone, and so happens at its model time; what is not happens in
    /// the hosts, by the clock.
    pub const fn is_inside(&self) -> bool {
        !matches!(self, Action::Route(_))
    }
}

impl Step {
    /// What the engine is told, given how the links stand then; `links` stand changed afterwards.
    ///
    /// # Errors
    /// What is wrong with a change of a link. `links` may have changed in part.
    pub fn commands(&self, links: &mut LiveLinks, files: &dyn Files) -> Result<Vec<Command>, Diagnostics> {
        let mut commands = Vec::new();
        for action in &self.actions {
            match action {
                Action::Set { links: those, fields, .. } => {
                    for link in those {
                        let changes = links.change(link.0 as usize, fields, files)?;
                        commands.extend(changes.into_iter().map(|(direction, change)| Command::Set(direction, change)));
                    }
                }
                Action::Down { links, .. } => commands.extend(links.iter().copied().map(Command::Down)),
                Action::Up { links, .. } => commands.extend(links.iter().copied().map(Command::Up)),
                Action::Rebind { node, .. } => commands.push(Command::Node(*node, NodeCommand::Rebind)),
                Action::Route(_) | Action::Mark(_) => {}
            }
        }
        Ok(commands)
    }
}

/// The marks of a timeline, with their times where those are known beforehand.
pub(super) fn marks(steps: &[Step]) -> IndexMap<String, Option<Duration>> {
    let marks = steps.iter().flat_map(|step| step.actions.iter().map(move |action| (step, action)));
    marks
        .filter_map(
            |(step, action)| if let Action::Mark(name) = action { Some((name.clone(), Some(step.at))) } else { None },
        )
        .collect()
}

/// What steps may name.
pub(super) struct Surroundings<'a> {
    /// The links that could be read, as the scenario has them.
    pub links: LiveLinks,
    /// The network inside, for its routers.
    pub plan: &'a Plan,
    /// The hosts that could be read.
    pub network: &'a NetworkPlan,
    /// Names of which nothing more is told: what they name could not be read.
    pub silent: Vec<&'a str>,
    /// How long the run lasts, if the scenario says.
    pub duration: Option<Duration>,
    /// Where tables are read from.
    pub files: &'a dyn Files,
}

/// Reads and checks a timeline: its steps in the order of their times, those of one time in the order of the file.
pub(super) fn plan(section: Option<&Node>, around: Surroundings<'_>, told: &mut Diagnostics) -> Vec<Step> {
    let Some(section) = section.filter(|section| !section.pruned) else { return Vec::new() };
    let nodes = match &section.value {
        Value::Seq(nodes) => nodes.as_slice(),
        Value::Null => &[],
        _ => {
            let message = format!("{} stands where a list of steps should", section.describe());
            told.push(Diagnostic::error(section.span, message).help("as in `- { at: 10s, down: [wifi] }`"));
            &[]
        }
    };
    let mut check = Check { around, told, marks: BTreeMap::new(), later: later_marks(nodes) };
    let mut steps: Vec<Step> = nodes.iter().filter_map(|node| check.step(node)).collect();
    steps.sort_by_key(|step| step.at);
    // What a change comes to depends on those before it.
    let Surroundings { mut links, files, .. } = check.around;
    for step in &steps {
        if let Err(wrong) = step.commands(&mut links, files) {
            told.append(wrong);
        }
    }
    steps
}

/// All marks of the file, to tell those that stand further down from those that are nowhere.
fn later_marks(nodes: &[Node]) -> Vec<String> {
    nodes.iter().filter_map(|node| node.get("mark")?.as_text().map(str::to_owned)).collect()
}

struct Check<'a, 'd> {
    around: Surroundings<'a>,
    told: &'d mut Diagnostics,
    /// When marks are, and where they stand; no time where that could not be told.
    marks: BTreeMap<String, (Option<Duration>, Span)>,
    later: Vec<String>,
}

impl Check<'_, '_> {
    fn step(&mut self, node: &Node) -> Option<Step> {
        let mut node = node.clone();
        if node.entries().is_none() {
            let message = format!("{} stands where a step should", node.describe());
            self.told.push(Diagnostic::error(node.span, message).help("as in `{ at: 10s, down: [wifi] }`"));
            return None;
        }
        let spec: Option<StepSpec> = read(&mut node, self.told);
        let clean = !node.has_pruned();
        let mut actions = self.sets(node.get("set"));
        let spec = match spec {
            Some(spec) => spec,
            None => {
                // whoever refers to its mark has not made a mistake
                if let Some(mark) = node.get("mark").and_then(Node::as_text) {
                    self.marks.entry(mark.to_owned()).or_insert((None, node.span));
                }
                return None;
            }
        };
        let at = self.time(&spec.at);
        let down = self.links(spec.down.as_ref());
        let up = self.links(spec.up.as_ref());
        for (name, _, span) in &up {
            if let Some((_, _, first)) = down.iter().find(|(other, ..)| other == name) {
                let error = Diagnostic::error(*span, format!("`{name}` goes down and comes up at the same instant"));
                self.told.push(error.related(*first, "down, here").help("make two steps of it"));
            }
        }
        actions.extend(down.into_iter().map(|(name, links, _)| Action::Down { links, name }));
        actions.extend(up.into_iter().map(|(name, links, _)| Action::Up { links, name }));
        actions.extend(self.rebinds(spec.rebind.as_ref()));
        for (host, interface) in spec.route.iter().flatten() {
            actions.extend(self.route(host, interface).map(Action::Route));
        }
        if let Some(mark) = &spec.mark {
            self.mark(mark, at);
            actions.push(Action::Mark(mark.value.clone()));
        }
        let says_nothing = ["set", "down", "up", "rebind", "route", "mark"].iter().all(|key| {
            let empty = |node: &Node| match &node.value {
                Value::Null => true,
                Value::Seq(list) => list.is_empty(),
                Value::Map(entries) => entries.is_empty(),
                Value::Scalar(_) => false,
            };
            node.get(key).is_none_or(empty)
        });
        if says_nothing && clean {
            let error = Diagnostic::error(spec.at.span, "the step does nothing");
            self.told.push(error.help("write one of `set`, `down`, `up`, `rebind`, `route` and `mark` beside `at`"));
        }
        Some(Step { at: at?, actions })
    }

    fn time(&mut self, at: &Spanned<At>) -> Option<Duration> {
        let time = match &at.value {
            At::Zero(time) => *time,
            At::Mark(label, offset) => match self.marks.get(label) {
                Some((Some(time), _)) => match time.as_nanos().checked_add(offset.as_nanos()) {
                    Some(ns) => Duration::from_nanos(ns),
                    None => {
                        self.told.push(Diagnostic::error(at.span, "that is later than longwire can count"));
                        return None;
                    }
                },
                Some((None, _)) => return None,
                None => {
                    let error = Diagnostic::error(at.span, format!("unknown mark `{label}`"));
                    let help = if self.later.contains(label) {
                        "it is set further down: a step comes after the mark that it names".to_owned()
                    } else {
                        suggestion(label, self.marks.keys().map(String::as_str).collect::<Vec<_>>())
                    };
                    self.told.push(error.help(help));
                    return None;
                }
            },
        };
        if let Some(duration) = self.around.duration.filter(|duration| time >= *duration) {
            let message = format!("at {time} the run is over: its duration is {duration}");
            self.told.push(Diagnostic::error(at.span, message).help("let it last longer, or take the step away"));
        }
        Some(time)
    }

    fn mark(&mut self, mark: &Spanned<String>, at: Option<Duration>) {
        if !at::is_mark(mark) {
            let error = Diagnostic::error(mark.span, format!("`{}` cannot be a mark", mark.value));
            self.told.push(error.help("a letter first, then letters, digits, `-` and `_`"));
            return;
        }
        if let Some((_, first)) = self.marks.get(&mark.value) {
            let error = Diagnostic::error(mark.span, format!("there is a mark `{}` already", mark.value));
            self.told.push(error.related(*first, "the first").help("choose another name"));
            return;
        }
        self.marks.insert(mark.value.clone(), (at, mark.span));
    }

    /// The links of a name, several of a group's; `None` where there is none, which is told, unless it could not be read.
    fn link(&mut self, name: &str, span: Span) -> Option<Vec<LinkId>> {
        let links = self.around.links.links_of(name);
        if links.is_none() && !self.around.silent.contains(&name) {
            let error = Diagnostic::error(span, format!("unknown link `{name}`"));
            self.told.push(error.help(suggestion(name, self.around.links.known())));
        }
        links
    }

    fn links(&mut self, names: Option<&Spanned<Names>>) -> Vec<(String, Vec<LinkId>, Span)> {
        let Some(names) = names else { return Vec::new() };
        let mut found: Vec<(String, Vec<LinkId>, Span)> = Vec::new();
        for name in &names.value.0 {
            let span = if name.span.line > 0 { name.span } else { names.span };
            let Some(links) = self.link(name, span) else { continue };
            if let Some((.., first)) = found.iter().find(|(_, others, _)| others.iter().any(|o| links.contains(o))) {
                let error = Diagnostic::error(span, format!("`{}` stands here twice", name.value));
                self.told.push(error.related(*first, "the first").help("take one away"));
                continue;
            }
            found.push((name.value.clone(), links, span));
        }
        found
    }

    fn rebinds(&mut self, names: Option<&Spanned<Names>>) -> Vec<Action> {
        let Some(names) = names else { return Vec::new() };
        let mut found = Vec::new();
        for name in &names.value.0 {
            let span = if name.span.line > 0 { name.span } else { names.span };
            match rebind::find(self.around.plan, &name.value) {
                Ok(node) => found.push(Action::Rebind { node, name: name.value.clone() }),
                Err(_) if self.around.silent.contains(&&*name.value) => {}
                Err((message, help)) => self.told.push(Diagnostic::error(span, message).help(help)),
            }
        }
        found
    }

    fn sets(&mut self, set: Option<&Node>) -> Vec<Action> {
        let Some(set) = set.filter(|set| !set.pruned && set.value != Value::Null) else { return Vec::new() };
        let Some(entries) = set.entries() else {
            let message = format!("{} stands where a map from link to fields should", set.describe());
            self.told.push(Diagnostic::error(set.span, message).help("as in `set: { wifi: { loss: 10% } }`"));
            return Vec::new();
        };
        let mut actions = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.value.pruned) {
            let Some(links) = self.link(&entry.key, entry.key_span) else { continue };
            let Some(fields) = entry.value.entries().filter(|fields| !fields.is_empty()) else {
                let message = format!("{} stands where fields of a link should", entry.value.describe());
                self.told.push(Diagnostic::error(entry.value.span, message).help("as in `{ loss: 10% }`"));
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
                if field.key != "toward" {
                    words.push(format!("{}.{}={}", entry.key, field.key, field.value.inline()));
                }
            }
            actions.push(Action::Set { links, fields: entry.value.clone(), words });
        }
        actions
    }

    fn route(&mut self, host: &Spanned<String>, interface: &Spanned<String>) -> Option<RouteMove> {
        match route::find(self.around.network, host, interface) {
            Ok(to) => {
                for family in route::left_behind(self.around.network, &to) {
                    let message = format!(
                        "`{}` has no {family} gateway on `{}`: its {family} default route stays where it is",
                        host.value, interface.value
                    );
                    self.told.push(Diagnostic::warning(interface.span, message));
                }
                Some(to)
            }
            Err(_) if self.around.silent.contains(&host.as_str()) => None,
            Err((name, message, help)) => {
                let span = if name == Name::Host { host.span } else { interface.span };
                self.told.push(Diagnostic::error(span, message).help(help));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
