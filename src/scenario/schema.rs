//! The JSON Schema of scenario files, for completion and checks in editors. It knows shapes, not names: `longwire check`
//! knows more.
//!
//! What schemars derives is put into the form in which editors make the best of it. Of all descriptions that hold at one
//! place an editor shows the innermost, so only keys and entries have one, and neither their types nor the forms of these.
//! It names what it offers after the definitions, so these are called by words, not as the types of this program.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::file::FileSpec;
use crate::language::keys::keys_of;
use crate::topology::expand::{MOST, Patterns};

/// A scalar that stands for a parameter.
const PARAM: &str = r"^\$[A-Za-z_][A-Za-z0-9_]*$";

/// The JSON Schema (draft 2020-12) of a scenario file.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<FileSpec>().to_value();
    resolve_aliases(&mut schema);
    add_groups(&mut schema["$defs"]);
    let described = take_descriptions(&mut schema["$defs"]);
    tidy(&mut schema, &described, true);
    schema["title"] = json!("longwire scenario");
    schema["patternProperties"] = json!({ "^x-": { "description": "A place for anchors." } });
    demand(&mut schema);
    name_by_words(schema)
}

/// What must be there: keys of a file that uses no other, which may have them.
fn demand(schema: &mut Value) {
    schema["required"] = json!(["longwire"]);
    if let Some(link) = schema["$defs"]["link"].as_object_mut() {
        link.remove("required");
    }
    let one_of = |keys: &[&str]| -> Vec<Value> { keys.iter().map(|key| json!({ "required": [key] })).collect() };
    let ends: Vec<&str> = ["ends"].iter().chain(keys_of::<Patterns>()).copied().collect();
    schema["if"] = json!({ "required": ["use"] });
    schema["else"] = json!({ "properties": {
        "links": { "additionalProperties": { "oneOf": one_of(&ends) } },
        "services": { "additionalProperties": { "oneOf": one_of(&["command", "shell"]) } },
        "workloads": { "additionalProperties": { "oneOf": one_of(&["command", "shell", "ping", "udp", "tcp"]) } },
    } });
}

/// Any kind of node can be a group, and a kind's name alone stands for the kind with nothing said.
fn add_groups(definitions: &mut Value) {
    let kinds = definitions["NodeSpec"]["oneOf"].as_array().cloned().unwrap_or_default();
    let references = kinds.iter().filter_map(|kind| kind["properties"].as_object()?.values().next()?["$ref"].as_str());
    for name in references.filter_map(|reference| reference.rsplit('/').next()) {
        definitions[name]["properties"]["count"] = json!({
            "description": "How many there are: a group, whose members are NAME-1, NAME-2, and so on.",
            "type": "integer", "minimum": 1, "maximum": MOST,
        });
    }
    let long = definitions["NodeSpec"].take();
    definitions["NodeSpec"] = json!({
        "description": "A node: `host`, `switch`, `hub`, `router`, or a map that says more.",
        "anyOf": [{ "enum": ["host", "switch", "hub", "router"] }, long],
    });
}

/// Takes definitions that only refer to another out of the way.
fn resolve_aliases(schema: &mut Value) {
    let mut targets = BTreeMap::new();
    if let Some(definitions) = schema["$defs"].as_object_mut() {
        definitions.retain(|name, value| {
            let alone =
                value.as_object().is_some_and(|all| all.keys().all(|key| key == "$ref" || key == "description"));
            let target = value["$ref"].as_str().filter(|_| alone).and_then(|target| target.rsplit('/').next());
            target.map(|target| targets.insert(name.clone(), target.to_owned())).is_none()
        });
    }
    rename_references(schema, &|name| targets.get(name).cloned());
}

/// Takes the descriptions of definitions away; those of entries that refer to them get them.
fn take_descriptions(definitions: &mut Value) -> BTreeMap<String, Value> {
    let mut described = BTreeMap::new();
    for (name, definition) in definitions.as_object_mut().into_iter().flatten() {
        if let Some(description) = definition.as_object_mut().and_then(|definition| definition.remove("description")) {
            described.insert(format!("#/$defs/{name}"), description);
        }
    }
    described
}

/// Puts a schema and all below it into form. `entry`: it is that of a key or an entry, not one of several forms of such.
fn tidy(schema: &mut Value, described: &BTreeMap<String, Value>, entry: bool) {
    let Some(object) = schema.as_object_mut() else { return };
    unwrap_option(object);
    object.retain(|key, _| key != "default" && key != "unevaluatedProperties");
    if object.contains_key("properties") {
        object.insert("additionalProperties".into(), json!(false));
    }
    if !entry {
        describe_only_key(object);
    }
    if let Some(words) = words(object) {
        object.retain(|key, _| key == "description");
        object.insert("anyOf".into(), json!([words, { "type": "string", "pattern": PARAM }]));
        return;
    }
    for (key, value) in object.iter_mut() {
        match (key.as_str(), value) {
            ("anyOf" | "oneOf" | "allOf", Value::Array(forms)) => {
                forms.iter_mut().for_each(|form| tidy(form, described, false));
            }
            ("$defs", Value::Object(all)) => all.values_mut().for_each(|value| tidy(value, described, false)),
            ("properties" | "patternProperties", Value::Object(all)) => {
                all.values_mut().for_each(|value| tidy(value, described, true));
            }
            ("items" | "additionalProperties", value) => tidy(value, described, true),
            _ => {}
        }
    }
    let description = object.get("$ref").and_then(|name| described.get(name.as_str()?));
    if let Some(description) = description.filter(|_| entry && !object.contains_key("description")).cloned() {
        object.insert("description".into(), description);
    }
    allow_params(object);
}

/// What may be left out is not written as `null`: an editor then shows the key's own description, not that of its type.
fn unwrap_option(object: &mut Map<String, Value>) {
    let Some(Value::Array(forms)) = object.get_mut("anyOf") else { return };
    forms.retain(|form| *form != json!({ "type": "null" }));
    if let [Value::Object(only)] = &forms[..] {
        let mut only = only.clone();
        object.remove("anyOf");
        only.extend(std::mem::take(object));
        *object = only;
    }
}

/// The description of a form with one key belongs to the key; that of any other form is not shown.
fn describe_only_key(object: &mut Map<String, Value>) {
    let Some(description) = object.remove("description") else { return };
    let Some(Value::Object(keys)) = object.get_mut("properties") else { return };
    if let (1, Some(Value::Object(key))) = (keys.len(), keys.values_mut().next()) {
        key.entry("description").or_insert(description);
    }
}

/// A parameter may stand where a number or a truth value should, and a text without quotes where YAML takes it for
/// something else: `command: [sleep, 5]`.
fn allow_params(object: &mut Map<String, Value>) {
    let types: Vec<Value> = match object.get("type") {
        Some(Value::Array(many)) => many.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let has = |names: &[&str]| types.iter().any(|t| names.iter().any(|name| t == name));
    let number = has(&["integer", "number", "boolean"]);
    let with = |more: &[&str]| types.iter().cloned().chain(more.iter().map(|name| json!(name))).collect::<Value>();
    if number && !has(&["string"]) {
        object.insert("type".into(), with(&["string"]));
        object.insert("pattern".into(), json!(PARAM));
    } else if has(&["string"]) && !number && !["pattern", "enum", "const"].iter().any(|key| object.contains_key(*key)) {
        object.insert("type".into(), with(&["number", "boolean"]));
    }
}

/// Fixed words, each with what it means, as editors show them.
fn words(object: &Map<String, Value>) -> Option<Value> {
    if let Some(words) = object.get("enum") {
        return Some(json!({ "enum": words }));
    }
    let all = object.get("oneOf")?.as_array()?;
    let words: Option<Vec<&Value>> = all.iter().map(|one| one.get("const")).collect();
    let meanings: Vec<&Value> = all.iter().filter_map(|one| one.get("description")).collect();
    Some(json!({ "enum": words?, "enumDescriptions": meanings, "markdownEnumDescriptions": meanings }))
}

/// Calls all definitions by words: `DelaySpec` is `delay`.
fn name_by_words(mut schema: Value) -> Value {
    let definitions = schema["$defs"].as_object_mut().map(std::mem::take).unwrap_or_default();
    let before = definitions.len();
    let named: Map<String, Value> = definitions.into_iter().map(|(name, value)| (in_words(&name), value)).collect();
    assert_eq!(
        named.len(),
        before,
        "two definitions have one name: give one of the types another by `schemars(rename)`"
    );
    schema["$defs"] = named.into();
    rename_references(&mut schema, &|name| Some(in_words(name)));
    schema
}

fn in_words(name: &str) -> String {
    let mut words = String::new();
    for (at, letter) in name.strip_suffix("Spec").unwrap_or(name).char_indices() {
        if at > 0 && letter.is_ascii_uppercase() && !words.ends_with('_') {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn rename_references(value: &mut Value, rename: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let name = value.as_str().filter(|_| key == "$ref").and_then(|name| name.strip_prefix("#/$defs/"));
                match name.and_then(rename) {
                    Some(name) => *value = json!(format!("#/$defs/{name}")),
                    None => rename_references(value, rename),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|value| rename_references(value, rename)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::FIELDS;

    fn keys(value: &Value) -> Vec<&str> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_schema_knows_the_keys_that_the_reader_knows() {
        let schema = schema();
        let mut expected = keys_of::<FileSpec>().to_vec();
        expected.sort_unstable();
        assert_eq!(keys(&schema["properties"]), expected);
        assert_eq!(schema["additionalProperties"], json!(false));
        let mut link = vec!["ends", "profile", "user", "half_duplex", "rtt", "toward"];
        link.extend(FIELDS);
        link.extend(keys_of::<Patterns>());
        link.sort_unstable();
        assert_eq!(keys(&schema["$defs"]["link"]["properties"]), link);
        assert_eq!(schema["$defs"]["link"]["additionalProperties"], json!(false));
    }

    /// Calls `see` with each schema below: whether it is a key's, and the way to it.
    fn walk(schema: &Value, key: bool, path: &str, see: &mut dyn FnMut(&Value, bool, &str)) {
        see(schema, key, path);
        for (name, value) in schema.as_object().into_iter().flatten() {
            let path = format!("{path}/{name}");
            match (name.as_str(), value) {
                ("anyOf" | "oneOf" | "allOf", Value::Array(forms)) => {
                    forms.iter().for_each(|form| walk(form, false, &path, see));
                }
                ("properties", Value::Object(all)) => {
                    all.iter().for_each(|(key, value)| walk(value, true, &format!("{path}/{key}"), see));
                }
                ("$defs", Value::Object(all)) => {
                    all.iter().for_each(|(name, value)| walk(value, false, &format!("{path}/{name}"), see));
                }
                ("items" | "additionalProperties", Value::Object(_)) => walk(value, false, &path, see),
                _ => {}
            }
        }
    }

    #[test]
    fn hover_shows_what_a_key_is_for() {
        let schema = schema();
        let mut described = 0;
        walk(&schema, true, "", &mut |schema, key, path| {
            let entry = path.ends_with("/items") || path.ends_with("/additionalProperties");
            assert!(!key || schema["description"].is_string(), "no description: {path}");
            assert!(key || entry || schema["description"].is_null(), "it hides the key's: {path}");
            assert!(path.is_empty() || schema["title"].is_null(), "{path}");
            described += usize::from(key);
        });
        assert!(described > 200, "{described}");
        assert_eq!(schema["$defs"]["link"]["properties"]["delay"]["description"], "Propagation delay, one way.");
        assert_eq!(schema["properties"]["links"]["additionalProperties"]["$ref"], "#/$defs/link");
    }

    #[test]
    fn completion_offers_words() {
        let schema = schema();
        let names = keys(&schema["$defs"]);
        for name in &names {
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            assert!(plain && !name.ends_with("spec"), "{name}");
            let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
            assert!(stem == *name || !names.contains(&stem), "two types are called {stem}");
        }
        assert_eq!(schema["$defs"]["workload"]["properties"]["ping"]["$ref"], "#/$defs/ping");
        let profile = &schema["$defs"]["profile"]["anyOf"][0];
        assert_eq!(profile["enum"].as_array().unwrap().len(), profile["enumDescriptions"].as_array().unwrap().len());
    }

    fn check(text: &str) -> Vec<String> {
        let value: Value = serde_saphyr::from_str(text).unwrap();
        let validator = jsonschema::validator_for(&schema()).unwrap();
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[test]
    fn a_good_scenario_fits() {
        let schema = schema();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for good in [
            include_str!("tests/good.yaml"),
            "longwire: 1\nparams: { n: 5 }\nnodes: { a: { host: { mtu: $n, neighbours: $n } } }\nlinks: { l: { ends: [a, b], loss: $n, framing: ethernet, queue: { fifo: { packets: $n } } } }\n",
            "longwire: 1\nuse: base.yaml\nlinks: { l: { loss: 1% } }\nworkloads: { w: { at: 1s } }\n",
            "longwire: 1\nlinks: { l: { ring: 5, delay: 1ms, toward: { a: { rate: 1Mbit } } } }\nnodes:\nworkloads:\n",
        ] {
            let value: Value = serde_saphyr::from_str(good).unwrap();
            let wrong: Vec<_> =
                validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert_eq!(wrong, [""; 0], "{good}");
        }
    }

    #[test]
    fn mistakes_of_shape_do_not() {
        for bad in [
            "lniks: {}",
            "nodes: { a: hots }",
            "nodes: { a: { host: { mut: 1 } } }",
            "links: { l: { ends: [a, b, c] } }",
            "links: { l: { delay: 1ms } }",
            "links: { l: { ends: [a, b], ring: 3 } }",
            "links: { l: { ends: [a, b], delay: 5 } }",
            "links: { l: { ends: [a, b], toward: { a: { rtt: 5ms } } } }",
            "links: { l: { ends: [a, b], profile: wifi-por } }",
            "links: { l: { ends: [a, b], delay: { distribution: nromal } } }",
            "workloads: { w: { pign: {} } }",
            "workloads: { w: { in: a } }",
            "workloads: { w: { ping: { from: a, to: b }, udp: { from: a, to: b } } }",
            "services: { s: { in: a } }",
            "duration: 5 sec",
        ] {
            assert!(!check(&format!("longwire: 1\n{bad}")).is_empty(), "{bad}");
        }
        assert!(!check("nodes: { a: host }").is_empty(), "a version is missing");
        assert!(!check("longwire: 2").is_empty(), "an unknown version");
    }
}
