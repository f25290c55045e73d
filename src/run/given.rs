//! Files that live changes name, such as tables of delays. A run that is up opens no files: whoever asks for a change reads them,
//! with rights of its own, and sends them along.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use crate::language::files::{FileKind, Files, MemoryFiles};

/// Texts of files, by the paths that the run has for them, or why one cannot be read.
pub(crate) type Texts = BTreeMap<PathBuf, Result<String, String>>;

/// Files that a change needs, and that the run does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// Where relative paths begin.
    directory: PathBuf,
    paths: Vec<PathBuf>,
}

impl Needed {
    /// Reads them.
    pub(crate) fn read(&self) -> Texts {
        let read = |path: &PathBuf| (path.clone(), Disk.read(&self.directory.join(path), FileKind::Table));
        self.paths.iter().map(read).collect()
    }
}

/// What a run has been given. A file that it has once had stays as it was.
pub(super) struct Given {
    texts: RefCell<Texts>,
    needed: RefCell<Vec<PathBuf>>,
}

impl Given {
    /// What was read before the run.
    pub(super) fn new(MemoryFiles(read): MemoryFiles) -> Given {
        let texts = read.into_iter().map(|(path, text)| (path, Ok(text))).collect();
        Given { texts: RefCell::new(texts), needed: RefCell::default() }
    }

    /// Has `change` made with what came along with it. `Err` with files that it needs besides; or with why it was not made.
    pub(super) fn with(
        &self,
        came: Texts,
        change: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), (String, Option<Needed>)> {
        for (path, text) in came {
            self.texts.borrow_mut().entry(path).or_insert(text);
        }
        self.needed.borrow_mut().clear();
        let result = change();
        // one that cannot be read now may be there the next time
        self.texts.borrow_mut().retain(|_, text| text.is_ok());
        let paths = std::mem::take(&mut *self.needed.borrow_mut());
        result.map_err(|reason| {
            let directory = std::env::current_dir().unwrap_or_default();
            (reason, (!paths.is_empty()).then_some(Needed { directory, paths }))
        })
    }
}

impl Files for Given {
    fn read(&self, path: &Path, _: FileKind) -> Result<String, String> {
        if let Some(text) = self.texts.borrow().get(path) {
            return text.clone();
        }
        self.needed.borrow_mut().push(path.to_owned());
        Err("it is not there yet".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_needs_is_told_and_taken_along_and_stays() {
        let given = Given::new(MemoryFiles::one("old.csv", "old"));
        let read = |name: &str| given.read(Path::new(name), FileKind::Table);
        assert_eq!(read("old.csv"), Ok("old".into()));
        let change = || read("new.csv").and_then(|_| read("old.csv")).map(drop);
        let (_, needed) = given.with(Texts::new(), change).unwrap_err();
        assert_eq!(needed.unwrap().paths, [Path::new("new.csv")]);
        let came = |name: &str, text: Result<&str, &str>| {
            Texts::from([(name.into(), text.map(str::to_owned).map_err(str::to_owned))])
        };
        let (reason, needed) = given.with(came("new.csv", Err("No such file")), change).unwrap_err();
        assert_eq!((reason.as_str(), needed), ("No such file", None), "it is not asked for twice");
        given.with(came("new.csv", Ok("new")), change).unwrap();
        let later = came("new.csv", Ok("newer")).into_iter().chain(came("old.csv", Ok("x"))).collect();
        given.with(later, change).unwrap();
        assert_eq!((read("new.csv"), read("old.csv")), (Ok("new".into()), Ok("old".into())));
    }
}
