//! Tables that a model takes from a file which the scenario names: samples, traces, schedules.
//!
//! A model reads no file. Its spec holds the name as it was written; whoever reads scenarios hands over the text, with
//! the place of the name at hand for errors.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a file holds, read from its text.
pub trait Table: Sized {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The line that cannot be meant, and why.
    fn parse(text: &str) -> Result<Self, BadLine>;
}

/// What is wrong in a file of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong there, and what to write instead.
    pub message: String,
}

impl BadLine {
    /// What is wrong at a line, counted from 1.
    pub fn at(line: usize, message: impl Into<String>) -> BadLine {
        BadLine { line, message: message.into() }
    }

    /// What is wrong with the file as a whole.
    pub fn whole(message: impl Into<String>) -> BadLine {
        BadLine { line: 0, message: message.into() }
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            line => write!(f, "line {line}: {}", self.message),
        }
    }
}

/// A file by its name, relative to the scenario file in which it stands; and what it holds, once that is read.
#[derive(Debug)]
pub struct FileOf<T> {
    path: String,
    table: Option<Arc<T>>,
}

/// A file that is still to be read, whatever it holds.
pub trait NamedFile {
    /// Its name as it was written.
    fn path(&self) -> &str;

    /// Reads its text.
    ///
    /// # Errors
    /// Those of [`Table::parse`].
    fn load(&mut self, text: &str) -> Result<(), BadLine>;
}

impl<T> FileOf<T> {
    /// A file that is not read yet.
    pub fn new(path: impl Into<String>) -> FileOf<T> {
        FileOf { path: path.into(), table: None }
    }

    /// What it holds; `None` before it is read.
    pub fn table(&self) -> Option<&Arc<T>> {
        self.table.as_ref()
    }
}

impl<T: Table> NamedFile for FileOf<T> {
    fn path(&self) -> &str {
        &self.path
    }

    fn load(&mut self, text: &str) -> Result<(), BadLine> {
        self.table = Some(Arc::new(T::parse(text)?));
        Ok(())
    }
}

impl<T> Clone for FileOf<T> {
    fn clone(&self) -> FileOf<T> {
        FileOf { path: self.path.clone(), table: self.table.clone() }
    }
}

/// The same name and the same contents.
impl<T: PartialEq> PartialEq for FileOf<T> {
    fn eq(&self, other: &FileOf<T>) -> bool {
        self.path == other.path && self.table == other.table
    }
}

impl<T> Serialize for FileOf<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.path)
    }
}

impl<'de, T> Deserialize<'de> for FileOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FileOf<T>, D::Error> {
        String::deserialize(deserializer).map(FileOf::new)
    }
}

impl<T> JsonSchema for FileOf<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "File".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A file, by its path from the folder of the scenario file.",
            "type": "string", "minLength": 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Numbers(Vec<u32>);

    impl Table for Numbers {
        fn parse(text: &str) -> Result<Numbers, BadLine> {
            let number = |(n, line): (usize, &str)| {
                line.parse().map_err(|_| BadLine::at(n + 1, format!("`{line}` is not a number")))
            };
            text.lines().enumerate().map(number).collect::<Result<_, _>>().map(Numbers)
        }
    }

    #[test]
    fn a_file_is_its_name_until_it_is_read() {
        let mut file: FileOf<Numbers> = serde_json::from_value("a.csv".into()).unwrap();
        assert_eq!((file.path(), file.table()), ("a.csv", None));
        assert_eq!(file.load("1\nx").unwrap_err().to_string(), "line 2: `x` is not a number");
        file.load("1\n2").unwrap();
        assert_eq!(file.table().unwrap().0, [1, 2]);
        assert_eq!(serde_json::to_value(&file).unwrap(), "a.csv");
        assert_ne!(file, FileOf::new("a.csv"));
        assert_eq!(BadLine::whole("it is empty").to_string(), "it is empty");
    }
}
