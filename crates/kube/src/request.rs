//! Requests to a server of Kubernetes, or of one that speaks like it: what they look like, what comes back, how much it
//! was, what can go wrong.
//!
//! Answers are read here, as their bytes arrive, so that they can be counted and nothing of an object is kept that
//! nobody wants.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{Request, StatusCode, header};
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    access::{Access, NoAccess, Way},
    frames::BadFrame,
    refusal::Refusal,
};

/// How a server is asked.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Who asks: `yagura-exporter/1.0`.
    pub agent: &'static str,
    /// What errors call the server: `the API server`.
    pub server: &'static str,
    /// How long the head of an answer may take, and the next bytes of one that is read whole.
    pub answer: Duration,
    /// The most bytes of an answer that is read whole.
    pub most: usize,
}

/// Sends requests to a server. Clones share the connections.
#[derive(Clone)]
pub struct Api {
    way: Arc<ArcSwap<(Access, Way)>>,
    manner: Manner,
    load: Arc<Load>,
}

/// What was asked of a server so far.
#[derive(Debug, Default)]
pub struct Load {
    /// Requests.
    pub requests: AtomicU64,
    /// Of them those that failed.
    pub failed: AtomicU64,
    /// Bytes of answers, as they came out of decompression.
    pub bytes: AtomicU64,
}

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No answer.
    #[error("cannot reach {server}")]
    Unreachable {
        /// Which server.
        server: &'static str,
        /// Why.
        source: Box<kube::Error>,
    },
    /// No answer in time.
    #[error("{server} did not answer within {after:?}")]
    NoAnswer {
        /// Which server.
        server: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// An answer, but not what was asked for.
    #[error("{server} answers {}: {}", .refusal.code, .refusal.message)]
    Refused {
        /// Which server.
        server: &'static str,
        /// What it says.
        refusal: Refusal,
    },
    /// The answer broke off.
    #[error("the answer broke off")]
    BrokenOff(#[source] Box<kube::Error>),
    /// Nothing more came.
    #[error("nothing came for {0:?}")]
    Silent(Duration),
    /// The answer is larger than any that is read whole.
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
    /// The answer cannot be cut into objects.
    #[error(transparent)]
    Frame(#[from] BadFrame),
    /// The answer is not what it should be.
    #[error("the answer is no {what}: {why}")]
    Unreadable {
        /// What it should be.
        what: &'static str,
        /// Why it is none.
        why: String,
    },
    /// A streaming list did not come to its end.
    #[error("the list ended before its last object")]
    Unfinished,
    /// A watch ended before it said anything.
    #[error("the watch ended at once")]
    EndedAtOnce,
}

impl Trouble {
    /// What came is no `what`.
    pub fn unreadable(what: &'static str, why: &impl ToString) -> Self {
        Self::Unreadable { what, why: why.to_string() }
    }

    /// Whether the version that was asked for is no longer kept.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Refused { refusal, .. } if refusal.is_expired())
    }

    /// After how long the server wants to be asked again, if it says so: one that has too much to do, or that is about to
    /// end.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { refusal, .. } => refusal.retry_after(),
            _ => None,
        }
    }

    /// The HTTP status, where there is one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.code),
            _ => None,
        }
    }
}

impl Api {
    /// A way to a server. Reads files, and asks nobody yet.
    pub fn open(access: &Access, manner: Manner) -> Result<Self, NoAccess> {
        let way = access.way(manner.agent)?;
        Ok(Self { way: Arc::new(ArcSwap::from_pointee((access.clone(), way))), manner, load: Arc::default() })
    }

    /// The same, and what is asked is counted there.
    #[must_use]
    pub fn counted(self, load: &Arc<Load>) -> Self {
        Self { load: Arc::clone(load), ..self }
    }

    /// Goes another way from now on, in all clones. Answers that are under way go on.
    pub fn replace(&self, access: &Access) -> Result<(), NoAccess> {
        self.way.store(Arc::new((access.clone(), access.way(self.manner.agent)?)));
        Ok(())
    }

    /// The way that is good now: when files that it is made of were replaced, another one.
    fn way(&self) -> Arc<(Access, Way)> {
        let known = self.way.load_full();
        let (access, way) = &*known;
        if !way.is_stale() {
            return known;
        }
        let next = match access.way(self.manner.agent) {
            Ok(way) => {
                tracing::info!(server = self.manner.server, "files with credentials were replaced and read again");
                way
            }
            Err(error) => {
                let server = self.manner.server;
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(server, %error, cause, "files with credentials were replaced and do not work, those before stay");
                way.kept()
            }
        };
        let next = Arc::new((access.clone(), next));
        self.way.store(Arc::clone(&next));
        next
    }

    /// Asks for a path with its query, in one of the forms that `accept` names. An answer that is not a success is an
    /// error.
    pub async fn get(&self, path: &str, accept: &str) -> Result<Answer, Trouble> {
        self.get_with(path, accept, &[]).await
    }

    /// The same, with more headers.
    pub async fn get_with(&self, path: &str, accept: &str, more: &[(&str, &str)]) -> Result<Answer, Trouble> {
        let request = Request::get(path).header(header::ACCEPT, accept);
        let request = more.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::empty())).await
    }

    /// Asks for something small, as JSON.
    pub async fn get_whole(&self, path: &str) -> Result<Vec<u8>, Trouble> {
        self.get(path, "application/json").await?.whole().await
    }

    /// Posts JSON and gives the answer's body.
    pub async fn post(&self, path: &str, json: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        let json_type = "application/json";
        let request = Request::post(path).header(header::CONTENT_TYPE, json_type).header(header::ACCEPT, json_type);
        self.send(request.body(Body::from(json))).await?.whole().await
    }

    /// What an error event of a watch comes to.
    pub fn refused(&self, event: &[u8]) -> Trouble {
        Trouble::Refused { server: self.manner.server, refusal: Refusal::read(500, event) }
    }

    async fn send(&self, request: Result<Request<Body>, hyper::http::Error>) -> Result<Answer, Trouble> {
        self.load.requests.fetch_add(1, Relaxed);
        let answer = self.answer(request).await;
        if answer.is_err() {
            self.load.failed.fetch_add(1, Relaxed);
        }
        answer
    }

    async fn answer(&self, request: Result<Request<Body>, hyper::http::Error>) -> Result<Answer, Trouble> {
        let Manner { server, answer: after, .. } = self.manner;
        let unreachable = |error| Trouble::Unreachable { server, source: Box::new(error) };
        let mut request = request.map_err(|error| unreachable(kube::Error::HttpError(error)))?;
        let way = self.way();
        let (_, Way { client, authorization, .. }) = &*way;
        if let Some(value) = authorization {
            request.headers_mut().insert(header::AUTHORIZATION, value.clone());
        }
        let answer = tokio::time::timeout(after, client.send(request)).await;
        let answer = answer.map_err(|_| Trouble::NoAnswer { server, after })?.map_err(unreachable)?;
        let status = answer.status();
        let retry_after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let answer = Answer { body: answer.into_body(), manner: self.manner, load: Arc::clone(&self.load) };
        match status {
            StatusCode::OK | StatusCode::CREATED => Ok(answer),
            status => {
                // It is a refusal even if the rest of it does not come, and no matter of the load.
                let refused = Answer { load: Arc::default(), ..answer };
                let text = refused.whole().await.unwrap_or_default();
                let refusal = Refusal::read(status.as_u16(), &text).with_retry_after(retry_after.as_deref());
                Err(Trouble::Refused { server, refusal })
            }
        }
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("manner", &self.manner).finish_non_exhaustive()
    }
}

/// An answer that is being read.
pub struct Answer {
    body: Body,
    manner: Manner,
    load: Arc<Load>,
}

impl Answer {
    /// What comes next, within so long; `None` at the end. Loses nothing when it is dropped.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Bytes>, Trouble> {
        loop {
            let frame = tokio::time::timeout(patience, self.body.frame()).await;
            match frame.map_err(|_| Trouble::Silent(patience))? {
                None => return Ok(None),
                Some(Err(error)) => return Err(Trouble::BrokenOff(Box::new(error))),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.load.bytes.fetch_add(bytes.len() as u64, Relaxed);
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// All of it.
    pub async fn whole(mut self) -> Result<Vec<u8>, Trouble> {
        let Manner { answer: patience, most, .. } = self.manner;
        let mut bytes = Vec::new();
        while let Some(more) = self.next(patience).await? {
            bytes.extend_from_slice(&more);
            if bytes.len() > most {
                return Err(Trouble::TooLong(most));
            }
        }
        Ok(bytes)
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("manner", &self.manner).finish_non_exhaustive()
    }
}

/// The path of a kind's objects below a server's address; of those in one namespace, when one is named. The core group
/// is empty.
pub fn collection(group: &str, version: &str, plural: &str, namespace: Option<&str>) -> String {
    let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
    let within = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    format!("{root}/{version}{within}/{plural}")
}

/// What may stand in a query as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The query of a path: `?watch=1&resourceVersion=7`.
#[derive(Clone, Debug, Default)]
pub struct Query(String);

impl Query {
    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(name);
        self.0.push('=');
        self.0.extend(utf8_percent_encode(value, ESCAPED));
        self
    }

    /// Adds a parameter when it has a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The path with the query.
    pub fn of(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded() {
        let query = Query::default().with("watch", "1").with_some("x", None);
        let query = query.with("fieldSelector", "metadata.namespace!=a,b=ä");
        assert_eq!(query.of("/api"), "/api?watch=1&fieldSelector=metadata.namespace%21%3Da%2Cb%3D%C3%A4");
        assert_eq!(Query::default().of("/api"), "/api");
    }

    #[test]
    fn an_error_names_the_server_and_leaves_causes_to_its_sources() {
        let refusal = Refusal::read(403, br#"{"message":"pods is forbidden"}"#);
        let refused = Trouble::Refused { server: "the kubelet", refusal };
        assert_eq!(refused.to_string(), "the kubelet answers 403: pods is forbidden");
        assert_eq!((refused.code(), refused.is_expired()), (Some(403), false));
        assert_eq!(Trouble::unreadable("list of pods", &"EOF").to_string(), "the answer is no list of pods: EOF");
    }
}
