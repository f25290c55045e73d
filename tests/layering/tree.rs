//! The program's files, as its `mod` declarations find them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item, Meta};

/// A file and the module that it is.
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// Its module's path below the crate: empty for lib.rs.
    pub(crate) module: Vec<String>,
    /// Whether all of it is compiled for tests alone.
    pub(crate) is_test: bool,
    pub(crate) syntax: syn::File,
}

/// All files of the package's library and program.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) files: Vec<SourceFile>,
}

/// Reads lib.rs and main.rs of a folder and all that they declare.
pub(crate) fn read(source: &Path) -> Program {
    let mut program = Program::default();
    for (root, module) in [("lib.rs", vec![]), ("main.rs", vec!["main".to_owned()])] {
        program.add(source.join(root), module, false);
    }
    program
}

impl Program {
    /// Reads a program from its root.
    pub(crate) fn add_root(&mut self, path: PathBuf) {
        self.add(path, vec!["main".to_owned()], false);
    }

    fn add(&mut self, path: PathBuf, module: Vec<String>, is_test: bool) {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let folder = path.parent().expect("a file is in a folder").to_owned();
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // the Rust reference, "Module source filenames": children of a root and of mod.rs are beside it, those of others in a folder of
        // its name
        let is_root = module.is_empty() || module == ["main"];
        let children = if is_root || stem == "mod" { folder.clone() } else { folder.join(stem) };
        let declared = declarations(&syntax.items, &folder, &children, &module, is_test);
        self.files.push(SourceFile { path, module, is_test, syntax });
        for (path, module, is_test) in declared {
            self.add(path, module, is_test);
        }
    }
}

/// Files that these items declare, with their modules.
fn declarations(
    items: &[Item],
    folder: &Path,
    children: &Path,
    module: &[String],
    is_test: bool,
) -> Vec<(PathBuf, Vec<String>, bool)> {
    let mut found = Vec::new();
    for item in items {
        let Item::Mod(declared) = item else { continue };
        let name = declared.ident.to_string();
        let inner: Vec<String> = module.iter().cloned().chain([name.clone()]).collect();
        let is_test = is_test || is_for_tests(&declared.attrs);
        if let Some((_, items)) = &declared.content {
            found.extend(declarations(items, &children.join(&name), &children.join(&name), &inner, is_test));
            continue;
        }
        let beside = children.join(format!("{name}.rs"));
        let path = match path_attribute(&declared.attrs) {
            Some(path) => folder.join(path).canonicalize().expect("a file that `path` names"),
            None if beside.is_file() => beside,
            None => children.join(&name).join("mod.rs"),
        };
        found.push((path, inner, is_test));
    }
    found
}

/// `#[cfg(test)]`, or a `cfg` of which `test` is a part that must hold.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        let text = list.tokens.to_string().replace(' ', "");
        list.path.is_ident("cfg") && (text == "test" || text.starts_with("all(test,"))
    }) || attributes.iter().any(|attribute| attribute.path().is_ident("test"))
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// All files below a folder.
pub(crate) fn rust_files(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.insert(path);
        }
    }
}
