//! Metrics about the program: upstream's, under upstream's names and label values, so that its alerts work, and our
//! own: objects, age, memory and errors by kind.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use daemon::{Program, Telemetry};
use kubernetes::What;
use md5::{Digest as _, Md5};
use metric::{Batch, Bytes, Catalog, Count, Desc, Family, FamilyEntry, HistogramVec, Kind, Label, Seconds, Section};
use parking_lot::Mutex;

use crate::{
    custom::{self, Follower},
    engine::{Engine, Health},
    shard::Shard,
    watch::{Counts, Verb, Why},
};

const ENDPOINT: &str = "/metrics of the telemetry port";
const UPSTREAM: &str = "kube-state-metrics";
const GO_TYPES: Label = Label::open("resource", "kinds that are watched");
const KINDS: Label = Label::open("kind", "kinds that are watched");
const RESULT: Label = Label::closed("result", &["success", "error"]);
const REQUEST_LABELS: &[Label; 2] = &[Label::closed("handler", &["metrics"]), Label::closed("method", &["get"])];
const FILE_LABELS: &[Label; 2] =
    &[Label::closed("type", &["config", "customresourceconfig"]), Label::open("filename", "configuration files")];

macro_rules! families {
    ($($name:ident: $unit:ty, $n:literal = $make:expr;)*) => {
        $(static $name: Family<$unit, $n> = $make;)*
        const FAMILIES: &[&Desc] = &[$($name.desc()),*];
    };
}

families! {
    BUILD: Count, 8 = Family::as_named_by(UPSTREAM, Kind::Gauge, "kube_state_metrics_build_info",
        "What was built; always 1. Labels about Go are empty.",
        &[Label::closed("branch", &[""]), Label::closed("client_go_version", &[""]), Label::open("goarch", "1"),
          Label::open("goos", "1"), Label::closed("goversion", &[""]), Label::open("revision", "1"),
          Label::closed("tags", &[""]), Label::open("version", "1")]);
    LISTS: Count, 2 = Family::as_named_by(UPSTREAM, Kind::Counter, "kube_state_metrics_list_total",
        "Lists of objects that were asked for, by how they went.", &[GO_TYPES, RESULT]);
    WATCHES: Count, 2 = Family::as_named_by(UPSTREAM, Kind::Counter, "kube_state_metrics_watch_total",
        "Watches of objects that were asked for, by how that went.", &[GO_TYPES, RESULT]);
    LISTED: Count, 1 = Family::as_named_by(UPSTREAM, Kind::Gauge, "kube_state_metrics_list_objects",
        "Objects in the last list, where lists have a limit.", &[GO_TYPES]);
    LIMIT: Count, 1 = Family::as_named_by(UPSTREAM, Kind::Gauge, "kube_state_metrics_list_objects_limit",
        "The most objects that a list takes, where there is a limit.", &[GO_TYPES]);
    ORDINAL: Count, 1 = Family::as_named_by(UPSTREAM, Kind::Gauge, "kube_state_metrics_shard_ordinal",
        "Number of this shard, from 0.", &[Label::open("shard_ordinal", "shards")]);
    SHARDS: Count, 0 = Family::as_named_by(UPSTREAM, Kind::Gauge, "kube_state_metrics_total_shards",
        "How many shards there are.", &[]);
    HASH: Count, 2 = Family::as_named_by(UPSTREAM, Kind::Gauge, "kube_state_metrics_config_hash",
        "Hash of the configuration file that holds.", FILE_LABELS);
    RELOADED: Count, 2 = Family::as_named_by(UPSTREAM, Kind::Gauge,
        "kube_state_metrics_last_config_reload_successful",
        "Whether the configuration file could be taken over when it was last read.", FILE_LABELS);
    RELOADED_AT: Seconds, 2 = Family::as_named_by(UPSTREAM, Kind::Gauge,
        "kube_state_metrics_last_config_reload_success_timestamp_seconds",
        "When the configuration file was last taken over, in seconds since the Unix epoch.", FILE_LABELS);
    DEFINITIONS_ADDED: Count, 0 = Family::as_named_by(UPSTREAM, Kind::Counter,
        "kube_state_metrics_custom_resource_state_add_events_total",
        "Definitions of custom kinds that appeared.", &[]);
    DEFINITIONS_UPDATED: Count, 0 = Family::as_named_by(UPSTREAM, Kind::Counter,
        "kube_state_metrics_custom_resource_state_update_events_total",
        "Times that a definition of a custom kind changed or was sent again.", &[]);
    DEFINITIONS_DELETED: Count, 0 = Family::as_named_by(UPSTREAM, Kind::Counter,
        "kube_state_metrics_custom_resource_state_delete_events_total",
        "Definitions of custom kinds that went.", &[]);
    DEFINITIONS: Count, 0 = Family::as_named_by(UPSTREAM, Kind::Gauge,
        "kube_state_metrics_custom_resource_state_cache",
        "Definitions of custom kinds that the cluster has.", &[]);
    MATCHED: Count, 3 = Family::gauge("yagura_kube_state_custom_resource_matched",
        "Whether the cluster has a kind that an entry of the custom-resource configuration is about; * is any.",
        &[Label::open("group", "entries of the configuration"), Label::open("version", "entries of the configuration"),
          Label::open("kind", "entries of the configuration")]);
    UNRESOLVED: Count, 2 = Family::gauge("yagura_kube_state_unresolved_paths",
        "Paths of a family of the custom-resource configuration at which no object has had a value so far.",
        &[KINDS, Label::open("family", "families")]);
    REQUESTS: Seconds, 2 = Family::as_named_by(UPSTREAM, Kind::Histogram, "http_request_duration_seconds",
        "Time to write a page of objects.", REQUEST_LABELS);
    OBJECTS: Count, 1 = Family::gauge("yagura_kube_state_objects", "Objects that are kept.", &[KINDS]);
    SERIES: Count, 1 = Family::gauge("yagura_kube_state_series", "Series that are kept.", &[KINDS]);
    MEMORY: Bytes, 1 = Family::gauge("yagura_kube_state_store_bytes", "Memory that the series take.", &[KINDS]);
    SYNCED: Count, 1 = Family::gauge("yagura_kube_state_synced",
        "Whether all objects were listed at least once.", &[KINDS]);
    SERVED: Count, 1 = Family::gauge("yagura_kube_state_served",
        "Whether the API server has the kind.", &[KINDS]);
    REFUSED: Count, 2 = Family::gauge("yagura_kube_state_refused",
        "Whether the API server refuses a right to the kind: without list there are no series, without watch the kind is listed each minute.",
        &[KINDS, Label::closed("verb", &["list", "watch"])]);
    AGE: Seconds, 1 = Family::gauge("yagura_kube_state_age_seconds",
        "Time since the API server last said something about the objects: an event, a bookmark, or a list. Of a kind \
         with several watches, that of the oldest.", &[KINDS]);
    EVENTS: Count, 2 = Family::counter("yagura_kube_state_events_total", "Events that came.",
        &[KINDS, Label::closed("event", &["added", "modified", "deleted", "bookmark", "error"])]);
    RELISTS: Count, 2 = Family::counter("yagura_kube_state_lists_begun_total",
        "Lists that were begun, by why they were needed.",
        &[KINDS, Label::closed("reason", &["start", "expired", "shard", "unfinished", "unwatched", "panicked"])]);
    RECEIVED: Bytes, 1 = Family::counter("yagura_kube_state_received_bytes_total",
        "Bytes of lists and watches that came.", &[KINDS]);
    UNREADABLE: Count, 1 = Family::counter("yagura_kube_state_unreadable_objects_total",
        "Objects and events that could not be read and have no series.", &[KINDS]);
    SPOILED: Count, 2 = Family::counter("yagura_kube_state_spoiled_families_total",
        "Times that a family was left out for an object or some of its series, because a field of the object has another shape.",
        &[KINDS, Label::open("family", "families")]);
    REPEATED: Count, 2 = Family::counter("yagura_kube_state_repeated_series_total",
        "Times that an object gave a series twice with different numbers, of which the first is shown.",
        &[KINDS, Label::open("family", "families")]);
}

const BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// State of a configuration file.
#[derive(Clone, Debug, Default)]
struct File {
    kind: &'static str,
    name: String,
    hash: f64,
    successful: bool,
    at: f64,
}

/// State that only these metrics have.
#[derive(Debug)]
pub struct OwnMetrics {
    requests: Mutex<HistogramVec<Seconds, 2>>,
    files: Mutex<Vec<File>>,
}

impl Default for OwnMetrics {
    fn default() -> Self {
        let requests = HistogramVec::new(&REQUESTS, REQUEST_LABELS, BOUNDS, 3, 1);
        Self { requests: Mutex::new(requests), files: Mutex::default() }
    }
}

impl OwnMetrics {
    /// A page of objects was written.
    pub fn scraped(&self, took: Duration) {
        self.requests.lock().observe(["metrics", "get"], Seconds(took.as_secs_f64()), now());
    }

    /// A configuration file was taken over; `kind` is `config` or `customresourceconfig`.
    pub fn loaded(&self, kind: &'static str, name: &str, text: &[u8]) {
        let file = File { kind, name: name.to_owned(), hash: hash(text), successful: true, at: now() };
        let mut files = self.files.lock();
        files.retain(|file| file.kind != kind);
        files.push(file);
    }

    /// A configuration file could not be taken over.
    pub fn not_loaded(&self, kind: &'static str, name: &str) {
        let mut files = self.files.lock();
        match files.iter_mut().find(|file| file.kind == kind) {
            Some(file) => file.successful = false,
            None => files.push(File { kind, name: name.to_owned(), ..File::default() }),
        }
    }

    /// Puts everything.
    pub fn emit(&self, engine: Option<&Engine>, shard: Shard, revision: &str, out: &mut Batch) {
        let version = concat!("v", env!("CARGO_PKG_VERSION"));
        out.put(&BUILD, ["", "", Program::goarch(), std::env::consts::OS, "", revision, "", version], 1_u8);
        out.put(&ORDINAL, [itoa::Buffer::new().format(shard.ordinal())], shard.ordinal());
        out.put(&SHARDS, [], shard.total());
        for file in &*self.files.lock() {
            let labels = [file.kind, file.name.as_str()];
            out.put(&HASH, labels, file.hash);
            out.put(&RELOADED, labels, file.successful);
            out.put(&RELOADED_AT, labels, Seconds(file.at));
        }
        self.requests.lock().emit(out);
        let Some(engine) = engine else { return };
        for health in engine.health() {
            put_health(&health, out);
        }
        let all = engine.ledger().all();
        put_outcomes(&all, out);
        for (kind, counts) in &all {
            put_counts(kind, counts, out);
        }
    }
}

/// Emits outcomes of the definitions of custom kinds; zeros while nobody asks for any, as upstream does.
pub fn emit_definitions(counts: custom::Counts, out: &mut Batch) {
    out.put(&DEFINITIONS_ADDED, [], counts.added);
    out.put(&DEFINITIONS_UPDATED, [], counts.updated);
    out.put(&DEFINITIONS_DELETED, [], counts.deleted);
    out.put(&DEFINITIONS, [], counts.known as u64);
}

/// Emits what of the custom-resource configuration matches nothing.
pub fn emit_matches(follower: &Follower, out: &mut Batch) {
    for entry in follower.matched() {
        out.put(&MATCHED, entry.names.each_ref().map(String::as_str), entry.missing.is_none());
    }
    for kind in follower.kinds() {
        for (family, paths) in kind.unresolved() {
            out.put(&UNRESOLVED, [&kind.name(), family], paths.len() as u64);
        }
    }
}

/// What upstream counts by type. All custom kinds are of one.
fn put_outcomes(all: &[(Arc<str>, Arc<Counts>)], out: &mut Batch) {
    let mut types: BTreeMap<&str, Vec<&Counts>> = BTreeMap::new();
    for (_, counts) in all {
        types.entry(&counts.go_type).or_default().push(counts);
    }
    for (go_type, counts) in types {
        let sum = |number: fn(&Counts) -> &AtomicU64| counts.iter().map(|counts| number(counts).load(Relaxed)).sum();
        let [listed, watched]: [[u64; 2]; 2] = [
            [sum(|counts| &counts.lists.success), sum(|counts| &counts.lists.error)],
            [sum(|counts| &counts.watches.success), sum(|counts| &counts.watches.error)],
        ];
        for (family, [success, error]) in [(&LISTS, listed), (&WATCHES, watched)] {
            out.put(family, [go_type, "success"], success);
            out.put(family, [go_type, "error"], error);
        }
        let limits: u64 = sum(|counts| &counts.limit);
        if limits > 0 {
            out.put(&LISTED, [go_type], sum(|counts| &counts.listed));
            out.put(&LIMIT, [go_type], limits);
        }
    }
}

fn put_health(health: &Health, out: &mut Batch) {
    let kind = &*health.kind;
    out.put(&OBJECTS, [kind], health.usage.objects);
    out.put(&SERIES, [kind], health.usage.series);
    out.put(&MEMORY, [kind], Bytes(health.usage.bytes as u64));
    out.put(&SYNCED, [kind], health.watches.iter().all(|watch| watch.is_synced()));
    out.put(&SERVED, [kind], !health.watches.iter().any(|watch| watch.is_missing()));
    for verb in Verb::ALL {
        let is_refused = health.watches.iter().any(|watch| watch.refused() == Some(verb));
        out.put(&REFUSED, [kind, verb.name()], is_refused);
    }
    if let Some(age) = health.watches.iter().filter_map(|watch| watch.age()).max() {
        out.put(&AGE, [kind], Seconds(age.as_secs_f64()));
    }
}

fn put_counts(kind: &str, counts: &Counts, out: &mut Batch) {
    for (what, count) in What::ALL.iter().zip(&counts.events) {
        out.put(&EVENTS, [kind, what.name()], count.load(Relaxed));
    }
    for (why, count) in Why::ALL.iter().zip(&counts.begun) {
        out.put(&RELISTS, [kind, why.name()], count.load(Relaxed));
    }
    out.put(&RECEIVED, [kind], Bytes(counts.bytes.load(Relaxed)));
    out.put(&UNREADABLE, [kind], counts.unreadable.load(Relaxed));
    for (family, count) in &*counts.spoiled.lock() {
        out.put(&SPOILED, [kind, family], *count);
    }
    for (family, count) in &*counts.repeated.lock() {
        out.put(&REPEATED, [kind, family], *count);
    }
}

/// The declarations, those of the registry included, as the catalogue shows them.
fn section(program: &Program) -> Section {
    let families = FAMILIES.iter().map(|desc| FamilyEntry::new(desc, ENDPOINT));
    Section {
        name: "telemetry".to_owned(),
        about: "What the program says about itself.".to_owned(),
        default_on: true,
        needs: Vec::new(),
        families: families.chain(Telemetry::new(program).families(ENDPOINT)).collect(),
    }
}

/// All declarations of the program.
pub fn catalog(program: &Program) -> Catalog {
    let sections = crate::resources::sections().chain([crate::workloads::section(), section(program)]);
    Catalog { program: program.name.to_owned(), version: program.version.to_owned(), sections: sections.collect() }
}

/// The first 48 bits of the MD5 of a file, which is how programs of this family show that theirs are the same.
fn hash(text: &[u8]) -> f64 {
    let digest = Md5::digest(text);
    digest.iter().take(6).rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)) as f64
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_hash() {
        // MD5 of nothing is d41d8cd98f00b204e9800998ecf8427e.
        assert_eq!(hash(b""), 0x008f_d98c_1dd4_u64 as f64);
    }
}
