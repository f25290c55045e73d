//! What the names in a firewall's rules stand for.

use core::net::IpAddr;

use indexmap::IndexMap;
use ipnet::IpNet;

use crate::diag::{Diagnostic, Diagnostics, suggestion};
use crate::scenario::spanned::Spanned;

/// All names of a scenario that stand for addresses.
#[derive(Debug, Default)]
pub(in crate::scenario) struct Directory<'a> {
    /// Hosts, external machines and routers.
    pub stations: IndexMap<&'a str, Station<'a>>,
    /// Switches, hubs and links: the networks of the segment.
    pub segments: IndexMap<&'a str, Vec<IpNet>>,
    /// Names that stand for several nodes.
    pub groups: IndexMap<&'a str, Vec<&'a str>>,
    /// Nodes of which nothing more is told, because they or a link that may be theirs could not be read.
    pub silent: Vec<&'a str>,
}

/// A node with addresses.
#[derive(Debug)]
pub(in crate::scenario) struct Station<'a> {
    /// The names of its interfaces, and their addresses.
    pub interfaces: Vec<(&'a str, &'a [IpNet])>,
}

impl Directory<'_> {
    /// The networks that a text stands for: an address, a network or a name. `None` if it stands for none, which is told or
    /// need not be.
    pub(super) fn networks(&self, text: Spanned<&str>, told: &mut Diagnostics) -> Option<Vec<IpNet>> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(vec![address.into()]);
        }
        if text.contains(['/', ':']) {
            return match text.parse::<IpNet>() {
                Ok(net) if net == net.trunc() => Some(vec![net]),
                Ok(net) => {
                    let message = format!("`{net}` names a host and its network");
                    let help =
                        format!("write `{}` for the host alone, `{}` for all of the network", net.addr(), net.trunc());
                    told.push(Diagnostic::error(text.span, message).help(help));
                    None
                }
                Err(_) => {
                    let error = Diagnostic::error(text.span, format!("`{}` is no address and no network", text.value));
                    told.push(error.help("write one as in `10.0.0.2`, `10.0.0.0/24` or `fd00::/64`"));
                    None
                }
            };
        }
        if let Some(members) = self.groups.get(text.value) {
            let each = members.iter().map(|name| self.name(Spanned { value: name, span: text.span }, told));
            return each.collect::<Option<Vec<_>>>().map(|all| all.concat());
        }
        self.name(text, told)
    }

    fn name(&self, text: Spanned<&str>, told: &mut Diagnostics) -> Option<Vec<IpNet>> {
        if let Some(networks) = self.segments.get(text.value) {
            return self.unless_empty(networks.clone(), text, told);
        }
        let (name, interface) = match text.split_once('.') {
            Some((name, interface)) => (name, Some(interface)),
            None => (text.value, None),
        };
        if self.silent.contains(&name) {
            return None;
        }
        let Some(station) = self.stations.get(name) else {
            let known = self.stations.keys().chain(self.segments.keys()).chain(self.groups.keys()).copied();
            let help = format!("{}; or write an address or a network", suggestion(name, known));
            told.push(Diagnostic::error(text.span, format!("nothing here is called `{name}`")).help(help));
            return None;
        };
        let known = || station.interfaces.iter().map(|(name, _)| *name);
        if let Some(interface) = interface.filter(|interface| !known().any(|name| name == *interface)) {
            let error = Diagnostic::error(text.span, format!("`{name}` has no interface `{interface}`"));
            let known: Vec<&str> = known().collect();
            told.push(error.help(suggestion(interface, known)));
            return None;
        }
        let meant = station.interfaces.iter().filter(|(name, _)| interface.is_none_or(|interface| interface == *name));
        let addresses = meant.flat_map(|(_, addresses)| addresses.iter().map(|net| IpNet::from(net.addr()))).collect();
        self.unless_empty(addresses, text, told)
    }

    fn unless_empty(&self, found: Vec<IpNet>, text: Spanned<&str>, told: &mut Diagnostics) -> Option<Vec<IpNet>> {
        if found.is_empty() {
            // then an address that was wrong may be what is missing, and that has been told
            if !told.has_errors() {
                let message = format!("`{}` has no address that the scenario knows", text.value);
                told.push(Diagnostic::error(text.span, message).help("write its address or network"));
            }
            return None;
        }
        Some(found)
    }
}
