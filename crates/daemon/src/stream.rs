//! Streams a page that a thread writes to the response body of a client: compressed, in chunks, at most a few chunks
//! ahead of the client.

use std::{
    io::{self, Write},
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
use tokio_util::sync::CancellationToken;

use crate::{
    page::{Page, ScrapeRequest, Written},
    panics::{Panic, guarded},
};

/// Size of the pieces that go to the socket.
const CHUNK: usize = 64 * 1024;
/// Chunks that may wait for the client. Together they bound what a slow client costs.
const AHEAD: usize = 4;

/// Messages of the writing thread to the socket's task.
pub(crate) enum Part {
    /// A piece of the body, more follows.
    Chunk(Bytes),
    /// The last piece.
    Last(Bytes),
    /// The page failed; what was sent so far is not whole.
    Failed(io::Error),
}

/// The end of writing a page or stream.
#[derive(Debug)]
pub(crate) enum Ended {
    /// All was written: series, and bytes as they were sent.
    Whole(Written, u64),
    /// The page gave an error.
    Failed(io::Error),
    /// The client is gone, or reads too slowly.
    Abandoned,
    /// The page panicked.
    Panicked(Panic),
}

/// The two ends of a body.
pub(crate) fn channel() -> (mpsc::Sender<Part>, mpsc::Receiver<Part>) {
    mpsc::channel(AHEAD)
}

/// The destination of a body.
pub(crate) struct Sink {
    /// The writing end of the body.
    pub(crate) parts: mpsc::Sender<Part>,
    /// The runtime of the socket's task.
    pub(crate) runtime: Handle,
    /// Time for which a client may take nothing.
    pub(crate) stall: Duration,
}

/// Writes `page` into the sink. Blocks; gives up when the client takes nothing for too long.
pub(crate) fn write_page(page: &dyn Page, request: &ScrapeRequest, sink: Sink) -> Ended {
    let is_done = request.encoding == Encoding::Gzip && page.writes_gzip();
    let encoding = if is_done { Encoding::Identity } else { request.encoding };
    write(encoding, Flush::Never, sink, |out, _| page.write(request, out))
}

/// Writes a stream into the sink. Blocks; gives up when the client takes nothing for too long.
pub(crate) fn write_stream(
    stream: impl FnOnce(&mut BodyWriter<'_>) -> io::Result<()>,
    encoding: Encoding,
    sink: Sink,
    draining: CancellationToken,
) -> Ended {
    let parts = sink.parts.clone();
    write(encoding, Flush::AtOnce, sink, |out, gone| {
        let gone = Arc::clone(gone);
        // The compressor is lent for the time of the stream; it is finished by `write`.
        let mut body = BodyWriter { out, parts, gone, draining };
        stream(&mut body).map(|()| Written::default())
    })
}

/// Has `body` write, and says how that ended.
fn write(
    encoding: Encoding,
    flush: Flush,
    sink: Sink,
    body: impl FnOnce(&mut Compressor<Chunks>, &Arc<AtomicBool>) -> io::Result<Written>,
) -> Ended {
    let gone = Arc::new(AtomicBool::new(false));
    let failed = sink.parts.clone();
    let chunks = Chunks { buffer: Vec::new(), sink, flush, sent: 0, gone: Arc::clone(&gone) };
    let mut out = match Compressor::new(encoding, chunks) {
        Ok(out) => out,
        Err(error) => return Ended::Failed(error),
    };
    match guarded(|| body(&mut out, &gone)) {
        Ok(Ok(written)) => match out.finish().and_then(Chunks::end) {
            Ok(bytes) => Ended::Whole(written, bytes),
            Err(_) => Ended::Abandoned,
        },
        // From now on what the compressor still holds goes nowhere.
        Ok(Err(_)) | Err(_) if gone.swap(true, Relaxed) => Ended::Abandoned,
        Ok(Err(error)) => {
            let said = error.to_string();
            fail(&failed, error);
            Ended::Failed(io::Error::other(said))
        }
        Err(panic) => {
            fail(&failed, io::Error::other("the page panicked"));
            Ended::Panicked(panic)
        }
    }
}

/// Tells the socket's task that the body is not whole. When there is no room for that, it learns it from the end of the
/// channel, which comes without a last part.
fn fail(parts: &mpsc::Sender<Part>, error: io::Error) {
    drop(parts.try_send(Part::Failed(error)));
}

/// The body of a [`crate::Stream`] as it is written.
pub struct BodyWriter<'a> {
    out: &'a mut Compressor<Chunks>,
    parts: mpsc::Sender<Part>,
    gone: Arc<AtomicBool>,
    draining: CancellationToken,
}

impl BodyWriter<'_> {
    /// Whether more is wanted: the client is there, and the server is not about to end. Costs next to nothing.
    pub fn is_wanted(&self) -> bool {
        !self.gone.load(Relaxed) && !self.parts.is_closed() && !self.draining.is_cancelled()
    }
}

impl Write for BodyWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    /// Sends what was written so far. Without it, bytes wait until there are enough for a chunk.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl std::fmt::Debug for BodyWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyWriter").field("is_wanted", &self.is_wanted()).finish_non_exhaustive()
    }
}

/// The effect of flushing the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flush {
    /// Nothing: a page has no use for small chunks.
    Never,
    /// That what was written is sent.
    AtOnce,
}

/// Cuts what is written to it into chunks.
struct Chunks {
    buffer: Vec<u8>,
    sink: Sink,
    flush: Flush,
    sent: u64,
    gone: Arc<AtomicBool>,
}

impl Chunks {
    fn send(&mut self, part: Part) -> io::Result<()> {
        let part = match self.sink.parts.try_send(part) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return self.lost(io::ErrorKind::BrokenPipe),
            Err(mpsc::error::TrySendError::Full(part)) => part,
        };
        let Sink { parts, runtime, stall } = &self.sink;
        let sent = runtime.block_on(async { tokio::time::timeout(*stall, parts.send(part)).await });
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

    fn flush(&mut self) -> io::Result<()> {
        if self.flush == Flush::Never || self.buffer.is_empty() {
            return Ok(());
        }
        if self.gone.load(Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // What is sent at once is small: the buffer stays, and the copy is as long as need be.
        let part = Bytes::copy_from_slice(&self.buffer);
        self.buffer.clear();
        self.sent += part.len() as u64;
        self.send(Part::Chunk(part))
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

    /// A body that is still being written, after its first piece if that is there.
    pub(crate) fn streamed(first: Option<Bytes>, rest: mpsc::Receiver<Part>) -> Self {
        Self { ready: first, rest: Some(rest), held: Vec::new() }
    }

    /// The body, when it is known whole.
    pub(crate) fn known(&self) -> Option<&[u8]> {
        if self.rest.is_some() { None } else { Some(self.ready.as_deref().unwrap_or_default()) }
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
