//! Changes to links while they run: `wifi.loss=10%`, `wifi.toward.ap.rate=5Mbit`, in the grammar of the file, with the
//! same errors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod course;
mod standing;

use super::resolved::Resolved;
use crate::diag::{Diagnostic, Diagnostics, SourceId, Sources, Span, suggestion};
use crate::engine::{Change, DirectionId, DirectionSpec, FIELDS, LinkId, NodeId};
use crate::language::files::Files;
use crate::language::merge;
use crate::language::parse::parse;
use crate::language::read::read;
use crate::language::tree::{Entry, Node, Origin, Value};
use crate::rng::Way;
use crate::topology::expand::{GroupKind, Groups};
use crate::topology::link::ResolvedLink;
use crate::topology::link::{finish, spell_out};
use crate::topology::tables::Tables;
use crate::units::Duration;
use course::Course;

/// The links of a run, as they stand after the changes so far.
#[derive(Clone, Debug)]
pub struct LiveLinks {
    links: Vec<(ResolvedLink, [DirectionSpec; 2])>,
    /// What the scenario says of each.
    original: Arc<[([Node; 2], [DirectionSpec; 2])]>,
    /// Ramps under way, by their number and the link's.
    ramps: BTreeMap<(usize, usize), [Course; 2]>,
    /// Ports whose hosts have no carrier.
    dark: BTreeSet<NodeId>,
    /// Positions of links by their names and by those of their groups.
    by_name: BTreeMap<String, Vec<usize>>,
    /// Groups of nodes with their members: ends of several links.
    nodes: BTreeSet<(String, String)>,
    /// The scenario's file: tables are looked up beside it.
    scenario: PathBuf,
    /// The texts that the links were read from.
    sources: Sources,
}

impl LiveLinks {
    /// The links as a scenario has them.
    pub fn new(resolved: &Resolved) -> LiveLinks {
        let specs = resolved.plan.links.iter().map(|link| link.directions.clone());
        let links = resolved.links.iter().cloned().zip(specs).collect();
        let (folder, sources) = (&resolved.scenario.folder, resolved.sources.clone());
        LiveLinks::of(links, &resolved.scenario.groups, folder, sources)
    }

    pub(crate) fn of(
        links: Vec<(ResolvedLink, [DirectionSpec; 2])>,
        groups: &Groups,
        folder: &Path,
        sources: Sources,
    ) -> LiveLinks {
        let mut by_name: BTreeMap<String, Vec<usize>> =
            links.iter().enumerate().map(|(at, (link, _))| (link.name.clone(), vec![at])).collect();
        let mut nodes = BTreeSet::new();
        for (name, group) in groups.iter() {
            match group.kind {
                GroupKind::Nodes => nodes.extend(group.members.iter().map(|node| (name.to_owned(), node.clone()))),
                GroupKind::Links => {
                    let links = group.members.iter().filter_map(|link| by_name.get(link)).flatten().copied().collect();
                    by_name.insert(name.to_owned(), links);
                }
                GroupKind::Services | GroupKind::Workloads => {}
            }
        }
        let original = links.iter().map(|(link, specs)| (link.directions.clone(), specs.clone())).collect();
        let (ramps, dark) = (BTreeMap::new(), BTreeSet::new());
        // any name in its folder: only the folder counts
        LiveLinks { by_name, nodes, links, original, ramps, dark, scenario: folder.join("scenario"), sources }
    }

    /// Names of all links, in the order of `Plan::links`.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.links.iter().map(|(link, _)| link.name.as_str())
    }

    /// The links that a name stands for: one, or those of a group. In the order of the group.
    pub fn links_of(&self, name: &str) -> Option<Vec<LinkId>> {
        self.by_name.get(name).map(|links| links.iter().map(|link| LinkId(*link as u32)).collect())
    }

    /// Names that [`Self::links_of`] knows: links and groups of links.
    pub fn known(&self) -> impl Iterator<Item = &str> + Clone {
        self.by_name.keys().map(String::as_str)
    }

    /// How a direction stands.
    pub fn direction(&self, id: DirectionId) -> Option<&DirectionSpec> {
        self.links.get(id.link().0 as usize).map(|(_, specs)| &specs[index(id.way())])
    }

    /// The directions that `LINK` or `LINK.toward.END` names, for `down` and `up`. A group of links stands for all of them.
    ///
    /// # Errors
    /// What is wrong with the text, with places in it.
    pub fn directions(&self, text: &str) -> Result<Vec<DirectionId>, (Diagnostics, Sources)> {
        let mut argument = Argument::new(text);
        let parts = argument.parts(text, 0);
        let found = self.targets(&parts, &mut argument.diagnostics).and_then(|(links, rest)| match rest {
            [] => Some(links),
            [extra, ..] => {
                argument
                    .diagnostics
                    .error(extra.1, format!("`{}` is too much here", extra.0))
                    .help("name a link, or one of its directions: `LINK.toward.END`");
                None
            }
        });
        found.ok_or((argument.diagnostics, argument.sources))
    }

    /// Applies `LINK.FIELD=VALUE` or `LINK.toward.END.FIELD=VALUE`; without `toward` both directions change. FIELD is one
    /// of a link's, or `rtt`, or further in: `wifi.delay.jitter=2ms`. LINK may be a group of links, and END a group of nodes.
    ///
    /// # Errors
    /// What is wrong with the text, with places in it. Then nothing has changed.
    pub fn set(&mut self, text: &str, files: &dyn Files) -> Result<Vec<(DirectionId, Change)>, (Diagnostics, Sources)> {
        let mut argument = Argument::new(text);
        match self.try_set(text, files, &mut argument) {
            Some(changes) if !argument.diagnostics.has_errors() => {
                let mut result = Vec::new();
                for (id, tree, spec) in changes {
                    let (link, specs) = &mut self.links[id.link().0 as usize];
                    let change = Change::between(&specs[index(id.way())], &spec);
                    link.directions[index(id.way())] = tree;
                    let old = &mut specs[index(id.way())];
                    *old = DirectionSpec { port_mtu: old.port_mtu, ..spec };
                    result.push((id, change));
                }
                Ok(result)
            }
            _ => Err((argument.diagnostics, argument.sources)),
        }
    }

    fn try_set(
        &self,
        text: &str,
        files: &dyn Files,
        argument: &mut Argument,
    ) -> Option<Vec<(DirectionId, Node, DirectionSpec)>> {
        let Some((path, value)) = text.split_once('=') else {
            argument
                .diagnostics
                .error(argument.span(0, text.len()), "a change is `LINK.FIELD=VALUE`")
                .help("as in `wifi.loss=10%` or `wifi.toward.ap.rate=5Mbit`");
            return None;
        };
        let parts = argument.parts(path, 0);
        let value = argument.value(value, path.len() + 1)?;
        let (directions, fields) = self.targets(&parts, &mut argument.diagnostics)?;
        let Some((field, span)) = fields.first() else {
            argument
                .diagnostics
                .error(argument.span(0, path.len()), "it does not say what changes")
                .help(format!("name a field: {}", FIELDS.join(", ")));
            return None;
        };
        if !FIELDS.contains(field) && *field != "rtt" {
            let known = FIELDS.iter().copied().chain(["rtt"]);
            let known: Vec<_> = known.collect();
            let error = match *field {
                "half_duplex" => Diagnostic::error(*span, "`half_duplex` does not change while a run is up")
                    .help("change it in the scenario"),
                _ => Diagnostic::error(*span, format!("unknown field `{field}`"))
                    .help(suggestion(field, known.iter().copied())),
            };
            argument.diagnostics.push(error);
            return None;
        }
        if *field == "rtt" {
            if fields.len() > 1 || parts.len() > 2 {
                let error = argument.diagnostics.error(*span, "`rtt` is of both directions, and nothing is below it");
                error.help("write `LINK.rtt=20ms`, or `LINK.toward.END.delay=10ms`");
                return None;
            }
            read::<Duration>(&mut value.clone(), &mut argument.diagnostics)?;
        }
        let mut changes = Vec::new();
        for id in directions {
            let way = id.way();
            let top = spell_out(nest(fields, &value), way);
            let mut below = self.links[id.link().0 as usize].0.directions[index(way)].clone();
            // A wire that no longer takes time has no queue, whoever asked for it.
            if *field == "rate" && value.as_text() == Some("none") {
                below.remove("queue");
            }
            let tree = merge::link(below, top);
            let mut direction = finish(tree, &mut argument.diagnostics);
            let tables = Tables { files, scenario: &self.scenario, sources: &self.sources, change: true };
            tables.load(&mut direction.spec, &direction.tree, &mut argument.diagnostics);
            changes.push((id, direction.tree, direction.spec));
        }
        Some(changes)
    }

    /// The directions that are meant, and what of the path is behind them.
    #[expect(clippy::type_complexity, reason = "a private helper's two results")]
    fn targets<'p, 't>(
        &self,
        parts: &'p [(&'t str, Span)],
        diagnostics: &mut Diagnostics,
    ) -> Option<(Vec<DirectionId>, &'p [(&'t str, Span)])> {
        let ((name, span), rest) = parts.split_first()?;
        let Some(links) = self.by_name.get(*name) else {
            diagnostics.error(*span, format!("unknown link `{name}`")).help(suggestion(name, self.known()));
            return None;
        };
        let [("toward", toward), rest @ ..] = rest else {
            let both = |link: &usize| [Way::Forward, Way::Backward].map(|way| way_along(*link, way));
            return Some((links.iter().flat_map(both).collect(), rest));
        };
        let example = &self.links[*links.first()?].0.ends;
        let Some((end, end_span)) = rest.first() else {
            diagnostics
                .error(*toward, "it does not say toward which end")
                .help(format!("`{}` or `{}`", example[0], example[1]));
            return None;
        };
        let mut directions = Vec::with_capacity(links.len());
        let mut behind = &rest[1..];
        for link in links {
            let Some((position, with_interface)) = self.end(*link, end, rest.get(1).map(|(part, _)| *part)) else {
                let ends = &self.links[*link].0;
                let nodes: Vec<_> = ends.ends.iter().map(|end| end.split('.').next().unwrap_or(end)).collect();
                diagnostics
                    .error(*end_span, format!("`{end}` is not an end of `{}`", ends.name))
                    .help(suggestion(end, nodes.iter().copied()));
                return None;
            };
            if with_interface {
                behind = &rest[2..];
            }
            directions.push(way_along(*link, if position == 0 { Way::Backward } else { Way::Forward }));
        }
        Some((directions, behind))
    }

    /// Which end of a link is called so, and whether `next` is the end's interface: `toward.alice.wlan0.rate`.
    fn end(&self, link: usize, end: &str, next: Option<&str>) -> Option<(usize, bool)> {
        let ends = self.links[link].0.ends.iter().map(|known| match known.split_once('.') {
            Some((node, interface)) => (node, Some(interface)),
            None => (known.as_str(), None),
        });
        let called = |node: &str| node == end || self.nodes.contains(&(end.to_owned(), node.to_owned()));
        let mut found = None;
        for (position, (_, interface)) in ends.enumerate().filter(|(_, (node, _))| called(node)) {
            if interface.is_some() && interface == next {
                return Some((position, true));
            }
            found.get_or_insert((position, false));
        }
        found
    }
}

fn way_along(link: usize, way: Way) -> DirectionId {
    DirectionId::of(LinkId(link as u32), way)
}

fn index(way: Way) -> usize {
    match way {
        Way::Forward => 0,
        Way::Backward => 1,
    }
}

/// `fields` as maps in each other, the value innermost.
fn nest(fields: &[(&str, Span)], value: &Node) -> Node {
    fields.iter().rev().fold(value.clone(), |inner, (key, span)| {
        let mut map = Node::empty_map(*span, Origin::CommandLine);
        map.set(Entry { key: (*key).to_owned(), key_span: *span, value: inner });
        map
    })
}

/// A command's argument as a source of its own.
struct Argument {
    sources: Sources,
    source: SourceId,
    diagnostics: Diagnostics,
}

impl Argument {
    fn new(text: &str) -> Argument {
        let mut sources = Sources::default();
        let source = sources.add("set", text);
        Argument { sources, source, diagnostics: Diagnostics::default() }
    }

    fn span(&self, start: usize, len: usize) -> Span {
        let text = self.sources.text(self.source);
        let column = text.get(..start).map_or(0, |before| before.chars().count()) as u32 + 1;
        Span { source: self.source, start, len, line: 1, column }
    }

    fn parts<'t>(&self, path: &'t str, start: usize) -> Vec<(&'t str, Span)> {
        let mut at = start;
        path.split('.')
            .map(|part| {
                let span = self.span(at, part.len());
                at += part.len() + 1;
                (part, span)
            })
            .collect()
    }

    /// The value, a YAML text of its own, with its places moved to where it stands in the argument.
    fn value(&mut self, text: &str, start: usize) -> Option<Node> {
        let mut own = Sources::default();
        let source = own.add("", text);
        let mut diagnostics = Diagnostics::default();
        let node = parse(&own, source, &Origin::CommandLine, &mut diagnostics);
        for diagnostic in diagnostics.iter() {
            let mut diagnostic = diagnostic.clone();
            diagnostic.span = diagnostic.span.map(|span| self.span(start + span.start, span.len));
            diagnostic.related.clear();
            self.diagnostics.push(diagnostic);
        }
        let mut node = node?;
        if matches!(node.value, Value::Null) {
            self.diagnostics.error(self.span(start.saturating_sub(1), 1), "no value stands after `=`");
            return None;
        }
        self.shift(&mut node, start);
        Some(node)
    }

    fn shift(&self, node: &mut Node, start: usize) {
        node.span = self.span(start + node.span.start, node.span.len);
        if let Value::Map(entries) = &mut node.value {
            for entry in entries {
                entry.key_span = self.span(start + entry.key_span.start, entry.key_span.len);
            }
        }
        node.each_child(|child| self.shift(child, start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::model::{LossSpec, RateSpec};
    use crate::queue::QueueSpec;
    use crate::scenario::{Overrides, load};
    use std::path::Path;

    fn live() -> LiveLinks {
        let text = "longwire: 1\nnodes: { a: host, ap: switch, b: host }\nlinks:\n  \
                    wifi: { ends: [a.wlan0, ap], delay: { mean: 5ms, jitter: 1ms }, loss: 1% }\n  \
                    lan: { ends: [ap, b], rate: 1Gbit, queue: { fifo: { packets: 9 } } }\n";
        LiveLinks::new(&load(Path::new("t"), &MemoryFiles::one("t", text), &Overrides::default()).unwrap())
    }

    fn refused(text: &str) -> Vec<String> {
        let (told, sources) = live().set(text, &MemoryFiles::default()).unwrap_err();
        for diagnostic in told.iter() {
            let span = diagnostic.span.expect("a place in the argument");
            assert!(sources.text(span.source).get(span.start..span.start + span.len).is_some());
        }
        told.iter().map(ToString::to_string).collect()
    }

    const FORWARD: DirectionId = DirectionId(0);
    const BACKWARD: DirectionId = DirectionId(1);

    #[test]
    fn a_change_hits_both_directions_unless_it_names_one() {
        let mut live = live();
        let loss = |text: &str| Some(LossSpec::random(text.parse().unwrap()));
        let change = |loss| Change { loss, ..Change::default() };
        assert_eq!(
            live.set("wifi.loss=10%", &MemoryFiles::default()).unwrap(),
            [(FORWARD, change(loss("10%"))), (BACKWARD, change(loss("10%")))]
        );
        assert_eq!(
            live.set("wifi.toward.ap.loss=2%", &MemoryFiles::default()).unwrap(),
            [(FORWARD, change(loss("2%")))]
        );
        assert_eq!(
            live.set("wifi.toward.a.loss=none", &MemoryFiles::default()).unwrap(),
            [(BACKWARD, change(Some(LossSpec::default())))]
        );
        assert_eq!(
            live.set("wifi.toward.a.wlan0.loss={ random: 3% }", &MemoryFiles::default()).unwrap(),
            [(BACKWARD, change(loss("3%")))]
        );
        assert_eq!(live.direction(FORWARD).unwrap().loss, loss("2%").unwrap());
        // the same again changes nothing
        assert_eq!(
            live.set("wifi.toward.a.loss=3%", &MemoryFiles::default()).unwrap(),
            [(BACKWARD, Change::default())]
        );
    }

    #[test]
    fn what_a_change_does_not_mention_stays() {
        let mut live = live();
        let changes = live.set("wifi.delay=7ms", &MemoryFiles::default()).unwrap();
        let delay = changes[0].1.delay.clone().unwrap();
        assert_eq!((delay.mean, delay.jitter), (Duration::from_millis(7), Duration::from_millis(1)));
        let delay = live.set("wifi.delay.jitter=3ms", &MemoryFiles::default()).unwrap()[1].1.delay.clone().unwrap();
        assert_eq!((delay.mean, delay.jitter), (Duration::from_millis(7), Duration::from_millis(3)));
        let changes = live.set("wifi.rtt=5ns", &MemoryFiles::default()).unwrap();
        let mean = |at: usize| changes[at].1.delay.as_ref().unwrap().mean.as_nanos();
        assert_eq!((mean(0), mean(1)), (3, 2));
    }

    #[test]
    fn a_rate_brings_a_queue_and_its_end_takes_it_away() {
        let mut live = live();
        let change = &live.set("wifi.rate=5Mbit", &MemoryFiles::default()).unwrap()[0].1;
        assert_eq!(change.queue, Some(QueueSpec::DEFAULT));
        assert_eq!(live.set("wifi.rate=none", &MemoryFiles::default()).unwrap()[0].1.rate, Some(RateSpec::Unlimited));
        assert_eq!(live.direction(FORWARD).unwrap().queue, None);
        assert!(live.set("lan.queue.fifo.packets=20", &MemoryFiles::default()).is_ok());
        assert_eq!(refused("wifi.queue={ fifo: { packets: 5 } }").len(), 1);
        // what the file asked for goes with the wire that it stood at
        assert!(live.set("lan.rate=none", &MemoryFiles::default()).is_ok());
        assert_eq!(live.direction(DirectionId(2)).unwrap().queue, None);
    }

    #[test]
    fn rates_change_their_kind_and_take_tables_from_files() {
        let mut live = live();
        let files = MemoryFiles::one("cell.up", "1\n");
        let change = &live.set("lan.rate={ trace: cell.up }", &files).unwrap()[0].1;
        assert_eq!(change.rate.as_ref().and_then(RateSpec::nominal).unwrap().as_bps(), 12_032_000);
        assert_eq!(change.framing, Some(crate::model::Framing::TUN));
        assert!(live.set("lan.rate={ trace: none.up }", &files).is_err());
        assert!(live.set("lan.rate={ token_bucket: { rate: 8Mbit, burst: 3kB } }", &files).is_ok());
        let change = &live.set("lan.rate.token_bucket.burst=4kB", &files).unwrap()[0].1;
        assert_eq!(change.rate.as_ref().unwrap().words(), "8Mbit burst 4kB");
        assert_eq!(
            refused("lan.half_duplex=true"),
            ["1:5: `half_duplex` does not change while a run is up (change it in the scenario)"]
        );
    }

    #[test]
    fn mistakes_have_places_in_the_argument() {
        assert_eq!(refused("wfi.loss=1%"), ["1:1: unknown link `wfi` (did you mean `wifi`?)"]);
        assert_eq!(refused("wifi.los=1%"), ["1:6: unknown field `los` (did you mean `loss`?)"]);
        assert_eq!(refused("wifi.toward.bp.loss=1%"), ["1:13: `bp` is not an end of `wifi` (did you mean `ap`?)"]);
        assert!(refused("wifi.loss=1")[0].starts_with("1:11: `1` has no unit"));
        assert_eq!(refused("wifi.delay.jiter=1ms"), ["1:12: unknown field `jiter` (did you mean `jitter`?)"]);
        assert!(refused("wifi.loss")[0].contains("a change is `LINK.FIELD=VALUE`"));
        assert!(refused("wifi=1")[0].contains("does not say what changes"));
        assert!(refused("wifi.toward=1")[0].contains("toward which end"));
        assert!(refused("wifi.loss=")[0].contains("no value stands after"));
        assert!(refused("wifi.loss={ random: 1%")[0].starts_with("1:"));
        assert!(refused("wifi.toward.ap.rtt=1ms")[0].contains("both directions"));
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let mut live = live();
        assert!(live.set("wifi.loss={ random: 200% }", &MemoryFiles::default()).is_err());
        assert_eq!(live.direction(FORWARD), self::live().direction(FORWARD));
    }

    #[test]
    fn down_and_up_name_directions() {
        let live = live();
        assert_eq!(live.directions("wifi").unwrap(), [FORWARD, BACKWARD]);
        assert_eq!(live.directions("wifi.toward.a.wlan0").unwrap(), [BACKWARD]);
        assert!(live.directions("wifi.loss").is_err());
    }

    #[test]
    fn a_group_of_links_stands_for_all_of_them() {
        let text = "longwire: 1\nnodes: { c: { host: { count: 3 } }, ap: switch, b: host }\nlinks:\n  \
                    wifi: { ends: [c.wlan0, ap], delay: 5ms }\n  lan: { ends: [ap, b] }\n";
        let load =
            || LiveLinks::new(&load(Path::new("t"), &MemoryFiles::one("t", text), &Overrides::default()).unwrap());
        let set = |live: &mut LiveLinks, text: &str| {
            let changes =
                live.set(text, &MemoryFiles::default()).map_err(|(told, _)| told.iter().next().unwrap().to_string());
            changes.map(|changes| changes.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
        };
        let mut live = load();
        assert_eq!(set(&mut live, "wifi.loss=5%"), Ok(vec![0, 1, 2, 3, 4, 5]));
        let five = Some(LossSpec::random("5%".parse().unwrap()));
        assert!((0..6).all(|id| live.direction(DirectionId(id)).map(|spec| spec.loss.clone()) == five));
        assert_eq!(set(&mut live, "wifi-2.loss=none"), Ok(vec![2, 3]));
        // toward the access point, and toward each client, by its group's name or its own
        assert_eq!(set(&mut live, "wifi.toward.ap.delay=9ms"), Ok(vec![0, 2, 4]));
        assert_eq!(set(&mut live, "wifi.toward.c.delay=9ms"), Ok(vec![1, 3, 5]));
        assert_eq!(set(&mut live, "wifi.toward.c.wlan0.delay=8ms"), Ok(vec![1, 3, 5]));
        assert_eq!(set(&mut live, "wifi-3.toward.c-3.wlan0.delay=8ms"), Ok(vec![5]));
        assert_eq!(live.directions("wifi").unwrap().len(), 6);
        assert_eq!(live.links_of("wifi").unwrap().len(), 3);
        assert_eq!(live.links_of("c"), None);
        assert_eq!(
            set(&mut live, "wifi.toward.b.loss=5%"),
            Err("1:13: `b` is not an end of `wifi-1` (known here: `c-1`, `ap`)".into())
        );
        assert!(set(&mut live, "wfi.loss=5%").unwrap_err().contains("did you mean `wifi`?"));
        // none changes if one is wrong
        assert!(set(&mut live, "wifi.queue=codel").is_err());
    }
}
