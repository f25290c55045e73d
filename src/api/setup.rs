//! A scenario that is about to come up: read, checked, given its parameters and its seed.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::connection::{Beginning, Connection};
use super::copy::{Order, Orders};
use super::network::{Asked, Held};
use super::{Error, ErrorKind, Network, skip};
use crate::diag::{Diagnostics, Sources};
use crate::report::json::Report;
use crate::report::mistakes;
use crate::run::Remembering;
use crate::scenario::{Overrides, load};
use crate::tasks::resolved::Resolved;

/// What an inline scenario is called in messages; its folder is the current one.
const INLINE: &str = "scenario.yaml";

/// A scenario that is about to come up. See [`up`] and [`scenario`](fn@scenario).
#[derive(Clone, Debug)]
#[must_use = "nothing is up until it is started"]
pub struct Setup {
    path: PathBuf,
    text: Option<String>,
    overrides: Overrides,
    out: Option<PathBuf>,
}

/// A scenario in a file, read and checked. Its path is relative to the current directory, which in a test is the package's.
///
/// # Errors
/// All mistakes of the file, as `longwire check` prints them ([`ErrorKind::Scenario`]).
pub fn up(path: impl AsRef<Path>) -> Result<Setup, Error> {
    let path = path.as_ref().to_path_buf();
    Setup { path, text: None, overrides: Overrides::default(), out: None }.checked()
}

/// A scenario as text, checked. Files that it names are relative to the current directory.
///
/// # Errors
/// All mistakes of the text, as `longwire check` prints them ([`ErrorKind::Scenario`]).
pub fn scenario(text: impl Into<String>) -> Result<Setup, Error> {
    Setup { path: INLINE.into(), text: Some(text.into()), overrides: Overrides::default(), out: None }.checked()
}

impl Setup {
    fn checked(self) -> Result<Setup, Error> {
        self.read().map(|_| self)
    }

    /// Sets a parameter, as `--param NAME=VALUE` does; the last value of a name counts.
    pub fn param(mut self, name: impl Into<String>, value: impl Display) -> Setup {
        let name = name.into();
        self.overrides.params.retain(|(other, _)| *other != name);
        self.overrides.params.push((name, value.to_string()));
        self
    }

    /// Sets the seed of every random draw.
    pub fn seed(mut self, seed: u64) -> Setup {
        self.overrides.seed = Some(seed);
        self
    }

    /// Leaves what explains the run in a directory: report, resolved plan, event log, full output of the scenario's
    /// programs. Commands that are started from here write where they are told to.
    pub fn out(mut self, directory: impl Into<PathBuf>) -> Setup {
        self.out = Some(directory.into());
        self
    }

    /// What `longwire check` warns of; empty where there is nothing.
    ///
    /// # Errors
    /// A parameter does not fit.
    pub fn warnings(&self) -> Result<String, Error> {
        let (resolved, _) = self.read()?;
        let none = resolved.warnings.is_empty();
        Ok(if none { String::new() } else { mistakes::render(&resolved.warnings, &resolved.sources, false) })
    }

    /// Makes the network, and returns when its services are ready: at t = 0. Works from any thread, and several may be up
    /// at a time.
    ///
    /// # Errors
    /// A parameter does not fit ([`ErrorKind::Scenario`]); this machine cannot make hosts ([`ErrorKind::Unsupported`]); a
    /// service failed or was not ready in time ([`ErrorKind::Failed`]).
    pub fn start(self) -> Result<Network, Error> {
        let (resolved, held) = self.open(Order::Run)?;
        match held.connection.began()? {
            Beginning::Up { environment } => Ok(Network::new(held, &resolved, environment)),
            Beginning::Over(report) => {
                let report = Asked::of(&resolved).restore(*report);
                let text = format!("the network was never ready\n{}", report.explain());
                Err(Error::new(ErrorKind::Failed, text))
            }
        }
    }

    /// [`Setup::start`] for tests: `None` where this machine cannot make hosts, with a message to standard error that says
    /// why and names the cure. With `LONGWIRE_REQUIRED=1` in the environment, as in CI, that is an error.
    ///
    /// ```no_run
    /// # fn test() -> Result<(), longwire::Error> {
    /// let Some(net) = longwire::up("office.yaml")?.start_or_skip()? else { return Ok(()) };
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Setup::start`].
    pub fn start_or_skip(self) -> Result<Option<Network>, Error> {
        skip::or_skip(self.start())
    }

    /// Runs the whole scenario in virtual time, as `longwire sim` does, and gives its report. Works from any thread, and several may
    /// run at a time. Nothing of it depends on how fast this machine is; the same scenario and seed give the same report.
    ///
    /// Everything happens in a guest, so there is no [`Network`]: what happens in it is what the scenario says. It needs a
    /// user-mode Linux kernel, and neither privileges nor /dev/net/tun: see docs/virtual-time.md.
    ///
    /// ```no_run
    /// # fn test() -> Result<(), longwire::Error> {
    /// let report = longwire::up("office.yaml")?.param("loss", "5%").simulate()?;
    /// report.assert_pass();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A parameter does not fit, or the scenario has what cannot be in virtual time: an external machine, no end
    /// ([`ErrorKind::Scenario`]); there is no kernel, or this machine does not let it run ([`ErrorKind::Unsupported`]); the guest
    /// broke down, or its time stood still for a minute ([`ErrorKind::Machine`]). That something in the scenario failed is no
    /// error: see [`Report::verdict`].
    pub fn simulate(mut self) -> Result<Report, Error> {
        self.overrides.virtual_time = true;
        let (resolved, held) = self.open(Order::Simulate)?;
        held.connection.report().map(|report| Asked::of(&resolved).restore(report))
    }

    /// [`Setup::simulate`] for tests: `None` where there is no kernel for virtual time, with a message to standard error that says
    /// how to get one. With `LONGWIRE_REQUIRED=1` in the environment, as in CI, that is an error.
    ///
    /// # Errors
    /// Those of [`Setup::simulate`].
    pub fn simulate_or_skip(self) -> Result<Option<Report>, Error> {
        skip::or_skip(self.simulate())
    }

    /// Checks it, and starts a copy of this program with it.
    fn open(self, order: fn(Orders) -> Order) -> Result<(Resolved, Held), Error> {
        let (resolved, files) = self.read()?;
        let name = self.path.file_stem().map_or_else(|| "network".into(), |stem| stem.to_string_lossy().into_owned());
        let orders =
            Orders { path: self.path, files, params: self.overrides.params, seed: self.overrides.seed, out: self.out };
        let (connection, thread) = Connection::open(order(orders), &name)?;
        Ok((resolved, Held { connection, thread: Some(thread) }))
    }

    /// Checks it, and returns it with the texts that it was read from.
    fn read(&self) -> Result<(Resolved, BTreeMap<PathBuf, String>), Error> {
        let inline = self.text.as_deref().map(|text| (self.path.as_path(), text));
        let files = Remembering::new(inline);
        match load(&self.path, &files, &self.overrides) {
            Ok(resolved) => Ok((resolved, files.into_read())),
            Err((wrong, sources)) => Err(mistaken(wrong, &sources)),
        }
    }
}

fn mistaken(mut wrong: Diagnostics, sources: &Sources) -> Error {
    wrong.sort();
    Error::new(ErrorKind::Scenario, mistakes::render(&wrong, sources, false).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "longwire: 1\nparams: { loss: 1% }\nnodes: { a: host, b: host }\n\
        links: { wire: { ends: [a, b], loss: $loss } }\n";

    #[test]
    fn all_mistakes_are_told_as_check_tells_them() {
        let text = TWO.replace("loss: $loss", "dealy: 5ms, rate: 20");
        let error = scenario(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Scenario);
        let shown = error.to_string();
        for part in ["unknown field `dealy`", "did you mean `delay`?", "scenario.yaml:4:", "20Mbit", "2 errors"] {
            assert!(shown.contains(part), "{part} in:\n{shown}");
        }
        let error = up("no/such.yaml").unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    }

    #[test]
    fn a_parameter_is_checked_before_anything_starts() {
        let error = scenario(TWO).unwrap().param("loss", "much").start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Scenario, "{error}");
        let error = scenario(TWO).unwrap().param("lost", "1%").start().unwrap_err();
        assert!(error.to_string().contains("lost"), "{error}");
    }

    #[test]
    fn what_cannot_be_in_virtual_time_is_told_with_its_place() {
        let endless = scenario(TWO).unwrap().simulate().unwrap_err();
        assert!(endless.kind() == ErrorKind::Scenario && endless.to_string().contains("duration"), "{endless}");
        let external = TWO.replace("b: host", "b: { external: { tap: lw0 } }") + "duration: 1s\n";
        let error = scenario(external).unwrap().simulate().unwrap_err();
        assert!(error.kind() == ErrorKind::Scenario && error.to_string().contains("scenario.yaml:3:"), "{error}");
    }

    #[test]
    fn what_was_read_goes_along_and_warnings_are_told() {
        let (_, files) = scenario(TWO).unwrap().read().unwrap();
        assert_eq!(files[Path::new(INLINE)], TWO);
        assert_eq!(scenario(TWO).unwrap().warnings().unwrap(), "");
        let lone = TWO.replace("b: host }", "b: host, c: host }");
        assert!(scenario(lone).unwrap().warnings().unwrap().contains("1 warning"));
    }
}
