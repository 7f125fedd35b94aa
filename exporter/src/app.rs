//! Starts the agent and connects its parts. The only module that knows all of them.

use std::{
    io::{self, Write},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use daemon::{Landing, Loaded, Page, Reply, ScrapeRequest, Server, Telemetry, Troubles, Written};
use expo::Encoder;
use kernfs::{Budget, Host, Reader};
use metric::{Batch, Desc, Limits};
use parking_lot::Mutex;

use crate::{
    boards::Boards,
    books::Books,
    check, collectors,
    config::{Config, Counters, is_called},
    events::{Feeds, lines},
    history::{self, Asked, History, Keeper, Ticket},
    identity::{Layout, Peers, Places, Pods, Tree},
    own_metrics::OwnMetrics,
    privilege,
    probes::object,
    program::PROGRAM,
    report::{Delivered, Report},
    scrape::{Engine, Off},
    slices,
    spec::{Context, Spec, View},
    workloads,
};

/// What the agent can do on this machine.
#[derive(Clone, Debug)]
pub struct Features {
    /// Collectors that are on, and what they lack.
    pub on: Vec<(&'static Spec, Option<String>)>,
    /// Those that are off, and why.
    pub off: Vec<Off>,
}

impl Features {
    fn of(engine: &Engine) -> Self {
        Self { on: engine.lacks().collect(), off: engine.off().to_vec() }
    }
}

/// The agent at work.
pub struct App {
    /// Of the containers' engine and of the node's, as after their last scrape.
    features: Mutex<[Features; 2]>,
    /// Collectors of the container views.
    containers: Mutex<Engine>,
    /// Collectors of the node view. Apart, so that a slow disk of the machine does not delay containers.
    node: Mutex<Engine>,
    pages: Mutex<Vec<(Batch, Encoder)>>,
    /// Pages of the containers' own view that have been delivered since the last scrape: told then, for the thread that
    /// has just written one shall not wait for another that collects.
    delivered: Mutex<Vec<Delivered>>,
    limits: Limits,
    telemetry: Telemetry,
    own: Arc<OwnMetrics>,
    known: Known,
    config: Arc<Config>,
    budget: Arc<Budget>,
    mode: &'static str,
    /// Containers without names, as of the last scrape of theirs.
    unnamed: AtomicUsize,
    boards: Boards,
    /// Reads what counters of the cAdvisor view say over time, if they do.
    keeper: Option<Keeper>,
    books: Arc<OnceLock<Books>>,
}

/// What outlives a reload: what others tell of this node and its cluster, and the streams of events.
#[derive(Clone, Debug)]
pub struct Known {
    pods: Pods,
    peers: Peers,
    feeds: Feeds,
    history: Arc<History>,
}

impl Default for Known {
    fn default() -> Self {
        let pods = Pods::default();
        Self { peers: Peers::new(&pods), pods, feeds: Feeds::default(), history: Arc::default() }
    }
}

impl Known {
    fn set_up(&self, config: &Config) {
        self.pods.set_up(&config.kubernetes);
        self.peers.set_up(&config.peers, &config.kubernetes.node);
    }
}

/// Pages that are kept for the next scrapes; more than that run at the same time only when many scrapers collide.
const KEPT_PAGES: usize = 4;

/// How long somebody who looks at a page waits for it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);

impl App {
    /// Opens the machine and builds every collector that it can have.
    pub fn new(config: &Arc<Config>, known: &Known, telemetry: &Telemetry, own: &Arc<OwnMetrics>) -> Result<Self> {
        let path = &config.path;
        let host = Arc::new(Host::open(&path.procfs, &path.sysfs, &path.cgroupfs, &path.rootfs)?);
        let layout = Arc::new(Layout::find(&host, &mut Reader::default())?);
        let budget = Budget::new(config.files.kept.min(room_for_files()));
        let places = Places::new(&path.bundles);
        let context = Context {
            places: places.clone(),
            host: Arc::clone(&host),
            config: Arc::clone(config),
            pods: known.pods.clone(),
            peers: known.peers.clone(),
            books: Arc::default(),
            feeds: known.feeds.clone(),
            declared: slices::declared,
            troubles: Troubles::default(),
            at_end: false,
        };
        known.feeds.set_listened(slices::all().filter(|spec| slices::wants(config, spec)).flat_map(Spec::listens));
        let (of_node, of_containers): (Vec<&'static Spec>, Vec<&'static Spec>) =
            slices::all().partition(|spec| spec.shows.iter().all(|(view, _)| *view == View::Node));
        let engine = |specs: &[&'static Spec]| -> Result<Engine> {
            let tree = Tree::new(Arc::clone(&host), Arc::clone(&layout), Arc::clone(&budget))
                .context("cannot open the cgroup hierarchies")?
                .with_pods(&known.pods)
                .with_rows(config.cadvisor.cgroups)
                .with_places(&places);
            Ok(Engine::new(specs, |spec| slices::wants(config, spec), &context, tree))
        };
        let (containers, node) = (engine(&of_containers)?, engine(&of_node)?);
        let keeper = if config.cadvisor.counters == Counters::OverTime {
            let tree = Tree::new(Arc::clone(&host), Arc::clone(&layout), Arc::clone(&budget))
                .context("cannot open the cgroup hierarchies")?
                .with_pods(&known.pods)
                .with_places(&places)
                .apart();
            let at_end = Context { at_end: true, ..context.clone() };
            let counting: Vec<&'static Spec> = slices::all().filter(|spec| history::reads(spec)).collect();
            let engine = Engine::new(&counting, |spec| slices::wants(config, spec), &at_end, tree);
            Some(Keeper::new(engine, &known.feeds, &known.history))
        } else {
            None
        };
        let app = Self {
            features: Mutex::new([&containers, &node].map(Features::of)),
            containers: Mutex::new(containers),
            node: Mutex::new(node),
            pages: Mutex::default(),
            delivered: Mutex::default(),
            limits: Limits { per_family: config.series.per_family, total: config.series.per_page },
            own: Arc::clone(own),
            known: known.clone(),
            config: Arc::clone(config),
            telemetry: telemetry.clone(),
            budget,
            mode: layout.mode().name(),
            unnamed: AtomicUsize::new(0),
            boards: Boards::new(&config.web.links, &node_name(config)),
            keeper,
            books: Arc::clone(&context.books),
        };
        app.say_what_is_off();
        Ok(app)
    }

    /// How cgroups are set up on this machine: "v1", "v2" or "hybrid".
    pub fn cgroups(&self) -> &'static str {
        self.mode
    }

    /// Whether Kubernetes tells of pods, for people.
    pub fn pods_in_words(&self) -> String {
        let figures = self.known.pods.figures();
        match (figures.off, figures.age) {
            (Some(reason), _) => format!("known by their bundles alone: {reason}"),
            (None, None) => "nothing was told yet".to_owned(),
            (None, Some(age)) => {
                format!("{} by {}, told {} s ago", figures.pods, figures.by, age.as_secs())
            }
        }
    }

    /// Collectors that are on, with what they lack, and those that are off with the reason. Waits for no scrape.
    pub fn features(&self) -> Features {
        let [containers, node] = &*self.features.lock();
        let mut all = containers.clone();
        all.on.extend_from_slice(&node.on);
        all.off.extend_from_slice(&node.off);
        all
    }

    fn say_what_is_off(&self) {
        let Features { on, off } = self.features();
        self.own.forget_features();
        for (spec, lacks) in on {
            self.own.feature(spec.name, true, lacks.as_deref().unwrap_or_default());
        }
        // One cause, such as a missing capability, can take away many.
        let mut by_reason: Vec<(String, Vec<&str>)> = Vec::new();
        for Off { spec, reason } in off {
            self.own.feature(spec.name, false, &reason);
            if !spec.default_on {
                continue;
            }
            match by_reason.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, names)) => names.push(spec.name),
                None => by_reason.push((reason, vec![spec.name])),
            }
        }
        for (reason, names) in by_reason {
            tracing::info!(collectors = names.join(","), reason, "collectors are off");
        }
    }

    /// Has the collectors of a view that are asked for fill the batch, once they are free.
    fn collect(
        &self,
        view: View,
        deadline: Instant,
        asked: impl Fn(&Spec) -> bool,
        batch: &mut Batch,
        finish: impl FnOnce(&Tree, &Report, &mut Batch),
    ) -> io::Result<Report> {
        let engine = if view == View::Node { &self.node } else { &self.containers };
        let Some(mut engine) = engine.try_lock_until(deadline) else {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "another scrape holds the collectors"));
        };
        if view == View::Own {
            for page in self.delivered.lock().drain(..) {
                engine.delivered(&page);
            }
        }
        let report = engine.scrape(view, deadline, asked, batch);
        finish(engine.tree(), &report, batch);
        if !report.lacks.is_empty() {
            let [containers, node] = &mut *self.features.lock();
            *(if view == View::Node { node } else { containers }) = Features::of(&engine);
        }
        drop(engine);
        for (feature, before, lacks) in &report.lacks {
            self.own.forget_feature(feature, before);
            self.own.feature(feature, true, lacks);
        }
        Ok(report)
    }

    /// The page of workloads.
    fn workloads(&self) -> Reply {
        let mut batch = Batch::with_limits(self.limits);
        let asked = |spec: &Spec| workloads::COLLECTORS.contains(&spec.name);
        match self.collect(View::Own, Instant::now() + PAGE_TIMEOUT, asked, &mut batch, |_, _, _| {}) {
            Ok(report) => Reply::html(workloads::page(&batch, &report.others, &self.boards)),
            Err(error) => Reply::status(503, format!("{error}\n")),
        }
    }

    /// Whether the collectors of `collect[]` are on this page: one that is not would leave a page without its families,
    /// and a scrape that seems to work.
    fn check(&self, view: View, query: &[(String, String)]) -> Result<(), String> {
        let values =
            |key: &'static str| query.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str());
        if values("collect[]").next().is_some() && values("exclude[]").next().is_some() {
            return Err("collect[] and exclude[] cannot be combined".to_owned());
        }
        for name in values("collect[]") {
            let called: Vec<&Spec> = slices::all().filter(|spec| is_called(spec.name, name)).collect();
            if called.is_empty() {
                return Err(format!("missing collector: {name}{}", check::nearest(name)));
            }
            let Some(spec) = called.iter().find(|spec| spec.is_in(view)) else {
                let places = View::ALL.into_iter().filter(|view| called.iter().any(|spec| spec.is_in(*view)));
                let places: Vec<&str> = places.map(View::path).collect();
                return Err(format!("collector {name} is not on this page; it is on {}", places.join(" and ")));
            };
            if !slices::wants(&self.config, spec) {
                return Err(format!("disabled collector: {name}; --collector.{name} enables it"));
            }
        }
        Ok(())
    }

    /// Makes of a page of the moment one that adds up over time.
    fn over_time(&self, request: &ScrapeRequest, tree: &Tree, report: &Report, batch: &mut Batch) -> Ticket {
        if let Some(keeper) = &self.keeper
            && let Err(error) = keeper.begin()
        {
            tracing::error!(%error, "cannot start the thread that reads what containers used last");
        }
        // Pages with other families are another's.
        let mut scraper = request.scraper.clone();
        for (name, value) in &request.query {
            scraper.extend([" ", name, "=", value]);
        }
        let living: Vec<_> = tree.shown().collect();
        let has = |desc: &Desc| slices::all().any(|spec| is_asked_for(spec, request) && history::shows(spec, desc));
        let whole_cpu = |path: &str| Some(self.books.get()?.look(|ledger| ledger.whole_cpu(path))? as f64 / 1e9);
        let asked = Asked {
            scraper: &scraper,
            now: report.at,
            living: &living,
            shows: &tree.shows(),
            has: &has,
            whole_cpu: &whole_cpu,
        };
        let ticket = self.known.history.page(&asked, batch);
        self.own.note_history(self.known.history.figures());
        ticket
    }

    fn write(&self, view: View, request: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written> {
        let (mut batch, mut encoder) =
            self.pages.lock().pop().unwrap_or_else(|| (Batch::with_limits(self.limits), Encoder::default()));
        let mut ticket = None;
        let over_time = |tree: &Tree, report: &Report, batch: &mut Batch| {
            if self.keeper.is_some() && view == View::Cadvisor {
                ticket = Some(self.over_time(request, tree, report, batch));
            }
        };
        let report = self.collect(view, request.deadline, |spec| is_asked_for(spec, request), &mut batch, over_time)?;
        self.own.note(view, &report, &self.budget);
        if view != View::Node {
            self.unnamed.store(report.figures.unnamed, Relaxed);
        }
        if view == View::Own {
            self.own.note_pods(&self.known.pods.figures());
            self.own.note_peers(&self.known.peers.figures());
        }
        if view == View::Node {
            collectors::node_scrape::emit(&report.runs, &mut batch);
        }
        let mut written = encoder.append(&[&batch], request.format, out)?;
        if !report.others.families.is_empty() {
            written += encoder.append_exposition(&report.others, request.format, out)?;
        }
        if view == View::Own {
            let own = self.telemetry.exposition().map_err(io::Error::other)?;
            written += encoder.append_exposition(&own, request.format, out)?;
        }
        written += encoder.finish(request.format, out)?;
        self.own.note_left_out(view, encoder.left_out());
        // Whoever waited longer has given up.
        if view == View::Own && Instant::now() < request.deadline {
            self.delivered.lock().push(report.delivered(&request.scraper));
        }
        let batch = match ticket {
            Some(ticket) => {
                if Instant::now() < request.deadline {
                    self.known.history.delivered(&ticket);
                }
                self.known.history.keep(ticket, batch)
            }
            None => Some(batch),
        };
        let batch = batch.unwrap_or_else(|| Batch::with_limits(self.limits));
        let mut pages = self.pages.lock();
        if pages.len() < KEPT_PAGES {
            pages.push((batch, encoder));
        }
        Ok(Written { series: written.series })
    }
}

/// A view of whatever app is the current one.
struct ViewPage {
    app: Arc<ArcSwap<App>>,
    view: View,
}

impl Page for ViewPage {
    fn write(&self, request: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written> {
        self.app.load_full().write(self.view, request, out)
    }

    fn check(&self, query: &[(String, String)]) -> Result<(), String> {
        self.app.load().check(self.view, query)
    }
}

/// Serves until the process is told to end.
pub fn serve(loaded: &Loaded<Config>) -> Result<()> {
    object::keep_one_heap();
    let telemetry = Telemetry::new(&PROGRAM);
    let own = Arc::new(OwnMetrics::register(&telemetry));
    let known = Known::default();
    lines::start(&loaded.config.events, &known.feeds)?;
    privilege::begin(&slices::needed(&loaded.config), loaded.config.privilege.keep_capabilities);
    let first = App::new(&Arc::new(loaded.config.clone()), &known, &telemetry, &own)?;
    privilege::settle();
    privilege::report();
    known.set_up(&loaded.config);
    match known.pods.figures().off {
        None => tracing::info!(node = loaded.config.kubernetes.node, "watching the pods of this node"),
        Some(reason) => tracing::info!(reason, "not asking Kubernetes: container names come from OCI bundles only"),
    }
    let app = Arc::new(ArcSwap::from_pointee(first));
    let (source, reloaded) = (loaded.source().clone(), Arc::clone(&app));
    let (started, current) = (loaded.config.clone(), Mutex::new(loaded.config.clone()));
    let for_reload = telemetry.clone();
    let mut server = Server::new(&PROGRAM, loaded.config.web.clone(), telemetry);
    for (view, title, description) in VIEWS {
        let path = if *view == View::Own { loaded.config.web.telemetry_path.clone() } else { view.path().to_owned() };
        server = server.page(&path, title, description, ViewPage { app: Arc::clone(&app), view: *view });
    }
    let for_workloads = Arc::clone(&app);
    server
        .plain(
            workloads::PATH,
            "Workloads",
            "For people: what each workload used, whom it talks to, whose it is.",
            move |_| for_workloads.load_full().workloads(),
        )
        .landing(move || landing(&app.load()))
        .reload(move || {
            let config = Arc::new(source.load()?);
            let new = App::new(&config, &known, &for_reload, &own)?;
            known.set_up(&config);
            reloaded.store(Arc::new(new));
            let mut current = current.lock();
            let changes = source.changes(&started, &current, &config);
            if current.log.level != config.log.level {
                daemon::logs::set_level(&config.log.level)?;
            }
            *current = (*config).clone();
            Ok(changes)
        })
        .run()
}

const VIEWS: &[(View, &str, &str)] = &[
    (View::Own, "Containers", "Each fact once, by namespace, pod and container, and the agent's own metrics."),
    (View::Cadvisor, "cAdvisor", "What a kubelet's cAdvisor endpoint serves: same names, labels and types."),
    (View::Node, "Node", "The machine, under the names of node_exporter."),
];

fn landing(app: &App) -> Landing {
    let kernel = rustix::system::uname();
    let mut page = Landing::of(&PROGRAM)
        .fact("Node", kernel.nodename().to_string_lossy())
        .fact("Kernel", kernel.release().to_string_lossy())
        .fact("cgroups", app.cgroups())
        .fact("Pods", app.pods_in_words());
    let unnamed = app.unnamed.load(Relaxed);
    if unnamed > 0 {
        page = page.fact(
            "Containers without names",
            format!(
                "{unnamed}: no OCI bundle or Docker record was found; name the runtime's folder with --path.bundles"
            ),
        );
    }
    page = page
        .elsewhere(
            app.boards.node(),
            "This node",
            "CPU, memory, disks and network of this node, and who waits for them.",
        )
        .elsewhere(app.boards.cluster(), "Cluster", "What fires, which namespaces and nodes are in trouble.")
        .elsewhere(app.boards.alerts(), "Alerts", "Alertmanager: what fires now, and silences.")
        .elsewhere(app.boards.rules(), "Rules", "Prometheus: every rule, and whether it fires.");
    let Features { on, off } = app.features();
    // What this machine lacks stands first, what nobody asked for last.
    let (missing, unwanted): (Vec<Off>, Vec<Off>) = off.into_iter().partition(|off| off.spec.default_on);
    for Off { spec, reason } in missing {
        page = page.feature(spec.name, false, Some(reason), spec.about);
    }
    for (spec, lacks) in on {
        page = page.feature(spec.name, true, lacks, spec.about);
    }
    for Off { spec, reason } in unwanted {
        page = page.feature(spec.name, false, Some(reason), spec.about);
    }
    page
}

/// What scrapes should call this machine: its Node object, else its host name.
fn node_name(config: &Config) -> String {
    let named = &config.kubernetes.node;
    if named.is_empty() { rustix::system::uname().nodename().to_string_lossy().into_owned() } else { named.clone() }
}

/// `?collect[]=cpu` runs only these, `?exclude[]=cpu` all but these, as with `node_exporter`.
fn is_asked_for(spec: &Spec, request: &ScrapeRequest) -> bool {
    let mut collect = request.values("collect[]").peekable();
    (collect.peek().is_none() || collect.any(|name| is_called(spec.name, name)))
        && !request.values("exclude[]").any(|name| is_called(spec.name, name))
}

/// Asks for as many file descriptors as the process may have, and gives three quarters of them to kept files; half, if
/// they are so few that programs and scrapers need the rest.
fn room_for_files() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        tracing::debug!(?current, ?maximum, "cannot raise the limit of open files");
    }
    let room = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
    usize::try_from(if room < 512 { room / 2 } else { room / 4 * 3 }).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_landing_page_waits_for_no_scrape() {
        let mut config = Config::default();
        config.probe.disable = true;
        config.kubernetes.node = "node-1".to_owned();
        config.web.links.grafana = "https://g.example".to_owned();
        let telemetry = Telemetry::new(&PROGRAM);
        let own = Arc::new(OwnMetrics::register(&telemetry));
        let app = Arc::new(App::new(&Arc::new(config), &Known::default(), &telemetry, &own).unwrap());
        let scrapes = (app.containers.lock(), app.node.lock());
        let (done, page) = std::sync::mpsc::channel();
        let for_page = Arc::clone(&app);
        std::thread::spawn(move || drop(done.send(landing(&for_page))));
        let page = page.recv_timeout(Duration::from_mins(1)).unwrap();
        drop(scrapes);
        assert!(page.features.iter().any(|feature| feature.name == "container_cpu"), "{page:?}");
        let boards: Vec<&str> = page.elsewhere.iter().map(|board| board.path.as_str()).collect();
        assert_eq!(boards, ["https://g.example/d/yagura-node?var-node=node-1", "https://g.example/d/yagura-cluster"]);
    }
}
