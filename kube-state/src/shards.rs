//! Finds this process's shard: its pod belongs to a StatefulSet, whose replicas are the shards. The number at the end
//! of the pod's name is the shard's, the set's size says how many there are.

use std::time::Duration;

use kubernetes::{
    Api, Event, Lines, Query, Reference, Trouble, What,
    lax::{List, Sub},
    owner,
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{shard::Shard, watch::Pace};

/// Why a shard cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum NoShard {
    /// The API server.
    #[error(transparent)]
    Api(#[from] Trouble),
    /// The answer.
    #[error("cannot read what the API server says about {0}")]
    Answer(String),
    /// The pod.
    #[error("pod {0} belongs to no StatefulSet")]
    NoSet(String),
    /// Its name.
    #[error("pod {pod} is not called {set}-<number>")]
    Name {
        /// The pod.
        pod: String,
        /// Its StatefulSet.
        set: String,
    },
}

impl NoShard {
    /// Whether a right is missing.
    fn is_forbidden(&self) -> bool {
        matches!(self, Self::Api(trouble) if trouble.code() == Some(403))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Owned<'v> {
    metadata: Sub<OwnedMeta<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct OwnedMeta<'v> {
    owner_references: List<Sub<Reference<'v>>>,
}

/// The wait after a failure, and after a watch that ended.
const WAIT: Duration = Duration::from_secs(5);

/// Follows the shard of a pod until `stop`, telling `shard` each time it is another. Failures are logged and tried again;
/// a StatefulSet that may not be watched is listed each time that `pace` has for that.
pub async fn follow(
    api: Api,
    (namespace, pod): (String, String),
    shard: watch::Sender<Shard>,
    pace: Pace,
    stop: CancellationToken,
) {
    let mut is_refused = false;
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = follow_once(&api, &namespace, &pod, &shard) => ended,
        };
        let was_refused = std::mem::replace(&mut is_refused, ended.as_ref().is_err_and(NoShard::is_forbidden));
        match ended {
            Err(_) if is_refused && was_refused => {}
            Err(error) => {
                tracing::warn!(pod, namespace, error = %daemon::chain(&error), "cannot watch this pod's StatefulSet for the shard number; retrying");
            }
            Ok(()) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(if is_refused { pace.refused_wait } else { WAIT }) => {}
        }
    }
}

/// The shard that a pod is now.
pub async fn find(api: &Api, namespace: &str, pod: &str) -> Result<Shard, NoShard> {
    let (set, ordinal) = set_of(api, namespace, pod).await?;
    let (replicas, _) = replicas_of(api, namespace, &set).await?;
    Ok(share(ordinal, replicas))
}

async fn follow_once(api: &Api, namespace: &str, pod: &str, shard: &watch::Sender<Shard>) -> Result<(), NoShard> {
    let (set, ordinal) = set_of(api, namespace, pod).await?;
    let (replicas, version) = replicas_of(api, namespace, &set).await?;
    tell(shard, share(ordinal, replicas));
    let query = Query::default().with("fieldSelector", &format!("metadata.name={set}"));
    let query = query.with("watch", "1").with("resourceVersion", &version).with("timeoutSeconds", "290");
    let mut answer = api.get(&query.of(&sets(namespace)), "application/json").await?;
    let mut lines = Lines::default();
    while let Some(bytes) = answer.next(Duration::from_secs(330)).await? {
        let mut refused = None;
        let read = lines.push(&bytes, |line| match Event::read(line) {
            Some(Event { what: What::Error, object }) => refused = Some(api.refused(object)),
            Some(Event { what: What::Added | What::Modified, object }) => {
                if let Ok(object) = serde_json::from_slice(object) {
                    tell(shard, share(ordinal, replicas_in(&object)));
                }
            }
            _ => {}
        });
        read.map_err(Trouble::from)?;
        if let Some(trouble) = refused {
            return Err(trouble.into());
        }
    }
    Ok(())
}

fn tell(shard: &watch::Sender<Shard>, new: Shard) {
    shard.send_if_modified(|old| {
        let differs = *old != new;
        if differs {
            tracing::info!(ordinal = new.ordinal(), total = new.total(), "serving shard");
            *old = new;
        }
        differs
    });
}

/// While a set shrinks, a pod beyond its end still runs: it keeps the share it would have in a set just large enough.
fn share(ordinal: u32, replicas: u32) -> Shard {
    Shard::new(ordinal, replicas.max(ordinal + 1)).unwrap_or(Shard::WHOLE)
}

async fn set_of(api: &Api, namespace: &str, pod: &str) -> Result<(String, u32), NoShard> {
    let answer = api.get_whole(&format!("/api/v1/namespaces/{namespace}/pods/{pod}")).await?;
    let owned: Owned<'_> = serde_json::from_slice(&answer).map_err(|_| NoShard::Answer(format!("pod {pod}")))?;
    let set = owner::controller(&owned.metadata.owner_references).filter(|owner| owner.kind == "StatefulSet");
    let set = set.ok_or_else(|| NoShard::NoSet(pod.to_owned()))?.name.as_str().to_owned();
    let ordinal = pod.strip_prefix(&set).and_then(|rest| rest.strip_prefix('-')).and_then(|number| number.parse().ok());
    let ordinal = ordinal.ok_or_else(|| NoShard::Name { pod: pod.to_owned(), set: set.clone() })?;
    Ok((set, ordinal))
}

async fn replicas_of(api: &Api, namespace: &str, set: &str) -> Result<(u32, String), NoShard> {
    let query = Query::default().with("fieldSelector", &format!("metadata.name={set}"));
    let answer = api.get_whole(&query.of(&sets(namespace))).await?;
    let wrong = || NoShard::Answer(format!("StatefulSet {set}"));
    let list: Value = serde_json::from_slice(&answer).map_err(|_| wrong())?;
    let version = list.pointer("/metadata/resourceVersion").and_then(Value::as_str).ok_or_else(wrong)?;
    Ok((list.pointer("/items/0").map(replicas_in).ok_or_else(wrong)?, version.to_owned()))
}

/// The size that is asked for; 1 when none is said, as for any StatefulSet.
fn replicas_in(set: &Value) -> u32 {
    set.pointer("/spec/replicas").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1)
}

fn sets(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/statefulsets")
}
