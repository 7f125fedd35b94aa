//! Folders that a pattern with `*`, `?` and `[…]` names, part by part, as shells do it without hidden ones.

use kernfs::{Dir, Reader, text};

use crate::{collectors::node::entries, config::node::Pattern};

/// The folders, sorted. A pattern that matches nothing is the name of a folder, so that it is missed.
pub(super) fn folders(pattern: &str, reader: &Reader) -> Vec<String> {
    let start = if pattern.starts_with('/') { "/" } else { "" };
    let mut found = vec![start.to_owned()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|folder| below(folder, part, reader)).collect();
    }
    if found.is_empty() { vec![pattern.to_owned()] } else { found }
}

fn below(folder: &str, part: &str, reader: &Reader) -> Vec<String> {
    let path = |name: &str| match folder {
        "" | "/" => format!("{folder}{name}"),
        folder => format!("{folder}/{name}"),
    };
    let Some(pattern) = pattern_of(part) else { return vec![path(part)] };
    let here = if folder.is_empty() { "." } else { folder };
    let Ok(dir) = Dir::open(&text::path(here)) else { return Vec::new() };
    let names = entries(reader, &dir, "").unwrap_or_default();
    let fits = |name: &String| pattern.matches(name) && (part.starts_with('.') || !name.starts_with('.'));
    names.iter().filter(|name| fits(name)).map(|name| path(name)).collect()
}

/// `None` when there is nothing to match in it.
fn pattern_of(part: &str) -> Option<Pattern> {
    if !part.contains(['*', '?', '[']) {
        return None;
    }
    let mut regex = String::from("^(?s:");
    for c in part.chars() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' | ']' | '-' => regex.push(c),
            c if c.is_alphanumeric() || c == '_' => regex.push(c),
            c => regex.extend(['\\', c]),
        }
    }
    regex.push_str(")$");
    regex.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_part_is_matched_by_itself() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a1/prom", "a2/prom", "b.c/prom", ".a3/prom"] {
            std::fs::create_dir_all(root.path().join(name)).unwrap();
        }
        let root = root.path().to_str().unwrap();
        let found = |pattern: &str| -> Vec<String> {
            let found = folders(&format!("{root}/{pattern}"), &Reader::default());
            found.iter().map(|path| path.trim_start_matches(root).to_owned()).collect()
        };
        assert_eq!(found("*/prom"), ["/a1/prom", "/a2/prom", "/b.c/prom"]);
        assert_eq!(found("a[2-9]/p?om"), ["/a2/p?om".replace('?', "r")]);
        assert_eq!(found("b.*"), ["/b.c"]);
        assert_eq!(found("absent"), ["/absent"]);
        assert_eq!(found("x*"), ["/x*"]);
    }

    proptest! {
        #[test]
        fn nothing_panics(part in "\\PC{0,20}") {
            let _ = pattern_of(&part);
        }
    }
}
