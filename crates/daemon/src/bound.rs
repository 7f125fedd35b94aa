//! A server with open sockets, until it is told to stop.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accept::accept,
    reload,
    shared::{ReloadAsked, Shared},
    task::caught,
};

pub(crate) type Background =
    Box<dyn FnOnce(CancellationToken) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> + Send>;

/// A server whose sockets are open.
pub struct Bound {
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) asked: mpsc::Receiver<ReloadAsked>,
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
        let mut vital = Vital { tasks: tasks.clone(), stop: stop.clone(), failed: Arc::default() };
        for (name, work) in background {
            vital.spawn(name, work(stop.clone()));
        }
        let reloads = reload::reload_when_asked(Arc::clone(&shared), asked, stop.clone());
        vital.spawn("reload", async move {
            reloads.await;
            Ok(())
        });
        for listener in listeners {
            let accepting = accept(listener, Arc::clone(&shared), tasks.clone(), stop.clone());
            vital.spawn("accept", async move {
                accepting.await;
                Ok(())
            });
        }
        tasks.close();
        stop.cancelled().await;
        shared.draining.cancel();
        if tokio::time::timeout(shared.drain, tasks.wait()).await.is_err() {
            let left = shared.connections.crowd_out_all();
            tracing::warn!(connections = left, "shutdown timeout reached, closing the connections that are left");
            drop(tokio::time::timeout(Duration::from_secs(1), tasks.wait()).await);
        }
        let failed = vital.failed.lock().take();
        failed.map_or(Ok(()), Err)
    }
}

/// Tasks that the server cannot do without: when one of them fails or panics, the server ends.
struct Vital {
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Why the first of them failed.
    failed: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Vital {
    fn spawn(&mut self, name: &'static str, work: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let (stop, failed) = (self.stop.clone(), Arc::clone(&self.failed));
        self.tasks.spawn(async move {
            if let Err(error) = caught(work).await.unwrap_or_else(|panicked| Err(panicked.into())) {
                failed.lock().get_or_insert(error.context(name));
                stop.cancel();
            }
        });
    }
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
