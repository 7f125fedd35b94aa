//! The catalogue holds what the program serves: each family of a real page, with its type, help and labels.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod machine;

use std::collections::BTreeMap;

use expo::{ParsedFamily, ParsedKind};
use machine::{Agent, program};
use metric::{Catalog, FamilyEntry, Kind};
use yagura_exporter::{catalog, program::PROGRAM, slices, spec::View};

/// Families whose names the machine tells, so that nobody can list them: how their names begin, and the collector.
/// Each collector declares those that are known beforehand.
const FOUND: [(&str, &str); 5] = [
    ("node_vmstat_", "node_vmstat"),
    ("node_sockstat_", "node_sockstat"),
    ("node_netstat_", "node_netstat"),
    ("node_hwmon_", "node_hwmon"),
    ("node_zfs_", "node_zfs"),
];

fn printed() -> Catalog {
    let printed = program().arg("--print-catalog").output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    serde_json::from_slice(&printed.stdout).unwrap()
}

#[test]
fn the_catalogue_can_be_read_back() {
    let (printed, declared) = (printed(), catalog::catalog(&PROGRAM));
    assert!(printed == declared, "what --print-catalog says is not what the code declares");
    assert!(printed.families().count() > 500, "{}", printed.families().count());
}

#[test]
fn a_family_stands_once_at_an_endpoint() {
    let catalog = catalog::catalog(&PROGRAM);
    let mut seen = BTreeMap::new();
    for (section, family) in catalog.families() {
        let other = seen.insert((&family.endpoint, &family.name), &section.name);
        assert!(other.is_none(), "{} of {} stands in {other:?} too", family.name, section.name);
    }
}

/// The type that text 0.0.4 has for it.
fn kind(kind: Kind) -> ParsedKind {
    match kind {
        Kind::Info | Kind::StateSet => ParsedKind::Gauge,
        other => other.into(),
    }
}

fn compare(entry: &FamilyEntry, family: &ParsedFamily) -> Result<(), String> {
    if kind(entry.kind) != family.kind {
        return Err(format!("{} is a {} and declared as a {}", family.name, family.kind.name(), entry.kind.name()));
    }
    if entry.help != family.help {
        return Err(format!("{}: {:?} is declared as {:?}", family.name, family.help, entry.help));
    }
    let declared: Vec<&str> = entry.labels.iter().map(|label| label.name.as_str()).collect();
    for sample in &family.samples {
        let labels: Vec<&str> = sample.labels.iter().map(|(name, _)| name.as_str()).collect();
        let labels: Vec<&str> = labels.into_iter().filter(|name| *name != "le" || declared.contains(name)).collect();
        if labels != declared {
            return Err(format!("{} has the labels {labels:?} and declares {declared:?}", sample.name));
        }
    }
    Ok(())
}

#[test]
fn every_family_of_a_page_is_in_the_catalogue() {
    let catalog = printed();
    let optional = slices::all().filter(|spec| !spec.default_on);
    let agent = Agent::start(program().args(optional.map(|spec| format!("--collector.{}", spec.name))));
    let mut wrong = Vec::new();
    for view in View::ALL {
        let entries: BTreeMap<&str, &FamilyEntry> = catalog
            .families()
            .filter(|(_, family)| family.endpoint == view.path())
            .map(|(_, family)| (family.name.as_str(), family))
            .collect();
        // Of the second page, for some counters are first counted by the first.
        agent.page(view);
        let page = agent.page(view);
        assert!(page.families.len() > 10, "{}: {} families", view.path(), page.families.len());
        for family in &page.families {
            let found = FOUND.iter().any(|(start, _)| view == View::Node && family.name.starts_with(start));
            match entries.get(family.name.as_str()) {
                Some(entry) => wrong.extend(compare(entry, family).err()),
                None if found => {}
                None => wrong.push(format!("{}: {} is not in the catalogue", view.path(), family.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (_, collector) in FOUND {
        assert!(catalog.sections.iter().any(|section| section.name == collector), "{collector} is gone");
    }
}
