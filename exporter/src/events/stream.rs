//! Stream of TCP connections that ended or failed to open. A subscriber has a bounded queue; records that do not fit
//! are dropped and counted. A producer never waits for a subscriber.
//!
//! Nobody who sends waits for one who follows: a follower has room for so many records, and what finds none is counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
    mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};

use parking_lot::Mutex;

/// Records on their way to followers, each with a queue of its own.
#[derive(Debug)]
pub struct Stream<T> {
    followers: Mutex<Vec<SyncSender<Arc<T>>>>,
    lost: AtomicU64,
}

impl<T> Default for Stream<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Stream<T> {
    /// Without followers.
    pub const fn new() -> Self {
        Self { followers: Mutex::new(Vec::new()), lost: AtomicU64::new(0) }
    }

    /// Follows until the result is dropped, with room for so many records.
    pub fn follow(&self, room: usize) -> Receiver<Arc<T>> {
        let (sender, receiver) = sync_channel(room);
        self.followers.lock().push(sender);
        receiver
    }

    /// Tells all who follow.
    pub fn tell(&self, record: T) {
        let record = Arc::new(record);
        self.followers.lock().retain(|follower| match follower.try_send(Arc::clone(&record)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.lost.fetch_add(1, Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
    }

    /// Whether somebody follows, as far as is known: one who has gone is noticed when the next record is told.
    pub fn is_followed(&self) -> bool {
        !self.followers.lock().is_empty()
    }

    /// Records dropped because a follower's queue was full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_slow_loses_records_and_delays_nobody() {
        let stream = Stream::new();
        let (slow, quick) = (stream.follow(2), stream.follow(10));
        for record in 0..5 {
            stream.tell(record);
        }
        assert_eq!(quick.try_iter().map(|record| *record).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(slow.try_iter().map(|record| *record).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(stream.lost(), 3);
        drop(slow);
        stream.tell(5);
        assert_eq!((stream.lost(), *quick.recv().unwrap()), (3, 5));
    }
}
