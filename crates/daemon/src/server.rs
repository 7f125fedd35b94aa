//! The pages of a server and the addresses it listens on.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

use crate::{
    args::WebArgs,
    bound::{Background, Bound},
    changes::Changes,
    connections::Connections,
    handler::{Answer, Request},
    landing::{Endpoint, Landing},
    lifecycle,
    limits::Limits,
    listen,
    page::{Page, Reply},
    pool::Pool,
    program::Program,
    shared::{Guard, Readiness, Reload, Route, Shared},
    telemetry::Telemetry,
    web,
};

/// The HTTP server of a program. Add pages, then [`Server::run`].
pub struct Server {
    program: &'static Program,
    args: WebArgs,
    limits: Limits,
    telemetry: Telemetry,
    routes: BTreeMap<String, Arc<Route>>,
    endpoints: Vec<Endpoint>,
    landing: Option<Box<dyn Fn() -> Landing + Send + Sync>>,
    ready: Box<Readiness>,
    reload: Option<Arc<Reload>>,
    guard: Option<Box<Guard>>,
    background: Vec<(&'static str, Background)>,
    prepare: Option<Box<Prepare>>,
    beside: Vec<(&'static str, Self)>,
}

/// What must be in order before anything is served.
type Prepare = dyn FnOnce() -> anyhow::Result<()> + Send;

impl Server {
    /// A server with the health endpoints and a landing page.
    pub fn new(program: &'static Program, args: WebArgs, telemetry: Telemetry) -> Self {
        Self {
            program,
            args,
            limits: Limits::default(),
            telemetry,
            routes: BTreeMap::new(),
            endpoints: Vec::new(),
            landing: None,
            ready: Box::new(|| Ok(())),
            reload: None,
            guard: None,
            background: Vec::new(),
            prepare: None,
            beside: Vec::new(),
        }
    }

    /// Adds a page of metrics at `path`; title and one-line description are for the landing page.
    #[must_use]
    pub fn page(self, path: &str, title: &str, description: &str, page: impl Page) -> Self {
        self.route(path, title, description, Route::Page(path.to_owned(), Arc::new(page)))
    }

    /// Adds a small answer at `path`; it gets the decoded query. It may block as a page may.
    #[must_use]
    pub fn plain(
        self,
        path: &str,
        title: &str,
        description: &str,
        answer: impl Fn(&[(String, String)]) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.route(path, title, description, Route::Plain(Arc::new(answer)))
    }

    /// Adds an answer of any content type at `path`: whole, or a stream. It may block, and a stream may last as long as
    /// the client stays. No more than [`Limits::handlers`] run at the same time, beside as many scrapes as ever; who comes
    /// then gets status 503.
    #[must_use]
    pub fn handle(
        self,
        path: &str,
        title: &str,
        description: &str,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        self.route(path, title, description, Route::Handler(Arc::new(handler)))
    }

    /// The contents of the landing page. Without endpoints it gets those that were added here.
    #[must_use]
    pub fn landing(mut self, landing: impl Fn() -> Landing + Send + Sync + 'static) -> Self {
        self.landing = Some(Box::new(landing));
        self
    }

    /// Whether the program can do its work; the error says what is missing. Asked by `/-/ready` and `/readyz`; must not
    /// block.
    #[must_use]
    pub fn ready(mut self, ready: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.ready = Box::new(ready);
        self
    }

    /// The reload on SIGHUP and `/-/reload`: read the configuration, take it over only if it is good, and say what changed.
    /// May block.
    #[must_use]
    pub fn reload(mut self, reload: impl Fn() -> anyhow::Result<Changes> + Send + Sync + 'static) -> Self {
        self.reload = Some(Arc::new(reload));
        self
    }

    /// The check of who may have the pages that were added here, asked before each answer with the path and the bearer token; an
    /// error is the status to refuse with.
    #[must_use]
    pub fn guard<F, R>(mut self, guard: F) -> Self
    where
        F: Fn(String, Option<String>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), u16>> + Send + 'static,
    {
        self.guard = Some(Box::new(move |path, token| Box::pin(guard(path, token))));
        self
    }

    /// Work that runs beside the server on the same runtime until the token is cancelled. When it ends with an error
    /// the program ends.
    #[must_use]
    pub fn background<F, R>(mut self, name: &'static str, work: F) -> Self
    where
        F: FnOnce(CancellationToken) -> R + Send + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.background.push((name, Box::new(|token| Box::pin(work(token)))));
        self
    }

    /// A check before the server listens: when it fails, so does [`Server::bind`]. It runs on the server's runtime.
    #[must_use]
    pub fn prepare(mut self, prepare: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> Self {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Another server, which listens and serves when this one does.
    #[must_use]
    pub fn beside(mut self, name: &'static str, server: Self) -> Self {
        self.beside.push((name, server));
        self
    }

    /// Other limits than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves until SIGTERM or SIGINT, on a runtime of its own with two threads; reloads on SIGHUP; speaks to systemd.
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(4)
            .thread_name("web")
            .enable_all()
            .build()
            .context("cannot start threads")?;
        let result = runtime.block_on(async {
            let bound = self.bind()?;
            lifecycle::run(bound).await
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
        result
    }

    /// Reads the web configuration and opens the listening sockets. To be called on a tokio runtime.
    pub fn bind(mut self) -> anyhow::Result<Bound> {
        if let Some(prepare) = self.prepare.take() {
            prepare()?;
        }
        let web = web::Current::new(self.args.config.file.as_deref(), &self.telemetry)?;
        let mut listeners = Vec::new();
        for address in &self.args.listen_address {
            let listener = listen::bind(address).map_err(anyhow::Error::msg)?;
            listeners.push(TcpListener::from_std(listener).with_context(|| format!("cannot listen on {address}"))?);
        }
        for (name, server) in self.beside {
            let bound = server.bind().with_context(|| format!("cannot serve the {name}"))?;
            self.background.push((name, Box::new(move |stop| Box::pin(bound.serve(stop)))));
        }
        let (reloads, asked) = mpsc::channel(4);
        let shared = Shared {
            program: self.program,
            pool: Pool::new("scrape", self.args.max_requests),
            scrapes: Arc::new(Semaphore::new(self.args.max_requests)),
            handler_pool: Pool::new("handler", self.limits.handlers),
            handlers: Arc::new(Semaphore::new(self.limits.handlers)),
            draining: CancellationToken::new(),
            connections: Connections::new(self.args.max_connections),
            drain: self.args.shutdown_timeout.0,
            lifecycle_enabled: self.args.enable_lifecycle,
            limits: self.limits,
            telemetry: self.telemetry,
            routes: self.routes,
            endpoints: self.endpoints,
            landing: self.landing,
            ready: self.ready,
            reload: self.reload,
            guard: self.guard,
            web,
            reloads,
            runtime: tokio::runtime::Handle::current(),
        };
        Ok(Bound { listeners, shared: Arc::new(shared), asked, background: self.background })
    }

    fn route(mut self, path: &str, title: &str, description: &str, route: Route) -> Self {
        self.endpoints.push(Endpoint::new(path, title, description));
        self.routes.insert(path.to_owned(), Arc::new(route));
        self
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("program", &self.program.name).field("args", &self.args).finish_non_exhaustive()
    }
}
