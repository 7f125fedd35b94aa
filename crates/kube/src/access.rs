//! The way to a server: where it is, and as whom it is asked.
//!
//! kube makes the client of it: kubeconfig, service account, certificates, tokens and their renewal.

use std::path::{Path, PathBuf};

use hyper::{
    Uri,
    header::{HeaderValue, USER_AGENT},
};
use kube::{
    Client, Config,
    config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError},
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

/// Why there is no way to a server.
#[derive(Debug, thiserror::Error)]
pub enum NoAccess {
    /// The kubeconfig does not work.
    #[error("cannot use the kubeconfig {path}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KubeconfigError,
    },
    /// Neither a kubeconfig nor a pod.
    #[error("no kubeconfig is given, and this is not a pod with a service account")]
    ServiceAccount(#[source] InClusterError),
    /// An address that is none.
    #[error("{address:?} is no address of a server")]
    Address {
        /// As given.
        address: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// Certificates or tokens do not work.
    #[error("cannot prepare requests to the server")]
    Client(#[source] Box<kube::Error>),
}

/// Where a pod's service account is.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Whether this process is in a pod with a service account.
pub fn is_in_cluster() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && Path::new(ACCOUNT).join("token").exists()
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

    /// Prepares requests in the name of `agent`. Reads files, and asks nobody yet.
    pub(crate) async fn client(&self, agent: &'static str) -> Result<Client, NoAccess> {
        let mut config = self.config().await?;
        // Failures are counted and waited for by those who ask.
        config.default_retry = false;
        config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
        Client::try_from(config).map_err(|error| NoAccess::Client(Box::new(error)))
    }

    async fn config(&self) -> Result<Config, NoAccess> {
        let (mut config, address) = match self {
            Self::Kubeconfig { path, address } => {
                let wrong = |source| NoAccess::Kubeconfig { path: path.clone(), source };
                let kubeconfig = Kubeconfig::read_from(path).map_err(wrong)?;
                let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
                (config.map_err(wrong)?, address.as_deref())
            }
            Self::ServiceAccount { address: None } => (Config::incluster().map_err(NoAccess::ServiceAccount)?, None),
            Self::ServiceAccount { address: Some(address) } => match Config::incluster() {
                Ok(config) => (config, Some(address.as_str())),
                Err(_) => (Config::new(uri(address)?), None),
            },
            Self::Address { url, credentials } => (credentials.config(uri(url)?)?, None),
        };
        if let Some(address) = address {
            config.cluster_url = uri(address)?;
        }
        Ok(config)
    }
}

impl Credentials {
    fn config(&self, url: Uri) -> Result<Config, NoAccess> {
        let mut config = Config::new(url);
        config.accept_invalid_certs = self.insecure;
        if let Some(path) = &self.authority {
            let pem = std::fs::read(path).map_err(|source| NoAccess::File { path: path.clone(), source })?;
            config.root_cert = Some(certificates(&pem));
        }
        config.auth_info.token_file = self.token.as_ref().map(|path| path.display().to_string());
        Ok(config)
    }
}

fn uri(address: &str) -> Result<Uri, NoAccess> {
    address.parse().map_err(|_| NoAccess::Address { address: address.to_owned() })
}

/// The certificates of a PEM file, as kube wants them.
fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    CertificateDer::pem_slice_iter(pem).flatten().map(|der| der.to_vec()).collect()
}
