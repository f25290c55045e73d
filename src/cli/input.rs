//! Scenario files and what the command line says beside them.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use super::{Exit, paint};
use crate::host::open;
use crate::language::files;
use crate::language::files::{FileKind, Files};
use crate::run::Remembering;
use crate::scenario::{Overrides, load};
use crate::tasks::resolved::Resolved;

/// What standard input is called in messages. Files that it names are relative to the current directory.
const STDIN: &str = "<stdin>";

/// A scenario as the command line names it. A pipe or a device is read here, once.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    text: Option<String>,
}

impl Source {
    /// `-` and /dev/stdin are standard input; all else that is no regular file is read like it, up to the limit for
    /// scenarios.
    pub(super) fn open(file: &Path) -> Result<Source, Exit> {
        let read = |from: io::Result<_>| {
            from.and_then(|from: std::os::fd::OwnedFd| open::read_all(from, FileKind::Scenario.limit()))
                .map_err(|error| open::plain(&error))
                .and_then(files::text)
        };
        let (path, text) = match kind(file) {
            Kind::Path => return Ok(Source { path: file.to_owned(), text: None }),
            Kind::Stdin => (PathBuf::from(STDIN), read(io::stdin().as_fd().try_clone_to_owned())),
            Kind::Descriptor(number) => (format!("<fd {number}>").into(), read(File::open(file).map(Into::into))),
            Kind::Stream => (file.to_owned(), read(File::open(file).map(Into::into))),
        };
        match text {
            Ok(text) => Ok(Source { path, text: Some(text) }),
            Err(error) => {
                paint::complain(&format!("cannot read {}: {error}", path.display()));
                Err(Exit::Input)
            }
        }
    }

    /// A scenario that a command has made itself.
    pub(super) fn made(name: &str, text: String) -> Source {
        Source { path: name.into(), text: Some(text) }
    }

    /// What it is called.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its text, where that is gone from where it was read.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Whether it has used up standard input.
    pub(super) fn is_stdin(&self) -> bool {
        self.path == Path::new(STDIN)
    }

    /// The disk, with what was read in front of it.
    pub(super) fn files(&self) -> Remembering<'_> {
        Remembering::new(self.text.as_deref().map(|text| (self.path.as_path(), text)))
    }
}

/// The name of a scenario that cannot be read again.
pub(super) fn is_stream(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.starts_with('<') && name.ends_with('>')
}

/// How a scenario is read.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A regular file, or what is told to be none.
    Path,
    Stdin,
    /// `/dev/fd/N`, as a shell writes for `<(COMMAND)`.
    Descriptor(u32),
    /// A FIFO or a device in a directory, which what it names is relative to.
    Stream,
}

fn kind(file: &Path) -> Kind {
    let descriptor = || {
        let name = file.to_str()?;
        name.strip_prefix("/dev/fd/").or_else(|| name.strip_prefix("/proc/self/fd/"))?.parse().ok()
    };
    match file.to_str() {
        Some("-" | "/dev/stdin") => Kind::Stdin,
        _ => match descriptor() {
            Some(0) => Kind::Stdin,
            Some(number) => Kind::Descriptor(number),
            None => match file.metadata() {
                Ok(seen) if !seen.is_file() && !seen.is_dir() => Kind::Stream,
                _ => Kind::Path,
            },
        },
    }
}

/// What may be said beside a scenario file.
#[derive(Debug, Default, clap::Args)]
pub(super) struct OverrideArgs {
    /// Seed of every random draw, instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Value of a parameter, instead of the file's; may be given for several names
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    params: Vec<(String, String)>,
}

impl OverrideArgs {
    /// A seed, and nothing else.
    pub(super) fn seeded(seed: Option<u64>) -> OverrideArgs {
        OverrideArgs { seed, params: Vec::new() }
    }

    /// What the options say.
    ///
    /// # Errors
    /// [`Exit::Input`], with a name that is given twice told: one run has one value.
    pub(super) fn overrides(&self) -> Result<Overrides, Exit> {
        for (at, (name, value)) in self.params.iter().enumerate() {
            if let Some((_, first)) = self.params[..at].iter().find(|(other, _)| other == name) {
                paint::complain(&format!(
                    "expected --param {name} once, found `{first}` and `{value}`: leave one out, or use `longwire test`, which \
                     runs each value"
                ));
                return Err(Exit::Input);
            }
        }
        Ok(Overrides { params: self.params.clone(), seed: self.seed, ..Overrides::default() })
    }

    /// The seed, where it is said.
    pub(super) fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// As it was written, for the command that repeats a run: one word each.
    pub(super) fn words(&self) -> Vec<String> {
        let seed = self.seed.map(|seed| ["--seed".to_owned(), seed.to_string()]);
        let params = self.params.iter().map(|(name, value)| ["--param".to_owned(), format!("{name}={value}")]);
        seed.into_iter().chain(params).flatten().collect()
    }
}

pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE, as in loss=5%".into()),
    }
}

/// The same, but that warnings are left to whoever reads it next.
pub(super) fn read_quietly(file: &Path, files: &dyn Files, overrides: &Overrides) -> Result<Resolved, Exit> {
    load(file, files, overrides).map_err(|(mut wrong, sources)| {
        wrong.sort();
        paint::diagnose(&wrong, &sources);
        Exit::Input
    })
}

/// Reads and checks a scenario; what is wrong with it goes to standard error.
pub(super) fn read(file: &Path, files: &dyn Files, overrides: &Overrides) -> Result<Resolved, Exit> {
    let resolved = read_quietly(file, files, overrides)?;
    warn(&resolved);
    Ok(resolved)
}

/// Says what is worth knowing of a scenario.
pub(super) fn warn(resolved: &Resolved) {
    if !resolved.warnings.is_empty() {
        paint::diagnose(&resolved.warnings, &resolved.sources);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_read_once() {
        let of = |name: &str| kind(Path::new(name));
        for name in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
            assert_eq!(of(name), Kind::Stdin, "{name}");
        }
        assert_eq!((of("/dev/fd/63"), of("/proc/self/fd/3")), (Kind::Descriptor(63), Kind::Descriptor(3)));
        assert_eq!((of("/dev/null"), of("/no/such/file"), of("/tmp")), (Kind::Stream, Kind::Path, Kind::Path));
        assert!(is_stream(Path::new("<stdin>")) && is_stream(Path::new("<fd 63>")) && !is_stream(Path::new("a.yaml")));
    }
}
