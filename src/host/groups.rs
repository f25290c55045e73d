//! Control groups, which hold the programs of a host to its `limits` together.
//!
//! The main process makes a group for each such host; init's children join it before they become programs. Both versions of
//! control groups are used, a machine that has both included: each controller is in one of them. Nothing takes a group away
//! with its last process, so a [`Janitor`] does.
//!
//! Sources: cgroups(7); Linux Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/pids.rst and cgroup-v1/memory.rst.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::error::HostError;
use super::janitor::Janitor;
use crate::addressing::network::HostPlan;

/// What a group limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Controller {
    Processes,
    Memory,
}

impl Controller {
    const fn name(self) -> &'static str {
        match self {
            Controller::Processes => "pids",
            Controller::Memory => "memory",
        }
    }

    const fn field(self) -> &'static str {
        match self {
            Controller::Processes => "processes",
            Controller::Memory => "memory",
        }
    }

    /// The file with the limit, and those that need not be there: swap counts as memory.
    const fn files(self, version: Version) -> (&'static str, Option<(&'static str, Swap)>) {
        match (self, version) {
            (Controller::Processes, _) => ("pids.max", None),
            (Controller::Memory, Version::One) => {
                ("memory.limit_in_bytes", Some(("memory.memsw.limit_in_bytes", Swap::WithMemory)))
            }
            (Controller::Memory, Version::Two) => ("memory.max", Some(("memory.swap.max", Swap::Beside))),
        }
    }
}

/// How swap is counted.
enum Swap {
    WithMemory,
    Beside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Where groups can be made that have a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    version: Version,
    /// This process's own group in that hierarchy.
    own: PathBuf,
    /// The hierarchy's root, as far as it is seen here.
    root: PathBuf,
}

/// The groups of a run's hosts. Dropped once their processes are gone, they go too.
#[derive(Debug)]
pub(crate) struct Groups {
    hosts: BTreeMap<String, Vec<PathBuf>>,
    _janitor: Janitor,
}

impl Groups {
    /// Makes a group for each of these hosts; `None` where there is none. This process must have one thread.
    ///
    /// # Errors
    /// A limit cannot be held here: which one, and why.
    pub(crate) fn make(hosts: &[(&HostPlan, Vec<(Controller, u64)>)]) -> Result<Option<Groups>, HostError> {
        let controllers: BTreeSet<Controller> =
            hosts.iter().flat_map(|(_, limits)| limits.iter().map(|(controller, _)| *controller)).collect();
        let Some((first, _)) = hosts.iter().find(|(_, limits)| !limits.is_empty()) else { return Ok(None) };
        let (cgroup, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
        let mut parents = BTreeMap::new();
        for controller in controllers {
            let failed = |reason: String| refused(controller, reason).at(&first.name);
            let place = place(controller, &cgroup, &mounts).map_err(failed)?;
            let above = above(controller, &place).map_err(failed)?;
            parents.insert(controller, (place.version, above.join(format!("longwire-{}", std::process::id()))));
        }
        let all: BTreeSet<PathBuf> = parents.values().map(|(_, parent)| parent.clone()).collect();
        let all: Vec<PathBuf> = all.into_iter().collect();
        let mut groups = Groups { hosts: BTreeMap::new(), _janitor: Janitor::start_for_groups(&all)? };
        let mut made = BTreeSet::new();
        for (controller, (version, parent)) in &parents {
            let failed = |error: io::Error| refused(*controller, told(parent, &error)).at(&first.name);
            if made.insert(parent) {
                fs::create_dir(parent).map_err(failed)?;
            }
            if *version == Version::Two {
                fs::write(parent.join("cgroup.subtree_control"), format!("+{}", controller.name())).map_err(failed)?;
            }
        }
        for (host, limits) in hosts {
            for (controller, limit) in limits {
                let (version, parent) = &parents[controller];
                let group = parent.join(format!("host-{}", host.name));
                let failed = |error: io::Error| refused(*controller, told(&group, &error)).at(&host.name);
                let of_host = groups.hosts.entry(host.name.clone()).or_default();
                if !of_host.contains(&group) {
                    fs::create_dir(&group).map_err(failed)?;
                    of_host.push(group.clone());
                }
                let (file, swap) = controller.files(*version);
                fs::write(group.join(file), limit.to_string()).map_err(failed)?;
                if let Some((file, counted)) = swap.filter(|(file, _)| group.join(file).exists()) {
                    let most = if let Swap::WithMemory = counted { *limit } else { 0 };
                    fs::write(group.join(file), most.to_string()).map_err(failed)?;
                }
            }
        }
        Ok(Some(groups))
    }

    /// Files through which a process joins a host's groups: by writing `0`.
    ///
    /// # Errors
    /// Those of opening them.
    pub(crate) fn doors(&self, host: &str) -> io::Result<Vec<OwnedFd>> {
        let groups = self.hosts.get(host).map_or(&[][..], |groups| groups);
        groups.iter().map(|group| Ok(File::options().write(true).open(group.join("cgroup.procs"))?.into())).collect()
    }
}

/// Files through which a process joins all groups of another one, as far as this user may open them.
///
/// # Errors
/// It has ended.
pub(crate) fn doors_of(pid: u32) -> io::Result<Vec<OwnedFd>> {
    let (groups, mounts) = (fs::read_to_string(format!("/proc/{pid}/cgroup"))?, read("/proc/self/mountinfo"));
    let open = |folder: PathBuf| Some(File::options().write(true).open(folder.join("cgroup.procs")).ok()?.into());
    Ok(folders(&groups, &mounts).into_iter().filter_map(open).collect())
}

/// The folders of all groups of a process, in every hierarchy that is mounted.
fn folders(cgroup: &str, mountinfo: &str) -> Vec<PathBuf> {
    let mounted = |controllers: &str, path: &str| {
        mountinfo.lines().find_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let (mut before, mut after) = (before.split(' ').skip(3), after.split(' '));
            let (root, at) = (before.next()?, before.next()?);
            let (kind, options) = (after.next()?, after.nth(1)?);
            // version 2 names no controller; of version 1 the mount names them all
            let is_it = match controllers {
                "" => kind == "cgroup2",
                some => kind == "cgroup" && some.split(',').all(|one| options.split(',').any(|option| option == one)),
            };
            let below = Path::new(path).strip_prefix(root).ok().filter(|_| is_it)?;
            Some(Path::new(at).join(below))
        })
    };
    let lines = cgroup.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    lines.filter_map(|(controllers, path)| mounted(controllers, path)).collect()
}

/// Removes a group and those below it, which have no process left.
pub(crate) fn remove(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        fs::remove_dir(entry.path())?;
    }
    fs::remove_dir(group)
}

fn refused(controller: Controller, reason: String) -> HostError {
    let field = controller.field();
    let cure = format!(
        "run it with sudo, as a normal user through `systemd-run --user --scope`, or take `{field}` out of `limits`"
    );
    HostError::lacking(format!("hold programs to `limits: {{ {field} }}`"), reason).cure(cure)
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("the control group {} cannot be used: {}", path.display(), super::open::plain(error))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Where a controller is, by proc_pid_cgroup(5) and proc_pid_mountinfo(5).
fn place(controller: Controller, cgroup: &str, mountinfo: &str) -> Result<Place, String> {
    let name = controller.name();
    let has = |list: &str| list.split(',').any(|one| one == name);
    let mounts = mountinfo.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let (mut before, mut after) = (before.split(' ').skip(3), after.split(' '));
        let (root, at) = (before.next()?, before.next()?);
        let (kind, options) = (after.next()?, after.nth(1)?);
        let version = match kind {
            "cgroup" if has(options) => Version::One,
            "cgroup2" => Version::Two,
            _ => return None,
        };
        let own = cgroup.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let is_it = if version == Version::One { has(controllers) } else { number == "0" };
            is_it.then_some(path)
        })?;
        // What lies outside the mount cannot be reached through it.
        let below = Path::new(own).strip_prefix(root).ok()?;
        let own = if below.as_os_str().is_empty() { PathBuf::from(at) } else { Path::new(at).join(below) };
        Some(Place { version, own, root: at.into() })
    });
    // A controller that version 1 has is not in version 2.
    let mut found: Vec<Place> = mounts.collect();
    found.sort_by_key(|place| place.version == Version::Two);
    found.into_iter().next().ok_or_else(|| format!("no control groups with the controller `{name}` are mounted"))
}

/// The group nearest to this process's own in which groups with this controller can be made. In version 2 a group that has
/// processes cannot give controllers to groups in it, so it is one further up.
fn above(controller: Controller, place: &Place) -> Result<PathBuf, String> {
    if place.version == Version::One {
        return Ok(place.own.clone());
    }
    let name = controller.name();
    let lists = |group: &Path, file: &str| {
        fs::read_to_string(group.join(file)).is_ok_and(|list| list.split_whitespace().any(|one| one == name))
    };
    if !lists(&place.root, "cgroup.controllers") {
        return Err(format!("the control groups of this machine do not have the controller `{name}`"));
    }
    let mut groups = place.own.ancestors().take_while(|group| group.starts_with(&place.root));
    if let Some(group) = groups.find(|group| lists(group, "cgroup.subtree_control")) {
        return Ok(group.to_owned());
    }
    // The root alone may have processes and give controllers.
    fs::write(place.root.join("cgroup.subtree_control"), format!("+{name}"))
        .map(|()| place.root.clone())
        .map_err(|error| format!("no control group gives `{name}` on, and {}", told(&place.root, &error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn a_controller_is_found_in_the_version_that_has_it() {
        let own = "8:pids:/a/b\n3:cpu,cpuacct:/\n0::/x\n";
        let found = place(Controller::Processes, own, HYBRID).unwrap();
        assert_eq!((found.version, found.own), (Version::One, "/sys/fs/cgroup/pids/a/b".into()));
        let memory = place(Controller::Memory, own, HYBRID).unwrap();
        assert_eq!((memory.version, memory.own), (Version::Two, "/sys/fs/cgroup/unified/x".into()));
        let unified = "25 24 0:22 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = place(Controller::Memory, "0::/user.slice/run.scope\n", unified).unwrap();
        assert_eq!(found.own, Path::new("/sys/fs/cgroup/user.slice/run.scope"));
        assert_eq!(place(Controller::Memory, "0::/\n", unified).unwrap().own, Path::new("/sys/fs/cgroup"));
        // of a container that sees its own part alone
        let part = "25 24 0:22 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup ro\n";
        assert_eq!(place(Controller::Memory, "0::/docker/1/in\n", part).unwrap().own, Path::new("/sys/fs/cgroup/in"));
        for (cgroup, mounts) in [("0::/\n", ""), ("", unified), ("0::/other\n", part)] {
            let error = place(Controller::Processes, cgroup, mounts).unwrap_err();
            assert!(error.contains("`pids`"), "{error}");
        }
    }

    #[test]
    fn all_groups_of_a_process_are_found() {
        let of = "8:pids:/c\n3:cpu,cpuacct:/c\n2:net_cls:/c\n0::/x\n";
        let found = folders(of, HYBRID);
        assert_eq!(found, ["pids/c", "cpu,cpuacct/c", "unified/x"].map(|path| Path::new("/sys/fs/cgroup").join(path)));
    }

    #[test]
    fn groups_are_made_where_controllers_are_given_on() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("user.slice/app.slice/run.scope");
        fs::create_dir_all(&own).unwrap();
        let place = Place { version: Version::Two, own: own.clone(), root: root.path().into() };
        let write = |group: &Path, file: &str, text: &str| fs::write(group.join(file), text).unwrap();
        write(root.path(), "cgroup.controllers", "cpu memory pids\n");
        for group in own.ancestors().take(3) {
            write(group, "cgroup.subtree_control", if group == own { "\n" } else { "memory pids\n" });
        }
        assert_eq!(above(Controller::Memory, &place).unwrap(), root.path().join("user.slice/app.slice"));
        write(own.parent().unwrap(), "cgroup.subtree_control", "cpu\n");
        assert_eq!(above(Controller::Memory, &place).unwrap(), root.path().join("user.slice"));
        write(root.path(), "cgroup.controllers", "cpu\n");
        assert!(above(Controller::Memory, &place).unwrap_err().contains("do not have the controller `memory`"));
        let one = Place { version: Version::One, ..place };
        assert_eq!(above(Controller::Memory, &one).unwrap(), own);
    }
}
