//! Workloads of pods, owners of workloads, and counts of created and deleted pods. Not part of kube-state-metrics; off
//! by default.
//!
//! A pod names the owner that manages it, that one may name its own, and so on: a ReplicaSet's is a Deployment, a Job's
//! a CronJob, another's whatever made it. The chain is put together when an answer is written, since its links come by
//! watches that know nothing of each other. Owners are watched by their metadata, pods are looked at as they pass.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use kubernetes::Identity;
use metric::Section;
use parking_lot::Mutex;

mod config;
mod page;
mod read;
mod state;

pub use config::{BadConfig, Config};
use state::{State, Workload};

use crate::{kind::BadObject, rows::Rows, watch::Render};

/// The workload of a pod.
#[derive(Clone, Debug)]
pub struct Belongs(Arc<Workload>);

impl Belongs {
    /// The workload's kind; `Pod` for pods that belong to nothing.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The workload's name; that of the pod when it belongs to nothing.
    pub fn name_or<'a>(&'a self, pod: &'a str) -> &'a str {
        if self.is_shared() { &self.0.name } else { pod }
    }

    /// Whether it is something that other pods can belong to.
    pub fn is_shared(&self) -> bool {
        !self.0.name.is_empty()
    }
}

impl PartialEq for Belongs {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// See the module. Clones are the same.
#[derive(Clone, Debug)]
pub struct Workloads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    state: Mutex<State>,
    /// Watches so far; each has its number.
    scopes: AtomicU64,
}

impl Workloads {
    /// Knows nothing yet.
    pub fn new(config: Config) -> Self {
        let kinds = config.owner_kinds().into_iter().map(|owner| owner.kind.into()).collect();
        Self(Arc::new(Inner { config, state: Mutex::new(State::new(kinds)), scopes: AtomicU64::new(0) }))
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Renders pods as `inner` does, and takes a look at them.
    pub fn of_pods(&self, inner: Arc<dyn Render>) -> impl Render + use<> {
        OfPods {
            inner,
            workloads: self.clone(),
            scope: self.scope(),
            is_quiet: AtomicBool::new(true),
            is_listed: AtomicBool::new(false),
        }
    }

    /// Takes a look at the metadata of owners.
    pub fn of_owners(&self, kind: &str) -> impl Render + use<> {
        OfOwners { kind: kind.to_owned(), workloads: self.clone(), scope: self.scope() }
    }

    /// Lets `look` ask what pods belong to, by their uids. It is not known of pods whose owners were not seen yet.
    pub fn settled<T>(&self, look: impl FnOnce(&dyn Fn(&str) -> Option<Belongs>) -> T) -> T {
        let mut state = self.0.state.lock();
        state.settle();
        look(&|uid| state.workload(uid).map(Belongs))
    }

    /// Appends what is asked for, and says how many series that is.
    pub fn write(&self, out: &mut Vec<u8>) -> u64 {
        page::write(&self.0.config, &mut self.0.state.lock(), out)
    }

    fn scope(&self) -> u64 {
        self.0.scopes.fetch_add(1, Relaxed)
    }
}

/// The declarations, as the catalogue shows them.
pub fn section() -> Section {
    page::section()
}

struct OfPods {
    inner: Arc<dyn Render>,
    workloads: Workloads,
    scope: u64,
    /// What comes now was there before.
    is_quiet: AtomicBool,
    is_listed: AtomicBool,
}

impl Render for OfPods {
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        self.inner.render(json, rows)?;
        if let Some((uid, pod)) = read::pod(json) {
            let is_new = !self.is_quiet.load(Relaxed);
            self.workloads.0.state.lock().put_pod(self.scope, &uid, pod, is_new);
        }
        Ok(())
    }

    fn family(&self, index: u16) -> &str {
        self.inner.family(index)
    }

    fn gone(&self, json: &[u8], uid: &str) {
        let last = read::pod(json).map(|(_, pod)| pod);
        self.workloads.0.state.lock().end_pod(self.scope, uid, last, now());
    }

    fn lists(&self, moved: bool) {
        self.is_quiet.store(moved || !self.is_listed.load(Relaxed), Relaxed);
    }

    fn listed(&self, has: &dyn Fn(&str) -> bool, moved: bool) {
        self.is_listed.store(true, Relaxed);
        self.is_quiet.store(false, Relaxed);
        self.workloads.0.state.lock().sweep_pods(self.scope, has, moved, now());
    }
}

impl Drop for OfPods {
    fn drop(&mut self) {
        self.workloads.0.state.lock().drop_scope(self.scope);
    }
}

struct OfOwners {
    kind: String,
    workloads: Workloads,
    scope: u64,
}

impl Render for OfOwners {
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        rows.start(&Identity::of(json).metadata.uid, &[]);
        if let Some((uid, owner)) = read::owner(json, &self.kind, &self.workloads.0.config.contacts) {
            self.workloads.0.state.lock().put_owner(self.scope, &uid, owner);
        }
        Ok(())
    }

    fn family(&self, _index: u16) -> &'static str {
        ""
    }

    fn gone(&self, _json: &[u8], uid: &str) {
        self.workloads.0.state.lock().remove_owner(uid);
    }

    fn listed(&self, has: &dyn Fn(&str) -> bool, _moved: bool) {
        self.workloads.0.state.lock().sweep_owners(self.scope, has);
    }
}

impl Drop for OfOwners {
    fn drop(&mut self) {
        self.workloads.0.state.lock().drop_scope(self.scope);
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
