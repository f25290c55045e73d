//! What happened in the nodes: switches, routers with their translations and firewalls, and the interfaces of hosts.

use super::markup::Markup;
use super::table::{self, Cell, Column};
use crate::measured::Part;
use crate::report::json::{Node, Port, Report};
use crate::report::paths;
use crate::report::terminal::{grouped, time};

const LEFT_OUT: &str = "the JSON report has them all";

/// The section.
pub(super) fn write(out: &mut Markup, report: &Report) {
    if !report.nodes.is_empty() {
        nodes(out, &report.nodes);
        nat(out, &report.nodes);
        for node in report.nodes.iter().filter(|node| !node.firewall.is_empty()) {
            firewall(out, node);
        }
    }
    ports(out, &report.ports);
}

fn nodes(out: &mut Markup, nodes: &[Node]) {
    let columns = [
        Column::Words("Node"),
        Column::Number("Received"),
        Column::Number("Originated"),
        Column::Number("Replicated"),
        Column::Number("Sent"),
        Column::Number("Consumed"),
        Column::Number("Held"),
        Column::Words("Dropped"),
    ];
    let row = |node: &Node| {
        let counts = [node.received, node.originated, node.replicated, node.sent, node.consumed, node.held];
        let dropped = node.dropped.iter().map(|(cause, n)| format!("{cause} {}", grouped(*n))).collect();
        let counts = counts.into_iter().map(|n| grouped(n).into());
        [Cell::from(node.name.as_str())].into_iter().chain(counts).chain([Cell::Lines(dropped)]).collect()
    };
    let rows: Vec<Vec<Cell>> = nodes.iter().map(row).collect();
    table::write(out, "Nodes inside the network, in wire frames", &columns, &rows, LEFT_OUT);
}

fn nat(out: &mut Markup, nodes: &[Node]) {
    let row = |node: &Node| {
        let nat = node.nat?;
        let counts = [nat.made, nat.live, nat.peak, nat.expired, nat.rebinds].map(|n| Cell::from(grouped(n)));
        Some([Cell::from(node.name.as_str())].into_iter().chain(counts).collect())
    };
    let rows: Vec<Vec<Cell>> = nodes.iter().filter_map(row).collect();
    if rows.is_empty() {
        return;
    }
    let columns = [
        Column::Words("Router"),
        Column::Number("Mappings made"),
        Column::Number("Live at the end"),
        Column::Number("At most"),
        Column::Number("Expired"),
        Column::Number("Rebound"),
    ];
    out.leaf("h3", &[], "NAT");
    table::write(out, "Address translation", &columns, &rows, LEFT_OUT);
}

fn firewall(out: &mut Markup, node: &Node) {
    out.leaf("h3", &[], &format!("Firewall of {}", node.name));
    let columns = [Column::Words("Rule"), Column::Words("Action"), Column::Number("Frames"), Column::Number("Bytes")];
    let rows: Vec<Vec<Cell>> = node
        .firewall
        .iter()
        .map(|rule| {
            let counts = [rule.decided.frames, rule.decided.bytes].map(|n| Cell::from(grouped(n)));
            [Cell::Code(rule.rule.clone()), rule.action.word().into()].into_iter().chain(counts).collect()
        })
        .collect();
    table::write(out, "Rules in their order, and what each decided about", &columns, &rows, LEFT_OUT);
}

fn ports(out: &mut Markup, ports: &[Port]) {
    if ports.is_empty() {
        return;
    }
    out.leaf("h3", &[], "Interfaces of hosts");
    let columns = [
        Column::Words("Interface"),
        Column::Number("From the host"),
        Column::Number("To the host"),
        Column::Number("Malformed"),
        Column::Number("Refused"),
        Column::Number("Dropped by its ring"),
        Column::Number("Lateness p50"),
        Column::Number("p99"),
        Column::Number("max"),
        Column::Words("Offloads"),
    ];
    let row = |port: &Port| {
        let late = |part: Part| {
            Cell::from(port.lateness_ns.as_ref().and_then(|late| late.get(part)).map_or("–".to_owned(), time))
        };
        vec![
            format!("{}.{}", port.host, port.interface).into(),
            grouped(port.received).into(),
            grouped(port.sent).into(),
            grouped(port.malformed).into(),
            grouped(port.refused).into(),
            port.ring_drops.map_or("unknown".to_owned(), grouped).into(),
            late(Part::P50),
            late(Part::P99),
            late(Part::Max),
            port.offloads.join(" ").into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = ports.iter().map(row).collect();
    table::write(
        out,
        "Interfaces, in wire frames; lateness is delivered by the clock − by the model",
        &columns,
        &rows,
        LEFT_OUT,
    );
    let paths: Vec<String> = paths::lines(ports).collect();
    if !paths.is_empty() {
        out.element("ul", &[], |out| paths.iter().for_each(|path| out.leaf("li", &[], path)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn nodes_translations_rules_and_interfaces_are_told() {
        let written = |report: &Report| {
            let mut out = Markup::default();
            write(&mut out, report);
            out.finish()
        };
        let mut report = testing::report();
        let html = written(&report);
        for text in
            ["no_route 4", "Mappings made", "Firewall of home", "{ tcp: 22 }", "reject", "phone.wlan0", "unknown"]
        {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert!(!html.contains("one way"));
        report.ports[0].tunnel = Some(testing::tunnel(Some(testing::site_path())));
        assert!(
            written(&report).contains("<li>phone.wlan0 to 192.0.2.7:4793: round trip 20 ms; 10 ms ± 10.02 ms one way")
        );
    }
}
