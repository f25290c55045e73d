//! Scenario files and what the command line says beside them.

use std::path::Path;

use super::{Exit, paint};
use crate::scenario::{Files, Overrides, Resolved, load};

/// What may be said beside a scenario file.
#[derive(Debug, clap::Args)]
pub(super) struct OverrideArgs {
    /// Seed of every random draw, instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Value of a parameter, instead of the file's; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    params: Vec<(String, String)>,
}

impl OverrideArgs {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides { params: self.params.clone(), seed: self.seed, ..Overrides::default() }
    }

    /// As it was written, for the command that repeats a run: one word each.
    pub(super) fn words(&self) -> Vec<String> {
        let seed = self.seed.map(|seed| ["--seed".to_owned(), seed.to_string()]);
        let params = self.params.iter().map(|(name, value)| ["--param".to_owned(), format!("{name}={value}")]);
        seed.into_iter().chain(params).flatten().collect()
    }
}

pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE, as in loss=5%".into()),
    }
}

/// The same, but that warnings are left to whoever reads it next.
pub(super) fn read_quietly(file: &Path, files: &dyn Files, overrides: &Overrides) -> Result<Resolved, Exit> {
    load(file, files, overrides).map_err(|(mut wrong, sources)| {
        wrong.sort();
        paint::diagnose(&wrong, &sources);
        Exit::Input
    })
}

/// Reads and checks a scenario; what is wrong with it goes to standard error.
pub(super) fn read(file: &Path, files: &dyn Files, overrides: &Overrides) -> Result<Resolved, Exit> {
    let resolved = read_quietly(file, files, overrides)?;
    if !resolved.warnings.is_empty() {
        paint::diagnose(&resolved.warnings, &resolved.sources);
    }
    Ok(resolved)
}
