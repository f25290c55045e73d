//! External machines that t = 0 waits for.

use indexmap::IndexMap;

use super::reach::Hosts;
use super::spec::{Awaited, AwaitedCheck, Path};
use crate::addressing::network::Place;
use crate::diag::Diagnostics;
use crate::language::spanned::Spanned;
use crate::topology::declared::Declared;
use crate::topology::external::Answers;
use crate::topology::node::NodeSpec;
use crate::units::Duration;

/// How long a machine may take to answer, unless the file says.
const WITHIN: Duration = Duration::from_secs(120);

/// Checks what external machines have to answer.
pub(crate) fn machines(
    declared: &Declared,
    hosts: &Hosts<'_>,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, Awaited> {
    let mut awaited = IndexMap::new();
    for (name, node) in &declared.nodes {
        let Some(NodeSpec::External(external)) = &node.spec else { continue };
        let Some(ready) = &external.ready else { continue };
        let spec = &ready.value.0;
        let check = match (&spec.tcp, spec.arp) {
            (Some(port), false) if port.value == 0 => {
                diagnostics.error(port.span, "port 0 is no port: 1 to 65535");
                continue;
            }
            (Some(_), true) => {
                diagnostics.error(ready.span, "`ready` looks for one thing").help("write `arp: true` or `tcp: PORT`");
                continue;
            }
            (Some(port), false) => AwaitedCheck::Tcp(port.value),
            (None, true) => AwaitedCheck::Arp,
            (None, false) => AwaitedCheck::Ping,
        };
        let of_ours = hosts.by_name.get(name.as_str()).is_some_and(|at| hosts.plans[*at].place.is_entered());
        if check == AwaitedCheck::Arp && of_ours {
            diagnostics
                .error(ready.span, format!("`{name}` answers ARP from the start: longwire makes its interface"))
                .help("wait for `ping`, or for `{ tcp: PORT }`");
            continue;
        }
        if let Some(path) = path(name, ready, hosts, diagnostics) {
            awaited.insert(name.clone(), Awaited { path, check, within: spec.within.unwrap_or(WITHIN) });
        }
    }
    awaited
}

/// From the host that the file names, or from the first that reaches the machine; for ARP, without a router between.
fn path(name: &str, ready: &Spanned<Answers>, hosts: &Hosts<'_>, diagnostics: &mut Diagnostics) -> Option<Path> {
    let spanned = |value: &str| Spanned { value: value.to_owned(), span: ready.span };
    let Answers(spec) = &ready.value;
    let (to, is_near) = (spanned(name), |path: &Path| !spec.arp || hosts.is_on_link(path));
    if let Some(from) = &spec.from {
        let path = hosts.path(from, &to, None, false, diagnostics)?;
        if !is_near(&path) {
            let message = format!("`{}` is not on the network of `{name}`, and ARP stays on one", from.value);
            diagnostics.error(from.span, message).help("name a host there, or wait for `ping` or `{ tcp: PORT }`");
            return None;
        }
        return Some(path);
    }
    let made = hosts.plans.iter().filter(|host| host.place == Place::Namespace);
    let ways = made.filter_map(|host| hosts.path(&spanned(&host.name), &to, None, false, &mut Diagnostics::default()));
    let mut ways = ways.peekable();
    let reached = ways.peek().is_some();
    let found = ways.find(is_near);
    if found.is_none() && !diagnostics.has_errors() {
        let (message, help) = match reached {
            true => (
                format!("no host is on the network of `{name}`, and ARP stays on one"),
                "wait for `ping` or `{ tcp: PORT }`, or put a host there",
            ),
            false => (
                format!("no host reaches `{name}`, so none can ask it whether it is ready"),
                "give it `addresses`, and a host a way to it",
            ),
        };
        diagnostics.error(ready.span, message).help(help);
    }
    found
}
