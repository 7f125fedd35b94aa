//! The rights that the agent needs in a cluster, and nothing else.

use kubernetes::rbac::Rules;

use crate::{config::Config, identity::pods};

/// A `ClusterRole` as YAML.
pub fn cluster_role(config: &Config) -> String {
    let rules = if config.kubernetes.disable { Rules::default() } else { pods::rights(&config.kubernetes) };
    rules.cluster_role("yagura-exporter")
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
        let rule = |group: &str, resources: &[&str], verbs: &str| {
            let resources = resources.iter().map(|resource| format!("  - {resource}\n")).collect::<Vec<_>>().concat();
            format!("- apiGroups: [\"{group}\"]\n  resources:\n{resources}  verbs: [{verbs}]")
        };
        let usual = [
            rule("", &["replicationcontrollers"], "get"),
            rule("", &["pods"], "list, watch"),
            rule("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"], "get"),
            rule("batch", &["cronjobs", "jobs"], "get"),
        ]
        .join("\n");
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
        assert!(more.contains("  - replicationcontrollers\n  - namespaces\n  - nodes/proxy\n  verbs: [get]"), "{more}");
        assert!(more.contains("- apiGroups: [\"tekton.dev\"]\n  resources:\n  - taskruns\n  verbs: [get]"), "{more}");
    }
}
