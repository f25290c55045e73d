//! The event log: one JSON object a line, for everything that was not simply delivered, and for every command.
//!
//! Entries are small and copied on the engine's thread; text is made where the log is written.

use std::io::{self, Write};

use serde::Serialize;

use crate::diag::printable::json;
use crate::engine::{Fate, FateKind, Place};
use crate::frame::DropCause;
use crate::units::Instant;
use crate::wire::summary::FrameSummary;

/// One thing that happened, as the engine's thread keeps it.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Something happened to consecutive wire frames.
    Frames {
        /// When, in model time.
        at: Instant,
        /// Where.
        place: Place,
        /// Number of the first of them at the direction; of a frame that this made, that of the segment which it is for.
        number: u64,
        /// How many.
        frames: u64,
        /// What: `dropped`, `marked`, `corrupted`, `duplicated` or `originated`.
        event: &'static str,
        /// Why they were dropped.
        cause: Option<DropCause>,
        /// What they were.
        summary: FrameSummary,
    },
    /// A command took effect.
    Command {
        /// When, in model time.
        at: Instant,
        /// In words.
        what: String,
    },
}

impl Entry {
    /// What is kept of a fate: nothing for frames that were delivered.
    pub fn of(fate: &Fate<'_>) -> Option<Entry> {
        let (event, cause) = match fate.kind {
            FateKind::Delivered { .. }
            | FateKind::Offered
            | FateKind::Serializing { .. }
            | FateKind::Departing { .. } => return None,
            FateKind::Dropped(cause) => ("dropped", Some(cause)),
            FateKind::Marked => ("marked", None),
            FateKind::Corrupted => ("corrupted", None),
            FateKind::Duplicated => ("duplicated", None),
            FateKind::Originated => ("originated", None),
        };
        Some(Entry::Frames {
            at: fate.at,
            place: fate.place,
            number: fate.answered().unwrap_or(fate.number),
            frames: fate.frames,
            event,
            cause,
            summary: fate.view().summary(),
        })
    }
}

/// Names of what entries call by number.
#[derive(Clone, Debug)]
pub struct Names {
    /// By direction: link, from, to.
    pub directions: Vec<[String; 3]>,
    /// By node.
    pub nodes: Vec<String>,
    /// The instant that the scenario calls t = 0.
    pub zero: Instant,
}

#[derive(Serialize)]
struct Line<'a> {
    t_ns: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<DropCause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a str>,
}

/// Writes entries as lines, so many at most; how many there were beyond.
///
/// # Errors
/// Those of the writer.
pub fn write_up_to(
    most: u64,
    log: impl IntoIterator<Item = Vec<Entry>>,
    names: &Names,
    out: &mut impl Write,
) -> io::Result<u64> {
    let mut seen = 0;
    for entry in log.into_iter().flatten() {
        if seen < most {
            write(&entry, names, out)?;
        }
        seen += 1;
    }
    Ok(seen.saturating_sub(most))
}

/// Writes one entry as a line.
///
/// # Errors
/// Those of the writer.
pub fn write(entry: &Entry, names: &Names, out: &mut impl Write) -> io::Result<()> {
    let since = |at: Instant| at.as_nanos() as i64 - names.zero.as_nanos() as i64;
    let empty = Line {
        t_ns: 0,
        link: None,
        from: None,
        to: None,
        node: None,
        event: "",
        cause: None,
        number: None,
        frames: None,
        frame: None,
        what: None,
    };
    let line = match entry {
        Entry::Command { at, what } => Line { t_ns: since(*at), event: "command", what: Some(what), ..empty },
        Entry::Frames { at, place, number, frames, event, cause, summary } => {
            let line = Line {
                t_ns: since(*at),
                event,
                cause: *cause,
                frames: Some(*frames),
                frame: Some(summary.to_string()),
                ..empty
            };
            match place {
                Place::Direction(id) => {
                    let [link, from, to] = &names.directions[id.0 as usize];
                    Line { link: Some(link), from: Some(from), to: Some(to), number: Some(*number), ..line }
                }
                Place::Node(id) => Line { node: Some(&names.nodes[id.0 as usize]), ..line },
            }
        }
    };
    let text = serde_json::to_string(&line)?;
    out.write_all(json(&text).as_bytes())?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_entries_are_counted() {
        let names = Names { directions: Vec::new(), nodes: Vec::new(), zero: Instant::from_nanos(5) };
        let entry = |at| Entry::Command { at: Instant::from_nanos(at), what: "x=1".into() };
        let log = || [vec![entry(4), entry(5)], vec![], vec![entry(6)]];
        let written = |most| {
            let mut out = Vec::new();
            let beyond = write_up_to(most, log(), &names, &mut out).unwrap();
            (String::from_utf8(out).unwrap().lines().count(), beyond)
        };
        assert_eq!([0, 2, 3, 4].map(written), [(0, 3), (2, 1), (3, 0), (3, 0)]);
    }
}
