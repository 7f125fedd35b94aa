//! The way to a server: where it is, as whom it is asked, through which proxy. What works with client-go works here.
//!
//! kube knows kubeconfigs and the plugins that make credentials; certificates, tokens and proxies are taken here, since
//! it takes them otherwise than client-go. Files are looked at again before requests: when one was replaced, there is
//! another way ([`Way::is_stale`]).

mod connect;
mod der;
mod error;
mod files;
mod forward;
mod kubeconfig;
mod proxy;
mod server;
mod settings;
mod token;
mod trust;

use std::path::{Path, PathBuf};

use hyper::header::{HeaderValue, USER_AGENT};
use kube::{Client, Config};

pub use self::error::NoAccess;
use self::{
    files::Files,
    settings::{Proxy, Settings},
    token::Token,
};

/// Where a server is, and as whom it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The API server of a kubeconfig's current context, as its user.
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// The server's address, in place of the one in the file.
        address: Option<String>,
    },
    /// The API server of the cluster that this process is a pod of, as the pod's service account.
    ServiceAccount {
        /// The server's address, in place of the one in the environment. Outside of a pod this server is asked as
        /// nobody.
        address: Option<String>,
    },
    /// A server by its address.
    Address {
        /// `https://127.0.0.1:10250`.
        url: String,
        /// As whom.
        credentials: Credentials,
    },
}

/// As whom a server is asked that is named by its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Certificates that the server's must be signed by; `None`: those that this pod or machine trusts.
    pub authority: Option<PathBuf>,
    /// A file with a token.
    pub token: Option<PathBuf>,
    /// Whether any certificate will do.
    pub insecure: bool,
}

/// Where a pod's service account is.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Whether this process is in a pod with a service account.
pub fn is_in_cluster() -> bool {
    server_host().is_some() && Path::new(ACCOUNT).join("token").exists()
}

/// The API server's host, as the kubelet tells each pod.
#[expect(clippy::disallowed_methods, reason = "the kubelet puts it there, nobody sets it as an option")]
pub fn server_host() -> Option<String> {
    std::env::var("KUBERNETES_SERVICE_HOST").ok()
}

/// A way that leads to a server.
pub(crate) struct Way {
    /// Sends requests.
    pub(crate) client: Client,
    /// What each request says of who asks, beside what the client adds.
    pub(crate) authorization: Option<HeaderValue>,
    files: Files,
}

impl Way {
    /// Whether a file that it was made of is another by now.
    pub(crate) fn is_stale(&self) -> bool {
        self.files.now() != self.files
    }

    /// The same way, with its files taken to be as they are now: nothing could be made of them.
    pub(crate) fn kept(&self) -> Self {
        Self { client: self.client.clone(), authorization: self.authorization.clone(), files: self.files.now() }
    }
}

impl Access {
    /// To the API server: by a kubeconfig if there is one, else as the pod that this process is in; an address stands
    /// in place of the one that these name.
    pub fn api_server(kubeconfig: Option<PathBuf>, address: Option<String>) -> Self {
        match kubeconfig {
            Some(path) => Self::Kubeconfig { path, address },
            None => Self::ServiceAccount { address },
        }
    }

    /// To a kubelet, as the pod's service account if there is one. With `insecure` any certificate will do.
    pub fn kubelet(url: String, insecure: bool) -> Self {
        let account = Path::new(ACCOUNT);
        let token = Some(account.join("token")).filter(|path| path.exists() && url.starts_with("https:"));
        let authority = Some(account.join("ca.crt")).filter(|path| path.exists() && !insecure);
        Self::Address { url, credentials: Credentials { authority, token, insecure } }
    }

    /// Whether the files that it names can be read and hold what they should. Asks nobody, and starts no plugin.
    pub fn check(&self) -> Result<(), NoAccess> {
        let Settings { config, authority, identity, .. } = self.settings()?;
        named(&config)?;
        trust::tls(&config, authority.as_ref(), identity.as_ref()).map(drop)
    }

    /// Prepares requests in the name of `agent`. Reads files, and asks nobody yet.
    pub(crate) fn way(&self, agent: &'static str) -> Result<Way, NoAccess> {
        let Settings { mut config, authority, identity, token, proxy, files } = self.settings()?;
        config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
        named(&config)?;
        let proxy = match proxy {
            Proxy::Given(proxy) => Some(proxy),
            Proxy::Never => None,
            Proxy::ByEnvironment => proxy::Environment::of_process().to(&config.cluster_url).map_err(|bad| {
                let from = "HTTPS_PROXY or HTTP_PROXY of the environment".to_owned();
                NoAccess::Proxy { address: bad.0, from }
            })?,
        };
        let tls = trust::tls(&config, authority.as_ref(), identity.as_ref())?;
        let client = connect::client(&config, tls, proxy.as_ref());
        let client = client.map_err(|error| NoAccess::Client(Box::new(error)))?;
        Ok(Way { client, authorization: token.map(|Token(value)| value), files })
    }

    fn settings(&self) -> Result<Settings, NoAccess> {
        match self {
            Self::Kubeconfig { path, address } => kubeconfig::settings(path, address.as_deref()),
            Self::ServiceAccount { address } => match (of_pod(), address) {
                (Ok(settings), None) => Ok(settings),
                (Ok(settings), Some(address)) => {
                    let mut settings = settings;
                    settings.config.cluster_url = uri(address, true)?;
                    Ok(settings)
                }
                (Err(_), Some(address)) => {
                    let settings = Credentials::default().settings(address)?;
                    Ok(Settings { proxy: Proxy::ByEnvironment, ..settings })
                }
                (Err(error), None) => Err(error),
            },
            Self::Address { url, credentials } => credentials.settings(url),
        }
    }
}

/// Whether the name that the server's certificate must have can be one.
fn named(config: &Config) -> Result<(), NoAccess> {
    match &config.tls_server_name {
        Some(name) if rustls_pki_types::ServerName::try_from(name.as_str()).is_err() => {
            Err(NoAccess::ServerName { name: name.clone() })
        }
        _ => Ok(()),
    }
}

/// As the service account of this pod.
fn of_pod() -> Result<Settings, NoAccess> {
    let proxy = Proxy::ByEnvironment;
    let mut config = Config::incluster().map_err(NoAccess::ServiceAccount)?;
    let account = Path::new(ACCOUNT);
    let mut files = Files::default();
    let authority = files.pem(&account.join("ca.crt"))?;
    let token = files.token(&account.join("token"))?;
    (config.root_cert, config.root_cert_file, config.auth_info.token_file) = (None, None, None);
    Ok(Settings { config, authority: Some(authority), identity: None, token: Some(token), proxy, files })
}

impl Credentials {
    fn settings(&self, url: &str) -> Result<Settings, NoAccess> {
        let mut files = Files::default();
        let authority = self.authority.as_deref().map(|path| files.pem(path)).transpose()?;
        let token = self.token.as_deref().map(|path| files.token(path)).transpose()?;
        let mut config = Config::new(uri(url, authority.is_some() || self.insecure)?);
        config.accept_invalid_certs = self.insecure;
        Ok(Settings { config, authority, identity: None, token, proxy: Proxy::Never, files })
    }
}

fn uri(address: &str, tls: bool) -> Result<hyper::Uri, NoAccess> {
    let from = String::new();
    server::uri(address, tls).ok_or_else(|| NoAccess::Address { address: address.to_owned(), from })
}
