//! Names in a container's OCI bundle and in Docker's record of it; [`Places`](super::Places) finds both. The runtime writes it before it starts the container, so even a short-lived
//! container has a name without a runtime socket or API server.
//!
//! Source: the annotations of `config.json` (OCI runtime specification, "Annotations") that containerd, CRI-O and
//! cri-dockerd write, and Docker's own container record.

use serde::{Deserialize, Serialize};

use crate::ids::ContainerId;

/// Names of a container from its bundle; empty where the bundle has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Namespace of its pod.
    pub namespace: String,
    /// Name of its pod.
    pub pod: String,
    /// The container's name in the pod's specification.
    pub container: String,
    /// The image it was started from, as the runtime names it.
    pub image: String,
    /// The name that the runtime gives it.
    pub name: String,
    /// Whether it is the pod's sandbox.
    pub sandbox: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    annotations: Annotations,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "io.kubernetes.cri.container-type")]
    cri_type: String,
    #[serde(rename = "io.kubernetes.cri.container-name")]
    cri_name: String,
    #[serde(rename = "io.kubernetes.cri.image-name")]
    cri_image: String,
    #[serde(rename = "io.kubernetes.cri.sandbox-image-name")]
    cri_sandbox_image: String,
    #[serde(rename = "io.kubernetes.cri.podsandbox.image-name")]
    cri_podsandbox_image: String,
    #[serde(rename = "io.kubernetes.cri.sandbox-name")]
    cri_pod: String,
    #[serde(rename = "io.kubernetes.cri.sandbox-namespace")]
    cri_namespace: String,
    #[serde(rename = "io.kubernetes.container.name")]
    container: String,
    #[serde(rename = "io.kubernetes.pod.name")]
    pod: String,
    #[serde(rename = "io.kubernetes.pod.namespace")]
    namespace: String,
    #[serde(rename = "io.kubernetes.cri-o.ContainerType")]
    crio_type: String,
    #[serde(rename = "io.kubernetes.cri-o.ImageName")]
    crio_image: String,
    #[serde(rename = "io.kubernetes.cri-o.Name")]
    crio_name: String,
    #[serde(rename = "io.container.manager")]
    manager: String,
    #[serde(rename = "io.podman.annotations.name")]
    podman_name: String,
}

/// Docker's record of a container, `config.v2.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DockerRecord {
    name: String,
    config: DockerConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DockerConfig {
    image: String,
    labels: DockerLabels,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DockerLabels {
    #[serde(rename = "io.kubernetes.container.name")]
    container: String,
    #[serde(rename = "io.kubernetes.pod.name")]
    pod: String,
    #[serde(rename = "io.kubernetes.pod.namespace")]
    namespace: String,
    #[serde(rename = "io.kubernetes.docker.type")]
    kind: String,
}

/// Reads a bundle's `config.json`; `None` when it is not JSON, which is so while it is being written.
pub fn parse(json: &[u8], id: ContainerId<&str>) -> Option<Named> {
    let Annotations {
        cri_type,
        cri_name,
        cri_image,
        cri_sandbox_image,
        cri_podsandbox_image,
        cri_pod,
        cri_namespace,
        container,
        pod,
        namespace,
        crio_type,
        crio_image,
        crio_name,
        manager,
        podman_name,
    } = serde_json::from_slice::<Config>(json).ok()?.annotations;
    let sandbox = cri_type == "sandbox" || crio_type == "sandbox";
    let container = first([cri_name, container]);
    let crio = manager == "cri-o" || !crio_name.is_empty();
    Some(Named {
        namespace: first([cri_namespace, namespace]),
        pod: first([cri_pod, pod]),
        // CRI-O calls a sandbox "POD"; containerd gives it no name.
        container: if sandbox && !crio { String::new() } else { container },
        image: first([cri_image, cri_sandbox_image, cri_podsandbox_image, crio_image]),
        name: first([crio_name, podman_name, id.0.to_owned()]),
        sandbox,
    })
}

/// Reads a record of Docker's; `None` when it is not JSON.
pub fn parse_docker(json: &[u8]) -> Option<Named> {
    let record: DockerRecord = serde_json::from_slice(json).ok()?;
    let DockerLabels { container, pod, namespace, kind } = record.config.labels;
    Some(Named {
        namespace,
        pod,
        container,
        image: record.config.image,
        name: record.name.trim_start_matches('/').to_owned(),
        sandbox: kind == "podsandbox",
    })
}

fn first<const N: usize>(candidates: [String; N]) -> String {
    candidates.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_names_a_container_and_its_sandbox() {
        let json = br#"{"ociVersion":"1.1.0","process":{"args":["x"]},"annotations":{
            "io.kubernetes.cri.container-type":"container","io.kubernetes.cri.container-name":"web",
            "io.kubernetes.cri.image-name":"registry.example/web:1","io.kubernetes.cri.sandbox-name":"shop-0",
            "io.kubernetes.cri.sandbox-namespace":"shop"}}"#;
        let named = parse(json, ContainerId("ff")).unwrap();
        assert_eq!(
            named,
            Named {
                namespace: "shop".into(),
                pod: "shop-0".into(),
                container: "web".into(),
                image: "registry.example/web:1".into(),
                name: "ff".into(),
                sandbox: false
            }
        );
        let json = br#"{"annotations":{"io.kubernetes.cri.container-type":"sandbox",
            "io.kubernetes.cri.sandbox-name":"shop-0","io.kubernetes.cri.sandbox-namespace":"shop"}}"#;
        let named = parse(json, ContainerId("ff")).unwrap();
        assert!(named.sandbox && named.container.is_empty() && named.pod == "shop-0");
    }

    #[test]
    fn cri_o_names_them_its_own_way() {
        let json = br#"{"annotations":{"io.container.manager":"cri-o","io.kubernetes.cri-o.ContainerType":"sandbox",
            "io.kubernetes.container.name":"POD","io.kubernetes.pod.name":"a","io.kubernetes.pod.namespace":"b",
            "io.kubernetes.cri-o.Name":"k8s_POD_a_b_uid_0"}}"#;
        let named = parse(json, ContainerId("ff")).unwrap();
        assert_eq!((named.container.as_str(), named.name.as_str()), ("POD", "k8s_POD_a_b_uid_0"));
    }

    #[test]
    fn half_a_file_is_no_answer() {
        assert!(parse(br#"{"annotations":{"io.kub"#, ContainerId("ff")).is_none());
        assert_eq!(parse(b"{}", ContainerId("ff")).map(|n| n.name), Some("ff".into()));
    }
}
