//! Assigns a unit to a workload; the only module that does.

use std::collections::{HashMap, HashSet};

use kubernetes::WorkloadRef;
use serde::{Deserialize, Serialize};

use super::{
    super::owner::{self, Role},
    unit::Unit,
};
use crate::{
    events::whose::Container,
    identity::{
        Ask, Pods, path,
        pods::{CGROUP, PodName},
    },
    ids::PodUid,
};

/// Names of pods, from bundles and from Kubernetes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Names {
    /// Names of pods, as bundles say.
    pods: HashMap<PodUid, PodName>,
    /// Pods as known from Kubernetes.
    #[serde(skip)]
    told: Pods,
}

impl Names {
    /// Has these asked for what containers belong to.
    pub(super) fn ask(&mut self, pods: &Pods) {
        self.told = pods.clone();
    }

    /// A pod's name became known.
    pub(super) fn learn(&mut self, uid: &PodUid, name: PodName) {
        self.pods.insert(uid.clone(), name);
    }

    /// The workload of a unit; `None` while its pod's name may still be learnt.
    pub(super) fn workload_of(&self, unit: &Unit, now: f64) -> Option<WorkloadRef> {
        let (Role::Container { pod: Some(uid) } | Role::Pod(uid)) = &unit.role else {
            return Some(WorkloadRef { namespace: "".into(), name: path::parent(&unit.path).into(), kind: CGROUP });
        };
        let Container { namespace, pod, .. } = &unit.labels;
        let by_bundle = (!pod.is_empty()).then_some(PodName { namespace: namespace.as_str(), name: pod.as_str() });
        let named = by_bundle.or_else(|| self.pods.get(uid).map(PodName::borrowed));
        let ask = Ask { uid: uid.borrowed(), named, age: now - unit.created, gone: unit.closed_ns != 0 };
        self.told.workload_of(ask)
    }

    /// Gives a unit the namespace, pod and container that Kubernetes says, where no bundle could be read.
    pub(super) fn complete(&self, unit: &mut Unit) {
        let Container { namespace, pod, name } = &mut unit.labels;
        let (Role::Container { pod: Some(uid) }, true) = (&unit.role, pod.is_empty()) else { return };
        let id = owner::container_id(&unit.path).unwrap_or_default();
        self.told.with_pod(uid.borrowed(), |told| {
            (*told.namespace).clone_into(namespace);
            (*told.name).clone_into(pod);
            if let Some(told) = told.container(id) {
                (*told.name).clone_into(name);
            }
        });
    }

    /// Forgets all pods but those of these units.
    pub(super) fn keep_those_of<'u>(&mut self, units: impl Iterator<Item = &'u Unit>) {
        let of_pod = |unit: &'u Unit| match &unit.role {
            Role::Container { pod: Some(uid) } | Role::Pod(uid) => Some(uid),
            _ => None,
        };
        let there: HashSet<&PodUid> = units.filter_map(of_pod).collect();
        self.pods.retain(|uid, _| there.contains(uid));
    }
}
