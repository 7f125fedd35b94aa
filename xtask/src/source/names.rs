//! What a path means: followed through imports, re-exports and globs to the file that defines it.

use super::modules::{Binding, FileId, ModuleId, Program, Route};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Module(ModuleId),
    /// An item, or something of an item: a variant, an associated function.
    Item {
        file: FileId,
        name: String,
    },
    /// A name that is not written in that module, so a macro makes it.
    Made {
        module: ModuleId,
        name: String,
    },
}

/// What is being looked up already: imports may lead back to themselves.
type Seen = Vec<(ModuleId, Route)>;

impl Program {
    /// All that a path can mean in a module; nothing when it leads out of the workspace. A name may stand for a type and
    /// a function at once, so there can be several.
    pub(crate) fn resolve(&self, from: ModuleId, route: &Route) -> Vec<Target> {
        self.resolve_unless(from, route, &mut Seen::new())
    }

    fn resolve_unless(&self, from: ModuleId, route: &Route, seen: &mut Seen) -> Vec<Target> {
        let key = (from, route.clone());
        let Some(module) = self.modules.get(from).filter(|_| !seen.contains(&key)) else { return Vec::new() };
        seen.push(key);
        let Some((first, rest)) = route.segments.split_first() else { return vec![Target::Module(module.root)] };
        let mut found = match first.as_str() {
            _ if route.is_global => self.library(module.package, first),
            "crate" => vec![Target::Module(module.root)],
            "self" => vec![Target::Module(from)],
            "super" => vec![Target::Module(module.parent)],
            name => {
                let is_bound = module.names.contains_key(name);
                let found = self.members(from, name, seen);
                if found.is_empty() && !is_bound { self.library(module.package, name) } else { found }
            }
        };
        for segment in rest {
            // What follows `::` is in a module rather than in a function of the same name.
            if found.iter().any(|target| matches!(target, Target::Module(_))) {
                found.retain(|target| matches!(target, Target::Module(_)));
            }
            let mut next = Vec::new();
            for target in found {
                match target {
                    Target::Module(module) => next.extend(self.step(module, segment, seen)),
                    of_item => next.push(of_item),
                }
            }
            found = next;
        }
        found
    }

    fn step(&self, module: ModuleId, segment: &str, seen: &mut Seen) -> Vec<Target> {
        match (segment, self.modules.get(module)) {
            ("self", _) => return vec![Target::Module(module)],
            ("super", Some(here)) => return vec![Target::Module(here.parent)],
            _ => {}
        }
        let is_bound = self.modules.get(module).is_some_and(|here| here.names.contains_key(segment));
        let found = self.members(module, segment, seen);
        if found.is_empty() && !is_bound {
            return vec![Target::Made { module, name: segment.to_owned() }];
        }
        found
    }

    /// What a module calls by this name, by its own items and imports, else by its globs.
    fn members(&self, module: ModuleId, name: &str, seen: &mut Seen) -> Vec<Target> {
        let Some(here) = self.modules.get(module) else { return Vec::new() };
        let mut found = Vec::new();
        if let Some(bindings) = here.names.get(name) {
            for binding in bindings {
                match binding {
                    Binding::Module(id) => found.push(Target::Module(*id)),
                    Binding::Item(file) => found.push(Target::Item { file: *file, name: name.to_owned() }),
                    Binding::Import(route) => found.extend(self.resolve_unless(module, route, seen)),
                }
            }
            return found;
        }
        for glob in &here.globs {
            for target in self.resolve_unless(module, glob, &mut seen.clone()) {
                let Target::Module(inside) = target else { continue };
                let key = (inside, Route { is_global: false, segments: vec!["*".to_owned(), name.to_owned()] });
                if !seen.contains(&key) {
                    seen.push(key);
                    found.extend(self.members(inside, name, seen));
                }
            }
        }
        found
    }

    fn library(&self, package: usize, name: &str) -> Vec<Target> {
        let package = self.packages.get(package).and_then(|package| package.uses.get(name));
        package.and_then(|package| self.libraries.get(package)).map(|root| Target::Module(*root)).into_iter().collect()
    }
}
