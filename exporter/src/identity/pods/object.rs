//! The fields of pods and owners that are parsed; all others are skipped. All else is passed over, and a field of an
//! unexpected shape is as good as missing.

use kubernetes::{
    Quantity, Reference,
    lax::{Dict, Flag, List, Sub, Text, Time},
    owner,
};
use serde::Deserialize;

use crate::ids::PodUid;

/// A list of pods; the kubelet's too.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct PodList<'v> {
    pub(super) metadata: Sub<ListMeta<'v>>,
    pub(super) items: List<Sub<Pod<'v>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct ListMeta<'v> {
    pub(super) resource_version: Text<'v>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Pod<'v> {
    pub(super) metadata: Sub<Meta<'v>>,
    pub(super) spec: Sub<Spec<'v>>,
    pub(super) status: Sub<Status<'v>>,
}

/// Metadata of a pod or of an owner.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct Meta<'v> {
    pub(super) name: Text<'v>,
    pub(super) namespace: Text<'v>,
    pub(super) uid: Text<'v>,
    pub(super) resource_version: Text<'v>,
    /// Null in pods from files.
    pub(super) creation_timestamp: Time,
    pub(super) labels: Dict<'v, Text<'v>>,
    pub(super) annotations: Dict<'v, Text<'v>>,
    pub(super) owner_references: List<Sub<Reference<'v>>>,
}

/// An owner asked for by its metadata.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Partial<'v> {
    pub(super) metadata: Sub<Meta<'v>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct Spec<'v> {
    pub(super) host_network: Flag,
    pub(super) init_containers: List<Sub<Container<'v>>>,
    pub(super) containers: List<Sub<Container<'v>>>,
    pub(super) ephemeral_containers: List<Sub<Container<'v>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct Container<'v> {
    pub(super) name: Text<'v>,
    pub(super) image: Text<'v>,
    pub(super) restart_policy: Text<'v>,
    pub(super) resources: Sub<Resources<'v>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Resources<'v> {
    pub(super) requests: Dict<'v, Quantity>,
    pub(super) limits: Dict<'v, Quantity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct Status<'v> {
    pub(super) phase: Text<'v>,
    pub(super) reason: Text<'v>,
    #[serde(rename = "podIP")]
    pub(super) pod_ip: Text<'v>,
    #[serde(rename = "podIPs")]
    pub(super) pod_ips: List<Sub<PodIp<'v>>>,
    pub(super) init_container_statuses: List<Sub<ContainerStatus<'v>>>,
    pub(super) container_statuses: List<Sub<ContainerStatus<'v>>>,
    pub(super) ephemeral_container_statuses: List<Sub<ContainerStatus<'v>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct PodIp<'v> {
    pub(super) ip: Text<'v>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct ContainerStatus<'v> {
    pub(super) name: Text<'v>,
    pub(super) image: Text<'v>,
    #[serde(rename = "containerID")]
    pub(super) container_id: Text<'v>,
    pub(super) last_state: Sub<LastState<'v>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct LastState<'v> {
    pub(super) terminated: Sub<Terminated<'v>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct Terminated<'v> {
    #[serde(rename = "containerID")]
    pub(super) container_id: Text<'v>,
}

impl<'v> Meta<'v> {
    /// The owner that manages it.
    pub(super) fn controller(&self) -> Option<&Reference<'v>> {
        owner::controller(&self.owner_references)
    }
}

impl Pod<'_> {
    /// The uid that its cgroups bear: of a static pod that of its file, for which the API server has a mirror with a
    /// uid of its own.
    pub(super) fn cgroup_uid(&self) -> PodUid<&str> {
        let annotation = |key: &str| self.metadata.annotations.get(key).map(Text::as_str);
        PodUid(match (annotation("kubernetes.io/config.mirror"), annotation("kubernetes.io/config.hash")) {
            (Some(_), Some(hash)) if !hash.is_empty() => hash,
            _ => self.metadata.uid.as_str(),
        })
    }

    /// Whether it comes from a file or a web page of its node.
    pub(super) fn is_static(&self) -> bool {
        let annotation = |key: &str| self.metadata.annotations.get(key);
        annotation("kubernetes.io/config.mirror").is_some()
            || annotation("kubernetes.io/config.source").is_some_and(|source| *source != "api")
    }
}
