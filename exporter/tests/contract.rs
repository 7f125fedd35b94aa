//! What holds for all declarations together.

use std::collections::HashMap;

use yagura_exporter::{collectors, spec::View};

fn names(view: View) -> Vec<(&'static str, &'static str)> {
    collectors::ALL
        .iter()
        .flat_map(|spec| {
            spec.shows.iter().filter(|(v, _)| *v == view).flat_map(|(_, f)| f.iter().map(|d| (d.name, spec.name)))
        })
        .collect()
}

#[test]
fn a_view_has_each_family_once() {
    for view in View::ALL {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for (name, collector) in names(view) {
            if let Some(other) = seen.insert(name, collector) {
                panic!("{name} is shown in {} by {other} and by {collector}", view.path());
            }
        }
    }
}

#[test]
fn our_own_view_repeats_no_name_of_the_others() {
    let own: Vec<_> = names(View::Own);
    for view in [View::Cadvisor, View::Node] {
        for (name, collector) in names(view) {
            let twin = own.iter().find(|(own, _)| *own == name);
            assert!(twin.is_none(), "{name} of {collector} ({}) stands in /metrics too: {twin:?}", view.path());
        }
    }
}

#[test]
fn names_that_break_our_rules_say_whose_they_are() {
    for spec in collectors::ALL {
        for (view, families) in spec.shows {
            for desc in *families {
                assert_eq!(desc.named_by.is_some(), *view != View::Own, "{} in {}", desc.name, view.path());
            }
        }
    }
}

#[test]
fn every_collector_folder_is_in_the_list() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/collectors");
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let is_slice = entry.file_type().unwrap().is_dir() && entry.path().join("metrics.rs").exists();
        if is_slice {
            assert!(
                collectors::ALL.iter().any(|spec| spec.name.starts_with(&name)),
                "{name} is not in collectors::ALL"
            );
        }
    }
}
