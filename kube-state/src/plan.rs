//! Derives the watches from a configuration.

use std::sync::Arc;

use kubernetes::OwnerKind;

use crate::{
    custom::{CustomKind, OfCustom},
    flags::{Config, Pods},
    kind::Resource,
    peers::{self, Peers},
    resources,
    rows::Options,
    store::Head,
    watch::{Form, Known, Render, Target},
    workloads::Workloads,
};

/// Targets of a configuration, in the order of the output.
pub fn targets(config: &Config) -> Vec<Target> {
    config.selection.kinds().flat_map(|resource| targets_of(config, resource)).collect()
}

fn targets_of(config: &Config, resource: &'static dyn Resource) -> Vec<Target> {
    let about = resource.about();
    let options = Arc::new(config.selection.options(resource));
    let heads = resource.descs().zip(&options.wanted).map(|(desc, wanted)| wanted.then(|| Head::new(desc)));
    let all = Target {
        kind: about.plural.into(),
        go_type: about.go_type().into(),
        path: about.path(None),
        form: form(resource),
        fields: fields(config, resource),
        labels: config.label_selectors.of(about.plural).map(str::to_owned),
        heads: heads.collect(),
        render: Arc::new(Known(resource)),
        options: Arc::clone(&options),
        limit: config.object_limit,
        from_cache: config.from_cache,
        unsharded: false,
        extra: String::new(),
    };
    by_namespace(config, all, about.namespaced, |namespace| about.path(namespace))
}

/// A target for each namespace, where only some of a namespaced kind are wanted.
fn by_namespace(config: &Config, all: Target, namespaced: bool, path: impl Fn(Option<&str>) -> String) -> Vec<Target> {
    if !namespaced || is_everywhere(config) {
        return vec![all];
    }
    let names = config.namespaces.iter().filter(|name| !config.without_namespaces.contains(name));
    names.map(|name| Target { path: path(Some(name)), ..all.clone() }).collect()
}

/// Whether namespaced kinds are watched in all namespaces at once.
fn is_everywhere(config: &Config) -> bool {
    config.namespaces.is_empty() && config.namespace_selector.is_none()
}

/// The namespaces with certain labels, which tell `render` where to watch.
pub fn namespaces(selector: &str, render: Arc<dyn Render>) -> Target {
    Target {
        kind: "namespaces.selected".into(),
        path: "/api/v1/namespaces".to_owned(),
        form: Form::Metadata,
        labels: Some(selector.to_owned()),
        go_type: "*v1.PartialObjectMetadata".into(),
        ..definitions(render)
    }
}

/// What is watched of a custom kind. Its name is `ships.v1.fleet.example.org`, as kubectl takes it: each version of a
/// kind has its own families.
pub fn custom_targets(config: &Config, kind: &Arc<CustomKind>, verbosity: u8) -> Vec<Target> {
    let name = kind.name();
    let without = other_namespaces(config).filter(|_| kind.namespaced);
    let all = Target {
        fields: joined(without.into_iter().chain(config.field_selectors.of(&name).map(str::to_owned))),
        labels: config.label_selectors.of(&name).map(str::to_owned),
        kind: name.into(),
        go_type: "*unstructured.Unstructured".into(),
        path: kind.path(None),
        form: Form::Whole,
        heads: kind.heads(&config.selection).collect(),
        options: Arc::new(kind.options(&config.selection)),
        limit: config.object_limit,
        from_cache: config.from_cache,
        unsharded: false,
        extra: format!("{kind:?} {verbosity}"),
        render: Arc::new(OfCustom::new(Arc::clone(kind), verbosity)),
    };
    by_namespace(config, all, kind.namespaced, |namespace| kind.path(namespace))
}

/// The definitions of custom kinds, which tell `render` what there is to watch.
pub fn definitions(render: Arc<dyn Render>) -> Target {
    Target {
        kind: "customresourcedefinitions".into(),
        go_type: "*v1.CustomResourceDefinition".into(),
        path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
        form: Form::Whole,
        fields: None,
        labels: None,
        heads: Arc::new([]),
        render,
        options: Arc::new(Options::NONE),
        limit: None,
        from_cache: false,
        unsharded: true,
        extra: String::new(),
    }
}

/// Targets for the owners of pods: metadata only, and on each shard all objects.
pub fn owners(config: &Config, workloads: &Workloads) -> Vec<Target> {
    let targets = |owner: OwnerKind| {
        let all = Target {
            kind: format!("{}.owners", owner.plural).into(),
            go_type: "*v1.PartialObjectMetadata".into(),
            path: owner.collection(None),
            form: Form::Metadata,
            fields: if owner.namespaced { other_namespaces(config) } else { None },
            labels: None,
            heads: Arc::new([]),
            render: Arc::new(workloads.of_owners(&owner.kind)),
            options: Arc::new(Options::NONE),
            limit: None,
            from_cache: config.from_cache,
            unsharded: true,
            extra: String::new(),
        };
        let targets = by_namespace(config, all, owner.namespaced, |namespace| owner.collection(namespace));
        // Each watch takes away what it no longer has: it must not know of others' objects.
        let its_own = |target| Target { render: Arc::new(workloads.of_owners(&owner.kind)), ..target };
        targets.into_iter().map(its_own).collect::<Vec<_>>()
    };
    workloads.config().owner_kinds().into_iter().flat_map(targets).collect()
}

/// The same targets, with a look at pods for the workloads they belong to.
pub fn with_workloads(mut targets: Vec<Target>, workloads: &Workloads) -> Vec<Target> {
    let are_pods = |target: &&mut Target| workloads.config().needs_pods() && &*target.kind == "pods";
    for target in targets.iter_mut().filter(are_pods) {
        target.render = Arc::new(workloads.of_pods(Arc::clone(&target.render)));
        target.extra.push_str("workloads");
    }
    targets
}

/// The same targets, with a look at pods for their addresses.
pub fn with_peers(mut targets: Vec<Target>, peers: &Peers) -> Vec<Target> {
    for target in targets.iter_mut().filter(|target| &*target.kind == "pods") {
        target.render = Arc::new(peers.of_pods(Arc::clone(&target.render)));
    }
    targets
}

/// Targets for addresses, other than pods; on each shard all objects.
pub fn peers(config: &Config, peers: &Peers) -> Vec<Target> {
    let targets = |resource: &'static dyn Resource| {
        let about = resource.about();
        let all = Target {
            kind: format!("{}.peers", about.plural).into(),
            go_type: about.go_type().into(),
            path: about.path(None),
            fields: if about.namespaced { other_namespaces(config) } else { None },
            from_cache: config.from_cache,
            ..definitions(Arc::new(peers.of(resource)))
        };
        let targets = by_namespace(config, all, about.namespaced, |namespace| about.path(namespace));
        // Each watch takes away what it no longer has: it must not know of others' objects.
        targets.into_iter().map(|target| Target { render: Arc::new(peers.of(resource)), ..target }).collect::<Vec<_>>()
    };
    peers::KINDS.into_iter().filter_map(resources::find).flat_map(targets).collect()
}

/// The field selector for all namespaces but those that are denied.
fn other_namespaces(config: &Config) -> Option<String> {
    let without = config.without_namespaces.iter().filter(|_| is_everywhere(config));
    joined(without.map(|name| format!("metadata.namespace!={name}")))
}

fn joined(terms: impl Iterator<Item = String>) -> Option<String> {
    let terms: Vec<String> = terms.collect();
    (!terms.is_empty()).then(|| terms.join(","))
}

/// The part of a kind's objects that is needed.
pub fn form(resource: &dyn Resource) -> Form {
    match resource.about() {
        about if about.plural == "secrets" => Form::Table,
        about if about.metadata_only => Form::Metadata,
        _ => Form::Whole,
    }
}

fn fields(config: &Config, resource: &dyn Resource) -> Option<String> {
    let about = resource.about();
    let mut terms: Vec<String> = other_namespaces(config).filter(|_| about.namespaced).into_iter().collect();
    if about.plural == "pods" && config.pods != Pods::All {
        terms.extend(config.pods.field_selector());
    }
    terms.extend(config.field_selectors.of(about.plural).map(str::to_owned));
    joined(terms.into_iter())
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
        let selected = planned(&["--resources=pods", "--field-selector=*=a=b", "--node=n", "--namespaces-denylist=x"]);
        let terms = "metadata.namespace!=x,spec.nodeName=n,a=b";
        assert_eq!(selected, [("/api/v1/pods".to_owned(), Some(terms.to_owned()))]);
        assert_eq!(fields, [Some(without.to_owned()), None, Some(format!("{without},spec.nodeName="))]);
    }
}
