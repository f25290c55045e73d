//! One region of a cloud: what is attached there, and the paths to all other regions.
//!
//! It learns addresses and forwards as a switch does, but for split horizon (RFC 4762 §4.4, as in VPLS): the regions are
//! joined each with each, so a frame that came from another region has reached every region, and is never sent on to a
//! further one. That keeps the full mesh free of loops without a spanning tree.

use super::{Switch, SwitchSpec, Verdict, Work};
use crate::frame::{DropCause, Frame};
use crate::units::Instant;

/// What a region is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgePlan {
    /// How many of its ports, the first ones, have something attached. All others lead to other regions.
    pub attachments: u32,
    /// Which cloud it is a region of: all regions of a cloud have the same number.
    pub cloud: u32,
}

/// A region at work.
#[derive(Debug)]
pub struct Edge {
    attachments: u32,
    switch: Switch,
}

impl Edge {
    /// A region with so many ports that knows no address yet.
    pub fn new(plan: EdgePlan, ports: u32) -> Edge {
        // a part of a train that storm control lets through would be the switch's to flood, and it knows no split horizon
        let spec = SwitchSpec { storm_control: None, ..SwitchSpec::default() };
        Edge { attachments: plan.attachments, switch: Switch::new(&spec, ports) }
    }

    /// Where the frame with this head goes that came in at `port`.
    pub fn receive(&mut self, now: Instant, port: u32, head: &[u8], count: u64) -> Verdict {
        let verdict = self.switch.receive(now, port, head, count);
        if port < self.attachments {
            return verdict;
        }
        match verdict {
            // all other regions are as one port
            Verdict::Forward(to) if to >= self.attachments => Verdict::Drop(DropCause::SamePort),
            Verdict::Flood => match self.attachments {
                0 => Verdict::Drop(DropCause::NoPort),
                1 => Verdict::Forward(0),
                _ => Verdict::Handle,
            },
            other => other,
        }
    }

    /// The topology around the cloud has changed: any station may be elsewhere.
    pub fn forget(&mut self) {
        self.switch.forget_all();
    }

    /// Sends a frame from another region to all that is attached here.
    pub fn handle(&mut self, work: &mut Work<'_>, frame: Frame) {
        for port in 1..self.attachments {
            let copy = work.copy(&frame);
            work.send(port, copy);
        }
        work.send(0, frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame to one address from another; 255 is everybody.
    fn frame(destination: u8, source: u8) -> Vec<u8> {
        let mut bytes = vec![0; 14];
        bytes[5] = destination;
        bytes[11] = source;
        if destination == 255 {
            bytes[..6].fill(255);
        }
        bytes
    }

    fn edge(attachments: u32) -> Edge {
        Edge::new(EdgePlan { attachments, cloud: 0 }, 4)
    }

    #[test]
    fn what_comes_from_a_region_never_goes_to_another() {
        let now = Instant::ZERO;
        let mut region = edge(2);
        // from what is attached: to all, as a switch
        assert_eq!(region.receive(now, 0, &frame(255, 1), 1), Verdict::Flood);
        // from another region: to what is attached
        assert_eq!(region.receive(now, 2, &frame(255, 9), 1), Verdict::Handle);
        assert_eq!(region.receive(now, 2, &frame(7, 9), 1), Verdict::Handle);
        assert_eq!(region.receive(now, 3, &frame(1, 8), 1), Verdict::Forward(0));
        // known in a third region
        assert_eq!(region.receive(now, 3, &frame(9, 8), 1), Verdict::Drop(DropCause::SamePort));
        assert_eq!(region.receive(now, 2, &frame(9, 7), 1), Verdict::Drop(DropCause::SamePort));
        assert_eq!(region.receive(now, 1, &frame(9, 2), 1), Verdict::Forward(2));
        assert_eq!(region.receive(now, 0, &frame(2, 1), 1), Verdict::Forward(1));
    }

    #[test]
    fn one_attachment_gets_it_all_and_none_ends_it() {
        assert_eq!(edge(1).receive(Instant::ZERO, 1, &frame(255, 9), 1), Verdict::Forward(0));
        assert_eq!(edge(0).receive(Instant::ZERO, 1, &frame(255, 9), 1), Verdict::Drop(DropCause::NoPort));
        assert_eq!(edge(1).receive(Instant::ZERO, 1, &[0; 13], 1), Verdict::Drop(DropCause::Malformed));
    }
}
