//! Line by line beside a real kube-state-metrics, whose binary `KSM` names; `cargo xtask parity ksm` builds it and runs
//! this. Both programs watch the same loopback API server, which has one rich object of each kind in every way that
//! [`change`] knows. `KSM_OBJECTS` names further plain objects, one `{"resource":…,"object":…}` a line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a test's, and ends with it"
)]

mod change;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::File,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use testkit::{ApiServer, Child, wait_for};
use yagura_kube_state::{family::Gate, kind::Resource, resources};

const OBJECTS: &str = include_str!("objects.yaml");
const SYNC_TIMEOUT: Duration = Duration::from_mins(5);
/// Objects with several changes, for each plain one.
const MIXED: usize = 150;
const LISTS: &[(&str, &[&str])] = &[
    ("plain", &[]),
    (
        "all",
        &["--metric-labels-allowlist=*=[*]", "--metric-annotations-allowlist=*=[*]", "--metric-opt-in-list=^kube_"],
    ),
    (
        "some",
        &[
            "--metric-labels-allowlist=pods=[team,app.*,*,x*],nodes=[a.b,a-b,*/b],deployments=[*,app],services=[*_conflict1]",
            "--metric-annotations-allowlist=pods=[example.com/*],namespaces=[contact,*]",
            "--metric-opt-in-list=nodeselectors$",
            "--metric-denylist=^kube_.*_created$,kube_pod_status_(?!phase)",
        ],
    ),
];

#[derive(Clone, Deserialize)]
struct Plain {
    resource: String,
    object: Value,
}

/// What was done to each object, by its name.
type Told = HashMap<String, String>;

#[test]
fn every_line_is_the_one_that_kube_state_metrics_writes() {
    let Some(theirs) = testkit::given("KSM").map(PathBuf::from) else {
        println!("skipped: no kube-state-metrics to compare with: KSM does not name its binary");
        return;
    };
    let api = ApiServer::start().unwrap();
    let told = fill(&api);
    let mut differences = 0;
    let lists = testkit::given("KSM_LISTS").unwrap_or_default();
    for (name, flags) in LISTS.iter().filter(|(name, _)| lists.is_empty() || lists.split(',').any(|list| list == *name))
    {
        let ours = page(&api, Path::new(env!("CARGO_BIN_EXE_yagura-kube-state")), flags, "ours");
        let theirs = page(&api, &theirs, flags, "theirs");
        differences += compare(name, &ours, &theirs, &told);
    }
    assert_eq!(differences, 0, "lines differ");
}

/// The kinds that are compared: all, or those that `KSM_KINDS` names.
fn kinds() -> Vec<String> {
    let named = testkit::given("KSM_KINDS").unwrap_or_default();
    let all = resources::ALL.iter().map(|resource| resource.about().plural.to_owned());
    all.filter(|plural| named.is_empty() || named.split(',').any(|name| name == plural)).collect()
}

/// Puts all objects into the server.
fn fill(api: &ApiServer) -> Told {
    let mut plain: Vec<Plain> = serde_saphyr::from_str(OBJECTS).unwrap();
    for resource in resources::ALL {
        let plural = resource.about().plural;
        assert!(plain.iter().any(|plain| plain.resource == plural), "there is an object of {plural}");
    }
    let mut mixed = vec![MIXED; plain.len()];
    if let Some(path) = testkit::given("KSM_OBJECTS") {
        let text = std::fs::read_to_string(&path).unwrap();
        plain.extend(text.lines().map(|line| serde_json::from_str::<Plain>(line).unwrap()));
        mixed.resize(plain.len(), 4);
    }
    let mut told = Told::new();
    let kinds = kinds();
    let wanted = plain.iter().zip(mixed).filter(|(plain, _)| kinds.contains(&plain.resource));
    for (at, (Plain { resource, object }, mixed)) in wanted.enumerate() {
        let about = resources::find(resource).unwrap_or_else(|| panic!("no kind {resource}")).about();
        let mut put = |what: String, mut object: Value| {
            let number = told.len();
            let (name, uid) = (format!("m-{number}"), format!("00000000-0000-4000-8000-{number:012}"));
            let kinds =
                if about.group.is_empty() { "v1".to_owned() } else { format!("{}/{}", about.group, about.version) };
            object["kind"] = about.kind.into();
            object["apiVersion"] = kinds.into();
            object["metadata"]["name"] = name.clone().into();
            object["metadata"]["uid"] = uid.clone().into();
            api.put(&about.path(None), &uid, &object.to_string());
            told.insert(name, format!("{resource}: {what}"));
        };
        put("as it is".to_owned(), object.clone());
        let seed = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::try_from(at).unwrap() + 1);
        let is_ours = mixed == MIXED;
        for changed in change::changed(object, mixed, seed) {
            let is_wanted = is_ours || changed.what.contains("; ");
            if is_wanted && !change::is_deadly(resource, &changed.object) {
                put(changed.what, changed.object);
            }
        }
    }
    println!("{} objects of {} kinds", told.len(), kinds.len());
    told
}

/// The page of a program once it has all objects.
fn page(api: &ApiServer, binary: &Path, flags: &[&str], who: &str) -> String {
    let (objects, own) = (free_port(), free_port());
    let kinds = kinds();
    let log = std::env::temp_dir().join(format!("differential-{who}-{objects}.log"));
    let mut command = Command::new(binary);
    command.args(flags).args(["--host=127.0.0.1", "--telemetry-host=127.0.0.1"]);
    command.args([format!("--apiserver={}", api.url()), format!("--resources={}", kinds.join(","))]);
    command.args([format!("--port={objects}"), format!("--telemetry-port={own}")]);
    command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
    let mut child = Child::start(&mut command).unwrap();
    let mut before = String::new();
    let full = || {
        if let Some(status) = child.handle().try_wait().unwrap() {
            panic!("{who} ended with {status}: {}", tail(&log));
        }
        std::thread::sleep(Duration::from_secs(1));
        let page = get(objects, "/metrics")?;
        let is_full = page.len() == before.len() && infos(&page) == kinds.len();
        before = page;
        is_full.then_some(())
    };
    let is_full = wait_for(SYNC_TIMEOUT, full).is_some();
    assert!(is_full, "{who} shows {} of {} kinds: {}", infos(&before), kinds.len(), tail(&log));
    drop(child);
    std::fs::remove_file(&log).ok();
    before
}

/// How many kinds have a series of an object.
fn infos(page: &str) -> usize {
    let has = |resource: &&&dyn Resource| {
        resource
            .descs()
            .any(|desc| page.lines().any(|line| line.strip_prefix(desc.name).is_some_and(|rest| rest.starts_with('{'))))
    };
    resources::ALL.iter().filter(has).count()
}

/// Prints the differences, the ones of a family and a change together.
fn compare(name: &str, ours: &str, theirs: &str, told: &Told) -> usize {
    let mut counts: HashMap<String, i64> = HashMap::new();
    let mut lines = 0;
    for line in ours.lines().filter(|line| !is_beyond(line)).filter_map(comparable) {
        *counts.entry(line).or_default() += 1;
        lines += 1;
    }
    // Theirs writes a series as often as the object names it; ours once, with the first value.
    let mut seen = HashSet::new();
    for line in theirs.lines() {
        let is_again = !line.starts_with('#') && line.rsplit_once(' ').is_some_and(|(series, _)| !seen.insert(series));
        if !is_again && let Some(line) = comparable(line) {
            *counts.entry(line).or_default() -= 1;
        }
    }
    counts.retain(|_, count| *count != 0);
    let mut groups: BTreeMap<(String, String), Vec<(&str, i64)>> = BTreeMap::new();
    for (line, count) in &counts {
        let family = line.split(['{', ' ']).find(|word| !word.is_empty() && *word != "#").unwrap_or("").to_owned();
        let object = line.split('"').find(|value| told.contains_key(*value));
        groups
            .entry((family, object.map_or_else(String::new, |name| told[name].clone())))
            .or_default()
            .push((line, *count));
    }
    for ((family, what), mut lines) in groups.iter().map(|(key, lines)| (key, lines.clone())).take(60) {
        println!("{name}: {family}: {what}");
        lines.sort_unstable();
        for (line, count) in lines.iter().take(4) {
            println!("    {} {line}", if *count > 0 { "ours  " } else { "theirs" });
        }
    }
    println!("{name}: {lines} lines compared, {} differ, for {} families and changes", counts.len(), groups.len());
    counts.len()
}

/// Whether a line is of a family that only we have, which an opt-in list for everything asks for too.
fn is_beyond(line: &str) -> bool {
    let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").split(['{', ' ']).next();
    let mut ours = resources::ALL.iter().flat_map(|resource| resource.descs()).filter(|desc| desc.gate == Gate::Ours);
    ours.any(|desc| Some(desc.name) == name)
}

/// Series as they are, of families' heads what is not our own words.
fn comparable(line: &str) -> Option<String> {
    let Some(help) = line.strip_prefix("# HELP ") else { return Some(line.to_owned()) };
    let (name, help) = help.split_once(' ')?;
    let stability = ["[STABLE] ", "(Deprecated"].into_iter().filter(|mark| help.contains(mark));
    Some(format!("# HELP {name} {}", stability.collect::<String>()))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(socket, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}
