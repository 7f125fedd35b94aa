//! From a page that writes, on a thread, to a body that a client reads, on a socket: compressed, in chunks, and no
//! further ahead than a few chunks.

use std::{
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use expo::{Compressor, Encoding};
use hyper::body::{Body, Frame, SizeHint};
use tokio::{runtime::Handle, sync::mpsc};

use crate::page::{Page, ScrapeRequest, Written};

/// What goes to the socket at once.
const CHUNK: usize = 64 * 1024;
/// Chunks that may wait for the client. Together they bound what a slow client costs.
const AHEAD: usize = 4;

/// What the writing thread sends to the socket's task.
pub(crate) enum Part {
    /// A piece of the body, more follows.
    Chunk(Bytes),
    /// The last piece.
    Last(Bytes),
    /// The page failed; what was sent so far is not whole.
    Failed(io::Error),
}

/// How writing a page ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// All was written: series, and bytes as they were sent.
    Whole(Written, u64),
    /// The page gave an error.
    Failed(io::Error),
    /// The client is gone, or reads too slowly.
    Abandoned,
    /// The page panicked.
    Panicked,
}

/// The two ends of a body.
pub(crate) fn channel() -> (mpsc::Sender<Part>, mpsc::Receiver<Part>) {
    mpsc::channel(AHEAD)
}

/// Writes `page` into `parts`. Blocks; gives up when the client takes nothing for `patience`.
pub(crate) fn write_page(
    page: &dyn Page,
    request: &ScrapeRequest,
    encoding: Encoding,
    parts: mpsc::Sender<Part>,
    runtime: &Handle,
    patience: Duration,
) -> Ended {
    let gone = Arc::new(AtomicBool::new(false));
    let failed = parts.clone();
    let chunks =
        Chunks { buffer: Vec::new(), parts, runtime: runtime.clone(), patience, sent: 0, gone: Arc::clone(&gone) };
    let mut out = match Compressor::new(encoding, chunks) {
        Ok(out) => out,
        Err(error) => return Ended::Failed(error),
    };
    match catch_unwind(AssertUnwindSafe(|| page.write(request, &mut out))) {
        Ok(Ok(written)) => match out.finish().and_then(Chunks::end) {
            Ok(bytes) => Ended::Whole(written, bytes),
            Err(_) => Ended::Abandoned,
        },
        // From now on what the compressor still holds goes nowhere.
        Ok(Err(_)) | Err(_) if gone.swap(true, Relaxed) => Ended::Abandoned,
        Ok(Err(error)) => {
            let said = error.to_string();
            drop(failed.try_send(Part::Failed(error)));
            Ended::Failed(io::Error::other(said))
        }
        Err(_) => {
            drop(failed.try_send(Part::Failed(io::Error::other("the page panicked"))));
            Ended::Panicked
        }
    }
}

/// Cuts what is written to it into chunks.
struct Chunks {
    buffer: Vec<u8>,
    parts: mpsc::Sender<Part>,
    runtime: Handle,
    patience: Duration,
    sent: u64,
    gone: Arc<AtomicBool>,
}

impl Chunks {
    fn send(&mut self, part: Part) -> io::Result<()> {
        let part = match self.parts.try_send(part) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return self.lost(io::ErrorKind::BrokenPipe),
            Err(mpsc::error::TrySendError::Full(part)) => part,
        };
        let (parts, patience) = (&self.parts, self.patience);
        let sent = self.runtime.block_on(async { tokio::time::timeout(patience, parts.send(part)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => self.lost(io::ErrorKind::BrokenPipe),
            Err(_) => self.lost(io::ErrorKind::TimedOut),
        }
    }

    fn lost(&mut self, kind: io::ErrorKind) -> io::Result<()> {
        self.gone.store(true, Relaxed);
        Err(kind.into())
    }

    fn end(mut self) -> io::Result<u64> {
        let last = std::mem::take(&mut self.buffer);
        self.sent += last.len() as u64;
        self.send(Part::Last(last.into()))?;
        Ok(self.sent)
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone.load(Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.buffer.len() >= CHUNK {
            let full = std::mem::take(&mut self.buffer);
            self.sent += full.len() as u64;
            self.send(Part::Chunk(full.into()))?;
        }
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(CHUNK);
        }
        let taken = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(bytes.get(..taken).unwrap_or(bytes));
        Ok(taken)
    }

    /// Chunks go when they are full: a page has no use for smaller ones.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body: nothing, what is known whole, or what is being written.
pub(crate) struct PageBody {
    ready: Option<Bytes>,
    rest: Option<mpsc::Receiver<Part>>,
    /// Held until the body is sent or dropped.
    held: Vec<Arc<dyn Send + Sync>>,
}

impl PageBody {
    pub(crate) fn whole(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { ready: (!body.is_empty()).then_some(body), rest: None, held: Vec::new() }
    }

    pub(crate) fn streamed(first: Bytes, rest: mpsc::Receiver<Part>) -> Self {
        Self { ready: Some(first), rest: Some(rest), held: Vec::new() }
    }

    /// Keeps `thing` until the body is sent or dropped.
    pub(crate) fn hold(&mut self, thing: Arc<dyn Send + Sync>) {
        self.held.push(thing);
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(ready) = self.ready.take() {
            return Poll::Ready(Some(Ok(Frame::data(ready))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        match rest.poll_recv(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Part::Chunk(chunk))) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            Poll::Ready(Some(Part::Last(last))) => {
                self.rest = None;
                Poll::Ready((!last.is_empty()).then(|| Ok(Frame::data(last))))
            }
            Poll::Ready(Some(Part::Failed(error))) => Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.ready, &self.rest) {
            (None, None) => SizeHint::with_exact(0),
            (Some(whole), None) => SizeHint::with_exact(whole.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

/// `bytes` compressed at once.
pub(crate) fn compressed(encoding: Encoding, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Compressor::new(encoding, Vec::with_capacity(bytes.len() / 4))?;
    out.write_all(bytes)?;
    out.finish()
}
