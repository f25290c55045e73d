//! Containers by name: their engine, Docker or Podman, is asked over its socket which process a container is.
//!
//! Both answer `GET /containers/NAME/json` alike (Docker Engine API, ContainerInspect; Podman's compatible API). A process number
//! may be a stranger's by the time it is used, so the engine is asked again once the process is held.

mod engines;
mod get;
mod interior;
mod names;
mod project;
mod user;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use self::engines::Engine;
pub(crate) use self::interior::MEASURES;
pub use self::interior::{Facts, Interior};
pub(crate) use self::names::{Names, take_away};
pub(crate) use self::project::{ComposeMember, compose_members};
use super::error::{Cause, HostError};
use super::namespace;
use super::open::{Expected, open, plain};
use super::peer;
use super::presence::{has_ended, open_process};

/// How long an engine may take to answer: before a run, and in the middle of one, which waits meanwhile.
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
pub(crate) const ANSWERS_AGAIN_WITHIN: Duration = Duration::from_secs(1);

/// A running container.
#[derive(Debug)]
pub(crate) struct Container {
    /// Its first process: readable when that has ended.
    pub(crate) process: OwnedFd,
    pub(crate) network: OwnedFd,
    /// The file that is its /etc/hosts; `None` where its engine keeps none for it.
    pub(crate) hosts: Option<PathBuf>,
    /// Its addresses in its engine's networks.
    pub(crate) addresses: Vec<IpAddr>,
    /// Its number, as this process's /proc has it.
    pub(crate) pid: u32,
    config: Config,
}

/// What an engine says of a container, as far as it is used here.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    id: String,
    state: State,
    #[serde(default)]
    hosts_path: String,
    #[serde(default)]
    config: Config,
    #[serde(default)]
    network_settings: NetworkSettings,
}

/// Where it is in its engine's networks.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Endpoint>>,
}

/// An address that it does not have is an empty text.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
struct Endpoint {
    #[serde(rename = "IPAddress")]
    v4: String,
    #[serde(rename = "GlobalIPv6Address")]
    v6: String,
}

/// How its programs are started.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    user: String,
    env: Option<Vec<String>>,
    working_dir: String,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(default)]
    status: String,
    running: bool,
    /// 0 where it does not run.
    pid: u32,
}

/// Finds a running container by its name or id.
///
/// # Errors
/// There is no engine, or none that may be asked (4); no such container, or it does not run (2); its network is this machine's.
pub(crate) fn find(name: &str, within: Duration) -> Result<Container, HostError> {
    let engines = engines::here().map_err(|reason| HostError::lacking(doing(name), reason))?;
    let (engine, answer) = ask_all(&engines, name, within)?;
    let process = hold(name, &answer)?;
    // Still the same: so the number was the container's when it was taken.
    let again =
        ask(&engine.socket, name, within).map_err(|error| failed(&doing(name), engine, &target(name), &error))?;
    let network = format!("/proc/{}/ns/net", answer.state.pid);
    let opened = open(Path::new(&network), Expected::Namespace);
    if again.as_ref() != Some(&answer) || has_ended(&process) {
        return Err(not_running(name, "it ended at that moment"));
    }
    let network = opened.map_err(|error| {
        HostError::os(format!("open the network namespace of the container `{name}`"), error)
            .cure("it belongs to somebody else: run with sudo")
    })?;
    let own = namespace::own("net").map_err(|e| HostError::os(doing(name), e))?;
    if peer::is_same(own.as_fd(), network.as_fd()).map_err(|e| HostError::os(doing(name), e))? {
        return Err(HostError::input(doing(name), "its network is the machine's own (`--network host`)")
            .cure("start it with a network of its own, such as `--network none`"));
    }
    let hosts = Some(PathBuf::from(&answer.hosts_path)).filter(|path| path.is_absolute());
    let addresses = answer.addresses();
    Ok(Container { process, network: network.into(), hosts, addresses, pid: answer.state.pid, config: answer.config })
}

/// The addresses of a container in its engine's networks; none where it does not run, or is not known.
///
/// # Errors
/// Its engine cannot be asked.
pub(crate) fn addresses(name: &str, within: Duration) -> Result<Vec<IpAddr>, HostError> {
    let engines = engines::here().map_err(|reason| HostError::lacking(doing(name), reason))?;
    match ask_all(&engines, name, within) {
        Ok((_, answer)) => Ok(answer.addresses()),
        Err(error) if error.cause == Cause::Input => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl Answer {
    fn addresses(&self) -> Vec<IpAddr> {
        let endpoints = self.network_settings.networks.iter().flatten();
        endpoints.flat_map(|(_, endpoint)| [&endpoint.v4, &endpoint.v6]).filter_map(|text| text.parse().ok()).collect()
    }
}

fn doing(name: &str) -> String {
    format!("reach the container `{name}`")
}

/// What is told of a container that does not run.
pub(crate) fn not_running(name: &str, reason: impl Into<String>) -> HostError {
    HostError::input(doing(name), reason).cure("start it first: `docker start`, `podman start`")
}

/// Asks engines until one knows the container.
fn ask_all<'e>(engines: &'e [Engine], name: &str, within: Duration) -> Result<(&'e Engine, Answer), HostError> {
    let missing = ("has no container of that name", "name one that `docker ps` or `podman ps` shows");
    let target = target(name);
    first_that_knows(engines, &doing(name), missing, &target, |socket| ask(socket, name, within))
}

/// Asks engines until one knows what is looked for. `missing`: what an engine says that does not, and how to go on; `target`: what
/// it is asked for.
fn first_that_knows<'e, T>(
    engines: &'e [Engine],
    doing: &str,
    (missing, cure): (&str, &str),
    target: &str,
    ask: impl Fn(&Path) -> io::Result<Option<T>>,
) -> Result<(&'e Engine, T), HostError> {
    let (mut asked, mut closed, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for engine in engines {
        let socket = engine.socket.display();
        match ask(&engine.socket) {
            Ok(Some(answer)) => return Ok((engine, answer)),
            Ok(None) => asked.push(socket.to_string()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                absent.push(format!("{socket} ({})", engine.from));
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => closed.push(socket.to_string()),
            Err(error) => return Err(failed(doing, engine, target, &error)),
        }
    }
    let closed = closed.join(" and ");
    if !asked.is_empty() {
        let beside =
            if closed.is_empty() { String::new() } else { format!(", and {closed} may not be asked by this user") };
        let reason = format!("the engine at {} {missing}{beside}", asked.join(" and "));
        return Err(HostError::input(doing, reason).cure(cure));
    }
    if !closed.is_empty() {
        let reason = format!("this user may not ask the engine at {closed}");
        return Err(HostError::lacking(doing, reason)
            .cure("run with sudo, or join the group of that socket (`docker`, as a rule)"));
    }
    let reason = format!("no container engine is there: looked for {}", absent.join(", "));
    Err(HostError::lacking(doing, reason).cure(
        "start Docker, or Podman's service (`systemctl start podman.socket`, with `--user` for your own containers), or set DOCKER_HOST",
    ))
}

fn failed(doing: &str, engine: &Engine, target: &str, error: &io::Error) -> HostError {
    let socket = engine.socket.display();
    HostError::lacking(doing, format!("the engine at {socket}: {}", plain(error)))
        .cure(format!("see what `curl --unix-socket {socket} 'http://d{target}'` says"))
}

/// What an engine is asked for about a container.
fn target(name: &str) -> String {
    format!("/containers/{name}/json")
}

/// Asks one engine; `None` where it has no such container.
fn ask(socket: &Path, name: &str, within: Duration) -> io::Result<Option<Answer>> {
    match get::get(socket, &target(name), within)? {
        (200, body) => {
            let wrong = |error| invalid(format!("it describes the container in a way that is not understood: {error}"));
            serde_json::from_slice(&body).map(Some).map_err(wrong)
        }
        (404, _) => Ok(None),
        (status, body) => Err(refusal(status, &body)),
    }
}

/// What an engine says about a request that it refuses: `{"message": …}`.
fn refusal(status: u16, body: &[u8]) -> io::Error {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let reason =
        serde_json::from_slice(body).map_or_else(|_| String::new(), |Refusal { message }| format!(": {message}"));
    invalid(format!("it answered {status}{reason}"))
}

fn invalid(text: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}

/// Takes hold of its process.
fn hold(name: &str, answer: &Answer) -> Result<OwnedFd, HostError> {
    let State { status, running, pid } = &answer.state;
    if !running || *pid == 0 {
        let status = if status.is_empty() { "not running" } else { status };
        return Err(not_running(name, format!("it is {status}")));
    }
    let process = i32::try_from(*pid).ok().map_or(Err(io::ErrorKind::NotFound.into()), open_process);
    process.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOSYS) => HostError::os(doing(name), error).cure("it takes Linux 5.3 or later"),
        _ => {
            let reason = format!("its engine says that it is process {pid}, and no such process is here");
            HostError::lacking(doing(name), reason)
                .cure("run longwire where the engine runs: outside of containers, and inside of its virtual machine")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: &str = include_str!("../../../tests/fixtures/containers/podman-created.json");
    const RUNNING: &str = include_str!("../../../tests/fixtures/containers/docker-running.json");

    #[test]
    fn answers_of_both_engines_are_read() {
        let created: Answer = serde_json::from_str(CREATED).unwrap();
        assert_eq!((created.state.running, created.state.pid, created.hosts_path.as_str()), (false, 0, ""));
        let error = hold("web", &created).unwrap_err();
        assert!(error.cause == Cause::Input && error.reason == "it is created", "{error}");
        assert_eq!(created.config.user, "1000:1000");
        let running: Answer = serde_json::from_str(RUNNING).unwrap();
        assert!(running.state.running && running.state.pid == 4711 && running.hosts_path.ends_with("/hosts"));
        for wrong in ["", "[]", "{}", r#"{"Id":"x","State":{"Running":true,"Pid":-1}}"#, "<html>"] {
            assert!(serde_json::from_str::<Answer>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_process_that_is_not_here_is_elsewhere() {
        // beyond the greatest number of a process (proc(5), pid_max)
        let answer = |pid| Answer {
            id: "x".into(),
            state: State { status: "running".into(), running: true, pid },
            hosts_path: String::new(),
            config: Config::default(),
            network_settings: NetworkSettings::default(),
        };
        for pid in [1 << 23, u32::MAX] {
            let error = hold("web", &answer(pid)).unwrap_err();
            assert!(error.cause == Cause::Machine && error.reason.contains("no such process"), "{error}");
        }
        assert!(hold("web", &answer(std::process::id())).is_ok());
    }

    #[test]
    fn where_no_engine_is_the_error_names_what_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine { socket: folder.path().join("none.sock"), from: "DOCKER_HOST" };
        let error = ask_all(&[engine], "web", ANSWERS_WITHIN).unwrap_err();
        assert!(error.cause == Cause::Machine && error.to_string().contains("none.sock (DOCKER_HOST)"), "{error}");
    }
}
