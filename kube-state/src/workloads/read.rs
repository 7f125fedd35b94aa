//! The parsed fields of pods and their owners.

use kubernetes::{
    Quantity, Reference, Wanted,
    lax::{Dict, List, Sub, Text, Time},
    owner,
};
use serde::Deserialize;

use super::state::{OwnerObject, Parent, PodObject};

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Pod<'v> {
    metadata: Sub<PodMeta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    node_name: Text<'v>,
    containers: List<Sub<Container<'v>>>,
    init_containers: List<Sub<Container<'v>>>,
    overhead: Dict<'v, Quantity>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Container<'v> {
    restart_policy: Text<'v>,
    resources: Sub<Resources<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Resources<'v> {
    requests: Dict<'v, Quantity>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct PodMeta<'v> {
    name: Text<'v>,
    namespace: Text<'v>,
    uid: Text<'v>,
    creation_timestamp: Time,
    owner_references: List<Sub<Reference<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    phase: Text<'v>,
    reason: Text<'v>,
    container_statuses: List<Sub<ContainerStatus<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct ContainerStatus<'v> {
    state: Sub<ContainerState<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct ContainerState<'v> {
    terminated: Sub<Terminated<'v>>,
    waiting: Sub<Terminated<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Terminated<'v> {
    reason: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Owner<'v> {
    metadata: Sub<OwnerMeta<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct OwnerMeta<'v> {
    name: Text<'v>,
    namespace: Text<'v>,
    uid: Text<'v>,
    labels: Dict<'v, Text<'v>>,
    annotations: Dict<'v, Text<'v>>,
    owner_references: List<Sub<Reference<'v>>>,
}

fn parent(references: &List<Sub<Reference<'_>>>) -> Option<Parent> {
    let owner = owner::controller(references)?;
    Some(Parent { kind: owner.kind.as_str().into(), name: owner.name.as_str().into(), uid: owner.uid.as_str().into() })
}

/// A pod with its uid; `None` when the text is none.
pub(super) fn pod(json: &[u8]) -> Option<(String, PodObject)> {
    let pod: Pod<'_> = serde_json::from_slice(json).ok()?;
    let (meta, status) = (&pod.metadata, &pod.status);
    let uid = Some(meta.uid.as_str().to_owned()).filter(|uid| !uid.is_empty())?;
    let object = PodObject {
        namespace: meta.namespace.as_str().into(),
        name: meta.name.as_str().into(),
        parent: parent(&meta.owner_references),
        created: meta.creation_timestamp.unless_zero().and_then(Time::seconds),
        phase: status.phase.as_str().into(),
        reason: reason(status).into(),
        requests: requests(&pod),
    };
    Some((uid, object))
}

/// What a pod takes of its node for itself, as the scheduler counts it: cores and bytes. Nothing before it has a node,
/// and nothing once it has ended.
fn requests(pod: &Pod<'_>) -> [f64; 2] {
    let spec = &pod.spec;
    if spec.node_name.is_empty() || pod.status.phase == "Succeeded" || pod.status.phase == "Failed" {
        return [0.0; 2];
    }
    ["cpu", "memory"].map(|resource| {
        let amount = |amounts: &Dict<'_, Quantity>| amounts.get(resource).and_then(Quantity::amount).unwrap_or(0.0);
        let of = |container: &Sub<Container<'_>>| amount(&container.resources.requests);
        // One init container runs at a time, beside those before it that stay.
        let (mut stay, mut begin) = (0.0_f64, 0.0_f64);
        for container in &spec.init_containers {
            begin = begin.max(stay + of(container));
            stay += if container.restart_policy == "Always" { of(container) } else { 0.0 };
        }
        let run: f64 = spec.containers.iter().map(of).sum();
        (run + stay).max(begin) + amount(&spec.overhead)
    })
}

/// Why a pod is as it is: what its status says, else what says most of what its containers say.
fn reason<'a>(status: &'a Status<'_>) -> &'a str {
    let of_pod = status.reason.as_str();
    if !of_pod.is_empty() {
        return of_pod;
    }
    let ends = || status.container_statuses.iter().map(|container| container.state.terminated.reason.as_str());
    let waits = status.container_statuses.iter().map(|container| container.state.waiting.reason.as_str());
    let troubles = ends().filter(|reason| *reason != "Completed").chain(waits);
    troubles.chain(ends()).find(|reason| !reason.is_empty()).unwrap_or("")
}

/// What owns pods, with its uid.
pub(super) fn owner(json: &[u8], kind: &str, contacts: &[Wanted]) -> Option<(String, OwnerObject)> {
    let owner: Owner<'_> = serde_json::from_slice(json).ok()?;
    let meta = &owner.metadata;
    let uid = Some(meta.uid.as_str().to_owned()).filter(|uid| !uid.is_empty())?;
    let value = |contact: &Wanted| {
        contact.from.of(&meta.labels, &meta.annotations).get(&contact.key).map_or("", Text::as_str).into()
    };
    let object = OwnerObject {
        kind: kind.into(),
        namespace: meta.namespace.as_str().into(),
        name: meta.name.as_str().into(),
        parent: parent(&meta.owner_references),
        contacts: contacts.iter().map(value).collect(),
    };
    Some((uid, object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_that_says_most_is_the_pods() {
        let reason = |status: &str| {
            let text = format!(r#"{{"metadata":{{"uid":"u"}},"status":{status}}}"#);
            pod(text.as_bytes()).unwrap().1.reason.to_string()
        };
        let containers = r#""containerStatuses":[{"state":{"terminated":{"reason":"Completed"}}},
            {"state":{"terminated":{"reason":"OOMKilled"}}}]"#;
        assert_eq!(reason(&format!(r#"{{"reason":"Evicted",{containers}}}"#)), "Evicted");
        assert_eq!(reason(&format!("{{{containers}}}")), "OOMKilled");
        assert_eq!(reason(&format!("{{{}}}", containers.replace("OOMKilled", "Completed"))), "Completed");
        let waits =
            containers.replace("terminated\":{\"reason\":\"OOMKilled", "waiting\":{\"reason\":\"ImagePullBackOff");
        assert_eq!(reason(&format!("{{{waits}}}")), "ImagePullBackOff");
        assert_eq!(reason("7"), "");
    }

    #[test]
    fn a_pod_asks_for_what_the_scheduler_counts() {
        let asked = |node: &str, phase: &str| {
            let container = |cpu: &str, policy: &str| {
                format!(r#"{{"restartPolicy":"{policy}","resources":{{"requests":{{"cpu":"{cpu}","memory":"1Mi"}}}}}}"#)
            };
            let text = format!(
                r#"{{"metadata":{{"uid":"u"}},"spec":{{"nodeName":"{node}","overhead":{{"cpu":"10m"}},"containers":[{},{{}}],
                "initContainers":[{},{},{}]}},"status":{{"phase":"{phase}"}}}}"#,
                container("500m", ""),
                container("100m", "Always"),
                container("900m", ""),
                container("1m", "")
            );
            pod(text.as_bytes()).unwrap().1.requests
        };
        assert_eq!(asked("n", "Running"), [1.01, 2_097_152.0]);
        assert_eq!(asked("", "Pending"), [0.0, 0.0]);
        assert_eq!(asked("n", "Succeeded"), [0.0, 0.0]);
    }

    #[test]
    fn what_has_no_uid_is_passed_over() {
        for text in ["", "[]", "{}", r#"{"metadata":{"uid":7}}"#] {
            assert!(pod(text.as_bytes()).is_none() && owner(text.as_bytes(), "Job", &[]).is_none(), "{text}");
        }
    }
}
