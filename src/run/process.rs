//! Programs that run in the hosts: started, listened to, told to end.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use indexmap::IndexMap;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;

use super::out_dir::OutDir;
use super::output::Output;
use crate::host::{Event, ExitStatus, HostError, Init, ProgramId, Spawn, SpawnError, Stdio, What, open};
use crate::measured::ProcessReport;
use crate::units::{Duration, Instant};
use crate::workload::report::Line;

/// How long a program's output may stay open after its end, in the hands of a child that it left.
const LINGERING_OUTPUT: Duration = Duration::from_millis(200);

/// Why an output is cut.
const LIMIT: &str = "there is a limit for each program (docs/scenario.md)";

/// What the files of outputs lack.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    /// Files that could not be written.
    pub(super) unwritten: Vec<String>,
    /// Files that are not all of an output.
    pub(super) cut: Vec<String>,
}

/// All programs of a run.
pub(super) struct Processes {
    pub(super) init: Init,
    all: IndexMap<ProgramId, Process>,
    next: ProgramId,
    /// Ends of programs that were started past this, in their order.
    others: Vec<(ProgramId, ExitStatus)>,
    /// Interfaces of hosts that are gone, by host and position.
    gone: Vec<(String, usize)>,
}

/// A program.
pub(super) struct Process {
    pub(super) output: Output,
    /// The name of its output's file.
    log_name: String,
    /// What a built-in workload says on its standard output.
    lines: Option<Lines>,
    /// A built-in workload's standard input.
    control: Option<File>,
    pub(super) exit: Option<ExitStatus>,
    exited_at: Option<Instant>,
    /// How long its main thread was ready and waited for a processor, once it has ended and if the kernel tells.
    pub(super) waited: Option<Duration>,
}

/// What a built-in workload has said.
#[derive(Default)]
pub(super) struct Said {
    /// The port that a receiver is bound to.
    pub(super) port: Option<u16>,
    /// What it measured.
    pub(super) result: Option<ProcessReport>,
    /// Why there is no result.
    pub(super) error: Option<String>,
}

struct Lines {
    pipe: Option<File>,
    partial: Vec<u8>,
    said: Said,
}

/// How a program is started.
pub(super) struct Start<'a> {
    pub(super) host: &'a str,
    pub(super) what: What,
    /// The name of its output's file in the run's directory.
    pub(super) log_name: &'a str,
}

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// It could not be executed.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Its pipes or its output's file could not be made.
    #[error("cannot make its pipes: {0}")]
    Pipes(#[from] io::Error),
}

impl Processes {
    pub(super) fn new(init: Init) -> Processes {
        Processes { init, all: IndexMap::new(), next: 1, others: Vec::new(), gone: Vec::new() }
    }

    pub(super) fn start(&mut self, start: Start<'_>, out: Option<&OutDir>) -> Result<ProgramId, StartError> {
        let copy = out.map(|out| out.program_output(start.log_name)).transpose()?;
        let (read, write) = pipe()?;
        let mut process = Process {
            output: Output::new(read, copy),
            log_name: start.log_name.to_owned(),
            lines: None,
            control: None,
            exit: None,
            exited_at: None,
            waited: None,
        };
        let stdio = match start.what {
            What::Program(_) => Stdio { stdin: None, stdout: Some(write.try_clone()?), stderr: Some(write) },
            What::Builtin { .. } => {
                let (lines, stdout) = pipe()?;
                let (stdin, control) = io::pipe()?;
                process.lines = Some(Lines { pipe: Some(lines), partial: Vec::new(), said: Said::default() });
                process.control = Some(File::from(OwnedFd::from(control)));
                Stdio { stdin: Some(stdin.into()), stdout: Some(stdout), stderr: Some(write) }
            }
        };
        let id = self.next;
        self.next += 1;
        self.init.spawn(Spawn { id, host: start.host.into(), what: start.what, stdio })?;
        self.all.insert(id, process);
        Ok(id)
    }

    pub(super) fn get(&self, id: ProgramId) -> &Process {
        &self.all[&id]
    }

    pub(super) fn get_mut(&mut self, id: ProgramId) -> &mut Process {
        &mut self.all[&id]
    }

    /// Descriptors that become readable when a program says something.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.all.values().flat_map(|p| [p.output.fd(), p.lines.as_ref().and_then(Lines::fd)]).flatten()
    }

    /// Takes in what programs have said and which have ended.
    ///
    /// # Errors
    /// Init has ended, or a host's process 1.
    pub(super) fn take_in(&mut self, now: Instant) -> Result<(), HostError> {
        while let Some(event) = self.init.next_event()? {
            let (id, status, waited_ns) = match event {
                Event::Exited { id, status, waited_ns } => (id, status, waited_ns),
                Event::HostEnded { host } => return Err(HostError::host_ended(&host)),
                Event::InterfaceGone { host, interface } => {
                    self.gone.push((host, interface));
                    continue;
                }
            };
            match self.all.get_mut(&id) {
                Some(process) => {
                    process.exit = Some(status);
                    process.exited_at = Some(now);
                    process.waited = waited_ns.map(Duration::from_nanos);
                }
                None => self.others.push((id, status)),
            }
        }
        for process in self.all.values_mut() {
            process.read();
        }
        Ok(())
    }

    /// Which of the programs that the [`Init`] was asked for directly have ended since the last call.
    pub(super) fn take_others(&mut self) -> Vec<(ProgramId, ExitStatus)> {
        std::mem::take(&mut self.others)
    }

    /// Interfaces of hosts that were deleted or moved away since the last call.
    pub(super) fn take_gone(&mut self) -> Vec<(String, usize)> {
        std::mem::take(&mut self.gone)
    }

    /// Sends a signal to a program and its children. One that has ended already does not mind.
    pub(super) fn signal(&mut self, id: ProgramId, signal: Signal) {
        if self.all[&id].exit.is_none() {
            let _ = self.init.signal(id, signal);
        }
    }

    /// What of outputs could not be written to their files, and what there was no room for: a sentence each. All programs must have
    /// ended.
    pub(super) fn outputs_lacking(&mut self) -> Lacking {
        let mut lacking = Lacking::default();
        for process in self.all.values_mut() {
            process.output.close();
            let file = format!("programs/{}.log", process.log_name);
            if let Some(error) = process.output.copy_failed() {
                lacking.unwritten.push(format!("`{file}` could not be written: {}", open::plain(error)));
            }
            if process.output.cut() > 0 {
                lacking.cut.push(format!("`{file}` lacks {} bytes at its end: {LIMIT}", process.output.cut()));
            }
        }
        lacking
    }

    /// Programs that have not ended.
    pub(super) fn running(&self) -> Vec<ProgramId> {
        self.all.iter().filter(|(_, p)| p.exit.is_none()).map(|(id, _)| *id).collect()
    }
}

impl Process {
    fn read(&mut self) {
        // what cannot be read any more has ended
        let _ = self.output.read();
        if let Some(lines) = &mut self.lines {
            lines.read();
        }
    }

    /// Whether it has ended and all of its output is here.
    pub(super) fn is_done(&self, now: Instant) -> bool {
        let Some(at) = self.exited_at else { return false };
        let open = self.output.fd().is_some() || self.lines.as_ref().is_some_and(|l| l.pipe.is_some());
        !open || now - at > LINGERING_OUTPUT
    }

    /// What a built-in workload has said so far.
    pub(super) fn said(&self) -> Option<&Said> {
        self.lines.as_ref().map(|lines| &lines.said)
    }

    /// Tells a built-in workload something. One that has ended does not listen.
    pub(super) fn tell(&mut self, line: &str) {
        if let Some(control) = &mut self.control {
            let _ = control.write_all(format!("{line}\n").as_bytes());
        }
    }
}

impl Lines {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    fn read(&mut self) {
        let mut buffer = [0; 65_536];
        while let Some(pipe) = &mut self.pipe {
            match io::Read::read(pipe, &mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(n) => self.partial.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.said.error.get_or_insert(format!("its report cannot be read: {error}"));
                    self.pipe = None;
                }
            }
        }
        while let Some(end) = self.partial.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            match serde_json::from_slice::<Line>(&line) {
                Ok(Line::Ready { port }) => self.said.port = Some(port),
                Ok(Line::Progress(_)) => {}
                Ok(Line::Result(result)) => self.said.result = Some(result),
                Ok(Line::Error(error)) => self.said.error = Some(error),
                Err(error) => {
                    self.said.error.get_or_insert(format!("its report is not understood: {error}"));
                }
            }
        }
    }
}

/// A pipe whose reading end does not block.
fn pipe() -> io::Result<(File, OwnedFd)> {
    let (read, write) = io::pipe()?;
    fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((File::from(OwnedFd::from(read)), write.into()))
}
