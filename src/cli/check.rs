//! `longwire check FILE…`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::input::{self, OverrideArgs, Source};
use super::{Exit, paint};
use crate::diag::printable::Printable;
use crate::diag::{Diagnostics, Severity, Sources};
use crate::draw::summary::{self, Mistake, Summary};
use crate::language::files::Files;
use crate::scenario::{Overrides, listing, load};
use crate::suite;
use crate::tasks::resolved::Resolved;

/// Check scenarios without running anything
///
/// Prints all that is wrong with each scenario; else what it comes to: hosts and their addresses, links, the route of each
/// workload, defaults that were chosen, lines to paste.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scenarios; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Print the resolved plan: every value, with its origin (file and line, profile, default)
    #[arg(long, conflicts_with_all = ["quiet", "json"])]
    plan: bool,
    /// Print a JSON object for each scenario, one a line: what it comes to, or its mistakes
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Print nothing but errors and warnings
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn main(args: &Args) -> Exit {
    let overrides = match args.overrides.overrides() {
        Ok(overrides) => overrides,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Pass;
    for (n, file) in args.files.iter().enumerate() {
        let source = match Source::open(file) {
            Ok(source) => source,
            Err(wrong) => {
                // why was said; programs that take a line for each file get theirs
                if args.json {
                    let mut unread = Diagnostics::default();
                    unread.error(None, "the scenario cannot be read");
                    args.complain(file, &[(unread, Sources::default())]);
                }
                exit = wrong;
                continue;
            }
        };
        let (file, files) = (source.path(), source.files());
        match resolve(file, &files, &overrides) {
            Ok(resolved) => args.print(n, file, &resolved),
            Err(wrong) => {
                args.complain(file, &wrong);
                exit = Exit::Input;
            }
        }
    }
    exit
}

/// The scenario, with the first values of its matrix; or what is wrong with it, whichever values it is given.
fn resolve(file: &Path, files: &dyn Files, overrides: &Overrides) -> Result<Resolved, Vec<(Diagnostics, Sources)>> {
    let resolved = load(file, files, overrides).map_err(|wrong| vec![wrong])?;
    suite::check_combinations(file, files, overrides, &resolved.scenario.matrix)?;
    Ok(resolved)
}

impl Args {
    fn print(&self, n: usize, file: &Path, resolved: &Resolved) {
        let summary = Summary::new(&file.display().to_string(), resolved);
        if self.json {
            // plain data
            return paint::print(&Printable::json(&format!("{}\n", json!(summary))));
        }
        input::warn(resolved);
        if self.plan {
            paint::print(&Printable::lines(&listing(resolved)));
        } else if !self.quiet {
            let blank = if n > 0 { "\n" } else { "" };
            let text = summary::text::render(&summary, &resolved.scenario.groups, paint::width());
            paint::print(&Printable::styled(&format!("{blank}{text}")));
        }
    }

    fn complain(&self, file: &Path, wrong: &[(Diagnostics, Sources)]) {
        if !self.json {
            return wrong.iter().for_each(|(wrong, sources)| paint::diagnose(wrong, sources));
        }
        let of = |severity: Severity| -> Vec<Mistake> {
            let all = wrong.iter().flat_map(|(wrong, sources)| wrong.iter().map(move |one| (one, sources)));
            all.filter(|(one, _)| one.severity == severity).map(|(one, sources)| Mistake::new(one, sources)).collect()
        };
        let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
        let file = file.display().to_string();
        let mistakes = json!({ "longwire": 1, "file": file, "ok": false, "errors": errors, "warnings": warnings });
        paint::print(&Printable::json(&format!("{mistakes}\n")));
    }
}
