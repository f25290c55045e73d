//! The run's directory (`--out DIR`): all that explains a run, on every exit.
//!
//! A manifest in it lists what longwire writes there. The next run removes those files and no others, and a directory with files but
//! without a manifest is somebody else's. All of it is opened, checked and made before anything runs; what is done later is done relative
//! to the open directories.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;
use nix::errno::Errno;
use nix::sys::stat::SFlag;
use serde::{Deserialize, Serialize};

use crate::host::open::plain;
use crate::host::{Folder, HostError, Opener, is_temporary};
use crate::report::event_log;
use crate::report::event_log::{Entry, Names};
use crate::tasks::resolved::Resolved;
use crate::tasks::timeline::Action;

/// The list of what longwire writes into the directory.
pub const MANIFEST: &str = "longwire-manifest.json";
/// What a run leaves, and `test` and `sim` beside it. The last is a scenario that was read from a pipe.
const FILES: [&str; 9] = [
    "report.json",
    "report.txt",
    "report.html",
    "plan.yaml",
    "command.txt",
    "events.jsonl",
    "messages.txt",
    "console.txt",
    "scenario.yaml",
];
/// What programs write.
const PROGRAMS: &str = "programs";
/// Captures of links.
pub(super) const CAPTURES: &str = "captures";
/// No manifest is longer.
const LONGEST: u64 = 16 << 20;

/// Lines of `events.jsonl` at most: about 200 MB.
const LOGGED: u64 = 1 << 20;

/// Where a run leaves its files.
#[derive(Clone, Debug)]
pub struct OutDir(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    folder: Folder,
    programs: Folder,
    captures: Option<Folder>,
}

/// Why a directory is not written to.
#[derive(Debug, thiserror::Error)]
pub enum OutDirError {
    /// It cannot be made or written to.
    #[error("{}", plain(.0))]
    Io(#[from] io::Error),
    /// Something in it cannot be written to.
    #[error("{0}: {why}", why = plain(.1))]
    File(String, io::Error),
    /// There are files in it, and no manifest.
    #[error("there are files in it, and no list of those that longwire wrote ({MANIFEST})")]
    Foreign,
    /// A file of a name that longwire needs, which it did not write.
    #[error("`{0}` is there, and longwire did not write it (see {MANIFEST})")]
    Taken(String),
}

impl OutDirError {
    /// Whether it is about files that longwire did not write, which a user may allow it to write beside.
    pub fn is_about_others(&self) -> bool {
        matches!(self, OutDirError::Foreign | OutDirError::Taken(_))
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    longwire: u32,
    about: String,
    files: Vec<String>,
}

impl Manifest {
    fn of(files: impl IntoIterator<Item = String>) -> Manifest {
        let about = "longwire writes these files; the next run with this directory removes them, and no others";
        Manifest { longwire: 1, about: about.into(), files: files.into_iter().collect() }
    }

    /// `None` where there is none, or what is no manifest.
    fn read(folder: &Folder) -> io::Result<Option<Manifest>> {
        let file = match folder.read(MANIFEST) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text)?;
        Ok(serde_json::from_str(&text).ok())
    }

    fn write(&self, folder: &Folder) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        folder.write(MANIFEST, (text + "\n").as_bytes())
    }
}

/// The folder and the name of a file in the run's directory; `None` for what leads out of it, or where its folder is not there.
fn find(folder: &Folder, file: &str) -> Option<(Option<Folder>, String)> {
    let mut names = Path::new(file).components().map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    match (names.next(), names.next(), names.next()) {
        (Some(Some(name)), None, None) => Some((None, name.to_owned())),
        (Some(Some(inside)), Some(Some(name)), None) => Some((Some(folder.directory(inside).ok()?), name.to_owned())),
        _ => None,
    }
}

/// Whether somebody else has put something into it.
fn has_others(folder: &Folder) -> io::Result<bool> {
    Ok(folder.names()?.iter().any(|name| !is_temporary(name)))
}

/// Removes what a manifest lists.
fn clear(folder: &Folder, manifest: &Manifest) -> Result<(), OutDirError> {
    for file in &manifest.files {
        let Some((inside, name)) = find(folder, file) else { continue };
        inside.as_ref().unwrap_or(folder).remove(name).map_err(|error| OutDirError::File(file.clone(), error))?;
    }
    Ok(())
}

/// Removes what an earlier run left in a directory, if longwire wrote it: it must not be taken for another one's.
///
/// # Errors
/// Those of removing.
pub fn forget(path: &Path) -> Result<(), OutDirError> {
    if !path.exists() {
        return Ok(());
    }
    let folder = Folder::open(path)?;
    Manifest::read(&folder)?.map_or(Ok(()), |manifest| clear(&folder, &manifest))
}

/// Whether a run may write to a directory, which need not be there. Nothing is changed.
///
/// # Errors
/// There are files in it that longwire did not write.
pub fn check(path: &Path) -> Result<(), OutDirError> {
    if !path.exists() {
        return Ok(());
    }
    let folder = Folder::open(path)?;
    match Manifest::read(&folder)? {
        None if has_others(&folder)? => Err(OutDirError::Foreign),
        _ => Ok(()),
    }
}

/// Adds a file to a run's directory, which is made if the run has not come so far.
///
/// # Errors
/// Those of making a directory and writing; what stands there is not longwire's.
pub fn add(path: &Path, name: &str, bytes: &[u8]) -> Result<(), OutDirError> {
    let folder = Folder::make(path)?;
    let mut manifest = match Manifest::read(&folder)? {
        Some(manifest) => manifest,
        None if !has_others(&folder)? => Manifest::of([]),
        None => return Err(OutDirError::Foreign),
    };
    if !manifest.files.iter().any(|file| file == name) {
        manifest.files.push(name.to_owned());
        manifest.write(&folder)?;
    }
    folder.write(name, bytes).map_err(|error| OutDirError::File(name.to_owned(), error))
}

/// All files that a run may leave.
fn planned(resolved: &Resolved) -> BTreeSet<String> {
    let scenario = &resolved.scenario;
    let runs = resolved.timeline.iter().flat_map(|step| &step.actions).filter_map(|action| match action {
        Action::Run(run) => Some(format!("timeline.{}", run.name)),
        _ => None,
    });
    let programs = scenario
        .awaited
        .keys()
        .chain(scenario.services.keys())
        .chain(scenario.workloads.keys())
        .map(ToString::to_string)
        .chain(runs);
    let logs = programs.flat_map(|name| ["", ".sender", ".ready"].map(|part| format!("{PROGRAMS}/{name}{part}.log")));
    let links = scenario.capture.iter().flat_map(|capture| &capture.links).map(|link| &resolved.links[*link].name);
    let captures = links.flat_map(|link| ["", ".part"].map(|part| format!("{CAPTURES}/{link}.pcapng{part}")));
    FILES.map(String::from).into_iter().chain(logs).chain(captures).collect()
}

impl OutDir {
    /// Makes the directory, and those inside it, and removes what an earlier run left there. `beside`: it may also be one with files that
    /// longwire did not write; they stay, but those of names that longwire needs are replaced.
    ///
    /// # Errors
    /// Those of making directories and files; there are files that longwire did not write.
    pub fn create(path: &Path, resolved: &Resolved, beside: bool) -> Result<OutDir, OutDirError> {
        let folder = Folder::make(path)?;
        match Manifest::read(&folder)? {
            Some(manifest) => clear(&folder, &manifest)?,
            None if !beside && has_others(&folder)? => return Err(OutDirError::Foreign),
            None => {}
        }
        let planned = planned(resolved);
        for file in &planned {
            let Some((inside, name)) = find(&folder, file) else { continue };
            let found = inside.as_ref().unwrap_or(&folder).look(name)?;
            let is_folder = found.is_some_and(|seen| seen.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits());
            if is_folder {
                return Err(OutDirError::File(file.clone(), Errno::EISDIR.into()));
            }
            if found.is_some() && !beside {
                return Err(OutDirError::Taken(file.clone()));
            }
        }
        for name in [PROGRAMS, CAPTURES] {
            let found = folder.look(name)?;
            if found.is_some_and(|seen| seen.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFDIR.bits()) {
                return Err(OutDirError::File(name.to_owned(), Errno::ENOTDIR.into()));
            }
        }
        // before there is anything else: a run that is killed on the way leaves a directory that the next one takes
        Manifest::of(planned).write(&folder)?;
        let inside = |name: &str| folder.inside(name).map_err(|error| OutDirError::File(name.to_owned(), error));
        let programs = inside(PROGRAMS)?;
        let captures = resolved.scenario.capture.as_ref().map(|_| inside(CAPTURES)).transpose()?;
        for place in [Some(&folder), Some(&programs), captures.as_ref()].into_iter().flatten() {
            place.sweep()?;
            // that it can be written to shows before the run
            place.try_out()?;
        }
        Ok(OutDir(Arc::new(Inner { path: path.canonicalize()?, folder, programs, captures })))
    }

    /// From here on another process opens files for this one and for its copies, which may give up the rights for that. This
    /// process must have one thread.
    ///
    /// # Errors
    /// No process can be made.
    pub(super) fn give_up(&self) -> Result<(), HostError> {
        let Inner { path, folder, programs, captures, .. } = &*self.0;
        let opener = Arc::new(Opener::start(path)?);
        folder.serve(&opener, "");
        programs.serve(&opener, PROGRAMS);
        if let Some(captures) = captures {
            captures.serve(&opener, CAPTURES);
        }
        Ok(())
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The directory, open.
    pub fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// Where captures lie, if the scenario asks for any.
    pub(super) fn captures(&self) -> Option<&Folder> {
        self.0.captures.as_ref()
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        self.0.folder.write(name, text.as_bytes())
    }

    /// The file for what a program writes.
    ///
    /// # Errors
    /// Those of making a file.
    pub fn program_output(&self, name: &str) -> io::Result<File> {
        self.0.programs.replace(format!("{name}.log"))
    }

    /// What a program has written, and the file's path in this directory.
    ///
    /// # Errors
    /// Those of opening a file; what lies there is no regular file.
    pub fn read_program_output(&self, name: &str) -> io::Result<(File, PathBuf)> {
        let name = format!("{name}.log");
        Ok((self.0.programs.read(&name)?, Path::new(PROGRAMS).join(name)))
    }

    /// The file for the capture of a link, with its name among [`OutDir::captures`].
    ///
    /// # Errors
    /// Those of making a file.
    pub(super) fn capture(&self, name: &str) -> io::Result<File> {
        let folder = self.0.captures.as_ref().ok_or(io::ErrorKind::NotFound)?;
        folder.replace(name)
    }

    /// Starts the thread that writes `events.jsonl`; it ends with the log. It gives how many entries did not fit.
    ///
    /// # Errors
    /// Those of making a file or a thread.
    pub fn event_log(&self, names: Names, log: Receiver<Vec<Entry>>) -> io::Result<JoinHandle<io::Result<u64>>> {
        const LOG: &str = "events.jsonl";
        let mut file = BufWriter::new(self.0.folder.replace(LOG)?);
        std::thread::Builder::new().name("longwire-log".into()).spawn(move || {
            let beyond = event_log::write_up_to(LOGGED, log, &names, &mut file)?;
            file.flush().map(|()| beyond)
        })
    }

    /// The run is over: the manifest lists what there is of what was planned.
    ///
    /// # Errors
    /// Those of looking and writing.
    pub fn conclude(&self) -> io::Result<()> {
        let folder = &self.0.folder;
        let Some(Manifest { files, .. }) = Manifest::read(folder)? else { return Ok(()) };
        let mut there = Vec::new();
        for file in files {
            let Some((inside, name)) = find(folder, &file) else { continue };
            if inside.as_ref().unwrap_or(folder).look(name)?.is_some() {
                there.push(file);
            }
        }
        Manifest::of(there).write(folder)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    use std::fs;
    use std::os::unix::fs::symlink;

    pub(crate) fn resolved(more: &str) -> Resolved {
        let text = format!(
            "longwire: 1\nduration: 1s\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b] }} }}\n\
             workloads: {{ w: {{ in: a, command: [true] }} }}\n{more}\n"
        );
        let loaded = load(Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default());
        loaded.unwrap_or_else(|(told, _)| panic!("{:?}", told.iter().next()))
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_later_run_removes_what_longwire_wrote_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out");
        let out = OutDir::create(&path, &resolved("capture: [wire]"), false).unwrap();
        out.write("report.txt", "PASS").unwrap();
        out.program_output("w").unwrap();
        out.capture("wire.pcapng").unwrap();
        out.conclude().unwrap();
        let listed = Manifest::read(out.folder()).unwrap().unwrap().files;
        assert_eq!(listed, ["captures/wire.pcapng", "programs/w.log", "report.txt"]);
        fs::write(path.join("mine.txt"), "mine").unwrap();
        fs::write(path.join("programs/mine.log"), "mine").unwrap();
        add(&path, "messages.txt", b"said").unwrap();
        check(&path).unwrap();
        OutDir::create(&path, &resolved(""), false).unwrap();
        assert_eq!(names(&path), ["captures", MANIFEST, "mine.txt", "programs"]);
        assert_eq!((names(&path.join("programs")), names(&path.join("captures"))), (vec!["mine.log".into()], vec![]));
        // what became of names that longwire needs in the meantime is the user's
        fs::write(path.join("plan.yaml"), "precious").unwrap();
        Manifest::of([]).write(&Folder::open(&path).unwrap()).unwrap();
        let taken = OutDir::create(&path, &resolved(""), false).unwrap_err();
        assert!(taken.to_string().starts_with("`plan.yaml` is there") && taken.is_about_others(), "{taken}");
        assert_eq!(fs::read_to_string(path.join("plan.yaml")).unwrap(), "precious");
        forget(&path).unwrap();
        assert!(path.join("mine.txt").exists());
    }

    #[test]
    fn a_directory_of_somebody_elses_is_refused_or_only_added_to() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("mine.txt"), "mine").unwrap();
        fs::write(at("report.txt"), "older").unwrap();
        fs::write(at(MANIFEST), "{ \"name\": \"my app\" }").unwrap();
        let refused = OutDir::create(place.path(), &resolved(""), false).unwrap_err();
        assert!(matches!(refused, OutDirError::Foreign) && refused.is_about_others());
        assert!(matches!(check(place.path()), Err(OutDirError::Foreign)));
        assert!(matches!(add(place.path(), "messages.txt", b""), Err(OutDirError::Foreign)));
        assert_eq!(names(place.path()), [MANIFEST, "mine.txt", "report.txt"]);
        let out = OutDir::create(place.path(), &resolved(""), true).unwrap();
        assert_eq!(fs::read_to_string(at("report.txt")).unwrap(), "older", "until there is a new one");
        out.write("report.txt", "PASS").unwrap();
        assert_eq!(fs::read_to_string(at("mine.txt")).unwrap(), "mine");
        OutDir::create(place.path(), &resolved(""), false).unwrap();
        assert_eq!(names(place.path()), [MANIFEST, "mine.txt", "programs"]);
    }

    #[test]
    fn what_a_killed_run_had_not_yet_given_a_name_is_nobody_elses() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        // no process has such a number: 2^22 is the most (proc_sys_kernel(5))
        let stale = format!(".longwire-{}-0", (1 << 22) + 1);
        fs::write(at(&stale), "").unwrap();
        fs::write(at(".longwire-1-0"), "").unwrap();
        check(place.path()).unwrap();
        OutDir::create(place.path(), &resolved(""), false).unwrap();
        // process 1 lives, and may be at it
        assert_eq!(names(place.path()), [".longwire-1-0", MANIFEST, "programs"]);
        assert!(!is_temporary(".longwire-notes".as_ref()) && !is_temporary(".longwire-1-a".as_ref()));
    }

    #[test]
    fn nothing_leads_out_of_it() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("victim"), "precious").unwrap();
        fs::create_dir_all(at("out/programs")).unwrap();
        symlink(at("victim"), at("out/link")).unwrap();
        let folder = Folder::open(&at("out")).unwrap();
        let hostile = ["../victim", "/etc/hostname", "link/x", "programs/../../victim", "", ".", "programs", "link"];
        let manifest = Manifest::of(hostile.map(String::from));
        manifest.write(&folder).unwrap();
        // a directory is not removed, and that is told
        assert!(matches!(OutDir::create(&at("out"), &resolved(""), false), Err(OutDirError::File(..))));
        Manifest::of(hostile.into_iter().filter(|file| *file != "programs").map(String::from)).write(&folder).unwrap();
        let out = OutDir::create(&at("out"), &resolved(""), false).unwrap();
        assert!(!at("out/link").is_symlink() && at("victim").exists());
        // links that appear while it is in use
        for name in ["report.json", "events.jsonl", "programs/w.log"] {
            symlink(at("victim"), at("out").join(name)).unwrap();
        }
        out.write("report.json", "{}").unwrap();
        out.program_output("w").unwrap().write_all(b"said").unwrap();
        assert_eq!(fs::read_to_string(at("victim")).unwrap(), "precious");
        fs::remove_file(at("out/programs/w.log")).unwrap();
        symlink("/etc/passwd", at("out/programs/w.log")).unwrap();
        assert!(out.read_program_output("w").is_err());
        // and in place of the directories themselves
        fs::remove_dir_all(at("out/programs")).unwrap();
        symlink(place.path(), at("out/programs")).unwrap();
        assert!(OutDir::create(&at("out"), &resolved(""), false).is_err());
    }
}
