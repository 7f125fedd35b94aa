//! The whole set: its files in, files out.

use std::collections::{BTreeMap, BTreeSet};

use metric::Catalog;
use serde::Deserialize;

use crate::alert::{self, Checked, Ground, Severity, harmless, quoted_labels};
use crate::board::Watch;
use crate::catalog::{Inputs, Known};
use crate::query::Query;
use crate::rule::{self, Group, Recorded, Records, Rule};
use crate::{Period, Problem, Source, Thresholds, runbook};

/// The alert that says that an input is missing.
const INPUT_MISSING: &str = "AlertInputMissing";
/// The board and the panel that show it.
const INPUT_MISSING_PANEL: [&str; 2] = ["yagura-self", "inputs"];
/// Families that have the labels of owners.
const OWNER_FAMILIES: [&str; 2] = ["kube_workload_owner_info", "workload_owner_info"];
/// How long an input is missing before that is said.
const INPUT_GRACE: Period = Period::minutes(15);

/// What holds for all alerts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Labels that all alerts have.
    labels: BTreeMap<String, String>,
    /// Labels of owners, as the flags of the programs name them.
    owner_labels: Vec<String>,
    /// Where runbooks are.
    runbooks: String,
}

/// A test, and the alert whose text it reads.
type Annotated<'a> = (alert::Case, Option<(&'a str, &'a alert::Annotations)>);

/// Names of other sets that users run beside this one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    alerts: BTreeSet<String>,
    records: BTreeSet<String>,
}

/// Sources of a set that passed all checks.
#[derive(Debug)]
pub struct Set {
    settings: Settings,
    inputs: Inputs,
    known: Known,
    thresholds: Thresholds,
    records: Vec<Recorded>,
    alerts: Vec<Checked>,
}

/// What a set is compiled to.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// Paths, relative to the repository, and texts.
    pub files: BTreeMap<String, String>,
    /// What is in them.
    pub counts: Counts,
}

/// What a compiled set has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alerts.
    pub alerts: usize,
    /// Recording rules.
    pub records: usize,
    /// Rules that say that an input is missing.
    pub inputs: usize,
    /// Tests.
    pub tests: usize,
    /// Looks of all tests: a query at a time.
    pub looks: usize,
    /// Those among the tests that a Prometheus without native histograms in tests cannot run.
    pub native: usize,
}

/// An alert and the fault that proves it.
#[derive(Debug, Clone)]
pub struct Provable {
    /// Its name.
    pub alert: String,
    /// The folder of its source.
    pub area: String,
    /// How loud it is.
    pub severity: Severity,
    /// How long the condition holds before it fires.
    pub waits: Period,
    /// How long it goes on firing when the condition is gone.
    pub keeps: Period,
    /// Labels of its rows.
    pub by: Vec<String>,
    /// Whether its rows belong to somebody.
    pub has_owner: bool,
    /// The fault.
    pub fault: alert::Fault,
}

impl Set {
    /// Checks all sources: those of `alerts/`, with paths relative to it.
    pub fn read(sources: &[Source], catalogs: &[Catalog]) -> Result<Self, Vec<Problem>> {
        let of = |file: &str| {
            let missing = || Problem { file: file.into(), line: 0, key: String::new(), what: "is missing".into() };
            sources.iter().find(|source| source.file == file).ok_or_else(|| vec![missing()])
        };
        let one = |problem| vec![problem];
        let settings: Settings = of("set.yaml")?.read().map_err(one)?;
        let taken: Taken = of("taken.yaml")?.read().map_err(one)?;
        let inputs: Inputs = of("inputs.yaml")?.read().map_err(one)?;
        let thresholds = Thresholds::read(of("thresholds.yaml")?)?;
        let mut known = Known::new(catalogs, &inputs);
        for family in OWNER_FAMILIES {
            known.add_labels(family, &settings.owner_labels);
        }
        let ground = (&inputs, &thresholds, &taken.records);
        let records = Records::checked(of("records.yaml")?, &settings.owner_labels, &mut known, ground)?;
        let inputs_of_records = records.iter().map(|record| (record.name.clone(), record.inputs.clone())).collect();
        let ground = Ground {
            known: &known,
            inputs: &inputs,
            thresholds: &thresholds,
            inputs_of_records: &inputs_of_records,
            owner_labels: &settings.owner_labels,
            runbooks: &settings.runbooks,
            taken: &taken.alerts,
        };
        let (mut alerts, mut problems) = (Vec::new(), Vec::new());
        for source in sources {
            let Some((area, _)) = source.file.split_once('/') else { continue };
            match alert::checked(area, source, &ground) {
                Ok(alert) => alerts.push(alert),
                Err(found) => problems.extend(found),
            }
        }
        alerts.sort_by(|a, b| (&a.area, &a.source.alert).cmp(&(&b.area, &b.source.alert)));
        let set = Self { settings, inputs, known, thresholds, records, alerts };
        problems.extend(set.check_inputs(of("inputs.yaml")?, &set.known));
        if problems.is_empty() {
            problems.extend(set.unused(of("thresholds.yaml")?));
        }
        problems.extend(set.twice());
        problems.sort();
        if problems.is_empty() { Ok(set) } else { Err(problems) }
    }

    /// Everything that a query may read, records of the set included.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Limits by name.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Panels that alerts lead to.
    pub fn watches(&self) -> Vec<Watch> {
        let watch = |alert: &Checked| Watch {
            alert: alert.source.alert.clone(),
            uid: alert.source.dashboard.uid.clone(),
            panel: alert.source.dashboard.panel.clone(),
            limits: alert.thresholds.clone(),
        };
        let of_inputs = Watch {
            alert: INPUT_MISSING.to_owned(),
            uid: INPUT_MISSING_PANEL[0].to_owned(),
            panel: INPUT_MISSING_PANEL[1].to_owned(),
            limits: Vec::new(),
        };
        self.alerts.iter().map(watch).chain([of_inputs]).collect()
    }

    /// Queries of inputs, and inputs that nothing reads.
    fn check_inputs(&self, source: &Source, known: &Known) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, input) in &self.inputs.inputs {
            let key = format!("inputs.{name}");
            let mut refuse = |field: &str, what: String| problems.push(source.problem(&format!("{key}.{field}"), what));
            if let Err(reasons) = Query::read(&input.missing, known) {
                for what in reasons {
                    refuse("missing", what);
                }
            }
            if !input.switched.is_empty() && input.flag.is_none() {
                refuse("switched", "is off by default and has no flag".to_owned());
            }
            for (field, data) in [("present", &input.present), ("lacking", &input.lacking)] {
                for series in data.keys() {
                    alert::sound_series(series, known).unwrap_or_else(|what| refuse(field, what));
                }
            }
        }
        problems
    }

    fn unused(&self, source: &Source) -> Vec<Problem> {
        let of_alerts = self.alerts.iter().flat_map(|alert| &alert.thresholds);
        let used: BTreeSet<&String> =
            of_alerts.chain(self.records.iter().flat_map(|record| &record.thresholds)).collect();
        let unused = self.thresholds.0.keys().filter(|name| !used.contains(name));
        unused.map(|name| source.problem(name, "is a threshold that nothing reads")).collect()
    }

    fn twice(&self) -> Vec<Problem> {
        let mut seen = BTreeSet::from([INPUT_MISSING]);
        let twice = self.alerts.iter().filter(|alert| !seen.insert(alert.source.alert.as_str()));
        let problem = |alert: &Checked| Problem {
            file: format!("{}/{}.yaml", alert.area, alert.source.alert),
            line: 1,
            key: "alert".to_owned(),
            what: "has the name of another alert".to_owned(),
        };
        twice.map(problem).collect()
    }

    /// Everything that is made of the set.
    pub fn compile(&self) -> Compiled {
        let mut files = BTreeMap::new();
        let mut counts = Counts { alerts: self.alerts.len(), records: self.records.len(), ..Counts::default() };
        let mut areas: BTreeMap<&str, Vec<&Checked>> = BTreeMap::new();
        for alert in &self.alerts {
            areas.entry(&alert.area).or_default().push(alert);
        }
        let mut put = |path: String, text: String| drop(files.insert(path, text));
        let groups = self.groups();
        counts.inputs = self.input_rules().len();
        for (name, group) in &groups {
            let group = std::slice::from_ref(group);
            put(format!("alerts/generated/rules/{name}.yaml"), rule::rules(group));
            put(
                format!("alerts/generated/prometheusrules/{name}.yaml"),
                rule::object(&format!("yagura-{name}"), group),
            );
        }
        self.tests(&areas, &mut counts, &mut put);
        for alert in &self.alerts {
            let page = runbook::page(alert, &self.inputs, &self.thresholds);
            put(format!("docs/runbooks/{}.md", alert.source.alert), page);
        }
        put(
            format!("docs/runbooks/{INPUT_MISSING}.md"),
            runbook::of_inputs(INPUT_MISSING, &self.inputs, |name| self.blind(name)),
        );
        put("docs/runbooks/README.md".to_owned(), runbook::index(&self.alerts));
        Compiled { files, counts }
    }

    /// All rules, by the name of their file.
    fn groups(&self) -> Vec<(String, Group)> {
        let mut areas: BTreeMap<&str, Vec<Rule>> = BTreeMap::new();
        for alert in &self.alerts {
            areas.entry(&alert.area).or_default().push(self.rule(alert));
        }
        let mut all = vec![("records", self.records())];
        all.extend(areas);
        all.push(("inputs", self.input_rules()));
        let group =
            |(name, rules): (&str, Vec<Rule>)| (name.to_owned(), Group { name: format!("yagura-{name}"), rules });
        all.into_iter().map(group).collect()
    }

    /// The rule files with times that are shorter or longer by a factor, for proofs: names and texts.
    pub fn scaled(&self, factor: f64) -> Result<BTreeMap<String, String>, String> {
        let scaled = |(name, mut group): (String, Group)| {
            for rule in &mut group.rules {
                rule.scale(factor)?;
            }
            Ok((format!("{name}.yaml"), rule::rules(&[group])))
        };
        self.groups().into_iter().map(scaled).collect()
    }

    /// Faults of all alerts, by area and name.
    pub fn faults(&self) -> Vec<Provable> {
        let provable = |alert: &Checked| Provable {
            alert: alert.source.alert.clone(),
            area: alert.area.clone(),
            severity: alert.source.severity,
            waits: alert.source.r#for,
            keeps: alert.source.keep_firing_for,
            by: alert.source.by.clone(),
            has_owner: alert.source.owner != alert::Owner::None,
            fault: alert.source.fault.clone(),
        };
        self.alerts.iter().map(provable).collect()
    }

    fn records(&self) -> Vec<Rule> {
        let rule = |record: &Recorded| Rule::Record {
            record: record.name.clone(),
            about: record.about.clone(),
            expr: record.expr.clone(),
        };
        self.records.iter().map(rule).collect()
    }

    fn rule(&self, alert: &Checked) -> Rule {
        Rule::Alert {
            alert: alert.source.alert.clone(),
            expr: alert.expr.clone(),
            r#for: alert.source.r#for,
            keep_firing_for: alert.source.keep_firing_for,
            labels: self.labels(&alert.area, alert.source.severity, &alert.source.labels),
            annotations: alert.annotations.templates(),
        }
    }

    /// Labels that all rows of an alert have.
    fn labels(&self, area: &str, severity: Severity, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut labels = self.settings.labels.clone();
        labels.insert("area".to_owned(), area.to_owned());
        labels.insert("severity".to_owned(), severity.to_string());
        labels.extend(own.clone());
        labels
    }

    /// Alerts that see nothing without an input.
    fn blind(&self, input: &str) -> Vec<&str> {
        let reads = |alert: &&Checked| alert.source.inputs.iter().any(|name| name == input);
        self.alerts.iter().filter(reads).map(|alert| alert.source.alert.as_str()).collect()
    }

    /// One rule an input that something needs.
    fn input_rules(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (name, input) in &self.inputs.inputs {
            let blind = self.blind(name);
            if blind.is_empty() && !input.optional {
                continue;
            }
            let severity = if input.optional { Severity::Info } else { Severity::Warning };
            let own = BTreeMap::from([("input".to_owned(), name.clone())]);
            rules.push(Rule::Alert {
                alert: INPUT_MISSING.to_owned(),
                expr: input.missing.trim_end().to_owned(),
                r#for: INPUT_GRACE,
                keep_firing_for: Period::default(),
                labels: self.labels("inputs", severity, &own),
                annotations: self.of_input(input, &blind).templates(),
            });
        }
        rules
    }

    fn of_input(&self, input: &crate::catalog::Input, blind: &[&str]) -> alert::Annotations {
        let cannot = match blind {
            [] => "alerts have no owner by it".to_owned(),
            [one] => format!("{one} cannot fire"),
            many => format!("{} alerts cannot fire: {}", many.len(), many.join(", ")),
        };
        alert::Annotations {
            summary: format!("Alerts lack an input: {} is not there.", input.about.trim()),
            description: format!("{} is not scraped or is off: {cannot}. {}", input.about.trim(), input.remedy.trim()),
            dashboard: INPUT_MISSING_PANEL[0].to_owned(),
            panel: INPUT_MISSING_PANEL[1].to_owned(),
            variables: Vec::new(),
            page: format!("{INPUT_MISSING}.md"),
            runbooks: self.settings.runbooks.clone(),
        }
    }

    /// Tests in one file an alert, each over the alert's rule and the records that it reads and no others: a test of all
    /// rules at each step would take promtool many times as long.
    fn tests(&self, areas: &BTreeMap<&str, Vec<&Checked>>, counts: &mut Counts, put: &mut impl FnMut(String, String)) {
        let mut write = |name: &str, files: &[String], groups: &[String], cases: &[Annotated<'_>]| {
            for (ending, is_native) in [("", false), ("-native", true)] {
                let of: Vec<(&alert::Case, _)> = cases
                    .iter()
                    .filter(|(case, _)| case.is_native == is_native)
                    .map(|(case, of)| (case, *of))
                    .collect();
                if of.is_empty() {
                    continue;
                }
                counts.tests += of.len();
                counts.native += if is_native { of.len() } else { 0 };
                counts.looks +=
                    of.iter().map(|(case, _)| case.looks.len() + usize::from(case.reads.is_some())).sum::<usize>();
                put(format!("alerts/generated/tests/{name}{ending}.yaml"), rule::tests(files, groups, &of));
            }
        };
        let names = |name: &str| (vec![format!("../rules/{name}.yaml")], vec![format!("yagura-{name}")]);
        let (files, groups) = names("records");
        let of_records: Vec<Annotated<'_>> =
            self.records.iter().flat_map(|record| record.cases.iter().cloned().map(|case| (case, None))).collect();
        write("records", &files, &groups, &of_records);
        let (files, groups) = names("inputs");
        let of_inputs: Vec<Annotated<'_>> = self.input_cases().into_iter().map(|case| (case, None)).collect();
        write("inputs", &files, &groups, &of_inputs);
        let mut rules = Vec::new();
        for (area, alert) in areas.iter().flat_map(|(area, alerts)| alerts.iter().map(move |alert| (area, alert))) {
            let name = &alert.source.alert;
            let labels = self.labels(&alert.area, alert.source.severity, &alert.source.labels);
            let of = (name.as_str(), &alert.annotations);
            let cases = alert::cases(alert, &labels, &self.settings.owner_labels);
            let cases: Vec<Annotated<'_>> = cases.into_iter().map(|case| (case, Some(of))).collect();
            let alone = [
                Group { name: "yagura-records".to_owned(), rules: self.records_of(&alert.expr) },
                Group { name: format!("yagura-{area}"), rules: vec![self.rule(alert)] },
            ];
            let alone: Vec<Group> = alone.into_iter().filter(|group| !group.rules.is_empty()).collect();
            let groups: Vec<String> = alone.iter().map(|group| group.name.clone()).collect();
            write(&format!("{area}/{name}"), &[format!("{name}.rules.yaml")], &groups, &cases);
            rules.push((format!("alerts/generated/tests/{area}/{name}.rules.yaml"), rule::rules(&alone)));
        }
        for (path, text) in rules {
            put(path, text);
        }
    }

    /// Records that an expression reads, and those that these read.
    fn records_of(&self, expr: &str) -> Vec<Rule> {
        let mut needed: BTreeSet<&str> = BTreeSet::new();
        let mut texts = vec![expr];
        while let Some(text) = texts.pop() {
            for record in self.records.iter().filter(|record| text.contains(&record.name)) {
                if needed.insert(&record.name) {
                    texts.push(&record.expr);
                }
            }
        }
        let of = |rule: &Rule| matches!(rule, Rule::Record { record, .. } if needed.contains(record.as_str()));
        self.records().into_iter().filter(of).collect()
    }

    /// Each input there, and each input missing.
    fn input_cases(&self) -> Vec<alert::Case> {
        let mut cases = Vec::new();
        let at = INPUT_GRACE.plus(Period::minutes(5));
        for (name, input) in &self.inputs.inputs {
            if self.blind(name).is_empty() && !input.optional {
                continue;
            }
            let severity = if input.optional { Severity::Info } else { Severity::Warning };
            let own = BTreeMap::from([("input".to_owned(), name.clone())]);
            let mut labels = self.labels("inputs", severity, &own);
            labels.insert("alertname".to_owned(), INPUT_MISSING.to_owned());
            labels.insert("alertstate".to_owned(), "firing".to_owned());
            let query = format!("ALERTS{{alertstate=\"firing\", input=\"{name}\"}}");
            let fires = alert::Sample { series: format!("ALERTS{}", quoted_labels(&labels)), value: 1.0 };
            for (what, data, samples) in
                [("is there", &input.present, vec![]), ("is missing", &input.lacking, vec![fires])]
            {
                let (series, values) = harmless(at, Period::minutes(1));
                cases.push(alert::Case {
                    name: format!("{INPUT_MISSING}: {name} {what}"),
                    interval: Period::minutes(1),
                    series: data.clone().into_iter().chain([(series, values)]).collect(),
                    looks: vec![alert::Look { at, query: query.clone(), samples }],
                    reads: None,
                    is_native: false,
                });
            }
        }
        cases
    }
}
