//! The largest packet of a link or an interface, as a scenario writes it.

use serde::{Deserialize, Deserializer};

use super::form::forms;
use crate::units::ByteSize;

/// An MTU in L3 bytes, 68 (RFC 791) to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtu(pub u32);

forms! {
    Mtu, "Mtu", "an mtu in bytes, as in `1500`,";
    text { "type": "integer", "minimum": 68, "maximum": 65535 } => |text| {
        let bytes = text.parse::<ByteSize>().map(ByteSize::as_bytes).or_else(|_| text.parse());
        match bytes.map_err(|_| format!("expected an mtu in bytes, as in `1500`, found `{text}`"))? {
            mtu @ 68..=65_535 => Ok(Mtu(mtu as u32)),
            mtu => Err(format!("an mtu of {mtu} is out of range: 68 to 65535 bytes")),
        }
    };
}

/// Reads an MTU that may be left out, as a plain number.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<Mtu>::deserialize(deserializer)?.map(|Mtu(mtu)| mtu))
}
