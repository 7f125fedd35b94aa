//! The web configuration file: TLS, client certificates, passwords, headers, reload, and what is said about bad ones.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what panics here fails a test")]

mod lab;

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use daemon::{WebArgs, WebConfigFile};
use lab::{Authority, Response, Running, fetch, lines, made, wait_for, web};
use rustls::{
    CipherSuite as Suite, ClientConfig, ClientConnection, ProtocolVersion as Version, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

static TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
static TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A hash of the lowest cost.
fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

fn serving(file: &Path) -> Running {
    let args = WebArgs { config: WebConfigFile { file: Some(file.to_owned()) }, ..web() };
    Running::start(args, |server| server.page("/metrics", "M", "M.", made(|_, out| lines(3, out))))
}

struct Client {
    roots: RootCertStore,
    identity: Option<(String, String)>,
    versions: &'static [&'static rustls::SupportedProtocolVersion],
    alpn: &'static [&'static [u8]],
}

impl Client {
    fn of(authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.ca_pem.as_bytes()).unwrap()).unwrap();
        Self { roots, identity: None, versions: rustls::ALL_VERSIONS, alpn: &[] }
    }

    fn with(mut self, identity: (String, String)) -> Self {
        self.identity = Some(identity);
        self
    }

    fn connection(&self, address: SocketAddr) -> StreamOwned<ClientConnection, std::net::TcpStream> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(self.versions).unwrap();
        let builder = builder.with_root_certificates(self.roots.clone());
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.to_vec()).collect();
        let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        StreamOwned::new(connection, lab::connect(address))
    }

    fn get(&self, address: SocketAddr, path: &str) -> io::Result<Response> {
        lab::exchange(&mut self.connection(address), "GET", path, &[])
    }

    /// The certificate that the server shows now.
    fn certificate(&self, address: SocketAddr) -> Vec<u8> {
        let mut stream = self.connection(address);
        lab::exchange(&mut stream, "GET", "/-/healthy", &[]).unwrap();
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    }
}

fn basic(user: &str, password: &str) -> String {
    let bytes = format!("{user}:{password}").into_bytes();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "Basic ".to_owned();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for n in 0..4 {
            let letter = alphabet[(bits >> (18 - 6 * n) & 63) as usize];
            text.push(if n <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn with_password(server: &Running, user: &str, password: &str) -> u16 {
    fetch(server.address, "GET", "/metrics", &[("Authorization", &basic(user, password))]).status
}

#[test]
fn tls_serves_with_files_beside_the_configuration_and_with_inline_ones() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("server");
    let files = authority.write("files.yml", "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n");
    let indent = |pem: &str| pem.trim().replace('\n', "\n    ");
    let inline =
        format!("tls_server_config:\n  cert: |\n    {}\n  key: |\n    {}\n", indent(&certificate), indent(&key));
    let inline = authority.write("inline.yml", &inline);
    for config in [files, inline] {
        let server = serving(&config);
        let response = Client::of(&authority).get(server.address, "/metrics").unwrap();
        assert_eq!((response.status, response.body), (200, lab::lines_text(3)));
        let mut plain = lab::connect(server.address);
        let refused = lab::exchange(&mut plain, "GET", "/metrics", &[]).unwrap();
        assert_eq!(refused.status, 400, "no plain HTTP on a TLS port");
        assert!(refused.text().contains("write https:// instead of http://"), "{}", refused.text());
        wait_for("the failure to be counted", || {
            server.metric("lab_tls_errors_total", &[("reason", "not_tls")]) == 1.0
        });
    }
}

#[test]
fn http2_is_offered_unless_it_is_turned_off() {
    let authority = Authority::new();
    authority.issue("server");
    for (http, chosen) in [("", &b"h2"[..]), ("http_server_config:\n  http2: false\n", b"http/1.1")] {
        let text = format!("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{http}");
        let server = serving(&authority.write("web.yml", &text));
        let client = Client { alpn: &[b"h2", b"http/1.1"], ..Client::of(&authority) };
        let mut stream = client.connection(server.address);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        assert_eq!(stream.conn.alpn_protocol(), Some(chosen));
    }
}

#[test]
fn client_certificates_are_asked_for_and_checked_as_configured() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.issue("server");
    let known = authority.issue("scraper.example");
    let unknown = stranger.issue("scraper.example");
    // Who gets in: without a certificate, with one of another authority, with one of ours.
    let cases = [
        ("NoClientCert", false, [true, true, true]),
        ("RequestClientCert", false, [true, true, true]),
        ("RequireAnyClientCert", false, [false, true, true]),
        ("VerifyClientCertIfGiven", true, [true, false, true]),
        ("RequireAndVerifyClientCert", true, [false, false, true]),
    ];
    for (kind, has_ca, expected) in cases {
        let ca = if has_ca { "  client_ca_file: ca.pem\n" } else { "" };
        let text = format!(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_auth_type: {kind}\n{ca}"
        );
        let server = serving(&authority.write("web.yml", &text));
        let clients = [
            Client::of(&authority),
            Client::of(&authority).with(unknown.clone()),
            Client::of(&authority).with(known.clone()),
        ];
        for versions in [TLS12, TLS13] {
            let served = clients.each_ref().map(|client| {
                let client = Client { versions, identity: client.identity.clone(), ..Client::of(&authority) };
                client.get(server.address, "/metrics").is_ok_and(|response| response.status == 200)
            });
            assert_eq!(served, expected, "{kind} {versions:?}");
        }
    }
}

#[test]
fn only_clients_with_an_allowed_name_get_in() {
    let authority = Authority::new();
    authority.issue("server");
    let text = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem\n  \
                client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [scraper.example, 10.0.0.1]\n";
    let server = serving(&authority.write("web.yml", text));
    let served = |name: &str| {
        let client = Client::of(&authority).with(authority.issue(name));
        client.get(server.address, "/metrics").is_ok_and(|response| response.status == 200)
    };
    assert!(served("scraper.example") && served("10.0.0.1"));
    assert!(!served("other.example") && !served("scraper.example.evil"));
    wait_for("refusals to be counted", || {
        server.metric("lab_tls_errors_total", &[("reason", "bad_certificate")]) == 2.0
    });
}

#[test]
fn versions_and_suites_are_as_configured() {
    let authority = Authority::new();
    authority.issue("server");
    let base = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
    let outcome = |extra: &str, versions| {
        let server = serving(&authority.write("web.yml", &format!("{base}{extra}")));
        let client = Client { versions, ..Client::of(&authority) };
        let mut stream = client.connection(server.address);
        lab::exchange(&mut stream, "GET", "/metrics", &[])
            .ok()
            .map(|_| (stream.conn.protocol_version().unwrap(), stream.conn.negotiated_cipher_suite().unwrap().suite()))
    };
    assert_eq!(outcome("  min_version: TLS13\n", TLS12), None);
    assert_eq!(outcome("  min_version: TLS13\n", rustls::ALL_VERSIONS).unwrap().0, Version::TLSv1_3);
    assert_eq!(outcome("  max_version: TLS12\n", rustls::ALL_VERSIONS).unwrap().0, Version::TLSv1_2);
    let suites = "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305, TLS_RSA_WITH_AES_128_CBC_SHA]\n  curve_preferences: [CurveP384]\n  prefer_server_cipher_suites: true\n";
    let chosen = outcome(suites, rustls::ALL_VERSIONS).unwrap();
    assert_eq!(chosen.1, Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
}

#[test]
fn passwords_are_checked_and_right_ones_remembered() {
    let authority = Authority::new();
    let text =
        format!("basic_auth_users:\n  alice: {}\n  bob: {}\n", bcrypt::hash("sesame", 10).unwrap(), hash("öffne"));
    let server = serving(&authority.write("web.yml", &text));
    assert_eq!(with_password(&server, "alice", "sesame"), 200);
    assert_eq!(with_password(&server, "bob", "öffne"), 200);
    for (user, password) in [("alice", "öffne"), ("alice", ""), ("bob", "sesame"), ("nobody", "sesame"), ("", "")] {
        assert_eq!(with_password(&server, user, password), 401, "{user}:{password}");
    }
    let bare = server.get("/metrics");
    assert_eq!((bare.status, bare.header("www-authenticate")), (401, "Basic"));
    assert_eq!(server.get("/").status, 401, "the landing page is no exception");
    assert_eq!(server.metric("lab_http_requests_rejected_total", &[("reason", "unauthorized")]), 7.0);
    let started = Instant::now();
    assert!((0..100).all(|_| with_password(&server, "alice", "sesame") == 200));
    let remembered = started.elapsed() / 100;
    let started = Instant::now();
    assert_eq!(with_password(&server, "nobody", "x"), 401);
    let unknown = started.elapsed();
    assert!(remembered < unknown / 2, "remembered {remembered:?}, unknown {unknown:?}");
}

#[test]
fn new_passwords_hold_at_once_and_bad_files_change_nothing() {
    let authority = Authority::new();
    let users = |name: &str, password: &str| format!("basic_auth_users:\n  {name}: {}\n", hash(password));
    let file = authority.write("web.yml", &users("alice", "old"));
    let server = serving(&file);
    assert_eq!(with_password(&server, "alice", "old"), 200);
    authority.write("web.yml", &users("alice", "brand-new"));
    assert_eq!(with_password(&server, "alice", "old"), 401, "what was remembered is not for the new hash");
    assert_eq!(with_password(&server, "alice", "brand-new"), 200);
    authority.write("web.yml", "basic_auth_user:\n  alice: nonsense\n");
    assert_eq!(with_password(&server, "alice", "brand-new"), 200);
    assert_eq!(server.metric("lab_web_config_last_reload_successful", &[]), 0.0);
    assert_eq!(server.metric("lab_web_config_reload_failures_total", &[]), 1.0, "counted once for one change");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(with_password(&server, "alice", "brand-new"), 200, "a file that is gone opens no door");
    assert_eq!(server.get("/metrics").status, 401);
    authority.write("web.yml", &users("carol", "third"));
    assert_eq!(with_password(&server, "carol", "third"), 200);
    assert_eq!(server.metric("lab_web_config_last_reload_successful", &[]), 1.0);
}

#[test]
fn a_renewed_certificate_is_shown_by_the_next_handshake() {
    let authority = Authority::new();
    let (first, _) = authority.issue("server");
    let file = authority.write("web.yml", "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n");
    let server = serving(&file);
    let client = Client::of(&authority);
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
    assert_eq!(client.certificate(server.address), der(&first));
    let (second, _) = authority.issue("server");
    assert_ne!(first, second);
    assert_eq!(client.certificate(server.address), der(&second));
    authority.write("server.key", "no key");
    assert_eq!(client.certificate(server.address), der(&second), "a broken key changes nothing");
    authority.write("web.yml", "{}");
    assert_eq!(client.certificate(server.address), der(&second), "TLS is not lost while running");
    assert_eq!(server.metric("lab_web_config_last_reload_successful", &[]), 0.0);
}

#[test]
fn headers_are_added_to_every_answer() {
    let authority = Authority::new();
    let text = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: max-age=31536000\n    \
                Content-Security-Policy: \"default-src 'self'\"\n    X-XSS-Protection: \"\"\n";
    let server = serving(&authority.write("web.yml", text));
    for path in ["/metrics", "/", "/none"] {
        let response = server.get(path);
        assert_eq!(response.header("x-frame-options"), "deny", "{path}");
        assert_eq!(response.header("strict-transport-security"), "max-age=31536000");
        assert_eq!(response.header("content-security-policy"), "default-src 'self'");
        assert!(!response.headers.contains_key("x-xss-protection"));
    }
}

#[test]
fn a_rate_limit_holds() {
    let authority = Authority::new();
    let server = serving(&authority.write("web.yml", "rate_limit:\n  interval: 1h\n  burst: 2\n"));
    let codes: Vec<u16> = (0..4).map(|_| server.get("/metrics").status).collect();
    assert_eq!(codes, [200, 200, 429, 429]);
}

#[test]
fn a_handshake_that_is_not_finished_is_cut() {
    let authority = Authority::new();
    authority.issue("server");
    let file = authority.write("web.yml", "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n");
    let args = WebArgs { config: WebConfigFile { file: Some(file) }, ..web() };
    let server = Running::start(args, |server| server.limits(lab::short_limits()));
    let mut socket = lab::connect(server.address);
    let started = Instant::now();
    assert_eq!(io::Read::read(&mut socket, &mut [0; 1]).unwrap_or(0), 0);
    assert!(started.elapsed() < Duration::from_secs(10));
    wait_for("the cut to be counted", || server.metric("lab_tls_errors_total", &[("reason", "timeout")]) == 1.0);
}

#[test]
fn bad_files_are_refused_with_file_line_and_key() {
    let authority = Authority::new();
    authority.issue("server");
    authority.issue("other");
    let tls = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
    let cases = [
        ("basic_auth_user: {}\n".to_owned(), "1:1: key basic_auth_user: unknown field"),
        ("basic_auth_users:\n  alice: secret\n".to_owned(), "2:3: key basic_auth_users.alice: this is no bcrypt hash"),
        ("tls_server_config:\n  key_file: server.key\n".to_owned(), "1:1: key tls_server_config.cert_file: missing"),
        ("tls_server_config:\n  cert_file: server.pem\n".to_owned(), "1:1: key tls_server_config.key_file: missing"),
        (
            "tls_server_config:\n  cert_file: none.pem\n  key_file: server.key\n".to_owned(),
            "2:3: key tls_server_config.cert_file: ",
        ),
        (
            "tls_server_config:\n  cert_file: server.key\n  key_file: server.key\n".to_owned(),
            "2:3: key tls_server_config.cert_file: ",
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.pem\n".to_owned(),
            "3:3: key tls_server_config.key_file: ",
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: other.key\n".to_owned(),
            "3:3: key tls_server_config.key_file: certificate and key do not go together",
        ),
        (format!("{tls}  key: abc\n"), "4:3: key tls_server_config.key: only one of key_file and key"),
        (format!("{tls}  min_version: TLS14\n"), "4:3: key tls_server_config.min_version: `TLS14` is no version"),
        (format!("{tls}  max_version: TLS11\n"), "4:3: key tls_server_config.max_version: TLS before 1.2"),
        (
            format!("{tls}  min_version: TLS13\n  max_version: TLS12\n"),
            "4:3: key tls_server_config.min_version: is above max_version",
        ),
        (
            format!("{tls}  cipher_suites: [TLS_NONE]\n"),
            "4:3: key tls_server_config.cipher_suites: `TLS_NONE` is no cipher suite",
        ),
        (
            format!("{tls}  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n"),
            "4:3: key tls_server_config.cipher_suites: none of these",
        ),
        (
            format!("{tls}  curve_preferences: [P256]\n"),
            "4:3: key tls_server_config.curve_preferences: `P256` is no curve",
        ),
        (
            format!("{tls}  client_auth_type: Always\n"),
            "4:3: key tls_server_config.client_auth_type: `Always` is none of",
        ),
        (
            format!("{tls}  client_auth_type: RequireAndVerifyClientCert\n"),
            "1:1: key tls_server_config.client_ca_file: missing",
        ),
        (
            format!("{tls}  client_ca_file: ca.pem\n"),
            "1:1: key tls_server_config.client_auth_type: a client CA is given",
        ),
        (
            format!("{tls}  client_allowed_sans: [a]\n"),
            "4:3: key tls_server_config.client_allowed_sans: names are only",
        ),
        (
            format!("{tls}  prefer_server_cipher_suites: perhaps\n"),
            "4:32: key tls_server_config.prefer_server_cipher_suites: invalid boolean",
        ),
        ("http_server_config:\n  http2: 5\n".to_owned(), "2:10: key http_server_config.http2: invalid boolean"),
        (
            "http_server_config:\n  headers:\n    Server: x\n".to_owned(),
            "3:5: key http_server_config.headers.Server: this header cannot be set",
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: maybe\n".to_owned(),
            "3:5: key http_server_config.headers.X-Frame-Options: `maybe`",
        ),
        ("rate_limit:\n  interval: soon\n".to_owned(), "2:13: key rate_limit.interval: a length of time"),
        ("rate_limit:\n  burst: 0\n".to_owned(), "2:3: key rate_limit.burst: must be at least 1"),
        ("basic_auth_users: [\n".to_owned(), ""),
        ("\u{0}\u{1}".to_owned(), ""),
    ];
    for (text, expected) in cases {
        let file = authority.write("web.yml", &text);
        let args = WebArgs { config: WebConfigFile { file: Some(file.clone()) }, ..web() };
        let said = args.check().expect_err(&text).to_string();
        assert!(said.starts_with(&format!("{}:{expected}", file.display())), "{said}\nexpected …{expected}");
    }
}
