//! What a workload is called.

use serde::{Deserialize, Deserializer, Serialize};

use crate::identity::pods::CGROUP;

/// What a workload is: `Deployment`, `cgroup`.
pub type Kind = &'static str;

/// The name of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Namespace; empty outside Kubernetes.
    pub namespace: String,
    /// Its name; outside Kubernetes the path of the parent cgroup.
    pub workload: String,
    /// Its kind.
    #[serde(deserialize_with = "kind")]
    pub kind: Kind,
}

impl Key {
    /// The workload of what is over a limit.
    pub fn other() -> Self {
        Self { namespace: String::new(), workload: "other".into(), kind: CGROUP }
    }
}

/// A kind from a file, as one of those that are known.
pub(super) fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
    String::deserialize(from).map(|name| kubernetes::workload::kind(&name))
}
