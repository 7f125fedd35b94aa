//! The program in this process, an API server beside it, and a scraper.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test's, and ends with it"
)]

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use clap::Parser as _;
use daemon::{CancellationToken, Telemetry};
use testkit::{ApiServer, wait_for};
use yagura_kube_state::{
    app::{App, Setup},
    flags::Flags,
    program::PROGRAM,
    serve,
    watch::Pace,
};

pub(crate) const PODS: &str = "/api/v1/pods";
/// Long enough for a machine that does other things too.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Short times, so that tests are.
pub(crate) fn pace() -> Pace {
    Pace {
        first_wait: Duration::from_millis(20),
        longest_wait: Duration::from_millis(200),
        missing_wait: Duration::from_millis(200),
        refused_wait: Duration::from_millis(200),
        list_silence: Duration::from_secs(2),
        watch_silence: Duration::from_secs(10),
        watch_length: Duration::from_mins(1),
        page: 7,
    }
}

pub(crate) struct Lab {
    pub(crate) api: ApiServer,
    pub(crate) objects: SocketAddr,
    pub(crate) own: SocketAddr,
    stop: CancellationToken,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Lab {
    /// The program with these flags, before an API server that `prepare` has filled.
    pub(crate) fn start(flags: &[&str], prepare: impl FnOnce(&ApiServer)) -> Self {
        Self::paced(pace(), flags, prepare)
    }

    pub(crate) fn paced(pace: Pace, flags: &[&str], prepare: impl FnOnce(&ApiServer)) -> Self {
        let api = ApiServer::start().unwrap();
        prepare(&api);
        let server = format!("--apiserver={}", api.url());
        let given = ["x", "--host=127.0.0.1", "--telemetry-host=127.0.0.1", "--port=0", "--telemetry-port=0", &server];
        let given = Flags::try_parse_from(given.iter().chain(flags)).unwrap();
        let setup = Setup::load(&given).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let stop = CancellationToken::new();
        let (objects, own) = runtime.block_on(async {
            let app = App::new(given, setup, Telemetry::new(&PROGRAM), pace);
            let (objects, own) = serve::servers(&app);
            let (objects, own) = (objects.bind().unwrap(), own.bind().unwrap());
            let addresses = (objects.addresses()[0], own.addresses()[0]);
            tokio::spawn(objects.serve(stop.clone()));
            tokio::spawn(own.serve(stop.clone()));
            addresses
        });
        Self { api, objects, own, stop, runtime: Some(runtime) }
    }

    /// Waits until every kind is there.
    pub(crate) fn ready(self) -> Self {
        wait_for(WAIT_TIMEOUT, || (get(self.own, "/readyz", "").0 == 200).then_some(()))
            .unwrap_or_else(|| panic!("{:?}", get(self.own, "/readyz", "")));
        self
    }

    pub(crate) fn page(&self) -> String {
        let (status, page) = get(self.objects, "/metrics", "");
        assert_eq!(status, 200, "{page}");
        page
    }

    /// Waits until the page has this text.
    pub(crate) fn sees(&self, text: &str) {
        wait_for(WAIT_TIMEOUT, || self.page().contains(text).then_some(()))
            .unwrap_or_else(|| panic!("never saw {text}"));
    }

    /// Waits until the page no longer has this text.
    pub(crate) fn loses(&self, text: &str) {
        let gone = wait_for(WAIT_TIMEOUT, || (!self.page().contains(text)).then_some(()));
        assert!(gone.is_some(), "{text} stayed");
    }

    /// Names of the pods on the page, sorted. Panics when one is there twice.
    pub(crate) fn pods(&self) -> Vec<String> {
        pods(&self.page())
    }

    /// The value of a series of the program's own page.
    pub(crate) fn own_value(&self, series: &str) -> f64 {
        let (_, page) = get(self.own, "/metrics", "");
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(f64::NAN, |value| value.trim().parse().unwrap())
    }

    /// Waits until a series of the program's own page is at least this.
    pub(crate) fn own_reaches(&self, series: &str, least: f64) {
        let reached = wait_for(WAIT_TIMEOUT, || (self.own_value(series) >= least).then_some(()));
        assert!(reached.is_some(), "{series} is {}", self.own_value(series));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

pub(crate) fn pods(page: &str) -> Vec<String> {
    let mut found = BTreeMap::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("kube_pod_info{")) {
        let uid = line.split(",uid=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let name = line.split("pod=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert!(found.insert(name.to_owned(), uid.to_owned()).is_none(), "pod {name} is there twice");
    }
    found.into_keys().collect()
}

/// Status and body of an answer.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> (u16, String) {
    try_get(address, path, headers).unwrap()
}

pub(crate) fn try_get(address: SocketAddr, path: &str, headers: &str) -> std::io::Result<(u16, String)> {
    let mut socket = TcpStream::connect(address)?;
    write!(socket, "GET {path} HTTP/1.0\r\n{headers}\r\n")?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}

pub(crate) fn uid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A pod with this phase.
pub(crate) fn pod(number: usize, phase: &str) -> String {
    pod_in("default", number, phase)
}

pub(crate) fn pod_in(namespace: &str, number: usize, phase: &str) -> String {
    let uid = uid(number);
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"pod-{number}","namespace":"{namespace}","uid":"{uid}","resourceVersion":"0","creationTimestamp":"2026-01-01T00:00:00Z"}},"spec":{{"nodeName":"n","containers":[{{"name":"app","image":"i","resources":{{"limits":{{"cpu":"1"}}}}}}]}},"status":{{"phase":"{phase}"}}}}"#
    )
}

pub(crate) fn put_pods(api: &ApiServer, numbers: std::ops::Range<usize>) {
    for number in numbers {
        api.put(PODS, &uid(number), &pod(number, "Running"));
    }
}

pub(crate) fn phase(number: usize, phase: &str) -> String {
    format!(
        "kube_pod_status_phase{{namespace=\"default\",pod=\"pod-{number}\",uid=\"{}\",phase=\"{phase}\"}} 1",
        uid(number)
    )
}
