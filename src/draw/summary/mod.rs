//! What a scenario comes to, before it runs: hosts and their addresses, links, the route of each workload, what was chosen where
//! the file says nothing. [`text::render`] for people; as JSON for programs.

#[cfg(test)]
mod tests;
pub mod text;

use serde::Serialize;

use crate::diag::{Diagnostic, Severity, Sources};
use crate::engine::{DirectionId, NodeKind, NodePlan, Plan};
use crate::report::asked::spec_parts;
use crate::tasks::resolved::Resolved;
use crate::tasks::route::Route;
use crate::tasks::timeline::Action;
use crate::tasks::words;
use crate::topology::link::lookup;
use crate::wire::ethernet::MacAddr;

/// A scenario that may run, in short. Times are in nanoseconds, rates in bits per second.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The version of this form: 1.
    pub longwire: u32,
    /// The file, as it was named.
    pub file: String,
    /// Whether it may run: always `true` here.
    pub ok: bool,
    /// What the file calls itself.
    pub scenario: String,
    /// Every random draw belongs to it.
    pub seed: u64,
    /// How long it runs; `null`: until all workloads are done.
    pub duration_ns: Option<u64>,
    /// Parameters and their values, as text.
    pub params: Vec<(String, String)>,
    /// How many runs `longwire test` makes of it.
    pub combinations: usize,
    /// Machines at the edge of the network.
    pub hosts: Vec<Host>,
    /// What is inside of the network.
    pub nodes: Vec<Inner>,
    /// Links.
    pub links: Vec<Link>,
    /// Services: name and what runs.
    pub services: Vec<(String, String)>,
    /// Workloads.
    pub workloads: Vec<Work>,
    /// Changes, in order of time.
    pub timeline: Vec<Change>,
    /// What is expected, as the file says it.
    pub expectations: Vec<String>,
    /// What was chosen where the file says nothing.
    pub chosen: Vec<String>,
    /// Lines for other machines, to be pasted there.
    pub paste: Vec<String>,
    /// Worth knowing; none of them stops a run.
    pub warnings: Vec<Mistake>,
}

/// A machine.
#[derive(Clone, Debug, Serialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// What it is: `host`, or where it is.
    pub kind: String,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
}

/// An interface of a machine.
#[derive(Clone, Debug, Serialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// The link that it is at.
    pub link: String,
    /// Its MAC address.
    pub mac: String,
    /// Its addresses with the lengths of their prefixes.
    pub addresses: Vec<String>,
}

/// A node inside of the network.
#[derive(Clone, Debug, Serialize)]
pub struct Inner {
    /// Its name.
    pub name: String,
    /// `switch`, `hub`, `router` or `region`.
    pub kind: &'static str,
}

/// A link.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its ends.
    pub ends: [String; 2],
    /// What is asked of frames from the first end to the second, and back: a few words for each effect.
    pub asked: [Vec<String>; 2],
}

/// A workload.
#[derive(Clone, Debug, Serialize)]
pub struct Work {
    /// Its name.
    pub name: String,
    /// What it does.
    pub what: String,
    /// When it starts, and when it is stopped.
    pub start: String,
    /// Its way; `null` for programs, and where it leads to what longwire does not know.
    pub route: Option<Way>,
    /// A router whose NAT it passes by over IPv6; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub around_nat: Option<String>,
}

/// The way of a workload's packets while all links are up.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// There.
    pub there: OneWay,
    /// And back.
    pub back: OneWay,
    /// Routers that translate its addresses.
    pub nat: Vec<String>,
}

/// One way over several links.
#[derive(Clone, Debug, Serialize)]
pub struct OneWay {
    /// Names of links, in the order in which packets cross them.
    pub links: Vec<String>,
    /// The mean delays of all links. Queues and the time on the wire are not in it.
    pub delay_ns: u64,
    /// The slowest link; `null` where none has a rate.
    pub bottleneck: Option<Bottleneck>,
}

/// The slowest link of a way.
#[derive(Clone, Debug, Serialize)]
pub struct Bottleneck {
    /// Its name.
    pub link: String,
    /// Its rate toward where the packets go.
    pub rate_bps: u64,
}

/// One moment of the timeline.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// When, in words: `5s`, or after what.
    pub when: String,
    /// What changes, as `longwire set` takes it.
    pub what: Vec<String>,
}

/// A mistake, or a warning.
#[derive(Clone, Debug, Serialize)]
pub struct Mistake {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The file; `null` for what has no place in one.
    pub file: Option<String>,
    /// Line and column, from 1.
    pub line: Option<u32>,
    /// In characters.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Mistake {
    /// A diagnostic as programs read it.
    pub fn new(diagnostic: &Diagnostic, sources: &Sources) -> Mistake {
        let span = diagnostic.span.filter(|span| span.line > 0);
        Mistake {
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            file: span.map(|span| sources.name(span.source).to_owned()),
            line: span.map(|span| span.line),
            column: span.map(|span| span.column),
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
        }
    }
}

impl Summary {
    /// Of a scenario, read from a file of this name.
    pub fn new(file: &str, resolved: &Resolved) -> Summary {
        let scenario = &resolved.scenario;
        let host = |at: usize| resolved.network.hosts[at].name.as_str();
        Summary {
            longwire: 1,
            file: file.to_owned(),
            ok: true,
            scenario: scenario.name.clone(),
            seed: scenario.seed,
            duration_ns: scenario.duration.map(|duration| duration.as_nanos()),
            params: scenario.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            combinations: scenario.matrix.combinations(),
            hosts: hosts(resolved),
            nodes: resolved.plan.nodes.iter().filter_map(|node| inner(&node.name, &node.kind)).collect(),
            links: links(resolved),
            services: scenario
                .services
                .iter()
                .map(|(name, service)| (name.clone(), words::program(&service.program, host)))
                .collect(),
            workloads: works(resolved),
            timeline: timeline(resolved),
            expectations: resolved.expectations.iter().map(|expectation| expectation.text.clone()).collect(),
            chosen: chosen(resolved),
            paste: paste(resolved),
            warnings: resolved.warnings.iter().map(|warning| Mistake::new(warning, &resolved.sources)).collect(),
        }
    }
}

fn hosts(resolved: &Resolved) -> Vec<Host> {
    let hosts = resolved.network.hosts.iter().map(|host| Host {
        name: host.name.clone(),
        kind: host.place.words(),
        interfaces: host
            .interfaces
            .iter()
            .map(|interface| Interface {
                name: interface.name.clone(),
                link: interface.link.clone(),
                mac: MacAddr(interface.mac).to_string(),
                addresses: interface.addresses.iter().map(ToString::to_string).collect(),
            })
            .collect(),
    });
    hosts.collect()
}

fn inner(name: &str, kind: &NodeKind) -> Option<Inner> {
    let kind = match kind {
        NodeKind::Switch(_) => "switch",
        NodeKind::Hub => "hub",
        NodeKind::Router(_) => "router",
        NodeKind::Edge(_) => "region",
        NodeKind::Port => return None,
    };
    Some(Inner { name: name.to_owned(), kind })
}

fn links(resolved: &Resolved) -> Vec<Link> {
    let links = resolved.links.iter().zip(&resolved.plan.links).map(|(link, plan)| Link {
        name: link.name.clone(),
        ends: link.ends.clone(),
        asked: plan.directions.each_ref().map(spec_parts),
    });
    links.collect()
}

fn works(resolved: &Resolved) -> Vec<Work> {
    let host = |at: usize| resolved.network.hosts[at].name.as_str();
    let works = resolved.scenario.workloads.iter().map(|(name, workload)| Work {
        name: name.clone(),
        what: words::workload(&workload.kind, host),
        start: words::start(workload),
        route: resolved.routes.get(name).map(|route| way(route, &resolved.plan)),
        around_nat: resolved.detours.iter().find(|detour| detour.workload == *name).map(|detour| detour.router.clone()),
    });
    works.collect()
}

fn way(route: &Route, plan: &Plan) -> Way {
    let name = |direction: DirectionId| plan.links[direction.link().0 as usize].name.clone();
    let one_way = |directions: &[DirectionId]| OneWay {
        links: directions.iter().map(|direction| name(*direction)).collect(),
        delay_ns: Route::delay(directions, plan).as_nanos(),
        bottleneck: Route::bottleneck(directions, plan)
            .map(|(at, rate)| Bottleneck { link: name(at), rate_bps: rate.as_bps() }),
    };
    Way {
        there: one_way(&route.there),
        back: one_way(&route.back),
        nat: route.nats.iter().map(|node| plan.nodes[*node].name.clone()).collect(),
    }
}

fn timeline(resolved: &Resolved) -> Vec<Change> {
    let steps = resolved
        .timeline
        .iter()
        .map(|step| Change { when: step.when(), what: step.actions.iter().flat_map(Action::words).collect() });
    // those of a ramp between its ends say nothing
    steps.filter(|change| !change.what.is_empty()).collect()
}

/// Defaults that decide what a run measures.
fn chosen(resolved: &Resolved) -> Vec<String> {
    let mut chosen = Vec::new();
    let queued = resolved.links.iter().zip(&resolved.plan.links).filter(|(link, plan)| {
        let mut ways = link.directions.iter().zip(&plan.directions);
        ways.any(|(given, spec)| spec.queue.is_some() && lookup(given, &["queue"]).is_none())
    });
    let queued: Vec<&str> = queued.map(|(link, _)| link.name.as_str()).collect();
    if let Some((first, more)) = queued.split_first() {
        let links = match more {
            [] => format!("`{first}` has a `rate` and no `queue`: it gets"),
            _ => format!("{} links have a `rate` and no `queue` (`{first}` …): they get", queued.len()),
        };
        chosen.push(format!("{links} `fifo: {{ time: 200ms }}`, and at least 10 frames"));
    }
    if resolved.scenario.duration.is_none() {
        chosen.push(match resolved.scenario.workloads.is_empty() {
            true => "no `duration` and no workload: it stays up until Ctrl-C".to_owned(),
            false => "no `duration`: it ends when all workloads are done".to_owned(),
        });
    }
    if resolved.expectations.is_empty() && !resolved.scenario.workloads.is_empty() {
        chosen.push("no `expect`: it fails only if a workload does".to_owned());
    }
    for node in &resolved.plan.nodes {
        for dhcp in node.router().iter().flat_map(|router| &router.dhcp) {
            let leased = dhcp.reserved.iter().map(|known| known.address.to_string());
            let free = dhcp.open.as_ref().map(|_| format!("{} free addresses of {}", dhcp.free(), dhcp.net));
            let all: Vec<String> = leased.chain(free).collect();
            chosen.push(format!("`{}.{}` leases {}", node.name, dhcp.interface, all.join(", ")));
        }
    }
    chosen
}

/// Lines for the machines that longwire does not make.
fn paste(resolved: &Resolved) -> Vec<String> {
    let mut lines = Vec::new();
    let routers = resolved.plan.nodes.iter().filter_map(NodePlan::router);
    let leases = routers.flat_map(|router| &router.dhcp).flat_map(|dhcp| &dhcp.reserved);
    let served: Vec<MacAddr> = leases.map(|lease| lease.mac).collect();
    for host in &resolved.network.hosts {
        for interface in &host.interfaces {
            lines.extend(
                host.place
                    .qemu_options(interface)
                    .map(|options| format!("{}: qemu-system-x86_64 {options}", host.name)),
            );
            if host.place.is_beyond_a_wire() && !served.contains(&MacAddr(interface.mac)) {
                let to = |net: &ipnet::IpNet| format!("{}: ip address add {net} dev …", host.name);
                lines.extend(interface.addresses.iter().map(to));
                let via = |gateway: &core::net::IpAddr| format!("{}: ip route add default via {gateway}", host.name);
                lines.extend(interface.gateways.iter().map(via));
            }
        }
    }
    lines
}
