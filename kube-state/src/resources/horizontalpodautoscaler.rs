//! HorizontalPodAutoscalers: what they scale, between which bounds, and by which numbers.

use kubernetes::{
    Quantity,
    lax::{Int, List, Sub, Text},
};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Condition, Meta, View},
    rows::{Amount, Reading, Rows},
};

type Family = crate::family::Family<Autoscalers>;

pub(super) static KIND: Kind<Autoscalers> = Kind {
    about: About {
        plural: "horizontalpodautoscalers",
        kind: "HorizontalPodAutoscaler",
        group: "autoscaling",
        version: "v2",
        ..About::CORE
    },
    identity: &["namespace", "horizontalpodautoscaler"],
    identify: |a, rows| rows.identify(&[&a.metadata.namespace, &a.metadata.name]),
    families: &[
        Family::gauge(
            "kube_horizontalpodautoscaler_info",
            "What the autoscaler scales; always 1. Without an API version, that label is left out.",
            &["scaletargetref_api_version", "scaletargetref_kind", "scaletargetref_name"],
            |a, rows| {
                let target = &a.spec.scale_target_ref;
                if target.api_version.is_empty() {
                    let names = ["scaletargetref_kind", "scaletargetref_name"];
                    rows.put_with(&names, &[&target.kind, &target.name], 1.0);
                } else {
                    rows.info(&[&target.api_version, &target.kind, &target.name]);
                }
            },
        ),
        Family::generation("kube_horizontalpodautoscaler_metadata_generation").stable(),
        Family::gauge(
            "kube_horizontalpodautoscaler_spec_max_replicas",
            "The most replicas that the autoscaler asks for.",
            &[],
            |a, rows| rows.number(a.spec.max_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_horizontalpodautoscaler_spec_min_replicas",
            "The fewest replicas that the autoscaler asks for; 1 when not set.",
            &[],
            |a, rows| rows.number(a.spec.min_replicas.unwrap_or(Int::Is(1))),
        )
        .stable(),
        Family::gauge(
            "kube_horizontalpodautoscaler_spec_target_metric",
            "Numbers that the autoscaler tries to hold, by metric.",
            &["metric_name", "metric_target_type", "container"],
            |a, rows| {
                for metric in &a.spec.metrics {
                    put_metric(rows, metric, |source| &source.target);
                }
            },
        ),
        Family::gauge(
            "kube_horizontalpodautoscaler_spec_behavior_scale_down_tolerance",
            "How far below its target a metric's ratio may be before replicas are taken away.",
            &[],
            |a, rows| tolerance(rows, &a.spec.behavior.scale_down),
        ),
        Family::gauge(
            "kube_horizontalpodautoscaler_spec_behavior_scale_up_tolerance",
            "How far above its target a metric's ratio may be before replicas are added.",
            &[],
            |a, rows| tolerance(rows, &a.spec.behavior.scale_up),
        ),
        Family::gauge(
            "kube_horizontalpodautoscaler_status_target_metric",
            "Numbers that the autoscaler last saw, by metric.",
            &["metric_name", "metric_target_type", "container"],
            |a, rows| {
                for metric in &a.status.current_metrics {
                    put_metric(rows, metric, |source| &source.current);
                }
            },
        )
        .stable(),
        Family::gauge(
            "kube_horizontalpodautoscaler_status_current_replicas",
            "Replicas that the autoscaler last saw.",
            &[],
            |a, rows| rows.number(a.status.current_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_horizontalpodautoscaler_status_desired_replicas",
            "Replicas that the autoscaler last asked for.",
            &[],
            |a, rows| rows.number(a.status.desired_replicas),
        )
        .stable(),
        Family::annotations("kube_horizontalpodautoscaler_annotations"),
        Family::labels("kube_horizontalpodautoscaler_labels").stable(),
        Family::gauge(
            "kube_horizontalpodautoscaler_status_condition",
            "Conditions of the autoscaler, 1 for the status each has.",
            &["condition", "status"],
            |a, rows| {
                for condition in &a.status.conditions {
                    rows.status(&[&condition.kind], &condition.status);
                }
            },
        )
        .stable(),
        Family::created("kube_horizontalpodautoscaler_created"),
        Family::deleted("kube_horizontalpodautoscaler_deletion_timestamp"),
    ],
};

/// Puts the numbers of a metric, or nothing when its source is missing or of a sort we do not know.
fn put_metric<'a, 'v>(rows: &mut Rows, metric: &'a Metric<'v>, numbers: fn(&'a Source<'v>) -> &'a Numbers) {
    let source = match metric.kind.as_str() {
        "Object" => &metric.object,
        "Pods" => &metric.pods,
        "Resource" => &metric.resource,
        "ContainerResource" => &metric.container_resource,
        "External" => &metric.external,
        _ => return,
    };
    let Some(source) = source.as_deref() else { return };
    let name = match metric.kind.as_str() {
        "Resource" | "ContainerResource" => &source.name,
        _ => &source.metric.name,
    };
    let container: &Text<'_> = if metric.kind == "ContainerResource" { &source.container } else { &Text::default() };
    let numbers = numbers(source);
    rows.put(&[name, &"value", container], numbers.value.map(Amount));
    rows.put(&[name, &"average", container], numbers.average_value.map(Amount));
    rows.put(&[name, &"utilization", container], numbers.average_utilization);
}

fn tolerance(rows: &mut Rows, rules: &Rules) {
    if let Some(tolerance) = rules.tolerance {
        rows.number(Reading::from(tolerance.approximate()));
    }
}

pub(super) struct Autoscalers;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Autoscaler<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    scale_target_ref: Sub<Target<'v>>,
    max_replicas: Int,
    min_replicas: Option<Int>,
    metrics: List<Sub<Metric<'v>>>,
    behavior: Sub<Behavior>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Target<'v> {
    api_version: Text<'v>,
    kind: Text<'v>,
    name: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Behavior {
    scale_up: Sub<Rules>,
    scale_down: Sub<Rules>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rules {
    tolerance: Option<Quantity>,
}

/// A metric with exactly one source, which `type` names.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Metric<'v> {
    #[serde(rename = "type")]
    kind: Text<'v>,
    object: Option<Sub<Source<'v>>>,
    pods: Option<Sub<Source<'v>>>,
    resource: Option<Sub<Source<'v>>>,
    container_resource: Option<Sub<Source<'v>>>,
    external: Option<Sub<Source<'v>>>,
}

/// The fields of all five sorts of sources: `target` is in the spec, `current` in the status.
#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Source<'v> {
    name: Text<'v>,
    container: Text<'v>,
    metric: Sub<MetricName<'v>>,
    target: Sub<Numbers>,
    current: Sub<Numbers>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct MetricName<'v> {
    name: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Numbers {
    value: Option<Quantity>,
    average_value: Option<Quantity>,
    average_utilization: Option<Int>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    current_metrics: List<Sub<Metric<'v>>>,
    current_replicas: Int,
    desired_replicas: Int,
    conditions: List<Sub<Condition<'v>>>,
}

impl View for Autoscalers {
    type Of<'v> = Autoscaler<'v>;

    fn meta<'a, 'v: 'a>(a: &'a Autoscaler<'v>) -> &'a Meta<'v> {
        &a.metadata
    }
}
