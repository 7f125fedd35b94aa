//! The rights that a program needs in a cluster, as the ClusterRole that grants them.

use std::{collections::BTreeMap, fmt::Write as _};

/// For what is watched.
pub const WATCH: &[&str] = &["list", "watch"];
/// For what is looked up by its name.
pub const GET: &[&str] = &["get"];
/// For questions that are asked by creating an object.
pub const CREATE: &[&str] = &["create"];

/// Rights: resources in order, by API group and verbs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(BTreeMap<(String, &'static [&'static str]), Vec<String>>);

impl Rules {
    /// Adds a right to a resource, once. The core group is empty.
    pub fn allow(&mut self, group: &str, resource: &str, verbs: &'static [&'static str]) {
        let resources = self.0.entry((group.to_owned(), verbs)).or_default();
        if resources.iter().all(|known| known != resource) {
            resources.push(resource.to_owned());
        }
    }

    /// A ClusterRole of the program's name, as YAML.
    pub fn cluster_role(&self, program: &str) -> String {
        let mut text = format!(
            "# What {program} needs in a cluster. Made by `{program} --print-rbac` with the flags it runs with.\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {program}\nrules:"
        );
        text.push_str(if self.0.is_empty() { " []\n" } else { "\n" });
        for ((group, verbs), resources) in &self.0 {
            let _ = writeln!(text, "- apiGroups: [\"{group}\"]\n  resources:");
            for resource in resources {
                let quote = if resource == "*" { "\"" } else { "" };
                let _ = writeln!(text, "  - {quote}{resource}{quote}");
            }
            let _ = writeln!(text, "  verbs: [{}]", verbs.join(", "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_each_right_once() {
        let mut rules = Rules::default();
        assert!(rules.cluster_role("x").ends_with("metadata:\n  name: x\nrules: []\n"));
        for (group, resource, verbs) in [
            ("apps", "*", WATCH),
            ("", "pods", WATCH),
            ("", "nodes/proxy", GET),
            ("", "pods", WATCH),
            ("", "jobs", WATCH),
        ] {
            rules.allow(group, resource, verbs);
        }
        let expected = "rules:\n- apiGroups: [\"\"]\n  resources:\n  - nodes/proxy\n  verbs: [get]\n\
            - apiGroups: [\"\"]\n  resources:\n  - pods\n  - jobs\n  verbs: [list, watch]\n\
            - apiGroups: [\"apps\"]\n  resources:\n  - \"*\"\n  verbs: [list, watch]\n";
        assert!(rules.cluster_role("x").ends_with(expected), "{}", rules.cluster_role("x"));
    }
}
