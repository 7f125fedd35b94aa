//! The catalogue holds what the program serves: each family of a real page, with its type, help and labels.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail anywhere")]

mod lab;

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use expo::{Exposition, Format};
use lab::{Lab, get};
use metric::{Catalog, FamilyEntry};
use serde_json::Value;
use testkit::ApiServer;
use yagura_kube_state::{family::Gate, own_metrics, program::PROGRAM, resources};

/// Families whose samples have some of the declared labels, by what they are about.
const SHAPED: [&str; 2] = ["kube_ingress_path", "kube_horizontalpodautoscaler_info"];

/// The objects of the golden cases, which have a field for nearly every family.
fn put_all(api: &ApiServer) {
    for entry in std::fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let kind = path.file_stem().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned();
        let object: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let uid = object["metadata"]["uid"].as_str().unwrap_or(&kind).to_owned();
        api.put(&resources::find(&kind).unwrap().about().path(None), &uid, &object.to_string());
    }
}

fn printed() -> Catalog {
    let printed = Command::new(env!("CARGO_BIN_EXE_yagura-kube-state")).arg("--print-catalog").output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    serde_json::from_slice(&printed.stdout).unwrap()
}

#[test]
fn the_catalogue_can_be_read_back() {
    let (printed, declared) = (printed(), own_metrics::catalog(&PROGRAM));
    assert!(printed == declared, "what --print-catalog says is not what the code declares");
    assert!(printed.families().count() > 200, "{}", printed.families().count());
}

#[test]
fn every_family_of_a_page_is_in_the_catalogue() {
    let flags = [
        &*format!(
            "--resources={}",
            resources::ALL.iter().map(|kind| kind.about().plural).collect::<Vec<_>>().join(",")
        ),
        "--pod-workloads",
        "--pod-lifetimes",
        "--workload-requests",
        "--metric-labels-allowlist=*=[*]",
        "--metric-annotations-allowlist=*=[*]",
    ];
    let lab = Lab::start(&flags, put_all).ready();
    let catalog = printed();
    let page = |address| {
        let (status, text) = get(address, "/metrics", "");
        assert_eq!(status, 200, "{text}");
        expo::parse_lenient(text.as_bytes(), Format::Text004).unwrap()
    };
    let mut wrong = Vec::new();
    for (endpoint, address, least) in [("/metrics", lab.objects, 150), ("/metrics of the telemetry port", lab.own, 30)]
    {
        let page = page(address);
        assert!(page.families.len() >= least, "{endpoint}: {} families", page.families.len());
        compare(&page, endpoint, &catalog, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn compare(page: &Exposition, endpoint: &str, catalog: &Catalog, wrong: &mut Vec<String>) {
    let entries: BTreeMap<&str, &FamilyEntry> = catalog
        .families()
        .filter(|(_, family)| family.endpoint == endpoint)
        .map(|(_, family)| (family.name.as_str(), family))
        .collect();
    let names_labels = |name: &str| {
        let mut descs = resources::ALL.iter().flat_map(|resource| resource.descs());
        descs.any(|desc| desc.name == name && matches!(desc.gate, Gate::Labels | Gate::Annotations))
    };
    for family in &page.families {
        let Some(entry) = entries.get(family.name.as_str()) else {
            wrong.push(format!("{endpoint}: {} is not in the catalogue", family.name));
            continue;
        };
        // Text 0.0.4 has no info type.
        let kind = if entry.kind == metric::Kind::Info { "gauge" } else { entry.kind.name() };
        // The page says before the help how stable a family is.
        if kind != family.kind.name() || !family.help.ends_with(&entry.help) {
            wrong.push(format!("{endpoint}: {} is declared as {kind} {:?}", family.name, entry.help));
        }
        let declared: Vec<&str> = entry.labels.iter().map(|label| label.name.as_str()).collect();
        for sample in &family.samples {
            // The objects' own labels and annotations follow those that are declared.
            let labels: Vec<&str> = sample
                .labels
                .iter()
                .map(|(name, _)| name.as_str())
                .filter(|name| declared.contains(name) || !(*name == "le" || names_labels(&family.name)))
                .collect();
            let is_shaped = SHAPED.contains(&family.name.as_str())
                && declared.iter().filter(|name| labels.contains(name)).eq(&labels);
            if labels != declared && !is_shaped {
                wrong.push(format!("{endpoint}: {} has the labels {labels:?} and declares {declared:?}", sample.name));
            }
        }
    }
}
