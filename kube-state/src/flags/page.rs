//! The page of the documentation about flags.

use std::fmt::Write as _;

use super::{
    flag::{Flag, Group},
    table::{self, Flags},
};
use crate::program::PROGRAM;

/// The page, as Markdown.
pub fn page() -> String {
    let mut page = format!(
        "# Options of {}\n\nMade from the code by `make docs`. Flags have the names and meaning they have in \
         kube-state-metrics, unless they stand under \"Ours\". The YAML file that `--config` names may say the same under \
         the keys below, which are those that kube-state-metrics has for them; what it says goes before flags, and it is \
         read again when it changes. Unknown keys are refused. Of a flag that is given twice the last value holds, but \
         lists add up. `--config.check` checks flags and file and exits.\n",
        PROGRAM.name
    );
    for group in [Group::Upstream, Group::Ours, Group::Klog] {
        let heading = group.heading().unwrap_or("Options");
        let _ = write!(page, "\n## {heading}\n\n| flag | in the file | default | what |\n|---|---|---|---|\n");
        for flag in table::all().filter(|flag| flag.group == group && flag.is_shown()) {
            row(flag, &mut page);
        }
    }
    page
}

fn row(flag: &Flag<Flags>, page: &mut String) {
    let code = |text: &&str| format!("`{text}`");
    let keys: Vec<String> = flag.keys.iter().map(code).collect();
    let default = if flag.default.is_empty() { String::new() } else { code(&flag.default) };
    let about = flag.shown_about().replace('|', "\\|");
    let _ = writeln!(page, "| `--{}` | {} | {default} | {about} |", flag.name, keys.join(", "));
}
