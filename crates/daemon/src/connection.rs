//! One connection: its state, and the deadline of each state.
//!
//! Times are kept as atomics because parts of one connection (HTTP/2 streams, a body in flight) live in tasks of their
//! own. A clock tick is a millisecond since the process began to serve.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::{limits::Limits, telemetry::Closing};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Bytes and time that are read and thrown away after an answer to a request that was not read to its end, so
/// that the client sees the answer instead of a reset.
const LINGER_BYTES: usize = 4 << 20;
const LINGER: Duration = Duration::from_secs(2);

/// When an answer without an end is due.
const A_LONG_TIME: Duration = Duration::from_hours(24 * 365);

/// Now, in ticks; never 0, which stands for "not".
fn now() -> u64 {
    ticks(Instant::now())
}

fn ticks(at: Instant) -> u64 {
    1 + u64::try_from(at.saturating_duration_since(*START).as_millis()).unwrap_or(u64::MAX / 2)
}

/// The progress of a connection.
#[derive(Debug)]
pub(crate) struct Activity {
    opened: u64,
    http2: AtomicBool,
    requests: AtomicUsize,
    in_flight: AtomicUsize,
    /// Since when there is nothing to do.
    idle_since: AtomicU64,
    /// When the first byte of the next request came.
    head_since: AtomicU64,
    /// Since when the client takes nothing.
    blocked_since: AtomicU64,
    /// When all answers in flight must be done.
    answer_due: AtomicU64,
    /// Closes the connection for a newer one.
    pub(crate) crowded_out: CancellationToken,
}

impl Activity {
    pub(crate) fn new() -> Self {
        let opened = now();
        Self {
            opened,
            http2: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            idle_since: AtomicU64::new(opened),
            head_since: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            answer_due: AtomicU64::new(0),
            crowded_out: CancellationToken::new(),
        }
    }

    /// A request's head is read. Its answer must be out at `due`; the answer ends when the result is dropped.
    pub(crate) fn request(self: &Arc<Self>, due: Instant) -> Answering {
        self.requests.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        self.answer_due.fetch_max(ticks(due), Relaxed);
        Answering(Arc::clone(self))
    }

    /// Since when nothing is being answered; `None` while something is.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        (self.in_flight.load(Relaxed) == 0).then(|| self.idle_since.load(Relaxed))
    }

    fn due(&self, limits: &Limits) -> (u64, Closing) {
        let after =
            |since: u64, time: Duration| since.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let head_since = self.head_since.load(Relaxed);
        let due = if self.in_flight.load(Relaxed) > 0 {
            (self.answer_due.load(Relaxed), Closing::Overdue)
        } else if self.http2.load(Relaxed) {
            (after(self.idle_since.load(Relaxed), limits.idle), Closing::Idle)
        } else if head_since > 0 {
            (after(head_since, limits.headers), Closing::SlowHeaders)
        } else if self.requests.load(Relaxed) == 0 {
            (after(self.opened, limits.headers), Closing::SlowHeaders)
        } else {
            (after(self.idle_since.load(Relaxed), limits.idle), Closing::Idle)
        };
        match self.blocked_since.load(Relaxed) {
            0 => due,
            since if after(since, limits.write) < due.0 => (after(since, limits.write), Closing::Stalled),
            _ => due,
        }
    }

    fn bytes_came(&self, first: Option<&[u8]>) {
        if first.is_some_and(|bytes| bytes.starts_with(b"PRI")) {
            self.http2.store(true, Relaxed);
        }
        if self.in_flight.load(Relaxed) == 0 {
            let _ = self.head_since.compare_exchange(0, now(), Relaxed, Relaxed);
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Activity>);

impl Answering {
    /// The answer takes as long as it takes. A client that takes nothing of it is still cut.
    pub(crate) fn takes_its_time(&self) {
        self.0.answer_due.fetch_max(ticks(Instant::now() + A_LONG_TIME), Relaxed);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.idle_since.store(now(), Relaxed);
        if self.0.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.0.answer_due.store(0, Relaxed);
        }
    }
}

/// A connection that can be told to finish what it does: hyper's.
pub(crate) trait Graceful: Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> {
    fn finish_soon(self: Pin<&mut Self>);
}

/// Drives `connection` until it ends, is late, or is told to go. `None` when it ended by itself.
pub(crate) async fn supervise(
    connection: impl Graceful,
    activity: &Activity,
    limits: &Limits,
    stop: &CancellationToken,
) -> Option<Closing> {
    let mut connection = pin!(connection);
    let mut stopped = pin!(stop.cancelled());
    let mut crowded_out = pin!(activity.crowded_out.cancelled());
    let mut alarm = pin!(tokio::time::sleep(limits.headers));
    let mut finishing = false;
    std::future::poll_fn(|cx| {
        if !finishing && stopped.as_mut().poll(cx).is_ready() {
            finishing = true;
            connection.as_mut().finish_soon();
        }
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if crowded_out.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Closing::Crowded));
        }
        loop {
            let (due, why) = activity.due(limits);
            let now = now();
            if due <= now {
                return Poll::Ready(Some(why));
            }
            let at = tokio::time::Instant::now() + Duration::from_millis(due - now);
            if alarm.deadline() > at + Duration::from_millis(2) || alarm.is_elapsed() || at > alarm.deadline() + LINGER
            {
                alarm.as_mut().reset(at);
            }
            ready!(alarm.as_mut().poll(cx));
        }
    })
    .await
}

/// A socket that notes what happens on it.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    socket: S,
    activity: Arc<Activity>,
    first_read: bool,
    linger: Linger,
}

#[derive(Debug)]
enum Linger {
    NotYet,
    Until(Pin<Box<tokio::time::Sleep>>, usize),
    Done,
}

impl<S> Watched<S> {
    pub(crate) fn new(socket: S, activity: Arc<Activity>) -> Self {
        Self { socket, activity, first_read: true, linger: Linger::NotYet }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if let Some(bytes) = buf.filled().get(before..).filter(|bytes| !bytes.is_empty()) {
            let first = std::mem::take(&mut self.first_read);
            self.activity.bytes_came(first.then_some(bytes));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    fn note<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_pending() {
            let _ = self.activity.blocked_since.compare_exchange(0, now(), Relaxed, Relaxed);
        } else {
            self.activity.blocked_since.store(0, Relaxed);
        }
        result
    }

    /// Reads what the client still sends of a request that was refused before its end.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scrap = [0_u8; 4096];
        while let Linger::Until(alarm, left) = &mut self.linger {
            let mut buf = ReadBuf::new(&mut scrap);
            match Pin::new(&mut self.socket).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && *left > buf.filled().len() => {
                    *left -= buf.filled().len();
                }
                Poll::Ready(_) => self.linger = Linger::Done,
                Poll::Pending if alarm.as_mut().poll(cx).is_ready() => self.linger = Linger::Done,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.note(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, bytes);
        self.note(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_flush(cx);
        self.note(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.linger, Linger::NotYet) {
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
            let mid_head = self.activity.head_since.load(Relaxed) > 0 && !self.activity.http2.load(Relaxed);
            let alarm = || Box::pin(tokio::time::sleep(LINGER));
            self.linger = if mid_head { Linger::Until(alarm(), LINGER_BYTES) } else { Linger::Done };
        }
        ready!(self.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}
