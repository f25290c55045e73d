//! The README and the pages of docs/, and the command lines in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

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

/// A command line of a page, as a shell takes it, and what it prints there. `sudo` and comments are left out.
pub(crate) struct Shown {
    pub(crate) place: String,
    pub(crate) line: String,
    pub(crate) prints: String,
}

impl Shown {
    /// The words of a command of this program, unless a shell makes something else of the line.
    pub(crate) fn words(&self) -> Option<Vec<String>> {
        let plain = self.line.starts_with("longwire ") && !self.line.contains(['<', '>', '|', '&', ';', '…', '$', '`']);
        plain.then(|| shlex::split(&self.line)).flatten()
    }
}

/// All commands of all pages.
pub(crate) fn commands() -> &'static [Shown] {
    static COMMANDS: LazyLock<Vec<Shown>> = LazyLock::new(|| pages().iter().flat_map(|page| of_page(page)).collect());
    &COMMANDS
}

fn of_page(page: &Path) -> impl Iterator<Item = Shown> + use<> {
    let name = page.strip_prefix(repository()).unwrap_or(page).display().to_string();
    let markdown = text(page);
    in_blocks(&name, &markdown).into_iter().chain(in_sentences(&name, &markdown))
}

fn without_comment(line: &str) -> String {
    let line = line.split("  #").next().unwrap_or_default().trim();
    line.strip_prefix("sudo ").unwrap_or(line).to_owned()
}

/// Lines of `sh` blocks, and those with a prompt in `console` blocks. What follows a prompt up to the next one is its output.
fn in_blocks(page: &str, markdown: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let (mut language, mut goes_on) = (None, false);
    for (n, line) in markdown.lines().enumerate() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            language = if language.is_some() { None } else { Some(fence) };
            goes_on = false;
            continue;
        }
        let prompt = line.trim_start().strip_prefix("$ ");
        let command = match (language, prompt) {
            (Some("console"), Some(command)) => command,
            (Some("console"), None) => {
                let last = found.last_mut().expect("a console begins with a prompt");
                last.prints += line;
                last.prints.push('\n');
                continue;
            }
            (Some("sh"), None) => line.trim(),
            (Some(_), Some(_)) => panic!("{page}:{}: a prompt stands in a block of `console`", n + 1),
            _ => continue,
        };
        let whole = command.strip_suffix('\\').unwrap_or(command);
        match found.last_mut() {
            Some(last) if goes_on => last.line += &format!(" {}", without_comment(whole)),
            _ if without_comment(whole).is_empty() || whole.starts_with('#') => {}
            _ => {
                let place = format!("{page}:{}", n + 1);
                found.push(Shown { place, line: without_comment(whole), prints: String::new() });
            }
        }
        goes_on = command.ends_with('\\');
    }
    found
}

/// Commands of this program in the text that need nothing filled in.
fn in_sentences(page: &str, markdown: &str) -> Vec<Shown> {
    static SPAN: LazyLock<Regex> = LazyLock::new(|| Regex::new("`((?:sudo )?longwire [^`]+)`").expect("a pattern"));
    static FILLED_IN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[A-Z]{2,}\b|[…\[]").expect("a pattern"));
    let mut found = Vec::new();
    for (n, line) in prose(markdown).lines().enumerate() {
        for span in SPAN.captures_iter(line).filter(|span| !FILLED_IN.is_match(&span[1])) {
            let place = format!("{page}:{}", n + 1);
            let shown = Shown { place, line: without_comment(&span[1]), prints: String::new() };
            // the name of a subcommand or of its option is no command, unless it needs no more
            let names_only = shown.line.split(' ').skip(2).all(|word| word.starts_with("--"));
            let complete = shown.words().is_some_and(|words| longwire::cli::understands(&words).is_ok());
            if complete || !names_only {
                found.push(shown);
            }
        }
    }
    found
}

/// The text with its blocks of code made empty.
pub(crate) fn prose(markdown: &str) -> String {
    let mut inside = false;
    let lines = markdown.lines().map(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        if inside || fence { "" } else { line }
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// What a command prints without what differs from run to run and from kernel to kernel: numbers with their units, bars, pictures over
/// time.
pub(crate) fn shape(text: &str) -> String {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[+−-]?\d[\d.,]*( ?(ns|µs|ms|s|%|[kMG]?bit/s|[kM]?B)\b)?%?").expect("a pattern"));
    static BAR: LazyLock<Regex> = LazyLock::new(|| Regex::new("[━●┄]+").expect("a pattern"));
    let lines = text.lines().filter(|line| line.matches('│').count() < 2).map(|line| {
        let plain = BAR.replace_all(line, "bar");
        let plain = NUMBER.replace_all(&plain, "#");
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}
