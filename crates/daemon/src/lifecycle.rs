//! Start and end of the process: signals and systemd.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{bound::Bound, reload::tell, shared::ReloadAsked, task};

/// Serves until SIGTERM or SIGINT, or until something fails that the program cannot do without.
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
    let mut failure = None;
    loop {
        tokio::select! {
            result = &mut served => return result.and(failure.map_or(Ok(()), |why| Err(anyhow::Error::msg(why)))),
            why = task::failed() => {
                tracing::error!(why, "stopping");
                failure.get_or_insert(why);
                stop.cancel();
            }
            _ = terminate.recv() => stopping(&stop, "SIGTERM"),
            _ = interrupt.recv() => stopping(&stop, "SIGINT"),
            _ = hang_up.recv() => drop(shared.reloads.try_send(ReloadAsked(None))),
            () = tick(&mut watchdog) => tell(&[NotifyState::Watchdog]),
        }
    }
}

fn stopping(stop: &CancellationToken, signal: &str) {
    if stop.is_cancelled() {
        tracing::warn!(signal, "already stopping, waiting for running requests");
        return;
    }
    tracing::info!(signal, "stopping");
    tell(&[NotifyState::Stopping]);
    stop.cancel();
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
