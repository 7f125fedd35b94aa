//! Reads the current context of a kubeconfig, by client-go's rules.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kube::{
    Config,
    config::{AuthInfo, Kubeconfig, KubeconfigError},
};
use secrecy::ExposeSecret as _;

use super::{
    error::NoAccess,
    files::Files,
    proxy, server,
    settings::{Proxy, Settings},
    token::Token,
    trust::Pem,
};

/// The way that a kubeconfig names; to `address` if there is one, in place of its server.
pub(super) fn settings(path: &Path, address: Option<&str>) -> Result<Settings, NoAccess> {
    let wrong = |source| NoAccess::Kubeconfig { path: path.to_owned(), source };
    let mut files = Files::default();
    files.note(path);
    let kubeconfig = Kubeconfig::read_from(path).map_err(wrong)?;
    let Kubeconfig { current_context, contexts, clusters, auth_infos, .. } = kubeconfig;
    let name =
        current_context.filter(|name| !name.is_empty()).ok_or_else(|| wrong(KubeconfigError::CurrentContextNotSet))?;
    let context = contexts.into_iter().find(|context| context.name == name).and_then(|context| context.context);
    let context = context.ok_or_else(|| wrong(KubeconfigError::LoadContext(name)))?;
    let cluster = clusters.into_iter().find(|cluster| cluster.name == context.cluster);
    let cluster = cluster.and_then(|cluster| cluster.cluster);
    let cluster = cluster.ok_or_else(|| wrong(KubeconfigError::LoadClusterOfContext(context.cluster)))?;
    let user = auth_infos.into_iter().find(|user| Some(&user.name) == context.user.as_ref());
    let mut user = user.and_then(|user| user.auth_info).unwrap_or_default();
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some((&cluster).try_into().map_err(wrong)?);
    }

    let mut reader = Reader { path, files };
    let authority = reader.pem(
        "certificate-authority",
        cluster.certificate_authority_data.as_deref(),
        cluster.certificate_authority,
    )?;
    let identity = reader.identity(&mut user)?;
    let token = reader.token(&mut user)?;
    let insecure = cluster.insecure_skip_tls_verify.unwrap_or(false);
    let text = address.or(cluster.server.as_deref()).ok_or_else(|| wrong(KubeconfigError::MissingClusterUrl))?;
    let uri = server::uri(text, authority.is_some() || identity.is_some() || insecure);
    let from = if address.is_some() { String::new() } else { format!(" in {}", path.display()) };
    let mut config = Config::new(uri.ok_or_else(|| NoAccess::Address { address: text.to_owned(), from })?);
    config.accept_invalid_certs = insecure;
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.tls_server_name = cluster.tls_server_name.filter(|name| !name.is_empty());
    config.auth_info = user;
    let proxy = match cluster.proxy_url.filter(|url| !url.is_empty()) {
        Some(url) => proxy::given(&url).map(Proxy::Given),
        None => Ok(Proxy::ByEnvironment),
    };
    let proxy =
        proxy.map_err(|bad| NoAccess::Proxy { address: bad.0, from: format!("proxy-url in {}", path.display()) })?;
    Ok(Settings { config, authority, identity, token, proxy, files: reader.files })
}

/// Reads what a kubeconfig has in itself or names a file of.
struct Reader<'p> {
    path: &'p Path,
    files: Files,
}

impl Reader<'_> {
    /// What stands in the field with `-data`, else in the file that the field names. Paths are absolute here.
    fn pem(&mut self, field: &str, data: Option<&str>, file: Option<String>) -> Result<Option<Pem>, NoAccess> {
        if let Some(data) = data.filter(|data| !data.is_empty()) {
            let from = format!("{field}-data in {}", self.path.display());
            let unwrapped: String = data.split_ascii_whitespace().collect();
            let text = STANDARD.decode(unwrapped).map_err(|source| NoAccess::Base64 { from: from.clone(), source })?;
            return Ok(Some(Pem { text, from }));
        }
        let Some(file) = file.filter(|file| !file.is_empty()) else { return Ok(None) };
        self.files.pem(Path::new(&file)).map(Some)
    }

    /// Certificate and key of the user, who is left without.
    fn identity(&mut self, user: &mut AuthInfo) -> Result<Option<(Pem, Pem)>, NoAccess> {
        let certificate = user.client_certificate_data.take();
        let certificate = self.pem("client-certificate", certificate.as_deref(), user.client_certificate.take())?;
        let key = user.client_key_data.take();
        let key = key.as_ref().map(secrecy::SecretBox::expose_secret).map(AsRef::as_ref);
        let key = self.pem("client-key", key, user.client_key.take())?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            (Some(pem), None) => Err(NoAccess::Half { from: pem.from, missing: "client-key" }),
            (None, Some(pem)) => Err(NoAccess::Half { from: pem.from, missing: "client-certificate" }),
        }
    }

    /// The token of the user, who is left without. That in a file comes first.
    fn token(&mut self, user: &mut AuthInfo) -> Result<Option<Token>, NoAccess> {
        let inline = user.token.take();
        if let Some(file) = user.token_file.take().filter(|file| !file.is_empty()) {
            return self.files.token(Path::new(&file)).map(Some);
        }
        let Some(inline) = inline.filter(|token| !token.expose_secret().is_empty()) else { return Ok(None) };
        Token::new(inline.expose_secret(), &format!("token in {}", self.path.display())).map(Some)
    }
}
