//! What the programs declare that they need, as the file of the chart that roles and security contexts are rendered from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use metric::{Catalog, NeedEntry};
use serde_json::Value;

use super::binaries::Binaries;
use crate::process;

/// Taken by values of their own: what needs them does without.
const BY_VALUE: [&str; 2] = ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"];
/// A kind without which flags that count pods are refused.
const PODS: &str = "--resources=pods";
/// Values of the chart that add rights to kube-state, and their flags.
const OPTIONS: [(&str, &str); 6] = [
    ("authFilter", "--auth-filter"),
    ("owners", "--workload-owner=team=team"),
    ("peers", "--peers"),
    ("podLifetimes", "--pod-lifetimes"),
    ("podWorkloads", "--pod-workloads"),
    ("workloadRequests", "--workload-requests"),
];

/// Rights, each `group|resource|verbs`.
type Rights = BTreeSet<String>;

/// The file's text.
pub(super) fn file(binaries: &Binaries, catalogs: &[Catalog; 2]) -> Result<String> {
    let [agent, kube_state] = catalogs;
    let agent_rights = rights(binaries, 0, &[])?;
    let with_owners = rights(binaries, 0, &["--kubernetes.owner-labels=team=team"])?;
    let pods = rights(binaries, 1, &[PODS])?;
    let more = |flags: &[&str]| -> Result<Rights> {
        let all = rights(binaries, 1, &[&[PODS], flags].concat())?;
        Ok(all.difference(&pods).cloned().collect())
    };
    let mut text =
        "# What the programs declare that they need. Made by `cargo xtask chart`; changes here are lost. Rights are \
                    group|resource|verbs.\nagent:\n"
            .to_owned();
    list(&mut text, 2, "capabilities", &capabilities(agent));
    list(&mut text, 2, "rights", &agent_rights);
    list(&mut text, 2, "owners", &with_owners.difference(&agent_rights).cloned().collect());
    text.push_str("kubeState:\n");
    let kinds = kinds(kube_state);
    let defaults = kinds.iter().filter(|(_, (is_default, _))| *is_default).map(|(kind, _)| kind.clone()).collect();
    list(&mut text, 2, "defaults", &defaults);
    text.push_str("  kinds:\n");
    for (kind, (_, rights)) in &kinds {
        list(&mut text, 4, kind, rights);
    }
    text.push_str("  options:\n");
    for (value, flag) in OPTIONS {
        list(&mut text, 4, value, &more(&[flag])?);
    }
    list(&mut text, 2, "sharding", &more(&["--pod=yagura-0", "--pod-namespace=yagura"])?);
    Ok(text)
}

fn list(text: &mut String, indent: usize, name: &str, items: &BTreeSet<String>) {
    let _ = write!(text, "{:indent$}{name}:", "");
    if items.is_empty() {
        text.push_str(" []\n");
        return;
    }
    text.push('\n');
    for item in items {
        let _ = writeln!(text, "{:indent$}- \"{item}\"", "");
    }
}

/// Capabilities of all collectors and probes, as containers name them. Alternatives of a need are for machines that lack
/// the first; who wants them says so by a value.
fn capabilities(agent: &Catalog) -> BTreeSet<String> {
    let needs = agent.sections.iter().flat_map(|section| &section.needs);
    let names =
        needs.filter_map(|need| if let NeedEntry::Capability(name) = need { Some(name.as_str()) } else { None });
    names.filter(|name| !BY_VALUE.contains(name)).map(|name| name.trim_start_matches("CAP_").to_owned()).collect()
}

/// Kinds of kube-state: whether they are served by default, and what they take.
fn kinds(kube_state: &Catalog) -> BTreeMap<String, (bool, Rights)> {
    let mut kinds = BTreeMap::new();
    for section in &kube_state.sections {
        let rights: Rights = section.needs.iter().filter_map(right).collect();
        if !rights.is_empty() {
            kinds.insert(section.name.clone(), (section.default_on, rights));
        }
    }
    kinds
}

/// `/api/v1/pods` and `/apis/apps/v1/deployments` with verbs.
fn right(need: &NeedEntry) -> Option<String> {
    let NeedEntry::Rights { verbs, path } = need else { return None };
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, resource) = match parts[..] {
        ["api", _, resource] => ("", resource),
        ["apis", group, _, resource] => (group, resource),
        _ => return None,
    };
    Some(format!("{group}|{resource}|{}", verbs.join(",")))
}

/// What a program prints that it needs with these flags.
fn rights(binaries: &Binaries, which: usize, flags: &[&str]) -> Result<Rights> {
    let mut command = binaries.command(which)?;
    let text = process::output(command.args(flags).arg("--print-rbac"))?;
    let role: Value = serde_saphyr::from_str(&text).context("--print-rbac printed no YAML")?;
    let mut rights = Rights::new();
    let words = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    for rule in role["rules"].as_array().context("--print-rbac printed no rules")? {
        let verbs = words(&rule["verbs"]).join(",");
        for group in words(&rule["apiGroups"]) {
            rights.extend(words(&rule["resources"]).iter().map(|resource| format!("{group}|{resource}|{verbs}")));
        }
    }
    Ok(rights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_from_paths() {
        let need = |path: &str| {
            right(&NeedEntry::Rights { verbs: vec!["list".to_owned(), "watch".to_owned()], path: path.to_owned() })
        };
        assert_eq!(need("/api/v1/pods").as_deref(), Some("|pods|list,watch"));
        assert_eq!(need("/apis/apps/v1/deployments").as_deref(), Some("apps|deployments|list,watch"));
        assert_eq!(need("/metrics"), None);
    }
}
