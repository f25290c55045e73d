//! `switch:` as it stands in a file: a switch, its VLANs by number, and its trunks.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ends::End;
use crate::diag::{Diagnostic, Diagnostics, Span, suggestion};
use crate::language::spanned::Spanned;
use crate::model::form::{forms, text_form};
use crate::node::{PortVlans, SwitchSpec, VlanId, VlanSet};
use crate::units::Duration;

/// An Ethernet switch. Short form in a scenario: `ap: switch`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Switch")]
pub(crate) struct SwitchNode {
    /// An address that was not heard for so long is forgotten. IEEE 802.1D recommends 300 s.
    pub ageing: Duration,
    /// The switch with the lowest one is the root of the spanning tree; of equals the first in the file. 0 to 61440 in steps
    /// of 4096.
    pub priority: Priority,
    /// Whether it takes part in the spanning tree. With `off` it passes frames on by all of its ports, as a hub does.
    pub spanning_tree: SpanningTree,
    /// Frames to groups and to unknown addresses that each port takes in per second; in a burst a tenth of that.
    pub storm_control: StormControl,
    /// Ports that are in one VLAN, without tags: by its number a list of links, or of neighbours to which one link leads.
    /// Those that are neither here nor trunks are in VLAN 1.
    pub vlans: Option<IndexMap<Spanned<Vlan>, Vec<Spanned<String>>>>,
    /// Ports that carry several VLANs, told apart by tags: links, or neighbours to which one link leads.
    pub trunks: Option<Trunks>,
}

impl Default for SwitchNode {
    fn default() -> SwitchNode {
        let SwitchSpec { ageing, .. } = SwitchSpec::default();
        SwitchNode {
            ageing,
            priority: Priority(SwitchSpec::PRIORITY),
            spanning_tree: SpanningTree::On,
            storm_control: StormControl(Some(SwitchSpec::STORM_CONTROL)),
            vlans: None,
            trunks: None,
        }
    }
}

/// Whether a switch takes part in the spanning tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SpanningTree {
    /// It does.
    #[default]
    On,
    /// It passes frames on by all of its ports.
    Off,
}

/// The priority of a bridge: 0 to 61440 in steps of 4096 (IEEE 802.1D-2004 Table 17-2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Priority(u16);

/// Frames per second, or `off`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StormControl(Option<u32>);

/// The number of a VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Vlan(VlanId);

/// Consecutive VLANs: `10`, `10-19`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vlans(VlanId, VlanId);

/// The VLAN whose frames have no tags on a trunk, or `none`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Native(Option<VlanId>);

/// Trunks: a list of those that carry every VLAN, or a map that says more of each.
#[derive(Clone, Debug)]
pub(crate) struct Trunks(Vec<(Spanned<String>, TrunkSpec)>);

/// What a trunk carries.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Trunk")]
pub(crate) struct TrunkSpec {
    /// VLANs that pass: numbers, and ranges as in `10-19`. By default all.
    pub allowed: Option<Vec<Vlans>>,
    /// The VLAN whose frames have no tags, by default 1; `none`: frames without a tag do not pass.
    pub native: Option<Spanned<Native>>,
}

text_form!(Priority, "SwitchPriority", "a priority", priority, {
    "type": "integer", "minimum": 0, "maximum": 61440, "multipleOf": 4096
});
text_form!(StormControl, "StormControl", "frames per second, or `off`,", storm_control, {
    "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 1_000_000_000 }, { "const": "off" }]
});
text_form!(Vlan, "Vlan", "the number of a VLAN", |text| vlan(text).map(Vlan), {
    "type": "integer", "minimum": 1, "maximum": 4094
});
text_form!(Vlans, "Vlans", "the number of a VLAN, or a range as in `10-19`,", vlans, {
    "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": 4094 },
        { "type": "string", "pattern": "^[0-9]+(-[0-9]+)?$" },
    ]
});
text_form!(Native, "NativeVlan", "the number of a VLAN, or `none`,", native, {
    "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 4094 }, { "const": "none" }]
});
forms! {
    Trunks, "Trunks", "a list of links, as in `[uplink]`, or a map from link to what it carries";
    not text => |text| format!("trunks are a list: write `[{text}]`");
    list Vec<Spanned<String>> => |names| {
        Ok(Trunks(names.into_iter().map(|name| (name, TrunkSpec::default())).collect()))
    };
    map IndexMap<Spanned<String>, TrunkSpec> => |map| Ok(Trunks(map.into_iter().collect()));
}

fn priority(text: &str) -> Result<Priority, String> {
    match text.parse::<u32>() {
        Ok(number @ 0..=61_440) if number % 4096 == 0 => Ok(Priority(number as u16)),
        Ok(number) => {
            let near = (number.min(61_440) + 2048) / 4096 * 4096;
            Err(format!("a priority is 0 to 61440 in steps of 4096 (IEEE 802.1D): write `{near}`"))
        }
        Err(_) => Err(format!("`{text}` is not a priority: 0 to 61440 in steps of 4096, as in `4096`")),
    }
}

fn storm_control(text: &str) -> Result<StormControl, String> {
    match text.parse::<u32>() {
        Ok(rate @ 1..=1_000_000_000) => Ok(StormControl(Some(rate))),
        _ if text == "off" => Ok(StormControl(None)),
        _ => Err(format!("`{text}` is not a limit of storms: 1 to 1000000000 frames per second, or `off`")),
    }
}

fn vlan(text: &str) -> Result<VlanId, String> {
    let number: u32 = text
        .parse()
        .ok()
        .filter(|number: &u32| number.to_string() == text)
        .ok_or_else(|| format!("`{text}` is not the number of a VLAN: 1 to 4094"))?;
    u16::try_from(number).ok().and_then(VlanId::new).ok_or_else(|| {
        let why = match number {
            0 => ": 0 is what frames say that are in none",
            4095 => ": 4095 is reserved",
            _ => "",
        };
        format!("there is no VLAN {number}, they are 1 to 4094{why}")
    })
}

fn vlans(text: &str) -> Result<Vlans, String> {
    let Some((first, last)) = text.split_once('-') else { return vlan(text).map(|one| Vlans(one, one)) };
    let (first, last) = (vlan(first.trim_end())?, vlan(last.trim_start())?);
    if first > last {
        return Err(format!("the range `{text}` ends before it begins"));
    }
    Ok(Vlans(first, last))
}

fn native(text: &str) -> Result<Native, String> {
    if text == "none" { Ok(Native(None)) } else { vlan(text).map(|vlan| Native(Some(vlan))) }
}

/// A port of a switch: its link, and who is at the other end.
pub(crate) struct Port<'a> {
    /// The link's name.
    pub link: &'a str,
    /// Its other end.
    pub far: &'a End,
}

impl SwitchNode {
    /// Whether it takes part in the spanning tree.
    pub(crate) fn spans(&self) -> bool {
        self.spanning_tree == SpanningTree::On
    }

    /// What it is built from. `ports` are in the order of its links; where some of them could not be read, a name that is
    /// not known is not told.
    pub(crate) fn plan(
        &self,
        name: &str,
        ports: &[Port<'_>],
        unsure: bool,
        diagnostics: &mut Diagnostics,
    ) -> SwitchSpec {
        SwitchSpec {
            ageing: self.ageing,
            priority: self.spans().then_some(self.priority.0),
            storm_control: self.storm_control.0,
            vlans: self.port_vlans(name, ports, unsure, diagnostics),
        }
    }

    fn port_vlans(
        &self,
        name: &str,
        ports: &[Port<'_>],
        unsure: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Vec<PortVlans>> {
        if self.vlans.is_none() && self.trunks.is_none() {
            return None;
        }
        let access = self.vlans.iter().flatten().flat_map(|(vlan, names)| {
            let vlans = PortVlans::Access(vlan.value.0);
            names.iter().map(move |name| (name, vlans.clone()))
        });
        let mut said: Vec<(&Spanned<String>, PortVlans)> = access.collect();
        for (name, trunk) in self.trunks.iter().flat_map(|trunks| &trunks.0) {
            said.push((name, trunk.port_vlans(diagnostics)));
        }
        let mut places: Vec<Option<Span>> = vec![None; ports.len()];
        let mut all = vec![PortVlans::Access(VlanId::DEFAULT); ports.len()];
        for (port, vlans) in said {
            let Some(at) = find(name, port, ports, unsure, diagnostics) else { continue };
            if let Some(first) = places[at] {
                let error = Diagnostic::error(port.span, format!("the port at `{}` stands here twice", ports[at].link));
                let help = "a port is in one VLAN, or a trunk: keep one of them";
                diagnostics.push(error.related(first, "the first").help(help));
                continue;
            }
            (places[at], all[at]) = (Some(port.span), vlans);
        }
        Some(all)
    }
}

impl TrunkSpec {
    fn port_vlans(&self, diagnostics: &mut Diagnostics) -> PortVlans {
        let allowed = match &self.allowed {
            None => VlanSet::All,
            Some(ranges) => {
                let all = ranges.iter().flat_map(|Vlans(first, last)| first.get()..=last.get());
                VlanSet::Only(all.filter_map(VlanId::new).collect::<BTreeSet<_>>())
            }
        };
        let native = self.native.as_ref().map_or(Some(VlanId::DEFAULT), |native| native.0);
        if let (Some(said), Some(vlan)) = (&self.native, native)
            && !allowed.contains(vlan)
        {
            let message = format!("the native VLAN {} is not among those that this trunk allows", vlan.get());
            diagnostics.error(said.span, message).help("add it to `allowed`, or write `native: none`");
        }
        PortVlans::Trunk { allowed, native }
    }
}

/// The port that a name stands for: that of a link, or of a neighbour to which one link leads.
fn find(
    switch: &str,
    name: &Spanned<String>,
    ports: &[Port<'_>],
    unsure: bool,
    diagnostics: &mut Diagnostics,
) -> Option<usize> {
    if let Some(at) = ports.iter().position(|port| port.link == name.as_str()) {
        return Some(at);
    }
    let is = |port: &Port<'_>| port.far.name == name.as_str() || port.far.to_string() == name.as_str();
    let found: Vec<usize> = (0..ports.len()).filter(|at| is(&ports[*at])).collect();
    match found[..] {
        [one] => Some(one),
        [] if unsure => None,
        [] => {
            let known = ports.iter().flat_map(|port| [port.far.name.as_str(), port.link]);
            diagnostics
                .error(name.span, format!("no link of `{switch}` is or leads to `{}`", name.value))
                .help(suggestion(name, known));
            None
        }
        _ => {
            let links: Vec<_> = found.iter().map(|at| format!("`{}`", ports[*at].link)).collect();
            diagnostics
                .error(name.span, format!("several links lead to `{}`", name.value))
                .help(format!("name the link: {}", links.join(", ")));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_their_limits() {
        assert_eq!(vlan("4094").unwrap().get(), 4094);
        for (text, part) in [
            ("0", "0 is what frames say"),
            ("4095", "reserved"),
            ("4096", "1 to 4094"),
            ("70000", "no VLAN 70000"),
            ("010", "not the number"),
            ("+10", "not the number"),
            ("ten", "not the number"),
        ] {
            assert!(vlan(text).unwrap_err().contains(part), "{text}: {}", vlan(text).unwrap_err());
        }
        let Vlans(first, last) = vlans("10-19").unwrap();
        assert_eq!((first.get(), last.get()), (10, 19));
        assert!(vlans("19-10").unwrap_err().contains("ends before it begins") && vlans("1-4095").is_err());
        assert_eq!((priority("0").unwrap().0, priority("61440").unwrap().0), (0, 61_440));
        assert!(priority("5000").unwrap_err().contains("write `4096`"));
        assert!(priority("65536").unwrap_err().contains("write `61440`") && priority("-1").is_err());
        assert_eq!((storm_control("off").unwrap().0, storm_control("1").unwrap().0), (None, Some(1)));
        assert!(storm_control("0").is_err() && storm_control("1000000001").is_err() && storm_control("on").is_err());
        assert_eq!((native("none").unwrap().0, native("7").unwrap().0.map(VlanId::get)), (None, Some(7)));
    }
}
