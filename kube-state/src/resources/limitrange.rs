//! LimitRanges: bounds and defaults for what containers, pods and claims ask for.

use kubernetes::{
    Quantity,
    lax::{Dict, List, Sub, Text},
};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
    rows::Amount,
};

type Family = crate::family::Family<LimitRanges>;

pub(super) static KIND: Kind<LimitRanges> = Kind {
    about: About { plural: "limitranges", kind: "LimitRange", ..About::CORE },
    identity: &["namespace", "limitrange"],
    identify: |l, rows| rows.identify(&[&l.metadata.namespace, &l.metadata.name]),
    families: &[
        Family::gauge(
            "kube_limitrange",
            "Bounds and defaults of a LimitRange, in cores, bytes or as a ratio.",
            &["resource", "type", "constraint"],
            |l, rows| {
                for limit in &l.spec.limits {
                    let constraints = [
                        ("min", &limit.min),
                        ("max", &limit.max),
                        ("default", &limit.default),
                        ("defaultRequest", &limit.default_request),
                        ("maxLimitRequestRatio", &limit.max_limit_request_ratio),
                    ];
                    for (constraint, amounts) in constraints {
                        for (resource, amount) in amounts.iter() {
                            rows.put(&[&resource, &limit.kind, &constraint], Amount(*amount));
                        }
                    }
                }
            },
        )
        .stable(),
        Family::created("kube_limitrange_created").stable(),
    ],
};

pub(super) struct LimitRanges;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct LimitRange<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Spec<'v> {
    limits: List<Sub<Limit<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Limit<'v> {
    #[serde(rename = "type")]
    kind: Text<'v>,
    min: Dict<'v, Quantity>,
    max: Dict<'v, Quantity>,
    default: Dict<'v, Quantity>,
    default_request: Dict<'v, Quantity>,
    max_limit_request_ratio: Dict<'v, Quantity>,
}

impl View for LimitRanges {
    type Of<'v> = LimitRange<'v>;

    fn meta<'a, 'v: 'a>(l: &'a LimitRange<'v>) -> &'a Meta<'v> {
        &l.metadata
    }
}
