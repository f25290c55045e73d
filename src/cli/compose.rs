//! `longwire compose FILE --links LINKS`: the services of a Compose project, joined by impaired links. Their compose file stays as it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::link::{ReportArgs, quoted};
use super::{Exit, paint, run};
use crate::diag::printable::Printable;
use crate::host::{Cause, ComposeMember, compose_members};
use crate::language::files::{FileKind, Files as _};
use crate::run::Remembering;

/// What the scenario is called in messages.
const NAME: &str = "<compose>";

/// Join the services of a Compose project by impaired links
///
/// The project must be running (`docker compose up --detach`); its compose file is not changed. Each running service becomes a node of
/// the same name; a service with several containers becomes `web-1`, `web-2`. LINKS is a scenario without these nodes: the links between
/// them, and anything else a scenario may have. During the run, services reach each other by name over these links only; the engine's
/// own network still leads to everything else. Runs until Ctrl-C, or for the `duration` in LINKS.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The compose file
    file: PathBuf,
    /// The scenario that joins the services
    #[arg(long, value_name = "LINKS")]
    links: PathBuf,
    /// The project's name. Default: COMPOSE_PROJECT_NAME, else `name` in the compose file, else the file's folder
    #[arg(long, short, value_name = "NAME")]
    project_name: Option<String>,
    /// Print the resulting scenario and exit
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    report: ReportArgs,
}

/// A compose file, as far as it is used here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Project {
    name: Option<String>,
    services: IndexMap<String, IgnoredAny>,
}

/// Returns the exit code.
pub(super) fn main(args: &Args) -> i32 {
    match scenario(args) {
        Ok(text) if args.print => {
            paint::print(&Printable::lines(&text));
            Exit::Pass as i32
        }
        Ok(text) => run::made(NAME, text, &args.report.run(NAME), None),
        Err((wrong, exit)) => {
            paint::complain(&wrong);
            exit as i32
        }
    }
}

fn scenario(args: &Args) -> Result<String, (String, Exit)> {
    let wrong = |reason: String| (reason, Exit::Input);
    let project = read(&args.file).map_err(wrong)?;
    let name = name(args, &project).map_err(wrong)?;
    let links =
        std::path::absolute(&args.links).map_err(|e| wrong(format!("cannot find {}: {e}", args.links.display())))?;
    let members = compose_members(&name).map_err(|error| match error.cause {
        Cause::Input => wrong(error.to_string()),
        _ => (error.to_string(), Exit::Machine),
    })?;
    for service in project.services.keys().filter(|service| members.iter().all(|member| member.service != **service)) {
        paint::note(&format!("note: the service `{service}` does not run, so it gets no node: start it first\n"));
    }
    text(&name, &links, &members).map_err(wrong)
}

fn read(file: &Path) -> Result<Project, String> {
    let cannot = |reason: String| format!("cannot read {}: {reason}", file.display());
    let text = Remembering::new(None).read(file, FileKind::Scenario).map_err(cannot)?;
    let project: Project = serde_saphyr::from_str(&text).map_err(|error| cannot(error.to_string()))?;
    match project.services.is_empty() {
        true => Err(format!("{} has no `services`: expected a compose file", file.display())),
        false => Ok(project),
    }
}

/// What Compose calls the project (Compose specification, "Version and name top-level elements").
fn name(args: &Args, project: &Project) -> Result<String, String> {
    let set = std::env::var("COMPOSE_PROJECT_NAME").ok().filter(|name| !name.is_empty());
    match (args.project_name.clone().or(set), &project.name) {
        (Some(name), _) => Ok(name),
        (None, Some(name)) if name.contains('$') => {
            Err(format!("longwire does not expand the project's name `{name}`: write --project-name NAME"))
        }
        (None, Some(name)) => Ok(name.clone()),
        (None, None) => {
            let path = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
            let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
            let name = normalized(&folder.to_string_lossy());
            let lacking = || "the compose file's folder gives no project name: write --project-name NAME".to_owned();
            Some(name).filter(|name| !name.is_empty()).ok_or_else(lacking)
        }
    }
}

/// A folder's name as a project's: lower case, of letters, digits, `_` and `-`, and not one of the last two first.
fn normalized(folder: &str) -> String {
    let usual = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let name: String = folder.to_lowercase().chars().filter(|c| usual(*c)).collect();
    name.trim_start_matches(['_', '-']).to_owned()
}

fn text(project: &str, links: &Path, members: &[ComposeMember]) -> Result<String, String> {
    let mut text =
        format!("longwire: 1\nname: {}\nuse: {}\nnodes:\n", quoted(project), quoted(&links.display().to_string()));
    let mut nodes: BTreeMap<String, &str> = BTreeMap::new();
    for ComposeMember { service, number, name } in members {
        let several = members.iter().filter(|other| other.service == *service).count() > 1;
        let node = node(&if several { format!("{service}-{number}") } else { service.clone() });
        if let Some(other) = nodes.insert(node.clone(), name) {
            return Err(format!(
                "the containers `{other}` and `{name}` would both be the node `{node}`: rename one of their services"
            ));
        }
        text += &format!(
            "  {}: {{ external: {{ container: {}, engine_network: closed }} }}\n",
            quoted(&node),
            quoted(name)
        );
    }
    Ok(text)
}

/// A service's name as a node's, which has no `.` and does not begin with `_` or `-`.
fn node(service: &str) -> String {
    let usual = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
    service.chars().map(usual).collect::<String>().trim_start_matches(['_', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;

    fn member(service: &str, number: u32) -> ComposeMember {
        ComposeMember { service: service.into(), number, name: format!("shop-{service}-{number}") }
    }

    #[test]
    fn services_become_nodes() {
        let members = [member("db", 1), member("web", 1), member("web", 2)];
        let text = text("shop", Path::new("/etc/shop/links.yaml"), &members).unwrap();
        assert_eq!(
            text,
            "longwire: 1\nname: \"shop\"\nuse: \"/etc/shop/links.yaml\"\nnodes:\n  \
             \"db\": { external: { container: \"shop-db-1\", engine_network: closed } }\n  \
             \"web-1\": { external: { container: \"shop-web-1\", engine_network: closed } }\n  \
             \"web-2\": { external: { container: \"shop-web-2\", engine_network: closed } }\n"
        );
        let links = "nodes: { lan: switch }\nlinks:\n  a: { ends: [db, lan], delay: 5ms }\n  b: { ends: [web-1, lan] }\n  \
                     c: { ends: [web-2, lan] }\n";
        let files = MemoryFiles::one(NAME, &text).with("/etc/shop/links.yaml", links);
        let read = crate::scenario::load(Path::new(NAME), &files, &Default::default());
        assert!(read.is_ok(), "{:?}", read.err().map(|(told, _)| told));
    }

    #[test]
    fn nodes_have_names_of_their_own() {
        let text = |members: &[ComposeMember]| super::text("shop", Path::new("l"), members);
        assert!(text(&[member("_my.api", 1)]).unwrap().contains("  \"my-api\": "));
        let told = text(&[member("web", 1), member("web", 2), member("web-1", 1)]).unwrap_err();
        assert!(told.contains("would both be the node `web-1`"), "{told}");
    }

    #[test]
    fn folders_name_projects_as_compose_has_them() {
        for (folder, project) in [("shop", "shop"), ("My Shop_2", "myshop_2"), ("--x.y", "xy"), ("…", "")] {
            assert_eq!(normalized(folder), project, "{folder}");
        }
    }

    #[test]
    fn compose_files_are_read_for_their_services_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("compose.yaml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            super::read(&path)
        };
        let project = read(
            "name: shop\nx-common: &common\n  restart: always\nservices:\n  web:\n    <<: *common\n    image: nginx\n    \
             ports: [\"8080:80\"]\n    command: [\"a\", 1, true, null]\n  db: { image: postgres, environment: { A: \"$B\" } }\n\
             networks: { default: {} }\n",
        );
        let project = project.unwrap();
        assert_eq!(project.services.keys().collect::<Vec<_>>(), ["web", "db"]);
        assert_eq!(project.name.as_deref(), Some("shop"));
        assert!(read("links: {}\n").unwrap_err().contains("has no `services`"));
        assert!(read("services: [").unwrap_err().contains("cannot read"));
    }
}
