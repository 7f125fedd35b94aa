//! What is above what: the one place where the layers of all packages are written down.
//!
//! A file may import from its own floor and from those below it. A floor names files and folders of `src` without an
//! ending; the longest name that fits counts. Floors stand in order, the lowest first.

/// Where this is.
pub(super) const FILE: &str = "xtask/src/structure/layers.rs";

/// The layers of a package.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) package: &'static str,
    /// Packages of the workspace whose names its code may use.
    pub(super) uses: &'static [&'static str],
    /// No floors: one file may import any other, but not in a circle.
    pub(super) floors: &'static [&'static [&'static str]],
    /// Folders whose own folders do not import each other.
    pub(super) apart: &'static [&'static str],
    /// Folders in those which others may import all the same.
    pub(super) shared: &'static [&'static str],
}

const PLATFORM: Layers = Layers { package: "", uses: &[], floors: &[], apart: &[], shared: &[] };

/// Every package.
pub(super) const ALL: &[Layers] = &[
    Layers { package: "metric", ..PLATFORM },
    Layers { package: "kernfs", ..PLATFORM },
    Layers {
        package: "tsdb",
        floors: &[&["bytes"], &["chunk", "index", "shape"], &["block"], &["store"], &["lib"]],
        ..PLATFORM
    },
    Layers { package: "expo", uses: &["metric"], ..PLATFORM },
    Layers { package: "daemon", uses: &["metric", "expo"], ..PLATFORM },
    Layers { package: "kubernetes", ..PLATFORM },
    Layers {
        package: "mixin",
        uses: &["metric"],
        floors: &[
            &["panel", "period", "problem", "query/text"],
            &["source"],
            &["threshold", "catalog"],
            &["query"],
            &["alert", "board"],
            &["rule", "runbook"],
            &["lib", "set"],
        ],
        ..PLATFORM
    },
    Layers { package: "testkit", uses: &["metric", "expo", "kernfs"], ..PLATFORM },
    Layers {
        package: "yagura-exporter",
        uses: &["metric", "kernfs", "expo", "daemon", "kubernetes", "yagura-exporter"],
        floors: &[
            &["bpf", "privilege", "config", "ids", "program", "mounts"],
            &["events"],
            &["identity", "books"],
            &["spec", "report"],
            &["collectors", "probes"],
            &["slices", "scrape"],
            &["history"],
            &[
                "app",
                "boards",
                "cadvisor",
                "catalog",
                "check",
                "cli",
                "lib",
                "main",
                "node_exporter",
                "own_metrics",
                "rbac",
                "workloads",
            ],
        ],
        apart: &["collectors", "probes"],
        shared: &["probes/object"],
    },
    Layers {
        package: "yagura-kube-state",
        uses: &["metric", "expo", "daemon", "kubernetes", "yagura-kube-state"],
        floors: &[
            &["cron", "hash", "lax", "literal", "moves", "number", "program", "quantity", "time"],
            &["labels", "meta", "rows", "shard"],
            &["family"],
            &["kind"],
            &["resources"],
            &["select", "store"],
            &["api", "guard"],
            &["watch"],
            &["custom", "engine", "namespaces", "shards", "workloads"],
            &["peers"],
            &["flags"],
            &["conformance", "own_metrics", "plan", "rbac"],
            &["app", "page", "serve"],
            &["bin", "cli", "lib", "main"],
        ],
        ..PLATFORM
    },
    Layers {
        package: "xtask",
        uses: &["metric", "mixin", "tsdb"],
        floors: &[
            &["args", "connection", "exposition", "skip"],
            &["places", "http", "process"],
            &["cargo", "source", "counts"],
            &["debian", "go", "agent"],
            &["oci"],
            &["peers", "counterparts", "prometheus", "setup"],
            &["cluster"],
            &["account", "pager", "shop", "e2e", "vm"],
            &["parity"],
            &["alerts", "dashboards", "kube_names", "lines", "new", "structure"],
            &["chart", "package", "proof", "query_cost"],
            &["checks", "demo", "tasks"],
            &["ci", "main"],
        ],
        ..PLATFORM
    },
];

/// Crates from elsewhere that one package has for itself: one place talks to Kubernetes, one calls bpf(2).
pub(super) const ALONE: &[(&str, &str)] =
    &[("kube", "kubernetes"), ("hyper-rustls", "kubernetes"), ("aya", "yagura-exporter")];

impl Layers {
    /// The number of a file's floor.
    pub(super) fn floor(&self, path: &str) -> Option<usize> {
        let named =
            self.floors.iter().enumerate().flat_map(|(floor, names)| names.iter().map(move |name| (floor, *name)));
        named.filter(|(_, name)| is_below(path, name)).max_by_key(|(_, name)| name.len()).map(|(floor, _)| floor)
    }

    /// Whether these two are folders that stand apart, or are in such.
    pub(super) fn are_apart(&self, from: &str, to: &str) -> bool {
        let slice = |path: &str| {
            let inside =
                self.apart.iter().find_map(|folder| Some((folder, path.strip_prefix(folder)?.strip_prefix('/')?)));
            let (folder, inside) = inside?;
            Some(format!("{folder}/{}", inside.split('/').next().unwrap_or_default()))
        };
        let is_shared = |slice: &String| self.shared.contains(&slice.as_str());
        match (slice(from), slice(to)) {
            (Some(from), Some(to)) => from != to && !is_shared(&to) && !is_shared(&from),
            _ => false,
        }
    }
}

fn is_below(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
