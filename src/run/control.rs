//! The control socket of a running network: how `longwire exec` and `longwire set` reach it.
//!
//! An abstract Unix socket, which lives exactly as long as the run: nothing is left in the file system. One request a
//! connection; only the run's own user and root are heard.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::host::{Identity, NamespaceFds, message};

/// What all names of control sockets begin with.
const PREFIX: &str = "longwire.run.";
/// A peer that says nothing for so long is not waited for: the run has other things to do.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a run can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The namespaces of a host, to run a program in it.
    Exec {
        /// The host's name.
        host: String,
    },
    /// A live change, as people write it: `wifi.loss=10%`.
    Set {
        /// One change an entry; they take effect at one instant.
        changes: Vec<String>,
    },
}

/// What a run answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The namespaces come beside it.
    Exec {
        /// Who programs run as.
        identity: Identity,
        /// The environment of programs.
        environment: Vec<(String, String)>,
    },
    /// Done: what changed, in words, one a direction.
    Set(Vec<String>),
    /// Not done, and why.
    Refused(String),
}

/// Why a run could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No run at all.
    #[error("no run of yours is up: start one with `longwire run FILE`")]
    NoRun,
    /// None of that name.
    #[error("no run is called `{name}`; up now: {}", known.join(", "))]
    NoSuchRun {
        /// As it was asked for.
        name: String,
        /// Those that are up.
        known: Vec<String>,
    },
    /// Several, and none was named.
    #[error("several runs are up, name one of them: {}", known.join(", "))]
    Several {
        /// Those that are up.
        known: Vec<String>,
    },
    /// The run refused.
    #[error("{0}")]
    Refused(String),
    /// It did not answer as a run does.
    #[error("the run `{run}` did not answer: {error}")]
    Silent {
        /// Its name.
        run: String,
        /// Why.
        error: io::Error,
    },
    /// The list of sockets cannot be read.
    #[error("cannot look for runs in /proc/net/unix: {0}")]
    Look(io::Error),
}

/// The run's end of its control socket.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    /// The run's name, as `exec` and `set` take it.
    pub name: String,
}

impl Control {
    /// Listens under `name` and this process's id.
    ///
    /// # Errors
    /// Those of binding a socket.
    pub fn listen(name: &str) -> io::Result<Control> {
        let name: String =
            name.chars().map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '-' }).collect();
        let name = format!("{}-{}", name.chars().take(60).collect::<String>(), std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(format!("{PREFIX}{name}"))?)?;
        listener.set_nonblocking(true)?;
        Ok(Control { listener, name })
    }

    /// The next request, if one waits. Peers that have no say here are turned away.
    pub fn accept(&self) -> Option<(Request, Peer)> {
        loop {
            // An error of one connection is that connection's matter.
            let (stream, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(_) => return None,
            };
            let patience = || {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))
            };
            if patience().is_err() {
                continue;
            }
            let peer = Peer { stream };
            if !peer.may_ask() {
                peer.answer(&Reply::Refused("this run belongs to another user".into()), &[]);
                continue;
            }
            match message::receive::<Request>(&peer.stream) {
                Ok(Some((request, _))) => return Some((request, peer)),
                Ok(None) => {}
                Err(error) => peer.answer(&Reply::Refused(format!("the request is not understood: {error}")), &[]),
            }
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Whoever asked.
#[derive(Debug)]
pub struct Peer {
    stream: UnixStream,
}

impl Peer {
    fn may_ask(&self) -> bool {
        getsockopt(&self.stream, PeerCredentials).is_ok_and(|peer| peer.uid() == 0 || peer.uid() == geteuid().as_raw())
    }

    /// Answers. A peer that is gone does not need it.
    pub fn answer(&self, reply: &Reply, fds: &[BorrowedFd<'_>]) {
        let _ = message::send(&self.stream, reply, fds);
    }
}

/// The runs that are up in this network namespace, by name.
///
/// # Errors
/// /proc/net/unix cannot be read.
pub fn runs() -> io::Result<Vec<String>> {
    let table = std::fs::read_to_string("/proc/net/unix")?;
    let mut runs: Vec<String> = names_in(&table);
    runs.sort();
    runs.dedup();
    Ok(runs)
}

fn names_in(table: &str) -> Vec<String> {
    table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(7)?.strip_prefix('@')?.strip_prefix(PREFIX).map(str::to_owned))
        .collect()
}

/// The run that `name` means: its whole name, its name without the process id, or the process id. Without a name, the
/// only one there is.
///
/// # Errors
/// None, several, or none of that name.
pub fn find(name: Option<&str>) -> Result<String, ControlError> {
    choose(runs().map_err(ControlError::Look)?, name)
}

fn choose(known: Vec<String>, name: Option<&str>) -> Result<String, ControlError> {
    if known.is_empty() {
        return Err(ControlError::NoRun);
    }
    let is_meant = |run: &&String| match name {
        None => true,
        Some(name) => {
            let (stem, pid) = run.rsplit_once('-').unwrap_or((run, ""));
            name == *run || name == stem || name == pid
        }
    };
    let meant: Vec<String> = known.iter().filter(is_meant).cloned().collect();
    match (meant.as_slice(), name) {
        ([run], _) => Ok(run.clone()),
        ([], Some(name)) => Err(ControlError::NoSuchRun { name: name.into(), known }),
        _ => Err(ControlError::Several { known: meant }),
    }
}

/// Asks a run, and returns its answer with the descriptors that came beside it.
///
/// # Errors
/// The run is gone, silent, or refuses.
pub fn ask(run: &str, request: &Request) -> Result<(Reply, Vec<OwnedFd>), ControlError> {
    let silent = |error| ControlError::Silent { run: run.into(), error };
    let connect = || UnixStream::connect_addr(&SocketAddr::from_abstract_name(format!("{PREFIX}{run}"))?);
    let stream = connect().map_err(silent)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(silent)?;
    message::send(&stream, request, &[]).map_err(silent)?;
    match message::receive::<Reply>(&stream).map_err(silent)? {
        Some((Reply::Refused(reason), _)) => Err(ControlError::Refused(reason)),
        Some(answer) => Ok(answer),
        None => Err(silent(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// What it takes to run a program in a host of a run.
#[derive(Debug)]
pub struct Entrance {
    /// The host.
    pub namespaces: NamespaceFds,
    /// Who programs run as.
    pub identity: Identity,
    /// The environment of programs.
    pub environment: Vec<(String, String)>,
}

/// Asks a run for a host: its namespaces, who programs run as, and their environment.
///
/// # Errors
/// The run is gone, silent, or refuses: there is no such host.
pub fn ask_for_host(run: &str, host: &str) -> Result<Entrance, ControlError> {
    let silent = |error| ControlError::Silent { run: run.into(), error };
    match ask(run, &Request::Exec { host: host.into() })? {
        (Reply::Exec { identity, environment }, fds) => {
            let namespaces = NamespaceFds::from_fds(fds).map_err(|e| silent(io::Error::other(e.to_string())))?;
            Ok(Entrance { namespaces, identity, environment })
        }
        _ => Err(silent(io::ErrorKind::InvalidData.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_in_the_kernels_table() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0: 00000002 00000000 00010000 0001 01 123 @longwire.run.quickstart-42\n\
            0: 00000003 00000000 00000000 0001 03 124\n\
            0: 00000002 00000000 00010000 0001 01 125 /run/longwire.run.no-1\n";
        assert_eq!(names_in(table), ["quickstart-42"]);
    }

    #[test]
    fn a_run_is_meant_by_its_name_its_stem_or_its_process() {
        let known = || vec!["a-1".to_owned(), "a-2".into(), "b-c-3".into()];
        let choose = |name| choose(known(), name).map_err(|e| e.to_string());
        assert_eq!(choose(Some("a-2")), Ok("a-2".into()));
        assert_eq!(choose(Some("b-c")), Ok("b-c-3".into()));
        assert_eq!(choose(Some("3")), Ok("b-c-3".into()));
        assert!(choose(Some("a")).unwrap_err().contains("a-1, a-2"));
        assert!(choose(Some("x")).unwrap_err().contains("b-c-3"));
        assert!(choose(None).unwrap_err().contains("name one"));
        assert!(matches!(super::choose(vec![], None), Err(ControlError::NoRun)));
    }

    #[test]
    fn a_request_is_answered_over_the_socket_and_strangers_are_not_waited_for() {
        let control = Control::listen("test of control").unwrap();
        assert!(control.accept().is_none());
        let name = control.name.clone();
        assert!(name.starts_with("test-of-control-"));
        let client = std::thread::spawn(move || {
            // says nothing, and goes
            drop(UnixStream::connect_addr(&SocketAddr::from_abstract_name(format!("{PREFIX}{name}")).unwrap()));
            ask(&name, &Request::Set { changes: vec!["x.loss=1%".into()] })
        });
        let (request, peer) = loop {
            match control.accept() {
                Some(accepted) => break accepted,
                None => std::thread::yield_now(),
            }
        };
        let Request::Set { changes } = request else { panic!("{request:?}") };
        assert_eq!(changes, ["x.loss=1%"]);
        peer.answer(&Reply::Refused("no link `x`".into()), &[]);
        let error = client.join().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "no link `x`");
    }
}
