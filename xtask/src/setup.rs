//! `cargo xtask setup`: the Debian packages that building and testing need. Recipes that build install for themselves what
//! building needs, so that a fresh machine needs no word of this one.

use anyhow::Result;

use crate::args::Args;
use crate::debian::{self, Package};
use crate::process;

/// Without these the project does not build.
const BUILD: &[Package] = &[
    Package::new("clang", "1:14.0-55.7~deb12u1"),
    Package::new("gcc", "4:12.2.0-3"),
    Package::new("libbpf-dev", "1:1.1.2-0+deb12u1"),
    Package::new("llvm", "1:14.0-55.7~deb12u1"),
    Package::new("make", "4.3-4.1"),
];

/// Without these, live checks are skipped.
const TEST: &[Package] = &[
    Package::new("clang-format", "1:14.0-55.7~deb12u1"),
    Package::new("busybox-static", "1:1.35.0-4+deb12u1+b1"),
    Package::new("containerd", "1.6.20~ds1-1+deb12u3"),
    Package::new("containernetworking-plugins", "1.1.1+ds1-3+b5"),
    Package::new("cpio", "2.13+dfsg-7.1"),
    Package::new("curl", "7.88.1-10+deb12u15"),
    Package::new("e2fsprogs", "1.47.0-2+b2"),
    Package::new("iproute2", "6.1.0-3"),
    Package::new("iptables", "1.8.9-2"),
    Package::new("kmod", "30+20221128-1"),
    Package::new("openssl", "3.0.22-1~deb12u2"),
    Package::new("qemu-system-x86", "1:7.2+dfsg-7+deb12u18+b3"),
    Package::new("runc", "1.1.5+ds1-1+deb12u1"),
    Package::new("xz-utils", "5.4.1-1"),
];

/// `cargo xtask setup`: installs what is missing; says what it cannot.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    args.finish()?;
    if provide(&[BUILD, TEST].concat())? == Provided::Present {
        println!("all packages are installed");
    }
    Ok(())
}

/// Installs what building needs, before the compiler has worked for minutes to find that it is missing.
pub(crate) fn for_building() -> Result<()> {
    provide(BUILD).map(drop)
}

/// How it stands with packages that were asked for.
#[derive(Debug, PartialEq)]
enum Provided {
    /// All had been there.
    Present,
    /// Some had not: they were installed, or it was said how to.
    Absent,
}

fn provide(packages: &[Package]) -> Result<Provided> {
    if !debian::is_here() {
        println!("not a Debian machine: install by hand {}", names(packages));
        return Ok(Provided::Absent);
    }
    let absent = debian::absent(packages);
    if absent.is_empty() {
        return Ok(Provided::Present);
    }
    if !process::is_root() {
        println!("not root: cannot install {0}\n  sudo apt-get install {0}", names(&absent));
        println!("without them the build fails or some live checks are skipped, each with its reason");
        return Ok(Provided::Absent);
    }
    println!("installing {}", names(&absent));
    debian::install(&absent)?;
    Ok(Provided::Absent)
}

fn names(packages: &[Package]) -> String {
    packages.iter().map(|package| package.name).collect::<Vec<_>>().join(" ")
}
