//! Families of many files made one page: each family once, each series once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use expo::{ParsedFamily, ParsedKind, ParsedSample, line_names};

/// Families by name, and what is known of them.
#[derive(Debug, Default)]
pub(super) struct Merged {
    families: BTreeMap<String, Entry>,
    /// Names that lines may have, and the family that has them.
    lines: HashMap<String, String>,
}

#[derive(Debug)]
struct Entry {
    family: ParsedFamily,
    files: Vec<String>,
    series: BTreeSet<Series>,
}

/// Name and labels, sorted.
type Series = (String, Vec<(String, String)>);

fn series(sample: &ParsedSample) -> Series {
    let mut labels: Vec<_> = sample.labels.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
    labels.sort_unstable();
    (sample.name.clone(), labels)
}

impl Merged {
    /// Adds a family of a file. Says what is wrong when it does not go with what is there; the first stays.
    pub(super) fn add(&mut self, family: ParsedFamily, file: &str) -> Result<(), String> {
        let name = family.name.clone();
        let ParsedFamily { help, kind, samples, .. } = family;
        if !self.families.contains_key(&name) {
            let taken = line_names(&name, kind).find_map(|line| self.lines.get(&line));
            if let Some(other) = taken {
                let file = self.families.get(other).and_then(|entry| entry.files.first()).map_or("", String::as_str);
                return Err(format!("{name} has lines that are called as those of {other} in {file}"));
            }
            self.lines.extend(line_names(&name, kind).map(|line| (line, name.clone())));
        }
        let entry = self.families.entry(name.clone()).or_insert_with(|| Entry {
            family: ParsedFamily { name: name.clone(), help: help.clone(), kind, ..ParsedFamily::default() },
            files: Vec::new(),
            series: BTreeSet::new(),
        });
        let first = || entry.files.first().map_or("", String::as_str);
        if entry.family.kind != kind && !samples.is_empty() {
            return Err(format!("{name} is a {} here and a {} in {}", kind.name(), entry.family.kind.name(), first()));
        }
        if !help.is_empty() && !entry.family.help.is_empty() && help != entry.family.help {
            return Err(format!("{name} has another help text in {}", first()));
        }
        if entry.family.help.is_empty() {
            entry.family.help = help;
        }
        entry.files.push(file.to_owned());
        let mut twice = None;
        for sample in samples {
            if entry.series.insert(series(&sample)) {
                entry.family.samples.push(sample);
            } else {
                twice = Some(sample.name);
            }
        }
        twice.map_or(Ok(()), |name| Err(format!("{name} has a series that stands twice")))
    }

    /// The families, by name. One without help says where it is from.
    pub(super) fn families(self) -> impl Iterator<Item = ParsedFamily> {
        self.families.into_values().filter(|entry| !entry.family.samples.is_empty()).map(|entry| {
            let Entry { mut family, files, .. } = entry;
            if family.help.is_empty() {
                family.help = format!("Metric read from {}", files.join(", "));
            }
            family
        })
    }
}

/// Whether a sample has a time of its own, which would go stale while the file stays.
pub(super) fn has_times(families: &[ParsedFamily]) -> bool {
    families.iter().flat_map(|family| &family.samples).any(|sample| sample.timestamp.is_some())
}

/// Kinds that text 0.0.4 does not know are shown as unknown.
pub(super) fn plain(mut family: ParsedFamily) -> ParsedFamily {
    if !matches!(family.kind, ParsedKind::Counter | ParsedKind::Gauge | ParsedKind::Histogram | ParsedKind::Summary) {
        family.kind = ParsedKind::Unknown;
    }
    family
}
