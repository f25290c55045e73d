//! How imported nodes and links are called.

use std::collections::BTreeMap;

use super::graph::{Vertex, find};

/// The longest name that is made of a label, so that two of them fit into the name of a link.
const LONGEST_LABEL: usize = 28;
/// The longest name that a link gets by its ends.
const LONGEST: usize = crate::language::names::MAX;

/// The name of each node: its label with `-` for what a name cannot have, else its id. A label that several nodes have
/// is followed by the id.
pub(super) fn nodes(vertices: &[Vertex], prefix: &str) -> Vec<String> {
    let labels: Vec<Option<String>> =
        vertices.iter().map(|vertex| word(&find(&vertex.attributes, "label")?.text)).collect();
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for label in labels.iter().flatten() {
        *uses.entry(label).or_default() += 1;
    }
    let name = |(vertex, label): (&Vertex, &Option<String>)| {
        let id = word(&vertex.id);
        match label {
            Some(label) if uses.get(label.as_str()) == Some(&1) => format!("{prefix}{label}"),
            Some(label) => format!("{prefix}{label}-{}", plain(&vertex.id)),
            None => id.map_or_else(|| format!("{prefix}node-{}", plain(&vertex.id)), |id| format!("{prefix}{id}")),
        }
    };
    vertices.iter().zip(&labels).map(name).collect()
}

/// What can be a name of a text: letters, digits, `-` and `_`, a letter first. A number would look like another.
fn word(text: &str) -> Option<String> {
    let mut name = plain(text);
    name.truncate(LONGEST_LABEL);
    let name = name.trim_end_matches(['-', '_']);
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| name.to_owned()).filter(|name| name != "localhost")
}

/// A text with one `-` for each stretch of what a name cannot have.
fn plain(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.trim_matches(['-', '_']).to_owned()
}

/// Gives links their names.
#[derive(Default)]
pub(super) struct LinkNames {
    /// By the positions of both ends, the smaller first: the name of the first link between them, and how many there are.
    between: BTreeMap<(usize, usize), (String, usize)>,
    made: usize,
}

impl LinkNames {
    /// `A--B`; of several between the same nodes, the next is `A--B-2`. What is too long is `PREFIXlink-N`, the N-th.
    pub(super) fn next(&mut self, ends: [usize; 2], names: [&str; 2], prefix: &str) -> String {
        self.made += 1;
        let made = self.made;
        let key = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let (first, count) = self.between.entry(key).or_insert_with(|| {
            // Both names have the prefix; once is enough.
            let other = names[1].strip_prefix(prefix).unwrap_or(names[1]);
            (format!("{}--{other}", names[0]), 0)
        });
        *count += 1;
        let name = if *count == 1 { first.clone() } else { format!("{first}-{count}") };
        if name.len() <= LONGEST { name } else { format!("{prefix}link-{made}") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::Attribute;
    use super::*;
    use crate::diag::Span;

    fn vertex(id: &str, label: &str) -> Vertex {
        let label = Attribute { name: "label".into(), text: label.into(), span: Span::default() };
        Vertex { id: id.into(), span: Span::default(), attributes: vec![label] }
    }

    #[test]
    fn labels_become_names() {
        let vertices = [
            vertex("0", "New York"),
            vertex("1", "Frankfurt/M. (DE-CIX)"),
            vertex("2", "7"),
            vertex("n3", ""),
            vertex("4", "Paris"),
            vertex("5", "Paris"),
            vertex("-6", "??"),
            vertex("7", "localhost"),
        ];
        assert_eq!(
            nodes(&vertices, ""),
            ["New-York", "Frankfurt-M-DE-CIX", "node-2", "n3", "Paris-4", "Paris-5", "node-6", "node-7"]
        );
        assert_eq!(nodes(&vertices[..1], "us-"), ["us-New-York"]);
        assert_eq!(nodes(&[vertex("1", &"x".repeat(500))], "")[0].len(), LONGEST_LABEL);
    }

    #[test]
    fn links_are_named_by_their_ends() {
        let mut names = LinkNames::default();
        assert_eq!(names.next([0, 1], ["e-a", "e-b"], "e-"), "e-a--b");
        assert_eq!(names.next([1, 0], ["e-b", "e-a"], "e-"), "e-a--b-2");
        let long = "x".repeat(40);
        assert_eq!(names.next([2, 0], [&long, &long], "e-"), "e-link-3");
    }
}
