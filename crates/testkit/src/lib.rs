#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "a test's tasks end with its runtime, and its options are variables")]
//! Shared parts of tests and benchmarks: real cgroups with processes in them, child processes that end with their test,
//! waiting for a condition, a Kubernetes API server on the loopback device, and saying that a check was skipped.

mod api_server;
mod cgroups;
mod child;
mod given;
mod wait;

pub use api_server::{ApiServer, Behaviour};
pub use cgroups::{Cgroup, Limits, container_id, pod_path, pod_uid};
pub use child::Child;
pub use given::given;
pub use wait::{patience, wait_for};

/// Says that a check did not run, in the one form that the recipes count.
#[expect(clippy::print_stdout, reason = "the test runner's output is where skips are counted")]
pub fn skipped(reason: &str) {
    println!("skipped: {reason}");
}

/// Whether this process may make cgroups and load programs.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}
