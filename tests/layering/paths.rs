//! Every path that a file names, from the root of its crate: in `use`, re-exports, expressions, types, attributes and the tokens of
//! macros.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMacro, ItemMod, ItemUse, Macro, Meta, UseTree};

use crate::tree::{SourceFile, is_for_tests};

/// The package, as its own program and examples call it.
const PACKAGE: &str = "longwire";

/// A path somewhere in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// From the root, which is `crate` or the name of another crate. A macro's name ends with `!`, a glob is `*`.
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    pub(crate) is_test: bool,
}

impl Named {
    pub(crate) fn text(&self) -> String {
        self.path.join("::")
    }
}

/// All paths of a file.
pub(crate) fn named(file: &SourceFile) -> Vec<Named> {
    let mut reader = Reader { module: file.module.clone(), is_test: file.is_test, found: Vec::new() };
    reader.visit_file(&file.syntax);
    reader.found
}

/// What is re-exported by a file's `pub use`, by its new name.
pub(crate) fn reexported(file: &SourceFile) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for item in &file.syntax.items {
        if let Item::Use(item) = item
            && matches!(item.vis, syn::Visibility::Public(_))
        {
            leaves(&item.tree, &mut Vec::new(), &mut |path, name| all.push((name.to_owned(), path.to_vec())));
        }
    }
    all
}

/// Names of macros that a file exports; they are at the root of the crate.
pub(crate) fn exported_macros(file: &SourceFile) -> Vec<String> {
    let exported = |item: &ItemMacro| item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
    file.syntax
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Macro(item) if exported(item) => Some(format!("{}!", item.ident.as_ref()?)),
            _ => None,
        })
        .collect()
}

/// Calls `leaf` with each path of a `use` and the name that it gets.
fn leaves(tree: &UseTree, path: &mut Vec<String>, leaf: &mut impl FnMut(&[String], &str)) {
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            leaves(&part.tree, path, leaf);
            path.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, path, leaf)),
        UseTree::Name(last) => add_leaf(path, &last.ident.to_string(), &last.ident.to_string(), leaf),
        UseTree::Rename(last) => add_leaf(path, &last.ident.to_string(), &last.rename.to_string(), leaf),
        UseTree::Glob(_) => add_leaf(path, "*", "*", leaf),
    }
}

fn add_leaf(path: &mut Vec<String>, last: &str, name: &str, leaf: &mut impl FnMut(&[String], &str)) {
    // `use a::{self}` names a
    let is_self = last == "self" && !path.is_empty();
    if !is_self {
        path.push(last.to_owned());
    }
    let name = if name == "self" { path.last().expect("not empty").clone() } else { name.to_owned() };
    leaf(path, &name);
    if !is_self {
        path.pop();
    }
}

struct Reader {
    /// Where it is.
    module: Vec<String>,
    is_test: bool,
    found: Vec<Named>,
}

impl Reader {
    fn add(&mut self, path: &[String], line: usize) {
        self.found.push(Named { path: self.absolute(path), line, is_test: self.is_test });
    }

    /// From the root of its crate; a name that was imported or is local stays as it is.
    fn absolute(&self, path: &[String]) -> Vec<String> {
        let (mut base, mut rest) = match path[0].as_str() {
            "crate" | "$crate" | PACKAGE => (Vec::new(), &path[1..]),
            "self" => (self.module.clone(), &path[1..]),
            "super" => (self.module.clone(), path),
            _ => return path.to_vec(),
        };
        while rest.first().is_some_and(|next| next == "super") {
            base.pop();
            rest = &rest[1..];
        }
        base.insert(0, "crate".to_owned());
        base.extend_from_slice(rest);
        base
    }

    /// Paths in tokens that no grammar holds: `a::b::c`, with what `use` allows in braces.
    fn tokens(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < trees.len() {
            match &trees[at] {
                TokenTree::Group(group) => {
                    self.tokens(group.stream());
                    at += 1;
                }
                TokenTree::Ident(first) => at = self.path_in_tokens(&trees, at, vec![first.to_string()]),
                TokenTree::Punct(dollar) if dollar.as_char() == '$' => match trees.get(at + 1) {
                    Some(TokenTree::Ident(name)) if name == "crate" => {
                        at = self.path_in_tokens(&trees, at + 1, vec!["$crate".to_owned()]);
                    }
                    // a parameter of a macro is no name
                    Some(TokenTree::Ident(_)) => at += 2,
                    _ => at += 1,
                },
                _ => at += 1,
            }
        }
    }

    /// Follows a path from its first word, which stands at `at`; where it ends.
    fn path_in_tokens(&mut self, trees: &[TokenTree], mut at: usize, mut path: Vec<String>) -> usize {
        let line = trees[at].span().start().line;
        let is = |at: usize, c: char| matches!(trees.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c);
        at += 1;
        while is(at, ':') && is(at + 1, ':') {
            match trees.get(at + 2) {
                Some(TokenTree::Ident(word)) => path.push(word.to_string()),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.braces(&path, group.stream());
                    return at + 3;
                }
                _ => break,
            }
            at += 3;
        }
        if is(at, '!') && !is(at + 1, '=') {
            path.last_mut().expect("it has a first word").push('!');
        }
        // `pub(crate)`, `self.x`
        if path.len() > 1 || path[0].ends_with('!') {
            self.add(&path, line);
        }
        at
    }

    /// `{a::b, c}` behind a path.
    fn braces(&mut self, before: &[String], tokens: TokenStream) {
        let list: TokenStream = tokens;
        let prefix = before.join("::").replace("$crate", "crate");
        if let Ok(tree) = syn::parse_str::<ItemUse>(&format!("use {prefix}::{{{list}}};")) {
            self.visit_item_use(&tree);
        }
    }

    /// Reads with `is_test` where the attributes say so.
    fn within(&mut self, attributes: &[Attribute], read: impl FnOnce(&mut Self)) {
        let before = self.is_test;
        self.is_test |= is_for_tests(attributes);
        read(self);
        self.is_test = before;
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Type(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            Item::Macro(item) => &item.attrs,
            _ => &Vec::new(),
        };
        self.within(attributes, |reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(&item.attrs, |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.within(&field.attrs, |reader| visit::visit_field(reader, field));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    /// `pub(crate)` and `pub(in crate::a)` name what they stand in.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let line = item.use_token.span.start().line;
        let mut all = Vec::new();
        leaves(&item.tree, &mut Vec::new(), &mut |path, _| all.push(path.to_vec()));
        all.iter().for_each(|path| self.add(path, line));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
        self.add(&words, line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        let mut words: Vec<String> = called.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        words.last_mut().expect("a path has a last word").push('!');
        self.add(&words, called.path.segments[0].ident.span().start().line);
        self.tokens(called.tokens.clone());
    }

    /// Of `#[serde(with = "crate::a::b")]` too. Comments are attributes for the parser, and name what they like.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        let mut strings = Vec::new();
        match &attribute.meta {
            Meta::Path(_) => {}
            Meta::List(list) => {
                self.tokens(list.tokens.clone());
                literals(list.tokens.clone(), &mut strings);
            }
            Meta::NameValue(pair) => self.visit_expr(&pair.value),
        }
        for text in strings.iter().filter(|text| text.contains("::")) {
            if let Ok(tokens) = text.parse() {
                self.tokens(tokens);
            }
        }
    }
}

fn literals(tokens: TokenStream, into: &mut Vec<String>) {
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => literals(group.stream(), into),
            TokenTree::Literal(literal) => {
                if let Ok(syn::Lit::Str(text)) = syn::parse_str(&literal.to_string()) {
                    into.push(text.value());
                }
            }
            _ => {}
        }
    }
}
