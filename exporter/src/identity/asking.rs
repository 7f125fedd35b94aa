//! HTTP requests to the API server, a kubelet and yagura-kube-state, with counts and sizes. Each on a thread of its
//! own, so that nothing of a scrape waits for one.

use std::{sync::Arc, time::Duration};

use kubernetes::{Access, Api, Load, Manner};

/// A way to a server, which errors call by this name. What is asked is added to `load`.
pub(super) fn open(access: &Access, server: &'static str, load: &Arc<Load>) -> Result<Api, String> {
    let agent = concat!("yagura-exporter/", env!("CARGO_PKG_VERSION"));
    let manner = Manner { agent, server, answer: Duration::from_secs(30), most: 64 << 20 };
    let api = Api::open(access, manner).map_err(|error| daemon::chain(&error))?;
    Ok(api.counted(load))
}

/// A thread of this name that does the work. It ends when what is returned is dropped.
pub(super) fn thread(
    name: &str,
    work: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<tokio::sync::oneshot::Sender<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let until_stopped = async move {
        crate::privilege::settle();
        tokio::select! {
            _ = stopped => {}
            () = work => {}
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(until_stopped))?;
    Ok(stop)
}
