//! Which segments routers join, and where IPv4 addresses begin to be others.

use crate::topology::members::Attached;

/// What segments have in common, by their numbers.
pub(crate) struct Realms {
    /// Segments that routers join, directly or by way of others, have the same number: no two of their subnets may overlap.
    pub areas: Vec<usize>,
    /// The same for IPv4: a router that translates addresses does not join its outside with its inside.
    pub areas_v4: Vec<usize>,
    /// Segments in which an IPv4 address may stand once only. All of them are one realm, but those inside of a router that
    /// translates addresses: 0, and numbers of their own.
    pub realms: Vec<usize>,
    /// For each realm, those whose addresses it can reach: itself, and what lies outside of its borders, and so on.
    pub reach: Vec<Vec<usize>>,
}

/// Computes them. Routers come with the position of the attachment that is their outside, if they have one.
pub(crate) fn realms(segments: usize, routers: &[(&Attached<'_>, Option<usize>)]) -> Realms {
    let mut all: Vec<usize> = (0..segments).collect();
    let mut v4 = all.clone();
    for (router, outside) in routers {
        let mut first = [None, None];
        for (at, attachment) in router.attachments.iter().enumerate() {
            let segment = attachment.segment;
            join(&mut all, *first[0].get_or_insert(segment), segment);
            if *outside != Some(at) {
                join(&mut v4, *first[1].get_or_insert(segment), segment);
            }
        }
    }
    let areas: Vec<usize> = (0..segments).map(|segment| root(&mut all, segment)).collect();
    let areas_v4: Vec<usize> = (0..segments).map(|segment| root(&mut v4, segment)).collect();

    // realms are numbered in the order of the routers that make them
    let mut number: Vec<Option<usize>> = vec![None; segments];
    let mut count = 1;
    let borders = || routers.iter().filter_map(|(router, outside)| Some((router, (*outside)?)));
    let inside = |router: &Attached<'_>, outside: usize| {
        let mut ports = router.attachments.iter().enumerate().filter(|(at, _)| *at != outside);
        ports.next().map(|(_, attachment)| areas_v4[attachment.segment])
    };
    for (router, outside) in borders() {
        if let Some(area) = inside(router, outside)
            && number[area].is_none()
        {
            number[area] = Some(count);
            count += 1;
        }
    }
    let realms: Vec<usize> = areas_v4.iter().map(|area| number[*area].unwrap_or(0)).collect();
    let mut reach: Vec<Vec<usize>> = (0..count).map(|realm| vec![realm]).collect();
    // each round finds those one border further out
    let mut more = true;
    while std::mem::take(&mut more) {
        for (router, outside) in borders() {
            let Some(area) = inside(router, outside) else { continue };
            let (from, to) = (realms[area], realms[router.attachments[outside].segment]);
            for realm in reach[to].clone() {
                if !reach[from].contains(&realm) {
                    reach[from].push(realm);
                    more = true;
                }
            }
        }
    }
    Realms { areas, areas_v4, realms, reach }
}

impl Realms {
    /// Whether IPv4 addresses on a segment mean from one of these what they mean there.
    pub(crate) fn reaches(&self, from: &[usize], to: usize) -> bool {
        from.iter().any(|from| self.reach[self.realms[*from]].contains(&self.realms[to]))
    }
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

/// The lower number stays the root.
fn join(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[a.max(b)] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::topology::members::Attachment;
    use crate::topology::node::NodeSpec;
    use crate::topology::router::RouterSpec;

    fn with(segments: usize, routers: &[(&[usize], Option<usize>)]) -> Realms {
        let spec = NodeSpec::Router(RouterSpec::default());
        let attached: Vec<_> = routers
            .iter()
            .map(|(segments, _)| {
                let attachments = segments.iter().map(|segment| Attachment {
                    interface: "eth0".into(),
                    link: "l",
                    mtu: None,
                    takes: None,
                    segment: *segment,
                });
                Attached { name: "r", span: Span::default(), spec: &spec, attachments: attachments.collect() }
            })
            .collect();
        let routers: Vec<_> = attached.iter().zip(routers).map(|(router, (_, outside))| (router, *outside)).collect();
        realms(segments, &routers)
    }

    #[test]
    fn routers_join_segments_into_areas() {
        let found = with(5, &[(&[0, 1], None), (&[3, 2], None), (&[1, 3], None)]);
        assert_eq!(found.areas, [0, 0, 0, 0, 4]);
        assert_eq!(found.areas_v4, found.areas);
        assert_eq!((found.realms, found.reach), (vec![0; 5], vec![vec![0]]));
    }

    #[test]
    fn two_homes_behind_a_carriers_nat_reach_outwards_only() {
        // homes 0 and 1, the carrier's network 2, the Internet 3 and 4
        let routers: &[(&[usize], Option<usize>)] =
            &[(&[0, 2], Some(1)), (&[2, 1], Some(0)), (&[2, 3], Some(1)), (&[3, 4], None)];
        let found = with(5, routers);
        assert_eq!(found.areas, [0; 5]);
        assert_eq!(found.areas_v4, [0, 1, 2, 3, 3]);
        assert_eq!(found.realms, [1, 2, 3, 0, 0]);
        assert_eq!(found.reach, [vec![0], vec![1, 3, 0], vec![2, 3, 0], vec![3, 0]]);
    }
}
