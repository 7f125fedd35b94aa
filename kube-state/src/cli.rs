//! Flags that print something and exit, and the generated pages.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{ExitCode, exit},
};

use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, Parser as _};
use metric::Catalog;

use crate::{
    app::Setup,
    custom,
    flags::{self, Command, Flags},
    own_metrics,
    program::PROGRAM,
    rbac, serve,
};

/// The flags of this process, with a configuration that was checked. Ends the process when it is asked to print
/// something, and with status 2 and one line on stderr when something is wrong.
pub fn parse() -> Flags {
    let flags = Flags::try_parse().unwrap_or_else(|error| daemon::suggested(error, &Flags::command(), &[]).exit());
    let pages = |action: fn(&Path, &str) -> Result<()>, folder: &Path| {
        pages().iter().try_for_each(|(name, text)| action(&folder.join(name), text))
    };
    if let Some(folder) = &flags.write_docs {
        end(&pages(write, folder));
    }
    if let Some(folder) = &flags.check_docs {
        end(&pages(check, folder));
    }
    if flags.print_catalog {
        print(&(serde_json::to_string_pretty(&own_metrics::catalog(&PROGRAM)).unwrap_or_default() + "\n"));
    }
    match flags.command {
        Some(Command::Version) => print(&format!("{} {}\n", PROGRAM.name, PROGRAM.long_version())),
        Some(Command::Completion { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Flags::command(), PROGRAM.name, &mut script);
            print(&String::from_utf8_lossy(&script));
        }
        None => {}
    }
    let setup = Setup::load(&flags).unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{}: {}", PROGRAM.name, daemon::chain(&error));
        exit(2)
    });
    if flags.print_rbac {
        print(&rbac::cluster_role(&setup.flags, &setup.config, &setup.custom.config));
    }
    if flags.check_only {
        for warning in &setup.custom.config.warnings {
            let _ = writeln!(std::io::stderr(), "{}: {warning}", PROGRAM.name);
        }
        for warning in setup.warnings() {
            let _ = writeln!(std::io::stderr(), "{}: {warning}", PROGRAM.name);
        }
        print("the configuration is valid\n");
    }
    flags
}

fn print(text: &str) -> ! {
    let written = std::io::stdout().write_all(text.as_bytes());
    exit(i32::from(written.is_err()))
}

fn end(done: &Result<()>) -> ! {
    if let Err(error) = done {
        let _ = writeln!(std::io::stderr(), "{}: {}", PROGRAM.name, daemon::chain(&**error));
    }
    exit(i32::from(done.is_err()))
}

/// Starts logging and serves.
pub fn run() -> ExitCode {
    let flags = parse();
    let served = daemon::logs::start(&flags.log()).map_err(Into::into).and_then(|()| serve::serve(flags));
    PROGRAM.ended(served)
}

/// The pages of the documentation that are made from the code, by their path below the folder `docs`.
pub fn pages() -> Vec<(&'static str, String)> {
    let flags = Flags::parse_from(["yagura-kube-state"]);
    let role =
        flags.check().map(|config| rbac::cluster_role(&flags, &config, &custom::Config::default())).unwrap_or_default();
    vec![
        ("metrics/kube-state.md", metrics_page(&own_metrics::catalog(&PROGRAM))),
        ("config/kube-state.md", flags::page()),
        ("config/kube-state-rbac.yaml", role),
    ]
}

fn metrics_page(catalog: &Catalog) -> String {
    let mut page = format!(
        "# Metrics of {}\n\nMade from the declarations in the code by `make docs`. Families keep the names, types and labels \
         of kube-state-metrics, in the order of the output; those whose name begins with `yagura` are ours.\n",
        catalog.program
    );
    for section in &catalog.sections {
        let state = if section.default_on { "on by default" } else { "off by default" };
        let _ = write!(page, "\n## {}\n\n{}, {state}.\n", section.name, section.about.trim_end_matches('.'));
        if !section.needs.is_empty() {
            let needs: Vec<String> = section.needs.iter().map(ToString::to_string).collect();
            let _ = write!(page, "\nNeeds: {}.\n", needs.join(", "));
        }
        page.push_str("\n| family | type | labels | what |\n|---|---|---|---|\n");
        for family in &section.families {
            let labels: Vec<String> = family.labels.iter().map(|label| format!("`{}`", label.name)).collect();
            let (name, kind, help) = (&family.name, family.kind.name(), family.help.replace('|', "\\|"));
            let _ = writeln!(page, "| `{name}` | {kind} | {} | {help} |", labels.join(", "));
        }
    }
    page
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn check(path: &Path, text: &str) -> Result<()> {
    let there = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(there == text, "{} is not what the code says: run `make docs`", path.display());
    Ok(())
}
