//! An OCI image archive that holds a static busybox and nothing else, made without any registry.
//!
//! One archive has every image the cluster needs: they share the layer and differ in the command.
//! Format: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::go::hex;

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

/// The archive, as `ctr images import` takes it.
pub(super) fn archive(busybox: &[u8], images: &[Image<'_>]) -> Result<Vec<u8>> {
    let root = root_file_system(busybox)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&root)?;
    let mut layout = Layout::default();
    let layer = layout.add("layer.v1.tar+gzip", gzip.finish()?);
    let diff_id = format!("sha256:{}", digest(&root));
    let mut manifests = Vec::new();
    for image in images {
        manifests.push(layout.add_image(image, &layer, &diff_id)?);
    }
    layout.finish(&json!({"schemaVersion": 2, "manifests": manifests}))
}

#[derive(Default)]
struct Layout {
    blobs: Vec<(String, Vec<u8>)>,
}

impl Layout {
    fn add(&mut self, kind: &str, data: Vec<u8>) -> Value {
        let digest = digest(&data);
        let descriptor = json!({
            "mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": format!("sha256:{digest}"),
            "size": data.len(),
        });
        self.blobs.push((format!("blobs/sha256/{digest}"), data));
        descriptor
    }

    fn add_image(&mut self, image: &Image<'_>, layer: &Value, diff_id: &str) -> Result<Value> {
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": image.command},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        });
        let config = self.add("config.v1+json", serde_json::to_vec(&config)?);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let mut manifest = self.add("manifest.v1+json", serde_json::to_vec(&manifest)?);
        let fields = manifest.as_object_mut().context("a descriptor is an object")?;
        fields.insert("annotations".to_owned(), json!({"io.containerd.image.name": image.reference}));
        Ok(manifest)
    }

    fn finish(self, index: &Value) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        add_file(&mut tar, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        add_file(&mut tar, "index.json", 0o644, &serde_json::to_vec(index)?)?;
        for (path, data) in &self.blobs {
            add_file(&mut tar, path, 0o644, data)?;
        }
        Ok(tar.into_inner()?)
    }
}

fn root_file_system(busybox: &[u8]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for directory in DIRECTORIES {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        tar.append_data(&mut header, directory, &[][..])?;
    }
    add_file(&mut tar, "bin/busybox", 0o755, busybox)?;
    for applet in APPLETS {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox")?;
    }
    Ok(tar.into_inner()?)
}

fn add_file(tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, data: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(data.len() as u64);
    tar.append_data(&mut header, path, data).with_context(|| format!("cannot add {path}"))
}

fn digest(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;

    #[test]
    fn every_blob_has_the_name_of_its_content() {
        let images = [Image { reference: "r/a:1", command: &["x"] }, Image { reference: "r/b:1", command: &["y"] }];
        let bytes = archive(b"not really busybox", &images).unwrap();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), data);
        }
        for (path, data) in &files {
            if let Some(name) = path.strip_prefix("blobs/sha256/") {
                assert_eq!(name, digest(data));
            }
        }
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        assert_eq!(index["manifests"][1]["annotations"]["io.containerd.image.name"], "r/b:1");
        assert_eq!(files.len(), 2 + 1 + 2 * 2, "one layer, two configs, two manifests");
    }
}
