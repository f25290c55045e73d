//! Walks over hash maps and sets, whose order is not defined.

use std::collections::BTreeSet;

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Member, Pat, Type, UseTree};

use crate::tree::{SourceFile, is_for_tests};

/// Methods that go through all of a map, in its order.
const WALKS: [&str; 9] =
    ["iter", "iter_mut", "keys", "values", "values_mut", "drain", "into_iter", "into_keys", "into_values"];

/// Walks in these files, one line each. A field is known by its name wherever it is visible, a variable in its file.
pub(crate) fn walks<'a>(files: impl Iterator<Item = &'a SourceFile>) -> Vec<String> {
    let files: Vec<_> = files.collect();
    let names: Vec<Names> = files.iter().map(|file| Names::of(file)).collect();
    let mut found = Vec::new();
    for (file, own) in files.iter().zip(&names) {
        let all =
            files.iter().zip(&names).flat_map(|(holder, names)| names.fields.iter().map(move |field| (holder, field)));
        let visible = all.filter(|(holder, (_, is_private))| !is_private || file.module.starts_with(&holder.module));
        let fields = visible.map(|(_, (name, _))| name.as_str()).collect();
        let mut walks = Walks { fields, variables: &own.variables, found: Vec::new() };
        walks.visit_file(&file.syntax);
        let walked = walks.found.into_iter();
        found.extend(walked.map(|(line, name)| {
            format!("{}:{line}: `{name}` is a hash map, whose order is not defined", file.path.display())
        }));
    }
    found
}

/// What is a hash map or set in a file.
struct Names {
    /// Types: the two, and other names for them.
    types: BTreeSet<String>,
    /// And whether it is private to its module.
    fields: BTreeSet<(String, bool)>,
    variables: BTreeSet<String>,
}

impl Names {
    fn of(file: &SourceFile) -> Names {
        let types = ["HashMap", "HashSet"].map(String::from).into();
        let mut names = Names { types, fields: BTreeSet::new(), variables: BTreeSet::new() };
        // twice: an alias may stand behind its first use
        names.visit_file(&file.syntax);
        names.visit_file(&file.syntax);
        names
    }

    fn is_hashed(&self, ty: &Type) -> bool {
        match ty {
            Type::Reference(reference) => self.is_hashed(&reference.elem),
            Type::Path(path) => {
                path.path.segments.last().is_some_and(|last| self.types.contains(&last.ident.to_string()))
            }
            _ => false,
        }
    }

    /// `HashMap::new()`, `….collect::<HashMap<…>>()`.
    fn makes_one(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Call(call) => match &*call.func {
                Expr::Path(path) => path
                    .path
                    .segments
                    .iter()
                    .rev()
                    .nth(1)
                    .is_some_and(|kind| self.types.contains(&kind.ident.to_string())),
                _ => false,
            },
            Expr::MethodCall(call) => {
                call.turbofish.iter().flat_map(|fish| &fish.args).any(|argument| match argument {
                    syn::GenericArgument::Type(ty) => self.is_hashed(ty),
                    _ => false,
                })
            }
            _ => false,
        }
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        if self.is_hashed(&item.ty) {
            self.types.insert(item.ident.to_string());
        }
    }

    fn visit_use_tree(&mut self, tree: &'ast UseTree) {
        if let UseTree::Rename(renamed) = tree
            && self.types.contains(&renamed.ident.to_string())
        {
            self.types.insert(renamed.rename.to_string());
        }
        visit::visit_use_tree(self, tree);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident
            && self.is_hashed(&field.ty)
        {
            self.fields.insert((name.to_string(), matches!(field.vis, syn::Visibility::Inherited)));
        }
    }

    fn visit_pat_type(&mut self, pattern: &'ast syn::PatType) {
        if let Pat::Ident(name) = &*pattern.pat
            && self.is_hashed(&pattern.ty)
        {
            self.variables.insert(name.ident.to_string());
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init)
            && self.makes_one(&init.expr)
        {
            self.variables.insert(name.ident.to_string());
        }
        visit::visit_local(self, local);
    }
}

struct Walks<'a> {
    fields: BTreeSet<&'a str>,
    variables: &'a BTreeSet<String>,
    found: Vec<(usize, String)>,
}

impl Walks<'_> {
    fn check(&mut self, walked: &Expr) {
        match walked {
            Expr::Reference(inner) => self.check(&inner.expr),
            Expr::Paren(inner) => self.check(&inner.expr),
            Expr::Field(field) => {
                if let Member::Named(name) = &field.member
                    && self.fields.contains(name.to_string().as_str())
                {
                    self.found.push((name.span().start().line, name.to_string()));
                }
            }
            Expr::Path(path) => {
                if let Some(name) = path.path.get_ident()
                    && self.variables.contains(&name.to_string())
                {
                    self.found.push((name.span().start().line, name.to_string()));
                }
            }
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Walks<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if WALKS.contains(&call.method.to_string().as_str()) {
            self.check(&call.receiver);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_for_loop(&mut self, walk: &'ast syn::ExprForLoop) {
        self.check(&walk.expr);
        visit::visit_expr_for_loop(self, walk);
    }

    /// Most macros take expressions.
    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        if let Ok(arguments) = called.parse_body_with(Punctuated::<Expr, syn::Token![,]>::parse_terminated) {
            arguments.into_iter().for_each(|argument| {
                let mut inner = Walks { fields: self.fields.clone(), variables: self.variables, found: Vec::new() };
                inner.visit_expr(&argument);
                self.found.append(&mut inner.found);
            });
        }
    }
}
