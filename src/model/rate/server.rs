//! What serves the frames of a wire that has no constant rate. Few wires have one: a direction keeps it in a box.

use super::RateSpec;
use super::constant::Work;
use super::schedule::{ScheduleServer, ScheduleSpec};
use super::slots::Slots;
use super::token_bucket::TokenBucket;
use super::trace::{Trace, TraceServer};
use crate::model::table::FileOf;
use crate::rng::StreamKey;
use crate::units::Instant;

/// A wire at work that is neither unlimited nor of a constant rate. It sends one frame at a time.
#[derive(Clone, Debug)]
pub enum Server {
    /// A shaper.
    TokenBucket(TokenBucket),
    /// A Mahimahi trace.
    Trace(FileOf<Trace>, TraceServer),
    /// A rate that changes at known times.
    Schedule(ScheduleSpec, ScheduleServer),
    /// Slots.
    Slots(Slots),
}

impl Server {
    /// The server of a wire from `now` on; `None` for one without a rate or of a constant one. `key` names its random
    /// stream.
    ///
    /// # Panics
    /// When a file that the spec names has not been read: reading scenarios has done that.
    pub fn new(spec: &RateSpec, now: Instant, key: impl FnOnce() -> StreamKey) -> Option<Box<Server>> {
        let read = "files are read before an engine is built";
        let server = match spec {
            RateSpec::Unlimited | RateSpec::Constant(_) => return None,
            RateSpec::TokenBucket(spec) => Server::TokenBucket(TokenBucket::new(*spec, now)),
            RateSpec::Trace(file) => {
                let trace = file.table().expect(read).clone();
                Server::Trace(file.clone(), TraceServer::new(trace, now))
            }
            RateSpec::Schedule(spec) => {
                Server::Schedule(spec.clone(), ScheduleServer::new(spec.plan().expect(read).clone()))
            }
            RateSpec::Slots(spec) => Server::Slots(Slots::new(*spec, now, key())),
        };
        Some(Box::new(server))
    }

    /// What it was made from, live changes included.
    pub fn spec(&self) -> RateSpec {
        match self {
            Server::TokenBucket(bucket) => RateSpec::TokenBucket(bucket.spec()),
            Server::Trace(file, _) => RateSpec::Trace(file.clone()),
            Server::Schedule(spec, _) => RateSpec::Schedule(spec.clone()),
            Server::Slots(slots) => RateSpec::Slots(slots.spec()),
        }
    }

    /// Changes the parameters in place, if that is possible: tokens and slots go on. Nothing is being sent.
    pub fn set(&mut self, spec: &RateSpec, now: Instant) -> bool {
        match (self, spec) {
            (Server::TokenBucket(bucket), RateSpec::TokenBucket(spec)) => bucket.set(*spec, now),
            (Server::Slots(slots), RateSpec::Slots(spec)) => slots.set(*spec),
            _ => return false,
        }
        true
    }

    /// When so much is sent that was offered to the wire at `offered`, and has it for itself from `start` on. Not before
    /// `start`.
    pub fn serve(&mut self, work: Work, offered: Instant, start: Instant) -> Instant {
        match self {
            Server::TokenBucket(bucket) => bucket.serve(work, start),
            Server::Trace(_, trace) => trace.serve(work, offered, start),
            Server::Schedule(_, schedule) => schedule.serve(work, start),
            Server::Slots(slots) => slots.serve(work, offered, start),
        }
    }

    /// Takes the frame that is being sent off the wire: how much of it is left at `now`.
    pub fn interrupt(&mut self, now: Instant) -> Work {
        match self {
            Server::TokenBucket(bucket) => bucket.interrupt(now),
            Server::Trace(_, trace) => trace.interrupt(now),
            Server::Schedule(_, schedule) => schedule.interrupt(now),
            Server::Slots(slots) => slots.interrupt(),
        }
    }

    /// Nothing more is to be sent for now.
    pub fn rest(&mut self) {
        match self {
            Server::TokenBucket(bucket) => bucket.rest(),
            Server::Trace(_, trace) => trace.rest(),
            Server::Schedule(_, schedule) => schedule.rest(),
            Server::Slots(_) => {}
        }
    }
}
