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

/// How long is waited after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// A thread of this name that does the work, and starts it again when it panics. It ends when what is returned is dropped.
pub(super) fn thread<F: Future<Output = ()>>(
    name: &'static str,
    work: impl Fn() -> F + Send + 'static,
) -> std::io::Result<tokio::sync::oneshot::Sender<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let until_stopped = move || {
        crate::privilege::settle();
        runtime.block_on(async {
            let again_and_again = async {
                while let Err(panicked) = daemon::task::caught(work()).await {
                    tracing::error!(thread = name, error = %panicked, "the thread panicked; starting its work again");
                    tokio::time::sleep(AFTER_PANIC).await;
                }
            };
            tokio::select! {
                _ = stopped => {}
                () = again_and_again => {}
            }
        });
    };
    daemon::task::thread(name, until_stopped)?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    };

    use super::*;

    #[test]
    fn work_that_panics_is_started_again() {
        let (begun, told) = (AtomicUsize::new(0), mpsc::channel());
        let (tell, told) = told;
        let stop = thread("lab", move || {
            let (number, tell) = (begun.fetch_add(1, SeqCst), tell.clone());
            async move {
                tokio::task::yield_now().await;
                assert!(number > 0, "as asked for");
                tell.send(number).unwrap();
                std::future::pending::<()>().await;
            }
        });
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(1));
        drop(stop);
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
