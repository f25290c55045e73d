//! How frames enter and leave the engine.

pub mod epoll;
pub mod tap;
pub mod tap_frames;
