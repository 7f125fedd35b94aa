//! The HTML page /workloads: usage, peers and owner of each workload on the node. It is made from a scrape of four
//! collectors, so it costs a scrape and only when requested.
//!
//! It says nothing that the metrics do not say: it is made of a scrape of the four collectors that know, and read off
//! their families. So it costs what they cost, and only when somebody looks.

use std::collections::BTreeMap;

use daemon::{Line, Sheet, sheet_page};
use expo::Exposition;
use metric::Batch;

use crate::boards::Boards;
use crate::program::PROGRAM;

/// Path of the page.
pub(crate) const PATH: &str = "/workloads";

/// Collectors whose families it reads.
pub(crate) const COLLECTORS: [&str; 4] = ["lifetime", "container_memory", "tcp_connections", "workload_capacity"];

/// Workloads that are listed; those that used the most CPU time.
const MOST_WORKLOADS: usize = 200;

/// Others that are listed for a workload and direction; those with the most connections.
const MOST_PEERS: usize = 8;

const COLUMNS: &[&str] =
    &["Workload", "CPU time", "Memory", "Connects to · times · bytes", "Is connected to by", "Owner"];

#[derive(Debug, Default, PartialEq)]
struct Row {
    cpu_seconds: f64,
    memory_bytes: f64,
    /// By direction and peer: connections that were opened, and bytes both ways.
    peers: BTreeMap<(String, String), (f64, f64)>,
    /// Names and values of owner labels.
    owner: Vec<String>,
}

/// Adds a sample to a row, given a way to ask for its labels.
type Put = fn(&mut Row, &dyn Fn(&str) -> String, f64);

/// Namespace, kind, name.
type Name = (String, String, String);

/// The page, from what the collectors said.
pub(crate) fn page(batch: &Batch, others: &Exposition, boards: &Boards) -> String {
    let rows = rows(batch, others);
    let mut listed: Vec<(&Name, &Row)> = rows.iter().collect();
    listed.sort_by(|(_, a), (_, b)| b.cpu_seconds.total_cmp(&a.cpu_seconds));
    let shown = listed.len().min(MOST_WORKLOADS);
    let note = if shown < listed.len() { format!("{shown} of {}", listed.len()) } else { shown.to_string() };
    let sheet = Sheet {
        title: "Workloads".to_owned(),
        note,
        about: "On this node, since the agent started: containers that are there and those that have gone.".to_owned(),
        columns: COLUMNS,
        rows: listed.into_iter().take(MOST_WORKLOADS).map(|(name, row)| cells(name, row, boards)).collect(),
        empty: "No workload was seen yet: it takes a container, in Kubernetes or outside, and the collector lifetime."
            .to_owned(),
    };
    sheet_page(&PROGRAM, &sheet)
}

fn rows(batch: &Batch, others: &Exposition) -> BTreeMap<Name, Row> {
    let mut rows: BTreeMap<Name, Row> = BTreeMap::new();
    for desc in batch.families() {
        let put: Put = match desc.name {
            "workload_cpu_usage_seconds_total" => |row, _, value| row.cpu_seconds += value,
            "container_memory_used_bytes" => |row, _, value| row.memory_bytes += value,
            "workload_connections_peer_opened_total" => |row, label, value| row.peer(label).0 += value,
            "workload_connections_peer_sent_bytes_total" | "workload_connections_peer_received_bytes_total" => {
                |row, label, value| row.peer(label).1 += value
            }
            _ => continue,
        };
        for sample in batch.samples(desc) {
            let label = |wanted: &str| {
                let found = sample.labels().all().find(|(name, _)| *name == wanted);
                found.map_or_else(String::new, |(_, value)| value.to_owned())
            };
            let name = (label("namespace"), label("workload_kind"), label("workload"));
            if !name.2.is_empty() {
                put(rows.entry(name).or_default(), &label, sample.number());
            }
        }
    }
    let owners = others.family("workload_owner_info").map_or(&[][..], |family| &family.samples);
    for sample in owners {
        let label = |name| sample.label(name).unwrap_or_default().to_owned();
        let row = rows.entry((label("namespace"), label("workload_kind"), label("workload"))).or_default();
        // The first three name the workload.
        row.owner = sample.labels.iter().skip(3).map(|(name, value)| format!("{name}: {value}")).collect();
    }
    rows
}

impl Row {
    fn peer(&mut self, label: &dyn Fn(&str) -> String) -> &mut (f64, f64) {
        let (namespace, name, kind, port) =
            (label("peer_namespace"), label("peer_workload"), label("peer_kind"), label("port"));
        let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        let who = match (kind.as_str(), name.is_empty()) {
            (_, true) => kind,
            ("workload", false) => place + &name,
            (_, false) => format!("{kind} {place}{name}"),
        };
        let port = if port.is_empty() { port } else { format!(":{port}") };
        self.peers.entry((label("direction"), who + &port)).or_default()
    }

    fn peers(&self, direction: &str) -> Vec<String> {
        let mut all: Vec<_> = self.peers.iter().filter(|((its, _), _)| its == direction).collect();
        all.sort_by(|(_, (a, _)), (_, (b, _))| b.total_cmp(a));
        let more = all.len().saturating_sub(MOST_PEERS);
        let line = |((_, who), (opened, bytes)): (&(String, String), &(f64, f64))| {
            format!("{who} · {opened} × · {}", in_bytes(*bytes))
        };
        let mut lines: Vec<String> = all.into_iter().take(MOST_PEERS).map(line).collect();
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines
    }
}

fn cells((namespace, kind, name): &Name, row: &Row, boards: &Boards) -> Vec<Vec<Line>> {
    let of = [namespace.as_str(), kind].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
    // Boards and alerts are about workloads of namespaces.
    let is_named = !namespace.is_empty();
    let mut who =
        vec![Line { text: name.clone(), link: boards.workload(namespace, name).filter(|_| is_named) }, of.into()];
    let alerts = boards.alerts_on(namespace, name).filter(|_| is_named);
    who.extend(alerts.map(|link| Line { text: "alerts".to_owned(), link: Some(link) }));
    let others = [
        vec![in_seconds(row.cpu_seconds)],
        vec![if row.memory_bytes > 0.0 { in_bytes(row.memory_bytes) } else { "–".to_owned() }],
        row.peers("outbound"),
        row.peers("inbound"),
        row.owner.clone(),
    ];
    let others = others.into_iter().map(|lines| lines.into_iter().map(Line::from).collect());
    std::iter::once(who).chain(others).collect()
}

fn in_seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 3_600.0 => format!("{s:.1} s"),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

fn in_bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1e3 {
        return format!("{bytes} B");
    }
    let mut value = bytes;
    let mut unit = "";
    for next in UNITS {
        if value < 1e3 {
            break;
        }
        (value, unit) = (value / 1e3, next);
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{AsContainer, AsWorkload};
    use expo::{ParsedFamily, ParsedSample};
    use metric::{Bytes, Count, Family, Label, Seconds};

    static CPU: Family<Seconds, 0, AsWorkload> = Family::counter("workload_cpu_usage_seconds_total", "Time.", &[]);
    static MEMORY: Family<Bytes, 0, AsContainer> = Family::gauge("container_memory_used_bytes", "Memory.", &[]);
    static OPENED: Family<Count, 5, AsWorkload> = Family::counter(
        "workload_connections_peer_opened_total",
        "Connections.",
        &[
            Label::closed("direction", &["outbound", "inbound"]),
            Label::open("peer_kind", "peers"),
            Label::open("peer_namespace", "peers"),
            Label::open("peer_workload", "peers"),
            Label::open("port", "peers"),
        ],
    );

    #[test]
    fn a_workload_is_one_row_of_what_it_used_whom_it_asked_and_whose_it_is() {
        let mut batch = Batch::default();
        let web = batch.subject::<AsWorkload, 3>(["shop", "web<", "Deployment"]);
        batch.put_of(&CPU, web, [], Seconds(1.5));
        for container in ["a", "b"] {
            let of = batch.subject::<AsContainer, 5>(["shop", "web-1", container, "web<", "Deployment"]);
            batch.put_of(&MEMORY, of, [], Bytes(1_500_000_u64));
        }
        batch.put_of(&OPENED, web, ["outbound", "workload", "shop", "api", "80"], Count(7.0));
        for port in 1..=10 {
            batch.put_of(&OPENED, web, ["inbound", "external", "", "", &port.to_string()], Count(f64::from(port)));
        }
        let own = [("namespace", "shop"), ("workload", "web<"), ("workload_kind", "Deployment"), ("team", "front")];
        let labels = own.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let sample = ParsedSample { name: "workload_owner_info".into(), labels, value: 1.0, ..ParsedSample::default() };
        let family =
            ParsedFamily { name: "workload_owner_info".into(), samples: vec![sample], ..ParsedFamily::default() };
        let others = Exposition { families: vec![family] };

        let links = daemon::WebLinks {
            grafana: "https://g.example".to_owned(),
            alertmanager: "https://a.example".to_owned(),
            ..daemon::WebLinks::default()
        };
        let page = page(&batch, &others, &Boards::new(&links, "node-1"));
        for part in [
            "web&lt;",
            "shop · Deployment",
            "1.5 s",
            "3.0 MB",
            "shop/api:80 · 7 × · 0 B",
            "external:10 · 10 × · 0 B",
            "and 2 more",
            "team: front",
            "<a href=\"https://g.example/d/yagura-workload?var-namespace=shop&amp;var-workload=web%3C\">web&lt;</a>",
            "<a href=\"https://a.example/#/alerts?filter=%7Bnamespace",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("external:2 "), "the fewest are left out: {page}");
        assert_eq!(page.matches("<tr>").count(), 2, "a head and a row: {page}");
    }

    #[test]
    fn without_workloads_it_says_what_they_take() {
        assert!(
            page(&Batch::default(), &Exposition::default(), &Boards::default()).contains("No workload was seen yet")
        );
    }
}
