//! The command line: one flag per option, one per collector, and what prints instead of serving.

use std::ffi::OsString;

use daemon::{Cli, Loaded, Program};

use crate::{catalog, collectors, config::Config};

/// Who we are.
pub static PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    prefix: "yagura",
    about: "Shows what every container on this machine does, as Prometheus metrics.",
    version: env!("CARGO_PKG_VERSION"),
    revision: option_env!("YAGURA_REVISION"),
};

/// The configuration of this process. Ends the process when it is asked to print something, or when something is wrong.
pub fn parse() -> Loaded<Config> {
    let args: Vec<OsString> = std::env::args_os().map(collector_flag).collect();
    let print = |name: &'static str, help: &'static str| {
        clap::Arg::new(name).long(name).action(clap::ArgAction::SetTrue).help(help).help_heading("Configuration")
    };
    let loaded = Cli::<Config>::new(&PROGRAM)
        .arg(print("print-catalog", "Print every family that can be served, as JSON, and exit"))
        .arg(print("print-metrics-reference", "Print the reference page of all families and exit").hide(true))
        .arg(print("print-options-reference", "Print the reference page of all options and exit").hide(true))
        .after_help(after_help())
        .check(Config::check)
        .parse_args(args);
    let text = if loaded.matches.get_flag("print-catalog") {
        serde_json::to_string_pretty(&catalog::catalog()).unwrap_or_default() + "\n"
    } else if loaded.matches.get_flag("print-metrics-reference") {
        catalog::reference(&catalog::catalog())
    } else if loaded.matches.get_flag("print-options-reference") {
        daemon::options_reference::<Config>(&PROGRAM)
    } else {
        return loaded;
    };
    let written = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    std::process::exit(i32::from(written.is_err()));
}

/// `--collector.NAME` is `--collector.enable=NAME`, `--no-collector.NAME` is `--collector.disable=NAME`.
fn collector_flag(arg: OsString) -> OsString {
    let Some(text) = arg.to_str() else { return arg };
    for (prefix, option) in [("--collector.", "enable"), ("--no-collector.", "disable")] {
        if let Some(name) = text.strip_prefix(prefix)
            && collectors::ALL.iter().any(|spec| crate::config::is_called(spec, name))
        {
            return format!("--collector.{option}={name}").into();
        }
    }
    arg
}

fn after_help() -> String {
    let mut text = "Collectors (--collector.NAME switches one on, --no-collector.NAME off):\n".to_owned();
    for spec in collectors::ALL {
        let state = if spec.default_on { "on " } else { "off" };
        text.push_str(&format!("  {state} {:<24} {}\n", spec.name, spec.about));
    }
    text
}
