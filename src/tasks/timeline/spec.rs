//! `timeline:` as it stands in a file: a list of steps.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::de::IgnoredAny;

use super::at::At;
use crate::language::argv::Argv;
use crate::language::presets::PresetName;
use crate::language::spanned::Names;
use crate::language::spanned::Spanned;
use crate::model::form::forms;
use crate::model::{DelaySpec, LossSpec, RateSpec};
use crate::topology::link::Fields;
use crate::units::Duration;

/// One step: what happens at one instant, again and again, or from one time to another.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepSpec {
    /// So long after t = 0 (`10s`), after an earlier mark (`worse + 2s`), or after a workload has started or ended
    /// (`fetch.started + 2s`).
    pub at: Option<Spanned<At>>,
    /// Of `every`: the first time; by default one `every` after t = 0. Of `ramp` and `flap`: when it begins.
    pub from: Option<Spanned<At>>,
    /// Of `every`: no time after this. Of `ramp` and `flap`: when it ends.
    pub to: Option<Spanned<At>>,
    /// The step happens again and again, so far apart.
    pub every: Option<Spanned<Duration>>,
    /// Of `every`: so often.
    pub times: Option<Spanned<u32>>,
    /// Of `ramp`: in how many steps. By default 100, fewer where they would be closer together than 10ms.
    pub steps: Option<Spanned<u32>>,
    /// What changes in links, by link: fields as under `links`. What is not mentioned stays.
    #[serde(rename = "set")]
    #[schemars(with = "Option<IndexMap<String, LinkChange>>")]
    pub _set: Option<IgnoredAny>,
    /// What goes over from what it is to another value, linearly, by link: rate, delay, rtt and loss.
    #[serde(rename = "ramp")]
    #[schemars(with = "Option<IndexMap<String, RampChange>>")]
    pub _ramp: Option<IgnoredAny>,
    /// A link whose fields go back to what the file says, or several. It stays up or down.
    pub reset: Option<Spanned<Names>>,
    /// A link or node that goes down, or several: what waits or is on the wire is dropped.
    pub down: Option<Spanned<DownSpec>>,
    /// A link or node that comes up again, or several.
    pub up: Option<Spanned<Names>>,
    /// Links that go down and come up again and again.
    pub flap: Option<Spanned<FlapSpec>>,
    /// Sides, each a host or a list of hosts: no side hears anything from another.
    pub partition: Option<Spanned<Vec<Spanned<Names>>>>,
    /// `all`: no partition and no block any more.
    pub heal: Option<Spanned<String>>,
    /// `db1 -> db2`, or several: db2 hears nothing from db1.
    pub block: Option<Spanned<Names>>,
    /// `db1 -> db2`, or several: db2 hears db1 again.
    pub unblock: Option<Spanned<Names>>,
    /// A program that is started in a host.
    pub run: Option<Spanned<RunSpec>>,
    /// Where the default routes of hosts go from here on: an interface with a gateway, by host.
    pub route: Option<IndexMap<Spanned<String>, Spanned<String>>>,
    /// A router whose address translation forgets its mappings, or several: each flow gets another outside endpoint.
    pub rebind: Option<Spanned<Names>>,
    /// A name for this instant: a letter first, then letters, digits, `-` and `_`.
    pub mark: Option<Spanned<String>>,
}

/// What changes in a link.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "its shape is all that is used")]
struct LinkChange {
    /// A preset in place of all that the link does; the fields here go over it.
    #[schemars(with = "Option<PresetName>")]
    profile: (),
    /// The end that downloads, for a profile that is faster one way.
    user: Option<String>,
    /// Propagation delay there and back; half goes to each direction.
    rtt: Option<Duration>,
    /// What changes for frames that go toward an end.
    toward: Option<IndexMap<String, Fields>>,
    #[serde(flatten)]
    fields: Fields,
}

/// Where a link goes over to.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "its shape is all that is used")]
struct RampChange {
    /// Propagation delay there and back; half goes to each direction.
    rtt: Option<Duration>,
    /// Propagation delay, one way: mean and jitter.
    delay: Option<DelaySpec>,
    /// Loss on the wire, of each frame by itself.
    loss: Option<LossSpec>,
    /// How fast the wire serializes.
    rate: Option<RateSpec>,
    /// Where it goes over to for frames that go toward an end.
    toward: Option<IndexMap<String, Fields>>,
}

/// Links that go down and come up again and again.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlapSpec {
    /// A link, or several.
    pub link: Spanned<Names>,
    /// From one time that they go down to the next.
    pub every: Spanned<Duration>,
    /// How long they stay down. By default half of `every`.
    #[serde(rename = "for")]
    pub length: Option<Spanned<Duration>>,
    /// So often. By default as often as fits between `from` and `to`.
    pub times: Option<Spanned<u32>>,
    /// `off`: hosts at the links lose their carrier meanwhile.
    pub carrier: Option<Carrier>,
}

/// A program that is started in a host. It fails the run if it fails.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunSpec {
    /// What it is called in the report. By default `program`.
    pub name: Option<Spanned<String>>,
    /// The host that it runs in.
    #[serde(rename = "in")]
    pub host: Spanned<String>,
    /// A program and its arguments.
    pub command: Option<Spanned<Argv>>,
    /// A line for `sh -c`.
    pub shell: Option<Spanned<String>>,
    /// Its environment beyond what every program gets.
    #[serde(default)]
    pub env: IndexMap<String, String>,
    /// Its working directory; by default the scenario's folder.
    pub cwd: Option<String>,
    /// It runs as root, not as the caller.
    #[serde(default)]
    pub root: bool,
    /// The exit code with which it succeeds. By default 0.
    pub exit: Option<u8>,
    /// It is stopped after this time, and has failed.
    pub timeout: Option<Duration>,
}

/// Whether hosts at a link have a carrier while it is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carrier(pub bool);

forms! {
    Carrier, "Carrier", "`off` or `on`";
    words { "off" => Carrier(false), "on" => Carrier(true) }
    bool => Carrier;
}

/// What goes down: a name, a list of names, or a map that says more.
#[derive(Debug)]
pub(crate) struct DownSpec {
    /// Links and nodes.
    pub names: Names,
    /// Whether hosts keep their carrier.
    pub carrier: Carrier,
}

/// The map form of [`DownSpec`].
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DownMap {
    /// A link, or several.
    #[serde(default)]
    links: Names,
    /// A node, or several.
    #[serde(default)]
    nodes: Names,
    /// `off`: hosts at these links, and at those of these nodes, lose their carrier. By default they keep it.
    carrier: Option<Carrier>,
}

impl From<Names> for DownSpec {
    fn from(names: Names) -> DownSpec {
        DownSpec { names, carrier: Carrier(true) }
    }
}

forms! {
    DownSpec, "Down", "a name, a list of names, or `{ links: [NAME], carrier: off }`,";
    text { "type": "string" } => |text| Ok(Names::one(text).into());
    list Vec<Spanned<String>> => |list| Ok(Names(list).into());
    map DownMap => |DownMap { links, nodes, carrier }| {
        let names = Names(links.0.into_iter().chain(nodes.0).collect());
        Ok(DownSpec { names, carrier: carrier.unwrap_or(Carrier(true)) })
    };
}
