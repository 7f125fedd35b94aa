//! The server: what it serves, where it listens, and the connections it holds.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context as _;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    args::WebArgs,
    connection::{Activity, Graceful, Watched, supervise},
    landing::{Endpoint, Landing},
    lifecycle, listen,
    page::{Page, Reply},
    pool::Pool,
    process,
    program::Program,
    route::{self, Route, Service},
    telemetry::{Closing, Telemetry},
    web::{self, Web},
};

/// Times and sizes that keep one client from costing more than its share. The defaults are for programs; tests shorten
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From a connection's or request's first byte to the end of its head.
    pub headers: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub write: Duration,
    /// Bytes of a request's head.
    pub header_bytes: u32,
    /// HTTP/2 streams of one connection that are open at the same time.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(150),
            write: Duration::from_secs(15),
            header_bytes: 32 << 10,
            streams: 32,
        }
    }
}

type Background = Box<dyn FnOnce(CancellationToken) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> + Send>;
/// Who may have a path: gets the path and the bearer token, and gives the status to refuse with.
pub(crate) type Guard =
    dyn Fn(String, Option<String>) -> Pin<Box<dyn Future<Output = Result<(), u16>> + Send>> + Send + Sync;
type Readiness = dyn Fn() -> Result<(), String> + Send + Sync;
type Reload = dyn Fn() -> anyhow::Result<()> + Send + Sync;

/// What a program serves. Add pages, then [`Server::run`].
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
}

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

    /// What the landing page shows. Without endpoints it gets those that were added here.
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

    /// What to do on SIGHUP and `/-/reload`: read the configuration, and take it over only if it is good. May block.
    #[must_use]
    pub fn reload(mut self, reload: impl Fn() -> anyhow::Result<()> + Send + Sync + 'static) -> Self {
        self.reload = Some(Arc::new(reload));
        self
    }

    /// Who may have the pages that were added here, asked before each answer with the path and the bearer token; an
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
    pub fn bind(self) -> anyhow::Result<Bound> {
        let web = web::Current::new(self.args.config.file.as_deref(), &self.telemetry)?;
        let mut listeners = Vec::new();
        for address in &self.args.listen_address {
            let listener = listen::bind(address).map_err(anyhow::Error::msg)?;
            listeners.push(TcpListener::from_std(listener).with_context(|| format!("cannot listen on {address}"))?);
        }
        let (reloads, asked) = mpsc::channel(4);
        let shared = Shared {
            program: self.program,
            pool: Pool::new(self.args.max_requests),
            scrapes: Arc::new(Semaphore::new(self.args.max_requests)),
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

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) program: &'static Program,
    pub(crate) pool: Pool,
    pub(crate) scrapes: Arc<Semaphore>,
    pub(crate) connections: Connections,
    pub(crate) drain: Duration,
    pub(crate) lifecycle_enabled: bool,
    pub(crate) limits: Limits,
    pub(crate) telemetry: Telemetry,
    pub(crate) routes: BTreeMap<String, Arc<Route>>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) landing: Option<Box<dyn Fn() -> Landing + Send + Sync>>,
    pub(crate) ready: Box<Readiness>,
    pub(crate) reload: Option<Arc<Reload>>,
    pub(crate) guard: Option<Box<Guard>>,
    pub(crate) web: web::Current,
    pub(crate) reloads: mpsc::Sender<lifecycle::ReloadAsked>,
    pub(crate) runtime: tokio::runtime::Handle,
}

/// A server whose sockets are open.
pub struct Bound {
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) asked: mpsc::Receiver<lifecycle::ReloadAsked>,
    pub(crate) background: Vec<(&'static str, Background)>,
}

impl Bound {
    /// The addresses, with the ports that were chosen for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `stop` is cancelled, then lets running answers finish, up to the shutdown timeout.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { listeners, shared, asked, background } = self;
        let tasks = TaskTracker::new();
        let failed = Arc::new(Mutex::new(None));
        for (name, work) in background {
            let (work, stop, failed) = (work(stop.clone()), stop.clone(), Arc::clone(&failed));
            tasks.spawn(async move {
                if let Err(error) = work.await {
                    *failed.lock() = Some(error.context(name));
                    stop.cancel();
                }
            });
        }
        tasks.spawn(lifecycle::reload_when_asked(Arc::clone(&shared), asked, stop.clone()));
        for listener in listeners {
            tasks.spawn(accept(listener, Arc::clone(&shared), tasks.clone(), stop.clone()));
        }
        tasks.close();
        stop.cancelled().await;
        if tokio::time::timeout(shared.drain, tasks.wait()).await.is_err() {
            let left = shared.connections.crowd_out_all();
            tracing::warn!(connections = left, "shutdown timeout reached, closing what is left");
            drop(tokio::time::timeout(Duration::from_secs(1), tasks.wait()).await);
        }
        let failed = failed.lock().take();
        failed.map_or(Ok(()), Err)
    }
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

/// The connections that are open.
pub(crate) struct Connections {
    limit: usize,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
}

impl Connections {
    /// At most `limit`, and at most half of the file descriptors: the other half is for the work.
    fn new(limit: usize) -> Self {
        let fds = process::max_fds().and_then(|fds| usize::try_from(fds / 2).ok()).unwrap_or(usize::MAX);
        Self { limit: limit.min(fds).max(1), next: AtomicU64::new(0), open: Mutex::default() }
    }

    /// A place for one more, made by closing the one that is idle for longest. `None` when all are at work.
    fn admit(&self) -> Option<(u64, Arc<Activity>)> {
        let mut open = self.open.lock();
        if open.len() >= self.limit {
            let idle = open.iter().filter_map(|(id, activity)| Some((activity.idle_since()?, *id))).min();
            let (_, id) = idle?;
            open.remove(&id)?.crowded_out.cancel();
        }
        let (id, activity) = (self.next.fetch_add(1, Relaxed), Arc::new(Activity::new()));
        open.insert(id, Arc::clone(&activity));
        Some((id, activity))
    }

    /// Closes the connection that is idle for longest, if there is one.
    fn shed(&self) {
        let mut open = self.open.lock();
        let idle = open.iter().filter_map(|(id, activity)| Some((activity.idle_since()?, *id))).min();
        if let Some(activity) = idle.and_then(|(_, id)| open.remove(&id)) {
            activity.crowded_out.cancel();
        }
    }

    fn gone(&self, id: u64) {
        self.open.lock().remove(&id);
    }

    fn crowd_out_all(&self) -> usize {
        let open = self.open.lock();
        open.values().for_each(|activity| activity.crowded_out.cancel());
        open.len()
    }
}

/// Accepts connections until `stop`. When the process has no file descriptors left it closes an idle connection, waits
/// and goes on.
async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker, stop: CancellationToken) {
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("accepting connections again");
                }
                let Some((id, activity)) = shared.connections.admit() else {
                    shared.telemetry.closed(Closing::Crowded);
                    continue;
                };
                let (shared, stop) = (Arc::clone(&shared), stop.clone());
                tasks.spawn(async move {
                    let _open = Open::new(&shared, id);
                    serve(socket, &shared, activity, &stop).await;
                });
            }
            Err(error) if is_about_one_client(&error) => {}
            Err(error) => {
                shared.telemetry.accept_failed();
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(error = %error, "cannot accept connections");
                }
                // Most likely there are no file descriptors left: an idle connection has one to give.
                shared.connections.shed();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Counts an open connection and gives its place back.
struct Open<'a>(&'a Shared, u64);

impl<'a> Open<'a> {
    fn new(shared: &'a Shared, id: u64) -> Self {
        shared.telemetry.connections().inc();
        Self(shared, id)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.telemetry.connections().dec();
        self.0.connections.gone(self.1);
    }
}

fn is_about_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve(socket: TcpStream, shared: &Arc<Shared>, activity: Arc<Activity>, stop: &CancellationToken) {
    drop(socket.set_nodelay(true));
    let web = shared.web.get();
    let Some(tls) = web.tls.clone() else {
        return serve_http(socket, shared, &web, activity, stop).await;
    };
    let handshake = tokio_rustls::TlsAcceptor::from(tls).accept(socket);
    let handshake = tokio::time::timeout(shared.limits.handshake, handshake);
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = activity.crowded_out.cancelled() => return shared.telemetry.closed(Closing::Crowded),
        () = stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(socket)) => serve_http(socket, shared, &web, activity, stop).await,
        Ok(Err(error)) => {
            shared.telemetry.tls_failed(tls_failure(&error));
            tracing::debug!(error = %error, "TLS handshake failed");
        }
        Err(_) => shared.telemetry.tls_failed("timeout"),
    }
}

/// A closed set of words for why a handshake failed.
fn tls_failure(error: &io::Error) -> &'static str {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage, NoCertificatesPresented, PeerIncompatible};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(InvalidCertificate(_)) => "bad_certificate",
        Some(NoCertificatesPresented) => "no_certificate",
        Some(PeerIncompatible(_)) => "incompatible",
        Some(AlertReceived(_)) => "refused_by_client",
        Some(InvalidMessage(_)) => "not_tls",
        Some(_) => "protocol",
        None => "connection_lost",
    }
}

async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    socket: S,
    shared: &Arc<Shared>,
    web: &Web,
    activity: Arc<Activity>,
    stop: &CancellationToken,
) {
    let limits = shared.limits;
    let builder = builder(&limits, web.http2);
    let io = TokioIo::new(Watched::new(socket, Arc::clone(&activity)));
    let service = Service { shared: Arc::clone(shared), activity: Arc::clone(&activity) };
    let service = hyper::service::service_fn(move |request| route::answer(service.clone(), request));
    let connection = builder.serve_connection(io, service);
    if let Some(why) = supervise(connection, &activity, &limits, stop).await {
        let why = if stop.is_cancelled() && why == Closing::Crowded { Closing::Drained } else { why };
        shared.telemetry.closed(why);
    }
}

fn builder(limits: &Limits, http2: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if !http2 {
        builder = builder.http1_only();
    }
    let header_bytes = limits.header_bytes;
    // Slow heads are cut by `supervise`, which knows them from idle connections.
    builder.http1().header_read_timeout(None).max_buf_size(header_bytes as usize).timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(header_bytes)
        .max_pending_accept_reset_streams(16)
        .max_local_error_reset_streams(32)
        .max_send_buf_size(64 << 10)
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(128 << 10)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

impl<I, S, B> Graceful for auto::Connection<'_, I, S, TokioExecutor>
where
    S: hyper::service::Service<hyper::Request<hyper::body::Incoming>, Response = hyper::Response<B>>,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    TokioExecutor: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn finish_soon(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
