//! What switches and routers do about links that go down and come up: nothing at first, then all of them at one instant.
//!
//! A real network notices, tells and computes; here that takes one stated time, [`super::Plan::convergence`], during which
//! frames still take the old way and are dropped where it is broken. All switch to the new way at once, so that no frame
//! meets a mixture of both and goes in a circle.

use std::collections::VecDeque;

use super::{Engine, LinkId};
use crate::units::{Duration, Instant};

/// What went down or came up, and switches and routers do not know yet.
#[derive(Debug)]
pub(super) struct Convergence {
    takes: Duration,
    /// When it is known, which link, and whether it came up; in the order of time.
    coming: VecDeque<(Instant, LinkId, bool)>,
}

impl Convergence {
    pub(super) fn new(takes: Duration) -> Convergence {
        Convergence { takes, coming: VecDeque::new() }
    }
}

impl Engine {
    /// A link has gone down or come up: the network will know.
    pub(super) fn notice(&mut self, link: LinkId, up: bool) {
        let at = self.now + self.convergence.takes;
        self.convergence.coming.push_back((at, link, up));
        self.await_convergence();
    }

    fn await_convergence(&mut self) {
        let rank = (self.directions.len() + self.timed.len()) as u32;
        self.events.set(rank, self.convergence.coming.front().map(|(at, ..)| *at));
    }

    /// The network knows what happened one convergence time ago.
    pub(super) fn converge(&mut self) {
        let coming = &mut self.convergence.coming;
        let known = coming.partition_point(|(at, ..)| *at <= self.now);
        let spanning = &mut self.spanning;
        self.routes.converge(coming.drain(..known).map(|(_, link, up)| {
            spanning.note(link, up);
            (link.0, up)
        }));
        self.span();
        self.await_convergence();
    }
}
