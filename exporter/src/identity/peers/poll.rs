//! The thread that asks yagura-kube-state for addresses.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Peers, Servers, directory::Answer};
use crate::identity::api::{self, Api, escaped};

/// How often a server is asked, and how seldom while it fails.
const EVERY: (Duration, Duration) = (Duration::from_secs(15), Duration::from_mins(4));
/// How long the next line of an answer may take.
const SILENCE: Duration = Duration::from_secs(30);

/// Starts the thread. It ends when what is returned is dropped.
pub(super) fn start(peers: Peers, servers: Servers) -> std::io::Result<oneshot::Sender<()>> {
    api::thread("yagura-peers", async move { ask(&peers, &servers).await })
}

async fn ask(peers: &Peers, servers: &Servers) {
    let mut ways: Vec<(String, Option<Api>)> = servers.urls.iter().map(|url| (url.clone(), None)).collect();
    let (often, seldom) = EVERY;
    let mut wait = often;
    loop {
        let mut trouble = None;
        for (url, way) in &mut ways {
            if let Err(error) = ask_one(peers, servers, url, way).await {
                trouble = Some(format!("{url}: {error}"));
            }
        }
        note(peers, trouble.clone());
        wait = if trouble.is_some() { (wait * 2).min(seldom) } else { often };
        tokio::time::sleep(wait).await;
    }
}

/// Asks one server for what is new. The way is kept, and with it the connection: behind one address may be more than one
/// server, and each but the one that was asked before tells everything anew.
async fn ask_one(peers: &Peers, servers: &Servers, url: &str, way: &mut Option<Api>) -> Result<(), String> {
    let load = &peers.0.load;
    if way.is_none() {
        *way = Some(Api::at(url, &servers.credentials).map_err(|error| daemon::chain(&error))?);
    }
    let Some(api) = way else { return Ok(()) };
    let token = peers.0.state.lock().directory.token(url).map(escaped);
    let since = token.map(|token| format!("&since={token}")).unwrap_or_default();
    let path = format!("/peers?version=1{since}");
    let mut answer = api.get(&path, "application/x-ndjson", load).await.map_err(|trouble| trouble.to_string())?;
    let mut read = Answer::default();
    while let Some(line) = answer.line(SILENCE, load).await.map_err(|trouble| trouble.to_string())? {
        read.line(&line).map_err(|error| error.to_string())?;
    }
    let is_news = peers.0.state.lock().directory.apply(url, read).map_err(|error| error.to_string())?;
    if is_news {
        peers.0.changes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    Ok(())
}

fn note(peers: &Peers, trouble: Option<String>) {
    let mut state = peers.0.state.lock();
    match (&trouble, &state.told.trouble) {
        (Some(error), None) => {
            tracing::warn!(error, "cannot learn addresses of the cluster; those that are known stay");
        }
        (None, Some(_)) => tracing::info!("addresses of the cluster are told again"),
        _ => {}
    }
    if trouble.is_none() {
        state.told.heard = Some(Instant::now());
    }
    state.told.trouble = trouble;
}
