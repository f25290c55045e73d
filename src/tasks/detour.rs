//! Workloads that go around a NAT: over IPv6, which no NAT translates.

use indexmap::IndexMap;
use serde::Serialize;

use super::reach::Hosts;
use super::spec::Workload;
use super::workload::WorkloadSpec;
use crate::diag::{Diagnostic, Diagnostics};
use crate::language::section::Named;

/// A workload that passes a router with NAT over IPv6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detour {
    /// The workload.
    pub workload: String,
    /// The router.
    pub router: String,
}

impl Detour {
    /// As people read it.
    pub fn words(&self) -> String {
        format!("`{}` passes `{}` over IPv6, around its NAT", self.workload, self.router)
    }
}

/// Finds them, and warns of each; where its NAT is `required`, it is an error.
pub(crate) fn find(
    specs: &[Named<WorkloadSpec>],
    workloads: &IndexMap<String, Workload>,
    hosts: &Hosts<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Detour> {
    let mut detours = Vec::new();
    for Named { name, span, .. } in specs {
        let Some(path) = workloads.get(name).and_then(Workload::path) else { continue };
        let Some((router, required)) = hosts.around_nat(path) else { continue };
        let detour = Detour { workload: name.clone(), router: router.to_owned() };
        let diagnostic = if required { Diagnostic::error } else { Diagnostic::warning };
        diagnostics.push(diagnostic(*span, detour.words()).help("write `family: ipv4`, and it goes through the NAT"));
        detours.push(detour);
    }
    detours
}

#[cfg(test)]
mod tests {
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};

    fn told(nat: &str, workload: &str) -> (bool, Vec<String>) {
        let text = format!(
            "longwire: 1\nnodes: {{ laptop: host, home: {{ router: {{ nat: {nat} }} }}, isp: router, server: host }}\n\
             links: {{ lan: {{ ends: [laptop, home.lan] }}, wan: {{ ends: [home.wan, isp] }}, dc: {{ ends: [isp, server] }} }}\n\
             workloads: {{ w: {{ {workload} }} }}\n"
        );
        let told = match load(std::path::Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default()) {
            Ok(resolved) => (true, resolved.warnings),
            Err((told, _)) => (false, told),
        };
        let line = |diagnostic: &crate::diag::Diagnostic| {
            format!("{} ({})", diagnostic.message, diagnostic.help.clone().unwrap_or_default())
        };
        (told.0, told.1.iter().map(line).collect())
    }

    const AROUND: &str =
        "`w` passes `home` over IPv6, around its NAT (write `family: ipv4`, and it goes through the NAT)";

    #[test]
    fn ipv6_goes_around_and_ipv4_through() {
        let out = |family: &str| format!("tcp: {{ from: laptop, to: server, bytes: 1kB, family: {family} }}");
        assert_eq!(told("wan", &out("ipv4")), (true, vec![]));
        assert_eq!(told("wan", "ping: { from: laptop, to: server, count: 1 }"), (true, vec![]), "IPv4 comes first");
        assert_eq!(told("wan", &out("ipv6")), (true, vec![AROUND.to_owned()]));
        assert_eq!(told("{ outside: wan, required: true }", &out("ipv6")), (false, vec![AROUND.to_owned()]));
        let routed = "udp: { from: server, to: laptop, every: 1s, count: 1, family: ipv6 }";
        assert_eq!(told("{ outside: wan, ipv6: routed }", routed), (true, vec![AROUND.to_owned()]));
    }

    #[test]
    fn from_outside_the_message_names_the_nat_and_what_opens_it() {
        let (ok, messages) = told("wan", "ping: { from: server, to: laptop, count: 1 }");
        let message = &messages[0];
        assert!(!ok && messages.len() == 1, "{messages:?}");
        assert!(message.contains("behind the NAT of `home`: nobody outside reaches it"), "{message}");
        assert!(message.contains("forward: [{ port: 8080, to: \"10.0.0."), "{message}");
        let (ok, messages) = told("wan", "ping: { from: server, to: laptop, count: 1, family: ipv6 }");
        assert!(!ok && messages[0].contains("lets in no IPv6 that nobody inside asked for"), "{messages:?}");
        assert!(messages[0].contains("`ipv6: routed` in the `nat` of `home`"), "{messages:?}");
    }
}
