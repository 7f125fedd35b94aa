//! Custom kinds: `custom/<case>/config.yaml` and `objects.json` give `expected.prom`, `expected.types` where OpenMetrics
//! knows more types, and the trouble in `expected.trouble`. `UPDATE_GOLDEN=1 cargo test` writes them anew; review them.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use serde_json::{Value, json};
use yagura_kube_state::{
    custom::{Config, Definition, Discovery},
    select::{Families, Selection},
    store::Format,
};

fn cases() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/custom");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Definitions of what the configuration names and the objects say they are: an object without kind is of the kind
/// that the configuration names first, one without version of v1.
fn definitions(config: &str, objects: &[Value]) -> Vec<Definition> {
    let named =
        |key: &str| config.split_once(&format!("{key}: ")).unwrap().1.split([',', '}']).next().unwrap().to_owned();
    let group = named("group");
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for object in objects {
        let (kind, version) = kind_of(config, object);
        versions.entry(kind).or_default().insert(version);
    }
    let definition = |(kind, versions): (String, BTreeSet<String>)| {
        let plural = format!("{}s", kind.to_lowercase());
        let versions: Vec<Value> = versions.iter().map(|name| json!({"name": name, "served": true})).collect();
        let definition = json!({"metadata": {"name": format!("{plural}.{group}")}, "spec": {"group": group,
            "scope": "Namespaced", "names": {"kind": kind, "plural": plural}, "versions": versions},
            "status": established()});
        Definition::parse(definition.to_string().as_bytes()).unwrap()
    };
    versions.into_iter().map(definition).collect()
}

fn established() -> Value {
    json!({"conditions": [{"type": "Established", "status": "True"}]})
}

fn kind_of(config: &str, object: &Value) -> (String, String) {
    let first = config.split_once(" kind: ").unwrap().1.split([',', '}']).next().unwrap();
    let text = |key: &str, default: &str| object.get(key).and_then(Value::as_str).unwrap_or(default).to_owned();
    (text("kind", first), text("version", "v1"))
}

/// What is shown in a format, and the trouble that was met.
fn shown(config: &str, objects: &[Value], format: Format) -> (String, String) {
    let read = Config::parse(config, Path::new("config.yaml")).unwrap();
    assert_eq!(read.warnings, []);
    let mut discovery = Discovery::new(read);
    for definition in definitions(config, objects) {
        discovery.apply(definition);
    }
    let (mut text, mut said) = (Vec::new(), BTreeSet::new());
    let mut seen = BTreeSet::new();
    for kind in discovery.kinds() {
        let selection = Selection::default();
        let (mut store, mut rows) = (kind.store(&selection), kind.rows(&selection));
        for object in objects {
            if kind_of(config, object) != (kind.id.kind.clone(), kind.id.version.clone()) {
                continue;
            }
            let mut trouble = |family: &str, level: u8, what: yagura_kube_state::custom::Trouble| {
                let mut line = format!("{family} v{level}: {what}");
                if let Some(source) = std::error::Error::source(&what) {
                    let _ = write!(line, ": {source}");
                }
                said.insert(line);
            };
            kind.render(object.to_string().as_bytes(), &mut rows, &mut trouble).unwrap();
            store.put(&rows);
        }
        store.reader().snapshot().write_as(format, &mut text, |name| seen.insert(name.to_owned())).unwrap();
    }
    (String::from_utf8(text).unwrap(), said.into_iter().map(|line| line + "\n").collect())
}

fn compare(path: &Path, text: &str) {
    if testkit::given("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, text).unwrap();
    }
    assert_eq!(text, read(path), "{}", path.display());
}

#[test]
fn configurations_turn_objects_into_lines() {
    let cases = cases();
    assert!(cases.len() >= 4, "the cases are there");
    for case in cases {
        let config = read(&case.join("config.yaml"));
        let objects: Vec<Value> = serde_json::from_str(&read(&case.join("objects.json"))).unwrap();
        let (text, trouble) = shown(&config, &objects, Format::Text);
        compare(&case.join("expected.prom"), &text);
        compare(&case.join("expected.trouble"), &trouble);
        let (openmetrics, _) = shown(&config, &objects, Format::OpenMetrics);
        let types: String = openmetrics.split_inclusive('\n').filter(|line| line.starts_with("# TYPE")).collect();
        compare(&case.join("expected.types"), &types);
    }
}

#[test]
fn families_can_be_left_out() {
    let config = Config::parse(&read(&cases()[0].join("config.yaml")), Path::new("config.yaml")).unwrap();
    let mut discovery = Discovery::new(config);
    let definition = json!({"metadata": {"name": "ships.fleet.example.org"}, "spec": {"group": "fleet.example.org",
        "names": {"kind": "Ship", "plural": "ships"}, "versions": [{"name": "v1", "served": true}]},
        "status": established()});
    discovery.apply(Definition::parse(definition.to_string().as_bytes()).unwrap());
    let kind = discovery.kinds().next().unwrap();
    let selection = Selection::default().with_families(Families::new(&["created", "paused"], &[]).unwrap());
    let (mut store, mut rows) = (kind.store(&selection), kind.rows(&selection));
    let object = br#"{"metadata":{"uid":"u","name":"x","creationTimestamp":"2024-01-01T00:00:00Z"}}"#;
    kind.render(object, &mut rows, &mut |_, _, _| {}).unwrap();
    store.put(&rows);
    let mut text = Vec::new();
    store.reader().snapshot().write(&mut text, |_| true).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), 2, "{text}");
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 2, "{text}");
    for text in ["", "[]", "{}", r#"{"metadata":{"uid":7}}"#, r#"{"metadata":{"uid":""}}"#] {
        assert!(kind.render(text.as_bytes(), &mut rows, &mut |_, _, _| {}).is_err(), "{text}");
    }
}

/// The series that an `each` gives of an object, without name and the labels that name the kind, and its trouble.
fn of_each(each: &str, object: &Value) -> (BTreeSet<String>, String) {
    let config = format!(
        "spec: {{resources: [{{groupVersionKind: {{group: g.example, version: v1, kind: Ship}}, metricNamePrefix: '', \
         metrics: [{{name: m, each: {each}}}]}}]}}"
    );
    let (text, trouble) = shown(&config, std::slice::from_ref(object), Format::Text);
    let series = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (labels, value) = line.strip_prefix("m{").unwrap().rsplit_once("} ").unwrap();
        let own = labels.split(',').filter(|label| !label.starts_with("customresource_"));
        format!("{} {value}", own.collect::<Vec<_>>().join(","))
    });
    (series.collect(), trouble)
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn each_kind_of_metric_behaves_as_in_kube_state_metrics_2_20() {
    let ship = json!({
        "metadata": {"uid": "u", "name": "aurora", "creationTimestamp": "2022-06-28T00:00:00Z", "share": "39%",
            "labels": {"home": "Kiel"}, "annotations": {"flag": "red", "rank": "2"}},
        "spec": {"crew": 3, "engine": "v0", "holds": [{"id": 1, "wet": true}, {"id": 3, "wet": false}]},
        "status": {
            "by": {"bow": 1, "stern": 3}, "tanks": {"bow": {"used": 1, "left": 2}, "stern": {"used": 3, "left": 4}},
            "phase": "Sailing", "speed": 43.21, "milli": "250m", "binary": "5Gi", "share": "28%", "nothing": null,
            "pumps": [{"name": "a", "rate": 45}, {"name": "b", "rate": 66}, null],
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Painted", "status": "False"}],
        },
    });
    let nothing: &[&str] = &[];
    for (each, series, trouble) in [
        ("{type: gauge, gauge: {path: [spec, crew]}}", &[" 3"][..], ""),
        ("{type: Gauge, gauge: {path: [status, by], labelFromKey: at}}", &["at=\"bow\" 1", "at=\"stern\" 3"], ""),
        (
            "{type: gauge, gauge: {path: [status, tanks], labelFromKey: at, valueFrom: [left], labelsFromPath: {used: [used]}}}",
            &["at=\"bow\",used=\"1\" 2", "at=\"stern\",used=\"3\" 4"],
            "",
        ),
        // The path may stop one short of the number that valueFrom names.
        (
            "{type: gauge, gauge: {path: [metadata], valueFrom: [creationTimestamp], labelsFromPath: {name: [name]}}}",
            &["name=\"aurora\" 1.6563744e+09"],
            "",
        ),
        ("{type: gauge, gauge: {path: [metadata], valueFrom: [share]}}", &[" 0.39"], ""),
        (
            "{type: gauge, gauge: {path: [spec, gone], valueFrom: [x]}}",
            nothing,
            "m v0: there is nothing at [spec,gone]\n",
        ),
        ("{type: gauge, gauge: {path: [status, nothing]}}", nothing, "m v0: there is nothing at [status,nothing]\n"),
        ("{type: gauge, gauge: {path: [spec, crew], valueFrom: [gone]}}", nothing, ""),
        ("{type: gauge, gauge: {path: [spec, holds], valueFrom: [gone]}}", nothing, ""),
        (
            "{type: gauge, gauge: {path: [spec, holds], valueFrom: [id], labelsFromPath: {wet: [wet]}}}",
            &["wet=\"true\" 1", "wet=\"false\" 3"],
            "",
        ),
        ("{type: gauge, gauge: {path: [metadata, creationTimestamp]}}", &[" 1.6563744e+09"], ""),
        ("{type: gauge, gauge: {path: [status, milli]}}", &[" 0.25"], ""),
        ("{type: gauge, gauge: {path: [status, binary]}}", &[" 5.36870912e+09"], ""),
        ("{type: gauge, gauge: {path: [status, share]}}", &[" 0.28"], ""),
        ("{type: gauge, gauge: {path: [spec, paused], nilIsZero: true}}", &[" 0"], ""),
        // A list index beyond the list leads nowhere, as any path that leads nowhere.
        ("{type: gauge, gauge: {path: [spec, holds, 5], nilIsZero: true}}", &[" 0"], ""),
        ("{type: gauge, gauge: {path: [spec, holds, -3, id], nilIsZero: true}}", &[" 0"], ""),
        ("{type: gauge, gauge: {path: [spec, holds], valueFrom: [9], nilIsZero: true}}", &[" 0"], ""),
        ("{type: gauge, gauge: {path: [spec, holds, 5]}}", nothing, "m v0: there is nothing at [spec,holds,5]\n"),
        ("{type: gauge, gauge: {path: [spec, holds, -1, id], labelsFromPath: {far: ['7']}}}", &[" 3"], ""),
        ("{type: info, info: {labelsFromPath: {far: [spec, holds, 5], crew: [spec, crew]}}}", &["crew=\"3\" 1"], ""),
        ("{type: info, info: {labelsFromPath: {far: [spec, holds, '5', id]}}}", nothing, ""),
        ("{type: info, info: {labelsFromPath: {engine: [spec, engine]}}}", &["engine=\"v0\" 1"], ""),
        ("{type: info, info: {path: [does, not, exist], labelsFromPath: {x: [x]}}}", nothing, ""),
        ("{type: info, info: {path: [status, by], labelFromKey: at}}", &["at=\"bow\" 1", "at=\"stern\" 1"], ""),
        (
            "{type: info, info: {path: [status, tanks], labelsFromPath: {used: [used]}}}",
            &["used=\"1\" 1", "used=\"3\" 1"],
            "",
        ),
        (
            "{type: info, info: {path: [status, pumps], labelsFromPath: {name: [name]}}}",
            &["name=\"a\" 1", "name=\"b\" 1"],
            "",
        ),
        (
            "{type: info, info: {labelsFromPath: {'*': [metadata, labels], 'note_*': [metadata, annotations], home: [spec, crew]}}}",
            &["home=\"3\",note_flag=\"red\",note_rank=\"2\" 1"],
            "",
        ),
        ("{type: info, info: {labelsFromPath: {flag: [metadata, annotations, flag=red]}}}", &["flag=\"red\" 1"], ""),
        ("{type: info, info: {labelsFromPath: {flag: [metadata, annotations, flag=blue]}}}", nothing, ""),
        (
            "{type: stateset, stateSet: {path: [status, phase], labelName: phase, list: [Sailing, Docked]}}",
            &["phase=\"Sailing\" 1", "phase=\"Docked\" 0"],
            "",
        ),
        // A state that is absent is silent wherever it is, not only in the status.
        ("{type: StateSet, stateSet: {path: [does, not, exist], labelName: p, list: [a]}}", nothing, ""),
        ("{type: StateSet, stateSet: {path: [spec, gone], labelName: p, list: [a]}}", nothing, ""),
        ("{type: StateSet, stateSet: {path: [spec, holds, 5], labelName: p, list: [a]}}", nothing, ""),
        (
            "{type: StateSet, stateSet: {path: [status], valueFrom: [does, not, exist], labelName: p, list: [a]}}",
            nothing,
            "",
        ),
        (
            "{type: StateSet, stateSet: {path: [spec, crew], labelName: p, list: ['3']}}",
            nothing,
            "m v0: [spec,crew]: a state should be text, but is a number\n",
        ),
        (
            "{type: StateSet, stateSet: {path: [status], valueFrom: [speed], labelName: p, list: [a]}}",
            nothing,
            "m v0: [status,speed]: a state should be text, but is a number\n",
        ),
        // Two elements that say the same of one state are one series, and the first is shown.
        (
            "{type: StateSet, stateSet: {path: [status, pumps], valueFrom: [name], labelName: p, list: [a]}}",
            &["p=\"a\" 1"],
            "",
        ),
        ("{type: gauge, gauge: {path: [status, conditions, '[type=Ready]', status]}}", &[" 1"], ""),
        (
            "{type: gauge, gauge: {path: [status, conditions], valueFrom: [status], labelsFromPath: {type: [type]}}}",
            &["type=\"Ready\" 1", "type=\"Painted\" 0"],
            "",
        ),
        ("{type: gauge, gauge: {path: [spec, holds, '[id=3]', wet]}}", &[" 0"], ""),
        ("{type: gauge, gauge: {path: [spec, holds, '[wet=false]', id]}}", &[" 3"], ""),
    ] {
        let (shown, said) = of_each(each, &ship);
        let expected: BTreeSet<String> = series.iter().map(|series| (*series).to_owned()).collect();
        assert_eq!((&shown, said.as_str()), (&expected, trouble), "{each}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}|[0-9]{1,3}%|[0-9]{1,4}(m|Ki|e3)|True|2024-0[0-9]-11T00:00:00Z".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("a|b|c|\"|é|1|", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_path() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("a|b|c|0|-1|7|a=b|\\[a=b\\]|\\[b=1\\]|\\[c=true\\]|\"", 0..4)
}

proptest! {
    #[test]
    fn no_object_and_no_path_is_too_odd(
        object in any_json(),
        paths in proptest::array::uniform4(any_path()),
        kind in "gauge|info|stateSet",
        nil_is_zero in any::<bool>(),
    ) {
        let [path, value_from, label, star] = paths;
        let mut inside = json!({"path": path, "labelsFromPath": {"l": label, "*": star, "p_*": []}});
        let options = match kind.as_str() {
            "gauge" => json!({"valueFrom": value_from, "nilIsZero": nil_is_zero, "labelFromKey": "key"}),
            "info" => json!({"labelFromKey": "key"}),
            _ => json!({"valueFrom": value_from, "labelName": "state", "list": ["a", "", "True"]}),
        };
        inside.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let config = json!({"spec": {"resources": [{"groupVersionKind": {"group": "g", "kind": "Thing", "version": "v1"},
            "metrics": [{"name": "m", "each": {"type": &kind, kind.as_str(): inside}}]}]}});
        let mut discovery = Discovery::new(Config::parse(&config.to_string(), Path::new("c")).unwrap());
        let definition = br#"{"metadata":{"name":"things.g"},"spec":{"group":"g","names":{"kind":"Thing",
            "plural":"things"},"versions":[{"name":"v1","served":true}]},
            "status":{"conditions":[{"type":"Established","status":"True"}]}}"#;
        discovery.apply(Definition::parse(definition).unwrap());
        let kind = discovery.kinds().next().unwrap();
        let (mut store, mut rows) = (kind.store(&Selection::default()), kind.rows(&Selection::default()));
        let object = json!({"a": object, "metadata": {"uid": "u"}});
        kind.render(object.to_string().as_bytes(), &mut rows, &mut |_, _, _| {}).unwrap();
        store.put(&rows);
        let mut text = Vec::new();
        store.reader().snapshot().write(&mut text, |_| true).unwrap();
        let page = expo::parse_lenient(&text, expo::Format::Text004);
        prop_assert!(page.is_ok(), "{page:?}\n{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn any_text_is_a_configuration_or_an_error(text in "\\PC{0,200}|(spec|resources|metrics|each|type|gauge|path|[:\\[\\]{}, \n*&-]){0,40}") {
        let _ = Config::parse(&text, Path::new("c.yaml"));
    }
}
