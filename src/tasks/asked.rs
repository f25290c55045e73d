//! What a scenario asks to be done, read and checked against the network that is there: services and workloads, captures,
//! the timeline, expectations.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;

use super::capture::{self, Capture, CaptureSpec};
use super::detour::{self, Detour};
use super::expect::{self, Expectation};
use super::forward::{self, Forward, ForwardSpec};
use super::reach::Hosts;
use super::route::{Finder, Route};
use super::series::SeriesSpec;
use super::set::LiveLinks;
use super::spec::{Awaited, Service, Workload};
use super::timeline::{self, Step};
use super::transit::Transit;
use super::ways::Ways;
use super::workload::{ServiceSpec, WorkloadSpec};
use super::{awaited, check, patience};
use crate::addressing::build::Built;
use crate::addressing::network::Place;
use crate::diag::{Diagnostics, Sources};
use crate::language::files::Files;
use crate::language::presets::Presets;
use crate::language::section::{Named, section};
use crate::language::spanned::Spanned;
use crate::language::tree::Node;
use crate::topology::declared::Declared;
use crate::topology::expand::Groups;
use crate::topology::link::{Draft, ResolvedLink};
use crate::topology::node::NodeSpec;
use crate::units::Duration;

/// What is to be done.
pub(crate) struct Asked {
    pub awaited: IndexMap<String, Awaited>,
    pub services: IndexMap<String, Service>,
    pub workloads: IndexMap<String, Workload>,
    pub capture: Option<Capture>,
    pub forward: Vec<Forward>,
    pub timeline: Vec<Step>,
    pub expectations: Vec<Expectation>,
    pub detours: Vec<Detour>,
    pub routes: BTreeMap<String, Route>,
}

/// What it is read from and checked against.
pub(crate) struct Context<'a> {
    /// The scenario.
    pub root: &'a mut Node,
    /// Its nodes and links.
    pub declared: &'a Declared,
    /// The network that they make.
    pub built: &'a Built,
    /// The links that could be read, in the order of the plan.
    pub links: &'a [ResolvedLink],
    /// Names that stand for several.
    pub groups: &'a Groups,
    /// Values of parameters.
    pub params: &'a IndexMap<String, String>,
    /// How often directions are looked at.
    pub series: SeriesSpec,
    /// Which links are captured.
    pub capture: Option<&'a Spanned<CaptureSpec>>,
    /// Ways in from the machine.
    pub forward: &'a [Spanned<ForwardSpec>],
    /// How long the run lasts, if the scenario says.
    pub duration: Option<Duration>,
    /// Something must end the run: virtual time would never stop.
    pub must_end: bool,
    /// The scenario's folder.
    pub folder: &'a Path,
    /// Where tables are read from.
    pub files: &'a dyn Files,
    /// The texts that places point into.
    pub sources: &'a mut Sources,
    /// Where mistakes go.
    pub diagnostics: &'a mut Diagnostics,
}

/// Services and workloads as they stand in the file, and as they were checked.
struct Programs {
    services: Vec<Named<ServiceSpec>>,
    workloads: Vec<Named<WorkloadSpec>>,
    checked_services: IndexMap<String, Service>,
    checked_workloads: IndexMap<String, Workload>,
}

impl Context<'_> {
    /// Reads and checks all of it.
    pub(crate) fn asked(mut self) -> Asked {
        let hosts = hosts(self.declared, self.built);
        let mut transit = Transit::new(&self.built.plan, &self.built.ports);
        let awaited = awaited::machines(self.declared, &hosts, self.diagnostics);
        let mut programs = self.programs(&hosts);
        patience::follow(&programs.workloads, &mut programs.checked_workloads, &transit);
        let capture = self.capture();
        let forward = forward::plan(self.forward, &hosts, self.must_end, self.diagnostics);
        let timeline = self.timeline(&programs, &hosts, &mut transit);
        let (expectations, probes) = self.expectations(&programs, &hosts, &timeline);
        let Programs { workloads: specs, checked_services: services, checked_workloads: mut workloads, .. } = programs;
        expect::keep_what_is_asked(&expectations, &mut workloads);
        workloads.extend(probes);
        // what the timeline makes of links counts too
        patience::follow(&specs, &mut workloads, &transit);
        let detours = detour::find(&specs, &workloads, &hosts, self.diagnostics);
        patience::warn(&specs, &workloads, self.duration, self.diagnostics);
        let mut finder = Finder::new(&hosts, &self.built.plan, &self.built.ports);
        let routes =
            workloads.iter().filter_map(|(name, one)| Some((name.clone(), finder.route(one.path()?)?))).collect();
        Asked { awaited, services, workloads, capture, forward, timeline, expectations, detours, routes }
    }

    fn programs(&mut self, hosts: &Hosts<'_>) -> Programs {
        let services = section::<ServiceSpec>(self.root, "services", self.diagnostics);
        let workloads = section::<WorkloadSpec>(self.root, "workloads", self.diagnostics);
        let checked_services = check::services(&services, hosts, self.diagnostics);
        let checked_workloads = check::workloads(&workloads, &services, self.duration, hosts, self.diagnostics);
        if self.must_end && self.duration.is_none() && workloads.is_empty() {
            self.diagnostics
                .error(self.root.span, "nothing ends this scenario, and virtual time would never stop")
                .help("give it a `duration`, or a workload; `longwire run` keeps it up until Ctrl-C");
        }
        Programs { services, workloads, checked_services, checked_workloads }
    }

    fn capture(&mut self) -> Option<Capture> {
        let capture = self.capture?;
        let names: Vec<&str> = self.links.iter().map(|link| link.name.as_str()).collect();
        let silent: Vec<&str> = silent(self.declared).collect();
        let wanted = capture::Links { names: &names, groups: self.groups, unread: &silent };
        capture.resolve(capture.span, wanted, self.diagnostics)
    }

    fn timeline(&mut self, programs: &Programs, hosts: &Hosts<'_>, transit: &mut Transit<'_>) -> Vec<Step> {
        let Built { plan, network, ports, .. } = self.built;
        let specs = self.declared.links.iter().filter(|link| link.ends.is_some()).map(Draft::specs);
        let links = self.links.iter().cloned().zip(specs).collect();
        let surroundings = timeline::Surroundings {
            links: LiveLinks::of(links, self.groups, self.folder, self.sources.clone()),
            plan,
            network,
            ports,
            groups: self.groups,
            hosts,
            workloads: programs.workloads.iter().map(|workload| workload.name.as_str()).collect(),
            traffic: timeline::Traffic {
                workloads: &programs.checked_workloads,
                others: !programs.services.is_empty()
                    || network.hosts.iter().any(|host| host.place != Place::Namespace),
                duration: self.duration,
                ports,
            },
            presets: Presets::default(),
            sources: self.sources,
            silent: silent(self.declared).collect(),
            duration: self.duration,
            files: self.files,
            transit,
        };
        timeline::plan(self.root.get("timeline"), surroundings, self.diagnostics)
    }

    fn expectations(
        &mut self,
        programs: &Programs,
        hosts: &Hosts<'_>,
        timeline: &[Step],
    ) -> (Vec<Expectation>, IndexMap<String, Workload>) {
        let Built { plan, network, .. } = self.built;
        let workloads = programs.workloads.iter().map(|one| one.name.as_str());
        let unread = workloads.filter(|name| !programs.checked_workloads.contains_key(*name));
        let surroundings = expect::Surroundings {
            names: expect::Names {
                workloads: &programs.checked_workloads,
                services: programs.services.iter().map(|service| service.name.as_str()).collect(),
                links: self.links,
                plan,
                groups: self.groups,
                hosts: network.hosts.iter().map(|host| host.name.as_str()).collect(),
            },
            hosts,
            marks: timeline::marks(timeline),
            params: self.params,
            series: self.series.0,
            duration: self.duration,
            silent: silent(self.declared).chain(unread).collect(),
            sources: self.sources,
        };
        expect::plan(self.root.get("expect"), &surroundings, self.diagnostics)
    }
}

/// Names of which nothing more is told: what they name could not be read.
fn silent(declared: &Declared) -> impl Iterator<Item = &str> {
    declared.silent_nodes.iter().chain(&declared.unread_links).map(String::as_str)
}

/// The hosts, for those who name them.
fn hosts<'a>(declared: &'a Declared, built: &'a Built) -> Hosts<'a> {
    let plans = &built.network.hosts;
    let bridges = declared.nodes.iter().filter(|(_, node)| node.spec.as_ref().is_some_and(NodeSpec::is_bridge));
    Hosts {
        plans,
        by_name: plans.iter().enumerate().map(|(at, host)| (host.name.as_str(), at)).collect(),
        segments: &built.segments,
        ways: Ways::new(&built.plan, &built.router_segments),
        silent: declared.silent_nodes.iter().map(String::as_str).collect(),
        switches: bridges.map(|(name, _)| name.as_str()).collect(),
    }
}
