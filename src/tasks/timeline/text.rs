//! Steps as `longwire set` takes them: `wifi=down`, `wifi=no-carrier`, `wifi=reset`, `block=db1->db2`, `heal=all`.

use super::directory::{Directory, Target};
use super::{Action, apart};

/// Reads one; `None` for a text that is something else.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn parse_action(directory: &Directory<'_>, text: &str) -> Option<Result<Action, String>> {
    let (name, what) = text.split_once('=').map(|(name, what)| (name.trim(), what.trim()))?;
    let told = |(message, help): (String, String)| format!("`{text}`: {message} ({help})");
    let blocked = |of: fn(Vec<_>, String) -> Action| {
        Some(apart::arrow(directory, what).map(|(pairs, words)| of(pairs, words)).map_err(told))
    };
    match (name, what) {
        ("block", arrow) if arrow.contains("->") => blocked(|pairs, arrow| Action::Block { pairs, arrow }),
        ("unblock", arrow) if arrow.contains("->") => blocked(|pairs, arrow| Action::Unblock { pairs, arrow }),
        ("heal", "all") => Some(Ok(Action::Heal)),
        ("partition", sides) if sides.contains('|') => {
            let sides: Vec<Vec<&str>> = sides
                .split('|')
                .map(|side| side.split(',').map(str::trim).filter(|name| !name.is_empty()).collect())
                .collect();
            let read = apart::sides(directory, &sides).map(|(sides, words)| Action::Partition { sides, words });
            Some(read.map_err(|(_, wrong)| told(wrong)))
        }
        (name, "down" | "no-carrier" | "up") => Some(directory.target(name).map_err(told).map(|target| {
            let (ports, name) = (directory.ports_at(&target), name.to_owned());
            match what {
                "up" => Action::Up { target, name, ports },
                "down" => Action::Down { target, name, dark: Vec::new() },
                _ => Action::Down { target, name, dark: ports },
            }
        })),
        (name, "reset") => Some(match directory.target(name) {
            Ok(Target::Links(links)) => Ok(Action::Reset { links, name: name.to_owned() }),
            Ok(Target::Nodes(_)) => Err(told((format!("`{name}` is a node"), "reset its links".into()))),
            Err(wrong) => Err(told(wrong)),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::engine::{Command, NodeId};
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    use crate::tasks::set::LiveLinks;

    #[test]
    fn what_is_said_of_a_step_is_what_set_takes() {
        let text = "longwire: 1\nduration: 9s\nnodes: { a: host, b: host, c: host, sw: switch }\nlinks:\n  \
                    l: { ends: [a, sw] }\n  m: { ends: [b, sw] }\n  n: { ends: [c, sw] }\ntimeline:\n\
                    - { at: 1s, partition: [[a, b], [c]] }\n- { at: 2s, heal: all }\n\
                    - { at: 3s, block: [a -> b], unblock: [b -> c] }\n- { at: 4s, down: [sw, l] }\n\
                    - { at: 5s, down: { links: m, carrier: off } }\n- { at: 6s, up: [sw, l, m], reset: [l] }\n";
        let resolved = load(Path::new("t"), &MemoryFiles::one("t", text), &Overrides::default())
            .unwrap_or_else(|(told, _)| panic!("{:?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()));
        let links = LiveLinks::new(&resolved);
        let directory = Directory::new(&resolved, &links);
        let mut count = 0;
        for action in resolved.timeline.iter().flat_map(|step| &step.actions) {
            for words in action.words() {
                assert_eq!(parse_action(&directory, &words).unwrap().as_ref(), Ok(action), "{words}");
                count += 1;
            }
        }
        assert_eq!(count, 11);
        assert_eq!(parse_action(&directory, "l.loss=1%"), None);
        let mut standing = links.clone();
        let mut commands = |text: &str| {
            let action = parse_action(&directory, text).unwrap().unwrap();
            action.commands(&mut standing, &MemoryFiles::default()).unwrap()
        };
        assert_eq!(commands("l=no-carrier")[1..], [Command::Carrier(NodeId(0), false)]);
        assert_eq!(commands("sw=no-carrier").len(), 3, "one of three has none by now");
        assert_eq!(commands("l=up")[1..], [Command::Carrier(NodeId(0), true)]);
        for (wrong, part) in [
            ("block=a->x", "unknown host `x`"),
            ("block=a->sw", "`sw` is no host"),
            ("block=a -> a", "both ends"),
            ("partition=a|b,a", "`a` is on a side already"),
            ("partition=a|", "is empty"),
            ("lx=down", "unknown link or node `lx`"),
            ("a=reset", "`a` is a node"),
        ] {
            let told = parse_action(&directory, wrong).unwrap().unwrap_err();
            assert!(told.contains(part) && told.contains(wrong), "{told}");
        }
    }
}
