//! From a configuration to what is watched.

use std::sync::Arc;

use crate::{
    flags::{Config, Pods},
    resources::Resource,
    store::Head,
    watch::{Form, Known, Target},
};

/// What a configuration has watched, in the order of the output.
pub fn targets(config: &Config) -> Vec<Target> {
    config.selection.kinds().flat_map(|resource| targets_of(config, resource)).collect()
}

fn targets_of(config: &Config, resource: &'static dyn Resource) -> Vec<Target> {
    let about = resource.about();
    let options = Arc::new(config.selection.options(resource));
    let heads = resource.descs().zip(&options.wanted).map(|(desc, wanted)| wanted.then(|| Head::new(desc)));
    let whole = Target {
        kind: about.plural.into(),
        go_type: about.go_type().into(),
        path: about.path(None),
        form: form(resource),
        fields: fields(config, resource),
        labels: None,
        heads: heads.collect(),
        render: Arc::new(Known(resource)),
        options: Arc::clone(&options),
        limit: config.object_limit,
        from_cache: config.from_cache,
        extra: String::new(),
    };
    if !about.namespaced || config.namespaces.is_empty() {
        return vec![whole];
    }
    let names = config.namespaces.iter().filter(|name| !config.without_namespaces.contains(name));
    names.map(|name| Target { path: about.path(Some(name)), ..whole.clone() }).collect()
}

/// How much of a kind's objects is needed.
pub fn form(resource: &dyn Resource) -> Form {
    match resource.about() {
        about if about.plural == "secrets" => Form::Table,
        about if about.metadata_only => Form::Metadata,
        _ => Form::Whole,
    }
}

fn fields(config: &Config, resource: &dyn Resource) -> Option<String> {
    let about = resource.about();
    let mut terms = Vec::new();
    if about.namespaced && config.namespaces.is_empty() {
        terms.extend(config.without_namespaces.iter().map(|name| format!("metadata.namespace!={name}")));
    }
    if about.plural == "pods" && config.pods != Pods::All {
        terms.extend(config.pods.field_selector());
    }
    (!terms.is_empty()).then(|| terms.join(","))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::flags::Flags;

    fn planned(args: &[&str]) -> Vec<(String, Option<String>)> {
        let flags = Flags::try_parse_from(std::iter::once(&"x").chain(args)).unwrap();
        let targets = targets(&flags.check().unwrap());
        targets.into_iter().map(|target| (target.path, target.fields)).collect()
    }

    #[test]
    fn a_kind_is_watched_once_or_once_a_namespace() {
        assert_eq!(planned(&[]).len(), 32);
        let paths = planned(&["--resources=pods,nodes", "--namespaces=a,b,c", "--namespaces-denylist=b"]);
        let paths: Vec<_> = paths.iter().map(|(path, fields)| (path.as_str(), fields.as_deref())).collect();
        let expected = ["/api/v1/nodes", "/api/v1/namespaces/a/pods", "/api/v1/namespaces/c/pods"];
        assert_eq!(paths, expected.map(|path| (path, None)));
    }

    #[test]
    fn what_is_not_wanted_is_not_asked_for() {
        let fields = planned(&["--resources=pods,nodes,jobs", "--namespaces-denylist=a,b", "--track-unscheduled-pods"]);
        let fields: Vec<_> = fields.into_iter().map(|(_, fields)| fields).collect();
        let without = "metadata.namespace!=a,metadata.namespace!=b";
        assert_eq!(fields, [Some(without.to_owned()), None, Some(format!("{without},spec.nodeName="))]);
    }
}
