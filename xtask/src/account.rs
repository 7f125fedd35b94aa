//! The agent as a service account of the cluster that may do what `--print-rbac` says, and nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cluster::{API, Cluster};
use crate::{places, process};

const ACCOUNT: &str = "yagura-exporter";
const HOME: &str = "kube-system";

/// Makes the account with the rights that the binary prints for these flags, and a kubeconfig for it.
pub(crate) fn kubeconfig(cluster: &Cluster, binary: &Path, flags: &[String]) -> Result<PathBuf> {
    kubeconfig_as(ACCOUNT, cluster, binary, flags)
}

/// The same under a name of the caller's, whose tokens no other recipe on the cluster ends.
pub(crate) fn kubeconfig_as(name: &str, cluster: &Cluster, binary: &Path, flags: &[String]) -> Result<PathBuf> {
    let role = process::output(Command::new(binary).arg("--print-rbac").args(flags))?;
    let role = role.replace(&format!("name: {ACCOUNT}"), &format!("name: {name}"));
    let account = format!(
        "{role}---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {HOME}}}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\n\
         subjects: [{{kind: ServiceAccount, name: {name}, namespace: {HOME}}}]\n"
    );
    // They may be there from a run before.
    let kinds = "serviceaccount,clusterrolebinding,clusterrole";
    cluster.kubectl(&["-n", HOME, "delete", kinds, name, "--ignore-not-found"])?;
    cluster.create(&account)?;
    let token = cluster.kubectl(&["-n", HOME, "create", "token", name, "--duration=24h"])?;
    let path = places::cache("account")?.join(if name == ACCOUNT { "kubeconfig" } else { name });
    let authority = cluster.authority();
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
         clusters: [{{name: a, cluster: {{server: 'https://{API}', certificate-authority: '{}'}}}}]\n\
         users: [{{name: a, user: {{token: '{}'}}}}]\n",
        authority.display(),
        token.trim()
    );
    places::write(&path, text)?;
    Ok(path)
}
