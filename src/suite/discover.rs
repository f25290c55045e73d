//! Which files a suite is made of: files, folders and patterns, as the command line names them.
//!
//! A folder, and what a pattern matches, may hold anything: of it only scenarios are taken, and how many files were left is told.
//! A file that is named itself is always taken, so that it is told if it is none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use glob::MatchOptions;

use crate::host::open;
use crate::language::files::FileKind;

/// The scenarios that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Each once, ordered by path.
    pub files: Vec<File>,
    /// YAML files that are no scenarios: nobody named them, and they do not begin one.
    pub others: usize,
}

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// As it was given, or below the folder that was given.
    pub path: PathBuf,
    /// Whether it was named itself.
    pub named: bool,
}

/// Deeper folders than any repository has; it bounds the walk.
const MAX_DEPTH: usize = 32;

/// Finds the scenarios that paths and patterns mean. Hidden files and folders below the given ones are passed over, and links to
/// folders are not followed.
///
/// # Errors
/// One sentence for each path that is not there, cannot be read, or has no scenario.
pub fn discover(paths: &[PathBuf]) -> Result<Found, Vec<String>> {
    let mut walk = Walk::default();
    for path in paths {
        walk.one(path);
    }
    if !walk.wrong.is_empty() {
        return Err(walk.wrong);
    }
    let mut files: Vec<File> = Vec::new();
    let mut seen = BTreeSet::new();
    walk.files.sort_by(|a, b| a.path.cmp(&b.path).then(b.named.cmp(&a.named)));
    for file in walk.files {
        if seen.insert(identity(&file.path)) {
            files.push(file);
        }
    }
    let others = walk.others.iter().map(|path| identity(path)).filter(|path| !seen.contains(path));
    Ok(Found { others: others.collect::<BTreeSet<_>>().len(), files })
}

/// The same for all names of a file.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[derive(Default)]
struct Walk {
    files: Vec<File>,
    others: Vec<PathBuf>,
    wrong: Vec<String>,
}

impl Walk {
    fn one(&mut self, path: &Path) {
        if path.is_dir() {
            let before = self.files.len();
            self.folder(path, 0);
            if self.files.len() == before {
                self.wrong
                    .push(format!("there is no scenario in {}: a YAML file with `longwire: 1` in it", path.display()));
            }
        } else if path.as_os_str() == "-" || path.metadata().is_ok_and(|seen| !seen.is_file()) {
            self.wrong.push(format!(
                "expected files, folders or patterns, found `{}`: each run of a suite reads its scenario again; save it to \
                 a file, or use `run`, `sim` or `check`",
                path.display()
            ));
        } else if path.exists() {
            self.files.push(File { path: path.to_owned(), named: true });
        } else {
            self.pattern(path);
        }
    }

    fn pattern(&mut self, path: &Path) {
        let text = path.to_string_lossy();
        if !text.contains(['*', '?', '[']) {
            self.wrong.push(format!("there is no {}", path.display()));
            return;
        }
        let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
        let matches = match glob::glob_with(&text, options) {
            Ok(matches) => matches,
            Err(error) => {
                self.wrong.push(format!("`{text}` is no pattern: {error}"));
                return;
            }
        };
        let before = self.files.len();
        for entry in matches {
            match entry {
                Ok(path) if path.is_dir() => self.folder(&path, 0),
                Ok(path) => self.file(path),
                Err(error) => self.wrong.push(format!("cannot read {}: {}", error.path().display(), error.error())),
            }
        }
        if self.files.len() == before {
            self.wrong.push(format!("no scenario matches `{text}`"));
        }
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.wrong.push(format!("cannot read the folder {}: {error}", folder.display()));
                return;
            }
        };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            match entry.file_type() {
                _ if entry.file_name().to_string_lossy().starts_with('.') => {}
                Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => self.folder(&path, depth + 1),
                Ok(kind) if kind.is_dir() => {}
                _ if path.is_file() => self.file(path),
                _ => {}
            }
        }
    }

    /// A file that nobody named: only YAML counts at all.
    fn file(&mut self, path: PathBuf) {
        // below `.` people name files without it
        let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
        if !path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            return;
        }
        match open::read(&path, FileKind::Scenario.limit()) {
            Ok(bytes) if begins_scenario(&bytes) => self.files.push(File { path, named: false }),
            Ok(_) => self.others.push(path),
            Err(error) => self.wrong.push(format!("cannot read {}: {}", path.display(), open::plain(&error))),
        }
    }
}

/// Whether a file has the key `longwire` at its top. The text is looked at, not the YAML in it: a scenario with a mistake in its
/// syntax must be told, not passed over.
fn begins_scenario(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).lines().any(|line| {
        let line = line.trim_start_matches('\u{feff}').replace(['"', '\''], "");
        line.strip_prefix("longwire").is_some_and(|rest| rest.trim_start().starts_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn names(found: &Found, folder: &Path) -> Vec<String> {
        found.files.iter().map(|f| f.path.strip_prefix(folder).unwrap().display().to_string()).collect()
    }

    const SCENARIO: &str = "# a comment\nlongwire: 1\nnodes: {}\n";

    #[test]
    fn folders_are_searched_and_only_scenarios_taken() {
        let folder = folder(&[
            ("b.yaml", SCENARIO),
            ("a/z.yml", "\"longwire\": 1\n"),
            ("a/broken.yaml", "longwire: 1\nnodes: [\n"),
            ("a/lib.yaml", "nodes: { x: host }\n  longwire: 1\n"),
            ("a/bytes.yaml", "\u{fffd}"),
            ("schema.json", "{}"),
            ("notes.txt", SCENARIO),
            (".hidden/c.yaml", SCENARIO),
        ]);
        let found = discover(&[folder.path().to_owned()]).unwrap();
        assert_eq!(names(&found, folder.path()), ["a/broken.yaml", "a/z.yml", "b.yaml"]);
        assert_eq!(found.others, 2);
        assert!(found.files.iter().all(|file| !file.named));
    }

    #[test]
    fn a_file_that_is_named_is_taken_whatever_it_is_and_once() {
        let folder = folder(&[("a.yaml", SCENARIO), ("lib.yaml", "nodes: {}\n")]);
        let at = |name: &str| folder.path().join(name);
        let found = discover(&[at("lib.yaml"), at("."), at("a.yaml"), at("./a.yaml")]).unwrap();
        assert_eq!(found.files.len(), 2);
        assert!(found.files.iter().all(|file| file.named));
        assert_eq!(found.others, 0, "lib.yaml is taken");
    }

    #[test]
    fn patterns_match_files_and_folders() {
        let folder = folder(&[
            ("x/a.yaml", SCENARIO),
            ("x/lib.yaml", "nodes: {}\n"),
            ("y/deep/b.yaml", SCENARIO),
            ("y/.c.yaml", SCENARIO),
        ]);
        let at = |name: &str| vec![folder.path().join(name)];
        assert_eq!(names(&discover(&at("*/*.yaml")).unwrap(), folder.path()), ["x/a.yaml"]);
        assert_eq!(names(&discover(&at("**/*.yaml")).unwrap(), folder.path()), ["x/a.yaml", "y/deep/b.yaml"]);
        assert_eq!(names(&discover(&at("[xy]")).unwrap(), folder.path()), ["x/a.yaml", "y/deep/b.yaml"]);
    }

    #[test]
    fn what_is_not_there_is_told_all_at_once() {
        let folder = folder(&[("empty/lib.yaml", "nodes: {}\n"), ("a.yaml", SCENARIO)]);
        let at = |name: &str| folder.path().join(name);
        nix::unistd::mkfifo(&at("fifo.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let paths = ["none.yaml", "a.yaml", "empty", "no*.yaml", "***", "fifo.yaml", "f*.yaml"].map(at);
        let wrong = discover(&[&paths[..], &["-".into()]].concat()).unwrap_err();
        let told = [
            "there is no ",
            "there is no scenario in",
            "no scenario matches",
            "is no pattern",
            "save it to a file",
            "expected a regular file, found a FIFO",
            "no scenario matches",
            "found `-`",
        ];
        assert_eq!(wrong.len(), told.len(), "{wrong:?}");
        for (line, words) in wrong.iter().zip(told) {
            assert!(line.contains(words), "{line} has no {words}");
        }
    }

    #[test]
    fn links_to_folders_do_not_lead_in_circles() {
        let folder = folder(&[("a/a.yaml", SCENARIO)]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink("a.yaml", folder.path().join("a/also.yaml")).unwrap();
        let found = discover(&[folder.path().to_owned()]).unwrap();
        assert_eq!(found.files.len(), 1, "{found:?}");
    }
}
