//! Pictures of a network: what frames meet in a link (`show`), and who is joined to whom (`topology`), as text, SVG or DOT.

pub mod show;
pub mod topology;
