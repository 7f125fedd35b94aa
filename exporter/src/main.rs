#![forbid(unsafe_code)]
//! The node agent's program. See the library for what it does.

use std::process::ExitCode;

use yagura_exporter::{app, cli, program::PROGRAM};

fn main() -> ExitCode {
    let loaded = cli::parse();
    let started = daemon::logs::start(&loaded.config.log).map_err(Into::into);
    PROGRAM.ended(started.and_then(|()| app::serve(&loaded)))
}
