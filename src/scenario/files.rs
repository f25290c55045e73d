//! How scenario files are read: through a trait, so that this layer touches no file system.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Reads files.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read, in a few words ("No such file or directory").
    fn read(&self, path: &Path) -> Result<String, String>;
}

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(pub BTreeMap<PathBuf, String>);

impl MemoryFiles {
    /// One file.
    pub fn one(path: &str, text: &str) -> MemoryFiles {
        MemoryFiles::default().with(path, text)
    }

    /// One more file.
    #[must_use]
    pub fn with(mut self, path: &str, text: &str) -> MemoryFiles {
        self.0.insert(path.into(), text.into());
        self
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "No such file or directory".into())
    }
}

/// The path that `name`, found in the file `from`, means: relative to the folder of that file, `.` and `x/..` taken out.
pub fn beside(from: &Path, name: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in from.parent().unwrap_or(Path::new("")).join(name).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(path.components().next_back(), Some(Component::Normal(_))) => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_the_file_they_stand_in() {
        let path = |from: &str, name: &str| beside(Path::new(from), name).to_string_lossy().into_owned();
        assert_eq!(path("a.yaml", "lib/b.yaml"), "lib/b.yaml");
        assert_eq!(path("x/a.yaml", "../b.yaml"), "b.yaml");
        assert_eq!(path("a.yaml", "../b.yaml"), "../b.yaml");
        assert_eq!(path("x/a.yaml", "./b.yaml"), "x/b.yaml");
        assert_eq!(path("x/a.yaml", "/b.yaml"), "/b.yaml");
        assert_eq!(path("../x/a.yaml", "../../b.yaml"), "../../b.yaml");
    }
}
