//! Debian's packages: installed by `setup`, or fetched and unpacked into the cache without root.
//!
//! Versions are pinned so that a test means the same tomorrow. A pin that the archive no longer has falls back to the
//! version that it has now, and says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{places, process};

/// A package at the version that the tests were written against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Package {
    pub(crate) const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version }
    }
}

/// Whether this machine has Debian's package tools.
pub(crate) fn is_here() -> bool {
    ["apt-get", "apt-cache", "dpkg-deb", "dpkg-query"].iter().all(|tool| process::find(tool).is_some())
}

/// The packages of the list that are not installed.
pub(crate) fn absent(packages: &[Package]) -> Vec<Package> {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f=${Package} ${db:Status-Abbrev}\n"]).args(packages.iter().map(|p| p.name));
    // Its status is 1 when one of them is unknown; the others are printed all the same.
    let out = query.output().map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let installed: Vec<&str> = out.lines().filter_map(|line| line.trim_end().strip_suffix(" ii")).collect();
    packages.iter().copied().filter(|package| !installed.contains(&package.name)).collect()
}

fn is_installed(package: &str) -> bool {
    let status = Command::new("dpkg-query").args(["-W", "-f=${db:Status-Abbrev}", package]).output();
    status.is_ok_and(|out| out.stdout.starts_with(b"ii"))
}

/// Installs packages for the whole machine; needs root.
pub(crate) fn install(packages: &[Package]) -> Result<()> {
    let apt = |words: &[String]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        process::run(command.args(["-qq", "-o=Dpkg::Use-Pty=0", "-o=DPkg::Lock::Timeout=600"]).args(words))
    };
    apt(&["update".to_owned()])?;
    let policy = process::output(Command::new("apt-cache").arg("madison").args(packages.iter().map(|p| p.name)))?;
    let mut words: Vec<String> = ["install", "-y", "--no-install-recommends"].map(str::to_owned).to_vec();
    for package in packages {
        words.push(choose(package, &policy));
    }
    apt(&words)
}

/// `name=pin` when the archive has the pin, else `name`.
fn choose(package: &Package, madison: &str) -> String {
    let versions = madison.lines().filter_map(|line| {
        let mut fields = line.split('|').map(str::trim);
        (fields.next()? == package.name).then(|| fields.next()).flatten()
    });
    let versions: Vec<&str> = versions.collect();
    if versions.contains(&package.version) {
        return format!("{}={}", package.name, package.version);
    }
    let now = versions.first().unwrap_or(&"nothing");
    eprintln!("note: {} {} is no longer in the archive, which has {now}", package.name, package.version);
    package.name.to_owned()
}

/// One suite of Debian's archive, with package lists of its own in the cache: nothing of the system's is touched.
#[derive(Debug)]
pub(crate) struct Suite {
    name: &'static str,
    dir: PathBuf,
}

impl Suite {
    /// Opens the suite at the mirror that this machine uses.
    pub(crate) fn open(name: &'static str) -> Result<Self> {
        if !is_here() {
            bail!("Debian's package tools are not installed");
        }
        let dir = places::cache(&format!("apt/{name}"))?;
        for sub in ["lists/partial", "cache/archives/partial", "debs"] {
            fs::create_dir_all(dir.join(sub)).with_context(|| format!("cannot make {}/{sub}", dir.display()))?;
        }
        let suite = Self { name, dir };
        places::write(&suite.dir.join("sources.list"), suite.sources()?)?;
        Ok(suite)
    }

    fn sources(&self) -> Result<String> {
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
        if !Path::new(keyring).exists() {
            bail!("{keyring} is missing: install debian-archive-keyring");
        }
        let (archive, security) = mirrors()?;
        let name = self.name;
        let main = format!("deb [signed-by={keyring}] {archive} {name} main\n");
        if name == "sid" {
            return Ok(main);
        }
        Ok(format!("{main}deb [signed-by={keyring}] {security} {name}-security main\n"))
    }

    fn command(&self, program: &str) -> Command {
        let dir = self.dir.display();
        let user = places::variable("USER").unwrap_or_else(|| "root".into());
        let mut command = Command::new(program);
        command.current_dir(self.dir.join("debs"));
        for option in [
            format!("Dir::Etc::SourceList={dir}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={dir}/lists"),
            format!("Dir::Cache={dir}/cache"),
            format!("APT::Sandbox::User={}", user.display()),
            "Acquire::Languages=none".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }

    fn update(&self) -> Result<()> {
        process::output(self.command("apt-get").args(["-qq", "update"])).map(drop)
    }

    /// The version of a package that the suite has now.
    pub(crate) fn version(&self, package: &str) -> Result<String> {
        let show = || process::output(self.command("apt-cache").args(["show", "--no-all-versions", package]));
        let text = match show() {
            Ok(text) if !text.is_empty() => text,
            _ => {
                self.update()?;
                show()?
            }
        };
        let version = text.lines().find_map(|line| line.strip_prefix("Version: "));
        Ok(version.with_context(|| format!("{} has no package {package}", self.name))?.to_owned())
    }

    /// What a package depends on, by name.
    pub(crate) fn depends(&self, package: &str) -> Result<Vec<String>> {
        self.version(package)?;
        let text = process::output(self.command("apt-cache").args(["depends", package]))?;
        Ok(text.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned).collect())
    }

    /// The package unpacked in the cache: the pinned version, else the suite's.
    pub(crate) fn unpacked(&self, name: &str, pin: &str) -> Result<PathBuf> {
        self.unpacked_with(name, pin, |_| false)
    }

    /// The package and, in the same directory, those that it depends on at its own version and that are wanted.
    pub(crate) fn unpacked_with(&self, name: &str, pin: &str, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
        let place = |version: &str| places::cache("unpacked").map(|dir| dir.join(format!("{name}_{version}")));
        let pinned = place(pin)?;
        if pinned.is_dir() {
            return Ok(pinned);
        }
        let all = || -> Result<Vec<String>> {
            let parts = self.depends(name)?.into_iter().filter(|part| wanted(part));
            Ok([name.to_owned()].into_iter().chain(parts).collect())
        };
        if self.fetch(name, pin).is_ok() {
            return self.unpack(&all()?, pin, pinned);
        }
        self.update()?;
        let mut version = pin.to_owned();
        if self.fetch(name, pin).is_err() {
            version = self.version(name)?;
            eprintln!("note: {name} {pin} is no longer in {}, which has {version}", self.name);
            if place(&version)?.is_dir() {
                return place(&version);
            }
            self.fetch(name, &version)?;
        }
        let to = place(&version)?;
        self.unpack(&all()?, &version, to)
    }

    /// A program's package with whatever it needs that this machine does not have, unpacked in one directory.
    pub(crate) fn unpacked_whole(&self, name: &str, pin: &str) -> Result<PathBuf> {
        let to = places::cache("unpacked")?.join(format!("{name}_{pin}_whole"));
        if to.is_dir() {
            return Ok(to);
        }
        self.update()?;
        let flags = "--recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances";
        let listed = process::output(self.command("apt-cache").arg("depends").args(flags.split(' ')).arg(name))?;
        // Names of packages stand at the beginning of a line, those that stand for several in brackets.
        let is_package = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphanumeric());
        let mut parts: Vec<&str> = listed.lines().filter(is_package).collect();
        parts.retain(|part| *part == name || !is_installed(part));
        let partial = to.with_extension("partial");
        fs::remove_dir_all(&partial).ok();
        for part in parts {
            let mut version = if part == name { pin.to_owned() } else { self.version(part)? };
            if self.fetch(part, &version).is_err() {
                version = self.version(part)?;
                eprintln!("note: {part} {pin} is no longer in {}, which has {version}", self.name);
                self.fetch(part, &version)?;
            }
            let deb = self.deb(part, &version)?;
            process::output(Command::new("dpkg-deb").arg("-x").args([&deb, &partial]))?;
            fs::remove_file(&deb).ok();
        }
        fs::rename(&partial, &to).with_context(|| format!("cannot write {}", to.display()))?;
        Ok(to)
    }

    fn fetch(&self, name: &str, version: &str) -> Result<()> {
        process::output(self.command("apt-get").args(["-qq", "download", &format!("{name}={version}")])).map(drop)
    }

    /// Unpacks packages of one version into one directory, which is there only when all are in it.
    fn unpack(&self, names: &[String], version: &str, to: PathBuf) -> Result<PathBuf> {
        let partial = to.with_extension("partial");
        fs::remove_dir_all(&partial).ok();
        for name in names {
            let deb = self.deb(name, version).or_else(|_| {
                self.fetch(name, version)?;
                self.deb(name, version)
            })?;
            process::output(Command::new("dpkg-deb").arg("-x").args([&deb, &partial]))?;
            fs::remove_file(&deb).ok();
        }
        fs::rename(&partial, &to).with_context(|| format!("cannot write {}", to.display()))?;
        Ok(to)
    }

    /// The file of a package that was fetched.
    fn deb(&self, name: &str, version: &str) -> Result<PathBuf> {
        let debs = self.dir.join("debs");
        // A colon of an epoch is escaped in the file's name.
        let prefix = format!("{name}_{}_", version.replace(':', "%3a"));
        let deb = fs::read_dir(&debs)?.flatten().find(|e| e.file_name().to_string_lossy().starts_with(&prefix));
        Ok(deb.with_context(|| format!("no {prefix}*.deb in {}", debs.display()))?.path())
    }
}

/// The addresses of the main and the security archive that this machine's apt uses.
fn mirrors() -> Result<(String, String)> {
    let mut text = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    for entry in fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten() {
        text += &fs::read_to_string(entry.path()).unwrap_or_default();
        text.push('\n');
    }
    mirrors_of(&text).context("apt's sources name no archive of Debian")
}

fn mirrors_of(sources: &str) -> Option<(String, String)> {
    let address = |line: &str| line.split_whitespace().find(|word| word.contains("://")).map(str::to_owned);
    let lines =
        || sources.lines().filter(|line| line.starts_with("deb ") || line.starts_with("URIs:")).filter_map(address);
    let ends = |uri: &String, end: &str| uri.trim_end_matches('/').ends_with(end);
    let archive = lines().find(|uri| ends(uri, "/debian"))?;
    let beside = || format!("{}-security", archive.trim_end_matches('/'));
    let security = lines().find(|uri| ends(uri, "debian-security")).unwrap_or_else(beside);
    Some((archive, security))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_read_from_both_forms_of_sources() {
        let new = "Types: deb\n# old\nURIs: http://m/debian\nSuites: x\n\nURIs: http://m/debian-security\n";
        assert_eq!(mirrors_of(new), Some(("http://m/debian".to_owned(), "http://m/debian-security".to_owned())));
        let old = "deb [arch=amd64] https://m/debian/ x main\n";
        assert_eq!(mirrors_of(old), Some(("https://m/debian/".to_owned(), "https://m/debian-security".to_owned())));
        assert_eq!(mirrors_of("deb https://m/ubuntu x main\n"), None);
    }

    #[test]
    fn a_pin_that_is_gone_falls_back_to_the_name() {
        let madison = " clang | 1:14.0-55 | http://m bookworm/main\n runc | 1.2 | http://m x\n";
        assert_eq!(choose(&Package::new("clang", "1:14.0-55"), madison), "clang=1:14.0-55");
        assert_eq!(choose(&Package::new("runc", "1.1"), madison), "runc");
    }
}
