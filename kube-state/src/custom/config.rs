//! The configuration: which kinds, which families of them. Its grammar is kube-state-metrics'.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path as FilePath, PathBuf},
};

use super::{
    document::{self, Node, Place, What},
    family::{Each, LabelPaths, Rule},
    path::{Mark, Path},
};
use crate::labels;

/// Default prefix of a family's name.
const PREFIX: &str = "kube_customresource";

/// A configuration that has been checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// One for each entry of `spec.resources`.
    pub(super) resources: Vec<Resource>,
    /// Possible mistakes: keys without effect.
    pub warnings: Vec<Note>,
}

/// An entry of `spec.resources`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resource {
    pub(super) group: String,
    /// `None` is every version.
    pub(super) version: Option<String>,
    /// `None` is every kind.
    pub(super) kind: Option<String>,
    pub(super) plural: Option<String>,
    pub(super) common: BTreeMap<String, String>,
    pub(super) metrics: Vec<Metric>,
}

impl Resource {
    /// Group, version and kind, each `*` where any will do.
    pub(super) fn names(&self) -> [&str; 3] {
        [&self.group, self.version.as_deref().unwrap_or("*"), self.kind.as_deref().unwrap_or("*")]
    }

    /// Whether this version of this kind is meant.
    pub(super) fn is_about(&self, group: &str, version: &str, kind: &str) -> bool {
        self.group == group
            && self.version.as_ref().is_none_or(|wanted| wanted == version)
            && self.kind.as_ref().is_none_or(|wanted| wanted == kind)
    }
}

/// An entry of `metrics`. Its rule has the labels of the metric alone, its paths those of the resource too.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) help: String,
    pub(super) rule: Rule,
}

/// Something to say about a place in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file as it was named.
    pub file: PathBuf,
    /// Line and column, from 1, when there is a place.
    pub place: Option<(u64, u64)>,
    /// The key, as `spec.resources[0].metrics[2].name`; empty for the whole file.
    pub key: String,
    /// The message, in lower case.
    pub what: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " key {}:", self.key)?;
        }
        write!(f, " {}", self.what)
    }
}

/// A configuration that cannot be used. Printed as `file.yaml:LINE:COLUMN: key a.b[0]: what`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadConfig(pub Note);

impl Config {
    /// Reads the text of a configuration, which messages say came from `file`.
    pub fn parse(text: &str, file: &FilePath) -> Result<Self, BadConfig> {
        let (text, more) = document::first_document(text);
        let document = document::parse(text).map_err(|error| {
            let place = error.place.map(|place| (place.line, place.column));
            BadConfig(Note { file: file.to_owned(), place, key: String::new(), what: error.what })
        })?;
        let mut reader = Reader { file, warnings: Vec::new() };
        let top = At { key: String::new(), node: &document };
        let resources = reader.file(&top)?;
        if let Some(line) = more {
            let what = "there is another document, which is not read; put its resources into the first";
            reader.warnings.push(note(file, Some(Place { line, column: 1 }), String::new(), what.to_owned()));
        }
        Ok(Self { resources, warnings: reader.warnings })
    }

    /// The names of all families that it defines.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().flat_map(|resource| &resource.metrics).map(|metric| metric.name.as_str())
    }

    /// Whether it names no kind.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Resources that the configuration lists and watches, as group and plural name; `*` where only the cluster knows.
    pub fn permissions(&self) -> Vec<(String, String)> {
        let of = |resource: &Resource| {
            let plural = resource.plural.clone().or_else(|| resource.kind.as_deref().map(plural_of));
            (resource.group.clone(), plural.unwrap_or_else(|| "*".to_owned()))
        };
        let mut all: Vec<(String, String)> = self.resources.iter().map(of).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// What a kind's plural is likely to be. The real one stands in its definition.
fn plural_of(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    let before_y = kind.strip_suffix('y').filter(|rest| !rest.ends_with(['a', 'e', 'i', 'o', 'u']));
    if let Some(rest) = before_y {
        return format!("{rest}ies");
    }
    let hissing = ["s", "x", "z", "ch", "sh"].iter().any(|end| kind.ends_with(end));
    format!("{kind}{}", if hissing { "es" } else { "s" })
}

/// A part of the document and the way to it.
struct At<'n> {
    key: String,
    node: &'n Node,
}

struct Reader<'f> {
    file: &'f FilePath,
    warnings: Vec<Note>,
}

impl Reader<'_> {
    fn file(&mut self, top: &At<'_>) -> Result<Vec<Resource>, BadConfig> {
        let parts = self.parts(top, ["kind", "spec", "apiVersion", "metadata"])?;
        let [kind, spec, _, _] = parts;
        if let Some(kind) = kind {
            let name = self.text(&kind)?;
            if name != "CustomResourceStateMetrics" {
                return Err(self.bad(&kind, format!("{name:?} is not CustomResourceStateMetrics")));
            }
        }
        let Some(spec) = spec else { return Ok(Vec::new()) };
        let [resources] = self.parts(&spec, ["resources"])?;
        let Some(resources) = resources else { return Ok(Vec::new()) };
        self.list(&resources)?.iter().map(|resource| self.resource(resource)).collect()
    }

    fn resource(&mut self, at: &At<'_>) -> Result<Resource, BadConfig> {
        let names = [
            "groupVersionKind",
            "metricNamePrefix",
            "resourcePlural",
            "errorLogV",
            "commonLabels",
            "labelsFromPath",
            "metrics",
        ];
        let [gvk, prefix, plural, log, common, from_path, metrics] = self.parts(at, names)?;
        let gvk = gvk.ok_or_else(|| self.bad(at, "groupVersionKind is missing".to_owned()))?;
        let [group, version, kind] = self.parts(&gvk, ["group", "version", "kind"])?;
        let group_name = group.as_ref().map(|group| self.text(group)).transpose()?.unwrap_or_default();
        if group_name.is_empty() || group_name == "*" {
            let at = group.as_ref().unwrap_or(&gvk);
            return Err(self.bad(at, "a group must be named: only version and kind can be *".to_owned()));
        }
        let prefix = prefix.map(|prefix| self.text(&prefix)).transpose()?;
        let defaults = Defaults {
            prefix: prefix.unwrap_or_else(|| PREFIX.to_owned()),
            error_log_v: self.level(log.as_ref())?,
            from_path: self.paths(from_path.as_ref())?,
        };
        let metrics = match &metrics {
            Some(metrics) => self.list(metrics)?,
            None => Vec::new(),
        };
        Ok(Resource {
            group: group_name,
            version: self.unless_star(version.as_ref())?,
            kind: self.unless_star(kind.as_ref())?,
            plural: plural.map(|plural| self.text(&plural)).transpose()?.filter(|plural| !plural.is_empty()),
            common: self.labels(common.as_ref())?,
            metrics: metrics.iter().map(|metric| self.metric(metric, &defaults)).collect::<Result<_, _>>()?,
        })
    }

    fn metric(&mut self, at: &At<'_>, defaults: &Defaults) -> Result<Metric, BadConfig> {
        let names = ["name", "help", "each", "commonLabels", "labelsFromPath", "errorLogV"];
        let [name, help, each, common, from_path, log] = self.parts(at, names)?;
        let own = name.as_ref().map(|name| self.text(name)).transpose()?.unwrap_or_default();
        let full = if defaults.prefix.is_empty() { own } else { format!("{}_{own}", defaults.prefix) };
        if !is_metric_name(&full) {
            let at = name.as_ref().unwrap_or(at);
            return Err(self.bad(at, format!("{full:?} is not a name that a metric can have")));
        }
        let each = each.ok_or_else(|| self.bad(at, "each is missing".to_owned()))?;
        let (path, from_value, each) = self.each(&each)?;
        let mut from_object = defaults.from_path.clone();
        from_object.extend(self.paths(from_path.as_ref())?);
        let own_level = self.level(log.as_ref())?;
        let rule = Rule {
            common: self.labels(common.as_ref())?,
            from_object: LabelPaths::new(from_object),
            path,
            from_value,
            each,
            error_log_v: if own_level == 0 { defaults.error_log_v } else { own_level },
            seen: Mark::default(),
        };
        let help = help.map(|help| self.text(&help)).transpose()?.unwrap_or_default();
        Ok(Metric { name: full, help, rule })
    }

    fn each(&mut self, at: &At<'_>) -> Result<(Path, LabelPaths, Each), BadConfig> {
        let [kind, gauge, info, state_set] = self.parts(at, ["type", "gauge", "info", "stateSet"])?;
        let kind = kind.ok_or_else(|| self.bad(at, "type is missing: Gauge, Info or StateSet".to_owned()))?;
        let name = self.text(&kind)?;
        let missing = |key: &str| self.bad(&kind, format!("for this type there must be {}.{key}", at.key));
        match name.to_ascii_lowercase().as_str() {
            "gauge" => {
                let at = gauge.ok_or_else(|| missing("gauge"))?;
                let names = ["path", "labelsFromPath", "valueFrom", "labelFromKey", "nilIsZero"];
                let [path, labels, value_from, label, nil_is_zero] = self.parts(&at, names)?;
                let each = Each::Gauge {
                    value_from: self.path(value_from.as_ref())?,
                    label_from_key: self.label_name(label.as_ref())?,
                    nil_is_zero: self.flag(nil_is_zero.as_ref())?,
                };
                Ok((self.path(path.as_ref())?, LabelPaths::new(self.paths(labels.as_ref())?), each))
            }
            "info" => {
                let at = info.ok_or_else(|| missing("info"))?;
                let [path, labels, label] = self.parts(&at, ["path", "labelsFromPath", "labelFromKey"])?;
                let each = Each::Info { label_from_key: self.label_name(label.as_ref())? };
                Ok((self.path(path.as_ref())?, LabelPaths::new(self.paths(labels.as_ref())?), each))
            }
            "stateset" => {
                let at = state_set.ok_or_else(|| missing("stateSet"))?;
                let names = ["path", "labelsFromPath", "valueFrom", "labelName", "list"];
                let [path, labels, value_from, label, list] = self.parts(&at, names)?;
                let label_name = self.label_name(label.as_ref())?;
                if label_name.is_empty() {
                    return Err(self.bad(&at, "labelName is missing: it tells the states apart".to_owned()));
                }
                let value_from = self.path(value_from.as_ref())?;
                let each = Each::StateSet { value_from, label_name, list: self.texts(list.as_ref())? };
                Ok((self.path(path.as_ref())?, LabelPaths::new(self.paths(labels.as_ref())?), each))
            }
            _ => Err(self.bad(&kind, format!("{name:?} is not one of Gauge, Info and StateSet"))),
        }
    }

    /// The parts of a map, those that are null left out. Other keys are noted: a typing error would else go unseen.
    fn parts<'n, const N: usize>(&mut self, at: &At<'n>, names: [&str; N]) -> Result<[Option<At<'n>>; N], BadConfig> {
        let mut parts = [const { None }; N];
        for (place, name, node) in self.map(at)? {
            let key = if at.key.is_empty() { name.to_owned() } else { format!("{}.{name}", at.key) };
            let known = names.iter().position(|known| *known == name);
            match known.and_then(|index| parts.get_mut(index)) {
                Some(part) if node.what != What::Null => *part = Some(At { key, node }),
                Some(_) => {}
                None => {
                    let what = format!("means nothing here; there are {}", names.join(", "));
                    self.warnings.push(note(self.file, Some(place), key, what));
                }
            }
        }
        Ok(parts)
    }

    fn map<'n>(&self, at: &At<'n>) -> Result<Vec<(Place, &'n str, &'n Node)>, BadConfig> {
        match &at.node.what {
            What::Map(map) => Ok(map.iter().map(|(place, key, node)| (*place, key.as_str(), node)).collect()),
            What::Null => Ok(Vec::new()),
            What::Text(_) | What::List(_) => Err(self.bad(at, "should be a map".to_owned())),
        }
    }

    fn list<'n>(&self, at: &At<'n>) -> Result<Vec<At<'n>>, BadConfig> {
        let What::List(list) = &at.node.what else { return Err(self.bad(at, "should be a list".to_owned())) };
        Ok(list.iter().enumerate().map(|(index, node)| At { key: format!("{}[{index}]", at.key), node }).collect())
    }

    fn text(&self, at: &At<'_>) -> Result<String, BadConfig> {
        match &at.node.what {
            What::Text(text) => Ok(text.clone()),
            What::Null => Ok(String::new()),
            What::List(_) | What::Map(_) => Err(self.bad(at, "should be text".to_owned())),
        }
    }

    fn texts(&self, at: Option<&At<'_>>) -> Result<Vec<String>, BadConfig> {
        let Some(at) = at else { return Ok(Vec::new()) };
        self.list(at)?.iter().map(|element| self.text(element)).collect()
    }

    fn unless_star(&self, at: Option<&At<'_>>) -> Result<Option<String>, BadConfig> {
        let name = at.map(|at| self.text(at)).transpose()?;
        Ok(name.filter(|name| !name.is_empty() && name != "*"))
    }

    fn flag(&self, at: Option<&At<'_>>) -> Result<bool, BadConfig> {
        let Some(at) = at else { return Ok(false) };
        match self.text(at)?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Ok(true),
            "false" | "no" | "off" | "n" => Ok(false),
            other => Err(self.bad(at, format!("{other:?} is neither true nor false"))),
        }
    }

    fn level(&self, at: Option<&At<'_>>) -> Result<u8, BadConfig> {
        let Some(at) = at else { return Ok(0) };
        let text = self.text(at)?;
        let level = text.parse::<i32>().map_err(|_| self.bad(at, format!("{text:?} is not a whole number")))?;
        Ok(u8::try_from(level.clamp(0, 255)).unwrap_or(0))
    }

    fn label_name(&self, at: Option<&At<'_>>) -> Result<String, BadConfig> {
        let Some(at) = at else { return Ok(String::new()) };
        let name = self.text(at)?;
        if name.is_empty() || labels::is_name(&name) {
            return Ok(name);
        }
        Err(self.bad(at, format!("{name:?} is not a name that a label can have")))
    }

    fn labels(&self, at: Option<&At<'_>>) -> Result<BTreeMap<String, String>, BadConfig> {
        let mut labels = BTreeMap::new();
        let Some(at) = at else { return Ok(labels) };
        for (_, name, node) in self.map(at)? {
            let entry = At { key: format!("{}.{name}", at.key), node };
            if !labels::is_name(name) {
                return Err(self.bad(&entry, format!("{name:?} is not a name that a label can have")));
            }
            labels.insert(name.to_owned(), self.text(&entry)?);
        }
        Ok(labels)
    }

    fn path(&self, at: Option<&At<'_>>) -> Result<Path, BadConfig> {
        let Some(at) = at else { return Ok(Path::default()) };
        let segments = self.texts(Some(at))?;
        Path::new(&segments).map_err(|error| self.bad(at, error.to_string()))
    }

    fn paths(&self, at: Option<&At<'_>>) -> Result<BTreeMap<String, Path>, BadConfig> {
        let mut paths = BTreeMap::new();
        let Some(at) = at else { return Ok(paths) };
        for (_, name, node) in self.map(at)? {
            let entry = At { key: format!("{}.{name}", at.key), node };
            let is_null = node.what == What::Null;
            paths.insert(name.to_owned(), if is_null { Path::default() } else { self.path(Some(&entry))? });
        }
        Ok(paths)
    }

    fn bad(&self, at: &At<'_>, what: String) -> BadConfig {
        BadConfig(note(self.file, Some(at.node.place), at.key.clone(), what))
    }
}

fn note(file: &FilePath, place: Option<Place>, key: String, what: String) -> Note {
    Note { file: file.to_owned(), place: place.map(|place| (place.line, place.column)), key, what }
}

/// What a resource says for its metrics.
struct Defaults {
    prefix: String,
    error_log_v: u8,
    from_path: BTreeMap<String, Path>,
}

fn is_metric_name(name: &str) -> bool {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    rest.is_empty() && !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, BadConfig> {
        Config::parse(text, FilePath::new("crs.yaml"))
    }

    fn one(each: &str) -> String {
        format!(
            "spec:\n  resources:\n    - groupVersionKind: {{group: ex.org, kind: Ship, version: v1}}\n      \
             metrics:\n        - name: m\n          each: {each}\n"
        )
    }

    #[test]
    fn what_is_wrong_is_said_with_place_and_key() {
        let gauge = |inside: &str| one(&format!("{{type: gauge, gauge: {{{inside}}}}}"));
        for (text, expected) in [
            ("a: [".to_owned(), "crs.yaml:1:"),
            ("- x".to_owned(), "crs.yaml:1:1: should be a map"),
            ("kind: Pod".to_owned(), "crs.yaml:1:7: key kind: \"Pod\" is not CustomResourceStateMetrics"),
            ("spec:\n  resources: 7".to_owned(), "crs.yaml:2:14: key spec.resources: should be a list"),
            (
                "spec:\n  resources:\n    - {}".to_owned(),
                "crs.yaml:3:7: key spec.resources[0]: groupVersionKind is missing",
            ),
            (
                "spec: {resources: [{groupVersionKind: {group: '*'}}]}".to_owned(),
                "crs.yaml:1:47: key spec.resources[0].groupVersionKind.group: a group must be named",
            ),
            (one("{}"), "crs.yaml:6:17: key spec.resources[0].metrics[0].each: type is missing"),
            (
                one("{type: Counter}"),
                "crs.yaml:6:24: key spec.resources[0].metrics[0].each.type: \"Counter\" is not one of",
            ),
            (
                one("{type: StateSet, gauge: {}}"),
                "crs.yaml:6:24: key spec.resources[0].metrics[0].each.type: for this type there must be \
                 spec.resources[0].metrics[0].each.stateSet",
            ),
            (
                one("{type: stateset, stateSet: {list: [a]}}"),
                "crs.yaml:6:44: key spec.resources[0].metrics[0].each.stateSet: labelName is missing",
            ),
            (
                gauge("path: [status, '[ready]']"),
                "crs.yaml:6:45: key spec.resources[0].metrics[0].each.gauge.path: \"[ready]\" is not [key=value]",
            ),
            (
                gauge("labelFromKey: a-b"),
                "crs.yaml:6:53: key spec.resources[0].metrics[0].each.gauge.labelFromKey: \"a-b\" is not a name",
            ),
            (
                gauge("nilIsZero: perhaps"),
                "crs.yaml:6:50: key spec.resources[0].metrics[0].each.gauge.nilIsZero: \"perhaps\" is neither",
            ),
            (
                one("{type: info, info: {}}").replace("name: m", "name: 'a b'"),
                "crs.yaml:5:17: key spec.resources[0].metrics[0].name: \"kube_customresource_a b\" is not a name",
            ),
        ] {
            let said = parse(&text).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}\n{expected}\n{text}");
        }
    }

    #[test]
    fn keys_that_mean_nothing_are_noted() {
        let config =
            parse(&one("{type: info, info: {paths: [x]}}").replace("name: m", "name: m\n          hepl: x")).unwrap();
        let notes: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes[0].starts_with("crs.yaml:6:11: key spec.resources[0].metrics[0].hepl: means nothing here"),
            "{notes:?}"
        );
        assert!(notes[1].starts_with("crs.yaml:7:37: key spec.resources[0].metrics[0].each.info.paths: "), "{notes:?}");
    }

    #[test]
    fn further_documents_are_noted() {
        let text = format!("---\n{}---\n{}", one("{type: info, info: {}}"), one("{type: gauge, gauge: {}}"));
        let config = parse(&text).unwrap();
        assert_eq!((config.resources.len(), config.warnings.len()), (1, 1));
        assert!(config.warnings[0].to_string().starts_with("crs.yaml:8:1: there is another document"), "{config:?}");
    }

    #[test]
    fn nothing_is_a_configuration_without_kinds() {
        for text in ["", "kind: CustomResourceStateMetrics", "spec:", "spec: {resources: }"] {
            assert!(parse(text).unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn names_have_a_prefix_unless_it_is_empty() {
        let name = |prefix: &str| {
            let text = one("{type: info, info: {}}").replace("      metrics", &format!("{prefix}      metrics"));
            parse(&text).unwrap().resources[0].metrics[0].name.clone()
        };
        assert_eq!(name(""), "kube_customresource_m");
        assert_eq!(name("      metricNamePrefix:\n"), "kube_customresource_m");
        assert_eq!(name("      metricNamePrefix: \"\"\n"), "m");
        assert_eq!(name("      metricNamePrefix: fleet\n"), "fleet_m");
    }

    #[test]
    fn permissions_name_what_is_watched() {
        let text = "spec: {resources: [{groupVersionKind: {group: b, kind: Policy}}, {groupVersionKind: {group: a}}, \
                    {groupVersionKind: {group: b, kind: Mesh}, resourcePlural: meshs}, \
                    {groupVersionKind: {group: b, kind: Box}}, {groupVersionKind: {group: b, kind: Key}}]}";
        let permissions = parse(text).unwrap().permissions();
        let text: Vec<String> = permissions.iter().map(|(group, plural)| format!("{group}/{plural}")).collect();
        assert_eq!(text, ["a/*", "b/boxes", "b/keys", "b/meshs", "b/policies"]);
    }
}
