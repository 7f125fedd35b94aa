//! Pages that people read when an alert fires.

use std::fmt::Write as _;

use crate::alert::Checked;
use crate::catalog::Inputs;
use crate::threshold::Thresholds;

const GENERATED: &str = "<!-- Made from alerts/ by `cargo xtask alerts`; changes here are lost. -->\n\n";

/// The page of an alert.
pub(crate) fn page(alert: &Checked, inputs: &Inputs, thresholds: &Thresholds) -> String {
    let source = &alert.source;
    let mut page = format!("{GENERATED}# {}\n\n", source.alert);
    let keep = if source.keep_firing_for > crate::Period::default() {
        format!(", and goes on for {} after it ended", source.keep_firing_for)
    } else {
        String::new()
    };
    let _ = writeln!(
        page,
        "Severity **{}**, area {}. Fires after {}{keep}. Board `{}`, panel `{}`.\n",
        source.severity, alert.area, source.r#for, source.dashboard.uid, source.dashboard.panel
    );
    if let Some(reads) = source.tests.firing.as_ref().and_then(|test| test.reads.as_ref()) {
        let _ = writeln!(page, "> {}\n>\n> {}\n", reads.summary.trim(), reads.description.trim().replace('\n', "\n> "));
    }
    let filled = |text: &str| {
        thresholds.filled(text.trim(), crate::Threshold::words).map_or_else(|_| text.to_owned(), |(text, _)| text)
    };
    let _ = writeln!(page, "## Meaning\n\n{}\n", filled(&source.runbook.meaning));
    let _ = writeln!(page, "## Impact\n\n{}\n", filled(&source.runbook.impact));
    page.push_str("## Diagnosis\n\n");
    for (number, (step, query)) in (1..).zip(source.runbook.diagnosis.iter().zip(&alert.steps)) {
        let _ = writeln!(page, "{number}. {}\n", filled(&step.ask).replace('\n', "\n   "));
        if let Some(query) = query {
            let _ = writeln!(page, "   ```promql\n{}\n   ```\n", crate::query::indented(query, 3));
        }
        if let Some(run) = &step.run {
            let _ = writeln!(page, "   ```sh\n{}\n   ```\n", crate::query::indented(run, 3));
        }
    }
    let _ = writeln!(page, "## Mitigation\n\n{}\n", filled(&source.runbook.mitigation));
    let _ = writeln!(page, "## The condition\n\n```promql\n{}\n```\n", alert.condition);
    if !alert.thresholds.is_empty() {
        page.push_str("| limit | is | why |\n|---|---|---|\n");
        for name in &alert.thresholds {
            if let Some(threshold) = thresholds.0.get(name) {
                let _ = writeln!(page, "| `{name}` | {} | {} |", threshold.words(), threshold.about.trim());
            }
        }
        page.push('\n');
    }
    if !source.inputs.is_empty() {
        page.push_str("It reads:\n\n");
        for name in &source.inputs {
            let Some(input) = inputs.inputs.get(name) else { continue };
            let flag = input.flag.as_ref().map(|flag| format!(", which takes `{flag}`")).unwrap_or_default();
            let _ = writeln!(page, "- {}{flag}", input.about.trim());
        }
        page.push('\n');
    }
    let fault = &source.fault;
    let _ = match &fault.unproven {
        None => writeln!(page, "How it is proven: {}", fault.about.trim()),
        Some(reason) => {
            writeln!(page, "How it would be proven: {} Unit tests only: {}", fault.about.trim(), reason.trim())
        }
    };
    page
}

/// The table of all pages.
pub(crate) fn index(alerts: &[Checked]) -> String {
    let mut page = format!("{GENERATED}# Runbooks\n\nOne page an alert: meaning, impact, diagnosis, mitigation.\n");
    let mut area = "";
    for alert in alerts {
        if alert.area != area {
            area = &alert.area;
            let _ = writeln!(page, "\n## {area}\n\n| alert | severity | fires when |\n|---|---|---|");
        }
        let source = &alert.source;
        let first =
            source.runbook.meaning.trim().split_inclusive(". ").next().unwrap_or_default().trim().replace('\n', " ");
        let _ = writeln!(page, "| [{0}]({0}.md) | {1} | {first} |", source.alert, source.severity);
    }
    page
}

/// The page of the alert that says that an input is missing.
pub(crate) fn of_inputs<'a>(name: &str, inputs: &Inputs, blind: impl Fn(&str) -> Vec<&'a str>) -> String {
    let mut page = format!(
        "{GENERATED}# {name}\n\nAn alert that reads what nobody serves is silent, and looks like one that has nothing to \
         say. This one fires when an input of the set is missing, once an input, with the alerts that are blind.\n"
    );
    for (name, input) in &inputs.inputs {
        let blind = blind(name);
        let _ = writeln!(page, "\n## {name}\n\n{}.", input.about.trim());
        let _ = writeln!(page, "\n{}\n\n```promql\n{}\n```", input.remedy.trim(), input.missing.trim());
        if !blind.is_empty() {
            let links: Vec<String> = blind.iter().map(|alert| format!("[{alert}]({alert}.md)")).collect();
            let _ = writeln!(page, "\nBlind without it: {}.", links.join(", "));
        }
    }
    page
}
