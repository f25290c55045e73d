//! From a path to what it measures: whose, what, in which unit.

use indexmap::IndexMap;

use super::syntax::Path;
use super::token::{Fault, Place};
use crate::diag::{nearest, suggestion};
use crate::engine::{NodeKind, Plan};
use crate::frame::DropCause;
use crate::measured::catalogue::{self, Entry, Source};
use crate::measured::{Part, Unit};
use crate::node::RouterPlan;
use crate::tasks::spec::{Workload, WorkloadKind};
use crate::topology::expand::{GroupKind, Groups};
use crate::topology::link::ResolvedLink;

/// What a path measures.
#[derive(Clone, Debug)]
pub struct Measure {
    /// The path, with a member's name where it is one of a group.
    pub path: String,
    /// Whose.
    pub subject: Subject,
    /// Where a report has it.
    pub source: Source,
    /// Which one of several that the source has, by the last part of the path.
    pub which: Option<Which>,
    /// What one of what the report has comes to in [`Measure::unit`].
    pub scale: f64,
    /// In which unit.
    pub unit: Unit,
    /// It has one value for each interval or sample.
    pub over_time: bool,
    /// It can be asked of a part of the run.
    pub windows: bool,
    /// Whether it needs the series of directions: for the whole run, and within a window.
    pub needs_series: [bool; 2],
    /// It is of a workload that moves so many bytes and then ends, however long that takes.
    pub fixed: bool,
}

/// One of several that a source has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// A part of a distribution.
    Part(Part),
    /// What is dropped for a cause.
    Cause(DropCause),
    /// A rule of a firewall, or a value of a program's output.
    Name(String),
}

impl Measure {
    /// One of an entry of the catalogue. `which`: of an entry that has several.
    pub fn new(entry: &Entry, subject: Subject, which: Option<Which>) -> Measure {
        let counts = which == Some(Which::Part(Part::Count));
        Measure {
            path: String::new(),
            subject,
            source: entry.source,
            which,
            scale: 1.0,
            unit: if counts { Unit::Count } else { entry.unit },
            over_time: entry.over_time,
            windows: entry.windows,
            needs_series: [entry.needs_series(false), entry.needs_series(true)],
            fixed: false,
        }
    }

    /// The part of a distribution that it is.
    pub fn part(&self) -> Option<Part> {
        if let Some(Which::Part(part)) = self.which { Some(part) } else { None }
    }

    /// The cause that it counts drops for.
    pub fn cause(&self) -> Option<DropCause> {
        if let Some(Which::Cause(cause)) = self.which { Some(cause) } else { None }
    }

    /// The name that a scenario gave to it.
    pub fn name(&self) -> &str {
        if let Some(Which::Name(name)) = &self.which { name } else { "" }
    }
}

/// Whose a measure is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A workload's.
    Workload(String),
    /// A link's: of one direction, or of each.
    Link {
        /// Its name.
        name: String,
        /// The end toward which, as reports name it; `None` for both directions.
        to: Option<String>,
    },
    /// A node's.
    Node(String),
}

impl Subject {
    /// Whether it is two directions at once.
    pub fn is_both_ways(&self) -> bool {
        matches!(self, Subject::Link { to: None, .. })
    }
}

/// What paths may name.
pub(crate) struct Names<'a> {
    /// Workloads that could be read.
    pub workloads: &'a IndexMap<String, Workload>,
    /// Names of services.
    pub services: Vec<&'a str>,
    /// Links that could be read, those of clouds among them.
    pub links: &'a [ResolvedLink],
    /// The network inside, for its nodes.
    pub plan: &'a Plan,
    /// Names that stand for several.
    pub groups: &'a Groups,
    /// Names of hosts.
    pub hosts: Vec<&'a str>,
}

/// What stands behind a name, for paths.
struct Tables<'a> {
    subject: Subject,
    kind: &'static str,
    tables: Vec<&'static [Entry]>,
    values: Option<&'a Workload>,
    router: Option<&'a RouterPlan>,
    causes: Option<Entry>,
}

impl<'a> Names<'a> {
    /// The members of a group, of those that have measures.
    pub(super) fn members(&self, name: &str) -> Option<&'a [String]> {
        [GroupKind::Workloads, GroupKind::Links, GroupKind::Nodes]
            .into_iter()
            .find_map(|kind| self.groups.members(kind, name))
    }

    /// All names that have measures.
    pub(super) fn known(&self) -> Vec<&'a str> {
        let nodes = self.plan.nodes.iter().filter(|node| node.kind != NodeKind::Port).map(|node| node.name.as_str());
        let links = self.links.iter().map(|link| link.name.as_str());
        let groups = self.groups.iter().filter(|(_, g)| g.kind != GroupKind::Services).map(|(name, _)| name);
        self.workloads.keys().map(String::as_str).chain(links).chain(nodes).chain(groups).collect()
    }

    /// What a path measures. `member`: in place of the group that the path names.
    ///
    /// # Errors
    /// What is wrong with the path, and what there is.
    pub(super) fn measure(&self, path: &Path, member: Option<&str>) -> Result<Measure, Fault> {
        let (first, rest) = path.parts.split_first().expect("a path has a part");
        let name = member.unwrap_or(first);
        if rest.is_empty() {
            let message = format!("`{first}` says whose, and not what");
            let help = match self.subject(name, path.place) {
                Ok(of) => format!("as in `{first}.{}`", of.paths().first().cloned().unwrap_or_default()),
                Err(_) => "a path has a name, a point, and what is measured, as in `rtt.p99`".to_owned(),
            };
            return Err(Fault::new(path.place, message).help(help));
        }
        let mut of = self.subject(name, path.place)?;
        let rest = self.toward(&mut of, rest, path.place)?;
        let mut measure = of.find(&rest, path)?;
        measure.path =
            std::iter::once(name).chain(path.parts[1..].iter().map(String::as_str)).collect::<Vec<_>>().join(".");
        Ok(measure)
    }

    fn subject(&self, name: &str, place: Place) -> Result<Tables<'a>, Fault> {
        if let Some(workload) = self.workloads.get(name) {
            let (kind, table) = match &workload.kind {
                WorkloadKind::Program { .. } => ("a program", catalogue::PROGRAM),
                WorkloadKind::Ping(_) => ("a ping", catalogue::PING),
                WorkloadKind::Udp(_) => ("a udp workload", catalogue::UDP),
                WorkloadKind::Tcp(_) => ("a tcp workload", catalogue::TCP),
            };
            let subject = Subject::Workload(name.to_owned());
            let tables = vec![table, catalogue::ANY];
            return Ok(Tables { subject, kind, tables, values: Some(workload), router: None, causes: None });
        }
        if self.links.iter().any(|link| link.name == name) {
            let subject = Subject::Link { name: name.to_owned(), to: None };
            let (tables, causes) = (vec![catalogue::LINK], Some(catalogue::LINK_CAUSE));
            return Ok(Tables { subject, kind: "a link", tables, values: None, router: None, causes });
        }
        let node = self.plan.nodes.iter().find(|node| node.name == name && node.kind != NodeKind::Port);
        if let Some(node) = node {
            let (kind, router) = match &node.kind {
                NodeKind::Router(router) => ("a router", Some(router)),
                NodeKind::Switch(_) => ("a switch", None),
                NodeKind::Hub => ("a hub", None),
                _ => ("a region of a cloud", None),
            };
            let mut tables = vec![catalogue::NODE];
            tables.extend(router.and_then(|router| router.nat.as_ref()).map(|_| catalogue::NAT));
            let (subject, causes) = (Subject::Node(name.to_owned()), Some(catalogue::NODE_CAUSE));
            return Ok(Tables { subject, kind, tables, values: None, router, causes });
        }
        Err(self.unknown(name, place))
    }

    fn unknown(&self, name: &str, place: Place) -> Fault {
        let place = Place { start: place.start, end: place.start + name.len() };
        if self.services.contains(&name) {
            let fault = Fault::new(place, format!("`{name}` is a service, of which nothing is measured"));
            return fault.help("a service that ends by itself fails the run in any case");
        }
        if self.hosts.contains(&name) {
            let fault = Fault::new(place, format!("`{name}` is a host, of which nothing is measured"));
            return fault.help(format!("its links are, and workloads; or write `{name} reaches HOST within 2s`"));
        }
        if let Some(members) = self.members(name) {
            let fault = Fault::new(place, format!("`{name}` is a group of {}", members.len()));
            return fault.help(format!("begin with `all` to expect it of every member, or name one: `{}`", members[0]));
        }
        let help = suggestion(name, self.known());
        Fault::new(place, format!("there is no workload, link, switch or router `{name}`")).help(help)
    }

    /// Takes `toward.END` off a link's path.
    fn toward<'p>(&self, of: &mut Tables<'_>, rest: &'p [String], place: Place) -> Result<Vec<&'p str>, Fault> {
        let parts: Vec<&str> = rest.iter().map(String::as_str).collect();
        let Subject::Link { name, to } = &mut of.subject else { return Ok(parts) };
        if parts.first() != Some(&"toward") {
            return Ok(parts);
        }
        let ends = self
            .links
            .iter()
            .find(|link| link.name == *name)
            .map_or([""; 2], |link| link.ends.each_ref().map(String::as_str));
        let node = |end: &'_ str| end.split('.').next().unwrap_or_default().to_owned();
        let Some(wanted) = parts.get(1) else {
            let help = format!("as in `{name}.toward.{}.loss`", node(ends[1]));
            return Err(Fault::new(place, "`toward` names an end of the link").help(help));
        };
        let long = parts.get(2).map(|interface| format!("{wanted}.{interface}"));
        for end in ends {
            if long.as_deref() == Some(end) {
                *to = Some(end.to_owned());
                return Ok(parts[3..].to_vec());
            }
        }
        for end in ends {
            if node(end) == *wanted || self.groups.has(GroupKind::Nodes, wanted, &node(end)) {
                *to = Some(end.to_owned());
                return Ok(parts[2..].to_vec());
            }
        }
        let ends = ends.map(node);
        let help = suggestion(wanted, ends.iter().map(String::as_str));
        Err(Fault::new(place, format!("`{wanted}` is not an end of `{name}`")).help(help))
    }
}

impl Tables<'_> {
    fn entries(&self) -> impl Iterator<Item = &'static Entry> + '_ {
        self.tables.iter().flat_map(|table| table.iter())
    }

    /// All paths, without what a scenario names: those with parts once for each.
    fn paths(&self) -> Vec<String> {
        self.entries().flat_map(Entry::paths).collect()
    }

    fn find(&self, rest: &[&str], path: &Path) -> Result<Measure, Fault> {
        let joined = rest.join(".");
        for entry in self.entries() {
            match entry.parts() {
                [] if entry.path == joined => return Ok(self.measure(entry, None)),
                [] => {}
                parts => {
                    let part = match entry.path {
                        "" => joined.as_str(),
                        base => joined.strip_prefix(base).and_then(|rest| rest.strip_prefix('.')).unwrap_or(""),
                    };
                    let there = |part: &Part| {
                        parts.contains(part) || (matches!(part, Part::Percentile(_)) && parts.contains(&Part::P50))
                    };
                    if let Some(part) = Part::parse(part).filter(there) {
                        return Ok(self.measure(entry, Some(Which::Part(part))));
                    }
                }
            }
        }
        if let (Some(cause), ["dropped", name]) = (&self.causes, rest) {
            if let Some(known) = DropCause::ALL.into_iter().find(|known| known.name() == *name) {
                return Ok(self.measure(cause, Some(Which::Cause(known))));
            }
            let known = DropCause::ALL.map(DropCause::name);
            let fault = Fault::new(path.place, format!("nothing is dropped as `{name}`"));
            return Err(fault.help(suggestion(name, known)));
        }
        if let ["firewall", of @ ..] = rest {
            return self.rule(of, path);
        }
        if let (Some(Workload { values, .. }), [name]) = (self.values, rest)
            && let Some(value) = values.get(*name)
        {
            let value_of = Entry::new("", value.unit.unit(), Source::Value, "");
            let mut measure = self.measure(&value_of, Some(Which::Name((*name).to_owned())));
            measure.scale = value.unit.factor();
            return Ok(measure);
        }
        Err(self.unknown(&joined, path))
    }

    fn rule(&self, of: &[&str], path: &Path) -> Result<Measure, Fault> {
        let Some(firewall) = self.router.and_then(|router| router.firewall.as_ref()) else {
            let fault = Fault::new(path.place, format!("`{}` has no firewall", path.parts[0]));
            return Err(fault.help("give the router a `firewall`, or name another"));
        };
        let names = || firewall.rules.iter().map(|rule| rule.name.as_str()).chain(["replies", "default"]);
        let (name, entry) = match of {
            [name] => (*name, &catalogue::RULE),
            [name, "bytes"] => (*name, &catalogue::RULE_BYTES),
            _ => {
                let example = names().next().unwrap_or("default");
                let fault = Fault::new(path.place, "`firewall` is followed by a rule's name");
                return Err(fault.help(format!("as in `{}.firewall.\"{example}\"`", path.parts[0])));
            }
        };
        if names().any(|known| known == name) {
            return Ok(self.measure(entry, Some(Which::Name(name.to_owned()))));
        }
        let names: Vec<&str> = names().collect();
        let fault = Fault::new(path.place, format!("the firewall of `{}` has no rule `{name}`", path.parts[0]));
        Err(fault.help(suggestion(name, names)))
    }

    fn unknown(&self, joined: &str, path: &Path) -> Fault {
        let last = joined.rsplit_once(".p").map_or(joined, |(_, number)| number).trim_start_matches('p');
        let distributions = || self.entries().any(|entry| entry.parts().contains(&Part::P50));
        if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit() || b == b'.') && distributions() {
            let fault = Fault::new(path.place, format!("`{joined}` is no percentile of {}", self.kind));
            return fault.help("a percentile is above 0 and below 100, with up to four decimals: `p95`, `p99.9`");
        }
        let all = self.paths();
        let values: Vec<&str> = self.values.iter().flat_map(|of| of.values.keys()).map(String::as_str).collect();
        let known = all.iter().map(String::as_str).chain(values.iter().copied());
        let fault = Fault::new(path.place, format!("{} has no `{joined}`", self.kind));
        if let Some(entry) = self.entries().find(|entry| entry.path == joined) {
            let parts = entry.parts().iter().map(|part| format!("`{joined}.{part}`")).collect::<Vec<_>>().join(", ");
            return Fault::new(path.place, format!("`{joined}` is a distribution"))
                .help(format!("name a part: {parts}"));
        }
        if let Some(near) = nearest(joined, known) {
            return fault.help(format!("did you mean `{near}`?"));
        }
        let mut short: Vec<String> = self.entries().map(short_path).collect();
        short.extend(values.iter().map(|name| format!("`{name}`")));
        if self.causes.is_some() {
            short.push("`dropped.CAUSE`".to_owned());
        }
        if self.router.is_some_and(|router| router.firewall.is_some()) {
            short.push("`firewall.RULE`".to_owned());
        }
        if matches!(self.subject, Subject::Link { .. }) {
            short.push("`toward.END` before any of them".to_owned());
        }
        fault.help(format!("{} has {}", self.kind, short.join(", ")))
    }

    fn measure(&self, entry: &Entry, which: Option<Which>) -> Measure {
        let fixed = self.values.is_some_and(Workload::is_fixed);
        Measure { fixed, ..Measure::new(entry, self.subject.clone(), which) }
    }
}

fn short_path(entry: &'static Entry) -> String {
    match (entry.path, entry.parts()) {
        (path, []) => format!("`{path}`"),
        ("", parts) => parts.iter().map(|part| format!("`{part}`")).collect::<Vec<_>>().join(", "),
        (path, parts) => {
            let parts: Vec<String> = parts.iter().map(Part::to_string).collect();
            format!("`{path}.` with `{}`", parts.join("`, `"))
        }
    }
}

/// Measures over time of the same thing, for those who want all values of one that is not.
pub(super) fn over_time_beside(measure: &Measure) -> Vec<&'static str> {
    let table = match (&measure.subject, measure.source) {
        (Subject::Link { .. }, _) => catalogue::LINK,
        (_, Source::Stream(_) | Source::OneWay) => catalogue::UDP,
        (_, Source::Arrived(_)) => catalogue::TCP,
        (_, Source::Requests(_) | Source::RoundTrips) => catalogue::PING,
        _ => &[],
    };
    table.iter().filter(|entry| entry.over_time).map(|entry| entry.path).collect()
}
