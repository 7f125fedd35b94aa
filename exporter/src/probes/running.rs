//! State that survives a reload: collectors are rebuilt and reuse it.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::spec::Unavailable;

/// A feature that is at work, as long as a collector holds it.
#[derive(Debug)]
pub struct Running<T>(Mutex<Weak<T>>);

impl<T> Running<T> {
    /// None yet.
    pub const fn none() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// The one that is at work; else one that is started now. Its programs are never loaded twice, and its counters
    /// do not begin anew.
    pub fn or_start(&self, start: impl FnOnce() -> Result<Arc<T>, Unavailable>) -> Result<Arc<T>, Unavailable> {
        let mut running = self.0.lock();
        if let Some(running) = running.upgrade() {
            return Ok(running);
        }
        let started = start()?;
        *running = Arc::downgrade(&started);
        Ok(started)
    }

    /// The one that is at work.
    pub fn get(&self) -> Option<Arc<T>> {
        self.0.lock().upgrade()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_started_once_and_again_when_it_has_ended() {
        let running = Running::none();
        let first = running.or_start(|| Ok(Arc::new(1))).unwrap();
        assert_eq!(*running.or_start(|| Ok(Arc::new(2))).unwrap(), 1);
        drop(first);
        assert_eq!(running.or_start(|| Err(Unavailable("no".into()))), Err(Unavailable("no".into())));
        assert!(running.get().is_none());
        let _third = running.or_start(|| Ok(Arc::new(3))).unwrap();
        assert_eq!(running.get().as_deref(), Some(&3));
    }
}
