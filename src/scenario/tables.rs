//! Tables that models take from files: read when a scenario is, with the names' places at hand.

use std::path::{Path, PathBuf};

use super::files::{Files, beside};
use super::tree::{Node, Origin, Value};
use crate::diag::{Diagnostic, Diagnostics, Sources};
use crate::engine::DirectionSpec;

/// Where names of files are looked up.
pub(super) struct Tables<'a> {
    /// The files.
    pub files: &'a dyn Files,
    /// The scenario's file: names from the command line are relative to its folder.
    pub scenario: &'a Path,
    /// The names of the files that the scenario's spans point into.
    pub sources: &'a Sources,
    /// Only a change from the command line has places that can be shown.
    pub change: bool,
}

impl Tables<'_> {
    /// Reads all files that a direction's models name. `tree` is what the direction was read from.
    pub(super) fn load(&self, spec: &mut DirectionSpec, tree: &Node, told: &mut Diagnostics) {
        spec.files(&mut |file| {
            let name = file.path().to_owned();
            let node = place(tree, &name);
            let path = self.path(node, &name);
            let read = self.files.read(&path).map_err(|reason| format!("cannot read {}: {reason}", path.display()));
            let loaded = read.and_then(|text| file.load(&text).map_err(|wrong| format!("{}: {wrong}", path.display())));
            if let Err(message) = loaded {
                let shown = node.filter(|node| !self.change || node.origin == Origin::CommandLine);
                told.push(Diagnostic::error(shown.map(|node| node.span), message));
            }
        });
    }

    /// Where the file is that a node names.
    pub(super) fn path(&self, node: Option<&Node>, name: &str) -> PathBuf {
        match node {
            Some(node) if node.origin != Origin::CommandLine => {
                beside(Path::new(self.sources.name(node.span.source)), name)
            }
            _ => beside(self.scenario, name),
        }
    }
}

/// The node whose text is the file's name.
fn place<'a>(tree: &'a Node, name: &str) -> Option<&'a Node> {
    match &tree.value {
        Value::Scalar(scalar) => (scalar.text == name).then_some(tree),
        Value::Seq(nodes) => nodes.iter().find_map(|node| place(node, name)),
        Value::Map(entries) => entries.iter().find_map(|entry| place(&entry.value, name)),
        Value::Null => None,
    }
}
