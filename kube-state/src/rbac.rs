//! The rights that a configuration needs in the cluster: list and watch on what is watched, and nothing else.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    custom::{self, Source},
    flags::{Config, Flags},
    peers, resources,
};

/// The rules by API group: resources, in order, and verbs.
type Rules<'c> = BTreeMap<(&'c str, &'static [&'static str]), Vec<&'c str>>;

const WATCH: &[&str] = &["list", "watch"];

/// Adds a resource to those that are watched, once.
fn watch<'a>(rules: &mut Rules<'a>, group: &'a str, plural: &'a str) {
    let resources = rules.entry((group, WATCH)).or_default();
    if !resources.contains(&plural) {
        resources.push(plural);
    }
}

/// A ClusterRole as YAML.
pub fn cluster_role(flags: &Flags, config: &Config, custom: &custom::Config) -> String {
    let mut rules: Rules<'_> = BTreeMap::new();
    let customs = custom.permissions();
    if flags.custom() != Source::None {
        rules.entry(("apiextensions.k8s.io", WATCH)).or_default().push("customresourcedefinitions");
    }
    for resource in config.selection.kinds() {
        let about = resource.about();
        rules.entry((about.group, WATCH)).or_default().push(about.plural);
    }
    for (group, plural) in &customs {
        rules.entry((group, WATCH)).or_default().push(plural);
    }
    let owners = config.workloads.owner_kinds();
    for owner in &owners {
        watch(&mut rules, &owner.group, &owner.plural);
    }
    for resource in peers::KINDS.into_iter().filter(|_| config.workloads.peers).filter_map(resources::find) {
        watch(&mut rules, resource.about().group, resource.about().plural);
    }
    if config.namespace_selector.is_some() {
        watch(&mut rules, "", "namespaces");
    }
    if config.pod.is_some() {
        rules.entry(("", &["get"])).or_default().push("pods");
        watch(&mut rules, "apps", "statefulsets");
    }
    if flags.auth_filter {
        rules.entry(("authentication.k8s.io", &["create"])).or_default().push("tokenreviews");
        rules.entry(("authorization.k8s.io", &["create"])).or_default().push("subjectaccessreviews");
    }
    let mut text = String::from(
        "# What yagura-kube-state needs in a cluster. Made by `yagura-kube-state --print-rbac` with the flags it runs with.\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: yagura-kube-state\nrules:\n",
    );
    for ((group, verbs), resources) in &rules {
        let _ = writeln!(text, "- apiGroups: [\"{group}\"]\n  resources:");
        for resource in resources {
            let quote = if *resource == "*" { "\"" } else { "" };
            let _ = writeln!(text, "  - {quote}{resource}{quote}");
        }
        let _ = writeln!(text, "  verbs: [{}]", verbs.join(", "));
    }
    if rules.is_empty() {
        text = text.replace("rules:\n", "rules: []\n");
    }
    text
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
