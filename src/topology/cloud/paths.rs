//! Regions and matrices → links: one for each pair of regions, named `CLOUD-REGION-REGION` in the order of `regions`.

use std::collections::{BTreeMap, HashMap, HashSet};

use indexmap::IndexMap;

use super::super::ends::{End, NodeEntry};
use super::super::link::finish;
use super::super::node::NodeSpec;
use super::super::tables::Tables;
use super::table;
use super::{CloudSpec, is_file};
use crate::diag::{Diagnostic, Diagnostics, Span, suggestion};
use crate::language::files::FileKind;
use crate::language::merge;
use crate::language::names;
use crate::language::names::SECTIONS;
use crate::language::tree::{Entry, Node, Origin};
use crate::topology::link::Draft;
use crate::units::Dimension;

/// More regions than this have more than two thousand paths.
const MOST_REGIONS: usize = 64;

/// Values by (from, to), as positions of regions.
type Cells = BTreeMap<(usize, usize), Node>;

/// The links between the regions of all clouds. A cloud with a mistake that has been told has none.
pub(crate) fn paths(
    root: &Node,
    nodes: &IndexMap<String, NodeEntry>,
    tables: &Tables<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Draft> {
    // once for all clouds: there may be thousands
    let entries = |section: &str| root.get(section).and_then(Node::entries).unwrap_or_default();
    let trees: HashMap<&str, &Node> = entries("nodes").iter().map(|entry| (&*entry.key, &entry.value)).collect();
    let mut taken = SECTIONS.iter().flat_map(|section| entries(section)).map(|entry| entry.key.clone()).collect();
    let mut paths = Vec::new();
    for (node, (name, entry)) in nodes.iter().enumerate() {
        let Some(NodeSpec::Cloud(spec)) = &entry.spec else { continue };
        let tree = trees.get(&**name).and_then(|node| node.get("cloud"));
        if let Some(tree) = tree.filter(|tree| !tree.has_pruned()) {
            let cloud = Cloud { node, name, span: entry.span, spec, tree, tables };
            paths.extend(cloud.paths(&mut taken, diagnostics));
        }
    }
    paths
}

/// One cloud.
struct Cloud<'a> {
    node: usize,
    name: &'a str,
    span: Span,
    spec: &'a CloudSpec,
    tree: &'a Node,
    tables: &'a Tables<'a>,
}

impl Cloud<'_> {
    fn paths(&self, taken: &mut HashSet<String>, diagnostics: &mut Diagnostics) -> Vec<Draft> {
        let mut wrong = Diagnostics::default();
        self.check_regions(taken, &mut wrong);
        let empty = Cells::new();
        let [delay, jitter, loss] =
            [("delay", Dimension::Time), ("jitter", Dimension::Time), ("loss", Dimension::Share)]
                .map(|(key, dimension)| self.tree.entry(key).map(|entry| self.cells(entry, dimension, &mut wrong)));
        let (delay, jitter, loss) = (delay.as_ref(), jitter.as_ref(), loss.as_ref());
        if !wrong.has_errors() {
            self.forbid_gaps(delay.unwrap_or(&empty), &mut wrong);
        }
        let stop = wrong.has_errors();
        wrong.iter().for_each(|diagnostic| diagnostics.push(diagnostic.clone()));
        if stop {
            return Vec::new();
        }
        let regions = &self.spec.regions;
        let mut paths = Vec::new();
        for a in 0..regions.len() {
            for b in a + 1..regions.len() {
                let tree = |from: usize, to: usize, diagnostics: &mut Diagnostics| {
                    let of = |cells: Option<&Cells>| either(cells.unwrap_or(&empty), from, to).cloned();
                    self.direction(of(delay), of(jitter), of(loss), diagnostics)
                };
                let directions =
                    [tree(a, b, diagnostics), tree(b, a, diagnostics)].map(|tree| finish(tree, diagnostics));
                let end = |region: usize| End {
                    node: self.node,
                    name: regions[region].value.clone(),
                    interface: None,
                    span: regions[region].span,
                };
                let name = self.link(a, b);
                paths.push(Draft { name, span: self.span, ends: Some([end(a), end(b)]), directions });
            }
        }
        paths
    }

    /// The name of the link between two regions.
    fn link(&self, a: usize, b: usize) -> String {
        let regions = &self.spec.regions;
        format!("{}-{}-{}", self.name, regions[a].value, regions[b].value)
    }

    fn check_regions(&self, taken: &mut HashSet<String>, diagnostics: &mut Diagnostics) {
        let regions = &self.spec.regions;
        if regions.is_empty() || regions.len() > MOST_REGIONS {
            let message = format!("a cloud has 1 to {MOST_REGIONS} regions, not {}", regions.len());
            diagnostics.error(regions.span, message).help("as in `regions: [frankfurt, tokyo]`");
            return;
        }
        for (n, region) in regions.iter().enumerate() {
            if let Err(reason) = names::check_one(region) {
                let message = format!("`{}` cannot be a region: {reason}", region.value);
                diagnostics.error(region.span, message).help("letters, digits, `-` and `_`");
            }
            if let Some(first) = regions[..n].iter().find(|other| other.value == region.value) {
                let message = format!("`{}` is a region of `{}` already", region.value, self.name);
                diagnostics.error(region.span, message).related(first.span, "the first");
            }
        }
        let is_name = |region: usize| names::check_one(&regions[region]).is_ok();
        for b in (0..regions.len()).filter(|b| is_name(*b)) {
            let mistake = (0..b).filter(|a| is_name(*a)).find_map(|a| {
                let name = self.link(a, b);
                let message = match (names::check_one(&name), taken.insert(name.clone())) {
                    (Err(reason), _) => format!("the path between them cannot be called `{name}`: {reason}"),
                    (Ok(()), false) => format!("`{name}`, the name of the path between them, is taken"),
                    (Ok(()), true) => return None,
                };
                Some(Diagnostic::error(regions[b].span, message).related(regions[a].span, "the other region"))
            });
            mistake.into_iter().for_each(|error| diagnostics.push(error.help("choose other names")));
        }
    }

    fn position(&self, region: &str) -> Option<usize> {
        self.spec.regions().position(|known| known == region)
    }

    fn cells(&self, entry: &Entry, dimension: Dimension, diagnostics: &mut Diagnostics) -> Cells {
        let node = &entry.value;
        let count = self.spec.regions.len();
        match node.as_text() {
            Some(file) if is_file(file) => self.file(file, node, dimension, diagnostics),
            Some(_) => {
                let pairs = (0..count).flat_map(|a| (0..count).filter(move |b| a != *b).map(move |b| (a, b)));
                pairs.map(|pair| (pair, node.clone())).collect()
            }
            None => self.inline(node, diagnostics),
        }
    }

    fn inline(&self, node: &Node, diagnostics: &mut Diagnostics) -> Cells {
        let mut cells = Cells::new();
        let region = |entry: &Entry, diagnostics: &mut Diagnostics| {
            let found = self.position(&entry.key);
            if found.is_none() {
                diagnostics
                    .error(entry.key_span, format!("`{}` has no region `{}`", self.name, entry.key))
                    .help(suggestion(&entry.key, self.spec.regions()));
            }
            found
        };
        for row in node.entries().unwrap_or_default() {
            let from = region(row, diagnostics);
            for cell in row.value.entries().unwrap_or_default() {
                let to = region(cell, diagnostics);
                let (Some(from), Some(to)) = (from, to) else { continue };
                if from == to {
                    let message = format!("`{}` has no path to itself", cell.key);
                    let help = "what is attached to one region meets there without delay; put a delay on its own link";
                    diagnostics.error(cell.key_span, message).help(help);
                }
                cells.insert((from, to), cell.value.clone());
            }
        }
        cells
    }

    fn file(&self, file: &str, node: &Node, dimension: Dimension, diagnostics: &mut Diagnostics) -> Cells {
        let path = self.tables.path(Some(node), file);
        let text = match self.tables.files.read(&path, FileKind::Table) {
            Ok(text) => text,
            Err(reason) => {
                diagnostics.error(node.span, format!("cannot read {}: {reason}", path.display()));
                return Cells::new();
            }
        };
        let regions: Vec<&str> = self.spec.regions().collect();
        let (found, wrong) = table::read(&text, &regions, dimension);
        wrong.iter().for_each(|message| {
            diagnostics.error(node.span, format!("{} {message}", path.display()));
        });
        found.into_iter().map(|(pair, text)| (pair, Node::text(text, node.span, node.origin.clone()))).collect()
    }

    fn forbid_gaps(&self, delay: &Cells, diagnostics: &mut Diagnostics) {
        let regions = &self.spec.regions;
        let pairs = (0..regions.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let mut missing: Vec<(usize, usize)> = pairs.filter(|(a, b)| either(delay, *a, *b).is_none()).collect();
        missing.sort_unstable();
        let Some((a, b)) = missing.first().map(|(a, b)| (&regions[*a].value, &regions[*b].value)) else { return };
        let names: Vec<String> =
            missing.iter().map(|(a, b)| format!("{} – {}", regions[*a].value, regions[*b].value)).collect();
        let message = format!("`{}` has no delay between {}", self.name, names.join(", "));
        let span = self.tree.entry("delay").map(|entry| entry.key_span);
        diagnostics
            .error(span, message)
            .help(format!("as in `delay: {{ {a}: {{ {b}: 20ms }} }}`; what is said of one way only holds for both"));
    }

    /// The fields of one direction.
    fn direction(
        &self,
        delay: Option<Node>,
        jitter: Option<Node>,
        loss: Option<Node>,
        diagnostics: &mut Diagnostics,
    ) -> Node {
        let mut tree = Node::empty_map(self.span, Origin::File);
        let entry = |key: &str, value: Node| Entry { key: key.to_owned(), key_span: value.span, value };
        if let Some(delay) = delay {
            let mut delay = merge::as_delay_map(delay);
            if let Some(jitter) = jitter {
                if let Some(own) = ["jitter", "samples"].into_iter().find_map(|key| delay.entry(key)) {
                    diagnostics
                        .error(own.key_span, "this delay says itself how far it strays")
                        .related(jitter.span, "and here")
                        .help("keep one of them");
                } else {
                    delay.set(entry("jitter", jitter));
                }
            }
            let shaped = ["distribution", "samples"].into_iter().any(|key| delay.get(key).is_some());
            if let Some(distribution) = self.tree.get("distribution").filter(|_| !shaped) {
                delay.set(entry("distribution", distribution.clone()));
            }
            tree.set(entry("delay", delay));
        }
        if let Some(loss) = loss {
            tree.set(entry("loss", loss));
        }
        tree
    }
}

/// The value from one region to another; what is said of one way only holds for both.
fn either(cells: &Cells, from: usize, to: usize) -> Option<&Node> {
    cells.get(&(from, to)).or_else(|| cells.get(&(to, from)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::engine::{DirectionSpec, NodeKind};
    use crate::language::files::MemoryFiles;
    use crate::model::{DelaySpec, LossSpec};
    use crate::node::EdgePlan;
    use crate::scenario::{Overrides, load};
    use crate::tasks::resolved::Resolved;
    use crate::tasks::set::LiveLinks;
    use crate::units::Duration;

    fn scenario(cloud: &str) -> String {
        format!(
            "longwire: 1\nnodes:\n  a: host\n  b: host\n  c: host\n  net:\n    cloud:\n{cloud}\nlinks:\n  \
             la: {{ ends: [a, net.fra] }}\n  lb: {{ ends: [net.tokyo, b], delay: 1ms }}\n  lc: {{ ends: [c, net.fra] }}\n"
        )
    }

    fn try_read(cloud: &str, files: &[(&str, &str)]) -> Result<Resolved, Vec<String>> {
        let mut all = MemoryFiles::one("x/t.yaml", &scenario(cloud));
        for (name, text) in files {
            all = all.with(name, text);
        }
        load(Path::new("x/t.yaml"), &all, &Overrides::default())
            .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
    }

    fn read(cloud: &str, files: &[(&str, &str)]) -> Resolved {
        try_read(cloud, files).unwrap_or_else(|told| panic!("{told:#?}"))
    }

    fn delays(resolved: &Resolved) -> Vec<(String, [u64; 2])> {
        let paths = resolved.plan.links.iter().filter(|link| link.name.starts_with("net-"));
        paths
            .map(|link| (link.name.clone(), link.directions.each_ref().map(|d| d.delay.mean.as_nanos() / 1_000_000)))
            .collect()
    }

    fn expected(all: &[(&str, [u64; 2])]) -> Vec<(String, [u64; 2])> {
        all.iter().map(|(name, delays)| ((*name).to_owned(), *delays)).collect()
    }

    #[test]
    fn each_pair_is_a_link_with_the_values_of_the_matrix() {
        let resolved = read(
            "      regions: [fra, tokyo, nyc]\n      delay:\n        fra: { tokyo: 110ms, nyc: 42ms }\n        \
             tokyo: { nyc: { mean: 80ms, jitter: 3ms }, fra: 120ms }\n      loss: { nyc: { fra: 1% } }\n",
            &[],
        );
        assert_eq!(
            delays(&resolved),
            expected(&[("net-fra-tokyo", [110, 120]), ("net-fra-nyc", [42, 42]), ("net-tokyo-nyc", [80, 80])])
        );
        let plan = &resolved.plan;
        let nodes: Vec<_> = plan.nodes.iter().map(|node| (node.name.as_str(), &node.kind)).collect();
        let edge = |attachments| NodeKind::Edge(EdgePlan { attachments, cloud: 3 });
        assert_eq!(nodes[3..], [("net.fra", &edge(2)), ("net.tokyo", &edge(1)), ("net.nyc", &edge(0))]);
        let ends: Vec<[usize; 2]> = plan.links.iter().map(|link| link.ends).collect();
        assert_eq!(ends, [[0, 3], [4, 1], [2, 3], [3, 4], [3, 5], [4, 5]]);
        let loss = LossSpec::random("1%".parse().unwrap());
        assert_eq!(plan.links[4].directions.each_ref().map(|d| d.loss.clone()), [loss.clone(), loss]);
        assert_eq!(plan.links[3].directions[0].loss, LossSpec::default());
        assert_eq!(plan.links[5].directions[1].delay.jitter, Duration::from_millis(3));
        // all that is attached is on one segment
        let networks: Vec<_> = resolved.network.hosts.iter().map(|h| h.interfaces[0].addresses[0].trunc()).collect();
        assert!(networks.iter().all(|net| *net == networks[0]), "{networks:?}");
    }

    #[test]
    fn one_value_holds_for_all_pairs_and_jitter_and_distribution_go_with_it() {
        let resolved = read(
            "      regions: [fra, tokyo, nyc]\n      delay: 50ms\n      jitter: { fra: { nyc: 5ms } }\n      \
             distribution: normal\n      loss: 2%\n",
            &[],
        );
        assert_eq!(delays(&resolved).iter().map(|(_, d)| *d).collect::<Vec<_>>(), [[50, 50]; 3]);
        let of = |link: usize, way: usize| -> &DirectionSpec { &resolved.plan.links[link].directions[way] };
        assert_eq!(of(4, 1).delay.jitter, Duration::from_millis(5));
        assert_eq!(of(4, 0).delay.distribution, crate::model::Distribution::Normal);
        assert_eq!(of(3, 0).delay.jitter, Duration::ZERO);
        assert!((3..6).all(|link| of(link, 1).loss == LossSpec::random("2%".parse().unwrap())));
    }

    #[test]
    fn matrices_come_from_files_beside_the_scenario() {
        let delay = "delay_ms,fra,tokyo,nyc\nfra,0,110,42\ntokyo,120,,80.5\nnyc,,81,0\n";
        let loss = "# measured\nfrom,fra,tokyo\ntokyo,0.5%,\n";
        let cloud = "      regions: [fra, tokyo, nyc]\n      delay: m/delay.csv\n      loss: loss.csv\n";
        let resolved = read(cloud, &[("x/m/delay.csv", delay), ("x/loss.csv", loss)]);
        let spec = |link: usize, way: usize| resolved.plan.links[link].directions[way].clone();
        let of = |link, way| spec(link, way).delay;
        assert_eq!([of(3, 0), of(3, 1)], [110, 120].map(|ms| DelaySpec::constant(Duration::from_millis(ms))));
        assert_eq!(of(4, 1), DelaySpec::constant(Duration::from_millis(42)), "one way holds for both");
        assert_eq!(of(5, 0), DelaySpec::constant(Duration::from_micros(80_500)));
        assert_eq!(spec(3, 0).loss, LossSpec::random("0.5%".parse().unwrap()));
        let told = try_read(cloud, &[("x/m/delay.csv", "ms,fra,tky\nfra,1,2\nnyc,x,1\n")]).unwrap_err();
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(
            told.iter().any(|t| t.starts_with("9:14: x/m/delay.csv line 1, column 3: no region `tky`")),
            "{told:#?}"
        );
        assert!(told.iter().any(|t| t.starts_with("10:13: cannot read x/loss.csv")), "{told:#?}");
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        let told = |cloud: &str| try_read(cloud, &[]).map(|_| ()).unwrap_err();
        let one = |cloud: &str, part: &str| {
            let told = told(cloud);
            assert!(told.len() == 1 && told[0].contains(part), "{part}: {told:#?}");
        };
        one(
            "      regions: [fra, tokyo, nyc]\n      delay: { fra: { nyc: 42ms } }",
            "9:7: `net` has no delay between fra – tokyo, tokyo – nyc (as in `delay: { fra: { tokyo: 20ms } }`",
        );
        one("      regions: [fra, tokyo]\n      delay: { fra: { toky: 1ms } }", "`net` has no region `toky`");
        one(
            "      regions: [fra, tokyo]\n      delay: { fra: { fra: 1ms, tokyo: 2ms } }",
            "`fra` has no path to itself",
        );
        one("      regions: [fra, tokyo]\n      delay: { fra: { tokyo: 5 } }", "`5` has no unit");
        one("      regions: [fra, tokyo]\n      delay: 5", "`5` has no unit");
        one("      regions: [fra, tokyo, fra]\n      delay: 5ms", "`fra` is a region of `net` already");
        one("      regions: [fra, tokyo, a.b]\n      delay: 5ms", "`a.b` cannot be a region");
        one("      regions: [fra, tokyo]\n      dealy: 5ms\n      delay: 5ms", "did you mean `delay`?");
        one(
            "      regions: [fra, tokyo]\n      delay: 5ms\n      jitter: 9ms\n      distribution: exponential",
            "begins",
        );
        one(
            "      regions: [fra, tokyo]\n      delay: { fra: { tokyo: { mean: 5ms, jitter: 1ms } } }\n      jitter: 1ms",
            "this delay says itself how far it strays",
        );
        assert!(told("      regions: [fra, tokyo]").iter().any(|t| t.contains("`delay` is missing")));
        let long = "y".repeat(60);
        one(
            &format!("      regions: [fra, tokyo, {long}]\n      delay: 5ms"),
            "the path between them cannot be called",
        );
    }

    #[test]
    fn ends_name_a_region_and_path_names_are_free() {
        let good = "      regions: [fra, tokyo]\n      delay: 5ms";
        let with = |old: &str, new: &str| {
            let files = MemoryFiles::one("t", &scenario(good).replace(old, new));
            load(Path::new("t"), &files, &Overrides::default())
                .map(|_| ())
                .map_err(|(told, _)| told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
                .unwrap_err()
        };
        assert!(with("net.tokyo", "net.toko").contains("`net` has no region `toko` (did you mean `net.tokyo`?)"));
        assert!(with("net.tokyo, b", "net, b").contains("say at which of its regions"));
        assert!(
            with("  lc: {", "  net-fra-tokyo: {")
                .contains("`net-fra-tokyo`, the name of the path between them, is taken")
        );
        assert!(with("[c, net.fra]", "[net.tokyo, net.fra]").contains("both ends are `net`"));
        // a path of another cloud takes its name too
        let two = "  net: { cloud: { regions: [fra, tokyo-x], delay: 1ms } }\n  net-fra: { cloud: { regions: [tokyo, x], delay: 1ms } }";
        assert!(
            with("  net:\n    cloud:\n      regions: [fra, tokyo]\n      delay: 5ms", two)
                .contains("`net-fra-tokyo-x`, the name of the path between them, is taken")
        );
    }

    #[test]
    fn paths_change_as_other_links_do() {
        let resolved = read("      regions: [fra, tokyo]\n      delay: 5ms", &[]);
        let mut live = LiveLinks::new(&resolved);
        let files = MemoryFiles::default();
        let changed = live.set("net-fra-tokyo.toward.tokyo.delay=9ms", &files).unwrap();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].1.delay, Some(DelaySpec::constant(Duration::from_millis(9))));
        assert_eq!(live.set("net-fra-tokyo.loss=1%", &files).unwrap().len(), 2);
        assert_eq!(live.directions("net-fra-tokyo").unwrap().len(), 2);
    }
}
