//! From a scenario's program to one that a host can run: its arguments, environment and working directory.

use std::path::Path;

use super::out_dir::OutDir;
use crate::addressing::network::{NetworkPlan, Place};
use crate::host::{self, What};
use crate::tasks::spec::{Command, Program, Scenario};

/// What programs get to know of the run that they are part of.
pub(super) struct Surroundings<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) network: &'a NetworkPlan,
    pub(super) out: Option<&'a OutDir>,
    pub(super) seed: u64,
    /// The environment of every program: the caller's, and `LONGWIRE_…`.
    pub(super) environment: Vec<(String, String)>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        network: &'a NetworkPlan,
        out: Option<&'a OutDir>,
        run: &str,
        inherited: Option<Vec<(String, String)>>,
    ) -> Self {
        let inherited: Vec<_> = match inherited {
            Some(given) => given.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            None => std::env::vars_os().collect(),
        };
        let environment = environment(inherited, scenario, network, out.map(OutDir::path), run);
        Surroundings { scenario, network, out, seed: scenario.seed, environment }
    }

    pub(super) fn host_name(&self, host: usize) -> &'a str {
        &self.network.hosts[host].name
    }
}

/// The caller's environment without what is not text, and what a run adds:
/// `LONGWIRE_RUN`, `LONGWIRE_SEED`, `LONGWIRE_DIR` (with `--out`), `LONGWIRE_PARAM_name`, `LONGWIRE_HOST_NAME` and
/// `LONGWIRE_HOST_NAME_IPV6` (a host's first address of each family; the name in capitals, `-` as `_`).
pub fn environment(
    inherited: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    scenario: &Scenario,
    network: &NetworkPlan,
    out: Option<&Path>,
    run: &str,
) -> Vec<(String, String)> {
    let mut environment: Vec<(String, String)> = inherited
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !name.starts_with("LONGWIRE_"))
        .collect();
    let mut add = |name: String, value: String| environment.push((name, value));
    add("LONGWIRE_RUN".into(), run.into());
    add("LONGWIRE_SEED".into(), scenario.seed.to_string());
    if let Some(out) = out {
        add("LONGWIRE_DIR".into(), out.display().to_string());
    }
    for (name, value) in &scenario.params {
        add(format!("LONGWIRE_PARAM_{name}"), value.clone());
    }
    for host in &network.hosts {
        let name = host.name.to_uppercase().replace('-', "_");
        let addresses = || host.interfaces.iter().flat_map(|i| &i.addresses).map(|net| net.addr());
        if let Some(first) = addresses().find(|a| a.is_ipv4()).or_else(|| addresses().next()) {
            add(format!("LONGWIRE_HOST_{name}"), first.to_string());
        }
        if let Some(first) = addresses().find(|a| a.is_ipv6()) {
            add(format!("LONGWIRE_HOST_{name}_IPV6"), first.to_string());
        }
    }
    environment
}

/// A program as the host runs it. A container has an environment and a working directory of its own, which come beneath what the
/// scenario says; of the caller's it gets nothing, and the run's directory is not in there.
pub(super) fn program(program: &Program, around: &Surroundings<'_>) -> What {
    let contained = matches!(around.network.hosts[program.host].place, Place::ExternalContainer { .. });
    let mut env = around.environment.clone();
    if contained {
        env.retain(|(name, _)| name.starts_with("LONGWIRE_") && name != "LONGWIRE_DIR");
    }
    for (name, value) in &program.env {
        env.retain(|(known, _)| known != name);
        env.push((name.clone(), value.clone()));
    }
    What::Program(host::Program {
        argv: match &program.run {
            Command::Command(argv) => argv.clone(),
            Command::Shell(line) => vec!["sh".into(), "-c".into(), line.clone()],
        },
        env,
        cwd: match contained {
            true => program.cwd.as_ref().map(|cwd| cwd.display().to_string()),
            false => Some(working_directory(program, &around.scenario.folder)),
        },
        root: program.root,
    })
}

/// An absolute path: the scenario's folder, or the program's own directory as seen from there.
fn working_directory(program: &Program, folder: &Path) -> String {
    let path = program.cwd.as_ref().map_or_else(|| folder.to_path_buf(), |cwd| folder.join(cwd));
    let absolute = std::path::absolute(if path.as_os_str().is_empty() { Path::new(".") } else { &path });
    absolute.unwrap_or(path).display().to_string()
}

/// How a scenario calls it.
pub(super) fn kind(program: &Program) -> &'static str {
    match program.run {
        Command::Command(_) => "command",
        Command::Shell(_) => "shell",
    }
}
