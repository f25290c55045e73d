//! Scenarios that users get to see are right: every file in scenarios/, and every example in the documentation.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use longwire::language::files::{FileKind, Files, MemoryFiles};
use longwire::scenario::{Overrides, load};
use longwire::tasks::resolved::Resolved;
use longwire::tasks::spec::{Amount, Scenario, Start, Workload, WorkloadKind};
use longwire::units::Duration;

/// A scenario in this repository may take so long at the most, if everything in it takes as long as it may.
const LONGEST: Duration = Duration::from_secs(30);
/// The first scenario that anybody runs.
const LONGEST_QUICKSTART: Duration = Duration::from_secs(20);

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scenarios() -> Vec<PathBuf> {
    let in_folder = |name: &str| {
        let folder = fs::read_dir(repository().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let files = folder.map(|entry| entry.expect("the folder can be read").path());
        files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect::<Vec<_>>()
    };
    let mut files = [in_folder("scenarios"), in_folder("scenarios/models"), in_folder("scenarios/import")].concat();
    files.sort();
    assert!(files.len() >= 40, "only {} scenarios were found", files.len());
    files
}

struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, _: FileKind) -> Result<String, String> {
        fs::read_to_string(path).map_err(|error| error.to_string())
    }
}

/// Loads a scenario; warnings are mistakes here too.
fn check(path: &Path, files: &dyn Files) -> Resolved {
    let told = |list: &longwire::diag::Diagnostics| {
        list.iter().map(|d| format!("{}: {d}\n", path.display())).collect::<String>()
    };
    match load(path, files, &Overrides::default()) {
        Ok(resolved) => {
            assert!(resolved.warnings.is_empty(), "{}", told(&resolved.warnings));
            resolved
        }
        Err((wrong, _)) => panic!("{}", told(&wrong)),
    }
}

#[test]
fn every_scenario_is_right() {
    for path in scenarios() {
        check(&path, &Disk);
    }
}

#[test]
fn every_scenario_says_what_it_shows_and_what_to_look_at() {
    for path in scenarios() {
        let text = fs::read_to_string(&path).expect("it was there a moment ago");
        let name = path.display();
        let mut lines = text.lines();
        let up = if path.parent().is_some_and(|folder| folder.ends_with("scenarios")) { "" } else { "../" };
        let schema = format!("# yaml-language-server: $schema={up}schema.json");
        assert_eq!(lines.next(), Some(schema.as_str()), "{name}: first line");
        let comment: Vec<&str> = lines.take_while(|line| line.starts_with('#')).collect();
        assert!(comment.len() >= 4, "{name}: the comment says too little");
        assert!(comment.iter().any(|line| line.contains("In the report")), "{name}: what to look at in the report?");
    }
}

#[test]
fn scenarios_end_soon() {
    for path in scenarios() {
        let scenario = check(&path, &Disk).scenario;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let limit = if name == "quickstart.yaml" { LONGEST_QUICKSTART } else { LONGEST };
        match latest_end(&scenario) {
            Some(end) => assert!(end <= limit, "{name} may take {end}, more than {limit}"),
            None => assert!(scenario.workloads.is_empty(), "{name} may never end: a workload has no limit"),
        }
    }
}

/// The time by which a run is over, from t = 0; `None` if nothing bounds it.
fn latest_end(scenario: &Scenario) -> Option<Duration> {
    if scenario.workloads.is_empty() {
        return scenario.duration;
    }
    let mut ends: BTreeMap<&str, Duration> = BTreeMap::new();
    // `after` may name workloads further down; there are no cycles in a checked scenario.
    while ends.len() < scenario.workloads.len() {
        for (name, workload) in &scenario.workloads {
            let start = match &workload.start {
                Start::At(at) => Some(*at),
                Start::After(others) => {
                    others.iter().try_fold(Duration::ZERO, |last, other| Some(last.max(*ends.get(other.as_str())?)))
                }
            };
            if let Some(start) = start {
                ends.insert(name, start + longest(workload, scenario.duration)?);
            }
        }
    }
    ends.into_values().max()
}

/// How long a workload may take from its start, replies that never come included.
fn longest(workload: &Workload, whole: Option<Duration>) -> Option<Duration> {
    let tail = match &workload.kind {
        WorkloadKind::Ping(ping) => ping.timeout,
        WorkloadKind::Udp(udp) => udp.linger,
        WorkloadKind::Tcp(_) | WorkloadKind::Program { .. } => Duration::ZERO,
    };
    let amount = match &workload.kind {
        WorkloadKind::Ping(ping) => match ping.amount {
            Amount::Count(n) => Some(ping.every * n),
            Amount::For(time) => Some(time),
            _ => whole,
        },
        WorkloadKind::Udp(udp) if let Amount::For(time) = udp.amount => Some(time),
        WorkloadKind::Tcp(tcp) if let Amount::For(time) = tcp.amount => Some(time),
        WorkloadKind::Udp(_) | WorkloadKind::Tcp(_) | WorkloadKind::Program { .. } => whole,
    };
    let own = amount.map(|amount| amount + tail);
    // Of `ping` the timeout is that of one reply.
    match &workload.kind {
        WorkloadKind::Ping(_) => own,
        _ => own.into_iter().chain(workload.timeout).min(),
    }
}

#[test]
fn the_schema_beside_the_scenarios_is_this_versions() {
    let path = repository().join("scenarios/schema.json");
    let cure = "run `cargo run -- schema > scenarios/schema.json`";
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("scenarios/schema.json: {error}: {cure}"));
    let there: serde_json::Value = serde_json::from_str(&text).expect("scenarios/schema.json is JSON");
    assert!(there == longwire::scenario::schema(), "scenarios/schema.json is of another version: {cure}");
}

#[test]
fn every_scenario_fits_the_schema() {
    let validator = jsonschema::validator_for(&longwire::scenario::schema()).expect("it is a schema");
    for path in scenarios() {
        let text = fs::read_to_string(&path).expect("it was there a moment ago");
        let value: serde_json::Value = serde_saphyr::from_str(&text).expect("it is YAML");
        let wrong: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    }
}

/// The ```yaml blocks of a Markdown text, with the line on which each begins.
fn yaml_blocks(markdown: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line.trim() == "```yaml" {
            let block = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
            blocks.push((at + 2, block.fold(String::new(), |text, line| text + line + "\n")));
        }
    }
    blocks
}

/// Blocks that begin with `longwire: 1` are whole scenarios. Those that begin with `# lib/NAME` are files that they use.
#[test]
fn examples_in_the_documentation_are_right() {
    let documents = [
        ("README.md", 1),
        ("docs/scenario.md", 10),
        ("docs/timeline.md", 1),
        ("docs/expectations.md", 2),
        ("docs/topology.md", 2),
        ("docs/topology/cloud.md", 1),
        ("docs/topology/firewall.md", 1),
        ("docs/topology/nat.md", 2),
        ("docs/topology/routing.md", 2),
        ("docs/topology/switch.md", 1),
        ("docs/captures.md", 1),
    ];
    for (document, at_least) in documents {
        let markdown = fs::read_to_string(repository().join(document)).expect(document);
        let blocks = yaml_blocks(&markdown);
        let mut used = MemoryFiles::default();
        for (_, text) in &blocks {
            if let Some(name) = text.lines().next().and_then(|line| line.strip_prefix("# lib/")) {
                used = used.with(&format!("lib/{name}"), text);
            }
        }
        let whole: Vec<_> = blocks.iter().filter(|(_, text)| text.starts_with("longwire: 1\n")).collect();
        assert!(whole.len() >= at_least, "{document} has {} examples", whole.len());
        for (line, text) in whole {
            let path = format!("{} line {line}", document.replace('/', ":"));
            check(Path::new(&path), &used.clone().with(&path, text));
        }
    }
}

/// The descriptions of models show fields of links: each line of their blocks, or each block, is what a link may say.
#[test]
fn fragments_in_the_descriptions_of_models_are_right() {
    let mut count = 0;
    for name in ["delay", "loss", "rate", "queue", "only"] {
        let document = repository().join(format!("docs/models/{name}.md"));
        let markdown = fs::read_to_string(&document).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (line, block) in yaml_blocks(&markdown) {
            for fields in alternatives(&block) {
                let rate = if fields.contains("queue") && !fields.contains("rate:") { "rate: 10Mbit\n" } else { "" };
                let fields = format!("ends: [a, b]\n{rate}{fields}").replace('\n', "\n    ");
                let text = format!("longwire: 1\nnodes: {{ a: host, b: host }}\nlinks:\n  l:\n    {fields}\n");
                // the tables that they name are not there
                if let Err((wrong, _)) = load(Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default()) {
                    let wrong: Vec<_> =
                        wrong.iter().map(ToString::to_string).filter(|told| !told.contains("cannot read")).collect();
                    assert!(wrong.is_empty(), "docs/models/{name}.md line {line}: {wrong:#?}\n{text}");
                }
                count += 1;
            }
        }
    }
    assert!(count > 30, "only {count} fragments were found");
}

/// A block whose lines say the same field again and again shows alternatives; another is one.
fn alternatives(block: &str) -> Vec<String> {
    let field = |line: &str| line.split(':').next().unwrap_or("").to_owned();
    let mut all: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    for line in block.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if !line.starts_with(' ') && seen.contains(&field(line)) {
            seen.clear();
        }
        if seen.is_empty() {
            all.push(String::new());
        }
        if !line.starts_with(' ') {
            seen.push(field(line));
        }
        let last = all.last_mut().expect("one was begun");
        last.push_str(line);
        last.push('\n');
    }
    all
}

/// Whatever may be written in a file is in the reference.
#[test]
fn the_reference_names_every_key() {
    let read =
        |name: &str| fs::read_to_string(repository().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let reference = [
        "docs/scenario.md",
        "docs/timeline.md",
        "docs/topology.md",
        "docs/topology/nat.md",
        "docs/topology/firewall.md",
        "docs/expectations.md",
    ];
    let reference = reference.map(read).concat();
    let mut keys = Vec::new();
    collect_keys(&longwire::scenario::schema(), &mut keys);
    assert!(keys.len() > 40, "the schema names {} keys", keys.len());
    let missing: Vec<_> = keys.iter().filter(|key| !reference.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "docs/scenario.md says nothing of {missing:?}");
    for preset in longwire::profile::names() {
        assert!(reference.contains(&format!("`{preset}`")), "docs/scenario.md says nothing of the profile {preset}");
    }
}

fn collect_keys(schema: &serde_json::Value, keys: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                if let ("properties", serde_json::Value::Object(properties)) = (key.as_str(), value) {
                    keys.extend(properties.keys().cloned());
                    properties.values().for_each(|property| collect_keys(property, keys));
                } else {
                    collect_keys(value, keys);
                }
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| collect_keys(value, keys)),
        _ => {}
    }
}

/// A queue without a limit lets delay grow without end: whoever wants one must say so.
#[test]
fn a_queue_without_a_limit_must_be_spelled_unlimited() {
    let path = Path::new("queue.yaml");
    let load_with = |link: &str| {
        let text = format!(
            "longwire: 1\nduration: 1s\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], {link} }} }}\n"
        );
        load(path, &MemoryFiles::default().with("queue.yaml", &text), &Overrides::default())
    };
    for queue in ["fifo", "{ fifo: {} }", "{ fifo: { min_packets: 5 } }", "drop_head", "{ drop_head: {} }"] {
        let Err((wrong, _)) = load_with(&format!("rate: 1Mbit, queue: {queue}")) else {
            panic!("`queue: {queue}` has no limit and was taken")
        };
        let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{queue}: {told:?}");
        assert!(told[0].contains("needs a limit") || told[0].contains("goes with `time`"), "{queue}: {told:?}");
    }
    let queue = |link: &str| {
        let resolved =
            load_with(link).unwrap_or_else(|(wrong, _)| panic!("{link}: {}", wrong.iter().next().expect("one")));
        resolved.plan.links[0].directions[0].queue
    };
    use longwire::queue::{FifoSpec, QueueSpec};
    assert_eq!(queue("rate: 1Mbit, queue: { fifo: unlimited }"), Some(QueueSpec::Fifo(FifoSpec::UNLIMITED)));
    assert_eq!(queue("rate: 1Mbit"), Some(QueueSpec::DEFAULT), "a rate brings a limit with it");
}

/// What `longwire profiles NAME` prints is a scenario, and means what the profile does.
#[test]
fn a_printed_profile_means_what_the_profile_does() {
    for preset in longwire::profile::all() {
        let (name, path) = (preset.name, Path::new("profile.yaml"));
        let user = if preset.down().is_some() { ", user: user" } else { "" };
        let by_name = format!(
            "longwire: 1\nnodes: {{ user: host, network: host }}\n\
             links: {{ access: {{ ends: [user, network], profile: {name}{user} }} }}\n"
        );
        let plan = |text: &str| check(path, &MemoryFiles::default().with("profile.yaml", text)).plan;
        assert_eq!(plan(&preset.scenario()), plan(&by_name), "{name}");
    }
}

/// docs/profiles.md from its first table on: a table for each set, with the sources.
fn profiles_page() -> String {
    let sets = [("", "By what they are"), ("chrome-", "Chrome DevTools"), ("wpt-", "WebPageTest")];
    let sets =
        sets.into_iter().chain([("apple-", "Apple's Network Link Conditioner"), ("atc-", "Augmented Traffic Control")]);
    let set_of =
        |name: &str| ["chrome-", "wpt-", "apple-", "atc-"].into_iter().find(|p| name.starts_with(p)).unwrap_or("");
    let mut page = String::new();
    for (prefix, title) in sets {
        page += &format!(
            "## {title}\n\n| profile | both directions | toward `user` | from `user` | sources |\n|---|---|---|---|---|\n"
        );
        for preset in longwire::profile::all().filter(|preset| set_of(preset.name) == prefix) {
            let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
            let link = preset.link().map(code).collect::<Vec<_>>().join("<br>");
            let side = |map: Option<&str>| code(map.unwrap_or("").trim_start_matches("{ ").trim_end_matches(" }"));
            let sources = preset.sources().iter().map(|(field, text)| format!("{field}: {text}")).collect::<Vec<_>>();
            page += &format!(
                "| **{}**<br>{} | {link} | {} | {} | {} |\n",
                preset.name,
                preset.title,
                side(preset.down()),
                side(preset.up()),
                sources.join("<br>")
            );
        }
        page += "\n";
    }
    page.trim_end().to_owned() + "\n"
}

#[test]
fn the_page_of_profiles_is_this_versions() {
    let path = repository().join("docs/profiles.md");
    let there = fs::read_to_string(&path).expect("docs/profiles.md is part of the repository");
    let start = there.find("## By what they are").expect("the first table");
    let page = there[..start].to_owned() + &profiles_page();
    if std::env::var_os("LONGWIRE_WRITE_DOCS").is_some() {
        fs::write(&path, &page).expect("docs/profiles.md can be written");
    }
    let cure = "run `LONGWIRE_WRITE_DOCS=1 cargo test --test offline profiles`";
    assert!(there == page, "docs/profiles.md is of another version: {cure}");
}
