//! /peers: names and workloads of the cluster's addresses, for agents.
//!
//! The protocol is `docs/decisions/0008-peers-from-one-slim-source.md`. A client says which change it saw last and gets
//! what came after it; nothing is kept per client, so that a thousand of them cost a thousand short answers and no
//! watch of the API server's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use daemon::Reply;
use kubernetes::{
    Identity,
    peers::{CONTENT_TYPE, Kind, Line, VERSION},
};
use parking_lot::Mutex;

mod read;
mod state;
#[cfg(test)]
mod tests;

use state::State;

use crate::{
    kind::{BadObject, Resource},
    rows::Rows,
    watch::Render,
    workloads::Workloads,
};

/// What is told is made up anew when it is older.
const FRESH: Duration = Duration::from_secs(1);
/// Kinds that are watched beside pods, by plural name.
pub const KINDS: [&str; 3] = ["endpointslices", "nodes", "services"];

/// See the module. Clones are the same.
#[derive(Clone, Debug)]
pub struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    workloads: Workloads,
    /// What tokens of this process begin with.
    epoch: String,
    state: Mutex<(State, Option<Instant>)>,
    /// Watches so far; each has its number.
    scopes: AtomicU64,
}

impl Peers {
    /// Knows nobody yet. Which workload a pod belongs to is asked of `workloads`.
    pub fn new(workloads: Workloads) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = format!("{:x}.{:x}", now.as_nanos(), std::process::id());
        Self(Arc::new(Inner { workloads, epoch, state: Mutex::default(), scopes: AtomicU64::new(0) }))
    }

    /// Renders pods as `inner` does, and takes a look at them.
    pub fn of_pods(&self, inner: Arc<dyn Render>) -> impl Render + use<> {
        OfPods { inner, peers: self.clone(), scope: self.scope() }
    }

    /// Takes a look at objects of one of the other [`KINDS`].
    pub fn of(&self, resource: &'static dyn Resource) -> impl Render + use<> {
        OfOthers { plural: resource.about().plural, peers: self.clone(), scope: self.scope() }
    }

    /// The answer to a query. `ready` fails while there is something that was not seen yet; the shards but the first
    /// tell of pods alone.
    pub fn answer(&self, query: &[(String, String)], ready: Result<(), String>, is_first_shard: bool) -> Reply {
        let asked = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if asked("version").is_some_and(|version| version != VERSION.to_string()) {
            return Reply::status(400, format!("versions: {VERSION}\n"));
        }
        if let Err(missing) = ready {
            return Reply::status(503, format!("not ready: {missing}\n"));
        }
        let Inner { workloads, epoch, state, .. } = &*self.0;
        let mut state = state.lock();
        let (state, refreshed) = &mut *state;
        if refreshed.is_none_or(|at| at.elapsed() >= FRESH) {
            workloads.settled(|belongs| state.refresh(belongs));
            *refreshed = Some(Instant::now());
        }
        let since = asked("since").and_then(|token| self.change_of(token)).filter(|since| state.knows(*since));
        let mut body = Vec::new();
        Line::Begins { whole: since.is_none() }.write(&mut body);
        let records = state.write(since, !is_first_shard, &mut body);
        let token = format!("{epoch}-{}", state.change()).into();
        Line::Ends { token, records }.write(&mut body);
        Reply { status: 200, content_type: CONTENT_TYPE, body }
    }

    /// The change that a token stands for; `None` when it is another process's.
    fn change_of(&self, token: &str) -> Option<u64> {
        token.strip_prefix(&self.0.epoch)?.strip_prefix('-')?.parse().ok()
    }

    fn scope(&self) -> u64 {
        self.0.scopes.fetch_add(1, Relaxed)
    }
}

struct OfPods {
    inner: Arc<dyn Render>,
    peers: Peers,
    scope: u64,
}

impl Render for OfPods {
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        self.inner.render(json, rows)?;
        if let Some((uid, pod)) = read::pod(json) {
            self.peers.0.state.lock().0.put(self.scope, Kind::Pod, &uid, pod);
        }
        Ok(())
    }

    fn family(&self, index: u16) -> &str {
        self.inner.family(index)
    }

    fn gone(&self, json: &[u8], uid: &str) {
        self.inner.gone(json, uid);
        self.peers.0.state.lock().0.remove(self.scope, Kind::Pod, uid);
    }

    fn lists(&self, moved: bool) {
        self.inner.lists(moved);
    }

    fn listed(&self, has: &dyn Fn(&str) -> bool, moved: bool) {
        self.inner.listed(has, moved);
        self.peers.0.state.lock().0.sweep(self.scope, has);
    }
}

impl Drop for OfPods {
    fn drop(&mut self) {
        self.peers.0.state.lock().0.sweep(self.scope, &|_| false);
    }
}

struct OfOthers {
    plural: &'static str,
    peers: Peers,
    scope: u64,
}

impl Render for OfOthers {
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        rows.start(&Identity::of(json).metadata.uid, &[]);
        let state = || self.peers.0.state.lock();
        let found = match self.plural {
            "endpointslices" => {
                if let Some((uid, slice)) = read::slice(json) {
                    state().0.put_slice(self.scope, &uid, slice);
                }
                return Ok(());
            }
            "nodes" => read::node(json).map(|found| (Kind::Node, found)),
            _ => read::service(json).map(|found| (Kind::Service, found)),
        };
        if let Some((kind, (uid, endpoint))) = found {
            state().0.put(self.scope, kind, &uid, endpoint);
        }
        Ok(())
    }

    fn family(&self, _index: u16) -> &'static str {
        ""
    }

    fn gone(&self, _json: &[u8], uid: &str) {
        let mut state = self.peers.0.state.lock();
        match self.plural {
            "endpointslices" => state.0.remove_slice(uid),
            "nodes" => state.0.remove(self.scope, Kind::Node, uid),
            _ => state.0.remove(self.scope, Kind::Service, uid),
        }
    }

    fn listed(&self, has: &dyn Fn(&str) -> bool, _moved: bool) {
        self.peers.0.state.lock().0.sweep(self.scope, has);
    }
}

impl Drop for OfOthers {
    fn drop(&mut self) {
        self.peers.0.state.lock().0.sweep(self.scope, &|_| false);
    }
}
