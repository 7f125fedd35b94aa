//! What a run found, as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use super::fault::{Outcome, Proof};
use super::lab::Clock;

/// The table of all faults.
pub(super) fn of(clock: Clock, outcomes: &[Outcome], beside: bool, took: Duration, load: &str) -> String {
    let proven = outcomes.iter().filter(|outcome| outcome.proof.is_ok()).count();
    let mut text = format!(
        "{proven} of {} alerts came for their fault and went with it. Times of all rules divided by {}; the run took {:.0} \
         min; at its end {load}.\n\n",
        outcomes.len(),
        clock.divisor,
        took.as_secs_f64() / 60.0
    );
    text.push_str("| alert | fault | to webhook, s | to resolved, s | owner |");
    text.push_str(if beside {
        " the other set, s after the fault |\n|---|---|--:|--:|---|---|\n"
    } else {
        "\n|---|---|--:|--:|---|\n"
    });
    for outcome in outcomes {
        let about = outcome.about.replace('|', "\\|");
        match &outcome.proof {
            Ok(proof) => {
                let owner = proof.owner.as_deref().unwrap_or("–");
                let _ = write!(
                    text,
                    "| {} | {about} | {:.0} | {:.0} | {owner} |",
                    outcome.alert,
                    proof.fired.as_secs_f64(),
                    proof.resolved.as_secs_f64()
                );
                let _ = if beside { writeln!(text, " {} |", others(proof)) } else { writeln!(text) };
            }
            Err(error) => {
                let why = format!("{error:#}").replace(['|', '\n'], " ");
                let why: String = why.chars().take(200).collect();
                let _ = writeln!(
                    text,
                    "| {} | {about} | not proven: {why} | | |{}",
                    outcome.alert,
                    if beside { " |" } else { "" }
                );
            }
        }
    }
    text
}

fn others(proof: &Proof) -> String {
    let words = proof.others.iter().map(|other| {
        format!("{} {:.0} (`{}`)", other.alert, other.after.as_secs_f64(), other.labels.replace('|', "\\|"))
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "none".to_owned() } else { words.join("<br>") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_every_column() {
        let good =
            Proof { fired: Duration::from_secs(9), resolved: Duration::from_secs(4), owner: None, others: vec![] };
        let outcome = |proof| Outcome { alert: "A".to_owned(), about: "a | b".to_owned(), proof };
        let outcomes = [outcome(Ok(good)), outcome(Err(anyhow::anyhow!("no | notice")))];
        for beside in [false, true] {
            let text = of(Clock { divisor: 30.0 }, &outcomes, beside, Duration::from_mins(2), "load 1");
            let columns = |line: &str| line.replace("\\|", "").matches('|').count();
            let rows: Vec<usize> = text.lines().filter(|line| line.starts_with('|')).map(columns).collect();
            assert_eq!(rows, [6 + usize::from(beside); 4], "{text}");
            assert!(text.starts_with("1 of 2 alerts"));
        }
    }
}
