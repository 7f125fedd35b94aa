//! Which file imports what of which other: by `use`, by paths in code, and by paths in the text of macros.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proc_macro2::TokenStream;
use syn::visit::{self, Visit};

use super::tokens;
use crate::source::modules::{FileId, Leaf, ModuleId, Program, Route, leaves, plain};
use crate::source::names::Target;
use crate::source::test_code;

/// The names that tie a file to another.
pub(super) type Imports = BTreeMap<(FileId, FileId), BTreeSet<String>>;

/// Every import between two files of the program, tests left out.
pub(super) fn of(program: &Program) -> Imports {
    let mut imports = Imports::new();
    for (number, file) in program.files.iter().enumerate() {
        let mut walk = Walk { program, file: number, module: file.module, scopes: Vec::new(), imports: &mut imports };
        walk.visit_file(&file.syntax);
    }
    imports
}

/// What a block calls by a name: an import of its own, or an item of its own.
type Scope = HashMap<String, Option<Route>>;

struct Walk<'a> {
    program: &'a Program,
    file: FileId,
    module: ModuleId,
    /// Blocks around this place, the outermost first.
    scopes: Vec<Scope>,
    imports: &'a mut Imports,
}

/// How a path is used, which says what a module at its end means.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    /// The names in the module are used by paths of their own.
    Name,
    /// All that is in the module is used.
    Whole,
}

impl Walk<'_> {
    fn record(&mut self, route: &Route, how: Use) {
        let local = route.segments.first().filter(|_| !route.is_global);
        let known = local.and_then(|first| self.scopes.iter().rev().find_map(|scope| scope.get(first)));
        let route = match known {
            Some(None) => return,
            Some(Some(import)) => {
                let rest = route.segments.iter().skip(1).cloned();
                let segments = import.segments.iter().cloned().chain(rest).collect();
                &Route { is_global: import.is_global, segments }
            }
            None => route,
        };
        for target in self.program.resolve(self.module, route) {
            match target {
                Target::Item { file, name } => self.add(file, name),
                Target::Made { module, name } => self.add_module(module, name),
                Target::Module(module) if how == Use::Whole => self.add_module(module, "*".to_owned()),
                Target::Module(_) => {}
            }
        }
    }

    fn add_module(&mut self, module: ModuleId, name: String) {
        if let Some(module) = self.program.modules.get(module) {
            self.add(module.file, name);
        }
    }

    fn add(&mut self, file: FileId, name: String) {
        if file != self.file {
            self.imports.entry((self.file, file)).or_default().insert(name);
        }
    }

    fn record_use(&mut self, item: &syn::ItemUse) {
        for leaf in leaves(item) {
            match leaf {
                Leaf::Name { route, .. } => self.record(&route, Use::Name),
                Leaf::Glob(route) => self.record(&route, Use::Whole),
            }
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        for path in tokens::paths(tokens) {
            self.record(&path.route, if path.is_glob { Use::Whole } else { Use::Name });
        }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !test_code::is_marked(test_code::attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            _ => return visit::visit_impl_item(self, item),
        };
        if !test_code::is_marked(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !test_code::is_marked(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !test_code::is_marked(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_none() {
            return; // that it is declared is no import; its file is read for itself
        }
        let inside = self.program.modules.get(self.module).and_then(|module| module.names.get(&plain(&item.ident)));
        let here = self.file;
        let inside = inside.into_iter().flatten().find_map(|binding| match binding {
            crate::source::modules::Binding::Module(id) => {
                Some(*id).filter(|id| self.program.modules.get(*id).is_some_and(|module| module.file == here))
            }
            _ => None,
        });
        let before = self.module;
        self.module = inside.unwrap_or(before);
        visit::visit_item_mod(self, item);
        self.module = before;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.record_use(item);
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let mut scope = Scope::new();
        for statement in &block.stmts {
            let syn::Stmt::Item(item) = statement else { continue };
            match item {
                syn::Item::Use(item) => {
                    for leaf in leaves(item) {
                        // A name that is imported as itself is its own path.
                        if let Leaf::Name { name, route } = leaf {
                            let is_itself = route.segments.len() == 1 && route.segments.first() == Some(&name);
                            if !is_itself {
                                scope.insert(name, Some(route));
                            }
                        }
                    }
                }
                syn::Item::Fn(item) => drop(scope.insert(plain(&item.sig.ident), None)),
                syn::Item::Const(item) => drop(scope.insert(plain(&item.ident), None)),
                syn::Item::Static(item) => drop(scope.insert(plain(&item.ident), None)),
                syn::Item::Struct(item) => drop(scope.insert(plain(&item.ident), None)),
                syn::Item::Enum(item) => drop(scope.insert(plain(&item.ident), None)),
                _ => {}
            }
        }
        self.scopes.push(scope);
        visit::visit_block(self, block);
        self.scopes.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
        self.record(&Route { is_global: path.leading_colon.is_some(), segments }, Use::Name);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        if let Some(name) = called.path.get_ident() {
            let package = self.program.modules.get(self.module).map(|module| module.package);
            let name = plain(name);
            let file = package.and_then(|package| self.program.macros.get(&(package, name.clone()))).copied();
            if let Some(file) = file {
                self.add(file, name);
            }
        }
        self.tokens(called.tokens.clone());
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(in super::super)` says who may import, and imports nothing.
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
            for route in tokens::quoted_paths(list.tokens.clone()) {
                self.record(&route, Use::Whole); // serde's `with = "module"` calls what is in it
            }
        }
    }
}
