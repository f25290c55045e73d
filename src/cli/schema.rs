//! `longwire schema`.

use super::{Exit, paint};
use crate::diag::printable::Printable;
use crate::scenario::schema;

/// Print the JSON Schema of scenario files, for editors
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn main(_: &Args) -> Exit {
    let text = serde_json::to_string_pretty(&schema()).expect("a schema is plain data");
    paint::print(&Printable::json(&(text + "\n")));
    Exit::Pass
}
