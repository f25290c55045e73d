//! `longwire compare A… --to B…`.

use std::fs;
use std::path::{Path, PathBuf};

use super::output::Output;
use super::{Exit, paint};
use crate::compare::{self, Comparison, Group, LEVEL, Method};
use crate::diag::printable::Printable;
use crate::host::open::plain;
use crate::report::Report;
use crate::units::Probability;

/// Compare groups of runs: which plans differ, which measurements do, and whether that is more than chance
///
/// A run is a report of `--json`, or a folder of `--out`; a folder with such folders, as `longwire test --out` leaves it, is all
/// of them. Several runs a side, with a seed each, are compared by a permutation test: five a side are enough to find a
/// difference. One run a side is compared by intervals within the runs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 no difference beyond chance, 1 there is one, 2 the input is wrong, or too few runs to tell."
)]
pub(super) struct Args {
    /// The runs of the first group
    #[arg(required = true, value_name = "RUN")]
    a: Vec<PathBuf>,
    /// The runs of the second group
    #[arg(long = "to", required = true, num_args = 1.., value_name = "RUN")]
    b: Vec<PathBuf>,
    /// In what share of comparisons of equal plans a difference may be found [default: 2.5%]
    #[arg(long, value_name = "SHARE", value_parser = level)]
    level: Option<f64>,
    /// Show all measurements, and all that plans have differently
    #[arg(long)]
    all: bool,
    /// Write the comparison as JSON to FILE; `-` for standard output, instead of the text for people
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn level(text: &str) -> Result<f64, String> {
    let share = text.parse::<Probability>().map_err(|error| error.to_string())?.as_f64();
    if share > 0.0 && share < 0.5 { Ok(share) } else { Err("expected more than 0 and less than 50%, as in 5%".into()) }
}

pub(super) fn main(args: &Args) -> Exit {
    compared(args).unwrap_or_else(|exit| exit)
}

fn compared(args: &Args) -> Result<Exit, Exit> {
    let (a, b) = (group(&args.a), group(&args.b));
    let told = |wrong: Vec<String>| {
        wrong.iter().for_each(|line| paint::complain(line));
        Exit::Input
    };
    let (a, b) = match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (a, b) => return Err(told([a, b].into_iter().filter_map(Result::err).flatten().collect())),
    };
    let json = Output::open("--json", args.json.as_deref())?;
    let comparison = compare::compare(&a, &b, args.level.unwrap_or(LEVEL)).map_err(told)?;
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let text = || serde_json::to_string_pretty(&comparison).expect("a comparison is plain data") + "\n";
    paint::print(&if to_stdout { Printable::json(&text()) } else { compare::text::render(&comparison, args.all) });
    if let Some(Err(error)) = json.map(|file| file.write(Printable::json(&text()).as_str())) {
        paint::complain(&error);
        return Ok(Exit::Machine);
    }
    Ok(exit(&comparison))
}

fn exit(comparison: &Comparison) -> Exit {
    match comparison.method {
        Method::TooFew { .. } => Exit::Input,
        _ if comparison.differs => Exit::Fail,
        _ => Exit::Pass,
    }
}

/// All reports that some paths name; else all that is wrong with them.
fn group(paths: &[PathBuf]) -> Result<Group, Vec<String>> {
    let (mut group, mut wrong) = (Group { files: Vec::new(), reports: Vec::new() }, Vec::new());
    for path in paths {
        let files = match files(path) {
            Ok(files) => files,
            Err(why) => {
                wrong.push(why);
                continue;
            }
        };
        for file in files {
            match report(&file) {
                Ok(report) => {
                    group.reports.push(report);
                    group.files.push(file.display().to_string());
                }
                Err(why) => wrong.push(why),
            }
        }
    }
    if wrong.is_empty() { Ok(group) } else { Err(wrong) }
}

/// The reports that a path stands for.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let own = path.join("report.json");
    if own.is_file() {
        return Ok(vec![own]);
    }
    let unread = |error| format!("cannot read {}: {}", path.display(), plain(&error));
    let entries = fs::read_dir(path).map_err(unread)?;
    let inside: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path().join("report.json"))).collect();
    let mut inside = inside.map_err(unread)?;
    inside.retain(|file| file.is_file());
    inside.sort();
    if inside.is_empty() {
        return Err(format!(
            "{}: expected report.json, or folders with one, found neither; name what `--out` was given",
            path.display()
        ));
    }
    Ok(inside)
}

/// A report, from its file.
pub(super) fn report(file: &Path) -> Result<Report, String> {
    let place = file.display();
    let text = fs::read(file).map_err(|error| format!("cannot read {place}: {}", plain(&error)))?;
    serde_json::from_slice::<Report>(&text).map_err(|error| {
        let found = serde_json::from_slice::<serde_json::Value>(&text).ok();
        match found {
            Some(summary) if summary["runs"].is_array() && summary["counts"].is_object() => format!(
                "{place}: expected the report of a run, found the summary of a suite; name the folder that `longwire test --out` left"
            ),
            _ => format!("{place}: expected a report as `longwire run --json` writes it: {error}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_stand_for_the_reports_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for name in ["suite/b", "suite/a", "suite/none"] {
            fs::create_dir_all(place(name)).unwrap();
        }
        fs::write(place("suite/a/report.json"), "{}").unwrap();
        fs::write(place("suite/b/report.json"), "{}").unwrap();
        assert_eq!(files(&place("suite")).unwrap(), [place("suite/a/report.json"), place("suite/b/report.json")]);
        assert_eq!(files(&place("suite/b")).unwrap(), [place("suite/b/report.json")]);
        assert_eq!(files(&place("x.json")).unwrap(), [place("x.json")]);
        assert!(files(&place("suite/none")).unwrap_err().contains("found neither"));
        assert!(report(&place("suite/a/report.json")).unwrap_err().contains("missing field"));
        fs::write(place("s.json"), r#"{ "longwire": 1, "runs": [], "counts": {} }"#).unwrap();
        assert!(report(&place("s.json")).unwrap_err().contains("the summary of a suite"));
    }

    #[test]
    fn a_level_is_a_share() {
        assert_eq!(level("5%"), Ok(0.05));
        assert!(level("0.05").is_err() && level("0%").is_err() && level("60%").is_err());
    }
}
