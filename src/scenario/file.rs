//! What may stand at the top of a scenario file: each key with its description and, of those that are read as one, its type.
//! The others are read by themselves, entry by entry.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::addressing::address::AddressingSpec;
use crate::language::spanned::Spanned;
use crate::tasks::capture::CaptureSpec;
use crate::tasks::expect::ExpectationSpec;
use crate::tasks::forward::ForwardSpec;
use crate::tasks::series::SeriesSpec;
use crate::tasks::sim::SimSpec;
use crate::tasks::timeline::StepSpec;
use crate::tasks::timing::TimingSpec;
use crate::tasks::validity::ValiditySpec;
use crate::tasks::workload::{ServiceSpec, WorkloadSpec};
use crate::topology::expand::ImportsSpec;
use crate::topology::link::LinkSpec;
use crate::topology::node::NodeSpec;
use crate::units::Duration;

/// A longwire scenario: hosts, the links between them, and what runs on them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileSpec {
    /// Version of the language: 1. Only files that others `use` may leave it out.
    #[schemars(with = "Version")]
    pub longwire: Option<Spanned<u64>>,
    /// What the scenario is called in reports. By default the file's name.
    pub name: Option<String>,
    /// Every random draw belongs to it. By default 1.
    pub seed: Option<u64>,
    /// Which site this is, where several are joined: hosts of the same name get other MAC addresses at each. By default the addresses of
    /// its `udp` machines tell them apart.
    pub site: Option<String>,
    /// How long it runs. By default until all workloads are done.
    pub duration: Option<Spanned<Duration>>,
    /// The longest that a run of frames of one train may span in a live run. By default 50us.
    pub coalesce: Option<Duration>,
    /// How long after a link goes down or comes up routers and switches still go on as before. By default 1s.
    pub convergence: Option<Duration>,
    /// Values with names: `$loss` elsewhere stands for `loss` here; `--param loss=5%` replaces it.
    #[schemars(with = "Option<IndexMap<String, Scalar>>")]
    params: Option<IgnoredAny>,
    /// Several values for parameters: `longwire test` runs each combination once.
    #[schemars(with = "Option<IndexMap<String, Vec<Scalar>>>")]
    matrix: Option<IgnoredAny>,
    /// Files whose entries lie below those of this one, which go over them key by key.
    #[serde(rename = "use")]
    #[schemars(with = "Option<OneOrMany>")]
    uses: Option<IgnoredAny>,
    /// Pools that addresses are given out of.
    pub addressing: AddressingSpec,
    /// Limits beyond which a run claims neither pass nor fail.
    pub validity: ValiditySpec,
    /// How a live run keeps time.
    pub timing: TimingSpec,
    /// What a run in virtual time is given.
    pub sim: SimSpec,
    /// How often every direction of every link is looked at for the report. By default each 100ms.
    pub series: SeriesSpec,
    /// Links that leave a file of what went through them, for Wireshark. It goes with `--out DIR`.
    pub capture: Option<Spanned<CaptureSpec>>,
    /// Ports of this machine, and where connections to them go on in the network.
    pub forward: Vec<Spanned<ForwardSpec>>,
    /// Hosts, switches, hubs and routers by name.
    #[schemars(with = "Option<IndexMap<String, NodeSpec>>")]
    nodes: Option<IgnoredAny>,
    /// Graphs from files, as nodes and links.
    #[schemars(with = "Option<ImportsSpec>")]
    import: Option<IgnoredAny>,
    /// Links by name.
    #[schemars(with = "Option<IndexMap<String, LinkSpec>>")]
    links: Option<IgnoredAny>,
    /// Programs that run for the whole time, by name.
    #[schemars(with = "Option<IndexMap<String, ServiceSpec>>")]
    services: Option<IgnoredAny>,
    /// What the run is for, by name.
    #[schemars(with = "Option<IndexMap<String, WorkloadSpec>>")]
    workloads: Option<IgnoredAny>,
    /// What changes at which time: a list of steps.
    #[schemars(with = "Option<Vec<StepSpec>>")]
    timeline: Option<IgnoredAny>,
    /// What should hold: a list of texts, or of maps with a name.
    #[schemars(with = "Option<Vec<ExpectationSpec>>")]
    expect: Option<IgnoredAny>,
}

/// Types that only the schema knows.
macro_rules! shapes {
    ($($name:ident: $schema:tt,)+) => {$(
        struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

shapes! {
    Version: { "const": 1 },
    Scalar: { "type": ["string", "number", "boolean"] },
    OneOrMany: { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
}
