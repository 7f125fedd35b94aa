//! State that all connections share: pages, limits, counters.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    changes::Changes,
    connections::Connections,
    handler::Handler,
    landing::{Endpoint, Landing},
    limits::Limits,
    page::{Page, Reply},
    pool::Pool,
    program::Program,
    telemetry::Telemetry,
    web,
};

/// The check of who may have a path: gets the path and the bearer token, and gives the status to refuse with.
pub(crate) type Guard =
    dyn Fn(String, Option<String>) -> Pin<Box<dyn Future<Output = Result<(), u16>> + Send>> + Send + Sync;
pub(crate) type Readiness = dyn Fn() -> Result<(), String> + Send + Sync;
pub(crate) type Reload = dyn Fn() -> anyhow::Result<Changes> + Send + Sync;
/// The function that answers a small request; gets the decoded query.
pub(crate) type Plain = dyn Fn(&[(String, String)]) -> Reply + Send + Sync;

/// Something the program serves.
pub(crate) enum Route {
    /// Its path, and the page.
    Page(String, Arc<dyn Page>),
    /// The function that answers.
    Plain(Arc<Plain>),
    /// The handler, whose answer may be a stream.
    Handler(Arc<Handler>),
}

/// Somebody wants a reload, and may want to know how it went.
pub(crate) struct ReloadAsked(pub(crate) Option<oneshot::Sender<Result<Changes, String>>>);

/// State that all connections share.
pub(crate) struct Shared {
    pub(crate) program: &'static Program,
    pub(crate) pool: Pool,
    pub(crate) scrapes: Arc<Semaphore>,
    /// Threads and turns of handlers, apart from those of scrapes.
    pub(crate) handler_pool: Pool,
    pub(crate) handlers: Arc<Semaphore>,
    /// Cancelled when the server begins to drain.
    pub(crate) draining: CancellationToken,
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
    pub(crate) reloads: mpsc::Sender<ReloadAsked>,
    pub(crate) runtime: tokio::runtime::Handle,
}
