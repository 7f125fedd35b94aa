//! OCI images, written without an engine or a registry.
//!
//! Format: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>. The same input gives the same bytes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::go::hex;
use crate::places;

/// A root file system, or any other archive; all times are 1970.
pub(crate) struct Tree(tar::Builder<Vec<u8>>);

impl Tree {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub(crate) fn folder(&mut self, path: &str) -> Result<()> {
        let mut header = header(tar::EntryType::Directory, 0o755, 0);
        self.0.append_data(&mut header, path, &[][..]).with_context(|| format!("cannot add {path}"))
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, data: &[u8]) -> Result<()> {
        let mut header = header(tar::EntryType::Regular, mode, data.len() as u64);
        self.0.append_data(&mut header, path, data).with_context(|| format!("cannot add {path}"))
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) -> Result<()> {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        self.0.append_link(&mut header, path, target).with_context(|| format!("cannot add {path}"))
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        Ok(self.0.into_inner()?)
    }
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header
}

/// How a layer is compressed.
#[derive(Clone, Copy)]
pub(crate) enum Packing {
    /// What every engine reads, done fast.
    Gzip,
    /// A quarter smaller; containerd reads it since 1.5.
    Zstd,
}

/// A layer in a layout.
pub(crate) struct Layer {
    descriptor: Value,
    diff_id: String,
}

impl Layer {
    /// Compressed.
    pub(crate) fn bytes(&self) -> u64 {
        self.descriptor.get("size").and_then(Value::as_u64).unwrap_or_default()
    }
}

/// What an image is made of beside its layers.
pub(crate) struct Image<'a> {
    /// Its name, with registry and tag.
    pub(crate) reference: &'a str,
    /// What a runtime starts by default: `Entrypoint`, `Cmd`, `Env`, `User`, `Labels`.
    pub(crate) config: Value,
    /// When it was made, as RFC 3339 has it; none: not said.
    pub(crate) created: Option<&'a str>,
}

/// Images in one place; equal layers are there once.
#[derive(Default)]
pub(crate) struct Layout {
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: Vec<Value>,
}

impl Layout {
    fn add(&mut self, kind: &str, data: Vec<u8>) -> Value {
        let digest = digest(&data);
        let descriptor = json!({
            "mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": format!("sha256:{digest}"),
            "size": data.len(),
        });
        self.blobs.insert(digest, data);
        descriptor
    }

    /// Adds an archive as a layer.
    pub(crate) fn add_layer(&mut self, tree: &[u8], packing: Packing) -> Result<Layer> {
        let descriptor = match packing {
            Packing::Gzip => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                gzip.write_all(tree)?;
                self.add("layer.v1.tar+gzip", gzip.finish()?)
            }
            Packing::Zstd => self.add("layer.v1.tar+zstd", zstd::encode_all(tree, 19)?),
        };
        Ok(Layer { descriptor, diff_id: format!("sha256:{}", digest(tree)) })
    }

    /// Adds an image; gives the digest of its manifest.
    pub(crate) fn add_image(&mut self, image: &Image<'_>, layers: &[&Layer]) -> Result<String> {
        let platform = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
        });
        let mut config = platform.clone();
        let fields = config.as_object_mut().context("a configuration is an object")?;
        fields.insert("config".to_owned(), image.config.clone());
        let ids: Vec<_> = layers.iter().map(|layer| &layer.diff_id).collect();
        fields.insert("rootfs".to_owned(), json!({"type": "layers", "diff_ids": ids}));
        if let Some(created) = image.created {
            fields.insert("created".to_owned(), created.into());
        }
        let config = self.add("config.v1+json", serde_json::to_vec(&config)?);
        let layers: Vec<_> = layers.iter().map(|layer| &layer.descriptor).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": layers,
        });
        let mut manifest = self.add("manifest.v1+json", serde_json::to_vec(&manifest)?);
        let digest = manifest.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned();
        let fields = manifest.as_object_mut().context("a descriptor is an object")?;
        fields.insert("platform".to_owned(), platform);
        let tag = image.reference.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let names = json!({"io.containerd.image.name": image.reference, "org.opencontainers.image.ref.name": tag});
        fields.insert("annotations".to_owned(), names);
        self.manifests.push(manifest);
        Ok(digest)
    }

    fn index(&self) -> Result<Vec<u8>> {
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": self.manifests});
        Ok(serde_json::to_vec(&index)?)
    }

    /// All files by their names.
    fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let fixed = [
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), self.index()?),
        ];
        let blobs = self.blobs.iter().map(|(digest, data)| (format!("blobs/sha256/{digest}"), data.clone()));
        Ok(fixed.into_iter().chain(blobs).collect())
    }

    /// One file, as `ctr images import`, `podman load` and `skopeo copy oci-archive:` take it.
    pub(crate) fn archive(&self) -> Result<Vec<u8>> {
        let mut tree = Tree::new();
        for (path, data) in self.files()? {
            tree.file(&path, 0o644, &data)?;
        }
        tree.finish()
    }

    /// A folder, as `umoci`, `buildah` and `syft oci-dir:` take it.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        for (path, data) in self.files()? {
            places::write(&folder.join(path), data)?;
        }
        Ok(())
    }
}

/// In hexadecimal digits.
pub(crate) fn digest(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blob_has_the_name_of_its_content() {
        let mut tree = Tree::new();
        tree.folder("etc").unwrap();
        tree.file("etc/a", 0o644, b"a").unwrap();
        tree.link("b", "etc/a").unwrap();
        let tree = tree.finish().unwrap();
        let written = || {
            let mut layout = Layout::default();
            let layer = layout.add_layer(&tree, Packing::Gzip).unwrap();
            for reference in ["r/a:1", "r/b:2"] {
                let image =
                    Image { reference, config: json!({"Cmd": [reference]}), created: Some("2026-01-01T00:00:00Z") };
                layout.add_image(&image, &[&layer]).unwrap();
            }
            layout
        };
        let layout = written();
        for (path, data) in layout.files().unwrap() {
            if let Some(name) = path.strip_prefix("blobs/sha256/") {
                assert_eq!(name, digest(&data));
            }
        }
        let index: Value = serde_json::from_slice(&layout.index().unwrap()).unwrap();
        assert_eq!(index["manifests"][1]["annotations"]["io.containerd.image.name"], "r/b:2");
        assert_eq!(index["manifests"][1]["annotations"]["org.opencontainers.image.ref.name"], "2");
        assert_eq!(layout.blobs.len(), 1 + 2 * 2, "one layer, two configurations, two manifests");
        assert_eq!(layout.archive().unwrap(), written().archive().unwrap(), "the same bytes each time");
    }
}
