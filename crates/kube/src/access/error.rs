//! Errors of setting up access to a server.

use std::path::PathBuf;

use kube::config::{InClusterError, KubeconfigError};

/// Errors of setting up access to a server.
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
    #[error("{address:?}{from} is no address of a server; it is written https://10.0.0.1:6443")]
    Address {
        /// As given.
        address: String,
        /// ` in <file>`, or nothing.
        from: String,
    },
    /// A proxy that is none.
    #[error("{address:?}, {from}, is no proxy; it is written http://proxy:3128, https://… or socks5://…")]
    Proxy {
        /// As given.
        address: String,
        /// Who gives it.
        from: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// A field that is not in base64.
    #[error("{from} is not in base64")]
    Base64 {
        /// The field and its file.
        from: String,
        /// What is wrong with it.
        source: base64::DecodeError,
    },
    /// A file or field without certificates.
    #[error("{from} has no certificate in PEM form")]
    NoCertificate {
        /// Where one is missing.
        from: String,
    },
    /// Certificates that cannot vouch for a server.
    #[error("cannot use the certificates in {from}")]
    Authority {
        /// Where they are from.
        from: String,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// A key that is none, or not that of the certificate.
    #[error("cannot use the client key in {from}")]
    ClientKey {
        /// Where it is from.
        from: String,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// A certificate without a key, or the other way round.
    #[error("{from} is given without a {missing}")]
    Half {
        /// What there is.
        from: String,
        /// What there is not.
        missing: &'static str,
    },
    /// A token that no header can have.
    #[error("{from} has characters that no token has")]
    Token {
        /// Where it is from.
        from: String,
    },
    /// A name that no server can have.
    #[error("tls-server-name {name:?} is no name of a server")]
    ServerName {
        /// As given.
        name: String,
    },
    /// Something else that kube says.
    #[error("cannot prepare requests to the server")]
    Client(#[source] Box<kube::Error>),
}
