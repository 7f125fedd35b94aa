//! Programs that are built with Go, once per version, and kept in the cache: peers that the agent is measured beside,
//! and the Kubernetes that it is tested in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::skip::Skip;
use crate::{places, process};

/// What Go says when it cannot reach a module, or may not build it.
const UNREACHABLE: &[&str] = &[
    "dial tcp",
    "no such host",
    "i/o timeout",
    "connection refused",
    "proxyconnect",
    "module lookup disabled",
    "requires go ",
];

/// A program whose `main.go` and `go.mod` are in this repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// Its folder in the repository.
    pub(crate) folder: &'static str,
    /// What the built file's name begins with.
    pub(crate) name: &'static str,
}

/// A program that is a published module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Module {
    /// What it is called.
    pub(crate) name: &'static str,
    /// The path of the module.
    pub(crate) path: &'static str,
    /// The path of the program: the module's, or a folder's in it.
    pub(crate) package: &'static str,
    /// The version, with its `v`.
    pub(crate) version: &'static str,
}

impl Source {
    /// The folder's path.
    pub(crate) fn dir(&self) -> PathBuf {
        places::repo().join(self.folder)
    }

    /// The built program's path: its name tells the source that it was made of.
    pub(crate) fn cached(&self) -> Result<PathBuf> {
        let mut hash = Sha256::new();
        for file in ["main.go", "go.mod", "go.sum"] {
            let path = self.dir().join(file);
            hash.update(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
        let name = format!("{}-{}", self.name, hex(&hash.finalize()).get(..16).unwrap_or_default());
        Ok(places::cache("bin")?.join(name))
    }

    /// The program; built when the cache does not have the one of this source.
    pub(crate) fn binary(&self, linker_flags: &str) -> Result<PathBuf> {
        let binary = self.cached()?;
        if binary.exists() {
            return Ok(binary);
        }
        let mut command = go()?;
        command.current_dir(self.dir()).args(["build", "-trimpath", "-buildvcs=false", "-mod=readonly"]);
        build(self.name, command.arg(format!("-ldflags={linker_flags}")), ".", &binary)
    }

    /// The version of a module that the source requires.
    pub(crate) fn version_of(&self, module: &str) -> Result<String> {
        let path = self.dir().join("go.mod");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut lines = text.lines().map(|line| line.trim().trim_start_matches("require "));
        let version = lines.find_map(|line| line.strip_prefix(module)?.strip_prefix(' '));
        let version = version.and_then(|rest| rest.split_whitespace().next());
        Ok(version.with_context(|| format!("{} does not name {module}", path.display()))?.to_owned())
    }
}

impl Module {
    /// The program; built when the cache does not have it. A module that requires it is built in place of `go install`,
    /// which also asks for the list of versions.
    pub(crate) fn binary(&self) -> Result<PathBuf> {
        let Self { name, path, package, version } = self;
        let (folder, binary) = (self.folder()?, self.cached()?);
        if binary.is_file() {
            return Ok(binary);
        }
        places::write(&folder.join("go.mod"), format!("module peer\n\ngo 1.26\n\nrequire {path} {version}\n"))?;
        let mut command = go()?;
        build(name, command.current_dir(&folder).args(["build", "-mod=mod", "-trimpath"]), package, &binary)
    }

    /// Where it is, once it is built.
    pub(crate) fn cached(&self) -> Result<PathBuf> {
        Ok(self.folder()?.join(self.name))
    }

    fn folder(&self) -> Result<PathBuf> {
        Ok(places::cache("bin")?.join(format!("{}-{}", self.name, self.version)))
    }
}

/// Go, or a skip that says that it is not there.
fn go() -> Result<Command> {
    match process::find("go") {
        Some(go) => Ok(Command::new(go)),
        None => Err(Skip("go is not installed".to_owned()).into()),
    }
}

/// Builds beside the file and moves it there, so that a build that was cut short leaves nothing that looks whole.
fn build(name: &str, command: &mut Command, package: &str, binary: &Path) -> Result<PathBuf> {
    let partial = binary.with_extension("partial");
    run(name, command.env("CGO_ENABLED", "0").arg("-o").args([partial.as_os_str(), package.as_ref()]))?;
    fs::rename(&partial, binary).with_context(|| format!("cannot write {}", binary.display()))?;
    Ok(binary.to_owned())
}

fn run(name: &str, command: &mut Command) -> Result<()> {
    eprintln!("building {name} with Go: some minutes the first time");
    let output = command.output().context("cannot start go")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    match said.lines().find(|line| UNREACHABLE.iter().any(|sign| line.contains(sign))) {
        Some(line) => Err(Skip(format!("{name} cannot be built: {line}")).into()),
        None => bail!("cannot build {name}: {said}"),
    }
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|n| char::from_digit(u32::from(n), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_module_file() {
        let cluster = Source { folder: "e2e/cluster", name: "kube" };
        assert!(cluster.version_of("k8s.io/kubernetes").unwrap().starts_with("v1."));
        assert!(cluster.version_of("example.org/none").is_err());
        let alone = Source { folder: "e2e/cadvisor", name: "cadvisor" };
        let module = "github.com/google/cadvisor";
        assert_eq!(alone.version_of(module).unwrap(), cluster.version_of(module).unwrap(), "a kubelet's cAdvisor");
    }

    #[test]
    fn digits_are_lower_case() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
    }
}
