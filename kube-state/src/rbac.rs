//! The rights that a configuration needs in the cluster: list and watch on what is watched, and nothing else.

use kubernetes::rbac::{CREATE, GET, Rules, WATCH};

use crate::{
    custom::{self, Source},
    flags::{Config, Flags},
    peers, resources,
};

/// A ClusterRole as YAML.
pub fn cluster_role(flags: &Flags, config: &Config, custom: &custom::Config) -> String {
    let mut rules = Rules::default();
    if flags.custom() != Source::None {
        rules.allow("apiextensions.k8s.io", "customresourcedefinitions", WATCH);
    }
    for resource in config.selection.kinds() {
        let about = resource.about();
        rules.allow(about.group, about.plural, WATCH);
    }
    for (group, plural) in &custom.permissions() {
        rules.allow(group, plural, WATCH);
    }
    for owner in config.workloads.owner_kinds() {
        rules.allow(&owner.group, &owner.plural, WATCH);
    }
    for resource in peers::KINDS.into_iter().filter(|_| config.workloads.peers).filter_map(resources::find) {
        rules.allow(resource.about().group, resource.about().plural, WATCH);
    }
    if config.namespace_selector.is_some() {
        rules.allow("", "namespaces", WATCH);
    }
    if config.pod.is_some() {
        rules.allow("", "pods", GET);
        rules.allow("apps", "statefulsets", WATCH);
    }
    if flags.auth_filter {
        rules.allow("authentication.k8s.io", "tokenreviews", CREATE);
        rules.allow("authorization.k8s.io", "subjectaccessreviews", CREATE);
    }
    rules.cluster_role("yagura-kube-state")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn role(args: &[&str]) -> String {
        let flags = Flags::try_parse_from(std::iter::once(&"x").chain(args)).unwrap();
        let text = cluster_role(&flags, &flags.check().unwrap(), &flags.custom().load().unwrap().config);
        text.split_once("rules:").unwrap().1.trim().to_owned()
    }

    #[test]
    fn a_role_lists_and_watches_what_is_enabled_and_no_more() {
        let expected = "- apiGroups: [\"\"]\n  resources:\n  - pods\n  - secrets\n  verbs: [list, watch]\n- apiGroups: [\"batch\"]\n  resources:\n  - jobs\n  verbs: [list, watch]";
        assert_eq!(role(&["--resources=pods,jobs,secrets"]), expected);
        let all = role(&[]);
        assert_eq!(all.matches("  - ").count(), 32);
        assert!(!all.contains('*') && !all.contains("[get]") && !all.contains("create"), "{all}");
    }

    #[test]
    fn custom_kinds_are_listed_and_watched_as_far_as_they_are_named() {
        let config = "--custom-resource-state-config=spec: {resources: [\
            {groupVersionKind: {group: g.example, version: v1, kind: Ship}}, \
            {groupVersionKind: {group: h.example, version: v1, kind: '*'}}]}";
        let role = role(&["--custom-resource-state-only", config]);
        let rule = |group: &str, plural: &str| {
            format!("- apiGroups: [\"{group}\"]\n  resources:\n  - {plural}\n  verbs: [list, watch]")
        };
        let rules = [
            rule("apiextensions.k8s.io", "customresourcedefinitions"),
            rule("g.example", "ships"),
            rule("h.example", "\"*\""),
        ];
        assert_eq!(role, rules.join("\n"));
    }

    #[test]
    fn more_is_needed_for_what_needs_more() {
        let selected = role(&["--resources=jobs", "--namespace-selector=team=a"]);
        assert!(selected.contains("  - namespaces\n  verbs: [list, watch]"), "{selected}");
        let sharded = role(&["--resources=pods", "--pod=a-0", "--pod-namespace=b"]);
        assert!(
            sharded.contains("  - pods\n  verbs: [get]")
                && sharded.contains("  - statefulsets\n  verbs: [list, watch]")
        );
        let owners = role(&["--resources=pods,jobs", "--workload-owner=team=x", "--workload-kinds=A=as.v1.g.example"]);
        for part in
            ["  - jobs\n  - cronjobs\n  verbs", "  - pods\n  - replicationcontrollers\n  - namespaces\n", "  - as\n"]
        {
            assert!(owners.contains(part), "{owners}");
        }
        let peers = role(&["--resources=pods,nodes", "--peers"]);
        for part in
            ["  - nodes\n  - pods\n  - replicationcontrollers\n  - services\n", "  - endpointslices\n", "  - jobs\n"]
        {
            assert!(peers.contains(part), "{peers}");
        }
        assert!(role(&["--resources=pods", "--auth-filter"]).contains("  - tokenreviews\n  verbs: [create]"));
    }
}
