//! The table of groups: which names stand for several nodes, links, services or workloads.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

/// What the members of a group are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Nodes.
    Nodes,
    /// Links.
    Links,
    /// Services.
    Services,
    /// Workloads.
    Workloads,
}

/// A name that stands for several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What they are.
    pub kind: GroupKind,
    /// Their names, in order: member 1 first.
    pub members: Vec<String>,
}

/// All groups of a scenario, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Groups(IndexMap<String, Group>);

impl Groups {
    /// The group of a name.
    pub fn get(&self, name: &str) -> Option<&Group> {
        self.0.get(name)
    }

    /// The members that a name stands for, if it names a group of this kind.
    pub fn members(&self, kind: GroupKind, name: &str) -> Option<&[String]> {
        self.0.get(name).filter(|group| group.kind == kind).map(|group| group.members.as_slice())
    }

    /// Whether a name stands for a group of this kind that `member` is one of.
    pub fn has(&self, kind: GroupKind, name: &str, member: &str) -> bool {
        self.members(kind, name).is_some_and(|members| members.iter().any(|one| one == member))
    }

    /// Names and groups, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.0.iter().map(|(name, group)| (name.as_str(), group))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, name: &str, kind: GroupKind, members: Vec<String>) {
        self.0.insert(name.to_owned(), Group { kind, members });
    }

    /// For each member the smallest group that it is in: the one that says most of it.
    pub(crate) fn of_members(&self) -> Members<'_> {
        let mut of: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
        for (name, group) in self.iter() {
            for member in &group.members {
                let there = of.entry(member).or_insert((name, group.members.len()));
                if group.members.len() < there.1 {
                    *there = (name, group.members.len());
                }
            }
        }
        Members(of)
    }
}

/// From a member's name to its group's.
pub(crate) struct Members<'a>(BTreeMap<&'a str, (&'a str, usize)>);

impl<'a> Members<'a> {
    /// The group of a member.
    pub(crate) fn group_of(&self, member: &str) -> Option<&'a str> {
        self.0.get(member).map(|(group, _)| *group)
    }

    /// A text with the names of groups in place of those of their members: the same for all members of whom it says the
    /// same.
    pub(crate) fn generalize(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            out.push_str(self.group_of(word).unwrap_or(word));
            let gap = behind.find(is_name).unwrap_or(behind.len());
            out.push_str(&behind[..gap]);
            rest = &behind[gap..];
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &str, count: usize) -> Vec<String> {
        (1..=count).map(|n| format!("{of}-{n}")).collect()
    }

    #[test]
    fn names_stand_for_members_of_their_kind() {
        let mut groups = Groups::default();
        groups.add("clients", GroupKind::Nodes, names("clients", 3));
        assert_eq!(groups.members(GroupKind::Nodes, "clients").unwrap().len(), 3);
        assert_eq!(groups.members(GroupKind::Links, "clients"), None);
        assert!(groups.has(GroupKind::Nodes, "clients", "clients-3"));
        assert!(!groups.has(GroupKind::Nodes, "clients", "clients-4"));
        let json = serde_json::to_value(&groups).unwrap();
        assert_eq!(json["clients"]["members"][2], "clients-3");
    }

    #[test]
    fn a_text_is_generalized_by_the_smallest_group() {
        let mut groups = Groups::default();
        groups.add("all", GroupKind::Links, [names("a", 2), names("b", 1)].concat());
        groups.add("a", GroupKind::Links, names("a", 2));
        let members = groups.of_members();
        assert_eq!(
            members.generalize("`a-2.eth0` beside b-1, not a-3 or xa-1"),
            "`a.eth0` beside all, not a-3 or xa-1"
        );
        assert_eq!(members.generalize(""), "");
        assert_eq!(members.generalize("→ a-1"), "→ a");
    }
}
