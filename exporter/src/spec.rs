//! The declaration of a slice: its name, needs, families and constructor.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
    time::Instant,
};

use caps::Capability;
use daemon::Troubles;
use expo::Exposition;
use kernfs::{Host, ReadError, Reader};
use metric::{Batch, Desc, NeedEntry};
use thiserror::Error;

use crate::{
    books::Books,
    config::Config,
    events::{self, Feeds},
    identity::{Peers, Places, Pods, Tree},
    privilege,
};

/// An endpoint: which families it shows, under which names and labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// `/metrics`: our own names, each fact once.
    Own,
    /// `/metrics/cadvisor`: what a kubelet's cAdvisor endpoint shows.
    Cadvisor,
    /// `/metrics/node`: what `node_exporter` shows.
    Node,
}

impl View {
    /// All views.
    pub const ALL: [Self; 3] = [Self::Own, Self::Cadvisor, Self::Node];

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Own => "/metrics",
            Self::Cadvisor => "/metrics/cadvisor",
            Self::Node => "/metrics/node",
        }
    }
}

/// Something of the machine that a slice needs; without it some or all of its series are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A file or folder, below the root that its first element names: `proc/…`, `sys/…`, `cgroup/…`, `rootfs/…`.
    File(&'static str),
    /// A kernel of at least this version: major, minor.
    Kernel(u32, u32),
    /// A capability, to see all of the machine: `CAP_SYS_PTRACE`.
    Capability(&'static str),
    /// The kernel's own type information, `sys/kernel/btf/vmlinux`.
    Btf,
    /// A hook that an eBPF program is attached to.
    Hook(&'static str),
    /// Events of this type, which another slice produces while a slice that needs them is switched on.
    Events(events::Kind),
    /// One of these sets, the first that the machine has.
    OneOf(&'static [&'static [Need]]),
}

impl From<&Need> for NeedEntry {
    fn from(need: &Need) -> Self {
        match need {
            Need::File(path) => Self::File((*path).to_owned()),
            Need::Kernel(major, minor) => Self::Kernel(*major, *minor),
            Need::Capability(name) => Self::Capability((*name).to_owned()),
            Need::Btf => Self::Btf,
            Need::Hook(name) => Self::Hook((*name).to_owned()),
            Need::Events(kind) => Self::Events(kind.name().to_owned()),
            Need::OneOf(sets) => Self::OneOf(sets.iter().map(|set| set.iter().map(Self::from).collect()).collect()),
        }
    }
}

/// A slice.
#[derive(Debug)]
pub struct Spec {
    /// Its name: the flag `--collector.<name>`, the label `collector`.
    pub name: &'static str,
    /// One sentence: what it measures.
    pub about: &'static str,
    /// Whether it runs unless switched off.
    pub default_on: bool,
    /// What it needs.
    pub needs: &'static [Need],
    /// Its families, by the view that shows them.
    pub shows: &'static [(View, &'static [&'static Desc])],
    /// Builds it.
    pub build: fn(&Context) -> Result<Box<dyn Collector>, Unavailable>,
}

impl Spec {
    /// Whether it has families in a view.
    pub fn is_in(&self, view: View) -> bool {
        self.shows.iter().any(|(shown, _)| *shown == view)
    }

    /// What it needs, with what each alternative needs.
    fn all_needs(&self) -> impl Iterator<Item = &'static Need> {
        self.needs.iter().flat_map(|need| {
            let sets: &'static [&'static [Need]] = if let Need::OneOf(sets) = need { sets } else { &[] };
            std::iter::once(need).chain(sets.iter().copied().flatten())
        })
    }

    /// The types of event that it listens to.
    pub fn listens(&self) -> impl Iterator<Item = events::Kind> {
        self.all_needs().filter_map(|need| match need {
            Need::Events(kind) => Some(*kind),
            _ => None,
        })
    }

    /// The capabilities that it declares.
    pub fn capabilities(&self) -> impl Iterator<Item = Capability> {
        self.all_needs().filter_map(|need| match need {
            Need::Capability(name) => name.parse().ok(),
            _ => None,
        })
    }

    /// What would bring the rows that it may not read: the capabilities that it declares and the process has not got,
    /// else who may read its files.
    pub fn remedy(&self) -> String {
        if let Some(missing) = self.missing() {
            return format!("some rows are missing, for want of {missing}");
        }
        let files = self.needs.iter().filter_map(|need| match need {
            Need::File(path) => Some(*path),
            _ => None,
        });
        let files: Vec<&str> = files.collect();
        format!("some rows are missing: {} may not be read by this process", files.join(", "))
    }

    /// Why it is off, with the capabilities that it lacks where the reason does not name them.
    pub fn explained(&self, reason: String) -> String {
        match self.missing() {
            Some(missing) if !reason.contains("CAP_") => format!("{reason}; {missing} missing"),
            _ => reason,
        }
    }

    fn missing(&self) -> Option<String> {
        let names: Vec<String> = privilege::missing(self.capabilities()).iter().map(ToString::to_string).collect();
        (!names.is_empty()).then(|| names.join(" and "))
    }
}

/// What slices are built from.
#[derive(Clone, Debug)]
pub struct Context {
    /// The machine.
    pub host: Arc<Host>,
    /// Every option.
    pub config: Arc<Config>,
    /// What Kubernetes says of this node's pods.
    pub pods: Pods,
    /// Where containers' bundles are.
    pub places: Places,
    /// Who is at which address.
    pub peers: Peers,
    /// Streams of single events.
    pub feeds: Feeds,
    /// Names of all families that slices declare for a view.
    pub declared: fn(View) -> HashSet<&'static str>,
    /// The books, once the slice that keeps them is built.
    pub books: Arc<OnceLock<Books>>,
    /// Problems of collectors that go on, by cause.
    pub troubles: Troubles,
    /// Whether collectors are asked for the last figures of cgroups whose processes have ended.
    pub at_end: bool,
}

impl Context {
    /// Of a machine that belongs to no cluster.
    pub fn alone(host: Arc<Host>, config: impl Into<Arc<Config>>) -> Self {
        let (config, pods, peers) = (config.into(), Pods::default(), Peers::default());
        let (feeds, books, troubles) = (Feeds::default(), Arc::default(), Troubles::default());
        let places = Places::new(&config.path.bundles);
        Self { places, host, config, pods, peers, feeds, declared: |_| HashSet::new(), books, troubles, at_end: false }
    }

    /// The books, for slices that count by the same cgroups.
    pub fn books(&self) -> Result<Books, Unavailable> {
        self.books.get().cloned().ok_or_else(|| Unavailable("needs the feature lifetime, which is off".into()))
    }
}

/// Why a slice is off on this machine. The text follows "off:" in the log, on the landing page and in the label
/// `reason`: what is missing, and what would bring it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// One slice at work. It is called by one scrape at a time.
pub trait Collector: Send {
    /// Reads what it measures and puts the samples of the view that is asked for.
    ///
    /// A failure that costs some rows is noted with [`Scrape::note`] and the rest served; an error returned takes back
    /// all that this call put.
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError>;

    /// A page with what [`Collector::collect`] put at `at`, in seconds since the Unix epoch, has reached a scraper whole.
    fn delivered(&mut self, scraper: &str, at: f64) {
        let _ = (scraper, at);
    }
}

/// One scrape, as a slice sees it.
pub struct Scrape<'a> {
    /// Which view is asked for.
    pub view: View,
    /// Where samples go.
    pub out: &'a mut Batch,
    /// The cgroups of the machine, with their subjects in `out` for this view.
    pub tree: &'a mut Tree,
    /// The machine.
    pub host: &'a Host,
    /// Reads files.
    pub reader: &'a mut Reader,
    /// The time, in seconds since the Unix epoch.
    pub now: f64,
    /// When the answer must be out; a slice that may take long looks at it.
    pub deadline: Instant,
    /// Failures that cost some rows only.
    pub problems: &'a mut Vec<ReadError>,
    /// Families that others made and that no declaration names. They follow those of `out`; one whose name `out` has
    /// too is left out.
    pub others: &'a mut Exposition,
    /// Whether the machine has nothing that the slice could read. See [`Scrape::nothing_there`].
    pub absent: bool,
}

impl Scrape<'_> {
    /// Notes a failure that costs some rows only. It is counted, and logged when it starts and when it ends.
    pub fn note(&mut self, problem: ReadError) {
        self.problems.push(problem);
    }

    /// Says that the machine lacks what the slice reads: no such hardware, module or file. That is no failure; the node
    /// view says so as `node_exporter` does, with a `node_scrape_collector_success` of 0.
    pub fn nothing_there(&mut self) {
        self.absent = true;
    }
}
