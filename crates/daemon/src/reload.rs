//! Reloading the configuration of a running process. If the new one is bad, the old one stays.

use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    chain::chain,
    shared::{ReloadAsked, Shared},
};

/// Reloads, one at a time, until `stop`.
pub(crate) async fn reload_when_asked(
    shared: Arc<Shared>,
    mut asked: mpsc::Receiver<ReloadAsked>,
    stop: CancellationToken,
) {
    loop {
        let ReloadAsked(answer) = tokio::select! {
            () = stop.cancelled() => return,
            asked = asked.recv() => match asked {
                Some(asked) => asked,
                None => return,
            },
        };
        let reloading = NotifyState::monotonic_usec_now().map(|now| [NotifyState::Reloading, now]);
        if let Ok(states) = reloading {
            tell(&states);
        }
        let result = reload(&shared).await;
        tell(&[NotifyState::Ready]);
        if let Some(answer) = answer {
            drop(answer.send(result));
        }
    }
}

async fn reload(shared: &Arc<Shared>) -> Result<(), String> {
    let work = Arc::clone(shared);
    let done = tokio::task::spawn_blocking(move || {
        work.reload.as_ref().map_or(Ok(()), |reload| reload()).map_err(|error| chain(&*error))?;
        work.web.reload().map_err(|error| error.to_string())
    });
    let result = done.await.unwrap_or_else(|_| Err("reload panicked, the old configuration stays".to_owned()));
    match &result {
        Ok(()) => {
            shared.telemetry.config().succeeded();
            tracing::info!("configuration reloaded");
        }
        Err(error) => {
            shared.telemetry.config().failed();
            tracing::error!(error, "new configuration is bad, the old one stays");
        }
    }
    result
}

/// Tells systemd, if it listens.
pub(crate) fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(error = %error, "cannot notify the service manager");
    }
}
