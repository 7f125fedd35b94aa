//! Determines a cgroup's container from its path alone.
//!
//! One rule covers every Kubernetes runtime: the outermost element that carries a pod's uid is the pod, the next
//! element is the container (its id is what follows the last `-` or `:`, without `.scope`), and everything deeper is
//! inner: it belongs to that container. Outside Kubernetes, runtimes are known by their element's shape, and what
//! systemd calls a service is a service.

use crate::ids::{ContainerId, PodUid};

/// The kind of cgroup at a path. Borrows from the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// `/`: the machine.
    Root,
    /// A folder of cgroups with no meaning of its own: `/system.slice`, `/docker`.
    Slice,
    /// The cgroup of all pods, or of one quality-of-service class of them.
    Pods(Option<Qos>),
    /// A pod.
    Pod(WrittenUid<'a>),
    /// A container, in a pod or not.
    Container(Container<'a>),
    /// A cgroup inside a container; `container` is the container's own path.
    Inner {
        /// Path of the container's cgroup, a prefix of this one.
        container: &'a str,
    },
    /// A systemd unit that runs processes.
    Service(&'a str),
    /// Mounts, monitors of runtimes and the like: nobody wants a row for them.
    Ignored,
}

/// Quality-of-service class of a pod. Guaranteed pods have no folder of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// Requests below limits.
    Burstable,
    /// Neither requests nor limits.
    BestEffort,
}

/// A pod's uid as it is written in the path: with dashes, with underscores, or 32 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub struct WrittenUid<'a>(&'a str);

impl WrittenUid<'_> {
    /// As Kubernetes writes it: underscores are dashes.
    pub fn canonical(&self) -> PodUid {
        PodUid(self.0.replace('_', "-").into())
    }
}

impl PartialEq for WrittenUid<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

impl Eq for WrittenUid<'_> {}

/// A container, as far as its path tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// The container's id.
    pub id: ContainerId<&'a str>,
    /// The pod it is in.
    pub pod: Option<WrittenUid<'a>>,
    /// Whether the path says that it is the pod's sandbox.
    pub sandbox: bool,
}

/// Determines the kind of cgroup at this path. `path` starts with a slash and has none at its end.
pub fn place(path: &str) -> Place<'_> {
    if path.is_empty() || path == "/" {
        return Place::Root;
    }
    let leaf = path.rsplit('/').next().unwrap_or("");
    if is_ignored(leaf) {
        return Place::Ignored;
    }
    let mut outer: Option<(Container<'_>, usize)> = None;
    let mut walk = Elements { path, from: 0 };
    while let Some((element, end)) = walk.next() {
        if let Some((pod, rest)) = pod_of(element) {
            if let Some(id) = rest {
                // `…-pod<uid>.slice:cri-containerd:<id>`: a systemd path given to a runtime that does not know it.
                return in_container(path, end, Container { id: ContainerId(id), pod: Some(pod), sandbox: false });
            }
            return in_pod(path, pod, walk);
        }
        if outer.is_none() {
            outer = lone_container(path, element, end).map(|container| (container, end));
        }
    }
    if is_pods_folder(leaf) {
        return Place::Pods(qos_of(leaf));
    }
    if let Some((container, end)) = outer {
        return in_container(path, end, container);
    }
    match leaf.rsplit_once('.') {
        Some((_, "service" | "scope")) => Place::Service(leaf),
        _ => Place::Slice,
    }
}

/// The parent's path; `/` for those at the top.
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// The text of a systemd unit name: `\x2d` is a dash.
pub fn unescape(unit: &str) -> std::borrow::Cow<'_, str> {
    if !unit.contains("\\x") {
        return unit.into();
    }
    let mut text = Vec::with_capacity(unit.len());
    let mut rest = unit.as_bytes();
    while let [first, tail @ ..] = rest {
        if let [b'\\', b'x', high, low, tail @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            text.push(high << 4 | low);
            rest = tail;
        } else {
            text.push(*first);
            rest = tail;
        }
    }
    kernfs::text::text(&text).into_owned().into()
}

/// The elements of a path, each with the offset of its end.
#[derive(Clone)]
struct Elements<'a> {
    path: &'a str,
    from: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = (&'a str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.path.get(self.from..)?;
        let skipped = rest.len() - rest.trim_start_matches('/').len();
        let rest = rest.get(skipped..).filter(|rest| !rest.is_empty())?;
        let element = rest.split('/').next().unwrap_or(rest);
        self.from += skipped + element.len();
        Some((element, self.from))
    }
}

fn in_pod<'a>(path: &'a str, pod: WrittenUid<'a>, mut below: Elements<'a>) -> Place<'a> {
    let Some((element, end)) = below.next() else { return Place::Pod(pod) };
    if is_monitor(element) {
        return Place::Ignored;
    }
    let scope = element.strip_suffix(".scope");
    let name = scope.unwrap_or(element);
    let id = name.rsplit(['-', ':']).next().unwrap_or(name);
    let id = id.strip_prefix("kata_").unwrap_or(id);
    // CRI-O names the scope of a container and gives the sandbox a plain folder beside it.
    let crio_sandbox = scope.is_none() && name.starts_with("crio-") && path.contains(".slice/");
    let sandbox = crio_sandbox || element.starts_with("kata_");
    in_container(path, end, Container { id: ContainerId(id), pod: Some(pod), sandbox })
}

fn in_container<'a>(path: &'a str, end: usize, mut container: Container<'a>) -> Place<'a> {
    let own = path.get(..end);
    if container.id.0.is_empty() {
        // `cri-containerd-`: no runtime makes that, but whoever may make cgroups can. It goes by all of its name.
        container.id = ContainerId(own.and_then(|own| own.rsplit('/').next()).unwrap_or(path));
    }
    match own {
        Some(own) if end < path.len() => Place::Inner { container: own },
        _ => Place::Container(container),
    }
}

/// The pod whose uid the element carries, and the container id behind it in the same element.
fn pod_of(element: &str) -> Option<(WrittenUid<'_>, Option<&str>)> {
    let (unit, id) = match element.split_once(".slice:") {
        Some((unit, rest)) => (unit, rest.rsplit(':').next()),
        None => (element.strip_suffix(".slice").unwrap_or(element), None),
    };
    let at = unit.rfind("pod").filter(|at| *at == 0 || unit.as_bytes().get(at - 1) == Some(&b'-'))?;
    let uid = unit.get(at + 3..)?;
    is_uid(uid).then_some((WrittenUid(uid), id))
}

/// 36 characters in groups of 8-4-4-4-12 hexadecimal digits (dashes or underscores), or 32 without.
fn is_uid(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.len() {
        32 => bytes.iter().all(u8::is_ascii_hexdigit),
        36 => bytes.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => matches!(b, b'-' | b'_'),
            _ => b.is_ascii_hexdigit(),
        }),
        _ => false,
    }
}

/// A container outside Kubernetes, known by the shape of its element or by its parent.
fn lone_container<'a>(path: &'a str, element: &'a str, end: usize) -> Option<Container<'a>> {
    let made = |id| Some(Container { id: ContainerId(id), pod: None, sandbox: false });
    let name = element.strip_suffix(".scope").unwrap_or(element);
    let id = name.rsplit(['-', ':']).next().unwrap_or(name);
    if is_container_id(id) {
        return made(id);
    }
    if let Some(name) = element.strip_prefix("lxc.payload.") {
        return made(name);
    }
    let parents = path.get(..end - element.len()).unwrap_or("").trim_end_matches('/');
    let parent = parents.rsplit('/').next().unwrap_or("");
    let grandparent = parents.rsplit('/').nth(1).unwrap_or("");
    match parent {
        "lxc" => made(element),
        // containerd's own client puts what it runs below the namespace's name.
        "default" if parents == "/default" => made(element),
        "share.slice" if grandparent == "nomad.slice" => made(name),
        _ if grandparent == "ecs" && parents.starts_with("/ecs/") => made(element),
        _ => None,
    }
}

/// Whether a runtime made this up as the id of a container: 64 hexadecimal digits.
pub(super) fn is_container_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

fn is_pods_folder(element: &str) -> bool {
    let unit = element.strip_suffix(".slice").unwrap_or(element);
    let class = unit.rsplit('-').next().unwrap_or(unit);
    unit == "kubepods" || unit.ends_with("-kubepods") || (matches!(class, "burstable" | "besteffort"))
}

fn qos_of(element: &str) -> Option<Qos> {
    let unit = element.strip_suffix(".slice").unwrap_or(element);
    if unit.ends_with("burstable") {
        Some(Qos::Burstable)
    } else if unit.ends_with("besteffort") {
        Some(Qos::BestEffort)
    } else {
        None
    }
}

fn is_ignored(leaf: &str) -> bool {
    matches!(leaf.rsplit_once('.'), Some((_, "mount" | "swap" | "automount" | "socket" | "timer" | "device" | "path")))
        || is_monitor(leaf)
}

/// Processes that runtimes keep beside a container to watch it.
fn is_monitor(element: &str) -> bool {
    element.starts_with("crio-conmon-") || element.starts_with("libpod-conmon-") || element.starts_with("lxc.monitor.")
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UID: &str = "0f3b1a2c-9d8e-4f7a-b6c5-112233445566";
    const UID_: &str = "0f3b1a2c_9d8e_4f7a_b6c5_112233445566";
    const STATIC: &str = "8d0c6e4bb2a1f3e5d7c9b8a6f4e2d0c1";
    const ID: &str = "4b1f0c9e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c";
    const OUTER: &str = "aaaaaaaa8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c";

    fn filled(shape: &str) -> String {
        shape
            .replace("{uid}", UID)
            .replace("{uid_}", UID_)
            .replace("{static}", STATIC)
            .replace("{id}", ID)
            .replace("{outer}", OUTER)
    }

    /// What a place is, in words that a table can hold.
    fn said(path: &str) -> String {
        match place(path) {
            Place::Root => "root".into(),
            Place::Slice => "slice".into(),
            Place::Pods(None) => "pods".into(),
            Place::Pods(Some(Qos::Burstable)) => "burstable".into(),
            Place::Pods(Some(Qos::BestEffort)) => "besteffort".into(),
            Place::Pod(uid) => format!("pod {}", uid.canonical().0),
            Place::Container(c) => format!(
                "{} {}{}",
                if c.sandbox { "sandbox" } else { "container" },
                c.id.0,
                c.pod.map(|uid| format!(" of {}", uid.canonical().0)).unwrap_or_default()
            ),
            Place::Inner { container } => format!("inner of {container}"),
            Place::Service(unit) => format!("service {unit}"),
            Place::Ignored => "ignored".into(),
        }
    }

    #[test]
    fn a_container_always_has_a_name() {
        for path in
            [format!("/kubepods/pod{UID}/cri-containerd-"), format!("/x-pod{UID_}.slice:cri:"), "/lxc.payload.".into()]
        {
            let Place::Container(container) = place(&path) else { panic!("{path}") };
            assert!(path.ends_with(container.id.0) && !container.id.0.is_empty(), "{path}");
        }
    }

    #[test]
    fn every_known_shape_is_read_right() {
        let table = include_str!("testdata/paths.tsv");
        let mut rows = 0;
        for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (path, expected) = line.split_once('\t').unwrap();
            assert_eq!(said(&filled(path)), filled(expected), "{path}");
            rows += 1;
        }
        assert!(rows > 50, "{rows} rows");
    }

    #[test]
    fn unit_names_are_unescaped() {
        assert_eq!(unescape("dev\\x2dsda1.service"), "dev-sda1.service");
        assert_eq!(unescape("a\\x2"), "a\\x2");
        assert_eq!(unescape("plain"), "plain");
    }

    proptest! {
        #[test]
        fn nothing_panics(path in "\\PC{0,80}") {
            let _ = (place(&path), unescape(&path).len());
        }

        #[test]
        fn what_is_below_a_container_belongs_to_it(inner in "[a-z.]{1,12}(/[a-z.]{1,12}){0,3}", pod: bool) {
            prop_assume!(inner.split('/').all(|e| !is_ignored(e)));
            let container = if pod { format!("/kubepods/pod{UID}/{ID}") } else { format!("/docker/{ID}") };
            let path = format!("{container}/{inner}");
            if !is_pods_folder(inner.rsplit('/').next().unwrap_or("")) {
                prop_assert_eq!(place(&path), Place::Inner { container: &container });
            }
        }
    }
}
