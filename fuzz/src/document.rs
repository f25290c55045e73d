//! Scenarios that follow the schema, with some mistakes: random text hardly ever is YAML, and hardly ever names a key.

use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use longwire::scenario::schema;
use serde_json::{Map, Value, json};

/// Deeper values are left out.
const DEPTH: u32 = 9;

/// Names of nodes, links and all else. The first ones exist in every document.
const NAMES: [&str; 16] =
    ["a", "b", "c", "r", "s", "la", "lb", "lc", "ls", "w", "x", "a.eth0", "la.toward.a", "region", "all a", "x-1"];

/// Texts by what a pattern of the schema asks for: the beginning of its list of units, or a part of the pattern.
const TEXTS: &[(&str, &[&str])] = &[
    ("ns|us", &["0s", "1ms", "20ms", "1.5s", "10us", "1ns", "3m", "100h", "0.1ns", "584y"]),
    ("bit|kbit", &["1bit", "64kbit", "10Mbit", "1Gbit", "0bit", "1000000Gbit", "2.5Mbit/s"]),
    ("B|kB", &["0B", "1B", "1500B", "64KiB", "10MB", "1GiB"]),
    ("%|ppm", &["0%", "1%", "50%", "100%", "100.1%", "10ppm", "1e-6", "-50%", "none"]),
    (
        "a-fA-F.:]+/",
        &["10.0.0.0/8", "10.0.0.1/24", "fd00::1/64", "0.0.0.0/0", "::/0", "default", "none", "10.0.0.0/33"],
    ),
    ("a-fA-F.:", &["10.0.0.1", "fd00::1", "10.0.0.0/8", "255.255.255.255", "ff02::1", "::ffff:1.2.3.4"]),
    ("fin|syn", &["syn", "syn+!ack", "!fin"]),
    ("started|ended", &["1s", "w.started + 1s", "w.ended", "worse + 2s"]),
    ("- *[0-9]", &["1-5", "80", "1024-65535", "5-1", "0-70000"]),
    ("csv", &["regions-delay.csv", "delay-samples.csv", "delay-trace.csv", "loss-trace.csv", "no.csv"]),
    ("[0-9]+\\.[0-9]", &["10.0.0.1", "192.0.2.1:80", "10.0.0.0/24"]),
];

/// Texts where the schema asks for any.
const ANY: &[&str] = &[
    "",
    "$p",
    "$q",
    "true",
    "5",
    "10.0.0.1",
    "10.0.0.0/24",
    "fd00::/64",
    "delay-trace.csv",
    "rate-trace.down",
    "backbone.gml",
    "part.yaml",
    "w.exit == 0",
    "w.p99 from 0s to 10s < 60ms",
    "la.toward.a.dropped.loss == 0",
    "a reaches b within 1s",
    "all a reaches b",
    "always w.rtt < 1s",
    "02:00:00:00:00:01",
    "sleep 1",
    "eth0",
    "wifi-poor",
    "lte",
    "cubic",
    "tcp",
    "a b",
    "la.loss=10%",
    "\u{202e}x\u{1b}[2J\n",
    "1ms",
    "1Mbit",
    "1%",
    "worse",
];

/// A document as text: JSON is YAML.
pub fn document(u: &mut Unstructured<'_>) -> Result<String> {
    let mut root = json!({
        "longwire": 1,
        "params": { "p": "1%", "q": 3 },
        "nodes": { "a": "host", "b": "host", "c": "host", "r": "router", "s": "switch" },
        "links": {
            "la": { "ends": ["a", "r"], "delay": "1ms" },
            "lb": { "ends": ["b", "s"], "rate": "10Mbit" },
            "lc": { "ends": ["c", "s"] },
            "ls": { "ends": ["r", "s"] },
        },
        "workloads": { "w": { "ping": { "from": "a", "to": "b", "count": 3, "every": "100ms" } } },
    });
    let properties = schema_root()["properties"].as_object().expect("sections");
    for _ in 0..u.int_in_range(1..=3)? {
        let (key, section) = pick(u, properties)?;
        let value = value(section, u, 0)?;
        merge(&mut root, key, value);
    }
    Ok(root.to_string())
}

fn schema_root() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema)
}

/// Sections that are there keep what they have, unless an entry is replaced.
fn merge(root: &mut Value, key: &str, new: Value) {
    match (root[key].as_object_mut(), new) {
        (Some(old), Value::Object(new)) => {
            for (name, value) in new {
                match (old.get_mut(&name).and_then(Value::as_object_mut), value) {
                    (Some(old), Value::Object(value)) => old.extend(value),
                    (_, value) => drop(old.insert(name, value)),
                }
            }
        }
        (_, new) => root[key] = new,
    }
}

fn pick<'a>(u: &mut Unstructured<'_>, map: &'a Map<String, Value>) -> Result<(&'a str, &'a Value)> {
    let at = u.choose_index(map.len())?;
    Ok(map.iter().nth(at).map(|(key, value)| (key.as_str(), value)).expect("an index within the map"))
}

fn value(schema: &Value, u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    if depth > DEPTH || u.is_empty() {
        return Ok(Value::Null);
    }
    if u.ratio(1, 40)? {
        return scalar(u);
    }
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return value(&schema_root()["$defs"][name], u, depth + 1);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[key].as_array() {
            return value(u.choose(choices)?, u, depth + 1);
        }
    }
    if let Some(constant) = schema.get("const") {
        return Ok(constant.clone());
    }
    if let Some(words) = schema["enum"].as_array() {
        return Ok(u.choose(words)?.clone());
    }
    let of_type =
        |name: &str| schema["type"] == name || schema["type"].as_array().is_some_and(|all| all.contains(&json!(name)));
    if of_type("object") {
        return object(schema, u, depth);
    }
    if of_type("array") {
        let least = schema["minItems"].as_u64().unwrap_or(0) as usize;
        let count = least.max(u.int_in_range(0..=3)?);
        return (0..count).map(|_| value(&schema["items"], u, depth + 1)).collect();
    }
    if of_type("integer") || of_type("number") {
        return number(u);
    }
    if of_type("boolean") {
        return Ok(u.arbitrary::<bool>()?.into());
    }
    text(schema, u)
}

fn object(schema: &Value, u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    let mut made = Map::new();
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        made.insert(key.into(), value(&schema["properties"][key], u, depth + 1)?);
    }
    if let Some(properties) = schema["properties"].as_object().filter(|map| !map.is_empty()) {
        for _ in 0..u.int_in_range(u8::from(made.is_empty())..=3)? {
            let (key, of) = pick(u, properties)?;
            made.insert(key.into(), value(of, u, depth + 1)?);
        }
    } else {
        for _ in 0..u.int_in_range(1..=3)? {
            let name = *u.choose(&NAMES)?;
            made.insert(name.into(), value(&schema["additionalProperties"], u, depth + 1)?);
        }
    }
    if u.ratio(1, 60)? {
        made.insert("dealy".into(), scalar(u)?);
    }
    Ok(made.into())
}

fn number(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=39_u8)? {
        0 => json!(u64::MAX),
        1 => json!(-1),
        2 => json!(u.int_in_range(0..=70_000_u32)?),
        3 => json!("$q"),
        4 => json!(0.5),
        5..=12 => json!(u.int_in_range(0..=300_u32)?),
        n => json!(n % 9),
    })
}

fn text(schema: &Value, u: &mut Unstructured<'_>) -> Result<Value> {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    let fitting = TEXTS.iter().find(|(part, _)| pattern.contains(part)).map(|(_, texts)| *texts);
    Ok(match fitting {
        Some(texts) => json!(u.choose(texts)?),
        None if u.arbitrary()? => json!(u.choose(&NAMES)?),
        None => json!(u.choose(ANY)?),
    })
}

/// Something else than what should be here.
fn scalar(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=4_u8)? {
        0 => Value::Null,
        1 => number(u)?,
        2 => json!([]),
        3 => json!({ *u.choose(&NAMES)?: null }),
        _ => json!(u.choose(ANY)?),
    })
}
