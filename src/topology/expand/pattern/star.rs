//! A star: each leaf is joined with the centre.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::drawing::Drawing;
use super::members::{Member, Who, who};
use crate::language::spanned::{Names, Spanned};
use crate::topology::node::NodeSpec;

/// A star: each leaf is joined with the centre. A number or a group's name alone says its leaves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StarSpec {
    /// So many hosts are made as leaves: `NAME-host-1`, ….
    count: Option<Spanned<u64>>,
    /// The leaves, if they are there: a group, or a list of nodes and groups.
    of: Option<Spanned<Names>>,
    /// The centre, if it is there. By default a node `NAME-center` is made.
    center: Option<Spanned<String>>,
    /// What the centre is, if it is made. By default a switch.
    #[serde(rename = "nodes")]
    #[schemars(with = "Option<NodeSpec>")]
    nodes: Option<Spanned<IgnoredAny>>,
}

pub(super) fn draw(drawing: &mut Drawing<'_, '_>) -> Option<()> {
    let spec: StarSpec = drawing.spec()?;
    let leaves = who(drawing, spec.count.as_ref(), spec.of.as_ref(), 1)?;
    if let (Some(_), Some(nodes)) = (&spec.center, &spec.nodes) {
        let message = "`nodes` says what a centre is that is made, and `center` names one that is there";
        return drawing.wrong(nodes.span, message, "keep one");
    }
    let made = u128::from(leaves.made()) + u128::from(spec.center.is_none());
    drawing.room(made, u128::from(leaves.len()))?;
    let center = match spec.center {
        Some(center) => Member { text: center.value, span: center.span },
        None => {
            let kind = drawing.kind("switch")?;
            drawing.lone_node("center", &kind)
        }
    };
    let leaves: Vec<Member> = match leaves {
        Who::Made(count) => (1..=count).map(|k| drawing.host("host", &format!("host-{k}"))).collect(),
        Who::Named(members) => members,
    };
    let fields = drawing.fields.clone();
    for (at, leaf) in leaves.iter().enumerate() {
        drawing.link(None, &format!("link-{}", at + 1), [&center, leaf], &fields);
    }
    Some(())
}
