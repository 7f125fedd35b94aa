//! Starts and ends the thread that learns pods, as the configuration says.

use std::time::Instant;

use super::{Asking, Health, Pods, asked, book::Book, sources, watch};
use crate::config;

impl Pods {
    /// Asks for what the configuration says from now on. What is known stays, unless it is asked for in other ways.
    pub fn set_up(&self, config: &config::Kubernetes) {
        let (sources, asked) = match (sources(config), asked(config)) {
            (Ok(sources), asked) => (sources, asked),
            (Err(reason), _) => {
                *self.0.asking.lock() = None;
                *self.0.health.lock() = Health { off: Some(reason), ..Health::default() };
                return;
            }
        };
        let mut asking = self.0.asking.lock();
        let same =
            asking.as_ref().is_some_and(|(_, before)| *before == sources) && *self.0.book.lock().asked() == asked;
        if same {
            return;
        }
        *asking = None;
        *self.0.book.lock() = Book::new(&sources.node, asked);
        *self.0.health.lock() = Health::default();
        *self.0.started.lock() = Instant::now();
        match watch::start(self.clone(), sources.clone()) {
            Ok(stop) => *asking = Some((Asking { _stop: stop }, sources)),
            Err(error) => self.0.health.lock().off = Some(format!("cannot start a thread: {error}")),
        }
    }
}
