//! A thread that waits for records of a ring buffer; owned and joined by the slice that started it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
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

/// Has a pump turn at once, from any thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Has it turn.
    pub fn wake(&self) {
        // A counter that is full wakes as well.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// A running pump. Dropping it ends the thread and waits for it.
#[derive(Debug)]
pub struct Pump {
    waker: Waker,
    is_ending: Arc<AtomicBool>,
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
        let waker = Waker(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
        let is_ending = Arc::new(AtomicBool::new(false));
        let (woken, shall_end) = (waker.clone(), Arc::clone(&is_ending));
        let called = name.to_owned();
        let thread = daemon::task::thread(name, move || {
            crate::privilege::settle();
            let mut longest = period;
            loop {
                if let Err(error) = wait(&ring, &woken.0, longest) {
                    daemon::task::fail(&format!("thread {called} cannot wait for a ring buffer: {error}"));
                    return;
                }
                if shall_end.load(Relaxed) {
                    return;
                }
                ring.drain(|record| {
                    each(Turn::Record(record));
                });
                longest = match each(Turn::Idle) {
                    Next::Period => period,
                    Next::Record => LONGEST,
                };
            }
        })?;
        Ok(Self { waker, is_ending, thread: Some(thread) })
    }

    /// What has it turn.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

/// Waits for records, or until it is woken, at most so long.
fn wait(ring: &Ring, woken: &OwnedFd, longest: Duration) -> io::Result<()> {
    let until = Instant::now() + longest;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(ring, PollFlags::IN), PollFd::from_borrowed_fd(woken.as_fd(), PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) => {
                // Back to zero; it is empty when it was not this that ended the wait.
                let _ = rustix::io::read(woken, &mut [0_u8; 8]);
                return Ok(());
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.is_ending.store(true, Relaxed);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
