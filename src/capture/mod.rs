//! Captures: what went through a link, frame by frame, as a pcapng file that says what happened to each of them.
//!
//! A direction of the link is an interface of the file. A frame stands there once, at the time at which it was offered, and
//! with the bytes that it had at its end: those of a corrupted or marked frame are the changed ones. Its comments say what
//! happened to it. A copy that a link made is a frame of its own, at the time at which it was made.
//!
//! | file | idea |
//! |---|---|
//! | `tape` | from the engine's thread to the one that writes: copied once, never waited for |
//! | `file` | one link's file: from records to blocks, never longer than its limit |
//! | `ledger` | frames whose end is not known yet, in the order of the file |
//! | `words` | what happened to a frame, as its comments say it |
//! | `pcapng` | the blocks of the format |

mod file;
mod ledger;
mod pcapng;
mod tape;
#[cfg(test)]
mod tests;
mod words;

pub use file::{CaptureFile, CaptureTitle, Totals};
pub use tape::{Chunk, Missing, Next, Record, RecordKind, Reel, Tape, tape};
