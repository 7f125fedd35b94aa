//! What is read of pods and of what owns them: names, owners, containers, addresses, amounts. All else is passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A list of pods; the kubelet's too.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodList {
    pub(super) metadata: ListMeta,
    #[serde(deserialize_with = "or_default")]
    pub(super) items: Vec<Pod>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMeta {
    #[serde(deserialize_with = "or_default")]
    pub(super) resource_version: String,
}

/// A line of a watch.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'e> {
    #[serde(rename = "type")]
    pub(super) what: What,
    /// A pod, or a status if it is an error.
    #[serde(borrow)]
    pub(super) object: &'e RawValue,
}

/// What a server says when a watch cannot go on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum What {
    Added,
    Modified,
    Deleted,
    Bookmark,
    Error,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    pub(super) metadata: Meta,
    pub(super) spec: Spec,
    pub(super) status: Status,
}

/// Metadata of a pod or of an owner.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    /// RFC 3339; null in pods from files.
    #[serde(deserialize_with = "or_default")]
    pub(super) creation_timestamp: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) owner_references: Vec<Reference>,
}

/// An owner asked for by its metadata.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Partial {
    pub(super) metadata: Meta,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Reference {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) controller: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(deserialize_with = "or_default")]
    pub(super) host_network: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) init_containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub(super) containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub(super) ephemeral_containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) restart_policy: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) resources: Resources,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resources {
    #[serde(deserialize_with = "or_default")]
    pub(super) requests: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) limits: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) phase: String,
    pub(super) reason: String,
    #[serde(rename = "podIP", deserialize_with = "or_default")]
    pub(super) pod_ip: String,
    #[serde(rename = "podIPs", deserialize_with = "or_default")]
    pub(super) pod_ips: Vec<PodIp>,
    #[serde(deserialize_with = "or_default")]
    pub(super) init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    pub(super) container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    pub(super) ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodIp {
    pub(super) ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) name: String,
    pub(super) image: String,
    #[serde(rename = "containerID", deserialize_with = "or_default")]
    pub(super) container_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) last_state: LastState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LastState {
    #[serde(deserialize_with = "or_default")]
    pub(super) terminated: Terminated,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Terminated {
    #[serde(rename = "containerID", deserialize_with = "or_default")]
    pub(super) container_id: String,
}

/// Null is as good as missing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Meta {
    /// The owner that manages it.
    pub(super) fn controller(&self) -> Option<&Reference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

impl Pod {
    /// The uid that its cgroups bear: of a static pod that of its file, for which the API server has a mirror with a
    /// uid of its own.
    pub(super) fn cgroup_uid(&self) -> &str {
        let annotations = &self.metadata.annotations;
        match (annotations.get("kubernetes.io/config.mirror"), annotations.get("kubernetes.io/config.hash")) {
            (Some(_), Some(hash)) if !hash.is_empty() => hash,
            _ => &self.metadata.uid,
        }
    }

    /// Whether it comes from a file or a web page of its node.
    pub(super) fn is_static(&self) -> bool {
        let annotations = &self.metadata.annotations;
        annotations.contains_key("kubernetes.io/config.mirror")
            || annotations.get("kubernetes.io/config.source").is_some_and(|source| source != "api")
    }
}
