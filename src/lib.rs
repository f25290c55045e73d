//! longwire: a network emulator and simulator linked through TAP.
//!
//! Real hosts (network namespaces, containers, machines) connect through TAP devices into a simulated topology, which
//! applies latency, loss and bandwidth models from scenario files before it delivers their frames.
//!
//! # A network in a test
//!
//! [`up`] takes a scenario file, [`scenario`](fn@scenario) a scenario as text. What comes up is a [`Network`]: programs run in its
//! [`Host`]s as with [`std::process::Command`], [`Network::set`] changes it while it is up, and its [`Report`] says what was asked
//! of each link and what was delivered. Dropping it takes everything down.
//!
//! ```
//! # fn main() -> Result<(), longwire::Error> {
//! let setup = longwire::scenario(
//!     "
//! longwire: 1
//! params: { delay: 20ms }
//! nodes: { alice: host, bob: host }
//! links: { wifi: { ends: [alice, bob], delay: $delay, rate: 10Mbit } }
//! ",
//! )?;
//! // on a machine that cannot make hosts: a message, and no network
//! let Some(net) = setup.param("delay", "5ms").seed(7).start_or_skip()? else { return Ok(()) };
//!
//! let names = net.host("alice")?.command("getent").args(["hosts", "bob"]).output()?;
//! assert!(names.status.success());
//!
//! net.set("wifi.loss=100%")?;
//! let report = net.stop()?;
//! assert_eq!(report.direction("wifi", "bob")?.link, "wifi");
//! # if !report.is_invalid() {
//! report.assert_pass();
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! [`Setup::simulate`] runs a whole scenario in virtual time instead: exact, the same every time, without privileges, however busy the
//! machine is. It needs a user-mode Linux kernel (docs/virtual-time.md).
//!
//! ```
//! # fn main() -> Result<(), longwire::Error> {
//! let setup = longwire::scenario(
//!     "
//! longwire: 1
//! nodes: { alice: host, bob: host }
//! links: { wifi: { ends: [alice, bob], delay: 20ms, loss: 10% } }
//! workloads: { rtt: { ping: { from: alice, to: bob, every: 1s, count: 60 } } }
//! expect: [rtt.min >= 40ms]
//! ",
//! )?;
//! // without such a kernel: a message, and no report
//! let Some(report) = setup.seed(7).simulate_or_skip()? else { return Ok(()) };
//! report.assert_pass();
//! assert!(report.direction("wifi", "bob")?.dropped_by("loss") > 0);
//! # Ok(())
//! # }
//! ```
//!
//! It needs no test harness and no attribute on `main`, works from any thread, and several networks may be up at a time. It needs
//! Linux, access to /dev/net/tun, and root or user namespaces; [`Setup::start_or_skip`] and [`skip_unless_supported!`] are for tests on
//! machines that lack them. docs/library.md has all of it, and how it works.
//!
//! # Layers
//!
//! Arrows run downwards only: a layer uses those above it in this list, never those below. `tests/layering` holds it.
//!
//! | layer | what lives there |
//! |---|---|
//! | [`units`] [`diag`] [`stats`] | quantities and their text; what a user did wrong, and where; histograms and bins |
//! | [`rng`] | random streams: one generator a frame and model |
//! | [`frame`] | frames as trains of wire frames, and the pool that holds their bytes |
//! | [`wire`] | the formats on the wire: slices in, no I/O |
//! | [`model`] [`queue`] [`node`] | one impairment, queue discipline or node kind a file |
//! | [`engine`] | the simulated network: no clock, no OS, no I/O |
//! | [`measured`] | what can be measured and what was: percentiles, reports of workloads, the table of measures |
//! | [`profile`] | named link presets, each number with its source |
//! | [`language`] | text → a tree with places |
//! | [`topology`] | nodes and links as a file declares them |
//! | [`addressing`] | segments, addresses, routes; the plans of the engine and of the hosts |
//! | [`tasks`] | services, workloads, timeline, expectations: what a file asks for |
//! | [`scenario`](mod@scenario) | a file from text to a checked scenario; schema and listing |
//! | [`port`] [`host`] | how frames enter and leave; namespaces, addresses, processes (homes of `unsafe`) |
//! | [`report`] [`capture`] [`draw`] [`judge`] [`page`] | what a run leaves behind as JSON and text; pcapng; pictures; verdicts; HTML |
//! | [`compare`](mod@compare) | groups of runs beside each other: what differs, and whether that is more than chance |
//! | [`workload`] | the built-in workloads, inside the hosts |
//! | [`run`] | the only users of a clock: the live loop, workloads, control socket |
//! | [`sim`] | runs in virtual time, inside user-mode Linux |
//! | [`suite`] | many runs, each a process of its own: matrix, shards, JUnit |
//! | [`api`] | networks from Rust: what this page begins with |
//! | [`cli`] | the command line, one file a subcommand; the only place that prints |

pub mod addressing;
pub mod api;
pub mod capture;
pub mod cli;
pub mod compare;
pub mod diag;
pub mod draw;
pub mod engine;
pub mod frame;
pub mod host;
pub mod judge;
pub mod language;
pub mod measured;
pub mod model;
pub mod node;
pub mod page;
pub mod port;
pub mod profile;
pub mod queue;
pub mod report;
pub mod rng;
pub mod run;
pub mod scenario;
pub mod sim;
pub mod stats;
pub mod suite;
pub mod tasks;
pub mod topology;
pub mod units;
pub mod wire;
pub mod workload;

/// What fuzz targets need of the tests.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::wire::testing::{Spec, Train, naive_sum};
}

pub use api::{Child, Command, Error, ErrorKind, Host, Network, Setup, Stdio, scenario, skip, unsupported, up};
pub use report::Report;
