//! From a file to a scenario that may run: gather, substitute, read, check, plan. Each step goes on as far as it can, so
//! that all mistakes are told at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Overrides;
use crate::addressing::address::AddressingSpec;
use crate::addressing::build::{Built, build};
use crate::addressing::network::NetworkPlan;
use crate::addressing::network::Place;
use crate::diag::{Diagnostic, Diagnostics, Sources, suggestion};
use crate::language::files::{Files, MemoryFiles, Once};
use crate::language::gather::{KEYS, gather};
use crate::language::matrix;
use crate::language::parse::missing_space;
use crate::language::presets::{PresetTree, Presets};
use crate::language::read::read;
use crate::language::spanned::Spanned;
use crate::language::tree::{Entry, Node, Origin, Value};
use crate::language::{names, params};
use crate::profile;
use crate::tasks::capture;
use crate::tasks::capture::CaptureSpec;
use crate::tasks::check;
use crate::tasks::check::Named;
use crate::tasks::expect;
use crate::tasks::reach::Hosts;
use crate::tasks::resolved::Resolved;
use crate::tasks::series::SeriesSpec;
use crate::tasks::set::LiveLinks;
use crate::tasks::sim::SimSpec;
use crate::tasks::spec::Scenario;
use crate::tasks::timeline;
use crate::tasks::timing::TimingSpec;
use crate::tasks::transit::Transit;
use crate::tasks::validity::ValiditySpec;
use crate::tasks::ways::Ways;
use crate::tasks::workload::{ServiceSpec, WorkloadSpec};
use crate::tasks::{detour, patience};
use crate::topology::cloud;
use crate::topology::ends;
use crate::topology::ends::{End, NodeEntry, Trunk};
use crate::topology::expand::Groups;
use crate::topology::expand::{expand, fold};
use crate::topology::link::Draft;
use crate::topology::link::ResolvedLink;
use crate::topology::link::{Layers, LinkHead, position_of_end};
use crate::topology::node::{ExternalSpec, NodeSpec};
use crate::topology::tables::Tables;
use crate::units::Duration;

/// The longest path of a Unix socket (unix(7), `sun_path` less its terminating zero).
const LONGEST_SOCKET_PATH: usize = 107;

/// The longest run of frames of one train in a live run, unless the scenario says.
const COALESCE: Duration = Duration::from_micros(50);

/// How long routers and switches take to notice, tell and compute, unless the scenario says: about what OSPF with its
/// usual timers and BFD takes, and rapid spanning tree.
const CONVERGENCE: Duration = Duration::from_secs(1);

/// What stands at the top of a file beside the sections.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Head {
    longwire: Option<Spanned<u64>>,
    name: Option<String>,
    seed: Option<u64>,
    duration: Option<Spanned<Duration>>,
    coalesce: Option<Duration>,
    convergence: Option<Duration>,
    addressing: AddressingSpec,
    validity: ValiditySpec,
    timing: TimingSpec,
    sim: SimSpec,
    series: SeriesSpec,
    capture: Option<Spanned<CaptureSpec>>,
}

/// Reads a scenario file, and all files that it uses, and checks everything.
///
/// # Errors
/// All mistakes at once, ordered by place, with the texts that their places point into. Warnings stand among them.
pub fn load(path: &Path, files: &dyn Files, overrides: &Overrides) -> Result<Resolved, (Diagnostics, Sources)> {
    load_combination(path, files, overrides, &[])
}

/// The same with values of the scenario's matrix in place of what `params` says: of each name, which of its values, from 0.
/// Names and values that the matrix does not have change nothing; what `overrides` names stays as it says.
///
/// # Errors
/// As for [`load`].
pub fn load_combination(
    path: &Path,
    files: &dyn Files,
    overrides: &Overrides,
    combination: &[(String, usize)],
) -> Result<Resolved, (Diagnostics, Sources)> {
    let mut load = Load { sources: Sources::default(), told: Diagnostics::default(), groups: Groups::default() };
    let files = Once::new(files);
    let resolved = load.run(path, &files, overrides, combination);
    load.told = fold(std::mem::take(&mut load.told), &load.groups);
    load.told.sort();
    match resolved {
        Some(resolved) if !load.told.has_errors() => {
            Ok(Resolved { warnings: load.told, sources: load.sources, files: files.into_read(), ..resolved })
        }
        _ => Err((load.told, load.sources)),
    }
}

struct Load {
    sources: Sources,
    told: Diagnostics,
    groups: Groups,
}

impl Load {
    fn run(
        &mut self,
        path: &Path,
        files: &dyn Files,
        overrides: &Overrides,
        combination: &[(String, usize)],
    ) -> Option<Resolved> {
        let mut root = gather(path, files, &mut self.sources, &mut self.told)?;
        let matrix = matrix::take(&mut root, combination, &overrides.params, &mut self.told);
        let params = params::substitute(&mut root, &overrides.params, &mut self.sources, &mut self.told);
        names::check(&root, &mut self.told);
        self.groups = expand(&mut root, files, &mut self.sources, &mut self.told);
        let head = self.head(&mut root);
        let seed = overrides.seed.or(head.seed).unwrap_or(1);

        let nodes: IndexMap<String, NodeEntry> = self
            .section::<NodeSpec>(&mut root, "nodes")
            .into_iter()
            .map(|Named { name, span, spec, clean }| {
                let spec = spec.filter(|spec| self.external_is_whole(&name, spec, clean));
                (name, NodeEntry { span, spec })
            })
            .collect();
        if overrides.virtual_time {
            self.forbid_external(&nodes);
        }
        let mut links = self.links(&root, &nodes);
        self.tables(&mut links, path, files);
        {
            let mut ends: Vec<&mut [End; 2]> = links.iter_mut().filter_map(|link| link.ends.as_mut()).collect();
            ends::name_interfaces(&mut ends, &nodes, &mut self.told);
        }
        self.forbid_loops(&links, &nodes);
        self.warn_of_lone_hosts(&root, &links, &nodes);
        let mut paths = {
            let tables = Tables { files, scenario: path, sources: &self.sources, change: false };
            cloud::paths(&root, &nodes, &tables, &mut self.told)
        };
        self.tables(&mut paths, path, files);
        links.extend(paths);

        let coalesce = head.coalesce.unwrap_or(if overrides.virtual_time { Duration::ZERO } else { COALESCE });
        let Built { plan, ports, mut network, segments, router_segments } = build(
            seed,
            coalesce,
            head.convergence.unwrap_or(CONVERGENCE),
            &nodes,
            &self.groups,
            &links,
            &head.addressing,
            &mut self.told,
        );

        self.place_sockets(&mut network, &nodes, path.parent().unwrap_or(Path::new("")));

        let services = self.section::<ServiceSpec>(&mut root, "services");
        let workloads = self.section::<WorkloadSpec>(&mut root, "workloads");
        let hosts = Hosts {
            plans: &network.hosts,
            by_name: network.hosts.iter().enumerate().map(|(at, host)| (host.name.as_str(), at)).collect(),
            segments: &segments,
            ways: Ways::new(&plan, &router_segments),
            silent: silent(&nodes, &links, &root),
            switches: nodes
                .iter()
                .filter(|(_, node)| node.spec.as_ref().is_some_and(NodeSpec::is_bridge))
                .map(|(name, _)| name.as_str())
                .collect(),
        };
        let duration = head.duration.as_ref().map(|duration| duration.value);
        // Where the duration could not be read, nothing follows from there being none.
        let told_duration = root
            .entries()
            .unwrap_or_default()
            .iter()
            .any(|entry| entry.value.pruned && (entry.key == "duration" || !KEYS.contains(&entry.key.as_str())));
        let assumed = if told_duration { Some(Duration::MAX) } else { duration };
        let checked_services = check::services(&services, &hosts, &mut self.told);
        let mut checked_workloads = check::workloads(&workloads, &services, assumed, &hosts, &mut self.told);

        if overrides.virtual_time && assumed.is_none() && workloads.is_empty() {
            self.told.push(
                Diagnostic::error(root.span, "nothing ends this scenario, and virtual time would never stop")
                    .help("give it a `duration`, or a workload; `longwire run` keeps it up until Ctrl-C"),
            );
        }
        let mut transit = Transit::new(&plan, &ports);
        patience::follow(&workloads, &mut checked_workloads, &transit);

        let silent_names: Vec<&str> = hosts.silent.iter().copied().chain(unread(&root, &links)).collect();
        let silent_too = silent_names.clone();
        let specs: Vec<_> =
            links.iter().filter(|link| link.ends.is_some()).map(|l| l.directions.clone().map(|d| d.spec)).collect();
        let links: Vec<ResolvedLink> = links
            .iter()
            .filter_map(|link| {
                let ends = link.ends.as_ref()?.each_ref().map(ToString::to_string);
                let directions = link.directions.clone().map(|d| d.tree);
                Some(ResolvedLink { name: link.name.clone(), span: link.span, ends, directions })
            })
            .collect();
        let capture = head.capture.as_ref().and_then(|capture| {
            let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
            let wanted = capture::Links { names: &names, groups: &self.groups, unread: &silent_names };
            capture.resolve(capture.span, wanted, &mut self.told)
        });
        let task_names: Vec<&str> = workloads.iter().map(|workload| workload.name.as_str()).collect();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let live = links.iter().cloned().zip(specs).collect();
        let steps = timeline::Surroundings {
            links: LiveLinks::of(live, &self.groups, &folder, self.sources.clone()),
            plan: &plan,
            network: &network,
            ports: &ports,
            groups: &self.groups,
            hosts: &hosts,
            workloads: task_names,
            traffic: timeline::Traffic {
                workloads: &checked_workloads,
                others: !services.is_empty() || network.hosts.iter().any(|host| host.place != Place::Namespace),
                duration: assumed,
                ports: &ports,
            },
            presets: Presets::default(),
            sources: &mut self.sources,
            silent: silent_names,
            duration: assumed,
            files,
            transit: &mut transit,
        };
        let timeline = timeline::plan(root.get("timeline"), steps, &mut self.told);

        let unread =
            workloads.iter().map(|one| one.name.as_str()).filter(|name| !checked_workloads.contains_key(*name));
        let around = expect::Surroundings {
            names: expect::Names {
                workloads: &checked_workloads,
                services: services.iter().map(|service| service.name.as_str()).collect(),
                links: &links,
                plan: &plan,
                groups: &self.groups,
                hosts: network.hosts.iter().map(|host| host.name.as_str()).collect(),
            },
            hosts: &hosts,
            marks: timeline::marks(&timeline),
            params: &params,
            series: head.series.0,
            duration: assumed,
            silent: silent_too.into_iter().chain(unread).collect(),
            sources: &self.sources,
        };
        let (expectations, probes) = expect::plan(root.get("expect"), &around, &mut self.told);
        expect::keep_what_is_asked(&expectations, &mut checked_workloads);
        checked_workloads.extend(probes);
        // what the timeline makes of links counts too
        patience::follow(&workloads, &mut checked_workloads, &transit);
        let detours = detour::find(&workloads, &checked_workloads, &hosts, &mut self.told);
        patience::warn(&workloads, &checked_workloads, assumed, &mut self.told);

        let name = head
            .name
            .clone()
            .unwrap_or_else(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default());
        let scenario = Scenario {
            name,
            seed,
            duration,
            coalesce: plan.coalesce,
            params,
            matrix,
            validity: head.validity,
            timing: head.timing,
            sim: head.sim,
            groups: self.groups.clone(),
            series: head.series,
            services: checked_services,
            workloads: checked_workloads,
            folder,
            capture,
        };
        Some(Resolved {
            scenario,
            plan,
            network,
            ports,
            links,
            timeline,
            expectations,
            detours,
            files: MemoryFiles::default(),
            warnings: Diagnostics::default(),
            sources: Sources::default(),
        })
    }

    fn head(&mut self, root: &mut Node) -> Head {
        let mut part = Node::empty_map(root.span, Origin::File);
        for key in [
            "longwire",
            "name",
            "seed",
            "duration",
            "coalesce",
            "convergence",
            "addressing",
            "validity",
            "timing",
            "sim",
            "series",
            "capture",
        ] {
            if let Some(entry) = root.entry(key) {
                part.set(entry.clone());
            }
        }
        let head: Head = read(&mut part, &mut self.told).unwrap_or_default();
        for entry in part.entries().unwrap_or_default().iter().filter(|entry| entry.value.pruned) {
            root.set(entry.clone());
        }
        if let Some(version) = head.longwire.as_ref().filter(|version| version.value != 1) {
            self.told.push(
                Diagnostic::error(version.span, format!("version {} of the language is not known here", version.value))
                    .help("this longwire reads `longwire: 1`"),
            );
        }
        if let Some(duration) = head.duration.as_ref().filter(|duration| duration.value == Duration::ZERO) {
            let error = Diagnostic::error(duration.span, "a `duration` of 0 runs nothing");
            self.told.push(error.help("without `duration`, the run ends when all workloads have"));
        }
        head
    }

    /// Reads the entries of a section, each by itself.
    fn section<T: DeserializeOwned>(&mut self, root: &mut Node, section: &str) -> Vec<Named<T>> {
        let Value::Map(sections) = &mut root.value else { return Vec::new() };
        let Some(entry) = sections.iter_mut().find(|entry| entry.key == section) else { return Vec::new() };
        match &mut entry.value.value {
            Value::Map(entries) => entries
                .iter_mut()
                .map(|entry| {
                    let mut clean = false;
                    let lone = matches!(entry.value.value, Value::Null) && !entry.value.pruned;
                    let spec = if lone {
                        let error = Diagnostic::error(entry.key_span, format!("`{}` is empty", entry.key));
                        self.told.push(error.help("say what it is, or take it away"));
                        None
                    } else {
                        let mut told = Diagnostics::default();
                        let spec = read(&mut entry.value, &mut told);
                        self.take(told, entry);
                        clean = !entry.value.has_pruned();
                        spec
                    };
                    Named { name: entry.key.clone(), span: entry.key_span, spec, clean }
                })
                .collect(),
            Value::Null => Vec::new(),
            _ if entry.value.pruned => Vec::new(),
            _ => {
                self.told.push(no_map(section, &entry.value));
                Vec::new()
            }
        }
    }

    /// Takes over what was told of an entry. What its map as a whole lacks is told at its name.
    fn take(&mut self, told: Diagnostics, entry: &Entry) {
        for diagnostic in told.iter() {
            let mut diagnostic = diagnostic.clone();
            if diagnostic.message.ends_with("` is missing") && diagnostic.span == Some(entry.value.span) {
                diagnostic.span = Some(entry.key_span);
            }
            self.told.push(diagnostic);
        }
    }

    /// The machine's interfaces are not there inside a guest.
    fn forbid_external(&mut self, nodes: &IndexMap<String, NodeEntry>) {
        for (name, entry) in nodes {
            if let Some(NodeSpec::External(external)) = &entry.spec {
                let message = format!("`{name}` is an external machine, and none can be reached in virtual time");
                let error = Diagnostic::error(external.span, message);
                self.told.push(error.help("make it a host, or use `longwire run`"));
            }
        }
    }

    fn external_is_whole(&mut self, name: &str, spec: &NodeSpec, clean: bool) -> bool {
        let NodeSpec::External(external) = spec else { return true };
        let Spanned { value: ExternalSpec { tap, qemu, netns, interface, .. }, span } = external;
        let before = self.told.iter().count();
        if let Some(qemu) = qemu {
            self.qemu_is_alone(qemu, [tap, netns, interface]);
            return self.told.iter().count() == before;
        }
        match (tap, netns) {
            (None, None) | (None, Some(_)) if !clean => return false,
            // one of the machine's own
            (None, None) if interface.is_some() => {}
            (None, None) => self.told.push(
                Diagnostic::error(*span, format!("the external machine `{name}` does not say where it is"))
                    .help("write `tap: NAME`, `qemu: PATH`, `interface: NAME`, or `netns: PATH` and `interface: NAME`"),
            ),
            (Some(tap), Some(netns)) => self.told.push(
                Diagnostic::error(netns.span, "`tap` and `netns` both say where the machine is")
                    .related(tap.span, "the other")
                    .help("keep one: a TAP in the caller's namespace, or an interface in one that exists"),
            ),
            (Some(_), None) => {
                if let Some(interface) = interface {
                    let error = Diagnostic::error(interface.span, "`interface` goes with `netns`");
                    self.told.push(error.help("`tap` names the interface already"));
                }
            }
            (None, Some(netns)) if interface.is_none() => self.told.push(
                Diagnostic::error(netns.span, format!("`{name}` does not say what its interface is called"))
                    .help("write `interface: NAME` beside `netns`"),
            ),
            (None, Some(_)) => {}
        }
        for name in [tap, interface].into_iter().flatten() {
            if let Err(reason) = ends::interface_name(name) {
                self.told.push(Diagnostic::error(name.span, reason));
            }
        }
        self.told.iter().count() == before
    }

    /// Sockets of virtual machines are named from the scenario's folder, as all files are.
    fn place_sockets(&mut self, network: &mut NetworkPlan, nodes: &IndexMap<String, NodeEntry>, folder: &Path) {
        for host in &mut network.hosts {
            let Place::ExternalQemu { path } = &mut host.place else { continue };
            *path = folder.join(&*path);
            if path.as_os_str().len() > LONGEST_SOCKET_PATH {
                let message =
                    format!("{} is too long for a socket: at most {LONGEST_SOCKET_PATH} bytes", path.display());
                let place = nodes.get(&host.name).map(|node| node.span);
                self.told.push(Diagnostic::error(place, message).help("name a shorter path, as in `/tmp/vm.sock`"));
            }
        }
    }

    fn qemu_is_alone(&mut self, qemu: &Spanned<PathBuf>, others: [&Option<Spanned<String>>; 3]) {
        if let Some(other) = others.into_iter().flatten().next() {
            self.told.push(
                Diagnostic::error(other.span, "two keys say where the machine is")
                    .related(qemu.span, "the other")
                    .help(
                        "keep one: `qemu` is the socket of a virtual machine, and nothing goes with it but `addresses`",
                    ),
            );
        }
    }

    fn links(&mut self, root: &Node, nodes: &IndexMap<String, NodeEntry>) -> Vec<Draft> {
        let Some(section) = root.get("links") else { return Vec::new() };
        if section.entries().is_none() && !matches!(section.value, Value::Null) && !section.pruned {
            self.told.push(no_map("links", section));
        }
        let mut presets = Presets::default();
        let mut links = Vec::new();
        for entry in section.entries().unwrap_or_default().iter().filter(|entry| !entry.value.pruned) {
            links.extend(self.link(entry, nodes, &mut presets));
        }
        links
    }

    fn link(&mut self, entry: &Entry, nodes: &IndexMap<String, NodeEntry>, presets: &mut Presets) -> Option<Draft> {
        let mut node = entry.value.clone();
        if matches!(node.value, Value::Null) {
            let error = Diagnostic::error(entry.key_span, format!("`{}` is empty", entry.key));
            self.told.push(error.help("a link needs at least `ends: [alice, bob]`"));
            return None;
        }
        let mut told = Diagnostics::default();
        let head: Option<LinkHead> = read(&mut node, &mut told);
        self.take(told, entry);
        node.entries()?;
        // Without ends the rest is read all the same: it may hold more mistakes.
        node.pruned = false;
        let ends = head.as_ref().and_then(|head| ends::ends(&head.ends, nodes, &mut self.told));
        let preset = head.as_ref().and_then(|head| self.preset(head, ends.as_ref(), presets));
        let layers =
            Layers { link: &node, ends: ends.as_ref(), preset: preset.as_ref().map(|(preset, user)| (preset, *user)) };
        let directions = layers.directions(&mut self.told);
        Some(Draft { name: entry.key.clone(), span: entry.key_span, ends, directions })
    }

    fn preset(
        &mut self,
        head: &LinkHead,
        ends: Option<&[End; 2]>,
        presets: &mut Presets,
    ) -> Option<(PresetTree, Option<usize>)> {
        let Some(name) = &head.profile else {
            if let Some(user) = &head.user {
                let error = Diagnostic::error(user.span, "`user` goes with `profile`: it says which end downloads");
                self.told.push(error.help("name a profile, or take `user` away"));
            }
            return None;
        };
        let Some(preset) = presets.get(name, &mut self.sources) else {
            let error = Diagnostic::error(name.span, format!("unknown profile `{}`", name.value));
            self.told.push(error.help(suggestion(name, profile::names())));
            return None;
        };
        let user = head.user.as_ref().and_then(|user| {
            let position = ends.and_then(|ends| position_of_end(ends, user));
            if let (None, Some(ends)) = (position, ends) {
                let error = Diagnostic::error(user.span, format!("`{}` is not an end of this link", user.value));
                self.told.push(error.help(suggestion(user, [ends[0].name.as_str(), ends[1].name.as_str()])));
            }
            position
        });
        if preset.is_asymmetric() && head.user.is_none() {
            let example = ends.map_or("END", |ends| ends[0].name.as_str());
            self.told.push(
                Diagnostic::error(name.span, format!("the profile `{}` is faster one way than the other", name.value))
                    .help(format!("say which end downloads, as in `user: {example}`")),
            );
        }
        if let Some(user) = head.user.as_ref().filter(|_| !preset.is_asymmetric()) {
            let message = format!("`user` changes nothing: the profile `{}` is the same both ways", name.value);
            self.told.push(Diagnostic::warning(user.span, message));
        }
        Some((preset, user))
    }

    /// Reads the files that models of links name.
    fn tables(&mut self, links: &mut [Draft], scenario: &Path, files: &dyn Files) {
        let tables = Tables { files, scenario, sources: &self.sources, change: false };
        for direction in links.iter_mut().flat_map(|link| &mut link.directions) {
            tables.load(&mut direction.spec, &direction.tree, &mut self.told);
        }
    }

    fn forbid_loops(&mut self, links: &[Draft], nodes: &IndexMap<String, NodeEntry>) {
        let cannot = |end: &End| nodes[end.node].spec.as_ref().is_some_and(NodeSpec::cannot_break_loops);
        let trunks: Vec<Trunk<'_>> = links
            .iter()
            .filter_map(|link| link.ends.as_ref().map(|ends| (link, ends)))
            .filter(|(_, ends)| ends.iter().all(cannot))
            .map(|(link, ends)| Trunk { link: &link.name, span: link.span, ends })
            .collect();
        ends::forbid_loops(&trunks, &mut self.told);
    }

    fn warn_of_lone_hosts(&mut self, root: &Node, links: &[Draft], nodes: &IndexMap<String, NodeEntry>) {
        if passed_over(root, links) {
            return; // it may be the one that they miss
        }
        let mut joined = vec![false; nodes.len()];
        for end in links.iter().filter_map(|link| link.ends.as_ref()).flatten() {
            joined[end.node] = true;
        }
        for ((name, node), joined) in nodes.iter().zip(joined) {
            if let Some(spec) = node.spec.as_ref().filter(|_| !joined) {
                let message = format!("`{name}` is {} without a link", spec.describe());
                self.told.push(Diagnostic::warning(node.span, message));
            }
        }
    }
}

/// A section is something else than a map.
fn no_map(section: &str, found: &Node) -> Diagnostic {
    let error =
        Diagnostic::error(found.span, format!("expected a map of {section} by name, found {}", found.describe()));
    match found.as_text().and_then(missing_space) {
        Some(written) => error.help(format!("a colon needs a space behind it: write `{written}`")),
        None => error,
    }
}

/// Whether a link could not be read, so that nobody knows whom it would have joined.
fn passed_over(root: &Node, links: &[Draft]) -> bool {
    let entries = root.get("links").and_then(Node::entries).unwrap_or_default();
    links.iter().any(|link| link.ends.is_none()) || entries.iter().any(|entry| entry.value.pruned)
}

/// Names of links that could not be read.
fn unread<'a>(root: &'a Node, links: &[Draft]) -> Vec<&'a str> {
    let entries = root.get("links").and_then(Node::entries).unwrap_or_default().iter();
    let read: BTreeSet<&str> = links.iter().filter(|link| link.ends.is_some()).map(|link| link.name.as_str()).collect();
    entries.map(|entry| entry.key.as_str()).filter(|name| !read.contains(name)).collect()
}

/// Hosts of which nothing more is told: they, or a link that may be theirs, could not be read.
fn silent<'a>(nodes: &'a IndexMap<String, NodeEntry>, links: &[Draft], root: &Node) -> Vec<&'a str> {
    let unsure = passed_over(root, links)
        || root.get("nodes").is_some_and(|section| section.entries().is_none() && section.pruned);
    nodes.iter().filter(|(_, node)| unsure || node.spec.is_none()).map(|(name, _)| name.as_str()).collect()
}
