//! What tests of the whole agent share: engines over this machine, pages in every format, and the program itself.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use expo::{Encoder, Exposition, Format};
use kernfs::{Budget, Host, Reader};
use metric::Batch;
use testkit::{Cgroup, Child, Limits, wait_for};
use yagura_exporter::{
    collectors,
    config::Config,
    identity::{Layout, Tree},
    report::Report,
    scrape::Engine,
    spec::{Context, Spec, View},
};

/// The machine that the test runs on.
pub(crate) fn this_host() -> Arc<Host> {
    Arc::new(Host::open("/proc".as_ref(), "/sys".as_ref(), "/sys/fs/cgroup".as_ref(), "/".as_ref()).unwrap())
}

/// An engine with the collectors that are on by default.
pub(crate) fn engine(host: &Arc<Host>, budget: &Arc<Budget>) -> Engine {
    engine_of(collectors::ALL, host, budget)
}

/// An engine with these collectors, as far as they are on by default.
pub(crate) fn engine_of(specs: &[&'static Spec], host: &Arc<Host>, budget: &Arc<Budget>) -> Engine {
    let layout = Arc::new(Layout::find(host, &mut Reader::default()).unwrap());
    let tree = Tree::new(Arc::clone(host), layout, Arc::clone(budget)).unwrap();
    let context = Context::alone(Arc::clone(host), Config::default());
    Engine::new(specs, |spec| spec.default_on, &context, tree)
}

/// One scrape with time enough.
pub(crate) fn scrape(engine: &mut Engine, view: View, batch: &mut Batch) -> Report {
    let report = engine.scrape(view, Instant::now() + Duration::from_mins(1), |_| true, batch);
    if view == View::Node {
        collectors::node_scrape::emit(&report.runs, batch);
    }
    report
}

/// One scrape, as a page that was read strictly.
pub(crate) fn page(engine: &mut Engine, view: View) -> Exposition {
    let mut batch = Batch::default();
    scrape(engine, view, &mut batch);
    read(&batch, Format::Text004)
}

/// The batch as a page of a format, read strictly: a series that stands twice is refused.
pub(crate) fn read(batch: &Batch, format: Format) -> Exposition {
    let (mut page, mut encoder) = (Vec::new(), Encoder::default());
    encoder.encode(&[batch], format, &mut page).unwrap();
    assert_eq!(encoder.left_out(), [], "series that stand twice");
    expo::parse(&page, format).unwrap_or_else(|error| panic!("{format:?}: {error}"))
}

/// Names and labels of all samples.
pub(crate) fn series(page: &Exposition) -> BTreeSet<String> {
    page.samples().map(|(_, sample)| format!("{}{:?}", sample.name, sample.labels)).collect()
}

/// Why a feature is off, by the agent's own page.
pub(crate) fn off(page: &Exposition, feature: &str) -> Option<String> {
    let mut said = page
        .samples()
        .map(|(_, sample)| sample)
        .filter(|sample| sample.name == "yagura_feature_enabled" && sample.label("feature") == Some(feature));
    let said = said.next().unwrap_or_else(|| panic!("the page does not say whether {feature} is on"));
    (said.value == 0.0).then(|| said.label("reason").unwrap_or_default().to_owned())
}

/// A container with processes that do nothing.
pub(crate) struct Container {
    // They end first: before Linux 5.14 a cgroup cannot end them, and one with processes stays.
    processes: Vec<Child>,
    pub(crate) cgroup: Cgroup,
}

impl Container {
    /// Makes it, with one process.
    pub(crate) fn start(path: &str) -> Self {
        let limits = Limits { memory: Some(64 << 20), cpu_quota: Some(50_000), pids: Some(100) };
        Self::in_cgroup(Cgroup::make(path, limits).unwrap())
    }

    /// A cgroup that something in this container made, with one process.
    pub(crate) fn start_inside(&self, name: &str) -> Self {
        Self::in_cgroup(self.cgroup.make_inside(name).unwrap())
    }

    fn in_cgroup(cgroup: Cgroup) -> Self {
        let mut container = Self { processes: Vec::new(), cgroup };
        container.add();
        container
    }

    /// Adds a process.
    pub(crate) fn add(&mut self) {
        let process = Child::quiet(Command::new("sleep").arg("1000")).unwrap();
        self.cgroup.add(process.id()).unwrap();
        self.processes.push(process);
    }
}

/// The program at work.
pub(crate) struct Agent {
    process: Child,
    port: u16,
}

impl Agent {
    /// Starts it and waits until it answers.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut agent = Self::launch(command);
        let up = wait_for(Duration::from_mins(1), || agent.get("/-/ready").ok().filter(|reply| reply.status == 200));
        let ended = agent.process.handle().try_wait();
        assert!(up.is_some(), "the agent does not answer: {ended:?}");
        agent
    }

    /// Starts it.
    pub(crate) fn launch(command: &mut Command) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let process = Child::start(command.stdin(Stdio::null())).unwrap();
        Self { process, port }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.process.handle().try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Asks for a path.
    pub(crate) fn get(&self, path: &str) -> std::io::Result<HttpReply> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_read_timeout(Some(Duration::from_mins(1)))?;
        // A page may take as long as this waits: emulated machines are slow.
        write!(socket, "GET {path} HTTP/1.0\r\nHost: localhost\r\nX-Prometheus-Scrape-Timeout-Seconds: 55\r\n\r\n")?;
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes)?;
        let broken = || std::io::Error::other("no HTTP");
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(broken)?;
        let (head, body) = bytes.split_at(head + 4);
        let head = String::from_utf8_lossy(head);
        let status = head.split_whitespace().nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
        Ok(HttpReply { status, head: head.into_owned(), body: body.to_vec() })
    }

    /// Asks for a page and reads it strictly.
    pub(crate) fn page(&self, view: View) -> Exposition {
        let reply = self.get(view.path()).unwrap_or_else(|error| panic!("{}: {error}", view.path()));
        assert_eq!(reply.status, 200, "{}: {}", view.path(), String::from_utf8_lossy(&reply.body));
        expo::parse(&reply.body, Format::Text004).unwrap_or_else(|error| panic!("{}: {error}", view.path()))
    }
}

/// What a server answered.
pub(crate) struct HttpReply {
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// The program, as cargo built it for this test.
pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_yagura-exporter"))
}

/// Copies a folder with its files and links.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    std::fs::create_dir_all(to).unwrap();
    for entry in entries {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy_tree(&entry.path(), &target);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
