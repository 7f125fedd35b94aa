//! Kinds that own pods, or what owns them.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use super::object::Reference;

/// A kind whose objects can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// As references name it: `TaskRun`.
    pub(super) name: String,
    /// API group; empty for the core group.
    pub(super) group: String,
    /// API version.
    pub(super) version: String,
    /// As paths name it: `taskruns`.
    pub(super) plural: String,
    /// Whether its objects live in namespaces.
    pub(super) namespaced: bool,
}

/// Those that Kubernetes has: kind, group, plural.
const KNOWN: [(&str, &str, &str); 7] = [
    ("CronJob", "batch", "cronjobs"),
    ("DaemonSet", "apps", "daemonsets"),
    ("Deployment", "apps", "deployments"),
    ("Job", "batch", "jobs"),
    ("ReplicaSet", "apps", "replicasets"),
    ("ReplicationController", "", "replicationcontrollers"),
    ("StatefulSet", "apps", "statefulsets"),
];

impl Kind {
    /// Those that Kubernetes has.
    pub(super) fn known() -> impl Iterator<Item = Self> {
        KNOWN.into_iter().map(|(kind, group, plural)| Self::new(kind, group, "v1", plural))
    }

    /// Namespaces, which own nothing but may say whom what is in them belongs to.
    pub(super) fn namespaces() -> Self {
        Self { namespaced: false, ..Self::new("Namespace", "", "v1", "namespaces") }
    }

    fn new(kind: &str, group: &str, version: &str, plural: &str) -> Self {
        let [name, group, version, plural] = [kind, group, version, plural].map(str::to_owned);
        Self { name, group, version, plural, namespaced: true }
    }

    /// Reads `TaskRun=taskruns.v1.tekton.dev`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, resource) = text.split_once('=')?;
        let (plural, rest) = resource.split_once('.')?;
        let (version, group) = rest.split_once('.')?;
        let is_whole = [kind, plural, version, group].iter().all(|part| !part.is_empty() && !part.contains('/'));
        is_whole.then(|| Self::new(kind, group, version, plural))
    }

    /// Whether a reference names one of this kind, of whatever version.
    pub(super) fn is(&self, reference: &Reference) -> bool {
        is(reference, &self.group, &self.name)
    }

    /// The path of one of its objects below the server's address.
    pub(super) fn path(&self, namespace: &str, name: &str) -> String {
        let root = if self.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", self.group) };
        let within = if self.namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        format!("{root}/{}{within}/{}/{name}", self.version, self.plural)
    }
}

/// Whether a reference names one of this group and kind.
pub(super) fn is(reference: &Reference, group: &str, kind: &str) -> bool {
    let (of, _) = reference.api_version.split_once('/').unwrap_or(("", &reference.api_version));
    of == group && reference.kind == kind
}

/// Most kinds that are told apart.
const MOST: usize = 256;

/// A kind's name for all time. Names are few, but owners can be of any kind: those over 256 are `other`.
pub fn known(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock();
    if let Some(known) = names.get(name) {
        return known;
    }
    if names.len() >= MOST {
        return "other";
    }
    let name: &'static str = name.to_owned().leak();
    names.insert(name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_its_group_too() {
        let of = |api_version: &str, kind: &str| {
            let reference = Reference { api_version: api_version.into(), kind: kind.into(), ..Reference::default() };
            Kind::known().find(|known| known.is(&reference)).map(|known| known.path("a", "b"))
        };
        assert_eq!(of("batch/v1", "Job").as_deref(), Some("/apis/batch/v1/namespaces/a/jobs/b"));
        assert_eq!(of("v1", "ReplicationController").as_deref(), Some("/api/v1/namespaces/a/replicationcontrollers/b"));
        assert_eq!(of("batch.example/v1", "Job"), None);
        assert_eq!(Kind::namespaces().path("", "shop"), "/api/v1/namespaces/shop");
    }

    #[test]
    fn further_kinds_have_a_version_and_a_group() {
        let kind = Kind::parse("TaskRun=taskruns.v1.tekton.dev").unwrap();
        assert_eq!(kind.path("a", "b"), "/apis/tekton.dev/v1/namespaces/a/taskruns/b");
        for text in ["", "TaskRun", "TaskRun=taskruns", "TaskRun=taskruns.v1", "=a.b.c", "A=a/b.c.d"] {
            assert_eq!(Kind::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_the_same_for_all_time() {
        assert!(std::ptr::eq(known("Deployment"), known(&String::from("Deployment"))));
    }
}
