//! Pods, their owners, and counts of deleted pods.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use kubernetes::owner::LONGEST_CHAIN;
use parking_lot::Mutex;

/// How long a pod may wait for an owner that was not seen yet, before it is taken for the owner's that it names.
const OWNER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the counts of a workload without pods are kept.
const IDLE: Duration = Duration::from_hours(1);
/// A chain of owners is not longer, or it is a ring.
/// Pods that are gone are counted when there are this many, even if nobody asks.
const MOST_GONE: usize = 1000;
/// Bounds of the lifetimes that are counted, in seconds.
pub(super) const BOUNDS: [f64; 7] = [1.0, 10.0, 60.0, 300.0, 3600.0, 21600.0, 86400.0];

/// The owner that manages an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) kind: Box<str>,
    pub(super) name: Box<str>,
    pub(super) uid: Box<str>,
}

/// Something that owns pods, or what owns them.
#[derive(Debug)]
pub(super) struct OwnerObject {
    pub(super) kind: Box<str>,
    /// Empty for namespaces.
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
    pub(super) parent: Option<Parent>,
    /// Whom it belongs to, in the order of the configuration; empty where it does not say.
    pub(super) contacts: Box<[Box<str>]>,
}

/// A pod as it was last seen.
#[derive(Debug)]
pub(super) struct PodObject {
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
    pub(super) parent: Option<Parent>,
    pub(super) created: Option<i64>,
    pub(super) phase: Box<str>,
    pub(super) reason: Box<str>,
    /// Cores and bytes that it asks for now.
    pub(super) requests: [f64; 2],
}

/// A workload of pods. The name is empty for pods without an owner.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) namespace: Box<str>,
    pub(super) kind: Box<str>,
    pub(super) name: Box<str>,
    pub(super) lives: Mutex<Lives>,
}

/// The pods of a workload that came and went.
#[derive(Debug)]
pub(super) struct Lives {
    pub(super) created: u64,
    /// By last phase and reason.
    pub(super) deleted: BTreeMap<(Box<str>, Box<str>), u64>,
    /// Not cumulative; the last is for those beyond all bounds.
    pub(super) buckets: [u64; BOUNDS.len() + 1],
    pub(super) seconds: f64,
    /// Core-seconds and byte-seconds that pods have asked for.
    pub(super) requested: [f64; 2],
    last: Instant,
}

#[derive(Debug)]
pub(super) struct Pod {
    pub(super) object: PodObject,
    pub(super) workload: Option<Arc<Workload>>,
    /// The owner itself was not seen; it may be that something owns it.
    is_guess: bool,
    epoch: u64,
    seen: Instant,
    /// What it has asked for over time and its workload was not told yet, and until when that is counted.
    owed: [f64; 2],
    metered: Instant,
    /// Its beginning was seen and is to be counted.
    is_new: bool,
    scope: u64,
}

#[derive(Debug)]
struct Gone {
    pod: Pod,
    lifetime: Option<f64>,
}

type Key = (Box<str>, Box<str>, Box<str>);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Kinds whose objects are all here once they are listed.
    kinds: Vec<Box<str>>,
    owners: HashMap<Box<str>, (u64, OwnerObject)>,
    pods: HashMap<Box<str>, Pod>,
    gone: Vec<Gone>,
    workloads: HashMap<Key, Arc<Workload>>,
    /// Grows when chains of owners change.
    epoch: u64,
}

/// The end of a chain of owners.
enum Top<'a> {
    /// Nothing owns it.
    Is(&'a str, &'a str),
    /// It should be here and is not; perhaps it was not told yet.
    Unseen(&'a str, &'a str),
}

impl State {
    pub(super) fn new(kinds: Vec<Box<str>>) -> Self {
        Self { kinds, ..Self::default() }
    }

    pub(super) fn put_owner(&mut self, scope: u64, uid: &str, object: OwnerObject) {
        let old = self.owners.insert(uid.into(), (scope, object));
        let new = self.owners.get(uid);
        if let (Some((_, old)), Some((_, new))) = (old, new) {
            self.epoch += u64::from(old.parent != new.parent);
        }
    }

    /// An owner may go before its pods: they stay its own.
    pub(super) fn remove_owner(&mut self, uid: &str) {
        self.owners.remove(uid);
    }

    pub(super) fn sweep_owners(&mut self, scope: u64, has: &dyn Fn(&str) -> bool) {
        self.owners.retain(|uid, (theirs, _)| *theirs != scope || has(uid));
    }

    pub(super) fn put_pod(&mut self, scope: u64, uid: &str, object: PodObject, is_new: bool) {
        if let Some(pod) = self.pods.get_mut(uid) {
            if pod.object.parent != object.parent {
                (pod.workload, pod.seen) = (None, Instant::now());
            }
            pod.meter();
            (pod.object, pod.scope) = (object, pod.scope.max(scope));
            return;
        }
        let seen = Instant::now();
        let (owed, metered) = ([0.0; 2], seen);
        let pod = Pod { object, workload: None, is_guess: false, epoch: 0, seen, owed, metered, is_new, scope };
        self.pods.insert(uid.into(), pod);
    }

    /// A pod is gone, at this time in seconds since the epoch. `last` is what was last seen of it.
    pub(super) fn end_pod(&mut self, scope: u64, uid: &str, last: Option<PodObject>, now: f64) {
        if self.pods.get(uid).is_none_or(|pod| pod.scope != scope) {
            return;
        }
        let Some(mut pod) = self.pods.remove(uid) else { return };
        pod.meter();
        pod.object = last.unwrap_or(pod.object);
        pod.object.requests = [0.0; 2];
        let lifetime = pod.object.created.map(|created| (now - created as f64).max(0.0));
        self.gone.push(Gone { pod, lifetime });
        if self.gone.len() >= MOST_GONE {
            self.settle();
        }
    }

    /// What a list no longer has is gone, or not ours any more.
    pub(super) fn sweep_pods(&mut self, scope: u64, has: &dyn Fn(&str) -> bool, moved: bool, now: f64) {
        let over = self.pods().filter(|(uid, pod)| pod.scope == scope && !has(uid));
        let over: Vec<Box<str>> = over.map(|(uid, _)| uid.into()).collect();
        for uid in over {
            if moved {
                self.pods.remove(&uid);
            } else {
                self.end_pod(scope, &uid, None, now);
            }
        }
    }

    /// A watch has ended. What another watch sees too is that one's.
    pub(super) fn drop_scope(&mut self, scope: u64) {
        self.pods.retain(|_, pod| pod.scope != scope);
        self.owners.retain(|_, (theirs, _)| *theirs != scope);
    }

    /// Finds the workloads of pods that have none yet, and counts who came and went.
    pub(super) fn settle(&mut self) {
        let Self { kinds, owners, pods, gone, workloads, epoch } = self;
        for pod in pods.values_mut() {
            settle_pod(pod, kinds, owners, workloads, *epoch, false);
            pod.pay();
        }
        let must = gone.len() >= MOST_GONE;
        gone.retain_mut(|gone| {
            settle_pod(&mut gone.pod, kinds, owners, workloads, *epoch, must);
            gone.pod.pay();
            let Some(workload) = &gone.pod.workload else { return true };
            workload.lives.lock().end(&gone.pod.object, gone.lifetime);
            false
        });
        workloads.retain(|_, workload| Arc::strong_count(workload) > 1 || workload.lives.lock().last.elapsed() < IDLE);
    }

    pub(super) fn pods(&self) -> impl Iterator<Item = (&str, &Pod)> {
        self.pods.iter().map(|(uid, pod)| (&**uid, pod))
    }

    /// What a pod belongs to, as far as that is settled.
    pub(super) fn workload(&self, uid: &str) -> Option<Arc<Workload>> {
        self.pods.get(uid)?.workload.clone()
    }

    pub(super) fn workloads(&self) -> impl Iterator<Item = &Arc<Workload>> {
        self.workloads.values()
    }

    /// Whom workloads belong to, by namespace, kind and name. A workload that does not say belongs to whom its namespace
    /// does.
    pub(super) fn contacts(&self) -> BTreeMap<(&str, &str, &str), Vec<&str>> {
        let is_namespace = |owner: &OwnerObject| &*owner.kind == "Namespace";
        let all = || self.owners.values().map(|(_, owner)| owner);
        let namespaces: HashMap<&str, &[Box<str>]> =
            all().filter(|owner| is_namespace(owner)).map(|owner| (&*owner.name, &*owner.contacts)).collect();
        let mut found: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
        for owner in all().filter(|owner| !is_namespace(owner)) {
            // What is below another workload is not asked: it is that one's. If that one is of a kind that is not
            // watched, those right below it speak for it.
            let (kind, name) = match &owner.parent {
                None => (&owner.kind, &owner.name),
                Some(parent) if !self.owners.contains_key(&parent.uid) => (&parent.kind, &parent.name),
                Some(_) => continue,
            };
            let values = found.entry((&owner.namespace, kind, name)).or_insert_with(|| vec![""; owner.contacts.len()]);
            for (value, own) in values.iter_mut().zip(&owner.contacts) {
                // Of several that speak for it, the greatest counts, which is the same each time.
                *value = (*value).max(own);
            }
        }
        for ((namespace, ..), values) in &mut found {
            let from_namespace = namespaces.get(namespace).copied().unwrap_or_default();
            for (value, namespaces) in values.iter_mut().zip(from_namespace) {
                if value.is_empty() {
                    *value = namespaces;
                }
            }
        }
        found.retain(|_, values| values.iter().any(|value| !value.is_empty()));
        found
    }
}

impl Pod {
    /// Counts what it has asked for until now.
    fn meter(&mut self) {
        let now = Instant::now();
        let seconds = now.duration_since(std::mem::replace(&mut self.metered, now)).as_secs_f64();
        for (owed, request) in self.owed.iter_mut().zip(self.object.requests) {
            *owed += request * seconds;
        }
    }

    /// Tells its workload.
    fn pay(&mut self) {
        self.meter();
        let Some(workload) = self.workload.as_ref().filter(|_| self.owed != [0.0; 2]) else { return };
        let mut lives = workload.lives.lock();
        for (requested, owed) in lives.requested.iter_mut().zip(std::mem::take(&mut self.owed)) {
            *requested += owed;
        }
    }
}

fn settle_pod(
    pod: &mut Pod,
    kinds: &[Box<str>],
    owners: &HashMap<Box<str>, (u64, OwnerObject)>,
    workloads: &mut HashMap<Key, Arc<Workload>>,
    epoch: u64,
    must: bool,
) {
    if pod.workload.is_some() && pod.epoch == epoch && !pod.is_guess {
        return;
    }
    let (kind, name, is_guess) = match top(kinds, owners, pod.object.parent.as_ref()) {
        Top::Is(kind, name) => (kind, name, false),
        Top::Unseen(kind, name) if pod.workload.is_none() && (must || pod.seen.elapsed() > OWNER_TIMEOUT) => {
            (kind, name, true)
        }
        Top::Unseen(..) => return,
    };
    let key = (pod.object.namespace.clone(), kind.into(), name.into());
    let workload = Arc::clone(workloads.entry(key).or_insert_with_key(|(namespace, kind, name)| {
        let (namespace, kind, name) = (namespace.clone(), kind.clone(), name.clone());
        Arc::new(Workload { namespace, kind, name, lives: Mutex::default() })
    }));
    if std::mem::take(&mut pod.is_new) {
        let mut lives = workload.lives.lock();
        lives.created += 1;
        lives.last = Instant::now();
    }
    (pod.workload, pod.epoch, pod.is_guess) = (Some(workload), epoch, is_guess);
}

fn top<'a>(
    kinds: &[Box<str>],
    owners: &'a HashMap<Box<str>, (u64, OwnerObject)>,
    parent: Option<&'a Parent>,
) -> Top<'a> {
    let Some(mut parent) = parent else { return Top::Is("Pod", "") };
    for _ in 0..LONGEST_CHAIN {
        match owners.get(&parent.uid) {
            Some((_, owner)) => match &owner.parent {
                Some(above) => parent = above,
                None => return Top::Is(&owner.kind, &owner.name),
            },
            None if kinds.contains(&parent.kind) => return Top::Unseen(&parent.kind, &parent.name),
            None => break,
        }
    }
    Top::Is(&parent.kind, &parent.name)
}

impl Default for Lives {
    fn default() -> Self {
        let (deleted, buckets) = (BTreeMap::new(), [0; BOUNDS.len() + 1]);
        Self { created: 0, deleted, buckets, seconds: 0.0, requested: [0.0; 2], last: Instant::now() }
    }
}

impl Lives {
    fn end(&mut self, pod: &PodObject, lifetime: Option<f64>) {
        *self.deleted.entry((pod.phase.clone(), pod.reason.clone())).or_default() += 1;
        self.last = Instant::now();
        let Some(seconds) = lifetime else { return };
        self.seconds += seconds;
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned_by(kind: &str, name: &str) -> Parent {
        Parent { kind: kind.into(), name: name.into(), uid: format!("{kind}/{name}").into() }
    }

    fn owner(state: &mut State, kind: &str, name: &str, parent: Option<Parent>, contacts: &[&str]) {
        let contacts = contacts.iter().map(|contact| (*contact).into()).collect();
        let namespace = if kind == "Namespace" { "" } else { "shop" };
        let object =
            OwnerObject { kind: kind.into(), namespace: namespace.into(), name: name.into(), parent, contacts };
        state.put_owner(1, &format!("{kind}/{name}"), object);
    }

    fn pod(state: &mut State, uid: &str, parent: Option<Parent>, is_new: bool) {
        state.put_pod(2, uid, seen(uid, parent, "Running"), is_new);
    }

    fn seen(name: &str, parent: Option<Parent>, phase: &str) -> PodObject {
        let (namespace, name) = ("shop".into(), name.into());
        PodObject {
            namespace,
            name,
            parent,
            created: Some(1000),
            phase: phase.into(),
            reason: "".into(),
            requests: [0.0; 2],
        }
    }

    fn state() -> State {
        State::new(["ReplicaSet", "Deployment", "Job", "CronJob", "StatefulSet"].map(Into::into).to_vec())
    }

    /// `kind/name` of a pod's workload.
    fn workload(state: &mut State, uid: &str) -> Option<String> {
        state.settle();
        let workload = state.pods.get(uid).unwrap().workload.as_ref()?;
        Some(format!("{}/{}", workload.kind, workload.name))
    }

    #[test]
    fn the_top_of_the_chain_is_the_workload() {
        let mut state = state();
        owner(&mut state, "ReplicaSet", "web-1", Some(owned_by("Deployment", "web")), &[]);
        owner(&mut state, "Deployment", "web", None, &[]);
        owner(&mut state, "ReplicaSet", "canary-1", Some(owned_by("Rollout", "canary")), &[]);
        owner(&mut state, "StatefulSet", "db", Some(owned_by("Database", "db")), &[]);
        pod(&mut state, "web", Some(owned_by("ReplicaSet", "web-1")), false);
        pod(&mut state, "canary", Some(owned_by("ReplicaSet", "canary-1")), false);
        pod(&mut state, "db", Some(owned_by("StatefulSet", "db")), false);
        pod(&mut state, "kube-proxy", Some(owned_by("Node", "n1")), false);
        pod(&mut state, "bare", None, false);
        for (pod, expected) in [
            ("web", "Deployment/web"),
            ("canary", "Rollout/canary"),
            ("db", "Database/db"),
            ("kube-proxy", "Node/n1"),
            ("bare", "Pod/"),
        ] {
            assert_eq!(workload(&mut state, pod).as_deref(), Some(expected));
        }
    }

    #[test]
    fn an_owner_may_come_late_change_and_go_early() {
        let mut state = state();
        pod(&mut state, "web", Some(owned_by("ReplicaSet", "web-1")), true);
        assert_eq!(workload(&mut state, "web"), None, "the owner is not there yet");
        owner(&mut state, "ReplicaSet", "web-1", Some(owned_by("Deployment", "web")), &[]);
        assert_eq!(workload(&mut state, "web"), None, "the owner's owner is not there yet");
        owner(&mut state, "Deployment", "web", None, &[]);
        assert_eq!(workload(&mut state, "web").unwrap(), "Deployment/web");
        owner(&mut state, "ReplicaSet", "web-1", None, &[]);
        assert_eq!(workload(&mut state, "web").unwrap(), "ReplicaSet/web-1", "it was let go");
        owner(&mut state, "ReplicaSet", "web-1", Some(owned_by("Deployment", "web")), &[]);
        assert_eq!(workload(&mut state, "web").unwrap(), "Deployment/web");
        state.remove_owner("ReplicaSet/web-1");
        state.remove_owner("Deployment/web");
        state.epoch += 1;
        assert_eq!(workload(&mut state, "web").unwrap(), "Deployment/web", "a pod that is going keeps its workload");
        assert_eq!(state.workloads().map(|workload| workload.lives.lock().created).sum::<u64>(), 1, "counted once");
    }

    #[test]
    fn an_owner_that_never_comes_is_named_as_the_pod_does() {
        let mut state = state();
        pod(&mut state, "web", Some(owned_by("ReplicaSet", "web-1")), false);
        state.pods.get_mut("web").unwrap().seen -= OWNER_TIMEOUT + Duration::from_secs(1);
        assert_eq!(workload(&mut state, "web").unwrap(), "ReplicaSet/web-1");
        owner(&mut state, "ReplicaSet", "web-1", Some(owned_by("Rollout", "web")), &[]);
        assert_eq!(workload(&mut state, "web").unwrap(), "Rollout/web", "it came after all");
    }

    #[test]
    fn a_ring_of_owners_has_an_end() {
        let mut state = state();
        owner(&mut state, "Job", "a", Some(owned_by("Job", "b")), &[]);
        owner(&mut state, "Job", "b", Some(owned_by("Job", "a")), &[]);
        pod(&mut state, "x", Some(owned_by("Job", "a")), false);
        assert!(workload(&mut state, "x").is_some());
    }

    #[test]
    fn who_came_and_went_is_counted_once_each() {
        let mut state = state();
        owner(&mut state, "Job", "sum", None, &[]);
        pod(&mut state, "old", Some(owned_by("Job", "sum")), false);
        pod(&mut state, "short", Some(owned_by("Job", "sum")), true);
        let last = seen("short", Some(owned_by("Job", "sum")), "Succeeded");
        state.end_pod(2, "short", Some(last), 1005.0);
        state.end_pod(2, "short", None, 1006.0);
        state.end_pod(1, "old", None, 1006.0);
        assert_eq!(state.pods.len(), 1, "another watch's pod stays");
        state.sweep_pods(2, &|_| false, false, 1000.0 + 7200.0);
        pod(&mut state, "moved", Some(owned_by("Job", "sum")), false);
        state.sweep_pods(2, &|_| false, true, 1007.0);
        state.settle();
        let workload = state.workloads().next().unwrap();
        let lives = workload.lives.lock();
        assert_eq!(lives.created, 1);
        let deleted: Vec<_> = lives.deleted.iter().map(|((phase, _), count)| (&**phase, *count)).collect();
        assert_eq!(deleted, [("Running", 1), ("Succeeded", 1)]);
        assert_eq!((lives.buckets, lives.seconds), ([0, 1, 0, 0, 0, 1, 0, 0], 7205.0));
    }

    #[test]
    fn a_pod_that_is_gone_waits_for_its_workload() {
        let mut state = state();
        pod(&mut state, "x", Some(owned_by("Job", "sum")), true);
        state.end_pod(2, "x", None, 1001.0);
        state.settle();
        assert_eq!((state.workloads().count(), state.gone.len()), (0, 1));
        owner(&mut state, "Job", "sum", Some(owned_by("CronJob", "sums")), &[]);
        owner(&mut state, "CronJob", "sums", None, &[]);
        state.settle();
        assert_eq!((&*state.workloads().next().unwrap().name, state.gone.len()), ("sums", 0));
    }

    #[test]
    fn what_pods_ask_for_is_counted_until_they_go() {
        let mut state = state();
        owner(&mut state, "Job", "sum", None, &[]);
        let asking =
            |cores: f64| PodObject { requests: [cores, 0.0], ..seen("x", Some(owned_by("Job", "sum")), "Running") };
        let wait = |state: &mut State| state.pods.values_mut().for_each(|pod| pod.metered -= Duration::from_secs(10));
        let cores = |state: &mut State| {
            state.settle();
            let workload = state.workloads().next().unwrap();
            workload.lives.lock().requested[0].round()
        };
        state.put_pod(2, "x", asking(2.0), true);
        wait(&mut state);
        assert_eq!(cores(&mut state), 20.0);
        wait(&mut state);
        state.put_pod(2, "x", asking(1.0), false);
        wait(&mut state);
        assert_eq!(cores(&mut state), 50.0);
        wait(&mut state);
        state.end_pod(2, "x", None, 1001.0);
        assert_eq!(cores(&mut state), 60.0);
        assert_eq!(cores(&mut state), 60.0);
    }

    #[test]
    fn counts_of_workloads_that_are_no_more_go_in_time() {
        let mut state = state();
        owner(&mut state, "Job", "sum", None, &[]);
        pod(&mut state, "x", Some(owned_by("Job", "sum")), true);
        state.settle();
        state.workloads().next().unwrap().lives.lock().last -= IDLE;
        state.settle();
        assert_eq!(state.workloads().count(), 1, "it has a pod");
        state.drop_scope(2);
        state.settle();
        assert_eq!(state.workloads().count(), 0);
    }

    #[test]
    fn a_workload_belongs_to_whom_it_says_or_its_namespace() {
        let mut state = state();
        owner(&mut state, "Namespace", "shop", None, &["shop-team", "shop@example.org"]);
        owner(&mut state, "Deployment", "web", None, &["web-team", ""]);
        owner(&mut state, "ReplicaSet", "web-1", Some(owned_by("Deployment", "web")), &["wrong", "wrong"]);
        owner(&mut state, "StatefulSet", "db", Some(owned_by("Database", "db")), &["db-team", "db@example.org"]);
        let contacts: Vec<_> = state.contacts().into_iter().collect();
        assert_eq!(
            contacts,
            [
                (("shop", "Database", "db"), vec!["db-team", "db@example.org"]),
                (("shop", "Deployment", "web"), vec!["web-team", "shop@example.org"]),
            ]
        );
        state.remove_owner("Namespace/shop");
        owner(&mut state, "Deployment", "web", None, &["", ""]);
        assert_eq!(state.contacts().len(), 1);
    }
}
