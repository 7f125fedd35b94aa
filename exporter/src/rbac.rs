//! The rights that the agent needs in a cluster, and nothing else.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{config::Config, identity::pods};

/// A `ClusterRole` as YAML.
pub fn cluster_role(config: &Config) -> String {
    let mut text = String::from(
        "# What yagura-exporter needs in a cluster. Made by `yagura-exporter --print-rbac` with the options it runs with.\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: yagura-exporter\nrules:",
    );
    let mut rules: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    if !config.kubernetes.disable {
        for (group, resource, verbs) in pods::rights(&config.kubernetes) {
            rules.entry((group, verbs)).or_default().push(resource);
        }
    }
    text.push_str(if rules.is_empty() { " []\n" } else { "\n" });
    for ((group, verbs), resources) in &rules {
        let _ =
            writeln!(text, "- apiGroups: [\"{group}\"]\n  resources: [{}]\n  verbs: [{verbs}]", resources.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        cluster_role(&config).split_once("rules:").unwrap().1.trim().to_owned()
    }

    #[test]
    fn pods_are_watched_and_owners_looked_up_and_no_more() {
        let usual = "- apiGroups: [\"\"]\n  resources: [replicationcontrollers]\n  verbs: [get]\n\
             - apiGroups: [\"\"]\n  resources: [pods]\n  verbs: [list, watch]\n\
             - apiGroups: [\"apps\"]\n  resources: [daemonsets, deployments, replicasets, statefulsets]\n  verbs: [get]\n\
             - apiGroups: [\"batch\"]\n  resources: [cronjobs, jobs]\n  verbs: [get]";
        assert_eq!(rules(|_| ()), usual);
        assert_eq!(rules(|config| config.kubernetes.disable = true), "[]");
    }

    #[test]
    fn more_is_needed_for_what_needs_more() {
        let more = rules(|config| {
            config.kubernetes.kubelet.url = "https://127.0.0.1:10250".into();
            config.kubernetes.owner_labels = vec!["team=team".into()];
            config.kubernetes.workload_kinds = vec!["TaskRun=taskruns.v1.tekton.dev".into()];
        });
        assert!(
            more.contains("resources: [replicationcontrollers, namespaces, nodes/proxy]\n  verbs: [get]"),
            "{more}"
        );
        assert!(more.contains("- apiGroups: [\"tekton.dev\"]\n  resources: [taskruns]\n  verbs: [get]"), "{more}");
    }
}
