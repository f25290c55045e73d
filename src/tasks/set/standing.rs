//! How links stand after steps of a timeline: fields that change, go back, or go over gradually; carriers.

use super::course::Course;
use super::{LiveLinks, index, way_along};
use crate::diag::Diagnostics;
use crate::engine::{Change, DirectionId, DirectionSpec, LinkId, NodeId};
use crate::language::files::Files;
use crate::language::merge;
use crate::language::tree::Node;
use crate::rng::Way;
use crate::tasks::timeline::Profile;
use crate::topology::ends::End;
use crate::topology::link::{Direction, Layers, finish, position_of_end};
use crate::topology::tables::Tables;

const WAYS: [Way; 2] = [Way::Forward, Way::Backward];

impl LiveLinks {
    /// Puts fields, as a scenario has them, over what a link does: both directions change, those under `toward` one. A
    /// profile takes the place of all that the link does first.
    ///
    /// # Errors
    /// What is wrong with them, with its places. Then nothing has changed.
    pub(crate) fn change(
        &mut self,
        link: usize,
        fields: &Node,
        profile: Option<&Profile>,
        files: &dyn Files,
    ) -> Result<Vec<(DirectionId, Change)>, Diagnostics> {
        let directions = self.over(link, fields, profile, files)?;
        Ok(self.stand(link, directions))
    }

    fn over(
        &self,
        link: usize,
        fields: &Node,
        profile: Option<&Profile>,
        files: &dyn Files,
    ) -> Result<[Direction; 2], Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let (resolved, _) = &self.links[link];
        let ends = resolved.ends.each_ref().map(|end| End::of(end));
        let user = |profile: &Profile| profile.user.as_ref().and_then(|user| position_of_end(&ends, user));
        let preset = profile.map(|profile| (&profile.preset, user(profile)));
        let layers = Layers { link: fields, ends: Some(&ends), preset };
        let mut directions = layers.over(&resolved.directions, &mut diagnostics);
        let tables = Tables { files, scenario: &self.scenario, sources: &self.sources, change: false };
        for direction in &mut directions {
            tables.load(&mut direction.spec, &direction.tree, &mut diagnostics);
        }
        if diagnostics.has_errors() { Err(diagnostics) } else { Ok(directions) }
    }

    /// A link does something else from here on. What differs.
    fn stand(&mut self, link: usize, directions: [Direction; 2]) -> Vec<(DirectionId, Change)> {
        let (resolved, specs) = &mut self.links[link];
        let mut changes = Vec::new();
        for (way, direction) in WAYS.into_iter().zip(directions) {
            let change = Change::between(&specs[index(way)], &direction.spec);
            if change != Change::default() {
                changes.push((way_along(link, way), change));
            }
            resolved.directions[index(way)] = direction.tree;
            let old = &mut specs[index(way)];
            *old = DirectionSpec { port_mtu: old.port_mtu, ..direction.spec };
        }
        changes
    }

    /// A link's fields go back to what the scenario says.
    pub(crate) fn reset(&mut self, link: usize) -> Vec<(DirectionId, Change)> {
        let (trees, specs) = self.original[link].clone();
        let mut directions = trees.into_iter().zip(specs).map(|(tree, spec)| Direction { tree, spec });
        let (Some(forward), Some(backward)) = (directions.next(), directions.next()) else { return Vec::new() };
        self.stand(link, [forward, backward])
    }

    /// A link begins to go over to `fields`: notes where each direction begins and ends.
    ///
    /// # Errors
    /// What is wrong with the fields, or what cannot go over gradually.
    pub(crate) fn begin_ramp(
        &mut self,
        ramp: usize,
        link: usize,
        fields: &Node,
        files: &dyn Files,
    ) -> Result<(), Diagnostics> {
        let to = self.over(link, fields, None, files)?;
        let (resolved, from) = &self.links[link];
        let mut diagnostics = Diagnostics::default();
        let courses = WAYS.map(|way| match Course::of(&from[index(way)], &to[index(way)].spec) {
            Ok(course) => course,
            Err((field, why)) => {
                if diagnostics.is_empty() {
                    let error = format!("the {field} of `{}` cannot go over gradually: {why}", resolved.name);
                    let help = "set it at one instant, with `set`";
                    diagnostics.error(fields.span, error).help(help);
                }
                Course::default()
            }
        });
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        self.ramps.insert((ramp, link), courses);
        Ok(())
    }

    /// A link has come `part` of `of` equal steps of its way.
    pub(crate) fn follow_ramp(
        &mut self,
        ramp: usize,
        link: usize,
        (part, of): (u32, u32),
        files: &dyn Files,
    ) -> Result<Vec<(DirectionId, Change)>, Diagnostics> {
        let Some(courses) = self.ramps.get(&(ramp, link)) else { return Ok(Vec::new()) };
        let mut diagnostics = Diagnostics::default();
        let (resolved, _) = &self.links[link];
        let tables = Tables { files, scenario: &self.scenario, sources: &self.sources, change: false };
        let directions = WAYS.map(|way| {
            let tree = resolved.directions[index(way)].clone();
            let fields = courses[index(way)].fields(part, of, resolved.span);
            let mut direction = finish(merge::link(tree, fields), &mut diagnostics);
            tables.load(&mut direction.spec, &direction.tree, &mut diagnostics);
            direction
        });
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        Ok(self.stand(link, directions))
    }

    /// A ramp has come to its end, where the link does what `fields` say.
    pub(crate) fn end_ramp(
        &mut self,
        ramp: usize,
        link: usize,
        fields: &Node,
        files: &dyn Files,
    ) -> Result<Vec<(DirectionId, Change)>, Diagnostics> {
        self.ramps.remove(&(ramp, link));
        self.change(link, fields, None, files)
    }

    /// The ends of a link, as they are shown.
    pub(crate) fn ends_of(&self, link: LinkId) -> Option<&[String; 2]> {
        self.links.get(link.0 as usize).map(|(link, _)| &link.ends)
    }

    /// Ports lose their carrier; those that had one.
    pub(crate) fn darken<'a>(&mut self, ports: impl IntoIterator<Item = &'a NodeId>) -> impl Iterator<Item = NodeId> {
        let now: Vec<NodeId> = ports.into_iter().filter(|port| self.dark.insert(**port)).copied().collect();
        now.into_iter()
    }

    /// Ports have their carrier again; those that had none.
    pub(crate) fn lighten<'a>(&mut self, ports: impl IntoIterator<Item = &'a NodeId>) -> impl Iterator<Item = NodeId> {
        let now: Vec<NodeId> = ports.into_iter().filter(|port| self.dark.remove(port)).copied().collect();
        now.into_iter()
    }
}
