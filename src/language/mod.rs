//! Text → a tree with places: YAML read, parameters filled in, layers merged, files followed. It knows what a value is and where it stands,
//! not what it means.
//!
//! Begin with `parse`, which reads a file, and `read`, which turns a part of the tree into a type.

pub(crate) mod address_text;
pub(crate) mod argv;
pub(crate) mod de;
pub mod files;
pub(crate) mod gather;
pub(crate) mod keys;
pub mod matrix;
pub(crate) mod merge;
pub(crate) mod names;
pub(crate) mod params;
pub(crate) mod parse;
pub(crate) mod presets;
pub(crate) mod read;
pub(crate) mod section;
pub(crate) mod spanned;
pub mod tree;
