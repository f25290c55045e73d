//! The counterpart: the least that can carry frames between two TAPs. Epoll, read, write, both directions, one thread;
//! with a delay, a queue of frames and the times at which they are due.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::time::Instant;

use longwire::port::epoll::wait;
use longwire::port::tap::TapPort;
use longwire::units::Duration;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::EventFd;

use super::job::Raw;

/// Frames read from one TAP before the other gets its turn.
const BURST: usize = 64;
/// The largest super-frame, its virtio-net header and two VLAN tags.
const LONGEST: usize = 65_535 + 14 + 8 + 10;
/// Frames up to this size do not hold a large buffer while they wait.
const SMALL: usize = 2_048;
/// What the descriptor that ends the loop is called.
const STOP: u64 = 2;

/// What a loop has done.
pub(crate) struct Carried {
    /// Reads from both TAPs; a super-frame counts once.
    pub(crate) frames: u64,
    /// Processor time of its thread.
    pub(crate) cpu_ns: Option<u64>,
}

/// Carries frames until `stop` is written to.
pub(crate) fn carry(taps: &[TapPort; 2], raw: Raw, stop: &EventFd) -> io::Result<Carried> {
    // A loop that sleeps 50 µs longer than it needs to (prctl(2), PR_SET_TIMERSLACK) would be no fair counterpart.
    nix::sys::prctl::set_timerslack(1)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (n, tap) in taps.iter().enumerate() {
        epoll.add(tap.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, n as u64))?;
    }
    epoll.add(stop.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
    let before = cpu_ns();
    let frames = match raw.delay_ns {
        0 => copy(taps, &epoll, raw.spin)?,
        delay_ns => delay(taps, &epoll, raw.spin, std::time::Duration::from_nanos(delay_ns))?,
    };
    Ok(Carried { frames, cpu_ns: cpu_ns().zip(before).map(|(now, before)| now - before) })
}

fn copy(taps: &[TapPort; 2], epoll: &Epoll, spin: bool) -> io::Result<u64> {
    let timeout = if spin { Duration::ZERO } else { Duration::from_secs(3600) };
    let mut ready = [EpollEvent::empty(); 3];
    let mut buffer = vec![0; LONGEST];
    let mut frames = 0;
    loop {
        let n = wait_again(epoll, &mut ready, timeout)?;
        for event in &ready[..n] {
            let from = match event.data() {
                STOP => return Ok(frames),
                from => from as usize,
            };
            for _ in 0..BURST {
                let Some(length) = got(taps[from].read(&mut buffer))? else { break };
                frames += 1;
                // A host that takes no frame (EIO before its interface is up) loses it, as on a wire.
                let _ = taps[1 - from].write(&[IoSlice::new(&buffer[..length])]);
            }
        }
    }
}

/// A frame on its way: the first part holds small frames whole.
struct Waiting {
    due: Instant,
    length: usize,
    head: Box<[u8]>,
    rest: Option<Box<[u8]>>,
}

fn delay(taps: &[TapPort; 2], epoll: &Epoll, spin: bool, delay: std::time::Duration) -> io::Result<u64> {
    let buffer = |length| vec![0; length].into_boxed_slice();
    let mut ready = [EpollEvent::empty(); 3];
    let mut lines: [VecDeque<Waiting>; 2] = Default::default();
    let mut heads: Vec<Box<[u8]>> = Vec::new();
    let mut rests: Vec<Box<[u8]>> = Vec::new();
    let mut frames = 0;
    loop {
        let due = lines.iter().filter_map(|line| line.front()).map(|frame| frame.due).min();
        let timeout = match due {
            _ if spin => Duration::ZERO,
            None => Duration::from_secs(3600),
            Some(due) => due.saturating_duration_since(Instant::now()).into(),
        };
        let n = wait_again(epoll, &mut ready, timeout)?;
        for event in &ready[..n] {
            let from = match event.data() {
                STOP => return Ok(frames),
                from => from as usize,
            };
            let line = &mut lines[from];
            let first_new = line.len();
            for _ in 0..BURST {
                let mut head = heads.pop().unwrap_or_else(|| buffer(SMALL));
                let mut rest = rests.pop().unwrap_or_else(|| buffer(LONGEST - SMALL));
                let Some(length) =
                    got(taps[from].read_parts(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut rest)]))?
                else {
                    heads.push(head);
                    rests.push(rest);
                    break;
                };
                frames += 1;
                let rest = if length > SMALL { Some(rest) } else { (rests.push(rest), None).1 };
                line.push_back(Waiting { due: Instant::now(), length, head, rest });
            }
            // One time for the burst, taken after it: no frame leaves early.
            let due = Instant::now() + delay;
            line.range_mut(first_new..).for_each(|frame| frame.due = due);
        }
        let now = Instant::now();
        for (from, line) in lines.iter_mut().enumerate() {
            while let Some(frame) = line.pop_front_if(|frame| frame.due <= now) {
                let small = frame.length.min(SMALL);
                let rest = frame.rest.as_deref().map_or(&[][..], |rest| &rest[..frame.length - small]);
                let _ = taps[1 - from].write(&[IoSlice::new(&frame.head[..small]), IoSlice::new(rest)]);
                heads.push(frame.head);
                rests.extend(frame.rest);
            }
        }
    }
}

/// A read's length; `None` where no frame waits.
fn got(read: io::Result<usize>) -> io::Result<Option<usize>> {
    match read {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn wait_again(epoll: &Epoll, ready: &mut [EpollEvent], timeout: Duration) -> io::Result<usize> {
    match wait(epoll, ready, timeout) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        other => other,
    }
}

/// Processor time of this thread: the first number of schedstat (Documentation/scheduler/sched-stats.rst).
fn cpu_ns() -> Option<u64> {
    super::child::schedstat("/proc/thread-self/schedstat".as_ref())
}
