//! Pods: where they run, who owns them, what their containers ask for and how they are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kubernetes::{
    Quantity,
    lax::{Dict, Flag, Int, List, Sub, Text, Time},
};
use serde::Deserialize;

use super::amounts::{self, Unit};
use crate::{
    kind::{About, Kind},
    meta::{Condition, Meta, View},
    rows::{Amount, LabelValue, Rows, Whole},
};

/// Reasons that `kube_pod_status_reason` shows by name.
const REASONS: [&str; 8] = [
    "Evicted",
    "NodeAffinity",
    "NodeLost",
    "PreemptionByScheduler",
    "SchedulingGated",
    "Shutdown",
    "TerminationByKubelet",
    "UnexpectedAdmissionError",
];

/// Reasons that `kube_pod_status_disruption_reason` shows by name.
const DISRUPTIONS: [&str; 5] = [
    "PreemptionByScheduler",
    "DeletionByTaintManager",
    "EvictionByEvictionAPI",
    "DeletionByPodGC",
    "TerminationByKubelet",
];

const AMOUNT_LABELS: &[&str] = &["container", "node", "resource", "unit"];

type Family = crate::family::Family<Pods>;

pub(super) static KIND: Kind<Pods> = Kind {
    about: About { plural: "pods", kind: "Pod", ..About::CORE },
    identity: &["namespace", "pod", "uid"],
    identify: |p, rows| rows.identify(&[&p.metadata.namespace, &p.metadata.name, &p.metadata.uid]),
    families: &[
        Family::gauge(
            "kube_pod_completion_time",
            "When the last of the pod's ended containers ended, in seconds since the Unix epoch.",
            &[],
            completion_time,
        )
        .stable(),
        Family::gauge(
            "kube_pod_container_info",
            "Image and identifiers of a container; always 1.",
            &["container", "image_spec", "image", "image_id", "container_id"],
            |p, rows| {
                for (spec, status) in matching(&p.spec.containers, &p.status.container_statuses) {
                    rows.info(&[&status.name, &spec.image, &status.image, &status.image_id, &status.container_id]);
                }
            },
        )
        .stable(),
        Family::gauge(
            "kube_pod_container_resource_limits",
            "The most that a container may use of a resource, in cores, bytes or pieces.",
            AMOUNT_LABELS,
            |p, rows| put_amounts(rows, p, &p.spec.containers, |resources| &resources.limits),
        )
        .stable(),
        Family::gauge(
            "kube_pod_container_resource_requests",
            "What a container asks for of a resource, in cores, bytes or pieces.",
            AMOUNT_LABELS,
            |p, rows| put_amounts(rows, p, &p.spec.containers, |resources| &resources.requests),
        )
        .stable(),
        Family::gauge(
            "kube_pod_container_state_started",
            "When a running or ended container started, in seconds since the Unix epoch.",
            &["container"],
            |p, rows| started(rows, &p.status.container_statuses),
        )
        .stable(),
        Family::gauge(
            "kube_pod_container_status_last_terminated_reason",
            "Why the container ended before it was started again; always 1.",
            &["container", "reason"],
            |p, rows| last_ends(rows, &p.status.container_statuses, |rows, name, end| rows.info(&[name, &end.reason])),
        ),
        Family::gauge(
            "kube_pod_container_status_last_terminated_exitcode",
            "Exit code of the container when it ended before it was started again.",
            &["container"],
            |p, rows| last_ends(rows, &p.status.container_statuses, |rows, name, end| rows.put(&[name], end.exit_code)),
        ),
        Family::gauge(
            "kube_pod_container_status_last_terminated_timestamp",
            "When the container ended before it was started again, in seconds since the Unix epoch.",
            &["container"],
            |p, rows| {
                last_ends(rows, &p.status.container_statuses, |rows, name, end| rows.put(&[name], end.finished_at));
            },
        ),
        Family::gauge("kube_pod_container_status_ready", "Whether a container is ready.", &["container"], |p, rows| {
            each(rows, &p.status.container_statuses, |rows, status| rows.put(&[&status.name], status.ready));
        })
        .stable(),
        Family::counter(
            "kube_pod_container_status_restarts_total",
            "How often a container was started again.",
            &["container"],
            |p, rows| each(rows, &p.status.container_statuses, |rows, s| rows.put(&[&s.name], s.restart_count)),
        )
        .stable(),
        Family::gauge("kube_pod_container_status_running", "Whether a container runs.", &["container"], |p, rows| {
            each(rows, &p.status.container_statuses, |rows, s| rows.put(&[&s.name], s.state.running.is_some()));
        })
        .stable(),
        Family::gauge(
            "kube_pod_container_status_terminated",
            "Whether a container has ended.",
            &["container"],
            |p, rows| {
                each(rows, &p.status.container_statuses, |rows, s| rows.put(&[&s.name], s.state.terminated.is_some()));
            },
        )
        .stable(),
        Family::gauge(
            "kube_pod_container_status_terminated_reason",
            "Why a container has ended; always 1.",
            &["container", "reason"],
            |p, rows| ended_reasons(rows, &p.status.container_statuses),
        ),
        Family::gauge(
            "kube_pod_container_status_waiting",
            "Whether a container waits to run.",
            &["container"],
            |p, rows| {
                each(rows, &p.status.container_statuses, |rows, s| rows.put(&[&s.name], s.state.waiting.is_some()));
            },
        )
        .stable(),
        Family::gauge(
            "kube_pod_container_status_waiting_reason",
            "Why a container waits to run; always 1.",
            &["container", "reason"],
            |p, rows| waiting_reasons(rows, &p.status.container_statuses),
        )
        .stable(),
        Family::created("kube_pod_created").stable(),
        Family::deleted("kube_pod_deletion_timestamp"),
        Family::gauge(
            "kube_pod_info",
            "Addresses, node, managing owner and priority of a pod; always 1.",
            &["host_ip", "pod_ip", "node", "created_by_kind", "created_by_name", "priority_class", "host_network"],
            |p, rows| {
                let owner = p.metadata.controller();
                rows.info(&[
                    &p.status.host_ip,
                    &p.status.pod_ip,
                    &p.spec.node_name,
                    &owner.map(|owner| &owner.kind),
                    &owner.map(|owner| &owner.name),
                    &p.spec.priority_class_name,
                    &p.spec.host_network,
                ]);
            },
        )
        .stable(),
        Family::gauge("kube_pod_ips", "Addresses of a pod.", &["ip", "ip_family"], |p, rows| {
            for address in &p.status.pod_ips {
                if let Some(family) = ip_family(address.ip.as_str()) {
                    rows.info(&[&address.ip, &family]);
                }
            }
        }),
        Family::gauge(
            "kube_pod_init_container_info",
            "Image, identifiers and restart policy of an init container; always 1.",
            &["container", "image_spec", "image", "image_id", "container_id", "restart_policy"],
            |p, rows| {
                for (spec, status) in matching(&p.spec.init_containers, &p.status.init_container_statuses) {
                    let ids: [&Text<'_>; 3] = [&status.image, &status.image_id, &status.container_id];
                    let [image, image_id, container_id] = ids;
                    rows.info(&[&status.name, &spec.image, image, image_id, container_id, &spec.restart_policy]);
                }
            },
        )
        .stable(),
        Family::gauge(
            "kube_pod_init_container_resource_limits",
            "The most that an init container may use of a resource, in cores, bytes or pieces.",
            AMOUNT_LABELS,
            |p, rows| put_amounts(rows, p, &p.spec.init_containers, |resources| &resources.limits),
        ),
        Family::gauge(
            "kube_pod_init_container_resource_requests",
            "What an init container asks for of a resource, in cores, bytes or pieces.",
            AMOUNT_LABELS,
            |p, rows| put_amounts(rows, p, &p.spec.init_containers, |resources| &resources.requests),
        ),
        Family::gauge(
            "kube_pod_init_container_state_started",
            "When a running or ended init container started, in seconds since the Unix epoch.",
            &["container"],
            |p, rows| started(rows, &p.status.init_container_statuses),
        ),
        Family::gauge(
            "kube_pod_init_container_status_last_terminated_reason",
            "Why the init container ended before it was started again; always 1.",
            &["container", "reason"],
            |p, rows| {
                last_ends(rows, &p.status.init_container_statuses, |rows, name, end| rows.info(&[name, &end.reason]));
            },
        ),
        Family::gauge(
            "kube_pod_init_container_status_last_terminated_exitcode",
            "Exit code of the init container when it ended before it was started again.",
            &["container"],
            |p, rows| {
                last_ends(rows, &p.status.init_container_statuses, |rows, name, end| rows.put(&[name], end.exit_code));
            },
        ),
        Family::gauge(
            "kube_pod_init_container_status_last_terminated_timestamp",
            "When the init container ended before it was started again, in seconds since the Unix epoch.",
            &["container"],
            |p, rows| {
                last_ends(rows, &p.status.init_container_statuses, |rows, name, end| {
                    rows.put(&[name], end.finished_at);
                });
            },
        ),
        Family::gauge(
            "kube_pod_init_container_status_ready",
            "Whether an init container is ready.",
            &["container"],
            |p, rows| each(rows, &p.status.init_container_statuses, |rows, s| rows.put(&[&s.name], s.ready)),
        )
        .stable(),
        Family::counter(
            "kube_pod_init_container_status_restarts_total",
            "How often an init container was started again.",
            &["container"],
            |p, rows| each(rows, &p.status.init_container_statuses, |rows, s| rows.put(&[&s.name], s.restart_count)),
        )
        .stable(),
        Family::gauge(
            "kube_pod_init_container_status_running",
            "Whether an init container runs.",
            &["container"],
            |p, rows| {
                each(rows, &p.status.init_container_statuses, |rows, s| {
                    rows.put(&[&s.name], s.state.running.is_some());
                });
            },
        )
        .stable(),
        Family::gauge(
            "kube_pod_init_container_status_terminated",
            "Whether an init container has ended.",
            &["container"],
            |p, rows| {
                each(rows, &p.status.init_container_statuses, |rows, s| {
                    rows.put(&[&s.name], s.state.terminated.is_some());
                });
            },
        )
        .stable(),
        Family::gauge(
            "kube_pod_init_container_status_terminated_reason",
            "Why an init container has ended; always 1.",
            &["container", "reason"],
            |p, rows| ended_reasons(rows, &p.status.init_container_statuses),
        ),
        Family::gauge(
            "kube_pod_init_container_status_waiting",
            "Whether an init container waits to run.",
            &["container"],
            |p, rows| {
                each(rows, &p.status.init_container_statuses, |rows, s| {
                    rows.put(&[&s.name], s.state.waiting.is_some());
                });
            },
        )
        .stable(),
        Family::gauge(
            "kube_pod_init_container_status_waiting_reason",
            "Why an init container waits to run; always 1.",
            &["container", "reason"],
            |p, rows| waiting_reasons(rows, &p.status.init_container_statuses),
        ),
        Family::annotations("kube_pod_annotations"),
        Family::labels("kube_pod_labels").stable(),
        Family::gauge(
            "kube_pod_overhead_cpu_cores",
            "CPU that the pod needs beside its containers, in cores.",
            &[],
            |p, rows| rows.number(p.spec.overhead.get("cpu").copied().map(Amount)),
        ),
        Family::gauge(
            "kube_pod_overhead_memory_bytes",
            "Memory that the pod needs beside its containers, in bytes.",
            &[],
            |p, rows| rows.number(p.spec.overhead.get("memory").copied().map(Whole)),
        ),
        Family::owner("kube_pod_owner").stable(),
        Family::gauge(
            "kube_pod_resourceclaim_info",
            "Devices that a pod claims: its own name for the claim, and the claim or template behind it; always 1.",
            &["claim_name", "resourceclaim_name", "resourceclaim_template_name"],
            resource_claims,
        ),
        Family::gauge(
            "kube_pod_restart_policy",
            "When containers of the pod are started again; always 1.",
            &["type"],
            |p, rows| rows.info(&[&p.spec.restart_policy]),
        )
        .stable(),
        Family::gauge(
            "kube_pod_runtimeclass_name_info",
            "Runtime class of the pod, where it names one; always 1.",
            &["runtimeclass_name"],
            |p, rows| {
                if let Some(name) = &p.spec.runtime_class_name {
                    rows.info(&[name]);
                }
            },
        ),
        Family::gauge(
            "kube_pod_spec_volumes_persistentvolumeclaims_info",
            "Claims that the pod's volumes come from, and whether they live only as long as the pod; always 1.",
            &["volume", "persistentvolumeclaim", "ephemeral"],
            |p, rows| volumes(rows, p, |rows, labels, _| rows.info(labels)),
        )
        .stable(),
        Family::gauge(
            "kube_pod_spec_volumes_persistentvolumeclaims_readonly",
            "Whether a claim is mounted for reading only; never for claims that live only as long as the pod.",
            &["volume", "persistentvolumeclaim", "ephemeral"],
            |p, rows| volumes(rows, p, |rows, labels, read_only| rows.put(labels, read_only)),
        )
        .stable(),
        Family::gauge(
            "kube_pod_start_time",
            "When the node began to start the pod, in seconds since the Unix epoch.",
            &[],
            |p, rows| rows.number(p.status.start_time),
        )
        .stable(),
        Family::gauge("kube_pod_status_phase", "Phase of the pod, 1 for the current one.", &["phase"], |p, rows| {
            rows.states(&["Pending", "Succeeded", "Failed", "Unknown", "Running"], &p.status.phase);
        })
        .stable(),
        Family::gauge(
            "kube_pod_status_qos_class",
            "Quality of service class of the pod, 1 for the current one.",
            &["qos_class"],
            |p, rows| rows.states(&["BestEffort", "Burstable", "Guaranteed"], &p.status.qos_class),
        ),
        Family::gauge("kube_pod_status_ready", "Whether the pod is ready to serve.", &["condition"], |p, rows| {
            for condition in p.conditions("Ready") {
                rows.status(&[], &condition.status);
            }
        })
        .stable(),
        Family::gauge(
            "kube_pod_status_ready_time",
            "Since when the pod is ready, in seconds since the Unix epoch.",
            &[],
            |p, rows| since(rows, p, "Ready", "True"),
        ),
        Family::gauge(
            "kube_pod_status_initialized_time",
            "Since when the pod's init containers are done, in seconds since the Unix epoch.",
            &[],
            |p, rows| since(rows, p, "Initialized", "True"),
        ),
        Family::gauge(
            "kube_pod_status_container_ready_time",
            "Since when all containers of the pod are ready, in seconds since the Unix epoch.",
            &[],
            |p, rows| since(rows, p, "ContainersReady", "True"),
        ),
        Family::gauge(
            "kube_pod_status_reason",
            "Known reasons for the pod's state, from its status, conditions and ended containers; other reasons of the \
             status are shown as Other. Always 1.",
            &["reason"],
            reasons,
        ),
        Family::gauge(
            "kube_pod_status_disruption_reason",
            "Why the pod is about to be disturbed; uncommon reasons are shown as Other. Always 1.",
            &["reason"],
            |p, rows| {
                for condition in p.conditions("DisruptionTarget") {
                    let known = DISRUPTIONS.iter().find(|reason| condition.reason == **reason);
                    rows.info(&[known.unwrap_or(&"Other")]);
                }
            },
        ),
        Family::gauge("kube_pod_status_scheduled", "Whether the pod has a node.", &["condition"], |p, rows| {
            for condition in p.conditions("PodScheduled") {
                rows.status(&[], &condition.status);
            }
        })
        .stable(),
        Family::gauge(
            "kube_pod_status_scheduled_time",
            "Since when the pod has a node, in seconds since the Unix epoch.",
            &[],
            |p, rows| since(rows, p, "PodScheduled", "True"),
        )
        .stable(),
        Family::gauge(
            "kube_pod_status_unschedulable",
            "A pod for which no node was found; always 1.",
            &[],
            |p, rows| {
                for _ in p.conditions("PodScheduled").filter(|condition| condition.status == "False") {
                    rows.info(&[]);
                }
            },
        )
        .stable(),
        Family::gauge(
            "kube_pod_status_unscheduled_time",
            "Since when no node is found for the pod, in seconds since the Unix epoch.",
            &[],
            |p, rows| since(rows, p, "PodScheduled", "False"),
        ),
        Family::gauge(
            "kube_pod_tolerations",
            "Taints of nodes that the pod tolerates, each once; always 1.",
            &["key", "operator", "value", "effect", "toleration_seconds"],
            |p, rows| {
                for (index, t) in p.spec.tolerations.iter().enumerate() {
                    if !p.spec.tolerations.iter().take(index).any(|earlier| earlier == t) {
                        rows.info(&[&t.key, &t.operator, &t.value, &t.effect, &t.toleration_seconds]);
                    }
                }
            },
        ),
        Family::gauge(
            "kube_pod_nodeselectors",
            "Labels that the pod's node must have, each as a nodeselector_<key>; always 1.",
            &[],
            |p, rows| rows.map("nodeselector", &p.spec.node_selector),
        )
        .opt_in(),
        Family::gauge(
            "kube_pod_service_account",
            "Service account of the pod; always 1.",
            &["service_account"],
            |p, rows| rows.info(&[&p.spec.service_account_name]),
        ),
        Family::gauge("kube_pod_scheduler", "Scheduler of the pod; always 1.", &["name"], |p, rows| {
            rows.info(&[&p.spec.scheduler_name]);
        }),
        Family::gauge(
            "kube_pod_container_actual_resource_limits",
            "The most of a resource that a container is held to now, in cores, bytes or pieces: after a resize in place \
             not yet what its spec says.",
            AMOUNT_LABELS,
            |p, rows| put_actual(rows, p, &p.status.container_statuses, |resources| &resources.limits),
        )
        .ours(),
        Family::gauge(
            "kube_pod_container_actual_resource_requests",
            "What a container is given of a resource now, in cores, bytes or pieces: after a resize in place not yet \
             what its spec says.",
            AMOUNT_LABELS,
            |p, rows| put_actual(rows, p, &p.status.container_statuses, |resources| &resources.requests),
        )
        .ours(),
        Family::gauge(
            "kube_pod_init_container_actual_resource_limits",
            "The most of a resource that an init container is held to now, in cores, bytes or pieces: after a resize in \
             place not yet what its spec says.",
            AMOUNT_LABELS,
            |p, rows| put_actual(rows, p, &p.status.init_container_statuses, |resources| &resources.limits),
        )
        .ours(),
        Family::gauge(
            "kube_pod_init_container_actual_resource_requests",
            "What an init container is given of a resource now, in cores, bytes or pieces: after a resize in place not \
             yet what its spec says.",
            AMOUNT_LABELS,
            |p, rows| put_actual(rows, p, &p.status.init_container_statuses, |resources| &resources.requests),
        )
        .ours(),
    ],
};

fn completion_time(pod: &Pod<'_>, rows: &mut Rows) {
    let ends = pod.status.container_statuses.iter().filter_map(|status| status.state.terminated.as_ref());
    let mut last: Option<i64> = None;
    for end in ends {
        match end.finished_at {
            // A time of zero counts as none, whatever it follows.
            Time::At(seconds) if last.is_none_or(|last| last == 0 || last < seconds) => last = Some(seconds),
            Time::At(_) => {}
            Time::Spoiled => return rows.number(Time::Spoiled),
        }
    }
    rows.number(last.filter(|last| *last > 0).map(|last| last as f64));
}

/// Containers with their status, where they have one.
fn matching<'a, 'v>(
    containers: &'a List<Sub<Container<'v>>>,
    statuses: &'a List<Sub<ContainerStatus<'v>>>,
) -> impl Iterator<Item = (&'a Container<'v>, &'a ContainerStatus<'v>)> {
    containers.iter().flat_map(move |container| {
        let of_it = statuses.iter().filter(move |status| status.name == container.name);
        of_it.map(move |status| (&**container, &**status))
    })
}

fn put_amounts<'a, 'v>(
    rows: &mut Rows,
    pod: &Pod<'v>,
    containers: &'a List<Sub<Container<'v>>>,
    amounts: fn(&'a Resources<'v>) -> &'a Dict<'v, Quantity>,
) {
    for container in containers {
        put_amounts_of(rows, pod, &container.name, amounts(&container.resources));
    }
}

fn put_actual<'a, 'v>(
    rows: &mut Rows,
    pod: &Pod<'v>,
    statuses: &'a List<Sub<ContainerStatus<'v>>>,
    amounts: fn(&'a Resources<'v>) -> &'a Dict<'v, Quantity>,
) {
    for status in statuses {
        put_amounts_of(rows, pod, &status.name, amounts(&status.resources));
    }
}

fn put_amounts_of(rows: &mut Rows, pod: &Pod<'_>, name: &Text<'_>, amounts: &Dict<'_, Quantity>) {
    amounts::each(amounts, |resource, unit, amount| {
        let labels: [&dyn LabelValue; 4] = [name, &pod.spec.node_name, &resource, &unit.name()];
        match unit {
            Unit::Core => rows.put(&labels, Amount(*amount)),
            Unit::Byte | Unit::Integer => rows.put(&labels, Whole(*amount)),
        }
    });
}

fn each(rows: &mut Rows, statuses: &List<Sub<ContainerStatus<'_>>>, put: fn(&mut Rows, &ContainerStatus<'_>)) {
    for status in statuses {
        put(rows, status);
    }
}

fn started(rows: &mut Rows, statuses: &List<Sub<ContainerStatus<'_>>>) {
    for status in statuses {
        if let Some(running) = &status.state.running {
            rows.put(&[&status.name], running.started_at);
        } else if let Some(end) = &status.state.terminated {
            rows.put(&[&status.name], end.started_at);
        }
    }
}

fn last_ends(
    rows: &mut Rows,
    statuses: &List<Sub<ContainerStatus<'_>>>,
    put: fn(&mut Rows, &Text<'_>, &Terminated<'_>),
) {
    for status in statuses {
        if let Some(end) = &status.last_state.terminated {
            put(rows, &status.name, end);
        }
    }
}

fn ended_reasons(rows: &mut Rows, statuses: &List<Sub<ContainerStatus<'_>>>) {
    for status in statuses {
        if let Some(end) = &status.state.terminated {
            rows.info(&[&status.name, &end.reason]);
        }
    }
}

fn waiting_reasons(rows: &mut Rows, statuses: &List<Sub<ContainerStatus<'_>>>) {
    for status in statuses {
        if let Some(waiting) = &status.state.waiting {
            rows.info(&[&status.name, &waiting.reason]);
        }
    }
}

/// `4` or `6`. An IPv4 address in IPv6 form counts as IPv4.
fn ip_family(ip: &str) -> Option<&'static str> {
    let zoned = ip.split_once('%').filter(|(_, zone)| !zone.is_empty());
    if let Some((address, _)) = zoned {
        return address.parse::<Ipv6Addr>().is_ok().then_some("6");
    }
    match ip.parse::<IpAddr>().ok()? {
        IpAddr::V4(Ipv4Addr { .. }) => Some("4"),
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Some("4"),
        IpAddr::V6(_) => Some("6"),
    }
}

fn resource_claims(pod: &Pod<'_>, rows: &mut Rows) {
    for claim in &pod.spec.resource_claims {
        let (name, template) = (&claim.resource_claim_name, &claim.resource_claim_template_name);
        if name.is_none() && template.is_none() {
            continue;
        }
        let statuses = pod.status.resource_claim_statuses.iter();
        let resolved = statuses.rev().find(|s| s.name == claim.name && s.resource_claim_name.is_some());
        let made = resolved.and_then(|status| status.resource_claim_name.as_ref());
        rows.info(&[&claim.name, &name.as_ref().or(made), template]);
    }
}

fn volumes(rows: &mut Rows, pod: &Pod<'_>, put: fn(&mut Rows, &[&dyn LabelValue], Flag)) {
    for volume in &pod.spec.volumes {
        if let Some(claim) = &volume.persistent_volume_claim {
            put(rows, &[&volume.name, &claim.claim_name, &"false"], claim.read_only);
        } else if volume.ephemeral.is_some() {
            let claim = format!("{}-{}", pod.metadata.name.as_str(), volume.name.as_str());
            put(rows, &[&volume.name, &claim, &"true"], Flag::Is(false));
        }
    }
}

fn since(rows: &mut Rows, pod: &Pod<'_>, kind: &'static str, status: &str) {
    for condition in pod.conditions(kind).filter(|condition| condition.status == status) {
        rows.number(condition.last_transition_time);
    }
}

fn reasons(pod: &Pod<'_>, rows: &mut Rows) {
    let status = &pod.status;
    let ends = || status.container_statuses.iter().filter_map(|container| container.state.terminated.as_ref());
    for reason in REASONS {
        if status.reason == reason
            || status.conditions.iter().any(|condition| condition.reason == reason)
            || ends().any(|end| end.reason == reason)
        {
            rows.info(&[&reason]);
        }
    }
    if status.reason == Text::Spoiled {
        rows.info(&[&status.reason]);
    } else if !status.reason.is_empty() && !REASONS.contains(&status.reason.as_str()) {
        rows.info(&[&"Other"]);
    }
}

pub(super) struct Pods;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Pod<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

impl<'v> Pod<'v> {
    fn conditions(&self, kind: &'static str) -> impl Iterator<Item = &Condition<'v>> {
        self.status.conditions.iter().map(|condition| &**condition).filter(move |condition| condition.kind == kind)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    node_name: Text<'v>,
    host_network: Flag,
    priority_class_name: Text<'v>,
    restart_policy: Text<'v>,
    runtime_class_name: Option<Text<'v>>,
    service_account_name: Text<'v>,
    scheduler_name: Text<'v>,
    node_selector: Dict<'v, Text<'v>>,
    overhead: Dict<'v, Quantity>,
    containers: List<Sub<Container<'v>>>,
    init_containers: List<Sub<Container<'v>>>,
    volumes: List<Sub<Volume<'v>>>,
    tolerations: List<Sub<Toleration<'v>>>,
    resource_claims: List<Sub<ResourceClaim<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Container<'v> {
    name: Text<'v>,
    image: Text<'v>,
    restart_policy: Text<'v>,
    resources: Sub<Resources<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Resources<'v> {
    limits: Dict<'v, Quantity>,
    requests: Dict<'v, Quantity>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Volume<'v> {
    name: Text<'v>,
    persistent_volume_claim: Option<Sub<Claim<'v>>>,
    ephemeral: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Claim<'v> {
    claim_name: Text<'v>,
    read_only: Flag,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Toleration<'v> {
    key: Text<'v>,
    operator: Text<'v>,
    value: Text<'v>,
    effect: Text<'v>,
    toleration_seconds: Option<Int>,
}

/// In the spec: what is asked for. In the status: what was made for it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct ResourceClaim<'v> {
    name: Text<'v>,
    resource_claim_name: Option<Text<'v>>,
    resource_claim_template_name: Option<Text<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    phase: Text<'v>,
    reason: Text<'v>,
    #[serde(rename = "hostIP")]
    host_ip: Text<'v>,
    #[serde(rename = "podIP")]
    pod_ip: Text<'v>,
    #[serde(rename = "podIPs")]
    pod_ips: List<Sub<PodIp<'v>>>,
    qos_class: Text<'v>,
    start_time: Option<Time>,
    conditions: List<Sub<Condition<'v>>>,
    container_statuses: List<Sub<ContainerStatus<'v>>>,
    init_container_statuses: List<Sub<ContainerStatus<'v>>>,
    resource_claim_statuses: List<Sub<ResourceClaim<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct PodIp<'v> {
    ip: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct ContainerStatus<'v> {
    name: Text<'v>,
    image: Text<'v>,
    #[serde(rename = "imageID")]
    image_id: Text<'v>,
    #[serde(rename = "containerID")]
    container_id: Text<'v>,
    ready: Flag,
    restart_count: Int,
    state: Sub<State<'v>>,
    last_state: Sub<State<'v>>,
    /// What is in force now.
    resources: Sub<Resources<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct State<'v> {
    running: Option<Sub<Running>>,
    terminated: Option<Sub<Terminated<'v>>>,
    waiting: Option<Sub<Waiting<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Running {
    started_at: Time,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Terminated<'v> {
    exit_code: Int,
    reason: Text<'v>,
    started_at: Time,
    finished_at: Time,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Waiting<'v> {
    reason: Text<'v>,
}

impl View for Pods {
    type Of<'v> = Pod<'v>;

    fn meta<'a, 'v: 'a>(p: &'a Pod<'v>) -> &'a Meta<'v> {
        &p.metadata
    }
}
