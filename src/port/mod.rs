//! How frames enter and leave the engine.

pub mod tap;
