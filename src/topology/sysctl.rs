//! `sysctl:` of a host: kernel settings of its network namespace.
//!
//! Which settings a namespace has of its own is known from Linux 6.18's net/ (register_net_sysctl, and modes of tables in namespaces
//! other than the first). All that others have is shared by the machine, or cannot be written there.

use indexmap::IndexMap;

use crate::diag::Diagnostics;
use crate::language::spanned::Spanned;
use crate::model::form::forms;

/// Below these are settings of a namespace.
const FAMILIES: [&str; 12] =
    ["core", "ipv4", "ipv6", "netfilter", "bridge", "unix", "mptcp", "sctp", "mpls", "vrf", "smc", "xfrm"];
/// Of net.core, all that a namespace can set.
const CORE: [&str; 5] = ["optmem_max", "rps_default_mask", "somaxconn", "tstamp_allow_data", "txrehash"];
/// Buffers that people look for in net.core, and what has the same effect for TCP.
const BUFFERS: [&str; 4] = ["rmem_max", "wmem_max", "rmem_default", "wmem_default"];
/// Elsewhere: what the whole machine shares, or nobody can set in a namespace. `*` stands for any end.
const SHARED: [&str; 32] = [
    "ipv4/cipso_*",
    "ipv4/fib_sync_mem",
    "ipv4/inet_peer_*",
    "ipv4/ipfrag_secret_interval",
    "ipv4/route/error_*",
    "ipv4/route/gc_*",
    "ipv4/route/max_size",
    "ipv4/route/redirect_*",
    "ipv4/tcp_allowed_congestion_control",
    "ipv4/tcp_available_*",
    "ipv4/tcp_ehash_entries",
    "ipv4/tcp_low_latency",
    "ipv4/tcp_max_orphans",
    "ipv4/tcp_mem",
    "ipv4/udp_hash_entries",
    "ipv4/udp_mem",
    "ipv4/neigh/default/gc_thresh*",
    "ipv4/neigh/default/gc_interval",
    "ipv6/neigh/default/gc_thresh*",
    "ipv6/neigh/default/gc_interval",
    "ipv6/calipso_*",
    "ipv6/ip6frag_secret_interval",
    "ipv6/mld_max_msf",
    "ipv6/mld_qrv",
    "mptcp/available_*",
    "netfilter/nf_conntrack_buckets",
    "netfilter/nf_conntrack_count",
    "netfilter/nf_conntrack_expect_max",
    "netfilter/nf_conntrack_max",
    "netfilter/nf_log_all_netns",
    "netfilter/nf_hooks_lwtunnel",
    "sctp/sctp_mem",
];

/// What a setting is set to: a text or a whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value(String);

forms! {
    Value, "SysctlValue", "a whole number or a text, as in `1` or `4096 131072 6291456`";
    text { "type": ["string", "integer"] } => |text| match text.trim() {
        "" => Err("an empty text sets nothing: write the value".into()),
        text if text.contains('\n') || text.len() > 1024 => Err("a value is one line of at most 1,024 bytes".into()),
        text => Ok(Value(text.to_owned())),
    };
}

/// The settings of a host by path below /proc/sys, in the order of the file.
pub(crate) fn plan(spec: &IndexMap<Spanned<String>, Value>, diagnostics: &mut Diagnostics) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for (key, Value(value)) in spec {
        match path(key) {
            Ok(path) if settings.iter().any(|(other, _)| *other == path) => {
                diagnostics.error(key.span, format!("`{}` is set twice", key.value)).help("take one of them away");
            }
            Ok(path) => settings.push((path, value.clone())),
            Err((reason, help)) => {
                diagnostics.error(key.span, format!("`{}` {reason}", key.value)).help(help);
            }
        }
    }
    settings
}

/// Where a setting is below /proc/sys. As in sysctl.conf(5) points and slashes change places: a point in an interface's name is
/// written as a slash.
fn path(key: &str) -> Result<String, (String, String)> {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let path: String = key.chars().map(swap).collect();
    let legal = |c: char| c.is_ascii_graphic() && c != '\\';
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) || !path.chars().all(legal) {
        return Err(("is not the name of a setting".into(), "as in `net.ipv4.tcp_congestion_control`".into()));
    }
    let Some(below) = path.strip_prefix("net/") else {
        let reason = "does not belong to a network namespace: it would change the whole machine";
        return Err((reason.into(), "only settings below `net.` can be set".into()));
    };
    let (family, rest) = below.split_once('/').unwrap_or((below, ""));
    if !FAMILIES.contains(&family) || rest.is_empty() {
        let families = FAMILIES.map(|family| format!("`net.{family}.`")).join(", ");
        return Err((
            "is not known to belong to a network namespace".into(),
            format!("such settings begin with {families}"),
        ));
    }
    let shared = match family {
        "core" => !CORE.contains(&rest),
        _ => SHARED.iter().any(|known| match known.strip_suffix('*') {
            Some(beginning) => below.starts_with(beginning),
            None => below == *known,
        }),
    };
    if shared {
        let help = if family == "core" && BUFFERS.contains(&rest) {
            "TCP takes its buffers from `net.ipv4.tcp_rmem` and `net.ipv4.tcp_wmem`, which a host can set; the others are set on the machine, with sysctl(8)"
        } else {
            "set it on the machine, with sysctl(8)"
        };
        return Err(("does not belong to a network namespace: the machine has one of it for all".into(), help.into()));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use crate::scenario::tests::{bad, good};

    fn scenario(sysctl: &str) -> String {
        format!(
            "longwire: 1\nnodes: {{ a: {{ host: {{ sysctl: {{ {sysctl} }} }} }}, b: host }}\nlinks: {{ l: {{ ends: [a, b] }} }}\n"
        )
    }

    #[test]
    fn settings_of_a_namespace_are_taken_in_the_order_of_the_file() {
        let text = "net.ipv4.tcp_rmem: 4096 131072 33554432, net.ipv4.conf.eth0/5.rp_filter: 1, net.core.somaxconn: \"7\", \
                    net.ipv6.route.min_adv_mss: 900, net.netfilter.nf_conntrack_udp_timeout: 30, net.ipv4.neigh.eth0.gc_stale_time: 3";
        let plan = good(&scenario(text)).network.hosts.swap_remove(0);
        let set: Vec<(&str, &str)> = plan.sysctl.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
        assert_eq!(
            set,
            [
                ("net/ipv4/tcp_rmem", "4096 131072 33554432"),
                ("net/ipv4/conf/eth0.5/rp_filter", "1"),
                ("net/core/somaxconn", "7"),
                ("net/ipv6/route/min_adv_mss", "900"),
                ("net/netfilter/nf_conntrack_udp_timeout", "30"),
                ("net/ipv4/neigh/eth0/gc_stale_time", "3"),
            ]
        );
    }

    #[test]
    fn what_belongs_to_the_machine_is_an_error_with_its_place() {
        for (key, words) in [
            ("kernel.hostname", "does not belong to a network namespace: it would change the whole machine"),
            ("vm.swappiness", "only settings below `net.` can be set"),
            ("net.core.rmem_max", "net.ipv4.tcp_rmem"),
            ("net.core.default_qdisc", "the machine has one of it for all"),
            ("net.ipv4.tcp_mem", "set it on the machine"),
            ("net.ipv4.tcp_available_congestion_control", "the machine has one of it for all"),
            ("net.ipv4.neigh.default.gc_thresh3", "the machine has one of it for all"),
            ("net.netfilter.nf_conntrack_max", "the machine has one of it for all"),
            ("net.nf_conntrack_max", "is not known to belong to a network namespace"),
            ("net.rds.tcp", "is not known to belong to a network namespace"),
            ("net", "does not belong"),
            ("net.ipv4", "is not known to belong"),
            ("net..ipv4.x", "is not the name of a setting"),
            ("net.ipv4.//.//.kernel.x", "is not the name of a setting"),
        ] {
            let told = bad(&scenario(&format!("{key}: 1")));
            assert!(told.len() == 1 && told[0].starts_with("2:33: ") && told[0].contains(words), "{key}: {told:?}");
        }
        assert!(bad(&scenario("net.ipv4.tcp_ecn: \"\""))[0].contains("an empty text sets nothing"));
        assert!(bad(&scenario("net.ipv4.tcp_ecn: [1]"))[0].contains("a whole number or a text"));
        assert!(bad(&scenario("net.ipv4.tcp_ecn: true"))[0].contains("a whole number or a text"));
    }
}
