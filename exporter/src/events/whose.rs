//! The container, pod and workload of an event.

use kubernetes::WorkloadRef;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};

use crate::ids::CgroupId;

/// Whose an event is, as far as it was known when the event was told. In JSON its fields stand beside those of the event:
/// `namespace`, `pod`, `container`, `workload_kind`, `workload` (empty where not known) and `cgroup`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    /// The cgroup.
    pub cgroup: CgroupId,
    /// The container, or what else has the cgroup; `None` when it was gone from the books, or not there yet.
    pub container: Option<Container>,
    /// The workload; kept a while after the container is gone.
    pub workload: Option<WorkloadRef>,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Container {
    /// Namespace; empty outside Kubernetes.
    pub namespace: String,
    /// Its pod; empty outside Kubernetes.
    pub pod: String,
    /// Its name; of a cgroup that is no container, its path.
    pub name: String,
}

impl Serialize for Whose {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (container, workload) = (self.container.as_ref(), self.workload.as_ref());
        let namespace =
            container.map(|container| container.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        let namespace = namespace.or_else(|| workload.map(|workload| &*workload.namespace));
        let mut fields = to.serialize_struct("Whose", 6)?;
        fields.serialize_field("namespace", namespace.unwrap_or_default())?;
        fields.serialize_field("pod", container.map_or("", |container| &container.pod))?;
        fields.serialize_field("container", container.map_or("", |container| &container.name))?;
        fields.serialize_field("workload_kind", workload.map_or("", |workload| workload.kind))?;
        fields.serialize_field("workload", workload.map_or("", |workload| &*workload.name))?;
        fields.serialize_field("cgroup", &self.cgroup)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_empty() {
        let text = |whose: &Whose| serde_json::to_string(whose).unwrap();
        let mut whose = Whose { cgroup: CgroupId(7), ..Whose::default() };
        assert_eq!(
            text(&whose),
            r#"{"namespace":"","pod":"","container":"","workload_kind":"","workload":"","cgroup":7}"#
        );
        whose.workload = Some(WorkloadRef { namespace: "shop".into(), kind: "Deployment", name: "web".into() });
        assert_eq!(
            text(&whose),
            r#"{"namespace":"shop","pod":"","container":"","workload_kind":"Deployment","workload":"web","cgroup":7}"#
        );
        whose.container = Some(Container { namespace: "shop".into(), pod: "web-1".into(), name: "app".into() });
        assert_eq!(
            text(&whose),
            r#"{"namespace":"shop","pod":"web-1","container":"app","workload_kind":"Deployment","workload":"web","cgroup":7}"#
        );
    }
}
