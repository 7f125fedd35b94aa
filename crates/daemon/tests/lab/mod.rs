//! What the tests share: a server in this process, the example program in its own, and a plain client.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what panics here fails a test")]

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use daemon::{CancellationToken, Limits, Page, Program, ScrapeRequest, Server, Telemetry, WebArgs, Written};

pub static PROGRAM: Program =
    Program { name: "lab", prefix: "lab", about: "A server under test.", version: "1.2.3", revision: None };

/// Longer than anything here takes on a busy machine.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits until `holds`, and says what was waited for when it does not.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + TEST_TIMEOUT;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// Limits that do not make tests wait.
pub fn short_limits() -> Limits {
    let quarter = Duration::from_millis(300);
    Limits { headers: quarter, handshake: quarter, idle: Duration::from_secs(2), write: quarter, ..Limits::default() }
}

pub fn web() -> WebArgs {
    WebArgs {
        listen_address: vec!["127.0.0.1:0".to_owned()],
        shutdown_timeout: "2s".parse().unwrap(),
        ..WebArgs::default()
    }
}

/// A server in this process.
pub struct Running {
    pub address: SocketAddr,
    pub telemetry: Telemetry,
    pub stop: CancellationToken,
    thread: Option<thread::JoinHandle<anyhow::Result<()>>>,
}

impl Running {
    pub fn start(args: WebArgs, add: impl FnOnce(Server) -> Server) -> Self {
        let telemetry = Telemetry::new(&PROGRAM);
        let server = add(Server::new(&PROGRAM, args, telemetry.clone()));
        let (sender, addresses) = mpsc::channel();
        let stop = CancellationToken::new();
        let token = stop.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(async {
                let bound = server.bind()?;
                sender.send(bound.addresses()[0])?;
                bound.serve(token).await
            })
        });
        let address = addresses.recv_timeout(TEST_TIMEOUT).expect("the server starts");
        Self { address, telemetry, stop, thread: Some(thread) }
    }

    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.telemetry.exposition().unwrap().value(name, labels).unwrap_or(0.0)
    }

    pub fn closed(&self, reason: &str) -> f64 {
        self.metric("lab_http_connections_closed_total", &[("reason", reason)])
    }

    pub fn get(&self, path: &str) -> Response {
        fetch(self.address, "GET", path, &[])
    }

    pub fn finish(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(thread::panicking() || ended.unwrap().is_ok());
        }
    }
}

/// The example program in a process of its own.
pub struct Tower {
    pub child: Child,
    pub address: SocketAddr,
    log: mpsc::Receiver<String>,
    pub lines: Vec<String>,
}

pub fn tower_path() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/tower")
}

impl Tower {
    pub fn start(args: &[&str]) -> Self {
        Self::from_command(Command::new(tower_path()).args(args))
    }

    pub fn from_command(command: &mut Command) -> Self {
        let mut child = command.arg("--web.listen-address=127.0.0.1:0").stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut tower = Self { child, address: SocketAddr::from(([0, 0, 0, 0], 0)), log, lines: Vec::new() };
        let line = tower.wait_for_line("listening");
        let address = line.split(['=', '"', ' ', ',']).find_map(|part| part.parse().ok());
        tower.address = address.expect("the address is in the line");
        tower
    }

    pub fn wait_for_line(&mut self, text: &str) -> String {
        let deadline = Instant::now() + TEST_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left).unwrap_or_else(|_| panic!("no line with {text}: {:?}", self.lines));
            self.lines.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let page = fetch(self.address, "GET", "/metrics", &[]);
        assert_eq!(page.status, 200, "{}", page.text());
        expo::parse(&page.body, expo::Format::Text004).unwrap().value(name, labels).unwrap_or(0.0)
    }

    pub fn exit_code(&mut self) -> Option<i32> {
        let mut status = None;
        wait_for("the program's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Tower {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[derive(Clone, Debug, Default)]
pub struct Response {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub whole: bool,
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    socket.set_write_timeout(Some(TEST_TIMEOUT)).unwrap();
    socket
}

pub fn fetch(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut socket = connect(address);
    exchange(&mut socket, method, path, headers).unwrap()
}

/// One request on a fresh connection that is closed after it.
pub fn exchange(
    socket: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<Response> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n").into_bytes();
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    head.extend_from_slice(b"\r\n");
    socket.write_all(&head)?;
    receive(socket, method == "HEAD")
}

pub fn receive(socket: &mut impl Read, head_only: bool) -> io::Result<Response> {
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut response = Response { status: status.ok_or(io::ErrorKind::UnexpectedEof)?, ..Response::default() };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        response.headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    if head_only {
        reader.read_to_end(&mut response.body)?;
        response.whole = response.body.is_empty();
    } else if response.header("transfer-encoding") == "chunked" {
        read_chunks(&mut reader, &mut response)?;
    } else {
        let length: usize = response.header("content-length").parse().unwrap_or(0);
        reader.take(length as u64).read_to_end(&mut response.body)?;
        response.whole = response.body.len() == length;
    }
    Ok(response)
}

fn read_chunks(reader: &mut impl BufRead, response: &mut Response) -> io::Result<()> {
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let Ok(size) = u64::from_str_radix(size.trim(), 16) else { return Ok(()) };
        let read = reader.by_ref().take(size).read_to_end(&mut response.body)?;
        if read as u64 != size {
            return Ok(());
        }
        if size == 0 {
            response.whole = true;
            return Ok(());
        }
        reader.read_line(&mut String::new())?;
    }
}

/// A page made of a function.
pub struct Made<F>(F);

impl<F> Page for Made<F>
where
    F: Fn(&ScrapeRequest, &mut dyn Write) -> io::Result<u64> + Send + Sync + 'static,
{
    fn write(&self, request: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written> {
        (self.0)(request, out).map(|series| Written { series })
    }
}

pub fn made<F>(write: F) -> Made<F>
where
    F: Fn(&ScrapeRequest, &mut dyn Write) -> io::Result<u64> + Send + Sync + 'static,
{
    Made(write)
}

/// Lines that do not compress to nothing.
pub fn lines(count: u64, out: &mut dyn Write) -> io::Result<u64> {
    let mut state = 42_u64;
    for n in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        writeln!(out, "line{{n=\"{n}\"}} {state}")?;
    }
    Ok(count)
}

/// What `/large` holds with this many lines.
pub fn lines_text(count: u64) -> Vec<u8> {
    let mut text = Vec::new();
    lines(count, &mut text).unwrap();
    text
}

/// A CA, and certificates under it, in PEM files of a folder.
pub struct Authority {
    pub folder: tempfile::TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub ca_pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "lab authority");
        let ca_pem = params.self_signed(&key).unwrap().pem();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), &ca_pem).unwrap();
        Self { folder, issuer: rcgen::Issuer::new(params, key), ca_pem }
    }

    /// Certificate and key of `name` in PEM, also as `<name>.pem` and `<name>.key` in the folder.
    pub fn issue(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned(), "localhost".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        std::fs::write(self.folder.path().join(format!("{name}.pem")), &certificate).unwrap();
        std::fs::write(self.folder.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        (certificate, key.serialize_pem())
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}
