//! Every way in which an object is changed: each of its values is left out, made null, emptied and replaced by odd ones
//! of the same type. Other types are not tried: kube-state-metrics refuses a whole list for one of them.

use serde_json::{Map, Value, json};

/// An object that differs from a plain one.
pub(crate) struct Changed {
    /// What was done: `spec.replicas = -1`.
    pub(crate) what: String,
    pub(crate) object: Value,
}

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    At(usize),
}

#[derive(Clone, Debug)]
struct Change {
    path: Vec<Step>,
    /// Left out when there is none.
    value: Option<Value>,
}

const TEXTS: &[&str] =
    &["", "a\"b\\c\nd\te", "é☃\u{7f}\u{0}", " ", "True", "False", "true", "Unknown", "0", "{x=\"y\"} 1"];
const TIMES: &[&str] = &[
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:01Z",
    "1969-12-31T23:59:59.5Z",
    "1970-01-01T00:00:00Z",
    "2020-02-29T23:59:59.999999+05:30",
    "2026-03-29T01:59:59Z",
    "2026-10-25T02:30:00+02:00",
    "9990-12-31T23:59:59Z",
];
const QUANTITIES: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1",
    "1e3",
    "1E-3",
    "1.5",
    "0.5Gi",
    "-1.5Ki",
    "100n",
    "1n",
    "999u",
    "1u",
    "1m",
    "-1m",
    "1500m",
    "1501m",
    "0.0001",
    "0.00000000001",
    "1k",
    "3M",
    "0.1G",
    "12T",
    "7P",
    "9E",
    "10E",
    "8Ei",
    "1Ei",
    "123456789012345678",
    "12345678901234567890",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "9223372036854775.807",
    "9223372036854776",
    "1e18",
    "1e19",
    "1.00000000000000000001",
    "0.1234567891",
    "+5",
    ".5",
    "5.",
    "00012",
    "1e-30",
    "1.1Mi",
    "18446744073709551616",
    "4.000000001",
    "99999999999999999999999Ki",
    "4611686018427387904k",
    "12345678901234567890m",
];
/// Parents of quantities.
const AMOUNTS: &[&str] = &[
    "limits",
    "requests",
    "hard",
    "used",
    "capacity",
    "allocatable",
    "overhead",
    "default",
    "defaultRequest",
    "max",
    "min",
    "maxLimitRequestRatio",
];
/// Quantities by their own name.
const AMOUNT: &[&str] = &["averageValue", "tolerance"];
/// Numbers of things or percentages.
const PARTS: &[&str] = &["maxUnavailable", "maxSurge", "minAvailable"];
/// Bytes in base64.
const BYTES: &[&str] = &["request", "certificate", "tls.key"];
/// Numbers of 64 bits.
const LONG: &[&str] =
    &["generation", "observedGeneration", "tolerationSeconds", "activeDeadlineSeconds", "startingDeadlineSeconds"];
const SCHEDULES: &[&str] = &[
    "",
    "* * * * *",
    "*/7 * * * 1-5",
    "0 0 31 2 *",
    "60 * * * *",
    "0 0 * * SUN",
    "0 0 ? * MON-FRI/2",
    "@every 1h30m",
    "@every 500ms",
    "@every 1.5h",
    "@every -5m",
    "@every",
    "@every 1x",
    "@hourly",
    "@daily",
    "@midnight",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
    "@reboot",
    "@Hourly",
    "TZ=Europe/Berlin 0 3 * * *",
    "CRON_TZ=Asia/Tokyo 30 4 1 * *",
    "CRON_TZ=Nowhere 0 0 * * *",
    "TZ=UTC",
    "TZ=UTC @daily",
    "* * * * * *",
    "* * * *",
    "0  0  *  *  *",
    " 0 0 * * * ",
    "5/10 * * * *",
    "5-1 * * * *",
    "1,2,3-9/2 1-2,4 * jan,DEC *",
    "0 0 29 2 *",
    "0 0 1 1 7",
    "0 0 * * 0-7",
    "30 2 * * *",
    "30 1 25 10 *",
    "0 0 13 * 5",
    "*/0 * * * *",
    "a * * * *",
    "0-59/61 * * * *",
    "-1 * * * *",
    "1-2-3 * * * *",
    "* * */3 * */2",
    "0 0 1 1 *",
    "+5 * * * *",
    "05 * * * *",
    "*/5,1 * * * *",
    "59 23 31 12 6",
    "*-5 * * * *",
    "?/5 * * * *",
    "1//2 * * * *",
    "0 0 , * *",
    "0 0 1, * *",
];
const ZONES: &[&str] = &[
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Nowhere/City",
    "",
    "UTC",
    "Local",
    "local",
    "utc",
    "Etc/GMT+5",
    "EST5EDT",
    "../etc/passwd",
    "Europe/Berlin ",
    "europe/berlin",
    "GMT",
    "CET",
];
const ADDRESSES: &[&str] = &[
    "",
    "::1",
    "1.2.3",
    "01.2.3.4",
    "fe80::1%eth0",
    "::ffff:1.2.3.4",
    "1.2.3.4 ",
    "fd00::g",
    "fe80::1%",
    "::ffff:0102:0304",
];

/// Whether an object ends kube-state-metrics: it takes for granted what the API server's validation sees to.
pub(crate) fn is_deadly(resource: &str, object: &Value) -> bool {
    let none = Vec::new();
    let list = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let has = |value: &Value, key: &str| value.get(key).is_some_and(|value| !value.is_null());
    match resource {
        "horizontalpodautoscalers" => list(object, "/spec/metrics").iter().any(|metric| {
            let source = match metric.get("type").and_then(Value::as_str).unwrap_or("") {
                "Resource" => "resource",
                "ContainerResource" => "containerResource",
                "Pods" => "pods",
                "Object" => "object",
                "External" => "external",
                _ => return false,
            };
            !has(metric, source)
        }),
        "ingresses" => list(object, "/spec/rules").iter().any(|rule| {
            let paths = rule.pointer("/http/paths").and_then(Value::as_array).unwrap_or(&none);
            paths.iter().any(|path| {
                path.get("backend").is_none_or(|backend| !has(backend, "service") && !has(backend, "resource"))
            })
        }),
        _ => false,
    }
}

/// How many of an object's other texts are tried in place of each.
const WORDS: usize = 6;

/// All objects that differ from this one in a single place, and `mixed` more that differ in several.
pub(crate) fn changed(object: &Value, mixed: usize, seed: u64) -> Vec<Changed> {
    let mut changes = Vec::new();
    let mut words = words(object);
    words.sort_unstable();
    words.dedup();
    walk(object, &mut Vec::new(), &words, &mut changes);
    let mut all: Vec<Changed> =
        changes.iter().filter_map(|change| apply(object, std::slice::from_ref(change))).collect();
    let mut random = seed | 1;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    for _ in 0..mixed {
        let several: Vec<Change> = (0..2 + next(6)).map(|_| changes[next(changes.len())].clone()).collect();
        all.extend(apply(object, &several));
    }
    all
}

fn apply(object: &Value, changes: &[Change]) -> Option<Changed> {
    let mut object = object.clone();
    let mut what = Vec::new();
    for Change { path, value } in changes {
        if set(&mut object, path, value.clone()) {
            let path: Vec<String> = path.iter().map(Step::text).collect();
            let value = value.as_ref().map_or_else(|| "left out".to_owned(), |value| format!("= {value}"));
            what.push(format!("{} {value}", path.join(".")));
        }
    }
    (!what.is_empty()).then(|| Changed { what: what.join("; "), object })
}

impl Step {
    fn text(&self) -> String {
        match self {
            Self::Key(key) => key.clone(),
            Self::At(at) => at.to_string(),
        }
    }
}

/// False when the path is not there.
fn set(value: &mut Value, path: &[Step], new: Option<Value>) -> bool {
    let Some((step, rest)) = path.split_first() else { return false };
    if let (Value::Object(map), Step::Key(key), [], None) = (&mut *value, step, rest, &new) {
        return map.remove(key).is_some();
    }
    let inner = match step {
        Step::Key(key) => value.get_mut(key),
        Step::At(at) => value.get_mut(at),
    };
    match (inner, rest, new) {
        (None, ..) => false,
        (Some(inner), [], Some(new)) => {
            *inner = new;
            true
        }
        (Some(inner), rest, new) => set(inner, rest, new),
    }
}

/// All short texts of an object, each once: what stands in one place may stand in another.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text.len() < 24 => vec![text.clone()],
        Value::Array(list) => list.iter().flat_map(words).collect(),
        Value::Object(map) => map.values().flat_map(words).collect(),
        _ => Vec::new(),
    }
}

fn walk(value: &Value, path: &mut Vec<Step>, words: &[String], changes: &mut Vec<Change>) {
    if is_fixed(path) {
        return;
    }
    if !path.is_empty() && !matches!(path.as_slice(), [Step::Key(key)] if key == "metadata") {
        if matches!(path.last(), Some(Step::Key(_))) {
            changes.push(Change { path: path.clone(), value: None });
        }
        let mut values = vec![Value::Null];
        alternatives(value, path, words, &mut values);
        values.retain(|other| other != value);
        changes.extend(values.into_iter().map(|value| Change { path: path.clone(), value: Some(value) }));
    }
    match value {
        Value::Array(list) => {
            for (at, inner) in list.iter().enumerate() {
                path.push(Step::At(at));
                walk(inner, path, words, changes);
                path.pop();
            }
        }
        Value::Object(map) => {
            for (key, inner) in map {
                path.push(Step::Key(key.clone()));
                walk(inner, path, words, changes);
                path.pop();
            }
        }
        _ => {}
    }
}

/// What tells one object from another, and what says of what type it is.
fn is_fixed(path: &[Step]) -> bool {
    let keys: Vec<&str> = path.iter().map(|step| if let Step::Key(key) = step { key.as_str() } else { "" }).collect();
    matches!(keys.as_slice(), ["apiVersion" | "kind"] | ["metadata", "name" | "namespace" | "uid"])
}

fn alternatives(value: &Value, path: &[Step], words: &[String], out: &mut Vec<Value>) {
    let names: Vec<&str> =
        path.iter().filter_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None }).collect();
    let last = names.last().copied().unwrap_or("");
    let parent = names.len().checked_sub(2).and_then(|at| names.get(at)).copied().unwrap_or("");
    let is_text_map =
        matches!(last, "labels" | "annotations" | "nodeSelector" | "attachmentMetadata" | "volumeAttributes");
    let mut texts = |list: &[&str]| out.extend(list.iter().map(|text| json!(text)));
    let is_metric = parent == "target" || parent == "current";
    if (AMOUNTS.contains(&parent) && matches!(path, [.., Step::Key(_), Step::Key(_)]) && !value.is_object())
        || AMOUNT.contains(&last)
        || (last == "value" && is_metric)
    {
        texts(QUANTITIES);
        out.extend([json!(3), json!(-2), json!(1.5), json!(1e21), json!(0)]);
        return;
    }
    if PARTS.contains(&last) {
        texts(&[
            "0%",
            "1%",
            "33%",
            "50%",
            "99%",
            "101%",
            "-5%",
            "5",
            "",
            "%",
            "5 %",
            "1.5%",
            "+5%",
            "05%",
            "x%",
            "99999999999999999999%",
        ]);
        out.extend([json!(0), json!(-3), json!(2_147_483_647)]);
        return;
    }
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.push(json!(!flag)),
        Value::Number(_) => {
            out.extend([0, 1, -1, 7, 100, 1_000_000, 2_147_483_647, -2_147_483_648].map(Value::from));
            if LONG.contains(&last) {
                out.extend([9_007_199_254_740_993, i64::MAX, i64::MIN].map(Value::from));
            }
        }
        Value::String(text) if text.get(4..5) == Some("-") && text.get(10..11) == Some("T") => {
            let micro = text.contains('.');
            // Leases have times with exactly six digits of a second.
            let time = |time: &&str| {
                let (whole, rest) = time.split_at(19);
                let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
                if micro {
                    format!("{whole}.{}{zone}", if whole.starts_with("0001") { "000000" } else { "250000" })
                } else {
                    (*time).to_owned()
                }
            };
            out.extend(TIMES.iter().map(time).map(Value::from));
        }
        Value::String(_) if last == "schedule" => texts(SCHEDULES),
        Value::String(_) if last == "timeZone" => texts(ZONES),
        Value::String(_) if BYTES.contains(&last) => texts(&["", "eA==", "eHg=", "eHh4", "eHh4eA=="]),
        Value::String(_) if matches!(last, "resourceVersion") => {
            texts(&["0", "1e3", "x", "-5", "18446744073709551616", "0x1p4", "nan", "1_0"]);
        }
        Value::String(_) if matches!(last, "ip" | "podIP" | "hostIP") => texts(ADDRESSES),
        Value::String(text) => {
            texts(TEXTS);
            // Not the same ones everywhere.
            let first = path.len() * 31 + text.len() * 7 + out.len();
            let some = words.iter().cycle().skip(first % words.len().max(1)).step_by(3).take(WORDS.min(words.len()));
            out.extend(some.map(|word| json!(word)));
        }
        Value::Array(list) => {
            out.push(json!([]));
            out.push(Value::Array(list.iter().rev().cloned().collect()));
            out.push(Value::Array(list.iter().chain(list).cloned().collect()));
            out.push(Value::Array(list.iter().cloned().chain([Value::Null]).collect()));
        }
        Value::Object(_) if is_text_map => {
            out.push(json!({}));
            out.extend(maps());
        }
        Value::Object(map) => {
            out.push(json!({}));
            if AMOUNTS.contains(&last) {
                out.extend(amounts());
            } else if let Some(changed) = swapped(map) {
                out.push(changed);
            }
        }
    }
}

/// Labels whose names become the same, or odd.
fn maps() -> Vec<Value> {
    vec![
        json!({"a.b": "1", "a-b": "2", "a/b": "3"}),
        json!({"a.b": "1", "a-b": "2", "a_b_conflict1": "3", "a-b-conflict2": "4", "a_b_conflict1_conflict1": "5"}),
        json!({"aB": "1", "a_b": "2", "A_B": "3", "AB": "4", "ab": "5", "aBC": "6", "HTTPServer2Go": "7", "x9Y": "8"}),
        json!({"": "empty", "é": "1", "☃": "2", "日本": "3", "1st": "4", "_": "5", "__": "6", "a b": "7"}),
        json!({"namespace": "n", "pod": "p", "uid": "u", "node": "m", "deployment": "d"}),
        json!({"v": "a\"b\\c\nd\re\tf", "w": "", "x": "\u{0}", "y": "\u{2028}", "z": null}),
        json!({"team/x": "1", "team/y": "2", "teamz": "3", "app.kubernetes.io/name": "4", "*": "5"}),
        json!({"node-role.kubernetes.io/": "e", "node-role.kubernetes.io/a/b": "s", "node-role.kubernetes.io/master": "", "x.node-role.kubernetes.io/no": ""}),
        json!({"storageclass.kubernetes.io/is-default-class": "True", "storageclass.beta.kubernetes.io/is-default-class": "true"}),
    ]
}

/// Names of resources that decide about units.
fn amounts() -> Vec<Value> {
    let names = [
        "cpu",
        "memory",
        "storage",
        "ephemeral-storage",
        "pods",
        "hugepages-2Mi",
        "hugepages-",
        "attachable-volumes-x",
        "attachable-volumes-",
        "nvidia.com/gpu",
        "requests.nvidia.com/gpu",
        "example.com/",
        "/x",
        "a/b/c",
        "kubernetes.io/x",
        "x.kubernetes.io/y",
        "UPPER.com/X",
        "example.com/under_score",
        "example.com/-dash",
        "example.com/dash-",
        "-x.com/y",
        "odd",
        "",
        "CPU",
        "cpu ",
        "é/é",
        "limits.cpu",
        "requests.storage",
        "hugepages-1Gi.x",
        "example.com/a.b",
        "ex_ample.com/a",
    ];
    let long = format!("{}/x", "a".repeat(250));
    let longer = format!("example.com/{}", "a".repeat(64));
    let most = format!("example.com/{}", "a".repeat(63));
    let all: Map<String, Value> =
        names.into_iter().map(str::to_owned).chain([long, longer, most]).map(|name| (name, json!("1500m"))).collect();
    vec![Value::Object(all), json!({"cpu": null, "memory": null})]
}

/// An object with the values of its texts going round.
fn swapped(map: &Map<String, Value>) -> Option<Value> {
    let is_plain = |key: &str, value: &Value| {
        value.as_str().is_some_and(|text| text.get(10..11) != Some("T"))
            && !AMOUNT.contains(&key)
            && !BYTES.contains(&key)
            && key != "value"
    };
    let texts: Vec<Value> =
        map.iter().filter(|(key, value)| is_plain(key, value)).map(|(_, value)| value.clone()).collect();
    let mut round = texts.iter().cycle().skip(1);
    let mut changed = map.clone();
    for (key, value) in &mut changed {
        if is_plain(key, value) {
            *value = round.next()?.clone();
        }
    }
    (texts.len() > 1).then_some(Value::Object(changed))
}
