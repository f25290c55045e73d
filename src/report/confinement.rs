//! What a run gave up once it was set up, and what this machine kept it from giving up.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// What holds for the process of a live run, on all of its threads, from before the first frame on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// No program that it might start gains rights.
    pub no_new_privs: bool,
    /// Capabilities that it still has, in any set; empty: it has none.
    pub capabilities: Vec<String>,
    /// Other system calls than those on a list fail.
    pub seccomp: bool,
    /// Files and network are closed by Landlock: as far as this kernel can.
    pub landlock: Landlock,
    /// Numbers of the system calls that were refused, for this architecture: none, unless a library needs one that the list lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_calls: Vec<u32>,
}

/// How much of the rules that longwire asks for the kernel knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Landlock {
    /// All.
    Full,
    /// Those of an older kernel: some ways to files or to the network are left to permissions and to the list of system calls.
    Partial,
    /// The kernel has no Landlock.
    #[default]
    None,
}

impl Confinement {
    /// A warning, where system calls were refused.
    pub fn warning(&self) -> Option<String> {
        let [first, ..] = self.refused_calls[..] else { return None };
        let numbers: Vec<String> = self.refused_calls.iter().map(u32::to_string).collect();
        Some(format!(
            "system calls were refused that longwire does not expect of itself: {} (`ausyscall {first}` tells the name); the run may \
             lack something. Please report it with the version of the C library",
            numbers.join(", ")
        ))
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = String::new();
        match &self.capabilities[..] {
            [] => words.push_str("no capabilities"),
            held => write!(words, "capabilities {}", held.join(" "))?,
        }
        words.push_str(if self.no_new_privs { ", no_new_privs" } else { ", without no_new_privs" });
        words.push_str(if self.seccomp { ", seccomp" } else { ", no seccomp in this kernel" });
        words.push_str(match self.landlock {
            Landlock::Full => ", Landlock",
            Landlock::Partial => ", Landlock of an older kernel",
            Landlock::None => ", no Landlock in this kernel",
        });
        f.write_str(&words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_and_what_is_missing_is_told() {
        let full =
            Confinement { no_new_privs: true, seccomp: true, landlock: Landlock::Full, ..Confinement::default() };
        assert_eq!(full.to_string(), "no capabilities, no_new_privs, seccomp, Landlock");
        assert_eq!(full.warning(), None);
        let none = Confinement { capabilities: vec!["CAP_NET_ADMIN".into()], ..Confinement::default() };
        assert_eq!(
            none.to_string(),
            "capabilities CAP_NET_ADMIN, without no_new_privs, no seccomp in this kernel, no Landlock in this kernel"
        );
        let refused = Confinement { refused_calls: vec![41, 257], ..full };
        assert!(refused.warning().unwrap().contains("41, 257 (`ausyscall 41`"));
    }
}
