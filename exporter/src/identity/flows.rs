//! Connections that ended or did not come about, one by one, for those who follow them.
//!
//! The probe that sees them tells, whoever wants them follows. Nobody who tells waits for one who follows: a follower
//! has room for so many records, and what finds none is counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
    mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};

use parking_lot::Mutex;
use serde::Serialize;

/// One end of a connection, when it was over.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Flow {
    /// When it was over, in seconds since the Unix epoch.
    pub time: f64,
    /// One of so many connections is told of.
    pub sampled: u32,
    /// `outbound` if our side asked for it, else `inbound`.
    pub direction: &'static str,
    /// Whether it came about.
    pub opened: bool,
    /// How it ended, or why it did not come about.
    pub outcome: &'static str,
    /// Namespace of the container; empty outside Kubernetes.
    pub namespace: String,
    /// Its pod.
    pub pod: String,
    /// Its name, or what its cgroup is called.
    pub container: String,
    /// Kind of its workload.
    pub workload_kind: &'static str,
    /// Its workload.
    pub workload: String,
    /// Number of its cgroup.
    pub cgroup: u64,
    /// The process that connected or listens, as the machine numbers it; 0: not known.
    pub process: u32,
    /// Its name, at most 15 bytes.
    pub command: String,
    /// Our side's address.
    pub own_address: String,
    /// Our side's port.
    pub own_port: u16,
    /// The other side's address.
    pub peer_address: String,
    /// The other side's port.
    pub peer_port: u16,
    /// What the container was told that the other side is called; empty: nothing.
    pub peer_name: String,
    /// Bytes sent, each once.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Packets sent again.
    pub retransmits: u64,
    /// From when it was asked for until it was there; missing where that was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_seconds: Option<f64>,
    /// From when it was asked for until it was over; missing where the beginning was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Smoothed round-trip time at the end; missing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_seconds: Option<f64>,
}

/// Records on their way to followers.
#[derive(Debug)]
pub struct Stream<T> {
    followers: Mutex<Vec<SyncSender<Arc<T>>>>,
    lost: AtomicU64,
}

/// Those of this machine.
pub static FLOWS: Stream<Flow> = Stream::new();

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

    /// Records that found no room at a follower.
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
