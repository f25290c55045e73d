//! Another site as an external machine, `udp`: where it is, which network there, and how frames travel.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diag::{Diagnostics, Span};
use crate::language::spanned::Spanned;
use crate::model::form::{forms, text_form};
use crate::units::Duration;
use crate::wire::vxlan::LARGEST_VNI;
use crate::wire::{ethernet, ipv4, ipv6, site, udp, vxlan};

/// Another site, reached by UDP: another longwire, or by VXLAN also a kernel's `vxlan` interface or Open vSwitch.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteSpec {
    /// The address and UDP port of this machine that datagrams come to. By default every address, and the port of the encapsulation:
    /// 4789 of VXLAN, 4793 of longwire's own.
    pub listen: Option<Spanned<Endpoint>>,
    /// The address of the other site, and its UDP port if that is not the encapsulation's. Only what this address sends is taken in.
    pub peer: Spanned<Endpoint>,
    /// The network's identifier (VNI), 0 to 16777215: the same at both ends.
    #[schemars(with = "u32", range(max = 16_777_215))]
    pub vni: Spanned<u32>,
    /// What stands before each frame: `vxlan`, or between two longwires `longwire`, which measures the path. The same at both ends; by
    /// default `vxlan`.
    #[serde(default)]
    pub encapsulation: Encapsulation,
}

/// What stands before each frame on its way to another site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encapsulation {
    /// VXLAN (RFC 7348).
    #[default]
    Vxlan,
    /// longwire's own header, with time stamps.
    Longwire(PathSpec),
}

/// What a file may say of it in a map.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "EncapsulationSettings")]
#[serde(deny_unknown_fields)]
struct EncapsulationSpec {
    /// longwire's own header, by which both ends measure the path between them.
    longwire: PathSpec,
}

forms! {
    Encapsulation, "SiteEncapsulation", "`vxlan`, `longwire`, or a map with `longwire`";
    words { "vxlan" => Encapsulation::Vxlan, "longwire" => Encapsulation::Longwire(PathSpec::default()) }
    map EncapsulationSpec => |spec| Ok(Encapsulation::Longwire(spec.longwire));
}

/// What is done with the measured path to another longwire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PathSpec {
    /// Whether the path's delay comes on top of that of the link which frames enter by, or is a part of it. By default `added`.
    pub path_delay: PathDelay,
    /// How well the other machine's clock has to be known: the run is INVALID where the error is larger. By default any error is good
    /// enough.
    pub clock_error: Option<Duration>,
}

impl PathSpec {
    /// Whether the link's delay includes the path's.
    pub fn is_included(&self) -> bool {
        self.path_delay == PathDelay::Included
    }
}

/// How the delay of a path and that of a link go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathDelay {
    /// Frames meet both.
    #[default]
    Added,
    /// The link's delay counts from when the other site sent a frame.
    Included,
}

impl Encapsulation {
    /// In a word or two, for people.
    pub fn words(self) -> &'static str {
        match self {
            Encapsulation::Vxlan => "VXLAN",
            Encapsulation::Longwire(_) => "longwire's encapsulation",
        }
    }

    /// Its name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Encapsulation::Vxlan => "vxlan",
            Encapsulation::Longwire(_) => "longwire",
        }
    }

    /// The UDP port where none is named.
    fn port(self) -> u16 {
        match self {
            Encapsulation::Vxlan => vxlan::PORT,
            Encapsulation::Longwire(_) => site::PORT,
        }
    }

    /// What stands before a frame's IP packet on the way to `peer`, in bytes: IP, UDP, the header of the encapsulation, and Ethernet.
    pub fn overhead(self, peer: IpAddr) -> u32 {
        let ip = if peer.is_ipv4() { ipv4::MIN_HEADER_LEN } else { ipv6::HEADER_LEN };
        let header = match self {
            Encapsulation::Vxlan => vxlan::HEADER_LEN,
            Encapsulation::Longwire(_) => site::HEADER_LEN,
        };
        (ip + udp::HEADER_LEN + header + ethernet::HEADER_LEN) as u32
    }
}

/// An address, and a UDP port if one is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(IpAddr, Option<u16>);

text_form!(Endpoint, "Endpoint", "an address, or an address and a UDP port, as in `192.0.2.7:4789`", endpoint, {
    "type": "string", "pattern": r"^[0-9a-fA-F.:\[\]]+$|^\$[A-Za-z_]"
});

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let alone = || Some(Endpoint(text.parse().ok()?, None));
    let both = text.parse().ok().map(|address: SocketAddr| Endpoint(address.ip(), Some(address.port())));
    match both.or_else(alone) {
        Some(endpoint) if endpoint.1 != Some(0) => Ok(endpoint),
        _ => Err(format!(
            "`{text}` is no address and UDP port: write them as in `192.0.2.7:4789` or `[2001:db8::7]:4789`"
        )),
    }
}

impl SiteSpec {
    /// Where the other site is.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.full(*self.peer)
    }

    /// Where this machine receives.
    pub(crate) fn listen(&self) -> SocketAddr {
        let any = match self.peer.0 {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        self.full(self.listen.as_ref().map_or(Endpoint(any, None), |listen| listen.value))
    }

    fn full(&self, Endpoint(address, port): Endpoint) -> SocketAddr {
        SocketAddr::new(address, port.unwrap_or(self.encapsulation.port()))
    }

    /// What its interface is called.
    pub(crate) fn interface(&self) -> &'static str {
        match self.encapsulation {
            Encapsulation::Vxlan => "vxlan0",
            Encapsulation::Longwire(_) => "udp0",
        }
    }

    /// Tells what cannot be.
    pub(crate) fn check(&self, diagnostics: &mut Diagnostics) {
        let mut refuse = |span: Span, message: String, help: &str| {
            diagnostics.error(span, message).help(help);
        };
        let (listen, peer) = (self.listen(), self.peer.0);
        if *self.vni > LARGEST_VNI {
            let message = format!("a `vni` of {} has more than 24 bits", *self.vni);
            refuse(self.vni.span, message, &format!("write 0 to {LARGEST_VNI}"));
        }
        if peer.is_unspecified() || peer.is_multicast() || peer == IpAddr::V4(Ipv4Addr::BROADCAST) {
            refuse(self.peer.span, format!("{peer} is no machine's address"), "name the address of one other site");
        }
        if listen.is_ipv4() != peer.is_ipv4() {
            let span = self.listen.as_ref().map_or(self.peer.span, |listen| listen.span);
            let message = format!("`listen` and `peer` are of two families: {} and {peer}", listen.ip());
            refuse(span, message, "write both as IPv4 or both as IPv6");
        }
        if listen == self.peer() {
            refuse(self.peer.span, format!("`listen` and `peer` are both {listen}"), "name the other site");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encapsulation_has_its_overhead() {
        // 14 bytes of Ethernet, 8 of VXLAN or 40 of longwire, 8 of UDP, 20 or 40 of IP
        let of = |encapsulation: Encapsulation| {
            ["192.0.2.7", "2001:db8::7"].map(|peer| encapsulation.overhead(peer.parse().unwrap()))
        };
        assert_eq!(of(Encapsulation::Vxlan), [50, 70]);
        assert_eq!(of(Encapsulation::Longwire(PathSpec::default())), [82, 102]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let included = PathSpec { path_delay: PathDelay::Included, clock_error: Some(Duration::from_millis(1)) };
        for (encapsulation, text) in [
            (Encapsulation::Vxlan, r#""vxlan""#),
            (Encapsulation::Longwire(PathSpec::default()), r#""longwire""#),
            (
                Encapsulation::Longwire(included),
                r#"{ "longwire": { "path_delay": "included", "clock_error": "1ms" } }"#,
            ),
        ] {
            assert_eq!(serde_json::from_str::<Encapsulation>(text).unwrap(), encapsulation);
            let again = serde_json::to_string(&encapsulation).unwrap();
            assert_eq!(serde_json::from_str::<Encapsulation>(&again).unwrap(), encapsulation);
        }
    }
}
