//! Custom kinds that exist. A changed definition affects its own kinds only.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use kubernetes::lax::{Flag, List, Sub, Text};
use serde::Deserialize;

use super::{
    config::{Config, Resource},
    kind::{CustomKind, Id},
};
use crate::kind::BadObject;

/// What a cluster says about a kind of its own: the part of a CustomResourceDefinition that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name: `ships.fleet.example.org`.
    pub name: String,
    group: String,
    kind: String,
    plural: String,
    namespaced: bool,
    /// Those that are served; none until the definition is established.
    versions: BTreeSet<String>,
}

/// What an event changes: kinds to watch no longer, and kinds to watch from now on. A kind can be in both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Kinds whose watch and store go.
    pub stop: Vec<Id>,
    /// Kinds that get a watch and a store.
    pub start: Vec<Arc<CustomKind>>,
}

impl Changes {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.stop.is_empty() && self.start.is_empty()
    }
}

/// An entry of the configuration, and whether the cluster has what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Matched {
    /// Group, version and kind, each `*` where any will do.
    pub names: [String; 3],
    /// What is missing; `None` when there is a kind.
    pub missing: Option<String>,
}

/// The kinds that are defined and configured.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    config: Config,
    definitions: BTreeMap<String, Definition>,
    kinds: BTreeMap<Id, Arc<CustomKind>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct View<'v> {
    metadata: Sub<Metadata<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Status<'v> {
    conditions: List<Sub<Condition<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Condition<'v> {
    r#type: Text<'v>,
    status: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Metadata<'v> {
    name: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Spec<'v> {
    group: Text<'v>,
    names: Sub<Names<'v>>,
    scope: Text<'v>,
    versions: List<Sub<Version<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Names<'v> {
    kind: Text<'v>,
    plural: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Version<'v> {
    name: Text<'v>,
    served: Flag,
}

impl Definition {
    /// Reads a CustomResourceDefinition.
    pub fn parse(json: &[u8]) -> Result<Self, BadObject> {
        let wrong = |source| BadObject::Read { plural: "customresourcedefinitions".into(), source };
        let view: View<'_> = serde_json::from_slice(json).map_err(wrong)?;
        let spec = &view.spec;
        let mut conditions = view.status.conditions.iter();
        let is_served = conditions.any(|condition| condition.r#type == "Established" && condition.status == "True");
        let served = spec.versions.iter().filter(|version| is_served && version.served.is_set());
        let definition = Self {
            name: view.metadata.name.as_str().to_owned(),
            group: spec.group.as_str().to_owned(),
            kind: spec.names.kind.as_str().to_owned(),
            plural: spec.names.plural.as_str().to_owned(),
            namespaced: spec.scope != "Cluster",
            versions: served.map(|version| version.name.as_str().to_owned()).collect(),
        };
        let named = [&definition.name, &definition.group, &definition.kind, &definition.plural];
        if named.iter().any(|name| name.is_empty()) {
            return Err(BadObject::Definition { name: definition.name });
        }
        Ok(definition)
    }

    /// The kind in each of its versions that the configuration wants.
    fn kinds(&self, config: &Config) -> BTreeMap<Id, Arc<CustomKind>> {
        let mut kinds = BTreeMap::new();
        for version in &self.versions {
            let wants = |resource: &&Resource| resource.is_about(&self.group, version, &self.kind);
            let mut resources = config.resources.iter().filter(wants).peekable();
            if resources.peek().is_some() {
                let (group, kind) = (self.group.clone(), self.kind.clone());
                let id = Id { group, version: version.clone(), kind };
                let kind = CustomKind::new(id.clone(), self.plural.clone(), self.namespaced, resources);
                kinds.insert(id, Arc::new(kind));
            }
        }
        kinds
    }
}

impl Discovery {
    /// No definition is known yet.
    pub fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// The kinds that are defined and configured.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<CustomKind>> {
        self.kinds.values()
    }

    /// The entries of the configuration, each of them once, in order of their names.
    pub fn matched(&self) -> BTreeSet<Matched> {
        let matched = |resource: &Resource| Matched {
            names: resource.names().map(str::to_owned),
            missing: self.missing(resource),
        };
        self.config.resources.iter().map(matched).collect()
    }

    /// What the cluster lacks that an entry is about.
    fn missing(&self, resource: &Resource) -> Option<String> {
        let [group, version, kind] = resource.names();
        if self.kinds.keys().any(|id| resource.is_about(&id.group, &id.version, &id.kind)) {
            return None;
        }
        let of_group: Vec<&Definition> = self.definitions.values().filter(|known| known.group == group).collect();
        if of_group.is_empty() {
            return Some(format!("the cluster defines no kind of the group {group}"));
        }
        let of_kind: Vec<&&Definition> = of_group.iter().filter(|known| kind == "*" || known.kind == kind).collect();
        if of_kind.is_empty() {
            let kinds: Vec<&str> = of_group.iter().map(|known| known.kind.as_str()).collect();
            return Some(format!("the group {group} has no kind {kind}; it has {}", kinds.join(", ")));
        }
        let versions: BTreeSet<&str> = of_kind.iter().flat_map(|known| &known.versions).map(String::as_str).collect();
        if versions.is_empty() {
            return Some(format!("{kind} of {group} is not established"));
        }
        let versions: Vec<&str> = versions.into_iter().collect();
        Some(format!("{kind} of {group} is not served in version {version}; it is served in {}", versions.join(", ")))
    }

    /// Number of known definitions.
    pub fn definitions(&self) -> usize {
        self.definitions.len()
    }

    /// Takes a definition that is new or has changed. Most changes of a definition are changes of its status and move
    /// nothing.
    pub fn apply(&mut self, definition: Definition) -> Changes {
        let now = definition.kinds(&self.config);
        let before = self.definitions.insert(definition.name.clone(), definition);
        self.replace(before.as_ref(), now)
    }

    /// Takes away a definition.
    pub fn remove(&mut self, name: &str) -> Changes {
        let before = self.definitions.remove(name);
        self.replace(before.as_ref(), BTreeMap::new())
    }

    /// Takes away all definitions that a list no longer has.
    pub fn retain(&mut self, listed: impl Fn(&str) -> bool) -> Changes {
        let gone: Vec<String> = self.definitions.keys().filter(|name| !listed(name)).cloned().collect();
        let mut changes = Changes::default();
        for name in gone {
            changes.stop.extend(self.remove(&name).stop);
        }
        changes
    }

    /// Takes another configuration. Kinds that it treats as the old one did go on.
    pub fn reconfigure(&mut self, config: Config) -> Changes {
        let mut changes = Changes::default();
        for definition in self.definitions.clone().values() {
            let moved = self.replace(Some(definition), definition.kinds(&config));
            changes.stop.extend(moved.stop);
            changes.start.extend(moved.start);
        }
        self.config = config;
        changes
    }

    /// Puts kinds in place of those that a definition had.
    fn replace(&mut self, before: Option<&Definition>, now: BTreeMap<Id, Arc<CustomKind>>) -> Changes {
        let mut changes = Changes::default();
        let is_its = |id: &Id| before.is_some_and(|before| before.group == id.group && before.kind == id.kind);
        let old: Vec<Id> = self.kinds.keys().filter(|id| is_its(id)).cloned().collect();
        for id in old {
            if self.kinds.get(&id) != now.get(&id) {
                self.kinds.remove(&id);
                changes.stop.push(id);
            }
        }
        for (id, kind) in now {
            if let Entry::Vacant(place) = self.kinds.entry(id) {
                place.insert(Arc::clone(&kind));
                changes.start.push(kind);
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn config(resources: &str) -> Config {
        Config::parse(&format!("spec: {{resources: [{resources}]}}"), Path::new("crs.yaml")).unwrap()
    }

    fn definition(plural: &str, kind: &str, versions: &[(&str, bool)]) -> Definition {
        let versions: Vec<_> = versions.iter().map(|(name, served)| json!({"name": name, "served": served})).collect();
        let spec = json!({"group": "fleet.example.org", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural}, "versions": versions});
        let name = format!("{plural}.fleet.example.org");
        let status = json!({"conditions": [{"type": "NamesAccepted", "status": "True"},
            {"type": "Established", "status": "True"}]});
        let text = json!({"metadata": {"name": name}, "spec": spec, "status": status}).to_string();
        Definition::parse(text.as_bytes()).unwrap()
    }

    fn said(changes: &Changes) -> String {
        let stop = changes.stop.iter().map(|id| format!("-{}/{}", id.version, id.kind));
        let start = changes.start.iter().map(|kind| format!("+{}", kind.path(Some("sea"))));
        stop.chain(start).collect::<Vec<_>>().join(" ")
    }

    const SHIPS: &str = "{groupVersionKind: {group: fleet.example.org, version: v1, kind: Ship}, metrics: \
                         [{name: ship, each: {type: info, info: {labelsFromPath: {name: [metadata, name]}}}}]}";

    #[test]
    fn a_definition_moves_its_own_kinds_only() {
        let all = "{groupVersionKind: {group: fleet.example.org, version: '*', kind: '*'}, metrics: []}";
        let mut discovery = Discovery::new(config(all));
        let ships = definition("ships", "Ship", &[("v1", true), ("v1beta1", true), ("v0", false)]);
        let namespaced = "/apis/fleet.example.org/v1beta1/namespaces/sea/ships";
        assert_eq!(
            said(&discovery.apply(ships.clone())),
            format!("+/apis/fleet.example.org/v1/namespaces/sea/ships +{namespaced}")
        );
        assert!(discovery.apply(ships).is_empty(), "nothing has changed");
        assert_eq!(
            said(&discovery.apply(definition("crews", "Crew", &[("v1", true)]))),
            "+/apis/fleet.example.org/v1/namespaces/sea/crews"
        );
        let without_beta = definition("ships", "Ship", &[("v1", true), ("v1beta1", false)]);
        assert_eq!(said(&discovery.apply(without_beta)), "-v1beta1/Ship");
        assert_eq!(said(&discovery.remove("crews.fleet.example.org")), "-v1/Crew");
        assert!(discovery.remove("crews.fleet.example.org").is_empty());
        assert_eq!((discovery.kinds().count(), discovery.definitions()), (1, 1));
        assert_eq!(said(&discovery.retain(|_| false)), "-v1/Ship");
    }

    #[test]
    fn only_what_is_configured_is_watched() {
        let mut discovery = Discovery::new(config(SHIPS));
        assert!(discovery.apply(definition("crews", "Crew", &[("v1", true)])).is_empty());
        assert!(discovery.apply(definition("ships", "Ship", &[("v2", true)])).is_empty());
        assert!(!discovery.apply(definition("ships", "Ship", &[("v1", true), ("v2", true)])).is_empty());
        assert_eq!(discovery.kinds().count(), 1);
    }

    #[test]
    fn what_the_cluster_lacks_is_said() {
        let entry = |version: &str, kind: &str| {
            format!(
                "{{groupVersionKind: {{group: fleet.example.org, version: '{version}', kind: '{kind}'}}, metrics: []}}"
            )
        };
        let other = "{groupVersionKind: {group: else.example.org, kind: Ship}, metrics: []}";
        let entries =
            [entry("v1", "Ship"), entry("v3", "Ship"), entry("v1", "Shop"), entry("*", "*"), entry("v1", "Ship")];
        let mut discovery = Discovery::new(config(&format!("{}, {other}", entries.join(", "))));
        let missing = |discovery: &Discovery| -> Vec<String> {
            let matched = discovery.matched().into_iter();
            matched.filter_map(|entry| Some(format!("{}: {}", entry.names.join("/"), entry.missing?))).collect()
        };
        assert_eq!(missing(&discovery).len(), 5, "entries that are the same count once");
        discovery.apply(definition("crews", "Crew", &[("v2", true)]));
        discovery.apply(definition("ships", "Ship", &[("v1", true), ("v2", true), ("v3", false)]));
        assert_eq!(
            missing(&discovery),
            [
                "else.example.org/*/Ship: the cluster defines no kind of the group else.example.org",
                "fleet.example.org/v1/Shop: the group fleet.example.org has no kind Shop; it has Crew, Ship",
                "fleet.example.org/v3/Ship: Ship of fleet.example.org is not served in version v3; it is served in v1, v2",
            ]
        );
        discovery.apply(definition("ships", "Ship", &[("v1", false)]));
        assert!(missing(&discovery)[1].ends_with("v1/Ship: Ship of fleet.example.org is not established"));
    }

    #[test]
    fn another_plural_or_scope_is_another_watch() {
        let mut discovery = Discovery::new(config(SHIPS));
        discovery.apply(definition("ships", "Ship", &[("v1", true)]));
        let mut cluster = definition("ships", "Ship", &[("v1", true)]);
        cluster.namespaced = false;
        assert_eq!(said(&discovery.apply(cluster)), "-v1/Ship +/apis/fleet.example.org/v1/ships");
    }

    #[test]
    fn another_configuration_moves_what_it_changes() {
        let crews = SHIPS.replace("Ship", "Crew").replace("ship", "crew");
        let mut discovery = Discovery::new(config(&format!("{SHIPS}, {crews}")));
        discovery.apply(definition("ships", "Ship", &[("v1", true)]));
        discovery.apply(definition("crews", "Crew", &[("v1", true)]));
        let with_help = crews.replace("name: crew,", "name: crew, help: Who is on board.,");
        let changes = discovery.reconfigure(config(&format!("{SHIPS}, {with_help}")));
        assert_eq!(said(&changes), "-v1/Crew +/apis/fleet.example.org/v1/namespaces/sea/crews");
        assert_eq!(said(&discovery.reconfigure(config(SHIPS))), "-v1/Crew");
    }

    #[test]
    fn entries_for_one_kind_are_one_watch_with_the_families_of_both() {
        let more = SHIPS.replace("name: ship", "name: more").replace("version: v1", "version: '*'");
        let mut discovery = Discovery::new(config(&format!("{SHIPS}, {more}")));
        discovery.apply(definition("ships", "Ship", &[("v1", true)]));
        let kind = discovery.kinds().next().unwrap();
        assert_eq!(kind.families().collect::<Vec<_>>(), ["kube_customresource_ship", "kube_customresource_more"]);
    }

    #[test]
    fn what_is_not_established_is_not_served() {
        let mut discovery = Discovery::new(config(SHIPS));
        let text = r#"{"metadata":{"name":"ships.fleet.example.org"},"spec":{"group":"fleet.example.org",
            "names":{"kind":"Ship","plural":"ships"},"versions":[{"name":"v1","served":true}]},
            "status":{"conditions":[{"type":"Established","status":"False"}]}}"#;
        assert!(discovery.apply(Definition::parse(text.as_bytes()).unwrap()).is_empty());
        let text = text.replace("False", "True");
        assert_eq!(discovery.apply(Definition::parse(text.as_bytes()).unwrap()).start.len(), 1);
    }

    #[test]
    fn a_definition_names_its_kind() {
        for text in ["", "{}", "[]", r#"{"metadata":{"name":"x"},"spec":{"group":7}}"#] {
            assert!(Definition::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
