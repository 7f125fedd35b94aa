//! Owners of objects: how objects name them, and the kinds that own pods or what owns those.

use serde::Deserialize;

use crate::{
    lax::{Flag, Sub, Text},
    request::collection,
};

/// A chain of owners is not longer, or it is a ring.
pub const LONGEST_CHAIN: usize = 8;

/// One owner of an object, as the object names it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub struct Reference<'v> {
    /// `apps/v1`; without a group for the core group.
    pub api_version: Text<'v>,
    /// Its kind.
    pub kind: Text<'v>,
    /// Its name.
    pub name: Text<'v>,
    /// Unique for all time.
    pub uid: Text<'v>,
    /// Whether it is the one that manages the object.
    pub controller: Option<Flag>,
}

impl<'v> Reference<'v> {
    /// A manager of this API version, kind and name, whatever its uid.
    pub fn new(api_version: &'v str, kind: &'v str, name: &'v str) -> Self {
        let [api_version, kind, name] = [api_version, kind, name].map(|text| Text::Is(text.into()));
        Self { api_version, kind, name, uid: Text::default(), controller: Some(Flag::Is(true)) }
    }

    /// Whether it names one of this group and kind, of whatever version.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        let of = self.api_version.as_str().split_once('/').map_or("", |(group, _)| group);
        of == group && self.kind == kind
    }
}

/// The owner that manages an object, of those that it names.
pub fn controller<'o, 'v>(owners: &'o [Sub<Reference<'v>>]) -> Option<&'o Reference<'v>> {
    owners.iter().map(|owner| &**owner).find(|owner| owner.controller.is_some_and(Flag::is_set))
}

/// A kind of objects that own others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerKind {
    /// As references name it: `TaskRun`.
    pub kind: String,
    /// API group; empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// As paths name it: `taskruns`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// Those that Kubernetes has: kind, group, plural. All of version v1.
const KNOWN: [(&str, &str, &str); 7] = [
    ("CronJob", "batch", "cronjobs"),
    ("DaemonSet", "apps", "daemonsets"),
    ("Deployment", "apps", "deployments"),
    ("Job", "batch", "jobs"),
    ("ReplicaSet", "apps", "replicasets"),
    ("ReplicationController", "", "replicationcontrollers"),
    ("StatefulSet", "apps", "statefulsets"),
];

impl OwnerKind {
    /// Those that Kubernetes has.
    pub fn known() -> impl Iterator<Item = Self> {
        KNOWN.into_iter().map(|(kind, group, plural)| Self::new(kind, group, "v1", plural))
    }

    /// Namespaces, which own nothing but may say whom what is in them belongs to.
    pub fn namespaces() -> Self {
        Self { namespaced: false, ..Self::new("Namespace", "", "v1", "namespaces") }
    }

    fn new(kind: &str, group: &str, version: &str, plural: &str) -> Self {
        let [kind, group, version, plural] = [kind, group, version, plural].map(str::to_owned);
        Self { kind, group, version, plural, namespaced: true }
    }

    /// Reads `TaskRun=taskruns.v1.tekton.dev`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, resource) = text.split_once('=')?;
        let (plural, rest) = resource.split_once('.')?;
        let (version, group) = rest.split_once('.')?;
        let is_whole = [kind, plural, version, group].iter().all(|part| !part.is_empty() && !part.contains('/'));
        is_whole.then(|| Self::new(kind, group, version, plural))
    }

    /// Whether a reference names one of this kind, of whatever version.
    pub fn is(&self, reference: &Reference<'_>) -> bool {
        reference.is(&self.group, &self.kind)
    }

    /// The path of its objects below the server's address; of those in one namespace, when one is named.
    pub fn collection(&self, namespace: Option<&str>) -> String {
        collection(&self.group, &self.version, &self.plural, namespace.filter(|_| self.namespaced))
    }

    /// The path of one of its objects.
    pub fn object(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.collection(Some(namespace)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(json: &str) -> Reference<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_kind_is_told_by_its_group_too() {
        let of = |json: &str| {
            let reference = reference(json);
            OwnerKind::known().find(|known| known.is(&reference)).map(|known| known.object("a", "b"))
        };
        let job = of(r#"{"apiVersion":"batch/v1","kind":"Job"}"#);
        assert_eq!(job.as_deref(), Some("/apis/batch/v1/namespaces/a/jobs/b"));
        let controller = of(r#"{"apiVersion":"v1","kind":"ReplicationController"}"#);
        assert_eq!(controller.as_deref(), Some("/api/v1/namespaces/a/replicationcontrollers/b"));
        assert_eq!(of(r#"{"apiVersion":"batch.example/v1","kind":"Job"}"#), None);
        assert_eq!(of(r#"{"apiVersion":7,"kind":"Job"}"#), None);
        assert_eq!(OwnerKind::namespaces().object("", "shop"), "/api/v1/namespaces/shop");
        assert_eq!(OwnerKind::namespaces().collection(Some("shop")), "/api/v1/namespaces");
    }

    #[test]
    fn further_kinds_have_a_version_and_a_group() {
        let kind = OwnerKind::parse("TaskRun=taskruns.v1.tekton.dev").unwrap();
        assert_eq!(kind.object("a", "b"), "/apis/tekton.dev/v1/namespaces/a/taskruns/b");
        assert_eq!(kind.collection(None), "/apis/tekton.dev/v1/taskruns");
        let bad =
            ["", "TaskRun", "taskruns.v1.tekton.dev", "TaskRun=taskruns", "TaskRun=taskruns.v1", "=a.b.c", "A=a/b.c.d"];
        for text in bad {
            assert_eq!(OwnerKind::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_manager_is_the_one_that_says_so() {
        let owners: Vec<Sub<Reference<'_>>> = serde_json::from_str(
            r#"[{"name":"a"},{"name":"b","controller":null},7,{"name":"c","controller":"yes"},{"name":"d","controller":true}]"#,
        )
        .unwrap();
        assert_eq!(controller(&owners).unwrap().name, "d");
        assert_eq!(controller(&owners[..4]), None);
    }
}
