//! The kinds of peers that can be at an address.

/// Kinds of peers, as label values.
pub const KINDS: [&str; 12] = [
    "workload",
    "service",
    "node",
    "apiserver",
    "kubedns",
    "metadata",
    "dns",
    "cidr",
    "local",
    "private",
    "world",
    "other",
];

/// The peer at an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Who {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// Namespace of the peer, if it has one.
    pub namespace: Box<str>,
    /// The workload's, service's, node's or network's name, or that which was looked up.
    pub name: Box<str>,
    /// Kind and name of the workload that it is, or that answers for it.
    pub workload: Option<(&'static str, Box<str>)>,
}

impl Who {
    pub(super) fn of(kind: &'static str, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into(), workload: None }
    }

    pub(super) fn workload(namespace: &str, kind: &'static str, name: &str, answers_names: bool) -> Self {
        let label = if answers_names { "kubedns" } else { "workload" };
        Self { workload: Some((kind, name.into())), ..Self::of(label, namespace, name) }
    }

    pub(super) fn service(
        namespace: &str,
        name: &str,
        backend: Option<(&'static str, &str)>,
        answers_names: bool,
    ) -> Self {
        let label = match (namespace, name) {
            ("default", "kubernetes") => "apiserver",
            _ if answers_names => "kubedns",
            _ => "service",
        };
        Self { workload: backend.map(|(kind, name)| (kind, name.into())), ..Self::of(label, namespace, name) }
    }

    pub(super) fn node(name: &str) -> Self {
        Self::of("node", "", name)
    }

    pub(super) fn api_server() -> Self {
        Self::of("apiserver", "default", "kubernetes")
    }

    /// All for whom there was no room.
    pub fn other() -> Self {
        Self::of("other", "", "")
    }
}
