//! Hosts' /etc/hosts: every name of the scenario, the address that is best reached from the reader first.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use ipnet::IpNet;

use super::network::{HostPlan, HostsFile};
use super::realm::Realms;
use crate::node::RouterPlan;
use crate::topology::members::Attached;
use crate::units::ByteSize;

/// The most that the parts of these files that differ take together.
const MOST_NEAR: ByteSize = ByteSize::from_bytes(256 << 20);

/// The files would take too much memory.
#[derive(Debug)]
pub(crate) struct TooLong {
    /// The host at whose file that showed.
    pub(crate) host: usize,
    /// How much those up to there take.
    pub(crate) bytes: ByteSize,
}

/// A name with its addresses: of each the interface, if it is known, and the segment.
struct Named<'a> {
    name: &'a str,
    addresses: Vec<(IpAddr, Option<&'a str>, usize)>,
}

/// The files of all hosts, in order, unless they are too long. `segments[host][interface]` says who shares a segment.
///
/// A resolver takes the first line that has the name and the family (nsswitch's `files`), so the order within a name is what
/// matters: addresses on a segment shared with the reader come before the others, IPv4 before IPv6. IPv4 addresses that
/// mean nothing to the reader, or another machine, since a router translates them on the way, are left out.
///
/// Only what has several interfaces reads differently from place to place. That part is each host's own; the rest is
/// shared, since a whole text for each host would take memory by the square of their number.
pub(crate) fn texts(
    hosts: &[HostPlan],
    segments: &[Vec<usize>],
    routers: &[(&Attached<'_>, &RouterPlan)],
    realms: &Realms,
) -> Result<Vec<HostsFile>, TooLong> {
    let all = named(hosts, segments, routers);
    let nets = networks_v6(hosts, segments, routers);
    let mut shared: BTreeMap<BTreeSet<usize>, Shared> = BTreeMap::new();
    let mut nears = Nears { several: several(&all), all: &all, made: BTreeMap::new(), bytes: 0 };
    let file = |(host, own): (usize, &Vec<usize>)| -> Result<HostsFile, TooLong> {
        let near = nears.of(host, own)?;
        let reached: BTreeSet<usize> =
            own.iter().flat_map(|segment| &realms.reach[realms.realms[*segment]]).copied().collect();
        let (rest, around) = shared.entry(reached).or_insert_with(|| {
            let reaches = |address: IpAddr, segment: usize| address.is_ipv6() || realms.reaches(own, segment);
            let rest = text(all.iter().flat_map(|named| named.lines(reaches)).collect()).into();
            // what is reached from here by IPv4, and only through a NAT
            let through = |segment: &usize| {
                let realm = realms.realms[*segment];
                realms.reaches(own, *segment) && own.iter().all(|own| realms.realms[*own] != realm)
            };
            (rest, nets.iter().filter(|(segment, _)| through(segment)).map(|(_, net)| *net).collect())
        });
        Ok(HostsFile { near, all: Arc::clone(rest), around: Arc::clone(around) })
    };
    segments.iter().enumerate().map(file).collect()
}

/// All hosts and routers with their addresses, IPv4 first.
fn named<'a>(
    hosts: &'a [HostPlan],
    segments: &[Vec<usize>],
    routers: &[(&'a Attached<'_>, &'a RouterPlan)],
) -> Vec<Named<'a>> {
    let of_hosts = hosts.iter().zip(segments).map(|(host, segments)| {
        let interfaces = host.interfaces.iter().zip(segments);
        let addresses = interfaces.flat_map(|(interface, at)| {
            interface.addresses.iter().map(|net| (net.addr(), Some(interface.name.as_str()), *at))
        });
        // those of machines behind it are theirs alone
        let own = addresses.filter(|(address, ..)| !host.names.iter().any(|(_, other)| other.contains(address)));
        Named { name: &host.name, addresses: own.collect() }
    });
    let behind = hosts.iter().zip(segments).flat_map(|(host, segments)| {
        let segment = segments.first().copied();
        host.names.iter().filter_map(move |(name, addresses)| {
            let addresses = addresses.iter().map(|address| Some((*address, None, segment?)));
            Some(Named { name, addresses: addresses.collect::<Option<_>>()? })
        })
    });
    let of_routers = routers.iter().map(|(router, plan)| {
        let interfaces = plan.interfaces.iter().zip(&router.attachments);
        let addresses = interfaces.flat_map(|(interface, attachment)| {
            interface.addresses.iter().map(|net| (net.addr(), Some(interface.name.as_str()), attachment.segment))
        });
        Named { name: router.name, addresses: addresses.collect() }
    });
    let mut all: Vec<Named<'_>> = of_hosts.chain(of_routers).chain(behind).collect();
    for named in &mut all {
        // A link-local address means nothing without its interface.
        named.addresses.retain(|(address, ..)| !super::address::is_link_local(*address));
        named.addresses.sort_by_key(|(address, ..)| address.is_ipv6());
    }
    all
}

/// Who is on a segment, and on another too.
fn several(all: &[Named<'_>]) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut several: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (at, named) in all.iter().enumerate() {
        let on: BTreeSet<usize> = named.addresses.iter().map(|(.., segment)| *segment).collect();
        if on.len() > 1 {
            for segment in on {
                several.entry(segment).or_default().insert(at);
            }
        }
    }
    several
}

/// The parts of files that are each host's own, those of hosts on the same segments made once.
struct Nears<'a> {
    all: &'a [Named<'a>],
    several: BTreeMap<usize, BTreeSet<usize>>,
    made: BTreeMap<BTreeSet<usize>, Arc<str>>,
    /// Of all of them.
    bytes: u64,
}

impl Nears<'_> {
    fn of(&mut self, host: usize, own: &[usize]) -> Result<Arc<str>, TooLong> {
        let Named { name, addresses } = &self.all[host];
        // without an address its own name is in it too
        let key: Option<BTreeSet<usize>> = (!addresses.is_empty()).then(|| own.iter().copied().collect());
        if let Some(near) = key.as_ref().and_then(|key| self.made.get(key)) {
            return Ok(Arc::clone(near));
        }
        let near = own.iter().filter_map(|segment| self.several.get(segment)).flatten().copied();
        let near: BTreeSet<usize> = near.collect();
        let mut lines = vec![
            ("127.0.0.1".to_owned(), "localhost".to_owned()),
            ("::1".to_owned(), "localhost ip6-localhost ip6-loopback".to_owned()),
        ];
        if addresses.is_empty() {
            // As Debian does it, so that a program finds its own host by name.
            lines.push(("127.0.1.1".to_owned(), (*name).to_owned()));
        }
        lines.extend(near.into_iter().flat_map(|at| self.all[at].lines(|_, segment| own.contains(&segment))));
        let near: Arc<str> = text(lines).into();
        self.bytes += near.len() as u64;
        if self.bytes > MOST_NEAR.as_bytes() {
            return Err(TooLong { host, bytes: ByteSize::from_bytes(self.bytes) });
        }
        if let Some(key) = key {
            self.made.insert(key, Arc::clone(&near));
        }
        Ok(near)
    }
}

/// What hosts have in common that reach the same: lines of their files, and networks that they reach through a NAT only.
type Shared = (Arc<str>, Arc<[IpNet]>);

/// The IPv6 networks of every segment.
fn networks_v6(
    hosts: &[HostPlan],
    segments: &[Vec<usize>],
    routers: &[(&Attached<'_>, &RouterPlan)],
) -> BTreeSet<(usize, IpNet)> {
    let of_hosts = hosts.iter().zip(segments).flat_map(|(host, segments)| {
        host.interfaces.iter().zip(segments).map(|(interface, segment)| (*segment, &interface.addresses))
    });
    let of_routers = routers.iter().flat_map(|(router, plan)| {
        plan.interfaces.iter().zip(&router.attachments).map(|(interface, at)| (at.segment, &interface.addresses))
    });
    let all = of_hosts.chain(of_routers).flat_map(|(segment, nets)| nets.iter().map(move |net| (segment, net.trunc())));
    all.filter(|(_, net)| net.addr().is_ipv6() && !super::address::is_link_local(net.addr())).collect()
}

impl Named<'_> {
    fn lines(&self, wanted: impl Fn(IpAddr, usize) -> bool) -> Vec<(String, String)> {
        let wanted = self.addresses.iter().filter(|(address, _, segment)| wanted(*address, *segment));
        let name = self.name;
        let names = |interface: Option<&str>| match interface {
            None => name.to_owned(),
            Some(interface) => format!("{name} {name}.{interface}"),
        };
        wanted.map(|(address, interface, _)| (address.to_string(), names(*interface))).collect()
    }
}

fn text(lines: Vec<(String, String)>) -> String {
    let width = lines.iter().map(|(address, _)| address.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (address, names) in lines {
        writeln!(text, "{address:width$} {names}").expect("writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addressing::neighbour_table::NeighbourTable;
    use crate::addressing::network::InterfacePlan;
    use crate::addressing::realm::realms;

    fn host(name: &str, addresses: &[&str]) -> HostPlan {
        let interface = |(at, address): (usize, &&str)| InterfacePlan {
            name: format!("eth{at}"),
            link: String::new(),
            mac: [0; 6],
            mtu: 1500,
            addresses: vec![address.parse().unwrap()],
            gateways: Vec::new(),
            neighbours: NeighbourTable::default(),
        };
        HostPlan {
            name: name.into(),
            offloads: true,
            interfaces: addresses.iter().enumerate().map(interface).collect(),
            ..HostPlan::default()
        }
    }

    #[test]
    fn hosts_share_all_but_what_is_near() {
        let hosts = [
            host("a", &["10.0.0.1/24"]),
            host("b", &["10.0.1.1/24"]),
            host("c", &["10.0.2.1/24"]),
            host("two", &["10.0.0.9/24", "10.0.1.9/24"]),
        ];
        let files = texts(&hosts, &[vec![0], vec![1], vec![2], vec![0, 1]], &[], &realms(3, &[])).unwrap();
        assert!(files.iter().all(|file| Arc::ptr_eq(&file.all, &files[0].all) && file.all.lines().count() == 5));
        let two = |at: usize| {
            let text = files[at].text();
            text.lines().filter(|line| line.contains("two")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(two(0), ["10.0.0.9  two two.eth0", "10.0.0.9 two two.eth0", "10.0.1.9 two two.eth1"]);
        assert_eq!(two(1)[0], "10.0.1.9  two two.eth1");
        assert_eq!(two(2), ["10.0.0.9 two two.eth0", "10.0.1.9 two two.eth1"]);
        assert!(files[2].text().starts_with("127.0.0.1 localhost\n::1 "));
    }

    #[test]
    fn hosts_on_the_same_segments_share_what_is_near_too() {
        let hosts = ["a", "b", "c"].map(|name| host(name, &["10.0.0.1/24", "10.0.1.1/24"]));
        let files = texts(&hosts, &[vec![0, 1], vec![0, 1], vec![1, 0]], &[], &realms(2, &[])).unwrap();
        assert!(files.iter().all(|file| Arc::ptr_eq(&file.near, &files[0].near) && file.near.lines().count() == 8));
    }

    #[test]
    fn a_host_without_an_address_has_its_name_all_the_same() {
        let hosts = [host("alone", &[]), host("b", &["10.0.1.1/24"])];
        let files = texts(&hosts, &[vec![], vec![0]], &[], &realms(1, &[])).unwrap();
        assert!(files[0].text().lines().any(|line| line == "127.0.1.1 alone"), "{}", files[0].text());
        assert!(!files[1].text().contains("127.0.1.1"));
    }
}
