//! `longwire compose FILE --links LINKS`: the services of a Compose project, joined by impaired links. Their compose file stays as it is.

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
/// The project is up already (`docker compose up --detach`), and its compose file stays as it is. Each running service is a node of its
/// name, or several of one service `web-1`, `web-2`; LINKS is a scenario without these nodes: the links that join them, and whatever else a
/// scenario has. While the run lasts, services find each other by name over these links alone: their engine's network is closed between
/// them, and leads to everything else as before. It runs until Ctrl-C, or as long as LINKS says.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The compose file
    file: PathBuf,
    /// The scenario that joins the services
    #[arg(long, value_name = "LINKS")]
    links: PathBuf,
    /// The project, where it is not called as Compose would call it: by COMPOSE_PROJECT_NAME, by `name` in the file, or by its folder
    #[arg(long, short, value_name = "NAME")]
    project_name: Option<String>,
    /// Print the scenario that this comes to, and run nothing
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
        paint::note(&format!("note: the service `{service}` does not run, so it is no node\n"));
    }
    Ok(text(&name, &links, &members))
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
            Err(format!("the project's name `{name}` is for Compose to resolve: give it with --project-name"))
        }
        (None, Some(name)) => Ok(name.clone()),
        (None, None) => {
            let path = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
            let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
            let name = normalized(&folder.to_string_lossy());
            let lacking = || "the compose file's folder names no project: give its name with --project-name".to_owned();
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

fn text(project: &str, links: &Path, members: &[ComposeMember]) -> String {
    let mut text =
        format!("longwire: 1\nname: {}\nuse: {}\nnodes:\n", quoted(project), quoted(&links.display().to_string()));
    for ComposeMember { service, number, name } in members {
        let several = members.iter().filter(|other| other.service == *service).count() > 1;
        let node = if several { format!("{service}-{number}") } else { service.clone() };
        text += &format!(
            "  {}: {{ external: {{ container: {}, engine_network: closed }} }}\n",
            quoted(&node),
            quoted(name)
        );
    }
    text
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
        let text = text("shop", Path::new("/etc/shop/links.yaml"), &members);
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
