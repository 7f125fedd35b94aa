//! What a set is refused for: a small one that is sound, and one change after the other that makes it unsound.

use metric::Catalog;
use mixin::{Set, Source};

const CATALOG: &str = r#"{"program":"agent","version":"1","sections":[
  {"name":"lives","about":"","default_on":true,"needs":[],"families":[
    {"name":"pod_waits","kind":"gauge","unit":"","help":"","endpoint":"/metrics","labels":[
      {"name":"namespace"},{"name":"pod"},{"name":"workload_kind"},{"name":"workload"},
      {"name":"reason","values":["image","memory"]}]},
    {"name":"workload_owner_info","kind":"gauge","unit":"","help":"","endpoint":"/metrics","labels":[
      {"name":"namespace"},{"name":"workload_kind"},{"name":"workload"}]},
    {"name":"wait_seconds","kind":"histogram","unit":"seconds","help":"","endpoint":"/metrics","labels":[{"name":"pod"}]}]},
  {"name":"units","about":"","default_on":false,"needs":[],"families":[
    {"name":"unit_failed","kind":"gauge","unit":"","help":"","endpoint":"/metrics","labels":[{"name":"name"}]}]}]}"#;

const SETTINGS: &str = "labels: {source: test}\nowner_labels: [team]\nrunbooks: docs/runbooks\n";
const TAKEN: &str = "alerts: [Watchdog]\nrecords: ['node:other:sum']\n";
const THRESHOLDS: &str = "waiting: {value: 2, unit: count, about: How many may wait.}\n";
const INPUTS: &str = "
attached:
  agent: [cluster, job, instance, node]
attached_to_others: [job, instance]
inputs:
  page:
    about: The agent's page
    program: agent
    endpoint: /metrics
    missing: absent(pod_waits)
    remedy: Scrape it.
    present:
      pod_waits{pod=\"a\"}: 1x30
  units:
    about: Units
    program: agent
    switched: [units]
    flag: --collector.units
    missing: absent(unit_failed)
    remedy: Switch it on.
    present:
      unit_failed{name=\"a\"}: 1x30
  prometheus:
    about: Targets
    dependencies:
      up: {kind: gauge}
      scrape_samples_scraped: {kind: gauge}
    missing: absent(up)
    remedy: Scrape.
    present:
      up{job=\"a\"}: 1x30
";
const RECORDS: &str = "
- record: workload:yagura_owner:group
  about: Owners.
  by: [cluster, namespace, workload_kind, workload, \"${owner_labels}\"]
  expr: |
    topk by (cluster, namespace, workload_kind, workload) (1,
      group by (cluster, namespace, workload_kind, workload, ${owner_labels}) (workload_owner_info)
    )
  tests:
  - name: one
    data:
      workload_owner_info{namespace=\"n\", workload_kind=\"K\", workload=\"w\", team=\"t\"}: 1x5
    at:
      3m:
      - {labels: {namespace: n, workload_kind: K, workload: w, team: t}, value: 1}
";
const ALERT: &str = "
alert: PodsWait
severity: warning
for: 5m
keep_firing_for: 1m
by: [cluster, namespace, workload_kind, workload]
owner: workload
expr: |
  sum by (cluster, namespace, workload_kind, workload) (
    max by (cluster, namespace, workload_kind, workload, pod) (pod_waits{reason=\"image\"})
  ) > ${waiting}
summary: Pods of {{ $labels.workload }} wait.
description: '{{ $value }} pods wait, more than ${waiting}.'
dashboard: {uid: board, panel: waiting}
inputs: [page]
runbook:
  meaning: They wait.
  impact: They do not work.
  diagnosis:
  - ask: Which?
    query: pod_waits > 0
  mitigation: Give them what they wait for.
fault:
  about: Take it away.
  steps:
  - objects: none
data:
  pod_waits{namespace=\"n\", pod=\"a\", workload_kind=\"K\", workload=\"w\", reason=\"image\"}: 0x5 3x30
tests:
  firing:
    at:
      6m: []
      12m:
      - {namespace: n, workload_kind: K, workload: w, team: t}
    reads:
      summary: Pods of w wait.
      description: 3 pods wait, more than 2.
  just_under:
    data:
      pod_waits{namespace=\"n\", pod=\"a\", workload_kind=\"K\", workload=\"w\", reason=\"image\"}: 2x30
    at:
      20m: []
  flapping:
    data:
      pod_waits{namespace=\"n\", pod=\"a\", workload_kind=\"K\", workload=\"w\", reason=\"image\"}: 3 0 3 0 3 0 3 0
    at:
      7m: []
";

/// The set's files, one of them changed.
fn sources(file: &str, from: &str, to: &str) -> Vec<Source> {
    let files = [
        ("set.yaml", SETTINGS),
        ("taken.yaml", TAKEN),
        ("inputs.yaml", INPUTS),
        ("thresholds.yaml", THRESHOLDS),
        ("records.yaml", RECORDS),
        ("pods/PodsWait.yaml", ALERT),
    ];
    let changed = |name: &str, text: &str| {
        if name != file {
            return text.to_owned();
        }
        assert!(text.contains(from), "{file} has no {from:?}");
        text.replacen(from, to, 1)
    };
    files.into_iter().map(|(name, text)| Source::new(name, changed(name, text))).collect()
}

fn read(sources: &[Source]) -> Result<Set, String> {
    let catalog: Catalog = serde_json::from_str(CATALOG).expect("the catalogue is JSON");
    Set::read(sources, &[catalog])
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_sound_set_has_all_its_tests() {
    let set = read(&sources("", "", "")).unwrap_or_else(|problems| panic!("{problems}"));
    let compiled = set.compile();
    // Fires, just under, comes and goes, scraped twice, no data, without owners; one of the record; two of each input
    // that an alert reads.
    assert_eq!((compiled.counts.alerts, compiled.counts.tests), (1, 6 + 1 + 2));
    let tests = &compiled.files["alerts/generated/tests/pods/PodsWait.yaml"];
    for name in
        ["fires", "just under the threshold", "comes and goes", "exporters scraped twice", "no data", "without owners"]
    {
        assert!(tests.contains(&format!("PodsWait: {name}\"")), "{name}");
    }
    let rules = &compiled.files["alerts/generated/rules/pods.yaml"];
    assert!(
        rules.contains("group_left (team) workload:yagura_owner:group\n      or on (cluster, namespace"),
        "{rules}"
    );
    assert!(compiled.files.contains_key("docs/runbooks/PodsWait.md"));
    assert!(set.scaled(0.2).unwrap()["pods.yaml"].contains("for: 1m\n"));
    let [fault] = &set.faults()[..] else { panic!("one alert has one fault") };
    assert_eq!((fault.alert.as_str(), fault.fault.steps.len(), fault.has_owner), ("PodsWait", 1, true));
}

#[test]
fn an_unsound_set_is_refused_with_file_line_and_key() {
    let alert = "pods/PodsWait.yaml";
    for (file, from, to, why) in [
        (alert, "severity: warning\n", "", "pods/PodsWait.yaml:"),
        (alert, "severity: warning", "severity: page", "3: severity: "),
        (alert, "fault:", "faults:", "unknown field"),
        (alert, "  steps:\n  - objects: none\n", "", "fault: has no steps, and no reason"),
        (alert, "  steps:\n", "  unproven: Nobody can.\n  steps:\n", "fault.unproven: stands beside steps"),
        (alert, "- objects: none\n", "- {objects: none, more: none}\n", "fault.steps: has a step that is not one"),
        (alert, "  steps:\n", "  row: {pod: a}\n  steps:\n", "fault.row: has the label pod"),
        (alert, "alert: PodsWait", "alert: PodsWaits", "pods/PodsWait.yaml:2: alert: is \"PodsWaits\" in the file"),
        (alert, "for: 5m", "for: 0s", "pods/PodsWait.yaml:4: for: is below one minute"),
        (alert, "for: 5m", "for: 5", "4: for: "),
        (alert, "impact: They do not work.", "impact: ''", "runbook.impact: is empty"),
        (alert, "query: pod_waits > 0", "run: look", "no step with a query"),
        (alert, "query: pod_waits > 0", "query: pods_wait > 0", "nothing declares pods_wait"),
        (alert, ") > ${waiting}", " > ${waiting}", "expr: is no PromQL"),
        (alert, ") > ${waiting}", ") > ${wating}", "there is no threshold \"wating\""),
        (alert, ") > ${waiting}\n", ") > 2\n", "waiting: is a threshold that nothing reads"),
        (alert, "(pod_waits{", "(pod_weights{", "nothing declares pod_weights"),
        (alert, "reason=\"image\"}", "reason=\"images\"}", "is never \"images\""),
        (alert, "reason=\"image\"}", "cause=\"image\"}", "has no label cause"),
        (alert, "by: [cluster, namespace, workload_kind, workload]", "by: [cluster, namespace]", "lacks labels"),
        (alert, "by: [cluster,", "by: [pod, cluster,", "does not keep: pod"),
        (alert, "{{ $labels.workload }}", "{{ $labels.pod }}", "summary: names the label pod"),
        (alert, "wait.\n", "wait {{ $value }}.\n", "one line without the value"),
        (alert, "{{ $value }} pods", "{{ query \"up\" }} pods", "asks Prometheus with `query`"),
        (alert, "inputs: [page]", "inputs: []", "inputs: lacks page"),
        (alert, "inputs: [page]", "inputs: [page, units]", "names units, which the expression does not read"),
        (alert, "  firing:", "  fires:", "unknown field"),
        (alert, "  just_under:", "  more:\n   other:", "has no just_under test"),
        (alert, "  flapping:", "  more:\n   other:", "has no flapping test"),
        (alert, "      6m: []\n", "", "is silent first"),
        (alert, "team: t}", "node: t}", "expects the label node"),
        (alert, "pod_waits{namespace=\"n\", pod=\"a\"", "pod_waits{namespace=\"n\", pud=\"a\"", "has no label pud"),
        (alert, "    at:\n      7m: []", "    at: {}", "looks at no time"),
        (
            alert,
            "sum by (cluster, namespace, workload_kind, workload) (\n    max by (cluster, namespace, workload_kind, workload, pod) (pod_waits{reason=\"image\"})\n  )",
            "max by (cluster, namespace, workload_kind, workload) (pod_waits) * on (pod) pod_waits",
            "more than one row",
        ),
        (
            alert,
            "pod_waits{reason=\"image\"})\n",
            "pod_waits) + on () group_left () histogram_quantile(0.9, sum by (le) (rate(wait_seconds_bucket[5m])))\n",
            "add the native query",
        ),
        (
            alert,
            "pod_waits{reason=\"image\"})\n",
            "pod_waits) + on () group_left () sum(unit_failed)\n",
            "inputs: lacks units",
        ),
        ("records.yaml", "workload:yagura_owner:group", "workload:owner", "is not level:metric:operation"),
        (
            "records.yaml",
            "record: workload:yagura_owner:group",
            "record: node:other:sum",
            "name of a record of another set",
        ),
        (
            "records.yaml",
            "cluster, namespace, workload_kind, workload, \"",
            "cluster, namespace, workload, \"",
            "promises the label workload_kind",
        ),
        ("thresholds.yaml", "unit: count", "unit: ratio", "a ratio lies between 0 and 1"),
        ("thresholds.yaml", "about: How many may wait.", "about: ''", "does not say what is limited"),
        ("inputs.yaml", "missing: absent(pod_waits)", "missing: absent(pod_weights)", "nothing declares pod_weights"),
        ("inputs.yaml", "    flag: --collector.units\n", "", "is off by default and has no flag"),
        ("taken.yaml", "Watchdog", "PodsWait", "name of an alert of another set"),
    ] {
        let said = read(&sources(file, from, to)).err().unwrap_or_else(|| panic!("{to:?} was not refused"));
        assert!(said.contains(why), "{to:?}: {said}");
        assert!(said.lines().all(|line| line.contains(".yaml")), "{said}");
    }
}
