//! The reference page of a program's options, made from the struct that declares them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    cli::{Settings, plain},
    program::Program,
    schema::{self, Knob, Shape},
};

/// A Markdown page with every option of `T`: key, flag, environment variable, type, default and what it is for.
pub fn options_reference<T: Settings>(program: &Program) -> String {
    let (knobs, sections) = schema::knobs::<T>();
    let mut page = format!(
        "# Options of {name}\n\n{about}\n\nEach option can stand in the YAML file that `--config.file` names, and most can be \
         given as flags. A flag wins over the environment, the environment over the file, the file over the default. \
         Unknown keys are refused. `--config.check` checks the file and exits, `--config.print` shows what holds.\n",
        name = program.name,
        about = program.about,
    );
    for (section, about) in &sections {
        let own: Vec<&Knob> = knobs.iter().filter(|knob| parent(&knob.key) == section).collect();
        if own.is_empty() {
            continue;
        }
        let title = if section.is_empty() { "General" } else { section };
        let _ = write!(page, "\n## {title}\n");
        if !about.is_empty() && !section.is_empty() {
            let _ = write!(page, "\n{about}\n");
        }
        for knob in own {
            describe(&mut page, knob);
        }
    }
    page
}

/// The JSON schema of `T`, for editors and for Helm.
pub fn options_schema<T: Settings>() -> Value {
    schemars::schema_for!(T).to_value()
}

fn describe(page: &mut String, knob: &Knob) {
    let _ = write!(page, "\n### `{}`\n\n{}\n\n", knob.key, knob.about);
    let _ = writeln!(page, "- Type: {}", type_name(knob));
    let default = plain(&knob.default);
    let default = if default.is_empty() { "unset".to_owned() } else { format!("`{default}`") };
    let _ = writeln!(page, "- Default: {default}");
    match &knob.flag {
        Some(flag) if knob.shape == Shape::Switch => {
            let _ = writeln!(page, "- Flag: `--{flag}`, `--no-{flag}`");
        }
        Some(flag) => {
            let _ = writeln!(page, "- Flag: `--{flag}`");
        }
        None => {}
    }
    if knob.after_restart {
        let _ = writeln!(page, "- Takes effect: after a restart");
    }
    if let Some(allowed) = knob.allowed.in_words() {
        let _ = writeln!(page, "- Allowed: {allowed}");
    }
    if let Some(env) = &knob.env {
        let _ = writeln!(page, "- Environment: `{env}`");
    }
}

fn parent(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn type_name(knob: &Knob) -> String {
    match knob.format.as_deref() {
        Some("duration") => "duration, such as `15s` or `1h30m`".to_owned(),
        _ => shape_name(&knob.shape),
    }
}

fn shape_name(shape: &Shape) -> String {
    match shape {
        Shape::Switch => "true or false".to_owned(),
        Shape::Integer => "whole number".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
        Shape::List(item) => format!("list of: {}; the flag may be repeated", shape_name(item)),
        Shape::Structure => "structure, in the file only".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{logs::LogArgs, period::Period};

    static PROGRAM: Program =
        Program { name: "lab", prefix: "lab", about: "A program under test.", version: "1", revision: None };

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        /// What is logged here.
        log: LogArgs,
        /// Name of the node, when the platform
        /// does not say it.
        #[schemars(extend("x-env" = "NODE_NAME"))]
        node: Option<String>,
        /// How often.
        every: Option<Period>,
        /// Skipped devices.
        skip: Vec<String>,
        /// Labels by pod.
        labels: std::collections::BTreeMap<String, Vec<String>>,
        /// Only the file says this.
        #[schemars(extend("x-flag" = false))]
        secret: bool,
    }

    #[test]
    fn each_option_is_described_as_it_is_declared() {
        let page = options_reference::<Sample>(&PROGRAM);
        let parts = [
            "\n## General\n\n### `every`\n\nHow often.\n\n- Type: duration, such as `15s` or `1h30m`\n- Default: unset\n- Flag: `--every`\n",
            "### `labels`\n\nLabels by pod.\n\n- Type: structure, in the file only\n- Default: unset\n\n",
            "### `node`\n\nName of the node, when the platform does not say it.\n\n- Type: text\n- Default: unset\n- Flag: `--node`\n- \
             Environment: `NODE_NAME`\n",
            "### `secret`\n\nOnly the file says this.\n\n- Type: true or false\n- Default: `false`\n\n",
            "### `skip`\n\nSkipped devices.\n\n- Type: list of: text; the flag may be repeated\n",
            "## log\n\nWhat is logged here.\n\n### `log.format`\n",
            "- Type: `logfmt` or `json`\n- Default: `logfmt`\n- Flag: `--log.format`\n",
        ];
        for part in parts {
            assert!(page.contains(part), "{part}\nis not in\n{page}");
        }
    }
}
