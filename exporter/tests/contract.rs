//! What holds for all declarations together.
#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

use std::collections::HashMap;

use yagura_exporter::{slices, spec::View};

fn names(view: View) -> Vec<(&'static str, &'static str)> {
    slices::all()
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
    for spec in slices::all() {
        for (view, families) in spec.shows {
            for desc in *families {
                assert_eq!(desc.named_by.is_some(), *view != View::Own, "{} in {}", desc.name, view.path());
            }
        }
    }
}

#[test]
fn slices_have_names_of_their_own() {
    let mut seen = std::collections::HashSet::new();
    for spec in slices::all() {
        assert!(seen.insert(spec.name), "two slices are called {}", spec.name);
    }
}

/// Folders of slices, which have their families in a file or say it in the module.
fn folders(of: &str) -> Vec<String> {
    let folder = format!("{}/src/{of}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| {
        let module = std::fs::read_to_string(entry.path().join("mod.rs")).unwrap_or_default();
        module.contains("pub static SPEC: Spec")
    });
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_folder_of_a_slice_is_in_its_list() {
    for of in ["collectors", "probes"] {
        let folders = folders(of);
        assert!(folders.len() >= 4, "{of}: {folders:?}");
        for name in folders {
            assert!(slices::all().any(|spec| spec.name.starts_with(&name)), "{of}/{name} is in no list");
        }
    }
}

/// Files that open what [`kernfs`] does not read, below the roots of the host or of the agent's own.
const OPENERS: [&str; 9] = [
    "cli.rs",
    "collectors/node_filesystem/space.rs",
    "collectors/workload_backends/mod.rs",
    "events/lines.rs",
    "identity/folders.rs",
    "probes/lifetime/archive.rs",
    "probes/object.rs",
    "probes/object/",
    "probes/tcp/spaces.rs",
];

/// Product code of a file: what stands before its tests.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The source files of the agent, and the folder that they are in.
fn all_sources() -> (std::path::PathBuf, Vec<std::path::PathBuf>) {
    let (root, mut files) = (std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), Vec::new());
    sources(&root, &mut files);
    assert!(files.len() > 200, "{}", files.len());
    (root, files)
}

#[test]
fn parsers_take_bytes_and_neither_log_nor_look_at_a_clock_or_a_file() {
    let (_, files) = all_sources();
    let parsers: Vec<_> = files.iter().filter(|path| path.ends_with("parse.rs")).collect();
    assert!(parsers.len() > 20, "{}", parsers.len());
    for path in parsers {
        let text = std::fs::read_to_string(path).unwrap();
        for refused in ["tracing", "println!", "Instant", "SystemTime", "Reader", "Host", "std::fs", "env::"] {
            assert!(!product(&text).contains(refused), "{}: {refused}", path.display());
        }
    }
}

#[test]
fn only_those_that_are_listed_open_files_themselves() {
    let ((root, files), mut openers) = (all_sources(), Vec::new());
    let opens = ["fs::read", "fs::File", "File::open", "OpenOptions::new", "fs::metadata", "fs::statfs", "fs::write"];
    for path in files {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        // What compares with golden files is test code though no attribute says so there.
        if name != "collectors/golden.rs"
            && opens.iter().any(|open| product(&std::fs::read_to_string(&path).unwrap()).contains(open))
        {
            openers.push(name);
        }
    }
    let (known, others): (Vec<_>, Vec<_>) =
        openers.into_iter().partition(|name| OPENERS.iter().any(|opener| name.starts_with(opener)));
    assert!(others.is_empty(), "these open files by themselves: {others:?}");
    for opener in OPENERS {
        assert!(known.iter().any(|name| name.starts_with(opener)), "{opener} opens nothing any more");
    }
}
