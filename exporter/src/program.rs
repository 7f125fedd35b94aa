//! Name and version of this program.

use daemon::Program;

/// The program, as logs, pages and metrics name it.
pub static PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    prefix: "yagura",
    about: "Shows what every container on this machine does, as Prometheus metrics.",
    version: env!("CARGO_PKG_VERSION"),
    revision: option_env!("YAGURA_REVISION"),
};
