//! `import:`: graphs from files as nodes and links.

mod access;
mod edges;
mod gml;
mod graph;
mod graphml;
mod naming;
mod quantity;

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Entry, Expansion, GroupKind, MOST, split, spoiled};
use crate::diag::{Diagnostics, Sources, Span};
use crate::engine::FIELDS;
use crate::language::files::{FileKind, Files, beside};
use crate::language::read::read;
use crate::language::spanned::Spanned;
use crate::language::tree::{Node, Origin, Value};
use crate::topology::link::Fields;
use crate::topology::node::NodeSpec;
use access::Access;
use graph::{Graph, Wrong, find, wrong};
use quantity::UnitsSpec;

/// The most graphs that a scenario imports.
const MOST_GRAPHS: usize = 100;

/// A graph, or a list of them.
pub(crate) struct ImportsSpec;

impl JsonSchema for ImportsSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Imports".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<ImportSpec>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// A graph from a file: its nodes and edges become nodes and links.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImportSpec {
    /// The file, relative to the one that names it.
    graph: Spanned<String>,
    /// What is in it. By default what its ending says: `.gml`, `.graphml` or `.xml`.
    format: Option<Format>,
    /// The group of all its nodes; `NAME-links` is that of all its links. By default the file's name without its ending.
    name: Option<Spanned<String>>,
    /// What the names of its nodes and links begin with. By default nothing.
    prefix: Option<Spanned<String>>,
    /// What its nodes are. By default routers.
    #[serde(rename = "nodes")]
    #[schemars(with = "Option<NodeSpec>")]
    _nodes: Option<IgnoredAny>,
    /// What its links have, below what the file says of each.
    #[serde(rename = "links")]
    #[schemars(with = "Option<Fields>")]
    _links: Option<IgnoredAny>,
    /// What numbers without a unit mean in this file.
    #[serde(default)]
    units: UnitsSpec,
    /// `ignore`: edges from a node to itself are left out, without a warning.
    self_loops: Option<SelfLoops>,
    /// `both`: an edge of a directed graph that has none back holds for both directions. Otherwise it is a mistake.
    one_way: Option<OneWay>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// Graph modelling language.
    Gml,
    /// Graphs in XML.
    GraphMl,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SelfLoops {
    /// They are left out.
    Ignore,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OneWay {
    /// It holds for both.
    Both,
}

/// What was imported.
#[derive(Default)]
pub(super) struct Imported {
    /// Nodes.
    pub nodes: Vec<Entry>,
    /// Links.
    pub links: Vec<Entry>,
    access: BTreeMap<String, Access>,
    /// A graph could not be read: of nodes that nobody knows nothing is told.
    failed: bool,
}

impl Imported {
    /// Gives links of the scenario to imported nodes the rates that the graph names for hosts. Where a graph could not
    /// be read, links to nodes that it may have are passed over instead.
    pub(super) fn limit_access(&self, links: &mut [Entry], known: impl Fn(&str) -> bool) {
        access::limit(links, &self.access);
        if self.failed {
            for link in links {
                if super::links::ends(&link.value).iter().any(|end| !known(split(end).0)) {
                    *link = spoiled(link.clone());
                }
            }
        }
    }
}

/// Reads the graphs that a scenario imports.
pub(super) fn import(section: &Entry, files: &dyn Files, sources: &mut Sources, to: &mut Expansion<'_>) -> Imported {
    let mut imported = Imported::default();
    let list = match &section.value.value {
        Value::Seq(list) => list.clone(),
        Value::Null => Vec::new(),
        _ => vec![section.value.clone()],
    };
    if list.len() > MOST_GRAPHS {
        let message = format!("{} graphs are too many", list.len());
        to.tell(section.key_span, message, format!("at most {MOST_GRAPHS}"));
        imported.failed = true;
        return imported;
    }
    for node in list {
        let mut one = One { node, files, sources: &mut *sources, to: &mut *to, imported: &mut imported };
        if one.import().is_none() {
            imported.failed = true;
        }
    }
    imported
}

/// One graph on its way.
struct One<'a, 't> {
    node: Node,
    files: &'a dyn Files,
    sources: &'a mut Sources,
    to: &'a mut Expansion<'t>,
    imported: &'a mut Imported,
}

impl One<'_, '_> {
    fn import(&mut self) -> Option<()> {
        let mut tree = self.node.clone();
        let spec = read::<ImportSpec>(&mut tree, self.to.diagnostics);
        let spec = spec.filter(|_| !tree.has_pruned())?;
        let base = self.base()?;
        let kind = match self.node.get("nodes") {
            Some(kind) => kind.clone(),
            None => Node::text("router", spec.graph.span, Origin::File),
        };
        let graph = self.read(&spec)?;
        if graph.nodes.is_empty() {
            return self.refuse(wrong(spec.graph.span, "this graph has no nodes", "name another file"));
        }
        let of = spec.name.as_ref().map_or_else(|| stem(&spec.graph), |name| name.value.clone());
        let prefix = spec.prefix.as_ref().map_or("", |prefix| prefix.value.as_str());
        let span = spec.name.as_ref().or(spec.prefix.as_ref()).unwrap_or(&spec.graph).span;
        if !self.may_name(&of, span) || !prefix.is_empty() && !self.may_name(prefix, span) {
            return None;
        }
        let (nodes, edges) = (graph.nodes.len() as u128, graph.edges.len() as u128);
        if !self.to.room(GroupKind::Nodes, nodes, span) || !self.to.room(GroupKind::Links, edges, span) {
            return None;
        }
        let names = naming::nodes(&graph.nodes, prefix);
        let links = edges::links(&graph, &names, prefix, &base, &spec, self.to)?;

        let group = format!("{of}-links");
        let made = names.iter().chain(links.iter().map(|link| &link.key)).map(String::as_str);
        if !self.to.claim(&of, span, made.chain([of.as_str(), group.as_str()])) {
            return None;
        }
        for (vertex, name) in graph.nodes.iter().zip(&names) {
            let mut rates = [None, None];
            for (rate, way) in rates.iter_mut().zip(["up", "down"]) {
                let attribute = ["host_bandwidth", "bandwidth"]
                    .iter()
                    .find_map(|what| find(&vertex.attributes, &format!("{what}_{way}")));
                if let Some(attribute) = attribute {
                    match quantity::rate(attribute, spec.units) {
                        Ok(value) => *rate = Some(Node::text(value.to_string(), attribute.span, Origin::File)),
                        Err(wrong) => return self.refuse(wrong),
                    }
                }
            }
            let [up, down] = rates;
            self.imported.access.insert(name.clone(), Access { up, down });
            self.imported.nodes.push(Entry { key: name.clone(), key_span: vertex.span, value: kind.clone() });
        }
        self.to.groups.add(&group, GroupKind::Links, links.iter().map(|link| link.key.clone()).collect());
        self.to.groups.add(&of, GroupKind::Nodes, names);
        self.imported.links.extend(links);
        Some(())
    }

    #[expect(clippy::boxed_local, reason = "a mistake comes as it is made")]
    fn refuse<T>(&mut self, wrong: Wrong) -> Option<T> {
        self.to.diagnostics.push(*wrong);
        None
    }

    fn may_name(&mut self, name: &str, span: Span) -> bool {
        let fine = crate::language::names::check_one(name.trim_end_matches(['-', '_']));
        if let Err(reason) = &fine {
            let help = "say another with `name: NAME`: letters, digits, `-` and `_`, a letter or digit first";
            self.to.tell(span, format!("`{name}` cannot be a name: {reason}"), help);
        }
        fine.is_ok()
    }

    /// The fields that all links have.
    fn base(&mut self) -> Option<Node> {
        let Some(base) = self.node.get("links").cloned() else {
            return Some(Node::empty_map(self.node.span, Origin::File));
        };
        let Some(entries) = base.entries() else {
            let help = "as in `links: { queue: codel }`";
            let message = format!("expected the fields of links, found {}", base.describe());
            return self.refuse(wrong(base.span, message, help));
        };
        let known = || FIELDS.iter().copied().chain(["profile", "rtt", "half_duplex"]);
        for entry in entries {
            if !known().any(|key| key == entry.key) {
                let help = crate::diag::suggestion(&entry.key, known());
                return self.refuse(wrong(entry.key_span, format!("unknown field `{}`", entry.key), help));
            }
        }
        Some(base)
    }

    fn read(&mut self, spec: &ImportSpec) -> Option<Graph> {
        let from = Path::new(self.sources.name(spec.graph.span.source)).to_owned();
        let path = beside(&from, &spec.graph);
        let ending = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let format = match (spec.format, ending.as_str()) {
            (Some(format), _) => format,
            (None, "gml") => Format::Gml,
            (None, "graphml" | "xml") => Format::GraphMl,
            (None, _) => {
                let message = format!("the ending of `{}` does not say what is in it", spec.graph.value);
                let help = "write `format: gml` or `format: graphml` beside it";
                return self.refuse(wrong(spec.graph.span, message, help));
            }
        };
        let text = match self.files.read(&path, FileKind::Graph) {
            Ok(text) => text,
            Err(reason) => {
                let message = format!("cannot read {}: {reason}", path.display());
                return self.refuse(wrong(spec.graph.span, message, "paths are relative to the file they stand in"));
            }
        };
        let source = self.sources.add(&path.display().to_string(), &text);
        let graph = match format {
            Format::Gml => gml::read(source, &text),
            Format::GraphMl => graphml::read(source, &text),
        };
        match graph {
            Ok(graph) if graph.nodes.len() > MOST || graph.edges.len() > MOST => {
                let message = format!("this graph has {} nodes and {} edges", graph.nodes.len(), graph.edges.len());
                self.refuse(wrong(spec.graph.span, message, format!("a scenario has at most {MOST} of each")))
            }
            Ok(graph) => Some(graph),
            Err(wrong) => self.refuse(wrong),
        }
    }
}

/// A file's name without folder and ending, as a name.
fn stem(path: &str) -> String {
    let stem = Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}

/// Tells mistakes of one kind once, at the first place, with how many more there are.
fn tell_kinds(wrongs: Vec<Wrong>, diagnostics: &mut Diagnostics) {
    let mut kinds: Vec<(String, Wrong, usize)> = Vec::new();
    for wrong in wrongs {
        // What differs between edges are numbers and names in the message; the help is of the kind.
        let kind = wrong.help.clone().unwrap_or_default();
        match kinds.iter_mut().find(|(known, ..)| *known == kind) {
            Some((.., more)) => *more += 1,
            None => kinds.push((kind, wrong, 0)),
        }
    }
    for (_, mut wrong, more) in kinds {
        if more > 0 {
            wrong.label = Some(format!("and {more} more like it in this file"));
        }
        diagnostics.push(*wrong);
    }
}
