//! A dumbbell: hosts to the left and to the right, and one link in the middle that all of them share.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::drawing::Drawing;
use super::members::{Member, Who, who};
use crate::language::spanned::{Names, Spanned};
use crate::model::form::forms;
use crate::topology::link::Fields;
use crate::topology::node::NodeSpec;

/// A dumbbell: hosts to the left and to the right, and one link `NAME-bottleneck` in the middle that all of them share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DumbbellSpec {
    /// The hosts to the left: how many are made (`NAME-left-1`, …), or a group or list of those that are there.
    left: Spanned<Side>,
    /// The hosts to the right: how many are made (`NAME-right-1`, …), or a group or list of those that are there.
    right: Spanned<Side>,
    /// What the two nodes in the middle are, `NAME-node-1` and `NAME-node-2`. By default routers.
    #[serde(rename = "nodes")]
    #[schemars(with = "Option<NodeSpec>")]
    _nodes: Option<IgnoredAny>,
    /// What differs on the link in the middle.
    #[serde(rename = "bottleneck")]
    #[schemars(with = "Option<Fields>")]
    _bottleneck: Option<IgnoredAny>,
}

/// Hosts on one side: a number, a group, or a list.
#[derive(Clone, Debug)]
enum Side {
    /// So many are made.
    Count(u64),
    /// They are there.
    Of(Names),
}

forms! {
    Side, "Side", "a number of hosts, a group, or a list of nodes and groups,";
    text { "type": "string" } => |text| Ok(Side::Of(Names::one(text)));
    number { "type": "integer", "minimum": 1 } => |count| Ok(Side::Count(count));
    list Vec<Spanned<String>> => |list| Ok(Side::Of(Names(list)));
}

pub(super) fn draw(drawing: &mut Drawing<'_, '_>) -> Option<()> {
    let spec: DumbbellSpec = drawing.spec()?;
    let mut sides = Vec::new();
    for side in [&spec.left, &spec.right] {
        let span = side.span;
        sides.push(match &side.value {
            Side::Count(count) => who(drawing, Some(&Spanned { value: *count, span }), None, 1),
            Side::Of(of) => who(drawing, None, Some(&Spanned { value: of.clone(), span }), 1),
        }?);
    }
    let (made, all): (u64, u64) = sides
        .iter()
        .fold((2, 1), |(made, all), side| (made.saturating_add(side.made()), all.saturating_add(side.len())));
    drawing.room(u128::from(made), u128::from(all))?;
    let kind = drawing.kind("router")?;
    let middle = [1, 2].map(|k| drawing.node("node", &format!("node-{k}"), &kind));
    let shared = drawing.fields_of("bottleneck")?;
    let fields = drawing.fields.clone();
    for ((side, who), node) in ["left", "right"].into_iter().zip(sides).zip(&middle) {
        let hosts: Vec<Member> = match who {
            Who::Made(count) => (1..=count).map(|k| drawing.host(side, &format!("{side}-{k}"))).collect(),
            Who::Named(members) => members,
        };
        for (at, host) in hosts.iter().enumerate() {
            let (group, tail) = (format!("link-{side}"), format!("link-{side}-{}", at + 1));
            drawing.link(Some(&group), &tail, [node, host], &fields);
        }
    }
    drawing.link(None, "bottleneck", [&middle[0], &middle[1]], &shared);
    Some(())
}
