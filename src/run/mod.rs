//! The only users of a clock: the live loop, workloads, and what surrounds them.
//!
//! | file | idea |
//! |---|---|
//! | `supervisor` `conclusion` `tunnel` `validity` | one run from beginning to end; what it comes to; whether the machine kept up |
//! | `live` `taps` `clock` `spin` `scheduling` | the engine's thread; its TAPs; how it keeps time |
//! | `ports` `plugs` | interfaces that go away and come back; how the engine's thread hears of it |
//! | `memory` | whether the guest of a run in virtual time ran out of memory |
//! | `agenda` `timeline` `happened` | what changes at which time: inside the network, in the hosts; what came of it |
//! | `work` `service` `programs` `process` `output` | what runs in the hosts, and what it says |
//! | `control` `live_set` `standing` | how `exec`, `set`, `ps` and `status` reach a run; how its links stand |
//! | `owner` | what a run hears from the process that it belongs to, where that is a program and not a person |
//! | `show` | what frames meet in each link, in virtual time |
//! | `disk` `given` | scenario files and the tables that they name; those that live changes name |
//! | `confinement` | what a run gives up once it is set up |
//! | `out_dir` `captures` | what `--out` leaves; captures of links among it |

mod agenda;
mod captures;
pub mod clock;
mod conclusion;
mod confinement;
pub mod control;
mod correct;
mod course;
mod disk;
mod forward;
mod gaps;
mod gate;
pub mod given;
mod happened;
pub mod lateness;
pub mod live;
mod live_set;
pub(crate) mod memory;
mod node_set;
pub mod out_dir;
mod output;
pub(crate) mod owner;
mod plugs;
mod ports;
mod process;
pub mod programs;
mod scheduling;
mod service;
pub mod show;
mod spin;
mod standing;
pub mod supervisor;
mod taps;
mod timeline;
mod tunnel;
mod uplink;
pub mod validity;
mod workload;

pub use disk::{Disk, Remembering};
pub use supervisor::{Inside, Options, RunError, Watcher, run};
