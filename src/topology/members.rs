//! Hosts and routers with the links that they are attached to.

use super::node::NodeSpec;
use crate::diag::Span;

/// A host, external ones included, or a router, with its links.
pub(crate) struct Attached<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where that stands.
    pub span: Span,
    /// What the file says of it.
    pub spec: &'a NodeSpec,
    /// Its interfaces in the order of their links.
    pub attachments: Vec<Attachment<'a>>,
}

/// One interface's link.
pub(crate) struct Attachment<'a> {
    /// The interface's name.
    pub interface: String,
    /// The link's name.
    pub link: &'a str,
    /// The `mtu` of the direction away from the node, if the link says one, and where.
    pub mtu: Option<(u32, Option<Span>)>,
    /// The `mtu` of the direction toward the node, if the link says one.
    pub takes: Option<u32>,
    /// The segment that it is on.
    pub segment: usize,
}

/// Both kinds of nodes that have addresses.
pub(crate) struct Members<'a> {
    /// Hosts, external ones included, in file order.
    pub hosts: Vec<Attached<'a>>,
    /// Routers in file order.
    pub routers: Vec<Attached<'a>>,
    /// How many segments there are.
    pub segments: usize,
}

impl Attached<'_> {
    /// The segment of each interface.
    pub(crate) fn segments(&self) -> Vec<usize> {
        self.attachments.iter().map(|attachment| attachment.segment).collect()
    }
}
