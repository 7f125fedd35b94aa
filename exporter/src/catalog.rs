//! Every family that the agent can serve, as data and as a page.

use std::fmt::Write as _;

use daemon::Program;
use metric::{Catalog, FamilyEntry, NeedEntry, Section};

use crate::{own_metrics, slices, spec::Spec};

/// The declarations of all slices, and of the agent's own registry.
pub fn catalog(program: &Program) -> Catalog {
    Catalog {
        program: program.name.to_owned(),
        version: program.version.to_owned(),
        sections: slices::all().map(section).chain([own_metrics::section(program)]).collect(),
    }
}

fn section(spec: &Spec) -> Section {
    let families =
        spec.shows.iter().flat_map(|(view, families)| families.iter().map(|desc| FamilyEntry::new(desc, view.path())));
    Section {
        name: spec.name.to_owned(),
        about: spec.about.to_owned(),
        default_on: spec.default_on,
        needs: spec.needs.iter().map(NeedEntry::from).collect(),
        families: families.collect(),
    }
}

/// The reference page of all families, in Markdown.
pub fn reference(catalog: &Catalog) -> String {
    let mut page = format!(
        "# Metrics of {}\n\nMade from the declarations in the code by `make docs`. A family marked with a program's name \
         keeps the name, type and labels that this program gave it.\n",
        catalog.program
    );
    for section in &catalog.sections {
        let state = match (section.name.as_str(), section.default_on) {
            (own_metrics::SECTION, _) => "Always on.".to_owned(),
            (name, true) => format!("Switched by `--collector.{name}`; on by default."),
            (name, false) => format!("Switched by `--collector.{name}`; off by default."),
        };
        let _ = write!(page, "\n## {}\n\n{} {state}\n", section.name, section.about);
        if !section.needs.is_empty() {
            let needs: Vec<String> = section.needs.iter().map(ToString::to_string).collect();
            let _ = write!(page, "\nNeeds: {}.\n", needs.join(", "));
        }
        let mut endpoint = "";
        for family in &section.families {
            if family.endpoint != endpoint {
                endpoint = &family.endpoint;
                let _ = write!(page, "\n`{endpoint}`\n\n| family | type | labels | what |\n|---|---|---|---|\n");
            }
            let namer = family.named_by.as_ref().map_or_else(String::new, |namer| format!(" ({namer})"));
            let labels: Vec<String> = family.labels.iter().map(label_cell).collect();
            let _ = writeln!(
                page,
                "| `{}`{namer} | {} | {} | {} |",
                family.name,
                family.kind.name(),
                labels.join(", "),
                family.help.replace('|', "\\|")
            );
        }
    }
    page
}

fn label_cell(label: &metric::LabelEntry) -> String {
    match &label.values {
        Some(values) if values.len() <= 8 => format!("`{}` ({})", label.name, values.join(", ")),
        _ => format!("`{}`", label.name),
    }
}
