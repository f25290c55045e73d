//! Names of control sockets, and where they are looked for. Nothing found here is believed: anybody can make such a name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::socket::UnixAddr;

use crate::host::RUN_DIR;

/// What all abstract names of control sockets begin with.
const PREFIX: &str = "longwire.run.";
/// A run's name is no longer than this, in bytes: a socket's has room for 107 (unix(7)).
const LONGEST: usize = 60;

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// An abstract name without its prefix: a run's name; where somebody else had taken that, with `.` and a number behind.
    Abstract(String),
    /// In a host: a path.
    Path(PathBuf),
}

impl Address {
    /// The run's name.
    pub(super) fn run(&self) -> &str {
        match self {
            Address::Abstract(name) => name.split('.').next().unwrap_or(name),
            Address::Path(path) => path.file_stem().and_then(|name| name.to_str()).unwrap_or_default(),
        }
    }

    pub(super) fn to_unix(&self) -> nix::Result<UnixAddr> {
        match self {
            Address::Abstract(name) => UnixAddr::new_abstract(format!("{PREFIX}{name}").as_bytes()),
            Address::Path(path) => UnixAddr::new(path),
        }
    }
}

/// A run's name: the scenario's, made fit for a command line, and this process's id.
pub(super) fn run_name(stem: &str) -> String {
    let mut name = String::new();
    for c in stem.chars().map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '-' }) {
        if name.len() + c.len_utf8() > LONGEST {
            break;
        }
        name.push(c);
    }
    format!("{name}-{}", std::process::id())
}

/// All sockets that look like a run's, in this network namespace and in /run/longwire.
///
/// # Errors
/// /proc/net/unix cannot be read.
pub(super) fn all() -> io::Result<Vec<Address>> {
    // Names of others' sockets may be any bytes.
    let table = fs::read("/proc/net/unix")?;
    let mut found = names_in(&String::from_utf8_lossy(&table));
    found.sort();
    found.dedup();
    let paths = fs::read_dir(RUN_DIR).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| is_socket_name(path)).collect();
    paths.sort();
    Ok(found.into_iter().map(Address::Abstract).chain(paths.into_iter().map(Address::Path)).collect())
}

fn is_socket_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sock")
        && path.file_stem().is_some_and(|s| s.to_str().is_some())
}

fn names_in(table: &str) -> Vec<String> {
    let name = |line: &str| line.split_whitespace().nth(7)?.strip_prefix('@')?.strip_prefix(PREFIX).map(str::to_owned);
    // A connection shows its listener's name as well; a name that was cut or is not text reaches nobody.
    table.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_in_the_kernels_table_whatever_else_is_in_it() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0: 00000002 00000000 00010000 0001 01 123 @longwire.run.quickstart-42\n\
            0: 00000003 00000000 00000000 0001 03 124\n\
            0: 00000003 00000000 00000000 0001 03 126 @\xff\xfe\n\
            0: 00000002 00000000 00010000 0001 01 125 /run/longwire.run.no-1\n";
        assert_eq!(names_in(&String::from_utf8_lossy(table)), ["quickstart-42"]);
    }

    #[test]
    fn a_name_is_the_runs_whatever_had_to_be_added() {
        assert_eq!(Address::Abstract("a-b-42".into()).run(), "a-b-42");
        assert_eq!(Address::Abstract("a-b-42.7".into()).run(), "a-b-42");
        assert_eq!(Address::Path("/run/longwire/a-b-42.sock".into()).run(), "a-b-42");
        assert!(is_socket_name(Path::new("/run/longwire/a-1.sock")) && !is_socket_name(Path::new("/run/longwire/a-1")));
    }

    #[test]
    fn every_name_has_room_in_a_socket() {
        for stem in ["x".repeat(300), "é".repeat(300), "語".repeat(300), "a.b c".into(), String::new()] {
            let name = run_name(&stem);
            assert!(!name.contains(['.', ' ', '/']) && name.ends_with(&format!("-{}", std::process::id())));
            assert!(Address::Abstract(format!("{name}.4294967295")).to_unix().is_ok(), "{name}");
            assert!(Address::Path(Path::new(RUN_DIR).join(format!("{name}.sock"))).to_unix().is_ok(), "{name}");
        }
    }
}
