//! `services:` and `workloads:` checked, their names resolved, their defaults filled in.

use std::path::PathBuf;

use indexmap::{IndexMap, IndexSet};

use super::expect::values;
use super::patience::{LINGER, PING_TIMEOUT};
use super::reach::Hosts;
use super::spec::{
    Amount, Command, Pace, Ping, Program, Ready, ReadyCheck, Service, Start, Tcp, Udp, Workload, WorkloadKind,
};
use super::waits;
use super::workload::{PingSpec, ReadySpec, ServiceSpec, TcpSpec, UdpSpec, WorkloadSpec};
use crate::diag::{Diagnostics, Span, suggestion};
use crate::language::argv::Argv;
use crate::language::section::Named;
use crate::language::spanned::Spanned;
use crate::units::{ByteSize, Duration};

/// How long a service may take to be ready, unless it says.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Checks services.
pub(crate) fn services(
    all: &[Named<ServiceSpec>],
    hosts: &Hosts<'_>,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, Service> {
    let mut services = IndexMap::new();
    for Named { name, span, spec, clean } in all {
        let Some(spec) = spec else { continue };
        let host = hosts.program_host(&spec.host, diagnostics);
        let run = command(name, *span, spec.command.as_ref(), spec.shell.as_ref(), *clean, diagnostics);
        let ready = spec.ready.as_ref().map(|ready| ready_check(ready, *clean, diagnostics));
        let (Some(host), Some(run), Some(ready)) = (host, run, ready.map_or(Some(None), |r| r.map(Some))) else {
            continue;
        };
        let cwd = spec.cwd.as_ref().map(PathBuf::from);
        let program = Program { host, run, env: spec.env.clone(), cwd, root: spec.root };
        services.insert(name.clone(), Service { program, ready });
    }
    services
}

/// What a program is run as; `None` where that was told to be wrong.
pub(crate) fn command(
    name: &str,
    span: Span,
    command: Option<&Spanned<Argv>>,
    shell: Option<&Spanned<String>>,
    clean: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Command> {
    match (command, shell) {
        (Some(command), Some(shell)) => {
            diagnostics
                .error(shell.span, format!("`{name}` has both `command` and `shell`"))
                .related(command.span, "the other")
                .help("keep one: a list of arguments, or a line for the shell");
            None
        }
        (None, None) if !clean => None,
        (None, None) => {
            diagnostics
                .error(span, format!("`{name}` says nothing to run"))
                .help("write `command: [PROGRAM, ARGUMENT]` or `shell: \"LINE\"`");
            None
        }
        (Some(command), None) if command.first().is_none_or(String::is_empty) => {
            diagnostics.error(command.span, format!("the `command` of `{name}` is empty"));
            None
        }
        (Some(command), None) => Some(Command::Command(command.to_vec())),
        (None, Some(shell)) => Some(Command::Shell(shell.value.clone())),
    }
}

fn ready_check(ready: &Spanned<ReadySpec>, clean: bool, diagnostics: &mut Diagnostics) -> Option<Ready> {
    let spec = &ready.value;
    let mut checks = Vec::new();
    for (name, port) in [("tcp", &spec.tcp), ("udp", &spec.udp)] {
        if let Some(port) = port {
            if port.value == 0 {
                diagnostics.error(port.span, "port 0 is no port: 1 to 65535");
                return None;
            }
            checks.push(if name == "tcp" { ReadyCheck::Tcp(port.value) } else { ReadyCheck::Udp(port.value) });
        }
    }
    if spec.port.is_some() {
        checks.push(ReadyCheck::AnyPort);
    }
    if let Some(log) = &spec.log {
        checks.push(ReadyCheck::Log(log.value.clone()));
    }
    if let Some(exec) = &spec.exec {
        if exec.is_empty() {
            diagnostics.error(exec.span, "the `exec` is empty");
            return None;
        }
        checks.push(ReadyCheck::Exec(exec.to_vec()));
    }
    if checks.is_empty() && !clean {
        return None;
    }
    if checks.len() != 1 {
        let message =
            if checks.is_empty() { "`ready` says nothing to look for" } else { "`ready` looks for one thing" };
        diagnostics
            .error(ready.span, message)
            .help("write one of `tcp: PORT`, `udp: PORT`, `port: any`, `log: TEXT`, `exec: [PROGRAM]`");
        return None;
    }
    checks.pop().map(|check| Ready { check, within: spec.within.unwrap_or(READY_WITHIN) })
}

/// Checks workloads.
pub(crate) fn workloads(
    all: &[Named<WorkloadSpec>],
    services: &[Named<ServiceSpec>],
    duration: Option<Duration>,
    hosts: &Hosts<'_>,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, Workload> {
    let mut workloads = IndexMap::new();
    let names: IndexSet<&str> = all.iter().map(|workload| workload.name.as_str()).collect();
    for entry in all {
        let Some(spec) = &entry.spec else { continue };
        let start = start(spec, &names, services, duration, diagnostics);
        let Some(kind) = kind(entry, spec, duration, hosts, diagnostics) else { continue };
        let values = spec.values.as_ref().map(|values| values::check(values, diagnostics)).unwrap_or_default();
        let workload = Workload { start, timeout: spec.timeout, kind, values, percentiles: Vec::new() };
        workloads.insert(entry.name.clone(), workload);
    }
    waits::forbid_waiting_for_ever(all, &workloads, diagnostics);
    workloads
}

fn start(
    spec: &WorkloadSpec,
    names: &IndexSet<&str>,
    services: &[Named<ServiceSpec>],
    duration: Option<Duration>,
    diagnostics: &mut Diagnostics,
) -> Start {
    if let (Some(at), Some(after)) = (&spec.at, &spec.after) {
        diagnostics
            .error(after.span, "`at` and `after` both say when it starts")
            .related(at.span, "the other")
            .help("keep one");
    }
    if let Some(at) = &spec.at
        && duration.is_some_and(|duration| at.value >= duration)
    {
        diagnostics.warning(at.span, "it starts when the scenario's duration is over: it never will");
    }
    let Some(after) = &spec.after else { return Start::At(spec.at.as_ref().map_or(Duration::ZERO, |at| at.value)) };
    for Spanned { value: name, span } in after.each().filter(|name| !names.contains(name.value)) {
        if services.iter().any(|service| service.name == name) {
            let help = "all services are ready before the first workload starts";
            diagnostics.error(span, format!("`{name}` is a service: it runs to the end")).help(help);
        } else {
            let help = suggestion(name, names.iter().copied());
            diagnostics.error(span, format!("unknown workload `{name}`")).help(help);
        }
    }
    Start::After(after.value.0.iter().map(|name| name.value.clone()).collect())
}

fn kind(
    entry: &Named<WorkloadSpec>,
    spec: &WorkloadSpec,
    duration: Option<Duration>,
    hosts: &Hosts<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<WorkloadKind> {
    let name = &entry.name;
    let program = spec.command.as_ref().map(|c| ("command", c.span)).or(spec.shell.as_ref().map(|s| ("shell", s.span)));
    let kinds: Vec<(&str, Span)> = [
        program,
        spec.ping.as_ref().map(|p| ("ping", p.span)),
        spec.udp.as_ref().map(|u| ("udp", u.span)),
        spec.tcp.as_ref().map(|t| ("tcp", t.span)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let [first, second, ..] = kinds[..] {
        diagnostics
            .error(second.1, format!("`{name}` is both `{}` and `{}`", first.0, second.0))
            .related(first.1, "the other")
            .help("make two workloads of it");
        return None;
    }
    if kinds.is_empty() && !entry.clean {
        return None;
    }
    if kinds.is_empty() {
        let missing = if spec.host.is_some() {
            "write `command` or `shell`"
        } else {
            "write `in` and `command` or `shell`, or one of `ping`, `udp`, `tcp`"
        };
        diagnostics.error(entry.span, format!("the workload `{name}` does nothing")).help(missing);
        return None;
    }
    if program.is_none() {
        only_for_programs(spec, kinds[0].0, diagnostics);
    }
    let scope = Scope { name, clean: entry.clean, duration, hosts };
    if let Some(ping) = &spec.ping {
        return scope.ping(ping, diagnostics).map(WorkloadKind::Ping);
    }
    if let Some(udp) = &spec.udp {
        return scope.udp(udp, diagnostics).map(WorkloadKind::Udp);
    }
    if let Some(tcp) = &spec.tcp {
        return scope.tcp(tcp, diagnostics).map(WorkloadKind::Tcp);
    }
    program_of(entry, spec, hosts, diagnostics)
}

fn program_of(
    entry: &Named<WorkloadSpec>,
    spec: &WorkloadSpec,
    hosts: &Hosts<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<WorkloadKind> {
    let run = command(&entry.name, entry.span, spec.command.as_ref(), spec.shell.as_ref(), entry.clean, diagnostics);
    let Some(host) = &spec.host else {
        if entry.clean {
            diagnostics
                .error(entry.span, format!("`{}` does not say where it runs", entry.name))
                .help("write `in: HOST`");
        }
        return None;
    };
    let host = hosts.program_host(host, diagnostics)?;
    let program = Program {
        host,
        run: run?,
        env: spec.env.as_ref().map(|env| env.value.clone()).unwrap_or_default(),
        cwd: spec.cwd.as_ref().map(|cwd| PathBuf::from(&cwd.value)),
        root: spec.root.as_ref().is_some_and(|root| root.value),
    };
    Some(WorkloadKind::Program { program, exit: spec.exit.as_ref().map_or(0, |exit| i32::from(exit.value)) })
}

fn only_for_programs(spec: &WorkloadSpec, kind: &str, diagnostics: &mut Diagnostics) {
    let keys = [
        ("in", spec.host.as_ref().map(|x| x.span)),
        ("env", spec.env.as_ref().map(|x| x.span)),
        ("cwd", spec.cwd.as_ref().map(|x| x.span)),
        ("root", spec.root.as_ref().map(|x| x.span)),
        ("exit", spec.exit.as_ref().map(|x| x.span)),
        ("values", spec.values.as_ref().map(|x| x.span)),
    ];
    for (key, span) in keys.into_iter().filter_map(|(key, span)| span.map(|span| (key, span))) {
        let help = if key == "in" { "its `from` says where it runs" } else { "take it away" };
        diagnostics.error(span, format!("`{key}` is for programs, not for `{kind}`")).help(help);
    }
}

/// What a builtin workload needs to know of its surroundings.
struct Scope<'a> {
    name: &'a str,
    clean: bool,
    duration: Option<Duration>,
    hosts: &'a Hosts<'a>,
}

impl Scope<'_> {
    fn ping(&self, ping: &Spanned<PingSpec>, diagnostics: &mut Diagnostics) -> Option<Ping> {
        let spec = &ping.value;
        let path = self.hosts.path(&spec.from, &spec.to, spec.family.as_ref(), false, diagnostics);
        let every = self.positive(spec.every.as_ref(), diagnostics).map_or(Duration::from_secs(1), |every| every.value);
        let amount = self.amount(ping.span, spec.count.as_ref(), None, spec.length.as_ref(), "count", diagnostics);
        let size = self.size(spec.size.as_ref(), 56, 16, diagnostics);
        Some(Ping { path: path?, every, amount: amount?, size, timeout: spec.timeout.unwrap_or(PING_TIMEOUT) })
    }

    fn udp(&self, udp: &Spanned<UdpSpec>, diagnostics: &mut Diagnostics) -> Option<Udp> {
        let spec = &udp.value;
        let path = self.hosts.path(&spec.from, &spec.to, spec.family.as_ref(), true, diagnostics);
        let pace = match (&spec.rate, self.positive(spec.every.as_ref(), diagnostics)) {
            (Some(rate), Some(every)) => {
                diagnostics
                    .error(every.span, "`rate` and `every` both say how often it sends")
                    .related(rate.span, "the other")
                    .help("keep one");
                None
            }
            (None, None) => {
                if spec.every.is_none() && self.clean {
                    diagnostics
                        .error(udp.span, format!("`{}` does not say how often it sends", self.name))
                        .help("write `rate: 2Mbit` or `every: 20ms`");
                }
                None
            }
            (Some(rate), None) => Some(Pace::Rate(rate.value)),
            (None, Some(every)) => Some(Pace::Every(every.value)),
        };
        let amount = self.amount(udp.span, spec.count.as_ref(), None, spec.length.as_ref(), "count", diagnostics);
        let size = self.size(spec.size.as_ref(), 1200, 24, diagnostics);
        let port = port(spec.port.as_ref(), diagnostics);
        Some(Udp {
            path: path?,
            pace: pace?,
            size,
            amount: amount?,
            linger: spec.linger.unwrap_or(LINGER),
            transit: Duration::ZERO,
            port,
            delays_by_interval: false,
        })
    }

    fn tcp(&self, tcp: &Spanned<TcpSpec>, diagnostics: &mut Diagnostics) -> Option<Tcp> {
        let spec = &tcp.value;
        let path = self.hosts.path(&spec.from, &spec.to, spec.family.as_ref(), true, diagnostics);
        let amount = self.amount(tcp.span, None, spec.bytes.as_ref(), spec.length.as_ref(), "bytes", diagnostics);
        let port = port(spec.port.as_ref(), diagnostics);
        // TCP_CA_NAME_MAX of the kernel, less the terminating zero
        if let Some(congestion) = spec.congestion.as_ref().filter(|c| c.is_empty() || c.len() > 15) {
            diagnostics.error(congestion.span, format!("`{}` cannot name a congestion control", congestion.value));
        }
        let congestion = spec.congestion.as_ref().map(|c| c.value.clone());
        let (sockbuf, round_trip) = (spec.sockbuf, Duration::ZERO);
        Some(Tcp { path: path?, amount: amount?, port, congestion, round_trip, sockbuf })
    }

    fn positive<'s>(
        &self,
        every: Option<&'s Spanned<Duration>>,
        diagnostics: &mut Diagnostics,
    ) -> Option<&'s Spanned<Duration>> {
        let every = every?;
        if every.value == Duration::ZERO {
            diagnostics.error(every.span, "`every` is 0: it would send without end").help("as in `every: 10ms`");
            return None;
        }
        Some(every)
    }

    fn size(
        &self,
        size: Option<&Spanned<ByteSize>>,
        usual: u64,
        least: u64,
        diagnostics: &mut Diagnostics,
    ) -> ByteSize {
        let Some(size) = size else { return ByteSize::from_bytes(usual) };
        if !(least..=65_000).contains(&size.as_bytes()) {
            let message = format!("a `size` of {} is out of range: {least}B to 65000B", size.value);
            diagnostics.error(size.span, message).help("the first bytes carry the time and number of each packet");
        }
        size.value
    }

    fn amount(
        &self,
        span: Span,
        count: Option<&Spanned<u64>>,
        bytes: Option<&Spanned<ByteSize>>,
        length: Option<&Spanned<Duration>>,
        other: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<Amount> {
        let all: Vec<(&str, Span, Amount, bool)> = [
            count.map(|c| ("count", c.span, Amount::Count(c.value), c.value == 0)),
            bytes.map(|b| ("bytes", b.span, Amount::Bytes(b.value), b.value == ByteSize::default())),
            length.map(|l| ("for", l.span, Amount::For(l.value), l.value == Duration::ZERO)),
        ]
        .into_iter()
        .flatten()
        .collect();
        match all[..] {
            [] if !self.clean => None,
            [] if self.duration.is_none() => {
                let message = format!("`{}` would never end: neither it nor the scenario says when", self.name);
                let help = format!("write `for` or `{other}` here, or `duration:` at the top");
                diagnostics.error(span, message).help(help);
                None
            }
            [] => Some(Amount::Whole),
            [(key, span, _, true)] => {
                diagnostics.error(span, format!("`{key}` is 0: it would do nothing"));
                None
            }
            [(.., amount, false)] => Some(amount),
            [first, second, ..] => {
                diagnostics
                    .error(second.1, format!("`{}` and `{}` both say when it ends", first.0, second.0))
                    .related(first.1, "the other")
                    .help("keep one");
                None
            }
        }
    }
}

fn port(port: Option<&Spanned<u16>>, diagnostics: &mut Diagnostics) -> Option<u16> {
    let port = port?;
    if port.value == 0 {
        diagnostics.error(port.span, "port 0 is no port: 1 to 65535").help("without `port`, any that is free");
    }
    Some(port.value)
}
