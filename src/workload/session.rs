//! A workload's talk with its supervisor, and the one place where it waits: control lines on standard input, lines of
//! JSON on standard output, sockets and an absolute deadline.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::clock::now;
use super::error::Error;
use super::report::{Line, Progress};
use crate::measured::ProcessReport;

/// Time between two progress lines, a second in ns.
const PROGRESS: u64 = 1_000_000_000;
/// A control line is no longer than this.
const LONGEST_LINE: usize = 256;

/// What the supervisor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Come to an end and report; said twice, at once. The end of standard input says it once.
    Finish,
    /// The sender used this many sequence numbers.
    Sent(u64),
}

/// Which of the things waited for has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Woken {
    /// The socket is ready, or has an error to tell.
    pub(super) socket: bool,
    /// Standard input has something to read.
    pub(super) input: bool,
}

/// The two pipes and the timer.
#[derive(Debug)]
pub(super) struct Session<'fd> {
    input: Option<BorrowedFd<'fd>>,
    output: BorrowedFd<'fd>,
    pending: Vec<u8>,
    finishes: u32,
    timer: TimerFd,
    armed: Option<u64>,
    progress_at: u64,
}

impl<'fd> Session<'fd> {
    /// A session over standard input and output, or what stands for them.
    pub(super) fn new(input: BorrowedFd<'fd>, output: BorrowedFd<'fd>) -> Result<Session<'fd>, Error> {
        // The default slack of 50 µs would be part of every wait. It is this thread's alone; refusal costs precision only.
        let _ = prctl::set_timerslack(1);
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)
            .map_err(Error::resources("making a timer"))?;
        let progress_at = now().saturating_add(PROGRESS);
        Ok(Session { input: Some(input), output, pending: Vec::new(), finishes: 0, timer, armed: None, progress_at })
    }

    /// Waits until `deadline` (`CLOCK_MONOTONIC`), control input, what is asked of the socket, or the next progress line.
    ///
    /// `at` is the caller's last reading of the clock: in virtual time a further one would cost more than the wait itself. The
    /// deadline is a timer of its own, because poll's timeout may be 0.1 % late by design (select(2), "slack").
    pub(super) fn wait(
        &mut self,
        socket: Option<(BorrowedFd<'_>, PollFlags)>,
        deadline: Option<u64>,
        at: u64,
    ) -> Result<Woken, Error> {
        let deadline = deadline.unwrap_or(u64::MAX).min(self.progress_at);
        let past = deadline <= at;
        if !past && self.armed != Some(deadline) {
            let at = TimeSpec::new((deadline / 1_000_000_000) as i64, (deadline % 1_000_000_000) as i64);
            self.timer
                .set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
                .map_err(Error::resources("setting a timer"))?;
            self.armed = Some(deadline);
        }
        let timer = self.timer.as_fd();
        let (input, input_events) = self.input.map_or((timer, PollFlags::empty()), |fd| (fd, PollFlags::POLLIN));
        let (socket, socket_events) = socket.unwrap_or((timer, PollFlags::empty()));
        let mut fds = [
            PollFd::new(timer, PollFlags::POLLIN),
            PollFd::new(input, input_events),
            PollFd::new(socket, socket_events),
        ];
        match poll(&mut fds, if past { PollTimeout::ZERO } else { PollTimeout::NONE }) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Woken::default()),
            Err(errno) => return Err(Error::resources("waiting")(errno)),
        }
        let any = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        Ok(Woken { input: input_events != PollFlags::empty() && any(&fds[1]), socket: any(&fds[2]) })
    }

    /// Reads the control lines that [`Session::wait`] saw coming.
    pub(super) fn commands(&mut self, mut each: impl FnMut(Command)) -> Result<(), Error> {
        let Some(input) = self.input else { return Ok(()) };
        let mut buffer = [0; LONGEST_LINE];
        match nix::unistd::read(input, &mut buffer) {
            Err(Errno::EINTR | Errno::EAGAIN) => return Ok(()),
            // A broken input is as good as its end.
            Ok(0) | Err(_) => {
                self.input = None;
                // A last line may lack its end; the end of input by itself asks to finish, once.
                if !self.pending.is_empty() {
                    self.pending.push(b'\n');
                }
                self.lines(&mut each)?;
                if self.finishes == 0 {
                    self.finishes = 1;
                    each(Command::Finish);
                }
                return Ok(());
            }
            Ok(n) => self.pending.extend_from_slice(&buffer[..n]),
        }
        self.lines(&mut each)
    }

    fn lines(&mut self, each: &mut impl FnMut(Command)) -> Result<(), Error> {
        while let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if line.is_empty() {
                continue;
            }
            let command = match line.strip_prefix("sent ").map(|n| n.trim().parse()) {
                Some(Ok(n)) => Command::Sent(n),
                None if line == "finish" => Command::Finish,
                _ => return Err(Error::Control(line)),
            };
            if command == Command::Finish {
                self.finishes += 1;
            }
            each(command);
        }
        if self.pending.len() > LONGEST_LINE {
            return Err(Error::Control(String::from_utf8_lossy(&self.pending[..40]).into_owned()));
        }
        Ok(())
    }

    /// Whether it was told to finish, be it by the end of standard input.
    pub(super) fn finishing(&self) -> bool {
        self.finishes > 0
    }

    /// Whether it was told a second time, which means at once.
    pub(super) fn at_once(&self) -> bool {
        self.finishes > 1
    }

    /// Writes a progress line if a second has passed since the last. One that would block is left out: nothing may hold
    /// up the measurement.
    pub(super) fn progress(&mut self, now: u64, progress: impl FnOnce() -> Progress) -> Result<(), Error> {
        if now < self.progress_at {
            return Ok(());
        }
        // On its own schedule, but never in a burst after a stall.
        self.progress_at += ((now - self.progress_at) / PROGRESS + 1) * PROGRESS;
        let mut fds = [PollFd::new(self.output, PollFlags::POLLOUT)];
        match poll(&mut fds, PollTimeout::ZERO) {
            Ok(1) => self.line(&Line::Progress(progress())),
            _ => Ok(()),
        }
    }

    /// Tells that what is sent to `port` from now on is heard.
    pub(super) fn ready(&self, port: u16) -> Result<(), Error> {
        self.line(&Line::Ready { port })
    }

    /// Writes the last line of a workload that did its job.
    pub(super) fn result(&self, report: ProcessReport) -> Result<(), Error> {
        self.line(&Line::Result(report))
    }

    fn line(&self, line: &Line) -> Result<(), Error> {
        write_line(self.output, line)
    }
}

/// Writes one line of JSON in full.
pub(super) fn write_line(output: BorrowedFd<'_>, line: &Line) -> Result<(), Error> {
    let mut text = serde_json::to_vec(line).expect("reports have string keys and no failing serializer");
    text.push(b'\n');
    let mut rest = &text[..];
    while !rest.is_empty() {
        match nix::unistd::write(output, rest) {
            Ok(n) => rest = &rest[n..],
            Err(Errno::EINTR) => {}
            // Whoever gave us the pipe may have made it non-blocking.
            Err(Errno::EAGAIN) => {
                let mut fds = [PollFd::new(output, PollFlags::POLLOUT)];
                let _ = poll(&mut fds, PollTimeout::NONE);
            }
            Err(errno) => return Err(Error::Output(errno)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};

    use super::*;

    fn commands(session: &mut Session<'_>) -> Result<Vec<Command>, Error> {
        let mut all = Vec::new();
        if session.wait(None, Some(0), 0)?.input {
            session.commands(|c| all.push(c))?;
        }
        Ok(all)
    }

    #[test]
    fn control_lines_come_in_pieces_and_the_end_finishes_once() {
        let (input, mut control) = pipe().unwrap();
        let (_out, output) = pipe().unwrap();
        let mut session = Session::new(input.as_fd(), output.as_fd()).unwrap();
        assert_eq!(commands(&mut session), Ok(vec![]));
        control.write_all(b"sent 1").unwrap();
        assert_eq!(commands(&mut session), Ok(vec![]));
        control.write_all(b"2\n\nsent 7\n").unwrap();
        assert_eq!(commands(&mut session), Ok(vec![Command::Sent(12), Command::Sent(7)]));
        assert!(!session.finishing());
        drop(control);
        assert_eq!(commands(&mut session), Ok(vec![Command::Finish]));
        assert!(session.finishing() && !session.at_once());
        assert_eq!(commands(&mut session), Ok(vec![]));
    }

    #[test]
    fn finish_twice_means_at_once_and_the_end_adds_nothing() {
        let (input, mut control) = pipe().unwrap();
        let (_out, output) = pipe().unwrap();
        let mut session = Session::new(input.as_fd(), output.as_fd()).unwrap();
        control.write_all(b"finish\n").unwrap();
        assert_eq!(commands(&mut session), Ok(vec![Command::Finish]));
        assert!(!session.at_once());
        control.write_all(b"finish").unwrap();
        drop(control);
        assert_eq!(commands(&mut session), Ok(vec![]));
        assert_eq!(commands(&mut session), Ok(vec![Command::Finish]));
        assert!(session.at_once());
    }

    #[test]
    fn other_lines_are_errors() {
        for line in ["sent x\n", "sent\n", "stop\n", &"x".repeat(300)] {
            let (input, mut control) = pipe().unwrap();
            let (_out, output) = pipe().unwrap();
            let mut session = Session::new(input.as_fd(), output.as_fd()).unwrap();
            control.write_all(line.as_bytes()).unwrap();
            let _ = commands(&mut session).and_then(|_| commands(&mut session)).unwrap_err();
        }
    }

    #[test]
    fn waiting_ends_at_the_deadline_or_with_input() {
        let (input, mut control) = pipe().unwrap();
        let (_out, output) = pipe().unwrap();
        let mut session = Session::new(input.as_fd(), output.as_fd()).unwrap();
        let deadline = now() + 3_000_000;
        assert_eq!(session.wait(None, Some(deadline), now()).unwrap(), Woken::default());
        assert!(now() >= deadline);
        assert_eq!(session.wait(None, Some(1), 0).unwrap(), Woken::default(), "a deadline that is past");
        control.write_all(b"finish\n").unwrap();
        assert_eq!(session.wait(None, None, now()).unwrap(), Woken { input: true, socket: false });
    }

    #[test]
    fn a_full_pipe_costs_progress_lines_and_a_broken_one_is_told() {
        let (input, _control) = pipe().unwrap();
        let (mut reader, output) = pipe().unwrap();
        let mut session = Session::new(input.as_fd(), output.as_fd()).unwrap();
        let mut at = session.progress_at;
        session.progress(at - 1, || panic!("not yet")).unwrap();
        for _ in 0..10_000 {
            session.progress(at, Progress::default).unwrap();
            at += PROGRESS;
        }
        let mut buffer = [0; 10];
        reader.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"{\"progress");
        drop(reader);
        assert_eq!(session.ready(1), Err(Error::Output(Errno::EPIPE)));
    }
}
