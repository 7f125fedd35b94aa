//! Other kernels: the agent's tests and a kubelet on those that a node may have, emulated.

mod initrd;
mod jobs;
mod kernel;

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use self::kernel::{KERNELS, Kernel};
use crate::args::{Args, Takes, usage};
pub(crate) use jobs::{check, parity, parts};

pub(crate) const TAKES: Takes = Takes::Options(&[("--script", "FILE")], "5.10 | 6.1 | 6.12 | sid");

/// `cargo xtask test-vm [KERNEL] [--script FILE]`: without a kernel, the tests on each and the kubelet's parity.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let script = args.option("--script")?;
    let name = args.positional();
    args.finish()?;
    let named = |kernel: &&Kernel| name.as_deref().is_none_or(|name| name.is_empty() || name == kernel.name);
    let kernels: Vec<&Kernel> = KERNELS.iter().filter(named).collect();
    if kernels.is_empty() {
        return Err(usage(format!(
            "test-vm: no kernel {:?}; there are 5.10, 6.1, 6.12 and sid",
            name.unwrap_or_default()
        )));
    }
    match script {
        Some(file) => run_script(&kernels, &file),
        None if kernels.len() == KERNELS.len() => jobs::test(&parts()),
        None => jobs::test(&kernels.iter().map(|kernel| kernel.part()).collect::<Vec<_>>()),
    }
}

fn run_script(kernels: &[&Kernel], file: &str) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    for kernel in kernels {
        let outcome = kernel.boot(2, &text, Duration::from_mins(15))?;
        print!("{}", outcome.output);
        if outcome.status != 0 {
            bail!("on {}, the script ended with {}", kernel.name, outcome.status);
        }
    }
    Ok(())
}
