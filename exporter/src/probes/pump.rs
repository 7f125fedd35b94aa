//! A thread that waits for records of a ring buffer, owned by the slice that started it and joined when that goes.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::object::Ring;

/// What the pump has for its owner's function.
#[derive(Debug)]
pub enum Turn<'a> {
    /// A record.
    Record(&'a [u8]),
    /// All records that were there have been given; or time passed without any.
    Idle,
}

/// When the pump is to turn next. What is said after a record is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// After a period at the latest: something is unfinished.
    Period,
    /// When there is a record. A machine where nothing happens is left asleep.
    Record,
}

impl Next {
    /// After a period, if something is unfinished.
    pub fn soon_if(unfinished: bool) -> Self {
        if unfinished { Self::Period } else { Self::Record }
    }
}

/// How long the pump waits at the most.
const LONGEST: Duration = Duration::from_secs(30);

/// A running pump. Dropping it ends the thread and waits for it.
#[derive(Debug)]
pub struct Pump {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Pump {
    /// Starts a thread that calls `each` with every record, and with [`Turn::Idle`] after them and, for as long as it asks
    /// for that, every `period`.
    pub fn start(
        name: &str,
        mut ring: Ring,
        period: Duration,
        mut each: impl FnMut(Turn<'_>) -> Next + Send + 'static,
    ) -> io::Result<Self> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        let stopped = stop.try_clone()?;
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            crate::privilege::settle();
            let mut patience = period;
            loop {
                match wait(&ring, &stopped, patience) {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::error!(%error, "cannot wait for events of the kernel");
                        return;
                    }
                }
                ring.drain(|record| {
                    each(Turn::Record(record));
                });
                patience = match each(Turn::Idle) {
                    Next::Period => period,
                    Next::Record => LONGEST,
                };
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

/// Waits for records, at most `period`; `true` when the pump shall end.
fn wait(ring: &Ring, stopped: &OwnedFd, period: Duration) -> io::Result<bool> {
    let until = Instant::now() + period;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(ring, PollFlags::IN), PollFd::from_borrowed_fd(stopped.as_fd(), PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) => {
                let [_, stop] = fds;
                return Ok(!stop.revents().is_empty());
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that reads events of the kernel panicked");
        }
    }
}
