//! The module trees of all packages: which file holds which module, and which names each module has.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use syn::{Item, UseTree};

use super::packages::Package;
use super::test_code;

pub(crate) type FileId = usize;
pub(crate) type ModuleId = usize;

/// A path as it is written: `crate::a::b`, `::std::fs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    /// Whether `::` stands first.
    pub(crate) is_global: bool,
    pub(crate) segments: Vec<String>,
}

/// What a name in a module stands for.
#[derive(Debug, Clone)]
pub(crate) enum Binding {
    Module(ModuleId),
    /// A type, function, constant, trait or macro, and the file that defines it.
    Item(FileId),
    Import(Route),
}

/// A module, in a file of its own or in braces.
#[derive(Debug)]
pub(crate) struct Module {
    /// The module at the root of the library or program.
    pub(crate) root: ModuleId,
    pub(crate) parent: ModuleId,
    pub(crate) package: usize,
    pub(crate) file: FileId,
    pub(crate) names: HashMap<String, Vec<Binding>>,
    /// What `use …::*` names.
    pub(crate) globs: Vec<Route>,
}

/// A file and the module that it holds.
pub(crate) struct SourceFile {
    /// Below the root of the checkout.
    pub(crate) path: PathBuf,
    pub(crate) module: ModuleId,
    pub(crate) syntax: syn::File,
}

/// All of it.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) packages: Vec<Package>,
    pub(crate) files: Vec<SourceFile>,
    pub(crate) modules: Vec<Module>,
    /// The root module of each package's library.
    pub(crate) libraries: BTreeMap<String, ModuleId>,
    /// `macro_rules!` of a package, which can be called below their text without a path.
    pub(crate) macros: HashMap<(usize, String), FileId>,
}

/// Where a module's text stands.
struct Place {
    package: usize,
    /// The module above and the root; none for a root.
    above: Option<(ModuleId, ModuleId)>,
    file: FileId,
    /// The folder of the files of modules that are declared here.
    children: PathBuf,
}

impl Program {
    /// Reads every file that is part of a library or program of these packages, without code for tests.
    pub(crate) fn read(root: &Path, packages: Vec<Package>) -> Result<Self> {
        let mut program = Self::default();
        for (number, package) in packages.iter().enumerate() {
            for source in package.library.iter().chain(&package.programs) {
                let children = source.parent().unwrap_or(root).to_owned();
                let module = program.file(root, number, None, source, children)?;
                if package.library.as_ref() == Some(source) {
                    program.libraries.insert(package.name.clone(), module);
                }
            }
        }
        program.packages = packages;
        Ok(program)
    }

    fn file(
        &mut self,
        root: &Path,
        package: usize,
        above: Option<(ModuleId, ModuleId)>,
        path: &Path,
        children: PathBuf,
    ) -> Result<ModuleId> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let syntax = syn::parse_file(&text)
            .map_err(|error| anyhow::anyhow!("{}:{}: {error}", path.display(), error.span().start().line))?;
        let file = self.files.len();
        let shown = path.strip_prefix(root).unwrap_or(path).to_owned();
        self.files.push(SourceFile { path: shown, module: self.modules.len(), syntax });
        let items = self.files.last().map(|file| file.syntax.items.clone()).unwrap_or_default();
        self.module(root, &Place { package, above, file, children }, &items)
    }

    fn module(&mut self, root: &Path, place: &Place, items: &[Item]) -> Result<ModuleId> {
        let id = self.modules.len();
        let (parent, top) = place.above.unwrap_or((id, id));
        self.modules.push(Module {
            root: top,
            parent,
            package: place.package,
            file: place.file,
            names: HashMap::new(),
            globs: Vec::new(),
        });
        for item in items.iter().filter(|item| !test_code::is_marked(test_code::attributes(item))) {
            if let Item::Mod(declared) = item {
                let child = self.child(root, place, (id, top), declared)?;
                if let Some(child) = child {
                    self.bind(id, declared.ident.to_string(), Binding::Module(child));
                }
            } else {
                self.item(id, top, place, item);
            }
        }
        Ok(id)
    }

    /// The module that `mod x;` or `mod x { … }` declares; none when its file is for another machine.
    fn child(
        &mut self,
        root: &Path,
        place: &Place,
        above: (ModuleId, ModuleId),
        declared: &syn::ItemMod,
    ) -> Result<Option<ModuleId>> {
        let name = plain(&declared.ident);
        if let Some((_, items)) = &declared.content {
            let (package, file, children) = (place.package, place.file, place.children.join(&name));
            return self.module(root, &Place { package, above: Some(above), file, children }, items).map(Some);
        }
        let here = self.files.get(place.file).map(|file| root.join(&file.path)).unwrap_or_default();
        let found = match path_of(declared) {
            Some(path) => Some(here.parent().unwrap_or(root).join(path)),
            None => [place.children.join(format!("{name}.rs")), place.children.join(&name).join("mod.rs")]
                .into_iter()
                .find(|path| path.is_file()),
        };
        let Some(path) = found else {
            if declared.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
                return Ok(None);
            }
            bail!("{}: no file for `mod {name};`", here.display());
        };
        let is_folder = path.file_name().is_some_and(|file| file == "mod.rs");
        let folder = path.parent().unwrap_or(root);
        let children = match path.file_stem() {
            Some(stem) if !is_folder => folder.join(stem),
            _ => folder.to_owned(),
        };
        self.file(root, place.package, Some(above), &path, children).map(Some)
    }

    fn item(&mut self, id: ModuleId, top: ModuleId, place: &Place, item: &Item) {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::TraitAlias(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Macro(item) => {
                if let Some(name) = &item.ident {
                    self.macros.entry((place.package, plain(name))).or_insert(place.file);
                    if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
                        self.bind(top, plain(name), Binding::Item(place.file));
                    }
                    self.bind(id, plain(name), Binding::Item(place.file));
                }
                return;
            }
            Item::ExternCrate(item) => {
                let name = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
                let route = Route { is_global: true, segments: vec![plain(&item.ident)] };
                self.bind(id, plain(name), Binding::Import(route));
                return;
            }
            Item::Use(item) => {
                for leaf in leaves(item) {
                    match leaf {
                        Leaf::Glob(route) => {
                            if let Some(module) = self.modules.get_mut(id) {
                                module.globs.push(route);
                            }
                        }
                        Leaf::Name { name, route } => self.bind(id, name, Binding::Import(route)),
                    }
                }
                return;
            }
            _ => return,
        };
        self.bind(id, plain(name), Binding::Item(place.file));
    }

    fn bind(&mut self, module: ModuleId, name: String, binding: Binding) {
        if let Some(module) = self.modules.get_mut(module) {
            module.names.entry(name).or_default().push(binding);
        }
    }
}

/// An identifier without `r#`.
pub(crate) fn plain(ident: &proc_macro2::Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

fn path_of(declared: &syn::ItemMod) -> Option<String> {
    declared.attrs.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// One thing that a `use` names.
#[derive(Debug)]
pub(crate) enum Leaf {
    /// The name that it has from here on, `_` for a trait without one.
    Name {
        name: String,
        route: Route,
    },
    Glob(Route),
}

/// All that a `use` names, one by one.
pub(crate) fn leaves(item: &syn::ItemUse) -> Vec<Leaf> {
    let mut all = Vec::new();
    branch(item.leading_colon.is_some(), &item.tree, &mut Vec::new(), &mut all);
    all
}

fn branch(is_global: bool, tree: &UseTree, before: &mut Vec<String>, all: &mut Vec<Leaf>) {
    let route = |before: &[String], last: Option<String>| {
        let segments = before.iter().cloned().chain(last.filter(|last| last != "self" || before.is_empty())).collect();
        Route { is_global, segments }
    };
    match tree {
        UseTree::Path(path) => {
            before.push(plain(&path.ident));
            branch(is_global, &path.tree, before, all);
            before.pop();
        }
        UseTree::Name(leaf) => {
            let route = route(before, Some(plain(&leaf.ident)));
            let name = route.segments.last().cloned().unwrap_or_default();
            all.push(Leaf::Name { name, route });
        }
        UseTree::Rename(leaf) => {
            let route = route(before, Some(plain(&leaf.ident)));
            let name = leaf.rename.to_string();
            all.push(Leaf::Name { name, route });
        }
        UseTree::Glob(_) => all.push(Leaf::Glob(route(before, None))),
        UseTree::Group(group) => {
            for tree in &group.items {
                branch(is_global, tree, before, all);
            }
        }
    }
}
