//! What impairments do to a frame behind the wire.

use super::{Around, Direction};
use crate::engine::pipeline::Delayed;
use crate::engine::sink::{FateKind, FrameSink};
use crate::frame::{DropCause, Frame};
use crate::model::Passing;
use crate::units::{Duration, Instant};
use crate::wire::reset::Segment;

/// Draws of a reset that answers a segment, in the stream of the delay: 0 is a frame itself, 1 its duplicate.
const ANSWER: u32 = 2;

impl Direction {
    /// Lets a wire frame that was not lost pass the impairments, and go on its way.
    pub(super) fn impair<S: FrameSink>(&mut self, frame: Frame, sent: Instant, around: &mut Around<'_, S>) {
        let Some(pipeline) = &mut self.pipeline else { return self.propagate(frame, sent, around) };
        let (number, delayed) = (frame.number, pipeline.delayed(frame.number));
        let passing = pipeline.pass(frame, around.pool);
        match passing.reset {
            None => self.go_on(passing, delayed, sent, around),
            Some(segment) => self.reset(passing.frame, segment, delayed, sent, around),
        }
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.settle(number, 1);
        }
    }

    fn go_on<S: FrameSink>(
        &mut self,
        passing: Passing,
        delayed: Option<Delayed>,
        sent: Instant,
        around: &mut Around<'_, S>,
    ) {
        let alone = passing.is_alone();
        let Passing { frame, corrupted, copy, ahead, .. } = passing;
        if corrupted {
            self.counters.corrupted += 1;
            self.tell(&frame, FateKind::Corrupted, sent, around);
        }
        if copy.is_some() {
            self.counters.duplicated += 1;
            self.tell(&frame, FateKind::Duplicated, sent, around);
        }
        match delayed {
            Some(delayed) if !ahead => self.depart(frame, delayed, 0, sent, alone, around),
            _ => self.pass_by(frame, ahead, sent, around),
        }
        if let Some(mut copy) = copy {
            copy.mark_copy();
            match delayed {
                Some(delayed) => self.depart(copy, delayed, 1, sent, true, around),
                None => self.pass_by(copy, false, sent, around),
            }
        }
    }

    /// Sends a frame on its way that no delay holds.
    fn pass_by<S: FrameSink>(&mut self, frame: Frame, ahead: bool, sent: Instant, around: &mut Around<'_, S>) {
        self.tell_departing(&frame, ahead, sent, (sent, Duration::ZERO), around);
        self.line.push_alone(sent, frame);
    }

    /// A reset takes the place of a segment, with its delay. Its sender gets another, by the other direction.
    #[cold]
    fn reset<S: FrameSink>(
        &mut self,
        frame: Frame,
        segment: Box<[u8]>,
        delayed: Option<Delayed>,
        sent: Instant,
        around: &mut Around<'_, S>,
    ) {
        let reset = Segment::new(&segment).map(|segment| segment.reset_onward()).expect("the model found a segment");
        let mut onward = around.pool.store(&reset).expect("a reset is short");
        around.pool.inherit_origin(&frame, &onward);
        onward.mark_originated(frame.number, false);
        self.originate(onward, delayed, 0, sent, around);
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.note_reset(frame.number, segment);
        }
        self.medium.set_owing(true);
        self.drop(frame, DropCause::Reset, around);
    }

    /// Takes resets to the senders of the segments that the other direction dropped.
    pub(in crate::engine) fn answer<S: FrameSink>(&mut self, other: &mut Direction, around: &mut Around<'_, S>) {
        if !other.medium.is_owing() {
            return;
        }
        other.medium.set_owing(false);
        self.catch_up(around);
        let resets = other.pipeline.as_mut().map(|pipeline| pipeline.take_resets()).unwrap_or_default();
        for (number, segment) in resets {
            let segment = Segment::new(&segment).expect("the model found a segment");
            let sent = self.line.frames_on_their_way().filter_map(|frame| around.pool.view(frame).end_of(&segment));
            // compared modulo 2^32, as their receiver does
            let sent = sent.reduce(|a, b| if b.wrapping_sub(a) as i32 > 0 { b } else { a });
            let bytes = segment.reset_back(sent);
            let mut back = around.pool.store(&bytes).expect("a reset is short");
            back.mark_originated(number, true);
            let meets = self.delay.only().is_none_or(|only| only.matches_frame(&bytes, bytes.len()));
            let delayed = meets.then_some(Delayed { number, stray: None });
            self.originate(back, delayed, ANSWER, around.now, around);
        }
    }

    /// Sends a frame of the direction's own on its way.
    fn originate<S: FrameSink>(
        &mut self,
        mut frame: Frame,
        delayed: Option<Delayed>,
        copy: u32,
        sent: Instant,
        around: &mut Around<'_, S>,
    ) {
        frame.offered = sent;
        self.counters.originated += 1;
        self.tell(&frame, FateKind::Originated, sent, around);
        match delayed {
            Some(delayed) => self.depart(frame, delayed, copy, sent, true, around),
            None => self.pass_by(frame, false, sent, around),
        }
    }
}
