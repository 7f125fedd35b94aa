//! The daemon's own metrics: a prometheus-client registry to which the program adds its own.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use metric::{FamilyEntry, Kind, Label, LabelEntry, UnitName};
use parking_lot::RwLock;
use prometheus_client::{
    metrics::{MetricType, counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry, Unit},
};

use crate::{
    panics,
    process::{self, Process},
    program::Program,
};

type Labels = Vec<(&'static str, String)>;

/// The program's view of itself. Clones share everything.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registered: RwLock<Registered>,
    http: Http,
    config: Reloads,
    web_config: Reloads,
}

/// The registry, and its declarations for the catalogue.
#[derive(Debug, Default)]
struct Registered {
    registry: Registry,
    families: Vec<FamilyEntry>,
}

/// Registers under a prefix, and notes what is registered.
struct Register<'a> {
    registry: &'a mut Registry,
    prefix: &'static str,
    families: &'a mut Vec<FamilyEntry>,
}

impl Register<'_> {
    fn put(&mut self, name: &str, help: &str, labels: &[Label], metric: impl Metric) {
        self.note(name, help, labels, metric.metric_type());
        self.registry.register(name, help, metric);
    }

    fn put_with_unit(&mut self, name: &str, help: &str, unit: Unit, labels: &[Label], metric: impl Metric) {
        self.note(&format!("{name}_{}", unit.as_str()), help, labels, metric.metric_type());
        self.registry.register_with_unit(name, help, unit, metric);
    }

    fn note(&mut self, name: &str, help: &str, labels: &[Label], kind: MetricType) {
        let (kind, suffix) = match kind {
            MetricType::Counter => (Kind::Counter, "_total"),
            MetricType::Gauge => (Kind::Gauge, ""),
            MetricType::Histogram => (Kind::Histogram, ""),
            MetricType::Info => (Kind::Info, "_info"),
            MetricType::Unknown => (Kind::Unknown, ""),
        };
        let separator = if self.prefix.is_empty() { "" } else { "_" };
        self.families.push(entry(
            &format!("{}{separator}{name}{suffix}", self.prefix),
            kind,
            &format!("{help}."),
            labels,
        ));
    }
}

fn entry(name: &str, kind: Kind, help: &str, labels: &[Label]) -> FamilyEntry {
    FamilyEntry {
        unit: UnitName::of(name).suffix().to_owned(),
        name: name.to_owned(),
        kind,
        help: help.to_owned(),
        endpoint: String::new(),
        named_by: None,
        labels: labels.iter().map(LabelEntry::from).collect(),
    }
}

const HANDLER: Label = Label::open("handler", "paths that the program serves");
const CODE: Label = Label::open("code", "HTTP status codes that the program gives");
const PAGE: Label = Label::open("page", "pages of metrics that the program serves");
const FORMAT: Label = Label::closed("format", &["text", "openmetrics", "protobuf"]);
const REJECTED: Label = Label::closed("reason", &["busy", "late", "unauthorized", "rate_limit"]);
const CLOSED: Label = Label::closed("reason", &["slow_headers", "idle", "stalled", "overdue", "crowded", "drained"]);
const TLS_ERROR: Label = Label::closed(
    "reason",
    &[
        "bad_certificate",
        "no_certificate",
        "incompatible",
        "refused_by_client",
        "not_tls",
        "protocol",
        "connection_lost",
        "timeout",
    ],
);
const PAGE_FAILURE: Label = Label::closed("reason", &["error", "panic", "abandoned"]);
const STREAM_FAILURE: Label = Label::closed("reason", &["error", "panic"]);
const BUILD: &[Label] = &[Label::open("program", "1"), Label::open("version", "1"), Label::open("revision", "1")];

#[derive(Debug)]
struct Http {
    requests: Family<Labels, Counter>,
    duration: Family<Labels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    rejected: Family<Labels, Counter>,
    connections: Gauge,
    closed: Family<Labels, Counter>,
    accept_errors: Counter,
    tls_errors: Family<Labels, Counter>,
    page_bytes: Family<Labels, Counter>,
    page_series: Family<Labels, Gauge>,
    page_failures: Family<Labels, Counter>,
    streams: Family<Labels, Gauge>,
    stream_bytes: Family<Labels, Counter>,
    stream_failures: Family<Labels, Counter>,
}

/// Why the registry cannot be shown: a metric of the program's own that no format can express.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The registry does not encode it.
    #[error("cannot encode the registry")]
    Encode(#[from] fmt::Error),
    /// The text of the registry is not valid OpenMetrics.
    #[error("the registry's text is not valid")]
    Parse(#[from] expo::ParseError),
}

/// Whether the last reload of something worked, and when one last did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reloads {
    successful: Gauge,
    succeeded_at: Gauge<f64, AtomicU64>,
    failures: Counter,
}

/// Why the server turned a request or a connection away. Closed set: label values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    Busy,
    Late,
    Unauthorized,
    RateLimit,
}

impl Rejection {
    const ALL: [Self; 4] = [Self::Busy, Self::Late, Self::Unauthorized, Self::RateLimit];

    const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Late => "late",
            Self::Unauthorized => "unauthorized",
            Self::RateLimit => "rate_limit",
        }
    }
}

/// Why the server closed a connection on its own. Closed set: label values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    SlowHeaders,
    Idle,
    Stalled,
    Overdue,
    Crowded,
    Drained,
}

impl Closing {
    const ALL: [Self; 6] = [Self::SlowHeaders, Self::Idle, Self::Stalled, Self::Overdue, Self::Crowded, Self::Drained];

    const fn name(self) -> &'static str {
        match self {
            Self::SlowHeaders => "slow_headers",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Overdue => "overdue",
            Self::Crowded => "crowded",
            Self::Drained => "drained",
        }
    }
}

impl Telemetry {
    /// The registry of this program, with build information, `process_*`, and the daemon's own metrics.
    pub fn new(program: &Program) -> Self {
        let mut registered = Registered::default();
        registered.registry.register_collector(Box::new(Process::new()));
        registered.families.extend(process::FAMILIES.iter().map(|(name, kind, help)| FamilyEntry {
            named_by: Some("Prometheus client libraries".to_owned()),
            ..entry(name, *kind, help, &[])
        }));
        let Registered { registry, families } = &mut registered;
        let registry = registry.sub_registry_with_prefix(program.prefix);
        let mut own = Register { registry, prefix: program.prefix, families };
        let build = Info::new(vec![
            ("program", program.name.to_owned()),
            ("version", program.version.to_owned()),
            ("revision", program.revision.unwrap_or("unknown").to_owned()),
        ]);
        own.put("build", "What was built: program, version and commit", BUILD, build);
        let panics =
            "Panics in tasks and threads, each of which was caught, and its work started again or the program ended";
        own.put("panics", panics, &[], panics::PANICS.clone());
        let http = Http::registered(&mut own);
        let config = Reloads::registered(&mut own, "config", "configuration");
        let web_config = Reloads::registered(&mut own, "web_config", "web configuration");
        Self(Arc::new(Inner { registered: RwLock::new(registered), http, config, web_config }))
    }

    /// Adds a metric of the program's own, with the labels that its samples have. The help text gets its full stop from
    /// the registry; a counter's `_total` and an info's `_info` are added too.
    pub fn register(&self, name: &str, help: &str, labels: &[Label], metric: impl Metric) {
        let Registered { registry, families } = &mut *self.0.registered.write();
        Register { registry, prefix: "", families }.put(name, help, labels, metric);
    }

    /// The declarations of everything that is registered, as `endpoint` shows them.
    pub fn families(&self, endpoint: &str) -> Vec<FamilyEntry> {
        let registered = self.0.registered.read();
        let shown = |family: &FamilyEntry| FamilyEntry { endpoint: endpoint.to_owned(), ..family.clone() };
        registered.families.iter().map(shown).collect()
    }

    /// Everything, as OpenMetrics text with its `# EOF`.
    pub fn openmetrics(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(8 << 10);
        prometheus_client::encoding::text::encode(&mut text, &self.0.registered.read().registry)?;
        Ok(text)
    }

    /// Everything, to be put into a page of any format with [`expo::Encoder::append_exposition`]. The cost is that of encoding and
    /// parsing a few dozen lines.
    pub fn exposition(&self) -> Result<expo::Exposition, TelemetryError> {
        Ok(expo::parse(self.openmetrics()?.as_bytes(), expo::Format::OpenMetrics1)?)
    }

    pub(crate) fn config(&self) -> &Reloads {
        &self.0.config
    }

    pub(crate) fn web_config(&self) -> &Reloads {
        &self.0.web_config
    }

    pub(crate) fn answered(&self, handler: &str, code: u16, took: Duration) {
        let labels = vec![("handler", handler.to_owned()), ("code", code.to_string())];
        self.0.http.requests.get_or_create(&labels).inc();
        let labels = vec![("handler", handler.to_owned())];
        self.0.http.duration.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub(crate) fn in_flight(&self) -> &Gauge {
        &self.0.http.in_flight
    }

    pub(crate) fn connections(&self) -> &Gauge {
        &self.0.http.connections
    }

    pub(crate) fn rejected(&self, why: Rejection) {
        self.0.http.rejected.get_or_create(&vec![("reason", why.name().to_owned())]).inc();
    }

    pub(crate) fn closed(&self, why: Closing) {
        self.0.http.closed.get_or_create(&vec![("reason", why.name().to_owned())]).inc();
    }

    pub(crate) fn accept_failed(&self) {
        self.0.http.accept_errors.inc();
    }

    pub(crate) fn tls_failed(&self, why: &'static str) {
        self.0.http.tls_errors.get_or_create(&vec![("reason", why.to_owned())]).inc();
    }

    pub(crate) fn page_written(&self, page: &str, format: &'static str, series: u64, bytes: u64) {
        let labels = vec![("page", page.to_owned()), ("format", format.to_owned())];
        self.0.http.page_bytes.get_or_create(&labels).inc_by(bytes);
        self.0.http.page_series.get_or_create(&labels).set(i64::try_from(series).unwrap_or(i64::MAX));
    }

    pub(crate) fn streams(&self, handler: &str) -> Gauge {
        self.0.http.streams.get_or_create(&vec![("handler", handler.to_owned())]).clone()
    }

    pub(crate) fn stream_sent(&self, handler: &str, bytes: u64) {
        self.0.http.stream_bytes.get_or_create(&vec![("handler", handler.to_owned())]).inc_by(bytes);
    }

    pub(crate) fn stream_failed(&self, handler: &str, reason: &'static str) {
        let labels = vec![("handler", handler.to_owned()), ("reason", reason.to_owned())];
        self.0.http.stream_failures.get_or_create(&labels).inc();
    }

    pub(crate) fn page_failed(&self, page: &str, reason: &'static str) {
        let labels = vec![("page", page.to_owned()), ("reason", reason.to_owned())];
        self.0.http.page_failures.get_or_create(&labels).inc();
    }
}

impl Http {
    fn registered(register: &mut Register<'_>) -> Self {
        let duration: fn() -> Histogram =
            || Histogram::new([0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let http = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(duration),
            in_flight: Gauge::default(),
            rejected: Family::default(),
            connections: Gauge::default(),
            closed: Family::default(),
            accept_errors: Counter::default(),
            tls_errors: Family::default(),
            page_bytes: Family::default(),
            page_series: Family::default(),
            page_failures: Family::default(),
            streams: Family::default(),
            stream_bytes: Family::default(),
            stream_failures: Family::default(),
        };
        for why in Rejection::ALL {
            let _zero = http.rejected.get_or_create(&vec![("reason", why.name().to_owned())]);
        }
        for why in Closing::ALL {
            let _zero = http.closed.get_or_create(&vec![("reason", why.name().to_owned())]);
        }
        http.register(register);
        http
    }

    fn register(&self, put: &mut Register<'_>) {
        put.put("http_requests", "HTTP requests that were answered", &[HANDLER, CODE], self.requests.clone());
        put.put_with_unit(
            "http_request_duration",
            "Time from a request's head to the head of its answer",
            Unit::Seconds,
            &[HANDLER],
            self.duration.clone(),
        );
        put.put("http_requests_in_flight", "HTTP requests that are being answered", &[], self.in_flight.clone());
        put.put("http_requests_rejected", "HTTP requests that were turned away", &[REJECTED], self.rejected.clone());
        put.put("http_connections", "Connections that are open", &[], self.connections.clone());
        put.put("http_connections_closed", "Connections that the server had to close", &[CLOSED], self.closed.clone());
        put.put("http_accept_errors", "Connections that could not be accepted", &[], self.accept_errors.clone());
        put.put("tls_errors", "TLS handshakes that failed", &[TLS_ERROR], self.tls_errors.clone());
        let help = "Bytes of the pages of metrics as they were sent";
        put.put_with_unit("page_written", help, Unit::Bytes, &[PAGE, FORMAT], self.page_bytes.clone());
        let help = "Series of the page of metrics when it was last sent";
        put.put("page_series", help, &[PAGE, FORMAT], self.page_series.clone());
        let help = "Pages of metrics that could not be sent whole";
        put.put("page_failures", help, &[PAGE, PAGE_FAILURE], self.page_failures.clone());
        put.put("http_streams", "Streams that are being sent", &[HANDLER], self.streams.clone());
        let help = "Bytes of streams that have ended, as they were sent";
        put.put_with_unit("http_stream_sent", help, Unit::Bytes, &[HANDLER], self.stream_bytes.clone());
        let help = "Streams that were cut because their handler failed";
        put.put("http_stream_failures", help, &[HANDLER, STREAM_FAILURE], self.stream_failures.clone());
    }
}

impl Reloads {
    fn registered(put: &mut Register<'_>, name: &str, what: &str) -> Self {
        let reloads = Self::default();
        reloads.succeeded();
        let help = format!("Whether the last reload of the {what} worked");
        put.put(&format!("{name}_last_reload_successful"), &help, &[], reloads.successful.clone());
        let help = format!("When the {what} was last loaded, in seconds since the Unix epoch");
        let stamp = format!("{name}_last_reload_success_timestamp");
        put.put_with_unit(&stamp, &help, Unit::Seconds, &[], reloads.succeeded_at.clone());
        let help = format!("Reloads of the {what} that failed");
        put.put(&format!("{name}_reload_failures"), &help, &[], reloads.failures.clone());
        reloads
    }

    pub(crate) fn succeeded(&self) {
        self.successful.set(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.succeeded_at.set(now.as_secs_f64());
    }

    pub(crate) fn failed(&self) {
        self.successful.set(0);
        self.failures.inc();
    }
}

#[cfg(test)]
mod tests {
    use metric::Values;

    use super::*;

    #[test]
    fn closed_labels_list_the_words_that_are_used() {
        let words = |label: Label| label.values;
        assert!(matches!(words(REJECTED), Values::Closed(all) if all == Rejection::ALL.map(Rejection::name)));
        assert!(matches!(words(CLOSED), Values::Closed(all) if all == Closing::ALL.map(Closing::name)));
    }
}
