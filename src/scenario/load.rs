//! From a file to a scenario that may run: gather, substitute, read, check, plan. Each step goes on as far as it can, so
//! that all mistakes are told at once.

use std::path::Path;

use indexmap::IndexMap;

use super::Overrides;
use super::file::FileSpec;
use crate::addressing::build::{Settings, build};
use crate::diag::{Diagnostics, Sources};
use crate::language::files::{Files, MemoryFiles, Once};
use crate::language::gather::gather;
use crate::language::keys::keys_of;
use crate::language::matrix::{self, Matrix};
use crate::language::read::read;
use crate::language::tree::Node;
use crate::language::{names, params};
use crate::tasks::asked::{Asked, Context};
use crate::tasks::resolved::Resolved;
use crate::tasks::spec::Scenario;
use crate::topology::declared::Reader;
use crate::topology::expand::{Groups, expand, fold};
use crate::topology::link::{Draft, ResolvedLink};
use crate::units::Duration;

/// The longest run of frames of one train in a live run, unless the scenario says.
const COALESCE: Duration = Duration::from_micros(50);

/// How long routers and switches take to notice, tell and compute, unless the scenario says: about what OSPF with its
/// usual timers and BFD takes, and rapid spanning tree.
const CONVERGENCE: Duration = Duration::from_secs(1);

/// Reads a scenario file, and all files that it uses, and checks everything.
///
/// # Errors
/// All mistakes at once, ordered by place, with the texts that their places point into. Warnings stand among them.
pub fn load(path: &Path, files: &dyn Files, overrides: &Overrides) -> Result<Resolved, (Diagnostics, Sources)> {
    load_combination(path, files, overrides, &[])
}

/// The same with values of the scenario's matrix in place of what `params` says: of each name, which of its values, from 0.
/// Names and values that the matrix does not have change nothing; what `overrides` names stays as it says.
///
/// # Errors
/// As for [`load`].
pub fn load_combination(
    path: &Path,
    files: &dyn Files,
    overrides: &Overrides,
    combination: &[(String, usize)],
) -> Result<Resolved, (Diagnostics, Sources)> {
    let files = Once::new(files);
    let (sources, diagnostics) = (Sources::default(), Diagnostics::default());
    let mut load = Load { path, files: &files, overrides, sources, diagnostics, groups: Groups::default() };
    let resolved = load.text(combination).map(|text| load.resolve(text));
    let Load { sources, diagnostics, groups, .. } = load;
    let mut diagnostics = fold(diagnostics, &groups);
    diagnostics.sort();
    match resolved {
        Some(resolved) if !diagnostics.has_errors() => {
            Ok(Resolved { warnings: diagnostics, sources, files: files.into_read(), ..resolved })
        }
        _ => Err((diagnostics, sources)),
    }
}

struct Load<'a> {
    path: &'a Path,
    files: &'a dyn Files,
    overrides: &'a Overrides,
    sources: Sources,
    diagnostics: Diagnostics,
    groups: Groups,
}

/// A scenario as one tree, with nothing in it that stands for something else.
struct Text {
    root: Node,
    matrix: Matrix,
    params: IndexMap<String, String>,
}

impl Load<'_> {
    /// Files gathered, parameters filled in, groups and patterns spelled out.
    fn text(&mut self, combination: &[(String, usize)]) -> Option<Text> {
        let Load { path, files, overrides, sources, diagnostics, .. } = self;
        let mut root = gather(path, keys_of::<FileSpec>(), *files, sources, diagnostics)?;
        let matrix = matrix::take(&mut root, combination, &overrides.params, diagnostics);
        let params = params::substitute(&mut root, &overrides.params, sources, diagnostics);
        names::check(&root, diagnostics);
        self.groups = expand(&mut root, *files, sources, diagnostics);
        Some(Text { root, matrix, params })
    }

    /// Everything read, checked and planned.
    fn resolve(&mut self, text: Text) -> Resolved {
        let Text { mut root, matrix, params } = text;
        let file = self.file(&mut root);
        let virtual_time = self.overrides.virtual_time;
        let Load { path, files, sources, diagnostics, .. } = self;
        let declared = Reader { files: *files, path, sources, diagnostics }.declared(&mut root, virtual_time);
        let folder = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let settings = Settings {
            seed: self.overrides.seed.or(file.seed).unwrap_or(1),
            site: file.site.as_deref(),
            coalesce: file.coalesce.unwrap_or(if virtual_time { Duration::ZERO } else { COALESCE }),
            convergence: file.convergence.unwrap_or(CONVERGENCE),
            pools: &file.addressing,
            groups: &self.groups,
            folder: &folder,
        };
        let built = build(&settings, &declared, &mut self.diagnostics);
        let links: Vec<ResolvedLink> = declared.links.iter().filter_map(Draft::resolved).collect();
        let duration = if duration_is_unsure(&root) { Some(Duration::MAX) } else { file.duration.as_deref().copied() };
        let asked = Context {
            root: &mut root,
            declared: &declared,
            built: &built,
            links: &links,
            groups: &self.groups,
            params: &params,
            series: file.series,
            capture: file.capture.as_ref(),
            forward: &file.forward,
            duration,
            must_end: virtual_time,
            folder: &folder,
            files: self.files,
            sources: &mut self.sources,
            diagnostics: &mut self.diagnostics,
        };
        let Asked { awaited, services, workloads, capture, forward, timeline, expectations, detours, routes } =
            asked.asked();
        let stem = || self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let scenario = Scenario {
            name: file.name.unwrap_or_else(stem),
            seed: built.plan.seed,
            duration: file.duration.map(|duration| duration.value),
            coalesce: built.plan.coalesce,
            params,
            matrix,
            validity: file.validity,
            timing: file.timing,
            sim: file.sim,
            groups: self.groups.clone(),
            series: file.series,
            awaited,
            services,
            workloads,
            folder,
            capture,
            forward,
        };
        Resolved {
            scenario,
            plan: built.plan,
            network: built.network,
            ports: built.ports,
            links,
            timeline,
            expectations,
            detours,
            routes,
            files: MemoryFiles::default(),
            warnings: Diagnostics::default(),
            sources: Sources::default(),
        }
    }

    /// What stands at the top of the file beside its sections.
    fn file(&mut self, root: &mut Node) -> FileSpec {
        let file: FileSpec = read(root, &mut self.diagnostics).unwrap_or_default();
        if let Some(version) = file.longwire.as_ref().filter(|version| version.value != 1) {
            self.diagnostics
                .error(version.span, format!("version {} of the language is not known here", version.value))
                .help("this longwire reads `longwire: 1`");
        }
        if let Some(duration) = file.duration.as_ref().filter(|duration| duration.value == Duration::ZERO) {
            self.diagnostics
                .error(duration.span, "a `duration` of 0 runs nothing")
                .help("without `duration`, the run ends when all workloads have");
        }
        file
    }
}

/// Whether a duration could not be read, or an unknown key may have meant one: nothing follows from there being none.
fn duration_is_unsure(root: &Node) -> bool {
    let known = keys_of::<FileSpec>();
    let wrong = root.entries().unwrap_or_default().iter().filter(|entry| entry.value.pruned);
    wrong.map(|entry| entry.key.as_str()).any(|key| key == "duration" || !known.contains(&key))
}
