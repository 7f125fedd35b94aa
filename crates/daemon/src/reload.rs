//! Reloading the configuration of a running process. If the new one is bad, the old one stays.

use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    chain::chain,
    changes::Changes,
    panics::guarded,
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

async fn reload(shared: &Arc<Shared>) -> Result<Changes, String> {
    let work = Arc::clone(shared);
    let done = tokio::task::spawn_blocking(move || {
        let reload = || work.reload.as_ref().map_or_else(|| Ok(Changes::default()), |reload| reload());
        let changes = guarded(reload).map_err(|panic| panic.to_string())?.map_err(|error| chain(&*error))?;
        work.web.reload().map_err(|error| error.to_string())?;
        Ok(changes)
    });
    let result = done.await.unwrap_or_else(|_| Err("reload panicked, the old configuration stays".to_owned()));
    match &result {
        Ok(changes) => {
            shared.telemetry.config().succeeded();
            changes.say();
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
