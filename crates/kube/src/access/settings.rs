//! All that a way to a server is made of.

use hyper::Uri;
use kube::Config;

use super::{files::Files, token::Token, trust::Pem};

/// What an access comes to when its files are read.
#[derive(Debug)]
pub(super) struct Settings {
    /// For kube: the server, plugins and impersonation. Has no certificates and no token.
    pub(super) config: Config,
    pub(super) authority: Option<Pem>,
    /// Certificate and key.
    pub(super) identity: Option<(Pem, Pem)>,
    pub(super) token: Option<Token>,
    pub(super) proxy: Proxy,
    pub(super) files: Files,
}

/// What leads to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    /// This proxy, whatever the environment says.
    Given(Uri),
    /// What the environment says.
    ByEnvironment,
    /// Nothing: a server that is a neighbour, as kubelets are.
    Never,
}
