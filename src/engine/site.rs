//! What happens at nodes: frames arrive, are sent on, copied to all, handled by the node itself, or end.

use super::{DirectionId, Engine, Fate, FateKind, FrameSink, NodeCounters, NodeId, NodeKind, Place};
use crate::frame::{DropCause, Frame};
use crate::node::{Deed, Edge, Inner, Node, Router, Switch, Tally, Verdict, Work};

/// A node and what surrounds it.
pub(super) struct Site {
    pub(super) node: Node,
    /// Where its ports begin in [`Engine::ports`], and how many there are.
    pub(super) ports: (u32, u32),
    pub(super) counters: NodeCounters,
}

impl Site {
    pub(super) fn ports(&self) -> std::ops::Range<usize> {
        self.ports.0 as usize..(self.ports.0 + self.ports.1) as usize
    }
}

impl Engine {
    #[inline]
    pub(super) fn arrive<S: FrameSink>(&mut self, id: NodeId, port: u32, frame: Frame, turn: u32, out: &mut S) {
        let count = frame.count();
        let site = &mut self.nodes[id.0 as usize];
        site.counters.received += count;
        if site.node.is_port() {
            // it hears all that comes: no tree blocks it
            site.counters.consumed += count;
            out.deliver(id, self.pool.view(&frame), self.now);
            return self.pool.release(frame);
        }
        let place = site.ports.0 as usize + port as usize;
        if self.any_blocked && self.blocked[place] {
            return self.drop_at(id, frame, DropCause::Blocked, out);
        }
        let came_by_old_way = Some(frame.offered) <= self.spanned && self.inner[place];
        if came_by_old_way && !site.node.set_learning(false) {
            return self.drop_at(id, frame, DropCause::Blocked, out);
        }
        let verdict = site.node.receive(self.now, port, self.pool.view(&frame).head, count);
        if came_by_old_way {
            site.node.set_learning(true);
        }
        match verdict {
            Verdict::Consume => {
                site.counters.consumed += count;
                out.deliver(id, self.pool.view(&frame), self.now);
                self.pool.release(frame);
            }
            Verdict::Forward(to) => {
                let direction = self.ports[site.ports()][to as usize];
                self.send(id, direction, frame, turn, out);
            }
            Verdict::Flood => self.flood(id, port, frame, turn, out),
            Verdict::Drop(cause) => self.drop_at(id, frame, cause, out),
            Verdict::Handle => self.work(id, turn, out, |node, work| node.handle(work, port, frame)),
        }
    }

    /// A turn of a node that does more than say where a frame goes.
    pub(super) fn work<S: FrameSink>(
        &mut self,
        id: NodeId,
        turn: u32,
        out: &mut S,
        does: impl FnOnce(&mut Node, &mut Work<'_>),
    ) {
        let mut deeds = std::mem::take(&mut self.deeds);
        let site = &mut self.nodes[id.0 as usize];
        let mut work = Work {
            now: self.now,
            pool: &mut self.pool,
            routes: &mut self.routes,
            deeds: &mut deeds,
            tally: Tally::default(),
        };
        does(&mut site.node, &mut work);
        let Tally { originated, replicated, consumed } = work.tally;
        site.counters.originated += originated;
        site.counters.replicated += replicated;
        site.counters.consumed += consumed;
        if let Ok(place) = self.timed.binary_search(&id) {
            let deadline = site.node.deadline();
            self.events.set((self.directions.len() + place) as u32, deadline.map(|at| at.max(self.now)));
        }
        for deed in deeds.drain(..) {
            match deed {
                Deed::Send(port, frame) => {
                    let direction = self.ports[self.nodes[id.0 as usize].ports()][port as usize];
                    self.send(id, direction, frame, turn, out);
                }
                Deed::Flood(from, frame) => self.flood(id, from, frame, turn, out),
                Deed::Drop(cause, frame) => self.drop_at(id, frame, cause, out),
            }
        }
        self.deeds = deeds;
    }

    /// Where a direction begins: a node, and its port there.
    pub(super) fn near_end(&self, id: DirectionId) -> (NodeId, u32) {
        self.directions[id.reverse().0 as usize].far_end
    }

    /// Whether the spanning tree blocks a port, by its place among all of them.
    #[inline]
    fn is_shut(&self, place: usize) -> bool {
        self.any_blocked && self.blocked[place]
    }

    fn flood<S: FrameSink>(&mut self, id: NodeId, from: u32, frame: Frame, turn: u32, out: &mut S) {
        let ports = self.nodes[id.0 as usize].ports();
        let from = ports.start + from as usize;
        // the last port takes the frame itself, those before it a copy
        let Some(last) = ports.clone().rev().find(|port| *port != from && !self.is_shut(*port)) else {
            return self.drop_at(id, frame, DropCause::NoPort, out);
        };
        for port in (ports.start..last).filter(|port| *port != from) {
            if self.is_shut(port) {
                continue;
            }
            let copy = self.pool.share(&frame);
            self.nodes[id.0 as usize].counters.replicated += copy.count();
            self.send(id, self.ports[port], copy, turn, out);
        }
        self.send(id, self.ports[last], frame, turn, out);
    }

    fn drop_at<S: FrameSink>(&mut self, id: NodeId, frame: Frame, cause: DropCause, out: &mut S) {
        let counters = &mut self.nodes[id.0 as usize].counters;
        counters.dropped.add(cause, frame.count(), self.pool.bytes(&frame));
        out.fate(Fate {
            at: self.now,
            place: Place::Node(id),
            number: 0,
            frames: frame.count(),
            kind: FateKind::Dropped(cause),
            pool: &self.pool,
            frame: &frame,
        });
        self.pool.release(frame);
    }
}

/// A node of a plan, at its beginning.
pub(super) fn node_for(id: u32, kind: &NodeKind, ports: u32) -> Node {
    match kind {
        NodeKind::Port => Node::Port,
        NodeKind::Switch(spec) => Inner::Switch(Switch::new(spec, ports)).into(),
        NodeKind::Hub => Inner::Hub.into(),
        NodeKind::Edge(plan) => Inner::Edge(Edge::new(*plan, ports)).into(),
        NodeKind::Router(plan) => Inner::Router(Router::new(id, plan)).into(),
    }
}
