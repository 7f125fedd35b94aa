use std::{path::Path, sync::Arc};

use yagura_kube_state::{
    conformance::lines,
    custom::{Config, Definition, Discovery},
    labels::AllowList,
    kind::OptIn,
    resources,
    rows::Rows,
    select::Selection,
};

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the name of their program and of their corpus.
pub const TARGETS: &[(&str, Target)] = &[("custom_resources", custom_resources), ("objects", objects)];

/// Objects of the API server: the name of a kind, a line feed, the object.
pub fn objects(data: &[u8]) {
    let Some(at) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (plural, json) = data.split_at(at);
    let Some(resource) = std::str::from_utf8(plural).ok().and_then(resources::find) else { return };
    let mut rows = Rows::new(Arc::new(resource.options(AllowList::all(), AllowList::all(), OptIn::All)));
    if resource.render(json, &mut rows).is_ok() {
        for line in lines(resource, &rows) {
            assert!(line.starts_with("kube_") && !line.contains('\n'), "{line}");
        }
    }
}

/// A configuration of custom kinds, and behind a null byte the definition of a kind and an object of it.
pub fn custom_resources(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let Some(Ok(text)) = parts.next().map(std::str::from_utf8) else { return };
    let Ok(config) = Config::parse(text, Path::new("fuzz.yaml")) else { return };
    let _ = config.permissions();
    let mut discovery = Discovery::new(config);
    let Some(Ok(definition)) = parts.next().map(Definition::parse) else { return };
    let started = discovery.apply(definition.clone()).start.len();
    assert_eq!(started, discovery.kinds().count());
    assert!(discovery.apply(definition).is_empty(), "the same definition changes nothing");
    let Some(object) = parts.next() else { return };
    for kind in discovery.kinds() {
        let mut rows = kind.rows(&Selection::default());
        let mut store = kind.store(&Selection::default());
        if kind.render(object, &mut rows, &mut |_, _, _| {}).is_ok() {
            assert!(store.put(&rows).is_new);
            assert!(store.put(&rows).is_none(), "the same object changes nothing");
        }
    }
}
