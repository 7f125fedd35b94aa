//! Small trees with one fault each.

use std::path::Path;

use super::*;
use crate::source::packages::Package;

const LAYERS: Layers = Layers {
    package: "p",
    uses: &["p"],
    floors: &[&["ground"], &["slices", "a", "b", "c", "d"], &["lib"]],
    apart: &["slices"],
    shared: &["slices/shared"],
};

fn package(name: &str, crates: &[&str]) -> Package {
    let crates = crates.iter().map(|name| (*name).to_owned()).collect();
    Package { name: name.to_owned(), dir: PathBuf::new(), library: None, programs: Vec::new(), uses: [].into(), crates }
}

#[test]
fn a_crate_that_another_package_has_for_itself_is_found() {
    let packages = [package("kubernetes", &["kube", "bytes"]), package("daemon", &["kube", "bytes"])];
    assert_eq!(taken(&packages), ["daemon depends on kube, which kubernetes has for itself"]);
}

fn tree(files: &[(&str, &str)]) -> (Graph, Report) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    for (path, text) in files {
        places::write(&root.join("src").join(path), text).unwrap();
    }
    let package = Package {
        name: "p".to_owned(),
        dir: root.clone(),
        library: Some(root.join("src/lib.rs")),
        programs: Vec::new(),
        uses: [("p".to_owned(), "p".to_owned())].into(),
        crates: BTreeSet::new(),
    };
    let mut graph = Graph::default();
    graph.add_program(&root, &Program::read(&root, vec![package]).unwrap());
    let report = Report::of(&graph, &[LAYERS]);
    (graph, report)
}

/// `from imports to: names` for each import.
fn imports(files: &[(&str, &str)]) -> Vec<String> {
    let (graph, _) = tree(files);
    let name = |path: &Path| graph.place(path).1.to_owned();
    let line = |((from, to), names): (&(PathBuf, PathBuf), &BTreeSet<String>)| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("{} imports {}: {}", name(from), name(to), names.join(", "))
    };
    graph.imports.iter().map(line).collect()
}

fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let (graph, report) = tree(files);
    let names = |files: &Vec<PathBuf>| files.iter().map(|file| graph.place(file).1.to_owned()).collect();
    report.circles.iter().map(names).collect()
}

#[test]
fn a_circle_through_a_path_in_code_is_found() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub fn f(_: B) {}"),
        ("b.rs", "pub struct B; pub fn g() { let _x = vec![1]; crate::a::f(B) }"),
    ]);
    assert_eq!(found, [["a", "b"]]);
}

#[test]
fn a_circle_through_a_re_export_is_found() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::C; pub struct A(C);"),
        ("b.rs", "pub use crate::c::Inner as C;"),
        ("c.rs", "use super::a; pub struct Inner; fn f(_: a::A) {}"),
    ]);
    assert_eq!(found, [["a", "c"]]);
}

#[test]
fn a_circle_through_a_macro_is_found() {
    let in_body = circles(&[
        ("lib.rs", "#[macro_use] mod a; mod b;"),
        ("a.rs", "macro_rules! m { ($x:expr) => { $crate::b::f($x) }; }"),
        ("b.rs", "pub fn f(_: u8) {} fn g() { m!(1) }"),
    ]);
    assert_eq!(in_body, [["a", "b"]]);
    let in_call = circles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub struct A; fn f() { println!(\"{}\", crate::b::N) }"),
        ("b.rs", "pub const N: u8 = 1; fn g(_: crate::a::A) {}"),
    ]);
    assert_eq!(in_call, [["a", "b"]]);
}

#[test]
fn a_child_that_uses_its_parent_is_a_circle_only_when_the_parent_uses_the_child() {
    let child = ("a/child.rs", "use super::A; pub fn f(_: A) {}");
    assert!(circles(&[("lib.rs", "mod a;"), ("a/mod.rs", "mod child; pub struct A;"), child]).is_empty());
    let parent = "mod child; pub struct A; fn g() { child::f(A) }";
    assert_eq!(circles(&[("lib.rs", "mod a;"), ("a/mod.rs", parent), child]), [["a/child", "a"]]);
}

#[test]
fn imports_are_taken_apart_and_followed_to_the_file_that_defines() {
    let found = imports(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::{b::{self, One, deep::Two as Zwei}, c::*}; fn f(_: Many) { b::three(); Kind::X; }"),
        ("b/mod.rs", "pub(crate) mod deep; pub struct One; pub fn three() {}"),
        ("b/deep.rs", "pub struct Two;"),
        ("c.rs", "pub use super::d::*; pub enum Kind { X }"),
        ("d.rs", "pub struct Many;"),
    ]);
    assert_eq!(
        found,
        [
            "a imports b/deep: Two",
            "a imports b: One, three",
            "a imports c: *, Kind",
            "a imports d: Many",
            "c imports d: *"
        ]
    );
}

#[test]
fn an_import_inside_a_function_counts_and_does_not_leak() {
    let found = imports(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "fn f() { use crate::b as x; x::one(); } fn g() { x::two(); } mod x { pub fn two() {} }"),
        ("b.rs", "pub fn one() {}"),
        ("c.rs", "fn f() { fn one() {} one() }"),
    ]);
    assert_eq!(found, ["a imports b: one"]);
}

#[test]
fn tests_declarations_and_visibility_import_nothing() {
    let found = imports(&[
        ("lib.rs", "pub mod a; #[path = \"elsewhere/other.rs\"] mod b; #[cfg(test)] mod c;"),
        (
            "a.rs",
            "#[cfg(test)] mod tests { use crate::b::B; } #[test] fn t() { crate::b::f() } pub(in crate::a) struct A;",
        ),
        ("elsewhere/other.rs", "pub struct B; pub fn f() {}"),
        ("c.rs", "use crate::b::B;"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn names_that_a_macro_makes_are_the_modules() {
    let found = imports(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::{MADE, m}; m!(x);"),
        ("b.rs", "macro_rules! m { ($x:ident) => {}; } pub(crate) use m; thread_local!(pub static MADE: u8 = 1);"),
    ]);
    assert_eq!(found, ["a imports b: MADE, m"]);
}

#[test]
fn imports_from_above_and_between_slices_are_told() {
    let (graph, report) = tree(&[
        ("lib.rs", "mod ground; mod slices; mod stray;"),
        ("ground.rs", "use crate::slices::one::One;"),
        ("slices/mod.rs", "pub mod one; pub mod two; pub mod shared; fn f(_: one::One) {}"),
        ("slices/one/mod.rs", "pub struct One; use super::shared::S;"),
        ("slices/two/mod.rs", "use super::one::One;"),
        ("slices/shared/mod.rs", "pub struct S;"),
        ("stray.rs", ""),
    ]);
    assert!(!report.is_clean());
    let text = report.text(&graph);
    assert!(text.contains("upward: src/ground.rs imports src/slices/one/mod.rs: One\n"), "{text}");
    assert!(text.contains("between slices: src/slices/two/mod.rs imports src/slices/one/mod.rs: One\n"), "{text}");
    assert!(text.contains("no layer: src/stray.rs"), "{text}");
    assert!(text.ends_with("circles: 0, upward imports: 1, imports between slices: 1\n"), "{text}");
}
