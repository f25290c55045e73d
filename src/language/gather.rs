//! A scenario file with those that it uses, as one tree.
//!
//! `use: [lib/access.yaml]` puts a file below this one: this file's values go over it, key by key. Of several, a later
//! one goes over an earlier. A file that is used twice is read once; paths are relative to the file they stand in.

use std::path::{Path, PathBuf};

use super::files::{FileKind, Files, beside};
use super::keys::check_keys;
use super::merge;
use super::parse::parse;
use super::tree::{Node, Origin, Value};
use crate::diag::{Diagnostic, Diagnostics, Sources, Span};
use crate::units::ByteSize;

/// The most files of one scenario.
const MOST_FILES: usize = 1_000;
/// The most that all of them hold together.
const MOST_BYTES: ByteSize = ByteSize::from_bytes(64 << 20);

/// Reads a file and all that it uses. `keys` may stand at the top of each. `None` if it cannot be read or is not a map; the
/// reason stands in `diagnostics`.
pub(crate) fn gather(
    path: &Path,
    keys: &[&str],
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    Gather { keys, files, sources, diagnostics, open: Vec::new(), done: Vec::new(), bytes: 0 }.file(path, None)
}

struct Gather<'a> {
    keys: &'a [&'a str],
    files: &'a dyn Files,
    sources: &'a mut Sources,
    diagnostics: &'a mut Diagnostics,
    open: Vec<PathBuf>,
    done: Vec<PathBuf>,
    /// Of all files so far.
    bytes: u64,
}

impl Gather<'_> {
    fn file(&mut self, path: &Path, used_at: Option<Span>) -> Option<Node> {
        if let Some(at) = self.open.iter().position(|open| open == path) {
            let round: Vec<_> =
                self.open[at..].iter().map(PathBuf::as_path).chain([path]).map(|p| p.display().to_string()).collect();
            self.diagnostics.error(used_at, format!("files use each other: {}", round.join(" uses ")));
            return None;
        }
        if self.done.iter().any(|done| done == path) {
            return None;
        }
        let text = match self.files.read(path, FileKind::Scenario) {
            Ok(text) => text,
            Err(reason) => {
                self.diagnostics.error(used_at, format!("cannot read {}: {reason}", path.display()));
                return None;
            }
        };
        self.bytes += text.len() as u64;
        if self.done.len() + self.open.len() >= MOST_FILES || self.bytes > MOST_BYTES.as_bytes() {
            let message = format!("this scenario uses more than {MOST_FILES} files, or more than {MOST_BYTES} of them");
            self.diagnostics.error(used_at, message).help("put several into one, and import graphs");
            return None;
        }
        let source = self.sources.add(&path.display().to_string(), &text);
        let mut node = parse(self.sources, source, &Origin::File, self.diagnostics)?;
        if node.entries().is_none() {
            let message = match node.value {
                Value::Null => "the file says nothing".into(),
                _ => format!("expected a scenario, found {}", node.describe()),
            };
            self.diagnostics.error(node.span, message).help("a scenario is a map: `longwire: 1`, `nodes`, `links`, …");
            return None;
        }
        self.check_keys(&mut node, used_at.is_none());
        self.open.push(path.to_owned());
        let mut base: Option<Node> = None;
        for (name, span) in self.used(&mut node) {
            if let Some(below) = self.file(&beside(path, &name), Some(span)) {
                base = Some(match base {
                    None => below,
                    Some(base) => merge::file(base, below),
                });
            }
        }
        self.open.pop();
        self.done.push(path.to_owned());
        Some(match base {
            Some(base) => merge::file(base, node),
            None => node,
        })
    }

    fn check_keys(&mut self, node: &mut Node, main: bool) {
        if let Value::Map(entries) = &mut node.value {
            entries.retain(|entry| !entry.key.starts_with("x-"));
        }
        if main && node.get("longwire").is_none() {
            self.diagnostics
                .error(node.span, "`longwire` is missing: the version of the language")
                .help("write `longwire: 1` at the top");
        }
        check_keys(node, self.keys, |_| None, self.diagnostics);
        // What is unknown stays, as something that is there and was told: what it may have meant is not missing.
        if let Value::Map(entries) = &mut node.value {
            entries.iter_mut().for_each(|entry| entry.value.pruned |= !self.keys.contains(&entry.key.as_str()));
        }
    }

    fn used(&mut self, node: &mut Node) -> Vec<(String, Span)> {
        let Some(entry) = node.remove("use") else { return Vec::new() };
        let one = [entry.value.clone()];
        let list: &[Node] = match &entry.value.value {
            Value::Seq(list) => list,
            Value::Null => &[],
            _ => &one,
        };
        let mut names = Vec::new();
        for node in list {
            match node.as_text() {
                Some(text) => names.push((text.to_owned(), node.span)),
                None => self.diagnostics.push(Diagnostic::error(
                    node.span,
                    format!("expected a file's name, as in `use: [lib/access.yaml]`, found {}", node.describe()),
                )),
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;

    fn run(files: &MemoryFiles) -> (Option<Node>, Vec<String>) {
        let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
        let keys = ["longwire", "use", "name", "seed", "duration", "coalesce", "links"];
        let node = gather(Path::new("dir/main.yaml"), &keys, files, &mut sources, &mut diagnostics);
        (node, diagnostics.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn used_files_lie_below() {
        let files = MemoryFiles::one("dir/main.yaml", "longwire: 1\nuse: [lib/a.yaml, b.yaml]\nseed: 3\n")
            .with("dir/lib/a.yaml", "use: ../c.yaml\nseed: 1\nname: a\nduration: 1s\n")
            .with("dir/b.yaml", "use: [c.yaml]\nname: b\n")
            .with("dir/c.yaml", "name: c\nduration: 9s\ncoalesce: 1us\nx-any: {}\n");
        let (node, told) = run(&files);
        assert_eq!(told, [""; 0]);
        let node = node.unwrap();
        let text = |key: &str| node.get(key).and_then(Node::as_text).unwrap_or("").to_owned();
        assert_eq!([text("seed"), text("name"), text("duration"), text("coalesce")], ["3", "b", "1s", "1us"]);
        assert!(node.get("use").is_none() && node.get("x-any").is_none());
    }

    #[test]
    fn the_number_of_files_is_bounded() {
        let names: Vec<String> = (0..MOST_FILES).map(|n| format!("f{n}.yaml")).collect();
        let text = format!("longwire: 1\nuse: [{}]\n", names.join(", "));
        let files = names.iter().fold(MemoryFiles::one("dir/main.yaml", &text), |files, name| {
            files.with(&format!("dir/{name}"), "x-nothing: 0\n")
        });
        let (_, told) = run(&files);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("uses more than 1000 files"), "{told:?}");
    }

    #[test]
    fn mistakes_have_places() {
        let files = MemoryFiles::one("dir/main.yaml", "use: [a.yaml, none.yaml, {}]\nlniks: {}\n")
            .with("dir/a.yaml", "use: main.yaml\n");
        let (_, told) = run(&files);
        assert_eq!(
            told,
            [
                "1:1: `longwire` is missing: the version of the language (write `longwire: 1` at the top)",
                "2:1: unknown field `lniks` (did you mean `links`?)",
                "1:26: expected a file's name, as in `use: [lib/access.yaml]`, found a map",
                "1:6: files use each other: dir/main.yaml uses dir/a.yaml uses dir/main.yaml",
                "1:15: cannot read dir/none.yaml: No such file or directory",
            ]
        );
        assert_eq!(run(&MemoryFiles::default()).1, ["cannot read dir/main.yaml: No such file or directory"]);
        assert!(run(&MemoryFiles::one("dir/main.yaml", "[1]")).1[0].contains("expected a scenario, found a list"));
        assert!(run(&MemoryFiles::one("dir/main.yaml", "")).1[0].contains("says nothing"));
    }
}
