//! One TCP connection, as fast as it goes, with its contents checked.

mod content;
mod info;
pub(super) mod receive;
pub(super) mod send;
