//! Names of nodes, links, services and workloads: one name space, so that an expression or a command needs no prefix.

use std::collections::BTreeMap;

use super::tree::{Entry, Node};
use crate::diag::{Diagnostics, Span};

/// The sections whose entries have names.
pub(crate) const SECTIONS: [&str; 4] = ["nodes", "links", "services", "workloads"];

/// The longest label of a host name (RFC 1123 §2.1).
pub(crate) const MAX: usize = 63;

/// Checks the names of all sections.
pub(crate) fn check(root: &Node, diagnostics: &mut Diagnostics) {
    let mut taken: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
    for section in SECTIONS {
        for Entry { key, key_span, .. } in root.get(section).and_then(Node::entries).unwrap_or_default() {
            if let Err(reason) = check_one(key) {
                diagnostics
                    .error(*key_span, format!("`{key}` cannot be a name: {reason}"))
                    .help("letters, digits, `-` and `_`, a letter or digit first, at most 63 bytes");
            }
            if let Some((other, first)) = taken.insert(key, (section, *key_span)) {
                diagnostics
                    .error(*key_span, format!("`{key}` is already the name of one of the {other}"))
                    .related(first, "the first")
                    .help("nodes, links, services and workloads share one name space: choose another name");
            }
        }
    }
}

/// Why a text cannot be a name.
pub(crate) fn check_one(name: &str) -> Result<(), String> {
    let Some(first) = name.chars().next() else { return Err("it is empty".into()) };
    if !first.is_ascii_alphanumeric() {
        return Err(format!("it begins with `{first}`"));
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
        return Err(format!("it has `{bad}` in it"));
    }
    if name.len() > MAX {
        return Err(format!("it is {} bytes long", name.len()));
    }
    if name == "localhost" {
        return Err("every host has that name for itself".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_of_host_names() {
        for good in ["a", "alice", "web-1", "x_y", "4g", &"a".repeat(63)] {
            assert_eq!(check_one(good), Ok(()), "{good}");
        }
        for bad in ["", "-a", "_a", "a.b", "a b", "é", "localhost", &"a".repeat(64)] {
            assert!(check_one(bad).is_err(), "{bad}");
        }
    }
}
