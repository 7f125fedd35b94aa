//! The thread that polls yagura-kube-state.

use std::time::{Duration, Instant};

use kubernetes::{Access, Api, Lines, peers as wire};
use tokio::sync::oneshot;

use super::{Peers, Servers, directory::Answer};
use crate::identity::asking;

/// Interval of polls, and the longest interval while a server fails.
const EVERY: (Duration, Duration) = (Duration::from_secs(15), Duration::from_mins(4));
/// Timeout for the next line of a response.
const SILENCE: Duration = Duration::from_secs(30);

/// Starts the thread. It ends when what is returned is dropped.
pub(super) fn start(peers: Peers, servers: Servers) -> std::io::Result<oneshot::Sender<()>> {
    asking::thread("yagura-peers", move || {
        let (peers, servers) = (peers.clone(), servers.clone());
        async move { ask(&peers, &servers).await }
    })
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
    if way.is_none() {
        let access = Access::Address { url: url.to_owned(), credentials: servers.credentials.clone() };
        *way = Some(asking::open(&access, "the server", &peers.0.load)?);
    }
    let Some(api) = way else { return Ok(()) };
    let path = wire::path(peers.0.state.lock().directory.token(url));
    let patience = [("X-Prometheus-Scrape-Timeout-Seconds", "30")];
    let answer = api.get_with(&path, wire::CONTENT_TYPE, &patience).await;
    let mut answer = answer.map_err(|trouble| daemon::chain(&trouble))?;
    let (mut read, mut lines) = (Answer::default(), Lines::default());
    while let Some(bytes) = answer.next(SILENCE).await.map_err(|trouble| daemon::chain(&trouble))? {
        let mut taken = Ok(());
        let cut = lines.push(&bytes, |line| {
            if taken.is_ok() {
                taken = read.line(line);
            }
        });
        cut.map_err(|error| error.to_string())?;
        taken.map_err(|error| error.to_string())?;
    }
    let is_news = peers.0.state.lock().directory.apply(url, read).map_err(|error| error.to_string())?;
    if is_news {
        peers.0.changes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    Ok(())
}

fn note(peers: &Peers, trouble: Option<String>) {
    let mut state = peers.0.state.lock();
    match &trouble {
        Some(error) if state.outage.note(error) => {
            tracing::warn!(error, "cannot poll peers.url; known addresses are kept");
        }
        None if state.outage.end() => tracing::info!("polling peers.url works again"),
        _ => {}
    }
    if trouble.is_none() {
        state.told.heard = Some(Instant::now());
    }
    state.told.trouble = trouble;
}
