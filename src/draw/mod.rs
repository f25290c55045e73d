//! Pictures of a network, before and without a run: what frames meet in a link (`show`), who is joined to whom (`topology`), as
//! text, SVG or DOT; and all of a scenario in some ten lines (`summary`).

pub mod show;
pub mod summary;
pub mod topology;
