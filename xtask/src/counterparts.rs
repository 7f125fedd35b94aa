//! Programs that proofs compare with: name servers, filters, load generators. From Debian's packages, unpacked into the
//! cache with the libraries that the machine lacks, and not installed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    debian::{self, Suite},
    places,
};

/// A program that a proof needs, and the variable by which the proof is told where it is.
struct Counterpart {
    proof: &'static str,
    variable: &'static str,
    package: &'static str,
    version: &'static str,
    path: &'static str,
}

impl Counterpart {
    const fn new(proof: &'static str, variable: &'static str, [package, version, path]: [&'static str; 3]) -> Self {
        Self { proof, variable, package, version, path }
    }
}

const ALL: &[Counterpart] = &[
    Counterpart::new("dns", "UNBOUND", ["unbound", "1.17.1-2+deb12u4", "usr/sbin/unbound"]),
    Counterpart::new("drops", "NFT", ["nftables", "1.0.6-2+deb12u2", "usr/sbin/nft"]),
    Counterpart::new("overhead", "IPERF3", ["iperf3", "3.12-1+deb12u2", "usr/bin/iperf3"]),
    Counterpart::new("overhead", "WRK", ["wrk", "4.1.0-3+b2", "usr/bin/wrk"]),
];

/// Tells a proof where the programs are that it needs, unless the caller has told it already.
pub(crate) fn provide(proof: &str, command: &mut Command) -> Result<()> {
    let mut libraries = Vec::new();
    for needed in ALL.iter().filter(|needed| needed.proof == proof && places::variable(needed.variable).is_none()) {
        if !debian::is_here() {
            println!("not a Debian machine: {} is used if it is installed", needed.package);
            continue;
        }
        let unpacked = Suite::open("bookworm").and_then(|suite| suite.unpacked_whole(needed.package, needed.version));
        let unpacked = unpacked.with_context(|| format!("cannot fetch {}", needed.package))?;
        command.env(needed.variable, unpacked.join(needed.path));
        libraries.extend(libraries_in(&unpacked));
    }
    if !libraries.is_empty() {
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries)?);
    }
    Ok(())
}

/// Where a machine of this kind keeps its libraries.
fn libraries_in(unpacked: &Path) -> Vec<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let folders = [format!("usr/lib/{triplet}"), format!("lib/{triplet}")];
    folders.map(|folder| unpacked.join(folder)).into_iter().filter(|folder| folder.is_dir()).collect()
}
