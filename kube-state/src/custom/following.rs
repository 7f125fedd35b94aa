//! Connects custom kinds to watches: renders objects to rows, and starts and stops watches with the kind's definition.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use kubernetes::Identity;
use parking_lot::Mutex;

use super::{
    config::Config,
    discovery::{Changes, Definition, Discovery, Matched},
    family::Trouble,
    kind::CustomKind,
};
use crate::{kind::BadObject, moves::Moves, rows::Rows, watch::Render};

/// Renders a custom kind's objects.
#[derive(Debug)]
pub struct OfCustom {
    kind: Arc<CustomKind>,
    verbosity: u8,
    /// Families whose trouble was told. The same trouble of the next object is for those who look for it.
    told: Mutex<BTreeSet<String>>,
}

impl OfCustom {
    /// `verbosity` is how talkative the log is, in upstream's numbers.
    pub fn new(kind: Arc<CustomKind>, verbosity: u8) -> Self {
        Self { kind, verbosity, told: Mutex::default() }
    }

    fn tell(&self, object: &[u8], family: &str, trouble: &Trouble) {
        let name = name_of(object);
        let error = daemon::chain(trouble);
        let kind = &self.kind.plural;
        // What is not there is common: many fields are absent until something happens.
        if matches!(trouble, Trouble::Nothing { .. }) {
            tracing::debug!(kind, object = name, family, error, "custom resource value is not usable, series left out");
        } else if self.told.lock().insert(family.to_owned()) {
            tracing::warn!(
                kind,
                object = name,
                family,
                error,
                "custom resource value is not usable, series left out; further cases are logged at debug"
            );
        } else {
            tracing::debug!(kind, object = name, family, error, "custom resource value is not usable, series left out");
        }
    }
}

impl Render for OfCustom {
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        let mut trouble = |family: &str, level: u8, what: Trouble| {
            if level <= self.verbosity {
                self.tell(json, family, &what);
            }
        };
        self.kind.render(json, rows, &mut trouble)
    }

    fn family(&self, index: u16) -> &str {
        self.kind.families().nth(index.into()).unwrap_or("")
    }

    fn is_certain(&self) -> bool {
        true
    }

    fn listed(&self, _has: &dyn Fn(&str) -> bool, _moved: bool) {
        for (family, paths) in self.kind.unresolved().filter(|(_, paths)| !paths.is_empty()) {
            if self.told.lock().insert(format!("{family} unresolved")) {
                let (kind, paths) = (&self.kind.plural, paths.join(", "));
                tracing::warn!(
                    kind,
                    family,
                    paths,
                    "no object has a value at these paths of the custom-resource configuration so far"
                );
            }
        }
    }
}

/// `namespace/name` of an object.
fn name_of(json: &[u8]) -> String {
    let object: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    let part = |pointer| object.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
    match (part("/metadata/namespace"), part("/metadata/name")) {
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    }
}

/// Outcomes of definitions, as upstream counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Definitions that appeared.
    pub added: u64,
    /// Times that one changed or was sent again.
    pub updated: u64,
    /// Definitions that went.
    pub deleted: u64,
    /// Definitions that there are.
    pub known: usize,
}

/// Follows definitions; clones are the same follower. It is what renders them: they have no series, but what they define
/// is watched.
#[derive(Clone, Debug)]
pub struct Follower(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Changes of the kinds to watch.
    moves: Moves,
}

#[derive(Debug)]
struct State {
    discovery: Discovery,
    /// Names of definitions by uid.
    names: HashMap<String, String>,
    counts: Counts,
    /// Whether the definitions were all listed.
    is_listed: bool,
    /// Entries of the configuration of which it was said that the cluster lacks what they are about.
    told: BTreeSet<Matched>,
}

impl State {
    /// Says once of each entry of the configuration that the cluster lacks what it is about.
    fn tell_missing(&mut self) {
        if !self.is_listed {
            return;
        }
        let missing: BTreeSet<Matched> =
            self.discovery.matched().into_iter().filter(|entry| entry.missing.is_some()).collect();
        for Matched { names: [group, version, kind], missing } in missing.difference(&self.told) {
            tracing::warn!(
                group,
                version,
                kind,
                missing,
                "an entry of the custom-resource configuration matches nothing; waiting for a definition"
            );
        }
        self.told = missing;
    }
}

impl Follower {
    /// Follows what this configuration asks for.
    pub fn new(config: Config) -> Self {
        let discovery = Discovery::new(config);
        let state = Mutex::new(State {
            discovery,
            names: HashMap::new(),
            counts: Counts::default(),
            is_listed: false,
            told: BTreeSet::new(),
        });
        Self(Arc::new(Inner { state, moves: Moves::default() }))
    }

    /// Takes another configuration, of which the others of the program may have changed too.
    pub fn reconfigure(&self, config: Config) {
        let mut state = self.0.state.lock();
        state.discovery.reconfigure(config);
        state.tell_missing();
        drop(state);
        self.0.moves.note();
    }

    /// Waits until the kinds to watch have changed, and calls `apply` with them.
    pub async fn next(&self, apply: impl FnOnce(Vec<Arc<CustomKind>>)) {
        self.0.moves.next(|| apply(self.kinds())).await;
    }

    /// Has the same kinds applied anew: what else there is to their watches has changed.
    pub fn touch(&self) {
        self.0.moves.note();
    }

    /// The entries of the configuration, once the definitions of the cluster are known.
    pub fn matched(&self) -> BTreeSet<Matched> {
        let state = self.0.state.lock();
        if state.is_listed { state.discovery.matched() } else { BTreeSet::new() }
    }

    /// The kinds that are defined and configured.
    pub fn kinds(&self) -> Vec<Arc<CustomKind>> {
        self.0.state.lock().discovery.kinds().cloned().collect()
    }

    /// Whether all that is known to be defined is watched.
    pub fn is_settled(&self) -> bool {
        self.0.moves.is_settled()
    }

    /// Outcomes of definitions.
    pub fn counts(&self) -> Counts {
        let state = self.0.state.lock();
        Counts { known: state.discovery.definitions(), ..state.counts }
    }

    fn note(&self, changes: &Changes) {
        if !changes.is_empty() {
            for id in &changes.stop {
                tracing::info!(group = id.group, version = id.version, kind = id.kind, "stopped watching custom kind");
            }
            for kind in &changes.start {
                tracing::info!(path = kind.path(None), "started watching custom kind");
            }
            self.0.moves.note();
        }
    }
}

impl Render for Follower {
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        let uid = Identity::of(json).metadata.uid.into_owned();
        let definition = Definition::parse(json)?;
        rows.start(&uid, &[]);
        let mut state = self.0.state.lock();
        let is_new = state.names.insert(uid, definition.name.clone()).is_none();
        let count = if is_new { &mut state.counts.added } else { &mut state.counts.updated };
        *count += 1;
        let changes = state.discovery.apply(definition);
        state.tell_missing();
        drop(state);
        self.note(&changes);
        Ok(())
    }

    fn family(&self, _index: u16) -> &'static str {
        ""
    }

    fn gone(&self, _json: &[u8], uid: &str) {
        let mut state = self.0.state.lock();
        let Some(name) = state.names.remove(uid) else { return };
        state.counts.deleted += 1;
        // It may have been defined anew under its name before this was told.
        let is_there = state.names.values().any(|other| *other == name);
        let changes = if is_there { Changes::default() } else { state.discovery.remove(&name) };
        state.tell_missing();
        drop(state);
        self.note(&changes);
    }

    fn listed(&self, has: &dyn Fn(&str) -> bool, _moved: bool) {
        let gone: Vec<String> = self.0.state.lock().names.keys().filter(|uid| !has(uid)).cloned().collect();
        for uid in gone {
            self.gone(b"", &uid);
        }
        let mut state = self.0.state.lock();
        state.is_listed = true;
        state.tell_missing();
    }
}
