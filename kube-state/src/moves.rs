//! Notifies one task of changes, and tells others whether it has handled them all.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use tokio::sync::Notify;

/// See the module.
#[derive(Debug, Default)]
pub struct Moves {
    noted: AtomicU64,
    applied: AtomicU64,
    notify: Notify,
}

impl Moves {
    /// Something has moved.
    pub fn note(&self) {
        self.noted.fetch_add(1, SeqCst);
        self.notify.notify_one();
    }

    /// Waits until something has moved that was not acted on, and acts.
    pub async fn next(&self, act: impl FnOnce()) {
        self.notify.notified().await;
        let noted = self.noted.load(SeqCst);
        act();
        self.applied.fetch_max(noted, SeqCst);
    }

    /// Whether all that has moved was acted on.
    pub fn is_settled(&self) -> bool {
        self.noted.load(SeqCst) == self.applied.load(SeqCst)
    }
}
