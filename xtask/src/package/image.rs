//! `cargo xtask image`: the images of the agent and of kube-state, as an OCI layout and as one archive.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::programs::{self, Program, VERSION};
use super::start;
use crate::args::{Args, Takes};
use crate::oci::{Image, Layer, Layout, Packing, Tree};
use crate::{places, process};

/// The command line.
pub(crate) const TAKES: Takes = Takes::Options(&[("--out", "DIR"), ("--registry", "NAME")], "");

/// Nobody and no group, as Kubernetes' own images have it.
const USER: &str = "65534:65534";

/// `cargo xtask image [--out DIR] [--registry NAME]`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let out = args.option("--out")?.map_or_else(|| places::target().join("package/image"), PathBuf::from);
    let registry = args.option("--registry")?.unwrap_or_else(|| "localhost".to_owned());
    args.finish()?;
    let bin = programs::build()?;
    let created = programs::stamp()?;
    let mut layout = Layout::default();
    let libraries = libraries(&bin)?;
    let base = layout.add_layer(&libraries, Packing::Zstd)?;
    let mut said = Vec::new();
    for program in &programs::ALL {
        let data = read(&bin.join(program.name))?;
        let mut tree = Tree::new();
        tree.file(&format!("usr/bin/{}", program.name), 0o755, &data)?;
        let tree = tree.finish()?;
        let own = layout.add_layer(&tree, Packing::Zstd)?;
        let reference = format!("{registry}/{}:{VERSION}", program.name);
        let image = Image { reference: &reference, config: config(program), created: Some(&created) };
        let digest = layout.add_image(&image, &[&base, &own])?;
        check_size(program, &[&base, &own])?;
        said.push(format!(
            "{reference}  {digest}  {:.1} MB compressed, {:.1} MB of them the program",
            megabytes(base.bytes() + own.bytes()),
            megabytes(own.bytes())
        ));
        starts(program, &libraries, &tree)?;
    }
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    layout.write(&out.join("oci"))?;
    places::write(&out.join("images.tar"), layout.archive()?)?;
    for line in said {
        println!("{line}");
    }
    println!("OCI layout: {}; archive: {}", out.join("oci").display(), out.join("images.tar").display());
    Ok(())
}

/// The layer that both images share: the C library and its loader, and who nobody is. Nothing else is in them.
fn libraries(bin: &std::path::Path) -> Result<Vec<u8>> {
    let mut paths = Vec::new();
    for program in &programs::ALL {
        paths.extend(programs::libraries(&bin.join(program.name))?);
    }
    paths.sort();
    paths.dedup();
    let mut tree = Tree::new();
    tree.file("etc/passwd", 0o644, b"root:x:0:0:root:/:/nologin\nnobody:x:65534:65534:nobody:/:/nologin\n")?;
    tree.file("etc/group", 0o644, b"root:x:0:\nnogroup:x:65534:\n")?;
    tree.file("etc/nsswitch.conf", 0o644, b"hosts: files dns\n")?;
    for path in paths {
        let data = read(std::path::Path::new(&path))?;
        tree.file(path.trim_start_matches('/'), 0o755, &data)?;
    }
    tree.finish()
}

fn config(program: &Program) -> serde_json::Value {
    json!({
        "User": USER,
        "Entrypoint": [format!("/usr/bin/{}", program.name)],
        "Env": ["PATH=/usr/bin"],
        "WorkingDir": "/",
        "ExposedPorts": {format!("{}/tcp", program.port): {}},
        "Labels": {
            "org.opencontainers.image.title": program.name,
            "org.opencontainers.image.description": program.about,
            "org.opencontainers.image.version": VERSION,
            "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
        },
    })
}

fn check_size(program: &Program, layers: &[&Layer]) -> Result<()> {
    let bytes: u64 = layers.iter().map(|layer| layer.bytes()).sum();
    if bytes > program.image_bytes {
        bail!("the image of {} takes {bytes} bytes, more than {}", program.name, program.image_bytes);
    }
    Ok(())
}

/// Has each runtime that is here start the program from what is in the image alone.
fn starts(program: &Program, base: &[u8], own: &[u8]) -> Result<()> {
    if !process::is_root() {
        println!("skipped: {} under a container runtime: that takes root", program.name);
        return Ok(());
    }
    for name in start::RUNTIMES {
        let Some(runtime) = process::find(name) else {
            println!("skipped: {} under {name}: it is not installed", program.name);
            continue;
        };
        let printed = start::start(&runtime, &[base, own], &[&format!("/usr/bin/{}", program.name), "--version"])?;
        if !printed.contains(VERSION) {
            bail!("{} under {name} printed {printed:?}, and should say its version {VERSION}", program.name);
        }
        println!("{} starts under {name}: {}", program.name, printed.trim());
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
