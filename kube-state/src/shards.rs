//! Finds this process's shard: its pod belongs to a StatefulSet, whose replicas are the shards. The number at the end
//! of the pod's name is the shard's, counted from the set's first (`spec.ordinals.start`); the set's size says how many
//! there are.

use std::time::Duration;

use daemon::Outage;
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
    #[error("pod {0} belongs to no StatefulSet of the API group apps")]
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
    /// After how long the server wants to be asked again, if it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Api(trouble) = self { trouble.retry_after() } else { None }
    }

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
    let mut outage = Outage::default();
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = follow_once(&api, &namespace, &pod, &shard) => ended,
        };
        let mut wait = WAIT;
        match ended {
            Ok(()) => drop(outage.end()),
            Err(error) => {
                let text = daemon::chain(&error);
                if outage.note(&text) {
                    tracing::warn!(
                        pod,
                        namespace,
                        error = text,
                        "cannot watch this pod's StatefulSet for the shard number; retrying"
                    );
                }
                wait = if error.is_forbidden() {
                    pace.refused_wait
                } else {
                    wait.max(error.retry_after().unwrap_or(WAIT))
                };
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// The shard that a pod is now.
pub async fn find(api: &Api, namespace: &str, pod: &str) -> Result<Shard, NoShard> {
    let (set, ordinal) = set_of(api, namespace, pod).await?;
    let (pods, _) = pods_of(api, namespace, &set).await?;
    Ok(pods.share(ordinal))
}

async fn follow_once(api: &Api, namespace: &str, pod: &str, shard: &watch::Sender<Shard>) -> Result<(), NoShard> {
    let (set, ordinal) = set_of(api, namespace, pod).await?;
    let (pods, version) = pods_of(api, namespace, &set).await?;
    tell(shard, pods.share(ordinal));
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
                    tell(shard, Numbered::of(&object).share(ordinal));
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

/// The pods of a StatefulSet, which are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbered {
    /// The number of the first.
    start: u32,
    /// How many there shall be.
    replicas: u32,
}

impl Numbered {
    /// As a StatefulSet says. When it does not: from 0, and one pod.
    fn of(set: &Value) -> Self {
        let number = |pointer| set.pointer(pointer).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        Self { start: number("/spec/ordinals/start").unwrap_or(0), replicas: number("/spec/replicas").unwrap_or(1) }
    }

    /// The share of the pod of a number. While a set shrinks or its first number rises, a pod that is no longer among
    /// them still runs: it keeps the share it would have in a set just large enough.
    fn share(self, ordinal: u32) -> Shard {
        let Self { start, replicas } = self;
        let place = ordinal.checked_sub(start);
        let place = place.unwrap_or_else(|| replicas.saturating_add(start - ordinal - 1));
        Shard::new(place, replicas.max(place.saturating_add(1))).unwrap_or(Shard::WHOLE)
    }
}

async fn set_of(api: &Api, namespace: &str, pod: &str) -> Result<(String, u32), NoShard> {
    let answer = api.get_whole(&format!("/api/v1/namespaces/{namespace}/pods/{pod}")).await?;
    let owned: Owned<'_> = serde_json::from_slice(&answer).map_err(|_| NoShard::Answer(format!("pod {pod}")))?;
    let set = owner::controller(&owned.metadata.owner_references).filter(|owner| owner.is("apps", "StatefulSet"));
    let set = set.ok_or_else(|| NoShard::NoSet(pod.to_owned()))?.name.as_str().to_owned();
    let ordinal = pod.strip_prefix(&set).and_then(|rest| rest.strip_prefix('-')).and_then(|number| number.parse().ok());
    let ordinal = ordinal.ok_or_else(|| NoShard::Name { pod: pod.to_owned(), set: set.clone() })?;
    Ok((set, ordinal))
}

async fn pods_of(api: &Api, namespace: &str, set: &str) -> Result<(Numbered, String), NoShard> {
    let query = Query::default().with("fieldSelector", &format!("metadata.name={set}"));
    let answer = api.get_whole(&query.of(&sets(namespace))).await?;
    let wrong = || NoShard::Answer(format!("StatefulSet {set}"));
    let list: Value = serde_json::from_slice(&answer).map_err(|_| wrong())?;
    let version = list.pointer("/metadata/resourceVersion").and_then(Value::as_str).ok_or_else(wrong)?;
    Ok((list.pointer("/items/0").map(Numbered::of).ok_or_else(wrong)?, version.to_owned()))
}

fn sets(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/statefulsets")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn shares(start: u32, replicas: u32, ordinals: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
        let pods = Numbered { start, replicas };
        let shares = ordinals.into_iter().map(|ordinal| pods.share(ordinal));
        shares.map(|share| (share.ordinal(), share.total())).collect()
    }

    #[test]
    fn a_set_says_how_its_pods_are_numbered() {
        for (set, start, replicas) in [
            (json!({}), 0, 1),
            (json!({"spec": {"replicas": 3}}), 0, 3),
            (json!({"spec": {"replicas": 0, "ordinals": null}}), 0, 0),
            (json!({"spec": {"replicas": 2, "ordinals": {}}}), 0, 2),
            (json!({"spec": {"replicas": 3, "ordinals": {"start": 5}}}), 5, 3),
            (json!({"spec": {"replicas": -1, "ordinals": {"start": "x"}}}), 0, 1),
        ] {
            assert_eq!(Numbered::of(&set), Numbered { start, replicas }, "{set}");
        }
    }

    #[test]
    fn the_pods_of_a_set_have_each_share_once_wherever_they_begin() {
        for start in [0, 1, 5, 1000] {
            for replicas in 1..=7 {
                let shares: BTreeSet<_> = shares(start, replicas, start..start + replicas).into_iter().collect();
                let expected: BTreeSet<_> = (0..replicas).map(|place| (place, replicas)).collect();
                assert_eq!(shares, expected, "{replicas} from {start}");
            }
        }
    }

    #[test]
    fn a_pod_that_is_no_longer_of_the_set_has_a_share_beyond_those_of_the_others() {
        assert_eq!(shares(0, 2, [2, 3]), [(2, 3), (3, 4)]);
        assert_eq!(shares(2, 3, [1, 0, 5]), [(3, 4), (4, 5), (3, 4)]);
        assert_eq!(shares(0, 0, [0]), [(0, 1)]);
        assert_eq!(shares(u32::MAX, u32::MAX, [0]), [(0, 1)], "odd numbers make no panic");
    }
}
