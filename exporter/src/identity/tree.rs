//! The cgroups that exist now. inotify events are applied when a scrape begins; a walk over the hierarchies, once a
//! minute and whenever events were lost, corrects the tree. New and removed ones are learnt from inotify when a scrape
//! begins; a walk over the hierarchies, once a minute and whenever events were lost, is the truth.
//!
//! Nothing runs between scrapes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use kernfs::{Budget, Dir, Host, Reader, text};
use kubernetes::WorkloadRef;
use metric::{Batch, Of};

use super::{
    bundle::Named,
    counted::{Counted, Read},
    folders::Folders,
    group::{Group, GroupKind, Labels, Members},
    layout::Layout,
    limits::Limits,
    path::{self, Place},
    pause,
    places::{Found, Places},
    pods::{self, Ask, PodName, Pods},
    rows::{AsCadvisor, AsContainer},
    watch::{Change, Watch},
};
use crate::{
    config::CgroupRows,
    ids::{ContainerId, PodUid},
};

/// Interval of walks over the hierarchies, in addition to the changes that inotify reports.
const WALK_EVERY: Duration = Duration::from_mins(1);

/// Services that a kubelet runs in; what it shows of the machine besides pods.
const KUBELETS: [&str; 8] = [
    "/kubelet.service",
    "/k3s.service",
    "/k3s-agent.service",
    "/rke2-server.service",
    "/rke2-agent.service",
    "/k0scontroller.service",
    "/k0sworker.service",
    "/snap.microk8s.daemon-kubelite.service",
];

/// The cgroups that have rows under cAdvisor's labels, besides the machine.
enum Shown {
    All,
    Containers,
    /// These and what is below them.
    Below(Vec<Box<str>>),
}

impl Shown {
    fn is_among(&self, group: &Group) -> bool {
        self.has(&group.path, group.kind, group.is_of_pod())
    }

    fn has(&self, path: &str, kind: GroupKind, is_of_pod: bool) -> bool {
        let is_below =
            |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match self {
            Self::All => true,
            _ if kind == GroupKind::Root => true,
            Self::Containers => matches!(kind, GroupKind::Container | GroupKind::Sandbox),
            Self::Below(roots) => is_of_pod || roots.iter().any(|root| is_below(root)),
        }
    }
}

/// A cgroup as its row under cAdvisor's labels shows it, apart from the tree.
#[derive(Clone, Debug)]
pub struct Portrait {
    /// The labels of its row.
    pub labels: Labels,
    /// When it was made, in seconds since the Unix epoch.
    pub created: f64,
    kind: GroupKind,
    is_of_pod: bool,
    is_named: bool,
}

impl Portrait {
    /// Whether it is known how it is called, or it has no name.
    pub fn is_named(&self) -> bool {
        self.is_named
    }

    /// Of a row that was shown.
    pub fn shown(labels: Labels, created: f64) -> Self {
        Self { labels, created, kind: GroupKind::Root, is_of_pod: false, is_named: true }
    }
}

/// A process started before its cgroup was made if a runtime moved it there: by less than this, in seconds.
const CLEARLY_OLDER: f64 = 2.0;
/// Processes of a cgroup that are asked when they started.
const MOST_PROCESSES: usize = 64;
/// `USER_HZ`, which is 100 on every architecture that Linux shows to user space.
const TICKS_A_SECOND: f64 = 100.0;

/// Number of scrapes in which a container's bundle is looked for.
const BUNDLE_SCRAPES: u8 = 5;

/// Work and size of the tree, for self-telemetry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Cgroups with rows.
    pub groups: usize,
    /// Walks over the hierarchies so far.
    pub walks: u64,
    /// Walks that were due to lost events.
    pub resyncs: u64,
    /// Whether inotify reports changes; if not, each scrape walks.
    pub watching: bool,
    /// Containers of which neither a bundle nor Kubernetes has told the names.
    pub unnamed: usize,
}

/// The cgroups of the machine.
#[derive(Debug)]
pub struct Tree {
    host: Arc<Host>,
    layout: Arc<Layout>,
    budget: Arc<Budget>,
    walked: Vec<(usize, Dir)>,
    groups: BTreeMap<Box<str>, Group>,
    /// Where bundles are.
    places: Places,
    /// Whether it was said that a container's bundle was not found.
    said: bool,
    /// Pods as known from Kubernetes.
    known: Pods,
    /// Names of pods, from the bundles of their containers.
    pods: HashMap<PodUid, PodName>,
    /// Image of sandboxes whose bundles do not name it; looked up at first need, and again after each walk.
    sandbox_image: Option<String>,
    /// Workloads with others inside them.
    holders: BTreeSet<Box<str>>,
    rows: CgroupRows,
    watch: Option<Watch>,
    last_walk: Option<Instant>,
    generation: u64,
    boot: f64,
    figures: Figures,
}

impl Group {
    fn is_of_pod(&self) -> bool {
        self.container_id.is_some() && self.pod_uid.is_some()
    }

    /// Whether it is a container of a pod that may still be told which. Where Kubernetes tells, it has no rows until
    /// then, since they would be those of a container that nobody knows; `lifetime` accounts for what it uses.
    fn awaits_name(&self) -> bool {
        !self.named && self.container_id.is_some() && self.pod_uid.is_some() && self.silent < BUNDLE_SCRAPES
    }

    /// Whether it is a container that was looked for in vain. LXC and others call theirs by a name instead of an id.
    fn lacks_name(&self) -> bool {
        let has_id = || self.container_id.as_ref().is_some_and(|id| path::is_container_id(id.as_str()));
        !self.named && self.silent >= BUNDLE_SCRAPES && has_id()
    }

    fn take_names(&mut self, named: Named) {
        let Labels { container, image, name, namespace, pod, .. } = &mut self.labels;
        (*container, *image, *name, *namespace, *pod) =
            (named.container, named.image, named.name, named.namespace, named.pod);
    }

    /// Takes the names that its record has now, if it was written anew.
    fn follow_record(&mut self, host: &Host, reader: &mut Reader) {
        if let Some(named) = self.record.as_mut().and_then(|record| record.changed(host, reader)) {
            self.take_names(named);
        }
    }
}

impl Tree {
    /// An empty tree; the first [`Tree::refresh`] fills it.
    pub fn new(host: Arc<Host>, layout: Arc<Layout>, budget: Arc<Budget>) -> std::io::Result<Self> {
        let roots: Vec<PathBuf> = layout.roots().map(std::path::Path::to_owned).collect();
        let mut walked = Vec::new();
        for index in layout.walked() {
            if let Some(root) = roots.get(index) {
                walked.push((index, Dir::open(root)?));
            }
        }
        let boot = boot_time(&host).unwrap_or(0.0);
        let watch = Watch::new();
        Ok(Self {
            host,
            layout,
            budget,
            walked,
            groups: BTreeMap::new(),
            places: Places::default(),
            said: false,
            known: Pods::default(),
            pods: HashMap::new(),
            sandbox_image: None,
            holders: BTreeSet::new(),
            rows: CgroupRows::All,
            watch,
            last_walk: None,
            generation: 0,
            boot,
            figures: Figures::default(),
        })
    }

    /// Has cgroups named after what is known of these pods.
    #[must_use]
    pub fn with_pods(mut self, pods: &Pods) -> Self {
        self.known = pods.clone();
        self
    }

    /// Has these cgroups shown under cAdvisor's labels.
    #[must_use]
    pub fn with_rows(mut self, rows: CgroupRows) -> Self {
        self.rows = rows;
        self
    }

    /// Has bundles looked for in these places.
    #[must_use]
    pub fn with_places(mut self, places: &Places) -> Self {
        self.places = places.clone();
        self
    }

    /// Has it hold only what it is told of, see [`Tree::admit`].
    #[must_use]
    pub fn apart(mut self) -> Self {
        self.watch = None;
        self
    }

    /// Brings the tree up to date with the kernel.
    pub fn refresh(&mut self, reader: &mut Reader, now: Instant) {
        let due = self.last_walk.is_none_or(|last| now.duration_since(last) >= WALK_EVERY);
        let changes = self.watch.as_mut().map(Watch::changes);
        match changes {
            Some(Some(changes)) if !due => {
                for change in changes {
                    match change {
                        Change::Made { hierarchy, path } => self.visit(hierarchy, &path, reader),
                        Change::Removed { path } => self.removed(&path, reader),
                    }
                }
            }
            other => {
                if matches!(other, Some(None)) {
                    self.figures.resyncs += 1;
                }
                self.walk(reader);
                self.last_walk = Some(now);
            }
        }
        let walked = self.last_walk == Some(now);
        self.name_the_unnamed(reader, walked, |_| true);
        self.find_rests();
        self.find_workloads();
        self.figures.groups = self.groups.len();
        self.figures.unnamed = self.groups.values().filter(|group| group.lacks_name()).count();
        self.say_what_lacks_a_name();
        self.figures.watching = self.watch.is_some();
    }

    /// Work and size of the tree, for self-telemetry.
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// The hierarchy of each controller.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// When the machine booted, in seconds since the Unix epoch.
    pub fn boot(&self) -> f64 {
        self.boot
    }

    /// All cgroups with rows, sorted by path.
    pub fn groups(&mut self) -> impl Iterator<Item = &mut Group> {
        self.groups.values_mut()
    }

    /// Registers each cgroup in the batch under cAdvisor's labels.
    pub fn as_cadvisor(&mut self, out: &mut Batch) {
        let is_told = self.known.is_on();
        let roots = self.shown_roots();
        for group in self.groups.values_mut() {
            let Labels { container, id, image, name, namespace, pod } = &group.labels;
            let labels = [container, id, image, name, namespace, pod];
            let is_shown = roots.is_among(group) && !(is_told && group.awaits_name());
            group.cadvisor = is_shown.then(|| out.subject::<AsCadvisor, 6>(labels.map(String::as_str)));
            group.own = None;
            group.counted = Counted::default();
            group.known = Read::default();
            group.members.forget();
        }
    }

    /// Takes in the cgroup at this path with what belongs to it: of a container in a pod all of the pod's cgroups, for
    /// some series of a pod are those of one container. For a tree that is not refreshed and has only what it is told of.
    pub fn admit(&mut self, path: &str, reader: &mut Reader) {
        let mut from = match path::place(path) {
            Place::Ignored | Place::Root => return,
            Place::Inner { container } if !self.groups.contains_key(container) => container,
            _ => path,
        };
        if matches!(path::place(from), Place::Container(container) if container.pod.is_some()) {
            while !matches!(path::place(from), Place::Pod(_) | Place::Root) {
                from = path::parent(from);
            }
            from = if from == "/" { path } else { from };
        }
        let from = from.to_owned();
        for index in 0..self.walked.len() {
            if self.walked.get(index).is_some_and(|(_, root)| reader.exists(root, &from)) {
                self.visit(index, &from, reader);
            }
        }
        self.name_the_unnamed(reader, false, |group| group.path.starts_with(from.as_str()));
    }

    /// Forgets the cgroup at this path. See [`Tree::admit`].
    pub fn dismiss(&mut self, path: &str) {
        if let Place::Inner { container } = path::place(path)
            && let Some(group) = self.groups.get_mut(container)
        {
            group.inner.retain(|(known, ..)| **known != *path);
        }
        self.groups.remove(path);
    }

    /// Whether it has the cgroup at this path.
    pub fn has(&self, path: &str) -> bool {
        self.groups.contains_key(path)
    }

    /// How many cgroups it has, and the path of the oldest.
    pub fn oldest(&self) -> (usize, Option<Box<str>>) {
        let oldest = self.groups.values().min_by(|a, b| a.created.total_cmp(&b.created));
        (self.groups.len(), oldest.map(|group| group.path.clone()))
    }

    /// Registers one cgroup and no other in the batch under cAdvisor's labels. Whether there is one at this path.
    pub fn alone_as_cadvisor(&mut self, path: &str, reader: &mut Reader, out: &mut Batch) -> bool {
        self.name_the_unnamed(reader, false, |group| *group.path == *path);
        for group in self.groups.values_mut() {
            group.cadvisor = None;
            group.own = None;
        }
        let Some(group) = self.groups.get_mut(path) else { return false };
        let Labels { container, id, image, name, namespace, pod } = &group.labels;
        let labels = [container, id, image, name, namespace, pod];
        group.cadvisor = Some(out.subject::<AsCadvisor, 6>(labels.map(String::as_str)));
        group.counted = Counted::default();
        group.known = Read::default();
        group.members.forget();
        group.forget_absent();
        let inner = group.inner.iter_mut().map(|(_, _, folders)| folders);
        std::iter::once(&mut group.folders).chain(inner).for_each(|folders| folders.reopen("cgroup.procs"));
        true
    }

    /// A cgroup as its row shows it.
    pub fn portrait(&self, path: &str) -> Option<Portrait> {
        let group = self.groups.get(path)?;
        let Group { labels, created, kind, named, .. } = group;
        let (labels, is_of_pod) = (labels.clone(), group.is_of_pod());
        Some(Portrait { labels, created: *created, kind: *kind, is_of_pod, is_named: *named })
    }

    /// Tells of cgroups that are gone whether they would have rows under cAdvisor's labels. One of a pod has none as long
    /// as nobody has told whose it was.
    pub fn shows(&self) -> impl Fn(&Portrait) -> bool {
        let shown = self.shown_roots();
        move |Portrait { labels, kind, is_of_pod, is_named, .. }| {
            shown.has(&labels.id, *kind, *is_of_pod) && (*is_named || !*is_of_pod)
        }
    }

    /// Cgroups but the machine that have rows in the batch under cAdvisor's labels, by path: path, birth, subject.
    pub fn shown(&self) -> impl Iterator<Item = (&str, f64, Of<AsCadvisor>)> {
        let groups = self.groups.values().filter(|group| group.kind != GroupKind::Root);
        groups.filter_map(|group| Some((&*group.path, group.created, group.cadvisor?)))
    }

    /// The cgroups that have rows under cAdvisor's labels.
    fn shown_roots(&self) -> Shown {
        if !matches!(self.rows, CgroupRows::Auto | CgroupRows::Kubelet) {
            return if self.rows == CgroupRows::All { Shown::All } else { Shown::Containers };
        }
        let is_outermost = |group: &&Group| {
            let mut above = path::parent(&group.path);
            while above != "/" {
                // A kubelet in a container is not this machine's.
                if matches!(path::place(above), Place::Pods(_) | Place::Container(_) | Place::Inner { .. }) {
                    return false;
                }
                above = path::parent(above);
            }
            true
        };
        let pods = self.groups.values().filter(|group| group.kind == GroupKind::Pods).filter(is_outermost);
        let mut roots: Vec<Box<str>> = pods.map(|group| group.path.clone()).collect();
        if roots.is_empty() && self.rows == CgroupRows::Auto {
            return Shown::All;
        }
        let services = self.groups.values().filter(|group| group.kind == GroupKind::Service);
        let kubelets = services.filter(|group| KUBELETS.iter().any(|name| group.path.ends_with(name)));
        roots.extend(kubelets.map(|group| group.path.clone()));
        Shown::Below(roots)
    }

    /// Registers each container and service in the batch under our own labels. Of two that bear the same, as when a
    /// container was replaced a moment ago, only the younger gets rows.
    pub fn as_containers(&mut self, out: &mut Batch) {
        let is_told = self.known.is_on();
        let mut taken: HashSet<(String, String, String)> = HashSet::new();
        let mut youngest_first: Vec<&mut Group> = self.groups.values_mut().collect();
        youngest_first.sort_by(|a, b| b.created.total_cmp(&a.created));
        for group in &mut youngest_first {
            group.cadvisor = None;
            group.own = None;
            group.counted = Counted::default();
            group.known = Read::default();
            group.members.forget();
            if !group.has_own_row() || (is_told && group.awaits_name()) {
                continue;
            }
            let Labels { container, name, namespace, pod, .. } = &group.labels;
            let called = match (container.is_empty(), name.is_empty()) {
                (false, _) => container.as_str(),
                (true, false) => name.as_str(),
                (true, true) => group.path.trim_start_matches('/'),
            };
            if taken.insert((namespace.clone(), pod.clone(), called.to_owned())) {
                let (workload, kind) = group.workload.as_ref().map_or(("", ""), |of| (&of.name, of.kind));
                let subject: Of<AsContainer> = out.subject::<AsContainer, 5>([namespace, pod, called, workload, kind]);
                group.own = Some(subject);
            }
        }
    }

    /// Takes note of the workloads that a new one is inside of.
    fn note_holders(&mut self, path: &str) {
        let mut above = path::parent(path);
        while above != "/" {
            if let Some(group) = self.groups.get_mut(above).filter(|group| group.is_workload() && !group.holds) {
                group.holds = true;
                self.holders.insert(above.into());
            }
            above = path::parent(above);
        }
    }

    /// Finds the cgroups that have what workloads that hold others use besides them: the outermost in each without a
    /// workload inside. Processes are in no other, since the kernel keeps those of a cgroup whose resources it splits
    /// in cgroups below.
    fn find_rests(&mut self) {
        let groups = &self.groups;
        self.holders.retain(|holder| groups.contains_key(holder));
        for holder in &self.holders {
            let below = format!("{holder}/");
            let inside = self.groups.range_mut(Box::from(below.as_str())..);
            let inside: Vec<&mut Group> =
                inside.take_while(|(path, _)| path.starts_with(&below)).map(|(_, group)| group).collect();
            let workloads: Vec<Box<str>> =
                inside.iter().filter(|group| group.is_workload()).map(|group| group.path.clone()).collect();
            let mut within: Option<Box<str>> = None;
            for group in inside {
                let is_inside = |outer: &str| group.path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
                let holds_one = workloads
                    .iter()
                    .any(|inner| inner.strip_prefix(&*group.path).is_some_and(|rest| rest.starts_with('/')));
                let is_covered =
                    within.as_deref().is_some_and(is_inside) || workloads.iter().any(|outer| is_inside(outer));
                group.is_rest = group.kind == GroupKind::Slice && !holds_one && !is_covered;
                if group.is_rest {
                    within = Some(group.path.clone());
                }
            }
        }
    }

    fn walk(&mut self, reader: &mut Reader) {
        self.generation += 1;
        self.figures.walks += 1;
        for index in 0..self.walked.len() {
            self.visit(index, "/", reader);
        }
        let generation = self.generation;
        self.groups.retain(|_, group| group.seen == generation);
        for group in self.groups.values_mut() {
            group.inner.retain(|(_, seen, _)| *seen == generation);
            group.forget_absent();
        }
        let uids: HashSet<&PodUid> = self.groups.values().filter_map(Group::pod_uid).collect();
        self.pods.retain(|uid, _| uids.contains(uid));
        self.sandbox_image = None;
    }

    /// Takes in the cgroup at `path` and all below it.
    fn visit(&mut self, hierarchy: usize, path: &str, reader: &mut Reader) {
        let mut pending = vec![path.to_owned()];
        while let Some(path) = pending.pop() {
            let place = path::place(&path);
            if place != Place::Ignored {
                self.take_in(&path, place, reader);
            }
            let Some((_, root)) = self.walked.get(hierarchy) else { return };
            // Watched before it is listed, so that nothing made in between is missed.
            if let Some(watch) = &mut self.watch
                && place != Place::Ignored
                && watch.add(hierarchy, &path, &root.join(&path)).is_err()
            {
                tracing::warn!(
                    path,
                    "cannot add an inotify watch: each scrape now walks all cgroups; raise fs.inotify.max_user_watches"
                );
                self.watch = None;
            }
            let prefix = path.trim_end_matches('/');
            let listed = reader.list(root, &path, |name, is_dir| {
                if is_dir {
                    pending.push(format!("{prefix}/{name}"));
                }
            });
            if let Err(error) = listed {
                tracing::debug!(path, error = %error, "cannot list cgroup");
            }
        }
    }

    fn take_in(&mut self, path: &str, place: Place<'_>, reader: &mut Reader) {
        let generation = self.generation;
        if let Place::Inner { container } = place {
            let Some(group) = self.groups.get_mut(container) else { return };
            if let Some((_, seen, _)) = group.inner.iter_mut().find(|(known, ..)| **known == *path) {
                *seen = generation;
            } else {
                let folders = Folders::new(&self.layout, path, &self.budget);
                group.inner.push((path.into(), generation, folders));
            }
            return;
        }
        if let Some(group) = self.groups.get_mut(path) {
            group.seen = generation;
            return;
        }
        let (kind, pod_uid, container_id) = match place {
            Place::Root => (GroupKind::Root, None, None),
            Place::Slice | Place::Ignored | Place::Inner { .. } => (GroupKind::Slice, None, None),
            Place::Pods(_) => (GroupKind::Pods, None, None),
            Place::Pod(uid) => (GroupKind::Pod, Some(uid.canonical()), None),
            Place::Service(_) => (GroupKind::Service, None, None),
            Place::Container(container) => {
                let kind = if container.sandbox { GroupKind::Sandbox } else { GroupKind::Container };
                (kind, container.pod.map(|uid| uid.canonical()), Some(container.id))
            }
        };
        let created = self.created(path, kind, reader);
        let name = container_id.map_or("", |id| id.0).to_owned();
        let labels = Labels { id: path.to_owned(), name, ..Labels::default() };
        let group = Group {
            path: path.into(),
            kind,
            labels,
            created,
            cadvisor: None,
            own: None,
            holds: false,
            is_rest: false,
            counted: Counted::default(),
            known: Read::default(),
            workload: None,
            workload_as_of: 0,
            pod_uid,
            container_id: container_id.map(|id| id.boxed()),
            silent: 0,
            record: None,
            named: container_id.is_none() && kind != GroupKind::Pod,
            seen: generation,
            folders: Folders::new(&self.layout, path, &self.budget),
            inner: Vec::new(),
            limits: Limits::default(),
            members: Members::default(),
        };
        let is_workload = group.is_workload();
        self.groups.insert(path.into(), group);
        if is_workload {
            self.note_holders(path);
        }
        self.age_parents(path, created);
    }

    /// When the cgroup was made, and no earlier than the boot: the oldest time that its folders bear, unless a process
    /// in it is clearly older. The kernel forgets the times of folders together with their inodes, and gives them the
    /// time at which they are looked at next. For containers and services the start of their oldest process stays; other
    /// cgroups may be entered by processes that are much older. The machine's own folders were mounted after the boot.
    fn created(&self, path: &str, kind: GroupKind, reader: &mut Reader) -> f64 {
        let name = if path == "/" { "." } else { path };
        let times = self.walked.iter().filter_map(|(_, root)| reader.stat(root, name));
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        let oldest = times.map(|stat| stat.st_mtime as f64 + stat.st_mtime_nsec as f64 / 1e9).fold(f64::MAX, f64::min);
        if oldest == f64::MAX || kind == GroupKind::Root {
            return self.boot;
        }
        let of_process = match kind {
            GroupKind::Container | GroupKind::Sandbox | GroupKind::Service => self.oldest_process(path, reader),
            _ => None,
        };
        let oldest = of_process.filter(|start| start + CLEARLY_OLDER < oldest).unwrap_or(oldest);
        oldest.max(self.boot)
    }

    /// When the oldest process of a cgroup started, in seconds since the Unix epoch.
    fn oldest_process(&self, path: &str, reader: &mut Reader) -> Option<f64> {
        (self.boot > 0.0).then_some(())?;
        let file = self.walked.iter().find_map(|(_, root)| {
            let file = reader.read(root, &format!("{path}/cgroup.procs")).ok().flatten()?;
            (!file.is_empty()).then(|| file.to_vec())
        })?;
        let pids = text::lines(&file).filter_map(text::number).take(MOST_PROCESSES);
        let starts = pids.filter_map(|pid| started(reader.read(&self.host.proc, &format!("{pid}/stat")).ok()??));
        starts.min().map(|ticks| self.boot + ticks as f64 / TICKS_A_SECOND)
    }

    /// A cgroup is no younger than those in it.
    fn age_parents(&mut self, path: &str, created: f64) {
        let mut path = path;
        while path != "/" {
            path = path::parent(path);
            match self.groups.get_mut(path) {
                Some(group) if group.created > created + CLEARLY_OLDER => group.created = created,
                Some(_) => return,
                None => {}
            }
        }
    }

    fn removed(&mut self, path: &str, reader: &mut Reader) {
        if let Place::Inner { container } = path::place(path) {
            if let Some(group) = self.groups.get_mut(container) {
                group.inner.retain(|(known, ..)| **known != *path);
            }
        } else {
            self.groups.remove(path);
            // Nobody tells of those below it that were found in a folder of the same name, made and removed before it
            // was watched. They went first: only empty cgroups can be removed.
            let below = format!("{path}/");
            let after = self.groups.range(Box::from(below.as_str())..).map(|(path, _)| path.clone());
            let gone: Vec<_> = after.take_while(|path| path.starts_with(&below)).collect();
            for path in gone {
                self.groups.remove(&path);
            }
        }
        // It may be there again already, or still be in another hierarchy.
        for index in 0..self.walked.len() {
            let there = self.walked.get(index).is_some_and(|(_, root)| reader.exists(root, path));
            if there {
                self.visit(index, path, reader);
            }
        }
    }

    /// Asks the bundles of containers that have no name yet. A young container is asked in each scrape, since its bundle
    /// may be unreadable for a moment; one that keeps silent only after each walk.
    fn name_the_unnamed(&mut self, reader: &mut Reader, walked: bool, is_asked: impl Fn(&Group) -> bool) {
        let Self { host, layout, places, groups, pods, sandbox_image, .. } = self;
        for group in groups.values_mut().filter(|group| is_asked(group)) {
            if group.named {
                group.follow_record(host, reader);
                continue;
            }
            let Some(id) = group.container_id.clone() else { continue };
            if group.silent >= BUNDLE_SCRAPES && !walked {
                continue;
            }
            group.silent = group.silent.saturating_add(1);
            let found = places.find(host, reader, id.borrowed(), |reader| {
                let members = group.members(layout, reader).ok();
                members.and_then(|(pids, _)| pids.first().copied())
            });
            // The processes are asked for anew when the scrape comes to them.
            group.members.forget();
            let Some(Found { mut named, record }) = found else { continue };
            group.named = true;
            group.record = record;
            if named.sandbox {
                group.kind = GroupKind::Sandbox;
                if named.image.is_empty() {
                    let look = || pause::image(host, reader).unwrap_or_default();
                    named.image.clone_from(sandbox_image.get_or_insert_with(look));
                }
            }
            if let Some(uid) = &group.pod_uid
                && !named.pod.is_empty()
            {
                let name = PodName { namespace: named.namespace.clone(), name: named.pod.clone() };
                pods.insert(uid.clone(), name);
            }
            group.take_names(named);
        }
        for group in self.groups.values_mut().filter(|group| !group.named && is_asked(group)) {
            if let Some(uid) = &group.pod_uid
                && let Some(known) = self.pods.get(uid)
            {
                group.labels.namespace.clone_from(&known.namespace);
                group.labels.pod.clone_from(&known.name);
                group.named = group.kind == GroupKind::Pod;
            } else if let Some(uid) = &group.pod_uid {
                let Group { labels, container_id, .. } = group;
                let id = container_id.as_ref().map(ContainerId::borrowed);
                let found = self.known.with_pod(uid.borrowed(), |pod| names_from(pod, id, labels));
                group.named = found.is_some_and(|found| found || group.container_id.is_none());
            }
        }
    }

    /// Says, once, that containers stay without names, and what can be done.
    fn say_what_lacks_a_name(&mut self) {
        if self.said || self.figures.unnamed == 0 {
            return;
        }
        if let Some(group) = self.groups.values().find(|group| group.lacks_name()) {
            self.said = true;
            tracing::warn!(
                cgroup = &*group.path,
                containers = self.figures.unnamed,
                "no OCI bundle or Docker record of containers was found below path.rootfs, so their names and images stay \
                 empty; name the folder of the runtime that holds them with --path.bundles"
            );
        }
    }

    /// Looks up what containers belong to, where that is not known or may have changed.
    fn find_workloads(&mut self) {
        let changes = self.known.changes();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        for group in self.groups.values_mut().filter(|group| group.has_own_row()) {
            if group.workload.is_some() && group.workload_as_of == changes {
                continue;
            }
            group.workload_as_of = changes;
            let Some(uid) = &group.pod_uid else {
                group.workload = Some(WorkloadRef {
                    namespace: "".into(),
                    name: path::parent(&group.path).into(),
                    kind: pods::CGROUP,
                });
                continue;
            };
            let Labels { namespace, pod, .. } = &group.labels;
            let named = (!pod.is_empty()).then_some(PodName { namespace: namespace.as_str(), name: pod.as_str() });
            let ask = Ask { uid: uid.borrowed(), named, age: now - group.created, gone: false };
            group.workload = self.known.workload_of(ask).or_else(|| group.workload.take());
        }
    }
}

/// Names a container or a pod after what Kubernetes says. True if it was told which container this is; a sandbox is
/// never told of, nor is a container that has only just begun.
fn names_from(pod: &pods::Pod, id: Option<ContainerId<&str>>, labels: &mut Labels) -> bool {
    (*pod.namespace).clone_into(&mut labels.namespace);
    (*pod.name).clone_into(&mut labels.pod);
    let Some(container) = id.and_then(|id| pod.container(id)) else { return false };
    (*container.name).clone_into(&mut labels.container);
    (*container.image).clone_into(&mut labels.image);
    true
}

/// When a process started, in ticks since the boot: the 22nd field of its `stat`. The command in brackets may hold
/// anything.
fn started(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    text::words(stat.get(end + 1..)?).nth(19).and_then(text::number)
}

/// `btime` of `/proc/stat`.
fn boot_time(host: &Host) -> Option<f64> {
    let mut reader = Reader::default();
    let stat = reader.read(&host.proc, "stat").ok()??;
    let (_, seconds) = kernfs::text::pairs(stat).find(|(key, _)| *key == b"btime")?;
    Some(seconds as f64)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn unread_tree_of(root: &std::path::Path, folders: &[&str]) -> (Tree, Reader) {
        for name in ["proc/1", "sys", "rootfs"].iter().chain(folders) {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(root.join("cgroup/cgroup.controllers"), "cpu memory\n").unwrap();
        let host = Arc::new(Host::below(root).unwrap());
        let mut reader = Reader::default();
        let layout = Arc::new(Layout::find(&host, &mut reader).unwrap());
        (Tree::new(host, layout, Budget::new(100)).unwrap(), reader)
    }

    #[test]
    fn a_containers_start_is_that_of_its_oldest_process_when_its_folder_has_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let id = "4b1f0c9e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c";
        let container = format!("cgroup/docker/{id}");
        let folders = [&container, "cgroup/shell", "cgroup/empty.service", "proc/7", "proc/8"];
        // Its folders look as if they were made now, and the machine booted long ago.
        let write = |path: &str, text: &str| fs::write(root.path().join(path), text).unwrap();
        for folder in folders.iter().chain(&["proc"]) {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        write("proc/stat", "cpu 1\nbtime 1700000000\n");
        let stat = |pid, ticks| format!("{pid} (a ) S 9) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {ticks} 0 0\n");
        write("proc/7/stat", &stat(7, 200_000));
        write("proc/8/stat", &stat(8, 150_000));
        write(&format!("{container}/cgroup.procs"), "7\n8\n9\n");
        write("cgroup/shell/cgroup.procs", "8\n");
        let (mut tree, mut reader) = unread_tree_of(root.path(), &folders);
        tree.refresh(&mut reader, Instant::now());
        let mut created: BTreeMap<_, _> = tree.groups().map(|g| (g.path.to_string(), g.created)).collect();
        let recent = 1.75e9;
        assert_eq!(created.remove(&format!("/docker/{id}")), Some(1_700_001_500.0));
        assert_eq!(created.remove("/docker"), Some(1_700_001_500.0), "it is no younger than what is in it");
        assert_eq!(created.remove("/"), Some(1_700_000_000.0));
        assert!(created.into_values().all(|created| created > recent), "others may be entered by older processes");
    }

    #[test]
    fn with_a_folder_go_those_below_it_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        for name in ["proc/1", "sys", "rootfs", "cgroup/shop/a/b", "cgroup/shop.slice", "cgroup/shop-2/a"] {
            fs::create_dir_all(root.path().join(name)).unwrap();
        }
        fs::write(root.path().join("cgroup/cgroup.controllers"), "cpu memory\n").unwrap();
        let host = Arc::new(Host::below(root.path()).unwrap());
        let mut reader = Reader::default();
        let layout = Arc::new(Layout::find(&host, &mut reader).unwrap());
        let mut tree = Tree::new(Arc::clone(&host), layout, Budget::new(100)).unwrap();
        tree.refresh(&mut reader, Instant::now());
        let paths = |tree: &mut Tree| tree.groups().map(|group| group.path.to_string()).collect::<Vec<_>>();
        assert_eq!(paths(&mut tree), ["/", "/shop", "/shop-2", "/shop-2/a", "/shop.slice", "/shop/a", "/shop/a/b"]);
        // As if only the last of the three removals had been watched.
        fs::remove_dir_all(root.path().join("cgroup/shop")).unwrap();
        tree.removed("/shop", &mut reader);
        assert_eq!(paths(&mut tree), ["/", "/shop-2", "/shop-2/a", "/shop.slice"]);
    }

    /// A tree of cgroups below folders of these names, with rows in our view.
    fn tree_of(root: &std::path::Path, folders: &[&str]) -> (Tree, Reader) {
        for name in ["proc/1", "sys", "rootfs"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        for name in folders {
            fs::create_dir_all(root.join("cgroup").join(name)).unwrap();
        }
        fs::write(root.join("cgroup/cgroup.controllers"), "cpu memory\n").unwrap();
        let host = Arc::new(Host::below(root).unwrap());
        let mut reader = Reader::default();
        let layout = Arc::new(Layout::find(&host, &mut reader).unwrap());
        let mut tree = Tree::new(Arc::clone(&host), layout, Budget::new(100)).unwrap();
        tree.refresh(&mut reader, Instant::now());
        (tree, reader)
    }

    fn own_rows(tree: &mut Tree) -> Vec<String> {
        tree.as_containers(&mut Batch::default());
        tree.groups().filter(|group| group.own.is_some()).map(|group| group.path.to_string()).collect()
    }

    fn cadvisor_rows(tree: &mut Tree) -> Vec<String> {
        tree.as_cadvisor(&mut Batch::default());
        tree.groups().filter(|group| group.cadvisor.is_some()).map(|group| group.path.to_string()).collect()
    }

    #[test]
    fn no_row_of_our_view_is_inside_another() {
        let root = tempfile::tempdir().unwrap();
        let id = "0".repeat(64);
        let libpod = format!("system.slice/haproxy.service/libpod-payload-{id}/inner");
        let (mut tree, mut reader) = tree_of(
            root.path(),
            &[
                &libpod,
                "system.slice/haproxy.service/runtime/deep",
                "system.slice/cron.service",
                "machine.slice/machine-a.scope/payload/system.slice/nginx.service",
                "machine.slice/machine-a.scope/payload/idle.slice",
                "machine.slice/machine-a.scope/supervisor",
                "user.slice/user-1.slice/user@1.service/app.slice/player.service",
                "user.slice/user-1.slice/user@1.service/init.scope",
            ],
        );
        let expected = [
            "/machine.slice/machine-a.scope/payload/idle.slice".to_owned(),
            "/machine.slice/machine-a.scope/payload/system.slice/nginx.service".to_owned(),
            "/machine.slice/machine-a.scope/supervisor".to_owned(),
            "/system.slice/cron.service".to_owned(),
            format!("/system.slice/haproxy.service/libpod-payload-{id}"),
            "/system.slice/haproxy.service/runtime".to_owned(),
            "/user.slice/user-1.slice/user@1.service/app.slice/player.service".to_owned(),
            "/user.slice/user-1.slice/user@1.service/init.scope".to_owned(),
        ];
        assert_eq!(own_rows(&mut tree), expected);
        // What was in a container that has gone is in the service's counters for ever: it gets no row again.
        fs::remove_dir_all(root.path().join(format!("cgroup/system.slice/haproxy.service/libpod-payload-{id}")))
            .unwrap();
        tree.removed(&format!("/system.slice/haproxy.service/libpod-payload-{id}"), &mut reader);
        tree.refresh(&mut reader, Instant::now());
        let rows = own_rows(&mut tree);
        assert!(!rows.contains(&"/system.slice/haproxy.service".to_owned()), "{rows:?}");
        assert!(rows.contains(&"/system.slice/haproxy.service/runtime".to_owned()), "{rows:?}");
    }

    #[test]
    fn where_a_kubelet_is_the_cadvisor_view_has_what_a_kubelet_has() {
        let root = tempfile::tempdir().unwrap();
        let uid = "0f3b1a2c_9d8e_4f7a_b6c5_112233445566";
        let pod = format!("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice");
        let id = "1".repeat(64);
        let container = format!("{pod}/cri-containerd-{id}.scope");
        let docker = format!("system.slice/docker-{id}.scope");
        let folders =
            [container.as_str(), "system.slice/kubelet.service/x", "system.slice/cron.service", &docker, "user.slice"];
        let (tree, _) = tree_of(root.path(), &folders);
        let with = |rows, tree: Tree| {
            let mut tree = tree.with_rows(rows);
            (cadvisor_rows(&mut tree), tree)
        };
        let (all, tree) = with(CgroupRows::All, tree);
        assert!(all.contains(&"/user.slice".to_owned()) && all.len() == 11, "{all:?}");
        let (auto, tree) = with(CgroupRows::Auto, tree);
        let shown = [
            "/".to_owned(),
            "/kubepods.slice".to_owned(),
            "/kubepods.slice/kubepods-burstable.slice".to_owned(),
            format!("/{pod}"),
            format!("/{container}"),
            "/system.slice/kubelet.service".to_owned(),
            "/system.slice/kubelet.service/x".to_owned(),
        ];
        assert_eq!(auto, shown);
        let (kubelet, tree) = with(CgroupRows::Kubelet, tree);
        assert_eq!(kubelet, shown);
        let (containers, _) = with(CgroupRows::Containers, tree);
        assert_eq!(containers, ["/".to_owned(), format!("/{container}"), format!("/{docker}")]);

        // A machine whose only kubelet is in a container, as kind's are, shows all.
        let desktop = tempfile::tempdir().unwrap();
        let inside = format!("docker/{id}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{uid}.slice");
        let (tree, _) = tree_of(desktop.path(), &[inside.as_str(), "system.slice/cron.service"]);
        let (auto, _) = with(CgroupRows::Auto, tree);
        assert!(auto.contains(&"/system.slice/cron.service".to_owned()), "{auto:?}");
    }
}
