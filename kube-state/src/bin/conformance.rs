//! Compares our lines with lines recorded from kube-state-metrics: `conformance FILE.jsonl`. Exits with 1 when any
//! differs, with 2 when the file cannot be used.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is what this program is for")]

use std::process::ExitCode;

use anyhow::Context as _;
use yagura_kube_state::conformance::{self, Report};

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            println!("{report}");
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<Report> {
    let path = std::env::args().nth(1).context("usage: conformance FILE.jsonl")?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    conformance::compare(&text).with_context(|| path)
}
