//! TLS from the section `tls_server_config`. Names of versions, suites and curves are those of Go, as the file has them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme, SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, SupportedKxGroup, ring as provider},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::{TLS12, TLS13},
};

use serde::Deserialize;

use super::san;

/// Suites that Go knows and we do not: without forward secrecy, or with CBC.
const NOT_SPOKEN: [&str; 13] = [
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

const NO_CIPHERS: &str =
    "none of these suites is spoken here; leave the key out, or name TLS_ECDHE_…_GCM_… or …_CHACHA20_POLY1305…";

/// The section, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawTls {
    cert_file: Option<PathBuf>,
    cert: Option<String>,
    key_file: Option<PathBuf>,
    key: Option<String>,
    client_ca_file: Option<PathBuf>,
    client_ca: Option<String>,
    client_auth_type: Option<String>,
    client_allowed_sans: Vec<String>,
    min_version: Option<String>,
    max_version: Option<String>,
    cipher_suites: Vec<String>,
    curve_preferences: Vec<String>,
    prefer_server_cipher_suites: Option<bool>,
}

/// What is wrong with the value of a key.
pub(super) struct Wrong(pub(super) &'static str, pub(super) String);

/// The TLS configuration of this section. Adds the files that it reads to `files`, so that changes are noticed.
impl RawTls {
    /// Whether a client's certificate, if it has one, is checked.
    pub(super) fn verifies_clients(&self) -> bool {
        matches!(self.client_auth_type.as_deref(), Some("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert"))
    }
}

pub(super) fn build(
    raw: &RawTls,
    folder: &Path,
    http2: bool,
    files: &mut Vec<PathBuf>,
) -> Result<Arc<ServerConfig>, Wrong> {
    let provider = Arc::new(CryptoProvider {
        cipher_suites: cipher_suites(&raw.cipher_suites)?,
        kx_groups: curves(&raw.curve_preferences)?,
        ..provider::default_provider()
    });
    let versions = versions(raw)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(&versions).map_err(|error| Wrong("min_version", error.to_string()))?;
    let builder = match client_verifier(raw, folder, &provider, files)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let chain = pem(("cert_file", raw.cert_file.as_deref()), ("cert", raw.cert.as_deref()), folder, files)?;
    let key = pem(("key_file", raw.key_file.as_deref()), ("key", raw.key.as_deref()), folder, files)?;
    let certificates = certificates(&chain)?;
    let private_key = PrivateKeyDer::from_pem_slice(&key.bytes)
        .map_err(|error| Wrong(key.key, format!("{} holds no private key in PEM: {error}", key.name)))?;
    let built = builder.with_single_cert(certificates, private_key);
    let mut config =
        built.map_err(|error| Wrong(key.key, format!("certificate and key do not go together: {error}")))?;
    config.ignore_client_order = raw.prefer_server_cipher_suites.unwrap_or(true);
    config.alpn_protocols = if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Ok(Arc::new(config))
}

/// Some PEM, and where it came from.
struct Pem {
    bytes: Vec<u8>,
    key: &'static str,
    name: String,
}

/// The content of a file or an inline value; exactly one of them must be there.
fn pem(
    (file_key, file): (&'static str, Option<&Path>),
    (inline_key, inline): (&'static str, Option<&str>),
    folder: &Path,
    files: &mut Vec<PathBuf>,
) -> Result<Pem, Wrong> {
    match (file.filter(|file| !file.as_os_str().is_empty()), inline.filter(|text| !text.is_empty())) {
        (Some(_), Some(_)) => Err(Wrong(inline_key, format!("only one of {file_key} and {inline_key} may be given"))),
        (None, None) => Err(Wrong(file_key, format!("missing: one of {file_key} and {inline_key} is needed"))),
        (None, Some(text)) => {
            Ok(Pem { bytes: text.as_bytes().to_vec(), key: inline_key, name: "the value".to_owned() })
        }
        (Some(file), None) => {
            let path = folder.join(file);
            let read = std::fs::read(&path);
            let bytes = read.map_err(|error| Wrong(file_key, format!("{} cannot be read: {error}", path.display())))?;
            let name = path.display().to_string();
            files.push(path);
            Ok(Pem { bytes, key: file_key, name })
        }
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.bytes).collect();
    let all = all.map_err(|error| Wrong(pem.key, format!("{} holds no certificates in PEM: {error}", pem.name)))?;
    if all.is_empty() {
        return Err(Wrong(pem.key, format!("{} holds no certificate in PEM", pem.name)));
    }
    Ok(all)
}

fn versions(raw: &RawTls) -> Result<Vec<&'static SupportedProtocolVersion>, Wrong> {
    let number = |key, version: Option<&String>, default| match version.map(String::as_str) {
        None | Some("") => Ok(default),
        Some("TLS10") => Ok(10),
        Some("TLS11") => Ok(11),
        Some("TLS12") => Ok(12),
        Some("TLS13") => Ok(13),
        Some(other) => Err(Wrong(key, format!("`{other}` is no version; versions are TLS10, TLS11, TLS12, TLS13"))),
    };
    let min = number("min_version", raw.min_version.as_ref(), 12)?;
    let max = number("max_version", raw.max_version.as_ref(), 13)?;
    if max < 12 {
        return Err(Wrong("max_version", "TLS before 1.2 is not spoken here".to_owned()));
    }
    if min > max {
        return Err(Wrong("min_version", "is above max_version".to_owned()));
    }
    if min < 12 {
        tracing::warn!("min_version is below TLS12: using TLS 1.2, the oldest supported version");
    }
    let all = [(12, &TLS12), (13, &TLS13)];
    Ok(all.into_iter().filter(|(number, _)| (min..=max).contains(number)).map(|(_, version)| version).collect())
}

/// The suites of TLS 1.2 that are named, and all of TLS 1.3: as in Go, those are not for choice.
fn cipher_suites(names: &[String]) -> Result<Vec<rustls::SupportedCipherSuite>, Wrong> {
    let all = provider::ALL_CIPHER_SUITES;
    if names.is_empty() {
        return Ok(provider::DEFAULT_CIPHER_SUITES.to_vec());
    }
    let mut chosen: Vec<_> = all.iter().filter(|suite| suite.tls13().is_some()).copied().collect();
    let mut spoken = 0;
    for name in names {
        let plain = name.trim_end_matches("_SHA256");
        let go_name = |suite: &rustls::SupportedCipherSuite| format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
        let fits = |suite: &&rustls::SupportedCipherSuite| {
            let ours = go_name(suite);
            ours == *name || (name.contains("CHACHA20") && ours.trim_end_matches("_SHA256") == plain)
        };
        match all.iter().find(fits) {
            Some(suite) => {
                spoken += 1;
                if suite.tls13().is_none() {
                    chosen.push(*suite);
                }
            }
            None if NOT_SPOKEN.contains(&name.as_str()) => {
                tracing::warn!(suite = %name, "cipher suite is too weak, left it out");
            }
            None => return Err(Wrong("cipher_suites", format!("`{name}` is no cipher suite"))),
        }
    }
    if spoken == 0 { Err(Wrong("cipher_suites", NO_CIPHERS.to_owned())) } else { Ok(chosen) }
}

fn curves(names: &[String]) -> Result<Vec<&'static dyn SupportedKxGroup>, Wrong> {
    if names.is_empty() {
        return Ok(provider::ALL_KX_GROUPS.to_vec());
    }
    let mut chosen: Vec<&'static dyn SupportedKxGroup> = Vec::new();
    for name in names {
        match name.as_str() {
            "CurveP256" => chosen.push(provider::kx_group::SECP256R1),
            "CurveP384" => chosen.push(provider::kx_group::SECP384R1),
            "X25519" => chosen.push(provider::kx_group::X25519),
            "CurveP521" | "X25519MLKEM768" => tracing::warn!(curve = %name, "curve is not supported, left it out"),
            other => {
                let known = "CurveP256, CurveP384, X25519";
                return Err(Wrong("curve_preferences", format!("`{other}` is no curve; curves are {known}")));
            }
        }
    }
    if chosen.is_empty() {
        return Err(Wrong("curve_preferences", "none of these curves is spoken here".to_owned()));
    }
    Ok(chosen)
}

fn client_verifier(
    raw: &RawTls,
    folder: &Path,
    provider: &Arc<CryptoProvider>,
    files: &mut Vec<PathBuf>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, Wrong> {
    let has_ca = raw.client_ca_file.is_some() || raw.client_ca.is_some();
    let kind = raw.client_auth_type.as_deref().unwrap_or("");
    let (mandatory, verified) = match kind {
        "" | "NoClientCert" if has_ca => {
            return Err(Wrong(
                "client_auth_type",
                "a client CA is given, but clients are not asked for certificates".to_owned(),
            ));
        }
        "" | "NoClientCert" if !raw.client_allowed_sans.is_empty() => {
            return Err(Wrong(
                "client_allowed_sans",
                "names are only checked with client_auth_type: RequireAndVerifyClientCert".to_owned(),
            ));
        }
        "" | "NoClientCert" => return Ok(None),
        "RequestClientCert" => (false, false),
        "RequireAnyClientCert" | "RequireClientCert" => (true, false),
        "VerifyClientCertIfGiven" => (false, true),
        "RequireAndVerifyClientCert" => (true, true),
        other => {
            let known = "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert";
            return Err(Wrong("client_auth_type", format!("`{other}` is none of: {known}")));
        }
    };
    if !verified {
        if has_ca {
            return Err(Wrong(
                "client_auth_type",
                format!("a client CA is given, but {kind} does not verify certificates"),
            ));
        }
        return Ok(Some(Arc::new(Clients { mandatory, provider: Arc::clone(provider), verified: None })));
    }
    let ca =
        pem(("client_ca_file", raw.client_ca_file.as_deref()), ("client_ca", raw.client_ca.as_deref()), folder, files)?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(&ca)? {
        roots.add(certificate).map_err(|error| Wrong(ca.key, format!("{}: {error}", ca.name)))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if mandatory { builder } else { builder.allow_unauthenticated() };
    let inner = builder.build().map_err(|error| Wrong(ca.key, error.to_string()))?;
    if raw.client_allowed_sans.is_empty() {
        return Ok(Some(inner));
    }
    let verified = Some(Verified { inner, allowed: raw.client_allowed_sans.clone() });
    Ok(Some(Arc::new(Clients { mandatory, provider: Arc::clone(provider), verified })))
}

/// Asks for certificates and takes those of clients that have their key: any, or those that are valid and carry an allowed
/// name.
#[derive(Debug)]
struct Clients {
    mandatory: bool,
    provider: Arc<CryptoProvider>,
    verified: Option<Verified>,
}

/// What says which certificates are valid, and the names of which a certificate must have one.
#[derive(Debug)]
struct Verified {
    inner: Arc<dyn ClientCertVerifier>,
    allowed: Vec<String>,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verified.as_ref().map_or(&[], |verified| verified.inner.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let Some(Verified { inner, allowed }) = &self.verified else { return Ok(ClientCertVerified::assertion()) };
        let verified = inner.verify_client_cert(certificate, chain, now)?;
        if san::names(certificate).iter().any(|name| allowed.contains(name)) {
            return Ok(verified);
        }
        Err(Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
