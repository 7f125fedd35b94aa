//! Links the programs of the cluster from their Go modules, once per version.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::{places, process};

/// The linked binary; built when the cache does not have the one of this source.
pub(crate) fn binary() -> Result<PathBuf> {
    let source = source();
    let binary = cached()?;
    if binary.exists() {
        return Ok(binary);
    }
    let Some(go) = process::find("go") else {
        bail!("go is not installed");
    };
    let version = version_of("k8s.io/kubernetes", &fs::read_to_string(source.join("go.mod"))?)?;
    eprintln!("building Kubernetes {version} from its Go modules: some minutes the first time");
    let partial = binary.with_extension("partial");
    process::run(
        Command::new(go)
            .current_dir(&source)
            .env("CGO_ENABLED", "0")
            .args(["build", "-trimpath", "-buildvcs=false", "-mod=readonly"])
            .arg(format!("-ldflags={}", linker_flags(&version)))
            .arg("-o")
            .args([partial.as_os_str(), ".".as_ref()]),
    )?;
    fs::rename(&partial, &binary).with_context(|| format!("cannot write {}", binary.display()))?;
    Ok(binary)
}

/// Whether [`binary`] has nothing to do.
pub(crate) fn is_cached() -> bool {
    cached().is_ok_and(|binary| binary.exists())
}

fn source() -> PathBuf {
    places::repo().join("e2e/cluster")
}

/// The binary's path: its name tells the source that it was made of.
fn cached() -> Result<PathBuf> {
    let mut hash = Sha256::new();
    for file in ["main.go", "go.mod", "go.sum"] {
        let path = source().join(file);
        hash.update(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    let name = format!("kube-{}", hex(&hash.finalize()).get(..16).unwrap_or_default());
    Ok(places::cache("bin")?.join(name))
}

/// The programs ask their own build for the version of the API that they speak.
fn linker_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let set = |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    format!("-s -w {} {} {}", set("gitVersion", version), set("gitMajor", major), set("gitMinor", minor))
}

fn version_of(module: &str, go_mod: &str) -> Result<String> {
    let line = go_mod.lines().find_map(|line| line.trim().strip_prefix(module)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("go.mod does not name {module}"))?.trim().to_owned())
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|n| char::from_digit(u32::from(n), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_from_the_module_file() {
        let go_mod = fs::read_to_string(places::repo().join("e2e/cluster/go.mod")).unwrap();
        let version = version_of("k8s.io/kubernetes", &go_mod).unwrap();
        assert!(version.starts_with("v1."), "{version}");
        assert!(linker_flags("v1.36.3").ends_with("gitMinor=36"));
        assert!(version_of("example.org/none", &go_mod).is_err());
    }

    #[test]
    fn digits_are_lower_case() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
    }
}
