//! Namespaces, addresses in them, processes in them, and their guaranteed teardown.
//!
//! The main process forks one **init** before it has a second thread ([`Init::start`]). Init is process 1 of a PID
//! namespace of its own (for a normal user also of a user namespace); it makes every host and forks every program. The
//! main process gets the TAPs' descriptors, and asks for everything else over a socket. Each host has a PID namespace inside
//! init's, and a user namespace that owns all of its namespaces: nobody in one host sees, signals or has rights over another.
//!
//! Nothing outlives the main process, however it ends: the kernel kills init (parent-death signal; end of the socket),
//! with init all of the PID namespace, with the last process and descriptor the namespaces and TAPs. Nothing is pinned to
//! the file system.
//!
//! | file | idea |
//! |---|---|
//! | `init` `pid1` `protocol` `line` `message` | the main process's handle; init itself; what they say, and how it travels |
//! | `namespace` `mount` `private` `sysctl` `netlink` `configure` | what a host is made of |
//! | `first` `guard` | a host's process 1, with which its namespaces begin; what of the kernel's own files root in a host may not write |
//! | `restore` | what comes back with an interface that was down, deleted or moved away |
//! | `groups` | control groups that hold programs to their host's limits |
//! | `identity` `capabilities` `spawn` `programs` `join` | programs: who they are, what they may, how they start and end, how another process joins in |
//! | `peer` | whom to believe: users at the other end of a socket, owners of namespaces |
//! | `run_dir` | the run's socket in each host's own /run/longwire |
//! | `container` | containers by name: their engine's socket, its answers, the network's names in their hosts files |
//! | `launcher` `entry` `reaper` | programs in containers: who starts them, how they get in, who takes them along at the end |
//! | `external` `helper` | machines that longwire does not make |
//! | `site` | other sites, by UDP |
//! | `presence` `keeper` | whether these are still there; the process that attaches them, and again when they come back |
//! | `confine` `filter` | what a process gives up before it does what it need not trust; the system calls that are left to it |
//! | `beside` `opener` | processes that answer requests of a run that has given up its rights; the one for output files |
//! | `hook` | a command of the caller's on the machine itself |
//! | `janitor` | cleaning up after a process that was killed |
//! | `open` `folder` `destination` | files that users name: what may be read, and how much of it; directories and single files that are written |
//! | `signals` | signals that ask for an end |
//! | `takeover` | a copy of a program with many threads, taken over before its `main` |
//! | `probe` | what this machine can do |

mod beside;
mod capabilities;
mod configure;
pub mod confine;
mod container;
mod destination;
mod entry;
mod error;
mod external;
mod filter;
mod first;
pub mod folder;
mod groups;
mod guard;
mod helper;
mod hook;
mod identity;
mod init;
mod janitor;
mod join;
mod keeper;
mod launcher;
mod line;
pub mod message;
mod mount;
mod namespace;
mod netlink;
mod nic;
pub mod open;
mod opener;
mod passt;
mod peer;
mod pid1;
mod presence;
mod private;
pub mod probe;
mod programs;
mod protocol;
mod reaper;
mod restore;
mod run_dir;
pub mod signals;
mod site;
mod sockets;
mod spawn;
pub mod sys;
mod sysctl;
pub(crate) mod takeover;
mod vm_socket;

pub use configure::{InterfaceStatistics, link_local};
pub(crate) use container::{ComposeMember, compose_members};
pub use container::{Facts, Interior};
pub use destination::Destination;
pub use error::{Cause, HostError, SpawnError};
pub use folder::{Folder, is_temporary};
pub use helper::fork_child;
pub use hook::Hook;
pub use identity::{Identity, user_name};
pub use init::{Attached, Init, Spawn, Stdio, raise_open_files};
pub use janitor::{Janitor, Scratch};
pub use join::{join_and_run, join_container_and_run};
pub use namespace::NamespaceFds;
pub(crate) use netlink::Netlink;
pub use nic::restore_abandoned;
pub use opener::Opener;
pub(crate) use passt::own_networks;
pub use peer::Credentials;
pub use presence::{Presence, Seen, Sight};
pub use protocol::{DefaultRoute, Event, ExitStatus, ProgramId, RouteBefore};
pub use run_dir::RUN_DIR;
pub use sockets::Transport;
pub use spawn::{Builtin, Program, What};
