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
    let role = process::output(Command::new(binary).arg("--print-rbac").args(flags))?;
    let account = format!(
        "{role}---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {ACCOUNT}, namespace: {HOME}}}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {ACCOUNT}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {ACCOUNT}}}\n\
         subjects: [{{kind: ServiceAccount, name: {ACCOUNT}, namespace: {HOME}}}]\n"
    );
    // They may be there from a run before.
    let kinds = "serviceaccount,clusterrolebinding,clusterrole";
    cluster.kubectl(&["-n", HOME, "delete", kinds, ACCOUNT, "--ignore-not-found"])?;
    cluster.create(&account)?;
    let token = cluster.kubectl(&["-n", HOME, "create", "token", ACCOUNT, "--duration=24h"])?;
    let path = places::cache("account")?.join("kubeconfig");
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
