//! `forward:`, ways from the machine into the network: connections to a port of the machine are carried on inside.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reach::Hosts;
use crate::diag::Diagnostics;
use crate::language::spanned::Spanned;
use crate::model::form::text_form;

/// A port of the machine, and where connections to it go on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MachineForward")]
pub(crate) struct ForwardSpec {
    /// `ADDRESS:PORT` of the machine, or a port alone, which is one of 127.0.0.1.
    pub listen: Spanned<Listen>,
    /// `HOST:PORT`, where a program listens.
    #[schemars(with = "String")]
    pub to: Spanned<String>,
    /// The host that connects there, so that what it says crosses the links between. By default the one of `to`.
    #[schemars(with = "Option<String>")]
    pub from: Option<Spanned<String>>,
}

/// Where the machine listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen(pub SocketAddr);

text_form!(Listen, "Listen", "an address and a port of this machine, as in `127.0.0.1:8080`", listen, {
    "type": ["string", "integer"], "pattern": r"^([0-9a-fA-F.:\[\]]+:)?[0-9]+$|^\$[A-Za-z_]"
});

fn listen(text: &str) -> Result<Listen, String> {
    let alone = || Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), text.parse().ok()?));
    match text.parse().ok().or_else(alone) {
        Some(address) if address.port() > 0 => Ok(Listen(address)),
        _ => Err(format!("`{text}` is no address and port: write one as in `127.0.0.1:8080` or `[::1]:8080`")),
    }
}

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forward {
    /// Where the machine listens.
    pub listen: SocketAddr,
    /// The host that connects: position in `NetworkPlan::hosts`.
    pub host: usize,
    /// To where.
    pub to: SocketAddr,
}

/// Checks all. In virtual time nothing outside could connect.
pub(crate) fn plan(
    specs: &[Spanned<ForwardSpec>],
    hosts: &Hosts<'_>,
    virtual_time: bool,
    diagnostics: &mut Diagnostics,
) -> Vec<Forward> {
    if let Some(first) = specs.first().filter(|_| virtual_time) {
        diagnostics
            .error(first.span, "`forward` leads in from the machine, and nothing outside can connect in virtual time")
            .help("take it away, or use `longwire run`");
        return Vec::new();
    }
    for (at, spec) in specs.iter().enumerate() {
        if let Some(first) = specs[..at].iter().find(|other| other.listen.value == spec.listen.value) {
            diagnostics
                .error(spec.listen.span, format!("{} is forwarded twice", spec.listen.0))
                .related(first.listen.span, "the first")
                .help("give one of the two another port");
        }
    }
    specs.iter().filter_map(|spec| forward(spec, hosts, diagnostics)).collect()
}

fn forward(spec: &ForwardSpec, hosts: &Hosts<'_>, diagnostics: &mut Diagnostics) -> Option<Forward> {
    let parts = spec.to.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)));
    let Some((name, port)) = parts.filter(|(_, port)| *port > 0) else {
        diagnostics
            .error(spec.to.span, format!("`{}` is no host and port", spec.to.value))
            .help("write them as in `server:80`");
        return None;
    };
    let name = Spanned { value: name.to_owned(), span: spec.to.span };
    let target = hosts.find(&name, &name, diagnostics)?;
    let connects = spec.from.as_ref().unwrap_or(&name);
    let host = hosts.program_host(connects, diagnostics)?;
    let mut addresses = hosts.plans[target].interfaces.iter().flat_map(|interface| &interface.addresses);
    // IPv4 first
    let Some(address) = addresses.next() else {
        if !diagnostics.has_errors() {
            let message = format!("`{}` has no address that the scenario knows", name.value);
            diagnostics.error(spec.to.span, message).help("give it one in `addresses`");
        }
        return None;
    };
    let address = match spec.from {
        Some(_) => hosts.path(connects, &name, None, false, diagnostics)?.destination,
        None => address.addr(),
    };
    Some(Forward { listen: spec.listen.0, host, to: SocketAddr::new(address, port) })
}

#[cfg(test)]
mod tests {
    use crate::scenario::tests::{bad, good};

    fn text(forward: &str) -> String {
        format!(
            "longwire: 1\nnodes: {{ a: host, b: host, vm: {{ external: {{ tap: lw0 }} }}, s: switch }}\n\
             links: {{ l: {{ ends: [a, s] }}, m: {{ ends: [b, s] }}, n: {{ ends: [vm, s] }} }}\nforward: [{forward}]\n"
        )
    }

    #[test]
    fn a_port_leads_to_a_host_and_from_another_where_that_is_said() {
        let of = |forward: &str| good(&text(forward)).scenario.forward;
        let made = of("{ listen: 8080, to: \"b:80\" }, { listen: \"[::1]:8081\", to: \"b:81\", from: a }");
        let told: Vec<_> = made.iter().map(|f| (f.listen.to_string(), f.host, f.to.to_string())).collect();
        assert_eq!(
            told,
            [("127.0.0.1:8080".into(), 1, "10.0.0.2:80".into()), ("[::1]:8081".into(), 0, "10.0.0.2:81".into())]
        );
    }

    #[test]
    fn what_leads_nowhere_is_told() {
        let told = |forward: &str| bad(&text(forward)).join("\n");
        assert!(told("{ listen: 0, to: \"b:80\" }").contains("no address and port"));
        assert!(told("{ listen: 80, to: b }").contains("`b` is no host and port"));
        assert!(told("{ listen: 80, to: \"c:80\" }").contains("unknown host `c`"));
        let apart = text("{ listen: 80, to: \"b:80\", from: a }").replace("m: { ends: [b, s] }", "m: { ends: [b, t] }");
        let apart = apart.replace("s: switch", "s: switch, t: switch");
        assert!(bad(&apart).join("\n").contains("has no route to"), "{:?}", bad(&apart));
        assert!(told("{ listen: 80, to: \"vm:80\" }").contains("external machine"));
        assert!(told("{ listen: 80, to: \"vm:80\", from: a }").contains("no address that the scenario knows"));
        assert!(told("{ listen: 80, to: \"a:80\" }, { listen: 80, to: \"b:80\" }").contains("forwarded twice"));
    }
}
