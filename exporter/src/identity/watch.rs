//! inotify events of cgroup folders. They wait in the kernel until a scrape reads them.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};
use kernfs::text;

/// A change of the hierarchies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A cgroup was made in this hierarchy.
    Made {
        /// Index among the walked hierarchies.
        hierarchy: usize,
        /// Path of the cgroup.
        path: String,
    },
    /// A cgroup was removed from one hierarchy.
    Removed {
        /// Path of the cgroup.
        path: String,
    },
}

/// A set of watched folders.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Inotify,
    folders: HashMap<WatchDescriptor, (usize, String)>,
    buffer: Vec<u8>,
}

impl Watch {
    /// Watches nothing yet; `None` when the kernel gives no inotify instance.
    pub(super) fn new() -> Option<Self> {
        match Inotify::init() {
            Ok(inotify) => Some(Self { inotify, folders: HashMap::new(), buffer: vec![0; 64 << 10] }),
            Err(error) => {
                tracing::warn!(%error, "cannot use inotify for cgroups: each scrape walks all cgroups");
                None
            }
        }
    }

    /// Watches one folder. A folder that is gone already is no error.
    pub(super) fn add(&mut self, hierarchy: usize, path: &str, folder: &Path) -> io::Result<()> {
        let mask = WatchMask::CREATE | WatchMask::DELETE | WatchMask::ONLYDIR;
        match self.inotify.watches().add(folder, mask) {
            Ok(descriptor) => {
                self.folders.insert(descriptor, (hierarchy, path.to_owned()));
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Changes since the last call, in order; `None` if events were lost.
    pub(super) fn changes(&mut self) -> Option<Vec<Change>> {
        let mut changes = Vec::new();
        loop {
            let events = match self.inotify.read_events(&mut self.buffer) {
                Ok(events) => events,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(changes),
                Err(_) => return None,
            };
            let mut any = false;
            let mut gone = HashSet::new();
            for event in events {
                any = true;
                if event.mask.contains(EventMask::Q_OVERFLOW) {
                    self.drain();
                    return None;
                }
                if event.mask.contains(EventMask::IGNORED) {
                    self.folders.remove(&event.wd);
                    continue;
                }
                let Some((hierarchy, folder)) = self.folders.get(&event.wd) else { continue };
                let Some(name) = event.name.filter(|_| event.mask.contains(EventMask::ISDIR)) else { continue };
                let path = format!("{}/{}", folder.trim_end_matches('/'), text::text(name.as_bytes()));
                if event.mask.contains(EventMask::CREATE) {
                    changes.push(Change::Made { hierarchy: *hierarchy, path });
                } else if event.mask.contains(EventMask::DELETE) {
                    gone.insert((*hierarchy, path.clone()));
                    changes.push(Change::Removed { path });
                }
            }
            self.forget(&gone);
            if !any {
                return Some(changes);
            }
        }
    }

    /// Takes watches off folders that were removed. The kernel does not: a watched folder of a cgroup that is gone stays in
    /// its memory, and counts against `fs.inotify.max_user_watches`.
    fn forget(&mut self, gone: &HashSet<(usize, String)>) {
        if gone.is_empty() {
            return;
        }
        let mut watches = self.inotify.watches();
        self.folders.retain(|descriptor, folder| {
            let is_gone = gone.contains(folder);
            if is_gone {
                // It may have gone by itself after all.
                let _ = watches.remove(descriptor.clone());
            }
            !is_gone
        });
    }

    /// Throws waiting events away: a walk follows.
    fn drain(&mut self) {
        while let Ok(events) = self.inotify.read_events(&mut self.buffer) {
            if events.count() == 0 {
                return;
            }
        }
    }
}
