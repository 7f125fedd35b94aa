//! Objects of the server, and its configured faults.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::watch;

/// The behaviour of the server. Numbers say how often something happens from now on.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Whether there are streaming lists.
    pub streams: bool,
    /// Minor version that the server says it has.
    pub minor: u32,
    /// Pages after the first that are refused as expired.
    pub expired_pages: usize,
    /// Lists and watches that end in the middle of a line.
    pub half_lines: usize,
    /// Wait between pieces of an answer, which are small then.
    pub slow: Option<Duration>,
    /// Status with which every request is refused.
    pub refuse: Option<u16>,
    /// Seconds for which a client that is refused so is to wait.
    pub retry_after: Option<u16>,
    /// Collections that do not exist.
    pub missing: Vec<String>,
    /// Rights that are refused: verb (`get`, `list`, `watch`) and path.
    pub forbidden: Vec<(&'static str, String)>,
    /// Time between bookmarks.
    pub bookmarks: Duration,
    /// Kubernetes before 1.27: streaming lists are not refused, and never come to an end.
    pub endless_lists: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            streams: true,
            minor: 36,
            expired_pages: 0,
            half_lines: 0,
            slow: None,
            refuse: None,
            retry_after: None,
            missing: Vec::new(),
            forbidden: Vec::new(),
            bookmarks: Duration::from_secs(1),
            endless_lists: false,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) version: u64,
    /// ADDED, MODIFIED or DELETED; empty for a line that is sent as it is.
    pub(super) what: &'static str,
    pub(super) object: Bytes,
}

/// Kind and version of a collection's objects.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kind {
    #[serde(rename = "kind")]
    pub(super) name: String,
    pub(super) api_version: String,
}

impl Default for Kind {
    fn default() -> Self {
        Self { name: "Any".to_owned(), api_version: "v1".to_owned() }
    }
}

/// One collection.
#[derive(Debug, Default)]
pub(super) struct Collection {
    /// Of the first object that says one.
    pub(super) kind: Option<Kind>,
    pub(super) objects: BTreeMap<String, Bytes>,
    pub(super) log: Vec<Happened>,
    /// The number of log entries that are forgotten.
    pub(super) forgotten: usize,
    /// The last version that is forgotten.
    pub(super) compacted: u64,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) version: u64,
    pub(super) collections: HashMap<String, Collection>,
    /// The rest of lists in pages, by token.
    pub(super) pages: HashMap<String, (u64, Vec<Bytes>)>,
    pub(super) tokens: u64,
}

impl Inner {
    /// The kind of a collection's objects; nameless when no object ever said it.
    pub(super) fn kind_of(&self, collection: &str) -> Kind {
        self.collections.get(collection).and_then(|found| found.kind.clone()).unwrap_or_default()
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) inner: Mutex<Inner>,
    pub(super) behaviour: Mutex<Behaviour>,
    pub(super) requests: Mutex<Vec<String>>,
    /// Answers by path.
    pub(super) fixed: Mutex<HashMap<String, String>>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) hang_ups: watch::Sender<u64>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            // A version of 0 has a meaning of its own.
            inner: Mutex::new(Inner { version: 1, ..Inner::default() }),
            behaviour: Mutex::default(),
            requests: Mutex::default(),
            fixed: Mutex::default(),
            changed: watch::Sender::new(0),
            hang_ups: watch::Sender::new(0),
        }
    }
}

impl State {
    pub(super) fn put(&self, collection: &str, uid: &str, json: &str) {
        let mut inner = self.inner.lock();
        inner.version += 1;
        let version = inner.version;
        let versioned = format!("\"resourceVersion\":\"{version}\"");
        let object = Bytes::from(json.replacen("\"resourceVersion\":\"0\"", &versioned, 1));
        let collection = inner.collections.entry(collection.to_owned()).or_default();
        if collection.kind.is_none() {
            collection.kind = serde_json::from_str(json).ok();
        }
        let before = collection.objects.insert(uid.to_owned(), object.clone());
        let what = if before.is_some() { "MODIFIED" } else { "ADDED" };
        collection.log.push(Happened { version, what, object });
        self.changed.send_replace(version);
    }

    pub(super) fn remove(&self, collection: &str, uid: &str) {
        let mut inner = self.inner.lock();
        inner.version += 1;
        let version = inner.version;
        let collection = inner.collections.entry(collection.to_owned()).or_default();
        if let Some(object) = collection.objects.remove(uid) {
            collection.log.push(Happened { version, what: "DELETED", object });
        }
        self.changed.send_replace(version);
    }

    pub(super) fn say(&self, collection: &str, line: &str) {
        let mut inner = self.inner.lock();
        inner.version += 1;
        let version = inner.version;
        let collection = inner.collections.entry(collection.to_owned()).or_default();
        collection.log.push(Happened { version, what: "", object: Bytes::copy_from_slice(line.as_bytes()) });
        self.changed.send_replace(version);
    }

    pub(super) fn compact(&self) {
        let mut inner = self.inner.lock();
        inner.version += 1;
        let version = inner.version;
        for collection in inner.collections.values_mut() {
            collection.forgotten += collection.log.len();
            collection.log.clear();
            collection.compacted = version;
        }
    }
}
