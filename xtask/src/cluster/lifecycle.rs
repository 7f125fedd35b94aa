//! Starting the cluster: every program in the order in which the next one needs it.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::image::{self, Image};
use super::machine::{
    API, BOX_IMAGE, CONTAINERD_SOCKET, Cluster, ETCD, ETCD_PEER, KUBELET, NODE, Options, PAUSE_IMAGE,
};
use super::{build, config, teardown};
use crate::skip::Skip;
use crate::{http, places, process};

const PROGRAMS: &[&str] =
    &["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"];

/// Directories that the programs make outside the state; those that were not there before are removed at the end.
const OUTSIDE: &[&str] =
    &["/run/containerd", "/run/netns", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods"];

/// What the machine lacks for a cluster with these options, if anything.
pub(crate) fn missing(options: &Options) -> Option<Skip> {
    if !build::is_cached() && process::find("go").is_none() {
        return Some(Skip("go is not installed".to_owned()));
    }
    let mut tools = vec!["openssl"];
    if options.node {
        if !process::is_root() {
            return Some(Skip("a node needs root".to_owned()));
        }
        tools.extend(["containerd", "ctr", "runc", "busybox", "ip", "mount"]);
        if !Path::new("/usr/lib/cni/bridge").exists() {
            return Some(Skip("the CNI plugins are not installed".to_owned()));
        }
    }
    let tool = tools.into_iter().find(|tool| process::find(tool).is_none())?;
    Some(Skip(format!("{tool} is not installed")))
}

/// Starts the cluster, or finds it running.
pub(crate) fn up(cluster: &Cluster, options: &Options) -> Result<()> {
    if let Some(missing) = missing(options) {
        return Err(missing.into());
    }
    let _lock = cluster.lock()?;
    let asked = options.to_json();
    if !process::marked(&cluster.mark()).is_empty() {
        let same = fs::read_to_string(cluster.dir.join("options.json")).is_ok_and(|text| text == asked);
        if same && cluster.answers(options) {
            eprintln!("the cluster runs already");
            return Ok(());
        }
        if !same && cluster.is_ready() {
            bail!("a cluster with other options runs: `cargo xtask cluster down` ends it");
        }
        eprintln!("a broken cluster is in the way: ending it");
    }
    let binary = build::binary()?;
    teardown::clean(cluster)?;
    refuse_foreign(options)?;
    let begin = Instant::now();
    prepare(cluster, &binary, &asked)?;
    start_all(cluster, options).inspect_err(|_| print_logs(cluster))?;
    eprintln!("the cluster is up after {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// The end of each program's log, for a cluster that does not come up.
fn print_logs(cluster: &Cluster) {
    let entries = fs::read_dir(&cluster.dir).into_iter().flatten().flatten();
    for log in entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "log")) {
        eprintln!("== {}\n{}", log.display(), process::tail(&log));
    }
}

/// The kubelet's cAdvisor looks for containerd at one path only, so there can be but one on a machine.
fn refuse_foreign(options: &Options) -> Result<()> {
    for address in [API, ETCD, ETCD_PEER] {
        if http::listens(address) {
            bail!("something else listens on {address}");
        }
    }
    if !options.node {
        return Ok(());
    }
    if std::os::unix::net::UnixStream::connect(CONTAINERD_SOCKET).is_ok() {
        bail!("another containerd serves {CONTAINERD_SOCKET}; stop it first, the node needs one of its own");
    }
    for address in ["127.0.0.1:20250", "127.0.0.1:20255"] {
        if http::listens(address) {
            bail!("something else listens on {address}");
        }
    }
    if let Some(path) = teardown::pod_cgroups(&options.cgroup_root).into_iter().next() {
        bail!("{} exists: another kubelet runs, or left it", path.display());
    }
    Ok(())
}

fn prepare(cluster: &Cluster, binary: &Path, options: &str) -> Result<()> {
    let dir = &cluster.dir;
    for sub in ["bin", "pki", "cni"] {
        fs::create_dir_all(dir.join(sub)).with_context(|| format!("cannot make {}/{sub}", dir.display()))?;
    }
    for program in PROGRAMS {
        symlink(binary, cluster.program(program)).with_context(|| format!("cannot link {program}"))?;
    }
    let absent: Vec<&str> = OUTSIDE.iter().copied().filter(|path| !Path::new(path).exists()).collect();
    places::write(&dir.join("outside"), absent.join("\n"))?;
    places::write(&dir.join("options.json"), options)?;
    places::write(&dir.join("tokens.csv"), config::tokens())?;
    places::write(&dir.join("kubeconfig"), config::kubeconfig(cluster))?;
    let key = dir.join("pki/sa.key");
    process::output(Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048"))?;
    process::output(
        Command::new("openssl").args(["rsa", "-pubout", "-in"]).arg(&key).arg("-out").arg(dir.join("pki/sa.pub")),
    )
    .map(drop)
}

fn start_all(cluster: &Cluster, options: &Options) -> Result<()> {
    if !options.api {
        start_containerd(cluster)?;
        start_kubelet(cluster, options)?;
        let answers = || cluster.answers(options);
        return process::wait_for("the kubelet", Duration::from_mins(1), answers);
    }
    start(cluster, &cluster.program("etcd"), &etcd_flags())?;
    start(cluster, &cluster.program("kube-apiserver"), &api_flags(cluster, options))?;
    if options.node {
        start_containerd(cluster)?;
    }
    process::wait_for("the API server", Duration::from_mins(1), || cluster.is_ready())?;
    if !options.controllers {
        return Ok(());
    }
    start(cluster, &cluster.program("kube-controller-manager"), &controller_flags(cluster))?;
    start(cluster, &cluster.program("kube-scheduler"), &scheduler_flags(cluster))?;
    if options.node {
        start_kubelet(cluster, options)?;
    }
    let account = ["get", "serviceaccount", "default"];
    process::wait_for("the default service account", Duration::from_mins(1), || cluster.kubectl(&account).is_ok())
}

fn start_containerd(cluster: &Cluster) -> Result<()> {
    let dir = &cluster.dir;
    let file = dir.join("containerd.toml");
    places::write(&file, config::containerd(cluster))?;
    places::write(&dir.join("cni/10-pods.conflist"), config::cni(cluster))?;
    start(cluster, Path::new("containerd"), &["-c".to_owned(), file.display().to_string()])?;
    process::wait_for("containerd", Duration::from_secs(30), || ctr(&["version"]).is_ok())?;
    let busybox = process::find("busybox").context("busybox is not installed")?;
    let busybox = fs::read(&busybox).with_context(|| format!("cannot read {}", busybox.display()))?;
    // Equal images would be one image with two names, and a runtime then names either.
    let images = [
        Image { reference: PAUSE_IMAGE, command: &["/bin/sleep", "2147483"] },
        Image { reference: BOX_IMAGE, command: &["/bin/sleep", "2147482"] },
    ];
    let archive = dir.join("images.tar");
    places::write(&archive, image::archive(&busybox, &images)?)?;
    ctr(&["-n", "k8s.io", "images", "import", &archive.display().to_string()])
}

/// Kills the API server as a crash would. What it knows is in etcd.
pub(crate) fn kill_api(cluster: &Cluster) -> Result<()> {
    kill(cluster, "kube-apiserver")?;
    process::wait_for("the API server to be gone", Duration::from_secs(10), || !http::listens(API))
}

/// Kills the kubelet as a crash would. Its pods run on.
pub(crate) fn kill_kubelet(cluster: &Cluster) -> Result<()> {
    kill(cluster, "kubelet")?;
    let address = KUBELET.trim_start_matches("http://");
    process::wait_for("the kubelet to be gone", Duration::from_secs(10), || !http::listens(address))
}

fn kill(cluster: &Cluster, name: &str) -> Result<()> {
    process::signal(process_of(cluster, name)?, rustix::process::Signal::KILL);
    Ok(())
}

/// The process that runs a program of the cluster.
pub(crate) fn process_of(cluster: &Cluster, name: &str) -> Result<u32> {
    let program = cluster.program(name);
    let is_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0).next() == Some(program.as_os_str().as_encoded_bytes())
    };
    let found = process::marked(&cluster.mark()).into_iter().find(is_it);
    found.with_context(|| format!("no {name} runs"))
}

/// The file that tells containerd of the pods' network, and a name under which it does not find it.
pub(crate) fn network_configuration(cluster: &Cluster) -> (PathBuf, PathBuf) {
    let dir = cluster.dir.join("cni");
    (dir.join("10-pods.conflist"), dir.join("away"))
}

/// Starts the API server again, with the flags of these options.
pub(crate) fn start_api(cluster: &Cluster, options: &Options) -> Result<()> {
    start(cluster, &cluster.program("kube-apiserver"), &api_flags(cluster, options))?;
    process::wait_for("the API server", Duration::from_mins(1), || cluster.is_ready())
}

fn ctr(words: &[&str]) -> Result<()> {
    process::output(Command::new("ctr").args(["--address", CONTAINERD_SOCKET]).args(words)).map(drop)
}

/// Starts the kubelet, and waits until the node is ready.
pub(crate) fn start_kubelet(cluster: &Cluster, options: &Options) -> Result<()> {
    let dir = cluster.dir.display();
    let file = cluster.dir.join("kubelet.yaml");
    places::write(&file, config::kubelet(cluster, options))?;
    teardown::make_cgroup_root(&options.cgroup_root)?;
    let mut flags = vec![
        format!("--config={}", file.display()),
        format!("--root-dir={dir}/kubelet"),
        format!("--cert-dir={dir}/pki"),
        format!("--hostname-override={NODE}"),
    ];
    fs::create_dir_all(cluster.static_pods())?;
    if !options.api {
        fs::create_dir_all(cluster.manifests())?;
        return start(cluster, &cluster.program("kubelet"), &flags);
    }
    flags.push(format!("--kubeconfig={}", cluster.kubeconfig().display()));
    start(cluster, &cluster.program("kubelet"), &flags)?;
    process::wait_for("the node", Duration::from_secs(90), || cluster.node_is_ready())
}

fn etcd_flags() -> Vec<String> {
    vec![
        "--data-dir=etcd".to_owned(),
        format!("--listen-client-urls=http://{ETCD}"),
        format!("--advertise-client-urls=http://{ETCD}"),
        format!("--listen-peer-urls=http://{ETCD_PEER}"),
        format!("--initial-advertise-peer-urls=http://{ETCD_PEER}"),
        format!("--initial-cluster=default=http://{ETCD_PEER}"),
        "--unsafe-no-fsync".to_owned(), // nothing of it is to outlive the test
    ]
}

fn api_flags(cluster: &Cluster, options: &Options) -> Vec<String> {
    let dir = cluster.dir.display();
    let port = API.rsplit(':').next().unwrap_or_default();
    let mut flags = vec![
        format!("--etcd-servers=http://{ETCD}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--cert-dir={dir}/pki"),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={dir}/pki/sa.pub"),
        format!("--service-account-signing-key-file={dir}/pki/sa.key"),
        format!("--token-auth-file={dir}/tokens.csv"),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--max-requests-inflight=3000".to_owned(),
        "--max-mutating-requests-inflight=1000".to_owned(),
    ];
    if !options.controllers {
        // Nothing makes the accounts that this plugin asks for.
        flags.push("--disable-admission-plugins=ServiceAccount".to_owned());
    }
    flags.extend(options.api_flags.iter().cloned());
    flags
}

fn controller_flags(cluster: &Cluster) -> Vec<String> {
    let dir = cluster.dir.display();
    vec![
        format!("--kubeconfig={}", cluster.kubeconfig().display()),
        format!("--service-account-private-key-file={dir}/pki/sa.key"),
        format!("--root-ca-file={dir}/pki/apiserver.crt"),
        "--leader-elect=false".to_owned(),
        "--controllers=*,-nodeipam,-cloud-node-lifecycle-controller".to_owned(),
        "--kube-api-qps=2000".to_owned(),
        "--kube-api-burst=4000".to_owned(),
    ]
}

fn scheduler_flags(cluster: &Cluster) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", cluster.kubeconfig().display()),
        "--leader-elect=false".to_owned(),
        "--kube-api-qps=2000".to_owned(),
        "--kube-api-burst=4000".to_owned(),
    ]
}

/// Starts a program in the background, in a process group of its own, with its log in the state.
fn start(cluster: &Cluster, program: &Path, flags: &[String]) -> Result<()> {
    let path: PathBuf = if program.is_absolute() {
        program.to_owned()
    } else {
        process::find(&program.to_string_lossy()).with_context(|| format!("{} is not installed", program.display()))?
    };
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (out, err) = process::log_files(&cluster.dir.join(format!("{name}.log")))?;
    let mark = cluster.mark();
    let (key, value) = mark.split_once('=').context("a mark is NAME=value")?;
    Command::new(&path)
        .args(flags)
        .env(key, value)
        .current_dir(&cluster.dir)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", path.display()))?;
    Ok(())
}
