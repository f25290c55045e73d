//! A program that runs in a host.

use std::fmt;
use std::io::{PipeReader, PipeWriter, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::connection::Connection;
use super::{Error, ErrorKind};
use crate::host;
use crate::run::owner::{Answer, Ask};

/// A program that runs in a host, as [`std::process::Child`].
///
/// Dropping it leaves the program running; it ends with the network at the latest.
pub struct Child {
    /// Its standard input, if that is a pipe.
    pub stdin: Option<PipeWriter>,
    /// Its standard output, if that is a pipe.
    pub stdout: Option<PipeReader>,
    /// Its standard error, if that is a pipe.
    pub stderr: Option<PipeReader>,
    connection: Arc<Connection>,
    number: u64,
    /// The program and its host, for messages.
    what: String,
    /// When its time is up, and how much that was.
    deadline: Option<(Instant, Duration)>,
    status: Option<ExitStatus>,
}

type Pipes = (Option<PipeWriter>, Option<PipeReader>, Option<PipeReader>);

impl Child {
    pub(super) fn new(
        connection: Arc<Connection>,
        number: u64,
        what: String,
        deadline: Option<(Instant, Duration)>,
        (stdin, stdout, stderr): Pipes,
    ) -> Child {
        Child { stdin, stdout, stderr, connection, number, what, deadline, status: None }
    }

    /// Waits for its end, after closing its standard input.
    ///
    /// # Errors
    /// Its time was up ([`ErrorKind::TimedOut`]; it has been killed then), or the network ended without telling how it did.
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        // A program that reads to the end of its input would otherwise wait for this process.
        drop(self.stdin.take());
        self.end()?.ok_or_else(|| self.timed_out(""))
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The network ended without telling.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.status.is_none() {
            self.status = self.connection.exit(self.number, Some(Instant::now()))?.map(status_of);
        }
        Ok(self.status)
    }

    /// Waits for its end, and takes what it writes to pipes until all who hold them have closed them.
    ///
    /// # Errors
    /// Those of [`Child::wait`]; what it wrote last is in the message then.
    pub fn wait_with_output(mut self) -> Result<Output, Error> {
        drop(self.stdin.take());
        let stdout = Gathered::start(self.stdout.take())?;
        let stderr = Gathered::start(self.stderr.take())?;
        let status = self.end()?;
        // What it has started may hold the pipes when it has ended.
        let in_time = stdout.wait(self.deadline) & stderr.wait(self.deadline);
        let (stdout, stderr) = (stdout.take(), stderr.take());
        match status {
            Some(status) if in_time => Ok(Output { status, stdout, stderr }),
            _ => {
                self.kill_all();
                Err(self.timed_out(&last_lines(&stdout, &stderr)))
            }
        }
    }

    /// Sends a signal to it and to what it has started (its process group); whether there was anybody to hear it.
    ///
    /// # Errors
    /// There is no such signal, or the network is not up any more.
    pub fn signal(&self, signal: i32) -> Result<bool, Error> {
        match self.connection.ask(Ask::Signal { program: self.number, signal }, &[])? {
            (_, Answer::Done(heard)) => Ok(heard),
            (_, Answer::Refused(reason)) => Err(Error::new(ErrorKind::Program, reason)),
            (_, Answer::Needs(_)) => Err(Error::new(ErrorKind::Machine, "the run asked for files")),
            (_, Answer::NotSpawned(error)) => Err(error.into()),
        }
    }

    /// Kills it and what it has started. One that has ended already is no error.
    ///
    /// # Errors
    /// The network is not up any more.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.signal(Signal::SIGKILL as i32).map(drop)
    }

    /// Waits for its end; `None` where its time was up, and it was killed.
    fn end(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.status.is_some() {
            return Ok(self.status);
        }
        match self.connection.exit(self.number, self.deadline.map(|(at, _)| at))? {
            Some(status) => {
                self.status = Some(status_of(status));
                Ok(self.status)
            }
            None => {
                self.kill_all();
                Ok(None)
            }
        }
    }

    fn kill_all(&mut self) {
        // Where that is not possible any more, all of it is gone.
        let _ = self.kill();
    }

    fn timed_out(&self, said: &str) -> Error {
        let after = self.deadline.map(|(_, timeout)| format!(" after {timeout:?}")).unwrap_or_default();
        let said = if said.is_empty() { String::new() } else { format!("; it said last:\n{said}") };
        Error::new(ErrorKind::TimedOut, format!("{} had not ended{after}, and was killed{said}", self.what))
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("what", &self.what).field("status", &self.status).finish_non_exhaustive()
    }
}

/// As wait(2) has it: the code in the second byte, a signal in the first.
fn status_of(status: host::ExitStatus) -> ExitStatus {
    ExitStatus::from_raw(match status {
        host::ExitStatus::Code(code) => (code & 0xff) << 8,
        host::ExitStatus::Signal(signal) => signal & 0x7f,
    })
}

/// What comes out of a pipe, read by a thread so that no program waits for another pipe to be read.
struct Gathered {
    bytes: Arc<Mutex<Vec<u8>>>,
    closed: Receiver<()>,
}

impl Gathered {
    fn start(pipe: Option<PipeReader>) -> Result<Gathered, Error> {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (sender, closed) = mpsc::channel();
        if let Some(mut pipe) = pipe {
            let bytes = Arc::clone(&bytes);
            let read = move || {
                let mut buffer = vec![0; 65_536];
                loop {
                    match pipe.read(&mut buffer) {
                        Ok(n) if n > 0 => {
                            bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..n]);
                        }
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        // With this thread the sender goes.
                        _ => return drop(sender),
                    }
                }
            };
            std::thread::Builder::new()
                .name("longwire-pipe".into())
                .spawn(read)
                .map_err(|e| Error::new(ErrorKind::Machine, format!("cannot start a thread: {e}")))?;
        }
        Ok(Gathered { bytes, closed })
    }

    /// Waits until the pipe is closed; `false` where the deadline passes first.
    fn wait(&self, deadline: Option<(Instant, Duration)>) -> bool {
        match deadline {
            None => self.closed.recv().is_err(),
            Some((at, _)) => {
                // What has ended in time has written in time.
                let left = at.saturating_duration_since(Instant::now()).max(Duration::from_millis(200));
                self.closed.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Disconnected)
            }
        }
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The last lines of both, for a message.
fn last_lines(stdout: &[u8], stderr: &[u8]) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn codes_and_signals_are_the_standard_librarys() {
        assert_eq!(status_of(host::ExitStatus::Code(28)).code(), Some(28));
        assert!(status_of(host::ExitStatus::Code(0)).success());
        let killed = status_of(host::ExitStatus::Signal(9));
        assert_eq!((killed.code(), killed.signal()), (None, Some(9)));
    }

    #[test]
    fn a_pipe_that_stays_open_is_waited_for_until_the_deadline() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let gathered = Gathered::start(Some(reader)).unwrap();
        writer.write_all(b"so far").unwrap();
        assert!(!gathered.wait(Some((Instant::now(), Duration::ZERO))));
        assert_eq!(gathered.take(), b"so far");
        drop(writer);
        assert!(gathered.wait(None));
        assert!(Gathered::start(None).unwrap().wait(None), "no pipe is a closed one");
    }

    #[test]
    fn a_message_has_the_end_of_what_was_said() {
        let many: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let told = last_lines(many.as_bytes(), b"and an error");
        assert!(told.ends_with("line 99\nand an error") && told.starts_with("line 91"), "{told}");
    }
}
