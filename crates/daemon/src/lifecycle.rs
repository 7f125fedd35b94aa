//! Start, reload and end of the process: signals and systemd.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use crate::server::{Bound, Shared};

/// Somebody wants a reload, and may want to know how it went.
pub(crate) struct ReloadAsked(pub(crate) Option<oneshot::Sender<Result<(), String>>>);

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn run(bound: Bound) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    for address in bound.addresses() {
        tracing::info!(address = %address, version = bound.shared.program.version, "listening");
    }
    let shared = Arc::clone(&bound.shared);
    let served = bound.serve(stop.clone());
    tokio::pin!(served);
    tell(&[NotifyState::Ready]);
    let mut watchdog = watchdog();
    loop {
        tokio::select! {
            result = &mut served => return result,
            _ = terminate.recv() => stopping(&stop, "SIGTERM"),
            _ = interrupt.recv() => stopping(&stop, "SIGINT"),
            _ = hang_up.recv() => drop(shared.reloads.try_send(ReloadAsked(None))),
            () = tick(&mut watchdog) => tell(&[NotifyState::Watchdog]),
        }
    }
}

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
        work.reload.as_ref().map_or(Ok(()), |reload| reload()).map_err(|error| format!("{error:#}"))?;
        work.web.reload().map_err(|error| error.to_string())
    });
    let result = done.await.unwrap_or_else(|_| Err("the reload panicked".to_owned()));
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

fn stopping(stop: &CancellationToken, signal: &str) {
    if stop.is_cancelled() {
        tracing::warn!(signal, "already stopping");
        return;
    }
    tracing::info!(signal, "stopping");
    tell(&[NotifyState::Stopping]);
    stop.cancel();
}

/// Tells systemd, if it listens.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(error = %error, "cannot notify the service manager");
    }
}

/// Twice as often as systemd asks for.
fn watchdog() -> Option<tokio::time::Interval> {
    let period = sd_notify::watchdog_enabled().filter(|period| *period >= Duration::from_millis(2))? / 2;
    Some(tokio::time::interval(period))
}

async fn tick(watchdog: &mut Option<tokio::time::Interval>) {
    match watchdog {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}
