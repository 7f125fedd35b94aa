//! Every family of cAdvisor, from a list of them: is it served with the same type and labels?
//!
//! What this machine can show is read from a live page; what needs other hardware, another kernel or cgroup v2 is
//! looked up among the agent's declarations, and named as such.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::cgroups::{self, Cgroups};
use crate::agent::{self, Agent};
use crate::args::Args;
use crate::exposition::Page;
use crate::places;

const VIEW: &str = "/metrics/cadvisor";

/// One family as the list has it.
struct Family<'a> {
    entry: &'a Value,
    name: &'a str,
    kind: &'a str,
    labels: BTreeSet<&'a str>,
}

/// How a family is served.
enum Served {
    Live,
    Declared,
    Wrong(String),
    Not,
}

/// `cargo xtask parity cadvisor [FILE.json] [--agent URL]`
pub(super) fn run(args: &mut Args) -> Result<()> {
    let agent = Agent::from_args(args, &[])?;
    let file = args.positional().map_or_else(places::families_file, PathBuf::from);
    args.finish()?;
    check(&file, &agent)
}

/// Compares the agent with the list, on cgroups made for it.
pub(crate) fn check(file: &Path, agent: &Agent) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let list: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
    let families = families(&list).with_context(|| format!("{} is not a list of families", file.display()))?;
    let _cgroups = Cgroups::with_work(3)?;
    std::thread::sleep(Duration::from_secs(3)); // the quota has held the work back by then
    let page = Page::parse(&agent.page(VIEW)?)?;
    let catalog = agent::catalog()?;
    let (ours, others): (Vec<_>, Vec<_>) = families.iter().partition(|f| f.entry["kubelet_default"] == true);
    let wrong = print_kubelet(&ours, &page, &catalog);
    let page = with_optional(&catalog)?.map_or(Ok(page), |text| Page::parse(&text))?;
    print_others(&others, &page, &catalog);
    println!("\n{} of {} kubelet families served with identical type and labels", ours.len() - wrong, ours.len());
    if wrong > 0 {
        bail!("{wrong} families differ");
    }
    Ok(())
}

/// The page of an agent that has switched on all collectors of this view that are off by default.
fn with_optional(catalog: &Value) -> Result<Option<String>> {
    let sections = catalog["sections"].as_array().map(Vec::as_slice).unwrap_or_default();
    let optional = sections.iter().filter(|section| section["default_on"] == false && in_view(section));
    let flags: Vec<String> = optional.filter_map(|s| Some(format!("--collector.{}", s["name"].as_str()?))).collect();
    if flags.is_empty() {
        return Ok(None);
    }
    println!("\nwith {}:", flags.join(" "));
    let agent = Agent::start(&agent::binary()?, &flags)?;
    agent.page(VIEW).map(Some)
}

fn in_view(section: &Value) -> bool {
    section["families"].as_array().is_some_and(|families| families.iter().any(|family| family["endpoint"] == VIEW))
}

fn families(list: &Value) -> Option<Vec<Family<'_>>> {
    list["families"].as_array()?.iter().map(family).collect()
}

fn family(entry: &Value) -> Option<Family<'_>> {
    let words = |key: &str| entry.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let labels = words("base_labels_kubelet").chain(words("extra_labels")).collect();
    Some(Family { entry, name: entry["name"].as_str()?, kind: entry["type"].as_str()?, labels })
}

fn print_kubelet(families: &[&Family<'_>], page: &Page, catalog: &Value) -> usize {
    let mut wrong = 0;
    let mut live = 0;
    println!("served live and declared only:");
    for family in families {
        match served(family, page, catalog) {
            Served::Live => live += 1,
            Served::Declared => println!("  declared  {}: {}", family.name, absence(family)),
            Served::Wrong(how) => {
                wrong += 1;
                println!("  WRONG     {}: {how}", family.name);
            }
            Served::Not => {
                wrong += 1;
                println!("  MISSING   {}", family.name);
            }
        }
    }
    println!("  {live} of {} are on this machine's page", families.len());
    wrong
}

fn print_others(families: &[&Family<'_>], page: &Page, catalog: &Value) {
    println!("\nthe other {}, which no kubelet shows:", families.len());
    for family in families {
        match served(family, page, catalog) {
            Served::Live => println!("  served    {}", family.name),
            Served::Declared => println!("  declared  {}: {}", family.name, absence(family)),
            Served::Wrong(how) => println!("  differs   {}: {how}", family.name),
            Served::Not => println!("  left out  {}: {}", family.name, reason(family)),
        }
    }
}

fn served(family: &Family<'_>, page: &Page, catalog: &Value) -> Served {
    let mut rows = page.series(family.name).peekable();
    if rows.peek().is_some() {
        let kind = page.types.get(family.name).map_or("", String::as_str);
        if kind != family.kind {
            return Served::Wrong(format!("theirs is a {}, ours a {kind}", family.kind));
        }
        for (series, _) in rows {
            let labels: BTreeSet<&str> = series.label_names().into_iter().collect();
            if labels != family.labels {
                return Served::Wrong(format!("their labels are {:?}, ours {labels:?}", family.labels));
            }
        }
        return Served::Live;
    }
    let Some((kind, labels)) = declared(family.name, catalog) else { return Served::Not };
    if kind != family.kind {
        return Served::Wrong(format!("theirs is a {}, ours is declared as {kind}", family.kind));
    }
    if labels != family.labels {
        return Served::Wrong(format!("their labels are {:?}, ours are declared as {labels:?}", family.labels));
    }
    Served::Declared
}

/// Kind and labels of the declaration for the cAdvisor page.
fn declared<'a>(name: &str, catalog: &'a Value) -> Option<(&'a str, BTreeSet<&'a str>)> {
    let sections = catalog["sections"].as_array()?;
    let families = sections.iter().filter_map(|section| section["families"].as_array()).flatten();
    let entry = families.into_iter().find(|f| f["name"] == name && f["endpoint"] == VIEW)?;
    let labels = entry["labels"].as_array()?.iter().filter_map(|label| label["name"].as_str()).collect();
    Some((entry["kind"].as_str()?, labels))
}

/// Why this machine does not show it.
fn absence(family: &Family<'_>) -> String {
    let field = |key: &str| family.entry[key].as_str().unwrap_or_default();
    match (field("condition"), field("cgroup_v1"), field("cgroup_v2"), field("other_source")) {
        (_, "", v2, "") if !v2.is_empty() && cgroups::is_v1() => format!("needs cgroup v2 ({v2})"),
        ("", "", "", "") => "nothing of this machine has it".to_owned(),
        ("", "", "", other) => format!("this machine lacks {other}"),
        ("", v1, "", _) if !cgroups::is_v1() => format!("needs cgroup v1 ({v1})"),
        ("", v1, v2, _) => format!("this machine lacks {}", if cgroups::is_v1() { v1 } else { v2 }),
        (condition, ..) => condition.to_owned(),
    }
}

/// Why nobody serves it.
fn reason(family: &Family<'_>) -> &'static str {
    let kind = family.entry["kind"].as_str().unwrap_or_default();
    match kind {
        "perf_event" => "needs hardware performance counters, which cost every process; off in a kubelet",
        "hugetlb" => "needs huge pages and their controller",
        "memory" => "a setting of cgroup v1 that no current runtime makes",
        "memory_numa" => "eighteen series a container and NUMA node, which a kubelet never asks for",
        "resctrl" => "needs resctrl hardware and its file system mounted",
        "referenced_memory" => "needs every page table walked and its bits cleared, which slows the processes",
        _ => "no source without a cost that a default may not have",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_judged_by_type_and_labels() {
        let entry =
            serde_json::json!({"name": "a", "type": "gauge", "base_labels_kubelet": ["id"], "extra_labels": ["x"]});
        let a = family(&entry).unwrap();
        let of = |text: &str, catalog: Value| served(&a, &Page::parse(text).unwrap(), &catalog);
        let good = "# TYPE a gauge\na{id=\"/\",x=\"1\"} 1\n";
        assert!(matches!(of(good, Value::Null), Served::Live));
        assert!(matches!(of("# TYPE a counter\na{id=\"/\",x=\"1\"} 1\n", Value::Null), Served::Wrong(_)));
        assert!(matches!(of("# TYPE a gauge\na{id=\"/\"} 1\n", Value::Null), Served::Wrong(_)));
        assert!(matches!(of("", Value::Null), Served::Not));
        let entry = |endpoint: &str| {
            serde_json::json!({"sections": [{"families": [{"name": "a", "kind": "gauge", "endpoint": endpoint,
                "labels": [{"name": "id"}, {"name": "x"}]}]}]})
        };
        assert!(matches!(of("", entry("/metrics/cadvisor")), Served::Declared));
        assert!(matches!(of("", entry("/metrics")), Served::Not));
    }
}
