//! TLS before an API server, authorities that make certificates, and proxies. All on the loopback device.

use std::{
    error::Error,
    fmt::Write as _,
    net::TcpListener as Listener,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kubernetes::{Access, Api, Manner, NoAccess};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use tempfile::TempDir;
use testkit::ApiServer;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// A way, as the programs open it.
pub(crate) fn open(access: &Access) -> Result<Api, NoAccess> {
    let answer = Duration::from_secs(20);
    Api::open(access, Manner { agent: "lab/1", server: "the API server", answer, most: 1 << 20 })
}

/// An error with its causes.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

/// Runs to the end.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Serves on a free port for as long as the test runs.
fn serve<F: Future<Output = ()> + Send + 'static>(one: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        run(async {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
                tokio::spawn(one(socket));
            }
        });
    });
    port
}

pub(crate) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// How a certificate is told from others.
pub(crate) fn fingerprint(pem: &str) -> String {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    STANDARD.encode(der.as_ref())
}

/// Makes certificates; its own is `ca.crt` in its folder.
pub(crate) struct Authority {
    pub(crate) folder: TempDir,
    pub(crate) pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        let text = key.serialize_pem();
        let made =
            Self { folder: tempfile::tempdir().unwrap(), pem, issuer: rcgen::Issuer::new(params, key), key: text };
        made.write("ca.crt", &made.pem);
        made
    }

    pub(crate) fn key(&self) -> String {
        self.key.clone()
    }

    /// Certificate and key of `name` in PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.replace(' ', "-")]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// TLS before an API server. Each connection has one request; its head is kept, and the client's certificate.
pub(crate) struct Front {
    pub(crate) port: u16,
    identity: Arc<Mutex<(String, String)>>,
    seen: Arc<Mutex<String>>,
    _behind: ApiServer,
}

impl Front {
    pub(crate) fn start(identity: (String, String)) -> Self {
        let behind = ApiServer::start().unwrap();
        let address = behind.url().trim_start_matches("http://").to_owned();
        let (identity, seen) = (Arc::new(Mutex::new(identity)), Arc::new(Mutex::new(String::new())));
        let (own, log) = (Arc::clone(&identity), Arc::clone(&seen));
        let port = serve(move |socket| {
            let config = tls(&own.lock().unwrap());
            let (address, log) = (address.clone(), Arc::clone(&log));
            async move {
                let Ok(mut client) = TlsAcceptor::from(config).accept(socket).await else { return };
                let Some(head) = head(&mut client).await else { return };
                let certificate = client.get_ref().1.peer_certificates().and_then(<[_]>::first).cloned();
                let certificate = certificate.map(|der| STANDARD.encode(der)).unwrap_or_default();
                writeln!(log.lock().unwrap(), "{head}{certificate}").unwrap();
                let mut server = TcpStream::connect(address).await.unwrap();
                let once = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                server.write_all(once.as_bytes()).await.unwrap();
                drop(copy_bidirectional(&mut client, &mut server).await);
            }
        });
        Self { port, identity, seen, _behind: behind }
    }

    pub(crate) fn certificate(&self) -> String {
        self.identity.lock().unwrap().0.clone()
    }

    /// Has this certificate and key from now on.
    pub(crate) fn becomes(&self, identity: (String, String)) {
        *self.identity.lock().unwrap() = identity;
    }

    pub(crate) fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }
}

/// A request up to its empty line.
async fn head(from: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

fn tls((certificate, key): &(String, String)) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_client_cert_verifier(Arc::new(AnyClient));
    Arc::new(config.with_single_cert(vec![certificate], key).unwrap())
}

/// Takes every client, and whatever certificate it has.
#[derive(Debug)]
struct AnyClient;

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// How a proxy is asked.
#[derive(Clone, Copy)]
pub(crate) enum Speaks {
    Http,
    Socks,
    /// With a name and a password.
    SocksLogin,
}

/// A proxy to where it is asked to lead.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn start(speaks: Speaks) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let port = serve(move |mut client| {
            let log = Arc::clone(&log);
            async move {
                let (port, said) = match speaks {
                    Speaks::Http => {
                        let head = head(&mut client).await.unwrap();
                        if !head.starts_with("CONNECT ") {
                            return forward(&mut client, head, &log).await;
                        }
                        http(&mut client, head).await
                    }
                    Speaks::Socks => socks(&mut client, false).await,
                    Speaks::SocksLogin => socks(&mut client, true).await,
                };
                log.lock().unwrap().push(said);
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                drop(copy_bidirectional(&mut client, &mut server).await);
            }
        });
        Self { port, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// `CONNECT localhost:6443 HTTP/1.1`
async fn http(client: &mut TcpStream, head: String) -> (u16, String) {
    let target = head.split(' ').nth(1).unwrap();
    let port = target.rsplit_once(':').unwrap().1.parse().unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    (port, head)
}

/// `GET http://127.0.0.1:8080/version HTTP/1.1`
async fn forward(client: &mut TcpStream, head: String, log: &Mutex<Vec<String>>) {
    let address = head.split(' ').nth(1).and_then(|url| url.strip_prefix("http://")).unwrap();
    let (server, path) = address.split_at(address.find('/').unwrap());
    let once = head.replacen(&format!("http://{address}"), path, 1).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    let mut server = TcpStream::connect(server).await.unwrap();
    log.lock().unwrap().push(head.clone());
    server.write_all(once.as_bytes()).await.unwrap();
    drop(copy_bidirectional(client, &mut server).await);
}

/// RFC 1928, to a domain name; with RFC 1929, or without authentication. Gives the login before the name.
async fn socks(client: &mut TcpStream, wants_login: bool) -> (u16, String) {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await.unwrap();
    let mut methods = vec![0; greeting[1].into()];
    client.read_exact(&mut methods).await.unwrap();
    let mut login = String::new();
    if wants_login {
        assert!(methods.contains(&2), "{methods:?}");
        client.write_all(&[5, 2]).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), 1);
        for _ in ["user", "password"] {
            let mut text = vec![0; client.read_u8().await.unwrap().into()];
            client.read_exact(&mut text).await.unwrap();
            login.push_str(&String::from_utf8(text).unwrap());
            login.push('/');
        }
        client.write_all(&[1, 0]).await.unwrap();
    } else {
        client.write_all(&[5, 0]).await.unwrap();
    }
    let mut request = [0; 5];
    client.read_exact(&mut request).await.unwrap();
    assert_eq!(request[3], 3, "names are looked up behind the proxy");
    let mut name = vec![0; request[4].into()];
    client.read_exact(&mut name).await.unwrap();
    let port = client.read_u16().await.unwrap();
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    (port, login + std::str::from_utf8(&name).unwrap())
}
