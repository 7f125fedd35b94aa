//! Certificates: those a server must have, and those the client presents.
//!
//! Go, which all other clients are written in, takes two things that rustls does not: a server's own certificate as the
//! authority that vouches for it, and client certificates of X.509 version 1.

use std::sync::Arc;

use kube::{Config, client::ConfigExt as _};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, InconsistentKeys, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{der, error::NoAccess};

/// A text in PEM, and where it is from.
#[derive(Clone, Debug)]
pub(super) struct Pem {
    pub(super) text: Vec<u8>,
    /// For people: a file, or a field of one.
    pub(super) from: String,
}

impl Pem {
    /// Its certificates; at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, NoAccess> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(&self.text).flatten().collect();
        if found.is_empty() { Err(NoAccess::NoCertificate { from: self.from.clone() }) } else { Ok(found) }
    }
}

/// What TLS is to be like: as kube makes it, with `authority` and `identity` as Go takes them.
pub(super) fn tls(
    config: &Config,
    authority: Option<&Pem>,
    identity: Option<&(Pem, Pem)>,
) -> Result<ClientConfig, NoAccess> {
    let mut tls = config.rustls_client_config().map_err(|error| NoAccess::Client(Box::new(error)))?;
    if let Some(authority) = authority.filter(|_| !config.accept_invalid_certs) {
        let unusable = |source| NoAccess::Authority { from: authority.from.clone(), source };
        let given = authority.certificates()?;
        let mut roots = RootCertStore::empty();
        for certificate in &given {
            roots.add(certificate.clone()).map_err(unusable)?;
        }
        let chains = WebPkiServerVerifier::builder(Arc::new(roots)).build();
        let chains = chains.map_err(|error| unusable(Error::General(error.to_string())))?;
        tls.dangerous().set_certificate_verifier(Arc::new(Trust { chains, given }));
    }
    if let Some((certificate, key)) = identity {
        tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified(&tls, certificate, key)?));
    }
    Ok(tls)
}

fn certified(tls: &ClientConfig, certificate: &Pem, key: &Pem) -> Result<CertifiedKey, NoAccess> {
    let unusable = |source| NoAccess::ClientKey { from: key.from.clone(), source };
    let der = PrivateKeyDer::from_pem_slice(&key.text).map_err(|error| unusable(Error::General(error.to_string())))?;
    let signing = tls.crypto_provider().key_provider.load_private_key(der).map_err(unusable)?;
    let certified = CertifiedKey::new(certificate.certificates()?, signing);
    match certified.keys_match() {
        // A certificate of version 1 cannot be compared; the server says whether it fits.
        Ok(()) | Err(Error::InvalidCertificate(_) | Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok(certified)
        }
        Err(source) => Err(unusable(source)),
    }
}

/// Trusts what the given certificates vouch for, and a server that has one of them.
#[derive(Debug)]
struct Trust {
    chains: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.chains.verify_server_cert(server, between, name, ocsp, now);
        if verified.is_ok() || !self.given.contains(server) {
            return verified;
        }
        let moment = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match der::validity(server) {
            Some((first, _)) if moment < first => Err(CertificateError::NotValidYet.into()),
            Some((_, last)) if moment > last => Err(CertificateError::Expired.into()),
            Some(_) => {
                verify_server_name(&ParsedCertificate::try_from(server)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            None => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
