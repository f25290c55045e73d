//! The JSON Schema of scenario files, for completion and checks in editors. It knows shapes, not names: `longwire check`
//! knows more.

use std::marker::PhantomData;

use indexmap::IndexMap;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::addressing::address::AddressingSpec;
use crate::model::{CorruptSpec, DelaySpec, DuplicateSpec, Framing, LossSpec, RateSpec, ReorderSpec, ResetSpec};
use crate::profile;
use crate::queue::QueueSpec;
use crate::tasks::capture::CaptureSpec;
use crate::tasks::expect::ExpectationSpec;
use crate::tasks::series::SeriesSpec;
use crate::tasks::sim::SimSpec;
use crate::tasks::timeline::StepSpec;
use crate::tasks::timing::TimingSpec;
use crate::tasks::validity::ValiditySpec;
use crate::tasks::workload::{ServiceSpec, WorkloadSpec};
use crate::topology::expand::{
    DumbbellSpec, FatTreeSpec, FullSpec, ImportsSpec, MOST, MeshSpec, RingSpec, StarSpec, TreeSpec,
};
use crate::topology::link::{Fields, Mtu};
use crate::topology::node::NodeSpec;
use crate::units::Duration;

/// A scalar that stands for a parameter.
const PARAM: &str = r"^\$[A-Za-z_][A-Za-z0-9_]*$";

/// A longwire scenario: hosts, the links between them, and what runs on them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Scenario")]
#[expect(dead_code, reason = "its shape is all that is used")]
struct FileSpec {
    /// Version of the language: 1. Only files that others `use` may leave it out.
    longwire: Option<u64>,
    /// What the scenario is called in reports. By default the file's name.
    name: Option<String>,
    /// Every random draw belongs to it. By default 1.
    seed: Option<u64>,
    /// How long it runs. By default until all workloads are done.
    duration: Option<Duration>,
    /// The longest that a run of frames of one train may span in a live run. By default 50us.
    coalesce: Option<Duration>,
    /// How long after a link goes down or comes up routers and switches still go on as before. By default 1s.
    convergence: Option<Duration>,
    /// Values with names: `$loss` elsewhere stands for `loss` here; `--param loss=5%` replaces it.
    #[schemars(with = "Option<IndexMap<String, Scalar>>")]
    params: (),
    /// Several values for parameters: `longwire test` runs each combination once.
    #[schemars(with = "Option<IndexMap<String, Vec<Scalar>>>")]
    matrix: (),
    /// Files whose entries lie below those of this one, which go over them key by key.
    #[schemars(rename = "use", with = "Option<OneOrMany>")]
    uses: (),
    /// Pools that addresses are given out of.
    addressing: Option<AddressingSpec>,
    /// Limits beyond which a run claims neither pass nor fail.
    validity: Option<ValiditySpec>,
    /// How a live run keeps time.
    timing: Option<TimingSpec>,
    /// What a run in virtual time is given.
    sim: Option<SimSpec>,
    /// How often every direction of every link is looked at for the report. By default each 100ms.
    series: Option<SeriesSpec>,
    /// Links that leave a file of what went through them, for Wireshark. It goes with `--out DIR`.
    capture: Option<CaptureSpec>,
    /// Hosts, switches, hubs and routers by name.
    nodes: Option<IndexMap<String, NodeSpec>>,
    /// Graphs from files, as nodes and links.
    #[schemars(with = "Option<ImportsSpec>")]
    import: (),
    /// Links by name.
    links: Option<IndexMap<String, LinkSpec>>,
    /// Programs that run for the whole time, by name.
    services: Option<IndexMap<String, ServiceSpec>>,
    /// What the run is for, by name.
    workloads: Option<IndexMap<String, WorkloadSpec>>,
    /// What changes at which time: a list of steps.
    timeline: Option<Vec<StepSpec>>,
    /// What should hold: a list of texts, or of maps with a name.
    #[schemars(with = "Option<Vec<ExpectationSpec>>")]
    expect: (),
}

/// A link: two nodes, and what it does to frames in each direction.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Link")]
#[expect(dead_code, reason = "its shape is all that is used")]
struct LinkSpec {
    /// Two nodes: `HOST`, `HOST.INTERFACE`, or a switch.
    ends: Option<[String; 2]>,
    /// In place of `ends`: each leaf is joined with the centre.
    #[schemars(with = "Option<Short<StarSpec>>")]
    star: (),
    /// In place of `ends`: each node is joined with the next, the last with the first.
    #[schemars(with = "Option<Short<RingSpec>>")]
    ring: (),
    /// In place of `ends`: each node is joined with each other.
    #[schemars(with = "Option<Short<FullSpec>>")]
    full: (),
    /// In place of `ends`: a grid, each node joined with its neighbours.
    mesh: Option<MeshSpec>,
    /// In place of `ends`: nodes in levels, hosts as leaves.
    tree: Option<TreeSpec>,
    /// In place of `ends`: a fat tree, or its k.
    #[schemars(with = "Option<Number<FatTreeSpec>>")]
    fat_tree: (),
    /// In place of `ends`: hosts left and right, and one link that they share.
    dumbbell: Option<DumbbellSpec>,
    /// A preset; the fields here go over it, key by key.
    #[schemars(with = "Option<Profile>")]
    profile: (),
    /// The end that downloads, for a profile that is faster one way.
    user: Option<String>,
    /// Both directions share the medium: one frame at a time is on it, and the directions take turns.
    half_duplex: Option<bool>,
    /// Propagation delay there and back; half goes to each direction.
    rtt: Option<Duration>,
    /// Propagation delay, one way.
    delay: Option<DelaySpec>,
    /// Loss on the wire.
    loss: Option<LossSpec>,
    /// TCP segments in place of which both ends get a reset.
    reset: Option<ResetSpec>,
    /// Bits that flip on the wire.
    corrupt: Option<CorruptSpec>,
    /// Frames that arrive twice.
    duplicate: Option<DuplicateSpec>,
    /// Frames that run ahead of the delay.
    reorder: Option<ReorderSpec>,
    /// How fast the wire serializes.
    rate: Option<RateSpec>,
    /// What a frame costs on the wire beyond its own bytes.
    framing: Option<Framing>,
    /// What holds frames while the wire is busy. It goes with `rate`; by default 200 ms, and at least 10 frames.
    queue: Option<QueueSpec>,
    /// Largest L3 packet that passes, in bytes.
    mtu: Option<Mtu>,
    /// What differs for frames that go toward an end.
    toward: Option<IndexMap<String, Fields>>,
}

/// A spec, or for short how many nodes there are, or which.
struct Short<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Short<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Short{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<T>();
        schemars::json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
                long,
            ],
        })
    }
}

/// A spec, or for short its one number.
struct Number<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Number<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Number{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, long] })
    }
}

/// Any scalar.
struct Scalar;

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// A file, or several.
struct OneOrMany;

impl JsonSchema for OneOrMany {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Files".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        })
    }
}

/// A preset's name.
struct Profile;

impl JsonSchema for Profile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Profile".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        let presets: Vec<Value> =
            profile::all().map(|preset| json!({ "const": preset.name, "description": preset.title })).collect();
        schemars::json_schema!({ "oneOf": presets })
    }
}

/// What the language allows everywhere and no single spec says.
#[derive(Clone)]
struct Everywhere;

impl Transform for Everywhere {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        let types: Vec<String> = match object.get("type") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().filter_map(|t| t.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        let has = |name: &str| types.iter().any(|t| t == name);
        let number = has("integer") || has("number") || has("boolean");
        if number && !has("string") {
            // A parameter may stand where a number or a truth value should.
            let with: Vec<Value> = types.iter().map(|t| json!(t)).chain([json!("string")]).collect();
            object.insert("type".into(), Value::Array(with));
            object.insert("pattern".into(), json!(PARAM));
        } else if has("string") && !number && !["pattern", "enum", "const"].iter().any(|key| object.contains_key(*key))
        {
            // A text may be written without quotes even where YAML takes it for a number: `command: [sleep, 5]`.
            let with: Vec<Value> = types.iter().map(|t| json!(t)).chain([json!("number"), json!("boolean")]).collect();
            object.insert("type".into(), Value::Array(with));
        }
        let words = object.get("enum").is_some()
            || object
                .get("oneOf")
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().all(|one| one.get("const").is_some()));
        if words {
            let description = object.get("description").cloned();
            let choice = Value::Object(std::mem::take(object));
            object.insert("anyOf".into(), json!([choice, { "type": "string", "pattern": PARAM }]));
            object.extend(description.map(|description| ("description".to_owned(), description)));
        }
    }
}

/// The JSON Schema (draft 2020-12) of a scenario file.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(Everywhere);
    let mut schema = settings.into_generator().into_root_schema_for::<FileSpec>().to_value();
    schema["title"] = json!("longwire scenario");
    schema["patternProperties"] = json!({ "^x-": { "description": "A place for anchors." } });
    // Any kind of node can be a group.
    let kinds = schema["$defs"]["NodeSpec"]["oneOf"].as_array().cloned().unwrap_or_default();
    for kind in kinds.iter().filter_map(|kind| kind["properties"].as_object()?.values().next()?["$ref"].as_str()) {
        let name = kind.rsplit('/').next().unwrap_or_default().to_owned();
        schema["$defs"][name]["properties"]["count"] = json!({
            "description": "How many there are: a group, whose members are NAME-1, NAME-2, and so on.",
            "type": ["integer", "string"], "minimum": 1, "maximum": MOST, "pattern": PARAM,
        });
    }
    // A kind's name alone stands for the kind with nothing said.
    let node = &mut schema["$defs"]["NodeSpec"];
    let long = node.take();
    *node = json!({
        "description": "A node: `host`, `switch`, `hub`, `router`, or a map that says more.",
        "anyOf": [{ "enum": ["host", "switch", "hub", "router"] }, long],
    });
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::gather::KEYS;

    fn keys(value: &Value) -> Vec<&str> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_schema_knows_the_keys_that_the_reader_knows() {
        let schema = schema();
        let mut expected = KEYS.to_vec();
        expected.sort_unstable();
        assert_eq!(keys(&schema["properties"]), expected);
        assert_eq!(schema["additionalProperties"], json!(false));
        let mut link = vec!["ends", "profile", "user", "half_duplex", "rtt", "toward"];
        link.extend(crate::topology::link::FIELDS);
        link.extend(crate::topology::expand::PATTERNS);
        link.sort_unstable();
        assert_eq!(keys(&schema["$defs"]["Link"]["properties"]), link);
    }

    fn check(text: &str) -> Vec<String> {
        let value: Value = serde_saphyr::from_str(text).unwrap();
        let validator = jsonschema::validator_for(&schema()).unwrap();
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[test]
    fn a_good_scenario_fits() {
        assert_eq!(check(include_str!("tests/good.yaml")), [""; 0]);
        assert_eq!(
            check(
                "longwire: 1\nparams: { n: 5 }\nnodes: { a: { host: { mtu: $n, neighbours: $n } } }\nlinks: { l: { loss: $n, framing: ethernet, queue: { fifo: { packets: $n } } } }\n"
            ),
            [""; 0]
        );
    }

    #[test]
    fn mistakes_of_shape_do_not() {
        for bad in [
            "lniks: {}",
            "nodes: { a: hots }",
            "nodes: { a: { host: { mut: 1 } } }",
            "links: { l: { ends: [a, b, c] } }",
            "links: { l: { delay: 5 } }",
            "links: { l: { toward: { a: { rtt: 5ms } } } }",
            "links: { l: { profile: wifi-por } }",
            "links: { l: { delay: { distribution: nromal } } }",
            "workloads: { w: { pign: {} } }",
            "duration: 5 sec",
        ] {
            assert!(!check(bad).is_empty(), "{bad}");
        }
    }
}
