//! Pods of the node and their owners. Pure: fed with server responses and the time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use kubernetes::{
    OwnerKind, Quantity, Reference, Wanted, WorkloadRef,
    lax::{Dict, Sub, Text},
    owner::LONGEST_CHAIN,
    workload,
};

use super::{
    object::{self, Meta},
    rules,
};
use crate::ids::{ContainerId, PodName, PodUid};

/// How long a pod is known after its end: what its containers did is told late.
const KEEP: Duration = Duration::from_mins(10);
/// How many pods that have ended are known at most.
const MOST_GONE: usize = 2048;

/// A container of a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Its name.
    pub name: Arc<str>,
    /// Its image, as the runtime names it, or as the pod does before it runs.
    pub image: Arc<str>,
    /// The runtime's ids of it and of the one before it.
    pub ids: [ContainerId; 2],
    /// What it asks for and may have.
    pub amounts: Amounts,
    /// Whether it is there as long as the pod: neither an init container nor an ephemeral one.
    pub lasts: bool,
}

/// What a container asks for and may have; `None` where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amounts {
    /// CPUs that it asks for.
    pub cpu_request: Option<f64>,
    /// CPUs that it may use.
    pub cpu_limit: Option<f64>,
    /// Bytes of memory that it asks for.
    pub memory_request: Option<f64>,
    /// Bytes of memory that it may have.
    pub memory_limit: Option<f64>,
}

/// A pod of the node.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it belongs to, as far as it is known.
    pub workload: WorkloadRef,
    /// Whether all owners were seen.
    pub is_sure: bool,
    /// Its containers.
    pub containers: Box<[Container]>,
    /// `Running` and the like.
    pub phase: &'static str,
    /// Why it failed: `Evicted`.
    pub reason: Box<str>,
    /// Values of the labels and annotations that are asked for, in their order.
    pub labels: Box<[Box<str>]>,
    /// Whether it is on its host's network.
    pub on_host_network: bool,
    /// Its addresses.
    pub addresses: Box<[IpAddr]>,
    /// Its uid at the API server.
    uid: PodUid<Arc<str>>,
    first: Link,
    /// Whom it belongs to, by its own labels and annotations.
    contacts: Box<[Box<str>]>,
    gone: Option<Instant>,
}

/// One step of a chain of owners.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    kind: &'static str,
    name: Arc<str>,
    /// Which of the kinds that can be asked for.
    asked: Option<usize>,
}

/// An owner that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct OwnerKey {
    pub(super) kind: usize,
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
}

/// What is known of an owner.
#[derive(Debug)]
struct Owner {
    next: Next,
    contacts: Box<[Box<str>]>,
    is_refused: bool,
}

#[derive(Clone, Debug)]
enum Next {
    /// This owns it.
    Owned(Link),
    /// Nothing owns it, or we may not know.
    Top,
    /// It is not there.
    Missing,
}

/// What a server says of an owner.
#[derive(Debug)]
pub(super) enum Told<'v> {
    /// Its metadata.
    Is(Sub<Meta<'v>>),
    /// There is none of that name.
    Missing,
    /// We may not ask.
    Refused,
}

/// What is to be known beside names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Kinds that own pods, or what owns them.
    pub(super) kinds: Vec<OwnerKind>,
    /// Labels and annotations of pods.
    pub(super) labels: Vec<Wanted>,
    /// Labels and annotations that say whom a workload belongs to.
    pub(super) contacts: Vec<Wanted>,
}

/// The book.
#[derive(Debug)]
pub(super) struct Book {
    asked: Asked,
    node: Arc<str>,
    /// By the uid that their cgroups bear.
    pods: HashMap<PodUid<Arc<str>>, Box<Pod>>,
    owners: HashMap<OwnerKey, Owner>,
    /// Owners that are not known yet.
    wanted: BTreeSet<OwnerKey>,
    by_address: HashMap<IpAddr, PodUid<Arc<str>>>,
    /// Names and images that many pods share.
    names: HashSet<Arc<str>>,
}

impl Book {
    pub(super) fn new(node: &str, asked: Asked) -> Self {
        Self {
            asked,
            node: node.into(),
            pods: HashMap::new(),
            owners: HashMap::new(),
            wanted: BTreeSet::new(),
            by_address: HashMap::new(),
            names: HashSet::new(),
        }
    }

    /// These pods are there, and no others.
    pub(super) fn replace<'p>(&mut self, pods: impl IntoIterator<Item = &'p object::Pod<'p>> + Clone, now: Instant) {
        let there: HashSet<PodUid<&str>> = pods.clone().into_iter().map(object::Pod::cgroup_uid).collect();
        for pod in pods {
            self.put(pod, now);
        }
        let gone: Vec<_> = self.pods.keys().filter(|uid| !there.contains(&uid.borrowed())).cloned().collect();
        for uid in gone {
            self.end(uid.borrowed(), now);
        }
        self.sweep(now);
    }

    /// A pod is there, or has changed.
    pub(super) fn put(&mut self, object: &object::Pod<'_>, now: Instant) {
        let uid = object.cgroup_uid();
        if uid.0.is_empty() {
            return;
        }
        let mut pod = self.read(object);
        // A status comes late and may lack a container that has just ended; its id is still the id of this one.
        if let Some(before) = self.pods.get(uid.0).filter(|before| before.name == pod.name) {
            pod.keep_ids_of(before);
        }
        // That of a pod from a file is not the one at the API server.
        let key = if pod.uid.borrowed() == uid { pod.uid.clone() } else { PodUid(uid.0.into()) };
        let old = self.pods.insert(key.clone(), Box::new(pod));
        for address in old.iter().flat_map(|old| old.addresses.iter()) {
            self.release(address, uid);
        }
        self.place(uid);
        if let Some(pod) = self.pods.get(uid.0).filter(|pod| pod.holds_addresses()) {
            for address in &pod.addresses {
                self.by_address.insert(*address, key.clone());
            }
        }
        if self.pods.len() > 4 * MOST_GONE {
            self.sweep(now);
        }
    }

    /// A pod is gone.
    pub(super) fn removed(&mut self, object: &object::Pod<'_>, now: Instant) {
        let uid = object.cgroup_uid();
        // A static pod's mirror may have been made anew before its end is told.
        if self.pods.get(uid.0).is_some_and(|pod| pod.uid.as_str() == object.metadata.uid.as_str()) {
            self.put(object, now);
            self.end(uid, now);
        }
    }

    fn end(&mut self, uid: PodUid<&str>, now: Instant) {
        let Some(pod) = self.pods.get_mut(uid.0) else { return };
        pod.gone.get_or_insert(now);
        for address in pod.addresses.clone() {
            self.release(&address, uid);
        }
    }

    fn release(&mut self, address: &IpAddr, uid: PodUid<&str>) {
        if self.by_address.get(address).is_some_and(|holder| holder.borrowed() == uid) {
            self.by_address.remove(address);
        }
    }

    /// Forgets what ended long ago, and owners that own nothing any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        let mut ends: Vec<Instant> = self.pods.values().filter_map(|pod| pod.gone).collect();
        ends.sort_unstable();
        let surplus = ends.len().saturating_sub(MOST_GONE);
        let oldest = surplus.checked_sub(1).and_then(|at| ends.get(at)).copied();
        let is_old = |gone: Instant| now.duration_since(gone) > KEEP || oldest.is_some_and(|oldest| gone <= oldest);
        self.pods.retain(|_, pod| !pod.gone.is_some_and(is_old));
        let mut used = HashSet::new();
        for pod in self.pods.values() {
            used.extend(self.chain(pod).0);
            used.extend(self.namespace_key(&pod.namespace));
        }
        self.owners.retain(|key, _| used.contains(key));
        self.wanted.retain(|key| used.contains(key));
        self.names.retain(|name| Arc::strong_count(name) > 1);
    }

    /// Asks again for one refused owner of each kind: the right may have been granted since.
    pub(super) fn ask_refused_again(&mut self) {
        let refused = self.owners.iter().filter(|(_, owner)| owner.is_refused).map(|(key, _)| (key.kind, key.clone()));
        let one_of_each: BTreeMap<usize, OwnerKey> = refused.collect();
        self.wanted.extend(one_of_each.into_values());
    }

    /// Owners to ask for.
    pub(super) fn wanted(&self) -> Vec<(OwnerKey, String)> {
        let path =
            |key: &OwnerKey| Some((key.clone(), self.asked.kinds.get(key.kind)?.object(&key.namespace, &key.name)));
        self.wanted.iter().filter_map(path).collect()
    }

    /// What was asked for.
    pub(super) fn learn(&mut self, key: OwnerKey, told: &Told<'_>) {
        self.wanted.remove(&key);
        let is_refused = matches!(told, Told::Refused);
        let owner = match told {
            Told::Is(meta) => Owner {
                next: meta.controller().map_or(Next::Top, |owner| Next::Owned(self.link(owner))),
                contacts: values(&self.asked.contacts, meta),
                is_refused,
            },
            Told::Missing => Owner { next: Next::Missing, contacts: Box::default(), is_refused },
            Told::Refused => Owner { next: Next::Top, contacts: Box::default(), is_refused },
        };
        let kind = key.kind;
        let is_granted = self.owners.insert(key, owner).is_some_and(|before| before.is_refused) && !is_refused;
        if is_granted {
            let others = self.owners.iter().filter(|(key, owner)| owner.is_refused && key.kind == kind);
            self.wanted.extend(others.map(|(key, _)| key.clone()));
        }
        let unsure: Vec<_> =
            self.pods.iter().filter(|(_, pod)| is_granted || !pod.is_sure).map(|(uid, _)| uid.clone()).collect();
        for uid in unsure {
            self.place(uid.borrowed());
        }
    }

    /// The pod with this uid on its cgroups.
    pub(super) fn pod(&self, uid: PodUid<&str>) -> Option<&Pod> {
        self.pods.get(uid.0).map(|pod| &**pod)
    }

    /// Pods that are there.
    pub(super) fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values().map(|pod| &**pod).filter(|pod| pod.gone.is_none())
    }

    /// The pod that has this address.
    pub(super) fn at(&self, address: &IpAddr) -> Option<&Pod> {
        self.pods.get(self.by_address.get(address)?).map(|pod| &**pod)
    }

    /// Whom a pod's workload belongs to: by the workload's own labels and annotations, by the pod's, by those of their
    /// namespace.
    pub(super) fn contacts<'b>(&'b self, pod: &'b Pod) -> Vec<&'b str> {
        let (chain, _) = self.chain(pod);
        let top = chain.last().and_then(|key| self.owners.get(key)).map(|owner| &owner.contacts);
        let namespace = self.namespace_key(&pod.namespace).and_then(|key| self.owners.get(&key)?.contacts.get(..));
        let at = |values: Option<&'b [Box<str>]>, at: usize| values.and_then(|values| values.get(at)).map(|v| &**v);
        (0..self.asked.contacts.len())
            .map(|n| {
                let all = [at(top.map(|top| &**top), n), at(Some(&pod.contacts), n), at(namespace, n)];
                all.into_iter().flatten().find(|value| !value.is_empty()).unwrap_or_default()
            })
            .collect()
    }

    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Owners that are known.
    pub(super) fn owners(&self) -> usize {
        self.owners.len()
    }

    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn read(&mut self, object: &object::Pod<'_>) -> Pod {
        let (meta, status) = (&object.metadata, &object.status);
        let namespace = self.shared(meta.namespace.as_str());
        let name: Arc<str> = meta.name.as_str().into();
        let first = self.first(object, &name);
        let workload =
            WorkloadRef { namespace: Arc::clone(&namespace), name: Arc::clone(&first.name), kind: first.kind };
        let texts = status.pod_ips.iter().map(|pod| pod.ip.as_str()).chain([status.pod_ip.as_str()]);
        let mut addresses: Vec<IpAddr> = texts.filter_map(|text| text.parse().ok()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Pod {
            namespace,
            name,
            workload,
            is_sure: false,
            containers: self.containers(object),
            phase: phase(status.phase.as_str()),
            reason: status.reason.as_str().into(),
            labels: values(&self.asked.labels, meta),
            on_host_network: object.spec.host_network.is_set(),
            addresses: addresses.into(),
            uid: PodUid(meta.uid.as_str().into()),
            first,
            contacts: values(&self.asked.contacts, meta),
            gone: None,
        }
    }

    fn containers(&mut self, pod: &object::Pod<'_>) -> Box<[Container]> {
        let (spec, status) = (&pod.spec, &pod.status);
        let init = spec.init_containers.iter().map(|container| (container, container.restart_policy == "Always"));
        let main = spec.containers.iter().map(|container| (container, true));
        let ephemeral = spec.ephemeral_containers.iter().map(|container| (container, false));
        let statuses = || {
            status
                .init_container_statuses
                .iter()
                .chain(&status.container_statuses)
                .chain(&status.ephemeral_container_statuses)
        };
        let one = |(container, lasts): (&Sub<object::Container<'_>>, bool)| {
            let status = statuses().find(|status| status.name == container.name);
            let id = |url: &str| ContainerId(url.rsplit("://").next().unwrap_or_default().into());
            let ids = status.map_or_else(Default::default, |status| {
                [id(status.container_id.as_str()), id(status.last_state.terminated.container_id.as_str())]
            });
            let told = status.map(|status| status.image.as_str()).filter(|image| !image.is_empty());
            let image = told.unwrap_or(container.image.as_str());
            let (requests, limits) = (&container.resources.requests, &container.resources.limits);
            let amount = |of: &Dict<'_, Quantity>, key: &str| of.get(key)?.nearest();
            Container {
                name: self.shared(container.name.as_str()),
                image: self.shared(image),
                ids,
                amounts: Amounts {
                    cpu_request: amount(requests, "cpu"),
                    cpu_limit: amount(limits, "cpu"),
                    memory_request: amount(requests, "memory"),
                    memory_limit: amount(limits, "memory"),
                },
                lasts,
            }
        };
        init.chain(main).chain(ephemeral).map(one).collect()
    }

    /// What owns the pod itself, or what certainly owns that.
    fn first(&mut self, object: &object::Pod<'_>, name: &Arc<str>) -> Link {
        let lone = |kind, name: &Arc<str>| Link { kind, name: Arc::clone(name), asked: None };
        let Some(owner) = object.metadata.controller() else {
            return if object.is_static() { lone("Node", &self.node) } else { lone("Pod", name) };
        };
        if owner.is("apps", "ReplicaSet")
            && let Some((kind, version, name)) = rules::of_replica_set(owner.name.as_str(), object)
        {
            return self.link(&Reference::new(version, kind, name));
        }
        if owner.is("batch", "Job")
            && let Some(name) = rules::of_prompt_job(owner.name.as_str(), object)
        {
            return self.link(&Reference::new("batch/v1", "CronJob", name));
        }
        self.link(owner)
    }

    fn link(&mut self, owner: &Reference<'_>) -> Link {
        let asked = self.asked.kinds.iter().position(|kind| kind.namespaced && kind.is(owner));
        Link { kind: workload::kind(owner.kind.as_str()), name: self.shared(owner.name.as_str()), asked }
    }

    fn namespace_key(&self, namespace: &Arc<str>) -> Option<OwnerKey> {
        let kind = self.asked.kinds.iter().position(|kind| !kind.namespaced)?;
        Some(OwnerKey { kind, namespace: Arc::default(), name: Arc::clone(namespace) })
    }

    /// The owners of a pod that can be asked for, from the bottom, and where the chain ends: the link, whether all of
    /// it was seen.
    fn chain(&self, pod: &Pod) -> (Vec<OwnerKey>, (Link, bool)) {
        let (mut keys, mut link) = (Vec::new(), pod.first.clone());
        for _ in 0..LONGEST_CHAIN {
            let Some(kind) = link.asked else { return (keys, (link, true)) };
            let key = OwnerKey { kind, namespace: Arc::clone(&pod.namespace), name: Arc::clone(&link.name) };
            let owner = self.owners.get(&key);
            keys.push(key);
            match owner.map(|owner| &owner.next) {
                None => return (keys, (link, false)),
                Some(Next::Owned(next)) => link = next.clone(),
                Some(Next::Top) => return (keys, (link, true)),
                Some(Next::Missing) => {
                    // A Job can be gone before anybody asks for it.
                    if link.kind == "Job"
                        && let Some(cron) = rules::of_job(&link.name)
                    {
                        link = Link { kind: "CronJob", name: cron.into(), asked: None };
                    }
                    return (keys, (link, true));
                }
            }
        }
        (keys, (link, true))
    }

    /// Finds out what a pod belongs to, and whom to ask if that is not known.
    fn place(&mut self, uid: PodUid<&str>) {
        let Some(pod) = self.pods.get(uid.0) else { return };
        let (keys, (link, is_sure)) = self.chain(pod);
        let unknown = if is_sure { None } else { keys.last().cloned() };
        let namespace = if self.asked.contacts.is_empty() { None } else { self.namespace_key(&pod.namespace) };
        self.wanted.extend(unknown);
        self.wanted.extend(namespace.filter(|key| !self.owners.contains_key(key)));
        let name = self.shared(&link.name);
        if let Some(pod) = self.pods.get_mut(uid.0) {
            pod.workload = WorkloadRef { namespace: Arc::clone(&pod.namespace), name, kind: link.kind };
            pod.is_sure = is_sure;
        }
    }
}

/// What an object says where labels and annotations are asked for; empty where it says nothing.
fn values(wanted: &[Wanted], meta: &Meta<'_>) -> Box<[Box<str>]> {
    let value = |wanted: &Wanted| {
        wanted.from.of(&meta.labels, &meta.annotations).get(&wanted.key).map_or("", Text::as_str).into()
    };
    wanted.iter().map(value).collect()
}

/// The phases there are, so that no pod has a text of its own.
fn phase(text: &str) -> &'static str {
    ["Pending", "Running", "Succeeded", "Failed"].into_iter().find(|phase| *phase == text).unwrap_or("Unknown")
}

impl Pod {
    /// Its name.
    pub fn called(&self) -> PodName<&str> {
        PodName { namespace: &self.namespace, name: &self.name }
    }

    /// Its container with this id.
    pub fn container(&self, id: ContainerId<&str>) -> Option<&Container> {
        self.containers.iter().find(|container| container.ids.iter().any(|known| known.borrowed() == id))
    }

    /// Whether its addresses are its own and still its.
    fn holds_addresses(&self) -> bool {
        !self.on_host_network && self.gone.is_none() && !matches!(self.phase, "Succeeded" | "Failed")
    }

    fn keep_ids_of(&mut self, before: &Self) {
        for container in &mut self.containers {
            let [id, last] = &mut container.ids;
            let Some(known) = before.containers.iter().find(|known| known.name == container.name) else { continue };
            let [known, _] = &known.ids;
            if id.0.is_empty() {
                *id = known.clone();
            } else if last.0.is_empty() && known != id {
                *last = known.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests;
