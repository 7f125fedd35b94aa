//! The images of the cluster's own pods: a static busybox and nothing else.

use anyhow::Result;
use serde_json::json;

use crate::oci::{self, Layout, Packing, Tree};

const APPLETS: &[&str] = &[
    "cat", "dd", "echo", "false", "head", "httpd", "id", "kill", "ls", "md5sum", "mkdir", "nc", "nslookup", "ping",
    "rm", "seq", "sh", "sleep", "sync", "tail", "touch", "true", "wget", "yes",
];
const DIRECTORIES: &[&str] = &["bin", "dev", "etc", "proc", "sys", "tmp"];

/// An image: its reference and the command it runs.
pub(super) struct Image<'a> {
    pub(super) reference: &'a str,
    pub(super) command: &'a [&'a str],
}

/// The archive, as `ctr images import` takes it. The images share the layer and differ in the command.
pub(super) fn archive(busybox: &[u8], images: &[Image<'_>]) -> Result<Vec<u8>> {
    let mut tree = Tree::new();
    for directory in DIRECTORIES {
        tree.folder(directory)?;
    }
    tree.file("bin/busybox", 0o755, busybox)?;
    for applet in APPLETS {
        tree.link(&format!("bin/{applet}"), "busybox")?;
    }
    let mut layout = Layout::default();
    let layer = layout.add_layer(&tree.finish()?, Packing::Gzip)?;
    for Image { reference, command } in images {
        let config = json!({"Env": ["PATH=/bin"], "Cmd": command});
        layout.add_image(&oci::Image { reference, config, created: None }, &[&layer])?;
    }
    layout.archive()
}
