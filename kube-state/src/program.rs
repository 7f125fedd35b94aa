//! Name and version of this program.

use daemon::Program;

/// The program, as logs, pages and metrics name it.
pub static PROGRAM: Program = Program {
    name: "yagura-kube-state",
    prefix: "yagura_kube_state",
    about: "Shows the state of a cluster's objects as metrics.",
    version: env!("CARGO_PKG_VERSION"),
    revision: option_env!("YAGURA_REVISION"),
};
