//! A listing made short: members of a group of which it says the same stand in it as one.

use core::net::IpAddr;

use ipnet::IpNet;

use super::expand::{Groups, Members};
use crate::units::Duration;

/// A line and the comment behind it.
pub(crate) type Line = (String, String);

/// Entries stand at this depth of spaces, what is said of them deeper.
const INDENT: &str = "  ";

/// Puts one entry in place of those in a row that belong to one group and differ in nothing but their own names,
/// addresses and times of start. Of addresses and times the first and the last are shown.
pub(crate) fn compact(lines: Vec<Line>, groups: &Groups) -> Vec<Line> {
    if groups.is_empty() {
        return lines;
    }
    let members = groups.of_members();
    let mut out = Vec::with_capacity(lines.len());
    let mut run: Option<Run<'_>> = None;
    for entry in entries(lines) {
        let Some(group) = name_of(&entry).and_then(|name| members.group_of(name)) else {
            out.extend(run.take().map(Run::lines).unwrap_or_default());
            out.extend(entry);
            continue;
        };
        let general: Vec<Line> = entry.iter().map(|line| general(line, &members)).collect();
        match &mut run {
            Some(run) if run.group == group && run.general == general => run.last = Some(entry),
            _ => {
                out.extend(run.take().map(Run::lines).unwrap_or_default());
                run = Some(Run { group, general, first: entry, last: None });
            }
        }
    }
    out.extend(run.map(Run::lines).unwrap_or_default());
    out
}

/// An entry with the lines below it; a line of its own where none begins.
fn entries(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut all: Vec<Vec<Line>> = Vec::new();
    let mut within = false;
    for line in lines {
        let deep = line.0.strip_prefix(INDENT).is_some_and(|rest| rest.starts_with(' '));
        match all.last_mut() {
            Some(entry) if deep && within => entry.push(line),
            _ => {
                within = line.0.starts_with(INDENT);
                all.push(vec![line]);
            }
        }
    }
    all
}

fn name_of(entry: &[Line]) -> Option<&str> {
    let (text, _) = entry.first()?;
    Some(text.strip_prefix(INDENT)?.split_once(':')?.0)
}

/// What is the same for all members of whom a line says the same.
fn general(line: &Line, members: &Members<'_>) -> Line {
    let of = |text: &str| {
        let words: Vec<String> = words(text)
            .map(|(before, word)| match varying(before, word) {
                Some((head, _, tail)) => format!("{head}…{tail}"),
                None => members.generalize(word),
            })
            .collect();
        words.join(" ")
    };
    (of(&line.0), of(&line.1))
}

/// The words of a text, each with the one before it.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut before = "";
    text.split(' ').map(move |word| (std::mem::replace(&mut before, word), word))
}

/// What differs from member to member in a word, and what stands around it: an address, or the time of a start.
fn varying<'w>(before: &str, word: &'w str) -> Option<(&'w str, &'w str, &'w str)> {
    let around = |c: char| matches!(c, '[' | ']' | '(' | ')' | ',' | '{' | '}');
    let inner = word.trim_matches(around);
    let at = word.find(inner)?;
    let colons = inner.bytes().filter(|b| *b == b':').count();
    let mac = inner.len() == 17 && colons == 5 && inner.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    let address = inner.parse::<IpAddr>().is_ok() || inner.parse::<IpNet>().is_ok();
    let time = before == "at" && inner.parse::<Duration>().is_ok();
    (mac || address || time).then(|| (&word[..at], inner, &word[at + inner.len()..]))
}

/// Members in a row of which the same is said.
struct Run<'a> {
    group: &'a str,
    general: Vec<Line>,
    first: Vec<Line>,
    last: Option<Vec<Line>>,
}

impl Run<'_> {
    fn lines(self) -> Vec<Line> {
        let Some(last) = self.last else { return self.first };
        let names = match (name_of(&self.first), name_of(&last)) {
            (Some(first), Some(last)) => format!("{first} … {last}"),
            _ => return self.first,
        };
        let mut lines: Vec<Line> = Vec::with_capacity(self.general.len());
        for ((general, first), last) in self.general.iter().zip(&self.first).zip(&last) {
            // Of a route's many networks, the first and the last would say nothing.
            let text = first.0.trim_start();
            let line = if text.starts_with("route:") && first.0 != last.0 {
                (format!("{:1$}routes: each its own", "", first.0.len() - text.len()), String::new())
            } else {
                (range(&general.0, &first.0, &last.0), range(&general.1, &first.1, &last.1))
            };
            if lines.last() != Some(&line) {
                lines.push(line);
            }
        }
        if let Some((text, _)) = lines.first_mut()
            && let Some((_, rest)) = text.split_once(':')
        {
            *text = format!("{INDENT}{names}:{rest}");
        }
        lines
    }
}

/// The general form of a line, with the first and the last of what differs.
fn range(general: &str, first: &str, last: &str) -> String {
    let mut out = Vec::new();
    for ((general, (before, first)), (_, last)) in general.split(' ').zip(words(first)).zip(words(last)) {
        out.push(match (varying(before, first), varying(before, last)) {
            (Some((head, a, tail)), Some((_, b, _))) if a != b => format!("{head}{a} … {b}{tail}"),
            (Some(_), _) => first.to_owned(),
            _ => general.to_owned(),
        });
    }
    out.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Diagnostics, Sources};
    use crate::language::files::MemoryFiles;
    use crate::language::parse::parse;
    use crate::language::tree::Origin;
    use crate::topology::expand::expand;

    fn groups() -> Groups {
        let (mut sources, mut told) = (Sources::default(), Diagnostics::default());
        let text = "nodes: { c: { host: { count: 4 } }, sw: switch }\nlinks: { l: { ends: [c, sw] } }\n";
        let source = sources.add("t", text);
        let mut root = parse(&sources, source, &Origin::File, &mut told).unwrap();
        expand(&mut root, &MemoryFiles::default(), &mut sources, &mut told)
    }

    fn short(text: &str) -> Vec<String> {
        let line = |line: &str| {
            let (text, note) = line.split_once(" # ").unwrap_or((line, ""));
            (text.to_owned(), note.to_owned())
        };
        let lines = compact(text.lines().map(line).collect(), &groups());
        lines.into_iter().map(|(text, note)| if note.is_empty() { text } else { format!("{text} # {note}") }).collect()
    }

    #[test]
    fn equal_members_are_one_and_others_stand_alone() {
        let host = |k: u32, mtu: u32| {
            format!(
                "  c-{k}: # host\n    eth0: # link l-{k}\n      mac: 02:00:00:00:00:0{k}\n      mtu: {mtu}\n      \
                 addresses: [10.0.0.{k}/24, fd00::{k}/64]\n"
            )
        };
        let text = format!("nodes:\n{}{}{}{}  sw: x\n", host(1, 1500), host(2, 1500), host(3, 1400), host(4, 1500));
        let lines = short(&text);
        assert_eq!(
            lines[..6],
            [
                "nodes:",
                "  c-1 … c-2: # host",
                "    eth0: # link l",
                "      mac: 02:00:00:00:00:01 … 02:00:00:00:00:02",
                "      mtu: 1500",
                "      addresses: [10.0.0.1/24 … 10.0.0.2/24, fd00::1/64 … fd00::2/64]",
            ]
        );
        assert_eq!(lines[6], "  c-3: # host");
        assert_eq!(lines[9], "      mtu: 1400");
        assert_eq!(lines[11], "  c-4: # host");
        assert_eq!(lines.last().unwrap(), "  sw: x");
    }

    #[test]
    fn routes_that_differ_are_not_listed() {
        let host = |k: u32| {
            format!(
                "  c-{k}: # host\n    eth0: # link l-{k}\n    route: 10.1.0.0/24 via 10.0.0.1\n    \
                 route: 10.0.{k}.0/24, 10.9.0.0/24 via 10.0.0.{k}\n    route: 10.2.{k}.0/24 via 10.0.0.{k}\n"
            )
        };
        assert_eq!(
            short(&format!("{}{}", host(1), host(2))),
            [
                "  c-1 … c-2: # host",
                "    eth0: # link l",
                "    route: 10.1.0.0/24 via 10.0.0.1",
                "    routes: each its own"
            ]
        );
    }

    #[test]
    fn links_and_starts() {
        let lines = short(
            "links:\n  l-1: # t:2\n    c-1.eth0 → sw:\n      delay: 5ms # t:2\n  l-2: # t:2\n    c-2.eth0 → sw:\n      \
             delay: 5ms # t:2\n  other: # t:3\n    c-1 → sw:\n",
        );
        assert_eq!(lines[1..4], ["  l-1 … l-2: # t:2", "    c.eth0 → sw:", "      delay: 5ms # t:2"]);
        assert_eq!(lines[5], "    c-1 → sw:");
        assert_eq!(varying("at", "1.5s"), Some(("", "1.5s", "")));
        assert_eq!(varying("for", "1.5s"), None);
        assert_eq!(range("a …", "at 0s", "at 5s"), "a 0s … 5s");
    }
}
