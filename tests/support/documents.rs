//! The README and the pages of docs/, and the command lines in them.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README, and every page below docs/.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| repository().join(name)).into();
    let mut folders = vec![repository().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("docs/") {
            let path = entry.expect("an entry").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "md" => pages.push(path),
                _ => {}
            }
        }
    }
    pages.sort();
    pages
}

pub(crate) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One command line of a page, and what it prints there.
pub(crate) struct Shown {
    pub(crate) place: String,
    pub(crate) words: Vec<String>,
    pub(crate) prints: String,
}

/// Command lines that begin with `longwire`, in blocks of code. Where the line has a prompt, what follows up to the next one is its output.
pub(crate) fn commands(page: &Path) -> Vec<Shown> {
    let markdown = text(page);
    let name = page.strip_prefix(repository()).unwrap_or(page).display().to_string();
    let mut found: Vec<Shown> = Vec::new();
    let (mut inside, mut open) = (false, false);
    for (n, line) in markdown.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            (inside, open) = (!inside, false);
            continue;
        }
        if !inside {
            continue;
        }
        let prompt = line.trim_start().strip_prefix("$ ");
        let command = prompt.unwrap_or(line.trim_start());
        let command = command.strip_prefix("sudo ").unwrap_or(command);
        if prompt.is_some() || command.starts_with("longwire ") {
            open = prompt.is_some();
            // a comment, and what the shell makes of the rest, are not the program's
            let command = command.split("  #").next().unwrap_or_default();
            let plain = !command.contains(['<', '>', '|', '&', ';', '…', '$', '`']) && !command.ends_with('\\');
            if let (true, Some(words)) = (plain && command.starts_with("longwire "), shlex::split(command)) {
                found.push(Shown { place: format!("{name}:{}", n + 1), words, prints: String::new() });
                continue;
            }
            open = false;
        } else if open && let Some(last) = found.last_mut() {
            last.prints += line;
            last.prints.push('\n');
        }
    }
    found
}
