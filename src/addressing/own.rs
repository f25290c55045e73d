//! What a host has to itself beside its interfaces: name servers, folders, kernel settings, routes for multicast.

use core::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::hosts::MAIN;
use super::network::{HostPlan, Limits, RoutePlan};
use crate::diag::{Diagnostic, Diagnostics, suggestion};
use crate::language::spanned::Spanned;
use crate::topology::node::{HostSpec, LimitsSpec};
use crate::topology::sysctl;

/// What a host's own namespaces or its own files stand on, with all below.
const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];
/// Folders of which a host has its own parts already, or cannot do without.
const WHOLE: [&str; 4] = ["/", "/run", "/etc", "/usr"];

/// Completes a host's plan. Addresses, routes and /etc/hosts have been given.
pub(crate) fn fill(plan: &mut HostPlan, spec: &HostSpec, diagnostics: &mut Diagnostics) {
    plan.restores_routes = !spec.routes.manual;
    plan.sysctl = sysctl::plan(&spec.sysctl, diagnostics);
    plan.limits = limits(&spec.limits, diagnostics);
    plan.privileged = *spec.privileged;
    if plan.privileged {
        let warning = format!("programs in `{}` keep root's rights on the machine", plan.name);
        diagnostics
            .warning(spec.privileged.span, warning)
            .help("take `privileged` away unless they need them, for eBPF or for devices");
    }
    multicast(plan, spec, diagnostics);
    name_servers(plan, &spec.dns, diagnostics);
    for path in &spec.private {
        let path = Spanned { value: tidy(path), span: path.span };
        match folder(&path, &plan.private) {
            Ok(()) => plan.private.push(path.value),
            Err(reason) => {
                diagnostics
                    .error(path.span, format!("`{}` cannot be private: {reason}", path.value))
                    .help("name folders of this machine by their absolute paths, as in `[/var/lib/app]`");
            }
        }
    }
}

/// The addresses of the name servers that the file names.
pub(crate) fn name_servers(plan: &mut HostPlan, servers: &[Spanned<String>], diagnostics: &mut Diagnostics) {
    for server in servers {
        match name_server(&plan.hosts_file.text(), server) {
            Some(address) => plan.dns.push(address),
            // Then its addresses may be what is wrong, and that has been told.
            None if diagnostics.has_errors() => {}
            None => diagnostics.push(
                Diagnostic::error(
                    server.span,
                    format!("`{}` is no name server that this host could ask", server.value),
                )
                .help("write an address, or the name of a host or router that has one"),
            ),
        }
    }
}

/// PID_MAX_LIMIT of Linux include/linux/threads.h: there can be no more.
const MOST_PROCESSES: u64 = 4 << 20;
/// A shell and its libraries take more than that.
const LEAST_MEMORY: u64 = 1 << 20;
/// What a program opens while it starts, and what `fs.nr_open` lets it have by default.
const OPEN_FILES: (u64, u64) = (16, 1 << 20);

fn limits(spec: &LimitsSpec, diagnostics: &mut Diagnostics) -> Limits {
    let mut within = |name: &str, limit: &Option<Spanned<u64>>, (least, most): (u64, u64)| {
        let limit = limit.as_ref()?;
        if !(least..=most).contains(&limit.value) {
            let error = format!("`{name}` must be from {least} to {most}, found {}", limit.value);
            diagnostics.error(limit.span, error).help("without a limit there is no such key");
        }
        u32::try_from(limit.value).ok()
    };
    let processes = within("processes", &spec.processes, (1, MOST_PROCESSES));
    let open_files = within("open_files", &spec.open_files, OPEN_FILES);
    let memory = spec.memory.as_ref().map(|memory| memory.value.as_bytes());
    if let (Some(memory), Some(bytes)) = (&spec.memory, memory.filter(|bytes| *bytes < LEAST_MEMORY)) {
        let error = format!("`memory` must be 1MiB or more, found {bytes}B");
        diagnostics.error(memory.span, error).help("a shell alone takes more than that");
    }
    Limits { processes, memory, open_files }
}

/// Routes for IPv4 multicast and for limited broadcast: without them the kernel says "network is unreachable" where there
/// is no default route.
fn multicast(plan: &mut HostPlan, spec: &HostSpec, diagnostics: &mut Diagnostics) {
    let has_ipv4 = |at: usize| plan.interfaces[at].addresses.iter().any(|net| net.addr().is_ipv4());
    let chosen = match &spec.multicast {
        Some(name) if name.value == "none" => return,
        Some(name) => {
            let names = plan.interfaces.iter().map(|interface| interface.name.as_str());
            let Some(at) = names.clone().position(|known| known == name.value) else {
                let error = Diagnostic::error(name.span, format!("`{}` has no interface `{}`", plan.name, name.value));
                return diagnostics.push(error.help(suggestion(name, names)));
            };
            if !has_ipv4(at) && !diagnostics.has_errors() {
                let error = format!("`{}.{}` has no IPv4 address to send multicast from", plan.name, name.value);
                diagnostics.error(name.span, error).help("give it one, or take `multicast` away");
                return;
            }
            at
        }
        None if plan.interfaces.len() == 1 && has_ipv4(0) => 0,
        None => return,
    };
    for (address, prefix) in [(Ipv4Addr::new(224, 0, 0, 0), 4), (Ipv4Addr::BROADCAST, 32)] {
        let to = IpNet::V4(Ipv4Net::new(address, prefix).expect("a prefix of at most 32"));
        if plan.routes.iter().all(|route| route.table != MAIN || route.to != to) {
            let interface = Some(plan.interfaces[chosen].name.clone());
            plan.routes.push(RoutePlan { to, via: None, interface, table: MAIN });
        }
    }
}

/// An address, or the first address that a name has in a hosts file.
fn name_server(hosts_file: &str, server: &str) -> Option<IpAddr> {
    let by_name = || {
        let mut lines = hosts_file.lines().map(|line| line.split_whitespace());
        lines.find_map(|mut words| Some((words.next()?, words)).filter(|(_, words)| words.clone().any(|w| w == server)))
    };
    server.parse().ok().or_else(|| by_name()?.0.parse().ok())
}

/// Without a slash at its end.
fn tidy(path: &str) -> String {
    let short = path.trim_end_matches('/');
    if short.is_empty() { path.to_owned() } else { short.to_owned() }
}

fn folder(path: &str, others: &[String]) -> Result<(), String> {
    let below = |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let Some(relative) = path.strip_prefix('/') else { return Err("it is not an absolute path".into()) };
    if WHOLE.contains(&path) {
        return Err("a host needs what is in it".into());
    }
    if let Some(kernel) = KERNELS.iter().find(|kernel| path == **kernel || below(path, kernel)) {
        return Err(format!("{kernel} is the kernel's"));
    }
    if relative.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("it has an empty part, `.` or `..` in it".into());
    }
    match others.iter().find(|other| *other == path || below(path, other) || below(other, path)) {
        Some(other) if other == path => Err("it is named twice".into()),
        Some(other) => Err(format!("it and `{other}` are one below the other")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::tests::{bad, good};

    fn plan(host: &str, links: &str) -> HostPlan {
        good(&format!(
            "longwire: 1\nnodes: {{ a: {{ host: {{ {host} }} }}, b: host, s: switch, r: router }}\nlinks: {{ {links} }}\n"
        ))
        .network
        .hosts
        .swap_remove(0)
    }

    fn over(plan: &HostPlan) -> Vec<(String, Option<String>)> {
        let multicast = plan.routes.iter().filter(|route| route.via.is_none() && route.table == MAIN);
        multicast.map(|route| (route.to.to_string(), route.interface.clone())).collect()
    }

    #[test]
    fn multicast_and_broadcast_leave_by_the_only_interface_or_the_one_that_is_named() {
        let one = "l: { ends: [a, s] }, m: { ends: [b, s] }, n: { ends: [r, s] }";
        let two = "l: { ends: [a, s] }, m: { ends: [b, s] }, n: { ends: [a, r] }";
        let both = |name: &str| ["224.0.0.0/4", "255.255.255.255/32"].map(|to| (to.to_owned(), Some(name.to_owned())));
        assert_eq!(over(&plan("", one)), both("eth0"));
        assert_eq!(over(&plan("multicast: none", one)), []);
        assert_eq!(over(&plan("", two)), []);
        assert_eq!(over(&plan("multicast: eth1", two)), both("eth1"));
        // the file's own route comes first
        let own = "addresses: [10.0.0.2/24], routes: [{ to: 224.0.0.0/4, via: 10.0.0.1 }]";
        assert_eq!(over(&plan(own, one)), both("eth0")[1..]);
        let without =
            "longwire: 1\naddressing: { ipv4: none }\nnodes: { a: host, b: host }\nlinks: { l: { ends: [a, b] } }\n";
        assert_eq!(over(&good(without).network.hosts[0]), []);
        let told = bad(&without.replace("a: host", "a: { host: { multicast: eth0 } }"));
        assert_eq!(
            told,
            ["3:34: `a.eth0` has no IPv4 address to send multicast from (give it one, or take `multicast` away)"]
        );
        let told = bad(&without.replace("a: host", "a: { host: { multicast: eth7 } }"));
        assert!(told[0].contains("`a` has no interface `eth7`"), "{told:?}");
    }

    #[test]
    fn name_servers_routes_and_folders_are_as_the_file_says() {
        let links = "l: { ends: [a, s] }, m: { ends: [b, s] }";
        let usual = plan("", links);
        assert!(usual.dns.is_empty() && usual.private.is_empty() && usual.restores_routes);
        let given = plan("dns: [b, 192.0.2.1], private: [/var/lib/app/, /tmp], routes: manual", links);
        assert_eq!(given.dns.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.2", "192.0.2.1"]);
        assert_eq!((given.private, given.restores_routes), (vec!["/var/lib/app".into(), "/tmp".into()], false));
        let mistakes = |host: &str| {
            bad(&format!(
                "longwire: 1\nnodes: {{ a: {{ host: {{ {host} }} }}, b: host }}\nlinks: {{ l: {{ ends: [a, b] }} }}\n"
            ))
        };
        assert!(mistakes("dns: [nobody]")[0].contains("`nobody` is no name server that this host could ask"));
        assert!(mistakes("private: [var]")[0].contains("`var` cannot be private: it is not an absolute path"));
        assert!(mistakes("private: [/a, /a/]")[0].contains("it is named twice"));
        let told = mistakes("routes: automatic");
        assert!(told[0].contains("or `manual`"), "{told:?}");
    }

    #[test]
    fn limits_have_units_and_ranges() {
        let links = "l: { ends: [a, s] }, m: { ends: [b, s] }";
        assert_eq!(plan("", links).limits, Limits::default());
        let given = plan("limits: { processes: 64, memory: 256MiB, open_files: 1024 }", links).limits;
        assert_eq!(given, Limits { processes: Some(64), memory: Some(256 << 20), open_files: Some(1024) });
        assert_eq!(plan("limits: { open_files: 16 }", links).limits.open_files, Some(16));
        let mistake = |limits: &str| {
            let text = format!(
                "longwire: 1\nnodes: {{ a: {{ host: {{ limits: {{ {limits} }} }} }}, b: host }}\nlinks: {{ l: {{ ends: [a, b] }} }}\n"
            );
            bad(&text).swap_remove(0)
        };
        assert!(mistake("processes: 0").contains("`processes` must be from 1 to 4194304, found 0"));
        assert!(mistake("processes: 4194305").contains("found 4194305"));
        assert!(mistake("open_files: 15").contains("`open_files` must be from 16 to 1048576, found 15"));
        assert!(mistake("memory: 1023KiB").contains("`memory` must be 1MiB or more"));
        assert!(mistake("memory: 100").contains("100"), "a size has a unit");
        assert!(mistake("cpu: 1").contains("unknown field `cpu`"));
    }

    #[test]
    fn a_privileged_host_is_warned_of() {
        let of = |host: &str| {
            good(&format!(
                "longwire: 1\nnodes: {{ a: {{ host: {{ {host} }} }}, b: host }}\nlinks: {{ l: {{ ends: [a, b] }} }}\n"
            ))
        };
        let loud = of("privileged: true");
        assert!(loud.network.hosts[0].privileged && !loud.network.hosts[1].privileged);
        let told: Vec<_> = loud.warnings.iter().map(|told| told.message.as_str()).collect();
        assert_eq!(told, ["programs in `a` keep root's rights on the machine"]);
        let usual = of("privileged: false");
        assert!(!usual.network.hosts[0].privileged && usual.warnings.is_empty());
    }

    #[test]
    fn name_servers_are_addresses_or_names_by_what_is_near() {
        let file = "127.0.0.1 localhost\n10.0.1.9 two two.eth1\n10.0.0.9 two two.eth0\nfd00::5 six\n";
        let found = |text| name_server(file, text).map(|address| address.to_string());
        assert_eq!(found("192.0.2.53").as_deref(), Some("192.0.2.53"));
        assert_eq!(found("two").as_deref(), Some("10.0.1.9"));
        assert_eq!(found("two.eth0").as_deref(), Some("10.0.0.9"));
        assert_eq!(found("six").as_deref(), Some("fd00::5"));
        assert_eq!(found("tw"), None);
        assert_eq!(found("10.0.1.9x"), None);
    }

    #[test]
    fn what_a_host_needs_cannot_be_private() {
        for good in ["/var/lib/app", "/run/app", "/tmp", "/srv/x.y"] {
            assert_eq!(folder(good, &[]), Ok(()), "{good}");
        }
        for bad in ["app", "/", "/run", "/etc", "/proc", "/proc/sys", "/dev/shm", "/a/../b", "/a//b", "/a/.", ""] {
            assert!(folder(bad, &[]).is_err(), "{bad}");
        }
        let others = ["/a/b".to_owned()];
        assert!(
            folder("/a", &others).is_err() && folder("/a/b/c", &others).is_err() && folder("/a/b", &others).is_err()
        );
        assert_eq!(folder("/a/bc", &others), Ok(()));
        assert_eq!((tidy("/a/"), tidy("/"), tidy("//")), ("/a".into(), "/".into(), "//".into()));
    }
}
