//! What pods cost: `cargo bench -p yagura-kube-state -- [PODS]…`, 10,000 and 50,000 by default.
//!
//! First the parts in this process: time and allocations of an update, time of a page, memory of the store. Then the
//! program itself before the loopback API server: memory while it lists and after, time until it is full, scrapes, CPU of
//! updates. When `KSM` names a kube-state-metrics, it is measured in the same way before the same server, and the two
//! pages are compared line by line. With `--kubeconfig FILE` the server is the one that the file names, and there are no
//! updates.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are what this program is for")]

mod parts;
mod pod;
mod program;

use std::{alloc::System, path::PathBuf};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench").peekable();
    let kubeconfig = words.next_if_eq("--kubeconfig").and_then(|_| words.next()).map(PathBuf::from);
    let sizes: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 50_000] } else { sizes };
    let outcome = match kubeconfig {
        Some(file) => program::before_a_real_server(&file),
        None => sizes.iter().try_for_each(|pods| {
            println!("== {pods} pods");
            parts::measure(*pods);
            program::before_the_loopback_server(*pods)
        }),
    };
    if let Err(error) = outcome {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
}
