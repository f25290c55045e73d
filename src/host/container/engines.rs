//! Where container engines listen, as their own clients find it.
//!
//! Docker: `DOCKER_HOST`, then the context of `DOCKER_CONTEXT` or of config.json, then /var/run/docker.sock (docker(1), "docker
//! context"). Podman: `CONTAINER_HOST`, then podman.sock in the user's run-time directory, then in root's (podman-system-service(1)).

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

const DOCKER: &str = "/var/run/docker.sock";
const PODMAN: &str = "/run/podman/podman.sock";
/// The context that stands for no context.
const NO_CONTEXT: &str = "default";

/// An engine's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Engine {
    pub(crate) socket: PathBuf,
    /// What led there, in a word or two.
    pub(crate) from: &'static str,
}

/// Those of this process's environment.
///
/// # Errors
/// What it names is no Unix socket.
pub(super) fn here() -> Result<Vec<Engine>, String> {
    engines(&|variable| std::env::var(variable).ok())
}

/// All sockets on which an engine may listen, in the order in which they are asked. `variable` reads the environment. Where that
/// names an engine, no other is asked.
///
/// # Errors
/// What is named there is no Unix socket.
fn engines(variable: &impl Fn(&str) -> Option<String>) -> Result<Vec<Engine>, String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut engines = Vec::new();
    for name in ["DOCKER_HOST", "CONTAINER_HOST"] {
        if let Some(host) = set(name) {
            engines.push(Engine { socket: socket(name, &host)?, from: name });
        }
    }
    if !engines.is_empty() {
        return Ok(engines);
    }
    let folder = set("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| set("HOME").map(|home| Path::new(&home).join(".docker")));
    let docker = match folder.and_then(|folder| Some((context(&folder, set("DOCKER_CONTEXT"))?, folder))) {
        Some((context, folder)) => {
            let host = host_of(&folder, &context)
                .ok_or_else(|| format!("the Docker context `{context}` is not in {}", folder.display()))?;
            Engine { socket: socket(&format!("the Docker context `{context}`"), &host)?, from: "Docker context" }
        }
        None => Engine { socket: DOCKER.into(), from: "Docker" },
    };
    engines.push(docker);
    if let Some(folder) = set("XDG_RUNTIME_DIR") {
        engines.push(Engine { socket: Path::new(&folder).join("podman/podman.sock"), from: "Podman of this user" });
    }
    engines.push(Engine { socket: PODMAN.into(), from: "Podman" });
    Ok(engines)
}

/// The path in `unix:///path`.
fn socket(whose: &str, host: &str) -> Result<PathBuf, String> {
    let path = host.strip_prefix("unix://").map(PathBuf::from).filter(|path| path.is_absolute());
    path.ok_or_else(|| {
        format!(
            "{whose} names `{host}`: longwire enters containers of this machine alone, so expected a socket, as in \
             `unix://{DOCKER}`"
        )
    })
}

/// The context in use, if it is not the default.
fn context(folder: &Path, asked: Option<String>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        current_context: Option<String>,
    }
    let current =
        || serde_json::from_slice::<Config>(&fs::read(folder.join("config.json")).ok()?).ok()?.current_context;
    asked.or_else(current).filter(|context| !context.is_empty() && context != NO_CONTEXT)
}

/// Where a context's engine listens. Its folder is named by a hash of its name; what is in it says the name.
fn host_of(folder: &Path, context: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Meta {
        name: String,
        endpoints: Endpoints,
    }
    #[derive(Deserialize)]
    struct Endpoints {
        docker: Option<Endpoint>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Endpoint {
        host: String,
    }
    let folders = fs::read_dir(folder.join("contexts/meta")).ok()?.flatten();
    let mut metas = folders
        .filter_map(|folder| serde_json::from_slice::<Meta>(&fs::read(folder.path().join("meta.json")).ok()?).ok());
    metas.find(|meta| meta.name == context)?.endpoints.docker.map(|docker| docker.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        engines(&variable).map(|engines| engines.iter().map(|e| format!("{} {}", e.from, e.socket.display())).collect())
    }

    #[test]
    fn sockets_are_looked_for_in_the_clients_order() {
        assert_eq!(found(&[]).unwrap(), ["Docker /var/run/docker.sock", "Podman /run/podman/podman.sock"]);
        let own = found(&[("XDG_RUNTIME_DIR", "/run/user/1000"), ("DOCKER_HOST", "")]).unwrap();
        assert_eq!(own[1], "Podman of this user /run/user/1000/podman/podman.sock");
        assert_eq!(own.len(), 3);
        // what is named is meant
        let named = found(&[("DOCKER_HOST", "unix:///d.sock"), ("XDG_RUNTIME_DIR", "/run/user/1000")]).unwrap();
        assert_eq!(named, ["DOCKER_HOST /d.sock"]);
        let both = found(&[("CONTAINER_HOST", "unix:///p.sock"), ("DOCKER_HOST", "unix:///d.sock")]).unwrap();
        assert_eq!(both, ["DOCKER_HOST /d.sock", "CONTAINER_HOST /p.sock"]);
    }

    #[test]
    fn what_is_no_unix_socket_is_refused() {
        for (name, host) in [
            ("DOCKER_HOST", "tcp://127.0.0.1:2375"),
            ("DOCKER_HOST", "ssh://user@example.org"),
            ("CONTAINER_HOST", "unix://relative.sock"),
            ("CONTAINER_HOST", "/run/p.sock"),
        ] {
            let error = found(&[(name, host)]).unwrap_err();
            assert!(error.starts_with(&format!("{name} names `{host}`")), "{error}");
        }
    }

    #[test]
    fn a_docker_context_leads_to_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(".docker").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let meta = |name: &str, host: &str| {
            format!(
                r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
            )
        };
        write("contexts/meta/01ab/meta.json", &meta("rootless", "unix:///run/user/1000/docker.sock"));
        write("contexts/meta/02cd/meta.json", &meta("far", "ssh://example.org"));
        let first = |more: &[(&str, &str)]| found(&[&[("HOME", home)], more].concat()).map(|all| all[0].clone());
        assert_eq!(first(&[]).unwrap(), "Docker /var/run/docker.sock");
        write("config.json", r#"{"auths":{},"currentContext":"rootless"}"#);
        assert_eq!(first(&[]).unwrap(), "Docker context /run/user/1000/docker.sock");
        assert_eq!(first(&[("DOCKER_CONTEXT", "default")]).unwrap(), "Docker /var/run/docker.sock");
        assert!(first(&[("DOCKER_CONTEXT", "far")]).unwrap_err().contains("names `ssh://example.org`"));
        assert!(first(&[("DOCKER_CONTEXT", "none")]).unwrap_err().contains("`none` is not in"));
    }
}
