//! What happened to a captured frame, and how its comments say it. Each thing that happened is a comment of its own, which
//! begins with a word that a display filter can look for: `frame.comment contains "dropped: loss"`.

use std::fmt::Write;

use crate::frame::DropCause;
use crate::queue::QueueSpec;
use crate::units::{Duration, Instant};

/// Flipped bits that are named one by one.
const BITS_NAMED: usize = 8;

/// What happened to one wire frame so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// It is a copy.
    pub(super) copy: bool,
    /// The direction made it.
    pub(super) originated: bool,
    /// It is a copy of a frame whose bits had flipped.
    pub(super) of_corrupted: bool,
    /// When its first bit was sent; `None` where it takes no time on the wire.
    pub(super) serialized: Option<Instant>,
    /// How it went on its way.
    pub(super) departing: Option<Departing>,
    /// The queue that held, marked or dropped it.
    pub(super) queue: &'static str,
    /// A queue marked it.
    pub(super) marked: bool,
    /// Its flipped bits, where any flipped.
    pub(super) corrupted: Option<Vec<u32>>,
    /// There is a copy of it.
    pub(super) duplicated: bool,
    /// How it ended.
    pub(super) end: Option<End>,
}

/// How a frame went on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departing {
    /// When its last bit was sent.
    pub(super) sent: Instant,
    /// What the delay model drew.
    pub(super) drawn: Duration,
    /// When it was to arrive.
    pub(super) arrival: Instant,
    /// It ran ahead of the delay.
    pub(super) ahead: bool,
}

/// How a frame ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// It arrived.
    Delivered {
        /// When.
        at: Instant,
        /// A frame that went onto the wire later had arrived before.
        overtaken: bool,
    },
    /// It did not.
    Dropped {
        /// When.
        at: Instant,
        /// Why.
        cause: DropCause,
    },
    /// Capturing ended before.
    Inside,
    /// What told of it was lost.
    Unknown,
}

/// Comments on one frame, in room that is used again for the next.
#[derive(Debug, Default)]
pub(super) struct Comments {
    text: String,
    ends: Vec<usize>,
}

impl Comments {
    /// Each comment.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.text[begin..*end])
    }

    /// Says what happened to a frame that was offered, or copied, at `begin`.
    pub(super) fn tell(&mut self, story: &Story, begin: Instant) {
        self.text.clear();
        self.ends.clear();
        if story.copy {
            let of = if story.of_corrupted { ", of a corrupted frame" } else { "" };
            self.say(|text| write!(text, "copy made by duplicate{of}"));
        }
        if story.originated {
            self.say(|text| text.write_str("originated: reset"));
        }
        if story.marked {
            self.say(|text| write!(text, "marked CE: {}", story.queue));
        }
        if let Some(bits) = &story.corrupted {
            self.say(|text| corrupted(text, bits));
        }
        if story.duplicated {
            self.say(|text| text.write_str("duplicated: a copy arrives too"));
        }
        if story.departing.is_some_and(|departing| departing.ahead) {
            self.say(|text| text.write_str("ran ahead: reorder"));
        }
        match story.end {
            Some(End::Delivered { at, overtaken }) => {
                // a copy comes behind its original by nature
                if overtaken && !story.copy {
                    self.say(|text| text.write_str("reordered: a later frame arrived before"));
                }
                if at > begin {
                    self.say(|text| delayed(text, story, begin, at));
                }
            }
            Some(End::Dropped { at, cause }) => self.say(|text| dropped(text, story.queue, cause, at - begin)),
            Some(End::Inside) => self.say(|text| text.write_str("inside: the capture ended first")),
            Some(End::Unknown) | None => self.say(|text| text.write_str("fate unknown: writing fell behind")),
        }
    }

    fn say(&mut self, write: impl FnOnce(&mut String) -> std::fmt::Result) {
        // writing into a String cannot fail
        let _ = write(&mut self.text);
        self.ends.push(self.text.len());
    }
}

fn corrupted(text: &mut String, bits: &[u32]) -> std::fmt::Result {
    match bits {
        [] => return text.write_str("corrupted: behind the bytes that are kept"),
        [bit] => return write!(text, "corrupted: bit {bit}"),
        _ => text.write_str("corrupted: bits ")?,
    }
    for (n, bit) in bits.iter().take(BITS_NAMED).enumerate() {
        write!(text, "{}{bit}", if n == 0 { "" } else { ", " })?;
    }
    match bits.len().saturating_sub(BITS_NAMED) {
        0 => Ok(()),
        more => write!(text, " and {more} more"),
    }
}

fn dropped(text: &mut String, queue: &str, cause: DropCause, after: Duration) -> std::fmt::Result {
    write!(text, "dropped: {}", cause.name())?;
    if matches!(cause, DropCause::QueueFull | DropCause::Aqm) {
        write!(text, " ({queue})")?;
    }
    if after > Duration::ZERO { write!(text, " after {}", Millis(after)) } else { Ok(()) }
}

/// The whole delay, and its parts: together they are the whole, to the nanosecond.
fn delayed(text: &mut String, story: &Story, begin: Instant, at: Instant) -> std::fmt::Result {
    write!(text, "delayed {}", Millis(at - begin))?;
    let Some(Departing { sent, drawn, arrival, .. }) = story.departing else { return Ok(()) };
    let start = story.serialized.unwrap_or(sent);
    let parts = [
        (start.saturating_since(begin), "queue", story.queue),
        (sent.saturating_since(start), "rate", ""),
        (drawn, "delay", ""),
        (arrival.saturating_since(sent + drawn), "keeping the order", ""),
        (at.saturating_since(arrival), "coalesce", ""),
    ];
    let parts = parts.into_iter().filter(|(time, ..)| *time > Duration::ZERO);
    for (n, (time, what, of)) in parts.enumerate() {
        write!(text, "{}{} {what}", if n == 0 { ": " } else { ", " }, Millis(time))?;
        if !of.is_empty() {
            write!(text, " ({of})")?;
        }
    }
    Ok(())
}

/// A time in milliseconds, exact to the nanosecond.
struct Millis(Duration);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.0.as_nanos() / 1_000_000, self.0.as_nanos() % 1_000_000);
        if part == 0 {
            return write!(f, "{whole} ms");
        }
        let digits = format!("{part:06}");
        write!(f, "{whole}.{} ms", digits.trim_end_matches('0'))
    }
}

/// A discipline's name in scenarios.
pub(super) const fn discipline(queue: &QueueSpec) -> &'static str {
    match queue {
        QueueSpec::Fifo(_) => "fifo",
        QueueSpec::DropHead(_) => "drop_head",
        QueueSpec::Red(_) => "red",
        QueueSpec::Codel(_) => "codel",
        QueueSpec::FqCodel(_) => "fq_codel",
        QueueSpec::Pie(_) => "pie",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: u64) -> Instant {
        Instant::from_nanos(us * 1000)
    }

    fn told(story: &Story) -> Vec<String> {
        let mut comments = Comments::default();
        comments.tell(&Story { copy: true, ..Story::default() }, at(0));
        comments.tell(story, at(1000));
        comments.iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_parts_of_a_delay_are_the_whole() {
        let departing =
            Departing { sent: at(14_400), drawn: Duration::from_nanos(9_000_001), arrival: at(25_000), ahead: false };
        let story = Story {
            serialized: Some(at(13_000)),
            departing: Some(departing),
            queue: "codel",
            end: Some(End::Delivered { at: at(25_030), overtaken: true }),
            ..Story::default()
        };
        assert_eq!(
            told(&story),
            [
                "reordered: a later frame arrived before",
                "delayed 24.03 ms: 12 ms queue (codel), 1.4 ms rate, 9.000001 ms delay, 1.599999 ms keeping the order, \
                 0.03 ms coalesce"
            ]
        );
        let copy = Story { copy: true, ..story.clone() };
        assert_eq!(told(&copy)[0], "copy made by duplicate");
        assert_eq!(
            told(&Story { of_corrupted: true, ..copy.clone() })[0],
            "copy made by duplicate, of a corrupted frame"
        );
        assert!(!told(&copy).iter().any(|comment| comment.starts_with("reordered")));
        // what took no time has no part, and who arrives at once no comment
        let story = Story { end: Some(End::Delivered { at: at(1000), overtaken: false }), ..Story::default() };
        assert!(told(&story).is_empty());
    }

    #[test]
    fn a_drop_names_its_cause_and_its_queue() {
        let drop = |cause, us| {
            let story = Story { queue: "red", end: Some(End::Dropped { at: at(us), cause }), ..Story::default() };
            told(&story).concat()
        };
        assert_eq!(drop(DropCause::Loss, 2500), "dropped: loss after 1.5 ms");
        assert_eq!(drop(DropCause::QueueFull, 1000), "dropped: queue_full (red)");
        assert_eq!(drop(DropCause::Aqm, 1001), "dropped: aqm (red) after 0.001 ms");
        assert_eq!(drop(DropCause::LinkDown, 1000), "dropped: link_down");
    }

    #[test]
    fn whatever_happens_to_a_frame_has_a_comment_of_its_own() {
        let mut story = Story {
            marked: true,
            queue: "fq_codel",
            corrupted: Some(vec![523]),
            duplicated: true,
            departing: Some(Departing { sent: at(1000), drawn: Duration::ZERO, arrival: at(1000), ahead: true }),
            end: Some(End::Inside),
            ..Story::default()
        };
        assert_eq!(
            told(&story),
            [
                "marked CE: fq_codel",
                "corrupted: bit 523",
                "duplicated: a copy arrives too",
                "ran ahead: reorder",
                "inside: the capture ended first"
            ]
        );
        story.corrupted = Some((1..=11).collect());
        assert_eq!(told(&story)[1], "corrupted: bits 1, 2, 3, 4, 5, 6, 7, 8 and 3 more");
        story.corrupted = Some(Vec::new());
        assert_eq!(told(&story)[1], "corrupted: behind the bytes that are kept");
        assert_eq!(told(&Story::default()), ["fate unknown: writing fell behind"]);
    }
}
