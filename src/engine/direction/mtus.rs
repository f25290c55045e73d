//! The largest packets that a direction lets through, packed: most of a large network's memory is idle directions.

use crate::engine::DirectionSpec;

/// Where there is none.
const NONE: u32 = u32::MAX;

/// MTUs in L3 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mtus {
    link: u32,
    port: u32,
}

impl Mtus {
    pub(super) fn of(spec: &DirectionSpec) -> Mtus {
        Mtus { link: spec.mtu.unwrap_or(NONE), port: spec.port_mtu.unwrap_or(NONE) }
    }

    /// The link's own.
    pub(super) fn link(self) -> Option<u32> {
        Some(self.link).filter(|mtu| *mtu != NONE)
    }

    /// That of the interface at the far end.
    pub(super) fn port(self) -> Option<u32> {
        Some(self.port).filter(|mtu| *mtu != NONE)
    }

    /// What both let through.
    #[inline]
    pub(super) fn largest(self) -> Option<u32> {
        Some(self.link.min(self.port)).filter(|mtu| *mtu != NONE)
    }
}
