//! A network on a terminal: drawn where it is small and fits, else as an outline. Nothing is said by colour alone.

use super::layered::{self, Layout};
use super::{Graph, Shape, fold, outline};
use crate::diag::printable::printable;
use crate::draw::show::text::{FAINT, TITLE};

/// More nodes than this are an outline: a drawing of them says less than a list.
const MOST_NODES: usize = 16;
/// More rows than this are an outline.
const MOST_ROWS: usize = 80;

/// The network for a terminal of so many columns. Styled with ANSI codes, which whoever prints it strips where they do not
/// belong.
pub fn render(graph: &Graph, width: usize) -> String {
    let head = format!("{TITLE}{}{TITLE:#}  {FAINT}{}{FAINT:#}\n\n", printable(&graph.title), graph.summary());
    if graph.nodes.is_empty() {
        return head + "It has no nodes.\n";
    }
    let fits = |graph: &Graph| {
        (graph.nodes.len() <= MOST_NODES)
            .then(|| layered::layout(graph, width))
            .flatten()
            .filter(|layout| layout.width <= width && layout.height <= MOST_ROWS)
    };
    if let Some(layout) = fits(graph) {
        return head + &draw(graph, &layout);
    }
    let folded = fold::folded(graph);
    match fits(&folded) {
        Some(layout) => head + &draw(&folded, &layout),
        None => head + &outline::outline(&folded),
    }
}

/// The characters of a box: corners from the top left in reading order, across, down, and where a line leaves at the top
/// and at the bottom.
const fn strokes(shape: Shape) -> [char; 8] {
    match shape {
        Shape::Box => ['┌', '┐', '└', '┘', '─', '│', '┴', '┬'],
        Shape::Heavy => ['┏', '┓', '┗', '┛', '━', '┃', '┷', '┯'],
        Shape::Round => ['╭', '╮', '╰', '╯', '─', '│', '┴', '┬'],
        Shape::Dashed => ['┌', '┐', '└', '┘', '╌', '╎', '┴', '┬'],
        Shape::Cloud => ['╭', '╮', '╰', '╯', '╌', '╎', '┴', '┬'],
    }
}

/// Which ways a line leaves a cell.
const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

fn draw(graph: &Graph, layout: &Layout) -> String {
    let mut cells = vec![vec![' '; layout.width]; layout.height];
    let mut lines = vec![vec![0u8; layout.width]; layout.height];
    for wire in &layout.wires {
        for pair in wire.windows(2) {
            let [(ax, ay), (bx, by)] = [pair[0], pair[1]];
            for y in ay.min(by)..ay.max(by) {
                lines[y][ax] |= DOWN;
                lines[y + 1][ax] |= UP;
            }
            for x in ax.min(bx)..ax.max(bx) {
                lines[ay][x] |= RIGHT;
                lines[ay][x + 1] |= LEFT;
            }
        }
    }
    for (row, ways) in cells.iter_mut().zip(&lines) {
        for (cell, ways) in row.iter_mut().zip(ways).filter(|(_, ways)| **ways != 0) {
            *cell = stroke(*ways);
        }
    }
    let mut write = |x: usize, y: usize, text: &str| {
        text.chars().enumerate().for_each(|(n, c)| cells[y][x + n] = c);
    };
    for (node, area) in graph.nodes.iter().zip(&layout.nodes) {
        let [top_left, top_right, bottom_left, bottom_right, across, down, ..] = strokes(node.shape());
        let inner = area.width - 2;
        let edge = |left: char, right: char| format!("{left}{}{right}", String::from(across).repeat(inner));
        write(area.x, area.y, &edge(top_left, top_right));
        write(area.x, area.y + area.height - 1, &edge(bottom_left, bottom_right));
        for (n, line) in node.lines().iter().enumerate() {
            write(area.x, area.y + 1 + n, &format!("{down}{line:^inner$}{down}"));
        }
    }
    for (edge, area) in graph.edges.iter().zip(&layout.labels) {
        let Some(area) = area else { continue };
        edge.lines(graph).iter().enumerate().for_each(|(n, line)| write(area.x, area.y + n, line));
    }
    layout.names.iter().for_each(|(x, y, name)| write(*x, *y, name));
    for (edge, wire) in graph.edges.iter().zip(&layout.wires) {
        for (end, at) in edge.ends.iter().zip([wire.first(), wire.last()]) {
            let (Some((x, y)), area) = (at, layout.nodes[end.node]) else { continue };
            let [.., top, bottom] = strokes(graph.nodes[end.node].shape());
            write(*x, *y, &String::from(if *y == area.y { top } else { bottom }));
        }
    }
    cells.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned() + "\n").collect()
}

/// No two lines join, so all four ways are a crossing.
fn stroke(ways: u8) -> char {
    const UP_RIGHT: u8 = UP | RIGHT;
    const UP_LEFT: u8 = UP | LEFT;
    const DOWN_RIGHT: u8 = DOWN | RIGHT;
    const DOWN_LEFT: u8 = DOWN | LEFT;
    const ACROSS: u8 = LEFT | RIGHT;
    match ways {
        UP_RIGHT => '└',
        UP_LEFT => '┘',
        DOWN_RIGHT => '┌',
        DOWN_LEFT => '┐',
        ACROSS | LEFT | RIGHT => '─',
        ways if ways & ACROSS == 0 => '│',
        _ => '┼',
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{network, tangle};
    use super::*;

    fn plain(graph: &Graph, width: usize) -> String {
        anstream::adapter::strip_str(&render(graph, width)).to_string()
    }

    #[test]
    fn small_networks_are_drawn() {
        let star = network(
            &["a", "b", "server", "vm:external", "switch:switch"],
            &[
                "port-a a.eth0 switch 1ms · 100Mbit",
                "port-b b.eth0 switch 5ms · loss 1%",
                "port-s switch server.eth0 1ms · 10Mbit|9ms",
                "tap switch vm.lw0",
            ],
        );
        insta::assert_snapshot!("star", plain(&star, 100));
        let two = network(
            &["phone", "server"],
            &[
                "wifi phone.wlan0 server.eth0 8ms ±3ms · 50Mbit",
                "cell phone.lte0 server.eth1 25ms · 10Mbit|25ms · 30Mbit",
            ],
        );
        insta::assert_snapshot!("two", plain(&two, 100));
        let ring = network(
            &["r1:router", "r2:router", "r3:router", "r4:router", "r5:router", "alone", "pc", "net:cloud"],
            &[
                "a r1 r2 1ms",
                "b r2 r3 2ms",
                "c r3 r4 3ms",
                "d r4 r5 4ms",
                "e r5 r1 5ms",
                "up r3 net 9ms",
                "lan pc.eth0 r1",
            ],
        );
        insta::assert_snapshot!("ring", plain(&ring, 100));
        let mesh = network(&["a", "b", "c", "d"], &["ab a b", "ac a c", "ad a d", "bc b c", "bd b d", "cd c d"]);
        insta::assert_snapshot!("mesh", plain(&mesh, 100));
    }

    #[test]
    fn what_does_not_fit_is_folded_and_then_listed() {
        let names: Vec<String> = (1..=50).map(|n| format!("clients-{n}")).collect();
        let links: Vec<String> = (1..=50).map(|n| format!("access-{n} clients-{n}.eth0 sw 20ms|5ms")).collect();
        let mut nodes: Vec<&str> = names.iter().map(String::as_str).collect();
        nodes.extend(["sw:switch", "server"]);
        let mut edges: Vec<&str> = links.iter().map(String::as_str).collect();
        edges.push("up sw server.eth0 1ms");
        let graph = network(&nodes, &edges);
        insta::assert_snapshot!("folded", plain(&graph, 100));
        let narrow = plain(&graph, 20);
        assert!(narrow.contains("clients-1 … clients-50") && narrow.contains("├─"), "{narrow}");
        let large = plain(&tangle(1000, 5000), 100);
        assert!(large.starts_with("Test  1000 routers, 5000 links\n"), "{}", &large[..200]);
        assert!((0..5000).all(|n| large.contains(&format!("l{n}  {n}ms"))));
        assert_eq!(plain(&Graph::default(), 100), "  1 link\n\nIt has no nodes.\n".replace("1 link", "0 links"));
    }

    #[test]
    fn each_row_stays_within_the_terminal() {
        for n in 2..16 {
            let graph = tangle(n, n + 2);
            let text = plain(&graph, 60);
            let drawn = text.contains('┬');
            assert!(!drawn || text.lines().all(|line| line.chars().count() <= 60), "{text}");
            assert!((0..n).all(|node| text.contains(&format!("r{node}"))), "{text}");
        }
    }
}
