//! Tree → spec structs, with **all** mistakes at once: each is told, the node that holds it is passed over, and the rest
//! is read again, until it reads clean. What only follows from a told mistake is not told.

use serde::de::DeserializeOwned;

use super::de::{ErrorKind, Fault, NodeDe};
use super::tree::{Node, Value};
use crate::diag::{Diagnostic, Diagnostics, Span};

/// Reads a node into `T`. Nodes with mistakes come back marked as pruned. `None` if nothing of it can be read: then the
/// reason stands in `diagnostics`, or did before.
pub(crate) fn read<T: DeserializeOwned>(node: &mut Node, diagnostics: &mut Diagnostics) -> Option<T> {
    read_at(node, None, diagnostics)
}

/// The same; what the node as a whole lacks is told at `name`.
pub(crate) fn read_at<T: DeserializeOwned>(
    node: &mut Node,
    name: Option<Span>,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    while !node.pruned {
        match T::deserialize(NodeDe(node)) {
            Ok(value) => return Some(value),
            Err(error) => {
                let mut fault = error.into_fault();
                if matches!(fault.kind, ErrorKind::Missing(_)) && fault.path.is_empty() {
                    fault.span = name.or(fault.span);
                }
                tell_and_prune(node, fault, diagnostics);
            }
        }
    }
    None
}

fn tell_and_prune(root: &mut Node, fault: Fault, diagnostics: &mut Diagnostics) {
    let bad = descend(root, &fault.path);
    let follows = match &fault.kind {
        ErrorKind::Key => false,
        ErrorKind::Missing(field) => bad.get(field).is_some_and(|node| node.pruned),
        ErrorKind::Value => bad.has_pruned(),
    };
    bad.pruned = true;
    if !follows {
        let mut diagnostic = Diagnostic::error(fault.span, fault.message);
        diagnostic.help = fault.help;
        if let Some(via) = fault.via {
            diagnostic = diagnostic.related(via, "used here");
        }
        diagnostics.push(diagnostic);
    }
}

/// The node that a path (innermost child first) leads to. It ends early at a child that is gone, which cannot be: the
/// path comes from a walk over this very tree.
fn descend<'a>(root: &'a mut Node, path: &[usize]) -> &'a mut Node {
    let mut node = root;
    for at in path.iter().rev() {
        node = match &mut node.value {
            Value::Seq(nodes) => &mut nodes[*at],
            Value::Map(entries) => &mut entries[*at].value,
            Value::Null | Value::Scalar(_) => unreachable!("a scalar has no children that could be wrong"),
        };
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Sources;
    use crate::language::parse::parse;
    use crate::language::spanned::Spanned;
    use crate::language::tree::Origin;
    use crate::model::{DelaySpec, LossSpec};
    use crate::queue::QueueSpec;
    use crate::units::Duration;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        ends: Spanned<String>,
        #[serde(default)]
        delay: Option<DelaySpec>,
        loss: Option<LossSpec>,
        queue: Option<QueueSpec>,
        #[serde(default)]
        kinds: Vec<KindSpec>,
        inner: Option<Inner>,
        mtu: Option<u16>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum KindSpec {
        Host(Inner),
        Switch,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(default)]
        at: Option<Duration>,
        #[serde(default)]
        words: Vec<String>,
    }

    fn read_text<T: DeserializeOwned>(text: &str) -> (Option<T>, Vec<String>) {
        let mut sources = Sources::default();
        let source = sources.add("test.yaml", text);
        let mut diagnostics = Diagnostics::default();
        let mut node = parse(&sources, source, &Origin::File, &mut diagnostics).unwrap();
        let value = read(&mut node, &mut diagnostics);
        diagnostics.sort();
        (value, diagnostics.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_good_text_reads_with_its_places() {
        let (thing, told) = read_text::<Thing>(
            "ends: bob\ndelay: { mean: 5ms }\nloss: 1%\nkinds: [host, { host: { words: [sleep, 5, 1.50, true] } }, switch]\n",
        );
        assert_eq!(told, [""; 0]);
        let thing = thing.unwrap();
        assert_eq!((thing.ends.value.as_str(), thing.ends.span.line, thing.ends.span.column), ("bob", 1, 7));
        let words = ["sleep", "5", "1.50", "true"].map(String::from).to_vec();
        let empty = Inner { at: None, words: Vec::new() };
        assert_eq!(thing.kinds, [KindSpec::Host(empty), KindSpec::Host(Inner { at: None, words }), KindSpec::Switch]);
    }

    #[test]
    fn many_mistakes_are_told_once_each_and_nothing_that_follows_from_them() {
        let (thing, told) = read_text::<Thing>(
            "dealy: 5ms\n\
             ends: bob\n\
             delay: { mean: 5, jiter: 2ms }\n\
             loss: { random: 1%, burst: 2% }\n\
             queue: { fifo: { packts: 100 } }\n\
             kinds: [hots, { host: { at: soon } }, { switch: 5 }, 7, { host: 3 }]\n\
             inner: { words: 5 }\n\
             mtu: 70000\n",
        );
        assert_eq!(
            told,
            [
                "1:1: unknown field `dealy` (did you mean `delay`?)",
                "3:16: `5` has no unit: write `5ms` (units: ns us µs ms s m h)",
                "3:19: unknown field `jiter` (did you mean `jitter`?)",
                "4:21: `burst` cannot stand beside `random` (choose one of them, or write a list of both)",
                "5:18: unknown field `packts` (did you mean `packets`?)",
                "6:9: `hots` is not known here (did you mean `host`?)",
                "6:29: `soon` is not a duration: write a number and a unit, as in `5ms`",
                "6:49: `switch` takes nothing beside it: write the word alone",
                "6:54: `7` is not known here (known here: `host`, `switch`)",
                "6:65: expected a map, found `3`",
                "7:17: expected a list, found `5`",
                "8:6: expected a whole number from 0 to 65535, found `70000`",
            ]
        );
        let thing = thing.unwrap();
        assert_eq!(thing.delay, Some(DelaySpec::default()));
        assert_eq!(thing.queue, None);
    }

    #[test]
    fn what_is_missing_is_told_unless_it_was_there_and_wrong() {
        let (thing, told) = read_text::<Thing>("delay: 5ms\n");
        assert!(thing.is_none());
        assert_eq!(told, ["1:1: `ends` is missing"]);
        let (thing, told) = read_text::<Thing>("ends: [a]\n");
        assert!(thing.is_none());
        assert_eq!(told, ["1:7: expected a text, found a list"]);
    }
}
