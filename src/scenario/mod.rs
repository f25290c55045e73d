//! A scenario file from text to [`Resolved`]: the stages of `language`, `topology`, `addressing` and `tasks` in their order, all
//! errors at once; and what is told of the language: the schema and the listing of the plan.
//!
//! Begin with `load`.

mod computed;
mod file;
mod listing;
mod load;
mod schema;
#[cfg(test)]
pub(crate) mod tests;

pub use listing::listing;
pub use load::{load, load_combination};
pub use schema::schema;

pub use crate::tasks::resolved::Resolved;

/// What the command line says beside the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--param NAME=TEXT`, in order; the last of a name counts.
    pub params: Vec<(String, String)>,
    /// `--seed N`.
    pub seed: Option<u64>,
    /// It is to run in virtual time: what cannot is an error, and trains are not held together.
    pub virtual_time: bool,
}
