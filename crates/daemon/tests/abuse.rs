//! Clients that are slow, greedy, hostile or many cost themselves, not others.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what panics here fails a test")]

mod lab;

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use daemon::{Limits, WebArgs};
use lab::{Running, TEST_TIMEOUT, Tower, connect, fetch, lines, made, short_limits, tower_path, wait_for, web};

/// More than sockets and chunks hold, so that a client that does not read blocks the writer.
const HUGE: u64 = 1_500_000;

fn server(args: WebArgs, limits: Limits) -> Running {
    Running::start(args, |server| {
        server.limits(limits).page("/metrics", "Small", "Small.", made(|_, out| lines(3, out))).page(
            "/huge",
            "Huge",
            "Huge.",
            made(|_, out| lines(HUGE, out)),
        )
    })
}

/// Reports an abuse that was survived.
#[allow(clippy::print_stdout, reason = "that is how a test reports")]
fn survived(what: &str, how: &str) {
    println!("abuse: {what}: {how}");
}

/// Reads until the other side closes; how much came.
fn read_to_close(mut socket: TcpStream) -> (Vec<u8>, io::Result<()>) {
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes).map(drop);
    (bytes, end)
}

#[test]
fn a_head_that_dribbles_in_is_cut() {
    let server = server(web(), short_limits());
    let mut socket = connect(server.address);
    let started = Instant::now();
    let mut cut = false;
    for byte in b"GET /metrics HTTP/1.1\r\nX-Padding: ".iter().chain(std::iter::repeat(&b'x')).take(5000) {
        // A byte each few milliseconds: each one alone is progress.
        std::thread::park_timeout(Duration::from_millis(5));
        if socket.write_all(&[*byte]).is_err() {
            cut = true;
            break;
        }
    }
    assert!(cut && started.elapsed() < Duration::from_secs(10), "after {:?}", started.elapsed());
    wait_for("the cut to be counted", || server.closed("slow_headers") == 1.0);
    assert_eq!(server.get("/metrics").status, 200);
    survived("slow-loris", &format!("cut after {:?}, and counted", started.elapsed()));
}

#[test]
fn a_connection_that_says_nothing_is_cut() {
    let server = server(web(), short_limits());
    let (bytes, _) = read_to_close(connect(server.address));
    assert!(bytes.is_empty());
    wait_for("the cut to be counted", || server.closed("slow_headers") == 1.0);
    survived("a silent connection", "cut, and counted");
}

#[test]
fn a_connection_may_be_idle_for_longer_than_a_head_may_take() {
    let server = server(web(), short_limits());
    let mut socket = connect(server.address);
    for _ in 0..2 {
        socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
        assert_eq!(lab::receive(&mut socket, false).unwrap().status, 200);
        std::thread::park_timeout(short_limits().headers * 2);
    }
    let (bytes, _) = read_to_close(socket);
    assert!(bytes.is_empty());
    wait_for("the cut to be counted", || server.closed("idle") == 1.0);
    assert_eq!(server.closed("slow_headers"), 0.0);
}

#[test]
fn a_mebibyte_of_headers_is_refused_and_the_client_is_told() {
    let server = server(web(), Limits::default());
    for header_size in [1000, 900_000] {
        let mut socket = connect(server.address);
        let mut head = b"GET /metrics HTTP/1.1\r\nHost: lab\r\n".to_vec();
        let mut number = 0;
        while head.len() < 1 << 20 {
            head.extend_from_slice(format!("X-{number}: {}\r\n", "y".repeat(header_size)).as_bytes());
            number += 1;
        }
        head.extend_from_slice(b"\r\n");
        socket.write_all(&head).unwrap();
        let response = lab::receive(&mut socket, false).unwrap();
        assert_eq!(response.status, 431, "{header_size}");
    }
    assert_eq!(server.get("/metrics").status, 200);
    survived("1 MiB of headers", "status 431, and the next is served");
}

#[test]
fn garbage_is_refused() {
    let server = server(web(), short_limits());
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage, not frames",
    ] {
        let mut socket = connect(server.address);
        socket.write_all(garbage).unwrap();
        let (bytes, _) = read_to_close(socket);
        assert!(!bytes.starts_with(b"HTTP/1.1 2"), "{:?}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(server.get("/metrics").status, 200);
    survived("no HTTP", "4 kinds refused, and the next is served");
}

#[test]
fn a_thousand_connections_do_not_keep_a_scraper_out() {
    let (_, hard) = raise_fd_limit();
    if hard < 4096 {
        println!("skipped: a thousand connections need 4096 file descriptors, the limit is {hard}");
        return;
    }
    let server = server(WebArgs { max_connections: 100, ..web() }, Limits::default());
    let mut held = Vec::new();
    for n in 0..1000 {
        let mut socket = connect(server.address);
        if n % 2 == 0 {
            socket.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
        }
        held.push(socket);
    }
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(server.get("/metrics").status, 200);
    }
    let served = started.elapsed();
    assert!(served < Duration::from_secs(5), "{served:?}");
    wait_for("the idle ones to be counted as cut", || server.closed("crowded") >= 900.0);
    wait_for("no more than allowed", || server.metric("lab_http_connections", &[]) <= 100.0);
    drop(held);
    survived("1,000 connections", &format!("20 scrapes besides took {served:?}; 100 are held, the others were cut"));
}

/// The soft limit is raised to the hard one; gives both.
fn raise_fd_limit() -> (u64, u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let all = limit.maximum.unwrap_or(u64::MAX);
    (limit.current.unwrap_or(all), all)
}

#[test]
fn a_scraper_that_never_reads_is_cut_and_gives_its_place_back() {
    let server = server(WebArgs { max_requests: 1, ..web() }, short_limits());
    let mut socket = connect(server.address);
    socket.write_all(b"GET /huge HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    wait_for("the silent reader to be cut", || server.closed("stalled") == 1.0);
    wait_for("its place", || server.get("/metrics").status == 200);
    let (bytes, _) = read_to_close(socket);
    assert!(!bytes.ends_with(b"0\r\n\r\n"), "what was cut does not look whole");
    wait_for("the page to be counted as abandoned", || {
        server.metric("lab_page_failures_total", &[("page", "/huge"), ("reason", "abandoned")]) == 1.0
    });
    survived("a scraper that never reads", "cut, its place given back, and both counted");
}

#[test]
fn a_scraper_that_leaves_gives_its_place_back() {
    let server = server(WebArgs { max_requests: 1, ..web() }, Limits::default());
    let mut socket = connect(server.address);
    socket.write_all(b"GET /huge HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    socket.read_exact(&mut [0; 1000]).unwrap();
    drop(socket);
    let started = Instant::now();
    wait_for("its place", || server.get("/metrics").status == 200);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    survived("a scraper that leaves", &format!("its place given back within {:?}", started.elapsed()));
}

/// Frames of HTTP/2, as far as abuse needs them.
mod h2 {
    use super::*;

    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const GOAWAY: u8 = 7;
    pub(super) const END_STREAM_AND_HEADERS: u8 = 5;

    pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// `GET <path>` from the static table, path and authority as literals.
    pub(super) fn get(path: &str) -> Vec<u8> {
        let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
        block.extend_from_slice(path.as_bytes());
        block.extend_from_slice(&[0x01, 3]);
        block.extend_from_slice(b"lab");
        block
    }

    pub(super) fn open(address: SocketAddr, settings: &[u8]) -> TcpStream {
        let mut socket = connect(address);
        socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        socket.write_all(&frame(SETTINGS, 0, 0, settings)).unwrap();
        socket
    }

    /// Frames until the connection ends: kind and payload.
    pub(super) fn read_all(mut socket: TcpStream) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        let mut head = [0; 9];
        while socket.read_exact(&mut head).is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if socket.read_exact(&mut payload).is_err() {
                break;
            }
            frames.push((head[3], payload));
        }
        frames
    }
}

#[test]
fn rapid_resets_end_the_connection_that_sends_them() {
    let server = server(web(), Limits::default());
    let mut socket = h2::open(server.address, &[]);
    let reader = socket.try_clone().unwrap();
    let reader = std::thread::spawn(move || h2::read_all(reader));
    let block = h2::get("/huge");
    let mut sent = 0_u32;
    for batch in 0..1000_u32 {
        let mut frames = Vec::new();
        for n in 0..100 {
            let stream = (batch * 100 + n) * 2 + 1;
            frames.extend_from_slice(&h2::frame(h2::HEADERS, h2::END_STREAM_AND_HEADERS, stream, &block));
            frames.extend_from_slice(&h2::frame(h2::RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        if socket.write_all(&frames).is_err() {
            break;
        }
        sent += 100;
    }
    assert!(sent < 100_000, "the connection is still open after {sent} resets");
    let frames = reader.join().unwrap();
    let goaway = frames.iter().find(|(kind, _)| *kind == h2::GOAWAY);
    if let Some((_, payload)) = goaway {
        assert_eq!(payload[4..8], 11_u32.to_be_bytes(), "enhance your calm");
    }
    wait_for("the places of the streams", || server.get("/metrics").status == 200);
    wait_for("the connection to be gone", || server.metric("lab_http_connections", &[]) == 0.0);
    survived(
        "HTTP/2 rapid reset",
        &format!("the connection was ended after {sent} resets at most, and no place was lost"),
    );
}

#[test]
fn a_stream_whose_window_stays_closed_is_cut_when_its_time_is_over() {
    let server = server(WebArgs { max_requests: 1, ..web() }, short_limits());
    // SETTINGS_INITIAL_WINDOW_SIZE = 0.
    let mut socket = h2::open(server.address, &[0, 4, 0, 0, 0, 0]);
    let mut block = h2::get("/huge");
    // x-prometheus-scrape-timeout-seconds: 1, as a literal.
    let name = "x-prometheus-scrape-timeout-seconds";
    block.extend_from_slice(&[0x00, u8::try_from(name.len()).unwrap()]);
    block.extend_from_slice(name.as_bytes());
    block.extend_from_slice(&[1, b'1']);
    socket.write_all(&h2::frame(h2::HEADERS, h2::END_STREAM_AND_HEADERS, 1, &block)).unwrap();
    let frames = h2::read_all(socket);
    assert!(frames.iter().any(|(kind, _)| *kind == h2::HEADERS), "the head of the answer came");
    wait_for("the connection to be counted", || server.closed("overdue") == 1.0);
    wait_for("its place", || server.get("/metrics").status == 200);
    survived("an HTTP/2 window that stays closed", "cut when its time was over, and counted");
}

#[test]
fn http2_without_tls_is_served_too() {
    let server = server(web(), short_limits());
    let mut socket = h2::open(server.address, &[]);
    socket.write_all(&h2::frame(h2::HEADERS, h2::END_STREAM_AND_HEADERS, 1, &h2::get("/metrics"))).unwrap();
    let frames = h2::read_all(socket);
    let data: Vec<u8> = frames.iter().filter(|(kind, _)| *kind == 0).flat_map(|(_, data)| data.clone()).collect();
    assert_eq!(data, lab::lines_text(3));
    wait_for("the idle connection to be counted as cut", || server.closed("idle") == 1.0);
}

fn tower_with_fds(fds: u32) -> Tower {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {fds}; exec \"$0\" \"$@\"")]).arg(tower_path());
    Tower::from_command(&mut shell)
}

#[test]
fn with_few_file_descriptors_half_are_left_for_the_work() {
    let tower = tower_with_fds(64);
    let held: Vec<TcpStream> = (0..200).map(|_| connect(tower.address)).collect();
    for _ in 0..10 {
        assert_eq!(fetch(tower.address, "GET", "/metrics", &[]).status, 200);
    }
    assert_eq!(tower.metric("process_max_fds", &[]), 64.0);
    assert!(tower.metric("process_open_fds", &[]) < 60.0);
    drop(held);
    survived("64 descriptors and 200 connections", "10 scrapes besides, fewer than 60 open");
}

#[test]
fn without_file_descriptors_the_server_waits_and_goes_on() {
    // It opens eleven or more by itself, and may hold ten connections: that is too many together.
    let mut tower = tower_with_fds(20);
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..30 {
        let mut socket = connect(tower.address);
        drop(socket.write_all(b"GET /metrics/slow HTTP/1.1\r\nHost: lab\r\n\r\n"));
        held.push(socket);
    }
    tower.wait_for_line("cannot accept connections");
    drop(held);
    let deadline = Instant::now() + TEST_TIMEOUT;
    loop {
        let mut socket = connect(tower.address);
        match lab::exchange(&mut socket, "GET", "/-/healthy", &[]) {
            Ok(response) if response.status == 200 => break,
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
    }
    tower.wait_for_line("accepting connections again");
    assert!(tower.metric("tower_http_accept_errors_total", &[]) >= 1.0);
    let said = tower.lines.iter().filter(|line| line.contains("cannot accept connections")).count();
    assert!(said <= 3, "said when it starts, not each time: {said}");
    survived("no descriptors", &format!("said {said} times when it began, counted, and went on"));
}
