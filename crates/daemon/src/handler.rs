//! Answers of any content type: whole, or written piece by piece for as long as it takes.

use std::{fmt, io, net::IpAddr};

use crate::{page::Reply, stream::BodyWriter};

/// The method of a request that reaches a handler. Others are answered with status 405.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`: the answer goes without its body, and a stream is not begun.
    Head,
}

/// A request, as a handler gets it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, as it was sent: not decoded, without the query.
    pub path: String,
    /// The decoded query, in order; repeated names are kept.
    pub query: Vec<(String, String)>,
    /// The `Accept` header.
    pub accept: Option<String>,
    /// The address of the other end of the connection.
    pub peer: IpAddr,
    /// Whether the client has proven who it is: by a password, a client certificate that was verified, or a token that
    /// the program's guard knows. Without any of them configured nobody has.
    pub is_authenticated: bool,
}

impl Request {
    /// The values of a parameter, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The answer of a handler.
#[derive(Debug)]
pub enum Answer {
    /// A reply that is known whole.
    Whole(Reply),
    /// A body of unknown length.
    Streamed(Stream),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Whole(reply)
    }
}

/// Writes the body of a [`Stream`].
pub(crate) type Writing = Box<dyn FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + Send>;

/// A body of unknown length, with status 200. It is compressed when the client asks for it and the content type is text.
pub struct Stream {
    pub(crate) content_type: &'static str,
    pub(crate) write: Writing,
}

impl Stream {
    /// A stream of this content type. `write` runs on a thread of its own kind, where it may block. The stream ends well
    /// when it gives `Ok`; on an error or panic the connection is cut, so that the client sees that something is missing.
    ///
    /// Each write blocks while the client is slow, and fails once it is gone or took nothing for too long. A stream that
    /// waits for what is to be sent asks [`BodyWriter::is_wanted`] each second or so, and ends when it no longer is.
    pub fn new(
        content_type: &'static str,
        write: impl FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self { content_type, write: Box::new(write) }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

/// A function that answers requests.
pub(crate) type Handler = dyn Fn(&Request) -> Answer + Send + Sync;
