//! The ports' side of the live loop: frames in, frames out, lateness counted.

use std::io;
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::live::{LivePort, LogSender, PortOutcome};
use super::plugs::{Lost, Plugs};
use crate::capture::Tape;
use crate::engine::{Command, DirectionId, Engine, Fate, FrameSink, NodeId};
use crate::frame::{Frame, FrameView};
use crate::port::Port;
use crate::port::frames::Received;
use crate::report::event_log::Entry;
use crate::units::{Duration, Instant};

/// Frames read from one port before the others get their turn.
pub(super) const BURST: usize = 64;
/// Wire frames read from one port before the others get their turn: a super-frame may be 65,000 of them, by a `gso_size` of 1.
/// No burst of ordinary super-frames has more.
const WIRE_BURST: u64 = 4_096;

/// What woke the loop.
pub(super) struct Wake;

impl Wake {
    /// Somebody asked something. Other values are positions of ports.
    pub(super) const REQUEST: u64 = u64::MAX;
}

/// All TAPs of a run.
pub(super) struct Taps {
    ports: Vec<PortState>,
    epoll: Arc<Epoll>,
    plugs: Plugs,
    /// Positions of ports that have just been found ended.
    lost: Vec<usize>,
    /// Positions of ports with a rest.
    rests: Vec<usize>,
    /// Positions of ports with something to do every few milliseconds. They are never replaced.
    ticking: Vec<usize>,
    /// By node of the network: the position of its port.
    by_node: Vec<usize>,
    /// Frames just read, and where, before they are given their time.
    burst: Vec<(NodeId, Frame)>,
    now: Instant,
    /// The most that a delivery was late by since [`Taps::take_latest`].
    latest: Duration,
    /// How often the loop has turned.
    turn: u64,
    log: Option<LogSender>,
    tape: Option<Tape>,
    converged: Vec<(Instant, String)>,
}

struct PortState {
    node: NodeId,
    name: String,
    /// `None` while what is behind it is gone, or has not come yet.
    device: Option<Port>,
    /// The descriptor is watched for being writable.
    writing: bool,
    counted: PortOutcome,
    /// What is left of a super-frame of which a part had its turn.
    rest: Option<Frame>,
    /// Several frames waited when it was last read.
    bursts: bool,
    /// The turn in which it was last read.
    turn: u64,
    /// The host is shown no carrier.
    no_carrier: bool,
    /// How many descriptors it has had after the first.
    replaced: u32,
}

impl PortState {
    fn show_carrier(&mut self, on: bool) {
        self.no_carrier = !on;
        let Some(Err(error)) = self.device.as_ref().map(|device| device.set_carrier(on)) else { return };
        self.counted.carrier_refused.get_or_insert_with(|| format!("the carrier of `{}`: {error}", self.name));
    }
}

/// What was read from a port.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Took {
    /// Frames, of which each may be a train.
    pub(super) frames: usize,
    /// It was stopped by the number of wire frames.
    pub(super) cut: bool,
}

/// A position that no port has.
const NO_PORT: usize = usize::MAX;

impl Taps {
    pub(super) fn new(
        ports: Vec<LivePort>,
        nodes: usize,
        epoll: Arc<Epoll>,
        plugs: Plugs,
        (log, tape): (Option<LogSender>, Option<Tape>),
    ) -> io::Result<Taps> {
        let (mut by_node, mut ticking) = (vec![NO_PORT; nodes], Vec::new());
        for (position, port) in ports.iter().enumerate() {
            by_node[port.node.0 as usize] = position;
            if let Some(device) = &port.device {
                ticking.extend(device.has_ticks().then_some(position));
                epoll.add(device, EpollEvent::new(EpollFlags::EPOLLIN, position as u64))?;
            }
        }
        let ports = ports
            .into_iter()
            .map(|LivePort { node, name, device }| PortState {
                node,
                name,
                device,
                writing: false,
                counted: PortOutcome::default(),
                rest: None,
                bursts: true,
                turn: 0,
                no_carrier: false,
                replaced: 0,
            })
            .collect();
        let (burst, lost, rests) = (Vec::with_capacity(BURST), Vec::new(), Vec::new());
        let converged = Vec::new();
        Ok(Taps {
            ports,
            epoll,
            plugs,
            lost,
            rests,
            ticking,
            by_node,
            burst,
            now: Instant::ZERO,
            latest: Duration::ZERO,
            turn: 0,
            log,
            tape,
            converged,
        })
    }

    /// Reads what waits at a port, up to a burst; what is left in the TAP wakes the loop again, and a port with a rest is in
    /// [`Taps::take_rests`]. [`Taps::inject`] follows. `waited`: for how long these frames may have waited.
    pub(super) fn read(&mut self, position: usize, engine: &mut Engine, waited: Duration) -> Took {
        let before = self.ports[position].counted.received;
        let took = self.read_up_to(BURST, WIRE_BURST, position, engine);
        let counted = &mut self.ports[position].counted;
        counted.unread.record(waited, counted.received - before);
        took
    }

    /// Positions of ports of which a part of a super-frame waits for its turn.
    pub(super) fn take_rests(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.rests)
    }

    /// The same where a call costs more than to be woken again: from a port where mostly one frame waits, one is read.
    pub(super) fn read_sparingly(&mut self, position: usize, engine: &mut Engine) {
        let port = &self.ports[position];
        let most = if port.bursts || port.turn + 1 == self.turn { BURST } else { 1 };
        let took = self.read_up_to(most, u64::MAX, position, engine);
        let port = &mut self.ports[position];
        (port.bursts, port.turn) = (took.frames > 1, self.turn);
    }

    /// An error is the port's own matter: a TAP that was deleted goes, and a frame that the kernel could not hand over is
    /// lost alone.
    fn read_up_to(&mut self, most: usize, most_wire: u64, position: usize, engine: &mut Engine) -> Took {
        self.flush(position);
        let port = &mut self.ports[position];
        // What is for nobody here takes its turn too, however much of it comes.
        let (mut took, mut wire, mut gone) = (Took::default(), most_wire, 0);
        while took.frames + gone < most {
            let received = match (port.rest.take(), &mut port.device) {
                (Some(rest), _) => Ok(Received::Frame(rest)),
                (None, Some(device)) => device.receive(engine.pool()),
                (None, None) => break,
            };
            match received {
                Ok(Received::Frame(mut frame)) => {
                    if frame.count() > wire {
                        let front = engine.pool().split_front(&mut frame, wire);
                        port.rest = Some(std::mem::replace(&mut frame, front));
                        self.rests.push(position);
                    }
                    wire -= frame.count();
                    port.counted.received += frame.count();
                    self.burst.push((port.node, frame));
                    took.frames += 1;
                    if wire == 0 {
                        took.cut = true;
                        break;
                    }
                }
                Ok(Received::Malformed) => {
                    port.counted.malformed += 1;
                    gone += 1;
                }
                Ok(Received::Foreign) => gone += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if port.device.as_ref().is_some_and(|device| device.is_end(&error)) => {
                    self.lost.push(position);
                    break;
                }
                // tun_put_user fails of a frame that has left the ring by then (drivers/net/tun.c).
                Err(_) => {
                    port.counted.malformed += 1;
                    break;
                }
            }
        }
        if port.rest.is_none() && port.device.as_ref().is_some_and(Port::has_frame) && !self.lost.contains(&position) {
            self.rests.push(position);
        }
        took
    }

    /// Writes what a port could not take at once, and watches it for as long as there is such a rest.
    fn flush(&mut self, position: usize) {
        let port = &mut self.ports[position];
        if port.writing
            && let Some(device) = &mut port.device
        {
            device.flush();
            self.watch(position);
        }
    }

    /// Watches a port for being writable if a part of a frame waits for that, and no longer than that.
    fn watch(&mut self, position: usize) {
        let port = &mut self.ports[position];
        let Some(device) = &port.device else { return };
        if device.has_rest() != port.writing {
            port.writing = !port.writing;
            let flags = if port.writing { EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
            // It was added, so this cannot fail; if it did, the rest would go with the next frame.
            let _ = self.epoll.modify(device, &mut EpollEvent::new(flags, position as u64));
        }
    }

    /// Gives what was just read to the engine. `now` is read from the clock once, after the last frame: a frame that
    /// came while the burst was read must not get a time before it was sent, or it would be early.
    pub(super) fn inject(&mut self, now: Instant, engine: &mut Engine) {
        for (node, frame) in self.burst.drain(..) {
            engine.inject(now, node, frame);
        }
        while let Some(position) = self.lost.pop() {
            if let Some(device) = self.unplug(position, true, now, engine) {
                let replaced = self.ports[position].replaced;
                self.plugs.tell(Lost { position, replaced, at: now, device });
            }
        }
    }

    /// What is behind a port is gone. Returns the descriptor if it is of no use any more; to close it takes time.
    pub(super) fn unplug(
        &mut self,
        position: usize,
        for_good: bool,
        now: Instant,
        engine: &mut Engine,
    ) -> Option<Port> {
        let port = &mut self.ports[position];
        engine.apply(now, Command::PortDown(port.node)).expect("ports are nodes of the plan");
        let device = if for_good { port.device.take() } else { None };
        if let Some(device) = &device {
            port.writing = false;
            // Others may hold the same descriptor, so closing it here would not take it from the list.
            let _ = self.epoll.delete(device);
        }
        device
    }

    /// What is behind a port is there again, by a `new` descriptor if there is one. Returns the old one that this replaces.
    ///
    /// # Errors
    /// The new descriptor cannot be waited for, or there is neither a new nor an old one; nothing has changed then.
    pub(super) fn plug(
        &mut self,
        position: usize,
        new: Option<Port>,
        now: Instant,
        engine: &mut Engine,
    ) -> io::Result<Option<Port>> {
        if let Some(device) = &new {
            self.epoll.add(device, EpollEvent::new(EpollFlags::EPOLLIN, position as u64))?;
        }
        if new.is_none() && self.ports[position].device.is_none() {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        let old = if new.is_some() { self.unplug(position, true, now, engine) } else { None };
        let port = &mut self.ports[position];
        if new.is_some() {
            port.device = new;
            port.replaced += 1;
            if port.no_carrier {
                port.show_carrier(false);
            }
        }
        engine.apply(now, Command::PortUp(port.node)).expect("ports are nodes of the plan");
        Ok(old)
    }

    /// The clock's reading that deliveries are compared with.
    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// The most that a delivery has been late by since this was last asked.
    pub(super) fn take_latest(&mut self) -> Duration {
        std::mem::take(&mut self.latest)
    }

    pub(super) fn command(&mut self, at: Instant, what: String) {
        if let Some(log) = &mut self.log {
            log.push(Entry::Command { at, what });
        }
    }

    /// Lets ports do what they do every few milliseconds. Hands on what has been logged and captured, so that neither is ever far behind.
    pub(super) fn tick(&mut self) {
        self.turn += 1;
        for position in &self.ticking {
            if let Some(device) = &mut self.ports[*position].device {
                device.tick();
            }
        }
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

    /// When the network followed changes of links, and in which words.
    pub(super) fn take_converged(&mut self) -> Vec<(Instant, String)> {
        std::mem::take(&mut self.converged)
    }

    pub(super) fn take_outcomes(&mut self) -> Vec<PortOutcome> {
        let all = self.ports.iter_mut().map(|port| {
            if let Some(device) = &mut port.device {
                port.counted.overflowed += device.take_dropped();
                port.counted.tunnel = device.tunnel().cloned();
                port.counted.path = device.measured_path();
            }
            std::mem::take(&mut port.counted)
        });
        all.collect()
    }
}

impl FrameSink for Taps {
    fn converged(&mut self, link: &str, up: bool, at: Instant) {
        let what = format!("routers and switches follow {link}={}", if up { "up" } else { "down" });
        self.command(at, what.clone());
        self.converged.push((at, what));
    }

    fn applied(&mut self, command: &Command, at: Instant) {
        if let Some(tape) = &mut self.tape {
            tape.applied(command, at);
        }
        if let Command::Carrier(node, on) = command {
            let port = &mut self.ports[self.by_node[node.0 as usize]];
            port.counted.lost_carrier |= !on;
            port.show_carrier(*on);
        }
    }

    fn deliver(&mut self, node: NodeId, frame: FrameView<'_>, at: Instant) {
        let position = self.by_node[node.0 as usize];
        let port = &mut self.ports[position];
        let late = self.now - at;
        self.latest = self.latest.max(late);
        port.counted.lateness.record(late, u64::from(frame.count));
        let Some(device) = &mut port.device else {
            // due before the engine was told that the port is down
            port.counted.refused += u64::from(frame.count);
            return;
        };
        let sent = device.send(frame);
        let watch = device.has_rest();
        port.counted.sent += sent.taken;
        port.counted.refused += sent.refused;
        if watch {
            self.watch(position);
        }
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
