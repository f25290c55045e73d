//! UDP streams: paced, numbered and stamped by the sender, accounted for by the receiver.

mod account;
pub(super) mod corrected;
mod datagram;
mod jitter;
pub(super) mod receive;
pub(super) mod send;
mod sequence;
