//! Compares us with records of kube-state-metrics: `conformance ksm FILE.jsonl` our lines with recorded ones,
//! `conformance sharding FILE.json` the shards that we pick. Exits with 1 when any differs, with 2 when the file cannot be
//! used.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is what this program is for")]

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use yagura_kube_state::conformance::{self, sharding};

fn main() -> ExitCode {
    match run() {
        Ok((report, is_clean)) => {
            println!("{report}");
            if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<(String, bool)> {
    let usage = "usage: conformance ksm FILE.jsonl, or conformance sharding FILE.json";
    let mut words = std::env::args().skip(1);
    let (what, path) = words.next().zip(words.next()).context(usage)?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    match what.as_str() {
        "ksm" => {
            conformance::compare(&text).with_context(|| path).map(|report| (report.to_string(), report.is_clean()))
        }
        "sharding" => {
            sharding::compare(&text).with_context(|| path).map(|report| (report.to_string(), report.is_clean()))
        }
        _ => bail!(usage),
    }
}
