//! The configuration built from the flags, which are checked against each other.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use daemon::{Changes, ConfigError};
use kubernetes::Access;

use super::{
    rules,
    table::{self, Flags},
};

use crate::{
    custom,
    select::{AllowLists, BadSelection, Families, Selection, Selectors},
    shard::{NoSuchShard, Shard},
    workloads,
};

/// The configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Kinds, families, labels.
    pub selection: Selection,
    /// Whose objects.
    pub shard: Shard,
    /// The pods to watch, if not all.
    pub pods: Pods,
    /// Only these namespaces; all when empty, unless a selector says which.
    pub namespaces: Vec<String>,
    /// Only namespaces with these labels.
    pub namespace_selector: Option<String>,
    /// Not these namespaces.
    pub without_namespaces: Vec<String>,
    /// Only objects with these labels.
    pub label_selectors: Selectors,
    /// Only objects with these fields.
    pub field_selectors: Selectors,
    /// Options about workloads.
    pub workloads: workloads::Config,
    /// The way to the API server.
    pub access: Access,
    /// The most objects that a list takes.
    pub object_limit: Option<u64>,
    /// Whether lists may be of what the server has at hand.
    pub from_cache: bool,
    /// This process' pod, when its shard is to be found: namespace and name.
    pub pod: Option<(String, String)>,
}

/// The pods to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pods {
    /// All.
    All,
    /// Those of a node.
    OfNode(String),
    /// Those that have no node yet.
    WithoutNode,
}

impl Pods {
    /// The field selector that asks for them.
    pub fn field_selector(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::OfNode(node) => Some(format!("spec.nodeName={node}")),
            Self::WithoutNode => Some("spec.nodeName=".to_owned()),
        }
    }
}

/// Errors in flags and configuration file.
#[derive(Debug, thiserror::Error)]
pub enum BadFlags {
    /// The configuration file.
    #[error(transparent)]
    File(#[from] daemon::ConfigError),
    /// A value.
    #[error(transparent)]
    Value(#[from] daemon::Invalid),
    /// Workloads.
    #[error(transparent)]
    Workloads(#[from] workloads::BadConfig),
    /// The configuration of custom resources.
    #[error(transparent)]
    Custom(#[from] custom::BadConfig),
    /// See inside.
    #[error("--{flag}")]
    Selection {
        /// Its flag.
        flag: &'static str,
        /// What is wrong with it.
        source: BadSelection,
    },
    /// See inside.
    #[error("--shard, --total-shards")]
    Shard(#[from] NoSuchShard),
    /// A node's pods and other kinds.
    #[error("--node: only pods belong to a node, but --resources names other kinds too")]
    NodeWithOtherKinds,
    /// Two ways to say which namespaces.
    #[error("--namespaces, --namespace-selector: only one of them can say which namespaces are watched")]
    NamesAndSelector,
    /// A value that a flag cannot have.
    #[error("--{flag}: {what}")]
    Flag {
        /// Its flag.
        flag: &'static str,
        /// What is wrong with the value.
        what: String,
    },
    /// Values of the configuration file, where those of the command line are good.
    #[error("{}", .path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, by the flags that the values stand for.
        source: Box<Self>,
    },
}

impl BadFlags {
    /// The same, with the place in the configuration file if the value stands there.
    #[must_use]
    pub fn placed(self, path: &Path, text: &str) -> Self {
        let (flags, what) = match &self {
            Self::Flag { flag, what } => (*flag, what.clone()),
            Self::Selection { flag, source } => (*flag, daemon::chain(source)),
            Self::Shard(error) => ("shard, --total-shards", error.to_string()),
            _ => return self,
        };
        let named = flags.split(", ").map(|flag| flag.trim_start_matches('-'));
        let keys = named.filter_map(|name| table::all().find(|flag| flag.name == name)).flat_map(|flag| flag.keys);
        let mut placed = keys.map(|key| ConfigError::of_key(path, text, key, what.clone()));
        placed.find(|error| error.place.is_some()).map_or(self, Self::File)
    }
}

/// Flags whose values are taken once, at the start.
const AFTER_RESTART: [&str; 19] = [
    "auth-filter",
    "host",
    "log.format",
    "log.level",
    "peers",
    "pod",
    "pod-lifetimes",
    "pod-namespace",
    "pod-workloads",
    "port",
    "server-idle-timeout",
    "server-read-header-timeout",
    "server-write-timeout",
    "telemetry-host",
    "telemetry-port",
    "tls-config",
    "workload-kinds",
    "workload-owner",
    "workload-requests",
];

impl Config {
    /// Values of flags that have no effect, since they match nothing. `custom` are families of custom resources.
    pub fn without_effect(&self, custom: &[&str]) -> Vec<String> {
        let workloads = workloads::section();
        let others: Vec<&str> =
            workloads.families.iter().map(|family| family.name.as_str()).chain(custom.iter().copied()).collect();
        let mut said = self.selection.without_effect(&others);
        for (flag, selectors) in
            [("--label-selector", &self.label_selectors), ("--field-selector", &self.field_selectors)]
        {
            let kinds = selectors.kinds().filter(|kind| *kind != "*" && !kind.contains('.'));
            let idle = kinds.filter(|kind| !self.selection.has_kind(kind));
            said.extend(idle.map(|kind| format!("{flag}: {kind} are not among the kinds that are served")));
        }
        let is_denied = |name: &String| self.without_namespaces.contains(name);
        if !self.namespaces.is_empty() && self.namespaces.iter().all(is_denied) {
            said.push("--namespaces, --namespaces-denylist: no namespace is left".to_owned());
        }
        said
    }
}

impl Flags {
    /// What differs in `new` from what is in effect; `started` is what the process has begun with.
    pub fn changes(&self, started: &Self, new: &Self) -> Changes {
        let (mut current, mut started, mut new) = (self.clone(), started.clone(), new.clone());
        let mut changes = Changes::default();
        for flag in table::all() {
            let (before, of) = if AFTER_RESTART.contains(&flag.name) {
                (&mut started, &mut changes.after_restart)
            } else {
                (&mut current, &mut changes.effective)
            };
            if flag.written(before) != flag.written(&mut new) {
                of.push(flag.name.to_owned());
            }
        }
        changes
    }

    /// Checks the flags against each other, and builds what they name.
    pub fn check(&self) -> Result<Config, BadFlags> {
        let at = |flag| move |source| BadFlags::Selection { flag, source };
        rules::check(self).map_err(|(flag, what)| BadFlags::Flag { flag, what })?;
        self.web().check()?;
        let kinds = &self.resources;
        if !self.node.is_empty() && kinds.iter().any(|kind| kind != "pods") {
            return Err(BadFlags::NodeWithOtherKinds);
        }
        if !self.namespace_selector.is_empty() && !self.namespaces.is_empty() {
            return Err(BadFlags::NamesAndSelector);
        }
        let families = Families::new(&self.metric_allowlist, &self.metric_denylist);
        let of_families = match (self.metric_allowlist.is_empty(), self.metric_denylist.is_empty()) {
            (false, true) => "metric-allowlist",
            (true, false) => "metric-denylist",
            _ => "metric-allowlist, --metric-denylist",
        };
        let labels = AllowLists::parse(&self.metric_labels_allowlist).map_err(at("metric-labels-allowlist"))?;
        let annotations = AllowLists::parse(&self.metric_annotations_allowlist);
        let mut selection = Selection::default()
            .with_families(families.map_err(at(of_families))?)
            .with_opt_in(&self.metric_opt_in_list)
            .map_err(at("metric-opt-in-list"))?
            .with_lists(labels, annotations.map_err(at("metric-annotations-allowlist"))?)
            .with_local_zone(TimeZone::system())
            .without_zeros(self.drop_zero_states);
        if self.custom_resource_state_only {
            selection = selection.with_kinds::<&str>([]).map_err(at("resources"))?;
        } else if !kinds.is_empty() {
            selection = selection.with_kinds(kinds).map_err(at("resources"))?;
        }
        let (owners, extra_kinds) = (&self.workload_owner, &self.workload_kinds);
        let workloads = workloads::Config::new(self.pod_workloads, self.pod_lifetimes, owners, extra_kinds)?;
        let workloads = workloads::Config { requests: self.workload_requests, peers: self.peers, ..workloads };
        if workloads.needs_pods() && selection.kinds().all(|resource| resource.about().plural != "pods") {
            return Err(workloads::BadConfig::NoPods.into());
        }
        Ok(Config {
            workloads,
            selection,
            shard: Shard::new(self.shard, self.total_shards)?,
            pods: match (self.track_unscheduled_pods, self.node.as_str()) {
                (true, _) => Pods::WithoutNode,
                (false, "") => Pods::All,
                (false, node) => Pods::OfNode(node.to_owned()),
            },
            namespaces: self.namespaces.clone(),
            namespace_selector: Some(self.namespace_selector.clone()).filter(|selector| !selector.is_empty()),
            label_selectors: Selectors::parse(&self.label_selector).map_err(at("label-selector"))?,
            field_selectors: Selectors::parse(&self.field_selector).map_err(at("field-selector"))?,
            without_namespaces: self.namespaces_denylist.clone(),
            access: rules::access(self),
            object_limit: Some(self.object_limit).filter(|limit| *limit > 0),
            from_cache: self.use_apiserver_cache,
            pod: (!self.pod.is_empty() && !self.pod_namespace.is_empty())
                .then(|| (self.pod_namespace.clone(), self.pod.clone())),
        })
    }
}
