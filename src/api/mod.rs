//! Networks from Rust: a scenario brought up by a program or a test, commands in its hosts, live changes, the report.
//!
//! The crate's root re-exports all of it; [`up`] and [`scenario`] are where it begins.
//!
//! | file | idea |
//! |---|---|
//! | `setup` | a scenario with its parameters and its seed, checked and started |
//! | `network` `host` | a network that is up; one of its hosts |
//! | `command` `child` `stdio` | programs in hosts, as `std::process` has them |
//! | `report` | what is looked up in a report |
//! | `skip` | tests on machines that cannot make hosts |
//! | `connection` `copy` | the process that holds the network, as seen from here; what it does |
//! | `simulate` | a whole scenario in virtual time |
//! | `error` | what can go wrong |

mod child;
mod command;
mod connection;
mod copy;
mod error;
mod host;
mod network;
mod report;
mod setup;
mod simulate;
mod skip;
mod stdio;

pub use child::Child;
pub use command::Command;
pub use error::{Error, ErrorKind};
pub use host::Host;
pub use network::Network;
pub use setup::{Setup, scenario, up};
pub use skip::{skip, unsupported};
pub use stdio::Stdio;
