//! All open connections, and which one is closed when the limit is reached.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;

use crate::{connection::Activity, process};

/// The connections that are open.
pub(crate) struct Connections {
    limit: usize,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
}

impl Connections {
    /// At most `limit`, and at most half of the file descriptors: the other half is for the work.
    pub(crate) fn new(limit: usize) -> Self {
        let fds = process::max_fds().and_then(|fds| usize::try_from(fds / 2).ok()).unwrap_or(usize::MAX);
        Self { limit: limit.min(fds).max(1), next: AtomicU64::new(0), open: Mutex::default() }
    }

    /// A place for one more, made by closing the one that is idle for longest. `None` when all are at work.
    pub(crate) fn admit(&self) -> Option<(u64, Arc<Activity>)> {
        let mut open = self.open.lock();
        if open.len() >= self.limit {
            let idle = open.iter().filter_map(|(id, activity)| Some((activity.idle_since()?, *id))).min();
            let (_, id) = idle?;
            open.remove(&id)?.crowded_out.cancel();
        }
        let (id, activity) = (self.next.fetch_add(1, Relaxed), Arc::new(Activity::new()));
        open.insert(id, Arc::clone(&activity));
        Some((id, activity))
    }

    /// Closes the connection that is idle for longest, if there is one.
    pub(crate) fn shed(&self) {
        let mut open = self.open.lock();
        let idle = open.iter().filter_map(|(id, activity)| Some((activity.idle_since()?, *id))).min();
        if let Some(activity) = idle.and_then(|(_, id)| open.remove(&id)) {
            activity.crowded_out.cancel();
        }
    }

    pub(crate) fn gone(&self, id: u64) {
        self.open.lock().remove(&id);
    }

    pub(crate) fn crowd_out_all(&self) -> usize {
        let open = self.open.lock();
        open.values().for_each(|activity| activity.crowded_out.cancel());
        open.len()
    }
}
