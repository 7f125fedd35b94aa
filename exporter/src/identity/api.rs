//! Requests to the API server, to a kubelet, to yagura-kube-state: the way there, what came back, how much it was.
//!
//! kube makes the client: kubeconfig, service account, certificates, tokens and their renewal. Answers are read here, as
//! bytes arrive, so that they can be counted and nothing of an object is kept that nobody wants.

use std::{
    path::Path,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use http_body_util::BodyExt as _;
use hyper::{Request, Response, StatusCode, header};
use kube::{
    Client,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};

/// How long the head of an answer, and the next bytes of one that is read whole, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of one answer that is read whole, and of one line.
const MOST: usize = 64 << 20;

/// Why there is no way to a server.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoWay {
    /// The kubeconfig does not work.
    #[error("cannot use the kubeconfig {path}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: kube::config::KubeconfigError,
    },
    /// The service account does not work.
    #[error("cannot use the service account of this pod")]
    ServiceAccount(#[source] kube::config::InClusterError),
    /// An address that is none.
    #[error("{0:?} is no address")]
    Address(String),
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// Certificates or tokens do not work.
    #[error("cannot prepare requests")]
    Client(#[source] Box<kube::Error>),
}

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// No answer.
    #[error("cannot reach the server: {0}")]
    Unreachable(String),
    /// An answer, but not what was asked for.
    #[error("the server answers {code}: {text}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// What it says.
        text: String,
    },
    /// Nothing more came.
    #[error("nothing came for {0:?}")]
    Silent(Duration),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The answer is whole and cannot be read.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl Trouble {
    /// The HTTP status, where there is one.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// What was asked of a server so far.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Requests.
    pub(super) requests: AtomicU64,
    /// Of them those that failed.
    pub(super) failed: AtomicU64,
    /// Bytes of answers, as they came out of decompression.
    pub(super) bytes: AtomicU64,
}

/// As whom a server is asked that is named by its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    /// Certificates that the server's must be signed by; empty: those that this pod or machine trusts.
    pub(super) authority: Option<std::path::PathBuf>,
    /// A file with a token.
    pub(super) token: Option<std::path::PathBuf>,
    /// Whether any certificate will do.
    pub(super) insecure: bool,
}

/// A way to a server.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
}

/// Where a pod's service account is.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Whether this is a pod with a service account.
pub(super) fn is_in_cluster() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && Path::new(ACCOUNT).join("token").exists()
}

impl Api {
    /// To the API server, by a kubeconfig or, without one, by the pod's service account. Reads files, asks nobody yet.
    pub(super) async fn server(kubeconfig: Option<&Path>) -> Result<Self, NoWay> {
        let config = match kubeconfig {
            Some(path) => {
                let wrong = |source| NoWay::Kubeconfig { path: path.display().to_string(), source };
                let kubeconfig = Kubeconfig::read_from(path).map_err(wrong)?;
                kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(wrong)?
            }
            None => kube::Config::incluster().map_err(NoWay::ServiceAccount)?,
        };
        Self::with(config)
    }

    /// To a server by its address.
    pub(super) fn at(address: &str, credentials: &Credentials) -> Result<Self, NoWay> {
        let uri = address.parse().map_err(|_| NoWay::Address(address.to_owned()))?;
        let mut config = kube::Config::new(uri);
        config.accept_invalid_certs = credentials.insecure;
        if let Some(path) = &credentials.authority {
            let wrong = |source| NoWay::File { path: path.display().to_string(), source };
            config.root_cert = Some(certificates(&std::fs::read_to_string(path).map_err(wrong)?));
        }
        config.auth_info.token_file = credentials.token.as_ref().map(|path| path.display().to_string());
        Self::with(config)
    }

    /// To a kubelet, as the pod's service account if there is one.
    pub(super) fn kubelet(address: &str, insecure: bool) -> Result<Self, NoWay> {
        let account = Path::new(ACCOUNT);
        let token = Some(account.join("token")).filter(|path| path.exists() && address.starts_with("https:"));
        let authority = Some(account.join("ca.crt")).filter(|path| path.exists() && !insecure);
        Self::at(address, &Credentials { authority, token, insecure })
    }

    fn with(mut config: kube::Config) -> Result<Self, NoWay> {
        // Failures are counted and waited for by those who ask.
        config.default_retry = false;
        config.headers.push((header::USER_AGENT, header::HeaderValue::from_static(USER_AGENT)));
        Ok(Self { client: Client::try_from(config).map_err(|error| NoWay::Client(Box::new(error)))? })
    }

    /// Asks for a path with its query. An answer that is not a success is an error.
    pub(super) async fn get(&self, path: &str, accept: &str, load: &Load) -> Result<Answer, Trouble> {
        load.requests.fetch_add(1, Relaxed);
        let answer = self.answer(path, accept).await;
        if answer.is_err() {
            load.failed.fetch_add(1, Relaxed);
        }
        answer
    }

    async fn answer(&self, path: &str, accept: &str) -> Result<Answer, Trouble> {
        let unreachable = |error: &(dyn std::error::Error + 'static)| Trouble::Unreachable(daemon::chain(error));
        let request =
            Request::get(path).header(header::ACCEPT, accept).header("X-Prometheus-Scrape-Timeout-Seconds", "30");
        let request = request.body(Body::empty()).map_err(|error| unreachable(&error))?;
        let answer = tokio::time::timeout(PATIENCE, self.client.send(request)).await;
        let answer: Response<Body> =
            answer.map_err(|_| Trouble::Silent(PATIENCE))?.map_err(|error| unreachable(&error))?;
        let status = answer.status();
        let mut answer = Answer { body: answer.into_body(), begun: Vec::new() };
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let text = answer.whole(&Load::default()).await.unwrap_or_default();
        Err(Trouble::Refused { code: status.as_u16(), text: message(&text) })
    }
}

const USER_AGENT: &str = concat!("yagura-exporter/", env!("CARGO_PKG_VERSION"));

/// The certificates of a PEM file, as kube wants them.
fn certificates(pem: &str) -> Vec<Vec<u8>> {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    CertificateDer::pem_slice_iter(pem.as_bytes()).flatten().map(|der| der.to_vec()).collect()
}

/// What a refusal says, for people: a `Status`' message or the start of the text.
fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Status {
        message: String,
    }
    match serde_json::from_slice::<Status>(body) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(body.get(..200).unwrap_or(body)).trim().to_owned(),
    }
}

/// An answer that is being read.
pub(super) struct Answer {
    body: Body,
    /// What came and was not handed out yet.
    begun: Vec<u8>,
}

impl Answer {
    /// All of it.
    pub(super) async fn whole(&mut self, load: &Load) -> Result<Vec<u8>, Trouble> {
        while self.more(PATIENCE, load).await? {}
        Ok(std::mem::take(&mut self.begun))
    }

    /// The next line, without its end; `None` when the answer is over. Loses nothing when it is dropped.
    pub(super) async fn line(&mut self, patience: Duration, load: &Load) -> Result<Option<Vec<u8>>, Trouble> {
        let mut looked = 0;
        loop {
            let rest = self.begun.get(looked..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.begun.drain(..=looked + end).collect();
                line.pop();
                return Ok(Some(line));
            }
            looked = self.begun.len();
            if !self.more(patience, load).await? {
                // A line without an end was cut.
                return Ok(None);
            }
        }
    }

    /// Takes in what comes next. False at the end.
    async fn more(&mut self, patience: Duration, load: &Load) -> Result<bool, Trouble> {
        loop {
            let frame = pin!(self.body.frame());
            let frame = tokio::time::timeout(patience, frame).await.map_err(|_| Trouble::Silent(patience))?;
            let frame = match frame {
                None => return Ok(false),
                Some(frame) => frame.map_err(|error| Trouble::Broken(daemon::chain(&error)))?,
            };
            let Ok(bytes) = frame.into_data() else { continue };
            load.bytes.fetch_add(bytes.len() as u64, Relaxed);
            self.begun.extend_from_slice(&bytes);
            if self.begun.len() > MOST {
                return Err(Trouble::Broken(format!("more than {MOST} bytes at once")));
            }
            return Ok(true);
        }
    }
}

/// A text as part of a query.
pub(super) fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A thread of this name that does the work. It ends when what is returned is dropped.
pub(super) fn thread(
    name: &str,
    work: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<tokio::sync::oneshot::Sender<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let until_stopped = async move {
        crate::privilege::settle();
        tokio::select! {
            _ = stopped => {}
            () = work => {}
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(until_stopped))?;
    Ok(stop)
}
