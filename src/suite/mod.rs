//! Many scenarios as one suite: `longwire test`. Each run is a process of its own.
//!
//! | file | idea |
//! |---|---|
//! | `discover` | which files |
//! | `plan` `case` `shard` | all combinations of all files, checked; one run; a share of them |
//! | `runner` `child` | all runs, so many at a time; one run as a process |
//! | `room` | how many guests in virtual time this machine has room for |
//! | `identical` | whether two runs left the same bytes |
//! | `trial` | a kernel for virtual time, tried: what `doctor` does |
//! | `outcome` | what a run came to, and the exit code of many |
//! | `summary` `html` `json` `junit` `github` | the suite for people, programs, CI servers and GitHub |
//! | `matrix` `table` | the runs of a scenario beside each other; the same as CSV and Markdown |
//! | `test_case` | a run as test cases: itself, and each of its expectations |
//! | `calibrate` | how well this machine keeps up: what `doctor --calibrate` measures |

pub mod calibrate;
pub mod case;
mod child;
pub mod discover;
pub mod github;
pub mod html;
pub mod identical;
pub mod json;
pub mod junit;
pub mod matrix;
pub mod outcome;
pub mod plan;
pub mod room;
pub mod runner;
pub mod shard;
pub mod summary;
pub mod table;
mod test_case;
pub mod trial;

pub use case::{Case, Param, Repetition};
pub use child::Launch;
pub use discover::{Found, discover};
pub use outcome::{Outcome, Status, exit_code};
pub use plan::{Plan, Selection, Wrong, check_combinations, plan};
pub use room::Room;
pub use runner::{Ended, Options, Watcher, refused, run};
pub use shard::Shard;
