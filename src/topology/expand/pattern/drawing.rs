//! What a pattern makes, while it is being made: nodes, links, and the groups that both form.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;

use super::super::{Entry, Expansion, GroupKind, Node, with_text};
use super::members::Member;
use crate::diag::Span;
use crate::engine::FIELDS;
use crate::language::merge;
use crate::language::read::read;
use crate::language::tree::{Origin, Value};

/// What may be said of some of a pattern's links, beside the fields of a direction.
const OF_BOTH: [&str; 5] = ["profile", "user", "rtt", "half_duplex", "toward"];

/// A pattern's nodes and links.
pub(super) struct Drawing<'d, 't> {
    /// The pattern's name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// What all its links have.
    pub fields: Node,
    spec: Node,
    to: &'d mut Expansion<'t>,
    nodes: Vec<Entry>,
    links: Vec<Entry>,
    groups: IndexMap<String, (GroupKind, Vec<String>)>,
}

impl<'d, 't> Drawing<'d, 't> {
    pub(super) fn new(entry: &Entry, fields: Node, spec: Node, to: &'d mut Expansion<'t>) -> Drawing<'d, 't> {
        // The group of all links has the pattern's own name.
        let groups = IndexMap::from([(entry.key.clone(), (GroupKind::Links, Vec::new()))]);
        let (name, span) = (entry.key.clone(), entry.key_span);
        Drawing { name, span, fields, spec, to, nodes: Vec::new(), links: Vec::new(), groups }
    }

    /// What the file says of the pattern; `None` after a mistake.
    pub(super) fn spec<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut spec = self.spec.clone();
        let read = read(&mut spec, self.to.diagnostics);
        // What could be read of a spec with a mistake in it is not what was meant.
        read.filter(|_| !spec.has_pruned())
    }

    /// Tells a mistake. `None`, for those who return that.
    pub(super) fn wrong<T>(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) -> Option<T> {
        self.to.tell(span, message, help);
        None
    }

    /// Whether there is room for so many nodes and links; told where there is not.
    pub(super) fn room(&mut self, nodes: u128, links: u128) -> Option<()> {
        let span = self.span;
        let room = self.to.room(GroupKind::Nodes, nodes, span) && self.to.room(GroupKind::Links, links, span);
        room.then_some(())
    }

    /// The members of a group of nodes, if a name is one's.
    pub(super) fn group(&self, name: &str) -> Option<&[String]> {
        self.to.groups.members(GroupKind::Nodes, name)
    }

    /// What the nodes between the links are: `nodes` of the pattern, else the usual kind.
    pub(super) fn kind(&mut self, usual: &str) -> Option<Node> {
        let Some(kind) = self.spec.get("nodes").cloned() else {
            return Some(Node::text(usual, self.span, Origin::File));
        };
        let (word, said) = match &kind.value {
            Value::Map(entries) => entries.first().map_or(("", None), |e| (e.key.as_str(), Some(&e.value))),
            _ => (kind.as_text().unwrap_or_default(), None),
        };
        if word == "external" {
            let message = "machines that longwire does not make cannot stand between links";
            return self.wrong(kind.span, message, "write `nodes: router` or `nodes: switch`");
        }
        for key in ["count", "addresses"] {
            if let Some(entry) = said.and_then(|said| said.entry(key)) {
                let message = format!("`{key}` cannot be said of all nodes of a pattern");
                return self.wrong(entry.key_span, message, "take it away: the pattern says how many there are");
            }
        }
        Some(kind)
    }

    /// The pattern's fields, with those under a key of the pattern over them: `host_links`, `bottleneck`.
    pub(super) fn fields_of(&mut self, key: &str) -> Option<Node> {
        let Some(over) = self.spec.get(key).cloned().filter(|over| !matches!(over.value, Value::Null)) else {
            return Some(self.fields.clone());
        };
        let Some(entries) = over.entries() else {
            let message = format!("expected the fields of a link, found {}", over.describe());
            return self.wrong(over.span, message, format!("as in `{key}: {{ rate: 1Gbit }}`"));
        };
        let known: Vec<&str> = FIELDS.iter().copied().chain(OF_BOTH).collect();
        if let Some(entry) = entries.iter().find(|entry| !known.contains(&entry.key.as_str())) {
            let help = crate::diag::suggestion(&entry.key, known.iter().copied());
            return self.wrong(entry.key_span, format!("unknown field `{}`", entry.key), help);
        }
        Some(merge::link(self.fields.clone(), over))
    }

    /// A node `NAME-TAIL` of the group `NAME-GROUP`. Its end of a link.
    pub(super) fn node(&mut self, group: &str, tail: &str, kind: &Node) -> Member {
        let member = self.lone_node(tail, kind);
        self.join(group, GroupKind::Nodes, &member.text);
        member
    }

    /// A node `NAME-TAIL` of no group.
    pub(super) fn lone_node(&mut self, tail: &str, kind: &Node) -> Member {
        let name = format!("{}-{tail}", self.name);
        self.nodes.push(Entry { key: name.clone(), key_span: self.span, value: kind.clone() });
        Member { text: name, span: self.span }
    }

    /// A host.
    pub(super) fn host(&mut self, group: &str, tail: &str) -> Member {
        let kind = Node::text("host", self.span, Origin::File);
        self.node(group, tail, &kind)
    }

    /// A link `NAME-TAIL` of the pattern's group, and of the group `NAME-GROUP` if one is named.
    pub(super) fn link(&mut self, group: Option<&str>, tail: &str, [inner, outer]: [&Member; 2], fields: &Node) {
        let name = format!("{}-{tail}", self.name);
        if let Some((_, all)) = self.groups.get_mut(&self.name) {
            all.push(name.clone());
        }
        if let Some(group) = group {
            self.join(group, GroupKind::Links, &name);
        }
        let mut value = fields.clone();
        let Value::Map(said) = &mut value.value else { return };
        let meant = |text: &str| match text {
            "inner" => Some(inner.text.clone()),
            "outer" => Some(outer.text.clone()),
            _ => None,
        };
        for entry in said.iter_mut() {
            match (entry.key.as_str(), &mut entry.value.value) {
                ("user", _) => {
                    if let Some(end) = entry.value.as_text().and_then(meant) {
                        entry.value = with_text(&entry.value, end);
                    }
                }
                ("toward", Value::Map(sides)) => {
                    for side in sides {
                        side.key = meant(&side.key).unwrap_or_else(|| side.key.clone());
                    }
                }
                _ => {}
            }
        }
        let ends = [inner, outer].map(|end| Node::text(end.text.clone(), end.span, Origin::File));
        let ends = Node::new(Value::Seq(ends.into()), self.span, Origin::File);
        said.insert(0, Entry { key: "ends".to_owned(), key_span: self.span, value: ends });
        self.links.push(Entry { key: name, key_span: self.span, value });
    }

    /// `per` hosts at each of some nodes, numbered through.
    pub(super) fn hosts_at(&mut self, nodes: &[Member], per: u64) -> Option<()> {
        if per == 0 {
            return Some(());
        }
        let fields = self.fields_of("host_links")?;
        for (at, node) in nodes.iter().enumerate() {
            for k in 0..per {
                let number = at as u64 * per + k + 1;
                let host = self.host("host", &format!("host-{number}"));
                self.link(Some("link-host"), &format!("link-host-{number}"), [node, &host], &fields);
            }
        }
        Some(())
    }

    fn join(&mut self, group: &str, kind: GroupKind, member: &str) {
        let group = format!("{}-{group}", self.name);
        self.groups.entry(group).or_insert_with(|| (kind, Vec::new())).1.push(member.to_owned());
    }

    /// What was made, its names and groups taken.
    pub(super) fn finish(self) -> Option<(Vec<Entry>, Vec<Entry>)> {
        let made = self.nodes.iter().chain(&self.links).map(|entry| entry.key.as_str());
        let groups = self.groups.keys().map(String::as_str).filter(|group| *group != self.name);
        if !self.to.claim(&self.name, self.span, made.chain(groups)) {
            return None;
        }
        for (name, (kind, members)) in self.groups {
            self.to.groups.add(&name, kind, members);
        }
        Some((self.nodes, self.links))
    }
}
