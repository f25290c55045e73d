//! A model at work in a direction: its random stream, the frames that it applies to, and how it numbers them.

use super::Streams;
use crate::engine::book::Book;
use crate::model::Only;
use crate::rng::{FrameRng, StreamKey};
use crate::wire::summary::FrameSummary;

/// What is not the model itself. Frames are numbered at admission, whether or not they are dropped later; where the model
/// applies to all, its numbers are those of the direction.
#[derive(Debug)]
pub(super) struct Rule {
    key: StreamKey,
    /// Which bit of a book's entries is its own.
    bit: u32,
    own: Option<Own>,
}

/// The frames of a model that does not apply to all.
#[derive(Debug)]
struct Own {
    only: Only,
    /// Where the book keeps its numbers.
    column: usize,
    /// How many frames it has applied to.
    next: u64,
}

impl Rule {
    /// `columns` counts the models of a direction that number for themselves.
    pub(super) fn new(model: &str, bit: u32, only: Option<&Only>, streams: Streams<'_>, columns: &mut usize) -> Rule {
        let own = only.map(|only| {
            *columns += 1;
            Own { only: only.clone(), column: *columns - 1, next: 0 }
        });
        Rule { key: streams.key(model), bit, own }
    }

    /// Goes on where another rule for the same frames was.
    pub(super) fn follow(&mut self, old: &Rule) {
        if let (Some(own), Some(old)) = (&mut self.own, &old.own)
            && own.only == old.only
        {
            own.next = old.next;
        }
    }

    pub(super) fn bit(&self) -> u32 {
        self.bit
    }

    /// Whether it numbers frames for itself.
    pub(super) fn has_own_numbers(&self) -> bool {
        self.own.is_some()
    }

    /// The frames that it is meant for, if it has met none of them so far.
    pub(super) fn unmatched(&self) -> Option<&Only> {
        self.own.as_ref().filter(|own| own.next == 0).map(|own| &own.only)
    }

    /// Numbers `count` frames that are admitted as `number` and following, and returns its first number for them; `None`
    /// if it does not apply to them.
    pub(super) fn admit(&mut self, number: u64, count: u64, frame: &FrameSummary) -> Option<u64> {
        let Some(own) = &mut self.own else { return Some(number) };
        own.only.matches(frame).then(|| {
            own.next += count;
            own.next - count
        })
    }

    /// Enters its number for a frame into the row of the book.
    pub(super) fn enter(&self, number: u64, row: &mut [u64]) {
        if let Some(own) = &self.own {
            row[own.column] = number;
        }
    }

    /// Its number for a frame; `None` if it does not apply to it.
    pub(super) fn number(&self, frame: u64, book: Option<&Book>) -> Option<u64> {
        let Some(own) = &self.own else { return Some(frame) };
        let book = book?;
        book.entry(frame)?.applies(self.bit).then(|| book.own_number(frame, own.column))?
    }

    /// What its chain said about a frame at admission; one that was admitted before there was a chain is outside.
    pub(super) fn mark(&self, frame: u64, book: Option<&Book>) -> bool {
        book.and_then(|book| book.entry(frame)).is_some_and(|entry| entry.mark(self.bit))
    }

    /// The generator of a frame by its number in the model.
    pub(super) fn rng(&self, number: u64, copy: u32) -> FrameRng {
        self.key.frame(number, copy)
    }

    pub(super) fn key(&self) -> StreamKey {
        self.key
    }
}
