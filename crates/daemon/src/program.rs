//! A program's name and version, and its exit codes.

use std::{io::Write as _, process::ExitCode};

use crate::chain::chain;

/// The names that a program goes by. Make one `static` of it.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// As it is typed: `yagura-exporter`.
    pub name: &'static str,
    /// The prefix of its own metrics' names, without the last underscore: `yagura`.
    pub prefix: &'static str,
    /// One line for `--help` and the landing page.
    pub about: &'static str,
    /// `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// The commit it was built from, if known.
    pub revision: Option<&'static str>,
}

impl Program {
    /// The processor's architecture in the words of Go, which dashboards of Prometheus' programs know.
    pub const fn goarch() -> &'static str {
        if cfg!(target_arch = "x86_64") {
            "amd64"
        } else if cfg!(target_arch = "x86") {
            "386"
        } else if cfg!(target_arch = "aarch64") {
            "arm64"
        } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
            "ppc64le"
        } else if cfg!(target_arch = "powerpc64") {
            "ppc64"
        } else if cfg!(target_arch = "loongarch64") {
            "loong64"
        } else {
            // As in Go: arm, riscv64, s390x.
            std::env::consts::ARCH
        }
    }

    /// Version and commit, for people.
    pub fn long_version(&self) -> String {
        match self.revision {
            Some(revision) => format!("{} ({revision})", self.version),
            None => self.version.to_owned(),
        }
    }

    /// The result of `main`. An error is printed once, in one line with all its causes, whatever `RUST_BACKTRACE` asks for.
    pub fn ended(&self, served: anyhow::Result<()>) -> ExitCode {
        match served {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{}: {}", self.name, chain(&*error));
                ExitCode::FAILURE
            }
        }
    }
}
