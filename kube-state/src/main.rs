#![forbid(unsafe_code)]
//! The cluster-state exporter's program. See the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    yagura_kube_state::cli::run()
}
