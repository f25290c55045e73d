//! One run of a suite: a scenario with the values of its parameters and its seed.

use std::fmt;
use std::path::PathBuf;

use crate::diag::printable::{is_printable, printable};
use crate::report::json::Mode;

/// A scenario to be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// The scenario's file, as it was given.
    pub file: PathBuf,
    /// What the scenario is called.
    pub scenario: String,
    /// Parameters that are not what the file's `params` says.
    pub params: Vec<Param>,
    /// The seed of all its random draws.
    pub seed: u64,
    /// Where it runs several times: which of them it is.
    pub repetition: Option<Repetition>,
    /// It runs in virtual time (`longwire sim`), not live (`longwire run`).
    pub virtual_time: bool,
}

/// Which of several runs of the same it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repetition {
    /// Its number, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// All have the same seed, and must come out identical.
    pub identical: bool,
}

/// A parameter and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its value as people read it.
    pub text: String,
    /// Its value as `--param NAME=WORD` must have it.
    pub word: String,
}

impl Case {
    /// What tells it apart from other runs of its file: ` [loss=5%, seed 2]`, or nothing.
    pub fn variant(&self) -> String {
        let params = self.params.iter().map(|param| format!("{}={}", param.name, one_line(&param.text)));
        let repetition = self.repetition.map(|repetition| match repetition.identical {
            true => format!("run {}", repetition.number),
            false => format!("seed {}", self.seed),
        });
        let words: Vec<String> = params.chain(repetition).collect();
        if words.is_empty() { String::new() } else { format!(" [{}]", words.join(", ")) }
    }

    /// What `--filter` looks into: file, name and variant.
    pub fn searched(&self) -> String {
        format!("{} {}{}", self.file.display(), self.scenario, self.variant())
    }

    /// What of `longwire` runs it.
    fn subcommand(&self) -> &'static str {
        if self.virtual_time { "sim" } else { "run" }
    }

    /// The mode that its report has: `live` or `virtual`.
    pub fn mode(&self) -> Mode {
        if self.virtual_time { Mode::Virtual } else { Mode::Live }
    }

    /// The arguments behind `longwire` that run it again.
    pub fn arguments(&self) -> Vec<String> {
        // a file may be called like an option
        let file = self.file.display().to_string();
        let file = if file.starts_with('-') { format!("./{file}") } else { file };
        let params = self.params.iter().flat_map(|p| ["--param".to_owned(), format!("{}={}", p.name, p.word)]);
        [self.subcommand().to_owned(), file]
            .into_iter()
            .chain(params)
            .chain(["--seed".to_owned(), self.seed.to_string()])
            .collect()
    }

    /// The command that runs it again, to be pasted into a shell.
    pub fn command(&self) -> String {
        format!("longwire {}", shell_words(&self.arguments()))
    }

    /// Whether it is the same run again.
    pub(super) fn repeats(&self, other: &Case) -> bool {
        (&self.file, &self.params, self.seed) == (&other.file, &other.params, other.seed)
    }

    /// A name for its folder: file, parameters and seed, of letters that no file system minds.
    pub fn folder(&self) -> String {
        let file = self.file.with_extension("").to_string_lossy().into_owned();
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '=') { c } else { '-' };
        let name: String = format!("{file}{}", self.variant()).chars().map(plain).collect();
        let mut parts: Vec<&str> =
            name.split('-').filter(|part| !part.is_empty() && !part.chars().all(|c| c == '.')).collect();
        if parts.is_empty() {
            parts.push("run");
        }
        // NAME_MAX is 255 bytes, and a letter may take four
        parts.join("-").chars().take(60).collect()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", one_line(&self.scenario), self.variant())
    }
}

/// Words as a shell takes them. A NUL, which no shell can take, is shown as `?`.
pub fn shell_words(words: &[String]) -> String {
    // shlex also quotes what is no shell's matter behind the first word: `loss=5%`
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '=' | '%' | ':' | ',' | '+' | '@');
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && !word.starts_with(['=', '%']) && word.chars().all(plain) {
            return word.clone();
        }
        let word = word.replace('\0', "?");
        if !word.chars().all(is_printable) {
            return ansi_quoted(&word);
        }
        shlex::try_quote(&word).map_or_else(|_| word.clone(), |quoted| quoted.into_owned())
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// `$'…'`, which bash, zsh and ksh know, and POSIX since 2024: the only quotes that need no character that does not print.
fn ansi_quoted(word: &str) -> String {
    let mut out = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&format!("\\x{byte:02x}"))),
        }
    }
    out + "'"
}

/// A text on one line, and with nothing in it that does not print.
pub(super) fn one_line(text: &str) -> String {
    printable(text.trim()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(name: &str, text: &str, word: &str) -> Param {
        Param { name: name.into(), text: text.into(), word: word.into() }
    }

    #[test]
    fn a_run_is_named_and_repeated() {
        let mut case = Case { file: "ci/a b.yaml".into(), scenario: "Chat".into(), seed: 7, ..Case::default() };
        assert_eq!(case.to_string(), "Chat");
        assert_eq!(case.command(), "longwire run 'ci/a b.yaml' --seed 7");
        assert_eq!(case.folder(), "ci-a-b");
        case.params = vec![param("loss", "5%", "5%"), param("say", "a: b", "\"a: b\"")];
        case.repetition = Some(Repetition { number: 2, of: 3, identical: false });
        assert_eq!(case.to_string(), "Chat [loss=5%, say=a: b, seed 7]");
        assert_eq!(case.command(), "longwire run 'ci/a b.yaml' --param loss=5% --param 'say=\"a: b\"' --seed 7");
        assert_eq!(case.folder(), "ci-a-b-loss=5-say=a-b-seed-7");
        assert!(case.searched().contains("ci/a b.yaml Chat [loss=5%"));
        case.virtual_time = true;
        case.params.clear();
        case.repetition = Some(Repetition { number: 2, of: 3, identical: true });
        assert_eq!(case.to_string(), "Chat [run 2]");
        assert_eq!(case.command(), "longwire sim 'ci/a b.yaml' --seed 7");
        assert_eq!(case.folder(), "ci-a-b-run-2");
    }

    #[test]
    fn names_from_outside_cannot_break_out() {
        let case = Case { file: "../..//-x\n.yaml".into(), scenario: "a\n::error::b".into(), ..Case::default() };
        assert!(!case.folder().contains('/') && !case.folder().starts_with('.'), "{}", case.folder());
        assert!(!case.to_string().contains('\n'));
        assert_eq!(Case { file: "/".into(), ..Case::default() }.folder(), "run");
        assert_eq!(Case { file: "-v.yaml".into(), ..Case::default() }.arguments()[1], "./-v.yaml");
        assert!(Case { file: "ä".repeat(300).into(), ..Case::default() }.folder().len() <= 240);
        assert_eq!(shell_words(&["a\0b".into(), String::new()]), "'a?b' ''");
        assert_eq!(shell_words(&["it's\n\x1b[1m\u{202e}é".into()]), "$'it\\'s\\x0a\\x1b[1m\\xe2\\x80\\xaeé'");
    }
}
