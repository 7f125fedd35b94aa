//! The configuration files of the cluster's programs.

use super::machine::{API, BRIDGE, CONTAINERD_SOCKET, Cluster, NETWORK, Options, PAUSE_IMAGE};

/// The token of the only user, who may do everything.
const TOKEN: &str = "admintoken";

/// Users of the API server: token, name, id, groups.
pub(super) fn tokens() -> String {
    format!("{TOKEN},admin,admin,system:masters\n")
}

pub(super) fn kubeconfig(cluster: &Cluster) -> String {
    let authority = cluster.authority();
    let authority = authority.display();
    format!(
        "apiVersion: v1
kind: Config
clusters: [{{name: local, cluster: {{server: \"https://{API}\", certificate-authority: \"{authority}\"}}}}]
users: [{{name: admin, user: {{token: {TOKEN}}}}}]
contexts: [{{name: local, context: {{cluster: local, user: admin}}}}]
current-context: local
"
    )
}

pub(super) fn containerd(cluster: &Cluster) -> String {
    let dir = cluster.dir.display();
    format!(
        "version = 2
root = \"{dir}/containerd\"
[plugins.\"io.containerd.grpc.v1.cri\"]
  sandbox_image = \"{PAUSE_IMAGE}\"
  restrict_oom_score_adj = true
  [plugins.\"io.containerd.grpc.v1.cri\".cni]
    bin_dir = \"/usr/lib/cni\"
    conf_dir = \"{dir}/cni\"
"
    )
}

/// A bridge of its own, without masquerading, so that no firewall rule is made.
pub(super) fn cni(cluster: &Cluster) -> String {
    let leases = cluster.dir.join("leases");
    let bridge = serde_json::json!({
        "type": "bridge", "bridge": BRIDGE, "isGateway": true,
        "ipam": {"type": "host-local", "dataDir": leases, "ranges": [[{"subnet": "10.244.0.0/24"}]]},
    });
    serde_json::json!({"cniVersion": "1.0.0", "name": NETWORK, "plugins": [bridge]}).to_string()
}

/// The kubelet works without systemd, on cgroup v1 and v2, makes no firewall rules and keeps its logs in the state.
pub(super) fn kubelet(cluster: &Cluster, options: &Options) -> String {
    let dir = cluster.dir.display();
    let cgroup_root = &options.cgroup_root;
    // It is told of changes to the files; where all pods come from files, reading them each second costs a quarter of it.
    let (files, every) = if options.api { (cluster.static_pods(), 1) } else { (cluster.manifests(), 20) };
    let files = files.display();
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupRoot: \"{cgroup_root}\"
containerRuntimeEndpoint: unix://{CONTAINERD_SOCKET}
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
address: 127.0.0.1
port: 20250
readOnlyPort: 20255
healthzPort: 20248
podCIDR: 10.244.0.0/24
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
resolvConf: \"\"
oomScoreAdj: 0
evictionHard: {{}}
podLogsDir: {dir}/pod-logs
volumePluginDir: {dir}/volume-plugins
maxPods: 240
staticPodPath: {files}
fileCheckFrequency: {every}s
"
    )
}
