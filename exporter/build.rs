//! Compiles every `src/probes/*/*.bpf.c` with clang into `$OUT_DIR/<name>.bpf.o`.
//!
//! Needed are clang (12 or later, with its BPF backend) and the headers of libbpf; `make setup` installs both.

#![expect(clippy::disallowed_methods, reason = "cargo tells a build script by the environment")]

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() {
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-changed=src/probes");
    println!("cargo:rerun-if-env-changed=CLANG");
    if let Err(error) = run() {
        println!("cargo:warning={error}");
        std::process::exit(1);
    }
}

fn run() -> Fallible<()> {
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let out = PathBuf::from(env::var("OUT_DIR")?);
    check_tools(&clang)?;
    for folder in fs::read_dir("src/probes")? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(&folder)? {
            let file = file?.path();
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("");
            if let Some(stem) = name.strip_suffix(".bpf.c") {
                compile(&clang, &folder, &file, &out.join(format!("{stem}.bpf.o")))?;
            }
        }
    }
    Ok(())
}

/// Says what to install before a compiler says something less clear.
fn check_tools(clang: &str) -> Fallible<()> {
    let targets = Command::new(clang).arg("--print-targets").output();
    match targets {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("bpf") => {}
        Ok(_) => {
            return Err(
                format!("{clang} has no BPF backend: install the package clang, or name another with CLANG=").into()
            );
        }
        Err(error) => {
            return Err(format!("cannot run {clang} ({error}): install the package clang, or run `make setup`").into());
        }
    }
    let probe = Command::new(clang)
        .args(["-target", "bpf", "-fsyntax-only", "-x", "c", "-include", "bpf/bpf_core_read.h", "/dev/null"])
        .output()?;
    if probe.status.success() {
        return Ok(());
    }
    Err("bpf/bpf_core_read.h is missing: install the package libbpf-dev (Fedora: libbpf-devel), or run `make setup`"
        .into())
}

fn compile(clang: &str, folder: &Path, source: &Path, object: &Path) -> Fallible<()> {
    let arch = match env::var("CARGO_CFG_TARGET_ARCH")?.as_str() {
        "x86_64" => "x86",
        "aarch64" => "arm64",
        other => return Err(format!("the probes have not been written for {other}").into()),
    };
    let output = Command::new(clang)
        .args(["-target", "bpf", "-mcpu=v3", "-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror"])
        .args(["-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Wno-sign-compare"])
        .arg(format!("-D__TARGET_ARCH_{arch}"))
        .args(["-I", "bpf/include", "-I"])
        .arg(folder)
        .arg("-c")
        .arg(source)
        .arg("-o")
        .arg(object)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}:\n{}", source.display(), String::from_utf8_lossy(&output.stderr)).into())
}
