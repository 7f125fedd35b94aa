//! A cgroup's folders, one in each hierarchy, with their kept files.

use std::{os::unix::fs::MetadataExt as _, sync::Arc};

use kernfs::{Budget, Kept, ReadError, Reader, text};

use super::layout::{Controller, Layout};
use crate::ids::CgroupId;

/// A cgroup's folders, one per hierarchy.
#[derive(Debug)]
pub(super) struct Folders {
    kept: Vec<Kept>,
    ids: Vec<Option<CgroupId>>,
}

impl Folders {
    /// Those of the cgroup at this path.
    pub(super) fn new(layout: &Layout, path: &str, budget: &Arc<Budget>) -> Self {
        let below = path.trim_start_matches('/');
        let kept: Vec<_> =
            layout.roots().map(|root| Kept::new(root.join(text::path(below)), Arc::clone(budget))).collect();
        Self { ids: vec![None; kept.len()], kept }
    }

    /// That of a controller's hierarchy; `None` when the controller is not mounted.
    pub(super) fn at(&mut self, layout: &Layout, controller: Controller) -> Option<&mut Kept> {
        self.kept.get_mut(layout.home(controller)?)
    }

    /// Id of the cgroup in a controller's hierarchy: the inode of its folder.
    pub(super) fn id(&mut self, layout: &Layout, controller: Controller) -> Option<CgroupId> {
        let home = layout.home(controller)?;
        let id = self.ids.get_mut(home)?;
        if id.is_none() {
            *id = std::fs::metadata(self.kept.get(home)?.path()).ok().map(|folder| CgroupId(folder.ino()));
        }
        *id
    }

    /// Reads a file of the cgroup. `None` when it is gone or the controller is not mounted.
    pub(super) fn read<'r>(
        &mut self,
        layout: &Layout,
        controller: Controller,
        name: &'static str,
        reader: &'r mut Reader,
    ) -> Result<Option<&'r [u8]>, ReadError> {
        match self.at(layout, controller) {
            Some(folder) => folder.read(name, reader),
            None => Ok(None),
        }
    }

    /// Opens a file anew at its next read, see [`Kept::reopen`].
    pub(super) fn reopen(&mut self, name: &str) {
        self.kept.iter_mut().for_each(|folder| folder.reopen(name));
    }

    /// Looks again for files that were not there.
    pub(super) fn forget_absent(&mut self) {
        self.kept.iter_mut().for_each(Kept::forget_absent);
    }
}
