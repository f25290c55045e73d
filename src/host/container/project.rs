//! The containers of a Compose project, by the labels that Docker Compose and podman-compose give them (Compose specification,
//! "com.docker.compose").

use std::io;
use std::path::Path;

use serde::Deserialize;

use super::super::error::HostError;
use super::{ANSWERS_WITHIN, engines, first_that_knows, get, invalid, refusal};

const PROJECT: &str = "com.docker.compose.project";

/// A running container of a project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ComposeMember {
    /// Its service in the compose file.
    pub(crate) service: String,
    /// Which of the service's containers: from 1.
    pub(crate) number: u32,
    /// The container's name.
    pub(crate) name: String,
}

/// What an engine lists, as far as it is used here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    names: Vec<String>,
    #[serde(default)]
    labels: Labels,
}

#[derive(Debug, Default, Deserialize)]
struct Labels {
    #[serde(rename = "com.docker.compose.service")]
    service: Option<String>,
    #[serde(rename = "com.docker.compose.container-number")]
    number: Option<String>,
    /// `True` of containers of `docker compose run`.
    #[serde(rename = "com.docker.compose.oneoff")]
    oneoff: Option<String>,
}

/// The running containers of a project, in the order of its services' names.
///
/// # Errors
/// There is no engine, or none that may be asked (4); none has a running container of that project (2).
pub(crate) fn compose_members(project: &str) -> Result<Vec<ComposeMember>, HostError> {
    let doing = format!("find the containers of the project `{project}`");
    let engines = engines::here().map_err(|reason| HostError::lacking(&*doing, reason))?;
    let missing = (
        "has no running container of that project",
        "start it first: `docker compose up --detach`; or name it with --project-name, as `docker compose ls` shows it",
    );
    let target = target(project);
    let (_, members) = first_that_knows(&engines, &doing, missing, &target, |socket| list(socket, &target))?;
    Ok(members)
}

/// Asks one engine; `None` where it has none.
fn list(socket: &Path, target: &str) -> io::Result<Option<Vec<ComposeMember>>> {
    match get::get(socket, target, ANSWERS_WITHIN)? {
        (200, body) => Ok(Some(read(&body)?).filter(|members| !members.is_empty())),
        (status, body) => Err(refusal(status, &body)),
    }
}

/// Docker Engine API, ContainerList, with filters as JSON; a URL's query has no quotes and no braces (RFC 3986 §3.4).
fn target(project: &str) -> String {
    let filters = serde_json::json!({ "label": [format!("{PROJECT}={project}")] }).to_string();
    let encoded = filters.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    format!("/containers/json?filters={}", encoded.collect::<String>())
}

fn read(body: &[u8]) -> io::Result<Vec<ComposeMember>> {
    let wrong = |error| invalid(format!("its list of containers is not understood: {error}"));
    let listed: Vec<Listed> = serde_json::from_slice(body).map_err(wrong)?;
    let of_a_service =
        |listed: &Listed| !listed.labels.oneoff.as_ref().is_some_and(|one| one.eq_ignore_ascii_case("true"));
    let member = |Listed { names, labels }: Listed| {
        let name = names.first()?.trim_start_matches('/').to_owned();
        let number = labels.number.and_then(|number| number.parse().ok()).unwrap_or(1);
        Some(ComposeMember { service: labels.service?, number, name })
    };
    let mut members: Vec<ComposeMember> = listed.into_iter().filter(of_a_service).filter_map(member).collect();
    members.sort();
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_asked_for_by_its_label() {
        assert_eq!(
            target("shop-2"),
            "/containers/json?filters=%7B%22label%22%3A%5B%22com.docker.compose.project%3Dshop-2%22%5D%7D"
        );
    }

    #[test]
    fn services_are_read_from_labels() {
        let listed = |name: &str, labels: &[(&str, &str)]| {
            let labels: serde_json::Map<String, serde_json::Value> =
                labels.iter().map(|(key, value)| (format!("com.docker.compose.{key}"), (*value).into())).collect();
            serde_json::json!({ "Id": "x", "Names": [name], "State": "running", "Labels": labels })
        };
        let body = serde_json::json!([
            listed("/shop-web-2", &[("service", "web"), ("container-number", "2")]),
            listed("/shop-web-1", &[("service", "web"), ("container-number", "1")]),
            // podman-compose writes no number where there is one
            listed("database", &[("service", "db")]),
            listed("/stranger", &[]),
            listed("/shop-web-run-1", &[("service", "web"), ("container-number", "1"), ("oneoff", "True")]),
        ]);
        let members = read(body.to_string().as_bytes()).unwrap();
        let words: Vec<String> =
            members.iter().map(|member| format!("{} {} {}", member.service, member.number, member.name)).collect();
        assert_eq!(words, ["db 1 database", "web 1 shop-web-1", "web 2 shop-web-2"]);
        assert!(read(b"{}").is_err() && read(b"[]").unwrap().is_empty());
    }
}
