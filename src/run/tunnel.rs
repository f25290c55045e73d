//! What the report says of a tunnel to another site, and of the path there.

use super::live::PortOutcome;
use crate::addressing::network::Place;
use crate::measured::Times;
use crate::port::path::Measured;
use crate::port::site;
use crate::report::json::{SitePath, Tunnel};
use crate::topology::site::{Encapsulation, PathSpec};
use crate::units::Duration;

/// What a port to another site has counted beside frames. `late`: frames that were on the path for too long.
pub(super) fn tunnel(place: &Place, counted: &PortOutcome, late: impl FnOnce() -> u64) -> Option<Tunnel> {
    let Place::ExternalUdp { peer, vni, encapsulation, .. } = place else { return None };
    let site::Counted { wrong_peer, wrong_vni, too_long, unreachable, reason } = *counted.tunnel.as_ref()?;
    let path = match (encapsulation, &counted.path) {
        (Encapsulation::Longwire(asked), Some(measured)) => Some(site_path(asked, measured, late())),
        _ => None,
    };
    let (encapsulation, peer) = (encapsulation.name().into(), peer.to_string());
    let reason = reason.map(Into::into);
    Some(Tunnel { encapsulation, peer, vni: *vni, wrong_peer, wrong_vni, too_long, unreachable, reason, path })
}

fn site_path(asked: &PathSpec, measured: &Measured, late: u64) -> SitePath {
    let Measured { round_trip, clock, drift_ppb, steps, frames, unknown, uncertain, lost, reordered, .. } = *measured;
    SitePath {
        included: asked.is_included(),
        clock_error_limit_ns: asked.clock_error.map(Duration::as_nanos),
        frames,
        delay_ns: Times::of(&measured.delay),
        round_trip_ns: round_trip,
        offset_ns: clock.map(|clock| clock.offset),
        error_ns: clock.map(|clock| clock.error),
        drift_ppb,
        steps,
        unknown,
        uncertain,
        late,
        lost,
        reordered,
    }
}
