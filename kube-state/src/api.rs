//! The way to the API server: who we are there, what a request looks like, what can go wrong with an answer.

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use http_body_util::BodyExt as _;
use hyper::{Request, Response, StatusCode, header};
use kube::{
    Client,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::watch::{event::Refusal, frames::BadFrame};

/// Where the API server is, and as whom it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// A kubeconfig; the pod's service account when there is none.
    pub kubeconfig: Option<PathBuf>,
    /// The server's address, in place of the one that the kubeconfig names.
    pub server: Option<String>,
}

/// Why there is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub enum NoAccess {
    /// The kubeconfig does not work.
    #[error("cannot use the kubeconfig {path}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: kube::config::KubeconfigError,
    },
    /// Neither a kubeconfig nor a pod.
    #[error("no --kubeconfig is given, and this is not a pod with a service account")]
    ServiceAccount(#[source] kube::config::InClusterError),
    /// An address that is none.
    #[error("--apiserver: {address:?} is no address")]
    Address {
        /// As given.
        address: String,
    },
    /// Certificates or tokens do not work.
    #[error("cannot prepare requests to the API server")]
    Client(#[source] Box<kube::Error>),
}

/// Sends requests to the API server. Clones share the connections.
#[derive(Clone)]
pub struct Api {
    client: Arc<ArcSwap<Client>>,
}

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No answer.
    #[error("cannot reach the API server: {}", daemon::chain(.0))]
    Unreachable(Box<kube::Error>),
    /// No answer in time.
    #[error("the API server did not answer within {0:?}")]
    NoAnswer(Duration),
    /// An answer, but not what was asked for.
    #[error("the API server answers {}: {}", .0.code, .0.message)]
    Refused(Refusal),
    /// The answer broke off.
    #[error("the answer broke off: {}", daemon::chain(.0))]
    BrokenOff(Box<kube::Error>),
    /// Nothing more came.
    #[error("nothing came for {0:?}")]
    Silent(Duration),
    /// The answer cannot be read.
    #[error(transparent)]
    Frame(#[from] BadFrame),
    /// The answer is no list.
    #[error("the answer is no list: {0}")]
    NoList(String),
    /// A streaming list did not come to its end.
    #[error("the list ended before its last object")]
    Unfinished,
}

impl Trouble {
    /// Whether the version that was asked for is no longer kept.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_expired())
    }

    /// The HTTP status, where there is one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }
}

/// How long the head of an answer may take. The API server gives up after a minute itself.
const ANSWER: Duration = Duration::from_secs(75);

impl Access {
    /// Prepares requests. Reads files, and asks nobody yet.
    pub async fn client(&self) -> Result<Client, NoAccess> {
        let mut config = match (&self.kubeconfig, &self.server) {
            (Some(path), _) => {
                let wrong = |source| NoAccess::Kubeconfig { path: path.clone(), source };
                let kubeconfig = Kubeconfig::read_from(path).map_err(wrong)?;
                kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(wrong)?
            }
            (None, Some(address)) => kube::Config::incluster().or_else(|_| at(address).map(kube::Config::new))?,
            (None, None) => kube::Config::incluster().map_err(NoAccess::ServiceAccount)?,
        };
        if let Some(address) = &self.server {
            config.cluster_url = at(address)?;
        }
        // Failures are counted and waited for by those who ask.
        config.default_retry = false;
        config.headers.push((header::USER_AGENT, header::HeaderValue::from_static(USER_AGENT)));
        Client::try_from(config).map_err(|error| NoAccess::Client(Box::new(error)))
    }
}

const USER_AGENT: &str = concat!("yagura-kube-state/", env!("CARGO_PKG_VERSION"));

fn at(address: &str) -> Result<hyper::Uri, NoAccess> {
    address.parse().map_err(|_| NoAccess::Address { address: address.to_owned() })
}

impl Api {
    /// Sends requests through this client.
    pub fn new(client: Client) -> Self {
        Self { client: Arc::new(ArcSwap::from_pointee(client)) }
    }

    /// Sends requests through another client from now on. Answers that are under way go on.
    pub fn replace(&self, client: Client) {
        self.client.store(Arc::new(client));
    }

    /// Asks for a path with its query, in one of the forms that `accept` names. An answer that is not a success is an
    /// error.
    pub async fn get(&self, path: &str, accept: &str) -> Result<Response<Body>, Trouble> {
        let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty());
        self.send(request).await
    }

    /// Posts JSON and gives the answer's body.
    pub async fn post(&self, path: &str, json: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        let json_type = "application/json";
        let request = Request::post(path).header(header::CONTENT_TYPE, json_type).header(header::ACCEPT, json_type);
        whole(self.send(request.body(Body::from(json))).await?).await
    }

    /// Asks for something small, as JSON.
    pub async fn get_whole(&self, path: &str) -> Result<Vec<u8>, Trouble> {
        whole(self.get(path, "application/json").await?).await
    }

    async fn send(&self, request: Result<Request<Body>, hyper::http::Error>) -> Result<Response<Body>, Trouble> {
        let request = request.map_err(|error| Trouble::Unreachable(Box::new(kube::Error::HttpError(error))))?;
        let client = self.client.load_full();
        let answer = tokio::time::timeout(ANSWER, client.send(request)).await;
        let answer = answer.map_err(|_| Trouble::NoAnswer(ANSWER))?;
        let answer = answer.map_err(|error| Trouble::Unreachable(Box::new(error)))?;
        match answer.status() {
            StatusCode::OK | StatusCode::CREATED => Ok(answer),
            status => Err(Trouble::Refused(Refusal::read(status.as_u16(), &whole(answer).await?))),
        }
    }
}

/// The most bytes of an answer that is read whole.
const MOST_WHOLE: usize = 8 << 20;

async fn whole(answer: Response<Body>) -> Result<Vec<u8>, Trouble> {
    let (mut body, mut bytes) = (answer.into_body(), Vec::new());
    while let Some(frame) = next_frame(&mut body, ANSWER).await? {
        bytes.extend_from_slice(&frame);
        if bytes.len() > MOST_WHOLE {
            return Err(BadFrame::TooLong.into());
        }
    }
    Ok(bytes)
}

/// What comes next of an answer's body; `None` at its end.
pub async fn next_frame(body: &mut Body, patience: Duration) -> Result<Option<bytes::Bytes>, Trouble> {
    loop {
        let frame = tokio::time::timeout(patience, body.frame()).await.map_err(|_| Trouble::Silent(patience))?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(Trouble::BrokenOff(Box::new(error))),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

/// The query of a path: `?watch=1&resourceVersion=7`.
#[derive(Debug, Default)]
pub struct Query(String);

impl Query {
    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                self.0.push(char::from(byte));
            } else {
                let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0').to_ascii_uppercase();
                self.0.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
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
}
