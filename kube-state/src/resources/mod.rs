//! All kinds, one file each. [`ALL`] is in the order of the output, which is that of the plural names.

use metric::{FamilyEntry, NeedEntry, Section};

use crate::{
    family::{Desc, Gate},
    kind::Resource,
};

mod amounts;
mod certificatesigningrequest;
mod clusterrole;
mod clusterrolebinding;
mod configmap;
mod cronjob;
mod daemonset;
mod deployment;
mod endpoint;
mod endpointslice;
mod horizontalpodautoscaler;
mod ingress;
mod ingressclass;
mod job;
mod lease;
mod limitrange;
mod mutatingadmissionpolicy;
mod mutatingadmissionpolicybinding;
mod mutatingwebhookconfiguration;
mod namespace;
mod networkpolicy;
mod node;
mod persistentvolume;
mod persistentvolumeclaim;
mod pod;
mod poddisruptionbudget;
mod replicaset;
mod replicationcontroller;
mod resourcequota;
mod role;
mod rolebinding;
mod secret;
mod service;
mod serviceaccount;
mod statefulset;
mod storageclass;
mod validatingadmissionpolicy;
mod validatingadmissionpolicybinding;
mod validatingwebhookconfiguration;
mod volumeattachment;
mod webhooks;

/// All kinds, by plural name.
pub const ALL: &[&dyn Resource] = &[
    &certificatesigningrequest::KIND,
    &clusterrolebinding::KIND,
    &clusterrole::KIND,
    &configmap::KIND,
    &cronjob::KIND,
    &daemonset::KIND,
    &deployment::KIND,
    &endpoint::KIND,
    &endpointslice::KIND,
    &horizontalpodautoscaler::KIND,
    &ingressclass::KIND,
    &ingress::KIND,
    &job::KIND,
    &lease::KIND,
    &limitrange::KIND,
    &mutatingadmissionpolicy::KIND,
    &mutatingadmissionpolicybinding::KIND,
    &mutatingwebhookconfiguration::KIND,
    &namespace::KIND,
    &networkpolicy::KIND,
    &node::KIND,
    &persistentvolumeclaim::KIND,
    &persistentvolume::KIND,
    &poddisruptionbudget::KIND,
    &pod::KIND,
    &replicaset::KIND,
    &replicationcontroller::KIND,
    &resourcequota::KIND,
    &rolebinding::KIND,
    &role::KIND,
    &secret::KIND,
    &serviceaccount::KIND,
    &service::KIND,
    &statefulset::KIND,
    &storageclass::KIND,
    &validatingadmissionpolicy::KIND,
    &validatingadmissionpolicybinding::KIND,
    &validatingwebhookconfiguration::KIND,
    &volumeattachment::KIND,
];

/// The kind with this plural name.
pub fn find(plural: &str) -> Option<&'static dyn Resource> {
    let at = ALL.binary_search_by(|resource| resource.about().plural.cmp(plural)).ok()?;
    ALL.get(at).copied()
}

/// All declarations as data, one section a kind.
pub fn sections() -> impl Iterator<Item = Section> {
    ALL.iter().map(|resource| Section {
        name: resource.about().plural.to_owned(),
        about: resource.about().kind.to_owned(),
        default_on: resource.about().default_on,
        needs: vec![NeedEntry::Rights {
            verbs: vec!["list".to_owned(), "watch".to_owned()],
            path: resource.about().path(None),
        }],
        families: resource.descs().map(|desc| entry(*resource, desc)).collect(),
    })
}

fn entry(resource: &dyn Resource, desc: &'static Desc) -> FamilyEntry {
    FamilyEntry {
        named_by: (desc.gate != Gate::Ours).then(|| "kube-state-metrics".to_owned()),
        ..desc.entry(resource.identity().iter().chain(desc.labels))
    }
}
