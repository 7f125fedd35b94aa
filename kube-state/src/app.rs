//! Starts the program and connects its parts. The only module that knows all of them.

use std::{
    borrow::Cow,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use anyhow::Result;
use arc_swap::ArcSwap;
use daemon::{CancellationToken, Changes, Landing, Outage, Telemetry, Troubles};
use kubernetes::{Access, Api, Manner, NoAccess, Trouble};
use metric::Batch;
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};

use crate::{
    custom::{CustomKind, Follower, Loaded, Source},
    engine::{Engine, Part, Shown},
    flags::{BadFlags, Config, Flags, with_file},
    namespaces::Namespaces,
    own_metrics::{self, OwnMetrics},
    peers::Peers,
    plan,
    program::PROGRAM,
    resources,
    shard::Shard,
    shards::{self, NoShard},
    watch::{Common, Ledger, Pace},
    workloads::Workloads,
};

/// Lists that may run at the same time. More do not end sooner, and the API server has others to serve.
const LISTS: usize = 16;
/// Interval of checking files for changes.
const LOOK: Duration = Duration::from_secs(2);
/// The oldest minor version of Kubernetes whose API server has streaming lists unless it was told not to.
const STREAMS_SINCE: u32 = 32;

/// The active settings: the flags with the file over them, and the configuration made from them.
#[derive(Debug)]
pub struct Setup {
    /// Flags and file.
    pub flags: Flags,
    /// The same, checked.
    pub config: Config,
    /// The text of the configuration file.
    text: Option<String>,
    /// Configuration of custom resources.
    pub custom: Loaded,
}

impl Setup {
    /// Reads the configuration file, and checks it with the flags.
    pub fn load(given: &Flags) -> Result<Self, BadFlags> {
        let (flags, text) = with_file(given)?;
        let config = flags.check().map_err(|wrong| match (&given.config, &text) {
            (Some(path), Some(text)) => match wrong.placed(path, text) {
                placed @ BadFlags::File(_) => placed,
                wrong => blamed(given, &flags, wrong),
            },
            _ => wrong,
        })?;
        let custom = flags.custom().load()?;
        Ok(Self { flags, config, text, custom })
    }

    /// Values that have no effect, since they match nothing.
    pub fn warnings(&self) -> Vec<String> {
        let custom: Vec<&str> = self.custom.config.families().collect();
        self.config.without_effect(&custom)
    }
}

/// The error of flags with the file over them: that of the flags alone, and the file's when they are good.
fn blamed(given: &Flags, flags: &Flags, error: BadFlags) -> BadFlags {
    match (&flags.config, given.check()) {
        (Some(path), Ok(_)) => BadFlags::InFile { path: path.clone(), source: Box::new(error) },
        (Some(_), Err(own)) => own,
        (None, _) => error,
    }
}

/// The program at work.
pub struct App {
    /// As given on the command line.
    given: Flags,
    /// The flags with the file over them, as at the start.
    started: Flags,
    setup: ArcSwap<Setup>,
    own: OwnMetrics,
    telemetry: Telemetry,
    pace: Pace,
    shard: watch::Sender<Shard>,
    api: OnceLock<Api>,
    engine: OnceLock<Engine>,
    server_version: OnceLock<String>,
    follower: Follower,
    namespaces: Namespaces,
    workloads: Option<Workloads>,
    peers: Option<Peers>,
}

impl App {
    /// An app that does nothing yet.
    pub fn new(given: Flags, setup: Setup, telemetry: Telemetry, pace: Pace) -> Arc<Self> {
        let workloads = Some(&setup.config.workloads).filter(|config| !config.is_off()).cloned().map(Workloads::new);
        let app = Self {
            peers: workloads.as_ref().filter(|workloads| workloads.config().peers).cloned().map(Peers::new),
            workloads,
            shard: watch::Sender::new(setup.config.shard),
            own: OwnMetrics::default(),
            given,
            started: setup.flags.clone(),
            telemetry,
            pace,
            api: OnceLock::new(),
            engine: OnceLock::new(),
            server_version: OnceLock::new(),
            namespaces: Namespaces::default(),
            follower: Follower::new(setup.custom.config.clone()),
            setup: ArcSwap::from_pointee(setup),
        };
        app.note_loaded();
        Arc::new(app)
    }

    /// Data that scrapes read.
    pub fn board(&self) -> Arc<Vec<Shown>> {
        self.engine.get().map(Engine::board).unwrap_or_default()
    }

    /// Workloads, if they are enabled.
    pub fn workloads(&self) -> Option<&Workloads> {
        self.workloads.as_ref()
    }

    /// Metrics about the program.
    pub fn own(&self) -> &OwnMetrics {
        &self.own
    }

    /// The daemon's own metrics.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The active settings.
    pub fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// The way to the API server, once there is one.
    pub fn api(&self) -> Option<&Api> {
        self.api.get()
    }

    /// The shard whose objects are kept.
    pub fn shard(&self) -> Shard {
        *self.shard.borrow()
    }

    /// The addresses of the cluster, when they are asked for.
    pub fn peers(&self) -> Option<&Peers> {
        self.peers.as_ref()
    }

    /// Puts the metrics about the program.
    pub fn emit(&self, out: &mut Batch) {
        self.own.emit(self.engine.get(), self.shard(), PROGRAM.revision.unwrap_or(""), out);
        own_metrics::emit_definitions(self.follower.counts(), out);
        if self.setup.load().flags.custom() != Source::None {
            own_metrics::emit_matches(&self.follower, out);
        }
    }

    /// Whether answers are compressed for who wants that.
    pub fn compresses(&self) -> bool {
        self.setup.load().flags.enable_gzip_encoding
    }

    /// Fails with what is not there yet.
    pub fn ready(&self) -> Result<(), String> {
        self.engine.get().ok_or_else(|| "the API server was not reached yet".to_owned())?.ready()?;
        if !self.follower.is_settled() {
            return Err("custom kinds are defined that are not watched yet".to_owned());
        }
        let is_settled = self.namespaces.is_settled();
        if is_settled { Ok(()) } else { Err("there are namespaces that are not watched yet".to_owned()) }
    }

    /// The way to the API server, found once. Reads files, and asks nobody yet; to be called on a runtime.
    pub fn connect(&self) -> Result<&Api, NoAccess> {
        if let Some(api) = self.api.get() {
            return Ok(api);
        }
        let api = open(&self.setup.load().config.access)?;
        Ok(self.api.get_or_init(|| api))
    }

    /// Watches until `stop`. Fails when there is no way to the API server; that the server does not answer is only
    /// waited for.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) -> Result<()> {
        let api = self.connect()?.clone();
        let begun = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            streams = self.begin(&api) => streams,
        };
        let common = Common {
            api: api.clone(),
            shard: self.shard.subscribe(),
            turns: Arc::new(Semaphore::new(LISTS)),
            pace: self.pace,
            streams: begun,
            troubles: Troubles::default(),
        };
        let engine = Engine::new(common, Ledger::default(), stop.clone());
        let setup = self.setup.load_full();
        self.apply(&engine, &setup);
        let engine = self.engine.get_or_init(|| engine);
        let shards = async {
            if let Some(pod) = &setup.config.pod {
                shards::follow(api, pod.clone(), self.shard.clone(), self.pace, stop.clone()).await;
            }
        };
        // In one task: none of them can end in a panic and leave the others to go on without it.
        tokio::join!(engine.run(), self.follow_definitions(&stop), self.follow_namespaces(&stop), shards);
        Ok(())
    }

    /// Watches what a setup asks for. Custom kinds follow from the definitions.
    fn apply(&self, engine: &Engine, setup: &Setup) {
        let selector = setup.config.namespace_selector.as_deref();
        let namespaces = selector.map(|selector| plan::namespaces(selector, Arc::new(self.namespaces.clone())));
        engine.apply(Part::Namespaces, namespaces.into_iter().collect());
        let config = self.within_namespaces(&setup.config);
        let mut targets = plan::targets(&config);
        if let Some(workloads) = &self.workloads {
            targets = plan::with_workloads(targets, workloads);
            engine.apply(Part::Owners, plan::owners(&config, workloads));
        }
        if let Some(peers) = &self.peers {
            targets = plan::with_peers(targets, peers);
            engine.apply(Part::Peers, plan::peers(&config, peers));
        }
        engine.apply(Part::Known, targets);
        let has_custom = setup.flags.custom() != Source::None;
        let definitions = has_custom.then(|| plan::definitions(Arc::new(self.follower.clone())));
        engine.apply(Part::Definitions, definitions.into_iter().collect());
    }

    /// The configuration, with the namespaces that its selector finds now.
    fn within_namespaces<'c>(&self, config: &'c Config) -> Cow<'c, Config> {
        if config.namespace_selector.is_none() {
            return Cow::Borrowed(config);
        }
        Cow::Owned(Config { namespaces: self.namespaces.names(), ..config.clone() })
    }

    /// Watches in the namespaces that there are, until `stop`.
    async fn follow_namespaces(&self, stop: &CancellationToken) {
        let Some(engine) = self.engine.get() else { return };
        let apply = || {
            self.apply(engine, &self.setup.load());
            self.follower.touch();
        };
        while stop.run_until_cancelled(self.namespaces.next(apply)).await.is_some() {}
    }

    /// Watches the custom kinds that there are, until `stop`.
    async fn follow_definitions(&self, stop: &CancellationToken) {
        let Some(engine) = self.engine.get() else { return };
        let apply = |kinds: Vec<Arc<CustomKind>>| {
            let setup = self.setup.load();
            let verbosity = setup.flags.verbosity();
            let config = self.within_namespaces(&setup.config);
            let targets = kinds.iter().flat_map(|kind| plan::custom_targets(&config, kind, verbosity));
            engine.apply(Part::Custom, targets.collect());
        };
        while stop.run_until_cancelled(self.follower.next(apply)).await.is_some() {}
    }

    /// Waits until the API server answers, and finds out what must be known before the first list: whether the server
    /// has streaming lists, and which shard this is.
    async fn begin(&self, api: &Api) -> bool {
        let streams = self.insist(|| async { Ok(greet(api).await?) }).await;
        let (version, streams) = streams;
        tracing::info!(version, streams, "connected to the API server");
        let _known = self.server_version.set(version);
        if let Some((namespace, pod)) = &self.setup.load().config.pod {
            let shard = self.insist(|| shards::find(api, namespace, pod)).await;
            tracing::info!(ordinal = shard.ordinal(), total = shard.total(), "serving shard");
            self.shard.send_replace(shard);
        }
        streams
    }

    /// Tries until it works.
    async fn insist<T, F>(&self, mut attempt: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, NoShard>>,
    {
        let (mut outage, mut failures) = (Outage::default(), 0);
        loop {
            let error = match attempt().await {
                Ok(done) => return done,
                Err(error) => error,
            };
            let text = daemon::chain(&error);
            if outage.note(&text) {
                tracing::warn!(error = text, "cannot start yet; retrying");
            } else {
                tracing::debug!(error = text, "still cannot start; retrying");
            }
            failures += 1;
            let wait = self.pace.after(failures, error.retry_after());
            tokio::time::sleep(wait.max(Duration::from_millis(50))).await;
        }
    }

    /// Reads the configuration again and takes it over if it is good. To be called where blocking is allowed.
    pub fn reload(&self) -> Result<Changes> {
        let setup = Setup::load(&self.given);
        let setup = setup.inspect_err(|error| match error {
            BadFlags::Custom(bad) => self.own.not_loaded("customresourceconfig", &bad.0.file.display().to_string()),
            _ => {
                if let Some(path) = &self.given.config {
                    self.own.not_loaded("config", &path.display().to_string());
                }
            }
        })?;
        let before = self.setup.load_full();
        if let Some(api) = self.api.get() {
            api.replace(&setup.config.access)?;
        }
        let mut changes = before.flags.changes(&self.started, &setup.flags);
        if before.custom.text != setup.custom.text {
            changes.effective.push("custom resources".to_owned());
        }
        if setup.config.pod.is_none() {
            self.shard.send_if_modified(|shard| std::mem::replace(shard, setup.config.shard) != setup.config.shard);
        }
        let setup = Arc::new(setup);
        self.setup.store(Arc::clone(&setup));
        if let Some(engine) = self.engine.get() {
            self.apply(engine, &setup);
        }
        self.follower.reconfigure(setup.custom.config.clone());
        self.note_loaded();
        Ok(changes)
    }

    fn note_loaded(&self) {
        let setup = self.setup.load();
        if let (Some(path), Some(text)) = (&setup.flags.config, &setup.text) {
            self.own.loaded("config", &path.display().to_string(), text.as_bytes());
        }
        if let (Source::File { path, .. }, Some(text)) = (setup.flags.custom(), &setup.custom.text) {
            self.own.loaded("customresourceconfig", &path.display().to_string(), text.as_bytes());
        }
        for warning in &setup.custom.config.warnings {
            tracing::warn!("{warning}");
        }
        for warning in setup.warnings() {
            tracing::warn!("{warning}");
        }
    }

    /// Reloads when a file changes, until `stop`.
    pub async fn follow_files(self: Arc<Self>, stop: CancellationToken) -> Result<()> {
        let mut seen = self.stamps();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = self.stamps();
            if now == seen {
                continue;
            }
            let changed = now.iter().filter(|stamp| !seen.contains(stamp));
            let files: Vec<PathBuf> = changed.map(|(path, _)| path.clone()).collect();
            seen = now;
            let app = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || app.reload()).await {
                Ok(Ok(changes)) => {
                    tracing::debug!(?files, "files changed");
                    changes.say();
                }
                Ok(Err(error)) => {
                    tracing::error!(error = daemon::chain(&*error), "new configuration is bad, the old one stays");
                }
                Err(error) => tracing::error!(error = %error, "reload panicked, the old configuration stays"),
            }
        }
    }

    /// What the files look like that the configuration is made of.
    fn stamps(&self) -> Vec<(PathBuf, Option<(SystemTime, u64)>)> {
        let setup = self.setup.load();
        let files = [&setup.flags.config, &setup.flags.kubeconfig, &setup.flags.custom_resource_state_config_file];
        let stamp = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        files.into_iter().flatten().map(|path| (path.clone(), stamp(path))).collect()
    }

    /// The landing page.
    pub fn landing(&self) -> Landing {
        let setup = self.setup.load();
        let shard = *self.shard.borrow();
        let unknown = "not reached yet".to_owned();
        let mut page = Landing::of(&PROGRAM)
            .fact("API server", self.server_version.get().unwrap_or(&unknown))
            .fact("Shard", format!("{} of {}", shard.ordinal() + 1, shard.total()));
        let health = self.engine.get().map(Engine::health).unwrap_or_default();
        let objects: usize = health.iter().map(|kind| kind.usage.objects).sum();
        let series: usize = health.iter().map(|kind| kind.usage.series).sum();
        page = page.fact("Objects", objects.to_string()).fact("Series", series.to_string());
        for kind in &health {
            let trouble = kind.watches.iter().find_map(|watch| watch.trouble());
            let missing = kind.watches.iter().any(|watch| watch.is_missing());
            let reason =
                if missing { Some("the API server does not serve this kind; retrying".to_owned()) } else { trouble };
            let about = format!("{} objects, {} series; read as {}", kind.usage.objects, kind.usage.series, kind.form);
            page = page.feature(&kind.kind, !missing, reason, &about);
        }
        for entry in self.follower.matched() {
            let name = format!("custom resource {}", entry.names.join("/"));
            page = page.feature(
                &name,
                entry.missing.is_none(),
                entry.missing,
                "entry of the custom-resource configuration",
            );
        }
        for (kind, family, paths) in unresolved(&self.follower) {
            let reason = Some(format!("no object has a value at {}", paths.join(", ")));
            page = page.feature(&family, true, reason, &format!("family of {kind}"));
        }
        let wanted: Vec<&str> = setup.config.selection.kinds().map(|resource| resource.about().plural).collect();
        for resource in resources::ALL.iter().filter(|resource| !wanted.contains(&resource.about().plural)) {
            let reason = Some("not among --resources".to_owned());
            page = page.feature(resource.about().plural, false, reason, resource.about().kind);
        }
        page
    }
}

/// Kind, family and paths, where no object has a value at a path of the custom-resource configuration.
fn unresolved(follower: &Follower) -> Vec<(String, String, Vec<String>)> {
    let of_kind = |kind: &Arc<CustomKind>| {
        let unresolved = kind.unresolved().filter(|(_, paths)| !paths.is_empty());
        unresolved.map(|(family, paths)| (kind.name(), family.to_owned(), paths)).collect::<Vec<_>>()
    };
    follower.kinds().iter().flat_map(of_kind).collect()
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// The way to the API server, which gives up after a minute itself.
fn open(access: &Access) -> Result<Api, NoAccess> {
    let agent = concat!("yagura-kube-state/", env!("CARGO_PKG_VERSION"));
    let manner = Manner { agent, server: "the API server", answer: Duration::from_secs(75), most: 8 << 20 };
    Api::open(access, manner)
}

/// The API server's version, and whether it is one that has streaming lists.
async fn greet(api: &Api) -> Result<(String, bool), Trouble> {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Version {
        major: String,
        minor: String,
        git_version: String,
    }
    let version: Version = serde_json::from_slice(&api.get_whole("/version").await?).unwrap_or_default();
    let digits: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
    let streams = version.major == "1" && digits.parse().is_ok_and(|minor: u32| minor >= STREAMS_SINCE);
    Ok((version.git_version, streams))
}
