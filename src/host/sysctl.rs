//! Kernel settings of a host's network namespace, through /proc/sys/net.
//!
//! Some start from the initial namespace's values (`net.core.devconf_inherit_init_net`), so each that matters is set, and
//! only where it differs: a container may mount /proc/sys read-only and still have the right values.
//! Meanings: Linux `Documentation/networking/ip-sysctl.rst`.

use std::fs;
use std::io;
use std::path::Path;

use super::error::HostError;

/// Settings of every host.
const IPV4: &[(&str, &str)] = &[
    ("ip_forward", "0"),
    ("ip_unprivileged_port_start", "0"),
    // The strictest of `all` and the interface's own counts; both are opened, since asymmetric paths are what is emulated.
    ("conf/all/rp_filter", "0"),
    ("conf/default/rp_filter", "0"),
];

/// Settings of hosts with several interfaces: each answers ARP for its own addresses only, and asks with its own.
const IPV4_MULTIHOMED: &[(&str, &str)] = &[
    ("conf/all/arp_ignore", "1"),
    ("conf/default/arp_ignore", "1"),
    ("conf/all/arp_announce", "2"),
    ("conf/default/arp_announce", "2"),
];

/// No frames that the scenario did not ask for (duplicate address detection, router solicitations), no addresses or
/// routes but the plan's.
const IPV6: &[(&str, &str)] = &[
    ("disable_ipv6", "0"),
    ("accept_dad", "0"),
    ("accept_ra", "0"),
    ("autoconf", "0"),
    ("router_solicitations", "0"),
    ("forwarding", "0"),
    // An interface that goes down keeps its addresses, as it does in IPv4.
    ("keep_addr_on_down", "1"),
];

/// Whether this kernel speaks IPv6.
pub(crate) fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6/conf").exists()
}

/// Sets everything in the network namespace that this thread is in. Interfaces made later take the `default` values over.
pub(crate) fn apply(multihomed: bool) -> Result<(), HostError> {
    let extra = if multihomed { IPV4_MULTIHOMED } else { &[] };
    for (name, value) in IPV4.iter().chain(extra) {
        set(&format!("/proc/sys/net/ipv4/{name}"), value)?;
    }
    open_ping_sockets()?;
    if has_ipv6() {
        for (name, value) in IPV6 {
            for scope in ["all", "default"] {
                set(&format!("/proc/sys/net/ipv6/conf/{scope}/{name}"), value)?;
            }
        }
    }
    Ok(())
}

/// Sets what concerns one interface, in a network namespace of somebody else: Docker switches IPv6 off in containers.
pub(crate) fn apply_to(interface: &str) -> Result<(), HostError> {
    let settings = if has_ipv6() { IPV6 } else { &[] };
    for (name, value) in settings.iter().filter(|(name, _)| *name != "forwarding") {
        set(&format!("/proc/sys/net/ipv6/conf/{interface}/{name}"), value)?;
    }
    Ok(())
}

/// Sets what the scenario asks for, as far as it is there: before there are interfaces, so that they take `default` values over, and
/// again with `all`, when everything must be there.
pub(crate) fn apply_asked(settings: &[(String, String)], all: bool) -> Result<(), HostError> {
    for (path, value) in settings {
        let file = Path::new("/proc/sys").join(path);
        match fs::write(&file, value) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !all => {}
            Err(error) => return Err(refused(path, value, &error)),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn refused(path: &str, value: &str, error: &io::Error) -> HostError {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let name: String = path.chars().map(swap).collect();
    let doing = format!("set {name} to `{value}`");
    match error.raw_os_error() {
        Some(libc::ENOENT) => HostError::input(doing, "this kernel has no such setting in a network namespace")
            .cure("check its name, or take it out of `sysctl`"),
        Some(libc::EINVAL | libc::ERANGE) => HostError::input(doing, "the kernel does not take this value")
            .cure("see Documentation/networking/ip-sysctl.rst"),
        _ => HostError::input(doing, error.to_string()),
    }
}

/// Keeps router advertisements that come in by an interface from changing this network namespace's addresses and routes.
pub(crate) fn ignore_router_advertisements(interface: &str) -> Result<(), HostError> {
    if has_ipv6() { set(&format!("/proc/sys/net/ipv6/conf/{interface}/accept_ra"), "0") } else { Ok(()) }
}

/// Lets every group open ICMP echo sockets, so that ping needs no privilege.
fn open_ping_sockets() -> Result<(), HostError> {
    const PATH: &str = "/proc/sys/net/ipv4/ping_group_range";
    match fs::write(PATH, "0 2147483647") {
        // Inside a user namespace only groups that are mapped are accepted.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            let map = fs::read_to_string("/proc/self/gid_map").map_err(|e| failed(PATH, e))?;
            let last = last_mapped_from_zero(&map).unwrap_or(0);
            set(PATH, &format!("0\t{last}"))
        }
        Err(error) if fs::read_to_string(PATH).is_ok_and(|now| now.split_whitespace().eq(["0", "2147483647"])) => {
            // Read-only, but as wanted.
            drop(error);
            Ok(())
        }
        other => other.map_err(|e| failed(PATH, e)),
    }
}

/// The last group of the stretch that begins at group 0 inside the user namespace.
fn last_mapped_from_zero(gid_map: &str) -> Option<u64> {
    gid_map.lines().find_map(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        match (fields.next()?, fields.nth(1)?) {
            (Ok(0), Ok(length)) => Some(length.saturating_sub(1).min(2_147_483_647)),
            _ => None,
        }
    })
}

fn set(path: &str, value: &str) -> Result<(), HostError> {
    let now = fs::read_to_string(path).map_err(|e| failed(path, e))?;
    if now.trim() == value {
        return Ok(());
    }
    fs::write(path, value).map_err(|e| failed(path, e))
}

fn failed(path: &str, error: io::Error) -> HostError {
    let name = path.strip_prefix("/proc/sys/").unwrap_or(path).replace('/', ".");
    HostError::os(format!("set {name} in a host's network namespace"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapped_stretch_of_groups_is_found() {
        assert_eq!(last_mapped_from_zero("         0       1000          1\n"), Some(0));
        assert_eq!(last_mapped_from_zero("1 100000 65536\n0 1000 1\n"), Some(0));
        assert_eq!(last_mapped_from_zero("0 0 4294967295\n"), Some(2_147_483_647));
        assert_eq!(last_mapped_from_zero("1000 0 1\n"), None);
        assert_eq!(last_mapped_from_zero(""), None);
    }

    #[test]
    fn a_refused_setting_is_named_as_sysctl_names_it() {
        let error = failed("/proc/sys/net/ipv4/ip_forward", io::Error::from_raw_os_error(libc::EROFS));
        assert!(error.to_string().starts_with("cannot set net.ipv4.ip_forward in a host's network namespace"));
        assert!(error.cure.is_some_and(|cure| cure.contains("--privileged")));
    }
}
