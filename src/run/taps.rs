//! The TAPs' side of the live loop: frames in, frames out, lateness counted.

use std::io;
use std::os::fd::AsFd;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::live::{LivePort, LogSender, PortOutcome};
use crate::engine::{Command, DirectionId, Engine, Fate, FrameSink, NodeId};
use crate::frame::{Frame, FrameView};
use crate::port::tap::TapPort;
use crate::port::tap_frames::{self, Abilities, Received};
use crate::record::capture::Tape;
use crate::record::event_log::Entry;
use crate::units::{Duration, Instant};

/// Frames read from one port before the others get their turn.
pub(super) const BURST: usize = 64;

/// What woke the loop.
pub(super) struct Wake;

impl Wake {
    /// Somebody asked something. Other values are positions of ports.
    pub(super) const REQUEST: u64 = u64::MAX;
}

/// All TAPs of a run.
pub(super) struct Taps {
    ports: Vec<Port>,
    /// By node of the network: the position of its port.
    by_node: Vec<usize>,
    /// Frames just read, and where, before they are given their time.
    burst: Vec<(NodeId, Frame)>,
    now: Instant,
    /// How often the loop has turned.
    turn: u64,
    log: Option<LogSender>,
    tape: Option<Tape>,
}

struct Port {
    node: NodeId,
    tap: TapPort,
    abilities: Abilities,
    counted: PortOutcome,
    /// Several frames waited when it was last read.
    bursts: bool,
    /// The turn in which it was last read.
    turn: u64,
}

/// A position that no port has.
const NO_PORT: usize = usize::MAX;

impl Taps {
    pub(super) fn new(
        ports: Vec<LivePort>,
        nodes: usize,
        epoll: &Epoll,
        log: Option<LogSender>,
        tape: Option<Tape>,
    ) -> io::Result<Taps> {
        let mut by_node = vec![NO_PORT; nodes];
        for (position, port) in ports.iter().enumerate() {
            by_node[port.node.0 as usize] = position;
            epoll.add(port.tap.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, position as u64))?;
        }
        let ports = ports
            .into_iter()
            .map(|LivePort { node, tap }| {
                let abilities = Abilities::of(&tap);
                Port { node, tap, abilities, counted: PortOutcome::default(), bursts: true, turn: 0 }
            })
            .collect();
        Ok(Taps { ports, by_node, burst: Vec::with_capacity(BURST), now: Instant::ZERO, turn: 0, log, tape })
    }

    /// Reads what waits at a port, up to a burst; what is left wakes the loop again. [`Taps::inject`] follows. `waited`: for
    /// how long these frames may have waited. Whether some may be left.
    pub(super) fn read(&mut self, position: usize, engine: &mut Engine, waited: Duration) -> io::Result<bool> {
        let before = self.ports[position].counted.received;
        let read = self.read_up_to(BURST, position, engine)?;
        let counted = &mut self.ports[position].counted;
        counted.unread.record(waited, counted.received - before);
        Ok(read == BURST)
    }

    /// The same where a call costs more than to be woken again: from a port where mostly one frame waits, one is read.
    pub(super) fn read_sparingly(&mut self, position: usize, engine: &mut Engine) -> io::Result<()> {
        let port = &self.ports[position];
        let most = if port.bursts || port.turn + 1 == self.turn { BURST } else { 1 };
        let read = self.read_up_to(most, position, engine)?;
        let port = &mut self.ports[position];
        (port.bursts, port.turn) = (read > 1, self.turn);
        Ok(())
    }

    fn read_up_to(&mut self, most: usize, position: usize, engine: &mut Engine) -> io::Result<usize> {
        let port = &mut self.ports[position];
        let before = self.burst.len();
        while self.burst.len() - before < most {
            match tap_frames::receive(&port.tap, &port.abilities, engine.pool()) {
                Ok(Received::Frame(frame)) => {
                    port.counted.received += frame.count();
                    self.burst.push((port.node, frame));
                }
                Ok(Received::Malformed) => port.counted.malformed += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let name = &port.tap.info().name;
                    return Err(io::Error::new(error.kind(), format!("reading TAP `{name}`: {error}")));
                }
            }
        }
        Ok(self.burst.len() - before)
    }

    /// Gives what was just read to the engine. `now` is read from the clock once, after the last frame: a frame that
    /// came while the burst was read must not get a time before it was sent, or it would be early.
    pub(super) fn inject(&mut self, now: Instant, engine: &mut Engine) {
        for (node, frame) in self.burst.drain(..) {
            engine.inject(now, node, frame);
        }
    }

    /// The clock's reading that deliveries are compared with.
    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    pub(super) fn command(&mut self, at: Instant, what: String) {
        if let Some(log) = &mut self.log {
            log.push(Entry::Command { at, what });
        }
    }

    /// Hands on what has been logged and captured, so that neither is ever far behind.
    pub(super) fn tick(&mut self) {
        self.turn += 1;
        if let Some(log) = &mut self.log {
            log.flush();
        }
        if let Some(tape) = &mut self.tape {
            tape.tick(self.now);
        }
    }

    pub(super) fn log_lost(&self) -> u64 {
        self.log.as_ref().map_or(0, LogSender::lost)
    }

    pub(super) fn take_outcomes(&mut self) -> Vec<PortOutcome> {
        self.ports.iter_mut().map(|port| std::mem::take(&mut port.counted)).collect()
    }
}

impl FrameSink for Taps {
    fn applied(&mut self, command: &Command, at: Instant) {
        if let Some(tape) = &mut self.tape {
            tape.applied(command, at);
        }
        if let Command::Carrier(node, on) = command {
            let port = &mut self.ports[self.by_node[node.0 as usize]];
            port.counted.lost_carrier |= !on;
            if let Err(error) = port.tap.set_carrier(*on) {
                let name = &port.tap.info().name;
                port.counted.carrier_refused.get_or_insert_with(|| format!("the carrier of `{name}`: {error}"));
            }
        }
    }

    fn deliver(&mut self, node: NodeId, frame: FrameView<'_>, at: Instant) {
        let port = &mut self.ports[self.by_node[node.0 as usize]];
        port.counted.lateness.record(self.now - at, u64::from(frame.count));
        let sent = tap_frames::send(&port.tap, &port.abilities, frame);
        port.counted.sent += sent.taken;
        port.counted.refused += sent.refused;
    }

    fn fate(&mut self, fate: Fate<'_>) {
        if let Some(tape) = &mut self.tape {
            tape.fate(&fate);
        }
        if let Some(log) = &mut self.log
            && let Some(entry) = Entry::of(&fate)
        {
            log.push(entry);
        }
    }

    #[inline]
    fn watches(&self, direction: DirectionId) -> bool {
        self.tape.as_ref().is_some_and(|tape| tape.watches(direction))
    }
}
