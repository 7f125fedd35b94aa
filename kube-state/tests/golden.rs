//! Objects in, lines out: `golden/<kind>-<case>.json` gives `golden/<kind>-<case>.prom`, with all labels, annotations
//! and opt-in families. `UPDATE_GOLDEN=1 cargo test` writes the lines anew; review them one by one.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{path::PathBuf, sync::Arc};

use proptest::prelude::*;
use serde_json::Value;
use yagura_kube_state::{
    conformance::lines,
    family::Gate,
    kind::{OptIn, Resource},
    labels::AllowList,
    resources,
    rows::Rows,
};

fn cases() -> Vec<(PathBuf, &'static dyn Resource, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let resource = resources::find(name.split('-').next().unwrap()).expect("the file is named by its kind");
        let object = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        cases.push((path, resource, object));
    }
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

fn all_rows(resource: &dyn Resource) -> Rows {
    Rows::new(Arc::new(resource.options(AllowList::all(), AllowList::all(), OptIn::Ours)))
}

#[test]
fn objects_give_their_lines() {
    let cases = cases();
    assert!(cases.len() >= 12, "the cases are there");
    for (path, resource, object) in cases {
        let mut rows = all_rows(resource);
        resource.render(object.to_string().as_bytes(), &mut rows).unwrap();
        let text = lines(resource, &rows).join("\n") + "\n";
        let golden = path.with_extension("prom");
        if testkit::given("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&golden).unwrap(), "{}", golden.display());
    }
}

#[test]
fn without_lists_there_are_no_labels_annotations_or_opt_ins() {
    for (path, resource, object) in cases() {
        let options = resource.options(AllowList::default(), AllowList::default(), OptIn::None);
        let mut rows = Rows::new(Arc::new(options));
        resource.render(object.to_string().as_bytes(), &mut rows).unwrap();
        for row in rows.all() {
            let desc = resource.family(row.family.into()).unwrap();
            assert_eq!(desc.gate, Gate::Open, "{}: {}", path.display(), desc.name);
        }
    }
}

#[test]
fn a_bad_field_costs_the_families_that_read_it() {
    let resource = resources::find("deployments").unwrap();
    let mut rows = all_rows(resource);
    let object = br#"{"metadata":{"name":"web","namespace":"shop","labels":7},"spec":{"paused":"yes","replicas":2},
        "status":{"replicas":"two","conditions":[{"type":"Available","status":"True"},{"type":1,"status":"True"}]}}"#;
    resource.render(object, &mut rows).unwrap();
    let spoiled: Vec<&str> =
        rows.spoiled().iter().map(|family| resource.family((*family).into()).unwrap().name).collect();
    assert_eq!(
        spoiled,
        [
            "kube_deployment_status_replicas",
            "kube_deployment_status_condition",
            "kube_deployment_spec_paused",
            "kube_deployment_labels"
        ]
    );
    let text = lines(resource, &rows).join("\n");
    assert!(text.contains("kube_deployment_spec_replicas{namespace=\"shop\",deployment=\"web\"} 2"), "{text}");
    assert!(!spoiled.iter().any(|family| text.contains(&format!("{family}{{"))), "{text}");
}

#[test]
fn text_that_is_no_object_is_an_error() {
    let resource = resources::find("pods").unwrap();
    let mut rows = all_rows(resource);
    for text in ["", "{", "[]", "7", r#"{"metadata":{"name":5}}"#, r#"{"metadata":"x"}"#] {
        assert!(resource.render(text.as_bytes(), &mut rows).is_err(), "{text}");
    }
}

#[test]
fn declarations_are_in_order_and_say_what_is_emitted() {
    let mut names = std::collections::BTreeSet::new();
    assert!(resources::ALL.is_sorted_by(|a, b| a.about().plural < b.about().plural));
    for resource in resources::ALL {
        for desc in resource.descs() {
            assert!(names.insert(desc.name), "{} is declared twice", desc.name);
            assert!(desc.name.starts_with("kube_") && desc.help.ends_with('.'), "{}: {}", desc.name, desc.help);
            assert!(!desc.help.contains(['\n', '\\']), "{}", desc.name);
        }
    }
    let ours = |resource: &&dyn Resource| resource.descs().filter(|desc| desc.gate == Gate::Ours).count();
    let ours: usize = resources::ALL.iter().map(ours).sum();
    assert_eq!((resources::ALL.len(), names.len() - ours, ours), (39, 336, 4));
    assert_eq!(resources::ALL.iter().filter(|resource| resource.about().default_on).count(), 32);
}

/// A change to one value somewhere in an object.
#[derive(Clone, Debug)]
struct Damage {
    at: usize,
    value: Value,
}

fn damage() -> impl Strategy<Value = Damage> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[0-9.]{0,25}[eEinumkKMGTP+-]{0,3}".prop_map(Value::from),
        "[-0-9T:.Z+]{0,30}".prop_map(Value::from),
        Just(Value::Array(vec![Value::Null, Value::from(1), Value::from("x")])),
        Just(serde_json::json!({"a": 1, "name": [], "cpu": "x", "": null})),
    ];
    (any::<usize>(), value).prop_map(|(at, value)| Damage { at, value })
}

fn places(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(places).sum(),
        Value::Object(map) => map.values().map(places).sum(),
        _ => 0,
    }
}

/// Puts `new` at the `at`th place in depth-first order. Gives back how many places are left when it was not reached.
fn put(value: &mut Value, at: usize, new: &Value) -> Option<usize> {
    if at == 0 {
        *value = new.clone();
        return None;
    }
    let inner: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(list) => Box::new(list.iter_mut()),
        Value::Object(map) => Box::new(map.values_mut()),
        _ => return Some(at - 1),
    };
    let mut left = at - 1;
    for value in inner {
        left = put(value, left, new)?;
    }
    Some(left)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_object_panics_or_breaks_the_format(case in any::<usize>(), damages in prop::collection::vec(damage(), 1..6)) {
        let cases = cases();
        let (_, resource, object) = &cases[case % cases.len()];
        let mut object = object.clone();
        for Damage { at, value } in damages {
            let count = places(&object);
            put(&mut object, at % count, &value);
        }
        for resource in [*resource, resources::ALL[case % resources::ALL.len()]] {
            let mut rows = all_rows(resource);
            if resource.render(object.to_string().as_bytes(), &mut rows).is_ok() {
                for line in lines(resource, &rows) {
                    prop_assert!(!line.contains('\n') && line.contains("\"} "), "{}", line);
                }
            }
        }
    }
}

#[test]
fn what_an_object_names_twice_is_one_series() {
    let meta = r#""metadata":{"name":"o","namespace":"n","uid":"u"}"#;
    let twice = |one: &str| format!("[{one},{one}]");
    let cases = [
        ("persistentvolumeclaims", format!(r#""spec":{{"accessModes":{}}}"#, twice(r#""RWO""#)), "_access_mode"),
        (
            "ingresses",
            format!(r#""spec":{{"tls":[{{"secretName":"s","hosts":{}}}]}}"#, twice(r#""a""#)),
            "_ingress_tls",
        ),
        ("ingresses", format!(r#""spec":{{"tls":{}}}"#, twice(r#"{"secretName":"s","hosts":["a"]}"#)), "_ingress_tls"),
        ("pods", format!(r#""status":{{"podIPs":{}}}"#, twice(r#"{"ip":"10.0.0.1"}"#)), "kube_pod_ips"),
        (
            "pods",
            format!(r#""spec":{{"tolerations":{}}}"#, twice(r#"{"key":"a","operator":"Exists"}"#)),
            "_tolerations",
        ),
        ("nodes", format!(r#""spec":{{"taints":{}}}"#, twice(r#"{"key":"a","effect":"NoSchedule"}"#)), "_taint"),
        ("nodes", format!(r#""status":{{"addresses":{}}}"#, twice(r#"{"type":"IP","address":"1"}"#)), "_addresses"),
        ("services", format!(r#""spec":{{"externalIPs":{}}}"#, twice(r#""1.2.3.4""#)), "_external_ip"),
        (
            "endpoints",
            format!(r#""subsets":[{{"ports":[{{"port":1}}],"addresses":{}}}]"#, twice(r#"{"ip":"1"}"#)),
            "kube_endpoint_address",
        ),
        ("endpointslices", format!(r#""ports":{}"#, twice(r#"{"port":1,"protocol":"TCP"}"#)), "_ports"),
        (
            "validatingadmissionpolicybindings",
            format!(r#""spec":{{"validationActions":{}}}"#, twice(r#""Deny""#)),
            "_validation_action",
        ),
        (
            "mutatingwebhookconfigurations",
            format!(r#""webhooks":{}"#, twice(r#"{"name":"w","clientConfig":{"service":{"name":"s"}}}"#)),
            "_clientconfig_service",
        ),
        ("replicasets", String::new(), "_owner"),
    ];
    for (plural, fields, family) in cases {
        let resource = resources::find(plural).unwrap();
        let owners = r#","ownerReferences":[{"kind":"A","name":"a"},{"kind":"A","name":"a"}]}"#;
        let meta = if fields.is_empty() { meta.replacen('}', owners, 1) } else { format!("{meta},") };
        let mut rows = all_rows(resource);
        resource.render(format!("{{{meta}{fields}}}").as_bytes(), &mut rows).unwrap();
        let lines = lines(resource, &rows);
        let of_family: Vec<_> = lines.iter().filter(|line| line.split('{').next().unwrap().ends_with(family)).collect();
        assert_eq!(of_family.len(), 1, "{plural} {family}: {lines:#?}");
        assert!(rows.repeated().is_empty());
    }
}

#[test]
fn of_two_numbers_of_a_series_the_first_is_shown_and_the_other_counted() {
    let resource = resources::find("limitranges").unwrap();
    let mut rows = all_rows(resource);
    let object = r#"{"metadata":{"name":"l","namespace":"n","uid":"u"},
        "spec":{"limits":[{"type":"Pod","max":{"cpu":"1"}},{"type":"Pod","max":{"cpu":"2"}}]}}"#;
    resource.render(object.as_bytes(), &mut rows).unwrap();
    let shown: Vec<String> = lines(resource, &rows).into_iter().filter(|line| line.contains("constraint=")).collect();
    let expected = r#"kube_limitrange{namespace="n",limitrange="l",resource="cpu",type="Pod",constraint="max"} 1"#;
    assert_eq!((shown, rows.repeated().len()), (vec![expected.to_owned()], 1));
}
