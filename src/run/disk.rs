//! Scenario files, and the tables that they name, on the disk.

use std::path::Path;

use crate::scenario::Files;

/// Files on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<String, String> {
        std::fs::read(path).map_err(|error| plain(&error)).and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|error| format!("it is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()))
        })
    }
}

/// An error without "(os error 2)".
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
