//! Tables that models take from files: read when a scenario is, with the names' places at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::link::lookup;
use crate::diag::{Diagnostics, Sources};
use crate::engine::DirectionSpec;
use crate::language::files::{FileKind, Files, beside};
use crate::language::tree::{Node, Origin, Value};

/// Where names of files are looked up.
pub(crate) struct Tables<'a> {
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
    pub(crate) fn load(&self, spec: &mut DirectionSpec, tree: &Node, diagnostics: &mut Diagnostics) {
        let mut before: BTreeMap<(String, String), usize> = BTreeMap::new();
        spec.files(&mut |keys, file| {
            let name = file.path().to_owned();
            // two layers may name different files by the same text
            let nth = before.entry((keys.join("."), name.clone())).or_default();
            let node = place(tree, keys, &name, *nth);
            *nth += 1;
            let path = self.path(node, &name);
            let read = self
                .files
                .read(&path, FileKind::Table)
                .map_err(|reason| format!("cannot read {}: {reason}", path.display()));
            let loaded = read.and_then(|text| file.load(&text).map_err(|wrong| format!("{}: {wrong}", path.display())));
            if let Err(message) = loaded {
                let shown = node.filter(|node| !self.change || node.origin == Origin::CommandLine);
                diagnostics.error(shown.map(|node| node.span), message);
            }
        });
    }

    /// Where the file is that a node names.
    pub(crate) fn path(&self, node: Option<&Node>, name: &str) -> PathBuf {
        match node {
            Some(node) if node.origin != Origin::CommandLine => {
                beside(Path::new(self.sources.name(node.span.source)), name)
            }
            _ => beside(self.scenario, name),
        }
    }
}

/// The nth node below these keys whose text is the file's name.
fn place<'a>(tree: &'a Node, keys: &[&str], name: &str, nth: usize) -> Option<&'a Node> {
    fn named<'a>(node: &'a Node, name: &str, found: &mut Vec<&'a Node>) {
        match &node.value {
            Value::Scalar(scalar) if scalar.text == name => found.push(node),
            Value::Scalar(_) | Value::Null => {}
            Value::Seq(nodes) => nodes.iter().for_each(|node| named(node, name, found)),
            Value::Map(entries) => entries.iter().for_each(|entry| named(&entry.value, name, found)),
        }
    }
    let mut found = Vec::new();
    named(lookup(tree, keys)?, name, &mut found);
    found.get(nth).copied()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::engine::DirectionSpec;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    use crate::units::{Duration, Instant};

    /// `lib/a.yaml` beside `main.yaml`, each with files of the same names in its own folder.
    fn direction(own: &str, used: &str, overrides: &Overrides) -> DirectionSpec {
        let main = format!(
            "longwire: 1\nuse: [lib/a.yaml]\nparams: {{ own: t.csv }}\nnodes: {{ x: host, y: host }}\n\
             links: {{ l: {{ ends: [x, y], {own} }} }}\n"
        );
        let files = MemoryFiles::one("main.yaml", &main)
            .with("lib/a.yaml", &format!("links: {{ l: {{ {used} }} }}\n"))
            .with("t.csv", "time,delay\n0s,5ms\n")
            .with("lib/t.csv", "0s, 50%\n")
            .with("lib/d.csv", "time,delay\n0s,7ms\n")
            .with("d.csv", "1 2 3\n")
            .with("other.csv", "0s, 25%\n");
        let mut resolved = load(Path::new("main.yaml"), &files, overrides)
            .unwrap_or_else(|(told, _)| panic!("{:?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()));
        resolved.plan.links.remove(0).directions[0].clone()
    }

    fn at_zero(spec: &DirectionSpec) -> Duration {
        let trace = spec.delay.trace.as_ref().unwrap();
        trace.table().unwrap().at(Instant::ZERO)
    }

    #[test]
    fn a_path_belongs_to_the_file_that_names_it() {
        let spec = direction("delay: { trace: t.csv }", "loss: { trace: t.csv }", &Overrides::default());
        assert_eq!((at_zero(&spec), spec.loss.to_string()), (Duration::from_millis(5), "trace t.csv".into()));
        // within one model too
        let spec = direction(
            "delay: { distribution: { table: d.csv }, jitter: 1ms }",
            "delay: { trace: d.csv }",
            &Overrides::default(),
        );
        assert_eq!(at_zero(&spec), Duration::from_millis(7));
    }

    #[test]
    fn in_a_list_each_name_is_its_own() {
        // the first is replaced from the command line, and so is beside the scenario; the second is beside the file it is in
        let overrides = Overrides { params: vec![("own".into(), "t.csv".into())], ..Overrides::default() };
        let main = "longwire: 1\nuse: [lib/a.yaml]\nnodes: { x: host, y: host }\nlinks: { l: { ends: [x, y] } }\n";
        let files = MemoryFiles::one("main.yaml", main)
            .with(
                "lib/a.yaml",
                "params: { own: no.csv }\nlinks: { l: { loss: [{ trace: $own }, { trace: t.csv }] } }\n",
            )
            .with("t.csv", "0s, 25%\n")
            .with("lib/t.csv", "0s, 50%\n");
        let resolved = load(Path::new("main.yaml"), &files, &overrides)
            .unwrap_or_else(|(told, _)| panic!("{:?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()));
        let loss = format!("{:?}", resolved.plan.links[0].directions[0].loss);
        let (first, second) = (loss.find("250000000000"), loss.find("500000000000"));
        assert!(first.is_some() && second > first, "{loss}");
    }
}
