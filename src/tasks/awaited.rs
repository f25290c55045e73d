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
        let check = match &spec.tcp {
            Some(port) if port.value == 0 => {
                diagnostics.error(port.span, "port 0 is no port: 1 to 65535");
                continue;
            }
            Some(port) => AwaitedCheck::Tcp(port.value),
            None => AwaitedCheck::Ping,
        };
        if let Some(path) = path(name, ready, hosts, diagnostics) {
            awaited.insert(name.clone(), Awaited { path, check, within: spec.within.unwrap_or(WITHIN) });
        }
    }
    awaited
}

/// From the host that the file names, or from the first that reaches the machine.
fn path(name: &str, ready: &Spanned<Answers>, hosts: &Hosts<'_>, diagnostics: &mut Diagnostics) -> Option<Path> {
    let spanned = |value: &str| Spanned { value: value.to_owned(), span: ready.span };
    let to = spanned(name);
    if let Some(from) = &ready.value.0.from {
        return hosts.path(from, &to, None, false, diagnostics);
    }
    let made = hosts.plans.iter().filter(|host| host.place == Place::Namespace);
    let mut ways = made.map(|host| hosts.path(&spanned(&host.name), &to, None, false, &mut Diagnostics::default()));
    let found = ways.find_map(|way| way);
    if found.is_none() && !diagnostics.has_errors() {
        diagnostics
            .error(ready.span, format!("no host reaches `{name}`, so none can ask it whether it is ready"))
            .help("give it `addresses`, and a host a way to it");
    }
    found
}
