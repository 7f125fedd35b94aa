//! Starts a program of an image by a container runtime, from its root file system alone.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{places, process};

/// Runtimes that Kubernetes' engines use.
pub(super) const RUNTIMES: [&str; 2] = ["runc", "crun"];

/// What a program printed, started with arguments from a root file system, as nobody and without a capability.
pub(super) fn start(runtime: &Path, layers: &[&[u8]], args: &[&str]) -> Result<String> {
    let bundle = places::cache("bundle")?;
    let root = bundle.join("rootfs");
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    for layer in layers {
        tar::Archive::new(*layer).unpack(&root).context("cannot unpack a layer")?;
    }
    for folder in ["proc", "tmp"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let namespaces: Vec<_> =
        ["pid", "mount", "ipc", "uts", "network"].iter().map(|kind| json!({"type": kind})).collect();
    let spec = json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 65534, "gid": 65534},
            "args": args,
            "cwd": "/",
            "env": ["PATH=/usr/bin"],
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"namespaces": namespaces},
    });
    places::write(&bundle.join("config.json"), serde_json::to_vec(&spec)?)?;
    let id = format!("yagura-image-{}", std::process::id());
    let mut command = Command::new(runtime);
    process::output(command.arg("run").arg("--bundle").arg(&bundle).arg(id))
}
