//! What switches and routers do about links that go down and come up: nothing at first, then all of them at one instant.
//!
//! A real network notices, tells and computes; here that takes one stated time, [`super::Plan::convergence`], during which
//! frames still take the old way and are dropped where it is broken. All switch to the new way at once, so that no frame
//! meets a mixture of both and goes in a circle.
//!
//! A link that comes up and is the only way between its ends is taken at once: there is no other way that frames could go meanwhile,
//! and where there is one way only, no two can disagree about it.

use std::collections::VecDeque;

use super::{Engine, FrameSink, LinkId, NodeId};
use crate::units::{Duration, Instant};

/// What went down or came up, and switches and routers do not know yet.
#[derive(Debug)]
pub(super) struct Convergence {
    takes: Duration,
    /// In the order of time.
    coming: VecDeque<Coming>,
}

#[derive(Clone, Copy, Debug)]
struct Coming {
    /// When it is known.
    at: Instant,
    link: LinkId,
    /// Whether it came up.
    up: bool,
    /// Whether there was another way between its ends.
    bypassed: bool,
}

impl Convergence {
    pub(super) fn new(takes: Duration) -> Convergence {
        Convergence { takes, coming: VecDeque::new() }
    }
}

impl Engine {
    /// A link has gone down or come up: the network will know.
    pub(super) fn notice(&mut self, link: LinkId, up: bool) {
        let bypassed = self.is_bypassed(link);
        if up && !bypassed {
            // that it was down, nobody needs to know any more
            self.convergence.coming.retain(|coming| coming.link != link);
            self.follow(&[(link, true)]);
        } else {
            let at = self.now + self.convergence.takes;
            self.convergence.coming.push_back(Coming { at, link, up, bypassed });
        }
        self.await_convergence();
    }

    fn await_convergence(&mut self) {
        let rank = (self.directions.len() + self.timed.len()) as u32;
        self.events.set(rank, self.convergence.coming.front().map(|coming| coming.at));
    }

    /// The network knows what happened one convergence time ago.
    pub(super) fn converge<S: FrameSink>(&mut self, out: &mut S) {
        let known = self.convergence.coming.partition_point(|coming| coming.at <= self.now);
        let known: Vec<Coming> = self.convergence.coming.drain(..known).collect();
        let changes: Vec<(LinkId, bool)> = known.iter().map(|coming| (coming.link, coming.up)).collect();
        self.follow(&changes);
        for Coming { link, up, .. } in known.into_iter().filter(|coming| coming.bypassed) {
            out.converged(&self.names[link.0 as usize], up, self.now);
        }
        self.await_convergence();
    }

    /// Switches and routers take links for up or down from now on.
    fn follow(&mut self, changes: &[(LinkId, bool)]) {
        changes.iter().for_each(|(link, up)| self.spanning.note(*link, *up));
        self.routes.converge(changes.iter().map(|(link, up)| (link.0, *up)));
        self.span();
    }

    /// Whether there is another way between the ends of a link: over links that are up, or that the network takes for up.
    fn is_bypassed(&self, link: LinkId) -> bool {
        let [from, to] = self.ends(link);
        let leads_on = |node: NodeId| !self.nodes[node.0 as usize].node.is_port();
        if !leads_on(from) || !leads_on(to) {
            return false;
        }
        let mut seen = vec![false; self.nodes.len()];
        seen[from.0 as usize] = true;
        let mut reached = vec![from];
        while let Some(node) = reached.pop() {
            for other in self.links_at(node) {
                if other == link || !(self.is_up(other) || self.routes.is_up(other.0)) {
                    continue;
                }
                for end in self.ends(other).into_iter().filter(|end| leads_on(*end)) {
                    if end == to {
                        return true;
                    }
                    if !std::mem::replace(&mut seen[end.0 as usize], true) {
                        reached.push(end);
                    }
                }
            }
        }
        false
    }
}
