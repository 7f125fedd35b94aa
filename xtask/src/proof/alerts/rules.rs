//! The rules of a run: those of the set, and those of another set beside them, with the same factor.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use mixin::rule::foreign;
use mixin::{Set, Source};

use crate::{alerts, places};

/// Groups of other sets over programs that this cluster does not have or does not let scrape; they would fire always.
const NOT_SCRAPED: &[&str] =
    &["kubernetes-system-scheduler", "kubernetes-system-controller-manager", "kubernetes-system-kube-proxy"];

/// Writes all rule files to a folder, which is emptied; gives the names of the other set's alerts.
pub(super) fn write(set: &Set, folder: &Path, factor: f64, others: Option<&Path>) -> Result<Vec<String>> {
    if folder.is_dir() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    for (name, text) in set.scaled(factor).map_err(anyhow::Error::msg)? {
        places::write(&folder.join(name), text)?;
    }
    let mut names = Vec::new();
    let Some(others) = others else { return Ok(names) };
    for path in alerts::files(others)? {
        if !path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file = Source::new(path.display().to_string(), text);
        let read = foreign(&file, factor, |group| NOT_SCRAPED.contains(&group)).map_err(anyhow::Error::msg);
        let read = read.with_context(|| path.display().to_string())?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        places::write(&folder.join(format!("others-{stem}.yaml")), read.text)?;
        names.extend(read.alerts);
    }
    ensure!(!names.is_empty(), "{} has no rule file with alerts", others.display());
    Ok(names)
}
