//! IP addresses as a scenario writes them.

use core::net::IpAddr;

use ipnet::IpNet;

use crate::model::form::text_form;

/// An interface's address with its prefix length, as in `10.0.0.2/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address(pub IpNet);

/// A destination of a route: a network, or `default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteTo {
    /// Everything, in the family of the gateway.
    Default,
    /// This network.
    Net(IpNet),
}

/// A network, or an address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network(pub IpNet);

/// A pool that addresses are given out of, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// No address of this family is given out.
    None,
    /// Out of this network.
    Net(IpNet),
}

fn address(text: &str) -> Result<Address, String> {
    match text.parse::<IpNet>() {
        Ok(net) => Ok(Address(net)),
        Err(_) => Err(match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => format!("`{text}` has no prefix length: write `{text}/24`"),
            Ok(IpAddr::V6(_)) => format!("`{text}` has no prefix length: write `{text}/64`"),
            Err(_) => format!("`{text}` is not an address: write one with its prefix length, as in `10.0.0.2/24`"),
        }),
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let Address(net) = address(text)?;
    if net.addr() != net.network() {
        return Err(format!("`{text}` is an address in a network: write `{}` for the network", net.trunc()));
    }
    Ok(net)
}

fn route_to(text: &str) -> Result<RouteTo, String> {
    if text == "default" { Ok(RouteTo::Default) } else { network(text).map(RouteTo::Net) }
}

fn network_or_address(text: &str) -> Result<Network, String> {
    text.parse::<IpAddr>().map_or_else(|_| network(text), |address| Ok(address.into())).map(Network)
}

fn pool(text: &str) -> Result<Pool, String> {
    if text == "none" { Ok(Pool::None) } else { network(text).map(Pool::Net) }
}

text_form!(Address, "Address", "an address with its prefix length, as in `10.0.0.2/24`", address, {
    "type": "string", "pattern": r"^[0-9a-fA-F.:]+/[0-9]+$|^\$[A-Za-z_]"
});
text_form!(RouteTo, "RouteTo", "a network, as in `10.1.0.0/16`, or `default`", route_to, {
    "type": "string", "pattern": r"^[0-9a-fA-F.:]+/[0-9]+$|^default$|^\$[A-Za-z_]"
});
text_form!(Network, "Network", "a network, as in `10.1.0.0/16`, or an address", network_or_address, {
    "type": "string", "pattern": r"^[0-9a-fA-F.:]+(/[0-9]+)?$|^\$[A-Za-z_]"
});
text_form!(Pool, "Pool", "a network, as in `10.0.0.0/8`, or `none`", pool, {
    "type": "string", "pattern": r"^[0-9a-fA-F.:]+/[0-9]+$|^none$|^\$[A-Za-z_]"
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn mistakes_say_what_to_write() {
        let says = |text: &str, part: &str| {
            let error = from_json::<Address>(json!(text)).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        says("10.0.0.2", "write `10.0.0.2/24`");
        says("fd00::2", "write `fd00::2/64`");
        says("10.0.0.300/24", "is not an address");
        says("10.0.0.3/33", "is not an address");
        assert!(from_json::<RouteTo>(json!("10.1.2.3/16")).unwrap_err().contains("write `10.1.0.0/16`"));
        assert_eq!(from_json(json!("10.1.2.3")), Ok(Network("10.1.2.3/32".parse().unwrap())));
        assert!(from_json::<Network>(json!("10.1.2.3/16")).unwrap_err().contains("write `10.1.0.0/16`"));
        assert_eq!(from_json(json!("default")), Ok(RouteTo::Default));
        assert_eq!(from_json(json!("none")), Ok(Pool::None));
        assert_eq!(from_json(json!("fd00::/48")), Ok(Pool::Net("fd00::/48".parse().unwrap())));
    }
}
