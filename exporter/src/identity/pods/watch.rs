//! The thread that lists and watches the node's pods, gets owners' metadata, and falls back to the kubelet.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use kubernetes::{Access, Api, Event, Lines, Query, Trouble, What};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    Pods, Sources,
    book::Told,
    object::{Partial, Pod, PodList},
};
use crate::identity::asking;

/// How long the API server is asked to tell news before it is asked anew.
const LENGTH: Duration = Duration::from_secs(290);
/// How long it may say nothing: a bookmark comes every minute.
const SILENCE: Duration = Duration::from_secs(150);
/// How long is waited after a failure, at first and at most.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));
/// How long the kubelet is left in peace if no pod is missed, and in any case.
const KUBELET: (Duration, Duration) = (Duration::from_secs(14), Duration::from_secs(1));
/// How long is waited between lists of pods that may not be watched.
const UNWATCHED: Duration = Duration::from_mins(1);
/// How often what ended long ago is forgotten.
const SWEEP: Duration = Duration::from_mins(1);

const PODS: &str = "/api/v1/pods";
const JSON: &str = "application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Starts the thread. It ends when what is returned is dropped.
pub(super) fn start(pods: Pods, sources: Sources) -> std::io::Result<oneshot::Sender<()>> {
    asking::thread("yagura-pods", move || {
        let (pods, sources) = (pods.clone(), sources.clone());
        async move { all(&pods, &sources).await }
    })
}

async fn all(pods: &Pods, sources: &Sources) {
    let server = async {
        if let Some(server) = &sources.server {
            let reached = Mutex::new(None);
            let way = || asking::open(server, "the API server", &pods.0.server);
            tokio::join!(
                forever(pods, "api", async || watch(pods, &way()?, &sources.node, &reached).await),
                forever(pods, "api", async || look_up(pods, &way()?).await),
            );
        }
    };
    let kubelet = async {
        if let Some((address, insecure)) = &sources.kubelet {
            let is_alone = sources.server.is_none();
            let way = || {
                let access = Access::kubelet(address.clone(), *insecure);
                asking::open(&access, "the kubelet", &pods.0.kubelet)
            };
            forever(pods, "kubelet", async || ask_kubelet(pods, &way()?, is_alone).await).await;
        }
    };
    tokio::join!(server, kubelet, sweep(pods));
}

/// Does it again after each failure, ever later.
async fn forever<F: Future<Output = Result<(), Failure>>>(
    pods: &Pods,
    from: &'static str,
    mut work: impl FnMut() -> F,
) {
    let (first, most) = WAITS;
    let mut wait = first;
    loop {
        let begun = Instant::now();
        let mut asked = Duration::ZERO;
        if let Err(Failure { text, retry_after }) = work().await {
            pods.trouble(from, &text);
            asked = retry_after.unwrap_or_default();
        }
        // What went well for a while begins anew.
        if begun.elapsed() > wait * 4 {
            wait = first;
        }
        tokio::time::sleep(jittered(wait).max(asked)).await;
        wait = (wait * 2).min(most);
    }
}

/// Between half and all of it, so that a thousand agents do not come back at the same moment.
fn jittered(wait: Duration) -> Duration {
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let mixed = (nanos ^ std::process::id().rotate_left(16)).wrapping_mul(0x9E37_79B1) >> 16;
    wait / 2 + (wait / 2) * mixed / 0x1_0000
}

async fn sweep(pods: &Pods) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let mut book = pods.0.book.lock();
        book.sweep(Instant::now());
        book.ask_refused_again();
        let wants = !book.wanted().is_empty();
        drop(book);
        if wants {
            pods.0.wants.notify_one();
        }
    }
}

/// The pods of a node.
fn of_node(node: &str) -> Query {
    Query::default().with("fieldSelector", &format!("spec.nodeName={node}"))
}

/// Lists the pods and follows what becomes of them, until something goes wrong. `reached` is the version up to which all
/// is known: a watch that broke off goes on there.
async fn watch(pods: &Pods, api: &Api, node: &str, reached: &Mutex<Option<String>>) -> Result<(), Failure> {
    loop {
        // What the kubelet told may lack what the API server has told before.
        let is_the_kubelets = pods.0.health.lock().by == "kubelet";
        let mut known = reached.lock().take().filter(|_| !is_the_kubelets);
        while let Some(version) = &mut known {
            match follow(pods, api, node, version).await {
                Ok(()) => {}
                // What cannot be read or is no longer kept cannot be gone on from.
                Err(trouble) if trouble.is_expired() => known = None,
                // They may still be listed.
                Err(trouble) if trouble.code() == Some(403) => {
                    pods.unwatched(&daemon::chain(&trouble));
                    known = None;
                    tokio::time::sleep(jittered(UNWATCHED)).await;
                }
                Err(trouble @ (Trouble::Refused { .. } | Trouble::Unreadable { .. })) => {
                    return Err(trouble.into());
                }
                Err(trouble) => {
                    *reached.lock() = known;
                    return Err(trouble.into());
                }
            }
        }
        // From the server's memory: what is not the newest yet comes by the watch.
        let path = of_node(node).with("resourceVersion", "0").of(PODS);
        let text = api.get(&path, JSON).await?.whole().await?;
        let list = list(&text)?;
        *reached.lock() = Some(list.metadata.resource_version.as_str().to_owned());
        pods.change(|book| book.replace(list.items.iter().map(|pod| &**pod), Instant::now()));
        pods.heard("api");
    }
}

fn list(text: &[u8]) -> Result<PodList<'_>, Failure> {
    Ok(serde_json::from_slice(text).map_err(|error| Trouble::unreadable("list of pods", &error))?)
}

/// One watch. It ends well when the server ends it.
async fn follow(pods: &Pods, api: &Api, node: &str, version: &mut String) -> Result<(), Trouble> {
    let query = of_node(node).with("watch", "1").with("allowWatchBookmarks", "true");
    let query = query.with("timeoutSeconds", &LENGTH.as_secs().to_string()).with("resourceVersion", version);
    let mut answer = api.get(&query.of(PODS), JSON).await?;
    // It goes on from there, so nothing was missed.
    pods.0.health.lock().is_unwatched = false;
    pods.heard("api");
    let begun = Instant::now();
    let (mut lines, mut heard) = (Lines::default(), false);
    while let Some(bytes) = answer.next(SILENCE).await? {
        let mut taken = Ok(());
        lines.push(&bytes, |line| {
            if taken.is_ok() {
                heard = true;
                taken = take(pods, api, line, version);
            }
        })?;
        taken?;
    }
    // A server that ends each watch at once must not be asked without end.
    if !heard && begun.elapsed() < Duration::from_secs(1) {
        return Err(Trouble::EndedAtOnce);
    }
    Ok(())
}

/// What a line of a watch says.
fn take(pods: &Pods, api: &Api, line: &[u8], version: &mut String) -> Result<(), Trouble> {
    let unreadable = || Trouble::unreadable("event", &String::from_utf8_lossy(line.get(..80).unwrap_or(line)));
    let Event { what, object } = Event::read(line).ok_or_else(unreadable)?;
    if what == What::Error {
        return Err(api.refused(object));
    }
    let pod: Pod<'_> = serde_json::from_slice(object).map_err(|error| Trouble::unreadable("pod", &error))?;
    let now = Instant::now();
    match what {
        What::Added | What::Modified => pods.change(|book| book.put(&pod, now)),
        What::Deleted => pods.change(|book| book.removed(&pod, now)),
        What::Bookmark | What::Error => {}
    }
    let reached = pod.metadata.resource_version.as_str();
    if !reached.is_empty() {
        reached.clone_into(version);
    }
    pods.heard("api");
    Ok(())
}

/// Asks for owners as they are wanted.
async fn look_up(pods: &Pods, api: &Api) -> Result<(), Failure> {
    loop {
        let wanted = pods.0.book.lock().wanted();
        for (key, path) in wanted {
            let text;
            let told = match api.get(&path, METADATA).await {
                Ok(answer) => {
                    text = answer.whole().await?;
                    let owner: Partial<'_> =
                        serde_json::from_slice(&text).map_err(|error| format!("{path}: {error}"))?;
                    Told::Is(owner.metadata)
                }
                Err(trouble) => match trouble.code() {
                    Some(404) => Told::Missing,
                    Some(401 | 403) => {
                        tracing::debug!(path, error = %daemon::chain(&trouble), "not allowed to get an owner; --print-rbac prints the rights");
                        Told::Refused
                    }
                    _ => return Err(trouble.into()),
                },
            };
            pods.change(|book| book.learn(key, &told));
        }
        if pods.0.book.lock().wanted().is_empty() {
            pods.0.wants.notified().await;
        }
    }
}

/// Asks the kubelet: always if there is nobody else, else while the API server is silent.
async fn ask_kubelet(pods: &Pods, api: &Api, is_alone: bool) -> Result<(), Failure> {
    let (often, at_most) = KUBELET;
    loop {
        if is_alone || pods.0.health.lock().trouble.is_some() {
            let text = api.get("/pods", JSON).await?.whole().await?;
            let list = list(&text)?;
            pods.change(|book| book.replace(list.items.iter().map(|pod| &**pod), Instant::now()));
            if is_alone {
                pods.heard("kubelet");
            } else {
                let mut health = pods.0.health.lock();
                (health.heard, health.by) = (Some(Instant::now()), "kubelet");
            }
        }
        tokio::time::sleep(at_most).await;
        let missed = pods.0.missed.notified();
        let _ = tokio::time::timeout(often, missed).await;
    }
}

/// Why it did not go on, and after how long the server wants to be asked again, if it says so.
struct Failure {
    text: String,
    retry_after: Option<Duration>,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self { text: daemon::chain(&trouble), retry_after: trouble.retry_after() }
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self { text, retry_after: None }
    }
}
