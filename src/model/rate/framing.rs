//! What a frame costs on the wire beyond its own bytes.
//!
//! Sources: IEEE 802.3 §3.1.1 and §4.4.2 (Ethernet); RFC 2684 (bridged and routed frames over AAL5), RFC 2364 (PPP over
//! AAL5), RFC 2516 (PPP over Ethernet), ITU-T I.363.5 (AAL5); tc-stab(8) and tc-netem(8) for overhead, smallest size and
//! cells of any kind.

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::model::form::forms;
use crate::units::ByteSize;

/// What a frame costs on the wire beyond its own bytes. Words: `none`, `ethernet`, `atm`; or a number of bytes, which may
/// be negative; or a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// The Ethernet frame without its FCS: what a capture shows.
    #[default]
    None,
    /// IEEE 802.3 on the wire: 24 more bytes (preamble 8, FCS 4, interpacket gap 12).
    Ethernet,
    /// So many more bytes a frame; fewer if negative.
    Overhead(i32),
    /// ATM cells of 48 bytes in 53, AAL5.
    Atm(Encapsulation),
    /// All that `tc … stab` and netem's `rate` can say.
    Own(Own),
}

/// Overhead, smallest size and cells, in the order in which they take effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// So many more bytes a frame; fewer if negative. Not below 0 bytes in all.
    pub overhead: i32,
    /// A frame with its overhead counts so many bytes at least.
    pub minimum: u16,
    /// Payload of a cell, of which the last is filled up; 0 for no cells.
    pub cell_size: u16,
    /// What each cell costs beyond its payload.
    pub cell_overhead: u16,
}

/// How frames are put into AAL5. The hosts' frames are Ethernet all the same: what does not carry their header leaves it
/// away, and what adds PPPoE adds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encapsulation {
    /// Bridged Ethernet without FCS, LLC/SNAP (RFC 2684 §5.2): 10 bytes and the AAL5 trailer.
    #[default]
    BridgedLlc,
    /// Bridged Ethernet without FCS, VC multiplexed (RFC 2684 §6.2): 2 bytes and the trailer.
    BridgedVcMux,
    /// Routed IP, LLC/SNAP (RFC 2684 §5.1): 8 bytes and the trailer, no Ethernet header.
    IpoaLlc,
    /// Routed IP, VC multiplexed (RFC 2684 §6.1): the trailer, no Ethernet header.
    IpoaVcMux,
    /// PPP over Ethernet, bridged with LLC/SNAP (RFC 2516): 8 bytes more than `bridged_llc`.
    PppoeLlc,
    /// PPP over Ethernet, bridged and VC multiplexed: 8 bytes more than `bridged_vc_mux`.
    PppoeVcMux,
    /// PPP over AAL5 with LLC/NLPID (RFC 2364 §4): 4 bytes, PPP 2, and the trailer, no Ethernet header.
    PppoaLlc,
    /// PPP over AAL5, VC multiplexed (RFC 2364 §3): PPP 2 and the trailer, no Ethernet header.
    PppoaVcMux,
}

/// Preamble and SFD 8, FCS 4, interpacket gap 12 bytes (IEEE 802.3 §3.1.1, §4.4.2).
const ETHERNET_OVERHEAD: u64 = 24;
/// Destination, source, EtherType.
const ETHERNET_HEADER: i32 = 14;
/// CPCS-UU, CPI, length, CRC-32 (ITU-T I.363.5).
const AAL5_TRAILER: i32 = 8;
/// PPPoE header 6 and PPP protocol 2 (RFC 2516).
const PPPOE: i32 = 8;
/// Payload and header of an ATM cell.
const ATM_CELL: (u64, u64) = (48, 5);
/// More than any encapsulation adds or a frame has, and small enough that sums stay exact.
const MAX: i32 = 65_535;

impl Encapsulation {
    /// What AAL5 carries beyond the Ethernet frame without FCS, its trailer included, in bytes.
    const fn overhead(self) -> i32 {
        AAL5_TRAILER
            + match self {
                Encapsulation::BridgedLlc => 10,
                Encapsulation::BridgedVcMux => 2,
                Encapsulation::IpoaLlc => 8 - ETHERNET_HEADER,
                Encapsulation::IpoaVcMux => -ETHERNET_HEADER,
                Encapsulation::PppoeLlc => 10 + PPPOE,
                Encapsulation::PppoeVcMux => 2 + PPPOE,
                Encapsulation::PppoaLlc => 4 + 2 - ETHERNET_HEADER,
                Encapsulation::PppoaVcMux => 2 - ETHERNET_HEADER,
            }
    }
}

impl Encapsulation {
    /// The word for it.
    const fn word(self) -> &'static str {
        match self {
            Encapsulation::BridgedLlc => "bridged_llc",
            Encapsulation::BridgedVcMux => "bridged_vc_mux",
            Encapsulation::IpoaLlc => "ipoa_llc",
            Encapsulation::IpoaVcMux => "ipoa_vc_mux",
            Encapsulation::PppoeLlc => "pppoe_llc",
            Encapsulation::PppoeVcMux => "pppoe_vc_mux",
            Encapsulation::PppoaLlc => "pppoa_llc",
            Encapsulation::PppoaVcMux => "pppoa_vc_mux",
        }
    }
}

impl Own {
    fn on_wire(self, bytes: u64) -> u64 {
        let bytes = bytes.saturating_add_signed(i64::from(self.overhead)).max(u64::from(self.minimum));
        cells(bytes, u64::from(self.cell_size), u64::from(self.cell_overhead))
    }
}

fn cells(bytes: u64, size: u64, overhead: u64) -> u64 {
    if size == 0 { bytes } else { bytes.div_ceil(size) * (size + overhead) }
}

impl Framing {
    /// What Mahimahi counts of a packet: what a TUN device hands over, the IP packet with 4 bytes in front, instead of the
    /// Ethernet frame (link_queue.hh: 1,504 bytes are an MTU of 1,500).
    pub const TUN: Framing = Framing::Overhead(4 - ETHERNET_HEADER);

    /// The bytes that a frame of `bytes` occupies on the wire.
    #[inline]
    pub fn on_wire(self, bytes: u64) -> u64 {
        match self {
            Framing::None => bytes,
            Framing::Ethernet => bytes + ETHERNET_OVERHEAD,
            Framing::Overhead(more) => bytes.saturating_add_signed(i64::from(more)),
            Framing::Atm(encapsulation) => {
                let carried = bytes.saturating_add_signed(i64::from(encapsulation.overhead()));
                cells(carried, ATM_CELL.0, ATM_CELL.1)
            }
            Framing::Own(own) => own.on_wire(bytes),
        }
    }

    /// In a few words, for reports; empty where a frame costs its own bytes.
    pub fn words(self) -> String {
        match self {
            Framing::None => String::new(),
            Framing::Ethernet => "ethernet".into(),
            Framing::Overhead(more) => format!("{more:+}B"),
            Framing::Atm(encapsulation) => format!("atm {}", encapsulation.word()),
            Framing::Own(Own { overhead, minimum, cell_size, cell_overhead }) => {
                let mut words = format!("{overhead:+}B");
                if minimum > 0 {
                    words.push_str(&format!(" at least {minimum}B"));
                }
                if cell_size > 0 {
                    words.push_str(&format!(" cells of {cell_size}+{cell_overhead}B"));
                }
                words
            }
        }
    }
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Long {
    /// ATM cells of 48 bytes in 53, AAL5, with frames put into it this way. Stands alone.
    atm: Option<Encapsulation>,
    /// So many more bytes a frame; fewer if negative.
    overhead: Option<Signed>,
    /// A frame with its overhead counts so many bytes at least.
    minimum: Option<Signed>,
    /// Payload of a cell, of which the last is filled up.
    cell_size: Option<Signed>,
    /// What each cell costs beyond its payload. Goes with `cell_size`.
    cell_overhead: Option<Signed>,
}

impl TryFrom<Long> for Framing {
    type Error = String;
    fn try_from(long: Long) -> Result<Framing, String> {
        let Long { atm, overhead, minimum, cell_size, cell_overhead } = long;
        let own = [overhead, minimum, cell_size, cell_overhead];
        if let Some(encapsulation) = atm {
            if own.iter().any(Option::is_some) {
                return Err("`atm` stands alone: its overhead and cells are given; other ones go with `overhead`, \
                            `cell_size` and `cell_overhead`"
                    .into());
            }
            return Ok(Framing::Atm(encapsulation));
        }
        if own.iter().all(Option::is_none) {
            return Err("this framing says nothing: write `none`, or `atm`, `overhead`, `minimum`, `cell_size`".into());
        }
        let positive = |name: &str, value: Option<Signed>, least: i32| match value {
            None => Ok(0),
            Some(Signed(n)) if n < least => Err(format!("`{name}: {n}` is too small: {least} to {MAX} bytes")),
            Some(Signed(n)) => Ok(n as u16),
        };
        let own = Own {
            overhead: overhead.map_or(0, |Signed(n)| n),
            minimum: positive("minimum", minimum, 0)?,
            cell_size: positive("cell_size", cell_size, 1)?,
            cell_overhead: positive("cell_overhead", cell_overhead, 0)?,
        };
        if cell_overhead.is_some() && cell_size.is_none() {
            return Err("`cell_overhead` goes with `cell_size`".into());
        }
        Ok(if minimum.is_none() && cell_size.is_none() { Framing::Overhead(own.overhead) } else { Framing::Own(own) })
    }
}

/// Bytes as people write them where the field writes bare numbers: `22`, `22B`, `-10`.
#[derive(Clone, Copy)]
struct Signed(i32);

impl Signed {
    fn new(bytes: i128) -> Result<Signed, String> {
        i32::try_from(bytes).ok().filter(|n| (-MAX..=MAX).contains(n)).map(Signed).ok_or_else(|| {
            let size = if bytes > 0 { "large" } else { "small" };
            format!("{bytes} bytes a frame are too {size}: from -{MAX} to {MAX}")
        })
    }

    /// `None` if it is no number of bytes.
    fn from_text(text: &str) -> Option<Result<Signed, String>> {
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let bytes = text.parse::<ByteSize>().map(ByteSize::as_bytes).or_else(|_| text.parse::<u64>()).ok()?;
        Some(Signed::new(sign * i128::from(bytes)))
    }
}

forms! {
    Signed, "FramingBytes": "A number of bytes.", "a number of bytes, as in `22`";
    text {
        "anyOf": [
            { "type": "integer", "minimum": -MAX, "maximum": MAX },
            { "type": "string", "pattern": "^-[0-9]+ ?B?$" },
            { "$ref": "#/$defs/ByteSize" },
        ],
    } => |text| {
        Signed::from_text(text).unwrap_or_else(|| Err(format!("expected a number of bytes, as in `22`, found `{text}`")))
    };
}

impl Serialize for Framing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Framing::None => serializer.serialize_str("none"),
            Framing::Ethernet => serializer.serialize_str("ethernet"),
            Framing::Overhead(more) => serializer.collect_str(&format_args!("{more}B")),
            Framing::Atm(encapsulation) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("atm", encapsulation)?;
                map.end()
            }
            Framing::Own(own) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("overhead", &own.overhead)?;
                map.serialize_entry("minimum", &own.minimum)?;
                if own.cell_size > 0 {
                    map.serialize_entry("cell_size", &own.cell_size)?;
                    map.serialize_entry("cell_overhead", &own.cell_overhead)?;
                }
                map.end()
            }
        }
    }
}

forms! {
    Framing, "Framing": "What a frame costs on the wire beyond its own bytes: `none`, `ethernet` (24 bytes), `atm` (cells of 48 bytes in 53), a number of bytes, or a map.",
    EXPECTED;
    words {
        "none" => Framing::None,
        "ethernet" => Framing::Ethernet,
        "atm" => Framing::Atm(Encapsulation::default()),
    }
    text { "$ref": "#/$defs/FramingBytes" } => |text| match Signed::from_text(text) {
        Some(bytes) => bytes.map(|Signed(n)| Framing::Overhead(n)),
        None => Err(format!("expected {EXPECTED}, found `{text}`")),
    };
    map Long => Framing::try_from;
}

const EXPECTED: &str =
    "`none`, `ethernet` (24 bytes a frame), `atm` (cells), the overhead of a frame in bytes, or a map";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn framing_counts_what_the_wire_carries() {
        assert_eq!(Framing::None.on_wire(1514), 1514);
        assert_eq!(Framing::Ethernet.on_wire(1514), 1538); // the 12.3 µs of a full frame on a gigabit wire
        assert_eq!(Framing::Overhead(0).on_wire(60), 60);
        assert_eq!(Framing::TUN.on_wire(1514), 1504);
        // never below nothing
        assert_eq!((Framing::Overhead(-60).on_wire(60), Framing::Overhead(-61).on_wire(60)), (0, 0));
    }

    #[test]
    fn atm_counts_whole_cells() {
        // tc-stab(8) has these, for a packet of IP: 14 more than for our frame
        for (encapsulation, beyond_ip) in [
            (Encapsulation::IpoaVcMux, 8),
            (Encapsulation::IpoaLlc, 16),
            (Encapsulation::BridgedVcMux, 24),
            (Encapsulation::BridgedLlc, 32),
            (Encapsulation::PppoaVcMux, 10),
            (Encapsulation::PppoaLlc, 14),
            (Encapsulation::PppoeVcMux, 32),
            (Encapsulation::PppoeLlc, 40),
        ] {
            let framing = Framing::Atm(encapsulation);
            for ip in [1u64, 20, 40, 100, 576, 1492, 1500] {
                let cells = (ip + beyond_ip).div_ceil(48);
                assert_eq!(framing.on_wire(ip + 14), cells * 53, "{encapsulation:?}, {ip} bytes of IP");
            }
        }
        // a TCP ACK without options, by PPPoA with VC multiplexing, is 40 + 10 = 50 bytes: two cells, and two bytes fewer one
        let pppoa = Framing::Atm(Encapsulation::PppoaVcMux);
        assert_eq!((pppoa.on_wire(54), pppoa.on_wire(52), pppoa.on_wire(53)), (106, 53, 106));
    }

    #[test]
    fn overhead_then_minimum_then_cells() {
        let own = |overhead, minimum, cell_size, cell_overhead| {
            Framing::Own(Own { overhead, minimum, cell_size, cell_overhead })
        };
        // `stab overhead 24 mpu 84`: the smallest frame on Ethernet's wire
        assert_eq!((own(24, 84, 0, 0).on_wire(59), own(24, 84, 0, 0).on_wire(61)), (84, 85));
        // `rate … 18 48 5` of netem is bridged Ethernet by LLC
        for bytes in 0..3000 {
            assert_eq!(own(18, 0, 48, 5).on_wire(bytes), Framing::Atm(Encapsulation::BridgedLlc).on_wire(bytes));
        }
        assert_eq!(own(-100, 0, 48, 5).on_wire(60), 0);
        assert_eq!(own(-100, 1, 48, 5).on_wire(60), 53);
    }

    #[test]
    fn scenario_forms() {
        assert_eq!(from_json(json!("ethernet")), Ok(Framing::Ethernet));
        assert_eq!(from_json(json!(42)), Ok(Framing::Overhead(42)));
        assert_eq!(from_json(json!("42B")), Ok(Framing::Overhead(42)));
        assert_eq!(from_json(json!(-10)), Ok(Framing::Overhead(-10)));
        assert_eq!(from_json(json!("-10B")), Ok(Framing::Overhead(-10)));
        assert_eq!(from_json(json!({"overhead": -10})), Ok(Framing::Overhead(-10)));
        assert_eq!(from_json(json!("atm")), Ok(Framing::Atm(Encapsulation::BridgedLlc)));
        assert_eq!(from_json(json!({"atm": "pppoa_vc_mux"})), Ok(Framing::Atm(Encapsulation::PppoaVcMux)));
        for (wrong, words) in [
            (json!(70_000), "too large"),
            (json!(-70_000), "too small"),
            (json!("etherent"), "or a map"),
            (json!({}), "says nothing"),
            (json!({"atm": "bridged_llc", "overhead": 4}), "stands alone"),
            (json!({"cell_overhead": 5}), "goes with `cell_size`"),
            (json!({"cell_size": 0}), "1 to 65535"),
            (json!({"minimum": -1}), "0 to 65535"),
            (json!({"atm": "llc"}), "unknown variant `llc`"),
            (json!({"overhed": 4}), "unknown field `overhed`"),
        ] {
            let error = from_json::<Framing>(wrong.clone()).unwrap_err();
            assert!(error.contains(words), "{wrong}: {error}");
        }
        let own = Own { overhead: -4, minimum: 64, cell_size: 48, cell_overhead: 5 };
        for framing in [
            Framing::None,
            Framing::Ethernet,
            Framing::Overhead(9),
            Framing::Overhead(-9),
            Framing::Atm(Encapsulation::IpoaLlc),
            Framing::Own(own),
            Framing::Own(Own { cell_size: 0, cell_overhead: 0, ..own }),
        ] {
            assert_eq!(from_json(serde_json::to_value(framing).unwrap()), Ok(framing));
        }
    }

    #[test]
    fn it_is_small_because_each_direction_has_one() {
        assert!(size_of::<Framing>() <= 16, "{} bytes", size_of::<Framing>());
    }
}
