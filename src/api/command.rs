//! Programs in hosts: what is to run, with what, and for how long.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::stdio::{Ends, Stream};
use super::{Child, Error, ErrorKind, Stdio};
use crate::host::Program;
use crate::run::owner::{Answer, Ask};

/// A program to be run in a host, put together as a [`std::process::Command`] is.
///
/// It gets this process's environment, `LONGWIRE_HOST_NAME` for each host's address and what else a scenario's programs
/// get; this process's working directory; and the user who this process belongs to, whoever longwire needs to be. It sees
/// the machine's file system, with the network's names in `/etc/hosts`. A program of the package under test is
/// `env!("CARGO_BIN_EXE_name")`. It ends with the network at the latest.
///
/// Names, arguments and variables are text in UTF-8.
#[derive(Debug)]
pub struct Command {
    host: Arc<InHost>,
    argv: Vec<OsString>,
    env: BTreeMap<OsString, Option<OsString>>,
    clear: bool,
    cwd: Option<PathBuf>,
    root: bool,
    timeout: Option<Duration>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
}

/// A host, as its programs know it.
pub(super) struct InHost {
    pub(super) name: String,
    pub(super) connection: Arc<Connection>,
    /// What programs get in their environment beyond this process's own.
    pub(super) environment: Arc<[(String, String)]>,
}

impl std::fmt::Debug for InHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Host").field(&self.name).finish()
    }
}

impl Command {
    pub(super) fn new(host: Arc<InHost>, program: OsString) -> Command {
        Command {
            host,
            argv: vec![program],
            env: BTreeMap::new(),
            clear: false,
            cwd: None,
            root: false,
            timeout: None,
            stdin: None,
            stdout: None,
            stderr: None,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.argv.push(arg.as_ref().into());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Command {
        self.argv.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.env.insert(name.as_ref().into(), Some(value.as_ref().into()));
        self
    }

    /// Sets variables of the environment.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Command {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Takes a variable out of the environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.env.insert(name.as_ref().into(), None);
        self
    }

    /// Takes everything out of the environment, what longwire adds included; later calls of [`Command::env`] add again.
    pub fn env_clear(&mut self) -> &mut Command {
        self.env.clear();
        self.clear = true;
        self
    }

    /// The working directory.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Command {
        self.cwd = Some(directory.as_ref().into());
        self
    }

    /// Runs it as the host's root instead of as the caller: `ip`, `tcpdump`.
    pub fn root(&mut self) -> &mut Command {
        self.root = true;
        self
    }

    /// Kills it, and what it has started, when it has not ended after this time. [`Command::status`], [`Command::output`]
    /// and [`Child::wait`] then fail with [`ErrorKind::TimedOut`]. By default there is no limit.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Command {
        self.timeout = Some(timeout);
        self
    }

    /// Standard input; by default [`Stdio::Null`].
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Command {
        self.stdin = Some(stdin.into());
        self
    }

    /// Standard output; by default [`Stdio::Inherit`], and [`Stdio::Piped`] for [`Command::output`].
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Command {
        self.stdout = Some(stdout.into());
        self
    }

    /// Standard error; by default as standard output.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Command {
        self.stderr = Some(stderr.into());
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// It cannot be executed ([`ErrorKind::Program`]); the network is not up any more.
    pub fn spawn(&mut self) -> Result<Child, Error> {
        self.start(|| Stdio::Inherit)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Those of [`Command::spawn`]; its time was up.
    pub fn status(&mut self) -> Result<ExitStatus, Error> {
        self.start(|| Stdio::Inherit)?.wait()
    }

    /// Runs it to its end and takes what it writes. That it fails is no error: see [`Output::status`].
    ///
    /// # Errors
    /// Those of [`Command::spawn`]; its time was up: the message then has what it wrote last.
    pub fn output(&mut self) -> Result<Output, Error> {
        self.start(|| Stdio::Piped)?.wait_with_output()
    }

    fn start(&mut self, otherwise: fn() -> Stdio) -> Result<Child, Error> {
        let program = self.program()?;
        let shown = program.argv.join(" ");
        let stdin = self.stdin.get_or_insert(Stdio::Null).open(Stream::In)?;
        // Not kept, so that `status` after `output` has its own.
        let opened = |stdio: &mut Option<Stdio>, stream| match stdio {
            Some(stdio) => stdio.open(stream),
            None => otherwise().open(stream),
        };
        let stdout = opened(&mut self.stdout, Stream::Out)?;
        let stderr = opened(&mut self.stderr, Stream::Err)?;
        let (mut ours, mut theirs) = ((None, None, None), Vec::new());
        for (ends, is_stdout) in [(stdin, false), (stdout, true), (stderr, false)] {
            match ends {
                Ends::None(fd) => theirs.push(fd),
                Ends::Writes(fd, writer) => {
                    theirs.push(fd);
                    ours.0 = Some(writer);
                }
                Ends::Reads(fd, reader) => {
                    theirs.push(fd);
                    *(if is_stdout { &mut ours.1 } else { &mut ours.2 }) = Some(reader);
                }
            }
        }
        let begun = Instant::now();
        let borrowed: Vec<_> = theirs.iter().map(AsFd::as_fd).collect();
        let ask = Ask::Spawn { host: self.host.name.clone(), program };
        match self.host.connection.ask(ask, &borrowed)? {
            (number, Answer::Done(_)) => {
                let deadline = self.timeout.map(|timeout| (begun + timeout, timeout));
                let what = format!("`{shown}` in {}", self.host.name);
                Ok(Child::new(Arc::clone(&self.host.connection), number, what, deadline, ours))
            }
            (_, Answer::NotSpawned(error)) => Err(error.into()),
            (_, Answer::Refused(reason)) => Err(Error::new(ErrorKind::Over, reason)),
            (_, Answer::Needs(_)) => Err(Error::new(ErrorKind::Machine, "the run asked for files")),
        }
    }

    /// As the hosts' side wants it: all text, the whole environment.
    fn program(&self) -> Result<Program, Error> {
        let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
        if !self.clear {
            // Those of another run, of which this process may be a program, are not this one's. What is no text stays
            // behind, as it does for a scenario's own programs.
            let own = std::env::vars_os().filter(|(name, value)| name.to_str().is_some() && value.to_str().is_some());
            env.extend(own.filter(|(name, _)| !name.to_string_lossy().starts_with("LONGWIRE_")));
            env.extend(self.host.environment.iter().map(|(name, value)| (name.into(), value.into())));
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => drop(env.insert(name.clone(), value.clone())),
                None => drop(env.remove(name)),
            }
        }
        let cwd = match &self.cwd {
            Some(directory) => std::path::absolute(directory),
            None => std::env::current_dir(),
        };
        let cwd = cwd.map_err(|e| Error::new(ErrorKind::Program, format!("cannot find the working directory: {e}")))?;
        Ok(Program {
            argv: self.argv.iter().map(|argument| text(argument)).collect::<Result<_, _>>()?,
            env: env
                .iter()
                .map(|(name, value)| Ok::<_, Error>((text(name)?, text(value)?)))
                .collect::<Result<_, _>>()?,
            cwd: Some(text(cwd.as_os_str())?),
            root: self.root,
        })
    }
}

fn text(given: &OsStr) -> Result<String, Error> {
    given.to_str().map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::Program, format!("cannot give a program `{}`: it is not UTF-8", given.to_string_lossy()))
    })
}
