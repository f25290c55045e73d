//! Another site as an external machine, `udp`: where it is, and which network there.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Diagnostics, Span};
use crate::language::spanned::Spanned;
use crate::model::form::text_form;
use crate::wire::vxlan::{LARGEST_VNI, PORT};

/// Another site, reached by VXLAN (RFC 7348): another longwire, a kernel's `vxlan` interface or Open vSwitch.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteSpec {
    /// The address and UDP port of this machine that datagrams come to. By default port 4789 of every address.
    pub listen: Option<Spanned<Endpoint>>,
    /// The address of the other site, and its UDP port if that is not 4789. Only what this address sends is taken in.
    pub peer: Spanned<Endpoint>,
    /// The VXLAN network identifier, 0 to 16777215: the same at both ends.
    #[schemars(with = "u32", range(max = 16_777_215))]
    pub vni: Spanned<u32>,
}

/// An address with a UDP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(pub SocketAddr);

text_form!(Endpoint, "Endpoint", "an address, and a UDP port if it is not 4789, as in `192.0.2.7:4789`", endpoint, {
    "type": "string", "pattern": r"^[0-9a-fA-F.:\[\]]+$|^\$[A-Za-z_]"
});

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let alone = || Some(SocketAddr::new(text.parse().ok()?, PORT));
    match text.parse().ok().or_else(alone) {
        Some(address) if address.port() > 0 => Ok(Endpoint(address)),
        _ => Err(format!(
            "`{text}` is no address and UDP port: write them as in `192.0.2.7:4789` or `[2001:db8::7]:4789`"
        )),
    }
}

impl SiteSpec {
    /// Where this machine receives.
    pub(crate) fn listen(&self) -> SocketAddr {
        let any = match self.peer.0 {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        self.listen.as_ref().map_or(SocketAddr::new(any, PORT), |listen| listen.0)
    }

    /// Tells what cannot be.
    pub(crate) fn check(&self, diagnostics: &mut Diagnostics) {
        let mut refuse = |span: Span, message: String, help: &str| {
            diagnostics.error(span, message).help(help);
        };
        let (listen, peer) = (self.listen(), self.peer.0.ip());
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
        if listen == self.peer.0 {
            refuse(self.peer.span, format!("{listen} would be its own peer"), "name the other site");
        }
    }
}
