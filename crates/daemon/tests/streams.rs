//! Streams: what they say, when they end, and that they cost scrapes nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what panics here fails a test")]

mod lab;

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use daemon::{Answer, BodyWriter, Limits, Method, Reply, Request, Stream};
use lab::{Response, Running, connect, fetch, lines, made, receive, short_limits, wait_for, web};

const NDJSON: &str = "application/x-ndjson";

/// How many streams run now, whatever the telemetry says.
#[derive(Clone, Default)]
struct Lives(Arc<AtomicUsize>);

/// Counts a stream while it lives.
struct Here(Lives);

impl Lives {
    fn enter(&self) -> Here {
        self.0.fetch_add(1, SeqCst);
        Here(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

/// A line, then nothing, until nobody wants more.
fn follow(out: &mut BodyWriter<'_>) -> io::Result<()> {
    out.write_all(b"{\"n\":1}\n")?;
    out.flush()?;
    while out.is_wanted() {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    out.write_all(b"{\"end\":true}\n")
}

fn events(request: &Request, running: &Lives) -> Answer {
    let what = request.values("what").next().unwrap_or("follow").to_owned();
    if what == "who" {
        let Request { method, path, query, accept, peer, is_authenticated } = request;
        let method = if *method == Method::Get { "GET" } else { "HEAD" };
        return Reply::text(format!("{method} {path} {query:?} {accept:?} {peer} {is_authenticated}\n")).into();
    }
    assert_ne!(what, "panic before", "a panic before the first byte");
    let (running, content_type) = (running.clone(), if what == "binary" { "application/octet-stream" } else { NDJSON });
    Answer::Streamed(Stream::new(content_type, move |out| {
        let _here = running.enter();
        match what.as_str() {
            "follow" => follow(out),
            "error" => lines(20_000, out).and_then(|_| Err(io::Error::other("the log is gone"))),
            "panic" => {
                lines(20_000, out)?;
                panic!("in the middle")
            }
            "endless" => loop {
                lines(1000, out)?;
            },
            _ => lines(20_000, out).map(drop),
        }
    }))
}

fn server(limits: Limits) -> (Running, Lives) {
    let running = Lives::default();
    let for_handler = running.clone();
    let server = Running::start(web(), |server| {
        server.limits(limits).page("/metrics", "Small", "Small.", made(|_, out| lines(3, out))).handle(
            "/events",
            "Events",
            "Events.",
            move |request| events(request, &for_handler),
        )
    });
    (server, running)
}

/// Begins a request; the answer is read up to its first line.
fn begin(server: &Running, path: &str) -> (String, BufReader<TcpStream>) {
    begin_with(server, path, "")
}

fn begin_with(server: &Running, path: &str, headers: &str) -> (String, BufReader<TcpStream>) {
    let mut socket = connect(server.address);
    write!(socket, "GET {path} HTTP/1.1\r\nHost: lab\r\n{headers}\r\n").unwrap();
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    (head, reader)
}

/// The next chunk of a body.
fn chunk(reader: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut size = String::new();
    reader.read_line(&mut size).unwrap();
    let mut bytes = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
    reader.read_exact(&mut bytes).unwrap();
    bytes.truncate(bytes.len() - 2);
    bytes
}

#[test]
fn a_handler_is_told_who_asks_for_what() {
    let (server, _) = server(Limits::default());
    let said = fetch(server.address, "GET", "/events?what=who&x=a%20b", &[("Accept", "text/csv")]);
    let expected = "GET /events [(\"what\", \"who\"), (\"x\", \"a b\")] Some(\"text/csv\") 127.0.0.1 false\n";
    assert_eq!((said.status, said.text().as_str()), (200, expected));
    assert_eq!(fetch(server.address, "HEAD", "/events?what=who", &[]).status, 200);
    assert_eq!(fetch(server.address, "POST", "/events", &[]).status, 405);
}

#[test]
fn a_password_or_a_token_is_told_to_the_handler() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yaml");
    // The hash of "sesame" at the lowest cost.
    let hash = bcrypt::hash("sesame", 4).unwrap();
    std::fs::write(&file, format!("basic_auth_users:\n  alice: {hash}\n")).unwrap();
    let config = daemon::WebConfigFile { file: Some(file) };
    let known = Running::start(daemon::WebArgs { config, ..web() }, |server| {
        server.handle("/events", "Events", "Events.", |request| events(request, &Lives::default()))
    });
    let said = fetch(known.address, "GET", "/events?what=who", &[("Authorization", "Basic YWxpY2U6c2VzYW1l")]);
    assert!(said.text().ends_with("127.0.0.1 true\n"), "{}", said.text());
    assert_eq!(fetch(known.address, "GET", "/events?what=who", &[]).status, 401);
    let guarded = Running::start(web(), |server| {
        server
            .handle("/events", "Events", "Events.", |request| events(request, &Lives::default()))
            .guard(|_, token| async move { if token.as_deref() == Some("t") { Ok(()) } else { Err(403) } })
    });
    let said = fetch(guarded.address, "GET", "/events?what=who", &[("Authorization", "Bearer t")]);
    assert!(said.text().ends_with("127.0.0.1 true\n"), "{}", said.text());
    assert_eq!(fetch(guarded.address, "GET", "/events?what=who", &[]).status, 403);
}

#[test]
fn a_stream_keeps_its_content_type_and_is_whole() {
    let (server, _) = server(Limits::default());
    for (what, content_type) in [("all", NDJSON), ("binary", "application/octet-stream")] {
        let page = server.get(&format!("/events?what={what}"));
        assert_eq!((page.status, page.header("content-type"), page.whole), (200, content_type, true));
        assert!(page.body == lab::lines_text(20_000), "{what}: {} bytes", page.body.len());
    }
    wait_for("the bytes to be counted", || {
        server.metric("lab_http_stream_sent_bytes_total", &[("handler", "/events")])
            == 2.0 * lab::lines_text(20_000).len() as f64
    });
    let head = fetch(server.address, "HEAD", "/events?what=all", &[]);
    assert_eq!((head.status, head.header("content-type"), head.body.len()), (200, NDJSON, 0));
}

#[test]
fn a_stream_is_compressed_when_that_is_asked_for_and_helps() {
    let (server, _) = server(Limits::default());
    let get = |what: &str, accept: &str| {
        let headers: &[(&str, &str)] = if accept.is_empty() { &[] } else { &[("Accept-Encoding", accept)] };
        fetch(server.address, "GET", &format!("/events?what={what}"), headers)
    };
    let encodings: Vec<(String, usize)> = [("all", ""), ("all", "gzip"), ("all", "zstd"), ("binary", "gzip")]
        .map(|(what, accept)| {
            let page: Response = get(what, accept);
            assert!(page.whole, "{what} {accept}");
            (page.header("content-encoding").to_owned(), page.body.len())
        })
        .into();
    let names: Vec<&str> = encodings.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["", "gzip", "zstd", ""]);
    assert!(encodings[1].1 < encodings[0].1 * 3 / 4 && encodings[2].1 < encodings[0].1 * 3 / 4, "{encodings:?}");
    // What was compressed in one go is the same, for nothing was flushed in between.
    let mut packed = expo::Compressor::new(expo::Encoding::Gzip, Vec::new()).unwrap();
    packed.write_all(&lab::lines_text(20_000)).unwrap();
    assert!(get("all", "gzip").body == packed.finish().unwrap());
}

#[test]
fn a_line_that_is_flushed_comes_at_once_and_the_end_comes_with_the_drain() {
    let (server, running) = server(Limits::default());
    let (head, mut reader) = begin(&server, "/events");
    assert!(head.contains("content-type: application/x-ndjson"), "{head}");
    assert_eq!(chunk(&mut reader), b"{\"n\":1}\n");
    assert_eq!(server.metric("lab_http_streams", &[("handler", "/events")]), 1.0);
    let started = Instant::now();
    server.stop.cancel();
    assert_eq!(chunk(&mut reader), b"{\"end\":true}\n", "the stream ends well");
    assert_eq!(chunk(&mut reader), b"");
    server.finish().unwrap();
    // The server would have waited for two seconds.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(running.count(), 0);
}

#[test]
fn a_client_that_goes_ends_its_stream() {
    let (server, running) = server(Limits::default());
    for what in ["follow", "endless"] {
        let (_, mut reader) = begin(&server, &format!("/events?what={what}"));
        chunk(&mut reader);
        assert_eq!(running.count(), 1);
        drop(reader);
        wait_for("the stream to end", || running.count() == 0);
        wait_for("the gauge to fall", || server.metric("lab_http_streams", &[("handler", "/events")]) == 0.0);
    }
    assert_eq!(server.metric("lab_http_stream_failures_total", &[("handler", "/events"), ("reason", "error")]), 0.0);
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let (server, running) = server(short_limits());
    let (_, reader) = begin(&server, "/events?what=endless");
    wait_for("the stream to end", || running.count() == 0);
    wait_for("the cut", || server.closed("stalled") == 1.0 || server.metric("lab_http_connections", &[]) == 0.0);
    drop(reader);
}

/// A socket that is read a little at a time.
struct Slow(TcpStream);

impl io::Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        std::thread::park_timeout(Duration::from_millis(5));
        let most = into.len().min(8 << 10);
        self.0.read(&mut into[..most])
    }
}

#[test]
fn a_slow_reader_gets_all_of_it() {
    let (server, _) = server(short_limits());
    let mut socket = connect(server.address);
    write!(socket, "GET /events?what=all HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").unwrap();
    let page = receive(&mut Slow(socket), false).unwrap();
    assert!(page.whole && page.body == lab::lines_text(20_000), "{} bytes", page.body.len());
}

#[test]
fn a_stream_outlives_the_deadline_of_scrapes() {
    let (server, running) = server(short_limits());
    let mut socket = connect(server.address);
    // A scrape would have half a second, and its answer one and a half more.
    write!(socket, "GET /events HTTP/1.1\r\nHost: lab\r\nX-Prometheus-Scrape-Timeout-Seconds: 0.1\r\n\r\n").unwrap();
    wait_for("the stream", || running.count() == 1);
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        std::thread::park_timeout(Duration::from_millis(50));
        assert_eq!(running.count(), 1, "cut after {:?}", until - Instant::now());
    }
    drop(socket);
    wait_for("the stream to end", || running.count() == 0);
}

#[test]
fn a_failure_in_the_middle_cuts_the_connection() {
    let (server, _) = server(Limits::default());
    for what in ["error", "panic"] {
        let page = server.get(&format!("/events?what={what}"));
        assert_eq!((page.status, page.whole), (200, false), "{what}");
        let labels = [("handler", "/events"), ("reason", what)];
        wait_for("the failure to be counted", || server.metric("lab_http_stream_failures_total", &labels) == 1.0);
    }
    assert_eq!(server.get("/events?what=panic%20before").status, 500);
    assert!(server.get("/events?what=all").whole);
}

#[test]
fn a_compressed_line_that_is_flushed_comes_at_once() {
    let (server, running) = server(Limits::default());
    for encoding in ["gzip", "zstd"] {
        let (head, mut reader) = begin_with(&server, "/events", &format!("Accept-Encoding: {encoding}\r\n"));
        assert!(head.contains(&format!("content-encoding: {encoding}")), "{head}");
        // Its header and the line.
        assert!(chunk(&mut reader).len() > 10, "{encoding}");
        assert_eq!(running.count(), 1);
        drop(reader);
        wait_for("the stream to end", || running.count() == 0);
    }
}

#[test]
fn streams_take_no_turn_from_scrapes() {
    let running = Lives::default();
    let for_handler = running.clone();
    let args = daemon::WebArgs { max_requests: 1, ..web() };
    let server = Running::start(args, |server| {
        server
            .limits(Limits { handlers: 4, ..Limits::default() })
            .page("/metrics", "Small", "Small.", made(|_, out| lines(3, out)))
            .handle("/events", "Events", "Events.", move |request| events(request, &for_handler))
    });
    let held: Vec<_> = (0..4).map(|_| begin(&server, "/events")).collect();
    wait_for("the streams", || running.count() == 4);
    let refused = server.get("/events");
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    // There is one turn for scrapes. It comes back a moment after the answer is read.
    for _ in 0..8 {
        wait_for("a scrape", || server.get("/metrics").status == 200);
    }
    assert_eq!(running.count(), 4);
    drop(held);
    wait_for("the streams to end", || running.count() == 0);
    wait_for("a turn", || server.get("/events?what=all").status == 200);
}
