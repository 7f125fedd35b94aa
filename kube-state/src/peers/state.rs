//! Records in the order of their changes.
//!
//! Objects come by watches, at any time; what is told of them is made up when somebody asks, at most once a second,
//! since it depends on which workload a pod belongs to, which depends on other watches. Each thing that was told anew
//! has the number of a change; a client that has seen all up to some number is told what came after it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use kubernetes::peers::{API_SERVER, Kind, Line, Record};

use super::read::{Endpoint, Name, Slice};
use crate::workloads::Belongs;

/// Maximum of removed records that are remembered.
const MOST_GONE: usize = 65_536;
type Key = (Kind, Arc<str>);
/// The line that tells of an object, with its end; nothing when it cannot be met.
type Text = Option<Box<[u8]>>;

#[derive(Debug)]
struct Object {
    endpoint: Endpoint,
    /// The watch that sees it.
    scope: u64,
    /// When it was last another, as the number of an event.
    at: u64,
    is_new: bool,
    /// For pods and services, as it was told.
    belongs: Option<Belongs>,
}

/// What a client is told of a change.
#[derive(Debug)]
enum Told {
    /// The line.
    Set(Box<[u8]>),
    Gone,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    objects: HashMap<Key, Object>,
    slices: HashMap<Box<str>, (u64, Slice)>,
    events: u64,
    /// The last change.
    change: u64,
    log: BTreeMap<u64, (Key, Told)>,
    /// The change that told each record.
    shown: HashMap<Key, u64>,
    gone: VecDeque<u64>,
    /// The last change that is no longer known.
    forgotten: u64,
}

impl State {
    pub(super) fn put(&mut self, scope: u64, kind: Kind, uid: &str, endpoint: Endpoint) {
        self.events += 1;
        let at = self.events;
        let key = (kind, Arc::from(uid));
        match self.objects.get_mut(&key) {
            Some(object) => {
                object.scope = object.scope.max(scope);
                if object.endpoint != endpoint {
                    (object.endpoint, object.at, object.is_new) = (endpoint, at, true);
                }
            }
            None => {
                self.objects.insert(key, Object { endpoint, scope, at, is_new: true, belongs: None });
            }
        }
    }

    pub(super) fn put_slice(&mut self, scope: u64, uid: &str, slice: Slice) {
        self.events += 1;
        self.slices.insert(uid.into(), (scope, slice));
    }

    /// An object is gone, as a watch says that still has it.
    pub(super) fn remove(&mut self, scope: u64, kind: Kind, uid: &str) {
        let key = (kind, Arc::from(uid));
        if self.objects.get(&key).is_some_and(|object| object.scope == scope) {
            self.objects.remove(&key);
            self.hide(&key);
        }
    }

    pub(super) fn remove_slice(&mut self, uid: &str) {
        self.slices.remove(uid);
    }

    /// What a list no longer has is gone.
    pub(super) fn sweep(&mut self, scope: u64, has: &dyn Fn(&str) -> bool) {
        self.slices.retain(|uid, (theirs, _)| *theirs != scope || has(uid));
        let over = self.objects.iter().filter(|((_, uid), object)| object.scope == scope && !has(uid));
        let over: Vec<Key> = over.map(|(key, _)| key.clone()).collect();
        for key in over {
            self.objects.remove(&key);
            self.hide(&key);
        }
    }

    /// Makes up what is told, from now on, of everything that has changed.
    pub(super) fn refresh(&mut self, belongs: &dyn Fn(&str) -> Option<Belongs>) {
        let behind = self.behind(belongs);
        let mut news: Vec<(u64, Key, Text)> = Vec::new();
        for (key, object) in &mut self.objects {
            let now = match key.0 {
                Kind::Pod => match belongs(&key.1) {
                    // It waits for its owner. What was told of it before holds until then, unless it has ended.
                    None if !object.endpoint.addresses.is_empty() => continue,
                    now => now,
                },
                Kind::Service => behind.get(&object.endpoint.name).cloned().flatten(),
                Kind::Node | Kind::ApiServer => None,
            };
            if object.is_new || now != object.belongs {
                (object.is_new, object.belongs) = (false, now);
                news.push((object.at, key.clone(), line(key, object)));
            }
        }
        news.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let api_server = (Kind::ApiServer, Arc::from(API_SERVER));
        let own = self.api_server(&api_server);
        news.push((0, api_server, own));
        for (_, key, line) in news {
            match line {
                Some(line) => self.show(key, line),
                None => self.hide(&key),
            }
        }
    }

    /// The workload behind each service that has only one.
    fn behind(&self, belongs: &dyn Fn(&str) -> Option<Belongs>) -> HashMap<Name, Option<Belongs>> {
        let mut behind: HashMap<Name, Option<Belongs>> = HashMap::new();
        for (_, slice) in self.slices.values() {
            for uid in &slice.pods {
                let one = belongs(uid).filter(Belongs::is_shared);
                let known = behind.entry(slice.service.clone()).or_insert_with(|| one.clone());
                if *known != one {
                    *known = None;
                }
            }
        }
        behind
    }

    fn api_server(&self, key: &Key) -> Text {
        let slices = self.slices.values().map(|(_, slice)| slice).filter(|slice| slice.service.is_api_server());
        let (mut addresses, mut ports) = (Vec::new(), Vec::new());
        for slice in slices {
            addresses.extend_from_slice(&slice.addresses);
            ports.extend_from_slice(&slice.ports);
        }
        addresses.sort_unstable();
        addresses.dedup();
        ports.sort_unstable();
        ports.dedup();
        let record = Record { addresses: addresses.into(), ports: ports.into(), ..Record::default() };
        written(key, record)
    }

    fn show(&mut self, key: Key, line: Box<[u8]>) {
        if let Some(at) = self.shown.get(&key) {
            let is_same = matches!(self.log.get(at), Some((_, Told::Set(before))) if *before == line);
            if is_same {
                return;
            }
            self.log.remove(at);
        }
        self.change += 1;
        self.shown.insert(key.clone(), self.change);
        self.log.insert(self.change, (key, Told::Set(line)));
    }

    fn hide(&mut self, key: &Key) {
        let Some(at) = self.shown.remove(key) else { return };
        self.log.remove(&at);
        self.change += 1;
        self.log.insert(self.change, (key.clone(), Told::Gone));
        self.gone.push_back(self.change);
        if self.gone.len() > MOST_GONE
            && let Some(oldest) = self.gone.pop_front()
        {
            self.log.remove(&oldest);
            self.forgotten = oldest;
        }
    }

    /// The last change.
    pub(super) fn change(&self) -> u64 {
        self.change
    }

    /// Whether all that came after a change is known.
    pub(super) fn knows(&self, since: u64) -> bool {
        (self.forgotten..=self.change).contains(&since)
    }

    /// Appends what came after a change, or everything; only of pods, where others tell the rest. Gives the number of
    /// lines.
    pub(super) fn write(&self, since: Option<u64>, only_pods: bool, out: &mut Vec<u8>) -> u64 {
        let mut lines = 0;
        for (_, ((kind, id), told)) in self.log.range(since.map_or(0, |since| since + 1)..) {
            if only_pods && *kind != Kind::Pod {
                continue;
            }
            match told {
                Told::Set(line) => out.extend_from_slice(line),
                // Who is told everything does not know it; who is told that it is here again need not.
                Told::Gone if since.is_none() || self.shown.contains_key(&(*kind, Arc::clone(id))) => continue,
                Told::Gone => Line::Gone { kind: *kind, id: Cow::Borrowed(id) }.write(out),
            }
            lines += 1;
        }
        lines
    }
}

fn line(key: &Key, object: &Object) -> Text {
    let Endpoint { name, addresses, node_ports, answers_dns } = &object.endpoint;
    let (workload_kind, workload) = match &object.belongs {
        Some(belongs) => (belongs.kind(), belongs.name_or(&name.name)),
        None => ("", ""),
    };
    let record = Record {
        namespace: Cow::Borrowed(&name.namespace),
        name: Cow::Borrowed(&name.name),
        workload_kind: workload_kind.into(),
        workload: workload.into(),
        answers_dns: *answers_dns,
        addresses: Cow::Borrowed(addresses),
        node_ports: Cow::Borrowed(node_ports),
        ports: Cow::default(),
    };
    written(key, record)
}

fn written((kind, id): &Key, record: Record<'_>) -> Text {
    if record.addresses.is_empty() {
        return None;
    }
    let mut text = Vec::new();
    Line::Set { kind: *kind, id: Cow::Borrowed(id), record }.write(&mut text);
    Some(text.into())
}
